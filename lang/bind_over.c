/* f(…) over (…): window functions in the items of select, extend and set.
 *
 * Before the items are bound, every call with an over is found, and those that have one partition, order and retention become one operator:
 *
 *   scope ──► project, with keys and arguments as columns ──► over ──► over ──► … ──► scope, where each call is a column
 *
 * When the items are bound, such a call is looked up (scope->overs). Ranks inside a window that are ordered by something else than time are the work of
 * `top` (op_top); behind `row_number() … as r` or `rank() … as r`, a condition `r <= N` in the next where gives it its limit. */
#include "bind_over.h"

#include <string.h>

#include "op_top.h"

/* --- finding ------------------------------------------------------------------------------------------------------------------ */

static const char *group_text(struct evs_binder *binder, const struct evs_ast_over *over)
{
    struct evs_ast_exprs keys = over->partition;
    const char *text = evs_arena_printf(binder->arena, "%s |", evs_bind_key_text(binder, &keys));
    for (uint32_t i = 0; i < over->order.count; i++) {
        const struct evs_ast_order *order = &over->order.items[i];
        text = evs_arena_printf(binder->arena, "%s %s %d %d", text, evs_ast_expr_text(binder->arena, order->expr),
                                order->descending, (int)order->nulls);
    }
    return over->retain == NULL
               ? text
               : evs_arena_printf(binder->arena, "%s | %s", text, evs_ast_expr_text(binder->arena, over->retain));
}

static void add_call(struct overs *overs, const struct evs_ast_expr *ast)
{
    const char *text = group_text(overs->binder, ast->call->over);
    uint32_t group = 0;
    while (group < overs->group_count && strcmp(overs->groups[group].text, text) != 0) {
        group++;
    }
    if (group == overs->group_count) {
        overs->groups[overs->group_count++] =
            (struct over_group){.ast = ast->call->over, .text = text, .retain_us = -1};
    }
    overs->calls[overs->call_count++] = (struct over_call){.ast = ast, .group = group};
}

/* False: there are too many. What stands inside a window function is not looked at: they do not nest. */
static bool find_calls(struct overs *overs, const struct evs_ast_expr *ast)
{
    if (ast == NULL) {
        return true;
    }
    if (ast->kind == EVS_AST_CALL && ast->call->over != NULL) {
        if (overs->call_count == OVERS_MAX) {
            evs_report(overs->binder, EVS_E0420, ast->place, "one operator has at most %u window functions", OVERS_MAX);
            return false;
        }
        add_call(overs, ast);
        return true;
    }
    for (uint32_t i = 0; i < ast->argument_count; i++) {
        if (!find_calls(overs, ast->arguments[i])) {
            return false;
        }
    }
    return true;
}

static const struct evs_ast_items *items_of(const struct evs_ast_pipe *pipe)
{
    return pipe->kind == EVS_PIPE_SELECT ? &pipe->select.items : &pipe->items;
}

static bool find_in_items(struct overs *overs, const struct evs_ast_items *items)
{
    for (uint32_t i = 0; i < items->count; i++) {
        const struct evs_ast_item *item = &items->items[i];
        if (!item->is_star && !find_calls(overs, item->expr)) {
            return false;
        }
        for (uint32_t k = 0; k < item->replace_count; k++) {
            if (!find_calls(overs, item->replace[k].expr)) {
                return false;
            }
        }
    }
    return true;
}

/* --- order and retention --------------------------------------------------------------------------------------------------------------- */

/* Is it the rows' event time, or, of a window's result, the end of the window? */
static bool is_time_order(const struct evs_scope *scope, const struct evs_expr *expr)
{
    if (evs_scope_is_event_time(scope, expr)) {
        return true;
    }
    return scope->base->event_time_column == EVS_NO_COLUMN && expr->kind == EVS_EXPR_COLUMN &&
           scope->base->columns[expr->column].edge == EVS_EDGE_END;
}

static bool all_are_numberings(const struct overs *overs, uint32_t group)
{
    for (uint32_t i = 0; i < overs->call_count; i++) {
        enum evs_over_kind kind;
        if (overs->calls[i].group == group && !evs_over_is_numbering(overs->calls[i].ast, &kind)) {
            return false;
        }
    }
    return true;
}

