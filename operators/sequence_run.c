/* Runs of events, and the conditions on earlier steps that are answered for a whole run at once (op_sequence.c). */
#include "row_judge.h"
#include "sequence_state.h"

/* --- gathering ----------------------------------------------------------------------------------------------------------------------- */

static bool is_in_run(struct sequence *sequence, uint32_t entry)
{
    return evs_sequence_key(sequence, entry)->run == sequence->run_number;
}

static struct sequence_event *add_event(struct sequence *sequence, uint32_t entry, int64_t at_us)
{
    struct key_attempts *key = evs_sequence_key(sequence, entry);
    key->run = sequence->run_number;
    key->event = sequence->event_count;
    struct sequence_event *event = &sequence->events[sequence->event_count++];
    *event = (struct sequence_event){.entry = entry, .at_us = at_us, .first_question = sequence->question_count};
    return event;
}

static void lower(int64_t *limit_us, int64_t at_us)
{
    *limit_us = at_us < *limit_us ? at_us : *limit_us;
}

static void ask(struct sequence *sequence, struct sequence_event *event, const struct attempt *attempt,
                uint64_t conditions)
{
    for (conditions &= event->row->mask; conditions != 0; conditions &= conditions - 1) {
        uint32_t condition = (uint32_t)__builtin_ctzll(conditions);
        if (sequence->evals[condition] == NULL) {
            continue;
        }
        EVS_GROW(sequence->questions, sequence->question_count, sequence->question_capacity);
        sequence->questions[sequence->question_count++] =
            (struct sequence_question){attempt, (uint32_t)(event - sequence->events), condition, false};
        event->question_count++;
    }
}

/* Conditions of the steps that an attempt may begin with. */
static uint64_t opening_conditions(const struct evs_sequence_config *config)
{
    uint64_t conditions = 0;
    for (uint32_t i = 0; i < config->step_count; i++) {
        conditions |= UINT64_C(1) << config->steps[i].condition;
        if (config->steps[i].min > 0) {
            break;
        }
    }
    return conditions;
}

static void add_row(struct sequence *sequence, struct evs_keyed_row *row)
{
    int64_t time_us = row->row.event_time_us;
    struct sequence_event *event = add_event(sequence, row->entry, time_us);
    event->row = row;
    lower(&sequence->run_until_us, evs_time_plus(time_us, sequence->shortest_us));
    const struct key_attempts *key = evs_sequence_key(sequence, row->entry);
    for (const struct attempt *attempt = key->oldest; attempt != NULL; attempt = attempt->newer) {
        lower(&sequence->run_until_us, evs_attempt_horizon(sequence->config, attempt));
        if (sequence->has_questions) {
            ask(sequence, event, attempt, evs_attempt_questions(sequence->config, attempt, time_us));
        }
    }
    if (sequence->has_questions) {
        ask(sequence, event, NULL, opening_conditions(sequence->config));
    }
}

/* A released row, if its key is not in the run yet. */
static bool gather_row(struct sequence *sequence, int64_t until_us)
{
    struct evs_keyed_row *row = sequence->held != NULL ? sequence->held : evs_keyed_next(&sequence->rows, until_us);
    sequence->held = NULL;
    if (row == NULL) {
        return false;
    }
    if (is_in_run(sequence, row->entry)) {
        sequence->held = row;
        return false;
    }
    add_row(sequence, row);
    return true;
}

/* The next timer: dropped, armed again, or an event. False: its key is in the run already. */
static bool gather_moment(struct sequence *sequence, int64_t until_us)
{
    struct evs_timer due;
    bool is_due = evs_timers_pop(&sequence->deadlines, until_us, &due);
    EVS_ASSERT(is_due);
    const struct attempt_slot *slot = &sequence->slots[(uint32_t)due.payload];
    struct attempt *attempt = slot->attempt;
    if (attempt == NULL || slot->generation != (uint32_t)(due.payload >> 32) || attempt->armed_us != due.at_us) {
        return true;
    }
    const struct key_attempts *key = evs_sequence_key(sequence, attempt->entry);
    if (key->run == sequence->run_number) {
        const struct sequence_event *event = &sequence->events[key->event];
        if (event->row == NULL && event->at_us == due.at_us && attempt->deadline_us == due.at_us) {
            return true; /* that event is for all attempts of the key with this deadline */
        }
        evs_timers_arm(&sequence->deadlines, due.at_us, due.payload);
        return false;
    }
    attempt->armed_us = EVS_TIME_MAX;
    if (attempt->deadline_us > due.at_us) {
        evs_sequence_arm(sequence, attempt);
        return true;
    }
    evs_keyed_hold(&sequence->rows, NULL, attempt->entry);
    add_event(sequence, attempt->entry, due.at_us);
    return true;
}

