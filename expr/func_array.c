/* Arrays: made of values, their elements, and the functions that give one value for an array or a part of it. Functions that make arrays
 * of other things (generate_array, split): func_generate.c.
 *
 * An array may hold NULLs. Functions that look for a value or fold the elements skip them, as GoogleSQL's do. An index beyond the end is
 * an error of the row; safe_offset and safe_ordinal give NULL instead. */
#include <math.h>

#include "nested_tools.h"
#include "text_tools.h"

/* --- making -------------------------------------------------------------------------------------------------------- */

static void make_array(struct evs_call *call)
{
    EVS_EACH_ROW(&call->rows, row)
    {
        evs_nested_begin_array(&call->eval->nested, evs_call_type(call)->element->kind);
        for (uint32_t i = 0; i < call->argument_count; i++) {
            const struct evs_value value = evs_call_value(call, i, row);
            evs_nested_add(&call->eval->nested, &value);
        }
        EVS_ROW_DONE(call, row, evs_call_set_built(call, row));
    }
}
const struct evs_overload evs_array_overload = {
    .name = "array", .kernel = make_array, .result = EVS_ARRAY, .flags = EVS_CALL_SEES_NULL | EVS_CALL_FALLIBLE};

static evs_status no_array_of_arrays(struct evs_error *error)
{
    return evs_fail(error, EVS_E_PIPELINE,
                    "an array cannot hold arrays; put each into a struct: [struct([1, 2] as part)]");
}

evs_status evs_expr_array(struct evs_arena *arena, const struct evs_type *element, const struct evs_expr **arguments,
                          uint32_t count, struct evs_place place, const struct evs_expr **result,
                          struct evs_error *error)
{
    if (element == NULL) {
        element = evs_common_type(arguments, count);
        if (element == NULL) {
            return evs_fail(error, EVS_E_PIPELINE,
                            "the elements of an array need one type, and these have none in common; cast some of them");
        }
        element = element->kind == EVS_NULL_KIND ? evs_type_of(EVS_INT64) : element;
    }
    if (element->kind == EVS_ARRAY) {
        return no_array_of_arrays(error);
    }
    const struct evs_expr **values = EVS_ARENA_ARRAY(arena, const struct evs_expr *, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const evs_status status = evs_expr_coerce(arena, arguments[i], element, &values[i], error);
        if (status != EVS_OK) {
            return status;
        }
    }
    const struct evs_expr *made = evs_expr_typed_call(arena, &evs_array_overload, false, values, count, place);
    ((struct evs_expr *)made)->type = evs_type_array(arena, element);
    *result = made;
    return EVS_OK;
}

/* --- elements ------------------------------------------------------------------------------------------------------ */

enum { AT_OFFSET, AT_ORDINAL, AT_SAFE_OFFSET, AT_SAFE_ORDINAL };

static enum evs_row set_element(struct evs_call *call, uint32_t row, const struct evs_nested *array, uint32_t index)
{
    const struct evs_value value = evs_call_keep(call, evs_nested_at(array, index));
    return evs_call_set(call, row, &value);
}

static enum evs_row element_row(struct evs_call *call, uint32_t row)
{
    const uint8_t how = call->step->overload->variant;
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 0, row, &held);
    const int64_t wanted = evs_call_value(call, 1, row).int64;
    const int64_t first = how == AT_ORDINAL || how == AT_SAFE_ORDINAL ? 1 : 0;
    if (wanted < first || wanted - first >= (int64_t)array.count) {
        return how == AT_OFFSET || how == AT_ORDINAL ? EVS_ROW_INDEX : EVS_ROW_NULL;
    }
    return set_element(call, row, &array, (uint32_t)(wanted - first));
}

#define EACH_ROW_KERNEL(name, function)                                                                                \
    static void name(struct evs_call *call)                                                                            \
    {                                                                                                                  \
        EVS_EACH_ROW(&call->rows, row)                                                                                 \
        {                                                                                                              \
            EVS_ROW_DONE(call, row, function(call, row));                                                              \
        }                                                                                                              \
    }
EACH_ROW_KERNEL(element, element_row)

