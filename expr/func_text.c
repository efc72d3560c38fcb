/* Functions that build new text: concat, upper, replace, lpad … A result is at most 1 MiB long; a longer one is an
 * error of its row.
 *
 * upper and lower map character by character, with Unicode's simple mappings as the C.UTF-8 locale has them
 * (towupper_l), whatever locale the process runs in. So 'ß' stays 'ß' (its full mapping is two letters), which is a
 * listed divergence from GoogleSQL. */
#include <wctype.h>

#include "kernel.h"
#include "text_tools.h"

static bool of_bytes(const struct evs_call *call)
{
    return call->step->overload->arguments[0] == EVS_BYTES;
}

/* --- concat ------------------------------------------------------------------------------------------------------- */

static enum evs_row concat_row(struct evs_call *call, uint32_t row, struct evs_str *out)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < call->argument_count; i++) {
        bytes += EVS_COLUMN_AT(call->arguments[i], struct evs_str, row)->count;
    }
    if (bytes > EVS_TEXT_BYTES_MAX) {
        return EVS_ROW_TOO_LONG;
    }
    char small[EVS_STR_INLINE_MAX];
    char *text = bytes <= sizeof small ? small : evs_call_text(call, bytes);
    char *at = text;
    for (uint32_t i = 0; i < call->argument_count; i++) {
        const struct evs_str *argument = EVS_COLUMN_AT(call->arguments[i], struct evs_str, row);
        memcpy(at, evs_str_data(argument), argument->count);
        at += argument->count;
    }
    *out = evs_str_make(text, (uint32_t)bytes);
    return EVS_ROW_OK;
}

static void concat_kernel(struct evs_call *call)
{
    struct evs_str *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        EVS_ROW_DONE(call, row, concat_row(call, row, &out[row]));
    }
}

/* --- upper and lower ---------------------------------------------------------------------------------------------- */

static uint32_t decode(const char *at, uint32_t bytes)
{
    const uint8_t *b = (const uint8_t *)at;
    switch (bytes) {
    case 1:
        return b[0];
    case 2:
        return ((b[0] & 0x1fu) << 6) | (b[1] & 0x3fu);
    case 3:
        return ((b[0] & 0x0fu) << 12) | ((b[1] & 0x3fu) << 6) | (b[2] & 0x3fu);
    default:
        return ((b[0] & 0x07u) << 18) | ((b[1] & 0x3fu) << 12) | ((b[2] & 0x3fu) << 6) | (b[3] & 0x3fu);
    }
}
static uint32_t encode(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    const uint32_t bytes = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (uint32_t i = bytes - 1; i > 0; i--, c >>= 6) {
        out[i] = (char)(0x80 | (c & 0x3f));
    }
    out[0] = (char)((0xf00u >> bytes & 0xf0u) | c); /* 110…, 1110…, 11110… */
    return bytes;
}

/* Turns bit 0x20 of the letters a-z (or A-Z) over, eight bytes at a time; other bytes, 0x80 and above among them,
 * stay. */
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

static size_t map_unicode(struct evs_slice text, bool upper, locale_t locale, char *out)
{
    size_t bytes = 0;
    for (size_t i = 0; i < text.count;) {
        const uint32_t width = evs_utf8_bytes(text.data[i]);
        const uint32_t c = decode(text.data + i, width);
        const wint_t mapped = upper ? towupper_l((wint_t)c, locale) : towlower_l((wint_t)c, locale);
        bytes += encode(out + bytes, (uint32_t)mapped);
        i += width;
    }
    return bytes;
}

/* variant 1: upper. Bytes are mapped as ASCII. A mapping can lengthen a character from two bytes to three. */
static inline enum evs_row case_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct evs_slice text = evs_str_slice(a);
    const bool upper = call->step->overload->variant == 1;
    const bool ascii = of_bytes(call) || evs_is_ascii(text);
    if (ascii && text.count <= EVS_STR_INLINE_MAX) {
        *out = map_inline(a, upper);
        return EVS_ROW_OK;
    }
    if (text.count > EVS_TEXT_BYTES_MAX) {
        return EVS_ROW_TOO_LONG;
    }
    char *built = evs_call_text(call, ascii ? text.count : text.count * 2);
    size_t bytes = text.count;
    if (ascii) {
        map_ascii(text, upper, built);
    } else if (call->eval->locale != (locale_t)0) {
        bytes = map_unicode(text, upper, call->eval->locale, built);
    } else {
        return EVS_ROW_ARGUMENT; /* evs_program_compile has refused: only a fold comes here */
    }
    *out = evs_str_make(built, (uint32_t)bytes);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(case_kernel, case_row, struct evs_str, struct evs_str)

