/* The retry policy of everything that talks to Redis and may wait: back-off from 20 ms, doubling to 2 s, with jitter
 * so that many engines do not come back in step, until `retry_us` has passed since the first failure. */
#ifndef EVS_REDIS_RETRY_H
#define EVS_REDIS_RETRY_H

#include "evstream/os.h"

struct evs_redis_retry {
    const struct evs_os *os;
    int64_t retry_us; /* 0: for ever */
    int64_t began_us; /* of the first failure in a row */
    int64_t pause_us; /* the next pause, without jitter; 0: no failure yet */
};

/* A failure has happened: how long to pause before the next try; negative when the time is used up. */
int64_t evs_redis_retry_pause(struct evs_redis_retry *retry);
/* It worked: the next failure is a first one. */
static inline void evs_redis_retry_reset(struct evs_redis_retry *retry)
{
    retry->pause_us = 0;
}

#endif
