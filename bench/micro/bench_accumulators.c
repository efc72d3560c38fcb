/* Nanoseconds a row of the aggregate functions: `bench_accumulators [FILTER]` prints a line for each whose name holds FILTER: over one group, over
 * 10,000 groups (each a cache miss), for one result, and the bytes that the group keeps. A figure is the median of RUNS measurements; batches have 1024
 * rows of int64 below VALUES and of texts made of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aggregate_call.h"

#define RUNS 9
#define ROWS EVS_BATCH_ROWS
#define BATCHES 100
#define GROUPS 10000u
#define VALUES 1000
#define BYTES_MAX 128

enum { NUMBER, FLOAT, TEXT, FLAG, COLUMNS };
static const enum evs_kind kinds[COLUMNS] = {EVS_INT64, EVS_FLOAT64, EVS_STRING, EVS_BOOL};

static struct evs_type_field top_fields[2];
static const struct {
    const char *name;
    enum evs_aggregate_kind kind;
    uint32_t columns[2], count;
    enum evs_kind result; /* EVS_ARRAY: of the first argument */
    bool is_distinct;
} functions[] = {
    {"count(*)", EVS_AGG_COUNT_ROWS, {0}, 0, EVS_INT64, false},
    {"countif", EVS_AGG_COUNTIF, {FLAG}, 1, EVS_INT64, false},
    {"sum(int64)", EVS_AGG_SUM, {NUMBER}, 1, EVS_INT64, false},
    {"sum(float64)", EVS_AGG_SUM, {FLOAT}, 1, EVS_FLOAT64, false},
    {"max(int64)", EVS_AGG_MAX, {NUMBER}, 1, EVS_INT64, false},
    {"max(string)", EVS_AGG_MAX, {TEXT}, 1, EVS_STRING, false},
    {"last(int64)", EVS_AGG_LAST, {NUMBER}, 1, EVS_INT64, false},
    {"max_by", EVS_AGG_MAX_BY, {NUMBER, FLOAT}, 2, EVS_INT64, false},
    {"bit_or", EVS_AGG_BIT_OR, {NUMBER}, 1, EVS_INT64, false},
    {"stddev", EVS_AGG_STDDEV_SAMP, {FLOAT}, 1, EVS_FLOAT64, false},
    {"corr", EVS_AGG_CORR, {FLOAT, NUMBER}, 2, EVS_FLOAT64, false},
    {"count(distinct int64)", EVS_AGG_COUNT, {NUMBER}, 1, EVS_INT64, true},
    {"count(distinct string)", EVS_AGG_COUNT, {TEXT}, 1, EVS_INT64, true},
    {"array_agg", EVS_AGG_ARRAY_AGG, {NUMBER}, 1, EVS_ARRAY, false},
    {"string_agg(distinct)", EVS_AGG_STRING_AGG, {TEXT}, 1, EVS_STRING, true},
    {"approx_count_distinct", EVS_AGG_APPROX_COUNT_DISTINCT, {TEXT}, 1, EVS_INT64, false},
    {"approx_quantiles", EVS_AGG_APPROX_QUANTILES, {FLOAT}, 1, EVS_ARRAY, false},
    {"approx_top_count", EVS_AGG_APPROX_TOP_COUNT, {TEXT}, 1, EVS_STRUCT, false},
    {"window_funnel", EVS_AGG_WINDOW_FUNNEL, {FLAG, FLAG}, 2, EVS_INT64, false},
};

static struct evs_batch *batch;
static struct evs_arena types;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void fill(struct evs_batch_pool *pool)
{
    batch = evs_batch_new(pool, COLUMNS);
    evs_batch_init_rows(batch, ROWS);
    batch->row_count = batch->selected_count = ROWS;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        evs_column_init(&batch->columns[i], batch, kinds[i], ROWS, false);
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        int64_t number = (int64_t)(row * 7919u % VALUES);
        char *text = evs_arena_printf(batch->arena, "user-%08lld", (long long)number);
        ((int64_t *)batch->columns[NUMBER].data)[row] = number;
        ((double *)batch->columns[FLOAT].data)[row] = (double)number / 3;
        ((struct evs_str *)batch->columns[TEXT].data)[row] = evs_str_make(text, (uint32_t)strlen(text));
        ((uint8_t *)batch->columns[FLAG].data)[row] = row % 16 == 0;
        batch->event_time_us[row] = row;
        batch->cause[row] = evs_cause_record(0, row, 0);
    }
}

