/* Literals, intervals and constants: what has a value before any row is seen. */
#include "bind.h"

#include <string.h>

#define DAY_US INT64_C(86400000000)

struct evs_value evs_bind_own(struct evs_binder *binder, struct evs_value value)
{
    if (!value.is_null && evs_kind_is_var(value.kind)) {
        struct evs_slice text = evs_str_slice(&value.str);
        char *copy = evs_arena_strndup(binder->arena, text.data, text.count);
        value.str = evs_str_make(copy, (uint32_t)text.count);
    }
    return value;
}

static const struct evs_expr *constant(struct evs_binder *binder, struct evs_value value, struct evs_place place)
{
    return evs_expr_constant(binder->arena, evs_bind_own(binder, value), evs_bind_place(binder, place));
}

bool evs_bind_cast_text(struct evs_binder *binder, struct evs_slice text, enum evs_kind kind, struct evs_place place,
                        struct evs_value *value, struct evs_error *error)
{
    struct evs_value string = {.kind = EVS_STRING, .str = evs_str_make(text.data, (uint32_t)text.count)};
    const struct evs_expr *expr = constant(binder, string, place);
    if (kind == EVS_STRING) {
        *value = expr->value;
        return true;
    }
    if (kind == EVS_INTERVAL) { /* '5 minute', as options take it */
        *value = (struct evs_value){.kind = EVS_INTERVAL};
        if (!evs_parse_duration(text, &value->interval.us)) {
            evs_fail(error, EVS_E_PIPELINE, "An interval is given as a number and a unit, such as 5 minute.");
            return false;
        }
        return true;
    }
    const char *function =
        kind == EVS_JSON ? "parse_json" : NULL; /* a cast to json does not exist: the text is parsed */
    evs_status status;
    if (function != NULL) {
        status = evs_expr_call(binder->arena, evs_slice_of(function), false, &expr, 1, expr->place, &expr, error);
    } else {
        status = evs_expr_cast(binder->arena, expr, evs_type_of(kind), false, expr->place, &expr, error);
    }
    if (status != EVS_OK || evs_expr_fold(binder->arena, expr, value, error) != EVS_OK) {
        return false;
    }
    *value = evs_bind_own(binder, *value);
    return true;
}

/* An array as JSON, '[1, 2]': its elements are texts that are cast. */
static evs_status read_array(struct evs_binder *binder, const struct evs_expr *text, const struct evs_type *type,
                             const struct evs_expr **result, struct evs_error *error)
{
    evs_status status =
        evs_expr_call(binder->arena, EVS_SLICE("json_value_array"), false, &text, 1, text->place, &text, error);
    return status != EVS_OK ? status : evs_expr_cast(binder->arena, text, type, false, text->place, result, error);
}

bool evs_bind_given(struct evs_binder *binder, struct evs_slice text, const struct evs_type *type,
                    struct evs_place place, struct evs_value *value, struct evs_error *error)
{
    if (!evs_kind_is_nested(type->kind)) {
        return evs_bind_cast_text(binder, text, type->kind, place, value, error);
    }
    if (type->kind == EVS_STRUCT || evs_kind_is_nested(type->element->kind)) {
        evs_fail(error, EVS_E_PIPELINE,
                 "A struct cannot be given as a text; give its fields as parameters of their own.");
        return false;
    }
    struct evs_value string = {.kind = EVS_STRING, .str = evs_str_make(text.data, (uint32_t)text.count)};
    const struct evs_expr *expr = constant(binder, string, place);
    if (read_array(binder, expr, type, &expr, error) != EVS_OK ||
        evs_expr_fold(binder->arena, expr, value, error) != EVS_OK) {
        return false;
    }
    *value = evs_bind_own(binder, *value);
    if (value->is_null) {
        evs_fail(error, EVS_E_PIPELINE, "An array is given as JSON, such as [1, 2].");
    }
    return !value->is_null;
}

