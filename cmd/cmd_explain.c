/* evstream explain: the plan of a pipeline, for people, as a drawing, or as JSON; and what the code of a diagnostic means. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "evstream/memory.h"
#include "evstream/option.h"
#include "measured.h"
#include "usual.h"

#define OVER_MIN_US 100000

enum { ARG_FORMAT = 1, ARG_LIVE, ARG_AT, ARG_OVER };
static const struct evs_arg options[] = {
    {ARG_FORMAT, "--format", "text|dot|mermaid|json", "how the plan is written (text)", "text|dot|mermaid|json"},
    {ARG_LIVE, "--live", NULL, "what was measured of a pipeline that runs; FILE is its name, or its file", NULL},
    {ARG_AT, "--at", "HOST:PORT", "with --live: where the program listens (" EVS_USUAL_RANGE ")", NULL},
    {ARG_OVER, "--over", "DURATION", "with --live: measures for so long (since the pipeline started)", NULL},
    EVS_COMPILE_ARGS,
    {0},
};

static const struct form {
    const char *name;
    void (*write)(const struct evs_plan *plan, struct evs_buffer *out);
} forms[] = {
    {"text", evs_explain_text}, {"dot", evs_explain_dot}, {"mermaid", evs_explain_mermaid}, {"json", evs_explain_json}};

static const struct form *find_form(const char *name)
{
    for (size_t i = 0; i < EVS_COUNT(forms); i++) {
        if (strcmp(forms[i].name, name) == 0) {
            return &forms[i];
        }
    }
    EVS_ASSERT(!"the option takes no other");
    return NULL;
}

/* `evstream explain E0203`: what a diagnostic means. A word that is a code is no file, for those end with .evs. */
static int explain_code(enum evs_code code)
{
    const struct evs_code_info *info = evs_code_info(code);
    int count = printf("%s: %s\n\n%s\n", info->name, info->title, info->explanation);
    return count > 0 && fflush(stdout) == 0 ? EVS_EXIT_DONE : evs_status_exit_code(EVS_E_IO);
}

/* Four digits behind a letter, and no file: somebody asks for a code. */
static bool looks_like_code(const char *name)
{
    return strchr("EeWwIi", name[0]) != NULL && strspn(name + 1, "0123456789") == 4 && strlen(name) == 5 &&
           access(name, F_OK) != 0;
}

static int print(const struct evs_buffer *text)
{
    size_t written = fwrite(text->data, 1, text->count, stdout);
    return written == text->count && fflush(stdout) == 0 ? EVS_EXIT_DONE : evs_status_exit_code(EVS_E_IO);
}

static int explain_file(const struct evs_compile_args *compile, const char *file, const struct form *form)
{
    const struct evs_plan *plan = NULL;
    int exit_code = evs_compile_file(compile, file, &plan);
    if (exit_code != EVS_EXIT_DONE) {
        return exit_code;
    }
    struct evs_buffer text = {0};
    form->write(plan, &text);
    exit_code = print(&text);
    evs_buffer_fini(&text);
    evs_plan_free(plan);
    return exit_code;
}

/* --- --live -------------------------------------------------------------------------------------------------------------- */

struct live {
    bool is_wanted;
    const char *address;
    int64_t over_us; /* 0: since the start */
};

/* "cart" of "pipelines/cart.evs": the name that a pipeline has unless its file gives it another one. */
static char *pipeline_of(const char *operand)
{
    size_t count = strlen(operand);
    if (count <= 4 || strcmp(operand + count - 4, ".evs") != 0) {
        return evs_strndup(operand, count);
    }
    const char *slash = strrchr(operand, '/');
    const char *stem = slash == NULL ? operand : slash + 1;
    return evs_strndup(stem, (size_t)(operand + count - 4 - stem));
}

static const struct evs_seen_pipeline *find_pipeline(const struct evs_seen *seen, const char *name, const char *address,
                                                     struct evs_error *error)
{
    struct evs_buffer names = {0};
    const struct evs_seen_pipeline *found = NULL;
    for (uint32_t i = 0; i < seen->pipeline_count; i++) {
        evs_buffer_printf(&names, "%s`%s`", i == 0 ? "" : ", ", seen->pipelines[i].name);
        found = strcmp(seen->pipelines[i].name, name) == 0 ? &seen->pipelines[i] : found;
    }
    if (found == NULL) {
        evs_buffer_put(&names, "", 1);
        evs_fail(error, EVS_E_USAGE, "no pipeline `%s` runs at %s; there are: %s.", name, address, names.data);
    } else if (found->uptime_us == 0) {
        evs_fail(error, EVS_E_USAGE, "pipeline `%s` does not run now (%s).", name, found->state);
        found = NULL;
    }
    evs_buffer_fini(&names);
    return found;
}

static evs_status look(const struct live *live, const char *name, struct evs_seen *seen,
                       const struct evs_seen_pipeline **pipeline, struct evs_error *error)
{
    evs_status status = evs_seen_fetch(live->address, seen, error);
    if (status == EVS_OK) {
        *pipeline = find_pipeline(seen, name, live->address, error);
        status = *pipeline == NULL ? error->code : EVS_OK;
    }
    return status;
}

