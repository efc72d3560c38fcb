/* match_recognize (…): symbols, the pattern, and measures over what it has matched.
 *
 *   scope ──► project, with partition and arguments as columns ──► match_recognize ──► scope: partition columns, measures
 *                                                                         └──► late rows */
#include "bind_keyed.h"
#include "bind_measure.h"
#include "match_pattern.h"
#include "op_match.h"

#include <string.h>

struct recognizing {
    struct evs_binder *binder;
    const struct evs_ast_match_recognize *ast;
    struct evs_match_scope match;
    struct evs_match_config config;
    const struct evs_expr *conditions[EVS_PATTERN_SYMBOLS_MAX]; /* over the rows */
    struct evs_match_kept kept;
    uint32_t *row_map; /* column of the rows, as bound → of the operator's input relation */
    uint32_t measure_count;
};

/* --- partition, order, symbols ----------------------------------------------------------------------------------------------------------- */

static bool bind_partition(struct recognizing *r, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_expr **keys = EVS_ARENA_ARRAY(r->binder->arena, const struct evs_expr *, EVS_KEYS_MAX);
    uint32_t numbers[EVS_KEYS_MAX], count = r->ast->partition.count;
    if (count > 0 && !evs_bind_key_exprs(r->binder, scope, &r->ast->partition, keys)) {
        return false;
    }
    evs_scope_settle_with(r->binder, scope, keys, count, numbers, evs_bind_place(r->binder, pipe->place));
    for (uint32_t i = 0; i < count; i++) {
        struct evs_field field = evs_rel_field(scope->base, numbers[i]);
        field.name = evs_ast_expr_text(r->binder->arena, r->ast->partition.items[i]);
        keys[i] = evs_expr_column(r->binder->arena, numbers[i], &field, keys[i]->place);
    }
    r->match.scope = scope;
    r->match.row_columns = scope->base->column_count;
    r->match.keys = keys;
    r->match.key_count = count;
    return true;
}

static bool check_order(struct recognizing *r, struct evs_scope *scope)
{
    const struct evs_ast_order *order = &r->ast->order.items[0];
    struct evs_context context = {.scope = scope};
    const struct evs_expr *expr = evs_bind_expr(r->binder, &context, order->expr);
    if (expr == NULL) {
        return false;
    }
    if (r->ast->order.count > 1 || order->descending || !evs_scope_is_event_time(scope, expr)) {
        struct evs_diag *diag = evs_report(
            r->binder, EVS_E0403, r->ast->order.count > 1 ? r->ast->order.items[1].expr->place : order->expr->place,
            "the rows of a stream come in event-time order: match_recognize is ordered by it alone");
        evs_diag_hint(diag, "write order by COLUMN with the column of `watermark for`; rows of one time keep the order "
                            "of their partition");
        return false;
    }
    return true;
}

static bool bind_symbols(struct recognizing *r)
{
    const struct evs_ast_match_recognize *ast = r->ast;
    struct evs_match_part *parts = EVS_ARENA_ARRAY(r->binder->arena, struct evs_match_part, ast->definition_count);
    bool is_right = true;
    if (ast->definition_count > EVS_PATTERN_SYMBOLS_MAX) {
        evs_report(r->binder, EVS_E0442, ast->definitions[EVS_PATTERN_SYMBOLS_MAX].place,
                   "a pattern has at most %u symbols", EVS_PATTERN_SYMBOLS_MAX);
        return false;
    }
    for (uint32_t i = 0; i < ast->definition_count; i++) {
        const struct evs_ident *name = &ast->definitions[i].alias;
        for (uint32_t k = 0; k < i; k++) {
            if (evs_slice_equal_nocase(name->text, parts[k].name.text.data)) {
                evs_report(r->binder, EVS_E0442, name->place, "the symbol `%s` is defined twice", name->text.data);
                is_right = false;
            }
        }
        parts[i] = (struct evs_match_part){*name, true};
    }
    r->match.parts = parts;
    r->match.part_count = ast->definition_count;
    return is_right;
}

static bool bind_condition(struct recognizing *r, uint32_t symbol)
{
    const struct evs_ast_expr *ast = r->ast->definitions[symbol].expr;
    struct evs_context context = {.scope = r->match.scope, .match = &r->match};
    r->match.own_part = symbol;
    r->match.part_limit = r->match.part_count;
    const struct evs_expr *expr = evs_bind_expr(r->binder, &context, ast);
    expr = expr == NULL ? NULL : evs_bind_bool(r->binder, expr, ast->place);
    if (expr == NULL) {
        return false;
    }
    if (!evs_match_is_of_row(&r->match, expr)) {
        struct evs_diag *diag = evs_report(r->binder, EVS_E0442, ast->place,
                                           "what a row is depends on that row alone, and this looks at others");
        evs_diag_hint(diag, "compare with the row before by |> extend lag(x) over (…) in front, or use sequence by");
        return false;
    }
    r->conditions[symbol] = evs_match_over_rows(&r->match, expr);
    return true;
}

