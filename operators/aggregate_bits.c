/* bit_and, bit_or, bit_xor, logical_and, logical_or: a word, and whether there was a value. NULL without one. */
#include "aggregate_kind.h"

struct acc_bits {
    int64_t bits, has;
};

static void add_bits(const struct agg_call *call, struct acc_bits *acc, int64_t bits)
{
    if (acc->has == 0) {
        *acc = (struct acc_bits){bits, 1};
        return;
    }
    switch (call->config->kind) {
    case EVS_AGG_BIT_AND:
    case EVS_AGG_LOGICAL_AND:
        acc->bits &= bits;
        break;
    case EVS_AGG_BIT_OR:
    case EVS_AGG_LOGICAL_OR:
        acc->bits |= bits;
        break;
    default:
        EVS_ASSERT(call->config->kind == EVS_AGG_BIT_XOR);
        acc->bits ^= bits;
    }
}

static void update_bits(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    FOR_VALUES(struct acc_bits)
    {
        add_bits(call, acc, *EVS_COLUMN_AT(column, int64_t, rows->rows[i]));
    }
}

static void update_bools(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    FOR_VALUES(struct acc_bits)
    {
        add_bits(call, acc, *EVS_COLUMN_AT(column, uint8_t, rows->rows[i]) != 0);
    }
}

static void merge_bits(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    const struct acc_bits *other = (const struct acc_bits *)from;
    (void)table;
    if (other->has != 0) {
        add_bits(call, (struct acc_bits *)into, other->bits);
    }
}

static enum evs_agg_outcome result_bits(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                        struct evs_value *result)
{
    const struct acc_bits *acc = (const struct acc_bits *)at;
    (void)call;
    (void)arena;
    result->is_null = acc->has == 0;
    if (result->kind == EVS_BOOL) {
        result->boolean = acc->bits != 0;
    } else {
        result->int64 = acc->bits;
    }
    return EVS_AGG_FITS;
}

const struct agg_kind *evs_agg_bits_kind(const struct evs_aggregate_call *config)
{
    static const struct agg_kind bits = {
        .bytes = sizeof(struct acc_bits), .update = update_bits, .merge = merge_bits, .result = result_bits};
    static const struct agg_kind bools = {
        .bytes = sizeof(struct acc_bits), .update = update_bools, .merge = merge_bits, .result = result_bits};
    EVS_ASSERT(config->argument_count == 1);
    return config->types[0]->kind == EVS_BOOL ? &bools : &bits;
}
