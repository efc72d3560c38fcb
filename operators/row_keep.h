/* Rows that an operator keeps and gives out again, whole: hold, deduplicate … keep last, top, order by, over.
 *
 * A kept row is the engine's (evstream/rows.h) with all columns of the operator's input. Where somebody downstream makes trigger ids, the identity
 * that the row has from a stateful operator before (batch->key) is kept as one more column behind them.
 *
 *   batch ── evs_keeper_see, evs_keeper_keep ──► struct evs_row ── evs_keeper_batch ──► batch
 *                                                     │
 *                                                     └── evs_going: rows on their way out, in event-time order
 *
 * Which columns a row has is the planner's choice (only those that somebody asks for), so each stored record carries `shape`, a hash of the columns'
 * kinds: records of other columns are refused at restore instead of being read wrongly. */
#ifndef EVS_ROW_KEEP_H
#define EVS_ROW_KEEP_H

#include "evstream/operator.h"
#include "evstream/rows.h"

struct evs_keeper {
    struct evs_row_layout layout;
    struct evs_row_pool pool;
    uint32_t column_count; /* of the input */
    uint64_t shape;
    struct evs_batch view; /* the batch that is being read, with the identity as a column */
    struct evs_column *view_columns;
    uint64_t no_identity; /* validity of a constant NULL */
    const struct evs_op *op;
    struct evs_stored_rows *stored; /* how rows of another version of the pipeline lie, while they are restored */
};

void evs_keeper_init(struct evs_keeper *keeper, struct evs_op *op);
void evs_keeper_fini(struct evs_keeper *keeper); /* also when it was never opened */

/* The batch whose rows are kept until the next call; it must outlive them. */
void evs_keeper_see(struct evs_keeper *keeper, const struct evs_batch *batch);
struct evs_row *evs_keeper_keep(struct evs_keeper *keeper, uint32_t row);
/* A stored row. EVS_E_STATE: it has other columns than the operator's rows have now; EVS_E_CORRUPT: the bytes are damaged. `what` is the operator. */
EVS_MUST_CHECK evs_status evs_keeper_restore(struct evs_keeper *keeper, uint64_t shape, struct evs_slice bytes,
                                             const char *what, struct evs_row **row, struct evs_error *error);

/* A row on its way out, and the event time that it has from now on. */
struct evs_going_row {
    int64_t time_us;
    struct evs_row *row;
    uint32_t mark; /* the operator's own */
};
/* The rows as a batch of the operator's output: their own columns first; columns behind them are the caller's to make. At most EVS_BATCH_ROWS rows.
 * Lineage and kind of cause are the first row's. */
struct evs_batch *evs_keeper_batch(struct evs_op *op, const struct evs_keeper *keeper, const struct evs_going_row *rows,
                                   uint32_t count);
/* How many of the rows, from the first, may share a batch: one lineage and kind of cause, identities in all or in none. */
uint32_t evs_keeper_alike(const struct evs_keeper *keeper, const struct evs_going_row *rows, uint32_t count);

/* A queue of rows that a watermark has released. Zero-initialised is empty. */
struct evs_going {
    struct evs_going_row *rows;
    uint32_t count, capacity, at;
};
void evs_going_add(struct evs_going *going, int64_t time_us, struct evs_row *row);
/* By time, then by the order of the key, then by the columns: the same order whatever the order in which they were added. */
void evs_going_sort(struct evs_going *going, const struct evs_keeper *keeper);
/* Emits and frees rows, at most `batches` batches to output 0. EVS_MORE: rows are left. */
evs_status evs_going_emit(struct evs_op *op, struct evs_keeper *keeper, struct evs_going *going, uint32_t batches);
void evs_going_fini(struct evs_going *going);

#endif
