/* sequence by …: steps, their conditions, and what a match gives.
 *
 *   scope ──► project, with keys and arguments as columns ──► sequence ──► scope: the select, over the measures
 *                                                                └──► late rows
 *
 * With `on timeout`, attempts that ran out of time come as rows with a mark, and two filters part them: one row of the operator for each outcome
 * keeps the select in one place. */
#include "bind_keyed.h"
#include "bind_measure.h"
#include "op_sequence.h"

#include <string.h>

struct condition {
    const struct evs_expr *row;  /* over the rows' columns */
    const struct evs_expr *rest; /* over inputs; NULL: none */
    const uint32_t *inputs;      /* measures */
    uint32_t input_count;
};

struct sequencing {
    struct evs_binder *binder;
    const struct evs_ast_sequence *ast;
    struct evs_match_scope match;
    struct evs_sequence_config config;
    struct condition conditions[EVS_CONDITIONS_MAX];
    uint32_t condition_count;
    struct evs_match_kept kept;
    uint32_t *row_map;     /* column of the rows, as bound → of the operator's input relation */
    uint32_t select_count; /* the first measures are the relation's columns */
};

/* --- steps --------------------------------------------------------------------------------------------------------------------------- */

static bool check_names(struct sequencing *s)
{
    const struct evs_ast_step *steps = s->ast->steps;
    bool is_right = true;
    for (uint32_t i = 0; i < s->ast->step_count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (evs_slice_equal_nocase(steps[i].name.text, steps[k].name.text.data)) {
                evs_report(s->binder, EVS_E0440, steps[i].name.place, "two steps have the name `%s`",
                           steps[i].name.text.data);
                is_right = false;
                break;
            }
        }
    }
    if (s->ast->step_count > EVS_SEQUENCE_STEPS_MAX) {
        evs_report(s->binder, EVS_E0440, steps[EVS_SEQUENCE_STEPS_MAX].place, "a sequence has at most %u steps",
                   EVS_SEQUENCE_STEPS_MAX);
        is_right = false;
    }
    return is_right;
}

static bool bind_within(struct sequencing *s, const struct evs_ast_expr *ast, int64_t *us)
{
    *us = EVS_SEQUENCE_NEVER;
    if (ast == NULL) {
        return true;
    }
    if (!evs_bind_duration(s->binder, ast, "`within`", us)) {
        return false;
    }
    if (*us <= 0) {
        evs_report(s->binder, EVS_E0418, ast->place, "`within` is an interval above zero");
        return false;
    }
    return true;
}

/* Splits the list of steps as written into steps that take rows and the absences behind each. */
static bool lay_steps(struct sequencing *s)
{
    const struct evs_ast_sequence *ast = s->ast;
    struct evs_sequence_step *steps = EVS_ARENA_ARRAY(s->binder->arena, struct evs_sequence_step, ast->step_count);
    struct evs_sequence_absence *absences =
        EVS_ARENA_ARRAY(s->binder->arena, struct evs_sequence_absence, ast->step_count);
    struct evs_match_part *parts = EVS_ARENA_ARRAY(s->binder->arena, struct evs_match_part, ast->step_count);
    struct evs_ident *absent = EVS_ARENA_ARRAY(s->binder->arena, struct evs_ident, ast->step_count);
    uint32_t step_count = 0, absence_count = 0;
    bool is_right = bind_within(s, ast->within, &s->config.within_us);
    for (uint32_t i = 0; i < ast->step_count; i++) {
        const struct evs_ast_step *from = &ast->steps[i];
        int64_t within_us;
        is_right = bind_within(s, from->within, &within_us) && is_right;
        if (from->is_absence) {
            absent[absence_count] = from->name;
            absences[absence_count++] = (struct evs_sequence_absence){.condition = i, .within_us = within_us};
            steps[step_count - 1].absence_count++;
            continue;
        }
        uint32_t max = from->max == EVS_UNBOUNDED ? EVS_SEQUENCE_UNBOUNDED : from->max;
        steps[step_count] = (struct evs_sequence_step){.condition = i,
                                                       .min = from->min,
                                                       .max = max,
                                                       .within_us = within_us,
                                                       .is_next = from->is_next,
                                                       .first_absence = absence_count};
        parts[step_count++] = (struct evs_match_part){from->name, true};
    }
    s->config.steps = steps;
    s->config.step_count = step_count;
    s->config.absences = absences;
    s->match.parts = parts;
    s->match.part_count = step_count;
    s->match.absent = absent;
    s->match.absent_count = absence_count;
    return is_right;
}

