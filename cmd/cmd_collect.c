/* evstream collect: takes events over HTTP and hands them to JetStream. Its options are the collector's settings
 * (collector/settings.def), which its configuration file has too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "collector.h"
#include "event_log.h"

#define ARG_CONFIG EVS_SETTING_COUNT

static const struct evs_arg options[] = {
    {ARG_CONFIG, "--config", "FILE", "reads settings from a file; options go before it (docs/collector.md)", NULL},
#define EVS_SETTING(id, name, value, help, choices, kind, field, fallback, least, most)                                \
    {EVS_SETTING_ID_##id, "--" name, value, help, choices},
#include "settings.def"
#undef EVS_SETTING
    {0},
};

/* What the program was called with, to read the configuration again. */
struct given {
    int argc;
    char **argv;
    const char *file; /* NULL: none */
};

/* Options first, then the file, then the environment: what comes later fills what is not set. */
static evs_status complete(const struct given *given, struct evs_config *config, struct evs_error *error)
{
    const char *url = getenv("EVSTREAM_NATS_URL"), *bucket = getenv("EVSTREAM_BUCKET");
    evs_status status = EVS_OK;
    if (given->file != NULL) {
        status = evs_config_read(config, evs_os_system(), given->file, error);
    }
    if (status == EVS_OK) {
        status = evs_config_finish(config, error);
    }
    config->nats_url = config->nats_url != NULL ? config->nats_url : url;
    config->bucket = config->bucket != NULL ? config->bucket : bucket != NULL ? bucket : "evstream";
    config->bucket = strcmp(config->bucket, "off") != 0 ? config->bucket : NULL;
    return status;
}

/* The options have been accepted once. */
static evs_status load_again(void *context, struct evs_config *config, struct evs_error *error)
{
    const struct given *given = context;
    struct evs_args args = evs_args_of(&evs_command_collect, given->argc, given->argv);
    for (int id; (id = evs_args_next(&args)) != EVS_ARG_END;) {
        evs_status status = EVS_OK;
        if (id != ARG_CONFIG) {
            bool is_flag = options[id].value == NULL;
            status = evs_config_set(config, (enum evs_setting_id)id, is_flag ? NULL : args.value, error);
        }
        if (status != EVS_OK) {
            return status;
        }
    }
    return complete(given, config, error);
}

static int take_arguments(struct evs_args *args, struct given *given, struct evs_config *config, bool *go)
{
    const char *file = NULL;
    struct evs_error error;
    *go = false;
    for (int id; (id = evs_args_next(args)) != EVS_ARG_END;) {
        if (id == EVS_ARG_HELP) {
            return EVS_EXIT_DONE;
        }
        if (id == EVS_ARG_BAD) {
            return EVS_EXIT_USAGE;
        }
        if (id == EVS_ARG_OPERAND) {
            return evs_args_refuse(args, "`%s`: there is nothing to name here but options.", args->value);
        }
        if (id == ARG_CONFIG) {
            file = args->value;
            continue;
        }
        bool is_flag = options[id].value == NULL;
        EVS_ASSERT(options[id].id == id);
        if (evs_config_set(config, (enum evs_setting_id)id, is_flag ? NULL : args->value, &error) != EVS_OK) {
            return evs_args_refuse(args, "--%s", error.text);
        }
    }
    given->file = file;
    if (complete(given, config, &error) != EVS_OK) {
        return evs_args_refuse(args, "%s", error.text);
    }
    *go = true;
    return EVS_EXIT_DONE;
}

static int collect(const struct evs_config *config, struct given *given)
{
    struct evs_error error;
    struct evs_log *log = evs_log_new(evs_os_system(), (enum evs_log_level)config->log_level, config->log_json != 0);
    struct evs_collector_options how = {
        .config = config, .os = evs_os_system(), .log = log, .load = load_again, .context = given};
    evs_event_log_to(log);
    evs_status status = evs_collector_run(&how, &error);
    evs_event_log_to(NULL);
    if (status != EVS_OK) {
        fprintf(stderr, "evstream collect: %s\n", error.text);
    }
    evs_log_free(log);
    return evs_status_exit_code(status);
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_collect, argc, argv);
    struct given given = {.argc = argc, .argv = argv};
    struct evs_config config;
    bool go;
    evs_config_init(&config);
    int exit_code = take_arguments(&args, &given, &config, &go);
    if (go) {
        exit_code = collect(&config, &given);
    }
    evs_config_fini(&config);
    return exit_code;
}

const struct evs_command evs_command_collect = {
    .name = "collect",
    .summary = "takes events over HTTP and brings them to JetStream",
    .group = EVS_GROUP_RUN,
    .operands = "",
    .options = options,
    .usage = "evstream collect [OPTION]…",
    .description =
        "Serves the protocols of the common trackers (Segment, RudderStack, Snowplow, PostHog, …) and the "
        "tracker itself\n"
        "as /evs.js, and publishes their events to the JetStream stream CLICKS. An event is answered with "
        "200 when JetStream\n"
        "has stored it or, while NATS is away, the spool has. SIGINT or SIGTERM drains, exit 0; SIGHUP reads "
        "the configuration again.",
    .run = run_command,
};