static bool refuse_order(struct overs *overs, const struct over_group *group, struct evs_place place)
{
    const struct evs_rel *base = overs->scope->base;
    const char *column = base->event_time_column == EVS_NO_COLUMN ? NULL : base->columns[base->event_time_column].name;
    struct evs_diag *diag = evs_report(overs->binder, EVS_E0403, place,
                                       "window functions go through a partition's rows in event-time order");
    if (group->ast->order.count == 1 && group->ast->order.items[0].descending) {
        evs_diag_hint(diag, "leave `desc` out: the frame already looks back from each row");
    } else if (column != NULL) {
        evs_diag_hint(diag,
                      "write order by %s; to rank the rows of a window by something else, partition by window_start, "
                      "window_end",
                      column);
    } else {
        evs_diag_hint(diag, "of a window's results it is order by window_end");
    }
    return false;
}

/* partition by window_start, window_end, …: the ends of the rows' windows come first. */
static bool order_keys_by_window(struct overs *overs, struct over_group *group)
{
    static const enum evs_window_edge edges[2] = {EVS_EDGE_START, EVS_EDGE_END};
    for (uint32_t edge = 0; edge < 2; edge++) {
        uint32_t at = edge;
        while (at < group->key_count && (group->keys[at]->kind != EVS_EXPR_COLUMN ||
                                         overs->scope->base->columns[group->keys[at]->column].edge != edges[edge])) {
            at++;
        }
        if (at >= group->key_count) {
            return false;
        }
        const struct evs_expr *key = group->keys[at];
        memmove(&group->keys[edge + 1], &group->keys[edge], (at - edge) * sizeof *group->keys);
        group->keys[edge] = key;
    }
    return true;
}

static bool bind_order_exprs(struct overs *overs, struct over_group *group)
{
    const struct evs_ast_orders *orders = &group->ast->order;
    group->orders = EVS_ARENA_ARRAY(overs->binder->arena, const struct evs_expr *, orders->count + 1);
    for (uint32_t i = 0; i < orders->count; i++) {
        group->orders[i] = evs_over_argument(overs, orders->items[i].expr);
        if (group->orders[i] == NULL) {
            return false;
        }
    }
    return true;
}

static bool have_an_order(struct overs *overs, const struct over_group *group)
{
    for (uint32_t i = 0; i < group->ast->order.count; i++) {
        enum evs_kind kind = group->orders[i]->type->kind;
        if (kind == EVS_JSON || kind == EVS_ARRAY || kind == EVS_STRUCT) {
            evs_report(overs->binder, EVS_E0312, group->ast->order.items[i].expr->place,
                       "values of type %s have no order",
                       evs_type_name_in(overs->binder->arena, group->orders[i]->type));
            return false;
        }
    }
    return true;
}

/* Event time alone is the order of `over`; any other order ranks the rows of a window. */
static bool bind_order(struct overs *overs, uint32_t number)
{
    struct over_group *group = &overs->groups[number];
    const struct evs_ast_orders *orders = &group->ast->order;
    if (orders->count == 0) {
        return refuse_order(overs, group, group->ast->place);
    }
    if (!bind_order_exprs(overs, group)) {
        return false;
    }
    if (orders->count == 1 && !orders->items[0].descending && is_time_order(overs->scope, group->orders[0])) {
        return true;
    }
    group->is_top = all_are_numberings(overs, number) && order_keys_by_window(overs, group);
    if (group->is_top) {
        return have_an_order(overs, group);
    }
    return refuse_order(overs, group, orders->items[orders->count > 1].expr->place);
}

