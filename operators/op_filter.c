/* where.
 *
 * Algorithm: the predicate runs over the batch and gives the numbers of the rows for which it is true; the output is the same batch with that
 * selection. Nothing is copied. NULL counts as false. A row for which the predicate fails goes to the dead letter.
 * State: none but the evaluator's scratch. Order: kept. Recovery: nothing to do. */
#include "op_filter.h"

#include "op_rows.h"

struct filter {
    struct evs_eval *eval;
};

static evs_status filter_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct filter *filter = state;
    const struct evs_filter_config *config = evs_op_config(op);
    (void)error;
    filter->eval = evs_eval_new(config->predicate);
    return EVS_OK;
}

static evs_status filter_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct filter *filter = state;
    EVS_ASSERT(input == 0);
    uint16_t *selection = evs_arena_alloc(batch->arena, batch->row_count * sizeof *selection + 64, 64);
    uint32_t count = evs_program_filter(filter->eval, batch, selection);
    EVS_ASSERT(count <= batch->selected_count);
    evs_rows_dead_letters(op, batch, filter->eval);
    if (count == batch->selected_count) {
        evs_emit(op, 0, evs_batch_ref(batch));
        return EVS_OK;
    }
    if (count == 0) {
        return EVS_OK;
    }
    struct evs_batch *kept = evs_batch_derive(batch, batch->column_count);
    kept->selection = selection;
    kept->selected_count = count;
    evs_emit(op, 0, kept);
    return EVS_OK;
}

static void filter_close(struct evs_op *op, void *state)
{
    struct filter *filter = state;
    (void)op;
    if (filter->eval != NULL) {
        evs_eval_free(filter->eval);
    }
}

const struct evs_operator evs_op_filter = {
    .kind = "where",
    .state_bytes = sizeof(struct filter),
    .inputs_max = 1,
    .emit_max = 1,
    .open = filter_open,
    .process = filter_process,
    .close = filter_close,
};
