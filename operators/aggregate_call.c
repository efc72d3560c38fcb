/* Accumulators (aggregate_call.h). One loop a function and type: the loops are on the path of every row. */
#include "aggregate_call.h"

#include "evstream/keys.h"

typedef __int128 int128;

struct acc_sum128 {
    uint64_t low, high; /* of an int128; entries are aligned to 8 bytes only */
    int64_t count;
};
struct acc_sum_float {
    double sum, compensation;
    int64_t count;
};
struct acc_extreme {
    uint8_t value[16];
    int64_t has;
};
struct acc_ordered {
    int64_t time_us;
    uint64_t major, minor;
    uint32_t ordinal;
    uint8_t has, is_null;
    uint16_t reserved;
    uint8_t value[16];
};

static bool is_sum(enum evs_aggregate_kind kind)
{
    return kind == EVS_AGG_SUM || kind == EVS_AGG_AVG;
}

static bool is_extreme(enum evs_aggregate_kind kind)
{
    return kind == EVS_AGG_MIN || kind == EVS_AGG_MAX;
}

static bool is_ordered(enum evs_aggregate_kind kind)
{
    return kind == EVS_AGG_FIRST || kind == EVS_AGG_LAST || kind == EVS_AGG_ANY_VALUE;
}

uint32_t evs_agg_bytes(const struct evs_aggregate_call *config)
{
    if (is_sum(config->kind)) {
        return config->argument_kind == EVS_FLOAT64 ? sizeof(struct acc_sum_float) : sizeof(struct acc_sum128);
    }
    if (is_extreme(config->kind)) {
        return sizeof(struct acc_extreme);
    }
    return is_ordered(config->kind) ? sizeof(struct acc_ordered) : sizeof(int64_t);
}

/* Calls the body for each row whose argument is not NULL. `acc` is its accumulator. */
#define FOR_VALUES(acc_type)                                                                                           \
    for (uint32_t i = 0; i < rows->count; i++)                                                                         \
        if (evs_column_is_valid(column, rows->rows[i]))                                                                \
            for (acc_type *acc = (acc_type *)(rows->values[i] + call->offset); acc != NULL; acc = NULL)

static const struct evs_column *argument_of(const struct agg_call *call, const struct agg_rows *rows)
{
    return &rows->batch->columns[call->config->argument];
}

/* --- counts ------------------------------------------------------------------------------------------------------------------------ */

static void update_count_rows(const struct agg_call *call, const struct agg_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        ++*(int64_t *)(rows->values[i] + call->offset);
    }
}

static void update_count(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_of(call, rows);
    FOR_VALUES(int64_t)
    {
        ++*acc;
    }
}

static void update_countif(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_of(call, rows);
    FOR_VALUES(int64_t)
    {
        *acc += *EVS_COLUMN_AT(column, uint8_t, rows->rows[i]) != 0;
    }
}

/* --- sums --------------------------------------------------------------------------------------------------------------------------- */

static int128 sum128_get(const struct acc_sum128 *acc)
{
    return (int128)(((unsigned __int128)acc->high << 64) | acc->low);
}

static void sum128_add(struct acc_sum128 *acc, int128 value)
{
    int128 sum;
    if (acc->count < 0 || __builtin_add_overflow(sum128_get(acc), value, &sum)) {
        acc->count = -1;
        return;
    }
    acc->low = (uint64_t)sum;
    acc->high = (uint64_t)((unsigned __int128)sum >> 64);
    acc->count++;
}

static void update_sum_int64(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_of(call, rows);
    FOR_VALUES(struct acc_sum128)
    {
        sum128_add(acc, *EVS_COLUMN_AT(column, int64_t, rows->rows[i]));
    }
}

static void update_sum_numeric(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_of(call, rows);
    FOR_VALUES(struct acc_sum128)
    {
        evs_numeric value;
        memcpy(&value, EVS_COLUMN_AT(column, struct evs_str, rows->rows[i]), sizeof value);
        sum128_add(acc, value);
    }
}

