/* The HTTP thread: libevent's server, which answers from what board.h makes.
 *
 * It reads no more than a request line, headers and nothing behind them; a client that is silent for ten seconds is gone. A page of the web that
 * names our address under a host name of its own (DNS rebinding) is refused: on a loopback address the Host header must be one, too. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "dlq.h"
#include "evstream/json_value.h"
#include "evstream/option.h"
#include "evstream/text.h"
#include "later.h"
#include "page.h"
#include "server.h"
#include "sse.h"
#include "stream.h"
#include "tail.h"

#define CLIENT_SECONDS 10
#define HEADERS_BYTES_MAX 16384
#define BODY_BYTES_MAX 65536

/* --- answers -------------------------------------------------------------------------------------------------------------- */

void evs_live_answer(struct evhttp_request *request, int status, const char *content_type,
                     const struct evs_buffer *body)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", content_type);
    evs_door_put_headers(request);
    struct evbuffer *out = evbuffer_new();
    EVS_ASSERT(out != NULL);
    evbuffer_add(out, body->data, body->count);
    evhttp_send_reply(request, status, NULL, out);
    evbuffer_free(out);
}

void evs_live_answer_text(struct evhttp_request *request, int status, const char *text)
{
    struct evs_buffer body = {0};
    evs_buffer_puts(&body, text);
    evs_live_answer(request, status, "text/plain; charset=utf-8", &body);
    evs_buffer_fini(&body);
}

void evs_live_answer_error(struct evhttp_request *request, int status, const char *sentence)
{
    struct evs_buffer body = {0};
    evs_buffer_puts(&body, "{\"error\":");
    evs_json_put_text(&body, evs_slice_of(sentence));
    evs_buffer_puts(&body, "}\n");
    evs_live_answer(request, status, "application/json", &body);
    evs_buffer_fini(&body);
}

static void get_metrics(struct evs_live_server *server, struct evhttp_request *request)
{
    struct evs_buffer body = {0};
    const char *content_type = NULL;
    const char *accept = evhttp_find_header(evhttp_request_get_input_headers(request), "Accept");
    evs_live_put_metrics(server->live, accept, &body, &content_type);
    evs_live_answer(request, HTTP_OK, content_type, &body);
    evs_buffer_fini(&body);
}

static void get_health(struct evs_live_server *server, struct evhttp_request *request)
{
    (void)server;
    evs_live_answer_text(request, HTTP_OK, "ok\n");
}

static void get_ready(struct evs_live_server *server, struct evhttp_request *request)
{
    struct evs_buffer body = {0};
    bool is_ready = evs_live_put_ready(server->live, &body);
    evs_live_answer(request, is_ready ? HTTP_OK : HTTP_SERVUNAVAIL, "application/json", &body);
    evs_buffer_fini(&body);
}

static void get_pipelines(struct evs_live_server *server, struct evhttp_request *request)
{
    struct evs_buffer body = {0};
    evs_live_put_pipelines(server->live, &body);
    evs_live_answer(request, HTTP_OK, "application/json", &body);
    evs_buffer_fini(&body);
}

static void get_page(struct evs_live_server *server, struct evhttp_request *request)
{
    (void)server;
    bool is_there = evs_page_answer(request, evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request)));
    EVS_ASSERT(is_there);
}

static void get_live(struct evs_live_server *server, struct evhttp_request *request)
{
    evs_stream_open(server->stream, request);
}

static void get_why(struct evs_live_server *server, struct evhttp_request *request)
{
    if (evs_door_may_read_rows(server, request)) {
        evs_stream_explain(server->stream, request);
    }
}

static const struct route {
    const char *path;
    enum { READS, STREAMS, CHANGES } does;
    void (*answer)(struct evs_live_server *server, struct evhttp_request *request);
} routes[] = {
    {"/", READS, get_page},
    {"/page.js", READS, get_page},
    {"/page.css", READS, get_page},
    {"/licences.txt", READS, get_page},
    {"/metrics", READS, get_metrics},
    {"/healthz", READS, get_health},
    {"/readyz", READS, get_ready},
    {"/api/v1/pipelines", READS, get_pipelines},
    {"/api/v1/live", STREAMS, get_live},
    {"/api/v1/why", READS, get_why},
    {"/api/v1/tail", STREAMS, evs_live_get_tail},
    {"/api/v1/dlq", READS, evs_live_get_letters},
    {"/api/v1/dlq/resend", CHANGES, evs_live_resend_letter},
};

/* --- requests ---------------------------------------------------------------------------------------------------------------- */

void evs_query_init(struct evs_query *query, struct evhttp_request *request)
{
    const char *text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
    TAILQ_INIT(&query->values);
    (void)evhttp_parse_query_str(text == NULL ? "" : text, &query->values); /* what it cannot read is not there */
}

const char *evs_query_text(const struct evs_query *query, const char *name)
{
    return evhttp_find_header(&query->values, name);
}

int64_t evs_query_number(const struct evs_query *query, const char *name, int64_t least, int64_t most, int64_t fallback)
{
    const char *text = evs_query_text(query, name);
    int64_t value;
    bool is_good = text != NULL && evs_parse_int64(evs_slice_of(text), &value) && value >= least && value <= most;
    return is_good ? value : fallback;
}

void evs_query_fini(struct evs_query *query)
{
    evhttp_clear_headers(&query->values);
}

static const struct route *find_route(struct evhttp_request *request)
{
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    for (size_t i = 0; path != NULL && i < EVS_COUNT(routes); i++) {
        if (strcmp(routes[i].path, path) == 0) {
            return &routes[i];
        }
    }
    return NULL;
}

