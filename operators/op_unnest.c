/* cross join unnest.
 *
 * Algorithm: each row is repeated for each element of its array. Output batches are filled with runs (a row and a range of its elements), and
 * then column by column, so that a row's text is copied once a batch and not once an element. When the output credit is used up, the place in the
 * input batch is kept and the runtime calls again.
 *
 * Identity: the new rows have their row's event time, cause and watermark. Their ordinal tells them apart (the element's number; under an ordinal
 * of the row's own, a number that follows from both), and so does their key, for trigger ids: a hash of the row's own key and of the element's
 * number, which never repeats.
 * State: the place in the batch under way; a barrier never meets one. Order: of the rows, then of the elements. Recovery: nothing to do.
 * Rejected: rows that share the input's columns through a selection: a selection cannot repeat a row. */
#include "op_unnest.h"

#include "evstream/nested.h"

#define EMIT_BATCHES 4
#define ORDINALS_A_ROW 4096u

struct unnest {
    uint32_t position;     /* of the row in the batch's selection that comes next */
    uint32_t next_element; /* of that row */
};

/* A row and the elements of it that go into the batch which is being filled. */
struct run {
    struct evs_nested array; /* count 0: an empty one, kept */
    uint32_t row, first, count;
};

static uint32_t element_count(const struct evs_column *column, uint32_t row, struct evs_nested *array)
{
    *array = (struct evs_nested){0};
    if (!evs_column_is_valid(column, row)) {
        return 0;
    }
    *array = evs_nested_open(EVS_COLUMN_AT(column, struct evs_str, row));
    return array->count;
}

/* The runs of the next output batch; their number. */
static uint32_t next_runs(struct unnest *unnest, const struct evs_unnest_config *config, const struct evs_batch *batch,
                          struct run *runs, uint32_t *rows)
{
    const struct evs_column *arrays = &batch->columns[config->array];
    uint32_t count = 0;
    *rows = 0;
    while (unnest->position < batch->selected_count && *rows < EVS_BATCH_ROWS) {
        struct run *run = &runs[count];
        run->row = batch->selection != NULL ? batch->selection[unnest->position] : unnest->position;
        uint32_t elements = element_count(arrays, run->row, &run->array);
        uint32_t wanted = elements == 0 && config->keeps_empty ? 1 : elements - unnest->next_element;
        uint32_t room = EVS_BATCH_ROWS - *rows;
        run->first = unnest->next_element;
        run->count = wanted < room ? wanted : room;
        *rows += run->count;
        count += run->count > 0;
        bool is_done = run->count == wanted;
        unnest->position += is_done;
        unnest->next_element = is_done ? 0 : run->first + run->count;
    }
    return count;
}

static void fill_elements(const struct run *runs, uint32_t run_count, struct evs_batch *out, struct evs_column *column)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < run_count; i++) {
        for (uint32_t k = 0; k < runs[i].count; k++) {
            struct evs_value value = {.kind = column->kind, .is_null = true};
            if (runs[i].array.count > 0) {
                value = evs_nested_at(&runs[i].array, runs[i].first + k);
            }
            evs_column_put(column, out, at++, &value);
        }
    }
}

static void fill_offsets(const struct run *runs, uint32_t run_count, struct evs_batch *out, struct evs_column *column)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < run_count; i++) {
        for (uint32_t k = 0; k < runs[i].count; k++) {
            struct evs_value value = {.kind = EVS_INT64, .is_null = runs[i].array.count == 0};
            value.int64 = (int64_t)runs[i].first + k;
            evs_column_put(column, out, at++, &value);
        }
    }
}

static void repeat_column(const struct run *runs, uint32_t run_count, const struct evs_column *from,
                          struct evs_batch *out, struct evs_column *column)
{
    uint32_t at = 0, width = evs_kind_width(column->kind);
    for (uint32_t i = 0; i < run_count; i++) {
        struct evs_value value = evs_column_value(from, runs[i].row);
        evs_column_put(column, out, at, &value);
        uint8_t *first = (uint8_t *)column->data + (size_t)at * width;
        for (uint32_t k = 1; k < runs[i].count; k++) {
            memcpy(first + (size_t)k * width, first, width); /* with its text */
            if (value.is_null) {
                evs_column_set_null(column, at + k);
            }
        }
        at += runs[i].count;
    }
}

