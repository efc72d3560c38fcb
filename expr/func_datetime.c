/* Functions of datetimes: a calendar day and a clock, without a zone. A date becomes one by adding an interval to it. */
#include "text_tools.h"
#include "time_parts.h"

/* --- arithmetic --------------------------------------------------------------------------------------------------- */

/* Months first, which may move the day to the month's last, then days, then the clock; each step stays in the calendar. */
static enum evs_row add_interval(int64_t us, const struct evs_interval *interval, int sign, int64_t *out)
{
    int64_t days = evs_floor_div(us, EVS_US_PER_DAY);
    const int64_t in_day = us - days * EVS_US_PER_DAY;
    if (interval->months != 0 && !evs_days_add_months(days, (int64_t)sign * interval->months, &days)) {
        return EVS_ROW_TIME;
    }
    const enum evs_row outcome = evs_checked_days(days + (int64_t)sign * interval->days, &days);
    if (outcome != EVS_ROW_OK) {
        return outcome;
    }
    const __int128 sum = (__int128)days * EVS_US_PER_DAY + in_day + (__int128)sign * interval->us;
    if (sum < EVS_TIMESTAMP_MIN || sum > EVS_TIMESTAMP_MAX) {
        return EVS_ROW_TIME;
    }
    *out = (int64_t)sum;
    return EVS_ROW_OK;
}

