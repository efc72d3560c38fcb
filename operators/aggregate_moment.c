/* When results come: the moments of evs_op_aggregate, worked off in order of time.
 *
 *                  close      lateness      final           on window close: every group at its end, then each late row that changes a
 *      ───[ window │───────────────────────│──► t           result; with a lateness once more at the end of it, final
 *      every:  │     │     │     │     │     │  ticks       emit every: changed groups at ticks and at the end, all groups at last
 *                                                           on change: by row (op_aggregate.c), all groups at last
 *
 * So whatever the emission, each group of a window has exactly one final row, the last. Between two moments held rows are counted that
 * are due before the second (aggregate_hold.h).
 *
 * Event time of a row: the moment - 1 µs, which for a window's only row is window_end - 1 µs; of a late row's revision the watermark that judged it. */
#include "aggregate_state.h"

/* --- which moment is next ---------------------------------------------------------------------------------------------------- */

/* The first tick after the clock. */
static int64_t next_tick(const struct aggregate *agg)
{
    int64_t every_us = agg->base.config->every_us;
    return agg->clock_us == EVS_TIME_MAX ? EVS_TIME_MAX
                                         : evs_time_plus(evs_floor_to(agg->clock_us, 0, every_us), every_us);
}

static bool has_changes(const struct aggregate *agg)
{
    for (uint32_t i = 0; i < agg->window_count; i++) {
        if (agg->windows[i]->changed_count > 0) {
            return true;
        }
    }
    return false;
}

/* Earlier moments go first; of one time, ticks before ends, and results before they are final. */
static void offer(struct agg_work *next, enum agg_moment moment, int64_t at_us, uint32_t window)
{
    if (next->moment == MOMENT_NONE || at_us < next->at_us) {
        *next = (struct agg_work){.moment = moment, .at_us = at_us, .window = window};
    }
}

static struct agg_work next_moment(const struct aggregate *agg)
{
    const struct evs_aggregate_config *config = agg->base.config;
    struct agg_work next = {.moment = MOMENT_NONE};
    if (config->emit == EVS_EMIT_EVERY && has_changes(agg)) {
        offer(&next, MOMENT_TICK, next_tick(agg), 0);
    }
    if (!evs_agg_is_windowed(agg) || agg->window_count == 0) {
        return next;
    }
    uint32_t open = config->lateness_us > 0 ? evs_agg_window_after(agg, evs_time_plus(agg->clock_us, 1)) : 0;
    if (config->lateness_us > 0 && config->emit != EVS_EMIT_ON_CHANGE && open < agg->window_count) {
        offer(&next, MOMENT_CLOSE, agg->windows[open]->span.end_us, open);
    }
    int64_t gone_us = evs_agg_gone_us(agg, &agg->windows[0]->span);
    if (next.moment == MOMENT_TICK && next.at_us == gone_us) {
        next.moment = MOMENT_NONE; /* the final rows of that window come at once; the others' tick follows */
    }
    offer(&next, MOMENT_FINAL, gone_us, 0);
    return next;
}

/* --- rows ---------------------------------------------------------------------------------------------------------------------- */

void evs_agg_emit_group(struct aggregate *agg, struct agg_out *out, struct agg_window *window, struct evs_entry *entry,
                        int64_t time_us, bool is_final, const struct agg_causing *causing)
{
    struct group_times *times = agg->has_times ? evs_group_times(agg, entry) : NULL;
    struct agg_result result = {
        .layout = &agg->layout,
        .entry = entry,
        .values = evs_entry_values(&agg->layout, entry),
        .span = window->span,
        .event_time_us = time_us,
        .cause = {(uint64_t)window->span.start_us, (uint64_t)window->span.end_us},
        .is_final = is_final,
    };
    if (causing != NULL) {
        result.causing = causing->batch;
        result.causing_row = causing->row;
    }
    if (!evs_agg_is_windowed(agg)) {
        result.cause =
            causing != NULL ? causing->batch->cause[causing->row] : (struct evs_cause){0, (uint64_t)agg->work.at_us};
    }
    if (times != NULL) {
        result.ordinal = times->revision;
        result.revision = times->revision;
    }
    if (evs_agg_out_put(out, &result) && times != NULL) {
        times->revision++;
    }
}

