/* Queries inside expressions: over the elements of an array of the row.
 *
 *   (select sum(x.price * x.n) from unnest(items) as x where x.n > 0)
 *
 * becomes a function of an array that the inner expressions make of the elements (expr/unnest_query.c): array_sum(array(select …)).
 * The inner expressions see the element under its alias, its fields by their names when it is a struct, its offset, and all columns of the
 * row; an inner name hides an outer one. They are bound in a scope whose base has two columns more than the row's, the element and its
 * offset; which of the row's columns they read is found afterwards, and these are handed to the inner program as captured values. */
#include "bind.h"

#include <string.h>

/* A query in the making. */
struct subquery {
    struct evs_binder *binder;
    struct evs_context *outer;
    const struct evs_ast_expr *ast;
    const struct evs_ast_item *item; /* what is selected; NULL: the element */
    const struct evs_expr *array;
    struct evs_scope scope; /* the inner one */
    struct evs_context context;
    uint32_t element_column; /* its number in the inner scope; the offset's is the next */
    const struct evs_expr *where;
    bool distinct;
};

/* --- the inner scope -------------------------------------------------------------------------------------------------------- */

/* Adds a name before all others: it hides a column of the row. */
static void add_name(struct subquery *sub, const char *name, const struct evs_expr *expr)
{
    struct evs_columns columns = {0};
    for (uint32_t i = 0; i < sub->scope.columns.count; i++) {
        const struct evs_scope_column *column = &sub->scope.columns.items[i];
        if (column->name == NULL || !evs_name_equal(column->name, name)) {
            evs_columns_add(sub->binder, &columns, column->name, column->expr);
        }
    }
    evs_columns_add(sub->binder, &columns, name, expr);
    sub->scope.columns = columns;
}

static const struct evs_expr *inner_column(struct subquery *sub, uint32_t number, const char *name,
                                           const struct evs_type *type, bool nullable)
{
    struct evs_field field = {name, type, nullable};
    return evs_expr_column(sub->binder->arena, sub->element_column + number, &field,
                           evs_bind_place(sub->binder, sub->ast->place));
}

/* The fields of a struct are names of their own, as the columns of a table are. */
static void add_fields(struct subquery *sub, const struct evs_expr *element)
{
    for (uint32_t i = 0; i < element->type->field_count; i++) {
        const char *name = element->type->fields[i].name;
        const struct evs_expr *field;
        struct evs_error error;
        if (name[0] != '\0' &&
            evs_expr_field(sub->binder->arena, element, evs_slice_of(name), element->place, &field, &error) == EVS_OK) {
            add_name(sub, name, field);
        }
    }
}

/* The element and its offset, behind those of the queries round this one. */
static void add_elements(struct subquery *sub, const struct evs_type *type)
{
    uint32_t count = sub->scope.element_count;
    struct evs_field *fields = EVS_ARENA_ARRAY(sub->binder->arena, struct evs_field, count + 2);
    if (count > 0) {
        memcpy(fields, sub->scope.elements, sizeof *fields * count);
    }
    fields[count] = (struct evs_field){"element", type, true};
    fields[count + 1] = (struct evs_field){"offset", evs_type_of(EVS_INT64), false};
    sub->scope.elements = fields;
    sub->scope.element_count = count + 2;
}

static void make_scope(struct subquery *sub, const struct evs_ast_relation *from)
{
    struct evs_scope *outer = sub->outer->scope;
    if (outer != NULL) {
        sub->scope = evs_scope_copy(sub->binder, outer);
        sub->element_column = (outer->base != NULL ? outer->base->column_count : 0) + outer->element_count;
    }
    const struct evs_type *type = sub->array->type->element;
    add_elements(sub, type);
    bool is_named = evs_ident_given(&from->alias);
    const char *name = is_named ? evs_bind_text(sub->binder, from->alias.text) : "element";
    const struct evs_expr *element = inner_column(sub, 0, name, type, true);
    if (type->kind == EVS_STRUCT) {
        add_fields(sub, element);
    }
    add_name(sub, name, element);
    if (from->with_offset) {
        const struct evs_ident *alias = &from->offset_alias;
        const char *offset = evs_ident_given(alias) ? evs_bind_text(sub->binder, alias->text) : "offset";
        add_name(sub, offset, inner_column(sub, 1, offset, evs_type_of(EVS_INT64), false));
    }
    sub->context = (struct evs_context){.scope = &sub->scope};
}