/* How long a partition is kept; what nothing bounds is an error. */
static bool bind_retention(struct overs *overs, uint32_t number)
{
    struct over_group *group = &overs->groups[number];
    if (group->ast->retain != NULL) {
        if (!evs_bind_duration(overs->binder, group->ast->retain, "retain", &group->retain_us)) {
            return false;
        }
        return group->retain_us > 0 || evs_over_wrong(overs, group->ast->retain->place, "`retain` is above zero", NULL);
    }
    if (group->is_top || group->key_count == 0) {
        return true;
    }
    int64_t range_us = 0;
    for (uint32_t i = 0; i < overs->call_count; i++) {
        const struct over_call *call = &overs->calls[i];
        bool is_range = (call->call.kind == EVS_OVER_AGGREGATE || call->call.kind == EVS_OVER_NTH_VALUE) &&
                        call->call.frame == EVS_OVER_RANGE;
        if (call->group == number && !is_range) {
            range_us = -1;
            break;
        }
        range_us = call->group == number && call->call.preceding > range_us ? call->call.preceding : range_us;
    }
    if (range_us >= 0) {
        group->retain_us = range_us + 1; /* a row exactly `range` later still sees it */
        return true;
    }
    if (overs->scope->base->is_bounded) {
        return true;
    }
    struct evs_diag *diag =
        evs_report(overs->binder, EVS_E0401, group->ast->place,
                   "nothing bounds the state of this window function: it keeps every partition for ever");
    evs_diag_hint(diag,
                  "add retain interval 30 day inside over (…), or range between interval 1 hour preceding and current "
                  "row");
    return false;
}

/* --- the operator ---------------------------------------------------------------------------------------------------------------------- */

/* Everything that must be a column, in one list: keys, the order, arguments, and the columns of calls that are done. */
struct wanted {
    const struct evs_expr **exprs;
    uint32_t *numbers, count;
};

static uint32_t want(struct wanted *wanted, const struct evs_expr *expr)
{
    wanted->exprs[wanted->count] = expr;
    return wanted->count++;
}

static uint32_t most_wanted(const struct overs *overs, uint32_t number)
{
    uint32_t count = overs->groups[number].key_count + overs->groups[number].ast->order.count + overs->done_count;
    for (uint32_t i = 0; i < overs->call_count; i++) {
        count += overs->calls[i].group == number ? overs->calls[i].aggregate.argument_count + 3 : 0;
    }
    return count;
}

/* Positions in the list for now; settle() makes them columns. */
static void want_call(struct overs *overs, struct over_call *call, struct wanted *wanted)
{
    call->argument_number = call->argument != NULL ? want(wanted, call->argument) : EVS_NO_COLUMN;
    call->fallback_number = call->fallback != NULL ? want(wanted, call->fallback) : EVS_NO_COLUMN;
    call->condition_number =
        call->aggregate.condition != NULL ? want(wanted, call->aggregate.condition) : EVS_NO_COLUMN;
    call->aggregate_numbers = EVS_ARENA_ARRAY(overs->binder->arena, uint32_t, call->aggregate.argument_count + 1);
    for (uint32_t i = 0; i < call->aggregate.argument_count; i++) {
        call->aggregate_numbers[i] = want(wanted, call->aggregate.arguments[i]);
    }
}

static uint32_t number_of(const struct wanted *wanted, uint32_t position)
{
    return position == EVS_NO_COLUMN ? EVS_NO_COLUMN : wanted->numbers[position];
}

static void number_call(struct over_call *call, const struct wanted *wanted)
{
    call->argument_number = number_of(wanted, call->argument_number);
    call->fallback_number = number_of(wanted, call->fallback_number);
    call->condition_number = number_of(wanted, call->condition_number);
    for (uint32_t i = 0; i < call->aggregate.argument_count; i++) {
        call->aggregate_numbers[i] = number_of(wanted, call->aggregate_numbers[i]);
    }
}

