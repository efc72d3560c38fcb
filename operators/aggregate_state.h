/* The aggregate operator's state: windows of groups, and how they are stored. Private to the aggregate operator.
 *
 * An entry of a window's table: header, key, then values = [ struct group_times (unwindowed only) ] [ accumulators ]. */
#ifndef EVS_AGGREGATE_STATE_H
#define EVS_AGGREGATE_STATE_H

#include "aggregate_call.h"
#include "op_aggregate.h"

struct group_times {   /* unwindowed groups */
    int64_t latest_us; /* event time of the latest row: retain runs from it */
    int64_t revision;  /* of the next result */
};

struct agg_window {
    int64_t start_us, end_us; /* [start, end); an unwindowed operator has one, from the beginning to the end of time */
    struct evs_table table;
    uint32_t
        *dirty; /* indices of entries that changed since the last snapshot; an entry's epoch tells that it is listed */
    uint32_t dirty_count, dirty_capacity;
    struct agg_window *next_free;
};

struct deadline { /* of an unwindowed group; one a live entry, re-armed when it comes up too early */
    int64_t at_us;
    uint32_t index;
};

struct aggregate {
    const struct evs_aggregate_config *config;
    struct evs_table_layout layout;
    struct agg_call *calls;
    struct agg_window **windows; /* open ones, by start */
    uint32_t window_count, window_capacity;
    struct agg_window *free_windows;
    struct agg_window *last_window; /* the last row's: most rows fall into it */
    uint32_t epoch;
    bool durable;  /* changes must be remembered for snapshots */
    bool restored; /* deadlines are to be built from the entries */

    struct deadline *deadlines; /* a binary heap */
    uint32_t deadline_count, deadline_capacity;
    struct evs_buffer deleted, deleted_text; /* keys of expired groups, for the next snapshot */
    uint32_t *deleted_text_bytes;
    uint64_t *deleted_hashes;
    uint32_t deleted_count, deleted_hash_capacity, deleted_text_capacity;

    int64_t told_bytes;  /* of the tables, as the runtime knows it */
    uint32_t emit_entry; /* where the emission of windows[0] goes on */

    /* scratch of one batch */
    uint64_t hashes[EVS_BATCH_ROWS];
    uint16_t rows[EVS_BATCH_ROWS], some_rows[EVS_BATCH_ROWS], late_rows[EVS_BATCH_ROWS];
    struct agg_window *row_windows[EVS_BATCH_ROWS];
    struct evs_table *tables[EVS_BATCH_ROWS], *some_tables[EVS_BATCH_ROWS];
    uint8_t *values[EVS_BATCH_ROWS], *some_values[EVS_BATCH_ROWS];
};

static inline struct group_times *evs_group_times(const struct aggregate *agg, struct evs_entry *entry)
{
    return (struct group_times *)evs_entry_values(&agg->layout, entry);
}
static inline bool evs_agg_is_windowed(const struct aggregate *agg)
{
    return agg->config->window != EVS_WINDOW_NONE;
}

/* The open window that begins at start_us; opened when there is none. */
struct agg_window *evs_agg_window(struct aggregate *agg, int64_t start_us, int64_t end_us);
/* The first open window is done: its table is kept for the next one. */
void evs_agg_window_done(struct aggregate *agg);
void evs_agg_mark(struct aggregate *agg, struct agg_window *window, struct evs_entry *entry, uint32_t index);

/* Retention of unwindowed groups. */
void evs_agg_arm_restored(struct aggregate *agg); /* after a restore: deadlines are not stored (exactness, 19) */
void evs_agg_arm(struct aggregate *agg, uint32_t index, int64_t at_us);
bool evs_agg_next_expired(struct aggregate *agg, int64_t watermark_us, uint32_t *index); /* takes it off the heap */
void evs_agg_forget(struct aggregate *agg, struct agg_window *window, uint32_t index);   /* removes a group */
/* The group begins anew, with the same key. */
void evs_agg_reset(struct aggregate *agg, struct agg_window *window, struct evs_entry *entry);

/* Gives back the room of what is gone, when it has become more than half. */
void evs_agg_compact(struct aggregate *agg, struct agg_window *window);

/* aggregate_snapshot.c */
#define EVS_AGG_SNAPSHOT_VERSION 2
evs_status evs_agg_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full);
evs_status evs_agg_restore(struct evs_op *op, void *state, uint32_t version, const struct evs_snapshot_record *record,
                           struct evs_error *error);
void evs_agg_remember_deleted(struct aggregate *agg, struct evs_entry *entry);

#endif
