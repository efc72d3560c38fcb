/* What a running pipeline shows of itself: figures of every node, of its checkpoints and of its end, for metrics, the live page and `top`.
 *
 * Workers write their figures down at least every 50 ms while they work, and before they sleep; anybody may read them at any time. A view is
 * a copy: figures of one worker are of about the same moment, sums over workers are not of exactly one. Counters begin at 0 with the process. */
#ifndef EVS_VIEW_H
#define EVS_VIEW_H

#include <stdatomic.h>

#include "evstream/operator.h"
#include "evstream/run.h"

/* How figures of several workers become one. */
enum evs_merge { EVS_MERGE_SUM, EVS_MERGE_MIN, EVS_MERGE_MAX };

/* The first EVS_COUNTERS are the counters of operator.h, in their order. Times are in µs; EVENT_US and INGESTED_US since 1970, EVS_TIME_MIN when
 * there is none. */
#define EVS_FIGURES(F)                                                                                                 \
    F(ROWS_IN, SUM)                                                                                                    \
    F(ROWS_OUT, SUM)                                                                                                   \
    F(LATE, SUM)                                                                                                       \
    F(DEAD, SUM)                                                                                                       \
    F(NULL_KEY, SUM)                                                                                                   \
    F(LIMITED, SUM)                                                                                                    \
    F(STATE_KEYS, SUM)                                                                                                 \
    F(STATE_BYTES, SUM)                                                                                                \
    F(IDENTIFIED, SUM)                                                                                                 \
    F(MERGED, SUM)                                                                                                     \
    F(LATE_WINDOWS, SUM)                                                                                               \
    F(OPEN_WINDOWS, MAX)  /* of the worker that has most: the others have the same ones, or some of them */            \
    F(BATCHES_IN, SUM)    /* of rows_in: its batches; of a source the batches that it made */                          \
    F(BUSY_US, SUM)       /* time in its calls, from samples */                                                        \
    F(BLOCKED_US, SUM)    /* time in which it had work and no room for its result: backpressure */                     \
    F(QUEUED, SUM)        /* batches that wait in front of it, now */                                                  \
    F(WATERMARK_US, MIN)  /* event time that it has reached */                                                         \
    F(MESSAGES, SUM)      /* sources, from here */                                                                     \
    F(BYTES, SUM)         /* of payloads */                                                                            \
    F(LAG_MESSAGES, SUM)  /* stored at the broker and not read, as far as known */                                     \
    F(GAP_MESSAGES, SUM)  /* removed by the stream's limits before they were read */                                   \
    F(LOST_MESSAGES, SUM) /* that the broker has lost after they were read */                                          \
    F(PARTITIONS, SUM)                                                                                                 \
    F(IDLE_PARTITIONS, SUM)                                                                                            \
    F(SENDERS, MAX)        /* collectors that are registered at the source's log */                                    \
    F(SENDERS_BEHIND, MAX) /* of those, the ones that quiet partitions wait for */                                     \
    F(EVENT_US, MAX)       /* the largest event time seen */                                                           \
    F(INGESTED_US, MAX)    /* when the newest message that was read had been stored */                                 \
    F(CAUGHT_UP, MIN)      /* 1: nothing waits at the broker */                                                        \
    F(RECONNECTS, SUM)     /* sources and sinks */                                                                     \
    F(WAITING, SUM)        /* sinks, from here: messages without an acknowledgement, now */                            \
    F(WAITING_BYTES, SUM)                                                                                              \
    F(KEPT_BYTES, SUM) /* of acknowledged messages that stay for a while, should the receiver lose them */             \
    F(SENT_AGAIN, SUM) /* of those, the ones that it has lost */                                                       \
    F(ACKNOWLEDGED, SUM)                                                                                               \
    F(RETRIES, SUM)    /* messages that were sent more than once */                                                    \
    F(DUPLICATES, SUM) /* messages that the receiver had already */                                                    \
    F(ORPHANS, SUM)    /* that it has of an earlier run, and that were not derived again */                            \
    F(REFUSED, SUM)    /* that it will never take: dead letters */                                                     \
    F(ATTEMPTS, SUM)   /* requests that were sent, to receivers that are asked and answer */                           \
    F(UNANSWERED, SUM) /* of them without a whole answer */                                                            \
    F(ANSWERS_2XX, SUM)                                                                                                \
    F(ANSWERS_3XX, SUM)                                                                                                \
    F(ANSWERS_4XX, SUM)                                                                                                \
    F(ANSWERS_5XX, SUM)                                                                                                \
    F(UNDER_WAY, SUM)    /* requests without an answer, now */                                                         \
    F(CIRCUIT_OPEN, MAX) /* 1: nothing is sent but a probe from time to time */

enum evs_figure {
#define EVS_FIGURE(name, merge) EVS_FIGURE_##name,
    EVS_FIGURES(EVS_FIGURE)
#undef EVS_FIGURE
        EVS_FIGURE_COUNT
};

/* Delivery: from the moment at which a sink had a row until its receiver acknowledged it. Upper bounds in µs, +infinity behind the last. */
#define EVS_LATENCY_BOUNDS_US                                                                                          \
    {                                                                                                                  \
        1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000   \
    }
