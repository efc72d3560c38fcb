/* Measures (match_measure.h). A call decodes its arguments into a batch, a thousand rows at a time, and gives them to the accumulator that
 * aggregate … group by uses, too. */
#include "match_measure.h"

struct prepared {
    const struct evs_measure *measure;
    struct agg_call call;
};

struct evs_measuring {
    const struct evs_row_layout *layout;
    struct evs_batch_pool *batches;
    struct evs_table_layout table_layout;
    struct evs_table table; /* whose arena holds what accumulators keep */
    struct prepared *calls; /* of the measures that have been asked for: few */
    uint32_t call_count, call_capacity;
    uint64_t *values;
    uint32_t values_bytes;
    uint16_t numbers[EVS_BATCH_ROWS], chosen[EVS_BATCH_ROWS];
    uint8_t *targets[EVS_BATCH_ROWS];
    struct evs_table *tables[EVS_BATCH_ROWS];
    const struct evs_row *rows[EVS_BATCH_ROWS];
};

struct evs_measuring *evs_measuring_new(const struct evs_row_layout *layout)
{
    struct evs_measuring *measuring = evs_alloc_zero(sizeof *measuring);
    measuring->layout = layout;
    measuring->batches = evs_batch_pool_new();
    evs_table_layout_init(&measuring->table_layout, NULL, 0, 0);
    evs_table_init(&measuring->table, &measuring->table_layout);
    for (uint32_t i = 0; i < EVS_BATCH_ROWS; i++) {
        measuring->numbers[i] = (uint16_t)i;
        measuring->tables[i] = &measuring->table;
    }
    return measuring;
}

void evs_measuring_free(struct evs_measuring *measuring)
{
    if (measuring != NULL) {
        evs_batch_pool_free(measuring->batches);
        evs_table_fini(&measuring->table);
        for (uint32_t i = 0; i < measuring->call_count; i++) {
            evs_agg_call_fini(&measuring->calls[i].call);
        }
        evs_free(measuring->calls);
        evs_free(measuring->values);
        evs_free(measuring);
    }
}

static bool is_of_part(const struct evs_measure *measure, const struct evs_match_view *view, uint32_t row)
{
    return measure->part == EVS_EVERY_PART || view->parts[row] == measure->part;
}

static const struct evs_row *first_row(const struct evs_measure *measure, const struct evs_match_view *view)
{
    for (uint32_t i = 0; i < view->count; i++) {
        if (is_of_part(measure, view, i)) {
            return view->rows[i];
        }
    }
    return NULL;
}

static const struct evs_row *last_row(const struct evs_measure *measure, const struct evs_match_view *view)
{
    for (uint32_t i = view->count; i > 0; i--) {
        if (is_of_part(measure, view, i - 1)) {
            return view->rows[i - 1];
        }
    }
    return NULL;
}

static int64_t count_rows(const struct evs_measure *measure, const struct evs_match_view *view)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        count += is_of_part(measure, view, i);
    }
    return count;
}

/* --- calls --------------------------------------------------------------------------------------------------------------------------- */

/* A batch with one column a kept column, of which only those that the call reads are there. */
static struct evs_batch *decode_arguments(struct evs_measuring *measuring, const struct evs_aggregate_call *call,
                                          uint32_t count)
{
    const struct evs_row_layout *layout = measuring->layout;
    struct evs_batch *batch = evs_batch_new(measuring->batches, layout->column_count);
    evs_batch_init_rows(batch, count);
    batch->row_count = batch->selected_count = count;
    batch->ordinal = EVS_ARENA_ARRAY(batch->arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        batch->event_time_us[i] = measuring->rows[i]->event_time_us;
        batch->cause[i] = measuring->rows[i]->cause;
        batch->ordinal[i] = measuring->rows[i]->ordinal;
    }
    for (uint32_t i = 0; i <= call->argument_count; i++) {
        bool is_condition = i == call->argument_count;
        if (is_condition && call->condition < 0) {
            continue;
        }
        uint32_t column = is_condition ? (uint32_t)call->condition : call->arguments[i];
        evs_column_init(&batch->columns[column], batch, layout->columns[column].kind, count, true);
        evs_row_decode_column(layout, column, measuring->rows, count, NULL, &batch->columns[column], 0);
    }
    return batch;
}

static uint32_t choose_rows(struct evs_measuring *measuring, const struct evs_aggregate_call *call,
                            const struct evs_batch *batch, uint32_t count)
{
    const struct evs_column *condition = call->condition < 0 ? NULL : &batch->columns[call->condition];
    uint32_t chosen = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (condition == NULL || (evs_column_is_valid(condition, i) && *EVS_COLUMN_AT(condition, uint8_t, i) != 0)) {
            measuring->chosen[chosen++] = (uint16_t)i;
        }
    }
    return chosen;
}

