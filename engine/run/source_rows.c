/* One batch at a source: records of the messages at hand become rows, with their system columns, causes and event times; records that
 * cannot become rows become dead letters with their original bytes. */
#include <stdio.h>

#include "source_node.h"

/* Stable codes of what a decoder may say; the reference explains them. */
static const struct {
    const char *reason, *code;
} decode_codes[] = {
    {"json", "R0001"},  {"utf8", "R0002"},     {"type", "R0003"},  {"null", "R0004"},
    {"depth", "R0005"}, {"oversize", "R0006"}, {"range", "R0010"},
};

static const char *decode_code(const char *reason)
{
    for (size_t i = 0; i < EVS_COUNT(decode_codes); i++) {
        if (strcmp(decode_codes[i].reason, reason) == 0) {
            return decode_codes[i].code;
        }
    }
    return "R0000";
}

static void fail_on_error(struct source_node *node, const char *reason, const char *detail,
                          const struct evs_message *message, uint32_t index)
{
    struct evs_error error;
    evs_fail(&error, EVS_E_DATA,
             "%s: a bad event (%s%s%s) at sequence %llu, record %u, and the source says `on error fail`",
             node->op->node->name, reason, detail[0] != '\0' ? ": " : "", detail, (unsigned long long)message->sequence,
             index);
    evs_run_fail(node->op->worker->run, EVS_E_DATA, &error);
}

static void dead_record(struct source_node *node, const struct evs_message *message, const struct evs_decode_bad *bad)
{
    if (node->plan->fail_on_error) {
        fail_on_error(node, bad->reason, bad->detail, message, bad->index);
    }
    struct evs_row_error error = {
        .reason = bad->reason, .code = decode_code(bad->reason), .expression = bad->detail[0] ? bad->detail : NULL};
    struct dead_row dead = {
        .source_index = node->op->source_number,
        .error = &error,
        .raw = bad->raw,
        .subject = message->subject,
        .cause = evs_cause_message(message->partition, message->sequence, message->fingerprint, bad->index),
        .event_time_us = EVS_TIME_MIN,
        .ingested_at_us = message->ingested_at_us,
    };
    evs_dead_put(node->op, &dead);
}

void evs_source_dead_row(struct source_node *node, const struct evs_batch *batch, uint32_t row,
                         const struct evs_row_error *error)
{
    const struct evs_message *message = &node->messages[node->message_of[row]];
    if (node->plan->fail_on_error) {
        fail_on_error(node, error->reason, error->expression == NULL ? "" : error->expression, message,
                      node->record_index[row]);
    }
    struct dead_row dead = {
        .source_index = node->op->source_number,
        .error = error,
        .raw = node->raw[row],
        .subject = message->subject,
        .cause = batch->cause[row],
        .event_time_us = EVS_TIME_MIN,
        .ingested_at_us = message->ingested_at_us,
    };
    evs_dead_put(node->op, &dead);
}

/* --- columns --------------------------------------------------------------------------------------------------------------- */

static void init_columns(const struct source_node *node, struct evs_batch *batch)
{
    const struct evs_schema *schema = &node->op->node->schema;
    for (uint32_t i = 0; i < schema->count; i++) {
        evs_column_init(&batch->columns[i], batch, schema->fields[i].type->kind, EVS_BATCH_ROWS, true);
    }
    batch->cause = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof *batch->cause, 64);
    batch->min_time_us = INT64_MAX;
    batch->max_time_us = INT64_MIN;
    batch->source_index = node->op->source_number;
}

/* Nothing (a file has no subject, a message need not have headers) is NULL. */
static void fill_text(struct evs_batch *batch, uint32_t column, struct evs_slice text, uint32_t first, uint32_t end)
{
    struct evs_str view = text.count == 0 ? (struct evs_str){0} : evs_str_make(text.data, (uint32_t)text.count);
    for (uint32_t row = first; row < end; row++) {
        ((struct evs_str *)batch->columns[column].data)[row] = view;
    }
    for (uint32_t row = first; text.count == 0 && row < end; row++) {
        evs_column_set_null(&batch->columns[column], row);
    }
}

static void fill_int64(struct evs_batch *batch, uint32_t column, int64_t value, uint32_t first, uint32_t end)
{
    for (uint32_t row = first; row < end; row++) {
        ((int64_t *)batch->columns[column].data)[row] = value;
    }
}

static void fill_ingested_at(struct evs_batch *batch, uint32_t column, int64_t value, uint32_t first, uint32_t end)
{
    fill_int64(batch, column, value == INT64_MIN ? 0 : value, first, end);
    for (uint32_t row = first; value == INT64_MIN && row < end; row++) {
        evs_column_set_null(&batch->columns[column], row);
    }
}

