/* array_agg, array_concat_agg, string_agg: a bag with an entry a value.
 *
 *   a list             payload: order of the row, bytes of the sort key, is-NULL;   key: sort key, value
 *   a list of distinct payload: order of the value's first row;                     key: is-NULL byte, value (a map: each value once)
 *
 * The result is put in order when it is asked for: by the sort key (what `order by` says, encoded so that its bytes compare as the values do), then by
 * the order of the key, then by the values' bytes. So the order of arrival does not show. `distinct` with `order by` orders by the value itself.
 *
 * `limit n` keeps the best n: when there are twice as many, the others go. A value that went would have gone in any order of arrival, for n better
 * ones stay. */
#include <stdlib.h>

#include "aggregate_kind.h"
#include "evstream/keys.h"

struct list_payload {
    struct agg_order order; /* 32 bytes */
    uint32_t sort_bytes, is_null;
};
_Static_assert(sizeof(struct agg_order) == 32 && sizeof(struct list_payload) == 40, "part of the state format");

static const struct agg_shape *list_shape(const struct agg_call *call, uint32_t detail)
{
    static const struct agg_shape list = {sizeof(struct list_payload), 0, false},
                                  distinct = {sizeof(struct agg_order), 0, true};
    EVS_ASSERT(detail == 0);
    return call->config->is_distinct ? &distinct : &list;
}

/* --- sort keys ---------------------------------------------------------------------------------------------------------------------------- */

/* The most significant byte first. */
static void put_big_endian(struct evs_buffer *out, const uint8_t *little, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        evs_buffer_put(out, &little[i], 1);
    }
}

/* A text that ends before another one comes before it, whatever follows: 00 is written as 00 ff, and 00 01 ends the text. */
static void put_text(struct evs_buffer *out, const struct evs_str *text)
{
    const char *bytes = evs_str_data(text);
    for (uint32_t i = 0; i < text->count; i++) {
        evs_buffer_put(out, &bytes[i], 1);
        if (bytes[i] == '\0') {
            evs_buffer_put(out, "\xff", 1);
        }
    }
    evs_buffer_put(out, "\0\1", 2);
}

static void put_number(struct evs_buffer *out, enum evs_kind kind, const void *element)
{
    if (kind == EVS_FLOAT64) {
        double number;
        memcpy(&number, element, sizeof number);
        uint64_t bits = evs_agg_float_code(number);
        put_big_endian(out, (const uint8_t *)&bits, sizeof bits);
        return;
    }
    __int128 wide;
    if (kind == EVS_NUMERIC) {
        memcpy(&wide, element, sizeof wide);
    } else if (kind == EVS_INTERVAL) {
        wide = evs_agg_interval_length(element);
    } else {
        int64_t word = 0;
        memcpy(&word, element, evs_kind_width(kind));
        uint64_t bits = (uint64_t)word ^ (UINT64_C(1) << 63);
        put_big_endian(out, (const uint8_t *)&bits, sizeof bits);
        return;
    }
    unsigned __int128 bits = (unsigned __int128)wide ^ ((unsigned __int128)1 << 127);
    put_big_endian(out, (const uint8_t *)&bits, sizeof bits);
}

/* One term. A first byte puts NULLs where they belong; the bytes of a descending one are turned over. `element` NULL: the value is NULL. */
static void put_term(struct evs_buffer *out, enum evs_kind kind, const void *element,
                     const struct evs_aggregate_order *order)
{
    char place = (char)(element == NULL ? (order->nulls_last ? 2 : 0) : 1);
    evs_buffer_put(out, &place, 1);
    size_t first = out->count;
    if (element != NULL) {
        if (evs_kind_is_var(kind)) {
            put_text(out, element);
        } else {
            put_number(out, kind, element);
        }
    }
    for (size_t i = first; order->is_descending && i < out->count; i++) {
        out->data[i] = (char)~out->data[i];
    }
}

