/* `evstream dev`: everything on one machine, in one terminal.
 *
 *   nats-server ─┐
 *   redis-server ┴─► collector ─► a pipeline a file ─► triggers ─► terminal, shop page
 *                                       ▲
 *                                       └── a saved file is compiled; only what compiles takes the place of what runs
 *
 * One thread and one libevent loop start and watch the others, which are processes: servers from the system's packages, the
 * collector and the pipelines from this very program. They have sessions of their own, so that Ctrl-C reaches this process
 * alone, which ends them in the order of the data: pipelines drain, the collector drains, then the servers. They die with
 * this process, however it ends (PR_SET_PDEATHSIG).
 *
 * What a pipeline is, only the caller knows: it compiles (`check`), and this folder knows no language and no state. */
#ifndef EVS_DEV_H
#define EVS_DEV_H

#include "evstream/memory.h"
#include "evstream/os.h"
#include "evstream/text.h"

#define EVS_DEV_NAME_MAX 128

struct evs_dev_options {
    const char *program;              /* path of evstream itself */
    const char *const *paths;         /* files and folders of pipelines */
    uint32_t path_count;              /* 0: the example, with a short wait */
    const char *const *run_arguments; /* options of `evstream run`, for every pipeline */
    uint32_t run_argument_count;
    const char *const *subjects; /* shown as they come; none: triggers.> and dead.> */
    uint32_t subject_count;
    const char *data_folder;                      /* kept; NULL: a temporary one, removed at the end */
    const char *shop_folder;                      /* the page's files */
    const char *example;                          /* the pipeline that is copied when there is none */
    const char *shop_address, *collector_address; /* "127.0.0.1:8000"; NULL: that, or a free port when it is taken */
    bool verbose;                                 /* lines of the servers, too */
    const struct evs_os *os;

    /* Compiles a file, prints what is wrong with it, and gives the pipeline's name. False: it must not be run. */
    bool (*check)(void *context, const char *file, char name[EVS_DEV_NAME_MAX]);
    void *context;
};

/* Runs until SIGINT or SIGTERM, or until a server has ended by itself. Blocks.
 * EVS_E_UNREACHABLE: a server does not start or has ended; EVS_E_USAGE: an address or a folder. */
EVS_MUST_CHECK evs_status evs_dev_run(const struct evs_dev_options *options, struct evs_error *error);

#endif
