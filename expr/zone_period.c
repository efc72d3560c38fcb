/* The periods of a local calendar (zone.h).
 *
 * Long periods are numbered by local time, and a number's begin is brought to UTC. Where clocks go back over a boundary
 * (St John's used to go from 00:01 to 23:01 of the day before), the local time of a moment can lie in a period that has
 * ended already; so that number is only a first guess, and the right one is searched: the largest whose period begins at or
 * before the moment. Begins never decrease with their number, so this divides time without gap or overlap.
 *
 * Periods of at most an hour are laid over each stretch of time between two changes of the clocks. An hour that comes
 * twice is then two periods, as timestamp_trunc(…, hour) has it, and not one of two hours. */
#include "timestamps.h"
#include "zone.h"

#define US_PER_WEEK (7 * EVS_US_PER_DAY)
#define MONDAY_OFFSET_US (-3 * EVS_US_PER_DAY) /* 1969-12-29 */
#define CHANGE_MAX_US (26 * EVS_US_PER_HOUR)   /* the date line was moved by a day at most */

bool evs_period_of(const struct evs_interval *size, int64_t offset_us, struct evs_period *period)
{
    int64_t us;
    if (__builtin_mul_overflow((int64_t)size->days, EVS_US_PER_DAY, &us) || __builtin_add_overflow(us, size->us, &us)) {
        return false;
    }
    const bool is_weeks = us % US_PER_WEEK == 0 && size->months == 0;
    *period = (struct evs_period){size->months, us, offset_us + (is_weeks ? MONDAY_OFFSET_US : 0)};
    return size->months >= 0 && us >= 0 && (size->months > 0) != (us > 0);
}

static int64_t clamped(int64_t us)
{
    return us < EVS_TIMESTAMP_MIN ? EVS_TIMESTAMP_MIN : us > EVS_TIMESTAMP_MAX ? EVS_TIMESTAMP_MAX : us;
}

/* The number of the period that holds a local time: 0 is that of 1970-01-01, but for the offset. */
static int64_t number_of(const struct evs_period *period, int64_t local_us)
{
    const int64_t moved = local_us - period->offset_us;
    if (period->us > 0) {
        return evs_floor_div(moved, period->us);
    }
    int64_t year;
    uint32_t month, day;
    evs_civil_from_days(evs_floor_div(moved, EVS_US_PER_DAY), &year, &month, &day);
    return evs_floor_div((year - 1970) * 12 + (month - 1), period->months);
}

static int64_t begin_of(struct evs_zone zone, const struct evs_period *period, int64_t number)
{
    if (period->us > 0) {
        return evs_zone_utc_edge(zone, number * period->us + period->offset_us);
    }
    const int64_t months = number * period->months;
    const int64_t days =
        evs_days_from_civil(1970 + evs_floor_div(months, 12), (uint32_t)evs_floor_mod(months, 12) + 1, 1);
    return evs_zone_utc_edge(zone, days * EVS_US_PER_DAY + period->offset_us);
}

static bool is_short(const struct evs_period *period)
{
    return period->us > 0 && period->us <= EVS_US_PER_HOUR;
}

/* The largest number whose period begins at or before the moment. */
static int64_t number_at(struct evs_zone zone, const struct evs_period *period, int64_t utc_us)
{
    EVS_ASSERT((period->months > 0) != (period->us > 0));
    const int64_t local = evs_zone_local(zone, utc_us), guess = number_of(period, local);
    if (begin_of(zone, period, guess) <= utc_us && begin_of(zone, period, guess + 1) > utc_us) {
        return guess;
    }
    int64_t low = number_of(period, local - CHANGE_MAX_US) - 1, high = number_of(period, local + CHANGE_MAX_US) + 1;
    EVS_ASSERT(begin_of(zone, period, low) <= utc_us);
    EVS_ASSERT(begin_of(zone, period, high) > utc_us);
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (begin_of(zone, period, middle) <= utc_us) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* How far the moment lies behind the begin of its short period, but for a change of the clocks between. */
static int64_t into_short(const struct evs_period *period, const struct evs_zone_span *span, int64_t utc_us)
{
    return evs_floor_mod(utc_us + span->offset_us - period->offset_us, period->us);
}

int64_t evs_zone_floor(struct evs_zone zone, const struct evs_period *period, int64_t utc_us)
{
    const int64_t us = clamped(utc_us);
    if (!is_short(period)) {
        return begin_of(zone, period, number_at(zone, period, us));
    }
    const struct evs_zone_span span = evs_zone_span_at(zone, us);
    const int64_t begin = us - into_short(period, &span, us);
    return begin > span.begin_us ? begin : span.begin_us;
}

int64_t evs_zone_next(struct evs_zone zone, const struct evs_period *period, int64_t utc_us)
{
    const int64_t us = clamped(utc_us);
    if (!is_short(period)) {
        return begin_of(zone, period, number_at(zone, period, us) + 1);
    }
    const struct evs_zone_span span = evs_zone_span_at(zone, us);
    const int64_t end = us - into_short(period, &span, us) + period->us;
    return end < span.end_us ? end : span.end_us;
}

int64_t evs_zone_add(struct evs_zone zone, int64_t utc_us, int64_t months, int64_t local_us)
{
    const int64_t local = evs_zone_local(zone, clamped(utc_us));
    int64_t days = evs_floor_div(local, EVS_US_PER_DAY);
    if (months != 0 && !evs_days_add_months(days, months, &days)) {
        return months > 0 ? EVS_TIMESTAMP_MAX : EVS_TIMESTAMP_MIN;
    }
    return evs_zone_utc_edge(zone, days * EVS_US_PER_DAY + evs_floor_mod(local, EVS_US_PER_DAY) + local_us);
}
