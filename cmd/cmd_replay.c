/* evstream replay: a pipeline over stored history, beside the one that runs.
 *
 * Nothing of the running pipeline is touched: the state is in memory and gone with the process, rows go to standard output or where --into says, readers of JetStream
 * are ephemeral, and each replay is an incarnation of its own, so that its trigger ids are nobody else's. It ends by itself, at --to or at what was stored
 * when it began; then open windows are closed, as at the end of any input. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "evstream/memory.h"
#include "evstream/option.h"
#include "evstream/plan.h"
#include "evstream/run.h"
#include "format_json.h"

#define NATS_URL_DEFAULT "nats://127.0.0.1:4222"
#define RETRY_US (INT64_C(60) * 1000 * 1000)
#define OUTBOX_BYTES_MAX (UINT64_C(256) << 20)
#define INTO_DEFAULT "file:-"
#define DEAD_INTO "file:/dev/stderr"
#define SINK_MARK "{sink}"

enum { ARG_FROM = 1, ARG_TO, ARG_INTO, ARG_NATS, ARG_NATS_CREDS, ARG_REDIS, ARG_PARALLELISM, ARG_QUIET };
static const struct evs_arg options[] = {
    {ARG_FROM, "--from", "TIME|SEQUENCE|earliest", "where the history begins: when events were stored, or their number",
     NULL},
    {ARG_TO, "--to", "TIME|SEQUENCE", "where it ends: before this time, with this number (what is stored now)", NULL},
    {ARG_INTO, "--into", "CONNECTOR:ARGUMENT",
     "where rows go (" INTO_DEFAULT "); " SINK_MARK " in it is the sink's name, as in file:" SINK_MARK ".ndjson", NULL},
    {EVS_ARG_PARAM, "--param", "NAME=VALUE", "sets a parameter of the pipeline", NULL},
    {EVS_ARG_SOURCE, "--source", "NAME=CONNECTOR:ARGUMENT", "reads a source from elsewhere: clicks=file:in.ndjson",
     NULL},
    {ARG_NATS, "--nats", "URL[,URL]", "NATS servers (EVSTREAM_NATS_URL; " NATS_URL_DEFAULT ")", NULL},
    {ARG_NATS_CREDS, "--nats-creds", "FILE", "credentials file for NATS", NULL},
    {ARG_REDIS, "--redis", "URL", "Redis server for looked-up tables (EVSTREAM_REDIS_URL)", NULL},
    {ARG_PARALLELISM, "--parallelism", "N", "worker threads (1)", NULL},
    {ARG_QUIET, "--quiet", NULL, "only warnings and errors, no summary", NULL},
    {0},
};

struct replay {
    struct evs_compile_args compile;
    const char *from, *to, *into, *nats_url, *nats_credentials, *redis_url;
    int64_t parallelism, start_value, end_before_us, end_sequence;
    enum evs_start start;
    bool quiet;
    char **overrides; /* of its sinks */
    uint32_t override_count, override_capacity, row_sinks;
};

static struct evs_run *volatile running;
static volatile sig_atomic_t signals_seen;

static void on_signal(int signal_number)
{
    if (signals_seen > 0) {
        _Exit(128 + signal_number);
    }
    signals_seen = 1;
    if (running != NULL) {
        evs_run_stop(running);
    }
}

/* --- arguments ------------------------------------------------------------------------------------------------------------------ */

static bool take_from(struct replay *replay, const char *text)
{
    replay->from = text;
    if (strcmp(text, "earliest") == 0) {
        replay->start = EVS_START_EARLIEST;
        return true;
    }
    if (evs_parse_int64(evs_slice_of(text), &replay->start_value)) {
        replay->start = EVS_START_SEQUENCE;
        return replay->start_value > 0;
    }
    replay->start = EVS_START_TIME;
    return evs_parse_timestamp(evs_slice_of(text), true, &replay->start_value);
}

static bool take_to(struct replay *replay, const char *text)
{
    replay->to = text;
    if (evs_parse_int64(evs_slice_of(text), &replay->end_sequence)) {
        return replay->end_sequence > 0;
    }
    return evs_parse_timestamp(evs_slice_of(text), true, &replay->end_before_us) && replay->end_before_us > 0;
}

