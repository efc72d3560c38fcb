/* Engines: processes that run the pipeline as `evstream run` does, all of its groups or those that they get. */
#include "format_json.h"
#include "simulation.h"
#include "store_redis.h"

#define LEASE_US (4 * EVS_SIM_SECOND)
#define RETRY_US (20 * EVS_SIM_SECOND)
#define TEND_US 50000 /* between two looks at the groups */

static void take_log_line(void *owner, const char *line, size_t bytes)
{
    struct evs_sim_engine *engine = owner;
    struct evs_simulation *simulation = engine->simulation;
    size_t skip = bytes > 31 ? 25 : 0; /* the line's own time */
    evs_sim_note(&simulation->world, engine->process->name, "%.*s", (int)(bytes - skip - 1), line + skip);
}

/* The first failure is the engine's end; a group that cannot go on takes the others with it, as in `evstream run`. */
static void fail_engine(struct evs_sim_engine *engine, evs_status status, const struct evs_error *error)
{
    if (engine->status == EVS_OK) {
        engine->status = status;
        engine->error = *error;
    }
    engine->has_failed = true;
    if (engine->groups != NULL) {
        evs_groups_leave(engine->groups);
    }
    for (uint32_t i = 0; i < EVS_SIM_GROUPS_MAX; i++) {
        if (engine->runs[i] != NULL) {
            evs_run_stop(engine->runs[i]);
        }
    }
}

static void start_run(struct evs_sim_engine *engine, uint32_t index)
{
    struct evs_error error = {0};
    evs_status status = evs_run_start(engine->simulation->plan, evs_groups_options(engine->groups, index),
                                      &engine->runs[index], &error);
    if (status != EVS_OK) {
        engine->runs[index] = NULL;
        engine->is_over[index] = true;
        fail_engine(engine, status, &error);
    } else if (engine->wants_stop || engine->has_failed) {
        evs_run_stop(engine->runs[index]);
    }
}

/* Back to an earlier commit, or to stand by for a group that another engine shall have; else it is over. */
static void end_run(struct evs_sim_engine *engine, uint32_t index)
{
    struct evs_run_summary summary;
    struct evs_error error = {0};
    evs_status status = evs_run_wait(engine->runs[index], &summary, &error);
    struct evs_run *run = engine->runs[index];
    bool goes_on = !engine->wants_stop && !engine->has_failed;
    bool again = goes_on && (status == EVS_E_GAP || (status == EVS_OK && evs_groups_gives_back(engine->groups, index)));
    engine->runs[index] = NULL;
    evs_run_free(run);
    evs_groups_ended(engine->groups, index, status == EVS_OK && !again);
    engine->simulation->totals.gaps += status == EVS_E_GAP;
    engine->simulation->totals.given_back += again && status == EVS_OK;
    engine->is_over[index] = !again;
    if (!again && status != EVS_OK) {
        fail_engine(engine, status, &error);
    }
}

/* True: it is not over. */
static bool tend_run(struct evs_sim_engine *engine, uint32_t index, bool is_only_one)
{
    struct evs_run *run = engine->runs[index];
    if (engine->is_over[index]) {
        return false;
    }
    if (run == NULL && (engine->wants_stop || engine->has_failed)) {
        engine->is_over[index] = true;
    } else if (run == NULL) {
        start_run(engine, index);
    } else if (evs_groups_gives_back(engine->groups, index) && !evs_run_has_ended(run)) {
        evs_run_stop(run);
    } else if (is_only_one || evs_run_has_ended(run)) {
        end_run(engine, index);
    }
    return !engine->is_over[index];
}

static void tend_runs(struct evs_sim_engine *engine)
{
    const struct evs_os *os = &engine->process->os;
    uint32_t count = evs_groups_count(engine->groups);
    bool is_only_one = evs_groups_name(engine->groups, 0) == NULL;
    for (bool goes_on = true; goes_on;) {
        goes_on = false;
        for (uint32_t i = 0; i < count; i++) {
            goes_on = tend_run(engine, i, is_only_one) || goes_on;
        }
        if (goes_on && !is_only_one) {
            os->clock.sleep_us(os->clock.self, TEND_US);
        }
    }
}

