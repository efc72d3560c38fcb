/* aggregate … group by: keys, windows, calls of aggregate functions, and the clauses behind them.
 *
 *   scope ──► filter ──► project ─────────────► aggregate ──────────────► scope
 *                        [visible columns of     keys and windows as        items: expressions over these columns
 *                        late rows,] keys,       written, then one column
 *                        arguments, conditions   for each distinct call
 *
 * So `sum(price) / count(*) as mean` is two calls and a pending division, and `count(*)` used twice is computed once. */
#include "bind_aggregate.h"

#include <string.h>

#define CALLS_MAX 1000

/* --- calls ------------------------------------------------------------------------------------------------------------------ */

static bool same_expr(const struct evs_expr *a, const struct evs_expr *b)
{
    return a == b || (a != NULL && b != NULL && evs_expr_equal(a, b));
}

/* The call's number: of an equal one that is there already, or a new one. */
static uint32_t add_call(struct evs_aggregation *aggregation, const struct pending_call *call)
{
    for (uint32_t i = 0; i < aggregation->call_count; i++) {
        if (evs_same_call(&aggregation->calls[i], call)) {
            return i;
        }
    }
    if (aggregation->call_count == aggregation->call_capacity) {
        uint32_t capacity = aggregation->call_capacity * 2 + 8;
        struct pending_call *calls = EVS_ARENA_ARRAY(aggregation->binder->arena, struct pending_call, capacity);
        if (aggregation->call_count > 0) {
            memcpy(calls, aggregation->calls, sizeof *calls * aggregation->call_count);
        }
        aggregation->calls = calls;
        aggregation->call_capacity = capacity;
    }
    aggregation->calls[aggregation->call_count] = *call;
    return aggregation->call_count++;
}

const struct evs_expr *evs_bind_aggregate_call(struct evs_binder *binder, struct evs_context *context,
                                               const struct evs_ast_expr *ast)
{
    struct evs_aggregation *aggregation = context->aggregation;
    struct pending_call call;
    if (aggregation->call_count >= CALLS_MAX) {
        evs_report(binder, EVS_E0125, aggregation->ast->items.items[0].place, /* one place, so that it is told once */
                   "an aggregate has at most %d different functions", CALLS_MAX);
        return NULL;
    }
    if (!evs_bind_call(binder, context, ast, &call)) {
        return NULL;
    }
    uint32_t number = add_call(aggregation, &call);
    struct evs_field field = {call.text, call.result_type, call.is_nullable};
    return evs_expr_column(binder->arena, aggregation->group_count + number, &field,
                           evs_bind_place(binder, ast->place));
}

/* --- keys ------------------------------------------------------------------------------------------------------------------- */

static struct evs_field group_field(const struct group_column *group)
{
    if (group->what != GROUP_KEY) {
        return (struct evs_field){group->name, evs_type_of(EVS_TIMESTAMP), false};
    }
    return (struct evs_field){group->name != NULL ? group->name : "", group->key->type, group->key->nullable};
}

static const struct evs_expr *group_expr(struct evs_aggregation *aggregation, uint32_t number, struct evs_place place)
{
    struct evs_field field = group_field(&aggregation->groups[number]);
    return evs_expr_column(aggregation->binder->arena, number, &field, evs_bind_place(aggregation->binder, place));
}

const struct evs_expr *evs_bind_aggregate_path(struct evs_binder *binder, struct evs_context *context,
                                               const struct evs_ast_expr *ast)
{
    struct evs_aggregation *aggregation = context->aggregation;
    for (uint32_t i = 0; ast->name_count == 1 && i < aggregation->group_count; i++) {
        const char *name = aggregation->groups[i].name;
        if (name != NULL && evs_slice_equal_nocase(ast->names[0].text, name)) {
            evs_observe_column(binder, ast->names[0].place, name, aggregation->groups[i].key);
            return group_expr(aggregation, i, ast->place);
        }
    }
    const struct evs_expr *expr = evs_bind_path(binder, context, ast);
    if (expr == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < aggregation->group_count; i++) {
        if (aggregation->groups[i].key != NULL && evs_expr_equal(aggregation->groups[i].key, expr)) {
            return group_expr(aggregation, i, ast->place);
        }
    }
    const char *text = evs_ast_expr_text(binder->arena, ast);
    struct evs_diag *diag =
        evs_report(binder, EVS_E0310, ast->place, "`%s` is neither a key nor inside an aggregate function", text);
    evs_diag_hint(diag, "add it to group by, or write any_value(%s)", text);
    return NULL;
}

bool evs_check_key(struct evs_binder *binder, const struct evs_expr *key, struct evs_place place)
{
    if (key->type->kind != EVS_JSON) {
        return true;
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0312, place, "json has no equality and cannot be a key");
    evs_diag_hint(diag, "take a value out of it: json_value(…)");
    return false;
}