/* --- conditions ----------------------------------------------------------------------------------------------------------------------- */

static const struct evs_expr *conjunction(struct sequencing *s, const struct evs_expr **parts, uint32_t count,
                                          struct evs_place place)
{
    const struct evs_expr *all = NULL;
    struct evs_error error;
    if (count <= 1) {
        return count == 1 ? parts[0] : NULL;
    }
    evs_status status = evs_expr_special(s->binder->arena, EVS_EXPR_AND, parts, count, place, &all, &error);
    EVS_ASSERT(status == EVS_OK);
    return all;
}

/* The measure that a column of a condition on earlier steps means. */
static uint32_t input_measure(struct sequencing *s, const struct evs_expr *expr)
{
    struct evs_match_scope *match = &s->match;
    if (expr->column >= evs_match_first(match)) {
        return expr->column - evs_match_first(match);
    }
    uint32_t block = expr->column / match->row_columns;
    bool is_current = block == 0 || block == match->own_part + 1;
    struct evs_field field = {expr->text, expr->type, expr->nullable};
    struct evs_pending_measure measure = {
        .kind = is_current ? EVS_MEASURE_CURRENT : EVS_MEASURE_LAST,
        .part = is_current ? 0 : block - 1,
        .column = evs_expr_column(s->binder->arena, expr->column % match->row_columns, &field, expr->place),
        .type = expr->type,
        .nullable = true,
        .text = expr->text};
    return evs_match_measure(match, &measure);
}

struct inputs {
    uint32_t *map; /* column as bound → input */
    uint32_t *measures;
    uint32_t count;
};

static void collect_inputs(struct sequencing *s, const struct evs_expr *expr, struct inputs *inputs)
{
    if (expr->kind == EVS_EXPR_COLUMN && inputs->map[expr->column] == EVS_NO_COLUMN) {
        inputs->measures[inputs->count] = input_measure(s, expr);
        inputs->map[expr->column] = inputs->count++;
    }
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        collect_inputs(s, expr->arguments[i], inputs);
    }
}

static void set_rest(struct sequencing *s, struct condition *condition, const struct evs_expr *rest)
{
    uint32_t columns = evs_match_first(&s->match) + s->match.measure_count;
    struct inputs inputs = {EVS_ARENA_ARRAY(s->binder->arena, uint32_t, columns + 1),
                            EVS_ARENA_ARRAY(s->binder->arena, uint32_t, columns + 1), 0};
    memset(inputs.map, 0xff, (columns + 1) * sizeof *inputs.map);
    collect_inputs(s, rest, &inputs);
    condition->rest = evs_expr_remap(s->binder->arena, rest, inputs.map);
    condition->inputs = inputs.measures;
    condition->input_count = inputs.count;
}

/* What a condition says of the row alone is evaluated for whole batches on arrival; the rest when the row is offered. */
static void split_condition(struct sequencing *s, struct condition *condition, const struct evs_expr *expr)
{
    bool is_and = expr->kind == EVS_EXPR_AND;
    uint32_t count = is_and ? expr->argument_count : 1, row_count = 0, rest_count = 0;
    const struct evs_expr *const *parts = is_and ? expr->arguments : &expr;
    const struct evs_expr **row = EVS_ARENA_ARRAY(s->binder->arena, const struct evs_expr *, count);
    const struct evs_expr **rest = EVS_ARENA_ARRAY(s->binder->arena, const struct evs_expr *, count);
    for (uint32_t i = 0; i < count; i++) {
        if (evs_match_is_of_row(&s->match, parts[i])) {
            row[row_count++] = evs_match_over_rows(&s->match, parts[i]);
        } else {
            rest[rest_count++] = parts[i];
        }
    }
    condition->row = conjunction(s, row, row_count, expr->place);
    if (condition->row == NULL) {
        struct evs_value yes = {.kind = EVS_BOOL, .boolean = true};
        condition->row = evs_expr_constant(s->binder->arena, yes, expr->place);
    }
    if (rest_count > 0) {
        set_rest(s, condition, conjunction(s, rest, rest_count, expr->place));
    }
}

