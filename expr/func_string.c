/* Functions of strings and bytes that look at text or cut it: their results are numbers, or views into the argument,
 * so nothing is copied.
 *
 * Positions count characters of a string and bytes of bytes, from 1; a negative one counts from the end. */
#include "kernel.h"
#include "text_tools.h"

/* Whether the call is about bytes: then a character is a byte. */
static bool of_bytes(const struct evs_call *call)
{
    return call->step->overload->arguments[0] == EVS_BYTES;
}
static bool simple(const struct evs_call *call, struct evs_slice text)
{
    return of_bytes(call) || evs_is_ascii(text);
}
static int64_t char_count(const struct evs_call *call, struct evs_slice text)
{
    return of_bytes(call) ? (int64_t)text.count : evs_utf8_count(text);
}

static inline enum evs_row length_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    *out = char_count(call, evs_str_slice(a));
    return EVS_ROW_OK;
}
static inline enum evs_row byte_length_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    (void)call;
    *out = a->count;
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(length_kernel, length_row, struct evs_str, int64_t)
EVS_ROW_KERNEL_1(byte_length_kernel, byte_length_row, struct evs_str, int64_t)

/* --- parts -------------------------------------------------------------------------------------------------------- */

/* `count` characters from character `first` (from 0). */
static struct evs_str cut(const struct evs_call *call, struct evs_slice text, int64_t first, int64_t count)
{
    size_t from, bytes;
    if (simple(call, text)) {
        from = (size_t)first < text.count ? (size_t)first : text.count;
        bytes = (uint64_t)count < text.count - from ? (size_t)count : text.count - from;
    } else {
        from = evs_utf8_offset(text, first);
        bytes = evs_utf8_offset((struct evs_slice){text.data + from, text.count - from}, count);
    }
    return evs_str_make(text.data + from, (uint32_t)bytes);
}

