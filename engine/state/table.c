/* The keyed state table; the idea and the drawing are in evstream/table.h. */
#include "evstream/table.h"

#include "evstream/keys.h"

#define SLOTS_BITS_MIN 6u
#define SLOTS_MIN (1u << SLOTS_BITS_MIN)
#define SLAB_BYTES ((size_t)2 << 20)  /* chunks of a large table lie together, in huge pages (engine/base/memory.c) */
#define SMALL_BYTES ((size_t)4 << 20) /* a table up to here is no large one */
#define WALK_AHEAD 32u                /* slots whose entries are being fetched: about sixteen */

static uint32_t key_bytes(enum evs_kind kind)
{
    uint32_t width = evs_kind_width(kind);
    return width == 16 ? 16 : 8;
}

void evs_table_layout_init(struct evs_table_layout *layout, const enum evs_kind *kinds, uint32_t key_count,
                           uint32_t value_bytes)
{
    EVS_ASSERT(key_count <= EVS_KEYS_MAX);
    *layout = (struct evs_table_layout){.key_count = key_count};
    uint32_t offset = sizeof(struct evs_entry);
    for (uint32_t i = 0; i < key_count; i++) {
        layout->key_kind[i] = kinds[i];
        layout->key_offset[i] = offset;
        offset += key_bytes(kinds[i]);
    }
    layout->value_offset = offset;
    layout->entry_bytes = (offset + value_bytes + 7u) & ~7u;
}

void evs_table_init(struct evs_table *table, const struct evs_table_layout *layout)
{
    *table = (struct evs_table){.layout = layout, .mask = SLOTS_MIN - 1, .shift = 64u - SLOTS_BITS_MIN};
    table->directory = evs_alloc_zero(SLOTS_MIN * sizeof(uint64_t));
}

static size_t chunk_bytes(const struct evs_table *table)
{
    return (size_t)EVS_TABLE_CHUNK_ENTRIES * table->layout->entry_bytes;
}

static uint32_t slab_chunks(const struct evs_table *table)
{
    return (uint32_t)((SLAB_BYTES + chunk_bytes(table) - 1) / chunk_bytes(table));
}

void evs_table_fini(struct evs_table *table)
{
    for (uint32_t i = 0; i < table->small_chunks; i++) {
        evs_free(table->chunks[i]);
    }
    for (uint32_t i = table->small_chunks; i < table->chunk_count; i += slab_chunks(table)) {
        evs_free(table->chunks[i]);
    }
    evs_free(table->chunks);
    evs_free(table->directory);
    evs_arena_fini(&table->arena);
    *table = (struct evs_table){0};
}

void evs_table_clear(struct evs_table *table)
{
    memset(table->directory, 0, ((size_t)table->mask + 1) * sizeof(uint64_t));
    table->count = table->used = table->free_first = 0;
    table->garbage_bytes = 0;
    evs_arena_reset(&table->arena);
}

size_t evs_table_bytes(const struct evs_table *table)
{
    size_t entries = table->chunk_count * chunk_bytes(table);
    return ((size_t)table->mask + 1) * sizeof(uint64_t) + entries + table->arena.used_bytes;
}

/* --- directory ----------------------------------------------------------------------------------------------------- */

static uint64_t slot_make(uint64_t hash, uint32_t index)
{
    return (hash << 32) | (index + 1);
}

static void directory_put(struct evs_table *table, uint64_t hash, uint32_t index)
{
    uint32_t at = evs_table_home(table, hash);
    while (table->directory[at] != 0) {
        at = (at + 1) & table->mask;
    }
    table->directory[at] = slot_make(hash, index);
}

/* The high half of the hash places a key and is not in the slot, so growth reads it from the entries, in order. */
static void directory_grow(struct evs_table *table)
{
    uint32_t slots = (table->mask + 1) * 2;
    EVS_ASSERT(slots != 0);
    evs_free(table->directory);
    table->directory = evs_alloc_zero((size_t)slots * sizeof(uint64_t));
    table->mask = slots - 1;
    table->shift--;
    for (uint32_t i = 0; i < table->used; i++) {
        if (evs_table_is_live(table, i)) {
            directory_put(table, evs_table_at(table, i)->hash, i);
        }
    }
}

