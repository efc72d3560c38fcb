#include "rate.h"

void evs_rate_init(struct evs_rate *bucket, double rate, double burst, int64_t now_us)
{
    EVS_ASSERT(rate >= 0 && burst >= 0);
    *bucket = (struct evs_rate){.rate = rate, .burst = burst > 1 ? burst : 1, .filled_us = now_us};
    bucket->level = bucket->burst;
}

static void rate_fill(struct evs_rate *bucket, int64_t now_us)
{
    if (now_us <= bucket->filled_us) {
        return;
    }
    double level = bucket->level + bucket->rate * (double)(now_us - bucket->filled_us) / 1e6;
    bucket->level = level < bucket->burst ? level : bucket->burst;
    bucket->filled_us = now_us;
}

bool evs_rate_take(struct evs_rate *bucket, uint32_t events, int64_t now_us, int64_t *wait_us)
{
    *wait_us = 0;
    if (bucket->rate <= 0) {
        return true;
    }
    rate_fill(bucket, now_us);
    if (bucket->level >= 1) {
        bucket->level -= events;
        return true;
    }
    *wait_us = (int64_t)((1 - bucket->level) / bucket->rate * 1e6) + 1;
    return false;
}
