/* Names and calls over the rows of a match (bind_measure.h). */
#include "bind_measure.h"

#include <string.h>

/* --- measures -------------------------------------------------------------------------------------------------------------------------- */

static bool same_expr(const struct evs_expr *a, const struct evs_expr *b)
{
    return a == b || (a != NULL && b != NULL && evs_expr_equal(a, b));
}

static bool same_measure(const struct evs_pending_measure *a, const struct evs_pending_measure *b)
{
    return a->kind == b->kind && a->part == b->part && same_expr(a->column, b->column) &&
           (a->kind != EVS_MEASURE_CALL || evs_same_call(&a->call, &b->call));
}

uint32_t evs_match_measure(struct evs_match_scope *match, const struct evs_pending_measure *measure)
{
    for (uint32_t i = 0; i < match->measure_count; i++) {
        if (same_measure(&match->measures[i], measure)) {
            return i;
        }
    }
    if (match->measure_count == match->measure_capacity) {
        uint32_t capacity = match->measure_capacity * 2 + 8;
        struct evs_pending_measure *more = EVS_ARENA_ARRAY(match->binder->arena, struct evs_pending_measure, capacity);
        if (match->measure_count > 0) {
            memcpy(more, match->measures, match->measure_count * sizeof *more);
        }
        match->measures = more;
        match->measure_capacity = capacity;
    }
    match->measures[match->measure_count] = *measure;
    return match->measure_count++;
}

static const struct evs_expr *measure_expr(struct evs_match_scope *match, const struct evs_pending_measure *measure,
                                           struct evs_place place)
{
    struct evs_field field = {measure->text, measure->type, measure->nullable};
    uint32_t column = evs_match_first(match) + evs_match_measure(match, measure);
    return evs_expr_column(match->binder->arena, column, &field, evs_bind_place(match->binder, place));
}

/* --- names ------------------------------------------------------------------------------------------------------------------------------- */

static uint32_t find_part(const struct evs_match_scope *match, struct evs_slice name)
{
    for (uint32_t i = 0; i < match->part_count; i++) {
        if (evs_slice_equal_nocase(name, match->parts[i].name.text.data)) {
            return i;
        }
    }
    return EVS_NO_PART;
}

static bool check_part(struct evs_match_scope *match, uint32_t part, const struct evs_ident *name)
{
    if (part == match->own_part) {
        return true;
    }
    if (!match->parts[part].has_rows) {
        struct evs_diag *diag =
            evs_report(match->binder, EVS_E0440, name->place,
                       "`%s` is what must not come: no row of a match belongs to it", name->text.data);
        evs_diag_hint(diag, "name a step that comes");
        return false;
    }
    if (part >= match->part_limit) {
        struct evs_diag *diag = evs_report(match->binder, EVS_E0440, name->place,
                                           "`%s` comes later than this condition is judged", name->text.data);
        evs_diag_hint(diag, "compare in the later step's condition: it sees this one");
        return false;
    }
    return true;
}

/* part.column */
static const struct evs_expr *part_column(struct evs_context *context, uint32_t part, const struct evs_ast_expr *ast)
{
    struct evs_match_scope *match = context->match;
    struct evs_binder *binder = match->binder;
    const struct evs_ident *name = &ast->names[1];
    const struct evs_scope_column *found = NULL;
    uint32_t count = evs_columns_find(&match->scope->columns, name->text, &found);
    count = count == 0 ? evs_columns_find(&match->scope->system, name->text, &found) : count;
    if (!check_part(match, part, &ast->names[0])) {
        return NULL;
    }
    if (count != 1) {
        struct evs_diag *diag = evs_report(binder, count == 0 ? EVS_E0203 : EVS_E0204, name->place,
                                           count == 0 ? "no column `%s` in the rows of `%s`"
                                                      : "several columns have the name `%s` in the rows of `%s`",
                                           name->text.data, ast->names[0].text.data);
        struct evs_nearest nearest = evs_nearest_begin(name->text);
        for (uint32_t i = 0; i < match->scope->columns.count; i++) {
            if (match->scope->columns.items[i].name != NULL) {
                evs_nearest_offer(&nearest, evs_slice_of(match->scope->columns.items[i].name));
            }
        }
        evs_diag_did_you_mean(diag, &nearest);
        return NULL;
    }
    if (match->aggregates_alone && !context->in_aggregate && part != match->own_part) {
        const char *text = evs_ast_expr_text(binder->arena, ast);
        struct evs_diag *diag = evs_report(binder, EVS_E0310, ast->place,
                                           "`%s` may be several rows: it stands inside an aggregate function", text);
        evs_diag_hint(diag, "write last(%s), or first(%s)", text, text);
        return NULL;
    }
    evs_observe_row(binder, ast->names[0].place, match->parts[part].name.text.data, match->parts[part].name.place);
    evs_observe_column(binder, name->place, found->name, found->expr);
    struct evs_field field = {ast->names[1].text.data, found->expr->type, true};
    return evs_expr_column(binder->arena, (part + 1) * match->row_columns + found->expr->column, &field,
                           evs_bind_place(binder, ast->place));
}

