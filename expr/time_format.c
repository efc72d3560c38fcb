/* Formatting times by a pattern (time_format.h). All text is English: results must not depend on where a program runs. */
#include "time_format.h"

#include <stdio.h>

#define ELEMENT_BYTES_MAX 32
#define FRACTION_DIGITS_MAX 15

const char *const evs_month_names[12] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
const char *const evs_day_names[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

/* --- elements ----------------------------------------------------------------------------------------------------- */

#define DATE_LETTERS "AaBbhCDdeFGgJjmQUuVWwxYy"
#define CLOCK_LETTERS "HIklMPpRrSTX"
#define BOTH_LETTERS "cs"
#define ZONE_LETTERS "Zz"
#define OTHER_LETTERS "%nt"

static uint8_t told_by(char letter)
{
    if (letter == '\0') {
        return 0;
    }
    return strchr(DATE_LETTERS, letter)    ? EVS_ELEMENT_DATE
           : strchr(CLOCK_LETTERS, letter) ? EVS_ELEMENT_CLOCK
           : strchr(BOTH_LETTERS, letter)  ? EVS_ELEMENT_DATE | EVS_ELEMENT_CLOCK
           : strchr(ZONE_LETTERS, letter)  ? EVS_ELEMENT_ZONE
           : strchr(OTHER_LETTERS, letter) ? EVS_ELEMENT_EITHER
                                           : 0;
}

/* Behind %E: *S, 3S, 4Y, z. */
static bool extended_of(struct evs_slice text, struct evs_element *element)
{
    uint32_t at = 0;
    int digits = 0;
    if (text.data[0] == '*') {
        digits = -1;
        at = 1;
    } else {
        while (at < text.count && at < 2 && text.data[at] >= '0' && text.data[at] <= '9') {
            digits = digits * 10 + (text.data[at++] - '0');
        }
    }
    if (at == text.count || digits > FRACTION_DIGITS_MAX) {
        return false;
    }
    const char letter = text.data[at];
    if (at == 0 ? letter != 'z' : letter != 'S' && !(letter == 'Y' && at == 1 && digits == 4)) {
        return false;
    }
    *element = (struct evs_element){letter, true, told_by(letter), (int8_t)digits, at + 2};
    return true;
}

bool evs_element_of(struct evs_slice text, struct evs_element *element)
{
    if (text.count == 0) {
        return false;
    }
    const bool modified = text.count > 1 && (text.data[0] == 'E' || text.data[0] == 'O');
    if (modified && text.data[0] == 'E' && extended_of((struct evs_slice){text.data + 1, text.count - 1}, element)) {
        return true;
    }
    if (modified && strchr("cCxXyYdeHIklmMSuUVwW", text.data[1]) == NULL) {
        return false;
    }
    const char letter = text.data[modified ? 1 : 0];
    *element = (struct evs_element){letter, false, told_by(letter), 0, modified ? 2 : 1};
    return element->tells != 0;
}

/* An element fits when the type has all that it tells; %c of a date, say, does not. */
static bool fits(const struct evs_element *element, uint8_t has)
{
    return (element->tells & ~has) == 0;
}

evs_status evs_check_pattern(const struct evs_expr *expr, const struct evs_expr *pattern, uint8_t has, bool strict,
                             struct evs_error *error)
{
    if (pattern->kind != EVS_EXPR_CONSTANT || pattern->value.is_null) {
        return EVS_OK;
    }
    const struct evs_slice text = evs_str_slice(&pattern->value.str);
    if (text.count > EVS_PATTERN_BYTES_MAX) {
        return evs_fail(error, EVS_E_PIPELINE, "the format of %s is longer than %d bytes", expr->overload->name,
                        EVS_PATTERN_BYTES_MAX);
    }
    for (size_t i = 0; i < text.count; i++) {
        struct evs_element element;
        if (text.data[i] != '%') {
            continue;
        }
        if (!evs_element_of((struct evs_slice){text.data + i + 1, text.count - i - 1}, &element)) {
            return evs_fail(error, EVS_E_PIPELINE,
                            "%s has an element that %s does not know at byte %zu; there are %%Y %%y %%C %%m %%B %%b "
                            "%%d %%e %%j %%H %%I %%k %%l %%M %%S %%p %%P %%A %%a %%u %%w %%U %%W %%V %%G %%g %%J %%Q "
                            "%%F %%D %%x %%T %%R %%X %%r %%c %%s %%Z %%z %%Ez %%E4Y %%E*S %%E3S %%n %%t %%%%",
                            pattern->text, expr->overload->name, i);
        }
        if (strict && !fits(&element, has)) {
            return evs_fail(error, EVS_E_PIPELINE, "%s has the element %%%.*s, which %s cannot use", pattern->text,
                            (int)element.length, text.data + i + 1, expr->overload->name);
        }
        i += element.length;
    }
    return EVS_OK;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static int day_of_year(const struct evs_moment *m)
{
    return (int)(m->days - evs_days_from_civil(m->year, 1, 1)) + 1;
}

/* Weeks of the year from its first Sunday or Monday on; the days before are week 0. */
static int week_from(const struct evs_moment *m, int first)
{
    const int since = (int)evs_floor_mod((int64_t)evs_weekday(m->days) - first, 7);
    return (day_of_year(m) - 1 + 7 - since) / 7;
}

static int put_zone(char *out, const struct evs_formatted *time, char letter, bool extended)
{
    const char sign = time->offset_minutes < 0 ? '-' : '+';
    const int size = time->offset_minutes < 0 ? -time->offset_minutes : time->offset_minutes;
    if (letter == 'z') {
        return snprintf(out, ELEMENT_BYTES_MAX, extended ? "%c%02d:%02d" : "%c%02d%02d", sign, size / 60, size % 60);
    }
    /* GoogleSQL's %Z is no abbreviation: those are not unique. */
    return size == 0        ? snprintf(out, ELEMENT_BYTES_MAX, "UTC")
           : size % 60 == 0 ? snprintf(out, ELEMENT_BYTES_MAX, "UTC%c%d", sign, size / 60)
                            : snprintf(out, ELEMENT_BYTES_MAX, "UTC%c%02d%02d", sign, size / 60, size % 60);
}

static int put_seconds(char *out, const struct evs_moment *m, int digits)
{
    char fraction[FRACTION_DIGITS_MAX + 1];
    snprintf(fraction, sizeof fraction, "%06u000000000", m->fraction_us);
    int kept = digits < 0 ? 6 : digits;
    while (digits < 0 && kept > 0 && fraction[kept - 1] == '0') {
        kept--;
    }
    return snprintf(out, ELEMENT_BYTES_MAX, "%02d%s%.*s", m->second, kept > 0 ? "." : "", kept, fraction);
}

static int put_date(char *out, const struct evs_moment *m, char letter)
{
    const size_t room = ELEMENT_BYTES_MAX;
    const int weekday = (int)evs_weekday(m->days);
    switch (letter) {
    case 'A':
        return snprintf(out, room, "%s", evs_day_names[weekday]);
    case 'a':
        return snprintf(out, room, "%.3s", evs_day_names[weekday]);
    case 'B':
        return snprintf(out, room, "%s", evs_month_names[m->month - 1]);
    case 'b':
    case 'h':
        return snprintf(out, room, "%.3s", evs_month_names[m->month - 1]);
    case 'C':
        return snprintf(out, room, "%02d", (int)(m->year / 100));
    case 'D':
    case 'x':
        return snprintf(out, room, "%02u/%02u/%02d", m->month, m->day, (int)(m->year % 100));
    case 'd':
        return snprintf(out, room, "%02u", m->day);
    case 'e':
        return snprintf(out, room, "%2u", m->day);
    case 'F':
        return snprintf(out, room, "%lld-%02u-%02u", (long long)m->year, m->month, m->day);
    case 'G':
        return snprintf(out, room, "%lld", (long long)evs_iso_year(m->days));
    case 'g':
        return snprintf(out, room, "%02d", (int)(evs_iso_year(m->days) % 100));
    case 'J':
        return snprintf(out, room, "%03d", (int)(m->days - evs_iso_year_start(evs_iso_year(m->days))) + 1);
    case 'j':
        return snprintf(out, room, "%03d", day_of_year(m));
    case 'm':
        return snprintf(out, room, "%02u", m->month);
    case 'Q':
        return snprintf(out, room, "%u", (m->month - 1) / 3 + 1);
    case 'U':
        return snprintf(out, room, "%02d", week_from(m, 0));
    case 'W':
        return snprintf(out, room, "%02d", week_from(m, 1));
    case 'u':
        return snprintf(out, room, "%d", weekday == 0 ? 7 : weekday);
    case 'w':
        return snprintf(out, room, "%d", weekday);
    case 'V':
        return snprintf(out, room, "%02d", (int)evs_iso_week(m->days));
    case 'Y':
        return snprintf(out, room, "%lld", (long long)m->year);
    default:
        EVS_ASSERT(letter == 'y');
        return snprintf(out, room, "%02d", (int)(m->year % 100));
    }
}

static int put_clock(char *out, const struct evs_moment *m, char letter)
{
    const size_t room = ELEMENT_BYTES_MAX;
    const int hour12 = m->hour % 12 == 0 ? 12 : m->hour % 12;
    switch (letter) {
    case 'H':
        return snprintf(out, room, "%02d", m->hour);
    case 'I':
        return snprintf(out, room, "%02d", hour12);
    case 'k':
        return snprintf(out, room, "%2d", m->hour);
    case 'l':
        return snprintf(out, room, "%2d", hour12);
    case 'M':
        return snprintf(out, room, "%02d", m->minute);
    case 'P':
        return snprintf(out, room, "%s", m->hour < 12 ? "am" : "pm");
    case 'p':
        return snprintf(out, room, "%s", m->hour < 12 ? "AM" : "PM");
    case 'R':
        return snprintf(out, room, "%02d:%02d", m->hour, m->minute);
    case 'r':
        return snprintf(out, room, "%02d:%02d:%02d %s", hour12, m->minute, m->second, m->hour < 12 ? "AM" : "PM");
    case 'S':
        return snprintf(out, room, "%02d", m->second);
    default:
        EVS_ASSERT(letter == 'T' || letter == 'X');
        return snprintf(out, room, "%02d:%02d:%02d", m->hour, m->minute, m->second);
    }
}

static int put_both(char *out, const struct evs_formatted *time, char letter)
{
    const struct evs_moment *m = &time->local;
    if (letter == 's') {
        return snprintf(out, ELEMENT_BYTES_MAX, "%lld", (long long)evs_floor_div(time->utc_us, EVS_US_PER_SECOND));
    }
    return snprintf(out, ELEMENT_BYTES_MAX, "%.3s %.3s %2u %02d:%02d:%02d %lld", evs_day_names[evs_weekday(m->days)],
                    evs_month_names[m->month - 1], m->day, m->hour, m->minute, m->second, (long long)m->year);
}

static int put_element(char *out, const struct evs_formatted *time, const struct evs_element *element)
{
    switch (element->tells) {
    case EVS_ELEMENT_DATE:
        return element->extended ? snprintf(out, ELEMENT_BYTES_MAX, "%04lld", (long long)time->local.year)
                                 : put_date(out, &time->local, element->letter);
    case EVS_ELEMENT_CLOCK:
        return element->extended ? put_seconds(out, &time->local, element->digits)
                                 : put_clock(out, &time->local, element->letter);
    case EVS_ELEMENT_ZONE:
        return put_zone(out, time, element->letter, element->extended);
    case EVS_ELEMENT_EITHER:
        *out = element->letter == 'n' ? '\n' : element->letter == 't' ? '\t' : '%';
        return 1;
    default:
        return put_both(out, time, element->letter);
    }
}

bool evs_format_time(struct evs_slice pattern, const struct evs_formatted *time, char *out, size_t *count)
{
    size_t at = 0;
    for (size_t i = 0; i < pattern.count; i++) {
        struct evs_element element;
        if (pattern.data[i] != '%') {
            out[at++] = pattern.data[i];
            continue;
        }
        if (!evs_element_of((struct evs_slice){pattern.data + i + 1, pattern.count - i - 1}, &element)) {
            return false;
        }
        if (fits(&element, time->has)) {
            const int written = put_element(out + at, time, &element);
            EVS_ASSERT(written >= 0 && written < ELEMENT_BYTES_MAX);
            at += (size_t)written;
        } else {
            memcpy(out + at, pattern.data + i, element.length + 1);
            at += element.length + 1;
        }
        i += element.length;
    }
    *count = at;
    return true;
}