static void add_rows(struct evs_measuring *measuring, const struct agg_call *call, uint32_t count)
{
    struct evs_batch *batch = decode_arguments(measuring, call->config, count);
    for (uint32_t i = 0; i < count; i++) {
        measuring->targets[i] = (uint8_t *)measuring->values;
    }
    struct agg_rows rows = {
        .batch = batch, .rows = measuring->chosen, .values = measuring->targets, .tables = measuring->tables};
    rows.count = choose_rows(measuring, call->config, batch, count);
    if (rows.count > 0) {
        evs_agg_update(call, &rows);
    }
    evs_batch_unref(batch);
}

static void clear_values(struct evs_measuring *measuring, uint32_t bytes)
{
    if (bytes > measuring->values_bytes) {
        evs_free(measuring->values);
        measuring->values = evs_alloc(bytes);
        measuring->values_bytes = bytes;
    }
    memset(measuring->values, 0, bytes);
}

/* A call has scratch of its own, so it is made once. */
static const struct agg_call *prepared_call(struct evs_measuring *measuring, const struct evs_measure *measure)
{
    for (uint32_t i = 0; i < measuring->call_count; i++) {
        if (measuring->calls[i].measure == measure) {
            return &measuring->calls[i].call;
        }
    }
    EVS_GROW(measuring->calls, measuring->call_count, measuring->call_capacity);
    struct prepared *prepared = &measuring->calls[measuring->call_count++];
    *prepared = (struct prepared){measure, evs_agg_call(&measure->call, 0)};
    return &prepared->call;
}

static const struct evs_agg_failure *measure_call(struct evs_measuring *measuring, const struct evs_measure *measure,
                                                  const struct evs_match_view *view, struct evs_batch *batch,
                                                  struct evs_value *value)
{
    const struct agg_call *call = prepared_call(measuring, measure);
    clear_values(measuring, call->bytes);
    uint32_t count = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        if (is_of_part(measure, view, i)) {
            measuring->rows[count++] = view->rows[i];
        }
        if (count == EVS_BATCH_ROWS || (i + 1 == view->count && count > 0)) {
            add_rows(measuring, call, count);
            count = 0;
        }
    }
    enum evs_agg_outcome outcome = evs_agg_result(call, (const uint8_t *)measuring->values, batch->arena, value);
    return outcome == EVS_AGG_FITS ? NULL : evs_agg_failure(outcome);
}

/* --- values -------------------------------------------------------------------------------------------------------------------------- */

static struct evs_value value_of_row(const struct evs_measuring *measuring, const struct evs_measure *measure,
                                     const struct evs_row *row)
{
    if (row == NULL) {
        return (struct evs_value){.kind = measure->type->kind, .is_null = true};
    }
    return evs_row_value(measuring->layout, row, measure->column);
}

const struct evs_agg_failure *evs_measure(struct evs_measuring *measuring, const struct evs_measure *measure,
                                          const struct evs_match_view *view, struct evs_batch *batch,
                                          struct evs_column *out, uint32_t row)
{
    struct evs_value value = {.kind = measure->type->kind};
    const struct evs_agg_failure *failure = NULL;
    switch (measure->kind) {
    case EVS_MEASURE_KEY:
        value = value_of_row(measuring, measure, view->begin);
        break;
    case EVS_MEASURE_CURRENT:
        value = value_of_row(measuring, measure, view->current);
        break;
    case EVS_MEASURE_FIRST:
        value = value_of_row(measuring, measure, first_row(measure, view));
        break;
    case EVS_MEASURE_LAST:
        value = value_of_row(measuring, measure, last_row(measure, view));
        break;
    case EVS_MEASURE_COUNT:
        value.int64 = count_rows(measure, view);
        break;
    case EVS_MEASURE_CALL:
        failure = measure_call(measuring, measure, view, batch, &value);
        break;
    case EVS_MEASURE_NUMBER:
        value.int64 = view->number;
        break;
    case EVS_MEASURE_TIMEOUT:
        value.boolean = view->is_timeout;
        break;
    }
    value.is_null = value.is_null || failure != NULL;
    evs_column_put(out, batch, row, &value);
    if (measure->kind == EVS_MEASURE_CALL) {
        evs_table_clear(&measuring->table); /* the value has been copied */
    }
    return failure;
}
