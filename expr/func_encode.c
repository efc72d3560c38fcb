/* Bytes as text and back: hexadecimal, base32, base64, and text that may be damaged. */
#include "kernel.h"
#include "text_tools.h"

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

/* --- base32 and base64 -------------------------------------------------------------------------------------------- */

/* RFC 4648: groups of `digits` characters of `bits` bits stand for `bytes` bytes; the last is filled with =. */
struct base {
    const char *alphabet;
    uint8_t bits, digits, bytes;
};
static const struct base base32 = {"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 5, 8, 5};
static const struct base base64 = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6, 4, 3};

static const struct base *base_of(const struct evs_call *call)
{
    return call->step->overload->variant == 32 ? &base32 : &base64;
}

static inline enum evs_row to_base_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct base *base = base_of(call);
    const struct evs_slice bytes = evs_str_slice(a);
    const size_t count = (bytes.count + base->bytes - 1) / base->bytes * base->digits;
    if (count > EVS_TEXT_BYTES_MAX) {
        return EVS_ROW_TOO_LONG;
    }
    char *text = evs_call_text(call, count);
    size_t written = 0;
    uint32_t held = 0, held_bits = 0; /* bits that are not written yet, the lowest of `held` */
    for (size_t i = 0; i < bytes.count; i++) {
        held = held << 8 | (uint8_t)bytes.data[i];
        for (held_bits += 8; held_bits >= base->bits; held_bits -= base->bits) {
            text[written++] = base->alphabet[held >> (held_bits - base->bits) & ((1u << base->bits) - 1)];
        }
        held &= 0xff;
    }
    if (held_bits > 0) {
        text[written++] = base->alphabet[held << (base->bits - held_bits) & ((1u << base->bits) - 1)];
    }
    EVS_ASSERT(written <= count);
    memset(text + written, '=', count - written);
    *out = evs_str_make(text, (uint32_t)count);
    return EVS_ROW_OK;
}

static int digit_of(const struct base *base, char c)
{
    const char *at = c == '\0' ? NULL : strchr(base->alphabet, c);
    return at ? (int)(at - base->alphabet) : -1;
}

/* Whether so many characters in the last group, and the = behind them, stand for whole bytes; there may be no = at all. */
static bool ending_fits(const struct base *base, size_t digits, size_t padding)
{
    const size_t last = digits % base->digits, spare = last * base->bits % 8;
    const bool is_whole = spare < base->bits;
    return is_whole && (padding == 0 || (last > 0 && padding == base->digits - last));
}

/* White space is passed over; bits of the last character that stand for nothing do not matter. */
static inline enum evs_row from_base_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct base *base = base_of(call);
    const struct evs_slice text = evs_str_slice(a);
    char *bytes = evs_call_text(call, text.count);
    size_t written = 0, digits = 0, padding = 0;
    uint32_t held = 0, held_bits = 0;
    for (size_t i = 0; i < text.count; i++) {
        const int digit = digit_of(base, text.data[i]);
        if (evs_is_space(text.data[i])) {
            continue;
        }
        padding += text.data[i] == '=';
        if (text.data[i] != '=' && (digit < 0 || padding > 0)) {
            return EVS_ROW_ARGUMENT;
        }
        if (digit < 0) {
            continue;
        }
        digits++;
        held = (held << base->bits | (uint32_t)digit) & 0xffff;
        held_bits += base->bits;
        if (held_bits >= 8) {
            held_bits -= 8;
            bytes[written++] = (char)(held >> held_bits);
        }
    }
    *out = evs_str_make(bytes, (uint32_t)written);
    return ending_fits(base, digits, padding) ? EVS_ROW_OK : EVS_ROW_ARGUMENT;
}
EVS_ROW_KERNEL_1(to_base, to_base_row, struct evs_str, struct evs_str)
EVS_ROW_KERNEL_1(from_base, from_base_row, struct evs_str, struct evs_str)

/* --- damaged text ------------------------------------------------------------------------------------------------- */

/* How many bytes at the start of the text are one whole character; 0 when none begins here. */
static uint32_t whole_character(const char *at, size_t left)
{
    const uint32_t bytes = evs_utf8_bytes(*at);
    return bytes <= left && evs_utf8_valid(at, bytes) ? bytes : 0;
}

struct evs_str evs_text_repair(struct evs_call *call, struct evs_slice bytes)
{
    struct evs_buffer *built = &call->eval->buffer;
    built->count = 0;
    for (size_t i = 0; i < bytes.count;) {
        const uint32_t width = whole_character(bytes.data + i, bytes.count - i);
        evs_buffer_put(built, width > 0 ? bytes.data + i : "\xef\xbf\xbd", width > 0 ? width : 3);
        i += width > 0 ? width : 1;
    }
    return evs_call_str(call, built->count > 0 ? built->data : "", built->count);
}

static inline enum evs_row repair_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    const struct evs_slice bytes = evs_str_slice(a);
    *out = evs_utf8_valid(bytes.data, bytes.count) ? *a : evs_text_repair(call, bytes);
    return out->count > EVS_TEXT_BYTES_MAX ? EVS_ROW_TOO_LONG : EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(repair, repair_row, struct evs_str, struct evs_str)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define ENCODE(name_, kernel_, from, to, variant_)                                                                     \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .result = (to), .arguments = {(from)}, .required = 1,                    \
        .flags = EVS_CALL_FALLIBLE, .variant = (variant_)                                                              \
    }
static const struct evs_overload overloads[] = {
    ENCODE("to_hex", to_hex, EVS_BYTES, EVS_STRING, 0),
    ENCODE("from_hex", from_hex, EVS_STRING, EVS_BYTES, 0),
    ENCODE("to_base32", to_base, EVS_BYTES, EVS_STRING, 32),
    ENCODE("from_base32", from_base, EVS_STRING, EVS_BYTES, 32),
    ENCODE("to_base64", to_base, EVS_BYTES, EVS_STRING, 64),
    ENCODE("from_base64", from_base, EVS_STRING, EVS_BYTES, 64),
    ENCODE("safe_convert_bytes_to_string", repair, EVS_BYTES, EVS_STRING, 0),
};

#define ENTRY(name_, signature_, meaning_, example_, result_)                                                          \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_HASH, .signature = (signature_), .meaning = (meaning_),                  \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    ENTRY("to_hex", "to_hex(bytes) → string", "Two hexadecimal digits a byte.", "to_hex(b'evs')", "657673"),
    ENTRY("from_hex", "from_hex(string) → bytes", "The bytes that hexadecimal digits mean.", "from_hex('657673')",
          "evs"),
    ENTRY("to_base32", "to_base32(bytes) → string", "As base32, filled with =.", "to_base32(b'evs')", "MV3HG==="),
    ENTRY("from_base32", "from_base32(string) → bytes", "The bytes that base32 means.", "from_base32('MV3HG===')",
          "evs"),
    ENTRY("to_base64", "to_base64(bytes) → string", "As base64, filled with =.", "to_base64(b'stream')", "c3RyZWFt"),
    ENTRY("from_base64", "from_base64(string) → bytes", "The bytes that base64 means.", "from_base64('c3RyZWFt')",
          "stream"),
    ENTRY("safe_convert_bytes_to_string", "safe_convert_bytes_to_string(bytes) → string",
          "The text; each byte that is not UTF-8 becomes U+FFFD.", "safe_convert_bytes_to_string(from_hex('61ff62'))",
          "a\xef\xbf\xbd"
          "b"),
};

const struct evs_family evs_family_encode = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
