/* Casts, with GoogleSQL's rules.
 *
 *   float64 → int64, numeric   round half away from zero; NaN, infinities and what does not fit are errors
 *   string → numbers           white space around is allowed, 0x… for int64; a float64 beyond the range is an error
 *   string → bool              true and false, any case, no white space
 *   string → timestamp         2026-1-5 10:00:00.5 and an offset or a zone's name; without them it is UTC
 *   timestamp → string         2026-01-05 10:00:00+00 with no, three or six digits of fraction
 *   float64 → string           the shortest text that reads back the same; inf, -inf, nan
 *   bytes → string             valid UTF-8 only
 *
 * Without a zone they work in UTC; date(…), datetime(…), time(…), timestamp(…) and string(…) take one. */
#include <math.h>

#include "kernel.h"
#include "text_tools.h"
#include "timestamps.h"

/* --- numbers and bool --------------------------------------------------------------------------------------------- */

EVS_DENSE_KERNEL_1(bool_to_int64, uint8_t, int64_t, a & 1)
EVS_DENSE_KERNEL_1(int64_to_bool, int64_t, uint8_t, a != 0)
EVS_DENSE_KERNEL_1(int64_to_float64, int64_t, double, (double)a)
EVS_DENSE_KERNEL_1(int64_to_numeric, int64_t, evs_numeric, a *EVS_NUMERIC_ONE)

