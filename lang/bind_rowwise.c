/* The operators that work row by row: where, select, extend, set, drop, rename, as.
 *
 * Names work as in GoogleSQL's pipe syntax. A scope has columns in order and range variables. extend and set leave the range variable as it
 * was (`clicks.price` is still the original after `set price = …`), so do drop and rename; select, aggregate and union all end it; `as`
 * begins a new one. System columns are not part of `*`; they follow the row, like its event time, through everything row by row. */
#include "bind.h"

#include <string.h>

/* --- items ---------------------------------------------------------------------------------------------------------------- */

const struct evs_expr *evs_bind_typed(struct evs_binder *binder, const struct evs_expr *expr)
{
    if (expr->type->kind != EVS_NULL_KIND) {
        return expr;
    }
    struct evs_error error;
    evs_status status = evs_expr_coerce(binder->arena, expr, evs_type_of(EVS_INT64), &expr, &error);
    EVS_ASSERT(status == EVS_OK); /* NULL coerces to everything */
    return expr;
}

static const struct evs_expr *bind_item_expr(struct evs_binder *binder, struct evs_scope *scope,
                                             const struct evs_ast_expr *ast)
{
    struct evs_context context = {.scope = scope};
    const struct evs_expr *expr = evs_bind_expr(binder, &context, ast);
    return expr != NULL ? evs_bind_typed(binder, expr) : NULL;
}

static bool ident_in(const struct evs_idents *idents, const char *name)
{
    for (uint32_t i = 0; i < idents->count; i++) {
        if (name != NULL && evs_slice_equal_nocase(idents->items[i].text, name)) {
            return true;
        }
    }
    return false;
}

const struct evs_scope_column *evs_bind_expect_column(struct evs_binder *binder, const struct evs_columns *columns,
                                                      const struct evs_ident *name)
{
    const struct evs_scope_column *found = NULL;
    uint32_t count = evs_columns_find(columns, name->text, &found);
    if (count == 1) {
        evs_observe_column(binder, name->place, found->name, found->expr);
        return found;
    }
    if (count > 1) {
        evs_report(binder, EVS_E0204, name->place, "%u columns have the name `%s`", count, name->text.data);
        return NULL;
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0203, name->place, "no column `%s` here", name->text.data);
    struct evs_nearest nearest = evs_nearest_begin(name->text);
    for (uint32_t i = 0; i < columns->count; i++) {
        if (columns->items[i].name != NULL) {
            evs_nearest_offer(&nearest, evs_slice_of(columns->items[i].name));
        }
    }
    evs_diag_did_you_mean(diag, &nearest);
    return NULL;
}

/* The same name twice in one list is a mistake. */
static bool is_repeated(struct evs_binder *binder, const struct evs_ident *names, size_t stride, uint32_t index,
                        const char *verb)
{
    const struct evs_ident *name = (const void *)((const char *)names + index * stride);
    for (uint32_t i = 0; i < index; i++) {
        const struct evs_ident *other = (const void *)((const char *)names + i * stride);
        if (evs_slice_equal_nocase(name->text, other->text.data)) {
            struct evs_diag *diag =
                evs_report(binder, EVS_E0206, name->place, "`%s` is %s twice", name->text.data, verb);
            evs_report_note(binder, diag, other->place, "first here");
            return true;
        }
    }
    return false;
}

/* The columns that `*` or `range.*` stands for. */
static const struct evs_columns *star_columns(struct evs_binder *binder, struct evs_scope *scope,
                                              const struct evs_ast_item *item)
{
    if (item->expr == NULL) {
        return &scope->columns;
    }
    if (item->expr->kind == EVS_AST_ERROR) {
        return NULL;
    }
    if (item->expr->kind == EVS_AST_PATH && item->expr->name_count == 1) {
        for (uint32_t i = 0; i < scope->range_count; i++) {
            if (evs_slice_equal_nocase(item->expr->names[0].text, scope->ranges[i].name)) {
                return &scope->ranges[i].columns;
            }
        }
    }
    struct evs_diag *diag =
        evs_report(binder, EVS_E0203, item->expr->place, "only a source, stream or alias can stand before `.*`");
    if (scope->range_count > 0) {
        evs_diag_hint(diag, "write %s.*", scope->ranges[0].name);
    }
    return NULL;
}