static void update_sum_float64(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_of(call, rows);
    FOR_VALUES(struct acc_sum_float)
    {
        double value = *EVS_COLUMN_AT(column, double, rows->rows[i]);
        double sum = acc->sum + value;
        double lost =
            __builtin_fabs(acc->sum) >= __builtin_fabs(value) ? (acc->sum - sum) + value : (value - sum) + acc->sum;
        acc->sum = sum;
        acc->compensation += lost;
        acc->count++;
    }
}

static void update_sum(const struct agg_call *call, const struct agg_rows *rows)
{
    switch (call->config->argument_kind) {
    case EVS_FLOAT64:
        update_sum_float64(call, rows);
        break;
    case EVS_NUMERIC:
        update_sum_numeric(call, rows);
        break;
    default:
        EVS_ASSERT(call->config->argument_kind == EVS_INT64);
        update_sum_int64(call, rows);
    }
}

/* An infinite sum has no meaningful compensation: inf - inf would make it NaN. */
static double float_total(const struct acc_sum_float *acc)
{
    return __builtin_isfinite(acc->sum) ? acc->sum + acc->compensation : acc->sum;
}

static bool sum_result(const struct agg_call *call, const uint8_t *at, struct evs_value *result)
{
    bool average = call->config->kind == EVS_AGG_AVG;
    if (call->config->argument_kind == EVS_FLOAT64) {
        const struct acc_sum_float *acc = (const struct acc_sum_float *)at;
        result->is_null = acc->count == 0;
        result->float64 = acc->count == 0 ? 0 : float_total(acc) / (average ? (double)acc->count : 1);
        return true;
    }
    const struct acc_sum128 *acc = (const struct acc_sum128 *)at;
    int128 sum = sum128_get(acc);
    result->is_null = acc->count == 0;
    if (acc->count <= 0) {
        return acc->count == 0;
    }
    if (call->config->argument_kind == EVS_INT64) {
        result->int64 = (int64_t)sum;
        if (average) {
            result->float64 = (double)sum / (double)acc->count;
        }
        return average || sum == (int128)(int64_t)sum;
    }
    bool fits = sum <= evs_numeric_max() && sum >= -evs_numeric_max();
    result->numeric = sum;
    if (average && fits) {
        return evs_numeric_divide(sum, (evs_numeric)acc->count * EVS_NUMERIC_ONE, &result->numeric);
    }
    return fits;
}

/* --- min and max ---------------------------------------------------------------------------------------------------------------------- */

static int
compare_float64(double a,
                double b) /* NaN below everything: min and max return it (GoogleSQL) when it is `extreme` below */
{
    return a < b ? -1 : a > b;
}

/* Is `value` to replace `kept`? */
static bool is_better(const struct agg_call *call, const void *value, const void *kept)
{
    bool wants_less = call->config->kind == EVS_AGG_MIN;
    int order;
    switch (call->config->argument_kind) {
    case EVS_BOOL:
        order = (int)*(const uint8_t *)value - (int)*(const uint8_t *)kept;
        break;
    case EVS_FLOAT64: {
        double a, b;
        memcpy(&a, value, 8);
        memcpy(&b, kept, 8);
        if (a != a || b != b) {
            return b == b; /* a NaN replaces any number, and nothing replaces a NaN */
        }
        order = compare_float64(a, b);
        break;
    }
    case EVS_NUMERIC: {
        evs_numeric a, b;
        memcpy(&a, value, 16);
        memcpy(&b, kept, 16);
        order = a < b ? -1 : a > b;
        break;
    }
    case EVS_STRING:
    case EVS_BYTES:
        order = evs_str_compare(value, kept);
        break;
    default: {
        int64_t a, b;
        memcpy(&a, value, 8);
        memcpy(&b, kept, 8);
        order = a < b ? -1 : a > b;
    }
    }
    return wants_less ? order < 0 : order > 0;
}

