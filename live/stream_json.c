/* What the stream tells of one pipeline (stream.h): all of it, or what has changed since the last tick. */
#include <string.h>

#include "json.h"
#include "stream.h"

/* --- taking -------------------------------------------------------------------------------------------------------------- */

static void take_reasons(struct evs_buffer *out, const struct shot *shot)
{
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < shot->reason_count; i++) {
        evs_put_text(out, i == 0 ? "{" : ",{", "source", shot->reasons[i].source);
        evs_put_text(out, ",", "reason", shot->reasons[i].reason);
        evs_put_number(out, ",", "count", (int64_t)shot->reasons[i].count);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, "]");
}

/* How much there is, is a guess: it is never told to be done. */
static int64_t restored_percent(const struct evs_view_notes *notes)
{
    return notes->restore_bytes_about == 0 ? 0 : (int64_t)(notes->restore_bytes * 99 / notes->restore_bytes_about);
}

static void take_checkpoints(struct evs_channel *now, const struct evs_run *const *runs, uint32_t run_count)
{
    now->checkpoint_count = evs_runs_view_checkpoints(runs, run_count, now->checkpoints);
    for (uint32_t i = 0; i < now->checkpoint_count; i++) {
        const struct evs_view_checkpoint *checkpoint = &now->checkpoints[i];
        uint64_t *newest = &now->newest_checkpoints[checkpoint->group_index % EVS_GROUPS_MAX];
        *newest = checkpoint->number > *newest ? checkpoint->number : *newest;
    }
}

/* Of each group what it does here and, where another engine runs it, on which machine; of a pipeline that is not divided an entry without a name. */
static void take_groups(struct evs_buffer *out, const struct pipeline *pipeline, int64_t monotonic_us)
{
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < pipeline->group_count; i++) {
        char holder[EVS_VIEW_HOLDER_BYTES] = "";
        struct evs_view_run run = {0};
        enum pipeline_state state = evs_live_group_state(pipeline, i, monotonic_us, &run);
        if (run.is_standing_by) {
            evs_run_view_holder(pipeline->runs[i], holder);
        }
        evs_put_text(out, i == 0 ? "{" : ",{", "state", evs_live_state_name(state));
        evs_put_text(out, ",", "name", run.group);
        evs_put_text(out, ",", "holder", holder);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, "]");
}

void evs_channel_look(struct evs_channel *now, const struct gallery *gallery, const struct shot *shot)
{
    const struct evs_plan *plan = shot->pipeline->plan;
    const struct evs_run *runs[EVS_GROUPS_MAX];
    uint32_t run_count = evs_live_runs(shot->pipeline, runs);
    now->is_seen = true;
    now->state = shot->state;
    now->restored_percent = shot->state == PIPELINE_RESTORING ? restored_percent(&shot->notes) : -1;
    now->starts = shot->pipeline->starts;
    now->is_live = shot->is_live;
    now->run = shot->run;
    now->clock_offset_us = gallery->wall_us - gallery->monotonic_us;
    evs_live_moment_of(gallery, shot, &now->moment);
    now->nodes = evs_alloc_zero((plan->node_count + 1u) * sizeof *now->nodes);
    now->edges = evs_alloc_zero((plan->edge_count + 1u) * sizeof *now->edges);
    for (uint32_t i = 0; i < plan->node_count; i++) {
        now->nodes[i] = shot->is_live ? shot->nodes[i] : (struct evs_view_node){.node = &plan->nodes[i]};
    }
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        for (uint32_t k = 0; k < run_count; k++) {
            now->edges[i] += evs_run_view_edge(runs[k], i);
        }
    }
    take_checkpoints(now, runs, run_count);
    take_reasons(&now->reasons, shot);
    take_groups(&now->groups, shot->pipeline, gallery->monotonic_us);
}

void evs_channel_fini(struct evs_channel *channel)
{
    evs_free(channel->nodes);
    evs_free(channel->edges);
    evs_buffer_fini(&channel->reasons);
    evs_buffer_fini(&channel->groups);
}

/* --- telling -------------------------------------------------------------------------------------------------------------- */

static const char *next(const char *before, uint32_t count)
{
    return count == 0 ? before : ",";
}

