#include "op_rows.h"

uint32_t evs_rows_dead_letters(struct evs_op *op, const struct evs_batch *batch, const struct evs_eval *eval)
{
    const struct evs_expr_failure *failures;
    uint32_t count = evs_eval_failures(eval, &failures);
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_expr *expr = failures[i].expr;
        struct evs_row_error error = {
            .reason = failures[i].reason,
            .code = failures[i].code,
            .message = failures[i].message,
            .expression = expr == NULL ? NULL : expr->text,
            .file = expr == NULL ? NULL : expr->place.file,
            .line = expr == NULL ? 0 : expr->place.line,
        };
        evs_op_dead_letter(op, evs_op_input_schema(op, 0), batch, failures[i].row, &error);
    }
    return count;
}

uint32_t evs_rows_without_failed(const struct evs_batch *batch, const struct evs_eval *eval, uint16_t *selection)
{
    const struct evs_expr_failure *failures;
    uint32_t failed = evs_eval_failures(eval, &failures), next = 0, count = 0;
    EVS_FOR_ROWS(batch, position, row) {
        if (next < failed && failures[next].row == row) {
            next++;
            continue;
        }
        selection[count++] = (uint16_t)row;
    }
    EVS_ASSERT(next == failed);
    return count;
}
