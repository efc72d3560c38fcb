/* A table in a file of NDJSON, packed or not: read at the start, and held. Of a key that comes twice the last line counts; blank lines are left out.
 *
 * The lines are decoded twice: here for their keys, and by the client when they are asked for. So the map holds the text of the lines, and a row costs its
 * bytes only. */
#include "decode_json.h"
#include "evstream/keys.h"
#include "file_bytes.h"
#include "tables.h"
#include "value_map.h"

#define READ_BYTES (256u << 10)
#define LINE_BYTES_MAX (16u << 20)
#define INPUT_PADDING 64 /* readable bytes behind the input of a decoder */

enum { OPTION_PATH };
static const struct evs_option options[] = {
    [OPTION_PATH] =
        {.name = "path",
         .kind = EVS_OPTION_STRING,
         .required = true,
         .help = "The file, one JSON object a line; .gz and .zst are unpacked. It is read when the pipeline starts."},
    {0},
};

struct config {
    const char *path;
    struct evs_lookup_columns columns;
};

struct file_table {
    const struct config *config;
    struct evs_value_map map;
};

/* What reading needs. */
struct reading {
    struct file_table *table;
    struct evs_batch_pool *pool;
    void *decoder;
    struct evs_buffer text, key;
    uint64_t line;
    uint32_t indices[EVS_BATCH_ROWS];
    struct evs_slice raw[EVS_BATCH_ROWS];
    struct evs_decode_bad bad;
};

static evs_status file_configure(const struct evs_option_value *values, const struct evs_lookup_columns *columns,
                                 struct evs_arena *arena, const void **config, struct evs_error *error)
{
    struct config *made = EVS_ARENA_NEW(arena, struct config);
    (void)error;
    made->path = evs_arena_strndup(arena, values[OPTION_PATH].text.data, values[OPTION_PATH].text.count);
    made->columns = *columns;
    *config = made;
    return EVS_OK;
}

static struct evs_batch *line_batch(struct reading *reading)
{
    const struct evs_lookup_columns *columns = &reading->table->config->columns;
    struct evs_batch *batch = evs_batch_new(reading->pool, columns->column_count);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    for (uint32_t i = 0; i < columns->column_count; i++) {
        evs_column_init(&batch->columns[i], batch, columns->columns[i].kind, EVS_BATCH_ROWS, true);
    }
    batch->row_count = 0;
    return batch;
}

static evs_status bad_line(const struct reading *reading, const char *why, struct evs_error *error)
{
    return evs_fail(error, EVS_E_IO, "%s, line %llu, is no row of the table: %s.", reading->table->config->path,
                    (unsigned long long)reading->line, why);
}

/* Puts the rows of a batch into the map, each under its key. */
static evs_status put_rows(struct reading *reading, const struct evs_batch *batch, struct evs_error *error)
{
    const struct evs_lookup_columns *columns = &reading->table->config->columns;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        for (uint32_t i = 0; i < columns->key_count; i++) {
            if (!evs_column_is_valid(&batch->columns[columns->keys[i]], row)) {
                return bad_line(reading, "its key is NULL", error);
            }
        }
        reading->key.count = 0;
        evs_key_encode(batch, row, columns->keys, columns->key_count, &reading->key);
        evs_value_map_put(&reading->table->map, (struct evs_slice){reading->key.data, reading->key.count},
                          reading->raw[row]);
    }
    return EVS_OK;
}

static evs_status put_line(struct reading *reading, struct evs_slice line, struct evs_error *error)
{
    struct evs_batch *batch = line_batch(reading);
    struct evs_decode_out out = {.batch = batch,
                                 .row_max = 1,
                                 .record_index = reading->indices,
                                 .raw = reading->raw,
                                 .bad = &reading->bad,
                                 .bad_max = 1};
    size_t consumed = 0;
    uint32_t index = 0;
    evs_decode_json.decode(reading->decoder, line, &consumed, &index, true, &out);
    reading->line++;
    evs_status status =
        out.bad_count > 0 ? bad_line(reading, reading->bad.detail, error) : put_rows(reading, batch, error);
    evs_batch_unref(batch);
    return status;
}

/* The whole lines of what was read; the rest waits for more. */
static evs_status put_lines(struct reading *reading, bool is_end, struct evs_error *error)
{
    size_t at = 0;
    evs_status status = EVS_OK;
    evs_buffer_reserve(&reading->text, INPUT_PADDING);
    memset(reading->text.data + reading->text.count, 0, INPUT_PADDING);
    while (status == EVS_OK && at < reading->text.count) {
        const char *end = memchr(reading->text.data + at, '\n', reading->text.count - at);
        if (end == NULL && !is_end) {
            break;
        }
        size_t bytes = end == NULL ? reading->text.count - at : (size_t)(end - reading->text.data) + 1 - at;
        status = put_line(reading, (struct evs_slice){reading->text.data + at, bytes}, error);
        at += bytes;
    }
    memmove(reading->text.data, reading->text.data + at, reading->text.count - at);
    reading->text.count -= at;
    return status;
}

static evs_status read_all(struct reading *reading, struct evs_file_bytes *bytes, struct evs_error *error)
{
    for (;;) {
        size_t got = 0;
        evs_buffer_reserve(&reading->text, READ_BYTES);
        evs_status status =
            evs_file_bytes_read(bytes, reading->text.data + reading->text.count, READ_BYTES, &got, error);
        if (status != EVS_OK) {
            return status;
        }
        reading->text.count += got;
        status = put_lines(reading, got == 0, error);
        if (status != EVS_OK || got == 0) {
            return status;
        }
        if (reading->text.count > LINE_BYTES_MAX) {
            return bad_line(reading, "it is longer than 16 MiB", error);
        }
    }
}

static void file_close(void *instance)
{
    struct file_table *table = instance;
    evs_value_map_fini(&table->map);
    evs_free(table);
}

static evs_status file_open(const struct evs_lookup_open *open, void **instance, struct evs_error *error)
{
    struct file_table *table = evs_alloc_zero(sizeof *table);
    table->config = open->config;
    struct evs_file_bytes *bytes = NULL;
    evs_status status = evs_file_bytes_open(open->os, table->config->path, &bytes, error);
    if (status == EVS_OK) {
        struct reading *reading = evs_alloc_zero(sizeof *reading);
        reading->table = table;
        reading->pool = evs_batch_pool_new();
        reading->decoder =
            evs_decode_json.open(table->config->columns.columns, table->config->columns.column_count, LINE_BYTES_MAX);
        status = read_all(reading, bytes, error);
        evs_decode_json.close(reading->decoder);
        evs_batch_pool_free(reading->pool);
        evs_buffer_fini(&reading->text);
        evs_buffer_fini(&reading->key);
        evs_free(reading);
    }
    evs_file_bytes_close(bytes);
    if (status != EVS_OK) {
        file_close(table);
        return status;
    }
    *instance = table;
    return EVS_OK;
}

static evs_status file_fetch(void *instance, struct evs_lookup_fetch *fetch, struct evs_error *error)
{
    const struct file_table *table = instance;
    (void)error;
    evs_value_map_answer(&table->map, fetch);
    return EVS_OK;
}

const struct evs_lookup evs_table_file = {
    .kind = "file",
    .options = options,
    .is_local = true,
    .configure = file_configure,
    .open = file_open,
    .fetch = file_fetch,
    .close = file_close,
};
