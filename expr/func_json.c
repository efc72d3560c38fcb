/* JSON functions. A json value is its text as it was received; these functions read it where it lies and give back
 * parts of it.
 *
 * Paths are constants: $, .name, ."any name", ['any name'], [0]. A path that leads nowhere gives NULL. As in
 * GoogleSQL a JSON null is a value of type json, but json_value and the functions of text give NULL for it. bool(),
 * int64(), float64() and string() want exactly their JSON type; the lax_ functions convert and give NULL where they
 * cannot. Text that is no JSON is NULL for json_value and json_query of a string, and an error for parse_json. */
#include <math.h>

#include "json_path.h"
#include "kernel.h"
#include "text_tools.h"
#include "timestamps.h"

/* --- paths -------------------------------------------------------------------------------------------------------- */

/* json_value and json_query: argument 1 is the path, `$` when it is left out. */
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

/* json_field: argument 1 is one name, whatever it looks like. */
static evs_status prepare_field(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                struct evs_error *error)
{
    (void)error;
    struct evs_json_path *path = EVS_ARENA_NEW(arena, struct evs_json_path);
    const struct evs_str *text = &expr->arguments[1]->value.str;
    path->steps = EVS_ARENA_NEW(arena, struct evs_json_step);
    path->steps[0].name =
        (struct evs_json_text){evs_arena_strndup(arena, evs_str_data(text), text->count), text->count};
    path->count = 1;
    *prepared = path;
    return EVS_OK;
}

/* --- taking parts ------------------------------------------------------------------------------------------------- */

static bool from_string(const struct evs_call *call)
{
    return call->step->overload->arguments[0] == EVS_STRING;
}

/* Where the path of the call leads in this text. */
static enum evs_json_kind find(struct evs_call *call, const struct evs_str *text, struct evs_slice *raw)
{
    const struct evs_json_path *path = call->step->prepared;
    const struct evs_json_text all = evs_json_text_of(evs_str_slice(text));
    if (from_string(call) && !evs_json_valid(evs_json_reader_of(call), all)) {
        return EVS_JSON_BAD;
    }
    struct evs_json_text found = {"", 0};
    const enum evs_json_kind kind =
        evs_json_find(evs_json_reader_of(call), all, path ? path->steps : NULL, path ? path->count : 0, &found);
    *raw = (struct evs_slice){found.data, found.count};
    return kind;
}

/* The text between the quotes: a view where nothing is escaped. */
bool evs_json_string_value(struct evs_call *call, struct evs_slice raw, struct evs_str *out)
{
    EVS_ASSERT(raw.count >= 2);
    const struct evs_slice inner = {raw.data + 1, raw.count - 2};
    if (memchr(inner.data, '\\', inner.count) == NULL) {
        *out = evs_str_make(inner.data, (uint32_t)inner.count);
        return true;
    }
    char *text = evs_call_text(call, raw.count);
    size_t count;
    if (!evs_json_access_unescape(evs_json_reader_of(call), evs_json_text_of(raw), text, &count)) {
        return false;
    }
    *out = evs_str_make(text, (uint32_t)count);
    return true;
}

static inline enum evs_row json_value_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    struct evs_slice raw;
    switch (find(call, a, &raw)) {
    case EVS_JSON_STRING:
        return evs_json_string_value(call, raw, out) ? EVS_ROW_OK : EVS_ROW_NULL;
    case EVS_JSON_NUMBER:
    case EVS_JSON_BOOL:
        *out = evs_str_make(raw.data, (uint32_t)raw.count);
        return EVS_ROW_OK;
    default:
        return EVS_ROW_NULL;
    }
}

