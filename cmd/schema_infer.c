/* From a sample of events to a `create source` (schema_sample.h).
 *
 * Types are what all values allow: int64 where all numbers are whole, numeric where they have at most four digits behind the point (money), else float64;
 * timestamp for texts in ISO 8601 with an offset, and for whole numbers whose name and size say that they are a time; json where an object is a map, an
 * array holds objects, or values are of several types. Nested objects become columns with paths. A column is `not null` where every event has a value.
 *
 * The event time is the timestamp that every event has and whose name fits best; its watermark stands as far behind as the sample was out of order. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "evstream/type.h"
#include "pretty.h"
#include "schema_sample.h"
#include "words.h"

#define MONEY_DIGITS_MAX 4
#define DELAY_LEAST_US (INT64_C(5) * 1000000)
#define COMMENT_ROWS_MIN 20 /* values are told from so many rows on */

struct column {
    const struct evs_sample_field *field;
    const char *name, *type, *unit; /* unit NULL: none */
    int64_t unit_us;                /* of the field's numbers; 0: nanoseconds */
    bool is_time, is_always;
};
struct inference {
    const struct evs_sample *sample;
    struct evs_arena arena;
    struct column *columns;
    uint32_t count, capacity;
};

/* --- types -------------------------------------------------------------------------------------------------------------------- */

