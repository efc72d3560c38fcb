#include "collector.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "evstream/option.h"
#include "internal.h"
#include "tls.h"

#define COLLECTOR_OWN_FILES 64u    /* beside connections: the spool's, NATS's, the listeners' */
#define COLLECTOR_STOP_US 10000000 /* how long a stop waits for answers that are due */
#define COLLECTOR_STOP_TICK_US 20000
#define COLLECTOR_TELL_US 100000
#define COLLECTOR_SALT_US 3000000
#define COLLECTOR_METHODS                                                                                              \
    (EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |    \
     EVHTTP_REQ_PATCH)

/* --- parcels ---------------------------------------------------------------------------------------------------------------- */

void evs_collector_flush(struct evs_collector *collector)
{
    struct evs_parcel *parcel;
    collector->linger_waits = false;
    while ((parcel = evs_parcels_close(collector->parcels)) != NULL) {
        evs_delivery_take(collector->delivery, parcel);
    }
}

static void collector_on_linger(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    evs_collector_flush(argument);
}

/* --- listening -------------------------------------------------------------------------------------------------------------- */

static struct bufferevent *collector_on_connection(struct event_base *base, void *argument)
{
    struct evs_collector *collector = argument;
    struct bufferevent *socket = collector->tls != NULL ? evs_tls_bufferevent(collector->tls, base)
                                                        : bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    EVS_ASSERT(socket != NULL);
    evs_guard_watch(&collector->guard, socket);
    return socket;
}

/* With all connections in use nothing more is accepted: the kernel lets the others wait. */
static void collector_on_full(void *context, bool is_full)
{
    struct evs_collector *collector = context;
    for (uint32_t i = 0; i < collector->listener_count; i++) {
        struct evconnlistener *listener = evhttp_bound_socket_get_listener(collector->listeners[i]);
        (void)(is_full ? evconnlistener_disable(listener) : evconnlistener_enable(listener));
    }
    if (is_full) {
        evs_log(collector->log, EVS_LOG_WARN, "connections", "All %u connections are in use (--max-connections).",
                collector->guard.limits.connections_max);
    }
}

static uint16_t collector_port(struct evhttp_bound_socket *bound)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    if (getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &bytes) != 0) {
        return 0;
    }
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static evs_status collector_listen(struct evs_collector *collector, const char *text, struct evs_error *error)
{
    char host[EVS_HOST_BYTES];
    uint16_t port;
    if (!evs_parse_address(text, host, &port)) {
        return evs_fail(error, EVS_E_USAGE, "`%s` is no address to listen on; write HOST:PORT, such as 0.0.0.0:8080.",
                        text);
    }
    if (collector->listener_count == EVS_LISTENERS_MAX) {
        return evs_fail(error, EVS_E_USAGE, "At most %u addresses can be listened on.", EVS_LISTENERS_MAX);
    }
    if (host[0] == '\0') {
        snprintf(host, sizeof host, "0.0.0.0");
    }
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(collector->http, host, port);
    if (bound == NULL) {
        return evs_fail(error, EVS_E_REFUSED, "Cannot listen on %s: %s.", text, strerror(errno));
    }
    collector->listeners[collector->listener_count++] = bound;
    evs_log(collector->log, EVS_LOG_INFO, "listening", "Collecting at %s://%s%s%s:%u/.",
            collector->tls != NULL ? "https" : "http", strchr(host, ':') != NULL ? "[" : "", host,
            strchr(host, ':') != NULL ? "]" : "", collector_port(bound));
    return EVS_OK;
}