static enum evs_row end_row(struct evs_call *call, uint32_t row)
{
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 0, row, &held);
    if (array.count == 0) {
        return EVS_ROW_INDEX;
    }
    return set_element(call, row, &array, call->step->overload->variant == 0 ? 0 : array.count - 1);
}
EACH_ROW_KERNEL(end_element, end_row)

/* What a query that must give one value gives: NULL of no element, and several are an error. */
static enum evs_row only_row(struct evs_call *call, uint32_t row)
{
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 0, row, &held);
    if (array.count != 1) {
        return array.count == 0 ? EVS_ROW_NULL : EVS_ROW_ARGUMENT;
    }
    return set_element(call, row, &array, 0);
}
EACH_ROW_KERNEL(only_element, only_row)

static bool is_before(const struct evs_nested *array, uint32_t index);

/* Each value once, where it comes first. */
static enum evs_row distinct_row(struct evs_call *call, uint32_t row)
{
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 0, row, &held);
    evs_nested_begin_array(&call->eval->nested, evs_call_type(call)->element->kind);
    for (uint32_t i = 0; i < array.count; i++) {
        if (!is_before(&array, i)) {
            const struct evs_value value = evs_nested_at(&array, i);
            evs_nested_add(&call->eval->nested, &value);
        }
    }
    return evs_call_set_built(call, row);
}
EACH_ROW_KERNEL(distinct_elements, distinct_row)

static inline enum evs_row length_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    (void)call;
    *out = evs_nested_open(a).count;
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(length, length_row, struct evs_str, int64_t)

/* --- arrays from arrays -------------------------------------------------------------------------------------------- */

static struct evs_nested_builder *begin_like(struct evs_call *call)
{
    evs_nested_begin_array(&call->eval->nested, evs_call_type(call)->element->kind);
    return &call->eval->nested;
}

static void add_element(struct evs_nested_builder *builder, const struct evs_nested *array, uint32_t index)
{
    const struct evs_value value = evs_nested_at(array, index);
    evs_nested_add(builder, &value);
}

static enum evs_row concat_row(struct evs_call *call, uint32_t row)
{
    struct evs_nested_builder *builder = begin_like(call);
    for (uint32_t i = 0; i < call->argument_count; i++) {
        struct evs_str held;
        const struct evs_nested array = evs_call_nested(call, i, row, &held);
        for (uint32_t k = 0; k < array.count; k++) {
            add_element(builder, &array, k);
        }
        if (evs_nested_bytes(builder) > EVS_TEXT_BYTES_MAX) {
            return EVS_ROW_TOO_LONG;
        }
    }
    return evs_call_set_built(call, row);
}
EACH_ROW_KERNEL(concat, concat_row)

static enum evs_row reverse_row(struct evs_call *call, uint32_t row)
{
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 0, row, &held);
    struct evs_nested_builder *builder = begin_like(call);
    for (uint32_t i = array.count; i-- > 0;) {
        add_element(builder, &array, i);
    }
    return evs_call_set_built(call, row);
}
EACH_ROW_KERNEL(reverse, reverse_row)

/* A negative place counts from the end; places outside are those at the ends. */
static enum evs_row slice_row(struct evs_call *call, uint32_t row)
{
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 0, row, &held);
    const int64_t count = array.count;
    int64_t from = evs_call_value(call, 1, row).int64, to = evs_call_value(call, 2, row).int64;
    from = from < 0 ? from + count : from;
    to = to < 0 ? to + count : to;
    from = from < 0 ? 0 : from;
    to = to >= count ? count - 1 : to;
    struct evs_nested_builder *builder = begin_like(call);
    for (int64_t i = from; i <= to; i++) {
        add_element(builder, &array, (uint32_t)i);
    }
    return evs_call_set_built(call, row);
}
EACH_ROW_KERNEL(slice, slice_row)

/* --- arrays to text ------------------------------------------------------------------------------------------------ */

