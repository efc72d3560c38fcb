/* Windows and emission, thousands of small random cases against a model that keeps every row (window_model.h): every kind of window, every emission, ties,
 * late rows, NULL keys, negative times, odd sizes and offsets; with random batches, watermarks that lag, and snapshots restored on other numbers of
 * workers in the middle. What is found must be the same rows, whatever the cuts. */
#include "aggregate_call.h"
#include "window_model.h"

#define ROWS_MAX 120

static uint64_t seed;

static int64_t dice(int64_t least, int64_t most)
{
    return least + (int64_t)(unit_random(&seed) % (uint64_t)(most - least + 1));
}

/* --- a case ------------------------------------------------------------------------------------------------------------------------ */

static const uint32_t key_column[1] = {MODEL_KEY}, value_column[1] = {MODEL_VALUE};
static struct evs_aggregate_call calls[5];
static struct evs_aggregate_item items[MODEL_RESULTS + 3], group_items[3];
static struct evs_field input_fields[MODEL_COLUMNS], output_fields[MODEL_RESULTS + 3], group_fields[3];

static void set_field(struct evs_field *field, const char *name, enum evs_kind kind)
{
    *field = (struct evs_field){.name = name, .type = evs_type_of(kind), .nullable = true};
}

static void set_call(uint32_t number, enum evs_aggregate_kind kind, bool is_distinct)
{
    static const struct evs_type *types[1];
    types[0] = evs_type_of(EVS_INT64);
    calls[number] = (struct evs_aggregate_call){.kind = kind,
                                                .arguments = value_column,
                                                .types = types,
                                                .argument_count = kind != EVS_AGG_COUNT_ROWS,
                                                .condition = -1,
                                                .result_type = evs_type_of(EVS_INT64),
                                                .is_distinct = is_distinct,
                                                .limit = -1,
                                                .bytes_max = 1 << 20,
                                                .text = "call"};
}

static void set_items(struct evs_aggregate_config *config)
{
    static const int what[] = {EVS_ITEM_KEY,      EVS_ITEM_WINDOW_START, EVS_ITEM_WINDOW_END, EVS_ITEM_CALL,
                               EVS_ITEM_CALL,     EVS_ITEM_CALL,         EVS_ITEM_CALL,       EVS_ITEM_CALL,
                               EVS_ITEM_REVISION, EVS_ITEM_FINAL};
    uint32_t count = MODEL_RESULTS + (evs_aggregate_is_update(config) ? 2 : 0);
    for (uint32_t i = 0; i < count; i++) {
        items[i].what = what[i];
        items[i].index = what[i] == EVS_ITEM_CALL ? i - 3 : 0;
        enum evs_kind kind = i == 9 ? EVS_BOOL : i == 1 || i == 2 ? EVS_TIMESTAMP : EVS_INT64;
        set_field(&output_fields[i], "column", kind);
    }
    for (uint32_t i = 0; i < 3; i++) {
        group_items[i] = items[i];
        group_fields[i] = output_fields[i];
    }
    config->items = items;
    config->item_count = count;
    config->group_items = group_items;
    config->group_schema = (struct evs_schema){3, group_fields};
}

static void draw_window(struct evs_window *window)
{
    *window = (struct evs_window){.kind = (enum evs_window_kind)dice(EVS_WINDOW_NONE, EVS_WINDOW_COLUMNS)};
    window->size_us = dice(1, 12);
    window->slide_us = window->size_us;
    switch (window->kind) {
    case EVS_WINDOW_HOP:
        window->slide_us = dice(1, window->size_us);
        break;
    case EVS_WINDOW_CUMULATE:
        window->pane_us = dice(1, 4);
        window->size_us = window->slide_us = window->pane_us * dice(1, 4);
        break;
    case EVS_WINDOW_SESSION:
        window->gap_us = dice(1, 8);
        window->max_us = dice(0, 1) == 0 ? 0 : window->gap_us + dice(0, 12);
        break;
    case EVS_WINDOW_COLUMNS:
        window->start_column = MODEL_START;
        window->end_column = MODEL_END;
        break;
    default:
        break;
    }
    window->offset_us = dice(0, window->slide_us - 1);
    if (window->kind == EVS_WINDOW_HOP || window->kind == EVS_WINDOW_TUMBLE) {
        evs_window_set_panes(window);
    }
}