/* Makes columns of what the group reads. `keys` and `orders` are their numbers. */
static void settle(struct overs *overs, uint32_t number, uint32_t *keys, uint32_t *orders)
{
    struct evs_binder *binder = overs->binder;
    struct over_group *group = &overs->groups[number];
    uint32_t most = most_wanted(overs, number);
    struct wanted wanted = {.exprs = EVS_ARENA_ARRAY(binder->arena, const struct evs_expr *, most + 1),
                            .numbers = EVS_ARENA_ARRAY(binder->arena, uint32_t, most + 1)};
    for (uint32_t i = 0; i < group->key_count; i++) {
        want(&wanted, group->keys[i]);
    }
    for (uint32_t i = 0; group->is_top && i < group->ast->order.count; i++) {
        want(&wanted, group->orders[i]);
    }
    uint32_t done_at = wanted.count;
    for (uint32_t i = 0; i < overs->done_count; i++) {
        want(&wanted, overs->done[i].expr);
    }
    for (uint32_t i = 0; i < overs->call_count; i++) {
        if (overs->calls[i].group == number) {
            want_call(overs, &overs->calls[i], &wanted);
        }
    }
    evs_scope_settle_with(binder, overs->scope, wanted.exprs, wanted.count, wanted.numbers,
                          evs_bind_place(binder, overs->pipe->place));
    memcpy(keys, wanted.numbers, group->key_count * sizeof *keys);
    memcpy(orders, wanted.numbers + group->key_count, (done_at - group->key_count) * sizeof *orders);
    for (uint32_t i = 0; i < overs->done_count; i++) {
        uint32_t column = wanted.numbers[done_at + i];
        struct evs_field field = evs_rel_field(overs->scope->base, column);
        overs->done[i].expr = evs_expr_column(binder->arena, column, &field, overs->done[i].expr->place);
    }
    for (uint32_t i = 0; i < overs->call_count; i++) {
        if (overs->calls[i].group == number) {
            number_call(&overs->calls[i], &wanted);
        }
    }
}

struct bound_over {
    struct over_call *calls; /* of one group */
    uint32_t call_count;
    int64_t retain_us;
    uint64_t limit;               /* top */
    bool keeps_ties;              /* … by rank() */
    struct evs_order_term *terms; /* of ranks: over the columns of the base */
    uint32_t term_count;
    uint64_t bytes_max;
};

/* The aggregate of a call, as the operator takes it: over the columns of its batches. */
static struct evs_aggregate_call *aggregate_of(const struct evs_rel_layout *layout, const struct over_call *call,
                                               uint64_t bytes_max)
{
    const struct pending_call *pending = &call->aggregate;
    struct evs_aggregate_call *out = EVS_ARENA_NEW(layout->arena, struct evs_aggregate_call);
    const struct evs_type **types =
        EVS_ARENA_ARRAY(layout->arena, const struct evs_type *, pending->argument_count + 1);
    for (uint32_t i = 0; i < pending->argument_count; i++) {
        types[i] = pending->arguments[i]->type;
    }
    *out = (struct evs_aggregate_call){
        .kind = pending->kind,
        .arguments = evs_bind_map_columns(layout, call->aggregate_numbers, pending->argument_count),
        .types = types,
        .argument_count = pending->argument_count,
        .condition = -1,
        .result_type = pending->result_type,
        .is_distinct = pending->is_distinct,
        .ignore_nulls = pending->ignore_nulls,
        .orders = pending->orders,
        .order_count = pending->order_count,
        .limit = pending->limit,
        .number = pending->number,
        .delimiter = pending->delimiter,
        .within_us = pending->within_us,
        .bytes_max = bytes_max,
        .text = call->call.text};
    if (call->condition_number != EVS_NO_COLUMN) {
        out->condition = (int32_t)layout->input_map[0][call->condition_number];
    }
    return out;
}

/* Only the calls that somebody asks for, in the order of their columns. */
static const void *configure_over(const struct evs_rel_layout *layout)
{
    const struct bound_over *bound = layout->rel->op->bound;
    const struct evs_rel_reading *reading = &layout->rel->op->readings[0];
    uint32_t first = layout->rel->column_count - bound->call_count;
    struct evs_over_config *config = EVS_ARENA_NEW(layout->arena, struct evs_over_config);
    struct evs_over_call *calls = EVS_ARENA_ARRAY(layout->arena, struct evs_over_call, bound->call_count + 1);
    for (uint32_t i = 0; i < bound->call_count; i++) {
        const struct over_call *from = &bound->calls[i];
        if (layout->map[first + i] == EVS_NO_COLUMN) {
            continue;
        }
        struct evs_over_call *call = &calls[config->call_count++];
        *call = from->call;
        call->result_kind = from->type->kind;
        call->fallback = -1;
        if (from->argument_number != EVS_NO_COLUMN) {
            call->argument = layout->input_map[0][from->argument_number];
        }
        if (from->fallback_number != EVS_NO_COLUMN) {
            call->fallback = (int32_t)layout->input_map[0][from->fallback_number];
        }
        if (call->kind == EVS_OVER_AGGREGATE) {
            call->aggregate = *aggregate_of(layout, from, bound->bytes_max);
        }
    }
    config->calls = calls;
    config->keys = evs_bind_map_columns(layout, reading->keys, reading->key_count);
    config->key_count = reading->key_count;
    config->retain_us = bound->retain_us;
    config->file = layout->place.file;
    config->line = layout->place.line;
    return config;
}

