/* Bags (aggregate_bag.h). */
#include "aggregate_bag.h"

#define ENTRIES_SEARCHED_MAX 8u /* up to so many, looking at all is faster than slots, and costs no room */
#define LOG_BYTES_MIN 64u
#define LOG_BYTES_MAX (1u << 30) /* bytes_max is at most half of it */

static uint32_t tag_of(struct evs_slice key)
{
    return (uint32_t)evs_hash64(key.data, key.count);
}

static struct agg_entry *entry_at(const struct agg_bag *bag, uint32_t place)
{
    return (struct agg_entry *)(bag->log + place);
}

static bool is_entry_of(const struct agg_shape *shape, const struct agg_entry *entry, uint32_t tag,
                        struct evs_slice key)
{
    return entry->tag == tag && evs_slice_equal(evs_bag_key(shape, entry), key);
}

static struct agg_entry *find(const struct agg_bag *bag, const struct agg_shape *shape, uint32_t tag,
                              struct evs_slice key)
{
    if (bag->slot_mask == 0) {
        EVS_BAG_FOR(bag, shape, entry)
        {
            if (is_entry_of(shape, entry, tag, key)) {
                return entry;
            }
        }
        return NULL;
    }
    for (uint32_t at = tag & bag->slot_mask; bag->slots[at] != 0; at = (at + 1) & bag->slot_mask) {
        struct agg_entry *entry = entry_at(bag, (bag->slots[at] - 1) * 8);
        if (is_entry_of(shape, entry, tag, key)) {
            return entry;
        }
    }
    return NULL;
}

struct agg_entry *evs_bag_find(const struct agg_bag *bag, const struct agg_shape *shape, struct evs_slice key)
{
    EVS_ASSERT(shape->is_indexed);
    return bag == NULL ? NULL : find(bag, shape, tag_of(key), key);
}

static void put_slot(struct agg_bag *bag, const struct agg_entry *entry)
{
    uint32_t at = entry->tag & bag->slot_mask;
    while (bag->slots[at] != 0) {
        at = (at + 1) & bag->slot_mask;
    }
    bag->slots[at] = (uint32_t)((const uint8_t *)entry - bag->log) / 8 + 1;
}

/* Slots for twice the entries, at least half of them free. */
static void grow_slots(struct agg_bag *bag, struct evs_table *table, const struct agg_shape *shape)
{
    uint32_t slots = bag->slot_mask == 0 ? ENTRIES_SEARCHED_MAX * 4 : (bag->slot_mask + 1) * 2;
    EVS_ASSERT((slots & (slots - 1)) == 0);
    table->garbage_bytes += bag->slot_mask == 0 ? 0 : ((size_t)bag->slot_mask + 1) * sizeof *bag->slots;
    bag->slots = evs_arena_zero(&table->arena, (size_t)slots * sizeof *bag->slots, 8);
    bag->slot_mask = slots - 1;
    EVS_BAG_FOR(bag, shape, entry)
    {
        put_slot(bag, entry);
    }
}

static void grow_log(struct agg_bag *bag, struct evs_table *table, uint32_t bytes)
{
    size_t capacity = bag->capacity < LOG_BYTES_MIN ? LOG_BYTES_MIN : (size_t)bag->capacity * 2;
    while (capacity < (size_t)bag->used + bytes) {
        capacity *= 2;
    }
    EVS_ASSERT(capacity <= LOG_BYTES_MAX * (size_t)2);
    uint8_t *log = evs_arena_alloc(&table->arena, capacity, 8);
    if (bag->used > 0) {
        memcpy(log, bag->log, bag->used);
    }
    table->garbage_bytes += bag->capacity;
    bag->log = log;
    bag->capacity = (uint32_t)capacity;
}

