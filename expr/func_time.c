/* Functions of timestamps.
 *
 * A day is 24 hours, as GoogleSQL has it for timestamps; months and years cannot be added to one. timestamp_diff counts whole
 * parts and cuts toward zero; timestamp_trunc rounds down, days and longer parts by the local calendar of a zone. Results
 * outside of the years 0001 to 9999 are errors.
 *
 * Functions of two kinds of arguments have two kernels, with a zone and without: the second is UTC, and cheaper. */
#include "time_parts.h"

/* --- arithmetic --------------------------------------------------------------------------------------------------- */

/* Months of a constant interval are refused when the call is built, those of a computed one row by row. */
static evs_status prepare_add(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                              struct evs_error *error)
{
    (void)arena;
    *prepared = NULL;
    for (uint32_t i = 0; i < 2; i++) {
        const struct evs_expr *interval = expr->arguments[i];
        if (interval->type->kind == EVS_INTERVAL && interval->kind == EVS_EXPR_CONSTANT && !interval->value.is_null &&
            interval->value.interval.months != 0) {
            return evs_fail(error, EVS_E_PIPELINE,
                            "months and years have no fixed length, so they cannot be added to a timestamp or "
                            "subtracted from it; use days, or a datetime: datetime_add(datetime(t, zone), interval 1 "
                            "month)");
        }
    }
    return EVS_OK;
}

static enum evs_row add_interval(int64_t us, const struct evs_interval *interval, int sign, int64_t *out)
{
    if (interval->months != 0) {
        return EVS_ROW_ARGUMENT;
    }
    const __int128 length = (__int128)interval->days * EVS_US_PER_DAY + interval->us;
    const __int128 sum = us + sign * length;
    return sum >= EVS_TIMESTAMP_MIN && sum <= EVS_TIMESTAMP_MAX ? evs_checked_us((int64_t)sum, out) : EVS_ROW_TIME;
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

static evs_status prepare_fixed(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                struct evs_error *error)
{
    return evs_prepare_part(arena, expr, EVS_PARTS_CLOCK | EVS_PART_BIT(EVS_TIME_DAY), prepared, error);
}
static inline enum evs_row timestamp_diff_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    *out = (*a - *b) / evs_part_us(evs_call_part(call).part);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(timestamp_diff, timestamp_diff_row, int64_t, int64_t, int64_t)

/* --- trunc -------------------------------------------------------------------------------------------------------- */

static evs_status prepare_trunc(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                struct evs_error *error)
{
    return evs_prepare_part(arena, expr, EVS_PARTS_CLOCK | EVS_PARTS_CALENDAR, prepared, error);
}

/* Hours and shorter parts keep the offset of the moment, so that an hour that comes twice stays two; longer ones begin at a
 * local midnight, which has an offset of its own. */
static enum evs_row trunc_in_zone(struct evs_call *call, int64_t us, struct evs_zone zone, int64_t *out)
{
    const struct evs_part part = evs_call_part(call);
    const int64_t local = evs_call_local(call, zone, us);
    if (EVS_PART_BIT(part.part) & EVS_PARTS_CLOCK) {
        const int64_t unit = evs_part_us(part.part);
        /* Seconds and below are the same in every zone, also where an offset has seconds. */
        return evs_checked_us(us - evs_floor_mod(unit < EVS_US_PER_MINUTE ? us : local, unit), out);
    }
    const int64_t days = evs_days_trunc(evs_floor_div(local, EVS_US_PER_DAY), part);
    return evs_checked_us(evs_zone_utc(zone, days * EVS_US_PER_DAY), out);
}
static inline enum evs_row trunc_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    return trunc_in_zone(call, *a, evs_zone_utc_zone(), out);
}
static inline enum evs_row trunc_zone_row(struct evs_call *call, const int64_t *a, const struct evs_str *part,
                                          const struct evs_str *name, int64_t *out)
{
    (void)part;
    struct evs_zone zone;
    return evs_call_zone(call, name, &zone) ? trunc_in_zone(call, *a, zone, out) : EVS_ROW_ARGUMENT;
}
EVS_ROW_KERNEL_1(timestamp_trunc, trunc_row, int64_t, int64_t)
EVS_ROW_KERNEL_3(timestamp_trunc_zone, trunc_zone_row, int64_t, struct evs_str, struct evs_str, int64_t)

