/* Calls of aggregate functions: what the table (aggregate_table.h) says of a function is held against what is written.
 *
 * The arguments of a pending call are expressions over the rows; constants among what is written (a delimiter, a count, an interval) become
 * fields of it. The keys of `order by` stand behind the function's own arguments. */
#include <string.h>

#include "bind_aggregate.h"

#define NUMBER_MAX 10000 /* quantiles, top values: a result is a value in a row */
#define STEPS_MAX 32     /* of a funnel */

bool evs_aggregate_known(struct evs_slice name)
{
    return evs_aggregate_function_find(name) != NULL;
}

void evs_aggregate_offer(struct evs_nearest *nearest)
{
    for (uint32_t i = 0; i < evs_aggregate_function_count(); i++) {
        evs_nearest_offer(nearest, evs_slice_of(evs_aggregate_function_at(i)->name));
    }
}

/* A call that is being bound. */
struct binding {
    struct evs_binder *binder;
    struct evs_context *context;
    const struct evs_ast_expr *ast;
    const struct evs_aggregate_function *function;
    struct pending_call call;
};

static bool refuse(struct binding *binding, struct evs_place place, const char *message, const char *hint)
{
    struct evs_diag *diag = evs_report(binding->binder, EVS_E0311, place, "%s", message);
    evs_diag_hint(diag, "%s", hint);
    return false;
}

/* --- clauses -------------------------------------------------------------------------------------------------------------- */

static bool check_nulls(struct binding *binding)
{
    const struct evs_ast_call *call = binding->ast->call;
    if (call->nulls == EVS_NULLS_AS_IS || (binding->function->clauses & EVS_AGGREGATE_NULLS) != 0) {
        return true;
    }
    if (binding->function->kind == EVS_AGG_APPROX_TOP_COUNT || binding->function->kind == EVS_AGG_APPROX_TOP_SUM) {
        evs_report(binding->binder, EVS_E0311, binding->ast->place,
                   "`%s` counts NULL as a value; write `where x is not null` to leave it out", binding->function->name);
        return false;
    }
    evs_report(binding->binder, EVS_E0311, binding->ast->place,
               "`%s` ignores NULLs anyway; `%s nulls` belongs to first, last, any_value and array_agg",
               binding->function->name, call->nulls == EVS_NULLS_IGNORE ? "ignore" : "respect");
    return false;
}

static bool check_clauses(struct binding *binding)
{
    const struct evs_ast_call *call = binding->ast->call;
    const struct evs_aggregate_function *function = binding->function;
    struct evs_place place = binding->ast->place;
    if (binding->ast->safe) {
        return refuse(binding, call->name_place, "aggregate functions have no `safe.` form",
                      "a group that fails goes to the dead letter");
    }
    if (call->distinct && (function->clauses & EVS_AGGREGATE_DISTINCT) == 0) {
        return refuse(binding, place,
                      evs_arena_printf(binding->binder->arena, "`%s` has no `distinct`", function->name),
                      "leave it out");
    }
    if ((call->order.count > 0 || call->limit != NULL) && (function->clauses & EVS_AGGREGATE_ORDER) == 0) {
        return refuse(binding, place,
                      evs_arena_printf(binding->binder->arena, "`%s` has no `order by` and no `limit`", function->name),
                      "they belong to array_agg, array_concat_agg and string_agg");
    }
    if (call->having != NULL && (function->clauses & EVS_AGGREGATE_HAVING) == 0) {
        return refuse(binding, place, evs_arena_printf(binding->binder->arena, "`%s` has no `having`", function->name),
                      "it belongs to any_value; a condition on rows is `where`");
    }
    return check_nulls(binding);
}