static inline enum evs_row float64_to_int64_row(struct evs_call *call, const double *a, int64_t *out)
{
    (void)call;
    const double rounded = round(*a); /* half away from zero */
    if (!(rounded >= -0x1p63 && rounded < 0x1p63)) {
        return EVS_ROW_CAST;
    }
    *out = (int64_t)rounded;
    return EVS_ROW_OK;
}
static inline enum evs_row float64_to_numeric_row(struct evs_call *call, const double *a, evs_numeric *out)
{
    (void)call;
    return evs_numeric_from_float64(*a, out) ? EVS_ROW_OK : EVS_ROW_CAST;
}
static inline enum evs_row numeric_to_int64_row(struct evs_call *call, const evs_numeric *a, int64_t *out)
{
    (void)call;
    return evs_numeric_to_int64(*a, out) ? EVS_ROW_OK : EVS_ROW_CAST;
}
static inline enum evs_row numeric_to_float64_row(struct evs_call *call, const evs_numeric *a, double *out)
{
    (void)call;
    *out = evs_numeric_to_float64(*a);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(float64_to_int64, float64_to_int64_row, double, int64_t)
EVS_ROW_KERNEL_1(float64_to_numeric, float64_to_numeric_row, double, evs_numeric)
EVS_ROW_KERNEL_1(numeric_to_int64, numeric_to_int64_row, evs_numeric, int64_t)
EVS_ROW_KERNEL_1(numeric_to_float64, numeric_to_float64_row, evs_numeric, double)

/* --- from string -------------------------------------------------------------------------------------------------- */

#define PARSE_ROW(name, T, expression)                                                                                 \
    static inline enum evs_row name##_row(struct evs_call *call, const struct evs_str *a, T *out)                      \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        const struct evs_slice text = evs_str_slice(a);                                                                \
        return (expression) ? EVS_ROW_OK : EVS_ROW_CAST;                                                               \
    }                                                                                                                  \
    EVS_ROW_KERNEL_1(name, name##_row, struct evs_str, T)

static bool parse_bool(struct evs_slice text, uint8_t *out)
{
    bool value = false;
    const bool ok = evs_parse_bool(text, &value);
    *out = value;
    return ok;
}

PARSE_ROW(string_to_bool, uint8_t, parse_bool(text, out))
PARSE_ROW(string_to_int64, int64_t, evs_parse_int64(evs_trimmed(text), out))
PARSE_ROW(string_to_float64, double, evs_parse_float64(evs_trimmed(text), out))
PARSE_ROW(string_to_numeric, evs_numeric, evs_parse_numeric(evs_trimmed(text), out))
PARSE_ROW(string_to_timestamp, int64_t, evs_read_timestamp(text, evs_zone_utc_zone(), out))
PARSE_ROW(string_to_date, int64_t, evs_read_date(text, out))
PARSE_ROW(string_to_datetime, int64_t, evs_read_datetime(text, out))
PARSE_ROW(string_to_time, int64_t, evs_read_time(text, out))
PARSE_ROW(string_to_interval, struct evs_interval, evs_read_interval(text, out))

static inline enum evs_row copy_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    (void)call;
    *out = *a;
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(string_to_bytes, copy_row, struct evs_str, struct evs_str)

static inline enum evs_row bytes_to_string_row(struct evs_call *call, const struct evs_str *a, struct evs_str *out)
{
    (void)call;
    *out = *a;
    return evs_utf8_valid(evs_str_data(a), a->count) ? EVS_ROW_OK : EVS_ROW_UTF8;
}
EVS_ROW_KERNEL_1(bytes_to_string, bytes_to_string_row, struct evs_str, struct evs_str)

/* --- to string ---------------------------------------------------------------------------------------------------- */

#define FORMAT_ROW(name, T, expression)                                                                                \
    static inline enum evs_row name##_row(struct evs_call *call, const T *a, struct evs_str *out)                      \
    {                                                                                                                  \
        char text[EVS_FORMAT_MAX];                                                                                     \
        *out = evs_call_str(call, text, (expression));                                                                 \
        return EVS_ROW_OK;                                                                                             \
    }                                                                                                                  \
    EVS_ROW_KERNEL_1(name, name##_row, T, struct evs_str)

uint32_t evs_cast_float64_text(char *out, double value)
{
    if (isfinite(value)) {
        return evs_format_float64(out, value == 0 ? 0.0 : value); /* -0.0 has no sign */
    }
    const char *text = isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    memcpy(out, text, strlen(text));
    return (uint32_t)strlen(text);
}

FORMAT_ROW(int64_to_string, int64_t, evs_format_int64(text, *a))
FORMAT_ROW(float64_to_string, double, evs_cast_float64_text(text, *a))
FORMAT_ROW(numeric_to_string, evs_numeric, evs_format_numeric(text, *a))
FORMAT_ROW(timestamp_to_string, int64_t, evs_timestamp_text(text, *a))
FORMAT_ROW(date_to_string, int64_t, evs_format_date(text, *a))
FORMAT_ROW(datetime_to_string, int64_t, evs_datetime_text(text, *a))
FORMAT_ROW(time_to_string, int64_t, evs_time_text(text, *a))
FORMAT_ROW(interval_to_string, struct evs_interval, evs_interval_text(text, a))

static inline enum evs_row bool_to_string_row(struct evs_call *call, const uint8_t *a, struct evs_str *out)
{
    (void)call;
    *out = *a ? evs_str_make("true", 4) : evs_str_make("false", 5);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(bool_to_string, bool_to_string_row, uint8_t, struct evs_str)

/* --- between dates and times; elements are garbage where nobody looks, so products wrap --------------------------- */

EVS_DENSE_KERNEL_1(days_to_us, int64_t, int64_t, (int64_t)((uint64_t)a *(uint64_t)EVS_US_PER_DAY))
EVS_DENSE_KERNEL_1(us_to_days, int64_t, int64_t, evs_floor_div(a, EVS_US_PER_DAY))
EVS_DENSE_KERNEL_1(us_to_time, int64_t, int64_t, evs_floor_mod(a, EVS_US_PER_DAY))
EVS_DENSE_KERNEL_1(same_us, int64_t, int64_t, a)

/* --- table -------------------------------------------------------------------------------------------------------- */

#define CAST(from, to, kernel_, flags_)                                                                                \
    {                                                                                                                  \
        .name = "cast", .kernel = (kernel_), .result = (to), .arguments = {(from)}, .required = 1, .flags = (flags_)   \
    }
#define MAY_FAIL EVS_CALL_FALLIBLE
#define DENSE EVS_CALL_DENSE

static const struct evs_overload casts[] = {
    CAST(EVS_BOOL, EVS_INT64, bool_to_int64, DENSE),
    CAST(EVS_BOOL, EVS_STRING, bool_to_string, 0),
    CAST(EVS_INT64, EVS_BOOL, int64_to_bool, DENSE),
    CAST(EVS_INT64, EVS_FLOAT64, int64_to_float64, DENSE),
    CAST(EVS_INT64, EVS_NUMERIC, int64_to_numeric, DENSE),
    CAST(EVS_INT64, EVS_STRING, int64_to_string, 0),
    CAST(EVS_FLOAT64, EVS_INT64, float64_to_int64, MAY_FAIL),
    CAST(EVS_FLOAT64, EVS_NUMERIC, float64_to_numeric, MAY_FAIL),
    CAST(EVS_FLOAT64, EVS_STRING, float64_to_string, 0),
    CAST(EVS_NUMERIC, EVS_INT64, numeric_to_int64, MAY_FAIL),
    CAST(EVS_NUMERIC, EVS_FLOAT64, numeric_to_float64, 0),
    CAST(EVS_NUMERIC, EVS_STRING, numeric_to_string, 0),
    CAST(EVS_STRING, EVS_BOOL, string_to_bool, MAY_FAIL),
    CAST(EVS_STRING, EVS_INT64, string_to_int64, MAY_FAIL),
    CAST(EVS_STRING, EVS_FLOAT64, string_to_float64, MAY_FAIL),
    CAST(EVS_STRING, EVS_NUMERIC, string_to_numeric, MAY_FAIL),
    CAST(EVS_STRING, EVS_BYTES, string_to_bytes, 0),
    CAST(EVS_STRING, EVS_TIMESTAMP, string_to_timestamp, MAY_FAIL),
    CAST(EVS_STRING, EVS_DATE, string_to_date, MAY_FAIL),
    CAST(EVS_STRING, EVS_DATETIME, string_to_datetime, MAY_FAIL),
    CAST(EVS_STRING, EVS_TIME, string_to_time, MAY_FAIL),
    CAST(EVS_STRING, EVS_INTERVAL, string_to_interval, MAY_FAIL),
    /* Only for literals: GoogleSQL asks for parse_json. */
    CAST(EVS_STRING, EVS_JSON, evs_parse_json_kernel, MAY_FAIL | EVS_CALL_INTERNAL),
    CAST(EVS_BYTES, EVS_STRING, bytes_to_string, MAY_FAIL),
    CAST(EVS_DATE, EVS_STRING, date_to_string, 0),
    CAST(EVS_DATE, EVS_DATETIME, days_to_us, DENSE),
    CAST(EVS_DATE, EVS_TIMESTAMP, days_to_us, DENSE),
    CAST(EVS_DATETIME, EVS_STRING, datetime_to_string, 0),
    CAST(EVS_DATETIME, EVS_DATE, us_to_days, DENSE),
    CAST(EVS_DATETIME, EVS_TIME, us_to_time, DENSE),
    CAST(EVS_DATETIME, EVS_TIMESTAMP, same_us, DENSE),
    CAST(EVS_TIME, EVS_STRING, time_to_string, 0),
    CAST(EVS_TIMESTAMP, EVS_STRING, timestamp_to_string, 0),
    CAST(EVS_TIMESTAMP, EVS_DATE, us_to_days, DENSE),
    CAST(EVS_TIMESTAMP, EVS_DATETIME, same_us, DENSE),
    CAST(EVS_TIMESTAMP, EVS_TIME, us_to_time, DENSE),
    CAST(EVS_INTERVAL, EVS_STRING, interval_to_string, 0),
};

const struct evs_overload *evs_cast_overload(enum evs_kind from, enum evs_kind to)
{
    for (size_t i = 0; i < EVS_COUNT(casts); i++) {
        if (casts[i].arguments[0] == from && casts[i].result == to) {
            return &casts[i];
        }
    }
    return NULL;
}
