/* Frames: what a window function sees for one row.
 *
 * Unbounded frames have an accumulator in the partition's entry that each row is added to once. The row's peers (same moment) count for a range frame,
 * so they are added together, when the first of them is evaluated.
 *
 * Bounded frames that are long are kept as sums of their parts where that is exact (over_sums.c), O(1) a row. Others are computed from the rows of the frame,
 * each time anew: such a row costs its frame. Nothing is ever subtracted: sums of float64 would drift, and min, max and distinct could not be taken back.
 *
 * Arguments are decoded from kept rows into a scratch batch of at most EVS_BATCH_ROWS rows, in which only the columns that calls read are there. */
#include "over_state.h"

/* --- the scratch batch -------------------------------------------------------------------------------------------------------- */

static void need_column(struct over *over, const struct evs_schema *input, uint32_t number)
{
    struct evs_column *column = &over->scratch.columns[number];
    EVS_ASSERT(number < input->count);
    if (column->data != NULL) {
        return;
    }
    enum evs_kind kind = input->fields[number].type->kind;
    *column = (struct evs_column){.kind = kind};
    column->data = evs_alloc_aligned(64, (size_t)EVS_BATCH_ROWS * evs_kind_width(kind) + 64);
    column->valid = evs_alloc(EVS_VALID_WORDS(EVS_BATCH_ROWS) * sizeof *column->valid);
}

static void need_arguments(struct over *over, const struct evs_schema *input, const struct evs_over_call *call)
{
    if (call->kind != EVS_OVER_AGGREGATE) {
        return;
    }
    for (uint32_t i = 0; i < call->aggregate.argument_count; i++) {
        need_column(over, input, call->aggregate.arguments[i]);
    }
    if (call->aggregate.condition >= 0) {
        need_column(over, input, (uint32_t)call->aggregate.condition);
    }
}

void evs_over_frames_init(struct over *over, const struct evs_schema *input)
{
    struct evs_batch *scratch = &over->scratch;
    uint32_t frame_bytes = 8;
    scratch->column_count = input->count;
    scratch->columns = evs_alloc_zero((input->count + 1u) * sizeof *scratch->columns);
    scratch->event_time_us = evs_alloc(EVS_BATCH_ROWS * sizeof *scratch->event_time_us);
    scratch->cause = evs_alloc(EVS_BATCH_ROWS * sizeof *scratch->cause);
    scratch->ordinal = evs_alloc(EVS_BATCH_ROWS * sizeof *scratch->ordinal);
    for (uint32_t i = 0; i < over->config->call_count; i++) {
        need_arguments(over, input, &over->config->calls[i]);
        frame_bytes = over->calls[i].bytes > frame_bytes ? over->calls[i].bytes : frame_bytes;
    }
    over->frame_values = evs_alloc_zero(frame_bytes);
}

void evs_over_frames_fini(struct over *over)
{
    struct evs_batch *scratch = &over->scratch;
    for (uint32_t i = 0; scratch->columns != NULL && i < scratch->column_count; i++) {
        evs_free(scratch->columns[i].data);
        evs_free(scratch->columns[i].valid);
    }
    evs_free(scratch->columns);
    evs_free(scratch->event_time_us);
    evs_free(scratch->cause);
    evs_free(scratch->ordinal);
    evs_free(over->frame_values);
    evs_arena_fini(&over->frame_table.arena);
}

static void decode(struct over *over, const struct evs_over_call *call, const struct evs_row *const *rows,
                   uint32_t count)
{
    struct evs_batch *scratch = &over->scratch;
    scratch->row_count = scratch->selected_count = count;
    for (uint32_t i = 0; i < count; i++) {
        scratch->event_time_us[i] = rows[i]->event_time_us;
        scratch->cause[i] = rows[i]->cause;
        scratch->ordinal[i] = rows[i]->ordinal;
    }
    scratch->cause_kind = evs_row_cause_kind(rows[0]);
    scratch->lineage = rows[0]->lineage;
    for (uint32_t i = 0; i <= call->aggregate.argument_count; i++) {
        int64_t number =
            i < call->aggregate.argument_count ? (int64_t)call->aggregate.arguments[i] : call->aggregate.condition;
        if (number >= 0) {
            struct evs_column *column = &scratch->columns[number];
            memset(column->valid, 0xff, EVS_VALID_WORDS(count) * sizeof *column->valid);
            evs_row_decode_column(&over->keeper.layout, (uint32_t)number, rows, count, NULL, column, 0);
        }
    }
}

void evs_over_feed(struct over *over, uint32_t number, uint8_t *values, size_t stride, struct evs_table *table,
                   const struct evs_row *const *rows, uint32_t count)
{
    EVS_ASSERT(count > 0 && count <= EVS_BATCH_ROWS);
    const struct evs_over_call *call = &over->config->calls[number];
    uint16_t chosen[EVS_BATCH_ROWS];
    uint8_t *all_values[EVS_BATCH_ROWS];
    struct evs_table *tables[EVS_BATCH_ROWS];
    struct agg_rows some = {.batch = &over->scratch, .rows = chosen, .values = all_values, .tables = tables};
    decode(over, call, rows, count);
    for (uint32_t i = 0; i < count; i++) {
        int32_t condition = call->aggregate.condition;
        const struct evs_column *column = condition < 0 ? NULL : &over->scratch.columns[condition];
        if (column == NULL || (evs_column_is_valid(column, i) && *EVS_COLUMN_AT(column, uint8_t, i))) {
            chosen[some.count] = (uint16_t)i;
            all_values[some.count] = values + i * stride;
            tables[some.count++] = table;
        }
    }
    evs_agg_update(&over->calls[number], &some);
}