static void draw_config(struct evs_aggregate_config *config)
{
    *config = (struct evs_aggregate_config){.keys = key_column,
                                            .key_count = 1,
                                            .calls = calls,
                                            .late_output = true,
                                            .late_columns = MODEL_COLUMNS,
                                            .retain_us = -1,
                                            .file = "case"};
    draw_window(&config->window);
    bool is_windowed = config->window.kind != EVS_WINDOW_NONE;
    config->emit = (enum evs_emit_kind)dice(is_windowed ? EVS_EMIT_ON_CLOSE : EVS_EMIT_ON_CHANGE, EVS_EMIT_EVERY);
    config->every_us = config->emit == EVS_EMIT_EVERY ? dice(1, 9) : 0;
    config->lateness_us = is_windowed && dice(0, 2) == 0 ? dice(1, 20) : 0;
    if (!is_windowed) {
        config->retain_us = dice(0, 3) == 0 ? -1 : dice(1, 25);
    }
    config->call_count = 5;
    set_call(0, EVS_AGG_COUNT_ROWS, false);
    set_call(1, EVS_AGG_SUM, false);
    set_call(2, EVS_AGG_MAX, false);
    set_call(3, EVS_AGG_LAST, false);
    set_call(4, EVS_AGG_COUNT, true);
    if (dice(0, 1) == 0) { /* without a function that keeps many values, other code runs */
        set_call(4, EVS_AGG_COUNT_ROWS, false);
    }
    set_items(config);
    if (evs_aggregate_is_update(config) && config->window.kind == EVS_WINDOW_SESSION) {
        items[config->item_count].what = EVS_ITEM_REPLACES;
        output_fields[config->item_count++] = (struct evs_field){"column", evs_type_array_of(EVS_TIMESTAMP), false};
    }
}

/* Rows of one partition or of several; each has the watermark of its partition before it. `least_us[n]`: the operator's at most, after n rows. */
static void draw_rows(struct op_row *rows, uint32_t count, uint32_t partitions, const struct evs_window *window,
                      int64_t *least_us)
{
    int64_t watermarks[3] = {EVS_TIME_MIN, EVS_TIME_MIN, EVS_TIME_MIN}, now = dice(-40, 10), delay = dice(0, 6);
    int64_t keys = dice(0, 3), jitter = dice(0, 25), step = dice(1, 6);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t partition = (uint32_t)dice(0, partitions - 1);
        now += dice(0, 2) == 0 ? dice(0, step) : 0;
        now += dice(0, 40) == 0 ? 60 : 0;
        struct op_row *row = &rows[i];
        *row = (struct op_row){.time_us = now - (dice(0, 2) == 0 ? dice(0, jitter) : 0),
                               .watermark_us = watermarks[partition],
                               .cause = {partition, i}};
        int64_t size = dice(1, 8), key = dice(-1, keys);
        row->values[MODEL_KEY] = (struct evs_value){.kind = EVS_INT64, .is_null = key < 0, .int64 = key};
        row->values[MODEL_VALUE] =
            (struct evs_value){.kind = EVS_INT64, .is_null = dice(0, 5) == 0, .int64 = dice(-3, 3)};
        int64_t start = evs_floor_to(row->time_us, 0, size);
        row->values[MODEL_START] = (struct evs_value){.kind = EVS_TIMESTAMP, .int64 = start};
        row->values[MODEL_END] = (struct evs_value){.kind = EVS_TIMESTAMP, .int64 = start + size};
        int64_t own = row->time_us - delay;
        watermarks[partition] = own > watermarks[partition] ? own : watermarks[partition];
        least_us[i] = INT64_MAX;
        for (uint32_t p = 0; p < partitions; p++) {
            least_us[i] = watermarks[p] < least_us[i] ? watermarks[p] : least_us[i];
        }
    }
    (void)window;
}

/* --- driving ------------------------------------------------------------------------------------------------------------------------- */

/* The model shows an array of starts by its length. Encoded, that is the second byte; a line ends its text at the first zero byte. */
static void count_replaced(struct op_lines *lines)
{
    for (uint32_t i = 0; i < lines->count; i++) {
        char *at = strrchr(lines->lines[i], '|');
        char *quote = strchr(at, '\'');
        if (quote != NULL) {
            uint32_t count = quote[2] == '\'' ? 0 : (uint8_t)quote[2];
            quote[0] = (char)('0' + count % 10); /* two at most */
            quote[1] = '\0';
        }
    }
}

