/* Sketches on known distributions, in their stated errors and whatever the order; what a group may keep; numbers that are hard to sum; damaged
 * parts. */
#include <math.h>

#include "accumulator_case.h"

#define VALUES_MAX 200000

static struct case_group *group;
static struct agg_call call;
static struct evs_aggregate_call config;

static void begin(struct case_call of)
{
    config = case_config(&of);
    call = evs_agg_call(&config, 0);
    group = case_group_new();
}

static void end(void)
{
    case_group_free(group);
    evs_agg_call_fini(&call);
}

/* One value of a float64 or int64 column, many times over: the batch's columns are overwritten. */
static void feed_values(const double *values, uint32_t count, struct case_group *into)
{
    static uint16_t rows[CASE_ROWS_MAX];
    uint64_t seed = 3;
    case_batch->columns[FLOATS].valid = case_batch->columns[INTS].valid = NULL;
    for (uint32_t first = 0; first < count; first += CASE_ROWS_MAX) {
        uint32_t piece = count - first < CASE_ROWS_MAX ? count - first : CASE_ROWS_MAX;
        for (uint32_t i = 0; i < piece; i++) {
            ((double *)case_batch->columns[FLOATS].data)[i] = values[first + i];
            ((int64_t *)case_batch->columns[INTS].data)[i] = (int64_t)values[first + i];
            rows[i] = (uint16_t)i;
        }
        case_feed(&call, into, rows, piece, &seed);
    }
}

static struct evs_value result_of(const struct case_group *of)
{
    struct evs_value value;
    ck_assert_int_eq(evs_agg_result(&call, (const uint8_t *)of->words, case_batch->arena, &value), EVS_AGG_FITS);
    return value;
}

static double uniform(uint64_t *seed)
{
    return (double)(unit_random(seed) >> 11) * 0x1p-53;
}

/* --- approx_count_distinct ------------------------------------------------------------------------------------------------------------------ */

/* 100 sets of each size: the errors are what a standard error of 0.81 % makes of them (up to 5 of them, and the mean near zero). */
START_TEST(test_count_distinct)
{
    static const uint32_t sizes[] = {513, 600, 2000, 10000, 40000};
    static double values[40000];
    for (size_t s = 0; s < EVS_COUNT(sizes); s++) {
        double sum = 0, worst = 0;
        uint32_t rounds = sizes[s] > 5000 ? 20 : 100;
        for (uint32_t round = 0; round < rounds; round++) {
            begin((struct case_call){.kind = EVS_AGG_APPROX_COUNT_DISTINCT,
                                     .columns = {INTS},
                                     .count = 1,
                                     .result = evs_type_of(EVS_INT64)});
            for (uint32_t i = 0; i < sizes[s]; i++) {
                values[i] = (double)round * 1e6 + i;
            }
            feed_values(values, sizes[s], group);
            double error = (double)result_of(group).int64 / sizes[s] - 1;
            sum += error;
            worst = fabs(error) > worst ? fabs(error) : worst;
            end();
        }
        UNIT_CHECK(worst < 5 * 0.0081 && fabs(sum / rounds) < 4 * 0.0081 / sqrt(rounds), "%u: mean %g, worst %g",
                   sizes[s], sum / rounds, worst);
    }
}
END_TEST

/* Up to 512 values it counts; and registers that were merged, stored and fed twice are those of one pass. */
START_TEST(test_count_distinct_forms)
{
    static double values[3000];
    for (uint32_t i = 0; i < EVS_COUNT(values); i++) {
        values[i] = i;
    }
    begin((struct case_call){
        .kind = EVS_AGG_APPROX_COUNT_DISTINCT, .columns = {INTS}, .count = 1, .result = evs_type_of(EVS_INT64)});
    feed_values(values, 512, group);
    feed_values(values, 512, group);
    ck_assert_int_eq(result_of(group).int64, 512);
    struct case_group *other = case_group_new(), *copy = case_group_new();
    case_store(&call, group, copy, false);
    feed_values(values + 300, 2000, other);
    case_merge(&call, group, other);
    feed_values(values + 2000, 1000, group);
    case_store(&call, group, copy, false); /* the set in the copy makes room for registers */
    feed_values(values, 3000, other);
    ck_assert_int_eq(result_of(group).int64, result_of(other).int64);
    ck_assert_int_eq(result_of(copy).int64, result_of(other).int64);
    case_merge(&call, copy, group); /* nothing new */
    ck_assert_int_eq(result_of(copy).int64, result_of(other).int64);
    case_group_free(other);
    case_group_free(copy);
    end();
}
END_TEST