static const struct evs_type *result_type(size_t function)
{
    const struct evs_type *element = evs_type_of(kinds[functions[function].columns[0]]);
    if (functions[function].result == EVS_ARRAY) {
        return evs_type_array(&types, element);
    }
    if (functions[function].result == EVS_STRUCT) {
        top_fields[0] = (struct evs_type_field){"value", element};
        top_fields[1] = (struct evs_type_field){"count", evs_type_of(EVS_INT64)};
        return evs_type_array(&types, evs_type_struct(&types, top_fields, 2));
    }
    return evs_type_of(functions[function].result);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, RUNS, sizeof *values, compare_doubles);
    return values[RUNS / 2];
}

/* One measurement: BATCHES batches into `groups` groups. */
static double measure(const struct agg_call *call, uint8_t *accumulators, struct evs_table *table, uint32_t groups)
{
    static uint16_t rows[ROWS];
    static uint8_t *values[ROWS];
    static struct evs_table *tables[ROWS];
    struct agg_rows all = {batch, rows, values, tables, ROWS};
    double total = 0;
    for (uint32_t b = 0; b < BATCHES; b++) {
        for (uint32_t i = 0; i < ROWS; i++) {
            uint32_t group = (uint32_t)(((uint64_t)b * ROWS + i) * 2654435761u % groups);
            rows[i] = (uint16_t)i;
            values[i] = accumulators + (size_t)group * BYTES_MAX;
            tables[i] = table;
        }
        double start = now_ns();
        evs_agg_update(call, &all);
        total += now_ns() - start;
    }
    return total / BATCHES / ROWS;
}

static void run(size_t function)
{
    static const enum evs_kind key[1] = {EVS_INT64};
    const struct evs_type *argument_types[2] = {evs_type_of(kinds[functions[function].columns[0]]),
                                                evs_type_of(kinds[functions[function].columns[1]])};
    struct evs_aggregate_call config = {.kind = functions[function].kind,
                                        .arguments = functions[function].columns,
                                        .types = argument_types,
                                        .argument_count = functions[function].count,
                                        .condition = -1,
                                        .result_type = result_type(function),
                                        .is_distinct = functions[function].is_distinct,
                                        .limit = -1,
                                        .number = 10,
                                        .delimiter = EVS_SLICE(","),
                                        .within_us = 1000,
                                        .bytes_max = 1 << 30,
                                        .text = ""};
    struct agg_call call = evs_agg_call(&config, 0);
    struct evs_table_layout layout;
    double one[RUNS], many[RUNS], result[RUNS];
    size_t held = 0;
    evs_table_layout_init(&layout, key, 1, 8);
    for (int i = 0; i < RUNS; i++) {
        struct evs_table table;
        struct evs_arena scratch = {0};
        struct evs_value value;
        uint8_t *accumulators = evs_alloc_zero((size_t)GROUPS * BYTES_MAX);
        evs_table_init(&table, &layout);
        many[i] = measure(&call, accumulators, &table, GROUPS);
        memset(accumulators, 0, (size_t)GROUPS * BYTES_MAX);
        one[i] = measure(&call, accumulators, &table, 1);
        double start = now_ns();
        evs_agg_result(&call, accumulators, &scratch, &value);
        result[i] = now_ns() - start;
        held = call.bytes + evs_agg_held(&call, accumulators);
        evs_arena_fini(&scratch);
        evs_table_fini(&table);
        evs_free(accumulators);
    }
    printf("%-24s %8.1f ns a row %8.1f ns in %u groups %12.0f ns a result %10zu bytes\n", functions[function].name,
           median(one), median(many), GROUPS, median(result), held);
    evs_agg_call_fini(&call);
}

int main(int argc, char **argv)
{
    struct evs_batch_pool *pool = evs_batch_pool_new();
    fill(pool);
    for (size_t i = 0; i < EVS_COUNT(functions); i++) {
        if (argc < 2 || strstr(functions[i].name, argv[1]) != NULL) {
            run(i);
        }
    }
    evs_batch_unref(batch);
    evs_batch_pool_free(pool);
    evs_arena_fini(&types);
    return 0;
}
