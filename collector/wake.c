#include "wake.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "evstream/status.h"

static void wake_on_event(evutil_socket_t fd, short what, void *argument)
{
    (void)what;
    const struct evs_wake *wake = argument;
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    if (got == (ssize_t)sizeof count) {
        wake->run(wake->context);
    }
}

void evs_wake_init(struct evs_wake *wake, struct event_base *base, void (*run)(void *context), void *context)
{
    *wake = (struct evs_wake){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .run = run, .context = context};
    EVS_ASSERT(wake->fd >= 0);
    wake->event = event_new(base, wake->fd, EV_READ | EV_PERSIST, wake_on_event, wake);
    EVS_ASSERT(wake->event != NULL && event_add(wake->event, NULL) == 0);
}

void evs_wake_fini(struct evs_wake *wake)
{
    if (wake->event != NULL) {
        event_free(wake->event);
        close(wake->fd);
    }
    *wake = (struct evs_wake){0};
}

void evs_wake_post(void *wake)
{
    const uint64_t one = 1;
    ssize_t count = write(((const struct evs_wake *)wake)->fd, &one, sizeof one);
    (void)count; /* full: a wake waits already */
}