static enum evs_row substr_from(const struct evs_call *call, struct evs_slice text, int64_t position, int64_t count,
                                struct evs_str *out)
{
    if (count < 0) {
        return EVS_ROW_ARGUMENT;
    }
    int64_t first = position > 0 ? position - 1 : 0;
    if (position < 0) {
        const int64_t length = char_count(call, text);
        first = position < -length ? 0 : length + position;
    }
    *out = cut(call, text, first, count);
    return EVS_ROW_OK;
}
static inline enum evs_row substr_2_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                        struct evs_str *out)
{
    return substr_from(call, evs_str_slice(a), *b, INT64_MAX, out);
}
static inline enum evs_row substr_3_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                        const int64_t *c, struct evs_str *out)
{
    return substr_from(call, evs_str_slice(a), *b, *c, out);
}
static inline enum evs_row left_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                    struct evs_str *out)
{
    return substr_from(call, evs_str_slice(a), 1, *b, out);
}
static inline enum evs_row right_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                     struct evs_str *out)
{
    if (*b < 0) {
        return EVS_ROW_ARGUMENT;
    }
    const struct evs_slice text = evs_str_slice(a);
    const int64_t length = char_count(call, text);
    *out = cut(call, text, *b < length ? length - *b : 0, *b);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(substr_2, substr_2_row, struct evs_str, int64_t, struct evs_str)
EVS_ROW_KERNEL_3(substr_3, substr_3_row, struct evs_str, int64_t, int64_t, struct evs_str)
EVS_ROW_KERNEL_2(left_kernel, left_row, struct evs_str, int64_t, struct evs_str)
EVS_ROW_KERNEL_2(right_kernel, right_row, struct evs_str, int64_t, struct evs_str)

/* --- trim --------------------------------------------------------------------------------------------------------- */

static bool is_in_set(struct evs_slice set, const char *data, uint32_t bytes, bool by_bytes)
{
    for (size_t i = 0; i < set.count;) {
        const uint32_t width = by_bytes ? 1 : evs_utf8_bytes(set.data[i]);
        if (width == bytes && memcmp(set.data + i, data, bytes) == 0) {
            return true;
        }
        i += width;
    }
    return false;
}

enum side { TRIM_LEFT = 1, TRIM_RIGHT = 2 };

/* Trims the characters of `set`, or white space when it is NULL, at the sides that the overload's variant names. */
static void trim(const struct evs_call *call, const struct evs_str *a, const struct evs_slice *set, struct evs_str *out)
{
    struct evs_slice text = evs_str_slice(a);
    const bool by_bytes = of_bytes(call);
    const uint8_t sides = call->step->overload->variant;
    while ((sides & TRIM_LEFT) && text.count > 0) {
        const uint32_t bytes = by_bytes ? 1 : evs_utf8_bytes(text.data[0]);
        if (!(set ? is_in_set(*set, text.data, bytes, by_bytes) : evs_is_unicode_space(text.data, bytes))) {
            break;
        }
        text.data += bytes;
        text.count -= bytes;
    }
    while ((sides & TRIM_RIGHT) && text.count > 0) {
        uint32_t bytes = 1;
        while (!by_bytes && !evs_utf8_is_start(text.data[text.count - bytes])) {
            bytes++;
        }
        const char *last = text.data + text.count - bytes;
        if (!(set ? is_in_set(*set, last, bytes, by_bytes) : evs_is_unicode_space(last, bytes))) {
            break;
        }
        text.count -= bytes;
    }
    *out = evs_str_make(text.data, (uint32_t)text.count);
}
static inline enum evs_row trim_1_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    trim(call, a, NULL, out);
    return EVS_ROW_OK;
}
static inline enum evs_row trim_2_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                      struct evs_str *out)
{
    const struct evs_slice set = evs_str_slice(b);
    trim(call, a, &set, out);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(trim_1, trim_1_row, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_2(trim_2, trim_2_row, struct evs_str, struct evs_str, struct evs_str)

/* --- finding ------------------------------------------------------------------------------------------------------ */

static inline enum evs_row starts_with_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                           uint8_t *out)
{
    (void)call;
    *out = a->count >= b->count && memcmp(evs_str_data(a), evs_str_data(b), b->count) == 0;
    return EVS_ROW_OK;
}
static inline enum evs_row ends_with_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                         uint8_t *out)
{
    (void)call;
    *out = a->count >= b->count && memcmp(evs_str_data(a) + (a->count - b->count), evs_str_data(b), b->count) == 0;
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(starts_with, starts_with_row, struct evs_str, struct evs_str, uint8_t)
EVS_ROW_KERNEL_2(ends_with, ends_with_row, struct evs_str, struct evs_str, uint8_t)

/* Byte offset of the needle at or behind `from`, or -1. A match of valid UTF-8 begins at a character. */
static int64_t find(struct evs_slice text, struct evs_slice needle, size_t from)
{
    if (needle.count == 0) {
        return from <= text.count ? (int64_t)from : -1;
    }
    if (from > text.count) {
        return -1;
    }
    const char *hit = memmem(text.data + from, text.count - from, needle.data, needle.count);
    return hit ? hit - text.data : -1;
}

static int64_t position_at(const struct evs_call *call, struct evs_slice text, int64_t offset)
{
    return char_count(call, (struct evs_slice){text.data, (size_t)offset}) + 1;
}

static inline enum evs_row strpos_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                      int64_t *out)
{
    const struct evs_slice text = evs_str_slice(a);
    const int64_t offset = find(text, evs_str_slice(b), 0);
    *out = offset < 0 ? 0 : position_at(call, text, offset);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(strpos_kernel, strpos_row, struct evs_str, struct evs_str, int64_t)

static size_t offset_of(const struct evs_call *call, struct evs_slice text, int64_t index)
{
    return of_bytes(call) ? ((uint64_t)index < text.count ? (size_t)index : text.count) : evs_utf8_offset(text, index);
}

/* The offset of the character behind, or before, the one at `offset`. */
static size_t step(const struct evs_call *call, struct evs_slice text, size_t offset, bool forwards)
{
    if (of_bytes(call)) {
        return forwards ? offset + 1 : offset - 1;
    }
    if (forwards) {
        return offset + evs_utf8_bytes(text.data[offset]);
    }
    do {
        offset--;
    } while (!evs_utf8_is_start(text.data[offset]));
    return offset;
}

/* Forwards from a character, or backwards from one counted from the end; occurrences may overlap. An empty needle is found
 * before each character and behind the last. */
static enum evs_row instr(const struct evs_call *call, struct evs_slice text, struct evs_slice needle, int64_t position,
                          int64_t occurrence, int64_t *out)
{
    if (position == 0 || occurrence <= 0) {
        return EVS_ROW_ARGUMENT;
    }
    *out = 0;
    const bool forwards = position > 0;
    const int64_t last = char_count(call, text) - (needle.count > 0);
    const int64_t first = forwards ? position - 1 : last + 1 + position;
    if (first < 0 || first > last) {
        return EVS_ROW_OK;
    }
    size_t offset = offset_of(call, text, first);
    for (int64_t index = first;; index += forwards ? 1 : -1) {
        const bool matches =
            text.count - offset >= needle.count && memcmp(text.data + offset, needle.data, needle.count) == 0;
        if (matches && --occurrence == 0) {
            *out = index + 1;
            return EVS_ROW_OK;
        }
        if (index == (forwards ? last : 0)) {
            return EVS_ROW_OK;
        }
        offset = step(call, text, offset, forwards);
    }
}

static void instr_kernel(struct evs_call *call)
{
    const struct evs_str *a = EVS_ARG(call, 0, struct evs_str), *b = EVS_ARG(call, 1, struct evs_str);
    const size_t sa = EVS_STRIDE(call, 0), sb = EVS_STRIDE(call, 1);
    int64_t *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        const int64_t position = call->argument_count > 2 ? *EVS_COLUMN_AT(call->arguments[2], int64_t, row) : 1;
        const int64_t occurrence = call->argument_count > 3 ? *EVS_COLUMN_AT(call->arguments[3], int64_t, row) : 1;
        EVS_ROW_DONE(
            call, row,
            instr(call, evs_str_slice(&a[row * sa]), evs_str_slice(&b[row * sb]), position, occurrence, &out[row]));
    }
}

