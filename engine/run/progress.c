/* What a run has done so far: totals over workers, and the progress line. */
#include <stdio.h>

#include "runtime.h"

struct evs_run_totals evs_run_totals(const struct evs_run *run)
{
    uint64_t sums[PUBLISHED] = {0};
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        for (uint32_t j = 0; j < PUBLISHED; j++) {
            sums[j] += atomic_load_explicit(&run->workers[i].published[j], memory_order_relaxed);
        }
    }
    return (struct evs_run_totals){sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7]};
}

bool evs_run_next_operator(const struct evs_run *run, uint32_t *node, struct evs_run_operator *counts)
{
    for (; *node < run->plan->node_count; ++*node) {
        *counts = (struct evs_run_operator){.name = run->plan->nodes[*node].name};
        for (uint32_t i = 0; i < run->options.worker_count; i++) {
            const struct evs_op *op = evs_worker_op(&run->workers[i], *node);
            if (op == NULL) { /* what is not on every worker: a gather, and the sinks behind it */
                continue;
            }
            counts->late += (uint64_t)op->counters[EVS_COUNT_LATE];
            counts->late_windows += (uint64_t)op->counters[EVS_COUNT_LATE_WINDOWS];
            counts->null_keys += (uint64_t)op->counters[EVS_COUNT_NULL_KEY];
            counts->limited += (uint64_t)op->counters[EVS_COUNT_LIMITED];
        }
        if (counts->late + counts->late_windows + counts->null_keys + counts->limited > 0) {
            ++*node;
            return true;
        }
    }
    return false;
}

/* One line, written over the one before: events, rate, rows out. */
void evs_progress_line(const struct evs_run *run, bool last)
{
    struct evs_run_totals totals = evs_run_totals(run);
    double seconds = (double)(evs_monotonic_us(run->options.os) - run->started_us) / 1e6;
    fprintf(stderr, "\r%llu events, %.0f k/s, %llu rows out, %llu late, %llu dead   %s",
            (unsigned long long)totals.events, seconds > 0 ? (double)totals.events / seconds / 1e3 : 0.0,
            (unsigned long long)totals.rows_out, (unsigned long long)totals.late, (unsigned long long)totals.dead,
            last ? "\n" : "");
    fflush(stderr);
}
