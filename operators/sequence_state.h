/* The state of the sequence operator. Private to it: op_sequence.c, sequence_run.c, sequence_snapshot.c. */
#ifndef EVS_SEQUENCE_STATE_H
#define EVS_SEQUENCE_STATE_H

#include "sequence_attempt.h"

#define EVS_SEQUENCE_RUN_MAX 512u
#define EVS_SEQUENCE_EMIT_BATCHES 4u
#define EVS_SEQUENCE_ATTEMPTS_MAX 1000u /* of a key: what one row decides fits into two batches */

struct key_attempts { /* in an entry of the table */
    struct attempt *oldest, *newest;
    uint32_t count;
    uint32_t run, event; /* number of the last run that the key is in, and its event there */
};

/* A row that is released, or a moment at which attempts of a key run out of time. */
struct sequence_event {
    struct evs_keyed_row *row; /* NULL: a moment */
    uint32_t entry;
    int64_t at_us;
    uint32_t first_question, question_count;
};

/* Does the event's row meet the condition, given the attempt's rows? */
struct sequence_question {
    const struct attempt *attempt;
    uint32_t event, condition;
    bool is_met;
};

struct attempt_slot {
    struct attempt *attempt; /* NULL: free */
    uint32_t generation;     /* timers of an attempt that is gone mean nothing */
    uint32_t next_free;      /* index + 1 */
};

struct sequence {
    const struct evs_sequence_config *config;
    struct evs_keyed_rows rows;
    struct evs_measuring *measuring;
    struct evs_eval **evals; /* one a condition; NULL: its mask says it all */
    struct evs_batch_pool *batches;
    bool is_durable, has_next, has_questions;
    bool newer_never_win; /* an attempt that begins while another takes the same row cannot give a match of its own */
    int64_t shortest_us;  /* no deadline lies nearer to the row that sets it */
    int64_t told_bytes;
    int64_t proven_us; /* see struct evs_sequence_judge */

    struct attempt_slot *slots;
    uint32_t slot_count, slot_capacity, slot_free, attempt_count;
    uint32_t *dirty; /* slots of attempts that changed since the last checkpoint; one may be listed twice, or be free */
    uint32_t dirty_count, dirty_capacity;
    struct evs_timers deadlines;

    /* the run: events of different keys, in order, judged together and then applied one by one */
    uint32_t run_number;
    int64_t run_until_us; /* events behind this moment could come after deadlines that the run sets */
    struct sequence_event events[EVS_SEQUENCE_RUN_MAX];
    uint32_t event_count, event_at;
    struct evs_keyed_row *held; /* released, but its key is in the run already */
    struct sequence_question *questions;
    uint32_t question_count, question_capacity;

    /* output */
    struct evs_batch *out;
    uint32_t emitted;
    const struct evs_row **view_rows;
    uint8_t *view_parts;
    uint32_t view_capacity, view_parts_capacity;

    struct evs_buffer
        deleted; /* attempts that stand in a checkpoint and are gone: struct stored_deletion each, then its bytes */
};

static inline struct key_attempts *evs_sequence_key(const struct sequence *sequence, uint32_t entry)
{
    return evs_keyed_values(&sequence->rows, entry);
}

/* --- op_sequence.c --------------------------------------------------------------------------------------------------------------- */

/* The attempt goes into the next checkpoint. */
void evs_sequence_mark(struct sequence *sequence, struct attempt *attempt);
struct attempt *evs_sequence_attempt_new(struct sequence *sequence, struct evs_op *op, uint32_t entry);
void evs_sequence_add_row(struct sequence *sequence, struct attempt *attempt, struct evs_keyed_row *row);
/* Drops an attempt and its rows. */
void evs_sequence_attempt_free(struct sequence *sequence, struct evs_op *op, struct attempt *attempt);
/* Arms its timer, if it has a deadline that none is armed for. */
void evs_sequence_arm(struct sequence *sequence, struct attempt *attempt);

/* --- sequence_run.c --------------------------------------------------------------------------------------------------------------- */

/* Gathers the next run of events until a moment. False: there is none. */
bool evs_sequence_gather(struct sequence *sequence, int64_t until_us);
/* Whether a row meets a condition (evs_sequence_fits). */
bool evs_sequence_answer(void *argument, const struct attempt *attempt, uint32_t condition,
                         const struct evs_keyed_row *row);
/* Answers the run's questions. */
void evs_sequence_judge_run(struct sequence *sequence, struct evs_op *op);
/* The attempt as measures see it; valid until the next call. */
struct evs_match_view evs_sequence_view(struct sequence *sequence, const struct attempt *attempt);

/* --- sequence_snapshot.c ---------------------------------------------------------------------------------------------------------- */

#define EVS_SEQUENCE_SNAPSHOT_VERSION 1
void evs_sequence_remember_deleted(struct sequence *sequence, const struct attempt *attempt);
evs_status evs_sequence_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full);
evs_status evs_sequence_restore(struct evs_op *op, void *state, uint32_t version,
                                const struct evs_snapshot_record *record, struct evs_error *error);

#endif
