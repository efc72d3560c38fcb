/* Reading a record along the steps that others took (decode_json_shape.h).
 *
 * A gap is compared in full with the one that followed last time: 32 bytes in one look. Behind it stands a value, whose end is found in another: the
 * closing quote is the first byte that is a quote, and an escape or a control character before it is seen in the same look. So a record costs two looks
 * a value. Where values have a usual length, the look only confirms it, and the processor goes on without waiting for what it has found.
 *
 * What is checked is what the index and the walk check, or more: every byte of the record is either in a gap, which is JSON as it was
 * learned, or in a value. Strings have no control character and are closed, and a record with a byte beyond ASCII is validated as a whole. Skipped scalars
 * and containers begin as a value must and end at a gap. What is not as expected is the walk's to judge. */
#include "decode_json_shape.h"

#if defined(__x86_64__)
#include "decode_json_follow.h"

bool evs_json_can_scan(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}

/* Fields in another order are found by their names, so that a record without any order costs no more than a wrong guess a field. `,"a":` begins `,"a":"` and
 * `,"a":{"b":` as well: the longest one is meant, and stands first. */
static inline WIDE struct json_step *search_slot(const struct json_state *state, uint32_t slot, const char *text)
{
    struct json_step *step = state->slots[slot];
    while (step != NULL && !gap_is(step, text)) {
        step = step->same_slot;
    }
    return step;
}

WIDE struct json_step *evs_json_search(struct json_step *before, const char *text)
{
    const struct json_state *state = before->state;
    uint32_t quotes = mask_of(_mm256_cmpeq_epi8(load(text), load(evs_json_bytes.quote)));
    uint32_t slot = evs_json_slot(state, text, quotes);
    struct json_step *found = search_slot(state, slot, text);
    if (found == NULL && slot != JSON_STATE_SLOTS) {
        found = search_slot(state, JSON_STATE_SLOTS, text);
    }
    before->next = found != NULL ? found : before->next;
    return found;
}

/* --- strings --------------------------------------------------------------------------------------------------------- */

/* Bits of bytes that are a backslash, a control character or beyond ASCII. */
static inline WIDE __m256i odd_bytes(__m256i bytes)
{
    /* Signed: control characters and all bytes beyond ASCII are at most the last control character. */
    return _mm256_or_si256(_mm256_cmpeq_epi8(bytes, load(evs_json_bytes.backslash)),
                           _mm256_cmpeq_epi8(_mm256_min_epi8(bytes, load(evs_json_bytes.control)), bytes));
}

WIDE const char *evs_json_far_end(struct scan *scan, const char *text)
{
    scan->escaped = false;
    while (text < scan->limit) {
        __m256i bytes = load(text);
        uint32_t quotes = mask_of(_mm256_cmpeq_epi8(bytes, load(evs_json_bytes.quote)));
        uint32_t others =
            mask_of(_mm256_or_si256(_mm256_cmpeq_epi8(bytes, load(evs_json_bytes.backslash)),
                                    _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, load(evs_json_bytes.control)), bytes)));
        scan->beyond_ascii |= mask_of(bytes) != 0;
        if ((quotes | others) == 0) {
            text += VECTOR;
            continue;
        }
        text += __builtin_ctz(quotes | others);
        if (*text == '"') {
            return text;
        }
        if (*text != '\\' || (uint8_t)text[1] < 0x20) {
            return NULL;
        }
        scan->beyond_ascii |= (uint8_t)text[1] >= 0x80;
        scan->escaped = true;
        text += 2;
    }
    return NULL;
}

#define MISSES_COUNTED 64u
#define RECORDS_A_MISS 3u /* fewer, and waiting costs less than a wrong guess does */

