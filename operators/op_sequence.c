/* sequence by …: events of a key one after another, with absence (language, "Sequences").
 *
 * Algorithm. Rows of a key are taken in the key's order, when the watermark has passed them (keyed_rows.h). A row is offered to each open attempt of
 * its key, oldest first, and then may open one; what it means to an attempt is said in sequence_attempt.h. Each attempt has at most one deadline.
 * Released rows and deadlines together are one list of events in order of time, rows first where times are equal (`within` is inclusive):
 *
 *      rows ─────────┐
 *                    ├──► run: up to 512 events of different keys ──► questions, answered by condition ──► applied in order ──► results
 *      deadlines ────┘
 *
 * A condition that looks at the row alone has been evaluated on arrival. One that looks at earlier steps as well is a question (row, attempt): the
 * questions of a whole run are answered in one evaluation a condition, which is possible because events of different keys do not touch
 * each other.
 *
 * Results are emitted in the order of the events, so in event-time order. The event time of a match is that of its last row; of an absence, of a last step that
 * could have had more rows, and of a timeout: the deadline. Their cause is a window, from the attempt's first row to the event time, and
 * their identity in a trigger's id is the whole first row: each row opens at most one attempt, and each attempt gives at most one result,
 * so ids are unique, and a replay gives the same ones.
 *
 * After a match, `skip past last row` drops every attempt that was opened at or before its last row, older ones too; the row that completed it
 * opens none.
 *
 * An attempt that cannot win is not opened: when an older attempt has just taken the same row for an unbounded first step, and nothing ties the
 * attempt to its beginning (no `within` in front or on the first step, no timeouts, no condition on the first step's rows), then whatever
 * completes the younger one completes the older one at the same moment. So `cart+` costs one attempt a key and not one a cart.
 *
 * Memory. An open attempt takes its struct, 4 bytes a step and 8 a row, 16 of slots and 16 of heap; a row takes 24 and itself, with only those columns that a
 * condition or the select asks for, and is shared by all attempts of its key; a key takes 56 bytes, its key columns and 16 of directory.
 * Measured (bench_sequence): 322 bytes for a million attempts of one row with two int64 columns.
 * Bound: every attempt has a deadline (else the pipeline is refused), attempts of a key and rows of an attempt are limited; what a limit leaves
 * out is counted: a row beyond attempts_max opens none, an attempt with rows_max rows takes no more.
 *
 * Snapshots: pending rows (keyed_rows.h), and an attempt with its rows as one record, put again when it has changed, deleted when it is gone. Rows that
 * attempts share are written with each and shared again after a restore. Timers are rebuilt.
 *
 * Late rows (below the larger of the watermark of their partition and ours) are not taken; `late into` shows them. A NULL in the key: left
 * out and counted, or all anonymous visitors would be one person. */
#include "op_sequence.h"

#include "evstream/trace.h"
#include "row_judge.h"
#include "sequence_state.h"

/* --- open, close --------------------------------------------------------------------------------------------------------------------- */

static void note_within(struct sequence *sequence, int64_t within_us)
{
    if (within_us != EVS_SEQUENCE_NEVER && within_us < sequence->shortest_us) {
        sequence->shortest_us = within_us;
    }
}

static bool looks_at_first_step(const struct evs_sequence_condition *condition)
{
    for (uint32_t i = 0; i < condition->schema.count; i++) {
        const struct evs_measure *input = &condition->inputs[i];
        if (input->kind != EVS_MEASURE_CURRENT && (input->part == 0 || input->part == EVS_EVERY_PART)) {
            return true;
        }
    }
    return false;
}

/* See "An attempt that cannot win" above. */
static bool newer_never_win(const struct evs_sequence_config *config)
{
    const struct evs_sequence_step *first = &config->steps[0];
    bool is_bound = config->within_us != EVS_SEQUENCE_NEVER || first->within_us != EVS_SEQUENCE_NEVER;
    bool is_endless = first->max == EVS_SEQUENCE_UNBOUNDED && first->min == 1;
    for (uint32_t i = 0; i < config->rows.condition_count; i++) {
        is_bound = is_bound || looks_at_first_step(&config->conditions[i]);
    }
    return is_endless && !is_bound && !config->has_timeouts && !config->skips_to_next;
}

