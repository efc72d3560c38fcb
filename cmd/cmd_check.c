/* evstream check: compiles each file and prints every diagnostic. */
#include "cmd.h"

static const struct evs_arg options[] = {EVS_COMPILE_ARGS, {0}};

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_check, argc, argv);
    struct evs_compile_args compile = {0};
    int exit_code = EVS_EXIT_DONE;
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (!evs_compile_args_take(&compile, id, args.value)) {
            evs_compile_args_fini(&compile);
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
    }
    if (compile.file_count == 0) {
        exit_code = evs_args_refuse(&args, "name at least one pipeline file.");
    }
    for (uint32_t i = 0; i < compile.file_count; i++) {
        const struct evs_plan *plan = NULL;
        int result = evs_compile_file(&compile, compile.files[i], &plan);
        evs_plan_free(plan);
        exit_code = result > exit_code ? result : exit_code;
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
    .description = "Compiles pipelines and prints every error and warning on standard error. Reads no event and "
                   "needs no server.\n"
                   "Exit code 1 when a file has an error.",
    .run = run_command,
};
