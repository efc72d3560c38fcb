/* evstream fmt: lays pipeline files out in the one way, in place. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "pretty.h"

enum { OPTION_CHECK = 1 };
static const struct evs_arg options[] = {
    {OPTION_CHECK, "--check", NULL, "changes nothing; exit code 1 when a file is laid out otherwise", NULL}, {0}};

enum outcome { SAME, CHANGED, WRONG, UNREADABLE };

/* --- reading and writing ------------------------------------------------------------------------------------------------ */

static bool read_input(struct evs_buffer *text)
{
    char block[65536];
    size_t got;
    while ((got = fread(block, 1, sizeof block, stdin)) > 0) {
        evs_buffer_put(text, block, got);
    }
    return !ferror(stdin);
}

static bool tell(const char *file)
{
    fprintf(stderr, "evstream fmt: `%s` cannot be written: %s.\n", file, strerror(errno));
    return false;
}

static bool write_all(int handle, const struct evs_buffer *text)
{
    for (size_t at = 0; at < text->count;) {
        ssize_t count = write(handle, text->data + at, text->count - at);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        at += count > 0 ? (size_t)count : 0;
    }
    return true;
}

/* Through a file beside it that takes its place: a full disk or a kill leaves the old text or the new one. A link stays a link. */
static bool replace_file(const char *file, const struct evs_buffer *text)
{
    char *real = realpath(file, NULL);
    struct stat status;
    if (real == NULL || stat(real, &status) != 0) {
        free(real);
        return tell(file);
    }
    struct evs_buffer name = {0};
    evs_buffer_printf(&name, "%s.XXXXXX", real);
    evs_buffer_put(&name, "", 1);
    int handle = mkstemp(name.data);
    bool is_written = handle >= 0 && write_all(handle, text) && fchmod(handle, status.st_mode & 07777) == 0 &&
                      fsync(handle) == 0 && rename(name.data, real) == 0;
    is_written = is_written || tell(file);
    if (handle >= 0) {
        close(handle);
    }
    if (!is_written && handle >= 0) {
        unlink(name.data);
    }
    evs_buffer_fini(&name);
    free(real);
    return is_written;
}

/* --- one file ----------------------------------------------------------------------------------------------------------- */

static const struct evs_source_text *load(struct evs_sources *sources, const char *file)
{
    const struct evs_source_text *text = NULL;
    struct evs_error error = {0};
    if (strcmp(file, "-") != 0) {
        if (evs_sources_load(sources, file, &text, &error) != EVS_OK) {
            fprintf(stderr, "evstream fmt: %s\n", error.text);
        }
        return text;
    }
    struct evs_buffer input = {0};
    if (read_input(&input)) {
        text = evs_sources_add(sources, "standard input", (struct evs_slice){input.data, input.count});
    } else {
        fprintf(stderr, "evstream fmt: standard input cannot be read: %s.\n", strerror(errno));
    }
    evs_buffer_fini(&input);
    return text;
}

static enum outcome put_result(const char *file, bool checks, const struct evs_source_text *text,
                               const struct evs_buffer *out)
{
    bool is_input = strcmp(file, "-") == 0;
    bool is_same =
        out->count == text->text.count && (out->count == 0 || memcmp(out->data, text->text.data, out->count) == 0);
    if (is_input && !checks) {
        fwrite(out->data, 1, out->count, stdout);
        return fflush(stdout) == 0 ? SAME : UNREADABLE;
    }
    if (is_same) {
        return SAME;
    }
    if (checks) {
        fprintf(stderr, "evstream fmt: `%s` is laid out otherwise; `evstream fmt %s` changes it.\n", file, file);
        return CHANGED;
    }
    return replace_file(file, out) ? CHANGED : UNREADABLE;
}

static enum outcome format_file(const char *file, bool checks)
{
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(sources);
    const struct evs_source_text *text = load(sources, file);
    struct evs_buffer out = {0};
    enum outcome outcome = UNREADABLE;
    if (text != NULL) {
        outcome = evs_pretty(text, diagnostics, &out) ? put_result(file, checks, text, &out) : WRONG;
    }
    evs_diagnostics_print(diagnostics, stderr);
    evs_buffer_fini(&out);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
    return outcome;
}

static int exit_code(enum outcome outcome, bool checks)
{
    switch (outcome) {
    case SAME:
        return EVS_EXIT_DONE;
    case CHANGED:
        return checks ? EVS_EXIT_PIPELINE : EVS_EXIT_DONE;
    case WRONG:
        return EVS_EXIT_PIPELINE;
    case UNREADABLE:
        break;
    }
    return EVS_EXIT_UNREACHABLE;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_fmt, argc, argv);
    bool checks = false;
    int result = EVS_EXIT_DONE, id;
    uint32_t files = 0;
    const char **names = evs_alloc((size_t)(argc + 1) * sizeof *names);
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == OPTION_CHECK) {
            checks = true;
        } else if (id == EVS_ARG_OPERAND) {
            names[files++] = args.value;
        } else {
            evs_free(names);
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
    }
    for (uint32_t i = 0; i < files; i++) {
        int code = exit_code(format_file(names[i], checks), checks);
        result = code > result ? code : result;
    }
    evs_free(names);
    return files > 0 ? result : evs_args_refuse(&args, "name at least one pipeline file, or `-`.");
}

const struct evs_command evs_command_fmt = {
    .name = "fmt",
    .summary = "lays pipeline files out in the one way",
    .group = EVS_GROUP_WRITE,
    .operands = "*.evs",
    .options = options,
    .usage = "evstream fmt [--check] FILE…",
    .description = "Lays pipeline files out in the one way, in place; comments, names, texts and rows of tests "
                   "stay as they are.\n"
                   "`-` reads standard input and writes standard output. Exit code 1 when a file does not parse "
                   "(it is left as it\n"
                   "is), 3 when one cannot be read or written.",
    .run = run_command,
};
