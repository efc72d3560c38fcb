/* aggregate … group by: tumbling windows and unwindowed groups.
 *
 * Algorithm. A row belongs to the window [start, start + size) of its event time (one window without an end when there is no window) and, in it,
 * to the group of its key. Each open window has a table of groups; a group's entry holds its key and one accumulator for each aggregate. A batch is
 * worked off in passes, so that cache misses overlap and each pass has one kind of work:
 *
 *      windows and lateness ─► hash keys ─► prefetch slots ─► prefetch entries ─► find or add ─► one loop for each aggregate
 *
 * When the watermark reaches a window's end, its groups are emitted, oldest window first, and the table is emptied and kept for the next window.
 * No timer and no allocation a group. The emission is resumed where it was when the output credit is used up.
 *
 * Lateness. A row is late when max(its partition's watermark before it, the operator's) has reached its window's end. When a batch has no row behind
 * its partition's watermark and none below the operator's, no row can be late, and nothing is compared row by row. Late rows are counted and go to
 * output 1 when the pipeline says `late into`.
 *
 * Unwindowed groups are an update stream: each row that changes its group's result emits the result, with _revision 0, 1, 2, …. `retain` drops a group
 * when the watermark reaches its latest row's time + retain; whether a row still meets its group is judged by the watermark before that row, not by when
 * the timer happened to fire. Deadlines are in a heap with one item a group, armed again when it comes up early.
 *
 * Event time and cause of a result: a window's is its end - 1 µs, caused by (start, end); an unwindowed one has its causing row's.
 * Memory: entries of 16 bytes + 8 or 16 a key column + 8 to 48 an aggregate, 8 to 16 bytes of directory; long text in the window's arena.
 * Order: results of one window are in the order in which groups began. first, last and any_value go by the order of the key, so that the order of
 * arrival does not show; sums of float64 are compensated.
 * Failure: a sum that does not fit its type, or values beyond what a group may keep, take the group to the dead letter (windowed: with its keys; unwindowed: with the causing row).
 * Recovery: aggregate_snapshot.c. Rejected: timers a window (a scan is cheaper), malloc a group (five times slower), one table keyed by (window, key)
 * (closing a window would be a search). */
#include "op_aggregate.h"

#include "aggregate_state.h"
#include "evstream/keys.h"

#define EMIT_BATCHES 4

/* --- opening --------------------------------------------------------------------------------------------------------------------------- */

static void layout_init(struct aggregate *agg, const struct evs_schema *input)
{
    const struct evs_aggregate_config *config = agg->config;
    enum evs_kind kinds[EVS_KEYS_MAX];
    EVS_ASSERT(config->key_count <= EVS_KEYS_MAX);
    for (uint32_t i = 0; i < config->key_count; i++) {
        EVS_ASSERT(config->keys[i] < input->count);
        kinds[i] = input->fields[config->keys[i]].type->kind;
    }
    uint32_t bytes = config->window == EVS_WINDOW_NONE ? (uint32_t)sizeof(struct group_times) : 0;
    agg->calls = evs_alloc_zero((config->call_count + 1u) * sizeof *agg->calls);
    for (uint32_t i = 0; i < config->call_count; i++) {
        agg->calls[i] = evs_agg_call(&config->calls[i], bytes);
        bytes += agg->calls[i].bytes;
    }
    evs_table_layout_init(&agg->layout, kinds, config->key_count, bytes);
}

static evs_status aggregate_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct aggregate *agg = state;
    (void)error;
    agg->config = evs_op_config(op);
    agg->durable = evs_op_is_durable(op);
    agg->epoch = 1;
    layout_init(agg, evs_op_input_schema(op, 0));
    if (!evs_agg_is_windowed(agg)) {
        evs_agg_window(agg, EVS_TIME_MIN, EVS_TIME_MAX);
    }
    return EVS_OK;
}

