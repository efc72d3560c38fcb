/* Threads and parks of the real system.
 *
 * A park is an eventfd with a flag in front of it: while the flag is up a wake has already been asked for, and another one
 * costs no system call. The order is what makes it safe:
 *
 *   waker:   publish its data; flag up; if it was down: write the eventfd
 *   waiter:  read the eventfd; flag down; look at the data
 *
 * A wake between the waiter's read and its flag down writes nothing, but its data is looked at in the same round: both
 * exchanges are on one variable, so the waiter's acquires what the waker released. The other order (flag down, then
 * read) could swallow a write and leave the flag up for ever. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "evstream/memory.h"
#include "os_system.h"

#define THREAD_NAME_BYTES 16 /* Linux's limit, with the NUL */

struct evs_thread {
    pthread_t id;
    void (*run)(void *argument);
    void *argument;
    char name[THREAD_NAME_BYTES];
};

struct evs_park {
    int fd;
    _Atomic bool woken;
};

static void *thread_main(void *argument)
{
    struct evs_thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->argument);
    return NULL;
}

/* New threads take no signals: SIGINT and its like belong to the thread that started the engine. */
static int create_without_signals(struct evs_thread *thread)
{
    sigset_t all, before;
    sigfillset(&all);
    int masked = pthread_sigmask(SIG_SETMASK, &all, &before);
    EVS_ASSERT(masked == 0);
    int result = pthread_create(&thread->id, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

evs_status evs_system_spawn(void *self, const char *name, void (*run)(void *argument), void *argument,
                            struct evs_thread **thread)
{
    (void)self;
    EVS_ASSERT(name != NULL && run != NULL && thread != NULL);
    struct evs_thread *made = evs_alloc_zero(sizeof *made);
    made->run = run;
    made->argument = argument;
    snprintf(made->name, sizeof made->name, "%s", name);
    if (create_without_signals(made) != 0) {
        evs_free(made);
        return EVS_E_LIMIT; /* EAGAIN: the system's limit of threads */
    }
    *thread = made;
    return EVS_OK;
}

void evs_system_join(struct evs_thread *thread)
{
    EVS_ASSERT(thread != NULL);
    int result = pthread_join(thread->id, NULL);
    EVS_ASSERT(result == 0);
    evs_free(thread);
}

/* Descriptors used up is the one way this fails. It happens at start, where the process has room to say so. */
struct evs_park *evs_system_park_new(void *self)
{
    (void)self;
    struct evs_park *park = evs_alloc(sizeof *park);
    park->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    EVS_ASSERT(park->fd >= 0);
    atomic_init(&park->woken, false);
    return park;
}

void evs_system_park_free(struct evs_park *park)
{
    if (park != NULL) {
        close(park->fd);
        evs_free(park);
    }
}

void evs_system_wake(struct evs_park *park)
{
    EVS_ASSERT(park != NULL);
    if (atomic_exchange_explicit(&park->woken, true, memory_order_acq_rel)) {
        return;
    }
    const uint64_t one = 1;
    ssize_t count;
    do {
        count = write(park->fd, &one, sizeof one);
    } while (count < 0 && errno == EINTR);
    EVS_ASSERT(count == (ssize_t)sizeof one || errno == EAGAIN); /* EAGAIN: the counter is full, hence readable */
}

int evs_park_fd(const struct evs_park *park)
{
    return park->fd;
}

bool evs_park_is_woken(const struct evs_park *park)
{
    return atomic_load_explicit(&park->woken, memory_order_acquire);
}

void evs_park_consume(struct evs_park *park)
{
    uint64_t count;
    ssize_t got;
    do {
        got = read(park->fd, &count, sizeof count);
    } while (got < 0 && errno == EINTR);
    EVS_ASSERT(got == (ssize_t)sizeof count || errno == EAGAIN);
    if (got == (ssize_t)sizeof count) {
        atomic_exchange_explicit(&park->woken, false, memory_order_acq_rel);
    }
}
