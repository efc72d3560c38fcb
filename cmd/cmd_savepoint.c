/* evstream savepoint: copies of a pipeline's state with a name, and the way back to one. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "evstream/memory.h"
#include "evstream/state.h"
#include "redis_tools.h"
#include "state_store.h"
#include "store_redis.h"

#define NAME_MAX_CHARACTERS 64
#define RESTORING ":restoring"

enum { ARG_REDIS = 1, ARG_YES };
static const struct evs_arg options[] = {
    {ARG_REDIS, "--redis", "URL", "Redis server (EVSTREAM_REDIS_URL; " EVS_REDIS_URL_DEFAULT ")", NULL},
    {ARG_YES, "--yes", NULL, "restore, delete: does not ask", NULL},
    {0},
};

struct request {
    const char *what, *pipeline, *name;
    struct evs_state_server server;
    bool yes, is_divided, has_watched;
    struct evs_buffer text; /* for standard output */
};

static bool is_name(const char *name)
{
    size_t count = strlen(name);
    for (size_t i = 0; i < count; i++) {
        bool is_plain = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
                        (name[i] >= '0' && name[i] <= '9') || name[i] == '-' || name[i] == '_';
        if (!is_plain) {
            return false;
        }
    }
    return count > 0 && count <= NAME_MAX_CHARACTERS;
}

static evs_status open_copy(const struct request *request, const char *name, void **store, struct evs_error *error)
{
    char suffix[NAME_MAX_CHARACTERS + 8];
    snprintf(suffix, sizeof suffix, ":sp:%s", name);
    return evs_state_store_open(&request->server, request->pipeline, suffix, store, error);
}

static void put_group(struct request *request)
{
    if (request->is_divided) {
        evs_buffer_printf(&request->text, "group %s  ", request->server.group);
    }
}

/* --- finding one --------------------------------------------------------------------------------------------------------------- */

struct found {
    const char *name;
    bool is_there;
    uint64_t checkpoint;
};

static evs_status compare_name(void *argument, const struct evs_redis_savepoint *savepoint, struct evs_error *error)
{
    struct found *found = argument;
    (void)error;
    if (evs_slice_equal(savepoint->name, evs_slice_of(found->name))) {
        found->is_there = true;
        found->checkpoint = savepoint->checkpoint;
    }
    return EVS_OK;
}

static evs_status find(const struct request *request, void *store, struct found *found, struct evs_error *error)
{
    *found = (struct found){.name = request->name};
    return evs_redis_savepoint_list(store, compare_name, found, error);
}

static evs_status must_find(const struct request *request, void *store, struct found *found, struct evs_error *error)
{
    evs_status status = find(request, store, found, error);
    if (status == EVS_OK && !found->is_there) {
        return evs_fail(error, EVS_E_STATE,
                        "pipeline %s has no savepoint `%s`; `evstream savepoint ls %s` lists those it has.",
                        request->pipeline, request->name, request->pipeline);
    }
    return status;
}

/* --- create -------------------------------------------------------------------------------------------------------------------- */

static evs_status note(const struct request *request, void *store, void *copy, const struct evs_redis_copied *copied,
                       struct evs_error *error)
{
    struct evs_store_terms terms = {0};
    evs_status status = evs_store_redis.peek(copy, &terms, error);
    if (status != EVS_OK) {
        return status;
    }
    const struct evs_redis_savepoint savepoint = {.name = evs_slice_of(request->name),
                                                  .record = terms.record,
                                                  .checkpoint = copied->checkpoint,
                                                  .bytes = copied->bytes};
    return evs_redis_savepoint_add(store, &savepoint, error);
}

static evs_status create(struct request *request, void *store, struct evs_error *error)
{
    struct found found;
    struct evs_redis_copied copied = {0};
    void *copy = NULL;
    evs_status status = find(request, store, &found, error);
    if (status == EVS_OK && found.is_there) {
        return evs_fail(
            error, EVS_E_USAGE,
            "pipeline %s already has a savepoint `%s`, of checkpoint %llu; take another name, or delete it: "
            "`evstream savepoint delete %s %s`.",
            request->pipeline, request->name, (unsigned long long)found.checkpoint, request->pipeline, request->name);
    }
    if (status == EVS_OK) {
        status = open_copy(request, request->name, &copy, error);
    }
    if (status == EVS_OK) {
        status = evs_redis_tool_copy(store, copy, &copied, error);
    }
    if (status == EVS_OK) {
        status = note(request, store, copy, &copied, error);
    }
    evs_state_store_close(copy);
    if (status == EVS_OK) {
        put_group(request);
        evs_buffer_printf(&request->text, "savepoint %s of pipeline %s: checkpoint %llu, %llu blocks, %llu bytes\n",
                          request->name, request->pipeline, (unsigned long long)copied.checkpoint,
                          (unsigned long long)copied.blocks, (unsigned long long)copied.bytes);
    }
    return status;
}

/* --- ls ------------------------------------------------------------------------------------------------------------------------- */

