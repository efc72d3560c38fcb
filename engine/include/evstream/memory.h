/* Memory by lifetime.
 *
 * Only engine/base/memory.c calls the process allocator (jemalloc; libc's under sanitizers). Allocation never returns
 * NULL: when the system has no memory left the process prints why and aborts, because an engine that has lost an
 * unknown part of its state must restart from its last checkpoint, not go on.
 *
 * Lifetimes: setup (evs_alloc, freed at close), task (evs_alloc), batch (an arena, reset when the batch is done),
 * scratch (an arena, reset by its owner). In a steady state a batch costs no general allocation: an arena keeps its
 * chunks when it is reset. */
#ifndef EVS_MEMORY_H
#define EVS_MEMORY_H

#include "evstream/status.h"

void *evs_alloc(size_t bytes) __attribute__((malloc, alloc_size(1), returns_nonnull));
void *evs_alloc_zero(size_t bytes) __attribute__((malloc, alloc_size(1), returns_nonnull));
void *evs_alloc_aligned(size_t align, size_t bytes) __attribute__((malloc, alloc_size(2), returns_nonnull));
void *evs_realloc(void *memory, size_t bytes) __attribute__((alloc_size(2), returns_nonnull));
void evs_free(void *memory); /* NULL is allowed */
char *evs_strdup(const char *text);
char *evs_strndup(const char *text, size_t bytes);

/* General allocations since the process started: tests use the difference to show that a steady state has none. */
uint64_t evs_alloc_count(void);

/* Grows `*items` (elements of item_bytes) so that index `count` can be written; doubles, so pushes are amortised O(1). */
#define EVS_GROW(items, count, capacity)                                                                               \
    ((count) < (capacity) ? (void)0 : (void)((items) = evs_grow((items), &(capacity), sizeof *(items), (count) + 1)))
void *evs_grow(void *items, uint32_t *capacity, size_t item_bytes, uint32_t needed);

/* A bump allocator. Owned by one thread at a time. Zero-initialised (`{0}`) is a valid empty arena. */
struct evs_arena_chunk;
struct evs_arena_release;
struct evs_arena {
    struct evs_arena_chunk *first, *current;
    struct evs_arena_release *releases; /* the latest first */
    uint8_t *next, *end;
    size_t used_bytes; /* handed out since the last reset */
};

#define EVS_ARENA_CHUNK_BYTES (64u << 10)

void *evs_arena_alloc(struct evs_arena *arena, size_t bytes, size_t align) __attribute__((returns_nonnull));
void *evs_arena_zero(struct evs_arena *arena, size_t bytes, size_t align) __attribute__((returns_nonnull));
void *evs_arena_copy(struct evs_arena *arena, const void *bytes, size_t count);   /* no alignment, no terminator */
char *evs_arena_strndup(struct evs_arena *arena, const char *text, size_t bytes); /* NUL-terminated */
char *evs_arena_printf(struct evs_arena *arena, const char *format, ...) EVS_PRINTF(2, 3);
/* Calls release(argument) when the arena is reset or freed, the latest first: for a library's object (a compiled
 * pattern, say) that lives as long as what stands beside it in the arena. */
void evs_arena_defer(struct evs_arena *arena, void (*release)(void *argument), void *argument);
void evs_arena_reset(struct evs_arena *arena); /* keeps the chunks for reuse */
void evs_arena_fini(struct evs_arena *arena);  /* frees everything; the arena is empty and usable again */

#define EVS_ARENA_NEW(arena, type) ((type *)evs_arena_zero((arena), sizeof(type), _Alignof(type)))
#define EVS_ARENA_ARRAY(arena, type, count)                                                                            \
    ((type *)evs_arena_zero((arena), sizeof(type) * (size_t)(count), _Alignof(type)))
/* For column data: 64-byte aligned and not zeroed, with 64 readable bytes behind it. */
#define EVS_ARENA_COLUMN(arena, bytes) evs_arena_alloc((arena), (size_t)(bytes) + 64, 64)

/* A growable byte string on the heap, for encoders. Zero-initialised is a valid empty buffer. */
struct evs_buffer {
    char *data;
    size_t count, capacity; /* bytes */
};
void evs_buffer_reserve(struct evs_buffer *buffer, size_t more_bytes); /* afterwards `more_bytes` fit behind count */
void evs_buffer_put(struct evs_buffer *buffer, const void *bytes, size_t count);
void evs_buffer_puts(struct evs_buffer *buffer, const char *text);
void evs_buffer_printf(struct evs_buffer *buffer, const char *format, ...) EVS_PRINTF(2, 3);
void evs_buffer_fini(struct evs_buffer *buffer);

#endif
