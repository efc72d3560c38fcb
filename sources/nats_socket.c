/* A NATS connection of our own on a TCP socket: see nats_wire.h for what it is for.
 *
 *   DOWN ──► RESOLVING ──► CONNECTING ──► GREETING ──► LOGIN ──► UP
 *     ▲  (name look-up)   (TCP)          (INFO)       (PONG)      │
 *     └────────────── any failure: next server, back-off ◄────────┘
 *
 * Input buffer. recv appends; frames are parsed where they lie, and messages given out are slices of it:
 *
 *   0          begin            filled               capacity     + EVS_PADDING
 *   ├──given───┼── not parsed ──┼──── free ──────────┤
 *
 * Nothing moves until `release`. Then the rest that is not parsed yet (part of one message) is moved to just before a page
 * boundary, so that the kernel copies to a page-aligned address: a destination a few bytes beside its source modulo 4 KiB
 * costs three times as much. A frame larger than the buffer makes it grow once.
 *
 * A socket that gave less than there was room for is empty. It is not asked again before its owner has waited for it, or has gone about other things for
 * a while: of the calls that a poll makes, and of the polls that a worker makes before it sleeps, one asks the kernel.
 *
 * Names are looked up on a short thread of their own: a broken DNS must not stop the worker. */
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>

#include "nats_json.h"
#include "nats_protocol.h"

#define SOCKET_PAGE ((size_t)4096)
#define SOCKET_BUFFER_BYTES (512u << 10)
#define SOCKET_OUT_MAX (2u << 20) /* unsent bytes above which publish says EVS_AGAIN */
#define SOCKET_STEP_US 3000000    /* for each step of connecting */
#define SOCKET_EMPTY_US 20        /* how long an empty socket counts as empty while nobody waits for it */
#define SOCKET_PING_US 20000000
#define SOCKET_PINGS_MAX 2
#define SOCKET_BACKOFF_MIN_US 50000
#define SOCKET_BACKOFF_MAX_US 2000000
#define SOCKET_LOGIN_FAILURES_MAX 3 /* in a row, of a connection that once worked */

enum socket_phase { SOCKET_DOWN, SOCKET_RESOLVING, SOCKET_CONNECTING, SOCKET_GREETING, SOCKET_LOGIN, SOCKET_UP };

/* The look-up of a name, under way on its own thread from `thread` set until `done`. */
struct look_up {
    const char *host, *port;
    struct addrinfo hints, *addresses;
    int result; /* of getaddrinfo */
    _Atomic bool done;
    struct evs_thread *thread;
};

struct socket_wire {
    struct evs_nats_wire base;
    const struct evs_os *os;
    struct evs_log *log;
    struct evs_arena arena;
    const char *name;
    struct evs_nats_server servers[EVS_NATS_SERVERS_MAX];
    uint32_t server_count, server_index;

    enum socket_phase phase;
    int fd;
    int64_t deadline_us; /* DOWN: when to try again; UP: when to ping; else when the step has failed */
    uint32_t attempts;   /* failed in a row */
    uint32_t login_failures, pings_out;
    bool wants_tls; /* the server asked for it */
    struct look_up look_up;
    struct addrinfo *addresses, *address;

    char *data;
    size_t capacity, begin, filled;
    bool given;         /* slices into the buffer are out */
    bool drained;       /* nothing was left in the socket … */
    int64_t drained_us; /* … then */
    int64_t now_us;     /* of the last drive */

    struct evs_buffer out;
    size_t out_sent;

    struct evs_nats_wire_state state;
    char last_error[256];
};

static int64_t socket_now(const struct socket_wire *w)
{
    return evs_monotonic_us(w->os);
}

static void socket_note(struct socket_wire *w, const char *format, ...) EVS_PRINTF(2, 3);
static void socket_note(struct socket_wire *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(w->last_error, sizeof w->last_error, format, arguments);
    va_end(arguments);
}

static const struct evs_nats_server *socket_server(const struct socket_wire *w)
{
    EVS_ASSERT(w->server_index < w->server_count);
    return &w->servers[w->server_index];
}

/* --- connecting ------------------------------------------------------------------------------------------------------ */

