/* The engine's function library on Redis (stores/redis_function.c), once more in C: the simulated server has no Lua.
 *
 * Each function stands here as its Lua text does, in the same order; tests/unit/test_sim_redis.c holds both to each other, call
 * by call, on a real server. Errors of their own begin with EVS and have the same words. */
#include <inttypes.h>
#include <stdio.h>

#include "redis_data.h"

struct call {
    struct evs_sim_redis_data *data;
    const struct evs_slice *keys, *args;
    uint32_t key_count, arg_count;
    int64_t wall_us;
    uint32_t keep;
    struct evs_buffer *out;
};

static const struct evs_sim_entry *newest_of(const struct call *call, uint32_t key)
{
    const struct evs_sim_stream *stream = evs_sim_redis_find(call->data, call->keys[key]);
    return stream == NULL || stream->count == stream->first ? NULL : stream->entries[stream->count - 1];
}

static void fail(const struct call *call, const char *format, ...) EVS_PRINTF(2, 3);
static void fail(const struct call *call, const char *format, ...)
{
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    evs_sim_put_error(call->out, text);
}

static void acquire(const struct call *call)
{
    uint64_t epoch = (uint64_t)(call->wall_us / 1000);
    for (uint32_t i = 0; i < call->key_count; i++) {
        const struct evs_sim_stream *stream = evs_sim_redis_find(call->data, call->keys[i]);
        epoch = stream != NULL && stream->last.ms + 1 > epoch ? stream->last.ms + 1 : epoch;
    }
    struct evs_slice fields[] = {EVS_SLICE("t"), EVS_SLICE("F"), EVS_SLICE("o"), call->args[0]};
    evs_sim_redis_append(call->data, evs_sim_redis_stream(call->data, call->keys[0]), (struct evs_redis_id){epoch, 0},
                         fields, EVS_COUNT(fields));
    char text[24];
    evs_sim_put_bulk(call->out, (struct evs_slice){text, (size_t)snprintf(text, sizeof text, "%" PRIu64, epoch)});
}

static void raise_last(const struct call *call)
{
    struct evs_redis_id floor = {0};
    bool is_number = evs_redis_number_parse(call->args[0], &floor.ms);
    EVS_ASSERT(is_number);
    struct evs_sim_stream *stream = evs_sim_redis_stream(call->data, call->keys[0]);
    if (evs_redis_id_compare(stream->last, floor) < 0) {
        /* A new stream gets its last id from an entry that is trimmed at once. */
        stream->max_deleted = evs_redis_id_is_zero(stream->last) ? floor : stream->max_deleted;
        stream->last = floor;
        call->data->writes++;
    }
    evs_sim_put_id(call->out, stream->last);
}

static void newest(const struct call *call)
{
    const struct evs_sim_entry *entry = newest_of(call, 0);
    if (entry == NULL) {
        evs_sim_put_array(call->out, 0);
        return;
    }
    evs_sim_put_array(call->out, 3);
    evs_sim_put_id(call->out, entry->id);
    evs_sim_put_bulk(call->out, entry->fields[1]);
    evs_sim_put_bulk(call->out, entry->fields[3]);
}

/* Where the log ends elsewhere than the caller says: is that a newer owner's doing, or has the log lost its end? */
static void refuse_commit(const struct call *call, const struct evs_sim_entry *last, struct evs_redis_id this)
{
    bool is_owner = evs_slice_equal(last->fields[3], call->args[0]);
    bool fenced = last->id.ms > this.ms || (last->id.ms == this.ms && !is_owner);
    char id[EVS_REDIS_ID_TEXT_BYTES];
    evs_redis_id_text(last->id, id);
    fail(call, "%s the log ends at %s, not at %.*s", fenced ? "EVSFENCED" : "EVSGAP", id, (int)call->args[2].count,
         call->args[2].data);
}

static bool outbox_is_there(const struct call *call)
{
    if (call->args[3].count == 0) {
        return true;
    }
    const struct evs_sim_entry *last = newest_of(call, 1);
    char id[EVS_REDIS_ID_TEXT_BYTES] = "nothing";
    if (last != NULL) {
        evs_redis_id_text(last->id, id);
    }
    if (last != NULL && evs_slice_equal(call->args[3], evs_slice_of(id)) &&
        evs_slice_equal(last->fields[3], call->args[0])) {
        return true;
    }
    fail(call, "EVSGAP the outbox ends at %s, not at %.*s", id, (int)call->args[3].count, call->args[3].data);
    return false;
}

/* args: nonce this expect expect_ob header record */
static void commit(const struct call *call)
{
    const struct evs_sim_entry *last = newest_of(call, 0);
    struct evs_redis_id this, expect;
    bool are_ids = evs_redis_id_parse(call->args[1], &this) && evs_redis_id_parse(call->args[2], &expect);
    EVS_ASSERT(are_ids);
    if (last == NULL) {
        fail(call, "EVSGAP the log is empty");
        return;
    }
    bool is_owner = evs_slice_equal(last->fields[3], call->args[0]);
    if (is_owner && evs_redis_id_compare(last->id, this) == 0) {
        evs_sim_put_bulk(call->out, EVS_SLICE("DUP"));
        return;
    }
    if (!is_owner || evs_redis_id_compare(last->id, expect) != 0) {
        refuse_commit(call, last, this);
        return;
    }
    if (!outbox_is_there(call)) {
        return;
    }
    struct evs_sim_stream *log = evs_sim_redis_stream(call->data, call->keys[0]);
    if (evs_redis_id_compare(log->last, this) >= 0) {
        evs_sim_put_small_id(call->out);
        return;
    }
    struct evs_slice fields[] = {EVS_SLICE("t"), EVS_SLICE("C"), EVS_SLICE("o"), call->args[0],
                                 EVS_SLICE("h"), call->args[4],  EVS_SLICE("r"), call->args[5]};
    evs_sim_redis_append(call->data, log, this, fields, EVS_COUNT(fields));
    evs_sim_put_bulk(call->out, EVS_SLICE("OK"));
}

