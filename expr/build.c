/* Building typed trees: columns, constants, the kinds that are no calls, and the canonical text of everything.
 *
 * The canonical text is what messages show and what identity is made of: lower case, one space round operators,
 * parentheses round every operand that is itself an operator. A literal that was coerced shows the value that it
 * became; an implicit coercion shows nothing. */
#include <ctype.h>

#include "internal.h"

/* --- values as text ----------------------------------------------------------------------------------------------- */

static void put_quoted(struct evs_buffer *out, const char *prefix, struct evs_slice text, bool is_bytes)
{
    evs_buffer_puts(out, prefix);
    evs_buffer_put(out, "'", 1);
    for (size_t i = 0; i < text.count; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (c == '\'' || c == '\\') {
            evs_buffer_printf(out, "\\%c", c);
        } else if (c == '\n') {
            evs_buffer_puts(out, "\\n");
        } else if (c < 0x20 || c == 0x7f || (is_bytes && c >= 0x80)) {
            evs_buffer_printf(out, "\\x%02x", c);
        } else {
            evs_buffer_put(out, text.data + i, 1);
        }
    }
    evs_buffer_put(out, "'", 1);
}

static void put_float64(struct evs_buffer *out, double value)
{
    char digits[EVS_FORMAT_MAX + 1];
    const uint32_t count = evs_format_float64(digits, value);
    digits[count] = '\0';
    if (value != value || value - value != 0) {
        evs_buffer_printf(out, "cast('%s' as float64)", digits);
    } else {
        evs_buffer_put(out, digits, count);
        if (strpbrk(digits, ".eE") == NULL) {
            evs_buffer_puts(out, ".0");
        }
    }
}

/* As short as the interval allows: `interval 5 minute`, else every field. */
static void put_interval(struct evs_buffer *out, struct evs_interval i)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"day", INT64_C(86400000000)}, {"hour", INT64_C(3600000000)}, {"minute", 60000000},
                 {"second", 1000000},           {"millisecond", 1000},         {"microsecond", 1}};
    if (i.us == 0 && i.days == 0 && i.months != 0) {
        const bool years = i.months % 12 == 0;
        evs_buffer_printf(out, "interval %d %s", years ? i.months / 12 : i.months, years ? "year" : "month");
    } else if (i.us == 0 && i.months == 0) {
        evs_buffer_printf(out, "interval %d day", i.days);
    } else if (i.months == 0 && i.days == 0) {
        uint32_t unit = 1;
        while (i.us % units[unit].us != 0) {
            unit++;
        }
        evs_buffer_printf(out, "interval %lld %s", (long long)(i.us / units[unit].us), units[unit].name);
    } else {
        evs_buffer_printf(out, "interval '%d %d %lld' month to microsecond", i.months, i.days, (long long)i.us);
    }
}

static void put_value(struct evs_buffer *out, const struct evs_value *value);

/* [1, 2] or struct(1, 'a'): names of fields are in the type alone. */
static void put_nested(struct evs_buffer *out, const struct evs_value *value)
{
    const struct evs_nested nested = evs_nested_open(&value->str);
    evs_buffer_puts(out, nested.form == EVS_ARRAY ? "[" : "struct(");
    for (uint32_t i = 0; i < nested.count; i++) {
        const struct evs_value element = evs_nested_at(&nested, i);
        evs_buffer_puts(out, i > 0 ? ", " : "");
        if (element.is_null) {
            evs_buffer_puts(out, "null");
        } else {
            put_value(out, &element);
        }
    }
    evs_buffer_puts(out, nested.form == EVS_ARRAY ? "]" : ")");
}

