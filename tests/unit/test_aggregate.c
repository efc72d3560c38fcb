/* Accumulators against plain loops over the same rows: random values of every type, NULLs, NaN, sums that do not fit; texts that are replaced
 * are counted as garbage and given back. How state is stored and restored: test_run_kills.c, and the conformance wrapper at each barrier. */
#include <math.h>

#include "aggregate_state.h"
#include "unit.h"

#define ROWS 1000
#define GROUPS 5
#define COLUMNS 4
enum { INTS, FLOATS, NUMERICS, TEXTS };
static const enum evs_kind kinds[COLUMNS] = {EVS_INT64, EVS_FLOAT64, EVS_NUMERIC, EVS_STRING};

static struct evs_batch_pool *pool;
static struct evs_batch *batch;
static struct evs_table_layout layout;
static struct evs_table table;
static struct evs_entry *entries[GROUPS];
static uint16_t rows[ROWS];
static uint8_t *values[ROWS];
static struct evs_table *tables[ROWS];

static void put_row(uint32_t row, uint64_t *seed)
{
    int64_t number = (int64_t)(unit_random(seed) % 2001) - 1000;
    char *text = evs_arena_printf(batch->arena, number % 2 == 0 ? "%lld" : "a text longer than twelve bytes %lld",
                                  (long long)number);
    ((int64_t *)batch->columns[INTS].data)[row] = number;
    ((double *)batch->columns[FLOATS].data)[row] = (double)number / 8; /* sums of eighths are exact */
    evs_numeric numeric = number * (EVS_NUMERIC_ONE / 100);
    memcpy((char *)batch->columns[NUMERICS].data + row * 16, &numeric, 16);
    ((struct evs_str *)batch->columns[TEXTS].data)[row] = evs_str_make(text, (uint32_t)strlen(text));
    for (uint32_t i = 0; i < COLUMNS; i++) {
        if (unit_random(seed) % 10 == 0) {
            evs_column_set_null(&batch->columns[i], row);
        }
    }
    batch->event_time_us[row] = (int64_t)(unit_random(seed) % 50); /* many ties: the cause decides */
    batch->cause[row] = evs_cause_record(0, 1, ROWS - row);
}

static void setup(void)
{
    uint64_t seed = 5;
    static const enum evs_kind key_kind[1] = {EVS_INT64};
    static const uint32_t key_column[1] = {INTS};
    pool = evs_batch_pool_new();
    batch = evs_batch_new(pool, COLUMNS);
    evs_batch_init_rows(batch, ROWS);
    batch->row_count = batch->selected_count = ROWS;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        evs_column_init(&batch->columns[i], batch, kinds[i], ROWS, true);
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        put_row(i, &seed);
    }
    evs_table_layout_init(&layout, key_kind, 1, 64);
    evs_table_init(&table, &layout);
    for (uint32_t i = 0; i < GROUPS; i++) {
        bool is_new;
        entries[i] = evs_table_find_or_add(&table, i, batch, i, key_column, NULL, &is_new);
        ck_assert(is_new);
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        rows[i] = (uint16_t)i;
        values[i] = evs_entry_values(&layout, entries[i % GROUPS]);
        tables[i] = &table;
    }
}

static void teardown(void)
{
    evs_table_fini(&table);
    evs_batch_unref(batch);
    evs_batch_pool_free(pool);
}

/* The function over all rows, in pieces of different sizes. */
static void feed(const struct agg_call *call)
{
    for (uint32_t first = 0, count = 1; first < ROWS; first += count, count = count * 3 % 100 + 1) {
        uint32_t left = ROWS - first;
        struct agg_rows some = {batch, rows + first, values + first, tables + first, count < left ? count : left};
        evs_agg_update(call, &some);
    }
}

static struct evs_aggregate_call call_config(enum evs_aggregate_kind kind, int column, enum evs_kind result)
{
    static uint32_t columns[COLUMNS] = {INTS, FLOATS, NUMERICS, TEXTS};
    static const struct evs_type *types[COLUMNS];
    for (uint32_t i = 0; i < COLUMNS; i++) {
        types[i] = evs_type_of(kinds[i]);
    }
    return (struct evs_aggregate_call){.kind = kind,
                                       .arguments = &columns[column < 0 ? 0 : column],
                                       .types = &types[column < 0 ? 0 : column],
                                       .argument_count = column >= 0,
                                       .condition = -1,
                                       .result_type = evs_type_of(result),
                                       .limit = -1,
                                       .bytes_max = 64 << 20,
                                       .text = "call"};
}

static struct evs_value result_of_set(enum evs_aggregate_kind kind, int column, enum evs_kind result, bool ignore_nulls,
                                      bool is_distinct, uint32_t group)
{
    struct evs_aggregate_call config = call_config(kind, column, result);
    config.ignore_nulls = ignore_nulls;
    config.is_distinct = is_distinct;
    struct agg_call call = evs_agg_call(&config, 0);
    struct evs_value value;
    ck_assert_uint_le(call.bytes, 64);
    memset(evs_entry_values(&layout, entries[group]), 0, 64);
    for (uint32_t i = 0; i < GROUPS; i++) {
        memset(evs_entry_values(&layout, entries[i]), 0, 64);
    }
    feed(&call);
    ck_assert(evs_agg_result(&call, evs_entry_values(&layout, entries[group]), batch->arena, &value) == EVS_AGG_FITS);
    evs_agg_call_fini(&call);
    return value;
}

