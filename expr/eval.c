/* The running evaluation: steps on demand, for the rows that reach them.
 *
 * Nothing is computed before somebody needs it. and, or, case and coalesce ask for their later arguments with fewer
 * and fewer rows; a failure is therefore always one of a needed value. A step that is shared may be asked for again
 * with other rows: its slot remembers which rows it holds, and computes only those that are missing. The driving
 * rows of a run (the batch's selection) are the largest set there is, so a step that was computed for as many rows
 * holds all that can be asked for.
 *
 *   slot:  EMPTY ──► FULL        the usual way: all driving rows, an input column, a constant
 *            └─────► PART ──► …  computed inside a branch; `done` has the rows
 *
 * Rows that have failed are dropped at the next split: they are dead, and a row fails only once. */
#include <stdlib.h>

#include "json_access.h"
#include "kernel.h"
#include "regexp_cache.h"
#include "time_parts.h"
#include "unnest_query.h"

/* --- life --------------------------------------------------------------------------------------------------------- */

struct evs_eval *evs_eval_new(const struct evs_program *program)
{
    struct evs_eval *eval = evs_alloc_zero(sizeof *eval);
    eval->program = program;
    eval->slots = evs_alloc_zero(sizeof *eval->slots * (program->step_count + 1));
    eval->failures = evs_alloc_zero(sizeof *eval->failures * EVS_BATCH_ROWS);
    return eval;
}

void evs_eval_free(struct evs_eval *eval)
{
    if (eval == NULL) {
        return;
    }
    evs_json_access_free(eval->json);
    evs_nested_builder_fini(&eval->nested);
    for (uint32_t i = 0; i < eval->program->step_count; i++) {
        evs_inner_free(eval->slots[i].inner);
    }
    evs_regexp_cache_free(eval->regexps);
    evs_time_tools_free(eval->times);
    evs_buffer_fini(&eval->buffer);
    evs_arena_fini(&eval->scratch);
    evs_free(eval->failures);
    evs_free(eval->slots);
    evs_free(eval);
}

void evs_eval_begin(struct evs_eval *eval, const struct evs_batch *batch, struct evs_arena *text)
{
    EVS_ASSERT(batch->row_count <= EVS_BATCH_ROWS);
    EVS_ASSERT(batch->selected_count <= batch->row_count);
    evs_arena_reset(&eval->scratch);
    for (uint32_t i = 0; i < eval->program->step_count; i++) {
        eval->slots[i].state = EVS_SLOT_EMPTY;
    }
    eval->batch = batch;
    eval->text = text;
    eval->row_count = batch->row_count;
    eval->base =
        (struct evs_rows){batch->selected_count, batch->selected_count == batch->row_count ? NULL : batch->selection};
    if (eval->failure_count > 0) {
        memset(eval->failed, 0, sizeof eval->failed);
        eval->failure_count = 0;
    }
    eval->failures_sorted = true;
}

/* --- failures ----------------------------------------------------------------------------------------------------- */

void evs_eval_fail(struct evs_eval *eval, uint32_t row, enum evs_row outcome, const struct evs_expr *expr)
{
    if (evs_eval_failed(eval, row)) {
        return;
    }
    EVS_ASSERT(eval->failure_count < EVS_BATCH_ROWS);
    eval->failed[row / 64] |= UINT64_C(1) << (row % 64);
    if (eval->failure_count > 0 && eval->failures[eval->failure_count - 1].row > row) {
        eval->failures_sorted = false;
    }
    const struct evs_row_reason *why = evs_row_reason(outcome);
    eval->failures[eval->failure_count++] = (struct evs_expr_failure){
        .row = row, .reason = why->reason, .code = why->code, .message = why->message, .expr = expr};
}

