#include "guard.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "evstream/memory.h"

#define GUARD_TICK_MIN_US 5000
#define GUARD_TICK_MAX_US 250000
#define GUARD_RATE_GRACE_US 1000000

enum guard_state { GUARD_HEAD, GUARD_BODY, GUARD_CHUNKED, GUARD_SWALLOW };

struct evs_guard_connection {
    struct evs_guard *guard;
    struct evs_guard_connection *next, *previous;
    struct bufferevent *underlying, *filter;
    enum guard_state state;
    size_t scanned;     /* of the head */
    uint64_t left;      /* of the body */
    uint64_t received;  /* of the body */
    uint64_t held;      /* of it, handed on and not answered */
    int64_t since_us;   /* when the state began: of a head, its first byte or the end of what was before */
    bool has_begun;     /* HEAD: at least a byte is here */
    bool is_unanswered; /* a whole request was handed on */
    bool is_shut;
};

/* --- the head ------------------------------------------------------------------------------------------------------------- */

size_t evs_guard_head_end(const char *data, size_t count, size_t from)
{
    from = from > 3 ? from - 3 : 0; /* a line end may have been cut */
    while (from < count) {
        const char *newline = memchr(data + from, '\n', count - from);
        if (newline == NULL) {
            return 0;
        }
        size_t at = (size_t)(newline - data) + 1;
        if (at < count && data[at] == '\n') {
            return at + 1;
        }
        if (at + 1 < count && data[at] == '\r' && data[at + 1] == '\n') {
            return at + 2;
        }
        from = at;
    }
    return 0;
}

static struct evs_slice guard_line(const char *data, size_t count)
{
    const char *newline = memchr(data, '\n', count);
    size_t length = newline != NULL ? (size_t)(newline - data) : count;
    return (struct evs_slice){data, length > 0 && data[length - 1] == '\r' ? length - 1 : length};
}

/* The value when the line is this header. */
static bool guard_header(struct evs_slice line, const char *name, struct evs_slice *value)
{
    size_t count = strlen(name);
    if (line.count <= count || line.data[count] != ':' || strncasecmp(line.data, name, count) != 0) {
        return false;
    }
    *value = (struct evs_slice){line.data + count + 1, line.count - count - 1};
    while (value->count > 0 && (value->data[0] == ' ' || value->data[0] == '\t')) {
        value->data++;
        value->count--;
    }
    while (value->count > 0 && (value->data[value->count - 1] == ' ' || value->data[value->count - 1] == '\t')) {
        value->count--;
    }
    return true;
}

static bool guard_length(struct evs_slice text, uint64_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < text.count; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        *bytes = *bytes * 10 + (uint64_t)(text.data[i] - '0');
    }
    return text.count > 0 && text.count <= 18;
}

static bool guard_is_method(struct evs_slice line, const char *method)
{
    size_t count = strlen(method);
    return line.count > count && memcmp(line.data, method, count) == 0 && line.data[count] == ' ';
}

void evs_guard_parse(const char *head, size_t count, struct evs_guard_head *result)
{
    struct evs_slice line = guard_line(head, count), value;
    uint32_t lines = 0, lengths = 0;
    *result = (struct evs_guard_head){.may_have_body = guard_is_method(line, "POST") || guard_is_method(line, "PUT") ||
                                                       guard_is_method(line, "PATCH")};
    bool is_wrong = false;
    for (size_t at = 0; at < count;
         at += (size_t)((const char *)memchr(head + at, '\n', count - at) - (head + at)) + 1) {
        line = guard_line(head + at, count - at);
        lines++;
        if (guard_header(line, "Content-Length", &value)) {
            is_wrong = is_wrong || lengths++ > 0 || !guard_length(value, &result->body_bytes);
        } else if (guard_header(line, "Transfer-Encoding", &value)) {
            is_wrong = is_wrong || result->is_chunked || !evs_slice_equal_nocase(value, "chunked");
            result->is_chunked = true;
        }
    }
    /* Two lengths are how one request is smuggled inside another past whoever believes the other one. */
    is_wrong = is_wrong || (result->is_chunked && lengths > 0) || lines > EVS_GUARD_LINES_MAX;
    result->refusal = is_wrong ? EVS_GUARD_MALFORMED : NULL;
}

