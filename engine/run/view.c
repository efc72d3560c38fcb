/* What a run shows of itself (evstream/view.h): workers write, anybody reads. */
#include <stdio.h>
#include <stdlib.h>

#include "ring.h"
#include "runtime.h"

/* One step of so many is timed, as a mean that follows the pace: a few thousand a second say enough, and a worker that steps a million times a second must not
 * look at the clock for each sixteenth. */
#define SAMPLE_MEAN_MIN 16u
#define SAMPLE_MEAN_MAX 4096u
#define SAMPLES_A_SECOND 2000
#define PACE_US 50000

static const enum evs_merge merges[EVS_FIGURE_COUNT] = {
#define EVS_FIGURE(name, merge) [EVS_FIGURE_##name] = EVS_MERGE_##merge,
    EVS_FIGURES(EVS_FIGURE)
#undef EVS_FIGURE
};

static const int64_t bounds_us[] = EVS_LATENCY_BOUNDS_US;
_Static_assert(EVS_COUNT(bounds_us) + 1 == EVS_LATENCY_BUCKETS, "one bucket lies behind the last bound");
_Static_assert(EVS_FIGURE_OPEN_WINDOWS + 1 == EVS_COUNTERS, "figures begin with the counters, in their order");

/* --- written by the worker ----------------------------------------------------------------------------------------------------- */

/* One writer: a read and a write need not be one. */
static void add(_Atomic uint64_t *to, uint64_t value)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + value, memory_order_relaxed);
}

void evs_histogram_add(struct histogram *histogram, int64_t us)
{
    uint32_t bucket = 0;
    while (bucket < EVS_COUNT(bounds_us) && us > bounds_us[bucket]) {
        bucket++;
    }
    add(&histogram->counts[bucket], 1);
    add(&histogram->sum_us, us > 0 ? (uint64_t)us : 0);
}

/* Steps come in patterns, so every 16th would always be the same one: the distance is drawn, 1 to 31. */
static void draw_sample(struct worker *worker)
{
    worker->sample_weight = worker->sample_mean;
    worker->sample_seed = worker->sample_seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    worker->unsampled = (uint32_t)(worker->sample_seed >> 33) % (2 * worker->sample_mean - 1);
}

bool evs_view_sample(struct evs_op *op, bool (*step)(struct evs_op *op))
{
    struct worker *worker = op->worker;
    EVS_ASSERT(worker->unsampled == 0);
    uint32_t weight = worker->sample_weight;
    draw_sample(worker);
    worker->sample_count++;
    int64_t begun_us = evs_monotonic_us(worker->run->options.os);
    bool did = step(op);
    if (did) {
        op->busy_us += weight * (evs_monotonic_us(worker->run->options.os) - begun_us);
    }
    return did;
}

static bool has_item(const struct evs_op *op)
{
    struct item item;
    for (uint32_t i = 0; i < op->in_count; i++) {
        if (!op->in[i]->at_barrier && evs_edge_peek(op->in[i], &item)) {
            return true;
        }
    }
    return false;
}

/* Has it work that it may not do? A source always has, unless it has said that nothing comes. */
static bool is_blocked(const struct evs_op *op)
{
    if (op->class == &evs_class_source) {
        return !evs_source_node_ended(op) && (!evs_op_has_credit(op) || evs_source_node_waits(op));
    }
    return has_item(op) && !evs_op_has_credit(op);
}

void evs_view_waited(struct worker *worker, int64_t us)
{
    for (uint32_t i = 0; i < worker->op_count; i++) {
        struct evs_op *op = &worker->ops[i];
        op->blocked_us += is_blocked(op) ? us : 0;
    }
}

static int64_t queued(const struct evs_op *op)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < op->in_count; i++) {
        count += op->in[i]->ring != NULL ? evs_ring_fill(op->in[i]->ring) : op->in[i]->count;
    }
    return count;
}

