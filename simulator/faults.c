/* What goes wrong, and how. Each seed allows some kinds and draws their moments. */
#include <stdio.h>

#include "simulation.h"

#define LONG_US (15 * EVS_SIM_SECOND)

static int64_t draw_pause(struct evs_sim_world *world)
{
    /* Mostly short; sometimes longer than idle time-outs, leases and retries. */
    return evs_sim_chance(world, 200) ? evs_sim_between(world, EVS_SIM_SECOND, LONG_US)
                                      : evs_sim_between(world, 1000, EVS_SIM_SECOND);
}

/* --- engines ------------------------------------------------------------------------------------------------------------- */

static void start_again(void *target, uint64_t number)
{
    struct evs_simulation *simulation = target;
    (void)number;
    if (!simulation->is_over && evs_sim_living_engines(simulation) == 0) {
        evs_sim_start_engine(simulation);
    }
}

static void look_after_engines(void *target, uint64_t number)
{
    struct evs_simulation *simulation = target;
    (void)number;
    if (simulation->is_over) {
        return;
    }
    if (evs_sim_living_engines(simulation) == 0) {
        evs_sim_at(&simulation->world, draw_pause(&simulation->world), start_again, simulation, 0);
    }
    evs_sim_at(&simulation->world, EVS_SIM_SECOND / 5, look_after_engines, simulation, 0);
}

/* The newest one; of engines that share groups any. */
static struct evs_sim_engine *some_engine(struct evs_simulation *simulation)
{
    uint32_t living = evs_sim_living_engines(simulation), wanted = 0;
    if (simulation->choice.groups == 0 || living == 0) {
        return evs_sim_newest_engine(simulation);
    }
    wanted = (uint32_t)evs_sim_below(&simulation->world, living);
    for (uint32_t i = 0; i < simulation->engine_count; i++) {
        if (evs_sim_is_alive(simulation->engines[i].process) && wanted-- == 0) {
            return &simulation->engines[i];
        }
    }
    return NULL;
}

/* One of several that share groups ends in order, as in a rollout. */
static void drain_engine(struct evs_simulation *simulation)
{
    struct evs_sim_engine *engine = some_engine(simulation);
    if (engine != NULL && simulation->choice.groups > 0 && evs_sim_living_engines(simulation) > 1) {
        evs_sim_stop_engine(engine);
    }
}

static void kill_engine(struct evs_simulation *simulation)
{
    struct evs_sim_engine *engine = some_engine(simulation);
    if (engine != NULL) {
        engine->process->crash_step = engine->process->steps + 1 + evs_sim_below(&simulation->world, 300);
    }
}

static void thaw(void *target, uint64_t number)
{
    struct evs_sim_process *process = target;
    (void)number;
    if (evs_sim_is_alive(process) && process->is_frozen) {
        evs_sim_note(process->machine->world, process->name, "goes on");
        evs_sim_thaw(process);
    }
}

static void start_another(void *target, uint64_t number)
{
    struct evs_simulation *simulation = target;
    (void)number;
    if (!simulation->is_ending && evs_sim_living_engines(simulation) < 3) {
        evs_sim_start_engine(simulation);
    }
}

static void freeze_engine(struct evs_simulation *simulation)
{
    struct evs_sim_engine *engine = some_engine(simulation);
    struct evs_sim_world *world = &simulation->world;
    if (engine == NULL || engine->process->is_frozen) {
        return;
    }
    evs_sim_note(world, engine->process->name, "is stopped");
    evs_sim_freeze(engine->process);
    evs_sim_at(world, draw_pause(world), thaw, engine->process, 0);
    if (evs_sim_chance(world, 500)) { /* somebody takes over; the old one wakes as a zombie */
        evs_sim_at(world, draw_pause(world) / 4, start_another, simulation, 0);
    }
}

static void second_engine(struct evs_simulation *simulation)
{
    start_another(simulation, 0);
}

