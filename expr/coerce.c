/* Coercion, supertypes and casts, as GoogleSQL has them.
 *
 *   every expression:  int64 → numeric → float64,  date → datetime
 *   a literal, too:    string → timestamp, date, datetime, time (and json, which is ours);  float64 → numeric
 *   NULL:              to everything
 *   [1, 2], (1, 'a'):  their elements bend, each as it would alone; arrays and structs that come from elsewhere do not
 *
 * A way has a cost. A literal bends before a column does, and a short way is taken before a long one; so `price *
 * 1.5` stays numeric when price is, and `1 - 2.5` is float64. */
#include "internal.h"

static bool is_literal(const struct evs_expr *expr)
{
    return expr->kind == EVS_EXPR_CONSTANT;
}

static int literal_cost(enum evs_kind from, enum evs_kind to)
{
    switch (from) {
    case EVS_INT64:
        return to == EVS_NUMERIC ? 1 : to == EVS_FLOAT64 ? 2 : -1;
    case EVS_FLOAT64:
        return to == EVS_NUMERIC ? 3 : -1;
    case EVS_NUMERIC:
        return to == EVS_FLOAT64 ? 4 : -1;
    case EVS_DATE:
        return to == EVS_DATETIME ? 2 : -1;
    case EVS_STRING:
        return to == EVS_TIMESTAMP                    ? 2
               : to == EVS_DATE || to == EVS_DATETIME ? 3
               : to == EVS_TIME                       ? 4
               : to == EVS_JSON                       ? 5
                                                      : -1;
    default:
        return -1;
    }
}

static int general_cost(enum evs_kind from, enum evs_kind to)
{
    switch (from) {
    case EVS_INT64:
        return to == EVS_NUMERIC ? 10 : to == EVS_FLOAT64 ? 11 : -1;
    case EVS_NUMERIC:
        return to == EVS_FLOAT64 ? 20 : -1;
    case EVS_DATE:
        return to == EVS_DATETIME ? 10 : -1;
    default:
        return -1;
    }
}

int evs_coercion_cost(const struct evs_expr *expr, enum evs_kind to)
{
    const enum evs_kind from = expr->type->kind;
    if (from == to) {
        return 0;
    }
    if (from == EVS_NULL_KIND) {
        return 1;
    }
    return is_literal(expr) ? literal_cost(from, to) : general_cost(from, to);
}

static bool is_made_by(const struct evs_expr *expr, const struct evs_overload *maker)
{
    return expr->kind == EVS_EXPR_CALL && expr->overload == maker;
}

/* What the elements of [a, b] or (a, b) cost together. */
static int made_cost(const struct evs_expr *expr, const struct evs_type *to)
{
    if (to->kind == EVS_STRUCT && to->field_count != expr->argument_count) {
        return -1;
    }
    int total = 1;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        const struct evs_type *part = to->kind == EVS_ARRAY ? to->element : to->fields[i].type;
        /* a NULL that was written in it has taken a type only because it needed one */
        const int cost = evs_expr_is_null(expr->arguments[i]) ? 1 : evs_coercion_cost_type(expr->arguments[i], part);
        if (cost < 0) {
            return -1;
        }
        total += cost;
    }
    return total;
}

int evs_coercion_cost_type(const struct evs_expr *expr, const struct evs_type *to)
{
    const struct evs_type *from = expr->type;
    if (!evs_kind_is_nested(to->kind)) {
        return evs_coercion_cost(expr, to->kind);
    }
    if (from->kind == EVS_NULL_KIND) {
        return 1;
    }
    if (from->kind != to->kind) {
        return -1;
    }
    if (evs_type_equal(from, to)) {
        return 0;
    }
    if (is_made_by(expr, &evs_array_overload) || is_made_by(expr, &evs_struct_overload)) {
        return made_cost(expr, to);
    }
    return evs_type_equal_unnamed(from, to) || evs_expr_is_null(expr) ? 1 : -1;
}