/* --- approx_quantiles ------------------------------------------------------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check_quantiles(const char *name, double *values, uint32_t count, double error_max)
{
    begin((struct case_call){.kind = EVS_AGG_APPROX_QUANTILES,
                             .columns = {FLOATS},
                             .count = 1,
                             .result = evs_type_array_of(EVS_FLOAT64),
                             .number = 100});
    struct case_group *parts = case_group_new(), *copy = case_group_new();
    feed_values(values, count, group);
    case_store(&call, group, copy, false);
    const char *in_order = case_result(&call, group);
    ck_assert_str_eq(case_result(&call, copy), in_order);
    qsort(values, count, sizeof *values, compare_doubles);
    feed_values(values + count / 3, count - count / 3, parts); /* another order, and another grouping */
    struct case_group *rest = case_group_new();
    feed_values(values, count / 3, rest);
    case_merge(&call, rest, parts);
    ck_assert_str_eq(case_result(&call, rest), in_order);
    struct evs_value result = result_of(group);
    struct evs_nested quantiles = evs_nested_open(&result.str);
    ck_assert_uint_eq(quantiles.count, 101);
    for (uint32_t i = 0; i <= 100; i++) {
        uint32_t rank = (uint32_t)(((uint64_t)i * count + 99) / 100);
        double truth = values[rank == 0 ? 0 : rank - 1], found = evs_nested_at(&quantiles, i).float64;
        UNIT_CHECK(fabs(found - truth) <= fabs(truth) * error_max, "%s, quantile %u: %.9g, and not %.9g", name, i,
                   found, truth);
        UNIT_CHECK((i != 0 && i != 100) || found == truth, "%s: the ends are exact", name);
    }
    case_group_free(parts);
    case_group_free(rest);
    case_group_free(copy);
    end();
}

START_TEST(test_quantiles)
{
    static double values[VALUES_MAX];
    uint64_t seed = 9;
    for (uint32_t i = 0; i < VALUES_MAX; i++) {
        values[i] = 1 + uniform(&seed) * 255;
    }
    check_quantiles("within a factor of 256", values, VALUES_MAX, 0.002);
    for (uint32_t i = 0; i < VALUES_MAX; i++) {
        values[i] = exp(uniform(&seed) * 22); /* 1 … 3.6e9, evenly in the logarithm */
    }
    check_quantiles("within a factor of 4 billion", values, VALUES_MAX, 0.008);
    for (uint32_t i = 0; i < VALUES_MAX; i++) {
        values[i] = (uniform(&seed) < 0.5 ? -1 : 1) * exp(uniform(&seed) * 11);
    }
    check_quantiles("on both sides of zero", values, VALUES_MAX, 0.008);
    for (uint32_t i = 0; i < 2048; i++) {
        values[i] = ldexp(uniform(&seed), (int)(unit_random(&seed) % 600) - 300);
    }
    check_quantiles("2048 of any size", values, 2048, 0);
}
END_TEST