static bool bind_conditions(struct recognizing *r)
{
    bool is_right = true;
    for (uint32_t i = 0; i < r->ast->definition_count; i++) {
        is_right = bind_condition(r, i) && is_right;
    }
    r->match.own_part = EVS_NO_PART;
    r->match.aggregates_alone = true;
    return is_right;
}

/* --- the pattern ---------------------------------------------------------------------------------------------------------------------------- */

static bool bind_longest(struct recognizing *r, bool *is_longest)
{
    struct evs_value value;
    *is_longest = false;
    if (r->ast->longest == NULL) {
        return true;
    }
    if (!evs_bind_coerced(r->binder, r->ast->longest, evs_type_of(EVS_BOOL), "use_longest_match", &value)) {
        return false;
    }
    if (value.is_null) {
        evs_report(r->binder, EVS_E0442, r->ast->longest->place, "use_longest_match is true or false, not NULL");
        return false;
    }
    *is_longest = value.boolean;
    return true;
}

static uint64_t symbols_of(const struct evs_pattern *pattern)
{
    uint64_t symbols = pattern->kind == EVS_PATTERN_OF_SYMBOL ? UINT64_C(1) << pattern->symbol : 0;
    for (uint32_t i = 0; i < pattern->part_count; i++) {
        symbols |= symbols_of(pattern->parts[i]);
    }
    return symbols;
}

/* A condition that no row is ever asked for is a slip of the pen (GoogleSQL refuses it as well). */
static bool check_all_used(struct recognizing *r, const struct evs_pattern *pattern)
{
    _Static_assert(EVS_PATTERN_SYMBOLS_MAX <= 64, "a bit each");
    uint64_t used = symbols_of(pattern);
    for (uint32_t i = 0; i < r->match.part_count; i++) {
        if ((used >> i & 1) == 0) {
            const struct evs_ident *name = &r->match.parts[i].name;
            struct evs_diag *diag = evs_report(r->binder, EVS_E0442, name->place,
                                               "the symbol `%s` does not stand in the pattern", name->text.data);
            evs_diag_hint(diag, "leave it out, or put it into pattern (…)");
            return false;
        }
    }
    return true;
}

static bool bind_pattern(struct recognizing *r)
{
    const struct evs_ident *unknown = NULL;
    bool is_longest;
    if (!bind_longest(r, &is_longest)) {
        return false;
    }
    const struct evs_pattern *pattern =
        evs_match_pattern(r->binder->arena, r->ast->pattern, r->ast->definitions, r->ast->definition_count, &unknown);
    if (pattern == NULL) {
        struct evs_diag *diag =
            evs_report(r->binder, EVS_E0442, unknown->place, "the symbol `%s` is not defined", unknown->text.data);
        struct evs_nearest nearest = evs_nearest_begin(unknown->text);
        for (uint32_t i = 0; i < r->match.part_count; i++) {
            evs_nearest_offer(&nearest, r->match.parts[i].name.text);
        }
        if (nearest.best.count > 0) {
            evs_diag_did_you_mean(diag, &nearest);
        } else {
            evs_diag_hint(diag, "add it: define %s as CONDITION", unknown->text.data);
        }
        return false;
    }
    if (!check_all_used(r, pattern)) {
        return false;
    }
    if (!evs_pattern_compile(r->binder->arena, pattern, is_longest, &r->config.pattern)) {
        struct evs_diag *diag =
            evs_report(r->binder, EVS_E0442, r->ast->pattern->place,
                       "written out, the pattern needs more than %u states", EVS_PATTERN_STATES_MAX);
        evs_diag_hint(diag, "make the numbers of rows in braces smaller");
        return false;
    }
    return true;
}

static bool uses_number(const struct recognizing *r)
{
    for (uint32_t i = 0; i < r->match.measure_count; i++) {
        if (r->match.measures[i].kind == EVS_MEASURE_NUMBER) {
            return true;
        }
    }
    return false;
}

