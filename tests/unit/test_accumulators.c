/* Every aggregate function against a plain reading of the rows, and against itself: fed in pieces of any size, in any order, merged from any parts,
 * stored and restored in the middle, moved to another arena, the result is the same. */
#include "accumulator_case.h"

/* --- the ways ------------------------------------------------------------------------------------------------------------------------------- */

static void shuffle(uint16_t *rows, uint32_t count, uint64_t *seed)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = (uint32_t)(unit_random(seed) % i);
        uint16_t kept = rows[i - 1];
        rows[i - 1] = rows[other];
        rows[other] = kept;
    }
}

static const char *in_order(const struct agg_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    struct case_group *group = case_group_new();
    case_feed(call, group, rows, count, seed);
    const char *result = case_result(call, group);
    case_group_free(group);
    return result;
}

static const char *shuffled(const struct agg_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    shuffle(rows, count, seed);
    return in_order(call, rows, count, seed);
}

static const char *merged(const struct agg_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    struct case_group *into = case_group_new();
    shuffle(rows, count, seed);
    for (uint32_t first = 0, part = 0; first < count || part < 2; part++) {
        uint32_t left = count - first, piece = left == 0 ? 0 : (uint32_t)(unit_random(seed) % left) + 1;
        struct case_group *from = case_group_new();
        case_feed(call, from, rows + first, piece, seed);
        const char *before = case_result(call, from);
        bool turn = unit_random(seed) % 2 == 0;
        case_merge(call, turn ? from : into, turn ? into : from);
        if (!turn) {
            ck_assert_str_eq(case_result(call, from), before); /* what is merged stays as it is */
        }
        case_group_free(turn ? into : from);
        into = turn ? from : into;
        first += piece;
    }
    const char *result = case_result(call, into);
    case_group_free(into);
    return result;
}

/* A first snapshot, changes, a second one with these alone; what comes out of both goes on. */
static const char *stored(const struct agg_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    struct case_group *group = case_group_new(), *copy = case_group_new();
    for (uint32_t first = 0, turn = 0; first < count || turn == 0; turn++) {
        uint32_t left = count - first, piece = left == 0 ? 0 : (uint32_t)(unit_random(seed) % left) + 1;
        case_feed(call, group, rows + first, piece, seed);
        case_store(call, group, copy, unit_random(seed) % 4 == 0);
        ck_assert_str_eq(case_result(call, copy), case_result(call, group));
        first += piece;
        if (unit_random(seed) % 2 == 0) { /* the restored one is the one that goes on, and is stored anew */
            struct case_group *kept = group;
            group = copy;
            copy = kept;
            case_group_free(copy);
            copy = case_group_new();
            case_store(call, group, copy, true);
        }
    }
    const char *result = case_result(call, copy);
    case_group_free(group);
    case_group_free(copy);
    return result;
}

static const char *moved(const struct agg_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    struct case_group *group = case_group_new();
    uint32_t half = count / 2;
    case_feed(call, group, rows, half, seed);
    case_move(call, group);
    case_feed(call, group, rows + half, count - half, seed);
    case_move(call, group);
    const char *result = case_result(call, group);
    case_group_free(group);
    return result;
}

static void check_rows(const struct case_call *call, uint16_t *rows, uint32_t count, uint64_t *seed)
{
    static const struct {
        const char *name;
        const char *(*run)(const struct agg_call *, uint16_t *, uint32_t, uint64_t *);
    } ways[] = {
        {"in order", in_order}, {"shuffled", shuffled}, {"merged", merged}, {"stored", stored}, {"moved", moved}};
    struct evs_aggregate_call config = case_config(call);
    struct agg_call under_test = evs_agg_call(&config, 0);
    const char *expected = case_read_plainly(call, rows, count);
    for (size_t i = 0; i < EVS_COUNT(ways); i++) {
        const char *result = ways[i].run(&under_test, rows, count, seed);
        UNIT_CHECK(strcmp(result, expected) == 0, "kind %d of column %d, %u rows %s: %s, and not %s", (int)call->kind,
                   (int)call->columns[0], count, ways[i].name, result, expected);
    }
    evs_agg_call_fini(&under_test);
}

