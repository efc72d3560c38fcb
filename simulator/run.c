/* The course of a simulation: engines start, traffic and faults happen, everything is healed, the engine catches up and is
 * stopped, and what came out is compared. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd.h"
#include "compile.h"
#include "format_json.h"
#include "simulation.h"
#include "state/record.h"
#include "store_redis.h"

#define LOOK_US (EVS_SIM_SECOND / 4)
#define CATCH_UP_US (180 * EVS_SIM_SECOND) /* longer than every time-out and retry of the engine */
#define STOP_US (60 * EVS_SIM_SECOND)
#define LEASE_US (4 * EVS_SIM_SECOND)
#define SETTLE_US (20 * EVS_SIM_SECOND)
#define RETRY_US (20 * EVS_SIM_SECOND)

/* --- the choice ----------------------------------------------------------------------------------------------------------- */

void evs_sim_choose(struct evs_simulation *simulation)
{
    struct evs_sim_world *world = &simulation->world;
    static const int64_t intervals[] = {50000, 100000, 250000, 1000000};
    static const uint32_t partitions[] = {1, 2, 4};
    struct evs_sim_choice *choice = &simulation->choice;
    *choice = (struct evs_sim_choice){
        .pipeline = (enum evs_sim_pipeline)evs_sim_below(world, EVS_SIM_PIPELINES),
        .delivery = (enum evs_sim_delivery)evs_sim_below(world, EVS_SIM_DELIVERIES),
        .partitions = partitions[evs_sim_below(world, EVS_COUNT(partitions))],
        .users = 8,
        .messages = (uint32_t)evs_sim_between(world, 20, 120),
        .late_per_thousand = evs_sim_chance(world, 500) ? 0 : 100,
        .fault_count = (uint32_t)evs_sim_between(world, 0, 14),
        .traffic_us = evs_sim_between(world, 5, 30) * EVS_SIM_SECOND,
        .checkpoint_us = intervals[evs_sim_below(world, EVS_COUNT(intervals))],
        .has_idle = evs_sim_chance(world, 400),
        .syncs_always = evs_sim_chance(world, 500),
        .has_lease = evs_sim_chance(world, 500),
        .window_us = evs_sim_chance(world, 500) ? 20 * EVS_SIM_SECOND : 600 * EVS_SIM_SECOND,
        .faults = (uint32_t)evs_sim_draw(world) | (uint32_t)evs_sim_draw(world), /* three kinds of four */
    };
    if (choice->pipeline == EVS_SIM_SESSIONS) {
        /* A row that comes after its session has closed begins one that overlaps it: legal, and no naive recount's business. */
        choice->late_per_thousand = 0;
        choice->has_idle = false;
    }
    if (choice->pipeline == EVS_SIM_IDENTITY) {
        choice->has_idle = false; /* whose a late row is depends on how far the clock had moved time */
    }
}

void evs_sim_describe(const struct evs_sim_choice *choice, struct evs_buffer *out)
{
    static const char *const pipelines[] = {"windows", "totals", "sessions", "sequences", "joins", "identity", "trace"};
    static const char *const deliveries[] = {"fast", "exact", "to redis"};
    evs_buffer_printf(
        out,
        "%s %s, %u partitions, %u messages in %d s, %u faults, checkpoints of %d ms%s%s, appendfsync %s, ids for %d s",
        pipelines[choice->pipeline], deliveries[choice->delivery], choice->partitions, choice->messages,
        (int)(choice->traffic_us / EVS_SIM_SECOND), choice->fault_count, (int)(choice->checkpoint_us / 1000),
        choice->has_idle ? ", idle clock" : "", choice->has_lease ? ", lease" : "",
        choice->syncs_always ? "always" : "everysec", (int)(choice->window_us / EVS_SIM_SECOND));
}

/* --- engines ------------------------------------------------------------------------------------------------------------- */

static void take_log_line(void *owner, const char *line, size_t bytes)
{
    struct evs_sim_engine *engine = owner;
    struct evs_simulation *simulation = engine->simulation;
    size_t skip = bytes > 31 ? 25 : 0; /* the line's own time */
    evs_sim_note(&simulation->world, engine->process->name, "%.*s", (int)(bytes - skip - 1), line + skip);
}