static void move_clock(struct evs_simulation *simulation)
{
    struct evs_sim_engine *engine = evs_sim_newest_engine(simulation);
    int64_t error_us = evs_sim_between(&simulation->world, -3600, 3600) * EVS_SIM_SECOND;
    if (engine != NULL && evs_sim_chance(&simulation->world, 500)) {
        engine->process->wall_error_us = error_us;
    } else {
        simulation->redis.wall_error_us = error_us;
    }
    evs_sim_note(&simulation->world, "clock", "jumps by %lld s", (long long)(error_us / EVS_SIM_SECOND));
}

/* --- the network --------------------------------------------------------------------------------------------------------- */

static struct evs_sim_server *draw_server(struct evs_simulation *simulation)
{
    return evs_sim_chance(&simulation->world, 500) ? &simulation->nats.server : &simulation->redis.server;
}

static void cut_connection(struct evs_simulation *simulation)
{
    struct evs_sim_server *server = draw_server(simulation);
    uint32_t count = evs_sim_connection_count(server);
    if (server->is_up && count > 0) {
        bool all = evs_sim_chance(&simulation->world, 200);
        uint32_t first = all ? 0 : (uint32_t)evs_sim_below(&simulation->world, count);
        do {
            struct evs_sim_connection *connection = evs_sim_nth_connection(server, first);
            evs_sim_note(&simulation->world, server->name, "#%llu is cut", (unsigned long long)connection->number);
            evs_sim_cut(connection);
        } while (all && evs_sim_connection_count(server) > 0);
    }
}

static void cut_off_server(struct evs_simulation *simulation)
{
    struct evs_sim_server *server = draw_server(simulation);
    int64_t pause_us = draw_pause(&simulation->world);
    if (server->is_up) {
        evs_sim_note(&simulation->world, server->name, "is cut off for %lld ms", (long long)(pause_us / 1000));
        server->away_until_us = simulation->world.now_us + pause_us;
    }
}

static void slow_server(struct evs_simulation *simulation)
{
    struct evs_sim_server *server = draw_server(simulation);
    server->slow_us = evs_sim_chance(&simulation->world, 500) ? 0 : evs_sim_between(&simulation->world, 1000, 400000);
    evs_sim_note(&simulation->world, server->name, "takes %lld us more", (long long)server->slow_us);
}

/* --- Redis --------------------------------------------------------------------------------------------------------------- */

static void start_redis(void *target, uint64_t number)
{
    struct evs_simulation *simulation = target;
    (void)number;
    if (!simulation->redis.server.is_up) {
        evs_sim_redis_start(&simulation->redis, simulation->is_ending ? 0 : draw_pause(&simulation->world) / 2);
    }
}

static void kill_redis(struct evs_simulation *simulation)
{
    if (simulation->redis.server.is_up) {
        evs_sim_redis_kill(&simulation->redis);
        evs_sim_at(&simulation->world, draw_pause(&simulation->world), start_redis, simulation, 0);
    }
}

static void cut_redis_power(struct evs_simulation *simulation)
{
    /* A log without any commit is a first start; with a marker outside Redis, engines would refuse it (marker.h). */
    if (simulation->redis.server.is_up && evs_sim_all_have_commits(simulation, &simulation->redis.synced)) {
        evs_sim_redis_power_cut(&simulation->redis);
        evs_sim_at(&simulation->world, draw_pause(&simulation->world), start_redis, simulation, 0);
    }
}

static void refuse_writes(struct evs_simulation *simulation)
{
    static const char *const refusals[] = {
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "BUSY Redis is busy running a script.",
        "NOREPLICAS Not enough good replicas to write.",
    };
    struct evs_sim_redis *redis = &simulation->redis;
    redis->refusal = refusals[evs_sim_below(&simulation->world, EVS_COUNT(refusals))];
    bool is_block = evs_sim_chance(&simulation->world, 500); /* one block only: its neighbours are taken */
    redis->refusal_count = is_block ? 1 : 0;
    redis->refusal_until_us = is_block ? 0 : simulation->world.now_us + draw_pause(&simulation->world);
    evs_sim_note(&simulation->world, "redis", "refuses %s: %.10s", is_block ? "one block" : "writes", redis->refusal);
}

