/* The commit record: where everything stands at one barrier. One small value beside the state blocks; the two become valid together.
 *
 * Encoding: "EVSR", format, then the fields in the order of the structs, integers little-endian and fixed, names with a 2-byte count, lists
 * with a 4-byte count, CRC-32C of all before it at the end. */
#ifndef EVS_STATE_RECORD_H
#define EVS_STATE_RECORD_H

#include "evstream/shape.h"
#include "evstream/sink.h"
#include "evstream/source.h"
#include "sweep.h"

struct evs_record_partition {
    struct evs_position position;
    int64_t watermark_us; /* of the partition: what later rows are judged against */
    int64_t max_time_us;  /* largest event time that moved it */
};

struct evs_record_source {
    const char *name;
    struct evs_record_partition *partitions;
    uint32_t partition_count;
    int64_t
        frontier_us; /* F: the largest event time that any partition has shown, moved on while all are idle (exactness, 3) */
    bool finished; /* it was complete and its watermark is +infinity: it is read no more */
};

struct evs_record_node { /* an operator with state */
    const char *name;
    uint64_t identity;
    uint32_t version;
    int64_t watermark_us;
    const struct evs_state_shape *shape; /* NULL: of a commit before format 3 */
};

struct evs_record_lane {
    uint32_t lane;
    uint64_t last;                   /* number of the last message at the barrier */
    uint64_t cursor;                 /* every message up to it is delivered */
    uint64_t offset;                 /* bytes sinks */
    struct evs_sink_receipt receipt; /* not known in commits before format 4 */
};

struct evs_record_sink {
    const char *name;
    struct evs_record_lane *lanes;
    uint32_t lane_count;
};

struct evs_record_erasure { /* asked for, not done: a restore from this commit leaves the person out (run/erase.h) */
    const char *value, *column; /* column: "" any */
    uint64_t id;
};

struct evs_record_erased { /* done: of the person nothing is kept but how many records it were */
    uint64_t id, checkpoint, records;
};
#define EVS_RECORD_ERASED_MAX 32u /* the last ones are remembered */

struct evs_record {
    uint64_t checkpoint;
    uint64_t plan_hash;
    struct evs_hash128
        incarnation; /* of the pipeline: part of every trigger id; made at the first start, kept ever after */
    bool finished;   /* all sources are, and everything is delivered: it cannot be resumed */
    uint32_t split_version, key_version;
    uint64_t events, rows_out, late, dead; /* totals since the first start */
    struct evs_record_source *sources;
    uint32_t source_count;
    struct evs_record_node *nodes;
    uint32_t node_count;
    struct evs_record_sink *sinks;
    uint32_t sink_count;
    struct evs_sweep sweep; /* which copies the log has */
    struct evs_record_erasure *erasures;
    uint32_t erasure_count;
    struct evs_record_erased *erased;
    uint32_t erased_count;
};

#define EVS_KEY_VERSION 1 /* of evs_key_hash_rows and evs_shard_of */

void evs_record_encode(const struct evs_record *record, struct evs_buffer *out);
/* Everything lives in `arena`. EVS_E_CORRUPT or, for a format of another version, EVS_E_STATE. */
EVS_MUST_CHECK evs_status evs_record_decode(struct evs_slice bytes, struct evs_arena *arena, struct evs_record *record,
                                            struct evs_error *error);

#endif