static inline enum evs_row json_query_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    struct evs_slice raw;
    const enum evs_json_kind kind = find(call, a, &raw);
    if (kind == EVS_JSON_MISSING || kind == EVS_JSON_BAD || (kind == EVS_JSON_NULL && from_string(call))) {
        return EVS_ROW_NULL;
    }
    *out = evs_str_make(raw.data, (uint32_t)raw.count);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(json_value, json_value_row, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_1(json_query, json_query_row, struct evs_str, struct evs_str)

static inline enum evs_row json_index_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                          struct evs_str *out)
{
    const struct evs_json_step step = {.is_index = true, .index = (uint64_t)*b};
    struct evs_json_text raw = {"", 0};
    const struct evs_json_text text = evs_json_text_of(evs_str_slice(a));
    const enum evs_json_kind kind =
        *b < 0 ? EVS_JSON_MISSING : evs_json_find(evs_json_reader_of(call), text, &step, 1, &raw);
    if (kind == EVS_JSON_MISSING || kind == EVS_JSON_BAD) {
        return EVS_ROW_NULL;
    }
    *out = evs_str_make(raw.data, (uint32_t)raw.count);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(json_index, json_index_row, struct evs_str, int64_t, struct evs_str)

static inline enum evs_row json_type_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    static const char *const names[] = {
        [EVS_JSON_OBJECT] = "object", [EVS_JSON_ARRAY] = "array",  [EVS_JSON_STRING] = "string",
        [EVS_JSON_NUMBER] = "number", [EVS_JSON_BOOL] = "boolean", [EVS_JSON_NULL] = "null",
    };
    struct evs_slice raw;
    const enum evs_json_kind kind = find(call, a, &raw);
    if (kind == EVS_JSON_MISSING || kind == EVS_JSON_BAD) {
        return EVS_ROW_JSON;
    }
    *out = evs_str_make(names[kind], (uint32_t)strlen(names[kind]));
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(json_type, json_type_row, struct evs_str, struct evs_str)

/* --- strict conversions ------------------------------------------------------------------------------------------- */

/* 10, 10.0 and 1e1 are the int64 10; 10.1 is none. */
bool evs_json_int64(struct evs_slice raw, int64_t *out)
{
    if (evs_parse_int64(raw, out)) {
        return true;
    }
    double value;
    if (!evs_parse_float64(raw, &value) || value != trunc(value) || !(value >= -0x1p63 && value < 0x1p63)) {
        return false;
    }
    *out = (int64_t)value;
    return true;
}

static inline enum evs_row json_bool_row(struct evs_call *call, const struct evs_str *a, uint8_t *out)
{
    struct evs_slice raw;
    const enum evs_json_kind kind = find(call, a, &raw);
    *out = kind == EVS_JSON_BOOL && raw.data[0] == 't';
    return kind == EVS_JSON_BOOL ? EVS_ROW_OK : EVS_ROW_JSON;
}
static inline enum evs_row json_int64_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    struct evs_slice raw;
    return find(call, a, &raw) == EVS_JSON_NUMBER && evs_json_int64(raw, out) ? EVS_ROW_OK : EVS_ROW_JSON;
}
static inline enum evs_row json_float64_row(struct evs_call *call, const struct evs_str *a, double *out)
{
    struct evs_slice raw;
    return find(call, a, &raw) == EVS_JSON_NUMBER && evs_parse_float64(raw, out) ? EVS_ROW_OK : EVS_ROW_JSON;
}
static inline enum evs_row json_string_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    struct evs_slice raw;
    return find(call, a, &raw) == EVS_JSON_STRING && evs_json_string_value(call, raw, out) ? EVS_ROW_OK : EVS_ROW_JSON;
}
EVS_ROW_KERNEL_1(json_bool, json_bool_row, struct evs_str, uint8_t)
EVS_ROW_KERNEL_1(json_int64, json_int64_row, struct evs_str, int64_t)
EVS_ROW_KERNEL_1(json_float64, json_float64_row, struct evs_str, double)
EVS_ROW_KERNEL_1(json_string, json_string_row, struct evs_str, struct evs_str)

/* --- lax conversions ---------------------------------------------------------------------------------------------- */

static inline enum evs_row lax_bool_row(struct evs_call *call, const struct evs_str *a, uint8_t *out)
{
    struct evs_slice raw;
    struct evs_str text;
    double number;
    bool value = false;
    switch (find(call, a, &raw)) {
    case EVS_JSON_BOOL:
        *out = raw.data[0] == 't';
        return EVS_ROW_OK;
    case EVS_JSON_STRING:
        if (!evs_json_string_value(call, raw, &text) || !evs_parse_bool(evs_str_slice(&text), &value)) {
            return EVS_ROW_NULL;
        }
        *out = value;
        return EVS_ROW_OK;
    case EVS_JSON_NUMBER:
        if (!evs_parse_float64(raw, &number)) {
            return EVS_ROW_NULL;
        }
        *out = number != 0;
        return EVS_ROW_OK;
    default:
        return EVS_ROW_NULL;
    }
}

