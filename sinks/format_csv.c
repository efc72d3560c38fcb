/* Rows to CSV (RFC 4180).
 *
 *   user_id,total,note              a header at the beginning of each file, unless `header = false`
 *   u1,12.5,"said ""hello"", left"
 *   u2,,""                          a NULL is nothing at all, an empty string is a pair of quotes
 *
 * A value is in quotes where it has a delimiter, a quote or a line break, where it is an empty string, and where it would be read as `null`.
 * Values are those of `format json` without their quotes; json, arrays and structs are JSON texts. Lines end with a line feed, as those of all
 * tools here do (`line_end = 'crlf'` is what RFC 4180 writes, and what it is read with makes no difference).
 *
 * A format that kept NULL and the empty string alike, as many do, would lose what a campaign needs to know: not asked, or answered with nothing. */
#include "format_csv.h"

#include "evstream/json_value.h"
#include "value_text.h"

struct csv_config {
    char delimiter;
    bool has_header, has_crlf;
    struct evs_slice null;
};

/* --- options ------------------------------------------------------------------------------------------------------------------ */

enum { OPTION_DELIMITER, OPTION_HEADER, OPTION_NULL, OPTION_LINE_END };
enum { DELIMITER_COMMA, DELIMITER_SEMICOLON, DELIMITER_TAB, DELIMITER_PIPE };

static const struct evs_option csv_options[] = {
    [OPTION_DELIMITER] = {.name = "delimiter",
                          .kind = EVS_OPTION_ENUM,
                          .fallback = "comma",
                          .choices = "comma|semicolon|tab|pipe",
                          .help =
                              "What stands between two values. Spreadsheets of many European settings want semicolon."},
    [OPTION_HEADER] = {.name = "header",
                       .kind = EVS_OPTION_BOOL,
                       .fallback = "true",
                       .help = "Whether each file begins with a line of the columns' names."},
    [OPTION_NULL] = {.name = "null",
                     .kind = EVS_OPTION_STRING,
                     .help = "How a NULL is written, without quotes; without it nothing is written."},
    [OPTION_LINE_END] = {.name = "line_end",
                         .kind = EVS_OPTION_ENUM,
                         .fallback = "lf",
                         .choices = "lf|crlf",
                         .help = "lf: a line feed; crlf: carriage return and line feed, as RFC 4180 writes it."},
    {0},
};

static evs_status csv_configure(const struct evs_option_value *values, const struct evs_schema *schema,
                                struct evs_arena *arena, const void **config, struct evs_error *error)
{
    static const char delimiters[] = {
        [DELIMITER_COMMA] = ',', [DELIMITER_SEMICOLON] = ';', [DELIMITER_TAB] = '\t', [DELIMITER_PIPE] = '|'};
    struct csv_config *made = EVS_ARENA_NEW(arena, struct csv_config);
    (void)schema;
    made->delimiter = delimiters[values[OPTION_DELIMITER].integer];
    made->has_header = values[OPTION_HEADER].integer != 0;
    made->has_crlf = values[OPTION_LINE_END].integer != 0;
    made->null = values[OPTION_NULL].is_set ? values[OPTION_NULL].text : EVS_SLICE("");
    for (size_t i = 0; i < made->null.count; i++) {
        char c = made->null.data[i];
        if (c == made->delimiter || c == '"' || c == '\r' || c == '\n') {
            return evs_fail(error, EVS_E_PIPELINE,
                            "The text of `null` stands without quotes: it can hold no delimiter, quote or line break.");
        }
    }
    *config = made;
    return EVS_OK;
}

/* --- values ------------------------------------------------------------------------------------------------------------------- */

static bool needs_quotes(const struct csv_config *config, struct evs_slice text)
{
    for (size_t i = 0; i < text.count; i++) {
        char c = text.data[i];
        if (c == config->delimiter || c == '"' || c == '\r' || c == '\n') {
            return true;
        }
    }
    return evs_slice_equal(text, config->null) || text.count == 0;
}

