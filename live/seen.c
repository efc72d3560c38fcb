/* A running program's figures, read over HTTP (seen.h). */
#include "seen.h"

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "evstream/type.h"
#include "json_reader.h"
#include "json_tree.h"

#define PATH "/api/v1/pipelines"

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
        .label = text(arena, tree, "label"),
        .workers = number(tree, "workers", 0),
        .rows_in = number(tree, "rows_in", 0),
        .rows_out = number(tree, "rows_out", 0),
        .late = number(tree, "late", 0),
        .dead = number(tree, "dead", 0),
        .null_key = number(tree, "null_key", 0),
        .limited = number(tree, "limited", 0),
        .batches_in = number(tree, "batches_in", 0),
        .queued = number(tree, "queued", 0),
        .messages = number(tree, "messages", 0),
        .waiting = number(tree, "waiting", 0),
        .retries = number(tree, "retries", 0),
        .state_keys = number(tree, "state_keys", 0),
        .state_bytes = number(tree, "state_bytes", 0),
        .busy_us = number(tree, "busy_us", 0),
        .blocked_us = number(tree, "blocked_us", 0),
        .lag_messages = number(tree, "lag_messages", 0),
        .watermark_us = number(tree, "watermark_us", INT64_MIN),
    };
}

static uint32_t node_named(const struct evs_seen_pipeline *pipeline, struct evs_slice name)
{
    uint32_t number = 0;
    while (number + 1 < pipeline->node_count && !evs_slice_equal(name, evs_slice_of(pipeline->nodes[number].name))) {
        number++;
    }
    return number;
}

static void read_edges(struct evs_arena *arena, const struct evs_tree *edges, struct evs_seen_pipeline *pipeline)
{
    struct evs_seen_edge *made = EVS_ARENA_ARRAY(arena, struct evs_seen_edge, count_children(edges) + 1);
    pipeline->edges = made;
    for (const struct evs_tree *edge = edges == NULL ? NULL : edges->first; edge != NULL; edge = edge->next) {
        made[pipeline->edge_count++] = (struct evs_seen_edge){
            .from = node_named(pipeline, evs_tree_string(edge, "from")),
            .to = node_named(pipeline, evs_tree_string(edge, "to")),
            .output = number(edge, "output", 0),
        };
    }
}

/* How much there is, is a guess: it is never told to be done. */
static int64_t restored_percent(const struct evs_tree *tree, const char *state)
{
    const struct evs_tree *restore = evs_tree_get(tree, "restore");
    int64_t bytes = number(restore, "bytes", 0), about = number(restore, "bytes_about", 0);
    if (strcmp(state, "restoring") != 0) {
        return -1;
    }
    return about <= 0 ? 0 : bytes * 99 / about;
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
        .workers = number(tree, "workers", 1),
        .checkpoint_age_us = number(checkpoints, "age_us", -1),
        .nodes = made,
        .node_count = count,
    };
    pipeline->restored_percent = restored_percent(tree, pipeline->state);
    for (const struct evs_tree *node = count == 0 ? NULL : nodes->first; node != NULL; node = node->next) {
        read_node(arena, node, made++);
    }
    read_edges(arena, evs_tree_get(tree, "edges"), pipeline);
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

static void forget(struct evs_seen *seen)
{
    evs_arena_reset(&seen->arena);
    seen->pipelines = NULL;
    seen->pipeline_count = 0;
}

static evs_status take_answer(const char *address, struct evs_seen *seen, const struct evs_client_answer *answer,
                              struct evs_error *error)
{
    if (answer->status != 200 || !answer->is_json) {
        return evs_fail(error, EVS_E_IO, "%s answers, but not as evstream does (status %d)", address, answer->status);
    }
    seen->json = answer->text;
    return read_answer(seen, answer->bytes, address, error);
}

evs_status evs_seen_fetch(const char *address, struct evs_seen *seen, struct evs_error *error)
{
    forget(seen);
    struct evs_client_request request = {.address = address, .path = PATH};
    struct evs_client_answer answer = {0};
    evs_status status = evs_client_ask(&request, &seen->arena, &answer, error);
    return status == EVS_OK ? take_answer(address, seen, &answer, error) : status;
}

void evs_seen_fetch_together(const char *const *addresses, uint32_t count, int seconds, struct evs_seen *seen,
                             evs_status *statuses)
{
    struct evs_client_question *questions = evs_alloc_zero(count * sizeof *questions);
    for (uint32_t i = 0; i < count; i++) {
        forget(&seen[i]);
        questions[i].request = (struct evs_client_request){.address = addresses[i], .path = PATH};
        questions[i].arena = &seen[i].arena;
    }
    evs_client_ask_together(questions, count, seconds);
    for (uint32_t i = 0; i < count; i++) {
        struct evs_error ignored = {0};
        bool has_answer = questions[i].status == EVS_OK;
        statuses[i] =
            has_answer ? take_answer(addresses[i], &seen[i], &questions[i].answer, &ignored) : questions[i].status;
    }
    evs_free(questions);
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

const char *evs_seen_state(char out[EVS_SEEN_STATE], const struct evs_seen_pipeline *pipeline)
{
    if (pipeline->restored_percent >= 0) {
        snprintf(out, EVS_SEEN_STATE, "%.15s %u %%", pipeline->state, (unsigned)pipeline->restored_percent);
    } else {
        snprintf(out, EVS_SEEN_STATE, "%s", pipeline->state);
    }
    return out;
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
