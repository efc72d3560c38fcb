#include "nats_link.h"

#include <nats/nats.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#include "evstream/memory.h"

#define LINK_IO_BYTES (256 << 10) /* above a TLS record, or poll would miss what the TLS object holds */
#define LINK_CONNECT_MS 2000
#define LINK_RECONNECT_US INT64_C(100000)
#define LINK_PUBLISH_MAX (2 << 20) /* unsent bytes above which publish says EVS_AGAIN */
#define LINK_GIVEN_MAX (4u << 20)  /* bytes of messages between two releases */
#define LINK_KEEPALIVE_S 20
#define LINK_LOGIN_FAILURES_MAX 3
#define LINK_LAST_READS_MAX 64

struct link_subscription {
    natsSubscription *subscription;
    uint64_t sid;
};

struct link_wire {
    struct evs_nats_wire base;
    const struct evs_os *os;
    struct evs_log *log;
    struct evs_park *park;
    natsOptions *options;
    natsConnection *connection; /* NULL while the connector works */

    /* The connector thread makes a connection; `connector_done` hands its results over. */
    struct evs_thread *connector;
    natsConnection *connector_result; /* NULL: the login is refused */
    atomic_bool connector_done, connector_stop;

    /* Written by callbacks, which may run on the connector's or one of the library's threads. */
    atomic_int fd; /* -1: detached */
    atomic_bool wants_write;
    atomic_uint_fast64_t refusals, closed_count;
    atomic_int fd_to_close; /* -1: none; see link_close_old_fd */
    uint64_t made_count;    /* connections that will be closed, or were */

    struct link_subscription *subscriptions;
    uint32_t subscription_count, subscription_capacity, subscription_next;
    natsMsg **given;
    uint32_t given_count, given_capacity;
    struct evs_arena arena;    /* payloads and header blocks since the last release */
    struct evs_buffer headers; /* scratch */
    struct evs_nats_wire_state state;
    char last_error[256];
};

/* --- errors ---------------------------------------------------------------------------------------------------------- */

static evs_status link_status(natsStatus status)
{
    switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
    case NATS_SSL_ERROR:
    case NATS_SECURE_CONNECTION_REQUIRED:
    case NATS_SECURE_CONNECTION_WANTED:
    case NATS_INVALID_ARG:
        return EVS_E_REFUSED;
    case NATS_NO_MEMORY:
        return EVS_E_LIMIT;
    default:
        return EVS_E_UNREACHABLE;
    }
}

static const char *link_advice(natsStatus status)
{
    switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
        return "Check user and password in the server's address (nats://user:password@host:port), or the credentials "
               "file "
               "(--nats-creds).";
    case NATS_SSL_ERROR:
    case NATS_SECURE_CONNECTION_REQUIRED:
    case NATS_SECURE_CONNECTION_WANTED:
        return "Write tls:// before the host if the server has TLS, and check tls_ca, tls_cert and tls_key.";
    default:
        return "Check that a nats-server runs at the address given with --nats or EVSTREAM_NATS_URL, and that the "
               "files "
               "for it (--nats-creds, tls_ca, tls_cert, tls_key) can be read.";
    }
}

static evs_status link_fail(struct evs_error *error, natsStatus status, const char *what)
{
    natsStatus ignored;
    const char *detail = nats_GetLastError(&ignored);
    bool told = detail != NULL && detail[0] != '\0';
    return evs_fail(error, link_status(status), "%s failed: %s%s%s. %s", what, natsStatus_GetText(status),
                    told ? ", " : "", told ? detail : "", link_advice(status));
}

/* --- the event loop: callbacks only remember -------------------------------------------------------------------------- */

static void link_watch_peer(int fd)
{
    int on = 1, idle_s = LINK_KEEPALIVE_S, interval_s = LINK_KEEPALIVE_S / 2, probes = 2;
    unsigned int unanswered_ms = 2 * LINK_KEEPALIVE_S * 1000;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
}

static natsStatus link_attach(void **data, void *loop, natsConnection *connection, natsSock fd)
{
    (void)connection;
    struct link_wire *w = loop;
    *data = w;
    link_watch_peer(fd);
    atomic_store(&w->wants_write, false);
    atomic_store(&w->fd, fd);
    return NATS_OK;
}

