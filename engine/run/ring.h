/* The ring of an exchange: from one worker to one worker, bounded, without locks.
 *
 * Slots are prepared once and filled in place: a slot is a root batch with its own arena. Its state alone passes between the threads:
 *
 *   FREE ── producer fills, release-stores ──► FULL ── consumer takes ──► (in use) ── last reference dropped ──► FREE
 *
 * The consumer takes slots in order and may give them back in any order. Producer and consumer write different cache lines except for the
 * state of the slot that changes hands. A full ring is backpressure: the producer is not called until a slot is free again. */
#ifndef EVS_RUN_RING_H
#define EVS_RUN_RING_H

#include "runtime.h"

#define RING_SLOTS 16u

struct ring;

struct ring *evs_ring_new(struct worker *from, struct worker *to, uint32_t column_count);
void evs_ring_free(struct ring *ring);

/* Producer. */
uint32_t evs_ring_free_slots(const struct ring *ring, uint32_t enough); /* counts up to `enough` */
struct evs_batch *evs_ring_open(struct ring *ring); /* the next slot's batch, empty; there must be a free slot */
void evs_ring_push_batch(struct ring *ring);        /* publishes the opened batch */
void evs_ring_push_watermark(struct ring *ring, int64_t watermark_us);
void evs_ring_push_barrier(struct ring *ring, uint64_t checkpoint);

/* Consumer. */
bool evs_ring_peek(struct ring *ring, struct item *item);
uint32_t evs_ring_fill(const struct ring *ring); /* items that wait */
void evs_ring_pop(struct ring *ring);            /* a batch stays valid until its last reference is dropped */

#endif
