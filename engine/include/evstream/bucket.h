/* The bucket contract: small values that several engines share, each with a revision, kept by the broker of a source and not by the store of the
 * state. Leases are elected in it (engine/run/lease.h), and it remembers how far a pipeline was when the store has forgotten (engine/run/marker.h).
 *
 * A value is written only over the revision that its writer has seen: of several writers one wins. A revision is a number that rises with every write of
 * a key; 0 means that there is no value. A read is of what the last write has left, on whatever server of a cluster it was (no stale copy).
 *
 * One thread uses an instance, and may be blocked by it for as long as `timeout_us`. */
#ifndef EVS_BUCKET_H
#define EVS_BUCKET_H

#include "evstream/memory.h"
#include "evstream/os.h"
#include "evstream/text.h"

struct evs_bucket_open {
    const struct evs_os *os;
    struct evs_log *log;
    struct evs_park *park;     /* of the thread that will use it */
    const char *name;          /* of the bucket: letters, digits, '-' and '_' */
    const void *source_config; /* of the source whose broker it is: how to connect, and how well its log is kept */
    const char *nats_url, *nats_credentials;
    int64_t retry_us;   /* how long an unreachable server is tried while opening */
    int64_t timeout_us; /* of one read or write */
};

struct evs_bucket {
    /* Connects, and makes the bucket where it is missing: on disk, with as many copies as the source's log. */
    evs_status (*open)(const struct evs_bucket_open *open, void **instance, struct evs_error *error);
    /* `value` is emptied and filled. EVS_OK with *revision 0: there is none. */
    evs_status (*read)(void *instance, const char *key, struct evs_buffer *value, uint64_t *revision,
                       struct evs_error *error);
    /* EVS_AGAIN: the key's revision is not `expected`, nothing was written, *revision is as it was. EVS_E_UNREACHABLE: it may have been written or not. */
    evs_status (*write)(void *instance, const char *key, struct evs_slice value, uint64_t expected, uint64_t *revision,
                        struct evs_error *error);
    void (*close)(void *instance);
};

#endif