static enum evs_row join_row(struct evs_call *call, uint32_t row)
{
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 0, row, &held);
    const struct evs_value between = evs_call_value(call, 1, row);
    struct evs_buffer *out = &call->eval->buffer;
    bool any = false;
    out->count = 0;
    for (uint32_t i = 0; i < array.count; i++) {
        struct evs_value value = evs_nested_at(&array, i);
        if (value.is_null) {
            if (call->argument_count < 3) {
                continue;
            }
            value = evs_call_value(call, 2, row);
        }
        evs_buffer_put(out, evs_str_data(&between.str), any ? between.str.count : 0);
        evs_buffer_put(out, evs_str_data(&value.str), value.str.count);
        any = true;
        if (out->count > EVS_TEXT_BYTES_MAX) {
            return EVS_ROW_TOO_LONG;
        }
    }
    ((struct evs_str *)call->result->data)[row] = evs_call_str(call, out->count > 0 ? out->data : "", out->count);
    return EVS_ROW_OK;
}
EACH_ROW_KERNEL(join, join_row)

/* --- looking for values -------------------------------------------------------------------------------------------- */

static bool includes(const struct evs_nested *array, const struct evs_value *wanted)
{
    for (uint32_t i = 0; i < array->count; i++) {
        const struct evs_value value = evs_nested_at(array, i);
        if (evs_value_equal(&value, wanted) == 1) {
            return true;
        }
    }
    return false;
}

static enum evs_row includes_row(struct evs_call *call, uint32_t row)
{
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 0, row, &held);
    const struct evs_value wanted = evs_call_value(call, 1, row);
    ((uint8_t *)call->result->data)[row] = includes(&array, &wanted);
    return EVS_ROW_OK;
}
EACH_ROW_KERNEL(includes_one, includes_row)

/* Any of the second in the first, or all of them. */
static enum evs_row includes_many_row(struct evs_call *call, uint32_t row)
{
    struct evs_str held[2];
    const struct evs_nested array = evs_call_nested(call, 0, row, &held[0]);
    const struct evs_nested wanted = evs_call_nested(call, 1, row, &held[1]);
    const bool all = call->step->overload->variant == 1;
    bool result = all;
    for (uint32_t i = 0; i < wanted.count && result == all; i++) {
        const struct evs_value value = evs_nested_at(&wanted, i);
        result = includes(&array, &value);
    }
    ((uint8_t *)call->result->data)[row] = result;
    return EVS_ROW_OK;
}
EACH_ROW_KERNEL(includes_many, includes_many_row)

/* x in unnest(array): as `in` with a list; a NULL array is an empty list. */
static enum evs_row in_unnest_row(struct evs_call *call, uint32_t row)
{
    uint8_t *out = call->result->data;
    out[row] = false;
    const struct evs_value wanted = evs_call_value(call, 0, row);
    if (!evs_column_is_valid(call->arguments[1], row)) {
        return EVS_ROW_OK;
    }
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 1, row, &held);
    bool unknown = false;
    for (uint32_t i = 0; i < array.count && !out[row]; i++) {
        const struct evs_value value = evs_nested_at(&array, i);
        const int equal = evs_value_equal(&wanted, &value);
        out[row] = equal == 1;
        unknown = unknown || equal < 0;
    }
    return !out[row] && unknown ? EVS_ROW_NULL : EVS_ROW_OK;
}
EACH_ROW_KERNEL(in_unnest, in_unnest_row)

static bool same_element(const struct evs_value *a, const struct evs_value *b)
{
    if (a->is_null || b->is_null) {
        return a->is_null && b->is_null;
    }
    return evs_kind_is_var(a->kind) ? evs_str_equal(&a->str, &b->str) : evs_value_order(a, b) == 0;
}

/* Whether an element of the same value stands before this one. */
static bool is_before(const struct evs_nested *array, uint32_t index)
{
    const struct evs_value value = evs_nested_at(array, index);
    for (uint32_t i = 0; i < index; i++) {
        const struct evs_value before = evs_nested_at(array, i);
        if (same_element(&value, &before)) {
            return true;
        }
    }
    return false;
}

static enum evs_row is_distinct_row(struct evs_call *call, uint32_t row)
{
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 0, row, &held);
    bool distinct = true;
    for (uint32_t i = 1; i < array.count && distinct; i++) {
        distinct = !is_before(&array, i);
    }
    ((uint8_t *)call->result->data)[row] = distinct;
    return EVS_ROW_OK;
}
EACH_ROW_KERNEL(is_distinct, is_distinct_row)

/* --- folding the elements ------------------------------------------------------------------------------------------ */

