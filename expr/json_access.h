/* Reading JSON text: the C face of simdjson. One C++ file stands behind it (json_access.cpp).
 *
 * A reader holds a parser and a padded copy of the text at hand; it belongs to one thread. Values are given back as
 * spans of the text that was handed in, so nothing is copied out. Navigation goes through the document lazily: what
 * lies beside the path is checked for its structure only. A json column holds valid JSON already; text of unknown
 * origin is checked by evs_json_valid first. */
#ifndef EVS_EXPR_JSON_ACCESS_H
#define EVS_EXPR_JSON_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A span of text: what evs_slice is, for a file that the C headers cannot be included in. */
struct evs_json_text {
    const char *data;
    size_t count;
};

enum evs_json_kind {
    EVS_JSON_MISSING, /* the path leads nowhere */
    EVS_JSON_BAD,     /* no JSON */
    EVS_JSON_OBJECT,
    EVS_JSON_ARRAY,
    EVS_JSON_STRING,
    EVS_JSON_NUMBER,
    EVS_JSON_BOOL,
    EVS_JSON_NULL,
};

struct evs_json_step {
    bool is_index;
    uint64_t index;            /* from 0 */
    struct evs_json_text name; /* unescaped */
};

struct evs_json_access;
struct evs_json_access *evs_json_access_new(void);
void evs_json_access_free(struct evs_json_access *reader); /* NULL is allowed */

/* Follows the steps from the outermost value (none: that value itself). *raw is its text, without white space
 * around. The first of repeated keys counts. */
enum evs_json_kind evs_json_find(struct evs_json_access *reader, struct evs_json_text text,
                                 const struct evs_json_step *steps, uint32_t step_count, struct evs_json_text *raw);
/* Whether the whole text is one JSON value. */
bool evs_json_valid(struct evs_json_access *reader, struct evs_json_text text);
/* Unescapes the text of a JSON string with its quotes into `out` (raw.count bytes at least); false when it is none. */
bool evs_json_access_unescape(struct evs_json_access *reader, struct evs_json_text raw, char *out, size_t *count);
/* Takes white space between tokens away; `out` has room for text.count + 64 bytes. False when a string does not end. */
bool evs_json_minify(struct evs_json_text text, char *out, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
