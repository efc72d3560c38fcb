/* f(…) over (partition by … order by EVENT_TIME [rows | range between … preceding and current row] [retain INTERVAL]).
 *
 * Algorithm. A row waits until the watermark has passed its time (W > ts): then no earlier row of its partition can come any more. Released rows are
 * evaluated in event-time order, ties by the order of the key; the row leaves with its own time, and the results as columns behind its own.
 *
 *      process ──► slots, a timer each ──► watermark: released rows, sorted ──► frames of the row's partition ──► row + results
 *
 * Frames (over_frame.c). Of unbounded ones an accumulator is kept, O(1) a row. Bounded ones look at their rows, which are kept: long ones as sums
 * of parts (over_sums.c), O(1) a row whatever the frame's length, but for sums of float64, text and what keeps many values: there a row costs its frame. Subtraction
 * is rejected: it is not exact. In a range frame rows of one moment are peers and see each other; in a rows frame each sees those before it.
 *
 * Retention. A partition is forgotten when its next row comes `retain` or more after its latest one; that is a matter of the rows' times alone. Memory is
 * given back when the watermark has reached latest + retain, after which no nearer row can come.
 *
 * Late rows (ts below the watermark of the partition before the row, or the operator's): counted and lost, for the rows behind them are out already.
 * NULL keys are one partition. A result that does not fit its type sends its row to the dead letter.
 * State: one row each that waits or is in a frame, and 24 bytes; a partition: 16 bytes + key + 64 + its accumulators, and the directory.
 * Recovery: over_state.c. Update streams are refused at compile time. FOLLOWING and lead are refused: they look at rows to come. */
#include "op_over.h"

#include <stdlib.h>

#include "evstream/keys.h"
#include "over_state.h"
#include "row_judge.h"
#include "value_order.h"

#define EMIT_BATCHES 4

/* --- opening ------------------------------------------------------------------------------------------------------------------------ */

static void layout_init(struct over *over, const struct evs_schema *input)
{
    const struct evs_over_config *config = over->config;
    enum evs_kind kinds[EVS_KEYS_MAX];
    EVS_ASSERT(config->key_count <= EVS_KEYS_MAX);
    for (uint32_t i = 0; i < config->key_count; i++) {
        EVS_ASSERT(config->keys[i] < input->count);
        kinds[i] = input->fields[config->keys[i]].type->kind;
    }
    evs_table_layout_init(&over->layout, kinds, config->key_count,
                          (uint32_t)sizeof(struct over_key) + over->accumulators_bytes);
    evs_table_init(&over->table, &over->layout);
}

static void look_back(struct over *over, const struct evs_over_call *call)
{
    int64_t rows = call->kind == EVS_OVER_LAG ? call->number : 0;
    if (call->kind == EVS_OVER_AGGREGATE || call->kind == EVS_OVER_NTH_VALUE) {
        rows = call->frame == EVS_OVER_ROWS ? call->preceding : 0;
        int64_t range_us = call->frame == EVS_OVER_RANGE ? call->preceding : -1;
        over->range_back_us = range_us > over->range_back_us ? range_us : over->range_back_us;
        over->keeps_history = over->keeps_history || !evs_over_is_running(call);
    }
    over->keeps_history = over->keeps_history || call->kind == EVS_OVER_LAG;
    over->rows_back = rows > over->rows_back ? (uint32_t)rows : over->rows_back;
}

static void calls_init(struct over *over)
{
    const struct evs_over_config *config = over->config;
    over->calls = evs_alloc_zero((config->call_count + 1u) * sizeof *over->calls);
    over->is_summed = evs_alloc_zero((config->call_count + 1u) * sizeof *over->is_summed);
    over->range_back_us = -1;
    for (uint32_t i = 0; i < config->call_count; i++) {
        const struct evs_over_call *call = &config->calls[i];
        if (call->kind == EVS_OVER_AGGREGATE) {
            bool is_running = evs_over_is_running(call);
            uint32_t offset = is_running ? (uint32_t)sizeof(struct over_key) + over->accumulators_bytes : 0;
            over->calls[i] = evs_agg_call(&call->aggregate, offset);
            over->accumulators_bytes += is_running ? over->calls[i].bytes : 0;
            over->is_summed[i] = !is_running && evs_over_can_sum(over, i);
            EVS_ASSERT(!is_running || !over->calls[i].has_parts); /* the binder refuses what is large */
        }
        look_back(over, call);
    }
}

static evs_status over_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct over *over = state;
    const struct evs_schema *input = evs_op_input_schema(op, 0);
    (void)error;
    over->config = evs_op_config(op);
    over->durable = evs_op_is_durable(op);
    over->epoch = 1;
    EVS_ASSERT(input->count + over->config->call_count == evs_op_schema(op)->count);
    evs_keeper_init(&over->keeper, op);
    calls_init(over);
    layout_init(over, input);
    evs_over_frames_init(over, input);
    return EVS_OK;
}

