/* evstream state: which pipelines have state in Redis, and where each stands. Only looks: an engine that works is not disturbed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "evstream/memory.h"
#include "evstream/os.h"
#include "evstream/state.h"
#include "store_redis.h"

#define REDIS_URL_DEFAULT "redis://127.0.0.1:6379"
#define RETRY_US INT64_C(1000000)

enum { ARG_REDIS = 1 };
static const struct evs_arg options[] = {
    {ARG_REDIS, "--redis", "URL", "Redis server (EVSTREAM_REDIS_URL; " REDIS_URL_DEFAULT ")", NULL},
    {0},
};

struct request {
    const char *what, *pipeline, *url;
    struct evs_log *log;
};

static evs_status open_store(const struct request *request, const char *pipeline, void **store, struct evs_error *error)
{
    struct evs_store_open open = {.os = evs_os_system(),
                                  .log = request->log,
                                  .url = request->url,
                                  .pipeline = pipeline,
                                  .group = "0",
                                  .retry_us = RETRY_US};
    return evs_store_redis.open(&open, store, error);
}

static int print(struct evs_buffer *text)
{
    bool is_out = fwrite(text->data, 1, text->count, stdout) == text->count && fflush(stdout) == 0;
    return is_out ? EVS_EXIT_DONE : evs_status_exit_code(EVS_E_IO);
}

/* --- ls ------------------------------------------------------------------------------------------------------------------ */

struct names {
    char **names;
    uint32_t count, capacity;
};

static void take_name(void *argument, struct evs_slice pipeline, struct evs_slice group)
{
    struct names *all = argument;
    (void)group;
    EVS_GROW(all->names, all->count, all->capacity);
    all->names[all->count++] = evs_strndup(pipeline.data, pipeline.count);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_names(struct names *all, struct evs_buffer *text)
{
    if (all->count > 0) {
        qsort(all->names, all->count, sizeof *all->names, by_name);
    }
    for (uint32_t i = 0; i < all->count; i++) {
        if (i == 0 || strcmp(all->names[i], all->names[i - 1]) != 0) {
            evs_buffer_printf(text, "%s\n", all->names[i]);
        }
    }
}

static evs_status list(const struct request *request, struct evs_buffer *text, struct evs_error *error)
{
    struct names all = {0};
    void *store = NULL;
    evs_status status = open_store(request, "", &store, error);
    if (status == EVS_OK) {
        status = evs_store_redis.list(store, take_name, &all, error);
        evs_store_redis.close(store);
    }
    put_names(&all, text);
    for (uint32_t i = 0; i < all.count; i++) {
        evs_free(all.names[i]);
    }
    evs_free(all.names);
    return status;
}

/* --- show ---------------------------------------------------------------------------------------------------------------- */

static evs_status describe(const struct request *request, void *store, struct evs_buffer *text, struct evs_error *error)
{
    struct evs_store_terms terms = {0};
    evs_status status = evs_store_redis.peek(store, &terms, error);
    if (status != EVS_OK) {
        return status;
    }
    if (!terms.has_commit) {
        return evs_fail(error, EVS_E_STATE,
                        "Redis at %s has no state of a pipeline `%s`; `evstream state ls` lists those it has.",
                        request->url, request->pipeline);
    }
    evs_buffer_printf(text, "pipeline    %s\n", request->pipeline);
    return evs_state_describe(terms.record, text, error);
}

static evs_status show(const struct request *request, struct evs_buffer *text, struct evs_error *error)
{
    void *store = NULL;
    evs_status status = open_store(request, request->pipeline, &store, error);
    if (status == EVS_OK) {
        status = describe(request, store, text, error);
        evs_store_redis.close(store);
    }
    return status;
}

/* --- the command --------------------------------------------------------------------------------------------------------- */

static int answer(struct request *request)
{
    struct evs_error error = {0};
    struct evs_buffer text = {0};
    request->log = evs_log_new(evs_os_system(), EVS_LOG_WARN, false);
    evs_status status = request->pipeline == NULL ? list(request, &text, &error) : show(request, &text, &error);
    int exit_code = status == EVS_OK ? print(&text) : evs_status_exit_code(status);
    if (status != EVS_OK) {
        fprintf(stderr, "evstream state: %s\n", error.text);
    }
    evs_log_free(request->log);
    evs_buffer_fini(&text);
    return exit_code;
}

static bool is_whole(const struct request *request)
{
    bool lists = request->what != NULL && strcmp(request->what, "ls") == 0 && request->pipeline == NULL;
    return lists || (request->what != NULL && strcmp(request->what, "show") == 0 && request->pipeline != NULL);
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_state, argc, argv);
    const char *from_environment = getenv("EVSTREAM_REDIS_URL");
    struct request request = {.url = from_environment != NULL ? from_environment : REDIS_URL_DEFAULT};
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == ARG_REDIS) {
            request.url = args.value;
        } else if (id == EVS_ARG_OPERAND && request.what == NULL) {
            request.what = args.value;
        } else if (id == EVS_ARG_OPERAND && request.pipeline == NULL) {
            request.pipeline = args.value;
        } else {
            return id == EVS_ARG_HELP      ? EVS_EXIT_DONE
                   : id == EVS_ARG_OPERAND ? evs_args_refuse(&args, "`%s` is one word too many.", args.value)
                                           : EVS_EXIT_USAGE;
        }
    }
    return is_whole(&request) ? answer(&request) : evs_args_refuse(&args, "write `state ls` or `state show PIPELINE`.");
}

const struct evs_command evs_command_state = {
    .name = "state",
    .summary = "lists the pipelines that have state in Redis, shows where one stands",
    .group = EVS_GROUP_RUN,
    .operands = "",
    .words = "ls|show",
    .options = options,
    .usage = "evstream state ls | evstream state show PIPELINE",
    .description = "ls: the names of the pipelines that have state.\n"
                   "show: what the last commit of one says: counts, where each source stands, operators with state, "
                   "sinks. Only\n"
                   "looks: an engine that works is not disturbed.",
    .run = run_command,
};
