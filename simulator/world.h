/* The simulated world: one seed, one clock, one queue of what happens next, one history.
 *
 * Everything in a simulation (a thread that goes on, bytes that arrive, a server that dies) is an event at a virtual time.
 * Events run one after another on one real thread; the time jumps to the next one. All chance comes from the world's
 * generator, so one seed gives one history, whatever the machine does: two runs of a seed have the same hash. */
#ifndef EVS_SIM_WORLD_H
#define EVS_SIM_WORLD_H

#include "evstream/memory.h"
#include "evstream/text.h"

#define EVS_SIM_SECOND INT64_C(1000000)
#define EVS_SIM_EPOCH_US INT64_C(1767600000000000) /* wall time of the world's beginning: 2026-01-05 08:00 UTC */

struct evs_sim_event {
    int64_t at_us;
    uint64_t order; /* among events of one moment: as they were asked for */
    void (*run)(void *target, uint64_t number);
    void *target;
    uint64_t number;
};

struct evs_sim_world {
    uint64_t seed, random;
    int64_t now_us;               /* since the beginning */
    struct evs_sim_event *events; /* a heap, the next one first */
    uint32_t event_count, event_capacity;
    uint64_t order;
    bool keeps_history; /* else only its hash */
    struct evs_buffer history;
    uint64_t hash, line_count, event_total;
    struct evs_buffer violations; /* a line each; empty: everything held */
};

void evs_sim_world_init(struct evs_sim_world *world, uint64_t seed, bool keeps_history);
void evs_sim_world_fini(struct evs_sim_world *world);

/* --- chance --------------------------------------------------------------------------------------------------------- */

uint64_t evs_sim_draw(struct evs_sim_world *world);
uint64_t evs_sim_below(struct evs_sim_world *world, uint64_t limit);             /* 0 to limit - 1 */
int64_t evs_sim_between(struct evs_sim_world *world, int64_t low, int64_t high); /* both inclusive */
bool evs_sim_chance(struct evs_sim_world *world, uint32_t per_thousand);

/* --- time ----------------------------------------------------------------------------------------------------------- */

/* run(target, number) happens `delay_us` from now. An event cannot be taken back: a target that has other plans by then
 * compares `number` with what it waits for. */
void evs_sim_at(struct evs_sim_world *world, int64_t delay_us, void (*run)(void *target, uint64_t number), void *target,
                uint64_t number);
/* Runs the next event. False when there is none. */
bool evs_sim_step(struct evs_sim_world *world);
/* What the servers and the engine call wall time, without anybody's clock error. */
static inline int64_t evs_sim_wall_us(const struct evs_sim_world *world)
{
    return EVS_SIM_EPOCH_US + world->now_us;
}

/* --- history -------------------------------------------------------------------------------------------------------- */

/* A line of the history: the virtual time, who, what. */
void evs_sim_note(struct evs_sim_world *world, const char *who, const char *format, ...) EVS_PRINTF(3, 4);
/* A promise was broken: told at the end, and in the history. */
void evs_sim_violate(struct evs_sim_world *world, const char *format, ...) EVS_PRINTF(2, 3);

#endif
