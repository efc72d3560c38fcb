/* The state of a join: what its files share. Private to op_join*.c.
 *
 * A kept row (evstream/rows.h) has the side's columns and, behind them, five of the operator's own: the identity that a stateful operator before
 * gave it (NULL: none), the hash of its key, a number that is unique among the rows of its key, its mark, and its place in the list of rows that
 * changed since the last snapshot (from 1; 0: it did not). */
#ifndef EVS_OP_JOIN_STATE_H
#define EVS_OP_JOIN_STATE_H

#include "evstream/rows.h"
#include "evstream/timer.h"
#include "op_join.h"

#define EVS_JOIN_EMIT_BATCHES 4
#define EVS_JOIN_SNAPSHOT_VERSION 1

enum { LEFT = 0, RIGHT = 1 };
enum { OWN_IDENTITY, OWN_HASH, OWN_NUMBER, OWN_MARK, OWN_CHANGED, OWN_COLUMNS };

/* Marks. Of a semi join also the event time of the earliest match so far, while an earlier one may still come. */
#define MARK_UNMATCHED EVS_TIME_MAX
#define MARK_MATCHED EVS_TIME_MIN /* semi: and emitted */

struct join_entry { /* the values of a key in the table */
    struct evs_row_list rows[2];
    int64_t armed_us[2]; /* the timer that counts; EVS_TIME_MIN: none */
    uint32_t index;
};

/* Rows whose time has come: unmatched ones, or those of a semi join. */
struct ready_row {
    int64_t time_us; /* event time from now on */
    struct evs_row *row;
    uint32_t side;
    bool is_gone;                /* it is kept no more: freed when it is out */
    const struct evs_row *other; /* the right row that it comes with; NULL: none */
};

struct changed_rows { /* since the last snapshot; NULL: gone again */
    struct evs_row **rows;
    uint32_t count, capacity;
};

struct join {
    const struct evs_join_config *config;
    bool durable, wants_key;
    struct evs_table_layout table_layout;
    struct evs_table table;
    struct evs_row_pool pool;
    struct evs_row_layout layouts[2];
    uint64_t shapes[2];
    struct evs_timers expiry[2]; /* payload: index of an entry; one that counts for each list that is not empty */
    struct evs_timers decided;   /* semi: payload: a row whose earliest match is certain at that time */
    bool is_restored;            /* rows came from a store: what is pending is to be armed */
    int64_t next_number;
    struct changed_rows changed[2];
    uint32_t own[2][OWN_COLUMNS]; /* offsets in a row */
    struct ready_row *ready;
    uint32_t ready_count, ready_capacity, ready_at;
    int64_t told_bytes;

    bool is_endless; /* unmatched rows wait for the end of the input, and the watermark with them */
    struct evs_eval *eval;
    bool *used; /* pair columns that somebody looks at */

    /* pairs that are found and not yet judged */
    const struct evs_row *pairs[2][EVS_BATCH_ROWS];
    uint32_t pair_count;
    const struct evs_row *limited; /* the arriving row whose pairs are being counted */
    uint32_t limited_count;
    uint32_t emitted; /* batches, in the running call */

    /* the batch that is being worked on: where to go on when it is given again */
    bool is_resumed;
    uint32_t position;   /* in the selected rows */
    struct evs_row *row; /* the arriving row; NULL: the next one is to be begun */
    struct evs_row_list *others;
    uint32_t candidate; /* in the rows of the other side: the next one to look at */
    int64_t last_us;    /* of the arriving row's interval */
    uint64_t hashes[EVS_BATCH_ROWS];
    bool is_late[EVS_BATCH_ROWS];
    /* arriving rows that nothing later can match: they live until the batch is done */
    struct evs_row *loose[EVS_BATCH_ROWS];
    uint32_t loose_count;
};

static inline struct join_entry *evs_join_entry(const struct join *join, struct evs_entry *entry)
{
    return (struct join_entry *)evs_entry_values(&join->table_layout, entry);
}
static inline struct join_entry *evs_join_entry_at(const struct join *join, uint32_t index)
{
    return evs_join_entry(join, evs_table_at(&join->table, index));
}

/* --- op_join_state.c: rows kept ------------------------------------------------------------------------------------------- */

/* For open: layouts, table, what is shown. */
void evs_join_begin(struct join *join, struct evs_op *op, const struct evs_join_config *config);
void evs_join_state_fini(struct join *join);