/* Of a file the message is the whole file: the number of the line says more. */
static void fill_sequence(const struct source_node *node, struct evs_batch *batch, const struct evs_message *message,
                          uint32_t first, uint32_t end)
{
    uint32_t column = node->plan->sequence_column - 1;
    if (!node->plan->connector->bounded) {
        fill_int64(batch, column, (int64_t)message->sequence, first, end);
        return;
    }
    for (uint32_t row = first; row < end; row++) {
        ((int64_t *)batch->columns[column].data)[row] = (int64_t)node->record_index[row] + 1;
    }
}

/* When the event came in: the broker's time; now where a live source has no broker, as in a test; INT64_MIN: nobody knows (a file). */
static int64_t ingested_at_us(const struct source_node *node, const struct evs_message *message)
{
    const struct evs_clock *clock = &node->op->worker->run->options.os->clock;
    bool is_known = message->ingested_at_us != INT64_MIN || node->plan->connector->bounded;
    return is_known ? message->ingested_at_us : clock->wall_us(clock->self);
}

static void fill_system_columns(const struct source_node *node, struct evs_batch *batch,
                                const struct evs_message *message, uint32_t first, uint32_t end)
{
    const struct evs_plan_source *plan = node->plan;
    if (plan->subject_column != 0) {
        fill_text(batch, plan->subject_column - 1, message->subject, first, end);
    }
    if (plan->headers_column != 0) {
        fill_text(batch, plan->headers_column - 1, message->headers, first, end);
    }
    if (plan->sequence_column != 0) {
        fill_sequence(node, batch, message, first, end);
    }
    if (plan->partition_column != 0) {
        fill_int64(batch, plan->partition_column - 1, message->partition, first, end);
    }
    if (plan->ingested_at_column != 0) {
        fill_ingested_at(batch, plan->ingested_at_column - 1, ingested_at_us(node, message), first, end);
    }
}

/* Without a watermark the event time is when the event came in: the broker's time, or now where there is no broker. */
static void fill_event_time(const struct source_node *node, struct evs_batch *batch, const struct evs_message *message,
                            uint32_t first, uint32_t end)
{
    const struct evs_plan_source *plan = node->plan;
    if (plan->watermark != NULL || plan->watermark_delay_us >= 0) {
        batch->event_time_us = batch->columns[plan->event_time_column].data;
        return;
    }
    if (batch->event_time_us == NULL) {
        batch->event_time_us = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof(int64_t), 64);
    }
    const struct evs_clock *clock = &node->op->worker->run->options.os->clock;
    int64_t now = message->ingested_at_us != INT64_MIN ? message->ingested_at_us : clock->wall_us(clock->self);
    for (uint32_t row = first; row < end; row++) {
        batch->event_time_us[row] = now;
    }
}

/* --- one message ------------------------------------------------------------------------------------------------------------- */

/* The first column of the partition key that is not NULL; NULL: there is none, and the row may lie anywhere. */
static const struct evs_str *partition_key_of(const struct evs_plan_source *plan, const struct evs_batch *batch,
                                              uint32_t row)
{
    for (uint32_t i = 0; i < plan->partition_key_count; i++) {
        const struct evs_column *column = &batch->columns[plan->partition_key[i]];
        if (evs_column_is_valid(column, row)) {
            return EVS_COLUMN_AT(column, struct evs_str, row);
        }
    }
    return NULL;
}

/* Several groups would each count a part of a person whose events lie in the wrong partitions, and nobody would see it. */
static void leave_out_misplaced(struct source_node *node, const struct evs_batch *batch,
                                const struct evs_message *message, uint32_t first, uint32_t end)
{
    for (uint32_t row = first; row < end; row++) {
        const struct evs_str *key = partition_key_of(node->plan, batch, row);
        if (key == NULL || evs_fnv1a32(evs_str_data(key), key->count) % node->partition_count == message->partition) {
            continue;
        }
        struct evs_row_error error = {.reason = "partition", .code = "R0011"};
        node->excluded[row] = 1;
        evs_source_dead_row(node, batch, row, &error);
    }
}

/* Rows [first, batch->row_count) came from `message`. */
static void finish_rows(struct source_node *node, struct evs_batch *batch, const struct evs_message *message,
                        uint32_t first)
{
    uint32_t end = batch->row_count;
    struct evs_cause cause = evs_cause_message(message->partition, message->sequence, message->fingerprint, 0);
    for (uint32_t row = first; row < end; row++) {
        batch->cause[row] = (struct evs_cause){cause.major, cause.minor | node->record_index[row]};
        node->message_of[row] = (uint16_t)node->message_at;
        node->excluded[row] = 0;
    }
    fill_system_columns(node, batch, message, first, end);
    fill_event_time(node, batch, message, first, end);
    if (node->plan->partition_key_count > 0) {
        leave_out_misplaced(node, batch, message, first, end);
    }
    evs_source_judge(node, batch, message, first, end);
    if (EVS_UNLIKELY(node->op->worker->run->options.tracer != NULL)) {
        evs_trace_source(node, batch, message, first);
    }
}

