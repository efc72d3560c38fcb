/* The JSON of /readyz and /api/v1/pipelines, which `top`, `status` and the page read. */
#include "board.h"
#include "json.h"

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

static void put_figure(struct evs_buffer *out, const char *before, enum evs_figure figure, int64_t value)
{
    char name[32];
    uint32_t count = 0;
    for (const char *c = figure_names[figure]; *c != '\0'; c++) {
        name[count++] = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    }
    name[count] = '\0';
    if (is_time(figure)) {
        evs_put_time(out, before, name, value);
    } else {
        evs_put_number(out, before, name, value);
    }
}

uint32_t evs_put_figures(struct evs_buffer *out, const char *before, const struct evs_view_node *view,
                         const int64_t *then)
{
    uint32_t count = 0;
    for (enum evs_figure figure = 0; figure < EVS_FIGURE_COUNT; figure++) {
        bool is_told = belongs(figure, view->node->kind) && (then == NULL || then[figure] != view->figures[figure]);
        if (is_told) {
            put_figure(out, count == 0 ? before : ",", figure, view->figures[figure]);
            count++;
        }
    }
    return count;
}

static void put_node(struct evs_buffer *out, const struct evs_plan_node *node, const struct evs_view_node *view)
{
    evs_put_text(out, "{", "name", node->name);
    evs_put_text(out, ",", "kind", evs_live_kind(node));
    evs_put_text(out, ",", "label", node->label);
    evs_put_text(out, ",", "file", node->place.file);
    evs_put_number(out, ",", "line", node->place.line);
    if (view != NULL) {
        evs_put_number(out, ",", "workers", view->workers);
        evs_put_figures(out, ",", view, NULL);
    }
    evs_buffer_puts(out, "}");
}

static void put_edges(struct evs_buffer *out, const struct evs_plan *plan)
{
    evs_put_key(out, ",", "edges");
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct evs_plan_edge *edge = &plan->edges[i];
        evs_buffer_puts(out, i == 0 ? "" : ",");
        evs_put_text(out, "{", "from", plan->nodes[edge->from].name);
        evs_put_number(out, ",", "output", edge->output);
        evs_put_text(out, ",", "to", plan->nodes[edge->to].name);
        evs_put_number(out, ",", "input", edge->input);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, "]");
}

static void put_dead_letters(struct evs_buffer *out, const struct shot *shot)
{
    evs_put_key(out, ",", "dead_letters");
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < shot->reason_count; i++) {
        evs_buffer_puts(out, i == 0 ? "" : ",");
        evs_put_text(out, "{", "source", shot->reasons[i].source);
        evs_put_text(out, ",", "reason", shot->reasons[i].reason);
        evs_put_number(out, ",", "count", (int64_t)shot->reasons[i].count);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, "]");
}

static void put_checkpoints(struct evs_buffer *out, const struct gallery *gallery, const struct shot *shot)
{
    const struct evs_view_checkpoints *checkpoints = &shot->run.checkpoints;
    evs_put_text(out, ",", "durability", shot->run.durability);
    evs_put_key(out, ",", "checkpoints");
    evs_put_number(out, "{", "number", (int64_t)checkpoints->number);
    evs_put_number(out, ",", "count", (int64_t)checkpoints->count);
    evs_put_number(out, ",", "bytes", (int64_t)checkpoints->bytes);
    evs_put_number(out, ",", "last_bytes", (int64_t)checkpoints->last_bytes);
    evs_put_number(out, ",", "duration_us", checkpoints->duration_us);
    evs_put_number(out, ",", "align_us", checkpoints->align_us);
    evs_put_number(out, ",", "failures", (int64_t)shot->notes.commit_failures);
    if (checkpoints->finished_us == 0) {
        evs_buffer_puts(out, ",\"age_us\":null}");
    } else {
        evs_put_number(out, ",", "age_us", gallery->monotonic_us - checkpoints->finished_us);
        evs_buffer_puts(out, "}");
    }
}

/* The last restore, or the one that goes on. */
static void put_restore(struct evs_buffer *out, const struct evs_view_notes *notes)
{
    if (notes->has_restored) {
        evs_put_key(out, ",", "restore");
        evs_put_number(out, "{", "bytes", (int64_t)notes->restore_bytes);
        evs_put_number(out, ",", "bytes_about", (int64_t)notes->restore_bytes_about);
        evs_put_number(out, ",", "elapsed_us", notes->restore_us);
        evs_buffer_puts(out, "}");
    }
}

static void put_pipeline(struct evs_buffer *out, const struct gallery *gallery, const struct shot *shot)
{
    const struct evs_plan *plan = shot->pipeline->plan;
    evs_put_text(out, "{", "name", plan->pipeline);
    evs_put_text(out, ",", "file", shot->pipeline->file);
    evs_put_text(out, ",", "state", evs_live_state_name(shot->state));
    evs_put_number(out, ",", "starts", (int64_t)shot->pipeline->starts);
    put_restore(out, &shot->notes);
    if (shot->is_live) {
        evs_put_number(out, ",", "uptime_us", shot->run.elapsed_us);
        evs_put_number(out, ",", "workers", shot->run.worker_count);
        evs_put_number(out, ",", "outbox_bytes", (int64_t)shot->run.outbox_bytes);
        put_checkpoints(out, gallery, shot);
        put_dead_letters(out, shot);
    }
    evs_put_key(out, ",", "nodes");
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
    evs_put_number(out, "{", "time_us", gallery.wall_us);
    evs_put_key(out, ",", "pipelines");
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
