/* Functions of dates and datetimes, and the formatting of times by a pattern. */
#include <stdio.h>

#include "kernel.h"
#include "text_tools.h"
#include "time_parts.h"

static enum evs_row checked_days(int64_t days, int64_t *out)
{
    *out = days;
    return days >= EVS_DAYS_MIN && days <= EVS_DAYS_MAX ? EVS_ROW_OK : EVS_ROW_TIME;
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */

static inline enum evs_row date_plus_days_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    (void)call;
    int64_t days;
    return __builtin_add_overflow(*a, *b, &days) ? EVS_ROW_TIME : checked_days(days, out);
}
static inline enum evs_row date_minus_days_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    (void)call;
    int64_t days;
    return __builtin_sub_overflow(*a, *b, &days) ? EVS_ROW_TIME : checked_days(days, out);
}
static inline enum evs_row date_minus_row(struct evs_call *call, const int64_t *a, const int64_t *b,
                                          struct evs_interval *out)
{
    (void)call;
    *out = (struct evs_interval){.days = (int32_t)(*a - *b)};
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(date_plus_days, date_plus_days_row, int64_t, int64_t, int64_t)
EVS_ROW_KERNEL_2(date_minus_days, date_minus_days_row, int64_t, int64_t, int64_t)
EVS_ROW_KERNEL_2(date_minus, date_minus_row, int64_t, int64_t, struct evs_interval)

/* Months first, which may move the day to the month's last, then days. */
static enum evs_row add_calendar(int64_t days, const struct evs_interval *interval, int sign, int64_t *out)
{
    int64_t moved = days;
    if (interval->months != 0 && !evs_days_add_months(days, (int64_t)sign * interval->months, &moved)) {
        return EVS_ROW_TIME;
    }
    return checked_days(moved + (int64_t)sign * interval->days, out);
}
static enum evs_row date_add(int64_t days, const struct evs_interval *interval, int sign, int64_t *out)
{
    return interval->us != 0 ? EVS_ROW_ARGUMENT : add_calendar(days, interval, sign, out);
}
static enum evs_row datetime_add(int64_t us, const struct evs_interval *interval, int sign, int64_t *out)
{
    int64_t days;
    const enum evs_row outcome = add_calendar(evs_floor_div(us, EVS_US_PER_DAY), interval, sign, &days);
    if (outcome != EVS_ROW_OK) {
        return outcome;
    }
    const __int128 sum =
        (__int128)days * EVS_US_PER_DAY + evs_floor_mod(us, EVS_US_PER_DAY) + (__int128)sign * interval->us;
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
WITH_INTERVAL(date_add_kernel, date_add(*a, b, 1, out))
WITH_INTERVAL(date_sub_kernel, date_add(*a, b, -1, out))
WITH_INTERVAL(date_plus, datetime_add(*a *EVS_US_PER_DAY, b, 1, out))
WITH_INTERVAL(date_less, datetime_add(*a *EVS_US_PER_DAY, b, -1, out))
WITH_INTERVAL(datetime_plus, datetime_add(*a, b, 1, out))
WITH_INTERVAL(datetime_less, datetime_add(*a, b, -1, out))

/* --- parts -------------------------------------------------------------------------------------------------------- */

static evs_status prepare_calendar(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                   struct evs_error *error)
{
    return evs_prepare_part(arena, expr, EVS_PARTS_CALENDAR, prepared, error);
}

/* A number that grows by one at each boundary of the part. */
static int64_t part_number(int64_t days, struct evs_part part)
{
    int64_t year;
    uint32_t month, day;
    switch (part.part) {
    case EVS_TIME_DAY:
        return days;
    case EVS_TIME_WEEK:
    case EVS_TIME_ISOWEEK:
        return evs_floor_div(evs_days_trunc(days, part), 7);
    case EVS_TIME_ISOYEAR:
        return evs_iso_year(days);
    default:
        evs_civil_from_days(days, &year, &month, &day);
        return part.part == EVS_TIME_YEAR    ? year
               : part.part == EVS_TIME_MONTH ? year * 12 + (month - 1)
                                             : year * 4 + (month - 1) / 3;
    }
}
static inline enum evs_row date_diff_row(struct evs_call *call, const int64_t *a, const int64_t *b, int64_t *out)
{
    const struct evs_part part = evs_call_part(call);
    *out = part_number(*a, part) - part_number(*b, part);
    return EVS_ROW_OK;
}
static inline enum evs_row date_trunc_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    return checked_days(evs_days_trunc(*a, evs_call_part(call)), out);
}
EVS_ROW_KERNEL_2(date_diff, date_diff_row, int64_t, int64_t, int64_t)
EVS_ROW_KERNEL_1(date_trunc, date_trunc_row, int64_t, int64_t)

/* --- making dates ------------------------------------------------------------------------------------------------- */

static inline enum evs_row date_of_numbers_row(struct evs_call *call, const int64_t *a, const int64_t *b,
                                               const int64_t *c, int64_t *out)
{
    (void)call;
    int64_t first;
    if (*a < 1 || *a > 9999 || *b < 1 || *b > 12 || *c < 1 || *c > 31) {
        return EVS_ROW_ARGUMENT;
    }
    const int64_t days = evs_days_from_civil(*a, (uint32_t)*b, (uint32_t)*c);
    int64_t year;
    uint32_t month, day;
    first = evs_days_from_civil(*a, (uint32_t)*b, 1);
    evs_civil_from_days(first + *c - 1, &year, &month, &day);
    *out = days;
    return month == (uint32_t)*b ? EVS_ROW_OK : EVS_ROW_ARGUMENT; /* the 30th of February lies in March */
}
EVS_ROW_KERNEL_3(date_of_numbers, date_of_numbers_row, int64_t, int64_t, int64_t, int64_t)
EVS_DENSE_KERNEL_1(date_of_timestamp, int64_t, int64_t, evs_floor_div(a, EVS_US_PER_DAY))
EVS_DENSE_KERNEL_1(same_days, int64_t, int64_t, a)
static inline enum evs_row date_from_unix_row(struct evs_call *call, const int64_t *a, int64_t *out)
{
    (void)call;
    return checked_days(*a, out);
}
EVS_ROW_KERNEL_1(date_from_unix, date_from_unix_row, int64_t, int64_t)

static inline enum evs_row string_of_date_row(struct evs_call *call, const int64_t *a, struct evs_str *out)
{
    char text[EVS_FORMAT_MAX];
    *out = evs_call_str(call, text, evs_format_date(text, *a));
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(string_of_date, string_of_date_row, int64_t, struct evs_str)

/* --- format ------------------------------------------------------------------------------------------------------- */

#define FORMAT_BYTES_MAX 1024
#define ELEMENT_BYTES_MAX 32
static const char *const month_names[] = {"January", "February", "March",     "April",   "May",      "June",
                                          "July",    "August",   "September", "October", "November", "December"};
static const char *const day_names[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
#define ELEMENTS "YmdeHIMSyjaAbhBpFTDRsZzuwQGV%nt"

struct moment {
    int64_t us, days, year;
    uint32_t month, day;
    int hour, minute, second;
    uint32_t fraction_us;
};

static struct moment moment_of(int64_t us)
{
    struct moment m = {.us = us, .days = evs_floor_div(us, EVS_US_PER_DAY)};
    const int64_t in_day = evs_floor_mod(us, EVS_US_PER_DAY);
    evs_civil_from_days(m.days, &m.year, &m.month, &m.day);
    m.hour = (int)(in_day / EVS_US_PER_HOUR);
    m.minute = (int)(in_day / EVS_US_PER_MINUTE % 60);
    m.second = (int)(in_day / EVS_US_PER_SECOND % 60);
    m.fraction_us = (uint32_t)(in_day % EVS_US_PER_SECOND);
    return m;
}

static int day_of_year(const struct moment *m)
{
    return (int)(m->days - evs_days_from_civil(m->year, 1, 1)) + 1;
}
static int iso_week(const struct moment *m)
{
    return (int)((m->days - evs_days_trunc(m->days, (struct evs_part){EVS_TIME_ISOYEAR, 0})) / 7) + 1;
}

/* One element after its %. At most ELEMENT_BYTES_MAX bytes; returns how many. */
static int put_element(char *out, char element, const struct moment *m)
{
    const size_t room = ELEMENT_BYTES_MAX;
    const char *day_name = day_names[evs_weekday(m->days)], *month_name = month_names[m->month - 1];
    const int hour12 = m->hour % 12 == 0 ? 12 : m->hour % 12;
    switch (element) {
    case 'Y':
        return snprintf(out, room, "%lld", (long long)m->year);
    case 'G':
        return snprintf(out, room, "%lld", (long long)evs_iso_year(m->days));
    case 'y':
        return snprintf(out, room, "%02d", (int)(m->year % 100));
    case 'm':
        return snprintf(out, room, "%02u", m->month);
    case 'd':
        return snprintf(out, room, "%02u", m->day);
    case 'e':
        return snprintf(out, room, "%2u", m->day);
    case 'H':
        return snprintf(out, room, "%02d", m->hour);
    case 'I':
        return snprintf(out, room, "%02d", hour12);
    case 'M':
        return snprintf(out, room, "%02d", m->minute);
    case 'S':
        return snprintf(out, room, "%02d", m->second);
    case 'j':
        return snprintf(out, room, "%03d", day_of_year(m));
    case 'V':
        return snprintf(out, room, "%02d", iso_week(m));
    case 'a':
        return snprintf(out, room, "%.3s", day_name);
    case 'A':
        return snprintf(out, room, "%s", day_name);
    case 'b':
    case 'h':
        return snprintf(out, room, "%.3s", month_name);
    case 'B':
        return snprintf(out, room, "%s", month_name);
    case 'p':
        return snprintf(out, room, "%s", m->hour < 12 ? "AM" : "PM");
    case 'F':
        return snprintf(out, room, "%lld-%02u-%02u", (long long)m->year, m->month, m->day);
    case 'D':
        return snprintf(out, room, "%02u/%02u/%02d", m->month, m->day, (int)(m->year % 100));
    case 'T':
        return snprintf(out, room, "%02d:%02d:%02d", m->hour, m->minute, m->second);
    case 'R':
        return snprintf(out, room, "%02d:%02d", m->hour, m->minute);
    case 's':
        return snprintf(out, room, "%lld", (long long)evs_floor_div(m->us, EVS_US_PER_SECOND));
    case 'u':
        return snprintf(out, room, "%u", evs_weekday(m->days) == 0 ? 7 : evs_weekday(m->days));
    case 'w':
        return snprintf(out, room, "%u", evs_weekday(m->days));
    case 'Q':
        return snprintf(out, room, "%u", (m->month - 1) / 3 + 1);
    case 'Z':
        return snprintf(out, room, "UTC");
    case 'z':
        return snprintf(out, room, "+0000");
    case 'n':
        return snprintf(out, room, "\n");
    case 't':
        return snprintf(out, room, "\t");
    default:
        EVS_ASSERT(element == '%');
        return snprintf(out, room, "%%");
    }
}

/* %E4Y, %Ez, %E*S and %E3S … : what follows %E. Returns the bytes used of `text`, 0 when it is none. */
static size_t put_extended(char *out, int *written, struct evs_slice text, const struct moment *m)
{
    if (text.count >= 1 && text.data[0] == 'z') {
        *written = snprintf(out, ELEMENT_BYTES_MAX, "+00:00");
        return 1;
    }
    if (text.count >= 2 && text.data[0] == '4' && text.data[1] == 'Y') {
        *written = snprintf(out, ELEMENT_BYTES_MAX, "%04lld", (long long)m->year);
        return 2;
    }
    if (text.count < 2 || text.data[1] != 'S' || (text.data[0] != '*' && (text.data[0] < '0' || text.data[0] > '6'))) {
        return 0;
    }
    char digits[8];
    snprintf(digits, sizeof digits, "%06u", m->fraction_us);
    size_t kept = text.data[0] == '*' ? 6 : (size_t)(text.data[0] - '0');
    while (text.data[0] == '*' && kept > 0 && digits[kept - 1] == '0') {
        kept--;
    }
    *written = snprintf(out, ELEMENT_BYTES_MAX, "%02d%s%.*s", m->second, kept > 0 ? "." : "", (int)kept, digits);
    return 2;
}

/* False when an element is unknown. */
static bool format_moment(struct evs_slice pattern, const struct moment *m, char *out, size_t *count)
{
    size_t at = 0;
    for (size_t i = 0; i < pattern.count; i++) {
        int written = 1;
        if (pattern.data[i] != '%') {
            out[at] = pattern.data[i];
        } else if (++i == pattern.count) {
            return false;
        } else if (pattern.data[i] == 'E') {
            const size_t used =
                put_extended(out + at, &written, (struct evs_slice){pattern.data + i + 1, pattern.count - i - 1}, m);
            if (used == 0) {
                return false;
            }
            i += used;
        } else if (strchr(ELEMENTS, pattern.data[i]) == NULL) {
            return false;
        } else {
            written = put_element(out + at, pattern.data[i], m);
        }
        at += (size_t)written;
    }
    *count = at;
    return true;
}

static evs_status prepare_format(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                 struct evs_error *error)
{
    const struct evs_slice pattern = evs_str_slice(&expr->arguments[0]->value.str);
    *prepared = NULL;
    if (pattern.count > FORMAT_BYTES_MAX) {
        return evs_fail(error, EVS_E_PIPELINE, "the format of %s is longer than %d bytes", expr->overload->name,
                        FORMAT_BYTES_MAX);
    }
    const struct moment epoch = moment_of(0);
    char *trial = evs_arena_alloc(arena, (pattern.count + 1) * ELEMENT_BYTES_MAX, 1);
    size_t count;
    if (!format_moment(pattern, &epoch, trial, &count)) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "%s has an element that %s does not know; it knows %%Y %%m %%d %%e %%H %%I %%M %%S %%y %%j %%a "
                        "%%A %%b %%B %%p %%F %%T %%D %%R %%s %%Z %%z %%Ez %%E*S %%E3S %%E4Y %%u %%w %%Q %%G %%V %%%%",
                        expr->arguments[0]->text, expr->overload->name);
    }
    return EVS_OK;
}

static enum evs_row format_us(struct evs_call *call, const struct evs_str *pattern, int64_t us, struct evs_str *out)
{
    const struct moment m = moment_of(us);
    char *text = evs_call_text(call, ((size_t)pattern->count + 1) * ELEMENT_BYTES_MAX);
    size_t count = 0;
    const bool known = format_moment(evs_str_slice(pattern), &m, text, &count);
    EVS_ASSERT(known); /* prepare_format has tried it */
    *out = evs_str_make(text, (uint32_t)count);
    return EVS_ROW_OK;
}
static inline enum evs_row format_timestamp_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                                struct evs_str *out)
{
    return format_us(call, a, *b, out);
}
static inline enum evs_row format_date_row(struct evs_call *call, const struct evs_str *a, const int64_t *b,
                                           struct evs_str *out)
{
    return format_us(call, a, *b * EVS_US_PER_DAY, out);
}
EVS_ROW_KERNEL_2(format_timestamp, format_timestamp_row, struct evs_str, int64_t, struct evs_str)
EVS_ROW_KERNEL_2(format_date, format_date_row, struct evs_str, int64_t, struct evs_str)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define D EVS_DATE
#define DT EVS_DATETIME
#define IV EVS_INTERVAL
#define MAY_FAIL EVS_CALL_FALLIBLE
#define DENSE EVS_CALL_DENSE

