/* Fibers: the threads of simulated processes. One runs at a time, until it waits. */
#ifndef EVS_SIM_FIBER_H
#define EVS_SIM_FIBER_H

#include "process.h"

struct evs_sim_fiber {
    struct evs_sim_fiber *next; /* of its process */
    struct evs_sim_process *process;
    ucontext_t context;
    struct evs_sim_stack *stack;
    void (*run)(void *argument);
    void *argument;
    uint64_t wait; /* number of its present wait: an older wake is none */
    bool is_waiting, is_scheduled, is_over, is_main;
    bool waits_for_sockets;
    bool was_due; /* its wake came while the process was frozen */
    struct evs_sim_fiber *joiner;
};

struct evs_sim_fiber *evs_sim_fiber_new(struct evs_sim_process *process, void (*run)(void *argument), void *argument);
/* Of the running fiber: gives its turn away; waits for evs_sim_fiber_wake or the time-out (negative: none). */
void evs_sim_fiber_yield(struct evs_sim_machine *machine);
void evs_sim_fiber_wait(struct evs_sim_machine *machine, int64_t timeout_us);
void evs_sim_fiber_join(struct evs_sim_fiber *fiber);
void evs_sim_fiber_wake(struct evs_sim_fiber *fiber);

#endif
