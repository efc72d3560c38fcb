/* The messages of one lane of a sink that its receiver has not acknowledged, or may still lose, and their form in the outbox.
 *
 *            aside (few, their receiver lets them wait)             ring
 *   ──────┬──x──x────────x──┬──────────────────────────────────┬──►  number
 *       cursor              base                              last
 *
 * Messages are numbered without gaps, and are mostly acknowledged in about that order: a ring. A message that waits for hours (a webhook that
 * is tried again) must not hold up the ones behind it: once most of the ring is acknowledged, what is left at its front is set aside, and the ring moves on.
 *
 * A commit names the cursor: everything up to it is delivered. What was delivered above it, and stands in an outbox, is named by a record of its own
 * (section 1: lane, numbers), so that a restart does not send it again.
 *
 * Kept messages (exactness, 13). A receiver with a log on a disk of its own may lose the log's newest part after it has acknowledged it: a power cut between two syncs.
 * For such a connector a message stays for a while behind its acknowledgement, done but with its text, and with its place in that log; while it is in the ring it can be
 * sent again under its id:
 *
 *          gone      kept: done, has its text         waiting
 *   ────────────────┬───────────────────────────────┬──────────────┬──►  number
 *                  base                           cursor          last
 *
 * Messages leave the ring when their time is over, or when there are more bytes of them than are allowed: the oldest first. Where delivery is exact they stand in the
 * outbox as well, with their places in section 1, and a restart has them again. Of several records of a message the last one counts: one that waits again, because it
 * was lost, has the place EVS_PLACE_LOST there. */
#ifndef EVS_RUN_SINK_PENDING_H
#define EVS_RUN_SINK_PENDING_H

#include "runtime.h"
#include "text_pool.h"

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
    bool was_delivered; /* restored: below the cursor of its commit */
    uint64_t place;     /* done: in the receiver's log; 0: not known */
    int64_t done_us;    /* monotonic */
    uint32_t address_bytes, header_bytes, payload_bytes, row_bytes;
    struct evs_trace_span *span; /* of a traced row, to be told when it is acknowledged (trace.c); NULL: none */
    char *text; /* address, headers, payload, and the row where the payload does not show it; NULL once it is done */
};

/* The texts of a message, one behind the other in this order. */
struct evs_pending_texts {
    struct evs_slice address, headers, payload, row;
};

struct evs_pending_done { /* delivered by an earlier run, whether its cursor is below it or it is kept */
    uint32_t lane, order; /* the latter: among all that were restored */
    uint64_t number, place;
};

#define EVS_PLACE_LOST UINT64_MAX
struct evs_pending_place {
    uint64_t number, place;
};

struct evs_pendings {
    struct evs_pending *ring; /* base + 1 … last */
    uint32_t first, count, capacity;
    uint32_t gone_in_ring, kept_count;
    uint64_t base, last;
    uint64_t done_up_to;       /* all of the ring up to it are done, whether kept or gone */
    struct evs_pending *aside; /* in order of numbers, from aside_first on */
    uint32_t aside_first, aside_count, aside_capacity, done_aside;
    struct evs_pending_place *done; /* in an outbox, and delivered since the last barrier */
    uint32_t done_count, done_capacity;
    int64_t keep_us; /* done ones stay so long; 0: they go at once */
    size_t keep_bytes_max, kept_bytes;
    bool stores_kept;                  /* in the outbox */
    int64_t dropped_age_us;            /* of the youngest that had to go before its time; 0: none */
    struct evs_pending_done *restored; /* until evs_pendings_restored */
    uint32_t restored_count, restored_capacity;
    size_t waiting_bytes;
    struct evs_text_pool texts;
    struct evs_run *run;
};

/* A new one at the end; it stays where it is until the next call that adds or finishes. */
struct evs_pending *evs_pendings_add(struct evs_pendings *pendings, const struct evs_pending_texts *texts);
/* NULL: it is done and gone. One that is done may still be found. */
struct evs_pending *evs_pendings_find(struct evs_pendings *pendings, uint64_t number);
struct evs_sink_message evs_pending_message(const struct evs_pending *pending);
/* Its receiver has it, at this place of its log (0: it has none), or will never take it: with `keeps` it stays for a while. */
void evs_pendings_finish(struct evs_pendings *pendings, struct evs_pending *pending);
void evs_pendings_deliver(struct evs_pendings *pendings, struct evs_pending *pending, uint64_t place, int64_t now_us);
/* Those that are kept, and whose time is over, go. */
void evs_pendings_tend(struct evs_pendings *pendings, int64_t now_us);
/* Kept ones whose place is above `holds` wait again: the receiver has lost them. How many. */
uint32_t evs_pendings_revive(struct evs_pendings *pendings, uint64_t holds);
uint64_t evs_pendings_cursor(const struct evs_pendings *pendings); /* every message up to it is done */
uint32_t evs_pendings_count(const struct evs_pendings *pendings);  /* that are not done */
void evs_pendings_fini(struct evs_pendings *pendings);

/* Calls `see` for each one that is not done, in order of numbers. */
void evs_pendings_each(struct evs_pendings *pendings, void (*see)(void *argument, struct evs_pending *pending),
                       void *argument);

/* The same of those that are kept. */
void evs_pendings_each_kept(struct evs_pendings *pendings, void (*see)(void *argument, struct evs_pending *pending),
                            void *argument);

/* --- the outbox -------------------------------------------------------------------------------------------------------- */

void evs_pending_store(struct evs_run *run, struct evs_snapshot_writer *writer, uint32_t lane,
                       struct evs_pending *pending);
/* The numbers above the cursor that were done since the last call, and with `stores_kept` all of them, with their places; with `drop` they are forgotten, because an
 * outbox begins without them. */
void evs_pendings_store_done(struct evs_pendings *pendings, struct evs_snapshot_writer *writer, uint32_t lane,
                             bool drop);
uint32_t evs_pending_stored_lane(const struct evs_snapshot_record *record);
EVS_MUST_CHECK evs_status evs_pendings_restore(struct evs_pendings *pendings, const struct evs_snapshot_record *record,
                                               uint64_t delivered, struct evs_error *error);
/* No more records come: messages that were delivered are done. */
void evs_pendings_restored(struct evs_pendings *pendings, int64_t now_us);

#endif