/* --- epochs ------------------------------------------------------------------------------------------------------- */

EVS_DENSE_KERNEL_1(unix_seconds, int64_t, int64_t, evs_floor_div(a, EVS_US_PER_SECOND))
EVS_DENSE_KERNEL_1(unix_millis, int64_t, int64_t, evs_floor_div(a, 1000))
EVS_DENSE_KERNEL_1(unix_micros, int64_t, int64_t, a)

#define FROM_EPOCH(name, unit)                                                                                         \
    static inline enum evs_row name##_row(struct evs_call *call, const int64_t *a, int64_t *out)                       \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        int64_t us;                                                                                                    \
        return __builtin_mul_overflow(*a, (int64_t)(unit), &us) ? EVS_ROW_TIME : evs_checked_us(us, out);              \
    }                                                                                                                  \
    EVS_ROW_KERNEL_1(name, name##_row, int64_t, int64_t)
FROM_EPOCH(timestamp_seconds, EVS_US_PER_SECOND)
FROM_EPOCH(timestamp_millis, 1000)
FROM_EPOCH(timestamp_micros, 1)

/* --- conversions -------------------------------------------------------------------------------------------------- */

EVS_DENSE_KERNEL_1(same_us, int64_t, int64_t, a)
EVS_DENSE_KERNEL_1(timestamp_of_date, int64_t, int64_t, (int64_t)((uint64_t)a *(uint64_t)EVS_US_PER_DAY))

static inline enum evs_row of_string_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    (void)call;
    return evs_read_timestamp(evs_str_slice(a), evs_zone_utc_zone(), out) ? EVS_ROW_OK : EVS_ROW_CAST;
}
EVS_ROW_KERNEL_1(timestamp_of_string, of_string_row, struct evs_str, int64_t)

static inline enum evs_row of_string_zone_row(struct evs_call *call, const struct evs_str *a,
                                              const struct evs_str *name, int64_t *out)
{
    struct evs_zone zone;
    if (!evs_call_zone(call, name, &zone)) {
        return EVS_ROW_ARGUMENT;
    }
    return evs_read_timestamp(evs_str_slice(a), zone, out) ? EVS_ROW_OK : EVS_ROW_CAST;
}
static inline enum evs_row of_datetime_zone_row(struct evs_call *call, const int64_t *a, const struct evs_str *name,
                                                int64_t *out)
{
    struct evs_zone zone;
    return evs_call_zone(call, name, &zone) ? evs_checked_us(evs_zone_utc(zone, *a), out) : EVS_ROW_ARGUMENT;
}
static inline enum evs_row of_date_zone_row(struct evs_call *call, const int64_t *a, const struct evs_str *name,
                                            int64_t *out)
{
    const int64_t us = *a * EVS_US_PER_DAY;
    return of_datetime_zone_row(call, &us, name, out);
}
EVS_ROW_KERNEL_2(timestamp_of_string_zone, of_string_zone_row, struct evs_str, struct evs_str, int64_t)
EVS_ROW_KERNEL_2(timestamp_of_datetime_zone, of_datetime_zone_row, int64_t, struct evs_str, int64_t)
EVS_ROW_KERNEL_2(timestamp_of_date_zone, of_date_zone_row, int64_t, struct evs_str, int64_t)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define TS EVS_TIMESTAMP
#define DT EVS_DATETIME
#define IV EVS_INTERVAL
#define STR EVS_STRING
#define MAY_FAIL EVS_CALL_FALLIBLE
#define DENSE EVS_CALL_DENSE

