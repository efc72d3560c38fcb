/* The collector: an HTTP server that takes events of browsers, apps and servers, and hands them to JetStream.
 *
 *   connection ─► guard ─► evhttp ─► exchange ─► protocol ─► parcels ─► delivery ─► JetStream
 *                (limits,  (HTTP)    (keys,      (canonical             (acknow-    or the spool
 *                deadlines)          CORS,       events)                ledgement)
 *                                    answer)
 *
 * One thread runs everything in one libevent loop; the spool's syncs and the first connection to NATS have threads of their own.
 * An event is answered with 200 only when it is stored: acknowledged by JetStream, or synced in the spool. */
#ifndef EVS_COLLECTOR_H
#define EVS_COLLECTOR_H

#include "config.h"

struct evs_collector_options {
    const struct evs_config *config; /* stays until the end */
    const struct evs_os *os;
    struct evs_log *log;
    /* At SIGHUP: the configuration as it is now, into one at its defaults. An error's text is a whole sentence. */
    evs_status (*load)(void *context, struct evs_config *config, struct evs_error *error);
    void *context;
};

/* Serves until SIGINT or SIGTERM, then drains. Blocks. EVS_E_UNREACHABLE, EVS_E_REFUSED, EVS_E_IO, EVS_E_USAGE. */
EVS_MUST_CHECK evs_status evs_collector_run(const struct evs_collector_options *options, struct evs_error *error);

#endif
