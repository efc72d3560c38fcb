/* JSON changed at constant paths: json_set, json_remove, json_array_append, json_array_insert, json_strip_nulls.
 *
 * The text is walked along the path and copied beside it; nothing is built as a tree. A path that leads through a scalar, or through a
 * container of the other kind, changes nothing (GoogleSQL's rule). json_set makes what is missing: members, elements (with nulls before
 * them), and objects in place of a null. Several paths are applied one after the other. */
#include "evstream/json_value.h"
#include "json_path.h"
#include "nested_tools.h"
#include "text_tools.h"

enum edit_kind { EDIT_SET, EDIT_REMOVE, EDIT_APPEND, EDIT_INSERT };

struct edit {
    struct evs_call *call;
    struct evs_buffer *out;
    const struct evs_json_path *path;
    enum edit_kind kind;
    struct evs_slice value; /* JSON text */
    bool each;              /* append, insert: value is an array whose elements go in one by one */
};

static void put(struct evs_buffer *out, struct evs_slice text)
{
    evs_buffer_put(out, text.data, text.count);
}

static void put_comma(struct evs_buffer *out, bool any)
{
    evs_buffer_puts(out, any ? "," : "");
}

/* --- what is missing ----------------------------------------------------------------------------------------------- */

/* The rest of the path from step `depth` on, with the value at its end. */
static void put_new(const struct edit *edit, uint32_t depth)
{
    if (depth == edit->path->count) {
        put(edit->out, edit->value);
        return;
    }
    const struct evs_json_step *step = &edit->path->steps[depth];
    if (step->is_index) {
        evs_buffer_puts(edit->out, "[");
        for (uint64_t i = 0; i < step->index; i++) {
            evs_buffer_puts(edit->out, "null,");
        }
        put_new(edit, depth + 1);
        evs_buffer_puts(edit->out, "]");
    } else {
        evs_buffer_puts(edit->out, "{");
        evs_json_put_text(edit->out, (struct evs_slice){step->name.data, step->name.count});
        evs_buffer_puts(edit->out, ":");
        put_new(edit, depth + 1);
        evs_buffer_puts(edit->out, "}");
    }
}

/* --- at the place -------------------------------------------------------------------------------------------------- */

/* The value, or its elements one by one; `any`: something stands before it. */
static bool put_elements(const struct edit *edit, bool any)
{
    if (!edit->each) {
        put_comma(edit->out, any);
        put(edit->out, edit->value);
        return true;
    }
    struct evs_json_walk walk = evs_json_walk(edit->value);
    struct evs_slice key, element;
    while (evs_json_walk_next(&walk, &key, &element)) {
        put_comma(edit->out, any);
        put(edit->out, element);
        any = true;
    }
    return any;
}

static void append(const struct edit *edit, struct evs_slice array)
{
    struct evs_json_walk walk = evs_json_walk(array);
    struct evs_slice key, element;
    bool any = false;
    evs_buffer_puts(edit->out, "[");
    while (evs_json_walk_next(&walk, &key, &element)) {
        put_comma(edit->out, any);
        put(edit->out, element);
        any = true;
    }
    put_elements(edit, any);
    evs_buffer_puts(edit->out, "]");
}

/* Before the element of that number, or behind nulls when there are not so many. */
static void insert(const struct edit *edit, struct evs_slice array, uint64_t index)
{
    struct evs_json_walk walk = evs_json_walk(array);
    struct evs_slice key, element;
    uint64_t at = 0;
    bool any = false;
    evs_buffer_puts(edit->out, "[");
    for (; evs_json_walk_next(&walk, &key, &element); at++) {
        any = at == index ? put_elements(edit, any) : any;
        put_comma(edit->out, any);
        put(edit->out, element);
        any = true;
    }
    for (; at < index; at++) {
        put_comma(edit->out, any);
        evs_buffer_puts(edit->out, "null");
        any = true;
    }
    if (at == index) {
        put_elements(edit, any);
    }
    evs_buffer_puts(edit->out, "]");
}

static bool is_json_null(struct evs_slice text)
{
    return text.data[0] == 'n';
}

