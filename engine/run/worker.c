/* A worker: the scheduler of its ops (runtime.h, "Scheduling"). */
#include "runtime.h"

#define WAIT_US 20000 /* housekeeping (idle partitions, time-outs of connectors) at least this often */
#define PUBLISH_US 50000
#define STEPS_A_WRITE 16u /* about two batches through a pipeline of some ops */

void evs_worker_wake(struct worker *worker)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&worker->sleeping, memory_order_relaxed) != 0 &&
        atomic_exchange(&worker->sleeping, 0) != 0) {
        worker->run->options.os->threads.wake(worker->park);
    }
}

void evs_run_wake_all(struct evs_run *run)
{
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        run->options.os->threads.wake(run->workers[i].park);
    }
    run->options.os->threads.wake(run->checkpointer_park);
    run->options.os->threads.wake(run->main_park);
    run->options.os->threads.wake(run->starter_park);
}

void evs_run_fail(struct evs_run *run, evs_status status, const struct evs_error *error)
{
    if (atomic_exchange(&run->error_taken, 1) == 0) {
        run->error.code = status;
        if (error != NULL && error->text[0] != '\0') {
            run->error = *error;
            run->error.code = status;
        } else {
            evs_fail(&run->error, status, "the run failed: %s", evs_status_name(status));
        }
        atomic_store(&run->failed, true);
    }
    evs_run_wake_all(run);
}

static void op_failed(struct evs_op *op, evs_status status)
{
    struct evs_error error;
    evs_fail(&error, status, "%s failed: %s", op->node->name, evs_status_name(status));
    evs_run_fail(op->worker->run, status, &error);
}

/* --- one step of one op ------------------------------------------------------------------------------------------------ */

static void tell_watermark(struct evs_op *op)
{
    int64_t passed_us = evs_op_passed_watermark(op);
    if (passed_us != EVS_TIME_MIN) {
        op->has_told_watermark = true;
        evs_op_send_watermark(op, passed_us);
    }
}

static evs_status advance_watermark(struct evs_op *op)
{
    evs_status status = op->class->watermark == NULL ? EVS_OK : op->class->watermark(op, op->watermark_target_us);
    if (status == EVS_OK) {
        op->watermark_us = op->watermark_target_us;
        tell_watermark(op);
    }
    return status;
}

/* A cut ends an edge and leaves its watermark: the op is cut when all its edges are over, and keeps the true minimum until then. */
static int64_t least_watermark(struct evs_op *op)
{
    int64_t least = EVS_TIME_MAX;
    bool is_over = true;
    for (uint32_t i = 0; i < op->in_count; i++) {
        const struct edge *edge = op->in[i];
        least = edge->watermark_us < least ? edge->watermark_us : least;
        is_over = is_over && (edge->is_cut || edge->watermark_us == EVS_TIME_MAX);
    }
    op->is_cut = is_over && least < EVS_TIME_CUT;
    return least;
}

static evs_status take_watermark(struct evs_op *op, struct edge *edge, int64_t watermark_us)
{
    EVS_ASSERT(watermark_us >= edge->watermark_us && !edge->is_cut);
    if (watermark_us == EVS_TIME_CUT) {
        edge->is_cut = true;
    } else {
        edge->watermark_us = watermark_us;
    }
    evs_edge_pop(edge);
    int64_t least = least_watermark(op);
    if (least <= op->watermark_us) {
        /* After a restore the op stands where the commit says. Of an input that had ended nothing higher ever comes, so who is behind would wait. */
        if (!op->has_told_watermark) {
            tell_watermark(op);
        }
        return EVS_OK;
    }
    op->watermark_target_us = least;
    return advance_watermark(op);
}

/* Nothing comes behind a cut but a barrier, which must find it done. */
static bool begin_cut(struct evs_op *op)
{
    if (!op->is_cut || op->watermark_us >= EVS_TIME_CUT) {
        return false;
    }
    op->watermark_target_us = EVS_TIME_CUT;
    return true;
}

/* The op's part of the barrier is written: the checkpointer is told when all ops' are. */
static void leave_barrier(struct worker *worker)
{
    struct evs_run *run = worker->run;
    if (++worker->ops_at_barrier == worker->op_count) {
        worker->ops_at_barrier = 0;
        if (atomic_fetch_add(&run->workers_at_barrier, 1) + 1 == run->options.worker_count) {
            run->options.os->threads.wake(run->checkpointer_park);
        }
    }
}

