/* Events of one subject on their way into one message, and the requests that wait for it.
 *
 *   request ──► events ──► open parcel of (subject) ──► closed when large or old ──► delivery ──► settled
 *      ▲ ticket                                                                                     │
 *      └────────────── answered when all parcels that hold its events are settled ◄─────────────────┘
 *
 * A parcel's id is a hash of its subject and its events' ids, so that the same bytes sent again (an acknowledgement that was
 * lost, a spool that is read again) carry the same Nats-Msg-Id. */
#ifndef EVS_PARCEL_H
#define EVS_PARCEL_H

#include "evstream/memory.h"
#include "evstream/text.h"

/* Who waits for parcels. `settled` is called once, when the last one is; it may free the ticket. */
struct evs_ticket {
    uint32_t open;    /* parcels that hold something of it, and one for whoever is still adding */
    bool failed;      /* at least one parcel was not stored */
    int64_t taken_us; /* monotonic: when its request was taken */
    void (*settled)(struct evs_ticket *ticket);
};

struct evs_parcel {
    struct evs_parcel *next;
    struct evs_buffer subject, lines;
    struct evs_buffer ids; /* what the id is made of */
    struct evs_hash128 id; /* valid when closed */
    uint32_t event_count;
    struct evs_ticket **tickets;
    uint32_t ticket_count, ticket_capacity;
    int64_t opened_us; /* monotonic: when the oldest request of it was taken */
    int64_t closed_us;
};

/* Open parcels by subject, the order in which they were opened, and how large one may become. */
struct evs_parcels;
struct evs_parcels *evs_parcels_new(size_t bytes_max);
void evs_parcels_free(struct evs_parcels *parcels); /* none may be open */

/* Adds one line. A parcel that is closed by this is given back; NULL: none. The caller owns it. */
struct evs_parcel *evs_parcels_add(struct evs_parcels *parcels, const char *subject, struct evs_slice line,
                                   struct evs_slice event_id, struct evs_ticket *ticket);
/* Closes the oldest open parcel; NULL: none is open. */
struct evs_parcel *evs_parcels_close(struct evs_parcels *parcels);
bool evs_parcels_is_empty(const struct evs_parcels *parcels);
/* When the oldest request of any open parcel was taken; `otherwise`: none is open. */
int64_t evs_parcels_oldest_us(const struct evs_parcels *parcels, int64_t otherwise);
void evs_parcels_limit(struct evs_parcels *parcels, size_t bytes_max); /* of the server; only ever lowers */

/* Tells all who wait, and frees it. */
void evs_parcel_settle(struct evs_parcel *parcel, bool stored);
static inline struct evs_slice evs_parcel_subject(const struct evs_parcel *parcel)
{
    return (struct evs_slice){parcel->subject.data, parcel->subject.count};
}

/* One party less waits: the last one calls `settled`. */
void evs_ticket_close(struct evs_ticket *ticket, bool stored);

#endif
