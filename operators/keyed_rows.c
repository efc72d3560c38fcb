/* Rows of keys in their order (keyed_rows.h). */
#include "keyed_rows.h"

#include <stdlib.h>

#include "evstream/keys.h"
#include "key_store.h"
#include "row_judge.h"

void evs_keyed_open(struct evs_keyed_rows *rows, struct evs_op *op, const struct evs_keyed_rows_config *config,
                    uint32_t value_bytes)
{
    const struct evs_schema *input = evs_op_input_schema(op, 0);
    enum evs_kind kinds[EVS_KEYS_MAX];
    EVS_ASSERT(config->key_count <= EVS_KEYS_MAX && config->key_count <= config->column_count);
    EVS_ASSERT(config->condition_count <= EVS_CONDITIONS_MAX);
    rows->config = config;
    evs_row_layout_init(&rows->layout, input, config->columns, config->column_count);
    for (uint32_t i = 0; i < config->key_count; i++) {
        kinds[i] = rows->layout.columns[i].kind;
    }
    evs_table_layout_init(&rows->table_layout, kinds, config->key_count,
                          (uint32_t)sizeof(struct evs_keyed_head) + value_bytes);
    evs_table_init(&rows->table, &rows->table_layout);
    rows->is_durable = evs_op_is_durable(op);
    rows->eval = config->conditions != NULL ? evs_eval_new(config->conditions) : NULL;
}

void evs_keyed_close(struct evs_keyed_rows *rows)
{
    if (rows->config == NULL) {
        return;
    }
    evs_eval_free(rows->eval);
    evs_table_fini(&rows->table);
    evs_timers_fini(&rows->pending);
    evs_free(rows->ready);
    evs_free(rows->unsaved);
    evs_row_pool_fini(&rows->pool);
    evs_row_layout_fini(&rows->layout);
}

size_t evs_keyed_bytes(const struct evs_keyed_rows *rows)
{
    return evs_table_bytes(&rows->table) + rows->pool.used_bytes + rows->pending.capacity * sizeof *rows->pending.heap;
}

/* --- entries ------------------------------------------------------------------------------------------------------------------------ */

static struct evs_keyed_head *head_of(const struct evs_keyed_rows *rows, uint32_t entry)
{
    return (struct evs_keyed_head *)evs_entry_values(&rows->table_layout, evs_keyed_entry(rows, entry));
}

static void remove_if_unused(struct evs_keyed_rows *rows, struct evs_op *op, uint32_t entry)
{
    const struct evs_keyed_head *head = head_of(rows, entry);
    if (head->pending == 0 && head->holds == 0) {
        evs_table_remove(&rows->table, entry);
        evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
        evs_key_compact(&rows->table);
    }
}

void evs_keyed_hold(struct evs_keyed_rows *rows, struct evs_op *op, uint32_t entry)
{
    (void)op;
    head_of(rows, entry)->holds++;
}

void evs_keyed_drop(struct evs_keyed_rows *rows, struct evs_op *op, uint32_t entry)
{
    struct evs_keyed_head *head = head_of(rows, entry);
    EVS_ASSERT(head->holds > 0);
    head->holds--;
    remove_if_unused(rows, op, entry);
}

/* --- arrival -------------------------------------------------------------------------------------------------------------------------- */

