/* Starting, stopping and ending a run.
 *
 * Order: the store is opened and its last commit read; the graph is built, operators are opened, brokers are tried. A start that fails so far
 * (another pipeline of this name, a server that is away, a stream that is gone) has taken nothing from an engine that works. Then the lease: while
 * another engine has it, threads of standby.c wait, and go on from here. Then the store is acquired, which fences every earlier owner; the state is
 * restored; sources and sinks are opened, with the positions and offsets of the last commit; threads last. */
#include "runtime.h"

#include "evstream/os.h"

#define PROGRESS_US 200000

static evs_status for_each_op(struct evs_run *run, enum evs_node_kind kind,
                              evs_status (*open)(struct evs_op *op, struct evs_error *error), struct evs_error *error)
{
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        for (uint32_t j = 0; j < run->workers[i].op_count; j++) {
            struct evs_op *op = &run->workers[i].ops[j];
            evs_status status = op->node->kind == kind ? open(op, error) : EVS_OK;
            if (status != EVS_OK) {
                return status;
            }
        }
    }
    return EVS_OK;
}

static evs_status prepare_op(struct evs_op *op, struct evs_error *error)
{
    const struct evs_run *run = op->worker->run;
    if (op->node->kind == EVS_NODE_SOURCE) {
        evs_source_node_prepare(op);
        return EVS_OK;
    }
    evs_sink_node_prepare(op);
    if (op->node->sink->connector->always_exact && run->options.store == NULL) {
        return evs_fail(
            error, EVS_E_USAGE,
            "the sink `%s` writes with the ids of commits and needs durable state: run it with --state redis",
            op->node->name);
    }
    return EVS_OK;
}

/* Groups of one pipeline have one incarnation: who has a key may change, the ids of its triggers may not. */
static struct evs_hash128 new_incarnation(const struct evs_run_options *options)
{
    const struct evs_os *os = options->os;
    if (options->incarnation.low != 0 || options->incarnation.high != 0) {
        return options->incarnation;
    }
    return (struct evs_hash128){os->random.next(os->random.self), os->random.next(os->random.self)};
}

/* Sinks that write with the ids of commits write behind them. */
static bool has_followers(const struct evs_plan *plan)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].kind == EVS_NODE_SINK && plan->nodes[i].sink->connector->follows_store) {
            return true;
        }
    }
    return false;
}

static evs_status open_store(struct evs_run *run, struct evs_error *error)
{
    const struct evs_run_options *options = &run->options;
    struct evs_store_open open = {
        .os = options->os,
        .log = options->log,
        .url = options->redis_url,
        .pipeline = run->plan->pipeline,
        .group = evs_run_group(run),
        .has_followers = has_followers(run->plan),
        .retry_us = options->retry_us,
    };
    return options->store->open(&open, &run->store, error);
}

/* What the last commit says, and whether this pipeline can go on from it. */
static evs_status read_record(struct evs_run *run, struct evs_error *error)
{
    if (!run->terms.has_commit) {
        run->terms.checkpoint = 0;
        run->incarnation = run->keeps_incarnation ? run->marker.incarnation : new_incarnation(&run->options);
        return EVS_OK;
    }
    evs_status status = evs_record_decode(run->terms.record, &run->arena, &run->restored, error);
    if (status != EVS_OK) {
        return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
    }
    run->incarnation = run->restored.incarnation;
    run->base = (struct evs_run_totals){.events = run->restored.events,
                                        .rows_out = run->restored.rows_out,
                                        .late = run->restored.late,
                                        .dead = run->restored.dead};
    return evs_restore_check(run, error);
}

static evs_status peek_store(struct evs_run *run, struct evs_error *error)
{
    evs_status status = open_store(run, error);
    if (status == EVS_OK) {
        status = run->options.store->peek(run->store, &run->terms, error);
    }
    return status == EVS_OK ? read_record(run, error) : status;
}

/* With a commit there may be an engine that lives by it: everything that can be tried is tried before it is fenced. */
static evs_status probe_brokers(struct evs_run *run, struct evs_error *error)
{
    if (!run->terms.has_commit) {
        return EVS_OK;
    }
    evs_status status = for_each_op(run, EVS_NODE_SOURCE, evs_source_node_probe, error);
    return status == EVS_OK ? for_each_op(run, EVS_NODE_SINK, evs_sink_node_probe, error) : status;
}

/* Ops go on from the checkpoint that the acquire has found; a living owner may have made some more since the look. */
static void set_checkpoint(struct evs_run *run)
{
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        for (uint32_t j = 0; j < run->workers[i].op_count; j++) {
            run->workers[i].ops[j].barrier = run->terms.checkpoint;
        }
    }
}

#define SLOW_CONFIRMATION_US INT64_C(10000000)

