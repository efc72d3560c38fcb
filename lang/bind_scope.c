/* Scopes: what names mean at one place of a query, and the pending projection behind them (see struct evs_scope). */
#include "bind.h"

#include <string.h>

/* A pending expression with more nodes than this is computed before it is used again. */
#define PENDING_NODES_MAX 64

/* --- lists of columns ----------------------------------------------------------------------------------------------------- */

void evs_columns_add(struct evs_binder *binder, struct evs_columns *columns, const char *name,
                     const struct evs_expr *expr)
{
    EVS_ASSERT(expr != NULL);
    if (columns->count == columns->capacity) {
        uint32_t capacity = columns->capacity * 2 + 8;
        struct evs_scope_column *items = EVS_ARENA_ARRAY(binder->arena, struct evs_scope_column, capacity);
        if (columns->count > 0) {
            memcpy(items, columns->items, sizeof *items * columns->count);
        }
        columns->items = items;
        columns->capacity = capacity;
    }
    columns->items[columns->count++] = (struct evs_scope_column){name, expr};
}

uint32_t evs_columns_find(const struct evs_columns *columns, struct evs_slice name,
                          const struct evs_scope_column **found)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < columns->count; i++) {
        const char *other = columns->items[i].name;
        if (other != NULL && evs_slice_equal_nocase(name, other)) {
            *found = count == 0 ? &columns->items[i] : *found;
            count++;
        }
    }
    return count;
}

struct evs_columns evs_columns_copy(struct evs_binder *binder, const struct evs_columns *columns)
{
    struct evs_columns copy = {.count = columns->count, .capacity = columns->count};
    copy.items = EVS_ARENA_ARRAY(binder->arena, struct evs_scope_column, columns->count + 1);
    if (columns->count > 0) {
        memcpy(copy.items, columns->items, sizeof *copy.items * columns->count);
    }
    return copy;
}

/* --- scopes --------------------------------------------------------------------------------------------------------------- */

struct evs_scope evs_scope_copy(struct evs_binder *binder, const struct evs_scope *scope)
{
    struct evs_scope copy = *scope;
    copy.columns = evs_columns_copy(binder, &scope->columns);
    copy.system = evs_columns_copy(binder, &scope->system);
    for (uint32_t i = 0; i < scope->range_count; i++) {
        copy.ranges[i].columns = evs_columns_copy(binder, &scope->ranges[i].columns);
    }
    copy.filter_capacity = 0; /* the next one makes a new array */
    return copy;
}

void evs_scope_range(struct evs_binder *binder, struct evs_scope *scope, const char *name)
{
    scope->ranges[0].name = name;
    scope->ranges[0].columns = evs_columns_copy(binder, &scope->columns);
    scope->range_count = 1;
}

/* Calls `visit` for every list of columns that the scope knows. */
static void each_list(struct evs_scope *scope, void (*visit)(struct evs_columns *columns, void *argument),
                      void *argument)
{
    visit(&scope->columns, argument);
    for (uint32_t i = 0; i < scope->range_count; i++) {
        visit(&scope->ranges[i].columns, argument);
    }
    visit(&scope->system, argument);
}

void evs_scope_settle_filters(struct evs_binder *binder, struct evs_scope *scope)
{
    if (scope->filter_count == 0) {
        return;
    }
    const struct evs_expr *predicate = scope->filters[0];
    if (scope->filter_count > 1) {
        struct evs_error error;
        evs_status status = evs_expr_special(binder->arena, EVS_EXPR_AND, scope->filters, scope->filter_count,
                                             scope->filters[0]->place, &predicate, &error);
        EVS_ASSERT(status == EVS_OK); /* each is a bool */
    }
    scope->base = evs_rel_filter(&binder->rels, scope->base, predicate);
    scope->filter_count = 0;
    scope->filter_capacity = 0;
    scope->filters = NULL;
}

/* --- settling ------------------------------------------------------------------------------------------------------------- */

/* The columns of a projection that is being made: distinct expressions. */
struct projection {
    struct evs_binder *binder;
    const struct evs_expr **exprs;
    const char **names;
    uint32_t count, capacity;
    bool computes; /* some expression is more than a column */
};

static uint32_t projection_find(const struct projection *projection, const struct evs_expr *expr)
{
    for (uint32_t i = 0; i < projection->count; i++) {
        if (projection->exprs[i] == expr || evs_expr_equal(projection->exprs[i], expr)) {
            return i;
        }
    }
    return EVS_NO_COLUMN;
}

