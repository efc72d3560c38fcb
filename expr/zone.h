/* Time zones: from UTC to local time and back, and the local calendar's periods. The C face of Abseil's time zones,
 * which read the system's tzdata; one C++ file stands behind it (zone.cpp), and zone_period.c for the periods.
 *
 * This header is public: operators use it for calendar windows and caps, expr/ for its functions.
 *
 *   evs_zone_load ──► struct evs_zone     a plain value: copy it, keep it anywhere, free nothing, share it freely
 *                        │
 *            UTC µs ─────┼──► local µs    evs_zone_local; local µs count as a datetime does, from a local 1970-01-01
 *            local µs ───┼──► UTC µs      evs_zone_utc
 *            UTC µs ─────┴──► the period  evs_zone_floor, evs_zone_next
 *
 * The rules of a zone are loaded once a process and stay. Nothing here can fail once a zone is loaded, and every
 * function may be called by many threads at once. Times outside the years 0001 to 9999 are allowed up to the ends of
 * int64 less one day, where results saturate.
 *
 * GAPS AND OVERLAPS. When clocks go forward, local times are missing; when they go back, some come twice.
 *   A missing local time is read with the offset before the change, as GoogleSQL does: in Berlin on 2026-03-29 the
 *   clock has no 02:30, and it is taken for 03:30. A local time that comes twice is its first occurrence.
 *   The boundary of a period that falls into a gap is the moment of the change. */
#ifndef EVS_ZONE_H
#define EVS_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The zeroed value is UTC. */
struct evs_zone {
    const void *rules; /* Abseil's; lives as long as the process */
};

/* A name of the tz database (Europe/Berlin; case counts), UTC, or an offset (+05:30, -8, UTC+2) of up to 14 hours. False when
 * there is no such zone. Names that mean something else on each machine ("localtime") are none. Reads a file on the
 * first use of a name. */
bool evs_zone_load(const char *name, size_t count, struct evs_zone *zone);
static inline struct evs_zone evs_zone_utc_zone(void)
{
    return (struct evs_zone){NULL};
}
static inline bool evs_zone_is_utc(struct evs_zone zone)
{
    return zone.rules == NULL;
}

/* What holds around a moment. For loops over rows: while begin_us <= t < end_us, local time is t + offset. */
struct evs_zone_span {
    int64_t begin_us, end_us; /* UTC; INT64_MIN and INT64_MAX where nothing bounds it */
    int64_t offset_us;        /* local less UTC; whole seconds */
};
struct evs_zone_span evs_zone_span_at(struct evs_zone zone, int64_t utc_us);
int64_t evs_zone_local(struct evs_zone zone, int64_t utc_us);
int64_t evs_zone_utc(struct evs_zone zone, int64_t local_us);
/* As evs_zone_utc, but a local time in a gap is the moment of the change. */
int64_t evs_zone_utc_edge(struct evs_zone zone, int64_t local_us);
/* "CET", "EDT", or an offset such as "+0545" as the tz database has it: at most 15 bytes and a NUL. */
#define EVS_ZONE_ABBREVIATION_MAX 16
void evs_zone_abbreviation(struct evs_zone zone, int64_t utc_us, char out[EVS_ZONE_ABBREVIATION_MAX]);

/* --- periods ------------------------------------------------------------------------------------------------------ */

/* A regular division of local time: n months, counted from January 1970, or a local length of time, counted from the local
 * 1970-01-01 00:00, each moved by offset_us. Exactly one of months and us is not 0.
 *
 *   day {.us = day}   week {.us = 7 days, .offset_us = -3 days} (a Monday)   month {.months = 1}   quarter 3   year 12 */
struct evs_period {
    int32_t months;
    int64_t us;
    int64_t offset_us;
};

struct evs_interval;
/* From `interval 1 month`, `interval 2 week`, `interval 6 hour` …; whole weeks begin on Mondays. False when the size is not
 * above zero or mixes months with shorter parts. */
bool evs_period_of(const struct evs_interval *size, int64_t offset_us, struct evs_period *period);

/* The periods of a zone divide UTC time without gap or overlap: each begins where the one before it ends, whatever the clocks
 * did (a local day has 23, 24 or 25 hours; one that a zone skipped, such as 2011-12-30 in Apia, has none). Periods of more
 * than an hour become longer or shorter where the clocks change; shorter ones are cut there.
 *
 *   evs_zone_floor(t) <= t < evs_zone_next(t);   evs_zone_floor(evs_zone_next(t)) == evs_zone_next(t) */
int64_t evs_zone_floor(struct evs_zone zone, const struct evs_period *period, int64_t utc_us);
int64_t evs_zone_next(struct evs_zone zone, const struct evs_period *period, int64_t utc_us);
/* The moment that is `count` (negative: earlier) months and local microseconds from a moment by the local clock and calendar;
 * a day that a month lacks becomes its last. For hops: the end of a window that begins at `utc_us`. */
int64_t evs_zone_add(struct evs_zone zone, int64_t utc_us, int64_t months, int64_t local_us);

#ifdef __cplusplus
}
#endif

#endif
