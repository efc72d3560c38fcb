/* f(…) over (partition by … order by EVENT_TIME …). The essay is in op_over.c. */
#ifndef EVS_OP_OVER_H
#define EVS_OP_OVER_H

#include "aggregate_function.h"
#include "evstream/operator.h"

enum evs_over_kind {
    EVS_OVER_AGGREGATE, /* any aggregate function over its frame; first_value and last_value are first and last */
    EVS_OVER_NTH_VALUE, /* of a frame that is bounded */
    EVS_OVER_LAG,
    EVS_OVER_ROW_NUMBER,
    EVS_OVER_RANK, /* rows of one moment are peers */
    EVS_OVER_DENSE_RANK,
};

enum evs_over_frame {
    EVS_OVER_ALL,      /* range unbounded preceding: from the first row to the last one of the same moment */
    EVS_OVER_ALL_ROWS, /* rows unbounded preceding: from the first row to this one */
    EVS_OVER_ROWS,     /* rows N preceding: this row and the N before it */
    EVS_OVER_RANGE,    /* range INTERVAL preceding: all rows from ts - INTERVAL to ts */
};

struct evs_over_call {
    enum evs_over_kind kind;
    enum evs_over_frame frame;
    int64_t preceding;                   /* of the frame: rows, or µs */
    struct evs_aggregate_call aggregate; /* EVS_OVER_AGGREGATE: arguments are input columns */
    uint32_t argument;                   /* lag, nth_value: input column */
    int32_t fallback;                    /* lag: input column of the default, or -1: NULL */
    int64_t number;                      /* lag: how far back; nth_value: from 1 */
    bool ignore_nulls;                   /* nth_value */
    enum evs_kind result_kind;
    const char *text; /* canonical, for messages */
};

struct evs_over_config {
    const uint32_t *keys; /* input columns; none: all rows are one partition, on one worker */
    uint32_t key_count;
    const struct evs_over_call *calls; /* one a column of the output behind those of the input */
    uint32_t call_count;
    int64_t retain_us; /* a partition goes when W >= its latest row's time + retain; -1: never */
    const char *file;  /* place in the pipeline, for dead letters */
    uint32_t line;
};
extern const struct evs_operator evs_op_over;

#endif
