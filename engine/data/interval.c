/* Intervals as text: ISO 8601 durations, and the canonical form of GoogleSQL. */
#include "evstream/json_value.h"

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_MINUTE (60 * US_PER_SECOND)
#define US_PER_HOUR (60 * US_PER_MINUTE)
/* GoogleSQL's limits: 10,000 years, in each of the three. */
#define MONTHS_MAX 120000
#define DAYS_MAX 3660000
#define US_MAX (INT64_C(87840000) * US_PER_HOUR)

/* --- writing --------------------------------------------------------------------------------------------------------- */

static uint32_t put_part(char *out, int64_t value, char unit)
{
    if (value == 0) {
        return 0;
    }
    uint32_t at = evs_format_int64(out, value);
    out[at] = unit;
    return at + 1;
}

/* Seconds with their fraction: numerics have the digits. */
static uint32_t put_seconds(char *out, int64_t us)
{
    if (us == 0) {
        return 0;
    }
    uint32_t at = evs_format_numeric(out, (evs_numeric)us * (EVS_NUMERIC_ONE / US_PER_SECOND));
    out[at] = 'S';
    return at + 1;
}

uint32_t evs_format_duration(char *out, const struct evs_interval *interval)
{
    uint32_t at = 0;
    out[at++] = 'P';
    at += put_part(out + at, interval->months / 12, 'Y');
    at += put_part(out + at, interval->months % 12, 'M');
    at += put_part(out + at, interval->days, 'D');
    if (interval->us != 0) {
        out[at++] = 'T';
        at += put_part(out + at, interval->us / US_PER_HOUR, 'H');
        at += put_part(out + at, interval->us % US_PER_HOUR / US_PER_MINUTE, 'M');
        at += put_seconds(out + at, interval->us % US_PER_MINUTE);
    }
    if (at == 1) {
        memcpy(out + at, "0D", 2);
        at += 2;
    }
    EVS_ASSERT(at <= EVS_FORMAT_MAX);
    return at;
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

struct reading {
    const char *at, *end;
    __int128 months, days, us;
};

static bool take(struct reading *reading, char c)
{
    bool found = reading->at < reading->end && *reading->at == c;
    reading->at += found;
    return found;
}

static bool at_digit(const struct reading *reading)
{
    return reading->at < reading->end && *reading->at >= '0' && *reading->at <= '9';
}

/* A number, and its fraction in millionths. Longer ones than any interval has are refused. */
static bool take_number(struct reading *reading, int64_t *whole, int64_t *millionths)
{
    const char *start = reading->at;
    *whole = *millionths = 0;
    for (; at_digit(reading) && reading->at - start <= 15; reading->at++) {
        *whole = *whole * 10 + (*reading->at - '0');
    }
    if (reading->at == start || at_digit(reading)) {
        return false;
    }
    if (!take(reading, '.')) {
        return true;
    }
    start = reading->at;
    for (int64_t unit = US_PER_SECOND / 10; at_digit(reading); reading->at++, unit /= 10) {
        *millionths += unit * (*reading->at - '0');
    }
    return reading->at > start;
}

/* Adds so many of a unit; the letters of ISO 8601 stand in order, dates before T and times behind it. False: no such unit here. */
static bool add_unit(struct reading *reading, char unit, bool is_time, __int128 count)
{
    switch (unit) {
    case 'Y':
        reading->months += 12 * count;
        return !is_time;
    case 'W':
        reading->days += 7 * count;
        return !is_time;
    case 'D':
        reading->days += count;
        return !is_time;
    case 'H':
        reading->us += US_PER_HOUR * count;
        return is_time;
    case 'M':
        reading->months += is_time ? 0 : count;
        reading->us += is_time ? US_PER_MINUTE * count : 0;
        return true;
    case 'S':
        reading->us += US_PER_SECOND * count;
        return is_time;
    default:
        return false;
    }
}

/* Behind the P. */
static bool read_iso(struct reading *reading)
{
    bool is_time = false, any = false;
    while (reading->at < reading->end) {
        if (!is_time && take(reading, 'T')) {
            is_time = true;
            any = false;
            continue;
        }
        int64_t sign = take(reading, '-') ? -1 : 1, whole, millionths;
        if (!take_number(reading, &whole, &millionths) || reading->at == reading->end) {
            return false;
        }
        char unit = *reading->at++;
        if (!add_unit(reading, unit, is_time, (__int128)sign * whole) || (millionths != 0 && unit != 'S')) {
            return false;
        }
        reading->us += sign * millionths;
        any = true;
    }
    return any;
}

/* -?a SEPARATOR b with one sign for both, as in 1-2 for a year and two months. */
static bool take_pair(struct reading *reading, char separator, int64_t *first, int64_t *second, int64_t *sign)
{
    int64_t fraction;
    *sign = take(reading, '-') ? -1 : 1;
    return take_number(reading, first, &fraction) && fraction == 0 && take(reading, separator) &&
           take_number(reading, second, &fraction) && fraction == 0;
}

/* Y-M D H:M:S[.F] */
static bool read_canonical(struct reading *reading)
{
    int64_t years, months, sign, days, hours, minutes, seconds, fraction;
    if (!take_pair(reading, '-', &years, &months, &sign) || !take(reading, ' ')) {
        return false;
    }
    reading->months = sign * ((__int128)years * 12 + months);
    sign = take(reading, '-') ? -1 : 1;
    if (!take_number(reading, &days, &fraction) || fraction != 0 || !take(reading, ' ')) {
        return false;
    }
    reading->days = sign * days;
    if (!take_pair(reading, ':', &hours, &minutes, &sign) || !take(reading, ':') ||
        !take_number(reading, &seconds, &fraction)) {
        return false;
    }
    reading->us = sign * ((__int128)hours * US_PER_HOUR + (__int128)minutes * US_PER_MINUTE +
                          (__int128)seconds * US_PER_SECOND + fraction);
    return reading->at == reading->end;
}

static bool within(__int128 value, int64_t max)
{
    return value <= max && value >= -max;
}

bool evs_interval_from_text(struct evs_slice text, struct evs_interval *interval)
{
    struct reading reading = {.at = text.data, .end = text.data + text.count};
    bool read = take(&reading, 'P') ? read_iso(&reading) : read_canonical(&reading);
    if (!read || !within(reading.months, MONTHS_MAX) || !within(reading.days, DAYS_MAX) ||
        !within(reading.us, US_MAX)) {
        return false;
    }
    *interval = (struct evs_interval){(int32_t)reading.months, (int32_t)reading.days, (int64_t)reading.us};
    return true;
}
