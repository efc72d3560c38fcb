/* call tumble(…), hop(…), cumulate(…): windows without an aggregate.
 *
 * Algorithm. A tumbling window is two columns more; all others are shared. A row of a hop or cumulate goes on once for each window that it lies in, the
 * youngest first, before the next row: so the order does not show how rows were cut into batches, whatever decides on arrival behind.
 *
 *      rows  a b c        hop: a in 2 windows, b in 1, c in 2         out  a1 a2 b1 c1 c2
 *
 * Event time and cause are the row's; the copies of a row are told apart by ordinal and key (row_repeat.h). Nothing is late here: who groups, joins or
 * ranks by window_start and window_end judges.
 * State: only where the emission of a batch goes on when the output credit is used up. Failure: none. Rejected: the batch once for each
 * layer of windows, which shares the columns; its order depends on the batches. */
#include "op_window.h"

#include "row_repeat.h"

#define EMIT_BATCHES 4u

struct window_state {
    uint32_t position;    /* in the selection: of the row that comes next */
    uint32_t copy;        /* windows of that row that are out */
    struct evs_span span; /* the last one of them */
};

static const struct evs_window_config *config_of(const struct evs_op *op)
{
    return evs_op_config(op);
}

static int64_t *add_column(struct evs_batch *batch, uint32_t number)
{
    if (number == EVS_WINDOW_UNSEEN) {
        return NULL;
    }
    EVS_ASSERT(number < batch->column_count);
    batch->columns[number] = (struct evs_column){0};
    evs_column_init(&batch->columns[number], batch, EVS_TIMESTAMP, batch->row_count, false);
    return batch->columns[number].data;
}

/* --- one window a row ------------------------------------------------------------------------------------------------------------------ */

static void emit_tumbles(struct evs_op *op, struct evs_batch *batch)
{
    const struct evs_window_config *config = config_of(op);
    struct evs_batch *out = evs_batch_derive(batch, evs_op_schema(op)->count);
    int64_t *start = add_column(out, config->start_column), *end = add_column(out, config->end_column);
    EVS_FOR_ROWS(batch, position, row) {
        struct evs_span span = evs_window_tumble(&config->window, batch->event_time_us[row]);
        if (start != NULL) {
            start[row] = span.start_us;
        }
        if (end != NULL) {
            end[row] = span.end_us;
        }
    }
    evs_emit(op, 0, out);
}

/* --- several ---------------------------------------------------------------------------------------------------------------------------- */

/* The row's next window; false when it has no other. */
static bool next_window(struct window_state *state, const struct evs_window *window, int64_t time_us)
{
    return state->copy == 0 ? evs_window_last(window, time_us, &state->span)
                            : evs_window_before(window, time_us, &state->span);
}

/* The next copies, up to a batch. */
struct copies {
    struct evs_row_run runs[EVS_BATCH_ROWS + 1]; /* the last one may turn out empty */
    struct evs_span spans[EVS_BATCH_ROWS];       /* one a copy */
    uint32_t run_count, count;
};

static void take_copies(struct window_state *state, const struct evs_window *window, const struct evs_batch *batch,
                        struct copies *copies)
{
    copies->run_count = copies->count = 0;
    while (state->position < batch->selected_count && copies->count < EVS_BATCH_ROWS) {
        uint32_t row = batch->selection != NULL ? batch->selection[state->position] : state->position;
        struct evs_row_run *run = &copies->runs[copies->run_count];
        *run = (struct evs_row_run){.row = row, .first = state->copy};
        bool has_more = true;
        while (copies->count < EVS_BATCH_ROWS && (has_more = next_window(state, window, batch->event_time_us[row]))) {
            copies->spans[copies->count++] = state->span;
            state->copy++;
            run->count++;
        }
        copies->run_count += run->count > 0;
        if (!has_more) {
            state->position++;
            state->copy = 0;
        }
    }
}

static void emit_copies(struct evs_op *op, const struct evs_batch *batch, const struct copies *copies)
{
    const struct evs_window_config *config = config_of(op);
    struct evs_batch *out = evs_repeat_rows(op, batch, copies->runs, copies->run_count, copies->count);
    for (uint32_t i = 0; i < batch->column_count; i++) {
        evs_repeat_column(copies->runs, copies->run_count, &batch->columns[i], out, i, copies->count);
    }
    int64_t *start = add_column(out, config->start_column), *end = add_column(out, config->end_column);
    for (uint32_t i = 0; i < copies->count; i++) {
        if (start != NULL) {
            start[i] = copies->spans[i].start_us;
        }
        if (end != NULL) {
            end[i] = copies->spans[i].end_us;
        }
    }
    evs_emit(op, 0, out);
}

static evs_status window_process(struct evs_op *op, void *memory, uint32_t input, struct evs_batch *batch)
{
    struct window_state *state = memory;
    const struct evs_window *window = &config_of(op)->window;
    struct copies copies;
    EVS_ASSERT(input == 0);
    if (window->kind == EVS_WINDOW_TUMBLE) {
        emit_tumbles(op, batch);
        return EVS_OK;
    }
    for (uint32_t emitted = 0; state->position < batch->selected_count; emitted++) {
        if (emitted == EMIT_BATCHES) {
            return EVS_MORE;
        }
        take_copies(state, window, batch, &copies);
        if (copies.count > 0) {
            emit_copies(op, batch, &copies);
        }
    }
    *state = (struct window_state){0};
    return EVS_OK;
}

const struct evs_operator evs_op_window = {
    .kind = "window",
    .state_bytes = sizeof(struct window_state),
    .inputs_max = 1,
    .emit_max = EMIT_BATCHES,
    .process = window_process,
};
