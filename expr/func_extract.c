/* extract(part from x): one part of a date, time, datetime, timestamp or interval as a number. Argument 0 is the part.
 * The parts date, time and datetime of a timestamp are calls of the functions of these names (resolve.c). */
#include "time_parts.h"

/* Weeks are numbered from the year's first `start`; the days before it are week 0. */
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
        return evs_iso_week(days);
    }
}

/* A part of the clock, of a time that may be negative when it is an interval's: then each part is. */
static int64_t extract_clock(int64_t us, enum evs_time_part part)
{
    switch (part) {
    case EVS_TIME_MICROSECOND:
        return us % EVS_US_PER_SECOND;
    case EVS_TIME_MILLISECOND:
        return us % EVS_US_PER_SECOND / 1000;
    case EVS_TIME_SECOND:
        return us / EVS_US_PER_SECOND % 60;
    case EVS_TIME_MINUTE:
        return us / EVS_US_PER_MINUTE % 60;
    default:
        EVS_ASSERT(part == EVS_TIME_HOUR);
        return us / EVS_US_PER_HOUR;
    }
}

static int64_t extract_local(int64_t us, struct evs_part part)
{
    const bool clock = EVS_PARTS_CLOCK & EVS_PART_BIT(part.part);
    const int64_t days = evs_floor_div(us, EVS_US_PER_DAY);
    return clock ? extract_clock(us - days * EVS_US_PER_DAY, part.part) : extract_days(days, part);
}

static inline enum evs_row datetime_row(struct evs_call *call, const struct evs_str *part, const int64_t *b,
                                        int64_t *out)
{
    (void)part;
    *out = extract_local(*b, evs_call_part(call));
    return EVS_ROW_OK;
}
static inline enum evs_row zone_row(struct evs_call *call, const struct evs_str *part, const int64_t *b,
                                    const struct evs_str *name, int64_t *out)
{
    (void)part;
    struct evs_zone zone;
    if (!evs_call_zone(call, name, &zone)) {
        return EVS_ROW_ARGUMENT;
    }
    *out = extract_local(evs_call_local(call, zone, *b), evs_call_part(call));
    return EVS_ROW_OK;
}
static inline enum evs_row date_row(struct evs_call *call, const struct evs_str *part, const int64_t *b, int64_t *out)
{
    (void)part;
    *out = extract_days(*b, evs_call_part(call));
    return EVS_ROW_OK;
}
static inline enum evs_row time_row(struct evs_call *call, const struct evs_str *part, const int64_t *b, int64_t *out)
{
    (void)part;
    *out = extract_clock(*b, evs_call_part(call).part);
    return EVS_ROW_OK;
}
static inline enum evs_row interval_row(struct evs_call *call, const struct evs_str *part, const struct evs_interval *b,
                                        int64_t *out)
{
    (void)part;
    const enum evs_time_part wanted = evs_call_part(call).part;
    *out = wanted == EVS_TIME_YEAR    ? b->months / 12
           : wanted == EVS_TIME_MONTH ? b->months % 12
           : wanted == EVS_TIME_DAY   ? b->days
                                      : extract_clock(b->us, wanted);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(extract_datetime, datetime_row, struct evs_str, int64_t, int64_t)
EVS_ROW_KERNEL_3(extract_zone, zone_row, struct evs_str, int64_t, struct evs_str, int64_t)
EVS_ROW_KERNEL_2(extract_date, date_row, struct evs_str, int64_t, int64_t)
EVS_ROW_KERNEL_2(extract_time, time_row, struct evs_str, int64_t, int64_t)
EVS_ROW_KERNEL_2(extract_interval, interval_row, struct evs_str, struct evs_interval, int64_t)

#define PREPARE(name, parts)                                                                                           \
    static evs_status name(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,                \
                           struct evs_error *error)                                                                    \
    {                                                                                                                  \
        return evs_prepare_part(arena, expr, (parts), prepared, error);                                                \
    }
PREPARE(prepare_datetime, EVS_PARTS_CLOCK | EVS_PARTS_CALENDAR | EVS_PARTS_FIELDS)
PREPARE(prepare_date, EVS_PARTS_CALENDAR | EVS_PARTS_FIELDS)
PREPARE(prepare_time, EVS_PARTS_CLOCK)
PREPARE(prepare_interval,
        EVS_PARTS_CLOCK | EVS_PART_BIT(EVS_TIME_DAY) | EVS_PART_BIT(EVS_TIME_MONTH) | EVS_PART_BIT(EVS_TIME_YEAR))

#define PART EVS_ARG_PART
static const struct evs_overload overloads[] = {
    EVS_TIME_PREPARED("extract", extract_datetime, prepare_datetime, EVS_INT64, 2, 0, PART, EVS_TIMESTAMP),
    EVS_TIME_ZONED("extract", extract_zone, prepare_datetime, EVS_INT64, 3, 2, EVS_CALL_FALLIBLE, PART, EVS_TIMESTAMP,
                   EVS_STRING),
    EVS_TIME_PREPARED("extract", extract_datetime, prepare_datetime, EVS_INT64, 2, 0, PART, EVS_DATETIME),
    EVS_TIME_PREPARED("extract", extract_date, prepare_date, EVS_INT64, 2, 0, PART, EVS_DATE),
    EVS_TIME_PREPARED("extract", extract_time, prepare_time, EVS_INT64, 2, 0, PART, EVS_TIME),
    EVS_TIME_PREPARED("extract", extract_interval, prepare_interval, EVS_INT64, 2, 0, PART, EVS_INTERVAL),
};

static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION("extract",
                      "extract(part from timestamp [at time zone zone]) → int64; the same for date, datetime, time and "
                      "interval",
                      "One part as a number; dayofweek counts from 1, Sunday. The parts date, time and datetime give "
                      "those types.",
                      "extract(hour from timestamp '2026-07-05 10:00:00Z' at time zone 'Europe/Berlin')", "12"),
};

const struct evs_family evs_family_extract = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