/* --- entries --------------------------------------------------------------------------------------------------------- */

bool evs_table_is_live(const struct evs_table *table, uint32_t index)
{
    return evs_table_at(table, index)->nulls != UINT32_MAX;
}

static void chunks_add(struct evs_table *table)
{
    bool is_small = table->chunk_count * chunk_bytes(table) < SMALL_BYTES;
    uint32_t count = is_small ? 1 : slab_chunks(table);
    uint8_t *slab = evs_alloc_aligned(is_small ? 64 : SLAB_BYTES, count * chunk_bytes(table));
    for (uint32_t i = 0; i < count; i++) {
        EVS_GROW(table->chunks, table->chunk_count, table->chunk_capacity);
        table->chunks[table->chunk_count++] = slab + i * chunk_bytes(table);
    }
    table->small_chunks += is_small;
}

static uint32_t entry_take(struct evs_table *table)
{
    if (table->free_first != 0) {
        uint32_t index = table->free_first - 1;
        table->free_first = evs_table_at(table, index)->epoch;
        return index;
    }
    if (table->used == table->chunk_count * EVS_TABLE_CHUNK_ENTRIES) {
        chunks_add(table);
    }
    return table->used++;
}

static struct evs_entry *entry_add(struct evs_table *table, uint64_t hash, uint32_t *index)
{
    if ((table->count + 1) * 2 > table->mask) {
        directory_grow(table);
    }
    *index = entry_take(table);
    struct evs_entry *entry = evs_table_at(table, *index);
    memset(entry, 0, table->layout->entry_bytes);
    entry->hash = hash;
    directory_put(table, hash, *index);
    table->count++;
    return entry;
}

static void key_store(struct evs_table *table, struct evs_entry *entry, uint32_t key, const struct evs_column *column,
                      uint32_t row)
{
    const struct evs_table_layout *layout = table->layout;
    uint8_t *to = evs_entry_key(layout, entry, key);
    if (!evs_column_is_valid(column, row)) {
        entry->nulls |= 1u << key;
    } else if (evs_kind_is_var(column->kind)) {
        struct evs_str kept = evs_str_keep(&table->arena, EVS_COLUMN_AT(column, struct evs_str, row));
        memcpy(to, &kept, sizeof kept);
    } else if (column->kind == EVS_FLOAT64) {
        uint64_t bits = evs_key_bits_float64(*EVS_COLUMN_AT(column, double, row));
        memcpy(to, &bits, sizeof bits);
    } else {
        uint32_t width = evs_kind_width(column->kind);
        size_t at = (column->flags & EVS_COLUMN_CONSTANT) ? 0 : row;
        memcpy(to, (const uint8_t *)column->data + at * width, width);
    }
}

static bool key_equals_row(const struct evs_table_layout *layout, struct evs_entry *entry,
                           const struct evs_batch *batch, uint32_t row, const uint32_t *columns)
{
    for (uint32_t i = 0; i < layout->key_count; i++) {
        const struct evs_column *column = &batch->columns[columns[i]];
        bool is_null = !evs_column_is_valid(column, row);
        if (is_null != ((entry->nulls >> i) & 1)) {
            return false;
        }
        if (is_null) {
            continue;
        }
        const void *stored = evs_entry_key(layout, entry, i);
        if (evs_kind_is_var(column->kind)) {
            if (!evs_str_equal(stored, EVS_COLUMN_AT(column, struct evs_str, row))) {
                return false;
            }
        } else if (column->kind == EVS_FLOAT64) {
            uint64_t bits = evs_key_bits_float64(*EVS_COLUMN_AT(column, double, row));
            if (memcmp(stored, &bits, 8) != 0) {
                return false;
            }
        } else {
            uint32_t width = evs_kind_width(column->kind);
            size_t at = (column->flags & EVS_COLUMN_CONSTANT) ? 0 : row;
            if (memcmp(stored, (const uint8_t *)column->data + at * width, width) != 0) {
                return false;
            }
        }
    }
    return true;
}