static void flush_functions(struct evs_simulation *simulation)
{
    evs_sim_note(&simulation->world, "redis", "forgets its functions");
    simulation->redis.data.has_library = false;
}

/* --- NATS ---------------------------------------------------------------------------------------------------------------- */

static void start_nats(void *target, uint64_t number)
{
    struct evs_simulation *simulation = target;
    (void)number;
    if (!simulation->nats.server.is_up) {
        evs_sim_nats_start(&simulation->nats, simulation->is_ending ? 0 : draw_pause(&simulation->world) / 2);
    }
}

static void kill_nats(struct evs_simulation *simulation)
{
    if (simulation->nats.server.is_up) {
        evs_sim_nats_kill(&simulation->nats);
        evs_sim_at(&simulation->world, draw_pause(&simulation->world), start_nats, simulation, 0);
    }
}

static void elect_leader(struct evs_simulation *simulation)
{
    int64_t pause_us = draw_pause(&simulation->world);
    evs_sim_note(&simulation->world, "nats", "elects a leader for %lld ms", (long long)(pause_us / 1000));
    simulation->nats.recovers_until_us = simulation->world.now_us + pause_us;
}

static void delete_consumer(struct evs_simulation *simulation)
{
    if (simulation->nats.server.is_up && evs_sim_nats_delete_consumer(&simulation->nats)) {
        evs_sim_note(&simulation->world, "nats", "a consumer is deleted");
    }
}

static void mark_lost(struct evs_simulation *simulation, uint64_t low, uint64_t high)
{
    for (uint32_t i = 0; i < simulation->event_count; i++) {
        struct evs_sim_click *click = &simulation->events[i];
        click->is_lost = click->is_lost || (click->sequence >= low && click->sequence <= high);
    }
}

static void lose_nats_tail(struct evs_simulation *simulation)
{
    struct evs_sim_log *log = simulation->clicks;
    uint32_t have = log->count - log->first;
    if (!simulation->nats.server.is_up || have < 3) {
        return;
    }
    kill_nats(simulation);
    uint64_t last = log->last_sequence;
    evs_sim_nats_lose_tail(&simulation->nats, log,
                           1 + (uint32_t)evs_sim_below(&simulation->world, have < 8 ? have - 1 : 8));
    for (uint32_t i = 0; i < simulation->event_count; i++) {
        struct evs_sim_click *click = &simulation->events[i];
        /* its sequence will be another message's */
        if (click->sequence > log->last_sequence && click->sequence <= last && !click->is_lost) {
            click->is_lost = true;
            click->sequence = UINT64_MAX;
        }
    }
}

/* The sinks' stream: what it had acknowledged has to come again, under the same ids. */
static void lose_triggers(struct evs_simulation *simulation)
{
    struct evs_sim_log *log = simulation->triggers;
    uint32_t have = log->count - log->first;
    if (!simulation->nats.server.is_up || have == 0) {
        return;
    }
    kill_nats(simulation);
    uint32_t count = 1 + (uint32_t)evs_sim_below(&simulation->world, have < 40 ? have : 40);
    for (uint32_t i = log->count - count; i < log->count; i++) {
        EVS_GROW(simulation->cut, simulation->cut_count, simulation->cut_capacity);
        simulation->cut[simulation->cut_count++] = log->messages[i];
    }
    evs_sim_nats_lose_tail(&simulation->nats, log, count);
}

static void expire_messages(struct evs_simulation *simulation)
{
    struct evs_sim_log *log = simulation->clicks;
    if (simulation->nats.server.is_up && log->count - log->first > 4) {
        uint64_t below = log->last_sequence - evs_sim_below(&simulation->world, 4);
        mark_lost(simulation, 1, below - 1);
        evs_sim_nats_expire(&simulation->nats, log, below);
    }
}

/* --- all of them --------------------------------------------------------------------------------------------------------- */

enum loss {
    LOSES_NOTHING,
    LOSES_INPUT, /* only with the pipeline that shows each event by itself */
    LOSES_ROWS,  /* only of a sink in NATS */
    LOSES_STATE, /* only where no answer that was given can be taken back: exact delivery, or no idle clock */
};