static evs_status put_savepoint(void *argument, const struct evs_redis_savepoint *savepoint, struct evs_error *error)
{
    struct request *request = argument;
    struct evs_state_facts facts = {0};
    char time[EVS_FORMAT_MAX];
    evs_status status = evs_state_facts(savepoint->record, &facts, error);
    if (status == EVS_OK) {
        uint32_t count = evs_format_timestamp(time, savepoint->made_us);
        put_group(request);
        evs_buffer_printf(&request->text, "%.*s  made %.*s  checkpoint %llu  %llu events counted  %llu bytes\n",
                          (int)savepoint->name.count, savepoint->name.data, (int)count, time,
                          (unsigned long long)savepoint->checkpoint, (unsigned long long)facts.events,
                          (unsigned long long)savepoint->bytes);
    }
    return status;
}

/* --- restore --------------------------------------------------------------------------------------------------------------------- */

/* Takes the copy as an engine would, and commits on top of it that this is another life. */
static evs_status begin_new_life(const struct request *request, void *copy, struct evs_error *error)
{
    struct evs_store_terms terms = {0};
    struct evs_buffer record = {0};
    struct evs_store_commit commit = {0};
    evs_status status = evs_store_redis.acquire(copy, &terms, error);
    if (status == EVS_OK) {
        status =
            evs_state_reborn(terms.record, evs_os_system(), &record, &commit.checkpoint, &commit.state_from, error);
    }
    if (status == EVS_OK) {
        commit.record = (struct evs_slice){record.data, record.count};
        status = evs_store_redis.commit(copy, &commit, error);
    }
    (void)request;
    evs_buffer_fini(&record);
    return status;
}

static evs_status bring_back(const struct request *request, void *store, void *saved, struct evs_error *error)
{
    struct evs_redis_copied copied;
    void *copy = NULL;
    evs_status status = evs_state_store_open(&request->server, request->pipeline, RESTORING, &copy, error);
    if (status == EVS_OK) {
        status = evs_redis_tool_copy(saved, copy, &copied, error);
    }
    if (status == EVS_OK) {
        status = begin_new_life(request, copy, error);
    }
    if (status == EVS_OK) {
        status = evs_redis_tool_replace(copy, store, error);
    }
    evs_state_store_close(copy);
    return status;
}

static evs_status restore(struct request *request, void *store, struct evs_error *error)
{
    struct found found;
    void *saved = NULL;
    evs_status status = must_find(request, store, &found, error);
    if (status == EVS_OK) {
        status = open_copy(request, request->name, &saved, error);
    }
    if (status == EVS_OK) {
        status = bring_back(request, store, saved, error);
    }
    evs_state_store_close(saved);
    if (status == EVS_OK) {
        put_group(request);
        evs_buffer_printf(&request->text,
                          "pipeline %s stands at savepoint %s, checkpoint %llu: its next run reads on from there\n",
                          request->pipeline, request->name, (unsigned long long)found.checkpoint);
    }
    return status;
}

/* --- delete ------------------------------------------------------------------------------------------------------------------------ */

static evs_status delete (struct request *request, void *store, struct evs_error *error)
{
    struct found found;
    void *copy = NULL;
    evs_status status = find(request, store, &found, error);
    if (status == EVS_OK && found.is_there) { /* from here on it does not count */
        status = evs_redis_savepoint_remove(store, request->name, error);
    }
    if (status == EVS_OK) {
        status = open_copy(request, request->name, &copy, error);
    }
    if (status == EVS_OK) {
        status = evs_redis_tool_delete(copy, error);
    }
    evs_state_store_close(copy);
    return status;
}

/* --- before anything is touched, of every group ------------------------------------------------------------------------------------- */

static evs_status check_name(struct request *request, void *store, struct evs_error *error)
{
    struct found found;
    return must_find(request, store, &found, error);
}

static evs_status check_rest(struct request *request, void *store, struct evs_error *error)
{
    evs_status status = check_name(request, store, error);
    bool is_first = !request->has_watched;
    request->has_watched = true;
    return status == EVS_OK ? evs_state_store_must_rest(&request->server, store, request->pipeline, is_first, error)
                            : status;
}

static evs_status list(struct request *request, void *store, struct evs_error *error)
{
    return evs_redis_savepoint_list(store, put_savepoint, request, error);
}

/* --- the command --------------------------------------------------------------------------------------------------------------------- */

typedef evs_status (*deed)(struct request *request, void *store, struct evs_error *error);

static evs_status do_group(struct request *request, const char *group, deed what, struct evs_error *error)
{
    void *store = NULL;
    request->server.group = group;
    evs_status status = evs_state_store_open(&request->server, request->pipeline, "", &store, error);
    if (status == EVS_OK) {
        status = what(request, store, error);
    }
    evs_state_store_close(store);
    return status;
}

/* Groups exchange no rows, so a savepoint of all of them is one of each, made one after the other. */
static evs_status do_groups(struct request *request, const struct evs_group_names *groups, deed what,
                            struct evs_error *error)
{
    evs_status status = EVS_OK;
    for (uint32_t i = 0; i < groups->count && status == EVS_OK; i++) {
        status = do_group(request, groups->names[i], what, error);
    }
    return status;
}