static void window_free(struct agg_window *window)
{
    evs_table_fini(&window->table);
    evs_free(window->dirty);
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
    evs_free(agg->windows);
    evs_free(agg->calls);
    evs_free(agg->deadlines);
    evs_free(agg->deleted_hashes);
    evs_free(agg->deleted_text_bytes);
    evs_buffer_fini(&agg->deleted);
    evs_buffer_fini(&agg->deleted_text);
}

/* --- results -------------------------------------------------------------------------------------------------------------------------------- */

/* A row that failed leaves NULLs behind, and the next row may be written in its place. */
static void set_valid(struct evs_column *column, uint32_t row)
{
    if (column->valid != NULL) {
        column->valid[row / 64] |= UINT64_C(1) << (row % 64);
    }
}

static void put_value(struct evs_batch *batch, struct evs_column *column, uint32_t row, const struct evs_value *value)
{
    uint32_t width = evs_kind_width(column->kind);
    uint8_t *to = (uint8_t *)column->data + (size_t)row * width;
    if (value->is_null) {
        memset(to, 0, width);
        evs_column_set_null(column, row);
    } else if (evs_kind_is_var(column->kind)) {
        struct evs_str kept = evs_str_keep(batch->arena, &value->str);
        memcpy(to, &kept, width);
    } else if (column->kind == EVS_BOOL) {
        *to = value->boolean;
    } else {
        memcpy(to, &value->str, width);
    }
}

struct result_row {
    struct aggregate *agg;
    const struct agg_window *window;
    struct evs_entry *entry;
    int64_t revision;
};

static enum evs_agg_outcome put_item(const struct result_row *result, const struct evs_aggregate_item *item,
                                     struct evs_batch *batch, struct evs_column *column, uint32_t row)
{
    struct aggregate *agg = result->agg;
    struct evs_value value = {.kind = column->kind};
    enum evs_agg_outcome outcome = EVS_AGG_FITS;
    set_valid(column, row);
    switch (item->what) {
    case EVS_ITEM_KEY:
        evs_entry_key_to_column(&agg->layout, result->entry, item->index, batch, column, row);
        return outcome;
    case EVS_ITEM_WINDOW_START:
        value.int64 = result->window->start_us;
        break;
    case EVS_ITEM_WINDOW_END:
        value.int64 = result->window->end_us;
        break;
    case EVS_ITEM_REVISION:
        value.int64 = result->revision;
        break;
    case EVS_ITEM_FINAL:
        value.boolean = false;
        break;
    case EVS_ITEM_CALL:
        outcome = evs_agg_result(&agg->calls[item->index], evs_entry_values(&agg->layout, result->entry), batch->arena,
                                 &value);
    }
    put_value(batch, column, row, &value);
    return outcome;
}

/* Why a group has no result. */
struct failed_call {
    enum evs_agg_outcome outcome; /* EVS_AGG_FITS: it has one */
    const char *text;
};

/* Writes one row of results. */
static struct failed_call put_result(const struct result_row *result, struct evs_batch *batch, uint32_t row)
{
    const struct evs_aggregate_config *config = result->agg->config;
    struct failed_call failed = {EVS_AGG_FITS, NULL};
    for (uint32_t i = 0; i < config->item_count; i++) {
        enum evs_agg_outcome outcome = put_item(result, &config->items[i], batch, &batch->columns[i], row);
        if (outcome != EVS_AGG_FITS) {
            failed = (struct failed_call){outcome, config->calls[config->items[i].index].text};
        }
    }
    return failed;
}

static struct evs_batch *result_batch(struct evs_op *op, uint32_t rows)
{
    const struct evs_schema *schema = evs_op_schema(op);
    struct evs_batch *batch = evs_op_new_batch(op);
    evs_batch_init_rows(batch, rows);
    for (uint32_t i = 0; i < schema->count; i++) {
        evs_column_init(&batch->columns[i], batch, schema->fields[i].type->kind, rows, true);
    }
    if (evs_op_wants_key(op)) {
        batch->key = evs_arena_alloc(batch->arena, rows * sizeof *batch->key, 64);
    }
    return batch;
}

