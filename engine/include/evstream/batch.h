/* Columnar batches: how rows move.
 *
 * A batch holds up to EVS_BATCH_ROWS rows as typed columns. A filter does not copy: it makes a derived batch that shares
 * the columns and has its own selection vector. Batches are immutable once emitted.
 *
 *   root batch  ── owns an arena: column data, long strings, derived headers
 *     ▲   ▲
 *     │   └── derived batch (selection)      every derived batch holds one reference on the root;
 *     └────── derived batch (new columns)    at zero references the arena is reset and the root is recycled
 *
 * Ownership: a batch belongs to one worker thread; references are not atomic. Rows cross threads only by an exchange,
 * which copies the selected rows into a slot of a bounded ring (engine/run/ring.h).
 *
 * Beside its columns a row carries, whatever select, drop or rename do to the columns:
 *   event_time_us  its event time (language, "Event time, exactly", 9)
 *   cause          what it came from: the order of a key, ties, and the trigger id are made of it (exactness, 1)
 *   watermark_us   the watermark of its partition before the row, where the lateness of some row could depend on it */
#ifndef EVS_BATCH_H
#define EVS_BATCH_H

#include "evstream/type.h"

#define EVS_BATCH_ROWS 1024u

#define EVS_TIME_MIN INT64_MIN /* a watermark before the first row */
#define EVS_TIME_MAX INT64_MAX /* the watermark of a complete input: +infinity */
/* The watermark of an input that is over but not complete (--at-end close). Between the runtime's parts only: an operator is told EVS_TIME_MAX, and
 * evs_op_is_cut says so. */
#define EVS_TIME_CUT (INT64_MAX - 1)

/* Validity: bit i of word i/64 set means row i is not NULL. `valid == NULL` means no NULLs. */
struct evs_column {
    enum evs_kind kind;
    uint32_t flags; /* EVS_COLUMN_… */
    void *data;     /* element of evs_kind_width(kind) bytes a row; 64-byte aligned in batches */
    uint64_t *valid;
};
enum {
    EVS_COLUMN_CONSTANT = 1, /* element 0 (and valid bit 0) stands for every row */
};

#define EVS_VALID_WORDS(rows) (((rows) + 63u) / 64u)

static inline bool evs_column_is_valid(const struct evs_column *column, uint32_t row)
{
    if (column->valid == NULL) {
        return true;
    }
    row = (column->flags & EVS_COLUMN_CONSTANT) ? 0 : row;
    return (column->valid[row / 64] >> (row % 64)) & 1;
}
/* The element of a row, as `const type *`. */
#define EVS_COLUMN_AT(column, type, row)                                                                               \
    (&((const type *)(column)->data)[((column)->flags & EVS_COLUMN_CONSTANT) ? 0 : (row)])

/* What a row came from. For input rows: major = partition << 48 | sequence, minor = fingerprint of the message << 32 | index of the
 * record in it. The fingerprint is there because a log that lost its tail gives a sequence again, to another message: its rows are other
 * causes, and must not have the ids of triggers that were sent before. Connectors that are not durable have none: 0.
 * For a window's result: major = window start, minor = window end (both µs, two's complement), ordinal = firing number.
 * Rows of one key are ordered by (event time, major, minor, ordinal). */
enum evs_cause_kind { EVS_CAUSE_RECORD = 0, EVS_CAUSE_WINDOW = 1 };
struct evs_cause {
    uint64_t major, minor;
};
#define EVS_SEQUENCE_BITS 48
static inline struct evs_cause evs_cause_record(uint32_t partition, uint64_t sequence, uint32_t index)
{
    return (struct evs_cause){((uint64_t)partition << EVS_SEQUENCE_BITS) | sequence, index};
}
static inline struct evs_cause evs_cause_message(uint32_t partition, uint64_t sequence, uint32_t fingerprint,
                                                 uint32_t index)
{
    return (struct evs_cause){((uint64_t)partition << EVS_SEQUENCE_BITS) | sequence,
                              (uint64_t)fingerprint << 32 | index};
}
static inline uint32_t evs_cause_partition(struct evs_cause cause)
{
    return (uint32_t)(cause.major >> EVS_SEQUENCE_BITS);
}
static inline uint64_t evs_cause_sequence(struct evs_cause cause)
{
    return cause.major & ((UINT64_C(1) << EVS_SEQUENCE_BITS) - 1);
}