static int64_t next_row_time(const struct sequence *sequence)
{
    return sequence->held != NULL ? sequence->held->row.event_time_us : evs_keyed_next_time(&sequence->rows);
}

bool evs_sequence_gather(struct sequence *sequence, int64_t until_us)
{
    EVS_ASSERT(sequence->event_at == sequence->event_count);
    sequence->event_at = sequence->event_count = sequence->question_count = 0;
    sequence->run_number++;
    sequence->run_until_us = until_us;
    while (sequence->event_count < EVS_SEQUENCE_RUN_MAX) {
        int64_t row_us = next_row_time(sequence), moment_us = evs_timers_next(&sequence->deadlines);
        bool has_row = sequence->held != NULL || evs_keyed_has_next(&sequence->rows);
        bool is_row = has_row && row_us <= moment_us;
        if ((!is_row && sequence->deadlines.count == 0) || (is_row ? row_us : moment_us) > sequence->run_until_us) {
            break;
        }
        if (!(is_row ? gather_row(sequence, row_us) : gather_moment(sequence, moment_us))) {
            break;
        }
    }
    return sequence->event_count > 0;
}

/* --- answers ---------------------------------------------------------------------------------------------------------------------------- */

bool evs_sequence_answer(void *argument, const struct attempt *attempt, uint32_t condition,
                         const struct evs_keyed_row *row)
{
    struct sequence *sequence = argument;
    if (((row->mask >> condition) & 1) == 0) {
        return false;
    }
    if (sequence->evals[condition] == NULL) {
        return true;
    }
    const struct key_attempts *key = evs_sequence_key(sequence, row->entry);
    const struct sequence_event *event = &sequence->events[key->event];
    EVS_ASSERT(event->row == row);
    for (uint32_t i = 0; i < event->question_count; i++) {
        const struct sequence_question *question = &sequence->questions[event->first_question + i];
        if (question->attempt == attempt && question->condition == condition) {
            return question->is_met;
        }
    }
    EVS_ASSERT(!"every question was asked when the run was gathered");
    return false;
}

struct evs_match_view evs_sequence_view(struct sequence *sequence, const struct attempt *attempt)
{
    struct evs_match_view view = {0};
    if (attempt == NULL) {
        return view;
    }
    while (sequence->view_capacity < attempt->row_count) {
        EVS_GROW(sequence->view_rows, sequence->view_capacity, sequence->view_capacity);
    }
    while (sequence->view_parts_capacity < attempt->row_count) {
        EVS_GROW(sequence->view_parts, sequence->view_parts_capacity, sequence->view_parts_capacity);
    }
    for (uint32_t step = 0; step <= attempt->step; step++) {
        for (uint32_t i = 0; i < attempt->counts[step]; i++) {
            sequence->view_parts[view.count] = (uint8_t)step;
            sequence->view_rows[view.count] = &attempt->rows[view.count]->row;
            view.count++;
        }
    }
    EVS_ASSERT(view.count == attempt->row_count && view.count > 0);
    view.rows = sequence->view_rows;
    view.parts = sequence->view_parts;
    view.begin = view.rows[0];
    return view;
}

/* The row of the attempt that a measure shows, without looking at the others. */
static const struct evs_row *row_of(const struct evs_measure *measure, const struct sequence_event *event,
                                    const struct attempt *attempt)
{
    if (measure->kind == EVS_MEASURE_CURRENT) {
        return &event->row->row;
    }
    if (attempt == NULL || attempt->counts[measure->part] == 0) {
        return NULL;
    }
    uint32_t first = 0;
    for (uint32_t step = 0; step < measure->part; step++) {
        first += attempt->counts[step];
    }
    uint32_t last = first + attempt->counts[measure->part] - 1;
    return &attempt->rows[measure->kind == EVS_MEASURE_FIRST ? first : last]->row;
}

