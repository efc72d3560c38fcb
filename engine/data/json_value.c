/* Values as JSON text, in full generality: the fast ways for columns of scalars are the sinks' own (sinks/format_json.c). */
#include "evstream/json_value.h"

#define DOUBLE_EXACT_MAX (INT64_C(1) << 53)

/* --- strings --------------------------------------------------------------------------------------------------------- */

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

static void put_escape(struct evs_buffer *out, uint8_t c)
{
    static const char short_form[0x20] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (c == '"' || c == '\\') {
        evs_buffer_put(out, (char[]){'\\', (char)c}, 2);
    } else if (short_form[c] != '\0') {
        evs_buffer_put(out, (char[]){'\\', short_form[c]}, 2);
    } else {
        evs_buffer_printf(out, "\\u%04x", c);
    }
}

void evs_json_put_text(struct evs_buffer *out, struct evs_slice text)
{
    evs_buffer_put(out, "\"", 1);
    for (size_t i = 0, from = 0; i <= text.count; i++) {
        if (i < text.count && is_plain((uint8_t)text.data[i])) {
            continue;
        }
        evs_buffer_put(out, text.data + from, i - from);
        from = i + 1;
        if (i < text.count) {
            put_escape(out, (uint8_t)text.data[i]);
        }
    }
    evs_buffer_put(out, "\"", 1);
}

static void put_base64(struct evs_buffer *out, struct evs_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *next = (const uint8_t *)bytes.data;
    for (size_t left = bytes.count; left > 0;) {
        size_t taken = left < 3 ? left : 3;
        uint32_t group = (uint32_t)next[0] << 16 | (taken > 1 ? (uint32_t)next[1] << 8 : 0) | (taken > 2 ? next[2] : 0);
        char four[4] = {digits[group >> 18], digits[group >> 12 & 63], taken > 1 ? digits[group >> 6 & 63] : '=',
                        taken > 2 ? digits[group & 63] : '='};
        evs_buffer_put(out, four, sizeof four);
        next += taken;
        left -= taken;
    }
}

/* --- scalars --------------------------------------------------------------------------------------------------------- */

static void put_quoted(struct evs_buffer *out, const char *text, uint32_t count)
{
    evs_buffer_put(out, "\"", 1);
    evs_buffer_put(out, text, count);
    evs_buffer_put(out, "\"", 1);
}

static void put_int64(struct evs_buffer *out, int64_t value, uint32_t flags)
{
    char text[EVS_FORMAT_MAX];
    uint32_t count = evs_format_int64(text, value);
    bool is_wide = value > DOUBLE_EXACT_MAX || value < -DOUBLE_EXACT_MAX;
    if (is_wide && (flags & EVS_JSON_WIDE_QUOTED)) {
        put_quoted(out, text, count);
    } else {
        evs_buffer_put(out, text, count);
    }
}

static void put_float64(struct evs_buffer *out, double value)
{
    char text[EVS_FORMAT_MAX];
    uint32_t count = evs_format_float64(text, value);
    if (__builtin_isfinite(value)) {
        evs_buffer_put(out, text, count);
    } else {
        put_quoted(out, text, count);
    }
}

/* A line is a record in most places that JSON goes to. */
static void put_json(struct evs_buffer *out, struct evs_slice text)
{
    size_t start = out->count;
    evs_buffer_put(out, text.data, text.count);
    for (size_t i = start; i < out->count; i++) {
        out->data[i] = out->data[i] == '\n' ? ' ' : out->data[i];
    }
}

static void put_time_value(struct evs_buffer *out, const struct evs_value *value)
{
    char text[EVS_FORMAT_MAX];
    const uint32_t date_bytes = sizeof "1970-01-01T" - 1;
    uint32_t count;
    switch (value->kind) {
    case EVS_DATE:
        put_quoted(out, text, evs_format_date(text, value->int64));
        break;
    case EVS_INTERVAL:
        put_quoted(out, text, evs_format_duration(text, &value->interval));
        break;
    default:
        count = evs_format_timestamp(text, value->int64);
        count -= value->kind != EVS_TIMESTAMP; /* the Z */
        if (value->kind == EVS_TIME) {
            put_quoted(out, text + date_bytes, count - date_bytes);
        } else {
            put_quoted(out, text, count);
        }
    }
}

/* --- arrays and structs ---------------------------------------------------------------------------------------------- */

/* Names must differ in JSON, so a field without one is called by its place. */
static void put_field_name(struct evs_buffer *out, const char *name, uint32_t index)
{
    if (name[0] == '\0') {
        evs_buffer_printf(out, "\"_field_%u\"", index + 1);
    } else {
        evs_json_put_text(out, evs_slice_of(name));
    }
}

static void put_nested(struct evs_buffer *out, const struct evs_value *value, const struct evs_type *type,
                       uint32_t flags)
{
    struct evs_nested nested = evs_nested_open(&value->str);
    bool is_array = type->kind == EVS_ARRAY;
    EVS_ASSERT(nested.form == type->kind && (is_array || nested.count == type->field_count));
    evs_buffer_puts(out, is_array ? "[" : "{");
    for (uint32_t i = 0; i < nested.count; i++) {
        struct evs_value element = evs_nested_at(&nested, i);
        evs_buffer_puts(out, i > 0 ? "," : "");
        if (!is_array) {
            put_field_name(out, type->fields[i].name, i);
            evs_buffer_puts(out, ":");
        }
        evs_json_put_value(out, &element, is_array ? type->element : type->fields[i].type, flags);
    }
    evs_buffer_puts(out, is_array ? "]" : "}");
}

void evs_json_put_value(struct evs_buffer *out, const struct evs_value *value, const struct evs_type *type,
                        uint32_t flags)
{
    char text[EVS_FORMAT_MAX];
    if (value->is_null) {
        evs_buffer_puts(out, "null");
        return;
    }
    EVS_ASSERT(value->kind == type->kind);
    switch (value->kind) {
    case EVS_BOOL:
        evs_buffer_puts(out, value->boolean ? "true" : "false");
        break;
    case EVS_INT64:
        put_int64(out, value->int64, flags);
        break;
    case EVS_FLOAT64:
        put_float64(out, value->float64);
        break;
    case EVS_NUMERIC:
        evs_buffer_put(out, text, evs_format_numeric(text, value->numeric));
        break;
    case EVS_STRING:
        evs_json_put_text(out, evs_str_slice(&value->str));
        break;
    case EVS_BYTES:
        evs_buffer_puts(out, "\"");
        put_base64(out, evs_str_slice(&value->str));
        evs_buffer_puts(out, "\"");
        break;
    case EVS_JSON:
        put_json(out, evs_str_slice(&value->str));
        break;
    case EVS_ARRAY:
    case EVS_STRUCT:
        put_nested(out, value, type, flags);
        break;
    default:
        put_time_value(out, value);
    }
}
