#include "lookup_client.h"

#include <stdio.h>

#define TEND_US 20000
#define IDLE_US 1000000
#define PAUSE_FIRST_US 20000
#define PAUSE_MAX_US 2000000
#define VALUE_BYTES_MAX (16u << 20)
#define BAD_MAX 64u
#define INPUT_PADDING 64 /* readable bytes behind the input of a decoder */

struct evs_lookup_client {
    const struct evs_lookup_table *table;
    struct evs_shared_open how;
    void *instance;
    struct evs_park *park;
    struct evs_thread *thread;
    _Atomic(struct evs_lookup_request *) queue;
    _Atomic bool stop;

    /* the thread's own */
    int64_t failed_us;  /* since when the server is away; 0: it is there */
    int64_t attempt_us; /* the last try */
    void *decoder;
    struct evs_row_layout layout;
    struct evs_batch_pool *batches;
    struct evs_buffer json;
    uint32_t *indices;
    struct evs_slice *raw;
    struct evs_decode_bad *bad;
};

/* --- fetching ----------------------------------------------------------------------------------------------------------------- */

static int64_t now(const struct evs_lookup_client *client)
{
    return evs_monotonic_us(client->how.os);
}

/* Waits on the park; submissions and the end cut it short. */
static void rest(struct evs_lookup_client *client, int64_t us)
{
    const struct evs_sockets *sockets = &client->how.os->sockets;
    sockets->wait(sockets->self, client->park, NULL, 0, us);
}

static bool is_given_up(const struct evs_lookup_client *client)
{
    return client->failed_us != 0 && client->how.retry_us > 0 &&
           now(client) - client->failed_us >= client->how.retry_us;
}

static evs_status try_once(struct evs_lookup_client *client, struct evs_lookup_fetch *fetch, struct evs_error *error)
{
    client->json.count = 0;
    memset(fetch->values, 0, fetch->count * sizeof *fetch->values);
    client->attempt_us = now(client);
    evs_status status = client->table->connector->fetch(client->instance, fetch, error);
    if (status == EVS_OK) {
        client->failed_us = 0;
    } else if (client->failed_us == 0) {
        client->failed_us = client->attempt_us;
        evs_log(client->how.log, EVS_LOG_WARN, "lookup", "table %s: %s", client->table->name, error->text);
    }
    return status;
}

static evs_status fetch_values(struct evs_lookup_client *client, struct evs_lookup_fetch *fetch,
                               struct evs_error *error)
{
    int64_t pause_us = PAUSE_FIRST_US;
    if (is_given_up(client) && now(client) - client->attempt_us < PAUSE_MAX_US) {
        return evs_fail(error, EVS_E_UNREACHABLE, "The server of table %s is still away.", client->table->name);
    }
    evs_status status = try_once(client, fetch, error);
    while (status == EVS_E_UNREACHABLE && !is_given_up(client) && !atomic_load(&client->stop)) {
        int64_t until_us = now(client) + pause_us;
        while (now(client) < until_us && !atomic_load(&client->stop)) { /* other requests wake, and wait behind */
            rest(client, until_us - now(client));
        }
        pause_us = pause_us * 2 < PAUSE_MAX_US ? pause_us * 2 : PAUSE_MAX_US;
        status = try_once(client, fetch, error);
    }
    return status;
}

/* --- decoding ------------------------------------------------------------------------------------------------------------------- */

static struct evs_batch *decode_batch(struct evs_lookup_client *client)
{
    const struct evs_schema *schema = &client->table->schema;
    struct evs_batch *batch = evs_batch_new(client->batches, schema->count);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    for (uint32_t i = 0; i < schema->count; i++) {
        evs_column_init(&batch->columns[i], batch, schema->fields[i].type->kind, EVS_BATCH_ROWS, true);
    }
    memset(batch->event_time_us, 0, EVS_BATCH_ROWS * sizeof *batch->event_time_us);
    memset(batch->cause, 0, EVS_BATCH_ROWS * sizeof *batch->cause);
    batch->row_count = 0;
    return batch;
}

/* One value: a row, or what is wrong with it. */
static void decode_value(struct evs_lookup_client *client, struct evs_lookup_request *request, uint32_t number,
                         struct evs_batch *batch, struct evs_slice json)
{
    uint32_t row = batch->row_count, index = 0;
    size_t consumed = 0;
    struct evs_decode_out out = {.batch = batch,
                                 .row_max = row + 1,
                                 .record_index = client->indices,
                                 .raw = client->raw,
                                 .bad = client->bad,
                                 .bad_max = BAD_MAX};
    client->table->format->decode(client->decoder, json, &consumed, &index, true, &out);
    struct evs_lookup_answer *answer = &request->answers[number];
    if (batch->row_count == row + 1 && out.bad_count == 0) {
        answer->found = EVS_LOOKUP_FOUND;
        answer->row = evs_row_keep(&request->pool, &client->layout, batch, row);
        return;
    }
    answer->found = EVS_LOOKUP_BAD;
    batch->row_count = row;
    evs_fail(&request->error, EVS_E_DATA, "Table %s has a value that does not fit its columns: %s",
             client->table->name, out.bad_count > 0 ? client->bad[0].detail : "it is no JSON object");
}

