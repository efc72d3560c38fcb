/* One request: its route, its answer, and the wait for storage in between.
 *
 * evhttp keeps a request until it is answered, also when its connection breaks in the meantime. The answer of a protocol is made
 * at once and put into the request's output; it is sent when the last parcel with one of its events is stored. If that fails,
 * 503 with Retry-After goes out in its place, and the client sends everything again: nothing of it may be lost, and events
 * that were stored the first time are told by their ids. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cors.h"
#include "inflate.h"
#include "internal.h"
#include "peer.h"

#define EXCHANGE_RETRY_AFTER "2"
#define EXCHANGE_PREFLIGHT_AGE "7200"
#define EXCHANGE_EXPOSED "Retry-After" /* what scripts of other sites may read of an answer, beside its body */

struct exchange {
    struct evs_ticket ticket; /* the first member: `settled` gets its address */
    struct evs_collector *collector;
    struct evhttp_request *request;
    int64_t begun_us;
    uint64_t bytes; /* of its events */
    int status;
};

/* --- headers ------------------------------------------------------------------------------------------------------------ */

static const char *asked(struct evhttp_request *request, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(request), name);
}

static void tell(struct evhttp_request *request, const char *name, const char *value)
{
    (void)evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

static struct evs_slice exchange_method(struct evhttp_request *request)
{
    switch (evhttp_request_get_command(request)) {
    case EVHTTP_REQ_GET:
        return EVS_SLICE("GET");
    case EVHTTP_REQ_HEAD:
        return EVS_SLICE("HEAD");
    case EVHTTP_REQ_POST:
        return EVS_SLICE("POST");
    case EVHTTP_REQ_OPTIONS:
        return EVS_SLICE("OPTIONS");
    default:
        return EVS_SLICE("OTHER");
    }
}

/* The part of the URI before the query, as it was sent. */
static struct evs_slice exchange_path(struct evhttp_request *request, struct evs_slice *query)
{
    const char *uri = evhttp_request_get_uri(request);
    const char *scheme = uri[0] == '/' ? NULL : strstr(uri, "://");
    if (scheme != NULL) { /* the absolute form, which a client uses towards a proxy */
        const char *path = strchr(scheme + 3, '/');
        uri = path != NULL ? path : "/";
    }
    size_t count = strcspn(uri, "?#");
    *query = uri[count] == '?' ? (struct evs_slice){uri + count + 1, strcspn(uri + count + 1, "#")} : EVS_SLICE("");
    return (struct evs_slice){uri, count};
}

/* --- the access log -------------------------------------------------------------------------------------------------------- */

static void exchange_log(const struct evs_collector *collector, struct evhttp_request *request, int status,
                         int64_t begun_us)
{
    char address[EVS_PEER_BYTES], time_text[32];
    struct evs_slice query, path = exchange_path(request, &query), method = exchange_method(request);
    if (collector->access_fd < 0) {
        return;
    }
    const struct evs_os *os = collector->os;
    int64_t now_us = os->clock.wall_us(os->clock.self);
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%S", &parts);
    evs_peer_address(request, collector->config->trust_proxy, address);
    if (collector->config->ip != EVS_IP_KEEP) { /* the log keeps no more of a person than the events do */
        snprintf(address, sizeof address, "-");
    }
    char line[1024];
    int count =
        snprintf(line, sizeof line, "%s.%03dZ %s %.*s %.*s %d %zu %.1f\n", time_text, (int)(now_us / 1000 % 1000),
                 address, (int)method.count, method.data, (int)(path.count < 512 ? path.count : 512), path.data, status,
                 evbuffer_get_length(evhttp_request_get_input_buffer(request)),
                 (double)(evs_monotonic_us(os) - begun_us) / 1000.0);
    ssize_t written = write(collector->access_fd, line, (size_t)count);
    (void)written; /* a full disk must not stop events */
}

/* The form in which the protocols refuse, too (protocol/answer.c). */
#define REFUSAL "{\"success\":false,\"message\":\"%s\"}\n"

/* --- answers --------------------------------------------------------------------------------------------------------------- */

static void exchange_send(struct evs_collector *collector, struct evhttp_request *request, int status, int64_t begun_us)
{
    uint32_t class = (uint32_t)status / 100;
    collector->counters.requests[class < EVS_STATUS_CLASSES ? class : 0]++;
    exchange_log(collector, request, status, begun_us);
    if (collector->drains) {
        tell(request, "Connection", "close");
    }
    evhttp_send_reply(request, status, status == 429 ? "Too Many Requests" : NULL,
                      NULL); /* libevent knows the others */
}

/* Throws away what has been put into the answer, but for CORS: a script must be able to read a refusal, too. */
static void exchange_clear(struct evhttp_request *request)
{
    static const char *const kept[] = {"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials",
                                       "Access-Control-Expose-Headers", "Vary"};
    char *values[EVS_COUNT(kept)];
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    for (uint32_t i = 0; i < EVS_COUNT(kept); i++) {
        const char *value = evhttp_find_header(headers, kept[i]);
        values[i] = value != NULL ? evs_strdup(value) : NULL;
    }
    evhttp_clear_headers(headers);
    for (uint32_t i = 0; i < EVS_COUNT(kept); i++) {
        if (values[i] != NULL) {
            tell(request, kept[i], values[i]);
            evs_free(values[i]);
        }
    }
    struct evbuffer *body = evhttp_request_get_output_buffer(request);
    evbuffer_drain(body, evbuffer_get_length(body));
}

static void exchange_refuse(struct evs_collector *collector, struct evhttp_request *request, int status,
                            const char *sentence, int64_t begun_us)
{
    exchange_clear(request);
    tell(request, "Content-Type", "application/json");
    tell(request, "Cache-Control", "no-store");
    evbuffer_add_printf(evhttp_request_get_output_buffer(request), REFUSAL, sentence);
    exchange_send(collector, request, status, begun_us);
}

static void exchange_come_again(struct evs_collector *collector, struct evhttp_request *request, int status,
                                int64_t wait_us, const char *sentence, int64_t begun_us)
{
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%lld", (long long)((wait_us + 999999) / 1000000));
    exchange_clear(request);
    tell(request, "Retry-After", wait_us > 0 ? seconds : EXCHANGE_RETRY_AFTER);
    tell(request, "Content-Type", "application/json");
    tell(request, "Cache-Control", "no-store");
    evbuffer_add_printf(evhttp_request_get_output_buffer(request), REFUSAL, sentence);
    exchange_send(collector, request, status, begun_us);
}

/* --- CORS ------------------------------------------------------------------------------------------------------------------- */

static bool exchange_any_source_allows(const struct evs_config *config, const char *origin)
{
    for (uint32_t i = 0; i < config->source_count; i++) {
        if (evs_cors_allows(&config->sources[i].origins, origin)) {
            return true;
        }
    }
    return false;
}

/* `source` NULL: not known yet; then it is enough that one source allows it. */
static bool exchange_allows_origin(const struct evs_config *config, const char *origin, const char *host,
                                   const char *source)
{
    const struct evs_config_source *own = source != NULL ? evs_config_source(config, source) : NULL;
    if (host != NULL && evs_cors_is_same(origin, host)) {
        return true;
    }
    if (own != NULL && own->origins.count > 0) {
        return evs_cors_allows(&own->origins, origin);
    }
    return evs_cors_allows(&config->origins, origin) || (source == NULL && exchange_any_source_allows(config, origin));
}

static bool exchange_allows(const struct evs_collector *collector, struct evhttp_request *request, const char *origin,
                            const char *source)
{
    return exchange_allows_origin(collector->config, origin, asked(request, "Host"), source);
}

static void exchange_reflect(struct evhttp_request *request, const char *origin)
{
    tell(request, "Access-Control-Allow-Origin", origin);
    tell(request, "Access-Control-Allow-Credentials", "true");
    tell(request, "Access-Control-Expose-Headers", EXCHANGE_EXPOSED);
    tell(request, "Vary", "Origin");
}

static void exchange_preflight(struct evs_collector *collector, struct evhttp_request *request, int64_t begun_us)
{
    const char *origin = asked(request, "Origin");
    tell(request, "Allow", EVS_CORS_ALLOW_METHODS);
    if (origin != NULL && exchange_allows(collector, request, origin, NULL)) {
        exchange_reflect(request, origin);
        tell(request, "Access-Control-Allow-Methods", EVS_CORS_ALLOW_METHODS);
        tell(request, "Access-Control-Allow-Headers", EVS_CORS_ALLOW_HEADERS);
        tell(request, "Access-Control-Max-Age", EXCHANGE_PREFLIGHT_AGE);
    } else {
        tell(request, "Vary", "Origin");
    }
    exchange_send(collector, request, 204, begun_us);
}

/* --- events ------------------------------------------------------------------------------------------------------------------ */

static void exchange_settled(struct evs_ticket *ticket)
{
    struct exchange *exchange = (struct exchange *)ticket;
    struct evs_collector *collector = exchange->collector;
    struct evs_collector_counters *counters = &collector->counters;
    collector->pending_bytes -= exchange->bytes;
    collector->pending_count--;
    if (exchange->bytes > 0) {
        evs_collector_count_storing(counters, evs_monotonic_us(collector->os) - exchange->begun_us);
    }
    if (ticket->failed) {
        counters->refused[EVS_REFUSED_STORAGE]++;
        exchange_come_again(collector, exchange->request, 503, 0,
                            "The events could not be stored now; send them again.", exchange->begun_us);
    } else {
        exchange_send(collector, exchange->request, exchange->status, exchange->begun_us);
    }
    evs_free(exchange);
}

static void exchange_add(struct exchange *exchange, const char *subject, struct evs_slice line, struct evs_slice id)
{
    struct evs_collector *collector = exchange->collector;
    struct evs_parcel *full = evs_parcels_add(collector->parcels, subject, line, id, &exchange->ticket);
    exchange->bytes += line.count;
    collector->pending_bytes += line.count;
    if (full != NULL) {
        evs_delivery_take(collector->delivery, full);
    }
}

static struct evs_sender *exchange_source(struct evs_collector *collector, const char *name)
{
    for (uint32_t i = 0; i < collector->source_count; i++) {
        if (strcmp(collector->sources[i].config->name, name) == 0) {
            return &collector->sources[i];
        }
    }
    EVS_ASSERT(!"a translation names a source of the configuration");
    return NULL;
}

static void exchange_count(struct evs_collector *collector, const struct evs_translation *translation)
{
    for (uint32_t i = 0; i < EVS_DROPPED_COUNT; i++) {
        collector->counters.dropped[i] += translation->dropped[i];
    }
    /* Snowplow's events name their sources one by one. */
    for (uint32_t i = 0; i < translation->event_count; i++) {
        exchange_source(collector, translation->events[i].source)->events++;
    }
    for (uint32_t i = 0; i < translation->bad_row_count; i++) {
        exchange_source(collector, translation->bad_rows[i].source)->bad_rows++;
    }
}

/* The answer is in the request's output; it goes out when everything of it is stored. */
static void exchange_store(struct evs_collector *collector, struct evhttp_request *request,
                           const struct evs_translation *translation, int64_t begun_us)
{
    struct exchange *exchange = evs_alloc_zero(sizeof *exchange);
    *exchange = (struct exchange){.ticket = {.open = 1, .settled = exchange_settled, .taken_us = begun_us},
                                  .collector = collector,
                                  .request = request,
                                  .begun_us = begun_us,
                                  .status = (int)translation->answer.status};
    collector->pending_count++;
    char subject[96];
    for (uint32_t i = 0; i < translation->event_count; i++) {
        const struct evs_event *event = &translation->events[i];
        snprintf(subject, sizeof subject, "clicks.%u.%s", event->partition, event->source);
        exchange_add(exchange, subject, event->json, event->event_id);
        collector->counters.event_bytes += event->json.count;
    }
    for (uint32_t i = 0; i < translation->bad_row_count && collector->config->dead_stream != NULL; i++) {
        const struct evs_bad_row *row = &translation->bad_rows[i];
        snprintf(subject, sizeof subject, "dead.%s", row->source);
        exchange_add(exchange, subject, row->json, row->json);
    }
    if (!evs_parcels_is_empty(collector->parcels) && !collector->linger_waits) {
        const struct timeval linger = {.tv_sec = collector->config->linger_us / 1000000,
                                       .tv_usec = collector->config->linger_us % 1000000};
        collector->linger_waits = true;
        EVS_ASSERT(event_add(collector->linger_event, &linger) == 0);
    }
    evs_ticket_close(&exchange->ticket, true);
}

/* A source's limit and its sites; false: answered. */
static bool exchange_admit(struct evs_collector *collector, struct evhttp_request *request,
                           const struct evs_translation *translation, int64_t begun_us)
{
    const char *origin = asked(request, "Origin");
    if (origin != NULL && translation->source != NULL && translation->answer.cors == EVS_CORS_REFLECT &&
        !exchange_allows(collector, request, origin, translation->source)) {
        collector->counters.refused[EVS_REFUSED_ORIGIN]++;
        evs_log(collector->log, EVS_LOG_WARN, "origin",
                "Refused events of a page of %s: allow it with --allow-origin %s.", origin, origin);
        evhttp_clear_headers(evhttp_request_get_output_headers(request));
        exchange_refuse(collector, request, 403, "Pages of this origin may not send here (--allow-origin).", begun_us);
        return false;
    }
    int64_t wait_us;
    uint32_t count = translation->event_count + translation->bad_row_count;
    if (count > 0 && translation->source != NULL &&
        !evs_rate_take(&exchange_source(collector, translation->source)->rate, count, begun_us, &wait_us)) {
        collector->counters.refused[EVS_REFUSED_RATE]++;
        exchange_come_again(collector, request, 429, wait_us, "This source sends more than its rate limit allows.",
                            begun_us);
        return false;
    }
    return true;
}

static struct evs_slice exchange_header(void *context, const char *name)
{
    const char *value = asked(context, name);
    return value != NULL ? evs_slice_of(value) : (struct evs_slice){0};
}

static void exchange_put_answer(struct evs_collector *collector, struct evhttp_request *request,
                                const struct evs_answer *answer)
{
    const char *origin = asked(request, "Origin");
    if (answer->cors == EVS_CORS_REFLECT && origin != NULL && exchange_allows(collector, request, origin, NULL)) {
        exchange_reflect(request, origin);
    }
    if (answer->content_type != NULL) {
        tell(request, "Content-Type", answer->content_type);
    }
    for (uint32_t i = 0; i < answer->header_count; i++) {
        tell(request, answer->headers[i].name, answer->headers[i].value);
    }
    if (answer->body.count > 0) {
        evbuffer_add(evhttp_request_get_output_buffer(request), answer->body.data, answer->body.count);
    }
}

void evs_exchange_salt(struct evs_collector *collector, int64_t received_us)
{
    int64_t day = received_us / (INT64_C(86400) * 1000000);
    if (!collector->config->cookieless || day == collector->salted_day) {
        return;
    }
    uint8_t salt[EVS_SALT_BYTES];
    if (evs_collector_salt(collector, day, salt)) {
        evs_protocol_set_salt(collector->protocol, day, salt);
        collector->salted_day = day;
    }
}

static void exchange_translate(struct evs_collector *collector, struct evhttp_request *request, struct evs_slice path,
                               struct evs_slice query, struct evs_slice body, int64_t begun_us)
{
    char address[EVS_PEER_BYTES];
    const struct evs_os *os = collector->os;
    evs_peer_address(request, collector->config->trust_proxy, address);
    struct evs_slice method = exchange_method(request);
    struct evs_request asking = {.method = method.count == 4 && method.data[0] == 'H' ? EVS_SLICE("GET") : method,
                                 .path = path,
                                 .query = query,
                                 .header = exchange_header,
                                 .header_context = request,
                                 .body = body,
                                 .remote_address = evs_slice_of(address),
                                 .received_us = os->clock.wall_us(os->clock.self)};
    evs_random_bytes(asking.random, sizeof asking.random);
    evs_exchange_salt(collector, asking.received_us);
    struct evs_translation translation = {0};
    evs_protocol_translate(collector->protocol, &asking, &collector->arena, &translation);
    collector->counters.refused[EVS_REFUSED_KEY] += translation.answer.status == 401;
    collector->counters.refused[EVS_REFUSED_BODY] += translation.answer.status == 400;
    exchange_put_answer(collector, request, &translation.answer);
    if (translation.answer.file != NULL) {
        char file[256];
        snprintf(file, sizeof file, "/%s", translation.answer.file);
        int status = evs_files_find(collector->files, request, file, evhttp_request_get_output_buffer(request));
        exchange_send(collector, request, status, begun_us);
    } else if (exchange_admit(collector, request, &translation, begun_us)) {
        exchange_count(collector, &translation);
        exchange_store(collector, request, &translation, begun_us);
    }
    evs_arena_reset(&collector->arena);
}

/* The body as the protocols want it; false: answered. */
static bool exchange_body(struct evs_collector *collector, struct evhttp_request *request, struct evs_slice *body,
                          int64_t begun_us)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    size_t count = evbuffer_get_length(input);
    *body = (struct evs_slice){count > 0 ? (const char *)evbuffer_pullup(input, -1) : "", count};
    if (!evs_inflate_is_gzip(*body)) {
        return true;
    }
    collector->inflated.count = 0;
    evs_status status = evs_inflate(*body, (size_t)collector->config->body_bytes, &collector->inflated);
    *body = (struct evs_slice){collector->inflated.data, collector->inflated.count};
    if (status != EVS_OK) {
        collector->counters.refused[EVS_REFUSED_BODY]++;
        exchange_refuse(collector, request, 400,
                        status == EVS_E_LIMIT ? "The body is too large when it is inflated (--body-bytes)."
                                              : "The body begins like gzip, but is none.",
                        begun_us);
    }
    return status == EVS_OK;
}

