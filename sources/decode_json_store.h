/* The parts of writing a value that both ways of reading a record want in line. */
#ifndef EVS_DECODE_JSON_STORE_H
#define EVS_DECODE_JSON_STORE_H

#include <stdlib.h>

#include "decode_json_internal.h"

#define JSON_VALUE_AT(column, type, row) (((type *)(column)->target->data)[row])

/* The record in hand gives the column a value. */
static inline void evs_json_mark(struct json_decoder *decoder, struct json_column *column)
{
    EVS_ASSERT(column->record != decoder->record && decoder->unset > 0);
    column->record = decoder->record;
    decoder->unset--;
}

/* --- text ------------------------------------------------------------------------------------------------------------ */

/* Of the first four bytes and the eight behind them, those that belong to a text of so many bytes. */
extern const uint64_t evs_json_kept_bytes[EVS_STR_INLINE_MAX + 1][2];

/* evs_str_make for text with padding behind it: two words and a mask in place of a copy of unknown length. */
static inline void evs_json_put_str(struct json_column *column, uint32_t row, struct evs_slice text)
{
    uint32_t head;
    uint64_t words[2];
    memcpy(&head, text.data, 4);
    memcpy(&words[1], text.data + 4, 8);
    if (text.count > EVS_STR_INLINE_MAX) {
        words[1] = (uint64_t)(uintptr_t)text.data;
    } else { /* by a table, since lengths of names and numbers can seldom be foretold */
        head &= (uint32_t)evs_json_kept_bytes[text.count][0];
        words[1] &= evs_json_kept_bytes[text.count][1];
    }
    words[0] = (uint32_t)text.count | (uint64_t)head << 32;
    memcpy(&JSON_VALUE_AT(column, struct evs_str, row), words, sizeof words);
}
_Static_assert(offsetof(struct evs_str, text) == 4 && offsetof(struct evs_str, pointer) == 8,
               "the two words of a view");

/* --- numbers --------------------------------------------------------------------------------------------------------- */

/* A number of at most 18 digits without an exponent, which nearly all are: digits ÷ 10^places. */
struct json_short {
    int64_t digits;
    uint32_t places;
    bool is_valid;
};

#define JSON_SHORT_DIGITS_MAX 18

static inline struct json_short evs_json_short(struct evs_slice text)
{
    const struct json_short none = {.is_valid = false};
    bool negative = text.data[0] == '-';
    const char *first = text.data + negative, *end = text.data + text.count, *point = NULL;
    if (end == first || end - first > JSON_SHORT_DIGITS_MAX + 1 ||
        (*first == '0' && end - first > 1 && first[1] != '.')) {
        return none;
    }
    uint64_t sum = 0;
    for (const char *next = first; next < end; next++) {
        uint8_t digit = (uint8_t)(*next - '0');
        if (EVS_LIKELY(digit <= 9)) {
            sum = sum * 10 + digit;
        } else if (*next == '.' && point == NULL && next > first && next + 1 < end) {
            point = next;
        } else {
            return none;
        }
    }
    return (struct json_short){
        .digits = (int64_t)(negative ? 0 - sum : sum),
        .places = point == NULL ? 0 : (uint32_t)(end - point - 1),
        .is_valid = end - first <= JSON_SHORT_DIGITS_MAX || point != NULL,
    };
}

