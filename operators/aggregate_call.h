/* Accumulators: how each aggregate function keeps, adds to and finishes its value. Private to the aggregate operator.
 *
 * An accumulator is a few fixed bytes inside a table entry. Zero bytes mean "nothing added yet".
 *
 *   count, countif     int64 count
 *   sum, avg           int128 or double sum + compensation, int64 count (−1: the sum of numerics has left 128 bits)
 *   min, max           value (16 bytes), int64 has-value
 *   first, last, any   order of the row (time, major, minor, ordinal), flags, value (16 bytes)
 *   count(distinct)    pointer to a set in the table's arena
 *
 * Sums of int64 are kept in 128 bits, so only a result that does not fit fails. Sums of float64 are compensated (Neumaier 1974), so that the
 * order in which rows of several partitions arrive hardly ever shows. Text beyond 12 bytes is kept in the table's arena. */
#ifndef EVS_AGGREGATE_CALL_H
#define EVS_AGGREGATE_CALL_H

#include "evstream/table.h"
#include "op_aggregate.h"

struct agg_call {
    const struct evs_aggregate_call *config;
    uint32_t offset, bytes; /* in the values of an entry */
};

/* Rows of one batch and the entries that they belong to. */
struct agg_rows {
    const struct evs_batch *batch;
    const uint16_t *rows;   /* physical */
    uint8_t *const *values; /* of the entry of rows[i] */
    struct evs_table *const *tables;
    uint32_t count;
};

uint32_t evs_agg_bytes(const struct evs_aggregate_call *config);
void evs_agg_update(const struct agg_call *call, const struct agg_rows *rows);
/* The result so far; text is borrowed from the table. False: it does not fit its type (reason "overflow"). */
bool evs_agg_result(const struct agg_call *call, const uint8_t *values, struct evs_value *result);

/* The accumulator's text, if it holds one that lies in the arena; else NULL. For snapshots and compaction. */
struct evs_str *evs_agg_text(const struct agg_call *call, uint8_t *values);

/* --- distinct sets ------------------------------------------------------------------------------------------------------------- */

struct distinct_element { /* 8-byte values have zeroes behind them */
    struct evs_str bits;
};
struct distinct {
    uint32_t count, saved; /* the first `saved` elements stand in a checkpoint already */
    uint32_t capacity;     /* of elements */
    uint32_t slot_mask;    /* 0: small, searched one by one */
    struct distinct_element *elements;
    uint32_t *slots; /* index + 1 */
};
struct distinct *evs_agg_distinct(const struct agg_call *call, const uint8_t *values); /* NULL: no value yet */
void evs_agg_set_distinct(const struct agg_call *call, uint8_t *values, struct distinct *set);
/* Adds an element (a copy is kept in the arena); NULL `set` makes one. Returns the set. */
struct distinct *evs_distinct_add(struct distinct *set, struct evs_arena *arena, bool is_text,
                                  struct distinct_element element, bool *added);

#endif
