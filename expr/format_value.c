/* Values as format's %t and %T show them (format_value.h). */
#include "format_value.h"

#include <math.h>

#include "evstream/nested.h"
#include "json_access.h"
#include "text_tools.h"
#include "timestamps.h"

/* What stands in quotes, with both kinds of quotes escaped or that one alone. */
static void put_escaped(struct evs_buffer *out, struct evs_slice text, bool is_bytes, char quote)
{
    for (size_t i = 0; i < text.count; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        const char *short_form = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : c == '\\' ? "\\\\" : NULL;
        const bool is_quote = quote == '\0' ? c == '\'' || c == '"' : c == (unsigned char)quote;
        if (short_form != NULL) {
            evs_buffer_puts(out, short_form);
        } else if (is_quote) {
            evs_buffer_printf(out, "\\%c", c);
        } else if (c < 0x20 || c == 0x7f || (is_bytes && c >= 0x80)) {
            evs_buffer_printf(out, "\\x%02x", c);
        } else {
            evs_buffer_put(out, text.data + i, 1);
        }
    }
}

/* In double quotes, or in single ones when only double ones stand in the text. */
static void put_quoted(struct evs_buffer *out, const char *prefix, struct evs_slice text, bool is_bytes)
{
    const bool has_double = memchr(text.data, '"', text.count) != NULL;
    const bool has_single = memchr(text.data, '\'', text.count) != NULL;
    const char quote = has_double && !has_single ? '\'' : '"';
    evs_buffer_puts(out, prefix);
    evs_buffer_put(out, &quote, 1);
    put_escaped(out, text, is_bytes, quote);
    evs_buffer_put(out, &quote, 1);
}

/* Always with a point or an exponent, so that it is seen to be no int64. */
static void put_float64(struct evs_buffer *out, double value, bool as_literal)
{
    char text[EVS_FORMAT_MAX];
    const uint32_t count = evs_cast_float64_text(text, value);
    if (!isfinite(value)) {
        evs_buffer_printf(out, as_literal ? "CAST(\"%.*s\" AS FLOAT64)" : "%.*s", (int)count, text);
        return;
    }
    evs_buffer_put(out, text, count);
    if (memchr(text, '.', count) == NULL && memchr(text, 'e', count) == NULL) {
        evs_buffer_puts(out, ".0");
    }
}

/* Without white space. */
static void put_json(struct evs_buffer *out, struct evs_arena *scratch, struct evs_slice text, bool as_literal)
{
    size_t count = 0;
    char *compact = evs_arena_alloc(scratch, text.count + 1, 1);
    const bool whole = evs_json_minify((struct evs_json_text){text.data, text.count}, compact, &count);
    EVS_ASSERT(whole); /* a json value is valid JSON */
    if (as_literal) {
        put_quoted(out, "JSON ", (struct evs_slice){compact, count}, false);
    } else {
        evs_buffer_put(out, compact, count);
    }
}

static void put_elements(struct evs_buffer *out, struct evs_arena *scratch, const struct evs_value *value,
                         bool as_literal)
{
    const struct evs_nested nested = evs_nested_open(&value->str);
    const bool is_array = value->kind == EVS_ARRAY;
    const bool needs_word = !is_array && as_literal && nested.count < 2; /* (x) alone is x */
    evs_buffer_puts(out, is_array ? "[" : needs_word ? "STRUCT(" : "(");
    for (uint32_t i = 0; i < nested.count; i++) {
        const struct evs_value element = evs_nested_at(&nested, i);
        evs_buffer_puts(out, i > 0 ? ", " : "");
        evs_format_value(out, scratch, &element, as_literal);
    }
    evs_buffer_puts(out, is_array ? "]" : ")");
}

/* The text that a cast to string gives; the length. */
static uint32_t time_text(char *out, const struct evs_value *value)
{
    switch (value->kind) {
    case EVS_NUMERIC:
        return evs_format_numeric(out, value->numeric);
    case EVS_TIMESTAMP:
        return evs_timestamp_text(out, value->int64);
    case EVS_DATE:
        return evs_format_date(out, value->int64);
    case EVS_DATETIME:
        return evs_datetime_text(out, value->int64);
    case EVS_TIME:
        return evs_time_text(out, value->int64);
    default:
        EVS_ASSERT(value->kind == EVS_INTERVAL);
        return evs_interval_text(out, &value->interval);
    }
}

static void put_typed(struct evs_buffer *out, const struct evs_value *value, bool as_literal)
{
    static const char *const words[EVS_KIND_COUNT] = {
        [EVS_NUMERIC] = "NUMERIC ",   [EVS_TIMESTAMP] = "TIMESTAMP ", [EVS_DATE] = "DATE ",
        [EVS_DATETIME] = "DATETIME ", [EVS_TIME] = "TIME ",           [EVS_INTERVAL] = "INTERVAL ",
    };
    char text[EVS_FORMAT_MAX * 2];
    const uint32_t count = time_text(text, value);
    if (!as_literal) {
        evs_buffer_put(out, text, count);
        return;
    }
    put_quoted(out, words[value->kind], (struct evs_slice){text, count}, false);
    evs_buffer_puts(out, value->kind == EVS_INTERVAL ? " YEAR TO SECOND" : "");
}

void evs_format_value(struct evs_buffer *out, struct evs_arena *scratch, const struct evs_value *value, bool as_literal)
{
    char digits[EVS_FORMAT_MAX];
    if (value->is_null) {
        evs_buffer_puts(out, "NULL");
        return;
    }
    const struct evs_slice text = evs_kind_is_text(value->kind) ? evs_str_slice(&value->str) : EVS_SLICE("");
    switch (value->kind) {
    case EVS_BOOL:
        evs_buffer_puts(out, value->boolean ? "true" : "false");
        break;
    case EVS_INT64:
        evs_buffer_put(out, digits, evs_format_int64(digits, value->int64));
        break;
    case EVS_FLOAT64:
        put_float64(out, value->float64, as_literal);
        break;
    case EVS_STRING:
        as_literal ? put_quoted(out, "", text, false) : evs_buffer_put(out, text.data, text.count);
        break;
    case EVS_BYTES:
        as_literal ? put_quoted(out, "b", text, true) : put_escaped(out, text, true, '\0');
        break;
    case EVS_JSON:
        put_json(out, scratch, text, as_literal);
        break;
    case EVS_ARRAY:
    case EVS_STRUCT:
        put_elements(out, scratch, value, as_literal);
        break;
    default:
        put_typed(out, value, as_literal);
    }
}