/* The step before an absence, or the step itself: what a condition may look back to. */
static bool bind_conditions(struct sequencing *s)
{
    uint32_t steps = 0;
    bool is_right = true;
    for (uint32_t i = 0; i < s->ast->step_count; i++) {
        const struct evs_ast_step *step = &s->ast->steps[i];
        struct evs_context context = {.scope = s->match.scope, .match = &s->match};
        struct evs_match_part *parts =
            EVS_ARENA_ARRAY(s->binder->arena, struct evs_match_part, s->match.part_count + 1);
        memcpy(parts, s->match.parts, s->match.part_count * sizeof *parts);
        const struct evs_match_part *outside = s->match.parts;
        if (step->is_absence) { /* its name is its row's, in its own condition alone */
            parts[s->match.part_count++] = (struct evs_match_part){step->name, false};
            s->match.parts = parts;
        }
        s->match.own_part = step->is_absence ? s->match.part_count - 1 : steps;
        s->match.part_limit = step->is_absence ? steps : steps + 1;
        steps += !step->is_absence;
        const struct evs_expr *expr = evs_bind_expr(s->binder, &context, step->condition);
        expr = expr == NULL ? NULL : evs_bind_bool(s->binder, expr, step->condition->place);
        if (expr != NULL) {
            split_condition(s, &s->conditions[i], expr);
        }
        is_right = is_right && expr != NULL;
        s->match.part_count -= step->is_absence;
        s->match.parts = outside;
    }
    s->condition_count = s->ast->step_count;
    return is_right;
}

/* --- bounds ----------------------------------------------------------------------------------------------------------------------------- */

static bool report_unbounded(struct sequencing *s, uint32_t step, bool is_complete)
{
    const char *name = s->match.parts[step].name.text.data;
    struct evs_diag *diag;
    if (is_complete) {
        diag = evs_report(s->binder, EVS_E0441, s->match.parts[step].name.place,
                          "it is never known when `%s` has had its last row", name);
        evs_diag_hint(diag,
                      "say how long it may go on: within interval … behind its condition, or a largest number of rows");
        return false;
    }
    diag = evs_report(
        s->binder, EVS_E0441, s->match.parts[step].name.place,
        "nothing bounds how long the step behind `%s` is waited for, so every start would be remembered for ever",
        name);
    evs_diag_hint(
        diag, "add `within interval …` to the next step, or to the whole sequence: sequence by … within interval …");
    return false;
}

static bool check_bounds(struct sequencing *s, const struct evs_rel *base)
{
    const struct evs_sequence_step *last = &s->config.steps[s->config.step_count - 1];
    for (uint32_t i = 0; i < last->absence_count; i++) {
        const struct evs_sequence_absence *absence = &s->config.absences[last->first_absence + i];
        const struct evs_ast_step *ast = &s->ast->steps[absence->condition];
        if (absence->within_us == EVS_SEQUENCE_NEVER) {
            struct evs_diag *diag =
                evs_report(s->binder, EVS_E0441, ast->place,
                           "`%s` could still come at any time, so its absence is never certain", ast->name.text.data);
            evs_diag_hint(diag, "say how long: then no %s as … within interval 30 minute", ast->name.text.data);
            return false;
        }
    }
    bool has_last_row = last->max != EVS_UNBOUNDED || last->within_us != EVS_SEQUENCE_NEVER ||
                        s->config.within_us != EVS_SEQUENCE_NEVER || last->absence_count > 0;
    if (!has_last_row) { /* not at the end of the input either: an end is no row that did not come in time */
        return report_unbounded(s, s->config.step_count - 1, true);
    }
    uint32_t step;
    bool is_complete;
    if (evs_sequence_is_bounded(&s->config, &step, &is_complete) || (base->is_bounded && !is_complete)) {
        return true;
    }
    return report_unbounded(s, step, is_complete);
}

/* --- the relation ------------------------------------------------------------------------------------------------------------------------ */

