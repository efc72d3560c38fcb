#include "store_redis.h"

#include <inttypes.h>
#include <stdio.h>

#include "redis_store.h"

/* --- open and close ----------------------------------------------------------------------------------------------- */

static void store_close(void *instance)
{
    struct evs_redis_store *store = instance;
    if (store == NULL) {
        return;
    }
    evs_redis_link_free(store->link);
    evs_redis_address_fini(&store->address);
    evs_buffer_fini(&store->record);
    evs_free(store->beginnings);
    for (int kind = 0; kind < EVS_BLOCK_KINDS; kind++) {
        evs_free(store->keys[kind]);
    }
    evs_free(store);
}

/* The braces make one slot of a cluster of all keys of a group. */
static char *key_name(const struct evs_store_open *open, const char *what)
{
    struct evs_buffer name = {0};
    evs_buffer_printf(&name, "evs:{%s:%s}:%s%s", open->pipeline, open->group, what,
                      open->suffix != NULL ? open->suffix : "");
    char *key = evs_strndup(name.data, name.count);
    evs_buffer_fini(&name);
    return key;
}

static evs_status make_link(const struct evs_store_open *open, struct evs_redis_store *store, struct evs_error *error)
{
    evs_status status = evs_redis_address_parse(open->url, &store->address, error);
    if (status != EVS_OK) {
        return status;
    }
    struct evs_buffer name = {0};
    evs_buffer_printf(&name, "evstream-%s%s-%s", open->suffix != NULL ? "tool-" : "", open->pipeline, open->group);
    evs_buffer_put(&name, "", 1);
    status = evs_redis_link_new(open->os, &store->address, name.data, &store->link, error);
    evs_buffer_fini(&name);
    if (status == EVS_OK && store->has_followers) {
        evs_redis_link_watch(store->link);
    }
    return status;
}

static evs_status store_open(const struct evs_store_open *open, void **instance, struct evs_error *error)
{
    EVS_ASSERT(open->os != NULL && open->url != NULL && open->pipeline != NULL && open->group != NULL);
    struct evs_redis_store *store = evs_alloc_zero(sizeof *store);
    *store = (struct evs_redis_store){
        .os = open->os, .log = open->log, .retry_us = open->retry_us, .has_followers = open->has_followers};
    store->keys[EVS_BLOCK_STATE] = key_name(open, "log");
    store->keys[EVS_BLOCK_OUTBOX] = key_name(open, "ob");
    evs_status status = make_link(open, store, error);
    if (status != EVS_OK) {
        store_close(store);
        return status;
    }
    *instance = store;
    return EVS_OK;
}

/* --- acquire ------------------------------------------------------------------------------------------------------ */

/* One call of a function whose reply is an id or a number as text. */
static evs_status call_for_text(struct evs_redis_store *store, const struct evs_slice *command, uint32_t count,
                                const char *doing, struct evs_buffer *text, struct evs_error *error)
{
    redisReply *reply;
    evs_status status = evs_redis_function_call(store->link, command, count, doing, &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_redis_reply_is_text(reply)) {
        evs_buffer_put(text, reply->str, (size_t)reply->len);
    }
    freeReplyObject(reply);
    return EVS_OK;
}

static evs_status take_over_log(struct evs_redis_store *store, struct evs_error *error)
{
    struct evs_buffer epoch = {0};
    do {
        store->nonce = store->os->random.next(store->os->random.self);
    } while (store->nonce == 0);
    snprintf(store->nonce_text, sizeof store->nonce_text, "%016" PRIx64, store->nonce);
    struct evs_slice command[] = {EVS_SLICE("FCALL"),
                                  EVS_SLICE(EVS_REDIS_ACQUIRE),
                                  EVS_SLICE("2"),
                                  evs_slice_of(store->keys[EVS_BLOCK_STATE]),
                                  evs_slice_of(store->keys[EVS_BLOCK_OUTBOX]),
                                  evs_slice_of(store->nonce_text)};
    evs_status status = call_for_text(store, command, EVS_COUNT(command), "hand over the state log", &epoch, error);
    if (status == EVS_OK && !evs_redis_number_parse((struct evs_slice){epoch.data, epoch.count}, &store->epoch)) {
        status = evs_fail(error, EVS_E_INTERNAL, "The take-over of the state log answered '%.*s' instead of a number.",
                          (int)epoch.count, epoch.data);
    }
    evs_buffer_fini(&epoch);
    return status;
}