/* No row, one row, few, many; rows that are chosen at random. */
static void check(const struct case_call *call)
{
    static const uint32_t counts_of_rows[] = {0, 1, 2, 3, 7, 20, 20, 60, 150, 400};
    static uint16_t rows[CASE_ROWS_MAX];
    uint64_t seed = (uint64_t)call->kind * 1000 + call->columns[0] * 10 + call->is_distinct;
    for (size_t i = 0; i < EVS_COUNT(counts_of_rows); i++) {
        for (uint32_t k = 0; k < CASE_ROWS_MAX; k++) {
            rows[k] = (uint16_t)k;
        }
        shuffle(rows, CASE_ROWS_MAX, &seed);
        check_rows(call, rows, counts_of_rows[i], &seed);
    }
}

/* --- cases -------------------------------------------------------------------------------------------------------------------------------- */

#define INT64_RESULT evs_type_of(EVS_INT64)
#define FLOAT64_RESULT evs_type_of(EVS_FLOAT64)

START_TEST(test_counts)
{
    check(&(struct case_call){.kind = EVS_AGG_COUNT_ROWS, .result = INT64_RESULT});
    for (enum case_column column = INTS; column < CASE_COLUMNS; column++) {
        if (column != ARRAYS) {
            check(&(struct case_call){.kind = EVS_AGG_COUNT, .columns = {column}, .count = 1, .result = INT64_RESULT});
            check(&(struct case_call){
                .kind = EVS_AGG_COUNT, .columns = {column}, .count = 1, .result = INT64_RESULT, .is_distinct = true});
            check(&(struct case_call){
                .kind = EVS_AGG_APPROX_COUNT_DISTINCT, .columns = {column}, .count = 1, .result = INT64_RESULT});
        }
    }
    check(&(struct case_call){.kind = EVS_AGG_COUNTIF, .columns = {STEP_1}, .count = 1, .result = INT64_RESULT});
}
END_TEST

START_TEST(test_sums)
{
    for (enum case_column column = INTS; column <= NUMERICS; column++) {
        const struct evs_type *type = case_type(column), *mean = column == NUMERICS ? type : FLOAT64_RESULT;
        for (int distinct = 0; distinct < 2; distinct++) {
            check(&(struct case_call){
                .kind = EVS_AGG_SUM, .columns = {column}, .count = 1, .result = type, .is_distinct = distinct});
            check(&(struct case_call){
                .kind = EVS_AGG_AVG, .columns = {column}, .count = 1, .result = mean, .is_distinct = distinct});
        }
    }
}
END_TEST

START_TEST(test_bits)
{
    check(&(struct case_call){.kind = EVS_AGG_BIT_AND, .columns = {INTS}, .count = 1, .result = INT64_RESULT});
    check(&(struct case_call){
        .kind = EVS_AGG_BIT_OR, .columns = {INTS}, .count = 1, .result = INT64_RESULT, .is_distinct = true});
    check(&(struct case_call){.kind = EVS_AGG_BIT_XOR, .columns = {INTS}, .count = 1, .result = INT64_RESULT});
    check(&(struct case_call){
        .kind = EVS_AGG_BIT_XOR, .columns = {INTS}, .count = 1, .result = INT64_RESULT, .is_distinct = true});
    check(&(struct case_call){
        .kind = EVS_AGG_LOGICAL_AND, .columns = {STEP_1}, .count = 1, .result = evs_type_of(EVS_BOOL)});
    check(&(struct case_call){
        .kind = EVS_AGG_LOGICAL_OR, .columns = {STEP_1}, .count = 1, .result = evs_type_of(EVS_BOOL)});
}
END_TEST

START_TEST(test_picks)
{
    for (enum case_column column = INTS; column < CASE_COLUMNS; column++) {
        const struct evs_type *type = case_type(column);
        if (column != ARRAYS && column != SPANS) { /* two spans may be equal and look different */
            check(&(struct case_call){.kind = EVS_AGG_MIN, .columns = {column}, .count = 1, .result = type});
            check(&(struct case_call){
                .kind = EVS_AGG_MAX, .columns = {column}, .count = 1, .result = type, .is_distinct = true});
        }
        for (int ignore = 0; ignore < 2; ignore++) {
            check(&(struct case_call){
                .kind = EVS_AGG_FIRST, .columns = {column}, .count = 1, .result = type, .ignore_nulls = ignore});
            check(&(struct case_call){
                .kind = EVS_AGG_LAST, .columns = {column}, .count = 1, .result = type, .ignore_nulls = ignore});
            check(&(struct case_call){
                .kind = EVS_AGG_ANY_VALUE, .columns = {column}, .count = 1, .result = type, .ignore_nulls = ignore});
            check(&(struct case_call){.kind = EVS_AGG_MIN_BY,
                                      .columns = {column, SPANS},
                                      .count = 2,
                                      .result = type,
                                      .ignore_nulls = ignore});
            check(&(struct case_call){.kind = EVS_AGG_MAX_BY,
                                      .columns = {column, WEIGHTS},
                                      .count = 2,
                                      .result = type,
                                      .ignore_nulls = ignore});
            check(&(struct case_call){.kind = EVS_AGG_MAX_BY,
                                      .columns = {column, TEXTS},
                                      .count = 2,
                                      .result = type,
                                      .ignore_nulls = ignore});
        }
    }
}
END_TEST

