/* The grammar of RFC 8259 below the token: scalars, strings with their escapes, and the check of a whole value.
 *
 * The check is a loop with a bit for each open container, not a recursion: its stack does not grow with what somebody sends. */
#include "json_text.h"

#include "evstream/status.h"

/* --- scalars --------------------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static const char *skip_digits(const char *next, const char *end)
{
    while (next < end && is_digit(*next)) {
        next++;
    }
    return next;
}

/* [eE][+-]digits, or nothing; NULL when it is neither. */
static const char *skip_exponent(const char *next, const char *end)
{
    if (next == end || (*next | 0x20) != 'e') {
        return next;
    }
    next++;
    if (next < end && (*next == '+' || *next == '-')) {
        next++;
    }
    const char *digits = next;
    next = skip_digits(next, end);
    return next == digits ? NULL : next;
}

bool evs_json_is_number(struct evs_slice text)
{
    const char *next = text.data, *end = text.data + text.count;
    if (next < end && *next == '-') {
        next++;
    }
    const char *integer = next;
    next = skip_digits(next, end);
    if (next == integer || (*integer == '0' && next > integer + 1)) {
        return false;
    }
    if (next < end && *next == '.') {
        const char *fraction = ++next;
        next = skip_digits(next, end);
        if (next == fraction) {
            return false;
        }
    }
    return skip_exponent(next, end) == end;
}

bool evs_json_is_literal(struct evs_slice text)
{
    return evs_slice_equal(text, EVS_SLICE("true")) || evs_slice_equal(text, EVS_SLICE("false")) ||
           evs_slice_equal(text, EVS_SLICE("null"));
}

/* Far more than any text that fits in memory could bring back into range. */
#define EXPONENT_LIMIT INT64_C(1000000000000)

static int64_t read_exponent(const char *next, const char *end)
{
    bool negative = *next == '-';
    next += negative || *next == '+';
    int64_t sum = 0;
    for (; next < end && sum < EXPONENT_LIMIT; next++) {
        sum = sum * 10 + (*next - '0');
    }
    return negative ? -sum : sum;
}

#define DIGITS_MAX 19 /* that many decimal digits always fit in 64 bits */

struct evs_json_decimal evs_json_decimal(struct evs_slice text)
{
    struct evs_json_decimal number = {.negative = text.data[0] == '-'};
    const char *next = text.data + number.negative, *end = text.data + text.count;
    uint32_t count = 0;
    int64_t zeros = 0; /* since the last other digit: they count only if one follows */
    bool point = false;
    for (; next < end && (*next | 0x20) != 'e'; next++) {
        if (*next == '.') {
            point = true;
            continue;
        }
        number.exponent -= point;
        if (*next == '0') {
            zeros += count > 0;
            continue;
        }
        for (; zeros > 0 && count < DIGITS_MAX; zeros--, count++) {
            number.digits *= 10;
        }
        if (zeros > 0 || count == DIGITS_MAX) {
            number.more = true;
            zeros++; /* this digit's place, without its value */
            continue;
        }
        number.digits = number.digits * 10 + (uint64_t)(*next - '0');
        count++;
    }
    number.exponent += zeros + (next < end ? read_exponent(next + 1, end) : 0);
    return number;
}

/* --- strings --------------------------------------------------------------------------------------------------------- */

static inline uint64_t load_word(const char *text)
{
    uint64_t word;
    memcpy(&word, text, 8);
    return word;
}

/* Whether one of the eight bytes is a backslash. */
static inline bool word_has_escape(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    word ^= ones * '\\';
    return ((word - ones) & ~word & (ones << 7)) != 0;
}

#define SCAN_BYTES_MAX 64u /* beyond, the library's vectors win */

bool evs_json_has_escape(struct evs_slice inside)
{
    const char *text = inside.data;
    size_t count = inside.count;
    if (count < 8) {
        return word_has_escape(load_word(text) &
                               ((UINT64_C(1) << (8 * count)) - 1)); /* little-endian: the bytes that belong to it */
    }
    if (count > SCAN_BYTES_MAX) {
        return memchr(text, '\\', count) != NULL;
    }
    bool found = word_has_escape(load_word(text + count - 8));
    for (size_t at = 0; at + 8 < count; at += 8) {
        found |= word_has_escape(load_word(text + at));
    }
    return found;
}