/* The identity of the group in a trigger's id: the canonical encoding of its key, which is a prefix of no other. */
static struct evs_hash128 key_identity(const struct aggregate *agg, struct evs_entry *entry, struct evs_buffer *scratch)
{
    scratch->count = 0;
    for (uint32_t i = 0; i < agg->layout.key_count; i++) {
        enum evs_kind kind = agg->layout.key_kind[i];
        bool is_null = (entry->nulls >> i) & 1;
        uint8_t tag = is_null ? 0 : (uint8_t)kind;
        evs_buffer_put(scratch, &tag, 1);
        if (is_null) {
            continue;
        }
        const void *stored = evs_entry_key(&agg->layout, entry, i);
        if (evs_kind_is_var(kind)) {
            const struct evs_str *text = stored;
            evs_buffer_put(scratch, &text->count, 4);
            evs_buffer_put(scratch, evs_str_data(text), text->count);
        } else {
            evs_buffer_put(scratch, stored, evs_kind_width(kind));
        }
    }
    return evs_hash128(scratch->data, scratch->count);
}

static void failed_dead_letter(struct evs_op *op, const struct evs_schema *schema, const struct evs_batch *batch,
                               uint32_t row, struct failed_call failed)
{
    const struct evs_aggregate_config *config = evs_op_config(op);
    const struct evs_agg_failure *why = evs_agg_failure(failed.outcome);
    struct evs_row_error error = {.reason = why->reason,
                                  .code = why->code,
                                  .message = why->message,
                                  .expression = failed.text,
                                  .file = config->file,
                                  .line = config->line};
    evs_op_dead_letter(op, schema, batch, row, &error);
}

/* --- emission of closed windows ------------------------------------------------------------------------------------------------------------- */

static void select_good(struct evs_batch *batch, const uint8_t *failed, uint32_t failed_count)
{
    batch->selected_count = batch->row_count - failed_count;
    if (failed_count == 0) {
        return;
    }
    uint16_t *selection = evs_arena_alloc(batch->arena, batch->row_count * sizeof *selection + 64, 64);
    uint32_t count = 0;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        selection[count] = (uint16_t)row;
        count += !failed[row];
    }
    batch->selection = selection;
}

/* A group that fails is shown by its keys and window. `shown` is made for the first one of a batch. */
static void group_dead_letter(struct evs_op *op, const struct result_row *result, struct evs_batch *batch, uint32_t row,
                              struct failed_call failed, struct evs_batch **shown)
{
    const struct evs_aggregate_config *config = result->agg->config;
    const struct evs_schema *schema = &config->group_schema;
    if (*shown == NULL) {
        *shown = evs_batch_derive(batch, schema->count);
        for (uint32_t i = 0; i < schema->count; i++) {
            (*shown)->columns[i] = (struct evs_column){0};
            evs_column_init(&(*shown)->columns[i], *shown, schema->fields[i].type->kind, batch->row_count, true);
        }
    }
    for (uint32_t i = 0; i < schema->count; i++) {
        enum evs_agg_outcome outcome = put_item(result, &config->group_items[i], *shown, &(*shown)->columns[i], row);
        EVS_ASSERT(outcome == EVS_AGG_FITS);
    }
    failed_dead_letter(op, schema, *shown, row, failed);
}

