/* The conformance wrapper: one file that holds every operator to its contract, in builds for tests. */
#ifndef EVS_RUN_CONFORMANCE_H
#define EVS_RUN_CONFORMANCE_H

#include "runtime.h"

/* The operator that stands in for `inner`, with the same flags and limits; lives in the run's arena. */
const struct evs_operator *evs_conformance_wrap(struct evs_run *run, const struct evs_operator *inner);
/* Called for each batch that an op emits. */
void evs_conformance_emitted(const struct evs_op *op, uint32_t output, const struct evs_batch *batch);

#endif