static bool is_key(const struct evs_match_scope *match, const struct evs_expr *expr)
{
    for (uint32_t i = 0; i < match->key_count; i++) {
        if (evs_expr_equal(match->keys[i], expr)) {
            return true;
        }
    }
    return false;
}

static const struct evs_expr *key_measure(struct evs_match_scope *match, const struct evs_expr *expr,
                                          struct evs_place place)
{
    struct evs_pending_measure key = {
        .kind = EVS_MEASURE_KEY, .column = expr, .type = expr->type, .nullable = expr->nullable, .text = expr->text};
    return measure_expr(match, &key, place);
}

/* A name without a part in a select: a key. */
static const struct evs_expr *select_column(struct evs_match_scope *match, const struct evs_expr *expr,
                                            const struct evs_ast_expr *ast)
{
    if (is_key(match, expr)) {
        return key_measure(match, expr, ast->place);
    }
    const char *text = evs_ast_expr_text(match->binder->arena, ast);
    const char *part = match->part_count > 0 ? match->parts[0].name.text.data : match->part_word;
    struct evs_diag *diag =
        evs_report(match->binder, EVS_E0310, ast->place, "of which %s's rows is `%s`?", match->part_word, text);
    evs_diag_hint(diag, match->aggregates_alone ? "write last(%s.%s), for example" : "write %s.%s, for example", part,
                  text);
    return NULL;
}

/* `name.column` where nothing has the name: not a step, a column or the rows themselves. */
static bool report_unknown_part(struct evs_match_scope *match, const struct evs_ident *name)
{
    const struct evs_scope_column *found;
    bool is_known = evs_columns_find(&match->scope->columns, name->text, &found) > 0 ||
                    evs_columns_find(&match->scope->system, name->text, &found) > 0;
    for (uint32_t i = 0; i < match->scope->range_count; i++) {
        is_known = is_known || evs_slice_equal_nocase(name->text, match->scope->ranges[i].name);
    }
    for (uint32_t i = 0; i < match->absent_count && !is_known; i++) {
        if (evs_slice_equal_nocase(name->text, match->absent[i].text.data)) {
            struct evs_diag *diag =
                evs_report(match->binder, EVS_E0440, name->place,
                           "`%s` is what must not come: no row of a match belongs to it", name->text.data);
            evs_diag_hint(diag, "name a step that comes");
            return true;
        }
    }
    if (is_known) {
        return false;
    }
    struct evs_diag *diag =
        evs_report(match->binder, EVS_E0440, name->place, "no %s `%s`", match->part_word, name->text.data);
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    for (uint32_t i = 0; i < match->part_count; i++) {
        evs_nearest_offer(&nearest, match->parts[i].name.text);
    }
    evs_diag_did_you_mean(diag, &nearest);
    return true;
}

const struct evs_expr *evs_bind_match_path(struct evs_binder *binder, struct evs_context *context,
                                           const struct evs_ast_expr *ast)
{
    struct evs_match_scope *match = context->match;
    uint32_t part = find_part(match, ast->names[0].text);
    if (part == EVS_NO_PART && ast->name_count > 1 && report_unknown_part(match, &ast->names[0])) {
        return NULL;
    }
    if (part == EVS_NO_PART || ast->name_count == 1) {
        const struct evs_expr *expr = evs_bind_path(binder, context, ast);
        bool is_select = match->own_part == EVS_NO_PART && !context->in_aggregate;
        return expr != NULL && is_select ? select_column(match, expr, ast) : expr;
    }
    const struct evs_expr *expr = part_column(context, part, ast);
    for (uint32_t i = 2; expr != NULL && i < ast->name_count; i++) {
        expr = evs_bind_member(binder, expr, &ast->names[i], ast->place);
    }
    return expr;
}