/* --- what it reads ---------------------------------------------------------------------------------------------------------- */

static bool refuse(struct subquery *sub, struct evs_place place, const char *what, const char *hint)
{
    struct evs_diag *diag = evs_report(sub->binder, EVS_E0302, place, "%s", what);
    evs_diag_hint(diag, "%s", hint);
    return false;
}

static bool bind_from(struct subquery *sub, const struct evs_ast_relation *from)
{
    if (from->kind != EVS_RELATION_UNNEST) {
        return refuse(sub, from->place, "a query inside an expression reads an array of the row, not another stream",
                      "write `from unnest(…)`, or join the other stream by `|> join`");
    }
    if (sub->outer->aggregation != NULL && !sub->outer->in_aggregate) {
        return refuse(sub, sub->ast->place, "a query inside an expression does not stand beside aggregates",
                      "compute it before by |> extend, or behind by another |> select");
    }
    sub->array = evs_bind_expr(sub->binder, sub->outer, from->unnest);
    if (sub->array == NULL) {
        return false;
    }
    if (sub->array->type->kind != EVS_ARRAY) {
        struct evs_diag *diag =
            evs_report(sub->binder, EVS_E0302, from->unnest->place, "unnest takes an array, and `%s` is %s",
                       sub->array->text, evs_type_name_in(sub->binder->arena, sub->array->type));
        if (sub->array->type->kind == EVS_JSON) {
            evs_diag_hint(diag, "json_query_array(…) makes an array of a json array");
        }
        return false;
    }
    make_scope(sub, from);
    return true;
}

static bool add_condition(struct subquery *sub, const struct evs_ast_expr *ast)
{
    const struct evs_expr *condition = evs_bind_expr(sub->binder, &sub->context, ast);
    condition = condition != NULL ? evs_bind_bool(sub->binder, condition, ast->place) : NULL;
    if (condition == NULL || sub->where == NULL) {
        sub->where = condition;
        return condition != NULL;
    }
    const struct evs_expr *both[] = {sub->where, condition};
    struct evs_error error;
    return evs_expr_special(sub->binder->arena, EVS_EXPR_AND, both, 2, condition->place, &sub->where, &error) == EVS_OK;
}

static bool take_items(struct subquery *sub, const struct evs_ast_items *items, struct evs_place place)
{
    bool is_one = items->count == 1 && sub->item == NULL;
    if (!is_one) {
        return refuse(sub, place, "a query inside an expression selects one value",
                      "several values make one as struct(a, b)");
    }
    sub->item = items->items[0].is_star && items->items[0].expr == NULL ? NULL : &items->items[0];
    return true;
}

static bool bind_pipe(struct subquery *sub, const struct evs_ast_pipe *pipe, bool is_last)
{
    if (pipe->is_broken) {
        return false;
    }
    switch (pipe->kind) {
    case EVS_PIPE_WHERE:
        if (evs_ident_given(&pipe->otherwise_into)) {
            evs_report(sub->binder, EVS_E0415, pipe->otherwise_into.place,
                       "rows of a subquery belong to the value that it gives, and go into no sink");
            return false;
        }
        return add_condition(sub, pipe->expr);
    case EVS_PIPE_SELECT:
        sub->distinct = pipe->select.distinct;
        return is_last && take_items(sub, &pipe->select.items, pipe->place);
    case EVS_PIPE_AGGREGATE:
        if (is_last && pipe->aggregate->group_count == 0) {
            return take_items(sub, &pipe->aggregate->items, pipe->place);
        }
        break;
    default:
        break;
    }
    return refuse(sub, pipe->word, "a query inside an expression has `where`, and then one `select` or `aggregate`",
                  "do the rest with the functions of arrays, or by |> cross join unnest(…)");
}

