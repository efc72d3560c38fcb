/* Stream joins against nested loops over the whole input: every kind, bounds that are strict, empty or missing, windows, ties, late rows, lateness, NULL
 * keys, residual conditions; however the rows are cut into batches, wherever the state is restored, on whatever number of workers. */
#include "expr.h"
#include "op_case.h"
#include "op_join.h"
#include "op_version_join.h"

#define ROWS_MAX 40
#define WINDOW 10
enum { KEY, NUMBER, WINDOW_END, COLUMNS };

struct side {
    struct op_row rows[ROWS_MAX];
    int64_t judged_us[ROWS_MAX]; /* the watermark that it was judged by */
    uint32_t count, fed;
    int64_t watermark_us;
};

struct trial {
    uint64_t seed;
    struct side sides[2];
    struct evs_join_config config;
    struct op_case made;
    bool pads[2], has_residual;
};

static struct evs_field typed[2 * COLUMNS];
static const uint32_t keys[2] = {KEY, WINDOW_END}, kept[COLUMNS] = {KEY, WINDOW_END, NUMBER};
static const uint32_t items[2 * COLUMNS] = {0, 2, 3, 5}; /* key and number of both */
static const uint32_t late_left[4] = {KEY, NUMBER, EVS_JOIN_NO_COLUMN, EVS_JOIN_NO_COLUMN},
                      late_right[4] = {EVS_JOIN_NO_COLUMN, EVS_JOIN_NO_COLUMN, KEY, NUMBER};
static const enum evs_kind late_kinds[4] = {EVS_INT64, EVS_INT64, EVS_INT64, EVS_INT64};

static uint64_t below(struct trial *trial, uint64_t count)
{
    return unit_random(&trial->seed) % count;
}

static struct evs_value number(int64_t value)
{
    return (struct evs_value){.kind = EVS_INT64, .int64 = value};
}

static const struct evs_value null = {.kind = EVS_INT64, .is_null = true};

/* --- rows ------------------------------------------------------------------------------------------------------------------------- */

/* Times rise with steps back; ties are frequent; a side has one partition. */
static void make_side(struct trial *trial, uint32_t which)
{
    struct side *side = &trial->sides[which];
    int64_t time_us = 100, delay_us = (int64_t)below(trial, 4), seen_us = EVS_TIME_MIN;
    side->count = (uint32_t)below(trial, ROWS_MAX + 1);
    side->watermark_us = EVS_TIME_MIN;
    for (uint32_t i = 0; i < side->count; i++) {
        struct op_row *row = &side->rows[i];
        time_us += (int64_t)below(trial, 4);
        row->time_us = time_us - (below(trial, 4) == 0 ? (int64_t)below(trial, 12) : 0);
        row->watermark_us = seen_us;
        row->cause = (struct evs_cause){which + 1, i};
        row->values[KEY] = below(trial, 8) == 0 ? null : number((int64_t)below(trial, 4));
        row->values[NUMBER] = number((int64_t)(which * 1000 + i));
        row->values[WINDOW_END] = number((row->time_us / WINDOW + 1) * WINDOW);
        row->values[WINDOW_END].kind = EVS_TIMESTAMP;
        seen_us = row->time_us - delay_us > seen_us ? row->time_us - delay_us : seen_us;
    }
}

/* left.number % 2 = right.number % 2, as a difference: mod(l - r, 2) = 0 */
static const struct evs_program *make_residual(struct evs_arena *arena)
{
    const struct evs_program *program = NULL;
    const struct evs_expr *difference, *rest, *result;
    struct evs_place place = {0};
    struct evs_error error;
    struct evs_value two = {.kind = EVS_INT64, .int64 = 2}, zero = {.kind = EVS_INT64};
    const struct evs_expr *sides[2] = {evs_expr_column(arena, 2, &typed[2], place),
                                       evs_expr_column(arena, 5, &typed[5], place)};
    ck_assert_int_eq(evs_expr_call(arena, EVS_SLICE("-"), false, sides, 2, place, &difference, &error), EVS_OK);
    const struct evs_expr *halves[2] = {difference, evs_expr_constant(arena, two, place)};
    ck_assert_int_eq(evs_expr_call(arena, EVS_SLICE("mod"), false, halves, 2, place, &rest, &error), EVS_OK);
    const struct evs_expr *equal[2] = {rest, evs_expr_constant(arena, zero, place)};
    ck_assert_int_eq(evs_expr_call(arena, EVS_SLICE("="), false, equal, 2, place, &result, &error), EVS_OK);
    ck_assert_int_eq(evs_program_compile(arena, &result, 1, &program, &error), EVS_OK);
    return program;
}