static struct evs_hash128 element_key(const struct evs_batch *batch, uint32_t row, uint32_t element)
{
    struct {
        struct evs_hash128 key;
        uint64_t element;
    } parts = {.element = (uint64_t)element + 1};
    if (batch->key != NULL) {
        parts.key = batch->key[row];
    }
    return evs_hash128(&parts, sizeof parts);
}

static void fill_rows(const struct run *runs, uint32_t run_count, const struct evs_batch *batch, struct evs_batch *out)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < run_count; i++) {
        uint32_t row = runs[i].row, ordinal = batch->ordinal != NULL ? batch->ordinal[row] : 0;
        for (uint32_t k = 0; k < runs[i].count; k++, at++) {
            uint32_t element = runs[i].first + k;
            out->event_time_us[at] = batch->event_time_us[row];
            out->cause[at] = batch->cause[row];
            out->ordinal[at] = ordinal * ORDINALS_A_ROW + element;
            if (out->watermark_us != NULL) {
                out->watermark_us[at] = batch->watermark_us[row];
            }
            if (out->key != NULL) {
                out->key[at] = element_key(batch, row, element);
            }
        }
    }
}

static struct evs_batch *new_batch(struct evs_op *op, const struct evs_batch *batch, uint32_t rows)
{
    struct evs_batch *out = evs_op_new_batch(op);
    evs_batch_init_rows(out, rows);
    out->row_count = out->selected_count = rows;
    out->cause_kind = batch->cause_kind;
    out->lineage = batch->lineage;
    out->source_index = batch->source_index;
    out->min_time_us = batch->min_time_us;
    out->max_time_us = batch->max_time_us;
    out->ordinal = evs_arena_alloc(out->arena, rows * sizeof *out->ordinal, 64);
    if (batch->watermark_us != NULL) {
        out->watermark_us = evs_arena_alloc(out->arena, rows * sizeof *out->watermark_us, 64);
    }
    if (evs_op_wants_key(op) || batch->key != NULL) {
        out->key = evs_arena_alloc(out->arena, rows * sizeof *out->key, 64);
    }
    return out;
}

static struct evs_batch *make_batch(struct evs_op *op, const struct evs_batch *batch, const struct run *runs,
                                    uint32_t run_count, uint32_t rows)
{
    const struct evs_unnest_config *config = evs_op_config(op);
    const struct evs_schema *schema = evs_op_schema(op);
    struct evs_batch *out = new_batch(op, batch, rows);
    fill_rows(runs, run_count, batch, out);
    for (uint32_t i = 0; i < schema->count; i++) {
        struct evs_column *column = &out->columns[i];
        evs_column_init(column, out, schema->fields[i].type->kind, rows, true);
        if (config->columns[i] == EVS_UNNEST_ELEMENT) {
            fill_elements(runs, run_count, out, column);
        } else if (config->columns[i] == EVS_UNNEST_OFFSET) {
            fill_offsets(runs, run_count, out, column);
        } else {
            repeat_column(runs, run_count, &batch->columns[config->columns[i]], out, column);
        }
    }
    return out;
}

static evs_status unnest_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct unnest *unnest = state;
    struct run runs[EVS_BATCH_ROWS + 1]; /* the last one may turn out empty */
    EVS_ASSERT(input == 0);
    for (uint32_t emitted = 0; unnest->position < batch->selected_count; emitted++) {
        if (emitted == EMIT_BATCHES) {
            return EVS_MORE;
        }
        uint32_t rows, run_count = next_runs(unnest, evs_op_config(op), batch, runs, &rows);
        if (rows > 0) {
            evs_emit(op, 0, make_batch(op, batch, runs, run_count, rows));
        }
    }
    *unnest = (struct unnest){0};
    return EVS_OK;
}

const struct evs_operator evs_op_unnest = {
    .kind = "unnest",
    .state_bytes = sizeof(struct unnest),
    .inputs_max = 1,
    .emit_max = EMIT_BATCHES,
    .process = unnest_process,
};
