/* count(distinct x), sum(distinct x) and so on: the accumulator is the set of values, and the result of the function without `distinct` is made of
 * it when it is asked for. So sets can be merged, and the order in which values came does not show. */
#include "aggregate_kind.h"

static const struct agg_shape *distinct_shape(const struct agg_call *call, uint32_t detail)
{
    static const struct agg_shape texts = {0, 0, true}, bools = {0, 1, true}, words = {0, 8, true},
                                  wides = {0, 16, true};
    enum evs_kind kind = argument_kind(call, 0);
    EVS_ASSERT(detail == 0);
    if (evs_kind_is_var(kind)) {
        return &texts;
    }
    uint32_t width = evs_kind_width(kind);
    return width == 1 ? &bools : width == 8 ? &words : &wides;
}

static void add_element(const struct agg_call *call, struct evs_table *table, struct acc_bag *acc,
                        struct evs_slice bytes)
{
    if (acc->is_too_large != 0) {
        return;
    }
    evs_bag_add(&acc->bag, table, distinct_shape(call, 0), bytes, NULL);
    evs_agg_check_bytes(call, table, acc);
}

static void update_distinct(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    FOR_VALUES(struct acc_bag)
    {
        uint8_t bits[16];
        struct evs_slice bytes = evs_agg_element_bytes(column->kind, element_at(column, rows->rows[i]), bits);
        add_element(call, rows->tables[i], acc, bytes);
    }
}

static void merge_distinct(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    struct acc_bag *acc = (struct acc_bag *)into;
    const struct acc_bag *other = (const struct acc_bag *)from;
    if (!evs_agg_merge_failure(table, acc, other)) {
        EVS_BAG_FOR(other->bag, distinct_shape(call, 0), entry)
        {
            add_element(call, table, acc, evs_bag_key(distinct_shape(call, 0), entry));
        }
    }
}

static enum evs_agg_outcome result_count_distinct(const struct agg_call *call, const uint8_t *at,
                                                  struct evs_arena *arena, struct evs_value *result)
{
    const struct acc_bag *acc = (const struct acc_bag *)at;
    (void)call;
    (void)arena;
    result->int64 = acc->bag == NULL ? 0 : acc->bag->count;
    return acc->is_too_large != 0 ? EVS_AGG_TOO_LARGE : EVS_AGG_FITS;
}

#define FOLD_ROWS 128u

/* Values on their way through the function without `distinct`, as the only column of a batch. */
struct fold {
    struct agg_call call;
    struct evs_column column;
    uint32_t width, count;
    uint64_t accumulator[16];
    uint8_t data[FOLD_ROWS * 16] __attribute__((aligned(16)));
};

static void fold_rows(struct fold *fold)
{
    uint16_t rows[FOLD_ROWS];
    uint8_t *values[FOLD_ROWS];
    struct evs_batch batch = {
        .row_count = fold->count, .selected_count = fold->count, .column_count = 1, .columns = &fold->column};
    for (uint32_t i = 0; i < fold->count; i++) {
        rows[i] = (uint16_t)i;
        values[i] = (uint8_t *)fold->accumulator;
    }
    struct agg_rows all = {.batch = &batch, .rows = rows, .values = values, .count = fold->count};
    fold->call.kind->update(&fold->call, &all);
    fold->count = 0;
}

static enum evs_agg_outcome result_of_values(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                             struct evs_value *result)
{
    static const uint32_t first_column[1] = {0};
    const struct acc_bag *acc = (const struct acc_bag *)at;
    const struct agg_kind *plain = evs_agg_plain_kind(call->config);
    struct evs_aggregate_call config = *call->config;
    struct fold fold = {.call = {&config, plain, NULL, 0, plain->bytes, false}};
    EVS_ASSERT(plain->bytes <= sizeof fold.accumulator && plain->shape == NULL && plain->texts == NULL);
    if (acc->is_too_large != 0) {
        return EVS_AGG_TOO_LARGE;
    }
    config.arguments = first_column;
    fold.width = evs_kind_width(argument_kind(call, 0));
    fold.column = (struct evs_column){.kind = argument_kind(call, 0), .data = fold.data};
    EVS_BAG_FOR(acc->bag, distinct_shape(call, 0), entry)
    {
        memcpy(fold.data + (size_t)fold.count * fold.width, evs_bag_key(distinct_shape(call, 0), entry).data,
               fold.width);
        if (++fold.count == FOLD_ROWS) {
            fold_rows(&fold);
        }
    }
    fold_rows(&fold);
    return plain->result(&fold.call, (const uint8_t *)fold.accumulator, arena, result);
}

const struct agg_kind *evs_agg_distinct_kind(const struct evs_aggregate_call *config)
{
    static const struct agg_kind counts = {.bytes = sizeof(struct acc_bag),
                                           .update = update_distinct,
                                           .merge = merge_distinct,
                                           .result = result_count_distinct,
                                           .shape = distinct_shape};
    static const struct agg_kind values = {.bytes = sizeof(struct acc_bag),
                                           .update = update_distinct,
                                           .merge = merge_distinct,
                                           .result = result_of_values,
                                           .shape = distinct_shape};
    return config->kind == EVS_AGG_COUNT ? &counts : &values;
}
