/* Following a record with the places of all quotes at hand.
 *
 * Without them (decode_json_scan.c) the end of each value has to be found before the next one's beginning is known: a chain from value to value, each
 * as long as a load, a comparison and an addition take, while the processor could do five other things. Here the places of all quotes of some records are found first,
 * 64 bytes a look and none waiting for another: AVX-512 packs the places out of a bit mask by one instruction. Then the n-th value's end is read
 * out of a list, and a wrong length costs nothing.
 *
 *   text    {"type":"view","n":7}\n{"type":…
 *   marks    ^    ^ ^    ^ ^ ^    ^ ^
 *
 * A **mark** is a quote that is not escaped, or a control character, wherever it stands. So a control character within a string takes the place of the closing
 * quote, and the gap that must follow does not; a newline is the mark behind each record. A step knows how many marks are in its gap, and a gap is compared in full, so
 * the list and the text cannot lose one another. What is checked is otherwise what decode_json_scan.c checks. */
#include "decode_json_shape.h"

#if defined(__x86_64__)
#include "decode_json_marks.h"

#define PACKED 16u /* marks that are written at once, whether they are there or not */

struct json_marks *evs_json_marks_new(struct evs_arena *memory)
{
    bool can = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2");
    if (!can || !evs_json_can_scan()) {
        return NULL;
    }
    struct json_marks *marks = evs_arena_alloc(memory, sizeof *marks, 64);
    marks->forms = evs_json_forms_new(memory);
    return marks;
}

/* --- finding them ---------------------------------------------------------------------------------------------------- */

/* The bytes that backslashes escape. *open: the last byte of the block before is one that escapes. */
static uint64_t escaped_by(uint64_t backslashes, bool *open)
{
    uint64_t escaped = *open;
    backslashes &= ~escaped;
    *open = false;
    while (backslashes != 0) {
        uint64_t first = backslashes & (0 - backslashes);
        escaped |= first << 1;
        *open = first >> 63 != 0;
        backslashes &= ~(first | first << 1);
    }
    return escaped;
}

/* What is found out of a text on the way. */
struct marking {
    struct json_marks *marks;
    bool open; /* the last byte is a backslash that escapes the next one */
    bool is_ascii;
};

/* Writes the places of `marks`, bits of a block, and returns where the next ones go. Some more are written behind them. `bases`: the place of the block's first
 * byte, 16 times. */
static inline MARKING uint16_t *put_places(uint16_t *to, uint64_t marks, __m256i bases)
{
    const __m512i numbers =
        _mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40,
                        39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,
                        15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i packed = _mm512_maskz_compress_epi8(marks, numbers);
    uint32_t count = (uint32_t)__builtin_popcountll(marks);
    __m256i some = _mm256_cvtepu8_epi16(_mm512_castsi512_si128(packed));
    _mm256_storeu_si256((void *)to, _mm256_add_epi16(some, bases));
    if (EVS_UNLIKELY(count > PACKED)) {
        __m512i all = _mm512_broadcastw_epi16(_mm256_castsi256_si128(bases));
        __m256i half = _mm512_castsi512_si256(packed), rest = _mm512_extracti64x4_epi64(packed, 1);
        _mm512_storeu_si512(to, _mm512_add_epi16(_mm512_cvtepu8_epi16(half), all));
        _mm512_storeu_si512(to + BLOCK / 2, _mm512_add_epi16(_mm512_cvtepu8_epi16(rest), all));
    }
    return to + count;
}

/* Block `number`, with something else than marks: takes the quotes that are escaped out of `found`. */
static MARKING __attribute__((noinline)) uint64_t look_closer(struct marking *marking, __m512i bytes, uint32_t number,
                                                              uint64_t found, uint64_t odd)
{
    struct json_marks *marks = marking->marks;
    uint64_t backslashes = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')) & odd;
    uint64_t quotes = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"'));
    if (!marks->has_escapes && backslashes != 0) {
        memset(marks->escapes, 0, sizeof marks->escapes);
        marks->has_escapes = true;
    }
    marks->escapes[number] = backslashes != 0;
    marking->is_ascii = marking->is_ascii && odd == backslashes;
    return found & ~(escaped_by(backslashes, &marking->open) & quotes);
}

/* The marks of block `number`, of which the bytes of the mask `there` belong to the text. */
static inline MARKING uint64_t marks_of(struct marking *marking, __m512i bytes, uint32_t number, uint64_t there)
{
    /* With its second bit turned a quote is 0x20, which space and `!` are no more; control characters stay below. */
    __m512i turned = _mm512_xor_si512(bytes, _mm512_set1_epi8(2));
    uint64_t found = _mm512_cmple_epu8_mask(turned, _mm512_set1_epi8(0x20)) & there;
    /* Turned by a backslash, it is 0 itself, and only bytes beyond ASCII are negative. */
    turned = _mm512_xor_si512(bytes, _mm512_set1_epi8('\\'));
    uint64_t odd = _mm512_cmple_epi8_mask(turned, _mm512_setzero_si512()) & there;
    if (EVS_UNLIKELY((odd | marking->open) != 0)) {
        found = look_closer(marking, bytes, number, found, odd);
    }
    return found;
}

/* The places of the marks of `text`; returns where the next one would go. Blocks lie as the lines of the cache do, so that none lies in two; of the first and the last some
 * bytes may be no text. Where the next place goes is no member of `marking`: as such it would go through memory, block by block, and that is what the blocks would
 * wait for. */
