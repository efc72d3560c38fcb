/* JSON arrays and objects to arrays: their elements as json, as text or as numbers, and the keys of objects. */
#include <math.h>
#include <stdlib.h>

#include "evstream/json_value.h"
#include "json_path.h"
#include "nested_tools.h"
#include "text_tools.h"

enum { AS_JSON, AS_VALUE, AS_BOOL, AS_INT64, AS_FLOAT64, AS_STRING };
#define LAX 16 /* added to the kinds above: NULL where an element does not convert */

static evs_status prepare_path(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                               struct evs_error *error)
{
    if (expr->argument_count < 2) {
        *prepared = evs_json_path_parse(arena, EVS_SLICE("$"));
        return EVS_OK;
    }
    const struct evs_str *text = &expr->arguments[1]->value.str;
    const char *copy = evs_arena_strndup(arena, evs_str_data(text), text->count);
    *prepared = evs_json_path_parse(arena, (struct evs_slice){copy, text->count});
    return *prepared ? EVS_OK
                     : evs_fail(error, EVS_E_PIPELINE, "%s is no JSON path; one looks like '$.items[0].\"unit price\"'",
                                expr->arguments[1]->text);
}

/* --- one element --------------------------------------------------------------------------------------------------- */

static struct evs_value text_value(enum evs_kind kind, struct evs_slice text)
{
    return (struct evs_value){.kind = kind, .str = evs_str_make(text.data, (uint32_t)text.count)};
}

static bool is_number(struct evs_slice raw)
{
    return raw.data[0] == '-' || (raw.data[0] >= '0' && raw.data[0] <= '9');
}
static bool is_bool(struct evs_slice raw)
{
    return raw.data[0] == 't' || raw.data[0] == 'f';
}

/* A scalar as text, as json_value gives it. False: no scalar. */
static bool scalar_text(struct evs_call *call, struct evs_slice raw, struct evs_str *out)
{
    if (raw.data[0] == '"') {
        return evs_json_string_value(call, raw, out);
    }
    *out = evs_str_make(raw.data, (uint32_t)raw.count);
    return raw.data[0] != '{' && raw.data[0] != '[';
}

/* The strict conversions want exactly their type. */
static bool strict_element(struct evs_call *call, uint8_t as, struct evs_slice raw, struct evs_value *value)
{
    switch (as) {
    case AS_BOOL:
        *value = (struct evs_value){.kind = EVS_BOOL, .boolean = raw.data[0] == 't'};
        return is_bool(raw);
    case AS_INT64:
        *value = (struct evs_value){.kind = EVS_INT64};
        return is_number(raw) && evs_json_int64(raw, &value->int64);
    case AS_FLOAT64:
        *value = (struct evs_value){.kind = EVS_FLOAT64};
        return is_number(raw) && evs_parse_float64(raw, &value->float64);
    default:
        *value = (struct evs_value){.kind = EVS_STRING};
        return raw.data[0] == '"' && evs_json_string_value(call, raw, &value->str);
    }
}

static bool lax_number(struct evs_slice raw, struct evs_slice text, double *number)
{
    *number = raw.data[0] == 't';
    return is_bool(raw) || evs_parse_float64(evs_trimmed(text), number);
}

/* The lax ones convert what can be. */
static bool lax_element(struct evs_call *call, uint8_t as, struct evs_slice raw, struct evs_value *value)
{
    struct evs_str text;
    double number;
    if (!scalar_text(call, raw, &text)) {
        return false;
    }
    const struct evs_slice slice = evs_str_slice(&text);
    switch (as) {
    case AS_BOOL:
        *value = (struct evs_value){.kind = EVS_BOOL};
        if (is_number(raw) && evs_parse_float64(raw, &number)) {
            value->boolean = number != 0;
            return true;
        }
        return evs_parse_bool(slice, &value->boolean);
    case AS_INT64:
        *value = (struct evs_value){.kind = EVS_INT64};
        if (evs_parse_int64(evs_trimmed(slice), &value->int64)) {
            return true;
        }
        number = 0;
        if (!lax_number(raw, slice, &number) || !(round(number) >= -0x1p63 && round(number) < 0x1p63)) {
            return false;
        }
        value->int64 = (int64_t)round(number);
        return true;
    case AS_FLOAT64:
        *value = (struct evs_value){.kind = EVS_FLOAT64};
        return !is_bool(raw) && evs_parse_float64(evs_trimmed(slice), &value->float64);
    default:
        *value = text_value(EVS_STRING, slice);
        return true;
    }
}