/* --- the model ------------------------------------------------------------------------------------------------------------------------ */

static bool is_late(const struct trial *trial, const struct side *side, uint32_t row)
{
    const struct evs_join_config *config = &trial->config;
    int64_t last_us = config->is_window ? side->rows[row].values[WINDOW_END].int64 - 1 : side->rows[row].time_us;
    return side->judged_us[row] > last_us + config->lateness_us;
}

static bool matches(const struct trial *trial, const struct op_row *left, const struct op_row *right)
{
    const struct evs_join_config *config = &trial->config;
    int64_t apart_us = right->time_us - left->time_us;
    bool same_key = !left->values[KEY].is_null && !right->values[KEY].is_null &&
                    left->values[KEY].int64 == right->values[KEY].int64;
    bool in_bounds = config->is_window ? left->values[WINDOW_END].int64 == right->values[WINDOW_END].int64
                                       : apart_us >= config->lower_us && apart_us <= config->upper_us;
    bool passes = !trial->has_residual || (left->values[NUMBER].int64 - right->values[NUMBER].int64) % 2 == 0;
    return same_key && in_bounds && passes;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t alone_time(const struct trial *trial, uint32_t which, const struct op_row *row)
{
    const struct evs_join_config *config = &trial->config;
    bool is_endless = which == 0 ? config->upper_us == INT64_MAX : config->lower_us == INT64_MIN;
    int64_t reach_us = is_endless ? 0 : which == 0 ? config->upper_us : -config->lower_us;
    if (config->is_window) {
        return row->values[WINDOW_END].int64 - 1;
    }
    if (config->is_empty || row->values[KEY].is_null || is_endless) {
        return row->time_us;
    }
    return later(row->time_us, row->time_us + reach_us);
}

static char *line_of(int64_t time_us, struct evs_cause cause, const struct op_row *left, const struct op_row *right)
{
    struct evs_value values[4] = {null, null, null, null};
    struct op_lines one = {0};
    memcpy(values, left != NULL ? left->values : values, left != NULL ? 2 * sizeof *values : 0);
    memcpy(values + 2, right != NULL ? right->values : values + 2, right != NULL ? 2 * sizeof *values : 0);
    op_lines_row(&one, time_us, cause, 0, values, 4);
    char *line = one.lines[0];
    evs_free(one.lines);
    return line;
}

static void expect_pairs(const struct trial *trial, struct op_lines *expected)
{
    const struct side *lefts = &trial->sides[0], *rights = &trial->sides[1];
    for (uint32_t l = 0; l < lefts->count; l++) {
        for (uint32_t r = 0; r < rights->count; r++) {
            const struct op_row *left = &lefts->rows[l], *right = &rights->rows[r];
            if (!is_late(trial, lefts, l) && !is_late(trial, rights, r) && matches(trial, left, right)) {
                int64_t time_us =
                    trial->config.is_window ? left->values[WINDOW_END].int64 - 1 : later(left->time_us, right->time_us);
                op_lines_add(expected, line_of(time_us, left->cause, left, right));
            }
        }
    }
}

/* The earliest match of a row; INT64_MAX: none. */
static int64_t first_match(const struct trial *trial, uint32_t which, uint32_t row)
{
    const struct side *own = &trial->sides[which], *other = &trial->sides[1 - which];
    int64_t first_us = INT64_MAX;
    for (uint32_t i = 0; i < other->count; i++) {
        const struct op_row *left = which == 0 ? &own->rows[row] : &other->rows[i];
        const struct op_row *right = which == 0 ? &other->rows[i] : &own->rows[row];
        if (!is_late(trial, other, i) && matches(trial, left, right)) {
            int64_t time_us = later(left->time_us, right->time_us);
            first_us = time_us < first_us ? time_us : first_us;
        }
    }
    return first_us;
}

static void expect_alone(const struct trial *trial, uint32_t which, struct op_lines *expected)
{
    const struct side *side = &trial->sides[which];
    for (uint32_t i = 0; i < side->count; i++) {
        const struct op_row *row = &side->rows[i], *left = which == 0 ? row : NULL, *right = which == 0 ? NULL : row;
        int64_t first_us = is_late(trial, side, i) ? 0 : first_match(trial, which, i);
        if (is_late(trial, side, i)) {
            continue;
        }
        if (trial->config.result == EVS_JOIN_GIVES_FIRST && first_us != INT64_MAX) {
            first_us = trial->config.is_window ? row->values[WINDOW_END].int64 - 1 : first_us;
            op_lines_add(expected, line_of(first_us, row->cause, left, right));
        } else if (trial->pads[which] && first_us == INT64_MAX) {
            op_lines_add(expected, line_of(alone_time(trial, which, row), row->cause, left, right));
        }
    }
}

static uint32_t count_late(const struct trial *trial)
{
    uint32_t count = 0;
    for (uint32_t which = 0; which < 2; which++) {
        for (uint32_t i = 0; i < trial->sides[which].count; i++) {
            count += is_late(trial, &trial->sides[which], i);
        }
    }
    return count;
}

/* --- the run ---------------------------------------------------------------------------------------------------------------------------- */

static void make_config(struct trial *trial, struct evs_arena *arena)
{
    struct evs_join_config *config = &trial->config;
    static const struct {
        enum evs_join_result result;
        bool pads[2];
    } kinds[6] = {{EVS_JOIN_GIVES_PAIRS, {false, false}}, {EVS_JOIN_GIVES_PAIRS, {true, false}},
                  {EVS_JOIN_GIVES_PAIRS, {false, true}},  {EVS_JOIN_GIVES_PAIRS, {true, true}},
                  {EVS_JOIN_GIVES_FIRST, {false, false}}, {EVS_JOIN_GIVES_NONE, {true, false}}};
    uint32_t kind = (uint32_t)below(trial, 6);
    config->result = kinds[kind].result;
    memcpy(trial->pads, kinds[kind].pads, sizeof trial->pads);
    config->is_window = below(trial, 4) == 0;
    config->lower_us = (int64_t)below(trial, 25) - 12;
    config->upper_us = config->lower_us + (int64_t)below(trial, 14) - 1;
    config->lower_us = below(trial, 10) == 0 ? EVS_JOIN_UNBOUNDED_LOWER : config->lower_us;
    config->upper_us = below(trial, 10) == 0 ? EVS_JOIN_UNBOUNDED_UPPER : config->upper_us;
    config->is_empty = !config->is_window && config->lower_us > config->upper_us;
    config->lateness_us = below(trial, 3) == 0 ? (int64_t)below(trial, 5) : 0;
    config->matches_max = UINT32_MAX;
    config->pair_schema = (struct evs_schema){2 * COLUMNS, typed};
    config->items = items;
    config->late_output = true;
    config->late_count = 4;
    config->late_kinds = late_kinds;
    trial->has_residual = below(trial, 3) == 0;
    config->residual = trial->has_residual ? make_residual(arena) : NULL;
    for (uint32_t i = 0; i < 2; i++) {
        config->sides[i] = (struct evs_join_side){.columns = kept,
                                                  .column_count = COLUMNS,
                                                  .key_count = config->is_window ? 2 : 1,
                                                  .pads = trial->pads[i],
                                                  .window_end = 1,
                                                  .late = i == 0 ? late_left : late_right};
    }
}

static void begin_case_of(struct trial *trial, const struct evs_operator *operator_, const void *config)
{
    static struct evs_field input[COLUMNS];
    bool is_alone = trial->config.result != EVS_JOIN_GIVES_PAIRS;
    input[KEY] = (struct evs_field){"key", evs_type_of(EVS_INT64), true};
    input[NUMBER] = (struct evs_field){"number", evs_type_of(EVS_INT64), true};
    input[WINDOW_END] = (struct evs_field){"window_end", evs_type_of(EVS_TIMESTAMP), true};
    trial->made = (struct op_case){
        .operator_ = operator_,
        .config = config,
        .input = {COLUMNS, input},
        .second = {COLUMNS, input},
        .output = {is_alone ? 2 : 4, typed},
        .keys = keys,
        .second_keys = keys,
        .key_count = trial->config.sides[0].key_count,
        .wants_key = true,
        .seed = &trial->seed,
    };
    op_case_begin(&trial->made, 1 + (uint32_t)below(trial, 3));
}

static void begin_case(struct trial *trial)
{
    begin_case_of(trial, &evs_op_join, &trial->config);
}

static void feed(struct trial *trial, uint32_t which)
{
    struct side *side = &trial->sides[which];
    uint32_t left = side->count - side->fed, count = 1 + (uint32_t)below(trial, 7);
    count = count < left ? count : left;
    for (uint32_t i = side->fed; i < side->fed + count; i++) {
        side->judged_us[i] = later(side->rows[i].watermark_us, trial->made.watermark_us);
    }
    op_case_feed_input(&trial->made, which, side->rows + side->fed, count);
    side->fed += count;
    side->watermark_us = side->fed == side->count ? EVS_TIME_MAX : side->rows[side->fed].watermark_us;
}

static void run(struct trial *trial)
{
    struct side *sides = trial->sides;
    while (sides[0].fed < sides[0].count || sides[1].fed < sides[1].count) {
        uint32_t which = (uint32_t)below(trial, 2);
        which = sides[which].fed < sides[which].count ? which : 1 - which;
        feed(trial, which);
        int64_t least_us = later(EVS_TIME_MIN, sides[0].watermark_us < sides[1].watermark_us ? sides[0].watermark_us
                                                                                             : sides[1].watermark_us);
        /* now and then the other side is idle, and does not count */
        least_us = below(trial, 12) == 0 ? sides[which].watermark_us : least_us;
        if (least_us != EVS_TIME_MAX && below(trial, 3) > 0) {
            op_case_watermark(&trial->made, least_us);
        }
        if (below(trial, 6) == 0) {
            op_case_cut(&trial->made, 1 + (uint32_t)below(trial, 4), below(trial, 3) == 0);
        }
    }
    op_case_watermark(&trial->made, EVS_TIME_MAX);
}

/* "5 1.2.77 | …" to "5 1.2.0 | …", and of a semi or anti join two more columns, as the model writes it: of a pair the ordinal is a hash. */
static char *plain(const char *line, bool is_alone)
{
    const char *bar = strchr(line, '|'), *dot = bar;
    struct evs_buffer out = {0};
    while (*dot != '.') {
        dot--;
    }
    evs_buffer_put(&out, line, (size_t)(dot - line));
    evs_buffer_printf(&out, ".0 %s%s", bar, is_alone ? " null null" : "");
    evs_buffer_put(&out, "", 1);
    return out.data;
}

static void check(struct trial *trial, uint64_t seed)
{
    struct op_lines expected = {0}, found = {0}, *raw = &trial->made.outputs[0];
    bool is_alone = trial->config.result != EVS_JOIN_GIVES_PAIRS;
    char what[64];
    snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
    op_lines_sort(raw);
    for (uint32_t i = 0; i < raw->count; i++) {
        UNIT_CHECK(i == 0 || strcmp(raw->lines[i], raw->lines[i - 1]) != 0, "%s: one identity twice: %s", what,
                   raw->lines[i]);
        op_lines_add(&found, plain(raw->lines[i], is_alone));
    }
    if (!is_alone) {
        expect_pairs(trial, &expected);
    }
    expect_alone(trial, 0, &expected);
    if (!is_alone) {
        expect_alone(trial, 1, &expected);
    }
    op_lines_sort(&expected);
    op_lines_sort(&found);
    op_lines_check(&found, &expected, what);
    UNIT_CHECK(trial->made.outputs[1].count == count_late(trial), "%s: late rows", what);
    UNIT_CHECK(op_case_counter(&trial->made, EVS_COUNT_LATE) == count_late(trial), "%s: late rows counted", what);
    UNIT_CHECK(op_case_counter(&trial->made, EVS_COUNT_LIMITED) == 0, "%s: limited", what);
    op_lines_clear(&expected);
    op_lines_clear(&found);
}

static void begin_types(void)
{
    for (uint32_t i = 0; i < 2 * COLUMNS; i++) { /* as kept: key, window_end, number of either side */
        typed[i] = (struct evs_field){"c", evs_type_of(i % COLUMNS == 1 ? EVS_TIMESTAMP : EVS_INT64), true};
    }
}

START_TEST(test_against_loops)
{
    begin_types();
    for (uint64_t seed = (uint64_t)_i * 1500; seed < (uint64_t)_i * 1500 + unit_cases(1500); seed++) {
        struct trial *trial = evs_alloc_zero(sizeof *trial);
        struct evs_arena arena = {0};
        trial->seed = seed;
        make_side(trial, 0);
        make_side(trial, 1);
        make_config(trial, &arena);
        begin_case(trial);
        run(trial);
        check(trial, seed);
        op_case_end(&trial->made);
        evs_arena_fini(&arena);
        evs_free(trial);
    }
}
END_TEST

/* --- a table kept from a stream ------------------------------------------------------------------------------------------------------------- */

/* The latest version at or before a row's time, by the order of the key; NULL: none counts. */
static const struct op_row *version_of(const struct trial *trial, const struct op_row *row, int64_t retain_us)
{
    const struct side *versions = &trial->sides[1];
    const struct op_row *best = NULL;
    for (uint32_t i = 0; i < versions->count; i++) {
        const struct op_row *version = &versions->rows[i];
        bool is_candidate = !is_late(trial, versions, i) && !version->values[KEY].is_null &&
                            !row->values[KEY].is_null && version->values[KEY].int64 == row->values[KEY].int64 &&
                            version->time_us <= row->time_us;
        best = is_candidate && (best == NULL || version->time_us >= best->time_us) ? version : best;
    }
    bool counts =
        best != NULL && !best->values[NUMBER].is_null && (retain_us < 0 || row->time_us < best->time_us + retain_us);
    return counts ? best : NULL;
}

static void check_versions(struct trial *trial, int64_t retain_us, uint64_t seed)
{
    struct op_lines expected = {0};
    const struct side *rows = &trial->sides[0];
    char what[64];
    snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct op_row *version = version_of(trial, &rows->rows[i], retain_us);
        if (!is_late(trial, rows, i) && (version != NULL || trial->pads[0])) {
            op_lines_add(&expected, line_of(rows->rows[i].time_us, rows->rows[i].cause, &rows->rows[i], version));
        }
    }
    op_lines_sort(&expected);
    op_lines_sort(&trial->made.outputs[0]);
    op_lines_check(&trial->made.outputs[0], &expected, what);
    UNIT_CHECK(op_case_counter(&trial->made, EVS_COUNT_LATE) == count_late(trial), "%s: late rows", what);
    op_lines_clear(&expected);
}