/* --- repeat, reverse, replace ------------------------------------------------------------------------------------- */

static inline enum evs_row repeat_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                      struct evs_str *out)
{
    if (*b < 0) {
        return EVS_ROW_ARGUMENT;
    }
    if (a->count == 0 || *b == 0) {
        *out = evs_str_make("", 0);
        return EVS_ROW_OK;
    }
    if (*b > EVS_TEXT_BYTES_MAX / a->count) {
        return EVS_ROW_TOO_LONG;
    }
    const size_t bytes = (size_t)a->count * (size_t)*b;
    char *text = evs_call_text(call, bytes);
    for (size_t at = 0; at < bytes; at += a->count) {
        memcpy(text + at, evs_str_data(a), a->count);
    }
    *out = evs_str_make(text, (uint32_t)bytes);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(repeat_kernel, repeat_row, struct evs_str, int64_t, struct evs_str)

static inline enum evs_row reverse_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct evs_slice text = evs_str_slice(a);
    char *built = evs_call_text(call, text.count);
    size_t end = text.count;
    for (size_t i = 0; i < text.count;) {
        const uint32_t width = of_bytes(call) ? 1 : evs_utf8_bytes(text.data[i]);
        end -= width;
        memcpy(built + end, text.data + i, width);
        i += width;
    }
    *out = evs_str_make(built, a->count);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(reverse_kernel, reverse_row, struct evs_str, struct evs_str)

/* The bytes of the result. */
static size_t replaced_bytes(struct evs_slice text, struct evs_slice from, struct evs_slice to)
{
    size_t count = 0;
    const char *at = text.data, *end = text.data + text.count;
    while ((at = memmem(at, (size_t)(end - at), from.data, from.count)) != NULL) {
        at += from.count;
        count++;
    }
    return text.count - count * from.count + count * to.count;
}

static inline enum evs_row replace_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                       const struct evs_str *c, struct evs_str *out)
{
    const struct evs_slice text = evs_str_slice(a), from = evs_str_slice(b), to = evs_str_slice(c);
    if (from.count == 0 || text.count == 0) {
        *out = *a;
        return EVS_ROW_OK;
    }
    const size_t bytes = replaced_bytes(text, from, to);
    if (bytes > EVS_TEXT_BYTES_MAX) {
        return EVS_ROW_TOO_LONG;
    }
    char *built = evs_call_text(call, bytes), *next = built;
    const char *at = text.data, *end = text.data + text.count, *hit;
    while ((hit = memmem(at, (size_t)(end - at), from.data, from.count)) != NULL) {
        next = mempcpy(next, at, (size_t)(hit - at));
        next = mempcpy(next, to.data, to.count);
        at = hit + from.count;
    }
    memcpy(next, at, (size_t)(end - at));
    *out = evs_str_make(built, (uint32_t)bytes);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_3(replace_kernel, replace_row, struct evs_str, struct evs_str, struct evs_str, struct evs_str)

/* --- lpad, rpad --------------------------------------------------------------------------------------------------- */

/* `count` characters of the pattern, repeated. The bytes are appended at `out` when it is not NULL; returns how
 * many. */
static size_t fill(const struct evs_call *call, struct evs_slice pattern, int64_t count, char *out)
{
    const int64_t in_pattern = of_bytes(call) ? (int64_t)pattern.count : evs_utf8_count(pattern);
    EVS_ASSERT(in_pattern > 0);
    const size_t rest = of_bytes(call) ? (size_t)(count % in_pattern) : evs_utf8_offset(pattern, count % in_pattern);
    const size_t whole = (size_t)(count / in_pattern);
    for (size_t i = 0; i < whole && out != NULL; i++) {
        out = mempcpy(out, pattern.data, pattern.count);
    }
    if (out != NULL) {
        memcpy(out, pattern.data, rest);
    }
    return whole * pattern.count + rest;
}

/* variant 1: at the left. A text that is too long already is cut at its end, in both. */
static enum evs_row pad(struct evs_call *call, struct evs_slice text, int64_t wanted, struct evs_slice pattern,
                        struct evs_str *out)
{
    if (wanted < 0 || pattern.count == 0) {
        return EVS_ROW_ARGUMENT;
    }
    const int64_t length = of_bytes(call) ? (int64_t)text.count : evs_utf8_count(text);
    if (wanted <= length) {
        const size_t kept = of_bytes(call) ? (size_t)wanted : evs_utf8_offset(text, wanted);
        *out = evs_str_make(text.data, (uint32_t)kept);
        return EVS_ROW_OK;
    }
    if (wanted > (int64_t)EVS_TEXT_BYTES_MAX) {
        return EVS_ROW_TOO_LONG;
    }
    const size_t padding = fill(call, pattern, wanted - length, NULL);
    if (padding + text.count > EVS_TEXT_BYTES_MAX) {
        return EVS_ROW_TOO_LONG;
    }
    const bool left = call->step->overload->variant == 1;
    char *built = evs_call_text(call, padding + text.count);
    memcpy(built + (left ? padding : 0), text.data, text.count);
    fill(call, pattern, wanted - length, built + (left ? 0 : text.count));
    *out = evs_str_make(built, (uint32_t)(padding + text.count));
    return EVS_ROW_OK;
}
static inline enum evs_row pad_2_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                     struct evs_str *out)
{
    return pad(call, evs_str_slice(a), *b, EVS_SLICE(" "), out);
}
static inline enum evs_row pad_3_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                     const struct evs_str *c, struct evs_str *out)
{
    return pad(call, evs_str_slice(a), *b, evs_str_slice(c), out);
}
EVS_ROW_KERNEL_2(pad_2, pad_2_row, struct evs_str, int64_t, struct evs_str)
EVS_ROW_KERNEL_3(pad_3, pad_3_row, struct evs_str, int64_t, struct evs_str, struct evs_str)

