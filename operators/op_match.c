/* match_recognize: GoogleSQL's patterns over the rows of a partition, plus `within`.
 *
 * Algorithm. Rows are taken in the order of their partition, when the watermark has passed them (keyed_rows.h); which symbols a row is has been found on
 * arrival. Each partition has a matcher (pattern_match.h) and the rows that the open match may still need, from its beginning on. A match is
 * given out as soon as no further row can change it: not when the partition ends, and not one row later than needed. Matches of a partition come
 * in the order of their beginnings.
 *
 * `within`: a match's last row comes at most so long after its first one. A beginning is therefore decided when W has passed its time + within, at
 * the latest. Without it the input must have an end, or partitions would be remembered for ever.
 *
 * Event time of a match: the moment that decides it, which is its last row, or the row or the deadline that shows that it goes no further;
 * with the time of its last row it could be late for whatever comes behind. Cause: a window, from its first row to that moment; identity in a
 * trigger's id: the whole first row. A row begins at most one match.
 *
 * The end of the input (W = +infinity) is the end of every partition: `$` holds there. What has a deadline is decided by it, as ever; the rest comes in the order of
 * the partitions' last rows.
 *
 * Memory. A partition with rows takes 120 bytes, its key columns and 16 of directory; a buffered row takes 24 and itself, 8 for its place, 8 for its symbols
 * and 16 for each 64 states of the pattern. Partitions without rows are forgotten, unless match_number() or ^ need them.
 * Bound: within, and rows_max for each partition: when so many rows wait, the match at the front is decided with them; counted.
 *
 * Snapshots: pending rows, and each partition that has changed as one record with its rows; deleted when it is forgotten. The matcher's state is
 * found again from the rows. Late rows are counted, or go to `late into`. NULL is a key like any other. */
#include "op_match.h"

#include "evstream/trace.h"
#include <stdlib.h>

#include "match_state.h"
#include "row_judge.h"

static evs_status match_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct match *match = state;
    (void)error;
    match->config = evs_op_config(op);
    match->is_durable = evs_op_is_durable(op);
    EVS_ASSERT(match->config->rows_max > 0);
    evs_keyed_open(&match->rows, op, &match->config->rows, sizeof(struct partition));
    match->scratch = evs_match_scratch_new(&match->config->pattern);
    match->measuring = evs_measuring_new(&match->rows.layout);
    return EVS_OK;
}

static void match_close(struct evs_op *op, void *state)
{
    struct match *match = state;
    (void)op;
    if (match->config == NULL) {
        return;
    }
    if (match->out != NULL) {
        evs_batch_unref(match->out);
    }
    evs_match_scratch_free(match->scratch);
    evs_measuring_free(match->measuring);
    evs_keyed_close(&match->rows); /* with all partitions */
    evs_timers_fini(&match->deadlines);
    evs_free(match->finals);
    evs_free(match->view_rows);
    evs_free(match->dirty);
    evs_buffer_fini(&match->deleted);
}

static void tell_bytes(struct evs_op *op, struct match *match)
{
    size_t timers = match->deadlines.capacity * sizeof *match->deadlines.heap;
    int64_t bytes = (int64_t)(evs_keyed_bytes(&match->rows) + timers);
    evs_op_count(op, EVS_COUNT_STATE_BYTES, bytes - match->told_bytes);
    match->told_bytes = bytes;
}

/* --- rows of a partition -------------------------------------------------------------------------------------------------------------- */

static void make_room(struct match *match, struct partition *partition)
{
    struct evs_row_pool *pool = &match->rows.pool;
    uint32_t count = partition->matching.count, capacity = partition->capacity;
    if (partition->first + count < capacity) {
        return;
    }
    if (partition->first > capacity / 2) {
        memmove(partition->rows, partition->rows + partition->first, count * sizeof *partition->rows);
        partition->first = 0;
        return;
    }
    uint32_t larger = capacity == 0 ? 4 : capacity * 2;
    struct evs_keyed_row **rows = evs_row_pool_take(pool, larger * sizeof *rows);
    if (capacity > 0) {
        memcpy(rows, partition->rows + partition->first, count * sizeof *rows);
        evs_row_pool_give(pool, partition->rows, capacity * sizeof *rows);
    }
    partition->rows = rows;
    partition->capacity = larger;
    partition->first = 0;
}

static struct evs_keyed_row *row_at(const struct partition *partition, uint32_t row)
{
    EVS_ASSERT(row < partition->matching.count);
    return partition->rows[partition->first + row];
}

