/* Aggregate functions as the planner gives them to operators. What each one means to a user: lang/aggregate_table.c.
 *
 * `distinct` goes with every function but those that have no use for it; the accumulator then holds the distinct values. */
#ifndef EVS_AGGREGATE_FUNCTION_H
#define EVS_AGGREGATE_FUNCTION_H

#include "evstream/batch.h"

enum evs_aggregate_kind {
    EVS_AGG_COUNT_ROWS, /* count(*) → int64 */
    EVS_AGG_COUNT,      /* count(x): not NULL → int64 */
    EVS_AGG_COUNTIF,    /* countif(b): true → int64 */
    EVS_AGG_SUM, /* int64 → int64 (overflow: dead letter), float64 → float64, numeric → numeric; NULL when there was no value */
    EVS_AGG_AVG, /* int64, float64 → float64; numeric → numeric */
    EVS_AGG_MIN, /* any ordered type; NULL when there was no value; a NaN wins (GoogleSQL) */
    EVS_AGG_MAX,
    EVS_AGG_ANY_VALUE, /* the first by the order of the key, NULLs kept */
    EVS_AGG_FIRST,     /* by the order of the key (event time, partition, position); NULLs kept unless ignore_nulls */
    EVS_AGG_LAST,
    EVS_AGG_MIN_BY, /* (x, y): x of the row with the least y; ties by the order of the key; NULL y only where there is no other */
    EVS_AGG_MAX_BY,
    EVS_AGG_BIT_AND, /* int64 */
    EVS_AGG_BIT_OR,
    EVS_AGG_BIT_XOR,
    EVS_AGG_LOGICAL_AND, /* bool */
    EVS_AGG_LOGICAL_OR,
    EVS_AGG_STDDEV_POP, /* number → float64 */
    EVS_AGG_STDDEV_SAMP,
    EVS_AGG_VAR_POP,
    EVS_AGG_VAR_SAMP,
    EVS_AGG_CORR, /* (y, x): pairs without a NULL → float64 */
    EVS_AGG_COVAR_POP,
    EVS_AGG_COVAR_SAMP,
    EVS_AGG_ARRAY_AGG,        /* x → array of x, by `orders`, then the order of the key */
    EVS_AGG_ARRAY_CONCAT_AGG, /* array → array */
    EVS_AGG_STRING_AGG,       /* string or bytes → the same */
    EVS_AGG_APPROX_COUNT_DISTINCT,
    EVS_AGG_APPROX_QUANTILES, /* → array with number + 1 elements */
    EVS_AGG_APPROX_TOP_COUNT, /* → array of struct (value, count), at most `number` */
    EVS_AGG_APPROX_TOP_SUM,   /* (x, weight) → array of struct (value, sum) */
    EVS_AGG_WINDOW_FUNNEL,    /* (step 1, step 2, …): bools → int64 */
    EVS_AGG_FADING_SUM,       /* number → float64: each value counts half after `within_us` */
    EVS_AGG_KINDS
};

struct evs_aggregate_order {
    uint32_t argument; /* index in `arguments` */
    bool is_descending, nulls_last;
};

struct evs_aggregate_call {
    enum evs_aggregate_kind kind;
    const uint32_t *arguments;           /* input columns: those of the function, then those of `orders` */
    const struct evs_type *const *types; /* of the arguments */
    uint32_t argument_count;
    int32_t condition; /* bool input column of `agg(x where c)`: only rows where it is true count; or -1 */
    const struct evs_type *result_type;
    bool is_distinct, ignore_nulls;
    const struct evs_aggregate_order *orders; /* array_agg, string_agg, array_concat_agg */
    uint32_t order_count;
    int64_t limit;              /* elements of an array or string, or -1 */
    int64_t number;             /* approx_…: how many quantiles or values */
    struct evs_slice delimiter; /* string_agg */
    int64_t within_us;          /* window_funnel: from the first step to the last, inclusive; fading_sum: the half-life */
    uint64_t bytes_max;         /* what it may keep of one group; then the group fails */
    const char *text;           /* canonical, for messages and for the identity of the state column */
};

/* Keeps every value that it has met: an unbounded input of one group is no bound for it. */
bool evs_aggregate_grows(enum evs_aggregate_kind kind, bool is_distinct);
/* Keeps more than a few bytes: what grows, and sketches. */
bool evs_aggregate_is_large(enum evs_aggregate_kind kind, bool is_distinct);

#endif