static bool check_arguments(struct binding *binding)
{
    const struct evs_ast_expr *ast = binding->ast;
    const struct evs_aggregate_function *function = binding->function;
    if (ast->argument_count < function->arguments_min || ast->argument_count > function->arguments_max) {
        bool is_one = function->arguments_min == 1 && function->arguments_max == 1;
        struct evs_diag *diag =
            is_one
                ? evs_report(binding->binder, EVS_E0311, ast->place, "`%s` takes one argument, and this call has %u",
                             function->name, ast->argument_count)
                : evs_report(binding->binder, EVS_E0311, ast->place, "`%s` takes other arguments, and this call has %u",
                             function->name, ast->argument_count);
        if (is_one) {
            evs_diag_hint(diag,
                          function->kind == EVS_AGG_COUNT ? "write count(*) or count(COLUMN)" : "write %s(COLUMN)",
                          function->name);
        } else {
            evs_diag_hint(diag, "write %s", function->signature);
        }
        return false;
    }
    if (ast->argument_names != NULL && evs_ident_given(&ast->argument_names[0])) {
        evs_report(binding->binder, EVS_E0311, ast->argument_names[0].place, "`%s` has no argument of the name `%s`",
                   function->name, ast->argument_names[0].text.data);
        return false;
    }
    return true;
}

/* --- arguments ------------------------------------------------------------------------------------------------------------ */

static const struct evs_expr *bind_value(struct binding *binding, const struct evs_ast_expr *ast)
{
    const struct evs_expr *expr = evs_bind_expr(binding->binder, binding->context, ast);
    return expr == NULL ? NULL : evs_bind_typed(binding->binder, expr);
}

static void add_argument(struct binding *binding, const struct evs_expr *expr)
{
    EVS_ASSERT(binding->call.argument_count < binding->call.argument_capacity);
    binding->call.arguments[binding->call.argument_count++] = expr;
}

/* An argument whose type is held against what the function takes. */
static bool bind_argument(struct binding *binding, const struct evs_ast_expr *ast, enum evs_aggregate_takes takes)
{
    const struct evs_expr *expr = bind_value(binding, ast);
    if (expr == NULL) {
        return false;
    }
    bool is_right = evs_aggregate_accepts(takes, expr->type->kind);
    bool has_equality = !binding->ast->call->distinct || evs_aggregate_accepts(EVS_TAKES_EQUAL, expr->type->kind);
    if (!is_right || !has_equality) {
        struct evs_diag *diag =
            evs_report(binding->binder, EVS_E0311, ast->place, "`%s` takes %s, and this is of type %s",
                       is_right ? "distinct" : binding->function->name,
                       evs_aggregate_takes_text(is_right ? EVS_TAKES_EQUAL : takes),
                       evs_type_name_in(binding->binder->arena, expr->type));
        if (takes == EVS_TAKES_TEXT) {
            evs_diag_hint(diag, "write cast(%s as string)", evs_ast_expr_text(binding->binder->arena, ast));
        }
        return false;
    }
    add_argument(binding, expr);
    return true;
}

/* A whole number that is written down. */
static bool bind_number(struct binding *binding, const struct evs_ast_expr *ast, const char *what, int64_t least,
                        int64_t most, int64_t *number)
{
    struct evs_value value;
    if (!evs_bind_constant(binding->binder, ast, what, &value)) {
        return false;
    }
    if (value.kind != EVS_INT64 || value.is_null || value.int64 < least || value.int64 > most) {
        evs_report(binding->binder, EVS_E0311, ast->place, "%s is a whole number from %lld to %lld", what,
                   (long long)least, (long long)most);
        return false;
    }
    *number = value.int64;
    return true;
}

static bool bind_delimiter(struct binding *binding)
{
    struct evs_binder *binder = binding->binder;
    struct pending_call *call = &binding->call;
    enum evs_kind kind = call->arguments[0]->type->kind;
    call->delimiter = EVS_SLICE(",");
    if (binding->ast->argument_count < 2) {
        return true;
    }
    const struct evs_ast_expr *ast = binding->ast->arguments[1];
    struct evs_value value;
    if (!evs_bind_constant(binder, ast, "a delimiter", &value)) {
        return false;
    }
    if (value.kind != kind || value.is_null) {
        evs_report(binder, EVS_E0311, ast->place, "the delimiter is a constant of type %s, as the values are",
                   evs_kind_name(kind));
        return false;
    }
    struct evs_slice text = evs_str_slice(&value.str);
    call->delimiter = (struct evs_slice){evs_arena_copy(binder->arena, text.data, text.count), text.count};
    return true;
}