/* --- a connection ---------------------------------------------------------------------------------------------------------- */

static int64_t guard_now(const struct evs_guard *guard)
{
    return evs_monotonic_us(guard->os);
}

static void guard_enter(struct evs_guard_connection *connection, enum guard_state state)
{
    connection->state = state;
    connection->since_us = guard_now(connection->guard);
    connection->scanned = 0;
    connection->received = 0;
    connection->has_begun = false;
}

static void guard_release(struct evs_guard_connection *connection)
{
    EVS_ASSERT(connection->guard->held_bytes >= connection->held);
    connection->guard->held_bytes -= connection->held;
    connection->held = 0;
}

/* The lines of a head that describe a body are left out: the body will not follow. */
static void guard_put_bodiless(struct evbuffer *out, const char *head, size_t count, const char *refusal)
{
    struct evs_slice value;
    for (size_t at = 0, next; at < count; at = next) {
        const char *newline = memchr(head + at, '\n', count - at);
        next = (size_t)(newline - head) + 1;
        struct evs_slice line = guard_line(head + at, count - at);
        if (!guard_header(line, "Content-Length", &value) && !guard_header(line, "Transfer-Encoding", &value) &&
            !guard_header(line, "Expect", &value)) {
            evbuffer_add(out, head + at, next - at);
        }
        if (at == 0 && refusal != NULL) {
            evbuffer_add_printf(out, EVS_GUARD_HEADER ": %s\r\n", refusal);
        }
    }
}

static const char *guard_refusal(const struct evs_guard *guard, const struct evs_guard_head *head)
{
    if (head->refusal != NULL || !head->may_have_body) {
        return head->refusal;
    }
    if (head->body_bytes > guard->limits.body_bytes) {
        return EVS_GUARD_LARGE;
    }
    return guard->held_bytes + head->body_bytes > guard->limits.memory_bytes ? EVS_GUARD_OVERLOAD : NULL;
}

static void guard_pass_head(struct evs_guard_connection *connection, struct evbuffer *in, struct evbuffer *out,
                            const char *data, size_t count)
{
    struct evs_guard_head head;
    evs_guard_parse(data, count, &head);
    const char *refusal = guard_refusal(connection->guard, &head);
    bool has_body = head.is_chunked || head.body_bytes > 0;
    connection->is_unanswered = true;
    if (refusal == NULL && (!has_body || head.may_have_body)) {
        evbuffer_remove_buffer(in, out, count);
        connection->left = head.is_chunked ? UINT64_MAX : head.body_bytes;
        guard_enter(connection, !has_body ? GUARD_HEAD : head.is_chunked ? GUARD_CHUNKED : GUARD_BODY);
        return;
    }
    guard_put_bodiless(out, data, count, refusal);
    evbuffer_drain(in, count);
    /* Where a chunked or contradictory request ends is not known: the rest of the connection is swallowed. */
    bool is_lost = head.is_chunked || head.refusal != NULL;
    connection->left = is_lost ? UINT64_MAX : head.body_bytes;
    guard_enter(connection, connection->left > 0 ? GUARD_SWALLOW : GUARD_HEAD);
}

/* A head that never ends: something that is routed nowhere stands for it. */
static void guard_refuse_head(struct evs_guard_connection *connection, struct evbuffer *in, struct evbuffer *out)
{
    evbuffer_add_printf(out,
                        "GET / HTTP/1.1\r\n" EVS_GUARD_HEADER ": " EVS_GUARD_MALFORMED "\r\nConnection: close\r\n\r\n");
    evbuffer_drain(in, evbuffer_get_length(in));
    connection->is_unanswered = true;
    connection->left = UINT64_MAX;
    guard_enter(connection, GUARD_SWALLOW);
}

static void guard_skip_blank_lines(struct evbuffer *in)
{
    char c;
    while (evbuffer_copyout(in, &c, 1) == 1 && (c == '\r' || c == '\n')) {
        evbuffer_drain(in, 1);
    }
}

