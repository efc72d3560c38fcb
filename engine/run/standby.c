/* Several engines with one pipeline: one runs it, the others stand by, warm (compiled, connected, their operators open).
 *
 *   evs_run_start ── the lease is ours at once ──► opens the rest, starts the workers        the keeper (a thread): renews, writes the marker
 *        │
 *        └── another engine has it ──► returns; the keeper looks again and again ══ won ══► the starter (a thread): opens the rest, starts the workers
 *
 * The lease is kept by the broker of the first source that can keep one. A pipeline that reads files alone has no such place: there, whoever starts last
 * takes the state over, and the one before it is fenced.
 *
 * A holder renews only while it does its work: when no checkpoint was committed for three leases (a worker that hangs, a store that only this
 * machine cannot reach), it lets the lease run out for another one to try. Where nobody has taken it, it renews once more after a while: rows that wait to be sent
 * may be all that holds the checkpoint up, or the end of the run, and without a lease none is sent. Until the first checkpoint of a term it renews in any case: a large state may take
 * minutes to restore. */
#include "bucket.h"
#include "lease.h"
#include "runtime.h"

#define LOOKS 20u   /* a lease, of those who wait */
#define RENEWALS 6u /* a lease, of the holder */
#define LOOK_MAX_US 500000
#define STALE_LEASES 3
#define OFFER_LEASES 2 /* others wait for a whole one before they take it */

static int64_t boot_us(const struct evs_run *run)
{
    return run->options.os->clock.boot_us(run->options.os->clock.self);
}

static void wait_on(const struct evs_run *run, struct evs_park *park, int64_t us)
{
    const struct evs_os *os = run->options.os;
    (void)os->sockets.wait(os->sockets.self, park, NULL, 0, us);
}

/* --- the keeper --------------------------------------------------------------------------------------------------------------------- */

static bool works(const struct evs_run *run)
{
    int64_t committed_us = atomic_load(&run->committed_us);
    int64_t patience_us = STALE_LEASES * run->options.lease_us + run->options.checkpoint_interval_us;
    return committed_us == 0 || boot_us(run) - committed_us < patience_us;
}

static bool is_on_offer(const struct evs_run *run)
{
    return boot_us(run) - evs_lease_renewed_us(run->lease) < OFFER_LEASES * run->options.lease_us;
}

static void tell_trouble(struct evs_run *run, const struct evs_error *error)
{
    evs_log(run->options.log, EVS_LOG_WARN, "lease_trouble", "The lease of pipeline %s cannot be looked at: %s",
            run->plan->pipeline, error->text);
}

static void tell_stale(struct evs_run *run)
{
    evs_log(
        run->options.log, EVS_LOG_WARN, "lease_stale",
        "Pipeline %s has made no checkpoint for a long time: its lease is not renewed, so that another engine may try.",
        run->plan->pipeline);
}

/* Sinks that had to wait for the renewal go on. */
static void renewed(struct evs_run *run, int64_t before_us)
{
    if (evs_lease_renewed_us(run->lease) - before_us >= run->options.lease_us / 2) {
        evs_run_wake_all(run);
    }
}

static void renew(struct evs_run *run)
{
    struct evs_error error = {0};
    int64_t before_us = evs_lease_renewed_us(run->lease);
    bool was_stale = run->is_stale;
    run->is_stale = !works(run);
    if (run->is_stale && !was_stale) { /* once, not at every tick */
        tell_stale(run);
    }
    if (run->is_stale && is_on_offer(run)) {
        return;
    }
    evs_status status = evs_lease_renew(run->lease, &error);
    if (status == EVS_OK) {
        renewed(run, before_us);
    } else if (status == EVS_E_FENCED) {
        evs_run_fail(run, status, &error);
    } else {
        tell_trouble(run, &error);
    }
}

/* The marker is read by whoever has just won: the holder before may have written it until then. */
static evs_status win_now(struct evs_run *run, struct evs_error *error)
{
    evs_status status = evs_lease_is_held(run->lease) ? EVS_OK : evs_lease_try(run->lease, error);
    return status == EVS_OK ? evs_marker_read(run, error) : status;
}

static evs_status win(struct evs_run *run, struct evs_error *error)
{
    const struct evs_run_gate *gate = &run->options.gate;
    if (gate->enter == NULL) {
        return win_now(run, error);
    }
    if (!gate->enter(gate->argument, run->options.group_index)) {
        return evs_lease_watch(run->lease, error);
    }
    evs_status status = win_now(run, error);
    gate->leave(gate->argument, run->options.group_index, status == EVS_OK);
    return status;
}

/* Told at each look, which is a few times a second: whoever reads it sees who it is now. */
static void show_holder(struct evs_run *run)
{
    evs_view_holder(run, evs_lease_is_free(run->lease) ? "" : evs_lease_holder(run->lease));
}

static void try_to_win(struct evs_run *run)
{
    struct evs_error error = {0};
    evs_status status = win(run, &error);
    if (status == EVS_OK) {
        atomic_store(&run->lease_won, true);
        run->options.os->threads.wake(run->starter_park);
    } else if (status == EVS_AGAIN) {
        show_holder(run);
    } else {
        tell_trouble(run, &error);
    }
}

/* Of a term that is sure to be ours. */
static void write_marker(struct evs_run *run)
{
    if (atomic_load(&run->lease_won) && evs_lease_is_held(run->lease) && evs_standby_may_send(run)) {
        evs_marker_write(run);
    }
}

