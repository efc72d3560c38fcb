/* The operator contract.
 *
 * Call order, guaranteed by the runtime and asserted by the conformance wrapper (engine/run/conformance.c) in test builds:
 *
 *   open ──► [restore]* ──► ( process | watermark | snapshot )* ──► [drain] ──► close
 *                                              └── or: freeze ──► ( process | watermark | write )* until a write says EVS_OK
 *
 * One thread calls one instance, never re-entrantly. No slot may block, or read a clock other than evs_op_now. A NULL slot
 * means the default given beside it.
 *
 * Output credit: the runtime calls process, watermark or drain only when `emit_max` batches can be emitted on every output,
 * so evs_emit cannot fail. An operator with more to say returns EVS_MORE: it is called again with the same input, later, when
 * there is credit again. It must keep where it was in its state.
 *
 * Plan and state are apart: `config` is immutable, shared by all workers, made by the planner; the state is `state_bytes`,
 * zeroed, aligned to a cache line, one for each worker. */
#ifndef EVS_OPERATOR_H
#define EVS_OPERATOR_H

#include "evstream/batch.h"
#include "evstream/os.h"
#include "evstream/shape.h"

struct evs_op; /* the running instance, given to every slot */
struct evs_snapshot_writer;
struct evs_snapshot_record;

enum {
    EVS_OP_KEYED = 1,            /* its input must be exchanged by its key columns when there are several workers */
    EVS_OP_STATEFUL = 2,         /* has snapshot and restore */
    EVS_OP_HOLDS_WATERMARK = 4,  /* its watermark slot emits before it passes the watermark on */
    EVS_OP_ELASTIC = 16,         /* restores records with other columns than today's (evs_op_migration) */
    EVS_OP_SKIPS_NULL_KEYS = 64, /* rows with a NULL in their key meet no other rows */
    EVS_OP_ORDER_SENSITIVE = 8,  /* rows of one key in another order may give another result (exactness, 4) */
    EVS_OP_PASSES_LATE =
        32, /* what its watermark slot emits may be behind the watermark: rows that came late leave late */
};

struct evs_operator {
    const char *kind;          /* stable: DSL keyword, metric label, snapshot tag */
    uint32_t flags;            /* EVS_OP_… */
    uint32_t snapshot_version; /* raised on every layout change; restore gets the stored one */
    uint32_t state_bytes;
    uint8_t inputs_max; /* 1, or more for joins and unions */
    uint8_t emit_max;   /* batches emitted by one call, at most */
    uint16_t
        everywhere; /* sections (a bit each) whose records every worker holds: restored on all, put by the one that evs_op_owns them */
    uint16_t
        stored_rows; /* sections (a bit each) whose variable bytes begin with a kept row (evstream/rows.h); of several inputs section i is input i's */
    struct evs_stored_key
        stored_key; /* stateful: where records name their key, for tools and erasures; none: records of one key are known by its hash alone */

    evs_status (*open)(struct evs_op *op, void *state, struct evs_error *error); /* default: nothing */
    /* A borrowed batch; evs_batch_ref keeps it. Emits any number of batches up to emit_max. */
    evs_status (*process)(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch);
    /* The watermark of the operator (the minimum over its inputs) has risen to `watermark_us`; everything that it releases is
     * emitted, in event-time order, before EVS_OK; the runtime then passes the watermark on. Default: passed on. */
    evs_status (*watermark)(struct evs_op *op, void *state, int64_t watermark_us);
    /* Writes what changed since the last call (full == false) or everything (full == true). Changes no result. A full one may be called right after
     * the other, of a few ranges of the state: what evs_snapshot_takes does not want need not be put. */
    evs_status (*snapshot)(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full);
    /* The same in steps, for operators whose state may be large, so that rows do not wait for it; both or none. `freeze` is snapshot(changes, false) and
     * snapshot(copy, true), as of now, with the writing left for later: EVS_MORE. Then `write` is called between batches, each time for about `records`
     * records, until it says EVS_OK; what a row is about to change and has not been written is written before. Both writers live as long. */
    evs_status (*freeze)(struct evs_op *op, void *state, struct evs_snapshot_writer *changes,
                         struct evs_snapshot_writer *copy);
    evs_status (*write)(struct evs_op *op, void *state, uint32_t records);
    /* One stored record whose shard this worker owns; `version` is the one that wrote it. */
    evs_status (*restore)(struct evs_op *op, void *state, uint32_t version, const struct evs_snapshot_record *record,
                          struct evs_error *error);
    evs_status (*drain)(struct evs_op *op,
                        void *state); /* the input is complete (after watermark EVS_TIME_MAX); default: nothing */
    void (*close)(struct evs_op *op, void *state); /* cannot fail; accepts half-open state */
};