static const struct evs_overload overloads[] = {
    EVS_TIME_OVERLOAD("+", date_plus_days, D, 2, MAY_FAIL, D, EVS_INT64),
    EVS_TIME_OVERLOAD("+", date_plus_days, D, 2, MAY_FAIL, EVS_INT64, D),
    EVS_TIME_OVERLOAD("-", date_minus_days, D, 2, MAY_FAIL, D, EVS_INT64),
    EVS_TIME_OVERLOAD("-", date_minus, IV, 2, 0, D, D),
    EVS_TIME_OVERLOAD("+", date_plus, DT, 2, MAY_FAIL, D, IV),
    EVS_TIME_OVERLOAD("-", date_less, DT, 2, MAY_FAIL, D, IV),
    EVS_TIME_OVERLOAD("+", datetime_plus, DT, 2, MAY_FAIL, DT, IV),
    EVS_TIME_OVERLOAD("-", datetime_less, DT, 2, MAY_FAIL, DT, IV),
    EVS_TIME_OVERLOAD("date_add", date_add_kernel, D, 2, MAY_FAIL, D, IV),
    EVS_TIME_OVERLOAD("date_sub", date_sub_kernel, D, 2, MAY_FAIL, D, IV),
    EVS_TIME_PREPARED("date_diff", date_diff, prepare_calendar, EVS_INT64, 3, 0, D, D, EVS_ARG_PART),
    EVS_TIME_PREPARED("date_trunc", date_trunc, prepare_calendar, D, 2, MAY_FAIL, D, EVS_ARG_PART),
    EVS_TIME_OVERLOAD("date", date_of_timestamp, D, 1, DENSE, EVS_TIMESTAMP, EVS_ARG_ZONE),
    EVS_TIME_OVERLOAD("date", date_of_timestamp, D, 1, DENSE, DT),
    EVS_TIME_OVERLOAD("date", date_of_numbers, D, 3, MAY_FAIL, EVS_INT64, EVS_INT64, EVS_INT64),
    EVS_TIME_OVERLOAD("unix_date", same_days, EVS_INT64, 1, DENSE, D),
    EVS_TIME_OVERLOAD("date_from_unix_date", date_from_unix, D, 1, MAY_FAIL, EVS_INT64),
    EVS_TIME_OVERLOAD("string", string_of_date, EVS_STRING, 1, 0, D),
    EVS_TIME_PREPARED("format_timestamp", format_timestamp, prepare_format, EVS_STRING, 2, 0, EVS_ARG_CONSTANT,
                      EVS_TIMESTAMP, EVS_ARG_ZONE),
    EVS_TIME_PREPARED("format_date", format_date, prepare_format, EVS_STRING, 2, 0, EVS_ARG_CONSTANT, D),
};

