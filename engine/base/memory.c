/* The one door to the process allocator.
 *
 * jemalloc comes in by being linked, so that these calls and those of the client libraries share one heap; a sanitizer
 * build links nothing and keeps libc's malloc, which the sanitizer watches.
 *
 * Out of memory ends the process here. A status for it would have to be handled in every function, none of those paths
 * would ever be tried, and an engine that has lost an unknown part of its state must restore from its checkpoint anyway. */
#include "evstream/memory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The only mutable global of the engine: a count has no owner to live in, and nothing depends on its value. */
static _Atomic uint64_t general_allocations;

static _Noreturn void out_of_memory(size_t bytes)
{
    char text[160];
    int count = snprintf(text, sizeof text,
                         "evstream: the system has no memory left (%zu more bytes were asked for); "
                         "the engine stops here, and its next start goes on from the last checkpoint.\n",
                         bytes);
    if (write(STDERR_FILENO, text, (size_t)count) < 0) {
        /* Nobody is left to be told. */
    }
    abort();
}

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

/* Large memory is keyed state, and rows meet its keys in no order: with small pages each costs a miss of the address translation beside that of the
 * cache. A wish, which a kernel without huge pages, or told never to give them, leaves unheard. */
static void wish_huge_pages(void *memory, size_t bytes)
{
    uintptr_t first = ((uintptr_t)memory + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)memory + bytes) & ~(HUGE_PAGE_BYTES - 1);
    if (first < end) {
        (void)madvise((void *)first, end - first, MADV_HUGEPAGE);
    }
}

static void *counted(void *memory, size_t bytes)
{
    if (EVS_UNLIKELY(memory == NULL)) {
        out_of_memory(bytes);
    }
    if (EVS_UNLIKELY(bytes >= HUGE_PAGE_BYTES)) {
        wish_huge_pages(memory, bytes);
    }
    atomic_fetch_add_explicit(&general_allocations, 1, memory_order_relaxed);
    return memory;
}

/* malloc(0) may return NULL, which would look like a failure. */
static size_t at_least_one(size_t bytes)
{
    return bytes == 0 ? 1 : bytes;
}

void *evs_alloc(size_t bytes)
{
    return counted(malloc(at_least_one(bytes)), bytes);
}

void *evs_alloc_zero(size_t bytes)
{
    return counted(calloc(1, at_least_one(bytes)), bytes);
}

void *evs_alloc_aligned(size_t align, size_t bytes)
{
    EVS_ASSERT(align >= sizeof(void *) && (align & (align - 1)) == 0);
    EVS_ASSERT(bytes <= SIZE_MAX - align);
    /* C17 asks for a multiple of the alignment. */
    size_t rounded = (at_least_one(bytes) + align - 1) & ~(align - 1);
    return counted(aligned_alloc(align, rounded), bytes);
}

void *evs_realloc(void *memory, size_t bytes)
{
    return counted(realloc(memory, at_least_one(bytes)), bytes);
}

void evs_free(void *memory)
{
    free(memory);
}

char *evs_strdup(const char *text)
{
    EVS_ASSERT(text != NULL);
    return evs_strndup(text, strlen(text));
}

/* Takes exactly `bytes` bytes; a NUL among them is copied like any other. */
char *evs_strndup(const char *text, size_t bytes)
{
    EVS_ASSERT(text != NULL || bytes == 0);
    EVS_ASSERT(bytes < SIZE_MAX);
    char *copy = evs_alloc(bytes + 1);
    if (bytes > 0) {
        memcpy(copy, text, bytes);
    }
    copy[bytes] = '\0';
    return copy;
}

uint64_t evs_alloc_count(void)
{
    return atomic_load_explicit(&general_allocations, memory_order_relaxed);
}

void *evs_grow(void *items, uint32_t *capacity, size_t item_bytes, uint32_t needed)
{
    EVS_ASSERT(item_bytes > 0);
    EVS_ASSERT((items == NULL) == (*capacity == 0));
    EVS_ASSERT(needed > *capacity); /* 0 here means that the caller's count has wrapped */
    uint64_t grown = *capacity == 0 ? 8 : (uint64_t)*capacity * 2;
    if (grown < needed) {
        grown = needed;
    }
    if (grown > UINT32_MAX) {
        grown = UINT32_MAX;
    }
    EVS_ASSERT(grown <= SIZE_MAX / item_bytes);
    *capacity = (uint32_t)grown;
    return evs_realloc(items, (size_t)grown * item_bytes);
}