/* The path has ended here. */
static void put_target(const struct edit *edit, struct evs_slice text)
{
    if (edit->kind == EDIT_SET) {
        put(edit->out, edit->value);
    } else if (edit->kind == EDIT_APPEND && (text.data[0] == '[' || is_json_null(text))) {
        append(edit, is_json_null(text) ? EVS_SLICE("[]") : text);
    } else {
        put(edit->out, text);
    }
}

/* --- along the path ------------------------------------------------------------------------------------------------ */

static bool key_is(struct evs_call *call, struct evs_slice raw, const struct evs_json_step *step)
{
    struct evs_str key;
    const struct evs_slice name = {step->name.data, step->name.count};
    return evs_json_string_value(call, raw, &key) && evs_slice_equal(evs_str_slice(&key), name);
}

static void put_edited(const struct edit *edit, struct evs_slice text, uint32_t depth);

/* The members or elements, with the one that the step means edited or left out, or made behind the others. */
static void put_container(const struct edit *edit, struct evs_slice text, uint32_t depth)
{
    const struct evs_json_step *step = &edit->path->steps[depth];
    const bool is_last = depth + 1 == edit->path->count;
    struct evs_json_walk walk = evs_json_walk(text);
    struct evs_slice key, value;
    bool any = false, found = false;
    uint64_t at = 0;
    put(edit->out, (struct evs_slice){text.data, 1});
    for (; evs_json_walk_next(&walk, &key, &value); at++) {
        const bool here = !found && (step->is_index ? at == step->index : key_is(edit->call, key, step));
        found = found || here;
        if (here && is_last && edit->kind == EDIT_REMOVE) {
            continue;
        }
        put_comma(edit->out, any);
        any = true;
        if (key.count > 0) {
            put(edit->out, key);
            evs_buffer_puts(edit->out, ":");
        }
        if (here) {
            put_edited(edit, value, depth + 1);
        } else {
            put(edit->out, value);
        }
    }
    if (!found && edit->kind == EDIT_SET) {
        for (; step->is_index && at < step->index; at++) {
            put_comma(edit->out, any);
            evs_buffer_puts(edit->out, "null");
            any = true;
        }
        put_comma(edit->out, any);
        if (!step->is_index) {
            evs_json_put_text(edit->out, (struct evs_slice){step->name.data, step->name.count});
            evs_buffer_puts(edit->out, ":");
        }
        put_new(edit, depth + 1);
    }
    evs_buffer_puts(edit->out, text.data[0] == '{' ? "}" : "]");
}

static void put_edited(const struct edit *edit, struct evs_slice text, uint32_t depth)
{
    if (depth == edit->path->count) {
        put_target(edit, text);
        return;
    }
    const struct evs_json_step *step = &edit->path->steps[depth];
    const bool is_last = depth + 1 == edit->path->count;
    if (edit->kind == EDIT_INSERT && is_last && step->is_index && (text.data[0] == '[' || is_json_null(text))) {
        insert(edit, is_json_null(text) ? EVS_SLICE("[]") : text, step->index);
    } else if (text.data[0] == (step->is_index ? '[' : '{')) {
        put_container(edit, text, depth);
    } else if (edit->kind == EDIT_SET && is_json_null(text)) {
        put_new(edit, depth);
    } else {
        put(edit->out, text);
    }
}

/* --- the functions ------------------------------------------------------------------------------------------------- */

/* Elements that a path may name: more would only write nulls. */
#define INDEX_MAX 100000

struct paths {
    const struct evs_json_path **items;
};