/* From 3.9.2 on the event loop closes the socket, once it does not wait on it any more. Before, the library did. */
static void link_close_old_fd(struct link_wire *w, int next)
{
    int fd = atomic_exchange(&w->fd_to_close, next);
#if NATS_VERSION_NUMBER >= 0x030902
    natsSock old = fd;
    if (fd >= 0) {
        natsConnection_ProcessCloseEvent(&old);
    }
#else
    (void)fd;
#endif
}

static natsStatus link_read(void *data, bool add)
{
    struct link_wire *w = data;
    if (!add) {
        link_close_old_fd(w, atomic_exchange(&w->fd, -1));
    }
    return NATS_OK;
}

static natsStatus link_write(void *data, bool add)
{
    struct link_wire *w = data;
    atomic_store(&w->wants_write, add);
    return NATS_OK;
}

static natsStatus link_detach(void *data)
{
    struct link_wire *w = data;
    atomic_store(&w->fd, -1);
    return NATS_OK;
}

static void link_on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status, void *closure)
{
    (void)connection;
    (void)subscription;
    (void)status;
    struct link_wire *w = closure;
    atomic_fetch_add(&w->refusals, 1);
}

static void link_on_closed(natsConnection *connection, void *closure)
{
    (void)connection;
    struct link_wire *w = closure;
    atomic_fetch_add(&w->closed_count, 1);
}

/* --- options --------------------------------------------------------------------------------------------------------- */

static natsStatus link_set_servers(natsOptions *options, const char *urls, struct evs_arena *arena)
{
    const char *servers[EVS_NATS_SERVERS_MAX];
    int count = 0;
    urls = urls == NULL || urls[0] == '\0' ? "nats://127.0.0.1:4222" : urls;
    for (const char *at = urls; *at != '\0' && count < EVS_NATS_SERVERS_MAX;) {
        size_t bytes = strcspn(at, ",");
        servers[count++] = evs_arena_strndup(arena, at, bytes);
        at += bytes + (at[bytes] == ',');
    }
    return natsOptions_SetServers(options, servers, count);
}

static natsStatus link_set_security(natsOptions *options, const struct evs_nats_options *ours)
{
    natsStatus s = NATS_OK;
    bool tls =
        ours->tls_ca != NULL || ours->tls_cert != NULL || (ours->urls != NULL && strstr(ours->urls, "tls://") != NULL);
    if (tls) {
        s = natsOptions_SetSecure(options, true);
    }
    if (s == NATS_OK && ours->tls_ca != NULL) {
        s = natsOptions_LoadCATrustedCertificates(options, ours->tls_ca);
    }
    if (s == NATS_OK && ours->tls_cert != NULL) {
        s = natsOptions_LoadCertificatesChain(options, ours->tls_cert,
                                              ours->tls_key != NULL ? ours->tls_key : ours->tls_cert);
    }
    if (s == NATS_OK && ours->credentials != NULL) {
        s = natsOptions_SetUserCredentialsFromFiles(options, ours->credentials, NULL);
    }
    return s;
}

static natsStatus link_set_common(natsOptions *options, const struct evs_nats_options *ours, struct evs_arena *arena)
{
    natsStatus s = link_set_servers(options, ours->urls, arena);
    if (s == NATS_OK) {
        s = link_set_security(options, ours);
    }
    if (s == NATS_OK) {
        s = natsOptions_SetName(options, ours->name);
    }
    if (s == NATS_OK) {
        s = natsOptions_SetTimeout(options, LINK_CONNECT_MS);
    }
    if (s == NATS_OK) {
        s = natsOptions_SetNoRandomize(options, true);
    }
    return s == NATS_OK ? natsOptions_SetSendAsap(options, true) : s;
}

static natsStatus link_set_loop(natsOptions *options, struct link_wire *w)
{
    natsStatus s = natsOptions_SetEventLoop(options, w, link_attach, link_read, link_write, link_detach);
    if (s == NATS_OK) {
        s = natsOptions_SetIOBufSize(options, LINK_IO_BYTES);
    }
    if (s == NATS_OK) {
        s = natsOptions_SetAllowReconnect(options, false);
    }
    if (s == NATS_OK) {
        s = natsOptions_SetPingInterval(options, 0);
    }
    if (s == NATS_OK) {
        s = natsOptions_SetErrorHandler(options, link_on_error, w);
    }
    return s == NATS_OK ? natsOptions_SetClosedCB(options, link_on_closed, w) : s;
}