static int total_cost_type(const struct evs_expr *const *exprs, uint32_t count, const struct evs_type *to)
{
    int total = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int cost = evs_coercion_cost_type(exprs[i], to);
        if (cost < 0) {
            return -1;
        }
        total += exprs[i]->type->kind == EVS_NULL_KIND ? 0 : cost;
    }
    return total;
}

const struct evs_type *evs_common_type(const struct evs_expr *const *exprs, uint32_t count)
{
    const struct evs_type *best = NULL, *tried = NULL; /* long lists are of one type, which is tried once */
    int best_cost = -1;
    bool all_null = true;
    for (uint32_t i = 0; i < count; i++) {
        if (exprs[i]->type->kind == EVS_NULL_KIND) {
            continue;
        }
        all_null = false;
        if (tried != NULL && evs_type_equal(tried, exprs[i]->type)) {
            continue;
        }
        tried = exprs[i]->type;
        const int cost = total_cost_type(exprs, count, exprs[i]->type);
        if (cost >= 0 && (best_cost < 0 || cost < best_cost)) {
            best = exprs[i]->type;
            best_cost = cost;
        }
    }
    return all_null ? evs_type_of(EVS_NULL_KIND) : best;
}

static int total_cost(const struct evs_expr *const *exprs, uint32_t count, enum evs_kind to)
{
    int total = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int cost = evs_coercion_cost(exprs[i], to);
        if (cost < 0) {
            return -1;
        }
        total += exprs[i]->type->kind == EVS_NULL_KIND ? 0 : cost;
    }
    return total;
}

enum evs_kind evs_supertype(const struct evs_expr *const *exprs, uint32_t count)
{
    enum evs_kind best = EVS_KIND_COUNT;
    int best_cost = -1;
    bool all_null = true, is_tried[EVS_KIND_COUNT] = {false};
    for (uint32_t i = 0; i < count; i++) {
        const enum evs_kind kind = exprs[i]->type->kind;
        if (kind == EVS_NULL_KIND) {
            continue;
        }
        all_null = false;
        if (is_tried[kind]) {
            continue;
        }
        is_tried[kind] = true;
        const int cost = total_cost(exprs, count, kind);
        if (cost >= 0 && (best_cost < 0 || cost < best_cost)) {
            best = kind;
            best_cost = cost;
        }
    }
    return all_null ? EVS_NULL_KIND : best;
}

/* --- casts -------------------------------------------------------------------------------------------------------- */

static const struct evs_expr *null_of(struct evs_arena *arena, const struct evs_type *type, struct evs_place place)
{
    return evs_expr_constant_of(arena, type, (struct evs_value){.kind = type->kind, .is_null = true}, place);
}

static struct evs_expr *make_cast(struct evs_arena *arena, const struct evs_expr *expr,
                                  const struct evs_overload *overload, const struct evs_type *type, bool safe,
                                  struct evs_place place)
{
    struct evs_expr *cast = evs_expr_new(arena, EVS_EXPR_CAST, type->kind, place);
    cast->type = type;
    evs_expr_set_arguments(arena, cast, &expr, 1);
    cast->overload = overload;
    cast->safe = safe;
    cast->nullable = expr->nullable || (safe && (overload->flags & EVS_CALL_FALLIBLE));
    return cast;
}