/* True: something was done, look again. */
static bool guard_take_head(struct evs_guard_connection *connection, struct evbuffer *in, struct evbuffer *out)
{
    size_t most = connection->guard->limits.header_bytes;
    if (!connection->has_begun) {
        guard_skip_blank_lines(in);
    }
    size_t count = evbuffer_get_length(in);
    if (count == 0) {
        return false;
    }
    if (!connection->has_begun) {
        connection->has_begun = true;
        connection->since_us = guard_now(connection->guard);
    }
    count = count < most ? count : most;
    const char *data = (const char *)evbuffer_pullup(in, (ssize_t)count);
    size_t end = evs_guard_head_end(data, count, connection->scanned);
    connection->scanned = count;
    if (end > 0) {
        guard_pass_head(connection, in, out, data, end);
        return true;
    }
    if (count == most) {
        guard_refuse_head(connection, in, out);
        return true;
    }
    return false;
}

static bool guard_take_body(struct evs_guard_connection *connection, struct evbuffer *in, struct evbuffer *out)
{
    size_t count = evbuffer_get_length(in);
    count = count < connection->left ? count : (size_t)connection->left;
    if (count == 0) {
        return false;
    }
    connection->received += count;
    if (connection->state == GUARD_SWALLOW) {
        evbuffer_drain(in, count);
    } else {
        evbuffer_remove_buffer(in, out, count);
        connection->held += count;
        connection->guard->held_bytes += count;
    }
    if (connection->left != UINT64_MAX && (connection->left -= count) == 0) {
        guard_enter(connection, GUARD_HEAD);
    }
    return true;
}

static enum bufferevent_filter_result guard_on_input(struct evbuffer *in, struct evbuffer *out, ev_ssize_t limit,
                                                     enum bufferevent_flush_mode mode, void *context)
{
    (void)limit;
    (void)mode;
    struct evs_guard_connection *connection = context;
    size_t before = evbuffer_get_length(out);
    bool again = true;
    while (again) {
        again = connection->state == GUARD_HEAD ? guard_take_head(connection, in, out)
                                                : guard_take_body(connection, in, out);
    }
    return evbuffer_get_length(out) > before ? BEV_OK : BEV_NEED_MORE;
}

static bool guard_is_continue(struct evbuffer *in)
{
    char start[13];
    return evbuffer_copyout(in, start, sizeof start) == (ev_ssize_t)sizeof start &&
           memcmp(start, "HTTP/1.1 100 ", sizeof start) == 0;
}

static enum bufferevent_filter_result guard_on_output(struct evbuffer *in, struct evbuffer *out, ev_ssize_t limit,
                                                      enum bufferevent_flush_mode mode, void *context)
{
    (void)limit;
    (void)mode;
    struct evs_guard_connection *connection = context;
    if (!guard_is_continue(in)) {
        guard_release(connection);
        connection->is_unanswered = false;
        if (connection->state == GUARD_CHUNKED) {
            guard_enter(connection, GUARD_HEAD);
        } else if (connection->state == GUARD_HEAD && !connection->has_begun) {
            connection->since_us = guard_now(connection->guard);
        }
    }
    evbuffer_add_buffer(out, in);
    return BEV_OK;
}

static void guard_on_free(void *context)
{
    struct evs_guard_connection *connection = context;
    struct evs_guard *guard = connection->guard;
    guard_release(connection);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        guard->first = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    evs_free(connection);
    if (guard->connection_count-- == guard->limits.connections_max) {
        guard->full(guard->context, false);
    }
}

struct bufferevent *evs_guard_wrap(struct evs_guard *guard, struct bufferevent *underlying)
{
    struct evs_guard_connection *connection = evs_alloc_zero(sizeof *connection);
    connection->guard = guard;
    connection->underlying = underlying;
    guard_enter(connection, GUARD_HEAD);
    struct bufferevent *filter = bufferevent_filter_new(underlying, guard_on_input, guard_on_output,
                                                        BEV_OPT_CLOSE_ON_FREE, guard_on_free, connection);
    EVS_ASSERT(filter != NULL);
    connection->filter = filter;
    connection->next = guard->first;
    if (guard->first != NULL) {
        guard->first->previous = connection;
    }
    guard->first = connection;
    guard->accepted++;
    if (++guard->connection_count == guard->limits.connections_max) {
        guard->full(guard->context, true);
    }
    return filter;
}

