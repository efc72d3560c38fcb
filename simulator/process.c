#include "process.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "fiber.h"

#define FIRST_FD 1000
#define STEP_US_MAX 3 /* virtual time that a step takes */

/* --- steps ------------------------------------------------------------------------------------------------------------ */

/* Each step of input and output: it takes a moment, others may come first, and it may be the process's last. */
static void step(struct evs_sim_process *process)
{
    struct evs_sim_world *world = process->machine->world;
    world->now_us += evs_sim_between(world, 1, STEP_US_MAX);
    process->steps++;
    if (process->steps == process->crash_step) {
        evs_sim_note(world, process->name, "is killed at its step %llu", (unsigned long long)process->steps);
        evs_sim_kill(process);
    }
    if (process->is_dead || process->is_frozen || evs_sim_chance(world, 120)) {
        evs_sim_fiber_yield(process->machine);
    }
}

/* --- clocks and chance ------------------------------------------------------------------------------------------------ */

static struct evs_sim_world *world_of(void *self)
{
    return ((struct evs_sim_process *)self)->machine->world;
}

/* A look at the clock takes time too, or a loop that only looks would never end. It is no step: locks are held in it. */
static int64_t monotonic_us(void *self)
{
    return 1000000 + world_of(self)->now_us++;
}

static int64_t wall_us(void *self)
{
    return evs_sim_wall_us(world_of(self)) + ((struct evs_sim_process *)self)->wall_error_us;
}

static void sleep_us(void *self, int64_t us)
{
    struct evs_sim_process *process = self;
    int64_t until_us = world_of(self)->now_us + us;
    step(process);
    while (world_of(self)->now_us < until_us) {
        evs_sim_fiber_wait(process->machine, until_us - world_of(self)->now_us);
    }
}

static uint64_t random_next(void *self)
{
    return evs_sim_draw(world_of(self));
}

/* --- threads ------------------------------------------------------------------------------------------------------------ */

/* The system's park, behind the same name: the engine knows only pointers to either. */
struct evs_park {
    struct evs_sim_process *process;
    struct evs_sim_fiber *waiter;
    bool is_woken;
};

static evs_status spawn(void *self, const char *name, void (*run)(void *argument), void *argument,
                        struct evs_thread **thread)
{
    (void)name;
    struct evs_sim_process *process = self;
    *thread = (struct evs_thread *)evs_sim_fiber_new(process, run, argument);
    step(process);
    return EVS_OK;
}

static void join(struct evs_thread *thread)
{
    struct evs_sim_fiber *fiber = (struct evs_sim_fiber *)thread;
    evs_sim_fiber_join(fiber);
}

static struct evs_park *park_new(void *self)
{
    struct evs_park *park = evs_alloc_zero(sizeof *park);
    park->process = self;
    return park;
}

static void park_free(struct evs_park *park)
{
    EVS_ASSERT(park == NULL || park->waiter == NULL);
    evs_free(park);
}

static void wake_park(struct evs_park *park)
{
    park->is_woken = true;
    if (park->waiter != NULL) {
        evs_sim_fiber_wake(park->waiter);
    }
    if (park->process->machine->running != NULL) { /* else a handler of signals wakes */
        step(park->process);
    }
}

/* --- sockets ------------------------------------------------------------------------------------------------------------ */

static void wake_all(void *owner)
{
    struct evs_sim_process *process = owner;
    for (struct evs_sim_fiber *fiber = process->fibers; fiber != NULL; fiber = fiber->next) {
        if (fiber->waits_for_sockets) {
            evs_sim_fiber_wake(fiber);
        }
    }
}

static struct evs_sim_connection *connection_of(const struct evs_sim_process *process, int fd)
{
    EVS_ASSERT(fd >= FIRST_FD && fd < FIRST_FD + EVS_SIM_SOCKETS_MAX);
    EVS_ASSERT(process->sockets[fd - FIRST_FD] != NULL);
    return process->sockets[fd - FIRST_FD];
}

static int connect_socket(void *self, const struct sockaddr *address, uint32_t address_bytes)
{
    struct evs_sim_process *process = self;
    EVS_ASSERT(address->sa_family == AF_INET && address_bytes == sizeof(struct sockaddr_in));
    uint16_t port = ntohs(((const struct sockaddr_in *)address)->sin_port);
    int slot = 0;
    step(process);
    while (process->sockets[slot] != NULL) {
        slot++;
        EVS_ASSERT(slot < EVS_SIM_SOCKETS_MAX);
    }
    for (uint32_t i = 0; i < EVS_SIM_SERVERS_MAX; i++) {
        struct evs_sim_server *server = process->machine->servers[i];
        if (server != NULL && server->port == port) {
            process->sockets[slot] = evs_sim_connect(server, wake_all, process);
            return FIRST_FD + slot;
        }
    }
    errno = ECONNREFUSED;
    return -1;
}

static int socket_failure(void *self, int fd)
{
    return connection_of(self, fd)->is_refused ? ECONNREFUSED : 0;
}

/* Often only a part goes: what is sent in one piece must never matter. */
static size_t part_of(struct evs_sim_world *world, size_t bytes)
{
    return bytes > 1 && evs_sim_chance(world, 100) ? 1 + evs_sim_below(world, bytes - 1) : bytes;
}

