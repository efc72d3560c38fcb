/* Work that blocks (a question to NATS), done on a thread of its own while the HTTP thread goes on answering. */
#ifndef EVS_LIVE_LATER_H
#define EVS_LIVE_LATER_H

#include "server.h"

#define EVS_LATER_MAX 64u

struct evs_later;

struct evs_later_work {
    void (*run)(void *argument);  /* on the helper's thread; may block for some seconds */
    void (*done)(void *argument); /* on the HTTP thread: answers, and frees the argument */
    void *argument;
};

/* The thread is started with the first work. False: too much waits already; nothing was taken. */
bool evs_later_put(struct evs_live_server *server, struct evs_later_work work);
/* Waits for the work under way; what has not begun is told `done` without having run. */
void evs_later_stop(struct evs_later *later);
bool evs_later_is_stopping(struct evs_later *later);

#endif
