#include "redis_tools.h"

#include <stdio.h>
#include <stdlib.h>

#include "redis_store.h"

#define READS_MAX 8     /* at a log that an engine trims */
#define COPY_ENTRIES 16 /* a page: at most 4 MiB */
#define WATCH_PAUSE_US 100000

/* One command, with retries; for those that may be sent twice. */
struct asking {
    const struct evs_slice *words;
    uint32_t count;
    const char *doing;
    redisReply *reply;
};

static evs_status ask_once(struct evs_redis_store *store, void *argument, struct evs_error *error)
{
    struct asking *asking = argument;
    return evs_redis_store_ask(store, asking->words, asking->count, asking->doing, &asking->reply, error);
}

static evs_status ask(struct evs_redis_store *store, const struct evs_slice *words, uint32_t count, const char *doing,
                      redisReply **reply, struct evs_error *error)
{
    struct asking asking = {words, count, doing, NULL};
    evs_status status = evs_redis_store_try(store, ask_once, &asking, error);
    if (status == EVS_OK && reply == NULL) {
        freeReplyObject(asking.reply);
    } else if (status == EVS_OK) {
        *reply = asking.reply;
    }
    return status;
}

/* --- reading ------------------------------------------------------------------------------------------------------------------- */

evs_status evs_redis_tool_read(void *instance, const struct evs_redis_reading *reading, struct evs_error *error)
{
    struct evs_redis_store *store = instance;
    evs_status status = EVS_E_GAP;
    for (int i = 0; i < READS_MAX && status == EVS_E_GAP; i++) {
        struct evs_store_terms terms = {0};
        status = evs_redis_store_look(store, &terms, error);
        if (status == EVS_OK && !store->has_commit) {
            return evs_fail(error, EVS_E_STATE, "Redis at %s has nothing under %s.", store->address.text,
                            store->keys[EVS_BLOCK_STATE]);
        }
        if (status == EVS_OK && reading->begin != NULL) {
            status = reading->begin(reading->argument, &terms, error);
        }
        if (status == EVS_OK) {
            status = evs_redis_store_read(store, reading->take, reading->argument, error);
        }
    }
    return status != EVS_E_GAP
               ? status
               : evs_fail(
                     error, EVS_E_UNREACHABLE,
                     "The engine goes on faster than its state can be read. Try again, or make a savepoint while the "
                     "engine is stopped.");
}

/* --- copying -------------------------------------------------------------------------------------------------------------------- */

struct copying {
    struct evs_redis_store *from, *to;
    enum evs_block_kind kind;
    struct evs_redis_id next, end;
    struct evs_redis_copied *copied;
};

static evs_status put_entry(struct copying *copying, const redisReply *reply, struct evs_error *error)
{
    struct evs_redis_entry entry;
    if (!evs_redis_entry_read(reply, &entry) || entry.fields->elements > 16) {
        return evs_redis_store_damaged(copying->from, error, "%s holds an entry of another program",
                                       copying->from->keys[copying->kind]);
    }
    struct evs_slice words[3 + 16] = {EVS_SLICE("XADD"), evs_slice_of(copying->to->keys[copying->kind]),
                                      evs_redis_reply_slice(reply->element[0])};
    for (size_t i = 0; i < entry.fields->elements; i++) {
        words[3 + i] = evs_redis_reply_slice(entry.fields->element[i]);
        copying->copied->bytes += words[3 + i].count;
    }
    evs_redis_link_put(copying->to->link, words, 3 + (uint32_t)entry.fields->elements);
    copying->copied->blocks += entry.kind == 'B';
    copying->next = (struct evs_redis_id){entry.id.ms, entry.id.sequence + 1};
    return EVS_OK;
}

static evs_status take_answers(struct copying *copying, struct evs_error *error)
{
    evs_status status = EVS_OK;
    while (status == EVS_OK && evs_redis_link_awaited(copying->to->link) > 0) {
        redisReply *reply;
        status = evs_redis_link_receive(copying->to->link, &reply, error);
        if (status != EVS_OK) {
            return status;
        }
        if (reply->type == REDIS_REPLY_ERROR) {
            status = evs_redis_refused(copying->to->address.text, "copy the state", reply->str, error);
        }
        freeReplyObject(reply);
    }
    return status;
}