/* --- hexadecimal -------------------------------------------------------------------------------------------------- */

static inline enum evs_row to_hex_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct evs_slice bytes = evs_str_slice(a);
    if (bytes.count > EVS_TEXT_BYTES_MAX / 2) {
        return EVS_ROW_TOO_LONG;
    }
    char *text = evs_call_text(call, bytes.count * 2);
    for (size_t i = 0; i < bytes.count; i++) {
        text[i * 2] = "0123456789abcdef"[(uint8_t)bytes.data[i] >> 4];
        text[i * 2 + 1] = "0123456789abcdef"[(uint8_t)bytes.data[i] & 15];
    }
    *out = evs_str_make(text, (uint32_t)(bytes.count * 2));
    return EVS_ROW_OK;
}

static int hex_digit(char c)
{
    const char lowered = (char)(c | 0x20);
    return c >= '0' && c <= '9' ? c - '0' : lowered >= 'a' && lowered <= 'f' ? lowered - 'a' + 10 : -1;
}

/* An odd count of digits is read as if a 0 stood in front. */
static inline enum evs_row from_hex_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct evs_slice text = evs_str_slice(a);
    const size_t bytes = (text.count + 1) / 2;
    char *built = evs_call_text(call, bytes);
    memset(built, 0, bytes);
    for (size_t i = 0; i < text.count; i++) {
        const int digit = hex_digit(text.data[i]);
        if (digit < 0) {
            return EVS_ROW_ARGUMENT;
        }
        const size_t nibble = i + text.count % 2;
        built[nibble / 2] = (char)((uint8_t)built[nibble / 2] << 4 | digit);
    }
    *out = evs_str_make(built, (uint32_t)bytes);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(to_hex, to_hex_row, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_1(from_hex, from_hex_row, struct evs_str, struct evs_str)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define MAY_FAIL EVS_CALL_FALLIBLE
#define TEXT(name_, kernel_, to, required_, flags_, variant_, ...)                                                     \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (to), .arguments = {__VA_ARGS__}, .required = (required_),     \
        .flags = (flags_), .variant = (variant_)                                                                       \
    }
#define S EVS_STRING
#define B EVS_BYTES
#define I EVS_INT64

