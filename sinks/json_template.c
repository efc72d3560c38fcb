/* Body templates (json_template.h): a walk over the JSON text that finds the holes, and so checks it.
 *
 * Outside of strings `{` begins a hole when a name and `}` follow at once, and an object otherwise: {"a": {a}} has one of each. The walk is a
 * recursive descent over RFC 8259 with a hole as one more kind of value; literals between holes are kept byte for byte. */
#include "json_template.h"

#include "evstream/json_value.h"
#include "format_json.h"
#include "value_text.h"

#define DEPTH_MAX 64u

enum hole { HOLE_NONE, HOLE_COLUMN, HOLE_ID, HOLE_TIME, HOLE_UNIX, HOLE_ROW };

struct piece {
    struct evs_slice literal; /* in front of the hole */
    enum hole hole;           /* NONE: the last piece */
    bool in_string;
    uint32_t column;
    const struct evs_type *type;
};

struct evs_body_template {
    struct piece *pieces;
    uint32_t count;
    enum evs_body_kind kind;
    const struct evs_json_row *row; /* for {*} */
};

void evs_id_text(char out[EVS_ID_DIGITS], struct evs_hash128 id)
{
    static const char hex[] = "0123456789abcdef";
    for (uint32_t i = 0; i < EVS_ID_DIGITS; i++) {
        uint64_t half = i < EVS_ID_DIGITS / 2 ? id.high : id.low;
        out[i] = hex[half >> (60 - 4 * (i % (EVS_ID_DIGITS / 2))) & 15];
    }
}

/* --- binding ----------------------------------------------------------------------------------------------------------- */

struct walk {
    struct evs_slice text;
    size_t at, from; /* from: where the literal at hand begins */
    uint32_t depth;
    const struct evs_schema *schema;
    struct evs_body_template *body;
    struct evs_arena *arena;
    struct evs_error *error;
};

static evs_status wrong(const struct walk *walk, const char *expected)
{
    int left = (int)(walk->text.count - walk->at < 20 ? walk->text.count - walk->at : 20);
    return evs_fail(walk->error, EVS_E_PIPELINE, "The body is not valid JSON: byte %zu: expected %s, got `%.*s`.",
                    walk->at + 1, expected, left, left > 0 ? walk->text.data + walk->at : "");
}