evs_status evs_op_pass_barrier(struct evs_op *op, uint64_t checkpoint)
{
    EVS_ASSERT(checkpoint == op->barrier + 1);
    op->barrier = checkpoint;
    op->barrier_watermark_us = op->watermark_us;
    memcpy(op->barrier_counters, op->counters, sizeof op->counters);
    evs_status status = op->class->barrier == NULL ? EVS_OK : op->class->barrier(op, checkpoint);
    if (status != EVS_OK) {
        return status;
    }
    evs_op_send_barrier(op, checkpoint);
    if (op->is_writing) {
        op->worker->ops_writing++;
    } else {
        leave_barrier(op->worker);
    }
    return EVS_OK;
}

static evs_status take_barrier(struct evs_op *op, struct edge *edge, uint64_t checkpoint)
{
    edge->at_barrier = true;
    evs_edge_pop(edge);
    for (uint32_t i = 0; i < op->in_count; i++) {
        if (!op->in[i]->at_barrier) {
            return EVS_OK;
        }
    }
    for (uint32_t i = 0; i < op->in_count; i++) {
        op->in[i]->at_barrier = false;
    }
    return evs_op_pass_barrier(op, checkpoint);
}

static evs_status take_batch(struct evs_op *op, struct edge *edge, struct evs_batch *batch)
{
    uint32_t rows = batch->selected_count;
    if (EVS_UNLIKELY(batch->traces != NULL)) {
        evs_trace_take(op, batch);
    }
    evs_status status = op->class->batch(op, edge, batch);
    op->traced = NULL;
    if (status == EVS_OK) {
        op->counters[EVS_COUNT_ROWS_IN] += rows;
        op->batches_in++;
        evs_edge_pop(edge);
        evs_batch_unref(batch);
    }
    return status;
}

static evs_status take_item(struct evs_op *op, struct edge *edge, const struct item *item)
{
    switch (item->kind) {
    case ITEM_BATCH:
        return take_batch(op, edge, item->batch);
    case ITEM_WATERMARK:
        return take_watermark(op, edge, item->watermark_us);
    case ITEM_BARRIER:
        return take_barrier(op, edge, item->checkpoint);
    }
    return EVS_E_INTERNAL;
}

/* True when the op did something. Another input's turn comes only when the item at hand is finished: EVS_MORE keeps in_next, and EVS_AGAIN of an
 * operator that waits for an answer does, too, without counting as something done. */
static bool op_step(struct evs_op *op)
{
    if (op->in_count == 0 || !evs_op_has_credit(op)) {
        return false;
    }
    evs_status status = EVS_AGAIN;
    if (op->watermark_target_us > op->watermark_us || begin_cut(op)) {
        status = advance_watermark(op);
    } else {
        uint32_t looked_at = op->is_waiting ? 1 : op->in_count;
        op->is_waiting = false;
        for (uint32_t i = 0; i < looked_at && status == EVS_AGAIN && !op->is_waiting; i++) {
            uint32_t at = (op->in_next + i) % op->in_count;
            struct item item;
            if (!op->in[at]->at_barrier && evs_edge_peek(op->in[at], &item)) {
                status = take_item(op, op->in[at], &item);
                op->is_waiting = status == EVS_AGAIN;
                op->in_next = status == EVS_MORE || status == EVS_AGAIN ? at : (at + 1) % op->in_count;
            }
        }
    }
    if (status != EVS_OK && status != EVS_MORE && status != EVS_AGAIN) {
        op_failed(op, status);
    }
    return status == EVS_OK || status == EVS_MORE;
}

/* A step of what ops have still to write, between two batches. True: something was written. */
static bool write_some(struct worker *worker)
{
    uint32_t count = worker->ops_writing;
    for (uint32_t i = 0; count > 0 && i < worker->op_count; i++) {
        struct evs_op *op = &worker->ops[i];
        evs_status status = op->is_writing ? evs_operator_write(op) : EVS_AGAIN;
        if (status == EVS_OK && !op->is_writing) {
            worker->ops_writing--;
            leave_barrier(worker);
        } else if (status != EVS_OK && status != EVS_AGAIN) {
            op_failed(op, status);
        }
    }
    return count > 0;
}

/* Runs ops, the one nearest to the sinks first, until none can run: which may be never while other workers send rows, so what is to be written does
 * not wait for that. */