static void tell_durability(const struct evs_run *run)
{
    const struct evs_store_terms *terms = &run->terms;
    struct evs_log *log = run->options.log;
    evs_log(log, EVS_LOG_INFO, "state", "state in redis, %s; term %llu", terms->durability,
            (unsigned long long)terms->epoch);
    if (terms->confirm_delay_us >= SLOW_CONFIRMATION_US) {
        evs_log(
            log, EVS_LOG_WARN, "state_slow",
            "Redis does not say when a checkpoint is on its disk: rows of exact sinks, and the end of a run that has "
            "some, wait %lld s for each. "
            "`appendfsync everysec` in its configuration makes that 3 s, `appendfsync always` nothing.",
            (long long)(terms->confirm_delay_us / 1000000));
    }
}

static evs_status acquire_store(struct evs_run *run, struct evs_error *error)
{
    const struct evs_run_options *options = &run->options;
    atomic_store(&run->owner_us, options->os->clock.boot_us(options->os->clock.self));
    evs_status status = options->store->acquire(run->store, &run->terms, error);
    if (status != EVS_OK) {
        return status;
    }
    if (options->still != NULL) {
        status = options->still(options->still_argument, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    tell_durability(run);
    status = read_record(run, error);
    set_checkpoint(run);
    return status;
}

static evs_status restore_state(struct evs_run *run, struct evs_error *error)
{
    if (!run->terms.has_commit) {
        return EVS_OK;
    }
    int64_t begun_us = evs_monotonic_us(run->options.os);
    evs_status status = evs_restore(run, error);
    if (status == EVS_OK) {
        evs_log(run->options.log, EVS_LOG_INFO, "restore",
                "restored checkpoint %llu in %.1f ms: %llu events counted so far",
                (unsigned long long)run->terms.checkpoint, (double)(evs_monotonic_us(run->options.os) - begun_us) / 1e3,
                (unsigned long long)run->base.events);
        if (run->options.start != EVS_START_COMMITTED) {
            evs_log(run->options.log, EVS_LOG_WARN, "from_ignored",
                    "--from has no effect: pipeline %s goes on where its state stands; give it another name (`pipeline "
                    "NAME;`) to read from elsewhere",
                    run->plan->pipeline);
        }
    }
    return status;
}

/* Nothing here is seen by an engine that owns the group. */
static evs_status prepare(struct evs_run *run, struct evs_error *error)
{
    evs_status status = EVS_OK;
    if (run->options.store == NULL) {
        run->incarnation = new_incarnation(&run->options);
    } else {
        status = peek_store(run, error);
    }
    if (status == EVS_OK) {
        status = evs_graph_build(run, error);
    }
    if (status == EVS_OK) {
        status = for_each_op(run, EVS_NODE_SOURCE, prepare_op, error);
    }
    if (status == EVS_OK) {
        status = for_each_op(run, EVS_NODE_SINK, prepare_op, error);
    }
    if (status == EVS_OK) {
        status = for_each_op(run, EVS_NODE_OPERATOR, evs_operator_node_open, error);
    }
    return status == EVS_OK ? probe_brokers(run, error) : status;
}

static evs_status open_all(struct evs_run *run, struct evs_error *error)
{
    evs_status status = run->store != NULL ? acquire_store(run, error) : EVS_OK;
    if (status == EVS_OK) {
        status = restore_state(run, error);
    }
    if (status == EVS_OK) {
        status = for_each_op(run, EVS_NODE_SOURCE, evs_source_node_open, error);
    }
    if (status == EVS_OK) {
        run->sink_shared = EVS_ARENA_ARRAY(&run->arena, void *, run->plan->node_count + 1);
        status = for_each_op(run, EVS_NODE_SINK, evs_sink_node_restored, error);
    }
    if (status == EVS_OK) {
        status = for_each_op(run, EVS_NODE_SINK, evs_sink_node_open, error);
    }
    return status;
}

static evs_status start_threads(struct evs_run *run, struct evs_error *error)
{
    const struct evs_threads *threads = &run->options.os->threads;
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        evs_status status =
            threads->spawn(threads->self, "evs-worker", evs_worker_main, &run->workers[i], &run->workers[i].thread);
        if (status != EVS_OK) {
            return evs_fail(error, status, "a worker thread cannot be started");
        }
    }
    evs_status status = threads->spawn(threads->self, "evs-checkpoint", evs_checkpointer_main, run, &run->checkpointer);
    return status == EVS_OK ? EVS_OK : evs_fail(error, status, "the checkpoint thread cannot be started");
}

/* While the lease was waited for, the state has gone on; and what is behind the marker is told before anything is taken. */
static evs_status check_marker(struct evs_run *run, struct evs_error *error)
{
    if (!run->marker.is_there) {
        return EVS_OK;
    }
    evs_status status = run->options.store->peek(run->store, &run->terms, error);
    if (status == EVS_OK) {
        status = read_record(run, error);
    }
    return status == EVS_OK ? evs_marker_judge(run, error) : status;
}

evs_status evs_run_take(struct evs_run *run, struct evs_error *error)
{
    evs_status status = check_marker(run, error);
    if (status == EVS_OK) {
        status = open_all(run, error);
    }
    if (status == EVS_OK) {
        status = start_threads(run, error);
    }
    if (status == EVS_OK) {
        atomic_store(&run->is_taken, true);
    }
    return status;
}

static void join_threads(struct evs_run *run)
{
    const struct evs_threads *threads = &run->options.os->threads;
    evs_standby_join(run);
    if (run->checkpointer != NULL) {
        threads->join(run->checkpointer);
        run->checkpointer = NULL;
    }
    for (uint32_t i = 0; run->workers != NULL && i < run->options.worker_count; i++) {
        if (run->workers[i].thread != NULL) {
            threads->join(run->workers[i].thread);
            run->workers[i].thread = NULL;
        }
    }
}

evs_status evs_run_start(const struct evs_plan *plan, const struct evs_run_options *options, struct evs_run **result,
                         struct evs_error *error)
{
    EVS_ASSERT(options->worker_count >= 1 && options->batch_rows >= 1 && options->batch_rows <= EVS_BATCH_ROWS);
    struct evs_run *run = evs_alloc_aligned(64, sizeof *run);
    memset(run, 0, sizeof *run);
    run->plan = plan;
    run->options = *options;
    run->options.log = evs_log_at(options->log, (struct evs_log_place){.pipeline = plan->pipeline});
    run->started_us = evs_monotonic_us(options->os);
    run->checkpointer_park = options->os->threads.park_new(options->os->threads.self);
    run->main_park = options->os->threads.park_new(options->os->threads.self);
    run->keeper_park = options->os->threads.park_new(options->os->threads.self);
    run->starter_park = options->os->threads.park_new(options->os->threads.self);
    bool waits = false;
    evs_status status = prepare(run, error);
    if (status == EVS_OK) {
        status = evs_standby_begin(run, &waits, error);
    }
    if (status == EVS_OK && !waits) {
        status = evs_run_take(run, error);
    }
    if (status != EVS_OK) {
        if (run->workers != NULL) {
            evs_run_fail(run, status, error);
        }
        evs_run_free(run);
        return status;
    }
    *result = run;
    return EVS_OK;
}

void evs_run_stop(struct evs_run *run)
{
    atomic_store(&run->stop, true);
    evs_run_wake_all(run);
}

bool evs_run_has_ended(const struct evs_run *run)
{
    return atomic_load(&run->failed) || atomic_load(&run->finish);
}

evs_status evs_run_wait(struct evs_run *run, struct evs_run_summary *summary, struct evs_error *error)
{
    const struct evs_os *os = run->options.os;
    while (!evs_run_has_ended(run)) {
        os->sockets.wait(os->sockets.self, run->main_park, NULL, 0, run->options.progress ? PROGRESS_US : -1);
        if (run->options.progress) {
            evs_progress_line(run, false);
        }
    }
    join_threads(run);
    if (run->options.progress) {
        evs_progress_line(run, true);
    }
    struct evs_run_totals totals = evs_run_totals(run);
    *summary = (struct evs_run_summary){
        .totals = totals,
        .all = {totals.events + run->base.events, totals.rows_out + run->base.rows_out, totals.late + run->base.late,
                totals.dead + run->base.dead, totals.null_keys, totals.state_keys, totals.state_bytes,
                totals.late_windows},
        .checkpoints = atomic_load(&run->shown.count),
        .checkpoint_bytes = atomic_load(&run->shown.bytes),
        .elapsed_us = evs_monotonic_us(os) - run->started_us,
        .ran = atomic_load(&run->is_taken),
        .finished = !atomic_load(&run->failed) && !atomic_load(&run->stop),
    };
    if (atomic_load(&run->failed)) {
        if (error != NULL) {
            *error = run->error;
        }
        return run->error.code;
    }
    return EVS_OK;
}

void evs_run_free(struct evs_run *run)
{
    join_threads(run);
    evs_standby_end(run);
    evs_run_free_taps(run);
    evs_graph_free(run);
    if (run->store != NULL) {
        run->options.store->close(run->store);
    }
    run->options.os->threads.park_free(run->checkpointer_park);
    run->options.os->threads.park_free(run->main_park);
    run->options.os->threads.park_free(run->keeper_park);
    run->options.os->threads.park_free(run->starter_park);
    evs_marker_fini(run);
    evs_arena_fini(&run->arena);
    evs_log_free(run->options.log);
    evs_free(run);
}