static const struct evs_expr *bind_typed(struct evs_binder *binder, const struct evs_ast_expr *ast)
{
    struct evs_value value;
    struct evs_error error;
    struct evs_slice text = evs_str_slice(&ast->value.str);
    if (evs_bind_cast_text(binder, text, ast->value_kind, ast->place, &value, &error)) {
        return constant(binder, value, ast->place);
    }
    evs_report(binder, EVS_E0307, ast->place, "`%.*s` is no %s", (int)text.count, text.data,
               evs_kind_name(ast->value_kind));
    return NULL;
}

const struct evs_expr *evs_bind_literal(struct evs_binder *binder, const struct evs_ast_expr *ast)
{
    if (ast->kind == EVS_AST_TYPED_LITERAL) {
        return bind_typed(binder, ast);
    }
    EVS_ASSERT(ast->kind == EVS_AST_LITERAL);
    return constant(binder, ast->value, ast->place);
}

static bool fold(struct evs_binder *binder, const struct evs_expr *expr, struct evs_place place,
                 struct evs_value *value)
{
    struct evs_error error;
    if (evs_expr_fold(binder->arena, expr, value, &error) == EVS_OK) {
        *value = evs_bind_own(binder, *value);
        return true;
    }
    evs_report_error(binder, EVS_E0306, place, &error);
    return false;
}

/* --- intervals ------------------------------------------------------------------------------------------------------------ */

/* A count of parts as an interval; false when it does not fit. */
static bool interval_of(int64_t count, enum evs_ast_part part, struct evs_interval *interval)
{
    static const struct {
        int64_t months, days, us;
    } units[] = {
        [EVS_PART_MICROSECOND] = {0, 0, 1},   [EVS_PART_MILLISECOND] = {0, 0, 1000},
        [EVS_PART_SECOND] = {0, 0, 1000000},  [EVS_PART_MINUTE] = {0, 0, 60000000},
        [EVS_PART_HOUR] = {0, 0, 3600000000}, [EVS_PART_DAY] = {0, 1, 0},
        [EVS_PART_WEEK] = {0, 7, 0},          [EVS_PART_MONTH] = {1, 0, 0},
        [EVS_PART_QUARTER] = {3, 0, 0},       [EVS_PART_YEAR] = {12, 0, 0},
    };
    int64_t months, days;
    bool overflows = __builtin_mul_overflow(count, units[part].months, &months);
    overflows |= __builtin_mul_overflow(count, units[part].days, &days);
    overflows |= __builtin_mul_overflow(count, units[part].us, &interval->us);
    overflows |= months > INT32_MAX || months < INT32_MIN || days > INT32_MAX || days < INT32_MIN;
    interval->months = overflows ? 0 : (int32_t)months;
    interval->days = overflows ? 0 : (int32_t)days;
    return !overflows;
}

static const struct evs_expr *part_constant(struct evs_binder *binder, enum evs_ast_part part, struct evs_place place)
{
    const char *name = evs_ast_part_name(part);
    struct evs_value value = {.kind = EVS_STRING, .str = evs_str_make(name, (uint32_t)strlen(name))};
    return constant(binder, value, place);
}

/* A count that depends on the row, or a text: interval(n, 'minute'), interval('1-2', 'year', 'month'). */
static const struct evs_expr *computed_interval(struct evs_binder *binder, const struct evs_expr *amount,
                                                const struct evs_ast_expr *ast)
{
    const struct evs_expr *arguments[3] = {amount, part_constant(binder, ast->part, ast->place)}, *result = NULL;
    uint32_t count = 2;
    if (ast->part_to != EVS_PART_NONE) {
        arguments[count++] = part_constant(binder, ast->part_to, ast->place);
    }
    struct evs_error error;
    if (evs_expr_call(binder->arena, EVS_SLICE("interval"), false, arguments, count, evs_bind_place(binder, ast->place),
                      &result, &error) != EVS_OK) {
        evs_report_error(binder, EVS_E0313, ast->arguments[0]->place, &error);
        return NULL;
    }
    return result;
}

