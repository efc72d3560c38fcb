/* evstream state: which pipelines have state in Redis, where each stands and what it holds; and its end. All but reset only look: an engine that works is not
 * disturbed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "evstream/memory.h"
#include "evstream/state.h"
#include "redis_tools.h"
#include "state_export.h"
#include "state_store.h"
#include "store_redis.h"

enum { ARG_REDIS = 1, ARG_SAVEPOINT, ARG_YES };
static const struct evs_arg options[] = {
    {ARG_REDIS, "--redis", "URL", "Redis server (EVSTREAM_REDIS_URL; " EVS_REDIS_URL_DEFAULT ")", NULL},
    {ARG_SAVEPOINT, "--savepoint", "NAME", "show, export: what a savepoint holds", NULL},
    {ARG_YES, "--yes", NULL, "reset: does not ask", NULL},
    {0},
};

struct request {
    const char *what, *pipeline, *savepoint;
    struct evs_state_server server; /* with the group at hand */
    bool yes, is_divided, has_watched;
};

static int print(struct evs_buffer *text)
{
    bool is_out =
        (text->count == 0 || fwrite(text->data, 1, text->count, stdout) == text->count) && fflush(stdout) == 0;
    return is_out ? EVS_EXIT_DONE : evs_status_exit_code(EVS_E_IO);
}