/* The expression of `replace (EXPR as NAME)` for a column; NULL: it has none. */
static const struct evs_ast_item *replacement(const struct evs_ast_item *item, const char *name)
{
    for (uint32_t i = 0; i < item->replace_count; i++) {
        if (name != NULL && evs_slice_equal_nocase(item->replace[i].alias.text, name)) {
            return &item->replace[i];
        }
    }
    return NULL;
}

static bool bind_star(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_item *item,
                      struct evs_columns *out)
{
    const struct evs_columns *columns = star_columns(binder, scope, item);
    if (columns == NULL) {
        return false;
    }
    bool is_right = true;
    for (uint32_t i = 0; i < item->except.count; i++) {
        is_right = evs_bind_expect_column(binder, columns, &item->except.items[i]) != NULL && is_right;
    }
    for (uint32_t i = 0; i < item->replace_count; i++) {
        is_right = evs_bind_expect_column(binder, columns, &item->replace[i].alias) != NULL && is_right;
    }
    for (uint32_t i = 0; is_right && i < columns->count; i++) {
        const char *name = columns->items[i].name;
        if (ident_in(&item->except, name)) {
            continue;
        }
        const struct evs_ast_item *replaced = replacement(item, name);
        const struct evs_expr *expr =
            replaced != NULL ? bind_item_expr(binder, scope, replaced->expr) : columns->items[i].expr;
        is_right = expr != NULL;
        if (is_right) {
            evs_columns_add(binder, out, name, expr);
        }
    }
    return is_right;
}

/* Adds the items' columns to `out`; false when one is wrong, after all are checked. */
static bool bind_items(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_items *items,
                       struct evs_columns *out)
{
    bool is_right = true;
    for (uint32_t i = 0; i < items->count; i++) {
        const struct evs_ast_item *item = &items->items[i];
        if (item->is_star) {
            is_right = bind_star(binder, scope, item, out) && is_right;
            continue;
        }
        const struct evs_expr *expr = bind_item_expr(binder, scope, item->expr);
        if (expr == NULL) { /* what follows may name it, and anything goes with a NULL */
            is_right = false;
            struct evs_value unknown = {.kind = EVS_NULL_KIND, .is_null = true};
            expr = evs_expr_constant(binder->arena, unknown, evs_bind_place(binder, item->place));
        }
        evs_columns_add(binder, out, evs_bind_item_name(binder, &item->alias, item->expr), expr);
    }
    return is_right;
}

/* --- row-wise operators ----------------------------------------------------------------------------------------------------- */

static void add_filter(struct evs_binder *binder, struct evs_scope *scope, const struct evs_expr *filter)
{
    if (scope->filter_count >= scope->filter_capacity) {
        uint32_t capacity = scope->filter_count * 2 + 4;
        const struct evs_expr **filters = EVS_ARENA_ARRAY(binder->arena, const struct evs_expr *, capacity);
        if (scope->filter_count > 0) {
            memcpy(filters, scope->filters, sizeof *filters * scope->filter_count);
        }
        scope->filters = filters;
        scope->filter_capacity = capacity;
    }
    scope->filters[scope->filter_count++] = filter;
}

const struct evs_expr *evs_bind_bool(struct evs_binder *binder, const struct evs_expr *expr, struct evs_place place)
{
    const struct evs_expr *condition = NULL;
    struct evs_error error;
    if (evs_expr_coerce(binder->arena, expr, evs_type_of(EVS_BOOL), &condition, &error) == EVS_OK) {
        return condition;
    }
    evs_report(binder, EVS_E0301, place, "a condition is a bool, and this is of type %s",
               evs_kind_name(expr->type->kind));
    return NULL;
}

