/* to nats (…): rows as messages of a NATS subject, acknowledged by JetStream, once each. The essay is in sink_nats.c. */
#ifndef EVS_SINK_NATS_H
#define EVS_SINK_NATS_H

#include "evstream/sink.h"
#include "nats_wire.h"

extern const struct evs_sink evs_sink_nats;

/* Where a sink's messages are, for tools that read them back. Texts are the configuration's; "": not said. */
struct evs_sink_nats_place {
    const char *subject; /* the template's text */
    const char *stream, *domain, *inbox_prefix, *tls_ca, *tls_cert, *tls_key;
    enum evs_nats_transport transport;
};
void evs_sink_nats_place(const void *config, struct evs_sink_nats_place *place);

struct evs_sink_nats_counters {
    uint64_t acknowledged;
    uint64_t resent;     /* attempts after the first */
    uint64_t duplicates; /* "duplicate" answered to a first attempt: a replay, or two rows with one id */
    uint64_t found;      /* not sent: the stream has held them since before this run */
    uint64_t orphans;    /* ids that the stream holds and nothing has derived again */
    uint64_t nobody;     /* answers "no stream stores this subject" */
    uint64_t refused;    /* refusals that are tried again: the stream is full, the server busy */
    uint64_t outstanding, outstanding_bytes;
};
void evs_sink_nats_counters(void *instance, struct evs_sink_nats_counters *counters);
void evs_sink_nats_reconnect(void *instance); /* for tests: drops the connection */

#endif