/* From here on the outbox, too, refuses what an older owner still sends. */
static evs_status take_over_outbox(struct evs_redis_store *store, struct evs_error *error)
{
    struct evs_buffer last = {0};
    char epoch[24];
    struct evs_redis_id id = {0};
    struct evs_slice epoch_slice = {epoch, (size_t)snprintf(epoch, sizeof epoch, "%" PRIu64, store->epoch)};
    struct evs_slice command[] = {EVS_SLICE("FCALL"), EVS_SLICE(EVS_REDIS_RAISE), EVS_SLICE("1"),
                                  evs_slice_of(store->keys[EVS_BLOCK_OUTBOX]), epoch_slice};
    evs_status status = call_for_text(store, command, EVS_COUNT(command), "hand over the outbox", &last, error);
    if (status == EVS_OK &&
        (!evs_redis_id_parse((struct evs_slice){last.data, last.count}, &id) || id.ms != store->epoch)) {
        char refusal[160];
        snprintf(refusal, sizeof refusal,
                 "EVSFENCED it already belongs to a newer owner: it ends at '%.*s', ours is %s",
                 (int)(last.count < 60 ? last.count : 60), last.count > 0 ? last.data : "", epoch);
        status = evs_redis_refused(store->address.text, "hand over the outbox", refusal, error);
    }
    evs_buffer_fini(&last);
    return status;
}

/* Entries of terms are small, and an engine that ends before its first commit leaves one behind; blocks are large. So the longer a run of terms is, the more
 * entries are asked for at once. */
#define TERMS_AT_ONCE 256

/* Entries at or before `from`, the newest first. */
static evs_status entries_before(struct evs_redis_store *store, struct evs_redis_id from, bool exclusive, uint32_t most,
                                 redisReply **reply, struct evs_error *error)
{
    char text[EVS_REDIS_ID_TEXT_BYTES + 1] = "(", count[16];
    evs_redis_id_text(from, text + 1);
    snprintf(count, sizeof count, "%u", most);
    struct evs_slice command[] = {EVS_SLICE("XREVRANGE"),
                                  evs_slice_of(store->keys[EVS_BLOCK_STATE]),
                                  evs_slice_of(exclusive ? text : text + 1),
                                  EVS_SLICE("-"),
                                  EVS_SLICE("COUNT"),
                                  evs_slice_of(count)};
    return evs_redis_store_ask(store, command, EVS_COUNT(command), "look for the last commit", reply, error);
}

/* A walk from the log's end to its last commit. */
struct walk {
    struct evs_redis_id at;
    bool is_exclusive; /* `at` itself is not looked at */
    bool is_over, found;
    uint32_t most; /* entries of the next look */
};

/* A block without a commit behind it means that its whole slot has none: a commit closes its slot. So torn checkpoints of thousands of blocks are passed in
 * one step. */
static evs_status walk_on(struct evs_redis_store *store, struct walk *walk, const redisReply *entries,
                          struct evs_error *error)
{
    size_t count = entries->type == REDIS_REPLY_ARRAY ? entries->elements : 0;
    walk->is_over = count == 0;
    for (size_t i = 0; i < count; i++) {
        struct evs_redis_entry entry;
        if (!evs_redis_entry_read(entries->element[i], &entry)) {
            return evs_redis_store_damaged(store, error, "%s holds an entry of another program",
                                           store->keys[EVS_BLOCK_STATE]);
        }
        walk->at = entry.id;
        walk->is_over = walk->found = entry.kind == 'C';
        uint64_t slot_start = entry.id.sequence & ~EVS_REDIS_SLOT_LAST;
        walk->is_exclusive = entry.kind != 'B' || slot_start == 0;
        walk->at.sequence = walk->is_exclusive ? entry.id.sequence : slot_start - 1;
        if (entry.kind != 'F') {
            walk->most = 1;
            return EVS_OK;
        }
    }
    walk->most = walk->most * 4 < TERMS_AT_ONCE ? walk->most * 4 : TERMS_AT_ONCE;
    return EVS_OK;
}