/* Takes the reference. */
void evs_match_mark(struct match *match, uint32_t entry)
{
    struct partition *partition = evs_match_partition(match, entry);
    if (match->is_durable && !partition->is_dirty) {
        partition->is_dirty = true;
        EVS_GROW(match->dirty, match->dirty_count, match->dirty_capacity);
        match->dirty[match->dirty_count++] = entry;
    }
}

void evs_match_append(struct match *match, struct evs_op *op, struct evs_keyed_row *row)
{
    struct partition *partition = evs_match_partition(match, row->entry);
    if (!partition->is_held) {
        partition->is_held = true;
        partition->armed_us = EVS_TIME_MAX;
        evs_keyed_hold(&match->rows, op, row->entry);
    }
    make_room(match, partition);
    partition->rows[partition->first + partition->matching.count] = row;
    if (!partition->is_known) {
        partition->is_known = partition->matching.is_first = true;
    }
    evs_match_add(&partition->matching, match->scratch, &match->rows.pool, row->mask);
}

static void drop_rows(struct match *match, struct partition *partition, uint32_t rows)
{
    for (uint32_t i = 0; i < rows; i++) {
        evs_keyed_row_release(&match->rows, row_at(partition, i));
    }
    evs_match_skip(&partition->matching, match->scratch, &match->rows.pool, rows);
    partition->first += rows;
    if (partition->matching.count == 0) {
        evs_row_pool_give(&match->rows.pool, partition->rows, partition->capacity * sizeof *partition->rows);
        partition->rows = NULL;
        partition->first = partition->capacity = 0;
    }
}

/* Nothing is known of the partition any more. */
static void forget(struct match *match, struct evs_op *op, uint32_t entry)
{
    struct partition *partition = evs_match_partition(match, entry);
    if (partition->matching.count > 0 || !partition->is_held || match->config->remembers) {
        return;
    }
    if (partition->is_saved) {
        evs_match_remember_deleted(match, entry);
    }
    *partition = (struct partition){0};
    evs_keyed_drop(&match->rows, op, entry);
}

static int64_t deadline_of(const struct match *match, const struct partition *partition)
{
    if (match->config->within_us == EVS_MATCH_NEVER || partition->matching.count == 0) {
        return EVS_TIME_MAX;
    }
    return evs_time_plus(row_at(partition, 0)->row.event_time_us, match->config->within_us);
}

void evs_match_arm(struct match *match, uint32_t entry)
{
    struct partition *partition = evs_match_partition(match, entry);
    int64_t deadline_us = deadline_of(match, partition);
    /* `$` waits for the end: how far the watermark comes before it is not the same in every run. */
    if (deadline_us < partition->armed_us && !match->config->pattern.has_last) {
        partition->armed_us = deadline_us;
        evs_timers_arm(&match->deadlines, deadline_us, entry);
    }
}

/* --- results ---------------------------------------------------------------------------------------------------------------------------- */

static struct evs_batch *new_output(struct evs_op *op)
{
    struct evs_batch *batch = evs_op_new_batch(op);
    const struct evs_schema *schema = evs_op_schema(op);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    batch->ordinal = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof *batch->ordinal, 64);
    for (uint32_t i = 0; i < schema->count; i++) {
        evs_column_init(&batch->columns[i], batch, schema->fields[i].type->kind, EVS_BATCH_ROWS, true);
    }
    if (evs_op_wants_key(op)) {
        batch->key = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof *batch->key, 64);
    }
    batch->cause_kind = EVS_CAUSE_WINDOW;
    return batch;
}

static void flush(struct match *match, struct evs_op *op)
{
    if (match->out != NULL) {
        match->emitted += match->out->selected_count > 0;
        evs_emit(op, 0, match->out);
        match->out = NULL;
    }
}

static struct evs_match_view view_of(struct match *match, const struct partition *partition, uint32_t rows)
{
    while (match->view_capacity < rows) {
        EVS_GROW(match->view_rows, match->view_capacity, match->view_capacity);
    }
    for (uint32_t i = 0; i < rows; i++) {
        match->view_rows[i] = &row_at(partition, i)->row;
    }
    return (struct evs_match_view){
        .begin = &row_at(partition, 0)->row,
        .rows = match->view_rows,
        .parts = evs_match_symbols(&partition->matching, match->scratch),
        .count = rows,
        .number = partition->matches,
    };
}

