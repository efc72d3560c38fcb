/* Stored groups (aggregate_record.h). */
#include "aggregate_record.h"

static uint32_t key_bytes(const struct evs_table_layout *layout)
{
    return layout->value_offset - (uint32_t)sizeof(struct evs_entry);
}

uint32_t evs_agg_group_bytes(const struct evs_table_layout *layout, uint32_t values_bytes)
{
    return (uint32_t)sizeof(struct agg_head) + key_bytes(layout) + values_bytes;
}

uint32_t evs_agg_part_bytes(const struct evs_table_layout *layout)
{
    return (uint32_t)sizeof(struct agg_head) + key_bytes(layout) + 8u;
}

/* --- writing ---------------------------------------------------------------------------------------------------------------- */

/* Moves a long text into `variable` and clears its pointer in the stored copy. */
static void store_text(struct evs_str *stored, struct evs_buffer *variable)
{
    struct evs_str text;
    memcpy(&text, stored, sizeof text);
    if (text.count > EVS_STR_INLINE_MAX) {
        evs_buffer_put(variable, text.pointer, text.count);
        text.pointer = NULL;
        memcpy(stored, &text, sizeof text);
    }
}

static void store_key(struct agg_record *record)
{
    const struct evs_table_layout *layout = record->layout;
    uint32_t nulls = record->entry->nulls;
    record->head.nulls = nulls;
    record->fixed.count = record->variable.count = 0;
    evs_buffer_put(&record->fixed, &record->head, sizeof record->head);
    evs_buffer_put(&record->fixed, record->entry + 1, key_bytes(layout));
    uint8_t *key = (uint8_t *)record->fixed.data + sizeof record->head;
    for (uint32_t i = 0; i < layout->key_count; i++) {
        if (evs_kind_is_var(layout->key_kind[i]) && !((nulls >> i) & 1)) {
            store_text((struct evs_str *)(key + layout->key_offset[i] - sizeof(struct evs_entry)), &record->variable);
        }
    }
}

void evs_agg_record_group(struct agg_record *record)
{
    store_key(record);
    size_t at = record->fixed.count;
    evs_buffer_put(&record->fixed, record->values, record->values_bytes);
    for (uint32_t i = 0; i < record->base->config->call_count; i++) {
        evs_agg_save(&record->base->calls[i], (uint8_t *)record->fixed.data + at, &record->variable);
    }
}

static struct evs_slice slice_of(const struct evs_buffer *buffer)
{
    return (struct evs_slice){buffer->data, buffer->count};
}

void evs_agg_record_put(struct agg_record *record, struct evs_snapshot_writer *writer, uint32_t section,
                        enum evs_record_kind kind)
{
    evs_snapshot_put(writer, section, kind, record->entry->hash, slice_of(&record->fixed), slice_of(&record->variable));
}

struct part_writer {
    struct agg_record *record;
    struct evs_snapshot_writer *writer;
    uint32_t section;
    uint64_t call;
};

static void write_part(void *argument, struct evs_slice part)
{
    const struct part_writer *to = argument;
    struct agg_record *record = to->record;
    store_key(record);
    evs_buffer_put(&record->fixed, &to->call, sizeof to->call);
    evs_buffer_put(&record->variable, part.data, part.count);
    evs_agg_record_put(record, to->writer, to->section, EVS_RECORD_PUT);
}

void evs_agg_record_parts(struct agg_record *record, struct evs_snapshot_writer *writer, uint32_t section, bool full)
{
    for (uint32_t i = 0; record->base->has_parts && i < record->base->config->call_count; i++) {
        struct part_writer to = {record, writer, section, i};
        if (record->base->calls[i].has_parts) {
            evs_agg_save_parts(&record->base->calls[i], record->values, full, write_part, &to);
        }
    }
}

void evs_agg_record_fini(struct agg_record *record)
{
    evs_buffer_fini(&record->fixed);
    evs_buffer_fini(&record->variable);
}

/* --- between batches ---------------------------------------------------------------------------------------------------------- */

void evs_agg_dirty_add(struct agg_dirty *dirty, uint32_t index)
{
    EVS_GROW(dirty->indices, dirty->count, dirty->capacity);
    dirty->indices[dirty->count++] = index;
}

void evs_agg_dirty_freeze(struct agg_dirty *dirty, struct agg_dirty *frozen)
{
    struct agg_dirty empty = *frozen;
    empty.count = 0;
    *frozen = *dirty;
    *dirty = empty;
}

void evs_agg_writing_begin(struct agg_writing *writing, uint32_t epoch, struct evs_snapshot_writer *changes,
                           struct evs_snapshot_writer *copy, const struct agg_record *record)
{
    EVS_ASSERT(!writing->is_on && (changes != NULL || copy != NULL));
    *writing =
        (struct agg_writing){.is_on = true, .frozen = epoch, .changes = changes, .copy = copy, .record = *record};
}

void evs_agg_writing_end(struct agg_writing *writing)
{
    evs_agg_record_fini(&writing->record);
    *writing = (struct agg_writing){0};
}

struct evs_snapshot_writer *evs_agg_writer_of(const struct agg_writing *writing, uint32_t epoch, uint64_t hash)
{
    if (epoch > writing->frozen) {
        return NULL;
    }
    if (writing->copy != NULL && evs_snapshot_takes(writing->copy, hash)) {
        return writing->copy;
    }
    return epoch == writing->frozen ? writing->changes : NULL;
}