static void show_op(struct evs_op *op)
{
    int64_t figures[EVS_FIGURE_COUNT] = {0};
    memcpy(figures, op->counters, sizeof op->counters);
    figures[EVS_FIGURE_BATCHES_IN] = (int64_t)op->batches_in;
    figures[EVS_FIGURE_BUSY_US] = op->busy_us;
    figures[EVS_FIGURE_BLOCKED_US] = op->blocked_us;
    figures[EVS_FIGURE_QUEUED] = queued(op);
    figures[EVS_FIGURE_WATERMARK_US] = op->watermark_us;
    if (op->class->show != NULL) {
        op->class->show(op, figures);
    }
    for (uint32_t i = 0; i < EVS_FIGURE_COUNT; i++) {
        atomic_store_explicit(&op->shown[i], figures[i], memory_order_relaxed);
    }
    for (uint32_t i = 0; i < op->output_total; i++) {
        atomic_store_explicit(&op->outputs[i].shown_rows, op->outputs[i].rows, memory_order_relaxed);
    }
}

static void keep_pace(struct worker *worker)
{
    int64_t passed_us = worker->now_us - worker->paced_us;
    if (passed_us < PACE_US) {
        return;
    }
    int64_t a_second = (int64_t)worker->sample_count * 1000000 / passed_us;
    if (a_second > 2 * SAMPLES_A_SECOND && worker->sample_mean < SAMPLE_MEAN_MAX) {
        worker->sample_mean *= 2;
    } else if (a_second < SAMPLES_A_SECOND / 2 && worker->sample_mean > SAMPLE_MEAN_MIN) {
        worker->sample_mean /= 2;
    }
    worker->paced_us = worker->now_us;
    worker->sample_count = 0;
}

/* Before the worker starts. */
void evs_view_begin(struct worker *worker)
{
    worker->sample_mean = worker->sample_weight = SAMPLE_MEAN_MIN;
    worker->sample_seed = worker->number;
}

void evs_view_show(struct worker *worker)
{
    keep_pace(worker);
    for (uint32_t i = 0; i < worker->op_count; i++) {
        show_op(&worker->ops[i]);
    }
}

void evs_view_commit(struct evs_run *run, uint64_t bytes)
{
    add(&run->shown.count, 1);
    add(&run->shown.bytes, bytes);
    atomic_store_explicit(&run->shown.last_bytes, bytes, memory_order_relaxed);
}

