/* evstream version. */
#include <stdio.h>

#include "cmd.h"
#include "evstream_config.h"

static const struct evs_arg options[] = {{0}};

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_version, argc, argv);
    int id = evs_args_next(&args);
    if (id == EVS_ARG_OPERAND) {
        return evs_args_refuse(&args, "it takes no argument.");
    }
    if (id == EVS_ARG_END) {
        printf("evstream %s\n", EVS_VERSION);
    }
    return id == EVS_ARG_BAD ? EVS_EXIT_USAGE : EVS_EXIT_DONE;
}

const struct evs_command evs_command_version = {
    .name = "version",
    .summary = "prints the version",
    .group = EVS_GROUP_OTHER,
    .operands = "",
    .options = options,
    .usage = "evstream version",
    .description = "Prints the version of this program.",
    .run = run_command,
};