/* --- calls ------------------------------------------------------------------------------------------------------------------------------- */

struct columns_of_parts {
    const struct evs_match_scope *match;
    uint32_t part;
    bool has_part, is_mixed;
};

static void visit_columns(struct columns_of_parts *seen, const struct evs_expr *expr)
{
    if (expr->kind == EVS_EXPR_COLUMN) {
        uint32_t block = expr->column / seen->match->row_columns;
        if (block > 0) {
            seen->is_mixed = seen->is_mixed || (seen->has_part && seen->part != block - 1);
            seen->has_part = true;
            seen->part = block - 1;
        }
    }
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        visit_columns(seen, expr->arguments[i]);
    }
}

bool evs_match_is_of_row(const struct evs_match_scope *match, const struct evs_expr *expr)
{
    if (expr->kind == EVS_EXPR_COLUMN) {
        uint32_t block = expr->column / match->row_columns;
        bool is_own = block == 0 || (match->own_part != EVS_NO_PART && block == match->own_part + 1);
        return expr->column < evs_match_first(match) && is_own;
    }
    bool is_own = true;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        is_own = is_own && evs_match_is_of_row(match, expr->arguments[i]);
    }
    return is_own;
}

void evs_match_columns_of(const struct evs_expr *expr, const struct evs_expr **columns, uint32_t *count, bool *seen)
{
    if (expr->kind == EVS_EXPR_COLUMN && !seen[expr->column]) {
        seen[expr->column] = true;
        columns[(*count)++] = expr;
    }
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        evs_match_columns_of(expr->arguments[i], columns, count, seen);
    }
}

const struct evs_expr *evs_match_over_rows(struct evs_match_scope *match, const struct evs_expr *expr)
{
    uint32_t count = evs_match_first(match) + match->measure_count;
    uint32_t *map = EVS_ARENA_ARRAY(match->binder->arena, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        map[i] = i % match->row_columns;
    }
    return evs_expr_remap(match->binder->arena, expr, map);
}

/* Of which part a call's rows are; false: of several (reported). */
static bool part_of_call(struct evs_match_scope *match, struct pending_call *call, const struct evs_ast_expr *ast,
                         uint32_t *part)
{
    struct columns_of_parts seen = {.match = match, .has_part = *part != EVS_NO_PART, .part = *part};
    for (uint32_t i = 0; i < call->argument_count; i++) {
        visit_columns(&seen, call->arguments[i]);
        call->arguments[i] = evs_match_over_rows(match, call->arguments[i]);
    }
    if (call->condition != NULL) {
        visit_columns(&seen, call->condition);
        call->condition = evs_match_over_rows(match, call->condition);
    }
    if (seen.is_mixed) {
        struct evs_diag *diag = evs_report(
            match->binder, EVS_E0311, ast->place,
            "an aggregate function goes over the rows of one %s, and this one names several", match->part_word);
        evs_diag_hint(diag, "write one call for each, and combine the results");
        return false;
    }
    if (seen.has_part && !match->parts[seen.part].has_rows) {
        evs_report(match->binder, EVS_E0440, ast->place, "what must not come has no rows to aggregate");
        return false;
    }
    *part = seen.has_part ? seen.part : EVS_EVERY_PART;
    return true;
}

static bool is_plain(const struct pending_call *call)
{
    return call->condition == NULL && !call->is_distinct && !call->ignore_nulls && call->order_count == 0;
}

static struct evs_pending_measure measure_of_call(const struct pending_call *call, uint32_t part)
{
    struct evs_pending_measure measure = {.kind = EVS_MEASURE_CALL,
                                          .part = part,
                                          .call = *call,
                                          .type = call->result_type,
                                          .nullable = call->is_nullable,
                                          .text = call->text};
    bool is_ends = call->kind == EVS_AGG_FIRST || call->kind == EVS_AGG_LAST;
    if (call->kind == EVS_AGG_COUNT_ROWS && is_plain(call)) {
        measure.kind = EVS_MEASURE_COUNT;
    } else if (is_ends && is_plain(call)) {
        measure.kind = call->kind == EVS_AGG_FIRST ? EVS_MEASURE_FIRST : EVS_MEASURE_LAST;
        measure.column = call->arguments[0];
    }
    return measure;
}

