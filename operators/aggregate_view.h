/* A stored group of an aggregate shown without its pipeline: window and results, as far as a few bytes of each tell them (aggregate_form.h). */
#ifndef EVS_AGGREGATE_VIEW_H
#define EVS_AGGREGATE_VIEW_H

#include "evstream/operator.h"

/* Appends members of a JSON object, each with a comma before it: "from", "to", "values". What an accumulator keeps in parts of its own (lists, distinct
 * values, sketches) is not shown. `rest` is the variable part behind the key. False: the record is no group, nothing was appended. */
bool evs_aggregate_view(const struct evs_state_shape *shape, const struct evs_snapshot_record *record,
                        uint32_t key_bytes, struct evs_slice rest, struct evs_buffer *out);

#endif
