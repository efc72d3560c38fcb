/* Calendar arithmetic and the texts of times, shared by casts and the time functions. Everything is proleptic Gregorian;
 * what has no zone is counted as if it were UTC. */
#ifndef EVS_EXPR_TIMESTAMPS_H
#define EVS_EXPR_TIMESTAMPS_H

#include "internal.h"
#include "zone.h"

#define EVS_US_PER_SECOND INT64_C(1000000)
#define EVS_US_PER_MINUTE (60 * EVS_US_PER_SECOND)
#define EVS_US_PER_HOUR (60 * EVS_US_PER_MINUTE)
#define EVS_US_PER_DAY (24 * EVS_US_PER_HOUR)

/* 0001-01-01 and the end of 9999-12-31: no timestamp or date lies outside. */
#define EVS_DAYS_MIN INT64_C(-719162)
#define EVS_DAYS_MAX INT64_C(2932896)
#define EVS_TIMESTAMP_MIN (EVS_DAYS_MIN * EVS_US_PER_DAY)
#define EVS_TIMESTAMP_MAX ((EVS_DAYS_MAX + 1) * EVS_US_PER_DAY - 1)

static inline int64_t evs_floor_div(int64_t a, int64_t b)
{
    return a / b - ((a % b != 0) & ((a ^ b) < 0));
}
static inline int64_t evs_floor_mod(int64_t a, int64_t b)
{
    const int64_t r = a % b;
    return r + (((r != 0) & ((r ^ b) < 0)) ? b : 0);
}

/* --- texts, as cast reads and writes them (time_text.c, interval_text.c) ------------------------------------------- */

/* 2026-1-5; 2026-01-05 10:00:00.25 with a space or a T between; 10:00:00. One or two digits of each but the year, which has
 * four; digits after the sixth behind the point are cut; a leap second is the begin of the next one. The whole text, without
 * space around. False too when the result lies outside of the years 0001 to 9999. */
bool evs_read_date(struct evs_slice text, int64_t *days);
bool evs_read_datetime(struct evs_slice text, int64_t *us);
bool evs_read_time(struct evs_slice text, int64_t *us);
/* A datetime, and then an offset (+01, -08:30, Z), a space and a zone's name, or nothing: then `zone` holds. */
bool evs_read_timestamp(struct evs_slice text, struct evs_zone zone, int64_t *us);
/* Each writes at most EVS_FORMAT_MAX bytes and returns how many. Fractions have no, three or six digits. */
uint32_t evs_timestamp_text(char *out, int64_t us); /* 2026-01-05 10:00:00+00 */
uint32_t evs_timestamp_zone_text(char *out, int64_t us, struct evs_zone zone);
uint32_t evs_datetime_text(char *out, int64_t us);
uint32_t evs_time_text(char *out, int64_t us);
/* Year-month day hour:minute:second, each group with its own sign: 1-2 3 4:5:6.7; or a part of it, or ISO 8601 (P1Y2M3DT4H). */
bool evs_read_interval(struct evs_slice text, struct evs_interval *interval);
uint32_t evs_interval_text(char *out, const struct evs_interval *interval);
/* False when it is longer than 10,000 years in months, days or microseconds: GoogleSQL's limits. */
bool evs_interval_store(__int128 months, __int128 days, __int128 us, struct evs_interval *interval);
uint32_t evs_cast_float64_text(char *out, double value);
evs_kernel evs_parse_json_kernel;

/* --- parts -------------------------------------------------------------------------------------------------------- */

enum evs_time_part {
    EVS_TIME_NONE,
    EVS_TIME_MICROSECOND,
    EVS_TIME_MILLISECOND,
    EVS_TIME_SECOND,
    EVS_TIME_MINUTE,
    EVS_TIME_HOUR,
    EVS_TIME_DAY,
    EVS_TIME_WEEK, /* with the weekday that begins it */
    EVS_TIME_ISOWEEK,
    EVS_TIME_MONTH,
    EVS_TIME_QUARTER,
    EVS_TIME_YEAR,
    EVS_TIME_ISOYEAR,
    EVS_TIME_DAYOFWEEK,
    EVS_TIME_DAYOFYEAR,
    EVS_TIME_DATE,
    EVS_TIME_TIME,
    EVS_TIME_DATETIME,
};
struct evs_part {
    enum evs_time_part part;
    uint32_t week_start; /* 0 Sunday … 6 Saturday */
};
struct evs_part evs_part_of(struct evs_slice name); /* any case; EVS_TIME_NONE when there is none */
/* Microseconds of a part of fixed length, up to day; 0 otherwise. */
int64_t evs_part_us(enum evs_time_part part);

/* 0 Sunday … 6 Saturday. */
static inline uint32_t evs_weekday(int64_t days)
{
    return (uint32_t)evs_floor_mod(days + 4, 7);
}
/* The first day of the part that holds the day. */
int64_t evs_days_trunc(int64_t days, struct evs_part part);
/* The day of `days` with `months` added; a day that the month lacks becomes its last. False outside of the calendar. */
bool evs_days_add_months(int64_t days, int64_t months, int64_t *result);
int64_t evs_iso_year(int64_t days);
int64_t evs_iso_year_start(int64_t iso_year); /* its first day, a Monday */
/* From 1, the day of the year's first week. */
static inline int64_t evs_iso_week(int64_t days)
{
    return (days - evs_iso_year_start(evs_iso_year(days))) / 7 + 1;
}
/* Whether there is such a day; years 1 to 9999. */
bool evs_civil_valid(int64_t year, int64_t month, int64_t day);
uint32_t evs_month_days(int64_t year, uint32_t month);
/* A number that grows by one at each boundary of the part, for differences; days, and parts above it. */
int64_t evs_days_number(int64_t days, struct evs_part part);

/* A local time, taken apart. */
struct evs_moment {
    int64_t us, days, year; /* us: of the whole, from the local 1970 */
    uint32_t month, day;
    int hour, minute, second;
    uint32_t fraction_us;
};
struct evs_moment evs_moment_of(int64_t local_us);

#endif
