/* evstream divide: the stored state of a pipeline into another number of groups, so that more or fewer engines share it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "evstream/groups.h"
#include "evstream/memory.h"
#include "format_json.h"
#include "redis_tools.h"
#include "state_store.h"
#include "store_redis.h"

#define RETRY_US INT64_C(5000000)
#define NATS_URL_DEFAULT "nats://127.0.0.1:4222"
#define BUCKET_DEFAULT "evstream"
#define LEASE_US INT64_C(10000000)
#define CHECKPOINT_US INT64_C(1000000)
#define OUTBOX_BYTES_MAX (UINT64_C(256) << 20)

enum { ARG_GROUPS = 1, ARG_NATS, ARG_NATS_CREDS, ARG_BUCKET, ARG_REDIS, ARG_YES };
static const struct evs_arg options[] = {
    {ARG_GROUPS, "--groups", "N", "into how many groups, 1 to 64 and no more than a source has partitions", NULL},
    {EVS_ARG_PARAM, "--param", "NAME=VALUE", "sets a parameter of the pipeline", NULL},
    {ARG_NATS, "--nats", "URL[,URL]", "NATS servers (EVSTREAM_NATS_URL; " NATS_URL_DEFAULT ")", NULL},
    {ARG_NATS_CREDS, "--nats-creds", "FILE", "credentials file for NATS", NULL},
    {ARG_BUCKET, "--bucket", "NAME",
     "NATS key-value bucket in which engines agree who runs what (EVSTREAM_BUCKET; " BUCKET_DEFAULT ")", NULL},
    {ARG_REDIS, "--redis", "URL", "Redis server (EVSTREAM_REDIS_URL; " EVS_REDIS_URL_DEFAULT ")", NULL},
    {ARG_YES, "--yes", NULL, "does not ask", NULL},
    {0},
};

struct request {
    struct evs_compile_args compile;
    struct evs_state_server server;
    const char *nats_url, *nats_credentials, *bucket;
    int64_t groups;
    bool yes;
    const struct evs_plan *plan;
    struct evs_group_names before;
};

/* --- before anything is touched ---------------------------------------------------------------------------------------------------- */

static evs_status check_plan(const struct request *request, struct evs_error *error)
{
    const struct evs_plan *plan = request->plan;
    if (request->groups <= plan->groups_max) {
        return EVS_OK;
    }
    return evs_fail(error, EVS_E_USAGE, "pipeline %s can have %u group%s at most%s%s.", plan->pipeline,
                    plan->groups_max, plan->groups_max == 1 ? "" : "s", plan->one_group_because != NULL ? ": " : "",
                    plan->one_group_because != NULL ? plan->one_group_because : "");
}

static evs_status note_savepoint(void *argument, const struct evs_redis_savepoint *savepoint, struct evs_error *error)
{
    const struct request *request = argument;
    return evs_fail(error, EVS_E_STATE,
                    "pipeline %s has the savepoint %.*s, which could not be restored into another number of groups. "
                    "Delete it first (evstream savepoint delete %s %.*s), or keep the number.",
                    request->plan->pipeline, (int)savepoint->name.count, savepoint->name.data, request->plan->pipeline,
                    (int)savepoint->name.count, savepoint->name.data);
}

static evs_status check_group(struct request *request, const char *group, struct evs_error *error)
{
    void *store = NULL;
    request->server.group = group;
    evs_status status = evs_state_store_open(&request->server, request->plan->pipeline, "", &store, error);
    if (status == EVS_OK) {
        bool is_first = strcmp(group, request->before.names[0]) == 0;
        status = evs_state_store_must_rest(&request->server, store, request->plan->pipeline, is_first, error);
    }
    if (status == EVS_OK) {
        status = evs_redis_savepoint_list(store, note_savepoint, request, error);
    }
    evs_state_store_close(store);
    return status;
}

static evs_status check(struct request *request, struct evs_error *error)
{
    evs_status status = check_plan(request, error);
    if (status == EVS_OK) {
        status = evs_state_groups(&request->server, request->plan->pipeline, &request->before, error);
    }
    for (uint32_t i = 0; i < request->before.count && status == EVS_OK; i++) {
        status = check_group(request, request->before.names[i], error);
    }
    return status;
}

