/* The bucket contract (evstream/bucket.h) in a NATS key-value bucket: what `nats kv get BUCKET KEY` shows is what is there. */
#ifndef EVS_NATS_BUCKET_H
#define EVS_NATS_BUCKET_H

#include "evstream/bucket.h"

extern const struct evs_bucket evs_nats_bucket;

#endif
