/* A running program's figures, read over HTTP (seen.h). */
#include "seen.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>

#include "evstream/option.h"
#include "evstream/type.h"
#include "json_reader.h"
#include "json_tree.h"

#define ANSWER_SECONDS 10
#define ANSWER_BYTES_MAX (64 << 20)

/* --- asking -------------------------------------------------------------------------------------------------------------- */

struct answer {
    struct event_base *base;
    struct evs_seen *seen;
    int status; /* of HTTP; 0: none came */
    size_t bytes;
    bool is_json;
};

static void on_answer(struct evhttp_request *request, void *argument)
{
    struct answer *answer = argument;
    event_base_loopbreak(answer->base);
    if (request == NULL || evhttp_request_get_response_code(request) == 0) {
        return;
    }
    const char *type = evhttp_find_header(evhttp_request_get_input_headers(request), "Content-Type");
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    answer->status = evhttp_request_get_response_code(request);
    answer->is_json = type != NULL && strcmp(type, "application/json") == 0;
    answer->bytes = evbuffer_get_length(body);
    char *text = evs_arena_alloc(&answer->seen->arena, answer->bytes + EVS_TREE_PADDING, 64);
    evbuffer_remove(body, text, answer->bytes);
    memset(text + answer->bytes, 0, EVS_TREE_PADDING);
    answer->seen->json = text;
}

static void send_request(struct evhttp_connection *connection, const char *address, struct answer *answer)
{
    struct evhttp_request *request = evhttp_request_new(on_answer, answer);
    EVS_ASSERT(request != NULL);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Host", address);
    if (evhttp_make_request(connection, request, EVHTTP_REQ_GET, "/api/v1/pipelines") == 0) {
        event_base_dispatch(answer->base);
    }
}