/* A condition without columns that is true is left out. */
static bool is_constant_true(struct evs_binder *binder, const struct evs_expr *expr)
{
    struct evs_value value;
    struct evs_error error;
    if (!evs_expr_is_constant(expr) || evs_expr_fold(binder->arena, expr, &value, &error) != EVS_OK) {
        return false;
    }
    return !value.is_null && value.boolean;
}

/* One condition of a conjunction. On unchanged columns it goes in front of the pending projection; one that reads a computed column comes
 * behind it, and is bound again over the columns that the projection makes. */
static bool bind_condition(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_expr *ast,
                           const struct evs_expr **bound)
{
    struct evs_context context = {.scope = scope};
    const struct evs_expr *expr = evs_bind_expr(binder, &context, ast);
    if (expr != NULL && context.used_computed) {
        evs_scope_settle(binder, scope, evs_bind_place(binder, ast->place));
        expr = evs_bind_expr(binder, &context, ast);
    }
    if (expr == NULL) {
        return false;
    }
    expr = evs_bind_bool(binder, expr, ast->place);
    if (expr == NULL) {
        return false;
    }
    evs_warn_filter(binder, ast, expr);
    if (!is_constant_true(binder, expr)) {
        add_filter(binder, scope, expr);
    }
    *bound = expr;
    return true;
}

/* where … otherwise into SINK: the condition is a column, so that a row for which it fails fails once. NULL is otherwise. */
static bool bind_either(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_context context = {.scope = scope};
    struct evs_place place = evs_bind_place(binder, pipe->place);
    const struct evs_expr *condition = evs_bind_expr(binder, &context, pipe->expr), *rest = NULL;
    uint32_t number;
    struct evs_error error;
    condition = condition == NULL ? NULL : evs_bind_bool(binder, condition, pipe->expr->place);
    struct evs_entity *sink = evs_bind_sink_name(binder, &pipe->otherwise_into);
    if (condition == NULL || sink == NULL) {
        return false;
    }
    evs_scope_settle_with(binder, scope, &condition, 1, &number, place);
    struct evs_field field = evs_rel_field(scope->base, number);
    const struct evs_expr *passes = evs_expr_column(binder->arena, number, &field, pipe->expr->place);
    evs_status status = evs_expr_special(binder->arena, EVS_EXPR_IS_TRUE, &passes, 1, passes->place, &rest, &error);
    EVS_ASSERT(status == EVS_OK);
    status = evs_expr_special(binder->arena, EVS_EXPR_NOT, &rest, 1, passes->place, &rest, &error);
    EVS_ASSERT(status == EVS_OK);
    struct evs_scope others = evs_scope_copy(binder, scope);
    add_filter(binder, &others, rest);
    struct evs_rel *rel = evs_scope_project(binder, &others, &others.columns, place);
    evs_bind_insert(binder, sink, (struct evs_rel_input){rel, 0}, pipe->otherwise_into.place);
    add_filter(binder, scope, passes);
    return true;
}

static bool bind_where(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_expr *ast = pipe->expr;
    if (evs_ident_given(&pipe->otherwise_into)) {
        return bind_either(binder, scope, pipe);
    }
    if (ast->kind != EVS_AST_LOGIC || ast->op != EVS_AST_OP_AND) {
        const struct evs_expr *bound = NULL;
        return bind_condition(binder, scope, ast, &bound);
    }
    bool is_right = true, is_settled = false;
    const struct evs_rel *base = scope->base;
    const struct evs_expr **bound = EVS_ARENA_ARRAY(binder->arena, const struct evs_expr *, ast->argument_count);
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        is_right = bind_condition(binder, scope, ast->arguments[i], &bound[i]) && is_right;
        is_settled = is_settled || scope->base != base;
    }
    if (!is_settled) { /* else they are not over the same columns */
        evs_warn_conditions(binder, true, ast->arguments, bound, ast->argument_count);
    }
    return is_right;
}

static bool bind_select(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_columns columns = {0};
    bool is_right = bind_items(binder, scope, &pipe->select.items, &columns);
    scope->columns = columns;
    scope->range_count = 0;
    if (columns.count == 0 && is_right) {
        evs_report(binder, EVS_E0414, pipe->place, "no column is left");
    }
    is_right = is_right && columns.count > 0;
    return is_right && (!pipe->select.distinct || evs_bind_distinct(binder, scope, pipe->word));
}