static bool holds(const char *text, size_t count, const char *part)
{
    size_t length = strlen(part);
    for (size_t i = 0; i + length <= count; i++) {
        if (strncasecmp(text + i, part, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool ends_with(struct evs_slice text, const char *end)
{
    size_t length = strlen(end);
    return text.count >= length && strncasecmp(text.data + text.count - length, end, length) == 0;
}

static bool is_named_like_time(struct evs_slice name)
{
    return ends_with(name, "_at") || ends_with(name, "At") || ends_with(name, "ts") ||
           holds(name.data, name.count, "time") || holds(name.data, name.count, "date") ||
           holds(name.data, name.count, "epoch");
}

/* 2001 to 2096, in units. */
static const struct {
    const char *name;
    int64_t unit_us, least, most;
} units[] = {
    {"s", 1000000, INT64_C(1000000000), INT64_C(4000000000)},
    {"ms", 1000, INT64_C(1000000000000), INT64_C(4000000000000)},
    {"us", 1, INT64_C(1000000000000000), INT64_C(4000000000000000)},
    {"ns", 0, INT64_C(1000000000000000000), INT64_C(4000000000000000000)},
};

static bool find_unit(const struct evs_sample_field *field, struct column *column)
{
    for (size_t i = 0; i < EVS_COUNT(units); i++) {
        if (field->least >= units[i].least && field->most < units[i].most) {
            column->unit = units[i].name;
            column->unit_us = units[i].unit_us;
            return true;
        }
    }
    return false;
}

static const char *number_type(const struct evs_sample_field *field)
{
    if (field->fractions == 0) {
        return field->outside_int64 == 0 ? "int64" : "numeric";
    }
    bool is_exact = field->exponents == 0 && field->fraction_digits <= MONEY_DIGITS_MAX;
    return is_exact ? "numeric" : "float64";
}

static const char *string_type(const struct evs_sample_field *field)
{
    return field->timestamps == field->strings ? "timestamp" : field->dates == field->strings ? "date" : "string";
}

/* NULL where values are of several types or none. */
static const char *scalar_type(const struct evs_sample_field *field)
{
    uint64_t values = field->seen - field->nulls, numbers = field->integers + field->fractions;
    if (values == 0) {
        return NULL;
    }
    return field->bools == values     ? "bool"
           : numbers == values        ? number_type(field)
           : field->strings == values ? string_type(field)
                                      : NULL;
}

static const char *array_type(struct inference *inference, const struct evs_sample_field *field)
{
    const char *element = field->elements != NULL ? scalar_type(field->elements) : NULL;
    return element != NULL ? evs_arena_printf(&inference->arena, "array<%s>", element) : "json";
}

static void set_type(struct inference *inference, struct column *column)
{
    const struct evs_sample_field *field = column->field;
    uint64_t values = field->seen - field->nulls;
    const char *scalar = scalar_type(field);
    column->type = scalar != NULL                          ? scalar
                   : values == 0                           ? "string"
                   : field->arrays == values && values > 0 ? array_type(inference, field)
                                                           : "json";
    bool is_epoch = strcmp(column->type, "int64") == 0 && is_named_like_time(field->name) && find_unit(field, column);
    column->type = is_epoch ? "timestamp" : column->type;
    column->unit_us = is_epoch ? column->unit_us : 1;
    column->is_time = strcmp(column->type, "timestamp") == 0;
    column->is_always = values == inference->sample->rows;
}

/* --- names -------------------------------------------------------------------------------------------------------------------- */

static bool is_taken(const struct inference *inference, const char *name)
{
    for (uint32_t i = 0; i < inference->count; i++) {
        if (strcasecmp(inference->columns[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Letters, digits and _, no digit or _ in front: system columns begin with _. */
static char *plain_name(struct evs_arena *arena, struct evs_slice name)
{
    char *text = evs_arena_alloc(arena, name.count + 3, 1);
    size_t count = 0;
    for (size_t i = 0; i < name.count; i++) {
        char c = name.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_digit = c >= '0' && c <= '9';
        if (count == 0 && is_digit) {
            text[count++] = 'c';
        }
        if (is_letter || is_digit) {
            text[count++] = c;
        } else if (count > 0 && text[count - 1] != '_') {
            text[count++] = '_';
        }
    }
    while (count > 0 && text[count - 1] == '_') {
        count--;
    }
    if (count == 0) {
        text[count++] = 'c';
    }
    text[count] = '\0';
    return text;
}

/* The field's own name; with those around it, or a number, where it is taken. */
static const char *name_of(struct inference *inference, const struct evs_sample_field *field)
{
    const char *own = plain_name(&inference->arena, field->name), *name = own;
    for (const struct evs_sample_field *at = field->parent; at->parent != NULL && is_taken(inference, name);
         at = at->parent) {
        name = evs_arena_printf(&inference->arena, "%s_%s", plain_name(&inference->arena, at->name), name);
    }
    for (uint32_t number = 2; is_taken(inference, name); number++) {
        name = evs_arena_printf(&inference->arena, "%s_%u", own, number);
    }
    return name;
}

static void add_columns(struct inference *inference, const struct evs_sample_field *parent)
{
    for (const struct evs_sample_field *field = parent->children; field != NULL; field = field->next) {
        uint64_t values = field->seen - field->nulls;
        bool is_nested = values > 0 && field->objects == values && field->child_count > 0 && !field->is_map &&
                         field->depth < EVS_SAMPLE_DEPTH_MAX;
        if (is_nested) {
            add_columns(inference, field);
            continue;
        }
        struct column column = {.field = field, .name = name_of(inference, field)};
        set_type(inference, &column);
        EVS_GROW(inference->columns, inference->count, inference->capacity);
        inference->columns[inference->count++] = column;
    }
}

/* --- event time --------------------------------------------------------------------------------------------------------------- */

static uint32_t rank_of(struct evs_slice name)
{
    static const char *const best[] = {"occurred", "event_time", "eventtime", "timestamp",
                                       "event_ts", "created",    "time",      "ts"};
    for (uint32_t i = 0; i < EVS_COUNT(best); i++) {
        if (holds(name.data, name.count, best[i])) {
            return i;
        }
    }
    return EVS_COUNT(best);
}

static const struct column *event_time(const struct inference *inference)
{
    const struct column *found = NULL;
    for (uint32_t i = 0; i < inference->count; i++) {
        const struct column *column = &inference->columns[i];
        bool may_be = column->is_time && column->is_always;
        if (may_be && (found == NULL || rank_of(column->field->name) < rank_of(found->field->name))) {
            found = column;
        }
    }
    return found;
}

static int64_t behind_us(const struct column *column)
{
    int64_t behind = column->field->behind;
    return column->unit_us == 0 ? behind / 1000 : behind * column->unit_us;
}

/* Rounded up to a number that people use. */
static void put_delay(struct evs_buffer *out, int64_t behind)
{
    static const struct {
        int64_t us;
        const char *text;
    } steps[] = {{DELAY_LEAST_US, "5 second"},           {INT64_C(10) * 1000000, "10 second"},
                 {INT64_C(30) * 1000000, "30 second"},   {INT64_C(60) * 1000000, "1 minute"},
                 {INT64_C(300) * 1000000, "5 minute"},   {INT64_C(900) * 1000000, "15 minute"},
                 {INT64_C(3600) * 1000000, "1 hour"},    {INT64_C(6) * 3600 * 1000000, "6 hour"},
                 {INT64_C(24) * 3600 * 1000000, "1 day"}};
    for (size_t i = 0; i < EVS_COUNT(steps); i++) {
        if (behind <= steps[i].us) {
            evs_buffer_puts(out, steps[i].text);
            return;
        }
    }
    evs_buffer_printf(out, "%" PRId64 " day", behind / (INT64_C(24) * 3600 * 1000000) + 1);
}

/* --- text --------------------------------------------------------------------------------------------------------------------- */

static void put_name(struct evs_buffer *out, const char *name)
{
    bool is_reserved = evs_word_is_reserved(evs_word_find(evs_slice_of(name)));
    evs_buffer_printf(out, is_reserved ? "`%s`" : "%s", name);
}

static void put_step(struct evs_buffer *out, struct evs_slice name)
{
    bool is_plain = name.count > 0;
    for (size_t i = 0; i < name.count; i++) {
        char c = name.data[i];
        is_plain = is_plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_');
    }
    if (is_plain) {
        evs_buffer_printf(out, ".%.*s", (int)name.count, name.data);
        return;
    }
    evs_buffer_puts(out, ".\"");
    for (size_t i = 0; i < name.count; i++) {
        evs_buffer_puts(out, name.data[i] == '"' || name.data[i] == '\\' ? "\\" : "");
        evs_buffer_put(out, name.data + i, 1);
    }
    evs_buffer_puts(out, "\"");
}

static void put_steps(struct evs_buffer *out, const struct evs_sample_field *field)
{
    if (field->parent != NULL) {
        put_steps(out, field->parent);
        put_step(out, field->name);
    }
}

/* In the quotes of the language. */
static void put_quoted(struct evs_buffer *out, struct evs_slice text)
{
    evs_buffer_puts(out, "'");
    for (size_t i = 0; i < text.count; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20) {
            evs_buffer_printf(out, "\\x%02x", c);
            continue;
        }
        evs_buffer_puts(out, c == '\'' || c == '\\' ? "\\" : "");
        evs_buffer_put(out, text.data + i, 1);
    }
    evs_buffer_puts(out, "'");
}

static void put_path(struct evs_buffer *out, const struct column *column)
{
    const struct evs_sample_field *field = column->field;
    bool is_own = field->parent->parent == NULL && evs_slice_equal(field->name, evs_slice_of(column->name));
    if (is_own) {
        return;
    }
    struct evs_buffer path = {0};
    evs_buffer_puts(&path, "$");
    put_steps(&path, field);
    evs_buffer_puts(out, " path ");
    put_quoted(out, (struct evs_slice){path.data, path.count});
    evs_buffer_fini(&path);
}

/* Values of which there are few: types of events, channels, countries. */
static void put_values(struct evs_buffer *out, const struct column *column, uint64_t rows)
{
    const struct evs_sample_field *field = column->field;
    bool is_told = strcmp(column->type, "string") == 0 && !field->has_more_values && field->value_count > 0 &&
                   rows >= COMMENT_ROWS_MIN;
    for (uint32_t i = 0; is_told && i < field->value_count; i++) {
        evs_buffer_printf(out, "%s%.*s", i > 0 ? ", " : "; ", (int)field->values[i].count, field->values[i].data);
    }
}

static void put_comment(struct evs_buffer *out, const struct column *column, uint64_t rows)
{
    const struct evs_sample_field *field = column->field;
    uint64_t values = field->seen - field->nulls;
    evs_buffer_printf(out, "  -- in %" PRIu64 " of %" PRIu64, values, rows);
    if (values == 0) {
        evs_buffer_puts(out, ": never a value, so the type is a guess");
    } else if (strcmp(column->type, "json") == 0 && field->objects < values && field->arrays < values) {
        evs_buffer_puts(out, ": values of several types");
    }
    put_values(out, column, rows);
}

static void put_column(struct evs_buffer *out, const struct inference *inference, const struct column *column,
                       bool is_last)
{
    put_name(out, column->name);
    evs_buffer_printf(out, " %s", column->type);
    put_path(out, column);
    if (column->unit != NULL) {
        evs_buffer_printf(out, " unit %s", column->unit);
    }
    evs_buffer_puts(out, column->is_always ? " not null" : "");
    evs_buffer_puts(out, is_last ? "" : ",");
    put_comment(out, column, inference->sample->rows);
    evs_buffer_puts(out, "\n");
}

static void put_head(struct evs_buffer *out, const struct evs_sample *sample)
{
    evs_buffer_printf(out, "-- Made from %" PRIu64 " event%s.", sample->rows, sample->rows == 1 ? "" : "s");
    if (sample->bad_rows > 0) {
        evs_buffer_printf(out, " %" PRIu64 " line%s no JSON object, the first is line %" PRIu64 ".", sample->bad_rows,
                          sample->bad_rows == 1 ? " is" : "s are", sample->first_bad_line);
    }
    evs_buffer_puts(out, "\n");
}

static void put_watermark(struct evs_buffer *out, const struct column *time)
{
    int64_t behind = behind_us(time);
    evs_buffer_puts(out, "watermark for ");
    put_name(out, time->name);
    evs_buffer_puts(out, " as ");
    put_name(out, time->name);
    evs_buffer_puts(out, " - interval ");
    put_delay(out, behind);
    if (behind == 0) {
        evs_buffer_puts(out, "  -- the events came in order\n");
    } else {
        evs_buffer_printf(out, "  -- events came up to %.3g s late\n", (double)behind / 1e6);
    }
}

/* The layout is the formatter's; a text that it refused would be a defect. */
static void put_formatted(const struct evs_buffer *text, struct evs_buffer *out)
{
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(sources);
    bool is_right =
        evs_pretty(evs_sources_add(sources, "schema", (struct evs_slice){text->data, text->count}), diagnostics, out);
    EVS_ASSERT(is_right);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
}

void evs_schema_infer(const struct evs_sample *sample, const char *name, const char *file, struct evs_buffer *out)
{
    struct inference inference = {.sample = sample};
    struct evs_buffer text = {0};
    add_columns(&inference, &sample->root);
    const struct column *time = event_time(&inference);
    put_head(&text, sample);
    evs_buffer_puts(&text, "create source ");
    put_name(&text, plain_name(&inference.arena, evs_slice_of(name)));
    evs_buffer_puts(&text, " (\n");
    for (uint32_t i = 0; i < inference.count; i++) {
        put_column(&text, &inference, &inference.columns[i], time == NULL && i + 1 == inference.count);
    }
    if (time != NULL) {
        put_watermark(&text, time);
    }
    evs_buffer_puts(&text, ") from file (path = ");
    put_quoted(&text, evs_slice_of(file));
    evs_buffer_puts(&text, ");\n");
    put_formatted(&text, out);
    evs_free(inference.columns);
    evs_arena_fini(&inference.arena);
    evs_buffer_fini(&text);
}
