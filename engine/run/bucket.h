/* The bucket in which engines of a plan agree (evstream/bucket.h): the first source whose connector has one names it. */
#ifndef EVS_RUN_BUCKET_H
#define EVS_RUN_BUCKET_H

#include "evstream/bucket.h"
#include "evstream/plan.h"
#include "evstream/run.h"

bool evs_plan_has_bucket(const struct evs_plan *plan);

/* Opens it for a plan that has one. The park wakes whoever waits in the bucket's calls, and stays the caller's; the instance is closed with (*kind)->close. On failure *instance is NULL. */
EVS_MUST_CHECK evs_status evs_plan_open_bucket(const struct evs_plan *plan, const struct evs_run_options *options,
                                               struct evs_park *park, const struct evs_bucket **kind, void **instance,
                                               struct evs_error *error);

#endif
