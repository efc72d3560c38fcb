#include "value_order.h"

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_floats(double a, double b)
{
    bool a_is_nan = a != a, b_is_nan = b != b;
    return a_is_nan || b_is_nan ? b_is_nan - a_is_nan : COMPARE(a, b);
}

static __int128 interval_length(struct evs_interval interval)
{
    const int64_t day_us = INT64_C(86400000000);
    __int128 days = (__int128)interval.months * 30 + interval.days;
    return days * day_us + interval.us;
}

static int compare_intervals(struct evs_interval a, struct evs_interval b)
{
    __int128 left = interval_length(a), right = interval_length(b);
    int order = COMPARE(left, right);
    order = order != 0 ? order : COMPARE(a.months, b.months);
    return order != 0 ? order : COMPARE(a.days, b.days);
}

int evs_value_compare(const struct evs_value *a, const struct evs_value *b)
{
    EVS_ASSERT(a->kind == b->kind);
    if (a->is_null || b->is_null) {
        return (int)b->is_null - (int)a->is_null;
    }
    switch (a->kind) {
    case EVS_BOOL:
        return (int)a->boolean - (int)b->boolean;
    case EVS_FLOAT64:
        return compare_floats(a->float64, b->float64);
    case EVS_NUMERIC:
        return COMPARE(a->numeric, b->numeric);
    case EVS_INTERVAL:
        return compare_intervals(a->interval, b->interval);
    default:
        return evs_kind_is_var(a->kind) ? evs_str_compare(&a->str, &b->str) : COMPARE(a->int64, b->int64);
    }
}

static int compare_term(const struct evs_row_layout *layout, const struct evs_order_term *term, const struct evs_row *a,
                        const struct evs_row *b)
{
    bool a_is_null = evs_row_is_null(layout, a, term->column), b_is_null = evs_row_is_null(layout, b, term->column);
    if (a_is_null || b_is_null) {
        int first = (int)b_is_null - (int)a_is_null;
        return term->nulls_last ? -first : first;
    }
    struct evs_value left = evs_row_value(layout, a, term->column), right = evs_row_value(layout, b, term->column);
    int order = evs_value_compare(&left, &right);
    return term->descending ? -order : order;
}

int evs_order_compare(const struct evs_row_layout *layout, const struct evs_order_term *terms, uint32_t count,
                      const struct evs_row *a, const struct evs_row *b)
{
    for (uint32_t i = 0; i < count; i++) {
        EVS_ASSERT(terms[i].column < layout->column_count);
        int order = compare_term(layout, &terms[i], a, b);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

int evs_tie_compare(const struct evs_row_layout *layout, const struct evs_row *a, const struct evs_row *b)
{
    int order = evs_row_compare(a, b);
    for (uint32_t i = 0; order == 0 && i < layout->column_count; i++) {
        struct evs_value left = evs_row_value(layout, a, i), right = evs_row_value(layout, b, i);
        order = evs_value_compare(&left, &right);
    }
    return order;
}