static void over_close(struct evs_op *op, void *state)
{
    struct over *over = state;
    (void)op;
    if (over->epoch > 0) {
        for (uint32_t i = 0; i < over->table.used; i++) {
            if (evs_table_is_live(&over->table, i)) {
                evs_over_sums_free(over, evs_over_key(over, evs_table_at(&over->table, i)));
            }
        }
        evs_table_fini(&over->table);
        evs_over_frames_fini(over);
    }
    for (uint32_t i = 0; over->calls != NULL && i < over->config->call_count; i++) {
        if (over->config->calls[i].kind == EVS_OVER_AGGREGATE) {
            evs_agg_call_fini(&over->calls[i]);
        }
    }
    evs_keeper_fini(&over->keeper);
    evs_timers_fini(&over->timers);
    evs_timers_fini(&over->expiry);
    evs_free(over->calls);
    evs_free(over->is_summed);
    evs_free(over->slots);
    evs_free(over->due);
    evs_free(over->dirty_slots);
    evs_free(over->dirty_entries);
}

/* --- rows that come ------------------------------------------------------------------------------------------------------------------ */

static evs_status over_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct over *over = state;
    const struct evs_over_config *config = over->config;
    EVS_ASSERT(input == 0 && over->due_count == 0);
    evs_over_settle(op, over);
    evs_key_hash_rows(batch, config->keys, config->key_count, over->hashes);
    evs_keeper_see(&over->keeper, batch);
    EVS_FOR_ROWS(batch, position, row) {
        uint32_t index;
        bool is_new;
        if (batch->event_time_us[row] < evs_row_watermark(op, batch, row)) {
            evs_op_count(op, EVS_COUNT_LATE, 1);
            continue;
        }
        evs_table_find_or_add(&over->table, over->hashes[position], batch, row, config->keys, &index, &is_new);
        evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
        evs_over_wait(over, evs_keeper_keep(&over->keeper, row), index);
    }
    evs_over_tell_bytes(op, over);
    return EVS_OK;
}

/* --- rows that are released ------------------------------------------------------------------------------------------------------------- */

static int by_order(const void *a, const void *b, void *argument)
{
    const struct over_due *left = a, *right = b;
    const struct over *over = argument;
    return evs_tie_compare(&over->keeper.layout, left->row, right->row);
}

/* Links the rows of one partition and moment, each to the next. */
static void link_peers(struct over *over)
{
    for (uint32_t i = 0; i < over->due_count; i++) {
        struct over_due *due = &over->due[i];
        struct over_key *key = evs_over_key(over, evs_table_at(&over->table, due->entry));
        struct over_due *before = key->due_last > 0 ? &over->due[key->due_last - 1] : NULL;
        bool is_peer = before != NULL && before->row->event_time_us == due->row->event_time_us;
        due->is_first = !is_peer;
        due->is_last = true;
        if (is_peer) {
            before->next = i + 1;
            before->is_last = false;
        }
        key->due_last = i + 1;
    }
    for (uint32_t i = 0; i < over->due_count; i++) {
        evs_over_key(over, evs_table_at(&over->table, over->due[i].entry))->due_last = 0;
    }
}

static void release(struct over *over, int64_t watermark_us)
{
    struct evs_timer timer;
    while (evs_timers_pop(&over->timers, evs_timers_passed(watermark_us), &timer)) {
        struct over_slot *slot = &over->slots[timer.payload];
        EVS_ASSERT(slot->row != NULL);
        EVS_GROW(over->due, over->due_count, over->due_capacity);
        over->due[over->due_count++] = (struct over_due){.row = slot->row, .entry = slot->entry};
        *slot = (struct over_slot){.next_free = over->slot_free};
        over->slot_free = (uint32_t)timer.payload + 1;
    }
    if (over->due_count > 1) {
        qsort_r(over->due, over->due_count, sizeof *over->due, by_order, over);
    }
    link_peers(over);
}

/* The first row of a moment: a partition that was silent for long begins anew; all its peers come into the history. */
static void begin_moment(struct over *over, struct evs_entry *entry, const struct over_due *due)
{
    struct over_key *key = evs_over_key(over, entry);
    if (key->count > 0 && evs_over_forget_us(over, key) <= due->row->event_time_us) {
        evs_over_reset(over, entry);
    }
    key->rank = key->count + 1;
    key->dense_rank++;
    key->latest_us = due->row->event_time_us;
    key->at = key->history.count;
    for (const struct over_due *peer = due; over->keeps_history; peer = &over->due[peer->next - 1]) {
        evs_row_list_insert(&key->history, &over->keeper.pool, peer->row);
        if (peer->next == 0) {
            break;
        }
    }
}

static void put_value(struct evs_batch *batch, struct evs_column *column, uint32_t row, const struct evs_value *value)
{
    uint32_t width = evs_kind_width(column->kind);
    uint8_t *to = (uint8_t *)column->data + (size_t)row * width;
    memset(to, 0, width);
    if (value->is_null) {
        evs_column_set_null(column, row);
    } else if (evs_kind_is_var(column->kind)) {
        struct evs_str kept = evs_str_keep(batch->arena, &value->str);
        memcpy(to, &kept, width);
    } else if (column->kind == EVS_BOOL) {
        *to = value->boolean;
    } else {
        memcpy(to, &value->str, width);
    }
}

