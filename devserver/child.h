/* A child process: started, listened to line by line, ended.
 *
 * Its standard output and error are one pipe. A quiet child's lines are not shown but remembered, the last ones, so that they
 * can be told when it ends although nobody asked it to. */
#ifndef EVS_DEV_CHILD_H
#define EVS_DEV_CHILD_H

#include <event2/event.h>
#include <sys/types.h>

#include "evstream/memory.h"
#include "terminal.h"

struct evs_dev_child {
    const char *name; /* borrowed */
    enum evs_dev_colour colour;
    bool is_quiet;
    bool is_asked; /* to end */
    pid_t pid;     /* 0: there is none */
    struct bufferevent *output;
    struct evs_buffer last; /* of a quiet child */
};

/* A program by its name: in PATH, else where Debian keeps servers. False: it is not installed. */
bool evs_dev_find_program(const char *name, char *path, size_t bytes);

/* argv ends with NULL; argv[0] is the path. The child leads a session of its own and is killed when this process ends. */
EVS_MUST_CHECK evs_status evs_dev_child_start(struct evs_dev_child *child, struct event_base *loop,
                                              const char *const *argv, struct evs_error *error);
/* Has it ended? Then what it said last is shown, `*code` is its exit code, or 128 + the signal, and there is no child any more. */
bool evs_dev_child_has_ended(struct evs_dev_child *child, int *code);
void evs_dev_child_signal(const struct evs_dev_child *child, int signal_number);
/* Asks it to end: SIGTERM, once. A second one means "at once" to some. */
void evs_dev_child_stop(struct evs_dev_child *child);
/* Shows what a quiet child said last. */
void evs_dev_child_tell_last(const struct evs_dev_child *child);
/* Kills what still lives, and waits for its end. */
void evs_dev_child_fini(struct evs_dev_child *child);

#endif
