#include "state_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "redis_tools.h"
#include "store_redis.h"

#define RETRY_US INT64_C(1000000)
#define WATCH_US INT64_C(3000000) /* longer than the usual time between two checkpoints */

struct evs_state_server evs_state_server_default(void)
{
    const char *from_environment = getenv("EVSTREAM_REDIS_URL");
    bool is_set = from_environment != NULL && from_environment[0] != '\0';
    return (struct evs_state_server){.url = is_set ? from_environment : EVS_REDIS_URL_DEFAULT};
}

static const char *group_of(const struct evs_state_server *server)
{
    return server->group != NULL ? server->group : "0";
}

evs_status evs_state_groups(const struct evs_state_server *server, const char *pipeline, struct evs_group_names *groups,
                            struct evs_error *error)
{
    struct evs_state_server map = *server;
    struct evs_store_terms terms = {0};
    void *store = NULL;
    map.group = EVS_GROUP_MAP;
    evs_status status = evs_state_store_peek(&map, pipeline, &store, &terms, error);
    if (status == EVS_OK) {
        status = evs_groups_named(&terms, groups, error);
    }
    evs_state_store_close(store);
    return status;
}

evs_status evs_state_store_open(const struct evs_state_server *server, const char *pipeline, const char *suffix,
                                void **store, struct evs_error *error)
{
    struct evs_store_open open = {.os = evs_os_system(),
                                  .log = server->log,
                                  .url = server->url,
                                  .pipeline = pipeline,
                                  .group = group_of(server),
                                  .suffix = suffix,
                                  .retry_us = RETRY_US};
    return evs_store_redis.open(&open, store, error);
}

evs_status evs_state_store_peek(const struct evs_state_server *server, const char *pipeline, void **store,
                                struct evs_store_terms *terms, struct evs_error *error)
{
    evs_status status = evs_state_store_open(server, pipeline, "", store, error);
    return status == EVS_OK ? evs_store_redis.peek(*store, terms, error) : status;
}

void evs_state_store_close(void *store)
{
    if (store != NULL) {
        evs_store_redis.close(store);
    }
}

evs_status evs_state_store_must_rest(const struct evs_state_server *server, void *store, const char *pipeline,
                                     bool patiently, struct evs_error *error)
{
    bool active = false;
    evs_status status =
        evs_redis_tool_watch(store, pipeline, group_of(server), patiently ? WATCH_US : 0, &active, error);
    if (status == EVS_OK && active) {
        return evs_fail(error, EVS_E_STATE,
                        "an engine works with the state of pipeline %s, or stands by to do so; stop it first.",
                        pipeline);
    }
    return status;
}

evs_status evs_state_ask(bool yes, struct evs_error *error, const char *format, ...)
{
    char answer[16] = "";
    if (yes) {
        return EVS_OK;
    }
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!isatty(STDIN_FILENO)) {
        return evs_fail(error, EVS_E_USAGE, "%s There is no terminal to ask for a yes: say --yes to do it.", text);
    }
    fprintf(stderr, "%s Go on? [y/N] ", text);
    bool is_yes = fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
    return is_yes ? EVS_OK : evs_fail(error, EVS_E_CANCELLED, "nothing was done.");
}