static void put_sort_key(const struct agg_call *call, const struct evs_batch *batch, uint32_t row,
                         struct evs_buffer *out)
{
    const struct evs_aggregate_call *config = call->config;
    for (uint32_t i = 0; i < config->order_count; i++) {
        const struct evs_column *column = &batch->columns[config->arguments[config->orders[i].argument]];
        const void *element = evs_column_is_valid(column, row) ? element_at(column, row) : NULL;
        put_term(out, column->kind, element, &config->orders[i]);
    }
}

/* --- entries ------------------------------------------------------------------------------------------------------------------------------ */

/* What an entry of either form says. */
struct list_item {
    struct evs_slice sort_key, value;
    struct agg_order order;
    bool is_null;
};

static struct list_item item_of(const struct agg_call *call, const struct agg_entry *entry)
{
    struct evs_slice key = evs_bag_key(list_shape(call, 0), entry);
    struct list_item item = {.value = key};
    if (call->config->is_distinct) {
        EVS_ASSERT(key.count >= 1);
        memcpy(&item.order, entry->payload, sizeof item.order);
        item.is_null = key.data[0] != 0;
        item.value = (struct evs_slice){key.data + 1, key.count - 1};
        return item;
    }
    struct list_payload payload;
    memcpy(&payload, entry->payload, sizeof payload);
    EVS_ASSERT(payload.sort_bytes <= key.count);
    item.order = payload.order;
    item.is_null = payload.is_null != 0;
    item.sort_key = (struct evs_slice){key.data, payload.sort_bytes};
    item.value = (struct evs_slice){key.data + payload.sort_bytes, key.count - payload.sort_bytes};
    return item;
}

static int compare_slices(struct evs_slice a, struct evs_slice b)
{
    size_t count = a.count < b.count ? a.count : b.count;
    int order = count == 0 ? 0 : memcmp(a.data, b.data, count);
    return order != 0 ? order : (a.count > b.count) - (a.count < b.count);
}

/* `distinct … order by`: the values themselves. */
static int compare_by_value(const struct agg_call *call, const struct list_item *a, const struct list_item *b)
{
    const struct evs_aggregate_order *order = &call->config->orders[0];
    enum evs_kind kind = argument_kind(call, 0);
    if (a->is_null || b->is_null) {
        int nulls_first = (int)b->is_null - (int)a->is_null;
        return order->nulls_last ? -nulls_first : nulls_first;
    }
    struct evs_value values[2] = {{.kind = kind}, {.kind = kind}};
    evs_agg_element_value(kind, a->value, &values[0]);
    evs_agg_element_value(kind, b->value, &values[1]);
    int compared = evs_agg_compare(kind, &values[0].str, &values[1].str);
    if (kind == EVS_FLOAT64) { /* NaN comes before all */
        uint64_t codes[2] = {evs_agg_float_code(values[0].float64), evs_agg_float_code(values[1].float64)};
        compared = (codes[0] > codes[1]) - (codes[0] < codes[1]);
    }
    return order->is_descending ? -compared : compared;
}

static int compare_entries(const void *a, const void *b, void *argument)
{
    const struct agg_call *call = argument;
    struct list_item first = item_of(call, *(struct agg_entry *const *)a);
    struct list_item second = item_of(call, *(struct agg_entry *const *)b);
    int order = compare_slices(first.sort_key, second.sort_key);
    if (call->config->is_distinct && call->config->order_count > 0) {
        order = compare_by_value(call, &first, &second);
    }
    order = order != 0 ? order : compare_orders(&first.order, &second.order);
    order = order != 0 ? order : (int)second.is_null - (int)first.is_null;
    return order != 0 ? order : compare_slices(first.value, second.value);
}

/* All entries in the result's order; `*count` of them, no more than the limit. Rows that came in order cost one look each. */
static struct agg_entry **sorted_entries(const struct agg_call *call, const struct agg_bag *bag,
                                         struct evs_arena *arena, uint32_t *count)
{
    const struct agg_shape *shape = list_shape(call, 0);
    struct agg_entry **entries = evs_arena_alloc(arena, ((size_t)bag->count + 1) * sizeof *entries, 8);
    uint32_t used = 0;
    bool is_sorted = true;
    EVS_BAG_FOR(bag, shape, entry)
    {
        entries[used++] = entry;
        is_sorted =
            is_sorted && (used == 1 || compare_entries(&entries[used - 2], &entries[used - 1], (void *)call) <= 0);
    }
    EVS_ASSERT(used == bag->count);
    if (!is_sorted) {
        qsort_r(entries, used, sizeof *entries, compare_entries, (void *)call);
    }
    int64_t limit = call->config->limit;
    *count = limit >= 0 && limit < used ? (uint32_t)limit : used;
    return entries;
}