static evs_status open_store(const struct request *request, void **store, struct evs_error *error)
{
    struct evs_buffer suffix = {0};
    evs_buffer_printf(&suffix, request->savepoint != NULL ? ":sp:%s" : "%s",
                      request->savepoint != NULL ? request->savepoint : "");
    evs_buffer_put(&suffix, "", 1);
    evs_status status = evs_state_store_open(&request->server, request->pipeline != NULL ? request->pipeline : "",
                                             suffix.data, store, error);
    evs_buffer_fini(&suffix);
    return status;
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
    evs_status status = open_store(request, &store, error);
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

struct showing {
    struct evs_state_tally tally;
    struct evs_buffer record;
};

static evs_status begin_showing(void *argument, const struct evs_store_terms *terms, struct evs_error *error)
{
    struct showing *showing = argument;
    showing->record.count = 0;
    evs_buffer_put(&showing->record, terms->record.data, terms->record.count);
    return evs_state_tally_begin(&showing->tally, terms->record, error);
}

static evs_status tally_block(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                              struct evs_error *error)
{
    struct showing *showing = argument;
    return kind == EVS_BLOCK_STATE ? evs_state_tally_block(&showing->tally, checkpoint, block, error) : EVS_OK;
}

static evs_status has_state(const struct request *request, void *store, struct evs_error *error)
{
    struct evs_store_terms terms = {0};
    evs_status status = evs_store_redis.peek(store, &terms, error);
    if (status == EVS_OK && !terms.has_commit) {
        return evs_fail(error, EVS_E_STATE,
                        "Redis at %s has no state of a pipeline `%s`%s; `evstream state ls` lists those it has.",
                        request->server.url, request->pipeline,
                        request->savepoint != NULL ? " under this savepoint's name" : "");
    }
    return status;
}

static evs_status show(struct request *request, void *store, struct evs_buffer *text, struct evs_error *error)
{
    struct showing showing = {0};
    const struct evs_redis_reading reading = {begin_showing, tally_block, &showing};
    evs_status status = evs_redis_tool_read(store, &reading, error);
    if (status == EVS_OK) {
        evs_buffer_printf(text, "%spipeline    %s\n", text->count > 0 ? "\n" : "", request->pipeline);
        if (request->is_divided) {
            evs_buffer_printf(text, "group       %s\n", request->server.group);
        }
        status = evs_state_describe_with((struct evs_slice){showing.record.data, showing.record.count}, &showing.tally,
                                         text, error);
    }
    evs_state_tally_fini(&showing.tally);
    evs_buffer_fini(&showing.record);
    return status;
}

/* --- reset ----------------------------------------------------------------------------------------------------------------- */

/* Taken over first: an engine that the look has missed is fenced before anything is gone. */
static evs_status reset(struct request *request, void *store, struct evs_buffer *text, struct evs_error *error)
{
    struct evs_store_terms terms = {0};
    evs_status status = evs_store_redis.acquire(store, &terms, error);
    if (status == EVS_OK) {
        status = evs_redis_tool_delete(store, error);
    }
    if (status == EVS_OK && text != NULL) {
        evs_buffer_printf(text, "removed the state of pipeline %s%s%s, checkpoint %llu\n", request->pipeline,
                          request->is_divided ? ", group " : "", request->is_divided ? request->server.group : "",
                          (unsigned long long)terms.checkpoint);
    }
    return status;
}

static evs_status rests(struct request *request, void *store, struct evs_buffer *text, struct evs_error *error)
{
    (void)text;
    bool is_first = !request->has_watched;
    request->has_watched = true;
    return evs_state_store_must_rest(&request->server, store, request->pipeline, is_first, error);
}

/* --- the command --------------------------------------------------------------------------------------------------------- */

static evs_status export(struct request *request, void *store, struct evs_buffer *text, struct evs_error *error)
{
    (void)request;
    (void)text;
    return evs_state_export(store, stdout, error);
}

typedef evs_status (*deed)(struct request *request, void *store, struct evs_buffer *text, struct evs_error *error);

static evs_status do_group(struct request *request, const char *group, deed what, struct evs_buffer *text,
                           struct evs_error *error)
{
    void *store = NULL;
    request->server.group = group;
    evs_status status = open_store(request, &store, error);
    if (status == EVS_OK) {
        status = what(request, store, text, error);
    }
    evs_state_store_close(store);
    return status;
}

static evs_status must_have_state(struct request *request, void *store, struct evs_buffer *text,
                                  struct evs_error *error)
{
    (void)text;
    return has_state(request, store, error);
}

static evs_status do_groups(struct request *request, const struct evs_group_names *groups, deed what,
                            struct evs_buffer *text, struct evs_error *error)
{
    evs_status status = EVS_OK;
    for (uint32_t i = 0; i < groups->count && status == EVS_OK; i++) {
        status = do_group(request, groups->names[i], what, text, error);
    }
    return status;
}

/* All groups rest before the first one is touched; the map goes last: until then the command can be given again. */
static evs_status reset_all(struct request *request, const struct evs_group_names *groups, struct evs_buffer *text,
                            struct evs_error *error)
{
    evs_status status = do_groups(request, groups, rests, text, error);
    if (status == EVS_OK) {
        status =
            evs_state_ask(request->yes, error,
                          "All state of pipeline %s is removed: its next run begins anew, and reads its input from "
                          "the beginning.",
                          request->pipeline);
    }
    if (status == EVS_OK) {
        status = do_groups(request, groups, reset, text, error);
    }
    if (status == EVS_OK && groups->is_divided) {
        status = do_group(request, EVS_GROUP_MAP, reset, NULL, error);
    }
    if (status == EVS_OK) {
        evs_buffer_puts(text, "Its savepoints are still there. Begin anew with: evstream run --state-lost restart "
                              "FILE\n");
    }
    return status;
}

static evs_status carry_out(struct request *request, struct evs_buffer *text, struct evs_error *error)
{
    struct evs_group_names groups;
    if (strcmp(request->what, "ls") == 0) {
        return list(request, text, error);
    }
    evs_status status = evs_state_groups(&request->server, request->pipeline, &groups, error);
    if (status != EVS_OK) {
        return status;
    }
    request->is_divided = groups.is_divided;
    bool resets = strcmp(request->what, "reset") == 0;
    if (!resets || !groups.is_divided) { /* a reset that was cut off has left some groups without state */
        status = do_groups(request, &groups, must_have_state, text, error);
    }
    if (status == EVS_OK) {
        status = resets ? reset_all(request, &groups, text, error)
                        : do_groups(request, &groups, strcmp(request->what, "show") == 0 ? show : export, text, error);
    }
    return status;
}

static int answer(struct request *request)
{
    struct evs_error error = {0};
    struct evs_buffer text = {0};
    request->server.log = evs_log_new(evs_os_system(), EVS_LOG_WARN, false);
    evs_status status = carry_out(request, &text, &error);
    int exit_code = status == EVS_OK ? print(&text) : evs_status_exit_code(status);
    if (status != EVS_OK) {
        fprintf(stderr, "evstream state: %s\n", error.text);
    }
    evs_log_free(request->server.log);
    evs_buffer_fini(&text);
    return exit_code;
}

static bool is_whole(const struct request *request)
{
    if (request->what == NULL) {
        return false;
    }
    bool lists = strcmp(request->what, "ls") == 0, resets = strcmp(request->what, "reset") == 0;
    bool looks = strcmp(request->what, "show") == 0 || strcmp(request->what, "export") == 0;
    bool has_savepoint = request->savepoint != NULL;
    return lists ? request->pipeline == NULL && !has_savepoint
                 : request->pipeline != NULL && (looks || (resets && !has_savepoint));
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_state, argc, argv);
    struct request request = {.server = evs_state_server_default()};
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == ARG_REDIS) {
            request.server.url = args.value;
        } else if (id == ARG_SAVEPOINT) {
            request.savepoint = args.value;
        } else if (id == ARG_YES) {
            request.yes = true;
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
    return is_whole(&request) ? answer(&request)
                              : evs_args_refuse(&args, "write `state ls`, or `state show|export|reset PIPELINE`.");
}

const struct evs_command evs_command_state = {
    .name = "state",
    .summary = "the state that pipelines have in Redis: lists, shows, exports, removes it",
    .group = EVS_GROUP_RUN,
    .operands = "",
    .words = "ls|show|export|reset",
    .options = options,
    .usage = "evstream state ls | evstream state show|export|reset PIPELINE",
    .description =
        "ls: the names of the pipelines that have state.\n"
        "show: what the last commit of one says: counts, where each source stands, operators with their keys and "
        "bytes,\n"
        "sinks.\n"
        "export: every record on standard output, one JSON object a line.\n"
        "reset: removes the state, so that the next run begins anew. Asks first; without a terminal it wants "
        "--yes.\n"
        "Refused while an engine runs the pipeline.\n"
        "All but reset only look: an engine that works is not disturbed.",
    .run = run_command,
};
