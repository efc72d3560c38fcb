/* One connection to a Redis server: the only code that calls hiredis.
 *
 * The socket never blocks. A non-blocking user (the sink) pumps and takes; a blocking user (the store) calls and
 * receives, which wait inside, at most the link's timeout without any progress. hiredis parses, nothing else of it
 * is used: the socket is the operating system's interface's (evstream/os.h), and RESP is written straight into one buffer.
 *
 *        start          socket connected            AUTH, SELECT, CLIENT SETNAME, PING answered
 *   DOWN ─────► CONNECTING ─────────► GREETING ─────────────────────────────────────► UP
 *     ▲              │                     │                                           │
 *     └──────────────┴─────────────────────┴──── any error, time-out or drop ◄─────────┘
 *
 * After an error or a time-out the connection is dropped at once, and what was in flight has an unknown outcome, which is
 * the caller's to resolve. Callers keep at most EVS_REDIS_WINDOW_BYTES in flight. hiredis' reader gives its buffer back above
 * 16 KiB unless maxbuf is 0.
 *
 * One thread uses a link. */
#ifndef EVS_REDIS_LINK_H
#define EVS_REDIS_LINK_H

#include <hiredis/hiredis.h>

#include "evstream/memory.h"
#include "evstream/os.h"
#include "redis_address.h"
#include "redis_error.h"
#include "redis_identity.h"

#define EVS_REDIS_WINDOW_BYTES (1u << 20)
#define EVS_REDIS_TIMEOUT_US INT64_C(10000000) /* an fsync of a busy disk may hold replies for seconds */

struct evs_redis_link;

/* `address` must outlive the link. `client_name` is what CLIENT LIST shows. Connects to nothing yet. Fails only for
 * rediss:// without TLS in hiredis (EVS_E_USAGE). */
EVS_MUST_CHECK evs_status evs_redis_link_new(const struct evs_os *os, const struct evs_redis_address *address,
                                             const char *client_name, struct evs_redis_link **link,
                                             struct evs_error *error);
void evs_redis_link_free(struct evs_redis_link *link); /* NULL is allowed */

bool evs_redis_link_is_down(const struct evs_redis_link *link);
bool evs_redis_link_is_up(const struct evs_redis_link *link);
const char *evs_redis_link_server(const struct evs_redis_link *link); /* the address for people */

/* Closes the connection; replies that are on their way are lost. */
void evs_redis_link_drop(struct evs_redis_link *link);

/* Before the first connection: every one asks who the server is. */
void evs_redis_link_watch(struct evs_redis_link *link);
/* Of a link that is up and watches: is it the server that the first connection has met, or the last one that was accepted? */
enum evs_redis_change evs_redis_link_change(const struct evs_redis_link *link);
void evs_redis_link_accept(struct evs_redis_link *link);

/* --- without waiting ----------------------------------------------------------------------------------------------
 * Every failure drops the link and is EVS_E_UNREACHABLE when another try may help, else final. */

/* Begins to connect; the link must be down. A host name is looked up here, which may take as long as the resolver
 * does. */
EVS_MUST_CHECK evs_status evs_redis_link_start(struct evs_redis_link *link, struct evs_error *error);
/* Queues a command; the link must be up. Arguments are copied. */
void evs_redis_link_put(struct evs_redis_link *link, const struct evs_slice *arguments, uint32_t count);
/* Connects, greets, sends and reads as far as the socket lets it; checks the time-out. */
EVS_MUST_CHECK evs_status evs_redis_link_pump(struct evs_redis_link *link, struct evs_error *error);
/* The next reply, in the order of the commands; the caller frees it with freeReplyObject. EVS_AGAIN: none yet. */
EVS_MUST_CHECK evs_status evs_redis_link_take(struct evs_redis_link *link, redisReply **reply, struct evs_error *error);
/* What to wait for; the link must not be down. */
struct evs_wait_fd evs_redis_link_wait_fd(const struct evs_redis_link *link);
uint32_t evs_redis_link_awaited(const struct evs_redis_link *link); /* commands without a reply yet */

/* --- waiting ------------------------------------------------------------------------------------------------------ */

/* Until the link is up; nothing to do when it is. */
EVS_MUST_CHECK evs_status evs_redis_link_connect(struct evs_redis_link *link, struct evs_error *error);
/* Until a reply is there. */
EVS_MUST_CHECK evs_status evs_redis_link_receive(struct evs_redis_link *link, redisReply **reply,
                                                 struct evs_error *error);
/* One command and its reply; nothing else may be awaited. An error reply is returned like any other. */
EVS_MUST_CHECK evs_status evs_redis_link_call(struct evs_redis_link *link, const struct evs_slice *arguments,
                                              uint32_t count, redisReply **reply, struct evs_error *error);

/* An error reply, as evs_redis_refused tells it. Where it points to another node of a cluster (MOVED), the next connection goes there, and the
 * status is EVS_E_UNREACHABLE: drop the link and try again. */
evs_status evs_redis_link_refused(struct evs_redis_link *link, const char *doing, const char *reply,
                                  struct evs_error *error);

static inline struct evs_slice evs_redis_reply_slice(const redisReply *reply)
{
    return (struct evs_slice){reply->str, reply->str == NULL ? 0 : (size_t)reply->len};
}
static inline bool evs_redis_reply_is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

#endif
