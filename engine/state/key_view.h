/* The key of a stored record, read with the operator's shape alone: for tools and erasures, which know no operator. */
#ifndef EVS_STATE_KEY_VIEW_H
#define EVS_STATE_KEY_VIEW_H

#include "evstream/operator.h"
#include "evstream/table.h"

/* One value for each of shape->keys, texts borrowed from the record; *rest is what follows the key in the variable bytes. False: the record does not name
 * its key, or is damaged. */
bool evs_key_view(const struct evs_state_shape *shape, const struct evs_snapshot_record *record,
                  struct evs_value values[EVS_KEYS_MAX], struct evs_slice *rest);
uint32_t evs_key_view_bytes(const struct evs_state_shape *shape); /* of the key in the fixed bytes */
/* The hash of a key that is one text. */
uint64_t evs_key_hash_of_text(struct evs_slice text);

#endif
