/* A table in a NATS key-value bucket: the whole bucket is held here, and follows its updates by a watch.
 *
 *   connect ──► watch ──► initial values into a new map ──► held; updates are taken before each fetch and every 20 ms
 *      ▲                                                       │
 *      └───────── at the next fetch ◄──── connection lost ◄────┘     the map is made anew: what was deleted meanwhile is missed by no one
 *
 * While the server is away nothing is answered: what the map has would be of an unknown age, and the policy of the table (on lookup error) decides.
 *
 * This is the second file that calls cnats (sources/nats_link.c is the first): its key-value functions block, which only a thread of our own may. Reconnecting is
 * ours here, too: the library's keeps a watch whose deletions in between are lost. */
#include <nats/nats.h>
#include <stdio.h>

#include "tables.h"
#include "value_map.h"

#define CONNECT_MS 5000
#define INITIAL_MS 10000
#define DRAIN_MS 1
#define FRESH_US 2000 /* updates are asked for at most so often */

enum { OPTION_BUCKET, OPTION_KEY, OPTION_URL };
static const struct evs_option options[] = {
    [OPTION_BUCKET] = {.name = "bucket", .kind = EVS_OPTION_STRING, .required = true, .help = "The bucket's name."},
    [OPTION_KEY] =
        {.name = "key",
         .kind = EVS_OPTION_STRING,
         .required = true,
         .help =
             "The key's text, with {column} for each column of the primary key: '{sku}'. Its value is a JSON object."},
    [OPTION_URL] = {.name = "url",
                    .kind = EVS_OPTION_STRING,
                    .secret = true,
                    .help = "The server, nats://host:port; without it the one of the command line."},
    {0},
};

struct config {
    const char *bucket, *url;
};

struct kv_table {
    const struct config *config;
    const struct evs_os *os;
    const char *url, *credentials;
    natsConnection *connection;
    jsCtx *stream;
    kvStore *store;
    kvWatcher *watcher; /* NULL: not connected */
    struct evs_value_map map;
    int64_t drained_us;
    struct evs_buffer value;
};

static evs_status kv_configure(const struct evs_option_value *values, const struct evs_lookup_columns *columns,
                               struct evs_arena *arena, const void **config, struct evs_error *error)
{
    struct config *made = EVS_ARENA_NEW(arena, struct config);
    (void)columns, (void)error;
    made->bucket = evs_arena_strndup(arena, values[OPTION_BUCKET].text.data, values[OPTION_BUCKET].text.count);
    if (values[OPTION_URL].is_set) {
        made->url = evs_arena_strndup(arena, values[OPTION_URL].text.data, values[OPTION_URL].text.count);
    }
    *config = made;
    return EVS_OK;
}

/* --- the connection --------------------------------------------------------------------------------------------------------------- */

static void disconnect(struct kv_table *table)
{
    kvWatcher_Destroy(table->watcher);
    kvStore_Destroy(table->store);
    jsCtx_Destroy(table->stream);
    natsConnection_Destroy(table->connection);
    table->watcher = NULL;
    table->store = NULL;
    table->stream = NULL;
    table->connection = NULL;
    evs_value_map_fini(&table->map);
}

/* Errors are told where a call fails; without a handler the library prints them itself. */
static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status, void *closure)
{
    (void)connection, (void)subscription, (void)status, (void)closure;
}

static natsStatus connect_server(struct kv_table *table)
{
    natsOptions *made = NULL;
    natsStatus s = natsOptions_Create(&made);
    s = s == NATS_OK ? natsOptions_SetURL(made, table->url) : s;
    s = s == NATS_OK ? natsOptions_SetAllowReconnect(made, false) : s;
    s = s == NATS_OK ? natsOptions_SetTimeout(made, CONNECT_MS) : s;
    s = s == NATS_OK ? natsOptions_SetName(made, "evstream table") : s;
    s = s == NATS_OK ? natsOptions_SetErrorHandler(made, on_error, NULL) : s;
    if (s == NATS_OK && table->credentials != NULL) {
        s = natsOptions_SetUserCredentialsFromFiles(made, table->credentials, NULL);
    }
    s = s == NATS_OK ? natsConnection_Connect(&table->connection, made) : s;
    natsOptions_Destroy(made);
    return s;
}

