#include "run_pipelines.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "evstream/memory.h"

#define TEND_US 100000
#define BACKOFF_US INT64_C(1000000)
#define BACKOFF_MAX_US (INT64_C(30) * 1000 * 1000)

/* The run of one group, and the time between two runs of it. */
struct slot {
    uint32_t index; /* of the group */
    struct evs_run *run;
    int64_t started_us, backoff_us, again_us;
    bool is_over;
    bool had_finished; /* before this engine came to it */
};

#define RUNS_MAX (EVS_PIPELINES_MAX * EVS_GROUPS_MAX)

/* The handler may only read these; they are set before signals are let in and stay until all runs have ended. */
static struct evs_run *volatile running[RUNS_MAX];
static volatile sig_atomic_t signals_seen;
static volatile time_t first_signal_s;

/* A second signal ends the process at once. A terminal and a supervisor often send the same one twice: within a second it is one. */
static void on_signal(int signal_number)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (signals_seen > 0 && now.tv_sec > first_signal_s + 1) {
        _exit(128 + signal_number);
    }
    first_signal_s = signals_seen > 0 ? first_signal_s : now.tv_sec;
    signals_seen = 1;
    for (uint32_t i = 0; i < RUNS_MAX; i++) {
        if (running[i] != NULL) {
            evs_run_stop(running[i]);
        }
    }
}

void evs_pipelines_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* --- the end of a run, for people ---------------------------------------------------------------------------------------- */

/* What operators have left out, a line each: a number that nobody looks for is found here. */
static void print_left_out(const struct evs_run *run)
{
    struct evs_run_operator counts;
    for (uint32_t node = 0; evs_run_next_operator(run, &node, &counts);) {
        const struct {
            const char *name;
            uint64_t count;
        } numbers[] = {{"late", counts.late},
                       {"late_window_misses", counts.late_windows},
                       {"null_key", counts.null_keys},
                       {"limited", counts.limited}};
        const char *before = "left out";
        fprintf(stderr, "  %s: ", counts.name);
        for (size_t i = 0; i < EVS_COUNT(numbers); i++) {
            if (numbers[i].count > 0) {
                fprintf(stderr, "%s %llu %s", before, (unsigned long long)numbers[i].count, numbers[i].name);
                before = ",";
            }
        }
        fputc('\n', stderr);
    }
}

static void print_summary(const struct evs_pipeline *pipeline, const struct slot *slot,
                          const struct evs_run_summary *summary)
{
    const struct evs_run_totals *totals = &summary->totals;
    const char *group = evs_groups_name(pipeline->groups, slot->index);
    if (pipeline->log_json) { /* who reads the lines as JSON wants no other ones among them */
        evs_log(pipeline->options.log, EVS_LOG_INFO, "summary",
                "%s%s%llu events, %llu rows out, %llu late, %llu dead letters in %.2f s (%s)",
                group != NULL ? group : "", group != NULL ? ": " : "", (unsigned long long)totals->events,
                (unsigned long long)totals->rows_out, (unsigned long long)totals->late,
                (unsigned long long)totals->dead, (double)summary->elapsed_us / 1e6,
                summary->finished ? "input complete" : "stopped");
        return;
    }
    fprintf(stderr, "%s%s%s: %llu events, %llu rows out, %llu late, %llu dead letters in %.2f s (%s)\n",
            pipeline->plan->pipeline, group != NULL ? ", group " : "", group != NULL ? group : "",
            (unsigned long long)totals->events, (unsigned long long)totals->rows_out, (unsigned long long)totals->late,
            (unsigned long long)totals->dead, (double)summary->elapsed_us / 1e6,
            summary->finished ? "input complete" : "stopped");
    print_left_out(slot->run);
}

/* A reader that has seen enough (`| head`) has cancelled the run: that is no error. */
static int report(const struct evs_pipeline *pipeline, evs_status status, const struct evs_error *error)
{
    if (status == EVS_E_CANCELLED) {
        return EVS_EXIT_DONE;
    }
    if (pipeline->log_json) {
        struct evs_error coded = *error;
        coded.code = status;
        evs_log_about(pipeline->options.log, EVS_LOG_ERROR, "failed", (struct evs_log_about){.error = &coded},
                      "The run has ended: %s", error->text);
    } else {
        fprintf(stderr, "evstream: %s: %s\n", pipeline->file, error->text);
    }
    return evs_status_exit_code(status);
}

static struct evs_run *volatile *running_at(const struct evs_pipeline *pipeline, const struct slot *slot)
{
    return &running[pipeline->number * EVS_GROUPS_MAX + slot->index];
}

