#include "triggers.h"

#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "sse.h"

#define ROWS_A_LOOK 10u           /* of one sink and worker; a look is a second */
#define SINKS_MAX 16u             /* of each group: other taps have room beside them */
#define ROW_BYTES_MAX (64u << 10) /* a larger row is shown without its contents */

bool evs_live_is_trigger_sink(const struct evs_plan *plan, uint32_t node)
{
    if (plan->nodes[node].kind != EVS_NODE_SINK || plan->nodes[node].sink->is_dead_letter) {
        return false;
    }
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        if (plan->edges[i].to == node && plan->edges[i].output == 0) {
            return true;
        }
    }
    return false;
}

/* --- a row as JSON ----------------------------------------------------------------------------------------------------------- */

static void put_cause(struct evs_buffer *out, const struct evs_tap_row *row)
{
    evs_put_key(out, ",", "cause");
    if (row->cause_kind == EVS_CAUSE_WINDOW) {
        evs_put_time(out, "{", "window_start_us", (int64_t)row->cause.major);
        evs_put_time(out, ",", "window_end_us", (int64_t)row->cause.minor);
        evs_put_number(out, ",", "firing", row->ordinal);
    } else {
        evs_put_number(out, "{", "partition", evs_cause_partition(row->cause));
        evs_put_number(out, ",", "sequence", (int64_t)evs_cause_sequence(row->cause));
        evs_put_number(out, ",", "index", (int64_t)(row->cause.minor & UINT32_MAX));
        evs_put_bool(out, ",", "stored", row->source_is_broker);
    }
    evs_buffer_puts(out, "}");
}

static void put_address(struct evs_buffer *out, struct evs_slice address)
{
    evs_put_key(out, ",", "address");
    evs_json_put_text(out, address);
}

void evs_put_tap_row(struct evs_buffer *out, const char *before, const struct evs_tap_row *row)
{
    evs_put_number(out, before, "time_us", row->wall_us);
    evs_put_time(out, ",", "event_time_us", row->event_time_us);
    evs_put_text(out, ",", "source", row->source);
    put_cause(out, row);
    if (row->has_id) {
        evs_buffer_printf(out, ",\"id\":\"%016" PRIx64 "%016" PRIx64 "\"", row->id.high, row->id.low);
    }
    if (row->address.count > 0) {
        put_address(out, row->address);
    }
    if (row->json.count > 0 && row->json.count <= ROW_BYTES_MAX) {
        evs_put_key(out, ",", "row");
        evs_buffer_put(out, row->json.data, row->json.count);
    }
}

/* --- taps ------------------------------------------------------------------------------------------------------------------------- */

static void open_tap(struct pipeline *pipeline, uint32_t group, uint32_t node)
{
    struct evs_tap_options options = {.node = node, .rows_max = ROWS_A_LOOK};
    struct evs_error error;
    struct evs_tap *tap;
    if (evs_run_tap_open(pipeline->runs[group], &options, &tap, &error) ==
        EVS_OK) { /* else others look: their rows come first */
        EVS_GROW(pipeline->taps, pipeline->tap_count, pipeline->tap_capacity);
        pipeline->taps[pipeline->tap_count++] = (struct trigger_tap){tap, node, group};
    }
}

static void open_taps(struct pipeline *pipeline, uint32_t group)
{
    struct evs_view_run view;
    evs_run_view(pipeline->runs[group], &view);
    if (view.is_standing_by) {
        return;
    }
    uint32_t most = pipeline->tap_count + SINKS_MAX;
    for (uint32_t i = 0; i < view.node_count && pipeline->tap_count < most; i++) {
        if (evs_live_is_trigger_sink(view.plan, i)) {
            open_tap(pipeline, group, i);
        }
    }
    pipeline->has_tapped[group] = true;
}

static void keep(struct evs_channel *channel, const struct pipeline *pipeline, uint32_t node,
                 const struct evs_tap_row *row)
{
    struct evs_kept_trigger *kept = &channel->triggers[channel->trigger_count++ % EVS_TRIGGERS_KEPT];
    struct evs_buffer data = {0};
    kept->number = channel->trigger_count;
    kept->node = node;
    kept->cause_kind = row->cause_kind;
    kept->cause = row->cause;
    kept->source = row->source;
    kept->row.count = kept->text.count = 0;
    evs_buffer_put(&kept->row, row->json.data, row->json.count);
    evs_put_number(&data, "{", "number", (int64_t)kept->number);
    evs_put_text(&data, ",", "sink", pipeline->plan->nodes[node].name);
    evs_put_number(&data, ",", "node", node);
    evs_put_tap_row(&data, ",", row);
    evs_buffer_puts(&data, "}");
    evs_sse_put(&kept->text, "trigger", (struct evs_slice){data.data, data.count});
    evs_buffer_fini(&data);
}

void evs_triggers_take(struct pipeline *pipeline, struct evs_channel *channel)
{
    for (uint32_t group = 0; group < pipeline->group_count; group++) {
        if (pipeline->runs[group] != NULL && !pipeline->has_tapped[group]) {
            open_taps(pipeline, group);
        }
    }
    for (uint32_t i = 0; i < pipeline->tap_count; i++) {
        const struct evs_tap_row *rows;
        uint32_t count = evs_tap_take(pipeline->taps[i].tap, &rows);
        for (uint32_t j = 0; j < count; j++) {
            keep(channel, pipeline, pipeline->taps[i].node, &rows[j]);
        }
    }
}

void evs_triggers_close(struct pipeline *pipeline, uint32_t group)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < pipeline->tap_count; i++) {
        if (pipeline->taps[i].group == group) {
            evs_tap_close(pipeline->taps[i].tap);
        } else {
            pipeline->taps[kept++] = pipeline->taps[i];
        }
    }
    pipeline->tap_count = kept;
    pipeline->has_tapped[group] = false;
}