START_TEST(test_statistics)
{
    static const enum evs_aggregate_kind of_one[] = {EVS_AGG_VAR_POP, EVS_AGG_VAR_SAMP, EVS_AGG_STDDEV_POP,
                                                     EVS_AGG_STDDEV_SAMP};
    for (size_t i = 0; i < EVS_COUNT(of_one); i++) {
        for (enum case_column column = INTS; column <= NUMERICS; column++) {
            check(&(struct case_call){.kind = of_one[i], .columns = {column}, .count = 1, .result = FLOAT64_RESULT});
            check(&(struct case_call){
                .kind = of_one[i], .columns = {column}, .count = 1, .result = FLOAT64_RESULT, .is_distinct = true});
        }
    }
    for (enum case_column column = INTS; column <= NUMERICS; column++) {
        check(&(struct case_call){
            .kind = EVS_AGG_COVAR_POP, .columns = {column, WEIGHTS}, .count = 2, .result = FLOAT64_RESULT});
        check(&(struct case_call){
            .kind = EVS_AGG_COVAR_SAMP, .columns = {column, INTS}, .count = 2, .result = FLOAT64_RESULT});
    }
    check(&(struct case_call){.kind = EVS_AGG_CORR, .columns = {INTS, WEIGHTS}, .count = 2, .result = FLOAT64_RESULT});
}
END_TEST

START_TEST(test_lists)
{
    for (enum case_column column = INTS; column < CASE_COLUMNS; column++) {
        const struct evs_type *array = column == ARRAYS ? NULL : evs_type_array_of(case_type(column)->kind);
        for (int64_t limit = 0; array != NULL && limit < 12; limit += 5) {
            check(&(struct case_call){
                .kind = EVS_AGG_ARRAY_AGG, .columns = {column}, .count = 1, .result = array, .limit = limit});
            check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                      .columns = {column},
                                      .count = 1,
                                      .result = array,
                                      .ignore_nulls = true,
                                      .limit = limit});
            check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                      .columns = {column, WEIGHTS},
                                      .count = 2,
                                      .result = array,
                                      .order = ORDER_UP,
                                      .limit = limit});
            if (column != SPANS) {
                check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                          .columns = {column},
                                          .count = 1,
                                          .result = array,
                                          .is_distinct = true,
                                          .limit = limit});
                check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                          .columns = {column, column},
                                          .count = 2,
                                          .result = array,
                                          .is_distinct = true,
                                          .order = ORDER_DOWN,
                                          .nulls_last = true,
                                          .limit = limit});
            }
        }
        for (int down = 0; down < 2; down++) { /* every type as what is ordered by */
            if (column != ARRAYS) {
                check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                          .columns = {INTS, column},
                                          .count = 2,
                                          .result = evs_type_array_of(EVS_INT64),
                                          .order = down ? ORDER_DOWN : ORDER_UP,
                                          .nulls_last = down});
                check(&(struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                                          .columns = {INTS, column},
                                          .count = 2,
                                          .result = evs_type_array_of(EVS_INT64),
                                          .order = down ? ORDER_DOWN : ORDER_UP,
                                          .nulls_last = !down,
                                          .limit = 3});
            }
        }
    }
    check(&(struct case_call){
        .kind = EVS_AGG_ARRAY_CONCAT_AGG, .columns = {ARRAYS}, .count = 1, .result = evs_type_array_of(EVS_INT64)});
    check(&(struct case_call){.kind = EVS_AGG_ARRAY_CONCAT_AGG,
                              .columns = {ARRAYS, INTS},
                              .count = 2,
                              .result = evs_type_array_of(EVS_INT64),
                              .order = ORDER_DOWN,
                              .limit = 4});
}
END_TEST

