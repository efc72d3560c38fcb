/* Files of the real system.
 *
 * The path "-" is standard input or standard output. A file that is written becomes durable with its first sync together
 * with its name: the folder is synced then too, or a power cut could keep the bytes and lose the entry. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evstream/memory.h"
#include "os_system.h"

struct evs_file {
    int fd;
    bool is_standard;   /* stdin or stdout: not ours to close */
    bool folder_synced; /* the file's name is durable, or is not ours */
    char *path;
};

/* Made from errno, so it must be called before anything that could change it. */
static evs_status file_fail(struct evs_error *error, const char *verb, const char *path)
{
    EVS_ASSERT(errno != 0);
    char buffer[128];
    evs_status status = errno == EPIPE ? EVS_E_CANCELLED : EVS_E_IO; /* nobody reads on: `| head` has seen enough */
    const char *reason = strerror_r(errno, buffer, sizeof buffer);
    if (strcmp(path, "-") == 0) {
        const char *stream = strcmp(verb, "read") == 0 ? "input" : "output";
        return evs_fail(error, status, "Cannot %s standard %s: %s.", verb, stream, reason);
    }
    return evs_fail(error, status, "Cannot %s the file `%s`: %s.", verb, path, reason);
}

static int open_flags(enum evs_file_mode mode)
{
    switch (mode) {
    case EVS_FILE_READ:
        return O_RDONLY;
    case EVS_FILE_READ_PIPE:
        return O_RDONLY | O_NONBLOCK;
    case EVS_FILE_WRITE_TRUNCATE:
        return O_WRONLY | O_CREAT | O_TRUNC;
    case EVS_FILE_WRITE_RESUME:
        return O_WRONLY | O_CREAT;
    }
    EVS_ASSERT(!"a known mode");
    return 0;
}

static int open_retrying(const char *path, int flags)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

evs_status evs_system_file_open(void *self, const char *path, enum evs_file_mode mode, struct evs_file **file,
                                struct evs_error *error)
{
    (void)self;
    EVS_ASSERT(path != NULL && file != NULL);
    bool is_standard = strcmp(path, "-") == 0;
    bool reads = mode == EVS_FILE_READ || mode == EVS_FILE_READ_PIPE;
    int fd = is_standard ? (reads ? STDIN_FILENO : STDOUT_FILENO) : open_retrying(path, open_flags(mode));
    if (fd < 0) {
        return file_fail(error, "open", path);
    }
    *file = evs_alloc(sizeof **file);
    **file = (struct evs_file){
        .fd = fd,
        .is_standard = is_standard,
        .folder_synced = is_standard || reads,
        .path = evs_strdup(path),
    };
    return EVS_OK;
}

/* A pipe that we inherit may be non-blocking; the contract is blocking. */
static bool retry_after(int fd, short events)
{
    if (errno == EINTR) {
        return true;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
        return false;
    }
    struct pollfd wait = {.fd = fd, .events = events};
    return poll(&wait, 1, -1) >= 0 || errno == EINTR;
}

evs_status evs_system_file_read(struct evs_file *file, void *data, size_t bytes, size_t *got, struct evs_error *error)
{
    EVS_ASSERT(file != NULL && got != NULL);
    ssize_t count;
    do {
        count = read(file->fd, data, bytes);
    } while (count < 0 && retry_after(file->fd, POLLIN));
    if (count < 0) {
        *got = 0;
        return file_fail(error, "read", file->path);
    }
    *got = (size_t)count;
    return EVS_OK;
}

evs_status evs_system_file_write(struct evs_file *file, const void *data, size_t bytes, struct evs_error *error)
{
    EVS_ASSERT(file != NULL);
    EVS_ASSERT(data != NULL || bytes == 0);
    const char *next = data;
    while (bytes > 0) {
        ssize_t count = write(file->fd, next, bytes);
        if (count >= 0) {
            EVS_ASSERT((size_t)count <= bytes);
            next += count;
            bytes -= (size_t)count;
        } else if (!retry_after(file->fd, POLLOUT)) {
            return file_fail(error, "write to", file->path);
        }
    }
    return EVS_OK;
}

evs_status evs_system_file_seek(struct evs_file *file, uint64_t offset, struct evs_error *error)
{
    EVS_ASSERT(file != NULL);
    if (offset > INT64_MAX) {
        errno = EOVERFLOW;
    } else if (lseek(file->fd, (off_t)offset, SEEK_SET) >= 0) {
        return EVS_OK;
    }
    return file_fail(error, "seek in", file->path);
}

int evs_system_file_wait_fd(struct evs_file *file)
{
    EVS_ASSERT(file != NULL);
    struct stat about;
    return fstat(file->fd, &about) == 0 && S_ISFIFO(about.st_mode) ? file->fd : -1;
}

evs_status evs_system_file_truncate(struct evs_file *file, uint64_t bytes, struct evs_error *error)
{
    EVS_ASSERT(file != NULL);
    int result = -1;
    if (bytes > INT64_MAX) {
        errno = EOVERFLOW;
    } else {
        do {
            result = ftruncate(file->fd, (off_t)bytes);
        } while (result < 0 && errno == EINTR);
    }
    return result == 0 ? EVS_OK : file_fail(error, "truncate", file->path);
}

/* The folder of the path; the caller frees it. dirname may write into its argument. */
static char *folder_of(const char *path)
{
    char *copy = evs_strdup(path);
    char *folder = evs_strdup(dirname(copy));
    evs_free(copy);
    return folder;
}

static evs_status sync_folder(struct evs_file *file, struct evs_error *error)
{
    EVS_ASSERT(!file->is_standard);
    char *folder = folder_of(file->path);
    evs_status status = EVS_OK;
    int fd = open_retrying(folder, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)) {
        status = file_fail(error, "make durable the folder of", file->path);
    }
    if (fd >= 0) {
        close(fd);
    }
    evs_free(folder);
    file->folder_synced = status == EVS_OK;
    return status;
}

evs_status evs_system_file_sync(struct evs_file *file, struct evs_error *error)
{
    EVS_ASSERT(file != NULL);
    /* EINVAL and EROFS: pipes, terminals and the like have nothing that could be lost. */
    if (fdatasync(file->fd) < 0 && errno != EINVAL && errno != EROFS) {
        return file_fail(error, "make durable", file->path);
    }
    return file->folder_synced ? EVS_OK : sync_folder(file, error);
}

evs_status evs_system_file_size(struct evs_file *file, uint64_t *bytes, bool *is_regular, struct evs_error *error)
{
    EVS_ASSERT(file != NULL && bytes != NULL && is_regular != NULL);
    struct stat about;
    if (fstat(file->fd, &about) < 0) {
        return file_fail(error, "look at", file->path);
    }
    *is_regular = S_ISREG(about.st_mode);
    *bytes = *is_regular ? (uint64_t)about.st_size : 0;
    return EVS_OK;
}

/* A write error that close would report has been reported by sync, which a caller that cares has called. */
void evs_system_file_close(struct evs_file *file)
{
    if (file == NULL) {
        return;
    }
    if (!file->is_standard) {
        close(file->fd);
    }
    evs_free(file->path);
    evs_free(file);
}

/* --- the console ------------------------------------------------------------------------------------------------------ */

void evs_system_console_write(void *self, const char *line, size_t bytes)
{
    (void)self;
    if (write(STDERR_FILENO, line, bytes) < 0) {
        /* A log that cannot be written must not stop the engine. */
    }
}