/* A value that has not the step's usual length. */
static __attribute__((noinline)) void miss(struct scan *scan, struct json_step *step, size_t bytes)
{
    uint64_t record = scan->decoder->record;
    if (bytes == step->other_bytes && bytes < VECTOR) {
        step->other_bytes = step->usual_bytes;
        step->usual_bytes = (uint32_t)bytes;
        step->usual_quote = 1u << bytes;
        step->usual_mask = step->usual_quote | (step->usual_quote - 1);
    } else {
        step->other_bytes = (uint32_t)bytes;
    }
    if (++step->misses == MISSES_COUNTED) {
        step->has_usual = record - step->since > MISSES_COUNTED * RECORDS_A_MISS;
        step->usual_mask = step->has_usual ? step->usual_mask : 0;
        step->usual_quote = step->has_usual ? step->usual_quote : 1;
        step->misses = 0;
        step->since = record;
    }
}

/* The closing quote of the string that begins at `text`; NULL: the walk shall say. Two looks here, the others in evs_json_far_end. */
static inline WIDE const char *string_end(struct scan *scan, const char *text)
{
    scan->escaped = false;
    for (uint32_t look = 0; look < 2; look++) {
        __m256i bytes = load(text);
        uint32_t quotes = mask_of(_mm256_cmpeq_epi8(bytes, load(evs_json_bytes.quote)));
        /* Bits up to the first quote; all bits, where there is none. */
        if (EVS_UNLIKELY((mask_of(odd_bytes(bytes)) & (quotes ^ (quotes - 1))) != 0)) {
            break;
        }
        if (EVS_LIKELY(quotes != 0)) {
            return text + __builtin_ctz(quotes);
        }
        text += VECTOR;
        if (EVS_UNLIKELY(text >= scan->limit)) {
            return NULL;
        }
    }
    return evs_json_far_end(scan, text);
}

/* Whether the string at `text`, the step's value, has the usual length and nothing special in it. What stands behind it may be a backslash, too: the gap that
 * must follow begins with a quote. */
static inline WIDE bool is_usual(const struct json_step *step, const char *text)
{
    __m256i bytes = load(text);
    __m256i special = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, load(evs_json_bytes.quote)), odd_bytes(bytes));
    return (mask_of(special) & step->usual_mask) == step->usual_quote;
}

static inline WIDE const char *skip_string(struct scan *scan, struct json_step *step, const char *text)
{
    const char *end = string_end(scan, text);
    if (step->has_usual && end != NULL) {
        miss(scan, step, (size_t)(end - text));
    }
    return end;
}

const char *evs_json_take_string(struct scan *scan, const struct json_step *step, const char *text, const char *end)
{
    struct evs_slice quoted = {text - 1, (size_t)(end + 2 - text)};
    return evs_json_store_string(scan->decoder, step->node, quoted, scan->escaped) ? end : NULL;
}

static inline WIDE const char *take_text(struct scan *scan, struct json_step *step, const char *text)
{
    const char *end;
    if (step->has_usual && EVS_LIKELY(is_usual(step, text))) {
        end = text + step->usual_bytes;
    } else {
        end = skip_string(scan, step, text);
        if (EVS_UNLIKELY(end == NULL || scan->escaped)) {
            return end == NULL ? NULL : evs_json_take_string(scan, step, text, end);
        }
    }
    store_text(scan->decoder, step->node, text, end);
    return end;
}

static inline WIDE const char *take_time(struct scan *scan, struct json_step *step, const char *text)
{
    if (EVS_LIKELY(step->usual_bytes == JSON_MILLIS_BYTES && is_usual(step, text) &&
                   store_time(scan->decoder, step->node, text))) {
        return text + JSON_MILLIS_BYTES;
    }
    const char *end = skip_string(scan, step, text);
    return end == NULL ? NULL : evs_json_take_string(scan, step, text, end);
}

/* --- other values ---------------------------------------------------------------------------------------------------- */

WIDE const char *evs_json_skip_container(struct scan *scan, const char *text)
{
    uint32_t depth = 0;
    while (text < scan->limit) {
        char c = *text++;
        if (c == '"') {
            text = evs_json_far_end(scan, text);
            if (text == NULL) {
                return NULL;
            }
            text++;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_SHAPE_DEPTH_MAX) {
                return NULL;
            }
        } else if (c == '}' || c == ']') {
            if (--depth == 0) {
                return text;
            }
        } else if (c == '\\' || (uint8_t)c >= 0x80 || ((uint8_t)c < 0x20 && c != '\t')) {
            return NULL;
        }
    }
    return NULL;
}

