/* Private to live/: rows that flow by, to those who look (`evstream tail`, the page): GET /api/v1/tail.
 *
 *   ?pipeline=NAME       which one; may be left out where there is but one
 *   &at=NAME             a source, operator or sink; left out: all sinks but those of dead letters
 *   &where=CONDITION     as behind `|> where`, over the columns of that place
 *   &rate=N              rows a second, about; 1 to 1,000, 100 when left out
 *
 * The answer is a stream of server-sent events:
 *
 *   event: row       data: {"at":…,"time_us":…,"event_time_us":…,"source":…,"cause":{…},"id":…,"address":…,"row":{…}}
 *   event: count     data: {"at":…,"seen":…,"matched":…,"kept":…,"unseen":…}       once a second, when they have changed
 *   event: state     data: {"state":"running"}                                      at the beginning, and when it changes
 *
 * Those who look at the same rows in the same way share a tap, and what is told them is encoded once. */
#ifndef EVS_LIVE_TAIL_H
#define EVS_LIVE_TAIL_H

#include "evstream/tap.h"
#include "server.h"

struct evs_tails;

void evs_live_get_tail(struct evs_live_server *server, struct evhttp_request *request);
/* The run of this pipeline is over: its taps are closed. The lock is held. */
void evs_tails_close(struct evs_tails *tails, uint32_t pipeline, uint32_t group);
void evs_tails_free(struct evs_tails *tails); /* nobody listens any more; NULL is allowed */

#endif
