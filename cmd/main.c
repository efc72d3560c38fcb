/* evstream: one program, one subcommand a file. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "event_log.h"

static const char *const group_titles[EVS_GROUP_COUNT] = {
    [EVS_GROUP_WRITE] = "write pipelines", [EVS_GROUP_RUN] = "run them", [EVS_GROUP_OTHER] = "the rest"};

static void print_group(FILE *out, enum evs_command_group group)
{
    fprintf(out, "\n%s:\n", group_titles[group]);
    for (const struct evs_command *const *at = evs_commands; *at != NULL; at++) {
        if ((*at)->group == group) {
            fprintf(out, "  %-12s %s\n", (*at)->name, (*at)->summary);
        }
    }
}

static void print_help(FILE *out)
{
    fprintf(out, "usage: evstream COMMAND [OPTION]… [ARGUMENT]…\n");
    for (enum evs_command_group group = 0; group < EVS_GROUP_COUNT; group++) {
        print_group(out, group);
    }
    fprintf(out,
            "\n`evstream COMMAND --help` tells more about one.\n"
            "exit codes: 0 done, 1 the pipeline is wrong, 2 wrong usage, 3 a server or a file cannot be reached or "
            "refuses, 4 the\n"
            "state cannot be restored, 5 a test failed, 6 another engine took over, 7 `on error fail` met a bad "
            "event, 70 a defect\n"
            "of evstream\n");
}

static int refuse_command(const char *name)
{
    struct evs_nearest nearest = evs_nearest_begin(evs_slice_of(name));
    for (const struct evs_command *const *at = evs_commands; *at != NULL; at++) {
        evs_nearest_offer(&nearest, evs_slice_of((*at)->name));
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
    const struct evs_command *command = evs_command_find(name);
    return command != NULL ? command->run(argc, argv) : refuse_command(name);
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
    evs_event_log_to(NULL);
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