START_TEST(test_strings)
{
    const struct evs_type *type = evs_type_of(EVS_STRING);
    check(&(struct case_call){
        .kind = EVS_AGG_STRING_AGG, .columns = {TEXTS}, .count = 1, .result = type, .delimiter = ","});
    check(&(struct case_call){
        .kind = EVS_AGG_STRING_AGG, .columns = {TEXTS}, .count = 1, .result = type, .delimiter = " and ", .limit = 3});
    check(&(struct case_call){.kind = EVS_AGG_STRING_AGG,
                              .columns = {TEXTS},
                              .count = 1,
                              .result = type,
                              .delimiter = "",
                              .is_distinct = true});
    check(&(struct case_call){.kind = EVS_AGG_STRING_AGG,
                              .columns = {TEXTS, TEXTS},
                              .count = 2,
                              .result = type,
                              .delimiter = ";",
                              .is_distinct = true,
                              .order = ORDER_UP,
                              .limit = 6});
    check(&(struct case_call){.kind = EVS_AGG_STRING_AGG,
                              .columns = {TEXTS, INTS},
                              .count = 2,
                              .result = type,
                              .delimiter = ";",
                              .order = ORDER_DOWN,
                              .nulls_last = true,
                              .limit = 6});
}
END_TEST

START_TEST(test_sketches_while_exact)
{
    static const enum case_column measurable[] = {INTS, FLOATS, NUMERICS, TIMES};
    for (size_t i = 0; i < EVS_COUNT(measurable); i++) {
        const struct evs_type *array = evs_type_array_of(case_type(measurable[i])->kind);
        check(&(struct case_call){
            .kind = EVS_AGG_APPROX_QUANTILES, .columns = {measurable[i]}, .count = 1, .result = array, .number = 2});
        check(&(struct case_call){
            .kind = EVS_AGG_APPROX_QUANTILES, .columns = {measurable[i]}, .count = 1, .result = array, .number = 7});
    }
    struct evs_arena arena = {0};
    struct evs_type_field fields[2] = {{"value", evs_type_of(EVS_STRING)}, {"count", evs_type_of(EVS_INT64)}};
    const struct evs_type *type = evs_type_array(&arena, evs_type_struct(&arena, fields, 2));
    check(&(struct case_call){
        .kind = EVS_AGG_APPROX_TOP_COUNT, .columns = {TEXTS}, .count = 1, .result = type, .number = 3});
    check(&(struct case_call){
        .kind = EVS_AGG_APPROX_TOP_SUM, .columns = {TEXTS, WEIGHTS}, .count = 2, .result = type, .number = 4});
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(test_funnels)
{
    for (int64_t within_us = 0; within_us < 60; within_us += within_us / 2 + 1) {
        check(&(struct case_call){.kind = EVS_AGG_WINDOW_FUNNEL,
                                  .columns = {STEP_1, STEP_2, STEP_3},
                                  .count = 3,
                                  .result = INT64_RESULT,
                                  .within_us = within_us});
        check(&(struct case_call){.kind = EVS_AGG_WINDOW_FUNNEL,
                                  .columns = {STEP_1, STEP_1, STEP_2, STEP_1},
                                  .count = 4,
                                  .result = INT64_RESULT,
                                  .within_us = within_us});
    }
    check(&(struct case_call){
        .kind = EVS_AGG_WINDOW_FUNNEL, .columns = {STEP_3}, .count = 1, .result = INT64_RESULT, .within_us = 10});
}
END_TEST

START_TEST(test_fading_sums)
{
    for (int64_t half_us = 1; half_us < 100000; half_us = half_us * 7 + 3) {
        for (enum case_column column = INTS; column <= NUMERICS; column++) {
            check(&(struct case_call){.kind = EVS_AGG_FADING_SUM,
                                      .columns = {column},
                                      .count = 1,
                                      .result = FLOAT64_RESULT,
                                      .within_us = half_us});
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("accumulators");
    TCase *tests = tcase_create("accumulators");
    tcase_add_checked_fixture(tests, case_setup, case_teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_counts);
    tcase_add_test(tests, test_sums);
    tcase_add_test(tests, test_bits);
    tcase_add_test(tests, test_picks);
    tcase_add_test(tests, test_statistics);
    tcase_add_test(tests, test_lists);
    tcase_add_test(tests, test_strings);
    tcase_add_test(tests, test_sketches_while_exact);
    tcase_add_test(tests, test_funnels);
    tcase_add_test(tests, test_fading_sums);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
