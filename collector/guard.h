/* Stands between a socket and evhttp, and holds a connection to its limits.
 *
 *   socket (or TLS) bufferevent ──► guard, a bufferevent filter ──► evhttp
 *
 * evhttp has inactivity timers only, so a client that sends a byte now and then holds a connection for ever; it answers a body
 * that is too large with a 413 page that no browser script may read; and what it holds of half-read bodies is bounded by
 * nobody. The guard reads the same bytes first:
 *
 *   HEAD ──► BODY (counted down) ──► HEAD …
 *     │ └──► CHUNKED ── answer ────► HEAD          evhttp reads the chunks, and bounds them
 *     └────► SWALLOW (counted down) ► HEAD …       a body that is refused, or that belongs to a GET
 *
 * A head is handed on when it is whole, so evhttp never waits in the middle of one. A request that is refused for its size goes on
 * without its body and with a header that says why (EVS_GUARD_HEADER): it is routed as any other and so answered with the
 * right CORS headers, before its body is read; the body is swallowed as it comes. (A client that names the header itself only
 * refuses itself.)
 *
 * Deadlines are absolute: the head from its first byte, the body from the head's end, and a least rate for bodies. A connection
 * that misses one is shut down without an answer: 408 makes clients send again at once. */
#ifndef EVS_GUARD_H
#define EVS_GUARD_H

#include <event2/bufferevent.h>

#include "evstream/os.h"

#define EVS_GUARD_HEADER "X-Evs-Refused"
#define EVS_GUARD_LARGE "large"       /* the body is larger than body_bytes */
#define EVS_GUARD_OVERLOAD "overload" /* memory_bytes are in use */
#define EVS_GUARD_MALFORMED "head"    /* a head that is too long, or that contradicts itself */

#define EVS_GUARD_LINES_MAX 128u /* header lines of a request */

struct evs_guard_limits {
    size_t header_bytes, body_bytes;
    uint64_t memory_bytes; /* of bodies under way */
    int64_t header_timeout_us, body_timeout_us, idle_timeout_us;
    int64_t min_rate; /* bytes a second, after the first second; 0: any */
    uint32_t connections_max;
};

struct evs_guard_connection;
struct evs_guard {
    struct evs_guard_limits limits;
    const struct evs_os *os;
    struct event *tick;
    struct evs_guard_connection *first; /* all connections */
    uint32_t connection_count;
    uint64_t held_bytes; /* of bodies that are not answered */
    uint64_t accepted, timeouts;
    void (*full)(void *context, bool is_full); /* connections_max is reached, or is not any more */
    void *context;
};

void evs_guard_init(struct evs_guard *guard, const struct evs_os *os, struct event_base *base,
                    const struct evs_guard_limits *limits, void (*full)(void *context, bool is_full), void *context);
void evs_guard_fini(struct evs_guard *guard); /* all connections are gone */

/* The filter above `underlying`, which it owns; evhttp gets it as its bufferevent. */
struct bufferevent *evs_guard_wrap(struct evs_guard *guard, struct bufferevent *underlying);

/* The request whose chunks evhttp reads has come as a whole: its deadlines are over. */
void evs_guard_received(struct evs_guard *guard, const struct bufferevent *filter);

/* Shuts down the connections that do not serve a request now: for the end of a drain. */
void evs_guard_shut_idle(struct evs_guard *guard);

/* --- the head of a request, for the guard and its tests -------------------------------------------------------------- */

struct evs_guard_head {
    bool may_have_body, is_chunked;
    uint64_t body_bytes;
    const char *refusal; /* EVS_GUARD_MALFORMED, or NULL */
};
/* `head` is a request line and header lines, with the blank line. */
void evs_guard_parse(const char *head, size_t count, struct evs_guard_head *result);
/* Where the head at the start of `data` ends: behind its blank line; 0: not here yet. `from` is how far was looked before. */
size_t evs_guard_head_end(const char *data, size_t count, size_t from);

#endif
