/* Single values: stored, kept, compared. */
#include "nested_tools.h"

#include <math.h>

#include "timestamps.h"

enum evs_row evs_call_set(struct evs_call *call, uint32_t row, const struct evs_value *value)
{
    if (value->is_null) {
        return EVS_ROW_NULL;
    }
    EVS_ASSERT(value->kind == call->result->kind);
    void *data = call->result->data;
    if (value->kind == EVS_BOOL) {
        ((uint8_t *)data)[row] = value->boolean;
    } else if (evs_kind_width(value->kind) == 8) {
        ((int64_t *)data)[row] = value->int64; /* float64 shares these bytes */
    } else if (value->kind == EVS_NUMERIC) {
        ((evs_numeric *)data)[row] = value->numeric;
    } else if (value->kind == EVS_INTERVAL) {
        ((struct evs_interval *)data)[row] = value->interval;
    } else {
        EVS_ASSERT(evs_kind_is_var(value->kind));
        ((struct evs_str *)data)[row] = value->str;
    }
    return EVS_ROW_OK;
}

enum evs_row evs_call_set_built(struct evs_call *call, uint32_t row)
{
    struct evs_nested_builder *builder = &call->eval->nested;
    if (evs_nested_bytes(builder) > EVS_TEXT_BYTES_MAX) {
        return EVS_ROW_TOO_LONG;
    }
    ((struct evs_str *)call->result->data)[row] = evs_nested_finish(builder, call->eval->text);
    return EVS_ROW_OK;
}

struct evs_value evs_call_keep(struct evs_call *call, struct evs_value value)
{
    if (!value.is_null && evs_kind_is_var(value.kind) && value.str.count > EVS_STR_INLINE_MAX) {
        value.str = evs_str_make(evs_arena_copy(call->eval->text, value.str.pointer, value.str.count), value.str.count);
    }
    return value;
}

/* Fields are compared one by one: a difference decides, else a NULL leaves it open. */
static int nested_equal(const struct evs_value *a, const struct evs_value *b)
{
    const struct evs_nested x = evs_nested_open(&a->str), y = evs_nested_open(&b->str);
    if (x.count != y.count) {
        return 0;
    }
    int result = 1;
    for (uint32_t i = 0; i < x.count && result != 0; i++) {
        const struct evs_value p = evs_nested_at(&x, i), q = evs_nested_at(&y, i);
        const int equal = evs_value_equal(&p, &q);
        result = equal == 1 ? result : equal;
    }
    return result;
}

int evs_value_equal(const struct evs_value *a, const struct evs_value *b)
{
    if (a->is_null || b->is_null) {
        return -1;
    }
    EVS_ASSERT(a->kind == b->kind);
    switch (a->kind) {
    case EVS_BOOL:
        return a->boolean == b->boolean;
    case EVS_FLOAT64:
        return a->float64 == b->float64;
    case EVS_ARRAY:
    case EVS_STRUCT:
        return nested_equal(a, b);
    default:
        return evs_value_order(a, b) == 0;
    }
}

static __int128 interval_us(const struct evs_interval *interval)
{
    return ((__int128)interval->months * 30 + interval->days) * EVS_US_PER_DAY + interval->us;
}

static int float_order(double a, double b)
{
    if (isnan(a) || isnan(b)) {
        return isnan(b) - isnan(a);
    }
    return (a > b) - (a < b);
}

int evs_value_order(const struct evs_value *a, const struct evs_value *b)
{
    EVS_ASSERT(!a->is_null && !b->is_null && a->kind == b->kind);
    switch (a->kind) {
    case EVS_BOOL:
        return a->boolean - b->boolean;
    case EVS_FLOAT64:
        return float_order(a->float64, b->float64);
    case EVS_NUMERIC:
        return (a->numeric > b->numeric) - (a->numeric < b->numeric);
    case EVS_INTERVAL: {
        const __int128 x = interval_us(&a->interval), y = interval_us(&b->interval);
        return (x > y) - (x < y);
    }
    case EVS_STRING:
    case EVS_BYTES:
    case EVS_JSON:
    case EVS_ARRAY:
    case EVS_STRUCT:
        return evs_str_compare(&a->str, &b->str);
    default:
        return (a->int64 > b->int64) - (a->int64 < b->int64);
    }
}