static evs_status collector_listen_all(struct evs_collector *collector, struct evs_error *error)
{
    const struct evs_config *config = collector->config;
    collector->http = evhttp_new(collector->base);
    EVS_ASSERT(collector->http != NULL);
    evhttp_set_gencb(collector->http, evs_exchange_serve, collector);
    evhttp_set_bevcb(collector->http, collector_on_connection, collector);
    evhttp_set_allowed_methods(collector->http, COLLECTOR_METHODS);
    evhttp_set_default_content_type(collector->http, NULL);
    /* The guard's limits come first; these hold for chunked bodies. */
    evhttp_set_max_headers_size(collector->http, (ev_ssize_t)config->header_bytes + 256);
    evhttp_set_max_body_size(collector->http, (ev_ssize_t)config->body_bytes);
    int64_t longest_us = config->idle_timeout_us + config->header_timeout_us + config->body_timeout_us;
    evhttp_set_timeout(collector->http, (int)(longest_us / 1000000) + 60); /* the guard's deadlines are shorter */
    evs_status status = EVS_OK;
    for (uint32_t i = 0; i < config->listen.count && status == EVS_OK; i++) {
        status = collector_listen(collector, config->listen.items[i], error);
    }
    return status;
}

/* --- what is told to others -------------------------------------------------------------------------------------------------- */

/* Requests whose bytes still wait in sockets are not taken yet. */
static void collector_on_tell(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct evs_collector *collector = argument;
    struct evs_spool_state spool = {0};
    int64_t settled_us = evs_delivery_settled_us(collector->delivery);
    int64_t open_us = evs_parcels_oldest_us(collector->parcels, settled_us);
    (void)evs_delivery_spool(collector->delivery, &spool);
    evs_keeper_tell(collector->keeper, open_us < settled_us ? open_us : settled_us, spool.bytes);
}

/* At the start the shared salt is waited for; a day's change finds it there. */
bool evs_collector_salt(struct evs_collector *collector, int64_t day, uint8_t salt[EVS_SALT_BYTES])
{
    bool is_start = collector->salted_day == EVS_SALTED_NEVER;
    if (collector->keeper != NULL && evs_keeper_salt(collector->keeper, day, is_start ? COLLECTOR_SALT_US : 0, salt)) {
        return true;
    }
    if (collector->keeper != NULL && is_start) {
        evs_log(collector->log, EVS_LOG_WARN, "own_salt",
                "NATS cannot be asked for the salt that collectors share: ids without cookies of this collector differ "
                "from "
                "those of others until tomorrow.");
    }
    return evs_salt_of_day(collector->config->spool, day, salt);
}

/* --- stopping ---------------------------------------------------------------------------------------------------------------- */

/* Listeners close when the drain's time is over; then answers that are due are waited for, and idle connections are shut. */
static void collector_on_drain(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct evs_collector *collector = argument;
    int64_t now_us = evs_monotonic_us(collector->os);
    if (now_us < collector->drain_until_us) {
        return;
    }
    for (; collector->listener_count > 0; collector->listener_count--) {
        evhttp_del_accept_socket(collector->http, collector->listeners[collector->listener_count - 1]);
    }
    evs_guard_shut_idle(&collector->guard);
    bool is_done = collector->pending_count == 0 && collector->guard.connection_count == 0;
    if (is_done || now_us > collector->drain_until_us + COLLECTOR_STOP_US) {
        event_base_loopbreak(collector->base);
    }
}

static void collector_on_stop(evutil_socket_t signal_number, short what, void *argument)
{
    (void)what;
    struct evs_collector *collector = argument;
    if (collector->stop_count++ > 0) {
        evs_log(collector->log, EVS_LOG_WARN, "stop", "A second signal: stopping at once.");
        event_base_loopbreak(collector->base);
        return;
    }
    evs_log(collector->log, EVS_LOG_INFO, "stop", "Signal %d: draining.", (int)signal_number);
    collector->drains = true;
    collector->drain_until_us = evs_monotonic_us(collector->os) + collector->config->drain_us;
    const struct timeval tick = {.tv_usec = COLLECTOR_STOP_TICK_US};
    EVS_ASSERT(event_add(collector->drain_event, &tick) == 0);
}

/* --- parts --------------------------------------------------------------------------------------------------------------------- */

