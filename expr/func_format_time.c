/* format_date, format_datetime, format_time, format_timestamp: a time in a form of one's own (time_format.h). */
#include "text_tools.h"
#include "time_format.h"

static enum evs_row format(struct evs_call *call, const struct evs_str *pattern, const struct evs_formatted *time,
                           struct evs_str *out)
{
    if (pattern->count > EVS_PATTERN_BYTES_MAX) {
        return EVS_ROW_ARGUMENT;
    }
    char *text = evs_call_text(call, EVS_FORMATTED_MAX(pattern->count));
    size_t count = 0;
    if (!evs_format_time(evs_str_slice(pattern), time, text, &count)) {
        return EVS_ROW_ARGUMENT;
    }
    *out = evs_str_make(text, (uint32_t)count);
    return EVS_ROW_OK;
}

static enum evs_row format_local(struct evs_call *call, const struct evs_str *pattern, int64_t us, uint8_t has,
                                 struct evs_str *out)
{
    const struct evs_formatted time = {.local = evs_moment_of(us), .utc_us = us, .has = has};
    return format(call, pattern, &time, out);
}

/* An offset has whole minutes here, as in a text. */
static enum evs_row format_in_zone(struct evs_call *call, const struct evs_str *pattern, int64_t us,
                                   struct evs_zone zone, struct evs_str *out)
{
    const int64_t minutes = (evs_call_local(call, zone, us) - us) / EVS_US_PER_MINUTE;
    const struct evs_formatted time = {
        .local = evs_moment_of(us + minutes * EVS_US_PER_MINUTE),
        .utc_us = us,
        .offset_minutes = (int)minutes,
        .has = EVS_HAS_ALL,
    };
    return format(call, pattern, &time, out);
}

static inline enum evs_row date_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                    struct evs_str *out)
{
    return format_local(call, a, *b * EVS_US_PER_DAY, EVS_HAS_DATE, out);
}
static inline enum evs_row datetime_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                        struct evs_str *out)
{
    return format_local(call, a, *b, EVS_HAS_BOTH, out);
}
static inline enum evs_row time_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                    struct evs_str *out)
{
    return format_local(call, a, *b, EVS_HAS_CLOCK, out);
}
static inline enum evs_row timestamp_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                         struct evs_str *out)
{
    return format_in_zone(call, a, *b, evs_zone_utc_zone(), out);
}
static inline enum evs_row timestamp_zone_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                              const struct evs_str *name, struct evs_str *out)
{
    struct evs_zone zone;
    return evs_call_zone(call, name, &zone) ? format_in_zone(call, a, *b, zone, out) : EVS_ROW_ARGUMENT;
}
EVS_ROW_KERNEL_2(format_date, date_row, struct evs_str, int64_t, struct evs_str)
EVS_ROW_KERNEL_2(format_datetime, datetime_row, struct evs_str, int64_t, struct evs_str)
EVS_ROW_KERNEL_2(format_time, time_row, struct evs_str, int64_t, struct evs_str)
EVS_ROW_KERNEL_2(format_timestamp, timestamp_row, struct evs_str, int64_t, struct evs_str)
EVS_ROW_KERNEL_3(format_timestamp_zone, timestamp_zone_row, struct evs_str, int64_t, struct evs_str, struct evs_str)

static evs_status prepare(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                          struct evs_error *error)
{
    const evs_status status = evs_check_pattern(expr, expr->arguments[0], EVS_HAS_ALL, false, error);
    return status == EVS_OK ? evs_prepare_zone(arena, expr, prepared, error) : status;
}

#define STR EVS_STRING
#define MAY_FAIL EVS_CALL_FALLIBLE
static const struct evs_overload overloads[] = {
    EVS_TIME_PREPARED("format_date", format_date, prepare, STR, 2, MAY_FAIL, STR, EVS_DATE),
    EVS_TIME_PREPARED("format_datetime", format_datetime, prepare, STR, 2, MAY_FAIL, STR, EVS_DATETIME),
    EVS_TIME_PREPARED("format_time", format_time, prepare, STR, 2, MAY_FAIL, STR, EVS_TIME),
    EVS_TIME_PREPARED("format_timestamp", format_timestamp, prepare, STR, 2, MAY_FAIL, STR, EVS_TIMESTAMP),
    EVS_TIME_ZONED("format_timestamp", format_timestamp_zone, prepare, STR, 3, 2, MAY_FAIL, STR, EVS_TIMESTAMP, STR),
};

static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION("format_date", "format_date(format string, date) → string", "The day in a form of your own.",
                      "format_date('%A, week %V', date '2026-01-05')", "Monday, week 02"),
    EVS_TIME_FUNCTION("format_datetime", "format_datetime(format string, datetime) → string",
                      "The day and the clock in a form of your own.",
                      "format_datetime('%d.%m.%Y, %k:%M', datetime '2026-01-05 09:05:00')", "05.01.2026,  9:05"),
    EVS_TIME_FUNCTION("format_time", "format_time(format string, time) → string", "The clock in a form of your own.",
                      "format_time('%I:%M %p', time '15:30:00')", "03:30 PM"),
    EVS_TIME_FUNCTION("format_timestamp", "format_timestamp(format string, timestamp [, zone]) → string",
                      "The time in a form of your own: %Y-%m-%d, %H:%M, %a, %B and so on.",
                      "format_timestamp('%d %b %Y, %H:%M %Ez', timestamp '2026-07-05 10:00:00Z', 'Europe/Berlin')",
                      "05 Jul 2026, 12:00 +02:00"),
};

const struct evs_family evs_family_format_time = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
