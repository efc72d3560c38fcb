/* Running one call: the driver of all kernels.
 *
 * For a strict function the validity of the result is the AND of the arguments' bitmaps, wordwise. A dense kernel
 * then runs over all physical rows; a row kernel over those needed rows that are valid. When all arguments are
 * constants one row is computed and stands for all; what became of it (a failure, say) became of every needed row. */
#include "kernel.h"

uint64_t *evs_eval_bitmap(struct evs_eval *eval, const struct evs_step *step, bool ones)
{
    const size_t bytes = sizeof(uint64_t) * EVS_VALID_WORDS(EVS_BATCH_ROWS);
    uint64_t *bits = evs_arena_alloc(evs_eval_arena(eval, step), bytes, 64);
    memset(bits, ones ? 0xff : 0, bytes);
    return bits;
}

void evs_eval_column(struct evs_eval *eval, const struct evs_step *step, struct evs_column *column)
{
    const size_t rows = eval->row_count > 0 ? eval->row_count : 1;
    *column = (struct evs_column){
        .kind = step->type,
        .data = EVS_ARENA_COLUMN(evs_eval_arena(eval, step), rows * evs_kind_width(step->type)),
    };
}

static void set_null(struct evs_call *call, uint32_t row)
{
    if (call->result->valid == NULL) {
        call->result->valid = evs_eval_bitmap(call->eval, call->step, true);
    }
    evs_column_set_null(call->result, row);
}

void evs_call_outcome(struct evs_call *call, uint32_t row, enum evs_row outcome)
{
    EVS_ASSERT(outcome != EVS_ROW_OK);
    EVS_ASSERT(row < call->row_count);
    set_null(call, row);
    /* A row that holds no value must still hold a harmless one: parents may look at it before they look at the
     * bitmap. */
    const uint32_t width = evs_kind_width(call->result->kind);
    memset((char *)call->result->data + (size_t)row * width, 0, width);
    if (call->all_constant) {
        call->constant_outcome = outcome;
    } else if (outcome > EVS_ROW_NULL && !call->step->safe) {
        evs_eval_fail(call->eval, row, outcome, call->step->expr);
    }
}

/* The validity that follows from the arguments. True when the result is NULL for every row. */
static bool combine_validity(struct evs_call *call)
{
    uint64_t *valid = NULL;
    const uint32_t words = EVS_VALID_WORDS(call->row_count);
    for (uint32_t i = 0; i < call->argument_count; i++) {
        const struct evs_column *argument = call->arguments[i];
        if (argument->valid == NULL) {
            continue;
        }
        if (argument->flags & EVS_COLUMN_CONSTANT) {
            if ((argument->valid[0] & 1) == 0) {
                return true;
            }
            continue;
        }
        if (valid == NULL) {
            valid = evs_eval_bitmap(call->eval, call->step, true);
        }
        for (uint32_t w = 0; w < words; w++) {
            valid[w] &= argument->valid[w];
        }
    }
    call->result->valid = valid;
    return false;
}

static void make_constant_null(struct evs_call *call)
{
    memset(call->result->data, 0, evs_kind_width(call->result->kind));
    call->result->valid = evs_eval_bitmap(call->eval, call->step, false);
    call->result->flags |= EVS_COLUMN_CONSTANT;
}

/* All arguments are constant: one row is computed for all. */
static void run_constant(struct evs_call *call, const struct evs_rows *rows)
{
    const struct evs_rows one = {1, NULL};
    call->all_constant = true;
    call->rows = one;
    call->needed = &one;
    call->step->overload->kernel(call);
    call->result->flags |= EVS_COLUMN_CONSTANT;
    if (call->constant_outcome > EVS_ROW_NULL && !call->step->safe) {
        EVS_EACH_ROW(rows, row)
        {
            evs_eval_fail(call->eval, row, call->constant_outcome, call->step->expr);
        }
    }
}

/* The needed rows whose arguments are all there. */
static struct evs_rows valid_rows(struct evs_call *call, const struct evs_rows *rows)
{
    const uint64_t *valid = call->result->valid;
    if (valid == NULL) { /* no NULL among the arguments, or the function sees them */
        return *rows;
    }
    uint16_t *index = evs_rows_new(call->eval);
    uint32_t count = 0;
    EVS_EACH_ROW(rows, row)
    {
        index[count] = (uint16_t)row;
        count += (valid[row / 64] >> (row % 64)) & 1;
    }
    return (struct evs_rows){count, index};
}

/* A column whose unneeded rows are read by somebody must not hold wild string views there. */
static void run_rows(struct evs_call *call, const struct evs_rows *rows)
{
    call->needed = rows;
    if (call->step->overload->flags & EVS_CALL_DENSE) {
        const bool dense = rows->count >= call->row_count / 4;
        call->rows = dense ? (struct evs_rows){call->row_count, NULL} : *rows;
    } else {
        call->rows = valid_rows(call, rows);
    }
    call->step->overload->kernel(call);
}

void evs_call_run(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                  struct evs_column *result)
{
    const struct evs_column *arguments[step->argument_count + 1];
    bool constant = true;
    for (uint32_t i = 0; i < step->argument_count; i++) {
        arguments[i] = evs_eval_step(eval, step->arguments[i], rows);
        constant = constant && (arguments[i]->flags & EVS_COLUMN_CONSTANT);
    }
    evs_eval_column(eval, step, result);
    struct evs_call call = {
        .eval = eval,
        .step = step,
        .arguments = arguments,
        .argument_count = step->argument_count,
        .result = result,
        .row_count = constant ? 1 : eval->row_count,
    };
    const bool strict = !(step->overload->flags & EVS_CALL_SEES_NULL);
    if (strict && combine_validity(&call)) {
        make_constant_null(&call);
    } else if (constant) {
        run_constant(&call, rows);
    } else {
        run_rows(&call, rows);
    }
}
