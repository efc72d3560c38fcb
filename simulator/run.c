/* The course of a simulation: engines start, traffic and faults happen, everything is healed, the engine catches up and is
 * stopped, and what came out is compared. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd.h"
#include "compile.h"
#include "simulation.h"
#include "state/record.h"

#define LOOK_US (EVS_SIM_SECOND / 4)
#define CATCH_UP_US (180 * EVS_SIM_SECOND) /* longer than every time-out and retry of the engine */
#define STOP_US (60 * EVS_SIM_SECOND)
#define TAKE_OVER_US (15 * EVS_SIM_SECOND) /* some leases */
#define ENDS_MAX 3                         /* how often the last engine may learn that it is not */
#define SETTLE_US (20 * EVS_SIM_SECOND)

/* --- the choice ----------------------------------------------------------------------------------------------------------- */

/* Rows of a person meet, and no others; sinks take several writers. Then most seeds are shared. */
static void choose_groups(struct evs_sim_world *world, struct evs_sim_choice *choice)
{
    bool by_user = choice->pipeline == EVS_SIM_WINDOWS || choice->pipeline == EVS_SIM_SESSIONS ||
                   choice->pipeline == EVS_SIM_SEQUENCES || choice->pipeline == EVS_SIM_JOINS;
    if (by_user && choice->partitions > 1 && choice->delivery != EVS_SIM_TO_REDIS && evs_sim_chance(world, 800)) {
        uint32_t most = choice->partitions < EVS_SIM_GROUPS_MAX ? choice->partitions : EVS_SIM_GROUPS_MAX;
        choice->groups = (uint32_t)evs_sim_between(world, 2, most);
        choice->users = EVS_SIM_NAMES;
        choice->has_lease = true;
    }
}

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
    choose_groups(world, choice);
    if (choice->pipeline == EVS_SIM_IDENTITY) {
        choice->has_idle = false; /* whose a late row is depends on how far the clock had moved time */
    }
}

void evs_sim_describe(const struct evs_sim_choice *choice, struct evs_buffer *out)
{
    static const char *const pipelines[] = {"windows", "totals", "sessions", "sequences", "joins", "identity", "trace"};
    static const char *const deliveries[] = {"fast", "exact", "to redis"};
    evs_buffer_printf(out,
                      "%s %s, %u partitions, %u groups, %u messages in %d s, %u faults, checkpoints of %d ms%s%s, "
                      "appendfsync %s, ids for %d s",
                      pipelines[choice->pipeline], deliveries[choice->delivery], choice->partitions,
                      evs_sim_group_count(choice), choice->messages, (int)(choice->traffic_us / EVS_SIM_SECOND),
                      choice->fault_count, (int)(choice->checkpoint_us / 1000), choice->has_idle ? ", idle clock" : "",
                      choice->has_lease ? ", lease" : "", choice->syncs_always ? "always" : "everysec",
                      (int)(choice->window_us / EVS_SIM_SECOND));
}

/* --- ends -------------------------------------------------------------------------------------------------------------------- */

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

uint32_t evs_sim_group_count(const struct evs_sim_choice *choice)
{
    return choice->groups == 0 ? 1 : choice->groups;
}

struct evs_slice evs_sim_newest_record(const struct evs_simulation *simulation, const struct evs_sim_redis_data *data,
                                       uint32_t group)
{
    char name[40], key[80];
    snprintf(name, sizeof name, simulation->choice.groups == 0 ? "%u" : "1-%u", group);
    snprintf(key, sizeof key, "evs:{simulated:%s}:log", name);
    const struct evs_sim_stream *log = evs_sim_redis_find(data, evs_slice_of(key));
    for (uint32_t i = log == NULL ? 0 : log->count; log != NULL && i-- > log->first;) {
        const struct evs_sim_entry *entry = log->entries[i];
        if (entry->field_count == 8 && evs_slice_equal(entry->fields[1], EVS_SLICE("C"))) {
            return entry->fields[7];
        }
    }
    return (struct evs_slice){0};
}