static void socket_free_addresses(struct socket_wire *w)
{
    if (w->addresses != NULL) {
        freeaddrinfo(w->addresses);
    }
    w->addresses = w->address = NULL;
}

static int64_t socket_backoff_us(struct socket_wire *w)
{
    uint32_t rounds = w->attempts / w->server_count;
    int64_t us = SOCKET_BACKOFF_MIN_US << (rounds < 6 ? rounds : 6);
    us = us < SOCKET_BACKOFF_MAX_US ? us : SOCKET_BACKOFF_MAX_US;
    return us / 2 + (int64_t)(w->os->random.next(w->os->random.self) % (uint64_t)us);
}

static void socket_close_fd(struct socket_wire *w)
{
    if (w->fd >= 0) {
        w->os->sockets.close(w->os->sockets.self, w->fd);
        w->fd = -1;
    }
}

/* Leaves whatever phase it is in. The reason stands in last_error. */
static void socket_fail(struct socket_wire *w)
{
    int64_t now_us = socket_now(w);
    socket_close_fd(w);
    if (w->state.connected) {
        w->state.connected = false;
        w->state.disconnected_us = now_us;
        evs_log(w->log, EVS_LOG_WARN, "nats_disconnected",
                "The connection to NATS (%s:%s) broke: %s. It is made again.", socket_server(w)->host,
                socket_server(w)->port, w->last_error);
    }
    if (w->phase == SOCKET_CONNECTING && w->address != NULL && w->address->ai_next != NULL) {
        w->address = w->address->ai_next; /* another address of the same name */
    } else {
        socket_free_addresses(w);
        w->server_index = (w->server_index + 1) % w->server_count;
        w->attempts++;
    }
    w->phase = SOCKET_DOWN;
    w->deadline_us = w->address != NULL ? now_us : now_us + socket_backoff_us(w);
    /* What was given out stays readable until the next release; what was not parsed belongs to the old connection. */
    w->filled = w->begin;
    w->out.count = w->out_sent = 0;
}

static void socket_enter(struct socket_wire *w, enum socket_phase phase)
{
    w->phase = phase;
    w->deadline_us = socket_now(w) + SOCKET_STEP_US;
}

static void socket_connect(struct socket_wire *w)
{
    EVS_ASSERT(w->address != NULL && w->fd < 0);
    socket_enter(w, SOCKET_CONNECTING);
    w->drained = false;
    w->fd = w->os->sockets.connect(w->os->sockets.self, w->address->ai_addr, w->address->ai_addrlen);
    if (w->fd < 0) {
        socket_note(w, "%s", strerror(errno));
        socket_fail(w);
    }
}

static void look_up_main(void *argument)
{
    struct look_up *look_up = argument;
    look_up->result = getaddrinfo(look_up->host, look_up->port, &look_up->hints, &look_up->addresses);
    atomic_store_explicit(&look_up->done, true, memory_order_release);
}

/* Waits for the thread, which writes into our memory, and takes what it found. */
static void socket_end_look_up(struct socket_wire *w)
{
    w->os->threads.join(w->look_up.thread);
    w->look_up.thread = NULL;
    w->addresses = w->look_up.result == 0 ? w->look_up.addresses : NULL;
}

static void socket_resolve(struct socket_wire *w)
{
    const struct evs_nats_server *server = socket_server(w);
    struct look_up *look_up = &w->look_up;
    socket_enter(w, SOCKET_RESOLVING);
    *look_up = (struct look_up){
        .host = server->host,
        .port = server->port,
        .hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST},
    };
    if (getaddrinfo(server->host, server->port, &look_up->hints, &w->addresses) == 0) {
        w->address = w->addresses; /* it was no name */
        socket_connect(w);
        return;
    }
    look_up->hints.ai_flags = AI_ADDRCONFIG;
    if (w->os->threads.spawn(w->os->threads.self, "evs-resolve", look_up_main, look_up, &look_up->thread) != EVS_OK) {
        socket_note(w, "the name %s cannot be looked up: no thread can be started", server->host);
        w->phase = SOCKET_DOWN;
        socket_fail(w);
    }
}