/* What to write instead, where there is something. */
static const char *cast_advice(enum evs_kind from, enum evs_kind to)
{
    if (from == EVS_ARRAY && to == EVS_STRING) {
        return "; array_to_string(…) joins its elements, to_json_string(…) gives it as JSON";
    }
    if (evs_kind_is_nested(from)) {
        return "; to_json_string(…) gives the text of an array or a struct";
    }
    if (from == EVS_STRING && to == EVS_JSON) {
        return "; parse_json(…) reads JSON from a string";
    }
    if (from == EVS_JSON) {
        return "; use json_value(…) for text, or int64(…), float64(…), bool(…), string(…)";
    }
    if (to == EVS_JSON) {
        return "; to_json_string(…) gives the text of a JSON value";
    }
    if (from == EVS_INT64 && to == EVS_TIMESTAMP) {
        return "; use timestamp_seconds(…), timestamp_millis(…) or timestamp_micros(…)";
    }
    if (from == EVS_TIMESTAMP && (to == EVS_INT64 || to == EVS_FLOAT64)) {
        return "; use unix_seconds(…), unix_millis(…) or unix_micros(…)";
    }
    return "";
}

/* cast(1.5 as float64) is a float64 for good, and not a literal that bends: a coalesce of one argument, which
 * folding takes away. */
static const struct evs_expr *no_literal(struct evs_arena *arena, const struct evs_expr *expr, struct evs_place place)
{
    struct evs_expr *same = evs_expr_new(arena, EVS_EXPR_COALESCE, expr->type->kind, place);
    evs_expr_set_arguments(arena, same, &expr, 1);
    same->nullable = expr->nullable;
    same->text = evs_arena_printf(arena, "cast(%s as %s)", expr->text, evs_kind_name(expr->type->kind));
    return same;
}

/* NULL has any type, and so has error('…'), which gives no value. */
static const struct evs_expr *untyped_as(struct evs_arena *arena, const struct evs_expr *expr,
                                         const struct evs_type *type, struct evs_place place)
{
    if (expr->kind != EVS_EXPR_CALL) {
        return null_of(arena, type, place);
    }
    struct evs_expr *typed = EVS_ARENA_NEW(arena, struct evs_expr);
    *typed = *expr;
    typed->type = type;
    return typed;
}

evs_status evs_expr_cast(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type, bool safe,
                         struct evs_place place, const struct evs_expr **result, struct evs_error *error)
{
    const enum evs_kind from = expr->type->kind, to = type->kind;
    EVS_ASSERT(to != EVS_NULL_KIND);
    if (evs_kind_is_nested(to) && (from == to || from == EVS_NULL_KIND)) {
        return evs_cast_nested(arena, expr, type, safe, place, result, error);
    }
    if (from == to) {
        *result = is_literal(expr) ? no_literal(arena, expr, place) : expr;
        return EVS_OK;
    }
    if (from == EVS_NULL_KIND) {
        *result = untyped_as(arena, expr, type, place);
        return EVS_OK;
    }
    const struct evs_overload *overload = evs_cast_overload(from, to);
    if (overload == NULL || (overload->flags & EVS_CALL_INTERNAL)) {
        return evs_fail(error, EVS_E_PIPELINE, "%s cannot be cast to %s%s", evs_type_name_in(arena, expr->type),
                        evs_type_name_in(arena, type), cast_advice(from, to));
    }
    struct evs_expr *cast = make_cast(arena, expr, overload, type, safe, place);
    cast->text = evs_expr_text_of(arena, cast);
    *result = cast;
    return EVS_OK;
}

/* The decimal digits of the literal count, not the nearest binary fraction. */
static bool float64_to_numeric(double value, evs_numeric *numeric)
{
    char text[EVS_FORMAT_MAX];
    return evs_parse_numeric((struct evs_slice){text, evs_format_float64(text, value)}, numeric);
}

