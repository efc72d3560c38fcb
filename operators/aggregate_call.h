/* Accumulators: what an aggregate function keeps of a group, and how it is added to, merged, finished, stored and moved.
 *
 * An accumulator is a few fixed bytes inside a table entry (evs_agg_bytes of them, aligned to 8). Zero bytes mean "nothing added yet", so a new
 * group needs no call. What does not fit into the fixed bytes lies in the arena of the entry's table: long text, and for the functions that
 * keep many values a bag (aggregate_bag.h). Nothing is freed piece by piece: what is no longer referenced is counted in garbage_bytes, and the
 * owner moves all that lives into a new arena when garbage has become half of it (evs_agg_move).
 *
 *      rows ──► evs_agg_update ──► fixed bytes ──► evs_agg_result ──► a value
 *                                  │  ▲    ▲ │
 *      another accumulator ────────│──┘    │ └──► arena: long text, bag
 *      (evs_agg_merge)             │       │
 *                          evs_agg_save    evs_agg_load
 *                          evs_agg_save_parts  evs_agg_load_part
 *
 * Merging. Every function can be merged, in any order and grouping: panes of a hop, sessions that become one, sums of several workers. `from`
 * is not changed, and may lie in another table. Merging into zero bytes copies. The result is the one that all rows together would have given:
 * exactly, but for the last bit of floating-point sums, and approx_top_count and approx_top_sum, which depend on the order within their stated error.
 *
 * Storing. The fixed bytes are stored as they lie, with pointers cleared, and long text behind them: evs_agg_save, evs_agg_load. They are small and
 * stand in every record of a changed group. A bag may be large: only what is new or changed since the last snapshot is written, as parts, each a
 * record of its own (evs_agg_save_parts, evs_agg_load_part). A part comes back in the order in which parts were written, before or after
 * the record of the fixed bytes. `has_parts` tells for which calls the owner must ask at all.
 *
 * Limits. A function that keeps values counts their bytes; beyond bytes_max of its config it keeps nothing more, and the group fails with
 * EVS_AGG_TOO_LARGE. */
#ifndef EVS_AGGREGATE_CALL_H
#define EVS_AGGREGATE_CALL_H

#include "aggregate_function.h"
#include "evstream/table.h"

struct agg_kind;
struct agg_scratch;

struct agg_call {
    const struct evs_aggregate_call *config;
    const struct agg_kind *kind; /* the functions below, for this config */
    struct agg_scratch *scratch; /* for building results: a call belongs to one thread */
    uint32_t offset, bytes;      /* in the values of an entry */
    bool has_parts;
};

/* Rows of one batch and the entries that they belong to. */
struct agg_rows {
    const struct evs_batch *batch;
    const uint16_t *rows;   /* physical */
    uint8_t *const *values; /* of the entry of rows[i] */
    struct evs_table *const *tables;
    uint32_t count;
};

enum evs_agg_outcome { EVS_AGG_FITS, EVS_AGG_OVERFLOW, EVS_AGG_TOO_LARGE, EVS_AGG_NEGATIVE_WEIGHT };

/* What the dead letter of a group says. */
struct evs_agg_failure {
    const char *reason, *code, *message;
};
const struct evs_agg_failure *evs_agg_failure(enum evs_agg_outcome outcome);

/* The call's bytes begin at `offset`, a multiple of 8. `config` must stay. */
struct agg_call evs_agg_call(const struct evs_aggregate_call *config, uint32_t offset);
void evs_agg_call_fini(struct agg_call *call);

/* The rows have met the call's condition (`config->condition` is for the caller). */
void evs_agg_update(const struct agg_call *call, const struct agg_rows *rows);

/* Adds `from` (of any table) to `into` (of `table`). */
void evs_agg_merge(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from);

/* The result so far. Text is borrowed from the table, or made in `arena`. Where it does not fit, the value is NULL. */
enum evs_agg_outcome evs_agg_result(const struct agg_call *call, const uint8_t *values, struct evs_arena *arena,
                                    struct evs_value *result);

/* --- memory ------------------------------------------------------------------------------------------------------------------------------ */

/* Bytes of the table's arena that are garbage when the accumulator goes. */
size_t evs_agg_held(const struct agg_call *call, const uint8_t *values);
/* Copies what lies in an arena into another one. */
void evs_agg_move(const struct agg_call *call, struct evs_arena *to, uint8_t *values);

/* --- snapshots --------------------------------------------------------------------------------------------------------------------------- */

/* `stored` is a copy of the entry's values: its pointers are cleared, and the text that they led to is put behind `variable`. */
void evs_agg_save(const struct agg_call *call, uint8_t *stored, struct evs_buffer *variable);
/* Takes the accumulator out of stored values, and its text from the front of `variable`. A bag that the entry has already stays. False: damaged. */
bool evs_agg_load(const struct agg_call *call, struct evs_table *table, uint8_t *values, const uint8_t *stored,
                  struct evs_slice *variable);
/* The same where the stored accumulator itself lies at `at`. */
bool evs_agg_load_at(const struct agg_call *call, struct evs_table *table, uint8_t *values, const uint8_t *at,
                     struct evs_slice *variable);
/* Leaves it out. */
bool evs_agg_skip_at(const struct agg_call *call, const uint8_t *at, struct evs_slice *variable);

/* Gives each part that is not in a snapshot yet (all of them when `full`) to `put`, and counts it as stored. A part has about
 * EVS_AGG_PART_BYTES, and more only where one value has. */
#define EVS_AGG_PART_BYTES (64u << 10)
typedef void evs_agg_put_part(void *argument, struct evs_slice part);
void evs_agg_save_parts(const struct agg_call *call, uint8_t *values, bool full, evs_agg_put_part *put, void *argument);
/* False: damaged. */
bool evs_agg_load_part(const struct agg_call *call, struct evs_table *table, uint8_t *values, struct evs_slice part);

#endif
