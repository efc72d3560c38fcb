#include "redis_store.h"

#include <stdatomic.h>
#include <stdio.h>

/* --- entries ------------------------------------------------------------------------------------------------------ */

struct evs_slice evs_redis_entry_field(const struct evs_redis_entry *entry, const char *name)
{
    EVS_ASSERT(entry->fields != NULL && entry->fields->type == REDIS_REPLY_ARRAY);
    for (size_t i = 0; i + 1 < entry->fields->elements; i += 2) {
        if (evs_slice_equal(evs_redis_reply_slice(entry->fields->element[i]), evs_slice_of(name))) {
            return evs_redis_reply_slice(entry->fields->element[i + 1]);
        }
    }
    return (struct evs_slice){0};
}

bool evs_redis_entry_read(const redisReply *reply, struct evs_redis_entry *entry)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[1]->type != REDIS_REPLY_ARRAY ||
        !evs_redis_id_parse(evs_redis_reply_slice(reply->element[0]), &entry->id)) {
        return false;
    }
    entry->fields = reply->element[1];
    struct evs_slice kind = evs_redis_entry_field(entry, "t");
    entry->owner = evs_redis_entry_field(entry, "o");
    entry->kind = kind.count == 1 ? kind.data[0] : '\0';
    return entry->kind != '\0' && entry->owner.count == EVS_REDIS_NONCE_DIGITS;
}

void evs_redis_store_begin(struct evs_redis_store *store, uint64_t checkpoint, struct evs_redis_chain chain)
{
    EVS_ASSERT(store->beginning_first == store->beginning_count ||
               store->beginnings[store->beginning_count - 1].checkpoint < checkpoint);
    if (store->beginning_first > store->beginning_count / 2) {
        store->beginning_count -= store->beginning_first;
        memmove(store->beginnings, store->beginnings + store->beginning_first,
                store->beginning_count * sizeof *store->beginnings);
        store->beginning_first = 0;
    }
    EVS_GROW(store->beginnings, store->beginning_count, store->beginning_capacity);
    store->beginnings[store->beginning_count++] = (struct evs_redis_beginning){checkpoint, chain};
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

evs_status evs_redis_store_ask(struct evs_redis_store *store, const struct evs_slice *arguments, uint32_t count,
                               const char *doing, redisReply **reply, struct evs_error *error)
{
    evs_status status = evs_redis_link_call(store->link, arguments, count, reply, error);
    if (status == EVS_OK && (*reply)->type == REDIS_REPLY_ERROR) {
        status = evs_redis_link_refused(store->link, doing, (*reply)->str, error);
        freeReplyObject(*reply);
    }
    return status;
}

static void pause_after(struct evs_redis_store *store, int64_t pause_us, const struct evs_error *why)
{
    evs_log(store->log, EVS_LOG_WARN, "redis_retry", "%s Trying again in %lld ms.", why->text,
            (long long)(pause_us / 1000));
    store->os->clock.sleep_us(store->os->clock.self, pause_us);
}

evs_status evs_redis_store_try(struct evs_redis_store *store, evs_redis_step *step, void *argument,
                               struct evs_error *error)
{
    static const char given_up[] =
        " The time for retries is over. Start Redis there (redis-server), or give its address "
        "with --redis or EVSTREAM_REDIS_URL.";
    struct evs_redis_retry retry = {.os = store->os, .retry_us = store->retry_us};
    for (;;) {
        struct evs_error why = {0};
        bool was_up = evs_redis_link_is_up(store->link);
        evs_status status = evs_redis_link_connect(store->link, &why);
        store->located = store->located && was_up;
        if (status == EVS_OK) {
            status = step(store, argument, &why);
        }
        if (status == EVS_OK) {
            return EVS_OK;
        }
        evs_redis_link_drop(store->link); /* whatever is still on its way no longer concerns us */
        store->located = false;
        int64_t pause_us = status == EVS_E_UNREACHABLE ? evs_redis_retry_pause(&retry) : -1;
        if (pause_us < 0) {
            return evs_fail(error, status, "%s%s", why.text, status == EVS_E_UNREACHABLE ? given_up : "");
        }
        if (store->retries != NULL) {
            atomic_fetch_add(store->retries, 1);
        }
        pause_after(store, pause_us, &why);
    }
}

evs_status evs_redis_store_damaged(const struct evs_redis_store *store, struct evs_error *error, const char *format,
                                   ...)
{
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return evs_fail(error, EVS_E_STATE,
                    "The state in Redis at %s cannot be restored: %s. Restore the keys %s and %s from a backup; or "
                    "rename them, and the pipeline begins anew with empty state.",
                    store->address.text, what, store->keys[EVS_BLOCK_STATE], store->keys[EVS_BLOCK_OUTBOX]);
}

/* --- where the log ends ------------------------------------------------------------------------------------------- */

static evs_status not_ours(struct evs_redis_store *store, const char *prefix, const char *end, struct evs_error *error)
{
    char reply[160], floor[EVS_REDIS_ID_TEXT_BYTES];
    evs_redis_id_text(store->floor, floor);
    snprintf(reply, sizeof reply, "%s the log ends at %s, we had written %s", prefix, end, floor);
    return evs_redis_refused(store->address.text, "go on with this engine", reply, error);
}

/* The three cases of a newest entry: ours and not behind what we know to have written; of a newer owner; anything
 * else. */
static evs_status judge_newest(struct evs_redis_store *store, const redisReply *reply, struct evs_error *error)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) {
        return not_ours(store, "EVSGAP", "nothing", error);
    }
    struct evs_redis_id id;
    struct evs_slice text = evs_redis_reply_slice(reply->element[0]), owner = evs_redis_reply_slice(reply->element[2]);
    if (!evs_redis_id_parse(text, &id)) {
        return evs_redis_store_damaged(store, error, "the newest entry of the log has no id");
    }
    bool is_ours = evs_slice_equal(owner, evs_slice_of(store->nonce_text)) && id.ms == store->epoch;
    if (!is_ours && id.ms >= store->epoch) {
        return not_ours(store, "EVSFENCED", text.data, error);
    }
    if (!is_ours || evs_redis_id_compare(id, store->floor) < 0) {
        return not_ours(store, "EVSGAP", text.data, error);
    }
    store->tail = id;
    store->located = true;
    return EVS_OK;
}

