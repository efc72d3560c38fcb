/* Intervals: months, days and microseconds, three numbers that are kept apart, because a month has no fixed length. */
#include "interval_text.h"
#include "time_parts.h"

static enum evs_row store(__int128 months, __int128 days, __int128 us, struct evs_interval *out)
{
    return evs_interval_store(months, days, us, out) ? EVS_ROW_OK : EVS_ROW_OVERFLOW;
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */

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

/* --- interval n part, interval 'text' part [to part], make_interval ----------------------------------------------- */

#define UNITS                                                                                                          \
    (EVS_PARTS_CLOCK | EVS_PART_BIT(EVS_TIME_DAY) | EVS_PART_BIT(EVS_TIME_WEEK) | EVS_PART_BIT(EVS_TIME_MONTH) |       \
     EVS_PART_BIT(EVS_TIME_QUARTER) | EVS_PART_BIT(EVS_TIME_YEAR))

static evs_status prepare_unit(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                               struct evs_error *error)
{
    return evs_prepare_part(arena, expr, UNITS, prepared, error);
}

/* The fields of a range, from the longest on. */
static int rank_of(enum evs_time_part part)
{
    static const enum evs_time_part parts[] = {EVS_TIME_YEAR, EVS_TIME_MONTH,  EVS_TIME_DAY,
                                               EVS_TIME_HOUR, EVS_TIME_MINUTE, EVS_TIME_SECOND};
    for (int i = 0; i < (int)EVS_COUNT(parts); i++) {
        if (parts[i] == part) {
            return i;
        }
    }
    return -1;
}
static evs_status prepare_range(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                struct evs_error *error)
{
    const evs_status status = evs_prepare_part(arena, expr, UNITS, prepared, error);
    if (status != EVS_OK) {
        return status;
    }
    const struct evs_time_call *time = *prepared;
    const int from = rank_of(time->part.part), to = rank_of(time->part_to.part);
    if (from < 0 || to < 0 || from >= to) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "an interval goes from a longer part to a shorter one of year, month, day, hour, minute and "
                        "second, such as year to month or day to second");
    }
    return EVS_OK;
}

static inline enum evs_row of_count_row(struct evs_call *call, const int64_t *a, struct evs_interval *out)
{
    return evs_interval_of(*a, evs_call_part(call).part, out) ? EVS_ROW_OK : EVS_ROW_OVERFLOW;
}
static inline enum evs_row of_text_row(struct evs_call *call, const struct evs_str *a, struct evs_interval *out)
{
    return evs_read_interval_part(evs_str_slice(a), evs_call_part(call).part, out) ? EVS_ROW_OK : EVS_ROW_CAST;
}
static inline enum evs_row of_range_row(struct evs_call *call, const struct evs_str *a, struct evs_interval *out)
{
    const struct evs_time_call *time = evs_call_time(call);
    return evs_read_interval_range(evs_str_slice(a), time->part.part, time->part_to.part, out) ? EVS_ROW_OK
                                                                                               : EVS_ROW_CAST;
}
EVS_ROW_KERNEL_1(interval_of_count, of_count_row, int64_t, struct evs_interval)
EVS_ROW_KERNEL_1(interval_of_text, of_text_row, struct evs_str, struct evs_interval)
EVS_ROW_KERNEL_1(interval_of_range, of_range_row, struct evs_str, struct evs_interval)

/* Up to six numbers, from years to seconds; what is not there is 0. */
static void make_interval(struct evs_call *call)
{
    struct evs_interval *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        __int128 n[6] = {0};
        for (uint32_t i = 0; i < call->argument_count; i++) {
            n[i] = EVS_ARG(call, i, int64_t)[row * EVS_STRIDE(call, i)];
        }
        EVS_ROW_DONE(call, row,
                     store(n[0] * 12 + n[1], n[2], ((n[3] * 60 + n[4]) * 60 + n[5]) * EVS_US_PER_SECOND, &out[row]));
    }
}

/* --- justify: what is more than a day becomes days, what is more than 30 days becomes months ---------------------- */

/* Brings `low` to the sign of `high`, whose unit is `unit` of low's. */
static void align_signs(int64_t *high, int64_t *low, int64_t unit)
{
    if (*high > 0 && *low < 0) {
        *low += unit;
        --*high;
    } else if (*high < 0 && *low > 0) {
        *low -= unit;
        ++*high;
    }
}

