/* The lease: which of several engines, started with one pipeline, runs it (exactness, 15).
 *
 *        released, or its process is known to have ended: at once
 *   ┌──────────────────────────────────────────────────────────────────┐
 *   │  the same revision for a whole lease, by our own clock            ▼
 *  look ───────────────────────────────────────────────────────────► write over that revision ──► held ──► renew, renew, … ──► release
 *   ▲                                                                   │ somebody was faster         │ the revision is another's
 *   └───────────────────────────────────────────────────────────────────┘                            └──► lost
 *
 * The value in the bucket names its holder and a nonce; every renewal writes it anew over the revision that it knows, so the revision moves while the
 * holder lives. Nobody compares clocks of machines: who waits measures, by its own clock that goes on while a machine sleeps, how long the revision has
 * stood still. Whoever has just come, or could not look for a while (an outage of the broker is one of the holder, too), begins to measure anew.
 *
 * The lease only elects. What makes a second owner harmless is the epoch in the store: an owner that has lost the lease without knowing it is refused
 * there. To outside receivers the holder sends only within half a lease of its last renewal (evs_run_may_send), so another one that waits for a whole lease
 * comes later than its last message.
 *
 * One thread uses a lease; evs_lease_renewed_us may be asked by all. */
#ifndef EVS_RUN_LEASE_H
#define EVS_RUN_LEASE_H

#include "evstream/bucket.h"

struct evs_lease;

struct evs_lease_open {
    const struct evs_os *os;
    const struct evs_bucket *bucket;
    void *instance; /* of the bucket; borrowed */
    const char *pipeline, *group;
    int64_t lease_us;
};

struct evs_lease *evs_lease_new(const struct evs_lease_open *open);
void evs_lease_free(struct evs_lease *lease);

/* One look, and a write when the lease may be taken. EVS_OK: it is ours; EVS_AGAIN: another engine has it, look again soon; anything else: the bucket is in
 * trouble, and so perhaps is the holder: we begin to measure anew. */
EVS_MUST_CHECK evs_status evs_lease_try(struct evs_lease *lease, struct evs_error *error);
/* A look alone, by somebody who does not want the lease yet: the time that it stands still is measured all the same. */
EVS_MUST_CHECK evs_status evs_lease_watch(struct evs_lease *lease, struct evs_error *error);
/* EVS_OK; EVS_E_FENCED: another engine holds it now; anything else: not renewed, try again. */
EVS_MUST_CHECK evs_status evs_lease_renew(struct evs_lease *lease, struct evs_error *error);
/* Gives it back, so that nobody waits. What fails is not told: then they wait. */
void evs_lease_release(struct evs_lease *lease);

bool evs_lease_is_held(const struct evs_lease *lease);
/* The clock that goes on while the machine sleeps, before the last renewal that succeeded was sent. */
int64_t evs_lease_renewed_us(const struct evs_lease *lease);
/* No engine holds it, as far as the last look tells: it was given back, or never taken. */
bool evs_lease_is_free(const struct evs_lease *lease);
/* "host (process 4711)" of the engine that the last look found; "nobody that is known". */
const char *evs_lease_holder(const struct evs_lease *lease);
int64_t evs_lease_length_us(const struct evs_lease *lease);

#endif
