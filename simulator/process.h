/* A simulated process: the operating system as one engine sees it (evstream/os.h), on fibers instead of threads.
 *
 * A fiber runs until it waits, sleeps, joins, sends, receives or wakes somebody; there it may lose its turn, so threads
 * interleave as the seed says. A crash ends the process between two such steps, or in the middle of a send: its fibers never
 * run again, its connections close behind what the kernel has taken, its memory is lost (it is not given back: a simulation is
 * a short process of its own). A frozen process (SIGSTOP) keeps everything and goes on later, with all its time-outs due. */
#ifndef EVS_SIM_PROCESS_H
#define EVS_SIM_PROCESS_H

#include <ucontext.h>

#include "evstream/os.h"
#include "network.h"

#define EVS_SIM_SERVERS_MAX 4
#define EVS_SIM_SOCKETS_MAX 256

struct evs_sim_fiber;

struct evs_sim_machine { /* what processes have in common */
    struct evs_sim_world *world;
    struct evs_sim_server *servers[EVS_SIM_SERVERS_MAX]; /* found by port */
    ucontext_t scheduler;
    struct evs_sim_fiber *running;
    struct evs_sim_process *processes; /* the newest first */
    uint32_t process_count;
    struct evs_sim_stack *free_stacks;
};

struct evs_sim_process {
    struct evs_sim_process *next;
    struct evs_sim_machine *machine;
    struct evs_os os;
    char name[12];
    bool is_dead, is_frozen, has_exited;
    uint64_t steps;      /* of input and output so far */
    uint64_t crash_step; /* it dies at this one; 0: at none */
    int64_t wall_error_us;
    uint32_t number;
    struct evs_sim_fiber *fibers;
    struct evs_sim_connection *sockets[EVS_SIM_SOCKETS_MAX];
    void (*log)(void *owner, const char *line, size_t bytes);
    void *owner;
};

/* A process whose first fiber runs main(argument); it has exited when that returns. Nothing is freed before the machine is. */
struct evs_sim_process *evs_sim_spawn(struct evs_sim_machine *machine, void (*main)(void *argument), void *argument);
void evs_sim_kill(struct evs_sim_process *process);
void evs_sim_freeze(struct evs_sim_process *process);
void evs_sim_thaw(struct evs_sim_process *process);
static inline bool evs_sim_is_alive(const struct evs_sim_process *process)
{
    return process != NULL && !process->is_dead && !process->has_exited;
}

#endif