static const struct evs_sequence_condition *lay_conditions(const struct evs_rel_layout *layout,
                                                           const struct sequencing *s)
{
    struct evs_sequence_condition *conditions =
        EVS_ARENA_ARRAY(layout->arena, struct evs_sequence_condition, s->condition_count);
    for (uint32_t i = 0; i < s->condition_count; i++) {
        const struct condition *from = &s->conditions[i];
        if (from->rest == NULL) {
            continue;
        }
        struct evs_measure *inputs = EVS_ARENA_ARRAY(layout->arena, struct evs_measure, from->input_count);
        struct evs_field *fields = EVS_ARENA_ARRAY(layout->arena, struct evs_field, from->input_count);
        uint32_t *map = EVS_ARENA_ARRAY(layout->arena, uint32_t, from->input_count);
        for (uint32_t k = 0; k < from->input_count; k++) {
            const struct evs_pending_measure *measure = &s->match.measures[from->inputs[k]];
            inputs[k] = evs_match_final(&s->match, &s->kept, measure);
            fields[k] = (struct evs_field){measure->text, measure->type, true};
            map[k] = k;
        }
        conditions[i].inputs = inputs;
        conditions[i].schema = (struct evs_schema){from->input_count, fields};
        conditions[i].program = evs_build_program(layout->builder, &from->rest, 1, map);
        if (conditions[i].program == NULL) {
            return NULL;
        }
    }
    return conditions;
}

static const struct evs_program *lay_row_conditions(const struct evs_rel_layout *layout, const struct sequencing *s)
{
    const struct evs_expr **rows = EVS_ARENA_ARRAY(layout->arena, const struct evs_expr *, s->condition_count);
    for (uint32_t i = 0; i < s->condition_count; i++) {
        rows[i] = evs_expr_remap(layout->arena, s->conditions[i].row, s->row_map);
    }
    return evs_build_program(layout->builder, rows, s->condition_count, layout->input_map[0]);
}

static const void *configure(const struct evs_rel_layout *layout)
{
    const struct sequencing *s = layout->rel->op->bound;
    struct evs_sequence_config *config = EVS_ARENA_NEW(layout->arena, struct evs_sequence_config);
    *config = s->config;
    config->rows.columns = evs_bind_map_columns(layout, s->kept.columns, s->kept.count);
    config->rows.column_count = s->kept.count;
    config->rows.key_count = s->match.key_count;
    config->rows.condition_count = s->condition_count;
    config->rows.conditions = lay_row_conditions(layout, s);
    for (uint32_t i = 0; i < config->step_count; i++) {
        config->rows.keeps_every_row = config->rows.keeps_every_row || config->steps[i].is_next;
    }
    config->conditions = lay_conditions(layout, s);
    if (config->rows.late_output) {
        config->rows.late_map = evs_match_late_map(layout, &config->rows.late_columns);
        config->rows.late_schema = layout->side_schema[0];
    }
    struct evs_measure *measures = EVS_ARENA_ARRAY(layout->arena, struct evs_measure, layout->schema.count + 1);
    for (uint32_t i = 0; i < layout->rel->column_count; i++) {
        if (layout->map[i] != EVS_NO_COLUMN) {
            measures[layout->map[i]] = evs_match_final(&s->match, &s->kept, &s->match.measures[i]);
        }
    }
    config->measures = measures;
    config->measure_count = layout->schema.count;
    config->file = layout->place.file;
    config->line = layout->place.line;
    return config->rows.conditions != NULL && config->conditions != NULL ? config : NULL;
}

static const char *label_of(struct sequencing *s)
{
    const char *text =
        evs_arena_printf(s->binder->arena, "sequence by %s:", evs_bind_key_text(s->binder, &s->ast->keys));
    for (uint32_t i = 0; i < s->ast->step_count; i++) {
        const struct evs_ast_step *step = &s->ast->steps[i];
        const char *then = i == 0 ? "" : step->is_absence ? " then no" : step->is_next ? " then next" : " then";
        const char *count = "";
        if (step->quantified) {
            count = step->max == EVS_UNBOUNDED && step->min == 1 ? "+"
                    : step->min == 0 && step->max == 1           ? "?"
                    : step->max == EVS_UNBOUNDED ? evs_arena_printf(s->binder->arena, "{%u,}", step->min)
                    : step->min == step->max     ? evs_arena_printf(s->binder->arena, "{%u}", step->min)
                                                 : evs_arena_printf(s->binder->arena, "{%u,%u}", step->min, step->max);
        }
        text = evs_arena_printf(s->binder->arena, "%s%s %s%s", text, then, step->name.text.data, count);
    }
    return text;
}

