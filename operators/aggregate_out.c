/* Result rows of the aggregate's operators (aggregate_out.h). */
#include "aggregate_out.h"

#include "evstream/nested.h"

/* --- opening ------------------------------------------------------------------------------------------------------------- */

void evs_agg_base_init(struct agg_base *base, struct evs_op *op, uint32_t offset)
{
    const struct evs_aggregate_config *config = evs_op_config(op);
    EVS_ASSERT(config->key_count <= EVS_KEYS_MAX);
    *base = (struct agg_base){.config = config, .durable = evs_op_is_durable(op), .epoch = 1};
    base->calls = evs_alloc_zero((config->call_count + 1u) * sizeof *base->calls);
    for (uint32_t i = 0; i < config->call_count; i++) {
        base->calls[i] = evs_agg_call(&config->calls[i], offset + base->values_bytes);
        base->values_bytes += base->calls[i].bytes;
        base->has_parts = base->has_parts || base->calls[i].has_parts;
    }
}

static void stored_free(struct agg_stored *stored)
{
    for (uint32_t i = 0; i < stored->count; i++) {
        evs_agg_call_fini(&stored->calls[i]);
    }
    evs_free(stored->calls);
    evs_free(stored->forms);
    evs_free(stored);
}

bool evs_agg_base_see(struct agg_base *base, const struct evs_state_migration *migration)
{
    if (migration == NULL || base->stored != NULL) {
        return true;
    }
    const struct evs_state_parts *columns = &migration->stored->columns;
    struct agg_stored *stored = evs_alloc_zero(sizeof *stored);
    stored->today = migration->columns;
    stored->forms = evs_alloc_zero((columns->count + 1u) * sizeof *stored->forms);
    stored->calls = evs_alloc_zero((columns->count + 1u) * sizeof *stored->calls);
    base->stored = stored;
    for (; stored->count < columns->count; stored->count++) {
        struct evs_agg_form *form = &stored->forms[stored->count];
        if (!evs_agg_form_read(columns->items[stored->count].form, form)) {
            return false;
        }
        struct agg_call call = evs_agg_call(&form->call, stored->values_bytes);
        stored->calls[stored->count] = call;
        stored->values_bytes += call.bytes;
    }
    return true;
}

void evs_agg_base_fini(struct agg_base *base)
{
    if (base->stored != NULL) {
        stored_free(base->stored);
    }
    for (uint32_t i = 0; base->calls != NULL && i < base->config->call_count; i++) {
        evs_agg_call_fini(&base->calls[i]);
    }
    evs_free(base->calls);
}

void evs_agg_layout_init(struct evs_table_layout *layout, struct evs_op *op, uint32_t values_bytes)
{
    const struct evs_aggregate_config *config = evs_op_config(op);
    const struct evs_schema *input = evs_op_input_schema(op, 0);
    enum evs_kind kinds[EVS_KEYS_MAX];
    for (uint32_t i = 0; i < config->key_count; i++) {
        EVS_ASSERT(config->keys[i] < input->count);
        kinds[i] = input->fields[config->keys[i]].type->kind;
    }
    evs_table_layout_init(layout, kinds, config->key_count, values_bytes);
}

/* --- one row --------------------------------------------------------------------------------------------------------------- */

/* A row that failed leaves NULLs behind, and the next row is written in its place. */
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

static void replaced_starts(const struct agg_result *result, struct evs_arena *arena, struct evs_value *value)
{
    struct evs_nested_builder builder = {0};
    evs_nested_begin_array(&builder, EVS_TIMESTAMP);
    for (uint32_t i = 0; i < result->replaces_count; i++) {
        struct evs_value start = {.kind = EVS_TIMESTAMP, .int64 = result->replaces[i]};
        evs_nested_add(&builder, &start);
    }
    value->str = evs_nested_finish(&builder, arena);
    evs_nested_builder_fini(&builder);
}