/* --- deletions -------------------------------------------------------------------------------------------------------------- */

void evs_agg_deleted_add(struct agg_deleted *deleted, struct agg_record *record)
{
    evs_agg_record_group(record);
    evs_buffer_put(&deleted->fixed, record->fixed.data, record->fixed.count);
    evs_buffer_put(&deleted->variable, record->variable.data, record->variable.count);
    EVS_GROW(deleted->items, deleted->count, deleted->capacity);
    deleted->items[deleted->count++] = (struct agg_deletion){record->entry->hash, (uint32_t)record->variable.count};
}

void evs_agg_deleted_put(struct agg_deleted *deleted, struct evs_snapshot_writer *writer, uint32_t section)
{
    size_t fixed_bytes = deleted->count == 0 ? 0 : deleted->fixed.count / deleted->count, text = 0;
    for (uint32_t i = 0; i < deleted->count; i++) {
        const struct agg_deletion *item = &deleted->items[i];
        struct evs_slice fixed = {deleted->fixed.data + i * fixed_bytes, fixed_bytes};
        struct evs_slice variable = {deleted->variable.data + text, item->variable_bytes};
        evs_snapshot_put(writer, section, EVS_RECORD_DELETE, item->hash, fixed, variable);
        text += item->variable_bytes;
    }
    deleted->count = 0;
    deleted->fixed.count = deleted->variable.count = 0;
}

void evs_agg_deleted_fini(struct agg_deleted *deleted)
{
    evs_buffer_fini(&deleted->fixed);
    evs_buffer_fini(&deleted->variable);
    evs_free(deleted->items);
}

/* --- reading ------------------------------------------------------------------------------------------------------------------ */

/* Points a stored long text at its bytes in the record. False: the record is damaged. */
static bool load_text(struct agg_reading *reading, struct evs_str *stored)
{
    struct evs_str text;
    memcpy(&text, stored, sizeof text);
    if (text.count <= EVS_STR_INLINE_MAX) {
        return true;
    }
    if (reading->text.count < text.count) {
        return false;
    }
    text.pointer = reading->text.data;
    reading->text = (struct evs_slice){reading->text.data + text.count, reading->text.count - text.count};
    memcpy(stored, &text, sizeof text);
    return true;
}

bool evs_agg_reading_begin(struct agg_reading *reading, const struct evs_table_layout *layout,
                           const struct evs_snapshot_record *record)
{
    EVS_ASSERT(record->fixed.count >= evs_agg_group_bytes(layout, 0));
    *reading = (struct agg_reading){.text = record->variable, .words = evs_alloc(record->fixed.count)};
    memcpy(reading->words, record->fixed.data, record->fixed.count);
    memcpy(&reading->head, reading->words, sizeof reading->head);
    reading->key = (uint8_t *)reading->words + sizeof reading->head;
    reading->behind = reading->key + key_bytes(layout);
    if (layout->key_count < 32 && (reading->head.nulls >> layout->key_count) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < layout->key_count; i++) {
        if (evs_kind_is_var(layout->key_kind[i]) && !((reading->head.nulls >> i) & 1) &&
            !load_text(reading, (struct evs_str *)(reading->key + layout->key_offset[i] - sizeof(struct evs_entry)))) {
            return false;
        }
    }
    return true;
}

void evs_agg_reading_fini(struct agg_reading *reading)
{
    evs_free(reading->words);
}

/* Accumulators that another version of the pipeline has written: those that are kept go to where they lie today; new ones stay as they are, empty. */
static bool migrate_values(struct agg_reading *reading, const struct agg_base *base, struct evs_table *table,
                           uint8_t *values, const uint8_t *at)
{
    bool is_good = true;
    for (uint32_t i = 0; is_good && i < base->stored->count; i++) {
        const struct agg_call *call = &base->stored->calls[i];
        uint32_t today = base->stored->today[i];
        is_good = today == EVS_NO_PART
                      ? evs_agg_skip_at(call, at + call->offset, &reading->text)
                      : base->calls[today].bytes == call->bytes &&
                            evs_agg_load_at(&base->calls[today], table, values, at + call->offset, &reading->text);
    }
    return is_good;
}

bool evs_agg_reading_values(struct agg_reading *reading, const struct agg_base *base, struct evs_table *table,
                            uint8_t *values, uint32_t lead_bytes)
{
    memcpy(values, reading->behind, lead_bytes);
    if (base->stored != NULL) {
        return migrate_values(reading, base, table, values, reading->behind + lead_bytes);
    }
    for (uint32_t i = 0; i < base->config->call_count; i++) {
        if (!evs_agg_load(&base->calls[i], table, values, reading->behind, &reading->text)) {
            return false;
        }
    }
    return true;
}

bool evs_agg_reading_part(struct agg_reading *reading, const struct agg_base *base, struct evs_table *table,
                          uint8_t *values)
{
    uint64_t call;
    memcpy(&call, reading->behind, sizeof call);
    if (base->stored != NULL) {
        if (call >= base->stored->count) {
            return false;
        }
        call = base->stored->today[call];
        if (call == EVS_NO_PART) {
            return true;
        }
    }
    return call < base->config->call_count && evs_agg_load_part(&base->calls[call], table, values, reading->text);
}
