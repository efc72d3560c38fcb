/* Dead letters: rows that could not be processed, gathered into batches of the dead schema and sent to the sink that their source names.
 *
 * A dead row leaves by an ordinary edge of the op at which it died, so that barriers count it exactly once: it is delivered with the
 * checkpoint that covers its event. Without a sink it is counted by the op and nothing of it is kept or logged. */
#include <stdio.h>

#include "runtime.h"

static const struct evs_type type_string = {.kind = EVS_STRING}, type_int64 = {.kind = EVS_INT64},
                             type_json = {.kind = EVS_JSON}, type_bytes = {.kind = EVS_BYTES},
                             type_timestamp = {.kind = EVS_TIMESTAMP};

static const struct evs_field dead_fields[EVS_DEAD_COLUMNS] = {
    [EVS_DEAD_REASON] = {"_reason", &type_string, false},
    [EVS_DEAD_CODE] = {"_code", &type_string, true},
    [EVS_DEAD_FILE] = {"_file", &type_string, true},
    [EVS_DEAD_LINE] = {"_line", &type_int64, true},
    [EVS_DEAD_EXPR] = {"_expr", &type_string, true},
    [EVS_DEAD_SOURCE] = {"_source", &type_string, false},
    [EVS_DEAD_SUBJECT] = {"_subject", &type_string, true},
    [EVS_DEAD_SEQUENCE] = {"_sequence", &type_int64, true},
    [EVS_DEAD_INGESTED_AT] = {"_ingested_at", &type_timestamp, true},
    [EVS_DEAD_ROW] = {"row", &type_json, true},
    [EVS_DEAD_RAW] = {"raw", &type_bytes, true},
};
const struct evs_schema evs_dead_schema = {EVS_DEAD_COLUMNS, dead_fields};

evs_status evs_dead_prepare(struct evs_run *run, const struct evs_schema *schema, struct evs_error *error)
{
    const struct evs_format *format = run->options.row_format;
    if (format == NULL || schema->count == 0) {
        return EVS_OK;
    }
    for (uint32_t i = 0; i < run->row_encoder_count; i++) {
        if (run->row_encoders[i].schema == schema) {
            return EVS_OK;
        }
    }
    const void *config = NULL;
    evs_status status =
        format->configure == NULL ? EVS_OK : format->configure(NULL, schema, &run->arena, &config, error);
    if (status != EVS_OK) {
        return status;
    }
    EVS_GROW(run->row_encoders, run->row_encoder_count, run->row_encoder_capacity);
    run->row_encoders[run->row_encoder_count++] = (struct row_encoder){schema, config};
    return EVS_OK;
}

static const struct row_encoder *encoder_of(const struct evs_run *run, const struct evs_schema *schema)
{
    for (uint32_t i = 0; i < run->row_encoder_count; i++) {
        if (run->row_encoders[i].schema == schema) {
            return &run->row_encoders[i];
        }
    }
    return NULL;
}

static struct evs_batch *dead_batch_new(struct evs_op *op, uint32_t source_index)
{
    struct evs_batch *batch = evs_batch_new(op->worker->pool, EVS_DEAD_COLUMNS);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    batch->row_count = batch->selected_count = 0;
    batch->key = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof *batch->key, 64);
    batch->source_index = source_index;
    batch->min_time_us = INT64_MAX;
    batch->max_time_us = INT64_MIN;
    for (uint32_t i = 0; i < EVS_DEAD_COLUMNS; i++) {
        evs_column_init(&batch->columns[i], batch, dead_fields[i].type->kind, EVS_BATCH_ROWS, dead_fields[i].nullable);
    }
    return batch;
}

static void put_text(struct evs_batch *batch, enum evs_dead_column number, struct evs_slice text)
{
    struct evs_column *column = &batch->columns[number];
    uint32_t row = batch->row_count;
    struct evs_str *cell = &((struct evs_str *)column->data)[row];
    *cell = (struct evs_str){0};
    if (text.data == NULL) {
        evs_column_set_null(column, row);
        return;
    }
    const char *kept =
        text.count <= EVS_STR_INLINE_MAX ? text.data : evs_arena_copy(batch->arena, text.data, text.count);
    *cell = evs_str_make(kept, (uint32_t)text.count);
}

