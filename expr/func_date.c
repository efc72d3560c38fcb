/* Functions of dates: days since 1970-01-01, without a zone. Results outside of the years 0001 to 9999 are errors. */
#include "text_tools.h"
#include "time_parts.h"

/* --- arithmetic --------------------------------------------------------------------------------------------------- */

static inline enum evs_row plus_days_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    (void)call;
    int64_t days;
    return __builtin_add_overflow(*a, *b, &days) ? EVS_ROW_TIME : evs_checked_days(days, out);
}
static inline enum evs_row minus_days_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    (void)call;
    int64_t days;
    return __builtin_sub_overflow(*a, *b, &days) ? EVS_ROW_TIME : evs_checked_days(days, out);
}
static inline enum evs_row minus_row(struct evs_call *call, const int64_t *a, const int64_t *b,
                                     struct evs_interval *out)
{
    (void)call;
    *out = (struct evs_interval){.days = (int32_t)(*a - *b)};
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(plus_days, plus_days_row, int64_t, int64_t, int64_t)
EVS_ROW_KERNEL_2(minus_days, minus_days_row, int64_t, int64_t, int64_t)
EVS_ROW_KERNEL_2(minus, minus_row, int64_t, int64_t, struct evs_interval)

/* Months first, which may move the day to the month's last, then days. */
static enum evs_row add_interval(int64_t days, const struct evs_interval *interval, int sign, int64_t *out)
{
    int64_t moved = days;
    if (interval->us != 0) {
        return EVS_ROW_ARGUMENT;
    }
    if (interval->months != 0 && !evs_days_add_months(days, (int64_t)sign * interval->months, &moved)) {
        return EVS_ROW_TIME;
    }
    return evs_checked_days(moved + (int64_t)sign * interval->days, out);
}
static inline enum evs_row add_row(struct evs_call *call, const int64_t *a, const struct evs_interval *b, int64_t *out)
{
    (void)call;
    return add_interval(*a, b, 1, out);
}
static inline enum evs_row sub_row(struct evs_call *call, const int64_t *a, const struct evs_interval *b, int64_t *out)
{
    (void)call;
    return add_interval(*a, b, -1, out);
}
EVS_ROW_KERNEL_2(date_add, add_row, int64_t, struct evs_interval, int64_t)
EVS_ROW_KERNEL_2(date_sub, sub_row, int64_t, struct evs_interval, int64_t)

/* An hour cannot be added to a date: where the interval is a constant that is told when the call is built. */
static evs_status prepare_add(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                              struct evs_error *error)
{
    (void)arena;
    *prepared = NULL;
    const struct evs_expr *interval = expr->arguments[1];
    if (interval->kind == EVS_EXPR_CONSTANT && !interval->value.is_null && interval->value.interval.us != 0) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "%s takes days, weeks, months, quarters and years; for hours and shorter parts use a datetime "
                        "or a timestamp",
                        expr->overload->name);
    }
    return EVS_OK;
}

/* --- parts -------------------------------------------------------------------------------------------------------- */

static evs_status prepare_calendar(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                   struct evs_error *error)
{
    return evs_prepare_part(arena, expr, EVS_PARTS_CALENDAR, prepared, error);
}
static evs_status prepare_last_day(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                   struct evs_error *error)
{
    return evs_prepare_part(arena, expr, EVS_PARTS_CALENDAR & ~EVS_PART_BIT(EVS_TIME_DAY), prepared, error);
}

static inline enum evs_row diff_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    const struct evs_part part = evs_call_part(call);
    *out = evs_days_number(*a, part) - evs_days_number(*b, part);
    return EVS_ROW_OK;
}
static inline enum evs_row trunc_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    return evs_checked_days(evs_days_trunc(*a, evs_call_part(call)), out);
}
EVS_ROW_KERNEL_2(date_diff, diff_row, int64_t, int64_t, int64_t)
EVS_ROW_KERNEL_1(date_trunc, trunc_row, int64_t, int64_t)

