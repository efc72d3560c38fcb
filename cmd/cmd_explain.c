/* evstream explain: the plan of a pipeline, for people, as a drawing, or as JSON; and what the code of a diagnostic means. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "evstream/memory.h"

enum { ARG_FORMAT = 1 };
static const struct evs_arg options[] = {
    {ARG_FORMAT, "--format", "text|dot|mermaid|json", "how the plan is written (text)", "text|dot|mermaid|json"},
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

static int explain_file(const struct evs_compile_args *compile, const char *file, const struct form *form)
{
    const struct evs_plan *plan = NULL;
    int exit_code = evs_compile_file(compile, file, &plan);
    if (exit_code != EVS_EXIT_DONE) {
        return exit_code;
    }
    struct evs_buffer text = {0};
    form->write(plan, &text);
    size_t written = fwrite(text.data, 1, text.count, stdout);
    exit_code = written == text.count && fflush(stdout) == 0 ? EVS_EXIT_DONE : evs_status_exit_code(EVS_E_IO);
    evs_buffer_fini(&text);
    evs_plan_free(plan);
    return exit_code;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_explain, argc, argv);
    struct evs_compile_args compile = {0};
    const struct form *form = &forms[0];
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == ARG_FORMAT) {
            form = find_form(args.value);
        } else if (!evs_compile_args_take(&compile, id, args.value)) {
            evs_compile_args_fini(&compile);
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
    }
    int exit_code;
    enum evs_code code;
    if (compile.file_count == 1 && evs_code_find(evs_slice_of(compile.files[0]), &code)) {
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
    .usage = "evstream explain [OPTION]… FILE | CODE",
    .description = "Shows the plan of a pipeline: operators, the columns that are kept, keys, exchanges between "
                   "workers, state and\n"
                   "what bounds it, and how each sink is delivered. Reads no event and needs no server. Secrets "
                   "are not shown.\n"
                   "With the code of a diagnostic, as E0203: what it means and what to do.",
    .run = run_command,
};