START_TEST(test_quantiles_of_ints_and_times)
{
    static double values[VALUES_MAX];
    for (uint32_t i = 0; i < VALUES_MAX; i++) {
        values[i] = (double)i + 1;
    }
    begin((struct case_call){.kind = EVS_AGG_APPROX_QUANTILES,
                             .columns = {INTS},
                             .count = 1,
                             .result = evs_type_array_of(EVS_INT64),
                             .number = 4});
    feed_values(values, VALUES_MAX, group);
    struct evs_value result = result_of(group);
    struct evs_nested quartiles = evs_nested_open(&result.str);
    for (uint32_t i = 0; i <= 4; i++) {
        double truth = i == 0 ? 1 : i * (VALUES_MAX / 4.0);
        UNIT_CHECK(fabs((double)evs_nested_at(&quartiles, i).int64 / truth - 1) <= 0.008, "quartile %u", i);
    }
    end();
    begin((struct case_call){.kind = EVS_AGG_APPROX_QUANTILES,
                             .columns = {TIMES},
                             .count = 1,
                             .result = evs_type_array_of(EVS_TIMESTAMP),
                             .number = 2});
    static uint16_t rows[CASE_ROWS_MAX];
    uint64_t seed = 1;
    int64_t start_us = INT64_C(1767600000000000), day_us = INT64_C(86400000000);
    case_batch->columns[TIMES].valid = NULL;
    for (uint32_t k = 0; k < 100; k++) { /* a day, a row each 864 ms */
        for (uint32_t i = 0; i < CASE_ROWS_MAX; i++) {
            ((int64_t *)case_batch->columns[TIMES].data)[i] =
                start_us + (int64_t)(k * CASE_ROWS_MAX + i) * (day_us / 100000);
            rows[i] = (uint16_t)i;
        }
        case_feed(&call, group, rows, CASE_ROWS_MAX, &seed);
    }
    result = result_of(group);
    struct evs_nested halves = evs_nested_open(&result.str);
    ck_assert_int_eq(evs_nested_at(&halves, 0).int64, start_us);
    ck_assert_int_eq(evs_nested_at(&halves, 2).int64, start_us + day_us - day_us / 100000);
    ck_assert_int_le(llabs(evs_nested_at(&halves, 1).int64 - start_us - day_us / 2), day_us / 1000);
    end();
}
END_TEST

/* --- approx_top_count ------------------------------------------------------------------------------------------------------------------------- */

/* Zipf's law over 50,000 values: the heaviest are found, nothing is too light, and nothing too heavy by more than a thousandth of the rows. */
START_TEST(test_top_count)
{
    static double values[VALUES_MAX];
    static uint32_t truth[50000];
    struct evs_arena arena = {0};
    struct evs_type_field fields[2] = {{"value", evs_type_of(EVS_INT64)}, {"count", evs_type_of(EVS_INT64)}};
    uint64_t seed = 77;
    for (uint32_t i = 0; i < VALUES_MAX; i++) {
        uint32_t value = (uint32_t)exp(uniform(&seed) * log(50000)) - 1; /* the k-th value has a share of about 1 / k */
        values[i] = value;
        truth[value]++;
    }
    begin((struct case_call){.kind = EVS_AGG_APPROX_TOP_COUNT,
                             .columns = {INTS},
                             .count = 1,
                             .result = evs_type_array(&arena, evs_type_struct(&arena, fields, 2)),
                             .number = 20});
    struct case_group *other = case_group_new();
    feed_values(values, VALUES_MAX / 2, group);
    feed_values(values + VALUES_MAX / 2, VALUES_MAX / 2, other);
    case_merge(&call, group, other);
    struct evs_value result = result_of(group);
    struct evs_nested top = evs_nested_open(&result.str);
    ck_assert_uint_eq(top.count, 20);
    bool is_there[50000] = {false};
    for (uint32_t i = 0; i < top.count; i++) {
        struct evs_value item = evs_nested_at(&top, i);
        struct evs_nested pair = evs_nested_open(&item.str);
        uint32_t value = (uint32_t)evs_nested_at(&pair, 0).int64, count = (uint32_t)evs_nested_at(&pair, 1).int64;
        ck_assert_uint_ge(count, truth[value]);
        ck_assert_uint_le(count, truth[value] + VALUES_MAX / 1000);
        is_there[value] = true;
    }
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < EVS_COUNT(truth); i++) {
        least = is_there[i] && truth[i] < least ? truth[i] : least;
    }
    for (uint32_t i = 0; i < EVS_COUNT(truth); i++) {
        UNIT_CHECK(is_there[i] || truth[i] <= least + VALUES_MAX / 1000, "%u with %u is missed", i, truth[i]);
    }
    case_group_free(other);
    end();
    evs_arena_fini(&arena);
}
END_TEST

