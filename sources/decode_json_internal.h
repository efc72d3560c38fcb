/* What the files of the JSON decoder share. Nine of them, each of which may use only those before it:
 *
 *   json_reader   where the tokens are (simdjson)
 *   json_text     the grammar below the token
 *   decode_json_value    one value into one column
 *   decode_json_nested   an array or an object into an array or a struct
 *   decode_json_record   one record: the walk over its tokens, guided by what the last records looked like
 *   decode_json_shape    what records looked like, learned from those that the walk has read
 *   decode_json_scan     one record without tokens, along what was learned; what does not go along is left to the walk
 *   decode_json_marks    the same, where the processor can find all quotes before
 *   decode_json          the contract: paths to a tree, payloads to records, what is bad
 *
 * Wanted paths are a tree of nodes. A node is a place in the record: it may have columns (the value there is wanted) and children
 * (fields of the object there are wanted); both when one path goes through another. */
#ifndef EVS_DECODE_JSON_INTERNAL_H
#define EVS_DECODE_JSON_INTERNAL_H

#include "evstream/decode.h"
#include "evstream/source.h"
#include "json_text.h"

struct json_node;
struct json_shapes;
struct json_marks;

/* A wanted column, and where its values are written. */
struct json_column {
    const struct evs_decode_column *wish;
    struct evs_column *target;  /* of the batch in hand */
    uint64_t record;            /* the last record that gave it a value, a NULL too */
    struct json_column *next;   /* another column of the same node */
    uint64_t minute_text[2];    /* timestamps: "2026-01-05T10:00" as it was last seen … */
    int64_t minute_us;          /* … and its time; INT64_MIN when nothing was seen yet */
    struct json_nested *nested; /* arrays and structs: how their parts are read */
};

/* A field's name as it was met in an object, with both its quotes, and what it stands for. Names are compared by whole words: text[i]
 * under mask[i]. */
#define JSON_KEY_BYTES_MAX 32u
struct json_key {
    uint64_t text[JSON_KEY_BYTES_MAX / 8], mask[JSON_KEY_BYTES_MAX / 8];
    struct json_node *child;   /* NULL: nobody wants it */
    struct json_key *follower; /* the key that followed it in the last record */
    uint32_t bytes;            /* 0: never matches */
};

/* The names met in one object. Slot 0 stands for the object's start and the last one for any name that has no slot: both never
 * match. The table only ever grows, and what it says is true for ever: it saves work and decides nothing. */
#define JSON_KEYS_MAX 128u
#define JSON_KEY_UNKNOWN (JSON_KEYS_MAX - 1)
#define JSON_KEY_SLOTS 256u
struct json_keys {
    struct json_key keys[JSON_KEYS_MAX];
    uint32_t count;
    uint8_t slots[JSON_KEY_SLOTS]; /* hash to key number; 0: free */
};

struct json_node {
    struct evs_slice name;
    struct json_column *columns;
    struct json_node **children; /* ascending by (length, bytes) of their names */
    uint32_t child_count;
    uint64_t record;        /* the last record that had this field: of repeated keys the first counts */
    struct json_keys *keys; /* when there are children */
    uint32_t number;        /* among all wanted places */
    enum json_plain {
        JSON_NOT_PLAIN, /* no column, several, or of another type */
        JSON_PLAIN_TEXT,
        JSON_PLAIN_TIME,
        JSON_PLAIN_FLOAT64,
        JSON_PLAIN_NUMERIC
    } plain; /* one column of a type that is written in line */
};

struct json_decoder {
    struct evs_json_reader *reader;
    struct json_column *columns;
    uint32_t column_count;
    uint32_t row_bytes_max;
    uint32_t row_bytes_usual; /* an average of the records seen: how much to index for the rows that are asked for */
    struct json_node *root;
    struct evs_arena memory;  /* of the tree; lives as long as the decoder */
    struct evs_arena scratch; /* of one name that has escapes */

    /* records that look like others are read without an index */
    struct json_shapes *shapes; /* NULL: none is */
    struct json_marks *marks;   /* NULL: the processor cannot find them */
    uint32_t trouble;           /* how much it has cost lately that records did not */
    uint64_t followed;          /* records that did */
    uint32_t indexed_left;      /* so many records are read by index before it is tried again */

    /* the call in hand */
    struct evs_decode_out *out;
    struct evs_arena *arena; /* of the batch: unescaped strings */

    /* the record in hand */
    uint64_t record;   /* its number, from 1, of all that this decoder has seen */
    uint32_t row;      /* where it is written */
    uint32_t unset;    /* columns that it has not given a value */
    const char *start; /* its first byte */
    struct evs_json_tokens tokens;
    const char *reason; /* why it is bad */
    char detail[sizeof((struct evs_decode_bad *)NULL)->detail];
};

/* Says why the record in hand is bad. Returns false, so that a caller can `return evs_json_bad(…)`. */
bool evs_json_bad(struct json_decoder *decoder, const char *reason, const char *format, ...) EVS_PRINTF(3, 4);
/* The same for grammar: token `n` is not what was expected. */
bool evs_json_bad_token(struct json_decoder *decoder, uint32_t n, const char *expected);
/* The same for a value of another type than the column or path asks for. */
bool evs_json_bad_type(struct json_decoder *decoder, const char *name, const char *expected, struct evs_slice got);
/* How many bytes of a text a detail shows: cut, but not in the middle of a character. */
int evs_json_shown(struct evs_slice text);

/* Writes the scalar or string `text`, as it stands in the record, to all columns of `node`. */
bool evs_json_store(struct json_decoder *decoder, struct json_node *node, struct evs_slice text);
/* The same for a string with its quotes; `escaped`: there is a backslash in it. */
bool evs_json_store_string(struct json_decoder *decoder, struct json_node *node, struct evs_slice quoted, bool escaped);
/* Writes the object or array `text`: only json columns take one. It has been checked. */
bool evs_json_store_container(struct json_decoder *decoder, struct json_node *node, struct evs_slice text);
/* Writes one scalar `text` to row 0 of a column of its own, a leaf of an array or a struct; *is_null when it is null. */
bool evs_json_read_leaf(struct json_decoder *decoder, struct json_column *column, struct evs_slice text, bool *is_null);

/* --- arrays and structs (decode_json_nested.c) --- */

/* The parts of a type, in an arena that lives as long as the decoder. */
struct json_nested *evs_json_nested_new(struct evs_arena *memory, const char *name, const struct evs_type *type);
void evs_json_nested_fini(struct json_nested *nested); /* NULL is allowed */
/* Reads the container `text`, whose grammar has been checked, as a value of the type. */
bool evs_json_read_nested(struct json_decoder *decoder, struct json_nested *nested, struct evs_slice text,
                          struct evs_str *result);

/* Writes the fallback, else NULL, to every column that the record in hand has not given a value. */
bool evs_json_store_missing(struct json_decoder *decoder);

/* Decodes the record whose first token is `*n` into row decoder->row, and moves `*n` behind it. tokens.limit is its end, or that
 * of the whole payload when its end is not known yet; the caller checks that it ended where it should. */
bool evs_json_record(struct json_decoder *decoder, uint32_t *n);
/* The token behind the container that begins at token `n`, counted by brackets alone; 0 when it does not end. */
uint32_t evs_json_skip(const struct evs_json_tokens *tokens, uint32_t n);

/* The wanted field of that name; NULL when nobody wants it. */
struct json_node *evs_json_find_child(const struct json_node *node, struct evs_slice name);

/* Builds the key tables of a tree that is complete. */
void evs_json_prepare(struct json_decoder *decoder, struct json_node *node);

#endif
