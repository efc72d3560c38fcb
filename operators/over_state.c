/* Partitions and rows of op_over: keeping, forgetting, storing.
 *
 * Stored, in section 0: each row, once, while it waits or when it has come into the history; in section 1: the counters and accumulators of a partition
 * that has changed. Nothing is deleted. A restore takes rows at or above the watermark of the commit as waiting and the others as history, and then drops
 * what the rules below drop: rows that no frame looks at, partitions whose retention is over. That a row is stored already is marked in its head, in a bit
 * that stored rows have as zero (evstream/rows.h). */
#include "over_state.h"

#include "key_store.h"

enum { SECTION_ROWS = 0, SECTION_KEYS = 1 };
#define ROW_SAVED 2u
#define COMPACT_BYTES_MIN ((size_t)1 << 20)

/* --- rows that wait -------------------------------------------------------------------------------------------------------------- */

static uint32_t take_slot(struct over *over)
{
    if (over->slot_free > 0) {
        uint32_t index = over->slot_free - 1;
        over->slot_free = over->slots[index].next_free;
        return index;
    }
    EVS_GROW(over->slots, over->slot_count, over->slot_capacity);
    return over->slot_count++;
}

void evs_over_wait(struct over *over, struct evs_row *row, uint32_t entry)
{
    uint32_t index = take_slot(over);
    over->slots[index] = (struct over_slot){.row = row, .entry = entry};
    evs_over_key(over, evs_table_at(&over->table, entry))->waiting++;
    evs_timers_arm(&over->timers, row->event_time_us, index);
    if (over->durable && !(row->bytes_and_kind & ROW_SAVED)) {
        EVS_GROW(over->dirty_slots, over->dirty_slot_count, over->dirty_slot_capacity);
        over->dirty_slots[over->dirty_slot_count++] = index;
    }
}

/* --- partitions -------------------------------------------------------------------------------------------------------------------- */

void evs_over_mark(struct over *over, struct evs_entry *entry, uint32_t index)
{
    if (over->durable && entry->epoch != over->epoch) {
        entry->epoch = over->epoch;
        EVS_GROW(over->dirty_entries, over->dirty_entry_count, over->dirty_entry_capacity);
        over->dirty_entries[over->dirty_entry_count++] = index;
    }
}

static void count_garbage(struct over *over, struct evs_entry *entry)
{
    for (uint32_t i = 0; i < over->config->call_count; i++) {
        if (evs_over_is_running(&over->config->calls[i])) {
            over->table.garbage_bytes += evs_agg_held(&over->calls[i], evs_entry_values(&over->layout, entry));
        }
    }
}

void evs_over_reset(struct over *over, struct evs_entry *entry)
{
    struct over_key *key = evs_over_key(over, entry), kept = *key;
    count_garbage(over, entry);
    evs_row_list_clear(&key->history, &over->keeper.pool);
    evs_over_sums_free(over, key);
    memset(key, 0, sizeof *key + over->accumulators_bytes);
    key->waiting = kept.waiting;
    key->due_last = kept.due_last;
    key->is_armed = kept.is_armed;
}

static bool is_needed(const struct over *over, const struct over_key *key, int64_t latest_us)
{
    const struct evs_row *first = evs_row_list_at(&key->history, 0);
    return key->history.count <= over->rows_back ||
           (over->range_back_us >= 0 &&
            (uint64_t)latest_us - (uint64_t)first->event_time_us <= (uint64_t)over->range_back_us);
}

void evs_over_prune(struct over *over, struct over_key *key)
{
    while (key->history.count > 0) {
        const struct evs_row *last = evs_row_list_at(&key->history, key->history.count - 1);
        if (is_needed(over, key, last->event_time_us)) {
            return;
        }
        evs_row_free(&over->keeper.pool, evs_row_list_pop(&key->history, &over->keeper.pool));
        key->dropped++;
    }
}

void evs_over_arm(struct over *over, struct evs_entry *entry, uint32_t index)
{
    struct over_key *key = evs_over_key(over, entry);
    if (over->config->retain_us >= 0 && key->count > 0 && !key->is_armed) {
        evs_timers_arm(&over->expiry, evs_over_forget_us(over, key), index);
        key->is_armed = 1;
    }
}

