/* The subcommands and what they share.
 *
 * A subcommand is one file, cmd_NAME.c, with one `const struct evs_command evs_command_NAME`: its help, its options, and what it does. It reads its
 * arguments with evs_args_next, so that every command spells, explains and refuses options in the same way. */
#ifndef EVS_CMD_H
#define EVS_CMD_H

#include "compile.h"
#include "diag.h"
#include "evstream/status.h"

enum evs_exit {
    EVS_EXIT_DONE = 0,
    EVS_EXIT_PIPELINE = 1,
    EVS_EXIT_USAGE = 2,
    EVS_EXIT_UNREACHABLE = 3,
    EVS_EXIT_TEST = 5,
};

/* Every connector and format of this build. */
extern const struct evs_registry evs_registry;

/* Where a running program shows its figures, and where they are looked for. */
#define EVS_LISTEN_DEFAULT "127.0.0.1:8088"

/* --- arguments ------------------------------------------------------------------------------------------------------ */

/* A table of options, ended by a NULL name. `id` is what evs_args_next returns for it: at least 1. */
struct evs_arg {
    int id;
    const char *name;    /* "--param" */
    const char *value;   /* name of its value in the help, "NAME=VALUE"; NULL: a flag */
    const char *help;    /* one line */
    const char *choices; /* "text|json": checked; NULL: any value */
};

enum evs_command_group { EVS_GROUP_WRITE, EVS_GROUP_RUN, EVS_GROUP_OTHER, EVS_GROUP_COUNT };

/* A subcommand: what its help, the completions of shells and docs/cli.md are made of. */
struct evs_command {
    const char *name;    /* "check" */
    const char *summary; /* one line */
    enum evs_command_group group;
    const char *operands;              /* what shells complete: "*.evs", "*" for any file, "" for nothing */
    const char *words;                 /* the first operand is one of these: "infer|check"; NULL: it is none */
    const struct evs_arg *options;     /* ended by a NULL name */
    const char *usage;                 /* "evstream check [OPTION]… FILE…" */
    const char *description;           /* what the command does, some lines */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; an exit code */
};
/* All of them, ended by NULL; NULL for a name that is none. */
extern const struct evs_command *const evs_commands[];
const struct evs_command *evs_command_find(const char *name);
extern const struct evs_command evs_command_check, evs_command_completions, evs_command_explain, evs_command_fmt,
    evs_command_dev, evs_command_init, evs_command_lsp, evs_command_run, evs_command_schema, evs_command_state,
    evs_command_test, evs_command_version;
extern const struct evs_command evs_command_collect, evs_command_dlq, evs_command_erase, evs_command_divide,
    evs_command_replay, evs_command_savepoint, evs_command_status, evs_command_tail, evs_command_top;

/* Where a command stands in its arguments. */
struct evs_args {
    int argc;
    char **argv;
    int next; /* the next argument to read; begin with 1 */
    const struct evs_arg *options;
    const char *usage;       /* "evstream check [OPTION]… FILE…" */
    const char *description; /* for --help: what the command does, some lines */
    const char *value;       /* of the option just read, or the operand */
    bool only_operands;      /* behind `--` */
};

enum {
    EVS_ARG_END = 0,
    EVS_ARG_OPERAND = -1, /* in `value` */
    EVS_ARG_BAD = -2,     /* told on standard error: return EVS_EXIT_USAGE */
    EVS_ARG_HELP = -3,    /* help was printed: return EVS_EXIT_DONE */
};
static inline struct evs_args evs_args_of(const struct evs_command *command, int argc, char **argv)
{
    return (struct evs_args){.argc = argc,
                             .argv = argv,
                             .next = 1,
                             .options = command->options,
                             .usage = command->usage,
                             .description = command->description};
}
/* The next argument: an option's id or one of the above. Takes `--name value` and `--name=value`, `-` as an operand. */
int evs_args_next(struct evs_args *args);
/* "evstream check: <text> …", and where help is to be found. Returns EVS_EXIT_USAGE. */
int evs_args_refuse(const struct evs_args *args, const char *format, ...) EVS_PRINTF(2, 3);

/* --- files and folders ------------------------------------------------------------------------------------------------ */

struct evs_paths {
    char **names;
    uint32_t count, capacity;
};
/* A file, there or not; a folder stands for the *.evs files in it, by name. False: the folder has none. */
bool evs_paths_add(struct evs_paths *files, const char *path);
void evs_paths_fini(struct evs_paths *files);
#define EVS_NO_PATHS "there is no *.evs file in %s."

/* --- what check, explain and run share: how a pipeline is compiled ---------------------------------------------------- */

/* The rows of the option table for --param, --source and --sink. */
#define EVS_COMPILE_ARGS                                                                                               \
    {EVS_ARG_PARAM, "--param", "NAME=VALUE", "sets a parameter of the pipeline", NULL},                                \
        {EVS_ARG_SOURCE, "--source", "NAME=CONNECTOR:ARGUMENT",                                                        \
         "reads a source from elsewhere: clicks=file:in.ndjson", NULL},                                                \
    {                                                                                                                  \
        EVS_ARG_SINK, "--sink", "NAME=CONNECTOR:ARGUMENT", "writes a sink elsewhere: reminders=file:-", NULL           \
    }
enum { EVS_ARG_PARAM = 1000, EVS_ARG_SOURCE, EVS_ARG_SINK };

/* Lists of strings borrowed from argv. */
struct evs_compile_args {
    const char **files, **params, **sources, **sinks;
    uint32_t file_count, param_count, source_count, sink_count;
    uint32_t file_capacity, param_capacity, source_capacity, sink_capacity;
    bool is_quiet; /* what is no error is not printed */
};
/* Takes what evs_args_next returned if it is an operand (a file) or one of EVS_COMPILE_ARGS; false otherwise. */
bool evs_compile_args_take(struct evs_compile_args *compile, int id, const char *value);
void evs_compile_args_fini(struct evs_compile_args *compile);
/* Compiles one file with these arguments, the process's environment and the registry, and prints the diagnostics on standard
 * error. On success `*plan` is to be freed by evs_plan_free. Returns an exit code. */
int evs_compile_file(const struct evs_compile_args *compile, const char *file, const struct evs_plan **plan);

#endif