static bool bind_key(struct evs_aggregation *aggregation, const struct evs_ast_group *group)
{
    struct evs_binder *binder = aggregation->binder;
    struct evs_context context = {.scope = aggregation->scope};
    const struct evs_expr *key = evs_bind_expr(binder, &context, group->expr);
    if (key == NULL) {
        return false;
    }
    if (evs_expr_is_constant(key)) {
        struct evs_diag *diag = evs_report(binder, EVS_E0312, group->expr->place, "a constant is no key");
        evs_diag_hint(diag, "group by takes columns and expressions; without group by all rows are one group");
        return false;
    }
    if (!evs_check_key(binder, key, group->expr->place)) {
        return false;
    }
    aggregation->groups[aggregation->group_count++] =
        (struct group_column){.name = evs_bind_item_name(binder, &group->alias, group->expr), .key = key};
    return true;
}

static bool bind_groups(struct evs_aggregation *aggregation)
{
    const struct evs_ast_aggregate *ast = aggregation->ast;
    aggregation->groups = EVS_ARENA_ARRAY(aggregation->binder->arena, struct group_column, ast->group_count * 2 + 1);
    bool is_right = true;
    for (uint32_t i = 0; i < ast->group_count; i++) {
        bool is_window = ast->groups[i].window != EVS_AST_WINDOW_NONE;
        is_right =
            (is_window ? evs_bind_window(aggregation, &ast->groups[i]) : bind_key(aggregation, &ast->groups[i])) &&
            is_right;
    }
    return is_right && evs_bind_window_columns(aggregation);
}

/* --- the relation --------------------------------------------------------------------------------------------------------------- */

/* The columns of the projection in front; each distinct expression once, behind those that late rows show. */
static uint32_t input_column(struct evs_binder *binder, struct evs_columns *columns, const char *name,
                             const struct evs_expr *expr)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        if (same_expr(columns->items[i].expr, expr)) {
            return i;
        }
    }
    evs_columns_add(binder, columns, name, expr);
    return columns->count - 1;
}

static void lay_keys(struct evs_aggregation *aggregation, struct evs_columns *columns, struct evs_rel_aggregate *out,
                     struct evs_aggregate_item *items)
{
    struct evs_arena *arena = aggregation->binder->arena;
    uint32_t *keys = EVS_ARENA_ARRAY(arena, uint32_t, aggregation->group_count + 1);
    for (uint32_t i = 0; i < aggregation->group_count; i++) {
        const struct group_column *group = &aggregation->groups[i];
        if (group->what != GROUP_KEY) {
            bool is_start = group->what == GROUP_WINDOW_START;
            items[i].what = is_start ? EVS_ITEM_WINDOW_START : EVS_ITEM_WINDOW_END;
            if (group->key != NULL) { /* the rows have their window */
                *(is_start ? &out->window.start_column : &out->window.end_column) =
                    input_column(aggregation->binder, columns, group->name, group->key);
            }
            continue;
        }
        items[i].what = EVS_ITEM_KEY;
        items[i].index = out->key_count;
        keys[out->key_count++] = input_column(aggregation->binder, columns, group->name, group->key);
    }
    out->keys = keys;
}

/* The columns of one call's arguments. */
static void lay_arguments(struct evs_binder *binder, struct evs_columns *columns, const struct pending_call *from,
                          struct evs_aggregate_call *call)
{
    uint32_t *arguments = EVS_ARENA_ARRAY(binder->arena, uint32_t, from->argument_count + 1);
    const struct evs_type **types = EVS_ARENA_ARRAY(binder->arena, const struct evs_type *, from->argument_count + 1);
    for (uint32_t i = 0; i < from->argument_count; i++) {
        const char *name = i == 0 ? evs_arena_printf(binder->arena, "%s argument", from->text)
                                  : evs_arena_printf(binder->arena, "%s argument %u", from->text, i + 1);
        arguments[i] = input_column(binder, columns, name, from->arguments[i]);
        types[i] = from->arguments[i]->type;
    }
    call->arguments = arguments;
    call->types = types;
    call->argument_count = from->argument_count;
}

static struct evs_aggregate_call lay_call(struct evs_binder *binder, struct evs_columns *columns,
                                          const struct pending_call *from)
{
    struct evs_aggregate_call call = {
        .kind = from->kind,
        .condition = -1,
        .result_type = from->result_type,
        .is_distinct = from->is_distinct,
        .ignore_nulls = from->ignore_nulls,
        .orders = from->orders,
        .order_count = from->order_count,
        .limit = from->limit,
        .number = from->number,
        .delimiter = from->delimiter,
        .within_us = from->within_us,
        .bytes_max = (uint64_t)evs_setting(binder, "aggregate_bytes")->integer,
        .text = from->text,
    };
    lay_arguments(binder, columns, from, &call);
    if (from->condition != NULL) {
        call.condition = (int32_t)input_column(binder, columns, evs_arena_printf(binder->arena, "%s where", from->text),
                                               from->condition);
    }
    return call;
}

