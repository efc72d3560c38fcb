/* What a heap of JSON events looks like: fields, how often they are there, which values they have.
 *
 * A tree of fields, as deep as the objects are. Only what a declaration of columns needs is kept: counts, ranges, shapes; of texts the first few
 * different ones, so that a page can tell which types of events there are. The size is bounded, whatever the events are. */
#ifndef EVS_SCHEMA_SAMPLE_H
#define EVS_SCHEMA_SAMPLE_H

#include "evstream/memory.h"
#include "evstream/text.h"

#define EVS_SAMPLE_CHILDREN_MAX 64 /* an object with more different keys is a map: it stays one column of type json */
#define EVS_SAMPLE_DEPTH_MAX 8
#define EVS_SAMPLE_VALUES_MAX 8
#define EVS_SAMPLE_VALUE_BYTES_MAX 24

struct evs_sample_field {
    struct evs_slice name; /* unescaped */
    struct evs_sample_field *parent, *children, *next;
    struct evs_sample_field *elements; /* of arrays */
    uint32_t child_count, depth;
    bool is_map; /* more keys than children are kept */

    uint64_t seen, nulls, bools, integers, fractions, strings, arrays, objects;
    uint64_t outside_int64, exponents; /* of the numbers */
    uint32_t fraction_digits;          /* the most */
    uint64_t timestamps, dates;        /* of the strings */
    int64_t least, most;               /* of the integers; of timestamps in microseconds */
    int64_t behind;                    /* how far a value was below the largest before it */
    struct evs_slice values[EVS_SAMPLE_VALUES_MAX];
    uint32_t value_count;
    bool has_more_values;
};

struct evs_sample {
    struct evs_arena arena;
    struct evs_sample_field root;
    uint64_t rows, bad_rows;
    uint64_t first_bad_line;
    struct evs_json_access *json;
};

void evs_sample_init(struct evs_sample *sample);
/* One line. Blank ones are left out; one that is no JSON object is counted as bad. */
void evs_sample_add(struct evs_sample *sample, struct evs_slice line, uint64_t number);
void evs_sample_fini(struct evs_sample *sample);

/* schema_infer.c: a `create source NAME` that reads such events from the file, as a formatted text. */
void evs_schema_infer(const struct evs_sample *sample, const char *name, const char *file, struct evs_buffer *out);

#endif
