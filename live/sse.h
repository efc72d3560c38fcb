/* Server-sent events: a request that is answered with events until one side has enough (HTML standard, 9.2).
 *
 * A listener that reads slower than we tell is behind: what comes then is not sent to it and counted, so that neither memory grows nor
 * anybody waits. All of it belongs to the HTTP thread. */
#ifndef EVS_LIVE_SSE_H
#define EVS_LIVE_SSE_H

#include "evstream/text.h"
#include "server.h"

#define EVS_SSE_LISTENERS_MAX 1000u
#define EVS_SSE_WAITING_MAX (4u << 20) /* bytes that a listener may be behind */

struct evs_sse;

/* Answers with the head of a stream. `closed` is called when the listener is gone, after which it must not be used. NULL when there are
 * too many; that is answered, too. */
struct evs_sse *evs_sse_open(struct evs_live_server *server, struct evhttp_request *request,
                             void (*closed)(struct evs_sse *sse, void *argument), void *argument);
/* `text` is one or more whole events ("event: tick\ndata: {…}\n\n"). False: the listener is behind, and nothing was sent. */
bool evs_sse_send(struct evs_sse *sse, struct evs_slice text);
/* Ends the answer; `closed` is not called. */
void evs_sse_end(struct evs_sse *sse);
/* Of the server: all are ended, and their `closed` called. */
void evs_sse_end_all(struct evs_live_server *server);

/* Appends an event; the data is one line: a line end in it becomes a blank, which JSON allows. */
void evs_sse_put(struct evs_buffer *out, const char *event, struct evs_slice data);

#endif