/* evs_json_short for at most eight bytes without a sign, all at once: 8 readable bytes stand at the text. What is unusual is evs_json_short's. */
static inline struct json_short evs_json_shortest(struct evs_slice text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t bytes;
    memcpy(&bytes, text.data, 8);
    if (text.count == 0 || (text.data[0] == '0' && text.count > 1)) {
        return evs_json_short(text);
    }
    bytes <<= 8 * (8 - text.count); /* little-endian: the last digit is the highest byte, and zeros come in below */
    uint64_t points = bytes ^ ones * '.';
    points = (points - ones) & ~points & ones << 7; /* exact up to the lowest point */
    uint32_t places = 0;
    uint64_t below = UINT64_MAX >> (8 * text.count - 1) >> 1; /* the bytes below the number */
    if (points != 0) {
        uint64_t before = (points & (0 - points)) - 1; /* bits of the bytes before the point, and seven of its own */
        places = (uint32_t)__builtin_clzll(before + 1) / 8;
        before >>= 7;
        bytes = (bytes & before) << 8 | (bytes & ~(before << 8 | 0xFF));
        below = below << 8 | 0xFF;
    }
    bytes = (bytes & ~below) | (ones * '0' & below);
    uint64_t digits = bytes - ones * '0';
    if (((digits | (digits + ones * 6)) & ones * 0xF0) != 0 ||
        (points != 0 && (places == 0 || places + 1 == text.count))) {
        return evs_json_short(text);
    }
    digits = digits * 10 + (digits >> 8); /* pairs, then fours, then all eight (Lemire) */
    digits = ((digits & UINT64_C(0x000000FF000000FF)) * (100 + (UINT64_C(1000000) << 32)) +
              ((digits >> 16) & UINT64_C(0x000000FF000000FF)) * (1 + (UINT64_C(10000) << 32))) >>
             32;
    return (struct json_short){.digits = (int64_t)digits, .places = places, .is_valid = true};
}

#define JSON_NUMERIC_PLACES 9u

/* Digits and power of ten are exact as doubles, so their quotient is the nearest double (Clinger). A zero keeps its sign elsewhere. */
static inline bool evs_json_is_exact(const struct json_short *number)
{
    return number->digits != 0 && llabs(number->digits) <= INT64_C(1) << 53;
}

extern const int64_t evs_json_powers_of_ten[19];

/* --- times ----------------------------------------------------------------------------------------------------------- */

#define JSON_MINUTE_BYTES 16 /* 2026-01-05T10:00 */

/* Seconds, a fraction of up to six digits and the Z behind "2026-01-05T10:00", in µs; -1 when it is another form. */
static inline int64_t evs_json_seconds(const char *text, size_t count)
{
    uint8_t tens = (uint8_t)(text[1] - '0'), ones = (uint8_t)(text[2] - '0');
    if (text[0] != ':' || tens > 5 || ones > 9 || text[count - 1] != 'Z') {
        return -1;
    }
    int64_t us = 0;
    if (count > 4) {
        if (text[3] != '.' || count == 5) {
            return -1;
        }
        for (size_t i = 4; i + 1 < count; i++) {
            uint8_t digit = (uint8_t)(text[i] - '0');
            if (digit > 9) {
                return -1;
            }
            us = us * 10 + digit;
        }
        us *= evs_json_powers_of_ten[6 - (count - 5)];
    }
    return (tens * 10 + ones) * INT64_C(1000000) + us;
}

/* A time whose minute is the one last seen, in UTC and ms, as nearly all producers write them: ":05.123Z" behind the minute, which is eight bytes. */
#define JSON_MILLIS_BYTES (JSON_MINUTE_BYTES + 8)
static inline bool evs_json_same_minute(const struct json_column *column, const char *text, int64_t *us)
{
    uint64_t minute[2], rest;
    memcpy(minute, text, JSON_MINUTE_BYTES);
    memcpy(&rest, text + JSON_MINUTE_BYTES, 8);
    /* Little-endian: ':' is the lowest byte, 'Z' the highest. Digits become their values, the rest 0. */
    rest -= UINT64_C(0x5A3030302E30303A);
    uint64_t over = rest | (rest + UINT64_C(0x0006060600060A00));
    if ((over & UINT64_C(0xFFF0F0F0FFF0F0FF)) != 0 || minute[0] != column->minute_text[0] ||
        minute[1] != column->minute_text[1] || column->minute_us == INT64_MIN) {
        return false;
    }
    uint64_t pairs = rest * 10 + (rest >> 8); /* in each byte, ten times its digit and the next one */
    uint64_t millis = (pairs >> 8 & 0xFF) * 1000 + (pairs >> 32 & 0xFF) * 10 + (rest >> 48 & 0xF);
    *us = column->minute_us + (int64_t)millis * 1000;
    return true;
}

#endif
