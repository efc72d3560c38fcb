/* Accumulators: which family a call belongs to, and what is the same for all of them (aggregate_call.h). */
#include "aggregate_kind.h"
#include "evstream/keys.h"

/* --- families --------------------------------------------------------------------------------------------------------------------------------- */

const struct agg_kind *evs_agg_plain_kind(const struct evs_aggregate_call *config)
{
    switch (config->kind) {
    case EVS_AGG_COUNT_ROWS:
    case EVS_AGG_COUNT:
    case EVS_AGG_COUNTIF:
        return evs_agg_count_kind(config);
    case EVS_AGG_SUM:
    case EVS_AGG_AVG:
        return evs_agg_sum_kind(config);
    case EVS_AGG_BIT_AND:
    case EVS_AGG_BIT_OR:
    case EVS_AGG_BIT_XOR:
    case EVS_AGG_LOGICAL_AND:
    case EVS_AGG_LOGICAL_OR:
        return evs_agg_bits_kind(config);
    case EVS_AGG_STDDEV_POP:
    case EVS_AGG_STDDEV_SAMP:
    case EVS_AGG_VAR_POP:
    case EVS_AGG_VAR_SAMP:
    case EVS_AGG_CORR:
    case EVS_AGG_COVAR_POP:
    case EVS_AGG_COVAR_SAMP:
        return evs_agg_stats_kind(config);
    case EVS_AGG_ARRAY_AGG:
    case EVS_AGG_ARRAY_CONCAT_AGG:
    case EVS_AGG_STRING_AGG:
        return evs_agg_list_kind(config);
    case EVS_AGG_APPROX_COUNT_DISTINCT:
        return evs_agg_hyperloglog_kind(config);
    case EVS_AGG_APPROX_QUANTILES:
        return evs_agg_quantiles_kind(config);
    case EVS_AGG_APPROX_TOP_COUNT:
    case EVS_AGG_APPROX_TOP_SUM:
        return evs_agg_top_kind(config);
    case EVS_AGG_WINDOW_FUNNEL:
        return evs_agg_funnel_kind(config);
    case EVS_AGG_FADING_SUM:
        return evs_agg_fade_kind(config);
    default:
        return evs_agg_pick_kind(config);
    }
}

static bool keeps_list(enum evs_aggregate_kind kind)
{
    return kind == EVS_AGG_ARRAY_AGG || kind == EVS_AGG_ARRAY_CONCAT_AGG || kind == EVS_AGG_STRING_AGG;
}

/* Functions for which a value that comes twice says nothing new. */
static bool ignores_repetition(enum evs_aggregate_kind kind)
{
    return kind == EVS_AGG_MIN || kind == EVS_AGG_MAX || kind == EVS_AGG_BIT_AND || kind == EVS_AGG_BIT_OR ||
           kind == EVS_AGG_LOGICAL_AND || kind == EVS_AGG_LOGICAL_OR || kind == EVS_AGG_APPROX_COUNT_DISTINCT;
}

static bool has_distinct_set(enum evs_aggregate_kind kind, bool is_distinct)
{
    return is_distinct && !ignores_repetition(kind) && !keeps_list(kind); /* a list has a distinct form of its own */
}

bool evs_aggregate_grows(enum evs_aggregate_kind kind, bool is_distinct)
{
    return has_distinct_set(kind, is_distinct) || keeps_list(kind) || kind == EVS_AGG_WINDOW_FUNNEL;
}

bool evs_aggregate_is_large(enum evs_aggregate_kind kind, bool is_distinct)
{
    return evs_aggregate_grows(kind, is_distinct) || kind == EVS_AGG_APPROX_COUNT_DISTINCT ||
           kind == EVS_AGG_APPROX_QUANTILES || kind == EVS_AGG_APPROX_TOP_COUNT || kind == EVS_AGG_APPROX_TOP_SUM;
}

