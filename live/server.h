/* Private to live/: the HTTP server, its door, and how a request is answered. */
#ifndef EVS_LIVE_SERVER_H
#define EVS_LIVE_SERVER_H

#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "board.h"
#include "evstream/memory.h"

#define EVS_LIVE_ADDRESS_BYTES 300

struct evs_sse;
struct evs_later;
struct evs_stream;
struct evs_tails;

struct evs_live_server {
    struct evs_live *live;
    struct event_base *base;
    struct evhttp *http;
    struct event *stop;
    int stop_fd;
    bool is_loopback;
    char address[EVS_LIVE_ADDRESS_BYTES];
    struct evs_sse *listeners;
    uint32_t listener_count;
    struct evs_later *later; /* NULL until the first work */
    struct evs_stream *stream;
    struct evs_tails *tails; /* NULL until somebody looks; written with the lock of the pipelines held */
    struct evs_thread *thread;
};

/* --- answers: all with the door's headers --- */
void evs_live_answer(struct evhttp_request *request, int status, const char *content_type,
                     const struct evs_buffer *body);
void evs_live_answer_text(struct evhttp_request *request, int status, const char *text);
/* {"error": "…"}: the whole sentence that a person reads. */
void evs_live_answer_error(struct evhttp_request *request, int status, const char *sentence);

/* --- door.c: who may come in, and what may he do ---
 *
 *   figures   whoever reaches the address; on a loopback address only under a loopback name (DNS rebinding)
 *   rows      people's data: on a loopback address as figures, elsewhere with the token
 *   changes   with the token, everywhere
 *
 * The token comes in `Authorization: Bearer …` and in nothing else: no cookie and no address carries it, so that a page of
 * another site cannot make a browser send it (CSRF), and no log or history keeps it. */
bool evs_door_is_welcome(const struct evs_live_server *server, struct evhttp_request *request);
/* May rows be read, may something be changed? What may not is answered: 401 or 403, with what to do. */
bool evs_door_may_read_rows(const struct evs_live_server *server, struct evhttp_request *request);
bool evs_door_may_change(const struct evs_live_server *server, struct evhttp_request *request);
/* The same, without an answer. */
bool evs_door_opens_rows(const struct evs_live_server *server, struct evhttp_request *request);
bool evs_door_opens_changes(const struct evs_live_server *server, struct evhttp_request *request);
/* Content-Security-Policy and its companions, and that nothing is stored. */
void evs_door_put_headers(struct evhttp_request *request);

/* --- parameters of a request: ?name=value, decoded. NULL: it is not there. Valid until evs_query_fini --- */
struct evs_query {
    struct evkeyvalq values;
};
void evs_query_init(struct evs_query *query, struct evhttp_request *request);
const char *evs_query_text(const struct evs_query *query, const char *name);
/* Between the limits; `fallback` when it is absent or no such number. */
int64_t evs_query_number(const struct evs_query *query, const char *name, int64_t least, int64_t most,
                         int64_t fallback);
void evs_query_fini(struct evs_query *query);

#endif
