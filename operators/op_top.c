/* top N by EXPR [desc] [partition by EXPR, …] inside a window, and row_number() over (partition by window_start, window_end, … order by …).
 *
 * Algorithm. The rows of a window and partition are offered to a heap of the best N (row_rank.h). When the watermark reaches the window's end they are
 * emitted, best first, and the heap goes. What is not among the best N is forgotten at once, so the state is N rows a partition, however many came.
 *
 *      (window_start, window_end, partition) ──► table entry ──► heap of N rows          timer at window_end
 *
 * `rank() <= N` keeps the rows that tie with the last one, too: a row goes when N rows are better. dense_rank, and ranks without a condition, have no limit
 * and keep the window's rows.
 *
 * Event time of a result: window_end - 1 µs, as of everything that a window decides; caused by the window; its ordinal is its place, and its identity in
 * trigger ids the partition.
 * Late rows: a row whose window is closed by the watermark (of its partition before the row, or the operator's if that is larger) is counted, and lost.
 * NULL in the partition is one group; NULL in the order is below everything (GoogleSQL). Ties: order of the key, then the columns.
 * Order: windows by their end, then by their start, partitions by their values, then the place.
 * Update streams are refused at compile time: a revision would be ranked beside the one that it replaces.
 * State: 16 bytes + 16 the window + 8 or 16 a partition column + 24 + 16 a row of the heap + the row itself (evstream/rows.h).
 * Recovery: one record a row that entered a heap. None is deleted: rows that were pushed out are offered again and pushed out again, and windows that the
 * watermark of the commit has closed are left out. Rejected: sorting the window's rows at its end (they would all be kept). */
#include "op_top.h"

#include <stdlib.h>

#include "evstream/keys.h"
#include "evstream/timer.h"
#include "key_store.h"
#include "row_judge.h"
#include "row_rank.h"

#define EMIT_BATCHES 4
#define SNAPSHOT_VERSION 1
enum { SECTION_ROWS = 0, KEY_START = 0, KEY_END = 1 };

struct top_out { /* a row on its way out */
    struct evs_row *row;
    int64_t start_us, end_us;
    int64_t numbers[3]; /* by enum evs_top_number */
};

struct top {
    const struct evs_top_config *config;
    struct evs_keeper keeper;
    struct evs_table_layout layout;
    struct evs_table table;
    struct evs_timers timers; /* at window_end; the payload is the entry's index */
    uint32_t *dirty;
    uint32_t dirty_count, dirty_capacity, epoch;
    bool durable, restored;
    struct top_out *out; /* released, not yet emitted */
    uint32_t out_count, out_capacity, out_at;
    uint32_t *due; /* entries of the windows that close */
    uint32_t due_count, due_capacity;
    int64_t told_bytes;
    uint64_t hashes[EVS_BATCH_ROWS];
};

static evs_status top_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct top *top = state;
    const struct evs_top_config *config = top->config = evs_op_config(op);
    const struct evs_schema *input = evs_op_input_schema(op, 0);
    enum evs_kind kinds[EVS_KEYS_MAX];
    (void)error;
    EVS_ASSERT(config->key_count >= 2 && config->key_count <= EVS_KEYS_MAX);
    EVS_ASSERT(input->count + config->number_count == evs_op_schema(op)->count);
    for (uint32_t i = 0; i < config->key_count; i++) {
        kinds[i] = input->fields[config->keys[i]].type->kind;
    }
    EVS_ASSERT(kinds[KEY_START] == EVS_TIMESTAMP && kinds[KEY_END] == EVS_TIMESTAMP);
    evs_keeper_init(&top->keeper, op);
    evs_table_layout_init(&top->layout, kinds, config->key_count, sizeof(struct evs_ranked));
    evs_table_init(&top->table, &top->layout);
    top->durable = evs_op_is_durable(op);
    top->epoch = 1;
    return EVS_OK;
}

static void top_close(struct evs_op *op, void *state)
{
    struct top *top = state;
    (void)op;
    if (top->epoch > 0) {
        evs_table_fini(&top->table);
    }
    evs_keeper_fini(&top->keeper);
    evs_timers_fini(&top->timers);
    evs_free(top->dirty);
    evs_free(top->out);
    evs_free(top->due);
}

static struct evs_ranking ranking_of(const struct top *top)
{
    return (struct evs_ranking){&top->keeper.layout, top->config->terms, top->config->term_count};
}

static struct evs_ranked *ranked_of(struct top *top, struct evs_entry *entry)
{
    return (struct evs_ranked *)evs_entry_values(&top->layout, entry);
}

static int64_t entry_time(struct top *top, struct evs_entry *entry, uint32_t key)
{
    int64_t time_us;
    memcpy(&time_us, evs_entry_key(&top->layout, entry, key), sizeof time_us);
    return time_us;
}