/* Tries until it succeeds, is refused, or retry_us has passed. */
static evs_status link_try(const struct evs_nats_options *ours, natsOptions *options, natsConnection **connection,
                           struct evs_error *error)
{
    int64_t deadline_us = evs_monotonic_us(ours->os) + ours->retry_us;
    for (;;) {
        natsStatus s = natsConnection_Connect(connection, options);
        if (s == NATS_OK) {
            return EVS_OK;
        }
        evs_status status = link_fail(error, s, "Connecting to NATS");
        if (status != EVS_E_UNREACHABLE || evs_monotonic_us(ours->os) >= deadline_us) {
            return status;
        }
        ours->os->clock.sleep_us(ours->os->clock.self, LINK_RECONNECT_US);
    }
}

static evs_status link_options(const struct evs_nats_options *ours, struct link_wire *w, natsOptions **options,
                               struct evs_error *error)
{
    struct evs_nats_server servers[EVS_NATS_SERVERS_MAX];
    uint32_t count;
    struct evs_arena arena = {0};
    evs_status status = evs_nats_urls_parse(ours->urls, &arena, servers, &count, error);
    if (status == EVS_OK) {
        natsStatus s = natsOptions_Create(options);
        if (s == NATS_OK) {
            s = link_set_common(*options, ours, &arena);
        }
        if (s == NATS_OK) {
            s = link_set_loop(*options, w);
        }
        status = s == NATS_OK ? EVS_OK : link_fail(error, s, "Preparing the connection to NATS");
    }
    evs_arena_fini(&arena);
    return status;
}

/* --- the wire -------------------------------------------------------------------------------------------------------- */

static bool link_is_attached(const struct link_wire *w)
{
    return w->connection != NULL && atomic_load(&w->fd) >= 0;
}

/* Runs on its own thread until a connection is made, the login is refused several times, or nobody wants it any more. */
static void link_connector(void *argument)
{
    struct link_wire *w = argument;
    uint32_t refusals = 0;
    while (!atomic_load(&w->connector_stop) && refusals < LINK_LOGIN_FAILURES_MAX) {
        natsStatus s = natsConnection_Connect(&w->connector_result, w->options);
        if (s == NATS_OK) {
            break;
        }
        w->connector_result = NULL;
        refusals = s == NATS_CONNECTION_AUTH_FAILED ? refusals + 1 : 0;
        w->os->clock.sleep_us(w->os->clock.self, LINK_RECONNECT_US);
    }
    atomic_store(&w->connector_done, true);
    if (w->park != NULL) {
        w->os->threads.wake(w->park);
    }
}

static void link_forget_subscriptions(struct link_wire *w)
{
    for (uint32_t i = 0; i < w->subscription_count; i++) {
        natsSubscription_Destroy(w->subscriptions[i].subscription);
    }
    w->subscription_count = w->subscription_next = 0;
}

static void link_note_last_error(struct link_wire *w)
{
    const char *text = NULL;
    (void)natsConnection_GetLastError(w->connection, &text);
    snprintf(w->last_error, sizeof w->last_error, "%s", text != NULL ? text : "");
}

/* Closing a connection that works, the library waits half a second for a PONG that only our loop could read. So the socket is
 * ended first, and the library finds out by reading. */
static void link_end_socket(struct link_wire *w)
{
    int fd = atomic_load(&w->fd);
    if (fd >= 0) {
        (void)shutdown(fd, SHUT_RDWR);
    }
    for (uint32_t i = 0; i < LINK_LAST_READS_MAX && link_is_attached(w); i++) {
        natsConnection_ProcessReadEvent(w->connection);
    }
}

static void link_drop_connection(struct link_wire *w)
{
    link_forget_subscriptions(w);
    link_end_socket(w);
    natsConnection_Destroy(w->connection);
    w->connection = NULL;
    link_close_old_fd(w, -1);
}

