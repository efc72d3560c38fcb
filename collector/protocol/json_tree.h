/* JSON as a tree that can be rebuilt: read once from the request's body, rearranged, written once.
 *
 * A tracker's event is moved more than it is changed: `properties` stays as it is, ids move up, an address is cut. So the
 * text is parsed into nodes that point into it, translators hang nodes (the sender's, or new ones) into new objects, and
 * the writer goes over the result. Numbers keep their text, so an amount of money is never rounded by passing through.
 *
 * Reading: simdjson's first stage finds the tokens (sources/json_reader.h), evs_json_check holds them to RFC 8259, and one
 * loop over the tokens builds the nodes; nothing recurses before the depth of an event has been judged. Half a surrogate
 * pair, which JavaScript writes when it cuts a text within an emoji, is repaired to U+FFFD instead of refused.
 *
 * Memory: nodes and unescaped texts live in the arena, all other text in the body, which must live as long. */
#ifndef EVS_JSON_TREE_H
#define EVS_JSON_TREE_H

#include "evstream/memory.h"
#include "evstream/text.h"
#include "strip.h"

enum evs_tree_kind {
    EVS_TREE_NULL,
    EVS_TREE_BOOL,
    EVS_TREE_NUMBER,
    EVS_TREE_STRING,
    EVS_TREE_ARRAY,
    EVS_TREE_OBJECT,
};

struct evs_tree {
    uint8_t kind;
    uint16_t depth;        /* of containers: 1 and what the deepest child has; 0 of a scalar */
    struct evs_slice key;  /* of a member, unescaped */
    struct evs_slice text; /* a string unescaped; a number or literal as sent; a container from bracket to bracket */
    struct evs_tree *first, *last, *next;
};

#define EVS_TREE_VALUES_MAX 250000u /* of one text: bounds the memory that a small body can ask for */
#define EVS_TREE_PADDING 64u        /* bytes that must be readable behind the text */

struct evs_json_reader;

/* Reads one JSON value, alone but for white space. `text` is writable (it may be repaired) and padded. NULL when it is
 * none: *mistake is then a part of a sentence ("it ends in the middle of a string"). */
struct evs_tree *evs_tree_read(struct evs_json_reader *reader, struct evs_arena *arena, char *text, size_t bytes,
                               const char **mistake);

/* The first member of that name; NULL when there is none, or `object` is NULL or no object. */
struct evs_tree *evs_tree_member(const struct evs_tree *object, struct evs_slice name);
struct evs_tree *evs_tree_get(const struct evs_tree *object, const char *name);
/* The same along a path of two names. */
struct evs_tree *evs_tree_get2(const struct evs_tree *object, const char *outer, const char *inner);
/* The text of a string member; empty when there is none, or it is no string. */
struct evs_slice evs_tree_string(const struct evs_tree *object, const char *name);
/* The text of a string or number: ids come as either. Empty of anything else, and of NULL. */
struct evs_slice evs_tree_scalar(const struct evs_tree *value);
bool evs_tree_is(const struct evs_tree *value, enum evs_tree_kind kind); /* false of NULL */
bool evs_tree_is_true(const struct evs_tree *value);

/* --- building: every node is new, so that nodes of the body are never changed ------------------------------------------- */

struct evs_tree *evs_tree_object(struct evs_arena *arena);
struct evs_tree *evs_tree_array(struct evs_arena *arena);
/* Appends a copy of the node (its children are shared) under the name; a NULL `value` is left out. Returns the copy. */
struct evs_tree *evs_tree_put(struct evs_arena *arena, struct evs_tree *object, struct evs_slice name,
                              const struct evs_tree *value);
/* An empty text is left out. */
void evs_tree_put_text(struct evs_arena *arena, struct evs_tree *object, const char *name, struct evs_slice text);
void evs_tree_put_bool(struct evs_arena *arena, struct evs_tree *object, const char *name, bool value);
/* As a number where the text is one, else as a text; an empty text is left out. */
void evs_tree_put_number(struct evs_arena *arena, struct evs_tree *object, const char *name, struct evs_slice text);
/* A new object with the members of another (none of NULL). */
struct evs_tree *evs_tree_copy(struct evs_arena *arena, const struct evs_tree *object);
/* Takes every member of that name out of an object that was built. */
void evs_tree_remove(struct evs_tree *object, const char *name);

/* --- writing ------------------------------------------------------------------------------------------------------------ */

/* Appends the value without white space between tokens, so without a line break. */
void evs_tree_write(struct evs_buffer *out, const struct evs_tree *value, const struct evs_strip *strip);
/* Appends a text, quoted, without the values of the parameters. */
void evs_tree_write_text(struct evs_buffer *out, struct evs_slice text, const struct evs_strip *strip);

#endif
