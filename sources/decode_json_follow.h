/* What the two ways of following a record along its steps have in common: with marks (decode_json_marks.c) and without (decode_json_scan.c). Compiled for
 * AVX2 wherever it is included; for x86-64 alone. */
#ifndef EVS_DECODE_JSON_FOLLOW_H
#define EVS_DECODE_JSON_FOLLOW_H

#include <immintrin.h>

#include "decode_json_shape.h"
#include "decode_json_store.h"

#define WIDE __attribute__((target("avx2,bmi")))
#define VECTOR 32u
_Static_assert(VECTOR == JSON_GAP_BYTES_MAX, "a gap is compared in one look");

/* A record in hand. */
struct scan {
    struct json_decoder *decoder;
    const char *limit;
    bool beyond_ascii; /* a byte was seen that is */
    bool escaped;      /* the string in hand has an escape */
};

static inline WIDE __m256i load(const void *from)
{
    return _mm256_loadu_si256(from);
}

static inline WIDE uint32_t mask_of(__m256i bytes)
{
    return (uint32_t)_mm256_movemask_epi8(bytes);
}

static inline WIDE bool gap_is(const struct json_step *step, const char *text)
{
    return (~mask_of(_mm256_cmpeq_epi8(load(text), load(step->gap))) & step->mask) == 0;
}

/* The step behind `before` whose gap stands at `text`, when it is another one than last time; NULL: none is known. */
struct json_step *evs_json_search(struct json_step *before, const char *text);
/* The closing quote of the string that goes on at `text`; NULL: the walk shall say. */
const char *evs_json_far_end(struct scan *scan, const char *text);
/* Behind the container at `text`, by brackets alone; NULL: the walk shall say. */
const char *evs_json_skip_container(struct scan *scan, const char *text);
/* Writes a string that is wanted, with escapes or for a column that is not plain. Returns `end`; NULL: the walk shall say. */
const char *evs_json_take_string(struct scan *scan, const struct json_step *step, const char *text, const char *end);

/* --- writing plain values ---------------------------------------------------------------------------------------------- */

static inline void store_text(struct json_decoder *decoder, struct json_node *node, const char *text, const char *end)
{
    evs_json_mark(decoder, node->columns);
    evs_json_put_str(node->columns, decoder->row, (struct evs_slice){text, (size_t)(end - text)});
}

static inline bool store_time(struct json_decoder *decoder, struct json_node *node, const char *text)
{
    int64_t us;
    if (EVS_UNLIKELY(!evs_json_same_minute(node->columns, text, &us))) {
        return false;
    }
    evs_json_mark(decoder, node->columns);
    JSON_VALUE_AT(node->columns, int64_t, decoder->row) = us;
    return true;
}

/* Writes a number or literal. */
static inline bool store_scalar(struct json_decoder *decoder, struct json_node *node, struct evs_slice text)
{
    struct json_column *column = node->columns;
    if (node->plain != JSON_PLAIN_FLOAT64 && node->plain != JSON_PLAIN_NUMERIC) {
        return evs_json_store(decoder, node, text);
    }
    struct json_short number = text.count <= 8 ? evs_json_shortest(text) : evs_json_short(text);
    if (!number.is_valid || number.places > JSON_NUMERIC_PLACES || !evs_json_is_exact(&number)) {
        return evs_json_store(decoder, node, text);
    }
    evs_json_mark(decoder, column);
    if (node->plain == JSON_PLAIN_FLOAT64) {
        JSON_VALUE_AT(column, double, decoder->row) =
            (double)number.digits / (double)evs_json_powers_of_ten[number.places];
    } else {
        JSON_VALUE_AT(column, evs_numeric, decoder->row) =
            (evs_numeric)number.digits * evs_json_powers_of_ten[JSON_NUMERIC_PLACES - number.places];
    }
    return true;
}

/* --- numbers and literals ------------------------------------------------------------------------------------------------ */

/* How many of the bytes at `text` may stand in a number or literal: letters, digits, + - and point. 0 of more than 48. */
static inline WIDE uint32_t scalar_bytes(const char *text)
{
    /* A bit for each high nibble that makes, with the low nibble, one of them: 2, 3, 4, 5, 6, 7. */
    const __m128i by_low =
        _mm_setr_epi8(0x2A, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3E, 0x3C, 0x15, 0x14, 0x15, 0x15, 0x14);
    const __m128i by_high = _mm_setr_epi8(0, 0, 1, 2, 4, 8, 16, 32, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i nibble = _mm_set1_epi8(0x0F);
    for (uint32_t count = 0; count <= 32; count += 16) {
        __m128i bytes = _mm_loadu_si128((const void *)(text + count));
        __m128i low = _mm_shuffle_epi8(by_low, _mm_and_si128(bytes, nibble));
        __m128i high = _mm_shuffle_epi8(by_high, _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble));
        __m128i none = _mm_cmpeq_epi8(_mm_and_si128(low, high), _mm_setzero_si128());
        uint32_t mask = (uint32_t)_mm_movemask_epi8(none);
        if (EVS_LIKELY(mask != 0)) {
            return count + (uint32_t)__builtin_ctz(mask);
        }
    }
    return 0;
}

/* The length of the number or literal at `text`, which is written where it is wanted; 0: it is none, or the walk shall say. */
static inline WIDE uint32_t take_scalar(struct scan *scan, const struct json_step *step, const char *text)
{
    uint32_t bytes = scalar_bytes(text);
    if (EVS_UNLIKELY(bytes == 0 || (step->node != NULL &&
                                    !store_scalar(scan->decoder, step->node, (struct evs_slice){text, bytes})))) {
        return 0;
    }
    return bytes;
}

#endif
