/* Result rows of the aggregate's operators: built one by one, emitted in batches. Private to the aggregate's operators.
 *
 * A group whose result does not fit its type gives no row but a dead letter: with the row that caused it where there is one, else with its keys
 * and window. */
#ifndef EVS_AGGREGATE_OUT_H
#define EVS_AGGREGATE_OUT_H

#include "aggregate_call.h"
#include "aggregate_form.h"
#include "evstream/shape.h"
#include "op_aggregate.h"

/* The calls of stored groups that another version of the pipeline wrote: they lie in its order, and some are kept no more. */
struct agg_stored {
    struct evs_agg_form *forms;
    struct agg_call *calls; /* offsets from the first accumulator */
    uint32_t count, values_bytes;
    const uint32_t *today; /* number of today's call; EVS_NO_PART */
};

/* What the three operators have in common; made at open. */
struct agg_base {
    const struct evs_aggregate_config *config;
    struct agg_call *calls;
    uint32_t values_bytes;     /* of all accumulators, from the first call's offset on */
    bool has_parts;            /* some call keeps many values */
    bool durable;              /* changes must be remembered for snapshots */
    uint32_t epoch;            /* of the interval between two snapshots; entries that changed in it carry it */
    struct agg_stored *stored; /* while records of another version are restored; NULL: they lie as ours do */
};
/* Before the first record of a restore: how the records lie. False: what is stored about them is damaged. */
bool evs_agg_base_see(struct agg_base *base, const struct evs_state_migration *migration);
/* Bytes of all accumulators in a record that is being restored. */
static inline uint32_t evs_agg_stored_bytes(const struct agg_base *base)
{
    return base->stored != NULL ? base->stored->values_bytes : base->values_bytes;
}
/* The first accumulator lies at `offset` of the values. */
void evs_agg_base_init(struct agg_base *base, struct evs_op *op, uint32_t offset);
void evs_agg_base_fini(struct agg_base *base);
/* The table of groups: their keys, and values_bytes behind each. */
void evs_agg_layout_init(struct evs_table_layout *layout, struct evs_op *op, uint32_t values_bytes);

/* One result. */
struct agg_result {
    const struct evs_table_layout *layout;
    struct evs_entry *entry; /* its key */
    const uint8_t *values;   /* accumulators */
    struct evs_span span;    /* the window; unwindowed: all time */
    int64_t event_time_us;
    struct evs_cause cause;
    uint32_t ordinal; /* n-th row of the cause: of a window its revision */
    int64_t revision;
    bool is_final;
    const int64_t *replaces; /* window_starts of results that this one takes the place of */
    uint32_t replaces_count;
    const struct evs_batch *causing; /* the batch of the row that caused it; NULL: no single row did */
    uint32_t causing_row;
};

struct agg_out {
    struct evs_op *op;
    const struct agg_base *base;
    struct evs_batch *batch; /* being filled; NULL: none */
    uint32_t emitted;        /* batches of this call */
    struct evs_buffer scratch;
};

/* For one call of a slot. Of causes by record the kind and the lineage are the causing batch's. */
struct agg_out evs_agg_out_begin(struct evs_op *op, const struct agg_base *base);
/* False: the group went to the dead letter. */
bool evs_agg_out_put(struct agg_out *out, const struct agg_result *result);
/* Emits what is left. */
void evs_agg_out_end(struct agg_out *out);

/* Late rows of a batch leave by output 1: the input's first columns, the window that they missed, the watermark that judged them, and how far they
 * were behind it. */
struct agg_late {
    uint16_t row;
    int64_t watermark_us;
    struct evs_span span;
};
void evs_agg_emit_late(struct evs_op *op, struct evs_batch *batch, const struct agg_late *late, uint32_t count);

/* `agg(x where c)`: only the rows for which c is true. `some` has room for as many. */
struct agg_some {
    uint16_t rows[EVS_BATCH_ROWS];
    uint8_t *values[EVS_BATCH_ROWS];
    struct evs_table *tables[EVS_BATCH_ROWS];
};
void evs_agg_update_calls(const struct agg_base *base, const struct agg_rows *rows, struct agg_some *some);
/* Adds one row; true when a result changed. */
bool evs_agg_update_one(const struct agg_base *base, const struct agg_rows *row, struct agg_some *some);
/* A hash of the results, asked for or not. */
uint64_t evs_agg_hash_results(const struct agg_base *base, const uint8_t *values, struct evs_arena *arena);

#endif
