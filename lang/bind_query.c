/* Queries: from, the row-wise operators, union, tee and insert. Aggregation is in bind_aggregate.c.
 *
 * Names work as in GoogleSQL's pipe syntax. A scope has columns in order and range variables. extend and set leave the range variable as it
 * was (`clicks.price` is still the original after `set price = …`), so do drop and rename; select, aggregate and union all end it; `as`
 * begins a new one. System columns are not part of `*`; they follow the row, like its event time, through everything row by row. */
#include "bind.h"

#include <string.h>

/* --- items ---------------------------------------------------------------------------------------------------------------- */

/* A bare NULL has no type; as a column it is an int64, as in GoogleSQL. */
static const struct evs_expr *typed(struct evs_binder *binder, const struct evs_expr *expr)
{
    if (expr->type->kind != EVS_NULL_KIND) {
        return expr;
    }
    struct evs_error error;
    evs_status status = evs_expr_coerce(binder->arena, expr, evs_type_of(EVS_INT64), &expr, &error);
    EVS_ASSERT(status == EVS_OK); /* NULL coerces to everything */
    return expr;
}

static const struct evs_expr *bind_item_expr(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_expr *ast)
{
    struct evs_context context = {.scope = scope};
    const struct evs_expr *expr = evs_bind_expr(binder, &context, ast);
    return expr != NULL ? typed(binder, expr) : NULL;
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

/* A name in a list must be that of one column. */
static const struct evs_scope_column *expect_column(struct evs_binder *binder, const struct evs_columns *columns, const struct evs_ident *name)
{
    const struct evs_scope_column *found = NULL;
    uint32_t count = evs_columns_find(columns, name->text, &found);
    if (count == 1) {
        return found;
    }
    if (count > 1) {
        evs_diag(binder->diagnostics, EVS_E0204, name->place, "%u columns have the name `%s`", count, name->text.data);
        return NULL;
    }
    struct evs_diag *diag = evs_diag(binder->diagnostics, EVS_E0203, name->place, "no column `%s` here", name->text.data);
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
static bool is_repeated(struct evs_binder *binder, const struct evs_ident *names, size_t stride, uint32_t index, const char *verb)
{
    const struct evs_ident *name = (const void *)((const char *)names + index * stride);
    for (uint32_t i = 0; i < index; i++) {
        const struct evs_ident *other = (const void *)((const char *)names + i * stride);
        if (evs_slice_equal_nocase(name->text, other->text.data)) {
            struct evs_diag *diag = evs_diag(binder->diagnostics, EVS_E0206, name->place, "`%s` is %s twice", name->text.data, verb);
            evs_diag_note(diag, other->place, "first here");
            return true;
        }
    }
    return false;
}

/* The columns that `*` or `range.*` stands for. */
static const struct evs_columns *star_columns(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_item *item)
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
    struct evs_diag *diag = evs_diag(binder->diagnostics, EVS_E0203, item->expr->place, "only a source, stream or alias can stand before `.*`");
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

static bool bind_star(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_item *item, struct evs_columns *out)
{
    const struct evs_columns *columns = star_columns(binder, scope, item);
    if (columns == NULL) {
        return false;
    }
    bool is_right = true;
    for (uint32_t i = 0; i < item->except.count; i++) {
        is_right = expect_column(binder, columns, &item->except.items[i]) != NULL && is_right;
    }
    for (uint32_t i = 0; i < item->replace_count; i++) {
        is_right = expect_column(binder, columns, &item->replace[i].alias) != NULL && is_right;
    }
    for (uint32_t i = 0; is_right && i < columns->count; i++) {
        const char *name = columns->items[i].name;
        if (ident_in(&item->except, name)) {
            continue;
        }
        const struct evs_ast_item *replaced = replacement(item, name);
        const struct evs_expr *expr = replaced != NULL ? bind_item_expr(binder, scope, replaced->expr) : columns->items[i].expr;
        is_right = expr != NULL;
        if (is_right) {
            evs_columns_add(binder, out, name, expr);
        }
    }
    return is_right;
}

/* Adds the items' columns to `out`; false when one is wrong, after all are checked. */
static bool bind_items(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_items *items, struct evs_columns *out)
{
    bool is_right = true;
    for (uint32_t i = 0; i < items->count; i++) {
        const struct evs_ast_item *item = &items->items[i];
        if (item->is_star) {
            is_right = bind_star(binder, scope, item, out) && is_right;
            continue;
        }
        const struct evs_expr *expr = bind_item_expr(binder, scope, item->expr);
        if (expr == NULL) {
            is_right = false;
            continue;
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

/* A condition without columns: true is left out; anything else stops every row. */
static bool is_constant_true(struct evs_binder *binder, const struct evs_expr *expr, struct evs_place place)
{
    struct evs_value value;
    struct evs_error error;
    if (!evs_expr_is_constant(expr) || evs_expr_fold(binder->arena, expr, &value, &error) != EVS_OK) {
        return false;
    }
    if (!value.is_null && value.boolean) {
        return true;
    }
    evs_diag(binder->diagnostics, EVS_W0002, place, "this condition is never true: no row passes");
    return false;
}

/* One condition of a conjunction. On unchanged columns it goes in front of the pending projection; one that reads a computed column comes
 * behind it, and is bound again over the columns that the projection makes. */
static bool bind_condition(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_expr *ast)
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
    if (expr->type->kind != EVS_BOOL) {
        struct evs_error error;
        if (evs_expr_coerce(binder->arena, expr, evs_type_of(EVS_BOOL), &expr, &error) != EVS_OK) {
            evs_diag(binder->diagnostics, EVS_E0301, ast->place, "a condition is a bool, and this is a %s", evs_kind_name(expr->type->kind));
            return false;
        }
    }
    if (!is_constant_true(binder, expr, ast->place)) {
        add_filter(binder, scope, expr);
    }
    return true;
}

static bool bind_where(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_expr *ast = pipe->expr;
    if (ast->kind != EVS_AST_LOGIC || ast->op != EVS_AST_OP_AND) {
        return bind_condition(binder, scope, ast);
    }
    bool is_right = true;
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        is_right = bind_condition(binder, scope, ast->arguments[i]) && is_right;
    }
    return is_right;
}

static bool bind_select(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    if (pipe->select.distinct) {
        struct evs_diag *diag = evs_diag(binder->diagnostics, EVS_E0114, pipe->word, "select distinct is not supported yet");
        evs_diag_hint(diag, "write aggregate group by …");
        return false;
    }
    struct evs_columns columns = {0};
    if (!bind_items(binder, scope, &pipe->select.items, &columns)) {
        return false;
    }
    scope->columns = columns;
    scope->range_count = 0;
    if (columns.count == 0) {
        evs_diag(binder->diagnostics, EVS_E0414, pipe->place, "no column is left");
    }
    return columns.count > 0;
}

static bool bind_extend(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_columns columns = evs_columns_copy(binder, &scope->columns);
    if (!bind_items(binder, scope, &pipe->items, &columns)) {
        return false;
    }
    scope->columns = columns;
    return true;
}

static bool bind_set(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_columns columns = evs_columns_copy(binder, &scope->columns);
    bool is_right = true;
    for (uint32_t i = 0; i < pipe->items.count; i++) {
        const struct evs_ast_item *item = &pipe->items.items[i];
        const struct evs_scope_column *column = expect_column(binder, &scope->columns, &item->alias);
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
        bool is_known = expect_column(binder, &scope->columns, &pipe->idents.items[i]) != NULL;
        is_right = is_known && !is_repeated(binder, pipe->idents.items, sizeof *pipe->idents.items, i, "dropped") && is_right;
    }
    struct evs_columns columns = {0};
    for (uint32_t i = 0; i < scope->columns.count; i++) {
        if (!ident_in(&pipe->idents, scope->columns.items[i].name)) {
            evs_columns_add(binder, &columns, scope->columns.items[i].name, scope->columns.items[i].expr);
        }
    }
    scope->columns = columns;
    if (is_right && columns.count == 0) {
        evs_diag(binder->diagnostics, EVS_E0414, pipe->place, "no column is left");
    }
    return is_right && columns.count > 0;
}

static bool bind_rename(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_columns columns = evs_columns_copy(binder, &scope->columns);
    bool is_right = true;
    for (uint32_t i = 0; i < pipe->renames.count; i++) {
        const struct evs_ast_rename *rename = &pipe->renames.items[i];
        const struct evs_scope_column *column = expect_column(binder, &scope->columns, &rename->from);
        if (column == NULL || is_repeated(binder, &pipe->renames.items[0].from, sizeof *rename, i, "renamed")) {
            is_right = false;
            continue;
        }
        columns.items[column - scope->columns.items].name = evs_bind_text(binder, rename->to.text);
    }
    scope->columns = columns;
    return is_right;
}

static bool bind_as(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    evs_scope_range(binder, scope, evs_bind_text(binder, pipe->ident.text));
    return true;
}

static bool bind_aggregate(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    evs_bind_aggregate(binder, scope, pipe);
    return !scope->is_broken;
}

/* --- union all -------------------------------------------------------------------------------------------------------------- */

/* The type that holds a column of all queries: `exprs` are coerced to it. */
static bool unify(struct evs_binder *binder, const struct evs_expr **exprs, uint32_t count, const char *name, struct evs_place place)
{
    struct evs_error error;
    const struct evs_type *type = exprs[0]->type;
    for (uint32_t i = 1; i < count; i++) {
        const struct evs_expr *ignored;
        if (evs_expr_coerce(binder->arena, exprs[i], type, &ignored, &error) != EVS_OK) {
            type = exprs[i]->type; /* then all before must go to this one */
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_type *own = exprs[i]->type;
        if (evs_expr_coerce(binder->arena, exprs[i], type, &exprs[i], &error) != EVS_OK) {
            struct evs_diag *diag = evs_diag(binder->diagnostics, EVS_E0308, place, "the column `%s` of this union is a %s in one query and a %s in another",
                                             name != NULL ? name : "?", evs_kind_name(type->kind), evs_kind_name(own->kind));
            evs_diag_hint(diag, "cast one of them");
            return false;
        }
    }
    return true;
}

/* The columns of a query in the order of the first one's. */
static bool match_by_name(struct evs_binder *binder, const struct evs_columns *first, struct evs_columns *other, struct evs_place place)
{
    struct evs_columns ordered = {0};
    for (uint32_t i = 0; i < first->count; i++) {
        const char *name = first->items[i].name;
        const struct evs_scope_column *found = NULL;
        if (name == NULL || evs_columns_find(other, evs_slice_of(name), &found) != 1) {
            evs_diag(binder->diagnostics, EVS_E0203, place, "the other query has no column `%s`", name != NULL ? name : "?");
            return false;
        }
        evs_columns_add(binder, &ordered, name, found->expr);
    }
    *other = ordered;
    return true;
}

static bool align_columns(struct evs_binder *binder, struct evs_scope *scopes, uint32_t count, const struct evs_ast_pipe *pipe)
{
    bool is_right = true;
    for (uint32_t i = 1; i < count; i++) {
        struct evs_place place = pipe->set_operation.queries[i - 1]->place;
        if (scopes[i].columns.count != scopes[0].columns.count) {
            evs_diag(binder->diagnostics, EVS_E0409, place, "this query has %u columns, and the one before the union has %u", scopes[i].columns.count,
                     scopes[0].columns.count);
            return false;
        }
        is_right = (!pipe->set_operation.by_name || match_by_name(binder, &scopes[0].columns, &scopes[i].columns, place)) && is_right;
    }
    const struct evs_expr **exprs = EVS_ARENA_ARRAY(binder->arena, const struct evs_expr *, count);
    for (uint32_t c = 0; is_right && c < scopes[0].columns.count; c++) {
        for (uint32_t i = 0; i < count; i++) {
            exprs[i] = scopes[i].columns.items[c].expr;
        }
        is_right = unify(binder, exprs, count, scopes[0].columns.items[c].name, pipe->place);
        for (uint32_t i = 0; i < count; i++) {
            scopes[i].columns.items[c].expr = exprs[i];
        }
    }
    return is_right;
}

/* System columns survive where every query has them. */
static uint32_t align_system(struct evs_binder *binder, struct evs_scope *scopes, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t c = 0; c < scopes[0].system.count; c++) {
        struct evs_slice name = evs_slice_of(scopes[0].system.items[c].name);
        const struct evs_scope_column *found = NULL;
        uint32_t having = 1;
        while (having < count && evs_columns_find(&scopes[having].system, name, &found) == 1) {
            having++;
        }
        for (uint32_t i = 0; having == count && i < count; i++) {
            evs_columns_find(&scopes[i].system, name, &found);
            evs_columns_add(binder, &scopes[i].columns, found->name, found->expr);
        }
        kept += having == count;
    }
    return kept;
}

static void make_union(struct evs_binder *binder, struct evs_scope *scopes, uint32_t count, struct evs_place place)
{
    struct evs_scope *scope = &scopes[0];
    uint32_t visible = scope->columns.count;
    align_system(binder, scopes, count);
    struct evs_rel **inputs = EVS_ARENA_ARRAY(binder->arena, struct evs_rel *, count);
    for (uint32_t i = 0; i < count; i++) {
        inputs[i] = evs_scope_project(binder, &scopes[i], &scopes[i].columns, place);
    }
    const struct evs_columns names = scope->columns;
    *scope = (struct evs_scope){.base = evs_rel_union(&binder->rels, inputs, count, place)};
    for (uint32_t c = 0; c < names.count; c++) {
        struct evs_field field = evs_rel_field(scope->base, c);
        struct evs_columns *list = c < visible ? &scope->columns : &scope->system;
        evs_columns_add(binder, list, names.items[c].name, evs_expr_column(binder->arena, c, &field, place));
    }
}

static bool bind_union(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    uint32_t count = pipe->set_operation.count + 1;
    struct evs_scope *scopes = EVS_ARENA_ARRAY(binder->arena, struct evs_scope, count);
    bool is_right = true;
    if (pipe->set_operation.distinct) {
        struct evs_diag *diag = evs_diag(binder->diagnostics, EVS_E0114, pipe->word, "union distinct is not supported yet");
        evs_diag_hint(diag, "write union all");
        is_right = false;
    }
    scopes[0] = evs_scope_copy(binder, scope);
    for (uint32_t i = 1; i < count; i++) {
        is_right = evs_bind_query(binder, pipe->set_operation.queries[i - 1], &scopes[i]) && is_right;
    }
    if (!is_right || !align_columns(binder, scopes, count, pipe)) {
        return false;
    }
    make_union(binder, scopes, count, evs_bind_place(binder, pipe->place));
    *scope = scopes[0];
    return true;
}

/* --- from ------------------------------------------------------------------------------------------------------------------- */

static void scope_of_source(struct evs_binder *binder, const struct evs_bound_source *source, struct evs_place place, struct evs_scope *scope)
{
    *scope = (struct evs_scope){.base = source->scan};
    for (uint32_t i = 0; i < source->scan->column_count; i++) {
        struct evs_field field = evs_rel_field(source->scan, i);
        struct evs_columns *list = i < source->column_count ? &scope->columns : &scope->system;
        evs_columns_add(binder, list, field.name, evs_expr_column(binder->arena, i, &field, place));
    }
}

static bool scope_of_stream(struct evs_binder *binder, struct evs_entity *entity, const struct evs_ident *name, struct evs_scope *scope)
{
    if (entity->state == EVS_ENTITY_BINDING) {
        struct evs_diag *diag = evs_diag(binder->diagnostics, EVS_E0215, name->place, "the stream `%s` reads itself", entity->name);
        evs_diag_note(diag, entity->place, "declared here");
        entity->state = EVS_ENTITY_BROKEN;
        return false;
    }
    if (entity->state == EVS_ENTITY_UNBOUND) {
        entity->state = EVS_ENTITY_BINDING;
        entity->stream = EVS_ARENA_NEW(binder->arena, struct evs_scope);
        bool is_right = evs_bind_query(binder, entity->statement->query, entity->stream);
        if (is_right) {
            evs_scope_settle(binder, entity->stream, evs_bind_place(binder, entity->place));
            entity->stream->range_count = 0;
        }
        entity->state = is_right && entity->state == EVS_ENTITY_BINDING ? EVS_ENTITY_BOUND : EVS_ENTITY_BROKEN;
    }
    if (entity->state != EVS_ENTITY_BOUND) {
        return false;
    }
    *scope = evs_scope_copy(binder, entity->stream);
    return true;
}

static void report_unreadable(struct evs_binder *binder, struct evs_entity *entity, const struct evs_ident *name)
{
    entity->is_used = true;
    struct evs_diag *diag;
    if (entity->kind == EVS_ENTITY_TABLE) {
        diag = evs_diag(binder->diagnostics, EVS_E0216, name->place, "`%s` is a table: it is looked up by a join, and lookup joins are not supported yet",
                        entity->name);
    } else {
        diag = evs_diag(binder->diagnostics, EVS_E0216, name->place, "`%s` is a sink: rows go into it, and cannot be read from it", entity->name);
    }
    evs_diag_note(diag, entity->place, "declared here");
}

static bool bind_from_name(struct evs_binder *binder, const struct evs_ast_relation *from, struct evs_scope *scope)
{
    struct evs_entity *entity = evs_entity_find(binder, false, from->name.text);
    if (entity == NULL) {
        struct evs_diag *diag = evs_diag(binder->diagnostics, EVS_E0201, from->name.place, "no source or stream `%s`", from->name.text.data);
        struct evs_nearest nearest = evs_nearest_begin(from->name.text);
        evs_entity_offer(binder, 1u << EVS_ENTITY_SOURCE | 1u << EVS_ENTITY_STREAM, &nearest);
        evs_diag_did_you_mean(diag, &nearest);
        return false;
    }
    if (entity->kind != EVS_ENTITY_SOURCE && entity->kind != EVS_ENTITY_STREAM) {
        report_unreadable(binder, entity, &from->name);
        return false;
    }
    entity->is_used = true;
    if (entity->kind == EVS_ENTITY_STREAM) {
        if (!scope_of_stream(binder, entity, &from->name, scope)) {
            return false;
        }
    } else {
        const struct evs_bound_source *source = evs_bind_source(binder, entity);
        if (source == NULL) {
            return false;
        }
        scope_of_source(binder, source, evs_bind_place(binder, from->place), scope);
    }
    bool has_alias = evs_ident_given(&from->alias);
    evs_scope_range(binder, scope, has_alias ? evs_bind_text(binder, from->alias.text) : entity->name);
    return true;
}

static bool bind_from(struct evs_binder *binder, const struct evs_ast_relation *from, struct evs_scope *scope)
{
    switch (from->kind) {
    case EVS_RELATION_NAME:
        return bind_from_name(binder, from, scope);
    case EVS_RELATION_QUERY:
        if (!evs_bind_query(binder, from->query, scope)) {
            return false;
        }
        scope->range_count = 0;
        if (evs_ident_given(&from->alias)) {
            evs_scope_range(binder, scope, evs_bind_text(binder, from->alias.text));
        }
        return true;
    case EVS_RELATION_UNNEST:
        evs_diag(binder->diagnostics, EVS_E0114, from->place, "unnest is not supported yet");
        return false;
    }
    return false;
}

/* --- where rows go ---------------------------------------------------------------------------------------------------------- */

/* insert into SINK (a, b): the columns by position, under these names. */
static bool rename_for_insert(struct evs_binder *binder, struct evs_scope *scope, const struct evs_idents *names, struct evs_place place)
{
    if (names->count == 0) {
        return true;
    }
    if (names->count != scope->columns.count) {
        evs_diag(binder->diagnostics, EVS_E0409, place, "%u names for %u columns", names->count, scope->columns.count);
        return false;
    }
    for (uint32_t i = 0; i < names->count; i++) {
        scope->columns.items[i].name = evs_bind_text(binder, names->items[i].text);
    }
    return true;
}

static bool bind_insert(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_entity *sink = evs_bind_sink_name(binder, &pipe->insert.sink);
    if (!rename_for_insert(binder, scope, &pipe->insert.columns, pipe->place)) {
        return false;
    }
    struct evs_place place = evs_bind_place(binder, pipe->place);
    struct evs_rel *rel = evs_scope_project(binder, scope, &scope->columns, place);
    if (sink != NULL) {
        evs_bind_insert(binder, sink, (struct evs_rel_input){rel, 0}, pipe->place);
    }
    return sink != NULL;
}

static void print_rows(struct evs_binder *binder, struct evs_scope *scope, struct evs_place place)
{
    struct evs_rel *rel = evs_scope_project(binder, scope, &scope->columns, evs_bind_place(binder, place));
    struct evs_rel_input input = {rel, 0};
    evs_bind_insert(binder, evs_bind_print_sink(binder, input, place), input, place);
}

static bool bind_pipeline(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipeline *pipeline, bool is_outermost);

static bool bind_branches(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    evs_scope_settle(binder, scope, evs_bind_place(binder, pipe->place));
    for (uint32_t i = 0; i < pipe->branches.count; i++) {
        const struct evs_ast_pipeline *branch = &pipe->branches.items[i];
        struct evs_scope copy = evs_scope_copy(binder, scope);
        if (!bind_pipeline(binder, &copy, branch, true) && !copy.is_broken) {
            print_rows(binder, &copy, branch->place);
        }
    }
    return true; /* a mistake in a branch leaves the rows as they are */
}

static bool refuse_pipe(struct evs_binder *binder, const struct evs_ast_pipe *pipe)
{
    if (pipe->is_broken || pipe->kind == EVS_PIPE_UNKNOWN) {
        return false;
    }
    const struct evs_ast_join *join = pipe->kind == EVS_PIPE_JOIN ? pipe->join : NULL;
    struct evs_entity *right = join != NULL && join->right.kind == EVS_RELATION_NAME ? evs_entity_find(binder, false, join->right.name.text) : NULL;
    if (right != NULL && right->kind == EVS_ENTITY_TABLE) {
        right->is_used = true;
        evs_diag(binder->diagnostics, EVS_E0114, pipe->place, "lookup joins are not supported yet: `%s` is a table", right->name);
    } else {
        evs_diag(binder->diagnostics, EVS_E0114, pipe->word, "`%s` is not supported yet", evs_pipe_kind_name(pipe->kind));
    }
    return false;
}

/* One operator; false: it is wrong. */
static bool bind_pipe(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    if (pipe->is_broken) {
        return false;
    }
    evs_scope_limit(binder, scope, evs_bind_place(binder, pipe->place));
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
    case EVS_PIPE_AS:
        return bind_as(binder, scope, pipe);
    case EVS_PIPE_AGGREGATE:
        return bind_aggregate(binder, scope, pipe);
    case EVS_PIPE_UNION:
        return bind_union(binder, scope, pipe);
    case EVS_PIPE_INSERT:
        return bind_insert(binder, scope, pipe);
    case EVS_PIPE_TEE:
    case EVS_PIPE_FORK:
        return bind_branches(binder, scope, pipe);
    default:
        return refuse_pipe(binder, pipe);
    }
}

static bool is_misplaced(struct evs_binder *binder, const struct evs_ast_pipe *pipe)
{
    if (pipe->kind == EVS_PIPE_INSERT) {
        evs_diag(binder->diagnostics, EVS_E0415, pipe->word, "`insert into` ends an outermost query, and these rows go to the outer one");
        return true;
    }
    if (pipe->kind == EVS_PIPE_TEE || pipe->kind == EVS_PIPE_FORK) {
        evs_diag(binder->diagnostics, EVS_E0412, pipe->word, "`%s` stands only in the outermost query", evs_pipe_kind_name(pipe->kind));
        return true;
    }
    return false;
}

/* True when the rows have gone into sinks: nothing is left to print or to hand on. */
static bool bind_pipeline(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipeline *pipeline, bool is_outermost)
{
    bool has_ended = false;
    for (uint32_t i = 0; i < pipeline->count; i++) {
        const struct evs_ast_pipe *pipe = &pipeline->pipes[i];
        if (has_ended) {
            struct evs_diag *diag = evs_diag(binder->diagnostics, EVS_E0411, pipe->word, "no rows come behind the operator before");
            evs_diag_hint(diag, "tee (|> insert into …) lets them go on");
            scope->is_broken = true;
        }
        scope->is_broken = scope->is_broken || (!is_outermost && is_misplaced(binder, pipe));
        if (scope->is_broken || !bind_pipe(binder, scope, pipe)) {
            scope->is_broken = true;
            return has_ended;
        }
        has_ended = pipe->kind == EVS_PIPE_INSERT || pipe->kind == EVS_PIPE_FORK;
    }
    return has_ended;
}

bool evs_bind_query(struct evs_binder *binder, const struct evs_ast_query *query, struct evs_scope *scope)
{
    if (query->is_broken || !bind_from(binder, &query->from, scope)) {
        scope->is_broken = true;
        return false;
    }
    bind_pipeline(binder, scope, &query->pipeline, false);
    return !scope->is_broken;
}

static void bind_outermost(struct evs_binder *binder, const struct evs_ast_query *query)
{
    struct evs_scope scope = {0};
    if (query->is_broken || !bind_from(binder, &query->from, &scope)) {
        return;
    }
    if (!bind_pipeline(binder, &scope, &query->pipeline, true) && !scope.is_broken) {
        print_rows(binder, &scope, query->place);
    }
}

void evs_bind_queries(struct evs_binder *binder)
{
    for (uint32_t i = 0; i < binder->script->count; i++) {
        const struct evs_ast_statement *statement = binder->script->statements[i];
        if (statement->kind == EVS_STATEMENT_QUERY && statement->query != NULL) {
            binder->query_count++;
            bind_outermost(binder, statement->query);
        }
    }
}

/* --- what no query uses ------------------------------------------------------------------------------------------------------- */

static void bind_table(struct evs_binder *binder, struct evs_entity *entity)
{
    const struct evs_ast_table *ast = &entity->statement->table;
    struct evs_decode_column *decode = EVS_ARENA_ARRAY(binder->arena, struct evs_decode_column, ast->columns.count + 1);
    struct evs_field *fields = EVS_ARENA_ARRAY(binder->arena, struct evs_field, ast->columns.count + 1);
    evs_bind_columns(binder, &ast->columns, fields, decode);
    struct evs_columns names = {0};
    for (uint32_t i = 0; i < ast->columns.count; i++) {
        evs_columns_add(binder, &names, fields[i].name, evs_expr_column(binder->arena, i, &fields[i], entity->place));
    }
    for (uint32_t i = 0; i < ast->primary_key.count; i++) {
        const struct evs_ident *key = &ast->primary_key.items[i];
        const struct evs_scope_column *column = expect_column(binder, &names, key);
        if (column != NULL && column->expr->type->kind == EVS_JSON) {
            evs_diag(binder->diagnostics, EVS_E0312, key->place, "json has no equality and cannot be a key");
        }
    }
    if (ast->query != NULL) {
        struct evs_scope scope = {0};
        evs_bind_query(binder, ast->query, &scope);
    }
    int64_t retain_us;
    if (ast->retain != NULL) {
        evs_bind_duration(binder, ast->retain, "retain", &retain_us);
    }
    entity->state = EVS_ENTITY_BOUND;
}

static void bind_unused(struct evs_binder *binder, struct evs_entity *entity)
{
    struct evs_scope scope = {0};
    struct evs_ident name = {evs_slice_of(entity->name), entity->place};
    switch (entity->kind) {
    case EVS_ENTITY_SOURCE:
        evs_bind_source(binder, entity);
        break;
    case EVS_ENTITY_STREAM:
        scope_of_stream(binder, entity, &name, &scope);
        break;
    case EVS_ENTITY_SINK:
        evs_bind_sink(binder, entity);
        break;
    case EVS_ENTITY_TABLE:
        bind_table(binder, entity);
        break;
    case EVS_ENTITY_PARAM:
        break;
    }
}

/* Where a used source's dead rows go. */
static void bind_dead(struct evs_binder *binder, const struct evs_entity *entity)
{
    const struct evs_bound_source *source = entity->source;
    if (source->dead_letter != NULL) {
        evs_bind_dead_rows(binder, source->dead_letter, entity->place);
    } else if (!source->fail_on_error) {
        struct evs_diag *diag = evs_diag(binder->diagnostics, EVS_W0004, entity->place, "bad rows of `%s` are counted, and lost", entity->name);
        evs_diag_hint(diag, "set dead_letter = SINK; keeps them");
    }
}

void evs_bind_rest(struct evs_binder *binder)
{
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        struct evs_entity *entity = binder->entities[i];
        if (entity->state == EVS_ENTITY_UNBOUND) {
            bind_unused(binder, entity);
        }
        if (entity->kind == EVS_ENTITY_SOURCE && entity->state == EVS_ENTITY_BOUND && entity->is_used) {
            bind_dead(binder, entity);
        }
    }
}