struct evs_entry *evs_table_find_or_add(struct evs_table *table, uint64_t hash, const struct evs_batch *batch,
                                        uint32_t row, const uint32_t *columns, uint32_t *index, bool *is_new)
{
    uint32_t tag = (uint32_t)hash;
    for (uint32_t at = evs_table_home(table, hash);; at = (at + 1) & table->mask) {
        uint64_t slot = table->directory[at];
        if (slot == 0) {
            break;
        }
        if ((uint32_t)(slot >> 32) != tag) {
            continue;
        }
        struct evs_entry *entry = evs_table_at(table, (uint32_t)slot - 1);
        if (entry->hash == hash && key_equals_row(table->layout, entry, batch, row, columns)) {
            *is_new = false;
            if (index != NULL) {
                *index = (uint32_t)slot - 1;
            }
            return entry;
        }
    }
    uint32_t added;
    struct evs_entry *entry = entry_add(table, hash, &added);
    for (uint32_t i = 0; i < table->layout->key_count; i++) {
        key_store(table, entry, i, &batch->columns[columns[i]], row);
    }
    *is_new = true;
    if (index != NULL) {
        *index = added;
    }
    return entry;
}

static bool key_equals_stored(const struct evs_table_layout *layout, struct evs_entry *entry, uint32_t nulls,
                              const uint8_t *key)
{
    if (entry->nulls != nulls) {
        return false;
    }
    for (uint32_t i = 0; i < layout->key_count; i++) {
        const uint8_t *other = key + (layout->key_offset[i] - sizeof(struct evs_entry));
        const void *stored = evs_entry_key(layout, entry, i);
        if (evs_kind_is_var(layout->key_kind[i])) {
            struct evs_str text;
            memcpy(&text, other, sizeof text);
            if (!evs_str_equal(stored, &text)) {
                return false;
            }
        } else if (memcmp(stored, other, key_bytes(layout->key_kind[i])) != 0) {
            return false;
        }
    }
    return true;
}

struct evs_entry *evs_table_find_stored(const struct evs_table *table, uint64_t hash, uint32_t nulls,
                                        const uint8_t *key)
{
    uint32_t tag = (uint32_t)hash;
    for (uint32_t at = evs_table_home(table, hash); table->directory[at] != 0; at = (at + 1) & table->mask) {
        uint64_t slot = table->directory[at];
        struct evs_entry *entry = evs_table_at(table, (uint32_t)slot - 1);
        if ((uint32_t)(slot >> 32) == tag && entry->hash == hash &&
            key_equals_stored(table->layout, entry, nulls, key)) {
            return entry;
        }
    }
    return NULL;
}

struct evs_entry *evs_table_put_stored(struct evs_table *table, uint64_t hash, uint32_t nulls, const uint8_t *key,
                                       bool *is_new)
{
    struct evs_entry *found = evs_table_find_stored(table, hash, nulls, key);
    if (found != NULL) {
        *is_new = false;
        return found;
    }
    uint32_t index;
    struct evs_entry *entry = entry_add(table, hash, &index);
    entry->nulls = nulls;
    const struct evs_table_layout *layout = table->layout;
    for (uint32_t i = 0; i < layout->key_count; i++) {
        const uint8_t *from = key + (layout->key_offset[i] - sizeof(struct evs_entry));
        if (evs_kind_is_var(layout->key_kind[i]) && !((nulls >> i) & 1)) {
            struct evs_str text;
            memcpy(&text, from, sizeof text);
            text = evs_str_keep(&table->arena, &text);
            memcpy(evs_entry_key(layout, entry, i), &text, sizeof text);
        } else {
            memcpy(evs_entry_key(layout, entry, i), from, key_bytes(layout->key_kind[i]));
        }
    }
    *is_new = true;
    return entry;
}

