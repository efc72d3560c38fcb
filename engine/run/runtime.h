/* The runtime's own structures: how a plan becomes running things. Private to engine/run.
 *
 *   struct evs_run ── owns ──► workers (threads) ── own ──► ops (a node on one worker) ── edges (bounded queues) ──► ops
 *        │                                                     exchange: sender op ══ rings ══► receiver op of every worker
 *        └── the checkpointer (a thread): asks for barriers, gathers what the ops wrote, commits, tells the workers
 *
 * Scheduling. A worker always runs the op nearest to the sinks that has input and room for output; a source is polled only when nothing
 * else can run. So queues stay short, batches stay in the cache, and backpressure is nothing but a full queue. No op ever waits: one that
 * has no room downstream is simply not called. Exchanges cannot deadlock, because the graph has no cycle and the most downstream op that
 * has input always has room or waits for the outside world.
 *
 * Threads. Everything of a worker belongs to its thread. Threads meet at the rings, at the atomics of struct evs_run, and at the
 * checkpoint: from an op's barrier until the checkpointer has committed it, the op's snapshot writer belongs to the checkpointer. */
#ifndef EVS_RUN_RUNTIME_H
#define EVS_RUN_RUNTIME_H

#include <stdatomic.h>

#include "evstream/bucket.h"
#include "evstream/tap.h"
#include "evstream/trace.h"
#include "evstream/view.h"
#include "marker.h"
#include "state/match.h"
#include "state/record.h"
#include "state/snapshot.h"

#define EDGE_ROOM 16u /* items in a queue between two ops; emit_max + control items must fit */
#define EMIT_MAX 8u
#define FDS_MAX 64u

struct worker;
struct ring;

enum item_kind { ITEM_BATCH, ITEM_WATERMARK, ITEM_BARRIER };
struct item {
    enum item_kind kind;
    struct evs_batch *batch;
    int64_t watermark_us;
    uint64_t checkpoint;
};

/* A bounded queue between two ops of one worker, or the receiving end of a ring. */
struct edge {
    struct evs_op *to;
    uint32_t input;    /* of `to` */
    uint32_t branch;   /* of a union: told apart in trigger ids; 0: none */
    struct ring *ring; /* NULL: the queue below */
    struct item items[EDGE_ROOM];
    uint32_t first, count;
    int64_t watermark_us; /* last one that came along it */
    bool is_cut;          /* EVS_TIME_CUT came behind it */
    bool at_barrier;      /* waits until the other edges have it too */
};

struct output {
    struct edge **edges;
    uint32_t edge_count, edge_capacity;
    uint64_t rows;               /* that left by it */
    _Atomic uint64_t shown_rows; /* view.c: as of the worker's last look */
};

/* What an op does with what comes in. One static table a kind of node. */
struct op_class {
    /* Room for one call: beyond the room in the edges, which is checked for all. NULL: yes. */
    bool (*has_room)(struct evs_op *op);
    evs_status (*batch)(struct evs_op *op, struct edge *edge,
                        struct evs_batch *batch);                     /* EVS_MORE: again with the same batch */
    evs_status (*watermark)(struct evs_op *op, int64_t watermark_us); /* EVS_MORE: again */
    evs_status (*barrier)(struct evs_op *op, uint64_t checkpoint); /* all inputs are aligned; write what must be kept */
    /* Work without input: sources poll, sinks take acknowledgements. EVS_OK: something was done; EVS_AGAIN: nothing to do. */
    evs_status (*poll)(struct evs_op *op);
    uint32_t (*wait_fds)(struct evs_op *op, struct evs_wait_fd *fds, uint32_t max);
    void (*confirmed)(struct evs_op *op, uint64_t checkpoint); /* the commit may be told to others */
    bool (*is_idle)(struct evs_op *op);                        /* nothing is under way outside: a run may end */
    void (*close)(struct evs_op *op);
    void (*show)(const struct evs_op *op, int64_t *figures); /* its own figures, by enum evs_figure; NULL: none */
    uint8_t emit_max;
};

