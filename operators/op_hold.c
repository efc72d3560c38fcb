/* hold until TIMESTAMP [at most INTERVAL [expired into SINK]]: quiet hours; wait, then check again.
 *
 * Algorithm. A row is emitted when the watermark reaches its TIMESTAMP, or its event time + INTERVAL if that is earlier. A row whose moment lies at or before
 * the watermark on arrival passes at once, and so does one whose TIMESTAMP is NULL.
 *
 *      process ──► slots of rows, one timer each ──► watermark: those that are due, in the order of their new event times
 *
 * With `expired into`, a row whose TIMESTAMP lies behind its limit is not released at the limit: it would come too late, which is known on arrival, and it goes
 * there at once.
 *
 * Event time. The moment that decides a held row is its release: from then on max(its own time, the moment) is its event time, so that it is not late for
 * what comes behind. A row that passes at once keeps its own. The columns stay as they are. Lookups behind see the values at release.
 *
 * State: one row each (evstream/rows.h) + 40 bytes. Rows have no key; they are spread over the workers by their moment, through an exchange, so that all
 * workers agree on the watermark. What bounds it: the row's own moment, and `at most`.
 * Order: by the new event time, then by the order of the key. Late rows: none; a late row is held like any other.
 * Recovery: one record a row; none is deleted, for a restore leaves out those that the watermark of the commit has released. Timers are rebuilt.
 * Update streams: revision by revision. A later revision may pass an earlier one that is held until later. */
#include "op_hold.h"

#include "evstream/keys.h"
#include "evstream/timer.h"
#include "row_judge.h"
#include "row_keep.h"

#define EMIT_BATCHES 4
#define SNAPSHOT_VERSION 1
enum { SECTION_ROWS = 0 };

struct held {
    struct evs_row *row; /* NULL: a free slot */
    int64_t due_us;
    uint64_t hash;
    uint32_t next_free; /* index + 1 */
    bool saved;         /* it stands in a checkpoint */
};

struct hold {
    const struct evs_hold_config *config;
    struct evs_keeper keeper;
    struct evs_going going;
    struct held *slots;
    uint32_t slot_count, slot_capacity, free_first;
    uint32_t *dirty; /* slots that came since the last snapshot */
    uint32_t dirty_count, dirty_capacity;
    struct evs_timers timers; /* at due_us; the payload is the slot */
    bool durable;
    int64_t told_bytes;
    uint64_t hashes[EVS_BATCH_ROWS];
    uint16_t passing[EVS_BATCH_ROWS], expired[EVS_BATCH_ROWS];
};

static evs_status hold_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct hold *hold = state;
    (void)error;
    hold->config = evs_op_config(op);
    hold->durable = evs_op_is_durable(op);
    EVS_ASSERT(hold->config->until < evs_op_input_schema(op, 0)->count);
    evs_keeper_init(&hold->keeper, op);
    return EVS_OK;
}

static void hold_close(struct evs_op *op, void *state)
{
    struct hold *hold = state;
    (void)op;
    evs_keeper_fini(&hold->keeper);
    evs_going_fini(&hold->going);
    evs_timers_fini(&hold->timers);
    evs_free(hold->slots);
    evs_free(hold->dirty);
}

static void tell_bytes(struct evs_op *op, struct hold *hold)
{
    int64_t bytes = (int64_t)(hold->keeper.pool.used_bytes + hold->slot_capacity * sizeof *hold->slots +
                              hold->timers.capacity * sizeof *hold->timers.heap);
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - hold->told_bytes);
    hold->told_bytes = bytes;
}

static uint32_t take_slot(struct hold *hold)
{
    if (hold->free_first > 0) {
        uint32_t index = hold->free_first - 1;
        hold->free_first = hold->slots[index].next_free;
        return index;
    }
    EVS_GROW(hold->slots, hold->slot_count, hold->slot_capacity);
    return hold->slot_count++;
}

static void add(struct evs_op *op, struct hold *hold, struct evs_row *row, int64_t due_us, uint64_t hash, bool saved)
{
    uint32_t index = take_slot(hold);
    hold->slots[index] = (struct held){.row = row, .due_us = due_us, .hash = hash, .saved = saved};
    evs_timers_arm(&hold->timers, due_us, index);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, 1);
    if (!saved && hold->durable) {
        EVS_GROW(hold->dirty, hold->dirty_count, hold->dirty_capacity);
        hold->dirty[hold->dirty_count++] = index;
    }
}

/* When the row goes; EVS_TIME_MIN: at once. `*is_beyond`: its moment lies behind its limit. */
static int64_t due_time(const struct evs_hold_config *config, const struct evs_batch *batch, uint32_t row,
                        bool *is_beyond)
{
    const struct evs_column *until = &batch->columns[config->until];
    *is_beyond = false;
    if (!evs_column_is_valid(until, row)) {
        return EVS_TIME_MIN;
    }
    int64_t due_us = *EVS_COLUMN_AT(until, int64_t, row);
    int64_t limit_us =
        config->at_most_us >= 0 ? evs_time_plus(batch->event_time_us[row], config->at_most_us) : EVS_TIME_MAX;
    *is_beyond = due_us > limit_us;
    return due_us < limit_us ? due_us : limit_us;
}

