/* Rows to JSON.
 *
 *   {"user_id":"u1","total":12.50,"window_start":"2026-01-05T10:00:00Z"}
 *
 * | type                     | JSON                                                                      |
 * |--------------------------|---------------------------------------------------------------------------|
 * | bool, int64, numeric     | true, false; a number with its exact digits                               |
 * | float64                  | the shortest number that reads back the same; "NaN", "Infinity", "-Infinity" |
 * | string                   | a string; only `"`, `\` and control characters are escaped                |
 * | bytes                    | a string, base64 with padding (RFC 4648, 4)                               |
 * | json                     | as it was received; a line break between its tokens becomes a space       |
 * | timestamp                | "2026-01-05T10:00:00Z" with no, three or six digits of a fraction         |
 * | date, datetime, time     | "2026-01-05", "2026-01-05T10:00:00", "10:00:00"                           |
 * | interval                 | an ISO 8601 duration, "P3DT4H5M6.5S"                                      |
 * | array, struct            | an array; an object of the fields in their order                          |
 * | NULL of any type         | null                                                                      |
 *
 * This is on the path of every row that leaves the engine. Keys are prepared once, with their quotes, colons and commas; room is made
 * once for all that has a bound and once for each text; clean text is copied by words that are checked on the way. */
#include "format_json.h"

#include "evstream/json_value.h"
#include "value_text.h"

#define FRAGMENT_BYTES 16u /* fragments are copied in pieces of this; memory and room are rounded up to it */

struct fragment {
    const char *text; /* `{"key":` or `,"key":` */
    uint32_t bytes;
    enum evs_kind kind;
    const struct evs_type *type;
};

struct evs_json_row {
    uint32_t count;
    size_t fixed_bytes; /* of a row at most, without the text of its long strings */
    struct fragment fragments[];
};

/* --- text ------------------------------------------------------------------------------------------------------------------- */

#define ONES UINT64_C(0x0101010101010101)
#define ESCAPED_BYTES_MAX 6u /* \u001f */

/* Whether one of the eight bytes must be escaped: below 0x20, a quote, a backslash. */
static inline bool needs_escape(uint64_t word)
{
    uint64_t control = word - ONES * 0x20, quote = (word ^ ONES * '"') - ONES, backslash = (word ^ ONES * '\\') - ONES;
    return ((control | quote | backslash) & ~word & ONES << 7) != 0;
}

static char *put_escaped(char *out, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_form[0x20] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (c >= 0x20 && c != '"' && c != '\\') {
        *out++ = (char)c;
        return out;
    }
    *out++ = '\\';
    if (c >= 0x20 || short_form[c] != '\0') {
        *out++ = c >= 0x20 ? (char)c : short_form[c];
        return out;
    }
    memcpy(out, "u00", 3);
    out[3] = hex[c >> 4];
    out[4] = hex[c & 15];
    return out + 5;
}

/* Copies `text`, with escapes where they are needed; there is room for the longest result. */
static inline char *put_text(char *out, const char *text, size_t count)
{
    const char *end = text + count;
    while (end - text >= 8) {
        uint64_t word;
        memcpy(&word, text, 8);
        memcpy(out, &word, 8);
        if (EVS_LIKELY(!needs_escape(word))) {
            out += 8;
            text += 8;
            continue;
        }
        for (uint32_t i = 0; i < 8; i++) {
            out = put_escaped(out, (uint8_t)*text++);
        }
    }
    while (text < end) {
        out = put_escaped(out, (uint8_t)*text++);
    }
    return out;
}

/* Of a view of at most 12 bytes: its count, and the text behind it. */
typedef uint8_t view_bytes __attribute__((vector_size(sizeof(struct evs_str))));
_Static_assert(offsetof(struct evs_str, text) == 4 && EVS_STR_INLINE_MAX == 12, "as it is laid out below");

