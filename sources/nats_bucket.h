/* The bucket contract (evstream/bucket.h) in a NATS key-value bucket: what `nats kv get BUCKET KEY` shows is what is there. */
#ifndef EVS_NATS_BUCKET_H
#define EVS_NATS_BUCKET_H

#include "evstream/bucket.h"

extern const struct evs_bucket evs_nats_bucket;

/* Deletes a key as `nats kv del` does: a mark in its place, which those who watch the bucket see. The value is gone. */
EVS_MUST_CHECK evs_status evs_nats_bucket_remove(void *instance, const char *key, struct evs_error *error);

#endif
