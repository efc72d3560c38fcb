/* The state of match_recognize. Private to it: op_match.c, match_snapshot.c. */
#ifndef EVS_MATCH_STATE_H
#define EVS_MATCH_STATE_H

#include "op_match.h"
#include "pattern_match.h"

#define EVS_MATCH_EMIT_BATCHES 4u

/* Of a partition, in its entry of the table. Row i of the matching is rows[first + i]. */
struct partition {
    struct evs_matching matching;
    struct evs_keyed_row **rows;
    uint32_t first, capacity;
    int64_t matches;  /* so far */
    int64_t armed_us; /* when its timer comes up; EVS_TIME_MAX: none */
    bool is_held;     /* its entry is kept for it */
    bool is_known;    /* false: nothing has come yet */
    bool is_dirty, is_saved;
};

struct final_partition {
    int64_t last_us; /* time of its last row */
    uint64_t hash;
    uint32_t entry;
};

struct match {
    const struct evs_match_config *config;
    struct evs_keyed_rows rows;
    struct evs_match_scratch *scratch;
    struct evs_measuring *measuring;
    struct evs_timers deadlines; /* the payload is the entry */
    bool is_durable;
    uint32_t
        *dirty; /* entries of partitions that changed since the last checkpoint; one may be listed twice, or be gone */
    uint32_t dirty_count, dirty_capacity;
    int64_t told_bytes;

    /* the partition that is being advanced, while credit lasts */
    bool has_current, is_current_end, is_current_closed; /* closed: its time is over */
    uint32_t current;
    int64_t current_us, cause_us;

    struct final_partition *finals; /* at the end of the input */
    uint32_t final_count, final_at, final_capacity;
    bool is_final;

    struct evs_batch *out;
    uint32_t emitted;
    const struct evs_row **view_rows;
    uint32_t view_capacity;

    struct evs_buffer deleted; /* partitions that stand in a checkpoint and are gone */
};

static inline struct partition *evs_match_partition(const struct match *match, uint32_t entry)
{
    return evs_keyed_values(&match->rows, entry);
}
void evs_match_append(struct match *match, struct evs_op *op, struct evs_keyed_row *row);
void evs_match_arm(struct match *match, uint32_t entry);
void evs_match_mark(struct match *match, uint32_t entry);

#define EVS_MATCH_SNAPSHOT_VERSION 1
/* Where a stored partition names its key. */
#define EVS_MATCH_STORED_KEY                                                                                           \
    {                                                                                                                  \
        .sections = 2, .nulls_at = 12, .key_at = 24                                                                    \
    }
void evs_match_remember_deleted(struct match *match, uint32_t entry);
evs_status evs_match_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full);
evs_status evs_match_restore(struct evs_op *op, void *state, uint32_t version, const struct evs_snapshot_record *record,
                             struct evs_error *error);

#endif
