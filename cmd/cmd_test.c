/* evstream test: runs the tests that pipeline files hold, on the real engine, without a server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "format_json.h"
#include "scenario.h"
#include "test_report.h"
#include "test_script.h"

enum { OPTION_FILTER = 1, OPTION_FORMAT };
static const struct evs_arg options[] = {
    {OPTION_FILTER, "--only", "TEXT", "runs the tests whose title holds the text", NULL},
    {OPTION_FORMAT, "--format", "text|junit", "how results are written: for people, or as JUnit's XML (text)",
     "text|junit"},
    {EVS_ARG_PARAM, "--param", "NAME=VALUE", "sets a parameter; what a test sets goes before it", NULL},
    {0}};

struct session {
    const char *only;
    const char **params;
    uint32_t param_count, param_capacity;
    struct evs_log *log;
    struct evs_registry registry; /* with the connectors that stand in */
    const struct evs_source **sources;
    const struct evs_sink **sinks;
    const struct evs_lookup **tables;
    struct evs_arena arena; /* of the tables */
    const struct evs_test_writer *writer;
    struct evs_test_totals totals;
};

/* --- compiling with the sources scripted and the sinks captured ---------------------------------------------------------------- */

static uint32_t length_of(const void *list)
{
    uint32_t count = 0;
    for (const void *const *at = list; *at != NULL; at++) {
        count++;
    }
    return count;
}

static void init_registry(struct session *session)
{
    uint32_t sources = length_of(evs_registry.sources), sinks = length_of(evs_registry.sinks);
    session->registry = evs_registry;
    session->sources = evs_alloc_zero((sources + 3u) * sizeof *session->sources);
    session->sinks = evs_alloc_zero((sinks + 2u) * sizeof *session->sinks);
    memcpy(session->sources, evs_registry.sources, sources * sizeof *session->sources);
    memcpy(session->sinks, evs_registry.sinks, sinks * sizeof *session->sinks);
    session->sources[sources] = &evs_source_scripted;
    session->sources[sources + 1] = &evs_source_scripted_bounded;
    uint32_t tables = length_of(evs_registry.tables);
    session->tables = evs_alloc_zero((tables + 1u) * sizeof *session->tables);
    for (uint32_t i = 0; i < tables; i++) {
        session->tables[i] = evs_table_scripted(&session->arena, evs_registry.tables[i]);
    }
    session->registry.tables = session->tables;
    session->sinks[sinks] = &evs_sink_captured;
    session->registry.sources = session->sources;
    session->registry.sinks = session->sinks;
    session->registry.print_connector = evs_sink_captured.kind;
}

static bool is_bounded(const char *connector)
{
    for (const struct evs_source *const *at = evs_registry.sources; *at != NULL; at++) {
        if (strcmp((*at)->kind, connector) == 0) {
            return (*at)->bounded;
        }
    }
    return false;
}

struct overrides {
    struct evs_arena arena;
    const char **sources, **sinks, **params;
    uint32_t param_count;
};

static void init_overrides(struct overrides *overrides, const struct session *session, const struct evs_tests *tests,
                           const struct evs_test *test)
{
    *overrides = (struct overrides){0};
    overrides->sources = EVS_ARENA_ARRAY(&overrides->arena, const char *, tests->source_count + 1);
    overrides->sinks = EVS_ARENA_ARRAY(&overrides->arena, const char *, tests->sink_count + 1);
    overrides->params = EVS_ARENA_ARRAY(&overrides->arena, const char *, session->param_count + test->param_count + 1);
    for (uint32_t i = 0; i < tests->source_count; i++) {
        const struct evs_source *source =
            is_bounded(tests->sources[i].connector) ? &evs_source_scripted_bounded : &evs_source_scripted;
        overrides->sources[i] = evs_arena_printf(&overrides->arena, "%s=%s:", tests->sources[i].name, source->kind);
    }
    for (uint32_t i = 0; i < tests->sink_count; i++) {
        overrides->sinks[i] =
            evs_arena_printf(&overrides->arena, "%s=%s:", tests->sinks[i].name, evs_sink_captured.kind);
    }
    for (uint32_t i = 0; i < session->param_count; i++) {
        overrides->params[overrides->param_count++] = session->params[i];
    }
    for (uint32_t i = 0; i < test->param_count; i++) { /* the last one counts */
        overrides->params[overrides->param_count++] = test->params[i];
    }
}

static const char *environment_of_process(void *argument, const char *name)
{
    (void)argument;
    return getenv(name);
}

