/* libevent's callback takes no argument of ours, so the log is the process's: the composition root owns it, and sets it before threads use libevent. */
#include "event_log.h"

#include <event2/event.h>
#include <stdatomic.h>
#include <stdio.h>

#include "evstream/os.h"

static _Atomic(struct evs_log *) event_log;

static void take(int severity, const char *message)
{
    struct evs_log *log = atomic_load(&event_log);
    if (severity < EVENT_LOG_WARN) {
        return;
    }
    if (log == NULL) {
        fprintf(stderr, "evstream: the HTTP library says: %s\n", message);
    } else if (severity == EVENT_LOG_WARN) {
        evs_log(log, EVS_LOG_WARN, "libevent", "The HTTP library says: %s", message);
    } else {
        evs_log(log, EVS_LOG_ERROR, "libevent", "The HTTP library fails: %s", message);
    }
}

void evs_event_log_to(struct evs_log *log)
{
    atomic_store(&event_log, log);
    event_set_log_callback(take);
}
