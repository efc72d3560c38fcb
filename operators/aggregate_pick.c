/* Functions that keep the value of one row: min, max, first, last, any_value, min_by, max_by.
 *
 *   min, max                value (16 bytes), int64 has-value
 *   first, last, any_value  order of the row (time, major, minor, ordinal), flags, value (16 bytes)
 *   min_by, max_by          the same, and the value that is compared (16 bytes)
 *
 * Which row is kept never depends on the order of arrival: the order of the key decides, and for rows at one place of it (results of one window,
 * of several groups) the values do. */
#include "aggregate_kind.h"

struct acc_extreme {
    uint8_t value[16];
    int64_t has;
};
struct acc_ordered {
    struct agg_order order;
    uint8_t has, is_null;
    uint8_t value[16] __attribute__((aligned(8)));
};
struct acc_by {
    struct acc_ordered row; /* the value that is given */
    uint8_t by[16];         /* the value that is compared */
};

static void forget_text(struct evs_table *table, const uint8_t *value)
{
    struct evs_str text;
    memcpy(&text, value, sizeof text);
    table->garbage_bytes += text.count > EVS_STR_INLINE_MAX ? text.count : 0;
}

/* Copies an element into 16 bytes, text into the arena. What stood there, if it was a value, becomes garbage. */
static void keep_element(struct evs_table *table, enum evs_kind kind, const void *element, uint8_t *to, bool had_value)
{
    if (evs_kind_is_var(kind)) {
        if (had_value) {
            forget_text(table, to);
        }
        struct evs_str kept = evs_str_keep(&table->arena, element);
        memcpy(to, &kept, sizeof kept);
    } else {
        memset(to, 0, 16);
        memcpy(to, element, evs_kind_width(kind));
    }
}

/* --- min and max ---------------------------------------------------------------------------------------------------------------------- */

static bool is_nan(enum evs_kind kind, const void *element)
{
    double number;
    if (kind != EVS_FLOAT64) {
        return false;
    }
    memcpy(&number, element, sizeof number);
    return number != number;
}

/* Above 0: `value` is to replace `kept`; 0: they are equal. A NaN wins (GoogleSQL). */
static int compare_extreme(enum evs_kind kind, bool wants_less, const void *value, const void *kept)
{
    bool value_is_nan = is_nan(kind, value), kept_is_nan = is_nan(kind, kept);
    if (value_is_nan || kept_is_nan) {
        return (int)value_is_nan - (int)kept_is_nan;
    }
    int order = evs_agg_compare(kind, value, kept);
    return wants_less ? -order : order;
}

static void add_extreme(const struct agg_call *call, struct evs_table *table, struct acc_extreme *acc,
                        const void *element)
{
    enum evs_kind kind = argument_kind(call, 0);
    if (acc->has == 0 || compare_extreme(kind, call->config->kind == EVS_AGG_MIN, element, acc->value) > 0) {
        keep_element(table, kind, element, acc->value, acc->has != 0);
        acc->has = 1;
    }
}

static void update_extreme(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    FOR_VALUES(struct acc_extreme)
    {
        add_extreme(call, rows->tables[i], acc, element_at(column, rows->rows[i]));
    }
}

static void merge_extreme(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    const struct acc_extreme *other = (const struct acc_extreme *)from;
    if (other->has != 0) {
        add_extreme(call, table, (struct acc_extreme *)into, other->value);
    }
}

static enum evs_agg_outcome result_extreme(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                           struct evs_value *result)
{
    const struct acc_extreme *acc = (const struct acc_extreme *)at;
    (void)call;
    (void)arena;
    result->is_null = acc->has == 0;
    value_from_bits(result->kind, acc->value, result);
    return EVS_AGG_FITS;
}

static uint32_t texts_extreme(const struct agg_call *call, uint8_t *at, struct evs_str *texts[AGG_TEXTS_MAX])
{
    struct acc_extreme *acc = (struct acc_extreme *)at;
    texts[0] = (struct evs_str *)acc->value;
    return evs_kind_is_var(argument_kind(call, 0)) && acc->has != 0;
}

/* --- first, last, any_value --------------------------------------------------------------------------------------------------------- */

/* NULL is the least; then, as the values decide only where the order of the key does not, their bytes are compared. */
static int compare_value(enum evs_kind kind, const void *a, const void *b)
{
    if (a == NULL || b == NULL) {
        return (b == NULL) - (a == NULL);
    }
    return evs_kind_is_var(kind) ? evs_str_compare(a, b) : memcmp(a, b, evs_kind_width(kind));
}

static const void *ordered_element(const struct acc_ordered *acc)
{
    return acc->is_null ? NULL : acc->value;
}

static int compare_ordered(enum evs_kind kind, const struct acc_ordered *acc, const struct agg_order *order,
                           const void *element)
{
    int by_order = compare_orders(order, &acc->order);
    return by_order != 0 ? by_order : compare_value(kind, element, ordered_element(acc));
}

/* `element` NULL: the value is NULL. */
static void keep_ordered(struct evs_table *table, enum evs_kind kind, struct acc_ordered *acc,
                         const struct agg_order *order, const void *element)
{
    bool had_value = acc->has && !acc->is_null;
    acc->order = *order;
    acc->has = 1;
    acc->is_null = element == NULL;
    if (element != NULL) {
        keep_element(table, kind, element, acc->value, had_value);
    } else {
        if (had_value && evs_kind_is_var(kind)) {
            forget_text(table, acc->value);
        }
        memset(acc->value, 0, sizeof acc->value);
    }
}