static bool is_allowed(const struct route *route, enum evhttp_cmd_type method)
{
    static const unsigned methods[] = {
        [READS] = EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, [STREAMS] = EVHTTP_REQ_GET, [CHANGES] = EVHTTP_REQ_POST};
    return (methods[route->does] & method) != 0;
}

static void on_request(struct evhttp_request *request, void *argument)
{
    struct evs_live_server *server = argument;
    const struct route *route = find_route(request);
    enum evhttp_cmd_type method = evhttp_request_get_command(request);
    if (!evs_door_is_welcome(server, request)) {
        evs_live_answer_text(request, 403,
                             "This address answers to localhost and to its own page only; see --listen.\n");
    } else if (route == NULL) {
        evs_live_answer_text(request, HTTP_NOTFOUND,
                             "There is no such address here; docs/cli.md lists those that there are.\n");
    } else if (!is_allowed(route, method)) {
        static const char *const allowed[] = {[READS] = "GET, HEAD", [STREAMS] = "GET", [CHANGES] = "POST"};
        evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", allowed[route->does]);
        evs_live_answer_text(request, HTTP_BADMETHOD, "This address takes another method; Allow says which.\n");
    } else {
        route->answer(server, request);
    }
}

/* --- the thread ----------------------------------------------------------------------------------------------------------------- */

static void serve(void *argument)
{
    struct evs_live_server *server = argument;
    event_base_dispatch(server->base);
}

static void on_stop(evutil_socket_t fd, short what, void *argument)
{
    struct evs_live_server *server = argument;
    (void)fd;
    (void)what;
    event_base_loopbreak(server->base);
}

/* What the socket is bound to: the port may have been the system's choice. */
static void note_address(struct evs_live_server *server, struct evhttp_bound_socket *bound)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } name = {0};
    char host[INET6_ADDRSTRLEN] = "";
    socklen_t bytes = sizeof name;
    int result = getsockname(evhttp_bound_socket_get_fd(bound), &name.any, &bytes);
    EVS_ASSERT(result == 0);
    if (name.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &name.v6.sin6_addr, host, sizeof host);
        server->is_loopback = IN6_IS_ADDR_LOOPBACK(&name.v6.sin6_addr);
        snprintf(server->address, sizeof server->address, "[%s]:%u", host, ntohs(name.v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &name.v4.sin_addr, host, sizeof host);
        server->is_loopback = (ntohl(name.v4.sin_addr.s_addr) >> 24) == 127;
        snprintf(server->address, sizeof server->address, "%s:%u", host, ntohs(name.v4.sin_port));
    }
}

static evs_status bind_server(struct evs_live_server *server, const char *address, struct evs_error *error)
{
    char host[EVS_HOST_BYTES];
    uint16_t port = 0;
    if (!evs_parse_address(address, host, &port)) {
        return evs_fail(error, EVS_E_USAGE, "`%s` is no address to listen at; write HOST:PORT, such as 127.0.0.1:8088",
                        address);
    }
    errno = 0;
    struct evhttp_bound_socket *bound =
        evhttp_bind_socket_with_handle(server->http, host[0] == '\0' ? "0.0.0.0" : host, port);
    if (bound == NULL) {
        return evs_fail(error, EVS_E_UNREACHABLE, "cannot listen at %s: %s", address,
                        errno == 0 ? "the name is not known" : strerror(errno));
    }
    note_address(server, bound);
    return EVS_OK;
}

static void server_free(struct evs_live_server *server)
{
    if (server->stop != NULL) {
        event_free(server->stop);
    }
    if (server->stop_fd >= 0) {
        close(server->stop_fd);
    }
    if (server->later != NULL) {
        evs_later_stop(server->later);
    }
    evs_sse_end_all(server);
    evs_stream_free(server->stream);
    evs_tails_free(server->tails);
    evhttp_free(server->http);
    event_base_free(server->base);
    evs_free(server);
}

static struct evs_live_server *server_new(struct evs_live *live)
{
    struct evs_live_server *server = evs_alloc_zero(sizeof *server);
    server->live = live;
    server->base = event_base_new();
    EVS_ASSERT(server->base != NULL);
    server->http = evhttp_new(server->base);
    EVS_ASSERT(server->http != NULL);
    evhttp_set_timeout(server->http, CLIENT_SECONDS);
    evhttp_set_max_headers_size(server->http, HEADERS_BYTES_MAX);
    evhttp_set_max_body_size(server->http, BODY_BYTES_MAX);
    evhttp_set_gencb(server->http, on_request, server);
    server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    EVS_ASSERT(server->stop_fd >= 0);
    server->stop = event_new(server->base, server->stop_fd, EV_READ, on_stop, server);
    EVS_ASSERT(server->stop != NULL);
    event_add(server->stop, NULL);
    server->stream = evs_stream_new(server);
    return server;
}

evs_status evs_live_server_start(struct evs_live *live, const char *address, struct evs_live_server **result,
                                 struct evs_error *error)
{
    struct evs_live_server *server = server_new(live);
    evs_status status = bind_server(server, address, error);
    if (status == EVS_OK) {
        status = live->os->threads.spawn(live->os->threads.self, "evs-live", serve, server, &server->thread);
        if (status != EVS_OK) {
            evs_fail(error, status, "the HTTP thread cannot be started");
        }
    }
    if (status != EVS_OK) {
        server_free(server);
        return status;
    }
    *result = server;
    return EVS_OK;
}

const char *evs_live_server_address(const struct evs_live_server *server)
{
    return server->address;
}

void evs_live_server_stop(struct evs_live_server *server)
{
    uint64_t one = 1;
    ssize_t written = write(server->stop_fd, &one, sizeof one);
    EVS_ASSERT(written == (ssize_t)sizeof one);
    server->live->os->threads.join(server->thread);
    server_free(server);
}