/* Written by one thread, read by any. */
struct histogram {
    _Atomic uint64_t counts[EVS_LATENCY_BUCKETS];
    _Atomic uint64_t sum_us;
};

struct evs_op {
    const struct evs_plan_node *node;
    uint32_t node_index;
    struct worker *worker;
    struct evs_log *log; /* of the run's, for lines about this op */
    const struct op_class *class;
    void *impl; /* source, sink, exchange: their own structures */

    const struct evs_operator *operator_;
    void *state;
    bool opened;
    bool is_waiting; /* for an answer from outside: only the item at hand goes on */

    struct edge **in;
    uint32_t in_count, in_capacity, in_next; /* in_next: where to look first, so that no input starves */
    struct output *outputs;
    uint32_t output_count; /* the node's own; the dead letters of source s leave by output_count + s */
    uint32_t output_total;
    uint32_t source_number; /* the leftmost source that feeds it */

    int64_t watermark_us;         /* the last one finished and passed on */
    int64_t watermark_target_us;  /* being worked on when above watermark_us */
    bool is_cut;                  /* all inputs are over, not all of them complete: EVS_TIME_CUT comes next */
    bool has_told_watermark;      /* since the start: a restored one is told again, for the edges behind it know none */
    int64_t watermark_delay_us;   /* it is passed on so much behind: see evs_op_delay_watermark */
    uint64_t barrier;             /* the last one that passed … */
    int64_t barrier_watermark_us; /* … and the watermark at it */

    struct evs_batch *dead; /* dead rows of the running call, being gathered */
    uint32_t dead_source;
    struct evs_snapshot_writer writer;           /* what changed, or is not delivered */
    struct evs_snapshot_writer copy;             /* ranges of the state (state/sweep.h) */
    const struct evs_state_migration *migration; /* during the restore of another version's records */
    bool is_writing;                             /* its part of the last barrier: between batches */
    bool wants_key;
    uint8_t emitted;                                  /* in the running call */
    const struct evs_batch *traced;                   /* the batch at hand, where it has traced rows: trace.c */
    struct evs_trace_memory *trace_keys, *trace_rows; /* NULL: nothing to remember yet */
    _Atomic uint32_t taps;                            /* a bit for each tap that looks at this node: tap.c */
    int64_t counters[EVS_COUNTERS];
    int64_t barrier_counters[EVS_COUNTERS]; /* as of the last barrier */

    uint64_t batches_in;
    int64_t busy_us, blocked_us;
    _Atomic int64_t shown[EVS_FIGURE_COUNT]; /* view.c: as of the worker's last look */
    struct histogram delivery;               /* sinks */
};

/* A checkpoint as it is shown. The number is 0 while the rest is written. */
struct shown_checkpoint {
    _Atomic uint64_t number, bytes;
    _Atomic int64_t finished_us, duration_us, align_us;
};

/* A text that one thread writes and any may read: its version is odd while it is written. */
struct shown_text {
    _Atomic uint32_t version;
    _Atomic uint64_t words[EVS_VIEW_HOLDER_BYTES / sizeof(uint64_t)];
};

/* Dead letters of one source for one reason: reason and source are written before reason_count says that they are there. */
struct shown_reason {
    const char *reason;
    uint32_t source_index;
    _Atomic uint64_t count;
};

