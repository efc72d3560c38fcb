/* assert.
 *
 * Algorithm: the condition runs over the batch. Rows for which it is true go on; a row for which it is false or NULL goes to the dead letter,
 * reason `assertion`, with the message that the pipeline gives behind the condition's text; it is computed for such rows alone. A row for which the condition itself fails
 * goes there with its own reason.
 * State: none but the evaluators' scratch. Order: kept. Recovery: nothing to do. */
#include "op_assert.h"

#include "op_rows.h"

struct assertion {
    struct evs_eval *condition, *message; /* message may be NULL */
    struct evs_buffer text;
};

static evs_status assert_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct assertion *assertion = state;
    const struct evs_assert_config *config = evs_op_config(op);
    (void)error;
    assertion->condition = evs_eval_new(config->condition);
    if (config->message != NULL) {
        assertion->message = evs_eval_new(config->message);
    }
    return EVS_OK;
}

/* The selected rows that are neither true nor failed: `kept` and the failures are ascending, as the selection is. */
static uint32_t broken_rows(const struct assertion *assertion, const struct evs_batch *batch, const uint16_t *kept,
                            uint32_t kept_count, uint16_t *broken)
{
    const struct evs_expr_failure *failures;
    uint32_t failed = evs_eval_failures(assertion->condition, &failures), next_failed = 0, next_kept = 0, count = 0;
    EVS_FOR_ROWS(batch, position, row) {
        if (next_kept < kept_count && kept[next_kept] == row) {
            next_kept++;
        } else if (next_failed < failed && failures[next_failed].row == row) {
            next_failed++;
        } else {
            broken[count++] = (uint16_t)row;
        }
    }
    return count;
}

static void dead_letter(struct evs_op *op, struct assertion *assertion, const struct evs_batch *batch, uint32_t row,
                        const struct evs_column *message)
{
    const struct evs_assert_config *config = evs_op_config(op);
    struct evs_row_error error = {
        .reason = "assertion", .code = "R0301", .expression = config->text, .file = config->file, .line = config->line};
    assertion->text.count = 0;
    if (message != NULL && evs_column_is_valid(message, row)) { /* "price > 0: the price of 7 is -1" */
        const struct evs_str *text = EVS_COLUMN_AT(message, struct evs_str, row);
        evs_buffer_printf(&assertion->text, "%s: %.*s", config->text, (int)text->count, evs_str_data(text));
        evs_buffer_put(&assertion->text, "", 1);
        error.expression = assertion->text.data;
    }
    evs_op_dead_letter(op, evs_op_input_schema(op, 0), batch, row, &error);
}

/* A message that cannot be computed is left out: the row is dead already. */
static void tell_broken(struct evs_op *op, struct assertion *assertion, struct evs_batch *batch, const uint16_t *broken,
                        uint32_t count)
{
    struct evs_column message = {0};
    uint64_t failed[EVS_VALID_WORDS(EVS_BATCH_ROWS)] = {0};
    if (assertion->message != NULL) {
        struct evs_batch *some = evs_batch_derive(batch, batch->column_count);
        some->selection = broken;
        some->selected_count = count;
        evs_program_run(assertion->message, some, &message);
        evs_batch_unref(some);
        const struct evs_expr_failure *failures;
        uint32_t failures_count = evs_eval_failures(assertion->message, &failures);
        for (uint32_t i = 0; i < failures_count; i++) {
            failed[failures[i].row / 64] |= UINT64_C(1) << (failures[i].row % 64);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        bool is_told = assertion->message != NULL && ((failed[broken[i] / 64] >> (broken[i] % 64)) & 1) == 0;
        dead_letter(op, assertion, batch, broken[i], is_told ? &message : NULL);
    }
}

static evs_status assert_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct assertion *assertion = state;
    EVS_ASSERT(input == 0);
    uint16_t *kept = evs_arena_alloc(batch->arena, batch->row_count * sizeof *kept + 64, 64);
    uint32_t count = evs_program_filter(assertion->condition, batch, kept);
    if (count == batch->selected_count) {
        evs_emit(op, 0, evs_batch_ref(batch));
        return EVS_OK;
    }
    uint16_t *broken = evs_arena_alloc(batch->arena, batch->row_count * sizeof *broken + 64, 64);
    uint32_t broken_count = broken_rows(assertion, batch, kept, count, broken);
    evs_rows_dead_letters(op, batch, assertion->condition);
    if (broken_count > 0) {
        tell_broken(op, assertion, batch, broken, broken_count);
    }
    if (count > 0) {
        struct evs_batch *out = evs_batch_derive(batch, batch->column_count);
        out->selection = kept;
        out->selected_count = count;
        evs_emit(op, 0, out);
    }
    return EVS_OK;
}

static void assert_close(struct evs_op *op, void *state)
{
    struct assertion *assertion = state;
    (void)op;
    if (assertion->condition != NULL) {
        evs_eval_free(assertion->condition);
    }
    if (assertion->message != NULL) {
        evs_eval_free(assertion->message);
    }
    evs_buffer_fini(&assertion->text);
}

const struct evs_operator evs_op_assert = {
    .kind = "assert",
    .state_bytes = sizeof(struct assertion),
    .inputs_max = 1,
    .emit_max = 1,
    .open = assert_open,
    .process = assert_process,
    .close = assert_close,
};