/* --- hard numbers ----------------------------------------------------------------------------------------------------------------------------- */

/* Small distances far from zero: a sum of squares would have no right digit. Parts in any order give the same last bit. */
START_TEST(test_variance_far_from_zero)
{
    static double values[10000];
    for (uint32_t i = 0; i < EVS_COUNT(values); i++) {
        values[i] = 1e9 + (i % 3);
    }
    begin((struct case_call){
        .kind = EVS_AGG_VAR_POP, .columns = {FLOATS}, .count = 1, .result = evs_type_of(EVS_FLOAT64)});
    struct case_group *parts[3] = {case_group_new(), case_group_new(), case_group_new()};
    feed_values(values, 9999, group);
    feed_values(values + 5000, 4999, parts[0]);
    feed_values(values + 17, 4983, parts[1]);
    feed_values(values, 17, parts[2]);
    case_merge(&call, parts[1], parts[0]);
    case_merge(&call, parts[2], parts[1]);
    double whole = result_of(group).float64, merged = result_of(parts[2]).float64;
    ck_assert(whole == 2.0 / 3 && merged == whole);
    for (int i = 0; i < 3; i++) {
        case_group_free(parts[i]);
    }
    end();
}
END_TEST

START_TEST(test_not_finite)
{
    static const enum evs_aggregate_kind kinds[] = {EVS_AGG_VAR_POP, EVS_AGG_STDDEV_SAMP, EVS_AGG_SUM, EVS_AGG_MIN};
    static const double values[3] = {1, (double)NAN, 3}, infinite[3] = {1, (double)INFINITY, 3};
    for (size_t i = 0; i < EVS_COUNT(kinds); i++) {
        for (int is_nan = 0; is_nan < 2; is_nan++) {
            begin((struct case_call){
                .kind = kinds[i], .columns = {FLOATS}, .count = 1, .result = evs_type_of(EVS_FLOAT64)});
            feed_values(is_nan ? values : infinite, 3, group);
            double result = result_of(group).float64;
            bool is_spread = kinds[i] == EVS_AGG_VAR_POP || kinds[i] == EVS_AGG_STDDEV_SAMP;
            ck_assert(is_nan || is_spread ? isnan(result) : kinds[i] == EVS_AGG_MIN ? result == 1 : isinf(result));
            end();
        }
    }
    begin((struct case_call){
        .kind = EVS_AGG_COUNT, .columns = {FLOATS}, .count = 1, .result = evs_type_of(EVS_INT64), .is_distinct = true});
    feed_values((const double[]){(double)NAN, -(double)NAN, 0.0, -0.0, 1}, 5, group);
    ck_assert_int_eq(result_of(group).int64, 3);
    end();
}
END_TEST

START_TEST(test_overflow)
{
    static const double large[] = {4e18, 4e18, 4e18, -4e18, -4e18};
    struct evs_value value;
    begin((struct case_call){.kind = EVS_AGG_SUM, .columns = {INTS}, .count = 1, .result = evs_type_of(EVS_INT64)});
    feed_values(large, 3, group);
    ck_assert_int_eq(evs_agg_result(&call, (uint8_t *)group->words, case_batch->arena, &value), EVS_AGG_OVERFLOW);
    ck_assert(value.is_null);
    feed_values(large + 3, 2, group); /* it comes back */
    ck_assert_int_eq(result_of(group).int64, INT64_C(4000000000000000000));
    end();
}
END_TEST

/* --- limits ----------------------------------------------------------------------------------------------------------------------------------- */