static void run_engine(void *argument)
{
    struct evs_sim_engine *engine = argument;
    struct evs_simulation *simulation = engine->simulation;
    do {
        struct evs_run_summary summary;
        engine->status = evs_run_start(simulation->plan, &engine->options, &engine->run, &engine->error);
        if (engine->status != EVS_OK) {
            engine->run = NULL;
            break;
        }
        if (engine->wants_stop) {
            evs_run_stop(engine->run);
        }
        engine->status = evs_run_wait(engine->run, &summary, &engine->error);
        struct evs_run *run = engine->run;
        engine->run = NULL;
        evs_run_free(run);
        simulation->totals.gaps += engine->status == EVS_E_GAP;
    } while (engine->status == EVS_E_GAP && !engine->wants_stop); /* as `evstream run` does */
    evs_sim_note(&simulation->world, engine->process->name, "ends: %s %s", evs_status_name(engine->status),
                 engine->status == EVS_OK ? "" : engine->error.text);
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
        .worker_count = 1 + (uint32_t)evs_sim_below(world, 3),
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

static bool is_server_trouble(evs_status status)
{
    return status == EVS_E_UNREACHABLE || status == EVS_E_REFUSED;
}

/* An end that nothing explains. A server that was away too long, and a newer owner, do. */
static void judge_ends(struct evs_simulation *simulation)
{
    for (uint32_t i = 0; i < simulation->engine_count; i++) {
        const struct evs_sim_engine *engine = &simulation->engines[i];
        if (!engine->process->has_exited) {
            continue;
        }
        simulation->totals.fenced += engine->status == EVS_E_FENCED;
        bool is_fine = engine->status == EVS_OK || engine->status == EVS_E_UNREACHABLE ||
                       engine->status == EVS_E_REFUSED || engine->status == EVS_E_GAP ||
                       (engine->status == EVS_E_FENCED && simulation->engine_count > 1);
        if (!is_fine) {
            evs_sim_violate(&simulation->world, "%s ended with %s: %s", engine->process->name,
                            evs_status_name(engine->status), engine->error.text);
        }
        if (engine->status == EVS_OK && !engine->wants_stop) {
            evs_sim_violate(&simulation->world, "%s ended although nobody had asked it to", engine->process->name);
        }
    }
}

/* --- how far it is ---------------------------------------------------------------------------------------------------------- */

struct evs_slice evs_sim_newest_record(const struct evs_sim_redis_data *data)
{
    const struct evs_sim_stream *log = evs_sim_redis_find(data, EVS_SLICE("evs:{simulated:0}:log"));
    for (uint32_t i = log == NULL ? 0 : log->count; log != NULL && i-- > log->first;) {
        const struct evs_sim_entry *entry = log->entries[i];
        if (entry->field_count == 8 && evs_slice_equal(entry->fields[1], EVS_SLICE("C"))) {
            return entry->fields[7];
        }
    }
    return (struct evs_slice){0};
}

/* The newest stored message of each partition. */
static void stored_sequences(const struct evs_simulation *simulation, uint64_t *sequences)
{
    for (uint32_t i = 0; i < simulation->event_count; i++) {
        const struct evs_sim_click *click = &simulation->events[i];
        if (!click->is_lost && click->sequence > sequences[click->partition]) {
            sequences[click->partition] = click->sequence;
        }
    }
}

/* Partitions that are not committed up to their newest message. */
static uint32_t partitions_behind(struct evs_simulation *simulation)
{
    uint64_t stored[EVS_SIM_PARTITIONS_MAX] = {0};
    struct evs_slice bytes = evs_sim_newest_record(&simulation->redis.data);
    struct evs_arena arena = {0};
    struct evs_record record;
    struct evs_error error;
    uint32_t behind = simulation->choice.partitions;
    stored_sequences(simulation, stored);
    if (bytes.count == 0) {
        return behind;
    }
    evs_status status = evs_record_decode(bytes, &arena, &record, &error);
    EVS_ASSERT(status == EVS_OK);
    for (uint32_t i = 0; i < record.sources[0].partition_count; i++) {
        const struct evs_position *position = &record.sources[0].partitions[i].position;
        behind -=
            position->partition < simulation->choice.partitions && position->sequence >= stored[position->partition];
    }
    simulation->totals.events = record.events;
    evs_arena_fini(&arena);
    return behind;
}

static bool step_until(struct evs_simulation *simulation, int64_t until_us, bool (*is_reached)(struct evs_simulation *))
{
    struct evs_sim_world *world = &simulation->world;
    int64_t look_us = world->now_us;
    while (world->now_us < until_us && world->violations.count == 0) {
        if (is_reached != NULL && world->now_us >= look_us) {
            if (is_reached(simulation)) {
                return true;
            }
            look_us = world->now_us + LOOK_US;
        }
        if (!evs_sim_step(world)) {
            break;
        }
    }
    return false;
}

/* With faults over, one engine must be left to go on; the supervisor may still have to start it. */
static bool has_caught_up(struct evs_simulation *simulation)
{
    bool all_stored = evs_sim_store_waiting(simulation);
    /* After a loss an old position may be above the new messages, until the reader has found the fork. */
    bool is_settled =
        simulation->nats.lost_messages == 0 || simulation->world.now_us > simulation->healed_us + SETTLE_US;
    uint32_t living = evs_sim_living_engines(simulation);
    bool is_decided =
        simulation->choice.has_lease ? living > 0 : living == 1; /* without a lease the last one must fence the rest */
    return all_stored && is_settled && is_decided && partitions_behind(simulation) == 0;
}

static void stop_engine(struct evs_sim_engine *engine)
{
    if (evs_sim_is_alive(engine->process)) {
        evs_sim_note(&engine->simulation->world, engine->process->name, "is asked to stop");
        engine->wants_stop = true;
        if (engine->run != NULL) {
            evs_run_stop(engine->run);
        }
    }
}

static bool has_stopped(struct evs_simulation *simulation)
{
    return evs_sim_living_engines(simulation) == 0;
}

/* Of several, those that had been overtaken and did not know it yet are fenced, or find first that Redis was started again, and one that was still
 * waiting for an answer from before the end of the faults may give up; the one that ran stops in order. */
static void judge_stop(struct evs_simulation *simulation)
{
    uint32_t in_order = 0;
    for (uint32_t i = 0; i < simulation->engine_count; i++) {
        const struct evs_sim_engine *engine = &simulation->engines[i];
        if (!engine->wants_stop || !engine->process->has_exited) {
            continue;
        }
        in_order += engine->status == EVS_OK;
        bool is_overtaken = engine->status == EVS_E_FENCED || engine->status == EVS_E_GAP;
        if (engine->status != EVS_OK && !is_overtaken && !is_server_trouble(engine->status)) {
            evs_sim_violate(&simulation->world, "%s does not stop in order: %s", engine->process->name,
                            engine->error.text);
        }
    }
    if (in_order == 0) {
        evs_sim_violate(&simulation->world, "no engine stops in order");
    }
}

static void catch_up_and_stop(struct evs_simulation *simulation)
{
    struct evs_sim_world *world = &simulation->world;
    evs_sim_flush_traffic(simulation);
    if (!step_until(simulation, world->now_us + CATCH_UP_US, has_caught_up)) {
        evs_sim_violate(world, "no progress: %u engines live, %u partitions are behind, of %u",
                        evs_sim_living_engines(simulation), partitions_behind(simulation),
                        simulation->choice.partitions);
        return;
    }
    simulation->is_over = true;
    for (uint32_t i = 0; i < simulation->engine_count; i++) {
        stop_engine(&simulation->engines[i]);
    }
    if (!step_until(simulation, world->now_us + STOP_US, has_stopped)) {
        evs_sim_violate(world, "%u engines do not stop", evs_sim_living_engines(simulation));
    }
    judge_stop(simulation);
}

/* --- all of it --------------------------------------------------------------------------------------------------------------- */

static void begin(struct evs_simulation *simulation, uint64_t seed, bool keeps_history)
{
    *simulation = (struct evs_simulation){0};
    evs_sim_world_init(&simulation->world, seed, keeps_history);
    evs_sim_choose(simulation);
    struct evs_buffer line = {0};
    evs_sim_describe(&simulation->choice, &line);
    evs_sim_note(&simulation->world, "seed", "%" PRIu64 ": %.*s", seed, (int)line.count, line.data);
    evs_buffer_fini(&line);
    evs_sim_nats_init(&simulation->nats, &simulation->world);
    evs_sim_redis_init(&simulation->redis, &simulation->world, simulation->choice.syncs_always);
    simulation->machine = (struct evs_sim_machine){.world = &simulation->world,
                                                   .servers = {&simulation->nats.server, &simulation->redis.server}};
    simulation->clicks = evs_sim_nats_create(&simulation->nats, "CLICKS", "clicks.>", 120 * EVS_SIM_SECOND);
    simulation->triggers =
        evs_sim_nats_create(&simulation->nats, "TRIGGERS", "triggers.>", simulation->choice.window_us);
    evs_sim_write_pipeline(&simulation->choice, &simulation->text);
    simulation->plan = evs_sim_compile(&simulation->text);
}

static void take_totals(struct evs_simulation *simulation)
{
    struct evs_sim_totals *totals = &simulation->totals;
    totals->engines = simulation->engine_count;
    totals->commits = simulation->redis.commits;
    totals->lost_messages = simulation->nats.lost_messages;
    totals->lost_writes = simulation->redis.lost_writes;
    totals->duplicates = simulation->nats.duplicates;
    totals->virtual_us = simulation->world.now_us;
    totals->steps = simulation->world.event_total;
}

bool evs_simulate(struct evs_simulation *simulation, uint64_t seed, bool keeps_history, bool sabotage)
{
    begin(simulation, seed, keeps_history);
    simulation->nats.sabotage = sabotage ? 3 : 0;
    evs_sim_start_engine(simulation);
    evs_sim_begin_traffic(simulation);
    evs_sim_begin_faults(simulation);
    (void)step_until(simulation, simulation->choice.traffic_us + 2 * EVS_SIM_SECOND, NULL);
    evs_sim_heal(simulation);
    catch_up_and_stop(simulation);
    judge_ends(simulation);
    if (simulation->world.violations.count == 0) {
        evs_sim_check(simulation);
    }
    take_totals(simulation);
    return simulation->world.violations.count == 0;
}

void evs_simulation_fini(struct evs_simulation *simulation)
{
    evs_plan_free(simulation->plan);
    evs_buffer_fini(&simulation->text);
    evs_sim_redis_fini(&simulation->redis);
    evs_sim_nats_fini(&simulation->nats);
    evs_free(simulation->events);
    evs_sim_world_fini(&simulation->world);
}
