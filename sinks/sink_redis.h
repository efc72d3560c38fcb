/* Sink into Redis Streams: each row is one entry, written once, in order, under an id that follows from the commit
 * it belongs to.
 *
 *   insert into redis (key = 'triggers:{user_id}')      key: the stream; {column} holes are filled for each row
 *
 *   <epoch>-<checkpoint · 2^20 + index>    id <trigger id, 32 hex digits>  data <encoded row>  n <writer>-<CRC-32C>
 *
 * Epoch, checkpoint and index are those of the commit whose outbox holds the message. So an engine that is killed
 * and comes back sends the same message under the same id, and the server refuses what it already has (exactness,
 * 7). A stream belongs to one sink of one pipeline: ids of another writer are found and reported, not written
 * around. README.md of stores/ lists the permissions. */
#ifndef EVS_SINK_REDIS_H
#define EVS_SINK_REDIS_H

#include "evstream/sink.h"

extern const struct evs_sink evs_sink_redis;
/* insert into redis_hash (key = 'profile:{user_id}')    a hash a key, with a field a column: redis_hash.h */
extern const struct evs_sink evs_sink_redis_hash;

/* Where a sink's rows are, for tools that read them back. */
struct evs_sink_redis_place {
    const char *key; /* the template's text */
    const char *url; /* NULL: the server that keeps the state */
};
void evs_sink_redis_place(const void *config, struct evs_sink_redis_place *place);

#endif