static enum evs_agg_outcome put_item(const struct agg_base *base, const struct agg_result *result,
                                     const struct evs_aggregate_item *item, struct evs_batch *batch,
                                     struct evs_column *column, uint32_t row)
{
    struct evs_value value = {.kind = column->kind};
    enum evs_agg_outcome outcome = EVS_AGG_FITS;
    set_valid(column, row);
    switch (item->what) {
    case EVS_ITEM_KEY:
        evs_entry_key_to_column(result->layout, result->entry, item->index, batch, column, row);
        return outcome;
    case EVS_ITEM_WINDOW_START:
        value.int64 = result->span.start_us;
        break;
    case EVS_ITEM_WINDOW_END:
        value.int64 = result->span.end_us;
        break;
    case EVS_ITEM_REVISION:
        value.int64 = result->revision;
        break;
    case EVS_ITEM_FINAL:
        value.boolean = result->is_final;
        break;
    case EVS_ITEM_REPLACES:
        replaced_starts(result, batch->arena, &value);
        break;
    case EVS_ITEM_CALL:
        outcome = evs_agg_result(&base->calls[item->index], result->values, batch->arena, &value);
        value.is_null = value.is_null || outcome != EVS_AGG_FITS;
    }
    put_value(batch, column, row, &value);
    return outcome;
}

/* Why a group has no result. */
struct failed_call {
    enum evs_agg_outcome outcome; /* EVS_AGG_FITS: it has one */
    const char *text;
};

static struct failed_call put_items(const struct agg_base *base, const struct agg_result *result,
                                    struct evs_batch *batch, uint32_t row)
{
    const struct evs_aggregate_config *config = base->config;
    struct failed_call failed = {EVS_AGG_FITS, NULL};
    for (uint32_t i = 0; i < config->item_count; i++) {
        const struct evs_aggregate_item *item = &config->items[i];
        enum evs_agg_outcome outcome = put_item(base, result, item, batch, &batch->columns[i], row);
        if (outcome != EVS_AGG_FITS) {
            failed = (struct failed_call){outcome, config->calls[item->index].text};
        }
    }
    return failed;
}

/* The identity of the group in a trigger's id: the canonical encoding of its key, which is a prefix of no other. */
static struct evs_hash128 key_identity(const struct agg_result *result, struct evs_buffer *scratch)
{
    scratch->count = 0;
    for (uint32_t i = 0; i < result->layout->key_count; i++) {
        enum evs_kind kind = result->layout->key_kind[i];
        bool is_null = (result->entry->nulls >> i) & 1;
        uint8_t tag = is_null ? 0 : (uint8_t)kind;
        evs_buffer_put(scratch, &tag, 1);
        if (is_null) {
            continue;
        }
        const void *stored = evs_entry_key(result->layout, result->entry, i);
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

/* --- groups that fail -------------------------------------------------------------------------------------------------------- */

static void dead_letter(struct evs_op *op, const struct evs_schema *schema, const struct evs_batch *batch, uint32_t row,
                        struct failed_call failed)
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

/* A row of keys and window, with the time and the cause that the result would have had. */
static void group_dead_letter(const struct agg_out *out, const struct agg_result *result, uint32_t row,
                              struct failed_call failed)
{
    const struct evs_aggregate_config *config = out->base->config;
    const struct evs_schema *schema = &config->group_schema;
    struct evs_batch *shown = evs_batch_derive(out->batch, schema->count);
    shown->row_count = shown->selected_count = row + 1;
    for (uint32_t i = 0; i < schema->count; i++) {
        shown->columns[i] = (struct evs_column){0};
        evs_column_init(&shown->columns[i], shown, schema->fields[i].type->kind, row + 1, true);
        put_item(out->base, result, &config->group_items[i], shown, &shown->columns[i], row);
    }
    dead_letter(out->op, schema, shown, row, failed);
    evs_batch_unref(shown);
}

/* --- batches ----------------------------------------------------------------------------------------------------------------- */

struct agg_out evs_agg_out_begin(struct evs_op *op, const struct agg_base *base)
{
    return (struct agg_out){.op = op, .base = base};
}

static struct evs_batch *result_batch(struct evs_op *op)
{
    const struct evs_schema *schema = evs_op_schema(op);
    struct evs_batch *batch = evs_op_new_batch(op);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    for (uint32_t i = 0; i < schema->count; i++) {
        evs_column_init(&batch->columns[i], batch, schema->fields[i].type->kind, EVS_BATCH_ROWS, true);
    }
    batch->ordinal = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof *batch->ordinal, 64);
    batch->watermark_us = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof *batch->watermark_us, 64);
    if (evs_op_wants_key(op)) {
        batch->key = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof *batch->key, 64);
    }
    batch->cause_kind = EVS_CAUSE_WINDOW;
    batch->row_count = batch->selected_count = 0;
    return batch;
}