struct worker {
    struct evs_run *run;
    uint32_t number;
    struct evs_thread *thread;
    struct evs_park *park;
    struct evs_batch_pool *pool;
    struct evs_op *ops; /* in topological order */
    uint32_t op_count;
    int64_t now_us;
    uint64_t confirmed_seen; /* what the ops have been told */
    uint32_t ops_at_barrier; /* that have passed the barrier under way, and written their part */
    uint32_t ops_writing;    /* that have passed it, and have not */
    bool ended_told;
    uint64_t idle_told; /* the last barrier behind which it was idle */
    int64_t published_us;
    uint32_t unsampled;                  /* steps until one is timed … */
    uint32_t sample_mean, sample_weight; /* … of so many, as it is drawn now, and for how many that one stands */
    uint64_t sample_seed;                /* what draws the next such number */
    uint32_t sample_count;               /* since paced_us */
    int64_t paced_us;
    struct shown_reason reasons[EVS_VIEW_REASONS]; /* of dead letters, in the order of their first */
    _Atomic uint32_t reason_count;
    /* Other workers look at it whenever they send something, so it shares no cache line with what this one writes at every step. */
    _Alignas(64) _Atomic uint32_t sleeping;
    _Alignas(64) char pad[64];
};
_Static_assert(offsetof(struct worker, sleeping) % 64 == 0 &&
                   offsetof(struct worker, pad) - offsetof(struct worker, sleeping) == 64 &&
                   sizeof(struct worker) % 64 == 0,
               "workers meet on no cache line but that of `sleeping`");

/* Shared by all workers' parts of the sources that meet somewhere: the frontier F (language, "Event time, exactly", 3). */
struct source_shared {
    _Alignas(64) _Atomic int64_t frontier_us; /* largest event time shown by any partition of any of them */
    _Atomic int64_t all_idle_us;              /* monotonic time since which every partition is idle */
    _Atomic uint32_t active_workers;          /* workers whose partitions are not all idle */
};

/* How rows of one schema are shown inside a dead letter. */
struct row_encoder {
    const struct evs_schema *schema;
    const void *config;
};

/* What instances of operators on all workers have in common (evs_op_share). */
struct shared {
    const void *key;
    void *object;
    void (*close)(void *object);
};

struct evs_erasing;

struct evs_run {
    const struct evs_plan *plan;
    struct evs_run_options options;
    struct worker *workers;
    struct source_shared *source_shared; /* one a group of sources that meet */
    uint32_t *source_groups;             /* of source number s */
    _Atomic int64_t
        *source_lags;       /* of source number s: how far a watermark expression stayed behind event times at most */
    uint32_t *source_nodes; /* node index of source number s; batches carry s as source_index */
    uint32_t source_count;
    struct row_encoder *row_encoders; /* one a schema that dead rows may have */
    uint32_t row_encoder_count, row_encoder_capacity;
    struct shared *shared;
    uint32_t shared_count, shared_capacity;
    struct evs_arena arena;

    void *store;
    struct evs_store_terms terms;
    struct evs_hash128 incarnation;
    struct evs_record restored;  /* valid when terms.has_commit */
    struct evs_match match;      /* what of it belongs to what of the plan */
    struct evs_erasing *erasing; /* during a restore: whose records are left out */
    uint64_t erased_records;     /* by the restore of this run */
    struct evs_run_totals base;  /* of earlier runs of this state */
    int64_t started_us;

    /* Asked by anyone, read by everyone. */
    _Atomic bool stop;        /* drain: sources poll no more */
    _Atomic bool failed;      /* some thread has failed: all stop at once */
    _Atomic bool finish;      /* all is delivered: workers may end */
    _Atomic bool is_taken;    /* the group is ours and restored, the workers run; until then the run may stand by */
    _Atomic uint64_t barrier; /* sources inject barriers up to this number */
    struct evs_ranges barrier_ranges; /* that barrier asks for a copy of these; written before `barrier` is */
    _Atomic bool barrier_rewrite;     /* … and for every undelivered message, so that the outbox can begin anew */
    _Atomic bool wants_rewrite;       /* the next barrier shall: delivered messages are undelivered again */
    _Atomic bool
        erases; /* a source has met an erasure: a commit behind it is due, and then another beginning (erase.h) */
    _Atomic bool barrier_final; /* it is the last one: nothing comes after it */
    _Atomic uint64_t committed; /* the last commit that the store has taken */
    _Atomic uint64_t confirmed; /* the last commit that may be told to others */
    _Atomic uint32_t workers_at_barrier, workers_ended, workers_idle;
    _Atomic int64_t owner_us;        /* boot time at which the store last said that we own the group (exactness, 15) */
    _Atomic uint64_t refusals;       /* how often sinks have told dead rows of messages */
    _Atomic uint64_t outbox_bytes;   /* messages waiting in sinks */
    _Atomic uint64_t kept_bytes;     /* delivered ones that stay in the outbox for a while (sink_pending.h) */
    _Atomic uint64_t stored_bytes;   /* of messages that sinks have written for the outbox, as they are in memory */
    _Atomic uint64_t source_batches; /* for checkpoint_batches */

