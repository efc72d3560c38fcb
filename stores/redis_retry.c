#include "redis_retry.h"

#define PAUSE_FIRST_US INT64_C(20000)
#define PAUSE_MAX_US INT64_C(2000000)

int64_t evs_redis_retry_pause(struct evs_redis_retry *retry)
{
    EVS_ASSERT(retry->os != NULL && retry->retry_us >= 0);
    int64_t now_us = evs_monotonic_us(retry->os);
    if (retry->pause_us == 0) {
        retry->began_us = now_us;
        retry->pause_us = PAUSE_FIRST_US;
    } else {
        retry->pause_us = retry->pause_us * 2 < PAUSE_MAX_US ? retry->pause_us * 2 : PAUSE_MAX_US;
    }
    if (retry->retry_us > 0 && now_us - retry->began_us >= retry->retry_us) {
        return -1;
    }
    uint64_t random = retry->os->random.next(retry->os->random.self);
    int64_t jittered_us =
        retry->pause_us / 2 + (int64_t)(random % (uint64_t)retry->pause_us); /* half to one and a half */
    EVS_ASSERT(jittered_us > 0);
    return jittered_us;
}
