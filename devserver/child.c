#include "child.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_BYTES_MAX 4096
#define LINE_BYTES_MAX 65536 /* a child that never ends its line is shown in pieces */

/* --- programs -------------------------------------------------------------------------------------------------------------- */

static bool find_in(const char *folder, size_t count, const char *name, char *path, size_t bytes)
{
    int written = snprintf(path, bytes, "%.*s/%s", (int)count, folder, name);
    return written > 0 && (size_t)written < bytes && access(path, X_OK) == 0;
}

bool evs_dev_find_program(const char *name, char *path, size_t bytes)
{
    static const char servers[] = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin";
    const char *folders[] = {getenv("PATH"), servers};
    for (size_t i = 0; i < EVS_COUNT(folders); i++) {
        for (const char *at = folders[i]; at != NULL && *at != '\0';) {
            size_t count = strcspn(at, ":");
            if (count > 0 && find_in(at, count, name, path, bytes)) {
                return true;
            }
            at += count + (at[count] == ':');
        }
    }
    return false;
}

/* --- what it says ---------------------------------------------------------------------------------------------------------- */

static void remember(struct evs_dev_child *child, struct evs_slice line)
{
    struct evs_buffer *last = &child->last;
    if (last->count + line.count + 1 > LAST_BYTES_MAX) {
        size_t kept = last->count / 2;
        memmove(last->data, last->data + last->count - kept, kept);
        last->count = kept;
    }
    evs_buffer_put(last, line.data, line.count < LAST_BYTES_MAX / 2 ? line.count : LAST_BYTES_MAX / 2);
    evs_buffer_put(last, "\n", 1);
}

static void take_line(struct evs_dev_child *child, struct evs_slice line)
{
    if (child->is_quiet) {
        remember(child, line);
    } else {
        evs_dev_line(child->name, child->colour, line);
    }
}

static void take_lines(struct evs_dev_child *child, struct evbuffer *input, bool is_end)
{
    size_t count;
    char *line;
    while ((line = evbuffer_readln(input, &count, EVBUFFER_EOL_LF)) != NULL) {
        take_line(child, (struct evs_slice){line, count});
        free(line); /* libevent's own */
    }
    count = evbuffer_get_length(input);
    if (count > LINE_BYTES_MAX || (is_end && count > 0)) {
        take_line(child, (struct evs_slice){(const char *)evbuffer_pullup(input, -1), count});
        evbuffer_drain(input, count);
    }
}

static void on_output(struct bufferevent *output, void *argument)
{
    take_lines(argument, bufferevent_get_input(output), false);
}

void evs_dev_child_tell_last(const struct evs_dev_child *child)
{
    for (size_t at = 0; at < child->last.count;) {
        const char *line = child->last.data + at;
        const char *end = memchr(line, '\n', child->last.count - at);
        size_t count = end == NULL ? child->last.count - at : (size_t)(end - line);
        evs_dev_line(child->name, child->colour, (struct evs_slice){line, count});
        at += count + 1;
    }
}

/* --- its life -------------------------------------------------------------------------------------------------------------- */

/* In the child, between fork and exec: only what is safe there. */
static _Noreturn void become(const char *const *argv, int output, pid_t parent)
{
    int nothing = open("/dev/null", O_RDONLY);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127); /* the parent ended before the line above */
    }
    dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    static const int handled[] = {SIGPIPE, SIGINT, SIGTERM, SIGCHLD};
    for (size_t i = 0; i < EVS_COUNT(handled); i++) {
        signal(handled[i], SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* one that came meanwhile ends the child now */
    execv(argv[0], (char *const *)argv);   /* the parent's other descriptors are close-on-exec */
    _exit(127);
}

evs_status evs_dev_child_start(struct evs_dev_child *child, struct event_base *loop, const char *const *argv,
                               struct evs_error *error)
{
    int ends[2];
    EVS_ASSERT(child->pid == 0 && child->output == NULL);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return evs_fail(error, EVS_E_IO, "No pipe for the output of %s: %s.", child->name, strerror(errno));
    }
    child->last.count = 0;
    child->is_asked = false;
    pid_t parent = getpid();
    /* A signal for the child before it has forgotten our handlers would be told to our own loop. */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    child->pid = fork();
    if (child->pid == 0) {
        become(argv, ends[1], parent);
    }
    int failure = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (child->pid < 0) {
        child->pid = 0;
        close(ends[0]);
        return evs_fail(error, EVS_E_IO, "%s cannot be started: %s.", child->name, strerror(failure));
    }
    evutil_make_socket_nonblocking(ends[0]);
    child->output = bufferevent_socket_new(loop, ends[0], BEV_OPT_CLOSE_ON_FREE);
    EVS_ASSERT(child->output != NULL);
    bufferevent_setcb(child->output, on_output, NULL, NULL, child);
    bufferevent_enable(child->output, EV_READ);
    return EVS_OK;
}

/* What the pipe still holds; a grandchild that keeps it open is not waited for. A buffer of libevent's sockets lets nobody else
 * add to it, so its bytes are moved first. */
static void drain_output(struct evs_dev_child *child)
{
    struct evbuffer *rest = evbuffer_new();
    char bytes[4096];
    ssize_t got;
    EVS_ASSERT(rest != NULL);
    bufferevent_read_buffer(child->output, rest);
    while ((got = read(bufferevent_getfd(child->output), bytes, sizeof bytes)) > 0) {
        evbuffer_add(rest, bytes, (size_t)got);
        take_lines(child, rest, false);
    }
    take_lines(child, rest, true);
    evbuffer_free(rest);
    bufferevent_free(child->output);
    child->output = NULL;
}

bool evs_dev_child_has_ended(struct evs_dev_child *child, int *code)
{
    int status;
    if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid) {
        return false;
    }
    *code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    child->pid = 0;
    drain_output(child);
    return true;
}

void evs_dev_child_signal(const struct evs_dev_child *child, int signal_number)
{
    if (child->pid > 0) {
        kill(child->pid, signal_number);
    }
}

void evs_dev_child_stop(struct evs_dev_child *child)
{
    if (!child->is_asked) {
        evs_dev_child_signal(child, SIGTERM);
    }
    child->is_asked = true;
}

void evs_dev_child_fini(struct evs_dev_child *child)
{
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        child->pid = 0;
    }
    if (child->output != NULL) {
        bufferevent_free(child->output);
        child->output = NULL;
    }
    evs_buffer_fini(&child->last);
}
