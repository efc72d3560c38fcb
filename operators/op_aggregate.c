/* aggregate … group by: whole windows, and groups without a window.
 *
 * Algorithm. A row belongs to the windows that hold its event time (one without an end when there is none; one of a tumble) and, in each, to the
 * group of its key. Each open window has a table of groups; a group's entry holds its key and one accumulator for each aggregate. A batch is
 * worked off in passes, so that cache misses overlap and each pass has one kind of work:
 *
 *      windows and lateness ─► hash keys ─► prefetch slots ─► prefetch entries ─► find or add ─► one loop for each aggregate
 *
 * When results come is aggregate_moment.c's: when the watermark reaches a window's end, its groups are emitted, the window that ends first before others,
 * and the table is emptied and kept for the next window. No timer and no allocation a group. The emission is resumed where it was when the output
 * credit is used up.
 *
 * Lateness. A row is late for a window when max(its partition's watermark before it, the operator's) has reached the window's end and `allow lateness`.
 * When a batch has no row behind its partition's watermark and none below the operator's, no row can be late, and nothing is compared row by row. A row that is
 * late for all its windows is counted and goes to output 1 when the pipeline says `late into`; one that is late for some is counted in the others.
 *
 * Update streams (emit every, on change, allow lateness) count row by row where a row may give a result at once, and hold rows back that must not
 * count yet (aggregate_hold.h). Their groups have a revision, 0, 1, 2, …. A hop costs a group update for each window here; hop and cumulate that emit
 * once are op_slide.c's.
 *
 * Unwindowed groups are an update stream without an end: `retain` drops a group when the watermark reaches its latest row's time + retain; whether a row
 * still meets its group is judged by the watermark before that row (with ticks: by the tick before it), not by when the timer happened to fire. Deadlines are in
 * a heap with one item a group, armed again when it comes up early.
 *
 * Event time and cause of a result: a window's is its end - 1 µs, caused by (start, end); a row's is that row's.
 * Memory: entries of 16 bytes + 8 or 16 a key column + 24 of an update stream + 8 to 48 an aggregate, 8 to 16 bytes of directory; long text in the
 * window's arena.
 * Order: results of one window are in the order in which groups began. first, last and any_value go by the order of the key, so that the order of
 * arrival does not show; sums of float64 are compensated.
 * Failure: a sum that does not fit its type, or values beyond what a group may keep, take the group to the dead letter (with its keys and window, or
 * with the causing row where there is one).
 * Recovery: aggregate_snapshot.c. Rejected: timers a window (a scan is cheaper), malloc a group (five times slower), one table keyed by (window, key)
 * (closing a window would be a search). */
#include "op_aggregate.h"

#include "aggregate_state.h"
#include "evstream/keys.h"
#include "evstream/trace.h"

/* --- opening --------------------------------------------------------------------------------------------------------------------------- */

const struct evs_operator *evs_aggregate_operator(enum evs_window_kind window, enum evs_emit_kind emit,
                                                  int64_t lateness_us)
{
    if (window == EVS_WINDOW_SESSION) {
        return &evs_op_session;
    }
    bool is_slide = window == EVS_WINDOW_HOP || window == EVS_WINDOW_CUMULATE;
    return is_slide && emit == EVS_EMIT_ON_CLOSE && lateness_us == 0 ? &evs_op_slide : &evs_op_aggregate;
}

static evs_status aggregate_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct aggregate *agg = state;
    const struct evs_aggregate_config *config = evs_op_config(op);
    (void)error;
    agg->has_times = evs_aggregate_is_update(config);
    uint32_t lead = agg->has_times ? (uint32_t)sizeof(struct group_times) : 0;
    evs_agg_base_init(&agg->base, op, lead);
    evs_agg_layout_init(&agg->layout, op, lead + agg->base.values_bytes);
    agg->holds = config->emit == EVS_EMIT_EVERY || (config->emit == EVS_EMIT_ON_CLOSE && config->lateness_us > 0);
    if (agg->holds) {
        evs_agg_hold_init(&agg->hold, op, false);
    }
    if (!evs_agg_is_windowed(agg)) {
        evs_agg_window(agg, (struct evs_span){EVS_TIME_MIN, EVS_TIME_MAX});
    }
    agg->clock_us = EVS_TIME_MIN;
    return EVS_OK;
}