static evs_status sequence_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct sequence *sequence = state;
    const struct evs_sequence_config *config = evs_op_config(op);
    (void)error;
    EVS_ASSERT(config->step_count > 0 && config->step_count <= EVS_SEQUENCE_STEPS_MAX);
    EVS_ASSERT(config->attempts_max > 0 && config->attempts_max <= EVS_SEQUENCE_ATTEMPTS_MAX && config->rows_max > 0);
    sequence->config = config;
    sequence->is_durable = evs_op_is_durable(op);
    sequence->shortest_us = EVS_TIME_MAX;
    evs_keyed_open(&sequence->rows, op, &config->rows, sizeof(struct key_attempts));
    sequence->measuring = evs_measuring_new(&sequence->rows.layout);
    sequence->batches = evs_batch_pool_new();
    sequence->evals = evs_alloc_zero((config->rows.condition_count + 1) * sizeof(struct evs_eval *));
    for (uint32_t i = 0; i < config->rows.condition_count; i++) {
        const struct evs_program *program = config->conditions[i].program;
        sequence->evals[i] = program != NULL ? evs_eval_new(program) : NULL;
        sequence->has_questions = sequence->has_questions || program != NULL;
    }
    note_within(sequence, config->within_us);
    for (uint32_t i = 0; i < config->step_count; i++) {
        const struct evs_sequence_step *step = &config->steps[i];
        sequence->has_next = sequence->has_next || step->is_next;
        note_within(sequence, step->within_us);
        for (uint32_t k = 0; k < step->absence_count; k++) {
            note_within(sequence, config->absences[step->first_absence + k].within_us);
        }
    }
    sequence->newer_never_win = newer_never_win(config);
    return EVS_OK;
}

static void sequence_close(struct evs_op *op, void *state)
{
    struct sequence *sequence = state;
    (void)op;
    if (sequence->config == NULL) {
        return;
    }
    for (uint32_t i = 0; i < sequence->config->rows.condition_count; i++) {
        evs_eval_free(sequence->evals[i]);
    }
    if (sequence->out != NULL) {
        evs_batch_unref(sequence->out);
    }
    evs_free(sequence->evals);
    evs_measuring_free(sequence->measuring);
    evs_batch_pool_free(sequence->batches);
    evs_keyed_close(&sequence->rows); /* with all attempts, whose memory is the pool's */
    evs_timers_fini(&sequence->deadlines);
    evs_free(sequence->slots);
    evs_free(sequence->questions);
    evs_free(sequence->view_rows);
    evs_free(sequence->view_parts);
    evs_free(sequence->dirty);
    evs_buffer_fini(&sequence->deleted);
}

static void tell_bytes(struct evs_op *op, struct sequence *sequence)
{
    size_t timers = sequence->deadlines.capacity * sizeof *sequence->deadlines.heap;
    size_t slots = sequence->slot_capacity * sizeof *sequence->slots;
    int64_t bytes = (int64_t)(evs_keyed_bytes(&sequence->rows) + timers + slots);
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - sequence->told_bytes);
    sequence->told_bytes = bytes;
}

/* --- attempts ---------------------------------------------------------------------------------------------------------------------------- */

/* Room for one row of each step behind the counts: most attempts have no more. */
static size_t attempt_bytes(const struct evs_sequence_config *config)
{
    size_t counts = (sizeof(struct attempt) + config->step_count * sizeof(uint32_t) + 7u) & ~(size_t)7;
    return counts + config->step_count * sizeof(struct evs_keyed_row *);
}

static struct evs_keyed_row **inline_rows(const struct evs_sequence_config *config, struct attempt *attempt)
{
    size_t counts = (sizeof(struct attempt) + config->step_count * sizeof(uint32_t) + 7u) & ~(size_t)7;
    return (struct evs_keyed_row **)((uint8_t *)attempt + counts);
}

static uint32_t take_slot(struct sequence *sequence, struct attempt *attempt)
{
    uint32_t index;
    if (sequence->slot_free > 0) {
        index = sequence->slot_free - 1;
        sequence->slot_free = sequence->slots[index].next_free;
    } else {
        EVS_GROW(sequence->slots, sequence->slot_count, sequence->slot_capacity);
        index = sequence->slot_count++;
        sequence->slots[index] = (struct attempt_slot){0};
    }
    sequence->slots[index].attempt = attempt;
    return index;
}

