/* Groups in slices (aggregate_slices.h); checkpoints in steps as aggregate_freeze.c tells, with epochs of slices instead of entries. */
#include "aggregate_slices.h"

void evs_agg_slices_init(struct agg_slices *slices, struct evs_op *op, const struct agg_base *base, uint32_t key_bytes,
                         uint32_t lead_bytes, uint32_t tail_bytes)
{
    EVS_ASSERT(key_bytes % 8 == 0 && lead_bytes % 8 == 0 && tail_bytes % 8 == 0);
    *slices = (struct agg_slices){.base = base, .lead_bytes = lead_bytes};
    evs_agg_layout_init(&slices->layout, op, (uint32_t)sizeof(struct agg_key) + key_bytes);
    evs_table_init(&slices->table, &slices->layout);
    slices->slice_bytes = (uint32_t)sizeof(struct agg_slice) + lead_bytes + base->values_bytes + tail_bytes;
}

void evs_agg_slices_fini(struct agg_slices *slices)
{
    for (uint32_t i = 0; i < slices->chunk_count; i++) {
        evs_free(slices->chunks[i]);
    }
    if (slices->base != NULL) {
        evs_table_fini(&slices->table);
    }
    evs_free(slices->chunks);
    evs_free(slices->dirty.indices);
    evs_free(slices->frozen.indices);
    evs_agg_record_fini(&slices->writing.record);
    evs_agg_deleted_fini(&slices->deleted);
}

size_t evs_agg_slices_bytes(const struct agg_slices *slices)
{
    return evs_table_bytes(&slices->table) + (size_t)slices->chunk_count * EVS_AGG_SLICES_CHUNK * slices->slice_bytes;
}

/* --- lists ------------------------------------------------------------------------------------------------------------------- */

static uint32_t take_number(struct agg_slices *slices)
{
    if (slices->free_first != 0) {
        uint32_t number = slices->free_first - 1;
        slices->free_first = evs_agg_slice(slices, number)->next;
        return number;
    }
    if (slices->used == slices->chunk_count * EVS_AGG_SLICES_CHUNK) {
        EVS_GROW(slices->chunks, slices->chunk_count, slices->chunk_capacity);
        size_t bytes = (size_t)EVS_AGG_SLICES_CHUNK * slices->slice_bytes;
        uint8_t *chunk = evs_alloc_aligned(64, bytes);
        memset(chunk, 0, bytes); /* generations begin at 0 */
        slices->chunks[slices->chunk_count++] = chunk;
    }
    return slices->used++;
}

uint32_t evs_agg_slice_add(struct agg_slices *slices, uint32_t key, uint32_t before, int64_t start_us)
{
    uint32_t number = take_number(slices);
    struct agg_slice *slice = evs_agg_slice(slices, number);
    struct agg_key *list = evs_agg_key(slices, key);
    uint32_t generation = slice->generation + 1;
    memset(slice, 0, slices->slice_bytes);
    slice->start_us = slice->last_us = start_us;
    slice->key = key;
    slice->generation = generation;
    slice->epoch = slices->writing.is_on ? slices->writing.frozen + 1 : 0; /* it was not there at the barrier */
    uint32_t *link = before == 0 ? &list->first : &evs_agg_slice(slices, before - 1)->next;
    slice->next = *link;
    *link = number + 1;
    list->last = slice->next == 0 ? number + 1 : list->last;
    slices->count++;
    return number;
}

static void count_garbage(struct agg_slices *slices, const uint8_t *values)
{
    for (uint32_t i = 0; i < slices->base->config->call_count; i++) {
        slices->table.garbage_bytes += evs_agg_held(&slices->base->calls[i], values);
    }
}

void evs_agg_slice_remove(struct agg_slices *slices, uint32_t key, uint32_t before)
{
    struct agg_key *list = evs_agg_key(slices, key);
    uint32_t *link = before == 0 ? &list->first : &evs_agg_slice(slices, before - 1)->next;
    uint32_t number = *link - 1;
    struct agg_slice *slice = evs_agg_slice(slices, number);
    EVS_ASSERT(slice->key == key);
    evs_agg_slice_write_before(slices, number);
    *link = slice->next;
    list->last = list->last == number + 1 ? before : list->last;
    count_garbage(slices, evs_agg_slice_values(slice));
    slice->key = UINT32_MAX;
    slice->next = slices->free_first;
    slice->generation++;
    slices->free_first = number + 1;
    slices->count--;
}

bool evs_agg_slices_drop_key(struct agg_slices *slices, uint32_t key)
{
    if (evs_agg_key(slices, key)->first != 0) {
        return false;
    }
    evs_table_remove(&slices->table, key);
    return true;
}