static evs_status copy_page(struct copying *copying, bool *is_over, struct evs_error *error)
{
    char from[EVS_REDIS_ID_TEXT_BYTES], to[EVS_REDIS_ID_TEXT_BYTES], count[16];
    struct evs_slice count_slice = {count, (size_t)snprintf(count, sizeof count, "%d", COPY_ENTRIES)};
    const struct evs_slice words[] = {EVS_SLICE("XRANGE"),
                                      evs_slice_of(copying->from->keys[copying->kind]),
                                      evs_redis_id_text(copying->next, from),
                                      evs_redis_id_text(copying->end, to),
                                      EVS_SLICE("COUNT"),
                                      count_slice};
    redisReply *reply;
    evs_status status = ask(copying->from, words, EVS_COUNT(words), "read the state", &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    *is_over = reply->elements < COPY_ENTRIES;
    status = evs_redis_link_connect(copying->to->link, error);
    for (size_t i = 0; i < reply->elements && status == EVS_OK; i++) {
        status = put_entry(copying, reply->element[i], error);
    }
    freeReplyObject(reply);
    return status == EVS_OK ? take_answers(copying, error) : status;
}

static struct evs_redis_id older(struct evs_redis_id a, struct evs_redis_id b)
{
    bool takes_b = evs_redis_id_is_zero(a) || (!evs_redis_id_is_zero(b) && evs_redis_id_compare(b, a) < 0);
    return takes_b ? b : a;
}

/* From the oldest entry that the last commit needs on. What an engine adds meanwhile is left out of the log, and harmless in the outbox: commits name what is
 * theirs. */
static evs_status copy_streams(struct evs_redis_store *from, struct evs_redis_store *to,
                               struct evs_redis_copied *copied, struct evs_error *error)
{
    const struct evs_redis_chain *chains = from->commit.chains;
    struct evs_redis_id first = older(from->commit_id, chains[EVS_BLOCK_STATE].first);
    first = older(first, older(chains[EVS_BLOCK_STATE].start, chains[EVS_BLOCK_OUTBOX].start));
    const struct evs_redis_id last = {UINT64_MAX, UINT64_MAX};
    struct copying passes[] = {{from, to, EVS_BLOCK_STATE, first, from->commit_id, copied},
                               {from, to, EVS_BLOCK_OUTBOX, chains[EVS_BLOCK_OUTBOX].first, last, copied}};
    evs_status status = EVS_OK;
    for (size_t i = 0; i < EVS_COUNT(passes) && status == EVS_OK; i++) {
        bool is_over = evs_redis_id_is_zero(passes[i].next);
        while (status == EVS_OK && !is_over) {
            status = copy_page(&passes[i], &is_over, error);
        }
    }
    return status;
}

static evs_status ignore_block(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                               struct evs_error *error)
{
    (void)argument, (void)kind, (void)checkpoint, (void)block, (void)error;
    return EVS_OK;
}

evs_status evs_redis_tool_copy(void *from_instance, void *to_instance, struct evs_redis_copied *copied,
                               struct evs_error *error)
{
    struct evs_redis_store *from = from_instance, *to = to_instance;
    const struct evs_redis_reading check = {.take = ignore_block};
    evs_status status = EVS_E_STATE;
    for (int i = 0; i < READS_MAX && status == EVS_E_STATE; i++) {
        struct evs_store_terms terms;
        *copied = (struct evs_redis_copied){0};
        status = evs_redis_tool_delete(to, error);
        if (status == EVS_OK) {
            status = evs_redis_store_look(from, &terms, error);
        }
        if (status == EVS_OK && !from->has_commit) {
            return evs_fail(error, EVS_E_STATE, "Redis at %s has nothing under %s.", from->address.text,
                            from->keys[EVS_BLOCK_STATE]);
        }
        if (status == EVS_OK) {
            copied->checkpoint = terms.checkpoint;
            status = copy_streams(from, to, copied, error);
        }
        if (status == EVS_OK) { /* EVS_E_STATE: something was trimmed before it was copied, or is damaged */
            status = evs_redis_tool_read(to, &check, error);
        }
    }
    return status;
}

evs_status evs_redis_tool_replace(void *from_instance, void *to_instance, struct evs_error *error)
{
    struct evs_redis_store *from = from_instance, *to = to_instance;
    evs_status status = EVS_OK;
    for (int kind = EVS_BLOCK_KINDS; kind-- > 0 && status == EVS_OK;) { /* the outbox first */
        const struct evs_slice words[] = {EVS_SLICE("RENAME"), evs_slice_of(from->keys[kind]),
                                          evs_slice_of(to->keys[kind])};
        redisReply *reply = NULL;
        status = evs_redis_link_connect(from->link, error);
        if (status == EVS_OK) {
            status =
                evs_redis_store_ask(from, words, EVS_COUNT(words), "put the savepoint in its place", &reply, error);
        }
        if (status == EVS_OK) {
            freeReplyObject(reply);
        }
    }
    return status;
}

evs_status evs_redis_tool_delete(void *instance, struct evs_error *error)
{
    struct evs_redis_store *store = instance;
    const struct evs_slice words[] = {EVS_SLICE("UNLINK"), evs_slice_of(store->keys[EVS_BLOCK_STATE]),
                                      evs_slice_of(store->keys[EVS_BLOCK_OUTBOX])};
    return ask(store, words, EVS_COUNT(words), "remove the state", NULL, error);
}

/* --- who works with it ---------------------------------------------------------------------------------------------------------- */

static evs_status newest(struct evs_redis_store *store, struct evs_redis_id *id, struct evs_error *error)
{
    const struct evs_slice words[] = {EVS_SLICE("XREVRANGE"), evs_slice_of(store->keys[EVS_BLOCK_STATE]),
                                      EVS_SLICE("+"),         EVS_SLICE("-"),
                                      EVS_SLICE("COUNT"),     EVS_SLICE("1")};
    struct evs_redis_entry entry;
    redisReply *reply;
    evs_status status = ask(store, words, EVS_COUNT(words), "look at the end of the log", &reply, error);
    if (status == EVS_OK) {
        bool is_entry =
            reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 && evs_redis_entry_read(reply->element[0], &entry);
        *id = is_entry ? entry.id : (struct evs_redis_id){0};
        freeReplyObject(reply);
    }
    return status;
}

/* Connections of engines have a name; a server that does not tell us who is connected is watched only. */
static bool is_connected(struct evs_redis_store *store, const char *pipeline, const char *group)
{
    const struct evs_slice words[] = {EVS_SLICE("CLIENT"), EVS_SLICE("LIST")};
    struct evs_buffer name = {0};
    redisReply *reply;
    struct evs_error error;
    evs_buffer_printf(&name, " name=evstream-%s-%s ", pipeline, group);
    evs_buffer_put(&name, "", 1);
    bool found = false;
    if (ask(store, words, EVS_COUNT(words), "list its clients", &reply, &error) == EVS_OK) {
        found = reply->str != NULL && strstr(reply->str, name.data) != NULL;
        freeReplyObject(reply);
    }
    evs_buffer_fini(&name);
    return found;
}

evs_status evs_redis_tool_watch(void *instance, const char *pipeline, const char *group, int64_t watch_us, bool *active,
                                struct evs_error *error)
{
    struct evs_redis_store *store = instance;
    struct evs_redis_id first, now;
    int64_t end_us = evs_monotonic_us(store->os) + watch_us;
    *active = is_connected(store, pipeline, group);
    evs_status status = newest(store, &first, error);
    while (status == EVS_OK && !*active && evs_monotonic_us(store->os) < end_us) {
        store->os->clock.sleep_us(store->os->clock.self, WATCH_PAUSE_US);
        status = newest(store, &now, error);
        *active = status == EVS_OK && evs_redis_id_compare(first, now) != 0;
    }
    return status;
}

evs_status evs_redis_tool_trim(void *instance, struct evs_error *error)
{
    struct evs_redis_store *store = instance;
    struct evs_store_terms terms;
    evs_status status = evs_redis_store_look(store, &terms, error);
    if (status != EVS_OK || !store->has_commit) {
        return status;
    }
    const struct evs_redis_chain *chains = store->commit.chains;
    struct evs_redis_id log = older(store->commit_id, chains[EVS_BLOCK_STATE].first);
    log = older(log, older(chains[EVS_BLOCK_STATE].start, chains[EVS_BLOCK_OUTBOX].start));
    struct evs_redis_id outbox = chains[EVS_BLOCK_OUTBOX].first;
    struct evs_redis_id least[EVS_BLOCK_KINDS] = {log, evs_redis_id_is_zero(outbox) ? store->commit_id : outbox};
    for (int kind = 0; kind < EVS_BLOCK_KINDS && status == EVS_OK; kind++) {
        char text[EVS_REDIS_ID_TEXT_BYTES];
        const struct evs_slice words[] = {EVS_SLICE("XTRIM"), evs_slice_of(store->keys[kind]), EVS_SLICE("MINID"),
                                          EVS_SLICE("="), evs_redis_id_text(least[kind], text)};
        status = ask(store, words, EVS_COUNT(words), "trim the log", NULL, error);
    }
    return status;
}

/* --- savepoints ------------------------------------------------------------------------------------------------------------------- */

/* evs:{P:G}:savepoints, whatever copy the store stands for. */
static void put_list_key(const struct evs_redis_store *store, struct evs_buffer *key)
{
    const char *log = store->keys[EVS_BLOCK_STATE];
    const char *end = strstr(log, "}:log");
    EVS_ASSERT(end != NULL);
    evs_buffer_printf(key, "%.*s}:savepoints", (int)(end - log), log);
}

static uint64_t number_of(struct evs_slice text)
{
    uint64_t number = 0;
    return evs_redis_number_parse(text, &number) ? number : 0;
}

typedef evs_status take_savepoint(void *argument, const struct evs_redis_savepoint *savepoint, struct evs_slice id,
                                  struct evs_error *error);

/* `entry->owner` is none here: these entries are the tools' own. */
static evs_status give_savepoint(const redisReply *reply, take_savepoint *take, void *argument, struct evs_error *error)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[1]->type != REDIS_REPLY_ARRAY) {
        return EVS_OK;
    }
    struct evs_redis_entry entry = {.fields = reply->element[1]};
    struct evs_slice id = evs_redis_reply_slice(reply->element[0]);
    struct evs_redis_savepoint savepoint = {
        .name = evs_redis_entry_field(&entry, "name"),
        .record = evs_redis_entry_field(&entry, "record"),
        .checkpoint = number_of(evs_redis_entry_field(&entry, "checkpoint")),
        .bytes = number_of(evs_redis_entry_field(&entry, "bytes")),
    };
    if (evs_redis_id_parse(id, &entry.id)) {
        savepoint.made_us = (int64_t)entry.id.ms * 1000;
    }
    return savepoint.name.data == NULL ? EVS_OK : take(argument, &savepoint, id, error);
}