#define WRITER_PREFIX 17 /* the writer's 16 digits and the hyphen */

static bool is_ours(const struct evs_sim_entry *entry, struct evs_slice n)
{
    return entry->field_count == 6 && evs_slice_equal(entry->fields[0], EVS_SLICE("id")) &&
           evs_slice_equal(entry->fields[2], EVS_SLICE("data")) && evs_slice_equal(entry->fields[4], EVS_SLICE("n")) &&
           entry->fields[5].count >= WRITER_PREFIX && n.count >= WRITER_PREFIX &&
           memcmp(entry->fields[5].data, n.data, WRITER_PREFIX) == 0;
}

/* The stream is at or past `id` already. */
static void written_before(const struct call *call, const struct evs_sim_stream *stream, struct evs_redis_id id)
{
    uint32_t at = evs_sim_redis_seek(stream, id);
    char text[EVS_REDIS_ID_TEXT_BYTES];
    if (at == stream->count) {
        if (evs_redis_id_compare(stream->max_deleted, id) >= 0) {
            evs_sim_put_bulk(call->out, EVS_SLICE("DUP"));
        } else {
            evs_redis_id_text(id, text);
            fail(call, "EVSDIVERGED the stream is past %s, which it has never had", text);
        }
        return;
    }
    const struct evs_sim_entry *entry = stream->entries[at];
    evs_redis_id_text(entry->id, text);
    if (!is_ours(entry, call->args[5])) {
        fail(call, "EVSDIVERGED the entry %s is of another writer", text);
    } else if (evs_redis_id_compare(entry->id, id) == 0 && (!evs_slice_equal(entry->fields[1], call->args[3]) ||
                                                            !evs_slice_equal(entry->fields[3], call->args[4]))) {
        fail(call, "EVSDIVERGED the entry %s has other content", text);
    } else {
        evs_sim_put_bulk(call->out, EVS_SLICE("DUP"));
    }
}

/* args: id after maxlen trigger data n */
static void append(const struct call *call)
{
    struct evs_redis_id id, after;
    bool is_id = evs_redis_id_parse(call->args[0], &id);
    EVS_ASSERT(is_id);
    struct evs_sim_stream *stream = evs_sim_redis_find(call->data, call->keys[0]);
    struct evs_redis_id last = stream == NULL ? (struct evs_redis_id){0} : stream->last;
    if (stream != NULL && evs_redis_id_compare(last, id) >= 0) {
        written_before(call, stream, id);
        return;
    }
    if (call->args[1].count > 0 && evs_redis_id_parse(call->args[1], &after) &&
        evs_redis_id_compare(last, after) != 0) {
        char text[EVS_REDIS_ID_TEXT_BYTES];
        evs_redis_id_text(last, text);
        fail(call, "%s the stream ends at %s, not at %.*s",
             evs_redis_id_compare(last, after) < 0 ? "EVSGAP" : "EVSDIVERGED", text, (int)call->args[1].count,
             call->args[1].data);
        return;
    }
    struct evs_slice fields[] = {EVS_SLICE("id"), call->args[3],  EVS_SLICE("data"),
                                 call->args[4],   EVS_SLICE("n"), call->args[5]};
    stream = evs_sim_redis_stream(call->data, call->keys[0]);
    evs_sim_redis_append(call->data, stream, id, fields, EVS_COUNT(fields));
    uint64_t maxlen;
    if (evs_redis_number_parse(call->args[2], &maxlen)) {
        evs_sim_redis_trim_count(stream, maxlen, call->keep);
    }
    evs_sim_put_bulk(call->out, EVS_SLICE("OK"));
}

/* --- the call ------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t keys, args;
    void (*run)(const struct call *call);
} functions[] = {
    {"evs1_acquire", 2, 1, acquire}, {"evs1_raise", 1, 1, raise_last}, {"evs1_newest", 1, 0, newest},
    {"evs1_commit", 2, 6, commit},   {"evs1_append", 1, 6, append},
};

/* FCALL name keys key… arg… */
void evs_sim_redis_call(struct evs_sim_redis_data *data, const struct evs_sim_command *command, int64_t wall_us,
                        uint32_t keep, struct evs_buffer *out)
{
    uint64_t key_count;
    if (!data->has_library) {
        evs_sim_put_error(out, "ERR Function not found");
        return;
    }
    bool is_number = command->count > 2 && evs_redis_number_parse(command->words[2], &key_count);
    for (size_t i = 0; is_number && i < EVS_COUNT(functions); i++) {
        if (evs_slice_equal(command->words[1], evs_slice_of(functions[i].name)) && key_count == functions[i].keys &&
            command->count == 3 + functions[i].keys + functions[i].args) {
            struct call call = {data,
                                command->words + 3,
                                command->words + 3 + key_count,
                                functions[i].keys,
                                functions[i].args,
                                wall_us,
                                keep,
                                out};
            functions[i].run(&call);
            return;
        }
    }
    evs_sim_put_error(out, "ERR Function not found");
}