/* Backwards from `from`, which is not looked at itself. */
static evs_status find_last_commit(struct evs_redis_store *store, struct evs_redis_id from, bool *found,
                                   struct evs_redis_id *id, struct evs_error *error)
{
    struct walk walk = {.at = from, .is_exclusive = true, .most = 1};
    evs_status status = EVS_OK;
    while (status == EVS_OK && !walk.is_over) {
        redisReply *entries;
        status = entries_before(store, walk.at, walk.is_exclusive, walk.most, &entries, error);
        if (status == EVS_OK) {
            status = walk_on(store, &walk, entries, error);
            freeReplyObject(entries);
        }
    }
    *found = walk.found;
    *id = walk.at;
    return status;
}

/* A log that had commits of ours and has none any more is no first start: beginning anew in silence would count
 * everything again. */
static evs_status check_against_memory(struct evs_redis_store *store, bool found, const struct evs_redis_header *header,
                                       struct evs_error *error)
{
    if (!store->has_commit) {
        return EVS_OK;
    }
    if (!found) {
        return evs_redis_store_damaged(
            store, error, "the log was deleted, or has lost all its commits, while the engine was running");
    }
    if (header->checkpoint < store->commit.checkpoint) {
        evs_log(store->log, EVS_LOG_WARN, "redis_lost",
                "Redis at %s has lost checkpoints %llu to %llu; their events are read again from the source.",
                store->address.text, (unsigned long long)header->checkpoint + 1,
                (unsigned long long)store->commit.checkpoint);
    }
    return EVS_OK;
}

static evs_status read_last_commit(struct evs_redis_store *store, struct evs_error *error)
{
    bool found = false;
    struct evs_redis_id id = {0};
    struct evs_redis_header header = {0};
    evs_status status = find_last_commit(store, store->floor, &found, &id, error);
    store->record.count = 0;
    if (status == EVS_OK && found) {
        status = evs_redis_store_read_commit(store, id, &header, &store->record, error);
    }
    if (status == EVS_OK) {
        status = check_against_memory(store, found, &header, error);
    }
    if (status != EVS_OK) {
        return status;
    }
    store->beginning_first = store->beginning_count = 0;
    store->knows_beginnings = !found;
    store->has_commit = found;
    store->commit = header;
    store->commit_id = id;
    store->trims[EVS_BLOCK_STATE] = store->trims[EVS_BLOCK_OUTBOX] = found; /* what the last owner did not come to */
    return EVS_OK;
}

/* --- which server ------------------------------------------------------------------------------------------------- */

/* A node of a cluster says where the log is when it is asked for it. */
static evs_status find_owner(struct evs_redis_store *store, struct evs_error *error)
{
    struct evs_slice command[] = {EVS_SLICE("XRANGE"), evs_slice_of(store->keys[EVS_BLOCK_STATE]), EVS_SLICE("0-1"),
                                  EVS_SLICE("0-1")};
    redisReply *reply;
    evs_status status =
        evs_redis_store_ask(store, command, EVS_COUNT(command), "show where the state log is", &reply, error);
    if (status == EVS_OK) {
        freeReplyObject(reply);
    }
    return status;
}

static evs_status look_at_server(struct evs_redis_store *store, struct evs_error *error)
{
    bool may_fail_over = store->has_term || store->address.service != NULL;
    evs_status status = evs_redis_facts_ask(store->link, &store->facts, error);
    if (status == EVS_OK && store->facts.is_clustered) {
        status = find_owner(store, error);
    }
    return status == EVS_OK ? evs_redis_facts_judge(&store->facts, store->address.text, may_fail_over, error) : status;
}

/* --- peek --------------------------------------------------------------------------------------------------------- */

#define LOOKS_MAX 8 /* at a log whose owner trims the commit that was just found */

static evs_status look_once(struct evs_redis_store *store, bool *found, struct evs_redis_id *id,
                            struct evs_redis_header *header, struct evs_error *error)
{
    const struct evs_redis_id newest = {UINT64_MAX, UINT64_MAX};
    store->record.count = 0;
    evs_status status = find_last_commit(store, newest, found, id, error);
    return status == EVS_OK && *found ? evs_redis_store_read_commit(store, *id, header, &store->record, error) : status;
}

struct looking {
    struct evs_store_terms *terms;
    bool found;
    struct evs_redis_id id;
    struct evs_redis_header header;
};

