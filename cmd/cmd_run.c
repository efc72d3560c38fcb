/* evstream run: compiles pipelines, runs them until their input ends or a signal asks for a drain. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "event_log.h"
#include "evstream/memory.h"
#include "evstream/option.h"
#include "evstream/run.h"
#include "format_json.h"
#include "live.h"
#include "run_pipelines.h"
#include "run_traces.h"
#include "store_redis.h"
#include "usual.h"

#define NATS_URL_DEFAULT "nats://127.0.0.1:4222"
#define REDIS_URL_DEFAULT "redis://127.0.0.1:6379"
#define CHECKPOINT_INTERVAL_US 1000000
#define CHECKPOINT_INTERVAL_MIN_US 50000
#define RETRY_US (INT64_C(60) * 1000 * 1000)
#define OUTBOX_BYTES_MAX (UINT64_C(256) << 20)
#define LEASE_US (INT64_C(10) * 1000 * 1000)
#define LEASE_MIN_US INT64_C(1000000)
#define LEASE_MAX_US (INT64_C(3600) * 1000 * 1000)
#define BUCKET_DEFAULT "evstream"

enum {
    ARG_NATS = 1,
    ARG_NATS_CREDS,
    ARG_REDIS,
    ARG_STATE,
    ARG_PARALLELISM,
    ARG_GROUPS,
    ARG_CHECKPOINT_INTERVAL,
    ARG_FROM,
    ARG_UNTIL_END,
    ARG_AT_END,
    ARG_CREATE,
    ARG_ALLOW_DROP,
    ARG_RETRY,
    ARG_LEASE,
    ARG_STANDBY,
    ARG_BUCKET,
    ARG_STATE_LOST,
    ARG_REPUBLISH,
    ARG_BATCH_ROWS,
    ARG_CHECKPOINT_BATCHES,
    ARG_LISTEN,
    ARG_TOKEN_FILE,
    ARG_OTLP,
    ARG_TRACE_SAMPLE,
    ARG_LOG_FORMAT,
    ARG_LOG_LEVEL,
    ARG_QUIET,
    ARG_PROGRESS,
};

static const struct evs_arg options[] = {
    EVS_COMPILE_ARGS,
    {ARG_NATS, "--nats", "URL[,URL]", "NATS servers (EVSTREAM_NATS_URL; " NATS_URL_DEFAULT ")", NULL},
    {ARG_NATS_CREDS, "--nats-creds", "FILE", "credentials file for NATS", NULL},
    {ARG_REDIS, "--redis", "URL", "Redis server (EVSTREAM_REDIS_URL; " REDIS_URL_DEFAULT ")", NULL},
    {ARG_STATE, "--state", "redis|memory", "where state is kept (redis; memory when all connectors are files)",
     "redis|memory"},
    {ARG_PARALLELISM, "--parallelism", "N", "worker threads (1)", NULL},
    {ARG_GROUPS, "--groups", "N", "groups of a new pipeline, for engines that share it (1)", NULL},
    {ARG_CHECKPOINT_INTERVAL, "--checkpoint-interval", "DURATION", "time between checkpoints, at least 50ms (1s)",
     NULL},
    {ARG_FROM, "--from", "WHERE", "earliest, latest, committed, a time or a sequence (committed, else earliest)", NULL},
    {ARG_UNTIL_END, "--until-end", NULL, "stops when all that was stored at the start is processed", NULL},
    {ARG_AT_END, "--at-end", "close|stop", "at the end of the input close all windows, or leave them open (close)",
     "close|stop"},
    {ARG_CREATE, "--create", NULL, "makes streams that are missing", NULL},
    {ARG_ALLOW_DROP, "--allow-drop", NULL,
     "goes on although the pipeline has changed and a part of its stored state is lost by it", NULL},
    {ARG_RETRY, "--retry", "DURATION", "how long a server may be away before the run ends with exit code 3 (60s)",
     NULL},
    {ARG_LEASE, "--lease", "DURATION|off",
     "how long a silent engine keeps its pipeline from those that stand by (10s); off: who starts last runs it", NULL},
    {ARG_STANDBY, "--standby", NULL, "stands by again when another engine has taken over, instead of exit code 6",
     NULL},
    {ARG_BUCKET, "--bucket", "NAME",
     "NATS key-value bucket in which engines agree who runs what (EVSTREAM_BUCKET; " BUCKET_DEFAULT ")", NULL},
    {ARG_STATE_LOST, "--state-lost", "accept|restart",
     "when Redis has less than it had confirmed: goes on from what it has, or begins anew (exit code 4)",
     "accept|restart"},
    {ARG_REPUBLISH, "--republish", NULL,
     "publishes again what is derived again, also when the sinks' streams hold it already", NULL},
    {ARG_BATCH_ROWS, "--batch-rows", "N", "rows a batch, 1 to 1024 (1024); results never depend on it", NULL},
    {ARG_CHECKPOINT_BATCHES, "--checkpoint-batches", "N",
     "a checkpoint after every N-th batch instead of by time (tests)", NULL},
    {ARG_LISTEN, "--listen", "HOST:PORT|off",
     "where metrics, health and the live page are shown (" EVS_LISTEN_DEFAULT
     " or the next free port; off for files alone)",
     NULL},
    {ARG_TOKEN_FILE, "--token-file", "FILE",
     "token that the live page asks for before it changes something (EVSTREAM_TOKEN; none: read-only)", NULL},
    {ARG_OTLP, "--otlp", "URL",
     "sends traces to an OpenTelemetry collector (OTEL_EXPORTER_OTLP_ENDPOINT); http://HOST:4318", NULL},
    {ARG_TRACE_SAMPLE, "--trace-sample", "SHARE", "of the events whose trace is sampled: how many are traced (1%)",
     NULL},
    {ARG_LOG_FORMAT, "--log-format", "text|json", "how log lines look on standard error (text)", "text|json"},
    {ARG_LOG_LEVEL, "--log-level", "LEVEL", "debug, info, warn or error (info)", "debug|info|warn|error"},
    {ARG_QUIET, "--quiet", NULL, "only warnings and errors, no summary", NULL},
    {ARG_PROGRESS, "--progress", "auto|always|never",
     "a progress line on a terminal, while state is restored and when the input is bounded (auto)",
     "auto|always|never"},
    {0},
};

/* What the arguments said; 0 or NULL: nothing. */
struct settings {
    struct evs_compile_args compile;
    const char *nats_url, *nats_credentials, *redis_url, *state, *progress, *bucket, *listen, *token_file, *otlp;
    int64_t groups, parallelism, checkpoint_interval_us, retry_us, batch_rows, checkpoint_batches, lease_us;
    double trace_share; /* 0: not said */
    enum evs_start start;
    int64_t start_value;
    bool until_end, at_end_stop, create, quiet, log_json, standby, republish;
    bool allow_drop;
    enum evs_log_level log_level;
    enum evs_state_lost state_lost;
};