static bool bind_pipes(struct subquery *sub, const struct evs_ast_pipeline *pipeline)
{
    bool is_right = true;
    for (uint32_t i = 0; i < pipeline->count; i++) {
        is_right = bind_pipe(sub, &pipeline->pipes[i], i + 1 == pipeline->count) && is_right;
    }
    return is_right;
}

/* --- the array of its values ------------------------------------------------------------------------------------------------ */

static const struct evs_expr *call(struct subquery *sub, const char *name, const struct evs_expr **arguments,
                                   uint32_t count)
{
    struct evs_error error;
    const struct evs_expr *result = NULL;
    if (evs_expr_call(sub->binder->arena, evs_slice_of(name), false, arguments, count,
                      evs_bind_place(sub->binder, sub->ast->place), &result, &error) != EVS_OK) {
        evs_report_error(sub->binder, EVS_E0302, sub->ast->place, &error);
        return NULL;
    }
    return result;
}

/* The inner program's columns: element, offset, then the row's columns that it reads. */
static const struct evs_expr **capture(struct subquery *sub, struct evs_expr_body *body, uint32_t *captured_count)
{
    struct evs_arena *arena = sub->binder->arena;
    uint32_t count = sub->element_column + 2;
    uint64_t *bitmap = EVS_ARENA_ARRAY(arena, uint64_t, EVS_VALID_WORDS(count));
    uint32_t *map = EVS_ARENA_ARRAY(arena, uint32_t, count);
    const struct evs_expr **captured = EVS_ARENA_ARRAY(arena, const struct evs_expr *, count);
    evs_expr_columns(body->value, bitmap);
    if (body->where != NULL) {
        evs_expr_columns(body->where, bitmap);
    }
    *captured_count = 0;
    for (uint32_t i = 0; i < sub->element_column; i++) {
        if ((bitmap[i / 64] >> (i % 64)) & 1) {
            uint32_t own = sub->scope.base != NULL ? sub->scope.base->column_count : 0;
            struct evs_field field = i < own ? evs_rel_field(sub->scope.base, i) : sub->scope.elements[i - own];
            captured[*captured_count] = evs_expr_column(arena, i, &field, evs_bind_place(sub->binder, sub->ast->place));
            map[i] = 2 + (*captured_count)++;
        }
    }
    map[sub->element_column] = 0;
    map[sub->element_column + 1] = 1;
    body->value = evs_expr_remap(arena, body->value, map);
    body->where = body->where != NULL ? evs_expr_remap(arena, body->where, map) : NULL;
    return captured;
}

/* array(select value from unnest(…) where …) */
static const struct evs_expr *values_of(struct subquery *sub, const struct evs_expr *value, bool distinct)
{
    struct evs_expr_body body = {.where = sub->where, .value = value};
    uint32_t captured_count;
    const struct evs_expr **captured = capture(sub, &body, &captured_count), *result = NULL;
    struct evs_error error;
    if (evs_expr_unnest(sub->binder->arena, sub->array, &body, captured, captured_count,
                        evs_bind_place(sub->binder, sub->ast->place), &result, &error) != EVS_OK) {
        evs_report_error(sub->binder, EVS_E0302, sub->ast->place, &error);
        return NULL;
    }
    return distinct ? call(sub, "array[distinct]", &result, 1) : result;
}

/* --- aggregates --------------------------------------------------------------------------------------------------------------- */

/* What an aggregate function is over an array of its arguments. */
static const struct {
    const char *aggregate, *function;
    bool skips_null; /* the function would count them */
} folds[] = {
    {"count", "array_length", true},
    {"countif", "array_length", true},
    {"sum", "array_sum", false},
    {"avg", "array_avg", false},
    {"min", "array_min", false},
    {"max", "array_max", false},
    {"logical_or", "array_max", false},
    {"logical_and", "array_min", false},
    {"array_agg", NULL, false},
    {"string_agg", "array_to_string", false},
    {"any_value", "array[safe_offset]", false},
};