struct attempt *evs_sequence_attempt_new(struct sequence *sequence, struct evs_op *op, uint32_t entry)
{
    const struct evs_sequence_config *config = sequence->config;
    struct key_attempts *key = evs_sequence_key(sequence, entry);
    struct attempt *attempt = evs_row_pool_take(&sequence->rows.pool, attempt_bytes(config));
    memset(attempt, 0, attempt_bytes(config));
    attempt->entry = entry;
    attempt->slot = take_slot(sequence, attempt);
    attempt->deadline_us = attempt->armed_us = EVS_TIME_MAX;
    attempt->rows = inline_rows(config, attempt);
    attempt->older = key->newest;
    if (key->newest != NULL) {
        key->newest->newer = attempt;
    } else {
        key->oldest = attempt;
    }
    key->newest = attempt;
    key->count++;
    sequence->attempt_count++;
    evs_keyed_hold(&sequence->rows, op, entry);
    return attempt;
}

void evs_sequence_mark(struct sequence *sequence, struct attempt *attempt)
{
    if (sequence->is_durable && !attempt->is_dirty) {
        attempt->is_dirty = true;
        EVS_GROW(sequence->dirty, sequence->dirty_count, sequence->dirty_capacity);
        sequence->dirty[sequence->dirty_count++] = attempt->slot;
    }
}

void evs_sequence_add_row(struct sequence *sequence, struct attempt *attempt, struct evs_keyed_row *row)
{
    struct evs_row_pool *pool = &sequence->rows.pool;
    bool is_inline = attempt->row_capacity == 0;
    uint32_t capacity = is_inline ? sequence->config->step_count : attempt->row_capacity;
    if (attempt->row_count == capacity) {
        struct evs_keyed_row **more = evs_row_pool_take(pool, 2 * (size_t)capacity * sizeof *more);
        memcpy(more, attempt->rows, capacity * sizeof *more);
        if (!is_inline) {
            evs_row_pool_give(pool, attempt->rows, capacity * sizeof *more);
        }
        attempt->rows = more;
        attempt->row_capacity = 2 * capacity;
    }
    attempt->rows[attempt->row_count++] = row;
    row->references++;
    evs_sequence_mark(sequence, attempt);
}

void evs_sequence_attempt_free(struct sequence *sequence, struct evs_op *op, struct attempt *attempt)
{
    struct key_attempts *key = evs_sequence_key(sequence, attempt->entry);
    struct evs_row_pool *pool = &sequence->rows.pool;
    struct attempt **from_older = attempt->older != NULL ? &attempt->older->newer : &key->oldest;
    struct attempt **from_newer = attempt->newer != NULL ? &attempt->newer->older : &key->newest;
    *from_older = attempt->newer;
    *from_newer = attempt->older;
    EVS_ASSERT(key->count > 0 && sequence->attempt_count > 0);
    key->count--;
    sequence->attempt_count--;
    if (attempt->is_saved) {
        evs_sequence_remember_deleted(sequence, attempt);
    }
    struct attempt_slot *slot = &sequence->slots[attempt->slot];
    *slot = (struct attempt_slot){.generation = slot->generation + 1, .next_free = sequence->slot_free};
    sequence->slot_free = attempt->slot + 1;
    for (uint32_t i = 0; i < attempt->row_count; i++) {
        evs_keyed_row_release(&sequence->rows, attempt->rows[i]);
    }
    if (attempt->row_capacity > 0) {
        evs_row_pool_give(pool, attempt->rows, attempt->row_capacity * sizeof *attempt->rows);
    }
    uint32_t entry = attempt->entry;
    evs_row_pool_give(pool, attempt, attempt_bytes(sequence->config));
    evs_keyed_drop(&sequence->rows, op, entry);
}

static bool timer_is_wanted(const struct evs_timer *timer, void *argument)
{
    const struct sequence *sequence = argument;
    const struct attempt_slot *slot = &sequence->slots[(uint32_t)timer->payload];
    return slot->attempt != NULL && slot->generation == (uint32_t)(timer->payload >> 32) &&
           slot->attempt->armed_us == timer->at_us;
}

