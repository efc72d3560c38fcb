/* A table in Redis: hashes, or strings.
 *
 *   value = 'hash'    HMGET key field…   each column is a field of its name (or its path's); a field that is not there is missing, as in an event
 *   value = 'string'  GET key            the one column beside the key is the text, converted as cast does
 *   value = 'json'    GET key            the text is a JSON object, read as an event is
 *
 * A fetch writes the commands of all keys at once and then reads their answers: one round trip, in pieces of at most EVS_REDIS_WINDOW_BYTES. Redis is
 * connected when the first fetch comes, and again when a fetch finds the connection gone, so a server that is away at the start is met by the retry
 * policy like one that goes later. */
#include <stdio.h>

#include "redis_link.h"
#include "tables.h"

enum { OPTION_KEY, OPTION_VALUE, OPTION_URL };
enum { VALUE_HASH, VALUE_STRING, VALUE_JSON };

static const struct evs_option options[] = {
    [OPTION_KEY] = {.name = "key",
                    .kind = EVS_OPTION_STRING,
                    .required = true,
                    .help = "The key's text, with {column} for each column of the primary key: 'profile:{user_id}'."},
    [OPTION_VALUE] =
        {.name = "value",
         .kind = EVS_OPTION_ENUM,
         .fallback = "hash",
         .choices = "hash|string|json",
         .help = "hash: each column is a field of a hash; string: the one column beside the key is a string's text; "
                 "json: a string is a JSON object."},
    [OPTION_URL] = {.name = "url",
                    .kind = EVS_OPTION_STRING,
                    .secret = true,
                    .help = "The server, redis://host:port; without it the one that keeps the state."},
    {0},
};

struct config {
    const char *url; /* NULL: that of the state */
    int64_t value;
    const char **fields; /* hash and string: the columns' names */
    uint32_t field_count;
};

struct redis_table {
    const struct config *config;
    struct evs_redis_address address;
    struct evs_redis_link *link;
    struct evs_slice *arguments;
};

/* --- configuration -------------------------------------------------------------------------------------------------------------- */

static bool is_key(const struct evs_lookup_columns *columns, uint32_t column)
{
    for (uint32_t i = 0; i < columns->key_count; i++) {
        if (columns->keys[i] == column) {
            return true;
        }
    }
    return false;
}

static evs_status set_fields(struct config *config, const struct evs_lookup_columns *columns, struct evs_arena *arena,
                             struct evs_error *error)
{
    config->fields = EVS_ARENA_ARRAY(arena, const char *, columns->column_count + 1);
    for (uint32_t i = 0; i < columns->column_count; i++) {
        const struct evs_decode_column *column = &columns->columns[i];
        if (is_key(columns, i)) {
            continue;
        }
        if (column->path_count != 1) {
            return evs_fail(
                error, EVS_E_PIPELINE,
                "A hash has no fields within fields: the path of column %s names one field, or the value is 'json'.",
                column->name);
        }
        config->fields[config->field_count++] = column->path[0];
    }
    if (config->field_count == 0 || (config->value == VALUE_STRING && config->field_count != 1)) {
        return evs_fail(error, EVS_E_PIPELINE, "A table of %s has %s beside its primary key.",
                        config->value == VALUE_STRING ? "strings" : "hashes",
                        config->value == VALUE_STRING ? "exactly one column" : "at least one column");
    }
    return EVS_OK;
}

static evs_status redis_configure(const struct evs_option_value *values, const struct evs_lookup_columns *columns,
                                  struct evs_arena *arena, const void **config, struct evs_error *error)
{
    struct config *made = EVS_ARENA_NEW(arena, struct config);
    made->value = values[OPTION_VALUE].integer;
    if (values[OPTION_URL].is_set) {
        struct evs_redis_address address;
        made->url = evs_arena_strndup(arena, values[OPTION_URL].text.data, values[OPTION_URL].text.count);
        evs_status status = evs_redis_address_parse(made->url, &address, error);
        if (status != EVS_OK) {
            return status;
        }
        evs_redis_address_fini(&address);
    }
    *config = made;
    return made->value == VALUE_JSON ? EVS_OK : set_fields(made, columns, arena, error);
}

/* --- values as JSON ---------------------------------------------------------------------------------------------------------------- */

static void put_json_text(struct evs_buffer *out, struct evs_slice text)
{
    static const char digits[] = "0123456789abcdef";
    evs_buffer_put(out, "\"", 1);
    for (size_t i = 0; i < text.count; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            char escaped[2] = {'\\', (char)c};
            evs_buffer_put(out, escaped, 2);
        } else if (c < 0x20) {
            char escaped[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
            evs_buffer_put(out, escaped, 6);
        } else {
            evs_buffer_put(out, &text.data[i], 1);
        }
    }
    evs_buffer_put(out, "\"", 1);
}

static void put_field(struct evs_buffer *out, bool is_first, const char *name, struct evs_slice text)
{
    evs_buffer_put(out, is_first ? "{" : ",", 1);
    put_json_text(out, evs_slice_of(name));
    evs_buffer_put(out, ":", 1);
    put_json_text(out, text);
}

/* A key of another type is a value that does not decode: it fails for the rows that ask for it, and for no others. */
static bool put_wrong_type(struct evs_buffer *out)
{
    evs_buffer_puts(out, "\"a value of another type\"");
    return true;
}