static const struct evs_function functions[] = {
    EVS_TIME_FUNCTION("date", "date(timestamp [, zone]) → date; date(year, month, day) → date",
                      "The day of a time, or of three numbers.", "date(2026, 2, 28)", "2026-02-28"),
    EVS_TIME_FUNCTION("date_add", "date_add(date, interval) → date",
                      "Later by days to years; a day that a month lacks becomes its last.",
                      "date_add(date '2026-01-31', interval 1 month)", "2026-02-28"),
    EVS_TIME_FUNCTION("date_sub", "date_sub(date, interval) → date", "Earlier by days to years.",
                      "date_sub(date '2024-02-29', interval 1 year)", "2023-02-28"),
    EVS_TIME_FUNCTION("date_diff", "date_diff(date, date, part) → int64",
                      "How many boundaries of the part lie between them.",
                      "date_diff(date '2017-10-15', date '2017-10-14', week)", "1"),
    EVS_TIME_FUNCTION("date_trunc", "date_trunc(date, part) → date", "The first day of the part that holds it.",
                      "date_trunc(date '2026-08-20', quarter)", "2026-07-01"),
    EVS_TIME_FUNCTION("unix_date", "unix_date(date) → int64", "Days since 1970-01-01.", "unix_date(date '1970-01-11')",
                      "10"),
    EVS_TIME_FUNCTION("date_from_unix_date", "date_from_unix_date(int64) → date", "From days since 1970-01-01.",
                      "date_from_unix_date(-1)", "1969-12-31"),
    EVS_TIME_FUNCTION("format_timestamp", "format_timestamp(format string, timestamp [, zone]) → string",
                      "The time in a form of your own: %Y-%m-%d, %H:%M, %a, %B and so on.",
                      "format_timestamp('%d %b %Y, %H:%M', timestamp '2026-01-05 10:00:00Z')", "05 Jan 2026, 10:00"),
    EVS_TIME_FUNCTION("format_date", "format_date(format string, date) → string", "The day in a form of your own.",
                      "format_date('%A, week %V', date '2026-01-05')", "Monday, week 02"),
};

const struct evs_family evs_family_date = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