static evs_status for_savepoints(struct evs_redis_store *store, take_savepoint *take, void *argument,
                                 struct evs_error *error)
{
    struct evs_buffer key = {0};
    put_list_key(store, &key);
    const struct evs_slice words[] = {EVS_SLICE("XRANGE"), {key.data, key.count}, EVS_SLICE("-"), EVS_SLICE("+")};
    redisReply *reply;
    evs_status status = ask(store, words, EVS_COUNT(words), "list savepoints", &reply, error);
    if (status == EVS_OK) {
        for (size_t i = 0; i < reply->elements && status == EVS_OK; i++) {
            status = give_savepoint(reply->element[i], take, argument, error);
        }
        freeReplyObject(reply);
    }
    evs_buffer_fini(&key);
    return status;
}

struct listing {
    evs_status (*take)(void *argument, const struct evs_redis_savepoint *savepoint, struct evs_error *error);
    void *argument;
};

static evs_status list_one(void *argument, const struct evs_redis_savepoint *savepoint, struct evs_slice id,
                           struct evs_error *error)
{
    const struct listing *listing = argument;
    (void)id;
    return listing->take(listing->argument, savepoint, error);
}

evs_status evs_redis_savepoint_list(void *store,
                                    evs_status (*take)(void *argument, const struct evs_redis_savepoint *savepoint,
                                                       struct evs_error *error),
                                    void *argument, struct evs_error *error)
{
    struct listing listing = {take, argument};
    return for_savepoints(store, list_one, &listing, error);
}