static bool bind_extend(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_columns columns = evs_columns_copy(binder, &scope->columns);
    bool is_right = bind_items(binder, scope, &pipe->items, &columns);
    scope->columns = columns;
    return is_right;
}

static bool bind_set(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_columns columns = evs_columns_copy(binder, &scope->columns);
    bool is_right = true;
    for (uint32_t i = 0; i < pipe->items.count; i++) {
        const struct evs_ast_item *item = &pipe->items.items[i];
        const struct evs_scope_column *column = evs_bind_expect_column(binder, &scope->columns, &item->alias);
        const struct evs_expr *expr = bind_item_expr(binder, scope, item->expr); /* all see the values from before */
        if (column == NULL || expr == NULL ||
            is_repeated(binder, &pipe->items.items[0].alias, sizeof *item, i, "set")) {
            is_right = false;
            continue;
        }
        columns.items[column - scope->columns.items].expr = expr;
    }
    scope->columns = columns;
    return is_right;
}

static bool bind_drop(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    bool is_right = true;
    for (uint32_t i = 0; i < pipe->idents.count; i++) {
        bool is_known = evs_bind_expect_column(binder, &scope->columns, &pipe->idents.items[i]) != NULL;
        is_right =
            is_known && !is_repeated(binder, pipe->idents.items, sizeof *pipe->idents.items, i, "dropped") && is_right;
    }
    struct evs_columns columns = {0};
    for (uint32_t i = 0; i < scope->columns.count; i++) {
        if (!ident_in(&pipe->idents, scope->columns.items[i].name)) {
            evs_columns_add(binder, &columns, scope->columns.items[i].name, scope->columns.items[i].expr);
        }
    }
    scope->columns = columns;
    if (is_right && columns.count == 0) {
        evs_report(binder, EVS_E0414, pipe->place, "no column is left");
    }
    return is_right && columns.count > 0;
}

static bool bind_rename(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_columns columns = evs_columns_copy(binder, &scope->columns);
    bool is_right = true;
    for (uint32_t i = 0; i < pipe->renames.count; i++) {
        const struct evs_ast_rename *rename = &pipe->renames.items[i];
        const struct evs_scope_column *column = evs_bind_expect_column(binder, &scope->columns, &rename->from);
        if (column == NULL || is_repeated(binder, &pipe->renames.items[0].from, sizeof *rename, i, "renamed")) {
            is_right = false;
            continue;
        }
        const char *name = evs_bind_text(binder, rename->to.text);
        evs_observe_declaration(binder, name, rename->to.place, column->expr->type, column->expr->nullable);
        columns.items[column - scope->columns.items].name = name;
    }
    scope->columns = columns;
    return is_right;
}

static bool bind_as(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    evs_scope_range(binder, scope, evs_bind_text(binder, pipe->ident.text));
    return true;
}

bool evs_bind_row_operator(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    bool has_items = pipe->kind == EVS_PIPE_SELECT || pipe->kind == EVS_PIPE_EXTEND || pipe->kind == EVS_PIPE_SET;
    if (has_items && !evs_bind_overs(binder, scope, pipe)) {
        scope->is_broken = true; /* its columns are not known, not even by name */
        return false;
    }
    switch (pipe->kind) {
    case EVS_PIPE_WHERE:
        return bind_where(binder, scope, pipe);
    case EVS_PIPE_SELECT:
        return bind_select(binder, scope, pipe);
    case EVS_PIPE_EXTEND:
        return bind_extend(binder, scope, pipe);
    case EVS_PIPE_SET:
        return bind_set(binder, scope, pipe);
    case EVS_PIPE_DROP:
        return bind_drop(binder, scope, pipe);
    case EVS_PIPE_RENAME:
        return bind_rename(binder, scope, pipe);
    default:
        EVS_ASSERT(pipe->kind == EVS_PIPE_AS);
        return bind_as(binder, scope, pipe);
    }
}
