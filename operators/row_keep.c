#include "row_keep.h"

#include <stdlib.h>

#include "evstream/trace.h"
#include "value_order.h"

/* --- keeping ------------------------------------------------------------------------------------------------------------------ */

static uint64_t shape_of(const struct evs_row_layout *layout)
{
    uint64_t shape = layout->column_count;
    for (uint32_t i = 0; i < layout->column_count; i++) {
        uint64_t parts[2] = {shape, layout->columns[i].kind};
        shape = evs_hash64(parts, sizeof parts);
    }
    return shape;
}

void evs_keeper_init(struct evs_keeper *keeper, struct evs_op *op)
{
    const struct evs_schema *input = evs_op_input_schema(op, 0);
    uint32_t count = input->count + evs_op_wants_key(op);
    struct evs_field *fields = evs_alloc_zero((count + 1u) * sizeof *fields);
    memcpy(fields, input->fields, input->count * sizeof *fields);
    if (count > input->count) { /* 16 bytes of a hash travel as 16 bytes of a numeric: nobody computes with them */
        fields[input->count] = (struct evs_field){.type = evs_type_of(EVS_NUMERIC), .nullable = true};
    }
    struct evs_schema schema = {count, fields};
    *keeper = (struct evs_keeper){.column_count = input->count};
    evs_row_layout_init(&keeper->layout, &schema, NULL, 0);
    keeper->view_columns = evs_alloc_zero((count + 1u) * sizeof *keeper->view_columns);
    keeper->shape = shape_of(&keeper->layout);
    keeper->op = op;
    evs_free(fields);
}

/* --- rows of another version of the pipeline --------------------------------------------------------------------------------- */

/* They may have been kept with an identity behind their columns, or without. */
struct evs_stored_rows {
    struct evs_row_layout layouts[2];
    uint64_t shapes[2];
    uint32_t *today; /* of the columns and, as the last one, of the identity */
};

static void add_identity(const struct evs_row_layout *plain, struct evs_row_layout *layout)
{
    struct evs_type *types = evs_alloc_zero((plain->column_count + 1u) * sizeof *types);
    struct evs_field *fields = evs_alloc_zero((plain->column_count + 1u) * sizeof *fields);
    for (uint32_t i = 0; i <= plain->column_count; i++) {
        types[i].kind = i < plain->column_count ? plain->columns[i].kind : EVS_NUMERIC;
        fields[i].type = &types[i];
    }
    const struct evs_schema schema = {plain->column_count + 1u, fields};
    evs_row_layout_init(layout, &schema, NULL, 0);
    evs_free(fields);
    evs_free(types);
}

static bool see_stored(struct evs_keeper *keeper, const struct evs_state_migration *migration)
{
    struct evs_stored_rows *stored = evs_alloc_zero(sizeof *stored);
    keeper->stored = stored;
    if (!evs_row_layout_of_parts(&stored->layouts[0], &migration->stored->rows, 0)) {
        return false;
    }
    add_identity(&stored->layouts[0], &stored->layouts[1]);
    stored->shapes[0] = shape_of(&stored->layouts[0]);
    stored->shapes[1] = shape_of(&stored->layouts[1]);
    const uint32_t count = stored->layouts[0].column_count; /* of input 0: those of another one stand behind them */
    stored->today = evs_alloc((count + 1u) * sizeof *stored->today);
    memcpy(stored->today, migration->rows, count * sizeof *stored->today);
    bool keeps_identity = keeper->layout.column_count > keeper->column_count;
    stored->today[count] = keeps_identity ? keeper->column_count : EVS_NO_PART;
    return true;
}

static void forget_stored(struct evs_keeper *keeper)
{
    if (keeper->stored != NULL) {
        evs_row_layout_fini(&keeper->stored->layouts[0]);
        evs_row_layout_fini(&keeper->stored->layouts[1]);
        evs_free(keeper->stored->today);
        evs_free(keeper->stored);
        keeper->stored = NULL;
    }
}