/* --- arguments ----------------------------------------------------------------------------------------------------------- */

static bool take_number(const char *text, int64_t least, int64_t most, int64_t *value)
{
    return evs_parse_int64(evs_slice_of(text), value) && *value >= least && *value <= most;
}

static bool take_from(struct settings *settings, const char *text)
{
    struct evs_slice slice = evs_slice_of(text);
    if (strcmp(text, "earliest") == 0) {
        settings->start = EVS_START_EARLIEST;
    } else if (strcmp(text, "latest") == 0) {
        settings->start = EVS_START_LATEST;
    } else if (strcmp(text, "committed") == 0) {
        settings->start = EVS_START_COMMITTED;
    } else if (evs_parse_int64(slice, &settings->start_value)) {
        settings->start = EVS_START_SEQUENCE;
        return settings->start_value > 0;
    } else if (evs_parse_timestamp(slice, true, &settings->start_value)) {
        settings->start = EVS_START_TIME;
    } else {
        return false;
    }
    return true;
}

static enum evs_log_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    uint32_t level = 0;
    while (level < EVS_LOG_ERROR && strcmp(names[level], name) != 0) {
        level++;
    }
    return (enum evs_log_level)level;
}

static bool take_lease(struct settings *settings, const char *text)
{
    if (strcmp(text, "off") == 0) {
        settings->lease_us = 0;
        return true;
    }
    return evs_parse_duration(evs_slice_of(text), &settings->lease_us) && settings->lease_us >= LEASE_MIN_US &&
           settings->lease_us <= LEASE_MAX_US;
}

