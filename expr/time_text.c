/* The texts of dates, times, datetimes and timestamps, as GoogleSQL's casts read and write them. */
#include <stdio.h>

#include "timestamps.h"

#define FRACTION_DIGITS 6

struct cursor {
    const char *at, *end;
};

static struct cursor cursor_of(struct evs_slice text)
{
    return (struct cursor){text.data, text.data + text.count};
}
static bool at_end(const struct cursor *cursor)
{
    return cursor->at == cursor->end;
}
static bool at_digit(const struct cursor *cursor)
{
    return !at_end(cursor) && *cursor->at >= '0' && *cursor->at <= '9';
}
static bool take(struct cursor *cursor, char wanted)
{
    const bool found = !at_end(cursor) && *cursor->at == wanted;
    cursor->at += found;
    return found;
}

/* A number of `min` to `max` digits; takes as many as there are, up to max. */
static bool take_number(struct cursor *cursor, uint32_t min, uint32_t max, int64_t *value)
{
    uint32_t count = 0;
    for (*value = 0; count < max && at_digit(cursor); count++) {
        *value = *value * 10 + (*cursor->at++ - '0');
    }
    return count >= min;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Years 0 and 10000 are read, too: a time there may lie in the calendar once its offset is counted. */
static bool take_date(struct cursor *cursor, int64_t *days)
{
    int64_t year, month, day;
    if (!take_number(cursor, 4, 5, &year) || !take(cursor, '-') || !take_number(cursor, 1, 2, &month) ||
        !take(cursor, '-') || !take_number(cursor, 1, 2, &day)) {
        return false;
    }
    if (year > 10000 || month < 1 || month > 12 || day < 1 || day > evs_month_days(year, (uint32_t)month)) {
        return false;
    }
    *days = evs_days_from_civil(year, (uint32_t)month, (uint32_t)day);
    return true;
}

/* The digits behind the point, at least one; those after the sixth are cut. */
static bool take_fraction(struct cursor *cursor, int64_t *us)
{
    uint32_t count = 0;
    for (*us = 0; at_digit(cursor); cursor->at++, count++) {
        *us = count < FRACTION_DIGITS ? *us * 10 + (*cursor->at - '0') : *us;
    }
    for (uint32_t i = count; i < FRACTION_DIGITS; i++) {
        *us *= 10;
    }
    return count > 0;
}

static bool take_clock(struct cursor *cursor, int64_t *us)
{
    int64_t hour, minute, second, fraction = 0;
    if (!take_number(cursor, 1, 2, &hour) || !take(cursor, ':') || !take_number(cursor, 1, 2, &minute) ||
        !take(cursor, ':') || !take_number(cursor, 1, 2, &second)) {
        return false;
    }
    if (hour > 23 || minute > 59 || second > 60 || (take(cursor, '.') && !take_fraction(cursor, &fraction))) {
        return false;
    }
    /* A leap second has no fraction: it is the next second's begin. */
    *us = ((hour * 60 + minute) * 60 + second) * EVS_US_PER_SECOND + (second == 60 ? 0 : fraction);
    return true;
}

static bool take_separator(struct cursor *cursor)
{
    return take(cursor, ' ') || take(cursor, 'T') || take(cursor, 't');
}

static bool in_calendar(int64_t us)
{
    return us >= EVS_TIMESTAMP_MIN && us <= EVS_TIMESTAMP_MAX;
}

bool evs_read_date(struct evs_slice text, int64_t *days)
{
    struct cursor cursor = cursor_of(text);
    return take_date(&cursor, days) && at_end(&cursor) && *days >= EVS_DAYS_MIN && *days <= EVS_DAYS_MAX;
}

bool evs_read_datetime(struct evs_slice text, int64_t *us)
{
    struct cursor cursor = cursor_of(text);
    int64_t days, clock = 0;
    if (!take_date(&cursor, &days) ||
        (!at_end(&cursor) && (!take_separator(&cursor) || !take_clock(&cursor, &clock)))) {
        return false;
    }
    *us = days * EVS_US_PER_DAY + clock;
    return at_end(&cursor) && in_calendar(*us);
}

bool evs_read_time(struct evs_slice text, int64_t *us)
{
    struct cursor cursor = cursor_of(text);
    return take_clock(&cursor, us) && at_end(&cursor) && *us < EVS_US_PER_DAY;
}

/* What may stand behind the clock: nothing, Z, an offset, " UTC", " UTC" with an offset, or a space and a name. */
static bool take_zone(struct cursor *cursor, struct evs_zone *zone)
{
    if (at_end(cursor)) {
        return true;
    }
    if (take(cursor, 'Z') || take(cursor, 'z')) {
        *zone = evs_zone_utc_zone();
        return at_end(cursor);
    }
    const bool is_name = take(cursor, ' ');
    const bool is_offset = !at_end(cursor) && (*cursor->at == '+' || *cursor->at == '-');
    return is_name != is_offset && evs_zone_load(cursor->at, (size_t)(cursor->end - cursor->at), zone);
}

bool evs_read_timestamp(struct evs_slice text, struct evs_zone zone, int64_t *us)
{
    struct cursor cursor = cursor_of(text);
    int64_t days, clock = 0;
    if (!take_date(&cursor, &days)) {
        return false;
    }
    if (!at_end(&cursor)) {
        const bool has_separator = take_separator(&cursor);
        const bool has_clock = has_separator && at_digit(&cursor);
        const bool has_offset = !at_end(&cursor) && (*cursor.at == '+' || *cursor.at == '-');
        if (!has_separator || (has_clock ? !take_clock(&cursor, &clock) : !has_offset) || !take_zone(&cursor, &zone)) {
            return false;
        }
    }
    *us = evs_zone_utc(zone, days * EVS_US_PER_DAY + clock);
    return in_calendar(*us);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static uint32_t put_clock(char *out, const struct evs_moment *m)
{
    char text[EVS_FORMAT_MAX];
    int count = snprintf(text, sizeof text, "%02d:%02d:%02d", m->hour, m->minute, m->second);
    if (m->fraction_us % 1000 != 0) {
        count += snprintf(text + count, sizeof text - (size_t)count, ".%06u", m->fraction_us);
    } else if (m->fraction_us != 0) {
        count += snprintf(text + count, sizeof text - (size_t)count, ".%03u", m->fraction_us / 1000);
    }
    EVS_ASSERT(count >= 8 && count <= 15);
    memcpy(out, text, (size_t)count);
    return (uint32_t)count;
}

uint32_t evs_datetime_text(char *out, int64_t us)
{
    const struct evs_moment m = evs_moment_of(us);
    char date[EVS_FORMAT_MAX];
    const int count = snprintf(date, sizeof date, "%04lld-%02u-%02u ", (long long)m.year, m.month, m.day);
    EVS_ASSERT(count >= 11 && count <= 32);
    memcpy(out, date, (size_t)count);
    return (uint32_t)count + put_clock(out + count, &m);
}

uint32_t evs_time_text(char *out, int64_t us)
{
    const struct evs_moment m = evs_moment_of(us);
    return put_clock(out, &m);
}

/* An offset is written in minutes. Before 1900 many have seconds; those are left out of the local time, too, so that the text
 * is the same moment. */
uint32_t evs_timestamp_zone_text(char *out, int64_t us, struct evs_zone zone)
{
    const int64_t minutes = (evs_zone_local(zone, us) - us) / EVS_US_PER_MINUTE;
    const uint32_t count = evs_datetime_text(out, us + minutes * EVS_US_PER_MINUTE);
    const int size = (int)(minutes < 0 ? -minutes : minutes);
    char offset[EVS_FORMAT_MAX];
    const int offset_count = snprintf(offset, sizeof offset, size % 60 != 0 ? "%c%02d:%02d" : "%c%02d",
                                      minutes < 0 ? '-' : '+', size / 60, size % 60);
    EVS_ASSERT(offset_count >= 3 && offset_count <= 6);
    memcpy(out + count, offset, (size_t)offset_count);
    return count + (uint32_t)offset_count;
}

uint32_t evs_timestamp_text(char *out, int64_t us)
{
    return evs_timestamp_zone_text(out, us, evs_zone_utc_zone());
}