/* NULL: the bytes are damaged. */
static struct evs_row *restore_moved(struct evs_keeper *keeper, uint64_t shape, struct evs_slice bytes)
{
    const struct evs_state_migration *migration = evs_op_migration(keeper->op);
    if (keeper->stored == NULL && !see_stored(keeper, migration)) {
        return NULL;
    }
    const struct evs_stored_rows *stored = keeper->stored;
    for (int i = 0; i < 2; i++) {
        if (stored->shapes[i] == shape) {
            return evs_row_restore_moved(&keeper->pool, &keeper->layout, &stored->layouts[i], stored->today, bytes);
        }
    }
    return NULL;
}

void evs_keeper_fini(struct evs_keeper *keeper)
{
    forget_stored(keeper);
    evs_row_pool_fini(&keeper->pool);
    evs_row_layout_fini(&keeper->layout);
    evs_free(keeper->view_columns);
    keeper->view_columns = NULL;
}

static bool keeps_identity(const struct evs_keeper *keeper)
{
    return keeper->layout.column_count > keeper->column_count;
}

void evs_keeper_see(struct evs_keeper *keeper, const struct evs_batch *batch)
{
    EVS_ASSERT(batch->column_count == keeper->column_count);
    keeper->view = *batch;
    keeper->view.columns = keeper->view_columns;
    memcpy(keeper->view_columns, batch->columns, batch->column_count * sizeof *batch->columns);
    if (!keeps_identity(keeper)) {
        return;
    }
    static const struct evs_hash128 none;
    struct evs_column *identity = &keeper->view_columns[keeper->column_count];
    *identity = (struct evs_column){.kind = EVS_NUMERIC, .data = batch->key};
    if (batch->key == NULL) {
        identity->flags = EVS_COLUMN_CONSTANT;
        identity->data = (void *)&none;
        identity->valid = &keeper->no_identity;
    }
    keeper->view.column_count++;
}

struct evs_row *evs_keeper_keep(struct evs_keeper *keeper, uint32_t row)
{
    EVS_ASSERT(row < keeper->view.row_count);
    return evs_row_keep(&keeper->pool, &keeper->layout, &keeper->view, row);
}

evs_status evs_keeper_restore(struct evs_keeper *keeper, uint64_t shape, struct evs_slice bytes, const char *what,
                              struct evs_row **row, struct evs_error *error)
{
    bool is_moved = keeper->op != NULL && evs_op_migration(keeper->op) != NULL;
    if (!is_moved && shape != keeper->shape) {
        return evs_fail(error, EVS_E_STATE,
                        "The rows that `%s` had kept have other columns than it keeps now: behind it the pipeline asks "
                        "for other columns "
                        "than before. Ask for the same columns, or begin with new state.",
                        what);
    }
    *row = is_moved ? restore_moved(keeper, shape, bytes) : evs_row_restore(&keeper->pool, &keeper->layout, bytes);
    return *row != NULL ? EVS_OK : evs_fail(error, EVS_E_CORRUPT, "A stored row of `%s` does not decode.", what);
}

/* --- giving out ----------------------------------------------------------------------------------------------------------------- */

static bool has_identity(const struct evs_keeper *keeper, const struct evs_row *row)
{
    return keeps_identity(keeper) && !evs_row_is_null(&keeper->layout, row, keeper->column_count);
}

uint32_t evs_keeper_alike(const struct evs_keeper *keeper, const struct evs_going_row *rows, uint32_t count)
{
    uint32_t most = count < EVS_BATCH_ROWS ? count : EVS_BATCH_ROWS, alike = 0;
    while (alike < most && rows[alike].row->lineage == rows[0].row->lineage &&
           evs_row_cause_kind(rows[alike].row) == evs_row_cause_kind(rows[0].row) &&
           has_identity(keeper, rows[alike].row) == has_identity(keeper, rows[0].row)) {
        alike++;
    }
    return alike;
}