static void exchange_events(struct evs_collector *collector, struct evhttp_request *request, struct evs_slice path,
                            struct evs_slice query, int64_t begun_us)
{
    struct evs_slice body;
    bool is_full = collector->pending_bytes + collector->guard.held_bytes > (uint64_t)collector->config->memory_bytes;
    if (is_full || !evs_delivery_is_ready(collector->delivery)) {
        collector->counters.refused[EVS_REFUSED_STORAGE]++;
        exchange_come_again(collector, request, 503, 0,
                            is_full ? "Too much is under way; send it again."
                                    : "Events cannot be stored now; send them again.",
                            begun_us);
    } else if (exchange_body(collector, request, &body, begun_us)) {
        exchange_translate(collector, request, path, query, body, begun_us);
    }
}

/* --- routes -------------------------------------------------------------------------------------------------------------------- */

static void exchange_text(struct evs_collector *collector, struct evhttp_request *request, int status, const char *text,
                          int64_t begun_us)
{
    tell(request, "Content-Type", "text/plain; charset=utf-8");
    tell(request, "Cache-Control", "no-store");
    evbuffer_add(evhttp_request_get_output_buffer(request), text, strlen(text));
    exchange_send(collector, request, status, begun_us);
}

static void exchange_metrics(struct evs_collector *collector, struct evhttp_request *request, int64_t begun_us)
{
    const char *content_type;
    collector->scratch.count = 0;
    evs_collector_metrics(collector, asked(request, "Accept"), &collector->scratch, &content_type);
    tell(request, "Content-Type", content_type);
    tell(request, "Vary", "Accept");
    tell(request, "Cache-Control", "no-store");
    evbuffer_add(evhttp_request_get_output_buffer(request), collector->scratch.data, collector->scratch.count);
    exchange_send(collector, request, 200, begun_us);
}