/* count(cart): the rows of a part. */
static bool counts_part(const struct evs_match_scope *match, const struct evs_ast_expr *ast, uint32_t *part)
{
    const struct evs_scope_column *found;
    const struct evs_ast_expr *argument = ast->argument_count == 1 ? ast->arguments[0] : NULL;
    if (argument == NULL || argument->kind != EVS_AST_PATH || argument->name_count != 1 ||
        !evs_slice_equal_nocase(ast->call->name, "count") || ast->call->distinct ||
        evs_columns_find(&match->scope->columns, argument->names[0].text, &found) > 0) {
        return false;
    }
    *part = find_part(match, argument->names[0].text);
    return *part != EVS_NO_PART;
}

bool evs_match_is_number(struct evs_slice function)
{
    return evs_slice_equal_nocase(function, "match_number");
}

static const struct evs_expr *number_measure(struct evs_match_scope *match, const struct evs_ast_expr *ast)
{
    if (!match->aggregates_alone || match->own_part != EVS_NO_PART || ast->argument_count > 0) {
        evs_report(match->binder, EVS_E0311, ast->place, "match_number() stands in the measures of match_recognize");
        return NULL;
    }
    struct evs_pending_measure number = {
        .kind = EVS_MEASURE_NUMBER, .type = evs_type_of(EVS_INT64), .text = "match_number"};
    return measure_expr(match, &number, ast->place);
}

const struct evs_expr *evs_bind_match_call(struct evs_binder *binder, struct evs_context *context,
                                           const struct evs_ast_expr *ast)
{
    struct evs_match_scope *match = context->match;
    uint32_t part = EVS_NO_PART;
    if (evs_match_is_number(ast->call->name)) {
        return number_measure(match, ast);
    }
    struct evs_ast_expr star = {.kind = EVS_AST_STAR, .place = ast->place}, changed = *ast;
    const struct evs_ast_expr *arguments[1] = {&star};
    const char *text = evs_ast_expr_text(binder->arena, ast);
    if (counts_part(match, ast, &part)) {
        if (!check_part(match, part, &ast->arguments[0]->names[0])) {
            return NULL;
        }
        changed.arguments = arguments;
        ast = &changed;
    }
    struct pending_call call;
    if (!evs_bind_call(binder, context, ast, &call) || !part_of_call(match, &call, ast, &part)) {
        return NULL;
    }
    call.text = text;
    struct evs_pending_measure measure = measure_of_call(&call, part);
    return measure_expr(match, &measure, ast->place);
}

/* --- selects ------------------------------------------------------------------------------------------------------------------------------ */

static void collect_parts(struct evs_match_scope *match, const struct evs_expr *expr, uint32_t *map)
{
    if (expr->kind == EVS_EXPR_COLUMN && expr->column < evs_match_first(match)) {
        uint32_t part = expr->column / match->row_columns - 1;
        struct evs_field field = {expr->text, expr->type, expr->nullable};
        uint32_t column = expr->column % match->row_columns;
        EVS_ASSERT(expr->column >= match->row_columns);
        struct evs_pending_measure last = {.kind = EVS_MEASURE_LAST,
                                           .part = part,
                                           .column = evs_expr_column(match->binder->arena, column, &field, expr->place),
                                           .type = expr->type,
                                           .nullable = true,
                                           .text = expr->text};
        map[expr->column] = evs_match_measure(match, &last);
    }
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        collect_parts(match, expr->arguments[i], map);
    }
}

const struct evs_expr *evs_match_select(struct evs_match_scope *match, const struct evs_expr *expr)
{
    uint32_t first = evs_match_first(match), count = first + match->measure_count;
    uint32_t *map = EVS_ARENA_ARRAY(match->binder->arena, uint32_t, count + 1);
    for (uint32_t i = first; i < count; i++) {
        map[i] = i - first;
    }
    collect_parts(match, expr, map);
    return evs_expr_remap(match->binder->arena, expr, map);
}

