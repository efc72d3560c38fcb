/* The roll: which engines share a pipeline, and how many of its groups each of them holds. One value in the bucket of the leases, a line for each engine:
 *
 *   version 1
 *   engine 2 118 web-1/4711/…      holds 2 groups; 118 rises with every call; its process
 *   engine 1 90 web-2/12/…
 *
 * Every engine writes its own line anew several times a lease, over the revision that it has read, and keeps the lines of the others, but for those that have stood
 * still for a whole lease by its own clock, or whose process is known to have ended. Nothing hangs on it but fairness: a roll that is lost, or wrong for a moment, moves
 * groups that need not have moved. */
#ifndef EVS_RUN_ROLL_H
#define EVS_RUN_ROLL_H

#include "evstream/bucket.h"

struct evs_roll;

struct evs_roll_open {
    const struct evs_os *os;
    const struct evs_bucket *bucket;
    void *instance; /* of the bucket; borrowed */
    const char *pipeline;
    int64_t lease_us;
};

struct evs_roll *evs_roll_new(const struct evs_roll_open *open);
void evs_roll_free(struct evs_roll *roll); /* NULL is allowed */
/* One call: says what we hold, learns what the others hold. Anything but EVS_OK: the bucket is in trouble, and the others are as they were. */
EVS_MUST_CHECK evs_status evs_roll_call(struct evs_roll *roll, uint32_t held, struct evs_error *error);
/* Takes our line out, and learns what the others hold. When it fails the others wait for a lease. */
evs_status evs_roll_leave(struct evs_roll *roll, struct evs_error *error);

uint32_t evs_roll_engines(const struct evs_roll *roll); /* with this one */
uint32_t evs_roll_held(const struct evs_roll *roll);    /* by all others */
uint32_t evs_roll_least(const struct evs_roll *roll);   /* that another engine holds; UINT32_MAX: there is none */

#endif