static const void *configure_ranks(const struct evs_rel_layout *layout)
{
    const struct bound_over *bound = layout->rel->op->bound;
    const struct evs_rel_reading *reading = &layout->rel->op->readings[0];
    uint32_t first = layout->rel->column_count - bound->call_count;
    struct evs_top_config *config = EVS_ARENA_NEW(layout->arena, struct evs_top_config);
    enum evs_top_number *numbers = EVS_ARENA_ARRAY(layout->arena, enum evs_top_number, bound->call_count + 1);
    struct evs_order_term *terms = EVS_ARENA_ARRAY(layout->arena, struct evs_order_term, bound->term_count + 1);
    for (uint32_t i = 0; i < bound->term_count; i++) {
        terms[i] = bound->terms[i];
        terms[i].column = layout->input_map[0][terms[i].column];
    }
    for (uint32_t i = 0; i < bound->call_count; i++) {
        enum evs_over_kind kind = bound->calls[i].call.kind;
        if (layout->map[first + i] != EVS_NO_COLUMN) {
            numbers[config->number_count++] = kind == EVS_OVER_ROW_NUMBER ? EVS_TOP_ROW_NUMBER
                                              : kind == EVS_OVER_RANK     ? EVS_TOP_RANK
                                                                          : EVS_TOP_DENSE_RANK;
        }
    }
    config->keys = evs_bind_map_columns(layout, reading->keys, reading->key_count);
    config->key_count = reading->key_count;
    config->terms = terms;
    config->term_count = bound->term_count;
    config->limit = bound->limit;
    config->keeps_ties = bound->keeps_ties;
    config->numbers = numbers;
    return config;
}

/* --- `where r <= N` behind `row_number()` or `rank() … as r` ------------------------------------------------------------------------------ */

static const struct evs_ident *alias_of(const struct overs *overs, const struct evs_ast_expr *call)
{
    const struct evs_ast_items *items = items_of(overs->pipe);
    for (uint32_t i = 0; i < items->count; i++) {
        if (items->items[i].expr == call && evs_ident_given(&items->items[i].alias)) {
            return &items->items[i].alias;
        }
    }
    return NULL;
}

static bool is_name(const struct evs_ast_expr *expr, const struct evs_ident *name)
{
    return expr->kind == EVS_AST_PATH && expr->name_count == 1 &&
           evs_slice_equal_nocase(expr->names[0].text, name->text.data);
}

static bool literal_of(const struct evs_ast_expr *expr, int64_t *number)
{
    *number = expr->value.int64;
    return expr->kind == EVS_AST_LITERAL && expr->value.kind == EVS_INT64 && !expr->value.is_null;
}

/* The largest rank that can meet the condition; INT64_MAX: it says nothing. */
static int64_t limit_of(const struct evs_ast_expr *where, const struct evs_ident *name)
{
    int64_t number, least = INT64_MAX;
    if (where->kind == EVS_AST_LOGIC && where->op == EVS_AST_OP_AND) {
        for (uint32_t i = 0; i < where->argument_count; i++) {
            int64_t limit = limit_of(where->arguments[i], name);
            least = limit < least ? limit : least;
        }
        return least;
    }
    if (where->kind != EVS_AST_BINARY) {
        return INT64_MAX;
    }
    bool is_turned = is_name(where->arguments[1], name);
    const struct evs_ast_expr *left = where->arguments[is_turned], *right = where->arguments[!is_turned];
    if (!is_name(left, name) || !literal_of(right, &number)) {
        return INT64_MAX;
    }
    bool at_most =
        where->op == EVS_AST_OP_EQUAL || where->op == (is_turned ? EVS_AST_OP_GREATER_EQUAL : EVS_AST_OP_LESS_EQUAL);
    bool below = where->op == (is_turned ? EVS_AST_OP_GREATER : EVS_AST_OP_LESS);
    return at_most ? number : below ? number - 1 : INT64_MAX;
}

