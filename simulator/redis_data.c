#include "redis_data.h"

#include <inttypes.h>
#include <stdio.h>

/* --- data ------------------------------------------------------------------------------------------------------------- */

void evs_sim_redis_data_fini(struct evs_sim_redis_data *data)
{
    for (uint32_t i = 0; i < data->stream_count; i++) {
        evs_free(data->streams[i].key);
        evs_free(data->streams[i].entries);
    }
    evs_free(data->streams);
    evs_arena_fini(&data->arena);
    *data = (struct evs_sim_redis_data){0};
}

void evs_sim_redis_data_copy(struct evs_sim_redis_data *to, const struct evs_sim_redis_data *from)
{
    for (uint32_t i = 0; i < to->stream_count; i++) {
        evs_free(to->streams[i].key);
        evs_free(to->streams[i].entries);
    }
    to->stream_count = 0;
    for (uint32_t i = 0; i < from->stream_count; i++) {
        struct evs_sim_stream copy = from->streams[i];
        copy.key = evs_strdup(copy.key);
        copy.capacity = copy.count - copy.first;
        copy.entries = evs_alloc((copy.capacity + 1) * sizeof *copy.entries);
        memcpy(copy.entries, from->streams[i].entries + copy.first, copy.capacity * sizeof *copy.entries);
        copy.first = 0;
        copy.count = copy.capacity++;
        EVS_GROW(to->streams, to->stream_count, to->stream_capacity);
        to->streams[to->stream_count++] = copy;
    }
    to->has_library = from->has_library;
    to->writes = from->writes;
}

struct evs_sim_stream *evs_sim_redis_find(const struct evs_sim_redis_data *data, struct evs_slice key)
{
    for (uint32_t i = 0; i < data->stream_count; i++) {
        if (evs_slice_equal(key, evs_slice_of(data->streams[i].key))) {
            return &data->streams[i];
        }
    }
    return NULL;
}

struct evs_sim_stream *evs_sim_redis_stream(struct evs_sim_redis_data *data, struct evs_slice key)
{
    struct evs_sim_stream *found = evs_sim_redis_find(data, key);
    if (found != NULL) {
        return found;
    }
    EVS_GROW(data->streams, data->stream_count, data->stream_capacity);
    data->streams[data->stream_count] = (struct evs_sim_stream){.key = evs_strndup(key.data, key.count)};
    return &data->streams[data->stream_count++];
}

void evs_sim_redis_append(struct evs_sim_redis_data *data, struct evs_sim_stream *stream, struct evs_redis_id id,
                          const struct evs_slice *fields, uint32_t field_count)
{
    EVS_ASSERT(evs_redis_id_compare(stream->last, id) < 0);
    struct evs_sim_entry *entry = EVS_ARENA_NEW(&data->arena, struct evs_sim_entry);
    entry->id = stream->last = id;
    entry->field_count = field_count;
    entry->fields = EVS_ARENA_ARRAY(&data->arena, struct evs_slice, field_count);
    for (uint32_t i = 0; i < field_count; i++) {
        entry->fields[i] = (struct evs_slice){
            evs_arena_strndup(&data->arena, fields[i].count > 0 ? fields[i].data : "", fields[i].count),
            fields[i].count};
    }
    EVS_GROW(stream->entries, stream->count, stream->capacity);
    stream->entries[stream->count++] = entry;
    data->writes++;
}