/* The next rows of windows[0], at most a batch; NULL when all its groups are out. */
static struct evs_batch *window_rows(struct evs_op *op, struct aggregate *agg)
{
    const struct agg_window *window = agg->windows[0];
    uint32_t left = window->table.used - agg->emit_entry;
    uint32_t rows = left < EVS_BATCH_ROWS ? left : EVS_BATCH_ROWS;
    if (rows == 0) {
        return NULL;
    }
    struct evs_batch *batch = result_batch(op, rows);
    uint8_t failed[EVS_BATCH_ROWS] = {0};
    uint32_t failed_count = 0;
    struct evs_buffer scratch = {0};
    struct evs_batch *shown = NULL;
    batch->row_count = rows;
    batch->cause_kind = EVS_CAUSE_WINDOW;
    batch->min_time_us = batch->max_time_us = window->end_us - 1;
    batch->watermark_us = evs_arena_alloc(batch->arena, rows * sizeof *batch->watermark_us, 64);
    for (uint32_t row = 0; row < rows; row++) {
        struct evs_entry *entry = evs_table_at(&window->table, agg->emit_entry++);
        struct result_row result = {.agg = agg, .window = window, .entry = entry};
        batch->event_time_us[row] = batch->watermark_us[row] = window->end_us - 1;
        batch->cause[row] = (struct evs_cause){(uint64_t)window->start_us, (uint64_t)window->end_us};
        if (batch->key != NULL) {
            batch->key[row] = key_identity(agg, entry, &scratch);
        }
        struct failed_call why = put_result(&result, batch, row);
        if (why.outcome != EVS_AGG_FITS) {
            group_dead_letter(op, &result, batch, row, why, &shown);
            failed[row] = 1;
            failed_count++;
        }
    }
    if (shown != NULL) {
        evs_batch_unref(shown);
    }
    select_good(batch, failed, failed_count);
    evs_buffer_fini(&scratch);
    return batch;
}

static evs_status close_windows(struct evs_op *op, struct aggregate *agg, int64_t watermark_us)
{
    for (uint32_t emitted = 0; agg->window_count > 0 && agg->windows[0]->end_us <= watermark_us;) {
        if (emitted == EMIT_BATCHES) {
            return EVS_MORE;
        }
        struct evs_batch *batch = window_rows(op, agg);
        if (batch != NULL) {
            evs_emit(op, 0, batch);
            emitted++;
            continue;
        }
        evs_op_count(op, EVS_COUNT_STATE_KEYS, -(int64_t)agg->windows[0]->table.count);
        evs_agg_window_done(agg);
        agg->emit_entry = 0;
    }
    return EVS_OK;
}

static void expire_groups(struct evs_op *op, struct aggregate *agg, int64_t watermark_us)
{
    struct agg_window *window = agg->windows[0];
    uint32_t index;
    if (agg->restored) {
        evs_agg_arm_restored(agg);
    }
    while (evs_agg_next_expired(agg, watermark_us, &index)) {
        evs_agg_remember_deleted(agg, evs_table_at(&window->table, index));
        evs_agg_forget(agg, window, index);
        evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
    }
    evs_agg_compact(agg, window);
}

static void tell_bytes(struct evs_op *op, struct aggregate *agg)
{
    int64_t bytes = 0;
    for (uint32_t i = 0; i < agg->window_count; i++) {
        bytes += (int64_t)evs_table_bytes(&agg->windows[i]->table);
    }
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - agg->told_bytes);
    agg->told_bytes = bytes;
}

static evs_status aggregate_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct aggregate *agg = state;
    evs_status status = EVS_OK;
    if (evs_agg_is_windowed(agg)) {
        status = close_windows(op, agg, watermark_us);
    } else if (agg->config->retain_us >= 0) {
        expire_groups(op, agg, watermark_us);
    }
    tell_bytes(op, agg);
    return status;
}

/* --- rows: windows and lateness ---------------------------------------------------------------------------------------------------------------- */

static int64_t window_start(const struct evs_aggregate_config *config, int64_t time_us)
{
    int64_t rest = (time_us - config->offset_us) % config->size_us;
    return time_us - (rest < 0 ? rest + config->size_us : rest);
}

static struct agg_window *window_of(struct aggregate *agg, int64_t time_us)
{
    struct agg_window *last = agg->last_window;
    if (last == NULL || time_us < last->start_us || time_us >= last->end_us) {
        int64_t start = window_start(agg->config, time_us);
        last = agg->last_window = evs_agg_window(agg, start, start + agg->config->size_us);
    }
    return last;
}

