/* What a stored commit says, for people. */
#ifndef EVS_STATE_H
#define EVS_STATE_H

#include "evstream/memory.h"
#include "evstream/text.h"

/* Appends some lines to `text`: counts, where each source stands, operators with state, sinks. EVS_E_STATE when the record does not decode. */
EVS_MUST_CHECK evs_status evs_state_describe(struct evs_slice record, struct evs_buffer *text, struct evs_error *error);

/* What a start of this plan on a stored commit would do with each operator, source and sink, in some lines; *loses: a start refuses without --allow-drop.
 * EVS_E_STATE: it would refuse in any case, and why. */
struct evs_plan;
EVS_MUST_CHECK evs_status evs_state_compare(const struct evs_plan *plan, struct evs_slice record,
                                            struct evs_buffer *text, bool *loses, struct evs_error *error);

#endif
