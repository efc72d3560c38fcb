/* Functions that need Unicode's tables: upper and lower case, normal forms, comparison without case, code points.
 *
 * The tables are those of libunistring. upper and lower are the full mappings, which depend on neighbours and change lengths
 * ('ß' becomes 'SS', a Σ at the end of a word 'ς'), and on no locale. Pure ASCII, which is nearly all there is, is mapped eight
 * bytes at a time without a table. */
#include <unicase.h>
#include <uninorm.h>

#include "evstream/nested.h"
#include "kernel.h"
#include "text_tools.h"

static bool of_bytes(const struct evs_call *call)
{
    return call->step->overload->arguments[0] == EVS_BYTES;
}

/* --- upper and lower of ASCII ------------------------------------------------------------------------------------- */

/* ASCII letters of the other case have bit 5 turned. All other bytes, 0x80 and above among them, stay. */
static inline uint64_t map_word(uint64_t word, bool upper)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), low = word & (ones * 0x7f);
    const uint64_t from_first = low + ones * (0x80 - (upper ? 'a' : 'A')); /* bit 7: at or above the first letter */
    const uint64_t behind_last = low + ones * (0x7f - (upper ? 'z' : 'Z'));
    const uint64_t letters = ~word & (from_first ^ behind_last) & (ones * 0x80);
    return word ^ (letters >> 2);
}

static void map_ascii(struct evs_slice text, bool upper, char *out)
{
    for (size_t i = 0; i < text.count; i += 8) {
        const size_t left = text.count - i;
        const uint64_t mapped = map_word(evs_word_of(text.data + i, left), upper);
        memcpy(out + i, &mapped, left < 8 ? left : 8);
    }
}

/* The 12 bytes in a view; those that are not used stay 0. */
static struct evs_str map_inline(const struct evs_str *text, bool upper)
{
    uint64_t words[2] = {0, 0};
    memcpy(words, text->text, EVS_STR_INLINE_MAX);
    words[0] = map_word(words[0], upper);
    words[1] = map_word(words[1], upper);
    struct evs_str mapped = {.count = text->count};
    memcpy(mapped.text, words, EVS_STR_INLINE_MAX);
    return mapped;
}

/* --- what libunistring maps --------------------------------------------------------------------------------------- */

enum mapping { MAP_LOWER, MAP_UPPER, MAP_FOLD, MAP_NFC, MAP_NFKC, MAP_NFD, MAP_NFKD };

/* In the room when it is large enough, else in memory of the library's, for evs_free. */
static uint8_t *map(enum mapping how, struct evs_slice text, uint8_t *room, size_t *bytes)
{
    const uint8_t *from = (const uint8_t *)text.data;
    switch (how) {
    case MAP_LOWER:
        return u8_tolower(from, text.count, NULL, NULL, room, bytes);
    case MAP_UPPER:
        return u8_toupper(from, text.count, NULL, NULL, room, bytes);
    case MAP_FOLD:
        return u8_casefold(from, text.count, NULL, NULL, room, bytes);
    case MAP_NFC:
        return u8_normalize(UNINORM_NFC, from, text.count, room, bytes);
    case MAP_NFKC:
        return u8_normalize(UNINORM_NFKC, from, text.count, room, bytes);
    case MAP_NFD:
        return u8_normalize(UNINORM_NFD, from, text.count, room, bytes);
    case MAP_NFKD:
        return u8_normalize(UNINORM_NFKD, from, text.count, room, bytes);
    }
    return NULL;
}

/* The mapped text in `arena`. */
static enum evs_row mapped_text(struct evs_arena *arena, enum mapping how, struct evs_slice text, struct evs_slice *out)
{
    if (text.count > EVS_TEXT_BYTES_MAX) {
        return EVS_ROW_TOO_LONG;
    }
    size_t bytes = text.count + text.count / 2 + 16; /* enough for all usual text */
    char *room = evs_arena_alloc(arena, bytes, 1);
    char *mapped = (char *)map(how, text, (uint8_t *)room, &bytes);
    EVS_ASSERT(mapped != NULL); /* text is valid UTF-8, and memory never ends */
    const enum evs_row outcome = bytes > EVS_TEXT_BYTES_MAX ? EVS_ROW_TOO_LONG : EVS_ROW_OK;
    if (outcome == EVS_ROW_OK) {
        *out = (struct evs_slice){mapped == room ? room : evs_arena_copy(arena, mapped, bytes), bytes};
    }
    if (mapped != room) {
        evs_free(mapped);
    }
    return outcome;
}