static int64_t row_watermark(const struct evs_op *op, const struct evs_batch *batch, uint32_t row)
{
    int64_t own = evs_op_watermark(op);
    return batch->watermark_us != NULL && batch->watermark_us[row] > own ? batch->watermark_us[row] : own;
}

/* Late rows leave by output 1: the input's first columns, the window that they missed, the watermark, and how far they were behind it. */
static void emit_late(struct evs_op *op, struct aggregate *agg, struct evs_batch *batch, uint32_t count)
{
    const struct evs_aggregate_config *config = agg->config;
    evs_op_count(op, EVS_COUNT_LATE, count);
    if (!config->late_output || count == 0) {
        return;
    }
    struct evs_batch *late = evs_batch_derive(batch, config->late_columns + 4);
    uint16_t *selection = evs_arena_alloc(batch->arena, count * sizeof *selection + 64, 64);
    int64_t *cells[4];
    static const enum evs_kind kinds[4] = {EVS_TIMESTAMP, EVS_TIMESTAMP, EVS_TIMESTAMP, EVS_INT64};
    for (uint32_t i = 0; i < 4; i++) {
        struct evs_column *column = &late->columns[config->late_columns + i];
        *column = (struct evs_column){0};
        evs_column_init(column, late, kinds[i], batch->row_count, false);
        cells[i] = column->data;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = selection[i] = agg->late_rows[i];
        int64_t start = window_start(config, batch->event_time_us[row]);
        cells[0][row] = start;
        cells[1][row] = start + config->size_us;
        cells[2][row] = row_watermark(op, batch, row);
        cells[3][row] = cells[2][row] - batch->event_time_us[row];
    }
    late->selection = selection;
    late->selected_count = count;
    evs_emit(op, 1, late);
}

/* Fills rows and row_windows with the rows that are in time; returns how many. */
static uint32_t assign_windows(struct evs_op *op, struct aggregate *agg, struct evs_batch *batch)
{
    bool judge = batch->watermark_us != NULL || batch->min_time_us < evs_op_watermark(op);
    uint32_t count = 0, late = 0;
    EVS_FOR_ROWS(batch, position, row) {
        int64_t time_us = batch->event_time_us[row];
        if (judge && row_watermark(op, batch, row) >= window_start(agg->config, time_us) + agg->config->size_us) {
            agg->late_rows[late++] = (uint16_t)row;
            continue;
        }
        agg->hashes[count] = agg->hashes[position];
        agg->rows[count] = (uint16_t)row;
        agg->row_windows[count++] = window_of(agg, time_us);
    }
    if (late > 0) {
        emit_late(op, agg, batch, late);
    }
    return count;
}

/* --- rows: groups --------------------------------------------------------------------------------------------------------------------------------- */

static void find_groups(struct evs_op *op, struct aggregate *agg, const struct evs_batch *batch, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_table_prefetch_slot(&agg->row_windows[i]->table, agg->hashes[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        evs_table_prefetch_entry(&agg->row_windows[i]->table, agg->hashes[i]);
    }
    uint32_t added = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct agg_window *window = agg->row_windows[i];
        uint32_t index;
        bool is_new;
        struct evs_entry *entry = evs_table_find_or_add(&window->table, agg->hashes[i], batch, agg->rows[i],
                                                        agg->config->keys, &index, &is_new);
        added += is_new;
        agg->values[i] = evs_entry_values(&agg->layout, entry);
        agg->tables[i] = &window->table;
        evs_agg_mark(agg, window, entry, index);
    }
    evs_op_count(op, EVS_COUNT_STATE_KEYS, added);
}

