/* What an operator's stored state is made of: made by the planner, stored with every commit, compared when another version of the pipeline starts.
 *
 * A part is told from another by its identity (a hash of its canonical expression and of what that reads), never by its place; its text is for people, and
 * its form says how it lies in a record: bytes that are the operator's own (keys and row columns: see below). */
#ifndef EVS_SHAPE_H
#define EVS_SHAPE_H

#include "evstream/text.h"

struct evs_state_part {
    const char *text;
    uint64_t identity;
    struct evs_slice form;
};

struct evs_state_parts {
    struct evs_state_part *items;
    uint32_t count;
};

/* Where the fixed bytes of a record hold the columns of its key, laid out as in a table's entry (evstream/table.h), the long texts first in the variable
 * bytes: in these sections (a bit each), the NULL bits and the columns from these bytes on. No section: nowhere. */
struct evs_stored_key {
    uint16_t sections, nulls_at, key_at;
};
/* One more bit of `sections`: what follows the key in the variable bytes is the id of the person that the key belongs to, so an erasure of that id takes the
 * key, too. */
#define EVS_STORED_OWNER 0x8000u

struct evs_state_shape {
    const char *kind;  /* of the operator */
    const char *label; /* for people: what it does, without its columns */
    bool is_named;     /* `as NAME` */
    bool is_elastic;   /* columns may come and go: a new one begins empty in the groups that there are */
    uint64_t
        window; /* identity of window, emission, pattern: of all that decides what a record means beside the lists below */
    uint64_t lineage; /* of the rows that come */
    struct evs_stored_key stored_key;
    struct evs_state_parts keys;    /* form: kind of the column (enum evs_kind) and input, one byte each */
    struct evs_state_parts columns; /* what is kept of a key, in the order of the records */
    struct evs_state_parts
        rows; /* columns of rows that are kept as they come, in their order; form: input and kind, one byte each */
};

/* Records of another version of the pipeline, for an operator's restore. Numbers are those of `stored->columns` and `stored->rows`. */
#define EVS_NO_PART UINT32_MAX
struct evs_state_migration {
    const struct evs_state_shape *stored;
    const uint32_t *columns; /* today's number of each stored column; EVS_NO_PART: it is kept no more */
    const uint32_t *rows;
};

#endif