/* NULL, or what is wrong. */
static const char *take_value(struct replay *replay, int id, const char *value)
{
    switch (id) {
    case ARG_FROM:
        return take_from(replay, value) ? NULL
                                        : "--from takes a time such as 2026-01-05T10:00:00Z, a sequence, or earliest.";
    case ARG_TO:
        return take_to(replay, value) ? NULL : "--to takes a time such as 2026-01-05T12:00:00Z, or a sequence.";
    case ARG_PARALLELISM:
        return evs_parse_int64(evs_slice_of(value), &replay->parallelism) && replay->parallelism >= 1 &&
                       replay->parallelism <= 64
                   ? NULL
                   : "--parallelism takes a number from 1 to 64.";
    case ARG_INTO:
        replay->into = value;
        return NULL;
    case ARG_NATS:
        replay->nats_url = value;
        return NULL;
    case ARG_NATS_CREDS:
        replay->nats_credentials = value;
        return NULL;
    case ARG_REDIS:
        replay->redis_url = value;
        return NULL;
    default:
        replay->quiet = replay->quiet || id == ARG_QUIET;
        return NULL;
    }
}

static const char *set_or(const char *option, const char *environment, const char *fallback)
{
    const char *set = option != NULL ? option : getenv(environment);
    return set != NULL && set[0] != '\0' ? set : fallback;
}

/* --- sinks: all of them are led elsewhere --------------------------------------------------------------------------------------- */

static void put_into(struct evs_buffer *text, const char *into, const char *sink)
{
    for (const char *mark; (mark = strstr(into, SINK_MARK)) != NULL; into = mark + strlen(SINK_MARK)) {
        evs_buffer_printf(text, "%.*s%s", (int)(mark - into), into, sink);
    }
    evs_buffer_puts(text, into);
}

static void lead_elsewhere(struct replay *replay, const struct evs_plan_node *node)
{
    struct evs_buffer text = {0};
    evs_buffer_printf(&text, "%s=", node->name);
    put_into(&text, node->sink->is_dead_letter ? DEAD_INTO : replay->into, node->name);
    replay->row_sinks += !node->sink->is_dead_letter;
    EVS_GROW(replay->overrides, replay->override_count, replay->override_capacity);
    replay->overrides[replay->override_count] = evs_strndup(text.data, text.count);
    EVS_GROW(replay->compile.sinks, replay->compile.sink_count, replay->compile.sink_capacity);
    replay->compile.sinks[replay->compile.sink_count++] = replay->overrides[replay->override_count++];
    evs_buffer_fini(&text);
}

/* A query without `insert into` prints: its sink is standard output already, and has no declaration. */
static bool is_declared(const struct evs_plan_node *node)
{
    return node->kind == EVS_NODE_SINK && strncmp(node->name, "stdout", 6) != 0;
}

static int compile(struct replay *replay, const struct evs_plan **plan)
{
    replay->compile.is_quiet = true;
    int exit_code = evs_compile_file(&replay->compile, replay->compile.files[0], plan);
    if (exit_code != EVS_EXIT_DONE) {
        return exit_code;
    }
    for (uint32_t i = 0; i < (*plan)->node_count; i++) {
        if (is_declared(&(*plan)->nodes[i])) {
            lead_elsewhere(replay, &(*plan)->nodes[i]);
        }
    }
    evs_plan_free(*plan);
    *plan = NULL;
    replay->compile.is_quiet = replay->quiet;
    return evs_compile_file(&replay->compile, replay->compile.files[0], plan);
}

/* --- running --------------------------------------------------------------------------------------------------------------------- */

static struct evs_run_options run_options(const struct replay *replay, const struct evs_plan *plan, struct evs_log *log)
{
    uint32_t workers = replay->parallelism != 0 ? (uint32_t)replay->parallelism : plan->parallelism;
    return (struct evs_run_options){
        .os = evs_os_system(),
        .log = log,
        .worker_count = workers == 0 ? 1 : workers,
        .batch_rows = EVS_BATCH_ROWS,
        .checkpoint_interval_us = 1000000,
        .nats_url = set_or(replay->nats_url, "EVSTREAM_NATS_URL", NATS_URL_DEFAULT),
        .nats_credentials = replay->nats_credentials,
        .redis_url = set_or(replay->redis_url, "EVSTREAM_REDIS_URL", "redis://127.0.0.1:6379"),
        .until_end = true,
        .at_end_cut = true,
        .start = replay->start,
        .start_value = replay->start_value,
        .end_before_us = replay->end_before_us,
        .end_sequence = (uint64_t)replay->end_sequence,
        .retry_us = RETRY_US,
        .row_format = &evs_format_json,
        .outbox_bytes_max = OUTBOX_BYTES_MAX,
    };
}

