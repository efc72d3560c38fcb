/* A row as a hash in Redis: a running profile. One call of a function on the server, which writes it if nothing newer is there.
 *
 *   HSET profile:ann  last_seen 2026-01-05T10:00:00Z  total 12.5  _evs.shop.profiles 1795453727879-33554433
 *
 * The last field is the fence of one sink: the place of the row's commit, <epoch>-<checkpoint · 2^20 + index>, which only ever rises. So a row that is sent
 * again, by a restart or by an engine that was replaced, never takes the place of a newer one; and several sinks may keep fields of their own in one
 * hash. A NULL removes its field.
 *
 * The function writes up to three times (HDEL, HSET, PEXPIRE), the fence in the middle: where an append-only file is cut off behind the first, the row is
 * not there yet and is written again. (The functions of the state write once; stores/redis_function.h says why.) */
#ifndef EVS_REDIS_HASH_H
#define EVS_REDIS_HASH_H

#include "redis_link.h"

/* The library's text, for FUNCTION LOAD. */
struct evs_slice evs_redis_hash_library(void);

struct evs_redis_hash_row {
    struct evs_slice key, payload; /* of format_fields.h */
    struct evs_slice id;           /* "<epoch>-<position>" */
    const char *fence;             /* name of the field */
    const char *ttl_ms;            /* "0": it stays */
};
/* Queues the call. Arguments are copied. */
void evs_redis_hash_put(struct evs_redis_link *link, const struct evs_redis_hash_row *row);

#endif
