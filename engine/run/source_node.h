/* A source on one worker: polls its connector, decodes, judges time, emits rows and watermarks. Split in three:
 *   source_node.c    the op: polling, barriers, positions, fingerprints
 *   source_rows.c    one batch: decode, system columns, event times, dead rows
 *   source_time.c    watermarks: per partition, idle partitions, the frontier */
#ifndef EVS_RUN_SOURCE_NODE_H
#define EVS_RUN_SOURCE_NODE_H

#include "erase.h"
#include "runtime.h"

#define POLL_MESSAGES 256u
#define BAD_MAX 64u
/* Fingerprints of messages are kept at least this long (exactness, 2), and at most so many. */
#define FINGERPRINT_KEEP_US (INT64_C(200) * 1000 * 1000)
#define FINGERPRINTS_MAX (1u << 21)

struct evs_eval;

struct partition {
    bool owned, seen;
    struct evs_position position; /* of the last whole message that was consumed */
    int64_t watermark_us;         /* rows from now on are judged against it */
    int64_t max_time_us;          /* largest event time that moved it */
    int64_t active_us;            /* monotonic time of its last row */
    bool idle;
    bool ended; /* all of it is read, while others of the source go on: it holds time back no more */
};

struct fingerprint {
    uint32_t partition, hash;
    uint64_t sequence;
    int64_t time_us; /* broker's */
    int64_t kept_us; /* monotonic */
};

/* What the frontier was at some moments of the last seconds, the oldest first, and at the newest moment up to which every sender's word holds. */
#define FRONTIERS_MAX 64u
struct frontier_past {
    struct {
        int64_t at_us, frontier_us;
    } items[FRONTIERS_MAX];
    uint32_t count;
    int64_t proven_us; /* event time; EVS_TIME_MIN: none yet */
};

struct source_node {
    const struct evs_plan_source *plan;
    struct evs_op *op;
    struct source_shared *shared;
    _Atomic int64_t *lag_us; /* of the source, on all workers */
    void *connector;
    void *decoder;
    struct evs_eval *watermark_eval;
    struct evs_batch_pool
        *pool; /* its own: a poll waits until all its batches are gone, for they point into the messages */

    struct evs_message messages[POLL_MESSAGES];
    uint32_t message_count, message_at;
    size_t consumed; /* bytes of the message at hand */
    uint64_t fetched_messages, fetched_bytes;
    int64_t newest_us; /* when the newest of them had been stored; EVS_TIME_MIN: unknown */
    uint32_t next_index;
    bool in_position; /* the last message was a piece: more of its position follow */
    bool started;     /* the first watermark is out */
    bool ended;       /* nothing more will be polled … */
    bool finished;    /* … and the watermark is +infinity, or a cut */

    struct partition *partitions; /* by number; partition_count of them */
    uint32_t partition_count;
    struct evs_record_partition *at_barrier; /* copies, as of the last barrier */
    int64_t frontier_at_barrier_us;
    bool finished_at_barrier;

    struct frontier_past frontiers; /* for senders whose word comes later */
    int64_t complete_us;            /* as the connector says; the worker's clock when nobody registers */
    int64_t quiet_since_us; /* monotonic time since which the connector has evidence that nothing waits; 0: not quiet */
    bool counted_active;    /* in shared->active_workers */
    uint64_t
        idle_barrier; /* a barrier that carries an idle watermark: nothing is polled until it is committed; 0: none */

    /* Erasures that were asked for by the last messages at hand: nothing behind them is read by this run (erase.h). */
    struct evs_record_erasure *erasures;
    uint32_t erasure_count, erasure_capacity, erasures_at_barrier;

    struct fingerprint *fingerprints; /* a ring: first … first + count */
    uint32_t fingerprint_first, fingerprint_count, fingerprint_capacity,
        fingerprint_written; /* written: of them, in a checkpoint */

    struct evs_position *restored; /* fingerprints and positions of the last commit */
    uint32_t restored_count, restored_capacity;

    int64_t traced_since_us; /* of the second at hand, by the worker's clock … */
    uint32_t traced_count;   /* … events that are traced */

    /* scratch of one batch */
    uint32_t record_index[EVS_BATCH_ROWS];
    struct evs_slice raw[EVS_BATCH_ROWS];
    struct evs_decode_bad bad[BAD_MAX];
    uint16_t message_of[EVS_BATCH_ROWS];
    uint8_t excluded[EVS_BATCH_ROWS];
};

/* source_rows.c. Decodes up to one batch of the messages at hand; NULL when all of them gave no row. */
struct evs_batch *evs_source_read_batch(struct source_node *node);

/* trace.c: marks the traced ones of the rows [first, batch->row_count), which came from `message`. The run traces. */
void evs_trace_source(struct source_node *node, struct evs_batch *batch, const struct evs_message *message,
                      uint32_t first);

/* source_time.c */
void evs_source_time_start(struct source_node *node, const struct evs_record_source *restored);
/* Judges rows [first, end) of the batch, all of one message: moves the partition's watermark, excludes rows that are dead. `reason` of
 * excluded rows is told through evs_source_dead_row. Sets batch->watermark_us where some row is behind. */
void evs_source_judge(struct source_node *node, struct evs_batch *batch, const struct evs_message *message,
                      uint32_t first, uint32_t end);
void evs_source_dead_row(struct source_node *node, const struct evs_batch *batch, uint32_t row,
                         const struct evs_row_error *error);
/* The minimum over the worker's partitions, +infinity if it has none; and what the source says: that, until it is finished. When reading has been cut, a
 * partition in which nothing is stored says nothing: a shop with few customers has many, and none of its absences would ever be told. */
int64_t evs_source_reached(const struct source_node *node);
int64_t evs_source_watermark(const struct source_node *node);
/* All of the partition is read. What comes behind is unknown where a run may be continued in what is added to it (--at-end stop). */
void evs_source_end_partition(struct source_node *node, uint32_t number);
/* Of the worker's partitions that have not ended the one with the least watermark; UINT32_MAX: there is none. */
uint32_t evs_source_furthest_behind(const struct source_node *node);
int64_t evs_source_frontier(const struct source_node *node); /* F, as it stands now */
/* The connector had nothing: notices idle partitions. Returns true when the source's watermark may rise because of it. */
bool evs_source_check_idle(struct source_node *node);
/* Moves idle partitions to the frontier; true when one moved. */
bool evs_source_apply_idle(struct source_node *node);
void evs_source_mark_active(struct source_node *node, struct partition *partition);
void evs_source_mark_inactive(struct source_node *node); /* the worker's part of the source holds F back no more */

#endif