/* The day before the next part begins. That of the last year is beyond the calendar, which the arithmetic is not. */
static int64_t last_day_of(int64_t days, struct evs_part part)
{
    const int64_t first = evs_days_trunc(days, part);
    int64_t year;
    uint32_t month, day;
    evs_civil_from_days(first, &year, &month, &day);
    switch (part.part) {
    case EVS_TIME_WEEK:
    case EVS_TIME_ISOWEEK:
        return first + 6;
    case EVS_TIME_MONTH:
        return first + evs_month_days(year, month) - 1;
    case EVS_TIME_QUARTER:
        return evs_days_from_civil(year, month + 2, evs_month_days(year, month + 2));
    case EVS_TIME_YEAR:
        return evs_days_from_civil(year, 12, 31);
    default:
        EVS_ASSERT(part.part == EVS_TIME_ISOYEAR);
        return evs_iso_year_start(evs_iso_year(days) + 1) - 1;
    }
}
static inline enum evs_row last_day_part_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    return evs_checked_days(last_day_of(*a, evs_call_part(call)), out);
}
static inline enum evs_row last_day_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    (void)call;
    return evs_checked_days(last_day_of(*a, (struct evs_part){EVS_TIME_MONTH, 0}), out);
}
static inline enum evs_row last_day_part_us_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    return evs_checked_days(last_day_of(evs_floor_div(*a, EVS_US_PER_DAY), evs_call_part(call)), out);
}
static inline enum evs_row last_day_us_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    (void)call;
    return evs_checked_days(last_day_of(evs_floor_div(*a, EVS_US_PER_DAY), (struct evs_part){EVS_TIME_MONTH, 0}), out);
}
EVS_ROW_KERNEL_1(last_day_part, last_day_part_row, int64_t, int64_t)
EVS_ROW_KERNEL_1(last_day, last_day_row, int64_t, int64_t)
EVS_ROW_KERNEL_1(last_day_part_us, last_day_part_us_row, int64_t, int64_t)
EVS_ROW_KERNEL_1(last_day_us, last_day_us_row, int64_t, int64_t)

/* --- making dates ------------------------------------------------------------------------------------------------- */

static inline enum evs_row of_numbers_row(struct evs_call *call, const int64_t *a, const int64_t *b, const int64_t *c,
                                          int64_t *out)
{
    (void)call;
    if (!evs_civil_valid(*a, *b, *c)) {
        return EVS_ROW_ARGUMENT;
    }
    *out = evs_days_from_civil(*a, (uint32_t)*b, (uint32_t)*c);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_3(date_of_numbers, of_numbers_row, int64_t, int64_t, int64_t, int64_t)
EVS_DENSE_KERNEL_1(date_of_us, int64_t, int64_t, evs_floor_div(a, EVS_US_PER_DAY))
EVS_DENSE_KERNEL_1(same_days, int64_t, int64_t, a)

static inline enum evs_row of_timestamp_zone_row(struct evs_call *call, const int64_t *a, const struct evs_str *name,
                                                 int64_t *out)
{
    struct evs_zone zone;
    if (!evs_call_zone(call, name, &zone)) {
        return EVS_ROW_ARGUMENT;
    }
    return evs_checked_days(evs_floor_div(evs_call_local(call, zone, *a), EVS_US_PER_DAY), out);
}
EVS_ROW_KERNEL_2(date_of_timestamp_zone, of_timestamp_zone_row, int64_t, struct evs_str, int64_t)

static inline enum evs_row from_unix_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    (void)call;
    return evs_checked_days(*a, out);
}
EVS_ROW_KERNEL_1(date_from_unix, from_unix_row, int64_t, int64_t)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define D EVS_DATE
#define DT EVS_DATETIME
#define TS EVS_TIMESTAMP
#define IV EVS_INTERVAL
#define MAY_FAIL EVS_CALL_FALLIBLE
#define DENSE EVS_CALL_DENSE

