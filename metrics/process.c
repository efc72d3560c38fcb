/* The families of the process: what the kernel and the allocator tell. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "evstream_config.h"
#include "metrics.h"

struct process_figures {
    double cpu_seconds;
    double resident_bytes, open_fds, max_fds;
    double allocated_bytes, active_bytes, retained_bytes;
    bool has_allocator; /* jemalloc's figures are there */
};

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

static struct process_figures take_figures(void)
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

void evs_exposition_process(struct evs_exposition *page, const struct evs_log *log, int64_t started_wall_us,
                            uint64_t scrapes)
{
    struct process_figures process = take_figures();
    const char *version = EVS_VERSION;
    evs_exposition_value(page, EVS_METRIC_BUILD, &version, 1);
    evs_exposition_value(page, EVS_METRIC_PROCESS_START, NULL, (double)started_wall_us / 1e6);
    evs_exposition_value(page, EVS_METRIC_PROCESS_CPU, NULL, process.cpu_seconds);
    evs_exposition_value(page, EVS_METRIC_PROCESS_RESIDENT, NULL, process.resident_bytes);
    evs_exposition_value(page, EVS_METRIC_PROCESS_OPEN_FDS, NULL, process.open_fds);
    evs_exposition_value(page, EVS_METRIC_PROCESS_MAX_FDS, NULL, process.max_fds);
    if (process.has_allocator) {
        evs_exposition_value(page, EVS_METRIC_MEMORY_ALLOCATED, NULL, process.allocated_bytes);
        evs_exposition_value(page, EVS_METRIC_MEMORY_ACTIVE, NULL, process.active_bytes);
        evs_exposition_value(page, EVS_METRIC_MEMORY_RETAINED, NULL, process.retained_bytes);
    }
    for (uint32_t level = EVS_LOG_DEBUG; level <= EVS_LOG_ERROR; level++) {
        const char *name = evs_log_level_name(level);
        evs_exposition_value(page, EVS_METRIC_LOG_LINES, &name, (double)evs_log_lines(log, level));
    }
    evs_exposition_value(page, EVS_METRIC_SCRAPES, NULL, (double)scrapes);
}