/* A changed group at a tick: nothing if its result is what was shown last. */
static void emit_changed(struct aggregate *agg, struct agg_out *out, struct agg_window *window, uint32_t index,
                         int64_t at_us)
{
    struct evs_entry *entry = evs_table_at(&window->table, index);
    struct group_times *times = evs_table_is_live(&window->table, index) ? evs_group_times(agg, entry) : NULL;
    if (times == NULL || times->is_changed == 0) {
        return;
    }
    evs_agg_mark(agg, window, entry, index, false);
    struct evs_arena scratch = {0};
    uint64_t shown = evs_agg_hash_results(&agg->base, evs_entry_values(&agg->layout, entry), &scratch);
    evs_arena_fini(&scratch);
    if (times->revision == 0 || shown != times->shown) {
        evs_agg_emit_group(agg, out, window, entry, at_us - 1, false, NULL);
    }
    times->shown = shown;
    times->is_changed = 0;
}

/* --- working off --------------------------------------------------------------------------------------------------------------- */

static bool has_credit(const struct agg_out *out)
{
    return out->emitted + 1 < EVS_AGG_EMIT_BATCHES;
}

/* True when all changed groups of the window are out. */
static bool emit_changes(struct aggregate *agg, struct agg_out *out, struct agg_window *window)
{
    struct agg_work *work = &agg->work;
    for (; work->entry < window->changed_count; work->entry++) {
        if (!has_credit(out)) {
            return false;
        }
        emit_changed(agg, out, window, window->changed[work->entry], work->at_us);
    }
    window->changed_count = 0;
    work->entry = 0;
    return true;
}

static bool tick(struct aggregate *agg, struct agg_out *out)
{
    for (; agg->work.window < agg->window_count; agg->work.window++) {
        if (!emit_changes(agg, out, agg->windows[agg->work.window])) {
            return false;
        }
    }
    return true;
}

/* True when all groups of the window are out. */
static bool emit_all(struct aggregate *agg, struct agg_out *out, struct agg_window *window, bool is_final)
{
    struct agg_work *work = &agg->work;
    for (; work->entry < window->table.used; work->entry++) {
        if (!has_credit(out)) {
            return false;
        }
        struct evs_entry *entry = evs_table_at(&window->table, work->entry);
        if (!is_final) {
            evs_agg_mark(agg, window, entry, work->entry, false);
        }
        evs_agg_emit_group(agg, out, window, entry, work->at_us - 1, is_final, NULL);
    }
    return true;
}

static bool finish(struct evs_op *op, struct aggregate *agg, struct agg_out *out)
{
    evs_agg_write_all(op, agg); /* before revisions go on */
    if (!emit_all(agg, out, agg->windows[0], true)) {
        return false;
    }
    evs_op_count(op, EVS_COUNT_STATE_KEYS, -(int64_t)agg->windows[0]->table.count);
    evs_agg_window_done(agg);
    return true;
}

/* True when the moment is over. */
static bool work_off(struct evs_op *op, struct aggregate *agg, struct agg_out *out)
{
    struct agg_work *work = &agg->work;
    bool is_done = false;
    switch (work->moment) {
    case MOMENT_NONE:
        EVS_ASSERT(!"no moment to work off");
        break;
    case MOMENT_TICK:
        is_done = tick(agg, out);
        break;
    case MOMENT_CLOSE:
        is_done = agg->base.config->emit == EVS_EMIT_EVERY ? emit_changes(agg, out, agg->windows[work->window])
                                                           : emit_all(agg, out, agg->windows[work->window], false);
        break;
    case MOMENT_FINAL:
        is_done = finish(op, agg, out);
    }
    return is_done;
}

/* Windows that close together are closed one by one, so the clock may come to a moment several times; it is past a close only when no window is
 * left that ends there. */
static void leave_moment(struct aggregate *agg)
{
    struct agg_work *work = &agg->work;
    bool is_last = true;
    if (work->moment == MOMENT_CLOSE) {
        is_last = work->window + 1 >= agg->window_count || agg->windows[work->window + 1]->span.end_us > work->at_us;
        if (!is_last) {
            work->window++;
            work->entry = 0;
            return;
        }
    }
    if (work->at_us > agg->clock_us && work->moment != MOMENT_FINAL) {
        agg->clock_us = work->at_us;
    }
    *work = (struct agg_work){.moment = MOMENT_NONE};
}

