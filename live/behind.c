#include "behind.h"

#include <string.h>

#include "evstream/json_value.h"

#define POLL_MESSAGES 64u
#define BAD_MAX 16u
#define WAIT_US 100000
#define RETRY_US (INT64_C(2) * 1000000)
#define TEXT_BYTES_MAX 2000u

/* A reading under way. */
struct reading {
    const struct evs_behind_ask *ask;
    struct evs_behind *behind;
    const struct evs_plan_source *plan;
    void *connector, *decoder;
    struct evs_park *park;
    struct evs_batch_pool *pool;
    struct evs_buffer scratch;
    int64_t end_us; /* monotonic */
    uint64_t message_count;
    uint32_t record_index[EVS_BATCH_ROWS];
    struct evs_slice raw[EVS_BATCH_ROWS];
    struct evs_decode_bad bad[BAD_MAX];
};

/* --- one record ----------------------------------------------------------------------------------------------------------------- */

static bool has_keys(struct reading *reading, const struct evs_batch *batch, uint32_t row)
{
    const struct evs_behind_ask *ask = reading->ask;
    for (uint32_t i = 0; i < ask->key_count; i++) {
        const struct evs_behind_key *key = &ask->keys[i];
        struct evs_value value = evs_column_value(&batch->columns[key->column], row);
        reading->scratch.count = 0;
        evs_json_put_value(&reading->scratch, &value, ask->source->schema.fields[key->column].type, 0);
        if (reading->scratch.count != key->json.count ||
            memcmp(reading->scratch.data, key->json.data, key->json.count) != 0) {
            return false;
        }
    }
    return true;
}

static int64_t event_time(const struct reading *reading, const struct evs_batch *batch, uint32_t row,
                          const struct evs_message *message)
{
    bool has_column = reading->plan->watermark != NULL || reading->plan->watermark_delay_us >= 0;
    return has_column ? ((const int64_t *)batch->columns[reading->plan->event_time_column].data)[row]
                      : message->ingested_at_us;
}

static void look_at_row(struct reading *reading, const struct evs_batch *batch, uint32_t row,
                        const struct evs_message *message)
{
    const struct evs_behind_ask *ask = reading->ask;
    struct evs_behind *behind = reading->behind;
    int64_t time_us = event_time(reading, batch, row, message);
    uint32_t index = reading->record_index[row];
    bool is_cause = ask->sequence != 0 && message->sequence == ask->sequence && index == ask->index;
    bool is_after = ask->sequence != 0 && message->sequence == ask->sequence && index > ask->index;
    bool is_one = time_us >= ask->from_us && time_us <= ask->until_us && !is_after && has_keys(reading, batch, row);
    behind->looked_at++;
    if (!is_cause && !is_one) {
        return;
    }
    struct evs_behind_event *event = &behind->events[behind->found++ % EVS_BEHIND_KEPT];
    struct evs_buffer text = event->text;
    *event = (struct evs_behind_event){message->partition, index, message->sequence, message->ingested_at_us, time_us,
                                       is_cause,           text};
    event->text.count = 0;
    size_t count = reading->raw[row].count < TEXT_BYTES_MAX ? reading->raw[row].count : TEXT_BYTES_MAX;
    evs_buffer_put(&event->text, reading->raw[row].data, count);
}

/* --- one message ------------------------------------------------------------------------------------------------------------------ */

static struct evs_batch *new_batch(const struct reading *reading)
{
    const struct evs_schema *schema = &reading->ask->source->schema;
    struct evs_batch *batch = evs_batch_new(reading->pool, schema->count);
    for (uint32_t i = 0; i < schema->count; i++) {
        evs_column_init(&batch->columns[i], batch, schema->fields[i].type->kind, EVS_BATCH_ROWS, true);
    }
    return batch;
}

