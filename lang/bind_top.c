/* top N inside a window; order by, limit and offset over inputs that end. */
#include "bind_keyed.h"

#include <string.h>

#include "evstream/table.h"
#include "op_sort.h"
#include "op_top.h"

#define TOP_LIMIT_MAX 1000000

/* --- what orders rows ---------------------------------------------------------------------------------------------------------- */

/* Terms by columns of the input relation. */
struct ordering {
    struct evs_order_term *terms;
    uint32_t term_count;
};

static const struct evs_expr *bind_order_expr(struct evs_binder *binder, struct evs_scope *scope,
                                              const struct evs_ast_expr *ast)
{
    struct evs_context context = {.scope = scope};
    const struct evs_expr *expr = evs_bind_expr(binder, &context, ast);
    if (expr == NULL) {
        return NULL;
    }
    enum evs_kind kind = expr->type->kind;
    if (evs_expr_is_constant(expr)) {
        struct evs_diag *diag = evs_report(binder, EVS_E0312, ast->place, "a constant orders nothing");
        evs_diag_hint(diag, "order by takes columns and expressions, not positions");
        return NULL;
    }
    if (kind == EVS_JSON || kind == EVS_ARRAY || kind == EVS_STRUCT) {
        evs_report(binder, EVS_E0312, ast->place, "values of type %s have no order",
                   evs_type_name_in(binder->arena, expr->type));
        return NULL;
    }
    return evs_bind_typed(binder, expr);
}

/* GoogleSQL: NULL is the least value, so it comes first ascending and last descending. */
static bool nulls_are_last(const struct evs_ast_order *order)
{
    return order->nulls == EVS_NULLS_DEFAULT ? order->descending : order->nulls == EVS_NULLS_LAST;
}

static bool bind_orders(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_orders *orders,
                        struct ordering *ordering, const struct evs_expr **exprs)
{
    bool is_right = true;
    ordering->terms = EVS_ARENA_ARRAY(binder->arena, struct evs_order_term, orders->count + 1);
    ordering->term_count = orders->count;
    for (uint32_t i = 0; i < orders->count; i++) {
        exprs[i] = bind_order_expr(binder, scope, orders->items[i].expr);
        is_right = exprs[i] != NULL && is_right;
        ordering->terms[i] = (struct evs_order_term){.descending = orders->items[i].descending,
                                                     .nulls_last = nulls_are_last(&orders->items[i])};
    }
    return is_right;
}

static const char *order_text(struct evs_binder *binder, const struct evs_ast_orders *orders)
{
    const char *text = "";
    for (uint32_t i = 0; i < orders->count; i++) {
        text = evs_arena_printf(binder->arena, "%s%s%s%s", text, i > 0 ? ", " : "",
                                evs_ast_expr_text(binder->arena, orders->items[i].expr),
                                orders->items[i].descending ? " desc" : "");
    }
    return text;
}

static uint64_t order_identity(const struct evs_rel *base, const struct ordering *ordering)
{
    uint64_t identity = ordering->term_count;
    for (uint32_t i = 0; i < ordering->term_count; i++) {
        const struct evs_order_term *term = &ordering->terms[i];
        identity = evs_lineage_mix(identity, base->columns[term->column].lineage);
        identity = evs_lineage_mix(identity, (uint64_t)term->descending << 1 | term->nulls_last);
    }
    return identity;
}

static struct evs_order_term *map_terms(const struct evs_rel_layout *layout, const struct ordering *ordering)
{
    struct evs_order_term *terms = EVS_ARENA_ARRAY(layout->arena, struct evs_order_term, ordering->term_count + 1);
    for (uint32_t i = 0; i < ordering->term_count; i++) {
        terms[i] = ordering->terms[i];
        terms[i].column = layout->input_map[0][ordering->terms[i].column];
        EVS_ASSERT(terms[i].column < layout->input_schema[0].count);
    }
    return terms;
}

static void add_reads(struct evs_binder *binder, struct evs_rel_operator *op, const struct ordering *ordering)
{
    struct evs_rel_reading *reading = (struct evs_rel_reading *)op->readings;
    uint32_t *reads = EVS_ARENA_ARRAY(binder->arena, uint32_t, ordering->term_count + 1);
    for (uint32_t i = 0; i < ordering->term_count; i++) {
        reads[i] = ordering->terms[i].column;
    }
    reading->reads = reads;
    reading->read_count = ordering->term_count;
}

/* --- top ------------------------------------------------------------------------------------------------------------------------- */

struct ranking {
    struct ordering ordering;
    uint64_t limit;
};