/* --- pieces between delimiters ------------------------------------------------------------------------------------ */

/* Where piece number `index` (from 0) begins; behind the text when there are fewer. */
static size_t piece_start(struct evs_slice text, struct evs_slice delimiter, int64_t index)
{
    size_t at = 0;
    for (; index > 0; index--) {
        const int64_t hit = find(text, delimiter, at);
        if (hit < 0) {
            return SIZE_MAX;
        }
        at = (size_t)hit + delimiter.count;
    }
    return at;
}
static int64_t piece_count(struct evs_slice text, struct evs_slice delimiter)
{
    int64_t count = 1;
    for (int64_t at = find(text, delimiter, 0); at >= 0; at = find(text, delimiter, (size_t)at + delimiter.count)) {
        count++;
    }
    return count;
}

/* The pieces from number `start` (from 1; negative: from the end) on, with what stands between them: a part of the text. */
static enum evs_row split_substr(struct evs_slice text, struct evs_slice delimiter, int64_t start, int64_t count,
                                 struct evs_str *out)
{
    if (delimiter.count == 0 || count < 0) {
        return EVS_ROW_ARGUMENT;
    }
    const int64_t pieces = piece_count(text, delimiter);
    const int64_t first = start > 0 ? start - 1 : start < 0 && start >= -pieces ? pieces + start : 0;
    *out = evs_str_make("", 0);
    if (count == 0 || first >= pieces) {
        return EVS_ROW_OK;
    }
    const size_t from = piece_start(text, delimiter, first);
    const bool to_the_end = count >= pieces - first;
    const size_t behind = to_the_end ? text.count : piece_start(text, delimiter, first + count) - delimiter.count;
    *out = evs_str_make(text.data + from, (uint32_t)(behind - from));
    return EVS_ROW_OK;
}
static void split_substr_kernel(struct evs_call *call)
{
    struct evs_str *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        const struct evs_slice text = evs_str_slice(EVS_COLUMN_AT(call->arguments[0], struct evs_str, row));
        const struct evs_slice delimiter = evs_str_slice(EVS_COLUMN_AT(call->arguments[1], struct evs_str, row));
        const int64_t start = *EVS_COLUMN_AT(call->arguments[2], int64_t, row);
        const int64_t count = call->argument_count > 3 ? *EVS_COLUMN_AT(call->arguments[3], int64_t, row) : INT64_MAX;
        EVS_ROW_DONE(call, row, split_substr(text, delimiter, start, count, &out[row]));
    }
}