static uint64_t identity_of(const struct sequencing *s, const struct evs_rel *rows)
{
    uint64_t identity = evs_lineage_mix(evs_match_identity(&s->match, rows), (uint64_t)s->config.within_us);
    for (uint32_t i = 0; i < s->ast->step_count; i++) {
        const struct evs_ast_step *step = &s->ast->steps[i];
        const struct evs_expr *row = s->conditions[i].row;
        uint64_t parts[] = {step->min,
                            step->max,
                            step->is_next,
                            step->is_absence,
                            evs_lineage_text(1, evs_ast_expr_text(s->binder->arena, step->condition)),
                            row != NULL ? evs_lineage_expr(rows, row) : 0};
        for (size_t k = 0; k < EVS_COUNT(parts); k++) {
            identity = evs_lineage_mix(identity, parts[k]);
        }
    }
    return identity;
}

/* Reads: what is kept, and what conditions look at. */
static const uint32_t *all_reads(struct sequencing *s, const struct evs_expr *const *columns, const uint32_t *numbers,
                                 uint32_t count, uint32_t *read_count)
{
    uint32_t *reads = EVS_ARENA_ARRAY(s->binder->arena, uint32_t, s->kept.count + count + 1);
    s->row_map = EVS_ARENA_ARRAY(s->binder->arena, uint32_t, s->match.row_columns + 1);
    memset(s->row_map, 0xff, s->match.row_columns * sizeof *s->row_map);
    memcpy(reads, s->kept.columns, s->kept.count * sizeof *reads);
    for (uint32_t i = 0; i < count; i++) {
        s->row_map[columns[i]->column] = numbers[i];
        reads[s->kept.count + i] = numbers[i];
    }
    *read_count = s->kept.count + count;
    return reads;
}

static struct evs_rel *make_rel(struct sequencing *s, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_arena *arena = s->binder->arena;
    const struct evs_rel *rows = scope->base;
    const struct evs_expr **columns = EVS_ARENA_ARRAY(arena, const struct evs_expr *, s->match.row_columns + 1);
    uint32_t *numbers = EVS_ARENA_ARRAY(arena, uint32_t, s->match.row_columns + 1), count = 0;
    bool *seen = EVS_ARENA_ARRAY(arena, bool, s->match.row_columns + 1);
    for (uint32_t i = 0; i < s->condition_count; i++) {
        evs_match_columns_of(s->conditions[i].row, columns, &count, seen);
    }
    uint64_t identity = identity_of(s, rows);
    evs_match_keep(&s->match, &s->kept, columns, count, numbers, evs_bind_place(s->binder, pipe->place));
    struct evs_rel_operator *op =
        evs_bind_keyed_operator(s->binder, scope, &evs_op_sequence, s->kept.columns, s->match.key_count);
    struct evs_rel_reading *reading = EVS_ARENA_NEW(arena, struct evs_rel_reading);
    *reading = op->readings[0];
    reading->reads = all_reads(s, columns, numbers, count, &reading->read_count);
    op->readings = reading;
    op->is_built = true;
    op->configure = configure;
    op->bound = s;
    op->identity = identity;
    op->keeps_rows = true;
    op->label = label_of(s);
    op->state_bound = "an attempt ends at its deadline (within)";
    if (evs_ident_given(&s->ast->late_into)) {
        s->config.rows.late_output = true;
        evs_match_late_side(s->binder, scope, op);
    }
    struct evs_rel_column *out = EVS_ARENA_ARRAY(arena, struct evs_rel_column, s->select_count + 1);
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(arena, struct evs_rel_origin, s->select_count + 1);
    for (uint32_t i = 0; i < s->select_count; i++) {
        const struct evs_pending_measure *measure = &s->match.measures[i];
        out[i] = (struct evs_rel_column){.name = measure->text, .type = measure->type, .nullable = true};
        origins[i] = (struct evs_rel_origin){EVS_COMPUTED, i};
    }
    op->origins = origins;
    struct evs_rel *rel =
        evs_rel_operator(&s->binder->rels, &scope->base, 1, op, out, s->select_count, EVS_NO_COLUMN,
                         evs_bind_place(s->binder, pipe->place), evs_bind_operator_name(s->binder, pipe));
    return rel;
}

/* --- outcomes ------------------------------------------------------------------------------------------------------------------------------ */

