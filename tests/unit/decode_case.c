/* Failures are assertions of the engine, not libcheck's: the fuzz target has no libcheck. */
#include "decode_case.h"

#include <stdlib.h>

#include "decode_json.h"
#include "evstream/json_value.h"
#include "evstream/source.h"

/* --- declarations ------------------------------------------------------------------------------------------------------------ */

static char *next_word(char **rest)
{
    char *word = strsep(rest, " ");
    while (word != NULL && *word == '\0') {
        word = strsep(rest, " ");
    }
    return word;
}

static void set_path(struct decode_case *made, struct evs_decode_column *column, char *path)
{
    const char **keys = made->paths[made->column_count];
    column->path = keys;
    for (char *key; strcmp(column->name, "$") != 0 && (key = strsep(&path, ".")) != NULL;) {
        EVS_ASSERT(column->path_count < DECODE_CASE_PATH_MAX);
        keys[column->path_count++] = key;
    }
}

static void set_default(struct evs_decode_column *column, const char *text)
{
    column->has_default = true;
    column->fallback.kind = column->kind;
    if (evs_kind_is_var(column->kind)) {
        column->fallback.str = evs_str_make(text, (uint32_t)strlen(text));
    } else if (column->kind == EVS_NUMERIC) {
        column->fallback.numeric = (evs_numeric)strtoll(text, NULL, 10) * EVS_NUMERIC_ONE;
    } else if (column->kind == EVS_FLOAT64) {
        column->fallback.float64 = (double)strtoll(text, NULL, 10);
    } else if (column->kind == EVS_BOOL) {
        column->fallback.boolean = strcmp(text, "true") == 0;
    } else {
        column->fallback.int64 = strtoll(text, NULL, 10);
    }
}

static int64_t unit_us(const char *unit)
{
    return strcmp(unit, "s") == 0 ? 1000000 : strcmp(unit, "ms") == 0 ? 1000 : strcmp(unit, "us") == 0 ? 1 : -1000;
}

/* The type of a word: a kind, `kind[]`, or `nested`. */
static const struct evs_type *type_of(struct decode_case *made, const char *word)
{
    size_t length = strlen(word);
    if (strcmp(word, "nested") == 0) {
        const struct evs_type_field fields[] = {
            {"n", evs_type_of(EVS_INT64)}, {"s", evs_type_of(EVS_STRING)}, {"x", evs_type_array_of(EVS_FLOAT64)}};
        return evs_type_array(&made->arena, evs_type_struct(&made->arena, fields, 3));
    }
    bool is_array = length > 2 && strcmp(word + length - 2, "[]") == 0;
    enum evs_kind kind = evs_kind_parse((struct evs_slice){word, is_array ? length - 2 : length});
    EVS_ASSERT(kind != EVS_NULL_KIND);
    return is_array ? evs_type_array_of(kind) : evs_type_of(kind);
}

static void add_column(struct decode_case *made, char *text)
{
    EVS_ASSERT(made->column_count < DECODE_CASE_COLUMNS_MAX);
    struct evs_decode_column *column = &made->columns[made->column_count];
    char *name = next_word(&text), *kind = next_word(&text);
    EVS_ASSERT(name != NULL && kind != NULL);
    const struct evs_type *type = type_of(made, kind);
    *column = (struct evs_decode_column){
        .name = evs_arena_strndup(&made->arena, name, strlen(name)), .kind = type->kind, .type = type};
    set_path(made, column, name);
    for (char *word; (word = next_word(&text)) != NULL;) {
        if (strcmp(word, "not") == 0) {
            column->not_null = true;
        } else if (strcmp(word, "unit") == 0) {
            column->unit_us = unit_us(next_word(&text));
        } else if (strcmp(word, "default") == 0) {
            set_default(column, next_word(&text));
        } else {
            EVS_ASSERT(strcmp(word, "null") == 0);
        }
    }
    made->column_count++;
}

