/* One thread, one bounded queue of work, and the way back through an eventfd of the HTTP thread's loop. */
#include "later.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "evstream/memory.h"

struct evs_later {
    struct evs_live_server *server;
    pthread_mutex_t lock;
    struct evs_later_work waiting[EVS_LATER_MAX], finished[EVS_LATER_MAX];
    uint32_t first, waiting_count, finished_count, under_way;
    bool is_stopping;
    struct evs_park *park;
    struct evs_thread *thread;
    int fd;
    struct event *event;
};

bool evs_later_is_stopping(struct evs_later *later)
{
    pthread_mutex_lock(&later->lock);
    bool is_stopping = later->is_stopping;
    pthread_mutex_unlock(&later->lock);
    return is_stopping;
}

static bool take_work(struct evs_later *later, struct evs_later_work *work)
{
    pthread_mutex_lock(&later->lock);
    bool has_work = later->waiting_count > 0 && !later->is_stopping;
    if (has_work) {
        *work = later->waiting[later->first];
        later->first = (later->first + 1) % EVS_LATER_MAX;
        later->waiting_count--;
        later->under_way = 1;
    }
    pthread_mutex_unlock(&later->lock);
    return has_work;
}

static void hand_back(struct evs_later *later, struct evs_later_work work)
{
    uint64_t one = 1;
    pthread_mutex_lock(&later->lock);
    EVS_ASSERT(later->finished_count < EVS_LATER_MAX);
    later->finished[later->finished_count++] = work;
    later->under_way = 0;
    pthread_mutex_unlock(&later->lock);
    ssize_t written = write(later->fd, &one, sizeof one);
    EVS_ASSERT(written == (ssize_t)sizeof one);
}

static void work_on(void *argument)
{
    struct evs_later *later = argument;
    const struct evs_os *os = later->server->live->os;
    struct evs_later_work work;
    while (!evs_later_is_stopping(later)) {
        if (take_work(later, &work)) {
            work.run(work.argument);
            hand_back(later, work);
        } else {
            (void)os->sockets.wait(os->sockets.self, later->park, NULL, 0, -1);
        }
    }
}

static void finish(struct evs_later *later)
{
    struct evs_later_work finished[EVS_LATER_MAX];
    pthread_mutex_lock(&later->lock);
    uint32_t count = later->finished_count;
    memcpy(finished, later->finished, count * sizeof *finished);
    later->finished_count = 0;
    pthread_mutex_unlock(&later->lock);
    for (uint32_t i = 0; i < count; i++) {
        finished[i].done(finished[i].argument);
    }
}

static void on_finished(evutil_socket_t fd, short what, void *argument)
{
    uint64_t count;
    (void)what;
    ssize_t got = read(fd, &count, sizeof count);
    EVS_ASSERT(got == (ssize_t)sizeof count || got < 0);
    finish(argument);
}

static void later_free(struct evs_later *later)
{
    event_free(later->event);
    close(later->fd);
    later->server->live->os->threads.park_free(later->park);
    pthread_mutex_destroy(&later->lock);
    evs_free(later);
}

static evs_status later_start(struct evs_live_server *server, struct evs_later **result)
{
    const struct evs_os *os = server->live->os;
    struct evs_later *later = evs_alloc_zero(sizeof *later);
    later->server = server;
    int failed = pthread_mutex_init(&later->lock, NULL);
    EVS_ASSERT(failed == 0);
    later->park = os->threads.park_new(os->threads.self);
    later->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    EVS_ASSERT(later->fd >= 0);
    later->event = event_new(server->base, later->fd, EV_READ | EV_PERSIST, on_finished, later);
    EVS_ASSERT(later->event != NULL);
    event_add(later->event, NULL);
    evs_status status = os->threads.spawn(os->threads.self, "evs-live-later", work_on, later, &later->thread);
    if (status != EVS_OK) {
        later_free(later);
        return status;
    }
    *result = later;
    return EVS_OK;
}

bool evs_later_put(struct evs_live_server *server, struct evs_later_work work)
{
    if (server->later == NULL && later_start(server, &server->later) != EVS_OK) {
        return false;
    }
    struct evs_later *later = server->later;
    pthread_mutex_lock(&later->lock);
    bool fits = later->waiting_count + later->finished_count + later->under_way < EVS_LATER_MAX && !later->is_stopping;
    if (fits) {
        later->waiting[(later->first + later->waiting_count++) % EVS_LATER_MAX] = work;
    }
    pthread_mutex_unlock(&later->lock);
    if (fits) {
        later->server->live->os->threads.wake(later->park);
    }
    return fits;
}

void evs_later_stop(struct evs_later *later)
{
    const struct evs_os *os = later->server->live->os;
    pthread_mutex_lock(&later->lock);
    later->is_stopping = true;
    pthread_mutex_unlock(&later->lock);
    os->threads.wake(later->park);
    os->threads.join(later->thread);
    finish(later);
    for (; later->waiting_count > 0; later->waiting_count--) {
        struct evs_later_work *work = &later->waiting[later->first];
        later->first = (later->first + 1) % EVS_LATER_MAX;
        work->done(work->argument);
    }
    later_free(later);
}