static const struct evs_overload overloads[] = {
    EVS_TIME_OVERLOAD("+", plus_days, D, 2, MAY_FAIL, D, EVS_INT64),
    EVS_TIME_OVERLOAD("+", plus_days, D, 2, MAY_FAIL, EVS_INT64, D),
    EVS_TIME_OVERLOAD("-", minus_days, D, 2, MAY_FAIL, D, EVS_INT64),
    EVS_TIME_OVERLOAD("-", minus, IV, 2, 0, D, D),
    EVS_TIME_PREPARED("date_add", date_add, prepare_add, D, 2, MAY_FAIL, D, IV),
    EVS_TIME_PREPARED("date_sub", date_sub, prepare_add, D, 2, MAY_FAIL, D, IV),
    EVS_TIME_PREPARED("date_diff", date_diff, prepare_calendar, EVS_INT64, 3, 0, D, D, EVS_ARG_PART),
    EVS_TIME_PREPARED("date_trunc", date_trunc, prepare_calendar, D, 2, MAY_FAIL, D, EVS_ARG_PART),
    EVS_TIME_OVERLOAD("last_day", last_day, D, 1, MAY_FAIL, D),
    EVS_TIME_PREPARED("last_day", last_day_part, prepare_last_day, D, 2, MAY_FAIL, D, EVS_ARG_PART),
    EVS_TIME_OVERLOAD("last_day", last_day_us, D, 1, MAY_FAIL | EVS_CALL_EXACT, DT),
    EVS_TIME_PREPARED("last_day", last_day_part_us, prepare_last_day, D, 2, MAY_FAIL | EVS_CALL_EXACT, DT,
                      EVS_ARG_PART),
    EVS_TIME_OVERLOAD("date", date_of_us, D, 1, DENSE, TS),
    EVS_TIME_ZONED("date", date_of_timestamp_zone, evs_prepare_zone, D, 2, 1, MAY_FAIL, TS, EVS_STRING),
    EVS_TIME_OVERLOAD("date", date_of_us, D, 1, DENSE, DT),
    EVS_TIME_OVERLOAD("date", same_days, D, 1, DENSE, D),
    EVS_TIME_OVERLOAD("date", date_of_numbers, D, 3, MAY_FAIL, EVS_INT64, EVS_INT64, EVS_INT64),
    EVS_TIME_OVERLOAD("unix_date", same_days, EVS_INT64, 1, DENSE, D),
    EVS_TIME_OVERLOAD("date_from_unix_date", date_from_unix, D, 1, MAY_FAIL, EVS_INT64),
};

static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION("date", "date(timestamp [, zone]) → date; date(datetime) → date; date(year, month, day) → date",
                      "The day of a time, or of three numbers.",
                      "date(timestamp '2026-07-05 23:00:00Z', 'Europe/Berlin')", "2026-07-06"),
    EVS_TIME_FUNCTION("date_add", "date_add(date, interval) → date",
                      "Later by days to years; a day that a month lacks becomes its last.",
                      "date_add(date '2026-01-31', interval 1 month)", "2026-02-28"),
    EVS_TIME_FUNCTION("date_sub", "date_sub(date, interval) → date", "Earlier by days to years.",
                      "date_sub(date '2024-02-29', interval 1 year)", "2023-02-28"),
    EVS_TIME_FUNCTION("date_diff", "date_diff(date, date, part) → int64",
                      "How many boundaries of the part lie between them.",
                      "date_diff(date '2017-10-15', date '2017-10-14', week)", "1"),
    EVS_TIME_FUNCTION(
        "date_trunc",
        "date_trunc(date, part) → date; date_trunc(datetime, part) → datetime; date_trunc(timestamp, part "
        "[, zone]) → timestamp",
        "The first day, or the start, of the part that holds it.", "date_trunc(date '2026-08-20', quarter)",
        "2026-07-01"),
    EVS_TIME_FUNCTION("last_day", "last_day(date or datetime [, part]) → date",
                      "The last day of the month, or of the part, that holds it.",
                      "last_day(date '2026-08-20', week(monday))", "2026-08-23"),
    EVS_TIME_FUNCTION("unix_date", "unix_date(date) → int64", "Days since 1970-01-01.", "unix_date(date '1970-01-11')",
                      "10"),
    EVS_TIME_FUNCTION("date_from_unix_date", "date_from_unix_date(int64) → date", "From days since 1970-01-01.",
                      "date_from_unix_date(-1)", "1969-12-31"),
};

const struct evs_family evs_family_date = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
