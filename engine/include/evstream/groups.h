/* The groups of one pipeline, and which of them this process runs (docs/internals/groups.md).
 *
 *                    ┌─ group 1-0: a run of its own: log, lease, commits ── held here
 *   struct evs_groups┼─ group 1-1                                        ── held by another engine, this one stands by
 *                    └─ group 1-2                                        ── held here, given back when an engine comes that has less
 *
 * A pipeline that was never divided has one group, and then this is nothing but that run's options. Else all engines that were started with the pipeline
 * keep a roll in the bucket of its leases: who is there, and how many groups each holds. An engine takes no more than its share (all groups by all engines,
 * rounded up), and gives back what is above it, or what another engine lacks. The roll decides about fairness alone: two engines never run one group, for that
 * is what its lease is for.
 *
 * One thread (the owner) calls these functions; the gate in the options is called by threads of the runs. */
#ifndef EVS_GROUPS_H
#define EVS_GROUPS_H

#include "evstream/run.h"

#define EVS_GROUP_NAME_MAX 40u
#define EVS_GROUP_MAP "map" /* no group: the log that says how a pipeline is divided (engine/run/division.h) */

/* The names of a pipeline's groups, for tools: of what the newest commit of its map says; without a map there is one, "0". */
struct evs_group_names {
    char names[EVS_GROUPS_MAX][EVS_GROUP_NAME_MAX];
    uint32_t count;
    bool is_divided;
};
EVS_MUST_CHECK evs_status evs_groups_named(const struct evs_store_terms *map, struct evs_group_names *names,
                                           struct evs_error *error);

struct evs_groups;

/* Divides the stored state of a pipeline that no engine runs into another number of groups, at least 1 and at most plan->groups_max; the plan is the one that
 * the state is of. EVS_E_CANCELLED: it has so many already. EVS_E_STATE: it cannot be, and why; nothing was changed then. The old groups' logs are left,
 * for the caller to remove. The options are those of a run of one worker. */
EVS_MUST_CHECK evs_status evs_divide(const struct evs_plan *plan, const struct evs_run_options *options,
                                     uint32_t group_count, struct evs_error *error);

/* Reads how the pipeline is divided, and divides one that begins: into as many groups as the plan asks for. EVS_E_STATE: the stored state is divided otherwise, or
 * the plan does not fit. Plan and options outlive the groups. */
EVS_MUST_CHECK evs_status evs_groups_open(const struct evs_plan *plan, const struct evs_run_options *options,
                                          struct evs_groups **groups, struct evs_error *error);
/* All runs have ended and are freed: tells the other engines that this one is gone. NULL is allowed. */
void evs_groups_close(struct evs_groups *groups);

uint32_t evs_groups_count(const struct evs_groups *groups);
/* "1-0"; NULL: the pipeline was never divided. */
const char *evs_groups_name(const struct evs_groups *groups, uint32_t index);
/* For evs_run_start of a group. */
const struct evs_run_options *evs_groups_options(const struct evs_groups *groups, uint32_t index);

/* Another engine shall have it: stop the run, and start it again, to stand by. */
bool evs_groups_gives_back(const struct evs_groups *groups, uint32_t index);
/* The run of a group is over. is_done: for good, its input is complete. From then on this engine is a guest: it looks at each of the other groups once, when nobody
 * runs it, and others share them as if it were not there. */
void evs_groups_ended(struct evs_groups *groups, uint32_t index, bool is_done);
/* No more groups are taken: this engine is about to end. Async-signal-safe. */
void evs_groups_leave(struct evs_groups *groups);

#endif
