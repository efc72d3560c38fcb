/* What the files of the accumulators share. Private to operators/aggregate_*.c; operators use aggregate_call.h.
 *
 * A family of functions gives a struct agg_kind. It says where text and bag are, and aggregate_call.c does with them what is the same
 * for all: storing, moving, counting. All functions get the accumulator itself (`at`), not the entry's values. */
#ifndef EVS_AGGREGATE_KIND_H
#define EVS_AGGREGATE_KIND_H

#include "aggregate_bag.h"
#include "aggregate_call.h"
#include "evstream/nested.h"

#define AGG_TEXTS_MAX 2

struct agg_kind {
    uint32_t bytes;
    void (*update)(const struct agg_call *call, const struct agg_rows *rows);
    void (*merge)(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from);
    enum evs_agg_outcome (*result)(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                   struct evs_value *result);
    /* Points at the text values that the accumulator holds, long or short; NULL: it never holds any. */
    uint32_t (*texts)(const struct agg_call *call, uint8_t *at, struct evs_str *texts[AGG_TEXTS_MAX]);
    /* The accumulator begins with a struct acc_bag, and this is the shape of its entries; NULL: it has no bag. */
    const struct agg_shape *(*shape)(const struct agg_call *call, uint32_t detail);
    uint32_t detail_max;
    /* Whether a restored entry says something; NULL: any does. */
    bool (*is_valid)(const struct agg_call *call, const struct agg_entry *entry);
};

/* How an accumulator with a bag begins. */
struct acc_bag {
    struct agg_bag *bag; /* NULL: empty */
    uint32_t is_too_large;
    uint32_t detail; /* the kind's own: which of its forms the bag has */
};

/* What building a result needs; kept, so that a result costs no general allocation. */
struct agg_scratch {
    struct evs_nested_builder array, element;
    struct evs_buffer text;
};

/* The bag begins anew with no entry, and what is stored of it will be replaced; its room becomes garbage. */
void evs_agg_renew_bag(struct evs_table *table, struct acc_bag *acc, uint32_t detail);
/* After an add: a bag with more than the call's bytes_max is given up, and the group fails. */
void evs_agg_check_bytes(const struct agg_call *call, struct evs_table *table, struct acc_bag *acc);
/* Before a merge. True: one of the two was given up, so the result is, and nothing is to be added. */
bool evs_agg_merge_failure(struct evs_table *table, struct acc_bag *into, const struct acc_bag *from);

/* Families, by file. */
const struct agg_kind *evs_agg_count_kind(const struct evs_aggregate_call *config);
const struct agg_kind *evs_agg_sum_kind(const struct evs_aggregate_call *config);
const struct agg_kind *evs_agg_bits_kind(const struct evs_aggregate_call *config);
const struct agg_kind *evs_agg_pick_kind(const struct evs_aggregate_call *config);
const struct agg_kind *evs_agg_stats_kind(const struct evs_aggregate_call *config);
const struct agg_kind *evs_agg_list_kind(const struct evs_aggregate_call *config);
const struct agg_kind *evs_agg_hyperloglog_kind(const struct evs_aggregate_call *config);
const struct agg_kind *evs_agg_quantiles_kind(const struct evs_aggregate_call *config);
const struct agg_kind *evs_agg_top_kind(const struct evs_aggregate_call *config);
const struct agg_kind *evs_agg_funnel_kind(const struct evs_aggregate_call *config);
const struct agg_kind *evs_agg_fade_kind(const struct evs_aggregate_call *config);
const struct agg_kind *evs_agg_distinct_kind(const struct evs_aggregate_call *config);
/* As if `distinct` did not stand there. */
const struct agg_kind *evs_agg_plain_kind(const struct evs_aggregate_call *config);

/* --- columns and values ------------------------------------------------------------------------------------------------------------------- */

static inline enum evs_kind argument_kind(const struct agg_call *call, uint32_t argument)
{
    EVS_ASSERT(argument < call->config->argument_count);
    return call->config->types[argument]->kind;
}

static inline const struct evs_column *argument_column(const struct agg_call *call, const struct agg_rows *rows,
                                                       uint32_t argument)
{
    EVS_ASSERT(argument < call->config->argument_count);
    return &rows->batch->columns[call->config->arguments[argument]];
}

static inline void *accumulator_of(const struct agg_call *call, const struct agg_rows *rows, uint32_t i)
{
    return rows->values[i] + call->offset;
}

/* Runs the body for each row whose argument is not NULL. `acc` is its accumulator. */
#define FOR_VALUES(acc_type)                                                                                           \
    for (uint32_t i = 0; i < rows->count; i++)                                                                         \
        if (evs_column_is_valid(column, rows->rows[i]))                                                                \
            for (acc_type *acc = accumulator_of(call, rows, i); acc != NULL; acc = NULL)

static inline const void *element_at(const struct evs_column *column, uint32_t row)
{
    size_t index = (column->flags & EVS_COLUMN_CONSTANT) ? 0 : row;
    return (const uint8_t *)column->data + index * evs_kind_width(column->kind);
}

/* A number of any type as float64. */
double evs_agg_number_at(const struct evs_column *column, uint32_t row);

/* A value out of the bytes of a column element. */
static inline void value_from_bits(enum evs_kind kind, const void *bits, struct evs_value *value)
{
    value->kind = kind;
    if (kind == EVS_BOOL) {
        value->boolean = *(const uint8_t *)bits != 0;
        return;
    }
    memcpy(&value->str, bits, evs_kind_width(kind)); /* the union's members begin at one place */
}

/* The order of two elements as GoogleSQL has it, but for NaN, of which nothing is said here: -1, 0, 1. */
int evs_agg_compare(enum evs_kind kind, const void *a, const void *b);

/* Months of 30 days, days of 24 hours: µs. */
__int128 evs_agg_interval_length(const void *element);
/* A float64 as a word that is ordered as floats are, NaN (0) before all, and back. -0 is 0. */
uint64_t evs_agg_float_code(double number);
double evs_agg_float_of_code(uint64_t code);

/* An element as bytes that are equal where the values are. `bits` has room for 16. Text is not copied. */
struct evs_slice evs_agg_element_bytes(enum evs_kind kind, const void *element, uint8_t bits[16]);
/* Whether stored bytes are such ones. */
bool evs_agg_is_value(const struct evs_type *type, struct evs_slice bytes);
/* And back. Text is borrowed from the bytes. */
void evs_agg_element_value(enum evs_kind kind, struct evs_slice bytes, struct evs_value *value);

/* --- the order of a key -------------------------------------------------------------------------------------------------------------------- */

struct agg_order {
    int64_t time_us;
    uint64_t major, minor;
    uint32_t ordinal;
};

static inline struct agg_order order_of_row(const struct evs_batch *batch, uint32_t row)
{
    return (struct agg_order){batch->event_time_us[row], batch->cause[row].major, batch->cause[row].minor,
                              batch->ordinal == NULL ? 0 : batch->ordinal[row]};
}

static inline int compare_orders(const struct agg_order *a, const struct agg_order *b)
{
    if (a->time_us != b->time_us) {
        return a->time_us < b->time_us ? -1 : 1;
    }
    if (a->major != b->major) {
        return a->major < b->major ? -1 : 1;
    }
    if (a->minor != b->minor) {
        return a->minor < b->minor ? -1 : 1;
    }
    return a->ordinal < b->ordinal ? -1 : a->ordinal > b->ordinal;
}

#endif