/* --- what an operator may ask of the runtime ---------------------------------------------------------------------- */

const void *evs_op_config(const struct evs_op *op);
const struct evs_schema *evs_op_input_schema(const struct evs_op *op, uint32_t input);
const struct evs_schema *evs_op_schema(const struct evs_op *op); /* output */
int64_t evs_op_now(const struct evs_op *op);                     /* monotonic, as of the start of this call */
int64_t evs_op_watermark(const struct evs_op *op);               /* the last one that the watermark slot has finished */

/* During a watermark slot with EVS_TIME_MAX: the input is over, though more might have come (--at-end close). Results of the rows that are there are
 * given; but what says that a row did *not* come (an absence, a time-out, an unmatched row), or that its time has come (a held row), is given only if its
 * moment is one that evs_op_watermark, which still is the last true one, has passed. */
bool evs_op_is_cut(const struct evs_op *op);

/* For open: what this operator emits may be so much behind its watermark, so it is passed on so much later (EVS_TIME_MAX: only when the
 * input is complete). */
void evs_op_delay_watermark(struct evs_op *op, int64_t delay_us);

/* Answers from another thread. A process slot that cannot go on before one comes returns EVS_AGAIN, with nothing emitted: it is called again with the
 * same batch, at the latest after evs_waker_wake, and until then the operator gets nothing else; other operators go on. */
struct evs_waker;
struct evs_waker *evs_op_waker(struct evs_op *op);
void evs_waker_wake(struct evs_waker *waker); /* any thread; never blocks; what was written before is seen */

/* What all workers' instances have in common, such as a client of a server: made for the first one that asks (at open, on the thread that opens the run),
 * and closed before any instance is. `key` tells it apart from others: an address in the plan. */
struct evs_shared_open {
    const struct evs_os *os;
    struct evs_log *log;
    const char *pipeline;
    const char *nats_url, *nats_credentials, *redis_url;
    int64_t retry_us; /* the retry policy: how long a server may be away; 0: for ever */
};
EVS_MUST_CHECK evs_status evs_op_share(struct evs_op *op, const void *key,
                                       evs_status (*open)(const void *key, const struct evs_shared_open *open,
                                                          void **object, struct evs_error *error),
                                       void (*close)(void *object), void **object, struct evs_error *error);
/* Ends the run with this error; the slot returns the status that it gives back. */
evs_status evs_op_fail(struct evs_op *op, const struct evs_error *error);

/* A new batch of this operator's output schema, columns not yet allocated. */
struct evs_batch *evs_op_new_batch(struct evs_op *op);
/* Emits to `output` (0: the main output; others are named by the operator's config, such as late rows). Takes the caller's
 * reference. A batch with no selected row is dropped. */
void evs_emit(struct evs_op *op, uint32_t output, struct evs_batch *batch);

/* A row that cannot be processed: to the dead letter of its source, and counted by reason. The row is named by its physical
 * number in a batch of `schema`: the input's, or for a group that fails, one that shows its keys. */
struct evs_row_error {
    const char *reason;     /* stable, snake_case, a metric label: overflow, division_by_zero, cast, … */
    const char *code;       /* stable diagnostic code, such as "R0102" */
    const char *message;    /* for the reader; may be NULL */
    const char *expression; /* canonical text; may be NULL */
    const char *file;       /* place in the pipeline; may be NULL */
    uint32_t line;
};
void evs_op_dead_letter(struct evs_op *op, const struct evs_schema *schema, const struct evs_batch *batch, uint32_t row,
                        const struct evs_row_error *error);