/* The decoder reads in place: all values lie in `json`, which grows no more. */
static void decode_values(struct evs_lookup_client *client, struct evs_lookup_request *request,
                          const struct evs_lookup_fetch *fetch)
{
    struct evs_batch *batch = decode_batch(client);
    evs_buffer_reserve(&client->json, INPUT_PADDING);
    memset(client->json.data + client->json.count, 0, INPUT_PADDING);
    for (uint32_t i = 0; i < request->count; i++) {
        const struct evs_lookup_value *value = &fetch->values[i];
        request->answers[i] = (struct evs_lookup_answer){0};
        if (value->is_there) {
            decode_value(client, request, i, batch,
                         (struct evs_slice){client->json.data + value->offset, value->bytes});
        }
    }
    evs_batch_unref(batch);
}

static void serve(struct evs_lookup_client *client, struct evs_lookup_request *request)
{
    struct evs_lookup_fetch fetch = {.keys = request->keys, .count = request->count, .json = &client->json};
    fetch.values = evs_alloc_zero((request->count + 1) * sizeof *fetch.values);
    request->error = (struct evs_error){0};
    request->status = fetch_values(client, &fetch, &request->error);
    if (request->status == EVS_OK) {
        decode_values(client, request, &fetch);
    }
    evs_free(fetch.values);
    struct evs_waker *waker = request->waker;
    atomic_store(&request->is_done, true); /* from here on it is the worker's */
    evs_waker_wake(waker);
}

/* --- the thread --------------------------------------------------------------------------------------------------------------------- */

/* The requests, the oldest first. */
static struct evs_lookup_request *take_all(struct evs_lookup_client *client)
{
    struct evs_lookup_request *newest = atomic_exchange(&client->queue, NULL), *oldest = NULL;
    while (newest != NULL) {
        struct evs_lookup_request *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void client_main(void *argument)
{
    struct evs_lookup_client *client = argument;
    const struct evs_lookup *connector = client->table->connector;
    while (!atomic_load(&client->stop)) {
        struct evs_lookup_request *request = take_all(client);
        if (request == NULL) {
            if (connector->tend != NULL) {
                connector->tend(client->instance);
            }
            rest(client, connector->tend != NULL ? TEND_US : IDLE_US);
        }
        while (request != NULL && !atomic_load(&client->stop)) {
            struct evs_lookup_request *next = request->next;
            serve(client, request);
            request = next;
        }
    }
}

void evs_lookup_submit(struct evs_lookup_client *client, struct evs_lookup_request *request)
{
    EVS_ASSERT(request->count > 0 && request->waker != NULL);
    evs_row_pool_fini(&request->pool);
    request->pool = (struct evs_row_pool){0};
    atomic_store(&request->is_done, false);
    request->next = atomic_load(&client->queue);
    while (!atomic_compare_exchange_weak(&client->queue, &request->next, request)) {
    }
    client->how.os->threads.wake(client->park);
}

/* --- open and close ------------------------------------------------------------------------------------------------------------------ */

static evs_status open_connector(struct evs_lookup_client *client, struct evs_error *error)
{
    const struct evs_shared_open *how = &client->how;
    struct evs_lookup_open open = {
        .os = how->os,
        .log = how->log,
        .pipeline = how->pipeline,
        .name = client->table->name,
        .config = client->table->config,
        .nats_url = how->nats_url,
        .nats_credentials = how->nats_credentials,
        .redis_url = how->redis_url,
        .retry_us = how->retry_us,
        .park = client->park,
    };
    return client->table->connector->open(&open, &client->instance, error);
}

void evs_lookup_client_close(void *made)
{
    struct evs_lookup_client *client = made;
    const struct evs_threads *threads = &client->how.os->threads;
    atomic_store(&client->stop, true);
    threads->wake(client->park);
    if (client->thread != NULL) {
        threads->join(client->thread);
    }
    if (client->instance != NULL) {
        client->table->connector->close(client->instance);
    }
    if (client->decoder != NULL) {
        client->table->format->close(client->decoder);
    }
    evs_row_layout_fini(&client->layout);
    evs_batch_pool_free(client->batches);
    evs_buffer_fini(&client->json);
    evs_free(client->indices);
    evs_free(client->raw);
    evs_free(client->bad);
    threads->park_free(client->park);
    evs_free(client);
}

evs_status evs_lookup_client_open(const void *key, const struct evs_shared_open *open, void **made,
                                  struct evs_error *error)
{
    const struct evs_lookup_table *table = key;
    const struct evs_threads *threads = &open->os->threads;
    struct evs_lookup_client *client = evs_alloc_zero(sizeof *client);
    client->table = table;
    client->how = *open;
    client->park = threads->park_new(threads->self);
    client->batches = evs_batch_pool_new();
    client->indices = evs_alloc(EVS_BATCH_ROWS * sizeof *client->indices);
    client->raw = evs_alloc(EVS_BATCH_ROWS * sizeof *client->raw);
    client->bad = evs_alloc(BAD_MAX * sizeof *client->bad);
    client->decoder = table->format->open(table->columns, table->schema.count, VALUE_BYTES_MAX);
    evs_row_layout_init(&client->layout, &table->schema, NULL, 0);
    evs_status status = open_connector(client, error);
    if (status == EVS_OK) {
        status = threads->spawn(threads->self, "evs-lookup", client_main, client, &client->thread);
        status = status == EVS_OK ? EVS_OK
                                  : evs_fail(error, status, "the thread of table %s cannot be started", table->name);
    }
    if (status != EVS_OK) {
        evs_lookup_client_close(client);
        return status;
    }
    *made = client;
    return EVS_OK;
}
