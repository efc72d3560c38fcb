/* The outside world of a run, in memory: a broker with partitions to read from, a store of commits, a receiver of triggers that drops ids
 * that it has seen. All three survive when the engine "dies", and each can be told to fail at a chosen moment. */
#ifndef RUN_FAKES_H
#define RUN_FAKES_H

#include <stdatomic.h>

#include "compile.h"
#include "evstream/bucket.h"
#include "evstream/run.h"

#define FAKE_PARTITIONS_MAX 8
#define FAKE_POLLS_AT_END 30u

struct fake_log { /* one partition: message n has sequence n + 1 */
    char **messages;
    uint32_t count, capacity;
};

struct fake_row { /* what the receiver holds of one id */
    struct evs_hash128 id;
    char *address, *payload;
    uint32_t received; /* times */
};

struct fake_topic { /* what one source reads */
    struct fake_log partitions[FAKE_PARTITIONS_MAX];
    uint32_t partition_count;
    bool live;           /* it never ends: when nothing is left the source has caught up */
    atomic_bool is_away; /* the broker does not say whether everything that it has was read */
    int64_t complete_us; /* up to when registered senders' words hold; 0: there are none */
};

struct fake_world {
    struct fake_topic topics[2]; /* of `fake` and of `fake_other` */

    struct fake_row *rows;
    uint32_t row_count, row_capacity;
    uint32_t mismatches; /* an id came again with another payload */

    /* commits: the store */
    struct fake_commit *commits;
    uint32_t commit_count, commit_capacity;
    uint64_t epoch;

    /* faults; 0: none. Each is counted down and strikes when it reaches zero. */
    uint32_t fail_polls;         /* the source breaks at the n-th poll */
    uint32_t fail_commit_before; /* the n-th commit is lost */
    uint32_t fail_commit_after;  /* the n-th commit is stored, and its answer lost */
    uint32_t acknowledge_every;  /* the receiver acknowledges at every n-th poll only; 0 or 1: at once */
    uint32_t deaf_polls;         /* the receiver stores but never acknowledges after so many polls */
    const char *refuse;          /* the receiver refuses rows whose payload begins with this text; NULL: none */
    uint32_t fail_open;          /* the n-th source or sink cannot be opened */
    uint32_t fence_commit;       /* after the n-th commit another engine takes the group over … */
    _Atomic int64_t asleep_us;   /* … while this process is stopped for so long: the boot clock is that much ahead */
    bool fenced;
    int64_t linger_us; /* how long the store keeps a refusal to itself: of a commit that is lost, of a confirmation */
    int64_t confirm_delay_us;                                   /* of the store */
    uint32_t state_moves;                                       /* commits that let the state begin later than before */
    void (*at_block)(struct fake_world *world, uint64_t bytes); /* behind each block of a restore; NULL: nothing */
    uint64_t log_end;                                           /* of the log behind `to fake_log` */
    uint32_t kept_told;       /* the most kept messages that such a sink was told of when it was opened */
    bool is_cut;              /* such a sink finds its log empty when it is opened behind a commit */
    atomic_bool holds_second; /* the second lane's rows are not acknowledged */
    atomic_bool
        is_ending; /* from now on the second lane's rows are acknowledged when the first one has been polled often … */
    atomic_uint polls_of_first; /* … since then … */
    uint32_t lose_after;        /* … and behind so many polls the first one's log is cut, once … */
    atomic_bool has_lost;       /* … which it was */
    int64_t clock_factor;       /* the monotonic clock of fake_os runs so many times faster; 0: 1 */
    _Atomic int64_t passed_us;  /* … and has been put forward by so much */
    struct evs_os os;           /* see fake_os */
};

extern struct fake_world *fake_world; /* of the running test */

struct fake_world *fake_world_new(uint32_t partition_count);
void fake_world_free(struct fake_world *world);
/* The store forgets everything. */
void fake_lose_commits(struct fake_world *world);
/* The last commit that has state blocks has a damaged one. */
void fake_spoil_state(struct fake_world *world);
/* Appends a message (NDJSON, borrowed text is copied), also while an engine runs. */
void fake_publish(struct fake_world *world, uint32_t partition, const char *payload);
/* The partition loses its newest message, and gets this one instead, under the same sequence. */
void fake_replace_last(struct fake_world *world, uint32_t partition, const char *payload);
/* Senders' words hold up to this monotonic time (complete_us of source.h), also while an engine runs. */
void fake_senders(struct fake_world *world, int64_t complete_us);
void fake_publish_other(struct fake_world *world, uint32_t partition, const char *payload);
/* The system with the world's clocks. */
const struct evs_os *fake_os(struct fake_world *world);

/* Whether the bucket holds a key that begins so. Values stay until fake_bucket_clear. */
bool fake_bucket_has(const char *begin);
void fake_bucket_clear(void);

/* How a run is cut, and what it is asked for. */
struct fake_how {
    uint32_t workers, batch_rows, checkpoint_batches;
    int64_t interval_us; /* of checkpoints; 0: 50 ms */
    bool follow;         /* not until the end */
    bool at_end_stop, at_end_cut, in_memory, allow_drop;
    uint64_t full_bytes_min; /* see evs_run_options */
    struct evs_run_notes *notes;
    bool restore_progress;
    int64_t lease_us; /* of a lease in fake_bucket; 0: without one */
};
#define FAKE_HOW(worker_count, rows, batches)                                                                          \
    {                                                                                                                  \
        .workers = (worker_count), .batch_rows = (rows), .checkpoint_batches = (batches)                               \
    }
const struct evs_plan *fake_compile(const char *text);
evs_status fake_try_start(const struct evs_plan *plan, struct fake_how how, struct evs_run **run,
                          struct evs_error *error);
struct evs_run *fake_start(const struct evs_plan *plan, struct fake_how how);
/* Waits for the end of the run and frees it: OK, or one of the failures that the world makes. */
evs_status fake_end(struct evs_run *run, struct evs_run_summary *summary);
/* Both. EVS_E_STATE when it had finished before: the answer to the commit that said so was lost. */
evs_status fake_run(const struct evs_plan *plan, struct fake_how how, struct evs_run_summary *summary);

/* Rows that the receiver holds whose address begins so; safe while an engine runs. */
uint32_t fake_rows_at(const char *address);
/* Waits until there are that many; false when they have not come in 30 s. */
bool fake_wait_rows(const char *address, uint32_t count);
/* How many rows have exactly this payload. */
uint32_t fake_rows_like(const char *payload);
bool fake_wait_commits(uint32_t count);
/* What the last commit says; borrowed. For use while no engine runs. */
struct evs_slice fake_last_record(void);

extern const struct evs_source fake_source, fake_other_source; /* from fake (), from fake_other () */
extern const struct evs_sink fake_sink;                        /* to fake (address = '…') */
extern const struct evs_sink fake_exact_sink;                  /* to fake_exact (…): always exact */
extern const struct evs_sink fake_log_sink;                    /* to fake_log (…): exact, and its log may be cut */
extern const struct evs_bucket fake_bucket;                    /* run_bucket.c */
extern const struct evs_store fake_store;
extern const struct evs_registry fake_registry;

#endif