static void add_ordered(const struct agg_call *call, struct evs_table *table, struct acc_ordered *acc,
                        const struct agg_order *order, const void *element)
{
    enum evs_kind kind = argument_kind(call, 0);
    int compared = acc->has ? compare_ordered(kind, acc, order, element) : 0;
    if (!acc->has || (call->config->kind == EVS_AGG_LAST ? compared > 0 : compared < 0)) {
        keep_ordered(table, kind, acc, order, element);
    }
}

static void update_ordered(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *column = argument_column(call, rows, 0);
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = rows->rows[i];
        const void *element = evs_column_is_valid(column, row) ? element_at(column, row) : NULL;
        if (element != NULL || !call->config->ignore_nulls) {
            struct agg_order order = order_of_row(rows->batch, row);
            add_ordered(call, rows->tables[i], accumulator_of(call, rows, i), &order, element);
        }
    }
}

static void merge_ordered(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    const struct acc_ordered *other = (const struct acc_ordered *)from;
    if (other->has) {
        add_ordered(call, table, (struct acc_ordered *)into, &other->order, ordered_element(other));
    }
}

static enum evs_agg_outcome result_ordered(const struct agg_call *call, const uint8_t *at, struct evs_arena *arena,
                                           struct evs_value *result)
{
    const struct acc_ordered *acc = (const struct acc_ordered *)at;
    (void)call;
    (void)arena;
    result->is_null = !acc->has || acc->is_null;
    value_from_bits(result->kind, acc->value, result);
    return EVS_AGG_FITS;
}

static uint32_t texts_ordered(const struct agg_call *call, uint8_t *at, struct evs_str *texts[AGG_TEXTS_MAX])
{
    struct acc_ordered *acc = (struct acc_ordered *)at;
    texts[0] = (struct evs_str *)acc->value;
    return evs_kind_is_var(argument_kind(call, 0)) && acc->has && !acc->is_null;
}

/* --- min_by, max_by ------------------------------------------------------------------------------------------------------------------- */

static void add_by(const struct agg_call *call, struct evs_table *table, struct acc_by *acc,
                   const struct agg_order *order, const void *element, const void *by)
{
    enum evs_kind kind = argument_kind(call, 0), by_kind = argument_kind(call, 1);
    bool has = acc->row.has;
    if (has) {
        int compared = compare_extreme(by_kind, call->config->kind == EVS_AGG_MIN_BY, by, acc->by);
        if (compared < 0 || (compared == 0 && compare_ordered(kind, &acc->row, order, element) >= 0)) {
            return;
        }
    }
    keep_ordered(table, kind, &acc->row, order, element);
    keep_element(table, by_kind, by, acc->by, has);
}

static void update_by(const struct agg_call *call, const struct agg_rows *rows)
{
    const struct evs_column *values = argument_column(call, rows, 0), *bys = argument_column(call, rows, 1);
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = rows->rows[i];
        const void *element = evs_column_is_valid(values, row) ? element_at(values, row) : NULL;
        if (evs_column_is_valid(bys, row) && (element != NULL || !call->config->ignore_nulls)) {
            struct agg_order order = order_of_row(rows->batch, row);
            add_by(call, rows->tables[i], accumulator_of(call, rows, i), &order, element, element_at(bys, row));
        }
    }
}

static void merge_by(const struct agg_call *call, struct evs_table *table, uint8_t *into, const uint8_t *from)
{
    const struct acc_by *other = (const struct acc_by *)from;
    if (other->row.has) {
        add_by(call, table, (struct acc_by *)into, &other->row.order, ordered_element(&other->row), other->by);
    }
}

static uint32_t texts_by(const struct agg_call *call, uint8_t *at, struct evs_str *texts[AGG_TEXTS_MAX])
{
    struct acc_by *acc = (struct acc_by *)at;
    uint32_t count = texts_ordered(call, at, texts);
    if (acc->row.has && evs_kind_is_var(argument_kind(call, 1))) {
        texts[count++] = (struct evs_str *)acc->by;
    }
    return count;
}

const struct agg_kind *evs_agg_pick_kind(const struct evs_aggregate_call *config)
{
    static const struct agg_kind extreme = {.bytes = sizeof(struct acc_extreme),
                                            .update = update_extreme,
                                            .merge = merge_extreme,
                                            .result = result_extreme,
                                            .texts = texts_extreme};
    static const struct agg_kind ordered = {.bytes = sizeof(struct acc_ordered),
                                            .update = update_ordered,
                                            .merge = merge_ordered,
                                            .result = result_ordered,
                                            .texts = texts_ordered};
    static const struct agg_kind by = {.bytes = sizeof(struct acc_by),
                                       .update = update_by,
                                       .merge = merge_by,
                                       .result = result_ordered,
                                       .texts = texts_by};
    switch (config->kind) {
    case EVS_AGG_MIN:
    case EVS_AGG_MAX:
        return &extreme;
    case EVS_AGG_MIN_BY:
    case EVS_AGG_MAX_BY:
        EVS_ASSERT(config->argument_count == 2);
        return &by;
    default:
        EVS_ASSERT(config->kind == EVS_AGG_FIRST || config->kind == EVS_AGG_LAST || config->kind == EVS_AGG_ANY_VALUE);
        return &ordered;
    }
}
