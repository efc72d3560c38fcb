/* union all: queries whose columns are brought to common types, and then flow together. */
#include "bind.h"

/* --- union all -------------------------------------------------------------------------------------------------------------- */

static bool is_null_constant(const struct evs_expr *expr)
{
    return expr->kind == EVS_EXPR_CONSTANT && expr->value.is_null;
}

/* A column that is NULL in one query takes the type that it has in the others. */
static void free_nulls(struct evs_binder *binder, const struct evs_expr **exprs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (is_null_constant(exprs[i])) {
            struct evs_value null = {.kind = EVS_NULL_KIND, .is_null = true};
            exprs[i] = evs_expr_constant(binder->arena, null, exprs[i]->place);
        }
    }
}

/* A type that may hold all: the first query's, else that of a later one. */
static const struct evs_type *common_type(struct evs_binder *binder, const struct evs_expr **exprs, uint32_t count)
{
    const struct evs_type *type = exprs[0]->type;
    for (uint32_t i = 1; i < count; i++) {
        const struct evs_expr *ignored;
        struct evs_error error;
        bool goes =
            type->kind != EVS_NULL_KIND && evs_expr_coerce(binder->arena, exprs[i], type, &ignored, &error) == EVS_OK;
        type = goes ? type : exprs[i]->type; /* then all before must go to this one */
    }
    return type->kind != EVS_NULL_KIND ? type : evs_type_of(EVS_INT64);
}

/* Coerces a column of all queries to one type. */
static bool unify(struct evs_binder *binder, const struct evs_expr **exprs, uint32_t count, const char *name,
                  struct evs_place place)
{
    free_nulls(binder, exprs, count);
    const struct evs_type *type = common_type(binder, exprs, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_type *own = exprs[i]->type;
        struct evs_error error;
        if (evs_expr_coerce(binder->arena, exprs[i], type, &exprs[i], &error) != EVS_OK) {
            struct evs_diag *diag =
                evs_report(binder, EVS_E0308, place,
                           "the column `%s` of this union is of type %s in one query and of type %s in another",
                           name != NULL ? name : "?", evs_kind_name(type->kind), evs_kind_name(own->kind));
            evs_diag_hint(diag, "cast one of them");
            return false;
        }
    }
    return true;
}

/* The columns of a query in the order of the first one's. */
static bool match_by_name(struct evs_binder *binder, const struct evs_columns *first, struct evs_columns *other,
                          struct evs_place place)
{
    struct evs_columns ordered = {0};
    for (uint32_t i = 0; i < first->count; i++) {
        const char *name = first->items[i].name;
        const struct evs_scope_column *found = NULL;
        if (name == NULL || evs_columns_find(other, evs_slice_of(name), &found) != 1) {
            evs_report(binder, EVS_E0203, place, "the other query has no column `%s`", name != NULL ? name : "?");
            return false;
        }
        evs_columns_add(binder, &ordered, name, found->expr);
    }
    *other = ordered;
    return true;
}

static bool align_columns(struct evs_binder *binder, struct evs_scope *scopes, uint32_t count,
                          const struct evs_ast_pipe *pipe)
{
    bool is_right = true;
    for (uint32_t i = 1; i < count; i++) {
        struct evs_place place = pipe->set_operation.queries[i - 1]->place;
        if (scopes[i].columns.count != scopes[0].columns.count) {
            evs_report(binder, EVS_E0409, place, "columns of this query: %u, of the one before the union: %u",
                       scopes[i].columns.count, scopes[0].columns.count);
            return false;
        }
        is_right =
            (!pipe->set_operation.by_name || match_by_name(binder, &scopes[0].columns, &scopes[i].columns, place)) &&
            is_right;
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
        for (uint32_t c = 0; c < scope->columns.count; c++) { /* the names are those of the first query */
            scopes[i].columns.items[c].name = scope->columns.items[c].name;
        }
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

bool evs_bind_union(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    uint32_t count = pipe->set_operation.count + 1;
    struct evs_scope *scopes = EVS_ARENA_ARRAY(binder->arena, struct evs_scope, count);
    bool is_right = true;
    EVS_ASSERT(!pipe->set_operation.distinct); /* the parser has refused it */
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