static void window_free(struct agg_window *window)
{
    evs_table_fini(&window->table);
    evs_free(window->dirty.indices);
    evs_free(window->frozen.indices);
    evs_free(window->changed);
    evs_free(window);
}

static void aggregate_close(struct evs_op *op, void *state)
{
    struct aggregate *agg = state;
    (void)op;
    for (uint32_t i = 0; i < agg->window_count; i++) {
        window_free(agg->windows[i]);
    }
    while (agg->free_windows != NULL) {
        struct agg_window *window = agg->free_windows;
        agg->free_windows = window->next_free;
        window_free(window);
    }
    if (agg->released != NULL) {
        evs_batch_unref(agg->released);
    }
    if (agg->holds) {
        evs_agg_hold_fini(&agg->hold);
    }
    evs_free(agg->windows);
    evs_free(agg->deadlines);
    evs_agg_base_fini(&agg->base);
    evs_agg_deleted_fini(&agg->deleted);
    evs_agg_record_fini(&agg->writing.record);
}

/* --- groups ------------------------------------------------------------------------------------------------------------------------------ */

/* Counts the pairs of rows and windows that have been gathered. */
static void count_pairs(struct evs_op *op, struct aggregate *agg, const struct evs_batch *batch)
{
    uint32_t count = agg->pair_count, added = 0;
    for (uint32_t i = 0; i < count; i++) {
        evs_table_prefetch_slot(&agg->row_windows[i]->table, agg->pair_hashes[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        evs_table_prefetch_entry(&agg->row_windows[i]->table, agg->pair_hashes[i]);
    }
    bool has_ticks = agg->base.config->emit == EVS_EMIT_EVERY;
    for (uint32_t i = 0; i < count; i++) {
        struct agg_window *window = agg->row_windows[i];
        uint32_t index;
        bool is_new;
        struct evs_entry *entry = evs_table_find_or_add(&window->table, agg->pair_hashes[i], batch, agg->rows[i],
                                                        agg->base.config->keys, &index, &is_new);
        added += is_new;
        agg->values[i] = evs_entry_values(&agg->layout, entry);
        agg->tables[i] = &window->table;
        evs_agg_mark(agg, window, entry, index, is_new);
        if (has_ticks) {
            evs_agg_change(agg, window, entry, index);
        }
    }
    evs_op_count(op, EVS_COUNT_STATE_KEYS, added);
    struct agg_rows rows = {
        .batch = batch, .rows = agg->rows, .values = agg->values, .tables = agg->tables, .count = count};
    evs_agg_update_calls(&agg->base, &rows, &agg->some);
    agg->pair_count = 0;
}

static void add_pair(struct evs_op *op, struct aggregate *agg, const struct evs_batch *batch, uint32_t row,
                     uint64_t hash, struct agg_window *window)
{
    uint32_t at = agg->pair_count++;
    agg->rows[at] = (uint16_t)row;
    agg->pair_hashes[at] = hash;
    agg->row_windows[at] = window;
    if (agg->pair_count == EVS_BATCH_ROWS) {
        count_pairs(op, agg, batch);
    }
}

static void add_late(struct aggregate *agg, uint32_t row, int64_t watermark_us, struct evs_span span)
{
    agg->late[agg->late_count++] = (struct agg_late){(uint16_t)row, watermark_us, span};
}

/* --- one final row a window: the path of most rows ------------------------------------------------------------------------------------------ */

/* The window of a row; false: its columns have none. */
static bool row_span(const struct aggregate *agg, const struct evs_batch *batch, uint32_t row, struct evs_span *span)
{
    const struct evs_window *window = &agg->base.config->window;
    if (window->kind == EVS_WINDOW_TUMBLE) {
        *span = evs_window_tumble(window, batch->event_time_us[row]);
        return true;
    }
    EVS_ASSERT(window->kind == EVS_WINDOW_COLUMNS);
    const struct evs_column *start = &batch->columns[window->start_column], *end = &batch->columns[window->end_column];
    if (!evs_column_is_valid(start, row) || !evs_column_is_valid(end, row)) {
        return false;
    }
    *span = (struct evs_span){*EVS_COLUMN_AT(start, int64_t, row), *EVS_COLUMN_AT(end, int64_t, row)};
    return true;
}

static bool is_in_last(const struct aggregate *agg, int64_t time_us)
{
    const struct agg_window *last = agg->last_window;
    return agg->base.config->window.kind == EVS_WINDOW_TUMBLE && last != NULL && time_us >= last->span.start_us &&
           time_us < last->span.end_us;
}

static void count_once(struct evs_op *op, struct aggregate *agg, const struct evs_batch *batch)
{
    bool judge = batch->watermark_us != NULL || batch->min_time_us < evs_op_watermark(op) ||
                 agg->base.config->window.kind == EVS_WINDOW_COLUMNS;
    EVS_FOR_ROWS(batch, position, row) {
        struct evs_span span;
        bool is_known = is_in_last(agg, batch->event_time_us[row]);
        if (is_known) {
            span = agg->last_window->span;
        } else if (!row_span(agg, batch, row, &span)) {
            evs_op_count(op, EVS_COUNT_NULL_KEY, 1);
            continue;
        }
        if (judge) {
            int64_t watermark_us = evs_row_watermark(op, batch, row);
            if (watermark_us >= span.end_us) {
                add_late(agg, row, watermark_us, span);
                continue;
            }
        }
        if (!is_known) {
            agg->last_window = evs_agg_window(agg, span);
        }
        add_pair(op, agg, batch, row, agg->hashes[position], agg->last_window);
    }
}

/* --- update streams ------------------------------------------------------------------------------------------------------------------------- */

/* A row and what it is judged by. */
struct judged_row {
    const struct evs_batch *batch;
    uint32_t row;
    uint64_t hash;
    int64_t time_us, watermark_us;
};

static bool first_span(const struct aggregate *agg, const struct judged_row *row, struct evs_span *span)
{
    const struct evs_window *window = &agg->base.config->window;
    switch (window->kind) {
    case EVS_WINDOW_NONE:
        *span = agg->windows[0]->span;
        return true;
    case EVS_WINDOW_COLUMNS:
        return row_span(agg, row->batch, row->row, span);
    default:
        return evs_window_last(window, row->time_us, span);
    }
}

static bool next_span(const struct aggregate *agg, const struct judged_row *row, struct evs_span *span)
{
    return evs_window_before(&agg->base.config->window, row->time_us, span);
}

static bool is_late(const struct aggregate *agg, const struct judged_row *row, const struct evs_span *span)
{
    return evs_agg_is_windowed(agg) && row->watermark_us >= evs_agg_gone_us(agg, span);
}

/* Is there a moment after the clock that must not count the row, and comes before it counts? */
static bool must_wait(const struct aggregate *agg, const struct judged_row *row, const struct evs_span *span)
{
    const struct evs_aggregate_config *config = agg->base.config;
    int64_t due_us = row->time_us > row->watermark_us ? row->time_us : row->watermark_us;
    bool has_tick = config->emit == EVS_EMIT_EVERY && evs_floor_to(due_us, 0, config->every_us) > agg->clock_us;
    bool is_closed = span->end_us <= row->watermark_us; /* late rows are told one by one, in their order */
    return has_tick || (is_closed && row->watermark_us > agg->clock_us);
}

/* False: the row has gone to the held ones, or to the late ones, or nowhere. */
static bool admit(struct evs_op *op, struct aggregate *agg, const struct judged_row *row, bool is_released)
{
    struct evs_span span, youngest;
    bool waits = false, counts = false;
    uint32_t missed = 0;
    if (!first_span(agg, row, &youngest)) {
        evs_op_count(op, EVS_COUNT_NULL_KEY, !is_released);
        return false;
    }
    span = youngest;
    do {
        bool late = is_late(agg, row, &span);
        missed += late;
        counts = counts || !late;
        waits = waits || (!late && must_wait(agg, row, &span));
    } while (next_span(agg, row, &span));
    if (!counts) {
        add_late(agg, row->row, row->watermark_us, youngest);
        return false;
    }
    if (agg->holds && waits && !is_released) {
        int64_t due_us = row->time_us > row->watermark_us ? row->time_us : row->watermark_us;
        evs_agg_hold_row(&agg->hold, row->batch, row->row, row->hash, due_us, row->watermark_us);
        return false;
    }
    evs_op_count(op, EVS_COUNT_LATE_WINDOWS, missed);
    return true;
}

/* The group of a row; an unwindowed one whose time was over begins anew. */
static struct evs_entry *live_group(struct evs_op *op, struct aggregate *agg, const struct judged_row *row,
                                    struct agg_window *window, bool *is_new)
{
    uint32_t index;
    struct evs_entry *entry =
        evs_table_find_or_add(&window->table, row->hash, row->batch, row->row, agg->base.config->keys, &index, is_new);
    struct group_times *times = evs_group_times(agg, entry);
    int64_t retain_us = agg->base.config->retain_us;
    if (*is_new) {
        evs_op_count(op, EVS_COUNT_STATE_KEYS, 1);
        times->latest_us = row->time_us;
        if (retain_us >= 0) {
            evs_agg_arm(agg, index, times->latest_us + retain_us);
        }
    } else if (retain_us >= 0 && times->latest_us + retain_us <= row->watermark_us &&
               agg->base.config->emit == EVS_EMIT_ON_CHANGE) {
        evs_agg_remember_deleted(agg, entry);
        evs_agg_reset(agg, window, entry);
        times->latest_us = row->time_us;
        *is_new = true;
    }
    evs_agg_mark(agg, window, entry, index, *is_new);
    times->latest_us = row->time_us > times->latest_us ? row->time_us : times->latest_us;
    return entry;
}

/* Counts one row in one window at once, and emits the result if it has changed. */
static void count_one(struct evs_op *op, struct aggregate *agg, const struct judged_row *row, struct agg_window *window,
                      struct agg_out *out)
{
    bool is_new;
    struct evs_entry *entry = live_group(op, agg, row, window, &is_new);
    uint16_t rows[1] = {(uint16_t)row->row};
    uint8_t *values[1] = {evs_entry_values(&agg->layout, entry)};
    struct evs_table *tables[1] = {&window->table};
    struct agg_rows one = {.batch = row->batch, .rows = rows, .values = values, .tables = tables, .count = 1};
    if (evs_agg_update_one(&agg->base, &one, &agg->some) || is_new) {
        bool is_change = agg->base.config->emit == EVS_EMIT_ON_CHANGE;
        struct agg_causing causing = {row->batch, row->row};
        evs_agg_emit_group(agg, out, window, entry, is_change ? row->time_us : row->watermark_us, false, &causing);
    }
}

/* Without a window and with ticks, groups remember their latest row. */
static void touch_group(struct evs_op *op, struct aggregate *agg, const struct judged_row *row)
{
    bool is_new;
    if (!evs_agg_is_windowed(agg)) {
        live_group(op, agg, row, agg->windows[0], &is_new);
    }
}

static void count_row(struct evs_op *op, struct aggregate *agg, const struct judged_row *row, struct agg_out *out)
{
    const struct evs_aggregate_config *config = agg->base.config;
    struct evs_span span;
    for (bool in = first_span(agg, row, &span); in; in = next_span(agg, row, &span)) {
        if (is_late(agg, row, &span)) {
            continue;
        }
        struct agg_window *window = evs_agg_is_windowed(agg) ? evs_agg_window(agg, span) : agg->windows[0];
        bool was_shown = config->emit == EVS_EMIT_ON_CLOSE && span.end_us <= agg->clock_us;
        if (config->emit == EVS_EMIT_ON_CHANGE || was_shown) {
            if (agg->pair_count > 0) {
                count_pairs(op, agg, row->batch);
            }
            count_one(op, agg, row, window, out);
        } else {
            touch_group(op, agg, row);
            add_pair(op, agg, row->batch, row->row, row->hash, window);
        }
    }
}

/* A row gives at most EVS_AGG_SPANS_MAX results, which is less than a batch; late rows are one more batch. */
static bool has_credit(const struct agg_out *out)
{
    _Static_assert(EVS_AGG_SPANS_MAX < EVS_BATCH_ROWS, "a row's results fill at most one batch more");
    return out->emitted + 3 <= EVS_AGG_EMIT_BATCHES;
}

static evs_status count_updates(struct evs_op *op, struct aggregate *agg, struct evs_batch *batch, bool is_released)
{
    struct agg_out out = evs_agg_out_begin(op, &agg->base);
    evs_status status = EVS_OK;
    for (; status == EVS_OK && agg->position < batch->selected_count; agg->position++) {
        uint32_t at = batch->selection != NULL ? batch->selection[agg->position] : agg->position;
        struct judged_row row = {.batch = batch,
                                 .row = at,
                                 .hash = agg->hashes[agg->position],
                                 .time_us = batch->event_time_us[at],
                                 .watermark_us = evs_row_watermark(op, batch, at)};
        if (!has_credit(&out)) {
            status = EVS_MORE;
            break;
        }
        if (admit(op, agg, &row, is_released)) {
            count_row(op, agg, &row, &out);
        }
    }
    evs_agg_out_end(&out);
    agg->emitted = out.emitted;
    return status;
}

evs_status evs_agg_count_rows(struct evs_op *op, struct aggregate *agg, struct evs_batch *batch, bool is_released)
{
    const struct evs_aggregate_config *config = agg->base.config;
    evs_status status = EVS_OK;
    EVS_ASSERT(agg->pair_count == 0 && agg->late_count == 0);
    evs_key_hash_rows(batch, config->keys, config->key_count, agg->hashes);
    if (EVS_UNLIKELY(batch->traces != NULL)) {
        evs_op_trace_keys(op, batch, config->keys, config->key_count);
    }
    if (evs_aggregate_is_update(config)) {
        status = count_updates(op, agg, batch, is_released);
    } else {
        count_once(op, agg, batch);
    }
    count_pairs(op, agg, batch);
    if (agg->late_count > 0) {
        evs_agg_emit_late(op, batch, agg->late, agg->late_count);
        agg->late_count = 0;
        agg->emitted++;
    }
    return status;
}

/* --- the operator ------------------------------------------------------------------------------------------------------------------------------ */

static void tell_state(struct evs_op *op, struct aggregate *agg)
{
    int64_t bytes = (int64_t)agg->hold.pool.used_bytes;
    for (uint32_t i = 0; i < agg->window_count; i++) {
        bytes += (int64_t)evs_table_bytes(&agg->windows[i]->table);
    }
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - agg->told_bytes);
    agg->told_bytes = bytes;
    int64_t windows = evs_agg_is_windowed(agg) ? agg->window_count : 0;
    evs_op_count(op, EVS_COUNT_OPEN_WINDOWS, windows - agg->told_windows);
    agg->told_windows = windows;
}

static evs_status aggregate_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct aggregate *agg = state;
    EVS_ASSERT(input == 0 && batch->selected_count <= EVS_BATCH_ROWS);
    agg->clock_us = evs_op_watermark(op); /* a restored operator has not advanced to it */
    if (agg->restored) {
        evs_agg_arm_restored(agg);
    }
    evs_status status = evs_agg_count_rows(op, agg, batch, false);
    if (status == EVS_OK) {
        agg->position = 0;
        for (uint32_t i = 0; i < agg->window_count;
             i++) { /* texts that were replaced: last(url) of a day would fill the memory */
            evs_agg_compact(agg, agg->windows[i]);
        }
        tell_state(op, agg);
    }
    return status;
}

