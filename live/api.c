/* The JSON of /readyz and /api/v1/pipelines, which `top`, `status` and the page read. */
#include "board.h"
#include "evstream/json_value.h"

static void put_key(struct evs_buffer *out, const char *before, const char *key)
{
    evs_buffer_printf(out, "%s\"%s\":", before, key);
}

static void put_text(struct evs_buffer *out, const char *before, const char *key, const char *value)
{
    put_key(out, before, key);
    if (value == NULL) {
        evs_buffer_puts(out, "null");
    } else {
        evs_json_put_text(out, evs_slice_of(value));
    }
}

static void put_number(struct evs_buffer *out, const char *before, const char *key, int64_t value)
{
    evs_buffer_printf(out, "%s\"%s\":%lld", before, key, (long long)value);
}

/* µs since 1970; null when there is none. */
static void put_time(struct evs_buffer *out, const char *key, int64_t us)
{
    if (us == EVS_TIME_MIN || us >= EVS_TIME_CUT) {
        evs_buffer_printf(out, ",\"%s\":null", key);
    } else {
        put_number(out, ",", key, us);
    }
}

static const char *const figure_names[EVS_FIGURE_COUNT] = {
#define EVS_FIGURE(name, merge) [EVS_FIGURE_##name] = #name,
    EVS_FIGURES(EVS_FIGURE)
#undef EVS_FIGURE
};

static bool is_time(enum evs_figure figure)
{
    return figure == EVS_FIGURE_WATERMARK_US || figure == EVS_FIGURE_EVENT_US || figure == EVS_FIGURE_INGESTED_US;
}

/* Figures of sources and sinks come with those alone. */
static bool belongs(enum evs_figure figure, enum evs_node_kind kind)
{
    if (figure >= EVS_FIGURE_MESSAGES && figure < EVS_FIGURE_RECONNECTS) {
        return kind == EVS_NODE_SOURCE;
    }
    if (figure == EVS_FIGURE_RECONNECTS) {
        return kind == EVS_NODE_SOURCE || kind == EVS_NODE_SINK;
    }
    return figure < EVS_FIGURE_MESSAGES || kind == EVS_NODE_SINK;
}

static void put_figures(struct evs_buffer *out, const struct evs_view_node *view)
{
    for (enum evs_figure figure = 0; figure < EVS_FIGURE_COUNT; figure++) {
        char name[32];
        uint32_t count = 0;
        for (const char *c = figure_names[figure]; *c != '\0'; c++) {
            name[count++] = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        }
        name[count] = '\0';
        if (!belongs(figure, view->node->kind)) {
            continue;
        }
        if (is_time(figure)) {
            put_time(out, name, view->figures[figure]);
        } else {
            put_number(out, ",", name, view->figures[figure]);
        }
    }
}

static void put_node(struct evs_buffer *out, const struct evs_plan_node *node, const struct evs_view_node *view)
{
    put_text(out, "{", "name", node->name);
    put_text(out, ",", "kind", evs_live_kind(node));
    put_text(out, ",", "label", node->label);
    put_text(out, ",", "file", node->place.file);
    put_number(out, ",", "line", node->place.line);
    if (view != NULL) {
        put_number(out, ",", "workers", view->workers);
        put_figures(out, view);
    }
    evs_buffer_puts(out, "}");
}

static void put_edges(struct evs_buffer *out, const struct evs_plan *plan)
{
    put_key(out, ",", "edges");
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct evs_plan_edge *edge = &plan->edges[i];
        evs_buffer_puts(out, i == 0 ? "" : ",");
        put_text(out, "{", "from", plan->nodes[edge->from].name);
        put_number(out, ",", "output", edge->output);
        put_text(out, ",", "to", plan->nodes[edge->to].name);
        put_number(out, ",", "input", edge->input);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, "]");
}

static void put_dead_letters(struct evs_buffer *out, const struct shot *shot)
{
    put_key(out, ",", "dead_letters");
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < shot->reason_count; i++) {
        evs_buffer_puts(out, i == 0 ? "" : ",");
        put_text(out, "{", "source", shot->reasons[i].source);
        put_text(out, ",", "reason", shot->reasons[i].reason);
        put_number(out, ",", "count", (int64_t)shot->reasons[i].count);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, "]");
}