static void feed(struct op_case *made, const struct op_row *rows, uint32_t count, const int64_t *least_us, bool lags)
{
    for (uint32_t first = 0; first < count;) {
        uint32_t size = (uint32_t)dice(1, dice(0, 3) == 0 ? 40 : 4);
        size = size < count - first ? size : count - first;
        op_case_feed(made, rows + first, size);
        first += size;
        if (!lags || dice(0, 2) > 0) {
            op_case_watermark(made, least_us[first - 1]);
        }
        if (dice(0, 7) == 0) {
            op_case_cut(made, (uint32_t)dice(1, OP_CASE_WORKERS_MAX), dice(0, 3) == 0);
        }
    }
    op_case_watermark(made, INT64_MAX - 1);
}

/* --- looking at one case --------------------------------------------------------------------------------------------------------- */

static void show_rows(const struct op_row *rows, uint32_t count, const char *what)
{
    printf("%s\n", what);
    for (uint32_t i = 0; i < count; i++) {
        bool is_first = rows[i].watermark_us == EVS_TIME_MIN;
        printf("row %u: time %lld, watermark %lld, key %lld, value %lld, partition %llu\n", i,
               (long long)rows[i].time_us, is_first ? -999 : (long long)rows[i].watermark_us,
               rows[i].values[MODEL_KEY].is_null ? -1 : (long long)rows[i].values[MODEL_KEY].int64,
               (long long)rows[i].values[MODEL_VALUE].int64, (unsigned long long)rows[i].cause.major);
    }
    fflush(stdout);
}

/* What only one of the two has. */
static void show_differences(const struct op_lines *found, const struct op_lines *expected)
{
    for (uint32_t i = 0, k = 0; i < found->count || k < expected->count;) {
        int order = i == found->count ? 1 : k == expected->count ? -1 : strcmp(found->lines[i], expected->lines[k]);
        if (order != 0) {
            printf("%s %s\n", order < 0 ? "found   " : "expected", order < 0 ? found->lines[i] : expected->lines[k]);
        }
        i += order <= 0;
        k += order >= 0;
    }
    fflush(stdout);
}

static void check_case(uint64_t number)
{
    struct evs_aggregate_config config;
    struct op_row rows[ROWS_MAX];
    int64_t least_us[ROWS_MAX];
    char what[200];
    seed = number * 2654435761u + 17;
    draw_config(&config);
    uint32_t count = (uint32_t)dice(1, dice(0, 3) == 0 ? ROWS_MAX : 25);
    bool is_session = config.window.kind == EVS_WINDOW_SESSION;
    bool shows_order = config.emit == EVS_EMIT_ON_CHANGE || /* of rows of one moment: there is one partition then */
                       (config.lateness_us > 0 && config.emit == EVS_EMIT_ON_CLOSE && !is_session);
    draw_rows(rows, count, shows_order ? 1 : (uint32_t)dice(1, 3), &config.window, least_us);
    set_field(&input_fields[MODEL_KEY], "key", EVS_INT64);
    set_field(&input_fields[MODEL_VALUE], "value", EVS_INT64);
    set_field(&input_fields[MODEL_START], "start", EVS_TIMESTAMP);
    set_field(&input_fields[MODEL_END], "end", EVS_TIMESTAMP);
    struct window_model model = {.config = &config, .rows = rows, .row_count = count};
    window_model_run(&model);
    struct op_case made = {.operator_ = evs_aggregate_operator(config.window.kind, config.emit, config.lateness_us),
                           .config = &config,
                           .input = {MODEL_COLUMNS, input_fields},
                           .output = {config.item_count, output_fields},
                           .keys = key_column,
                           .key_count = 1,
                           .seed = &seed};
    snprintf(what, sizeof what,
             "case %llu: window %d of %lld slide %lld offset %lld gap %lld max %lld, emit %d every %lld, lateness "
             "%lld, retain %lld",
             (unsigned long long)number, (int)config.window.kind, (long long)config.window.size_us,
             (long long)config.window.slide_us, (long long)config.window.offset_us, (long long)config.window.gap_us,
             (long long)config.window.max_us, (int)config.emit, (long long)config.every_us,
             (long long)config.lateness_us, (long long)config.retain_us);
    if (getenv("WINDOW_CASE") != NULL) {
        show_rows(rows, count, what);
    }
    op_case_begin(&made, (uint32_t)dice(1, OP_CASE_WORKERS_MAX));
    feed(&made, rows, count, least_us, dice(0, 1) == 0);
    count_replaced(&made.outputs[0]);
    op_lines_sort(&made.outputs[0]);
    op_lines_sort(&made.outputs[1]);
    op_lines_sort(&model.results);
    op_lines_sort(&model.late);
    if (getenv("WINDOW_CASE") != NULL) {
        show_differences(&made.outputs[0], &model.results);
    }
    op_lines_check(&made.outputs[0], &model.results, what);
    op_lines_check(&made.outputs[1], &model.late, what);
    ck_assert_int_eq(op_case_counter(&made, EVS_COUNT_LATE), model.late.count);
    ck_assert_int_eq(op_case_counter(&made, EVS_COUNT_LATE_WINDOWS), model.late_windows);
    bool keeps = config.window.kind == EVS_WINDOW_NONE && config.retain_us < 0;
    ck_assert(keeps || op_case_counter(&made, EVS_COUNT_STATE_KEYS) == 0);
    op_case_end(&made);
    window_model_fini(&model);
}