static void socket_drive_resolving(struct socket_wire *w)
{
    if (!atomic_load_explicit(&w->look_up.done, memory_order_acquire)) {
        return; /* the resolver has its own time-outs */
    }
    socket_end_look_up(w);
    if (w->look_up.result != 0) {
        socket_note(w, "the name %s cannot be looked up: %s", socket_server(w)->host, gai_strerror(w->look_up.result));
        socket_fail(w);
        return;
    }
    w->address = w->addresses;
    socket_connect(w);
}

static void socket_drive_connecting(struct socket_wire *w)
{
    struct evs_wait_fd fd = {.fd = w->fd, .want_write = true};
    if (w->os->sockets.wait(w->os->sockets.self, NULL, &fd, 1, 0) <= 0) {
        return;
    }
    int failure = w->os->sockets.failure(w->os->sockets.self, w->fd);
    if (failure != 0) {
        socket_note(w, "%s", strerror(failure));
        socket_fail(w);
        return;
    }
    socket_enter(w, SOCKET_GREETING);
}

static void socket_put_login(struct socket_wire *w)
{
    const struct evs_nats_server *server = socket_server(w);
    struct evs_buffer *out = &w->out;
    evs_buffer_puts(
        out,
        "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,\"lang\":\"C\",\"version\":\"evstream\","
        "\"protocol\":1,\"headers\":true,\"no_responders\":true,\"echo\":true,\"name\":");
    evs_nats_json_quote(out, evs_slice_of(w->name));
    if (server->password != NULL) {
        evs_buffer_puts(out, ",\"user\":");
        evs_nats_json_quote(out, evs_slice_of(server->user));
        evs_buffer_puts(out, ",\"pass\":");
        evs_nats_json_quote(out, evs_slice_of(server->password));
    } else if (server->user != NULL) {
        evs_buffer_puts(out, ",\"auth_token\":");
        evs_nats_json_quote(out, evs_slice_of(server->user));
    }
    evs_buffer_puts(out, "}\r\nPING\r\n");
}

/* Other members of the cluster, as the server tells them, with the same login. */
static void socket_learn_servers(struct socket_wire *w, struct evs_slice info)
{
    struct evs_slice list, element;
    char url[300];
    if (!evs_nats_json_find(info, "connect_urls", &list)) {
        return;
    }
    for (uint32_t i = 0; w->server_count < EVS_NATS_SERVERS_MAX && evs_nats_json_element(list, i, &element); i++) {
        struct evs_nats_server found[EVS_NATS_SERVERS_MAX];
        uint32_t count = 0;
        if (!evs_nats_json_text(element, url, sizeof url) ||
            evs_nats_urls_parse(url, &w->arena, found, &count, NULL) != EVS_OK) {
            continue;
        }
        bool known = count != 1;
        for (uint32_t k = 0; k < w->server_count && !known; k++) {
            known =
                strcasecmp(w->servers[k].host, found[0].host) == 0 && strcmp(w->servers[k].port, found[0].port) == 0;
        }
        if (!known) {
            found[0].user = socket_server(w)->user;
            found[0].password = socket_server(w)->password;
            w->servers[w->server_count++] = found[0];
        }
    }
}

static void socket_take_info(struct socket_wire *w, struct evs_slice info)
{
    w->state.max_payload = evs_nats_json_uint(info, "max_payload", 1u << 20);
    if (w->phase != SOCKET_GREETING) {
        return; /* news of the cluster while we run */
    }
    if (evs_nats_json_true(info, "tls_required")) {
        w->wants_tls = true;
        socket_note(w, "the server asks for TLS");
        socket_fail(w);
        return;
    }
    if (!evs_nats_json_true(info, "headers")) {
        socket_note(w, "the server is too old: it knows no headers (2.9 or later is needed)");
        socket_fail(w);
        return;
    }
    socket_learn_servers(w, info);
    socket_put_login(w);
    socket_enter(w, SOCKET_LOGIN);
}