static int compare_failures(const void *a, const void *b)
{
    const struct evs_expr_failure *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

uint32_t evs_eval_failures(const struct evs_eval *eval, const struct evs_expr_failure **failures)
{
    *failures = eval->failures;
    return eval->failure_count;
}

static void sort_failures(struct evs_eval *eval)
{
    if (!eval->failures_sorted) {
        qsort(eval->failures, eval->failure_count, sizeof *eval->failures, compare_failures);
        eval->failures_sorted = true;
    }
}

/* --- steps that are not calls ------------------------------------------------------------------------------------- */

/* The argument's truth, without NULLs: `on_null` for NULL, else value == wanted. */
static void run_is(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                   struct evs_column *result)
{
    const struct evs_column *argument = evs_eval_step(eval, step->arguments[0], rows);
    const bool is_null = step->kind == EVS_EXPR_IS_NULL;
    const uint8_t wanted = step->kind == EVS_EXPR_IS_TRUE;
    evs_eval_column(eval, step, result);
    uint8_t *out = result->data;
    if (argument->flags & EVS_COLUMN_CONSTANT) {
        const bool valid = evs_column_is_valid(argument, 0);
        result->flags |= EVS_COLUMN_CONSTANT;
        out[0] = is_null ? !valid : valid && *(const uint8_t *)argument->data == wanted;
        return;
    }
    const uint8_t *in = argument->data;
    for (uint32_t row = 0; row < eval->row_count; row++) {
        const bool valid = argument->valid == NULL || ((argument->valid[row / 64] >> (row % 64)) & 1);
        out[row] = is_null ? !valid : valid & ((in[row] & 1) == wanted);
    }
}

static void run_not(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                    struct evs_column *result)
{
    const struct evs_column *argument = evs_eval_step(eval, step->arguments[0], rows);
    evs_eval_column(eval, step, result);
    uint8_t *out = result->data;
    const uint8_t *in = argument->data;
    result->flags = argument->flags & EVS_COLUMN_CONSTANT;
    const uint32_t count = result->flags ? 1 : eval->row_count;
    for (uint32_t row = 0; row < count; row++) {
        out[row] = (in[row] & 1) ^ 1;
    }
    if (argument->valid != NULL) {
        result->valid = evs_eval_bitmap(eval, step, true);
        memcpy(result->valid, argument->valid, sizeof(uint64_t) * EVS_VALID_WORDS(count));
    }
}

/* A column that branches fill: NULL where none does. */
static void begin_scatter(struct evs_eval *eval, const struct evs_step *step, struct evs_column *result)
{
    evs_eval_column(eval, step, result);
    memset(result->data, 0, (size_t)eval->row_count * evs_kind_width(step->type));
    result->valid = evs_eval_bitmap(eval, step, false);
}

static void set_rows(struct evs_column *result, const uint16_t *rows, uint32_t count, uint8_t value)
{
    uint8_t *out = result->data;
    for (uint32_t i = 0; i < count; i++) {
        out[rows[i]] = value;
        result->valid[rows[i] / 64] |= UINT64_C(1) << (rows[i] % 64);
    }
}

static void clear_valid(struct evs_column *result, const uint16_t *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_column_set_null(result, rows[i]);
    }
}

/* and, or: the decisive value (false for and, true for or) ends a row; NULL is remembered and goes on, because a
 * later decisive value would still win. */
static void run_and_or(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                       struct evs_column *result)
{
    const bool is_and = step->kind == EVS_EXPR_AND;
    begin_scatter(eval, step, result);
    uint16_t *undecided = evs_rows_new(eval), *next = evs_rows_new(eval);
    uint16_t *decided = evs_rows_new(eval), *passed = evs_rows_new(eval), *null = evs_rows_new(eval),
             *nulls = evs_rows_new(eval);
    uint16_t *spare = evs_rows_new(eval);
    uint32_t nulls_count = 0;
    struct evs_rows left = *rows;
    for (uint32_t i = 0; i < step->argument_count && left.count > 0; i++) {
        const struct evs_column *argument = evs_eval_step(eval, step->arguments[i], &left);
        struct evs_split split = {.yes = is_and ? passed : decided, .no = is_and ? decided : passed, .null = null};
        evs_rows_split(eval, argument, &left, &split);
        set_rows(result, decided, is_and ? split.no_count : split.yes_count, !is_and);
        const uint32_t merged = evs_rows_merge(nulls, nulls_count, null, split.null_count, spare);
        uint16_t *swap = nulls;
        nulls = spare;
        spare = swap;
        nulls_count = merged;
        const uint32_t count =
            evs_rows_merge(passed, is_and ? split.yes_count : split.no_count, null, split.null_count, next);
        left = (struct evs_rows){count, next};
        swap = undecided;
        undecided = next;
        next = swap;
    }
    EVS_ASSERT(left.count == 0 || left.index == undecided);
    set_rows(result, undecided, left.count, is_and);
    /* A row that was NULL once and then decided keeps its decision: only the undecided become NULL. */
    uint32_t kept = 0;
    for (uint32_t i = 0, j = 0; i < left.count; i++) {
        while (j < nulls_count && nulls[j] < undecided[i]) {
            j++;
        }
        spare[kept] = undecided[i];
        kept += j < nulls_count && nulls[j] == undecided[i];
    }
    clear_valid(result, spare, kept);
}

/* Adds the branch's values for `rows` to the result. */
static void take_branch(struct evs_eval *eval, uint32_t branch, const struct evs_rows *rows, struct evs_column *result)
{
    if (rows->count > 0) {
        evs_rows_scatter(result, evs_eval_step(eval, branch, rows), rows);
    }
}

