/* Regular expressions: the C face of RE2. One C++ file stands behind it (regexp.cpp).
 *
 * Matching takes time linear in the text, whatever the pattern, because RE2 runs automata and does not backtrack; what needs
 * backtracking (references back, looking ahead) is no part of its syntax. A compiled pattern is immutable: several threads may match
 * with it at once. Its memory, with what matching caches, is bounded by EVS_REGEXP_BYTES_MAX. */
#ifndef EVS_EXPR_REGEXP_H
#define EVS_EXPR_REGEXP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EVS_REGEXP_BYTES_MAX (8 << 20)
/* The whole match and \1 to \9. */
#define EVS_REGEXP_GROUPS_MAX 10

/* A span of text: what evs_slice is, for a file that the C headers cannot be included in. A group that took no part in the
 * match has the data NULL. */
struct evs_regexp_text {
    const char *data;
    size_t count;
};

/* What is wrong with a pattern, and where in it: count is 0 when that is nowhere in particular. */
struct evs_regexp_mistake {
    const char *text; /* static: a part of a sentence */
    size_t offset, count;
};

struct evs_regexp;
/* NULL when the pattern is none, with the mistake. Text is UTF-8, or Latin-1 when the pattern is one of bytes. */
struct evs_regexp *evs_regexp_new(struct evs_regexp_text pattern, bool of_bytes, struct evs_regexp_mistake *mistake);
void evs_regexp_free(struct evs_regexp *regexp); /* NULL is allowed */
/* Capturing groups; the whole match does not count. */
uint32_t evs_regexp_group_count(const struct evs_regexp *regexp);
/* The leftmost match at or behind byte `from`; what stands before it counts for ^ and \b. groups[0] is the whole match. */
bool evs_regexp_match(const struct evs_regexp *regexp, struct evs_regexp_text text, size_t from,
                      struct evs_regexp_text *groups, uint32_t group_count);

#ifdef __cplusplus
}
#endif
#endif
