/* call tumble(…), hop(…), cumulate(…): windows without an aggregate.
 *
 * Algorithm. A batch goes on with two columns more, the ends of each row's youngest window; all others are shared. A row that lies in more windows comes again:
 * the batch goes on a second time with the rows that have a second window, then with those that have a third, … So nothing is copied but the two
 * columns, and a batch in n windows a row costs n small batches.
 *
 *      rows  a b c        hop: a in 2 windows, b in 1, c in 2
 *      1st   a b c        each with its youngest
 *      2nd   a   c        with the one before
 *
 * Order: of a row's windows the youngest first. Event time and cause are the row's; the copies of a row are told apart by their ordinal, so that
 * ids of triggers stay apart. Nothing is late here: who groups, joins or ranks by window_start and window_end judges.
 * State: only where the emission of a batch goes on when the output credit is used up. Failure: none. */
#include "op_window.h"

#define EMIT_BATCHES 4u

struct window_state {
    uint32_t layer; /* windows of the batch at hand that are out */
    uint32_t count; /* rows that have one more */
    uint16_t rows[EVS_BATCH_ROWS];
    struct evs_span spans[EVS_BATCH_ROWS]; /* of rows[i] */
};

static const struct evs_window_config *config_of(const struct evs_op *op)
{
    return evs_op_config(op);
}

static void first_windows(struct window_state *state, const struct evs_window *window, const struct evs_batch *batch)
{
    state->count = 0;
    EVS_FOR_ROWS(batch, position, row) {
        if (evs_window_last(window, batch->event_time_us[row], &state->spans[state->count])) {
            state->rows[state->count++] = (uint16_t)row;
        }
    }
}

static void next_windows(struct window_state *state, const struct evs_window *window, const struct evs_batch *batch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->count; i++) {
        struct evs_span span = state->spans[i];
        uint16_t row = state->rows[i];
        if (evs_window_before(window, batch->event_time_us[row], &span)) {
            state->rows[count] = row;
            state->spans[count++] = span;
        }
    }
    state->count = count;
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

/* Copies of a row have the row's ordinal above 16 bits, and their own number below. */
static void number_copies(struct evs_batch *batch, const struct window_state *state)
{
    uint32_t *ordinal = evs_arena_alloc(batch->arena, batch->row_count * sizeof *ordinal, 64);
    for (uint32_t i = 0; i < state->count; i++) {
        uint32_t row = state->rows[i];
        ordinal[row] = (batch->ordinal == NULL ? 0 : batch->ordinal[row] << 16) + state->layer;
    }
    batch->ordinal = ordinal;
}

static void emit_layer(struct evs_op *op, const struct window_state *state, struct evs_batch *batch)
{
    const struct evs_window_config *config = config_of(op);
    struct evs_batch *out = evs_batch_derive(batch, evs_op_schema(op)->count);
    int64_t *start = add_column(out, config->start_column), *end = add_column(out, config->end_column);
    uint16_t *selection = evs_arena_alloc(batch->arena, state->count * sizeof *selection + 64, 64);
    for (uint32_t i = 0; i < state->count; i++) {
        uint32_t row = selection[i] = state->rows[i];
        if (start != NULL) {
            start[row] = state->spans[i].start_us;
        }
        if (end != NULL) {
            end[row] = state->spans[i].end_us;
        }
    }
    if (config->window.kind != EVS_WINDOW_TUMBLE) {
        number_copies(out, state);
    }
    out->selection = selection;
    out->selected_count = state->count;
    evs_emit(op, 0, out);
}

static evs_status window_process(struct evs_op *op, void *memory, uint32_t input, struct evs_batch *batch)
{
    struct window_state *state = memory;
    const struct evs_window *window = &config_of(op)->window;
    EVS_ASSERT(input == 0);
    if (state->layer == 0) {
        first_windows(state, window, batch);
    }
    for (uint32_t emitted = 0; state->count > 0; emitted++) {
        if (emitted == EMIT_BATCHES) {
            return EVS_MORE;
        }
        emit_layer(op, state, batch);
        state->layer++;
        next_windows(state, window, batch);
    }
    state->layer = 0;
    return EVS_OK;
}

const struct evs_operator evs_op_window = {
    .kind = "window",
    .state_bytes = sizeof(struct window_state),
    .inputs_max = 1,
    .emit_max = EMIT_BATCHES,
    .process = window_process,
};
