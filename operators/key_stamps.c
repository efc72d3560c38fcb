#include "key_stamps.h"

#include "evstream/keys.h"
#include "key_store.h"
#include "row_judge.h"

enum { SECTION_STAMPS = 0 };

struct stored_stamp { /* of the fixed bytes, before the key */
    int64_t at_us, forget_us;
    uint64_t shape; /* of the row; 0: none */
    uint32_t nulls, count;
};
_Static_assert(offsetof(struct stored_stamp, nulls) == 24 && sizeof(struct stored_stamp) == 32 && SECTION_STAMPS == 0,
               "EVS_STAMPS_STORED_KEY");

void evs_stamps_init(struct evs_stamps *stamps, struct evs_op *op, const uint32_t *keys, uint32_t key_count,
                     struct evs_keeper *keeper)
{
    const struct evs_schema *input = evs_op_input_schema(op, 0);
    enum evs_kind kinds[EVS_KEYS_MAX];
    EVS_ASSERT(key_count > 0 && key_count <= EVS_KEYS_MAX);
    for (uint32_t i = 0; i < key_count; i++) {
        EVS_ASSERT(keys[i] < input->count);
        kinds[i] = input->fields[keys[i]].type->kind;
    }
    evs_table_layout_init(&stamps->layout, kinds, key_count, sizeof(struct evs_stamp));
    evs_table_init(&stamps->table, &stamps->layout);
    stamps->keeper = keeper;
    stamps->durable = evs_op_is_durable(op);
    stamps->epoch = 1;
}

void evs_stamps_fini(struct evs_stamps *stamps)
{
    if (stamps->epoch > 0) {
        evs_table_fini(&stamps->table);
    }
    evs_timers_fini(&stamps->timers);
    evs_free(stamps->more);
    evs_free(stamps->dirty);
}

/* --- stamps of an entry --------------------------------------------------------------------------------------------------------- */

static struct evs_stamp *first_of(struct evs_stamps *stamps, struct evs_entry *entry)
{
    return (struct evs_stamp *)evs_entry_values(&stamps->layout, entry);
}

struct evs_stamp *evs_stamps_next(struct evs_stamps *stamps, struct evs_entry *entry, const struct evs_stamp *stamp)
{
    if (stamp == NULL) {
        struct evs_stamp *first = first_of(stamps, entry);
        return first->count > 0 ? first : NULL;
    }
    return stamp->next > 0 ? &stamps->more[stamp->next - 1] : NULL;
}

static uint32_t more_take(struct evs_stamps *stamps)
{
    if (stamps->more_free > 0) {
        uint32_t index = stamps->more_free - 1;
        stamps->more_free = stamps->more[index].next;
        return index;
    }
    EVS_GROW(stamps->more, stamps->more_count, stamps->more_capacity);
    return stamps->more_count++;
}

static void more_give(struct evs_stamps *stamps, uint32_t index)
{
    EVS_ASSERT(index < stamps->more_count);
    stamps->more[index].next = stamps->more_free;
    stamps->more_free = index + 1;
}

void evs_stamps_mark(struct evs_stamps *stamps, struct evs_entry *entry, uint32_t index)
{
    if (stamps->durable && entry->epoch != stamps->epoch) {
        entry->epoch = stamps->epoch;
        EVS_GROW(stamps->dirty, stamps->dirty_count, stamps->dirty_capacity);
        stamps->dirty[stamps->dirty_count++] = index;
    }
}

static void append(struct evs_stamps *stamps, struct evs_entry *entry, struct evs_stamp stamp)
{
    struct evs_stamp *last = first_of(stamps, entry);
    stamp.next = 0;
    if (last->count == 0) {
        *last = stamp;
        return;
    }
    uint32_t index = more_take(stamps);
    while (last->next > 0) {
        last = &stamps->more[last->next - 1];
    }
    last->next = index + 1;
    stamps->more[index] = stamp;
}

void evs_stamps_add(struct evs_stamps *stamps, struct evs_entry *entry, uint32_t index, struct evs_stamp stamp)
{
    EVS_ASSERT(stamp.count > 0 && (stamp.row != NULL) == (stamps->keeper != NULL));
    append(stamps, entry, stamp);
    if (!stamps->restored) { /* else they are armed all together */
        evs_timers_arm(&stamps->timers, stamp.forget_us, index);
    }
    evs_stamps_mark(stamps, entry, index);
}

/* --- a batch ------------------------------------------------------------------------------------------------------------------------ */