static struct evs_value result_of(enum evs_aggregate_kind kind, int column, enum evs_kind result, bool ignore_nulls,
                                  uint32_t group)
{
    return result_of_set(kind, column, result, ignore_nulls, false, group);
}

/* --- the plain loops ------------------------------------------------------------------------------------------------------------- */

static bool has(int column, uint32_t row)
{
    return evs_column_is_valid(&batch->columns[column], row);
}

static int64_t int_at(uint32_t row)
{
    return ((const int64_t *)batch->columns[INTS].data)[row];
}

START_TEST(test_counts_and_sums)
{
    for (uint32_t group = 0; group < GROUPS; group++) {
        int64_t count = 0, sum = 0, distinct = 0, texts = 0;
        evs_numeric numerics = 0;
        double floats = 0;
        static bool seen[2001];
        memset(seen, 0, sizeof seen);
        for (uint32_t row = group; row < ROWS; row += GROUPS) {
            count += has(INTS, row);
            sum += has(INTS, row) ? int_at(row) : 0;
            floats += has(FLOATS, row) ? (double)int_at(row) / 8 : 0;
            numerics += has(NUMERICS, row) ? int_at(row) * (EVS_NUMERIC_ONE / 100) : 0;
            distinct += has(INTS, row) && !seen[int_at(row) + 1000];
            seen[int_at(row) + 1000] |= has(INTS, row);
            texts += has(TEXTS, row);
        }
        ck_assert_int_eq(result_of(EVS_AGG_COUNT_ROWS, -1, EVS_INT64, false, group).int64, ROWS / GROUPS);
        ck_assert_int_eq(result_of(EVS_AGG_COUNT, INTS, EVS_INT64, false, group).int64, count);
        ck_assert_int_eq(result_of(EVS_AGG_COUNT, TEXTS, EVS_INT64, false, group).int64, texts);
        ck_assert_int_eq(result_of_set(EVS_AGG_COUNT, INTS, EVS_INT64, false, true, group).int64, distinct);
        ck_assert_int_eq(result_of(EVS_AGG_SUM, INTS, EVS_INT64, false, group).int64, sum);
        ck_assert(result_of(EVS_AGG_AVG, INTS, EVS_FLOAT64, false, group).float64 == (double)sum / (double)count);
        ck_assert(result_of(EVS_AGG_SUM, FLOATS, EVS_FLOAT64, false, group).float64 == floats);
        ck_assert(result_of(EVS_AGG_SUM, NUMERICS, EVS_NUMERIC, false, group).numeric == numerics);
    }
}
END_TEST

START_TEST(test_extremes)
{
    for (uint32_t group = 0; group < GROUPS; group++) {
        int64_t least = INT64_MAX, most = INT64_MIN;
        struct evs_str first = {0};
        for (uint32_t row = group; row < ROWS; row += GROUPS) {
            const struct evs_str *text = &((const struct evs_str *)batch->columns[TEXTS].data)[row];
            least = has(INTS, row) && int_at(row) < least ? int_at(row) : least;
            most = has(INTS, row) && int_at(row) > most ? int_at(row) : most;
            first = has(TEXTS, row) && (first.count == 0 || evs_str_compare(text, &first) < 0) ? *text : first;
        }
        ck_assert_int_eq(result_of(EVS_AGG_MIN, INTS, EVS_INT64, false, group).int64, least);
        ck_assert_int_eq(result_of(EVS_AGG_MAX, INTS, EVS_INT64, false, group).int64, most);
        struct evs_value text = result_of(EVS_AGG_MIN, TEXTS, EVS_STRING, false, group);
        ck_assert(evs_str_equal(&text.str, &first));
    }
}
END_TEST

/* By event time, then by cause: here later rows have the lower cause. */
START_TEST(test_first_and_last)
{
    for (uint32_t group = 0; group < GROUPS; group++) {
        for (uint32_t ignore = 0; ignore < 2; ignore++) {
            uint32_t first = UINT32_MAX, last = UINT32_MAX;
            for (uint32_t row = group; row < ROWS; row += GROUPS) {
                if (ignore != 0 && !has(INTS, row)) {
                    continue;
                }
                int64_t time_us = batch->event_time_us[row];
                first = first == UINT32_MAX || time_us <= batch->event_time_us[first] ? row : first;
                last = last == UINT32_MAX || time_us > batch->event_time_us[last] ? row : last;
            }
            struct evs_value value = result_of(EVS_AGG_FIRST, INTS, EVS_INT64, ignore != 0, group);
            ck_assert(value.is_null ? !has(INTS, first) : value.int64 == int_at(first));
            value = result_of(EVS_AGG_LAST, INTS, EVS_INT64, ignore != 0, group);
            ck_assert(value.is_null ? !has(INTS, last) : value.int64 == int_at(last));
        }
    }
}
END_TEST