/* --- deadlines ---------------------------------------------------------------------------------------------------------------- */

/* evhttp sees the end of the connection, and frees it. */
static void guard_shut(struct evs_guard_connection *connection)
{
    evutil_socket_t fd = bufferevent_getfd(connection->underlying);
    if (fd >= 0 && !connection->is_shut) {
        (void)shutdown(fd, SHUT_RDWR);
        connection->is_shut = true;
    }
}

static bool guard_is_too_slow(const struct evs_guard_connection *connection, int64_t age_us)
{
    const struct evs_guard_limits *limits = &connection->guard->limits;
    int64_t counted_us = age_us - GUARD_RATE_GRACE_US;
    return counted_us > 0 && (double)connection->received < (double)limits->min_rate * (double)counted_us / 1e6;
}

static bool guard_is_overdue(const struct evs_guard_connection *connection, int64_t now_us)
{
    const struct evs_guard_limits *limits = &connection->guard->limits;
    int64_t age_us = now_us - connection->since_us;
    if (connection->state == GUARD_HEAD) {
        bool is_waiting = !connection->has_begun;
        return is_waiting ? !connection->is_unanswered && age_us > limits->idle_timeout_us
                          : age_us > limits->header_timeout_us;
    }
    return age_us > limits->body_timeout_us || guard_is_too_slow(connection, age_us);
}

static void guard_on_tick(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct evs_guard *guard = argument;
    int64_t now_us = guard_now(guard);
    for (struct evs_guard_connection *at = guard->first; at != NULL; at = at->next) {
        if (!at->is_shut && guard_is_overdue(at, now_us)) {
            guard->timeouts += at->state != GUARD_HEAD || at->has_begun;
            guard_shut(at);
        }
    }
}

void evs_guard_received(struct evs_guard *guard, const struct bufferevent *filter)
{
    for (struct evs_guard_connection *at = guard->first; at != NULL; at = at->next) {
        if (at->filter == filter && at->state == GUARD_CHUNKED) {
            guard_enter(at, GUARD_HEAD);
        }
    }
}

void evs_guard_shut_idle(struct evs_guard *guard)
{
    for (struct evs_guard_connection *at = guard->first; at != NULL; at = at->next) {
        if (at->state == GUARD_HEAD && !at->is_unanswered) {
            guard_shut(at);
        }
    }
}

void evs_guard_init(struct evs_guard *guard, const struct evs_os *os, struct event_base *base,
                    const struct evs_guard_limits *limits, void (*full)(void *context, bool is_full), void *context)
{
    EVS_ASSERT(limits->header_bytes > 0 && limits->connections_max > 0);
    *guard = (struct evs_guard){.limits = *limits, .os = os, .full = full, .context = context};
    int64_t shortest_us = limits->header_timeout_us;
    shortest_us = limits->body_timeout_us < shortest_us ? limits->body_timeout_us : shortest_us;
    shortest_us = limits->idle_timeout_us < shortest_us ? limits->idle_timeout_us : shortest_us;
    int64_t tick_us = shortest_us / 4;
    tick_us = tick_us < GUARD_TICK_MIN_US   ? GUARD_TICK_MIN_US
              : tick_us > GUARD_TICK_MAX_US ? GUARD_TICK_MAX_US
                                            : tick_us;
    const struct timeval tick = {.tv_sec = 0, .tv_usec = tick_us};
    guard->tick = event_new(base, -1, EV_PERSIST, guard_on_tick, guard);
    EVS_ASSERT(guard->tick != NULL && event_add(guard->tick, &tick) == 0);
}

void evs_guard_fini(struct evs_guard *guard)
{
    EVS_ASSERT(guard->connection_count == 0);
    if (guard->tick != NULL) {
        event_free(guard->tick);
    }
    *guard = (struct evs_guard){0};
}
