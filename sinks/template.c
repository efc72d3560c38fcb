/* Templates: "triggers.{user_id}" with the holes bound to columns.
 *
 * A template is a list of pieces, literal text or a hole; literals may hold any byte but braces, which always mean a hole. Filling one
 * never lets a value change the shape of the address: whatever stands outside [A-Za-z0-9_-] is percent-encoded (RFC 3986, 2.1), so a
 * user id "a.b>" stays one token of a subject. */
#include "evstream/memory.h"
#include "evstream/sink.h"
#include "value_text.h"

struct piece {
    struct evs_slice literal; /* of a hole: empty */
    int32_t column;           /* -1: literal */
    enum evs_kind kind;
};

struct evs_template {
    struct piece *pieces;
    uint32_t count;
};

/* --- binding -------------------------------------------------------------------------------------------------------------- */

static int32_t find_column(const struct evs_schema *schema, struct evs_slice name)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        if (evs_slice_equal(evs_slice_of(schema->fields[i].name), name)) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* A hole's name stands between the braces; spaces round it do not count. */
static evs_status bind_hole(struct evs_slice template_text, struct evs_slice name, const struct evs_schema *schema,
                            struct piece *piece, struct evs_error *error)
{
    while (name.count > 0 && name.data[0] == ' ') {
        name = (struct evs_slice){name.data + 1, name.count - 1};
    }
    while (name.count > 0 && name.data[name.count - 1] == ' ') {
        name.count--;
    }
    *piece = (struct piece){.column = find_column(schema, name)};
    if (piece->column < 0) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "The template `%.*s` names `%.*s`, which is no column of the rows that reach the sink.",
                        (int)template_text.count, template_text.data, (int)name.count, name.data);
    }
    piece->kind = schema->fields[piece->column].type->kind;
    if (!evs_value_has_text(piece->kind)) {
        return evs_fail(error, EVS_E_PIPELINE, "The template `%.*s` cannot hold the column `%.*s`: its type is %s.",
                        (int)template_text.count, template_text.data, (int)name.count, name.data,
                        evs_kind_name(piece->kind));
    }
    return EVS_OK;
}

static uint32_t count_pieces_max(struct evs_slice text)
{
    uint32_t holes = 0;
    for (size_t i = 0; i < text.count; i++) {
        holes += text.data[i] == '{';
    }
    return 2 * holes + 1; /* a literal before each hole, and one behind the last */
}

static size_t find_brace(struct evs_slice text, size_t from)
{
    while (from < text.count && text.data[from] != '{' && text.data[from] != '}') {
        from++;
    }
    return from;
}

evs_status evs_template_bind(struct evs_slice text, const struct evs_schema *schema, struct evs_arena *arena,
                             const struct evs_template **template_, struct evs_error *error)
{
    struct evs_template *made = EVS_ARENA_NEW(arena, struct evs_template);
    made->pieces = EVS_ARENA_ARRAY(arena, struct piece, count_pieces_max(text));
    const char *kept = evs_arena_copy(arena, text.data, text.count);
    for (size_t at = 0; at < text.count;) {
        size_t brace = find_brace(text, at);
        if (brace > at) {
            made->pieces[made->count++] = (struct piece){.literal = {kept + at, brace - at}, .column = -1};
        }
        if (brace == text.count) {
            break;
        }
        size_t close = find_brace(text, brace + 1);
        if (text.data[brace] == '}' || close == text.count || text.data[close] == '{') {
            return evs_fail(error, EVS_E_PIPELINE,
                            "The template `%.*s` has a `%c` without its other half; a hole is written {column}.",
                            (int)text.count, text.data, text.data[brace]);
        }
        struct evs_slice name = {text.data + brace + 1, close - brace - 1};
        evs_status status = bind_hole(text, name, schema, &made->pieces[made->count++], error);
        if (status != EVS_OK) {
            return status;
        }
        at = close + 1;
    }
    EVS_ASSERT(made->count <= count_pieces_max(text));
    *template_ = made;
    return EVS_OK;
}

/* --- filling -------------------------------------------------------------------------------------------------------------- */

static bool stays_in_address(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool stays_in_header(char c)
{
    return c >= ' ' && c < 0x7F;
}

static void put_encoded(struct evs_buffer *out, struct evs_slice text, bool (*stays)(char c))
{
    static const char hex[] = "0123456789ABCDEF";
    evs_buffer_reserve(out, 3 * text.count);
    char *next = out->data + out->count;
    for (size_t i = 0; i < text.count; i++) {
        uint8_t c = (uint8_t)text.data[i];
        if (stays((char)c)) {
            *next++ = (char)c;
        } else {
            *next++ = '%';
            *next++ = hex[c >> 4];
            *next++ = hex[c & 15];
        }
    }
    out->count = (size_t)(next - out->data);
}

/* False: NULL. */
static bool put_hole(const struct piece *piece, const struct evs_batch *batch, uint32_t row, bool (*stays)(char c),
                     struct evs_buffer *out)
{
    const struct evs_column *column = &batch->columns[piece->column];
    if (!evs_column_is_valid(column, row)) {
        return false;
    }
    if (evs_kind_is_text(piece->kind)) {
        put_encoded(out, evs_str_slice(EVS_COLUMN_AT(column, struct evs_str, row)), stays);
    } else {
        char text[EVS_FORMAT_MAX];
        put_encoded(out, (struct evs_slice){text, evs_text_of_value(text, column, piece->kind, row)}, stays);
    }
    return true;
}

static bool stays_everywhere(char c)
{
    (void)c;
    return true;
}

static bool fill(const struct evs_template *template_, const struct evs_batch *batch, uint32_t row, bool (*stays)(char),
                 struct evs_buffer *out)
{
    size_t before = out->count;
    for (uint32_t i = 0; i < template_->count; i++) {
        const struct piece *piece = &template_->pieces[i];
        size_t hole = out->count;
        if (piece->column < 0) {
            evs_buffer_put(out, piece->literal.data, piece->literal.count);
        } else if (!put_hole(piece, batch, row, stays, out) || out->count == hole) {
            out->count = before; /* an address has no empty part either: `triggers.` is no subject */
            return false;
        }
    }
    return true;
}

bool evs_template_fill(const struct evs_template *template_, const struct evs_batch *batch, uint32_t row,
                       struct evs_buffer *out)
{
    return fill(template_, batch, row, stays_in_address, out);
}

bool evs_template_fill_plain(const struct evs_template *template_, const struct evs_batch *batch, uint32_t row,
                             struct evs_buffer *out)
{
    return fill(template_, batch, row, stays_everywhere, out);
}

bool evs_template_fill_header(const struct evs_template *template_, const struct evs_batch *batch, uint32_t row,
                              struct evs_buffer *out)
{
    size_t before = out->count;
    for (uint32_t i = 0; i < template_->count; i++) {
        const struct piece *piece = &template_->pieces[i];
        if (piece->column < 0) {
            evs_buffer_put(out, piece->literal.data, piece->literal.count);
        } else if (!put_hole(piece, batch, row, stays_in_header, out)) {
            out->count = before;
            return false;
        }
    }
    return true;
}
