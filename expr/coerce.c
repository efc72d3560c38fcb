/* Coercion, supertypes and casts, as GoogleSQL has them.
 *
 *   every expression:  int64 → numeric → float64,  date → datetime
 *   a literal, too:    string → timestamp, date, datetime, time (and json, which is ours);  float64 → numeric
 *   NULL:              to everything
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
    bool all_null = true;
    for (uint32_t i = 0; i < count; i++) {
        const enum evs_kind kind = exprs[i]->type->kind;
        if (kind == EVS_NULL_KIND) {
            continue;
        }
        all_null = false;
        const int cost = total_cost(exprs, count, kind);
        if (cost >= 0 && (best_cost < 0 || cost < best_cost)) {
            best = kind;
            best_cost = cost;
        }
    }
    return all_null ? EVS_NULL_KIND : best;
}

/* --- casts -------------------------------------------------------------------------------------------------------- */

static const struct evs_expr *null_of(struct evs_arena *arena, enum evs_kind kind, struct evs_place place)
{
    return evs_expr_constant(arena, (struct evs_value){.kind = kind, .is_null = true}, place);
}

static struct evs_expr *make_cast(struct evs_arena *arena, const struct evs_expr *expr,
                                  const struct evs_overload *overload, const struct evs_type *type, bool safe,
                                  struct evs_place place)
{
    struct evs_expr *cast = evs_expr_new(arena, EVS_EXPR_CAST, type->kind, place);
    evs_expr_set_arguments(arena, cast, &expr, 1);
    cast->overload = overload;
    cast->safe = safe;
    cast->nullable = expr->nullable || (safe && (overload->flags & EVS_CALL_FALLIBLE));
    return cast;
}

/* What to write instead, where there is something. */
static const char *cast_advice(enum evs_kind from, enum evs_kind to)
{
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

evs_status evs_expr_cast(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type, bool safe,
                         struct evs_place place, const struct evs_expr **result, struct evs_error *error)
{
    const enum evs_kind from = expr->type->kind, to = type->kind;
    EVS_ASSERT(to != EVS_NULL_KIND);
    if (to == EVS_ARRAY || to == EVS_STRUCT || from == EVS_ARRAY || from == EVS_STRUCT) {
        return evs_fail(error, EVS_E_PIPELINE, "casts of arrays and structs are not supported yet");
    }
    if (from == to) {
        *result = is_literal(expr) ? no_literal(arena, expr, place) : expr;
        return EVS_OK;
    }
    if (from == EVS_NULL_KIND) {
        *result = null_of(arena, to, place);
        return EVS_OK;
    }
    const struct evs_overload *overload = evs_cast_overload(from, to);
    if (overload == NULL || (overload->flags & EVS_CALL_INTERNAL)) {
        return evs_fail(error, EVS_E_PIPELINE, "%s cannot be cast to %s%s", evs_kind_name(from), evs_kind_name(to),
                        cast_advice(from, to));
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
        *result = null_of(arena, to, expr->place);
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

evs_status evs_expr_coerce(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type,
                           const struct evs_expr **result, struct evs_error *error)
{
    const enum evs_kind from = expr->type->kind, to = type->kind;
    if (from == to) {
        *result = expr;
        return EVS_OK;
    }
    if (from == EVS_NULL_KIND) {
        *result = null_of(arena, to, expr->place);
        return EVS_OK;
    }
    if (evs_coercion_cost(expr, to) < 0) {
        return evs_fail(error, EVS_E_PIPELINE, "`%s` is %s where %s is needed%s", expr->text, evs_kind_name(from),
                        evs_kind_name(to), evs_cast_overload(from, to) ? "; a cast would convert it" : "");
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
