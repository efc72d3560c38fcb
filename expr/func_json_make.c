/* Values to JSON: to_json, to_json_string, json_array, json_object. What each type becomes: evstream/json_value.h. */
#include "evstream/json_value.h"
#include "json_path.h"
#include "nested_tools.h"
#include "text_tools.h"

/* The text that was written to the evaluation's buffer, as the result of the row. */
static enum evs_row set_written(struct evs_call *call, uint32_t row)
{
    const struct evs_buffer *out = &call->eval->buffer;
    if (out->count > EVS_TEXT_BYTES_MAX) {
        return EVS_ROW_TOO_LONG;
    }
    ((struct evs_str *)call->result->data)[row] = evs_call_str(call, out->data, out->count);
    return EVS_ROW_OK;
}

static void put_argument(struct evs_call *call, uint32_t argument, uint32_t row, struct evs_buffer *out)
{
    const struct evs_value value = evs_call_value(call, argument, row);
    const struct evs_type *type = evs_call_argument_type(call, argument);
    evs_json_put_value(out, &value, type, 0);
}

/* --- pretty text --------------------------------------------------------------------------------------------------- */

static void put_line(struct evs_buffer *out, uint32_t indent)
{
    evs_buffer_puts(out, "\n");
    for (uint32_t i = 0; i < indent; i++) {
        evs_buffer_puts(out, "  ");
    }
}

/* GoogleSQL's layout: two spaces a level, a member a line; nothing between the brackets of an empty container. JSON is at most 1024
 * levels deep where it comes in, and so is the recursion. */
static void put_pretty(struct evs_buffer *out, struct evs_slice text, uint32_t indent)
{
    if (text.data[0] != '{' && text.data[0] != '[') {
        evs_buffer_put(out, text.data, text.count);
        return;
    }
    struct evs_json_walk walk = evs_json_walk(text);
    struct evs_slice key, value;
    bool any = false;
    evs_buffer_put(out, text.data, 1);
    while (evs_json_walk_next(&walk, &key, &value)) {
        evs_buffer_puts(out, any ? "," : "");
        put_line(out, indent + 1);
        if (key.count > 0) {
            evs_buffer_put(out, key.data, key.count);
            evs_buffer_puts(out, ": ");
        }
        put_pretty(out, value, indent + 1);
        any = true;
    }
    if (any) {
        put_line(out, indent);
    }
    evs_buffer_puts(out, text.data[0] == '{' ? "}" : "]");
}

/* --- one value ----------------------------------------------------------------------------------------------------- */

/* Without white space, which only json values can have. */
static bool put_compact(struct evs_call *call, struct evs_slice text, struct evs_buffer *out)
{
    size_t count;
    evs_buffer_reserve(out, text.count + 64);
    (void)call;
    const bool whole = evs_json_minify(evs_json_text_of(text), out->data + out->count, &count);
    out->count += whole ? count : 0;
    return whole;
}

static enum evs_row to_text_row(struct evs_call *call, uint32_t row)
{
    struct evs_buffer *out = &call->eval->buffer;
    const struct evs_value value = evs_call_value(call, 0, row);
    const struct evs_type *type = evs_call_argument_type(call, 0);
    const bool pretty = call->argument_count > 1 && evs_call_value(call, 1, row).boolean;
    out->count = 0;
    if (value.kind == EVS_JSON && !value.is_null) {
        if (!put_compact(call, evs_str_slice(&value.str), out)) {
            return EVS_ROW_JSON;
        }
    } else {
        evs_json_put_value(out, &value, type, EVS_JSON_WIDE_QUOTED);
    }
    const enum evs_row outcome = set_written(call, row);
    if (outcome != EVS_ROW_OK || !pretty) {
        return outcome;
    }
    const struct evs_str compact = ((const struct evs_str *)call->result->data)[row];
    out->count = 0;
    put_pretty(out, evs_str_slice(&compact), 0);
    return set_written(call, row);
}

static enum evs_row to_json_row(struct evs_call *call, uint32_t row)
{
    call->eval->buffer.count = 0;
    put_argument(call, 0, row, &call->eval->buffer);
    return set_written(call, row);
}

#define EACH_ROW_KERNEL(name, function)                                                                                \
    static void name(struct evs_call *call)                                                                            \
    {                                                                                                                  \
        EVS_EACH_ROW(&call->rows, row)                                                                                 \
        {                                                                                                              \
            EVS_ROW_DONE(call, row, function(call, row));                                                              \
        }                                                                                                              \
    }
EACH_ROW_KERNEL(to_text, to_text_row)
EACH_ROW_KERNEL(to_json, to_json_row)

/* --- several values ------------------------------------------------------------------------------------------------ */

