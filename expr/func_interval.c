/* Intervals: months, days and microseconds, three numbers that are kept apart, because a month has no fixed length. */
#include "kernel.h"
#include "time_parts.h"

/* GoogleSQL's limits: 10,000 years, in each of the three. */
#define MONTHS_MAX 120000
#define DAYS_MAX 3660000
#define US_MAX (INT64_C(87840000) * EVS_US_PER_HOUR)

static enum evs_row store(__int128 months, __int128 days, __int128 us, struct evs_interval *out)
{
    if (months > MONTHS_MAX || months < -MONTHS_MAX || days > DAYS_MAX || days < -DAYS_MAX || us > US_MAX ||
        us < -US_MAX) {
        return EVS_ROW_OVERFLOW;
    }
    *out = (struct evs_interval){(int32_t)months, (int32_t)days, (int64_t)us};
    return EVS_ROW_OK;
}

static inline enum evs_row add_row(struct evs_call *call, const struct evs_interval *a, const struct evs_interval *b,
                                   struct evs_interval *out)
{
    (void)call;
    return store((__int128)a->months + b->months, (__int128)a->days + b->days, (__int128)a->us + b->us, out);
}
static inline enum evs_row subtract_row(struct evs_call *call, const struct evs_interval *a,
                                        const struct evs_interval *b, struct evs_interval *out)
{
    (void)call;
    return store((__int128)a->months - b->months, (__int128)a->days - b->days, (__int128)a->us - b->us, out);
}
static inline enum evs_row multiply_row(struct evs_call *call, const struct evs_interval *a, const int64_t *b,
                                        struct evs_interval *out)
{
    (void)call;
    return store((__int128)a->months * *b, (__int128)a->days * *b, (__int128)a->us * *b, out);
}
static inline enum evs_row multiplied_row(struct evs_call *call, const int64_t *a, const struct evs_interval *b,
                                          struct evs_interval *out)
{
    return multiply_row(call, b, a, out);
}
/* What is left of the months goes to the days (30 of them), and what is left of those to the microseconds. */
static inline enum evs_row divide_row(struct evs_call *call, const struct evs_interval *a, const int64_t *b,
                                      struct evs_interval *out)
{
    (void)call;
    if (*b == 0) {
        return EVS_ROW_DIVISION;
    }
    const __int128 days = (__int128)a->days + a->months % *b * 30;
    const __int128 us = (__int128)a->us + days % *b * EVS_US_PER_DAY;
    return store((__int128)a->months / *b, days / *b, us / *b, out);
}
static inline enum evs_row negate_row(struct evs_call *call, const struct evs_interval *a, struct evs_interval *out)
{
    (void)call;
    return store(-(__int128)a->months, -(__int128)a->days, -(__int128)a->us, out);
}
EVS_ROW_KERNEL_2(add_intervals, add_row, struct evs_interval, struct evs_interval, struct evs_interval)
EVS_ROW_KERNEL_2(subtract_intervals, subtract_row, struct evs_interval, struct evs_interval, struct evs_interval)
EVS_ROW_KERNEL_2(multiply_interval, multiply_row, struct evs_interval, int64_t, struct evs_interval)
EVS_ROW_KERNEL_2(multiplied_interval, multiplied_row, int64_t, struct evs_interval, struct evs_interval)
EVS_ROW_KERNEL_2(divide_interval, divide_row, struct evs_interval, int64_t, struct evs_interval)
EVS_ROW_KERNEL_1(negate_interval, negate_row, struct evs_interval, struct evs_interval)

/* --- interval n part ---------------------------------------------------------------------------------------------- */

static evs_status prepare_unit(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                               struct evs_error *error)
{
    const uint32_t allowed = EVS_PARTS_CLOCK | EVS_PART_BIT(EVS_TIME_DAY) | EVS_PART_BIT(EVS_TIME_WEEK) |
                             EVS_PART_BIT(EVS_TIME_MONTH) | EVS_PART_BIT(EVS_TIME_QUARTER) |
                             EVS_PART_BIT(EVS_TIME_YEAR);
    return evs_prepare_part(arena, expr, allowed, prepared, error);
}

static inline enum evs_row make_row(struct evs_call *call, const int64_t *a, struct evs_interval *out)
{
    const enum evs_time_part part = evs_call_part(call).part;
    switch (part) {
    case EVS_TIME_YEAR:
        return store((__int128)*a * 12, 0, 0, out);
    case EVS_TIME_QUARTER:
        return store((__int128)*a * 3, 0, 0, out);
    case EVS_TIME_MONTH:
        return store(*a, 0, 0, out);
    case EVS_TIME_WEEK:
        return store(0, (__int128)*a * 7, 0, out);
    case EVS_TIME_DAY:
        return store(0, *a, 0, out);
    default:
        return store(0, 0, (__int128)*a * evs_part_us(part), out);
    }
}
EVS_ROW_KERNEL_1(make_interval, make_row, int64_t, struct evs_interval)

#define IV EVS_INTERVAL
#define MAY_FAIL EVS_CALL_FALLIBLE
static const struct evs_overload overloads[] = {
    EVS_TIME_OVERLOAD("+", add_intervals, IV, 2, MAY_FAIL, IV, IV),
    EVS_TIME_OVERLOAD("-", subtract_intervals, IV, 2, MAY_FAIL, IV, IV),
    EVS_TIME_OVERLOAD("-", negate_interval, IV, 1, MAY_FAIL, IV),
    EVS_TIME_OVERLOAD("*", multiply_interval, IV, 2, MAY_FAIL, IV, EVS_INT64),
    EVS_TIME_OVERLOAD("*", multiplied_interval, IV, 2, MAY_FAIL, EVS_INT64, IV),
    EVS_TIME_OVERLOAD("/", divide_interval, IV, 2, MAY_FAIL, IV, EVS_INT64),
    EVS_TIME_PREPARED("interval", make_interval, prepare_unit, IV, 2, MAY_FAIL, EVS_INT64, EVS_ARG_PART),
};
static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION("interval", "interval int64 part → interval", "A length of time: interval 5 minute.",
                      "interval 36 hour", "0-0 0 36:0:0"),
};

const struct evs_family evs_family_interval = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