static void tell_begin(const struct replay *replay, const struct evs_plan *plan)
{
    bool is_out = strcmp(replay->into, INTO_DEFAULT) == 0;
    fprintf(stderr,
            "replay of %s from %s to %s: its own state, in memory; rows go to %s. A running %s, its state and its "
            "receivers are not touched.\n",
            plan->pipeline, replay->from, replay->to != NULL ? replay->to : "what is stored now",
            is_out ? "standard output" : replay->into, plan->pipeline);
    if (replay->row_sinks > 1 && strstr(replay->into, SINK_MARK) == NULL) {
        fprintf(stderr,
                "the rows of its %u sinks come mixed; --into 'file:" SINK_MARK ".ndjson' makes a file of each.\n",
                replay->row_sinks);
    }
}

static evs_status run_to_end(const struct replay *replay, const struct evs_plan *plan, struct evs_log *log,
                             struct evs_error *error)
{
    const struct evs_run_options how = run_options(replay, plan, log);
    struct evs_run_summary summary;
    struct evs_run *run = NULL;
    evs_status status = evs_run_start(plan, &how, &run, error);
    if (status != EVS_OK) {
        return status;
    }
    running = run;
    if (signals_seen > 0) {
        evs_run_stop(run);
    }
    status = evs_run_wait(run, &summary, error);
    running = NULL;
    if (status == EVS_OK && !replay->quiet) {
        fprintf(stderr, "replay of %s: %llu events, %llu rows out, %llu late, %llu dead letters in %.2f s (%s)\n",
                plan->pipeline, (unsigned long long)summary.totals.events, (unsigned long long)summary.totals.rows_out,
                (unsigned long long)summary.totals.late, (unsigned long long)summary.totals.dead,
                (double)summary.elapsed_us / 1e6, summary.finished ? "complete" : "stopped");
    }
    evs_run_free(run);
    return status;
}

static int replay_file(struct replay *replay)
{
    const struct evs_plan *plan = NULL;
    struct evs_error error = {0};
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    int exit_code = compile(replay, &plan);
    if (exit_code == EVS_EXIT_DONE) {
        struct evs_log *log = evs_log_new(evs_os_system(), EVS_LOG_WARN, false);
        if (!replay->quiet) {
            tell_begin(replay, plan);
        }
        evs_status status = run_to_end(replay, plan, log, &error);
        if (status != EVS_OK && status != EVS_E_CANCELLED) {
            fprintf(stderr, "evstream replay: %s: %s\n", replay->compile.files[0], error.text);
        }
        exit_code = evs_status_exit_code(status);
        evs_log_free(log);
    }
    evs_plan_free(plan);
    return exit_code;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_replay, argc, argv);
    struct replay replay = {.into = INTO_DEFAULT};
    int exit_code = EVS_EXIT_DONE, id;
    bool go = true;
    while (go && (id = evs_args_next(&args)) != EVS_ARG_END) {
        const char *wrong = NULL;
        if (id == EVS_ARG_HELP || id == EVS_ARG_BAD) {
            exit_code = id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
            go = false;
        } else if (!evs_compile_args_take(&replay.compile, id, args.value) &&
                   (wrong = take_value(&replay, id, args.value)) != NULL) {
            exit_code = evs_args_refuse(&args, "%s", wrong);
            go = false;
        }
    }
    if (go && (replay.compile.file_count != 1 || replay.from == NULL)) {
        exit_code =
            evs_args_refuse(&args, "name one pipeline file, and where its history begins: --from TIME|SEQUENCE.");
        go = false;
    }
    exit_code = go ? replay_file(&replay) : exit_code;
    for (uint32_t i = 0; i < replay.override_count; i++) {
        evs_free(replay.overrides[i]);
    }
    evs_free(replay.overrides);
    evs_compile_args_fini(&replay.compile);
    return exit_code;
}

const struct evs_command evs_command_replay = {
    .name = "replay",
    .summary = "runs a pipeline over stored history, beside the one that runs",
    .group = EVS_GROUP_RUN,
    .operands = "*.evs",
    .options = options,
    .usage = "evstream replay FILE --from TIME|SEQUENCE [OPTION]…",
    .description =
        "Reads what is stored from a time or a sequence on, with state of its own in memory, and prints the rows of "
        "the\n"
        "pipeline's sinks as JSON, one a line; dead letters go to standard error. A running pipeline of that name, its "
        "state\n"
        "and its receivers are not touched. Ends by itself: at --to, or at what was stored when it began; windows "
        "that\n"
        "are open then are closed.",
    .run = run_command,
};