/* A new entry at the end. */
static struct agg_entry *append(struct agg_bag *bag, struct evs_table *table, const struct agg_shape *shape,
                                uint32_t tag, struct evs_slice key)
{
    EVS_ASSERT(key.count < UINT32_MAX / 4 && (shape->key_bytes == 0 || key.count == shape->key_bytes));
    uint32_t bytes = evs_bag_entry_bytes(shape, (uint32_t)key.count);
    if (bag->capacity - bag->used < bytes) {
        grow_log(bag, table, bytes);
    }
    struct agg_entry *entry = entry_at(bag, bag->used);
    memset(entry, 0, bytes);
    entry->head = (uint32_t)key.count << 1;
    entry->tag = tag;
    if (key.count > 0) {
        memcpy(entry->payload + shape->payload_bytes, key.data, key.count);
    }
    bag->used += bytes;
    bag->count++;
    if (shape->is_indexed && bag->slot_mask != 0) {
        put_slot(bag, entry);
    }
    return entry;
}

struct agg_entry *evs_bag_add(struct agg_bag **bag, struct evs_table *table, const struct agg_shape *shape,
                              struct evs_slice key, bool *is_new)
{
    uint32_t tag = shape->is_indexed ? tag_of(key) : 0;
    if (*bag == NULL) {
        *bag = EVS_ARENA_NEW(&table->arena, struct agg_bag);
    }
    struct agg_entry *entry = shape->is_indexed ? find(*bag, shape, tag, key) : NULL;
    if (is_new != NULL) {
        *is_new = entry == NULL;
    }
    if (entry != NULL) {
        return entry;
    }
    uint32_t room = (*bag)->slot_mask == 0 ? ENTRIES_SEARCHED_MAX : ((*bag)->slot_mask + 1) / 2;
    if (shape->is_indexed && (*bag)->count >= room) {
        grow_slots(*bag, table, shape);
    }
    return append(*bag, table, shape, tag, key);
}

void evs_bag_reserve(struct agg_bag **bag, struct evs_table *table, uint32_t bytes)
{
    if (*bag == NULL) {
        *bag = EVS_ARENA_NEW(&table->arena, struct agg_bag);
    }
    EVS_ASSERT((*bag)->used == 0 && bytes % 8 == 0);
    if ((*bag)->capacity < bytes) {
        table->garbage_bytes += (*bag)->capacity;
        (*bag)->log = evs_arena_alloc(&table->arena, bytes, 8);
        (*bag)->capacity = bytes;
    }
}

void evs_bag_clear(struct agg_bag *bag)
{
    bag->count = bag->used = bag->saved = 0;
    bag->is_changed = false;
    if (bag->slot_mask != 0) {
        memset(bag->slots, 0, ((size_t)bag->slot_mask + 1) * sizeof *bag->slots);
    }
}

size_t evs_bag_held(const struct agg_bag *bag)
{
    if (bag == NULL) {
        return 0;
    }
    size_t slots = bag->slot_mask == 0 ? 0 : ((size_t)bag->slot_mask + 1) * sizeof *bag->slots;
    return sizeof *bag + bag->capacity + slots;
}

struct agg_bag *evs_bag_move(const struct agg_bag *bag, struct evs_arena *to)
{
    struct agg_bag *moved = EVS_ARENA_NEW(to, struct agg_bag);
    *moved = *bag;
    if (bag->capacity > 0) {
        moved->log = evs_arena_alloc(to, bag->capacity, 8);
        memcpy(moved->log, bag->log, bag->used);
    }
    if (bag->slot_mask != 0) {
        size_t bytes = ((size_t)bag->slot_mask + 1) * sizeof *bag->slots;
        moved->slots = evs_arena_alloc(to, bytes, 8);
        memcpy(moved->slots, bag->slots, bytes);
    }
    return moved;
}

/* --- snapshots ------------------------------------------------------------------------------------------------------------------------------ */

struct part_head {
    uint32_t begins_anew, detail;
};

struct part {
    struct evs_buffer bytes;
    const struct agg_part_writer *writer;
};

static void begin_part(struct part *part, bool begins_anew)
{
    struct part_head head = {begins_anew, part->writer->detail};
    part->bytes.count = 0;
    evs_buffer_put(&part->bytes, &head, sizeof head);
}

static void end_part(struct part *part)
{
    part->writer->put(part->writer->argument, (struct evs_slice){part->bytes.data, part->bytes.count});
}