struct agg_call evs_agg_call(const struct evs_aggregate_call *config, uint32_t offset)
{
    EVS_ASSERT(offset % 8 == 0 && config->kind < EVS_AGG_KINDS);
    bool is_set = has_distinct_set(config->kind, config->is_distinct);
    const struct agg_kind *kind = is_set ? evs_agg_distinct_kind(config) : evs_agg_plain_kind(config);
    EVS_ASSERT(kind->bytes % 8 == 0);
    EVS_ASSERT((kind->shape != NULL) == evs_aggregate_is_large(config->kind, config->is_distinct));
    struct agg_scratch *scratch = kind->shape == NULL ? NULL : evs_alloc_zero(sizeof *scratch);
    return (struct agg_call){config, kind, scratch, offset, kind->bytes, kind->shape != NULL};
}

void evs_agg_call_fini(struct agg_call *call)
{
    if (call->scratch != NULL) {
        evs_nested_builder_fini(&call->scratch->array);
        evs_nested_builder_fini(&call->scratch->element);
        evs_buffer_fini(&call->scratch->text);
        evs_free(call->scratch);
    }
}

void evs_agg_update(const struct agg_call *call, const struct agg_rows *rows)
{
    call->kind->update(call, rows);
}

void evs_agg_merge(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    EVS_ASSERT(into != from);
    call->kind->merge(call, table, into + call->offset, from + call->offset);
}

enum evs_agg_outcome evs_agg_result(const struct agg_call *call, const uint8_t *values, struct evs_arena *arena,
                                    struct evs_value *result)
{
    *result = (struct evs_value){.kind = call->config->result_type->kind};
    enum evs_agg_outcome outcome = call->kind->result(call, values + call->offset, arena, result);
    result->is_null |= outcome != EVS_AGG_FITS;
    return outcome;
}

const struct evs_agg_failure *evs_agg_failure(enum evs_agg_outcome outcome)
{
    static const struct evs_agg_failure failures[] = {
        [EVS_AGG_FITS] = {"", "", NULL},
        [EVS_AGG_OVERFLOW] = {"overflow", "R0201", "the result does not fit its type"},
        [EVS_AGG_NEGATIVE_WEIGHT] = {"negative_weight", "R0203", "a weight is below zero, or no number"},
        [EVS_AGG_TOO_LARGE] =
            {"group_too_large", "R0202",
             "the values that this aggregate keeps of one group are more than `set aggregate_bytes` allows"},
    };
    EVS_ASSERT(outcome < EVS_COUNT(failures));
    return &failures[outcome];
}

/* --- values ------------------------------------------------------------------------------------------------------------------------------------ */

__int128 evs_agg_interval_length(const void *element)
{
    struct evs_interval interval;
    memcpy(&interval, element, sizeof interval);
    return ((__int128)interval.months * 30 + interval.days) * INT64_C(86400000000) + interval.us;
}

double evs_agg_number_at(const struct evs_column *column, uint32_t row)
{
    if (column->kind == EVS_FLOAT64) {
        return *EVS_COLUMN_AT(column, double, row);
    }
    if (column->kind == EVS_INT64) {
        return (double)*EVS_COLUMN_AT(column, int64_t, row);
    }
    evs_numeric value;
    EVS_ASSERT(column->kind == EVS_NUMERIC);
    memcpy(&value, element_at(column, row), sizeof value);
    return evs_numeric_to_float64(value);
}

uint64_t evs_agg_float_code(double number)
{
    if (number != number) {
        return 0;
    }
    uint64_t bits = evs_key_bits_float64(number), sign = UINT64_C(1) << 63;
    return (bits & sign) != 0 ? ~bits : bits | sign;
}

double evs_agg_float_of_code(uint64_t code)
{
    uint64_t sign = UINT64_C(1) << 63, bits = (code & sign) != 0 ? code ^ sign : ~code;
    double number;
    memcpy(&number, &bits, sizeof number); /* ~0 is a NaN */
    return number;
}

#define COMPARE_AS(type)                                                                                               \
    {                                                                                                                  \
        type a_value, b_value;                                                                                         \
        memcpy(&a_value, a, sizeof a_value);                                                                           \
        memcpy(&b_value, b, sizeof b_value);                                                                           \
        return a_value < b_value ? -1 : a_value > b_value;                                                             \
    }