static enum evs_row justify(const struct evs_interval *a, bool hours, bool days_too, struct evs_interval *out)
{
    int64_t months = a->months, days = a->days, us = a->us;
    if (hours) {
        days += us / EVS_US_PER_DAY;
        us %= EVS_US_PER_DAY;
    }
    if (days_too) {
        months += days / 30;
        days %= 30;
        /* Where no day is left it is the clock that decides which way the months go. */
        if (hours && days == 0 && ((months > 0 && us < 0) || (months < 0 && us > 0))) {
            days = months > 0 ? 30 : -30;
            months += months > 0 ? -1 : 1;
        } else {
            align_signs(&months, &days, 30);
        }
    }
    if (hours) {
        align_signs(&days, &us, EVS_US_PER_DAY);
    }
    return store(months, days, us, out);
}
#define JUSTIFY(name, hours, days)                                                                                     \
    static inline enum evs_row name##_row(struct evs_call *call, const struct evs_interval *a,                         \
                                          struct evs_interval *out)                                                    \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        return justify(a, (hours), (days), out);                                                                       \
    }                                                                                                                  \
    EVS_ROW_KERNEL_1(name, name##_row, struct evs_interval, struct evs_interval)
JUSTIFY(justify_hours, true, false)
JUSTIFY(justify_days, false, true)
JUSTIFY(justify_interval, true, true)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define IV EVS_INTERVAL
#define I EVS_INT64
#define MAY_FAIL EVS_CALL_FALLIBLE
static const struct evs_overload overloads[] = {
    EVS_TIME_OVERLOAD("+", add_intervals, IV, 2, MAY_FAIL, IV, IV),
    EVS_TIME_OVERLOAD("-", subtract_intervals, IV, 2, MAY_FAIL, IV, IV),
    EVS_TIME_OVERLOAD("-", negate_interval, IV, 1, MAY_FAIL, IV),
    EVS_TIME_OVERLOAD("*", multiply_interval, IV, 2, MAY_FAIL, IV, I),
    EVS_TIME_OVERLOAD("*", multiplied_interval, IV, 2, MAY_FAIL, I, IV),
    EVS_TIME_OVERLOAD("/", divide_interval, IV, 2, MAY_FAIL, IV, I),
    EVS_TIME_PREPARED("interval", interval_of_count, prepare_unit, IV, 2, MAY_FAIL, I, EVS_ARG_PART),
    EVS_TIME_PREPARED("interval", interval_of_text, prepare_unit, IV, 2, MAY_FAIL, EVS_STRING, EVS_ARG_PART),
    EVS_TIME_PREPARED("interval", interval_of_range, prepare_range, IV, 3, MAY_FAIL, EVS_STRING, EVS_ARG_PART,
                      EVS_ARG_PART),
    EVS_TIME_OVERLOAD("make_interval", make_interval, IV, 0, MAY_FAIL, I, I, I, I, I, I),
    EVS_TIME_OVERLOAD("justify_hours", justify_hours, IV, 1, MAY_FAIL, IV),
    EVS_TIME_OVERLOAD("justify_days", justify_days, IV, 1, MAY_FAIL, IV),
    EVS_TIME_OVERLOAD("justify_interval", justify_interval, IV, 1, MAY_FAIL, IV),
};
static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION("interval", "interval int64 part → interval; interval string part [to part] → interval",
                      "A length of time: interval 5 minute, interval '1-2' year to month.", "interval 36 hour",
                      "0-0 0 36:0:0"),
    EVS_TIME_FUNCTION("make_interval",
                      "make_interval([year int64 [, month [, day [, hour [, minute [, second]]]]]]) → interval",
                      "A length of time from numbers, in this order or by name: make_interval(day => 2, hour => 6).",
                      "make_interval(1, 6, 15)", "1-6 15 0:0:0"),
    EVS_TIME_FUNCTION("justify_hours", "justify_hours(interval) → interval",
                      "Every 24 hours become a day, and both get one sign.", "justify_hours(interval 47 hour)",
                      "0-0 1 23:0:0"),
    EVS_TIME_FUNCTION("justify_days", "justify_days(interval) → interval",
                      "Every 30 days become a month, and both get one sign.", "justify_days(interval 65 day)",
                      "0-2 5 0:0:0"),
    EVS_TIME_FUNCTION("justify_interval", "justify_interval(interval) → interval",
                      "Every 24 hours become a day, every 30 days a month, and all get one sign.",
                      "justify_interval(interval '29 49:00:00' day to second)", "0-1 1 1:0:0"),
};

const struct evs_family evs_family_interval = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