/* --- unbounded frames ------------------------------------------------------------------------------------------------------------- */

static void feed_peers(struct over *over, uint32_t number, uint8_t *values, const struct over_due *due)
{
    const struct evs_row *rows[EVS_BATCH_ROWS];
    uint32_t count = 0;
    for (const struct over_due *peer = due;; peer = &over->due[peer->next - 1]) {
        rows[count++] = peer->row;
        if (count == EVS_BATCH_ROWS || peer->next == 0) {
            evs_over_feed(over, number, values, 0, &over->table, rows, count);
            count = 0;
        }
        if (peer->next == 0) {
            return;
        }
    }
}

void evs_over_advance(struct over *over, struct evs_entry *entry, const struct over_due *due)
{
    uint8_t *values = evs_entry_values(&over->layout, entry);
    for (uint32_t i = 0; i < over->config->call_count; i++) {
        const struct evs_over_call *call = &over->config->calls[i];
        if (!evs_over_is_running(call)) {
            continue;
        }
        if (call->frame == EVS_OVER_ALL_ROWS) {
            const struct evs_row *row = due->row;
            evs_over_feed(over, i, values, 0, &over->table, &row, 1);
        } else if (due->is_first) {
            feed_peers(over, i, values, due);
        }
    }
}

/* --- bounded frames -------------------------------------------------------------------------------------------------------------------- */

struct span { /* positions in the history: [first, end) */
    uint32_t first, end;
};

static struct span frame_of(const struct over_key *key, const struct evs_over_call *call, int64_t time_us)
{
    if (call->frame == EVS_OVER_ROWS) {
        uint32_t back = (uint64_t)call->preceding < key->at ? (uint32_t)call->preceding : key->at;
        return (struct span){key->at - back, key->at + 1};
    }
    EVS_ASSERT(call->frame == EVS_OVER_RANGE);
    int64_t from_us;
    from_us = __builtin_sub_overflow(time_us, call->preceding, &from_us) ? EVS_TIME_MIN : from_us;
    return (struct span){evs_row_list_lower(&key->history, from_us), key->history.count};
}

static enum evs_agg_outcome frame_result(struct over *over, struct over_key *key, uint32_t number, struct span span,
                                         struct evs_arena *arena, struct evs_value *value)
{
    const struct evs_row *rows[EVS_BATCH_ROWS];
    struct agg_call *call = &over->calls[number];
    const uint8_t *sum = over->is_summed[number] ? evs_over_sum(over, key, number, span.first, span.end) : NULL;
    if (sum != NULL) {
        return evs_agg_result(call, sum, arena, value);
    }
    evs_arena_reset(&over->frame_table.arena);
    over->frame_table.garbage_bytes = 0;
    memset(over->frame_values, 0, call->bytes);
    for (uint32_t at = span.first; at < span.end;) {
        uint32_t count = 0;
        for (; at < span.end && count < EVS_BATCH_ROWS; at++) {
            rows[count++] = evs_row_list_at(&key->history, at);
        }
        evs_over_feed(over, number, over->frame_values, 0, &over->frame_table, rows, count);
    }
    return evs_agg_result(call, over->frame_values, arena, value);
}

static struct evs_value nth_value(const struct over *over, const struct over_key *key, const struct evs_over_call *call,
                                  struct span span)
{
    int64_t number = call->number;
    for (uint32_t at = span.first; at < span.end; at++) {
        struct evs_value value =
            evs_row_value(&over->keeper.layout, evs_row_list_at(&key->history, at), call->argument);
        number -= !call->ignore_nulls || !value.is_null;
        if (number == 0) {
            return value;
        }
    }
    return (struct evs_value){.kind = call->result_kind, .is_null = true};
}

static struct evs_value lag(const struct over *over, const struct over_key *key, const struct evs_over_call *call,
                            const struct evs_row *row)
{
    const struct evs_row_layout *layout = &over->keeper.layout;
    if ((uint64_t)call->number <= key->at) {
        return evs_row_value(layout, evs_row_list_at(&key->history, key->at - (uint32_t)call->number), call->argument);
    }
    return call->fallback >= 0 ? evs_row_value(layout, row, (uint32_t)call->fallback)
                               : (struct evs_value){.kind = call->result_kind, .is_null = true};
}

static struct evs_value integer(int64_t number)
{
    return (struct evs_value){.kind = EVS_INT64, .int64 = number};
}

bool evs_over_result(struct over *over, struct evs_entry *entry, const struct over_due *due, uint32_t number,
                     struct evs_arena *arena, struct evs_value *value, enum evs_agg_outcome *failed)
{
    const struct evs_over_call *call = &over->config->calls[number];
    struct over_key *key = evs_over_key(over, entry);
    int64_t time_us = due->row->event_time_us;
    *failed = EVS_AGG_FITS;
    switch (call->kind) {
    case EVS_OVER_AGGREGATE:
        *failed = evs_over_is_running(call)
                      ? evs_agg_result(&over->calls[number], evs_entry_values(&over->layout, entry), arena, value)
                      : frame_result(over, key, number, frame_of(key, call, time_us), arena, value);
        return *failed == EVS_AGG_FITS;
    case EVS_OVER_NTH_VALUE:
        *value = nth_value(over, key, call, frame_of(key, call, time_us));
        return true;
    case EVS_OVER_LAG:
        *value = lag(over, key, call, due->row);
        return true;
    case EVS_OVER_ROW_NUMBER:
        *value = integer(key->count);
        return true;
    case EVS_OVER_RANK:
        *value = integer(key->rank);
        return true;
    case EVS_OVER_DENSE_RANK:
        *value = integer(key->dense_rank);
        return true;
    }
    return true;
}