/* A group that keeps too much fails, and says so after a merge and a restore; its room is given back. */
static void check_limit(struct case_call of)
{
    static double values[5000];
    for (uint32_t i = 0; i < EVS_COUNT(values); i++) {
        values[i] = i;
    }
    begin(of);
    config.bytes_max = 20000;
    struct case_group *copy = case_group_new(), *small = case_group_new();
    feed_values(values, 100, group);
    ck_assert_str_ne(case_result(&call, group), "group_too_large");
    case_store(&call, group, copy, true);
    feed_values(values, 5000, group);
    ck_assert_str_eq(case_result(&call, group), "group_too_large");
    ck_assert_uint_lt(evs_agg_held(&call, (uint8_t *)group->words), 200);
    ck_assert_uint_gt(group->table.garbage_bytes, 20000);
    feed_values(values, 1, group);
    case_store(&call, group, copy, false);
    ck_assert_str_eq(case_result(&call, copy), "group_too_large");
    feed_values(values, 2, small);
    case_merge(&call, small, copy);
    ck_assert_str_eq(case_result(&call, small), "group_too_large");
    case_group_free(copy);
    case_group_free(small);
    end();
}

START_TEST(test_limits)
{
    check_limit((struct case_call){
        .kind = EVS_AGG_COUNT, .columns = {INTS}, .count = 1, .result = evs_type_of(EVS_INT64), .is_distinct = true});
    check_limit((struct case_call){
        .kind = EVS_AGG_ARRAY_AGG, .columns = {INTS}, .count = 1, .result = evs_type_array_of(EVS_INT64)});
    /* a limit bounds it by itself: nothing fails */
    static double values[50000];
    begin((struct case_call){.kind = EVS_AGG_ARRAY_AGG,
                             .columns = {INTS, INTS},
                             .count = 2,
                             .result = evs_type_array_of(EVS_INT64),
                             .order = ORDER_DOWN,
                             .limit = 10});
    config.bytes_max = 20000;
    for (uint32_t i = 0; i < EVS_COUNT(values); i++) {
        values[i] = (i * 7919u) % EVS_COUNT(values);
    }
    feed_values(values, EVS_COUNT(values), group);
    ck_assert_str_eq(case_result(&call, group),
                     "[49999, 49998, 49997, 49996, 49995, 49994, 49993, 49992, 49991, 49990]");
    end();
}
END_TEST

/* A funnel that is complete keeps nothing. */
START_TEST(test_complete_funnel)
{
    static uint16_t rows[CASE_ROWS_MAX];
    uint64_t seed = 4;
    begin((struct case_call){.kind = EVS_AGG_WINDOW_FUNNEL,
                             .columns = {STEP_1, STEP_2},
                             .count = 2,
                             .result = evs_type_of(EVS_INT64),
                             .within_us = 50});
    for (uint32_t i = 0; i < CASE_ROWS_MAX; i++) {
        rows[i] = (uint16_t)i;
    }
    for (int i = 0; i < 30; i++) {
        case_feed(&call, group, rows, CASE_ROWS_MAX, &seed);
    }
    ck_assert_int_eq(result_of(group).int64, 2);
    ck_assert_uint_lt(evs_agg_held(&call, (uint8_t *)group->words), 200);
    end();
}
END_TEST

/* --- damage ----------------------------------------------------------------------------------------------------------------------------------- */

struct part_copy {
    struct evs_buffer bytes;
};

static void take_part(void *argument, struct evs_slice part)
{
    struct part_copy *copy = argument;
    copy->bytes.count = 0;
    evs_buffer_put(&copy->bytes, part.data, part.count);
}