/* A reader that meets a number of 0, or another one behind than before the rest, passes the entry over. */
static void keep_checkpoint(struct evs_run *run, int64_t now_us, int64_t begun_us, int64_t aligned_us)
{
    uint64_t count = atomic_load_explicit(&run->shown.last_count, memory_order_relaxed);
    struct shown_checkpoint *kept = &run->shown.last[count % EVS_VIEW_CHECKPOINTS];
    atomic_store_explicit(&kept->number, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&kept->bytes, atomic_load_explicit(&run->shown.last_bytes, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&kept->finished_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&kept->duration_us, now_us - begun_us, memory_order_relaxed);
    atomic_store_explicit(&kept->align_us, aligned_us - begun_us, memory_order_relaxed);
    atomic_store_explicit(&kept->number, atomic_load_explicit(&run->committed, memory_order_relaxed),
                          memory_order_release);
    atomic_store_explicit(&run->shown.last_count, count + 1, memory_order_release);
}

void evs_view_checkpoint(struct evs_run *run, int64_t begun_us, int64_t aligned_us)
{
    int64_t now_us = evs_monotonic_us(run->options.os);
    keep_checkpoint(run, now_us, begun_us, aligned_us);
    atomic_store_explicit(&run->shown.duration_us, now_us - begun_us, memory_order_relaxed);
    atomic_store_explicit(&run->shown.align_us, aligned_us - begun_us, memory_order_relaxed);
    atomic_store_explicit(&run->shown.finished_us, now_us, memory_order_relaxed);
    evs_histogram_add(&run->shown.durations, now_us - begun_us);
}

void evs_view_holder(struct evs_run *run, const char *holder)
{
    struct shown_text *shown = &run->holder;
    uint64_t words[EVS_COUNT(shown->words)] = {0};
    uint32_t version = atomic_load_explicit(&shown->version, memory_order_relaxed);
    snprintf((char *)words, sizeof words, "%s", holder);
    atomic_store_explicit(&shown->version, version + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (uint32_t i = 0; i < EVS_COUNT(words); i++) {
        atomic_store_explicit(&shown->words[i], words[i], memory_order_relaxed);
    }
    atomic_store_explicit(&shown->version, version + 2, memory_order_release);
}

void evs_run_view_holder(const struct evs_run *run, char holder[EVS_VIEW_HOLDER_BYTES])
{
    const struct shown_text *shown = &run->holder;
    uint64_t words[EVS_COUNT(shown->words)];
    uint32_t before, after;
    do {
        before = atomic_load_explicit(&shown->version, memory_order_acquire);
        for (uint32_t i = 0; i < EVS_COUNT(words); i++) {
            words[i] = atomic_load_explicit(&shown->words[i], memory_order_relaxed);
        }
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&shown->version, memory_order_relaxed);
    } while (before != after || (before & 1) != 0);
    memcpy(holder, words, sizeof words);
}

/* --- notes ---------------------------------------------------------------------------------------------------------------------- */

static void add_notes(const struct evs_run_notes *notes, int64_t now_us, struct evs_view_notes *view)
{
    int64_t begun_us = atomic_load(&notes->restore_begun_us), ended_us = atomic_load(&notes->restore_ended_us);
    uint64_t bytes = atomic_load(&notes->restore_bytes), about = atomic_load(&notes->restore_bytes_about);
    int64_t us = begun_us == 0 ? 0 : (ended_us == 0 ? now_us : ended_us) - begun_us;
    view->has_restored = view->has_restored || begun_us != 0;
    view->is_restoring = view->is_restoring || (begun_us != 0 && ended_us == 0);
    view->restore_bytes += bytes;
    view->restore_bytes_about += about > bytes ? about : bytes;
    view->restore_us = us > view->restore_us ? us : view->restore_us;
    view->commit_failures += atomic_load(&notes->commit_failures);
}

void evs_run_notes_view(const struct evs_run_notes *notes, uint32_t count, int64_t now_us, struct evs_view_notes *view)
{
    *view = (struct evs_view_notes){0};
    for (uint32_t i = 0; i < count; i++) {
        add_notes(&notes[i], now_us, view);
    }
}

/* --- read by anybody ------------------------------------------------------------------------------------------------------------- */

static void take_histogram(const struct histogram *from, struct evs_view_latency *to)
{
    for (uint32_t i = 0; i < EVS_LATENCY_BUCKETS; i++) {
        to->counts[i] += atomic_load_explicit(&from->counts[i], memory_order_relaxed);
    }
    to->sum_us += atomic_load_explicit(&from->sum_us, memory_order_relaxed);
}

void evs_run_view(const struct evs_run *run, struct evs_view_run *view)
{
    bool is_taken = atomic_load_explicit(&run->is_taken, memory_order_acquire);
    *view = (struct evs_view_run){
        .plan = run->plan,
        .worker_count = run->options.worker_count,
        .node_count = run->plan->node_count,
        .elapsed_us = evs_monotonic_us(run->options.os) - run->started_us,
        .outbox_bytes = atomic_load_explicit(&run->outbox_bytes, memory_order_relaxed),
        .is_standing_by = !is_taken,
        .is_stopping = atomic_load_explicit(&run->stop, memory_order_relaxed),
        .has_failed = atomic_load_explicit(&run->failed, memory_order_relaxed),
        .group = run->options.group,
        .durability = !is_taken || run->store == NULL ? NULL : run->terms.durability,
        .checkpoints = {.count = atomic_load_explicit(&run->shown.count, memory_order_relaxed),
                        .bytes = atomic_load_explicit(&run->shown.bytes, memory_order_relaxed),
                        .number = atomic_load_explicit(&run->committed, memory_order_relaxed),
                        .finished_us = atomic_load_explicit(&run->shown.finished_us, memory_order_relaxed),
                        .duration_us = atomic_load_explicit(&run->shown.duration_us, memory_order_relaxed),
                        .align_us = atomic_load_explicit(&run->shown.align_us, memory_order_relaxed),
                        .last_bytes = atomic_load_explicit(&run->shown.last_bytes, memory_order_relaxed)},
    };
    take_histogram(&run->shown.durations, &view->checkpoints.durations);
}

static void add_checkpoints(struct evs_view_checkpoints *to, const struct evs_view_checkpoints *from)
{
    to->count += from->count;
    to->bytes += from->bytes;
    to->last_bytes += from->last_bytes;
    to->number = from->number < to->number ? from->number : to->number;
    to->finished_us = from->finished_us < to->finished_us ? from->finished_us : to->finished_us;
    to->duration_us = from->duration_us > to->duration_us ? from->duration_us : to->duration_us;
    to->align_us = from->align_us > to->align_us ? from->align_us : to->align_us;
    for (uint32_t i = 0; i < EVS_LATENCY_BUCKETS; i++) {
        to->durations.counts[i] += from->durations.counts[i];
    }
    to->durations.sum_us += from->durations.sum_us;
}

void evs_runs_view(const struct evs_run *const *runs, uint32_t count, struct evs_view_run *view)
{
    EVS_ASSERT(count > 0);
    evs_run_view(runs[0], view);
    for (uint32_t i = 1; i < count; i++) {
        struct evs_view_run other;
        evs_run_view(runs[i], &other);
        view->worker_count += other.worker_count;
        view->elapsed_us = other.elapsed_us > view->elapsed_us ? other.elapsed_us : view->elapsed_us;
        view->outbox_bytes += other.outbox_bytes;
        view->is_standing_by = view->is_standing_by && other.is_standing_by;
        view->is_stopping = view->is_stopping && other.is_stopping;
        view->has_failed = view->has_failed || other.has_failed;
        view->durability = view->durability != NULL ? view->durability : other.durability;
        add_checkpoints(&view->checkpoints, &other.checkpoints);
    }
}

static void merge_figure(int64_t *to, enum evs_merge merge, int64_t value, bool is_first)
{
    if (is_first) {
        *to = value;
    } else if (merge == EVS_MERGE_SUM) {
        *to += value;
    } else if (merge == EVS_MERGE_MIN ? value < *to : value > *to) {
        *to = value;
    }
}

/* The receiver of an exchange takes the rows that its sender has counted. */
static bool counts_again(const struct evs_op *op, uint32_t figure)
{
    return op->class == &evs_class_receiver && figure == EVS_FIGURE_ROWS_IN;
}

static void merge_op(struct evs_view_node *view, const struct evs_op *op, bool is_first)
{
    for (uint32_t i = 0; i < EVS_FIGURE_COUNT; i++) {
        int64_t value = atomic_load_explicit(&op->shown[i], memory_order_relaxed);
        merge_figure(&view->figures[i], merges[i], counts_again(op, i) ? 0 : value, is_first);
    }
    take_histogram(&op->delivery, &view->delivery);
}

/* Adds a run to the view; a view without workers is of nothing yet. */
static void add_node(const struct evs_run *run, uint32_t node, struct evs_view_node *view)
{
    bool is_first = view->workers == 0;
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        const struct worker *worker = &run->workers[i];
        uint32_t before = view->workers;
        for (uint32_t j = 0; j < worker->op_count; j++) {
            if (worker->ops[j].node_index == node) {
                merge_op(view, &worker->ops[j], is_first);
                is_first = false;
                view->workers = before + 1;
            }
        }
    }
}

