/* `x like pattern`: % is any text, _ one character, \ takes the next character as it is.
 *
 * A constant pattern is compiled: to pieces between the %, each of which is searched for in turn, leftmost first,
 * which needs no backtracking. The usual ones (equal, prefix, suffix, contains) have one or two pieces. A pattern
 * that ends in a lone backslash is an error: at plan time when it is constant, of the row otherwise. */
#include "kernel.h"
#include "text_tools.h"

/* A piece: literal bytes, where ANY_CHARACTER stands for one character. */
struct piece {
    struct evs_slice text;  /* unescaped; at wild places one placeholder byte */
    const uint8_t *is_wild; /* a byte of `text`; NULL: no wild place */
};
struct pattern {
    struct piece *pieces;
    uint32_t piece_count;
    bool open_start, open_end; /* a % stands there */
};

/* --- compiling ---------------------------------------------------------------------------------------------------- */

static void add_piece(struct pattern *pattern, const char *text, const uint8_t *wild, size_t count)
{
    if (count == 0) {
        return;
    }
    struct piece *piece = &pattern->pieces[pattern->piece_count++];
    piece->text = (struct evs_slice){text, count};
    piece->is_wild = memchr(wild, 1, count) ? wild : NULL;
}

/* NULL when the pattern ends in a lone backslash. */
static const struct pattern *compile(struct evs_arena *arena, struct evs_slice text)
{
    struct pattern *pattern = EVS_ARENA_NEW(arena, struct pattern);
    char *bytes = evs_arena_alloc(arena, text.count + 1, 1);
    uint8_t *wild = evs_arena_zero(arena, text.count + 1, 1);
    pattern->pieces = EVS_ARENA_ARRAY(arena, struct piece, text.count + 1);
    size_t from = 0, count = 0;
    for (size_t i = 0; i < text.count; i++) {
        const char c = text.data[i];
        if (c == '%') {
            pattern->open_start = pattern->open_start || i == 0;
            pattern->open_end = i + 1 == text.count;
            add_piece(pattern, bytes + from, wild + from, count - from);
            from = count;
        } else if (c == '\\' && ++i == text.count) {
            return NULL;
        } else {
            wild[count] = c == '_';
            bytes[count++] = c == '_' ? '_' : text.data[i];
        }
    }
    add_piece(pattern, bytes + from, wild + from, count - from);
    return pattern;
}

/* --- matching ----------------------------------------------------------------------------------------------------- */

/* Bytes that the piece takes at this place, or -1. */
static int64_t match_here(const struct piece *piece, const char *at, size_t left)
{
    if (piece->is_wild == NULL) {
        return left >= piece->text.count && memcmp(at, piece->text.data, piece->text.count) == 0
                   ? (int64_t)piece->text.count
                   : -1;
    }
    size_t used = 0;
    for (size_t i = 0; i < piece->text.count; i++) {
        if (used >= left || (!piece->is_wild[i] && at[used] != piece->text.data[i])) {
            return -1;
        }
        used += piece->is_wild[i] ? evs_utf8_bytes(at[used]) : 1;
    }
    return used <= left ? (int64_t)used : -1;
}

/* The first place at or behind `from` where the piece fits: sets *end behind it. */
static bool search(const struct piece *piece, struct evs_slice text, size_t from, size_t *end)
{
    if (piece->is_wild == NULL) {
        const char *hit = memmem(text.data + from, text.count - from, piece->text.data, piece->text.count);
        *end = hit ? (size_t)(hit - text.data) + piece->text.count : 0;
        return hit != NULL;
    }
    for (; from < text.count; from += evs_utf8_bytes(text.data[from])) {
        const int64_t used = match_here(piece, text.data + from, text.count - from);
        if (used >= 0) {
            *end = from + (size_t)used;
            return true;
        }
    }
    return false;
}

/* The last piece must end where the text does. Its wild places make its length vary, so places are tried from the
 * end of the text. */
static bool match_end(const struct piece *piece, struct evs_slice text, size_t from)
{
    if (piece->is_wild == NULL) {
        return text.count - from >= piece->text.count &&
               memcmp(text.data + text.count - piece->text.count, piece->text.data, piece->text.count) == 0;
    }
    for (size_t at = text.count; at-- > from;) {
        if (evs_utf8_is_start(text.data[at]) &&
            match_here(piece, text.data + at, text.count - at) == (int64_t)(text.count - at)) {
            return true;
        }
    }
    return false;
}

static bool matches(const struct pattern *pattern, struct evs_slice text)
{
    if (pattern->piece_count == 0) {
        return pattern->open_start || text.count == 0;
    }
    size_t at = 0;
    uint32_t first = 0, last = pattern->piece_count;
    if (!pattern->open_start) {
        const int64_t used = match_here(&pattern->pieces[0], text.data, text.count);
        if (used < 0) {
            return false;
        }
        if (pattern->piece_count == 1 && !pattern->open_end) {
            return (size_t)used == text.count;
        }
        at = (size_t)used;
        first = 1;
    }
    if (!pattern->open_end) {
        last--;
    }
    for (uint32_t i = first; i < last; i++) {
        if (!search(&pattern->pieces[i], text, at, &at)) {
            return false;
        }
    }
    return pattern->open_end || match_end(&pattern->pieces[last], text, at);
}

/* --- the function ------------------------------------------------------------------------------------------------- */

static evs_status prepare_like(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                               struct evs_error *error)
{
    const struct evs_expr *pattern = expr->arguments[1];
    *prepared = NULL;
    if (pattern->kind != EVS_EXPR_CONSTANT || pattern->value.is_null) {
        return EVS_OK;
    }
    *prepared = compile(arena, evs_str_slice(&pattern->value.str));
    return *prepared ? EVS_OK
                     : evs_fail(error, EVS_E_PIPELINE,
                                "the pattern %s of like ends in a backslash that escapes nothing", pattern->text);
}

static inline enum evs_row like_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                    uint8_t *out)
{
    const struct pattern *pattern = call->step->prepared;
    if (pattern == NULL) {
        pattern = compile(&call->eval->scratch, evs_str_slice(b));
    }
    *out = pattern != NULL && matches(pattern, evs_str_slice(a));
    return pattern ? EVS_ROW_OK : EVS_ROW_ARGUMENT;
}
EVS_ROW_KERNEL_2(like_kernel, like_row, struct evs_str, struct evs_str, uint8_t)

static const struct evs_overload overloads[] = {
    {.name = "like",
     .kernel = like_kernel,
     .prepare = prepare_like,
     .result = EVS_BOOL,
     .arguments = {EVS_STRING, EVS_STRING},
     .required = 2,
     .flags = EVS_CALL_FALLIBLE | EVS_CALL_PREPARED_SURE},
};
static const struct evs_function functions[] = {
    {"like", EVS_FAMILY_OPERATOR, "string [not] like string → bool",
     "Whether it fits a pattern: % is any text, _ one character, \\ takes the next as it is.",
     "'/product/42' like '/product/%'", "true"},
};

const struct evs_family evs_family_like = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
