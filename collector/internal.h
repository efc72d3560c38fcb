/* The parts of a running collector, for the files that serve requests; private to this folder. */
#ifndef EVS_COLLECTOR_INTERNAL_H
#define EVS_COLLECTOR_INTERNAL_H

#include <event2/event.h>
#include <event2/http.h>

#include "collector.h"
#include "delivery.h"
#include "files.h"
#include "guard.h"
#include "protocol.h"
#include "rate.h"
#include "salt.h"

#define EVS_LISTENERS_MAX 16u
#define EVS_STATUS_CLASSES 6u /* 1xx … 5xx at 1 to 5 */

struct evs_collector_counters {
    uint64_t requests[EVS_STATUS_CLASSES];
    uint64_t unauthorised, limited, overloaded, origins_refused, bodies_refused;
    uint64_t events, events_bytes, bad_rows, dropped[EVS_DROPPED_COUNT];
    uint64_t latency_us_sum, latency_count; /* of requests that wait for storage */
};

/* What is counted and limited for one source. */
struct evs_sender {
    const struct evs_config_source *config;
    struct evs_rate rate;
    uint64_t events, bad_rows;
};

struct evs_collector {
    const struct evs_config *config;
    const struct evs_os *os;
    struct evs_log *log;
    struct event_base *base;
    struct evhttp *http;
    struct evhttp_bound_socket *listeners[EVS_LISTENERS_MAX];
    uint32_t listener_count;
    void *tls; /* SSL_CTX; NULL: plain */
    struct evs_guard guard;
    struct evs_protocol *protocol;
    struct evs_parcels *parcels;
    struct event *linger_event;
    bool linger_waits;
    struct evs_delivery *delivery;
    struct evs_site *files;
    struct evs_sender *sources;
    uint32_t source_count;
    struct evs_arena arena; /* of one translation */
    struct evs_buffer inflated;
    struct evs_buffer scratch;
    uint64_t pending_bytes; /* of events whose request is not answered */
    uint32_t pending_count; /* requests that wait for storage */
    int64_t salted_day;
    bool drains;
    int access_fd; /* -1: no log */
    struct event *stop_events[2], *drain_event;
    int64_t drain_until_us;
    uint32_t stop_count;
    struct evs_collector_counters counters;
};

/* exchange.c: evhttp's callback for every request. */
void evs_exchange_serve(struct evhttp_request *request, void *collector);
/* exchange.c: what the guard answers to a request that it refuses. */
void evs_exchange_refuse(void *collector, struct evs_slice head, enum evs_guard_refusal refusal, struct evbuffer *out);
/* metrics.c: the counters as OpenMetrics text. */
void evs_collector_metrics(struct evs_collector *collector, struct evs_buffer *out);
/* collector.c: closes what is open, and hands it on. */
void evs_collector_flush(struct evs_collector *collector);

#endif
