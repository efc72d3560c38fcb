#include "value_map.h"

#define CAPACITY_MIN 64u

static bool is_at(const struct evs_value_map_slot *slot, uint64_t hash, struct evs_slice key)
{
    return slot->hash == hash && slot->key_bytes == key.count && memcmp(slot->bytes, key.data, key.count) == 0;
}

/* The slot of the key, or the empty one where it would be. */
static uint32_t slot_of(const struct evs_value_map *map, uint64_t hash, struct evs_slice key)
{
    uint32_t at = (uint32_t)hash & (map->capacity - 1);
    while (map->slots[at].bytes != NULL && !is_at(&map->slots[at], hash, key)) {
        at = (at + 1) & (map->capacity - 1);
    }
    return at;
}

static void grow(struct evs_value_map *map)
{
    struct evs_value_map larger = {.capacity = map->capacity == 0 ? CAPACITY_MIN : map->capacity * 2,
                                   .count = map->count};
    larger.slots = evs_alloc_zero(larger.capacity * sizeof *larger.slots);
    for (uint32_t i = 0; i < map->capacity; i++) {
        const struct evs_value_map_slot *slot = &map->slots[i];
        if (slot->bytes != NULL) {
            struct evs_slice key = {slot->bytes, slot->key_bytes};
            larger.slots[slot_of(&larger, slot->hash, key)] = *slot;
        }
    }
    evs_free(map->slots);
    *map = larger;
}

void evs_value_map_put(struct evs_value_map *map, struct evs_slice key, struct evs_slice value)
{
    uint64_t hash = evs_hash64(key.data, key.count);
    EVS_ASSERT(key.count <= UINT32_MAX && value.count <= UINT32_MAX);
    if (map->count * 2 >= map->capacity) {
        grow(map);
    }
    struct evs_value_map_slot *slot = &map->slots[slot_of(map, hash, key)];
    map->count += slot->bytes == NULL;
    evs_free(slot->bytes);
    slot->bytes = evs_alloc(key.count + value.count + 1);
    memcpy(slot->bytes, key.data, key.count);
    memcpy(slot->bytes + key.count, value.data, value.count);
    slot->key_bytes = (uint32_t)key.count;
    slot->value_bytes = (uint32_t)value.count;
    slot->hash = hash;
}

/* What stands behind the hole and would not be found across it moves into it. */
static void close_hole(struct evs_value_map *map, uint32_t hole)
{
    uint32_t mask = map->capacity - 1;
    for (uint32_t at = (hole + 1) & mask; map->slots[at].bytes != NULL; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)map->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct evs_value_map_slot){0};
}

void evs_value_map_remove(struct evs_value_map *map, struct evs_slice key)
{
    if (map->count == 0) {
        return;
    }
    uint32_t at = slot_of(map, evs_hash64(key.data, key.count), key);
    if (map->slots[at].bytes != NULL) {
        evs_free(map->slots[at].bytes);
        close_hole(map, at);
        map->count--;
    }
}

bool evs_value_map_find(const struct evs_value_map *map, struct evs_slice key, struct evs_slice *value)
{
    if (map->count == 0) {
        return false;
    }
    const struct evs_value_map_slot *slot = &map->slots[slot_of(map, evs_hash64(key.data, key.count), key)];
    if (slot->bytes == NULL) {
        return false;
    }
    *value = (struct evs_slice){slot->bytes + slot->key_bytes, slot->value_bytes};
    return true;
}

void evs_value_map_answer(const struct evs_value_map *map, struct evs_lookup_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->count; i++) {
        struct evs_slice value = {0};
        fetch->values[i].is_there = evs_value_map_find(map, fetch->keys[i], &value);
        if (fetch->values[i].is_there) {
            fetch->values[i].offset = (uint32_t)fetch->json->count;
            fetch->values[i].bytes = (uint32_t)value.count;
            evs_buffer_put(fetch->json, value.data, value.count);
            evs_buffer_put(fetch->json, "\n", 1);
        }
    }
}

void evs_value_map_fini(struct evs_value_map *map)
{
    for (uint32_t i = 0; i < map->capacity; i++) {
        evs_free(map->slots[i].bytes);
    }
    evs_free(map->slots);
    *map = (struct evs_value_map){0};
}
