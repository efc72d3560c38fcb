/* What records looked like: the bytes between one value and the next, learned.
 *
 * Producers write their records alike: between two values stand always the same bytes, `","user_id":"` or `},"context":{"page":"`. Such a
 * run is a **gap**; the quotes of a string belong to the gaps round it. A record that was read by the walk is taken apart into gaps and values, and the
 * gaps are kept as **steps**. Whoever finds the gaps of a record in front of it, one after the other, knows what each value means without
 * looking for tokens.
 *
 *   {"type":"       view ","user_id":"      u1 ","page":{"n":       7 }}
 *   step ─────────► value step ───────────► value step ───────────► value step: the record's end
 *
 * What a gap means depends on where it stands: which objects are open, and whether a string is. That is a **state**. A step leads from one state
 * to another, and its meaning was worked out when it was learned; steps that leave one state with the same bytes are one step. So a record that can
 * be followed from the first state to an end means what the walk would have found in it; nothing is taken by its place alone. Since a state does not know
 * which fields came before, fields may come in any order, and the steps are as few as the producers' fields are; where they are not, learning ends, and
 * records are read by the walk. So is a record that has a wanted field twice (the first counts): a step says which wanted places it names. */
#ifndef EVS_DECODE_JSON_SHAPE_H
#define EVS_DECODE_JSON_SHAPE_H

#include "decode_json_internal.h"

#define JSON_GAP_BYTES_MAX 32u /* a longer one is several steps */
#define JSON_SHAPE_DEPTH_MAX 16u
#define JSON_SHAPE_NODES_MAX 64u /* wanted places: one bit each */
#define JSON_STATES_MAX 512u
#define JSON_STEPS_MAX 4096u
#define JSON_STATE_STEPS_MAX 512u
#define JSON_STATE_SLOTS 64u

struct json_state;

enum json_step_kind {                   /* what stands behind the gap */
                      JSON_STEP_SKIP,   /* a string that nobody wants */
                      JSON_STEP_TEXT,   /* one that is a string column */
                      JSON_STEP_TIME,   /* one that is a timestamp column */
                      JSON_STEP_STRING, /* one that is wanted otherwise */
                      JSON_STEP_OTHER,  /* a number or literal; an array or object that nobody wants */
                      JSON_STEP_GAP,    /* the rest of the gap */
                      JSON_STEP_END,    /* nothing: the record ends */
                      JSON_STEP_NONE,   /* it is no step */
};

struct json_step {
    uint8_t gap[JSON_GAP_BYTES_MAX]; /* zero behind its end */
    uint32_t mask;                   /* a bit for each byte of the gap */
    uint32_t bytes;
    enum json_step_kind kind;
    struct json_node *node;                /* whose value it is; NULL: nobody wants it */
    struct json_state *state;              /* behind that value */
    struct json_step *next;                /* what followed last time; never NULL */
    uint64_t gives;                        /* wanted places whose names are in the gap */
    uint32_t marks;                        /* quotes and control characters in the gap */
    struct json_step *sibling, *same_slot; /* other steps that leave the same state; those in the same slot of it */

    /* The usual length of the value, where most have the same. In a string, bits of its bytes and of the quote behind it, and of that quote alone;
     * 0 and 1, which no look at the text gives, where there is none. */
    uint32_t usual_bytes, usual_mask, usual_quote;
    bool has_usual;
    uint32_t other_bytes; /* of the last value that had another */
    uint32_t misses;      /* values that had … */
    uint64_t since;       /* … from this record on */
};

/* Where a record stands behind a value. */
struct json_state {
    struct json_node *open[JSON_SHAPE_DEPTH_MAX]; /* objects, from the record inwards; NULL: one that nobody wants */
    uint32_t depth;
    bool in_string;          /* its closing quote comes next */
    struct json_step *steps; /* that leave it, linked by `sibling` */
    uint32_t step_count;
    struct json_step
        *slots[JSON_STATE_SLOTS + 1]; /* the same by evs_json_slot, linked by `same_slot`, the longest first */
};

struct json_shapes {
    struct json_step start; /* before the first gap */
    struct json_step never; /* no text has its gap */
    struct json_state *states[JSON_STATES_MAX];
    uint32_t state_count, step_count;
};

/* NULL when the wanted paths are none that this could serve: too many, or the whole record. The arena must live as long. */
struct json_shapes *evs_json_shapes_new(struct evs_arena *memory, struct json_node *root);
/* Takes apart `line`, which the walk has accepted. A line that has something unusual in it is left to the walk, now and later. */
void evs_json_learn(struct json_decoder *decoder, struct evs_slice line);

/* Where a step that leaves a state is kept: by the first name in its gap. `quotes` has a bit for each quote of the 32 bytes at `gap`. A gap without a whole
 * name, such as a record's end, is in the slot behind the others. */
static inline uint32_t evs_json_slot(const struct json_state *state, const char *gap, uint32_t quotes)
{
    /* In fields of any order all of this is as random as they are, so nothing is asked that could be reckoned. */
    quotes &= quotes - 1; /* the name's opening quote */
    quotes &= quotes - state->in_string;
    if (EVS_UNLIKELY(quotes == 0)) {
        return JSON_STATE_SLOTS;
    }
    uint32_t bytes = (uint32_t)__builtin_ctz(quotes), lead = (8 - bytes) & (0 - (uint32_t)(bytes < 8));
    uint64_t end_of_name;
    memcpy(&end_of_name, gap + (bytes + lead - 8), 8);
    end_of_name <<= 8 * lead;
    return (uint32_t)(((end_of_name ^ bytes) * UINT64_C(0x9E3779B97F4A7C15)) >> 58);
}
_Static_assert(JSON_STATE_SLOTS == 64, "six bits of the product");

/* --- following (decode_json_scan.c, decode_json_marks.c) --- */

/* Bytes to compare 32 others with. Defined where the compiler of the scan does not see them: it would make them anew out of a register behind every
 * call, where an instruction can take them from memory. */
struct json_bytes {
    uint8_t quote[32], backslash[32], control[32]; /* the last control character */
    bool begins_scalar[256];                       /* a number or literal may begin with it */
};
extern const struct json_bytes evs_json_bytes;

/* Whether this processor can. */
bool evs_json_can_scan(void);
/* Decodes the record at `text` into row decoder->row by following steps. False: it could not be followed to an end, or has a value that does not fit; then
 * nothing is said, and the row is written anew by the walk. On success *end is behind the record. Of the bytes from `limit` on up to EVS_PADDING are read,
 * and none is believed. */
bool evs_json_scan(struct json_decoder *decoder, const char *text, const char *limit, const char **end);

/* The same with the places of all quotes of a text at hand, by AVX-512: NULL where this processor has none. They live in the arena. */
#define JSON_MARKED_BYTES_MAX (16u << 10)
struct json_marks *evs_json_marks_new(struct evs_arena *memory);
/* Finds them in `text`, which has EVS_PADDING bytes behind it, for the calls of evs_json_scan_marked up to its end; these come in the order of their records. */
void evs_json_mark_text(struct json_marks *marks, struct evs_slice text);
bool evs_json_scan_marked(struct json_decoder *decoder, const char *text, const char **end);
/* Decodes records from `text` on that look alike into rows from decoder->row on, at most `room`, and tells how many: 0, where the one at `text` must be
 * followed alone. Their bytes are put into `raw`. */
uint32_t evs_json_take_run(struct json_decoder *decoder, const char *text, uint32_t room, struct evs_slice *raw);

#endif