/* Any byte another, any length: it is refused, or it loads and gives some result. */
static void check_damage(struct case_call of)
{
    static uint16_t rows[60];
    struct part_copy part = {0};
    uint64_t seed = 8;
    begin(of);
    for (uint32_t i = 0; i < EVS_COUNT(rows); i++) {
        rows[i] = (uint16_t)(i * 3);
    }
    case_feed(&call, group, rows, EVS_COUNT(rows), &seed);
    evs_agg_save_parts(&call, (uint8_t *)group->words, true, take_part, &part);
    ck_assert_uint_gt(part.bytes.count, 100);
    for (uint32_t round = 0; round < 4000; round++) {
        struct evs_value value;
        struct case_group *damaged = case_group_new();
        char *copy = evs_alloc(part.bytes.count); /* of its own, so that a sanitizer sees what is read behind it */
        size_t count = round % 4 == 0 ? unit_random(&seed) % part.bytes.count : part.bytes.count;
        memcpy(copy, part.bytes.data, part.bytes.count);
        for (uint64_t i = unit_random(&seed) % 3 + (round % 4 != 0); i > 0; i--) {
            copy[unit_random(&seed) % part.bytes.count] ^= (char)(1u << unit_random(&seed) % 8);
        }
        char *cut = evs_alloc(count + 1);
        memcpy(cut, copy, count);
        if (evs_agg_load_part(&call, &damaged->table, (uint8_t *)damaged->words, (struct evs_slice){cut, count})) {
            evs_agg_result(&call, (uint8_t *)damaged->words, case_batch->arena, &value);
        }
        evs_free(copy);
        evs_free(cut);
        case_group_free(damaged);
    }
    evs_buffer_fini(&part.bytes);
    end();
}

START_TEST(test_damage)
{
    struct evs_arena arena = {0};
    struct evs_type_field fields[2] = {{"value", evs_type_of(EVS_STRING)}, {"count", evs_type_of(EVS_INT64)}};
    const struct case_call cases[] = {
        {.kind = EVS_AGG_COUNT, .columns = {TEXTS}, .count = 1, .result = evs_type_of(EVS_INT64), .is_distinct = true},
        {.kind = EVS_AGG_SUM, .columns = {NUMERICS}, .count = 1, .result = case_type(NUMERICS), .is_distinct = true},
        {.kind = EVS_AGG_STRING_AGG, .columns = {TEXTS}, .count = 1, .result = case_type(TEXTS), .delimiter = ","},
        {.kind = EVS_AGG_ARRAY_AGG,
         .columns = {INTS, TEXTS},
         .count = 2,
         .result = evs_type_array_of(EVS_INT64),
         .order = ORDER_UP},
        {.kind = EVS_AGG_ARRAY_AGG,
         .columns = {TEXTS},
         .count = 1,
         .result = evs_type_array_of(EVS_STRING),
         .is_distinct = true},
        {.kind = EVS_AGG_ARRAY_CONCAT_AGG, .columns = {ARRAYS}, .count = 1, .result = case_type(ARRAYS)},
        {.kind = EVS_AGG_APPROX_COUNT_DISTINCT, .columns = {INTS}, .count = 1, .result = evs_type_of(EVS_INT64)},
        {.kind = EVS_AGG_APPROX_QUANTILES,
         .columns = {FLOATS},
         .count = 1,
         .result = evs_type_array_of(EVS_FLOAT64),
         .number = 3},
        {.kind = EVS_AGG_APPROX_TOP_COUNT,
         .columns = {TEXTS},
         .count = 1,
         .result = evs_type_array(&arena, evs_type_struct(&arena, fields, 2)),
         .number = 3},
        {.kind = EVS_AGG_WINDOW_FUNNEL,
         .columns = {STEP_1, STEP_2, STEP_3},
         .count = 3,
         .result = evs_type_of(EVS_INT64),
         .within_us = 20},
    };
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        check_damage(cases[i]);
    }
    evs_arena_fini(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sketches");
    TCase *tests = tcase_create("sketches");
    tcase_add_checked_fixture(tests, case_setup, case_teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_count_distinct);
    tcase_add_test(tests, test_count_distinct_forms);
    tcase_add_test(tests, test_quantiles);
    tcase_add_test(tests, test_quantiles_of_ints_and_times);
    tcase_add_test(tests, test_top_count);
    tcase_add_test(tests, test_variance_far_from_zero);
    tcase_add_test(tests, test_not_finite);
    tcase_add_test(tests, test_overflow);
    tcase_add_test(tests, test_limits);
    tcase_add_test(tests, test_complete_funnel);
    tcase_add_test(tests, test_damage);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