static void tell_bytes(struct evs_op *op, struct top *top)
{
    int64_t bytes = (int64_t)(evs_table_bytes(&top->table) + top->keeper.pool.used_bytes);
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - top->told_bytes);
    top->told_bytes = bytes;
}

/* --- rows ------------------------------------------------------------------------------------------------------------------------- */

static void offer(struct top *top, struct evs_entry *entry, struct evs_row *row, bool saved)
{
    struct evs_ranking ranking = ranking_of(top);
    struct evs_ranked_row offered = {.row = row, .saved = saved};
    if (top->config->keeps_ties) {
        evs_ranked_offer_tied(ranked_of(top, entry), &top->keeper.pool, &ranking, top->config->limit, offered);
        return;
    }
    struct evs_row *out =
        evs_ranked_offer(ranked_of(top, entry), &top->keeper.pool, &ranking, top->config->limit, offered);
    if (out != NULL) {
        evs_row_free(&top->keeper.pool, out);
    }
}

static void mark(struct top *top, struct evs_entry *entry, uint32_t index)
{
    if (top->durable && entry->epoch != top->epoch) {
        entry->epoch = top->epoch;
        EVS_GROW(top->dirty, top->dirty_count, top->dirty_capacity);
        top->dirty[top->dirty_count++] = index;
    }
}

static void take_row(struct evs_op *op, struct top *top, const struct evs_batch *batch, uint32_t row, uint64_t hash)
{
    const struct evs_column *ends = &batch->columns[top->config->keys[KEY_END]];
    int64_t end_us = *EVS_COLUMN_AT(ends, int64_t, row);
    if (!evs_column_is_valid(ends, row) || end_us <= evs_row_watermark(op, batch, row)) {
        evs_op_count(op, EVS_COUNT_LATE, 1);
        return;
    }
    uint32_t index;
    bool is_new;
    struct evs_entry *entry = evs_table_find_or_add(&top->table, hash, batch, row, top->config->keys, &index, &is_new);
    if (is_new) {
        evs_op_count(op, EVS_COUNT_STATE_KEYS, 1);
        evs_timers_arm(&top->timers, end_us, index);
    }
    offer(top, entry, evs_keeper_keep(&top->keeper, row), false);
    mark(top, entry, index);
}

/* Timers are not stored: they follow from the windows. */
static void arm_restored(struct top *top)
{
    top->restored = false;
    for (uint32_t i = 0; i < top->table.used; i++) {
        if (evs_table_is_live(&top->table, i)) {
            evs_timers_arm(&top->timers, entry_time(top, evs_table_at(&top->table, i), KEY_END), i);
        }
    }
}

static evs_status top_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct top *top = state;
    EVS_ASSERT(input == 0 && top->out_count == 0);
    if (top->restored) {
        arm_restored(top);
    }
    evs_key_hash_rows(batch, top->config->keys, top->config->key_count, top->hashes);
    evs_keeper_see(&top->keeper, batch);
    EVS_FOR_ROWS(batch, position, row) {
        take_row(op, top, batch, row, top->hashes[position]);
    }
    tell_bytes(op, top);
    return EVS_OK;
}

/* --- closing ---------------------------------------------------------------------------------------------------------------------- */

