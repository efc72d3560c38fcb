/* What the commands that look into stored state share: which server, and opening a pipeline's store there. */
#ifndef EVS_STATE_STORE_H
#define EVS_STATE_STORE_H

#include "evstream/groups.h"

#define EVS_REDIS_URL_DEFAULT "redis://127.0.0.1:6379"

struct evs_state_server {
    const char *url;
    const char *group; /* of the pipelines that are opened; NULL: the only one of one that was never divided */
    struct evs_log *log;
};
/* The environment's address, or the default one; the log is for the command to make. */
struct evs_state_server evs_state_server_default(void);

/* Which groups the pipeline is divided into. */
EVS_MUST_CHECK evs_status evs_state_groups(const struct evs_state_server *server, const char *pipeline,
                                           struct evs_group_names *groups, struct evs_error *error);
/* Opens the store of a pipeline's group, or with a suffix a copy of its streams. */
EVS_MUST_CHECK evs_status evs_state_store_open(const struct evs_state_server *server, const char *pipeline,
                                               const char *suffix, void **store, struct evs_error *error);
/* Opens it and looks at the last commit. */
EVS_MUST_CHECK evs_status evs_state_store_peek(const struct evs_state_server *server, const char *pipeline,
                                               void **store, struct evs_store_terms *terms, struct evs_error *error);
void evs_state_store_close(void *store); /* NULL is allowed */
/* EVS_E_STATE while an engine works with the group: it is connected, or writes within some seconds, for which only `patiently` waits. */
EVS_MUST_CHECK evs_status evs_state_store_must_rest(const struct evs_state_server *server, void *store,
                                                    const char *pipeline, bool patiently, struct evs_error *error);
/* What is about to be done is told on the terminal, and done only after a yes. Without a terminal it is EVS_E_USAGE, unless `yes`; EVS_E_CANCELLED: no. */
EVS_MUST_CHECK evs_status evs_state_ask(bool yes, struct evs_error *error, const char *format, ...) EVS_PRINTF(3, 4);

#endif