static void dead_letter(struct evs_op *op, const struct over *over, const struct evs_batch *batch, uint32_t row,
                        uint32_t call, enum evs_agg_outcome outcome)
{
    const struct evs_agg_failure *failure = evs_agg_failure(outcome);
    struct evs_row_error error = {.reason = failure->reason,
                                  .code = failure->code,
                                  .message = failure->message,
                                  .expression = over->config->calls[call].text,
                                  .file = over->config->file,
                                  .line = over->config->line};
    evs_op_dead_letter(op, evs_op_input_schema(op, 0), batch, row, &error);
}

/* Row `row` of the batch: into its partition's frames, and its results. False: it fails. */
static bool evaluate(struct evs_op *op, struct over *over, const struct over_due *due, struct evs_batch *batch,
                     uint32_t row)
{
    struct evs_entry *entry = evs_table_at(&over->table, due->entry);
    struct over_key *key = evs_over_key(over, entry);
    bool is_good = true;
    if (due->is_first) {
        begin_moment(over, entry, due);
    }
    key->count++;
    key->waiting--;
    evs_over_advance(over, entry, due);
    for (uint32_t i = 0; i < over->config->call_count; i++) {
        struct evs_value value = {.is_null = true};
        enum evs_agg_outcome failed;
        if (is_good && !evs_over_result(over, entry, due, i, batch->arena, &value, &failed)) {
            dead_letter(op, over, batch, row, i, failed);
            is_good = false;
            value.is_null = true;
        }
        put_value(batch, &batch->columns[over->keeper.column_count + i], row, &value);
    }
    key->at++;
    if (due->is_last) {
        evs_over_prune(over, key);
        evs_over_arm(over, entry, due->entry);
    }
    evs_over_mark(over, entry, due->entry);
    return is_good;
}

/* The rows as a batch, with room for the results. */
static struct evs_batch *due_batch(struct evs_op *op, struct over *over, const struct over_due *due, uint32_t *count)
{
    struct evs_going_row rows[EVS_BATCH_ROWS];
    uint32_t most = *count < EVS_BATCH_ROWS ? *count : EVS_BATCH_ROWS;
    for (uint32_t i = 0; i < most; i++) {
        rows[i] = (struct evs_going_row){.time_us = due[i].row->event_time_us, .row = due[i].row};
    }
    *count = evs_keeper_alike(&over->keeper, rows, most);
    struct evs_batch *batch = evs_keeper_batch(op, &over->keeper, rows, *count);
    for (uint32_t i = 0; i < over->config->call_count; i++) {
        evs_column_init(&batch->columns[over->keeper.column_count + i], batch, over->config->calls[i].result_kind,
                        *count, true);
    }
    return batch;
}

/* Evaluates and emits the next rows. Those that no frame keeps are freed. */
static void emit_due(struct evs_op *op, struct over *over)
{
    const struct over_due *due = &over->due[over->due_at];
    uint32_t count = over->due_count - over->due_at, good = 0;
    struct evs_batch *batch = due_batch(op, over, due, &count);
    uint16_t *selection = evs_arena_alloc(batch->arena, count * sizeof *selection + 64, 64);
    for (uint32_t i = 0; i < count; i++) {
        selection[good] = (uint16_t)i;
        good += evaluate(op, over, &due[i], batch, i);
        if (!over->keeps_history) {
            evs_row_free(&over->keeper.pool, due[i].row);
        }
    }
    batch->selection = good < count ? selection : NULL;
    batch->selected_count = good;
    over->due_at += count;
    evs_emit(op, 0, batch);
}

static evs_status over_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct over *over = state;
    evs_over_settle(op, over);
    if (over->due_count == 0) { /* else the credit was used up before all were out */
        release(over, watermark_us);
    }
    for (uint32_t emitted = 0; over->due_at < over->due_count; emitted++) {
        if (emitted == EMIT_BATCHES) {
            return EVS_MORE;
        }
        emit_due(op, over);
    }
    over->due_at = over->due_count = 0;
    evs_over_expire(op, over, watermark_us);
    evs_over_tell_bytes(op, over);
    return EVS_OK;
}

const struct evs_operator evs_op_over = {
    .kind = "over",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_HOLDS_WATERMARK | EVS_OP_ELASTIC,
    .snapshot_version = EVS_OVER_SNAPSHOT_VERSION,
    .stored_rows = 1 << 0 /* over_state.c */,
    .state_bytes = sizeof(struct over),
    .inputs_max = 1,
    .emit_max = EMIT_BATCHES,
    .stored_key = EVS_OVER_STORED_KEY,
    .open = over_open,
    .process = over_process,
    .watermark = over_watermark,
    .snapshot = evs_over_snapshot,
    .restore = evs_over_restore,
    .close = over_close,
};
