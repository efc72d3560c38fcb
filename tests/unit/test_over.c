/* over (…) against a model: the rows of each partition in order, split where it was silent for `retain`, each function read off its definition. Random cuts,
 * watermarks, snapshots and workers as in test_keyed.c. */
#include "keyed_world.h"
#include "op_over.h"

#define SEEDS unit_cases(4000)
#define CALLS 7

static const uint32_t key_column[1] = {WORLD_KEY}, number_column[1] = {WORLD_NUMBER};

struct life { /* rows of one partition between two silences, in order */
    const struct op_row *rows[WORLD_ROWS_MAX];
    uint32_t count;
};

static struct evs_value integer(bool is_null, int64_t number)
{
    return (struct evs_value){.kind = EVS_INT64, .is_null = is_null, .int64 = is_null ? 0 : number};
}

/* --- the functions, by their definitions ------------------------------------------------------------------------------------------- */

/* The frame of row `at`: [first, end). */
static void frame_of(const struct life *life, uint32_t at, const struct evs_over_call *call, uint32_t *first,
                     uint32_t *end)
{
    int64_t time_us = life->rows[at]->time_us;
    bool by_rows = call->frame == EVS_OVER_ROWS || call->frame == EVS_OVER_ALL_ROWS;
    *first = 0;
    *end = at + 1;
    while (!by_rows && *end < life->count && life->rows[*end]->time_us == time_us) {
        (*end)++;
    }
    if (call->frame == EVS_OVER_ROWS && at > call->preceding) {
        *first = at - (uint32_t)call->preceding;
    }
    while (call->frame == EVS_OVER_RANGE && life->rows[*first]->time_us < time_us - call->preceding) {
        (*first)++;
    }
}

static struct evs_value aggregate(const struct life *life, uint32_t at, const struct evs_over_call *call)
{
    uint32_t first, end;
    int64_t sum = 0, count = 0, least = INT64_MAX;
    frame_of(life, at, call, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        const struct evs_value *value = &life->rows[i]->values[WORLD_NUMBER];
        bool is_null = value->is_null;
        count += !is_null;
        sum += is_null ? 0 : value->int64;
        least = !is_null && value->int64 < least ? value->int64 : least;
    }
    switch (call->aggregate.kind) {
    case EVS_AGG_COUNT:
        return integer(false, count);
    case EVS_AGG_SUM:
        return integer(count == 0, sum);
    case EVS_AGG_MIN:
        return integer(count == 0, least);
    case EVS_AGG_FIRST:
        return life->rows[first]->values[call->aggregate.arguments[0]];
    default:
        ck_assert_int_eq(call->aggregate.kind, EVS_AGG_LAST);
        return life->rows[end - 1]->values[call->aggregate.arguments[0]];
    }
}

static struct evs_value nth_value(const struct life *life, uint32_t at, const struct evs_over_call *call)
{
    uint32_t first, end;
    int64_t left = call->number;
    frame_of(life, at, call, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        left -= !call->ignore_nulls || !life->rows[i]->values[WORLD_NUMBER].is_null;
        if (left == 0) {
            return life->rows[i]->values[WORLD_NUMBER];
        }
    }
    return integer(true, 0);
}

static struct evs_value rank(const struct life *life, uint32_t at, bool is_dense)
{
    int64_t before = 0, moments = 0;
    for (uint32_t i = 0; i < at && life->rows[i]->time_us < life->rows[at]->time_us; i++) {
        before++;
        moments += i == 0 || life->rows[i]->time_us != life->rows[i - 1]->time_us;
    }
    return integer(false, (is_dense ? moments : before) + 1);
}

static struct evs_value result(const struct life *life, uint32_t at, const struct evs_over_call *call)
{
    switch (call->kind) {
    case EVS_OVER_AGGREGATE:
        return aggregate(life, at, call);
    case EVS_OVER_NTH_VALUE:
        return nth_value(life, at, call);
    case EVS_OVER_LAG:
        return life->rows[at >= call->number ? at - (uint32_t)call->number : at]->values[WORLD_NUMBER];
    case EVS_OVER_ROW_NUMBER:
        return integer(false, at + 1);
    default:
        return rank(life, at, call->kind == EVS_OVER_DENSE_RANK);
    }
}