static int hex_digit(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The code unit of \uXXXX at `next`, or -1. */
static int32_t code_unit(const char *next, const char *end)
{
    if (end - next < 6 || next[0] != '\\' || next[1] != 'u') {
        return -1;
    }
    int32_t unit = 0;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(next[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

/* The character that the escape at `next` stands for; its length in *bytes. -1 when it is none. */
static int32_t read_escape(const char *next, const char *end, uint32_t *bytes)
{
    static const char simple[128] = {
        ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    EVS_ASSERT(end - next >= 2); /* a closed string does not end in a lone backslash */
    *bytes = 2;
    if (next[1] != 'u') {
        char meant = (next[1] & 0x80) ? '\0' : simple[(unsigned char)next[1]];
        return meant == '\0' ? -1 : meant;
    }
    *bytes = 6;
    int32_t high = code_unit(next, end);
    if (high < 0xD800 || high > 0xDFFF) {
        return high;
    }
    int32_t low = code_unit(next + 6, end);
    if (high >= 0xDC00 || low < 0xDC00 || low > 0xDFFF) {
        return -1;
    }
    *bytes = 12;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static char *put_utf8(char *out, int32_t character)
{
    if (character < 0x80) {
        *out++ = (char)character;
    } else if (character < 0x800) {
        *out++ = (char)(0xC0 | character >> 6);
        *out++ = (char)(0x80 | (character & 0x3F));
    } else if (character < 0x10000) {
        *out++ = (char)(0xE0 | character >> 12);
        *out++ = (char)(0x80 | (character >> 6 & 0x3F));
        *out++ = (char)(0x80 | (character & 0x3F));
    } else {
        *out++ = (char)(0xF0 | character >> 18);
        *out++ = (char)(0x80 | (character >> 12 & 0x3F));
        *out++ = (char)(0x80 | (character >> 6 & 0x3F));
        *out++ = (char)(0x80 | (character & 0x3F));
    }
    return out;
}

bool evs_json_unescape(struct evs_slice inside, char *out, uint32_t *count)
{
    const char *next = inside.data, *end = inside.data + inside.count;
    char *start = out;
    while (next < end) {
        const char *escape = memchr(next, '\\', (size_t)(end - next));
        size_t plain = (size_t)((escape == NULL ? end : escape) - next);
        memcpy(out, next, plain);
        out += plain;
        next += plain;
        if (escape == NULL) {
            break;
        }
        uint32_t bytes;
        int32_t character = read_escape(next, end, &bytes);
        if (character < 0) {
            return false;
        }
        out = put_utf8(out, character);
        next += bytes;
    }
    *count = (uint32_t)(out - start);
    EVS_ASSERT(*count <= inside.count);
    return true;
}

bool evs_json_escapes_valid(struct evs_slice inside)
{
    const char *next = inside.data, *end = inside.data + inside.count;
    while (next < end && (next = memchr(next, '\\', (size_t)(end - next))) != NULL) {
        uint32_t bytes;
        if (read_escape(next, end, &bytes) < 0) {
            return false;
        }
        next += bytes;
    }
    return true;
}

/* --- a whole value --------------------------------------------------------------------------------------------------- */

struct check {
    const struct evs_json_tokens *tokens;
    uint32_t n;
    uint32_t outer;                              /* containers that are open round the value */
    uint32_t depth;                              /* and in all */
    uint64_t is_object[EVS_JSON_DEPTH_MAX / 64]; /* a bit a container that is open */
    const char *reason, *expected;
};

static bool fail(struct check *check, const char *reason, const char *expected)
{
    check->reason = reason;
    check->expected = expected;
    return false;
}

static bool in_object(const struct check *check)
{
    uint32_t top = check->depth - 1;
    return check->is_object[top / 64] >> (top % 64) & 1;
}

static bool open_container(struct check *check, bool is_object)
{
    if (check->depth == EVS_JSON_DEPTH_MAX) {
        return fail(check, "depth", "less nesting");
    }
    uint64_t bit = UINT64_C(1) << (check->depth % 64), *word = &check->is_object[check->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    check->depth++;
    check->n++;
    return true;
}

static bool check_string(struct check *check)
{
    struct evs_slice quoted = evs_json_scalar(check->tokens, check->n);
    EVS_ASSERT(quoted.count >= 2 && quoted.data[quoted.count - 1] == '"');
    struct evs_slice inside = {quoted.data + 1, quoted.count - 2};
    if (!evs_json_escapes_valid(inside)) {
        return fail(check, "json", "a valid escape");
    }
    check->n++;
    return true;
}

static bool check_scalar(struct check *check)
{
    char first = evs_json_token(check->tokens, check->n);
    if (first == '"') {
        return check_string(check);
    }
    if (first == EVS_JSON_NONE || strchr("{}[]:,", first) != NULL) {
        return fail(check, "json", "a value");
    }
    struct evs_slice text = evs_json_scalar(check->tokens, check->n);
    if (!evs_json_is_number(text) && !evs_json_is_literal(text)) {
        return fail(check, "json", "a value");
    }
    check->n++;
    return true;
}

static bool check_key(struct check *check)
{
    if (evs_json_token(check->tokens, check->n) != '"') {
        return fail(check, "json", "a key");
    }
    if (!check_string(check)) {
        return false;
    }
    if (evs_json_token(check->tokens, check->n) != ':') {
        return fail(check, "json", "`:`");
    }
    check->n++;
    return true;
}

/* Behind a value: closes containers until another value is due (true, not *done), or nothing is open any more (*done). */
static bool check_behind(struct check *check, bool *done)
{
    while (check->depth > check->outer) {
        char c = evs_json_token(check->tokens, check->n);
        bool object = in_object(check);
        if (c == ',') {
            check->n++;
            return object ? check_key(check) : true;
        }
        if (c != (object ? '}' : ']')) {
            return fail(check, "json", object ? "`,` or `}`" : "`,` or `]`");
        }
        check->depth--;
        check->n++;
    }
    *done = true;
    return true;
}

/* One value, or the opening of one that is not empty; *behind: whether the value is complete. */
static bool check_value(struct check *check, bool *behind)
{
    char c = evs_json_token(check->tokens, check->n);
    *behind = true;
    if (c != '{' && c != '[') {
        return check_scalar(check);
    }
    if (!open_container(check, c == '{')) {
        return false;
    }
    if (evs_json_token(check->tokens, check->n) == (c == '{' ? '}' : ']')) {
        check->depth--;
        check->n++;
        return true;
    }
    *behind = false;
    return c == '{' ? check_key(check) : true;
}

bool evs_json_check(const struct evs_json_tokens *tokens, uint32_t *n, uint32_t depth, const char **reason,
                    const char **expected)
{
    EVS_ASSERT(depth <= EVS_JSON_DEPTH_MAX);
    struct check check = {.tokens = tokens, .n = *n, .outer = depth, .depth = depth};
    bool done = false, behind = false, good = true;
    while (good && !done) {
        good = check_value(&check, &behind) && (!behind || check_behind(&check, &done));
    }
    EVS_ASSERT(!good || check.n > *n);
    *n = check.n;
    *reason = check.reason;
    *expected = check.expected;
    return good;
}