static void run_case(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                     struct evs_column *result)
{
    EVS_ASSERT(step->argument_count % 2 == 1);
    begin_scatter(eval, step, result);
    struct evs_rows left = *rows;
    for (uint32_t i = 0; i + 1 < step->argument_count && left.count > 0; i += 2) {
        const struct evs_column *condition = evs_eval_step(eval, step->arguments[i], &left);
        uint16_t *no = evs_rows_new(eval), *null = evs_rows_new(eval), *rest = evs_rows_new(eval);
        struct evs_split split = {.yes = evs_rows_new(eval), .no = no, .null = null};
        evs_rows_split(eval, condition, &left, &split);
        take_branch(eval, step->arguments[i + 1], &(struct evs_rows){split.yes_count, split.yes}, result);
        left = (struct evs_rows){evs_rows_merge(no, split.no_count, null, split.null_count, rest), rest};
    }
    take_branch(eval, step->arguments[step->argument_count - 1], &left, result);
}

static void run_coalesce(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                         struct evs_column *result)
{
    begin_scatter(eval, step, result);
    struct evs_rows left = *rows;
    for (uint32_t i = 0; i < step->argument_count && left.count > 0; i++) {
        const struct evs_column *argument = evs_eval_step(eval, step->arguments[i], &left);
        uint16_t *there = evs_rows_new(eval), *missing = evs_rows_new(eval);
        uint32_t there_count = 0, missing_count = 0;
        EVS_EACH_ROW(&left, row)
        {
            const bool valid = evs_column_is_valid(argument, row);
            there[there_count] = missing[missing_count] = (uint16_t)row;
            there_count += valid;
            missing_count += !valid && !evs_eval_failed(eval, row);
        }
        evs_rows_scatter(result, argument, &(struct evs_rows){there_count, there});
        left = (struct evs_rows){missing_count, missing};
    }
}

static void run_step(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                     struct evs_column *result)
{
    switch (step->kind) {
    case EVS_EXPR_COLUMN:
        EVS_ASSERT(step->column < eval->batch->column_count);
        *result = eval->batch->columns[step->column];
        EVS_ASSERT(result->kind == step->type);
        break;
    case EVS_EXPR_EVENT_TIME:
        *result = (struct evs_column){.kind = EVS_TIMESTAMP, .data = eval->batch->event_time_us};
        break;
    case EVS_EXPR_CONSTANT:
        *result = step->constant;
        break;
    case EVS_EXPR_CALL:
    case EVS_EXPR_CAST:
        evs_call_run(eval, step, rows, result);
        break;
    case EVS_EXPR_AND:
    case EVS_EXPR_OR:
        run_and_or(eval, step, rows, result);
        break;
    case EVS_EXPR_NOT:
        run_not(eval, step, rows, result);
        break;
    case EVS_EXPR_IS_NULL:
    case EVS_EXPR_IS_TRUE:
    case EVS_EXPR_IS_FALSE:
        run_is(eval, step, rows, result);
        break;
    case EVS_EXPR_CASE:
        run_case(eval, step, rows, result);
        break;
    case EVS_EXPR_COALESCE:
        run_coalesce(eval, step, rows, result);
        break;
    case EVS_EXPR_IN:
        evs_in_run(eval, step, rows, result);
        break;
    }
}

/* --- slots -------------------------------------------------------------------------------------------------------- */

static void mark_done(struct evs_slot *slot, const struct evs_rows *rows)
{
    EVS_EACH_ROW(rows, row)
    {
        slot->done[row / 64] |= UINT64_C(1) << (row % 64);
    }
}

/* Computes the rows that the slot does not hold yet. */
static void complete_slot(struct evs_eval *eval, const struct evs_step *step, struct evs_slot *slot,
                          const struct evs_rows *rows)
{
    uint16_t *index = evs_rows_new(eval);
    uint32_t count = 0;
    EVS_EACH_ROW(rows, row)
    {
        index[count] = (uint16_t)row;
        count += !((slot->done[row / 64] >> (row % 64)) & 1);
    }
    if (count == 0) {
        return;
    }
    const struct evs_rows missing = {count, index};
    struct evs_column fresh = {0};
    run_step(eval, step, &missing, &fresh);
    if (slot->column.flags & EVS_COLUMN_CONSTANT) {
        EVS_ASSERT(fresh.flags & EVS_COLUMN_CONSTANT); /* the arguments are as constant as they were */
    } else {
        if (fresh.valid != NULL && slot->column.valid == NULL) {
            slot->column.valid = evs_eval_bitmap(eval, step, true);
        }
        evs_rows_scatter(&slot->column, &fresh, &missing);
    }
    mark_done(slot, &missing);
}