static bool is_nan(const struct evs_value *value)
{
    return value->kind == EVS_FLOAT64 && isnan(value->float64);
}

/* The smallest or the greatest; one NaN makes the result NaN. */
static enum evs_row extreme_row(struct evs_call *call, uint32_t row)
{
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 0, row, &held);
    const int sign = call->step->overload->variant == 0 ? -1 : 1;
    struct evs_value best = {.is_null = true};
    for (uint32_t i = 0; i < array.count; i++) {
        const struct evs_value value = evs_nested_at(&array, i);
        if (value.is_null || (!best.is_null && is_nan(&best))) {
            continue;
        }
        if (best.is_null || is_nan(&value) || evs_value_order(&value, &best) * sign > 0) {
            best = value;
        }
    }
    best = evs_call_keep(call, best);
    return evs_call_set(call, row, &best);
}
EACH_ROW_KERNEL(extreme, extreme_row)

static bool add_value(struct evs_value *sum, const struct evs_value *value)
{
    if (sum->kind == EVS_INT64) {
        return !__builtin_add_overflow(sum->int64, value->int64, &sum->int64);
    }
    if (sum->kind == EVS_NUMERIC) {
        return evs_numeric_add(sum->numeric, value->numeric, &sum->numeric);
    }
    const double number = value->kind == EVS_INT64 ? (double)value->int64 : value->float64;
    sum->float64 += number;
    return isfinite(sum->float64) || !isfinite(number);
}

/* array_sum; array_avg divides by the count. */
static enum evs_row sum_row(struct evs_call *call, uint32_t row)
{
    struct evs_str held;
    const struct evs_nested array = evs_call_nested(call, 0, row, &held);
    struct evs_value sum = {.kind = call->result->kind};
    int64_t count = 0;
    for (uint32_t i = 0; i < array.count; i++) {
        const struct evs_value value = evs_nested_at(&array, i);
        if (!value.is_null && !add_value(&sum, &value)) {
            return EVS_ROW_OVERFLOW;
        }
        count += !value.is_null;
    }
    if (count == 0) {
        return EVS_ROW_NULL;
    }
    if (call->step->overload->variant == 1) {
        sum.float64 = sum.kind == EVS_FLOAT64 ? sum.float64 / (double)count : sum.float64;
        if (sum.kind == EVS_NUMERIC &&
            !evs_numeric_divide(sum.numeric, (evs_numeric)count * EVS_NUMERIC_ONE, &sum.numeric)) {
            return EVS_ROW_OVERFLOW;
        }
    }
    return evs_call_set(call, row, &sum);
}
EACH_ROW_KERNEL(sum, sum_row)

/* --- tables -------------------------------------------------------------------------------------------------------- */

#define MAY_FAIL EVS_CALL_FALLIBLE
#define MAY_BE_NULL EVS_CALL_NULLABLE
#define ARRAY_OF(kind) EVS_ARG_ARRAY_OF(kind)
#define OVERLOAD(name_, kernel_, result_, required_, flags_, variant_, ...)                                            \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (result_), .arguments = {__VA_ARGS__},                         \
        .required = (required_), .flags = (flags_), .variant = (variant_)                                              \
    }
#define FOLD(name_, kernel_, kind, variant_)                                                                           \
    OVERLOAD(name_, kernel_, kind, 1, MAY_FAIL | MAY_BE_NULL, variant_, ARRAY_OF(kind))
#define EXTREME(name_, variant_)                                                                                       \
    FOLD(name_, extreme, EVS_BOOL, variant_), FOLD(name_, extreme, EVS_INT64, variant_),                               \
        FOLD(name_, extreme, EVS_FLOAT64, variant_), FOLD(name_, extreme, EVS_NUMERIC, variant_),                      \
        FOLD(name_, extreme, EVS_STRING, variant_), FOLD(name_, extreme, EVS_BYTES, variant_),                         \
        FOLD(name_, extreme, EVS_TIMESTAMP, variant_), FOLD(name_, extreme, EVS_DATE, variant_),                       \
        FOLD(name_, extreme, EVS_DATETIME, variant_), FOLD(name_, extreme, EVS_TIME, variant_),                        \
        FOLD(name_, extreme, EVS_INTERVAL, variant_)

