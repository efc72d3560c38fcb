/* /api/v1/why?pipeline=NAME&trigger=NUMBER: why a trigger has come.
 *
 * Every row carries what it came from (batch.h): a record's place in its stream, or a window. The place is exact: that record is read back. With
 * it come the events of the same keys, for these are what the operators joined to a result:
 *
 *   a record   the last events with the row's keys in the record's partition, up to the record itself
 *   a window   the events with the row's keys whose time lies in the window, or, of a sequence, from its first event to its deadline
 *
 * Keys are those of the nearest exchange above the sink, where the source has a column of that name. The reading is bounded
 * (behind.h), and the answer says whether all was looked through. */
#ifndef EVS_LIVE_WHY_H
#define EVS_LIVE_WHY_H

#include "stream.h"

/* Answers, at once or later. */
void evs_why_answer(struct evs_live_server *server, struct evhttp_request *request, const struct evs_plan *plan,
                    const struct evs_kept_trigger *trigger);

#endif
