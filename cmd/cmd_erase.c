/* evstream erase: one person out of the state of pipelines. It puts the request into the log that they read (engine/run/erase.h), waits until each has carried it
 * out, and then looks into what is stored, byte by byte, for what is left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "evstream/memory.h"
#include "evstream/option.h"
#include "evstream/plan.h"
#include "evstream/state.h"
#include "nats_erase.h"
#include "redis_tools.h"
#include "state_store.h"
#include "store_redis.h"

#define NATS_URL_DEFAULT "nats://127.0.0.1:4222"
#define WAIT_US (INT64_C(60) * 1000 * 1000)
#define LOOK_US INT64_C(50000)

enum { ARG_KEY = 1, ARG_COLUMN, ARG_WAIT, ARG_NATS, ARG_NATS_CREDS, ARG_REDIS };
static const struct evs_arg options[] = {
    {ARG_KEY, "--key", "VALUE", "the person: whatever is filed under a key with this text is erased", NULL},
    {ARG_COLUMN, "--column", "NAME", "only keys of this column, where other columns may have the same value", NULL},
    {ARG_WAIT, "--wait", "DURATION", "how long to wait for the pipelines to carry it out (60s)", NULL},
    {EVS_ARG_PARAM, "--param", "NAME=VALUE", "sets a parameter of the pipelines", NULL},
    {ARG_NATS, "--nats", "URL[,URL]", "NATS servers (EVSTREAM_NATS_URL; " NATS_URL_DEFAULT ")", NULL},
    {ARG_NATS_CREDS, "--nats-creds", "FILE", "credentials file for NATS", NULL},
    {ARG_REDIS, "--redis", "URL", "Redis server (EVSTREAM_REDIS_URL; " EVS_REDIS_URL_DEFAULT ")", NULL},
    {0},
};

/* A log that gets a request; pipelines that read the same one share it. */
struct asked {
    char *stream, *subject;
    uint64_t id, sequence;
};

struct target {
    const struct evs_plan *plan;
    const char *file;
    struct evs_group_names groups;
    uint32_t asked[EVS_GROUPS_MAX]; /* of each group: where in the log */
};

struct request {
    struct evs_compile_args compile;
    const char *value, *column, *nats_url, *nats_credentials;
    int64_t wait_us;
    struct evs_state_server server;
    struct asked *asked;
    uint32_t asked_count, asked_capacity;
    struct target *targets;
    uint32_t target_count, target_capacity;
    bool is_left; /* something is left somewhere */
};

/* --- asking ---------------------------------------------------------------------------------------------------------------------- */

static const struct evs_plan_node *durable_source(const struct evs_plan *plan)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].kind == EVS_NODE_SOURCE && plan->nodes[i].source->connector->durable) {
            return &plan->nodes[i];
        }
    }
    return NULL;
}

static const char *nats_url(const struct request *request)
{
    const char *set = request->nats_url != NULL ? request->nats_url : getenv("EVSTREAM_NATS_URL");
    return set != NULL && set[0] != '\0' ? set : NATS_URL_DEFAULT;
}

static evs_status ask_log(struct request *request, const void *config, uint32_t partition, const char *subject,
                          struct evs_error *error)
{
    const struct evs_os *os = evs_os_system();
    const char *stream = evs_nats_erase_stream(config);
    struct asked asked = {.id = os->random.next(os->random.self) | 1};
    const struct evs_nats_erasure erasure = {.os = os,
                                             .log = request->server.log,
                                             .source_config = config,
                                             .urls = nats_url(request),
                                             .credentials = request->nats_credentials,
                                             .value = request->value,
                                             .column = request->column,
                                             .id = asked.id,
                                             .partition = partition};
    evs_status status = evs_nats_erase_ask(&erasure, &asked.sequence, error);
    if (status == EVS_OK) {
        asked.stream = evs_strndup(stream, strlen(stream));
        asked.subject = evs_strndup(subject, strlen(subject));
        EVS_GROW(request->asked, request->asked_count, request->asked_capacity);
        request->asked[request->asked_count++] = asked;
        printf("asked in stream %s, message %llu\n", stream, (unsigned long long)asked.sequence);
    }
    return status;
}

/* Where a group meets the request: partition g is group g's (engine/run/runtime.h). */
static evs_status ask_group(struct request *request, struct target *target, const void *config, uint32_t group,
                            struct evs_error *error)
{
    char subject[320] = "";
    (void)!evs_nats_erase_subject(config, group, subject, sizeof subject); /* told by the asking */
    for (uint32_t i = 0; i < request->asked_count; i++) {
        if (strcmp(request->asked[i].stream, evs_nats_erase_stream(config)) == 0 &&
            strcmp(request->asked[i].subject, subject) == 0) {
            target->asked[group] = i;
            return EVS_OK;
        }
    }
    target->asked[group] = request->asked_count;
    return ask_log(request, config, group, subject, error);
}