static void compact(struct over *over)
{
    struct evs_table *table = &over->table;
    struct evs_arena moved = {0};
    if (table->garbage_bytes < COMPACT_BYTES_MIN || table->garbage_bytes < table->arena.used_bytes / 2) {
        return;
    }
    for (uint32_t i = 0; i < table->used; i++) {
        if (!evs_table_is_live(table, i)) {
            continue;
        }
        struct evs_entry *entry = evs_table_at(table, i);
        evs_key_move(table->layout, entry, &moved);
        for (uint32_t k = 0; k < over->config->call_count; k++) {
            if (evs_over_is_running(&over->config->calls[k])) {
                evs_agg_move(&over->calls[k], &moved, evs_entry_values(&over->layout, entry));
            }
        }
    }
    evs_arena_fini(&table->arena);
    table->arena = moved;
    table->garbage_bytes = 0;
}

static void forget(struct evs_op *op, struct over *over, uint32_t index)
{
    struct evs_entry *entry = evs_table_at(&over->table, index);
    EVS_ASSERT(evs_over_key(over, entry)->waiting == 0);
    evs_over_reset(over, entry);
    evs_table_remove(&over->table, index);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
}

void evs_over_expire(struct evs_op *op, struct over *over, int64_t watermark_us)
{
    struct evs_timer timer;
    while (evs_timers_pop(&over->expiry, watermark_us, &timer)) {
        uint32_t index = (uint32_t)timer.payload;
        struct evs_entry *entry = evs_table_at(&over->table, index);
        struct over_key *key = evs_over_key(over, entry);
        EVS_ASSERT(evs_table_is_live(&over->table, index) && key->is_armed);
        key->is_armed = 0;
        if (evs_over_forget_us(over, key) > watermark_us) {
            evs_over_arm(over, entry, index);
        } else if (key->waiting == 0) { /* else its next row begins it anew */
            forget(op, over, index);
        }
    }
    compact(over);
}

void evs_over_tell_bytes(struct evs_op *op, struct over *over)
{
    int64_t bytes = (int64_t)(evs_table_bytes(&over->table) + over->keeper.pool.used_bytes +
                              over->slot_capacity * sizeof *over->slots + over->sums_bytes);
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - over->told_bytes);
    over->told_bytes = bytes;
}

/* --- writing ------------------------------------------------------------------------------------------------------------------------- */

struct stored_key { /* of the fixed bytes, before the key and the accumulators */
    int64_t latest_us, count, rank, dense_rank;
    uint32_t nulls, reserved;
};
_Static_assert(offsetof(struct stored_key, nulls) == 32 && sizeof(struct stored_key) == 40 && SECTION_KEYS == 1,
               "EVS_OVER_STORED_KEY");

static void write_row(struct over *over, struct evs_snapshot_writer *writer, uint64_t hash, struct evs_row *row,
                      bool full)
{
    if (!full && (row->bytes_and_kind & ROW_SAVED)) {
        return;
    }
    row->bytes_and_kind &= ~ROW_SAVED;
    evs_snapshot_put(writer, SECTION_ROWS, EVS_RECORD_PUT, hash,
                     (struct evs_slice){(const char *)&over->keeper.shape, sizeof over->keeper.shape},
                     evs_row_slice(row));
    row->bytes_and_kind |= ROW_SAVED;
}

