/* How long compiling takes, in time of the processor, so that what else the machine does is not measured: bench_compile FILE…
 *
 * Each file is read and compiled to a plan again and again in one process, with the connectors of the program; printed are the median and the
 * fastest run, and what it came to. A file that is wrong is measured too: its diagnostics are part of the time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd.h"

#define RUNS 51
#define SECONDS_MAX 5 /* of one file: slow ones run less often */

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Compiles once. The result in words. */
static const char *compile(const char *file, char *what, size_t bytes)
{
    struct evs_sources *texts = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(texts);
    struct evs_compile_options options = {.file = file, .texts = texts, .registry = &evs_registry};
    const struct evs_plan *plan = NULL;
    struct evs_error error = {0};
    evs_status status = evs_compile(&options, diagnostics, &plan, &error);
    if (status == EVS_OK) {
        snprintf(what, bytes, "%u nodes, %u warnings", plan->node_count, evs_diagnostics_warnings(diagnostics));
    } else if (evs_diagnostics_count(diagnostics) > 0) {
        const struct evs_diag_view first = evs_diagnostics_at(diagnostics, 0);
        snprintf(what, bytes, "%s: %.60s", evs_code_info(first.code)->name, first.message);
    } else {
        snprintf(what, bytes, "%.100s", error.text);
    }
    evs_plan_free(plan);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(texts);
    return what;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void measure(const char *file)
{
    int64_t times[RUNS];
    char what[256];
    uint32_t count = 0;
    for (int64_t begin = now_us(); count < RUNS && (count < 3 || now_us() - begin < SECONDS_MAX * 1000000); count++) {
        int64_t before = now_us();
        compile(file, what, sizeof what);
        times[count] = now_us() - before;
    }
    qsort(times, count, sizeof *times, compare);
    const char *slash = strrchr(file, '/');
    printf("  %-28s %8.2f ms median, %8.2f ms fastest of %2u   %s\n", slash != NULL ? slash + 1 : file,
           (double)times[count / 2] / 1000, (double)times[0] / 1000, count, what);
}

int main(int count, char **arguments)
{
    if (count < 2) {
        fprintf(stderr, "usage: bench_compile FILE…\n");
        return EVS_EXIT_USAGE;
    }
    for (int i = 1; i < count; i++) {
        measure(arguments[i]);
    }
    return EVS_EXIT_DONE;
}
