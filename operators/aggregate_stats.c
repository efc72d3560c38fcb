/* Variances, covariances and what is made of them.
 *
 *   of one value     count, mean, sum of squared distances from the mean                               40 bytes
 *   of two values    count, both means, both sums of squares, sum of products of the distances         88 bytes
 *
 * Rows are added as Welford (1962) does, accumulators are merged as Chan, Golub and LeVeque (1979) do: nothing large is subtracted from something
 * large, as with a sum of squares. Means and sums are kept in double-double arithmetic (Dekker 1971; about 106 bits), so that the order in which rows
 * come, and how they are grouped before they are merged, is rounded away in the result. That costs about 20 ns a row.
 *
 * int64 and numeric are taken as float64, and the result is one, as in GoogleSQL. NaN or an infinity among the values gives NaN. */

#include "aggregate_kind.h"
#include "twofold.h"

/* --- one value ---------------------------------------------------------------------------------------------------------------------------- */

struct acc_variance {
    int64_t count;
    struct twofold mean, squares;
};

static void update_variance(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    FOR_VALUES(struct acc_variance)
    {
        struct twofold value = of_double(evs_agg_number_at(column, rows->rows[i]));
        struct twofold before = minus(value, acc->mean);
        acc->mean = plus(acc->mean, divided(before, (double)++acc->count));
        acc->squares = plus(acc->squares, times(before, minus(value, acc->mean)));
    }
}

/* The weight of the difference of two means in the sum of both: a * b / (a + b). */
static struct twofold shared_weight(int64_t a, int64_t b)
{
    return divided(times(of_double((double)a), of_double((double)b)), (double)(a + b));
}

/* The mean of both: a's mean, moved towards b's. */
static struct twofold shared_mean(struct twofold mean, struct twofold distance, int64_t a, int64_t b)
{
    return plus(mean, divided(times(distance, of_double((double)b)), (double)(a + b)));
}

static void merge_variance(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    struct acc_variance *acc = (struct acc_variance *)into;
    const struct acc_variance *other = (const struct acc_variance *)from;
    (void)call;
    (void)table;
    if (acc->count == 0 || other->count == 0) {
        *acc = acc->count == 0 ? *other : *acc;
        return;
    }
    struct twofold distance = minus(other->mean, acc->mean);
    struct twofold between = times(times(distance, distance), shared_weight(acc->count, other->count));
    acc->squares = plus(plus(acc->squares, other->squares), between);
    acc->mean = shared_mean(acc->mean, distance, acc->count, other->count);
    acc->count += other->count;
}

static bool is_of_sample(enum evs_aggregate_kind kind)
{
    return kind == EVS_AGG_STDDEV_SAMP || kind == EVS_AGG_VAR_SAMP || kind == EVS_AGG_COVAR_SAMP;
}

static double not_negative(double value) /* a NaN stays one */
{
    return value < 0 ? 0 : value;
}

static enum evs_agg_outcome result_variance(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                            struct evs_value *result)
{
    const struct acc_variance *acc = (const struct acc_variance *)at;
    enum evs_aggregate_kind kind = call->config->kind;
    int64_t divisor = acc->count - is_of_sample(kind);
    (void)arena;
    result->is_null = divisor <= 0;
    if (!result->is_null) {
        double variance = not_negative(rounded(divided(acc->squares, (double)divisor)));
        bool is_deviation = kind == EVS_AGG_STDDEV_POP || kind == EVS_AGG_STDDEV_SAMP;
        result->float64 = is_deviation ? sqrt(variance) : variance;
    }
    return EVS_AGG_FITS;
}

/* --- two values --------------------------------------------------------------------------------------------------------------------------- */

struct acc_covariance {
    int64_t count;
    struct twofold mean[2], squares[2], products;
};

static void update_covariance(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *columns[2] = {argument_column(call, rows, 0), argument_column(call, rows, 1)};
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = rows->rows[i];
        if (!evs_column_is_valid(columns[0], row) || !evs_column_is_valid(columns[1], row)) {
            continue;
        }
        struct acc_covariance *acc = accumulator_of(call, rows, i);
        struct twofold before[2], after[2];
        acc->count++;
        for (int k = 0; k < 2; k++) {
            struct twofold value = of_double(evs_agg_number_at(columns[k], row));
            before[k] = minus(value, acc->mean[k]);
            acc->mean[k] = plus(acc->mean[k], divided(before[k], (double)acc->count));
            after[k] = minus(value, acc->mean[k]);
            acc->squares[k] = plus(acc->squares[k], times(before[k], after[k]));
        }
        acc->products = plus(acc->products, times(before[0], after[1]));
    }
}

static void merge_covariance(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    struct acc_covariance *acc = (struct acc_covariance *)into;
    const struct acc_covariance *other = (const struct acc_covariance *)from;
    (void)call;
    (void)table;
    if (acc->count == 0 || other->count == 0) {
        *acc = acc->count == 0 ? *other : *acc;
        return;
    }
    struct twofold distance[2], weight = shared_weight(acc->count, other->count);
    for (int k = 0; k < 2; k++) {
        distance[k] = minus(other->mean[k], acc->mean[k]);
        struct twofold between = times(times(distance[k], distance[k]), weight);
        acc->squares[k] = plus(plus(acc->squares[k], other->squares[k]), between);
        acc->mean[k] = shared_mean(acc->mean[k], distance[k], acc->count, other->count);
    }
    struct twofold between = times(times(distance[0], distance[1]), weight);
    acc->products = plus(plus(acc->products, other->products), between);
    acc->count += other->count;
}

static double correlation(const struct acc_covariance *acc)
{
    struct twofold product = times(acc->squares[0], acc->squares[1]);
    bool is_safe = product.high > 0x1p-900 && product.high < 0x1p900;
    double deviations = is_safe ? root(product) : sqrt(rounded(acc->squares[0])) * sqrt(rounded(acc->squares[1]));
    double quotient = rounded(acc->products) / deviations; /* 0 / 0 where one of the values is always the same: NaN */
    return quotient > 1 ? 1 : quotient < -1 ? -1 : quotient;
}

static enum evs_agg_outcome result_covariance(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                              struct evs_value *result)
{
    const struct acc_covariance *acc = (const struct acc_covariance *)at;
    bool is_correlation = call->config->kind == EVS_AGG_CORR;
    int64_t divisor = acc->count - (is_correlation || is_of_sample(call->config->kind));
    (void)arena;
    result->is_null = divisor <= 0;
    if (!result->is_null) {
        result->float64 = is_correlation ? correlation(acc) : rounded(divided(acc->products, (double)divisor));
    }
    return EVS_AGG_FITS;
}

const struct agg_kind *evs_agg_stats_kind(const struct evs_aggregate_call *config)
{
    static const struct agg_kind one = {.bytes = sizeof(struct acc_variance),
                                        .update = update_variance,
                                        .merge = merge_variance,
                                        .result = result_variance};
    static const struct agg_kind two = {.bytes = sizeof(struct acc_covariance),
                                        .update = update_covariance,
                                        .merge = merge_covariance,
                                        .result = result_covariance};
    bool is_of_two =
        config->kind == EVS_AGG_CORR || config->kind == EVS_AGG_COVAR_POP || config->kind == EVS_AGG_COVAR_SAMP;
    EVS_ASSERT(config->argument_count == (is_of_two ? 2u : 1u));
    return is_of_two ? &two : &one;
}
