/* Structs: made of values, taken apart, compared, cast.
 *
 * A struct that is made where it stands, struct(a, b) or (a, b), bends as a literal does. A field is taken by its number, which the
 * resolver has found by its name: the name is a matter of the type alone. */
#include "nested_tools.h"

/* --- making -------------------------------------------------------------------------------------------------------- */

static void make_struct(struct evs_call *call)
{
    EVS_EACH_ROW(&call->rows, row)
    {
        evs_nested_begin_struct(&call->eval->nested, evs_call_type(call));
        for (uint32_t i = 0; i < call->argument_count; i++) {
            const struct evs_value value = evs_call_value(call, i, row);
            evs_nested_add(&call->eval->nested, &value);
        }
        EVS_ROW_DONE(call, row, evs_call_set_built(call, row));
    }
}
const struct evs_overload evs_struct_overload = {
    .name = "struct", .kernel = make_struct, .result = EVS_STRUCT, .flags = EVS_CALL_SEES_NULL | EVS_CALL_FALLIBLE};

/* A bare NULL has no type of its own: int64, as GoogleSQL has it. */
static const struct evs_expr *typed(struct evs_arena *arena, const struct evs_expr *expr)
{
    const struct evs_expr *result = expr;
    if (expr->type->kind == EVS_NULL_KIND) {
        const struct evs_value null = {.kind = EVS_INT64, .is_null = true};
        result = evs_expr_constant(arena, null, expr->place);
    }
    return result;
}

static const struct evs_type *type_of_values(struct evs_arena *arena, const struct evs_slice *names,
                                             const struct evs_expr *const *values, uint32_t count)
{
    struct evs_type_field *fields = EVS_ARENA_ARRAY(arena, struct evs_type_field, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = names == NULL ? "" : evs_arena_strndup(arena, names[i].data, names[i].count);
        fields[i] = (struct evs_type_field){name, values[i]->type};
    }
    return evs_type_struct(arena, fields, count);
}

evs_status evs_expr_struct(struct evs_arena *arena, const struct evs_type *type, const struct evs_slice *names,
                           const struct evs_expr **arguments, uint32_t count, struct evs_place place,
                           const struct evs_expr **result, struct evs_error *error)
{
    if (count > EVS_STRUCT_FIELDS_MAX) {
        return evs_fail(error, EVS_E_PIPELINE, "a struct has at most %u fields, and this one has %u",
                        EVS_STRUCT_FIELDS_MAX, count);
    }
    if (type != NULL && type->field_count != count) {
        return evs_fail(error, EVS_E_PIPELINE, "the type %s has %u fields, and %u values are given",
                        evs_type_name_in(arena, type), type->field_count, count);
    }
    const struct evs_expr **values = EVS_ARENA_ARRAY(arena, const struct evs_expr *, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = typed(arena, arguments[i]);
        const evs_status status =
            type == NULL ? EVS_OK : evs_expr_coerce(arena, arguments[i], type->fields[i].type, &values[i], error);
        if (status != EVS_OK) {
            return status;
        }
    }
    const struct evs_expr *made = evs_expr_typed_call(arena, &evs_struct_overload, false, values, count, place);
    ((struct evs_expr *)made)->type = type != NULL ? type : type_of_values(arena, names, values, count);
    *result = made;
    return EVS_OK;
}

/* --- fields -------------------------------------------------------------------------------------------------------- */

static void take_field(struct evs_call *call)
{
    const uint32_t index = (uint32_t)EVS_ARG_ONE(call, 1, int64_t);
    EVS_EACH_ROW(&call->rows, row)
    {
        struct evs_str held;
        const struct evs_nested fields = evs_call_nested(call, 0, row, &held);
        const struct evs_value value = evs_nested_at(&fields, index);
        EVS_ROW_DONE(call, row, evs_call_set(call, row, &value));
    }
}
const struct evs_overload evs_field_overload = {.name = "struct.field",
                                                .kernel = take_field,
                                                .result = EVS_ARG_T,
                                                .arguments = {EVS_STRUCT, EVS_INT64},
                                                .required = 2,
                                                .flags = EVS_CALL_NULLABLE};

static const struct evs_expr *field_at(struct evs_arena *arena, const struct evs_expr *expr, uint32_t index,
                                       struct evs_place place)
{
    const struct evs_value number = {.kind = EVS_INT64, .int64 = index};
    const struct evs_expr *arguments[] = {expr, evs_expr_constant(arena, number, place)};
    struct evs_expr *field =
        (struct evs_expr *)evs_expr_typed_call(arena, &evs_field_overload, false, arguments, 2, place);
    field->type = expr->type->fields[index].type;
    const char *name = expr->type->fields[index].name;
    field->text = name[0] != '\0' ? evs_arena_printf(arena, "%s.%s", expr->text, name)
                                  : evs_arena_printf(arena, "%s.[%u]", expr->text, index);
    return field;
}

evs_status evs_expr_field(struct evs_arena *arena, const struct evs_expr *expr, struct evs_slice name,
                          struct evs_place place, const struct evs_expr **result, struct evs_error *error)
{
    EVS_ASSERT(expr->type->kind == EVS_STRUCT);
    const int32_t index = evs_type_field_index(expr->type, name);
    if (index < 0) {
        return evs_fail(error, EVS_E_PIPELINE, index == -1 ? "no field `%.*s` in %s" : "several fields `%.*s` in %s",
                        (int)name.count, name.data, evs_type_name_in(arena, expr->type));
    }
    *result = field_at(arena, expr, (uint32_t)index, place);
    return EVS_OK;
}

/* --- comparing ----------------------------------------------------------------------------------------------------- */