#define WITH_INTERVAL(name, expression)                                                                                \
    static inline enum evs_row name##_row(struct evs_call *call, const int64_t *a, const struct evs_interval *b,       \
                                          int64_t *out)                                                                \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        return (expression);                                                                                           \
    }                                                                                                                  \
    EVS_ROW_KERNEL_2(name, name##_row, int64_t, struct evs_interval, int64_t)
#define INTERVAL_FIRST(name, expression)                                                                               \
    static inline enum evs_row name##_row(struct evs_call *call, const struct evs_interval *b, const int64_t *a,       \
                                          int64_t *out)                                                                \
    {                                                                                                                  \
        (void)call;                                                                                                    \
        return (expression);                                                                                           \
    }                                                                                                                  \
    EVS_ROW_KERNEL_2(name, name##_row, struct evs_interval, int64_t, int64_t)
WITH_INTERVAL(date_plus, add_interval(*a *EVS_US_PER_DAY, b, 1, out))
WITH_INTERVAL(date_less, add_interval(*a *EVS_US_PER_DAY, b, -1, out))
WITH_INTERVAL(datetime_plus, add_interval(*a, b, 1, out))
WITH_INTERVAL(datetime_less, add_interval(*a, b, -1, out))
INTERVAL_FIRST(plus_date, add_interval(*a *EVS_US_PER_DAY, b, 1, out))
INTERVAL_FIRST(plus_datetime, add_interval(*a, b, 1, out))

/* Days of 24 hours and the rest of the clock, both with the sign of the whole. */
static inline enum evs_row minus_row(struct evs_call *call, const int64_t *a, const int64_t *b,
                                     struct evs_interval *out)
{
    (void)call;
    const int64_t us = *a - *b;
    *out = (struct evs_interval){.days = (int32_t)(us / EVS_US_PER_DAY), .us = us % EVS_US_PER_DAY};
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(datetime_minus, minus_row, int64_t, int64_t, struct evs_interval)

/* --- parts -------------------------------------------------------------------------------------------------------- */

static evs_status prepare_any(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                              struct evs_error *error)
{
    return evs_prepare_part(arena, expr, EVS_PARTS_CLOCK | EVS_PARTS_CALENDAR, prepared, error);
}

static int64_t part_number(int64_t us, struct evs_part part)
{
    return EVS_PART_BIT(part.part) & EVS_PARTS_CLOCK ? evs_floor_div(us, evs_part_us(part.part))
                                                     : evs_days_number(evs_floor_div(us, EVS_US_PER_DAY), part);
}
static inline enum evs_row diff_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    const struct evs_part part = evs_call_part(call);
    *out = part_number(*a, part) - part_number(*b, part);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(datetime_diff, diff_row, int64_t, int64_t, int64_t)

/* --- making datetimes --------------------------------------------------------------------------------------------- */

static enum evs_row from_numbers(const int64_t n[6], int64_t *out)
{
    /* A leap second is the next second's begin, as in a text. */
    if (!evs_civil_valid(n[0], n[1], n[2]) || n[3] < 0 || n[3] > 23 || n[4] < 0 || n[4] > 59 || n[5] < 0 || n[5] > 60) {
        return EVS_ROW_ARGUMENT;
    }
    const int64_t days = evs_days_from_civil(n[0], (uint32_t)n[1], (uint32_t)n[2]);
    return evs_checked_us(days * EVS_US_PER_DAY + ((n[3] * 60 + n[4]) * 60 + n[5]) * EVS_US_PER_SECOND, out);
}
static void datetime_of_numbers(struct evs_call *call)
{
    int64_t *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        int64_t numbers[6];
        for (uint32_t i = 0; i < 6; i++) {
            numbers[i] = EVS_ARG(call, i, int64_t)[row * EVS_STRIDE(call, i)];
        }
        EVS_ROW_DONE(call, row, from_numbers(numbers, &out[row]));
    }
}

EVS_DENSE_KERNEL_1(same_us, int64_t, int64_t, a)
EVS_DENSE_KERNEL_1(of_date, int64_t, int64_t, (int64_t)((uint64_t)a *(uint64_t)EVS_US_PER_DAY))
EVS_DENSE_KERNEL_2(of_date_and_time, int64_t, int64_t, int64_t,
                   (int64_t)((uint64_t)a *(uint64_t)EVS_US_PER_DAY + (uint64_t)b))

static inline enum evs_row of_timestamp_zone_row(struct evs_call *call, const int64_t *a, const struct evs_str *name,
                                                 int64_t *out)
{
    struct evs_zone zone;
    return evs_call_zone(call, name, &zone) ? evs_checked_us(evs_call_local(call, zone, *a), out) : EVS_ROW_ARGUMENT;
}
EVS_ROW_KERNEL_2(of_timestamp_zone, of_timestamp_zone_row, int64_t, struct evs_str, int64_t)

/* --- text of all times -------------------------------------------------------------------------------------------- */

#define STRING_OF(name, writer)                                                                                        \
    static inline enum evs_row name##_row(struct evs_call *call, const int64_t *a, struct evs_str *out)                \
    {                                                                                                                  \
        char text[EVS_FORMAT_MAX];                                                                                     \
        *out = evs_call_str(call, text, writer(text, *a));                                                             \
        return EVS_ROW_OK;                                                                                             \
    }                                                                                                                  \
    EVS_ROW_KERNEL_1(name, name##_row, int64_t, struct evs_str)
STRING_OF(string_of_timestamp, evs_timestamp_text)
STRING_OF(string_of_datetime, evs_datetime_text)
STRING_OF(string_of_date, evs_format_date)
STRING_OF(string_of_time, evs_time_text)

static inline enum evs_row string_of_timestamp_zone_row(struct evs_call *call, const int64_t *a,
                                                        const struct evs_str *name, struct evs_str *out)
{
    struct evs_zone zone;
    if (!evs_call_zone(call, name, &zone)) {
        return EVS_ROW_ARGUMENT;
    }
    char text[EVS_FORMAT_MAX];
    *out = evs_call_str(call, text, evs_timestamp_zone_text(text, *a, zone));
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(string_of_timestamp_zone, string_of_timestamp_zone_row, int64_t, struct evs_str, struct evs_str)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define D EVS_DATE
#define DT EVS_DATETIME
#define TS EVS_TIMESTAMP
#define IV EVS_INTERVAL
#define I EVS_INT64
#define STR EVS_STRING
#define MAY_FAIL EVS_CALL_FALLIBLE
#define DENSE EVS_CALL_DENSE

static const struct evs_overload overloads[] = {
    EVS_TIME_OVERLOAD("+", date_plus, DT, 2, MAY_FAIL, D, IV),
    EVS_TIME_OVERLOAD("+", plus_date, DT, 2, MAY_FAIL, IV, D),
    EVS_TIME_OVERLOAD("-", date_less, DT, 2, MAY_FAIL, D, IV),
    EVS_TIME_OVERLOAD("+", datetime_plus, DT, 2, MAY_FAIL, DT, IV),
    EVS_TIME_OVERLOAD("+", plus_datetime, DT, 2, MAY_FAIL, IV, DT),
    EVS_TIME_OVERLOAD("-", datetime_less, DT, 2, MAY_FAIL, DT, IV),
    EVS_TIME_OVERLOAD("-", datetime_minus, IV, 2, 0, DT, DT),
    EVS_TIME_OVERLOAD("datetime_add", datetime_plus, DT, 2, MAY_FAIL, DT, IV),
    EVS_TIME_OVERLOAD("datetime_sub", datetime_less, DT, 2, MAY_FAIL, DT, IV),
    EVS_TIME_PREPARED("datetime_diff", datetime_diff, prepare_any, I, 3, 0, DT, DT, EVS_ARG_PART),
    EVS_TIME_OVERLOAD("datetime", datetime_of_numbers, DT, 6, MAY_FAIL, I, I, I, I, I, I),
    EVS_TIME_OVERLOAD("datetime", of_date_and_time, DT, 2, DENSE, D, EVS_TIME),
    EVS_TIME_OVERLOAD("datetime", of_date, DT, 1, DENSE | EVS_CALL_EXACT, D),
    EVS_TIME_OVERLOAD("datetime", same_us, DT, 1, DENSE, DT),
    EVS_TIME_OVERLOAD("datetime", same_us, DT, 1, DENSE | EVS_CALL_EXACT, TS),
    EVS_TIME_ZONED("datetime", of_timestamp_zone, evs_prepare_zone, DT, 2, 1, MAY_FAIL, TS, STR),
    EVS_TIME_OVERLOAD("string", string_of_timestamp, STR, 1, 0, TS),
    EVS_TIME_ZONED("string", string_of_timestamp_zone, evs_prepare_zone, STR, 2, 1, MAY_FAIL, TS, STR),
    EVS_TIME_OVERLOAD("string", string_of_datetime, STR, 1, EVS_CALL_EXACT, DT),
    EVS_TIME_OVERLOAD("string", string_of_date, STR, 1, EVS_CALL_EXACT, D),
    EVS_TIME_OVERLOAD("string", string_of_time, STR, 1, EVS_CALL_EXACT, EVS_TIME),
};

static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION(
        "datetime",
        "datetime(year, month, day, hour, minute, second) → datetime; datetime(date [, time]) → datetime; "
        "datetime(timestamp [, zone]) → datetime",
        "A day and a clock, from numbers, from both, or as they are somewhere at a moment.",
        "datetime(timestamp '2026-07-05 10:00:00Z', 'America/New_York')", "2026-07-05 06:00:00"),
    EVS_TIME_FUNCTION("datetime_add", "datetime_add(datetime, interval) → datetime",
                      "Later by any interval; a day that a month lacks becomes its last.",
                      "datetime_add(datetime '2026-01-31 10:00:00', interval 1 month)", "2026-02-28 10:00:00"),
    EVS_TIME_FUNCTION("datetime_sub", "datetime_sub(datetime, interval) → datetime", "Earlier by any interval.",
                      "datetime_sub(datetime '2026-01-05 10:00:00', interval 90 minute)", "2026-01-05 08:30:00"),
    EVS_TIME_FUNCTION("datetime_diff", "datetime_diff(datetime, datetime, part) → int64",
                      "How many boundaries of the part lie between them.",
                      "datetime_diff(datetime '2026-01-05 10:00:00', datetime '2026-01-04 23:59:59', hour)", "11"),
    EVS_TIME_FUNCTION("datetime_trunc",
                      "datetime_trunc(datetime, part) → datetime; datetime_trunc(timestamp, part [, zone]) → timestamp",
                      "The start of the part that holds it.",
                      "datetime_trunc(datetime '2026-01-07 10:31:00', week(monday))", "2026-01-05 00:00:00"),
};

const struct evs_family evs_family_datetime = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
