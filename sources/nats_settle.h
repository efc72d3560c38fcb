/* At a start: does the log still hold what the last commit read of each partition?
 *
 * The readers of a log's partitions find its fork one after the other, and a commit may fall in between. Its positions are then of two logs: one partition's
 * newest message is there, which says nothing of another's.
 *
 *   partition 0 read       … 21  22a 24b         its reader was not connected yet
 *   partition 1 read       … 23a |               its reader found the fork at 22, and went on: 24y
 *   the log now            … 21 22a 23x 24y      23x is partition 0's
 *
 * One reader of both finds 24y as it was, and partition 0 would go on behind 24b. So each partition's position is compared by itself, once, before
 * anything is read: with the same search as wherever a consumer is made (nats_position.h). */
#ifndef EVS_NATS_SETTLE_H
#define EVS_NATS_SETTLE_H

#include "nats_lane.h"

struct evs_nats_settled {
    uint64_t *
        common; /* [partitions] the last message that the log still has of what a partition had read; UINT64_MAX: all of it */
    uint64_t together;            /* up to here all partitions were read; 0: unknown */
    struct evs_nats_mark witness; /* the newest message up to there, of whatever partition */
};

/* Compares the partitions of this worker, and those that say how far all were read together. `info` is of the stream now, and may be asked for again.
 * EVS_E_STATE: nothing that is remembered of a partition is there. `settled` is zero-initialised; free it with fini in any case. */
EVS_MUST_CHECK evs_status evs_nats_settle(struct evs_nats_shared *shared, struct evs_nats_asker *asker,
                                          const struct evs_source_open *open, struct evs_nats_stream_info *info,
                                          struct evs_nats_settled *settled, struct evs_error *error);
void evs_nats_settled_fini(struct evs_nats_settled *settled);

#endif