/* `agg(x where c)`: only the rows for which c is true. */
static struct agg_rows rows_where(struct aggregate *agg, const struct agg_rows *rows, int32_t condition)
{
    const struct evs_column *column = &rows->batch->columns[condition];
    struct agg_rows some = {
        .batch = rows->batch, .rows = agg->some_rows, .values = agg->some_values, .tables = agg->some_tables};
    for (uint32_t i = 0; i < rows->count; i++) {
        if (evs_column_is_valid(column, rows->rows[i]) && *EVS_COLUMN_AT(column, uint8_t, rows->rows[i])) {
            agg->some_rows[some.count] = rows->rows[i];
            agg->some_values[some.count] = rows->values[i];
            agg->some_tables[some.count++] = rows->tables[i];
        }
    }
    return some;
}

static void update_calls(struct aggregate *agg, const struct agg_rows *rows)
{
    for (uint32_t i = 0; i < agg->config->call_count; i++) {
        int32_t condition = agg->calls[i].config->condition;
        struct agg_rows some = condition < 0 ? *rows : rows_where(agg, rows, condition);
        evs_agg_update(&agg->calls[i], &some);
    }
}

static evs_status process_windowed(struct evs_op *op, struct aggregate *agg, struct evs_batch *batch)
{
    uint32_t count = assign_windows(op, agg, batch);
    find_groups(op, agg, batch, count);
    struct agg_rows rows = {
        .batch = batch, .rows = agg->rows, .values = agg->values, .tables = agg->tables, .count = count};
    update_calls(agg, &rows);
    return EVS_OK;
}

/* --- rows: unwindowed groups, one by one ---------------------------------------------------------------------------------------------------------- */

static struct evs_entry *live_group(struct evs_op *op, struct aggregate *agg, const struct evs_batch *batch,
                                    uint32_t row, uint64_t hash, bool *is_new)
{
    struct agg_window *window = agg->windows[0];
    uint32_t index;
    struct evs_entry *entry =
        evs_table_find_or_add(&window->table, hash, batch, row, agg->config->keys, &index, is_new);
    struct group_times *times = evs_group_times(agg, entry);
    int64_t retain_us = agg->config->retain_us;
    if (*is_new) {
        evs_op_count(op, EVS_COUNT_STATE_KEYS, 1);
        times->latest_us = batch->event_time_us[row];
        if (retain_us >= 0) {
            evs_agg_arm(agg, index, times->latest_us + retain_us);
        }
    } else if (retain_us >= 0 && times->latest_us + retain_us <= row_watermark(op, batch, row)) {
        evs_agg_remember_deleted(agg, entry);
        evs_agg_reset(agg, window, entry);
        times->latest_us = batch->event_time_us[row];
        *is_new = true;
    }
    evs_agg_mark(agg, window, entry, index);
    times->latest_us = batch->event_time_us[row] > times->latest_us ? batch->event_time_us[row] : times->latest_us;
    return entry;
}

static bool same_value(const struct evs_value *a, const struct evs_value *b)
{
    if (a->is_null || b->is_null) {
        return a->is_null == b->is_null;
    }
    if (evs_kind_is_var(a->kind)) {
        return evs_str_equal(&a->str, &b->str);
    }
    return a->kind == EVS_BOOL ? a->boolean == b->boolean : memcmp(&a->str, &b->str, evs_kind_width(a->kind)) == 0;
}

/* Adds one row to its group; true when a result changed. A text result that is replaced stays in the arena, so comparing is safe. */
static bool update_group(struct aggregate *agg, const struct agg_rows *row, bool is_new)
{
    bool changed = is_new;
    for (uint32_t i = 0; i < agg->config->call_count; i++) {
        const struct agg_call *call = &agg->calls[i];
        struct agg_rows some = call->config->condition < 0 ? *row : rows_where(agg, row, call->config->condition);
        struct evs_value before, after;
        enum evs_agg_outcome fitted = evs_agg_result(call, row->values[0], row->batch->arena, &before);
        evs_agg_update(call, &some);
        enum evs_agg_outcome fits = evs_agg_result(call, row->values[0], row->batch->arena, &after);
        changed |= fits != EVS_AGG_FITS || fitted != EVS_AGG_FITS || !same_value(&before, &after);
    }
    return changed;
}