#define EVS_LATENCY_BUCKETS 15u

struct evs_view_latency {
    uint64_t counts[EVS_LATENCY_BUCKETS]; /* of each bucket alone, not of all below it */
    uint64_t sum_us;
};

struct evs_view_node {
    const struct evs_plan_node *node;
    uint32_t workers; /* on which it runs */
    int64_t figures[EVS_FIGURE_COUNT];
    struct evs_view_latency delivery; /* sinks of messages */
};

/* Dead letters of one source for one reason. */
struct evs_view_reason {
    const char *source, *reason; /* borrowed from the run */
    uint64_t count;
};
#define EVS_VIEW_REASONS 64u /* further ones count as "other" */

struct evs_view_checkpoints {
    uint64_t count, bytes; /* of this run */
    uint64_t number;       /* of the last commit; 0: none yet */
    int64_t finished_us;   /* monotonic, of the last; 0: none */
    int64_t duration_us;   /* of the last: from the barrier's request to the commit's reply … */
    int64_t align_us;      /* … of it until every op had passed the barrier */
    uint64_t last_bytes;
    struct evs_view_latency durations;
};

#define EVS_VIEW_GROUP_BYTES 24u

/* One of the last checkpoints. */
struct evs_view_checkpoint {
    uint64_t number, bytes;
    int64_t finished_us; /* monotonic */
    int64_t duration_us, align_us;
    uint32_t group_index;
    char group[EVS_VIEW_GROUP_BYTES]; /* cut; "": the only one */
};
#define EVS_VIEW_CHECKPOINTS 64u

struct evs_view_run {
    const struct evs_plan *plan;
    uint32_t worker_count, node_count;
    int64_t elapsed_us;    /* since its start */
    uint64_t outbox_bytes; /* undelivered messages of all sinks */
    bool is_standing_by;   /* another engine runs the pipeline; nothing but the time is told */
    bool is_stopping, has_failed;
    struct evs_view_checkpoints checkpoints;
    const char *durability; /* of the store; NULL: state in memory */
    const char *group;      /* its name; NULL: the pipeline is not divided */
};

void evs_run_view(const struct evs_run *run, struct evs_view_run *view);

/* While it stands by: who has its lease, "host (process 4711)", cut; "": nobody that is known. */
#define EVS_VIEW_HOLDER_BYTES 96u
void evs_run_view_holder(const struct evs_run *run, char holder[EVS_VIEW_HOLDER_BYTES]);

/* What is told of a group beside its run: how far a restore has come, while no run is there that could tell it, and failures, which may be what ends one.
 * Zero at first; it belongs to whoever starts the runs of the group, and outlives them. Written by a run, read by anybody. */
struct evs_run_notes {
    _Atomic uint64_t restore_bytes;       /* read by the last restore … */
    _Atomic uint64_t restore_bytes_about; /* … of at most about so many; of one that is over the same */
    _Atomic int64_t restore_begun_us;     /* monotonic; 0: nothing was restored yet */
    _Atomic int64_t restore_ended_us;     /* 0: it goes on */
    _Atomic uint64_t commit_failures;     /* tries to commit a checkpoint that failed */
};

struct evs_view_notes {
    bool has_restored, is_restoring;
    uint64_t restore_bytes, restore_bytes_about;
    int64_t restore_us; /* how long it took, or has taken so far */
    uint64_t commit_failures;
};
/* Of all groups of a pipeline together: sums, and the time of the slowest. `now_us` is monotonic. */
void evs_run_notes_view(const struct evs_run_notes *notes, uint32_t count, int64_t now_us, struct evs_view_notes *view);

/* Of node number `node` of the plan, over all workers. */
void evs_run_view_node(const struct evs_run *run, uint32_t node, struct evs_view_node *view);
/* Rows that went along edge number `edge` of the plan, over all workers. */
uint64_t evs_run_view_edge(const struct evs_run *run, uint32_t edge);
/* The last ones, the oldest first, at most EVS_VIEW_CHECKPOINTS: how many were written. */
uint32_t evs_run_view_checkpoints(const struct evs_run *run, struct evs_view_checkpoint *checkpoints);
/* At most EVS_VIEW_REASONS; how many were written. */
uint32_t evs_run_view_reasons(const struct evs_run *run, struct evs_view_reason *reasons);

/* The same of several groups of one pipeline together, at least one: figures as over workers; of checkpoints the number and the age are those of the group that is
 * furthest behind, times are those of the slowest. */
void evs_runs_view(const struct evs_run *const *runs, uint32_t count, struct evs_view_run *view);
void evs_runs_view_node(const struct evs_run *const *runs, uint32_t count, uint32_t node, struct evs_view_node *view);
uint32_t evs_runs_view_reasons(const struct evs_run *const *runs, uint32_t count, struct evs_view_reason *reasons);
/* The last ones of them all. */
uint32_t evs_runs_view_checkpoints(const struct evs_run *const *runs, uint32_t count,
                                   struct evs_view_checkpoint *checkpoints);

#endif