static ssize_t send_bytes(void *self, int fd, const void *data, size_t bytes)
{
    struct evs_sim_process *process = self;
    step(process);
    int64_t sent = evs_sim_send(connection_of(process, fd), data, part_of(world_of(self), bytes));
    if (sent > 0) {
        step(process); /* dies behind it, too: the kernel has the bytes */
        return sent;
    }
    errno = sent == 0 ? EAGAIN : EPIPE;
    return -1;
}

static ssize_t receive_bytes(void *self, int fd, void *data, size_t bytes)
{
    struct evs_sim_process *process = self;
    step(process);
    int64_t got = evs_sim_receive(connection_of(process, fd), data, part_of(world_of(self), bytes));
    if (got > 0) {
        return got;
    }
    errno = got == 0 ? EAGAIN : ECONNRESET;
    return got == 0 || evs_sim_chance(world_of(self), 500) ? -1 : 0;
}

static void close_socket(void *self, int fd)
{
    struct evs_sim_process *process = self;
    evs_sim_close(connection_of(process, fd));
    process->sockets[fd - FIRST_FD] = NULL;
}

static int look(const struct evs_sim_process *process, struct evs_wait_fd *fds, uint32_t fd_count)
{
    int ready = 0;
    for (uint32_t i = 0; i < fd_count; i++) {
        const struct evs_sim_connection *connection = connection_of(process, fds[i].fd);
        fds[i].can_read = fds[i].want_read && evs_sim_can_read(connection);
        fds[i].can_write = fds[i].want_write && evs_sim_can_write(connection);
        ready += fds[i].can_read || fds[i].can_write;
    }
    return ready;
}

static int wait_sockets(void *self, struct evs_park *park, struct evs_wait_fd *fds, uint32_t fd_count,
                        int64_t timeout_us)
{
    struct evs_sim_process *process = self;
    struct evs_sim_fiber *fiber = process->machine->running;
    step(process);
    int ready = look(process, fds, fd_count);
    if (ready == 0 && timeout_us != 0 && (park == NULL || !park->is_woken)) {
        fiber->waits_for_sockets = fd_count > 0;
        if (park != NULL) {
            EVS_ASSERT(park->waiter == NULL);
            park->waiter = fiber;
        }
        /* One wake without a reason is allowed: a signal does that. */
        evs_sim_fiber_wait(process->machine, timeout_us);
        fiber->waits_for_sockets = false;
        if (park != NULL) {
            park->waiter = NULL;
        }
        ready = look(process, fds, fd_count);
    }
    if (park != NULL) {
        park->is_woken = false;
    }
    return ready;
}

/* --- the rest ----------------------------------------------------------------------------------------------------------- */

static void write_console(void *self, const char *line, size_t bytes)
{
    struct evs_sim_process *process = self;
    process->log(process->owner, line, bytes);
}

static void name_process(void *self, char out[EVS_PROCESS_NAME_MAX])
{
    snprintf(out, EVS_PROCESS_NAME_MAX, "simulated/%u", ((struct evs_sim_process *)self)->number);
}

/* Half of all processes run where the one that asks cannot see them. */
static bool has_ended(void *self, const char *name)
{
    unsigned number = 0;
    if (sscanf(name, "simulated/%u", &number) != 1 || number % 2 == 0) {
        return false;
    }
    const struct evs_sim_process *at = ((struct evs_sim_process *)self)->machine->processes;
    while (at != NULL && at->number != number) {
        at = at->next;
    }
    return at != NULL && !evs_sim_is_alive(at);
}

static void fill_os(struct evs_sim_process *process)
{
    process->os = (struct evs_os){
        .clock = {monotonic_us, monotonic_us, wall_us, sleep_us, process},
        .random = {random_next, process},
        .files = evs_os_system()->files, /* the pipelines of the simulator have no files */
        .threads = {spawn, join, park_new, park_free, wake_park, process},
        .sockets = {wait_sockets, connect_socket, socket_failure, send_bytes, receive_bytes, close_socket, process},
        .console = {write_console, process},
        .processes = {name_process, has_ended, process},
    };
}

/* --- life --------------------------------------------------------------------------------------------------------------- */

struct evs_sim_process *evs_sim_spawn(struct evs_sim_machine *machine, void (*main)(void *argument), void *argument)
{
    struct evs_sim_process *process = evs_alloc_zero(sizeof *process);
    process->machine = machine;
    process->next = machine->processes;
    machine->processes = process;
    process->number = ++machine->process_count;
    snprintf(process->name, sizeof process->name, "engine%u", process->number);
    fill_os(process);
    struct evs_sim_fiber *fiber = evs_sim_fiber_new(process, main, argument);
    fiber->is_main = true;
    return process;
}

void evs_sim_kill(struct evs_sim_process *process)
{
    EVS_ASSERT(!process->is_dead);
    process->is_dead = true;
    for (uint32_t i = 0; i < EVS_SIM_SOCKETS_MAX; i++) {
        if (process->sockets[i] != NULL) {
            evs_sim_close(process->sockets[i]);
            process->sockets[i] = NULL;
        }
    }
}

void evs_sim_freeze(struct evs_sim_process *process)
{
    process->is_frozen = true;
}

void evs_sim_thaw(struct evs_sim_process *process)
{
    process->is_frozen = false;
    for (struct evs_sim_fiber *fiber = process->fibers; fiber != NULL; fiber = fiber->next) {
        if (fiber->was_due) {
            fiber->was_due = false;
            evs_sim_fiber_wake(fiber);
        }
    }
}