/* A hash as an object; false: no field is there, so there is no such key. */
static bool put_hash(const struct config *config, const redisReply *reply, struct evs_buffer *out)
{
    bool is_first = true;
    for (uint32_t i = 0; i < config->field_count && i < reply->elements; i++) {
        if (reply->element[i]->type == REDIS_REPLY_STRING) {
            put_field(out, is_first, config->fields[i], evs_redis_reply_slice(reply->element[i]));
            is_first = false;
        }
    }
    if (!is_first) {
        evs_buffer_put(out, "}", 1);
    }
    return !is_first;
}

/* A JSON object may hold line ends, which a record may not: they become spaces, for inside its strings they cannot stand. */
static void put_object(struct evs_slice text, struct evs_buffer *out)
{
    size_t first = out->count;
    evs_buffer_put(out, text.data, text.count);
    for (size_t i = first; i < out->count; i++) {
        out->data[i] = out->data[i] == '\n' || out->data[i] == '\r' ? ' ' : out->data[i];
    }
}

static bool put_value(const struct config *config, const redisReply *reply, struct evs_buffer *out)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        return put_wrong_type(out);
    }
    if (config->value == VALUE_HASH) {
        return put_hash(config, reply, out);
    }
    if (reply->type != REDIS_REPLY_STRING) {
        return false;
    }
    if (config->value == VALUE_JSON) {
        put_object(evs_redis_reply_slice(reply), out);
    } else {
        put_field(out, true, config->fields[0], evs_redis_reply_slice(reply));
        evs_buffer_put(out, "}", 1);
    }
    return true;
}

/* --- fetching ----------------------------------------------------------------------------------------------------------------------- */

static size_t put_command(struct redis_table *table, struct evs_slice key)
{
    const struct config *config = table->config;
    uint32_t count = 2;
    size_t bytes = key.count + 32;
    table->arguments[0] = config->value == VALUE_HASH ? EVS_SLICE("HMGET") : EVS_SLICE("GET");
    table->arguments[1] = key;
    for (uint32_t i = 0; config->value == VALUE_HASH && i < config->field_count; i++) {
        table->arguments[count++] = evs_slice_of(config->fields[i]);
        bytes += strlen(config->fields[i]) + 16;
    }
    evs_redis_link_put(table->link, table->arguments, count);
    return bytes;
}

static evs_status take_answer(struct redis_table *table, struct evs_lookup_fetch *fetch, uint32_t number,
                              struct evs_error *error)
{
    redisReply *reply;
    evs_status status = evs_redis_link_receive(table->link, &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    if (reply->type == REDIS_REPLY_ERROR && evs_redis_classify(reply->str)->cause != EVS_REDIS_WRONGTYPE) {
        status = evs_redis_refused(evs_redis_link_server(table->link), "give the value of a looked-up key", reply->str,
                                   error);
        evs_redis_link_drop(table->link);
    } else {
        struct evs_lookup_value *value = &fetch->values[number];
        value->offset = (uint32_t)fetch->json->count;
        value->is_there = put_value(table->config, reply, fetch->json);
        value->bytes = (uint32_t)fetch->json->count - value->offset;
        evs_buffer_put(fetch->json, "\n", 1);
    }
    freeReplyObject(reply);
    return status;
}

static evs_status redis_fetch(void *instance, struct evs_lookup_fetch *fetch, struct evs_error *error)
{
    struct redis_table *table = instance;
    evs_status status = evs_redis_link_connect(table->link, error);
    for (uint32_t sent = 0, taken = 0; status == EVS_OK && taken < fetch->count;) {
        size_t bytes = 0;
        while (sent < fetch->count && bytes < EVS_REDIS_WINDOW_BYTES) {
            bytes += put_command(table, fetch->keys[sent++]);
        }
        while (status == EVS_OK && taken < sent) {
            status = take_answer(table, fetch, taken++, error);
        }
    }
    return status;
}

/* --- open and close -------------------------------------------------------------------------------------------------------------------- */

static void redis_close(void *instance)
{
    struct redis_table *table = instance;
    evs_redis_link_free(table->link);
    evs_redis_address_fini(&table->address);
    evs_free(table->arguments);
    evs_free(table);
}

static evs_status redis_open(const struct evs_lookup_open *open, void **instance, struct evs_error *error)
{
    struct redis_table *table = evs_alloc_zero(sizeof *table);
    table->config = open->config;
    table->arguments = evs_alloc((table->config->field_count + 2) * sizeof *table->arguments);
    evs_status status = evs_redis_address_parse(table->config->url != NULL ? table->config->url : open->redis_url,
                                                &table->address, error);
    if (status == EVS_OK) {
        char name[128];
        snprintf(name, sizeof name, "evstream:%.60s:%.50s", open->pipeline, open->name);
        status = evs_redis_link_new(open->os, &table->address, name, &table->link, error);
    }
    if (status != EVS_OK) {
        redis_close(table);
        return status;
    }
    *instance = table;
    return EVS_OK;
}

const struct evs_lookup evs_table_redis = {
    .kind = "redis",
    .options = options,
    .key_option = "key",
    .configure = redis_configure,
    .open = redis_open,
    .fetch = redis_fetch,
    .close = redis_close,
};
