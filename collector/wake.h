/* Wakes the collector's event loop from another thread: an eventfd, because libevent's own way needs locks on every event. */
#ifndef EVS_WAKE_H
#define EVS_WAKE_H

#include <event2/event.h>

struct evs_wake {
    int fd;
    struct event *event;
    void (*run)(void *context);
    void *context;
};

/* `run` is called on the loop's thread, once for any number of wakes before it. */
void evs_wake_init(struct evs_wake *wake, struct event_base *base, void (*run)(void *context), void *context);
void evs_wake_fini(struct evs_wake *wake); /* accepts a zeroed one */
void evs_wake_post(void *wake);            /* any thread; never blocks */

#endif