/* --- afterwards -------------------------------------------------------------------------------------------------------------------- */

/* Taken over once more: nobody works with it, and nobody shall. */
static evs_status remove_log(struct request *request, const char *group, struct evs_error *error)
{
    struct evs_store_terms terms = {0};
    void *store = NULL;
    request->server.group = group;
    evs_status status = evs_state_store_open(&request->server, request->plan->pipeline, "", &store, error);
    if (status == EVS_OK) {
        status = evs_store_redis.acquire(store, &terms, error);
    }
    if (status == EVS_OK) {
        status = evs_redis_tool_delete(store, error);
    }
    evs_state_store_close(store);
    return status;
}

/* Logs of groups that the map does not name: of the division before, or of an attempt that was cut off. */
struct leftovers {
    const char *pipeline;
    const struct evs_group_names *now;
    char names[2 * EVS_GROUPS_MAX][EVS_GROUP_NAME_MAX];
    uint32_t count;
};

static bool is_named(const struct leftovers *all, struct evs_slice group)
{
    bool is_there = evs_slice_equal(group, evs_slice_of(EVS_GROUP_MAP)) || group.count >= EVS_GROUP_NAME_MAX;
    for (uint32_t i = 0; i < all->now->count && !is_there; i++) {
        is_there = evs_slice_equal(group, evs_slice_of(all->now->names[i]));
    }
    for (uint32_t i = 0; i < all->count && !is_there; i++) {
        is_there = evs_slice_equal(group, evs_slice_of(all->names[i]));
    }
    return is_there;
}

static void take_leftover(void *argument, struct evs_slice pipeline, struct evs_slice group)
{
    struct leftovers *all = argument;
    if (evs_slice_equal(pipeline, evs_slice_of(all->pipeline)) && !is_named(all, group) &&
        all->count < EVS_COUNT(all->names)) {
        memcpy(all->names[all->count++], group.data, group.count);
    }
}

static evs_status clean_up(struct request *request, const struct evs_group_names *now, struct evs_error *error)
{
    struct leftovers all = {.pipeline = request->plan->pipeline, .now = now};
    void *store = NULL;
    request->server.group = now->names[0];
    evs_status status = evs_state_store_open(&request->server, request->plan->pipeline, "", &store, error);
    if (status == EVS_OK) {
        status = evs_store_redis.list(store, take_leftover, &all, error);
    }
    evs_state_store_close(store);
    for (uint32_t i = 0; i < all.count && status == EVS_OK; i++) {
        status = remove_log(request, all.names[i], error);
    }
    return status;
}

/* --- the command ------------------------------------------------------------------------------------------------------------------- */

static const char *first_of(const char *option, const char *environment, const char *fallback)
{
    const char *set = option != NULL ? option : getenv(environment);
    return set != NULL && set[0] != '\0' ? set : fallback;
}

static evs_status divide(struct request *request, struct evs_error *error)
{
    const struct evs_run_options how = {
        .os = evs_os_system(),
        .log = request->server.log,
        .worker_count = 1,
        .batch_rows = EVS_BATCH_ROWS,
        .checkpoint_interval_us = CHECKPOINT_US,
        .store = &evs_store_redis,
        .nats_url = first_of(request->nats_url, "EVSTREAM_NATS_URL", NATS_URL_DEFAULT),
        .nats_credentials = request->nats_credentials,
        .redis_url = request->server.url,
        .retry_us = RETRY_US,
        .lease_us = LEASE_US,
        .bucket = first_of(request->bucket, "EVSTREAM_BUCKET", BUCKET_DEFAULT),
        .outbox_bytes_max = OUTBOX_BYTES_MAX,
        .row_format = &evs_format_json,
    };
    struct evs_group_names now;
    evs_status status = evs_divide(request->plan, &how, (uint32_t)request->groups, error);
    bool was_so = status == EVS_E_CANCELLED;
    if (status != EVS_OK && !was_so) {
        return status;
    }
    status = evs_state_groups(&request->server, request->plan->pipeline, &now, error);
    if (status == EVS_OK) {
        status = clean_up(request, &now, error);
    }
    if (status == EVS_OK) {
        printf(was_so ? "pipeline %s has %u group%s already\n" : "pipeline %s is divided into %u group%s\n",
               request->plan->pipeline, now.count, now.count == 1 ? "" : "s");
    }
    return status;
}