static bool bind_bound(struct recognizing *r, const struct evs_rel *base, const struct evs_ast_pipe *pipe)
{
    r->config.within_us = EVS_MATCH_NEVER;
    r->config.remembers = uses_number(r) || r->config.pattern.has_first;
    if (r->ast->within != NULL) {
        if (!evs_bind_duration(r->binder, r->ast->within, "`within`", &r->config.within_us)) {
            return false;
        }
        if (r->config.within_us <= 0) {
            evs_report(r->binder, EVS_E0418, r->ast->within->place, "`within` is an interval above zero");
            return false;
        }
    }
    if (base->is_bounded) {
        return true;
    }
    struct evs_diag *diag;
    if (r->ast->within == NULL) {
        diag = evs_report(r->binder, EVS_E0441, pipe->word, "a match could wait for its next row for ever");
        evs_diag_hint(diag, "say how long a match may take: pattern (…) within interval 30 minute");
        return false;
    }
    if (r->config.remembers) {
        diag = evs_report(r->binder, EVS_E0441, r->ast->pattern->place,
                          "`^` and match_number() would remember every partition for ever");
        evs_diag_hint(diag, "they go where the input ends, as files do");
        return false;
    }
    if (r->config.pattern.has_last) {
        diag = evs_report(r->binder, EVS_E0442, r->ast->pattern->place,
                          "`$` is the end of the input, and a stream has none");
        evs_diag_hint(diag, "leave it out; `within` ends a match that waits");
        return false;
    }
    return true;
}

/* --- the relation ---------------------------------------------------------------------------------------------------------------------------- */

static const void *configure(const struct evs_rel_layout *layout)
{
    const struct recognizing *r = layout->rel->op->bound;
    struct evs_match_config *config = EVS_ARENA_NEW(layout->arena, struct evs_match_config);
    *config = r->config;
    config->rows.columns = evs_bind_map_columns(layout, r->kept.columns, r->kept.count);
    config->rows.column_count = r->kept.count;
    config->rows.key_count = r->match.key_count;
    config->rows.condition_count = r->ast->definition_count;
    config->rows.keeps_every_row = config->rows.takes_null_keys = true;
    const struct evs_expr **conditions =
        EVS_ARENA_ARRAY(layout->arena, const struct evs_expr *, r->ast->definition_count);
    for (uint32_t i = 0; i < r->ast->definition_count; i++) {
        conditions[i] = evs_expr_remap(layout->arena, r->conditions[i], r->row_map);
    }
    config->rows.conditions =
        evs_build_program(layout->builder, conditions, r->ast->definition_count, layout->input_map[0]);
    if (config->rows.late_output) {
        config->rows.late_map = evs_match_late_map(layout, &config->rows.late_columns);
        config->rows.late_schema = layout->side_schema[0];
    }
    struct evs_measure *measures = EVS_ARENA_ARRAY(layout->arena, struct evs_measure, layout->schema.count + 1);
    for (uint32_t i = 0; i < layout->rel->column_count; i++) {
        if (layout->map[i] != EVS_NO_COLUMN) {
            measures[layout->map[i]] = evs_match_final(&r->match, &r->kept, &r->match.measures[i]);
        }
    }
    config->measures = measures;
    config->measure_count = layout->schema.count;
    config->file = layout->place.file;
    config->line = layout->place.line;
    return config->rows.conditions != NULL ? config : NULL;
}

static uint64_t identity_of(const struct recognizing *r, const struct evs_rel *rows)
{
    uint64_t identity = evs_match_identity(&r->match, rows);
    const struct evs_pattern_program *pattern = &r->config.pattern;
    identity = evs_lineage_mix(identity, (uint64_t)r->config.within_us);
    identity = evs_lineage_mix(identity, evs_hash64(pattern->states, pattern->state_count * sizeof *pattern->states));
    for (uint32_t i = 0; i < r->ast->definition_count; i++) {
        identity = evs_lineage_mix(identity, evs_lineage_expr(rows, r->conditions[i]));
    }
    return identity;
}

