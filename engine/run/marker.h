/* The marker: how far a pipeline was, remembered outside of the store that holds its state (exactness, 14).
 *
 * A store that has lost everything looks like one that never had anything: a start would count all input again from its beginning under new trigger ids, and
 * send every trigger of last week once more. So the engine that runs a pipeline writes a few lines into the bucket every two seconds:
 *
 *   version 1
 *   incarnation 5be0…32 digits   of the trigger ids
 *   checkpoint 1200              the newest commit that the store has confirmed
 *   floor 1190                   the newest one that it had confirmed ten seconds before: more than that no crash may take (appendfsync everysec, a replica that lags)
 *   written 2026-01-05T10:00:00Z
 *   position 3 99120 clicks      partition, sequence, source of that commit
 *   watermark 1767607200000000 aggregate_user_id
 *
 * At a start the store is compared with it, before anything is taken:
 *
 *   newest commit   at the marker or above it        as it should be
 *                   below it, not below the floor    told; the input is read again from there
 *                   below the floor, or none at all  exit code 4, unless --state-lost says what to do
 *                   of another incarnation           a life that began later (a savepoint, a restart): the marker is of the one before, and is written over
 *
 * What is read again after a rollback is not published again: the sinks' streams know the ids (sinks/nats_seen.h), and the incarnation stays the same. */
#ifndef EVS_RUN_MARKER_H
#define EVS_RUN_MARKER_H

#include "evstream/memory.h"
#include "evstream/text.h"

struct evs_run;
struct evs_record;
struct evs_error;

struct evs_marker {
    bool is_there;
    struct evs_hash128 incarnation;
    uint64_t checkpoint, floor;
    char written[40];
};
/* False when `text` is no marker that can be understood. */
bool evs_marker_decode(struct evs_slice text, struct evs_marker *marker);

/* --- reading, by whoever uses the bucket --- */
EVS_MUST_CHECK evs_status evs_marker_read(struct evs_run *run, struct evs_error *error);
/* What the store's newest commit is to the marker, and what was asked for: run->terms and run->restored are as peeked. */
EVS_MUST_CHECK evs_status evs_marker_judge(struct evs_run *run, struct evs_error *error);

/* --- writing: the checkpointer makes the text, the keeper writes it --- */
#define EVS_MARKER_FLOORS 8u
struct evs_marker_maker {
    struct evs_buffer lines; /* positions and watermarks of `checkpoint` */
    uint64_t checkpoint;     /* being confirmed; 0: none */
    int64_t noted_us;
    struct {
        uint64_t checkpoint;
        int64_t at_us;
    } floors[EVS_MARKER_FLOORS]; /* a ring, the oldest at floor_next */
    uint32_t floor_next;
};
void evs_marker_note(struct evs_marker_maker *maker, const struct evs_run *run, const struct evs_record *record);
void evs_marker_confirmed(struct evs_marker_maker *maker, struct evs_run *run, uint64_t checkpoint);
void evs_marker_maker_fini(struct evs_marker_maker *maker);
/* Writes the newest text, if there is one. */
void evs_marker_write(struct evs_run *run);
void evs_marker_fini(struct evs_run *run);

#endif
