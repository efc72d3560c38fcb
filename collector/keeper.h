/* What collectors of one stream know of each other and tell the engines, kept in the key-value bucket of the leases by a thread of its own:
 *
 *   collector.<stream>.<id>   the registration: how far behind this collector is, written once a second (sources/nats_senders.h has the form and what
 *                             engines conclude from it). A collector that stops with nothing in its spool deletes it; one that is killed, or cut off, leaves it,
 *                             and so says that something may still come. Without a spool nothing can wait here, and there is no registration.
 *   salt.<day>                the cookieless mode's salt of a day, the same for all: who is first draws it. The next day's is there an hour early. A
 *                             salt is deleted when its day is two days past.
 *
 * The id is drawn once and stays in the spool's folder, because it is the spool that is waited for. The thread has a connection of its own; what it does
 * blocks, and nothing of the collector waits for it but the start (salts) and the stop (the last word). */
#ifndef EVS_KEEPER_H
#define EVS_KEEPER_H

#include "salt.h"

struct evs_keeper_options {
    const struct evs_os *os;
    struct evs_log *log;
    const char *nats_url, *credentials, *tls_ca; /* NULL: not given */
    const char *bucket, *stream;
    const char *folder; /* of the spool; NULL: there is none, and nothing is registered */
    bool shares_salts;  /* cookieless */
    int64_t absence_us; /* how long engines wait for a collector that they do not hear; 0: for ever */
};

struct evs_keeper;
/* Starts the thread. EVS_E_IO: the id cannot be kept in the folder. */
EVS_MUST_CHECK evs_status evs_keeper_open(const struct evs_keeper_options *options, struct evs_keeper **keeper,
                                          struct evs_error *error);
/* Ends it; `leaves`: nothing is left to send, the registration is deleted, if NATS is there. */
void evs_keeper_close(struct evs_keeper *keeper, bool leaves);

/* From the loop, often: everything that was taken before this monotonic time is in JetStream; and what the spool holds. */
void evs_keeper_tell(struct evs_keeper *keeper, int64_t settled_us, uint64_t spool_bytes);

/* The shared salt of a day. False: not known (yet). `wait_us`: how long to wait for it. */
bool evs_keeper_salt(struct evs_keeper *keeper, int64_t day, int64_t wait_us, uint8_t salt[EVS_SALT_BYTES]);

struct evs_keeper_state {
    bool is_registered;
    uint64_t beats; /* written */
};
void evs_keeper_state(const struct evs_keeper *keeper, struct evs_keeper_state *state);

#endif
