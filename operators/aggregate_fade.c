/* fading_sum(x, interval): a sum in which each value counts half after the interval, a quarter after two, as of the latest of these rows. A score, an interest,
 * a heat: what was done today says more than what was done last week.
 *
 *     x₁·2^((t₁-t)/h) + x₂·2^((t₂-t)/h) + …      t: the latest of the times, h: the half-life
 *
 * Nothing is kept of a row, so a row costs the same however many came before; the usual way, to fade the sum at each row, would give other last digits for
 * another order of rows. So the sum is kept as of a moment that does not depend on the order: a multiple of h,
 *
 *     t = (k + f)·h, k whole, 0 ≤ f < 1          x·2^(t/h) = x·2^f · 2^k
 *
 * with 2^f made of the row alone and 2^k as an exponent of its own, in whole steps: to move it multiplies by powers of two, which is exact. The greatest k is
 * that of the sum, so nothing overflows however long it is kept, and what is older than a thousand half-lives goes to zero. The parts are added in double-double
 * arithmetic, whose rounding does not show.  40 bytes.
 *
 * NULL is left out; NaN or an infinity among the values gives NaN. */
#include "aggregate_kind.h"
#include "twofold.h"

struct acc_fade {
    int64_t count;
    int64_t latest_us;
    int64_t halvings;   /* k of the sum: latest_us / h, rounded down */
    struct twofold sum; /* in units of 2^k */
};
_Static_assert(sizeof(struct acc_fade) == 40, "part of the state format");

#define HALVINGS_MAX 2200 /* more leave nothing of any float64 */

static int64_t halvings_of(int64_t time_us, int64_t half_us)
{
    int64_t whole = time_us / half_us;
    return whole - (whole * half_us > time_us);
}

/* What is left of 2^(t/h) above 2^k: 1 to 2. */
static double remainder_of(int64_t time_us, int64_t half_us, int64_t halvings)
{
    return exp2((double)(time_us - halvings * half_us) / (double)half_us);
}

static struct twofold halved(struct twofold value, int64_t times)
{
    EVS_ASSERT(times >= 0);
    int exponent = times < HALVINGS_MAX ? -(int)times : -HALVINGS_MAX;
    return (struct twofold){ldexp(value.high, exponent), ldexp(value.low, exponent)};
}

/* Adds a sum in units of 2^halvings. */
static void add(struct acc_fade *acc, struct twofold sum, int64_t halvings)
{
    if (acc->count == 0 || halvings > acc->halvings) {
        acc->sum = acc->count == 0 ? (struct twofold){0, 0} : halved(acc->sum, halvings - acc->halvings);
        acc->halvings = halvings;
    }
    acc->sum = plus(acc->sum, halved(sum, acc->halvings - halvings));
}

static void update_fade(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    int64_t half_us = call->config->within_us;
    FOR_VALUES(struct acc_fade)
    {
        uint32_t row = rows->rows[i];
        int64_t time_us = rows->batch->event_time_us[row], halvings = halvings_of(time_us, half_us);
        double value = evs_agg_number_at(column, row);
        add(acc, times(of_double(value), of_double(remainder_of(time_us, half_us, halvings))), halvings);
        acc->latest_us = acc->count == 0 || time_us > acc->latest_us ? time_us : acc->latest_us;
        acc->count++;
    }
}

static void merge_fade(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    struct acc_fade *acc = (struct acc_fade *)into;
    const struct acc_fade *other = (const struct acc_fade *)from;
    (void)call;
    (void)table;
    if (other->count == 0) {
        return;
    }
    add(acc, other->sum, other->halvings);
    acc->latest_us = acc->count == 0 || other->latest_us > acc->latest_us ? other->latest_us : acc->latest_us;
    acc->count += other->count;
}

static enum evs_agg_outcome result_fade(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                        struct evs_value *result)
{
    const struct acc_fade *acc = (const struct acc_fade *)at;
    (void)arena;
    result->is_null = acc->count == 0;
    if (!result->is_null) {
        double rest = remainder_of(acc->latest_us, call->config->within_us, acc->halvings);
        result->float64 = rounded(divided(acc->sum, rest));
    }
    return EVS_AGG_FITS;
}

const struct agg_kind *evs_agg_fade_kind(const struct evs_aggregate_call *config)
{
    static const struct agg_kind kind = {
        .bytes = sizeof(struct acc_fade), .update = update_fade, .merge = merge_fade, .result = result_fade};
    EVS_ASSERT(config->within_us > 0);
    return &kind;
}
