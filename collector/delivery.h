/* Brings parcels to JetStream, or into the spool while NATS is away: nothing is settled before one of them has it for good.
 *
 *                      connected, spool empty
 *      ┌────────────────────────────────────────────────┐
 *      ▼                                                │
 *   DIRECT  parcel ─► window ─► NATS ─► PubAck ─► settled    (a 200 costs one trip to the server)
 *      │ disconnected, or no PubAck for too long        │
 *      ▼                                                │
 *   SPOOLING  parcel ─► spool ─► fsync ─► settled ──────┘    (all that was unacknowledged goes first, in its order;
 *                         └─► window ─► NATS                  once connected, the spool is read in order)
 *
 * While records wait in the spool, new parcels go behind them, so a subject's messages stay in the order in which they came.
 * A message that may have been stored (its PubAck was lost) is sent again under the same Nats-Msg-Id: JetStream drops it
 * within its duplicate window, and after that the ids of the events tell (`deduplicate`).
 *
 * Without a spool, unacknowledged parcels wait for `ack_timeout_us` for NATS to come back, then are settled as not stored.
 *
 * All calls on the loop's thread. Two threads help: one connects at the start, one (the spool's) syncs. */
#ifndef EVS_DELIVERY_H
#define EVS_DELIVERY_H

#include <event2/event.h>

#include "parcel.h"
#include "spool.h"
#include "upstream.h"

struct evs_delivery_options {
    const struct evs_os *os;
    struct evs_log *log;
    struct event_base *base;
    struct evs_upstream_options upstream;
    const char *spool_folder; /* NULL: no spool */
    uint64_t spool_bytes_max;
    int64_t ack_timeout_us;
    int64_t retry_us; /* without a spool: how long the start waits for NATS */
};

struct evs_delivery_counters {
    uint64_t messages_acknowledged, messages_duplicate; /* duplicate: dropped by JetStream, which had them */
    uint64_t messages_resent, messages_refused;         /* refused: told to try again later */
    uint64_t messages_spooled, messages_drained;
    uint64_t parcels_failed; /* neither stored nor spooled */
    uint64_t disconnects;
};

struct evs_delivery;

/* Opens the spool and connects. With a spool, a server that cannot be reached is no failure: connecting goes on. */
EVS_MUST_CHECK evs_status evs_delivery_open(const struct evs_delivery_options *options, struct evs_delivery **delivery,
                                            struct evs_error *error);
/* What has not been settled is: spooled if it can be, else as not stored. True: nothing is left in the spool. */
bool evs_delivery_close(struct evs_delivery *delivery);

/* Takes the parcel over; it is settled sooner or later, perhaps before this returns. */
void evs_delivery_take(struct evs_delivery *delivery, struct evs_parcel *parcel);

/* Can a parcel be stored now, as far as is known? */
bool evs_delivery_is_ready(const struct evs_delivery *delivery);
bool evs_delivery_is_connected(const struct evs_delivery *delivery);
/* Monotonic time: all parcels that were opened before it are in JetStream. It stands still while the spool is in use. */
int64_t evs_delivery_settled_us(struct evs_delivery *delivery);
bool evs_delivery_is_idle(const struct evs_delivery *delivery); /* every parcel is settled */

void evs_delivery_counters(const struct evs_delivery *delivery, struct evs_delivery_counters *counters);
bool evs_delivery_spool(const struct evs_delivery *delivery, struct evs_spool_state *state); /* false: there is none */

#endif