#define CASES 6000

START_TEST(test_cases)
{
    const char *one = getenv("WINDOW_CASE"); /* a failing one, to look at */
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : (uint64_t)_i * (CASES / 10);
    for (uint64_t i = first; i < (one != NULL ? first + 1 : first + unit_cases(CASES / 10)); i++) {
        check_case(i);
    }
}
END_TEST

/* --- calendars ------------------------------------------------------------------------------------------------------------------- */

#define HOUR_US INT64_C(3600000000)

static struct evs_window draw_calendar(void)
{
    static const char *const names[] = {"Europe/Berlin", "America/Havana", "Asia/Kathmandu", "Pacific/Apia",
                                        "Australia/Lord_Howe"};
    static const int64_t lengths[] = {HOUR_US / 2, HOUR_US, 6 * HOUR_US, 24 * HOUR_US, 7 * 24 * HOUR_US};
    const char *name = names[dice(0, 4)];
    struct evs_window window = {.kind = (enum evs_window_kind)dice(EVS_WINDOW_TUMBLE, EVS_WINDOW_CUMULATE),
                                .is_calendar = true};
    ck_assert(evs_zone_load(name, strlen(name), &window.zone));
    int32_t months = (int32_t)dice(0, 2);
    int64_t slide_at = dice(0, 4);
    window.slide = (struct evs_period){.months = months, .us = months > 0 ? 0 : lengths[slide_at]};
    window.size = (struct evs_interval){.months = months * (int32_t)dice(1, 3),
                                        .us = months > 0 ? 0 : lengths[dice(slide_at, 4)]};
    if (window.kind == EVS_WINDOW_CUMULATE) {
        window.pane = (struct evs_period){.us = months > 0 || slide_at > 2 ? 6 * HOUR_US : HOUR_US / 2};
    } else {
        evs_window_set_panes(&window);
    }
    return window;
}

/* The windows of a moment, one after the other in both directions, hold it, and begin and end with panes. */
START_TEST(test_calendars)
{
    seed = 99;
    for (uint32_t i = 0; i < 4000; i++) {
        struct evs_window window = draw_calendar();
        int64_t time_us = dice(-20 * 8766, 60 * 8766) * HOUR_US + dice(0, HOUR_US);
        struct evs_span spans[512], span;
        uint32_t count = 0;
        for (bool in = evs_window_last(&window, time_us, &span); in; in = evs_window_before(&window, time_us, &span)) {
            ck_assert(span.start_us <= time_us && time_us < span.end_us);
            ck_assert_int_eq(evs_window_pane(&window, span.start_us), span.start_us);
            ck_assert_int_eq(evs_window_pane(&window, span.end_us), span.end_us);
            ck_assert(count == 0 || span.end_us <= spans[count - 1].end_us);
            ck_assert_uint_lt(count, 512);
            spans[count++] = span;
        }
        ck_assert_uint_ge(count, 1);
        if (window.kind == EVS_WINDOW_TUMBLE) {
            ck_assert_uint_eq(count, 1);
            ck_assert_int_eq(evs_window_tumble(&window, spans[0].end_us).start_us, spans[0].end_us);
            continue;
        }
        span = evs_window_first(&window, time_us);
        for (uint32_t k = count; k-- > 0; span = evs_window_next(&window, span)) {
            ck_assert_int_eq(span.start_us, spans[k].start_us);
            ck_assert_int_eq(span.end_us, spans[k].end_us);
        }
        ck_assert_int_gt(span.start_us, time_us);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("windows");
    TCase *tests = tcase_create("windows");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_calendars);
    tcase_add_loop_test(tests, test_cases, 0, 10);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