/* NULL, or what is wrong with the value. */
static const char *take_value(struct settings *settings, int id, const char *value)
{
    struct evs_slice text = value == NULL ? (struct evs_slice){0} : evs_slice_of(value);
    switch (id) {
    case ARG_PARALLELISM:
        return take_number(value, 1, 64, &settings->parallelism) ? NULL : "--parallelism takes a number from 1 to 64.";
    case ARG_GROUPS:
        return take_number(value, 1, EVS_GROUPS_MAX, &settings->groups) ? NULL
                                                                        : "--groups takes a number from 1 to 64.";
    case ARG_BATCH_ROWS:
        return take_number(value, 1, EVS_BATCH_ROWS, &settings->batch_rows)
                   ? NULL
                   : "--batch-rows takes a number from 1 to 1024.";
    case ARG_CHECKPOINT_BATCHES:
        return take_number(value, 1, UINT32_MAX, &settings->checkpoint_batches)
                   ? NULL
                   : "--checkpoint-batches takes a number.";
    case ARG_CHECKPOINT_INTERVAL:
        return evs_parse_duration(text, &settings->checkpoint_interval_us) &&
                       settings->checkpoint_interval_us >= CHECKPOINT_INTERVAL_MIN_US
                   ? NULL
                   : "--checkpoint-interval takes a duration of at least 50ms, such as 250ms or 5s.";
    case ARG_RETRY:
        return evs_parse_duration(text, &settings->retry_us) && settings->retry_us > 0
                   ? NULL
                   : "--retry takes a duration, such as 30s.";
    case ARG_TRACE_SAMPLE:
        return evs_otlp_share(value, &settings->trace_share)
                   ? NULL
                   : "--trace-sample takes a share above 0, such as 1%, 0.01 or 100%.";
    case ARG_LEASE:
        return take_lease(settings, value) ? NULL : "--lease takes a duration from 1s to 1h, such as 10s; or off.";
    case ARG_FROM:
        return take_from(settings, value)
                   ? NULL
                   : "--from takes earliest, latest, committed, a time such as 2026-01-05T10:00:00Z, or a sequence.";
    default:
        return NULL;
    }
}

static void take_flag(struct settings *settings, int id, const char *value)
{
    switch (id) {
    case ARG_NATS:
        settings->nats_url = value;
        break;
    case ARG_NATS_CREDS:
        settings->nats_credentials = value;
        break;
    case ARG_REDIS:
        settings->redis_url = value;
        break;
    case ARG_STATE:
        settings->state = value;
        break;
    case ARG_STATE_LOST:
        settings->state_lost = strcmp(value, "accept") == 0 ? EVS_LOST_ACCEPT : EVS_LOST_RESTART;
        break;
    case ARG_BUCKET:
        settings->bucket = value;
        break;
    case ARG_PROGRESS:
        settings->progress = value;
        break;
    case ARG_OTLP:
        settings->otlp = value;
        break;
    case ARG_LISTEN:
        settings->listen = value;
        break;
    case ARG_TOKEN_FILE:
        settings->token_file = value;
        break;
    case ARG_LOG_LEVEL:
        settings->log_level = level_of(value);
        break;
    case ARG_LOG_FORMAT:
        settings->log_json = strcmp(value, "json") == 0;
        break;
    case ARG_AT_END:
        settings->at_end_stop = strcmp(value, "stop") == 0;
        break;
    default:
        settings->until_end |= id == ARG_UNTIL_END;
        settings->create |= id == ARG_CREATE;
        settings->allow_drop |= id == ARG_ALLOW_DROP;
        settings->quiet |= id == ARG_QUIET;
        settings->standby |= id == ARG_STANDBY;
        settings->republish |= id == ARG_REPUBLISH;
    }
}