static void socket_take_pong(struct socket_wire *w)
{
    w->pings_out = 0;
    if (w->phase != SOCKET_LOGIN) {
        return;
    }
    w->phase = SOCKET_UP;
    w->deadline_us = socket_now(w) + SOCKET_PING_US;
    w->attempts = w->login_failures = 0;
    w->state.connected = true;
    w->state.connection++;
    evs_log(w->log, w->state.connection > 1 ? EVS_LOG_INFO : EVS_LOG_DEBUG, "nats_connected",
            "Connected to NATS (%s:%s).", socket_server(w)->host, socket_server(w)->port);
}

static bool socket_is_login_refusal(const char *text)
{
    return strcasestr(text, "authorization") != NULL || strcasestr(text, "authentication") != NULL;
}

/* Errors come with the connection still open (permissions) or just before the server closes it (all others). */
static void socket_take_refusal(struct socket_wire *w, struct evs_slice text)
{
    socket_note(w, "%.*s", (int)(text.count < 200 ? text.count : 200), text.data);
    w->state.refusals++;
    if (w->phase == SOCKET_UP) {
        evs_log(w->log, EVS_LOG_WARN, "nats_refusal", "The NATS server says: %s.", w->last_error);
    }
    if (socket_is_login_refusal(w->last_error)) {
        w->login_failures++;
        w->state.gives_up =
            w->login_failures >= (w->state.connection > 0 ? SOCKET_LOGIN_FAILURES_MAX : w->server_count);
        socket_fail(w);
    } else if (w->phase == SOCKET_LOGIN) {
        socket_fail(w);
    }
}

/* --- input ----------------------------------------------------------------------------------------------------------- */

static void socket_alloc_buffer(struct socket_wire *w, size_t capacity)
{
    char *data = evs_alloc_aligned(SOCKET_PAGE, capacity + EVS_PADDING);
    memset(data + capacity, 0, EVS_PADDING);
    size_t rest = w->filled - w->begin;
    size_t begin = (SOCKET_PAGE - rest % SOCKET_PAGE) % SOCKET_PAGE;
    EVS_ASSERT(begin + rest <= capacity);
    if (rest > 0) {
        memcpy(data + begin, w->data + w->begin, rest);
    }
    evs_free(w->data);
    w->data = data;
    w->capacity = capacity;
    w->begin = begin;
    w->filled = begin + rest;
}

/* Moves the rest to the front, so that it ends at a page boundary. */
static void socket_compact(struct socket_wire *w)
{
    EVS_ASSERT(!w->given && w->begin <= w->filled);
    size_t rest = w->filled - w->begin;
    size_t begin = (SOCKET_PAGE - rest % SOCKET_PAGE) % SOCKET_PAGE;
    if (begin < w->begin) {
        memmove(w->data + begin, w->data + w->begin, rest);
        w->begin = begin;
        w->filled = begin + rest;
    }
}

/* EVS_OK: bytes came; EVS_AGAIN: none wait. */
static evs_status socket_receive(struct socket_wire *w)
{
    EVS_ASSERT(w->fd >= 0 && w->filled < w->capacity);
    size_t room = w->capacity - w->filled;
    ssize_t got = w->os->sockets.receive(w->os->sockets.self, w->fd, w->data + w->filled, room);
    w->drained = got < (ssize_t)room;
    w->drained_us = w->now_us;
    if (got > 0) {
        w->filled += (size_t)got;
        w->pings_out = 0;
        return EVS_OK;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return EVS_AGAIN;
    }
    if (got < 0) {
        socket_note(w, "%s", strerror(errno));
    } else if (w->phase == SOCKET_UP || w->last_error[0] == '\0') {
        socket_note(w, "the server closed it");
    }
    socket_fail(w);
    return EVS_AGAIN;
}

