/* A token bucket for each source: `rate` events a second on average, `burst` at once.
 *
 * A request is let in as a whole while there is at least one token, and takes as many as it has events, so the level may fall
 * below zero: a batch larger than the burst must not be refused for ever, and is paid for by the wait after it. */
#ifndef EVS_RATE_H
#define EVS_RATE_H

#include "evstream/status.h"

struct evs_rate {
    double rate, burst; /* events a second; rate 0: no limit */
    double level;       /* tokens; may be negative */
    int64_t filled_us;  /* monotonic, when `level` was right */
};

void evs_rate_init(struct evs_rate *bucket, double rate, double burst, int64_t now_us);

/* True: let in, and paid. False: refused; *wait_us is how long until a request is let in again. */
bool evs_rate_take(struct evs_rate *bucket, uint32_t events, int64_t now_us, int64_t *wait_us);

#endif