static void put_text(struct evs_buffer *out, const struct csv_config *config, struct evs_slice text)
{
    if (!needs_quotes(config, text)) {
        evs_buffer_put(out, text.data, text.count);
        return;
    }
    evs_buffer_put(out, "\"", 1);
    for (const char *next = text.data, *end = text.data + text.count; next < end;) {
        const char *quote = memchr(next, '"', (size_t)(end - next));
        const char *stop = quote == NULL ? end : quote + 1;
        evs_buffer_put(out, next, (size_t)(stop - next));
        evs_buffer_put(out, "\"", quote != NULL);
        next = stop;
    }
    evs_buffer_put(out, "\"", 1);
}

/* Types whose JSON is a text of its own, or a string in quotes. */
static void put_json(struct evs_buffer *out, const struct csv_config *config, const struct evs_column *column,
                     const struct evs_type *type, uint32_t row)
{
    struct evs_buffer json = {0};
    struct evs_value value = evs_column_value(column, row);
    evs_json_put_value(&json, &value, type, 0);
    struct evs_slice text = {json.data, json.count};
    if (type->kind == EVS_BYTES) { /* base64: nothing in it is escaped */
        text = (struct evs_slice){json.data + 1, json.count - 2};
    }
    put_text(out, config, text);
    evs_buffer_fini(&json);
}

static void put_value(struct evs_buffer *out, const struct csv_config *config, const struct evs_column *column,
                      const struct evs_type *type, uint32_t row)
{
    char text[EVS_FORMAT_MAX];
    switch (type->kind) {
    case EVS_STRING:
        put_text(out, config, evs_str_slice(EVS_COLUMN_AT(column, struct evs_str, row)));
        return;
    case EVS_BYTES:
    case EVS_JSON:
    case EVS_ARRAY:
    case EVS_STRUCT:
        put_json(out, config, column, type, row);
        return;
    case EVS_INTERVAL:
        put_text(out, config,
                 (struct evs_slice){text, evs_format_duration(text, EVS_COLUMN_AT(column, struct evs_interval, row))});
        return;
    default:
        put_text(out, config, (struct evs_slice){text, evs_text_of_value(text, column, type->kind, row)});
    }
}

/* --- the contract --------------------------------------------------------------------------------------------------------------- */

static void csv_encode(const void *config, const struct evs_schema *schema, const struct evs_batch *batch, uint32_t row,
                       const struct evs_format_place *place, struct evs_buffer *payload)
{
    const struct csv_config *csv = config;
    (void)place;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct evs_column *column = &batch->columns[i];
        evs_buffer_put(payload, &csv->delimiter, i > 0);
        if (evs_column_is_valid(column, row)) {
            put_value(payload, csv, column, schema->fields[i].type, row);
        } else {
            evs_buffer_put(payload, csv->null.data, csv->null.count);
        }
    }
    evs_buffer_put(payload, "\r", csv->has_crlf);
}

static void csv_header(const void *config, const struct evs_schema *schema, struct evs_buffer *out)
{
    const struct csv_config *csv = config;
    if (!csv->has_header) {
        return;
    }
    for (uint32_t i = 0; i < schema->count; i++) {
        evs_buffer_put(out, &csv->delimiter, i > 0);
        put_text(out, csv, evs_slice_of(schema->fields[i].name));
    }
    evs_buffer_puts(out, csv->has_crlf ? "\r\n" : "\n");
}

/* A line without its header says little to people, and is no JSON. */
static bool csv_describe(struct evs_slice payload, struct evs_buffer *json)
{
    (void)payload, (void)json;
    return false;
}

const struct evs_format evs_format_csv = {
    .kind = "csv",
    .options = csv_options,
    .configure = csv_configure,
    .encode = csv_encode,
    .header = csv_header,
    .describe = csv_describe,
};