/* The log may be whole, and rows be lost that sinks had written behind it: only the last commit knows which were delivered for certain. */
static evs_status check_followers(const struct evs_redis_store *store, struct evs_error *error)
{
    enum evs_redis_change change = store->has_followers ? evs_redis_link_change(store->link) : EVS_REDIS_SAME;
    if (!evs_redis_may_forget(change, store->facts.forgets)) {
        return EVS_OK;
    }
    return evs_fail(
        error, EVS_E_GAP,
        "Redis at %s %s, and may have lost rows that were written to its streams since the last checkpoint.",
        store->address.text,
        change == EVS_REDIS_RESTARTED ? "was started again" : "is another server now, after a failover");
}

evs_status evs_redis_store_judge_end(struct evs_redis_store *store, struct evs_error *error)
{
    struct evs_slice command[] = {EVS_SLICE("FCALL"), EVS_SLICE(EVS_REDIS_NEWEST), EVS_SLICE("1"),
                                  evs_slice_of(store->keys[EVS_BLOCK_STATE])};
    redisReply *reply;
    evs_status status =
        evs_redis_function_call(store->link, command, EVS_COUNT(command), "show the end of the log", &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    status = judge_newest(store, reply, error);
    freeReplyObject(reply);
    return status;
}

evs_status evs_redis_store_locate(struct evs_redis_store *store, struct evs_error *error)
{
    EVS_ASSERT(store->has_term);
    evs_status status = check_followers(store, error);
    return status == EVS_OK ? evs_redis_store_judge_end(store, error) : status;
}

/* --- commits ------------------------------------------------------------------------------------------------------ */

evs_status evs_redis_store_parse_commit(struct evs_redis_store *store, const redisReply *reply, struct evs_redis_id id,
                                        struct evs_redis_header *header, struct evs_redis_entry *entry,
                                        struct evs_error *error)
{
    char text[EVS_REDIS_ID_TEXT_BYTES];
    evs_redis_id_text(id, text);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1) {
        return evs_redis_store_damaged(store, error, "the commit %s is missing", text);
    }
    if (!evs_redis_entry_read(reply->element[0], entry) || entry->kind != 'C' ||
        evs_redis_id_compare(entry->id, id) != 0) {
        return evs_redis_store_damaged(store, error, "the entry %s is not the commit that it should be", text);
    }
    struct evs_error why;
    if (evs_redis_header_read(evs_redis_entry_field(entry, "h"), header, &why) != EVS_OK) {
        return evs_redis_store_damaged(store, error, "the commit %s does not decode: %s", text, why.text);
    }
    for (int kind = 0; kind < EVS_BLOCK_KINDS; kind++) {
        if (header->ranges[kind].count > 0 && header->ranges[kind].first.ms != id.ms) {
            return evs_redis_store_damaged(store, error, "the commit %s names blocks of another term", text);
        }
    }
    return EVS_OK;
}

static evs_status take_record(struct evs_redis_store *store, const struct evs_redis_entry *entry,
                              const struct evs_redis_header *header, struct evs_buffer *record, struct evs_error *error)
{
    struct evs_slice stored = evs_redis_entry_field(entry, "r");
    if (evs_crc32c(0, stored.data, stored.count) != header->record_crc) {
        return evs_redis_store_damaged(store, error, "the record of checkpoint %llu does not have its checksum",
                                       (unsigned long long)header->checkpoint);
    }
    record->count = 0;
    evs_buffer_put(record, stored.data, stored.count);
    return EVS_OK;
}

evs_status evs_redis_store_read_commit(struct evs_redis_store *store, struct evs_redis_id id,
                                       struct evs_redis_header *header, struct evs_buffer *record,
                                       struct evs_error *error)
{
    char text[EVS_REDIS_ID_TEXT_BYTES];
    struct evs_slice at = evs_redis_id_text(id, text);
    struct evs_slice command[] = {EVS_SLICE("XRANGE"), evs_slice_of(store->keys[EVS_BLOCK_STATE]), at, at};
    redisReply *reply;
    evs_status status = evs_redis_store_ask(store, command, EVS_COUNT(command), "read a commit", &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    struct evs_redis_entry entry = {0};
    status = evs_redis_store_parse_commit(store, reply, id, header, &entry, error);
    if (status == EVS_OK && record != NULL) {
        status = take_record(store, &entry, header, record, error);
    }
    freeReplyObject(reply);
    return status;
}