/* An engine before us, or beside us, came to the end of this group: that is no failure while there is another one to end. */
static bool was_ended_by_others(const struct evs_pipeline *pipeline, struct slot *slot, evs_status status)
{
    slot->had_finished = status == EVS_E_FINISHED;
    bool is_whole = true; /* then there is nothing to do here, as with a pipeline of one group */
    for (uint32_t i = 0; i < pipeline->slot_count; i++) {
        is_whole &= pipeline->slots[i].had_finished;
    }
    return slot->had_finished && !is_whole && pipeline->options.until_end;
}

static int start(struct evs_pipeline *pipeline, struct slot *slot)
{
    struct evs_error error = {0};
    struct evs_run_options options = *evs_groups_options(pipeline->groups, slot->index);
    options.notes = evs_live_notes(pipeline->live, pipeline->live_number, slot->index);
    slot->started_us = evs_monotonic_us(pipeline->options.os);
    evs_status status = evs_run_start(pipeline->plan, &options, &slot->run, &error);
    if (was_ended_by_others(pipeline, slot, status)) {
        slot->run = NULL;
        slot->is_over = true;
        evs_live_ended(pipeline->live, pipeline->live_number, slot->index, EVS_OK);
        evs_groups_ended(pipeline->groups, slot->index, true);
        return EVS_EXIT_DONE;
    }
    if (status != EVS_OK) {
        slot->run = NULL;
        evs_live_ended(pipeline->live, pipeline->live_number, slot->index, status);
        return report(pipeline, status, &error);
    }
    *running_at(pipeline, slot) = slot->run;
    evs_live_started(pipeline->live, pipeline->live_number, slot->index, slot->run);
    if (signals_seen > 0) {
        evs_run_stop(slot->run);
    }
    return EVS_EXIT_DONE;
}

/* How the pipeline is divided, and a slot for each group. */
static int open_groups(struct evs_pipeline *pipeline)
{
    struct evs_error error = {0};
    evs_status status = evs_groups_open(pipeline->plan, &pipeline->options, &pipeline->groups, &error);
    if (status != EVS_OK) {
        evs_live_ended(pipeline->live, pipeline->live_number, 0, status);
        return report(pipeline, status, &error);
    }
    pipeline->slot_count = evs_groups_count(pipeline->groups);
    pipeline->slots = evs_alloc_zero(pipeline->slot_count * sizeof *pipeline->slots);
    for (uint32_t i = 0; i < pipeline->slot_count; i++) {
        pipeline->slots[i].index = i;
    }
    return EVS_EXIT_DONE;
}

static void stop(struct evs_pipeline *pipeline)
{
    for (uint32_t i = 0; i < pipeline->slot_count; i++) {
        if (pipeline->slots[i].run != NULL) {
            evs_run_stop(pipeline->slots[i].run);
        }
    }
}

/* A group that cannot go on is told at once, and not left out in silence: the others of its pipeline are stopped. */
static void fail(struct evs_pipeline *pipeline)
{
    if (!pipeline->has_failed) {
        pipeline->has_failed = true;
        evs_groups_leave(pipeline->groups);
        stop(pipeline);
    }
}

static int start_all(struct evs_pipeline *pipeline)
{
    int exit_code = open_groups(pipeline);
    for (uint32_t i = 0; i < pipeline->slot_count && exit_code == EVS_EXIT_DONE; i++) {
        exit_code = start(pipeline, &pipeline->slots[i]);
    }
    if (exit_code != EVS_EXIT_DONE && pipeline->groups != NULL) {
        fail(pipeline);
    }
    return exit_code;
}

/* Engines that take a pipeline from each other again and again do it ever more slowly. */
static void back_off(const struct evs_pipeline *pipeline, struct slot *slot)
{
    int64_t now_us = evs_monotonic_us(pipeline->options.os);
    int64_t longer_us = slot->backoff_us * 2 < BACKOFF_MAX_US ? slot->backoff_us * 2 : BACKOFF_MAX_US;
    bool has_rested = slot->backoff_us == 0 || now_us - slot->started_us > 2 * BACKOFF_MAX_US;
    slot->backoff_us = has_rested ? BACKOFF_US : longer_us;
    slot->again_us = now_us + slot->backoff_us;
}

/* Whether the run begins again: Redis went back to an earlier state (EVS_E_GAP), so memory is dropped and the last commit restored; another engine has
 * taken over, and this one is to stand by; or the group was given back, and this engine stands by for it. */
static bool begins_again(const struct evs_pipeline *pipeline, struct slot *slot, evs_status status,
                         const struct evs_error *error)
{
    slot->again_us = 0;
    if (signals_seen > 0 || pipeline->has_failed) {
        return false;
    }
    if (status == EVS_OK) {
        return evs_groups_gives_back(pipeline->groups, slot->index);
    }
    if (status == EVS_E_GAP) {
        evs_log(pipeline->options.log, EVS_LOG_WARN, "gap", "%s; restoring and replaying", error->text);
        return true;
    }
    if (status != EVS_E_FENCED || !pipeline->standby) {
        return false;
    }
    evs_log(pipeline->options.log, EVS_LOG_WARN, "fenced", "%s Standing by again.", error->text);
    back_off(pipeline, slot);
    return true;
}

