/* The state of evs_op_aggregate: windows of groups, and how they are stored. Private to it.
 *
 * An entry of a window's table: header, key, then values = [ struct group_times (update streams) ] [ accumulators ].
 *
 *      windows, by their end:   │ closed, kept for late rows │ open …            │
 *                               └── end <= clock ────────────┴── end > clock ────┘
 *      clock: how far results are out; the operator's watermark, but while one is being worked off */
#ifndef EVS_AGGREGATE_STATE_H
#define EVS_AGGREGATE_STATE_H

#include "aggregate_hold.h"
#include "aggregate_out.h"
#include "aggregate_record.h"
#include "row_judge.h"

struct group_times {     /* of groups whose results have revisions */
    int64_t latest_us;   /* unwindowed: event time of the latest row: retain runs from it */
    uint64_t shown;      /* emit every: a hash of the last result that was emitted */
    uint32_t revision;   /* of the next result */
    uint32_t is_changed; /* emit every: there was a row since the last tick */
};

struct agg_window {
    struct evs_span span; /* an unwindowed operator has one, from the beginning to the end of time */
    struct evs_table table;
    struct agg_dirty dirty;
    struct agg_dirty frozen; /* those of the checkpoint that is being written (aggregate_freeze.c): up to frozen_at */
    uint32_t frozen_at;
    bool copies;                   /* its copy is not complete */
    struct evs_snapshot_at copied; /* so far */
    uint32_t *changed;             /* emit every: indices of entries with is_changed */
    uint32_t changed_count, changed_capacity;
    struct agg_window *next_free;
};

struct deadline { /* of an unwindowed group; one a live entry, re-armed when it comes up too early */
    int64_t at_us;
    uint32_t index;
};

/* A moment at which results come, being worked off: EVS_MORE goes on here. */
enum agg_moment { MOMENT_NONE, MOMENT_TICK, MOMENT_CLOSE, MOMENT_FINAL };
struct agg_work {
    enum agg_moment moment;
    int64_t at_us;
    uint32_t window, entry; /* where it goes on */
};

struct aggregate {
    struct agg_base base;
    struct evs_table_layout layout;
    bool has_times;              /* entries begin with struct group_times */
    struct agg_window **windows; /* by end, then start */
    uint32_t window_count, window_capacity;
    struct agg_window *free_windows;
    struct agg_window *last_window; /* the last row's: most rows fall into it */
    int64_t clock_us;
    bool restored; /* deadlines are to be built from the entries */

    struct deadline *deadlines; /* a binary heap */
    uint32_t deadline_count, deadline_capacity;
    struct agg_deleted deleted; /* expired groups, for the next snapshot */
    struct agg_writing writing;

    struct agg_hold hold;
    bool holds;                 /* the configuration may need it */
    struct evs_batch *released; /* held rows being counted, from `position` on */
    uint32_t emitted;           /* batches, by the last evs_agg_count_rows */
    uint32_t position;          /* of the batch being counted: rows before it are done */
    struct agg_work work;
    int64_t told_bytes, told_windows; /* of the tables and held rows, as the runtime knows it */

    /* Scratch of one batch: pairs of a row and a window that it counts in. */
    uint64_t hashes[EVS_BATCH_ROWS], pair_hashes[EVS_BATCH_ROWS];
    uint16_t rows[EVS_BATCH_ROWS];
    struct agg_window *row_windows[EVS_BATCH_ROWS];
    struct evs_table *tables[EVS_BATCH_ROWS];
    uint8_t *values[EVS_BATCH_ROWS];
    uint32_t pair_count;
    struct agg_some some;
    struct agg_late late[EVS_BATCH_ROWS];
    uint32_t late_count;
};

