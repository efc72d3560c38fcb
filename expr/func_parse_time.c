/* parse_date, parse_datetime, parse_time, parse_timestamp: a time from a text in a form of its own (time_parse.h). */
#include "time_parse.h"

static enum evs_row parse(const struct evs_str *pattern, const struct evs_str *text, struct evs_zone zone, int64_t *us)
{
    if (pattern->count > EVS_PATTERN_BYTES_MAX) {
        return EVS_ROW_ARGUMENT;
    }
    return evs_parse_time(evs_str_slice(pattern), evs_str_slice(text), zone, us) ? EVS_ROW_OK : EVS_ROW_CAST;
}

/* A computed pattern may name what the type lacks; that is found row by row. */
static bool fits(struct evs_slice pattern, uint8_t has)
{
    for (size_t i = 0; i < pattern.count; i++) {
        struct evs_element element;
        if (pattern.data[i] != '%') {
            continue;
        }
        if (!evs_element_of((struct evs_slice){pattern.data + i + 1, pattern.count - i - 1}, &element) ||
            (element.tells & ~has) != 0) {
            return false;
        }
        i += element.length;
    }
    return true;
}

static enum evs_row parse_local(struct evs_call *call, const struct evs_str *pattern, const struct evs_str *text,
                                uint8_t has, int64_t *us)
{
    const bool is_checked = EVS_ARG_IS_CONSTANT(call, 0) && evs_call_time(call) != NULL;
    if (!is_checked && !fits(evs_str_slice(pattern), has)) {
        return EVS_ROW_ARGUMENT;
    }
    return parse(pattern, text, evs_zone_utc_zone(), us);
}

static inline enum evs_row date_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                    int64_t *out)
{
    int64_t us = 0;
    const enum evs_row outcome = parse_local(call, a, b, EVS_HAS_DATE, &us);
    *out = evs_floor_div(us, EVS_US_PER_DAY);
    return outcome;
}
static inline enum evs_row datetime_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                        int64_t *out)
{
    return parse_local(call, a, b, EVS_HAS_BOTH, out);
}
static inline enum evs_row time_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                    int64_t *out)
{
    int64_t us = 0;
    const enum evs_row outcome = parse_local(call, a, b, EVS_HAS_CLOCK, &us);
    *out = evs_floor_mod(us, EVS_US_PER_DAY);
    return outcome;
}
static inline enum evs_row timestamp_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                         int64_t *out)
{
    (void)call;
    return parse(a, b, evs_zone_utc_zone(), out);
}
static inline enum evs_row timestamp_zone_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                              const struct evs_str *name, int64_t *out)
{
    struct evs_zone zone;
    return evs_call_zone(call, name, &zone) ? parse(a, b, zone, out) : EVS_ROW_ARGUMENT;
}
EVS_ROW_KERNEL_2(parse_date, date_row, struct evs_str, struct evs_str, int64_t)
EVS_ROW_KERNEL_2(parse_datetime, datetime_row, struct evs_str, struct evs_str, int64_t)
EVS_ROW_KERNEL_2(parse_clock, time_row, struct evs_str, struct evs_str, int64_t)
EVS_ROW_KERNEL_2(parse_timestamp, timestamp_row, struct evs_str, struct evs_str, int64_t)
EVS_ROW_KERNEL_3(parse_timestamp_zone, timestamp_zone_row, struct evs_str, struct evs_str, struct evs_str, int64_t)

#define PREPARE(name, has)                                                                                             \
    static evs_status name(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,                \
                           struct evs_error *error)                                                                    \
    {                                                                                                                  \
        const evs_status status = evs_check_pattern(expr, expr->arguments[0], (has), true, error);                     \
        return status == EVS_OK ? evs_prepare_zone(arena, expr, prepared, error) : status;                             \
    }
PREPARE(prepare_date, EVS_HAS_DATE)
PREPARE(prepare_datetime, EVS_HAS_BOTH)
PREPARE(prepare_time, EVS_HAS_CLOCK)
PREPARE(prepare_timestamp, EVS_HAS_ALL)

#define STR EVS_STRING
#define MAY_FAIL EVS_CALL_FALLIBLE
static const struct evs_overload overloads[] = {
    EVS_TIME_PREPARED("parse_date", parse_date, prepare_date, EVS_DATE, 2, MAY_FAIL, STR, STR),
    EVS_TIME_PREPARED("parse_datetime", parse_datetime, prepare_datetime, EVS_DATETIME, 2, MAY_FAIL, STR, STR),
    EVS_TIME_PREPARED("parse_time", parse_clock, prepare_time, EVS_TIME, 2, MAY_FAIL, STR, STR),
    EVS_TIME_PREPARED("parse_timestamp", parse_timestamp, prepare_timestamp, EVS_TIMESTAMP, 2, MAY_FAIL, STR, STR),
    EVS_TIME_ZONED("parse_timestamp", parse_timestamp_zone, prepare_timestamp, EVS_TIMESTAMP, 3, 2, MAY_FAIL, STR, STR,
                   STR),
};

static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION("parse_date", "parse_date(format string, string) → date",
                      "The day that a text is, in a form of its own.", "parse_date('%d.%m.%Y', '5.1.2026')",
                      "2026-01-05"),
    EVS_TIME_FUNCTION("parse_datetime", "parse_datetime(format string, string) → datetime",
                      "The day and the clock that a text is.",
                      "parse_datetime('%b %e %Y %I:%M %p', 'Jan 5 2026 3:30 PM')", "2026-01-05 15:30:00"),
    EVS_TIME_FUNCTION("parse_time", "parse_time(format string, string) → time", "The clock that a text is.",
                      "parse_time('%H%M', '1530')", "15:30:00"),
    EVS_TIME_FUNCTION("parse_timestamp", "parse_timestamp(format string, string [, zone]) → timestamp",
                      "The moment that a text is; the zone holds where the text has none.",
                      "parse_timestamp('%d/%m/%y %H:%M', '05/07/26 12:00', 'Europe/Berlin')", "2026-07-05 10:00:00+00"),
};

const struct evs_family evs_family_parse_time = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