static bool is_at(const struct walk *walk, char c)
{
    return walk->at < walk->text.count && walk->text.data[walk->at] == c;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

/* The name of a hole that begins here; count 0: none does. */
static struct evs_slice hole_at(const struct walk *walk)
{
    size_t at = walk->at + 1;
    if (!is_at(walk, '{')) {
        return (struct evs_slice){0};
    }
    if (at < walk->text.count && walk->text.data[at] == '*') {
        at++;
    } else {
        while (at < walk->text.count && is_name_byte(walk->text.data[at])) {
            at++;
        }
    }
    bool is_closed = at < walk->text.count && walk->text.data[at] == '}' && at > walk->at + 1;
    return is_closed ? (struct evs_slice){walk->text.data + walk->at + 1, at - walk->at - 1} : (struct evs_slice){0};
}

static evs_status find_hole(const struct walk *walk, struct evs_slice name, struct piece *piece)
{
    for (uint32_t i = 0; i < walk->schema->count; i++) {
        if (evs_slice_equal(evs_slice_of(walk->schema->fields[i].name), name)) {
            piece->hole = HOLE_COLUMN;
            piece->column = i;
            piece->type = walk->schema->fields[i].type;
            return EVS_OK;
        }
    }
    if (evs_slice_equal(name, EVS_SLICE("_id"))) {
        piece->hole = HOLE_ID;
    } else if (evs_slice_equal(name, EVS_SLICE("_time"))) {
        piece->hole = HOLE_TIME;
    } else if (evs_slice_equal(name, EVS_SLICE("_unix"))) {
        piece->hole = HOLE_UNIX;
    } else if (evs_slice_equal(name, EVS_SLICE("*")) && !piece->in_string) {
        piece->hole = HOLE_ROW;
    } else {
        return evs_fail(walk->error, EVS_E_PIPELINE,
                        "The body names `%.*s`, which is no column of the rows that reach the sink.", (int)name.count,
                        name.data);
    }
    return EVS_OK;
}

static evs_status add_hole(struct walk *walk, struct evs_slice name, bool in_string)
{
    struct piece *piece = &walk->body->pieces[walk->body->count++];
    *piece = (struct piece){.literal = {walk->text.data + walk->from, walk->at - walk->from}, .in_string = in_string};
    evs_status status = find_hole(walk, name, piece);
    if (status != EVS_OK) {
        return status;
    }
    if (in_string && piece->hole == HOLE_COLUMN && !evs_value_has_text(piece->type->kind)) {
        return evs_fail(walk->error, EVS_E_PIPELINE,
                        "The body has `{%.*s}` within a text, but its type is %s: only a value of its own can hold it.",
                        (int)name.count, name.data, evs_kind_name(piece->type->kind));
    }
    if (piece->hole == HOLE_ROW && walk->body->row == NULL) {
        status = evs_json_row_bind(walk->schema, walk->arena, &walk->body->row, walk->error);
    }
    walk->at += name.count + 2;
    walk->from = walk->at;
    return status;
}

static void skip_space(struct walk *walk)
{
    while (is_at(walk, ' ') || is_at(walk, '\n') || is_at(walk, '\r') || is_at(walk, '\t')) {
        walk->at++;
    }
}

static evs_status walk_escape(struct walk *walk)
{
    static const char plain[] = "\"\\/bfnrt";
    walk->at++;
    if (walk->at < walk->text.count && memchr(plain, walk->text.data[walk->at], sizeof plain - 1) != NULL) {
        walk->at++;
        return EVS_OK;
    }
    size_t digits = 0;
    if (is_at(walk, 'u')) {
        while (digits < 4 && walk->at + 1 + digits < walk->text.count &&
               strchr("0123456789abcdefABCDEF", walk->text.data[walk->at + 1 + digits]) != NULL) {
            digits++;
        }
        walk->at += 5;
    }
    return digits == 4 ? EVS_OK : wrong(walk, "an escape of a string");
}

static evs_status walk_string(struct walk *walk, bool takes_holes)
{
    if (!is_at(walk, '"')) {
        return wrong(walk, "a string");
    }
    walk->at++;
    evs_status status = EVS_OK;
    while (status == EVS_OK && walk->at < walk->text.count && !is_at(walk, '"')) {
        struct evs_slice hole = hole_at(walk);
        if (hole.count > 0 && takes_holes) {
            status = add_hole(walk, hole, true);
        } else if (is_at(walk, '\\')) {
            status = walk_escape(walk);
        } else if ((unsigned char)walk->text.data[walk->at] < 0x20) {
            status = wrong(walk, "no control character in a string (a line break is written \\n)");
        } else {
            walk->at++;
        }
    }
    if (status == EVS_OK && !is_at(walk, '"')) {
        status = wrong(walk, "the end of a string");
    }
    walk->at += status == EVS_OK;
    return status;
}

static size_t skip_digits(struct walk *walk)
{
    size_t from = walk->at;
    while (walk->at < walk->text.count && walk->text.data[walk->at] >= '0' && walk->text.data[walk->at] <= '9') {
        walk->at++;
    }
    return walk->at - from;
}

static evs_status walk_number(struct walk *walk)
{
    walk->at += is_at(walk, '-');
    bool is_zero = is_at(walk, '0');
    size_t digits = skip_digits(walk);
    bool is_right = digits > 0 && !(is_zero && digits > 1);
    if (is_right && is_at(walk, '.')) {
        walk->at++;
        is_right = skip_digits(walk) > 0;
    }
    if (is_right && (is_at(walk, 'e') || is_at(walk, 'E'))) {
        walk->at++;
        walk->at += is_at(walk, '+') || is_at(walk, '-');
        is_right = skip_digits(walk) > 0;
    }
    return is_right ? EVS_OK : wrong(walk, "a JSON value or a hole, {column}");
}

static bool take_word(struct walk *walk, struct evs_slice word)
{
    bool is_there =
        walk->text.count - walk->at >= word.count && memcmp(walk->text.data + walk->at, word.data, word.count) == 0;
    walk->at += is_there ? word.count : 0;
    return is_there;
}

static evs_status walk_value(struct walk *walk);

/* The members of an object or the elements of an array, to its end. */
static evs_status walk_list(struct walk *walk, char end)
{
    evs_status status = ++walk->depth > DEPTH_MAX ? wrong(walk, "fewer brackets within one another") : EVS_OK;
    walk->at++;
    skip_space(walk);
    bool is_first = true;
    while (status == EVS_OK && !(is_first && is_at(walk, end))) {
        if (end == '}') {
            skip_space(walk);
            status = walk_string(walk, true);
            skip_space(walk);
            status = status == EVS_OK && !is_at(walk, ':') ? wrong(walk, "`:`") : status;
            walk->at += status == EVS_OK;
        }
        status = status == EVS_OK ? walk_value(walk) : status;
        is_first = false;
        if (status == EVS_OK && !is_at(walk, ',')) {
            break;
        }
        walk->at += status == EVS_OK;
    }
    if (status == EVS_OK && !is_at(walk, end)) {
        status = wrong(walk, end == '}' ? "`,` or `}`" : "`,` or `]`");
    }
    walk->at += status == EVS_OK;
    walk->depth--;
    return status;
}

static evs_status walk_value(struct walk *walk)
{
    skip_space(walk);
    struct evs_slice hole = hole_at(walk);
    evs_status status;
    if (hole.count > 0) {
        status = add_hole(walk, hole, false);
    } else if (is_at(walk, '{')) {
        status = walk_list(walk, '}');
    } else if (is_at(walk, '[')) {
        status = walk_list(walk, ']');
    } else if (is_at(walk, '"')) {
        status = walk_string(walk, true);
    } else if (take_word(walk, EVS_SLICE("true")) || take_word(walk, EVS_SLICE("false")) ||
               take_word(walk, EVS_SLICE("null"))) {
        status = EVS_OK;
    } else {
        status = walk_number(walk);
    }
    skip_space(walk);
    return status;
}

static evs_status walk_text(struct walk *walk)
{
    evs_status status = EVS_OK;
    while (status == EVS_OK && walk->at < walk->text.count) {
        struct evs_slice hole = hole_at(walk);
        if (hole.count > 0) {
            status = add_hole(walk, hole, true);
        } else {
            walk->at++;
        }
    }
    return status;
}

static uint32_t count_braces(struct evs_slice text)
{
    uint32_t count = 0;
    for (size_t i = 0; i < text.count; i++) {
        count += text.data[i] == '{';
    }
    return count;
}

evs_status evs_body_bind(struct evs_slice text, enum evs_body_kind kind, const struct evs_schema *schema,
                         struct evs_arena *arena, const struct evs_body_template **body, struct evs_error *error)
{
    struct evs_body_template *made = EVS_ARENA_NEW(arena, struct evs_body_template);
    made->kind = kind;
    made->pieces = EVS_ARENA_ARRAY(arena, struct piece, count_braces(text) + 1);
    struct walk walk = {.text = {evs_arena_copy(arena, text.data, text.count), text.count},
                        .schema = schema,
                        .body = made,
                        .arena = arena,
                        .error = error};
    evs_status status = kind == EVS_BODY_JSON ? walk_value(&walk) : walk_text(&walk);
    if (status == EVS_OK && walk.at < walk.text.count) {
        status = wrong(&walk, "nothing more");
    }
    made->pieces[made->count++] = (struct piece){.literal = {walk.text.data + walk.from, walk.text.count - walk.from}};
    *body = made;
    return status;
}

/* --- filling ----------------------------------------------------------------------------------------------------------- */

static void put_form(struct evs_buffer *out, struct evs_slice text)
{
    for (size_t i = 0; i < text.count; i++) {
        char c = text.data[i];
        bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                     c == '-' || c == '.';
        if (stays) {
            evs_buffer_put(out, &c, 1);
        } else {
            evs_buffer_printf(out, "%%%02X", (unsigned)(unsigned char)c);
        }
    }
}

/* A text within a string of JSON, a field of a form, or as it is. */
static void put_text(const struct evs_body_template *body, struct evs_buffer *out, struct evs_slice text)
{
    if (body->kind == EVS_BODY_FORM) {
        put_form(out, text);
    } else if (body->kind == EVS_BODY_TEXT) {
        evs_buffer_put(out, text.data, text.count);
    } else {
        size_t quote = out->count;
        evs_json_put_text(out, text);
        memmove(out->data + quote, out->data + quote + 1, out->count - quote - 1);
        out->count -= 2;
    }
}

static bool put_column(const struct evs_body_template *body, const struct piece *piece, const struct evs_batch *batch,
                       uint32_t row, struct evs_buffer *out)
{
    const struct evs_column *column = &batch->columns[piece->column];
    bool is_valid = evs_column_is_valid(column, row);
    if (!piece->in_string) {
        struct evs_value value = evs_column_value(column, row);
        evs_json_put_value(out, &value, piece->type, 0);
        return true;
    }
    if (!is_valid) {
        return false;
    }
    if (evs_kind_is_text(piece->type->kind)) {
        put_text(body, out, evs_str_slice(EVS_COLUMN_AT(column, struct evs_str, row)));
    } else {
        char text[EVS_FORMAT_MAX];
        put_text(body, out, (struct evs_slice){text, evs_text_of_value(text, column, piece->type->kind, row)});
    }
    return true;
}

static int64_t floor_seconds(int64_t us)
{
    return us / 1000000 - (us % 1000000 < 0);
}

static bool put_hole(const struct evs_body_template *body, const struct piece *piece, const struct evs_batch *batch,
                     uint32_t row, const struct evs_format_place *place, struct evs_buffer *out)
{
    char text[EVS_FORMAT_MAX > EVS_ID_DIGITS ? EVS_FORMAT_MAX : EVS_ID_DIGITS];
    uint32_t count = EVS_ID_DIGITS;
    switch (piece->hole) {
    case HOLE_COLUMN:
        return put_column(body, piece, batch, row, out);
    case HOLE_ROW:
        evs_json_row_put(body->row, batch, row, out);
        return true;
    case HOLE_ID:
        evs_id_text(text, place->id);
        break;
    case HOLE_TIME:
        count = evs_text_of_timestamp(text, batch->event_time_us[row]);
        break;
    case HOLE_UNIX:
        count = evs_format_int64(text, floor_seconds(batch->event_time_us[row]));
        evs_buffer_put(out, text, count); /* a number, which has no quotes of its own */
        return true;
    case HOLE_NONE:
        return true;
    }
    if (piece->in_string) {
        put_text(body, out, (struct evs_slice){text, count});
    } else {
        evs_json_put_text(out, (struct evs_slice){text, count});
    }
    return true;
}

bool evs_body_fill(const struct evs_body_template *body, const struct evs_batch *batch, uint32_t row,
                   const struct evs_format_place *place, struct evs_buffer *out)
{
    for (uint32_t i = 0; i < body->count; i++) {
        const struct piece *piece = &body->pieces[i];
        evs_buffer_put(out, piece->literal.data, piece->literal.count);
        if (!put_hole(body, piece, batch, row, place, out)) {
            return false;
        }
    }
    return true;
}
