/* Triggers as they come: a tap at each sink that is neither for dead letters nor for late rows, for as long as the run lives. At most a few rows a
 * second are kept of each; the page shows what comes, and is no log. */
#ifndef EVS_LIVE_TRIGGERS_H
#define EVS_LIVE_TRIGGERS_H

#include "board.h"
#include "evstream/tap.h"
#include "stream.h"

/* With the lock held. Opens the taps when the run has taken its state, and puts what has come into the channel's ring. */
void evs_triggers_take(struct pipeline *pipeline, struct evs_channel *channel);
/* Before the run is freed, with the lock held. */
void evs_triggers_close(struct pipeline *pipeline, uint32_t group);

/* A row of a tap, members only: "time_us":…,"event_time_us":…,"source":…,"cause":{…},"row":{…}, and "id", "address" of a message. */
void evs_put_tap_row(struct evs_buffer *out, const char *before, const struct evs_tap_row *row);

#endif