static uint64_t find_limit(const struct overs *overs, const struct bound_over *bound)
{
    const struct evs_ast_pipe *next = overs->scope->next;
    if (next == NULL || next->kind != EVS_PIPE_WHERE || next->is_broken || evs_ident_given(&next->otherwise_into) ||
        bound->call_count != 1 || bound->calls[0].call.kind == EVS_OVER_DENSE_RANK) {
        return UINT64_MAX; /* dense_rank: as many rows may be better as there are */
    }
    const struct evs_ident *alias = alias_of(overs, bound->calls[0].ast);
    int64_t limit = alias == NULL ? INT64_MAX : limit_of(next->expr, alias);
    return limit == INT64_MAX ? UINT64_MAX : limit < 0 ? 0 : (uint64_t)limit;
}

/* --- relations ------------------------------------------------------------------------------------------------------------------------------ */

/* What beside keys and rows decides the meaning of stored state: the columns that the calls read, and how. */
static uint64_t identity_of(const struct evs_rel *base, const struct bound_over *bound)
{
    uint64_t identity = evs_lineage_mix((uint64_t)bound->retain_us, bound->call_count);
    for (uint32_t i = 0; i < bound->call_count; i++) {
        const struct over_call *call = &bound->calls[i];
        identity = evs_lineage_text(identity, call->call.text);
        for (uint32_t k = 0; k < call->aggregate.argument_count; k++) {
            identity = evs_lineage_mix(identity, base->columns[call->aggregate_numbers[k]].lineage);
        }
        if (call->argument_number != EVS_NO_COLUMN) {
            identity = evs_lineage_mix(identity, base->columns[call->argument_number].lineage);
        }
    }
    for (uint32_t i = 0; i < bound->term_count; i++) { /* what was not among the best N of another order is not there */
        identity = evs_lineage_mix(identity, base->columns[bound->terms[i].column].lineage);
    }
    return bound->term_count > 0 ? evs_lineage_mix(identity, bound->limit) : identity;
}

static void set_reads(struct overs *overs, struct evs_rel_operator *op, const struct bound_over *bound)
{
    struct evs_rel_reading *reading = (struct evs_rel_reading *)op->readings;
    uint32_t most = bound->term_count + 1;
    for (uint32_t i = 0; i < bound->call_count; i++) {
        most += bound->calls[i].aggregate.argument_count + 3;
    }
    uint32_t *reads = EVS_ARENA_ARRAY(overs->binder->arena, uint32_t, most);
    for (uint32_t i = 0; i < bound->call_count; i++) {
        const struct over_call *call = &bound->calls[i];
        const uint32_t single[3] = {call->argument_number, call->fallback_number, call->condition_number};
        for (uint32_t k = 0; k < 3; k++) {
            reads[reading->read_count] = single[k];
            reading->read_count += single[k] != EVS_NO_COLUMN;
        }
        for (uint32_t k = 0; k < call->aggregate.argument_count; k++) {
            reads[reading->read_count++] = call->aggregate_numbers[k];
        }
    }
    for (uint32_t i = 0; i < bound->term_count; i++) {
        reads[reading->read_count++] = bound->terms[i].column;
    }
    reading->reads = reads;
}

