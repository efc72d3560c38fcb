/* State in Redis Streams. README.md of this folder tells the idea, docs/internals/state-format.md the bytes. */
#ifndef EVS_STORE_REDIS_H
#define EVS_STORE_REDIS_H

#include "evstream/store.h"

extern const struct evs_store evs_store_redis;

#endif