START_TEST(test_versions_against_loops)
{
    begin_types();
    for (uint64_t seed = (uint64_t)_i * 1500; seed < (uint64_t)_i * 1500 + unit_cases(1500); seed++) {
        struct trial *trial = evs_alloc_zero(sizeof *trial);
        struct evs_version_join_config config = {0};
        struct evs_arena arena = {0};
        static const uint32_t values[1] = {NUMBER};
        trial->seed = seed;
        make_side(trial, 0);
        make_side(trial, 1);
        for (uint32_t i = 0; i < trial->sides[1].count; i++) {
            trial->sides[1].rows[i].values[NUMBER] =
                below(trial, 5) == 0 ? null : trial->sides[1].rows[i].values[NUMBER];
        }
        make_config(trial, &arena);
        int64_t retain_us = below(trial, 3) == 0 ? -1 : 1 + (int64_t)below(trial, 20);
        trial->config.is_window = trial->config.is_empty = trial->config.late_output = trial->has_residual = false;
        trial->config.residual = NULL;
        trial->config.lateness_us = 0;
        trial->config.sides[0].key_count = trial->config.sides[1].key_count = 1;
        trial->config.sides[0].pads = trial->pads[0] = below(trial, 2) == 0;
        trial->config.sides[1].pads = trial->pads[1] = false;
        config = (struct evs_version_join_config){trial->config, values, 1};
        evs_version_bounds(&config, retain_us);
        trial->config.result = EVS_JOIN_GIVES_PAIRS; /* four columns */
        begin_case_of(trial, &evs_op_version_join, &config);
        run(trial);
        check_versions(trial, retain_us, seed);
        op_case_end(&trial->made);
        evs_arena_fini(&arena);
        evs_free(trial);
    }
}
END_TEST

