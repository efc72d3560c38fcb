/* Calendar arithmetic and texts of times. The civil calendar itself is the engine's (evs_days_from_civil and its
 * inverse). */
#include <stdio.h>

#include "text_tools.h"
#include "timestamps.h"

/* --- texts -------------------------------------------------------------------------------------------------------- */

static bool ends_with(struct evs_slice text, const char *end)
{
    const size_t count = strlen(end);
    return text.count >= count && memcmp(text.data + text.count - count, end, count) == 0;
}

bool evs_read_timestamp(struct evs_slice text, int64_t *us)
{
    if (ends_with(text, " UTC")) {
        return evs_read_datetime((struct evs_slice){text.data, text.count - 4}, us);
    }
    return evs_parse_timestamp(text, true, us);
}

/* A datetime has no offset: none of Z, + and - may stand behind the date. */
bool evs_read_datetime(struct evs_slice text, int64_t *us)
{
    for (size_t i = 10; i < text.count; i++) {
        if (strchr("Zz+-", text.data[i]) != NULL) {
            return false;
        }
    }
    return evs_parse_timestamp(text, true, us);
}

bool evs_read_time(struct evs_slice text, int64_t *us)
{
    char full[EVS_FORMAT_MAX];
    const int count = text.count > 32 ? -1 : snprintf(full, sizeof full, "1970-01-01 %.*s", (int)text.count, text.data);
    return count > 11 && evs_read_datetime((struct evs_slice){full, (size_t)count}, us) && *us < EVS_US_PER_DAY;
}

uint32_t evs_datetime_text(char *out, int64_t us)
{
    const uint32_t count = evs_format_timestamp(out, us);
    EVS_ASSERT(out[10] == 'T' && out[count - 1] == 'Z');
    out[10] = ' ';
    return count - 1;
}

uint32_t evs_timestamp_text(char *out, int64_t us)
{
    const uint32_t count = evs_datetime_text(out, us);
    memcpy(out + count, "+00", 3);
    return count + 3;
}

uint32_t evs_time_text(char *out, int64_t us)
{
    const uint32_t count = evs_datetime_text(out, us);
    memmove(out, out + 11, count - 11);
    return count - 11;
}

/* Y-M D H:M:S[.fff[fff]], a sign before each of the three groups. */
uint32_t evs_interval_text(char *out, const struct evs_interval *interval)
{
    const int64_t months = interval->months < 0 ? -(int64_t)interval->months : interval->months;
    const uint64_t us = interval->us < 0 ? 0 - (uint64_t)interval->us : (uint64_t)interval->us;
    const uint64_t seconds = us / (uint64_t)EVS_US_PER_SECOND, fraction = us % (uint64_t)EVS_US_PER_SECOND;
    char text[128];
    int count = snprintf(text, sizeof text, "%s%lld-%lld %d %s%llu:%llu:%llu", interval->months < 0 ? "-" : "",
                         (long long)(months / 12), (long long)(months % 12), interval->days,
                         interval->us < 0 ? "-" : "", (unsigned long long)(seconds / 3600),
                         (unsigned long long)(seconds / 60 % 60), (unsigned long long)(seconds % 60));
    if (fraction != 0) {
        const bool millis = fraction % 1000 == 0;
        count += snprintf(text + count, sizeof text - (size_t)count, millis ? ".%03llu" : ".%06llu",
                          (unsigned long long)(millis ? fraction / 1000 : fraction));
    }
    EVS_ASSERT(count > 0 && count <= EVS_FORMAT_MAX);
    memcpy(out, text, (size_t)count);
    return (uint32_t)count;
}

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
    case EVS_TIME_ISOYEAR: {
        const int64_t january4 = evs_days_from_civil(evs_iso_year(days), 1, 4); /* always in week 1 */
        return january4 - evs_floor_mod(january4 + 3, 7);
    }
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
    const int64_t first = evs_days_from_civil(to_year, to_month, 1);
    const int64_t next =
        to_month == 12 ? evs_days_from_civil(to_year + 1, 1, 1) : evs_days_from_civil(to_year, to_month + 1, 1);
    const int64_t last = next - 1;
    *result = first + day - 1 < last ? first + day - 1 : last;
    return true;
}