static evs_status hold_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct hold *hold = state;
    uint32_t count = 0, expired = 0;
    bool is_beyond;
    EVS_ASSERT(input == 0 && hold->going.count == 0);
    evs_key_hash_rows(batch, hold->config->keys, hold->config->key_count, hold->hashes);
    evs_keeper_see(&hold->keeper, batch);
    EVS_FOR_ROWS(batch, position, row) {
        int64_t due_us = due_time(hold->config, batch, row, &is_beyond);
        if (is_beyond && hold->config->expired_output) {
            hold->expired[expired++] = (uint16_t)row;
        } else if (due_us <= evs_row_watermark(op, batch, row)) {
            hold->passing[count++] = (uint16_t)row;
        } else {
            add(op, hold, evs_keeper_keep(&hold->keeper, row), due_us, hold->hashes[position], false);
        }
    }
    if (expired > 0) {
        evs_emit(op, 1, evs_rows_select(batch, hold->expired, expired));
    }
    if (count > 0) {
        evs_emit(op, 0, evs_rows_select(batch, hold->passing, count));
    }
    tell_bytes(op, hold);
    return EVS_OK;
}

static void free_slot(struct evs_op *op, struct hold *hold, uint32_t index)
{
    hold->slots[index] = (struct held){.next_free = hold->free_first};
    hold->free_first = index + 1;
    evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
}

static void release(struct evs_op *op, struct hold *hold, int64_t watermark_us)
{
    struct evs_timer due;
    while (evs_timers_pop(&hold->timers, watermark_us, &due)) {
        struct held *held = &hold->slots[due.payload];
        EVS_ASSERT(held->row != NULL && held->due_us == due.at_us);
        int64_t time_us = held->row->event_time_us > held->due_us ? held->row->event_time_us : held->due_us;
        evs_going_add(&hold->going, time_us, held->row);
        free_slot(op, hold, (uint32_t)due.payload);
    }
    evs_going_sort(&hold->going, &hold->keeper);
}

/* At a cut: their moment does not come in this run. */
static void drop_all(struct evs_op *op, struct hold *hold)
{
    struct evs_timer due;
    while (evs_timers_pop(&hold->timers, EVS_TIME_MAX, &due)) {
        evs_row_free(&hold->keeper.pool, hold->slots[due.payload].row);
        free_slot(op, hold, (uint32_t)due.payload);
    }
}

static evs_status hold_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct hold *hold = state;
    if (hold->going.count == 0) { /* else the credit was used up before all were out */
        release(op, hold, evs_op_is_cut(op) ? evs_op_watermark(op) : watermark_us);
    }
    evs_status status = evs_going_emit(op, &hold->keeper, &hold->going, EMIT_BATCHES);
    if (status == EVS_OK && evs_op_is_cut(op)) {
        drop_all(op, hold);
    }
    tell_bytes(op, hold);
    return status;
}

/* --- snapshots ------------------------------------------------------------------------------------------------------------------ */

struct stored_hold {
    int64_t due_us;
    uint64_t shape;
};

static void write_held(const struct hold *hold, const struct held *held, struct evs_snapshot_writer *writer)
{
    struct stored_hold head = {held->due_us, hold->keeper.shape};
    evs_snapshot_put(writer, SECTION_ROWS, EVS_RECORD_PUT, held->hash,
                     (struct evs_slice){(const char *)&head, sizeof head}, evs_row_slice(held->row));
}

static evs_status hold_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct hold *hold = state;
    (void)op;
    EVS_ASSERT(hold->going.count == 0);
    uint32_t count = full ? hold->slot_count : hold->dirty_count;
    for (uint32_t i = 0; i < count; i++) {
        struct held *held = &hold->slots[full ? i : hold->dirty[i]];
        if (held->row != NULL && (full || !held->saved)) { /* a slot may be listed twice */
            write_held(hold, held, writer);
            held->saved = true;
        }
    }
    hold->dirty_count = 0;
    return EVS_OK;
}

static evs_status hold_restore(struct evs_op *op, void *state, uint32_t version,
                               const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct hold *hold = state;
    struct stored_hold head;
    if (version != SNAPSHOT_VERSION || record->section != SECTION_ROWS || record->fixed.count != sizeof head) {
        return evs_fail(error, EVS_E_STATE, "The stored state of `hold` has an unknown version (%u).", version);
    }
    memcpy(&head, record->fixed.data, sizeof head);
    if (head.due_us <= evs_op_watermark(op)) {
        return EVS_OK;
    }
    struct evs_row *row;
    evs_status status = evs_keeper_restore(&hold->keeper, head.shape, record->variable, "hold", &row, error);
    if (status == EVS_OK) {
        add(op, hold, row, head.due_us, record->hash, true);
    }
    return status;
}

const struct evs_operator evs_op_hold = {
    .kind = "hold",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_HOLDS_WATERMARK | EVS_OP_ELASTIC,
    .snapshot_version = SNAPSHOT_VERSION,
    .stored_rows = 1 << SECTION_ROWS,
    .state_bytes = sizeof(struct hold),
    .inputs_max = 1,
    .emit_max = EMIT_BATCHES,
    .open = hold_open,
    .process = hold_process,
    .watermark = hold_watermark,
    .snapshot = hold_snapshot,
    .restore = hold_restore,
    .close = hold_close,
};