/* The connection broke. */
static void link_begin_connecting(struct link_wire *w)
{
    link_note_last_error(w);
    w->state.connected = false;
    w->state.disconnected_us = evs_monotonic_us(w->os);
    evs_log(w->log, EVS_LOG_WARN, "nats_disconnected", "The connection to NATS broke%s%s. It is made again.",
            w->last_error[0] != '\0' ? ": " : "", w->last_error);
    link_drop_connection(w);
    atomic_store(&w->connector_done, false);
    w->connector_result = NULL;
    if (w->os->threads.spawn(w->os->threads.self, "evs-nats", link_connector, w, &w->connector) != EVS_OK) {
        w->connector = NULL;
        w->state.gives_up = true;
        snprintf(w->last_error, sizeof w->last_error, "no thread can be started");
    }
}

static void link_adopt(struct link_wire *w, natsConnection *connection)
{
    w->connection = connection;
    w->made_count++;
    w->state.connected = true;
    w->state.connection++;
    w->state.max_payload = (uint64_t)natsConnection_GetMaxPayload(connection);
    w->last_error[0] = '\0';
    evs_log(w->log, w->state.connection > 1 ? EVS_LOG_INFO : EVS_LOG_DEBUG, "nats_connected", "Connected to NATS.");
}

static void link_end_connecting(struct link_wire *w)
{
    w->os->threads.join(w->connector);
    w->connector = NULL;
    if (w->connector_result != NULL) {
        link_adopt(w, w->connector_result);
    } else {
        w->state.gives_up = !atomic_load(&w->connector_stop);
        snprintf(w->last_error, sizeof w->last_error, "Authorization Violation");
    }
}

static void link_drive(struct evs_nats_wire *base)
{
    struct link_wire *w = (struct link_wire *)base;
    if (w->connector != NULL && atomic_load(&w->connector_done)) {
        link_end_connecting(w);
    }
    if (w->connection == NULL) {
        return;
    }
    if (!link_is_attached(w)) {
        link_begin_connecting(w);
        return;
    }
    uint64_t refusals = atomic_load(&w->refusals);
    if (refusals != w->state.refusals) {
        w->state.refusals = refusals;
        link_note_last_error(w);
        evs_log(w->log, EVS_LOG_WARN, "nats_refusal", "The NATS server says: %s.", w->last_error);
    }
    if (atomic_load(&w->wants_write)) {
        natsConnection_ProcessWriteEvent(w->connection);
    }
}

static void link_state(struct evs_nats_wire *base, struct evs_nats_wire_state *state)
{
    const struct link_wire *w = (const struct link_wire *)base;
    *state = w->state;
    state->connected = link_is_attached(w);
    state->last_error = w->last_error;
}

static evs_status link_subscribe(struct evs_nats_wire *base, const char *subject, uint64_t sid)
{
    struct link_wire *w = (struct link_wire *)base;
    natsSubscription *subscription = NULL;
    if (!link_is_attached(w) || natsConnection_SubscribeSync(&subscription, w->connection, subject) != NATS_OK) {
        return EVS_AGAIN;
    }
    if (natsSubscription_SetPendingLimits(subscription, -1, -1) != NATS_OK) {
        natsSubscription_Destroy(subscription);
        return EVS_AGAIN;
    }
    EVS_GROW(w->subscriptions, w->subscription_count, w->subscription_capacity);
    w->subscriptions[w->subscription_count++] = (struct link_subscription){subscription, sid};
    return EVS_OK;
}

static void link_unsubscribe(struct evs_nats_wire *base, uint64_t sid)
{
    struct link_wire *w = (struct link_wire *)base;
    for (uint32_t i = 0; i < w->subscription_count; i++) {
        if (w->subscriptions[i].sid == sid) {
            natsSubscription_Destroy(w->subscriptions[i].subscription);
            w->subscriptions[i] = w->subscriptions[--w->subscription_count];
            return;
        }
    }
}

static const char *link_text(struct link_wire *w, struct evs_slice text)
{
    return text.count == 0 ? NULL : evs_arena_strndup(&w->arena, text.data, text.count);
}

