/* Rows of keys, taken in the order of their key: the first half of sequence and match_recognize.
 *
 *   process:    batch ──► late? NULL key? conditions ──► kept row ──► pending, by event time
 *   watermark:  pending ──► rows that the watermark has passed, in event-time order, ties by the order of a key
 *
 * Whatever can be said of a row alone is said on arrival, column by column: each condition is a bit of the row's mask. A row that meets no condition
 * and that the operator does not need to see (`keeps_every_row`) is not kept at all.
 *
 * A row is released when W > its time: no row can come in front of it any more. Until then it waits in one heap over all keys; a key with nothing pending
 * costs nothing here. The key's entry in the table is the operator's; it lives while the operator holds it or rows of the key are pending.
 *
 * Memory: a pending or held row is one block of 24 bytes and the row (evstream/rows.h), and 16 bytes of heap while it is pending.
 * Snapshots: pending rows are records (section 0 of the operator), each written once; none is deleted, for a restore leaves out those that the
 * watermark of the commit has released. */
#ifndef EVS_KEYED_ROWS_H
#define EVS_KEYED_ROWS_H

#include "evstream/operator.h"
#include "evstream/rows.h"
#include "evstream/timer.h"
#include "expr.h"

#define EVS_CONDITIONS_MAX 64u

struct evs_keyed_rows_config {
    const uint32_t *columns; /* of the input that are kept: first the keys */
    uint32_t column_count, key_count;
    const struct evs_program *conditions; /* outputs: bools; NULL: there are none */
    uint32_t condition_count;
    bool keeps_every_row; /* also those that meet no condition */
    bool takes_null_keys; /* NULL is a key like any other; else such a row is left out and counted */
    bool
        late_output; /* output 1: late_columns columns of the input (input column late_map[i], EVS_KEYED_NULL for none), _watermark, _lateness */
    const uint32_t *late_map;
    uint32_t late_columns;
    struct evs_schema late_schema;
};
#define EVS_KEYED_NULL UINT32_MAX

struct evs_keyed_row {
    uint64_t mask;       /* bit i: condition i holds of the row */
    uint32_t entry;      /* of its key */
    uint32_t references; /* of the operator; the pending heap has one, and the list of what no checkpoint has */
    uint32_t number;     /* the operator's own */
    _Alignas(8) struct evs_row row;
};
_Static_assert(offsetof(struct evs_keyed_row, row) == 24, "as stated above");

/* The first thing in the values of an entry. */
struct evs_keyed_head {
    uint32_t pending; /* rows */
    uint32_t holds;   /* of the operator */
};

struct evs_keyed_rows {
    const struct evs_keyed_rows_config *config;
    struct evs_row_layout layout;
    struct evs_row_pool pool;
    struct evs_table_layout table_layout;
    struct evs_table table;
    struct evs_eval *eval;
    struct evs_timers pending; /* the payload is the row */
    bool is_durable;
    struct evs_keyed_row **unsaved; /* came since the last checkpoint; perhaps released since */
    uint32_t unsaved_count, unsaved_capacity;
    struct evs_keyed_row **ready; /* rows of one moment, in order */
    uint32_t ready_count, ready_at, ready_capacity;

    uint64_t hashes[EVS_BATCH_ROWS], masks[EVS_BATCH_ROWS];
    bool is_out[EVS_BATCH_ROWS]; /* physical rows that are late, dead or have a NULL key */
    uint16_t late[EVS_BATCH_ROWS];
};

/* `value_bytes`: what the operator keeps in an entry behind struct evs_keyed_head. */
void evs_keyed_open(struct evs_keyed_rows *rows, struct evs_op *op, const struct evs_keyed_rows_config *config,
                    uint32_t value_bytes);
void evs_keyed_close(struct evs_keyed_rows *rows); /* also when it was never opened */

/* Takes a batch in. Emits late rows: at most one batch to output 1. */
void evs_keyed_take(struct evs_keyed_rows *rows, struct evs_op *op, struct evs_batch *batch);
static inline bool evs_keyed_has_next(const struct evs_keyed_rows *rows)
{
    return rows->ready_at < rows->ready_count || rows->pending.count > 0;
}
/* The time of the next row; EVS_TIME_MAX when there is none. */
int64_t evs_keyed_next_time(const struct evs_keyed_rows *rows);
/* Takes the next row whose time is <= until_us; NULL when there is none. The caller has its reference. */
struct evs_keyed_row *evs_keyed_next(struct evs_keyed_rows *rows, int64_t until_us);
void evs_keyed_row_release(struct evs_keyed_rows *rows, struct evs_keyed_row *row);

static inline struct evs_entry *evs_keyed_entry(const struct evs_keyed_rows *rows, uint32_t entry)
{
    return evs_table_at(&rows->table, entry);
}
/* The operator's values of a key. */
static inline void *evs_keyed_values(const struct evs_keyed_rows *rows, uint32_t entry)
{
    return evs_entry_values(&rows->table_layout, evs_keyed_entry(rows, entry)) + sizeof(struct evs_keyed_head);
}
/* The operator keeps something of the key, or no longer: an entry that nobody needs is removed. */
void evs_keyed_hold(struct evs_keyed_rows *rows, struct evs_op *op, uint32_t entry);
void evs_keyed_drop(struct evs_keyed_rows *rows, struct evs_op *op, uint32_t entry);

/* --- snapshots -------------------------------------------------------------------------------------------------------------------- */

#define EVS_KEYED_SECTION 0
void evs_keyed_snapshot(struct evs_keyed_rows *rows, const struct evs_op *op, struct evs_snapshot_writer *writer,
                        bool full);
/* A record of EVS_KEYED_SECTION. False: damaged. */
bool evs_keyed_restore(struct evs_keyed_rows *rows, struct evs_op *op, const struct evs_snapshot_record *record);
/* A row of the operator's own records, its key's entry found or made; it has one reference. NULL: damaged. */
struct evs_keyed_row *evs_keyed_restore_row(struct evs_keyed_rows *rows, struct evs_op *op, uint64_t hash,
                                            uint64_t mask, struct evs_slice bytes);
size_t evs_keyed_bytes(const struct evs_keyed_rows *rows);

#endif