/* Rows at one place of the order, as results of one window are: the values decide, whichever came first. */
START_TEST(test_ties)
{
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (uint32_t row = 0; row < ROWS; row++) {
        batch->event_time_us[row] = 7;
        batch->cause[row] = (struct evs_cause){1, 2};
        ((int64_t *)batch->columns[INTS].data)[row] += 1000; /* not negative: bytes, lowest first, are compared */
        ((int64_t *)batch->columns[INTS].data)[row] %= 256;
        least = row % GROUPS == 0 && has(INTS, row) && int_at(row) < least ? int_at(row) : least;
        most = row % GROUPS == 0 && has(INTS, row) && int_at(row) > most ? int_at(row) : most;
    }
    ck_assert_int_eq(result_of(EVS_AGG_FIRST, INTS, EVS_INT64, true, 0).int64, least);
    ck_assert_int_eq(result_of(EVS_AGG_LAST, INTS, EVS_INT64, true, 0).int64, most);
    ck_assert(result_of(EVS_AGG_FIRST, INTS, EVS_INT64, false, 0).is_null);
}
END_TEST

START_TEST(test_nan_and_infinity)
{
    double *floats = batch->columns[FLOATS].data;
    batch->columns[FLOATS].valid = NULL;
    floats[0] = (double)INFINITY;
    ck_assert(isinf(result_of(EVS_AGG_SUM, FLOATS, EVS_FLOAT64, false, 0).float64));
    floats[GROUPS] = (double)NAN;
    ck_assert(isnan(result_of(EVS_AGG_MIN, FLOATS, EVS_FLOAT64, false, 0).float64));
    ck_assert(isnan(result_of(EVS_AGG_MAX, FLOATS, EVS_FLOAT64, false, 0).float64));
    ck_assert(!isnan(result_of(EVS_AGG_MAX, FLOATS, EVS_FLOAT64, false, 1).float64));
    for (uint32_t row = 0; row < ROWS; row++) {
        floats[row] = row % 2 == 0 ? -0.0 : 0.0;
    }
    ck_assert_int_eq(result_of_set(EVS_AGG_COUNT, FLOATS, EVS_INT64, false, true, 0).int64, 1);
}
END_TEST

/* A sum that leaves int64 on the way and comes back is right; one that stays outside fails. */
START_TEST(test_overflow)
{
    int64_t *ints = batch->columns[INTS].data;
    batch->columns[INTS].valid = NULL;
    for (uint32_t row = 0; row < ROWS; row++) {
        ints[row] = row < ROWS / 2 ? INT64_MAX : -INT64_MAX;
    }
    ck_assert_int_eq(result_of(EVS_AGG_SUM, INTS, EVS_INT64, false, 0).int64, 0);
    ints[ROWS - GROUPS] = INT64_MAX;
    struct evs_aggregate_call config = call_config(EVS_AGG_SUM, INTS, EVS_INT64);
    struct agg_call call = evs_agg_call(&config, 0);
    struct evs_value value;
    memset(evs_entry_values(&layout, entries[0]), 0, 64);
    feed(&call);
    ck_assert(evs_agg_result(&call, evs_entry_values(&layout, entries[0]), batch->arena, &value) == EVS_AGG_OVERFLOW);
}
END_TEST

/* last(text), replaced a thousand times a round: what was replaced is given back, and what is kept stays right. */
START_TEST(test_compaction)
{
    struct evs_aggregate_call config = call_config(EVS_AGG_LAST, TEXTS, EVS_STRING);
    struct evs_aggregate_config operator_config = {.calls = &config, .call_count = 1};
    struct agg_call call = evs_agg_call(&config, 0);
    struct aggregate *agg = evs_alloc_zero(sizeof *agg);
    struct agg_window window = {.table = table};
    *agg = (struct aggregate){.base = {.config = &operator_config, .calls = &call}, .layout = layout};
    size_t most = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        tables[i] = &window.table;
    }
    for (uint32_t round = 0; round < 300; round++) {
        for (uint32_t i = 0; i < ROWS; i++) {
            batch->event_time_us[i] = (int64_t)round * ROWS + i;
        }
        feed(&call);
        evs_agg_compact(agg, &window);
        most = window.table.arena.used_bytes > most ? window.table.arena.used_bytes : most;
    }
    ck_assert_uint_lt(most, 4 << 20); /* of more than ten that went through */
    struct evs_value value;
    ck_assert(evs_agg_result(&call, evs_entry_values(&layout, entries[0]), batch->arena, &value) == EVS_AGG_FITS);
    ck_assert(value.is_null ||
              evs_str_equal(&value.str, &((const struct evs_str *)batch->columns[TEXTS].data)[ROWS - GROUPS]));
    table = window.table;
    evs_free(agg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("aggregate");
    TCase *tests = tcase_create("aggregate");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_counts_and_sums);
    tcase_add_test(tests, test_extremes);
    tcase_add_test(tests, test_first_and_last);
    tcase_add_test(tests, test_ties);
    tcase_add_test(tests, test_nan_and_infinity);
    tcase_add_test(tests, test_overflow);
    tcase_add_test(tests, test_compaction);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