/* --- edit distance ------------------------------------------------------------------------------------------------ */

/* The time is the product of both lengths. */
#define EDIT_DISTANCE_CHARACTERS_MAX 4096

/* The characters, 0 for the count when there are too many. */
static uint32_t *characters(const struct evs_call *call, struct evs_slice text, uint32_t *count)
{
    const int64_t all = char_count(call, text);
    uint32_t *out = evs_arena_alloc(&call->eval->scratch, sizeof *out * EDIT_DISTANCE_CHARACTERS_MAX, 64);
    *count = 0;
    for (size_t i = 0; i < text.count && all <= EDIT_DISTANCE_CHARACTERS_MAX;) {
        const uint32_t width = of_bytes(call) ? 1 : evs_utf8_bytes(text.data[i]);
        out[(*count)++] = of_bytes(call) ? (uint8_t)text.data[i] : evs_utf8_decode(text.data + i, width);
        i += width;
    }
    return out;
}

/* Levenshtein's distance, with one row of the table. */
static int64_t distance(const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count, uint32_t *row)
{
    for (uint32_t j = 0; j <= b_count; j++) {
        row[j] = j;
    }
    for (uint32_t i = 0; i < a_count; i++) {
        uint32_t diagonal = row[0];
        row[0] = i + 1;
        for (uint32_t j = 0; j < b_count; j++) {
            uint32_t best = diagonal + (a[i] != b[j]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j + 1] + 1 < best ? row[j + 1] + 1 : best;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[b_count];
}

static enum evs_row edit_distance(struct evs_call *call, const struct evs_str *a, const struct evs_str *b, int64_t max,
                                  int64_t *out)
{
    const struct evs_slice left = evs_str_slice(a), right = evs_str_slice(b);
    uint32_t left_count, right_count;
    const uint32_t *left_characters = characters(call, left, &left_count);
    const uint32_t *right_characters = characters(call, right, &right_count);
    const bool too_long = (left_count == 0 && left.count > 0) || (right_count == 0 && right.count > 0);
    if (too_long || max < 0) {
        return EVS_ROW_ARGUMENT;
    }
    uint32_t *row = evs_arena_alloc(&call->eval->scratch, sizeof *row * (right_count + 1), 64);
    const int64_t edits = distance(left_characters, left_count, right_characters, right_count, row);
    *out = edits < max ? edits : max;
    return EVS_ROW_OK;
}
static inline enum evs_row edit_distance_2_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                               int64_t *out)
{
    return edit_distance(call, a, b, INT64_MAX, out);
}
static inline enum evs_row edit_distance_3_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                               const int64_t *c, int64_t *out)
{
    return edit_distance(call, a, b, *c, out);
}
EVS_ROW_KERNEL_2(edit_distance_2, edit_distance_2_row, struct evs_str, struct evs_str, int64_t)
EVS_ROW_KERNEL_3(edit_distance_3, edit_distance_3_row, struct evs_str, struct evs_str, int64_t, int64_t)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define MAY_FAIL EVS_CALL_FALLIBLE
#define TEXT(name_, kernel_, kind, to, required_, flags_, variant_, ...)                                               \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (to), .arguments = {(kind), __VA_ARGS__},                      \
        .required = (required_), .flags = (flags_), .variant = (variant_)                                              \
    }
