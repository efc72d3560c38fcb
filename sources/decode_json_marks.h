/* The places of all quotes of some records, and whole records at once by them. What a mark is: decode_json_marks.c. */
#ifndef EVS_DECODE_JSON_MARKS_H
#define EVS_DECODE_JSON_MARKS_H

#include "decode_json_follow.h"

#define BLOCK 64u
#define BLOCKS_MAX (JSON_MARKED_BYTES_MAX / BLOCK)
#define MARKING __attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi2")))
_Static_assert(JSON_MARKED_BYTES_MAX <= UINT16_MAX, "a place is 16 bits");
_Static_assert(EVS_PADDING >= BLOCK, "whole blocks are read");

struct json_marks {
    const char *text;
    const uint16_t *next; /* the first mark that is not before the record in hand */
    const uint16_t *end;  /* behind the last one */
    struct json_forms *forms;
    uint32_t count;                                     /* bytes of text */
    bool has_escapes, is_invalid;                       /* a backslash stands somewhere; it is no UTF-8 somewhere */
    uint8_t escapes[BLOCKS_MAX + 2];                    /* of the blocks: lines of the cache */
    uint16_t places[JSON_MARKED_BYTES_MAX + 2 * BLOCK]; /* and then `count`, more often than a gap can have marks */
};

/* marks->next is the first one at `text` or behind it. */
static inline void evs_json_go_to_mark(struct json_marks *marks, const char *text)
{
    while (marks->text + *marks->next < text) {
        marks->next++;
    }
}

/* --- records of a usual form (decode_json_form.c) --- */

struct json_forms *evs_json_forms_new(struct evs_arena *memory);
/* The record at `text`, whose first mark is `first`, has been followed just now: its form may be worth to be known. */
void evs_json_learn_form(struct json_decoder *decoder, const uint16_t *first, const char *text);

/* Whether a backslash stands in [from, end). */
static inline bool has_escape(const struct json_marks *marks, const char *from, const char *end)
{
    size_t lead = (uintptr_t)marks->text % BLOCK;
    size_t first = ((size_t)(from - marks->text) + lead) / BLOCK, last = ((size_t)(end - marks->text) + lead) / BLOCK;
    if (EVS_LIKELY(!marks->has_escapes || (last - first < 2 && (marks->escapes[first] | marks->escapes[last]) == 0))) {
        return false;
    }
    return memchr(from, '\\', (size_t)(end - from)) != NULL;
}

/* Writes the string [text, end), the step's value; NULL: the walk shall say. */
static inline const char *take_marked(struct scan *scan, const struct json_step *step, const struct json_marks *marks,
                                      const char *text, const char *end)
{
    scan->escaped = has_escape(marks, text, end);
    if (EVS_LIKELY(step->kind == JSON_STEP_TEXT && !scan->escaped)) {
        store_text(scan->decoder, step->node, text, end);
        return end;
    }
    if (step->kind == JSON_STEP_TIME && end - text == JSON_MILLIS_BYTES &&
        store_time(scan->decoder, step->node, text)) {
        return end;
    }
    /* What is at the mark is else looked at as the beginning of the gap that must follow. */
    return end < scan->limit && *end == '"' ? evs_json_take_string(scan, step, text, end) : NULL;
}

#endif