static void exchange_file(struct evs_collector *collector, struct evhttp_request *request, struct evs_slice path,
                          int64_t begun_us)
{
    char name[512] = "";
    struct evbuffer *body = evhttp_request_get_output_buffer(request);
    if (path.count < sizeof name) {
        memcpy(name, path.data, path.count);
        name[path.count] = '\0';
    }
    const char *origin = asked(request, "Origin"); /* of scripts that a page takes with crossorigin */
    if (origin != NULL && exchange_allows(collector, request, origin, NULL)) {
        exchange_reflect(request, origin);
    }
    int status = evs_slice_equal(path, EVS_SLICE("/evs.js")) ? evs_files_tracker(collector->files, request, body)
                                                             : evs_files_find(collector->files, request, name, body);
    if (status == 404) {
        exchange_refuse(collector, request, 404, "There is nothing here.", begun_us);
    } else {
        exchange_send(collector, request, status, begun_us);
    }
}

static void exchange_ready(struct evs_collector *collector, struct evhttp_request *request, int64_t begun_us)
{
    bool ready = !collector->drains && evs_delivery_is_ready(collector->delivery);
    const char *text = collector->drains                                ? "draining\n"
                       : !ready                                         ? "events cannot be stored\n"
                       : evs_delivery_is_connected(collector->delivery) ? "ready\n"
                                                                        : "ready: NATS is away, events are spooled\n";
    exchange_text(collector, request, ready ? 200 : 503, text, begun_us);
}