static void message_done(struct source_node *node, const struct evs_message *message)
{
    node->in_position = !message->last_of_position;
    if (node->in_position) {
        return;
    }
    struct partition *partition = &node->partitions[message->partition];
    partition->position.sequence = message->sequence;
    partition->position.byte_offset = message->byte_offset;
    partition->position.next_index = node->next_index;
    partition->position.time_us = message->ingested_at_us;
    partition->position.fingerprint = message->fingerprint;
}

/* Decodes from the message at hand until it is used up or the batch is full. */
static void read_message(struct source_node *node, struct evs_batch *batch)
{
    const struct evs_message *message = &node->messages[node->message_at];
    if (message->ends_partition) {
        evs_source_end_partition(node, message->partition);
        node->message_at++;
        return;
    }
    if (message->has_watermark) {
        struct partition *partition = &node->partitions[message->partition];
        partition->watermark_us =
            message->watermark_us > partition->watermark_us ? message->watermark_us : partition->watermark_us;
        message_done(node, message);
        node->message_at++;
        return;
    }
    if (node->consumed == 0) {
        bool continues = message->first_index == EVS_INDEX_CONTINUES;
        node->next_index =
            continues ? (uint32_t)node->partitions[message->partition].position.next_index : message->first_index;
    }
    struct evs_decode_out out = {
        .batch = batch,
        .row_max = node->op->worker->run->options.batch_rows,
        .record_index = node->record_index,
        .raw = node->raw,
        .bad = node->bad,
        .bad_max = BAD_MAX,
    };
    uint32_t first = batch->row_count;
    bool used_up = node->plan->format->decode(node->decoder, message->payload, &node->consumed, &node->next_index,
                                              node->plan->connector->bounded, &out);
    node->op->counters[EVS_COUNT_ROWS_IN] += (batch->row_count - first) + out.bad_count;
    for (uint32_t i = 0; i < out.bad_count; i++) {
        dead_record(node, message, &out.bad[i]);
    }
    if (batch->row_count > first) {
        finish_rows(node, batch, message, first);
    }
    EVS_ASSERT(node->next_index < UINT32_MAX - EVS_BATCH_ROWS); /* four thousand million lines of one file */
    if (used_up) {
        message_done(node, message);
        node->message_at++;
        node->consumed = 0;
    }
}

/* --- the whole batch ---------------------------------------------------------------------------------------------------------- */

static void drop_full_bitmaps(struct evs_batch *batch)
{
    uint32_t words = EVS_VALID_WORDS(batch->row_count);
    for (uint32_t i = 0; i < batch->column_count; i++) {
        struct evs_column *column = &batch->columns[i];
        uint64_t all = UINT64_MAX;
        for (uint32_t word = 0; column->valid != NULL && word < words; word++) {
            uint32_t rows = batch->row_count - word * 64;
            uint64_t beyond = rows >= 64 ? 0 : ~UINT64_C(0) << rows;
            all &= column->valid[word] | beyond;
        }
        column->valid = all == UINT64_MAX ? NULL : column->valid;
    }
}

static void select_rows(const struct source_node *node, struct evs_batch *batch)
{
    uint32_t excluded = 0;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        excluded += node->excluded[row];
        if (!node->excluded[row]) {
            int64_t time_us = batch->event_time_us[row];
            batch->min_time_us = time_us < batch->min_time_us ? time_us : batch->min_time_us;
            batch->max_time_us = time_us > batch->max_time_us ? time_us : batch->max_time_us;
        }
    }
    batch->selected_count = batch->row_count - excluded;
    if (excluded == 0) {
        return;
    }
    uint16_t *selection = evs_arena_alloc(batch->arena, batch->row_count * sizeof(uint16_t) + 64, 64);
    uint32_t count = 0;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        selection[count] = (uint16_t)row;
        count += !node->excluded[row];
    }
    batch->selection = selection;
}

struct evs_batch *evs_source_read_batch(struct source_node *node)
{
    struct evs_batch *batch = evs_batch_new(node->pool, node->op->node->schema.count);
    uint32_t row_max = node->op->worker->run->options.batch_rows;
    init_columns(node, batch);
    /* Dead rows of one call must fit into one emission: stop after a full list of bad records. */
    int64_t dead_before = node->op->counters[EVS_COUNT_DEAD];
    while (batch->row_count < row_max && node->message_at < node->message_count &&
           node->op->counters[EVS_COUNT_DEAD] - dead_before < (int64_t)(EVS_BATCH_ROWS / 2)) {
        read_message(node, batch);
    }
    if (batch->row_count == 0) {
        evs_batch_unref(batch);
        return NULL;
    }
    drop_full_bitmaps(batch);
    select_rows(node, batch);
    return batch;
}