/* interval '1-2' year to month: a text that is no such interval is told at once where it is a constant. */
static const struct evs_expr *text_interval(struct evs_binder *binder, const struct evs_expr *text,
                                            const struct evs_ast_expr *ast)
{
    const struct evs_expr *result = computed_interval(binder, text, ast);
    struct evs_value value;
    struct evs_error error;
    if (result == NULL || !evs_expr_is_constant(result)) {
        return result;
    }
    if (evs_expr_fold(binder->arena, result, &value, &error) == EVS_OK) {
        return constant(binder, value, ast->place);
    }
    struct evs_diag *diag =
        evs_report(binder, EVS_E0307, ast->arguments[0]->place, "%s is no interval of %s%s%s", text->text,
                   evs_ast_part_name(ast->part), ast->part_to != EVS_PART_NONE ? " to " : "",
                   ast->part_to != EVS_PART_NONE ? evs_ast_part_name(ast->part_to) : "");
    evs_diag_hint(diag, "write interval 5 minute, interval '1-2' year to month or interval '3 4:30:00' day to second");
    return NULL;
}

const struct evs_expr *evs_bind_interval(struct evs_binder *binder, struct evs_context *context,
                                         const struct evs_ast_expr *ast)
{
    EVS_ASSERT(ast->kind == EVS_AST_INTERVAL && ast->argument_count == 1);
    EVS_ASSERT(ast->part != EVS_PART_NANOSECOND && ast->part <= EVS_PART_YEAR); /* the parser knows the units */
    const struct evs_expr *expr = evs_bind_expr(binder, context, ast->arguments[0]);
    struct evs_value count;
    if (expr == NULL) {
        return NULL;
    }
    if (expr->type->kind == EVS_STRING) {
        return text_interval(binder, expr, ast);
    }
    bool is_number = expr->type->kind == EVS_INT64;
    if (is_number && ast->part_to == EVS_PART_NONE && !evs_expr_is_constant(expr)) {
        return computed_interval(binder, expr, ast);
    }
    if (ast->part_to != EVS_PART_NONE) {
        struct evs_diag *diag = evs_report(binder, EVS_E0313, ast->arguments[0]->place,
                                           "an interval from one unit to another is written as a text, not as %s",
                                           evs_type_name_in(binder->arena, expr->type));
        evs_diag_hint(diag, "such as interval '1-2' year to month");
        return NULL;
    }
    if (!is_number || !fold(binder, expr, ast->arguments[0]->place, &count) || count.is_null) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0313, ast->arguments[0]->place, "the number of an interval is an int64, not %s",
                       is_number ? "null" : evs_type_name_in(binder->arena, expr->type));
        evs_diag_hint(diag, "write a whole number");
        return NULL;
    }
    struct evs_value value = {.kind = EVS_INTERVAL};
    if (!interval_of(count.int64, ast->part, &value.interval)) {
        evs_report(binder, EVS_E0307, ast->place, "the interval is too long");
        return NULL;
    }
    return constant(binder, value, ast->place);
}

/* --- constants ------------------------------------------------------------------------------------------------------------ */

static const struct evs_expr *bind_constant_expr(struct evs_binder *binder, const struct evs_ast_expr *ast,
                                                 const char *where)
{
    struct evs_context context = {.place = where};
    const struct evs_expr *expr = evs_bind_expr(binder, &context, ast);
    if (expr != NULL && !evs_expr_is_constant(expr)) { /* current_timestamp() and its kind */
        evs_report(binder, EVS_E0305, ast->place, "%s is a constant, and this depends on the row", where);
        return NULL;
    }
    return expr;
}

bool evs_bind_constant(struct evs_binder *binder, const struct evs_ast_expr *ast, const char *where,
                       struct evs_value *value)
{
    const struct evs_expr *expr = bind_constant_expr(binder, ast, where);
    return expr != NULL && fold(binder, expr, ast->place, value);
}