static evs_status collector_open_delivery(struct evs_collector *collector, struct evs_error *error)
{
    const struct evs_config *config = collector->config;
    struct evs_delivery_options options = {
        .os = collector->os,
        .log = collector->log,
        .base = collector->base,
        .upstream = {.os = collector->os,
                     .log = collector->log,
                     .urls = config->nats_url,
                     .credentials = config->nats_credentials,
                     .tls_ca = config->nats_ca,
                     .stream = config->stream,
                     .dead_stream = config->dead_stream,
                     .create = config->create,
                     .max_age_us = config->max_age_us,
                     .max_bytes = config->max_bytes,
                     .message_bytes_max = (size_t)(config->batch_bytes + config->event_bytes)},
        .spool_folder = config->spool,
        .spool_bytes_max = (uint64_t)config->spool_bytes,
        .ack_timeout_us = config->ack_timeout_us,
        .retry_us = config->retry_us,
    };
    return evs_delivery_open(&options, &collector->delivery, error);
}

static evs_status collector_open_keeper(struct evs_collector *collector, struct evs_error *error)
{
    const struct evs_config *config = collector->config;
    struct evs_keeper_options options = {.os = collector->os,
                                         .log = collector->log,
                                         .nats_url = config->nats_url,
                                         .credentials = config->nats_credentials,
                                         .tls_ca = config->nats_ca,
                                         .bucket = config->bucket,
                                         .stream = config->stream,
                                         .folder = config->spool,
                                         .shares_salts = config->cookieless,
                                         .absence_us = config->absence_us};
    if (config->bucket == NULL || (config->spool == NULL && !config->cookieless)) {
        return EVS_OK;
    }
    evs_status status = evs_keeper_open(&options, &collector->keeper, error);
    if (status == EVS_OK) {
        const struct timeval tick = {.tv_usec = COLLECTOR_TELL_US};
        collector_on_tell(-1, 0, collector);
        collector->tell_event = event_new(collector->base, -1, EV_PERSIST, collector_on_tell, collector);
        EVS_ASSERT(event_add(collector->tell_event, &tick) == 0);
    }
    return status;
}

/* As many descriptors as the connections need, or as many connections as there are descriptors. */
static uint32_t collector_connections(struct evs_collector *collector)
{
    struct rlimit files;
    rlim_t wanted = (rlim_t)collector->config->connections_max + COLLECTOR_OWN_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted) {
        return (uint32_t)collector->config->connections_max;
    }
    files.rlim_cur = wanted < files.rlim_max ? wanted : files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < wanted) {
        evs_log(
            collector->log, EVS_LOG_WARN, "open_files",
            "This process may open %llu files only, so it serves fewer connections at once. Raise the limit (ulimit "
            "-n, LimitNOFILE=) for more.",
            (unsigned long long)files.rlim_cur);
    }
    bool scarce = files.rlim_cur < 2 * COLLECTOR_OWN_FILES;
    return files.rlim_cur < wanted ? (uint32_t)(scarce ? files.rlim_cur / 2 : files.rlim_cur - COLLECTOR_OWN_FILES)
                                   : (uint32_t)collector->config->connections_max;
}

static void collector_init_guard(struct evs_collector *collector)
{
    const struct evs_config *config = collector->config;
    struct evs_guard_limits limits = {.header_bytes = (size_t)config->header_bytes,
                                      .body_bytes = (size_t)config->body_bytes,
                                      .memory_bytes = (uint64_t)config->memory_bytes,
                                      .header_timeout_us = config->header_timeout_us,
                                      .body_timeout_us = config->body_timeout_us,
                                      .idle_timeout_us = config->idle_timeout_us,
                                      .min_rate = config->min_rate,
                                      .connections_max = collector_connections(collector)};
    struct evs_guard_options options = {.os = collector->os,
                                        .base = collector->base,
                                        .limits = limits,
                                        .full = collector_on_full,
                                        .refuse = evs_exchange_refuse,
                                        .context = collector};
    evs_guard_init(&collector->guard, &options);
}

