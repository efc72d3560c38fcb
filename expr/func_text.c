/* Functions that build new text: concat, replace, lpad, translate … A result is at most 1 MiB long; a longer one is an
 * error of its row. */
#include <stdlib.h>

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

/* --- translate ---------------------------------------------------------------------------------------------------- */

/* Characters of the source, sorted, with what each becomes: the empty text when the target is shorter. */
struct translation {
    uint32_t from;
    struct evs_slice to;
};
struct translations {
    struct translation *entries;
    uint32_t count;
};

static int compare_translations(const void *a, const void *b)
{
    const struct translation *left = a, *right = b;
    return (left->from > right->from) - (left->from < right->from);
}

static struct evs_slice take_character(struct evs_slice *text, bool by_bytes)
{
    const size_t width = by_bytes ? 1 : evs_utf8_bytes(text->data[0]);
    const struct evs_slice character = {text->data, width};
    text->data += width;
    text->count -= width;
    return character;
}
static uint32_t code_of(struct evs_slice character, bool by_bytes)
{
    return by_bytes ? (uint8_t)character.data[0] : evs_utf8_decode(character.data, (uint32_t)character.count);
}

/* False when a character stands in the source twice. */
static bool make_translations(struct evs_arena *arena, struct evs_slice from, struct evs_slice to, bool by_bytes,
                              struct translations *out)
{
    out->entries = EVS_ARENA_ARRAY(arena, struct translation, from.count + 1);
    out->count = 0;
    while (from.count > 0) {
        const struct evs_slice character = take_character(&from, by_bytes);
        const struct evs_slice target = to.count > 0 ? take_character(&to, by_bytes) : EVS_SLICE("");
        out->entries[out->count++] = (struct translation){code_of(character, by_bytes), target};
    }
    qsort(out->entries, out->count, sizeof *out->entries, compare_translations);
    for (uint32_t i = 1; i < out->count; i++) {
        if (out->entries[i].from == out->entries[i - 1].from) {
            return false;
        }
    }
    return true;
}

static bool is_constant(const struct evs_expr *expr)
{
    return expr->kind == EVS_EXPR_CONSTANT && !expr->value.is_null;
}

static evs_status prepare_translate(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                    struct evs_error *error)
{
    const struct evs_expr *from = expr->arguments[1], *to = expr->arguments[2];
    *prepared = NULL;
    if (!is_constant(from) || !is_constant(to)) {
        return EVS_OK;
    }
    struct translations *translations = EVS_ARENA_NEW(arena, struct translations);
    if (!make_translations(arena, evs_str_slice(&from->value.str), evs_str_slice(&to->value.str),
                           from->type->kind == EVS_BYTES, translations)) {
        return evs_fail(error, EVS_E_PIPELINE, "a character stands twice in %s, so what it becomes is not clear",
                        from->text);
    }
    *prepared = translations;
    return EVS_OK;
}

static enum evs_row translate(struct evs_call *call, const struct translations *translations, struct evs_slice text,
                              struct evs_str *out)
{
    const bool by_bytes = of_bytes(call);
    struct evs_buffer *built = &call->eval->buffer;
    built->count = 0;
    while (text.count > 0) {
        const struct evs_slice character = take_character(&text, by_bytes);
        const struct translation wanted = {.from = code_of(character, by_bytes)};
        const struct translation *found = bsearch(&wanted, translations->entries, translations->count,
                                                  sizeof *translations->entries, compare_translations);
        const struct evs_slice put = found ? found->to : character;
        evs_buffer_put(built, put.data, put.count);
    }
    if (built->count > EVS_TEXT_BYTES_MAX) {
        return EVS_ROW_TOO_LONG;
    }
    *out = evs_call_str(call, built->count > 0 ? built->data : "", built->count);
    return EVS_ROW_OK;
}

static inline enum evs_row translate_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                         const struct evs_str *c, struct evs_str *out)
{
    struct translations of_row;
    const struct translations *translations = call->step->prepared;
    if (translations == NULL) {
        if (!make_translations(&call->eval->scratch, evs_str_slice(b), evs_str_slice(c), of_bytes(call), &of_row)) {
            return EVS_ROW_ARGUMENT;
        }
        translations = &of_row;
    }
    return translate(call, translations, evs_str_slice(a), out);
}
EVS_ROW_KERNEL_3(translate_kernel, translate_row, struct evs_str, struct evs_str, struct evs_str, struct evs_str)

/* --- soundex ------------------------------------------------------------------------------------------------------ */

/* As GoogleSQL has it: the first letter, then the codes of three more; letters of equal codes count once, even with a
 * vowel between them. What is no ASCII letter is passed over. */
static inline enum evs_row soundex_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    (void)call;
    static const char codes[] = "01230120022455012623010202"; /* of a to z; 0: sounds like nothing */
    char result[4] = {'0', '0', '0', '0'};
    uint32_t count = 0;
    char last = '0';
    const struct evs_slice text = evs_str_slice(a);
    for (size_t i = 0; i < text.count && count < sizeof result; i++) {
        const char letter = (char)(text.data[i] | 0x20);
        if (letter < 'a' || letter > 'z') {
            continue;
        }
        const char code = codes[letter - 'a'];
        if (count == 0 || (code != '0' && code != last)) {
            result[count] = count == 0 ? text.data[i] : code;
            last = code;
            count++;
        }
    }
    *out = evs_str_make(result, count == 0 ? 0 : sizeof result);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(soundex, soundex_row, struct evs_str, struct evs_str)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define MAY_FAIL EVS_CALL_FALLIBLE
#define TEXT(name_, kernel_, to, required_, flags_, variant_, ...)                                                     \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (to), .arguments = {__VA_ARGS__}, .required = (required_),     \
        .flags = (flags_), .variant = (variant_)                                                                       \
    }
#define TRANSLATE(kind)                                                                                                \
    {                                                                                                                  \
        .name = "translate", .kernel = translate_kernel, .prepare = prepare_translate, .result = (kind),               \
        .arguments = {(kind), (kind), (kind)}, .required = 3, .flags = MAY_FAIL                                        \
    }
#define S EVS_STRING
#define B EVS_BYTES
#define I EVS_INT64

static const struct evs_overload overloads[] = {
    TEXT("||", concat_kernel, S, 2, MAY_FAIL, 0, S, S),
    TEXT("||", concat_kernel, B, 2, MAY_FAIL, 0, B, B),
    TEXT("concat", concat_kernel, S, 1, MAY_FAIL | EVS_CALL_VARIADIC, 0, S),
    TEXT("concat", concat_kernel, B, 1, MAY_FAIL | EVS_CALL_VARIADIC, 0, B),
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
    TRANSLATE(S),
    TRANSLATE(B),
    TEXT("soundex", soundex, S, 1, 0, 0, S),
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
    STRING("translate", "translate(string, from string, to string) → string; the same for bytes",
           "Each character of `from` becomes the one at its place in `to`, or goes when there is none.",
           "translate('1.234,5', '.,', ',.')", "1,234.5"),
    STRING("soundex", "soundex(string) → string", "How it sounds in English: equal for names that sound alike.",
           "soundex('Ashcraft')", "A261"),
};

const struct evs_family evs_family_text = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