static void put_value(struct evs_buffer *out, const struct evs_value *value)
{
    char text[EVS_FORMAT_MAX];
    switch (value->kind) {
    case EVS_BOOL:
        evs_buffer_puts(out, value->boolean ? "true" : "false");
        break;
    case EVS_FLOAT64:
        put_float64(out, value->float64);
        break;
    case EVS_NUMERIC:
        put_quoted(out, "numeric ", (struct evs_slice){text, evs_format_numeric(text, value->numeric)}, false);
        break;
    case EVS_STRING:
        put_quoted(out, "", evs_str_slice(&value->str), false);
        break;
    case EVS_BYTES:
        put_quoted(out, "b", evs_str_slice(&value->str), true);
        break;
    case EVS_JSON:
        put_quoted(out, "json ", evs_str_slice(&value->str), false);
        break;
    case EVS_TIMESTAMP:
        put_quoted(out, "timestamp ", (struct evs_slice){text, evs_format_timestamp(text, value->int64)}, false);
        break;
    case EVS_DATE:
        put_quoted(out, "date ", (struct evs_slice){text, evs_format_date(text, value->int64)}, false);
        break;
    case EVS_INTERVAL:
        put_interval(out, value->interval);
        break;
    case EVS_ARRAY:
    case EVS_STRUCT:
        put_nested(out, value);
        break;
    default: /* int64, datetime, time */
        evs_buffer_put(out, text, evs_format_int64(text, value->int64));
        break;
    }
}

char *evs_value_text(struct evs_arena *arena, const struct evs_value *value)
{
    struct evs_buffer out = {0};
    if (value->is_null) {
        evs_buffer_puts(&out, "null");
    } else {
        put_value(&out, value);
    }
    char *text = evs_arena_strndup(arena, out.data, out.count);
    evs_buffer_fini(&out);
    return text;
}

/* --- canonical text ----------------------------------------------------------------------------------------------- */

static bool is_infix_name(const char *name)
{
    return !isalpha((unsigned char)name[0]) || strcmp(name, "like") == 0 || strncmp(name, "is ", 3) == 0 ||
           strcmp(name, "in unnest") == 0;
}

/* Whether its text needs parentheses inside of another operator's. */
static bool is_infix(const struct evs_expr *expr)
{
    switch (expr->kind) {
    case EVS_EXPR_CALL:
        return is_infix_name(expr->overload->name) || expr->overload == &evs_between_overload;
    case EVS_EXPR_AND:
    case EVS_EXPR_OR:
    case EVS_EXPR_NOT:
    case EVS_EXPR_IS_NULL:
    case EVS_EXPR_IS_TRUE:
    case EVS_EXPR_IS_FALSE:
    case EVS_EXPR_IN:
        return true;
    default:
        return false;
    }
}

static void put_operand(struct evs_buffer *out, const struct evs_expr *expr)
{
    evs_buffer_printf(out, is_infix(expr) ? "(%s)" : "%s", expr->text);
}

static void put_list(struct evs_buffer *out, const struct evs_expr *const *arguments, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_printf(out, "%s%s", i > 0 ? ", " : "", arguments[i]->text);
    }
}

/* `day` and not `'day'`, as it was written. */
static struct evs_slice part_of(const struct evs_expr *expr)
{
    return evs_str_slice(&expr->value.str);
}

