#include "text_pool.h"

#include <string.h>

#include "evstream/memory.h"

#define STEP_BYTES ((size_t)64)

/* Under AddressSanitizer nobody may touch a text that waits, nor read behind one in use. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define POISON(memory, bytes) ASAN_POISON_MEMORY_REGION((memory), (bytes))
#define UNPOISON(memory, bytes) ASAN_UNPOISON_MEMORY_REGION((memory), (bytes))
#else
#define POISON(memory, bytes) ((void)(memory))
#define UNPOISON(memory, bytes) ((void)(memory))
#endif

/* EVS_TEXT_POOL_SIZES and more: the text is too large to be kept. */
static size_t size_of(size_t bytes)
{
    return bytes == 0 ? 0 : (bytes - 1) / STEP_BYTES;
}

static size_t size_bytes(size_t size)
{
    return (size + 1) * STEP_BYTES;
}

/* The first spare text of its size; there is one. */
static char *pop(struct evs_text_pool *pool, size_t size)
{
    char *text = pool->spare[size];
    UNPOISON(text, size_bytes(size));
    memcpy(&pool->spare[size], text, sizeof text);
    EVS_ASSERT(pool->spare_bytes >= size_bytes(size));
    pool->spare_bytes -= size_bytes(size);
    return text;
}

char *evs_text_pool_take(struct evs_text_pool *pool, size_t bytes)
{
    size_t size = size_of(bytes);
    if (size >= EVS_TEXT_POOL_SIZES) {
        return evs_alloc(bytes);
    }
    char *text = pool->spare[size] != NULL ? pop(pool, size) : evs_alloc(size_bytes(size));
    POISON(text + bytes, size_bytes(size) - bytes);
    return text;
}

void evs_text_pool_give(struct evs_text_pool *pool, char *text, size_t bytes)
{
    size_t size = size_of(bytes);
    if (text == NULL || size >= EVS_TEXT_POOL_SIZES || pool->spare_bytes + size_bytes(size) > EVS_TEXT_POOL_BYTES_MAX) {
        evs_free(text); /* the sanitizer's own free takes poisoned memory */
        return;
    }
    UNPOISON(text, size_bytes(size));
    memcpy(text, &pool->spare[size], sizeof text);
    POISON(text, size_bytes(size));
    pool->spare[size] = text;
    pool->spare_bytes += size_bytes(size);
}

void evs_text_pool_fini(struct evs_text_pool *pool)
{
    for (size_t size = 0; size < EVS_TEXT_POOL_SIZES; size++) {
        while (pool->spare[size] != NULL) {
            evs_free(pop(pool, size));
        }
    }
    EVS_ASSERT(pool->spare_bytes == 0);
}
