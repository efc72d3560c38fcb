/* How the aggregate operator's state is stored.
 *
 * Section 0, groups. Fixed: window start, NULL bits of the key, key, values: an entry as it lies in memory, with the pointers of long text and of
 * bags zeroed. Variable: the long text of the key columns, then of the accumulators, in their order. A DELETE has the same fixed bytes.
 * Section 1, parts: what is new since the last snapshot in the accumulators that keep many values (aggregate_call.h). Fixed: window start, NULL
 * bits, key, call; variable: long text of the key, then the part.
 *
 * A window that closes needs no record: a restore leaves out windows that end at or before the watermark of the commit. */
#include "aggregate_state.h"

enum { SECTION_GROUPS = 0, SECTION_PARTS = 1 };

struct group_head { /* of the fixed bytes of both sections */
    int64_t window_start_us;
    uint32_t nulls, reserved;
};

static uint32_t key_bytes(const struct aggregate *agg)
{
    return agg->layout.value_offset - (uint32_t)sizeof(struct evs_entry);
}

static uint32_t group_fixed_bytes(const struct aggregate *agg)
{
    return (uint32_t)sizeof(struct group_head) + agg->layout.entry_bytes - (uint32_t)sizeof(struct evs_entry);
}

/* --- writing -------------------------------------------------------------------------------------------------------------------------- */

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

static void store_key_texts(const struct aggregate *agg, uint32_t nulls, uint8_t *key, struct evs_buffer *variable)
{
    for (uint32_t i = 0; i < agg->layout.key_count; i++) {
        if (evs_kind_is_var(agg->layout.key_kind[i]) && !((nulls >> i) & 1)) {
            store_text((struct evs_str *)(key + agg->layout.key_offset[i] - sizeof(struct evs_entry)), variable);
        }
    }
}

static void store_group(const struct aggregate *agg, int64_t start_us, struct evs_entry *entry,
                        struct evs_buffer *fixed, struct evs_buffer *variable)
{
    struct group_head head = {start_us, entry->nulls, 0};
    fixed->count = variable->count = 0;
    evs_buffer_put(fixed, &head, sizeof head);
    evs_buffer_put(fixed, entry + 1, agg->layout.entry_bytes - sizeof *entry);
    store_key_texts(agg, entry->nulls, (uint8_t *)fixed->data + sizeof head, variable);
    uint8_t *values = (uint8_t *)fixed->data + sizeof head + key_bytes(agg);
    for (uint32_t i = 0; i < agg->config->call_count; i++) {
        evs_agg_save(&agg->calls[i], values, variable);
    }
}

struct snapshot {
    struct aggregate *agg;
    struct evs_snapshot_writer *writer;
    bool full;
    struct evs_buffer fixed, variable;
};

static struct evs_slice slice_of(const struct evs_buffer *buffer)
{
    return (struct evs_slice){buffer->data, buffer->count};
}

static void write_group(struct snapshot *snapshot, const struct agg_window *window, struct evs_entry *entry)
{
    store_group(snapshot->agg, window->start_us, entry, &snapshot->fixed, &snapshot->variable);
    evs_snapshot_put(snapshot->writer, SECTION_GROUPS, EVS_RECORD_PUT, entry->hash, slice_of(&snapshot->fixed),
                     slice_of(&snapshot->variable));
}

struct part_writer {
    struct snapshot *snapshot;
    const struct agg_window *window;
    const struct evs_entry *entry;
    uint64_t call;
};

static void write_part(void *argument, struct evs_slice part)
{
    const struct part_writer *writer = argument;
    struct snapshot *snapshot = writer->snapshot;
    const struct aggregate *agg = snapshot->agg;
    struct group_head head = {writer->window->start_us, writer->entry->nulls, 0};
    struct evs_buffer *fixed = &snapshot->fixed, *variable = &snapshot->variable;
    fixed->count = variable->count = 0;
    evs_buffer_put(fixed, &head, sizeof head);
    evs_buffer_put(fixed, writer->entry + 1, key_bytes(agg));
    store_key_texts(agg, writer->entry->nulls, (uint8_t *)fixed->data + sizeof head, variable);
    evs_buffer_put(fixed, &writer->call, sizeof writer->call);
    evs_buffer_put(variable, part.data, part.count);
    evs_snapshot_put(snapshot->writer, SECTION_PARTS, EVS_RECORD_PUT, writer->entry->hash, slice_of(fixed),
                     slice_of(variable));
}