/* The element as a value; a null is NULL but for json. EVS_ROW_NULL and failures are of the whole array. */
static enum evs_row element_of(struct evs_call *call, struct evs_slice raw, struct evs_value *value)
{
    const uint8_t variant = call->step->overload->variant, as = variant & (LAX - 1);
    const bool lax = variant & LAX;
    if (as == AS_JSON) {
        *value = text_value(evs_call_type(call)->element->kind, raw);
        return EVS_ROW_OK;
    }
    *value = (struct evs_value){.is_null = true};
    if (raw.data[0] == 'n') {
        return lax || as == AS_VALUE ? EVS_ROW_OK : EVS_ROW_JSON;
    }
    if (as == AS_VALUE) {
        *value = (struct evs_value){.kind = EVS_STRING};
        return scalar_text(call, raw, &value->str) ? EVS_ROW_OK : EVS_ROW_NULL;
    }
    const bool read = lax ? lax_element(call, as, raw, value) : strict_element(call, as, raw, value);
    if (!read) {
        *value = (struct evs_value){.is_null = true};
    }
    return read || lax ? EVS_ROW_OK : EVS_ROW_JSON;
}

/* --- arrays -------------------------------------------------------------------------------------------------------- */

static enum evs_row fill(struct evs_call *call, uint32_t row, struct evs_slice array)
{
    struct evs_nested_builder *builder = &call->eval->nested;
    evs_nested_begin_array(builder, evs_call_type(call)->element->kind);
    struct evs_json_walk walk = evs_json_walk(array);
    struct evs_slice key, raw;
    while (evs_json_walk_next(&walk, &key, &raw)) {
        struct evs_value value;
        const enum evs_row outcome = element_of(call, raw, &value);
        if (outcome != EVS_ROW_OK) {
            return outcome;
        }
        evs_nested_add(builder, &value);
    }
    return evs_call_set_built(call, row);
}

static enum evs_row array_row(struct evs_call *call, uint32_t row)
{
    const struct evs_json_path *path = call->step->prepared;
    const struct evs_str *text = EVS_COLUMN_AT(call->arguments[0], struct evs_str, row);
    const struct evs_json_text all = evs_json_text_of(evs_str_slice(text));
    struct evs_json_text found = {"", 0};
    if (call->step->overload->arguments[0] == EVS_STRING && !evs_json_valid(evs_json_reader_of(call), all)) {
        return EVS_ROW_NULL;
    }
    const enum evs_json_kind kind =
        evs_json_find(evs_json_reader_of(call), all, path ? path->steps : NULL, path ? path->count : 0, &found);
    const uint8_t as = call->step->overload->variant;
    if (kind != EVS_JSON_ARRAY) {
        return as <= AS_VALUE || (as & LAX) ? EVS_ROW_NULL : EVS_ROW_JSON;
    }
    return fill(call, row, (struct evs_slice){found.data, found.count});
}

/* --- keys ---------------------------------------------------------------------------------------------------------- */

/* Keys that have been found: paths, in the evaluation's scratch memory. */
struct keys {
    struct evs_call *call;
    struct evs_slice *items;
    uint32_t count, capacity;
};

static void add_key(struct keys *keys, struct evs_slice path)
{
    if (keys->count == keys->capacity) {
        const uint32_t capacity = keys->capacity == 0 ? 16 : keys->capacity * 2;
        struct evs_slice *items = EVS_ARENA_ARRAY(&keys->call->eval->scratch, struct evs_slice, capacity);
        if (keys->count > 0) {
            memcpy(items, keys->items, sizeof *items * keys->count);
        }
        keys->items = items;
        keys->capacity = capacity;
    }
    keys->items[keys->count++] = path;
}