static bool bind_funnel(struct binding *binding)
{
    const struct evs_ast_expr *ast = binding->ast;
    if (!evs_bind_duration(binding->binder, ast->arguments[0], "the time that a funnel has",
                           &binding->call.within_us)) {
        return false;
    }
    if (binding->call.within_us < 0) {
        evs_report(binding->binder, EVS_E0311, ast->arguments[0]->place,
                   "the time that a funnel has is not below zero");
        return false;
    }
    bool is_right = true;
    EVS_ASSERT(binding->function->arguments_max == STEPS_MAX + 1);
    for (uint32_t i = 1; i < ast->argument_count; i++) {
        is_right = bind_argument(binding, ast->arguments[i], EVS_TAKES_BOOL) && is_right;
    }
    return is_right;
}

static bool bind_half_life(struct binding *binding)
{
    const struct evs_ast_expr *ast = binding->ast->arguments[1];
    if (!evs_bind_duration(binding->binder, ast, "the time after which a value counts half",
                           &binding->call.within_us)) {
        return false;
    }
    if (binding->call.within_us <= 0) {
        evs_report(binding->binder, EVS_E0311, ast->place, "the time after which a value counts half is above zero");
    }
    return binding->call.within_us > 0;
}

/* What stands behind the first argument. */
static bool bind_rest(struct binding *binding)
{
    const struct evs_ast_expr *ast = binding->ast;
    switch (binding->function->kind) {
    case EVS_AGG_STRING_AGG:
        return bind_delimiter(binding);
    case EVS_AGG_MIN_BY:
    case EVS_AGG_MAX_BY:
        return bind_argument(binding, ast->arguments[1], EVS_TAKES_ORDERED);
    case EVS_AGG_CORR:
    case EVS_AGG_COVAR_POP:
    case EVS_AGG_COVAR_SAMP:
        return bind_argument(binding, ast->arguments[1], EVS_TAKES_NUMBER);
    case EVS_AGG_FADING_SUM:
        return bind_half_life(binding);
    case EVS_AGG_APPROX_QUANTILES:
    case EVS_AGG_APPROX_TOP_COUNT:
        return bind_number(binding, ast->arguments[1], "the number of values", 1, NUMBER_MAX, &binding->call.number);
    case EVS_AGG_APPROX_TOP_SUM:
        return bind_argument(binding, ast->arguments[1], EVS_TAKES_NUMBER) &&
               bind_number(binding, ast->arguments[2], "the number of values", 1, NUMBER_MAX, &binding->call.number);
    default:
        EVS_ASSERT(ast->argument_count == 1);
        return true;
    }
}

static bool bind_having(struct binding *binding)
{
    const struct evs_ast_call *call = binding->ast->call;
    if (call->having == NULL) {
        return true;
    }
    binding->call.kind = call->having_max ? EVS_AGG_MAX_BY : EVS_AGG_MIN_BY;
    return bind_argument(binding, call->having, EVS_TAKES_ORDERED);
}

static bool bind_arguments(struct binding *binding)
{
    const struct evs_ast_expr *first = binding->ast->arguments[0];
    if (binding->function->kind == EVS_AGG_WINDOW_FUNNEL) {
        return bind_funnel(binding);
    }
    if (first->kind != EVS_AST_STAR) {
        return bind_argument(binding, first, binding->function->takes) && bind_rest(binding) && bind_having(binding);
    }
    if (binding->call.kind != EVS_AGG_COUNT || binding->ast->call->distinct) {
        evs_report(binding->binder, EVS_E0311, first->place, "`*` stands in count(*) only");
        return false;
    }
    binding->call.kind = EVS_AGG_COUNT_ROWS;
    return true;
}