void decode_case_init(struct decode_case *made, const char *declaration, uint32_t row_bytes_max)
{
    *made = (struct decode_case){.pool = evs_batch_pool_new()};
    char *rest = evs_arena_strndup(&made->arena, declaration, strlen(declaration));
    for (char *column; (column = strsep(&rest, ";")) != NULL;) {
        if (strspn(column, " ") < strlen(column)) {
            add_column(made, column);
        }
    }
    made->decoder =
        evs_decode_json.open(made->columns, made->column_count, row_bytes_max == 0 ? 1u << 20 : row_bytes_max);
}

void decode_case_fini(struct decode_case *made)
{
    evs_decode_json.close(made->decoder);
    EVS_ASSERT(evs_batch_pool_live(made->pool) == 0);
    evs_batch_pool_free(made->pool);
    evs_arena_fini(&made->arena);
}

/* --- results ----------------------------------------------------------------------------------------------------------------- */

static void put_string(struct evs_buffer *out, struct evs_slice text)
{
    EVS_ASSERT(evs_utf8_valid(text.data, text.count));
    evs_buffer_put(out, "\"", 1);
    for (size_t i = 0; i < text.count; i++) {
        if (text.data[i] >= 0 && text.data[i] < ' ') {
            evs_buffer_printf(out, "\\x%02x", text.data[i]);
        } else {
            evs_buffer_put(out, &text.data[i], 1);
        }
    }
    evs_buffer_put(out, "\"", 1);
}

static void put_value(struct evs_buffer *out, const struct evs_column *column, const struct evs_type *type,
                      uint32_t row)
{
    struct evs_value value = evs_column_value(column, row);
    char text[EVS_FORMAT_MAX];
    uint32_t count = 0;
    if (value.is_null) {
        evs_buffer_puts(out, "NULL");
        return;
    }
    switch (value.kind) {
    case EVS_BOOL:
        evs_buffer_puts(out, value.boolean ? "true" : "false");
        return;
    case EVS_FLOAT64:
        count = evs_format_float64(text, value.float64);
        break;
    case EVS_NUMERIC:
        count = evs_format_numeric(text, value.numeric);
        break;
    case EVS_TIMESTAMP:
        count = evs_format_timestamp(text, value.int64);
        break;
    case EVS_DATE:
        count = evs_format_date(text, value.int64);
        break;
    case EVS_STRING:
    case EVS_BYTES:
    case EVS_JSON:
        put_string(out, evs_str_slice(&value.str));
        return;
    case EVS_ARRAY:
    case EVS_STRUCT:
        EVS_ASSERT(evs_nested_valid(evs_str_data(&value.str), value.str.count, type));
        evs_json_put_value(out, &value, type, 0);
        return;
    case EVS_INTERVAL:
        count = evs_format_duration(text, &value.interval);
        break;
    default:
        count = evs_format_int64(text, value.int64);
    }
    evs_buffer_put(out, text, count);
}

/* What holds whatever the input is. */
static void check_raw(struct evs_slice input, struct evs_slice raw)
{
    EVS_ASSERT(raw.data >= input.data && raw.count <= input.count);
    EVS_ASSERT(raw.data + raw.count <= input.data + input.count);
}

static void check_reason(const char *reason)
{
    static const char *const known[] = {"json", "utf8", "type", "null", "range", "depth", "oversize"};
    bool found = false;
    for (size_t i = 0; i < EVS_COUNT(known); i++) {
        found = found || strcmp(reason, known[i]) == 0;
    }
    EVS_ASSERT(found);
}

struct result {
    struct decode_case *made;
    struct evs_slice input;
    struct evs_decode_out *out;
    bool details, raw;
    uint32_t next_index; /* no record may come before it */
    struct evs_buffer *text;
};

static void put_raw(struct result *result, struct evs_slice raw)
{
    check_raw(result->input, raw);
    if (result->raw) {
        evs_buffer_printf(result->text, " [%.*s]", (int)raw.count, raw.data);
    }
    evs_buffer_put(result->text, "\n", 1);
}

