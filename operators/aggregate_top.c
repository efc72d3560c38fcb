/* approx_top_count(x, n), approx_top_sum(x, weight, n): the heaviest values.
 *
 * A map from values to weights (a count is a sum of ones). It is exact while a group has no more different values than the map holds: 2048, or 16 n
 * where that is more. When it has more, the median weight is taken from all, values that have nothing left go, and `cut`, the sum of what was taken,
 * grows: Misra and Gries' algorithm (1982), half a map at a time. A value that is still there weighs at least what is left of it, and at most `cut`
 * more, which is what is shown. As each cut takes its median from at least half of the values, `cut` is at most a thousandth of the group's
 * whole weight (2 / 2048): nothing is shown too light, nothing by more than that too heavy, and no value that weighs more than that is missed.
 *
 * Merging adds maps and cuts. Beyond 2048 different values the result depends, within the error, on the order in which rows came; the
 * exact one does not. NULL is a value like any other. A NULL weight is none: a value that has only such ones has the sum NULL and comes last. A weight
 * below zero or NaN fails the group, as GoogleSQL's error does. */
#include <stdlib.h>

#include "aggregate_kind.h"

#define VALUES_MAX 2048

typedef __int128 int128;

struct acc_top {
    struct acc_bag bag; /* is_too_large: a weight was negative; the map itself is bounded */
    uint64_t cut[2];    /* bits of a union weight */
};

/* int64 and numeric weights are added in 128 bits, float64 ones in their own. */
union weight {
    int128 whole;
    double real;
    uint64_t words[2];
};

struct top_payload { /* of 24 bytes in an entry */
    union weight weight;
    bool has_weight;
};

static const struct agg_shape top_shape_ = {24, 0, true};

static const struct agg_shape *top_shape(const struct agg_call *call, uint32_t detail)
{
    (void)call;
    EVS_ASSERT(detail == 0);
    return &top_shape_;
}

static bool is_real(const struct agg_call *call)
{
    return call->config->kind == EVS_AGG_APPROX_TOP_SUM && argument_kind(call, 1) == EVS_FLOAT64;
}

static union weight sum_of(bool real, union weight a, union weight b)
{
    union weight sum = {.words = {0, 0}};
    if (real) {
        sum.real = a.real + b.real;
    } else if (__builtin_add_overflow(a.whole, b.whole, &sum.whole)) {
        sum.whole = (int128)(~(unsigned __int128)0 >> 1); /* stays there: the result does not fit */
    }
    return sum;
}

static int compare_weights(bool real, union weight a, union weight b)
{
    if (real) {
        return a.real < b.real ? -1 : a.real > b.real;
    }
    return a.whole < b.whole ? -1 : a.whole > b.whole;
}

static struct top_payload payload_of(const struct agg_entry *entry)
{
    struct top_payload payload = {.has_weight = entry->payload[16] != 0};
    memcpy(&payload.weight, entry->payload, sizeof payload.weight);
    return payload;
}

static void set_payload(struct agg_entry *entry, struct top_payload payload)
{
    memcpy(entry->payload, &payload.weight, sizeof payload.weight);
    entry->payload[16] = payload.has_weight;
}

/* --- cutting -------------------------------------------------------------------------------------------------------------------------------- */

static uint32_t values_max(const struct agg_call *call)
{
    int64_t wanted = call->config->number * 16;
    return (uint32_t)(wanted > VALUES_MAX ? wanted : VALUES_MAX);
}

static int compare_wholes(const void *a, const void *b)
{
    return compare_weights(false, *(const union weight *)a, *(const union weight *)b);
}

static int compare_reals(const void *a, const void *b)
{
    return compare_weights(true, *(const union weight *)a, *(const union weight *)b);
}

static union weight median(const struct agg_bag *bag, bool real, struct evs_arena *scratch)
{
    union weight *weights = evs_arena_alloc(scratch, (size_t)bag->count * sizeof *weights, 16);
    uint32_t count = 0;
    EVS_BAG_FOR(bag, &top_shape_, entry)
    {
        weights[count++] = payload_of(entry).weight;
    }
    qsort(weights, count, sizeof *weights, real ? compare_reals : compare_wholes);
    return weights[(count - 1) / 2];
}