static void put_call(struct evs_buffer *out, const struct evs_expr *expr)
{
    const struct evs_overload *overload = expr->overload;
    const struct evs_expr *const *arguments = expr->arguments;
    if (overload == &evs_between_overload) {
        put_operand(out, arguments[0]);
        evs_buffer_puts(out, " between ");
        put_operand(out, arguments[1]);
        evs_buffer_puts(out, " and ");
        put_operand(out, arguments[2]);
    } else if (is_infix_name(overload->name) && expr->argument_count == 2) {
        put_operand(out, arguments[0]);
        evs_buffer_printf(out, " %s ", overload->name);
        put_operand(out, arguments[1]);
    } else if (overload == &evs_array_overload) {
        evs_buffer_puts(out, "[");
        put_list(out, arguments, expr->argument_count);
        evs_buffer_puts(out, "]");
    } else if (expr->argument_count == 2 && strchr(overload->name, '[') != NULL) { /* array[offset] */
        const char *how = strchr(overload->name, '[') + 1;
        put_operand(out, arguments[0]);
        evs_buffer_printf(out, "[%.*s(%s)]", (int)strlen(how) - 1, how, arguments[1]->text);
    } else if (is_infix_name(overload->name)) {
        evs_buffer_puts(out, overload->name);
        put_operand(out, arguments[0]);
    } else if (strcmp(overload->name, "extract") == 0) {
        bool has_zone = expr->argument_count > 2;
        evs_buffer_printf(out, "extract(%.*s from %s%s%s)", (int)part_of(arguments[0]).count,
                          part_of(arguments[0]).data, arguments[1]->text, has_zone ? " at time zone " : "",
                          has_zone ? arguments[2]->text : "");
    } else {
        evs_buffer_printf(out, "%s%s(", expr->safe ? "safe." : "", overload->name);
        for (uint32_t i = 0; i < expr->argument_count; i++) {
            const bool part = i < EVS_OVERLOAD_ARGUMENTS && overload->arguments[i] == EVS_ARG_PART;
            const struct evs_slice text = part ? part_of(arguments[i]) : evs_slice_of(arguments[i]->text);
            evs_buffer_printf(out, "%s%.*s", i > 0 ? ", " : "", (int)text.count, text.data);
        }
        evs_buffer_puts(out, ")");
    }
}

static void put_case(struct evs_buffer *out, const struct evs_expr *expr)
{
    evs_buffer_puts(out, "case");
    for (uint32_t i = 0; i + 1 < expr->argument_count; i += 2) {
        evs_buffer_printf(out, " when %s then %s", expr->arguments[i]->text, expr->arguments[i + 1]->text);
    }
    evs_buffer_printf(out, " else %s end", expr->arguments[expr->argument_count - 1]->text);
}

static void put_joined(struct evs_buffer *out, const struct evs_expr *expr, const char *between)
{
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        evs_buffer_puts(out, i > 0 ? between : "");
        put_operand(out, expr->arguments[i]);
    }
}

static void put_expr(struct evs_buffer *out, const struct evs_expr *expr)
{
    switch (expr->kind) {
    case EVS_EXPR_COLUMN:
    case EVS_EXPR_CONSTANT:
        EVS_ASSERT(expr->text != NULL); /* set by whoever made it */
        evs_buffer_puts(out, expr->text);
        break;
    case EVS_EXPR_EVENT_TIME:
        evs_buffer_puts(out, "current_timestamp()");
        break;
    case EVS_EXPR_CALL:
        put_call(out, expr);
        break;
    case EVS_EXPR_CAST:
        evs_buffer_printf(out, "%s(%s as ", expr->safe ? "safe_cast" : "cast", expr->arguments[0]->text);
        evs_type_name(expr->type, out);
        evs_buffer_puts(out, ")");
        break;
    case EVS_EXPR_AND:
    case EVS_EXPR_OR:
        put_joined(out, expr, expr->kind == EVS_EXPR_AND ? " and " : " or ");
        break;
    case EVS_EXPR_NOT:
        evs_buffer_puts(out, "not ");
        put_operand(out, expr->arguments[0]);
        break;
    case EVS_EXPR_IS_NULL:
    case EVS_EXPR_IS_TRUE:
    case EVS_EXPR_IS_FALSE:
        put_operand(out, expr->arguments[0]);
        evs_buffer_puts(out, expr->kind == EVS_EXPR_IS_NULL   ? " is null"
                             : expr->kind == EVS_EXPR_IS_TRUE ? " is true"
                                                              : " is false");
        break;
    case EVS_EXPR_CASE:
        put_case(out, expr);
        break;
    case EVS_EXPR_COALESCE:
        evs_buffer_puts(out, "coalesce(");
        put_list(out, expr->arguments, expr->argument_count);
        evs_buffer_puts(out, ")");
        break;
    case EVS_EXPR_IN:
        put_operand(out, expr->arguments[0]);
        evs_buffer_puts(out, " in (");
        put_list(out, expr->arguments + 1, expr->argument_count - 1);
        evs_buffer_puts(out, ")");
        break;
    }
}