static void write_key(struct over *over, struct evs_snapshot_writer *writer, struct evs_entry *entry,
                      struct evs_buffer parts[2])
{
    const struct over_key *key = evs_over_key(over, entry);
    struct stored_key head = {key->latest_us, key->count, key->rank, key->dense_rank, entry->nulls, 0};
    struct evs_buffer *fixed = &parts[0], *variable = &parts[1];
    fixed->count = variable->count = 0;
    evs_buffer_put(fixed, &head, sizeof head);
    evs_key_store(&over->layout, entry, fixed, variable);
    size_t values_at = fixed->count;
    evs_buffer_put(fixed, key, sizeof *key + over->accumulators_bytes);
    uint8_t *values = (uint8_t *)fixed->data + values_at;
    memset(values, 0, sizeof *key); /* counters are in the head, rows in their own records */
    for (uint32_t i = 0; i < over->config->call_count; i++) {
        if (evs_over_is_running(&over->config->calls[i])) {
            evs_agg_save(&over->calls[i], values, variable);
        }
    }
    evs_snapshot_put(writer, SECTION_KEYS, EVS_RECORD_PUT, entry->hash, (struct evs_slice){fixed->data, fixed->count},
                     (struct evs_slice){variable->data, variable->count});
}

struct writing {
    struct evs_op *op;
    struct over *over;
    struct evs_snapshot_writer *writer;
    bool full;
    struct evs_buffer parts[2];
};

static void write_entry(void *argument, uint32_t index, struct evs_entry *entry)
{
    struct writing *to = argument;
    struct over_key *key = evs_over_key(to->over, entry);
    (void)index;
    if (key->count == 0 || evs_over_forget_us(to->over, key) <= evs_op_watermark(to->op)) {
        return; /* nothing of it counts any more; a row that waits will begin it anew */
    }
    write_key(to->over, to->writer, entry, to->parts);
    for (uint32_t i = 0; i < key->history.count; i++) {
        write_row(to->over, to->writer, entry->hash, evs_row_list_at(&key->history, i), to->full);
    }
}

static void write_entries(struct writing *to)
{
    struct over *over = to->over;
    for (uint32_t i = 0; !to->full && i < over->dirty_entry_count; i++) {
        evs_table_prefetch_ahead(&over->table, over->dirty_entries, over->dirty_entry_count, i);
        struct evs_entry *entry = evs_table_at(&over->table, over->dirty_entries[i]);
        if (evs_table_is_live(&over->table, over->dirty_entries[i]) && evs_snapshot_takes(to->writer, entry->hash)) {
            write_entry(to, over->dirty_entries[i], entry);
        }
    }
    if (to->full) {
        evs_snapshot_walk(to->writer, &over->table, write_entry, to);
    }
}

evs_status evs_over_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct over *over = state;
    struct writing to = {.op = op, .over = over, .writer = writer, .full = full};
    EVS_ASSERT(over->due_count == 0);
    evs_over_settle(op, over);
    uint32_t slots = full ? over->slot_count : over->dirty_slot_count;
    for (uint32_t i = 0; i < slots; i++) {
        struct over_slot *slot = &over->slots[full ? i : over->dirty_slots[i]];
        if (slot->row != NULL) {
            write_row(over, writer, evs_table_at(&over->table, slot->entry)->hash, slot->row, full);
        }
    }
    write_entries(&to);
    over->dirty_slot_count = over->dirty_entry_count = 0;
    over->epoch++;
    evs_buffer_fini(&to.parts[0]);
    evs_buffer_fini(&to.parts[1]);
    return EVS_OK;
}

/* --- reading --------------------------------------------------------------------------------------------------------------------------- */

static evs_status restore_row(struct evs_op *op, struct over *over, const struct evs_snapshot_record *record,
                              struct evs_error *error)
{
    uint64_t shape;
    bool is_new;
    struct evs_row *row;
    if (record->fixed.count != sizeof shape) {
        return evs_fail(error, EVS_E_CORRUPT, "A stored row of `over` does not decode.");
    }
    memcpy(&shape, record->fixed.data, sizeof shape);
    evs_status status = evs_keeper_restore(&over->keeper, shape, record->variable, "over", &row, error);
    if (status != EVS_OK) {
        return status;
    }
    row->bytes_and_kind |= ROW_SAVED;
    if (row->event_time_us < evs_op_watermark(op) && !over->keeps_history) {
        evs_row_free(&over->keeper.pool, row);
        return EVS_OK;
    }
    struct evs_entry *entry =
        evs_row_find_entry(&over->keeper.layout, row, over->config->keys, &over->table, record->hash, &is_new);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
    if (row->event_time_us < evs_op_watermark(op)) {
        evs_row_list_insert(&evs_over_key(over, entry)->history, &over->keeper.pool, row);
    } else {
        evs_over_wait(over, row, evs_entry_index(&over->table, entry));
    }
    return EVS_OK;
}