/* Warnings are for `check`: only errors are shown. */
static evs_status compile(const struct session *session, const char *file, const struct evs_tests *tests,
                          const struct evs_test *test, const struct evs_plan **plan)
{
    struct evs_sources *texts = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(texts);
    struct overrides overrides;
    init_overrides(&overrides, session, tests, test);
    const struct evs_compile_options compile_options = {
        .file = file,
        .texts = texts,
        .params = overrides.params,
        .param_count = overrides.param_count,
        .sources = overrides.sources,
        .source_count = tests->source_count,
        .sinks = overrides.sinks,
        .sink_count = tests->sink_count,
        .environment = environment_of_process,
        .registry = &session->registry,
        .sink_format = &evs_format_json,
    };
    struct evs_error error = {0};
    evs_status status = evs_compile(&compile_options, diagnostics, plan, &error);
    if (evs_diagnostics_errors(diagnostics) > 0) {
        evs_diagnostics_print(diagnostics, stderr);
    } else if (status != EVS_OK) {
        fprintf(stderr, "evstream test: %s\n", error.text);
    }
    evs_arena_fini(&overrides.arena);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(texts);
    return status;
}

/* --- running --------------------------------------------------------------------------------------------------------------------- */

static int run_test(struct session *session, const char *file, const struct evs_tests *tests,
                    const struct evs_test *test)
{
    const struct evs_plan *plan = NULL;
    evs_status status = compile(session, file, tests, test, &plan);
    if (status == EVS_OK) {
        struct evs_scenario_report report = {0};
        struct evs_error error = {0};
        status = evs_scenario_run(plan, test, session->log, &report, &error);
        if (status == EVS_OK) {
            session->totals.passed += report.text.count == 0;
            session->totals.failed += report.text.count > 0;
            session->writer->test(stdout, file, test, &report);
        } else {
            fprintf(stderr, "evstream test: %s\n", error.text);
        }
        evs_buffer_fini(&report.text);
    }
    evs_plan_free(plan);
    return evs_status_exit_code(status);
}

static int run_tests(struct session *session, const char *file, const struct evs_tests *tests)
{
    for (uint32_t i = 0; i < tests->count; i++) {
        if (session->only != NULL && strstr(tests->items[i].title, session->only) == NULL) {
            continue;
        }
        int code = run_test(session, file, tests, &tests->items[i]);
        if (code != EVS_EXIT_DONE) {
            return code;
        }
    }
    return EVS_EXIT_DONE;
}

static int run_file(struct session *session, const char *file)
{
    struct evs_sources *texts = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(texts);
    struct evs_tests tests;
    struct evs_error error = {0};
    evs_status status = evs_tests_load(texts, file, diagnostics, &tests, &error);
    if (status == EVS_E_PIPELINE) {
        evs_diagnostics_print(diagnostics, stderr);
    } else if (status != EVS_OK) {
        fprintf(stderr, "evstream test: %s\n", error.text);
    }
    int code = evs_status_exit_code(status);
    if (status == EVS_OK) {
        code = run_tests(session, file, &tests);
    }
    evs_tests_fini(&tests);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(texts);
    return code;
}

static int run_files(struct session *session, char *const *files, uint32_t count)
{
    session->writer->begin(stdout);
    int result = EVS_EXIT_DONE;
    for (uint32_t i = 0; i < count; i++) {
        int code = run_file(session, files[i]);
        result = code > result ? code : result;
    }
    session->writer->end(stdout, &session->totals);
    return result != EVS_EXIT_DONE ? result : session->totals.failed > 0 ? EVS_EXIT_TEST : EVS_EXIT_DONE;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_test, argc, argv);
    struct session session = {.writer = &evs_test_writer_text};
    struct evs_paths files = {0};
    int id, code = -1;
    while (code < 0 && (id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == OPTION_FORMAT) {
            session.writer = strcmp(args.value, "junit") == 0 ? &evs_test_writer_junit : &evs_test_writer_text;
        } else if (id == OPTION_FILTER) {
            session.only = args.value;
        } else if (id == EVS_ARG_PARAM) {
            EVS_GROW(session.params, session.param_count, session.param_capacity);
            session.params[session.param_count++] = args.value;
        } else if (id == EVS_ARG_OPERAND) {
            code = evs_paths_add(&files, args.value) ? -1 : evs_args_refuse(&args, EVS_NO_PATHS, args.value);
        } else {
            code = id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
    }
    if (code < 0 && files.count == 0) {
        code = evs_args_refuse(&args, "name at least one pipeline file, or a folder of them.");
    }
    if (code < 0) {
        init_registry(&session);
        session.log = evs_log_new(evs_os_system(), EVS_LOG_INFO, false);
        code = run_files(&session, files.names, files.count);
        evs_log_free(session.log);
    }
    evs_free(session.sources);
    evs_free(session.sinks);
    evs_free(session.params);
    evs_free(session.tables);
    evs_arena_fini(&session.arena);
    evs_paths_fini(&files);
    return code;
}

const struct evs_command evs_command_test = {
    .name = "test",
    .summary = "runs the tests that pipeline files hold",
    .group = EVS_GROUP_WRITE,
    .operands = "*.evs",
    .options = options,
    .usage = "evstream test [OPTION]… FILE|DIR…",
    .description =
        "Runs the tests that the files hold: test 'title' { given … advance to … expect … };\n"
        "on the real engine, with scripted sources, captured sinks and a clock that only the tests move.\n"
        "A folder stands for the *.evs files in it. Needs no server. Exit code 5 when a test fails, 1 when a file "
        "has an error.",
    .run = run_command,
};