    struct evs_thread *checkpointer;
    struct evs_park *checkpointer_park, *main_park;

    /* Which of several engines runs the pipeline: standby.c. */
    const struct evs_bucket *bucket_kind;
    void *bucket;
    struct evs_lease *lease; /* NULL: whoever starts last runs it */
    struct evs_thread *keeper, *starter;
    struct evs_park *keeper_park, *starter_park;
    _Atomic bool lease_won, keeper_ends;
    bool is_stale;                /* the keeper's: it renews no more, and has told it */
    _Atomic int64_t committed_us; /* boot time of the last commit; 0: none yet in this run */
    struct evs_marker marker;     /* as it was before this run; written before lease_won is */
    uint64_t marker_revision;
    _Atomic(struct evs_buffer *) marker_text; /* to be written; NULL: nothing new */
    void **sink_shared;                       /* of each node: what the lanes of a sink have in common */
    bool keeps_incarnation;                   /* the store has forgotten it, the marker has not */
    struct evs_tap *taps[EVS_TAPS_MAX];       /* by number; a slot is filled before a bit names it, and stays */

    struct evs_run_notes own_notes; /* when nobody has given any */
    struct {
        _Atomic uint64_t count, bytes, last_bytes;
        _Atomic int64_t finished_us, duration_us, align_us;
        struct histogram durations;
        struct shown_checkpoint last[EVS_VIEW_CHECKPOINTS]; /* a ring */
        _Atomic uint64_t last_count;                        /* written to it so far */
    } shown;                                                /* of checkpoints; written by the checkpointer */
    struct shown_text holder;                               /* written by the keeper, and before there is one */
    _Atomic uint32_t error_taken;
    struct evs_error error;
};

static inline struct evs_run_notes *evs_run_notes_of(struct evs_run *run)
{
    return run->options.notes == NULL ? &run->own_notes : run->options.notes;
}

#define EVS_GROUP_ONLY "0"

static inline const char *evs_run_group(const struct evs_run *run)
{
    return run->options.group == NULL ? EVS_GROUP_ONLY : run->options.group;
}

/* The partitions p with p % count == index: what one worker of one group reads. */
struct evs_share {
    uint32_t index, count;
};

static inline struct evs_share evs_group_share(const struct evs_run *run)
{
    bool is_one_of_many = run->options.group_count > 1;
    return (struct evs_share){is_one_of_many ? run->options.group_index : 0,
                              is_one_of_many ? run->options.group_count : 1};
}

static inline struct evs_share evs_worker_share(const struct worker *worker)
{
    struct evs_share group = evs_group_share(worker->run);
    return (struct evs_share){group.index + group.count * worker->number,
                              group.count * worker->run->options.worker_count};
}

/* --- graph.c --- */
evs_status evs_graph_build(struct evs_run *run, struct evs_error *error);
void evs_graph_free(struct evs_run *run);
struct evs_op *evs_worker_op(struct worker *worker,
                             uint32_t node_index); /* the op that takes input (an exchange's sender) */

/* --- op.c: edges, emitting; dead.c: dead letters --- */
bool evs_edge_peek(struct edge *edge, struct item *item);
void evs_edge_pop(struct edge *edge);
void evs_edge_push(struct edge *edge, struct item item); /* of a queue; there must be room */
bool evs_op_has_credit(const struct evs_op *op);
void evs_op_send_watermark(struct evs_op *op, int64_t watermark_us);
int64_t evs_op_passed_watermark(const struct evs_op *op); /* the one that downstream may have */
void evs_op_send_barrier(struct evs_op *op, uint64_t checkpoint);
void evs_op_flush_dead(struct evs_op *op);
void evs_run_close_shared(struct evs_run *run); /* when no worker runs any more */
evs_status evs_dead_prepare(struct evs_run *run, const struct evs_schema *schema, struct evs_error *error);

