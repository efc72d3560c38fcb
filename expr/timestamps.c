/* Calendar arithmetic: parts of dates, weeks, months. The civil calendar itself is the engine's (evs_days_from_civil and
 * its inverse). */
#include "timestamps.h"

/* --- parts -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum evs_time_part part;
} parts[] = {
    {"microsecond", EVS_TIME_MICROSECOND},
    {"millisecond", EVS_TIME_MILLISECOND},
    {"second", EVS_TIME_SECOND},
    {"minute", EVS_TIME_MINUTE},
    {"hour", EVS_TIME_HOUR},
    {"day", EVS_TIME_DAY},
    {"week", EVS_TIME_WEEK},
    {"isoweek", EVS_TIME_ISOWEEK},
    {"month", EVS_TIME_MONTH},
    {"quarter", EVS_TIME_QUARTER},
    {"year", EVS_TIME_YEAR},
    {"isoyear", EVS_TIME_ISOYEAR},
    {"dayofweek", EVS_TIME_DAYOFWEEK},
    {"dayofyear", EVS_TIME_DAYOFYEAR},
    {"date", EVS_TIME_DATE},
    {"time", EVS_TIME_TIME},
    {"datetime", EVS_TIME_DATETIME},
};
static const char *const weekdays[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

struct evs_part evs_part_of(struct evs_slice name)
{
    for (size_t i = 0; i < EVS_COUNT(parts); i++) {
        if (evs_slice_equal_nocase(name, parts[i].name)) {
            return (struct evs_part){parts[i].part, 0};
        }
    }
    if (name.count > 6 && name.data[name.count - 1] == ')' &&
        evs_slice_equal_nocase((struct evs_slice){name.data, 5}, "week(")) {
        const struct evs_slice day = {name.data + 5, name.count - 6};
        for (uint32_t i = 0; i < EVS_COUNT(weekdays); i++) {
            if (evs_slice_equal_nocase(day, weekdays[i])) {
                return (struct evs_part){EVS_TIME_WEEK, i};
            }
        }
    }
    return (struct evs_part){EVS_TIME_NONE, 0};
}

bool evs_part_known(struct evs_slice name)
{
    return evs_part_of(name).part != EVS_TIME_NONE;
}

int64_t evs_part_us(enum evs_time_part part)
{
    switch (part) {
    case EVS_TIME_MICROSECOND:
        return 1;
    case EVS_TIME_MILLISECOND:
        return 1000;
    case EVS_TIME_SECOND:
        return EVS_US_PER_SECOND;
    case EVS_TIME_MINUTE:
        return EVS_US_PER_MINUTE;
    case EVS_TIME_HOUR:
        return EVS_US_PER_HOUR;
    case EVS_TIME_DAY:
        return EVS_US_PER_DAY;
    default:
        return 0;
    }
}

/* --- calendar ----------------------------------------------------------------------------------------------------- */

/* The year of the Thursday of its week (from Monday). */
int64_t evs_iso_year(int64_t days)
{
    const int64_t thursday = days - evs_floor_mod(days + 3, 7) + 3;
    int64_t year;
    uint32_t month, day;
    evs_civil_from_days(thursday, &year, &month, &day);
    return year;
}

int64_t evs_iso_year_start(int64_t iso_year)
{
    const int64_t january4 = evs_days_from_civil(iso_year, 1, 4); /* always in week 1 */
    return january4 - evs_floor_mod(january4 + 3, 7);
}

int64_t evs_days_trunc(int64_t days, struct evs_part part)
{
    int64_t year;
    uint32_t month, day;
    evs_civil_from_days(days, &year, &month, &day);
    switch (part.part) {
    case EVS_TIME_WEEK:
        return days - evs_floor_mod((int64_t)evs_weekday(days) - part.week_start, 7);
    case EVS_TIME_ISOWEEK:
        return days - evs_floor_mod(days + 3, 7);
    case EVS_TIME_MONTH:
        return evs_days_from_civil(year, month, 1);
    case EVS_TIME_QUARTER:
        return evs_days_from_civil(year, (month - 1) / 3 * 3 + 1, 1);
    case EVS_TIME_YEAR:
        return evs_days_from_civil(year, 1, 1);
    case EVS_TIME_ISOYEAR:
        return evs_iso_year_start(evs_iso_year(days));
    default:
        return days;
    }
}

bool evs_days_add_months(int64_t days, int64_t months, int64_t *result)
{
    int64_t year;
    uint32_t month, day;
    evs_civil_from_days(days, &year, &month, &day);
    if (months > 12 * 10000 || months < -12 * 10000) {
        return false;
    }
    const int64_t total = year * 12 + (month - 1) + months;
    const int64_t to_year = evs_floor_div(total, 12);
    const uint32_t to_month = (uint32_t)evs_floor_mod(total, 12) + 1;
    if (to_year < 1 || to_year > 9999) {
        return false;
    }
    const uint32_t last = evs_month_days(to_year, to_month);
    *result = evs_days_from_civil(to_year, to_month, day < last ? day : last);
    return true;
}

uint32_t evs_month_days(int64_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    EVS_ASSERT(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

bool evs_civil_valid(int64_t year, int64_t month, int64_t day)
{
    return year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 &&
           day <= evs_month_days(year, (uint32_t)month);
}

int64_t evs_days_number(int64_t days, struct evs_part part)
{
    int64_t year;
    uint32_t month, day;
    switch (part.part) {
    case EVS_TIME_DAY:
        return days;
    case EVS_TIME_WEEK:
    case EVS_TIME_ISOWEEK:
        return evs_floor_div(evs_days_trunc(days, part), 7);
    case EVS_TIME_ISOYEAR:
        return evs_iso_year(days);
    default:
        evs_civil_from_days(days, &year, &month, &day);
        return part.part == EVS_TIME_YEAR    ? year
               : part.part == EVS_TIME_MONTH ? year * 12 + (month - 1)
                                             : year * 4 + (month - 1) / 3;
    }
}

struct evs_moment evs_moment_of(int64_t local_us)
{
    struct evs_moment m = {.us = local_us, .days = evs_floor_div(local_us, EVS_US_PER_DAY)};
    const int64_t in_day = local_us - m.days * EVS_US_PER_DAY;
    evs_civil_from_days(m.days, &m.year, &m.month, &m.day);
    m.hour = (int)(in_day / EVS_US_PER_HOUR);
    m.minute = (int)(in_day / EVS_US_PER_MINUTE % 60);
    m.second = (int)(in_day / EVS_US_PER_SECOND % 60);
    m.fraction_us = (uint32_t)(in_day % EVS_US_PER_SECOND);
    return m;
}