void evs_sequence_arm(struct sequence *sequence, struct attempt *attempt)
{
    if (attempt->deadline_us >= attempt->armed_us) {
        return; /* the timer comes up, and is armed again */
    }
    if (sequence->deadlines.count > 2 * sequence->attempt_count + 1024) {
        evs_timers_keep(&sequence->deadlines, timer_is_wanted, sequence);
    }
    uint64_t generation = sequence->slots[attempt->slot].generation;
    attempt->armed_us = attempt->deadline_us;
    evs_timers_arm(&sequence->deadlines, attempt->deadline_us, generation << 32 | attempt->slot);
}

/* --- results ------------------------------------------------------------------------------------------------------------------------------ */

static struct evs_batch *new_output(struct evs_op *op)
{
    struct evs_batch *batch = evs_op_new_batch(op);
    const struct evs_schema *schema = evs_op_schema(op);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    batch->ordinal = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof *batch->ordinal, 64);
    for (uint32_t i = 0; i < schema->count; i++) {
        evs_column_init(&batch->columns[i], batch, schema->fields[i].type->kind, EVS_BATCH_ROWS, true);
    }
    if (evs_op_wants_key(op)) {
        batch->key = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof *batch->key, 64);
    }
    batch->cause_kind = EVS_CAUSE_WINDOW;
    return batch;
}

static void flush(struct sequence *sequence, struct evs_op *op)
{
    if (sequence->out != NULL) {
        sequence->emitted += sequence->out->selected_count > 0;
        evs_emit(op, 0, sequence->out);
        sequence->out = NULL;
    }
}

static bool write_measures(struct sequence *sequence, struct evs_op *op, struct evs_batch *batch, uint32_t row,
                           const struct evs_match_view *view)
{
    const struct evs_sequence_config *config = sequence->config;
    const struct evs_agg_failure *failure = NULL;
    const char *text = NULL;
    for (uint32_t i = 0; i < config->measure_count; i++) {
        const struct evs_agg_failure *failed =
            evs_measure(sequence->measuring, &config->measures[i], view, batch, &batch->columns[i], row);
        failure = failure != NULL ? failure : failed;
        text = failed != NULL ? config->measures[i].call.text : text;
    }
    if (failure == NULL) {
        return true;
    }
    struct evs_row_error error = {failure->reason, failure->code, failure->message, text, config->file, config->line};
    batch->row_count++; /* for the dead letter, which shows the row */
    evs_op_dead_letter(op, evs_op_schema(op), batch, row, &error);
    batch->row_count--;
    return false;
}

static void write_result(struct sequence *sequence, struct evs_op *op, const struct attempt *attempt, int64_t at_us,
                         bool is_timeout)
{
    if (sequence->out != NULL && sequence->out->row_count == EVS_BATCH_ROWS) {
        flush(sequence, op);
    }
    if (sequence->out == NULL) {
        sequence->out = new_output(op);
    }
    struct evs_batch *batch = sequence->out;
    uint32_t row = batch->row_count;
    struct evs_match_view view = evs_sequence_view(sequence, attempt);
    view.is_timeout = is_timeout;
    batch->event_time_us[row] = at_us;
    batch->cause[row] = (struct evs_cause){(uint64_t)attempt->opened_us, (uint64_t)at_us};
    batch->ordinal[row] = view.begin->ordinal;
    if (batch->key != NULL) {
        struct evs_slice first = evs_row_slice(view.begin);
        batch->key[row] = evs_hash128(first.data, first.count);
    }
    if (EVS_UNLIKELY(evs_op_traces(op))) {
        evs_op_trace_rows(op, batch, row, view.rows, view.count);
    }
    batch->min_time_us = at_us < batch->min_time_us ? at_us : batch->min_time_us;
    batch->max_time_us = at_us > batch->max_time_us ? at_us : batch->max_time_us;
    if (write_measures(sequence, op, batch, row, &view)) {
        batch->row_count = batch->selected_count = row + 1;
    }
}