/* Closes the hole by moving later slots of the probe run back, so that no tombstone is left. */
static void directory_remove(struct evs_table *table, uint32_t hole)
{
    uint64_t *directory = table->directory;
    uint32_t mask = table->mask;
    for (uint32_t at = (hole + 1) & mask; directory[at] != 0; at = (at + 1) & mask) {
        uint32_t home = evs_table_home(table, evs_table_at(table, (uint32_t)directory[at] - 1)->hash);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            directory[hole] = directory[at];
            hole = at;
        }
    }
    directory[hole] = 0;
}

void evs_table_remove(struct evs_table *table, uint32_t index)
{
    EVS_ASSERT(index < table->used && evs_table_is_live(table, index));
    struct evs_entry *entry = evs_table_at(table, index);
    for (uint32_t i = 0; i < table->layout->key_count; i++) {
        struct evs_str *text = evs_entry_key(table->layout, entry, i);
        if (evs_kind_is_var(table->layout->key_kind[i]) && text->count > EVS_STR_INLINE_MAX) {
            table->garbage_bytes += text->count;
        }
    }
    uint32_t at = evs_table_home(table, entry->hash);
    while ((uint32_t)table->directory[at] != index + 1) {
        at = (at + 1) & table->mask;
    }
    directory_remove(table, at);
    entry->nulls = UINT32_MAX;
    entry->epoch = table->free_first;
    table->free_first = index + 1;
    table->count--;
}

uint32_t evs_table_index_of(const struct evs_table *table, const struct evs_entry *entry)
{
    uint32_t at = evs_table_home(table, entry->hash);
    while (evs_table_at(table, (uint32_t)table->directory[at] - 1) != entry) {
        EVS_ASSERT(table->directory[at] != 0);
        at = (at + 1) & table->mask;
    }
    return (uint32_t)table->directory[at] - 1;
}

EVS_TABLE_PREFETCH prefetch_at(const struct evs_table *table, uint32_t at)
{
    uint64_t slot = table->directory[at & table->mask];
    if (slot != 0) {
        __builtin_prefetch(evs_table_at(table, (uint32_t)slot - 1));
    }
}

/* An entry stands at its home or behind it, in one run of full slots: behind the last home the walk goes on to the run's end. */
void evs_table_walk(const struct evs_table *table, uint64_t first, uint64_t last, evs_table_see see, void *argument)
{
    EVS_ASSERT(first <= last);
    uint32_t from = (uint32_t)(first >> table->shift), homes = (uint32_t)(last >> table->shift) - from + 1;
    for (uint32_t i = 0; i <= table->mask; i++) {
        uint64_t slot = table->directory[(from + i) & table->mask];
        prefetch_at(table, from + i + WALK_AHEAD);
        if (slot == 0) {
            if (i >= homes) {
                return;
            }
            continue;
        }
        struct evs_entry *entry = evs_table_at(table, (uint32_t)slot - 1);
        uint64_t place = evs_table_place(entry->hash);
        if (place >= first && place <= last) {
            see(argument, (uint32_t)slot - 1, entry);
        }
    }
}

void evs_entry_key_to_column(const struct evs_table_layout *layout, struct evs_entry *entry, uint32_t key,
                             struct evs_batch *batch, struct evs_column *column, uint32_t row)
{
    if ((entry->nulls >> key) & 1) {
        memset((uint8_t *)column->data + (size_t)row * evs_kind_width(column->kind), 0, evs_kind_width(column->kind));
        evs_column_set_null(column, row);
        return;
    }
    const void *stored = evs_entry_key(layout, entry, key);
    if (evs_kind_is_var(layout->key_kind[key])) {
        ((struct evs_str *)column->data)[row] = evs_str_keep(batch->arena, stored);
        return;
    }
    uint32_t width = evs_kind_width(column->kind);
    memcpy((uint8_t *)column->data + (size_t)row * width, stored, width);
}
