/* The decoder contract: bytes of a message to rows of columns. One call a block, not one a field.
 *
 * Splitting rule, version 1 (exactness, 11): a payload whose first byte that is no white space is `[` is a JSON array: its elements are
 * the records. Any other payload is split at '\n' ('\r' before it is dropped); a blank line is a record that gives no row and no error.
 * A payload of a message (not of a file) that starts with `{` and whose first line is no complete object, but which is one object as a
 * whole, is one record. The index of a record counts physical records from 0, bad and blank ones included. */
#ifndef EVS_DECODE_H
#define EVS_DECODE_H

#include "evstream/batch.h"

#define EVS_SPLIT_VERSION 1

struct evs_decode_column {
    const char *name;  /* for messages */
    const char **path; /* object keys from the top; NULL with count 0: the whole record (type json) */
    uint32_t path_count;
    enum evs_kind kind;
    const struct evs_type *type; /* needed for array and struct: that of their elements and fields */
    int64_t unit_us; /* timestamps from numbers: microseconds a unit (1000000 for s), 0: none said, so ns are -1000 */
    bool not_null;
    bool has_default;
    struct evs_value fallback; /* when the field is missing; not for JSON null */
};

/* A record that could not become a row. */
struct evs_decode_bad {
    uint32_t index;       /* of the record in its message */
    struct evs_slice raw; /* its bytes, borrowed from the input */
    const char *reason;   /* stable: "json", "utf8", "type", "null", "depth", "oversize", … */
    char detail[160];     /* for the reader: "price: expected numeric, got \"abc\"" */
};

struct evs_decode_out {
    struct evs_batch *batch;    /* rows are appended behind row_count; columns hold room for EVS_BATCH_ROWS */
    uint32_t row_max;           /* the batch is full at this row_count: at most EVS_BATCH_ROWS */
    uint32_t *record_index;     /* a row: index of its record (room for EVS_BATCH_ROWS) */
    struct evs_slice *raw;      /* a row: bytes of its record, borrowed (room for EVS_BATCH_ROWS) */
    struct evs_decode_bad *bad; /* room for bad_max */
    uint32_t bad_count, bad_max;
};

struct evs_decode_format {
    const char *kind; /* "json" */
    /* `row_bytes_max`: a longer record is bad, reason "oversize". */
    void *(*open)(const struct evs_decode_column *columns, uint32_t column_count, uint32_t row_bytes_max);
    /* Decodes records of `input` from *consumed on until the batch is full, `bad` is full or the input is used up. `input` has EVS_PADDING
     * readable bytes behind it and stays where it is while the batch lives: string columns point into it when they need no unescaping.
     * *next_index is the index of the next record, and is moved on. `is_file`: lines only, no whole-message rules. Returns true when the
     * input is used up. */
    bool (*decode)(void *decoder, struct evs_slice input, size_t *consumed, uint32_t *next_index, bool is_file,
                   struct evs_decode_out *out);
    void (*close)(void *decoder);
};

#endif