#define BOTH_INT(name_, kernel_)                                                                                       \
    TEXT(name_, kernel_, EVS_STRING, EVS_STRING, 2, MAY_FAIL, 0, EVS_INT64),                                           \
        TEXT(name_, kernel_, EVS_BYTES, EVS_BYTES, 2, MAY_FAIL, 0, EVS_INT64)
#define BOTH_TO(name_, kernel_, to)                                                                                    \
    TEXT(name_, kernel_, EVS_STRING, to, 2, 0, 0, EVS_STRING), TEXT(name_, kernel_, EVS_BYTES, to, 2, 0, 0, EVS_BYTES)
#define BOTH_SET(name_, variant_)                                                                                      \
    TEXT(name_, trim_2, EVS_STRING, EVS_STRING, 2, 0, variant_, EVS_STRING),                                           \
        TEXT(name_, trim_2, EVS_BYTES, EVS_BYTES, 2, 0, variant_, EVS_BYTES)

static const struct evs_overload overloads[] = {
    TEXT("length", length_kernel, EVS_STRING, EVS_INT64, 1, 0, 0, 0),
    TEXT("length", length_kernel, EVS_BYTES, EVS_INT64, 1, 0, 0, 0),
    TEXT("byte_length", byte_length_kernel, EVS_STRING, EVS_INT64, 1, 0, 0, 0),
    TEXT("byte_length", byte_length_kernel, EVS_BYTES, EVS_INT64, 1, 0, 0, 0),
    BOTH_INT("substr", substr_2),
    TEXT("substr", substr_3, EVS_STRING, EVS_STRING, 3, MAY_FAIL, 0, EVS_INT64, EVS_INT64),
    TEXT("substr", substr_3, EVS_BYTES, EVS_BYTES, 3, MAY_FAIL, 0, EVS_INT64, EVS_INT64),
    BOTH_INT("left", left_kernel),
    BOTH_INT("right", right_kernel),
    TEXT("trim", trim_1, EVS_STRING, EVS_STRING, 1, 0, TRIM_LEFT | TRIM_RIGHT, 0),
    TEXT("ltrim", trim_1, EVS_STRING, EVS_STRING, 1, 0, TRIM_LEFT, 0),
    TEXT("rtrim", trim_1, EVS_STRING, EVS_STRING, 1, 0, TRIM_RIGHT, 0),
    BOTH_SET("trim", TRIM_LEFT | TRIM_RIGHT),
    BOTH_SET("ltrim", TRIM_LEFT),
    BOTH_SET("rtrim", TRIM_RIGHT),
    BOTH_TO("starts_with", starts_with, EVS_BOOL),
    BOTH_TO("ends_with", ends_with, EVS_BOOL),
    BOTH_TO("strpos", strpos_kernel, EVS_INT64),
    TEXT("instr", instr_kernel, EVS_STRING, EVS_INT64, 2, MAY_FAIL, 0, EVS_STRING, EVS_INT64, EVS_INT64),
    TEXT("instr", instr_kernel, EVS_BYTES, EVS_INT64, 2, MAY_FAIL, 0, EVS_BYTES, EVS_INT64, EVS_INT64),
    TEXT("split_substr", split_substr_kernel, EVS_STRING, EVS_STRING, 3, MAY_FAIL, 0, EVS_STRING, EVS_INT64, EVS_INT64),
    TEXT("edit_distance", edit_distance_2, EVS_STRING, EVS_INT64, 2, MAY_FAIL, 0, EVS_STRING),
    TEXT("edit_distance", edit_distance_2, EVS_BYTES, EVS_INT64, 2, MAY_FAIL, 0, EVS_BYTES),
    TEXT("edit_distance", edit_distance_3, EVS_STRING, EVS_INT64, 3, MAY_FAIL, 0, EVS_STRING, EVS_INT64),
    TEXT("edit_distance", edit_distance_3, EVS_BYTES, EVS_INT64, 3, MAY_FAIL, 0, EVS_BYTES, EVS_INT64),
};