struct evs_batch_pool;
struct evs_trace_marks;

struct evs_batch {
    uint32_t row_count;        /* physical rows, at most EVS_BATCH_ROWS */
    uint32_t selected_count;   /* rows that count: row_count when selection is NULL */
    const uint16_t *selection; /* ascending physical row numbers, or NULL for all */
    uint32_t column_count;
    struct evs_column *columns; /* column_count of them; the node's schema names them */

    int64_t *event_time_us;  /* row_count, never NULL once a source has emitted it */
    struct evs_cause *cause; /* row_count */
    uint32_t *ordinal;       /* row_count, or NULL: all 0 */
    int64_t *watermark_us;   /* row_count, or NULL: no row's time is below its partition's watermark before it */
    struct evs_hash128
        *key; /* row_count, or NULL: hash of the group key of a stateful operator's result (trigger id) */
    enum evs_cause_kind cause_kind;
    uint64_t
        lineage; /* through which branches of unions the rows came: 0 or a mix of edge numbers; part of trigger ids */
    struct evs_trace_marks *traces; /* evstream/trace.h: its traced rows; NULL: there are none */
    uint32_t source_index; /* number of the source that the rows stem from (dead letters; leftmost after a join) */
    int64_t min_time_us, max_time_us; /* over physical rows; min > max when unknown is not allowed: always set */

    struct evs_batch *root;                                  /* itself for a root */
    struct evs_arena *arena;                                 /* the root's */
    uint32_t references;                                     /* root only */
    struct evs_batch_pool *pool;                             /* root only: where it returns to; NULL: see `release` */
    void (*release)(struct evs_batch *root, void *argument); /* root only, instead of a pool (ring slots) */
    void *release_argument;
    struct evs_batch *next_free;
};

/* Calls `body` for each selected physical row. */
#define EVS_FOR_ROWS(batch, position, row)                                                                             \
    for (uint32_t position = 0, row = 0; position < (batch)->selected_count &&                                         \
                                         ((row = (batch)->selection ? (batch)->selection[position] : position), 1);    \
         position++)

/* A pool recycles root batches of one worker. */
struct evs_batch_pool *evs_batch_pool_new(void);
void evs_batch_pool_free(struct evs_batch_pool *pool); /* all batches must have been released */
uint32_t evs_batch_pool_live(const struct evs_batch_pool *pool);

/* A new root with one reference, no rows, `column_count` zeroed columns, an arena of its own; min_time_us and max_time_us are
 * EVS_TIME_MAX and EVS_TIME_MIN, so that rows are added by taking the minimum and the maximum. */
struct evs_batch *evs_batch_new(struct evs_batch_pool *pool, uint32_t column_count);
/* A derived header with one reference to the same root: copies everything of `batch`, and gets its own `columns` array of
 * `column_count` (the first min(old, new) copied). */
struct evs_batch *evs_batch_derive(struct evs_batch *batch, uint32_t column_count);
struct evs_batch *evs_batch_ref(struct evs_batch *batch);
void evs_batch_unref(struct evs_batch *batch);

/* Allocates data (uninitialised) for `rows` rows and, if `nullable`, an all-valid bitmap, in the batch's arena. */
void evs_column_init(struct evs_column *column, struct evs_batch *batch, enum evs_kind kind, uint32_t rows,
                     bool nullable);
static inline void evs_column_set_null(struct evs_column *column, uint32_t row)
{
    column->valid[row / 64] &= ~(UINT64_C(1) << (row % 64));
}
/* Long text copied to an arena; short text needs none. */
struct evs_str evs_str_keep(struct evs_arena *arena, const struct evs_str *text);
/* Writes one value into a nullable column of the batch; text is copied into the batch's arena where it is long. A NULL has zeroes. */
void evs_column_put(struct evs_column *column, struct evs_batch *batch, uint32_t row, const struct evs_value *value);
/* Sets the per-row arrays (event time, cause) for `rows` rows; the caller fills them and min/max. */
void evs_batch_init_rows(struct evs_batch *batch, uint32_t rows);
struct evs_value evs_column_value(const struct evs_column *column, uint32_t row); /* text borrowed from the batch */

/* Names and types of a batch's columns. Owned by the plan. */
struct evs_field {
    const char *name;
    const struct evs_type *type;
    bool nullable;
};
struct evs_schema {
    uint32_t count;
    const struct evs_field *fields;
};

#endif