static const struct evs_expr *constant(struct subquery *sub, struct evs_value value)
{
    return evs_expr_constant(sub->binder->arena, value, evs_bind_place(sub->binder, sub->ast->place));
}

static bool narrow(struct subquery *sub, const struct evs_expr *condition)
{
    struct evs_error error;
    const struct evs_expr *both[] = {sub->where, condition};
    if (sub->where == NULL) {
        sub->where = condition;
        return true;
    }
    return evs_expr_special(sub->binder->arena, EVS_EXPR_AND, both, 2, condition->place, &sub->where, &error) == EVS_OK;
}

static bool only_not_null(struct subquery *sub, const struct evs_expr *value)
{
    struct evs_error error;
    const struct evs_expr *test;
    return evs_expr_special(sub->binder->arena, EVS_EXPR_IS_NULL, &value, 1, value->place, &test, &error) == EVS_OK &&
           evs_expr_special(sub->binder->arena, EVS_EXPR_NOT, &test, 1, value->place, &test, &error) == EVS_OK &&
           narrow(sub, test);
}

/* NULL of no element, as the aggregate has it; else the array, or a function of it. */
static const struct evs_expr *null_if_empty(struct subquery *sub, const struct evs_expr *values,
                                            const struct evs_expr *result)
{
    const struct evs_expr *length = values != NULL ? call(sub, "array_length", &values, 1) : NULL;
    if (length == NULL || result == NULL) {
        return NULL;
    }
    const struct evs_expr *zero[] = {length, constant(sub, (struct evs_value){.kind = EVS_INT64})};
    const struct evs_expr *branches[] = {
        call(sub, "=", zero, 2), constant(sub, (struct evs_value){.kind = EVS_NULL_KIND, .is_null = true}), result};
    return branches[0] != NULL ? call(sub, "if", branches, 3) : NULL;
}

/* The argument of the aggregate, its conditions among those of the query; NULL: told. */
static const struct evs_expr *bind_argument(struct subquery *sub, const struct evs_ast_expr *ast, bool skips_null)
{
    const struct evs_ast_call *ast_call = ast->call;
    bool is_star = ast->argument_count == 1 && ast->arguments[0]->kind == EVS_AST_STAR;
    if (ast_call->where != NULL && !add_condition(sub, ast_call->where)) {
        return NULL;
    }
    const struct evs_expr *one = constant(sub, (struct evs_value){.kind = EVS_INT64, .int64 = 1});
    if (is_star || ast->argument_count == 0) {
        return one;
    }
    const struct evs_expr *value = evs_bind_expr(sub->binder, &sub->context, ast->arguments[0]);
    if (value == NULL) {
        return NULL;
    }
    value = evs_bind_typed(sub->binder, value);
    if (strcmp(ast_call->name.data, "countif") == 0) {
        value = evs_bind_bool(sub->binder, value, ast->arguments[0]->place);
        return value != NULL && narrow(sub, value) ? one : NULL;
    }
    bool drops = skips_null || ast_call->nulls == EVS_NULLS_IGNORE;
    return drops && !only_not_null(sub, value) ? NULL : value;
}