static int compare_groups(const void *a, const void *b, void *argument)
{
    struct top *top = argument;
    struct evs_entry *left = evs_table_at(&top->table, *(const uint32_t *)a);
    struct evs_entry *right = evs_table_at(&top->table, *(const uint32_t *)b);
    static const uint32_t ends_first[2] = {KEY_END, KEY_START};
    for (uint32_t i = 0; i < top->layout.key_count; i++) {
        uint32_t key = i < 2 ? ends_first[i] : i;
        struct evs_column columns[2] = {{.kind = top->layout.key_kind[key]}, {.kind = top->layout.key_kind[key]}};
        columns[0].data = evs_entry_key(&top->layout, left, key);
        columns[1].data = evs_entry_key(&top->layout, right, key);
        struct evs_value values[2] = {evs_column_value(&columns[0], 0), evs_column_value(&columns[1], 0)};
        values[0].is_null = (left->nulls >> key) & 1;
        values[1].is_null = (right->nulls >> key) & 1;
        int order = evs_value_compare(&values[0], &values[1]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

/* Three ways to number sorted rows. */
static void number(const struct evs_ranking *ranking, const struct evs_ranked *ranked, uint32_t at,
                   const int64_t before[3], int64_t numbers[3])
{
    bool is_tie = at > 0 && evs_order_compare(ranking->layout, ranking->terms, ranking->term_count,
                                              ranked->rows[at - 1].row, ranked->rows[at].row) == 0;
    numbers[EVS_TOP_ROW_NUMBER] = at + 1;
    numbers[EVS_TOP_RANK] = is_tie ? before[EVS_TOP_RANK] : at + 1;
    numbers[EVS_TOP_DENSE_RANK] = at == 0 ? 1 : before[EVS_TOP_DENSE_RANK] + !is_tie;
}

static void release_group(struct evs_op *op, struct top *top, uint32_t index)
{
    struct evs_entry *entry = evs_table_at(&top->table, index);
    struct evs_ranked *ranked = ranked_of(top, entry);
    struct evs_ranking ranking = ranking_of(top);
    int64_t before[3] = {0};
    evs_ranked_sort(ranked, &ranking);
    for (uint32_t i = 0; i < ranked->count; i++) {
        struct top_out out = {
            ranked->rows[i].row, entry_time(top, entry, KEY_START), entry_time(top, entry, KEY_END), {0}};
        number(&ranking, ranked, i, before, out.numbers);
        memcpy(before, out.numbers, sizeof before);
        EVS_GROW(top->out, top->out_count, top->out_capacity);
        top->out[top->out_count++] = out;
    }
    evs_ranked_fini(ranked, &top->keeper.pool);
    evs_table_remove(&top->table, index);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
}

static void close_windows(struct evs_op *op, struct top *top, int64_t watermark_us)
{
    struct evs_timer due;
    top->due_count = 0;
    while (evs_timers_pop(&top->timers, watermark_us, &due)) {
        EVS_ASSERT(evs_table_is_live(&top->table, (uint32_t)due.payload));
        EVS_GROW(top->due, top->due_count, top->due_capacity);
        top->due[top->due_count++] = (uint32_t)due.payload;
    }
    if (top->due_count > 1) {
        qsort_r(top->due, top->due_count, sizeof *top->due, compare_groups, top);
    }
    for (uint32_t i = 0; i < top->due_count; i++) {
        release_group(op, top, top->due[i]);
    }
    evs_key_compact(&top->table);
}

static void put_identity(const struct top *top, struct evs_batch *batch, uint32_t row, struct evs_buffer *scratch)
{
    scratch->count = 0;
    evs_key_encode(batch, row, top->config->keys + 2, top->config->key_count - 2, scratch);
    batch->key[row] = evs_hash128(scratch->data, scratch->count);
}

static void put_numbers(const struct top *top, struct evs_batch *batch, const struct top_out *out)
{
    for (uint32_t i = 0; i < top->config->number_count; i++) {
        struct evs_column *column = &batch->columns[top->keeper.column_count + i];
        evs_column_init(column, batch, EVS_INT64, batch->row_count, false);
        for (uint32_t row = 0; row < batch->row_count; row++) {
            ((int64_t *)column->data)[row] = out[row].numbers[top->config->numbers[i]];
        }
    }
}

static struct evs_batch *result_batch(struct evs_op *op, struct top *top, const struct top_out *out, uint32_t count)
{
    struct evs_going_row rows[EVS_BATCH_ROWS];
    struct evs_buffer scratch = {0};
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = (struct evs_going_row){.time_us = out[i].end_us - 1, .row = out[i].row};
    }
    struct evs_batch *batch = evs_keeper_batch(op, &top->keeper, rows, count);
    batch->cause_kind = EVS_CAUSE_WINDOW;
    batch->lineage = 0; /* of no branch: the window's rows came through all of them */
    batch->key = evs_op_wants_key(op) ? evs_arena_alloc(batch->arena, count * sizeof *batch->key, 64) : NULL;
    for (uint32_t i = 0; i < count; i++) {
        batch->cause[i] = (struct evs_cause){(uint64_t)out[i].start_us, (uint64_t)out[i].end_us};
        batch->ordinal[i] = (uint32_t)out[i].numbers[EVS_TOP_ROW_NUMBER] - 1;
        if (batch->key != NULL) {
            put_identity(top, batch, i, &scratch);
        }
    }
    put_numbers(top, batch, out);
    evs_buffer_fini(&scratch);
    return batch;
}

static evs_status top_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct top *top = state;
    if (top->restored) {
        arm_restored(top);
    }
    if (top->out_count == 0) { /* else the credit was used up before all were out */
        close_windows(op, top, watermark_us);
    }
    for (uint32_t emitted = 0; top->out_at < top->out_count; emitted++) {
        if (emitted == EMIT_BATCHES) {
            return EVS_MORE;
        }
        uint32_t left = top->out_count - top->out_at, count = left < EVS_BATCH_ROWS ? left : EVS_BATCH_ROWS;
        evs_emit(op, 0, result_batch(op, top, &top->out[top->out_at], count));
        for (uint32_t i = 0; i < count; i++) {
            evs_row_free(&top->keeper.pool, top->out[top->out_at + i].row);
        }
        top->out_at += count;
    }
    top->out_at = top->out_count = 0;
    tell_bytes(op, top);
    return EVS_OK;
}

/* --- snapshots ---------------------------------------------------------------------------------------------------------------------- */

struct stored_top { /* of the fixed bytes, before the key */
    uint64_t shape;
    uint32_t nulls, reserved;
};

static void write_group(struct top *top, struct evs_snapshot_writer *writer, struct evs_entry *entry, bool full,
                        struct evs_buffer parts[2])
{
    struct evs_ranked *ranked = ranked_of(top, entry);
    struct stored_top head = {top->keeper.shape, entry->nulls, 0};
    for (uint32_t i = 0; i < ranked->count; i++) {
        struct evs_ranked_row *kept = &ranked->rows[i];
        if (!full && kept->saved) {
            continue;
        }
        kept->saved = true;
        struct evs_slice row = evs_row_slice(kept->row);
        parts[0].count = parts[1].count = 0;
        evs_buffer_put(&parts[0], &head, sizeof head);
        evs_key_store(&top->layout, entry, &parts[0], &parts[1]);
        evs_buffer_put(&parts[1], row.data, row.count);
        evs_snapshot_put(writer, SECTION_ROWS, EVS_RECORD_PUT, entry->hash,
                         (struct evs_slice){parts[0].data, parts[0].count},
                         (struct evs_slice){parts[1].data, parts[1].count});
    }
}

struct writing {
    struct top *top;
    struct evs_snapshot_writer *writer;
    bool full;
    struct evs_buffer parts[2];
};

static void write_entry(void *argument, uint32_t index, struct evs_entry *entry)
{
    struct writing *to = argument;
    (void)index;
    write_group(to->top, to->writer, entry, to->full, to->parts);
}

static evs_status top_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct top *top = state;
    struct writing to = {.top = top, .writer = writer, .full = full};
    (void)op;
    EVS_ASSERT(top->out_count == 0);
    for (uint32_t i = 0; !full && i < top->dirty_count; i++) {
        evs_table_prefetch_ahead(&top->table, top->dirty, top->dirty_count, i);
        struct evs_entry *entry = evs_table_at(&top->table, top->dirty[i]);
        if (evs_table_is_live(&top->table, top->dirty[i]) && evs_snapshot_takes(writer, entry->hash)) {
            write_entry(&to, top->dirty[i], entry);
        }
    }
    if (full) {
        evs_snapshot_walk(writer, &top->table, write_entry, &to);
    }
    top->dirty_count = 0;
    top->epoch++;
    evs_buffer_fini(&to.parts[0]);
    evs_buffer_fini(&to.parts[1]);
    return EVS_OK;
}

