/* select, extend, set, drop, rename.
 *
 * Algorithm: a column that is only renamed or kept is shared with the input; the others are outputs of one program. The output is a derived
 * batch: it keeps event times and causes, whatever happens to the columns. A row for which an expression fails goes to the dead letter, with
 * the expression's text and place.
 * State: none but the evaluator's scratch. Order: kept. Recovery: nothing to do. */
#include "op_project.h"

#include "op_rows.h"

struct project {
    struct evs_eval *eval; /* NULL: all items are copies */
    struct evs_column *computed;
};

static evs_status project_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct project *project = state;
    const struct evs_project_config *config = evs_op_config(op);
    (void)error;
    EVS_ASSERT(config->item_count == evs_op_schema(op)->count);
    if (config->program != NULL) {
        project->eval = evs_eval_new(config->program);
        project->computed = evs_alloc_zero(config->program_outputs * sizeof *project->computed);
    }
    return EVS_OK;
}

static void leave_out_failed(struct evs_op *op, struct project *project, const struct evs_batch *batch,
                             struct evs_batch *out)
{
    if (evs_rows_dead_letters(op, batch, project->eval) > 0) {
        uint16_t *selection = evs_arena_alloc(batch->arena, batch->row_count * sizeof *selection + 64, 64);
        out->selected_count = evs_rows_without_failed(batch, project->eval, selection);
        out->selection = selection;
    }
}

static evs_status project_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct project *project = state;
    const struct evs_project_config *config = evs_op_config(op);
    EVS_ASSERT(input == 0);
    struct evs_batch *out = evs_batch_derive(batch, config->item_count);
    if (project->eval != NULL) {
        evs_program_run(project->eval, batch, project->computed);
        leave_out_failed(op, project, batch, out);
    }
    for (uint32_t i = 0; i < config->item_count; i++) {
        const struct evs_project_item *item = &config->items[i];
        EVS_ASSERT(item->index < (item->is_copy ? batch->column_count : config->program_outputs));
        out->columns[i] = item->is_copy ? batch->columns[item->index] : project->computed[item->index];
    }
    evs_emit(op, 0, out);
    return EVS_OK;
}

static void project_close(struct evs_op *op, void *state)
{
    struct project *project = state;
    (void)op;
    if (project->eval != NULL) {
        evs_eval_free(project->eval);
    }
    evs_free(project->computed);
}

const struct evs_operator evs_op_project = {
    .kind = "select",
    .state_bytes = sizeof(struct project),
    .inputs_max = 1,
    .emit_max = 1,
    .open = project_open,
    .process = project_process,
    .close = project_close,
};
