#include "guard.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "evstream/memory.h"

#define GUARD_TICK_MIN_US 5000
#define GUARD_TICK_MAX_US 250000
#define GUARD_RATE_GRACE_US 1000000
#define GUARD_LINGER_QUIET_US 1000000 /* a refused client that sends nothing for so long has read its answer */
#define GUARD_REAP_US 1000000
#define GUARD_SETTLE_US 100000 /* an answer that was just made is on its way into the socket */

enum guard_state { GUARD_HEAD, GUARD_BODY, GUARD_CHUNKED, GUARD_LINGER };

/* evhttp's callbacks, while the guard has the connection. */
struct guard_owner {
    bufferevent_data_cb read, write;
    bufferevent_event_cb event;
    void *argument;
};

struct evs_guard_connection {
    struct evs_guard *guard;
    struct evs_guard_connection *next, *previous;
    struct bufferevent *bufferevent; /* alive in its own callbacks, and before its socket is known; nowhere else */
    int fd;                          /* -1: not known yet */
    ino_t inode;                     /* of the socket: tells it from a later one with the same number */
    enum guard_state state;
    struct evs_buffer head;
    uint64_t left;      /* of the body */
    uint64_t received;  /* of the body, or of what is swallowed */
    uint64_t held;      /* of the body, not answered */
    int64_t since_us;   /* when the state began; of a head, its first byte */
    int64_t heard_us;   /* the last byte */
    bool is_unanswered; /* a head was seen, and no answer to it */
    bool is_shut;
    struct guard_owner owner; /* LINGER */
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

static size_t guard_line_bytes(const char *data, size_t count)
{
    const char *newline = memchr(data, '\n', count);
    return newline != NULL ? (size_t)(newline - data) + 1 : count;
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

/* White space before the colon, or a line that continues the one before: proxies read such lines in different ways, and what one takes for a length may be
 * nothing to the next (RFC 9112, 5.1 and 5.2 want them refused). */
static bool guard_is_header(struct evs_slice line)
{
    const char *colon = memchr(line.data, ':', line.count);
    size_t name = colon != NULL ? (size_t)(colon - line.data) : 0;
    return name > 0 && memchr(line.data, ' ', name) == NULL && memchr(line.data, '\t', name) == NULL;
}

void evs_guard_parse(const char *head, size_t count, struct evs_guard_head *result)
{
    struct evs_slice line = guard_line(head, count), value;
    uint32_t lines = 0, lengths = 0, hosts = 0;
    bool may_have_body =
        guard_is_method(line, "POST") || guard_is_method(line, "PUT") || guard_is_method(line, "PATCH");
    *result = (struct evs_guard_head){0};
    bool is_wrong = false;
    for (size_t at = 0; at < count; at += guard_line_bytes(head + at, count - at)) {
        line = guard_line(head + at, count - at);
        lines++;
        if (guard_header(line, "Content-Length", &value)) {
            is_wrong = is_wrong || lengths++ > 0 || !guard_length(value, &result->body_bytes);
        } else if (guard_header(line, "Transfer-Encoding", &value)) {
            is_wrong = is_wrong || result->is_chunked || !evs_slice_equal_nocase(value, "chunked");
            result->is_chunked = true;
        } else if (guard_header(line, "Host", &value)) {
            is_wrong = is_wrong || hosts++ > 0;
        }
        is_wrong = is_wrong || (lines > 1 && line.count > 0 && !guard_is_header(line));
    }
    /* Two lengths are how one request is smuggled inside another past whoever believes the other one. */
    is_wrong = is_wrong || (result->is_chunked && lengths > 0) || lines > EVS_GUARD_LINES_MAX;
    /* evhttp would take the body of a GET for the next request. */
    is_wrong = is_wrong || (!may_have_body && (result->is_chunked || result->body_bytes > 0));
    result->is_malformed = is_wrong;
}

struct evs_slice evs_guard_header(struct evs_slice head, const char *name)
{
    struct evs_slice value;
    for (size_t at = 0; at < head.count; at += guard_line_bytes(head.data + at, head.count - at)) {
        if (guard_header(guard_line(head.data + at, head.count - at), name, &value)) {
            return value;
        }
    }
    return (struct evs_slice){0};
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
    connection->received = 0;
}

static void guard_release(struct evs_guard_connection *connection)
{
    EVS_ASSERT(connection->guard->held_bytes >= connection->held);
    connection->guard->held_bytes -= connection->held;
    connection->held = 0;
}

static void guard_remove(struct evs_guard_connection *connection)
{
    struct evs_guard *guard = connection->guard;
    guard_release(connection);
    if (connection->fd >= 0 && guard->by_fd[connection->fd] == connection) {
        guard->by_fd[connection->fd] = NULL;
    }
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        guard->first = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    evs_buffer_fini(&connection->head);
    evs_free(connection);
    guard->connection_count--;
}

/* --- refusals: the connection is the guard's until it ends --------------------------------------------------------------------- */

static void guard_on_linger_read(struct bufferevent *bufferevent, void *argument)
{
    struct evs_guard_connection *connection = argument;
    struct evbuffer *in = bufferevent_get_input(bufferevent);
    connection->heard_us = guard_now(connection->guard);
    evbuffer_drain(in, evbuffer_get_length(in));
}

/* The answer is out: the client need not wait for more of it. */
static void guard_on_linger_write(struct bufferevent *bufferevent, void *argument)
{
    (void)argument;
    (void)shutdown(bufferevent_getfd(bufferevent), SHUT_WR);
}

/* evhttp learns that the connection has ended, and frees it. */
static void guard_on_linger_event(struct bufferevent *bufferevent, short what, void *argument)
{
    struct evs_guard_connection *connection = argument;
    const struct guard_owner owner = connection->owner;
    bufferevent_setcb(bufferevent, owner.read, owner.write, owner.event, owner.argument);
    owner.event(bufferevent, what, owner.argument);
}

/* Called while bytes are added to the input, so evhttp is not told of them: what is read next comes to the guard. */
static void guard_refuse(struct evs_guard_connection *connection, enum evs_guard_refusal refusal)
{
    struct evs_guard *guard = connection->guard;
    struct bufferevent *bufferevent = connection->bufferevent;
    struct guard_owner *owner = &connection->owner;
    bufferevent_getcb(bufferevent, &owner->read, &owner->write, &owner->event, &owner->argument);
    bufferevent_setcb(bufferevent, guard_on_linger_read, guard_on_linger_write, guard_on_linger_event, connection);
    guard_release(connection);
    guard_enter(connection, GUARD_LINGER);
    guard->refused++;
    struct evbuffer *answer = evbuffer_new();
    EVS_ASSERT(answer != NULL);
    guard->refuse(guard->context, (struct evs_slice){connection->head.data, connection->head.count}, refusal, answer);
    (void)bufferevent_write_buffer(bufferevent, answer);
    (void)bufferevent_enable(bufferevent, EV_READ | EV_WRITE);
    evbuffer_free(answer);
}

/* --- listening ------------------------------------------------------------------------------------------------------------------ */

static void guard_judge_head(struct evs_guard_connection *connection)
{
    const struct evs_guard *guard = connection->guard;
    struct evs_guard_head head;
    evs_guard_parse(connection->head.data, connection->head.count, &head);
    connection->is_unanswered = true;
    connection->left = head.body_bytes;
    if (head.is_malformed) {
        guard_refuse(connection, EVS_GUARD_MALFORMED);
    } else if (head.body_bytes > guard->limits.body_bytes) {
        guard_refuse(connection, EVS_GUARD_LARGE);
    } else if (head.body_bytes > 0 && guard->held_bytes + head.body_bytes > guard->limits.memory_bytes) {
        guard_refuse(connection, EVS_GUARD_OVERLOAD);
    } else {
        guard_enter(connection, head.is_chunked ? GUARD_CHUNKED : head.body_bytes > 0 ? GUARD_BODY : GUARD_HEAD);
    }
    if (connection->state != GUARD_CHUNKED) { /* which may be refused later, and then needs its origin */
        evs_buffer_fini(&connection->head);
    }
}

/* Takes bytes of a head; how many. */
static size_t guard_hear_head(struct evs_guard_connection *connection, const char *data, size_t count)
{
    size_t skipped = 0, before = connection->head.count;
    while (before == 0 && skipped < count && (data[skipped] == '\r' || data[skipped] == '\n')) {
        skipped++;
    }
    if (skipped == count) {
        return count;
    }
    if (before == 0) {
        connection->since_us = guard_now(connection->guard);
    }
    size_t room = connection->guard->limits.header_bytes - before;
    size_t taken = count - skipped < room ? count - skipped : room;
    evs_buffer_put(&connection->head, data + skipped, taken);
    size_t end = evs_guard_head_end(connection->head.data, connection->head.count, before);
    if (end > 0) {
        connection->head.count = end;
        guard_judge_head(connection);
        return skipped + end - before;
    }
    if (connection->head.count == connection->guard->limits.header_bytes) {
        guard_refuse(connection, EVS_GUARD_MALFORMED);
    }
    return skipped + taken;
}

static size_t guard_hear_body(struct evs_guard_connection *connection, size_t count)
{
    struct evs_guard *guard = connection->guard;
    bool is_chunked = connection->state == GUARD_CHUNKED;
    size_t taken = is_chunked || count < connection->left ? count : (size_t)connection->left;
    connection->received += taken;
    connection->held += taken;
    guard->held_bytes += taken;
    if (is_chunked && connection->received > guard->limits.body_bytes) {
        guard_refuse(connection, EVS_GUARD_LARGE);
    } else if (!is_chunked && (connection->left -= taken) == 0) {
        guard_enter(connection, GUARD_HEAD);
    }
    return taken;
}

static void guard_hear(struct evs_guard_connection *connection, const char *data, size_t count)
{
    while (count > 0 && connection->state != GUARD_LINGER) {
        size_t taken = connection->state == GUARD_HEAD ? guard_hear_head(connection, data, count)
                                                       : guard_hear_body(connection, count);
        EVS_ASSERT(taken > 0 && taken <= count);
        data += taken;
        count -= taken;
    }
}

static void guard_on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *argument)
{
    struct evs_guard_connection *connection = argument;
    struct evbuffer_ptr at;
    struct evbuffer_iovec parts[8];
    size_t left = info->n_added, length = evbuffer_get_length(buffer);
    EVS_ASSERT(left <= length);
    connection->heard_us = guard_now(connection->guard);
    while (left > 0 && connection->state != GUARD_LINGER) {
        (void)evbuffer_ptr_set(buffer, &at, length - left, EVBUFFER_PTR_SET);
        int count = evbuffer_peek(buffer, (ev_ssize_t)left, &at, parts, EVS_COUNT(parts));
        for (int i = 0; i < count && i < (int)EVS_COUNT(parts); i++) {
            size_t bytes = parts[i].iov_len < left ? parts[i].iov_len : left;
            guard_hear(connection, parts[i].iov_base, bytes);
            left -= bytes;
        }
    }
}

static bool guard_is_continue(struct evbuffer *buffer, size_t from)
{
    char start[13];
    struct evbuffer_ptr at;
    return evbuffer_ptr_set(buffer, &at, from, EVBUFFER_PTR_SET) == 0 &&
           evbuffer_copyout_from(buffer, &at, start, sizeof start) == (ev_ssize_t)sizeof start &&
           memcmp(start, "HTTP/1.1 100 ", sizeof start) == 0;
}

static void guard_on_output(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *argument)
{
    struct evs_guard_connection *connection = argument;
    size_t length = evbuffer_get_length(buffer);
    if (info->n_added == 0 || connection->state == GUARD_LINGER || !connection->is_unanswered ||
        guard_is_continue(buffer, length - info->n_added)) {
        return;
    }
    guard_release(connection);
    connection->is_unanswered = false;
    if (connection->state == GUARD_CHUNKED) {
        evs_guard_received(connection->guard, connection->bufferevent);
    } else if (connection->state == GUARD_HEAD && connection->head.count == 0) {
        connection->since_us = guard_now(connection->guard);
    }
}

void evs_guard_received(struct evs_guard *guard, struct bufferevent *bufferevent)
{
    int fd = bufferevent_getfd(bufferevent);
    struct evs_guard_connection *connection = fd >= 0 && (uint32_t)fd < guard->by_fd_capacity ? guard->by_fd[fd] : NULL;
    if (connection != NULL && connection->state == GUARD_CHUNKED) {
        evs_buffer_fini(&connection->head);
        guard_enter(connection, GUARD_HEAD);
    }
}

/* --- who is there ----------------------------------------------------------------------------------------------------------------- */

static bool guard_is_alive(const struct evs_guard_connection *connection)
{
    struct stat stat_of;
    return connection->fd < 0 || (fstat(connection->fd, &stat_of) == 0 && stat_of.st_ino == connection->inode);
}

static void guard_learn(struct evs_guard_connection *connection)
{
    struct evs_guard *guard = connection->guard;
    struct stat stat_of;
    int fd = bufferevent_getfd(connection->bufferevent);
    if (fd < 0 || fstat(fd, &stat_of) != 0) {
        guard_remove(connection);
        return;
    }
    while ((uint32_t)fd >= guard->by_fd_capacity) {
        uint32_t before = guard->by_fd_capacity;
        guard->by_fd = evs_grow(guard->by_fd, &guard->by_fd_capacity, sizeof *guard->by_fd, (uint32_t)fd + 1);
        memset(guard->by_fd + before, 0, (guard->by_fd_capacity - before) * sizeof *guard->by_fd);
    }
    if (guard->by_fd[fd] != NULL) {
        guard_remove(guard->by_fd[fd]); /* it has ended, or its number would not be free */
    }
    connection->fd = fd;
    connection->inode = stat_of.st_ino;
    guard->by_fd[fd] = connection;
}

/* evhttp has given the new connections their sockets by now, and nothing was read from them yet. */
static void guard_on_fresh(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct evs_guard *guard = argument;
    for (struct evs_guard_connection *at = guard->first, *next; at != NULL && at->fd < 0; at = next) {
        /* Learning may remove a connection that had the same number, but none that is fresh itself. */
        next = at->next != NULL && at->next->fd < 0 ? at->next : NULL;
        guard_learn(at);
    }
}

void evs_guard_reap(struct evs_guard *guard)
{
    for (struct evs_guard_connection *at = guard->first, *next; at != NULL; at = next) {
        next = at->next;
        if (!guard_is_alive(at)) {
            guard_remove(at);
        }
    }
    guard->reaped_us = guard_now(guard);
    bool is_full = guard->connection_count >= guard->limits.connections_max;
    if (is_full != guard->is_full) {
        guard->is_full = is_full;
        guard->full(guard->context, is_full);
    }
}

void evs_guard_watch(struct evs_guard *guard, struct bufferevent *bufferevent)
{
    struct evs_guard_connection *connection = evs_alloc_zero(sizeof *connection);
    connection->guard = guard;
    connection->bufferevent = bufferevent;
    connection->fd = -1;
    guard_enter(connection, GUARD_HEAD);
    EVS_ASSERT(evbuffer_add_cb(bufferevent_get_input(bufferevent), guard_on_input, connection) != NULL);
    EVS_ASSERT(evbuffer_add_cb(bufferevent_get_output(bufferevent), guard_on_output, connection) != NULL);
    connection->next = guard->first;
    if (guard->first != NULL) {
        guard->first->previous = connection;
    }
    guard->first = connection;
    guard->accepted++;
    event_active(guard->fresh, EV_TIMEOUT, 0);
    if (++guard->connection_count >= guard->limits.connections_max && !guard->is_full) {
        evs_guard_reap(guard);
    }
}

/* --- deadlines ---------------------------------------------------------------------------------------------------------------- */

/* evhttp sees the end of the connection, and frees it. */
static void guard_shut(struct evs_guard_connection *connection)
{
    if (connection->fd >= 0 && !connection->is_shut && guard_is_alive(connection)) {
        (void)shutdown(connection->fd, SHUT_RDWR);
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
    switch (connection->state) {
    case GUARD_HEAD:
        return connection->head.count > 0 ? age_us > limits->header_timeout_us
                                          : !connection->is_unanswered && age_us > limits->idle_timeout_us;
    case GUARD_LINGER:
        return age_us > limits->body_timeout_us || now_us - connection->heard_us > GUARD_LINGER_QUIET_US;
    default:
        return age_us > limits->body_timeout_us || guard_is_too_slow(connection, age_us);
    }
}

static void guard_on_tick(evutil_socket_t fd, short what, void *argument)
{
    (void)fd;
    (void)what;
    struct evs_guard *guard = argument;
    int64_t now_us = guard_now(guard);
    for (struct evs_guard_connection *at = guard->first; at != NULL; at = at->next) {
        if (!at->is_shut && guard_is_overdue(at, now_us)) {
            guard->timeouts += at->state == GUARD_BODY || at->state == GUARD_CHUNKED || at->head.count > 0;
            guard_shut(at);
        }
    }
    if (guard->is_full || now_us - guard->reaped_us > GUARD_REAP_US) {
        evs_guard_reap(guard);
    }
}

void evs_guard_shut_idle(struct evs_guard *guard)
{
    int64_t now_us = guard_now(guard);
    for (struct evs_guard_connection *at = guard->first; at != NULL; at = at->next) {
        if (at->state == GUARD_HEAD && !at->is_unanswered && now_us - at->since_us > GUARD_SETTLE_US) {
            guard_shut(at);
        }
    }
    evs_guard_reap(guard);
}

void evs_guard_init(struct evs_guard *guard, const struct evs_guard_options *options)
{
    const struct evs_guard_limits *limits = &options->limits;
    EVS_ASSERT(limits->header_bytes > 0 && limits->connections_max > 0);
    *guard = (struct evs_guard){.limits = *limits,
                                .os = options->os,
                                .full = options->full,
                                .refuse = options->refuse,
                                .context = options->context};
    int64_t shortest_us = limits->header_timeout_us;
    shortest_us = limits->body_timeout_us < shortest_us ? limits->body_timeout_us : shortest_us;
    shortest_us = limits->idle_timeout_us < shortest_us ? limits->idle_timeout_us : shortest_us;
    int64_t tick_us = shortest_us / 4;
    tick_us = tick_us < GUARD_TICK_MIN_US   ? GUARD_TICK_MIN_US
              : tick_us > GUARD_TICK_MAX_US ? GUARD_TICK_MAX_US
                                            : tick_us;
    const struct timeval tick = {.tv_sec = 0, .tv_usec = tick_us};
    guard->tick = event_new(options->base, -1, EV_PERSIST, guard_on_tick, guard);
    guard->fresh = event_new(options->base, -1, 0, guard_on_fresh, guard);
    EVS_ASSERT(guard->tick != NULL && guard->fresh != NULL && event_add(guard->tick, &tick) == 0);
}

void evs_guard_fini(struct evs_guard *guard)
{
    while (guard->first != NULL) {
        guard_remove(guard->first);
    }
    if (guard->tick != NULL) {
        event_free(guard->tick);
        event_free(guard->fresh);
    }
    evs_free(guard->by_fd);
    *guard = (struct evs_guard){0};
}
