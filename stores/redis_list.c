/* Which pipelines have state on a server: the keys evs:{PIPELINE:GROUP}:log, found by SCAN, which may tell one twice. */
#include "redis_store.h"

struct listing {
    void (*take)(void *argument, struct evs_slice pipeline, struct evs_slice group);
    void *argument;
    char cursor[24];
};

static bool is_digits(struct evs_slice text)
{
    for (size_t i = 0; i < text.count; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.count > 0;
}

/* A pipeline's name has no colon; a key of another shape is not ours. */
static void take_key(const struct listing *listing, struct evs_slice key)
{
    const size_t before = strlen("evs:{"), behind = strlen("}:log");
    if (key.count <= before + behind) {
        return;
    }
    struct evs_slice name = {key.data + before, key.count - before - behind};
    const char *colon = memchr(name.data, ':', name.count);
    if (colon != NULL && colon > name.data && colon + 1 < name.data + name.count) {
        size_t count = (size_t)(colon - name.data);
        listing->take(listing->argument, (struct evs_slice){name.data, count},
                      (struct evs_slice){colon + 1, name.count - count - 1});
    }
}

/* One step of the scan; "0" begins and ends it. */
static evs_status scan_some(struct evs_redis_store *store, void *argument, struct evs_error *error)
{
    struct listing *listing = argument;
    struct evs_slice command[] = {EVS_SLICE("SCAN"),  evs_slice_of(listing->cursor),
                                  EVS_SLICE("MATCH"), EVS_SLICE("evs:{*}:log"),
                                  EVS_SLICE("COUNT"), EVS_SLICE("1000")};
    redisReply *reply;
    evs_status status = evs_redis_store_ask(store, command, EVS_COUNT(command), "list its keys", &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    bool good =
        reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[1]->type == REDIS_REPLY_ARRAY;
    struct evs_slice cursor = good ? evs_redis_reply_slice(reply->element[0]) : (struct evs_slice){0};
    if (!is_digits(cursor) || cursor.count >= sizeof listing->cursor) {
        freeReplyObject(reply);
        return evs_fail(error, EVS_E_INTERNAL, "Redis at %s lists its keys in an unknown way.", store->address.text);
    }
    memcpy(listing->cursor, cursor.data, cursor.count);
    listing->cursor[cursor.count] = '\0';
    for (size_t i = 0; i < reply->element[1]->elements; i++) {
        take_key(listing, evs_redis_reply_slice(reply->element[1]->element[i]));
    }
    freeReplyObject(reply);
    return EVS_OK;
}

evs_status evs_redis_store_list(void *instance,
                                void (*take)(void *argument, struct evs_slice pipeline, struct evs_slice group),
                                void *argument, struct evs_error *error)
{
    struct listing listing = {.take = take, .argument = argument, .cursor = "0"};
    evs_status status;
    do {
        status = evs_redis_store_try(instance, scan_some, &listing, error);
    } while (status == EVS_OK && strcmp(listing.cursor, "0") != 0);
    return status;
}