static enum evs_row mapped_str(struct evs_call *call, enum mapping how, struct evs_slice text, struct evs_str *out)
{
    struct evs_slice mapped;
    const enum evs_row outcome = mapped_text(call->eval->text, how, text, &mapped);
    if (outcome == EVS_ROW_OK) {
        *out = evs_str_make(mapped.data, (uint32_t)mapped.count);
    }
    return outcome;
}

/* --- upper and lower ---------------------------------------------------------------------------------------------- */

/* variant: MAP_LOWER or MAP_UPPER. Bytes are mapped as ASCII. */
static inline enum evs_row case_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct evs_slice text = evs_str_slice(a);
    const bool upper = call->step->overload->variant == MAP_UPPER;
    if (!of_bytes(call) && !evs_is_ascii(text)) {
        return mapped_str(call, upper ? MAP_UPPER : MAP_LOWER, text, out);
    }
    if (text.count <= EVS_STR_INLINE_MAX) {
        *out = map_inline(a, upper);
        return EVS_ROW_OK;
    }
    char *built = evs_call_text(call, text.count);
    map_ascii(text, upper, built);
    *out = evs_str_make(built, a->count);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(case_kernel, case_row, struct evs_str, struct evs_str)

/* --- initcap ------------------------------------------------------------------------------------------------------ */

/* What stands between words when nobody says it: GoogleSQL's list, and white space. */
#define DELIMITERS "<>[]{}()/\\|!?@\"^#$&~_,.:;*%+-"

static bool is_delimiter(struct evs_slice delimiters, const char *at, uint32_t width)
{
    return memmem(delimiters.data, delimiters.count, at, width) != NULL;
}