static bool restore_key(struct evs_op *op, struct over *over, const struct evs_snapshot_record *record)
{
    struct stored_key head;
    size_t values_at = sizeof head + evs_key_store_bytes(&over->layout);
    size_t values_bytes = sizeof(struct over_key) + over->accumulators_bytes;
    bool is_new;
    if (record->fixed.count != values_at + values_bytes) {
        return false;
    }
    memcpy(&head, record->fixed.data, sizeof head);
    struct over_key times = {.latest_us = head.latest_us};
    if (evs_over_forget_us(over, &times) <= evs_op_watermark(op)) {
        return true;
    }
    struct evs_slice text = record->variable;
    struct evs_entry *entry =
        evs_key_load(&over->table, record->hash, head.nulls, record->fixed.data + sizeof head, &text, &is_new);
    if (entry == NULL) {
        return false;
    }
    evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
    struct over_key *key = evs_over_key(over, entry);
    key->latest_us = head.latest_us;
    key->count = head.count;
    key->rank = head.rank;
    key->dense_rank = head.dense_rank;
    bool is_good = true;
    uint8_t *stored = evs_alloc(values_bytes + 1);
    memcpy(stored, record->fixed.data + values_at, values_bytes);
    for (uint32_t i = 0; is_good && i < over->config->call_count; i++) {
        if (evs_over_is_running(&over->config->calls[i])) {
            is_good =
                evs_agg_load(&over->calls[i], &over->table, evs_entry_values(&over->layout, entry), stored, &text);
        }
    }
    evs_free(stored);
    return is_good;
}

evs_status evs_over_restore(struct evs_op *op, void *state, uint32_t version, const struct evs_snapshot_record *record,
                            struct evs_error *error)
{
    struct over *over = state;
    if (version != EVS_OVER_SNAPSHOT_VERSION || record->section > SECTION_KEYS) {
        return evs_fail(error, EVS_E_STATE, "The stored state of `over` has an unknown version (%u).", version);
    }
    over->restored = true;
    if (record->section == SECTION_ROWS) {
        return restore_row(op, over, record, error);
    }
    return restore_key(op, over, record)
               ? EVS_OK
               : evs_fail(error, EVS_E_CORRUPT, "A stored partition of `over` does not decode.");
}

/* The rows of a partition before its last silence belong to a life that has ended. */
static void drop_former_lives(struct over *over, struct over_key *key)
{
    uint32_t first = 0;
    for (uint32_t i = 1; over->config->retain_us >= 0 && i < key->history.count; i++) {
        int64_t before_us = evs_row_list_at(&key->history, i - 1)->event_time_us;
        int64_t time_us = evs_row_list_at(&key->history, i)->event_time_us;
        first = (uint64_t)time_us - (uint64_t)before_us >= (uint64_t)over->config->retain_us ? i : first;
    }
    for (uint32_t i = 0; i < first; i++) {
        evs_row_free(&over->keeper.pool, evs_row_list_pop(&key->history, &over->keeper.pool));
    }
}

void evs_over_settle(struct evs_op *op, struct over *over)
{
    if (!over->restored) {
        return;
    }
    over->restored = false;
    for (uint32_t i = 0; i < over->table.used; i++) {
        struct evs_entry *entry = evs_table_at(&over->table, i);
        if (!evs_table_is_live(&over->table, i)) {
            continue;
        }
        struct over_key *key = evs_over_key(over, entry);
        if (key->count == 0) { /* its retention was over: rows of the history, if any, are of its former life */
            evs_row_list_clear(&key->history, &over->keeper.pool);
        }
        drop_former_lives(over, key);
        evs_over_prune(over, key);
        evs_over_arm(over, entry, i);
        if (key->count == 0 && key->waiting == 0) {
            forget(op, over, i);
        }
    }
}
