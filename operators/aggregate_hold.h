/* Rows that wait for the watermark: what makes results independent of batches, workers and partitions that are ahead of others.
 *
 * A result that comes at the moment e (a window closes, `emit every` has a tick) counts the rows that were there at e: those with an event time before
 * e, judged by a watermark below e. So a row counts from v = max(its event time, the watermark of its partition before it) on. Rows come in batches,
 * and from partitions of which one is ahead: a row that must not count at some e between the operator's watermark and v waits here until
 * the watermark has come to v and everything up to it is out; then it is given back, in the order (v, partition, position), in batches like those of the input.
 *
 *     row ──► is there an e with W < e <= v? ──no──► counted at once        (nearly every row of a window that only closes)
 *                        └─yes─► held, a kept row ──► W >= v ──► counted
 *
 * Stored: each held row once; a restore leaves out those up to the watermark of the commit. Private to the aggregate's operators. */
#ifndef EVS_AGGREGATE_HOLD_H
#define EVS_AGGREGATE_HOLD_H

#include "evstream/operator.h"
#include "evstream/rows.h"

struct agg_held {
    int64_t due_us;       /* v */
    int64_t watermark_us; /* that judges it */
    uint64_t hash;        /* of its key */
    struct evs_row *row;
    bool is_stored; /* in a snapshot already */
};

struct agg_hold {
    struct evs_row_layout layout;
    struct evs_row_pool pool;
    struct agg_held *heap;
    uint32_t count, capacity;
    bool is_strict;
    struct evs_row_layout stored; /* of rows of another version of the pipeline, while they are restored */
    bool has_stored;
};

/* `is_strict`: a row is given back when the watermark has passed its moment, so that other rows of that very moment, from other partitions, are there too. */
void evs_agg_hold_init(struct agg_hold *hold, struct evs_op *op, bool is_strict);
void evs_agg_hold_fini(struct agg_hold *hold);
void evs_agg_hold_row(struct agg_hold *hold, const struct evs_batch *batch, uint32_t row, uint64_t hash, int64_t due_us,
                      int64_t watermark_us);
/* When the first held row is due; EVS_TIME_MAX: none is held. */
int64_t evs_agg_hold_next(const struct agg_hold *hold);
/* The rows that are due at the watermark `until_us`, and before `below_us`, at most a batch of them, with their watermarks; NULL when there is none. Rows of
 * one lineage and kind of cause share a batch. */
struct evs_batch *evs_agg_hold_release(struct evs_op *op, struct agg_hold *hold, int64_t until_us, int64_t below_us);

void evs_agg_hold_snapshot(struct agg_hold *hold, struct evs_snapshot_writer *writer, uint32_t section, bool full);
/* False: the bytes are no row of this operator. */
bool evs_agg_hold_restore(struct evs_op *op, struct agg_hold *hold, const struct evs_snapshot_record *record);

#endif