static void flush(struct agg_out *out)
{
    if (out->batch != NULL) {
        out->emitted += out->batch->selected_count > 0;
        evs_emit(out->op, 0, out->batch);
        out->batch = NULL;
    }
}

/* Such a row meets later groups with its own time as the watermark before it. */
static void set_row(struct agg_out *out, const struct agg_result *result, uint32_t row)
{
    struct evs_batch *batch = out->batch;
    int64_t time_us = result->event_time_us;
    batch->event_time_us[row] = batch->watermark_us[row] = time_us;
    batch->cause[row] = result->cause;
    batch->ordinal[row] = result->ordinal;
    if (batch->key != NULL) {
        batch->key[row] = key_identity(result, &out->scratch);
    }
}

bool evs_agg_out_put(struct agg_out *out, const struct agg_result *result)
{
    if (out->batch == NULL) {
        out->batch = result_batch(out->op);
        if (out->base->config->window.kind == EVS_WINDOW_NONE && result->causing != NULL) {
            out->batch->cause_kind = result->causing->cause_kind;
            out->batch->lineage = result->causing->lineage;
        }
    }
    struct evs_batch *batch = out->batch;
    uint32_t row = batch->row_count;
    set_row(out, result, row);
    struct failed_call failed = put_items(out->base, result, batch, row);
    if (failed.outcome != EVS_AGG_FITS) {
        if (result->causing != NULL) {
            dead_letter(out->op, evs_op_input_schema(out->op, 0), result->causing, result->causing_row, failed);
        } else {
            group_dead_letter(out, result, row, failed);
        }
        return false;
    }
    int64_t time_us = result->event_time_us;
    batch->min_time_us = time_us < batch->min_time_us ? time_us : batch->min_time_us;
    batch->max_time_us = time_us > batch->max_time_us ? time_us : batch->max_time_us;
    batch->selected_count = ++batch->row_count;
    if (batch->row_count == EVS_BATCH_ROWS) {
        flush(out);
    }
    return true;
}

void evs_agg_out_end(struct agg_out *out)
{
    flush(out);
    evs_buffer_fini(&out->scratch);
}

void evs_agg_emit_late(struct evs_op *op, struct evs_batch *batch, const struct agg_late *late, uint32_t count)
{
    const struct evs_aggregate_config *config = evs_op_config(op);
    evs_op_count(op, EVS_COUNT_LATE, count);
    if (!config->late_output || count == 0) {
        return;
    }
    uint32_t hidden = config->window.kind == EVS_WINDOW_COLUMNS ? 2 : 0; /* such a row has its window in its columns */
    struct evs_batch *out = evs_batch_derive(batch, config->late_columns + 4 - hidden);
    uint16_t *selection = evs_arena_alloc(batch->arena, count * sizeof *selection + 64, 64);
    int64_t *cells[4] = {NULL};
    static const enum evs_kind kinds[4] = {EVS_TIMESTAMP, EVS_TIMESTAMP, EVS_TIMESTAMP, EVS_INT64};
    for (uint32_t i = hidden; i < 4; i++) {
        struct evs_column *column = &out->columns[config->late_columns + i - hidden];
        *column = (struct evs_column){0};
        evs_column_init(column, out, kinds[i], batch->row_count, false);
        cells[i] = column->data;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = selection[i] = late[i].row;
        EVS_ASSERT(i == 0 || row > late[i - 1].row);
        if (hidden == 0) {
            cells[0][row] = late[i].span.start_us;
            cells[1][row] = late[i].span.end_us;
        }
        cells[2][row] = late[i].watermark_us;
        cells[3][row] = late[i].watermark_us - batch->event_time_us[row];
    }
    out->selection = selection;
    out->selected_count = count;
    evs_emit(op, 1, out);
}