void evs_run_view_node(const struct evs_run *run, uint32_t node, struct evs_view_node *view)
{
    evs_runs_view_node(&run, 1, node, view);
}

void evs_runs_view_node(const struct evs_run *const *runs, uint32_t count, uint32_t node, struct evs_view_node *view)
{
    EVS_ASSERT(count > 0 && node < runs[0]->plan->node_count);
    *view = (struct evs_view_node){.node = &runs[0]->plan->nodes[node]};
    for (uint32_t i = 0; i < count; i++) {
        add_node(runs[i], node, view);
    }
}

static const char *source_name(const struct evs_run *run, uint32_t source_index)
{
    return run->plan->nodes[run->source_nodes[source_index]].name;
}

/* Adds to the entry that is there already, from another worker; the number of entries. */
static uint32_t take_reason(struct evs_view_reason *reasons, uint32_t count, struct evs_view_reason reason)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(reasons[i].source, reason.source) == 0 && strcmp(reasons[i].reason, reason.reason) == 0) {
            reasons[i].count += reason.count;
            return count;
        }
    }
    if (count == EVS_VIEW_REASONS) {
        reasons[count - 1].count += reason.count;
        return count;
    }
    reasons[count] = reason;
    return count + 1;
}

static uint32_t add_reasons(const struct evs_run *run, struct evs_view_reason *reasons, uint32_t count)
{
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        const struct worker *worker = &run->workers[i];
        uint32_t known = atomic_load_explicit(&worker->reason_count, memory_order_acquire);
        for (uint32_t j = 0; j < known; j++) {
            const struct shown_reason *shown = &worker->reasons[j];
            count = take_reason(reasons, count,
                                (struct evs_view_reason){source_name(run, shown->source_index), shown->reason,
                                                         atomic_load_explicit(&shown->count, memory_order_relaxed)});
        }
    }
    return count;
}