const char *evs_expr_text_of(struct evs_arena *arena, const struct evs_expr *expr)
{
    struct evs_buffer out = {0};
    put_expr(&out, expr);
    char *text = evs_arena_strndup(arena, out.data, out.count);
    evs_buffer_fini(&out);
    return text;
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

struct evs_expr *evs_expr_new(struct evs_arena *arena, enum evs_expr_kind kind, enum evs_kind type,
                              struct evs_place place)
{
    struct evs_expr *expr = EVS_ARENA_NEW(arena, struct evs_expr);
    expr->kind = kind;
    expr->type = evs_kind_is_nested(type) ? NULL : evs_type_of(type); /* the caller knows which array or struct */
    expr->place = place;
    return expr;
}

void evs_expr_set_arguments(struct evs_arena *arena, struct evs_expr *expr, const struct evs_expr **arguments,
                            uint32_t count)
{
    expr->arguments = EVS_ARENA_ARRAY(arena, const struct evs_expr *, count + 1);
    if (count > 0) {
        memcpy(expr->arguments, arguments, sizeof *arguments * count);
    }
    expr->argument_count = count;
}

const struct evs_expr *evs_expr_column(struct evs_arena *arena, uint32_t column, const struct evs_field *field,
                                       struct evs_place place)
{
    struct evs_expr *expr = evs_expr_new(arena, EVS_EXPR_COLUMN, field->type->kind, place);
    expr->type = field->type;
    expr->nullable = field->nullable;
    expr->column = column;
    expr->text = evs_arena_strndup(arena, field->name, strlen(field->name));
    return expr;
}

const struct evs_expr *evs_expr_constant(struct evs_arena *arena, struct evs_value value, struct evs_place place)
{
    return evs_expr_constant_of(arena, evs_type_of(value.kind), value, place);
}

const struct evs_expr *evs_expr_constant_of(struct evs_arena *arena, const struct evs_type *type,
                                            struct evs_value value, struct evs_place place)
{
    EVS_ASSERT(type->kind == value.kind);
    struct evs_expr *expr = evs_expr_new(arena, EVS_EXPR_CONSTANT, value.kind, place);
    expr->type = type;
    if (!value.is_null && evs_kind_is_var(value.kind) && value.str.count > EVS_STR_INLINE_MAX) {
        value.str = evs_str_make(evs_arena_copy(arena, value.str.pointer, value.str.count), value.str.count);
    }
    expr->value = value;
    expr->nullable = value.is_null;
    expr->text = evs_value_text(arena, &value);
    return expr;
}

bool evs_expr_is_null(const struct evs_expr *expr)
{
    return expr->kind == EVS_EXPR_CONSTANT && expr->value.is_null;
}

const struct evs_expr *evs_expr_typed_call(struct evs_arena *arena, const struct evs_overload *overload, bool safe,
                                           const struct evs_expr **arguments, uint32_t count, struct evs_place place)
{
    struct evs_expr *expr = evs_expr_new(arena, EVS_EXPR_CALL, evs_code_kind(overload->result), place);
    if (overload->result >= EVS_ARG_ARRAY_FIRST) {
        expr->type = evs_type_array_of((enum evs_kind)(overload->result - EVS_ARG_ARRAY_FIRST));
    }
    evs_expr_set_arguments(arena, expr, arguments, count);
    expr->overload = overload;
    expr->safe = safe;
    expr->nullable = (overload->flags & EVS_CALL_NULLABLE) || (safe && (overload->flags & EVS_CALL_FALLIBLE));
    for (uint32_t i = 0; i < count && !(overload->flags & EVS_CALL_SEES_NULL); i++) {
        expr->nullable = expr->nullable || arguments[i]->nullable;
    }
    expr->text = evs_expr_text_of(arena, expr);
    return expr;
}

/* --- the kinds that are no calls ---------------------------------------------------------------------------------- */

static bool any_nullable(const struct evs_expr *const *arguments, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (arguments[i]->nullable) {
            return true;
        }
    }
    return false;
}