static evs_status aggregate_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct aggregate *agg = state;
    if (agg->clock_us < evs_op_watermark(op)) {
        agg->clock_us = evs_op_watermark(op);
    }
    if (agg->restored) {
        evs_agg_arm_restored(agg);
    }
    evs_status status = evs_agg_advance(op, agg, watermark_us);
    if (status == EVS_OK) {
        agg->position = 0;
        for (uint32_t i = 0; i < agg->window_count; i++) {
            evs_agg_compact(agg, agg->windows[i]);
        }
        tell_state(op, agg);
    }
    return status;
}

const struct evs_operator evs_op_aggregate = {
    .kind = "aggregate",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_HOLDS_WATERMARK,
    .snapshot_version = EVS_AGG_SNAPSHOT_VERSION,
    .stored_rows = 1 << EVS_AGG_SECTION_HELD_ROWS,
    .state_bytes = sizeof(struct aggregate),
    .inputs_max = 1,
    .emit_max = EVS_AGG_EMIT_BATCHES,
    .stored_key = EVS_AGG_STORED_KEY,
    .open = aggregate_open,
    .process = aggregate_process,
    .watermark = aggregate_watermark,
    .snapshot = evs_agg_snapshot,
    .freeze = evs_agg_freeze,
    .write = evs_agg_write,
    .restore = evs_agg_restore,
    .close = aggregate_close,
};