static int64_t pause_us(const struct evs_run *run)
{
    if (evs_lease_is_held(run->lease)) {
        return run->options.lease_us / RENEWALS;
    }
    int64_t us = run->options.lease_us / LOOKS;
    return us < LOOK_MAX_US ? us : LOOK_MAX_US;
}

static bool is_over(const struct evs_run *run)
{
    return atomic_load(&run->keeper_ends) || atomic_load(&run->failed);
}

/* Wakes of the park come from connections, too: the pause counts, not the wake. */
static void keeper_main(void *argument)
{
    struct evs_run *run = argument;
    int64_t due_us =
        boot_us(run) + (run->options.gate.enter == NULL ? pause_us(run) : 0); /* else nobody has looked yet */
    while (!is_over(run)) {
        int64_t left_us = due_us - boot_us(run);
        if (left_us > 0) {
            wait_on(run, run->keeper_park, left_us);
            write_marker(run);
            continue;
        }
        if (evs_lease_is_held(run->lease)) {
            renew(run);
        }
        if (!atomic_load(&run->lease_won) && !atomic_load(&run->stop)) {
            try_to_win(run);
        }
        due_us = boot_us(run) + pause_us(run);
    }
}

/* --- the starter -------------------------------------------------------------------------------------------------------------------- */

static void starter_main(void *argument)
{
    struct evs_run *run = argument;
    struct evs_error error = {0};
    while (!atomic_load(&run->lease_won)) {
        if (atomic_load(&run->stop) || atomic_load(&run->failed)) {
            atomic_store(&run->finish, true);
            evs_run_wake_all(run);
            return;
        }
        wait_on(run, run->starter_park, -1);
    }
    if (run->options.group == NULL) { /* of several groups somebody else tells */
        evs_log(run->options.log, EVS_LOG_INFO, "lease", "took over pipeline %s", run->plan->pipeline);
    }
    evs_status status = evs_run_take(run, &error);
    if (status != EVS_OK) {
        evs_run_fail(run, status, &error);
    }
}

/* --- opening, closing -------------------------------------------------------------------------------------------------------------- */

static evs_status open_lease(struct evs_run *run, struct evs_error *error)
{
    const struct evs_run_options *options = &run->options;
    evs_status status =
        evs_plan_open_bucket(run->plan, options, run->keeper_park, &run->bucket_kind, &run->bucket, error);
    if (status == EVS_OK) {
        run->lease = evs_lease_new(&(struct evs_lease_open){.os = options->os,
                                                            .bucket = run->bucket_kind,
                                                            .instance = run->bucket,
                                                            .pipeline = run->plan->pipeline,
                                                            .group = evs_run_group(run),
                                                            .lease_us = options->lease_us});
    }
    return status;
}

static evs_status spawn(const struct evs_run *run, const char *name, void (*main)(void *), struct evs_run *argument,
                        struct evs_thread **thread, struct evs_error *error)
{
    const struct evs_threads *threads = &run->options.os->threads;
    evs_status status = threads->spawn(threads->self, name, main, argument, thread);
    return status == EVS_OK ? EVS_OK : evs_fail(error, status, "the thread %s cannot be started", name);
}

static void tell_standby(const struct evs_run *run)
{
    evs_log(run->options.log, EVS_LOG_INFO, "standby",
            "Pipeline %s is run by %s. This engine stands by and takes over: at once when that one ends, within %.3g s "
            "when it is "
            "stopped or cut off.",
            run->plan->pipeline, evs_lease_holder(run->lease), (double)run->options.lease_us / 1e6);
}

evs_status evs_standby_begin(struct evs_run *run, bool *waits, struct evs_error *error)
{
    *waits = false;
    if (run->store == NULL || run->options.lease_us == 0 || !evs_plan_has_bucket(run->plan)) {
        return EVS_OK;
    }
    evs_status status = open_lease(run, error);
    if (status == EVS_OK) { /* groups restore beside each other, each on a thread of its own */
        status = run->options.gate.enter == NULL ? win(run, error) : EVS_AGAIN;
    }
    *waits = status == EVS_AGAIN;
    if (status != EVS_OK && !*waits) {
        return status;
    }
    atomic_store(&run->lease_won, !*waits);
    if (*waits && run->options.group == NULL) { /* from here on the lease is the keeper's */
        show_holder(run);
        tell_standby(run);
    }
    status = spawn(run, "evs-lease", keeper_main, run, &run->keeper, error);
    if (status == EVS_OK && *waits) {
        status = spawn(run, "evs-standby", starter_main, run, &run->starter, error);
    }
    return status;
}

void evs_standby_join(struct evs_run *run)
{
    if (run->starter != NULL) {
        run->options.os->threads.join(run->starter);
        run->starter = NULL;
    }
}

/* Nothing is sent any more: the lease can go. */
void evs_standby_end(struct evs_run *run)
{
    const struct evs_threads *threads = &run->options.os->threads;
    if (run->keeper != NULL) {
        atomic_store(&run->keeper_ends, true);
        threads->wake(run->keeper_park);
        threads->join(run->keeper);
        run->keeper = NULL;
    }
    if (run->lease != NULL) {
        evs_lease_release(run->lease);
        evs_lease_free(run->lease);
        run->lease = NULL;
    }
    if (run->bucket != NULL) {
        run->bucket_kind->close(run->bucket);
        run->bucket = NULL;
    }
}

bool evs_standby_may_send(const struct evs_run *run)
{
    if (run->lease == NULL || boot_us(run) - evs_lease_renewed_us(run->lease) < run->options.lease_us / 2) {
        return true;
    }
    run->options.os->threads.wake(run->keeper_park);
    return false;
}