static const void *element_at(const struct evs_column *column, uint32_t row)
{
    size_t index = (column->flags & EVS_COLUMN_CONSTANT) ? 0 : row;
    return (const uint8_t *)column->data + index * evs_kind_width(column->kind);
}

static void forget_text(struct evs_table *table, const uint8_t *value)
{
    struct evs_str text;
    memcpy(&text, value, sizeof text);
    table->garbage_bytes += text.count > EVS_STR_INLINE_MAX ? text.count : 0;
}

/* Copies a column element into 16 bytes, text into the arena. */
static void keep_element(struct evs_table *table, const struct evs_column *column, const void *element, uint8_t *to)
{
    if (evs_kind_is_var(column->kind)) {
        struct evs_str kept = evs_str_keep(&table->arena, element);
        memcpy(to, &kept, sizeof kept);
    } else {
        memcpy(to, element, evs_kind_width(column->kind));
    }
}

static void update_extreme(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_of(call, rows);
    FOR_VALUES(struct acc_extreme)
    {
        const void *element = element_at(column, rows->rows[i]);
        if (acc->has && !is_better(call, element, acc->value)) {
            continue;
        }
        if (acc->has && evs_kind_is_var(column->kind)) {
            forget_text(rows->tables[i], acc->value);
        }
        keep_element(rows->tables[i], column, element, acc->value);
        acc->has = 1;
    }
}

/* --- first, last, any_value --------------------------------------------------------------------------------------------------------- */

static int compare_order(const struct acc_ordered *acc, const struct evs_batch *batch, uint32_t row)
{
    int64_t time_us = batch->event_time_us[row];
    struct evs_cause cause = batch->cause[row];
    uint32_t ordinal = batch->ordinal == NULL ? 0 : batch->ordinal[row];
    if (time_us != acc->time_us) {
        return time_us < acc->time_us ? -1 : 1;
    }
    if (cause.major != acc->major) {
        return cause.major < acc->major ? -1 : 1;
    }
    if (cause.minor != acc->minor) {
        return cause.minor < acc->minor ? -1 : 1;
    }
    return ordinal < acc->ordinal ? -1 : ordinal > acc->ordinal;
}

/* Rows at one place of the order: results of one window, of several groups. The values decide, NULL first, so that it does not show in which
 * order they came. */
static int compare_value(const struct acc_ordered *acc, const struct evs_column *column, uint32_t row)
{
    bool is_null = !evs_column_is_valid(column, row);
    if (is_null || acc->is_null) {
        return (int)acc->is_null - (int)is_null;
    }
    const void *element = element_at(column, row);
    return evs_kind_is_var(column->kind) ? evs_str_compare(element, (const struct evs_str *)acc->value)
                                          : memcmp(element, acc->value, evs_kind_width(column->kind));
}

static void keep_ordered(struct evs_table *table, struct acc_ordered *acc, const struct evs_batch *batch,
                         const struct evs_column *column, uint32_t row)
{
    if (acc->has && !acc->is_null && evs_kind_is_var(column->kind)) {
        forget_text(table, acc->value);
    }
    acc->time_us = batch->event_time_us[row];
    acc->major = batch->cause[row].major;
    acc->minor = batch->cause[row].minor;
    acc->ordinal = batch->ordinal == NULL ? 0 : batch->ordinal[row];
    acc->has = 1;
    acc->is_null = !evs_column_is_valid(column, row);
    memset(acc->value, 0, sizeof acc->value);
    if (!acc->is_null) {
        keep_element(table, column, element_at(column, row), acc->value);
    }
}