static void exchange_route(struct evs_collector *collector, struct evhttp_request *request, int64_t begun_us)
{
    struct evs_slice query, path = exchange_path(request, &query), method = exchange_method(request);
    bool is_head = evs_slice_equal(method, EVS_SLICE("HEAD"));
    bool reads = is_head || evs_slice_equal(method, EVS_SLICE("GET"));
    if (evs_slice_equal(method, EVS_SLICE("OPTIONS"))) {
        exchange_preflight(collector, request, begun_us);
    } else if (evs_slice_equal(path, EVS_SLICE("/healthz")) && !reads) { /* what a request costs without its events */
        exchange_send(collector, request, 204, begun_us);
    } else if (reads && evs_slice_equal(path, EVS_SLICE("/healthz"))) {
        exchange_text(collector, request, 200, "ok\n", begun_us);
    } else if (reads && evs_slice_equal(path, EVS_SLICE("/readyz"))) {
        exchange_ready(collector, request, begun_us);
    } else if (reads && evs_slice_equal(path, EVS_SLICE("/metrics"))) {
        exchange_metrics(collector, request, begun_us);
    } else if (!is_head && evs_protocol_knows(method, path)) {
        exchange_events(collector, request, path, query, begun_us);
    } else if (reads) {
        exchange_file(collector, request, path, begun_us);
    } else {
        exchange_refuse(collector, request, 404, "There is nothing here.", begun_us);
    }
}

