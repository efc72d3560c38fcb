/* One operator by itself: driven by direct calls, as a runtime with some workers would, and what it emitted as lines of text.
 *
 * The case is the runtime: it defines what operators may ask (evs_op_…), so a test that uses it links no runtime. Rows go to the worker that owns the
 * shard of their key, watermarks to all. `op_case_cut` takes a snapshot of every worker, through the real encoder and decoder, throws all state away, and
 * restores it on another number of workers. */
#ifndef OP_CASE_H
#define OP_CASE_H

#include "evstream/operator.h"
#include "unit.h"

#define OP_CASE_COLUMNS_MAX 12
#define OP_CASE_WORKERS_MAX 4
#define OP_CASE_OUTPUTS_MAX 3

/* A row as a test says it. */
struct op_row {
    int64_t time_us;
    int64_t watermark_us; /* of its partition, before it */
    struct evs_cause cause;
    struct evs_hash128 identity; /* when the case has identities */
    struct evs_value values[OP_CASE_COLUMNS_MAX];
};

struct op_lines {
    char **lines;
    uint32_t count, capacity;
};

struct op_case {
    /* said by the test */
    const struct evs_operator *operator_;
    const void *config;
    struct evs_schema input, output;
    const uint32_t *keys; /* rows are spread by them; none: all to worker 0 */
    uint32_t key_count;
    struct evs_schema second; /* of input 1, when the operator has two, and the columns that its rows are spread by */
    const uint32_t *second_keys; /* NULL: each worker gets all of them */
    bool wants_key, has_identity;
    enum evs_cause_kind cause_kind;
    int64_t now_us;   /* what evs_op_now says */
    int64_t retry_us; /* the retry policy of shared clients */
    uint64_t *seed;   /* of what is left to chance: rows that are not selected, credit */

    /* the case's own */
    uint32_t worker_count;
    struct evs_op *workers;
    struct evs_batch_pool *pool;
    struct op_lines outputs[OP_CASE_OUTPUTS_MAX]; /* each: "time major.minor.ordinal | values" */
    int64_t counters[EVS_COUNTERS];               /* of engines that are gone, and of `op_case_counter` */
    uint32_t dead;                                /* rows */
    struct evs_slice *blocks;                     /* what the store has */
    uint32_t block_count, block_capacity;
    const void *shared_key; /* of evs_op_share: one object a case */
    void *shared;
    void (*close_shared)(void *object);
    struct evs_park *park;          /* woken by evs_waker_wake */
    struct evs_error failure;       /* by evs_op_fail */
    int64_t watermark_us, delay_us; /* see evs_op_delay_watermark */
    bool in_watermark;
    int64_t last_us; /* emitted by the running watermark call */
};

void op_case_begin(struct op_case *made, uint32_t worker_count);
void op_case_end(struct op_case *made);
/* A batch of rows, split among the workers. */
void op_case_feed(struct op_case *made, const struct op_row *rows, uint32_t count);
void op_case_feed_input(struct op_case *made, uint32_t input, const struct op_row *rows, uint32_t count);
void op_case_watermark(struct op_case *made, int64_t watermark_us);
/* Snapshot, and everything anew on `worker_count` workers. `full`: the snapshot replaces those before. */
void op_case_cut(struct op_case *made, uint32_t worker_count, bool full);
/* One stored record, to the first worker. */
evs_status op_case_restore(struct op_case *made, const struct evs_snapshot_record *record, struct evs_error *error);
int64_t op_case_counter(const struct op_case *made, enum evs_counter counter);

/* Lines, for a model to write the same way. */
void op_lines_add(struct op_lines *lines, char *line); /* takes it */
void op_lines_row(struct op_lines *lines, int64_t time_us, struct evs_cause cause, uint32_t ordinal,
                  const struct evs_value *values, uint32_t count);
void op_lines_sort(struct op_lines *lines);
void op_lines_clear(struct op_lines *lines);
/* Fails when they differ, with the first difference and `what`. */
void op_lines_check(const struct op_lines *found, const struct op_lines *expected, const char *what);

#endif
