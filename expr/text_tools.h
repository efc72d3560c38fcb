/* Small tools of the text functions: characters of UTF-8, and where built text lives. */
#ifndef EVS_EXPR_TEXT_TOOLS_H
#define EVS_EXPR_TEXT_TOOLS_H

#include "internal.h"

/* Room for a text that a result will point to. */
static inline char *evs_call_text(struct evs_call *call, size_t bytes)
{
    return evs_arena_alloc(call->eval->text, bytes + 1, 1);
}
static inline struct evs_str evs_call_str(struct evs_call *call, const char *data, size_t bytes)
{
    if (bytes <= EVS_STR_INLINE_MAX) {
        return evs_str_make(data, (uint32_t)bytes);
    }
    return evs_str_make(evs_arena_copy(call->eval->text, data, bytes), (uint32_t)bytes);
}

/* Bytes as text: each byte that is no part of a character becomes U+FFFD (func_encode.c). */
struct evs_str evs_text_repair(struct evs_call *call, struct evs_slice bytes);

/* Bytes of the character that begins with this byte; text of string columns is valid UTF-8. */
static inline uint32_t evs_utf8_bytes(char first)
{
    const uint8_t c = (uint8_t)first;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}
static inline bool evs_utf8_is_start(char byte)
{
    return ((uint8_t)byte & 0xc0) != 0x80;
}
/* The code point of a character of so many bytes. */
static inline uint32_t evs_utf8_decode(const char *at, uint32_t bytes)
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
/* Writes up to 4 bytes and returns how many. */
static inline uint32_t evs_utf8_encode(char *out, uint32_t c)
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
/* Up to 8 bytes as a word; missing ones are 0, which is an ASCII character and no letter. */
static inline uint64_t evs_word_of(const char *bytes, size_t count)
{
    uint64_t word = 0;
    memcpy(&word, bytes, count < 8 ? count : 8);
    return word;
}
static inline bool evs_is_ascii(struct evs_slice text)
{
    uint64_t all = 0;
    size_t i = 0;
    for (; i + 8 <= text.count; i += 8) {
        all |= evs_word_of(text.data + i, 8);
    }
    for (; i < text.count; i++) {
        all |= (uint8_t)text.data[i];
    }
    return (all & UINT64_C(0x8080808080808080)) == 0;
}
static inline int64_t evs_utf8_count(struct evs_slice text)
{
    int64_t count = 0;
    for (size_t i = 0; i < text.count; i++) {
        count += evs_utf8_is_start(text.data[i]);
    }
    return count;
}
/* The byte offset of character number `index` (from 0), or text.count when there are fewer. */
static inline size_t evs_utf8_offset(struct evs_slice text, int64_t index)
{
    size_t at = 0;
    for (; index > 0 && at < text.count; index--) {
        at += evs_utf8_bytes(text.data[at]);
    }
    return at < text.count ? at : text.count;
}

static inline bool evs_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
/* Whether the character is white space to Unicode. */
bool evs_is_unicode_space(const char *data, uint32_t bytes);
static inline struct evs_slice evs_trimmed(struct evs_slice text)
{
    while (text.count > 0 && evs_is_space(text.data[0])) {
        text.data++;
        text.count--;
    }
    while (text.count > 0 && evs_is_space(text.data[text.count - 1])) {
        text.count--;
    }
    return text;
}

#endif