static bool run_ready(struct worker *worker)
{
    bool progress = false;
    uint32_t steps = 0;
    for (uint32_t i = worker->op_count; i-- > 0;) {
        if (evs_view_step(&worker->ops[i], op_step)) {
            progress = true;
            if (++steps % STEPS_A_WRITE == 0) {
                write_some(worker);
            }
            if (atomic_load_explicit(&worker->run->failed, memory_order_relaxed)) {
                return progress;
            }
            i = worker->op_count;
        }
    }
    return progress;
}

/* --- the loop ------------------------------------------------------------------------------------------------------------ */

static bool op_poll(struct evs_op *op)
{
    evs_status status = op->class->poll(op);
    EVS_ASSERT(status == EVS_OK || status == EVS_AGAIN || atomic_load(&op->worker->run->failed));
    return status == EVS_OK;
}

static bool poll_ops(struct worker *worker)
{
    bool progress = false;
    for (uint32_t i = worker->op_count; i-- > 0;) {
        struct evs_op *op = &worker->ops[i];
        progress |= op->class->poll != NULL && evs_view_step(op, op_poll);
    }
    return progress;
}

static void tell_confirmed(struct worker *worker)
{
    uint64_t confirmed = atomic_load(&worker->run->confirmed);
    if (confirmed != worker->confirmed_seen) {
        worker->confirmed_seen = confirmed;
        for (uint32_t i = 0; i < worker->op_count; i++) {
            if (worker->ops[i].class->confirmed != NULL) {
                worker->ops[i].class->confirmed(&worker->ops[i], confirmed);
            }
        }
    }
}

/* Tells the checkpointer, once each: all sources have ended; after the last barrier, nothing is under way any more. */
static void tell_end(struct worker *worker)
{
    struct evs_run *run = worker->run;
    bool ended = true, idle = true;
    for (uint32_t i = 0; i < worker->op_count; i++) {
        struct evs_op *op = &worker->ops[i];
        ended &= op->class != &evs_class_source || evs_source_node_ended(op);
        idle &= op->class->is_idle == NULL || op->class->is_idle(op);
    }
    if (ended && !worker->ended_told) {
        worker->ended_told = true;
        atomic_fetch_add(&run->workers_ended, 1);
        run->options.os->threads.wake(run->checkpointer_park);
    }
    bool final_passed = atomic_load(&run->barrier_final) && worker->ops[0].barrier == atomic_load(&run->barrier);
    if (final_passed && idle && worker->ops_at_barrier == 0 && worker->idle_told != worker->ops[0].barrier &&
        atomic_load(&run->workers_at_barrier) == run->options.worker_count) {
        worker->idle_told = worker->ops[0].barrier;
        atomic_fetch_add(&run->workers_idle, 1);
        run->options.os->threads.wake(run->checkpointer_park);
    }
}

static void publish_counters(struct worker *worker)
{
    worker->published_us = worker->now_us;
    evs_view_show(worker);
}

static void wait_for_work(struct worker *worker)
{
    struct evs_wait_fd fds[FDS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < worker->op_count; i++) {
        if (worker->ops[i].class->wait_fds != NULL && count < FDS_MAX) {
            count += worker->ops[i].class->wait_fds(&worker->ops[i], fds + count, FDS_MAX - count);
        }
    }
    publish_counters(worker);
    const struct evs_os *os = worker->run->options.os;
    int64_t begun_us = evs_monotonic_us(os);
    os->sockets.wait(os->sockets.self, worker->park, fds, count, WAIT_US);
    evs_view_waited(worker, evs_monotonic_us(os) - begun_us);
}

void evs_worker_main(void *argument)
{
    struct worker *worker = argument;
    struct evs_run *run = worker->run;
    bool armed = false; /* `sleeping` is set and everything was looked at once more since */
    while (!atomic_load(&run->failed) && !atomic_load(&run->finish)) {
        worker->now_us = evs_monotonic_us(run->options.os);
        tell_confirmed(worker);
        bool progress = run_ready(worker);
        progress |= poll_ops(worker);
        progress |= write_some(worker);
        if (worker->now_us - worker->published_us >= PUBLISH_US) {
            publish_counters(worker);
        }
        if (progress) {
            if (armed) {
                atomic_store(&worker->sleeping, 0);
                armed = false;
            }
            continue;
        }
        tell_end(worker);
        if (!armed) {
            atomic_store(&worker->sleeping, 1);
            atomic_thread_fence(memory_order_seq_cst);
            armed = true;
            continue;
        }
        wait_for_work(worker);
        atomic_store(&worker->sleeping, 0);
        armed = false;
    }
    publish_counters(worker);
}
