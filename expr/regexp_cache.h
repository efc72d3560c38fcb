/* Compiled patterns that only a row knows (`regexp_contains(url, rules.pattern)`): kept by an evaluation, the latest few. */
#ifndef EVS_EXPR_REGEXP_CACHE_H
#define EVS_EXPR_REGEXP_CACHE_H

#include "internal.h"
#include "regexp.h"

/* Each may hold EVS_REGEXP_BYTES_MAX, though the usual one holds some 10 KB. */
#define EVS_REGEXP_CACHE_ENTRIES 16

struct evs_regexp_cache *evs_regexp_cache_new(void);
void evs_regexp_cache_free(struct evs_regexp_cache *cache); /* NULL is allowed */
/* The pattern, compiled now or before; NULL when it is none. Valid until the next call. */
const struct evs_regexp *evs_regexp_cache_get(struct evs_regexp_cache *cache, struct evs_slice pattern, bool of_bytes);

#endif
