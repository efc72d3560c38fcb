/* evstream dev: everything on one machine, in one terminal (devserver/). What stands here is what only the composition root knows: where
 * the installed files are, and how a pipeline is compiled. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "dev.h"
#include "evstream/memory.h"

enum { ARG_SHOP = 1, ARG_COLLECTOR, ARG_DATA, ARG_SHOW, ARG_VERBOSE };

static const struct evs_arg options[] = {
    EVS_COMPILE_ARGS,
    {ARG_SHOP, "--shop", "HOST:PORT", "address of the demo shop (127.0.0.1:8000, or a free port)", NULL},
    {ARG_COLLECTOR, "--collector", "HOST:PORT", "address of the collector (127.0.0.1:8080, or a free port)", NULL},
    {ARG_DATA, "--data", "DIR", "keeps the servers' data in this folder (a temporary one, removed at the end)", NULL},
    {ARG_SHOW, "--show", "SUBJECT", "NATS subject whose messages are shown; several are allowed (triggers.>, dead.>)",
     NULL},
    {ARG_VERBOSE, "--verbose", NULL, "shows what nats-server and redis-server say", NULL},
    {0},
};

/* Files that belong to the program: installed beside it, or in the source tree of a build. */
static bool find_file(const char *name, char path[PATH_MAX])
{
    static const char *const places[] = {"../share/evstream", "..", "../.."};
    char program[PATH_MAX];
    ssize_t count = readlink("/proc/self/exe", program, sizeof program - 1);
    program[count < 0 ? 0 : count] = '\0';
    char *slash = strrchr(program, '/');
    for (size_t i = 0; slash != NULL && i < EVS_COUNT(places); i++) {
        int written = snprintf(path, PATH_MAX, "%.*s/%s/%s", (int)(slash - program), program, places[i], name);
        if (written > 0 && written < PATH_MAX && access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

static bool check(void *context, const char *file, char name[EVS_DEV_NAME_MAX])
{
    const struct evs_plan *plan = NULL;
    if (evs_compile_file(context, file, &plan) != EVS_EXIT_DONE) {
        return false;
    }
    snprintf(name, EVS_DEV_NAME_MAX, "%s", plan->pipeline);
    evs_plan_free(plan);
    return true;
}

struct settings {
    struct evs_compile_args compile;
    struct evs_dev_options dev;
    const char **subjects, **run_arguments;
    uint32_t subject_capacity, run_argument_capacity;
};

/* What belongs to compiling is for each pipeline's process, too. */
static void hand_on(struct settings *settings, int id, const char *value)
{
    const char *name = id == EVS_ARG_PARAM ? "--param" : id == EVS_ARG_SOURCE ? "--source" : "--sink";
    const char *const both[] = {name, value};
    for (size_t i = 0; i < EVS_COUNT(both) && id != EVS_ARG_OPERAND; i++) {
        EVS_GROW(settings->run_arguments, settings->dev.run_argument_count, settings->run_argument_capacity);
        settings->run_arguments[settings->dev.run_argument_count++] = both[i];
    }
}

static void take_value(struct settings *settings, int id, const char *value)
{
    struct evs_dev_options *dev = &settings->dev;
    switch (id) {
    case ARG_SHOP:
        dev->shop_address = value;
        break;
    case ARG_COLLECTOR:
        dev->collector_address = value;
        break;
    case ARG_DATA:
        dev->data_folder = value;
        break;
    case ARG_SHOW:
        EVS_GROW(settings->subjects, dev->subject_count, settings->subject_capacity);
        settings->subjects[dev->subject_count++] = value;
        break;
    default:
        dev->verbose = true;
        break;
    }
}

static int run_all(struct settings *settings)
{
    char program[PATH_MAX], shop[PATH_MAX], example[PATH_MAX];
    ssize_t count = readlink("/proc/self/exe", program, sizeof program - 1);
    struct evs_error error = {0};
    if (count <= 0 || !find_file("demo/shop", shop) || !find_file("pipelines/cart_abandonment.evs", example)) {
        fprintf(stderr, "evstream dev: the demo shop's files are not beside the program; run it from the source tree, "
                        "or install it (cmake --install).\n");
        return EVS_EXIT_UNREACHABLE;
    }
    program[count] = '\0';
    settings->dev.program = program;
    settings->dev.shop_folder = shop;
    settings->dev.example = example;
    evs_status status = evs_dev_run(&settings->dev, &error);
    if (status != EVS_OK) {
        fprintf(stderr, "evstream dev: %s\n", error.text);
    }
    return evs_status_exit_code(status);
}

static int dev_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_dev, argc, argv);
    struct settings settings = {0};
    int id;
    while ((id = evs_args_next(&args)) > 0 || id == EVS_ARG_OPERAND) {
        if (evs_compile_args_take(&settings.compile, id, args.value)) {
            hand_on(&settings, id, args.value);
        } else {
            take_value(&settings, id, args.value);
        }
    }
    int exit_code = id == EVS_ARG_BAD ? EVS_EXIT_USAGE : EVS_EXIT_DONE;
    if (id == EVS_ARG_END) {
        settings.dev.paths = settings.compile.files;
        settings.dev.path_count = settings.compile.file_count;
        settings.dev.run_arguments = settings.run_arguments;
        settings.dev.subjects = settings.subjects;
        settings.dev.os = evs_os_system();
        settings.dev.check = check;
        settings.dev.context = &settings.compile;
        exit_code = run_all(&settings);
    }
    evs_free(settings.subjects);
    evs_free(settings.run_arguments);
    evs_compile_args_fini(&settings.compile);
    return exit_code;
}

const struct evs_command evs_command_dev = {
    .name = "dev",
    .summary = "everything on one machine: servers, collector, pipelines, a shop to click in",
    .group = EVS_GROUP_RUN,
    .operands = "*.evs",
    .options = options,
    .usage = "evstream dev [OPTION]… [FILE|DIR]…",
    .description =
        "Starts a nats-server and a redis-server of its own, the collector, each pipeline and a demo shop, and "
        "prints their\naddresses. A pipeline is compiled when its file is saved and takes the place of the "
        "one that runs; a faulty one does\nnot. Triggers are shown here and on the shop's page. Ctrl-C stops "
        "everything. Without a file the example of a cart\nthat is left behind runs, with a wait of ten "
        "seconds.",
    .run = dev_command,
};