/* Behind the value at `text`, which is no string; NULL: the walk shall say. */
static inline WIDE const char *take_other(struct scan *scan, struct json_step *step, const char *text)
{
    char c = *text;
    if (EVS_UNLIKELY(!evs_json_bytes.begins_scalar[(uint8_t)c])) {
        return step->node == NULL && (c == '[' || c == '{') ? evs_json_skip_container(scan, text) : NULL;
    }
    uint32_t bytes = take_scalar(scan, step, text);
    if (EVS_UNLIKELY(bytes == 0)) {
        return NULL;
    }
    if (step->has_usual) {
        const char *usual = text + step->usual_bytes;
        __asm__("" : "+r"(usual)); /* else the compiler knows that both are equal, and goes on from what was found */
        if (EVS_LIKELY(bytes == step->usual_bytes)) {
            return usual;
        }
        miss(scan, step, bytes);
    }
    return text + bytes;
}

/* --- a record -------------------------------------------------------------------------------------------------------- */

/* Moves `text` from the record's first byte behind its last; NULL: it cannot be followed, or does not fit. */
static inline WIDE const char *follow(struct scan *scan, const char *text, const char *limit)
{
    struct json_decoder *decoder = scan->decoder;
    struct json_step *before = &decoder->shapes->start, *step;
    uint64_t given = 0;
    for (;; before = step) {
        step = before->next;
        if (EVS_UNLIKELY(!gap_is(step, text))) {
        again:
            step = evs_json_search(before, text);
            if (step == NULL) {
                return NULL;
            }
        }
        if (EVS_UNLIKELY((given & step->gives) != 0)) {
            return NULL;
        }
        given |= step->gives;
        text += step->bytes;
        if (EVS_UNLIKELY(text >= limit)) {
            return step->kind == JSON_STEP_END && text == limit ? text : NULL;
        }
        if (step->kind == JSON_STEP_SKIP) {
            text = step->has_usual && EVS_LIKELY(is_usual(step, text)) ? text + step->usual_bytes
                                                                       : skip_string(scan, step, text);
        } else if (step->kind == JSON_STEP_TEXT) {
            text = take_text(scan, step, text);
        } else if (step->kind == JSON_STEP_TIME) {
            text = take_time(scan, step, text);
        } else if (step->kind == JSON_STEP_STRING) {
            const char *end = skip_string(scan, step, text);
            text = end == NULL ? NULL : evs_json_take_string(scan, step, text, end);
        } else if (step->kind == JSON_STEP_OTHER) {
            if (EVS_UNLIKELY(*text == '"')) {
                text -= step->bytes;
                given ^= step->gives;
                if (evs_json_search(before, text) == step) {
                    return NULL;
                }
                goto again;
            }
            text = take_other(scan, step, text);
        } else if (step->kind != JSON_STEP_GAP) {
            return step->kind == JSON_STEP_END ? text : NULL;
        }
        if (EVS_UNLIKELY(text == NULL)) {
            return NULL;
        }
    }
}

WIDE bool evs_json_scan(struct json_decoder *decoder, const char *text, const char *limit, const char **end)
{
    struct scan scan = {.decoder = decoder, .limit = limit};
    decoder->start = text;
    decoder->record++;
    decoder->unset = decoder->column_count;
    *end = follow(&scan, text, limit);
    if (EVS_UNLIKELY(*end == NULL || (scan.beyond_ascii && !evs_utf8_valid(text, (size_t)(*end - text))))) {
        return false;
    }
    return decoder->unset == 0 || evs_json_store_missing(decoder);
}

#else

bool evs_json_can_scan(void)
{
    return false;
}

bool evs_json_scan(struct json_decoder *decoder, const char *text, const char *limit, const char **end)
{
    (void)decoder, (void)text, (void)limit, (void)end;
    return false;
}

#endif