/* --- adding ------------------------------------------------------------------------------------------------------------------------------- */

#define LIMIT_SLACK 32

/* Keeps the best of a list that has a limit. */
static void trim(const struct agg_call *call, struct evs_table *table, struct acc_bag *acc)
{
    int64_t limit = call->config->limit;
    if (limit < 0 || acc->bag->count < LIMIT_SLACK || (acc->bag->count - LIMIT_SLACK) / 2 < limit) {
        return;
    }
    struct evs_arena scratch = {0};
    const struct agg_shape *shape = list_shape(call, 0);
    uint32_t count;
    struct agg_entry **best = sorted_entries(call, acc->bag, &scratch, &count);
    evs_agg_renew_bag(table, acc, 0);
    for (uint32_t i = 0; i < count; i++) {
        struct agg_entry *kept = evs_bag_add(&acc->bag, table, shape, evs_bag_key(shape, best[i]), NULL);
        memcpy(kept->payload, best[i]->payload, shape->payload_bytes);
    }
    evs_arena_fini(&scratch);
}

/* An entry whose key and payload are made already. */
static void add_entry(const struct agg_call *call, struct evs_table *table, struct acc_bag *acc, struct evs_slice key,
                      const void *payload)
{
    const struct agg_shape *shape = list_shape(call, 0);
    bool is_new;
    if (acc->is_too_large != 0) {
        return;
    }
    struct agg_entry *entry = evs_bag_add(&acc->bag, table, shape, key, &is_new);
    if (is_new) {
        memcpy(entry->payload, payload, shape->payload_bytes);
    } else if (compare_orders(payload, (const struct agg_order *)entry->payload) < 0) { /* distinct: an earlier row */
        memcpy(entry->payload, payload, shape->payload_bytes);
        evs_bag_changed(acc->bag, entry);
    }
    trim(call, table, acc);
    evs_agg_check_bytes(call, table, acc);
}

static void add_row(const struct agg_call *call, const struct agg_rows *rows, uint32_t i, const void *element)
{
    struct evs_buffer *key = &call->scratch->text;
    struct list_payload payload = {.order = order_of_row(rows->batch, rows->rows[i]), .is_null = element == NULL};
    key->count = 0;
    if (call->config->is_distinct) {
        evs_buffer_put(key, element == NULL ? "\1" : "\0", 1);
    } else {
        put_sort_key(call, rows->batch, rows->rows[i], key);
        payload.sort_bytes = (uint32_t)key->count;
    }
    if (element != NULL) {
        uint8_t bits[16];
        struct evs_slice value = evs_agg_element_bytes(argument_kind(call, 0), element, bits);
        evs_buffer_put(key, value.data, value.count);
    }
    add_entry(call, rows->tables[i], accumulator_of(call, rows, i), (struct evs_slice){key->data, key->count},
              &payload);
}

static void update_list(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    bool keeps_nulls = call->config->kind == EVS_AGG_ARRAY_AGG && !call->config->ignore_nulls;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = rows->rows[i];
        bool is_valid = evs_column_is_valid(column, row);
        if (is_valid || keeps_nulls) {
            add_row(call, rows, i, is_valid ? element_at(column, row) : NULL);
        }
    }
}

static void merge_list(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    struct acc_bag *acc = (struct acc_bag *)into;
    const struct acc_bag *other = (const struct acc_bag *)from;
    const struct agg_shape *shape = list_shape(call, 0);
    if (!evs_agg_merge_failure(table, acc, other)) {
        EVS_BAG_FOR(other->bag, shape, entry)
        {
            add_entry(call, table, acc, evs_bag_key(shape, entry), entry->payload);
        }
    }
}

