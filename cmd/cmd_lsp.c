/* evstream lsp: the language server on standard input and output. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "evstream/memory.h"
#include "lsp.h"

enum { OPTION_REFERENCE = 1, OPTION_STDIO };
static const struct evs_arg options[] = {
    {OPTION_REFERENCE, "--reference", "URL", "where the language's reference is, for links", NULL},
    {OPTION_STDIO, "--stdio", NULL, "speak over standard input and output, as always", NULL},
    {0},
};

struct streams {
    int in, out;
};

static size_t read_some(void *self, char *bytes, size_t room)
{
    const struct streams *streams = self;
    ssize_t got;
    do {
        got = read(streams->in, bytes, room);
    } while (got < 0 && errno == EINTR);
    return got > 0 ? (size_t)got : 0;
}

static bool is_ready(void *self)
{
    const struct streams *streams = self;
    struct pollfd handle = {.fd = streams->in, .events = POLLIN};
    return poll(&handle, 1, 0) > 0;
}

static bool write_all(void *self, const char *bytes, size_t count)
{
    const struct streams *streams = self;
    for (size_t at = 0; at < count;) {
        ssize_t written = write(streams->out, bytes + at, count - at);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        at += written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* The protocol gets the two streams for itself: whatever else would print goes to standard error, and a pipeline that imports /dev/stdin finds
 * nothing there. */
static bool take_streams(struct streams *streams)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    streams->in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    streams->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    bool is_right = nothing >= 0 && streams->in >= 0 && streams->out >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
                    dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
    if (nothing >= 0) {
        close(nothing);
    }
    return is_right;
}

/* The reference beside the program: in a build of the project's tree, or installed. */
static char *find_reference(void)
{
    static const char *const places[] = {"../docs/language.md", "../../docs/language.md",
                                         "../share/doc/evstream/language.md"};
    char program[4096], *found = NULL;
    ssize_t count = readlink("/proc/self/exe", program, sizeof program - 1);
    program[count > 0 ? count : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash == NULL) {
        return NULL;
    }
    slash[1] = '\0';
    for (size_t i = 0; i < EVS_COUNT(places) && found == NULL; i++) {
        struct evs_buffer url = {0};
        evs_buffer_printf(&url, "%s%s", program, places[i]);
        evs_buffer_put(&url, "", 1);
        char *real = realpath(url.data, NULL);
        url.count = 0;
        if (real != NULL) {
            evs_buffer_printf(&url, "file://%s", real);
            found = evs_strndup(url.data, url.count);
        }
        free(real);
        evs_buffer_fini(&url);
    }
    return found;
}

static int serve(const char *reference)
{
    struct streams streams;
    if (!take_streams(&streams)) {
        fprintf(stderr, "evstream lsp: standard input or output cannot be used: %s.\n", strerror(errno));
        return EVS_EXIT_UNREACHABLE;
    }
    char *found = reference == NULL ? find_reference() : NULL;
    const struct evs_lsp_io io = {&streams, read_some, is_ready, write_all};
    int code = evs_lsp_serve(&io, &evs_registry, reference != NULL ? reference : found);
    evs_free(found);
    close(streams.in);
    close(streams.out);
    return code;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_lsp, argc, argv);
    const char *reference = NULL;
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == OPTION_REFERENCE) {
            reference = args.value;
        } else if (id == EVS_ARG_OPERAND) {
            return evs_args_refuse(&args, "it takes no file: the editor says which files it edits.");
        } else if (id != OPTION_STDIO) {
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
    }
    return serve(reference);
}

const struct evs_command evs_command_lsp = {
    .name = "lsp",
    .summary = "serves editors: mistakes while typing, completion, hover, renaming",
    .group = EVS_GROUP_WRITE,
    .operands = "",
    .options = options,
    .usage = "evstream lsp [OPTION]…",
    .description = "Serves editors: the Language Server Protocol over standard input and output. An editor starts it; "
                   "docs/editors.md\nsays how. Reads no event and needs no server.",
    .run = run_command,
};
