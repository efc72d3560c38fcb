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
#include "row_repeat.h"

#define EMIT_BATCHES 4

struct unnest {
    uint32_t position;     /* of the row in the batch's selection that comes next */
    uint32_t next_element; /* of that row */
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

/* The runs of the next output batch, and their arrays; their number. */
static uint32_t next_runs(struct unnest *unnest, const struct evs_unnest_config *config, const struct evs_batch *batch,
                          struct evs_row_run *runs, struct evs_nested *arrays, uint32_t *rows)
{
    const struct evs_column *column = &batch->columns[config->array];
    uint32_t count = 0;
    *rows = 0;
    while (unnest->position < batch->selected_count && *rows < EVS_BATCH_ROWS) {
        struct evs_row_run *run = &runs[count];
        run->row = batch->selection != NULL ? batch->selection[unnest->position] : unnest->position;
        uint32_t elements = element_count(column, run->row, &arrays[count]);
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

static void fill_elements(const struct evs_row_run *runs, const struct evs_nested *arrays, uint32_t run_count,
                          struct evs_batch *out, struct evs_column *column)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < run_count; i++) {
        for (uint32_t k = 0; k < runs[i].count; k++) {
            struct evs_value value = {.kind = column->kind, .is_null = true};
            if (arrays[i].count > 0) {
                value = evs_nested_at(&arrays[i], runs[i].first + k);
            }
            evs_column_put(column, out, at++, &value);
        }
    }
}

static void fill_offsets(const struct evs_row_run *runs, const struct evs_nested *arrays, uint32_t run_count,
                         struct evs_batch *out, struct evs_column *column)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < run_count; i++) {
        for (uint32_t k = 0; k < runs[i].count; k++) {
            struct evs_value value = {.kind = EVS_INT64, .is_null = arrays[i].count == 0};
            value.int64 = (int64_t)runs[i].first + k;
            evs_column_put(column, out, at++, &value);
        }
    }
}

static struct evs_batch *make_batch(struct evs_op *op, const struct evs_batch *batch, const struct evs_row_run *runs,
                                    const struct evs_nested *arrays, uint32_t run_count, uint32_t rows)
{
    const struct evs_unnest_config *config = evs_op_config(op);
    const struct evs_schema *schema = evs_op_schema(op);
    struct evs_batch *out = evs_repeat_rows(op, batch, runs, run_count, rows);
    for (uint32_t i = 0; i < schema->count; i++) {
        struct evs_column *column = &out->columns[i];
        if (config->columns[i] == EVS_UNNEST_ELEMENT || config->columns[i] == EVS_UNNEST_OFFSET) {
            evs_column_init(column, out, schema->fields[i].type->kind, rows, true);
        }
        if (config->columns[i] == EVS_UNNEST_ELEMENT) {
            fill_elements(runs, arrays, run_count, out, column);
        } else if (config->columns[i] == EVS_UNNEST_OFFSET) {
            fill_offsets(runs, arrays, run_count, out, column);
        } else {
            evs_repeat_column(runs, run_count, &batch->columns[config->columns[i]], out, i, rows);
        }
    }
    return out;
}

static evs_status unnest_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct unnest *unnest = state;
    struct evs_row_run runs[EVS_BATCH_ROWS + 1]; /* the last one may turn out empty */
    struct evs_nested arrays[EVS_BATCH_ROWS + 1];
    EVS_ASSERT(input == 0);
    for (uint32_t emitted = 0; unnest->position < batch->selected_count; emitted++) {
        if (emitted == EMIT_BATCHES) {
            return EVS_MORE;
        }
        uint32_t rows, run_count = next_runs(unnest, evs_op_config(op), batch, runs, arrays, &rows);
        if (rows > 0) {
            evs_emit(op, 0, make_batch(op, batch, runs, arrays, run_count, rows));
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