static bool write_measures(struct match *match, struct evs_op *op, struct evs_batch *batch, uint32_t row,
                           const struct evs_match_view *view)
{
    const struct evs_match_config *config = match->config;
    const struct evs_agg_failure *failure = NULL;
    const char *text = NULL;
    for (uint32_t i = 0; i < config->measure_count; i++) {
        const struct evs_measure *measure = &config->measures[i];
        const struct evs_agg_failure *failed =
            evs_measure(match->measuring, measure, view, batch, &batch->columns[i], row);
        text = failed != NULL ? measure->call.text : text;
        failure = failed != NULL ? failed : failure;
    }
    if (failure == NULL) {
        return true;
    }
    struct evs_row_error error = {failure->reason, failure->code, failure->message, text, config->file, config->line};
    batch->row_count++; /* for the dead letter, which shows the row */
    evs_op_dead_letter(op, evs_op_schema(op), batch, row, &error);
    batch->row_count--;
    return false;
}

static void write_match(struct match *match, struct evs_op *op, struct partition *partition, uint32_t rows,
                        int64_t at_us)
{
    if (match->out != NULL && match->out->row_count == EVS_BATCH_ROWS) {
        flush(match, op);
    }
    if (match->out == NULL) {
        match->out = new_output(op);
    }
    struct evs_batch *batch = match->out;
    uint32_t row = batch->row_count;
    partition->matches++;
    struct evs_match_view view = view_of(match, partition, rows);
    batch->event_time_us[row] = at_us;
    batch->cause[row] = (struct evs_cause){(uint64_t)view.begin->event_time_us, (uint64_t)match->cause_us};
    batch->ordinal[row] = view.begin->ordinal;
    if (batch->key != NULL) {
        struct evs_slice first = evs_row_slice(view.begin);
        batch->key[row] = evs_hash128(first.data, first.count);
    }
    if (EVS_UNLIKELY(evs_op_traces(op))) {
        evs_op_trace_rows(op, batch, row, view.rows, view.count);
    }
    batch->min_time_us = at_us < batch->min_time_us ? at_us : batch->min_time_us;
    batch->max_time_us = at_us > batch->max_time_us ? at_us : batch->max_time_us;
    if (write_measures(match, op, batch, row, &view)) {
        batch->row_count = batch->selected_count = row + 1;
    }
}

/* --- advancing ---------------------------------------------------------------------------------------------------------------------------- */