static void write_parts(struct snapshot *snapshot, const struct agg_window *window, struct evs_entry *entry)
{
    struct aggregate *agg = snapshot->agg;
    for (uint32_t i = 0; i < agg->config->call_count; i++) {
        struct part_writer writer = {snapshot, window, entry, i};
        if (agg->calls[i].has_parts) {
            evs_agg_save_parts(&agg->calls[i], evs_entry_values(&agg->layout, entry), snapshot->full, write_part,
                               &writer);
        }
    }
}

static void write_window(struct snapshot *snapshot, struct agg_window *window)
{
    struct evs_table *table = &window->table;
    uint32_t count = snapshot->full ? table->used : window->dirty_count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = snapshot->full ? i : window->dirty[i];
        if (evs_table_is_live(table, index)) {
            struct evs_entry *entry = evs_table_at(table, index);
            write_group(snapshot, window, entry);
            write_parts(snapshot, window, entry);
        }
    }
    window->dirty_count = 0;
}

static void write_deleted(struct snapshot *snapshot)
{
    struct aggregate *agg = snapshot->agg;
    uint32_t fixed_bytes = group_fixed_bytes(agg);
    size_t text = 0;
    for (uint32_t i = 0; i < agg->deleted_count; i++) {
        struct evs_slice fixed = {agg->deleted.data + (size_t)i * fixed_bytes, fixed_bytes};
        struct evs_slice variable = {agg->deleted_text.data + text, agg->deleted_text_bytes[i]};
        evs_snapshot_put(snapshot->writer, SECTION_GROUPS, EVS_RECORD_DELETE, agg->deleted_hashes[i], fixed, variable);
        text += agg->deleted_text_bytes[i];
    }
    agg->deleted_count = 0;
    agg->deleted.count = agg->deleted_text.count = 0;
}

/* Deletions first: a group that went and came back in one interval is deleted, then put. */
evs_status evs_agg_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct snapshot snapshot = {.agg = state, .writer = writer, .full = full};
    (void)op;
    write_deleted(&snapshot);
    for (uint32_t i = 0; i < snapshot.agg->window_count; i++) {
        write_window(&snapshot, snapshot.agg->windows[i]);
    }
    snapshot.agg->epoch++;
    evs_buffer_fini(&snapshot.fixed);
    evs_buffer_fini(&snapshot.variable);
    return EVS_OK;
}

void evs_agg_remember_deleted(struct aggregate *agg, struct evs_entry *entry)
{
    struct evs_buffer fixed = {0}, variable = {0};
    if (!agg->durable) {
        return;
    }
    store_group(agg, agg->windows[0]->start_us, entry, &fixed, &variable);
    evs_buffer_put(&agg->deleted, fixed.data, fixed.count);
    evs_buffer_put(&agg->deleted_text, variable.data, variable.count);
    EVS_GROW(agg->deleted_hashes, agg->deleted_count, agg->deleted_hash_capacity);
    EVS_GROW(agg->deleted_text_bytes, agg->deleted_count, agg->deleted_text_capacity);
    agg->deleted_hashes[agg->deleted_count] = entry->hash;
    agg->deleted_text_bytes[agg->deleted_count++] = (uint32_t)variable.count;
    evs_buffer_fini(&fixed);
    evs_buffer_fini(&variable);
}

/* --- reading -------------------------------------------------------------------------------------------------------------------------- */

struct reading {
    struct aggregate *agg;
    struct group_head head;
    uint8_t *fixed; /* behind the head, writable and aligned */
    const char *text, *text_end;
};

/* Points a stored long text at its bytes in the record. False: the record is damaged. */
static bool load_text(struct reading *reading, struct evs_str *stored)
{
    struct evs_str text;
    memcpy(&text, stored, sizeof text);
    if (text.count <= EVS_STR_INLINE_MAX) {
        return true;
    }
    if ((size_t)(reading->text_end - reading->text) < text.count) {
        return false;
    }
    text.pointer = reading->text;
    reading->text += text.count;
    memcpy(stored, &text, sizeof text);
    return true;
}

static bool load_key(struct reading *reading)
{
    const struct evs_table_layout *layout = &reading->agg->layout;
    for (uint32_t i = 0; i < layout->key_count; i++) {
        if (evs_kind_is_var(layout->key_kind[i]) && !((reading->head.nulls >> i) & 1) &&
            !load_text(reading,
                       (struct evs_str *)(reading->fixed + layout->key_offset[i] - sizeof(struct evs_entry)))) {
            return false;
        }
    }
    return true;
}

static struct agg_window *restored_window(struct aggregate *agg, int64_t start_us)
{
    int64_t end_us = evs_agg_is_windowed(agg) ? start_us + agg->config->size_us : EVS_TIME_MAX;
    return evs_agg_window(agg, start_us, end_us);
}