static evs_status coerce_literal(struct evs_arena *arena, const struct evs_expr *expr, enum evs_kind to,
                                 const struct evs_expr **result, struct evs_error *error)
{
    struct evs_value value = {.kind = to};
    if (expr->value.is_null) {
        *result = null_of(arena, evs_type_of(to), expr->place);
        return EVS_OK;
    }
    bool ok;
    if (expr->type->kind == EVS_FLOAT64 && to == EVS_NUMERIC) {
        ok = float64_to_numeric(expr->value.float64, &value.numeric);
    } else {
        const struct evs_overload *overload = evs_cast_overload(expr->type->kind, to);
        EVS_ASSERT(overload != NULL);
        struct evs_expr_failure failure;
        struct evs_expr *cast = make_cast(arena, expr, overload, evs_type_of(to), false, expr->place);
        cast->text = expr->text;
        ok = evs_expr_evaluate(arena, cast, &value, &failure);
    }
    if (!ok) {
        const char *form = to == EVS_TIMESTAMP ? ", as in '2026-01-05T10:00:00Z'"
                           : to == EVS_DATE    ? ", as in '2026-01-05'"
                                               : "";
        return evs_fail(error, EVS_E_PIPELINE, "%s cannot be read as a %s%s", expr->text, evs_kind_name(to), form);
    }
    *result = evs_expr_constant(arena, value, expr->place);
    return EVS_OK;
}

/* [1, 2] becomes [1.0, 2.0]: the same call, of other arguments. */
static evs_status coerce_made(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type,
                              const struct evs_expr **result, struct evs_error *error)
{
    struct evs_expr *copy = EVS_ARENA_NEW(arena, struct evs_expr);
    *copy = *expr;
    copy->type = type;
    copy->arguments = EVS_ARENA_ARRAY(arena, const struct evs_expr *, expr->argument_count + 1);
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        const struct evs_type *to = type->kind == EVS_ARRAY ? type->element : type->fields[i].type;
        if (evs_expr_is_null(expr->arguments[i])) {
            copy->arguments[i] = null_of(arena, to, expr->place);
            continue;
        }
        const evs_status status = evs_expr_coerce(arena, expr->arguments[i], to, &copy->arguments[i], error);
        if (status != EVS_OK) {
            return status;
        }
    }
    *result = copy;
    return EVS_OK;
}

static evs_status coerce_nested(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type,
                                const struct evs_expr **result, struct evs_error *error)
{
    if (evs_type_equal(expr->type, type)) {
        *result = expr;
    } else if (evs_expr_is_null(expr)) {
        *result = null_of(arena, type, expr->place);
    } else if (expr->kind == EVS_EXPR_CALL && !evs_type_equal_unnamed(expr->type, type)) {
        return coerce_made(arena, expr, type, result, error);
    } else { /* other names of fields: the bytes stay */
        struct evs_expr *cast = make_cast(arena, expr, &evs_retype_overload, type, false, expr->place);
        cast->text = expr->text;
        *result = cast;
    }
    return EVS_OK;
}

evs_status evs_expr_coerce(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type,
                           const struct evs_expr **result, struct evs_error *error)
{
    const enum evs_kind from = expr->type->kind, to = type->kind;
    if (from == to && !evs_kind_is_nested(to)) {
        *result = expr;
        return EVS_OK;
    }
    if (from == EVS_NULL_KIND) {
        *result = untyped_as(arena, expr, type, expr->place);
        return EVS_OK;
    }
    if (evs_coercion_cost_type(expr, type) < 0) {
        const bool castable = evs_kind_is_nested(to) ? from == to : evs_cast_overload(from, to) != NULL;
        return evs_fail(error, EVS_E_PIPELINE, "`%s` is %s where %s is needed%s", expr->text,
                        evs_type_name_in(arena, expr->type), evs_type_name_in(arena, type),
                        castable ? "; a cast would convert it" : "");
    }
    if (evs_kind_is_nested(to)) {
        return coerce_nested(arena, expr, type, result, error);
    }
    if (is_literal(expr)) {
        return coerce_literal(arena, expr, to, result, error);
    }
    const struct evs_overload *overload = evs_cast_overload(from, to);
    EVS_ASSERT(overload != NULL);
    struct evs_expr *cast = make_cast(arena, expr, overload, type, false, expr->place);
    cast->text = expr->text; /* what the user has not written is not shown */
    *result = cast;
    return EVS_OK;
}