static evs_status ask_for(struct request *request, struct target *target, struct evs_error *error)
{
    const struct evs_plan_node *source = durable_source(target->plan);
    if (source == NULL) {
        return evs_fail(error, EVS_E_USAGE,
                        "%s reads no log: its state is gone when it ends, and there is nothing to erase.",
                        target->file);
    }
    evs_status status = evs_state_groups(&request->server, target->plan->pipeline, &target->groups, error);
    for (uint32_t i = 0; i < target->groups.count && status == EVS_OK; i++) {
        status = ask_group(request, target, source->source->config, i, error);
    }
    return status;
}

/* --- waiting ----------------------------------------------------------------------------------------------------------------------- */

/* *done: 0 not yet, 1 it is, -1 there is no state. */
static evs_status look(void *store, uint64_t id, int *done, uint64_t *records, struct evs_error *error)
{
    struct evs_store_terms terms = {0};
    evs_status status = evs_store_redis.peek(store, &terms, error);
    if (status == EVS_OK) {
        *done = !terms.has_commit ? -1 : evs_state_erased(terms.record, id, records);
    }
    return status;
}

static evs_status wait_for(const struct request *request, const struct target *target, uint32_t group, void *store,
                           int *done, struct evs_error *error)
{
    const struct evs_os *os = evs_os_system();
    int64_t end_us = evs_monotonic_us(os) + request->wait_us;
    uint64_t id = request->asked[target->asked[group]].id, records = 0;
    evs_status status = look(store, id, done, &records, error);
    while (status == EVS_OK && *done == 0 && evs_monotonic_us(os) < end_us) {
        os->clock.sleep_us(os->clock.self, LOOK_US);
        status = look(store, id, done, &records, error);
    }
    const char *name = target->plan->pipeline;
    if (status == EVS_OK && *done == 0) {
        return evs_fail(
            error, EVS_E_UNREACHABLE,
            "pipeline %s has not come to the request yet: it is stopped, or behind. It erases when it comes "
            "there; then ask again, to see what is left",
            name);
    }
    if (status == EVS_OK) {
        printf(*done < 0 ? "pipeline %s has no state\n" : "pipeline %s: erased %llu records of its state\n", name,
               (unsigned long long)records);
    }
    return status;
}

/* --- what is left --------------------------------------------------------------------------------------------------------------------- */

static evs_status begin_trace(void *argument, const struct evs_store_terms *terms, struct evs_error *error)
{
    return evs_state_trace_begin(argument, terms->record, error);
}

static evs_status trace_block(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                              struct evs_error *error)
{
    return evs_state_trace_block(argument, kind == EVS_BLOCK_OUTBOX, checkpoint, block, error);
}

static evs_status trace(struct request *request, void *store, const char *what, struct evs_error *error)
{
    struct evs_state_trace found = {.text = evs_slice_of(request->value)};
    const struct evs_redis_reading reading = {begin_trace, trace_block, &found};
    evs_status status = evs_redis_tool_read(store, &reading, error);
    for (uint32_t i = 0; status == EVS_OK && i < found.count; i++) {
        printf("  left in %s: %llu records of %s hold this text (or a longer one with it inside)\n", what,
               (unsigned long long)found.places[i].records, found.places[i].name);
        request->is_left = true;
    }
    evs_state_trace_fini(&found);
    return status;
}

struct savepoints {
    struct request *request;
    const char *pipeline;
};

static evs_status trace_savepoint(void *argument, const struct evs_redis_savepoint *savepoint, struct evs_error *error)
{
    const struct savepoints *all = argument;
    struct evs_buffer suffix = {0}, what = {0};
    void *store = NULL;
    evs_buffer_printf(&suffix, ":sp:%.*s", (int)savepoint->name.count, savepoint->name.data);
    evs_buffer_put(&suffix, "", 1);
    evs_buffer_printf(&what, "savepoint %.*s", (int)savepoint->name.count, savepoint->name.data);
    evs_buffer_put(&what, "", 1);
    evs_status status = evs_state_store_open(&all->request->server, all->pipeline, suffix.data, &store, error);
    if (status == EVS_OK) {
        status = trace(all->request, store, what.data, error);
    }
    evs_state_store_close(store);
    evs_buffer_fini(&suffix);
    evs_buffer_fini(&what);
    return status;
}

/* What a trimmed log still has in its nodes is removed at once, not some commits later. */
static evs_status finish_group(struct request *request, const struct target *target, uint32_t group,
                               struct evs_error *error)
{
    void *store = NULL;
    int done = 0;
    struct savepoints savepoints = {request, target->plan->pipeline};
    request->server.group = target->groups.names[group];
    evs_status status = evs_state_store_open(&request->server, target->plan->pipeline, "", &store, error);
    if (status == EVS_OK) {
        status = wait_for(request, target, group, store, &done, error);
    }
    if (status == EVS_OK && done > 0) {
        status = evs_redis_tool_trim(store, error);
    }
    if (status == EVS_OK && done > 0) {
        status = trace(request, store, "the state", error);
    }
    if (status == EVS_OK) {
        status = evs_redis_savepoint_list(store, trace_savepoint, &savepoints, error);
    }
    evs_state_store_close(store);
    return status;
}