static struct evs_entry *restored_entry(struct reading *reading, struct agg_window *window, uint64_t hash, bool *is_new)
{
    return evs_table_put_stored(&window->table, hash, reading->head.nulls, reading->fixed, is_new);
}

/* Everything but the bags comes from the record; they are filled by their parts. */
static bool load_values(struct reading *reading, struct agg_window *window, struct evs_entry *entry)
{
    struct aggregate *agg = reading->agg;
    uint8_t *values = evs_entry_values(&agg->layout, entry), *stored = reading->fixed + key_bytes(agg);
    struct evs_slice text = {reading->text, (size_t)(reading->text_end - reading->text)};
    if (!evs_agg_is_windowed(agg)) {
        memcpy(values, stored, sizeof(struct group_times));
    }
    for (uint32_t i = 0; i < agg->config->call_count; i++) {
        if (!evs_agg_load(&agg->calls[i], &window->table, values, stored, &text)) {
            return false;
        }
    }
    return text.count == 0;
}

static uint32_t index_of(const struct evs_table *table, const struct evs_entry *entry)
{
    uint32_t slot = (uint32_t)entry->hash & table->mask;
    while (evs_table_at(table, (uint32_t)table->directory[slot] - 1) != entry) {
        slot = (slot + 1) & table->mask;
    }
    return (uint32_t)table->directory[slot] - 1;
}

static bool restore_group(struct evs_op *op, struct reading *reading, const struct evs_snapshot_record *record)
{
    struct aggregate *agg = reading->agg;
    struct agg_window *window = restored_window(agg, reading->head.window_start_us);
    bool is_new;
    struct evs_entry *entry = restored_entry(reading, window, record->hash, &is_new);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
    uint32_t index = index_of(&window->table, entry);
    if (record->kind == EVS_RECORD_DELETE) {
        evs_agg_forget(agg, window, index);
        evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
        return true;
    }
    return load_values(reading, window, entry);
}

static bool restore_part(struct evs_op *op, struct reading *reading, const struct evs_snapshot_record *record)
{
    struct aggregate *agg = reading->agg;
    uint64_t call;
    memcpy(&call, reading->fixed + key_bytes(agg), sizeof call);
    if (call >= agg->config->call_count) {
        return false;
    }
    struct agg_window *window = restored_window(agg, reading->head.window_start_us);
    bool is_new;
    struct evs_entry *entry = restored_entry(reading, window, record->hash, &is_new);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
    struct evs_slice part = {reading->text, (size_t)(reading->text_end - reading->text)};
    return evs_agg_load_part(&agg->calls[call], &window->table, evs_entry_values(&agg->layout, entry), part);
}

evs_status evs_agg_restore(struct evs_op *op, void *state, uint32_t version, const struct evs_snapshot_record *record,
                           struct evs_error *error)
{
    struct aggregate *agg = state;
    uint32_t part_bytes = (uint32_t)sizeof(struct group_head) + key_bytes(agg) + 8u;
    uint32_t expected = record->section == SECTION_GROUPS ? group_fixed_bytes(agg) : part_bytes;
    if (version != EVS_AGG_SNAPSHOT_VERSION || record->section > SECTION_PARTS || record->fixed.count != expected) {
        return evs_fail(error, EVS_E_STATE, "the stored state of an aggregate has an unknown layout (version %u)",
                        version);
    }
    uint64_t words[EVS_KEYS_MAX * 2 + 64];
    size_t body = record->fixed.count - sizeof(struct group_head);
    struct reading reading = {
        .agg = agg, .text = record->variable.data, .text_end = record->variable.data + record->variable.count};
    reading.fixed = body <= sizeof words ? (uint8_t *)words : evs_alloc(body);
    memcpy(&reading.head, record->fixed.data, sizeof reading.head);
    memcpy(reading.fixed, record->fixed.data + sizeof reading.head, body);
    agg->restored = agg->config->retain_us >= 0;
    bool closed =
        evs_agg_is_windowed(agg) && reading.head.window_start_us + agg->config->size_us <= evs_op_watermark(op);
    bool good =
        closed || (load_key(&reading) && (record->section == SECTION_GROUPS ? restore_group(op, &reading, record)
                                                                            : restore_part(op, &reading, record)));
    if (reading.fixed != (uint8_t *)words) {
        evs_free(reading.fixed);
    }
    return good ? EVS_OK : evs_fail(error, EVS_E_CORRUPT, "a stored group of an aggregate does not decode");
}