uint32_t evs_sim_redis_seek(const struct evs_sim_stream *stream, struct evs_redis_id id)
{
    uint32_t low = stream->first, high = stream->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (evs_redis_id_compare(stream->entries[middle]->id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* --- RESP --------------------------------------------------------------------------------------------------------------- */

void evs_sim_put_error(struct evs_buffer *out, const char *text)
{
    evs_buffer_printf(out, "-%s\r\n", text);
}

void evs_sim_put_status(struct evs_buffer *out, const char *text)
{
    evs_buffer_printf(out, "+%s\r\n", text);
}

void evs_sim_put_bulk(struct evs_buffer *out, struct evs_slice text)
{
    evs_buffer_printf(out, "$%zu\r\n", text.count);
    evs_buffer_put(out, text.data, text.count);
    evs_buffer_puts(out, "\r\n");
}

void evs_sim_put_id(struct evs_buffer *out, struct evs_redis_id id)
{
    char text[EVS_REDIS_ID_TEXT_BYTES];
    evs_sim_put_bulk(out, evs_redis_id_text(id, text));
}

void evs_sim_put_integer(struct evs_buffer *out, int64_t number)
{
    evs_buffer_printf(out, ":%" PRId64 "\r\n", number);
}

void evs_sim_put_array(struct evs_buffer *out, uint32_t count)
{
    evs_buffer_printf(out, "*%u\r\n", count);
}

void evs_sim_put_entry(struct evs_buffer *out, const struct evs_sim_entry *entry)
{
    evs_sim_put_array(out, 2);
    evs_sim_put_id(out, entry->id);
    evs_sim_put_array(out, entry->field_count);
    for (uint32_t i = 0; i < entry->field_count; i++) {
        evs_sim_put_bulk(out, entry->fields[i]);
    }
}

/* --- commands ------------------------------------------------------------------------------------------------------------- */

void evs_sim_put_small_id(struct evs_buffer *out)
{
    evs_sim_put_error(out, "ERR The ID specified in XADD is equal or smaller than the target stream top item");
}

/* XADD key id name value … (with an explicit id; that is all that the engine sends) */
static void command_xadd(struct evs_sim_redis_data *data, const struct evs_sim_command *command, struct evs_buffer *out)
{
    struct evs_redis_id id;
    if (command->count < 5 || command->count % 2 == 0 || !evs_redis_id_parse(command->words[2], &id)) {
        evs_sim_put_error(out, "ERR Invalid stream ID specified as stream command argument");
        return;
    }
    struct evs_sim_stream *stream = evs_sim_redis_find(data, command->words[1]);
    if (stream != NULL && evs_redis_id_compare(id, stream->last) <= 0) {
        evs_sim_put_small_id(out);
        return;
    }
    evs_sim_redis_append(data, evs_sim_redis_stream(data, command->words[1]), id, command->words + 3,
                         command->count - 3);
    evs_sim_put_id(out, id);
}

/* "-", "+", "id", "(id"; *open: the id itself is not meant. */
static bool parse_bound(struct evs_slice text, struct evs_redis_id *id, bool *open)
{
    *open = text.count > 0 && text.data[0] == '(';
    if (*open) {
        text = (struct evs_slice){text.data + 1, text.count - 1};
    }
    if (evs_slice_equal(text, EVS_SLICE("-"))) {
        *id = (struct evs_redis_id){0};
        return true;
    }
    if (evs_slice_equal(text, EVS_SLICE("+"))) {
        *id = (struct evs_redis_id){UINT64_MAX, UINT64_MAX};
        return true;
    }
    return evs_redis_id_parse(text, id);
}

/* XRANGE key low high [COUNT n]; XREVRANGE has high before low. */
static void command_range(const struct evs_sim_redis_data *data, const struct evs_sim_command *command, bool backwards,
                          struct evs_buffer *out)
{
    struct evs_redis_id low, high;
    bool low_open, high_open;
    uint64_t limit = UINT64_MAX;
    if (command->count < 4 || !parse_bound(command->words[backwards ? 3 : 2], &low, &low_open) ||
        !parse_bound(command->words[backwards ? 2 : 3], &high, &high_open) ||
        (command->count == 6 && !evs_redis_number_parse(command->words[5], &limit))) {
        evs_sim_put_error(out, "ERR syntax error");
        return;
    }
    const struct evs_sim_stream *stream = evs_sim_redis_find(data, command->words[1]);
    if (stream == NULL) {
        evs_sim_put_array(out, 0);
        return;
    }
    uint32_t from = evs_sim_redis_seek(stream, low), to = evs_sim_redis_seek(stream, high);
    from += low_open && from < stream->count && evs_redis_id_compare(stream->entries[from]->id, low) == 0;
    to += !high_open && to < stream->count && evs_redis_id_compare(stream->entries[to]->id, high) == 0;
    uint32_t count = to > from ? to - from : 0;
    count = count < limit ? count : (uint32_t)limit;
    evs_sim_put_array(out, count);
    for (uint32_t i = 0; i < count; i++) {
        evs_sim_put_entry(out, stream->entries[backwards ? to - 1 - i : from + i]);
    }
}

/* Removes up to `count` of the oldest; `keep` of them stay, as whole nodes do under `~`. */
static int64_t drop_oldest(struct evs_sim_stream *stream, uint32_t count, uint32_t keep)
{
    count = count > keep ? count - keep : 0;
    if (count > 0) {
        stream->first += count;
        stream->max_deleted = stream->entries[stream->first - 1]->id;
    }
    return count;
}

void evs_sim_redis_trim_count(struct evs_sim_stream *stream, uint64_t max, uint32_t keep)
{
    uint32_t have = stream->count - stream->first;
    if (have > max) {
        drop_oldest(stream, have - (uint32_t)max, keep);
    }
}

/* XTRIM key MINID [~] id */
static void command_xtrim(struct evs_sim_redis_data *data, const struct evs_sim_command *command, uint32_t keep,
                          struct evs_buffer *out)
{
    bool roughly = evs_sim_word_is(command, 3, "~");
    struct evs_redis_id id;
    if (command->count != (roughly ? 5u : 4u) || !evs_sim_word_is(command, 2, "MINID") ||
        !evs_redis_id_parse(command->words[command->count - 1], &id)) {
        evs_sim_put_error(out, "ERR syntax error");
        return;
    }
    struct evs_sim_stream *stream = evs_sim_redis_find(data, command->words[1]);
    int64_t removed = 0;
    if (stream != NULL) {
        removed = drop_oldest(stream, evs_sim_redis_seek(stream, id) - stream->first, roughly ? keep : 0);
        data->writes += removed > 0;
    }
    evs_sim_put_integer(out, removed);
}

static void command_xsetid(struct evs_sim_redis_data *data, const struct evs_sim_command *command,
                           struct evs_buffer *out)
{
    struct evs_sim_stream *stream = evs_sim_redis_find(data, command->words[1]);
    struct evs_redis_id id;
    if (stream == NULL) {
        evs_sim_put_error(out, "ERR no such key");
    } else if (!evs_redis_id_parse(command->words[2], &id)) {
        evs_sim_put_error(out, "ERR Invalid stream ID specified as stream command argument");
    } else if (stream->count > stream->first && evs_redis_id_compare(id, stream->entries[stream->count - 1]->id) < 0) {
        evs_sim_put_error(out, "ERR The ID specified in XSETID is smaller than the target stream top item");
    } else {
        stream->last = id;
        data->writes++;
        evs_sim_put_status(out, "OK");
    }
}

bool evs_sim_redis_stream_command(struct evs_sim_redis_data *data, const struct evs_sim_command *command, uint32_t keep,
                                  struct evs_buffer *out)
{
    if (evs_sim_word_is(command, 0, "XADD")) {
        command_xadd(data, command, out);
    } else if (evs_sim_word_is(command, 0, "XRANGE")) {
        command_range(data, command, false, out);
    } else if (evs_sim_word_is(command, 0, "XREVRANGE")) {
        command_range(data, command, true, out);
    } else if (evs_sim_word_is(command, 0, "XTRIM")) {
        command_xtrim(data, command, keep, out);
    } else if (evs_sim_word_is(command, 0, "XSETID") && command->count == 3) {
        command_xsetid(data, command, out);
    } else if (evs_sim_word_is(command, 0, "XLEN") && command->count == 2) {
        const struct evs_sim_stream *stream = evs_sim_redis_find(data, command->words[1]);
        evs_sim_put_integer(out, stream == NULL ? 0 : stream->count - stream->first);
    } else {
        return false;
    }
    return true;
}