/* A dead row before it is one: what is known of it. */
struct dead_row {
    uint32_t source_index;
    const struct evs_row_error *error;
    struct evs_slice json;    /* the row as an object; empty: NULL */
    struct evs_slice raw;     /* original bytes; empty: NULL */
    struct evs_slice subject; /* empty: NULL */
    struct evs_cause cause;
    enum evs_cause_kind cause_kind;
    uint64_t lineage;                      /* of its batch */
    const struct evs_hash128 *key;         /* of the group that it is a result of; NULL: none */
    int64_t event_time_us, ingested_at_us; /* EVS_TIME_MIN: unknown */
};
void evs_op_begin_copy(struct evs_op *op,
                       struct evs_ranges ranges); /* for a barrier: op->writer and op->copy share the state */
void evs_dead_put(struct evs_op *op, const struct dead_row *row);
/* The row as a dead letter shows it. */
void evs_op_encode_row(struct evs_op *op, const struct evs_schema *schema, const struct evs_batch *batch, uint32_t row,
                       struct evs_buffer *json);

/* --- worker.c --- */
/* The op has taken a barrier on all inputs: writes its part, passes it on, and tells the checkpointer when the worker is complete. */
evs_status evs_op_pass_barrier(struct evs_op *op, uint64_t checkpoint);
evs_status evs_operator_write(struct evs_op *op); /* a step of what the barrier has left to be written */
void evs_worker_main(void *worker);
void evs_worker_wake(struct worker *worker);
void evs_run_wake_all(struct evs_run *run);
/* Keeps the first failure and stops everything. */
void evs_run_fail(struct evs_run *run, evs_status status, const struct evs_error *error);

/* --- node classes --- */
extern const struct op_class evs_class_source, evs_class_operator, evs_class_pass, evs_class_sender, evs_class_receiver,
    evs_class_sink;
void evs_source_node_prepare(struct evs_op *op); /* before a restore */
evs_status evs_source_node_open(struct evs_op *op, struct evs_error *error);
void evs_sink_node_prepare(struct evs_op *op); /* before a restore */
/* Behind the last record, before any sink is opened: what one lane keeps says where the log of all of them was cut. */
evs_status evs_sink_node_restored(struct evs_op *op, struct evs_error *error);
evs_status evs_sink_node_open(struct evs_op *op, struct evs_error *error);
/* Opens the connector as a restore from run->restored would, and closes it: what would fail shall fail before the group is taken from an
 * engine that works. Of brokers only: opening a file may cut it, and a file is here or not whoever owns the group. */
evs_status evs_source_node_probe(struct evs_op *op, struct evs_error *error);
evs_status evs_sink_node_probe(struct evs_op *op, struct evs_error *error);
evs_status evs_operator_node_open(struct evs_op *op, struct evs_error *error);
evs_status evs_sender_open(struct evs_op *op, struct ring **rings, struct evs_error *error);
bool evs_source_node_ended(const struct evs_op *op);
bool evs_source_node_waits(const struct evs_op *op); /* for sinks: too much is undelivered */
/* As of the last barrier. Lists live in `arena`. */
/* Erasures whose messages were read before the last barrier; borrowed. */
uint32_t evs_source_node_erasures(const struct evs_op *op, const struct evs_record_erasure **erasures);
void evs_source_node_record(const struct evs_op *op, struct evs_record_source *source, struct evs_arena *arena);
void evs_sink_node_record(const struct evs_op *op, struct evs_record_lane *lane);
/* The worker is at rest: the record shall say what is delivered. False: something is left in the outbox. */
bool evs_sink_node_settle(struct evs_op *op);
/* One stored record of a source (fingerprints) or a sink (undelivered messages); before the node is opened, or after it. */
void evs_source_node_restore(struct evs_op *op, const struct evs_snapshot_record *record);
evs_status evs_sink_node_restore(struct evs_op *op, const struct evs_snapshot_record *record, uint64_t delivered,
                                 struct evs_error *error);