static void collector_on_hangup(evutil_socket_t signal_number, short what, void *argument)
{
    (void)signal_number;
    (void)what;
    struct evs_collector *collector = argument;
    if (!collector->drains) {
        evs_collector_reload(collector);
    }
}

static void collector_init_events(struct evs_collector *collector)
{
    static const int signals[] = {SIGINT, SIGTERM};
    signal(SIGPIPE, SIG_IGN);
    collector->linger_event = event_new(collector->base, -1, 0, collector_on_linger, collector);
    collector->drain_event = event_new(collector->base, -1, EV_PERSIST, collector_on_drain, collector);
    collector->hangup_event = evsignal_new(collector->base, SIGHUP, collector_on_hangup, collector);
    EVS_ASSERT(event_add(collector->hangup_event, NULL) == 0);
    for (uint32_t i = 0; i < EVS_COUNT(signals); i++) {
        collector->stop_events[i] = evsignal_new(collector->base, signals[i], collector_on_stop, collector);
        EVS_ASSERT(event_add(collector->stop_events[i], NULL) == 0);
    }
}

static evs_status collector_open(struct evs_collector *collector, struct evs_error *error)
{
    const struct evs_config *config = collector->config;
    collector->parcels = evs_parcels_new((size_t)config->batch_bytes);
    collector_init_guard(collector);
    collector_init_events(collector);
    evs_status status = evs_collector_apply(collector, config, error);
    if (status == EVS_OK) {
        status = evs_files_open(collector->os, collector->log, config->tracker, config->static_folder,
                                &collector->files, error);
    }
    if (status == EVS_OK) {
        status = collector_open_delivery(collector, error);
    }
    if (status == EVS_OK) {
        status = collector_open_keeper(collector, error);
    }
    if (status == EVS_OK) {
        evs_exchange_salt(collector, collector->os->clock.wall_us(collector->os->clock.self));
    }
    /* Last of all: who can connect is served. */
    return status == EVS_OK ? collector_listen_all(collector, error) : status;
}

/* Delivery first: it settles what is open, so that no request waits any more when evhttp goes. */
static void collector_close(struct evs_collector *collector)
{
    bool is_empty = false;
    if (collector->delivery != NULL) {
        evs_collector_flush(collector);
        is_empty = evs_delivery_close(collector->delivery);
    }
    if (collector->keeper != NULL) {
        evs_keeper_close(collector->keeper, is_empty);
        event_free(collector->tell_event);
    }
    if (collector->http != NULL) {
        evhttp_free(collector->http);
        (void)event_base_loop(collector->base, EVLOOP_NONBLOCK); /* bufferevents are freed by the loop */
    }
    evs_guard_fini(&collector->guard);
    for (uint32_t i = 0; i < EVS_COUNT(collector->stop_events); i++) {
        event_free(collector->stop_events[i]);
    }
    event_free(collector->hangup_event);
    event_free(collector->linger_event);
    event_free(collector->drain_event);
    evs_files_close(collector->files);
    evs_parcels_free(collector->parcels);
    evs_collector_unapply(collector);
    evs_buffer_fini(&collector->inflated);
    evs_buffer_fini(&collector->scratch);
    evs_arena_fini(&collector->arena);
    event_base_free(collector->base);
}

evs_status evs_collector_run(const struct evs_collector_options *options, struct evs_error *error)
{
    const struct evs_os *os = options->os;
    struct evs_collector collector = {.options = options,
                                      .started_wall_us = os->clock.wall_us(os->clock.self),
                                      .config = options->config,
                                      .os = os,
                                      .log = options->log,
                                      .access_fd = -1,
                                      .salted_day = EVS_SALTED_NEVER};
    collector.base = event_base_new();
    EVS_ASSERT(collector.base != NULL);
    evs_status status = collector_open(&collector, error);
    if (status == EVS_OK) {
        (void)event_base_dispatch(collector.base);
        evs_log(options->log, EVS_LOG_INFO, "stopped", "Stopped.");
    }
    collector_close(&collector);
    return status;
}