/* --- lives --------------------------------------------------------------------------------------------------------------------------- */

static void expect_life(const struct life *life, const struct evs_over_config *config, struct op_lines *lines)
{
    for (uint32_t at = 0; at < life->count; at++) {
        const struct op_row *row = life->rows[at];
        struct evs_value values[OP_CASE_COLUMNS_MAX];
        memcpy(values, row->values, WORLD_COLUMNS * sizeof *values);
        for (uint32_t i = 0; i < config->call_count; i++) {
            values[WORLD_COLUMNS + i] = result(life, at, &config->calls[i]);
        }
        op_lines_row(lines, row->time_us, row->cause, 0, values, WORLD_COLUMNS + config->call_count);
    }
}

static int by_order(const void *a, const void *b)
{
    return world_compare(a, b);
}

static void expect_over(struct world *world, const struct evs_over_config *config, struct op_lines *lines,
                        int64_t *late)
{
    struct op_row rows[WORLD_ROWS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->row_count; i++) {
        rows[count] = world->rows[i];
        count += world->rows[i].time_us >= world->rows[i].watermark_us;
    }
    *late = (int64_t)world->row_count - count;
    qsort(rows, count, sizeof *rows, by_order);
    for (int key = -1; key < 4; key++) {
        struct life life = {.count = 0};
        for (uint32_t i = 0; i < count; i++) {
            bool is_here = config->key_count == 0 ? key == -1 : world_key(&rows[i]) == key;
            if (!is_here) {
                continue;
            }
            int64_t silence_us = life.count == 0 ? 0 : rows[i].time_us - life.rows[life.count - 1]->time_us;
            if (config->retain_us >= 0 && silence_us >= config->retain_us) {
                expect_life(&life, config, lines);
                life.count = 0;
            }
            life.rows[life.count++] = &rows[i];
        }
        expect_life(&life, config, lines);
    }
}

/* --- cases ---------------------------------------------------------------------------------------------------------------------------- */

static struct evs_over_call call_of(enum evs_aggregate_kind kind, const uint32_t *column,
                                    const struct evs_type *const *type, enum evs_over_frame frame, int64_t preceding)
{
    struct evs_aggregate_call aggregate_call = {.kind = kind,
                                                .arguments = column,
                                                .types = type,
                                                .argument_count = 1,
                                                .condition = -1,
                                                .result_type = *type,
                                                .limit = -1,
                                                .bytes_max = 1 << 20,
                                                .text = "call"};
    return (struct evs_over_call){.kind = EVS_OVER_AGGREGATE,
                                  .frame = frame,
                                  .preceding = preceding,
                                  .aggregate = aggregate_call,
                                  .result_kind = (*type)->kind,
                                  .text = "call"};
}

static void make_calls(uint64_t seed, struct evs_over_call calls[CALLS])
{
    static const struct evs_type *number_type[1], *text_type[1];
    number_type[0] = evs_type_of(EVS_INT64);
    text_type[0] = evs_type_of(EVS_STRING);
    static const enum evs_aggregate_kind moving[5] = {EVS_AGG_COUNT, EVS_AGG_SUM, EVS_AGG_MIN, EVS_AGG_LAST,
                                                      EVS_AGG_FIRST};
    bool is_long = seed % 2 == 0; /* frames that are kept as sums, too */
    int64_t rows = (int64_t)(seed % (is_long ? 60 : 4)), range_us = (int64_t)(seed % (is_long ? 200 : 13));
    calls[0] = call_of(EVS_AGG_SUM, number_column, number_type, EVS_OVER_ALL, 0);
    calls[1] = call_of(EVS_AGG_SUM, number_column, number_type, EVS_OVER_ALL_ROWS, 0);
    calls[2] = call_of(moving[seed / 2 % 3], number_column, number_type, EVS_OVER_RANGE, range_us);
    calls[3] = call_of(moving[seed / 6 % 5], number_column, number_type, EVS_OVER_ROWS, rows);
    calls[4] = call_of(seed % 2 == 0 ? EVS_AGG_FIRST : EVS_AGG_LAST, key_column, text_type,
                       seed % 3 == 0 ? EVS_OVER_RANGE : EVS_OVER_ALL, range_us);
    calls[5] = (struct evs_over_call){.kind = EVS_OVER_LAG,
                                      .argument = WORLD_NUMBER,
                                      .fallback = WORLD_NUMBER,
                                      .number = 1 + (int64_t)(seed % 3),
                                      .result_kind = EVS_INT64};
    static const enum evs_over_kind numbers[3] = {EVS_OVER_ROW_NUMBER, EVS_OVER_RANK, EVS_OVER_DENSE_RANK};
    calls[6] = (struct evs_over_call){.kind = numbers[seed % 3], .result_kind = EVS_INT64};
    if (seed % 5 == 0) {
        calls[6] = (struct evs_over_call){.kind = EVS_OVER_NTH_VALUE,
                                          .frame = seed % 2 == 0 ? EVS_OVER_ROWS : EVS_OVER_RANGE,
                                          .preceding = 3,
                                          .argument = WORLD_NUMBER,
                                          .number = 1 + (int64_t)(seed % 2),
                                          .ignore_nulls = seed % 4 == 0,
                                          .result_kind = EVS_INT64};
    }
}