/* Columns of the base, then one a call. */
static struct evs_rel_column *extend_columns(struct overs *overs, const struct bound_over *bound,
                                             struct evs_rel_operator *op)
{
    const struct evs_rel *base = overs->scope->base;
    uint32_t count = base->column_count + bound->call_count;
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(overs->binder->arena, struct evs_rel_column, count + 1);
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(overs->binder->arena, struct evs_rel_origin, count + 1);
    memcpy(columns, base->columns, base->column_count * sizeof *columns);
    memcpy(origins, op->origins, base->column_count * sizeof *origins);
    for (uint32_t i = 0; i < bound->call_count; i++) {
        const struct over_call *call = &bound->calls[i];
        enum evs_over_kind kind = call->call.kind;
        bool is_number = kind == EVS_OVER_ROW_NUMBER || kind == EVS_OVER_RANK || kind == EVS_OVER_DENSE_RANK;
        columns[base->column_count + i] =
            (struct evs_rel_column){.name = call->call.text, .type = call->type, .nullable = !is_number};
        origins[base->column_count + i] = (struct evs_rel_origin){EVS_COMPUTED, i};
    }
    op->origins = origins;
    return columns;
}

static const char *label_of(struct overs *overs, const struct over_group *group, const struct bound_over *bound)
{
    const char *text = "";
    for (uint32_t i = 0; i < bound->call_count; i++) {
        text = evs_arena_printf(overs->binder->arena, "%s%s%s", text, i > 0 ? ", " : "", bound->calls[i].call.text);
    }
    if (group->is_top && bound->limit != UINT64_MAX) {
        text = evs_arena_printf(overs->binder->arena, "%s up to %llu", text, (unsigned long long)bound->limit);
    }
    return text;
}

static const char *bound_of(struct overs *overs, const struct over_group *group, const struct bound_over *bound)
{
    struct evs_arena *arena = overs->binder->arena;
    if (group->is_top && bound->limit != UINT64_MAX) {
        return evs_arena_printf(
            arena, "%llu rows a partition of a window%s; a window goes when the watermark passes its end",
            (unsigned long long)bound->limit, bound->keeps_ties ? ", and those that tie with the last" : "");
    }
    if (group->is_top) {
        return "a window's rows; a window goes when the watermark passes its end";
    }
    if (group->retain_us >= 0) {
        return evs_arena_printf(arena, "a partition goes %s after its latest row",
                                evs_bind_duration_text(overs->binder, group->retain_us));
    }
    return group->key_count == 0 ? "one partition" : "the input ends";
}

static void bind_terms(struct overs *overs, const struct over_group *group, const uint32_t *columns,
                       struct bound_over *bound)
{
    const struct evs_ast_orders *orders = &group->ast->order;
    bound->term_count = orders->count;
    bound->terms = EVS_ARENA_ARRAY(overs->binder->arena, struct evs_order_term, orders->count);
    for (uint32_t i = 0; i < orders->count; i++) {
        const struct evs_ast_order *ast = &orders->items[i];
        bool nulls_last = ast->nulls == EVS_NULLS_DEFAULT ? ast->descending : ast->nulls == EVS_NULLS_LAST;
        bound->terms[i] = (struct evs_order_term){columns[i], ast->descending, nulls_last};
    }
}

static struct bound_over *bound_group(struct overs *overs, uint32_t number, const uint32_t *orders)
{
    struct over_group *group = &overs->groups[number];
    struct bound_over *bound = EVS_ARENA_NEW(overs->binder->arena, struct bound_over);
    bound->calls = EVS_ARENA_ARRAY(overs->binder->arena, struct over_call, overs->call_count + 1);
    for (uint32_t i = 0; i < overs->call_count; i++) {
        if (overs->calls[i].group == number) {
            bound->calls[bound->call_count++] = overs->calls[i];
        }
    }
    bound->retain_us = group->retain_us;
    bound->bytes_max = (uint64_t)evs_setting(overs->binder, "aggregate_bytes")->integer;
    if (group->is_top) {
        bind_terms(overs, group, orders, bound);
        bound->limit = find_limit(overs, bound);
        bound->keeps_ties = bound->limit != UINT64_MAX && bound->calls[0].call.kind == EVS_OVER_RANK;
    }
    return bound;
}