/* [1, 2] for an array<numeric>: what is written bends, so it is coerced before it is a value. */
static bool bind_coerced_nested(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_type *type,
                                const char *where, struct evs_value *value)
{
    const struct evs_expr *expr = bind_constant_expr(binder, ast, where), *coerced;
    struct evs_error error;
    if (expr == NULL) {
        return false;
    }
    if (evs_expr_coerce(binder->arena, expr, type, &coerced, &error) != EVS_OK) {
        evs_report(binder, EVS_E0307, ast->place, "%s has type %s, and this is of type %s", where,
                   evs_type_name_in(binder->arena, type), evs_type_name_in(binder->arena, expr->type));
        return false;
    }
    return fold(binder, coerced, ast->place, value);
}

bool evs_bind_coerced(struct evs_binder *binder, const struct evs_ast_expr *ast, const struct evs_type *type,
                      const char *where, struct evs_value *value)
{
    if (evs_kind_is_nested(type->kind)) {
        return bind_coerced_nested(binder, ast, type, where, value);
    }
    struct evs_error error;
    const struct evs_expr *expr = bind_constant_expr(binder, ast, where);
    if (expr == NULL || !fold(binder, expr, ast->place, value)) {
        return false;
    }
    if (evs_kind_is_nested(expr->type->kind)) {
        evs_report(binder, EVS_E0307, ast->place, "%s has type %s, and this is of type %s", where,
                   evs_kind_name(type->kind), evs_type_name_in(binder->arena, expr->type));
        return false;
    }
    expr = constant(binder, *value, ast->place);
    if (evs_expr_coerce(binder->arena, expr, type, &expr, &error) == EVS_OK) {
        return fold(binder, expr, ast->place, value);
    }
    bool is_text_of_time =
        value->kind == EVS_STRING && (type->kind == EVS_TIMESTAMP || type->kind == EVS_DATE || type->kind == EVS_JSON ||
                                      type->kind == EVS_DATETIME || type->kind == EVS_TIME);
    if (is_text_of_time) { /* the type goes, but not this text */
        struct evs_slice text = evs_str_slice(&value->str);
        evs_report(binder, EVS_E0307, ast->place, "`%.*s` is no %s", (int)text.count, text.data,
                   evs_kind_name(type->kind));
    } else {
        evs_report(binder, EVS_E0307, ast->place, "%s has type %s, and this is of type %s", where,
                   evs_kind_name(type->kind), evs_kind_name(value->kind));
    }
    return false;
}

bool evs_bind_duration(struct evs_binder *binder, const struct evs_ast_expr *ast, const char *where, int64_t *us)
{
    struct evs_value value;
    if (!evs_bind_constant(binder, ast, where, &value)) {
        return false;
    }
    if (value.is_null || value.kind != EVS_INTERVAL) {
        struct evs_diag *diag = evs_report(binder, EVS_E0313, ast->place, "%s is an interval, not of type %s", where,
                                           evs_kind_name(value.kind));
        evs_diag_hint(diag, "write interval 5 minute, for example");
        return false;
    }
    if (value.interval.months != 0) {
        struct evs_diag *diag = evs_report(binder, EVS_E0313, ast->place, "%s takes days and smaller units", where);
        evs_diag_hint(diag, "months have no fixed length");
        return false;
    }
    int64_t days_us;
    if (__builtin_mul_overflow((int64_t)value.interval.days, DAY_US, &days_us) ||
        __builtin_add_overflow(days_us, value.interval.us, us)) {
        evs_report(binder, EVS_E0307, ast->place, "the interval is too long");
        return false;
    }
    return true;
}

/* --- types ---------------------------------------------------------------------------------------------------------------- */

static const struct evs_type *bind_array_type(struct evs_binder *binder, const struct evs_ast_type *type)
{
    if (type->element == NULL) {
        struct evs_diag *diag = evs_report(binder, EVS_E0304, type->place, "an array needs the type of its elements");
        evs_diag_hint(diag, "write array<string>, for example");
        return NULL;
    }
    const struct evs_type *element = evs_bind_type(binder, type->element);
    if (element != NULL && element->kind == EVS_ARRAY) {
        struct evs_diag *diag = evs_report(binder, EVS_E0304, type->place, "an array cannot hold arrays");
        evs_diag_hint(diag, "put a struct between them: array<struct<part array<int64>>>");
        return NULL;
    }
    return element != NULL ? evs_type_array(binder->arena, element) : NULL;
}

