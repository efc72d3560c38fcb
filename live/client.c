#include "client.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evstream/option.h"
#include "json_reader.h"
#include "json_tree.h"

#define ANSWER_SECONDS 30
#define ANSWER_BYTES_MAX (64 << 20)
#define EVENT_NAME_BYTES 32

struct call {
    struct event_base *base;
    uint32_t *open;          /* calls of this base that have no answer yet */
    struct evs_arena *arena; /* takes the answer; NULL: it is followed */
    struct evs_client_answer answer;
    /* of a stream */
    bool (*take)(void *argument, const char *event, struct evs_slice data);
    void *argument;
    struct evs_buffer text; /* what came and is not yet a whole line, or is no event */
    char event[EVENT_NAME_BYTES];
    bool has_enough;
};

static void note_head(struct call *call, struct evhttp_request *request)
{
    const char *type = evhttp_find_header(evhttp_request_get_input_headers(request), "Content-Type");
    call->answer.status = evhttp_request_get_response_code(request);
    call->answer.is_json = type != NULL && strcmp(type, "application/json") == 0;
}

static void keep_text(struct call *call, struct evs_arena *arena, struct evbuffer *body)
{
    call->answer.bytes = evbuffer_get_length(body);
    call->answer.text = evs_arena_alloc(arena, call->answer.bytes + EVS_TREE_PADDING, 64);
    evbuffer_remove(body, call->answer.text, call->answer.bytes);
    memset(call->answer.text + call->answer.bytes, 0, EVS_TREE_PADDING);
}

static void on_answer(struct evhttp_request *request, void *argument)
{
    struct call *call = argument;
    if (--*call->open == 0) {
        event_base_loopbreak(call->base);
    }
    if (request == NULL || evhttp_request_get_response_code(request) == 0) {
        return;
    }
    note_head(call, request);
    if (call->arena != NULL) {
        keep_text(call, call->arena, evhttp_request_get_input_buffer(request));
    }
}

/* --- a stream of events ------------------------------------------------------------------------------------------------------ */

/* One line of the stream (HTML standard, 9.2.6); our own server puts all data of an event into one. */
static void take_line(struct call *call, const char *line, size_t count)
{
    static const char event[] = "event: ", data[] = "data: ";
    if (count > sizeof event - 1 && memcmp(line, event, sizeof event - 1) == 0) {
        snprintf(call->event, sizeof call->event, "%.*s", (int)(count - sizeof event + 1), line + sizeof event - 1);
    } else if (count > sizeof data - 1 && memcmp(line, data, sizeof data - 1) == 0) {
        struct evs_slice slice = {line + sizeof data - 1, count - sizeof data + 1};
        call->has_enough = call->has_enough || !call->take(call->argument, call->event, slice);
    }
}

static void take_lines(struct call *call)
{
    size_t at = 0;
    while (at < call->text.count && !call->has_enough) {
        const char *begin = call->text.data + at;
        const char *end = memchr(begin, '\n', call->text.count - at);
        if (end == NULL) {
            break;
        }
        take_line(call, begin, (size_t)(end - begin));
        at += (size_t)(end - begin) + 1;
    }
    call->text.count -= at;
    memmove(call->text.data, call->text.data + at, call->text.count);
}

static void on_chunk(struct evhttp_request *request, void *argument)
{
    struct call *call = argument;
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    size_t count = evbuffer_get_length(body);
    if (call->answer.status == 0) {
        note_head(call, request);
    }
    evs_buffer_reserve(&call->text, count + 1);
    evbuffer_remove(body, call->text.data + call->text.count, count);
    call->text.count += count;
    if (call->answer.status == HTTP_OK) {
        take_lines(call);
    }
    if (call->has_enough) {
        event_base_loopbreak(call->base);
    }
}

/* --- the call -------------------------------------------------------------------------------------------------------------------- */

static void put_headers(struct evhttp_request *http, const struct evs_client_request *request)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(http);
    evhttp_add_header(headers, "Host", request->address);
    if (request->token != NULL) {
        struct evs_buffer value = {0};
        evs_buffer_printf(&value, "Bearer %s", request->token);
        evhttp_add_header(headers, "Authorization", value.data);
        evs_buffer_fini(&value);
    }
    if (request->body != NULL) {
        evhttp_add_header(headers, "Content-Type", "application/json");
        evbuffer_add(evhttp_request_get_output_buffer(http), request->body, strlen(request->body));
    }
}

/* A call on its way; NULL: it can't be sent. */
static struct evhttp_connection *begin(const struct evs_client_request *request, const char *host, uint16_t port,
                                       int seconds, struct call *call)
{
    struct evhttp_connection *connection = evhttp_connection_base_new(call->base, NULL, host, port);
    EVS_ASSERT(connection != NULL);
    evhttp_connection_set_timeout(connection, seconds);
    evhttp_connection_set_max_body_size(connection, call->take == NULL ? ANSWER_BYTES_MAX : -1);
    struct evhttp_request *http = evhttp_request_new(on_answer, call);
    EVS_ASSERT(http != NULL);
    put_headers(http, request);
    if (call->take != NULL) {
        evhttp_request_set_chunked_cb(http, on_chunk);
    }
    ++*call->open;
    enum evhttp_cmd_type method = request->body == NULL ? EVHTTP_REQ_GET : EVHTTP_REQ_POST;
    if (evhttp_make_request(connection, http, method, request->path) != 0) {
        --*call->open;
        evhttp_connection_free(connection);
        connection = NULL;
    }
    return connection;
}