static void put_int64(struct evs_batch *batch, enum evs_dead_column number, bool known, int64_t value)
{
    struct evs_column *column = &batch->columns[number];
    ((int64_t *)column->data)[batch->row_count] = known ? value : 0;
    if (!known) {
        evs_column_set_null(column, batch->row_count);
    }
}

static struct evs_slice slice_or_null(const char *text)
{
    return text == NULL ? (struct evs_slice){0} : evs_slice_of(text);
}

/* What keeps the ids of dead rows with one cause apart: the op at which they died, the branch that they came through, and, for groups of
 * one window, their keys. */
static struct evs_hash128 dead_key(const struct evs_op *op, const struct dead_row *dead)
{
    struct evs_buffer text = {0};
    evs_buffer_printf(&text, "%s|%s|%llx|", op->node->name, dead->error->reason, (unsigned long long)dead->lineage);
    if (dead->key != NULL) {
        evs_buffer_put(&text, dead->key, sizeof *dead->key);
    } else if (dead->cause_kind == EVS_CAUSE_WINDOW && dead->json.count > 0) {
        evs_buffer_put(&text, dead->json.data, dead->json.count);
    }
    struct evs_hash128 key = evs_hash128(text.data, text.count);
    evs_buffer_fini(&text);
    return key;
}

/* Of a file the message is the whole file: the number of the line says more. */
static int64_t sequence_of(const struct evs_plan_source *source, struct evs_cause cause)
{
    return source->connector->bounded ? (int64_t)(uint32_t)cause.minor + 1 : (int64_t)evs_cause_sequence(cause);
}

static void dead_append(struct evs_op *op, struct evs_batch *batch, const struct dead_row *dead)
{
    const struct evs_run *run = op->worker->run;
    const struct evs_plan_node *node = &run->plan->nodes[run->source_nodes[dead->source_index]];
    const struct evs_row_error *error = dead->error;
    uint32_t row = batch->row_count;
    put_text(batch, EVS_DEAD_REASON, evs_slice_of(error->reason));
    put_text(batch, EVS_DEAD_CODE, slice_or_null(error->code));
    put_text(batch, EVS_DEAD_FILE, slice_or_null(error->file));
    put_int64(batch, EVS_DEAD_LINE, error->line != 0, error->line);
    put_text(batch, EVS_DEAD_EXPR, slice_or_null(error->expression));
    put_text(batch, EVS_DEAD_SOURCE, evs_slice_of(node->name));
    put_text(batch, EVS_DEAD_SUBJECT, dead->subject);
    bool is_record = dead->cause_kind == EVS_CAUSE_RECORD; /* a window came from many messages */
    put_int64(batch, EVS_DEAD_SEQUENCE, is_record, is_record ? sequence_of(node->source, dead->cause) : 0);
    put_int64(batch, EVS_DEAD_INGESTED_AT, dead->ingested_at_us != EVS_TIME_MIN, dead->ingested_at_us);
    put_text(batch, EVS_DEAD_ROW, dead->json);
    put_text(batch, EVS_DEAD_RAW, dead->raw);
    int64_t time_us = dead->event_time_us == EVS_TIME_MIN ? 0 : dead->event_time_us;
    batch->event_time_us[row] = time_us;
    batch->cause[row] = dead->cause;
    batch->key[row] = dead_key(op, dead);
    batch->min_time_us = time_us < batch->min_time_us ? time_us : batch->min_time_us;
    batch->max_time_us = time_us > batch->max_time_us ? time_us : batch->max_time_us;
    batch->row_count++;
    batch->selected_count = batch->row_count;
}

