/* Private to live/: the pipelines, and one look at all of them. */
#ifndef EVS_LIVE_BOARD_H
#define EVS_LIVE_BOARD_H

#include <pthread.h>

#include "live.h"

enum pipeline_state {
    PIPELINE_STARTING,
    PIPELINE_RESTORING,
    PIPELINE_STANDBY,
    PIPELINE_RUNNING,
    PIPELINE_DRAINING,
    PIPELINE_ENDED,
    PIPELINE_FAILED,
};
#define PIPELINE_STATES 7u
const char *evs_live_state_name(enum pipeline_state state);

struct evs_tap;
struct trigger_tap {
    struct evs_tap *tap;
    uint32_t node, group;
};

struct pipeline {
    const struct evs_plan *plan;
    const char *file;
    struct evs_run *runs[EVS_GROUPS_MAX]; /* one a group; NULL: not running */
    uint32_t group_count;                 /* groups that ever ran */
    struct evs_run_notes notes[EVS_GROUPS_MAX];
    uint64_t starts, fenced;
    bool has_ended, has_failed;
    struct trigger_tap *taps; /* triggers.c */
    uint32_t tap_count, tap_capacity;
    bool has_tapped[EVS_GROUPS_MAX];
};

struct evs_live {
    struct evs_live_options options;
    const struct evs_os *os;
    int64_t started_wall_us;
    pthread_mutex_t lock; /* over the pipelines, and their runs' lives */
    struct pipeline pipelines[EVS_LIVE_PIPELINES_MAX];
    uint32_t pipeline_count;
    uint64_t scrapes; /* of the HTTP thread */
    struct evs_live_server *server;
};

/* One pipeline as it was at one moment. */
struct shot {
    const struct pipeline *pipeline;
    enum pipeline_state state;
    uint32_t held_count; /* groups that run here */
    struct evs_view_notes notes;
    bool is_live; /* the rest is there */
    struct evs_view_run run;
    struct evs_view_node *nodes; /* run.node_count */
    struct evs_view_reason *reasons;
    uint32_t reason_count;
};

struct gallery {
    struct shot *shots;
    uint32_t count;
    int64_t wall_us, monotonic_us;
};

/* The runs that are looked at together: those of groups that run here; one that stands by, if none does. The lock is held. */
uint32_t evs_live_runs(const struct pipeline *pipeline, const struct evs_run *runs[EVS_GROUPS_MAX]);
/* The lock must be held from evs_live_look until the gallery is dropped. */
void evs_live_look(struct evs_live *live, struct gallery *gallery);
void evs_live_drop(struct gallery *gallery);

/* How one of its groups fares here. `run` takes what is seen of its run, and is not touched when there is none. The lock is held. */
enum pipeline_state evs_live_group_state(const struct pipeline *pipeline, uint32_t group, int64_t monotonic_us,
                                         struct evs_view_run *run);
/* How a pipeline fares. Takes the lock itself. */
enum pipeline_state evs_live_state_of(struct evs_live *live, uint32_t number);

/* The number of the pipeline of this name; of the only one there is when `name` is NULL. False: `error` takes the sentence that says which there are. */
bool evs_live_find_pipeline(const struct evs_live *live, const char *name, uint32_t *number, struct evs_buffer *error);

/* scrape.c, api.c: they take the lock themselves */
bool evs_live_is_trigger_sink(const struct evs_plan *plan, uint32_t node); /* not of dead letters or late rows */
const char *evs_live_kind(const struct evs_plan_node *node);               /* "source", "filter", "aggregate", … */
void evs_live_put_metrics(struct evs_live *live, const char *accept, struct evs_buffer *out, const char **content_type);
void evs_live_put_pipelines(struct evs_live *live, struct evs_buffer *out);
/* True when every pipeline is restored and runs; `out` says which are not. */
bool evs_live_put_ready(struct evs_live *live, struct evs_buffer *out);

/* server.c */
evs_status evs_live_server_start(struct evs_live *live, const char *address, struct evs_live_server **server,
                                 struct evs_error *error);
const char *evs_live_server_address(const struct evs_live_server *server);
void evs_live_server_stop(struct evs_live_server *server);

#endif
