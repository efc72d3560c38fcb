/* Accumulators under test: random rows, and one group fed with them in every way that an operator may. */
#ifndef ACCUMULATOR_CASE_H
#define ACCUMULATOR_CASE_H

#include "aggregate_call.h"
#include "evstream/nested.h"
#include "unit.h"

#define CASE_ROWS_MAX 1000u

enum case_column {
    INTS,     /* -1000 … 1000 */
    FLOATS,   /* eighths: sums are exact */
    NUMERICS, /* hundredths */
    TEXTS,    /* "1", or longer than an inline text; some hold a zero byte */
    TIMES,    /* timestamps, 1969 and later */
    STEP_1,   /* bools */
    STEP_2,
    STEP_3,
    ARRAYS,  /* of int64; some empty, some with a NULL */
    WEIGHTS, /* 0 … 9 */
    SPANS,   /* intervals */
    CASE_COLUMNS
};

extern struct evs_batch *case_batch; /* CASE_ROWS_MAX rows; a tenth of each column is NULL */
void case_setup(void);
void case_teardown(void);
const struct evs_type *case_type(enum case_column column);
static inline bool case_has(enum case_column column, uint32_t row)
{
    return evs_column_is_valid(&case_batch->columns[column], row);
}
struct evs_value case_value(enum case_column column, uint32_t row);
int case_compare_rows(uint32_t a, uint32_t b); /* by the order of the key */

/* One call over some columns. */
struct case_call {
    enum evs_aggregate_kind kind;
    enum case_column columns[4];
    uint32_t count;
    const struct evs_type *result;
    bool is_distinct, ignore_nulls;
    enum { ORDER_NONE, ORDER_UP, ORDER_DOWN } order; /* by the last of the columns */
    bool nulls_last;
    int64_t limit; /* 0: none */
    int64_t number, within_us;
    const char *delimiter;
};
struct evs_aggregate_call case_config(const struct case_call *call);

/* An accumulator in a table of its own. */
struct case_group {
    struct evs_table_layout layout;
    struct evs_table table;
    uint64_t words[16];
};
struct case_group *case_group_new(void);
void case_group_free(struct case_group *group);
void case_feed(const struct agg_call *call, struct case_group *group, const uint16_t *rows, uint32_t count,
               uint64_t *seed); /* in pieces of random sizes */
void case_merge(const struct agg_call *call, struct case_group *into, const struct case_group *from);
/* What a snapshot of `from` holds that is not stored yet is loaded into `into`. */
void case_store(const struct agg_call *call, struct case_group *from, struct case_group *into, bool full);
void case_move(const struct agg_call *call, struct case_group *group);
/* The result as text: NULL, 12, "text", [1, NULL]. Floats with 12 digits. In the batch's arena. */
const char *case_result(const struct agg_call *call, const struct case_group *group);
void case_print(struct evs_buffer *out, const struct evs_value *value);
/* accumulator_model.c: the result by a plain reading of the rows, in any order. */
const char *case_read_plainly(const struct case_call *call, const uint16_t *rows, uint32_t count);

#endif