/* Late rows as they are, with the watermark that they missed. */
static void emit_late(struct evs_keyed_rows *rows, struct evs_op *op, struct evs_batch *batch, uint32_t count)
{
    const struct evs_keyed_rows_config *config = rows->config;
    struct evs_batch *late = evs_batch_derive(batch, config->late_schema.count);
    uint16_t *selection = evs_arena_alloc(batch->arena, count * sizeof *selection + 64, 64);
    memcpy(selection, rows->late, count * sizeof *selection);
    late->selection = selection;
    late->selected_count = count;
    for (uint32_t i = 0; i < config->late_columns; i++) {
        if (config->late_map[i] != EVS_KEYED_NULL) {
            late->columns[i] = batch->columns[config->late_map[i]];
            continue;
        }
        evs_column_init(&late->columns[i], late, config->late_schema.fields[i].type->kind, 1, true);
        late->columns[i].flags = EVS_COLUMN_CONSTANT;
        evs_column_set_null(&late->columns[i], 0);
    }
    struct evs_column *watermark = &late->columns[config->late_columns], *lateness = watermark + 1;
    evs_column_init(watermark, late, EVS_TIMESTAMP, batch->row_count, false);
    evs_column_init(lateness, late, EVS_INT64, batch->row_count, false);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = selection[i];
        int64_t watermark_us = evs_row_watermark(op, batch, row);
        ((int64_t *)watermark->data)[row] = watermark_us;
        ((int64_t *)lateness->data)[row] = watermark_us - batch->event_time_us[row];
    }
    evs_emit(op, 1, late);
}

static void leave_out_late(struct evs_keyed_rows *rows, struct evs_op *op, struct evs_batch *batch)
{
    uint32_t count = 0;
    if (batch->watermark_us == NULL && batch->min_time_us >= evs_op_watermark(op)) {
        return;
    }
    EVS_FOR_ROWS(batch, position, row) {
        if (batch->event_time_us[row] < evs_row_watermark(op, batch, row)) {
            rows->is_out[row] = true;
            rows->late[count++] = (uint16_t)row;
        }
    }
    evs_op_count(op, EVS_COUNT_LATE, count);
    if (count > 0 && rows->config->late_output) {
        emit_late(rows, op, batch, count);
    }
}

static void leave_out_null_keys(struct evs_keyed_rows *rows, struct evs_op *op, const struct evs_batch *batch)
{
    const struct evs_keyed_rows_config *config = rows->config;
    if (config->takes_null_keys) {
        return;
    }
    EVS_FOR_ROWS(batch, position, row) {
        if (!rows->is_out[row] && evs_row_has_null(batch, row, config->columns, config->key_count)) {
            rows->is_out[row] = true;
            evs_op_count(op, EVS_COUNT_NULL_KEY, 1);
        }
    }
}

/* A row for which some condition fails is a dead row: nothing is said of it. */
static void leave_out_failed(struct evs_keyed_rows *rows, struct evs_op *op, const struct evs_batch *batch)
{
    const struct evs_expr_failure *failures;
    uint32_t count = evs_eval_failures(rows->eval, &failures);
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_expr_failure *f = &failures[i];
        if (rows->is_out[f->row]) {
            continue;
        }
        rows->is_out[f->row] = true;
        struct evs_row_error error = {f->reason,          f->code, f->message, f->expr->text, f->expr->place.file,
                                      f->expr->place.line};
        evs_op_dead_letter(op, evs_op_input_schema(op, 0), batch, f->row, &error);
    }
}

static void set_masks(struct evs_keyed_rows *rows, struct evs_op *op, const struct evs_batch *batch)
{
    struct evs_column columns[EVS_CONDITIONS_MAX];
    memset(rows->masks, 0, batch->row_count * sizeof *rows->masks);
    if (rows->eval == NULL) {
        return;
    }
    evs_program_run(rows->eval, batch, columns);
    leave_out_failed(rows, op, batch);
    for (uint32_t i = 0; i < rows->config->condition_count; i++) {
        EVS_FOR_ROWS(batch, position, row) {
            bool holds = !rows->is_out[row] && evs_column_is_valid(&columns[i], row) &&
                         *EVS_COLUMN_AT(&columns[i], uint8_t, row) != 0;
            rows->masks[row] |= (uint64_t)holds << i;
        }
    }
}

static void add_pending(struct evs_keyed_rows *rows, struct evs_keyed_row *row)
{
    head_of(rows, row->entry)->pending++;
    evs_timers_arm(&rows->pending, row->row.event_time_us, (uint64_t)(uintptr_t)row);
}

