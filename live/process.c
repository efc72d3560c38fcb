/* Figures of the process: what the kernel and the allocator tell. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "board.h"
#include "evstream_config.h"

#ifdef EVS_HAVE_JEMALLOC
#include <jemalloc/jemalloc.h>

static double statistic(const char *name)
{
    size_t value = 0, bytes = sizeof value;
    return mallctl(name, &value, &bytes, NULL, 0) == 0 ? (double)value : 0;
}

/* jemalloc gathers its figures when the epoch is written. */
static void take_allocator(struct process_figures *figures)
{
    uint64_t epoch = 1;
    size_t bytes = sizeof epoch;
    if (mallctl("epoch", &epoch, &bytes, &epoch, bytes) == 0) {
        figures->has_allocator = true;
        figures->allocated_bytes = statistic("stats.allocated");
        figures->active_bytes = statistic("stats.active");
        figures->retained_bytes = statistic("stats.retained");
    }
}
#else
static void take_allocator(struct process_figures *figures)
{
    (void)figures; /* a sanitizer has replaced it */
}
#endif

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double count_open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    double count = 0;
    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count > 3 ? count - 3 : 0; /* ".", ".." and the folder itself */
}

static double resident_bytes(void)
{
    unsigned long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%lu %lu", &pages, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

struct process_figures evs_live_process(void)
{
    struct process_figures figures = {.open_fds = count_open_fds(), .resident_bytes = resident_bytes()};
    struct rusage usage;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        figures.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        figures.max_fds = (double)limit.rlim_cur;
    }
    take_allocator(&figures);
    return figures;
}