static void put_checkpoints(struct evs_buffer *out, const struct gallery *gallery, const struct shot *shot)
{
    const struct evs_view_checkpoints *checkpoints = &shot->run.checkpoints;
    put_text(out, ",", "durability", shot->run.durability);
    put_key(out, ",", "checkpoints");
    put_number(out, "{", "number", (int64_t)checkpoints->number);
    put_number(out, ",", "count", (int64_t)checkpoints->count);
    put_number(out, ",", "bytes", (int64_t)checkpoints->bytes);
    put_number(out, ",", "last_bytes", (int64_t)checkpoints->last_bytes);
    put_number(out, ",", "duration_us", checkpoints->duration_us);
    put_number(out, ",", "align_us", checkpoints->align_us);
    if (checkpoints->finished_us == 0) {
        evs_buffer_puts(out, ",\"age_us\":null}");
    } else {
        put_number(out, ",", "age_us", gallery->monotonic_us - checkpoints->finished_us);
        evs_buffer_puts(out, "}");
    }
}

static void put_pipeline(struct evs_buffer *out, const struct gallery *gallery, const struct shot *shot)
{
    const struct evs_plan *plan = shot->pipeline->plan;
    put_text(out, "{", "name", plan->pipeline);
    put_text(out, ",", "file", shot->pipeline->file);
    put_text(out, ",", "state", evs_live_state_name(shot->state));
    put_number(out, ",", "starts", (int64_t)shot->pipeline->starts);
    if (shot->is_live) {
        put_number(out, ",", "uptime_us", shot->run.elapsed_us);
        put_number(out, ",", "workers", shot->run.worker_count);
        put_number(out, ",", "outbox_bytes", (int64_t)shot->run.outbox_bytes);
        put_checkpoints(out, gallery, shot);
        put_dead_letters(out, shot);
    }
    put_key(out, ",", "nodes");
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < plan->node_count; i++) {
        evs_buffer_puts(out, i == 0 ? "" : ",");
        put_node(out, &plan->nodes[i], shot->is_live ? &shot->nodes[i] : NULL);
    }
    evs_buffer_puts(out, "]");
    put_edges(out, plan);
    evs_buffer_puts(out, "}");
}

void evs_live_put_pipelines(struct evs_live *live, struct evs_buffer *out)
{
    struct gallery gallery;
    pthread_mutex_lock(&live->lock);
    evs_live_look(live, &gallery);
    put_number(out, "{", "time_us", gallery.wall_us);
    put_key(out, ",", "pipelines");
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < gallery.count; i++) {
        evs_buffer_puts(out, i == 0 ? "" : ",");
        put_pipeline(out, &gallery, &gallery.shots[i]);
    }
    evs_buffer_puts(out, "]}\n");
    evs_live_drop(&gallery);
    pthread_mutex_unlock(&live->lock);
}

bool evs_live_put_ready(struct evs_live *live, struct evs_buffer *out)
{
    struct gallery gallery;
    bool is_ready = true;
    pthread_mutex_lock(&live->lock);
    evs_live_look(live, &gallery);
    for (uint32_t i = 0; i < gallery.count; i++) {
        is_ready = is_ready && gallery.shots[i].state == PIPELINE_RUNNING;
    }
    evs_buffer_printf(out, "{\"ready\":%s,\"pipelines\":{", is_ready ? "true" : "false");
    for (uint32_t i = 0; i < gallery.count; i++) {
        evs_buffer_puts(out, i == 0 ? "" : ",");
        evs_json_put_text(out, evs_slice_of(gallery.shots[i].pipeline->plan->pipeline));
        evs_buffer_printf(out, ":\"%s\"", evs_live_state_name(gallery.shots[i].state));
    }
    evs_buffer_puts(out, "}}\n");
    evs_live_drop(&gallery);
    pthread_mutex_unlock(&live->lock);
    return is_ready;
}