static void put_times(struct evs_batch *batch, const struct evs_going_row *rows, uint32_t count)
{
    batch->ordinal = evs_arena_alloc(batch->arena, count * sizeof *batch->ordinal, 64);
    batch->watermark_us = evs_arena_alloc(batch->arena, count * sizeof *batch->watermark_us, 64);
    for (uint32_t i = 0; i < count; i++) {
        int64_t time_us = rows[i].time_us;
        batch->event_time_us[i] = batch->watermark_us[i] = time_us;
        batch->cause[i] = rows[i].row->cause;
        batch->ordinal[i] = rows[i].row->ordinal;
        batch->min_time_us = time_us < batch->min_time_us ? time_us : batch->min_time_us;
        batch->max_time_us = time_us > batch->max_time_us ? time_us : batch->max_time_us;
    }
}

struct evs_batch *evs_keeper_batch(struct evs_op *op, const struct evs_keeper *keeper, const struct evs_going_row *rows,
                                   uint32_t count)
{
    EVS_ASSERT(count > 0 && count <= EVS_BATCH_ROWS);
    const struct evs_row *kept[EVS_BATCH_ROWS];
    struct evs_batch *batch = evs_op_new_batch(op);
    for (uint32_t i = 0; i < count; i++) {
        kept[i] = rows[i].row;
    }
    evs_batch_init_rows(batch, count);
    batch->row_count = batch->selected_count = count;
    batch->lineage = rows[0].row->lineage;
    batch->cause_kind = evs_row_cause_kind(rows[0].row);
    for (uint32_t i = 0; i < keeper->column_count; i++) {
        struct evs_column *column = &batch->columns[i];
        evs_column_init(column, batch, keeper->layout.columns[i].kind, count, true);
        evs_row_decode_column(&keeper->layout, i, kept, count, batch->arena, column, 0);
    }
    if (has_identity(keeper, kept[0])) {
        struct evs_column identity = {0};
        evs_column_init(&identity, batch, EVS_NUMERIC, count, true);
        evs_row_decode_column(&keeper->layout, keeper->column_count, kept, count, batch->arena, &identity, 0);
        batch->key = identity.data;
    }
    put_times(batch, rows, count);
    return batch;
}

void evs_going_add(struct evs_going *going, int64_t time_us, struct evs_row *row)
{
    EVS_GROW(going->rows, going->count, going->capacity);
    going->rows[going->count++] = (struct evs_going_row){.time_us = time_us, .row = row};
}

static int by_time(const void *a, const void *b, void *argument)
{
    const struct evs_going_row *left = a, *right = b;
    const struct evs_keeper *keeper = argument;
    if (left->time_us != right->time_us) {
        return left->time_us < right->time_us ? -1 : 1;
    }
    return evs_tie_compare(&keeper->layout, left->row, right->row);
}

void evs_going_sort(struct evs_going *going, const struct evs_keeper *keeper)
{
    EVS_ASSERT(going->at == 0);
    if (going->count > 1) {
        qsort_r(going->rows, going->count, sizeof *going->rows, by_time, (void *)keeper);
    }
}

evs_status evs_going_emit(struct evs_op *op, struct evs_keeper *keeper, struct evs_going *going, uint32_t batches)
{
    for (uint32_t emitted = 0; going->at < going->count; emitted++) {
        if (emitted == batches) {
            return EVS_MORE;
        }
        const struct evs_going_row *rows = &going->rows[going->at];
        uint32_t count = evs_keeper_alike(keeper, rows, going->count - going->at);
        struct evs_batch *batch = evs_keeper_batch(op, keeper, rows, count);
        if (EVS_UNLIKELY(evs_op_traces(op))) {
            evs_op_trace_kept(op, batch);
        }
        evs_emit(op, 0, batch);
        for (uint32_t i = 0; i < count; i++) {
            evs_row_free(&keeper->pool, rows[i].row);
        }
        going->at += count;
    }
    going->at = going->count = 0;
    return EVS_OK;
}

void evs_going_fini(struct evs_going *going)
{
    evs_free(going->rows);
    *going = (struct evs_going){0};
}