/* An item that is written as a key is: the key, even where it is an expression. */
static const struct evs_expr *bind_item(struct evs_match_scope *match, const struct evs_ast_item *item)
{
    struct evs_context context = {.scope = match->scope, .match = match};
    if (item->is_star) {
        struct evs_diag *diag =
            evs_report(match->binder, EVS_E0440, item->place, "`*` is of no use here: %s is several rows", match->what);
        evs_diag_hint(diag, "name what the result is to have: the keys, and columns of the %ss", match->part_word);
        return NULL;
    }
    const struct evs_expr *expr = NULL;
    for (uint32_t i = 0; i < match->key_count && expr == NULL; i++) {
        const char *text = evs_ast_expr_text(match->binder->arena, item->expr);
        if (strcmp(text, match->keys[i]->text) == 0) {
            expr = key_measure(match, match->keys[i], item->expr->place);
        }
    }
    expr = expr != NULL ? expr : evs_bind_expr(match->binder, &context, item->expr);
    return expr == NULL ? NULL : evs_match_select(match, evs_bind_typed(match->binder, expr));
}

bool evs_match_items(struct evs_match_scope *match, const struct evs_ast_items *items, struct evs_columns *columns)
{
    bool is_right = true;
    for (uint32_t i = 0; i < items->count; i++) {
        const struct evs_expr *expr = bind_item(match, &items->items[i]);
        is_right = is_right && expr != NULL;
        if (expr != NULL) {
            const char *name = evs_bind_item_name(match->binder, &items->items[i].alias, items->items[i].expr);
            evs_columns_add(match->binder, columns, name, expr);
        }
    }
    return is_right;
}

/* --- what is kept -------------------------------------------------------------------------------------------------------------------------- */

static void add_kept(struct evs_match_kept *kept, const struct evs_expr *expr)
{
    for (uint32_t i = 0; i < kept->count; i++) {
        if (evs_expr_equal(kept->exprs[i], expr)) {
            return;
        }
    }
    kept->exprs[kept->count++] = expr;
}

static uint32_t find_kept(const struct evs_match_kept *kept, const struct evs_expr *expr)
{
    for (uint32_t i = 0; i < kept->count; i++) {
        if (evs_expr_equal(kept->exprs[i], expr)) {
            return i;
        }
    }
    EVS_ASSERT(!"everything that is read is kept");
    return 0;
}

void evs_match_keep(struct evs_match_scope *match, struct evs_match_kept *kept, const struct evs_expr *const *reads,
                    uint32_t read_count, uint32_t *read_numbers, struct evs_place place)
{
    uint32_t capacity = match->key_count + read_count + 1;
    for (uint32_t i = 0; i < match->measure_count; i++) {
        capacity += match->measures[i].call.argument_count + 2;
    }
    kept->arena = match->binder->arena;
    kept->exprs = EVS_ARENA_ARRAY(kept->arena, const struct evs_expr *, capacity);
    for (uint32_t i = 0; i < match->key_count; i++) {
        kept->exprs[kept->count++] = match->keys[i]; /* the keys are the first columns, whatever they are */
    }
    for (uint32_t i = 0; i < match->measure_count; i++) {
        const struct evs_pending_measure *measure = &match->measures[i];
        if (measure->column != NULL) {
            add_kept(kept, measure->column);
        }
        for (uint32_t k = 0; measure->kind == EVS_MEASURE_CALL && k < measure->call.argument_count; k++) {
            add_kept(kept, measure->call.arguments[k]);
        }
        if (measure->kind == EVS_MEASURE_CALL && measure->call.condition != NULL) {
            add_kept(kept, measure->call.condition);
        }
    }
    uint32_t count = kept->count + read_count;
    for (uint32_t i = 0; i < read_count; i++) {
        kept->exprs[kept->count + i] = reads[i];
    }
    kept->columns = EVS_ARENA_ARRAY(kept->arena, uint32_t, count + 1);
    evs_scope_settle_with(match->binder, match->scope, kept->exprs, count, kept->columns, place);
    if (read_count > 0) {
        memcpy(read_numbers, kept->columns + kept->count, read_count * sizeof *read_numbers);
    }
}