/* Timers are not stored: they follow from the stamps. */
static void arm_restored(struct evs_stamps *stamps)
{
    EVS_ASSERT(stamps->timers.count == 0);
    stamps->restored = false;
    for (uint32_t i = 0; i < stamps->table.used; i++) {
        struct evs_entry *entry = evs_table_at(&stamps->table, i);
        struct evs_stamp *stamp = NULL;
        while (evs_table_is_live(&stamps->table, i) && (stamp = evs_stamps_next(stamps, entry, stamp)) != NULL) {
            evs_timers_arm(&stamps->timers, stamp->forget_us, i);
        }
    }
}

void evs_stamps_begin(struct evs_stamps *stamps, const struct evs_batch *batch, const uint32_t *keys,
                      uint32_t key_count)
{
    EVS_ASSERT(batch->selected_count <= EVS_BATCH_ROWS);
    if (stamps->restored) {
        arm_restored(stamps);
    }
    evs_key_hash_rows(batch, keys, key_count, stamps->hashes);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        evs_table_prefetch_slot(&stamps->table, stamps->hashes[i]);
    }
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        evs_table_prefetch_entry(&stamps->table, stamps->hashes[i]);
    }
}

struct evs_entry *evs_stamps_of(struct evs_stamps *stamps, struct evs_op *op, const struct evs_batch *batch,
                                uint32_t row, uint64_t hash, const uint32_t *keys, uint32_t *index)
{
    bool is_new;
    struct evs_entry *entry = evs_table_find_or_add(&stamps->table, hash, batch, row, keys, index, &is_new);
    if (is_new) {
        evs_op_count(op, EVS_COUNT_STATE_KEYS, 1);
    }
    return entry;
}

/* --- forgetting ----------------------------------------------------------------------------------------------------------------------- */

static void let_go(struct evs_stamp *stamp, struct evs_going *going)
{
    EVS_ASSERT((stamp->row != NULL) == (going != NULL));
    if (going != NULL) {
        evs_going_add(going, stamp->forget_us, stamp->row);
        stamp->row = NULL;
    }
}

/* Takes out the entry's stamps that are due; the others move up, so that the first stays inside the entry. */
static bool forget_of(struct evs_stamps *stamps, struct evs_entry *entry, int64_t watermark_us, struct evs_going *going)
{
    struct evs_stamp *first = first_of(stamps, entry), *last = first;
    while (last->next > 0) {
        uint32_t index = last->next - 1;
        struct evs_stamp *next = &stamps->more[index];
        if (next->forget_us <= watermark_us) {
            let_go(next, going);
            last->next = next->next;
            more_give(stamps, index);
        } else {
            last = next;
        }
    }
    if (first->forget_us > watermark_us) {
        return false;
    }
    let_go(first, going);
    if (first->next == 0) {
        return true;
    }
    uint32_t index = first->next - 1;
    *first = stamps->more[index];
    more_give(stamps, index);
    return false;
}

void evs_stamps_forget(struct evs_stamps *stamps, struct evs_op *op, int64_t watermark_us, struct evs_going *going)
{
    struct evs_timer due;
    if (stamps->restored) {
        arm_restored(stamps);
    }
    while (evs_timers_pop(&stamps->timers, watermark_us, &due)) {
        uint32_t index = (uint32_t)due.payload;
        /* the key may be gone with an earlier timer, and its place may be another's: only what is due goes */
        if (evs_table_is_live(&stamps->table, index) &&
            forget_of(stamps, evs_table_at(&stamps->table, index), watermark_us, going)) {
            evs_table_remove(&stamps->table, index);
            evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
        }
    }
    evs_key_compact(&stamps->table);
}

void evs_stamps_tell_bytes(struct evs_stamps *stamps, struct evs_op *op)
{
    size_t bytes = evs_table_bytes(&stamps->table) + stamps->more_capacity * sizeof *stamps->more +
                   stamps->timers.capacity * sizeof *stamps->timers.heap;
    bytes += stamps->keeper != NULL ? stamps->keeper->pool.used_bytes : 0;
    evs_op_count(op, EVS_COUNT_STATE_BYTES, (int64_t)bytes - stamps->told_bytes);
    stamps->told_bytes = (int64_t)bytes;
}

/* --- snapshots ------------------------------------------------------------------------------------------------------------------------- */