static struct evs_rel *make_rel(struct recognizing *r, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_arena *arena = r->binder->arena;
    uint32_t width = r->match.row_columns, count = 0, total = r->match.measure_count;
    const struct evs_expr **columns = EVS_ARENA_ARRAY(arena, const struct evs_expr *, width + 1);
    uint32_t *numbers = EVS_ARENA_ARRAY(arena, uint32_t, width + 1);
    bool *seen = EVS_ARENA_ARRAY(arena, bool, width + 1);
    for (uint32_t i = 0; i < r->ast->definition_count; i++) {
        evs_match_columns_of(r->conditions[i], columns, &count, seen);
    }
    uint64_t identity = identity_of(r, scope->base);
    evs_match_keep(&r->match, &r->kept, columns, count, numbers, evs_bind_place(r->binder, pipe->place));
    struct evs_rel_operator *op =
        evs_bind_keyed_operator(r->binder, scope, &evs_op_match, r->kept.columns, r->match.key_count);
    uint32_t *reads = EVS_ARENA_ARRAY(arena, uint32_t, r->kept.count + count + 1);
    memcpy(reads, r->kept.columns, r->kept.count * sizeof *reads);
    r->row_map = EVS_ARENA_ARRAY(arena, uint32_t, width + 1);
    memset(r->row_map, 0xff, width * sizeof *r->row_map);
    for (uint32_t i = 0; i < count; i++) {
        r->row_map[columns[i]->column] = reads[r->kept.count + i] = numbers[i];
    }
    struct evs_rel_reading *reading = EVS_ARENA_NEW(arena, struct evs_rel_reading);
    *reading = op->readings[0];
    reading->reads = reads;
    reading->read_count = r->kept.count + count;
    op->readings = reading;
    op->is_built = true;
    op->configure = configure;
    op->bound = r;
    op->identity = identity;
    op->keeps_rows = true;
    op->label = r->match.key_count == 0 ? "match_recognize"
                                        : evs_arena_printf(arena, "match_recognize by %s",
                                                           evs_bind_key_text(r->binder, &r->ast->partition));
    op->state_bound = r->ast->within == NULL ? "the input ends" : "a match is decided at its first row + within";
    if (evs_ident_given(&r->ast->late_into)) {
        r->config.rows.late_output = true;
        evs_match_late_side(r->binder, scope, op);
    }
    struct evs_rel_column *out = EVS_ARENA_ARRAY(arena, struct evs_rel_column, total + 1);
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(arena, struct evs_rel_origin, total + 1);
    for (uint32_t i = 0; i < total; i++) {
        const struct evs_pending_measure *measure = &r->match.measures[i];
        out[i] = (struct evs_rel_column){.name = measure->text, .type = measure->type, .nullable = true};
        origins[i] = (struct evs_rel_origin){EVS_COMPUTED, i};
    }
    op->origins = origins;
    return evs_rel_operator(&r->binder->rels, &scope->base, 1, op, out, total, EVS_NO_COLUMN,
                            evs_bind_place(r->binder, pipe->place), evs_bind_operator_name(r->binder, pipe));
}

/* The partition's columns come first, as GoogleSQL has it. */
static void add_partition(struct recognizing *r, struct evs_columns *items)
{
    for (uint32_t i = 0; i < r->match.key_count; i++) {
        const struct evs_expr *key = r->match.keys[i];
        struct evs_ident none = {0};
        struct evs_pending_measure measure = {
            .kind = EVS_MEASURE_KEY, .column = key, .type = key->type, .nullable = key->nullable, .text = key->text};
        struct evs_field field = {key->text, key->type, true};
        uint32_t number = evs_match_measure(&r->match, &measure);
        evs_columns_add(r->binder, items, evs_bind_item_name(r->binder, &none, r->ast->partition.items[i]),
                        evs_expr_column(r->binder->arena, number, &field, key->place));
    }
}

bool evs_bind_match_recognize(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct recognizing *r = EVS_ARENA_NEW(binder->arena, struct recognizing);
    struct evs_columns items = {0};
    r->binder = binder;
    r->ast = pipe->match_recognize;
    r->match =
        (struct evs_match_scope){.binder = binder, .own_part = EVS_NO_PART, .what = "a match", .part_word = "symbol"};
    r->config.skips_to_next = r->ast->skip == EVS_SKIP_TO_NEXT_ROW;
    r->config.rows_max = (uint32_t)evs_setting(binder, "sequence_rows")->integer;
    bool is_right = !evs_bind_refuse_update(binder, scope, pipe->word, "match_recognize") &&
                    bind_partition(r, scope, pipe) && check_order(r, scope) && bind_symbols(r);
    if (!is_right) {
        return false;
    }
    is_right = bind_conditions(r);
    add_partition(r, &items);
    is_right = evs_match_items(&r->match, &r->ast->measures, &items) && is_right;
    if (!bind_pattern(r) || !is_right || !bind_bound(r, scope->base, pipe)) {
        return false;
    }
    struct evs_rel *rel = make_rel(r, scope, pipe);
    if (evs_ident_given(&r->ast->late_into)) {
        evs_bind_side_sink(binder, rel, &r->ast->late_into);
    }
    *scope = (struct evs_scope){.base = rel, .columns = items};
    return true;
}