static const struct evs_overload overloads[] = {
    EVS_TIME_PREPARED("+", timestamp_add, prepare_add, TS, 2, MAY_FAIL, TS, IV),
    EVS_TIME_PREPARED("+", interval_plus, prepare_add, TS, 2, MAY_FAIL, IV, TS),
    EVS_TIME_PREPARED("-", timestamp_sub, prepare_add, TS, 2, MAY_FAIL, TS, IV),
    EVS_TIME_OVERLOAD("-", timestamp_minus, IV, 2, 0, TS, TS),
    EVS_TIME_PREPARED("timestamp_add", timestamp_add, prepare_add, TS, 2, MAY_FAIL, TS, IV),
    EVS_TIME_PREPARED("timestamp_sub", timestamp_sub, prepare_add, TS, 2, MAY_FAIL, TS, IV),
    EVS_TIME_PREPARED("timestamp_diff", timestamp_diff, prepare_fixed, EVS_INT64, 3, 0, TS, TS, EVS_ARG_PART),
    EVS_TIME_PREPARED("timestamp_trunc", timestamp_trunc, prepare_trunc, TS, 2, MAY_FAIL, TS, EVS_ARG_PART),
    EVS_TIME_ZONED("timestamp_trunc", timestamp_trunc_zone, prepare_trunc, TS, 3, 2, MAY_FAIL, TS, EVS_ARG_PART, STR),
    EVS_TIME_PREPARED("timestamp_trunc", timestamp_trunc, prepare_trunc, DT, 2, MAY_FAIL | EVS_CALL_EXACT, DT,
                      EVS_ARG_PART),
    EVS_TIME_PREPARED("date_trunc", timestamp_trunc, prepare_trunc, TS, 2, MAY_FAIL | EVS_CALL_EXACT, TS, EVS_ARG_PART),
    EVS_TIME_ZONED("date_trunc", timestamp_trunc_zone, prepare_trunc, TS, 3, 2, MAY_FAIL, TS, EVS_ARG_PART, STR),
    EVS_TIME_PREPARED("date_trunc", timestamp_trunc, prepare_trunc, DT, 2, MAY_FAIL | EVS_CALL_EXACT, DT, EVS_ARG_PART),
    EVS_TIME_PREPARED("datetime_trunc", timestamp_trunc, prepare_trunc, DT, 2, MAY_FAIL, DT, EVS_ARG_PART),
    EVS_TIME_PREPARED("datetime_trunc", timestamp_trunc, prepare_trunc, TS, 2, MAY_FAIL | EVS_CALL_EXACT, TS,
                      EVS_ARG_PART),
    EVS_TIME_ZONED("datetime_trunc", timestamp_trunc_zone, prepare_trunc, TS, 3, 2, MAY_FAIL, TS, EVS_ARG_PART, STR),
    EVS_TIME_OVERLOAD("unix_seconds", unix_seconds, EVS_INT64, 1, DENSE, TS),
    EVS_TIME_OVERLOAD("unix_millis", unix_millis, EVS_INT64, 1, DENSE, TS),
    EVS_TIME_OVERLOAD("unix_micros", unix_micros, EVS_INT64, 1, DENSE, TS),
    EVS_TIME_OVERLOAD("timestamp_seconds", timestamp_seconds, TS, 1, MAY_FAIL, EVS_INT64),
    EVS_TIME_OVERLOAD("timestamp_millis", timestamp_millis, TS, 1, MAY_FAIL, EVS_INT64),
    EVS_TIME_OVERLOAD("timestamp_micros", timestamp_micros, TS, 1, MAY_FAIL, EVS_INT64),
    EVS_TIME_OVERLOAD("timestamp_from_unix_seconds", timestamp_seconds, TS, 1, MAY_FAIL, EVS_INT64),
    EVS_TIME_OVERLOAD("timestamp_from_unix_millis", timestamp_millis, TS, 1, MAY_FAIL, EVS_INT64),
    EVS_TIME_OVERLOAD("timestamp_from_unix_micros", timestamp_micros, TS, 1, MAY_FAIL, EVS_INT64),
    EVS_TIME_OVERLOAD("timestamp_from_unix_seconds", same_us, TS, 1, DENSE | EVS_CALL_EXACT, TS),
    EVS_TIME_OVERLOAD("timestamp_from_unix_millis", same_us, TS, 1, DENSE | EVS_CALL_EXACT, TS),
    EVS_TIME_OVERLOAD("timestamp_from_unix_micros", same_us, TS, 1, DENSE | EVS_CALL_EXACT, TS),
    EVS_TIME_OVERLOAD("timestamp", timestamp_of_string, TS, 1, MAY_FAIL, STR),
    EVS_TIME_ZONED("timestamp", timestamp_of_string_zone, evs_prepare_zone, TS, 2, 1, MAY_FAIL, STR, STR),
    EVS_TIME_OVERLOAD("timestamp", same_us, TS, 1, DENSE | EVS_CALL_EXACT, TS),
    EVS_TIME_OVERLOAD("timestamp", same_us, TS, 1, DENSE, DT),
    EVS_TIME_ZONED("timestamp", timestamp_of_datetime_zone, evs_prepare_zone, TS, 2, 1, MAY_FAIL, DT, STR),
    EVS_TIME_OVERLOAD("timestamp", timestamp_of_date, TS, 1, DENSE, EVS_DATE),
    EVS_TIME_ZONED("timestamp", timestamp_of_date_zone, evs_prepare_zone, TS, 2, 1, MAY_FAIL, EVS_DATE, STR),
};

