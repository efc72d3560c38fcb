/* What a match shows of its rows: the columns that sequences and match_recognize give, and those that conditions on earlier steps see.
 *
 * A match is a list of kept rows in the order of their key, each of which belongs to a part: a step of a sequence, a symbol of a pattern. */
#ifndef EVS_MATCH_MEASURE_H
#define EVS_MATCH_MEASURE_H

#include "aggregate_call.h"
#include "evstream/rows.h"

#define EVS_EVERY_PART UINT32_MAX

enum evs_measure_kind {
    EVS_MEASURE_KEY,     /* kept column of the row that the match began with */
    EVS_MEASURE_CURRENT, /* of the row that is being judged (conditions only) */
    EVS_MEASURE_FIRST,   /* of the part's first row; NULL: it has none */
    EVS_MEASURE_LAST,    /* of its last row */
    EVS_MEASURE_COUNT,   /* rows of the part: int64 */
    EVS_MEASURE_CALL,    /* an aggregate function over the part's rows */
    EVS_MEASURE_NUMBER,  /* which match of its partition it is, from 1: int64 */
    EVS_MEASURE_TIMEOUT, /* it is an attempt that has run out of time: bool */
};

struct evs_measure {
    enum evs_measure_kind kind;
    uint32_t part;                  /* or EVS_EVERY_PART */
    uint32_t column;                /* kept column */
    struct evs_aggregate_call call; /* its arguments and condition are kept columns */
    const struct evs_type *type;
};

struct evs_match_view {
    const struct evs_row *begin;   /* the row that it began with; an empty match has no other */
    const struct evs_row *current; /* conditions only */
    const struct evs_row *const *rows;
    const uint8_t *parts; /* one a row */
    uint32_t count;
    int64_t number;
    bool is_timeout;
};

/* Scratch for calls; one a task. */
struct evs_measuring;
struct evs_measuring *evs_measuring_new(const struct evs_row_layout *layout);
void evs_measuring_free(struct evs_measuring *measuring);

/* Writes the measure into element `row` of `out`, a nullable column of `batch`. NULL, or why it failed: then the element is NULL. */
const struct evs_agg_failure *evs_measure(struct evs_measuring *measuring, const struct evs_measure *measure,
                                          const struct evs_match_view *view, struct evs_batch *batch,
                                          struct evs_column *out, uint32_t row);

#endif
