/* Running pipelines, each in its groups, until all have ended: what `evstream run` does behind its arguments. */
#ifndef EVS_RUN_PIPELINES_H
#define EVS_RUN_PIPELINES_H

#include "evstream/groups.h"
#include "live.h"

#define EVS_PIPELINES_MAX 64

/* One pipeline file under way. */
struct evs_pipeline {
    const char *file;
    const struct evs_plan *plan;
    struct evs_run_options options;
    struct evs_groups *groups; /* NULL: not open yet */
    struct slot *slots;        /* one a group */
    uint32_t slot_count;
    uint32_t number;
    bool standby, log_json;
    bool has_failed;       /* one of its groups has: the others are stopped */
    struct evs_live *live; /* shared by all */
    uint32_t live_number;
};

/* First of all: a signal while pipelines compile and open is a drain, too. */
void evs_pipelines_catch_signals(void);
/* Starts all, stands by, begins again where a group is to; the exit code is that of the first failure. Numbers are places in the array. */
int evs_pipelines_run(struct evs_pipeline *pipelines, uint32_t count, bool quiet);

#endif
