/* The bump allocator.
 *
 *   first ──► [header|########] ──► [header|#####.......] ──► [header|...........] ──► NULL
 *                                     ▲     next ▲     ▲ end    kept from before a reset
 *                                     current
 *
 * Chunks stay in a list. Those up to `current` are in use; those behind it (all, after a reset) are left from before and are
 * taken again, first fit, before a new one is made. The list keeps the order of use, so the same pieces in the same order
 * find the same chunks: a batch like the one before needs no new memory.
 *
 * Under AddressSanitizer everything that has not been handed out is poisoned, with a gap behind each piece, so that a
 * pointer that outlives its batch, or a write past the end, is reported like one of malloc's. */
#include "evstream/memory.h"

#include <stdio.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define POISON(memory, bytes) ASAN_POISON_MEMORY_REGION((memory), (bytes))
#define UNPOISON(memory, bytes) ASAN_UNPOISON_MEMORY_REGION((memory), (bytes))
#define GAP_BYTES ((size_t)8) /* one granule of the shadow */
#else
#define POISON(memory, bytes) ((void)(memory))
#define UNPOISON(memory, bytes) ((void)(memory))
#define GAP_BYTES ((size_t)0)
#endif

#define CHUNK_ALIGN ((size_t)64)

struct evs_arena_chunk {
    struct evs_arena_chunk *next;
    size_t bytes; /* of data */
    _Alignas(64) uint8_t data[];
};

static uint8_t *align_up(uint8_t *address, size_t align)
{
    return (uint8_t *)(((uintptr_t)address + align - 1) & ~(uintptr_t)(align - 1));
}

/* The first chunk behind `current` that is large enough, taken out of the list; NULL when there is none. */
static struct evs_arena_chunk *take_kept_chunk(struct evs_arena *arena, size_t bytes)
{
    struct evs_arena_chunk **link = arena->current == NULL ? &arena->first : &arena->current->next;
    while (*link != NULL && (*link)->bytes < bytes) {
        link = &(*link)->next;
    }
    struct evs_arena_chunk *chunk = *link;
    if (chunk != NULL) {
        *link = chunk->next;
    }
    return chunk;
}

static struct evs_arena_chunk *new_chunk(size_t bytes)
{
    size_t usual = EVS_ARENA_CHUNK_BYTES - sizeof(struct evs_arena_chunk);
    size_t data_bytes = bytes > usual ? bytes : usual;
    EVS_ASSERT(data_bytes >= bytes);
    struct evs_arena_chunk *chunk = evs_alloc_aligned(CHUNK_ALIGN, sizeof *chunk + data_bytes);
    chunk->bytes = data_bytes;
    POISON(chunk->data, data_bytes);
    return chunk;
}

/* Makes `current` a chunk with room for `bytes` at its start. */
static void next_chunk(struct evs_arena *arena, size_t bytes)
{
    struct evs_arena_chunk *chunk = take_kept_chunk(arena, bytes);
    if (chunk == NULL) {
        chunk = new_chunk(bytes);
    }
    struct evs_arena_chunk **link = arena->current == NULL ? &arena->first : &arena->current->next;
    EVS_ASSERT(chunk->bytes >= bytes);
    chunk->next = *link;
    *link = chunk;
    arena->current = chunk;
    arena->next = chunk->data;
    arena->end = chunk->data + chunk->bytes;
}

void *evs_arena_alloc(struct evs_arena *arena, size_t bytes, size_t align)
{
    EVS_ASSERT(align > 0 && (align & (align - 1)) == 0 && align <= CHUNK_ALIGN);
    EVS_ASSERT(bytes <= SIZE_MAX / 2);
    uint8_t *start = align_up(arena->next, align);
    if (EVS_UNLIKELY(arena->next == NULL || start > arena->end || (size_t)(arena->end - start) < bytes + GAP_BYTES)) {
        next_chunk(arena, bytes + GAP_BYTES);
        start = arena->next; /* aligned for anything */
    }
    arena->next = start + bytes + GAP_BYTES;
    if (GAP_BYTES > 0 && arena->next < arena->end) {
        /* The shadow tells only how many first bytes of a granule are good, so pieces start at a granule. */
        uint8_t *granule = align_up(arena->next, GAP_BYTES);
        arena->next = granule < arena->end ? granule : arena->end;
    }
    EVS_ASSERT(arena->next <= arena->end);
    arena->used_bytes += bytes;
    UNPOISON(start, bytes);
    return start;
}

void *evs_arena_zero(struct evs_arena *arena, size_t bytes, size_t align)
{
    return memset(evs_arena_alloc(arena, bytes, align), 0, bytes);
}

void *evs_arena_copy(struct evs_arena *arena, const void *bytes, size_t count)
{
    EVS_ASSERT(bytes != NULL || count == 0);
    void *copy = evs_arena_alloc(arena, count, 1);
    if (count > 0) {
        memcpy(copy, bytes, count);
    }
    return copy;
}

char *evs_arena_strndup(struct evs_arena *arena, const char *text, size_t bytes)
{
    EVS_ASSERT(text != NULL || bytes == 0);
    char *copy = evs_arena_alloc(arena, bytes + 1, 1);
    if (bytes > 0) {
        memcpy(copy, text, bytes);
    }
    copy[bytes] = '\0';
    return copy;
}

char *evs_arena_printf(struct evs_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int count = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    EVS_ASSERT(count >= 0);
    char *text = evs_arena_alloc(arena, (size_t)count + 1, 1);
    int written = vsnprintf(text, (size_t)count + 1, format, again);
    va_end(again);
    EVS_ASSERT(written == count);
    return text;
}

/* Stands in the arena itself, so it is there until all of them have been called. */
struct evs_arena_release {
    struct evs_arena_release *next;
    void (*release)(void *argument);
    void *argument;
};

void evs_arena_defer(struct evs_arena *arena, void (*release)(void *argument), void *argument)
{
    EVS_ASSERT(release != NULL);
    struct evs_arena_release *entry = EVS_ARENA_NEW(arena, struct evs_arena_release);
    *entry = (struct evs_arena_release){arena->releases, release, argument};
    arena->releases = entry;
}

static void call_releases(struct evs_arena *arena)
{
    while (arena->releases != NULL) {
        const struct evs_arena_release *entry = arena->releases;
        arena->releases = entry->next;
        entry->release(entry->argument);
    }
}

static void poison_chunks(const struct evs_arena *arena)
{
    for (struct evs_arena_chunk *chunk = arena->first; chunk != NULL; chunk = chunk->next) {
        POISON(chunk->data, chunk->bytes);
    }
}

void evs_arena_reset(struct evs_arena *arena)
{
    call_releases(arena);
    if (GAP_BYTES > 0) { /* under AddressSanitizer */
        poison_chunks(arena);
    }
    /* No chunk is entered yet: the first piece takes the first chunk that it fits, and wastes none that is too small. */
    arena->current = NULL;
    arena->next = arena->end = NULL;
    arena->used_bytes = 0;
}

void evs_arena_fini(struct evs_arena *arena)
{
    EVS_ASSERT(arena->first != NULL || arena->current == NULL);
    call_releases(arena);
    struct evs_arena_chunk *chunk = arena->first;
    while (chunk != NULL) {
        struct evs_arena_chunk *next = chunk->next;
        UNPOISON(chunk->data, chunk->bytes);
        evs_free(chunk);
        chunk = next;
    }
    *arena = (struct evs_arena){0};
}
