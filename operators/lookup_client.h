/* The client of a looked-up table: one thread of its own, which all workers ask.
 *
 *   worker ── submit ──► [ queue ] ──► client thread ── fetch ──► connector
 *      ▲                                    │ decodes the values into rows
 *      └────────── wake, is_done ◄──────────┘
 *
 * A request belongs to the worker until it is submitted, to the client until it is done, then to the worker again; so nothing in it needs a lock. The queue
 * is a stack of pointers that the client takes whole and turns round.
 *
 * The server away: the request is tried again, with growing pauses, until the retry policy's time is over; then it fails, and so do all that follow, at
 * once, while the connection is tried every two seconds. */
#ifndef EVS_LOOKUP_CLIENT_H
#define EVS_LOOKUP_CLIENT_H

#include <stdatomic.h>

#include "evstream/lookup.h"
#include "evstream/operator.h"
#include "evstream/rows.h"

enum evs_lookup_found { EVS_LOOKUP_MISSING, EVS_LOOKUP_FOUND, EVS_LOOKUP_BAD /* a value that does not decode */ };

struct evs_lookup_answer {
    enum evs_lookup_found found;
    struct evs_row *row; /* of the request's pool */
};

struct evs_lookup_request {
    struct evs_slice *keys; /* they stay where they are until it is done */
    uint32_t count;
    struct evs_lookup_answer *answers; /* one a key */
    struct evs_waker *waker;

    /* filled by the client */
    struct evs_row_pool pool;
    evs_status status;      /* EVS_OK, or why there are no answers */
    struct evs_error error; /* also of the first bad value */
    _Atomic bool is_done;
    struct evs_lookup_request *next;
};

struct evs_lookup_client;

/* For evs_op_share: `table` is the key. */
EVS_MUST_CHECK evs_status evs_lookup_client_open(const void *table, const struct evs_shared_open *open, void **client,
                                                 struct evs_error *error);
void evs_lookup_client_close(void *client);
/* Frees what an earlier answer had. The request must stay until it is done, or the client is closed. */
void evs_lookup_submit(struct evs_lookup_client *client, struct evs_lookup_request *request);

#endif