/* --- large ---------------------------------------------------------------------------------------------------------------------------------- */

/* Many more pairs than one call may emit, and more than a limit allows. */
static void flood(uint32_t matches_max, int64_t *rows_out, int64_t *limited)
{
    struct trial *trial = evs_alloc_zero(sizeof *trial);
    struct op_row rows[100];
    begin_types();
    trial->config = (struct evs_join_config){.lower_us = -1000, .upper_us = 1000, .matches_max = matches_max};
    trial->config.pair_schema = (struct evs_schema){2 * COLUMNS, typed};
    trial->config.items = items;
    for (uint32_t i = 0; i < 2; i++) {
        trial->config.sides[i] = (struct evs_join_side){.columns = kept, .column_count = COLUMNS, .key_count = 1};
    }
    begin_case(trial);
    for (uint32_t round = 0; round < 12; round++) {
        for (uint32_t i = 0; i < 100; i++) {
            rows[i] = (struct op_row){.time_us = i, .watermark_us = EVS_TIME_MIN, .cause = {round, i}};
            rows[i].values[KEY] = number(7);
            rows[i].values[NUMBER] = number(i);
            rows[i].values[WINDOW_END] = (struct evs_value){.kind = EVS_TIMESTAMP, .int64 = 1000};
        }
        op_case_feed_input(&trial->made, round % 2, rows, 100);
    }
    op_case_watermark(&trial->made, EVS_TIME_MAX);
    *rows_out = trial->made.outputs[0].count;
    *limited = op_case_counter(&trial->made, EVS_COUNT_LIMITED);
    ck_assert_int_eq(op_case_counter(&trial->made, EVS_COUNT_STATE_KEYS), 0);
    op_case_end(&trial->made);
    evs_free(trial);
}

START_TEST(test_hot_key)
{
    int64_t rows, limited;
    flood(UINT32_MAX, &rows, &limited);
    ck_assert_int_eq(rows, 600 * 600);
    ck_assert_int_eq(limited, 0);
    flood(150, &rows, &limited);
    ck_assert_int_eq(rows + limited, 600 * 600);
    ck_assert_int_eq(rows, 2 * 100 * 100 + 9 * 100 * 150); /* two rounds meet 100 rows, the others 200 and more */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("join");
    TCase *tests = tcase_create("join");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_against_loops, 0, 6);
    tcase_add_loop_test(tests, test_versions_against_loops, 0, 2);
    tcase_add_test(tests, test_hot_key);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