static natsStatus link_set_headers(struct link_wire *w, natsMsg *message, struct evs_slice headers)
{
    natsStatus s = NATS_OK;
    const char *at = headers.data, *end = headers.data + headers.count;
    while (s == NATS_OK && at < end) {
        const char *line_end = memchr(at, '\r', (size_t)(end - at));
        line_end = line_end == NULL ? end : line_end;
        const char *colon = memchr(at, ':', (size_t)(line_end - at));
        EVS_ASSERT(colon != NULL);
        const char *value = colon + 1;
        while (value < line_end && *value == ' ') {
            value++;
        }
        s = natsMsgHeader_Add(message, evs_arena_strndup(&w->arena, at, (size_t)(colon - at)),
                              evs_arena_strndup(&w->arena, value, (size_t)(line_end - value)));
        at = line_end + 2;
    }
    return s;
}

static evs_status link_publish(struct evs_nats_wire *base, struct evs_slice subject, struct evs_slice reply,
                               struct evs_slice headers, struct evs_slice payload)
{
    struct link_wire *w = (struct link_wire *)base;
    if (!link_is_attached(w) || natsConnection_Buffered(w->connection) > LINK_PUBLISH_MAX) {
        return EVS_AGAIN;
    }
    natsMsg *message = NULL;
    natsStatus s =
        natsMsg_Create(&message, link_text(w, subject), link_text(w, reply), payload.data, (int)payload.count);
    if (s == NATS_OK) {
        s = link_set_headers(w, message, headers);
    }
    if (s == NATS_OK) {
        s = natsConnection_PublishMsg(w->connection, message);
    }
    natsMsg_Destroy(message);
    return s == NATS_OK ? EVS_OK : EVS_AGAIN;
}

/* cnats keeps headers parsed, not raw: the block is written again. */
static struct evs_slice link_header_block(struct link_wire *w, natsMsg *message, uint32_t *status)
{
    const char **keys = NULL;
    int count = 0;
    *status = 0;
    if (natsMsgHeader_Keys(message, &keys, &count) != NATS_OK) {
        return (struct evs_slice){"", 0};
    }
    struct evs_buffer *out = &w->headers;
    out->count = 0;
    const char *code = NULL, *description = NULL;
    (void)natsMsgHeader_Get(message, "Status", &code);
    (void)natsMsgHeader_Get(message, "Description", &description);
    bool is_status = code != NULL && natsMsg_GetDataLength(message) == 0;
    evs_buffer_printf(out, "NATS/1.0%s%s%s%s\r\n", is_status ? " " : "", is_status ? code : "",
                      is_status && description != NULL ? " " : "", is_status && description != NULL ? description : "");
    for (int i = 0; i < count; i++) {
        const char **values = NULL;
        int value_count = 0;
        (void)natsMsgHeader_Values(message, keys[i], &values, &value_count);
        for (int k = 0; k < value_count; k++) {
            evs_buffer_printf(out, "%s: %s\r\n", keys[i], values[k]);
        }
        free((void *)values);
    }
    free((void *)keys);
    evs_buffer_puts(out, "\r\n");
    struct evs_slice text, block = {evs_arena_copy(&w->arena, out->data, out->count), out->count};
    *status = is_status ? evs_nats_header_status(block, &text) : 0;
    return block;
}

static struct evs_slice link_slice(const char *text)
{
    return text == NULL ? (struct evs_slice){"", 0} : evs_slice_of(text);
}

static void link_fill(struct link_wire *w, natsMsg *from, uint64_t sid, struct evs_nats_message *message)
{
    EVS_GROW(w->given, w->given_count, w->given_capacity);
    w->given[w->given_count++] = from;
    size_t bytes = (size_t)natsMsg_GetDataLength(from);
    char *payload = evs_arena_alloc(&w->arena, bytes + EVS_PADDING, 64);
    memcpy(payload, bytes > 0 ? natsMsg_GetData(from) : "", bytes);
    memset(payload + bytes, 0, EVS_PADDING);
    *message = (struct evs_nats_message){
        .sid = sid,
        .subject = link_slice(natsMsg_GetSubject(from)),
        .reply = link_slice(natsMsg_GetReply(from)),
        .payload = {payload, bytes},
    };
    message->headers = link_header_block(w, from, &message->status);
}

