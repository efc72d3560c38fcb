/* Memory of short-lived texts, used again: messages of a sink from their row until their acknowledgement, so that a row that leaves costs no general allocation.
 *
 * Sizes go by 64 bytes up to 4 KiB, so that little is lost where many wait. One that was given back waits in a list of its size, the link in its
 * first bytes. What waits is bounded, since a receiver that was away for an hour leaves a mountain behind that nobody needs again; larger texts are the
 * allocator's, as is what is above the bound. One thread uses a pool. */
#ifndef EVS_TEXT_POOL_H
#define EVS_TEXT_POOL_H

#include <stddef.h>
#include <stdint.h>

#define EVS_TEXT_POOL_SIZES 64u
#define EVS_TEXT_POOL_BYTES_MAX ((size_t)4 << 20) /* that wait */

struct evs_text_pool {
    char *spare[EVS_TEXT_POOL_SIZES];
    size_t spare_bytes;
};

/* Room for `bytes`, which may be 0. */
char *evs_text_pool_take(struct evs_text_pool *pool, size_t bytes);
/* `bytes` as they were asked for; NULL is nothing. */
void evs_text_pool_give(struct evs_text_pool *pool, char *text, size_t bytes);
void evs_text_pool_fini(struct evs_text_pool *pool);

#endif