int evs_agg_compare(enum evs_kind kind, const void *a, const void *b)
{
    switch (kind) {
    case EVS_BOOL:
        COMPARE_AS(uint8_t)
    case EVS_FLOAT64:
        COMPARE_AS(double)
    case EVS_NUMERIC:
        COMPARE_AS(evs_numeric)
    case EVS_INTERVAL: {
        __int128 a_length = evs_agg_interval_length(a), b_length = evs_agg_interval_length(b);
        return a_length < b_length ? -1 : a_length > b_length;
    }
    default:
        break;
    }
    if (evs_kind_is_var(kind)) {
        return evs_str_compare(a, b);
    }
    COMPARE_AS(int64_t)
}

struct evs_slice evs_agg_element_bytes(enum evs_kind kind, const void *element, uint8_t bits[16])
{
    if (evs_kind_is_var(kind)) {
        const struct evs_str *text = element;
        return (struct evs_slice){evs_str_data(text), text->count};
    }
    uint32_t width = evs_kind_width(kind);
    memcpy(bits, element, width);
    if (kind == EVS_FLOAT64) {
        double number;
        memcpy(&number, element, sizeof number);
        uint64_t word = evs_key_bits_float64(number);
        memcpy(bits, &word, sizeof word);
    }
    return (struct evs_slice){(const char *)bits, width};
}

bool evs_agg_is_value(const struct evs_type *type, struct evs_slice bytes)
{
    if (evs_kind_is_nested(type->kind)) {
        return evs_nested_valid(bytes.data, bytes.count, type);
    }
    if (evs_kind_is_var(type->kind)) {
        return type->kind == EVS_BYTES || evs_utf8_valid(bytes.data, bytes.count);
    }
    return bytes.count == evs_kind_width(type->kind);
}

void evs_agg_element_value(enum evs_kind kind, struct evs_slice bytes, struct evs_value *value)
{
    value->is_null = false;
    if (evs_kind_is_var(kind)) {
        value->kind = kind;
        value->str = evs_str_make(bytes.data, (uint32_t)bytes.count);
        return;
    }
    EVS_ASSERT(bytes.count == evs_kind_width(kind));
    value_from_bits(kind, bytes.data, value);
}

/* --- bags ---------------------------------------------------------------------------------------------------------------------------------- */

void evs_agg_renew_bag(struct evs_table *table, struct acc_bag *acc, uint32_t detail)
{
    table->garbage_bytes += evs_bag_held(acc->bag);
    acc->bag = EVS_ARENA_NEW(&table->arena, struct agg_bag);
    acc->detail = detail;
}

/* An empty bag stays, so that the next snapshot empties the stored one. */
static void give_up(struct evs_table *table, struct acc_bag *acc)
{
    evs_agg_renew_bag(table, acc, acc->detail);
    acc->is_too_large = 1;
}

void evs_agg_check_bytes(const struct agg_call *call, struct evs_table *table, struct acc_bag *acc)
{
    EVS_ASSERT(call->has_parts && acc->bag != NULL);
    if (EVS_UNLIKELY(acc->bag->used > call->config->bytes_max)) {
        give_up(table, acc);
    }
}

bool evs_agg_merge_failure(struct evs_table *table, struct acc_bag *into, const struct acc_bag *from)
{
    if (from->is_too_large != 0 && into->is_too_large == 0) {
        give_up(table, into);
    }
    return into->is_too_large != 0;
}

/* --- memory ------------------------------------------------------------------------------------------------------------------------------------ */

static uint32_t long_texts(const struct agg_call *call, uint8_t *at, struct evs_str *texts[AGG_TEXTS_MAX])
{
    struct evs_str *all[AGG_TEXTS_MAX];
    uint32_t count = 0, all_count = call->kind->texts == NULL ? 0 : call->kind->texts(call, at, all);
    for (uint32_t i = 0; i < all_count; i++) {
        if (all[i]->count > EVS_STR_INLINE_MAX) {
            texts[count++] = all[i];
        }
    }
    return count;
}

size_t evs_agg_held(const struct agg_call *call, const uint8_t *values)
{
    const uint8_t *at = values + call->offset;
    if (call->has_parts) {
        return evs_bag_held(((const struct acc_bag *)at)->bag);
    }
    struct evs_str *texts[AGG_TEXTS_MAX];
    size_t bytes = 0;
    for (uint32_t i = 0, count = long_texts(call, (uint8_t *)at, texts); i < count; i++) {
        bytes += texts[i]->count;
    }
    return bytes;
}