static const struct {
    void (*happen)(struct evs_simulation *simulation);
    uint32_t weight;
    enum loss loss;
} kinds[] = {
    {kill_engine, 6, LOSES_NOTHING},     {freeze_engine, 3, LOSES_NOTHING},  {second_engine, 1, LOSES_NOTHING},
    {cut_connection, 4, LOSES_NOTHING},  {cut_off_server, 3, LOSES_NOTHING}, {slow_server, 2, LOSES_NOTHING},
    {kill_redis, 2, LOSES_NOTHING},      {cut_redis_power, 2, LOSES_STATE},  {refuse_writes, 3, LOSES_NOTHING},
    {flush_functions, 1, LOSES_NOTHING}, {kill_nats, 2, LOSES_NOTHING},      {elect_leader, 2, LOSES_NOTHING},
    {delete_consumer, 1, LOSES_NOTHING}, {move_clock, 1, LOSES_NOTHING},     {lose_nats_tail, 2, LOSES_INPUT},
    {expire_messages, 1, LOSES_INPUT},   {lose_triggers, 2, LOSES_ROWS},     {drain_engine, 2, LOSES_NOTHING},
};

static bool may_happen(const struct evs_sim_choice *choice, size_t kind)
{
    if ((choice->faults >> kind & 1) == 0) {
        return false;
    }
    switch (kinds[kind].loss) {
    case LOSES_NOTHING:
        return true;
    case LOSES_INPUT:
        return choice->pipeline == EVS_SIM_TRACE;
    case LOSES_ROWS:
        return choice->delivery != EVS_SIM_TO_REDIS;
    case LOSES_STATE:
        return choice->delivery != EVS_SIM_FAST || !choice->has_idle;
    }
    return false;
}

static void happen(void *target, uint64_t number)
{
    struct evs_simulation *simulation = target;
    const struct evs_sim_choice *choice = &simulation->choice;
    (void)number;
    if (simulation->is_ending) {
        return;
    }
    uint32_t sum = 0;
    for (size_t i = 0; i < EVS_COUNT(kinds); i++) {
        sum += may_happen(choice, i) ? kinds[i].weight : 0;
    }
    if (sum == 0) {
        return;
    }
    uint64_t draw = evs_sim_below(&simulation->world, sum);
    for (size_t i = 0; i < EVS_COUNT(kinds); i++) {
        uint32_t weight = may_happen(choice, i) ? kinds[i].weight : 0;
        if (draw < weight) {
            simulation->totals.faults++;
            kinds[i].happen(simulation);
            return;
        }
        draw -= weight;
    }
}

void evs_sim_begin_faults(struct evs_simulation *simulation)
{
    for (uint32_t i = 0; i < simulation->choice.fault_count; i++) {
        int64_t at_us =
            evs_sim_between(&simulation->world, EVS_SIM_SECOND / 2, simulation->choice.traffic_us + EVS_SIM_SECOND);
        evs_sim_at(&simulation->world, at_us, happen, simulation, 0);
    }
    evs_sim_at(&simulation->world, EVS_SIM_SECOND / 5, look_after_engines, simulation, 0);
}

void evs_sim_heal(struct evs_simulation *simulation)
{
    evs_sim_note(&simulation->world, "world", "everything works again");
    simulation->is_ending = true;
    simulation->healed_us = simulation->world.now_us;
    start_redis(simulation, 0);
    start_nats(simulation, 0);
    simulation->redis.refusal = NULL;
    simulation->redis.loading_until_us = 0;
    simulation->nats.recovers_until_us = 0;
    simulation->redis.server.slow_us = simulation->nats.server.slow_us = 0;
    simulation->redis.server.away_until_us = simulation->nats.server.away_until_us = 0;
    for (uint32_t i = 0; i < simulation->engine_count; i++) {
        if (simulation->engines[i].process != NULL) {
            simulation->engines[i].process->crash_step = 0;
            thaw(simulation->engines[i].process, 0);
        }
    }
}