#define STRING(name_, signature_, meaning_, example_, result_)                                                         \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_STRING, .signature = (signature_), .meaning = (meaning_),                \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    STRING("length", "length(string or bytes) → int64", "How many characters a string has, or bytes.",
           "length('caf\xc3\xa9')", "4"),
    STRING("char_length", "char_length(string) → int64", "The same as length.", "char_length('abc')", "3"),
    STRING("character_length", "character_length(string) → int64", "The same as length.", "character_length('')", "0"),
    STRING("byte_length", "byte_length(string or bytes) → int64", "How many bytes of UTF-8 it has.",
           "byte_length('caf\xc3\xa9')", "5"),
    STRING("octet_length", "octet_length(string or bytes) → int64", "The same as byte_length.", "octet_length('ab')",
           "2"),
    STRING("substr", "substr(string, int64 [, int64]) → string; the same for bytes",
           "The part from a position (from 1; negative: from the end), of at most so many characters.",
           "substr('apple', -3, 2)", "pl"),
    STRING("substring", "substring(string, int64 [, int64]) → string; the same for bytes", "The same as substr.",
           "substring('apple', 2)", "pple"),
    STRING("left", "left(string, int64) → string; the same for bytes", "The first characters.", "left('banana', 3)",
           "ban"),
    STRING("right", "right(string, int64) → string; the same for bytes", "The last characters.", "right('banana', 2)",
           "na"),
    STRING("trim", "trim(string [, string]) → string; trim(bytes, bytes) → bytes",
           "Takes white space, or the characters of the second argument, away from both ends.", "trim('**a*b*', '*')",
           "a*b"),
    STRING("ltrim", "ltrim(string [, string]) → string; ltrim(bytes, bytes) → bytes", "trim at the start only.",
           "ltrim('xxa', 'x')", "a"),
    STRING("rtrim", "rtrim(string [, string]) → string; rtrim(bytes, bytes) → bytes", "trim at the end only.",
           "rtrim('axyx', 'xy')", "a"),
    STRING("starts_with", "starts_with(string, string) → bool; the same for bytes",
           "Whether it begins with the second.", "starts_with('/cart/add', '/cart')", "true"),
    STRING("ends_with", "ends_with(string, string) → bool; the same for bytes", "Whether it ends with the second.",
           "ends_with('a.png', '.jpg')", "false"),
    STRING("strpos", "strpos(string, string) → int64; the same for bytes",
           "Position (from 1) of the second in the first, 0 when not found.", "strpos('foo@example.com', '@')", "4"),
    STRING("instr", "instr(string, string [, position int64 [, occurrence int64]]) → int64; the same for bytes",
           "Position of the n-th occurrence from a position on, backwards when that is negative; 0 when not found.",
           "instr('banana', 'an', 1, 2)", "4"),
    STRING("split_substr", "split_substr(string, delimiter string, start int64 [, count int64]) → string",
           "The pieces between delimiters from one on (from 1; negative: from the end), at most so many.",
           "split_substr('shoes/men/boots', '/', 2, 1)", "men"),
    STRING("edit_distance", "edit_distance(string, string [, max int64]) → int64; the same for bytes",
           "How many characters have to be put in, left out or changed, at most `max`; for texts of up to 4096 "
           "characters.",
           "edit_distance('abc', 'adbc')", "1"),
};

const struct evs_family evs_family_string = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