static void emit_change(struct evs_op *op, struct aggregate *agg, const struct evs_batch *batch, uint32_t row,
                        struct evs_entry *entry, struct evs_batch *out, struct evs_buffer *scratch)
{
    uint32_t at = out->row_count;
    struct group_times *times = evs_group_times(agg, entry);
    struct result_row result = {.agg = agg, .window = agg->windows[0], .entry = entry, .revision = times->revision};
    struct failed_call failed = put_result(&result, out, at);
    if (failed.outcome != EVS_AGG_FITS) {
        failed_dead_letter(op, evs_op_input_schema(op, 0), batch, row, failed);
        return;
    }
    int64_t time_us = batch->event_time_us[row];
    out->event_time_us[at] = time_us;
    out->cause[at] = batch->cause[row];
    out->ordinal[at] = (uint32_t)evs_group_times(agg, entry)
                           ->revision; /* rows of one window may come to one group: one cause, many results */
    if (out->key != NULL) {
        out->key[at] = key_identity(agg, entry, scratch);
    }
    out->min_time_us = time_us < out->min_time_us ? time_us : out->min_time_us;
    out->max_time_us = time_us > out->max_time_us ? time_us : out->max_time_us;
    times->revision++;
    out->selected_count = ++out->row_count;
}

static evs_status process_unwindowed(struct evs_op *op, struct aggregate *agg, struct evs_batch *batch)
{
    struct evs_batch *out = result_batch(op, batch->selected_count);
    struct evs_buffer scratch = {0};
    out->row_count = out->selected_count = 0;
    out->cause_kind = batch->cause_kind;
    out->lineage = batch->lineage;
    out->ordinal = evs_arena_alloc(out->arena, batch->selected_count * sizeof *out->ordinal, 64);
    out->min_time_us = INT64_MAX;
    out->max_time_us = INT64_MIN;
    if (agg->restored) {
        evs_agg_arm_restored(agg);
    }
    EVS_FOR_ROWS(batch, position, row) {
        bool is_new;
        struct evs_entry *entry = live_group(op, agg, batch, row, agg->hashes[position], &is_new);
        uint16_t rows[1] = {(uint16_t)row};
        uint8_t *values[1] = {evs_entry_values(&agg->layout, entry)};
        struct evs_table *tables[1] = {&agg->windows[0]->table};
        struct agg_rows one = {.batch = batch, .rows = rows, .values = values, .tables = tables, .count = 1};
        if (update_group(agg, &one, is_new)) {
            emit_change(op, agg, batch, row, entry, out, &scratch);
        }
    }
    evs_buffer_fini(&scratch);
    evs_emit(op, 0, out);
    return EVS_OK;
}

static evs_status aggregate_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct aggregate *agg = state;
    EVS_ASSERT(input == 0 && batch->selected_count <= EVS_BATCH_ROWS);
    evs_key_hash_rows(batch, agg->config->keys, agg->config->key_count, agg->hashes);
    evs_status status =
        evs_agg_is_windowed(agg) ? process_windowed(op, agg, batch) : process_unwindowed(op, agg, batch);
    for (uint32_t i = 0; i < agg->window_count;
         i++) { /* texts that were replaced: last(url) of a day would fill the memory */
        evs_agg_compact(agg, agg->windows[i]);
    }
    tell_bytes(op, agg);
    return status;
}

const struct evs_operator evs_op_aggregate = {
    .kind = "aggregate",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_HOLDS_WATERMARK,
    .snapshot_version = EVS_AGG_SNAPSHOT_VERSION,
    .state_bytes = sizeof(struct aggregate),
    .inputs_max = 1,
    .emit_max = EMIT_BATCHES,
    .open = aggregate_open,
    .process = aggregate_process,
    .watermark = aggregate_watermark,
    .snapshot = evs_agg_snapshot,
    .restore = evs_agg_restore,
    .close = aggregate_close,
};
