/* A tap: rows shown as they flow by, for people who look (evstream tail, the live page).
 *
 *   somebody who looks ── evs_run_tap_open(node) ──► tap ◄── a worker puts a few rows into it, encoded
 *         │                                           │
 *         └────────────── evs_tap_take ◄──────────────┘      a few times a second
 *
 * Rows of an operator or a source are those of its main output; those of a sink are the ones that it takes. Where nobody looks, a batch costs one
 * test of a word. Where somebody does, a worker evaluates the condition over its batches, and encodes at most `rows_max` rows between two takes:
 * the takes are the rate. What does not fit is counted, not kept. A worker never waits: it tries the tap's lock, and where the reader has it (for the
 * exchange of two pointers), its batch goes by unseen and is counted.
 *
 * Threads: open, take and close by one thread at a time, while the run lives, from evs_run_start to evs_run_free. */
#ifndef EVS_TAP_H
#define EVS_TAP_H

#include "evstream/run.h"

#define EVS_TAPS_MAX 32u /* of a run, at one time */

struct evs_tap_options {
    uint32_t node;      /* number of the plan's node */
    uint32_t rows_max;  /* rows that each worker keeps between two takes, at least 1 */
    uint32_t bytes_max; /* and about how many bytes of text; a larger row comes alone. 0: 256 KiB */
    const struct evs_program *
        where; /* a condition over the node's columns: other rows are passed over; NULL: none. Lives longer than the tap */
};

struct evs_tap_row {
    int64_t wall_us; /* when it came by */
    int64_t event_time_us;
    enum evs_cause_kind cause_kind;
    struct evs_cause cause;
    uint32_t ordinal;
    const char *source;    /* the row stems from it (the leftmost, after a join); lives as long as the plan */
    bool source_is_broker; /* partition and sequence of a record's cause name a message that a broker has */
    uint64_t lineage;
    bool has_key, has_id;
    struct evs_hash128 key;   /* of the group of a stateful operator's result */
    struct evs_hash128 id;    /* sinks of messages: the trigger's */
    struct evs_slice address; /* sinks of messages: the filled template (subject, key); empty: none, or it is null */
    struct evs_slice json;    /* the row as an object; empty: the run shows no rows */
};

/* Since the tap was opened. */
struct evs_tap_counts {
    uint64_t seen;    /* rows that were looked at … */
    uint64_t matched; /* … and met the condition … */
    uint64_t kept;    /* … and were given to the reader */
    uint64_t unseen;  /* rows that came by while there was no room */
};

struct evs_tap;

/* EVS_E_LIMIT: too many taps are open. */
EVS_MUST_CHECK evs_status evs_run_tap_open(struct evs_run *run, const struct evs_tap_options *options,
                                           struct evs_tap **tap, struct evs_error *error);
/* What has come since the last take; rows of one worker in their order. Borrowed until the next take, or the close. Never blocks. */
uint32_t evs_tap_take(struct evs_tap *tap, const struct evs_tap_row **rows);
void evs_tap_count(const struct evs_tap *tap, struct evs_tap_counts *counts);
/* Waits for a worker that is at it, at most for one batch. */
void evs_tap_close(struct evs_tap *tap);

#endif