static const char *special_name(enum evs_expr_kind kind)
{
    switch (kind) {
    case EVS_EXPR_AND:
        return "and";
    case EVS_EXPR_OR:
        return "or";
    case EVS_EXPR_NOT:
        return "not";
    case EVS_EXPR_IS_TRUE:
        return "is true";
    case EVS_EXPR_IS_FALSE:
        return "is false";
    case EVS_EXPR_CASE:
        return "case";
    case EVS_EXPR_COALESCE:
        return "coalesce";
    default:
        return "in";
    }
}

/* Coerces every `step`-th argument from `first` to one kind. */
static evs_status coerce_some(struct evs_arena *arena, const struct evs_expr **arguments, uint32_t first, uint32_t step,
                              uint32_t count, enum evs_kind kind, struct evs_error *error)
{
    for (uint32_t i = first; i < count; i += step) {
        const evs_status status = evs_expr_coerce(arena, arguments[i], evs_type_of(kind), &arguments[i], error);
        if (status != EVS_OK) {
            return status;
        }
    }
    return EVS_OK;
}

static evs_status want_bools(struct evs_arena *arena, enum evs_expr_kind kind, const struct evs_expr **arguments,
                             uint32_t count, struct evs_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        const enum evs_kind got = arguments[i]->type->kind;
        if (got != EVS_BOOL && got != EVS_NULL_KIND) {
            return evs_fail(error, EVS_E_PIPELINE, "`%s` needs bool, and `%s` is %s", special_name(kind),
                            arguments[i]->text, evs_kind_name(got));
        }
    }
    return coerce_some(arena, arguments, 0, 1, count, EVS_BOOL, error);
}

static evs_status no_common_type(const struct evs_expr *const *exprs, uint32_t count, const char *what,
                                 struct evs_error *error)
{
    for (uint32_t i = 1; i < count; i++) {
        if (evs_common_type((const struct evs_expr *const[]){exprs[0], exprs[i]}, 2) == NULL) {
            struct evs_arena names = {0};
            const evs_status status = evs_fail(
                error, EVS_E_PIPELINE, "%s need one type: `%s` is %s and `%s` is %s; a cast of one of them would help",
                what, exprs[0]->text, evs_type_name_in(&names, exprs[0]->type), exprs[i]->text,
                evs_type_name_in(&names, exprs[i]->type));
            evs_arena_fini(&names);
            return status;
        }
    }
    return evs_fail(error, EVS_E_PIPELINE, "%s have no common type; a cast would help", what);
}

/* A kind for all arguments from `first` on (every `step`-th), which are coerced to it. */
static evs_status unify(struct evs_arena *arena, const struct evs_expr **arguments, const uint32_t *positions,
                        uint32_t count, const char *what, const struct evs_type **type, struct evs_error *error)
{
    const struct evs_expr **chosen = EVS_ARENA_ARRAY(arena, const struct evs_expr *, count);
    for (uint32_t i = 0; i < count; i++) {
        chosen[i] = arguments[positions[i]];
    }
    *type = evs_common_type(chosen, count);
    if (*type == NULL) {
        return no_common_type(chosen, count, what, error);
    }
    for (uint32_t i = 0; i < count; i++) {
        const evs_status status = evs_expr_coerce(arena, chosen[i], *type, &arguments[positions[i]], error);
        if (status != EVS_OK) {
            return status;
        }
    }
    return EVS_OK;
}