/* Parses one frame. EVS_OK: a message; EVS_MORE: a control frame was handled; EVS_AGAIN: incomplete, *needed bytes in all (0: unknown). */
static evs_status socket_take_frame(struct socket_wire *w, struct evs_nats_message *message, size_t *needed)
{
    struct evs_nats_frame frame;
    enum evs_nats_verb verb = evs_nats_frame_parse(w->data + w->begin, w->filled - w->begin, &frame);
    if (verb == EVS_NATS_INCOMPLETE) {
        *needed = frame.bytes;
        return EVS_AGAIN;
    }
    w->begin += frame.bytes;
    switch (verb) {
    case EVS_NATS_MSG:
        *message = frame.message;
        return EVS_OK;
    case EVS_NATS_INFO:
        socket_take_info(w, frame.text);
        break;
    case EVS_NATS_PING:
        evs_buffer_puts(&w->out, "PONG\r\n");
        break;
    case EVS_NATS_PONG:
        socket_take_pong(w);
        break;
    case EVS_NATS_REFUSED:
        socket_take_refusal(w, frame.text);
        break;
    case EVS_NATS_ACCEPTED:
        break;
    default:
        socket_note(w, "the server at this address does not speak the NATS protocol");
        socket_fail(w);
    }
    return EVS_MORE;
}

/* Room for a frame of `needed` bytes; nothing may be given out. */
static void socket_make_room(struct socket_wire *w, size_t needed)
{
    socket_compact(w);
    size_t least = needed > 0 ? needed : w->filled - w->begin + 1;
    if (w->begin + least > w->capacity || w->filled == w->capacity) {
        size_t capacity = w->capacity * 2;
        while (capacity < least + 2 * SOCKET_PAGE) {
            capacity *= 2;
        }
        socket_alloc_buffer(w, capacity);
    }
}

static evs_status socket_next(struct evs_nats_wire *base, struct evs_nats_message *message)
{
    struct socket_wire *w = (struct socket_wire *)base;
    for (;;) {
        size_t needed = 0;
        evs_status status = socket_take_frame(w, message, &needed);
        if (status == EVS_OK) {
            w->given = true;
            return EVS_OK;
        }
        if (status == EVS_MORE) {
            continue;
        }
        if (w->phase != SOCKET_UP || w->drained) {
            return EVS_AGAIN;
        }
        if (w->given) {
            return EVS_MORE;
        }
        socket_make_room(w, needed);
        if (socket_receive(w) != EVS_OK) {
            return EVS_AGAIN;
        }
    }
}

static void socket_release(struct evs_nats_wire *base)
{
    struct socket_wire *w = (struct socket_wire *)base;
    w->given = false;
}

/* --- output ---------------------------------------------------------------------------------------------------------- */

static void socket_flush(struct socket_wire *w)
{
    while (w->fd >= 0 && w->out_sent < w->out.count) {
        ssize_t sent =
            w->os->sockets.send(w->os->sockets.self, w->fd, w->out.data + w->out_sent, w->out.count - w->out_sent);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno == EAGAIN) {
            return;
        }
        if (sent < 0) {
            socket_note(w, "%s", strerror(errno));
            socket_fail(w);
            return;
        }
        w->out_sent += (size_t)sent;
    }
    w->out.count = w->out_sent = 0;
}

static bool socket_has_room(struct socket_wire *w, size_t bytes)
{
    if (w->out.count - w->out_sent + bytes > SOCKET_OUT_MAX) {
        socket_flush(w);
    }
    size_t waiting = w->out.count - w->out_sent;
    return w->phase == SOCKET_UP && (waiting == 0 || waiting + bytes <= SOCKET_OUT_MAX);
}

static evs_status socket_publish(struct evs_nats_wire *base, struct evs_slice subject, struct evs_slice reply,
                                 struct evs_slice headers, struct evs_slice payload)
{
    struct socket_wire *w = (struct socket_wire *)base;
    EVS_ASSERT(subject.count > 0);
    if (!socket_has_room(w, subject.count + reply.count + headers.count + payload.count + 64)) {
        return EVS_AGAIN;
    }
    static const char version[] = "NATS/1.0\r\n";
    size_t header_bytes = headers.count > 0 ? sizeof version - 1 + headers.count + 2 : 0;
    struct evs_buffer *out = &w->out;
    evs_buffer_puts(out, header_bytes > 0 ? "HPUB " : "PUB ");
    evs_buffer_put(out, subject.data, subject.count);
    evs_buffer_put(out, " ", 1);
    evs_buffer_put(out, reply.data, reply.count);
    char sizes[64];
    int count = header_bytes > 0
                    ? snprintf(sizes, sizeof sizes, " %zu %zu\r\n", header_bytes, header_bytes + payload.count)
                    : snprintf(sizes, sizeof sizes, " %zu\r\n", payload.count);
    evs_buffer_put(out, sizes, (size_t)count);
    if (header_bytes > 0) {
        evs_buffer_put(out, version, sizeof version - 1);
        evs_buffer_put(out, headers.data, headers.count);
        evs_buffer_put(out, "\r\n", 2);
    }
    evs_buffer_put(out, payload.data, payload.count);
    evs_buffer_put(out, "\r\n", 2);
    return EVS_OK;
}

