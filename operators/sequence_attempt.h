/* Attempts of a sequence: how far one has come, and what a row or a moment does to it. Private to the sequence operator.
 *
 * No branching: an attempt takes the first row that fits, so it stands in one place, behind its last row. From there
 *
 *      step p, taken n rows ──► `no` behind it and behind the optional steps that follow: ends it
 *                          ──► p again, if it may have more rows
 *                          ──► p+1, or p+2 if p+1 is optional, … up to the first step that is required
 *
 * Time. Each way on has a last moment (its `within`, the sequence's `within`); the attempt's deadline is the moment from which no way is left. If a required step is
 * missing then, it has timed out; else it is a match: a last step that could have had more rows, or an absence that held. */
#ifndef EVS_SEQUENCE_ATTEMPT_H
#define EVS_SEQUENCE_ATTEMPT_H

#include "op_sequence.h"

struct attempt {
    struct attempt *older, *newer; /* of its key */
    uint32_t entry, slot;
    uint32_t row_count, row_capacity; /* capacity 0: the rows lie behind the counts */
    uint16_t step;
    bool has_gap;         /* a row of the key came since the last one that was taken */
    bool is_saved;        /* it stands in a checkpoint */
    bool is_dirty;        /* and has changed since */
    bool is_complete;     /* of those below: what the deadline means */
    int64_t opened_us;    /* time of its first row */
    int64_t last_us;      /* of its last row */
    int64_t step_from_us; /* from when `within` of the current step counts */
    int64_t deadline_us;  /* EVS_TIME_MAX: none */
    int64_t armed_us;     /* when its timer comes up */
    struct evs_keyed_row **rows;
    uint32_t counts[]; /* rows of each step */
};

/* Whether a row meets a condition, given the attempt's rows. */
typedef bool evs_sequence_fits(void *argument, const struct attempt *attempt, uint32_t condition,
                               const struct evs_keyed_row *row);

enum evs_sequence_outcome {
    EVS_SEQUENCE_LEFT,   /* the row is not for it */
    EVS_SEQUENCE_TAKEN,  /* and it goes on */
    EVS_SEQUENCE_BROKEN, /* it breaks an absence */
};

struct evs_sequence_judge {
    const struct evs_sequence_config *config;
    int64_t proven_us; /* rows before it are all there: no absence is certain from here on; EVS_TIME_MAX but at a cut */
    evs_sequence_fits *fits;
    void *argument;
};

/* What a row means to an open attempt. The step that takes it: *step. Changes nothing. */
enum evs_sequence_outcome evs_attempt_offer(const struct evs_sequence_judge *judge, const struct attempt *attempt,
                                            const struct evs_keyed_row *row, uint32_t *step);
/* The step that a new attempt begins with when it takes the row; step_count: none. */
uint32_t evs_attempt_opening(const struct evs_sequence_judge *judge, const struct evs_keyed_row *row);
/* Moves it to a step that takes a row of this time. The row itself is the caller's. */
void evs_attempt_move(const struct evs_sequence_config *config, struct attempt *attempt, uint32_t step,
                      int64_t time_us);
/* Sets deadline_us and is_complete, at a moment. False: nothing can come any more: it is a match if is_complete, else it has ended. */
bool evs_attempt_time(const struct evs_sequence_config *config, struct attempt *attempt, int64_t now_us);
/* No event up to this moment gives the attempt a deadline before it. */
int64_t evs_attempt_horizon(const struct evs_sequence_config *config, const struct attempt *attempt);
/* A complete attempt is a match although rows from `proven_us` on may be missing: no absence behind its last row ends later. */
bool evs_attempt_is_proven(const struct evs_sequence_config *config, const struct attempt *attempt, int64_t proven_us);
/* The conditions that a row of this time could be asked for: a bit each. */
uint64_t evs_attempt_questions(const struct evs_sequence_config *config, const struct attempt *attempt,
                               int64_t time_us);

#endif