/* The rows with or without the mark of a timeout. */
static struct evs_rel *part_rows(struct sequencing *s, struct evs_rel *rel, uint32_t mark, bool is_timeout)
{
    struct evs_error error;
    struct evs_field field = evs_rel_field(rel, mark);
    const struct evs_expr *column = evs_expr_column(s->binder->arena, mark, &field, rel->place), *predicate;
    evs_status status = evs_expr_special(s->binder->arena, is_timeout ? EVS_EXPR_IS_TRUE : EVS_EXPR_IS_FALSE, &column,
                                         1, rel->place, &predicate, &error);
    EVS_ASSERT(status == EVS_OK);
    return evs_rel_filter(&s->binder->rels, rel, predicate);
}

static void insert_timeouts(struct sequencing *s, struct evs_rel *rel, uint32_t mark, const struct evs_scope *result)
{
    struct evs_scope timeouts = evs_scope_copy(s->binder, result);
    timeouts.base = part_rows(s, rel, mark, true);
    struct evs_entity *sink = evs_bind_sink_name(s->binder, &s->ast->timeout_into);
    struct evs_rel *rows = evs_scope_project(s->binder, &timeouts, &timeouts.columns, rel->place);
    if (sink != NULL) {
        evs_bind_insert(s->binder, sink, (struct evs_rel_input){rows, 0}, s->ast->timeout_into.place);
    }
}

static bool bind_keys(struct sequencing *s, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_expr **keys = EVS_ARENA_ARRAY(s->binder->arena, const struct evs_expr *, EVS_KEYS_MAX);
    uint32_t numbers[EVS_KEYS_MAX];
    uint32_t count = s->ast->keys.count;
    if (!evs_bind_key_exprs(s->binder, scope, &s->ast->keys, keys)) {
        return false;
    }
    evs_scope_settle_with(s->binder, scope, keys, count, numbers, evs_bind_place(s->binder, pipe->place));
    for (uint32_t i = 0; i < count; i++) {
        struct evs_field field = evs_rel_field(scope->base, numbers[i]);
        field.name = evs_ast_expr_text(s->binder->arena, s->ast->keys.items[i]);
        keys[i] = evs_expr_column(s->binder->arena, numbers[i], &field, keys[i]->place);
    }
    s->match.scope = scope;
    s->match.row_columns = scope->base->column_count;
    s->match.keys = keys;
    s->match.key_count = count;
    return true;
}

static void set_limits(struct sequencing *s)
{
    s->config.attempts_max = (uint32_t)evs_setting(s->binder, "sequence_attempts")->integer;
    s->config.rows_max = (uint32_t)evs_setting(s->binder, "sequence_rows")->integer;
    s->config.skips_to_next = s->ast->skip == EVS_SKIP_TO_NEXT_ROW;
    s->config.has_timeouts = evs_ident_given(&s->ast->timeout_into);
}

bool evs_bind_sequence(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct sequencing *s = EVS_ARENA_NEW(binder->arena, struct sequencing);
    s->binder = binder;
    s->ast = pipe->sequence;
    s->match =
        (struct evs_match_scope){.binder = binder, .own_part = EVS_NO_PART, .what = "a match", .part_word = "step"};
    bool is_right =
        !evs_bind_refuse_update(binder, scope, pipe->word, "a sequence") && check_names(s) && bind_keys(s, scope, pipe);
    struct evs_columns items = {0};
    if (!is_right || !lay_steps(s)) {
        return false;
    }
    is_right = bind_conditions(s);
    s->match.own_part = EVS_NO_PART;
    s->match.part_limit = s->match.part_count;
    is_right = evs_match_items(&s->match, &s->ast->select, &items) && is_right;
    if (!is_right || !check_bounds(s, scope->base)) {
        return false;
    }
    set_limits(s);
    uint32_t mark = EVS_NO_COLUMN;
    if (s->config.has_timeouts) {
        struct evs_pending_measure timeout = {
            .kind = EVS_MEASURE_TIMEOUT, .type = evs_type_of(EVS_BOOL), .text = "_timeout"};
        mark = evs_match_measure(&s->match, &timeout);
    }
    s->select_count = s->match.measure_count;
    struct evs_rel *rel = make_rel(s, scope, pipe);
    struct evs_scope result = {.base = rel, .columns = items};
    if (s->config.has_timeouts) {
        insert_timeouts(s, rel, mark, &result);
        result.base = part_rows(s, rel, mark, false);
    }
    if (evs_ident_given(&s->ast->late_into)) {
        evs_bind_side_sink(binder, rel, &s->ast->late_into);
    }
    *scope = result;
    return true;
}