void evs_agg_slice_mark(struct agg_slices *slices, uint32_t number)
{
    struct agg_slice *slice = evs_agg_slice(slices, number);
    if (slices->base->durable && slice->epoch != slices->base->epoch) {
        evs_agg_slice_write_before(slices, number);
        slice->epoch = slices->base->epoch;
        evs_agg_dirty_add(&slices->dirty, number);
    }
}

uint32_t evs_agg_slice_before(const struct agg_slices *slices, const struct agg_key *key, int64_t time_us)
{
    uint32_t found = 0;
    if (key->last != 0 && evs_agg_slice(slices, key->last - 1)->start_us <= time_us) {
        return key->last;
    }
    for (uint32_t at = key->first; at != 0; at = evs_agg_slice(slices, at - 1)->next) {
        if (evs_agg_slice(slices, at - 1)->start_us > time_us) {
            break;
        }
        found = at;
    }
    return found;
}

/* --- compaction ---------------------------------------------------------------------------------------------------------------- */

#define COMPACT_BYTES_MIN ((size_t)1 << 20)

bool evs_agg_slices_is_full(const struct agg_slices *slices)
{
    const struct evs_table *table = &slices->table;
    return table->garbage_bytes >= COMPACT_BYTES_MIN && table->garbage_bytes >= table->arena.used_bytes / 2;
}

static void move_key(struct agg_slices *slices, struct evs_arena *to, struct evs_entry *entry)
{
    for (uint32_t i = 0; i < slices->layout.key_count; i++) {
        if (evs_kind_is_var(slices->layout.key_kind[i]) && !((entry->nulls >> i) & 1)) {
            struct evs_str *text = evs_entry_key(&slices->layout, entry, i);
            *text = evs_str_keep(to, text);
        }
    }
}

void evs_agg_slices_compact(struct agg_slices *slices)
{
    struct evs_arena moved = {0};
    for (uint32_t i = 0; i < slices->table.used; i++) {
        if (evs_table_is_live(&slices->table, i)) {
            move_key(slices, &moved, evs_table_at(&slices->table, i));
        }
    }
    for (uint32_t i = 0; i < slices->used; i++) {
        struct agg_slice *slice = evs_agg_slice(slices, i);
        for (uint32_t k = 0; slice->key != UINT32_MAX && k < slices->base->config->call_count; k++) {
            evs_agg_move(&slices->base->calls[k], &moved, evs_agg_slice_values(slice));
        }
    }
    evs_arena_fini(&slices->table.arena);
    slices->table.arena = moved;
    slices->table.garbage_bytes = 0;
}

/* --- snapshots ------------------------------------------------------------------------------------------------------------------ */

static struct agg_record record_of(const struct agg_slices *slices)
{
    return (struct agg_record){.base = slices->base,
                               .layout = &slices->layout,
                               .values_bytes = slices->lead_bytes + slices->base->values_bytes};
}

static void set_slice(struct agg_slices *slices, struct agg_record *record, uint32_t number)
{
    struct agg_slice *slice = evs_agg_slice(slices, number);
    record->head = (struct agg_head){.start_us = slice->start_us, .end_us = slice->last_us};
    record->entry = evs_table_at(&slices->table, slice->key);
    record->values = evs_agg_slice_values(slice);
}

/* Only the head and the key of a record stand in the entry; the slice has its own values. */
static void write_slice(struct agg_slices *slices, uint32_t number)
{
    struct agg_writing *writing = &slices->writing;
    struct agg_slice *slice = evs_agg_slice(slices, number);
    uint64_t hash = evs_table_at(&slices->table, slice->key)->hash;
    struct evs_snapshot_writer *writer = evs_agg_writer_of(writing, slice->epoch, hash);
    if (writer == NULL) {
        return;
    }
    set_slice(slices, &writing->record, number);
    evs_agg_record_group(&writing->record);
    evs_agg_record_put(&writing->record, writer, EVS_AGG_SECTION_SLICES, EVS_RECORD_PUT);
    evs_agg_record_parts(&writing->record, writer, EVS_AGG_SECTION_PARTS, writer == writing->copy);
    slice->epoch = writing->frozen + 1;
}

void evs_agg_slice_write_before(struct agg_slices *slices, uint32_t number)
{
    if (slices->writing.is_on) {
        write_slice(slices, number);
    }
}

static void begin_epochs_anew(struct agg_slices *slices, struct agg_base *base)
{
    for (uint32_t i = 0; i < slices->used; i++) {
        struct agg_slice *slice = evs_agg_slice(slices, i);
        slice->epoch = slice->epoch == base->epoch ? 1 : 0;
    }
    base->epoch = 1;
}

