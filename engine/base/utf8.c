/* UTF-8 validity.
 *
 * Clickstream text is nearly all ASCII, so whole words without a high bit are skipped 32 bytes at a time; the rest goes
 * sequence by sequence through Unicode's table of well-formed byte sequences. */
#include "utf8.h"

#include "evstream/text.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The second byte decides about overlong forms, surrogates and the upper end (Unicode, table 3-7). */
static bool second_byte_fits(uint8_t lead, uint8_t second)
{
    switch (lead) {
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xED:
        return second >= 0x80 && second <= 0x9F;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return is_continuation(second);
    }
}

uint32_t evs_utf8_sequence(const char *text, size_t count)
{
    const uint8_t *byte = (const uint8_t *)text;
    if (count == 0) {
        return 0;
    }
    if (byte[0] < 0x80) {
        return 1;
    }
    uint32_t length = byte[0] >= 0xF0 ? 4 : byte[0] >= 0xE0 ? 3 : 2;
    if (byte[0] < 0xC2 || byte[0] > 0xF4 || count < length || !second_byte_fits(byte[0], byte[1])) {
        return 0;
    }
    for (uint32_t i = 2; i < length; i++) {
        if (!is_continuation(byte[i])) {
            return 0;
        }
    }
    return length;
}

/* Bytes at the start that are surely ASCII, in whole words. */
static size_t ascii_words(const char *text, size_t count)
{
    size_t at = 0;
    for (; at + 32 <= count; at += 32) {
        uint64_t word[4];
        memcpy(word, text + at, 32);
        if ((word[0] | word[1] | word[2] | word[3]) & HIGH_BITS) {
            break;
        }
    }
    for (; at + 8 <= count; at += 8) {
        uint64_t word;
        memcpy(&word, text + at, 8);
        if (word & HIGH_BITS) {
            break;
        }
    }
    return at;
}

bool evs_utf8_valid(const char *text, size_t count)
{
    EVS_ASSERT(text != NULL || count == 0);
    size_t at = 0;
    while (at < count) {
        if ((uint8_t)text[at] < 0x80) {
            at += ascii_words(text + at, count - at);
        }
        if (at < count) {
            uint32_t length = evs_utf8_sequence(text + at, count - at);
            if (length == 0) {
                return false;
            }
            at += length;
        }
    }
    EVS_ASSERT(at == count);
    return true;
}