static void update_ordered(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_of(call, rows);
    bool wants_last = call->config->kind == EVS_AGG_LAST;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = rows->rows[i];
        struct acc_ordered *acc = (struct acc_ordered *)(rows->values[i] + call->offset);
        if (call->config->ignore_nulls && !evs_column_is_valid(column, row)) {
            continue;
        }
        int order = acc->has ? compare_order(acc, rows->batch, row) : 0;
        order = order == 0 && acc->has ? compare_value(acc, column, row) : order;
        if (!acc->has || (wants_last ? order > 0 : order < 0)) {
            keep_ordered(rows->tables[i], acc, rows->batch, column, row);
        }
    }
}

/* --- count(distinct) ------------------------------------------------------------------------------------------------------------------ */

#define DISTINCT_SMALL 8u

static uint64_t element_hash(bool is_text, const struct distinct_element *element)
{
    return is_text ? evs_hash64(evs_str_data(&element->bits), element->bits.count)
                   : evs_hash64(element, sizeof *element);
}

static bool element_equal(bool is_text, const struct distinct_element *a, const struct distinct_element *b)
{
    return is_text ? evs_str_equal(&a->bits, &b->bits) : memcmp(a, b, sizeof *a) == 0;
}

static void slot_put(struct distinct *set, uint64_t hash, uint32_t index)
{
    uint32_t at = (uint32_t)hash & set->slot_mask;
    while (set->slots[at] != 0) {
        at = (at + 1) & set->slot_mask;
    }
    set->slots[at] = index + 1;
}

static void distinct_grow(struct distinct *set, struct evs_arena *arena, bool is_text)
{
    uint32_t capacity = set->capacity == 0 ? 4 : set->capacity * 2;
    struct distinct_element *elements = evs_arena_alloc(arena, capacity * sizeof *elements, 8);
    if (set->count > 0) {
        memcpy(elements, set->elements, set->count * sizeof *elements);
    }
    set->elements = elements;
    set->capacity = capacity;
    if (capacity > DISTINCT_SMALL) {
        set->slot_mask = capacity * 2 - 1;
        set->slots = evs_arena_zero(arena, (size_t)capacity * 2 * sizeof *set->slots, 8);
        for (uint32_t i = 0; i < set->count; i++) {
            slot_put(set, element_hash(is_text, &elements[i]), i);
        }
    }
}

static bool distinct_has(const struct distinct *set, bool is_text, const struct distinct_element *element,
                         uint64_t hash)
{
    if (set->slot_mask == 0) {
        for (uint32_t i = 0; i < set->count; i++) {
            if (element_equal(is_text, &set->elements[i], element)) {
                return true;
            }
        }
        return false;
    }
    for (uint32_t at = (uint32_t)hash & set->slot_mask; set->slots[at] != 0; at = (at + 1) & set->slot_mask) {
        if (element_equal(is_text, &set->elements[set->slots[at] - 1], element)) {
            return true;
        }
    }
    return false;
}

struct distinct *evs_distinct_add(struct distinct *set, struct evs_arena *arena, bool is_text,
                                  struct distinct_element element, bool *added)
{
    if (set == NULL) {
        set = EVS_ARENA_NEW(arena, struct distinct);
    }
    uint64_t hash = element_hash(is_text, &element);
    *added = !distinct_has(set, is_text, &element, hash);
    if (!*added) {
        return set;
    }
    if (set->count == set->capacity) {
        distinct_grow(set, arena, is_text);
    }
    if (is_text) {
        element.bits = evs_str_keep(arena, &element.bits);
    }
    set->elements[set->count] = element;
    if (set->slot_mask != 0) {
        slot_put(set, hash, set->count);
    }
    set->count++;
    return set;
}

struct distinct *evs_agg_distinct(const struct agg_call *call, const uint8_t *values)
{
    struct distinct *set;
    memcpy(&set, values + call->offset, sizeof set);
    return set;
}

void evs_agg_set_distinct(const struct agg_call *call, uint8_t *values, struct distinct *set)
{
    memcpy(values + call->offset, &set, sizeof set);
}