static inline struct group_times *evs_group_times(const struct aggregate *agg, struct evs_entry *entry)
{
    EVS_ASSERT(agg->has_times);
    return (struct group_times *)evs_entry_values(&agg->layout, entry);
}
static inline bool evs_agg_is_windowed(const struct aggregate *agg)
{
    return agg->base.config->window.kind != EVS_WINDOW_NONE;
}
/* When a window is gone for good. */
static inline int64_t evs_agg_gone_us(const struct aggregate *agg, const struct evs_span *span)
{
    return evs_time_plus(span->end_us, agg->base.config->lateness_us);
}

/* The window; opened when there is none. */
struct agg_window *evs_agg_window(struct aggregate *agg, struct evs_span span);
/* The first window that ends at or after a moment. */
uint32_t evs_agg_window_after(const struct aggregate *agg, int64_t end_us);
/* The first window is gone: its table is kept for another one. */
void evs_agg_window_done(struct aggregate *agg);
/* The group is about to change, or is new. */
void evs_agg_mark(struct aggregate *agg, struct agg_window *window, struct evs_entry *entry, uint32_t index,
                  bool is_new);
/* emit every: the group has got a row. */
void evs_agg_change(struct aggregate *agg, struct agg_window *window, struct evs_entry *entry, uint32_t index);

/* Retention of unwindowed groups. */
void evs_agg_arm_restored(struct aggregate *agg); /* after a restore: deadlines are not stored (exactness, 19) */
void evs_agg_arm(struct aggregate *agg, uint32_t index, int64_t at_us);
bool evs_agg_next_expired(struct aggregate *agg, int64_t watermark_us, uint32_t *index); /* takes it off the heap */
void evs_agg_forget(struct aggregate *agg, struct agg_window *window, uint32_t index);   /* removes a group */
/* The group begins anew, with the same key. */
void evs_agg_reset(struct aggregate *agg, struct agg_window *window, struct evs_entry *entry);

/* Gives back the room of what is gone, when it has become more than half. */
void evs_agg_compact(struct aggregate *agg, struct agg_window *window);

/* aggregate_moment.c: results. */
#define EVS_AGG_EMIT_BATCHES 4u

/* Emits every result up to the moment `until_us`, and counts held rows in between. EVS_MORE: credit is used up. */
evs_status evs_agg_advance(struct evs_op *op, struct aggregate *agg, int64_t until_us);
/* A result of one group. `time_us`: its event time. `causing`: the row that it is the result of; NULL: a moment. */
struct agg_causing {
    const struct evs_batch *batch;
    uint32_t row;
};
void evs_agg_emit_group(struct aggregate *agg, struct agg_out *out, struct agg_window *window, struct evs_entry *entry,
                        int64_t time_us, bool is_final, const struct agg_causing *causing);

/* op_aggregate.c: counts the rows of a batch from agg->position on. EVS_MORE: credit is used up. */
evs_status evs_agg_count_rows(struct evs_op *op, struct aggregate *agg, struct evs_batch *batch, bool is_released);

/* aggregate_freeze.c */
enum { EVS_AGG_SECTION_GROUPS = 0, EVS_AGG_SECTION_GROUP_PARTS = 1, EVS_AGG_SECTION_HELD_ROWS = 2 };
evs_status evs_agg_freeze(struct evs_op *op, void *state, struct evs_snapshot_writer *changes,
                          struct evs_snapshot_writer *copy);
evs_status evs_agg_write(struct evs_op *op, void *state, uint32_t records);
/* The group changes otherwise than evs_agg_mark says, or goes: a checkpoint that is being written has it as it was. */
void evs_agg_write_before(struct aggregate *agg, const struct agg_window *window, struct evs_entry *entry);
/* The rest at once: a window closes. */
void evs_agg_write_all(struct evs_op *op, struct aggregate *agg);

/* aggregate_snapshot.c */
#define EVS_AGG_SNAPSHOT_VERSION 2
evs_status evs_agg_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full);
evs_status evs_agg_restore(struct evs_op *op, void *state, uint32_t version, const struct evs_snapshot_record *record,
                           struct evs_error *error);
void evs_agg_remember_deleted(struct aggregate *agg, struct evs_entry *entry);

#endif
