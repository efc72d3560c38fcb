/* The seams: clock, random, files, sockets, threads, and where log lines go. One interface each.
 *
 * Everything that the engine, operators, connectors and stores ask of the operating system goes through these tables, so
 * that a simulator can stand behind them (simulator/): one seed then decides every time, wake-up, fault and interleaving.
 * Only cnats, for TLS and credentials files, libpq and libcurl own their sockets; sources/nats_link.h, sinks/pg_link.h and sinks/http_client.h wrap them. evs_os_system() is the real
 * implementation, engine/base/os_*.c. */
#ifndef EVS_OS_H
#define EVS_OS_H

#include <sys/types.h>

#include "evstream/status.h"
#include "evstream/text.h"

/* All times are microseconds. */
struct evs_clock {
    int64_t (*monotonic_us)(void *self); /* CLOCK_MONOTONIC: intervals */
    int64_t (*boot_us)(void *self);      /* CLOCK_BOOTTIME: goes on while the machine is suspended; leases */
    int64_t (*wall_us)(void *self); /* CLOCK_REALTIME since 1970 UTC: only for _ingested_at of files and for logs */
    void (*sleep_us)(void *self, int64_t us);
    void *self;
};

struct evs_random {
    uint64_t (*next)(void *self); /* nonces, jitter; not for secrets */
    void *self;
};

/* Files. A handle is an opaque pointer; errors are EVS_E_IO with errno's text in `error`. The path "-" is standard input
 * or output. After sync the file's bytes and its name survive a power cut. Calls block; signals do not interrupt them. */
struct evs_file;
enum evs_file_mode {
    EVS_FILE_READ,
    EVS_FILE_READ_PIPE, /* as EVS_FILE_READ, and a named pipe is not waited for until it has a writer: read it when its wait_fd says so */
    EVS_FILE_WRITE_TRUNCATE,
    EVS_FILE_WRITE_RESUME, /* create or keep; the caller truncates to its committed offset */
};
struct evs_files {
    evs_status (*open)(void *self, const char *path, enum evs_file_mode mode, struct evs_file **file,
                       struct evs_error *error);
    /* Reads up to `bytes` at the current position; *got 0 means end. */
    evs_status (*read)(struct evs_file *file, void *data, size_t bytes, size_t *got, struct evs_error *error);
    evs_status (*write)(struct evs_file *file, const void *data, size_t bytes, struct evs_error *error); /* all of it */
    evs_status (*seek)(struct evs_file *file, uint64_t offset, struct evs_error *error);
    evs_status (*truncate)(struct evs_file *file, uint64_t bytes, struct evs_error *error);
    evs_status (*sync)(struct evs_file *file, struct evs_error *error);
    evs_status (*size)(struct evs_file *file, uint64_t *bytes, bool *is_regular, struct evs_error *error);
    /* Of a pipe the descriptor that says when a read finds something or the end; -1: it is none. */
    int (*wait_fd)(struct evs_file *file);
    void (*close)(struct evs_file *file);
    /* Gives a file another name, which survives a power cut, too. EVS_AGAIN: there is a file of that name,
     * and it stays. */
    evs_status (*rename)(void *self, const char *from, const char *to, struct evs_error *error);
    /* A file, or a folder that is empty. One that is not there is removed. */
    evs_status (*remove)(void *self, const char *path, struct evs_error *error);
    /* Makes the folders that the path of a file leads through. */
    evs_status (*make_folders)(void *self, const char *path, struct evs_error *error);
    /* Calls `each` with the name of every file of a folder, in no order. The folder may change meanwhile. */
    evs_status (*list)(void *self, const char *folder, void (*each)(void *argument, const char *name), void *argument,
                       struct evs_error *error);
    /* Calls `each` with the path of every file, folders left out, that a pattern names: `*`, `?` and `[…]` as in a shell, in folders' names, too; in no order; a file that is called like the pattern itself is that file. A folder
     * that cannot be read is an error: its files would be missing and nobody would know. */
    evs_status (*match)(void *self, const char *pattern, void (*each)(void *argument, const char *path), void *argument,
                        struct evs_error *error);
    void *self;
};

/* Threads: parking and waking. A park is a counter that wakes its one waiter (an eventfd, so that it can be waited on
 * together with sockets). */
struct evs_thread;
struct evs_park;
struct evs_threads {
    evs_status (*spawn)(void *self, const char *name, void (*run)(void *argument), void *argument,
                        struct evs_thread **thread);
    void (*join)(struct evs_thread *thread);
    struct evs_park *(*park_new)(void *self);
    void (*park_free)(struct evs_park *park);
    void (*wake)(struct evs_park *park); /* any thread; never blocks; wakes are not counted */
    void *self;
};

