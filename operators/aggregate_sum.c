/* Counts, sums and means.
 *
 *   count, countif     int64 count
 *   sum, avg           int128 or double sum + compensation, int64 count (-1: the sum has left 128 bits)
 *
 * Sums of int64 are kept in 128 bits, so only a result that does not fit fails. Sums of float64 are compensated (Neumaier 1974), so that the
 * order in which rows of several partitions arrive, or in which parts are merged, hardly ever shows. */
#include "aggregate_kind.h"

typedef __int128 int128;

struct acc_sum128 {
    uint64_t low, high; /* of an int128; entries are aligned to 8 bytes only */
    int64_t count;
};
struct acc_sum_float {
    double sum, compensation;
    int64_t count;
};

/* --- counts ------------------------------------------------------------------------------------------------------------------------ */

static void update_count_rows(const struct agg_call *call, const struct agg_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        ++*(int64_t *)accumulator_of(call, rows, i);
    }
}

static void update_count(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    FOR_VALUES(int64_t)
    {
        ++*acc;
    }
}

static void update_countif(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    FOR_VALUES(int64_t)
    {
        *acc += *EVS_COLUMN_AT(column, uint8_t, rows->rows[i]) != 0;
    }
}

static void merge_count(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    (void)call;
    (void)table;
    *(int64_t *)into += *(const int64_t *)from;
}

static enum evs_agg_outcome result_count(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                         struct evs_value *result)
{
    (void)call;
    (void)arena;
    result->int64 = *(const int64_t *)at;
    return EVS_AGG_FITS;
}

const struct agg_kind *evs_agg_count_kind(const struct evs_aggregate_call *config)
{
    static const struct agg_kind rows = {
        .bytes = sizeof(int64_t), .update = update_count_rows, .merge = merge_count, .result = result_count};
    static const struct agg_kind values = {
        .bytes = sizeof(int64_t), .update = update_count, .merge = merge_count, .result = result_count};
    static const struct agg_kind trues = {
        .bytes = sizeof(int64_t), .update = update_countif, .merge = merge_count, .result = result_count};
    return config->kind == EVS_AGG_COUNT_ROWS ? &rows : config->kind == EVS_AGG_COUNT ? &values : &trues;
}

/* --- sums --------------------------------------------------------------------------------------------------------------------------- */

static int128 sum128_get(const struct acc_sum128 *acc)
{
    return (int128)(((unsigned __int128)acc->high << 64) | acc->low);
}

static void sum128_add(struct acc_sum128 *acc, int128 value)
{
    int128 sum;
    if (acc->count < 0 || __builtin_add_overflow(sum128_get(acc), value, &sum)) {
        acc->count = -1;
        return;
    }
    acc->low = (uint64_t)sum;
    acc->high = (uint64_t)((unsigned __int128)sum >> 64);
    acc->count++;
}

static void update_sum_int64(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    FOR_VALUES(struct acc_sum128)
    {
        sum128_add(acc, *EVS_COLUMN_AT(column, int64_t, rows->rows[i]));
    }
}

static void update_sum_numeric(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    FOR_VALUES(struct acc_sum128)
    {
        evs_numeric value;
        memcpy(&value, EVS_COLUMN_AT(column, struct evs_str, rows->rows[i]), sizeof value);
        sum128_add(acc, value);
    }
}

static void sum_float_add(struct acc_sum_float *acc, double value)
{
    double sum = acc->sum + value;
    double lost =
        __builtin_fabs(acc->sum) >= __builtin_fabs(value) ? (acc->sum - sum) + value : (value - sum) + acc->sum;
    acc->sum = sum;
    acc->compensation += lost;
    acc->count++;
}

static void update_sum_float64(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    FOR_VALUES(struct acc_sum_float)
    {
        sum_float_add(acc, *EVS_COLUMN_AT(column, double, rows->rows[i]));
    }
}

