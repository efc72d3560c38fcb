/* The keyed state table: one entry a key.
 *
 *   directory (8-byte slots: 32-bit tag | 32-bit index + 1)          entries, dense, in chunks that never move
 *   ┌────┬────┬────┬────┬────┐                                       ┌──────┬───────┬───────┬─────┬────────┐
 *   │    │t|i │    │t|i │    │ ──────────────────────────────────►   │ hash │ epoch │ nulls │ key │ values │
 *   └────┴────┴────┴────┴────┘                                       └──────┴───────┴───────┴─────┴────────┘
 *
 * A slot's place is the hash without its shard's bits, from the top: so the keys of one range of a snapshot's copies (engine/state/sweep.h) stand next to
 * each other in the directory, whichever shards the table holds, and a walk over a range looks at no other key. The tag is the hash's low half.
 *
 * Linear probing, at most half full. Measured best or equal in every case of the design's comparison: a probe touches 8 bytes unless the
 * tag matches, growth rehashes the directory alone, entries are stable (lists hold their index) and are scanned in order at a window's
 * close and at a checkpoint. Callers that probe a batch do it in three loops: prefetch the slot, prefetch the entry, use it.
 *
 * The values' meaning is the operator's. Long text of keys (more than 12 bytes) is copied into the table's arena. One thread. */
#ifndef EVS_TABLE_H
#define EVS_TABLE_H

#include "evstream/batch.h"

#define EVS_KEYS_MAX 31u /* columns of a key: one bit each in `nulls`; all 32 bits set mark a removed entry */

struct evs_entry {
    uint64_t hash;
    uint32_t epoch; /* the owner's number of the last interval in which it changed */
    uint32_t nulls; /* bit i: key column i is NULL */
    /* key columns (8 or 16 bytes each), then values */
};

/* Made once, at open; shared by all tables of an operator. */
struct evs_table_layout {
    uint32_t key_count;
    enum evs_kind key_kind[EVS_KEYS_MAX];
    uint32_t key_offset[EVS_KEYS_MAX]; /* bytes from the start of the entry */
    uint32_t value_offset, entry_bytes;
};
void evs_table_layout_init(struct evs_table_layout *layout, const enum evs_kind *kinds, uint32_t key_count,
                           uint32_t value_bytes);

struct evs_table {
    const struct evs_table_layout *layout;
    uint64_t *directory;
    uint32_t mask;  /* slots - 1 */
    uint32_t shift; /* of a place, to its slot */
    uint32_t count; /* live entries */
    uint32_t used;  /* indices handed out: live ones and free ones */
    uint8_t **chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t small_chunks;  /* chunks with a memory of their own; those behind them lie in slabs */
    uint32_t free_first;    /* index + 1 of the first removed entry; their `epoch` links on */
    struct evs_arena arena; /* long text of keys and values */
    size_t garbage_bytes;   /* in the arena, no longer referenced */
};

#define EVS_TABLE_CHUNK_ENTRIES 1024u
#define EVS_TABLE_SHARD_BITS 6u /* the hash's top bits: evs_shard_of */

void evs_table_init(struct evs_table *table, const struct evs_table_layout *layout);
void evs_table_fini(struct evs_table *table);
/* Empties it and keeps directory, chunks and arena for the next window. */
void evs_table_clear(struct evs_table *table);
size_t evs_table_bytes(const struct evs_table *table);

static inline struct evs_entry *evs_table_at(const struct evs_table *table, uint32_t index)
{
    return (struct evs_entry *)(table->chunks[index / EVS_TABLE_CHUNK_ENTRIES] +
                                (size_t)(index % EVS_TABLE_CHUNK_ENTRIES) * table->layout->entry_bytes);
}
/* Where a hash stands among all: the hash without its shard. Its top 8 bits are its range. */
static inline uint64_t evs_table_place(uint64_t hash)
{
    return hash << EVS_TABLE_SHARD_BITS;
}
static inline uint32_t evs_table_home(const struct evs_table *table, uint64_t hash)
{
    return (uint32_t)(evs_table_place(hash) >> table->shift);
}
/* Inlined in any case: gcc 12 takes a function that only prefetches for one without effect, and leaves out the call. */
#define EVS_TABLE_PREFETCH static inline __attribute__((always_inline)) void
EVS_TABLE_PREFETCH evs_table_prefetch_slot(const struct evs_table *table, uint64_t hash)
{
    __builtin_prefetch(&table->directory[evs_table_home(table, hash)]);
}
EVS_TABLE_PREFETCH evs_table_prefetch_entry(const struct evs_table *table, uint64_t hash)
{
    uint64_t slot = table->directory[evs_table_home(table, hash)];
    if ((uint32_t)(slot >> 32) == (uint32_t)hash && (uint32_t)slot != 0) {
        __builtin_prefetch(evs_table_at(table, (uint32_t)slot - 1));
    }
}