/* A key that equals nothing, not even itself: one with a NULL or a NaN. */
bool evs_join_matches_nothing(const struct join *join, uint32_t side, const struct evs_batch *batch, uint32_t row);
/* The batch with the own columns behind its columns; unref it. */
struct evs_batch *evs_join_extend(struct join *join, uint32_t side, struct evs_batch *batch);
struct evs_row *evs_join_keep(struct join *join, uint32_t side, const struct evs_batch *extended, uint32_t row,
                              uint64_t hash);
void evs_join_free(struct join *join, uint32_t side, struct evs_row *row);

static inline int64_t evs_join_own(const struct join *join, uint32_t side, const struct evs_row *row, uint32_t own)
{
    int64_t value;
    memcpy(&value, (const uint8_t *)row + join->own[side][own], sizeof value);
    return value;
}
static inline void evs_join_set_own(const struct join *join, uint32_t side, const struct evs_row *row, uint32_t own,
                                    int64_t value)
{
    memcpy((uint8_t *)row + join->own[side][own], &value, sizeof value);
}
/* The row goes into the next snapshot. */
void evs_join_changed(struct join *join, uint32_t side, const struct evs_row *row);
/* Sets the mark, which is a change. */
void evs_join_mark(struct join *join, uint32_t side, const struct evs_row *row, int64_t mark);

/* -length, of the unbounded ones, too */
static inline int64_t evs_time_negative(int64_t length_us)
{
    return length_us == EVS_JOIN_UNBOUNDED_LOWER   ? EVS_JOIN_UNBOUNDED_UPPER
           : length_us == EVS_JOIN_UNBOUNDED_UPPER ? EVS_JOIN_UNBOUNDED_LOWER
                                                   : -length_us;
}

/* The last moment at which a row of the other side may match. A watermark above it, with what lateness adds, ends the row. */
int64_t evs_join_last_match(const struct join *join, uint32_t side, const struct evs_row *row);
int64_t evs_join_due(const struct join *join, uint32_t side, const struct evs_row *row);
/* The event time that it has if it matches nothing. */
int64_t evs_join_alone_time(const struct join *join, uint32_t side, const struct evs_row *row);
/* The times of the rows of the other side that the row matches. */
void evs_join_range(const struct join *join, uint32_t side, const struct evs_row *row, int64_t *first_us,
                    int64_t *last_us);

/* Puts the row among those of its key, and arms its timer. */
void evs_join_insert(struct join *join, uint32_t side, struct join_entry *entry, struct evs_row *row);
void evs_join_arm(struct join *join, uint32_t side, struct join_entry *entry);
/* The entry that a timer is for; NULL: an earlier row came since, or the key is gone. */
struct join_entry *evs_join_due_entry(const struct join *join, uint32_t side, const struct evs_timer *due);
/* A row of a semi join has a match at that time, the earliest so far. */
void evs_join_arm_decided(struct join *join, const struct evs_row *row, int64_t time_us);
void evs_join_arm_restored(struct join *join);
/* A new key's entry. An entry without rows goes. */
struct join_entry *evs_join_begin_entry(struct evs_op *op, const struct join *join, struct evs_entry *entry,
                                        uint32_t index);
void evs_join_drop_if_empty(struct evs_op *op, struct join *join, struct join_entry *entry);
void evs_join_tell_bytes(struct evs_op *op, struct join *join);

evs_status evs_join_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full);
evs_status evs_join_restore(struct evs_op *op, void *state, uint32_t version, const struct evs_snapshot_record *record,
                            struct evs_error *error);

/* --- op_join_emit.c: rows that leave --------------------------------------------------------------------------------------- */

/* Judges the pairs that were found, marks their rows, and emits what comes of them: at most one batch. */
void evs_join_flush(struct evs_op *op, struct join *join, uint32_t arriving);
/* Emits ready rows, in their order, until they are out or the call's batches are used up: EVS_MORE. */
evs_status evs_join_emit_ready(struct evs_op *op, struct join *join);
void evs_join_add_ready(struct join *join, struct ready_row ready);
/* The ready rows from `first` on: by event time, then by the order of the key. */
void evs_join_sort_ready(struct join *join, uint32_t first);
/* Late rows: counted, and to output 1. `rows` are physical numbers. */
void evs_join_emit_late(struct evs_op *op, struct join *join, struct evs_batch *batch, uint32_t side,
                        const uint16_t *rows, uint32_t count);

#endif