static evs_status carry_out(struct request *request, struct evs_error *error)
{
    evs_status status = check(request, error);
    if (status == EVS_OK) {
        status =
            evs_state_ask(request->yes, error, "The state of pipeline %s is divided anew, from %u group%s into %lld.",
                          request->plan->pipeline, request->before.count, request->before.count == 1 ? "" : "s",
                          (long long)request->groups);
    }
    return status == EVS_OK ? divide(request, error) : status;
}

static int answer(struct request *request)
{
    struct evs_error error = {0};
    int exit_code = evs_compile_file(&request->compile, request->compile.files[0], &request->plan);
    if (exit_code != EVS_EXIT_DONE) {
        return exit_code;
    }
    request->server.log = evs_log_new(evs_os_system(), EVS_LOG_WARN, false);
    evs_status status = carry_out(request, &error);
    if (status != EVS_OK) {
        fprintf(stderr, "evstream divide: %s\n", error.text);
    }
    evs_log_free(request->server.log);
    evs_plan_free(request->plan);
    return evs_status_exit_code(status);
}

static const char *take_option(struct request *request, int id, const char *value)
{
    if (id == ARG_GROUPS) {
        bool is_good = evs_parse_int64(evs_slice_of(value), &request->groups) && request->groups >= 1 &&
                       request->groups <= EVS_GROUPS_MAX;
        return is_good ? NULL : "--groups takes a number from 1 to 64.";
    }
    request->yes = request->yes || id == ARG_YES;
    request->server.url = id == ARG_REDIS ? value : request->server.url;
    request->nats_url = id == ARG_NATS ? value : request->nats_url;
    request->nats_credentials = id == ARG_NATS_CREDS ? value : request->nats_credentials;
    request->bucket = id == ARG_BUCKET ? value : request->bucket;
    return NULL;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_divide, argc, argv);
    struct request request = {.server = evs_state_server_default(), .compile = {.is_quiet = true}};
    int exit_code = EVS_EXIT_DONE, id;
    bool go = true;
    while (go && (id = evs_args_next(&args)) != EVS_ARG_END) {
        const char *wrong = NULL;
        if (id == EVS_ARG_HELP || id == EVS_ARG_BAD) {
            exit_code = id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
            go = false;
        } else if (!evs_compile_args_take(&request.compile, id, args.value)) {
            wrong = take_option(&request, id, args.value);
        }
        if (wrong != NULL) {
            exit_code = evs_args_refuse(&args, "%s", wrong);
            go = false;
        }
    }
    if (go && (request.compile.file_count != 1 || request.groups == 0)) {
        exit_code = evs_args_refuse(&args, "name one pipeline file, and into how many groups: --groups N.");
        go = false;
    }
    exit_code = go ? answer(&request) : exit_code;
    evs_compile_args_fini(&request.compile);
    return exit_code;
}

const struct evs_command evs_command_divide = {
    .name = "divide",
    .summary = "divides a pipeline's state into another number of groups",
    .group = EVS_GROUP_RUN,
    .operands = "*.evs",
    .options = options,
    .usage = "evstream divide --groups N [OPTION]… FILE",
    .description =
        "Divides the stored state of a pipeline that no engine runs into N groups, for as many engines as are to "
        "share\n"
        "it; 1 puts it together again. Stop all engines first. What waits for delivery is delivered by the way. The\n"
        "pipeline is the one that has run, unchanged; `set groups`, where the file has it, is changed afterwards, or\n"
        "left out. Nothing is changed until one commit decides: cut off, it is given again. Asks first; without a\n"
        "terminal it wants --yes. Savepoints are of one division, and have to be deleted before.",
    .run = run_command,
};