/* Stream sockets that never block, and waiting for readiness. The park of the calling thread is always part of the wait. */
struct sockaddr;
#define EVS_WAIT_FDS_MAX 64u
struct evs_wait_fd {
    int fd;
    bool want_read, want_write; /* in */
    bool can_read, can_write;   /* out */
};
struct evs_sockets {
    /* Blocks until an fd is ready, the park (NULL: none) is woken, a signal came, or timeout_us has passed (0 polls,
     * negative waits without end). A broken fd is ready. Returns the number of ready fds, at most EVS_WAIT_FDS_MAX. */
    int (*wait)(void *self, struct evs_park *park, struct evs_wait_fd *fds, uint32_t fd_count, int64_t timeout_us);
    /* Begins to connect: a descriptor, or -1 with errno. Once it can be written, `failure` tells how that has ended. A TCP
     * socket sends at once (no delay) and notices a dead peer within a minute (keep-alive). */
    int (*connect)(void *self, const struct sockaddr *address, uint32_t address_bytes);
    int (*failure)(void *self, int fd); /* the error that waits on the socket, as errno; 0: none */
    /* As send(2) and recv(2): part of the bytes, or -1 with errno; EAGAIN when nothing goes. No signal is raised. */
    ssize_t (*send)(void *self, int fd, const void *data, size_t bytes);
    ssize_t (*receive)(void *self, int fd, void *data, size_t bytes);
    void (*close)(void *self, int fd);
    void *self;
};

/* Where whole log lines go: standard error. A line that cannot be written is lost; there is nobody to tell. */
struct evs_console {
    void (*write)(void *self, const char *line, size_t bytes);
    void *self;
};

/* Processes: who a lease's holder is, and whether it is known to be gone, so that nobody waits for a dead one. NULL slots: not known. */
#define EVS_PROCESS_NAME_MAX 256u
struct evs_processes {
    /* This process, printable and without spaces: "host/pid/…". No other process of any machine ever has the same name. */
    void (*name)(void *self, char out[EVS_PROCESS_NAME_MAX]);
    /* It has certainly ended; false when it lives, or runs where we cannot see it. */
    bool (*has_ended)(void *self, const char *name);
    void *self;
};

struct evs_os {
    struct evs_clock clock;
    struct evs_random random;
    struct evs_files files;
    struct evs_threads threads;
    struct evs_sockets sockets;
    struct evs_console console;
    struct evs_processes processes;
};

/* The real operating system. One static instance; nothing to free. */
const struct evs_os *evs_os_system(void);

static inline int64_t evs_monotonic_us(const struct evs_os *os)
{
    return os->clock.monotonic_us(os->clock.self);
}

/* Log lines go to the console only. Text, or JSON with the field names of the Elastic Common Schema. Rate-limited by `cause` (a short stable name):
 * after EVS_LOG_BURST lines of a cause at one place within 10 s the rest is counted and told in one line. Thread-safe. */
#define EVS_LOG_BURST 10u
enum evs_log_level { EVS_LOG_DEBUG, EVS_LOG_INFO, EVS_LOG_WARN, EVS_LOG_ERROR };
struct evs_log;
struct evs_log *evs_log_new(const struct evs_os *os, enum evs_log_level level, bool json);
void evs_log_free(struct evs_log *log);
const char *evs_log_level_name(enum evs_log_level level);
/* Lines of this level so far, those that the limit left out included; any thread. */
uint64_t evs_log_lines(const struct evs_log *log, enum evs_log_level level);
void evs_log(struct evs_log *log, enum evs_log_level level, const char *cause, const char *format, ...)
    EVS_PRINTF(4, 5);

/* Where lines come from: labels in JSON. NULL: not said. */
struct evs_log_place {
    const char *pipeline;
    const char *kind, *name; /* "source", "clicks": of a part of the pipeline */
    bool is_shown;           /* in text, too: needed where several pipelines share a log */
};
/* A log whose lines go to `parent` and say where they come from; freed before it. What `place` does not say is taken from the parent. NULL parent: NULL. */
struct evs_log *evs_log_at(struct evs_log *parent, struct evs_log_place place);
/* True the first time that this text is asked about, of any log of the same root: what holds as long as the program runs is told once, and not by every worker, group and
 * start. False for a NULL log. */
bool evs_log_first(struct evs_log *log, const char *text);

/* What a line is about, beside its words: fields in JSON. */
struct evs_log_about {
    const struct evs_error *error; /* error.code and error.message */
    uint64_t first, last;          /* sequences of messages in the broker's log; 0: none */
};
void evs_log_about(struct evs_log *log, enum evs_log_level level, const char *cause, struct evs_log_about about,
                   const char *format, ...) EVS_PRINTF(5, 6);

#endif
