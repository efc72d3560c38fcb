/* Keys and their values, as bytes: what a connector holds that knows its whole table. */
#ifndef EVS_VALUE_MAP_H
#define EVS_VALUE_MAP_H

#include "evstream/lookup.h"

struct evs_value_map_slot {
    char *bytes; /* key, then value; NULL: empty */
    uint32_t key_bytes, value_bytes;
    uint64_t hash;
};

/* Open addressing, at most half full. Zero-initialised is a valid empty map. */
struct evs_value_map {
    struct evs_value_map_slot *slots;
    uint32_t capacity, count;
};

void evs_value_map_put(struct evs_value_map *map, struct evs_slice key, struct evs_slice value); /* copies both */
void evs_value_map_remove(struct evs_value_map *map, struct evs_slice key);
/* False: there is none. The value is borrowed until the next change. */
bool evs_value_map_find(const struct evs_value_map *map, struct evs_slice key, struct evs_slice *value);
/* Answers a whole fetch. */
void evs_value_map_answer(const struct evs_value_map *map, struct evs_lookup_fetch *fetch);
void evs_value_map_fini(struct evs_value_map *map); /* empties it */

#endif
