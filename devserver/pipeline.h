/* A pipeline under dev: a file, and the process that runs it.
 *
 *   saved ──► compiled ──► wrong: said; what ran runs on
 *                 └──────► good:  the process drains and writes its checkpoint; the new one goes on from there
 *
 * State that a new version cannot take over would stop a developer at every second save: here, and only here, it is dropped
 * without a question (--allow-drop). */
#ifndef EVS_DEV_PIPELINE_H
#define EVS_DEV_PIPELINE_H

#include "child.h"
#include "dev.h"

/* What all pipelines of one dev share. */
struct evs_dev_runner {
    const struct evs_dev_options *options;
    struct event_base *loop;
    const char *const *run_arguments; /* before those of the options */
    uint32_t run_argument_count;
    char nats_url[64], redis_url[64];
    uint16_t redis_port;
    char token[257]; /* that pages ask for; EVSTREAM_TOKEN of the children */
};

struct evs_dev_pipeline {
    char *path;
    char label[64];              /* the file's stem: before its lines */
    char name[EVS_DEV_NAME_MAX]; /* of the version that runs, or ran last; "" before the first */
    struct evs_dev_child child;
    uint16_t page_port; /* of its live page: the same for all versions */
    bool is_stopping;   /* asked to end */
    bool is_next_good;  /* a version waits for the end of the one that runs */
    char next_name[EVS_DEV_NAME_MAX];
};

/* Its page listens at `page_port` when that is free, else at another one. */
struct evs_dev_pipeline *evs_dev_pipeline_new(const char *path, uint16_t page_port);
/* The address of its page, with the token: http://127.0.0.1:8088/#token=… */
#define EVS_DEV_PAGE_BYTES 320
void evs_dev_pipeline_page(const struct evs_dev_pipeline *pipeline, const struct evs_dev_runner *runner,
                           char url[EVS_DEV_PAGE_BYTES]);
void evs_dev_pipeline_free(struct evs_dev_pipeline *pipeline);

/* The file was saved, or is seen for the first time. `others` must not have its name, which owns the state. */
void evs_dev_pipeline_saved(struct evs_dev_pipeline *pipeline, const struct evs_dev_runner *runner,
                            struct evs_dev_pipeline *const *others, uint32_t other_count);
/* Looks whether the process has ended, and starts the next version. */
void evs_dev_pipeline_look(struct evs_dev_pipeline *pipeline, const struct evs_dev_runner *runner);
/* Asks it to drain; nothing follows. */
void evs_dev_pipeline_stop(struct evs_dev_pipeline *pipeline);

#endif