static void cut_back(const struct agg_call *call, struct evs_table *table, struct acc_top *acc)
{
    bool real = is_real(call);
    struct evs_arena scratch = {0};
    struct agg_bag *before = acc->bag.bag;
    union weight cut = median(before, real, &scratch), taken = cut;
    evs_agg_renew_bag(table, &acc->bag, 0);
    if (real) {
        cut.real = -cut.real;
    } else {
        cut.whole = -cut.whole;
    }
    EVS_BAG_FOR(before, &top_shape_, entry)
    {
        struct top_payload payload = payload_of(entry);
        union weight nothing = {.words = {0, 0}};
        payload.weight = sum_of(real, payload.weight, cut);
        if (compare_weights(real, payload.weight, nothing) > 0) {
            set_payload(evs_bag_add(&acc->bag.bag, table, &top_shape_, evs_bag_key(&top_shape_, entry), NULL), payload);
        }
    }
    union weight all;
    memcpy(&all, acc->cut, sizeof all);
    all = sum_of(real, all, taken);
    memcpy(acc->cut, &all, sizeof all);
    evs_arena_fini(&scratch);
}

/* --- adding --------------------------------------------------------------------------------------------------------------------------------- */

static void add_value(const struct agg_call *call, struct evs_table *table, struct acc_top *acc, struct evs_slice key,
                      struct top_payload added)
{
    bool is_new;
    struct agg_entry *entry = evs_bag_add(&acc->bag.bag, table, &top_shape_, key, &is_new);
    struct top_payload payload = payload_of(entry);
    payload.weight = sum_of(is_real(call), payload.weight, added.weight);
    payload.has_weight |= added.has_weight;
    set_payload(entry, payload);
    if (!is_new) {
        evs_bag_changed(acc->bag.bag, entry);
    }
    if (acc->bag.bag->count > values_max(call)) {
        cut_back(call, table, acc);
    }
}

/* Of a row. False: it is below zero, or NaN. */
static bool weight_at(const struct agg_call *call, const struct agg_rows *rows, uint32_t row,
                      struct top_payload *payload)
{
    *payload = (struct top_payload){.has_weight = true};
    if (call->config->kind == EVS_AGG_APPROX_TOP_COUNT) {
        payload->weight.whole = 1;
        return true;
    }
    const struct evs_column *column = argument_column(call, rows, 1);
    if (!evs_column_is_valid(column, row)) {
        payload->has_weight = false;
        return true;
    }
    if (column->kind == EVS_FLOAT64) {
        payload->weight.real = *EVS_COLUMN_AT(column, double, row);
        return payload->weight.real >= 0;
    }
    if (column->kind == EVS_INT64) {
        payload->weight.whole = *EVS_COLUMN_AT(column, int64_t, row);
    } else {
        memcpy(&payload->weight.whole, element_at(column, row), sizeof payload->weight.whole);
    }
    return payload->weight.whole >= 0;
}

static void update_top(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    struct evs_buffer *key = &call->scratch->text;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = rows->rows[i];
        struct acc_top *acc = accumulator_of(call, rows, i);
        bool is_null = !evs_column_is_valid(column, row);
        struct top_payload payload;
        if (!weight_at(call, rows, row, &payload)) {
            acc->bag.is_too_large = 1;
            continue;
        }
        key->count = 0;
        evs_buffer_put(key, is_null ? "\1" : "\0", 1);
        if (!is_null) {
            uint8_t bits[16];
            struct evs_slice bytes = evs_agg_element_bytes(column->kind, element_at(column, row), bits);
            evs_buffer_put(key, bytes.data, bytes.count);
        }
        add_value(call, rows->tables[i], acc, (struct evs_slice){key->data, key->count}, payload);
    }
}

static void merge_top(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    struct acc_top *acc = (struct acc_top *)into;
    const struct acc_top *other = (const struct acc_top *)from;
    union weight cuts[2];
    memcpy(&cuts[0], acc->cut, sizeof cuts[0]);
    memcpy(&cuts[1], other->cut, sizeof cuts[1]);
    cuts[0] = sum_of(is_real(call), cuts[0], cuts[1]);
    memcpy(acc->cut, &cuts[0], sizeof cuts[0]);
    acc->bag.is_too_large |= other->bag.is_too_large;
    EVS_BAG_FOR(other->bag.bag, &top_shape_, entry)
    {
        add_value(call, table, acc, evs_bag_key(&top_shape_, entry), payload_of(entry));
    }
}

static bool is_valid_entry(const struct agg_call *call, const struct agg_entry *entry)
{
    struct evs_slice key = evs_bag_key(&top_shape_, entry);
    if (key.count == 0) {
        return false;
    }
    struct evs_slice value = {key.data + 1, key.count - 1};
    return key.data[0] != 0 ? value.count == 0 : evs_agg_is_value(call->config->types[0], value);
}

/* --- results -------------------------------------------------------------------------------------------------------------------------------- */

struct top_item {
    struct top_payload payload;
    struct evs_slice key;
};

