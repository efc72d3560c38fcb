/* window_funnel(interval, step 1, step 2, …): how many steps, in their order, some row of step 1 and later rows have done within the interval.
 *
 * A row does one step at most: the one that takes a chain further. Rows count in the order of the key, whatever the order of arrival, so every row that
 * meets a condition is kept with its place in that order; none can be left out before the group is done, for a late step 2 may make a chain of
 * a step 1 and a step 3 that seemed to be lost. When the last step was reached, nothing can change any more, and the rows go.
 *
 * The depth is found in one pass: for each step, the latest start of a chain that has come so far. A later start is never worse. */
#include <stdlib.h>

#include "aggregate_kind.h"

#define STEPS_MAX 32u
#define ROWS_BEFORE_LOOKING 64u

enum { DETAIL_OPEN = 0, DETAIL_COMPLETE = 1 };

struct funnel_row {
    struct agg_order order;
    uint32_t steps; /* a bit for each condition that it meets */
    uint32_t reserved;
};
_Static_assert(sizeof(struct funnel_row) == 40, "part of the state format");

static const struct agg_shape row_shape = {sizeof(struct funnel_row), 0, false};

static const struct agg_shape *funnel_shape(const struct agg_call *call, uint32_t detail)
{
    (void)call;
    (void)detail;
    return &row_shape;
}

static int compare_rows(const void *a, const void *b)
{
    const struct funnel_row *first = a, *second = b;
    int order = compare_orders(&first->order, &second->order);
    return order != 0 ? order : (first->steps > second->steps) - (first->steps < second->steps);
}

static struct funnel_row *sorted_rows(const struct agg_bag *bag, struct evs_arena *arena)
{
    struct funnel_row *rows = evs_arena_alloc(arena, ((size_t)bag->count + 1) * sizeof *rows, 8);
    uint32_t count = 0;
    bool is_sorted = true;
    EVS_BAG_FOR(bag, &row_shape, entry)
    {
        memcpy(&rows[count++], entry->payload, sizeof *rows);
        is_sorted = is_sorted && (count == 1 || compare_rows(&rows[count - 2], &rows[count - 1]) <= 0);
    }
    EVS_ASSERT(count == bag->count);
    if (!is_sorted) {
        qsort(rows, count, sizeof *rows, compare_rows);
    }
    return rows;
}

static bool is_within(int64_t start_us, int64_t time_us, int64_t within_us)
{
    int64_t passed;
    return !__builtin_sub_overflow(time_us, start_us, &passed) && passed <= within_us;
}

static uint32_t depth_of(const struct agg_call *call, const struct agg_bag *bag, struct evs_arena *arena)
{
    const struct funnel_row *rows = sorted_rows(bag, arena);
    uint32_t steps = call->config->argument_count, depth = 0;
    int64_t start_us[STEPS_MAX]; /* of the chains that have reached step i: the latest one */
    for (uint32_t i = 0; i < bag->count && depth < steps; i++) {
        int64_t time_us = rows[i].order.time_us;
        for (uint32_t step = depth < steps ? depth + 1 : steps; step-- > 0;) { /* the furthest first: one step a row */
            bool is_met = (rows[i].steps >> step) & 1;
            if (is_met && step == 0) {
                start_us[0] = time_us;
                depth = depth == 0 ? 1 : depth;
            } else if (is_met && is_within(start_us[step - 1], time_us, call->config->within_us)) {
                bool is_first = step == depth;
                start_us[step] = is_first || start_us[step - 1] > start_us[step] ? start_us[step - 1] : start_us[step];
                depth = is_first ? depth + 1 : depth;
            }
        }
    }
    return depth;
}

/* Looks whether all is done, whenever the rows have doubled. */
static void look(const struct agg_call *call, struct evs_table *table, struct acc_bag *acc)
{
    uint32_t count = acc->bag->count;
    if (count < ROWS_BEFORE_LOOKING || (count & (count - 1)) != 0) {
        return;
    }
    struct evs_arena scratch = {0};
    if (depth_of(call, acc->bag, &scratch) == call->config->argument_count) {
        evs_agg_renew_bag(table, acc, DETAIL_COMPLETE);
    }
    evs_arena_fini(&scratch);
}

static void add_row(const struct agg_call *call, struct evs_table *table, struct acc_bag *acc,
                    const struct funnel_row *row)
{
    if (acc->detail == DETAIL_COMPLETE || acc->is_too_large != 0) {
        return;
    }
    struct agg_entry *entry = evs_bag_add(&acc->bag, table, &row_shape, EVS_SLICE(""), NULL);
    memcpy(entry->payload, row, sizeof *row);
    look(call, table, acc);
    evs_agg_check_bytes(call, table, acc);
}

static uint32_t steps_of(const struct agg_call *call, const struct agg_rows *rows, uint32_t row)
{
    uint32_t steps = 0;
    for (uint32_t i = 0; i < call->config->argument_count; i++) {
        const struct evs_column *column = argument_column(call, rows, i);
        bool is_met = evs_column_is_valid(column, row) && *EVS_COLUMN_AT(column, uint8_t, row) != 0;
        steps |= (uint32_t)is_met << i;
    }
    return steps;
}

static void update_funnel(const struct agg_call *call, const struct agg_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        struct funnel_row row = {.steps = steps_of(call, rows, rows->rows[i])};
        if (row.steps != 0) {
            row.order = order_of_row(rows->batch, rows->rows[i]);
            add_row(call, rows->tables[i], accumulator_of(call, rows, i), &row);
        }
    }
}

static void merge_funnel(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    struct acc_bag *acc = (struct acc_bag *)into;
    const struct acc_bag *other = (const struct acc_bag *)from;
    if (acc->detail == DETAIL_COMPLETE || other->detail == DETAIL_COMPLETE) {
        evs_agg_renew_bag(table, acc, DETAIL_COMPLETE);
        acc->is_too_large = 0;
        return;
    }
    if (!evs_agg_merge_failure(table, acc, other)) {
        EVS_BAG_FOR(other->bag, &row_shape, entry)
        {
            struct funnel_row row;
            memcpy(&row, entry->payload, sizeof row);
            add_row(call, table, acc, &row);
        }
    }
}

static enum evs_agg_outcome result_funnel(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                          struct evs_value *result)
{
    const struct acc_bag *acc = (const struct acc_bag *)at;
    if (acc->is_too_large != 0) {
        return EVS_AGG_TOO_LARGE;
    }
    if (acc->detail == DETAIL_COMPLETE) {
        result->int64 = call->config->argument_count;
    } else {
        result->int64 = acc->bag == NULL ? 0 : depth_of(call, acc->bag, arena);
    }
    return EVS_AGG_FITS;
}

const struct agg_kind *evs_agg_funnel_kind(const struct evs_aggregate_call *config)
{
    static const struct agg_kind kind = {.bytes = sizeof(struct acc_bag),
                                         .update = update_funnel,
                                         .merge = merge_funnel,
                                         .result = result_funnel,
                                         .shape = funnel_shape,
                                         .detail_max = DETAIL_COMPLETE};
    EVS_ASSERT(config->argument_count >= 1 && config->argument_count <= STEPS_MAX);
    return &kind;
}