bool evs_type_has_equality(const struct evs_type *type)
{
    if (type->kind != EVS_STRUCT) {
        return type->kind != EVS_JSON && type->kind != EVS_ARRAY;
    }
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (!evs_type_has_equality(type->fields[i].type)) {
            return false;
        }
    }
    return true;
}

evs_status evs_no_equality(const struct evs_expr *expr, struct evs_error *error)
{
    struct evs_arena names = {0};
    const evs_status status = evs_fail(
        error, EVS_E_PIPELINE,
        "`%s` is %s, and only the order of bytes could compare arrays and json; compare to_json_string(…) of both, or "
        "take a value out first",
        expr->text, evs_type_name_in(&names, expr->type));
    evs_arena_fini(&names);
    return status;
}

static void struct_equal(struct evs_call *call)
{
    uint8_t *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        const struct evs_value a = evs_call_value(call, 0, row), b = evs_call_value(call, 1, row);
        const int equal = evs_value_equal(&a, &b);
        out[row] = equal == 1;
        EVS_ROW_DONE(call, row, equal < 0 ? EVS_ROW_NULL : EVS_ROW_OK);
    }
}
const struct evs_overload evs_struct_equal_overload = {.name = "=",
                                                       .kernel = struct_equal,
                                                       .result = EVS_BOOL,
                                                       .arguments = {EVS_STRUCT, EVS_STRUCT},
                                                       .required = 2,
                                                       .flags = EVS_CALL_NULLABLE};

/* a is not distinct from b: as group by sees them. Encoded values are canonical, so equal is equal bytes. */
static bool same_scalar(const struct evs_value *a, const struct evs_value *b)
{
    if (a->is_null || b->is_null) {
        return a->is_null && b->is_null;
    }
    return evs_kind_is_var(a->kind) ? evs_str_equal(&a->str, &b->str) : evs_value_order(a, b) == 0;
}

static void same(struct evs_call *call)
{
    uint8_t *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        const struct evs_value a = evs_call_value(call, 0, row), b = evs_call_value(call, 1, row);
        out[row] = same_scalar(&a, &b);
    }
}
/* --- casting ------------------------------------------------------------------------------------------------------- */

static void retype(struct evs_call *call)
{
    struct evs_str *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        out[row] = *EVS_COLUMN_AT(call->arguments[0], struct evs_str, row);
    }
}
/* The same value, of a type whose fields have other names. */
const struct evs_overload evs_retype_overload = {
    .name = "cast", .kernel = retype, .result = EVS_ARG_T, .arguments = {EVS_ARG_ANY}, .required = 1};

/* struct to struct, field by field: if(s is null, null, struct(cast(s.a), cast(s.b))). */
static evs_status cast_struct(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type,
                              bool safe, struct evs_place place, const struct evs_expr **result,
                              struct evs_error *error)
{
    const uint32_t count = type->field_count;
    if (expr->type->field_count != count) {
        return evs_fail(error, EVS_E_PIPELINE, "%s cannot be cast to %s: they have not as many fields",
                        evs_type_name_in(arena, expr->type), evs_type_name_in(arena, type));
    }
    const struct evs_expr **fields = EVS_ARENA_ARRAY(arena, const struct evs_expr *, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const evs_status status =
            evs_expr_cast(arena, field_at(arena, expr, i, place), type->fields[i].type, safe, place, &fields[i], error);
        if (status != EVS_OK) {
            return status;
        }
    }
    const struct evs_expr *branches[3], *is_null;
    evs_status status = evs_expr_struct(arena, type, NULL, fields, count, place, &branches[2], error);
    if (status == EVS_OK) {
        status = evs_expr_special(arena, EVS_EXPR_IS_NULL, &expr, 1, place, &is_null, error);
    }
    if (status != EVS_OK) {
        return status;
    }
    branches[0] = is_null;
    branches[1] = evs_expr_constant_of(arena, type, (struct evs_value){.kind = EVS_STRUCT, .is_null = true}, place);
    return evs_expr_special(arena, EVS_EXPR_CASE, branches, 3, place, result, error);
}

evs_status evs_cast_nested(struct evs_arena *arena, const struct evs_expr *expr, const struct evs_type *type, bool safe,
                           struct evs_place place, const struct evs_expr **result, struct evs_error *error)
{
    if (evs_coercion_cost_type(expr, type) >= 0) {
        return evs_expr_coerce(arena, expr, type, result, error);
    }
    return type->kind == EVS_STRUCT ? cast_struct(arena, expr, type, safe, place, result, error)
                                    : evs_cast_array(arena, expr, type, safe, place, result, error);
}

/* --- table --------------------------------------------------------------------------------------------------------- */

static const struct evs_overload overloads[] = {{.name = "is not distinct from",
                                                 .kernel = same,
                                                 .result = EVS_BOOL,
                                                 .arguments = {EVS_ARG_T, EVS_ARG_T},
                                                 .required = 2,
                                                 .flags = EVS_CALL_SEES_NULL}};

#define ENTRY(name_, signature_, meaning_, example_, result_)                                                          \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_ARRAY, .signature = (signature_), .meaning = (meaning_),                 \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    ENTRY("struct", "struct(T [as name], …) → struct; (T, T, …) → struct",
          "A struct of the values; its fields have the names that are given.", "struct(1 as a, 'x' as b)", "(1, x)"),
    ENTRY("struct.field", "struct.name → T", "The field of that name.", "struct(1 as a, 'x' as b).b", "x"),
    ENTRY("is not distinct from", "T is [not] distinct from T → bool",
          "Whether two values are the same to group by: NULL is the same as NULL. Never NULL itself.",
          "null is not distinct from null", "true"),
};

const struct evs_family evs_family_struct = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
