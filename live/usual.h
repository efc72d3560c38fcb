/* Where programs of one machine listen when nobody has said where: `run` takes the first of these addresses that is free, and `status`, `top`, `tail` and
 * `explain --live` look for it there. */
#ifndef EVS_LIVE_USUAL_H
#define EVS_LIVE_USUAL_H

#include "evstream/status.h"
#include "seen.h"

#define EVS_USUAL_PORT 8088u /* and the nine behind it */
#define EVS_USUAL_COUNT 10u
#define EVS_USUAL_BYTES 24
#define EVS_USUAL_RANGE "127.0.0.1, 8088 to 8097"

/* "127.0.0.1:8088" and on, for number 0 to EVS_USUAL_COUNT - 1. */
const char *evs_usual_address(uint32_t number, char out[EVS_USUAL_BYTES]);

/* Asks all of the usual addresses at once. Whoever listens there and is silent (a program that is stopped, or none of evstream's) costs EVS_USUAL_SECONDS, and is
 * EVS_E_UNREACHABLE as an address where nobody listens. */
#define EVS_USUAL_SECONDS 3
void evs_usual_ask(struct evs_seen seen[EVS_USUAL_COUNT], evs_status statuses[EVS_USUAL_COUNT]);

/* Where the pipeline runs: the first of the usual addresses at which a program answers that has it; NULL: any pipeline. The first address when there is none, for the
 * error that says so. */
const char *evs_usual_find(const char *pipeline, char out[EVS_USUAL_BYTES]);

#endif
