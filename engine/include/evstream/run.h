/* Running a plan. */
#ifndef EVS_RUN_H
#define EVS_RUN_H

#include "evstream/plan.h"
#include "evstream/store.h"

/* What to do when the store has less than it had confirmed (engine/run/marker.h). */
enum evs_state_lost { EVS_LOST_REFUSE, EVS_LOST_ACCEPT, EVS_LOST_RESTART };

/* Who of several groups in one process may try to win its lease now (evstream/groups.h). `enter` may wait; `leave` follows every `enter` that said yes. */
struct evs_run_gate {
    bool (*enter)(void *argument, uint32_t group_index);
    void (*leave)(void *argument, uint32_t group_index, bool has_won);
    void *argument;
};

struct evs_tracer;
struct evs_run_notes;
struct evs_run_options {
    const struct evs_os *os;
    struct evs_log *log;
    uint32_t worker_count; /* at least 1 */
    uint32_t batch_rows;   /* rows a batch, 1 to EVS_BATCH_ROWS; results never depend on it */
    int64_t checkpoint_interval_us;
    const struct evs_store *store; /* NULL: state in memory only */
    const char *nats_url, *nats_credentials, *redis_url;
    bool create;
    bool until_end;
    bool at_end_stop; /* --at-end stop: the end leaves the watermark where it is */
    bool at_end_cut;  /* --at-end close: only the end of a file is complete input, any other is a cut (evs_op_is_cut) */
    enum evs_start start;
    int64_t start_value;
    int64_t end_before_us; /* until_end: see evs_source_open */
    uint64_t end_sequence;
    bool allow_drop;                     /* stored state that the pipeline no longer fits may be lost */
    int64_t retry_us;                    /* the retry policy: how long a server may be away */
    const struct evs_format *row_format; /* shows a row inside its dead letter: json; NULL: rows are not shown */
    bool progress;                       /* a progress line on standard error */
    bool restore_progress;               /* the same while state is restored */
    struct evs_run_notes *notes; /* where the run writes down what outlives it (evstream/view.h); NULL: nowhere */
    int64_t lease_us;   /* how long an engine that is silent keeps the pipeline; 0: no lease, who starts last runs it */
    const char *bucket; /* where leases are: a name at the broker of the sources */
    const char
        *group; /* the part of the pipeline that this is the run of: names its log and its lease; NULL: the only one */
    uint32_t group_index, group_count; /* it reads the partitions p with p % group_count == group_index; 0 or 1: all */
    uint32_t groups;          /* into how many a new pipeline is divided (evstream/groups.h); 0: as the plan says */
    struct evs_run_gate gate; /* no enter: none */
    bool copies_all;          /* the first checkpoint holds a copy of all state, whatever the log has */
    /* Behind the take-over of the state, before anything is read: is this run still one that there shall be? NULL: yes. */
    evs_status (*still)(void *argument, struct evs_error *error);
    void *still_argument;
    struct evs_hash128 incarnation; /* of a first start; zero: a new one is drawn */
    enum evs_state_lost state_lost;
    bool republish;                  /* what the receivers' logs hold already is sent again when it is derived again */
    const struct evs_tracer *tracer; /* takes spans (evstream/trace.h); NULL: nothing is traced */
    uint64_t outbox_bytes_max;       /* messages waiting in sinks above which sources stop */
    uint32_t checkpoint_batches;     /* tests: a checkpoint after every n-th batch of the sources; 0: by time */
    uint64_t full_bytes_min; /* tests: the size that a smaller state is taken for when copies are paced; 0: 8 MiB */
};

struct evs_run_totals {
    uint64_t events;   /* physical records that sources have read, good and bad */
    uint64_t rows_out; /* rows that sinks have taken, dead letters apart */
    uint64_t late, dead, null_keys;
    uint64_t state_keys, state_bytes;
    uint64_t late_windows; /* windows that rows missed although they counted in younger ones */
};

/* Rows that one operator of the plan has left out in this run, over all workers. */
struct evs_run_operator {
    const char *name; /* borrowed from the plan */
    uint64_t late, late_windows, null_keys, limited;
};

struct evs_run_summary {
    struct evs_run_totals totals; /* of this run */
    struct evs_run_totals all;    /* since the state's first start */
    uint64_t checkpoints;
    uint64_t checkpoint_bytes;
    int64_t elapsed_us;
    bool finished; /* ended by itself */
    bool ran;      /* false: it stood by all the time */
};

struct evs_run; /* a running pipeline */

/* Opens everything (connects, acquires, restores) and starts the workers. */
evs_status evs_run_start(const struct evs_plan *plan, const struct evs_run_options *options, struct evs_run **run,
                         struct evs_error *error);
/* Asks for a drain: sources stop, a last checkpoint commits, no window closes. Async-signal-safe. */
void evs_run_stop(struct evs_run *run);
/* It has ended: evs_run_wait will not block for long. */
bool evs_run_has_ended(const struct evs_run *run);
/* Blocks until the run has ended. */
evs_status evs_run_wait(struct evs_run *run, struct evs_run_summary *summary, struct evs_error *error);
/* Behind evs_run_wait: what the next operator of the plan from *node on, 0 at first, has left out. False: no further one has left out anything. */
bool evs_run_next_operator(const struct evs_run *run, uint32_t *node, struct evs_run_operator *counts);
void evs_run_free(struct evs_run *run);

#endif