static void lay_calls(struct evs_aggregation *aggregation, struct evs_columns *columns, struct evs_rel_aggregate *out,
                      struct evs_aggregate_item *items)
{
    struct evs_aggregate_call *calls =
        EVS_ARENA_ARRAY(aggregation->binder->arena, struct evs_aggregate_call, aggregation->call_count + 1);
    for (uint32_t i = 0; i < aggregation->call_count; i++) {
        calls[i] = lay_call(aggregation->binder, columns, &aggregation->calls[i]);
        items[aggregation->group_count + i] = (struct evs_aggregate_item){EVS_ITEM_CALL, i};
    }
    out->calls = calls;
    out->call_count = aggregation->call_count;
}

/* A call has the name of the item that is this call alone, so that no renaming is needed behind. */
static const char *call_name(const struct evs_aggregation *aggregation, const struct evs_columns *items, uint32_t call)
{
    for (uint32_t i = 0; i < items->count; i++) {
        const struct evs_expr *expr = items->items[i].expr;
        bool is_call = expr->kind == EVS_EXPR_COLUMN && expr->column == aggregation->group_count + call;
        if (is_call && items->items[i].name != NULL) {
            return items->items[i].name;
        }
    }
    return aggregation->calls[call].text;
}

/* What an update stream has beside its results; _replaces only where sessions may merge. */
static const struct {
    const char *name;
    enum evs_kind kind;
    int what;
} system_columns[] = {
    {"_revision", EVS_INT64, EVS_ITEM_REVISION},
    {"_final", EVS_BOOL, EVS_ITEM_FINAL},
    {"_replaces", EVS_ARRAY, EVS_ITEM_REPLACES},
};

static uint32_t system_count(const struct evs_aggregation *aggregation)
{
    bool is_update =
        !aggregation->is_distinct && (aggregation->emit != EVS_EMIT_ON_CLOSE || aggregation->lateness_us > 0);
    return is_update ? 2 + (aggregation->window.window.kind == EVS_WINDOW_SESSION) : 0;
}

static struct evs_rel_column *output_columns(struct evs_aggregation *aggregation, const struct evs_columns *named,
                                             uint32_t count)
{
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(aggregation->binder->arena, struct evs_rel_column, count);
    for (uint32_t i = 0; i < aggregation->group_count; i++) {
        struct evs_field field = group_field(&aggregation->groups[i]);
        columns[i] = (struct evs_rel_column){.name = field.name, .type = field.type, .nullable = field.nullable};
    }
    for (uint32_t i = 0; i < aggregation->call_count; i++) {
        const struct pending_call *call = &aggregation->calls[i];
        columns[aggregation->group_count + i] = (struct evs_rel_column){
            .name = call_name(aggregation, named, i),
            .type = call->result_type,
            .nullable = call->is_nullable,
        };
    }
    uint32_t system = system_count(aggregation);
    for (uint32_t i = 0; i < system; i++) {
        enum evs_kind kind = system_columns[i].kind;
        columns[count - system + i] = (struct evs_rel_column){
            .name = system_columns[i].name,
            .type = kind == EVS_ARRAY ? evs_type_array_of(EVS_TIMESTAMP) : evs_type_of(kind),
        };
    }
    return columns;
}

static struct evs_rel *make_rel(struct evs_aggregation *aggregation, const struct evs_columns *named,
                                struct evs_place place, const char *name)
{
    struct evs_binder *binder = aggregation->binder;
    uint32_t system = system_count(aggregation);
    uint32_t count = aggregation->group_count + aggregation->call_count + system;
    struct evs_rel_aggregate *out = EVS_ARENA_NEW(binder->arena, struct evs_rel_aggregate);
    struct evs_aggregate_item *items = EVS_ARENA_ARRAY(binder->arena, struct evs_aggregate_item, count);
    struct evs_columns columns = {0};
    out->late_output = evs_ident_given(&aggregation->ast->late_into);
    if (out->late_output) {
        columns = evs_columns_copy(binder, &aggregation->scope->columns);
        out->late_columns = columns.count;
    }
    out->window = aggregation->window.window;
    lay_keys(aggregation, &columns, out, items);
    lay_calls(aggregation, &columns, out, items);
    for (uint32_t i = 0; i < system; i++) {
        items[count - system + i].what = system_columns[i].what;
    }
    out->items = items;
    out->window_text = aggregation->window.text;
    out->window_identity = aggregation->window.identity;
    out->emit = aggregation->emit;
    out->every_us = aggregation->every_us;
    out->lateness_us = aggregation->lateness_us;
    out->retain_us = aggregation->retain_us;
    out->state_bound = aggregation->state_bound;
    out->is_distinct = aggregation->is_distinct;
    struct evs_rel *input = evs_scope_project(binder, aggregation->scope, &columns, place);
    struct evs_rel_column *outputs = output_columns(aggregation, named, count);
    return evs_rel_aggregate(&binder->rels, input, out, outputs, count, place, name);
}

