/* What op_over keeps: partitions, rows that wait, rows that frames still look at. Private to the operator.
 *
 *   slots: rows that wait, one timer each        table: an entry a partition
 *   ┌─────┬───────┐                              ┌─────┬──────────────────────────────────────────┬──────────────┐
 *   │ row │ entry │ … ── W > ts, in order ──►    │ key │ struct over_key: counters, history (list) │ accumulators │
 *   └─────┴───────┘                              └─────┴──────────────────────────────────────────┴──────────────┘
 *
 * History: the last `rows_back` rows of the partition and those not more than `range_back_us` before its latest one, and no others: a function of the
 * partition's own rows, so that a restore, which reads the rows that were ever stored, ends with the same. */
#ifndef EVS_OVER_STATE_H
#define EVS_OVER_STATE_H

#include "aggregate_call.h"
#include "evstream/timer.h"
#include "op_over.h"
#include "row_judge.h"
#include "row_keep.h"

struct over_key { /* the values of an entry; accumulators follow */
    struct evs_row_list history;
    int64_t latest_us;      /* time of the latest row that was evaluated; valid when count > 0 */
    int64_t count;          /* rows evaluated since the partition began */
    int64_t rank;           /* of the latest moment */
    int64_t dense_rank;     /* of the latest moment */
    uint32_t waiting;       /* rows in slots, or released and not yet evaluated */
    uint32_t due_last;      /* among the released rows: index + 1 of the last one of this partition, for linking */
    uint32_t at;            /* position in the history of the row that is being evaluated */
    uint32_t is_armed;      /* an expiry timer is pending */
    uint64_t dropped;       /* rows that have left the history since the partition began, or was restored */
    struct over_sums *sums; /* of long frames, one a call (over_sums.c); NULL: none yet */
};

struct over_slot {
    struct evs_row *row; /* NULL: free */
    uint32_t entry;
    uint32_t next_free; /* index + 1 */
};

struct over_due { /* a released row */
    struct evs_row *row;
    uint32_t entry;
    uint32_t next;          /* the next row of the same partition and moment: index + 1 */
    bool is_first, is_last; /* of these */
};

struct over {
    const struct evs_over_config *config;
    struct evs_keeper keeper;
    struct evs_table_layout layout;
    struct evs_table table;
    bool *is_summed;             /* of each call: evs_over_can_sum */
    struct agg_call *calls;      /* of EVS_OVER_AGGREGATE; those of unbounded frames have their bytes in the entry */
    uint32_t accumulators_bytes; /* in the entry, behind struct over_key */
    uint32_t rows_back;
    int64_t range_back_us; /* -1: no such frame */
    bool keeps_history;

    struct over_slot *slots;
    uint32_t slot_count, slot_capacity, slot_free;
    struct evs_timers timers; /* of slots, at their row's time */
    struct evs_timers expiry; /* of entries; lazy */
    struct over_due *due;     /* released by the watermark that is being worked on */
    uint32_t due_count, due_capacity, due_at;

    bool durable, restored;
    uint32_t *dirty_slots, *dirty_entries; /* since the last snapshot */
    uint32_t dirty_slot_count, dirty_slot_capacity, dirty_entry_count, dirty_entry_capacity, epoch;
    int64_t told_bytes;

    struct evs_batch scratch;     /* arguments of calls, decoded from kept rows (over_frame.c) */
    uint8_t *frame_values;        /* the accumulator of a bounded frame */
    struct evs_table frame_table; /* its arena */
    size_t sums_bytes;            /* of all partitions */
    uint64_t hashes[EVS_BATCH_ROWS];
};

static inline struct over_key *evs_over_key(const struct over *over, struct evs_entry *entry)
{
    return (struct over_key *)evs_entry_values(&over->layout, entry);
}
static inline bool evs_over_is_running(const struct evs_over_call *call)
{
    return call->kind == EVS_OVER_AGGREGATE && (call->frame == EVS_OVER_ALL || call->frame == EVS_OVER_ALL_ROWS);
}
/* When the partition is forgotten; EVS_TIME_MAX: never. */
static inline int64_t evs_over_forget_us(const struct over *over, const struct over_key *key);

/* --- over_state.c --- */
void evs_over_wait(struct over *over, struct evs_row *row, uint32_t entry);
void evs_over_mark(struct over *over, struct evs_entry *entry, uint32_t index);
/* The partition begins anew, as if it had never been. */
void evs_over_reset(struct over *over, struct evs_entry *entry);
/* Drops rows of the history that no frame will look at. */
void evs_over_prune(struct over *over, struct over_key *key);
/* The partition's latest row was evaluated: it will expire. */
void evs_over_arm(struct over *over, struct evs_entry *entry, uint32_t index);
/* Forgets partitions that are due. */
void evs_over_expire(struct evs_op *op, struct over *over, int64_t watermark_us);
void evs_over_tell_bytes(struct evs_op *op, struct over *over);
/* After the last record of a restore, before anything else. */
void evs_over_settle(struct evs_op *op, struct over *over);
evs_status evs_over_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full);
evs_status evs_over_restore(struct evs_op *op, void *state, uint32_t version, const struct evs_snapshot_record *record,
                            struct evs_error *error);

/* --- over_frame.c --- */
void evs_over_frames_init(struct over *over, const struct evs_schema *input);
void evs_over_frames_fini(struct over *over);
/* Rows come into the partition's frames: the row, and, if it is the first of its moment, its peers. */
void evs_over_advance(struct over *over, struct evs_entry *entry, const struct over_due *due);
/* The result of a call for the row; `values` of text are borrowed. False: it fails, `failed` says how. */
bool evs_over_result(struct over *over, struct evs_entry *entry, const struct over_due *due, uint32_t call,
                     struct evs_arena *arena, struct evs_value *value, enum evs_agg_outcome *failed);

/* Adds rows to accumulators that lie `stride` bytes behind each other, or all to one: at most a batch of rows. */
void evs_over_feed(struct over *over, uint32_t call, uint8_t *values, size_t stride, struct evs_table *table,
                   const struct evs_row *const *rows, uint32_t count);

/* --- over_sums.c --- */
/* The call's bounded frames may be summed in any grouping. */
bool evs_over_can_sum(const struct over *over, uint32_t call);
/* The accumulators of a frame, positions of the history [first, end), borrowed until the next call; NULL: it is as well computed from its rows. */
const uint8_t *evs_over_sum(struct over *over, struct over_key *key, uint32_t call, uint32_t first, uint32_t end);
void evs_over_sums_free(struct over *over, struct over_key *key);

#define EVS_OVER_SNAPSHOT_VERSION 1
/* Where a stored partition names its key. */
#define EVS_OVER_STORED_KEY                                                                                            \
    {                                                                                                                  \
        .sections = 2, .nulls_at = 32, .key_at = 40                                                                    \
    }

static inline int64_t evs_over_forget_us(const struct over *over, const struct over_key *key)
{
    return over->config->retain_us < 0 ? EVS_TIME_MAX : evs_time_plus(key->latest_us, over->config->retain_us);
}

#endif