bool evs_sim_all_have_commits(const struct evs_simulation *simulation, const struct evs_sim_redis_data *data)
{
    bool all = true;
    for (uint32_t i = 0; i < evs_sim_group_count(&simulation->choice); i++) {
        all = all && evs_sim_newest_record(simulation, data, i).count > 0;
    }
    return all;
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

/* Of one group's partitions those that are committed up to their newest message. */
static uint32_t committed_partitions(struct evs_simulation *simulation, uint32_t group, const uint64_t *stored)
{
    struct evs_slice bytes = evs_sim_newest_record(simulation, &simulation->redis.data, group);
    struct evs_arena arena = {0};
    struct evs_record record;
    struct evs_error error;
    uint32_t count = 0;
    if (bytes.count == 0) {
        return 0;
    }
    evs_status status = evs_record_decode(bytes, &arena, &record, &error);
    EVS_ASSERT(status == EVS_OK);
    for (uint32_t i = 0; i < record.sources[0].partition_count; i++) {
        const struct evs_position *position = &record.sources[0].partitions[i].position;
        count +=
            position->partition < simulation->choice.partitions && position->sequence >= stored[position->partition];
    }
    simulation->totals.events += record.events;
    evs_arena_fini(&arena);
    return count;
}

static uint32_t partitions_behind(struct evs_simulation *simulation)
{
    uint64_t stored[EVS_SIM_PARTITIONS_MAX] = {0};
    uint32_t behind = simulation->choice.partitions;
    stored_sequences(simulation, stored);
    simulation->totals.events = 0;
    for (uint32_t i = 0; i < evs_sim_group_count(&simulation->choice); i++) {
        behind -= committed_partitions(simulation, i, stored);
    }
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

static bool has_stopped(struct evs_simulation *simulation)
{
    return evs_sim_living_engines(simulation) == 0;
}

/* Of several, those that had been overtaken and did not know it yet are fenced, or find first that Redis was started again, and one that was still
 * waiting for an answer from before the end of the faults may give up; the one that ran stops in order. False: none has, since the one that ran had been overtaken by one that died. */
static bool judge_stop(struct evs_simulation *simulation)
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
    return in_order > 0;
}

/* True: it is decided, for good or ill. */
static bool catch_up_and_stop(struct evs_simulation *simulation)
{
    struct evs_sim_world *world = &simulation->world;
    if (!step_until(simulation, world->now_us + CATCH_UP_US, has_caught_up)) {
        evs_sim_violate(world, "no progress: %u engines live, %u partitions are behind, of %u",
                        evs_sim_living_engines(simulation), partitions_behind(simulation),
                        simulation->choice.partitions);
        return true;
    }
    simulation->is_over = true;
    for (uint32_t i = 0; i < simulation->engine_count; i++) {
        evs_sim_stop_engine(&simulation->engines[i]);
    }
    if (!step_until(simulation, world->now_us + STOP_US, has_stopped)) {
        evs_sim_violate(world, "%u engines do not stop", evs_sim_living_engines(simulation));
    }
    return judge_stop(simulation);
}

/* An engine that learns at the end that it was overtaken leaves what it has not delivered to the next one, as a supervisor would start it. */
static void end_in_order(struct evs_simulation *simulation)
{
    evs_sim_flush_traffic(simulation);
    for (uint32_t i = 0; i < ENDS_MAX; i++) {
        if (catch_up_and_stop(simulation)) {
            return;
        }
        simulation->is_over = false;
        evs_sim_start_engine(simulation);
        (void)step_until(simulation, simulation->world.now_us + TAKE_OVER_US,
                         NULL); /* positions are good already, rows may wait */
    }
    evs_sim_violate(&simulation->world, "no engine stops in order");
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
    for (uint32_t i = 1; i < simulation->choice.groups; i++) { /* at the same moment: who divides the pipeline? */
        evs_sim_start_engine(simulation);
    }
    evs_sim_begin_traffic(simulation);
    evs_sim_begin_faults(simulation);
    (void)step_until(simulation, simulation->choice.traffic_us + 2 * EVS_SIM_SECOND, NULL);
    evs_sim_heal(simulation);
    end_in_order(simulation);
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