/* Groups whose time is over go silently; with ticks only at ticks, so that it does not show when the watermark came. */
static void expire(struct evs_op *op, struct aggregate *agg, int64_t until_us)
{
    const struct evs_aggregate_config *config = agg->base.config;
    uint32_t index;
    if (config->retain_us < 0) {
        return;
    }
    if (agg->restored) {
        evs_agg_arm_restored(agg);
    }
    bool has_ticks = config->emit == EVS_EMIT_EVERY && until_us != EVS_TIME_MAX && until_us != EVS_TIME_MIN;
    int64_t limit_us = has_ticks ? evs_floor_to(until_us, 0, config->every_us) : until_us;
    struct agg_window *window = agg->windows[0];
    while (evs_agg_next_expired(agg, limit_us, &index)) {
        if (evs_group_times(agg, evs_table_at(&window->table, index))->is_changed != 0) {
            evs_agg_arm(agg, index, evs_time_plus(limit_us, 1)); /* it is told first, at the next tick */
            continue;
        }
        evs_agg_remember_deleted(agg, evs_table_at(&window->table, index));
        evs_agg_forget(agg, window, index);
        evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
    }
}

/* Held rows come in batches between whose first and last row no moment can lie, for the rows that are counted bring moments with them. */
static int64_t held_limit(const struct aggregate *agg)
{
    const struct evs_aggregate_config *config = agg->base.config;
    const struct evs_window *window = &config->window;
    int64_t due_us = evs_agg_hold_next(&agg->hold);
    if (config->emit != EVS_EMIT_EVERY || window->kind == EVS_WINDOW_COLUMNS || due_us == EVS_TIME_MAX) {
        return evs_time_plus(due_us, 1);
    }
    int64_t limit_us = evs_floor_to(due_us, 0, config->every_us) + config->every_us;
    if (window->kind != EVS_WINDOW_NONE) {
        int64_t end_us = evs_window_pane_after(window, due_us);
        int64_t gone_us = evs_window_pane_after(window, due_us - config->lateness_us) + config->lateness_us;
        limit_us = end_us < limit_us ? end_us : limit_us;
        limit_us = gone_us < limit_us ? gone_us : limit_us;
    }
    return limit_us;
}

/* Held rows that are due before the next moment. `*any`: there were some. */
static evs_status count_held(struct evs_op *op, struct aggregate *agg, int64_t until_us, int64_t below_us, bool *any)
{
    *any = false;
    if (agg->released == NULL && agg->holds) {
        int64_t due_us = evs_agg_hold_next(&agg->hold), limit_us = held_limit(agg);
        agg->released = evs_agg_hold_release(op, &agg->hold, until_us, limit_us < below_us ? limit_us : below_us);
        agg->position = 0;
        if (agg->released != NULL) {
            agg->clock_us = due_us > agg->clock_us ? due_us : agg->clock_us;
            expire(op, agg, due_us);
        }
    }
    if (agg->released == NULL) {
        return EVS_OK;
    }
    evs_status status = evs_agg_count_rows(op, agg, agg->released, true);
    if (status == EVS_OK) {
        evs_batch_unref(agg->released);
        agg->released = NULL;
        *any = true;
    }
    return status;
}

/* One moment, or as much of it as there is credit for. */
static evs_status work_moment(struct evs_op *op, struct aggregate *agg, struct agg_out *out)
{
    bool is_over = work_off(op, agg, out);
    if (is_over) {
        leave_moment(agg);
    }
    return is_over && has_credit(out) ? EVS_OK : EVS_MORE;
}

evs_status evs_agg_advance(struct evs_op *op, struct aggregate *agg, int64_t until_us)
{
    struct agg_out out = evs_agg_out_begin(op, &agg->base);
    evs_status status = EVS_OK;
    while (status == EVS_OK) {
        if (agg->work.moment == MOMENT_NONE) {
            struct agg_work next = next_moment(agg);
            bool is_due = next.moment != MOMENT_NONE && next.at_us <= until_us;
            int64_t below_us = is_due ? next.at_us : EVS_TIME_MAX;
            bool any = false;
            if (agg->released != NULL || evs_agg_hold_next(&agg->hold) < below_us) {
                if (out.batch != NULL) { /* rows emit for themselves, and in order */
                    evs_agg_out_end(&out);
                    out.batch = NULL;
                }
                status = out.emitted > 0 ? EVS_MORE : count_held(op, agg, until_us, below_us, &any);
                if (any && agg->emitted > 0) {
                    status = EVS_MORE;
                }
            }
            if (any || status != EVS_OK) {
                continue;
            }
            if (!is_due) {
                break;
            }
            agg->work = next;
        }
        status = work_moment(op, agg, &out);
    }
    evs_agg_out_end(&out);
    if (status == EVS_OK) {
        expire(op, agg, until_us);
        agg->clock_us = until_us;
    }
    return status;
}