/* --- order by, limit, where ----------------------------------------------------------------------------------------------- */

/* With `distinct` a value has no one row whose y could order it. */
static bool check_distinct_order(struct binding *binding, const struct evs_ast_order *order, const struct evs_expr *key)
{
    if (!binding->call.is_distinct) {
        return true;
    }
    if (binding->ast->call->order.count == 1 && evs_expr_equal(key, binding->call.arguments[0])) {
        return true;
    }
    return refuse(binding, order->expr->place, "with `distinct`, values are ordered by themselves alone",
                  evs_arena_printf(binding->binder->arena, "write order by %s",
                                   evs_ast_expr_text(binding->binder->arena, binding->ast->arguments[0])));
}

static bool bind_order(struct binding *binding, const struct evs_ast_order *order, struct evs_aggregate_order *out)
{
    const struct evs_expr *key = bind_value(binding, order->expr);
    if (key == NULL || !check_distinct_order(binding, order, key)) {
        return false;
    }
    if (!evs_aggregate_accepts(EVS_TAKES_ORDERED, key->type->kind)) {
        evs_report(binding->binder, EVS_E0311, order->expr->place,
                   "`order by` takes a type with an order, and this is of type %s",
                   evs_type_name_in(binding->binder->arena, key->type));
        return false;
    }
    /* GoogleSQL: NULL is the least value. */
    bool nulls_last = order->nulls == EVS_NULLS_DEFAULT ? order->descending : order->nulls == EVS_NULLS_LAST;
    *out = (struct evs_aggregate_order){binding->call.argument_count, order->descending, nulls_last};
    add_argument(binding, key);
    return true;
}

static bool bind_orders(struct binding *binding)
{
    const struct evs_ast_orders *orders = &binding->ast->call->order;
    struct evs_aggregate_order *out =
        EVS_ARENA_ARRAY(binding->binder->arena, struct evs_aggregate_order, orders->count + 1);
    bool is_right = true;
    for (uint32_t i = 0; i < orders->count; i++) {
        is_right = bind_order(binding, &orders->items[i], &out[i]) && is_right;
    }
    binding->call.orders = out;
    binding->call.order_count = orders->count;
    return is_right;
}

static bool bind_condition(struct binding *binding)
{
    const struct evs_ast_expr *where = binding->ast->call->where;
    if (where == NULL) {
        return true;
    }
    const struct evs_expr *condition = evs_bind_expr(binding->binder, binding->context, where);
    binding->call.condition = condition != NULL ? evs_bind_bool(binding->binder, condition, where->place) : NULL;
    return binding->call.condition != NULL;
}

static bool bind_limit(struct binding *binding)
{
    const struct evs_ast_expr *limit = binding->ast->call->limit;
    return limit == NULL || bind_number(binding, limit, "a limit", 1, INT32_MAX, &binding->call.limit);
}

/* --- the result ----------------------------------------------------------------------------------------------------------- */

static const struct evs_type *top_type(const struct binding *binding)
{
    const struct evs_expr *const *arguments = binding->call.arguments;
    bool is_count = binding->function->kind == EVS_AGG_APPROX_TOP_COUNT;
    struct evs_type_field fields[2] = {
        {"value", arguments[0]->type},
        {is_count ? "count" : "sum", is_count ? evs_type_of(EVS_INT64) : arguments[1]->type}};
    struct evs_arena *arena = binding->binder->arena;
    return evs_type_array(arena, evs_type_struct(arena, fields, 2));
}

