/* A stored anonymous id, or an alias, of resolve identity shown without its pipeline: whose it is, and until when that is remembered. */
#ifndef EVS_IDENTITY_VIEW_H
#define EVS_IDENTITY_VIEW_H

#include "evstream/operator.h"

/* Appends members of a JSON object, each with a comma before it: "person" or "known_as", "shared", "until". `rest` is the variable part behind the key.
 * False: the record is neither, nothing was appended. */
bool evs_identity_view(const struct evs_snapshot_record *record, uint32_t key_bytes, struct evs_slice rest,
                       struct evs_buffer *out);

#endif
