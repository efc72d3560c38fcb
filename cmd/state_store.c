#include "state_store.h"

#include <stdlib.h>

#include "store_redis.h"

#define RETRY_US INT64_C(1000000)

struct evs_state_server evs_state_server_default(void)
{
    const char *from_environment = getenv("EVSTREAM_REDIS_URL");
    bool is_set = from_environment != NULL && from_environment[0] != '\0';
    return (struct evs_state_server){.url = is_set ? from_environment : EVS_REDIS_URL_DEFAULT};
}

evs_status evs_state_store_open(const struct evs_state_server *server, const char *pipeline, const char *suffix,
                                void **store, struct evs_error *error)
{
    struct evs_store_open open = {.os = evs_os_system(),
                                  .log = server->log,
                                  .url = server->url,
                                  .pipeline = pipeline,
                                  .group = "0",
                                  .suffix = suffix,
                                  .retry_us = RETRY_US};
    return evs_store_redis.open(&open, store, error);
}

evs_status evs_state_store_peek(const struct evs_state_server *server, const char *pipeline, void **store,
                                struct evs_store_terms *terms, struct evs_error *error)
{
    evs_status status = evs_state_store_open(server, pipeline, NULL, store, error);
    return status == EVS_OK ? evs_store_redis.peek(*store, terms, error) : status;
}

void evs_state_store_close(void *store)
{
    if (store != NULL) {
        evs_store_redis.close(store);
    }
}