/* --- updates ------------------------------------------------------------------------------------------------------------------ */

static struct agg_rows rows_where(const struct agg_rows *rows, int32_t condition, struct agg_some *some)
{
    const struct evs_column *column = &rows->batch->columns[condition];
    struct agg_rows kept = {.batch = rows->batch, .rows = some->rows, .values = some->values, .tables = some->tables};
    for (uint32_t i = 0; i < rows->count; i++) {
        if (evs_column_is_valid(column, rows->rows[i]) && *EVS_COLUMN_AT(column, uint8_t, rows->rows[i])) {
            some->rows[kept.count] = rows->rows[i];
            some->values[kept.count] = rows->values[i];
            some->tables[kept.count++] = rows->tables[i];
        }
    }
    return kept;
}

void evs_agg_update_calls(const struct agg_base *base, const struct agg_rows *rows, struct agg_some *some)
{
    for (uint32_t i = 0; i < base->config->call_count; i++) {
        int32_t condition = base->calls[i].config->condition;
        struct agg_rows kept = condition < 0 ? *rows : rows_where(rows, condition, some);
        evs_agg_update(&base->calls[i], &kept);
    }
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

/* A text result that is replaced stays in the arena, so that comparing is safe. */
bool evs_agg_update_one(const struct agg_base *base, const struct agg_rows *row, struct agg_some *some)
{
    bool changed = false;
    EVS_ASSERT(row->count == 1);
    for (uint32_t i = 0; i < base->config->call_count; i++) {
        const struct agg_call *call = &base->calls[i];
        int32_t condition = call->config->condition;
        struct agg_rows kept = condition < 0 ? *row : rows_where(row, condition, some);
        struct evs_value before, after;
        enum evs_agg_outcome fitted = evs_agg_result(call, row->values[0], row->batch->arena, &before);
        evs_agg_update(call, &kept);
        enum evs_agg_outcome fits = evs_agg_result(call, row->values[0], row->batch->arena, &after);
        changed = changed || fits != EVS_AGG_FITS || fitted != EVS_AGG_FITS || !same_value(&before, &after);
    }
    return changed;
}

uint64_t evs_agg_hash_results(const struct agg_base *base, const uint8_t *values, struct evs_arena *arena)
{
    uint64_t hash = 1;
    for (uint32_t i = 0; i < base->config->call_count; i++) {
        struct evs_value value = {0};
        enum evs_agg_outcome outcome = evs_agg_result(&base->calls[i], values, arena, &value);
        const struct evs_type *type = base->config->calls[i].result_type;
        uint64_t parts[4] = {hash, (uint64_t)outcome, value.is_null, 0};
        bool has_value = outcome == EVS_AGG_FITS && !value.is_null;
        if (has_value && evs_kind_is_var(type->kind)) {
            parts[3] = evs_hash64(evs_str_data(&value.str), value.str.count);
        } else if (has_value) {
            parts[3] = type->kind == EVS_BOOL ? value.boolean : evs_hash64(&value.str, evs_kind_width(type->kind));
        }
        hash = evs_hash64(parts, sizeof parts);
    }
    return hash;
}