/* The first letter of a word large, the others small, by the simple mappings: one character stays one character. */
static enum evs_row initcap(struct evs_call *call, struct evs_slice text, struct evs_slice delimiters, bool with_space,
                            struct evs_str *out)
{
    if (text.count > EVS_TEXT_BYTES_MAX) {
        return EVS_ROW_TOO_LONG;
    }
    char *built = evs_call_text(call, text.count * 2);
    size_t bytes = 0;
    bool begins = true;
    for (size_t i = 0; i < text.count;) {
        const uint32_t width = evs_utf8_bytes(text.data[i]);
        const uint32_t c = evs_utf8_decode(text.data + i, width);
        const bool between = is_delimiter(delimiters, text.data + i, width) ||
                             (with_space && evs_is_unicode_space(text.data + i, width));
        bytes += evs_utf8_encode(built + bytes, between ? c : begins ? uc_toupper(c) : uc_tolower(c));
        begins = between;
        i += width;
    }
    *out = evs_str_make(built, (uint32_t)bytes);
    return bytes > EVS_TEXT_BYTES_MAX ? EVS_ROW_TOO_LONG : EVS_ROW_OK;
}
static inline enum evs_row initcap_1_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    return initcap(call, evs_str_slice(a), EVS_SLICE(DELIMITERS), true, out);
}
static inline enum evs_row initcap_2_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                         struct evs_str *out)
{
    return initcap(call, evs_str_slice(a), evs_str_slice(b), false, out);
}
EVS_ROW_KERNEL_1(initcap_1, initcap_1_row, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_2(initcap_2, initcap_2_row, struct evs_str, struct evs_str, struct evs_str)

/* --- normal forms ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum mapping how;
} forms[] = {{"NFC", MAP_NFC}, {"NFKC", MAP_NFKC}, {"NFD", MAP_NFD}, {"NFKD", MAP_NFKD}};

static evs_status prepare_form(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                               struct evs_error *error)
{
    (void)arena;
    const struct evs_slice form = evs_str_slice(&expr->arguments[1]->value.str);
    for (size_t i = 0; i < EVS_COUNT(forms); i++) {
        if (evs_slice_equal_nocase(form, forms[i].name)) {
            *prepared = &forms[i].how;
            return EVS_OK;
        }
    }
    return evs_fail(error, EVS_E_PIPELINE, "there is no normal form %.*s; there are NFC, NFKC, NFD and NFKD",
                    (int)(form.count > 40 ? 40 : form.count), form.data);
}

/* variant 1: case is folded afterwards, as GoogleSQL does it. */
static enum evs_row normalize(struct evs_call *call, const struct evs_str *a, enum mapping form, struct evs_str *out)
{
    const struct evs_slice text = evs_str_slice(a);
    const bool folds = call->step->overload->variant == 1;
    if (evs_is_ascii(text) && !folds) {
        *out = *a; /* every form leaves it */
        return EVS_ROW_OK;
    }
    struct evs_slice normal;
    const enum evs_row outcome = mapped_text(folds ? &call->eval->scratch : call->eval->text, form, text, &normal);
    if (outcome == EVS_ROW_OK && !folds) {
        *out = evs_str_make(normal.data, (uint32_t)normal.count);
    }
    return outcome == EVS_ROW_OK && folds ? mapped_str(call, MAP_FOLD, normal, out) : outcome;
}
static inline enum evs_row normalize_1_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    return normalize(call, a, MAP_NFC, out);
}
static inline enum evs_row normalize_2_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                           struct evs_str *out)
{
    (void)b; /* a constant: prepared */
    return normalize(call, a, *(const enum mapping *)call->step->prepared, out);
}
EVS_ROW_KERNEL_1(normalize_1, normalize_1_row, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_2(normalize_2, normalize_2_row, struct evs_str, struct evs_str, struct evs_str)

/* --- contains_substr ---------------------------------------------------------------------------------------------- */

/* NFKC without case. */
static enum evs_row comparable(struct evs_arena *arena, struct evs_slice text, struct evs_slice *out)
{
    if (evs_is_ascii(text)) {
        char *lowered = evs_arena_alloc(arena, text.count + 1, 1);
        map_ascii(text, false, lowered);
        *out = (struct evs_slice){lowered, text.count};
        return EVS_ROW_OK;
    }
    struct evs_slice normal;
    const enum evs_row outcome = mapped_text(arena, MAP_NFKC, text, &normal);
    return outcome == EVS_ROW_OK ? mapped_text(arena, MAP_FOLD, normal, out) : outcome;
}

static inline enum evs_row contains_substr_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                               uint8_t *out)
{
    struct evs_slice text, wanted;
    enum evs_row outcome = comparable(&call->eval->scratch, evs_str_slice(a), &text);
    if (outcome == EVS_ROW_OK) {
        outcome = comparable(&call->eval->scratch, evs_str_slice(b), &wanted);
    }
    if (outcome == EVS_ROW_OK) {
        *out = wanted.count == 0 || memmem(text.data, text.count, wanted.data, wanted.count) != NULL;
    }
    return outcome;
}
EVS_ROW_KERNEL_2(contains_substr, contains_substr_row, struct evs_str, struct evs_str, uint8_t)

/* --- code points -------------------------------------------------------------------------------------------------- */

