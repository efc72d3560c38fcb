/* evstream check: compiles each file and prints every diagnostic; with --against-state also what a start would do with the stored state. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "evstream/memory.h"
#include "evstream/plan.h"
#include "evstream/state.h"
#include "state_store.h"

enum { ARG_AGAINST_STATE = 1, ARG_REDIS };
static const struct evs_arg options[] = {
    EVS_COMPILE_ARGS,
    {ARG_AGAINST_STATE, "--against-state", NULL, "shows what becomes of the state that Redis has of the pipeline",
     NULL},
    {ARG_REDIS, "--redis", "URL", "Redis server (EVSTREAM_REDIS_URL; " EVS_REDIS_URL_DEFAULT ")", NULL},
    {0},
};

/* 0: it goes on, 4: it would refuse. */
static int compare(const struct evs_state_server *all, const struct evs_plan *plan, const char *file)
{
    struct evs_error error = {0};
    struct evs_store_terms terms = {0};
    struct evs_buffer text = {0};
    struct evs_group_names groups;
    struct evs_state_server server = *all;
    void *store = NULL;
    bool loses = false;
    evs_status status = evs_state_groups(all, plan->pipeline, &groups, &error);
    if (status == EVS_OK) { /* all groups have the same operators */
        server.group = groups.names[0];
        status = evs_state_store_peek(&server, plan->pipeline, &store, &terms, &error);
    }
    if (status == EVS_OK && terms.has_commit) {
        status = evs_state_compare(plan, terms.record, &text, &loses, &error);
    }
    if (status != EVS_OK) {
        fprintf(stderr, "evstream check: %s: %s\n", file, error.text);
    } else if (!terms.has_commit) {
        printf("pipeline %s: Redis has no state of it; it begins with empty state.\n", plan->pipeline);
    } else {
        printf("pipeline %s, checkpoint %llu:\n%.*s%s", plan->pipeline, (unsigned long long)terms.checkpoint,
               (int)text.count, text.data == NULL ? "" : text.data,
               loses ? "A run refuses to lose what is dropped, unless it is told --allow-drop.\n"
                     : "A run goes on from this state.\n");
    }
    evs_state_store_close(store);
    evs_buffer_fini(&text);
    return status != EVS_OK ? evs_status_exit_code(status) : loses ? evs_status_exit_code(EVS_E_STATE) : EVS_EXIT_DONE;
}

static int check_file(const struct evs_compile_args *compile, const struct evs_state_server *server, const char *file)
{
    const struct evs_plan *plan = NULL;
    int exit_code = evs_compile_file(compile, file, &plan);
    if (exit_code == EVS_EXIT_DONE && server->log != NULL) {
        exit_code = compare(server, plan, file);
    }
    evs_plan_free(plan);
    return exit_code;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_check, argc, argv);
    struct evs_compile_args compile = {0};
    struct evs_state_server server = evs_state_server_default();
    bool against_state = false;
    int exit_code = EVS_EXIT_DONE;
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == ARG_AGAINST_STATE) {
            against_state = true;
        } else if (id == ARG_REDIS) {
            server.url = args.value;
        } else if (!evs_compile_args_take(&compile, id, args.value)) {
            evs_compile_args_fini(&compile);
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
    }
    if (compile.file_count == 0) {
        exit_code = evs_args_refuse(&args, "name at least one pipeline file.");
    }
    server.log = against_state ? evs_log_new(evs_os_system(), EVS_LOG_WARN, false) : NULL;
    for (uint32_t i = 0; i < compile.file_count; i++) {
        int result = check_file(&compile, &server, compile.files[i]);
        exit_code = result > exit_code ? result : exit_code;
    }
    if (server.log != NULL) {
        evs_log_free(server.log);
    }
    evs_compile_args_fini(&compile);
    return exit_code;
}

const struct evs_command evs_command_check = {
    .name = "check",
    .summary = "compiles, and prints every error and warning",
    .group = EVS_GROUP_WRITE,
    .operands = "*.evs",
    .options = options,
    .usage = "evstream check [OPTION]… FILE…",
    .description =
        "Compiles pipelines and prints every error and warning on standard error. Reads no event and "
        "needs no server.\n"
        "Exit code 1 when a file has an error.\n"
        "--against-state: what a run would do with the state that Redis has: of each operator, source and sink "
        "whether\n"
        "it is kept, migrated (which columns stay, go and come), dropped or new. Only looks. Exit code 4 when a "
        "run\n"
        "would refuse, because something would be dropped or it is not clear what belongs together.",
    .run = run_command,
};