/* EVS_EXIT_DONE and `*go` true when the run is to begin. */
static int take_arguments(struct evs_args *args, struct settings *settings, bool *go)
{
    int id;
    *go = false;
    while ((id = evs_args_next(args)) != EVS_ARG_END) {
        if (id == EVS_ARG_HELP) {
            return EVS_EXIT_DONE;
        }
        if (id == EVS_ARG_BAD) {
            return EVS_EXIT_USAGE;
        }
        if (evs_compile_args_take(&settings->compile, id, args->value)) {
            continue;
        }
        const char *wrong = take_value(settings, id, args->value);
        if (wrong != NULL) {
            return evs_args_refuse(args, "%s", wrong);
        }
        take_flag(settings, id, args->value);
    }
    if (settings->compile.file_count == 0) {
        return evs_args_refuse(args, "name at least one pipeline file or folder.");
    }
    *go = true;
    return EVS_EXIT_DONE;
}

/* --- pipelines ----------------------------------------------------------------------------------------------------------------- */

static const char *first_of(const char *option, const char *environment, const char *fallback)
{
    const char *set = option != NULL ? option : getenv(environment);
    return set != NULL && set[0] != '\0' ? set : fallback;
}

static bool wants_redis(const struct settings *settings, const struct evs_plan *plan)
{
    if (settings->state != NULL) {
        return strcmp(settings->state, "redis") == 0;
    }
    return plan->state == EVS_STATE_UNSET ? !plan->only_files : plan->state == EVS_STATE_REDIS;
}

static bool wants_progress(const struct settings *settings, const struct evs_plan *plan)
{
    if (settings->quiet || settings->log_json ||
        (settings->progress != NULL && strcmp(settings->progress, "never") == 0)) {
        return false;
    }
    if (settings->progress != NULL && strcmp(settings->progress, "always") == 0) {
        return true;
    }
    return isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO) && (plan->only_files || settings->until_end);
}

/* Lines of several pipelines would write over each other. */
static bool wants_restore_progress(const struct settings *settings, bool is_only_one)
{
    const char *progress = settings->progress == NULL ? "auto" : settings->progress;
    if (settings->quiet || settings->log_json || !is_only_one || strcmp(progress, "never") == 0) {
        return false;
    }
    return strcmp(progress, "always") == 0 || isatty(STDERR_FILENO);
}

static void set_options(struct evs_pipeline *pipeline, const struct settings *settings, struct evs_log *log,
                        bool is_only_one)
{
    const struct evs_plan *plan = pipeline->plan;
    int64_t workers = settings->parallelism != 0 ? settings->parallelism : plan->parallelism;
    int64_t interval =
        settings->checkpoint_interval_us != 0 ? settings->checkpoint_interval_us : plan->checkpoint_interval_us;
    pipeline->standby = settings->standby;
    pipeline->log_json = settings->log_json;
    pipeline->options = (struct evs_run_options){
        .os = evs_os_system(),
        .log = evs_log_at(log, (struct evs_log_place){.pipeline = plan->pipeline, .is_shown = !is_only_one}),
        .worker_count = workers == 0 ? 1 : (uint32_t)workers,
        .batch_rows = settings->batch_rows == 0 ? EVS_BATCH_ROWS : (uint32_t)settings->batch_rows,
        .checkpoint_interval_us = interval == 0 ? CHECKPOINT_INTERVAL_US : interval,
        .store = wants_redis(settings, plan) ? &evs_store_redis : NULL,
        .nats_url = first_of(settings->nats_url, "EVSTREAM_NATS_URL", NATS_URL_DEFAULT),
        .nats_credentials = settings->nats_credentials,
        .redis_url = first_of(settings->redis_url, "EVSTREAM_REDIS_URL", REDIS_URL_DEFAULT),
        .create = settings->create,
        .allow_drop = settings->allow_drop,
        .until_end = settings->until_end,
        .at_end_stop = settings->at_end_stop,
        .at_end_cut = !settings->at_end_stop,
        .start = settings->start,
        .start_value = settings->start_value,
        .retry_us = settings->retry_us == 0 ? RETRY_US : settings->retry_us,
        .lease_us = settings->lease_us,
        .groups = (uint32_t)settings->groups,
        .state_lost = settings->state_lost,
        .republish = settings->republish,
        .bucket = first_of(settings->bucket, "EVSTREAM_BUCKET", BUCKET_DEFAULT),
        .row_format = &evs_format_json,
        .progress = wants_progress(settings, plan),
        .restore_progress = wants_restore_progress(settings, is_only_one),
        .outbox_bytes_max = OUTBOX_BYTES_MAX,
        .checkpoint_batches = (uint32_t)settings->checkpoint_batches,
    };
}