static evs_status socket_subscribe(struct evs_nats_wire *base, const char *subject, uint64_t sid)
{
    struct socket_wire *w = (struct socket_wire *)base;
    if (!socket_has_room(w, strlen(subject) + 64)) {
        return EVS_AGAIN;
    }
    evs_buffer_printf(&w->out, "SUB %s %llu\r\n", subject, (unsigned long long)sid);
    return EVS_OK;
}

static void socket_unsubscribe(struct evs_nats_wire *base, uint64_t sid)
{
    struct socket_wire *w = (struct socket_wire *)base;
    if (w->phase == SOCKET_UP) {
        evs_buffer_printf(&w->out, "UNSUB %llu\r\n", (unsigned long long)sid);
    }
}

/* --- driving --------------------------------------------------------------------------------------------------------- */

static void socket_drive_handshake(struct socket_wire *w)
{
    struct evs_nats_message message;
    while (w->phase == SOCKET_GREETING || w->phase == SOCKET_LOGIN) {
        size_t needed = 0;
        evs_status status = socket_take_frame(w, &message, &needed);
        if (status == EVS_MORE) {
            continue;
        }
        EVS_ASSERT(status == EVS_AGAIN); /* no message comes before a subscription */
        if (w->drained || w->given) {
            break; /* slices of the old connection are still out */
        }
        socket_make_room(w, needed);
        if (socket_receive(w) != EVS_OK) {
            break;
        }
    }
    socket_flush(w);
}

static void socket_drive_up(struct socket_wire *w, int64_t now_us)
{
    if (now_us >= w->deadline_us) {
        if (w->pings_out >= SOCKET_PINGS_MAX) {
            socket_note(w, "the server has not answered for %d s", SOCKET_PING_US * SOCKET_PINGS_MAX / 1000000);
            socket_fail(w);
            return;
        }
        w->pings_out++;
        w->deadline_us = now_us + SOCKET_PING_US;
        evs_buffer_puts(&w->out, "PING\r\n");
    }
    socket_flush(w);
}

static void socket_drive(struct evs_nats_wire *base)
{
    struct socket_wire *w = (struct socket_wire *)base;
    int64_t now_us = w->now_us = socket_now(w);
    w->drained = w->drained && now_us - w->drained_us < SOCKET_EMPTY_US;
    if (w->phase == SOCKET_DOWN && now_us >= w->deadline_us && !w->state.gives_up) {
        if (w->address != NULL) {
            socket_connect(w);
        } else {
            socket_resolve(w);
        }
    } else if (w->phase == SOCKET_UP) {
        socket_drive_up(w, now_us);
        return;
    } else if (w->phase > SOCKET_RESOLVING && now_us >= w->deadline_us) {
        socket_note(w, "no answer within %d s", SOCKET_STEP_US / 1000000);
        socket_fail(w);
    }
    if (w->phase == SOCKET_RESOLVING) {
        socket_drive_resolving(w);
    }
    if (w->phase == SOCKET_CONNECTING) {
        socket_drive_connecting(w);
    }
    socket_drive_handshake(w);
}

static void socket_state(struct evs_nats_wire *base, struct evs_nats_wire_state *state)
{
    const struct socket_wire *w = (const struct socket_wire *)base;
    *state = w->state;
    state->last_error = w->last_error;
}

static uint32_t socket_wait_fds(struct evs_nats_wire *base, struct evs_wait_fd *fds, uint32_t max)
{
    struct socket_wire *w = (struct socket_wire *)base;
    if (w->fd < 0 || max == 0) {
        return 0;
    }
    w->drained = false;
    bool connecting = w->phase == SOCKET_CONNECTING;
    fds[0] = (struct evs_wait_fd){
        .fd = w->fd, .want_read = !connecting, .want_write = connecting || w->out_sent < w->out.count};
    return 1;
}

