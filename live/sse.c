#include "sse.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#define WRITE_SECONDS 30 /* a listener that takes nothing for so long is gone */

struct evs_sse {
    struct evs_live_server *server;
    struct evhttp_request *request;
    struct evhttp_connection *connection;
    void (*closed)(struct evs_sse *sse, void *argument);
    void *argument;
    struct evs_sse *before, *next;
};

static void unlink_listener(struct evs_sse *sse)
{
    *(sse->before == NULL ? &sse->server->listeners : &sse->before->next) = sse->next;
    if (sse->next != NULL) {
        sse->next->before = sse->before;
    }
    sse->server->listener_count--;
}

/* libevent takes a request that is still answered off its connection before it frees that; it is then ours to end. */
static void on_closed(struct evhttp_connection *connection, void *argument)
{
    struct evs_sse *sse = argument;
    (void)connection;
    if (evhttp_request_get_connection(sse->request) == NULL) {
        evhttp_send_reply_end(sse->request);
    }
    unlink_listener(sse);
    sse->closed(sse, sse->argument);
    evs_free(sse);
}

/* A listener says nothing, so only writing has a limit. */
static void begin(struct evhttp_request *request)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct bufferevent *link = evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
    struct timeval limit = {.tv_sec = WRITE_SECONDS};
    evhttp_add_header(headers, "Content-Type", "text/event-stream");
    evhttp_add_header(headers, "X-Accel-Buffering", "no");
    evs_door_put_headers(request);
    evhttp_send_reply_start(request, HTTP_OK, "OK");
    bufferevent_set_timeouts(link, NULL, &limit);
}

struct evs_sse *evs_sse_open(struct evs_live_server *server, struct evhttp_request *request,
                             void (*closed)(struct evs_sse *sse, void *argument), void *argument)
{
    if (server->listener_count >= EVS_SSE_LISTENERS_MAX) {
        evs_live_answer_error(request, HTTP_SERVUNAVAIL, "Too many pages are open at this evstream; close one.");
        return NULL;
    }
    struct evs_sse *sse = evs_alloc(sizeof *sse);
    *sse = (struct evs_sse){
        .server = server,
        .request = request,
        .connection = evhttp_request_get_connection(request),
        .closed = closed,
        .argument = argument,
        .next = server->listeners,
    };
    if (sse->next != NULL) {
        sse->next->before = sse;
    }
    server->listeners = sse;
    server->listener_count++;
    begin(request);
    evhttp_connection_set_closecb(sse->connection, on_closed, sse);
    return sse;
}

bool evs_sse_send(struct evs_sse *sse, struct evs_slice text)
{
    struct bufferevent *link = evhttp_connection_get_bufferevent(sse->connection);
    if (evbuffer_get_length(bufferevent_get_output(link)) > EVS_SSE_WAITING_MAX) {
        return false;
    }
    struct evbuffer *chunk = evbuffer_new();
    EVS_ASSERT(chunk != NULL);
    evbuffer_add(chunk, text.data, text.count);
    evhttp_send_reply_chunk(sse->request, chunk);
    evbuffer_free(chunk);
    return true;
}

void evs_sse_end(struct evs_sse *sse)
{
    evhttp_connection_set_closecb(sse->connection, NULL, NULL);
    evhttp_send_reply_end(sse->request);
    unlink_listener(sse);
    evs_free(sse);
}

void evs_sse_end_all(struct evs_live_server *server)
{
    while (server->listeners != NULL) {
        struct evs_sse *sse = server->listeners;
        sse->closed(sse, sse->argument);
        evs_sse_end(sse);
    }
}

void evs_sse_put(struct evs_buffer *out, const char *event, struct evs_slice data)
{
    evs_buffer_printf(out, "event: %s\ndata: ", event);
    size_t begin_at = out->count;
    evs_buffer_put(out, data.data, data.count);
    for (size_t i = begin_at; i < out->count; i++) {
        out->data[i] = out->data[i] == '\n' || out->data[i] == '\r' ? ' ' : out->data[i];
    }
    evs_buffer_puts(out, "\n\n");
}