static inline MARKING uint16_t *find_marks(struct marking *marking, struct evs_slice text, uint16_t *to)
{
    const uint32_t lead = (uint32_t)((uintptr_t)text.data % BLOCK), end = lead + (uint32_t)text.count;
    const char *blocks = text.data - lead;
    uint64_t there = UINT64_MAX << lead;
    there &= end < BLOCK ? UINT64_MAX >> (BLOCK - end) : UINT64_MAX;
    __m256i bases = _mm256_set1_epi16((short)-(int32_t)lead);
    __m512i bytes = _mm512_maskz_expandloadu_epi8(there, text.data);
    to = put_places(to, marks_of(marking, bytes, 0, there), bases);
    uint32_t at = BLOCK;
    for (; at + BLOCK <= end; at += BLOCK) {
        bases = _mm256_add_epi16(bases, _mm256_set1_epi16(BLOCK));
        bytes = _mm512_load_si512(blocks + at);
        to = put_places(to, marks_of(marking, bytes, at / BLOCK, UINT64_MAX), bases);
    }
    if (at < end) {
        bases = _mm256_add_epi16(bases, _mm256_set1_epi16(BLOCK));
        there = UINT64_MAX >> (BLOCK - (end - at));
        to = put_places(to, marks_of(marking, _mm512_load_si512(blocks + at), at / BLOCK, there), bases);
    }
    return to;
}

MARKING void evs_json_mark_text(struct json_marks *marks, struct evs_slice text)
{
    EVS_ASSERT(text.count > 0 && text.count <= JSON_MARKED_BYTES_MAX);
    struct marking marking = {.marks = marks, .is_ascii = true};
    marks->text = text.data;
    marks->count = (uint32_t)text.count;
    marks->has_escapes = false;
    uint16_t *end = find_marks(&marking, text, marks->places);
    for (uint32_t i = 0; i < BLOCK; i += BLOCK / 2) {
        _mm512_storeu_si512(end + i, _mm512_set1_epi16((short)text.count));
    }
    marks->next = marks->places;
    marks->end = end;
    marks->is_invalid = !marking.is_ascii && !evs_utf8_valid(text.data, text.count);
}

/* --- a record -------------------------------------------------------------------------------------------------------- */

/* Behind the value at `text`, which is no string; NULL: the walk shall say. */
static inline WIDE const char *take_unmarked(struct scan *scan, const struct json_step *step, const char *text)
{
    if (EVS_UNLIKELY(!evs_json_bytes.begins_scalar[(uint8_t)*text])) {
        return step->node == NULL && (*text == '[' || *text == '{') ? evs_json_skip_container(scan, text) : NULL;
    }
    uint32_t bytes = take_scalar(scan, step, text);
    return bytes == 0 ? NULL : text + bytes;
}

/* Moves `text` from the record's first byte behind its last, and marks->next with it; NULL: it cannot be followed, or does not fit. */
static WIDE const char *follow(struct scan *scan, struct json_marks *marks, const char *text)
{
    const char *const start = marks->text;
    const uint16_t *mark = marks->next;
    struct json_step *before = &scan->decoder->shapes->start, *step;
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
        text += step->bytes;
        if (EVS_UNLIKELY(text >= scan->limit)) {
            return step->kind == JSON_STEP_END && text == scan->limit ? text : NULL;
        }
        given |= step->gives;
        mark += step->marks;
        if (step->kind == JSON_STEP_SKIP) {
            text = start + *mark;
        } else if (step->kind <= JSON_STEP_STRING) {
            text = take_marked(scan, step, marks, text, start + *mark);
        } else if (step->kind == JSON_STEP_OTHER) {
            if (EVS_UNLIKELY(*text == '"')) {
                text -= step->bytes;
                mark -= step->marks;
                given ^= step->gives;
                if (evs_json_search(before, text) == step) {
                    return NULL;
                }
                goto again;
            }
            bool is_container = *text == '[' || *text == '{';
            text = take_unmarked(scan, step, text);
            while (EVS_UNLIKELY(is_container) && text != NULL && start + *mark < text) {
                mark++;
            }
        } else if (step->kind != JSON_STEP_GAP) {
            marks->next = mark;
            return step->kind == JSON_STEP_END ? text : NULL;
        }
        if (EVS_UNLIKELY(text == NULL)) {
            return NULL;
        }
    }
}

WIDE bool evs_json_scan_marked(struct json_decoder *decoder, const char *text, const char **end)
{
    struct json_marks *marks = decoder->marks;
    struct scan scan = {.decoder = decoder, .limit = marks->text + marks->count};
    EVS_ASSERT(text >= marks->text && text < scan.limit);
    evs_json_go_to_mark(marks, text);
    const uint16_t *first = marks->next;
    decoder->start = text;
    decoder->record++;
    decoder->unset = decoder->column_count;
    *end = follow(&scan, marks, text);
    if (EVS_UNLIKELY(*end == NULL || (marks->is_invalid && !evs_utf8_valid(text, (size_t)(*end - text))))) {
        return false;
    }
    evs_json_learn_form(decoder, first, text);
    return decoder->unset == 0 || evs_json_store_missing(decoder);
}

#else

struct json_marks *evs_json_marks_new(struct evs_arena *memory)
{
    (void)memory;
    return NULL;
}

void evs_json_mark_text(struct json_marks *marks, struct evs_slice text)
{
    (void)marks, (void)text;
}

bool evs_json_scan_marked(struct json_decoder *decoder, const char *text, const char **end)
{
    (void)decoder, (void)text, (void)end;
    return false;
}

uint32_t evs_json_take_run(struct json_decoder *decoder, const char *text, uint32_t room, struct evs_slice *raw)
{
    (void)decoder, (void)text, (void)room, (void)raw;
    return 0;
}

#endif