static struct evs_aggregate_call final_call(const struct evs_match_scope *match, const struct evs_match_kept *kept,
                                            const struct pending_call *from)
{
    struct evs_aggregate_call call = {
        .kind = from->kind,
        .argument_count = from->argument_count,
        .condition = from->condition == NULL ? -1 : (int32_t)find_kept(kept, from->condition),
        .result_type = from->result_type,
        .is_distinct = from->is_distinct,
        .ignore_nulls = from->ignore_nulls,
        .orders = from->orders,
        .order_count = from->order_count,
        .limit = from->limit,
        .number = from->number,
        .delimiter = from->delimiter,
        .within_us = from->within_us,
        .bytes_max = (uint64_t)evs_setting(match->binder, "aggregate_bytes")->integer,
        .text = from->text,
    };
    uint32_t *arguments = EVS_ARENA_ARRAY(kept->arena, uint32_t, from->argument_count + 1);
    const struct evs_type **types = EVS_ARENA_ARRAY(kept->arena, const struct evs_type *, from->argument_count + 1);
    for (uint32_t i = 0; i < from->argument_count; i++) {
        arguments[i] = find_kept(kept, from->arguments[i]);
        types[i] = from->arguments[i]->type;
    }
    call.arguments = arguments;
    call.types = types;
    return call;
}

struct evs_measure evs_match_final(const struct evs_match_scope *match, const struct evs_match_kept *kept,
                                   const struct evs_pending_measure *pending)
{
    struct evs_measure measure = {.kind = pending->kind, .part = pending->part, .type = pending->type};
    if (pending->column != NULL) {
        measure.column = find_kept(kept, pending->column);
    }
    if (pending->kind == EVS_MEASURE_CALL) {
        measure.call = final_call(match, kept, &pending->call);
    }
    measure.call.text = pending->text;
    return measure;
}

uint64_t evs_match_identity(const struct evs_match_scope *match, const struct evs_rel *base)
{
    uint64_t identity = match->part_count;
    for (uint32_t i = 0; i < match->measure_count; i++) {
        const struct evs_pending_measure *measure = &match->measures[i];
        identity = evs_lineage_mix(identity, (uint64_t)measure->kind << 32 | measure->part);
        if (measure->column != NULL) {
            identity = evs_lineage_mix(identity, evs_lineage_expr(base, measure->column));
        }
        for (uint32_t k = 0; measure->kind == EVS_MEASURE_CALL && k < measure->call.argument_count; k++) {
            identity = evs_lineage_mix(identity, evs_lineage_expr(base, measure->call.arguments[k]));
        }
        if (measure->kind == EVS_MEASURE_CALL && measure->call.condition != NULL) {
            identity = evs_lineage_mix(identity, evs_lineage_expr(base, measure->call.condition));
        }
    }
    return identity;
}

/* --- late rows ------------------------------------------------------------------------------------------------------------------------------ */

void evs_match_late_side(struct evs_binder *binder, const struct evs_scope *scope, struct evs_rel_operator *op)
{
    struct evs_rel_side *side = EVS_ARENA_NEW(binder->arena, struct evs_rel_side);
    uint32_t count = scope->columns.count;
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_column, count + 2);
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(binder->arena, struct evs_rel_origin, count + 2);
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_scope_column *column = &scope->columns.items[i];
        EVS_ASSERT(column->expr->kind == EVS_EXPR_COLUMN);
        columns[i] = scope->base->columns[column->expr->column];
        columns[i].name = column->name != NULL ? column->name : "";
        origins[i] = (struct evs_rel_origin){0, column->expr->column};
    }
    columns[count] = (struct evs_rel_column){.name = "_watermark", .type = evs_type_of(EVS_TIMESTAMP)};
    columns[count + 1] = (struct evs_rel_column){.name = "_lateness", .type = evs_type_of(EVS_INT64)};
    origins[count] = origins[count + 1] = (struct evs_rel_origin){EVS_COMPUTED, 0};
    *side = (struct evs_rel_side){
        .name = "late rows", .columns = columns, .origins = origins, .column_count = count + 2, .is_built = true};
    op->sides = side;
    op->side_count = 1;
}

const uint32_t *evs_match_late_map(const struct evs_rel_layout *layout, uint32_t *count)
{
    const struct evs_rel_side *side = &layout->rel->op->sides[0];
    *count = side->column_count - 2;
    uint32_t *map = EVS_ARENA_ARRAY(layout->arena, uint32_t, side->column_count);
    for (uint32_t i = 0; i < *count; i++) {
        map[i] = layout->input_map[0][side->origins[i].column];
    }
    return map;
}