static void projection_add(struct projection *projection, const char *name, const struct evs_expr *expr)
{
    if (projection->count == projection->capacity) {
        struct evs_arena *arena = projection->binder->arena;
        uint32_t capacity = projection->capacity * 2 + 16;
        const struct evs_expr **exprs = EVS_ARENA_ARRAY(arena, const struct evs_expr *, capacity);
        const char **names = EVS_ARENA_ARRAY(arena, const char *, capacity);
        if (projection->count > 0) {
            memcpy(exprs, projection->exprs, sizeof *exprs * projection->count);
            memcpy(names, projection->names, sizeof *names * projection->count);
        }
        projection->exprs = exprs;
        projection->names = names;
        projection->capacity = capacity;
    }
    projection->exprs[projection->count] = expr;
    projection->names[projection->count++] = name != NULL ? name : "";
    projection->computes = projection->computes || expr->kind != EVS_EXPR_COLUMN;
}

static void collect(struct evs_columns *columns, void *argument)
{
    struct projection *projection = argument;
    for (uint32_t i = 0; i < columns->count; i++) {
        if (projection_find(projection, columns->items[i].expr) == EVS_NO_COLUMN) {
            const struct evs_scope_column *column = &columns->items[i];
            projection_add(projection, column->name != NULL ? column->name : column->expr->text, column->expr);
        }
    }
}

struct settled {
    const struct projection *projection;
    const struct evs_rel *rel;
};

static void replace(struct evs_columns *columns, void *argument)
{
    const struct settled *settled = argument;
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct evs_expr *old = columns->items[i].expr;
        uint32_t column = projection_find(settled->projection, old);
        EVS_ASSERT(column != EVS_NO_COLUMN);
        struct evs_field field = evs_rel_field(settled->rel, column);
        columns->items[i].expr = evs_expr_column(settled->projection->binder->arena, column, &field, old->place);
    }
}

void evs_scope_settle(struct evs_binder *binder, struct evs_scope *scope, struct evs_place place)
{
    evs_scope_settle_with(binder, scope, NULL, 0, NULL, place);
}

void evs_scope_settle_with(struct evs_binder *binder, struct evs_scope *scope, const struct evs_expr *const *exprs,
                           uint32_t count, uint32_t *numbers, struct evs_place place)
{
    evs_scope_settle_filters(binder, scope);
    struct projection projection = {.binder = binder};
    each_list(scope, collect, &projection);
    for (uint32_t i = 0; i < count; i++) {
        if (projection_find(&projection, exprs[i]) == EVS_NO_COLUMN) {
            projection_add(&projection, exprs[i]->text, exprs[i]);
        }
        numbers[i] = exprs[i]->column; /* right if nothing is computed */
    }
    if (!projection.computes) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = projection_find(&projection, exprs[i]);
    }
    scope->base =
        evs_rel_project(&binder->rels, scope->base, projection.exprs, projection.names, projection.count, place);
    struct settled settled = {&projection, scope->base};
    each_list(scope, replace, &settled);
}

struct evs_rel *evs_scope_project(struct evs_binder *binder, struct evs_scope *scope, const struct evs_columns *columns,
                                  struct evs_place place)
{
    evs_scope_settle_filters(binder, scope);
    struct projection projection = {.binder = binder};
    for (uint32_t i = 0; i < columns->count; i++) {
        projection_add(&projection, columns->items[i].name, columns->items[i].expr);
    }
    return evs_rel_project(&binder->rels, scope->base, projection.exprs, projection.names, projection.count, place);
}

/* Nodes of a tree, counted up to a limit: shared parts count each time, as a naive walk would visit them. */
static uint32_t count_nodes(const struct evs_expr *expr, uint32_t limit)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < expr->argument_count && count <= limit; i++) {
        count += count_nodes(expr->arguments[i], limit - count);
    }
    return count;
}

static void find_large(struct evs_columns *columns, void *argument)
{
    bool *is_large = argument;
    for (uint32_t i = 0; i < columns->count && !*is_large; i++) {
        *is_large = count_nodes(columns->items[i].expr, PENDING_NODES_MAX) > PENDING_NODES_MAX;
    }
}

void evs_scope_limit(struct evs_binder *binder, struct evs_scope *scope, struct evs_place place)
{
    bool is_large = false;
    each_list(scope, find_large, &is_large);
    if (is_large) {
        evs_scope_settle(binder, scope, place);
    }
}

bool evs_scope_is_event_time(const struct evs_scope *scope, const struct evs_expr *expr)
{
    return expr->kind == EVS_EXPR_COLUMN && expr->column == scope->base->event_time_column;
}