/* What is visible behind the aggregate: group columns, items, and of an update stream its system columns. */
static void leave(struct evs_aggregation *aggregation, struct evs_scope *scope, struct evs_rel *rel,
                  const struct evs_columns *items, struct evs_place place)
{
    struct evs_binder *binder = aggregation->binder;
    *scope = (struct evs_scope){.base = rel};
    for (uint32_t i = 0; i < aggregation->group_count; i++) {
        evs_columns_add(binder, &scope->columns, aggregation->groups[i].name, group_expr(aggregation, i, place));
    }
    for (uint32_t i = 0; i < items->count; i++) {
        evs_columns_add(binder, &scope->columns, items->items[i].name, items->items[i].expr);
    }
    for (uint32_t i = aggregation->group_count + aggregation->call_count; i < rel->column_count; i++) {
        struct evs_field field = evs_rel_field(rel, i);
        evs_columns_add(binder, &scope->system, field.name,
                        evs_expr_column(binder->arena, i, &field, evs_bind_place(binder, place)));
    }
}

struct evs_rel *evs_aggregation_end(struct evs_aggregation *aggregation, struct evs_scope *scope,
                                    const struct evs_columns *items, struct evs_place place, const char *name)
{
    struct evs_rel *rel = make_rel(aggregation, items, evs_bind_place(aggregation->binder, place), name);
    leave(aggregation, scope, rel, items, place);
    return rel;
}

static bool bind_items(struct evs_aggregation *aggregation, struct evs_columns *out)
{
    struct evs_binder *binder = aggregation->binder;
    const struct evs_ast_items *items = &aggregation->ast->items;
    bool is_right = true;
    for (uint32_t i = 0; i < items->count; i++) {
        if (items->items[i].is_star) {
            evs_report(binder, EVS_E0311, items->items[i].place, "`*` does not stand in aggregate: name the results");
            is_right = false;
            continue;
        }
        struct evs_context context = {.scope = aggregation->scope, .aggregation = aggregation};
        const struct evs_expr *expr = evs_bind_expr(binder, &context, items->items[i].expr);
        if (expr == NULL) {
            is_right = false;
            continue;
        }
        evs_columns_add(binder, out, evs_bind_item_name(binder, &items->items[i].alias, items->items[i].expr),
                        evs_bind_typed(binder, expr));
    }
    return is_right;
}

void evs_bind_aggregate(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct evs_aggregation aggregation = {.binder = binder, .scope = scope, .ast = pipe->aggregate};
    if (scope->base->is_update) {
        struct evs_diag *diag = evs_report(binder, EVS_E0402, pipe->word,
                                           "these rows are revisions of results, and cannot be aggregated again");
        evs_diag_hint(diag, "aggregate the rows before, or give the aggregate before a window");
        scope->is_broken = true;
        return;
    }
    struct evs_columns items = {0};
    bool is_right = bind_groups(&aggregation);
    is_right = bind_items(&aggregation, &items) && is_right;
    is_right = evs_bind_emit(&aggregation) && is_right;
    is_right = is_right && evs_bind_bound(&aggregation, pipe->word);
    struct evs_entity *late = NULL;
    if (evs_ident_given(&pipe->aggregate->late_into)) {
        late = evs_bind_sink_name(binder, &pipe->aggregate->late_into);
        is_right = is_right && late != NULL;
    }
    if (is_right && aggregation.group_count == 0 && aggregation.call_count == 0) {
        evs_report(binder, EVS_E0311, pipe->word, "aggregate needs an aggregate function or a key");
        is_right = false;
    }
    if (!is_right) {
        scope->is_broken = true;
        return;
    }
    const char *name = evs_ident_given(&pipe->name) ? evs_bind_text(binder, pipe->name.text) : NULL;
    struct evs_rel *rel = evs_aggregation_end(&aggregation, scope, &items, pipe->place, name);
    if (late != NULL) {
        evs_bind_insert(binder, late, (struct evs_rel_input){rel, 1}, pipe->aggregate->late_into.place);
    }
}