static size_t block_bytes(uint32_t row_bytes)
{
    return offsetof(struct evs_keyed_row, row) + row_bytes;
}

static void keep(struct evs_keyed_rows *rows, struct evs_op *op, const struct evs_batch *batch, uint32_t row,
                 uint64_t hash)
{
    uint32_t bytes = evs_row_size(&rows->layout, batch, row), entry;
    struct evs_keyed_row *kept = evs_row_pool_take(&rows->pool, block_bytes(bytes));
    bool is_new;
    evs_table_find_or_add(&rows->table, hash, batch, row, rows->config->columns, &entry, &is_new);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
    *kept = (struct evs_keyed_row){.mask = rows->masks[row], .entry = entry, .references = 1};
    evs_row_write(&rows->layout, batch, row, bytes, &kept->row);
    add_pending(rows, kept);
    if (rows->is_durable) {
        kept->references++;
        EVS_GROW(rows->unsaved, rows->unsaved_count, rows->unsaved_capacity);
        rows->unsaved[rows->unsaved_count++] = kept;
    }
}

void evs_keyed_take(struct evs_keyed_rows *rows, struct evs_op *op, struct evs_batch *batch)
{
    const struct evs_keyed_rows_config *config = rows->config;
    memset(rows->is_out, 0, batch->row_count * sizeof *rows->is_out);
    leave_out_late(rows, op, batch);
    leave_out_null_keys(rows, op, batch);
    set_masks(rows, op, batch);
    evs_key_hash_rows(batch, config->columns, config->key_count, rows->hashes);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        evs_table_prefetch_slot(&rows->table, rows->hashes[i]);
    }
    EVS_FOR_ROWS(batch, position, row) {
        if (!rows->is_out[row] && (config->keeps_every_row || rows->masks[row] != 0)) {
            keep(rows, op, batch, row, rows->hashes[position]);
        }
    }
}

/* --- release ---------------------------------------------------------------------------------------------------------------------------- */

int64_t evs_keyed_next_time(const struct evs_keyed_rows *rows)
{
    if (rows->ready_at < rows->ready_count) {
        return rows->ready[rows->ready_at]->row.event_time_us;
    }
    return evs_timers_next(&rows->pending);
}

/* Rows of one window's results stand at one place of the order: then their bytes decide, so that it is the same in every run. */
static int compare(const struct evs_row *a, const struct evs_row *b)
{
    int order = evs_row_compare(a, b);
    if (order != 0) {
        return order;
    }
    size_t a_bytes = evs_row_bytes(a), b_bytes = evs_row_bytes(b);
    order = memcmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);
    return order != 0 ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int by_order(const void *a, const void *b)
{
    return compare(&(*(struct evs_keyed_row *const *)a)->row, &(*(struct evs_keyed_row *const *)b)->row);
}

static void make_ready(struct evs_keyed_rows *rows, int64_t until_us)
{
    struct evs_timer due;
    int64_t time_us = evs_timers_next(&rows->pending);
    rows->ready_at = rows->ready_count = 0;
    while (time_us <= until_us && evs_timers_pop(&rows->pending, time_us, &due)) {
        EVS_GROW(rows->ready, rows->ready_count, rows->ready_capacity);
        rows->ready[rows->ready_count++] = (struct evs_keyed_row *)(uintptr_t)due.payload;
    }
    if (rows->ready_count > 1) {
        qsort(rows->ready, rows->ready_count, sizeof *rows->ready, by_order);
    }
}

struct evs_keyed_row *evs_keyed_next(struct evs_keyed_rows *rows, int64_t until_us)
{
    if (rows->ready_at == rows->ready_count) {
        make_ready(rows, until_us);
    }
    if (rows->ready_at == rows->ready_count || rows->ready[rows->ready_at]->row.event_time_us > until_us) {
        return NULL;
    }
    struct evs_keyed_row *row = rows->ready[rows->ready_at++];
    struct evs_keyed_head *head = head_of(rows, row->entry);
    EVS_ASSERT(head->pending > 0);
    head->pending--;
    head->holds++; /* the caller's, until evs_keyed_drop */
    return row;
}

