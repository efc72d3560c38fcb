/* What a run has done so far: totals over workers, and the progress line. */
#include <stdio.h>

#include "runtime.h"

static uint64_t shown(const struct evs_op *op, enum evs_figure figure)
{
    return (uint64_t)atomic_load_explicit(&op->shown[figure], memory_order_relaxed);
}

static void add_op(struct evs_run_totals *totals, const struct evs_op *op)
{
    bool is_source = op->class == &evs_class_source;
    bool is_sink = op->class == &evs_class_sink && !op->node->sink->is_dead_letter;
    totals->events += is_source ? shown(op, EVS_FIGURE_ROWS_IN) : 0;
    totals->rows_out += is_sink ? shown(op, EVS_FIGURE_ROWS_OUT) : 0;
    totals->late += shown(op, EVS_FIGURE_LATE);
    totals->dead += shown(op, EVS_FIGURE_DEAD);
    totals->null_keys += shown(op, EVS_FIGURE_NULL_KEY);
    totals->state_keys += shown(op, EVS_FIGURE_STATE_KEYS);
    totals->state_bytes += shown(op, EVS_FIGURE_STATE_BYTES);
    totals->late_windows += shown(op, EVS_FIGURE_LATE_WINDOWS);
}

struct evs_run_totals evs_run_totals(const struct evs_run *run)
{
    struct evs_run_totals totals = {0};
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        for (uint32_t j = 0; j < run->workers[i].op_count; j++) {
            add_op(&totals, &run->workers[i].ops[j]);
        }
    }
    return totals;
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

void evs_progress_restoring(const struct evs_run *run, const struct evs_view_notes *notes, bool last)
{
    double seconds = (double)notes->restore_us / 1e6;
    fprintf(stderr, "\rrestoring checkpoint %llu: %.1f of at most about %.1f MB, %.1f s   %s",
            (unsigned long long)run->terms.checkpoint, (double)notes->restore_bytes / 1e6,
            (double)notes->restore_bytes_about / 1e6, seconds, last ? "\n" : "");
    fflush(stderr);
}
