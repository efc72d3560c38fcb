#include "fiber.h"

#include <sys/mman.h>

#define STACK_BYTES (512u << 10)
#define WAKE_US_MAX 40 /* until a thread that was woken has its processor */

struct evs_sim_stack {
    struct evs_sim_stack *next;
};

/* The stack grows down from the end of the mapping; this head stands at its lowest bytes, behind a guard page. */
static struct evs_sim_stack *stack_new(struct evs_sim_machine *machine)
{
    if (machine->free_stacks != NULL) {
        struct evs_sim_stack *stack = machine->free_stacks;
        machine->free_stacks = stack->next;
        return stack;
    }
    char *memory =
        mmap(NULL, STACK_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EVS_ASSERT(memory != MAP_FAILED);
    int guarded = mprotect(memory, 4096, PROT_NONE);
    EVS_ASSERT(guarded == 0);
    return (struct evs_sim_stack *)(void *)(memory + 4096);
}

/* --- switching ---------------------------------------------------------------------------------------------------------- */

static void enter(struct evs_sim_fiber *fiber)
{
    struct evs_sim_machine *machine = fiber->process->machine;
    EVS_ASSERT(machine->running == NULL);
    machine->running = fiber;
    int result = swapcontext(&machine->scheduler, &fiber->context);
    EVS_ASSERT(result == 0);
    machine->running = NULL;
    if (fiber->is_over) {
        fiber->stack->next = machine->free_stacks;
        machine->free_stacks = fiber->stack;
        fiber->stack = NULL;
    }
}

static void leave(struct evs_sim_fiber *fiber)
{
    int result = swapcontext(&fiber->context, &fiber->process->machine->scheduler);
    EVS_ASSERT(result == 0);
}

/* The scheduler's event: the fiber goes on, if this is the wake that it waits for. */
static void resume(void *target, uint64_t wait)
{
    struct evs_sim_fiber *fiber = target;
    struct evs_sim_process *process = fiber->process;
    if (process->is_dead || fiber->is_over || !fiber->is_waiting || fiber->wait != wait) {
        return;
    }
    fiber->is_scheduled = false;
    if (process->is_frozen) {
        fiber->was_due = true;
        return;
    }
    fiber->is_waiting = false;
    enter(fiber);
}

static void main_of_fiber(unsigned high, unsigned low)
{
    struct evs_sim_fiber *fiber = (struct evs_sim_fiber *)((uintptr_t)high << 32 | low);
    fiber->run(fiber->argument);
    fiber->is_over = true;
    fiber->process->has_exited = fiber->process->has_exited || fiber->is_main;
    if (fiber->joiner != NULL) {
        evs_sim_fiber_wake(fiber->joiner);
    }
    leave(fiber);
}

/* --- the verbs ------------------------------------------------------------------------------------------------------------ */

static void schedule(struct evs_sim_fiber *fiber, int64_t delay_us)
{
    evs_sim_at(fiber->process->machine->world, delay_us, resume, fiber, fiber->wait);
}

struct evs_sim_fiber *evs_sim_fiber_new(struct evs_sim_process *process, void (*run)(void *argument), void *argument)
{
    struct evs_sim_fiber *fiber = evs_alloc_zero(sizeof *fiber);
    *fiber = (struct evs_sim_fiber){.process = process, .run = run, .argument = argument, .is_waiting = true};
    fiber->next = process->fibers;
    process->fibers = fiber;
    fiber->stack = stack_new(process->machine);
    int result = getcontext(&fiber->context);
    EVS_ASSERT(result == 0);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, (void (*)(void))main_of_fiber, 2, (unsigned)((uintptr_t)fiber >> 32),
                (unsigned)(uintptr_t)fiber);
    fiber->is_scheduled = true;
    schedule(fiber, (int64_t)evs_sim_below(process->machine->world, WAKE_US_MAX));
    return fiber;
}

void evs_sim_fiber_wake(struct evs_sim_fiber *fiber)
{
    if (fiber->is_waiting && !fiber->is_scheduled) {
        fiber->is_scheduled = true;
        schedule(fiber, (int64_t)evs_sim_below(fiber->process->machine->world, WAKE_US_MAX));
    }
}

void evs_sim_fiber_wait(struct evs_sim_machine *machine, int64_t timeout_us)
{
    struct evs_sim_fiber *fiber = machine->running;
    EVS_ASSERT(fiber != NULL && !fiber->is_waiting);
    fiber->is_waiting = true;
    fiber->wait++;
    if (timeout_us >= 0) {
        schedule(fiber, timeout_us);
    }
    leave(fiber);
}

void evs_sim_fiber_yield(struct evs_sim_machine *machine)
{
    struct evs_sim_fiber *fiber = machine->running;
    EVS_ASSERT(fiber != NULL);
    fiber->is_scheduled = true;
    evs_sim_fiber_wait(machine, (int64_t)evs_sim_below(machine->world, WAKE_US_MAX));
}

void evs_sim_fiber_join(struct evs_sim_fiber *fiber)
{
    struct evs_sim_machine *machine = fiber->process->machine;
    EVS_ASSERT(fiber->joiner == NULL);
    while (!fiber->is_over) {
        fiber->joiner = machine->running;
        evs_sim_fiber_wait(machine, -1);
    }
    fiber->joiner = NULL;
}