static evs_status read_path(struct evs_arena *arena, const struct evs_expr *expr, uint32_t argument, bool needs_step,
                            const struct evs_json_path **path, struct evs_error *error)
{
    const struct evs_expr *text = expr->arguments[argument];
    if (text->kind != EVS_EXPR_CONSTANT || text->type->kind != EVS_STRING || text->value.is_null) {
        return evs_fail(error, EVS_E_PIPELINE, "argument %u of %s is a path, a constant string such as '$.a'",
                        argument + 1, expr->overload->name);
    }
    const char *copy = evs_arena_strndup(arena, evs_str_data(&text->value.str), text->value.str.count);
    *path = evs_json_path_parse(arena, (struct evs_slice){copy, text->value.str.count});
    if (*path == NULL) {
        return evs_fail(error, EVS_E_PIPELINE, "%s is no JSON path; one looks like '$.items[0].\"unit price\"'",
                        text->text);
    }
    if (needs_step && (*path)->count == 0) {
        return evs_fail(error, EVS_E_PIPELINE, "the path '$' is the whole value, which %s cannot remove",
                        expr->overload->name);
    }
    for (uint32_t i = 0; i < (*path)->count; i++) {
        if ((*path)->steps[i].is_index && (*path)->steps[i].index > INDEX_MAX) {
            return evs_fail(error, EVS_E_PIPELINE, "%s: elements up to number %u can be changed", text->text,
                            INDEX_MAX);
        }
    }
    return EVS_OK;
}

/* Paths stand at 1, 1 + step, … */
static evs_status prepare_paths(struct evs_arena *arena, const struct evs_expr *expr, uint32_t step,
                                const void **prepared, struct evs_error *error)
{
    if ((expr->argument_count - 1) % step != 0) {
        return evs_fail(error, EVS_E_PIPELINE, "%s takes pairs of a path and a value", expr->overload->name);
    }
    struct paths *paths = EVS_ARENA_NEW(arena, struct paths);
    paths->items = EVS_ARENA_ARRAY(arena, const struct evs_json_path *, expr->argument_count);
    for (uint32_t i = 1; i < expr->argument_count; i += step) {
        const evs_status status = read_path(arena, expr, i, step == 1, &paths->items[i], error);
        if (status != EVS_OK) {
            return status;
        }
    }
    *prepared = paths;
    return EVS_OK;
}

static evs_status prepare_pairs(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                struct evs_error *error)
{
    return prepare_paths(arena, expr, 2, prepared, error);
}
static evs_status prepare_list(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                               struct evs_error *error)
{
    return prepare_paths(arena, expr, 1, prepared, error);
}

/* The value of an argument as JSON text that lives as long as the row's result. */
static struct evs_slice json_of(struct evs_call *call, uint32_t argument, uint32_t row)
{
    struct evs_buffer *out = &call->eval->buffer;
    const struct evs_value value = evs_call_value(call, argument, row);
    out->count = 0;
    evs_json_put_value(out, &value, evs_call_argument_type(call, argument), 0);
    return (struct evs_slice){evs_arena_copy(call->eval->text, out->data, out->count), out->count};
}

static enum evs_row edit_row(struct evs_call *call, uint32_t row)
{
    const struct paths *paths = call->step->prepared;
    const enum edit_kind kind = (enum edit_kind)call->step->overload->variant;
    const uint32_t step = kind == EDIT_REMOVE ? 1 : 2;
    struct evs_str text = *EVS_COLUMN_AT(call->arguments[0], struct evs_str, row);
    for (uint32_t i = 1; i < call->argument_count; i += step) {
        struct edit edit = {.call = call, .out = &call->eval->buffer, .path = paths->items[i], .kind = kind};
        if (step == 2) {
            edit.value = json_of(call, i + 1, row);
            edit.each = evs_call_argument_type(call, i + 1)->kind == EVS_ARRAY && edit.value.data[0] == '[';
        }
        edit.out->count = 0;
        put_edited(&edit, evs_trimmed(evs_str_slice(&text)), 0);
        if (edit.out->count > EVS_TEXT_BYTES_MAX) {
            return EVS_ROW_TOO_LONG;
        }
        text = evs_call_str(call, edit.out->data, edit.out->count);
    }
    ((struct evs_str *)call->result->data)[row] = text;
    return EVS_ROW_OK;
}

/* --- json_strip_nulls ---------------------------------------------------------------------------------------------- */

