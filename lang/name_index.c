/* Open addressing with linear probing; at most half full, so a free slot always ends a search. */
#include "name_index.h"

#include <string.h>

#include "evstream/memory.h"

static unsigned char lower(unsigned char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte | 0x20) : byte;
}

/* FNV-1a of 64 bits. */
static uint64_t hash_of(const struct evs_name_index *index, struct evs_slice name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < name.count; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        hash = (hash ^ (index->is_exact ? byte : lower(byte))) * 0x100000001b3u;
    }
    return hash;
}

static bool is_same(const struct evs_name_index *index, struct evs_slice name, const char *other)
{
    return index->is_exact ? evs_slice_equal(name, evs_slice_of(other)) : evs_slice_equal_nocase(name, other);
}

/* The slot of a name, or the free one where it belongs. */
static struct evs_name_slot *slot_of(const struct evs_name_index *index, struct evs_slice name, uint64_t hash)
{
    EVS_ASSERT(index->count < index->size);
    for (uint32_t i = (uint32_t)hash & (index->size - 1);; i = (i + 1) & (index->size - 1)) {
        struct evs_name_slot *slot = &index->slots[i];
        if (slot->name == NULL || (slot->hash == hash && is_same(index, name, slot->name))) {
            return slot;
        }
    }
}

uint32_t evs_name_index_find(const struct evs_name_index *index, struct evs_slice name)
{
    if (index->count == 0) {
        return EVS_NO_NAME;
    }
    const struct evs_name_slot *slot = slot_of(index, name, hash_of(index, name));
    return slot->name != NULL ? slot->number : EVS_NO_NAME;
}

static void grow(struct evs_name_index *index)
{
    struct evs_name_index larger = {.size = index->size > 0 ? index->size * 2 : 64, .is_exact = index->is_exact};
    larger.slots = evs_alloc_zero(sizeof *larger.slots * larger.size);
    for (uint32_t i = 0; i < index->size; i++) {
        const struct evs_name_slot *slot = &index->slots[i];
        if (slot->name != NULL) {
            *slot_of(&larger, evs_slice_of(slot->name), slot->hash) = *slot;
            larger.count++;
        }
    }
    EVS_ASSERT(larger.count == index->count);
    evs_free(index->slots);
    *index = larger;
}

void evs_name_index_set(struct evs_name_index *index, const char *name, uint32_t number)
{
    EVS_ASSERT(name != NULL && number != EVS_NO_NAME);
    if (index->count * 2 >= index->size) {
        grow(index);
    }
    uint64_t hash = hash_of(index, evs_slice_of(name));
    struct evs_name_slot *slot = slot_of(index, evs_slice_of(name), hash);
    index->count += slot->name == NULL;
    *slot = (struct evs_name_slot){name, hash, number};
}

void evs_name_index_fini(struct evs_name_index *index)
{
    evs_free(index->slots);
    *index = (struct evs_name_index){0};
}
