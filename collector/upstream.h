/* The streams that the collector publishes to: connecting, making them, comparing what is there with what is needed.
 *
 *   CLICKS   clicks.<partition>.<source>   canonical events
 *   DEAD     dead.<source>                 bad rows with their reasons
 *
 * Publishing goes through the same wire as the pipelines' sources and sinks (sources/nats_wire.h): it never blocks, it makes a
 * broken connection again by itself, and it tells which descriptor to wait on, which the collector's loop does. cnats with
 * its libevent adapter was the other choice: it would bring back the traps that sources/nats_link.h lists, and a second
 * understanding of NATS. */
#ifndef EVS_UPSTREAM_H
#define EVS_UPSTREAM_H

#include "nats_wire.h"

struct evs_upstream_options {
    const struct evs_os *os;
    struct evs_log *log;
    const char *urls, *credentials, *tls_ca, *tls_cert, *tls_key; /* NULL: not given */
    const char *stream;                                           /* "CLICKS" */
    const char *dead_stream;                                      /* "DEAD"; NULL: dead letters are not kept */
    bool create;                                                  /* makes streams that are missing */
    int64_t max_age_us, max_bytes;
    size_t message_bytes_max; /* what the server must take at least */
};

#define EVS_UPSTREAM_INBOX_BYTES 120

/* Connects and looks at the streams; blocks, up to retry_us while no server answers. `inbox` gets the prefix of the subjects that
 * acknowledgements come to. EVS_E_UNREACHABLE, EVS_E_REFUSED, EVS_E_USAGE. */
EVS_MUST_CHECK evs_status evs_upstream_open(const struct evs_upstream_options *options, struct evs_park *park,
                                            int64_t retry_us, char inbox[EVS_UPSTREAM_INBOX_BYTES],
                                            struct evs_nats_wire **wire, struct evs_error *error);

#endif
