/* What the commands that look into stored state share: which server, and opening a pipeline's store there. */
#ifndef EVS_STATE_STORE_H
#define EVS_STATE_STORE_H

#include "evstream/store.h"

#define EVS_REDIS_URL_DEFAULT "redis://127.0.0.1:6379"

struct evs_state_server {
    const char *url;
    struct evs_log *log;
};
/* The environment's address, or the default one; the log is for the command to make. */
struct evs_state_server evs_state_server_default(void);

/* Opens the store of a pipeline's group "0". A key suffix names a copy of its streams; NULL: the streams of the engine. */
EVS_MUST_CHECK evs_status evs_state_store_open(const struct evs_state_server *server, const char *pipeline,
                                               const char *suffix, void **store, struct evs_error *error);
/* Opens it and looks at the last commit. */
EVS_MUST_CHECK evs_status evs_state_store_peek(const struct evs_state_server *server, const char *pipeline,
                                               void **store, struct evs_store_terms *terms, struct evs_error *error);
void evs_state_store_close(void *store); /* NULL is allowed */

#endif