static const void *configure_top(const struct evs_rel_layout *layout)
{
    const struct evs_rel_reading *reading = &layout->rel->op->readings[0];
    const struct ranking *ranking = layout->rel->op->bound;
    struct evs_top_config *config = EVS_ARENA_NEW(layout->arena, struct evs_top_config);
    config->keys = evs_bind_map_columns(layout, reading->keys, reading->key_count);
    config->key_count = reading->key_count;
    config->terms = map_terms(layout, &ranking->ordering);
    config->term_count = ranking->ordering.term_count;
    config->limit = ranking->limit;
    return config;
}

const struct evs_expr *evs_bind_edge(const struct evs_scope *scope, enum evs_window_edge edge)
{
    for (uint32_t i = 0; i < scope->columns.count; i++) {
        const struct evs_expr *expr = scope->columns.items[i].expr;
        if (expr->kind == EVS_EXPR_COLUMN && scope->base->columns[expr->column].edge == edge) {
            return expr;
        }
    }
    return NULL;
}

bool evs_bind_top(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_top *ast = pipe->top;
    const struct evs_expr *exprs[EVS_KEYS_MAX + 3];
    uint32_t numbers[EVS_KEYS_MAX + 3];
    struct ranking *ranking = EVS_ARENA_NEW(binder->arena, struct ranking);
    struct evs_ast_order order = {.expr = ast->by, .descending = ast->descending};
    struct evs_ast_orders orders = {&order, 1};
    int64_t limit = 0;
    if (evs_bind_refuse_update(binder, scope, pipe->word, "`top`")) {
        return false;
    }
    exprs[0] = evs_bind_edge(scope, EVS_EDGE_START);
    exprs[1] = evs_bind_edge(scope, EVS_EDGE_END);
    if (exprs[0] == NULL || exprs[1] == NULL) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0401, pipe->word, "`top` ranks the rows of a window, and the rows here have none");
        evs_diag_hint(diag,
                      "put |> call tumble(interval 1 hour) in front; or rank the results of a windowed aggregate, and "
                      "keep window_start and window_end");
        return false;
    }
    bool is_right = evs_bind_row_count(binder, ast->limit, "the number of rows", 1, TOP_LIMIT_MAX, &limit);
    uint32_t key_count = 2 + ast->partition.count;
    if (ast->partition.count > EVS_KEYS_MAX - 2) {
        evs_report(binder, EVS_E0312, pipe->word, "a key has at most %u columns", EVS_KEYS_MAX - 2);
        return false;
    }
    is_right = evs_bind_key_exprs(binder, scope, &ast->partition, exprs + 2) && is_right;
    is_right = bind_orders(binder, scope, &orders, &ranking->ordering, &exprs[key_count]) && is_right;
    if (!is_right) {
        return false;
    }
    struct evs_place place = evs_bind_place(binder, pipe->place);
    evs_scope_settle_with(binder, scope, exprs, key_count + 1, numbers, place);
    ranking->ordering.terms[0].column = numbers[key_count];
    ranking->limit = (uint64_t)limit;
    struct evs_rel_operator *op = evs_bind_keyed_operator(binder, scope, &evs_op_top, numbers, key_count);
    add_reads(binder, op, &ranking->ordering);
    op->configure = configure_top;
    op->bound = ranking;
    op->identity = evs_lineage_mix(order_identity(scope->base, &ranking->ordering), ranking->limit);
    op->keeps_rows = true;
    const char *partition = evs_bind_key_text(binder, &ast->partition);
    op->label = evs_arena_printf(binder->arena, "top %lld by %s%s%s", (long long)limit, order_text(binder, &orders),
                                 ast->partition.count > 0 ? " partition by " : "", partition);
    op->state_bound =
        evs_arena_printf(binder->arena, "%lld rows a window%s; a window goes when the watermark passes its end",
                         (long long)limit, ast->partition.count > 0 ? " and partition" : "");
    struct evs_rel *rel = evs_rel_extended(&binder->rels, scope->base, op, place, evs_bind_operator_name(binder, pipe));
    rel->event_time_column = EVS_NO_COLUMN; /* the end of the window less a microsecond: no column shows it */
    scope->base = rel;
    return true;
}

/* --- order by, limit --------------------------------------------------------------------------------------------------------------- */

struct sorting {
    struct ordering ordering;
    uint64_t limit, offset;
    bool as_they_come;
};

static const void *configure_sort(const struct evs_rel_layout *layout)
{
    const struct sorting *sorting = layout->rel->op->bound;
    struct evs_sort_config *config = EVS_ARENA_NEW(layout->arena, struct evs_sort_config);
    config->terms = map_terms(layout, &sorting->ordering);
    config->term_count = sorting->ordering.term_count;
    config->limit = sorting->limit;
    config->offset = sorting->offset;
    config->as_they_come = sorting->as_they_come;
    return config;
}