/* The name owns the state: the second of two pipelines would take it from the first. */
static int refuse_same_name(const struct evs_pipeline *pipelines, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(pipelines[i].plan->pipeline, pipelines[j].plan->pipeline) == 0) {
                fprintf(stderr,
                        "evstream run: %s and %s are both the pipeline `%s`, and a name owns its state; give one "
                        "another name (`pipeline NAME;`).\n",
                        pipelines[j].file, pipelines[i].file, pipelines[i].plan->pipeline);
                return EVS_EXIT_USAGE;
            }
        }
    }
    return EVS_EXIT_DONE;
}

static int compile_all(const struct settings *settings, const struct evs_paths *files, struct evs_pipeline *pipelines,
                       struct evs_log *log)
{
    for (uint32_t i = 0; i < files->count; i++) {
        pipelines[i].file = files->names[i];
        int exit_code = evs_compile_file(&settings->compile, files->names[i], &pipelines[i].plan);
        if (exit_code != EVS_EXIT_DONE) {
            return exit_code;
        }
        set_options(&pipelines[i], settings, log, files->count == 1);
    }
    return refuse_same_name(pipelines, files->count);
}

/* The first of the usual addresses that is free: a second program beside the first is seen, too. */
static int listen_somewhere(struct evs_live *live, struct evs_log *log)
{
    char address[EVS_USUAL_BYTES];
    struct evs_error error = {0}, first = {0};
    for (uint32_t i = 0; i < EVS_USUAL_COUNT; i++) {
        if (evs_live_listen(live, evs_usual_address(i, address), &error) == EVS_OK) {
            evs_log(log, EVS_LOG_INFO, "listening", "metrics, health and the live page at http://%s%s",
                    evs_live_address(live),
                    i == 0 ? "" : " (another program has the usual port; `evstream status` finds both)");
            return EVS_EXIT_DONE;
        }
        first = i == 0 ? error : first;
    }
    evs_log(
        log, EVS_LOG_WARN, "not_listening",
        "No metrics and no live page: %s, and the %u ports behind it are taken, too. Give a free address with --listen "
        "HOST:PORT, or say --listen off.",
        first.text, EVS_USUAL_COUNT - 1);
    return EVS_EXIT_DONE;
}

/* A run over files is over soon, and nobody looks. */
static int listen_for(const struct settings *settings, const struct evs_pipeline *pipelines, uint32_t count,
                      struct evs_live *live, struct evs_log *log)
{
    bool only_files = true;
    for (uint32_t i = 0; i < count; i++) {
        only_files = only_files && pipelines[i].plan->only_files;
    }
    if (settings->listen == NULL ? only_files : strcmp(settings->listen, "off") == 0) {
        return EVS_EXIT_DONE;
    }
    if (settings->listen == NULL) {
        return listen_somewhere(live, log);
    }
    struct evs_error error = {0};
    evs_status status = evs_live_listen(live, settings->listen, &error);
    if (status == EVS_OK) {
        evs_log(log, EVS_LOG_INFO, "listening", "metrics, health and the live page at http://%s",
                evs_live_address(live));
        return EVS_EXIT_DONE;
    }
    fprintf(stderr, "evstream run: --listen: %s\n", error.text);
    return evs_status_exit_code(status);
}