static int print_measured(const struct evs_seen_pipeline *before, const struct evs_seen_pipeline *now, bool as_json)
{
    struct evs_arena arena = {0};
    struct evs_buffer text = {0};
    struct evs_measured measured;
    evs_measured_make(before, now, &arena, &measured);
    (as_json ? evs_measured_json : evs_measured_text)(&measured, &text);
    int exit_code = print(&text);
    evs_buffer_fini(&text);
    evs_arena_fini(&arena);
    return exit_code;
}

static int explain_live(const struct live *live, const char *operand, bool as_json)
{
    struct evs_seen first = {0}, second = {0};
    const struct evs_seen_pipeline *before = NULL, *now = NULL;
    struct evs_error error = {0};
    char *name = pipeline_of(operand);
    evs_status status = live->over_us == 0 ? EVS_OK : look(live, name, &first, &before, &error);
    if (status == EVS_OK && before != NULL) {
        const struct evs_os *os = evs_os_system();
        int64_t until_us = evs_monotonic_us(os) + live->over_us;
        for (int64_t left_us = live->over_us; left_us > 0; left_us = until_us - evs_monotonic_us(os)) {
            (void)os->sockets.wait(os->sockets.self, NULL, NULL, 0, left_us);
        }
    }
    if (status == EVS_OK) {
        status = look(live, name, &second, &now, &error);
    }
    int exit_code = EVS_EXIT_DONE;
    if (status == EVS_OK) {
        exit_code = print_measured(before, now, as_json);
    } else {
        fprintf(stderr, "evstream explain: %s\n", error.text);
        exit_code = evs_status_exit_code(status);
    }
    evs_free(name);
    evs_seen_fini(&first);
    evs_seen_fini(&second);
    return exit_code;
}

/* --- the command ----------------------------------------------------------------------------------------------------------- */

/* EVS_EXIT_DONE: it was one of --live, or none of them. */
static int take_live(struct evs_args *args, int id, struct live *live)
{
    live->is_wanted |= id == ARG_LIVE;
    live->address = id == ARG_AT ? args->value : live->address;
    if (id == ARG_OVER &&
        (!evs_parse_duration(evs_slice_of(args->value), &live->over_us) || live->over_us < OVER_MIN_US)) {
        return evs_args_refuse(args, "--over takes a duration of at least 100ms, such as 10s.");
    }
    return EVS_EXIT_DONE;
}

static int run_live(struct evs_args *args, struct live *live, const struct evs_compile_args *compile,
                    const struct form *form)
{
    bool as_json = form->write == evs_explain_json;
    if (compile->file_count != 1) {
        return evs_args_refuse(args, "name one pipeline that runs, as `evstream status` lists them.");
    }
    if (!as_json && form != &forms[0]) {
        return evs_args_refuse(args, "--live is written as text or json.");
    }
    char found[EVS_USUAL_BYTES];
    live->address = live->address == NULL ? evs_usual_find(compile->files[0], found) : live->address;
    return explain_live(live, compile->files[0], as_json);
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_explain, argc, argv);
    struct evs_compile_args compile = {0};
    const struct form *form = &forms[0];
    struct live live = {0};
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == ARG_FORMAT) {
            form = find_form(args.value);
        } else if (id == ARG_LIVE || id == ARG_AT || id == ARG_OVER) {
            int refused = take_live(&args, id, &live);
            if (refused != EVS_EXIT_DONE) {
                evs_compile_args_fini(&compile);
                return refused;
            }
        } else if (!evs_compile_args_take(&compile, id, args.value)) {
            evs_compile_args_fini(&compile);
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
    }
    int exit_code;
    enum evs_code code;
    if (live.is_wanted) {
        exit_code = run_live(&args, &live, &compile, form);
    } else if (compile.file_count == 1 && evs_code_find(evs_slice_of(compile.files[0]), &code)) {
        exit_code = explain_code(code);
    } else if (compile.file_count == 1 && looks_like_code(compile.files[0])) {
        exit_code =
            evs_args_refuse(&args, "no diagnostic has the code %s; docs/language.md lists them.", compile.files[0]);
    } else if (compile.file_count == 1) {
        exit_code = explain_file(&compile, compile.files[0], form);
    } else {
        exit_code = evs_args_refuse(&args, "name one pipeline file, or the code of a diagnostic.");
    }
    evs_compile_args_fini(&compile);
    return exit_code;
}

const struct evs_command evs_command_explain = {
    .name = "explain",
    .summary = "shows the plan: operators, columns, keys, exchanges, state, delivery",
    .group = EVS_GROUP_WRITE,
    .operands = "*.evs",
    .options = options,
    .usage = "evstream explain [OPTION]… FILE | CODE\n"
             "       evstream explain --live [OPTION]… PIPELINE",
    .description = "Shows the plan of a pipeline: operators, the columns that are kept, keys, exchanges between "
                   "workers, state and\n"
                   "what bounds it, and how each sink is delivered. Reads no event and needs no server. Secrets "
                   "are not shown.\n"
                   "With the code of a diagnostic, as E0203: what it means and what to do.\n"
                   "With --live: what each operator of a running pipeline was measured to do, and what stands out.",
    .run = run_command,
};