static bool needs_an_end(struct evs_binder *binder, const struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    if (scope->base->is_bounded) {
        return true;
    }
    struct evs_diag *diag =
        evs_report(binder, EVS_E0419, pipe->word, "`%s` needs all rows, and a stream never ends: only files do",
                   evs_pipe_kind_name(pipe->kind));
    evs_diag_hint(diag, "write top N by … inside a window: |> call tumble(interval 1 hour) |> top 10 by price desc");
    return false;
}

static void add_sort(struct evs_binder *binder, struct evs_scope *scope, struct evs_rel *input,
                     const struct sorting *sorting, const char *label, const struct evs_ast_pipe *pipe)
{
    struct evs_scope over_input = {.base = input};
    struct evs_rel_operator *op = evs_bind_keyed_operator(binder, &over_input, &evs_op_sort, NULL, 0);
    add_reads(binder, op, &sorting->ordering);
    op->spread = EVS_SPREAD_GATHER;
    op->configure = configure_sort;
    op->bound = sorting;
    op->moves_time = true;
    op->keeps_rows = true;
    op->identity =
        evs_lineage_mix(evs_lineage_mix(order_identity(input, &sorting->ordering), sorting->limit), sorting->offset);
    op->label = label;
    op->state_bound = sorting->limit == UINT64_MAX ? "the input ends" : "the rows of the limit; the input ends";
    struct evs_rel *rel = evs_rel_extended(&binder->rels, input, op, evs_bind_place(binder, pipe->place),
                                           evs_bind_operator_name(binder, pipe));
    rel->event_time_column = EVS_NO_COLUMN; /* the end of the input */
    scope->base = rel;
}

bool evs_bind_order(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    const struct evs_ast_orders *orders = &pipe->orders;
    struct sorting *sorting = EVS_ARENA_NEW(binder->arena, struct sorting);
    const struct evs_expr **exprs = EVS_ARENA_ARRAY(binder->arena, const struct evs_expr *, orders->count + 1);
    uint32_t *numbers = EVS_ARENA_ARRAY(binder->arena, uint32_t, orders->count + 1);
    if (!needs_an_end(binder, scope, pipe) || !bind_orders(binder, scope, orders, &sorting->ordering, exprs)) {
        return false;
    }
    evs_scope_settle_with(binder, scope, exprs, orders->count, numbers, evs_bind_place(binder, pipe->place));
    for (uint32_t i = 0; i < orders->count; i++) {
        sorting->ordering.terms[i].column = numbers[i];
    }
    sorting->limit = UINT64_MAX;
    add_sort(binder, scope, scope->base, sorting,
             evs_arena_printf(binder->arena, "order by %s", order_text(binder, orders)), pipe);
    return true;
}

static bool is_sort(const struct evs_rel *rel)
{
    return rel->kind == EVS_REL_OPERATOR && rel->op->operator_ == &evs_op_sort;
}

/* Do the rows come in the order of an `order by`, with nothing but row-wise operators in between? */
static bool is_sorted(const struct evs_rel *rel)
{
    while (rel->kind == EVS_REL_FILTER || rel->kind == EVS_REL_PROJECT) {
        rel = rel->inputs[0].rel;
    }
    return is_sort(rel);
}

bool evs_bind_limit(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    struct sorting *sorting = EVS_ARENA_NEW(binder->arena, struct sorting);
    int64_t limit = 0, offset = 0;
    bool is_right = needs_an_end(binder, scope, pipe);
    is_right = evs_bind_row_count(binder, pipe->limit.count, "the limit", 0, INT64_MAX, &limit) && is_right;
    if (pipe->limit.offset != NULL) {
        is_right = evs_bind_row_count(binder, pipe->limit.offset, "the offset", 0, INT64_MAX, &offset) && is_right;
    }
    if (!is_right) {
        return false;
    }
    evs_scope_settle_filters(binder, scope);
    struct evs_rel *input = scope->base;
    const struct sorting *before = is_sort(input) ? input->op->bound : NULL;
    const char *label = evs_arena_printf(binder->arena, "limit %lld", (long long)limit);
    if (before != NULL && before->limit == UINT64_MAX) { /* order by … limit: only the best rows are ever kept */
        label = evs_arena_printf(binder->arena, "%s %s", input->op->label, label);
        sorting->ordering = before->ordering;
        input = input->inputs[0].rel;
    }
    sorting->limit = (uint64_t)limit;
    sorting->offset = (uint64_t)offset;
    sorting->as_they_come = is_sorted(input);
    if (offset > 0) {
        label = evs_arena_printf(binder->arena, "%s offset %lld", label, (long long)offset);
    }
    add_sort(binder, scope, input, sorting, label, pipe);
    return true;
}