/* What `evstream run` does. */
static void run_engine(void *argument)
{
    struct evs_sim_engine *engine = argument;
    struct evs_simulation *simulation = engine->simulation;
    struct evs_groups *groups = NULL;
    engine->status = evs_groups_open(simulation->plan, &engine->options, &groups, &engine->error);
    if (engine->status == EVS_OK) {
        engine->groups = groups;
        tend_runs(engine);
        engine->groups = NULL;
        evs_groups_close(groups);
    }
    evs_sim_note(&simulation->world, engine->process->name, "ends: %s %s", evs_status_name(engine->status),
                 engine->status == EVS_OK ? "" : engine->error.text);
}

void evs_sim_stop_engine(struct evs_sim_engine *engine)
{
    if (!evs_sim_is_alive(engine->process)) {
        return;
    }
    evs_sim_note(&engine->simulation->world, engine->process->name, "is asked to stop");
    engine->wants_stop = true;
    if (engine->groups != NULL) {
        evs_groups_leave(engine->groups);
    }
    for (uint32_t i = 0; i < EVS_SIM_GROUPS_MAX; i++) {
        if (engine->runs[i] != NULL) {
            evs_run_stop(engine->runs[i]);
        }
    }
}

void evs_sim_start_engine(struct evs_simulation *simulation)
{
    struct evs_sim_world *world = &simulation->world;
    if (simulation->engine_count == EVS_SIM_ENGINES_MAX) {
        evs_sim_violate(world, "%u engines were started, and none stays", simulation->engine_count);
        return;
    }
    struct evs_sim_engine *engine = &simulation->engines[simulation->engine_count++];
    engine->simulation = simulation;
    engine->process = evs_sim_spawn(&simulation->machine, run_engine, engine);
    engine->process->log = take_log_line;
    engine->process->owner = engine;
    engine->log = evs_log_new(&engine->process->os, EVS_LOG_INFO, false);
    engine->options = (struct evs_run_options){
        .os = &engine->process->os,
        .log = engine->log,
        .worker_count = 1 + (uint32_t)evs_sim_below(world, simulation->choice.groups == 0 ? 3 : 2),
        .batch_rows = evs_sim_chance(world, 300) ? 1 + (uint32_t)evs_sim_below(world, 8) : EVS_BATCH_ROWS,
        .checkpoint_interval_us = simulation->choice.checkpoint_us,
        .store = &evs_store_redis,
        .nats_url = "nats://127.0.0.1:4222",
        .redis_url = "redis://127.0.0.1:6379",
        .start = EVS_START_COMMITTED,
        .retry_us = RETRY_US,
        .lease_us = simulation->choice.has_lease ? LEASE_US : 0,
        .bucket = simulation->choice.has_lease ? "evstream" : NULL,
        .row_format = &evs_format_json,
        .outbox_bytes_max = UINT64_C(64) << 20,
        .full_bytes_min = 1 + evs_sim_below(world, 4096), /* copies of ranges go round soon */
    };
    evs_sim_note(world, engine->process->name, "starts with %u workers", engine->options.worker_count);
}

struct evs_sim_engine *evs_sim_newest_engine(struct evs_simulation *simulation)
{
    for (uint32_t i = simulation->engine_count; i-- > 0;) {
        if (evs_sim_is_alive(simulation->engines[i].process)) {
            return &simulation->engines[i];
        }
    }
    return NULL;
}

uint32_t evs_sim_living_engines(const struct evs_simulation *simulation)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < simulation->engine_count; i++) {
        count += evs_sim_is_alive(simulation->engines[i].process);
    }
    return count;
}