static const struct evs_type *bind_struct_type(struct evs_binder *binder, const struct evs_ast_type *type)
{
    if (type->field_count == 0 || type->field_count > EVS_STRUCT_FIELDS_MAX) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0304, type->place, "a struct needs its fields, at most %u", EVS_STRUCT_FIELDS_MAX);
        evs_diag_hint(diag, "write struct<sku string, price numeric>, for example");
        return NULL;
    }
    struct evs_type_field *fields = EVS_ARENA_ARRAY(binder->arena, struct evs_type_field, type->field_count);
    bool is_right = true;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct evs_ast_field *field = &type->fields[i];
        fields[i].name = evs_ident_given(&field->name) ? field->name.text.data : "";
        fields[i].type = evs_bind_type(binder, field->type);
        is_right = is_right && fields[i].type != NULL;
    }
    return is_right ? evs_type_struct(binder->arena, fields, type->field_count) : NULL;
}

/* How many types stand inside of each other. */
static uint32_t type_depth(const struct evs_ast_type *type)
{
    uint32_t depth = type->element != NULL ? type_depth(type->element) : 0;
    for (uint32_t i = 0; i < type->field_count; i++) {
        uint32_t inner = type_depth(type->fields[i].type);
        depth = inner > depth ? inner : depth;
    }
    return depth + 1;
}

static bool is_count(const struct evs_ast_expr *ast, int64_t value)
{
    return ast->kind == EVS_AST_LITERAL && ast->value.kind == EVS_INT64 && !ast->value.is_null &&
           ast->value.int64 == value;
}

/* numeric(38, 9) is what a numeric always is; any other size would be a promise that nobody keeps. */
static bool check_parameters(struct evs_binder *binder, const struct evs_ast_type *type, enum evs_kind kind)
{
    bool is_full = kind == EVS_NUMERIC && type->parameter_count == 2 && is_count(type->parameters[0], 38) &&
                   is_count(type->parameters[1], 9);
    if (type->parameter_count == 0 || is_full) {
        return true;
    }
    struct evs_diag *diag = evs_report(binder, EVS_E0304, type->place, "`%s` takes no size here", type->name.text.data);
    if (kind == EVS_NUMERIC) {
        evs_diag_hint(diag, "write %s: 38 digits, 9 of them behind the point; round(x, 2) rounds a value",
                      type->name.text.data);
    } else if (kind == EVS_STRING || kind == EVS_BYTES) {
        evs_diag_hint(diag, "write %s; left(x, 20) cuts a value", type->name.text.data);
    }
    return false;
}

const struct evs_type *evs_bind_type(struct evs_binder *binder, const struct evs_ast_type *type)
{
    if (type_depth(type) >= EVS_TYPE_DEPTH_MAX) {
        evs_report(binder, EVS_E0304, type->place, "types are nested more than %u deep", EVS_TYPE_DEPTH_MAX - 1);
        return NULL;
    }
    if (evs_slice_equal_nocase(type->name.text, "array")) {
        return bind_array_type(binder, type);
    }
    if (evs_slice_equal_nocase(type->name.text, "struct")) {
        return bind_struct_type(binder, type);
    }
    enum evs_kind kind = evs_kind_parse(type->name.text);
    if (kind == EVS_NULL_KIND) {
        struct evs_diag *diag = evs_report(binder, EVS_E0304, type->place, "no type `%s`", type->name.text.data);
        struct evs_nearest nearest = evs_nearest_begin(type->name.text);
        for (enum evs_kind known = EVS_BOOL; known < EVS_KIND_COUNT; known++) {
            evs_nearest_offer(&nearest, evs_slice_of(evs_kind_name(known)));
        }
        evs_diag_did_you_mean(diag, &nearest);
        return NULL;
    }
    return check_parameters(binder, type, kind) ? evs_type_of(kind) : NULL;
}
