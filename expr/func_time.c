/* Functions of timestamps. All of them work in UTC; another time zone is refused when the call is built.
 *
 * A day is 24 hours, as GoogleSQL has it for timestamps; months and years cannot be added to one. timestamp_diff
 * counts whole parts and cuts toward zero; timestamp_trunc rounds down. Results outside of the years 0001 to 9999
 * are errors. */
#include "kernel.h"
#include "text_tools.h"
#include "time_parts.h"

static evs_status prepare_fixed(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                struct evs_error *error)
{
    return evs_prepare_part(arena, expr, EVS_PARTS_CLOCK | EVS_PART_BIT(EVS_TIME_DAY), prepared, error);
}
static evs_status prepare_trunc(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                struct evs_error *error)
{
    return evs_prepare_part(arena, expr, EVS_PARTS_CLOCK | EVS_PARTS_CALENDAR, prepared, error);
}
static evs_status prepare_extract(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                  struct evs_error *error)
{
    return evs_prepare_part(arena, expr, EVS_PARTS_CLOCK | EVS_PARTS_CALENDAR | EVS_PARTS_FIELDS, prepared, error);
}

static enum evs_row checked(int64_t us, int64_t *out)
{
    *out = us;
    return us >= EVS_TIMESTAMP_MIN && us <= EVS_TIMESTAMP_MAX ? EVS_ROW_OK : EVS_ROW_TIME;
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */

static enum evs_row add_interval(int64_t us, const struct evs_interval *interval, int sign, int64_t *out)
{
    if (interval->months != 0) {
        return EVS_ROW_ARGUMENT;
    }
    const __int128 length = (__int128)interval->days * EVS_US_PER_DAY + interval->us;
    const __int128 sum = us + sign * length;
    return sum >= EVS_TIMESTAMP_MIN && sum <= EVS_TIMESTAMP_MAX ? checked((int64_t)sum, out) : EVS_ROW_TIME;
}
static inline enum evs_row timestamp_add_row(struct evs_call *call, const int64_t *a, const struct evs_interval *b,
                                             int64_t *out)
{
    (void)call;
    return add_interval(*a, b, 1, out);
}
static inline enum evs_row timestamp_sub_row(struct evs_call *call, const int64_t *a, const struct evs_interval *b,
                                             int64_t *out)
{
    (void)call;
    return add_interval(*a, b, -1, out);
}
static inline enum evs_row interval_plus_row(struct evs_call *call, const struct evs_interval *a, const int64_t *b,
                                             int64_t *out)
{
    (void)call;
    return add_interval(*b, a, 1, out);
}
EVS_ROW_KERNEL_2(timestamp_add, timestamp_add_row, int64_t, struct evs_interval, int64_t)
EVS_ROW_KERNEL_2(timestamp_sub, timestamp_sub_row, int64_t, struct evs_interval, int64_t)
EVS_ROW_KERNEL_2(interval_plus, interval_plus_row, struct evs_interval, int64_t, int64_t)

static inline enum evs_row timestamp_minus_row(struct evs_call *call, const int64_t *a, const int64_t *b,
                                               struct evs_interval *out)
{
    (void)call;
    *out = (struct evs_interval){.us = *a - *b}; /* both lie within 10,000 years */
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(timestamp_minus, timestamp_minus_row, int64_t, int64_t, struct evs_interval)

static inline enum evs_row timestamp_diff_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    *out = (*a - *b) / evs_part_us(evs_call_part(call).part);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(timestamp_diff, timestamp_diff_row, int64_t, int64_t, int64_t)

static inline enum evs_row timestamp_trunc_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    const struct evs_part part = evs_call_part(call);
    const int64_t unit = evs_part_us(part.part);
    if (unit != 0) {
        return checked(*a - evs_floor_mod(*a, unit), out);
    }
    return checked(evs_days_trunc(evs_floor_div(*a, EVS_US_PER_DAY), part) * EVS_US_PER_DAY, out);
}
EVS_ROW_KERNEL_1(timestamp_trunc, timestamp_trunc_row, int64_t, int64_t)

/* --- extract; argument 0 is the part ------------------------------------------------------------------------------ */

static int64_t week_of(int64_t days, int64_t first_of_year, uint32_t start)
{
    const int64_t since_start = evs_floor_mod((int64_t)evs_weekday(days) - start, 7);
    return (days - first_of_year + 7 - since_start) / 7;
}

static int64_t extract_days(int64_t days, struct evs_part part)
{
    int64_t year;
    uint32_t month, day;
    evs_civil_from_days(days, &year, &month, &day);
    switch (part.part) {
    case EVS_TIME_DAY:
        return day;
    case EVS_TIME_MONTH:
        return month;
    case EVS_TIME_QUARTER:
        return (month - 1) / 3 + 1;
    case EVS_TIME_YEAR:
        return year;
    case EVS_TIME_ISOYEAR:
        return evs_iso_year(days);
    case EVS_TIME_DAYOFWEEK:
        return evs_weekday(days) + 1;
    case EVS_TIME_DAYOFYEAR:
        return days - evs_days_from_civil(year, 1, 1) + 1;
    case EVS_TIME_WEEK:
        return week_of(days, evs_days_from_civil(year, 1, 1), part.week_start);
    default:
        EVS_ASSERT(part.part == EVS_TIME_ISOWEEK);
        return (days - evs_days_trunc(days, (struct evs_part){EVS_TIME_ISOYEAR, 0})) / 7 + 1;
    }
}

/* The clock parts: which unit, and how many make the next one. */
static int64_t extract_clock(int64_t us, enum evs_time_part part)
{
    const int64_t in_day = evs_floor_mod(us, EVS_US_PER_DAY);
    switch (part) {
    case EVS_TIME_MICROSECOND:
        return in_day % EVS_US_PER_SECOND;
    case EVS_TIME_MILLISECOND:
        return in_day % EVS_US_PER_SECOND / 1000;
    case EVS_TIME_SECOND:
        return in_day / EVS_US_PER_SECOND % 60;
    case EVS_TIME_MINUTE:
        return in_day / EVS_US_PER_MINUTE % 60;
    default:
        EVS_ASSERT(part == EVS_TIME_HOUR);
        return in_day / EVS_US_PER_HOUR;
    }
}

static inline enum evs_row extract_row(struct evs_call *call, const struct evs_str *part_name, const int64_t *b,
                                       int64_t *out)
{
    (void)part_name;
    const struct evs_part part = evs_call_part(call);
    const bool clock = EVS_PARTS_CLOCK & EVS_PART_BIT(part.part);
    *out = clock ? extract_clock(*b, part.part) : extract_days(evs_floor_div(*b, EVS_US_PER_DAY), part);
    return EVS_ROW_OK;
}
static inline enum evs_row extract_date_row(struct evs_call *call, const struct evs_str *part_name, const int64_t *b,
                                            int64_t *out)
{
    (void)part_name;
    *out = extract_days(*b, evs_call_part(call));
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(extract_timestamp, extract_row, struct evs_str, int64_t, int64_t)
EVS_ROW_KERNEL_2(extract_date, extract_date_row, struct evs_str, int64_t, int64_t)

static evs_status prepare_extract_date(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                       struct evs_error *error)
{
    return evs_prepare_part(arena, expr, EVS_PARTS_CALENDAR | EVS_PARTS_FIELDS, prepared, error);
}

/* --- epochs ------------------------------------------------------------------------------------------------------- */

EVS_DENSE_KERNEL_1(unix_seconds, int64_t, int64_t, evs_floor_div(a, EVS_US_PER_SECOND))
EVS_DENSE_KERNEL_1(unix_millis, int64_t, int64_t, evs_floor_div(a, 1000))
EVS_DENSE_KERNEL_1(unix_micros, int64_t, int64_t, a)

#define FROM_EPOCH(name, unit)                                                                                         \
    static inline enum evs_row name##_row(struct evs_call *call, const int64_t *a, int64_t *out)                       \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        int64_t us;                                                                                                    \
        return __builtin_mul_overflow(*a, (int64_t)(unit), &us) ? EVS_ROW_TIME : checked(us, out);                     \
    }                                                                                                                  \
    EVS_ROW_KERNEL_1(name, name##_row, int64_t, int64_t)
FROM_EPOCH(timestamp_seconds, EVS_US_PER_SECOND)
FROM_EPOCH(timestamp_millis, 1000)
FROM_EPOCH(timestamp_micros, 1)

/* --- text --------------------------------------------------------------------------------------------------------- */

static inline enum evs_row timestamp_of_string_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    (void)call;
    return evs_read_timestamp(evs_str_slice(a), out) ? EVS_ROW_OK : EVS_ROW_CAST;
}
EVS_ROW_KERNEL_1(timestamp_of_string, timestamp_of_string_row, struct evs_str, int64_t)
EVS_DENSE_KERNEL_1(timestamp_of_date, int64_t, int64_t, (int64_t)((uint64_t)a *(uint64_t)EVS_US_PER_DAY))

static inline enum evs_row string_of_timestamp_row(struct evs_call *call, const int64_t *a, struct evs_str *out)
{
    char text[EVS_FORMAT_MAX];
    *out = evs_call_str(call, text, evs_timestamp_text(text, *a));
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(string_of_timestamp, string_of_timestamp_row, int64_t, struct evs_str)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define TS EVS_TIMESTAMP
#define MAY_FAIL EVS_CALL_FALLIBLE
#define DENSE EVS_CALL_DENSE

static const struct evs_overload overloads[] = {
    EVS_TIME_OVERLOAD("+", timestamp_add, TS, 2, MAY_FAIL, TS, EVS_INTERVAL),
    EVS_TIME_OVERLOAD("+", interval_plus, TS, 2, MAY_FAIL, EVS_INTERVAL, TS),
    EVS_TIME_OVERLOAD("-", timestamp_sub, TS, 2, MAY_FAIL, TS, EVS_INTERVAL),
    EVS_TIME_OVERLOAD("-", timestamp_minus, EVS_INTERVAL, 2, 0, TS, TS),
    EVS_TIME_OVERLOAD("timestamp_add", timestamp_add, TS, 2, MAY_FAIL, TS, EVS_INTERVAL),
    EVS_TIME_OVERLOAD("timestamp_sub", timestamp_sub, TS, 2, MAY_FAIL, TS, EVS_INTERVAL),
    EVS_TIME_PREPARED("timestamp_diff", timestamp_diff, prepare_fixed, EVS_INT64, 3, 0, TS, TS, EVS_ARG_PART),
    EVS_TIME_PREPARED("timestamp_trunc", timestamp_trunc, prepare_trunc, TS, 2, MAY_FAIL, TS, EVS_ARG_PART,
                      EVS_ARG_ZONE),
    EVS_TIME_PREPARED("extract", extract_timestamp, prepare_extract, EVS_INT64, 2, 0, EVS_ARG_PART, TS, EVS_ARG_ZONE),
    EVS_TIME_PREPARED("extract", extract_timestamp, prepare_extract, EVS_INT64, 2, 0, EVS_ARG_PART, EVS_DATETIME),
    EVS_TIME_PREPARED("extract", extract_date, prepare_extract_date, EVS_INT64, 2, 0, EVS_ARG_PART, EVS_DATE),
    EVS_TIME_OVERLOAD("unix_seconds", unix_seconds, EVS_INT64, 1, DENSE, TS),
    EVS_TIME_OVERLOAD("unix_millis", unix_millis, EVS_INT64, 1, DENSE, TS),
    EVS_TIME_OVERLOAD("unix_micros", unix_micros, EVS_INT64, 1, DENSE, TS),
    EVS_TIME_OVERLOAD("timestamp_seconds", timestamp_seconds, TS, 1, MAY_FAIL, EVS_INT64),
    EVS_TIME_OVERLOAD("timestamp_millis", timestamp_millis, TS, 1, MAY_FAIL, EVS_INT64),
    EVS_TIME_OVERLOAD("timestamp_micros", timestamp_micros, TS, 1, MAY_FAIL, EVS_INT64),
    EVS_TIME_OVERLOAD("timestamp", timestamp_of_string, TS, 1, MAY_FAIL, EVS_STRING, EVS_ARG_ZONE),
    EVS_TIME_OVERLOAD("timestamp", timestamp_of_date, TS, 1, DENSE, EVS_DATE, EVS_ARG_ZONE),
    EVS_TIME_OVERLOAD("string", string_of_timestamp, EVS_STRING, 1, 0, TS, EVS_ARG_ZONE),
};

static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION("current_timestamp", "current_timestamp() → timestamp",
                      "When the row came in, else its event time: the same in a replay.", "current_timestamp() is null",
                      "false"),
    EVS_TIME_FUNCTION("timestamp_add", "timestamp_add(timestamp, interval) → timestamp",
                      "Later by microseconds to days.",
                      "timestamp_add(timestamp '2026-01-05 10:00:00Z', interval 90 minute)", "2026-01-05 11:30:00+00"),
    EVS_TIME_FUNCTION("timestamp_sub", "timestamp_sub(timestamp, interval) → timestamp",
                      "Earlier by microseconds to days.",
                      "timestamp_sub(timestamp '2026-01-05 10:00:00Z', interval 1 day)", "2026-01-04 10:00:00+00"),
    EVS_TIME_FUNCTION("timestamp_diff", "timestamp_diff(timestamp, timestamp, part) → int64",
                      "First less second in whole parts, microsecond to day, cut toward zero.",
                      "timestamp_diff(timestamp '2026-01-05 10:00:00Z', timestamp '2026-01-05 08:30:00Z', hour)", "1"),
    EVS_TIME_FUNCTION("timestamp_trunc", "timestamp_trunc(timestamp, part [, zone]) → timestamp",
                      "The start of the part that holds it.",
                      "timestamp_trunc(timestamp '2026-01-07 10:31:00Z', week(monday))", "2026-01-05 00:00:00+00"),
    EVS_TIME_FUNCTION("extract", "extract(part from timestamp [at time zone zone]) → int64; the same for date",
                      "One part as a number; dayofweek counts from 1, Sunday. date and time give those types.",
                      "extract(dayofweek from timestamp '2026-01-05 10:00:00Z')", "2"),
    EVS_TIME_FUNCTION("unix_seconds", "unix_seconds(timestamp) → int64", "Seconds since 1970, rounded down.",
                      "unix_seconds(timestamp '1970-01-01 00:01:00.5Z')", "60"),
    EVS_TIME_FUNCTION("unix_millis", "unix_millis(timestamp) → int64", "Milliseconds since 1970, rounded down.",
                      "unix_millis(timestamp '1970-01-01 00:00:01Z')", "1000"),
    EVS_TIME_FUNCTION("unix_micros", "unix_micros(timestamp) → int64", "Microseconds since 1970.",
                      "unix_micros(timestamp '1969-12-31 23:59:59Z')", "-1000000"),
    EVS_TIME_FUNCTION("timestamp_seconds", "timestamp_seconds(int64) → timestamp", "From seconds since 1970.",
                      "timestamp_seconds(86400)", "1970-01-02 00:00:00+00"),
    EVS_TIME_FUNCTION("timestamp_millis", "timestamp_millis(int64) → timestamp", "From milliseconds since 1970.",
                      "timestamp_millis(1500)", "1970-01-01 00:00:01.500+00"),
    EVS_TIME_FUNCTION("timestamp_micros", "timestamp_micros(int64) → timestamp", "From microseconds since 1970.",
                      "timestamp_micros(-1)", "1969-12-31 23:59:59.999999+00"),
    EVS_TIME_FUNCTION("timestamp", "timestamp(string [, zone]) → timestamp; timestamp(date [, zone]) → timestamp",
                      "The time that a text or the start of a day is.", "timestamp('2026-01-05T10:00:00+02:00')",
                      "2026-01-05 08:00:00+00"),
};

const struct evs_family evs_family_time = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
