/* What libevent has to say goes where our own lines go. */
#ifndef EVS_CMD_EVENT_LOG_H
#define EVS_CMD_EVENT_LOG_H

struct evs_log;

/* From here on libevent's warnings are lines of this log; NULL: sentences on standard error, as at first. The log is taken away before it is freed. */
void evs_event_log_to(struct evs_log *log);

#endif