/* Emits a match, and drops what it makes obsolete. */
static void complete(struct sequence *sequence, struct evs_op *op, struct attempt *attempt, int64_t at_us)
{
    write_result(sequence, op, attempt, at_us, false);
    if (sequence->config->skips_to_next) {
        evs_sequence_attempt_free(sequence, op, attempt);
        return;
    }
    uint32_t entry = attempt->entry;
    struct evs_row_order last = evs_row_order(&attempt->rows[attempt->row_count - 1]->row);
    evs_keyed_hold(&sequence->rows, op, entry);
    struct key_attempts *key = evs_sequence_key(sequence, entry);
    for (struct attempt *other = key->oldest, *newer; other != NULL; other = newer) {
        newer = other->newer;
        struct evs_row_order opened = evs_row_order(&other->rows[0]->row);
        if (evs_row_order_compare(&opened, &last) <= 0) {
            evs_sequence_attempt_free(sequence, op, other);
        }
    }
    evs_keyed_drop(&sequence->rows, op, entry);
}

/* --- events -------------------------------------------------------------------------------------------------------------------------------- */

/* After a change: a new deadline, or the end. True: it was a match. */
static bool settle(struct sequence *sequence, struct evs_op *op, struct attempt *attempt, int64_t at_us)
{
    if (evs_attempt_time(sequence->config, attempt, at_us)) {
        evs_sequence_arm(sequence, attempt);
        return false;
    }
    if (attempt->is_complete) {
        complete(sequence, op, attempt, at_us);
        return true;
    }
    evs_sequence_attempt_free(sequence, op, attempt);
    return false;
}

static void take_row(struct sequence *sequence, struct evs_op *op, struct attempt *attempt, uint32_t step,
                     struct evs_keyed_row *row)
{
    evs_attempt_move(sequence->config, attempt, step, row->row.event_time_us);
    evs_sequence_add_row(sequence, attempt, row);
    evs_op_count(op, EVS_COUNT_LIMITED, attempt->row_count == sequence->config->rows_max);
}

/* What was found out about the row by the attempts that are open. */
struct offered {
    bool has_match, has_loop; /* it completed a match; an attempt took it for its first step */
};

static struct offered offer_to_attempts(struct sequence *sequence, struct evs_op *op, struct evs_keyed_row *row)
{
    struct evs_sequence_judge judge = {sequence->config, sequence->proven_us, evs_sequence_answer, sequence};
    struct offered offered = {0};
    struct key_attempts *key = evs_sequence_key(sequence, row->entry);
    for (struct attempt *attempt = key->oldest, *newer; attempt != NULL; attempt = newer) {
        uint32_t step = 0;
        newer = attempt->newer;
        enum evs_sequence_outcome outcome = evs_attempt_offer(&judge, attempt, row, &step);
        bool is_match = false;
        if (outcome == EVS_SEQUENCE_BROKEN) {
            evs_sequence_attempt_free(sequence, op, attempt);
        } else if (outcome == EVS_SEQUENCE_TAKEN) {
            take_row(sequence, op, attempt, step, row);
            is_match = settle(sequence, op, attempt, row->row.event_time_us);
            offered.has_match = offered.has_match || is_match;
            offered.has_loop = offered.has_loop || step == 0;
        } else if (sequence->has_next && !attempt->has_gap) {
            attempt->has_gap = true;
            evs_sequence_mark(sequence, attempt);
            is_match = settle(sequence, op, attempt, row->row.event_time_us);
        }
        if (is_match && !sequence->config->skips_to_next) {
            newer = key->oldest; /* who is left was opened behind the match's last row, and has not been asked yet */
        }
    }
    return offered;
}

static void open_attempt(struct sequence *sequence, struct evs_op *op, struct evs_keyed_row *row)
{
    struct evs_sequence_judge judge = {sequence->config, sequence->proven_us, evs_sequence_answer, sequence};
    uint32_t step = evs_attempt_opening(&judge, row);
    if (step == sequence->config->step_count) {
        return;
    }
    if (evs_sequence_key(sequence, row->entry)->count >= sequence->config->attempts_max) {
        evs_op_count(op, EVS_COUNT_LIMITED, 1);
        return;
    }
    struct attempt *attempt = evs_sequence_attempt_new(sequence, op, row->entry);
    take_row(sequence, op, attempt, step, row);
    settle(sequence, op, attempt, row->row.event_time_us);
}