/* A queued message of any subscription, in turn. */
static bool link_take_queued(struct link_wire *w, struct evs_nats_message *message)
{
    for (uint32_t i = 0; i < w->subscription_count; i++) {
        uint32_t at = (w->subscription_next + i) % w->subscription_count;
        const struct link_subscription *s = &w->subscriptions[at];
        natsMsg *from = NULL;
        natsStatus status = natsSubscription_NextMsg(&from, s->subscription, 0);
        if (status == NATS_OK) {
            w->subscription_next = at;
            link_fill(w, from, s->sid, message);
            return true;
        }
        if (status == NATS_NO_RESPONDERS) {
            *message = (struct evs_nats_message){.sid = s->sid, .status = 503};
            return true;
        }
    }
    return false;
}

static evs_status link_next(struct evs_nats_wire *base, struct evs_nats_message *message)
{
    struct link_wire *w = (struct link_wire *)base;
    for (;;) {
        if (w->arena.used_bytes >= LINK_GIVEN_MAX) {
            return EVS_MORE;
        }
        if (link_take_queued(w, message)) {
            return EVS_OK;
        }
        if (!link_is_attached(w)) {
            return EVS_AGAIN;
        }
        struct evs_wait_fd fd = {.fd = atomic_load(&w->fd), .want_read = true};
        if (w->os->sockets.wait(w->os->sockets.self, NULL, &fd, 1, 0) <= 0) {
            return EVS_AGAIN;
        }
        natsConnection_ProcessReadEvent(w->connection);
    }
}

static void link_release(struct evs_nats_wire *base)
{
    struct link_wire *w = (struct link_wire *)base;
    for (uint32_t i = 0; i < w->given_count; i++) {
        natsMsg_Destroy(w->given[i]);
    }
    w->given_count = 0;
    evs_arena_reset(&w->arena);
}

static uint32_t link_wait_fds(struct evs_nats_wire *base, struct evs_wait_fd *fds, uint32_t max)
{
    const struct link_wire *w = (const struct link_wire *)base;
    int fd = atomic_load(&w->fd);
    if (!link_is_attached(w) || max == 0) {
        return 0;
    }
    fds[0] = (struct evs_wait_fd){.fd = fd, .want_read = true, .want_write = atomic_load(&w->wants_write)};
    return 1;
}

static void link_reconnect(struct evs_nats_wire *base)
{
    struct link_wire *w = (struct link_wire *)base;
    if (link_is_attached(w)) {
        link_end_socket(w); /* the next drive makes another connection */
    }
}

static void link_close(struct evs_nats_wire *base)
{
    struct link_wire *w = (struct link_wire *)base;
    link_release(base);
    if (w->connector != NULL) {
        atomic_store(&w->connector_stop, true);
        link_end_connecting(w);
    }
    if (w->connection != NULL) {
        if (link_is_attached(w) && atomic_load(&w->wants_write)) {
            natsConnection_ProcessWriteEvent(w->connection);
        }
        link_drop_connection(w);
    }
    while (atomic_load(&w->closed_count) < w->made_count) {
        w->os->clock.sleep_us(w->os->clock.self, 100); /* a callback that is on its way uses `w` */
    }
    natsOptions_Destroy(w->options);
    evs_free(w->subscriptions);
    evs_free(w->given);
    evs_buffer_fini(&w->headers);
    evs_arena_fini(&w->arena);
    evs_free(w);
}

static evs_status link_open(const struct evs_nats_options *options, struct evs_nats_wire **wire,
                            struct evs_error *error)
{
    struct link_wire *w = evs_alloc_zero(sizeof *w);
    natsConnection *connection = NULL;
    w->base.type = &evs_nats_library_wire;
    w->os = options->os;
    w->log = options->log;
    w->park = options->park;
    atomic_init(&w->fd, -1);
    atomic_init(&w->fd_to_close, -1);
    evs_status status = link_options(options, w, &w->options, error);
    if (status == EVS_OK) {
        status = link_try(options, w->options, &connection, error);
    }
    if (status != EVS_OK) {
        link_close(&w->base);
        return status;
    }
    link_adopt(w, connection);
    *wire = &w->base;
    return EVS_OK;
}

const struct evs_nats_wire_type evs_nats_library_wire = {
    .name = "library",
    .open = link_open,
    .close = link_close,
    .drive = link_drive,
    .state = link_state,
    .subscribe = link_subscribe,
    .unsubscribe = link_unsubscribe,
    .publish = link_publish,
    .next = link_next,
    .release = link_release,
    .wait_fds = link_wait_fds,
    .reconnect = link_reconnect,
};