/* The edge from a source to its dead letter sink stands for all that died of its rows, wherever they did: number of the source; UINT32_MAX:
 * it is another edge. */
static uint32_t dead_source(const struct evs_run *run, const struct evs_plan_edge *edge)
{
    const struct evs_plan_node *from = &run->plan->nodes[edge->from];
    for (uint32_t i = 0; edge->output > 0 && from->dead_letter == edge->to + 1 && i < run->source_count; i++) {
        if (run->source_nodes[i] == edge->from) {
            return i;
        }
    }
    return UINT32_MAX;
}

uint64_t evs_run_view_edge(const struct evs_run *run, uint32_t edge)
{
    EVS_ASSERT(edge < run->plan->edge_count);
    const struct evs_plan_edge *of = &run->plan->edges[edge];
    uint32_t source = dead_source(run, of);
    uint64_t rows = 0;
    if (!atomic_load_explicit(&run->is_taken, memory_order_acquire)) {
        return 0;
    }
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        for (uint32_t j = 0; j < run->workers[i].op_count; j++) {
            const struct evs_op *op = &run->workers[i].ops[j];
            bool is_dead = source != UINT32_MAX;
            uint32_t output = is_dead ? op->output_count + source : of->output;
            if ((is_dead || op->node_index == of->from) && output < op->output_total) {
                rows += atomic_load_explicit(&op->outputs[output].shown_rows, memory_order_relaxed);
            }
        }
    }
    return rows;
}

static bool take_checkpoint(const struct evs_run *run, const struct shown_checkpoint *from,
                            struct evs_view_checkpoint *to)
{
    *to = (struct evs_view_checkpoint){.group_index = run->options.group_index};
    snprintf(to->group, sizeof to->group, "%s", run->options.group == NULL ? "" : run->options.group);
    to->number = atomic_load_explicit(&from->number, memory_order_acquire);
    to->bytes = atomic_load_explicit(&from->bytes, memory_order_relaxed);
    to->finished_us = atomic_load_explicit(&from->finished_us, memory_order_relaxed);
    to->duration_us = atomic_load_explicit(&from->duration_us, memory_order_relaxed);
    to->align_us = atomic_load_explicit(&from->align_us, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    return to->number != 0 && to->number == atomic_load_explicit(&from->number, memory_order_relaxed);
}

uint32_t evs_run_view_checkpoints(const struct evs_run *run, struct evs_view_checkpoint *checkpoints)
{
    uint64_t end = atomic_load_explicit(&run->shown.last_count, memory_order_acquire);
    uint64_t begin = end > EVS_VIEW_CHECKPOINTS ? end - EVS_VIEW_CHECKPOINTS : 0;
    uint32_t count = 0;
    for (uint64_t i = begin; i < end; i++) {
        count += take_checkpoint(run, &run->shown.last[i % EVS_VIEW_CHECKPOINTS], &checkpoints[count]);
    }
    return count;
}

static int older_first(const void *a, const void *b)
{
    const struct evs_view_checkpoint *left = a, *right = b;
    return (left->finished_us > right->finished_us) - (left->finished_us < right->finished_us);
}

uint32_t evs_runs_view_checkpoints(const struct evs_run *const *runs, uint32_t count,
                                   struct evs_view_checkpoint *checkpoints)
{
    struct evs_view_checkpoint *all = evs_alloc((count * EVS_VIEW_CHECKPOINTS + 1) * sizeof *all);
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        found += evs_run_view_checkpoints(runs[i], &all[found]);
    }
    qsort(all, found, sizeof *all, older_first);
    uint32_t kept = found < EVS_VIEW_CHECKPOINTS ? found : EVS_VIEW_CHECKPOINTS;
    memcpy(checkpoints, &all[found - kept], kept * sizeof *all);
    evs_free(all);
    return kept;
}

uint32_t evs_run_view_reasons(const struct evs_run *run, struct evs_view_reason *reasons)
{
    return add_reasons(run, reasons, 0);
}

uint32_t evs_runs_view_reasons(const struct evs_run *const *runs, uint32_t count, struct evs_view_reason *reasons)
{
    uint32_t reason_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        reason_count = add_reasons(runs[i], reasons, reason_count);
    }
    return reason_count;
}
