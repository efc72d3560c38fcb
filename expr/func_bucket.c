/* date_bucket, datetime_bucket, timestamp_bucket: the start of the bucket that holds a time. Buckets are as long as an interval
 * with one part (months, days or microseconds; a timestamp has no months, a date no microseconds) and are counted from an
 * origin, 1950-01-01 when none is given.
 *
 * In buckets of months the day of the origin is the day on which each begins; a month that lacks it has its last day instead,
 * as adding months has it. */
#include "time_parts.h"

static int64_t default_origin_days(void)
{
    return evs_days_from_civil(1950, 1, 1);
}

/* The origin moved by a number of months, at the origin's time of the day. */
static bool moved_origin(int64_t origin, int64_t months, int64_t *out)
{
    const int64_t days = evs_floor_div(origin, EVS_US_PER_DAY);
    int64_t moved;
    if (!evs_days_add_months(days, months, &moved)) {
        return false;
    }
    *out = moved * EVS_US_PER_DAY + (origin - days * EVS_US_PER_DAY);
    return true;
}

static int64_t month_number(int64_t us)
{
    const struct evs_moment m = evs_moment_of(us);
    return m.year * 12 + m.month;
}

static enum evs_row bucket_months(int64_t us, int64_t width, int64_t origin, int64_t *out)
{
    int64_t months = month_number(us) - month_number(origin);
    months -= evs_floor_mod(months, width);
    int64_t start;
    if (!moved_origin(origin, months, &start)) {
        return EVS_ROW_TIME;
    }
    /* In the bucket's first month the time may still lie before the origin's day and hour. */
    if (start > us && !moved_origin(origin, months - width, &start)) {
        return EVS_ROW_TIME;
    }
    *out = start;
    return EVS_ROW_OK;
}

/* `origin` and `us` are local times. */
static enum evs_row bucket(int64_t us, const struct evs_interval *width, int64_t origin, int64_t *out)
{
    const int parts = (width->months != 0) + (width->days != 0) + (width->us != 0);
    if (parts != 1 || width->months < 0 || width->days < 0 || width->us < 0) {
        return EVS_ROW_ARGUMENT;
    }
    if (width->months > 0) {
        return bucket_months(us, width->months, origin, out);
    }
    return evs_checked_us(us - evs_floor_mod(us - origin, width->days * EVS_US_PER_DAY + width->us), out);
}

static enum evs_row bucket_date(int64_t days, const struct evs_interval *width, int64_t origin, int64_t *out)
{
    int64_t us;
    if (width->us != 0) {
        return EVS_ROW_ARGUMENT;
    }
    const enum evs_row outcome = bucket(days * EVS_US_PER_DAY, width, origin * EVS_US_PER_DAY, &us);
    if (outcome == EVS_ROW_OK) {
        *out = evs_floor_div(us, EVS_US_PER_DAY);
    }
    return outcome;
}

static enum evs_row bucket_timestamp(int64_t us, const struct evs_interval *width, int64_t origin, int64_t *out)
{
    return width->months != 0 ? EVS_ROW_ARGUMENT : bucket(us, width, origin, out);
}

#define BUCKET(name, function, default_origin)                                                                         \
    static inline enum evs_row name##_row(struct evs_call *call, const int64_t *a, const struct evs_interval *b,       \
                                          int64_t *out)                                                                \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        return function(*a, b, (default_origin), out);                                                                 \
    }                                                                                                                  \
    static inline enum evs_row name##_origin_row(struct evs_call *call, const int64_t *a,                              \
                                                 const struct evs_interval *b, const int64_t *c, int64_t *out)         \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        return function(*a, b, *c, out);                                                                               \
    }                                                                                                                  \
    EVS_ROW_KERNEL_2(name, name##_row, int64_t, struct evs_interval, int64_t)                                          \
    EVS_ROW_KERNEL_3(name##_origin, name##_origin_row, int64_t, struct evs_interval, int64_t, int64_t)
BUCKET(date_bucket, bucket_date, default_origin_days())
BUCKET(datetime_bucket, bucket, default_origin_days() * EVS_US_PER_DAY)
BUCKET(timestamp_bucket, bucket_timestamp, default_origin_days() * EVS_US_PER_DAY)

#define BUCKETS(name_, kernel_, kind)                                                                                  \
    EVS_TIME_OVERLOAD(name_, kernel_, kind, 2, EVS_CALL_FALLIBLE, kind, EVS_INTERVAL),                                 \
        EVS_TIME_OVERLOAD(name_, kernel_##_origin, kind, 3, EVS_CALL_FALLIBLE, kind, EVS_INTERVAL, kind)
static const struct evs_overload overloads[] = {
    BUCKETS("date_bucket", date_bucket, EVS_DATE),
    BUCKETS("datetime_bucket", datetime_bucket, EVS_DATETIME),
    BUCKETS("timestamp_bucket", timestamp_bucket, EVS_TIMESTAMP),
};

static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION("date_bucket", "date_bucket(date, interval [, date]) → date",
                      "The first day of the bucket that holds it. Buckets are as long as the interval (days or months) "
                      "and counted from the third argument, else from 1950-01-01.",
                      "date_bucket(date '2026-01-15', interval 1 week, date '2026-01-05')", "2026-01-12"),
    EVS_TIME_FUNCTION("datetime_bucket", "datetime_bucket(datetime, interval [, datetime]) → datetime",
                      "The start of the bucket that holds it, counted as in date_bucket; the interval has one part.",
                      "datetime_bucket(datetime '2026-03-15 10:31:00', interval 3 month)", "2026-01-01 00:00:00"),
    EVS_TIME_FUNCTION("timestamp_bucket", "timestamp_bucket(timestamp, interval [, timestamp]) → timestamp",
                      "The start of the bucket that holds it, counted as in date_bucket; the interval is of days (24 "
                      "hours each) or shorter parts.",
                      "timestamp_bucket(timestamp '2026-01-05 10:31:00Z', interval 15 minute)",
                      "2026-01-05 10:30:00+00"),
};

const struct evs_family evs_family_bucket = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