/* Shows a row of the operator's input 0 in the program's log, under the name of its place: for people, limited like all lines of the log. */
void evs_op_show_row(struct evs_op *op, const char *place, const struct evs_batch *batch, uint32_t row);
/* Somebody downstream makes ids of rows: a stateful operator must fill batch->key. */
bool evs_op_wants_key(const struct evs_op *op);
/* State is durable: snapshots will be taken. If not, an operator need not remember what changed. */
bool evs_op_is_durable(const struct evs_op *op);

/* Does the shard of a hash belong to this worker? For what all workers hold (`everywhere`), and one alone is to store or count. */
bool evs_op_owns(const struct evs_op *op, uint64_t hash);

/* Counters of the operator, for metrics and the final summary. */
enum evs_counter {
    EVS_COUNT_ROWS_IN,
    EVS_COUNT_ROWS_OUT,
    EVS_COUNT_LATE,
    EVS_COUNT_DEAD,
    EVS_COUNT_NULL_KEY,
    EVS_COUNT_LIMITED,     /* results or rows that a limit of a key left out */
    EVS_COUNT_STATE_KEYS,  /* a gauge */
    EVS_COUNT_STATE_BYTES, /* a gauge */
    EVS_COUNT_IDENTIFIED,  /* anonymous ids that were tied to a person, or to another one than before */
    EVS_COUNT_MERGED,      /* persons that became one with another */
    EVS_COUNT_LATE_WINDOWS, /* late_window_misses: windows that a row came too late for, though it counts in younger ones */
    EVS_COUNT_OPEN_WINDOWS, /* a gauge, of windows that many keys share; of sessions STATE_KEYS tells */
    EVS_COUNTERS
};
void evs_op_count(struct evs_op *op, enum evs_counter counter, int64_t delta);

/* --- snapshots ----------------------------------------------------------------------------------------------------
 *
 * An operator's state is a set of records. A record is one key of one section: fixed bytes (the same length for all records of a
 * section, so that the encoder can transpose them) and variable bytes. The runtime stores the last record of a key; a tombstone
 * deletes it. A full snapshot replaces everything of the operator in its shards. Sections let one operator keep several kinds of
 * records (groups, timers, …). Record bytes are little-endian and must not hold pointers. */
#define EVS_SECTIONS_MAX 15 /* one bit each in a uint16_t beside another (evstream/shape.h) */

enum evs_record_kind { EVS_RECORD_PUT = 0, EVS_RECORD_DELETE = 1 };

/* `hash` is the key's hash: its shard is evs_shard_of(hash). `key` and `value` are the variable part; either may be empty. Copies
 * all bytes before it returns. Records of the same (section, fixed key) are told apart by the operator itself at restore. */
void evs_snapshot_put(struct evs_snapshot_writer *writer, uint32_t section, enum evs_record_kind kind, uint64_t hash,
                      struct evs_slice fixed, struct evs_slice variable);

/* For restore: the records come from another version of the pipeline, whose columns were these; NULL: they lie as ours do. Only operators whose shape is
 * elastic (evstream/shape.h) get any. */
const struct evs_state_migration *evs_op_migration(const struct evs_op *op);

/* Would a record of this hash be kept? Others are dropped by evs_snapshot_put; an operator that asks before it builds a record saves the work. */
bool evs_snapshot_takes(const struct evs_snapshot_writer *writer, uint64_t hash);

struct evs_snapshot_record {
    uint32_t section;
    enum evs_record_kind kind;
    uint64_t hash;
    struct evs_slice fixed;    /* borrowed, not aligned: memcpy out of it */
    struct evs_slice variable; /* borrowed */
};

#define EVS_SHARDS 64u
static inline uint32_t evs_shard_of(uint64_t hash)
{
    return (
        uint32_t)(hash >>
                  58); /* the top 6 bits: a shard is a range of hashes, so that a snapshot range never crosses one */
}

#endif
