/* The parts of a running collector, for the files that serve requests; private to this folder. */
#ifndef EVS_COLLECTOR_INTERNAL_H
#define EVS_COLLECTOR_INTERNAL_H

#include <event2/event.h>
#include <event2/http.h>

#include "collector.h"
#include "delivery.h"
#include "files.h"
#include "guard.h"
#include "keeper.h"
#include "protocol.h"
#include "rate.h"
#include "salt.h"

#define EVS_LISTENERS_MAX 16u
#define EVS_STATUS_CLASSES 6u /* 1xx … 5xx at 1 to 5 */
#define EVS_STORING_BOUNDS 13u

/* Why the events of a whole request were not taken. */
enum evs_refused {
    EVS_REFUSED_KEY,
    EVS_REFUSED_ORIGIN,
    EVS_REFUSED_BODY,
    EVS_REFUSED_RATE,
    EVS_REFUSED_STORAGE,
    EVS_REFUSED_COUNT
};

struct evs_collector_counters {
    uint64_t requests[EVS_STATUS_CLASSES];
    uint64_t refused[EVS_REFUSED_COUNT];
    uint64_t event_bytes, dropped[EVS_DROPPED_COUNT];
    uint64_t storing[EVS_STORING_BOUNDS + 1], storing_us_sum; /* of requests that wait for storage, by bucket */
    uint64_t scrapes;
};

/* What is counted and limited for one source. */
struct evs_sender {
    const struct evs_config_source *config;
    struct evs_rate rate;
    uint64_t events, bad_rows;
};

/* Values of salted_day that are no day. */
#define EVS_SALTED_NEVER (-1)
#define EVS_SALTED_BEFORE (-2) /* a day's salt was set, into another protocol */

struct evs_collector {
    const struct evs_collector_options *options;
    const struct evs_config *config; /* that holds now; parts that need a start have the options' */
    const struct evs_os *os;
    struct evs_log *log;
    struct event_base *base;
    struct evhttp *http;
    struct evhttp_bound_socket *listeners[EVS_LISTENERS_MAX];
    uint32_t listener_count;
    void *tls; /* SSL_CTX; NULL: plain */
    struct evs_guard guard;
    struct evs_protocol *protocol;
    struct evs_suppressed *suppressed; /* the protocol looks into it */
    struct evs_parcels *parcels;
    struct event *linger_event;
    bool linger_waits;
    struct evs_delivery *delivery;
    struct evs_keeper *keeper; /* NULL: without a bucket */
    struct event *tell_event;
    struct evs_site *files;
    struct evs_sender *sources;
    uint32_t source_count;
    struct evs_arena arena; /* of one translation */
    struct evs_buffer inflated;
    struct evs_buffer scratch;
    uint64_t pending_bytes; /* of events whose request is not answered */
    uint32_t pending_count; /* requests that wait for storage */
    int64_t salted_day, started_wall_us;
    bool drains;
    int access_fd; /* -1: no log */
    struct event *stop_events[2], *hangup_event, *drain_event;
    int64_t drain_until_us;
    uint32_t stop_count;
    struct evs_collector_counters counters;
};

/* exchange.c: evhttp's callback for every request. */
void evs_exchange_serve(struct evhttp_request *request, void *collector);
/* exchange.c: sets the day's salt, for ids without cookies. The protocol keeps two days. */
void evs_exchange_salt(struct evs_collector *collector, int64_t received_us);
/* exchange.c: what the guard answers to a request that it refuses. */
void evs_exchange_refuse(void *collector, struct evs_slice head, enum evs_guard_refusal refusal, struct evbuffer *out);
/* apply.c: makes what may change while the collector runs; on a failure everything stays as it is. `config` is the options', or becomes the collector's. */
EVS_MUST_CHECK evs_status evs_collector_apply(struct evs_collector *collector, const struct evs_config *config,
                                              struct evs_error *error);
void evs_collector_unapply(struct evs_collector *collector);
/* apply.c: SIGHUP. */
void evs_collector_reload(struct evs_collector *collector);
/* metrics.c: the counters in the form that an Accept header (NULL: none) asks for. */
void evs_collector_metrics(struct evs_collector *collector, const char *accept, struct evs_buffer *out,
                           const char **content_type);
/* metrics.c: a request has waited for storage so long. */
void evs_collector_count_storing(struct evs_collector_counters *counters, int64_t us);
/* collector.c: the salt of a day, the one that all collectors share when it can be had. False: none. */
bool evs_collector_salt(struct evs_collector *collector, int64_t day, uint8_t salt[EVS_SALT_BYTES]);
/* collector.c: closes what is open, and hands it on. */
void evs_collector_flush(struct evs_collector *collector);

#endif