/* Where a row goes and under which id, as its message would say. False: the sink's rows have none. */
bool evs_sink_node_describe(struct evs_op *op, const struct evs_batch *batch, uint32_t row, struct evs_hash128 *id,
                            struct evs_buffer *address);
uint32_t evs_sink_node_stored_lane(const struct evs_snapshot_record *record);
/* May anything be sent now? False while the store has not confirmed for too long that we own the group (exactness, 15). */
bool evs_run_may_send(struct evs_run *run);

/* --- standby.c: several engines with one pipeline --- */
/* Opens the lease and looks once. *waits: another engine runs the pipeline; threads go on from here, evs_run_take is called by one of them. */
evs_status evs_standby_begin(struct evs_run *run, bool *waits, struct evs_error *error);
void evs_standby_join(struct evs_run *run); /* the thread that may start others */
void evs_standby_end(struct evs_run *run);  /* gives the lease back; no worker runs any more */
bool evs_standby_may_send(const struct evs_run *run);
/* run.c: takes the group, restores it, opens sources and sinks, starts the workers. */
evs_status evs_run_take(struct evs_run *run, struct evs_error *error);

/* --- view.c --- */
void evs_histogram_add(struct histogram *histogram, int64_t us);
/* Does one step of an op; of every 16th or so the time is taken, for BUSY_US. Workers ask ops millions of times a second whether there is something to do: what is
 * not timed costs a count. */
bool evs_view_sample(struct evs_op *op, bool (*step)(struct evs_op *op));
static inline bool evs_view_step(struct evs_op *op, bool (*step)(struct evs_op *op))
{
    if (EVS_LIKELY(op->worker->unsampled > 0)) {
        op->worker->unsampled--;
        return step(op);
    }
    return evs_view_sample(op, step);
}
/* The worker had nothing to do for so long: who had work and no room was held up. */
void evs_view_waited(struct worker *worker, int64_t us);
void evs_view_begin(struct worker *worker);
void evs_view_holder(struct evs_run *run, const char *holder); /* who runs it instead; "": nobody that is known */
void evs_view_show(struct worker *worker);
void evs_view_commit(struct evs_run *run, uint64_t bytes);
void evs_view_checkpoint(struct evs_run *run, int64_t begun_us, int64_t aligned_us);

/* --- trace.c --- */
void evs_trace_take(struct evs_op *op, const struct evs_batch *batch); /* the op is about to process it; it has marks */
void evs_trace_emit(struct evs_op *op, struct evs_batch *batch);       /* the run traces */
void evs_trace_copy(struct evs_batch *to, const struct evs_batch *from, const uint16_t *rows, uint32_t count);
void evs_trace_free(struct evs_op *op);
/* A traced row becomes a message: the header that it gets is appended. NULL: the row is not traced. Freed with evs_free. */
struct evs_trace_span *evs_trace_send(struct evs_op *op, const struct evs_batch *batch, uint32_t row,
                                      struct evs_hash128 id, struct evs_slice address, struct evs_buffer *headers);
void evs_trace_sent(struct evs_op *op, struct evs_trace_span *span); /* the receiver has it; NULL: it is not traced */

/* --- tap.c --- */
void evs_tap_see(struct evs_op *op, const struct evs_batch *batch); /* op->taps is not 0 */
void evs_run_free_taps(struct evs_run *run);                        /* all are closed, and no worker runs any more */

/* --- checkpoint.c, restore.c, progress.c --- */
struct evs_run_totals evs_run_totals(const struct evs_run *run);
void evs_progress_line(const struct evs_run *run, bool last);
void evs_progress_restoring(const struct evs_run *run, const struct evs_view_notes *notes, bool last);
void evs_checkpointer_main(void *run);
/* Does the pipeline fit the record? Nothing is touched. */
evs_status evs_restore_check(struct evs_run *run, struct evs_error *error);
evs_status evs_restore(struct evs_run *run, struct evs_error *error);

#endif