static evs_status top_restore(struct evs_op *op, void *state, uint32_t version,
                              const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct top *top = state;
    struct stored_top head;
    if (version != SNAPSHOT_VERSION || record->section != SECTION_ROWS ||
        record->fixed.count != sizeof head + evs_key_store_bytes(&top->layout)) {
        return evs_fail(error, EVS_E_STATE, "The stored state of `top` has an unknown version (%u).", version);
    }
    memcpy(&head, record->fixed.data, sizeof head);
    int64_t end_us;
    memcpy(&end_us, record->fixed.data + sizeof head + top->layout.key_offset[KEY_END] - sizeof(struct evs_entry),
           sizeof end_us);
    if (end_us <= evs_op_watermark(op)) {
        return EVS_OK;
    }
    struct evs_slice text = record->variable;
    bool is_new = false;
    struct evs_entry *entry =
        evs_key_load(&top->table, record->hash, head.nulls, record->fixed.data + sizeof head, &text, &is_new);
    if (entry == NULL) {
        return evs_fail(error, EVS_E_CORRUPT, "A stored window of `top` does not decode.");
    }
    struct evs_row *row;
    evs_status status = evs_keeper_restore(&top->keeper, head.shape, text, "top", &row, error);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
    top->restored = true;
    if (status == EVS_OK) {
        offer(top, entry, row, true);
    }
    return status;
}

const struct evs_operator evs_op_top = {
    .kind = "top",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_HOLDS_WATERMARK | EVS_OP_ELASTIC,
    .snapshot_version = SNAPSHOT_VERSION,
    .state_bytes = sizeof(struct top),
    .inputs_max = 1,
    .emit_max = EMIT_BATCHES,
    .stored_key = {.sections = 1 << SECTION_ROWS,
                   .nulls_at = offsetof(struct stored_top, nulls),
                   .key_at = sizeof(struct stored_top)},
    .open = top_open,
    .process = top_process,
    .watermark = top_watermark,
    .snapshot = top_snapshot,
    .restore = top_restore,
    .close = top_close,
};