static const struct evs_overload overloads[] = {
    OVERLOAD("array[offset]", element, EVS_ARG_T, 2, MAY_FAIL | MAY_BE_NULL, AT_OFFSET, EVS_ARRAY, EVS_INT64),
    OVERLOAD("array[ordinal]", element, EVS_ARG_T, 2, MAY_FAIL | MAY_BE_NULL, AT_ORDINAL, EVS_ARRAY, EVS_INT64),
    OVERLOAD("array[safe_offset]", element, EVS_ARG_T, 2, MAY_BE_NULL, AT_SAFE_OFFSET, EVS_ARRAY, EVS_INT64),
    OVERLOAD("array[safe_ordinal]", element, EVS_ARG_T, 2, MAY_BE_NULL, AT_SAFE_ORDINAL, EVS_ARRAY, EVS_INT64),
    OVERLOAD("array[only]", only_element, EVS_ARG_T, 1, MAY_FAIL | MAY_BE_NULL | EVS_CALL_INTERNAL, 0, EVS_ARRAY),
    OVERLOAD("array[distinct]", distinct_elements, EVS_ARG_ARRAY_T, 1, MAY_FAIL | EVS_CALL_INTERNAL, 0,
             EVS_ARG_ARRAY_T),
    OVERLOAD("array_first", end_element, EVS_ARG_T, 1, MAY_FAIL | MAY_BE_NULL, 0, EVS_ARRAY),
    OVERLOAD("array_last", end_element, EVS_ARG_T, 1, MAY_FAIL | MAY_BE_NULL, 1, EVS_ARRAY),
    OVERLOAD("array_length", length, EVS_INT64, 1, 0, 0, EVS_ARRAY),
    OVERLOAD("array_concat", concat, EVS_ARG_ARRAY_T, 1, MAY_FAIL | EVS_CALL_VARIADIC, 0, EVS_ARG_ARRAY_T),
    OVERLOAD("array_reverse", reverse, EVS_ARG_ARRAY_T, 1, MAY_FAIL, 0, EVS_ARG_ARRAY_T),
    OVERLOAD("array_slice", slice, EVS_ARG_ARRAY_T, 3, MAY_FAIL, 0, EVS_ARG_ARRAY_T, EVS_INT64, EVS_INT64),
    OVERLOAD("array_to_string", join, EVS_STRING, 2, MAY_FAIL, 0, ARRAY_OF(EVS_STRING), EVS_STRING, EVS_STRING),
    OVERLOAD("array_to_string", join, EVS_BYTES, 2, MAY_FAIL, 0, ARRAY_OF(EVS_BYTES), EVS_BYTES, EVS_BYTES),
    OVERLOAD("array_includes", includes_one, EVS_BOOL, 2, 0, 0, EVS_ARG_ARRAY_T, EVS_ARG_T),
    OVERLOAD("array_includes_any", includes_many, EVS_BOOL, 2, 0, 0, EVS_ARG_ARRAY_T, EVS_ARG_ARRAY_T),
    OVERLOAD("array_includes_all", includes_many, EVS_BOOL, 2, 0, 1, EVS_ARG_ARRAY_T, EVS_ARG_ARRAY_T),
    OVERLOAD("in unnest", in_unnest, EVS_BOOL, 2, MAY_BE_NULL | EVS_CALL_SEES_NULL, 0, EVS_ARG_T, EVS_ARG_ARRAY_T),
    OVERLOAD("array_is_distinct", is_distinct, EVS_BOOL, 1, 0, 0, EVS_ARRAY),
    EXTREME("array_min", 0),
    EXTREME("array_max", 1),
    FOLD("array_sum", sum, EVS_INT64, 0),
    FOLD("array_sum", sum, EVS_FLOAT64, 0),
    FOLD("array_sum", sum, EVS_NUMERIC, 0),
    OVERLOAD("array_avg", sum, EVS_FLOAT64, 1, MAY_FAIL | MAY_BE_NULL, 1, ARRAY_OF(EVS_INT64)),
    FOLD("array_avg", sum, EVS_FLOAT64, 1),
    FOLD("array_avg", sum, EVS_NUMERIC, 1),
};

