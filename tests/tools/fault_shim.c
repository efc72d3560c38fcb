/* Loaded before libc into a process under test (LD_PRELOAD): what a fault round cannot ask of a process in another way.
 *
 *   EVS_SHIM_LEDGER=FILE   a line "<bytes> <path>" for every file that the process has synced: that many bytes of it are on the disk. A power cut is
 *                          then SIGKILL, and each file cut to the last size that stands here; a file that is not named was never synced.
 *   EVS_SHIM_CLOCK=FILE    16 bytes, two 64-bit numbers: nanoseconds by which the wall clock and the boot-time clock are wrong. The file is mapped,
 *                          so a jump is one write into it. The monotonic clock stays true, as it does when a machine's clock is set or it sleeps.
 *
 * The size is taken before the sync is begun: bytes that are written meanwhile may or may not be on the disk, so they do not count. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void shim_note(int fd, off_t bytes)
{
    const char *ledger = getenv("EVS_SHIM_LEDGER");
    char link[64], path[4096], line[4200];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t count = readlink(link, path, sizeof path - 1);
    if (ledger == NULL || count <= 0) {
        return;
    }
    path[count] = '\0';
    int length = snprintf(line, sizeof line, "%lld %s\n", (long long)bytes, path);
    int out = open(ledger, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (out >= 0) {
        ssize_t written = write(out, line, (size_t)length);
        (void)written; /* a ledger that cannot be written makes the cut harsher, not milder */
        close(out);
    }
}

static int shim_sync(int fd, const char *name)
{
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    struct stat before;
    int known = fstat(fd, &before);
    int result = sync(fd);
    if (result == 0 && known == 0 && S_ISREG(before.st_mode)) {
        shim_note(fd, before.st_size);
    }
    return result;
}

int fsync(int fd)
{
    return shim_sync(fd, "fsync");
}

int fdatasync(int fd)
{
    return shim_sync(fd, "fdatasync");
}

/* --- clocks ---------------------------------------------------------------------------------------------------------- */

struct shim_clock {
    int64_t wall_ns, boot_ns;
};

static const struct shim_clock *shim_clock;

__attribute__((constructor)) static void shim_begin(void)
{
    const char *path = getenv("EVS_SHIM_CLOCK");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    void *map = mmap(NULL, sizeof *shim_clock, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    shim_clock = map == MAP_FAILED ? NULL : map;
}

static void shim_add(struct timespec *time, int64_t ns)
{
    int64_t sum = (int64_t)time->tv_nsec + ns % 1000000000;
    time->tv_sec += ns / 1000000000 + (sum < 0 ? -1 : sum / 1000000000);
    time->tv_nsec = sum < 0 ? sum + 1000000000 : sum % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL) {
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    }
    int result = real(clock, time);
    if (result == 0 && shim_clock != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        shim_add(time, shim_clock->wall_ns);
    } else if (result == 0 && shim_clock != NULL && clock == CLOCK_BOOTTIME) {
        shim_add(time, shim_clock->boot_ns);
    }
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    static int (*real)(struct timeval *, void *);
    if (real == NULL) {
        real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    }
    int result = real(time, zone);
    if (result == 0 && shim_clock != NULL) {
        struct timespec fine = {time->tv_sec, time->tv_usec * 1000};
        shim_add(&fine, shim_clock->wall_ns);
        *time = (struct timeval){fine.tv_sec, fine.tv_nsec / 1000};
    }
    return result;
}