/* Rows that can belong to a match that begins at row 0. */
static uint32_t rows_within(const struct partition *partition, int64_t deadline_us)
{
    uint32_t low = 0, high = partition->matching.count;
    if (row_at(partition, high - 1)->row.event_time_us <= deadline_us) {
        return high;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (row_at(partition, middle)->row.event_time_us <= deadline_us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* One beginning of the current partition. False: it takes more to know. */
static bool advance_once(struct match *match, struct evs_op *op, struct partition *partition)
{
    struct evs_matching *matching = &partition->matching;
    int64_t deadline_us = deadline_of(match, partition);
    uint32_t limit = rows_within(partition, deadline_us), rows = 0, skipped = 1;
    bool is_end = match->is_current_end && limit == matching->count;
    bool is_full = matching->count >= match->config->rows_max;
    bool is_closed =
        limit < matching->count || (match->is_current_closed && deadline_us <= match->current_us) || is_full;
    enum evs_match_outcome outcome =
        evs_match_look(matching, match->scratch, &match->rows.pool, limit, is_closed, is_end, &rows);
    if (outcome == EVS_MATCH_OPEN) {
        return false;
    }
    evs_op_count(op, EVS_COUNT_LIMITED, is_full && matching->is_closed);
    if (outcome == EVS_MATCH_FOUND) {
        write_match(match, op, partition, rows, match->current_us);
        skipped = match->config->skips_to_next || rows == 0 ? 1 : rows;
    }
    drop_rows(match, partition, skipped);
    evs_match_mark(match, match->current);
    return true;
}

/* EVS_MORE: the credit is used up; the partition stays the current one. */
static evs_status advance(struct match *match, struct evs_op *op)
{
    struct partition *partition = evs_match_partition(match, match->current);
    while (partition->matching.count > 0) {
        if (match->emitted + 2 > EVS_MATCH_EMIT_BATCHES) {
            return EVS_MORE;
        }
        if (!advance_once(match, op, partition)) {
            break;
        }
    }
    evs_match_arm(match, match->current);
    uint32_t entry = match->current;
    match->has_current = false;
    forget(match, op, entry);
    evs_keyed_drop(&match->rows, op, entry); /* the event's own hold */
    return EVS_OK;
}

static void set_current(struct match *match, uint32_t entry, int64_t at_us, bool is_closed, bool is_end)
{
    EVS_ASSERT(!match->has_current);
    match->has_current = true;
    match->current = entry;
    match->current_us = match->cause_us = at_us;
    match->is_current_closed = is_closed;
    match->is_current_end = is_end;
}

/* A deadline. The match is decided behind it; its moment is the deadline itself. */
static void take_moment(struct match *match, struct evs_op *op, int64_t until_us)
{
    struct evs_timer due;
    bool is_due = evs_timers_pop(&match->deadlines, until_us, &due);
    EVS_ASSERT(is_due);
    uint32_t entry = (uint32_t)due.payload;
    if (entry >= match->rows.table.used || !evs_table_is_live(&match->rows.table, entry)) {
        return;
    }
    struct partition *partition = evs_match_partition(match, entry);
    if (!partition->is_held || partition->armed_us != due.at_us) {
        return;
    }
    partition->armed_us = EVS_TIME_MAX;
    if (deadline_of(match, partition) > due.at_us) {
        evs_match_arm(match, entry);
        return;
    }
    evs_keyed_hold(&match->rows, op, entry);
    set_current(match, entry, due.at_us, true, false);
}

static int by_last_row(const void *a, const void *b)
{
    const struct final_partition *left = a, *right = b;
    if (left->last_us != right->last_us) {
        return left->last_us < right->last_us ? -1 : 1;
    }
    return (left->hash > right->hash) - (left->hash < right->hash);
}

/* All rows have been taken, and no more will come. */
static void gather_finals(struct match *match)
{
    match->is_final = true;
    for (uint32_t i = 0; i < match->rows.table.used; i++) {
        if (!evs_table_is_live(&match->rows.table, i) || evs_match_partition(match, i)->matching.count == 0) {
            continue;
        }
        const struct partition *partition = evs_match_partition(match, i);
        EVS_GROW(match->finals, match->final_count, match->final_capacity);
        match->finals[match->final_count++] =
            (struct final_partition){row_at(partition, partition->matching.count - 1)->row.event_time_us,
                                     evs_keyed_entry(&match->rows, i)->hash, i};
    }
    if (match->final_count > 1) {
        qsort(match->finals, match->final_count, sizeof *match->finals, by_last_row);
    }
}

static void take_final(struct match *match, struct evs_op *op)
{
    const struct final_partition *final = &match->finals[match->final_at++];
    int64_t watermark_us = evs_op_watermark(op);
    evs_keyed_hold(&match->rows, op, final->entry);
    set_current(match, final->entry, final->last_us > watermark_us ? final->last_us : watermark_us, false, true);
    match->cause_us = final->last_us; /* the watermark may be another one in a replay */
}

/* Makes the next event's partition the current one. False: there is none until this moment. */
static bool next_event(struct match *match, struct evs_op *op, int64_t until_us)
{
    bool has_row = evs_keyed_has_next(&match->rows) && evs_keyed_next_time(&match->rows) <= until_us;
    int64_t row_us = has_row ? evs_keyed_next_time(&match->rows) : EVS_TIME_MAX;
    int64_t moment_us = evs_timers_next(&match->deadlines);
    if (!has_row && until_us == EVS_TIME_MAX && match->deadlines.count == 0) {
        if (!match->is_final) {
            gather_finals(match);
        }
        if (match->final_at == match->final_count) {
            return false;
        }
        take_final(match, op);
        return true;
    }
    if (has_row && row_us <= moment_us) {
        struct evs_keyed_row *row = evs_keyed_next(&match->rows, until_us);
        evs_match_append(match, op, row);
        evs_match_mark(match, row->entry);
        set_current(match, row->entry, row_us, false, false);
        return true;
    }
    if (match->deadlines.count == 0 || moment_us > until_us) {
        return false;
    }
    take_moment(match, op, until_us);
    return true;
}

static evs_status match_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct match *match = state;
    EVS_ASSERT(input == 0 && !match->has_current);
    evs_keyed_take(&match->rows, op, batch);
    tell_bytes(op, match);
    return EVS_OK;
}

static evs_status match_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct match *match = state;
    int64_t until_us = evs_timers_passed(watermark_us);
    match->emitted = 0;
    while (match->has_current || next_event(match, op, until_us)) {
        if (match->has_current && advance(match, op) == EVS_MORE) {
            flush(match, op);
            return EVS_MORE;
        }
    }
    flush(match, op);
    tell_bytes(op, match);
    return EVS_OK;
}

const struct evs_operator evs_op_match = {
    .kind = "match_recognize",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_HOLDS_WATERMARK,
    .snapshot_version = EVS_MATCH_SNAPSHOT_VERSION,
    .stored_rows = 1 << EVS_KEYED_SECTION,
    .state_bytes = sizeof(struct match),
    .inputs_max = 1,
    .emit_max = EVS_MATCH_EMIT_BATCHES,
    .stored_key = EVS_MATCH_STORED_KEY,
    .open = match_open,
    .process = match_process,
    .watermark = match_watermark,
    .snapshot = evs_match_snapshot,
    .restore = evs_match_restore,
    .close = match_close,
};
