#include "parcel.h"

struct evs_parcels {
    size_t bytes_max;
    struct evs_parcel *first, *last; /* open ones, the oldest first: at most partitions × sources, and few at a time */
};

struct evs_parcels *evs_parcels_new(size_t bytes_max)
{
    struct evs_parcels *parcels = evs_alloc_zero(sizeof *parcels);
    parcels->bytes_max = bytes_max;
    return parcels;
}

void evs_parcels_free(struct evs_parcels *parcels)
{
    EVS_ASSERT(parcels->first == NULL);
    evs_free(parcels);
}

void evs_parcels_limit(struct evs_parcels *parcels, size_t bytes_max)
{
    EVS_ASSERT(bytes_max > 0);
    parcels->bytes_max = bytes_max < parcels->bytes_max ? bytes_max : parcels->bytes_max;
}

bool evs_parcels_is_empty(const struct evs_parcels *parcels)
{
    return parcels->first == NULL;
}

int64_t evs_parcels_oldest_us(const struct evs_parcels *parcels, int64_t otherwise)
{
    return parcels->first != NULL ? parcels->first->opened_us : otherwise;
}

static void parcel_link(struct evs_parcels *parcels, struct evs_parcel *parcel)
{
    if (parcels->last == NULL) {
        parcels->first = parcel;
    } else {
        parcels->last->next = parcel;
    }
    parcels->last = parcel;
}

static struct evs_parcel *parcel_close(struct evs_parcels *parcels, struct evs_parcel *parcel)
{
    struct evs_parcel *previous = NULL;
    for (struct evs_parcel *at = parcels->first; at != parcel; at = at->next) {
        previous = at;
    }
    if (previous == NULL) {
        parcels->first = parcel->next;
    } else {
        previous->next = parcel->next;
    }
    parcels->last = parcels->last == parcel ? previous : parcels->last;
    parcel->next = NULL;
    parcel->id = evs_hash128(parcel->ids.data, parcel->ids.count);
    return parcel;
}

static struct evs_parcel *parcel_open(struct evs_parcels *parcels, struct evs_slice subject)
{
    struct evs_parcel *parcel = evs_alloc_zero(sizeof *parcel);
    evs_buffer_put(&parcel->subject, subject.data, subject.count);
    evs_buffer_put(&parcel->ids, subject.data, subject.count);
    parcel_link(parcels, parcel);
    return parcel;
}

static struct evs_parcel *parcel_of(struct evs_parcels *parcels, struct evs_slice subject)
{
    for (struct evs_parcel *at = parcels->first; at != NULL; at = at->next) {
        if (evs_slice_equal(evs_parcel_subject(at), subject)) {
            return at;
        }
    }
    return NULL;
}

/* A request adds all of its events at once, so its ticket is the last one or none. */
static void parcel_add_ticket(struct evs_parcel *parcel, struct evs_ticket *ticket)
{
    if (parcel->ticket_count > 0 && parcel->tickets[parcel->ticket_count - 1] == ticket) {
        return;
    }
    EVS_GROW(parcel->tickets, parcel->ticket_count, parcel->ticket_capacity);
    parcel->tickets[parcel->ticket_count++] = ticket;
    ticket->open++;
}

struct evs_parcel *evs_parcels_add(struct evs_parcels *parcels, const char *subject, struct evs_slice line,
                                   struct evs_slice event_id, struct evs_ticket *ticket)
{
    EVS_ASSERT(ticket->open > 0 && line.count > 0);
    struct evs_slice name = evs_slice_of(subject);
    struct evs_parcel *parcel = parcel_of(parcels, name), *full = NULL;
    if (parcel != NULL && parcel->lines.count + line.count + 1 > parcels->bytes_max) {
        full = parcel_close(parcels, parcel);
        parcel = NULL;
    }
    if (parcel == NULL) {
        parcel = parcel_open(parcels, name);
        parcel->opened_us = ticket->taken_us;
    }
    if (parcel->event_count++ > 0) {
        evs_buffer_put(&parcel->lines, "\n", 1);
    }
    evs_buffer_put(&parcel->lines, line.data, line.count);
    evs_buffer_put(&parcel->ids, "", 1);
    evs_buffer_put(&parcel->ids, event_id.data, event_id.count);
    parcel_add_ticket(parcel, ticket);
    return full;
}

struct evs_parcel *evs_parcels_close(struct evs_parcels *parcels)
{
    return parcels->first != NULL ? parcel_close(parcels, parcels->first) : NULL;
}

void evs_parcel_settle(struct evs_parcel *parcel, bool stored)
{
    for (uint32_t i = 0; i < parcel->ticket_count; i++) {
        evs_ticket_close(parcel->tickets[i], stored);
    }
    evs_buffer_fini(&parcel->subject);
    evs_buffer_fini(&parcel->lines);
    evs_buffer_fini(&parcel->ids);
    evs_free(parcel->tickets);
    evs_free(parcel);
}

void evs_ticket_close(struct evs_ticket *ticket, bool stored)
{
    EVS_ASSERT(ticket->open > 0);
    ticket->failed = ticket->failed || !stored;
    if (--ticket->open == 0) {
        ticket->settled(ticket);
    }
}