/* Members and elements that are null go; an array or object that loses all stays, empty. */
static void put_stripped(struct evs_buffer *out, struct evs_slice text)
{
    if (text.data[0] != '{' && text.data[0] != '[') {
        put(out, text);
        return;
    }
    struct evs_json_walk walk = evs_json_walk(text);
    struct evs_slice key, value;
    bool any = false;
    put(out, (struct evs_slice){text.data, 1});
    while (evs_json_walk_next(&walk, &key, &value)) {
        if (is_json_null(value)) {
            continue;
        }
        put_comma(out, any);
        any = true;
        put(out, key);
        evs_buffer_puts(out, key.count > 0 ? ":" : "");
        put_stripped(out, value);
    }
    evs_buffer_puts(out, text.data[0] == '{' ? "}" : "]");
}

static enum evs_row strip_row(struct evs_call *call, uint32_t row)
{
    struct evs_buffer *out = &call->eval->buffer;
    const struct evs_str *text = EVS_COLUMN_AT(call->arguments[0], struct evs_str, row);
    out->count = 0;
    put_stripped(out, evs_trimmed(evs_str_slice(text)));
    ((struct evs_str *)call->result->data)[row] = evs_call_str(call, out->data, out->count);
    return EVS_ROW_OK;
}

#define EACH_ROW_KERNEL(name, function)                                                                                \
    static void name(struct evs_call *call)                                                                            \
    {                                                                                                                  \
        EVS_EACH_ROW(&call->rows, row)                                                                                 \
        {                                                                                                              \
            EVS_ROW_DONE(call, row, function(call, row));                                                              \
        }                                                                                                              \
    }
EACH_ROW_KERNEL(edit_json, edit_row)
EACH_ROW_KERNEL(strip_nulls, strip_row)

/* --- tables -------------------------------------------------------------------------------------------------------- */

/* A NULL value is JSON's null, but a NULL json is NULL: so these see NULLs only where they can be values. */
#define EDIT(name_, prepare_, variant_, required_)                                                                     \
    {                                                                                                                  \
        .name = (name_), .kernel = edit_json, .prepare = (prepare_), .result = EVS_JSON,                               \
        .arguments = {EVS_JSON, EVS_ARG_ANY}, .required = (required_), .flags = EVS_CALL_FALLIBLE | EVS_CALL_VARIADIC, \
        .variant = (variant_)                                                                                          \
    }
static const struct evs_overload overloads[] = {
    EDIT("json_set", prepare_pairs, EDIT_SET, 3),
    EDIT("json_remove", prepare_list, EDIT_REMOVE, 2),
    EDIT("json_array_append", prepare_pairs, EDIT_APPEND, 3),
    EDIT("json_array_insert", prepare_pairs, EDIT_INSERT, 3),
    {.name = "json_strip_nulls", .kernel = strip_nulls, .result = EVS_JSON, .arguments = {EVS_JSON}, .required = 1},
};

#define JSON(name_, signature_, meaning_, example_, result_)                                                           \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_JSON, .signature = (signature_), .meaning = (meaning_),                  \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    JSON("json_set", "json_set(json, path string, T, …) → json",
         "The value at the path is replaced, or made where it is missing. NULL when an argument is NULL.",
         "json_set(json '{\"a\": 1}', '$.a', 2, '$.b[1]', 'x')", "{\"a\":2,\"b\":[null,\"x\"]}"),
    JSON("json_remove", "json_remove(json, path string, …) → json", "Without the values at the paths.",
         "json_remove(json '{\"a\": 1, \"b\": [1, 2]}', '$.a', '$.b[0]')", "{\"b\":[2]}"),
    JSON("json_array_append", "json_array_append(json, path string, T, …) → json",
         "The value behind the elements of the array at the path; of an array, each of its elements.",
         "json_array_append(json '{\"a\": [1]}', '$.a', [2, 3])", "{\"a\":[1,2,3]}"),
    JSON("json_array_insert", "json_array_insert(json, path string, T, …) → json",
         "The value before the element at the path; of an array, each of its elements.",
         "json_array_insert(json '[1, 2]', '$[1]', 'x')", "[1,\"x\",2]"),
    JSON("json_strip_nulls", "json_strip_nulls(json) → json", "Without the members and elements that are null.",
         "json_strip_nulls(json '{\"a\": null, \"b\": [1, null]}')", "{\"b\":[1]}"),
};

const struct evs_family evs_family_json_edit = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
