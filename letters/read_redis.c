/* The newest rows of a dead letter sink that writes to a Redis stream: XREVRANGE, a part at a time. */
#include <stdio.h>
#include <string.h>

#include "parts.h"
#include "redis_link.h"
#include "sink_redis.h"

#define PART "500"

/* An entry is [id, [field, value, …]]: `data` has the row, `id` the trigger's id; the entry's id begins with its term, which is no time of this row. */
static bool take_entry(const redisReply *entry, struct evs_letters_rows *rows, char *last, size_t bytes)
{
    bool is_entry = entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 &&
                    evs_redis_reply_is_text(entry->element[0]) && entry->element[1]->type == REDIS_REPLY_ARRAY;
    if (!is_entry) {
        return true;
    }
    struct evs_slice data = {0}, id = {0};
    const redisReply *fields = entry->element[1];
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        struct evs_slice name = evs_redis_reply_slice(fields->element[i]),
                         value = evs_redis_reply_slice(fields->element[i + 1]);
        data = evs_slice_equal(name, EVS_SLICE("data")) ? value : data;
        id = evs_slice_equal(name, EVS_SLICE("id")) ? value : id;
    }
    snprintf(last, bytes, "(%.*s", (int)entry->element[0]->len, entry->element[0]->str);
    return evs_letters_keep(rows, data, id, EVS_TIME_MIN);
}

/* *more: there may be older ones. */
static evs_status read_part(struct evs_redis_link *link, const char *key, char *last, size_t bytes,
                            struct evs_letters_rows *rows, bool *more, struct evs_error *error)
{
    struct evs_slice command[] = {EVS_SLICE("XREVRANGE"), evs_slice_of(key),  evs_slice_of(last),
                                  EVS_SLICE("-"),         EVS_SLICE("COUNT"), EVS_SLICE(PART)};
    redisReply *reply = NULL;
    evs_status status = evs_redis_link_call(link, command, EVS_COUNT(command), &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        status = evs_redis_link_refused(link, "reading dead letters", reply->str, error);
    }
    *more = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0;
    for (size_t i = 0; status == EVS_OK && *more && i < reply->elements; i++) {
        *more = take_entry(reply->element[i], rows, last, bytes);
    }
    freeReplyObject(reply);
    return status;
}

static evs_status read_all(struct evs_redis_link *link, const char *key, struct evs_letters_rows *rows,
                           struct evs_error *error)
{
    char last[64] = "+";
    bool more = true;
    evs_status status = evs_redis_link_connect(link, error);
    while (status == EVS_OK && more) {
        status = read_part(link, key, last, sizeof last, rows, &more, error);
    }
    return status;
}

evs_status evs_letters_read_redis(struct evs_letters *letters, const struct evs_plan_node *sink,
                                  struct evs_letters_rows *rows, struct evs_error *error)
{
    struct evs_sink_redis_place place;
    struct evs_redis_address address;
    struct evs_redis_link *link = NULL;
    evs_sink_redis_place(sink->sink->config, &place);
    const char *key = place.key;
    if (strchr(key, '{') != NULL) {
        return evs_fail(error, EVS_E_USAGE,
                        "The letters of sink %s are spread over several streams (%s), which are not searched.",
                        sink->name, key);
    }
    const char *url = place.url != NULL ? place.url : letters->with.redis_url;
    evs_status status = evs_redis_address_parse(url, &address, error);
    if (status != EVS_OK) {
        return status;
    }
    status = evs_redis_link_new(letters->with.os, &address, "evstream-dead-letters", &link, error);
    if (status == EVS_OK) {
        status = read_all(link, key, rows, error);
        evs_redis_link_free(link);
    }
    evs_redis_address_fini(&address);
    return status;
}