static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION("timestamp_add", "timestamp_add(timestamp, interval) → timestamp",
                      "Later by microseconds to days; a day is 24 hours.",
                      "timestamp_add(timestamp '2026-01-05 10:00:00Z', interval 90 minute)", "2026-01-05 11:30:00+00"),
    EVS_TIME_FUNCTION("timestamp_sub", "timestamp_sub(timestamp, interval) → timestamp",
                      "Earlier by microseconds to days; a day is 24 hours.",
                      "timestamp_sub(timestamp '2026-01-05 10:00:00Z', interval 1 day)", "2026-01-04 10:00:00+00"),
    EVS_TIME_FUNCTION("timestamp_diff", "timestamp_diff(timestamp, timestamp, part) → int64",
                      "First less second in whole parts, microsecond to day, cut toward zero.",
                      "timestamp_diff(timestamp '2026-01-05 10:00:00Z', timestamp '2026-01-05 08:30:00Z', hour)", "1"),
    EVS_TIME_FUNCTION("timestamp_trunc", "timestamp_trunc(timestamp, part [, zone]) → timestamp; the same for datetime",
                      "The start of the part that holds it; of a day and longer parts by the calendar of the zone.",
                      "timestamp_trunc(timestamp '2026-07-07 22:31:00Z', day, 'Europe/Berlin')",
                      "2026-07-07 22:00:00+00"),
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
    EVS_TIME_FUNCTION("timestamp_from_unix_seconds", "timestamp_from_unix_seconds(int64 or timestamp) → timestamp",
                      "From seconds since 1970; a timestamp stays as it is.", "timestamp_from_unix_seconds(86400)",
                      "1970-01-02 00:00:00+00"),
    EVS_TIME_FUNCTION("timestamp_from_unix_millis", "timestamp_from_unix_millis(int64 or timestamp) → timestamp",
                      "From milliseconds since 1970; a timestamp stays as it is.", "timestamp_from_unix_millis(1500)",
                      "1970-01-01 00:00:01.500+00"),
    EVS_TIME_FUNCTION("timestamp_from_unix_micros", "timestamp_from_unix_micros(int64 or timestamp) → timestamp",
                      "From microseconds since 1970; a timestamp stays as it is.", "timestamp_from_unix_micros(-1)",
                      "1969-12-31 23:59:59.999999+00"),
    EVS_TIME_FUNCTION("timestamp", "timestamp(string, date or datetime [, zone]) → timestamp",
                      "The moment that a text or a local time is. A local time that the clocks skipped is read with "
                      "the offset before the change; one that came twice is the first.",
                      "timestamp('2026-07-05 10:00:00', 'Europe/Berlin')", "2026-07-05 08:00:00+00"),
};

const struct evs_family evs_family_time = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