static const struct evs_overload overloads[] = {
    TEXT("||", concat_kernel, S, 2, MAY_FAIL, 0, S, S),
    TEXT("||", concat_kernel, B, 2, MAY_FAIL, 0, B, B),
    TEXT("concat", concat_kernel, S, 1, MAY_FAIL | EVS_CALL_VARIADIC, 0, S),
    TEXT("concat", concat_kernel, B, 1, MAY_FAIL | EVS_CALL_VARIADIC, 0, B),
    TEXT("upper", case_kernel, S, 1, EVS_CALL_LOCALE | MAY_FAIL, 1, S),
    TEXT("upper", case_kernel, B, 1, MAY_FAIL, 1, B),
    TEXT("lower", case_kernel, S, 1, EVS_CALL_LOCALE | MAY_FAIL, 0, S),
    TEXT("lower", case_kernel, B, 1, MAY_FAIL, 0, B),
    TEXT("repeat", repeat_kernel, S, 2, MAY_FAIL, 0, S, I),
    TEXT("repeat", repeat_kernel, B, 2, MAY_FAIL, 0, B, I),
    TEXT("reverse", reverse_kernel, S, 1, 0, 0, S),
    TEXT("reverse", reverse_kernel, B, 1, 0, 0, B),
    TEXT("replace", replace_kernel, S, 3, MAY_FAIL, 0, S, S, S),
    TEXT("replace", replace_kernel, B, 3, MAY_FAIL, 0, B, B, B),
    TEXT("lpad", pad_2, S, 2, MAY_FAIL, 1, S, I),
    TEXT("lpad", pad_2, B, 2, MAY_FAIL, 1, B, I),
    TEXT("lpad", pad_3, S, 3, MAY_FAIL, 1, S, I, S),
    TEXT("lpad", pad_3, B, 3, MAY_FAIL, 1, B, I, B),
    TEXT("rpad", pad_2, S, 2, MAY_FAIL, 0, S, I),
    TEXT("rpad", pad_2, B, 2, MAY_FAIL, 0, B, I),
    TEXT("rpad", pad_3, S, 3, MAY_FAIL, 0, S, I, S),
    TEXT("rpad", pad_3, B, 3, MAY_FAIL, 0, B, I, B),
    TEXT("to_hex", to_hex, S, 1, MAY_FAIL, 0, B),
    TEXT("from_hex", from_hex, B, 1, MAY_FAIL, 0, S),
};

#define STRING(name_, signature_, meaning_, example_, result_)                                                         \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_STRING, .signature = (signature_), .meaning = (meaning_),                \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    {"||", EVS_FAMILY_OPERATOR, "string || string → string; bytes || bytes → bytes", "Both, one behind the other.",
     "'a' || 'b'", "ab"},
    STRING("concat", "concat(T, …) → string; concat(bytes, …) → bytes",
           "All arguments behind each other, each cast to string.", "concat('sku-', 42)", "sku-42"),
    STRING("upper", "upper(string) → string; the same for bytes", "Capital letters, by Unicode's simple mapping.",
           "upper('caf\xc3\xa9')", "CAF\xc3\x89"),
    STRING("lower", "lower(string) → string; the same for bytes", "Small letters, by Unicode's simple mapping.",
           "lower('ABC')", "abc"),
    STRING("repeat", "repeat(string, int64) → string; the same for bytes", "The text so many times.", "repeat('ab', 3)",
           "ababab"),
    STRING("reverse", "reverse(string) → string; the same for bytes", "The characters in opposite order.",
           "reverse('abc')", "cba"),
    STRING("replace", "replace(string, from string, to string) → string; the same for bytes",
           "Every occurrence replaced.", "replace('a-b-c', '-', '+')", "a+b+c"),
    STRING("lpad", "lpad(string, int64 [, string]) → string; the same for bytes",
           "Padded at the left to so many characters, or cut to them.", "lpad('7', 3, '0')", "007"),
    STRING("rpad", "rpad(string, int64 [, string]) → string; the same for bytes",
           "Padded at the right to so many characters, or cut to them.", "rpad('ab', 5, 'xy')", "abxyx"),
    STRING("to_hex", "to_hex(bytes) → string", "Two hexadecimal digits a byte.", "to_hex(b'evs')", "657673"),
    STRING("from_hex", "from_hex(string) → bytes", "The bytes that hexadecimal digits mean.", "from_hex('657673')",
           "evs"),
};

const struct evs_family evs_family_text = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