static bool is_valid_entry(const struct agg_call *call, const struct agg_entry *entry)
{
    struct evs_slice value = evs_bag_key(list_shape(call, 0), entry);
    struct list_payload payload = {.sort_bytes = 1}; /* distinct: the byte that says whether the value is NULL */
    if (call->config->is_distinct) {
        payload.is_null = value.count > 0 && value.data[0] != 0;
    } else {
        memcpy(&payload, entry->payload, sizeof payload);
    }
    if (payload.sort_bytes > value.count) {
        return false;
    }
    value = (struct evs_slice){value.data + payload.sort_bytes, value.count - payload.sort_bytes};
    return payload.is_null != 0 ? value.count == 0 : evs_agg_is_value(call->config->types[0], value);
}

/* --- results ------------------------------------------------------------------------------------------------------------------------------ */

static void add_item(const struct agg_call *call, const struct list_item *item)
{
    struct evs_nested_builder *array = &call->scratch->array;
    enum evs_kind kind = argument_kind(call, 0);
    struct evs_value value = {.kind = kind, .is_null = true};
    if (!item->is_null) {
        evs_agg_element_value(kind, item->value, &value);
    }
    if (call->config->kind == EVS_AGG_ARRAY_AGG) {
        evs_nested_add(array, &value);
        return;
    }
    struct evs_nested inner = evs_nested_open(&value.str);
    for (uint32_t i = 0; i < inner.count; i++) {
        struct evs_value element = evs_nested_at(&inner, i);
        evs_nested_add(array, &element);
    }
}

static enum evs_agg_outcome result_array(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                         struct evs_value *result)
{
    const struct acc_bag *acc = (const struct acc_bag *)at;
    uint32_t count;
    result->is_null = acc->bag == NULL || acc->bag->count == 0;
    if (acc->is_too_large != 0 || result->is_null) {
        return acc->is_too_large != 0 ? EVS_AGG_TOO_LARGE : EVS_AGG_FITS;
    }
    struct agg_entry **entries = sorted_entries(call, acc->bag, arena, &count);
    evs_nested_begin_array(&call->scratch->array, call->config->result_type->element->kind);
    for (uint32_t i = 0; i < count; i++) {
        struct list_item item = item_of(call, entries[i]);
        add_item(call, &item);
    }
    result->str = evs_nested_finish(&call->scratch->array, arena);
    return EVS_AGG_FITS;
}

static enum evs_agg_outcome result_string(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                          struct evs_value *result)
{
    const struct acc_bag *acc = (const struct acc_bag *)at;
    const struct evs_aggregate_call *config = call->config;
    struct evs_buffer *text = &call->scratch->text;
    uint32_t count;
    result->is_null = acc->bag == NULL || acc->bag->count == 0;
    if (acc->is_too_large != 0 || result->is_null) {
        return acc->is_too_large != 0 ? EVS_AGG_TOO_LARGE : EVS_AGG_FITS;
    }
    struct agg_entry **entries = sorted_entries(call, acc->bag, arena, &count);
    text->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct list_item item = item_of(call, entries[i]);
        if (i > 0) {
            evs_buffer_put(text, config->delimiter.data, config->delimiter.count);
        }
        evs_buffer_put(text, item.value.data, item.value.count);
        if (text->count > config->bytes_max) {
            return EVS_AGG_TOO_LARGE;
        }
    }
    result->str = evs_str_make(evs_arena_copy(arena, text->data, text->count), (uint32_t)text->count);
    return EVS_AGG_FITS;
}

const struct agg_kind *evs_agg_list_kind(const struct evs_aggregate_call *config)
{
    static const struct agg_kind arrays = {.bytes = sizeof(struct acc_bag),
                                           .update = update_list,
                                           .merge = merge_list,
                                           .result = result_array,
                                           .shape = list_shape,
                                           .is_valid = is_valid_entry};
    static const struct agg_kind strings = {.bytes = sizeof(struct acc_bag),
                                            .update = update_list,
                                            .merge = merge_list,
                                            .result = result_string,
                                            .shape = list_shape,
                                            .is_valid = is_valid_entry};
    EVS_ASSERT(config->argument_count >= 1);
    return config->kind == EVS_AGG_STRING_AGG ? &strings : &arrays;
}