static void check_over(uint64_t seed)
{
    struct world world;
    struct op_lines expected = {0};
    struct evs_over_call calls[CALLS];
    int64_t late;
    world_make(&world, seed);
    make_calls(seed, calls);
    uint32_t first = (uint32_t)(seed / 7 % CALLS); /* some calls alone: without history, without accumulators */
    struct evs_over_config config = {.keys = key_column,
                                     .key_count = seed % 11 != 0,
                                     .calls = calls + first,
                                     .call_count = CALLS - first,
                                     .retain_us = seed % 6 == 0 ? -1 : 1 + (int64_t)(seed % 30)};
    for (uint32_t i = 0; i < config.call_count; i++) {
        world_add_output(&world);
    }
    world.made.operator_ = &evs_op_over;
    world.made.config = &config;
    world.made.keys = key_column;
    world.made.key_count = config.key_count;
    world_run(&world);
    expect_over(&world, &config, &expected, &late);
    world_check(&world, 0, &expected, false);
    ck_assert_int_eq(op_case_counter(&world.made, EVS_COUNT_LATE), late);
    if (config.retain_us >= 0) {
        ck_assert_int_eq(op_case_counter(&world.made, EVS_COUNT_STATE_KEYS), 0);
    }
    op_case_end(&world.made);
}

START_TEST(test_over)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_over(seed);
    }
}
END_TEST

/* Rows that many batches hold at one moment: the credit is used up in the middle, and they are peers all the same. */
START_TEST(test_many_peers)
{
    enum { ROWS = 6000 };
    static const struct evs_type *number_type[1];
    number_type[0] = evs_type_of(EVS_INT64);
    struct world world;
    struct op_row *rows = evs_alloc_zero(ROWS * sizeof *rows);
    world_make(&world, 1);
    struct evs_over_call call = call_of(EVS_AGG_COUNT, number_column, number_type, EVS_OVER_ALL, 0);
    struct evs_over_config config = {
        .keys = key_column, .key_count = 1, .calls = &call, .call_count = 1, .retain_us = 10};
    world_add_output(&world);
    world.made.has_identity = false;
    world.made.operator_ = &evs_op_over;
    world.made.config = &config;
    world.made.keys = key_column;
    world.made.key_count = 1;
    op_case_begin(&world.made, 1);
    for (uint32_t i = 0; i < ROWS; i++) {
        rows[i] = world.rows[0];
        rows[i].time_us = 100;
        rows[i].watermark_us = EVS_TIME_MIN;
        rows[i].cause = evs_cause_record(0, i + 1, 0);
        rows[i].values[WORLD_NUMBER] = integer(false, 1);
    }
    for (uint32_t i = 0; i < ROWS; i += 1000) {
        op_case_feed(&world.made, rows + i, 1000);
    }
    op_case_watermark(&world.made, 101);
    ck_assert_uint_eq(world.made.outputs[0].count, ROWS);
    for (uint32_t i = 0; i < ROWS; i++) {
        const char *line = world.made.outputs[0].lines[i];
        ck_assert_str_eq(line + strlen(line) - 5, " 6000");
    }
    evs_free(rows);
    op_case_end(&world.made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("over");
    TCase *tests = tcase_create("over");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_over);
    tcase_add_test(tests, test_many_peers);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