/* A value is one record: line ends between its tokens become spaces. */
static void take_entry(struct kv_table *table, kvEntry *entry)
{
    struct evs_slice key = evs_slice_of(kvEntry_Key(entry));
    if (kvEntry_Operation(entry) != kvOp_Put) {
        evs_value_map_remove(&table->map, key);
        return;
    }
    table->value.count = 0;
    evs_buffer_put(&table->value, kvEntry_Value(entry), (size_t)kvEntry_ValueLen(entry));
    for (size_t i = 0; i < table->value.count; i++) {
        char *c = &table->value.data[i];
        *c = *c == '\n' || *c == '\r' ? ' ' : *c;
    }
    evs_value_map_put(&table->map, key, (struct evs_slice){table->value.data, table->value.count});
}

/* The values that the bucket had when the watch began: an entry without content is their end. */
static natsStatus take_initial(struct kv_table *table)
{
    for (;;) {
        kvEntry *entry = NULL;
        natsStatus s = kvWatcher_Next(&entry, table->watcher, INITIAL_MS);
        if (s != NATS_OK || entry == NULL) {
            return s;
        }
        take_entry(table, entry);
        kvEntry_Destroy(entry);
    }
}

static evs_status connect(struct kv_table *table, struct evs_error *error)
{
    const char *what = "cannot be reached";
    natsStatus s = connect_server(table);
    if (s == NATS_OK) {
        what = "does not give the bucket";
        s = natsConnection_JetStream(&table->stream, table->connection, NULL);
    }
    s = s == NATS_OK ? js_KeyValue(&table->store, table->stream, table->config->bucket) : s;
    bool is_missing = s == NATS_NOT_FOUND;
    if (s == NATS_OK) {
        s = kvStore_WatchAll(&table->watcher, table->store, NULL);
    }
    s = s == NATS_OK ? take_initial(table) : s;
    if (s == NATS_OK) {
        table->drained_us = evs_monotonic_us(table->os);
        return EVS_OK;
    }
    disconnect(table);
    if (is_missing) {
        return evs_fail(error, EVS_E_REFUSED, "There is no key-value bucket %s; create it: nats kv add %s.",
                        table->config->bucket, table->config->bucket);
    }
    return evs_fail(error, EVS_E_UNREACHABLE, "NATS %s, bucket %s: %s.", what, table->config->bucket,
                    natsStatus_GetText(s));
}

/* Takes the updates that have come. */
static evs_status drain(struct kv_table *table, struct evs_error *error)
{
    int64_t now_us = evs_monotonic_us(table->os);
    if (now_us - table->drained_us < FRESH_US) {
        return EVS_OK;
    }
    for (;;) {
        kvEntry *entry = NULL;
        natsStatus s = kvWatcher_Next(&entry, table->watcher, DRAIN_MS);
        if (s == NATS_TIMEOUT && !natsConnection_IsClosed(table->connection)) {
            table->drained_us = now_us;
            return EVS_OK;
        }
        if (s != NATS_OK) {
            disconnect(table);
            return evs_fail(error, EVS_E_UNREACHABLE, "NATS, bucket %s: the connection is lost: %s.",
                            table->config->bucket, natsStatus_GetText(s));
        }
        if (entry != NULL) {
            take_entry(table, entry);
            kvEntry_Destroy(entry);
        }
    }
}

/* --- the contract --------------------------------------------------------------------------------------------------------------------- */

static evs_status kv_fetch(void *instance, struct evs_lookup_fetch *fetch, struct evs_error *error)
{
    struct kv_table *table = instance;
    evs_status status = table->watcher == NULL ? connect(table, error) : drain(table, error);
    if (status == EVS_OK) {
        evs_value_map_answer(&table->map, fetch);
    }
    return status;
}

/* A connection that breaks here is made again by the next fetch. */
static void kv_tend(void *instance)
{
    struct kv_table *table = instance;
    if (table->watcher != NULL) {
        struct evs_error error;
        evs_status status = drain(table, &error);
        (void)status;
    }
}

static void kv_close(void *instance)
{
    struct kv_table *table = instance;
    disconnect(table);
    evs_buffer_fini(&table->value);
    evs_free(table);
}

static evs_status kv_open(const struct evs_lookup_open *open, void **instance, struct evs_error *error)
{
    struct kv_table *table = evs_alloc_zero(sizeof *table);
    (void)error;
    table->config = open->config;
    table->os = open->os;
    table->url = table->config->url != NULL ? table->config->url : open->nats_url;
    table->credentials = open->nats_credentials;
    *instance = table;
    return EVS_OK;
}

const struct evs_lookup evs_table_nats_kv = {
    .kind = "nats_kv",
    .options = options,
    .key_option = "key",
    .is_local = true,
    .configure = kv_configure,
    .open = kv_open,
    .fetch = kv_fetch,
    .tend = kv_tend,
    .close = kv_close,
};
