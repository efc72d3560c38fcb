/* The messages of one lane of a sink that its receiver has not acknowledged, and their form in the outbox.
 *
 *            aside (few, their receiver lets them wait)             ring
 *   ──────┬──x──x────────x──┬──────────────────────────────────┬──►  number
 *       cursor              base                              last
 *
 * Messages are numbered without gaps, and are mostly acknowledged in about that order: a ring. A message that waits for hours (a webhook that
 * is tried again) must not hold up the ones behind it: once most of the ring is acknowledged, what is left at its front is set aside, and the ring moves on.
 *
 * A commit names the cursor: everything up to it is delivered. What was delivered above it, and stands in an outbox, is named by a record of its own
 * (section 1: lane, numbers), so that a restart does not send it again. */
#ifndef EVS_RUN_SINK_PENDING_H
#define EVS_RUN_SINK_PENDING_H

#include "runtime.h"

struct evs_pending {
    uint64_t number;
    struct evs_hash128 id;
    uint64_t epoch, checkpoint;
    uint32_t index;
    uint32_t source_index, cause_kind; /* for its dead letter, as are the next two */
    struct evs_cause cause;
    int64_t event_time_us;
    int64_t taken_us; /* monotonic, for the latency of its delivery */
    int64_t created_us;
    uint64_t order;
    uint64_t stored_number; /* restored: what the outbox knows it by … */
    uint32_t stored_lane;   /* … and where */
    bool is_done, in_outbox;
    uint32_t address_bytes, header_bytes, payload_bytes, row_bytes;
    struct evs_trace_span *span; /* of a traced row, to be told when it is acknowledged (trace.c); NULL: none */
    char *text; /* address, headers, payload, and the row where the payload does not show it; NULL once it is done */
};

/* The texts of a message, one behind the other in this order. */
struct evs_pending_texts {
    struct evs_slice address, headers, payload, row;
};

struct evs_pending_done { /* delivered by an earlier run, though its cursor is below it */
    uint32_t lane;
    uint64_t number;
};

struct evs_pendings {
    struct evs_pending *ring; /* base + 1 … last */
    uint32_t first, count, capacity;
    uint32_t done_in_ring;
    uint64_t base, last;
    struct evs_pending *aside; /* in order of numbers, from aside_first on */
    uint32_t aside_first, aside_count, aside_capacity, done_aside;
    uint64_t *done; /* numbers in an outbox that were delivered since the last barrier */
    uint32_t done_count, done_capacity;
    struct evs_pending_done *restored; /* until evs_pendings_restored */
    uint32_t restored_count, restored_capacity;
    size_t waiting_bytes;
    struct evs_run *run;
};

/* A new one at the end; it stays where it is until the next call that adds or finishes. */
struct evs_pending *evs_pendings_add(struct evs_pendings *pendings, const struct evs_pending_texts *texts);
/* NULL: it is done and gone. One that is done may still be found. */
struct evs_pending *evs_pendings_find(struct evs_pendings *pendings, uint64_t number);
struct evs_sink_message evs_pending_message(const struct evs_pending *pending);
void evs_pendings_finish(struct evs_pendings *pendings, struct evs_pending *pending);
uint64_t evs_pendings_cursor(const struct evs_pendings *pendings); /* every message up to it is done */
uint32_t evs_pendings_count(const struct evs_pendings *pendings);  /* that are not done */
void evs_pendings_fini(struct evs_pendings *pendings);

/* Calls `see` for each one that is not done, in order of numbers. */
void evs_pendings_each(struct evs_pendings *pendings, void (*see)(void *argument, struct evs_pending *pending),
                       void *argument);

/* --- the outbox -------------------------------------------------------------------------------------------------------- */

void evs_pending_store(const struct evs_run *run, struct evs_snapshot_writer *writer, uint32_t lane,
                       struct evs_pending *pending);
/* The numbers above the cursor that were done since the last call; with `drop` they are forgotten, because an outbox begins without them. */
void evs_pendings_store_done(struct evs_pendings *pendings, struct evs_snapshot_writer *writer, uint32_t lane,
                             bool drop);
uint32_t evs_pending_stored_lane(const struct evs_snapshot_record *record);
EVS_MUST_CHECK evs_status evs_pendings_restore(struct evs_pendings *pendings, const struct evs_snapshot_record *record,
                                               uint64_t delivered, struct evs_error *error);
/* No more records come: messages that were done above the cursor are. */
void evs_pendings_restored(struct evs_pendings *pendings);

#endif