static enum evs_row float64_to_int64(double value, int64_t *out)
{
    const double rounded = round(value);
    if (!(rounded >= -0x1p63 && rounded < 0x1p63)) {
        return EVS_ROW_NULL;
    }
    *out = (int64_t)rounded;
    return EVS_ROW_OK;
}

/* A number, or a string that reads as one. */
static bool lax_number(struct evs_call *call, enum evs_json_kind kind, struct evs_slice raw, struct evs_str *held,
                       struct evs_slice *number)
{
    if (kind == EVS_JSON_STRING && evs_json_string_value(call, raw, held)) {
        *number = evs_trimmed(evs_str_slice(held));
        return true;
    }
    *number = raw;
    return kind == EVS_JSON_NUMBER;
}

static inline enum evs_row lax_int64_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    struct evs_slice raw = EVS_SLICE(""), number;
    struct evs_str held;
    double value;
    const enum evs_json_kind kind = find(call, a, &raw);
    if (kind == EVS_JSON_BOOL) {
        *out = raw.data[0] == 't';
        return EVS_ROW_OK;
    }
    if (!lax_number(call, kind, raw, &held, &number)) {
        return EVS_ROW_NULL;
    }
    if (evs_parse_int64(number, out)) {
        return EVS_ROW_OK;
    }
    return evs_parse_float64(number, &value) ? float64_to_int64(value, out) : EVS_ROW_NULL;
}
static inline enum evs_row lax_float64_row(struct evs_call *call, const struct evs_str *a, double *out)
{
    struct evs_slice raw = EVS_SLICE(""), number;
    struct evs_str held;
    const enum evs_json_kind kind = find(call, a, &raw);
    return lax_number(call, kind, raw, &held, &number) && evs_parse_float64(number, out) ? EVS_ROW_OK : EVS_ROW_NULL;
}
EVS_ROW_KERNEL_1(lax_bool, lax_bool_row, struct evs_str, uint8_t)
EVS_ROW_KERNEL_1(lax_int64, lax_int64_row, struct evs_str, int64_t)
EVS_ROW_KERNEL_1(lax_float64, lax_float64_row, struct evs_str, double)

/* --- text and back ------------------------------------------------------------------------------------------------ */

static inline enum evs_row parse_json_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct evs_slice text = evs_trimmed(evs_str_slice(a));
    *out = evs_str_make(text.data, (uint32_t)text.count);
    return evs_json_valid(evs_json_reader_of(call), evs_json_text_of(text)) ? EVS_ROW_OK : EVS_ROW_JSON;
}
EVS_ROW_KERNEL_1(parse_json, parse_json_row, struct evs_str, struct evs_str)
void evs_parse_json_kernel(struct evs_call *call)
{
    parse_json(call);
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define MAY_FAIL EVS_CALL_FALLIBLE
#define MAY_BE_NULL EVS_CALL_NULLABLE
#define ONE(name_, kernel_, from, to, flags_)                                                                          \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (to), .arguments = {(from)}, .required = 1, .flags = (flags_)  \
    }
#define PATH(name_, kernel_, from, to)                                                                                 \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .prepare = prepare_path, .result = (to),                                 \
        .arguments = {(from), EVS_ARG_CONSTANT}, .required = 1, .flags = MAY_BE_NULL                                   \
    }