static enum evs_row array_row(struct evs_call *call, uint32_t row)
{
    struct evs_buffer *out = &call->eval->buffer;
    out->count = 0;
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < call->argument_count; i++) {
        evs_buffer_puts(out, i > 0 ? "," : "");
        put_argument(call, i, row, out);
    }
    evs_buffer_puts(out, "]");
    return set_written(call, row);
}
EACH_ROW_KERNEL(json_array, array_row)

/* Of repeated keys the first counts. */
static bool key_before(const struct evs_call *call, uint32_t row, uint32_t argument, const struct evs_str *key)
{
    for (uint32_t i = 0; i < argument; i += 2) {
        const struct evs_value before = evs_call_value(call, i, row);
        if (evs_str_equal(&before.str, key)) {
            return true;
        }
    }
    return false;
}

static enum evs_row object_row(struct evs_call *call, uint32_t row)
{
    struct evs_buffer *out = &call->eval->buffer;
    bool any = false;
    out->count = 0;
    evs_buffer_puts(out, "{");
    for (uint32_t i = 0; i + 1 < call->argument_count; i += 2) {
        const struct evs_value key = evs_call_value(call, i, row);
        if (key.is_null) {
            return EVS_ROW_ARGUMENT;
        }
        if (key_before(call, row, i, &key.str)) {
            continue;
        }
        evs_buffer_puts(out, any ? "," : "");
        evs_json_put_text(out, evs_str_slice(&key.str));
        evs_buffer_puts(out, ":");
        put_argument(call, i + 1, row, out);
        any = true;
    }
    evs_buffer_puts(out, "}");
    return set_written(call, row);
}
EACH_ROW_KERNEL(json_object, object_row)

static evs_status prepare_object(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                 struct evs_error *error)
{
    (void)arena;
    *prepared = NULL;
    if (expr->argument_count % 2 != 0) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "json_object takes pairs of a name and a value, as in json_object('sku', sku, 'n', 1)");
    }
    for (uint32_t i = 0; i < expr->argument_count; i += 2) {
        if (expr->arguments[i]->type->kind != EVS_STRING) {
            return evs_fail(error, EVS_E_PIPELINE, "the name `%s` of json_object is %s; a name is a string",
                            expr->arguments[i]->text, evs_kind_name(expr->arguments[i]->type->kind));
        }
    }
    return EVS_OK;
}

/* --- tables -------------------------------------------------------------------------------------------------------- */

static const struct evs_overload overloads[] = {
    {.name = "to_json_string",
     .kernel = to_text,
     .result = EVS_STRING,
     .arguments = {EVS_ARG_ANY, EVS_BOOL},
     .required = 1,
     .flags = EVS_CALL_FALLIBLE | EVS_CALL_SEES_NULL},
    {.name = "to_json",
     .kernel = to_json,
     .result = EVS_JSON,
     .arguments = {EVS_ARG_ANY},
     .required = 1,
     .flags = EVS_CALL_FALLIBLE | EVS_CALL_SEES_NULL},
    {.name = "json_array",
     .kernel = json_array,
     .result = EVS_JSON,
     .arguments = {EVS_ARG_ANY},
     .required = 0,
     .flags = EVS_CALL_FALLIBLE | EVS_CALL_SEES_NULL | EVS_CALL_VARIADIC},
    {.name = "json_object",
     .kernel = json_object,
     .prepare = prepare_object,
     .result = EVS_JSON,
     .arguments = {EVS_ARG_ANY},
     .required = 0,
     .flags = EVS_CALL_FALLIBLE | EVS_CALL_SEES_NULL | EVS_CALL_VARIADIC},
};

#define JSON(name_, signature_, meaning_, example_, result_)                                                           \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_JSON, .signature = (signature_), .meaning = (meaning_),                  \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    JSON("to_json_string", "to_json_string(T [, pretty bool]) → string",
         "The value as JSON text, without white space or, when pretty, with a line for each member. NULL is 'null'.",
         "to_json_string(struct(1 as a, ['x', null] as b))", "{\"a\":1,\"b\":[\"x\",null]}"),
    JSON("to_json", "to_json(T) → json", "The value as JSON. NULL is JSON's null.", "to_json(['a', null])",
         "[\"a\",null]"),
    JSON("json_array", "json_array(T, …) → json", "A JSON array of the values.", "json_array(1, 'a', null, [true])",
         "[1,\"a\",null,[true]]"),
    JSON("json_object", "json_object(string, T, …) → json",
         "A JSON object of the pairs; of repeated names the first counts.", "json_object('a', 1, 'b', [2, 3])",
         "{\"a\":1,\"b\":[2,3]}"),
};

const struct evs_family evs_family_json_make = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
