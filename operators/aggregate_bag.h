/* A bag: the many values that one accumulator keeps. Private to operators/aggregate_*.c.
 *
 * Entries stand one behind the other in a log without pointers, so that storing is copying, and so is moving to another arena. An entry is never
 * removed alone; its payload may be overwritten.
 *
 *      log   ┌ head ─────────────┬─────────┬──────────────────┬ pad ┐┌ head …
 *            │ key bytes │ tag   │ payload │ key              │     ││
 *            └───────────┴───────┴─────────┴──────────────────┴─────┘└ …
 *      slots: place / 8 + 1, by the tag (the low half of the key's hash); only where the shape is indexed
 *
 * An indexed bag has each key once (a set, or a map from keys to payloads); another one is a list, in the order of arrival.
 *
 * Snapshots. The first `saved` bytes of the log stand in a snapshot; entries behind them are new, entries before them whose payload has changed
 * are marked in their head. A part holds whole entries. `saved` 0 makes the next part begin the bag anew: so a bag that was
 * rebuilt (evs_bag_clear) replaces what is stored.
 *
 * The log and the slots lie in the arena of the entry's table; when they grow, the old ones become garbage. */
#ifndef EVS_AGGREGATE_BAG_H
#define EVS_AGGREGATE_BAG_H

#include "aggregate_call.h"

struct agg_shape {
    uint32_t payload_bytes; /* a multiple of 8, or of 4 where nothing in it is wider */
    uint32_t key_bytes;     /* 0: any */
    bool is_indexed;
};

struct agg_bag {
    uint8_t *log;
    uint32_t count;                 /* entries */
    uint32_t used, capacity, saved; /* bytes of the log */
    uint32_t slot_mask;             /* 0: no slots; few entries are searched one by one */
    uint32_t *slots;
    bool is_changed; /* some entry before `saved` has the mark */
};

struct agg_entry {
    uint32_t head; /* key bytes << 1 | changed since the last snapshot */
    uint32_t tag;
    uint8_t payload[]; /* then the key */
};

static inline struct evs_slice evs_bag_key(const struct agg_shape *shape, const struct agg_entry *entry)
{
    return (struct evs_slice){(const char *)entry->payload + shape->payload_bytes, entry->head >> 1};
}
static inline uint32_t evs_bag_entry_bytes(const struct agg_shape *shape, uint32_t key_bytes)
{
    return ((uint32_t)sizeof(struct agg_entry) + shape->payload_bytes + key_bytes + 7u) & ~7u;
}
static inline struct agg_entry *evs_bag_next(const struct agg_bag *bag, const struct agg_shape *shape,
                                             struct agg_entry *entry)
{
    uint8_t *next = entry == NULL ? bag->log : (uint8_t *)entry + evs_bag_entry_bytes(shape, entry->head >> 1);
    return next < bag->log + bag->used ? (struct agg_entry *)next : NULL;
}
/* `bag` may be NULL. */
#define EVS_BAG_FOR(bag, shape, entry)                                                                                 \
    for (struct agg_entry *entry = (bag) == NULL || (bag)->count == 0 ? NULL : evs_bag_next((bag), (shape), NULL);     \
         entry != NULL; entry = evs_bag_next((bag), (shape), entry))

/* The entry of a key, or NULL. Indexed bags. */
struct agg_entry *evs_bag_find(const struct agg_bag *bag, const struct agg_shape *shape, struct evs_slice key);
/* The entry of a key in an indexed bag, made with a zeroed payload where there is none; a new entry in another one. The bag is made where it is NULL.
 * `*is_new` may be NULL. Pointers to entries are good until the next add. */
struct agg_entry *evs_bag_add(struct agg_bag **bag, struct evs_table *table, const struct agg_shape *shape,
                              struct evs_slice key, bool *is_new);
/* Must be called when the payload of an entry that was there before is written. */
static inline void evs_bag_changed(struct agg_bag *bag, struct agg_entry *entry)
{
    entry->head |= 1;
    bag->is_changed = true;
}
/* Room for so many bytes of entries, and no more: for a bag whose size is known. The bag is empty, or NULL. */
void evs_bag_reserve(struct agg_bag **bag, struct evs_table *table, uint32_t bytes);
/* Empty, with its room; what is stored of it will be replaced. */
void evs_bag_clear(struct agg_bag *bag);

size_t evs_bag_held(const struct agg_bag *bag); /* bytes of the arena */
struct agg_bag *evs_bag_move(const struct agg_bag *bag, struct evs_arena *to);
/* What evs_bag_save puts parts with. `detail` is stored in each part: the shape may depend on it. */
struct agg_part_writer {
    evs_agg_put_part *put;
    void *argument;
    uint32_t detail;
    bool full;
};
void evs_bag_save(struct agg_bag *bag, const struct agg_shape *shape, const struct agg_part_writer *writer);
/* What a part says of itself. False: damaged. */
bool evs_bag_part_detail(struct evs_slice part, uint32_t *detail);
/* Who takes a part in. `is_valid`, if not NULL, looks at each entry: its lengths are right, what it means is the kind's. */
struct agg_part_reader {
    struct evs_table *table;
    const struct agg_shape *shape;
    bool (*is_valid)(const struct agg_call *call, const struct agg_entry *entry);
    const struct agg_call *call;
};
/* False: damaged. */
bool evs_bag_load(struct agg_bag **bag, const struct agg_part_reader *reader, struct evs_slice part);

#endif