void evs_keyed_row_release(struct evs_keyed_rows *rows, struct evs_keyed_row *row)
{
    EVS_ASSERT(row->references > 0);
    if (--row->references == 0) {
        evs_row_pool_give(&rows->pool, row, block_bytes(evs_row_bytes(&row->row)));
    }
}

/* --- snapshots ---------------------------------------------------------------------------------------------------------------------------- */

static void write_row(const struct evs_keyed_rows *rows, const struct evs_keyed_row *row,
                      struct evs_snapshot_writer *writer)
{
    struct evs_slice mask = {(const char *)&row->mask, sizeof row->mask};
    uint64_t hash = evs_keyed_entry(rows, row->entry)->hash;
    if (evs_snapshot_takes(writer, hash)) {
        evs_snapshot_put(writer, EVS_KEYED_SECTION, EVS_RECORD_PUT, hash, mask, evs_row_slice(&row->row));
    }
}

/* A row that the watermark has passed is the operator's, and stands in its own records. */
void evs_keyed_snapshot(struct evs_keyed_rows *rows, const struct evs_op *op, struct evs_snapshot_writer *writer,
                        bool full)
{
    EVS_ASSERT(rows->ready_at == rows->ready_count);
    for (uint32_t i = 0; i < rows->unsaved_count; i++) {
        struct evs_keyed_row *row = rows->unsaved[i];
        if (!full && row->row.event_time_us >= evs_op_watermark(op)) {
            write_row(rows, row, writer);
        }
        evs_keyed_row_release(rows, row);
    }
    rows->unsaved_count = 0;
    for (uint32_t i = 0; full && i < rows->pending.count; i++) {
        write_row(rows, (struct evs_keyed_row *)(uintptr_t)rows->pending.heap[i].payload, writer);
    }
}

struct evs_keyed_row *evs_keyed_restore_row(struct evs_keyed_rows *rows, struct evs_op *op, uint64_t hash,
                                            uint64_t mask, struct evs_slice bytes)
{
    if (bytes.count < sizeof(struct evs_row) || bytes.count > EVS_ROW_BYTES_MAX) {
        return NULL;
    }
    struct evs_keyed_row *row = evs_row_pool_take(&rows->pool, block_bytes((uint32_t)bytes.count));
    *row = (struct evs_keyed_row){.mask = mask, .references = 1};
    memcpy(&row->row, bytes.data, bytes.count);
    if (!evs_row_is_valid(&rows->layout, &row->row, bytes.count)) {
        evs_row_pool_give(&rows->pool, row, block_bytes((uint32_t)bytes.count));
        return NULL;
    }
    static const uint32_t keys[EVS_KEYS_MAX] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30};
    bool is_new;
    struct evs_entry *entry = evs_row_find_entry(&rows->layout, &row->row, keys, &rows->table, hash, &is_new);
    row->entry = evs_entry_index(&rows->table, entry);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
    return row;
}

bool evs_keyed_restore(struct evs_keyed_rows *rows, struct evs_op *op, const struct evs_snapshot_record *record)
{
    uint64_t mask;
    struct evs_row head;
    if (record->fixed.count != sizeof mask || record->kind != EVS_RECORD_PUT || record->variable.count < sizeof head) {
        return false;
    }
    memcpy(&mask, record->fixed.data, sizeof mask);
    memcpy(&head, record->variable.data, sizeof head);
    if (head.event_time_us < evs_op_watermark(op)) {
        return true; /* it has been released */
    }
    struct evs_keyed_row *row = evs_keyed_restore_row(rows, op, record->hash, mask, record->variable);
    if (row != NULL) {
        add_pending(rows, row);
    }
    return row != NULL;
}