void evs_exchange_refuse(void *context, struct evs_slice head, enum evs_guard_refusal refusal, struct evbuffer *out)
{
    static const char *const sentences[] = {[EVS_GUARD_LARGE] = "The body is too large (--body-bytes).",
                                            [EVS_GUARD_OVERLOAD] = "Too much is under way; send it again.",
                                            [EVS_GUARD_MALFORMED] =
                                                "The head of the request is too large or contradicts itself."};
    struct evs_collector *collector = context;
    bool is_overload = refusal == EVS_GUARD_OVERLOAD;
    collector->counters.requests[is_overload ? 5 : 4]++;
    collector->counters.refused[is_overload ? EVS_REFUSED_STORAGE : EVS_REFUSED_BODY]++;
    evbuffer_add_printf(out, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n",
                        is_overload ? "503 Service Unavailable\r\nRetry-After: " EXCHANGE_RETRY_AFTER
                                    : "400 Bad Request");
    struct evs_slice origin = evs_guard_header(head, "Origin"), host = evs_guard_header(head, "Host");
    char *origin_text = evs_strndup(origin.count > 0 ? origin.data : "", origin.count);
    char *host_text = evs_strndup(host.count > 0 ? host.data : "", host.count);
    if (origin.count > 0 && exchange_allows_origin(collector->config, origin_text, host_text, NULL)) {
        evbuffer_add_printf(out,
                            "Access-Control-Allow-Origin: %s\r\nAccess-Control-Allow-Credentials: true\r\n"
                            "Access-Control-Expose-Headers: " EXCHANGE_EXPOSED "\r\nVary: Origin\r\n",
                            origin_text);
    }
    evs_free(origin_text);
    evs_free(host_text);
    evbuffer_add_printf(out, "Content-Length: %zu\r\n\r\n" REFUSAL, strlen(sentences[refusal]) + sizeof REFUSAL - 3,
                        sentences[refusal]);
}

void evs_exchange_serve(struct evhttp_request *request, void *context)
{
    struct evs_collector *collector = context;
    int64_t begun_us = evs_monotonic_us(collector->os);
    if (asked(request, "Transfer-Encoding") != NULL) {
        evs_guard_received(&collector->guard,
                           evhttp_connection_get_bufferevent(evhttp_request_get_connection(request)));
    }
    exchange_route(collector, request, begun_us);
}