#define EVS_TABLE_FETCH_AHEAD 16u
/* For loops over lists of entries: the one that the list has so much further on, if it has. */
EVS_TABLE_PREFETCH evs_table_prefetch_ahead(const struct evs_table *table, const uint32_t *list, uint32_t count,
                                            uint32_t at)
{
    if (at + EVS_TABLE_FETCH_AHEAD < count) {
        __builtin_prefetch(evs_table_at(table, list[at + EVS_TABLE_FETCH_AHEAD]));
    }
}

/* The entry of the row's key. A new one has zeroed values and `*is_new` true; its `epoch` is 0. The pointer stays valid until the entry
 * is removed or the table cleared. `*index` may be NULL. */
struct evs_entry *evs_table_find_or_add(struct evs_table *table, uint64_t hash, const struct evs_batch *batch,
                                        uint32_t row, const uint32_t *columns, uint32_t *index, bool *is_new);
/* The same for stored key bytes: `key` points at what an entry holds from key_offset[0] on (text already complete). */
struct evs_entry *evs_table_put_stored(struct evs_table *table, uint64_t hash, uint32_t nulls, const uint8_t *key,
                                       bool *is_new);
/* The entry of a stored key, or NULL. */
struct evs_entry *evs_table_find_stored(const struct evs_table *table, uint64_t hash, uint32_t nulls,
                                        const uint8_t *key);
void evs_table_remove(struct evs_table *table, uint32_t index);
uint32_t evs_table_index_of(const struct evs_table *table, const struct evs_entry *entry);

/* Shows every entry whose place lies in [first, last], in no order; the cost is that of these entries, whatever else the table holds. `see` must
 * neither add nor remove. */
typedef void (*evs_table_see)(void *argument, uint32_t index, struct evs_entry *entry);
void evs_table_walk(const struct evs_table *table, uint64_t first, uint64_t last, evs_table_see see, void *argument);
/* Shows every entry that a full snapshot takes (evs_snapshot_takes). */
struct evs_snapshot_writer;
void evs_snapshot_walk(const struct evs_snapshot_writer *writer, const struct evs_table *table, evs_table_see see,
                       void *argument);
/* The same in steps, from where `at` stands (zeroes: the beginning), for about `*entries` entries, which it counts down, to 0 when there is more: then true.
 * What was in the table at the beginning and still is, is shown once; what was added may be. */
struct evs_snapshot_at {
    uint32_t ranges; /* that are done */
    uint64_t places; /* of the next one */
};
bool evs_snapshot_walk_some(const struct evs_snapshot_writer *writer, const struct evs_table *table,
                            struct evs_snapshot_at *at, uint32_t *entries, evs_table_see see, void *argument);
bool evs_table_is_live(const struct evs_table *table, uint32_t index);

static inline void *evs_entry_key(const struct evs_table_layout *layout, struct evs_entry *entry, uint32_t key)
{
    return (uint8_t *)entry + layout->key_offset[key];
}
static inline uint8_t *evs_entry_values(const struct evs_table_layout *layout, struct evs_entry *entry)
{
    return (uint8_t *)entry + layout->value_offset;
}

/* Writes the entry's key as one row of output columns, text copied into the batch's arena where it is long. */
void evs_entry_key_to_column(const struct evs_table_layout *layout, struct evs_entry *entry, uint32_t key,
                             struct evs_batch *batch, struct evs_column *column, uint32_t row);

#endif