/* One look at all sixteen bytes tells whether one of the text's must be escaped. */
static inline bool short_needs_escape(const struct evs_str *text)
{
    static const view_bytes place = {255, 255, 255, 255, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    view_bytes bytes;
    memcpy(&bytes, text, sizeof bytes);
    view_bytes found = (view_bytes)((bytes < 0x20) | (bytes == '"') | (bytes == '\\'));
    found &= (view_bytes)(place < (uint8_t)text->count);
    uint64_t halves[2];
    memcpy(halves, &found, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

static inline char *put_short(char *out, const struct evs_str *text)
{
    if (EVS_UNLIKELY(short_needs_escape(text))) {
        return put_text(out, text->text, text->count);
    }
    memcpy(out, text->text, EVS_STR_INLINE_MAX);
    return out + text->count;
}

/* A json value is one line already but for white space between its tokens: inside strings line breaks are escaped. */
static char *put_json(char *out, struct evs_slice text)
{
    memcpy(out, text.data, text.count);
    for (char *next = out, *end = out + text.count; (next = memchr(next, '\n', (size_t)(end - next))) != NULL;) {
        *next++ = ' ';
    }
    return out + text.count;
}

static char *put_base64(char *out, struct evs_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *next = (const uint8_t *)bytes.data;
    for (size_t left = bytes.count; left > 0;) {
        size_t taken = left < 3 ? left : 3;
        uint32_t group = (uint32_t)next[0] << 16 | (taken > 1 ? (uint32_t)next[1] << 8 : 0) | (taken > 2 ? next[2] : 0);
        out[0] = digits[group >> 18];
        out[1] = digits[group >> 12 & 63];
        out[2] = taken > 1 ? digits[group >> 6 & 63] : '=';
        out[3] = taken > 2 ? digits[group & 63] : '=';
        out += 4;
        next += taken;
        left -= taken;
    }
    return out;
}

void evs_json_put_string(struct evs_buffer *out, struct evs_slice text)
{
    evs_buffer_reserve(out, ESCAPED_BYTES_MAX * text.count + 2);
    char *next = out->data + out->count;
    *next++ = '"';
    next = put_text(next, text.data, text.count);
    *next++ = '"';
    out->count = (size_t)(next - out->data);
}

/* --- values ----------------------------------------------------------------------------------------------------------------- */

/* Room for `bytes` behind `next`; moves `next` when the buffer moves. */
static inline char *make_room(struct evs_buffer *out, char *next, size_t bytes)
{
    out->count = (size_t)(next - out->data);
    if (EVS_UNLIKELY(out->capacity - out->count < bytes)) {
        evs_buffer_reserve(out, bytes);
    }
    return out->data + out->count;
}

/* A value that is text; `fixed` is the room that must stay behind it. */
static inline char *put_text_value(struct evs_buffer *out, char *next, enum evs_kind kind, const struct evs_str *text,
                                   size_t fixed)
{
    if (EVS_LIKELY(kind == EVS_STRING && text->count <= EVS_STR_INLINE_MAX)) {
        *next++ = '"'; /* its room is part of the fixed bytes */
        next = put_short(next, text);
        *next++ = '"';
        return next;
    }
    struct evs_slice slice = evs_str_slice(text);
    next = make_room(out, next, ESCAPED_BYTES_MAX * slice.count + fixed);
    if (kind == EVS_JSON) {
        return put_json(next, slice);
    }
    *next++ = '"';
    next = kind == EVS_STRING ? put_text(next, slice.data, slice.count) : put_base64(next, slice);
    *next++ = '"';
    return next;
}

static inline char *put_quoted(char *next, const struct evs_column *column, enum evs_kind kind, uint32_t row)
{
    *next++ = '"';
    next += evs_text_of_value(next, column, kind, row);
    *next++ = '"';
    return next;
}

static char *put_float64(char *next, const struct evs_column *column, uint32_t row)
{
    double value = *EVS_COLUMN_AT(column, double, row);
    if (EVS_UNLIKELY(!__builtin_isfinite(value))) {
        return put_quoted(next, column, EVS_FLOAT64, row);
    }
    return next + evs_format_float64(next, value);
}

/* Arrays and structs have no bound that is worth reserving: the buffer grows as they are written. */
static char *put_nested(struct evs_buffer *out, char *next, const struct evs_column *column,
                        const struct evs_type *type, uint32_t row, size_t fixed)
{
    out->count = (size_t)(next - out->data);
    struct evs_value value = evs_column_value(column, row);
    evs_json_put_value(out, &value, type, 0);
    evs_buffer_reserve(out, fixed);
    return out->data + out->count;
}

static char *put_interval(char *next, const struct evs_column *column, uint32_t row)
{
    *next++ = '"';
    next += evs_format_duration(next, EVS_COLUMN_AT(column, struct evs_interval, row));
    *next++ = '"';
    return next;
}

static inline char *put_value(struct evs_buffer *out, char *next, const struct evs_column *column,
                              const struct fragment *fragment, uint32_t row, size_t fixed)
{
    const enum evs_kind kind = fragment->kind;
    switch (kind) {
    case EVS_ARRAY:
    case EVS_STRUCT:
        return put_nested(out, next, column, fragment->type, row, fixed);
    case EVS_INTERVAL:
        return put_interval(next, column, row);
    case EVS_STRING:
    case EVS_BYTES:
    case EVS_JSON:
        EVS_ASSERT(column->kind == kind);
        return put_text_value(out, next, kind, EVS_COLUMN_AT(column, struct evs_str, row), fixed);
    case EVS_INT64:
        EVS_ASSERT(column->kind == kind);
        return next + evs_format_int64(next, *EVS_COLUMN_AT(column, int64_t, row));
    case EVS_FLOAT64:
        return put_float64(next, column, row);
    case EVS_BOOL:
    case EVS_NUMERIC:
        return next + evs_text_of_value(next, column, kind, row);
    default:
        return put_quoted(next, column, kind, row);
    }
}

/* --- rows ------------------------------------------------------------------------------------------------------------------- */

/* Of a value without text that is long: a short string with its quotes, all of it escaped, and the word that copying writes behind. */
#define VALUE_BYTES_MAX (ESCAPED_BYTES_MAX * EVS_STR_INLINE_MAX + 2 + 8)
_Static_assert(VALUE_BYTES_MAX >= EVS_FORMAT_MAX + 2, "no other value is longer");

static size_t rounded(size_t bytes)
{
    return (bytes + FRAGMENT_BYTES - 1) / FRAGMENT_BYTES * FRAGMENT_BYTES;
}

/* `{"key":` for the first column, `,"key":` for the others. */
static struct fragment make_fragment(struct evs_arena *arena, const struct evs_field *field, bool first)
{
    struct evs_buffer text = {0};
    evs_buffer_put(&text, first ? "{" : ",", 1);
    evs_json_put_string(&text, evs_slice_of(field->name));
    evs_buffer_put(&text, ":", 1);
    char *kept = evs_arena_zero(arena, rounded(text.count), FRAGMENT_BYTES);
    memcpy(kept, text.data, text.count);
    struct fragment fragment = {
        .text = kept, .bytes = (uint32_t)text.count, .kind = field->type->kind, .type = field->type};
    evs_buffer_fini(&text);
    return fragment;
}

evs_status evs_json_row_bind(const struct evs_schema *schema, struct evs_arena *arena, const struct evs_json_row **row,
                             struct evs_error *error)
{
    (void)error; /* every type can be written */
    size_t bytes = sizeof(struct evs_json_row) + schema->count * sizeof(struct fragment);
    struct evs_json_row *made = evs_arena_zero(arena, bytes, _Alignof(struct evs_json_row));
    made->count = schema->count;
    made->fixed_bytes = 2; /* of no columns */
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct evs_field *field = &schema->fields[i];
        made->fragments[i] = make_fragment(arena, field, i == 0);
        made->fixed_bytes += rounded(made->fragments[i].bytes) + VALUE_BYTES_MAX;
    }
    *row = made;
    return EVS_OK;
}

static inline char *put_fragment(char *next, const struct fragment *fragment)
{
    for (uint32_t at = 0; at < fragment->bytes; at += FRAGMENT_BYTES) {
        memcpy(next + at, fragment->text + at, FRAGMENT_BYTES);
    }
    return next + fragment->bytes;
}

void evs_json_row_put(const struct evs_json_row *format, const struct evs_batch *batch, uint32_t row,
                      struct evs_buffer *out)
{
    EVS_ASSERT(batch->column_count >= format->count && row < batch->row_count);
    const size_t fixed = format->fixed_bytes;
    evs_buffer_reserve(out, fixed);
    char *next = out->data + out->count;
    for (uint32_t i = 0; i < format->count; i++) {
        const struct fragment *fragment = &format->fragments[i];
        const struct evs_column *column = &batch->columns[i];
        next = put_fragment(next, fragment);
        if (EVS_UNLIKELY(!evs_column_is_valid(column, row))) {
            memcpy(next, "null", 4);
            next += 4;
            continue;
        }
        next = put_value(out, next, column, fragment, row, fixed);
    }
    if (format->count == 0) {
        *next++ = '{';
    }
    *next++ = '}';
    out->count = (size_t)(next - out->data);
    EVS_ASSERT(out->count <= out->capacity);
}

/* --- the contract ------------------------------------------------------------------------------------------------------------ */

static const struct evs_option json_options[] = {{.name = NULL}};

static evs_status json_configure(const struct evs_option_value *values, const struct evs_schema *schema,
                                 struct evs_arena *arena, const void **config, struct evs_error *error)
{
    (void)values;
    const struct evs_json_row *row = NULL;
    evs_status status = evs_json_row_bind(schema, arena, &row, error);
    *config = row;
    return status;
}

static void json_encode(const void *config, const struct evs_schema *schema, const struct evs_batch *batch,
                        uint32_t row, const struct evs_format_place *place, struct evs_buffer *payload)
{
    (void)schema, (void)place;
    evs_json_row_put(config, batch, row, payload);
}

const struct evs_format evs_format_json = {
    .kind = "json",
    .options = json_options,
    .configure = json_configure,
    .encode = json_encode,
};