static void put_row(struct result *result, uint32_t row)
{
    EVS_ASSERT(result->out->record_index[row] >= result->next_index);
    result->next_index = result->out->record_index[row] + 1;
    evs_buffer_printf(result->text, "#%u", result->out->record_index[row]);
    for (uint32_t i = 0; i < result->made->column_count; i++) {
        evs_buffer_put(result->text, " ", 1);
        put_value(result->text, &result->out->batch->columns[i], result->made->columns[i].type, row);
    }
    put_raw(result, result->out->raw[row]);
}

static void put_bad(struct result *result, const struct evs_decode_bad *bad)
{
    EVS_ASSERT(bad->index >= result->next_index);
    result->next_index = bad->index + 1;
    check_reason(bad->reason);
    size_t count = strnlen(bad->detail, sizeof bad->detail);
    EVS_ASSERT(count > 0 && count < sizeof bad->detail && evs_utf8_valid(bad->detail, count));
    evs_buffer_printf(result->text, "#%u !%s", bad->index, bad->reason);
    if (result->details) {
        evs_buffer_printf(result->text, " %s", bad->detail);
    }
    put_raw(result, bad->raw);
}

/* Rows and bad records of one call, merged by their indexes. */
static void put_call(struct result *result)
{
    const struct evs_decode_out *out = result->out;
    for (uint32_t row = 0, bad = 0; row < out->batch->row_count || bad < out->bad_count;) {
        bool row_first =
            bad == out->bad_count || (row < out->batch->row_count && out->record_index[row] < out->bad[bad].index);
        if (row_first) {
            put_row(result, row++);
        } else {
            put_bad(result, &out->bad[bad++]);
        }
    }
}

/* Column memory of an earlier batch may hold anything. */
static struct evs_batch *new_batch(struct decode_case *made, uint32_t rows)
{
    struct evs_batch *batch = evs_batch_new(made->pool, made->column_count);
    for (uint32_t i = 0; i < made->column_count; i++) {
        evs_column_init(&batch->columns[i], batch, made->columns[i].kind, EVS_BATCH_ROWS, i % 2 == 1);
        memset(batch->columns[i].data, 0xA5, (size_t)rows * evs_kind_width(made->columns[i].kind));
    }
    return batch;
}

void decode_case_run(struct decode_case *made, struct evs_slice input, struct decode_case_run run, bool details,
                     bool raw, struct evs_buffer *out)
{
    static uint32_t record_index[EVS_BATCH_ROWS];
    static struct evs_slice raws[EVS_BATCH_ROWS];
    struct evs_decode_bad *bad = evs_alloc(run.bad_max * sizeof *bad);
    char *memory = evs_alloc(input.count + EVS_PADDING);
    memset(memory, '}', input.count + EVS_PADDING); /* padding that would do harm if it were taken for text */
    if (input.count > 0) {
        memcpy(memory, input.data, input.count);
    }
    struct result result = {.made = made, .input = {memory, input.count}, .details = details, .raw = raw, .text = out};
    size_t consumed = 0;
    uint32_t next_index = 0;
    for (bool done = false; !done;) {
        struct evs_decode_out call = {.batch = new_batch(made, run.row_max),
                                      .row_max = run.row_max,
                                      .record_index = record_index,
                                      .raw = raws,
                                      .bad = bad,
                                      .bad_max = run.bad_max};
        size_t before = consumed;
        done = evs_decode_json.decode(made->decoder, result.input, &consumed, &next_index, run.is_file, &call);
        EVS_ASSERT(done == (consumed == input.count) && (done || consumed > before));
        EVS_ASSERT(call.batch->row_count <= run.row_max && call.bad_count <= run.bad_max);
        result.out = &call;
        put_call(&result);
        EVS_ASSERT(next_index >= result.next_index);
        evs_batch_unref(call.batch);
    }
    evs_free(memory);
    evs_free(bad);
}