static const struct evs_overload overloads[] = {
    PATH("json_value", json_value, EVS_JSON, EVS_STRING),
    PATH("json_value", json_value, EVS_STRING, EVS_STRING),
    PATH("json_query", json_query, EVS_JSON, EVS_JSON),
    PATH("json_query", json_query, EVS_STRING, EVS_STRING),
    {.name = "json_field",
     .kernel = json_query,
     .prepare = prepare_field,
     .result = EVS_JSON,
     .arguments = {EVS_JSON, EVS_ARG_CONSTANT},
     .required = 2,
     .flags = MAY_BE_NULL},
    {.name = "json_index",
     .kernel = json_index,
     .result = EVS_JSON,
     .arguments = {EVS_JSON, EVS_INT64},
     .required = 2,
     .flags = MAY_BE_NULL},
    ONE("json_type", json_type, EVS_JSON, EVS_STRING, MAY_FAIL),
    ONE("bool", json_bool, EVS_JSON, EVS_BOOL, MAY_FAIL),
    ONE("int64", json_int64, EVS_JSON, EVS_INT64, MAY_FAIL),
    ONE("float64", json_float64, EVS_JSON, EVS_FLOAT64, MAY_FAIL),
    ONE("string", json_string, EVS_JSON, EVS_STRING, MAY_FAIL),
    ONE("lax_bool", lax_bool, EVS_JSON, EVS_BOOL, MAY_BE_NULL),
    ONE("lax_int64", lax_int64, EVS_JSON, EVS_INT64, MAY_BE_NULL),
    ONE("lax_float64", lax_float64, EVS_JSON, EVS_FLOAT64, MAY_BE_NULL),
    ONE("lax_string", json_value, EVS_JSON, EVS_STRING, MAY_BE_NULL),
    ONE("parse_json", parse_json, EVS_STRING, EVS_JSON, MAY_FAIL),
};

#define JSON(name_, signature_, meaning_, example_, result_)                                                           \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_JSON, .signature = (signature_), .meaning = (meaning_),                  \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    JSON("json_value", "json_value(json or string [, path string]) → string",
         "The scalar at a path as text, without quotes; NULL for anything else.",
         "json_value(json '{\"a\": {\"b\": \"x\"}}', '$.a.b')", "x"),
    JSON("json_query", "json_query(json or string [, path string]) → json or string",
         "The value at a path, NULL when there is none.", "json_query(json '{\"a\": [1, {\"b\": 2}]}', '$.a[1]')",
         "{\"b\": 2}"),
    JSON("json_field", "json_field(json, name string) → json", "The member of that name; also written j.name.",
         "json_field(json '{\"a b\": 5}', 'a b')", "5"),
    JSON("json_index", "json_index(json, int64) → json", "The element of an array, from 0; also written j[0].",
         "json_index(json '[7, 8]', 1)", "8"),
    JSON("json_type", "json_type(json) → string", "object, array, string, number, boolean or null.",
         "json_type(json '[1]')", "array"),
    JSON("bool", "bool(json) → bool", "A JSON boolean; anything else is an error.", "bool(json 'true')", "true"),
    JSON("int64", "int64(json) → int64", "A JSON number that is a whole one; anything else is an error.",
         "int64(json '10.0')", "10"),
    JSON("float64", "float64(json) → float64", "A JSON number; anything else is an error.", "float64(json '9.8')",
         "9.8"),
    JSON("string", "string(json) → string; string(timestamp [, zone]) → string; string(date) → string",
         "A JSON string without quotes (anything else is an error), or the text of a time.",
         "string(json '\"sky\\\\u0021\"')", "sky!"),
    JSON("lax_bool", "lax_bool(json) → bool", "A boolean, a number that is not 0, or 'true'; else NULL.",
         "lax_bool(json '\"TRUE\"')", "true"),
    JSON("lax_int64", "lax_int64(json) → int64", "A number, rounded, or a string that reads as one; else NULL.",
         "lax_int64(json '\"1.5\"')", "2"),
    JSON("lax_float64", "lax_float64(json) → float64", "A number, or a string that reads as one; else NULL.",
         "lax_float64(json '\"1.5\"')", "1.5"),
    JSON("lax_string", "lax_string(json) → string", "A scalar as text; else NULL.", "lax_string(json '1.5')", "1.5"),
    JSON("parse_json", "parse_json(string) → json", "The JSON value that a text is; an error when it is none.",
         "parse_json(' [1]')", "[1]"),
};

const struct evs_family evs_family_json = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