static evs_status build_case(struct evs_arena *arena, const struct evs_expr **arguments, uint32_t count,
                             const struct evs_type **type, struct evs_error *error)
{
    EVS_ASSERT(count % 2 == 1 && count >= 3);
    uint32_t *results = EVS_ARENA_ARRAY(arena, uint32_t, count);
    uint32_t result_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i % 2 == 1 || i == count - 1) {
            results[result_count++] = i;
        } else {
            const evs_status status = want_bools(arena, EVS_EXPR_CASE, &arguments[i], 1, error);
            if (status != EVS_OK) {
                return status;
            }
        }
    }
    return unify(arena, arguments, results, result_count, "the results of case", type, error);
}

static evs_status unify_all(struct evs_arena *arena, const struct evs_expr **arguments, uint32_t count,
                            const char *what, const struct evs_type **type, struct evs_error *error)
{
    uint32_t *positions = EVS_ARENA_ARRAY(arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        positions[i] = i;
    }
    return unify(arena, arguments, positions, count, what, type, error);
}

static evs_status check_special(struct evs_arena *arena, struct evs_expr *expr, const struct evs_type **type,
                                struct evs_error *error)
{
    const struct evs_expr **arguments = expr->arguments;
    const uint32_t count = expr->argument_count;
    *type = evs_type_of(EVS_BOOL);
    switch (expr->kind) {
    case EVS_EXPR_AND:
    case EVS_EXPR_OR:
    case EVS_EXPR_NOT:
        expr->nullable = any_nullable(arguments, count);
        return want_bools(arena, expr->kind, arguments, count, error);
    case EVS_EXPR_IS_TRUE:
    case EVS_EXPR_IS_FALSE:
        return want_bools(arena, expr->kind, arguments, count, error);
    case EVS_EXPR_IS_NULL:
        return EVS_OK;
    case EVS_EXPR_CASE:
        for (uint32_t i = 0; i < count; i++) {
            expr->nullable = expr->nullable || ((i % 2 == 1 || i == count - 1) && arguments[i]->nullable);
        }
        return build_case(arena, arguments, count, type, error);
    case EVS_EXPR_COALESCE:
        expr->nullable = true;
        for (uint32_t i = 0; i < count; i++) {
            expr->nullable = expr->nullable && arguments[i]->nullable;
        }
        return unify_all(arena, arguments, count, "the arguments of coalesce", type, error);
    case EVS_EXPR_IN: {
        expr->nullable = any_nullable(arguments, count);
        const struct evs_type *side;
        const evs_status status = unify_all(arena, arguments, count, "the sides of `in`", &side, error);
        if (status == EVS_OK && !evs_type_has_equality(side)) {
            return side->kind != EVS_JSON
                       ? evs_no_equality(arguments[0], error)
                       : evs_fail(error, EVS_E_PIPELINE,
                                  "json values cannot be compared; take a value out of `%s` first, as with string(…)",
                                  arguments[0]->text);
        }
        return status;
    }
    default:
        EVS_ASSERT(!"a kind that evs_expr_special does not build");
        return EVS_E_INTERNAL;
    }
}

evs_status evs_expr_special(struct evs_arena *arena, enum evs_expr_kind kind, const struct evs_expr **arguments,
                            uint32_t argument_count, struct evs_place place, const struct evs_expr **result,
                            struct evs_error *error)
{
    EVS_ASSERT(argument_count >= 1);
    struct evs_expr *expr = evs_expr_new(arena, kind, EVS_BOOL, place);
    evs_expr_set_arguments(arena, expr, arguments, argument_count);
    const struct evs_type *type;
    const evs_status status = check_special(arena, expr, &type, error);
    if (status != EVS_OK) {
        return status;
    }
    expr->type = type;
    expr->text = evs_expr_text_of(arena, expr);
    *result = expr;
    return EVS_OK;
}