static void merge_sum128(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    struct acc_sum128 *acc = (struct acc_sum128 *)into;
    const struct acc_sum128 *other = (const struct acc_sum128 *)from;
    (void)call;
    (void)table;
    if (other->count == 0) {
        return;
    }
    int64_t count = acc->count + other->count - 1; /* sum128_add counts one */
    acc->count = acc->count < 0 || other->count < 0 ? -1 : count;
    sum128_add(acc, sum128_get(other));
}

static void merge_sum_float(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    struct acc_sum_float *acc = (struct acc_sum_float *)into;
    const struct acc_sum_float *other = (const struct acc_sum_float *)from;
    (void)call;
    (void)table;
    sum_float_add(acc, other->sum);
    acc->compensation += other->compensation;
    acc->count += other->count - 1; /* sum_float_add counts one */
}

/* An infinite sum has no meaningful compensation: inf - inf would make it NaN. */
static double float_total(const struct acc_sum_float *acc)
{
    return __builtin_isfinite(acc->sum) ? acc->sum + acc->compensation : acc->sum;
}

static enum evs_agg_outcome result_float(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                         struct evs_value *result)
{
    const struct acc_sum_float *acc = (const struct acc_sum_float *)at;
    (void)arena;
    result->is_null = acc->count == 0;
    if (acc->count > 0) {
        result->float64 = float_total(acc) / (call->config->kind == EVS_AGG_AVG ? (double)acc->count : 1);
    }
    return EVS_AGG_FITS;
}

static enum evs_agg_outcome result_int64(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                         struct evs_value *result)
{
    const struct acc_sum128 *acc = (const struct acc_sum128 *)at;
    int128 sum = sum128_get(acc);
    (void)arena;
    result->is_null = acc->count == 0;
    if (acc->count <= 0) {
        return acc->count == 0 ? EVS_AGG_FITS : EVS_AGG_OVERFLOW;
    }
    if (call->config->kind == EVS_AGG_AVG) {
        result->float64 = (double)sum / (double)acc->count;
        return EVS_AGG_FITS;
    }
    result->int64 = (int64_t)sum;
    return sum == (int128)(int64_t)sum ? EVS_AGG_FITS : EVS_AGG_OVERFLOW;
}

static enum evs_agg_outcome result_numeric(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                           struct evs_value *result)
{
    const struct acc_sum128 *acc = (const struct acc_sum128 *)at;
    int128 sum = sum128_get(acc);
    (void)arena;
    result->is_null = acc->count == 0;
    if (acc->count <= 0) {
        return acc->count == 0 ? EVS_AGG_FITS : EVS_AGG_OVERFLOW;
    }
    bool fits = sum <= evs_numeric_max() && sum >= -evs_numeric_max();
    result->numeric = sum;
    if (call->config->kind == EVS_AGG_AVG && fits) {
        fits = evs_numeric_divide(sum, (evs_numeric)acc->count * EVS_NUMERIC_ONE, &result->numeric);
    }
    return fits ? EVS_AGG_FITS : EVS_AGG_OVERFLOW;
}

const struct agg_kind *evs_agg_sum_kind(const struct evs_aggregate_call *config)
{
    static const struct agg_kind ints = {
        .bytes = sizeof(struct acc_sum128), .update = update_sum_int64, .merge = merge_sum128, .result = result_int64};
    static const struct agg_kind numerics = {.bytes = sizeof(struct acc_sum128),
                                             .update = update_sum_numeric,
                                             .merge = merge_sum128,
                                             .result = result_numeric};
    static const struct agg_kind floats = {.bytes = sizeof(struct acc_sum_float),
                                           .update = update_sum_float64,
                                           .merge = merge_sum_float,
                                           .result = result_float};
    EVS_ASSERT(config->argument_count >= 1);
    switch (config->types[0]->kind) {
    case EVS_FLOAT64:
        return &floats;
    case EVS_NUMERIC:
        return &numerics;
    default:
        EVS_ASSERT(config->types[0]->kind == EVS_INT64);
        return &ints;
    }
}
