/* evstream: one program, one subcommand a file. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "evstream_config.h"

struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"run", "runs a pipeline until it is stopped or its input ends", evs_cmd_run},
    {"check", "compiles, and prints every error and warning", evs_cmd_check},
    {"test", "runs the tests that pipeline files hold", evs_cmd_test},
    {"explain", "shows the plan: operators, columns, keys, exchanges, state, delivery", evs_cmd_explain},
    {"fmt", "lays pipeline files out in the one way", evs_cmd_fmt},
    {"version", "prints the version", evs_cmd_version},
};

static void print_help(FILE *out)
{
    fprintf(out, "usage: evstream COMMAND [OPTION]… [ARGUMENT]…\n\ncommands:\n");
    for (size_t i = 0; i < EVS_COUNT(commands); i++) {
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(out,
            "\n`evstream COMMAND --help` tells more about one.\n"
            "exit codes: 0 done, 1 the pipeline is wrong, 2 wrong usage, 3 a server or a file cannot be reached or "
            "refuses, 4 the\n"
            "state cannot be restored, 5 a test failed, 6 another engine took over, 7 `on error fail` met a bad "
            "event, 70 a defect\n"
            "of evstream\n");
}

int evs_cmd_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("evstream %s\n", EVS_VERSION);
    return EVS_EXIT_DONE;
}

static int refuse_command(const char *name)
{
    struct evs_nearest nearest = evs_nearest_begin(evs_slice_of(name));
    for (size_t i = 0; i < EVS_COUNT(commands); i++) {
        evs_nearest_offer(&nearest, evs_slice_of(commands[i].name));
    }
    fprintf(stderr, "evstream: there is no command `%s`", name);
    if (nearest.best.count > 0) {
        fprintf(stderr, "; did you mean `%.*s`?", (int)nearest.best.count, nearest.best.data);
    }
    fprintf(stderr, "\n`evstream --help` lists the commands.\n");
    return EVS_EXIT_USAGE;
}

static int run_command(const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < EVS_COUNT(commands); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return commands[i].run(argc, argv);
        }
    }
    return refuse_command(name);
}

/* `help run` is `run --help`. */
static int help_on(char *name)
{
    static char option[] = "--help";
    char *arguments[] = {name, option, NULL};
    return run_command(name, 2, arguments);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EVS_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 && argc > 2) {
        return help_on(argv[2]);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return EVS_EXIT_DONE;
    }
    if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    return run_command(name, argc - 1, argv + 1);
}