static evs_status ask(const char *address, struct answer *answer, struct evs_error *error)
{
    char host[EVS_HOST_BYTES];
    uint16_t port = 0;
    if (!evs_parse_address(address, host, &port) || host[0] == '\0' || port == 0) {
        return evs_fail(error, EVS_E_USAGE, "`%s` is no address; write HOST:PORT, such as 127.0.0.1:8088", address);
    }
    answer->base = event_base_new();
    EVS_ASSERT(answer->base != NULL);
    struct evhttp_connection *connection = evhttp_connection_base_new(answer->base, NULL, host, port);
    EVS_ASSERT(connection != NULL);
    evhttp_connection_set_timeout(connection, ANSWER_SECONDS);
    evhttp_connection_set_max_body_size(connection, ANSWER_BYTES_MAX);
    send_request(connection, address, answer);
    evhttp_connection_free(connection);
    event_base_free(answer->base);
    if (answer->status == 0) {
        return evs_fail(error, EVS_E_UNREACHABLE,
                        "nobody answers at %s; is `evstream run` there, and listening (--listen)?", address);
    }
    if (answer->status != 200 || !answer->is_json) {
        return evs_fail(error, EVS_E_IO, "%s answers, but not as evstream does (status %d)", address, answer->status);
    }
    return EVS_OK;
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

static int64_t number(const struct evs_tree *object, const char *name, int64_t otherwise)
{
    const struct evs_tree *member = evs_tree_get(object, name);
    int64_t value = otherwise;
    bool is_number = evs_tree_is(member, EVS_TREE_NUMBER) && evs_parse_int64(member->text, &value);
    return is_number ? value : otherwise;
}

static const char *text(struct evs_arena *arena, const struct evs_tree *object, const char *name)
{
    struct evs_slice slice = evs_tree_string(object, name);
    char *copy = evs_arena_alloc(arena, slice.count + 1, 1);
    if (slice.count > 0) {
        memcpy(copy, slice.data, slice.count);
    }
    copy[slice.count] = '\0';
    return copy;
}

static uint32_t count_children(const struct evs_tree *list)
{
    uint32_t count = 0;
    for (const struct evs_tree *child = list == NULL ? NULL : list->first; child != NULL; child = child->next) {
        count++;
    }
    return count;
}

static void read_node(struct evs_arena *arena, const struct evs_tree *tree, struct evs_seen_node *node)
{
    *node = (struct evs_seen_node){
        .name = text(arena, tree, "name"),
        .kind = text(arena, tree, "kind"),
        .workers = number(tree, "workers", 0),
        .rows_in = number(tree, "rows_in", 0),
        .rows_out = number(tree, "rows_out", 0),
        .late = number(tree, "late", 0),
        .dead = number(tree, "dead", 0),
        .state_keys = number(tree, "state_keys", 0),
        .state_bytes = number(tree, "state_bytes", 0),
        .busy_us = number(tree, "busy_us", 0),
        .blocked_us = number(tree, "blocked_us", 0),
        .lag_messages = number(tree, "lag_messages", 0),
        .watermark_us = number(tree, "watermark_us", INT64_MIN),
    };
}

static void read_pipeline(struct evs_arena *arena, const struct evs_tree *tree, struct evs_seen_pipeline *pipeline)
{
    const struct evs_tree *checkpoints = evs_tree_get(tree, "checkpoints"), *nodes = evs_tree_get(tree, "nodes");
    uint32_t count = count_children(nodes);
    struct evs_seen_node *made = EVS_ARENA_ARRAY(arena, struct evs_seen_node, count + 1);
    *pipeline = (struct evs_seen_pipeline){
        .name = text(arena, tree, "name"),
        .state = text(arena, tree, "state"),
        .starts = number(tree, "starts", 0),
        .uptime_us = number(tree, "uptime_us", 0),
        .checkpoint_age_us = number(checkpoints, "age_us", -1),
        .nodes = made,
        .node_count = count,
    };
    for (const struct evs_tree *node = count == 0 ? NULL : nodes->first; node != NULL; node = node->next) {
        read_node(arena, node, made++);
    }
}

static evs_status read_answer(struct evs_seen *seen, size_t bytes, const char *address, struct evs_error *error)
{
    const char *mistake = NULL;
    struct evs_json_reader *reader = evs_json_reader_new();
    const struct evs_tree *tree = evs_tree_read(reader, &seen->arena, (char *)seen->json, bytes, &mistake);
    evs_json_reader_free(reader);
    const struct evs_tree *pipelines = evs_tree_get(tree, "pipelines");
    if (!evs_tree_is(pipelines, EVS_TREE_ARRAY)) {
        return evs_fail(error, EVS_E_IO, "%s answers, but not as evstream does: %s", address,
                        mistake != NULL ? mistake : "there are no pipelines in it");
    }
    seen->time_us = number(tree, "time_us", 0);
    seen->pipeline_count = count_children(pipelines);
    struct evs_seen_pipeline *made = EVS_ARENA_ARRAY(&seen->arena, struct evs_seen_pipeline, seen->pipeline_count + 1);
    seen->pipelines = made;
    for (const struct evs_tree *pipeline = pipelines->first; pipeline != NULL; pipeline = pipeline->next) {
        read_pipeline(&seen->arena, pipeline, made++);
    }
    return EVS_OK;
}

evs_status evs_seen_fetch(const char *address, struct evs_seen *seen, struct evs_error *error)
{
    evs_arena_reset(&seen->arena);
    seen->pipelines = NULL;
    seen->pipeline_count = 0;
    struct answer answer = {.seen = seen};
    evs_status status = ask(address, &answer, error);
    return status == EVS_OK ? read_answer(seen, answer.bytes, address, error) : status;
}

void evs_seen_fini(struct evs_seen *seen)
{
    evs_arena_fini(&seen->arena);
}

/* --- sums, and numbers for people ------------------------------------------------------------------------------------------- */

struct evs_seen_totals evs_seen_totals(const struct evs_seen_pipeline *pipeline)
{
    struct evs_seen_totals totals = {.watermark_us = INT64_MIN};
    for (uint32_t i = 0; i < pipeline->node_count; i++) {
        const struct evs_seen_node *node = &pipeline->nodes[i];
        bool is_source = strcmp(node->kind, "source") == 0;
        totals.events += is_source ? node->rows_in : 0;
        totals.rows_out += strcmp(node->kind, "sink") == 0 ? node->rows_out : 0;
        totals.late += node->late;
        totals.dead += node->dead;
        totals.state_keys += node->state_keys;
        totals.state_bytes += node->state_bytes;
        totals.lag_messages += node->lag_messages;
        bool is_least = totals.watermark_us == INT64_MIN || node->watermark_us < totals.watermark_us;
        if (is_source && node->watermark_us != INT64_MIN && is_least) {
            totals.watermark_us = node->watermark_us;
        }
    }
    return totals;
}

const char *evs_seen_count(char out[EVS_SEEN_TEXT], int64_t count)
{
    char digits[EVS_SEEN_TEXT];
    uint32_t length = evs_format_int64(digits, count < 0 ? -count : count), at = 0;
    if (count < 0) {
        out[at++] = '-';
    }
    for (uint32_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *evs_seen_bytes(char out[EVS_SEEN_TEXT], int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    uint32_t unit = 0;
    while (value >= 1000 && unit + 1 < EVS_COUNT(units)) {
        value /= 1000;
        unit++;
    }
    snprintf(out, EVS_SEEN_TEXT, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

const char *evs_seen_duration(char out[EVS_SEEN_TEXT], int64_t us)
{
    double seconds = (double)us / 1e6;
    if (us < 1000000) {
        snprintf(out, EVS_SEEN_TEXT, "%.0f ms", (double)us / 1e3);
    } else if (seconds < 120) {
        snprintf(out, EVS_SEEN_TEXT, "%.1f s", seconds);
    } else if (seconds < 7200) {
        snprintf(out, EVS_SEEN_TEXT, "%.0f min", seconds / 60);
    } else if (seconds < 172800) {
        snprintf(out, EVS_SEEN_TEXT, "%.0f h", seconds / 3600);
    } else {
        snprintf(out, EVS_SEEN_TEXT, "%.0f d", seconds / 86400);
    }
    return out;
}