static void write_stamp(struct evs_stamps *stamps, struct evs_snapshot_writer *writer, struct evs_entry *entry,
                        const struct evs_stamp *stamp, struct evs_buffer parts[2])
{
    struct stored_stamp head = {.at_us = stamp->at_us,
                                .forget_us = stamp->forget_us,
                                .shape = stamp->row != NULL ? stamps->keeper->shape : 0,
                                .nulls = entry->nulls,
                                .count = stamp->count};
    struct evs_buffer *fixed = &parts[0], *variable = &parts[1];
    fixed->count = variable->count = 0;
    evs_buffer_put(fixed, &head, sizeof head);
    evs_key_store(&stamps->layout, entry, fixed, variable);
    if (stamp->row != NULL) {
        struct evs_slice row = evs_row_slice(stamp->row);
        evs_buffer_put(variable, row.data, row.count);
    }
    evs_snapshot_put(writer, SECTION_STAMPS, EVS_RECORD_PUT, entry->hash, (struct evs_slice){fixed->data, fixed->count},
                     (struct evs_slice){variable->data, variable->count});
}

struct writing {
    struct evs_stamps *stamps;
    struct evs_snapshot_writer *writer;
    struct evs_buffer parts[2];
};

static void write_entry(void *argument, uint32_t index, struct evs_entry *entry)
{
    struct writing *to = argument;
    struct evs_stamp *stamp = NULL;
    (void)index;
    while ((stamp = evs_stamps_next(to->stamps, entry, stamp)) != NULL) {
        write_stamp(to->stamps, to->writer, entry, stamp, to->parts);
    }
}

void evs_stamps_snapshot(struct evs_stamps *stamps, struct evs_snapshot_writer *writer, bool full)
{
    struct writing to = {.stamps = stamps, .writer = writer};
    for (uint32_t i = 0; !full && i < stamps->dirty_count; i++) {
        evs_table_prefetch_ahead(&stamps->table, stamps->dirty, stamps->dirty_count, i);
        struct evs_entry *entry = evs_table_at(&stamps->table, stamps->dirty[i]);
        if (evs_table_is_live(&stamps->table, stamps->dirty[i]) && evs_snapshot_takes(writer, entry->hash)) {
            write_entry(&to, stamps->dirty[i], entry);
        }
    }
    if (full) {
        evs_snapshot_walk(writer, &stamps->table, write_entry, &to);
    }
    stamps->dirty_count = 0;
    stamps->epoch++;
    evs_buffer_fini(&to.parts[0]);
    evs_buffer_fini(&to.parts[1]);
}

static struct evs_stamp *find_stored(struct evs_stamps *stamps, struct evs_entry *entry,
                                     const struct stored_stamp *head)
{
    struct evs_stamp *stamp = NULL;
    while ((stamp = evs_stamps_next(stamps, entry, stamp)) != NULL) {
        if (stamp->at_us == head->at_us && stamp->forget_us == head->forget_us) {
            return stamp;
        }
    }
    return NULL;
}

static void put_stored(struct evs_stamps *stamps, struct evs_entry *entry, const struct stored_stamp *head,
                       struct evs_row *row)
{
    struct evs_stamp *stamp = find_stored(stamps, entry, head);
    if (stamp == NULL) {
        append(
            stamps, entry,
            (struct evs_stamp){.at_us = head->at_us, .forget_us = head->forget_us, .row = row, .count = head->count});
        return;
    }
    if (stamp->row != NULL) {
        evs_row_free(&stamps->keeper->pool, stamp->row);
    }
    stamp->row = row;
    stamp->count = head->count;
}

evs_status evs_stamps_restore(struct evs_stamps *stamps, struct evs_op *op, const struct evs_snapshot_record *record,
                              struct evs_error *error)
{
    struct stored_stamp head;
    if (record->section != SECTION_STAMPS || record->kind != EVS_RECORD_PUT ||
        record->fixed.count != sizeof head + evs_key_store_bytes(&stamps->layout)) {
        return evs_fail(error, EVS_E_STATE, "The stored keys of an operator have an unknown layout.");
    }
    memcpy(&head, record->fixed.data, sizeof head);
    stamps->restored = true;
    if (head.forget_us <= evs_op_watermark(op)) {
        return EVS_OK;
    }
    struct evs_slice text = record->variable;
    bool is_new = false;
    struct evs_entry *entry = head.count == 0 ? NULL
                                              : evs_key_load(&stamps->table, record->hash, head.nulls,
                                                             record->fixed.data + sizeof head, &text, &is_new);
    if (entry == NULL) {
        return evs_fail(error, EVS_E_CORRUPT, "A stored key of an operator does not decode.");
    }
    struct evs_row *row = NULL;
    evs_status status = EVS_OK;
    if (stamps->keeper != NULL) {
        status = evs_keeper_restore(stamps->keeper, head.shape, text, "deduplicate … keep last", &row, error);
    }
    evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
    if (status == EVS_OK) {
        put_stored(stamps, entry, &head, row);
    }
    return status;
}