static void put_entry(struct part *part, const struct agg_shape *shape, struct agg_entry *entry)
{
    entry->head &= ~1u;
    uint32_t bytes = evs_bag_entry_bytes(shape, entry->head >> 1);
    if (part->bytes.count > sizeof(struct part_head) && part->bytes.count + bytes > EVS_AGG_PART_BYTES) {
        end_part(part);
        begin_part(part, false);
    }
    evs_buffer_put(&part->bytes, entry, bytes);
}

/* Entries before `saved` are looked at only where one of them has changed. */
void evs_bag_save(struct agg_bag *bag, const struct agg_shape *shape, const struct agg_part_writer *writer)
{
    bool all = writer->full || bag->saved == 0;
    if (!all && !bag->is_changed && bag->saved == bag->used) {
        return;
    }
    struct part part = {.writer = writer};
    uint32_t place = all || bag->is_changed ? 0 : bag->saved;
    begin_part(&part, all);
    while (place < bag->used) {
        struct agg_entry *entry = entry_at(bag, place);
        if (all || place >= bag->saved || (entry->head & 1) != 0) {
            put_entry(&part, shape, entry);
        }
        place += evs_bag_entry_bytes(shape, entry->head >> 1);
    }
    EVS_ASSERT(place == bag->used);
    end_part(&part);
    bag->saved = bag->used;
    bag->is_changed = false;
    evs_buffer_fini(&part.bytes);
}

/* One stored entry; the bytes that it takes, or 0: damaged. */
static size_t load_entry(struct agg_bag **bag, const struct agg_part_reader *reader, struct evs_slice bytes)
{
    const struct agg_shape *shape = reader->shape;
    struct agg_entry head;
    if (bytes.count < sizeof head + shape->payload_bytes) {
        return 0;
    }
    memcpy(&head, bytes.data, sizeof head);
    uint32_t key_bytes = head.head >> 1;
    if ((head.head & 1) != 0 || key_bytes > bytes.count || (shape->key_bytes != 0 && key_bytes != shape->key_bytes) ||
        evs_bag_entry_bytes(shape, key_bytes) > bytes.count || (*bag)->used > LOG_BYTES_MAX) {
        return 0;
    }
    const char *payload = bytes.data + sizeof head;
    struct evs_slice key = {payload + shape->payload_bytes, key_bytes};
    struct agg_entry *entry = evs_bag_add(bag, reader->table, shape, key, NULL);
    if (shape->payload_bytes > 0) {
        memcpy(entry->payload, payload, shape->payload_bytes);
    }
    bool is_valid = reader->is_valid == NULL || reader->is_valid(reader->call, entry);
    return is_valid ? evs_bag_entry_bytes(shape, key_bytes) : 0;
}

bool evs_bag_part_detail(struct evs_slice part, uint32_t *detail)
{
    struct part_head head;
    if (part.count < sizeof head) {
        return false;
    }
    memcpy(&head, part.data, sizeof head);
    *detail = head.detail;
    return true;
}

static bool load_entries(struct agg_bag **bag, const struct agg_part_reader *reader, struct evs_slice bytes)
{
    for (size_t at = 0; at < bytes.count;) {
        size_t taken = load_entry(bag, reader, (struct evs_slice){bytes.data + at, bytes.count - at});
        if (taken == 0) {
            return false;
        }
        at += taken;
    }
    return true;
}

bool evs_bag_load(struct agg_bag **bag, const struct agg_part_reader *reader, struct evs_slice part)
{
    struct part_head head;
    EVS_ASSERT(part.count >= sizeof head);
    memcpy(&head, part.data, sizeof head);
    if (*bag == NULL) {
        *bag = EVS_ARENA_NEW(&reader->table->arena, struct agg_bag);
    }
    if (head.begins_anew != 0) {
        evs_bag_clear(*bag);
    }
    if (!load_entries(bag, reader, (struct evs_slice){part.data + sizeof head, part.count - sizeof head})) {
        evs_bag_clear(*bag); /* nothing must look at what is damaged */
        return false;
    }
    (*bag)->saved = (*bag)->used;
    return true;
}