static void add_operator(struct overs *overs, uint32_t number)
{
    struct evs_binder *binder = overs->binder;
    struct over_group *group = &overs->groups[number];
    uint32_t keys[EVS_KEYS_MAX + 2];
    uint32_t *orders = EVS_ARENA_ARRAY(binder->arena, uint32_t, group->ast->order.count);
    settle(overs, number, keys, orders);
    struct bound_over *bound = bound_group(overs, number, orders);
    struct evs_rel *base = overs->scope->base;
    struct evs_rel_operator *op = evs_bind_keyed_operator(
        binder, overs->scope, group->is_top ? &evs_op_top : &evs_op_over, keys, group->key_count);
    struct evs_rel_column *columns = extend_columns(overs, bound, op);
    set_reads(overs, op, bound);
    op->spread = group->key_count == 0 ? EVS_SPREAD_GATHER : EVS_SPREAD_KEYS;
    op->configure = group->is_top ? configure_ranks : configure_over;
    op->bound = bound;
    op->identity = identity_of(base, bound);
    op->keeps_rows = true;
    op->label = label_of(overs, group, bound);
    op->state_bound = bound_of(overs, group, bound);
    struct evs_rel *rel =
        evs_rel_operator(&binder->rels, &base, 1, op, columns, base->column_count + bound->call_count, EVS_NO_COLUMN,
                         evs_bind_place(binder, group->ast->place), evs_bind_operator_name(binder, overs->pipe));
    if (group->is_top) {
        rel->event_time_column = EVS_NO_COLUMN; /* the end of the window less a microsecond */
    }
    overs->scope->base = rel;
    for (uint32_t i = 0; i < bound->call_count; i++) {
        struct evs_field field = evs_rel_field(rel, base->column_count + i);
        overs->done[overs->done_count++] = (struct evs_over_column){
            bound->calls[i].ast, evs_expr_column(binder->arena, base->column_count + i, &field,
                                                 evs_bind_place(binder, bound->calls[i].ast->place))};
    }
}

/* Binds the calls and the window of a group over the scope as it stands. */
static bool bind_group(struct overs *overs, uint32_t number)
{
    struct over_group *group = &overs->groups[number];
    bool is_right = evs_bind_key_exprs(overs->binder, overs->scope, &group->ast->partition, group->keys);
    group->key_count = group->ast->partition.count;
    for (uint32_t i = 0; i < overs->call_count; i++) {
        struct over_call *call = &overs->calls[i];
        if (call->group == number) {
            is_right = evs_over_bind_call(overs, call) && is_right;
        }
    }
    return is_right && bind_order(overs, number) && bind_retention(overs, number);
}

bool evs_bind_overs(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_pipe *pipe)
{
    scope->overs = NULL;
    scope->over_count = 0;
    struct overs *overs = evs_alloc_zero(sizeof *overs);
    overs->binder = binder;
    overs->scope = scope;
    overs->pipe = pipe;
    bool is_right = find_in_items(overs, items_of(pipe));
    if (is_right && overs->call_count > 0) {
        is_right = !evs_bind_refuse_update(binder, scope, overs->calls[0].ast->place, "a window function");
    }
    bool is_update = overs->call_count > 0 && scope->base->is_update;
    for (uint32_t i = 0; !is_update && i < overs->group_count; i++) {
        is_right = bind_group(overs, i) && is_right; /* all are bound, so that all mistakes are told */
        if (is_right) {
            add_operator(overs, i);
        }
    }
    if (is_right && overs->done_count > 0) {
        struct evs_over_column *columns = EVS_ARENA_ARRAY(binder->arena, struct evs_over_column, overs->done_count);
        memcpy(columns, overs->done, overs->done_count * sizeof *columns);
        scope->overs = columns;
        scope->over_count = overs->done_count;
    }
    evs_free(overs);
    return is_right;
}

const struct evs_expr *evs_bind_over_call(struct evs_binder *binder, struct evs_context *context,
                                          const struct evs_ast_expr *ast)
{
    for (uint32_t i = 0; context->scope != NULL && i < context->scope->over_count; i++) {
        if (context->scope->overs[i].ast == ast) {
            context->used_computed = true;
            return context->scope->overs[i].expr;
        }
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0420, ast->call->over->place,
                                       "window functions stand in select, extend and set, and not inside each other");
    evs_diag_hint(diag, "write |> extend %s as NAME in front", ast->call->name.data);
    return NULL;
}