static void look_at_message(struct reading *reading, const struct evs_message *message)
{
    const struct evs_plan_source *plan = reading->plan;
    uint32_t next_index = message->first_index;
    size_t consumed = 0;
    bool is_used_up = message->has_watermark;
    while (!is_used_up) {
        struct evs_batch *batch = new_batch(reading);
        struct evs_decode_out out = {.batch = batch,
                                     .row_max = EVS_BATCH_ROWS,
                                     .record_index = reading->record_index,
                                     .raw = reading->raw,
                                     .bad = reading->bad,
                                     .bad_max = BAD_MAX};
        is_used_up = plan->format->decode(reading->decoder, message->payload, &consumed, &next_index, false, &out);
        reading->behind->looked_at += out.bad_count;
        for (uint32_t row = 0; row < batch->row_count; row++) {
            look_at_row(reading, batch, row, message);
        }
        evs_batch_unref(batch);
    }
}

/* --- all of them -------------------------------------------------------------------------------------------------------------------- */

static bool has_time(const struct reading *reading)
{
    return evs_monotonic_us(reading->ask->os) < reading->end_us && reading->message_count < EVS_BEHIND_MESSAGES_MAX;
}

static void wait(struct reading *reading)
{
    const struct evs_os *os = reading->ask->os;
    struct evs_wait_fd fds[EVS_WAIT_FDS_MAX];
    uint32_t count = reading->plan->connector->wait_fds == NULL
                         ? 0
                         : reading->plan->connector->wait_fds(reading->connector, fds, EVS_WAIT_FDS_MAX);
    (void)os->sockets.wait(os->sockets.self, reading->park, fds, count, WAIT_US);
}

static evs_status read_all(struct reading *reading, struct evs_error *error)
{
    struct evs_message messages[POLL_MESSAGES];
    while (has_time(reading)) {
        uint32_t count = 0;
        evs_status status = reading->plan->connector->poll(reading->connector, messages, POLL_MESSAGES, &count, error);
        for (uint32_t i = 0; status == EVS_OK && i < count; i++) {
            look_at_message(reading, &messages[i]);
        }
        reading->message_count += count;
        if (status == EVS_END) {
            reading->behind->is_complete = true;
            return EVS_OK;
        }
        if (status == EVS_AGAIN) {
            wait(reading);
        } else if (status != EVS_OK) {
            return status;
        }
    }
    return EVS_OK;
}

/* A worker of so many owns one partition alone. */
#define ONE_PARTITION 65536u

static evs_status open_connector(struct reading *reading, struct evs_error *error)
{
    const struct evs_behind_ask *ask = reading->ask;
    bool is_one = ask->start == EVS_START_SEQUENCE;
    struct evs_source_open open = {
        .os = ask->os,
        .log = ask->log,
        .name = ask->source->name,
        .config = reading->plan->config,
        .worker = is_one ? ask->partition : 0,
        .worker_count = is_one ? ONE_PARTITION : 1,
        .park = reading->park,
        .until_end = true,
        .start = ask->start,
        .start_value = ask->start_value,
        .end_sequence = ask->end_sequence,
        .nats_url = ask->nats_url,
        .nats_credentials = ask->nats_credentials,
        .row_bytes_max = reading->plan->row_bytes_max,
        .retry_us = RETRY_US,
    };
    return reading->plan->connector->open(&open, &reading->connector, error);
}

evs_status evs_behind_read(const struct evs_behind_ask *ask, struct evs_behind *behind, struct evs_error *error)
{
    struct reading *reading = evs_alloc_zero(sizeof *reading);
    reading->ask = ask;
    reading->behind = behind;
    reading->plan = ask->source->source;
    reading->end_us = evs_monotonic_us(ask->os) + EVS_BEHIND_US;
    reading->park = ask->os->threads.park_new(ask->os->threads.self);
    reading->pool = evs_batch_pool_new();
    reading->decoder =
        reading->plan->format->open(reading->plan->columns, reading->plan->column_count, reading->plan->row_bytes_max);
    evs_status status = open_connector(reading, error);
    if (status == EVS_OK) {
        status = read_all(reading, error);
        reading->plan->connector->close(reading->connector);
    }
    reading->plan->format->close(reading->decoder);
    evs_batch_pool_free(reading->pool);
    ask->os->threads.park_free(reading->park);
    evs_buffer_fini(&reading->scratch);
    evs_free(reading);
    return status;
}

void evs_behind_fini(struct evs_behind *behind)
{
    for (uint32_t i = 0; i < EVS_BEHIND_KEPT; i++) {
        evs_buffer_fini(&behind->events[i].text);
    }
}