void evs_agg_move(const struct agg_call *call, struct evs_arena *to, uint8_t *values)
{
    uint8_t *at = values + call->offset;
    if (call->has_parts) {
        struct acc_bag *acc = (struct acc_bag *)at;
        acc->bag = acc->bag == NULL ? NULL : evs_bag_move(acc->bag, to);
        return;
    }
    struct evs_str *texts[AGG_TEXTS_MAX];
    for (uint32_t i = 0, count = long_texts(call, at, texts); i < count; i++) {
        *texts[i] = evs_str_keep(to, texts[i]);
    }
}

/* --- snapshots ------------------------------------------------------------------------------------------------------------------------------ */

void evs_agg_save(const struct agg_call *call, uint8_t *stored, struct evs_buffer *variable)
{
    uint8_t *at = stored + call->offset;
    if (call->has_parts) {
        ((struct acc_bag *)at)->bag = NULL;
        return;
    }
    struct evs_str *texts[AGG_TEXTS_MAX];
    for (uint32_t i = 0, count = long_texts(call, at, texts); i < count; i++) {
        evs_buffer_put(variable, texts[i]->pointer, texts[i]->count);
        texts[i]->pointer = NULL;
    }
}

bool evs_agg_load(const struct agg_call *call, struct evs_table *table, uint8_t *values, const uint8_t *stored,
                  struct evs_slice *variable)
{
    return evs_agg_load_at(call, table, values, stored + call->offset, variable);
}

bool evs_agg_skip_at(const struct agg_call *call, const uint8_t *at, struct evs_slice *variable)
{
    struct evs_str *texts[AGG_TEXTS_MAX];
    for (uint32_t i = 0, count = call->has_parts ? 0 : long_texts(call, (uint8_t *)at, texts); i < count; i++) {
        if (texts[i]->count > variable->count) {
            return false;
        }
        *variable = (struct evs_slice){variable->data + texts[i]->count, variable->count - texts[i]->count};
    }
    return true;
}

bool evs_agg_load_at(const struct agg_call *call, struct evs_table *table, uint8_t *values, const uint8_t *stored,
                     struct evs_slice *variable)
{
    uint8_t *at = values + call->offset;
    struct agg_bag *bag = call->has_parts ? ((struct acc_bag *)at)->bag : NULL;
    table->garbage_bytes += call->has_parts ? 0 : evs_agg_held(call, values);
    memcpy(at, stored, call->bytes);
    if (call->has_parts) {
        ((struct acc_bag *)at)->bag = bag;
        return true;
    }
    struct evs_str *texts[AGG_TEXTS_MAX];
    for (uint32_t i = 0, count = long_texts(call, at, texts); i < count; i++) {
        if (texts[i]->count > variable->count) {
            memset(at, 0, call->bytes); /* it may hold texts that were not read: nothing must follow their pointers */
            return false;
        }
        *texts[i] = (struct evs_str){.count = texts[i]->count};
        struct evs_str borrowed = evs_str_make(variable->data, texts[i]->count);
        *texts[i] = evs_str_keep(&table->arena, &borrowed);
        variable->data += borrowed.count;
        variable->count -= borrowed.count;
    }
    return true;
}

void evs_agg_save_parts(const struct agg_call *call, uint8_t *values, bool full, evs_agg_put_part *put, void *argument)
{
    struct acc_bag *acc = (struct acc_bag *)(values + call->offset);
    EVS_ASSERT(call->has_parts);
    if (acc->bag != NULL) {
        struct agg_part_writer writer = {put, argument, acc->detail, full};
        evs_bag_save(acc->bag, call->kind->shape(call, acc->detail), &writer);
    }
}

bool evs_agg_load_part(const struct agg_call *call, struct evs_table *table, uint8_t *values, struct evs_slice part)
{
    struct acc_bag *acc = (struct acc_bag *)(values + call->offset);
    if (!call->has_parts || !evs_bag_part_detail(part, &acc->detail) || acc->detail > call->kind->detail_max) {
        return false;
    }
    struct agg_part_reader reader = {table, call->kind->shape(call, acc->detail), call->kind->is_valid, call};
    return evs_bag_load(&acc->bag, &reader, part);
}