static evs_status restore_all(struct request *request, const struct evs_group_names *groups, struct evs_error *error)
{
    evs_status status = do_groups(request, groups, check_rest, error);
    if (status == EVS_OK) {
        status = evs_state_ask(request->yes, error, "The state of pipeline %s is replaced by its savepoint %s.",
                               request->pipeline, request->name);
    }
    return status == EVS_OK ? do_groups(request, groups, restore, error) : status;
}

/* A deletion that was cut off has left some groups without it. */
static evs_status delete_all(struct request *request, const struct evs_group_names *groups, struct evs_error *error)
{
    evs_status status = EVS_E_STATE;
    for (uint32_t i = 0; i < groups->count && status == EVS_E_STATE; i++) {
        status = do_group(request, groups->names[i], check_name, error);
    }
    if (status == EVS_OK) {
        status = evs_state_ask(request->yes, error, "The savepoint %s of pipeline %s is deleted.", request->name,
                               request->pipeline);
    }
    if (status == EVS_OK) {
        status = do_groups(request, groups, delete, error);
    }
    if (status == EVS_OK) {
        evs_buffer_printf(&request->text, "deleted savepoint %s of pipeline %s\n", request->name, request->pipeline);
    }
    return status;
}

static evs_status carry_out(struct request *request, struct evs_error *error)
{
    struct evs_group_names groups;
    evs_status status = evs_state_groups(&request->server, request->pipeline, &groups, error);
    if (status != EVS_OK) {
        return status;
    }
    request->is_divided = groups.is_divided;
    return strcmp(request->what, "ls") == 0        ? do_groups(request, &groups, list, error)
           : strcmp(request->what, "create") == 0  ? do_groups(request, &groups, create, error)
           : strcmp(request->what, "restore") == 0 ? restore_all(request, &groups, error)
                                                   : delete_all(request, &groups, error);
}

static bool is_whole(const struct request *request)
{
    if (request->what == NULL || request->pipeline == NULL) {
        return false;
    }
    bool lists = strcmp(request->what, "ls") == 0;
    bool names = strcmp(request->what, "create") == 0 || strcmp(request->what, "restore") == 0 ||
                 strcmp(request->what, "delete") == 0;
    return lists ? request->name == NULL : names && request->name != NULL;
}

static int answer(struct request *request)
{
    struct evs_error error = {0};
    request->server.log = evs_log_new(evs_os_system(), EVS_LOG_WARN, false);
    evs_status status = carry_out(request, &error);
    bool is_out = (request->text.count == 0 ||
                   fwrite(request->text.data, 1, request->text.count, stdout) == request->text.count) &&
                  fflush(stdout) == 0;
    if (status != EVS_OK) {
        fprintf(stderr, "evstream savepoint: %s\n", error.text);
    }
    evs_log_free(request->server.log);
    return status != EVS_OK ? evs_status_exit_code(status) : is_out ? EVS_EXIT_DONE : evs_status_exit_code(EVS_E_IO);
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_savepoint, argc, argv);
    struct request request = {.server = evs_state_server_default()};
    const char **operands[] = {&request.what, &request.pipeline, &request.name};
    uint32_t operand_count = 0;
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == ARG_REDIS) {
            request.server.url = args.value;
        } else if (id == ARG_YES) {
            request.yes = true;
        } else if (id == EVS_ARG_OPERAND && operand_count < EVS_COUNT(operands)) {
            *operands[operand_count++] = args.value;
        } else {
            return id == EVS_ARG_HELP      ? EVS_EXIT_DONE
                   : id == EVS_ARG_OPERAND ? evs_args_refuse(&args, "`%s` is one word too many.", args.value)
                                           : EVS_EXIT_USAGE;
        }
    }
    if (!is_whole(&request)) {
        return evs_args_refuse(&args,
                               "write `savepoint ls PIPELINE`, or `savepoint create|restore|delete PIPELINE NAME`.");
    }
    if (request.name != NULL && !is_name(request.name)) {
        return evs_args_refuse(&args, "a savepoint's name has at most %d letters, digits, - and _.",
                               NAME_MAX_CHARACTERS);
    }
    int exit_code = answer(&request);
    evs_buffer_fini(&request.text);
    return exit_code;
}

const struct evs_command evs_command_savepoint = {
    .name = "savepoint",
    .summary = "copies of a pipeline's state with a name, and the way back to one",
    .group = EVS_GROUP_RUN,
    .operands = "",
    .words = "create|ls|restore|delete",
    .options = options,
    .usage = "evstream savepoint ls PIPELINE | evstream savepoint create|restore|delete PIPELINE NAME",
    .description =
        "create: copies the state of the last commit inside of Redis; an engine that runs is not disturbed.\n"
        "ls: the savepoints of a pipeline, the oldest first.\n"
        "restore: the state becomes what it was then, and the next run reads the input on from there. Refused "
        "while an\n"
        "engine runs the pipeline. What was sent since then is sent again, under other ids.\n"
        "delete: removes one.\n"
        "restore and delete ask before they do it; without a terminal they want --yes.",
    .run = run_command,
};
