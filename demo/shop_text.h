/* Two texts of an event: the JSON that a browser sends, and the record from which it is recounted. */
#ifndef EVS_SHOP_TEXT_H
#define EVS_SHOP_TEXT_H

#include "evstream/memory.h"
#include "shop_traffic.h"

/* The partition of an event: FNV-1a of the user's id, of the anonymous id for those who are not logged in. */
uint32_t evs_shop_partition(const struct evs_shop_event *event, uint32_t partition_count);

/* Appends the canonical event as one line, with its line end; broken where it has a flaw. */
void evs_shop_put_json(struct evs_buffer *out, const struct evs_shop_event *event);

/* Appends one line of the record, its fields apart by tabs, nothing (NULL) written as "-":
 *   partition sequence index sent_us occurred_us kind flaw event_id user anonymous sku campaign quantity cents */
void evs_shop_put_record(struct evs_buffer *out, const struct evs_shop_event *event, uint32_t partition,
                         uint64_t sequence, uint64_t index);

#endif
