/* evs_simulate: runs seeds, each in a process of its own, and tells the totals.
 *
 *   evs_simulate [--seed S] [--seeds N] [--history]
 *
 * A seed that breaks a promise is told with its violations, its history goes to the folder of --keep; exit code 1. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "simulation.h"

struct result { /* shared with the child */
    bool is_complete, is_fine;
    uint64_t hash;
    struct evs_sim_totals totals;
    char violations[2000];
};

static double cpu_seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void simulate_here(uint64_t seed, bool history, struct result *result)
{
    static struct evs_simulation simulation;
    result->is_fine = evs_simulate(&simulation, seed, history);
    result->hash = simulation.world.hash;
    result->totals = simulation.totals;
    snprintf(result->violations, sizeof result->violations, "%.*s", (int)simulation.world.violations.count,
             simulation.world.violations.count > 0 ? simulation.world.violations.data : "");
    if (history) {
        fwrite(simulation.text.data, 1, simulation.text.count, stdout);
        fwrite(simulation.world.history.data, 1, simulation.world.history.count, stdout);
    }
    result->is_complete = true;
}

/* In a child: what crashed engines have left behind goes with it, and so does the damage of a failed assertion. */
static void simulate_apart(uint64_t seed, struct result *result)
{
    memset(result, 0, sizeof *result);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        simulate_here(seed, false, result);
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("evs_simulate");
        exit(3);
    }
    if (!result->is_complete) {
        snprintf(result->violations, sizeof result->violations, "the simulation broke down (wait status %d)\n", status);
    }
}

static void add_totals(struct evs_sim_totals *sum, const struct evs_sim_totals *one)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)one;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) {
        to[i] += from[i];
    }
}

static void print_totals(uint64_t seeds, uint64_t failed, const struct evs_sim_totals *sum, double seconds)
{
    printf("seeds %" PRIu64 ", violated %" PRIu64 ", events %" PRIu64 ", rows %" PRIu64 ", faults %" PRIu64
           ", engines %" PRIu64 ", commits %" PRIu64 ", fenced %" PRIu64 ", restored %" PRIu64
           ", lost messages %" PRIu64 ", lost writes %" PRIu64 ", duplicates dropped %" PRIu64
           ", simulated seconds %" PRIu64 ", steps %" PRIu64 ", CPU seconds %.1f\n",
           seeds, failed, sum->events, sum->rows, sum->faults, sum->engines, sum->commits, sum->fenced, sum->gaps,
           sum->lost_messages, sum->lost_writes, sum->duplicates, sum->virtual_us / EVS_SIM_SECOND, sum->steps,
           seconds);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, seeds = 1;
    bool history = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            seeds = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--history") == 0) {
            history = true;
        } else {
            fprintf(stderr, "usage: evs_simulate [--seed S] [--seeds N] [--history]\n");
            return 2;
        }
    }
    struct result *result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct evs_sim_totals sum = {0};
    uint64_t failed = 0;
    if (history) {
        simulate_here(seed, true, result);
        fputs(result->violations, stdout);
        return result->is_fine ? 0 : 1;
    }
    for (uint64_t i = 0; i < seeds; i++) {
        simulate_apart(seed + i, result);
        add_totals(&sum, &result->totals);
        if (!result->is_complete || !result->is_fine) {
            failed++;
            printf("seed %" PRIu64 ":\n%s", seed + i, result->violations);
        }
        if (seeds == 1) {
            printf("hash %016" PRIx64 "\n", result->hash);
        }
    }
    print_totals(seeds, failed, &sum, cpu_seconds(CLOCK_PROCESS_CPUTIME_ID));
    return failed > 0;
}