uint32_t evs_channel_put_short(struct evs_buffer *out, const char *before, const struct evs_channel *now,
                               const struct evs_channel *then)
{
    uint32_t count = 0;
    if (then == NULL || then->state != now->state) {
        evs_put_text(out, next(before, count++), "state", evs_live_state_name(now->state));
    }
    if (then == NULL || then->restored_percent != now->restored_percent) {
        evs_put_number(out, next(before, count++), "restored", now->restored_percent);
    }
    if (then == NULL || then->starts != now->starts) {
        evs_put_number(out, next(before, count++), "starts", (int64_t)now->starts);
    }
    for (enum evs_series series = 0; series < EVS_SERIES_COUNT; series++) {
        int64_t value = now->moment.values[series];
        if (then == NULL || then->moment.values[series] != value) {
            evs_put_number(out, next(before, count++), evs_series_name(series), value);
        }
    }
    return count;
}

static void put_nodes(struct evs_buffer *out, const struct evs_plan *plan, const struct evs_channel *now,
                      const struct evs_channel *then)
{
    uint32_t count = 0;
    evs_put_key(out, ",", "nodes");
    evs_buffer_puts(out, "{");
    for (uint32_t i = 0; i < plan->node_count; i++) {
        size_t mark = out->count;
        evs_buffer_printf(out, "%s\"%u\":{", next("", count), i);
        if (evs_put_figures(out, "", &now->nodes[i], then == NULL ? NULL : then->nodes[i].figures) > 0) {
            evs_buffer_puts(out, "}");
            count++;
        } else {
            out->count = mark;
        }
    }
    evs_buffer_puts(out, "}");
}

static void put_edges(struct evs_buffer *out, const struct evs_plan *plan, const struct evs_channel *now,
                      const struct evs_channel *then)
{
    uint32_t count = 0;
    evs_put_key(out, ",", "edges");
    evs_buffer_puts(out, "{");
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        if (then == NULL || then->edges[i] != now->edges[i]) {
            evs_buffer_printf(out, "%s\"%u\":%llu", next("", count++), i, (unsigned long long)now->edges[i]);
        }
    }
    evs_buffer_puts(out, "}");
}

static bool is_known(const struct evs_channel *then, const struct evs_view_checkpoint *checkpoint)
{
    return then != NULL && checkpoint->number <= then->newest_checkpoints[checkpoint->group_index % EVS_GROUPS_MAX];
}

static void put_checkpoints(struct evs_buffer *out, const struct evs_channel *now, const struct evs_channel *then)
{
    uint32_t count = 0;
    evs_put_key(out, ",", "checkpoints");
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < now->checkpoint_count; i++) {
        const struct evs_view_checkpoint *checkpoint = &now->checkpoints[i];
        if (is_known(then, checkpoint)) {
            continue;
        }
        evs_put_number(out, count++ == 0 ? "{" : ",{", "number", (int64_t)checkpoint->number);
        if (checkpoint->group[0] != '\0') {
            evs_put_text(out, ",", "group", checkpoint->group);
        }
        evs_put_number(out, ",", "time_us", checkpoint->finished_us + now->clock_offset_us);
        evs_put_number(out, ",", "duration_us", checkpoint->duration_us);
        evs_put_number(out, ",", "align_us", checkpoint->align_us);
        evs_put_number(out, ",", "bytes", (int64_t)checkpoint->bytes);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, "]");
}

static bool is_same_text(const struct evs_buffer *a, const struct evs_buffer *b)
{
    return a->count == b->count && memcmp(a->data, b->data, a->count) == 0;
}

void evs_channel_put_figures(struct evs_buffer *out, const struct evs_plan *plan, const struct evs_channel *now,
                             const struct evs_channel *then)
{
    put_nodes(out, plan, now, then);
    put_edges(out, plan, now, then);
    put_checkpoints(out, now, then);
    if (then == NULL || !is_same_text(&then->reasons, &now->reasons)) {
        evs_put_key(out, ",", "reasons");
        evs_buffer_put(out, now->reasons.data, now->reasons.count);
    }
    if (then == NULL || !is_same_text(&then->groups, &now->groups)) {
        evs_put_key(out, ",", "groups");
        evs_buffer_put(out, now->groups.data, now->groups.count);
    }
    if (now->is_live) {
        evs_put_number(out, ",", "uptime_us", now->run.elapsed_us);
        evs_put_number(out, ",", "outbox_bytes", (int64_t)now->run.outbox_bytes);
    }
    if (now->is_live && then == NULL) {
        evs_put_number(out, ",", "workers", now->run.worker_count);
        evs_put_text(out, ",", "durability", now->run.durability);
    }
}
