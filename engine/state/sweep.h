/* Rolling snapshots: which part of the state is copied into the log next, so that the log's beginning can be forgotten.
 *
 * The hashes of keys fall into EVS_RANGES ranges. A checkpoint holds what has changed, and a copy of everything in the next few ranges, round and
 * round. What the log says of a range before the range's last copy is not needed any more, neither changes nor deletions:
 *
 *      commit          1      2      3      4      5      6       copied: a at 5, b at 6, c at 3, d at 4
 *      changes         abcd   a      bc     cd     ad     b
 *      copies                        c      d      a      b       so the log begins with commit 3, and of commit 4 the changes of c count,
 *                                                                 those of d do not
 *
 * Pace. Copies follow the bytes of changes: when changes as large as the whole state have been written, each range has been copied once. So the
 * log holds one copy of the state and about as many bytes of changes: twice the live state. (Three times after a burst that made a copy of
 * everything in one checkpoint necessary, until that has been copied again in parts.) A small state is taken for `bytes_min`.
 *
 * A range is the same slice of every shard (the shard is the hash's top bits, the range the bits below): all workers have a share of each copy, and a
 * shard that moves to another group is read from the log by its hashes, with the same table. Rejected: ranges within one shard (only one worker
 * would have something to copy, and would be the one that all wait for), and a second stream for snapshots (two streams must agree after a crash). */
#ifndef EVS_STATE_SWEEP_H
#define EVS_STATE_SWEEP_H

#include "evstream/operator.h"

#define EVS_RANGES 256u

static inline uint32_t evs_range_of(uint64_t hash)
{
    return (uint32_t)(hash >> 50) & (EVS_RANGES - 1);
}

/* Consecutive ranges, modulo EVS_RANGES. */
struct evs_ranges {
    uint32_t first, count;
};

static inline bool evs_ranges_hold(struct evs_ranges ranges, uint32_t range)
{
    return ((range - ranges.first) & (EVS_RANGES - 1)) < ranges.count;
}
static inline struct evs_ranges evs_ranges_others(struct evs_ranges ranges)
{
    return (struct evs_ranges){(ranges.first + ranges.count) & (EVS_RANGES - 1), EVS_RANGES - ranges.count};
}

struct evs_range_copy {
    uint64_t checkpoint; /* whose commit has the last copy; 0: there is none */
    uint64_t bytes;
};

struct evs_sweep {
    struct evs_range_copy copies[EVS_RANGES];
    uint32_t next;         /* the range whose copy is the oldest */
    uint64_t credit_bytes; /* of changes, that copies have not followed yet */
};

/* Bytes of the live state, as of the last copies. */
uint64_t evs_sweep_state_bytes(const struct evs_sweep *sweep);
/* What the next checkpoint shall copy; count 0: nothing. */
struct evs_ranges evs_sweep_next(const struct evs_sweep *sweep, uint64_t bytes_min);
/* The checkpoint's commit holds a copy of `ranges` in `copied_bytes`, and `changed_bytes` of changes. */
void evs_sweep_committed(struct evs_sweep *sweep, uint64_t checkpoint, struct evs_ranges ranges, uint64_t copied_bytes,
                         uint64_t changed_bytes, uint64_t bytes_min);
/* The checkpoint that a restore's state begins with; 0: the log's first, whatever that is. */
uint64_t evs_sweep_begins(const struct evs_sweep *sweep);
/* Does a record of this checkpoint's commit still say something? */
static inline bool evs_sweep_needs(const struct evs_sweep *sweep, uint64_t checkpoint, bool is_copy, uint64_t hash)
{
    uint64_t copied = sweep->copies[evs_range_of(hash)].checkpoint;
    return checkpoint > copied || (checkpoint == copied && is_copy);
}

#endif
