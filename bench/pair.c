/* Compares two commands: runs them in turn, A B A B …, so that a noisy machine is noisy for both, and prints medians and the ratio.
 *
 *   evs_bench_pair [--pairs N] [--events N] [--names A,B] [--json FILE] 'COMMAND A' 'COMMAND B'
 *
 * --json appends a line with every run to FILE (default: EVS_BENCH_PAIRS, if that is set). Each command is given to /bin/sh. Measured from outside, as the kernel accounts for it: wall seconds, CPU seconds of the command and what it
 * waited for, peak resident memory of the largest process. The ratio is B's rate by A's, pair by pair. One pair before the first is not counted. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_MAX 101

struct figure {
    double wall, cpu, memory_mb;
};

struct side {
    const char *name, *command;
    struct figure runs[PAIRS_MAX];
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static struct figure measure(const char *command)
{
    double begun = now();
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "evs_bench_pair: this command failed: %s\n", command);
        exit(1);
    }
    return (struct figure){now() - begun, seconds(usage.ru_utime) + seconds(usage.ru_stime),
                           (double)usage.ru_maxrss / 1024};
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

enum what { WALL, CPU, MEMORY };

static double median_of(const struct side *side, int count, enum what what)
{
    double values[PAIRS_MAX];
    for (int i = 0; i < count; i++) {
        const struct figure *f = &side->runs[i];
        values[i] = what == WALL ? f->wall : what == CPU ? f->cpu : f->memory_mb;
    }
    return median(values, count);
}

static void ratios(const struct side *a, const struct side *b, int count, enum what what, double *least, double *middle,
                   double *most)
{
    double values[PAIRS_MAX];
    for (int i = 0; i < count; i++) {
        values[i] = what == WALL ? a->runs[i].wall / b->runs[i].wall : a->runs[i].cpu / b->runs[i].cpu;
    }
    *middle = median(values, count);
    *least = values[0];
    *most = values[count - 1];
}

static void print_side(const struct side *side, int count, double events)
{
    double wall = median_of(side, count, WALL), cpu = median_of(side, count, CPU);
    printf("  %-10s %8.3f s wall %8.3f s CPU", side->name, wall, cpu);
    if (events > 0) {
        printf(" %8.0f k events/s %8.3f CPU-s a million events", events / wall / 1e3, cpu / events * 1e6);
    }
    printf(" %8.1f MB peak\n", median_of(side, count, MEMORY));
}

/* Every run, in their order, as [wall seconds, CPU seconds, MB]. */
static void print_runs(FILE *file, const struct side *side, int count)
{
    for (int i = 0; i < count; i++) {
        const struct figure *f = &side->runs[i];
        fprintf(file, "%s[%.4f,%.4f,%.1f]", i > 0 ? "," : "[", f->wall, f->cpu, f->memory_mb);
    }
    fputc(']', file);
}

static void print_json(const char *path, const struct side *sides, int count, double events)
{
    FILE *file = fopen(path, "a");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    fprintf(file, "{\"names\":[\"%s\",\"%s\"],\"events\":%.0f,\"runs\":[", sides[0].name, sides[1].name, events);
    print_runs(file, &sides[0], count);
    fputc(',', file);
    print_runs(file, &sides[1], count);
    fprintf(file, "]}\n");
    fclose(file);
}

int main(int argc, char **argv)
{
    int pairs = 5, operands = 0;
    double events = 0;
    char *names = NULL;
    const char *json = getenv("EVS_BENCH_PAIRS");
    struct side sides[2] = {{.name = "A"}, {.name = "B"}};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--pairs") == 0 && i + 1 < argc) {
            pairs = atoi(argv[++i]);
        } else if (strcmp(argv[i], "--events") == 0 && i + 1 < argc) {
            events = atof(argv[++i]);
        } else if (strcmp(argv[i], "--names") == 0 && i + 1 < argc) {
            names = argv[++i];
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json = argv[++i];
        } else if (operands < 2) {
            sides[operands++].command = argv[i];
        }
    }
    if (operands != 2 || pairs < 1 || pairs > PAIRS_MAX) {
        fprintf(stderr,
                "usage: evs_bench_pair [--pairs N] [--events N] [--names A,B] [--json FILE] 'COMMAND A' 'COMMAND B'\n");
        return 2;
    }
    char *comma = names == NULL ? NULL : strchr(names, ',');
    if (comma != NULL) {
        *comma = '\0';
        sides[0].name = names;
        sides[1].name = comma + 1;
    }
    for (int i = -1; i < pairs; i++) {
        for (int j = 0; j < 2; j++) {
            struct figure figure = measure(sides[j].command);
            sides[j].runs[i < 0 ? 0 : i] = figure;
        }
    }
    double least, middle, most, cpu_least, cpu_middle, cpu_most;
    print_side(&sides[0], pairs, events);
    print_side(&sides[1], pairs, events);
    ratios(&sides[0], &sides[1], pairs, WALL, &least, &middle, &most);
    ratios(&sides[0], &sides[1], pairs, CPU, &cpu_least, &cpu_middle, &cpu_most);
    printf("  %s reaches %.0f %% of %s's rate (%.0f to %.0f %% over %d pairs); by CPU time %.0f %% (%.0f to %.0f %%)\n",
           sides[1].name, middle * 100, sides[0].name, least * 100, most * 100, pairs, cpu_middle * 100,
           cpu_least * 100, cpu_most * 100);
    if (json != NULL) {
        print_json(json, sides, pairs, events);
    }
    return 0;
}