static bool is_one_row(const struct evs_measure *measure)
{
    return measure->kind == EVS_MEASURE_CURRENT ||
           ((measure->kind == EVS_MEASURE_FIRST || measure->kind == EVS_MEASURE_LAST) &&
            measure->part != EVS_EVERY_PART);
}

/* Questions of one condition, at most a batch of them. */
struct asked {
    struct sequence *sequence;
    struct sequence_question *questions[EVS_BATCH_ROWS];
    uint32_t count;
};

static void fill_input(struct asked *asked, const struct evs_measure *measure, struct evs_batch *batch,
                       struct evs_column *column)
{
    struct sequence *sequence = asked->sequence;
    const struct evs_row *rows[EVS_BATCH_ROWS];
    for (uint32_t i = 0; i < asked->count; i++) {
        const struct sequence_question *question = asked->questions[i];
        const struct sequence_event *event = &sequence->events[question->event];
        if (is_one_row(measure)) {
            rows[i] = row_of(measure, event, question->attempt);
            continue;
        }
        struct evs_match_view view = evs_sequence_view(sequence, question->attempt);
        view.current = &event->row->row;
        evs_measure(sequence->measuring, measure, &view, batch, column, i); /* one that fails is NULL */
    }
    if (is_one_row(measure)) {
        evs_row_decode_column(&sequence->rows.layout, measure->column, rows, asked->count, NULL, column, 0);
    }
}

static struct evs_batch *inputs_of(struct asked *asked, const struct evs_sequence_condition *condition)
{
    struct evs_batch *batch = evs_batch_new(asked->sequence->batches, condition->schema.count);
    evs_batch_init_rows(batch, asked->count);
    batch->row_count = batch->selected_count = asked->count;
    for (uint32_t i = 0; i < asked->count; i++) {
        const struct evs_row *row = &asked->sequence->events[asked->questions[i]->event].row->row;
        batch->event_time_us[i] = row->event_time_us;
        batch->cause[i] = row->cause;
        batch->min_time_us = row->event_time_us < batch->min_time_us ? row->event_time_us : batch->min_time_us;
        batch->max_time_us = row->event_time_us > batch->max_time_us ? row->event_time_us : batch->max_time_us;
        batch->lineage = row->lineage;
        batch->cause_kind = evs_row_cause_kind(row);
    }
    for (uint32_t i = 0; i < condition->schema.count; i++) {
        evs_column_init(&batch->columns[i], batch, condition->schema.fields[i].type->kind, asked->count, true);
        fill_input(asked, &condition->inputs[i], batch, &batch->columns[i]);
    }
    return batch;
}

static void tell_failures(struct evs_op *op, const struct evs_eval *eval,
                          const struct evs_sequence_condition *condition, const struct evs_batch *batch)
{
    const struct evs_expr_failure *failures;
    uint32_t count = evs_eval_failures(eval, &failures);
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_expr_failure *f = &failures[i];
        struct evs_row_error error = {f->reason,          f->code, f->message, f->expr->text, f->expr->place.file,
                                      f->expr->place.line};
        evs_op_dead_letter(op, &condition->schema, batch, f->row, &error);
    }
}

static void answer(struct asked *asked, struct evs_op *op, uint32_t number)
{
    const struct evs_sequence_condition *condition = &asked->sequence->config->conditions[number];
    struct evs_eval *eval = asked->sequence->evals[number];
    uint16_t met[EVS_BATCH_ROWS];
    if (asked->count == 0) {
        return;
    }
    struct evs_batch *batch = inputs_of(asked, condition);
    uint32_t count = evs_program_filter(eval, batch, met);
    for (uint32_t i = 0; i < count; i++) {
        asked->questions[met[i]]->is_met = true;
    }
    tell_failures(op, eval, condition, batch);
    evs_batch_unref(batch);
    asked->count = 0;
}

void evs_sequence_judge_run(struct sequence *sequence, struct evs_op *op)
{
    struct asked asked = {.sequence = sequence};
    for (uint32_t c = 0; sequence->question_count > 0 && c < sequence->config->rows.condition_count; c++) {
        for (uint32_t i = 0; sequence->evals[c] != NULL && i < sequence->question_count; i++) {
            if (sequence->questions[i].condition != c) {
                continue;
            }
            asked.questions[asked.count++] = &sequence->questions[i];
            if (asked.count == EVS_BATCH_ROWS) {
                answer(&asked, op, c);
            }
        }
        answer(&asked, op, c);
    }
}