/* NULL: reported. */
static const struct evs_type *result_type(struct binding *binding)
{
    if (binding->function->gives == EVS_GIVES_COUNT) {
        return evs_type_of(EVS_INT64);
    }
    const struct evs_type *type = binding->call.arguments[0]->type;
    switch (binding->function->gives) {
    case EVS_GIVES_FLOAT64:
        return evs_type_of(EVS_FLOAT64);
    case EVS_GIVES_MEAN:
        return evs_type_of(type->kind == EVS_NUMERIC ? EVS_NUMERIC : EVS_FLOAT64);
    case EVS_GIVES_TOP:
        return top_type(binding);
    case EVS_GIVES_ARRAY:
        if (type->kind == EVS_ARRAY) {
            refuse(binding, binding->ast->arguments[0]->place, "an array cannot be an element of an array",
                   "array_concat_agg makes one array of all elements");
            return NULL;
        }
        return evs_type_array(binding->binder->arena, type);
    default:
        return type;
    }
}

/* Functions that leave rows with a NULL out unless it is said that they count: GoogleSQL. */
static bool ignores_nulls(const struct binding *binding)
{
    bool by_default = binding->call.kind == EVS_AGG_ANY_VALUE || binding->call.kind == EVS_AGG_MIN_BY ||
                      binding->call.kind == EVS_AGG_MAX_BY;
    return binding->ast->call->nulls == EVS_NULLS_AS_IS ? by_default : binding->ast->call->nulls == EVS_NULLS_IGNORE;
}

bool evs_bind_call(struct evs_binder *binder, struct evs_context *context, const struct evs_ast_expr *ast,
                   struct pending_call *call)
{
    const struct evs_ast_call *ast_call = ast->call;
    struct binding binding = {
        .binder = binder, .context = context, .ast = ast, .function = evs_aggregate_function_find(ast_call->name)};
    EVS_ASSERT(binding.function != NULL);
    if (!check_clauses(&binding) || !check_arguments(&binding)) {
        return false;
    }
    binding.call =
        (struct pending_call){.kind = binding.function->kind, .is_distinct = ast_call->distinct, .limit = -1};
    binding.call.argument_capacity = ast->argument_count + ast_call->order.count + 1;
    binding.call.arguments = EVS_ARENA_ARRAY(binder->arena, const struct evs_expr *, binding.call.argument_capacity);
    context->in_aggregate = true;
    bool is_right = bind_arguments(&binding);
    is_right = is_right && bind_orders(&binding);
    is_right = bind_limit(&binding) && is_right;
    is_right = bind_condition(&binding) && is_right;
    context->in_aggregate = false;
    binding.call.result_type = is_right ? result_type(&binding) : NULL;
    binding.call.ignore_nulls = ignores_nulls(&binding);
    binding.call.is_nullable = binding.function->gives != EVS_GIVES_COUNT;
    binding.call.text = evs_ast_expr_text(binder->arena, ast);
    *call = binding.call;
    return call->result_type != NULL;
}

/* --- equal calls ---------------------------------------------------------------------------------------------------------- */

static bool same_expr(const struct evs_expr *a, const struct evs_expr *b)
{
    return a == b || (a != NULL && b != NULL && evs_expr_equal(a, b));
}

static bool same_orders(const struct pending_call *a, const struct pending_call *b)
{
    for (uint32_t i = 0; i < a->order_count && i < b->order_count; i++) {
        const struct evs_aggregate_order *x = &a->orders[i], *y = &b->orders[i];
        if (x->argument != y->argument || x->is_descending != y->is_descending || x->nulls_last != y->nulls_last) {
            return false;
        }
    }
    return a->order_count == b->order_count;
}

bool evs_same_call(const struct pending_call *a, const struct pending_call *b)
{
    bool is_same = a->kind == b->kind && a->is_distinct == b->is_distinct && a->ignore_nulls == b->ignore_nulls &&
                   a->limit == b->limit && a->number == b->number && a->within_us == b->within_us &&
                   evs_slice_equal(a->delimiter, b->delimiter) && a->argument_count == b->argument_count &&
                   same_expr(a->condition, b->condition) && same_orders(a, b);
    for (uint32_t i = 0; is_same && i < a->argument_count; i++) {
        is_same = same_expr(a->arguments[i], b->arguments[i]);
    }
    return is_same;
}