static evs_status check_address(const char *address, char host[EVS_HOST_BYTES], uint16_t *port, struct evs_error *error)
{
    if (!evs_parse_address(address, host, port) || host[0] == '\0' || *port == 0) {
        return evs_fail(error, EVS_E_USAGE, "`%s` is no address; write HOST:PORT, such as 127.0.0.1:8088", address);
    }
    return EVS_OK;
}

static evs_status result_of(const struct evs_client_request *request, const struct call *call, struct evs_error *error)
{
    if (call->answer.status == 0) {
        return evs_fail(error, EVS_E_UNREACHABLE,
                        "nobody answers at %s; is `evstream run` there, and listening (--listen)?", request->address);
    }
    return EVS_OK;
}

static evs_status run_call(const struct evs_client_request *request, struct call *call, struct evs_error *error)
{
    char host[EVS_HOST_BYTES];
    uint16_t port = 0;
    uint32_t open = 0;
    evs_status status = check_address(request->address, host, &port, error);
    if (status != EVS_OK) {
        return status;
    }
    call->base = event_base_new();
    call->open = &open;
    EVS_ASSERT(call->base != NULL);
    int seconds = call->take == NULL ? ANSWER_SECONDS : 0; /* a quiet stream is none that is dead */
    struct evhttp_connection *connection = begin(request, host, port, seconds, call);
    if (connection != NULL) {
        event_base_dispatch(call->base);
        evhttp_connection_free(connection);
    }
    event_base_free(call->base);
    return result_of(request, call, error);
}

evs_status evs_client_ask(const struct evs_client_request *request, struct evs_arena *arena,
                          struct evs_client_answer *answer, struct evs_error *error)
{
    struct call call = {.arena = arena};
    evs_status status = run_call(request, &call, error);
    *answer = call.answer;
    return status;
}

void evs_client_ask_together(struct evs_client_question *questions, uint32_t count, int seconds)
{
    struct event_base *base = event_base_new();
    EVS_ASSERT(base != NULL);
    struct call *calls = evs_alloc_zero(count * sizeof *calls);
    struct evhttp_connection **connections = evs_alloc_zero(count * sizeof(struct evhttp_connection *));
    uint32_t open = 0;
    for (uint32_t i = 0; i < count; i++) {
        char host[EVS_HOST_BYTES];
        uint16_t port = 0;
        calls[i] = (struct call){.base = base, .open = &open, .arena = questions[i].arena};
        questions[i].status = check_address(questions[i].request.address, host, &port, &questions[i].error);
        bool is_right = questions[i].status == EVS_OK;
        connections[i] = is_right ? begin(&questions[i].request, host, port, seconds, &calls[i]) : NULL;
    }
    if (open > 0) {
        event_base_dispatch(base);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct evs_client_question *question = &questions[i];
        question->answer = calls[i].answer;
        if (question->status == EVS_OK) {
            question->status = result_of(&question->request, &calls[i], &question->error);
        }
        if (connections[i] != NULL) {
            evhttp_connection_free(connections[i]);
        }
    }
    event_base_free(base);
    evs_free(connections);
    evs_free(calls);
}

evs_status evs_client_follow(const struct evs_client_request *request,
                             bool (*take)(void *argument, const char *event, struct evs_slice data), void *argument,
                             struct evs_error *error)
{
    struct call call = {.take = take, .argument = argument};
    struct evs_arena arena = {0};
    evs_status status = run_call(request, &call, error);
    if (status == EVS_OK && call.answer.status != HTTP_OK) {
        call.answer.bytes = call.text.count;
        call.answer.text = evs_arena_zero(&arena, call.text.count + EVS_TREE_PADDING, 64);
        memcpy(call.answer.text, call.text.count > 0 ? call.text.data : "", call.text.count);
        status = evs_client_refused(request->address, &call.answer, error);
    } else if (status == EVS_OK && !call.has_enough) {
        status = EVS_END;
    }
    evs_arena_fini(&arena);
    evs_buffer_fini(&call.text);
    return status;
}

evs_status evs_client_refused(const char *address, const struct evs_client_answer *answer, struct evs_error *error)
{
    struct evs_arena arena = {0};
    const char *mistake = NULL;
    struct evs_json_reader *reader = evs_json_reader_new();
    const struct evs_tree *tree =
        answer->is_json ? evs_tree_read(reader, &arena, answer->text, answer->bytes, &mistake) : NULL;
    struct evs_slice sentence = evs_tree_string(tree, "error");
    if (sentence.count > 0) {
        evs_fail(error, EVS_E_REFUSED, "%.*s", (int)sentence.count, sentence.data);
    } else {
        evs_fail(error, EVS_E_REFUSED, "%s answers, but not as evstream does (status %d)", address, answer->status);
    }
    evs_json_reader_free(reader);
    evs_arena_fini(&arena);
    return EVS_E_REFUSED;
}

void evs_client_put_query(struct evs_buffer *path, const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    bool is_first = memchr(path->data, '?', path->count) == NULL;
    char *encoded = evhttp_uriencode(value, -1, 0);
    EVS_ASSERT(encoded != NULL);
    evs_buffer_printf(path, "%s%s=%s", is_first ? "?" : "&", name, encoded);
    free(encoded); /* libevent's */
}