static void socket_reconnect(struct evs_nats_wire *base)
{
    struct socket_wire *w = (struct socket_wire *)base;
    if (w->phase == SOCKET_UP) {
        socket_note(w, "the server does not answer requests");
        socket_fail(w);
    }
}

/* --- open and close -------------------------------------------------------------------------------------------------- */

static void socket_close(struct evs_nats_wire *base)
{
    struct socket_wire *w = (struct socket_wire *)base;
    if (w->look_up.thread != NULL) {
        socket_end_look_up(w);
    }
    socket_flush(w);
    socket_close_fd(w);
    socket_free_addresses(w);
    evs_buffer_fini(&w->out);
    evs_arena_fini(&w->arena);
    evs_free(w->data);
    evs_free(w);
}

static evs_status socket_open_failure(struct socket_wire *w, struct evs_error *error)
{
    struct evs_buffer servers = {0};
    evs_nats_servers_show(w->servers, w->server_count, &servers);
    evs_buffer_put(&servers, "", 1);
    evs_status status;
    if (w->wants_tls) {
        status = EVS_MORE; /* no failure yet: the library speaks it */
    } else if (w->state.gives_up) {
        status = evs_fail(error, EVS_E_REFUSED,
                          "The NATS server at %s refuses the login (%s). Check user and password in its address "
                          "(nats://user:password@host:port), or give a credentials file (--nats-creds).",
                          servers.data, w->last_error);
    } else {
        status =
            evs_fail(error, EVS_E_UNREACHABLE,
                     "No NATS server can be reached at %s (%s). Start one (nats-server -js), or give its address with "
                     "--nats or EVSTREAM_NATS_URL.",
                     servers.data, w->last_error);
    }
    evs_buffer_fini(&servers);
    return status;
}

static bool socket_open_is_over(const struct socket_wire *w, int64_t deadline_us)
{
    bool tried_all = w->phase == SOCKET_DOWN && w->address == NULL && w->attempts >= w->server_count;
    return w->phase == SOCKET_UP || w->state.gives_up || w->wants_tls || (tried_all && socket_now(w) >= deadline_us);
}

static evs_status socket_open(const struct evs_nats_options *options, struct evs_nats_wire **wire,
                              struct evs_error *error)
{
    struct socket_wire *w = evs_alloc_zero(sizeof *w);
    *w = (struct socket_wire){.base = {&evs_nats_socket_wire}, .os = options->os, .log = options->log, .fd = -1};
    evs_status status = evs_nats_urls_parse(options->urls, &w->arena, w->servers, &w->server_count, error);
    if (status != EVS_OK) {
        socket_close(&w->base);
        return status;
    }
    w->name = evs_arena_strndup(&w->arena, options->name, strlen(options->name));
    w->state.disconnected_us = socket_now(w);
    socket_alloc_buffer(w, SOCKET_BUFFER_BYTES);
    int64_t deadline_us = socket_now(w) + options->retry_us;
    while (socket_drive(&w->base), !socket_open_is_over(w, deadline_us)) {
        struct evs_wait_fd fd;
        uint32_t count = socket_wait_fds(&w->base, &fd, 1);
        (void)w->os->sockets.wait(w->os->sockets.self, options->park, &fd, count, 10000);
    }
    if (w->phase != SOCKET_UP) {
        status = socket_open_failure(w, error);
        socket_close(&w->base);
        return status;
    }
    *wire = &w->base;
    return EVS_OK;
}

const struct evs_nats_wire_type evs_nats_socket_wire = {
    .name = "socket",
    .open = socket_open,
    .close = socket_close,
    .drive = socket_drive,
    .state = socket_state,
    .subscribe = socket_subscribe,
    .unsubscribe = socket_unsubscribe,
    .publish = socket_publish,
    .next = socket_next,
    .release = socket_release,
    .wait_fds = socket_wait_fds,
    .reconnect = socket_reconnect,
};