/* The run has ended, or is waited for. False when it is over; true: it is to begin again at slot->again_us. */
static bool end(struct evs_pipeline *pipeline, struct slot *slot, bool quiet, int *exit_code)
{
    struct evs_run_summary summary;
    struct evs_error error = {0};
    evs_status status = evs_run_wait(slot->run, &summary, &error);
    *running_at(pipeline, slot) = NULL;
    if (was_ended_by_others(pipeline, slot, status)) {
        status = EVS_OK;
    }
    bool again = begins_again(pipeline, slot, status, &error);
    if (status == EVS_OK && !quiet && !again && summary.ran) {
        print_summary(pipeline, slot, &summary);
    }
    evs_live_ended(pipeline->live, pipeline->live_number, slot->index, status);
    evs_run_free(slot->run);
    slot->run = NULL;
    evs_groups_ended(pipeline->groups, slot->index, status == EVS_OK && !again);
    if (!again) {
        *exit_code = status == EVS_OK ? EVS_EXIT_DONE : report(pipeline, status, &error);
    }
    return again;
}

/* One look at a group: ends what has ended, starts what is to begin again. False when it is over. */
static bool tend(struct evs_pipeline *pipeline, struct slot *slot, bool is_only_one, bool quiet, int *exit_code)
{
    if (slot->run != NULL) {
        if (evs_groups_gives_back(pipeline->groups, slot->index)) {
            evs_run_stop(slot->run);
        }
        return !(is_only_one || evs_run_has_ended(slot->run)) || end(pipeline, slot, quiet, exit_code);
    }
    if (signals_seen > 0 || pipeline->has_failed) {
        return false;
    }
    if (evs_monotonic_us(pipeline->options.os) < slot->again_us) {
        return true;
    }
    *exit_code = start(pipeline, slot);
    return *exit_code == EVS_EXIT_DONE && !slot->is_over;
}

/* Looks at all groups of a pipeline; how many are not over yet. Its first failure is its exit code. */
static uint32_t tend_groups(struct evs_pipeline *pipeline, bool is_only_one, bool quiet, int *exit_code)
{
    uint32_t left = 0;
    bool is_shared = evs_groups_name(pipeline->groups, 0) != NULL; /* a group may have to be given back: nobody waits */
    if (signals_seen > 0) {
        evs_groups_leave(pipeline->groups);
    }
    for (uint32_t i = 0; i < pipeline->slot_count; i++) {
        struct slot *slot = &pipeline->slots[i];
        int result = EVS_EXIT_DONE;
        if (!slot->is_over && !tend(pipeline, slot, is_only_one && !is_shared, quiet, &result)) {
            slot->is_over = true;
            *exit_code = *exit_code == EVS_EXIT_DONE ? result : *exit_code;
        }
        if (result != EVS_EXIT_DONE) {
            fail(pipeline);
        }
        left += !slot->is_over;
    }
    return left;
}

/* Until all are over. A pipeline that fails is told at once, and the others go on; the first failure is the exit code. */
static int tend_all(struct evs_pipeline *pipelines, uint32_t count, bool quiet)
{
    const struct evs_os *os = evs_os_system();
    int exit_code = EVS_EXIT_DONE;
    for (uint32_t left = count; left > 0;) {
        left = 0;
        for (uint32_t i = 0; i < count; i++) {
            left += tend_groups(&pipelines[i], count == 1, quiet, &exit_code);
        }
        if (left > 0) {
            (void)os->sockets.wait(os->sockets.self, NULL, NULL, 0, TEND_US); /* a signal ends it sooner */
        }
    }
    return exit_code;
}

int evs_pipelines_run(struct evs_pipeline *pipelines, uint32_t count, bool quiet)
{
    int exit_code = EVS_EXIT_DONE;
    uint32_t started = 0;
    while (started < count && exit_code == EVS_EXIT_DONE) {
        exit_code = start_all(&pipelines[started++]);
    }
    for (uint32_t i = 0; exit_code != EVS_EXIT_DONE && i < started; i++) {
        if (pipelines[i].groups != NULL) {
            fail(&pipelines[i]);
        }
    }
    if (exit_code != EVS_EXIT_DONE && pipelines[started - 1].groups == NULL) {
        started--; /* it has nothing to tend */
    }
    int result = tend_all(pipelines, started, quiet);
    for (uint32_t i = 0; i < started; i++) {
        evs_groups_close(pipelines[i].groups);
        evs_free(pipelines[i].slots);
    }
    return exit_code == EVS_EXIT_DONE ? result : exit_code;
}