static void update_distinct(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_of(call, rows);
    bool is_text = evs_kind_is_var(column->kind);
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = rows->rows[i];
        if (!evs_column_is_valid(column, row)) {
            continue;
        }
        struct distinct_element element = {0};
        bool added;
        memcpy(&element, element_at(column, row), evs_kind_width(column->kind));
        if (column->kind == EVS_FLOAT64) {
            uint64_t bits = evs_key_bits_float64(*EVS_COLUMN_AT(column, double, row));
            memcpy(&element, &bits, sizeof bits);
        }
        struct distinct *set = evs_agg_distinct(call, rows->values[i]);
        evs_agg_set_distinct(call, rows->values[i],
                             evs_distinct_add(set, &rows->tables[i]->arena, is_text, element, &added));
    }
}

/* --- all ---------------------------------------------------------------------------------------------------------------------------------- */

void evs_agg_update(const struct agg_call *call, const struct agg_rows *rows)
{
    switch (call->config->kind) {
    case EVS_AGG_COUNT_ROWS:
        update_count_rows(call, rows);
        break;
    case EVS_AGG_COUNT:
        update_count(call, rows);
        break;
    case EVS_AGG_COUNTIF:
        update_countif(call, rows);
        break;
    case EVS_AGG_COUNT_DISTINCT:
        update_distinct(call, rows);
        break;
    case EVS_AGG_SUM:
    case EVS_AGG_AVG:
        update_sum(call, rows);
        break;
    case EVS_AGG_MIN:
    case EVS_AGG_MAX:
        update_extreme(call, rows);
        break;
    case EVS_AGG_ANY_VALUE:
    case EVS_AGG_FIRST:
    case EVS_AGG_LAST:
        update_ordered(call, rows);
        break;
    }
}

static void value_from_bits(enum evs_kind kind, const uint8_t *bits, struct evs_value *result)
{
    if (kind == EVS_BOOL) {
        result->boolean = bits[0] != 0;
        return;
    }
    memcpy(&result->str, bits, evs_kind_width(kind)); /* the union's members begin at one place */
}

bool evs_agg_result(const struct agg_call *call, const uint8_t *values, struct evs_value *result)
{
    const uint8_t *at = values + call->offset;
    *result = (struct evs_value){.kind = call->config->result_kind};
    if (is_sum(call->config->kind)) {
        return sum_result(call, at, result);
    }
    if (is_extreme(call->config->kind)) {
        const struct acc_extreme *acc = (const struct acc_extreme *)at;
        result->is_null = !acc->has;
        value_from_bits(result->kind, acc->value, result);
        return true;
    }
    if (is_ordered(call->config->kind)) {
        const struct acc_ordered *acc = (const struct acc_ordered *)at;
        result->is_null = !acc->has || acc->is_null;
        value_from_bits(result->kind, acc->value, result);
        return true;
    }
    if (call->config->kind == EVS_AGG_COUNT_DISTINCT) {
        const struct distinct *set = evs_agg_distinct(call, values);
        result->int64 = set == NULL ? 0 : set->count;
        return true;
    }
    memcpy(&result->int64, at, sizeof result->int64);
    return true;
}

struct evs_str *evs_agg_text(const struct agg_call *call, uint8_t *values)
{
    uint8_t *at = values + call->offset;
    struct evs_str *text = NULL;
    if (call->config->argument < 0 || !evs_kind_is_var(call->config->argument_kind)) {
        return NULL;
    }
    if (is_extreme(call->config->kind) && ((struct acc_extreme *)at)->has) {
        text = (struct evs_str *)((struct acc_extreme *)at)->value;
    } else if (is_ordered(call->config->kind) && ((struct acc_ordered *)at)->has &&
               !((struct acc_ordered *)at)->is_null) {
        text = (struct evs_str *)((struct acc_ordered *)at)->value;
    }
    return text != NULL && text->count > EVS_STR_INLINE_MAX ? text : NULL;
}