static int run_live(const struct settings *settings, struct evs_pipeline *pipelines, uint32_t count,
                    struct evs_log *log)
{
    struct evs_error error = {0};
    char *token;
    if (evs_live_token(settings->token_file, &token, &error) != EVS_OK) {
        fprintf(stderr, "evstream run: %s\n", error.text);
        return EVS_EXIT_USAGE;
    }
    struct evs_live_options live_options = {
        .os = evs_os_system(),
        .log = log,
        .token = token,
        .explain = evs_explain_json,
        .nats_url = first_of(settings->nats_url, "EVSTREAM_NATS_URL", NATS_URL_DEFAULT),
        .nats_credentials = settings->nats_credentials,
        .redis_url = first_of(settings->redis_url, "EVSTREAM_REDIS_URL", REDIS_URL_DEFAULT)};
    if (evs_run_traces(settings->otlp, settings->trace_share, live_options.os, log, &live_options.otlp, &error) !=
        EVS_OK) {
        fprintf(stderr, "evstream run: --otlp: %s\n", error.text);
        evs_free(token);
        return EVS_EXIT_USAGE;
    }
    struct evs_live *live = evs_live_new(&live_options);
    for (uint32_t i = 0; i < count; i++) {
        pipelines[i].options.tracer = live_options.otlp == NULL ? NULL : evs_otlp_tracer(live_options.otlp);
        pipelines[i].live = live;
        pipelines[i].number = i;
        pipelines[i].live_number = evs_live_add(live, pipelines[i].plan, pipelines[i].file);
    }
    int exit_code = listen_for(settings, pipelines, count, live, log);
    if (exit_code == EVS_EXIT_DONE) {
        exit_code = evs_pipelines_run(pipelines, count, settings->quiet);
    }
    evs_live_free(live);
    evs_otlp_free(live_options.otlp);
    evs_free(token);
    return exit_code;
}

static int run_files(const struct settings *settings, const struct evs_paths *files)
{
    struct evs_pipeline pipelines[EVS_PIPELINES_MAX] = {0};
    struct evs_log *log = evs_log_new(
        evs_os_system(), settings->quiet && settings->log_level < EVS_LOG_WARN ? EVS_LOG_WARN : settings->log_level,
        settings->log_json);
    evs_event_log_to(log);
    evs_pipelines_catch_signals(); /* first of all: a signal while pipelines compile and open is a drain, too */
    int exit_code = compile_all(settings, files, pipelines, log);
    if (exit_code == EVS_EXIT_DONE) {
        exit_code = run_live(settings, pipelines, files->count, log);
    }
    for (uint32_t i = 0; i < files->count; i++) {
        evs_plan_free(pipelines[i].plan);
        evs_log_free(pipelines[i].options.log);
    }
    evs_event_log_to(NULL);
    evs_log_free(log);
    return exit_code;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_run, argc, argv);
    struct settings settings = {.start = EVS_START_COMMITTED, .log_level = EVS_LOG_INFO, .lease_us = LEASE_US};
    struct evs_paths files = {0};
    bool go;
    int exit_code = take_arguments(&args, &settings, &go);
    for (uint32_t i = 0; go && i < settings.compile.file_count; i++) {
        if (!evs_paths_add(&files, settings.compile.files[i])) {
            exit_code = evs_args_refuse(&args, EVS_NO_PATHS, settings.compile.files[i]);
            go = false;
        }
    }
    if (go && files.count > EVS_PIPELINES_MAX) {
        exit_code = evs_args_refuse(&args, "one process runs at most %d pipelines; %u were named.", EVS_PIPELINES_MAX,
                                    files.count);
        go = false;
    }
    if (go) {
        exit_code = run_files(&settings, &files);
    }
    evs_paths_fini(&files);
    evs_compile_args_fini(&settings.compile);
    return exit_code;
}

const struct evs_command evs_command_run = {
    .name = "run",
    .summary = "runs pipelines until they are stopped or their input ends",
    .group = EVS_GROUP_RUN,
    .operands = "*.evs",
    .options = options,
    .usage = "evstream run [OPTION]… FILE|DIR…",
    .description = "Runs pipelines until they are stopped (SIGINT or SIGTERM: drain, checkpoint, exit 0) or their "
                   "input ends.\n"
                   "An option goes before the environment, the environment before `set` in the file.",
    .run = run_command,
};