static const struct evs_expr *bind_fold(struct subquery *sub, const struct evs_ast_expr *ast, uint32_t fold)
{
    const struct evs_ast_call *ast_call = ast->call;
    const char *name = folds[fold].aggregate;
    if (ast_call->order.count > 0 || ast_call->limit != NULL || ast_call->having != NULL) {
        refuse(sub, ast->place, "order by, limit and having do not stand in an aggregate over an array",
               "the elements stay in the order of the array");
        return NULL;
    }
    const struct evs_expr *value = bind_argument(sub, ast, folds[fold].skips_null);
    const struct evs_expr *values = value != NULL ? values_of(sub, value, ast_call->distinct) : NULL;
    if (values == NULL) {
        return NULL;
    }
    const struct evs_expr *arguments[2] = {values, NULL};
    uint32_t count = 1;
    if (strcmp(name, "any_value") == 0) {
        arguments[count++] = constant(sub, (struct evs_value){.kind = EVS_INT64});
    } else if (strcmp(name, "string_agg") == 0) {
        arguments[count++] = ast->argument_count > 1
                                 ? evs_bind_expr(sub->binder, sub->outer, ast->arguments[1])
                                 : constant(sub, (struct evs_value){.kind = EVS_STRING, .str = evs_str_make(",", 1)});
        if (arguments[1] == NULL) {
            return NULL;
        }
    }
    const struct evs_expr *result =
        folds[fold].function != NULL ? call(sub, folds[fold].function, arguments, count) : values;
    bool is_list = strcmp(name, "array_agg") == 0 || strcmp(name, "string_agg") == 0;
    return is_list ? null_if_empty(sub, values, result) : result;
}

/* The number of the aggregate function that the item is a call of; -1: it is none. */
static int32_t find_fold(const struct evs_ast_expr *ast)
{
    for (uint32_t i = 0; ast != NULL && ast->kind == EVS_AST_CALL && i < EVS_COUNT(folds); i++) {
        if (evs_slice_equal_nocase(ast->call->name, folds[i].aggregate) && ast->call->over == NULL) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* --- the whole ---------------------------------------------------------------------------------------------------------------- */

static const struct evs_expr *bind_values(struct subquery *sub)
{
    if (sub->item == NULL) {
        const struct evs_expr *element = inner_column(sub, 0, "element", sub->array->type->element, true);
        return values_of(sub, element, sub->distinct);
    }
    const struct evs_expr *value = evs_bind_expr(sub->binder, &sub->context, sub->item->expr);
    return value != NULL ? values_of(sub, evs_bind_typed(sub->binder, value), sub->distinct) : NULL;
}

static const struct evs_expr *bind_exists(struct subquery *sub)
{
    const struct evs_expr *one = constant(sub, (struct evs_value){.kind = EVS_INT64, .int64 = 1});
    const struct evs_expr *values = values_of(sub, one, false);
    const struct evs_expr *length = values != NULL ? call(sub, "array_length", &values, 1) : NULL;
    const struct evs_expr *sides[] = {length, constant(sub, (struct evs_value){.kind = EVS_INT64})};
    return length != NULL ? call(sub, ">", sides, 2) : NULL;
}

static const struct evs_expr *bind_result(struct subquery *sub)
{
    if (sub->ast->op == EVS_AST_OP_EXISTS) {
        return bind_exists(sub);
    }
    int32_t fold = sub->item != NULL ? find_fold(sub->item->expr) : -1;
    const struct evs_expr *result = fold >= 0 ? bind_fold(sub, sub->item->expr, (uint32_t)fold) : bind_values(sub);
    if (result == NULL || sub->ast->op == EVS_AST_OP_ARRAY) {
        if (result != NULL && fold >= 0) {
            struct evs_error error;
            return evs_expr_array(sub->binder->arena, NULL, &result, 1, result->place, &result, &error) == EVS_OK
                       ? result
                       : NULL;
        }
        return result;
    }
    if (fold >= 0) {
        return result;
    }
    const struct evs_expr *one = call(sub, "array[only]", &result, 1);
    if (one != NULL) { /* as it was written: (select …) for array(select …) */
        ((struct evs_expr *)one)->text = result->text + strlen("array");
    }
    return one;
}

const struct evs_expr *evs_bind_subquery(struct evs_binder *binder, struct evs_context *context,
                                         const struct evs_ast_expr *ast)
{
    EVS_ASSERT(ast->query != NULL);
    struct subquery sub = {.binder = binder, .outer = context, .ast = ast};
    if (ast->query->is_broken || !bind_from(&sub, &ast->query->from) || !bind_pipes(&sub, &ast->query->pipeline)) {
        return NULL;
    }
    const struct evs_expr *result = bind_result(&sub);
    context->used_computed = context->used_computed || sub.context.used_computed;
    return result;
}