/* The heaviest first; equal ones by their values' bytes. */
static int compare_items(const void *a, const void *b, void *argument)
{
    const struct top_item *first = a, *second = b;
    if (first->payload.has_weight != second->payload.has_weight) {
        return first->payload.has_weight ? -1 : 1;
    }
    int order = compare_weights(*(const bool *)argument, second->payload.weight, first->payload.weight);
    if (order != 0) {
        return order;
    }
    size_t count = first->key.count < second->key.count ? first->key.count : second->key.count;
    order = memcmp(first->key.data, second->key.data, count);
    return order != 0 ? order : (first->key.count > second->key.count) - (first->key.count < second->key.count);
}

static struct top_item *sorted_items(const struct agg_bag *bag, bool real, struct evs_arena *arena)
{
    struct top_item *items = evs_arena_alloc(arena, ((size_t)bag->count + 1) * sizeof *items, 16);
    uint32_t count = 0;
    EVS_BAG_FOR(bag, &top_shape_, entry)
    {
        items[count++] = (struct top_item){payload_of(entry), evs_bag_key(&top_shape_, entry)};
    }
    qsort_r(items, count, sizeof *items, compare_items, &real);
    return items;
}

/* False: the sum does not fit its type. */
static bool weight_value(const struct agg_call *call, const struct acc_top *acc, struct top_payload payload,
                         enum evs_kind kind, struct evs_value *value)
{
    union weight cut, sum;
    memcpy(&cut, acc->cut, sizeof cut);
    sum = sum_of(is_real(call), payload.weight, cut);
    *value = (struct evs_value){.kind = kind, .is_null = !payload.has_weight};
    if (kind == EVS_FLOAT64) {
        value->float64 = sum.real;
        return true;
    }
    if (kind == EVS_NUMERIC) {
        value->numeric = sum.whole;
        return sum.whole <= evs_numeric_max();
    }
    value->int64 = (int64_t)sum.whole;
    return sum.whole == (int128)value->int64;
}

static enum evs_agg_outcome add_item(const struct agg_call *call, const struct acc_top *acc,
                                     const struct top_item *item, struct evs_arena *arena)
{
    const struct evs_type *type = call->config->result_type->element;
    struct evs_nested_builder *element = &call->scratch->element;
    enum evs_kind kind = argument_kind(call, 0);
    struct evs_value value = {.kind = kind, .is_null = true}, weight;
    EVS_ASSERT(type->kind == EVS_STRUCT && type->field_count == 2 && item->key.count > 0);
    if (item->key.data[0] == 0) {
        evs_agg_element_value(kind, (struct evs_slice){item->key.data + 1, item->key.count - 1}, &value);
    }
    if (!weight_value(call, acc, item->payload, type->fields[1].type->kind, &weight)) {
        return EVS_AGG_OVERFLOW;
    }
    evs_nested_begin_struct(element, type);
    evs_nested_add(element, &value);
    evs_nested_add(element, &weight);
    struct evs_value pair = {.kind = EVS_STRUCT, .str = evs_nested_finish(element, arena)};
    evs_nested_add(&call->scratch->array, &pair);
    return EVS_AGG_FITS;
}

static enum evs_agg_outcome result_top(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                       struct evs_value *result)
{
    const struct acc_top *acc = (const struct acc_top *)at;
    enum evs_agg_outcome outcome = acc->bag.is_too_large != 0 ? EVS_AGG_NEGATIVE_WEIGHT : EVS_AGG_FITS;
    result->is_null = acc->bag.bag == NULL || acc->bag.bag->count == 0;
    if (outcome != EVS_AGG_FITS || result->is_null) {
        return outcome;
    }
    struct top_item *items = sorted_items(acc->bag.bag, is_real(call), arena);
    evs_nested_begin_array(&call->scratch->array, EVS_STRUCT);
    for (uint32_t i = 0; i < acc->bag.bag->count && (int64_t)i < call->config->number; i++) {
        enum evs_agg_outcome of_item = add_item(call, acc, &items[i], arena);
        outcome = of_item != EVS_AGG_FITS ? of_item : outcome;
    }
    result->str = evs_nested_finish(&call->scratch->array, arena);
    return outcome;
}

const struct agg_kind *evs_agg_top_kind(const struct evs_aggregate_call *config)
{
    static const struct agg_kind kind = {.bytes = sizeof(struct acc_top),
                                         .update = update_top,
                                         .merge = merge_top,
                                         .result = result_top,
                                         .shape = top_shape,
                                         .is_valid = is_valid_entry};
    EVS_ASSERT(config->argument_count == (config->kind == EVS_AGG_APPROX_TOP_SUM ? 2u : 1u));
    return &kind;
}
