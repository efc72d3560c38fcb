/* Spans to a collector, by OTLP over HTTP with JSON (opentelemetry-proto 1.3, "OTLP/HTTP", "JSON Protobuf Encoding").
 *
 *   workers ── take ──► a bounded queue ──► a thread: up to 512 spans a request, at the latest after a second ──► POST <endpoint>
 *
 * Nobody waits for it: a span that finds the queue full is dropped and counted. A request that fails in a way that may pass (no connection, 429, 502, 503, 504) is tried
 * again with growing pauses, as long as a Retry-After says where there is one, for half a minute; then its spans are dropped and counted, as they are at once when the collector
 * refuses them. What a partial success rejects is counted, too. */
#ifndef EVS_OTLP_H
#define EVS_OTLP_H

#include "evstream/memory.h"
#include "evstream/os.h"
#include "evstream/trace.h"

struct evs_otlp;

struct evs_otlp_options {
    const struct evs_os *os;
    struct evs_log *log;
    const char *
        endpoint; /* copied, as the headers are: http://host:4318, or the whole address of the traces: a path is kept, without one it is /v1/traces */
    const char *headers;      /* "name=value,name=value", as OTEL_EXPORTER_OTLP_HEADERS; NULL: none */
    const char *service_name; /* of the resource; NULL: evstream */
    double share;             /* of the events, above 0, at most 1 */
};

struct evs_otlp_counts {
    uint64_t exported, dropped; /* spans; dropped: no room, refused, or tried for too long */
    uint64_t requests_failed;   /* attempts */
};

/* EVS_E_USAGE: the endpoint is none. */
EVS_MUST_CHECK evs_status evs_otlp_new(const struct evs_otlp_options *options, struct evs_otlp **otlp,
                                       struct evs_error *error);
const struct evs_tracer *evs_otlp_tracer(struct evs_otlp *otlp);
void evs_otlp_count(struct evs_otlp *otlp, struct evs_otlp_counts *counts);
/* Sends what waits, for two seconds at most. No worker takes spans any more. */
void evs_otlp_free(struct evs_otlp *otlp);

/* otlp_json.c: a request's body. */
void evs_otlp_put(struct evs_buffer *out, const char *service_name, const struct evs_trace_span *spans, uint32_t count);
/* "10%", "0.1", "1": a share of 1, above 0. */
bool evs_otlp_share(const char *text, double *share);

#endif