static inline enum evs_row ascii_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    const uint8_t first = a->count > 0 ? (uint8_t)evs_str_data(a)[0] : 0;
    *out = first;
    return first >= 0x80 && !of_bytes(call) ? EVS_ROW_ARGUMENT : EVS_ROW_OK;
}
static inline enum evs_row unicode_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    (void)call;
    const char *text = evs_str_data(a);
    *out = a->count > 0 ? (int64_t)evs_utf8_decode(text, evs_utf8_bytes(text[0])) : 0;
    return EVS_ROW_OK;
}
static bool is_code_point(int64_t c)
{
    return c >= 0 && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

static inline enum evs_row chr_row(struct evs_call *call, const int64_t *a, struct evs_str *out)
{
    (void)call;
    char text[4];
    if (!is_code_point(*a)) {
        return EVS_ROW_ARGUMENT;
    }
    *out = evs_str_make(text, evs_utf8_encode(text, (uint32_t)*a));
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(ascii, ascii_row, struct evs_str, int64_t)
EVS_ROW_KERNEL_1(unicode, unicode_row, struct evs_str, int64_t)
EVS_ROW_KERNEL_1(chr, chr_row, int64_t, struct evs_str)

static inline enum evs_row to_code_points_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct evs_slice text = evs_str_slice(a);
    struct evs_nested_builder *builder = &call->eval->nested;
    evs_nested_begin_array(builder, EVS_INT64);
    for (size_t i = 0; i < text.count;) {
        const uint32_t width = of_bytes(call) ? 1 : evs_utf8_bytes(text.data[i]);
        const uint32_t c = of_bytes(call) ? (uint8_t)text.data[i] : evs_utf8_decode(text.data + i, width);
        evs_nested_add(builder, &(struct evs_value){.kind = EVS_INT64, .int64 = c});
        i += width;
        if (evs_nested_bytes(builder) > EVS_TEXT_BYTES_MAX) {
            return EVS_ROW_TOO_LONG;
        }
    }
    *out = evs_nested_finish(builder, call->eval->text);
    return EVS_ROW_OK;
}

/* NULL when one of them is NULL. The overload's result is string or bytes. */
static inline enum evs_row from_code_points_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct evs_nested points = evs_nested_open(a);
    const bool to_bytes = call->step->overload->result == EVS_BYTES;
    struct evs_buffer *built = &call->eval->buffer;
    built->count = 0;
    for (uint32_t i = 0; i < points.count; i++) {
        const struct evs_value point = evs_nested_at(&points, i);
        if (point.is_null) {
            return EVS_ROW_NULL;
        }
        if (to_bytes ? point.int64 < 0 || point.int64 > 0xff : !is_code_point(point.int64)) {
            return EVS_ROW_ARGUMENT;
        }
        char text[4] = {(char)point.int64};
        evs_buffer_put(built, text, to_bytes ? 1 : evs_utf8_encode(text, (uint32_t)point.int64));
    }
    *out = evs_call_str(call, built->count > 0 ? built->data : "", built->count);
    return built->count > EVS_TEXT_BYTES_MAX ? EVS_ROW_TOO_LONG : EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(to_code_points, to_code_points_row, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_1(from_code_points, from_code_points_row, struct evs_str, struct evs_str)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define MAY_FAIL EVS_CALL_FALLIBLE
#define TEXT(name_, kernel_, to, required_, flags_, variant_, ...)                                                     \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (to), .arguments = {__VA_ARGS__}, .required = (required_),     \
        .flags = (flags_), .variant = (variant_)                                                                       \
    }
#define WITH_FORM(name_, variant_)                                                                                     \
    {                                                                                                                  \
        .name = (name_), .kernel = normalize_2, .prepare = prepare_form, .result = EVS_STRING,                         \
        .arguments = {EVS_STRING, EVS_ARG_CONSTANT}, .required = 2, .flags = MAY_FAIL, .variant = (variant_)           \
    }
#define S EVS_STRING
#define B EVS_BYTES
#define I EVS_INT64

static const struct evs_overload overloads[] = {
    TEXT("upper", case_kernel, S, 1, MAY_FAIL, MAP_UPPER, S),
    TEXT("upper", case_kernel, B, 1, MAY_FAIL, MAP_UPPER, B),
    TEXT("lower", case_kernel, S, 1, MAY_FAIL, MAP_LOWER, S),
    TEXT("lower", case_kernel, B, 1, MAY_FAIL, MAP_LOWER, B),
    TEXT("initcap", initcap_1, S, 1, MAY_FAIL, 0, S),
    TEXT("initcap", initcap_2, S, 2, MAY_FAIL, 0, S, S),
    TEXT("normalize", normalize_1, S, 1, MAY_FAIL, 0, S),
    WITH_FORM("normalize", 0),
    TEXT("normalize_and_casefold", normalize_1, S, 1, MAY_FAIL, 1, S),
    WITH_FORM("normalize_and_casefold", 1),
    TEXT("contains_substr", contains_substr, EVS_BOOL, 2, MAY_FAIL, 0, S, S),
    TEXT("ascii", ascii, I, 1, MAY_FAIL, 0, S),
    TEXT("ascii", ascii, I, 1, 0, 0, B),
    TEXT("unicode", unicode, I, 1, 0, 0, S),
    TEXT("chr", chr, S, 1, MAY_FAIL, 0, I),
    TEXT("to_code_points", to_code_points, EVS_ARG_ARRAY_OF(I), 1, MAY_FAIL, 0, S),
    TEXT("to_code_points", to_code_points, EVS_ARG_ARRAY_OF(I), 1, MAY_FAIL, 0, B),
    TEXT("code_points_to_string", from_code_points, S, 1, MAY_FAIL | EVS_CALL_NULLABLE, 0, EVS_ARG_ARRAY_OF(I)),
    TEXT("code_points_to_bytes", from_code_points, B, 1, MAY_FAIL | EVS_CALL_NULLABLE, 0, EVS_ARG_ARRAY_OF(I)),
};

#define STRING(name_, signature_, meaning_, example_, result_)                                                         \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_STRING, .signature = (signature_), .meaning = (meaning_),                \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    STRING("upper", "upper(string) → string; the same for bytes", "Capital letters.",
           "upper('stra\xc3\x9f"
           "e')",
           "STRASSE"),
    STRING("lower", "lower(string) → string; the same for bytes", "Small letters.",
           "lower('\xc3\x84"
           "BC')",
           "\xc3\xa4"
           "bc"),
    STRING("initcap", "initcap(string [, delimiters string]) → string",
           "The first letter of each word large, the others small.", "initcap('blue HOUSE-boat')", "Blue House-Boat"),
    STRING("normalize", "normalize(string [, NFC | NFKC | NFD | NFKD]) → string",
           "Equal characters written in one way: 'e' with an accent behind it becomes '\xc3\xa9'.",
           "byte_length(normalize('e\xcc\x81'))", "2"),
    STRING("normalize_and_casefold", "normalize_and_casefold(string [, NFC | NFKC | NFD | NFKD]) → string",
           "normalize, and without case: for comparing.",
           "normalize_and_casefold('Stra\xc3\x9f"
           "e') = normalize_and_casefold('STRASSE')",
           "true"),
    STRING("contains_substr", "contains_substr(string, string) → bool",
           "Whether the second stands somewhere in the first, whatever the case and the normal form (NFKC).",
           "contains_substr('The Blue House', 'blue HOUSE')", "true"),
    STRING("ascii", "ascii(string or bytes) → int64",
           "The code of the first character, which must be ASCII, or of the first byte; 0 for an empty text.",
           "ascii('abc')", "97"),
    STRING("unicode", "unicode(string) → int64", "The code point of the first character; 0 for an empty text.",
           "unicode('\xe2\x82\xac')", "8364"),
    STRING("chr", "chr(int64) → string", "The character with this code point.", "chr(8364)", "\xe2\x82\xac"),
    STRING("to_code_points", "to_code_points(string or bytes) → array<int64>",
           "The code point of each character, or each byte.", "to_code_points('abc')", "[97, 98, 99]"),
    STRING("code_points_to_string", "code_points_to_string(array<int64>) → string",
           "The characters with these code points; NULL when one is NULL.", "code_points_to_string([65, 255, 513])",
           "A\xc3\xbf\xc8\x81"),
    STRING("code_points_to_bytes", "code_points_to_bytes(array<int64>) → bytes",
           "The bytes with these values, from 0 to 255; NULL when one is NULL.", "code_points_to_bytes([65, 98, 67])",
           "AbC"),
};

const struct evs_family evs_family_unicode = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