static evs_status finish(struct request *request, const struct target *target, struct evs_error *error)
{
    evs_status status = EVS_OK;
    for (uint32_t i = 0; i < target->groups.count && status == EVS_OK; i++) {
        status = finish_group(request, target, i, error);
    }
    return status;
}

/* --- the command ------------------------------------------------------------------------------------------------------------------------ */

static int compile_all(struct request *request)
{
    request->compile.is_quiet = true;
    for (uint32_t i = 0; i < request->compile.file_count; i++) {
        struct target target = {.file = request->compile.files[i]};
        int exit_code = evs_compile_file(&request->compile, target.file, &target.plan);
        if (exit_code != EVS_EXIT_DONE) {
            return exit_code;
        }
        EVS_GROW(request->targets, request->target_count, request->target_capacity);
        request->targets[request->target_count++] = target;
    }
    return EVS_EXIT_DONE;
}

static evs_status carry_out(struct request *request, struct evs_error *error)
{
    evs_status status = EVS_OK;
    for (uint32_t i = 0; i < request->target_count && status == EVS_OK; i++) {
        status = ask_for(request, &request->targets[i], error);
    }
    fflush(stdout);
    for (uint32_t i = 0; i < request->target_count && status == EVS_OK; i++) {
        status = finish(request, &request->targets[i], error);
    }
    for (uint32_t i = 0; i < request->asked_count && status == EVS_OK; i++) {
        printf("the events themselves stay in stream %s until its limits remove them, and this request with them\n",
               request->asked[i].stream);
    }
    return status;
}

static int answer(struct request *request)
{
    struct evs_error error = {0};
    int exit_code = compile_all(request);
    if (exit_code != EVS_EXIT_DONE) {
        return exit_code;
    }
    request->server.log = evs_log_new(evs_os_system(), EVS_LOG_WARN, false);
    evs_status status = carry_out(request, &error);
    if (status != EVS_OK) {
        fprintf(stderr, "evstream erase: %s\n", error.text);
    }
    evs_log_free(request->server.log);
    return status != EVS_OK   ? evs_status_exit_code(status)
           : request->is_left ? evs_status_exit_code(EVS_E_STATE)
                              : EVS_EXIT_DONE;
}

static void request_free(struct request *request)
{
    for (uint32_t i = 0; i < request->target_count; i++) {
        evs_plan_free(request->targets[i].plan);
    }
    for (uint32_t i = 0; i < request->asked_count; i++) {
        evs_free(request->asked[i].stream);
        evs_free(request->asked[i].subject);
    }
    evs_free(request->targets);
    evs_free(request->asked);
    evs_compile_args_fini(&request->compile);
}

static bool take_option(struct request *request, int id, const char *value)
{
    switch (id) {
    case ARG_KEY:
        request->value = value;
        return true;
    case ARG_COLUMN:
        request->column = value;
        return true;
    case ARG_WAIT:
        return evs_parse_duration(evs_slice_of(value), &request->wait_us) && request->wait_us > 0;
    case ARG_NATS:
        request->nats_url = value;
        return true;
    case ARG_NATS_CREDS:
        request->nats_credentials = value;
        return true;
    default:
        request->server.url = value;
        return true;
    }
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_erase, argc, argv);
    struct request request = {.wait_us = WAIT_US, .server = evs_state_server_default()};
    int exit_code = EVS_EXIT_DONE, id;
    bool go = true;
    while (go && (id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == EVS_ARG_HELP || id == EVS_ARG_BAD) {
            exit_code = id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
            go = false;
        } else if (!evs_compile_args_take(&request.compile, id, args.value) && !take_option(&request, id, args.value)) {
            exit_code = evs_args_refuse(&args, "--wait takes a duration, such as 30s.");
            go = false;
        }
    }
    if (go && (request.compile.file_count == 0 || request.value == NULL)) {
        exit_code =
            evs_args_refuse(&args, "name the person, --key VALUE, and the pipeline files whose state may hold them.");
        go = false;
    }
    exit_code = go ? answer(&request) : exit_code;
    request_free(&request);
    return exit_code;
}

const struct evs_command evs_command_erase = {
    .name = "erase",
    .summary = "removes one person from the state of pipelines, and tells what is left where",
    .group = EVS_GROUP_RUN,
    .operands = "*.evs",
    .options = options,
    .usage = "evstream erase --key VALUE [OPTION]… FILE…",
    .description =
        "Asks the running pipelines to forget a person: whatever their operators keep under a key one of whose text "
        "columns\n"
        "is VALUE. The request is a message in the log that they read. Waits until it is carried out and the log of "
        "the\n"
        "state begins behind it, then looks for the text in all that is stored: state, rows that are not delivered "
        "yet,\n"
        "savepoints. Exit code 0 when nothing is left there, 4 when something is, 3 when a pipeline did not come to "
        "it.",
    .run = run_command,
};