/* Only reads, and leaves nothing behind in `store` but the record's bytes. */
static evs_status try_peek(struct evs_redis_store *store, void *argument, struct evs_error *error)
{
    struct looking *looking = argument;
    struct evs_redis_id before;
    evs_status status = look_at_server(store, error);
    if (status != EVS_OK) {
        return status;
    }
    uint32_t looks = 0;
    do {
        before = looking->id;
        status = look_once(store, &looking->found, &looking->id, &looking->header, error);
    } while (status == EVS_E_STATE && evs_redis_id_compare(before, looking->id) != 0 && ++looks < LOOKS_MAX);
    *looking->terms = (struct evs_store_terms){.has_commit = looking->found, .checkpoint = looking->header.checkpoint};
    return status;
}

static evs_status store_peek(void *instance, struct evs_store_terms *terms, struct evs_error *error)
{
    struct evs_redis_store *store = instance;
    struct looking looking = {.terms = terms};
    EVS_ASSERT(!store->has_term && terms != NULL);
    evs_status status = evs_redis_store_try(store, try_peek, &looking, error);
    terms->record = (struct evs_slice){store->record.data, store->record.count};
    return status;
}

evs_status evs_redis_store_look(struct evs_redis_store *store, struct evs_store_terms *terms, struct evs_error *error)
{
    struct looking looking = {.terms = terms};
    EVS_ASSERT(!store->has_term && terms != NULL);
    evs_status status = evs_redis_store_try(store, try_peek, &looking, error);
    store->has_commit = status == EVS_OK && looking.found;
    store->commit = looking.header;
    store->commit_id = looking.id;
    terms->record = (struct evs_slice){store->record.data, store->record.count};
    return status;
}

/* --- acquire, as a step ------------------------------------------------------------------------------------------- */

/* Who was stopped behind the take-over finds nothing, or half of it, where a newer owner has trimmed: that is no damage, and no first start. */
static evs_status read_as_owner(struct evs_redis_store *store, struct evs_error *error)
{
    evs_status status = read_last_commit(store, error);
    if (status != EVS_E_STATE && (status != EVS_OK || store->has_commit)) {
        return status;
    }
    struct evs_error why;
    evs_status now = evs_redis_store_judge_end(store, &why);
    return now == EVS_E_FENCED || now == EVS_E_UNREACHABLE ? evs_fail(error, now, "%s", why.text) : status;
}

static evs_status try_acquire(struct evs_redis_store *store, void *argument, struct evs_error *error)
{
    (void)argument;
    evs_status status = look_at_server(store, error);
    if (status == EVS_OK) {
        status = take_over_log(store, error);
    }
    if (status == EVS_OK) {
        status = take_over_outbox(store, error);
    }
    if (status != EVS_OK) {
        return status;
    }
    store->floor = store->tail = (struct evs_redis_id){store->epoch, 0};
    store->sequences[EVS_BLOCK_STATE] = store->sequences[EVS_BLOCK_OUTBOX] = 0;
    status = read_as_owner(store, error);
    store->located = status == EVS_OK;
    if (store->located && store->has_followers) {
        evs_redis_link_accept(store->link);
    }
    store->has_term = store->has_term || store->located;
    return status;
}

static evs_status store_acquire(void *instance, struct evs_store_terms *terms, struct evs_error *error)
{
    struct evs_redis_store *store = instance;
    EVS_ASSERT(store != NULL && terms != NULL);
    evs_status status = evs_redis_store_try(store, try_acquire, NULL, error);
    if (status != EVS_OK) {
        return status;
    }
    *terms = (struct evs_store_terms){
        .epoch = store->epoch,
        .nonce = store->nonce,
        .has_commit = store->has_commit,
        .checkpoint = store->commit.checkpoint,
        .record = {store->record.data, store->record.count},
        .confirm_delay_us = store->facts.confirm_delay_us,
        .durability = store->facts.durability,
        .forgets = store->facts.forgets,
    };
    return EVS_OK;
}

/* --- confirm ------------------------------------------------------------------------------------------------------ */

static evs_status try_confirm(struct evs_redis_store *store, void *argument, struct evs_error *error)
{
    (void)argument;
    return evs_redis_store_locate(store, error);
}

static evs_status store_confirm(void *instance, struct evs_error *error)
{
    struct evs_redis_store *store = instance;
    EVS_ASSERT(store->has_term);
    return evs_redis_store_try(store, try_confirm, NULL, error);
}

const struct evs_store evs_store_redis = {
    .kind = "redis",
    .open = store_open,
    .peek = store_peek,
    .acquire = store_acquire,
    .restore = evs_redis_store_restore,
    .commit = evs_redis_store_commit,
    .confirm = store_confirm,
    .list = evs_redis_store_list,
    .close = store_close,
};