#define ENTRY(name_, signature_, meaning_, example_, result_)                                                          \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_ARRAY, .signature = (signature_), .meaning = (meaning_),                 \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    ENTRY("array", "[T, …] → array<T>; array<T>[T, …] → array<T>", "An array of the values.", "[1, 2, 3]", "[1, 2, 3]"),
    ENTRY("array[offset]", "array[int64] → T; array[offset(int64)] → T",
          "The element at a place, from 0; a place outside is an error.", "['a', 'b'][0]", "a"),
    ENTRY("array[ordinal]", "array[ordinal(int64)] → T", "The element at a place, from 1; a place outside is an error.",
          "['a', 'b'][ordinal(1)]", "a"),
    ENTRY("array[safe_offset]", "array[safe_offset(int64)] → T", "The element at a place, from 0; NULL outside.",
          "['a', 'b'][safe_offset(2)]", "NULL"),
    ENTRY("array[safe_ordinal]", "array[safe_ordinal(int64)] → T", "The element at a place, from 1; NULL outside.",
          "['a', 'b'][safe_ordinal(2)]", "b"),
    ENTRY("array_first", "array_first(array<T>) → T", "The first element; an error when there is none.",
          "array_first(['a', 'b'])", "a"),
    ENTRY("array_last", "array_last(array<T>) → T", "The last element; an error when there is none.",
          "array_last(['a', 'b'])", "b"),
    ENTRY("array_length", "array_length(array<T>) → int64", "How many elements there are, NULLs too.",
          "array_length([1, null, 3])", "3"),
    ENTRY("array_concat", "array_concat(array<T>, …) → array<T>",
          "The elements of all, in order; NULL when one is NULL.", "array_concat([1, 2], [3])", "[1, 2, 3]"),
    ENTRY("array_reverse", "array_reverse(array<T>) → array<T>", "The elements in reverse order.",
          "array_reverse([1, 2, 3])", "[3, 2, 1]"),
    ENTRY("array_slice", "array_slice(array<T>, int64, int64) → array<T>",
          "The elements from one place to another, both included; places count from 0, negative ones from the end.",
          "array_slice([1, 2, 3, 4], 1, -2)", "[2, 3]"),
    ENTRY("array_to_string",
          "array_to_string(array<string>, string [, string]) → string; array_to_string(array<bytes>, …) → bytes",
          "The elements with a text between them; NULLs are left out, or written as the third argument.",
          "array_to_string(['a', null, 'c'], '-', '?')", "a-?-c"),
    ENTRY("array_includes", "array_includes(array<T>, T) → bool", "Whether an element is equal to the value.",
          "array_includes([1, 2], 2)", "true"),
    ENTRY("array_includes_any", "array_includes_any(array<T>, array<T>) → bool",
          "Whether one element of the second is in the first.", "array_includes_any([1, 2], [2, 3])", "true"),
    ENTRY("array_includes_all", "array_includes_all(array<T>, array<T>) → bool",
          "Whether all elements of the second are in the first.", "array_includes_all([1, 2], [2, 3])", "false"),
    ENTRY("in unnest", "T [not] in unnest(array<T>) → bool",
          "Whether an element is equal; NULL when none is and one is NULL; false for a NULL array.",
          "3 in unnest([1, 3])", "true"),
    ENTRY("array_is_distinct", "array_is_distinct(array<T>) → bool",
          "Whether no element is there twice, NULL included.", "array_is_distinct([1, 2, 1])", "false"),
    ENTRY("array_min", "array_min(array<T>) → T", "The smallest element; NULLs do not count.",
          "array_min([3, null, 1])", "1"),
    ENTRY("array_max", "array_max(array<T>) → T", "The greatest element; NULLs do not count.",
          "array_max(['a', 'c', 'b'])", "c"),
    ENTRY("array_sum", "array_sum(array<int64, float64 or numeric>) → same",
          "The sum of the elements; NULLs do not count, and of none the sum is NULL.", "array_sum([1, 2, null])", "3"),
    ENTRY("array_avg", "array_avg(array<int64, float64 or numeric>) → float64 or numeric",
          "The mean of the elements; NULLs do not count.", "array_avg([1.0, 2.0])", "1.5"),
};

const struct evs_family evs_family_array = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
