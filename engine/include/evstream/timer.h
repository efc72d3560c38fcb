/* Timers: what becomes due at which event time.
 *
 * A heap of (time, payload) with four children a node, so that a node's children lie in one cache line: 16 bytes a timer. The payload
 * is the owner's, nearly always the index of an entry of its table (evstream/table.h), or an index with a generation above it.
 *
 * Cancellation is lazy: nothing is taken out before its time. The owner keeps, with what the timer is for, when it is due now, and
 * when a timer comes up compares: gone, so the timer means nothing; due later, so it is armed again for that moment. A key that is
 * pushed back by each of its rows (a session, a `retain`) so costs one timer and not one a row, if the owner arms only where none is
 * pending. Where old timers can pile up (each attempt of a sequence has its own), evs_timers_keep throws out those that mean nothing.
 *
 * Timers are never stored: after a restore the owner arms them again from its records (exactness, 19). Two timers of the same time come
 * up in the order of their payloads, which is not the same on another number of workers: an owner whose output must not show it sorts
 * what it has to say by its keys. */
#ifndef EVS_TIMER_H
#define EVS_TIMER_H

#include "evstream/batch.h"

struct evs_timer {
    int64_t at_us;
    uint64_t payload;
};

/* Zero-initialised is a valid empty heap. One thread. */
struct evs_timers {
    struct evs_timer *heap;
    uint32_t count, capacity;
};

void evs_timers_arm(struct evs_timers *timers, int64_t at_us, uint64_t payload);
/* Takes the earliest timer if it is due at or before `until_us`. What is due when the watermark has *passed* it (W > at) is asked for with
 * evs_timers_passed. */
bool evs_timers_pop(struct evs_timers *timers, int64_t until_us, struct evs_timer *due);
/* The last moment that a watermark has passed: for `evs_timers_pop(timers, evs_timers_passed(watermark_us), …)`. A complete input's
 * (EVS_TIME_MAX) has passed every moment. */
static inline int64_t evs_timers_passed(int64_t watermark_us)
{
    return watermark_us == EVS_TIME_MIN || watermark_us == EVS_TIME_MAX ? watermark_us : watermark_us - 1;
}
/* The earliest time; EVS_TIME_MAX when there is none. */
int64_t evs_timers_next(const struct evs_timers *timers);
/* Keeps the timers for which `is_wanted` says so. Linear; call it when the count has become twice what is alive. */
void evs_timers_keep(struct evs_timers *timers, bool (*is_wanted)(const struct evs_timer *timer, void *argument),
                     void *argument);
void evs_timers_clear(struct evs_timers *timers); /* keeps the memory */
void evs_timers_fini(struct evs_timers *timers);

#endif
