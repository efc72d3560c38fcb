/* Holds connections to their limits, beside evhttp.
 *
 * evhttp has inactivity timers only, so a client that sends a byte now and then holds a connection for ever; it answers a body
 * that is too large with a 413 page that no browser's script may read, and that some trackers send again for ever; and what
 * it holds of half-read bodies is bounded by nobody. The guard hears the bytes as they come in, before evhttp does, and
 * follows each connection:
 *
 *   HEAD ──► BODY (counted down) ──► HEAD …
 *     │ └──► CHUNKED ── answered ──► HEAD …
 *     └────► LINGER   refused: answered by the guard, what still comes is swallowed, then the end
 *
 * Deadlines are absolute: a head from its first byte, a body from its head's end, and a least rate for bodies. A connection that
 * misses one is shut down without an answer: 408 makes clients send again at once.
 *
 * A request is refused before its body is read: the guard takes evhttp's callbacks off the bufferevent, writes the answer, and
 * gives them back with the end of the connection. Reading on in between is what lets the answer arrive: closing a socket with
 * unread bytes resets it, and the client would see a broken connection and send all of it again.
 *
 * Rejected: a bufferevent filter under evhttp, which would see the same bytes and could change them. In libevent 2.1 a filter keeps
 * what is written while writing is disabled, and calls output done that the socket has not taken, so answers got stuck and
 * closing connections lost theirs.
 *
 * libevent tells nobody when a bufferevent goes. A connection is known to have ended when its descriptor is closed, or belongs to
 * another socket (its inode); that is looked at once a second, at the limit of connections, and when the number comes again. */
#ifndef EVS_GUARD_H
#define EVS_GUARD_H

#include <event2/bufferevent.h>

#include "evstream/memory.h"
#include "evstream/os.h"

#define EVS_GUARD_LINES_MAX 128u /* lines of a head */

enum evs_guard_refusal {
    EVS_GUARD_LARGE,     /* the body is larger than body_bytes */
    EVS_GUARD_OVERLOAD,  /* memory_bytes are in use */
    EVS_GUARD_MALFORMED, /* a head that is too long, or that contradicts itself */
};

struct evs_guard_limits {
    size_t header_bytes, body_bytes;
    uint64_t memory_bytes; /* of bodies that are not answered */
    int64_t header_timeout_us, body_timeout_us, idle_timeout_us;
    int64_t min_rate; /* bytes a second, after the first second; 0: any */
    uint32_t connections_max;
};

struct evs_guard_options {
    const struct evs_os *os;
    struct event_base *base;
    struct evs_guard_limits limits;
    /* connections_max is reached, or is not any more. */
    void (*full)(void *context, bool is_full);
    /* Puts a whole HTTP answer that closes the connection into `out`. `head` is the request's; of one that is too long, its
     * beginning. */
    void (*refuse)(void *context, struct evs_slice head, enum evs_guard_refusal refusal, struct evbuffer *out);
    void *context;
};

struct evs_guard_connection;
struct evs_guard {
    struct evs_guard_limits limits;
    const struct evs_os *os;
    struct event *tick, *fresh;
    struct evs_guard_connection *first;  /* all connections, the newest first */
    struct evs_guard_connection **by_fd; /* by the number of their socket */
    uint32_t by_fd_capacity;
    uint32_t connection_count;
    bool is_full;
    int64_t reaped_us;
    uint64_t held_bytes; /* of bodies that are not answered */
    uint64_t accepted, refused, timeouts;
    void (*full)(void *context, bool is_full);
    void (*refuse)(void *context, struct evs_slice head, enum evs_guard_refusal refusal, struct evbuffer *out);
    void *context;
};

void evs_guard_init(struct evs_guard *guard, const struct evs_guard_options *options);
void evs_guard_fini(struct evs_guard *guard); /* all bufferevents are gone; accepts a zeroed one */

/* A new connection's bufferevent, which will get its socket before the loop turns. */
void evs_guard_watch(struct evs_guard *guard, struct bufferevent *bufferevent);
/* The request whose chunks evhttp reads has come as a whole: its deadlines are over. */
void evs_guard_received(struct evs_guard *guard, struct bufferevent *bufferevent);
/* Forgets the connections that have ended: connection_count is exact afterwards. */
void evs_guard_reap(struct evs_guard *guard);
/* Shuts down the connections that do not serve a request now: for the end of a drain. */
void evs_guard_shut_idle(struct evs_guard *guard);

/* --- the head of a request, for the guard, its owner and its tests ------------------------------------------------------ */

struct evs_guard_head {
    bool is_chunked, is_malformed;
    uint64_t body_bytes;
};
/* `head` is a request line and header lines, with the blank line. */
void evs_guard_parse(const char *head, size_t count, struct evs_guard_head *result);
/* Where the head at the start of `data` ends: behind its blank line; 0: not here yet. `from` is how far was looked before. */
size_t evs_guard_head_end(const char *data, size_t count, size_t from);
/* The value of the first header of this name; {NULL, 0} when there is none. */
struct evs_slice evs_guard_header(struct evs_slice head, const char *name);

#endif