static bool needs_quotes(struct evs_slice key)
{
    for (size_t i = 0; i < key.count; i++) {
        const char c = key.data[i];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!plain) {
            return true;
        }
    }
    return key.count == 0;
}

/* a.b, or a."b c" */
static struct evs_slice join_key(struct keys *keys, struct evs_slice prefix, struct evs_slice raw)
{
    const struct evs_slice inner = {raw.data + 1, raw.count - 2}, key = needs_quotes(inner) ? raw : inner;
    const bool nested = prefix.count > 0;
    char *text = evs_arena_alloc(&keys->call->eval->scratch, prefix.count + key.count + 1, 1);
    memcpy(text, prefix.data, prefix.count);
    text[prefix.count] = '.';
    memcpy(text + prefix.count + nested, key.data, key.count);
    return (struct evs_slice){text, prefix.count + nested + key.count};
}

/* Only objects have keys; the elements of arrays are not looked into (GoogleSQL's mode `strict`). */
static void collect(struct keys *keys, struct evs_slice text, struct evs_slice prefix, int64_t depth)
{
    if (text.data[0] != '{') {
        return;
    }
    struct evs_json_walk walk = evs_json_walk(text);
    struct evs_slice key, value;
    while (evs_json_walk_next(&walk, &key, &value)) {
        const struct evs_slice path = join_key(keys, prefix, key);
        add_key(keys, path);
        if (depth > 1) {
            collect(keys, value, path, depth - 1);
        }
    }
}

static int by_bytes(const void *a, const void *b)
{
    const struct evs_slice *x = a, *y = b;
    const size_t shared = x->count < y->count ? x->count : y->count;
    const int order = memcmp(x->data, y->data, shared);
    return order != 0 ? order : (x->count > y->count) - (x->count < y->count);
}

static enum evs_row keys_row(struct evs_call *call, uint32_t row)
{
    const struct evs_str *text = EVS_COLUMN_AT(call->arguments[0], struct evs_str, row);
    const int64_t depth = call->argument_count > 1 ? evs_call_value(call, 1, row).int64 : INT64_MAX;
    if (depth < 1) {
        return EVS_ROW_ARGUMENT;
    }
    struct keys keys = {.call = call};
    collect(&keys, evs_trimmed(evs_str_slice(text)), EVS_SLICE(""), depth);
    if (keys.count > 0) {
        qsort(keys.items, keys.count, sizeof *keys.items, by_bytes);
    }
    evs_nested_begin_array(&call->eval->nested, EVS_STRING);
    for (uint32_t i = 0; i < keys.count; i++) {
        if (i > 0 && evs_slice_equal(keys.items[i], keys.items[i - 1])) {
            continue;
        }
        const struct evs_value value = text_value(EVS_STRING, keys.items[i]);
        evs_nested_add(&call->eval->nested, &value);
    }
    return evs_call_set_built(call, row);
}

#define EACH_ROW_KERNEL(name, function)                                                                                \
    static void name(struct evs_call *call)                                                                            \
    {                                                                                                                  \
        EVS_EACH_ROW(&call->rows, row)                                                                                 \
        {                                                                                                              \
            EVS_ROW_DONE(call, row, function(call, row));                                                              \
        }                                                                                                              \
    }
EACH_ROW_KERNEL(json_to_array, array_row)
EACH_ROW_KERNEL(json_keys, keys_row)

/* --- tables -------------------------------------------------------------------------------------------------------- */

#define PATH(name_, from, to, variant_)                                                                                \
    {                                                                                                                  \
        .name = (name_), .kernel = json_to_array, .prepare = prepare_path, .result = EVS_ARG_ARRAY_OF(to),             \
        .arguments = {(from), EVS_ARG_CONSTANT}, .required = 1, .flags = EVS_CALL_NULLABLE | EVS_CALL_FALLIBLE,        \
        .variant = (variant_)                                                                                          \
    }
#define CONVERT(name_, to, variant_)                                                                                   \
    {                                                                                                                  \
        .name = (name_), .kernel = json_to_array, .result = EVS_ARG_ARRAY_OF(to), .arguments = {EVS_JSON},             \
        .required = 1, .flags = EVS_CALL_NULLABLE | EVS_CALL_FALLIBLE, .variant = (variant_)                           \
    }
