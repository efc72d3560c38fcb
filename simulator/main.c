/* evs_simulate: runs seeds, each in a process of its own, and tells the totals.
 *
 *   evs_simulate [--seed S] [--seeds N]     what was broken, and the totals; the hash of the history, if it is one seed
 *   evs_simulate --seed S --history         the pipeline and all that happened, in the order of virtual time
 *   evs_simulate --seed S --sabotage        the simulated NATS forgets a trigger that it has acknowledged: must end with 1
 *
 * Exit code 1: a seed broke a promise. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "simulation.h"

struct wish { /* of the command line */
    uint64_t seed, seeds;
    bool history, sabotage;
};

struct result { /* shared with the child */
    bool is_complete, is_fine;
    uint64_t hash;
    struct evs_sim_totals totals;
    char violations[2000];
};

/* Of the simulations, which run in children. */
static double cpu_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void simulate_here(uint64_t seed, const struct wish *wish, struct result *result)
{
    static struct evs_simulation simulation;
    result->is_fine = evs_simulate(&simulation, seed, wish->history, wish->sabotage);
    result->hash = simulation.world.hash;
    result->totals = simulation.totals;
    snprintf(result->violations, sizeof result->violations, "%.*s", (int)simulation.world.violations.count,
             simulation.world.violations.count > 0 ? simulation.world.violations.data : "");
    if (wish->history) {
        fwrite(simulation.text.data, 1, simulation.text.count, stdout);
        fwrite(simulation.world.history.data, 1, simulation.world.history.count, stdout);
    }
    result->is_complete = true;
}

/* In a child: what crashed engines have left behind goes with it, and so does the damage of a failed assertion. */
static void simulate_apart(uint64_t seed, const struct wish *wish, struct result *result)
{
    memset(result, 0, sizeof *result);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        simulate_here(seed, wish, result);
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
           ", engines %" PRIu64 ", commits %" PRIu64 ", fenced %" PRIu64 ", restored %" PRIu64 ", given back %" PRIu64
           ", lost messages %" PRIu64 ", lost writes %" PRIu64 ", duplicates dropped %" PRIu64
           ", simulated seconds %" PRIu64 ", steps %" PRIu64 ", CPU seconds %.1f\n",
           seeds, failed, sum->events, sum->rows, sum->faults, sum->engines, sum->commits, sum->fenced, sum->gaps,
           sum->given_back, sum->lost_messages, sum->lost_writes, sum->duplicates, sum->virtual_us / EVS_SIM_SECOND,
           sum->steps, seconds);
}

static bool take_arguments(int argc, char **argv, struct wish *wish)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            wish->seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            wish->seeds = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--history") == 0) {
            wish->history = true;
        } else if (strcmp(argv[i], "--sabotage") == 0) {
            wish->sabotage = true;
        } else {
            fprintf(stderr, "usage: evs_simulate [--seed S] [--seeds N] [--history] [--sabotage]\n");
            return false;
        }
    }
    return true;
}

static int simulate_all(const struct wish *wish, struct result *result)
{
    struct evs_sim_totals sum = {0};
    uint64_t failed = 0;
    for (uint64_t seed = wish->seed; seed < wish->seed + wish->seeds; seed++) {
        simulate_apart(seed, wish, result);
        add_totals(&sum, &result->totals);
        if (!result->is_complete || !result->is_fine) {
            failed++;
            printf("seed %" PRIu64 ":\n%s", seed, result->violations);
        }
    }
    if (wish->seeds == 1) {
        printf("hash %016" PRIx64 "\n", result->hash);
    }
    print_totals(wish->seeds, failed, &sum, cpu_seconds());
    return failed > 0;
}

int main(int argc, char **argv)
{
    struct wish wish = {.seed = 1, .seeds = 1};
    if (!take_arguments(argc, argv, &wish)) {
        return 2;
    }
    struct result *result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (result == MAP_FAILED) {
        perror("evs_simulate");
        return 3;
    }
    if (!wish.history) {
        return simulate_all(&wish, result);
    }
    simulate_here(wish.seed, &wish, result); /* in this process, where a debugger is */
    fputs(result->violations, stdout);
    return result->is_fine ? 0 : 1;
}