void evs_agg_slices_freeze(struct agg_slices *slices, struct agg_base *base, struct evs_snapshot_writer *changes,
                           struct evs_snapshot_writer *copy)
{
    EVS_ASSERT(base == slices->base && slices->frozen_at == slices->frozen.count && !slices->copies);
    evs_agg_deleted_put(&slices->deleted, changes != NULL ? changes : copy, EVS_AGG_SECTION_SLICES);
    if (base->epoch >= EVS_AGG_EPOCH_MAX) {
        begin_epochs_anew(slices, base);
    }
    evs_agg_dirty_freeze(&slices->dirty, &slices->frozen);
    slices->frozen_at = 0;
    slices->copies = copy != NULL;
    slices->copied = (struct evs_snapshot_at){0};
    struct agg_record record = record_of(slices);
    evs_agg_writing_begin(&slices->writing, base->epoch, changes, copy, &record);
    base->epoch += 2;
}

static void show_key(void *argument, uint32_t index, struct evs_entry *entry)
{
    struct agg_slices *slices = argument;
    const struct agg_key *key = (const struct agg_key *)evs_entry_values(&slices->layout, entry);
    (void)index;
    for (uint32_t at = key->first; at != 0; at = evs_agg_slice(slices, at - 1)->next) {
        write_slice(slices, at - 1);
    }
}

/* Slices that are gone, and new ones in their place, carry another epoch. */
static void write_frozen(struct agg_slices *slices, uint32_t *records)
{
    const struct agg_dirty *list = &slices->frozen;
    for (; slices->frozen_at<list->count && * records> 0; slices->frozen_at++, (*records)--) {
        uint32_t ahead = slices->frozen_at + EVS_TABLE_FETCH_AHEAD, number = list->indices[slices->frozen_at];
        if (ahead < list->count) {
            __builtin_prefetch(evs_agg_slice(slices, list->indices[ahead]));
        }
        const struct agg_slice *slice = evs_agg_slice(slices, number);
        if (slice->key != UINT32_MAX && slice->epoch == slices->writing.frozen) {
            write_slice(slices, number);
        }
    }
}

bool evs_agg_slices_write(struct agg_slices *slices, uint32_t records)
{
    if (!slices->writing.is_on) {
        return false;
    }
    write_frozen(slices, &records);
    if (records > 0 && slices->copies) {
        slices->copies =
            evs_snapshot_walk_some(slices->writing.copy, &slices->table, &slices->copied, &records, show_key, slices);
    }
    if (records == 0) {
        return true;
    }
    evs_agg_writing_end(&slices->writing);
    return false;
}

void evs_agg_slices_remember_deleted(struct agg_slices *slices, uint32_t number)
{
    if (slices->base->durable) {
        struct agg_record record = record_of(slices);
        evs_agg_slice_write_before(slices, number);
        set_slice(slices, &record, number);
        evs_agg_deleted_add(&slices->deleted, &record);
        evs_agg_record_fini(&record);
    }
}

static uint32_t key_of(struct agg_slices *slices, const struct agg_reading *reading, uint64_t hash)
{
    bool is_new;
    struct evs_table *table = &slices->table;
    struct evs_entry *entry = evs_table_put_stored(table, hash, reading->head.nulls, reading->key, &is_new);
    return evs_table_index_of(table, entry);
}

/* What stands before the slice in its key's list; number + 1. */
static uint32_t link_before(const struct agg_slices *slices, const struct agg_key *key, uint32_t number)
{
    uint32_t before = 0;
    for (uint32_t at = key->first; at != number + 1; at = evs_agg_slice(slices, at - 1)->next) {
        EVS_ASSERT(at != 0);
        before = at;
    }
    return before;
}

bool evs_agg_slices_restore(struct agg_slices *slices, struct agg_reading *reading,
                            const struct evs_snapshot_record *record, uint32_t *number)
{
    uint32_t key = key_of(slices, reading, record->hash);
    uint32_t before = evs_agg_slice_before(slices, evs_agg_key(slices, key), reading->head.start_us);
    bool exists = before != 0 && evs_agg_slice(slices, before - 1)->start_us == reading->head.start_us;
    *number = EVS_AGG_NO_SLICE;
    if (record->kind == EVS_RECORD_DELETE) {
        if (exists) {
            evs_agg_slice_remove(slices, key, link_before(slices, evs_agg_key(slices, key), before - 1));
        }
        evs_agg_slices_drop_key(slices, key);
        return true;
    }
    *number = exists ? before - 1 : evs_agg_slice_add(slices, key, before, reading->head.start_us);
    struct agg_slice *slice = evs_agg_slice(slices, *number);
    uint8_t *values = evs_agg_slice_values(slice);
    if (record->section == EVS_AGG_SECTION_PARTS) {
        return evs_agg_reading_part(reading, slices->base, &slices->table, values);
    }
    slice->last_us = reading->head.end_us;
    return evs_agg_reading_values(reading, slices->base, &slices->table, values, slices->lead_bytes);
}