evs_status evs_redis_savepoint_add(void *instance, const struct evs_redis_savepoint *savepoint, struct evs_error *error)
{
    struct evs_redis_store *store = instance;
    char checkpoint[24], bytes[24];
    struct evs_buffer key = {0};
    put_list_key(store, &key);
    const struct evs_slice words[] = {
        EVS_SLICE("XADD"),
        {key.data, key.count},
        EVS_SLICE("*"),
        EVS_SLICE("name"),
        savepoint->name,
        EVS_SLICE("checkpoint"),
        {checkpoint,
         (size_t)snprintf(checkpoint, sizeof checkpoint, "%llu", (unsigned long long)savepoint->checkpoint)},
        EVS_SLICE("bytes"),
        {bytes, (size_t)snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)savepoint->bytes)},
        EVS_SLICE("record"),
        savepoint->record};
    evs_status status = ask(store, words, EVS_COUNT(words), "note the savepoint", NULL, error);
    evs_buffer_fini(&key);
    return status;
}

struct removing {
    struct evs_redis_store *store;
    const char *name;
};

static evs_status remove_one(void *argument, const struct evs_redis_savepoint *savepoint, struct evs_slice id,
                             struct evs_error *error)
{
    const struct removing *removing = argument;
    if (!evs_slice_equal(savepoint->name, evs_slice_of(removing->name))) {
        return EVS_OK;
    }
    struct evs_buffer key = {0};
    put_list_key(removing->store, &key);
    const struct evs_slice words[] = {EVS_SLICE("XDEL"), {key.data, key.count}, id};
    evs_status status = ask(removing->store, words, EVS_COUNT(words), "remove the savepoint", NULL, error);
    evs_buffer_fini(&key);
    return status;
}

evs_status evs_redis_savepoint_remove(void *store, const char *name, struct evs_error *error)
{
    struct removing removing = {store, name};
    return for_savepoints(store, remove_one, &removing, error);
}