static const struct evs_overload overloads[] = {
    PATH("json_query_array", EVS_JSON, EVS_JSON, AS_JSON),
    PATH("json_query_array", EVS_STRING, EVS_STRING, AS_JSON),
    PATH("json_value_array", EVS_JSON, EVS_STRING, AS_VALUE),
    PATH("json_value_array", EVS_STRING, EVS_STRING, AS_VALUE),
    CONVERT("bool_array", EVS_BOOL, AS_BOOL),
    CONVERT("int64_array", EVS_INT64, AS_INT64),
    CONVERT("float64_array", EVS_FLOAT64, AS_FLOAT64),
    CONVERT("string_array", EVS_STRING, AS_STRING),
    CONVERT("lax_bool_array", EVS_BOOL, AS_BOOL | LAX),
    CONVERT("lax_int64_array", EVS_INT64, AS_INT64 | LAX),
    CONVERT("lax_float64_array", EVS_FLOAT64, AS_FLOAT64 | LAX),
    CONVERT("lax_string_array", EVS_STRING, AS_STRING | LAX),
    {.name = "json_keys",
     .kernel = json_keys,
     .result = EVS_ARG_ARRAY_OF(EVS_STRING),
     .arguments = {EVS_JSON, EVS_INT64},
     .required = 1,
     .flags = EVS_CALL_FALLIBLE},
};

#define JSON(name_, signature_, meaning_, example_, result_)                                                           \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_JSON, .signature = (signature_), .meaning = (meaning_),                  \
        .example = (example_), .result = (result_)                                                                     \
    }
#define STRICT(name_, type, example_, result_)                                                                         \
    JSON(name_, name_ "(json) → array<" type ">",                                                                      \
         "The elements of a JSON array, which all are " type "; else an error.", name_ example_, result_)
#define LAX_ENTRY(name_, type, example_, result_)                                                                      \
    JSON(name_, name_ "(json) → array<" type ">",                                                                      \
         "The elements of a JSON array, each converted, NULL where that is impossible; NULL for anything else.",       \
         name_ example_, result_)
static const struct evs_function functions[] = {
    JSON("json_query_array", "json_query_array(json or string [, path string]) → array<json> or array<string>",
         "The elements of the array at a path, NULL when there is none.",
         "json_query_array(json '{\"a\": [1, {\"b\": 2}]}', '$.a')", "[1, {\"b\": 2}]"),
    JSON("json_value_array", "json_value_array(json or string [, path string]) → array<string>",
         "The elements of the array at a path as text; NULL when there is none, or one is no scalar.",
         "json_value_array(json '[\"a\", 1, null]')", "[a, 1, NULL]"),
    STRICT("bool_array", "bool", "(json '[true, false]')", "[true, false]"),
    STRICT("int64_array", "int64", "(json '[1, 2.0]')", "[1, 2]"),
    STRICT("float64_array", "float64", "(json '[1, 2.5]')", "[1, 2.5]"),
    STRICT("string_array", "string", "(json '[\"a\", \"b\"]')", "[a, b]"),
    LAX_ENTRY("lax_bool_array", "bool", "(json '[true, \"false\", 1, \"x\"]')", "[true, false, true, NULL]"),
    LAX_ENTRY("lax_int64_array", "int64", "(json '[1, \"2\", true, \"x\"]')", "[1, 2, 1, NULL]"),
    LAX_ENTRY("lax_float64_array", "float64", "(json '[1, \"2.5\", null]')", "[1, 2.5, NULL]"),
    LAX_ENTRY("lax_string_array", "string", "(json '[1, \"a\", [2]]')", "[1, a, NULL]"),
    JSON("json_keys", "json_keys(json [, depth int64]) → array<string>",
         "The keys of an object and of the objects in it, as paths in order, as deep as is asked for.",
         "json_keys(json '{\"b\": 1, \"a\": {\"x y\": 2}}')", "[a, a.\"x y\", b]"),
};

const struct evs_family evs_family_json_array = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
