#include "history.h"

#include "json.h"

static const char *const names[EVS_SERIES_COUNT] = {
#define EVS_SERIES_NAME(name) [EVS_SERIES_##name] = #name,
    EVS_SERIES(EVS_SERIES_NAME)
#undef EVS_SERIES_NAME
};

const char *evs_series_name(enum evs_series series)
{
    EVS_ASSERT(series < EVS_SERIES_COUNT);
    return names[series];
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Sources: the one that is furthest behind speaks for all. */
static void add_source(const struct gallery *gallery, const int64_t *figures, int64_t *values)
{
    int64_t newest_us = figures[EVS_FIGURE_INGESTED_US], watermark_us = figures[EVS_FIGURE_WATERMARK_US];
    values[EVS_SERIES_events] += figures[EVS_FIGURE_ROWS_IN];
    values[EVS_SERIES_lag_messages] += figures[EVS_FIGURE_LAG_MESSAGES];
    if (figures[EVS_FIGURE_CAUGHT_UP]) {
        values[EVS_SERIES_lag_us] = larger(values[EVS_SERIES_lag_us], 0);
    } else if (newest_us != EVS_TIME_MIN) {
        values[EVS_SERIES_lag_us] = larger(values[EVS_SERIES_lag_us], gallery->wall_us - newest_us);
    }
    if (watermark_us != EVS_TIME_MIN && watermark_us < EVS_TIME_CUT) {
        values[EVS_SERIES_delay_us] = larger(values[EVS_SERIES_delay_us], gallery->wall_us - watermark_us);
    }
}

void evs_live_moment_of(const struct gallery *gallery, const struct shot *shot, struct evs_live_moment *moment)
{
    int64_t *values = moment->values;
    *moment = (struct evs_live_moment){.time_us = gallery->wall_us};
    values[EVS_SERIES_lag_us] = values[EVS_SERIES_delay_us] = values[EVS_SERIES_checkpoint_us] = -1;
    if (!shot->is_live) {
        return;
    }
    values[EVS_SERIES_checkpoints] = (int64_t)shot->run.checkpoints.count;
    if (shot->run.checkpoints.finished_us != 0) {
        values[EVS_SERIES_checkpoint_us] = shot->run.checkpoints.duration_us;
    }
    for (uint32_t i = 0; i < shot->run.node_count; i++) {
        const struct evs_plan_node *node = shot->nodes[i].node;
        const int64_t *figures = shot->nodes[i].figures;
        if (node->kind == EVS_NODE_SOURCE) {
            add_source(gallery, figures, values);
        }
        if (evs_live_is_trigger_sink(shot->run.plan, i)) {
            values[EVS_SERIES_triggers] += figures[EVS_FIGURE_ROWS_OUT];
        }
        values[EVS_SERIES_late] += figures[EVS_FIGURE_LATE];
        values[EVS_SERIES_dead] += figures[EVS_FIGURE_DEAD];
        values[EVS_SERIES_state_keys] += figures[EVS_FIGURE_STATE_KEYS];
        values[EVS_SERIES_state_bytes] += figures[EVS_FIGURE_STATE_BYTES];
    }
}

void evs_history_put(struct evs_history *history, const struct evs_live_moment *moment)
{
    history->fine[history->count % EVS_HISTORY_FINE] = *moment;
    if (history->count % EVS_HISTORY_STEP == 0) {
        history->coarse[history->count / EVS_HISTORY_STEP % EVS_HISTORY_COARSE] = *moment;
    }
    history->count++;
}

/* --- as JSON ----------------------------------------------------------------------------------------------------------------- */

/* `count` moments were put into a ring of `room`: one member's numbers, the oldest first. Member 0 is the time. */
static void write_member(struct evs_buffer *out, const struct evs_live_moment *ring, uint64_t count, uint32_t room,
                         uint32_t member)
{
    evs_put_key(out, member == 0 ? "{" : ",", member == 0 ? "time_us" : names[member - 1]);
    evs_buffer_puts(out, "[");
    uint64_t begin = count > room ? count - room : 0;
    for (uint64_t i = begin; i < count; i++) {
        const struct evs_live_moment *moment = &ring[i % room];
        int64_t value = member == 0 ? moment->time_us : moment->values[member - 1];
        evs_buffer_printf(out, "%s%lld", i == begin ? "" : ",", (long long)value);
    }
    evs_buffer_puts(out, "]");
}

static void write_ring(struct evs_buffer *out, const struct evs_live_moment *ring, uint64_t count, uint32_t room)
{
    for (uint32_t member = 0; member <= EVS_SERIES_COUNT; member++) {
        write_member(out, ring, count, room, member);
    }
    evs_buffer_puts(out, "}");
}

void evs_history_write(const struct evs_history *history, struct evs_buffer *out)
{
    uint64_t coarse_count = (history->count + EVS_HISTORY_STEP - 1) / EVS_HISTORY_STEP;
    evs_put_key(out, "{", "fine");
    write_ring(out, history->fine, history->count, EVS_HISTORY_FINE);
    evs_put_key(out, ",", "coarse");
    write_ring(out, history->coarse, coarse_count, EVS_HISTORY_COARSE);
    evs_buffer_puts(out, "}");
}