const struct evs_column *evs_eval_step(struct evs_eval *eval, uint32_t index, const struct evs_rows *rows)
{
    EVS_ASSERT(index < eval->program->step_count);
    const struct evs_step *step = &eval->program->steps[index];
    struct evs_slot *slot = &eval->slots[index];
    if (slot->state == EVS_SLOT_FULL) {
        return &slot->column;
    }
    if (slot->state == EVS_SLOT_PART) {
        complete_slot(eval, step, slot, rows);
        return &slot->column;
    }
    run_step(eval, step, rows, &slot->column);
    const bool for_all = rows->count == eval->base.count || step->argument_count == 0 ||
                         ((slot->column.flags & EVS_COLUMN_CONSTANT) && !step->fallible);
    if (for_all) {
        slot->state = EVS_SLOT_FULL;
    } else if (step->again) {
        slot->state = EVS_SLOT_PART;
        memset(slot->done, 0, sizeof slot->done);
        mark_done(slot, rows);
    }
    return &slot->column;
}

/* --- runs --------------------------------------------------------------------------------------------------------- */

/* A constant belongs to the program; what leaves with a batch must live as long as the batch. Its text may stay: a
 * plan outlives all batches. */
static void copy_constant(const struct evs_batch *batch, struct evs_column *column)
{
    const uint32_t width = evs_kind_width(column->kind);
    void *data = EVS_ARENA_COLUMN(batch->arena, width);
    memcpy(data, column->data, width);
    column->data = data;
    if (column->valid != NULL) {
        uint64_t *valid = EVS_ARENA_ARRAY(batch->arena, uint64_t, 1);
        valid[0] = column->valid[0];
        column->valid = valid;
    }
}

void evs_program_run(struct evs_eval *eval, const struct evs_batch *batch, struct evs_column *columns)
{
    evs_eval_begin(eval, batch, batch->arena);
    for (uint32_t i = 0; i < eval->program->output_count; i++) {
        const uint32_t output = eval->program->outputs[i];
        columns[i] = *evs_eval_step(eval, output, &eval->base);
        if (eval->program->steps[output].kind == EVS_EXPR_CONSTANT) {
            copy_constant(batch, &columns[i]);
        }
    }
    sort_failures(eval);
}

/* --- the predicate ------------------------------------------------------------------------------------------------ */

static uint32_t filter_step(struct evs_eval *eval, uint32_t index, const struct evs_rows *rows, uint16_t *out);

static uint32_t drop_failed(const struct evs_eval *eval, uint16_t *rows, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        rows[kept] = rows[i];
        kept += !evs_eval_failed(eval, rows[i]);
    }
    return kept;
}

/* and, when nothing after the first argument can fail: each argument narrows the rows. Where a later one may fail, a
 * NULL row must go on as it does in evs_program_run, and the column is computed. */
static uint32_t filter_and(struct evs_eval *eval, const struct evs_step *step, const struct evs_rows *rows,
                           uint16_t *out)
{
    struct evs_rows left = *rows;
    for (uint32_t i = 0; i < step->argument_count; i++) {
        uint16_t *next = evs_rows_new(eval);
        const uint32_t count = filter_step(eval, step->arguments[i], &left, next);
        left = (struct evs_rows){count, next};
    }
    EVS_ASSERT(left.index != NULL); /* there is no and of nothing */
    memcpy(out, left.index, left.count * sizeof *out);
    return left.count;
}

static bool later_arguments_fail(const struct evs_eval *eval, const struct evs_step *step)
{
    for (uint32_t i = 1; i < step->argument_count; i++) {
        if (eval->program->steps[step->arguments[i]].fallible) {
            return true;
        }
    }
    return false;
}

/* The rows for which the step is true. */
static uint32_t filter_step(struct evs_eval *eval, uint32_t index, const struct evs_rows *rows, uint16_t *out)
{
    const struct evs_step *step = &eval->program->steps[index];
    if (step->kind == EVS_EXPR_AND && !step->again && !later_arguments_fail(eval, step)) {
        return filter_and(eval, step, rows, out);
    }
    return evs_rows_true(evs_eval_step(eval, index, rows), rows, out);
}

uint32_t evs_program_filter(struct evs_eval *eval, const struct evs_batch *batch, uint16_t *selection)
{
    EVS_ASSERT(eval->program->output_count >= 1);
    EVS_ASSERT(eval->program->steps[eval->program->outputs[0]].type == EVS_BOOL);
    evs_eval_begin(eval, batch, &eval->scratch);
    uint32_t count = filter_step(eval, eval->program->outputs[0], &eval->base, selection);
    if (eval->failure_count > 0) {
        count = drop_failed(eval, selection, count);
        sort_failures(eval);
    }
    return count;
}