/* Reasons are few and live as long as the plan: found by their text, from the first on. */
static void count_reason(struct worker *worker, uint32_t source_index, const char *reason)
{
    uint32_t count = atomic_load_explicit(&worker->reason_count, memory_order_relaxed);
    uint32_t at = 0;
    while (at < count &&
           (worker->reasons[at].source_index != source_index || strcmp(worker->reasons[at].reason, reason) != 0)) {
        at++;
    }
    if (at == count && count < EVS_VIEW_REASONS) {
        bool is_last = count == EVS_VIEW_REASONS - 1;
        worker->reasons[at].reason = is_last ? "other" : reason;
        worker->reasons[at].source_index = source_index;
        atomic_store_explicit(&worker->reason_count, count + 1, memory_order_release);
    }
    _Atomic uint64_t *of = &worker->reasons[at < EVS_VIEW_REASONS ? at : EVS_VIEW_REASONS - 1].count;
    atomic_store_explicit(of, atomic_load_explicit(of, memory_order_relaxed) + 1,
                          memory_order_relaxed); /* one writer */
}

void evs_dead_put(struct evs_op *op, const struct dead_row *dead)
{
    op->counters[EVS_COUNT_DEAD]++;
    count_reason(op->worker, dead->source_index, dead->error->reason);
    uint32_t output = op->output_count + dead->source_index;
    if (output >= op->output_total || op->outputs[output].edge_count == 0) {
        return;
    }
    if (op->dead != NULL && (op->dead_source != dead->source_index || op->dead->row_count == EVS_BATCH_ROWS)) {
        evs_op_flush_dead(op);
    }
    if (op->dead == NULL) {
        op->dead = dead_batch_new(op, dead->source_index);
        op->dead_source = dead->source_index;
    }
    dead_append(op, op->dead, dead);
}

void evs_op_flush_dead(struct evs_op *op)
{
    if (op->dead != NULL) {
        struct evs_batch *batch = op->dead;
        op->dead = NULL;
        uint8_t emitted = op->emitted;
        evs_emit(op, op->output_count + op->dead_source, batch);
        op->emitted = emitted; /* dead rows are not the operator's own output */
    }
}

/* The row as an object. A shape that no op has by itself, such as the keys of a group, comes seldom: its encoder lives for one row. */
static void encode_row(const struct evs_run *run, const struct evs_schema *schema, const struct evs_batch *batch,
                       uint32_t row, struct evs_buffer *json)
{
    const struct evs_format *format = run->options.row_format;
    if (format == NULL || schema->count == 0) {
        return;
    }
    const struct row_encoder *encoder = encoder_of(run, schema);
    const void *config = encoder != NULL ? encoder->config : NULL;
    struct evs_arena arena = {0};
    struct evs_error error;
    bool is_ready = encoder != NULL || format->configure == NULL ||
                    format->configure(NULL, schema, &arena, &config, &error) == EVS_OK;
    if (is_ready) {
        struct evs_format_place place = {.pipeline = run->plan->pipeline, .sink = "dead letter"};
        format->encode(config, schema, batch, row, &place, json);
    }
    evs_arena_fini(&arena);
}

void evs_op_encode_row(struct evs_op *op, const struct evs_schema *schema, const struct evs_batch *batch, uint32_t row,
                       struct evs_buffer *json)
{
    encode_row(op->worker->run, schema, batch, row, json);
}

void evs_op_dead_letter(struct evs_op *op, const struct evs_schema *schema, const struct evs_batch *batch, uint32_t row,
                        const struct evs_row_error *error)
{
    struct evs_buffer json = {0};
    encode_row(op->worker->run, schema, batch, row, &json);
    struct dead_row dead = {
        .source_index = batch->source_index,
        .error = error,
        .json = {json.data, json.count},
        .cause = batch->cause[row],
        .cause_kind = batch->cause_kind,
        .lineage = batch->lineage,
        .key = batch->key == NULL ? NULL : &batch->key[row],
        .event_time_us = batch->event_time_us[row],
        .ingested_at_us = EVS_TIME_MIN,
    };
    evs_dead_put(op, &dead);
    evs_buffer_fini(&json);
}

void evs_op_show_row(struct evs_op *op, const char *place, const struct evs_batch *batch, uint32_t row)
{
    struct evs_buffer json = {0};
    encode_row(op->worker->run, evs_op_input_schema(op, 0), batch, row, &json);
    evs_log(op->log, EVS_LOG_INFO, op->node->name, "%s: %.*s", place, (int)json.count, json.data);
    evs_buffer_fini(&json);
}