static void apply_row(struct sequence *sequence, struct evs_op *op, struct evs_keyed_row *row)
{
    uint32_t entry = row->entry;
    struct offered offered = offer_to_attempts(sequence, op, row);
    bool is_used_up = offered.has_match && !sequence->config->skips_to_next;
    if (!is_used_up && !(offered.has_loop && sequence->newer_never_win)) {
        open_attempt(sequence, op, row);
    }
    evs_keyed_row_release(&sequence->rows, row);
    evs_keyed_drop(&sequence->rows, op, entry);
}

/* An attempt whose deadline is this moment: a match, timed out, or at a cut nothing that is certain. True: it was a match. */
static bool end_attempt(struct sequence *sequence, struct evs_op *op, struct attempt *attempt, int64_t at_us)
{
    if (attempt->is_complete && evs_attempt_is_proven(sequence->config, attempt, sequence->proven_us)) {
        complete(sequence, op, attempt, at_us);
        return true;
    }
    if (!attempt->is_complete && sequence->config->has_timeouts && at_us < sequence->proven_us) {
        write_result(sequence, op, attempt, at_us, true);
    }
    evs_sequence_attempt_free(sequence, op, attempt);
    return false;
}

/* Attempts of a key whose deadline is this moment, oldest first. */
static void apply_moment(struct sequence *sequence, struct evs_op *op, uint32_t entry, int64_t at_us)
{
    struct key_attempts *key = evs_sequence_key(sequence, entry);
    for (struct attempt *attempt = key->oldest; attempt != NULL;) {
        if (attempt->deadline_us > at_us) {
            attempt = attempt->newer;
            continue;
        }
        EVS_ASSERT(attempt->deadline_us == at_us);
        struct attempt *newer = attempt->newer;
        if (end_attempt(sequence, op, attempt, at_us) && !sequence->config->skips_to_next) {
            newer = key->oldest; /* it has dropped others */
        }
        attempt = newer;
    }
    evs_keyed_drop(&sequence->rows, op, entry); /* the event's own hold */
}

static evs_status sequence_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct sequence *sequence = state;
    EVS_ASSERT(input == 0 && sequence->event_at == sequence->event_count);
    evs_keyed_take(&sequence->rows, op, batch);
    tell_bytes(op, sequence);
    return EVS_OK;
}

/* One event gives at most attempts_max results, fewer than a batch has rows: with two batches of credit left it can be applied. */
static evs_status sequence_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct sequence *sequence = state;
    int64_t until_us = evs_timers_passed(watermark_us);
    sequence->proven_us = evs_op_is_cut(op) ? evs_op_watermark(op) : EVS_TIME_MAX;
    sequence->emitted = 0;
    for (;;) {
        while (sequence->event_at < sequence->event_count) {
            if (sequence->emitted + 2 > EVS_SEQUENCE_EMIT_BATCHES) {
                flush(sequence, op);
                return EVS_MORE;
            }
            struct sequence_event *event = &sequence->events[sequence->event_at++];
            if (event->row != NULL) {
                apply_row(sequence, op, event->row);
            } else {
                apply_moment(sequence, op, event->entry, event->at_us);
            }
        }
        if (!evs_sequence_gather(sequence, until_us)) {
            break;
        }
        evs_sequence_judge_run(sequence, op);
    }
    flush(sequence, op);
    tell_bytes(op, sequence);
    return EVS_OK;
}

const struct evs_operator evs_op_sequence = {
    .kind = "sequence",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_SKIPS_NULL_KEYS | EVS_OP_HOLDS_WATERMARK,
    .snapshot_version = EVS_SEQUENCE_SNAPSHOT_VERSION,
    .stored_rows = 1 << EVS_KEYED_SECTION | 1 << 1 /* attempts: sequence_snapshot.c */,
    .state_bytes = sizeof(struct sequence),
    .inputs_max = 1,
    .emit_max = EVS_SEQUENCE_EMIT_BATCHES,
    .open = sequence_open,
    .process = sequence_process,
    .watermark = sequence_watermark,
    .snapshot = evs_sequence_snapshot,
    .restore = evs_sequence_restore,
    .close = sequence_close,
};
