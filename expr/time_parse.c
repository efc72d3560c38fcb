/* Reading a time by a pattern, with GoogleSQL's rules:
 *
 *   - what a pattern does not name is 1970-01-01 00:00:00
 *   - white space in the pattern stands for any white space, none too; so does white space around the text
 *   - of elements that tell the same the last counts; %s counts before all others, where an offset (%z) is, it counts
 *   - a week (%U, %W) or a day of the year (%j) gives month and day, if it stands behind them; a weekday counts with a week only
 *   - an ISO year (%G, %g) with a week (%V) or a day (%J) counts when the pattern names nothing of the other calendar
 *
 * First the text is taken apart into numbers, each with its place in the pattern; then a date is made of them. */
#include "time_parse.h"

#include <strings.h>

#include "text_tools.h"

/* A number that an element told, and which element of the pattern it was, from 1; 0: none. */
struct told {
    int64_t value;
    int place;
};

struct reading {
    const char *at, *end; /* what is left of the text */
    int place;            /* of the current element */
    int64_t year, month, day, hour, minute, second, fraction_us;
    int64_t century;
    bool uses_century, names_century; /* the year is two digits, or %C has said its century */
    bool is_twelve_hour, is_afternoon;
    int year_place, month_place, day_place;
    bool is_iso_ruled_out; /* an element of the usual calendar was there */
    struct told weekday;   /* 0 Sunday … 6 Saturday */
    struct told iso_year, iso_week, iso_day, week, year_day;
    uint32_t week_start; /* of `week`: 0 Sunday, 1 Monday */
    struct told epoch;
    struct evs_zone zone;
    bool has_offset;
    int64_t offset_minutes;
};

/* --- pieces of text ----------------------------------------------------------------------------------------------- */

static void skip_space(struct reading *r)
{
    while (r->at < r->end && evs_is_space(*r->at)) {
        r->at++;
    }
}

static bool take(struct reading *r, char wanted)
{
    const bool found = r->at < r->end && *r->at == wanted;
    r->at += found;
    return found;
}

/* One to `width` digits, within the bounds. */
static bool take_number(struct reading *r, int width, int64_t min, int64_t max, int64_t *value)
{
    const char *start = r->at;
    for (*value = 0; r->at < r->end && r->at - start < width && *r->at >= '0' && *r->at <= '9'; r->at++) {
        *value = *value * 10 + (*r->at - '0');
    }
    return r->at > start && *value >= min && *value <= max;
}

/* A name, or its first three letters, in any case. */
static bool take_name(struct reading *r, const char *const *names, size_t count, int64_t *index)
{
    for (size_t length_kind = 0; length_kind < 2; length_kind++) {
        for (size_t i = 0; i < count; i++) {
            const size_t length = length_kind == 0 ? strlen(names[i]) : 3;
            if ((size_t)(r->end - r->at) >= length && strncasecmp(r->at, names[i], length) == 0) {
                r->at += length;
                *index = (int64_t)i;
                return true;
            }
        }
    }
    return false;
}

static bool take_meridian(struct reading *r)
{
    const bool is_pm = r->end - r->at >= 2 && strncasecmp(r->at, "pm", 2) == 0;
    const bool is_am = r->end - r->at >= 2 && strncasecmp(r->at, "am", 2) == 0;
    r->is_afternoon = is_pm;
    r->at += is_pm || is_am ? 2 : 0;
    return is_pm || is_am;
}

/* Behind the seconds: up to `digits` of them (-1: any number), those after the sixth cut. */
static bool take_fraction(struct reading *r, int digits)
{
    if (digits == 0 || !take(r, '.')) {
        return true;
    }
    int count = 0;
    for (r->fraction_us = 0; r->at < r->end && *r->at >= '0' && *r->at <= '9' && count != digits; r->at++, count++) {
        r->fraction_us = count < 6 ? r->fraction_us * 10 + (*r->at - '0') : r->fraction_us;
    }
    for (int i = count; i < 6; i++) {
        r->fraction_us *= 10;
    }
    return count > 0;
}

/* +hh, +hhmm, and with `colon` +hh:mm or Z. */
static bool take_offset(struct reading *r, bool colon)
{
    r->has_offset = true;
    r->offset_minutes = 0;
    if (colon && take(r, 'Z')) {
        return true;
    }
    const int sign = take(r, '-') ? -1 : take(r, '+') ? 1 : 0;
    const char *start = r->at;
    int64_t hours, minutes = 0;
    if (sign == 0 || !take_number(r, 2, 0, 23, &hours) || r->at - start != 2) {
        return false;
    }
    (void)(colon && take(r, ':'));
    const char *minute_start = r->at;
    if (!take_number(r, 2, 0, 59, &minutes) || r->at - minute_start != 2) {
        r->at = minute_start;
        minutes = 0;
    }
    r->offset_minutes = sign * (hours * 60 + minutes);
    return r->offset_minutes >= -14 * 60 && r->offset_minutes <= 14 * 60;
}

static bool take_zone_name(struct reading *r)
{
    const char *start = r->at;
    while (r->at < r->end && !evs_is_space(*r->at)) {
        r->at++;
    }
    r->has_offset = false;
    r->offset_minutes = 0;
    return evs_zone_load(start, (size_t)(r->at - start), &r->zone);
}

static bool take_epoch(struct reading *r)
{
    const int sign = take(r, '-') ? -1 : 1;
    r->epoch.place = r->place;
    const bool found = take_number(r, 12, 0, INT64_C(999999999999), &r->epoch.value);
    r->epoch.value *= sign;
    return found;
}

/* --- elements ----------------------------------------------------------------------------------------------------- */

static bool take_pattern(struct reading *r, struct evs_slice pattern, bool is_inner);

static bool take_inner(struct reading *r, const char *pattern)
{
    return take_pattern(r, evs_slice_of(pattern), true);
}

static bool take_told(struct reading *r, struct told *told, int width, int64_t min, int64_t max)
{
    told->place = r->place;
    return take_number(r, width, min, max, &told->value);
}

/* `is_last`: no element follows at once, so that a year may have five digits and a century three. */
static bool take_year(struct reading *r, char letter, bool is_extended, bool is_last)
{
    r->year_place = r->place;
    r->is_iso_ruled_out = true;
    const char *start = r->at;
    if (letter == 'C') {
        r->year = r->uses_century ? r->year : 0;
        r->uses_century = r->names_century = true;
        return take_number(r, is_last ? 3 : 2, 0, 100, &r->century);
    }
    if (letter == 'y') {
        const bool found = take_number(r, 2, 0, 99, &r->year);
        r->century = r->names_century ? r->century : r->year < 69 ? 20 : 19;
        r->uses_century = true;
        return found;
    }
    r->uses_century = r->names_century = false;
    const int width = is_last && !is_extended ? 5 : 4;
    return take_number(r, width, 0, 10000, &r->year) && (!is_extended || r->at - start == 4);
}

static bool take_month(struct reading *r, char letter)
{
    r->month_place = r->place;
    r->is_iso_ruled_out = true;
    if (letter == 'm') {
        return take_number(r, 2, 1, 12, &r->month);
    }
    const bool found = take_name(r, evs_month_names, EVS_COUNT(evs_month_names), &r->month);
    r->month++;
    return found;
}

static bool take_weekday(struct reading *r, char letter)
{
    r->weekday.place = r->place;
    if (letter == 'u') {
        const bool found = take_number(r, 1, 1, 7, &r->weekday.value);
        r->weekday.value %= 7;
        return found;
    }
    return letter == 'w' ? take_number(r, 1, 0, 6, &r->weekday.value)
                         : take_name(r, evs_day_names, EVS_COUNT(evs_day_names), &r->weekday.value);
}

static bool take_iso_year(struct reading *r, char letter)
{
    const bool found = letter == 'G' ? take_told(r, &r->iso_year, 5, 0, 9999) : take_told(r, &r->iso_year, 2, 0, 99);
    r->iso_year.value += letter == 'G' ? 0 : r->iso_year.value < 69 ? 2000 : 1900;
    return found;
}

static bool take_date_element(struct reading *r, const struct evs_element *element, bool is_last)
{
    switch (element->letter) {
    case 'Y':
    case 'y':
    case 'C':
        return take_year(r, element->letter, element->extended, is_last);
    case 'm':
    case 'B':
    case 'b':
    case 'h':
        return take_month(r, element->letter);
    case 'e':
        skip_space(r);
        /* fall through */
    case 'd':
        r->day_place = r->place;
        r->is_iso_ruled_out = true;
        return take_number(r, 2, 1, 31, &r->day);
    case 'j':
        r->is_iso_ruled_out = true;
        return take_told(r, &r->year_day, 3, 1, 366);
    case 'U':
    case 'W':
        r->is_iso_ruled_out = true;
        r->week_start = element->letter == 'W';
        return take_told(r, &r->week, 2, 0, 53);
    case 'V':
        return take_told(r, &r->iso_week, 2, 1, 53);
    case 'J':
        return take_told(r, &r->iso_day, 3, 1, 371);
    case 'G':
    case 'g':
        return take_iso_year(r, element->letter);
    case 'A':
    case 'a':
    case 'u':
    case 'w':
        return take_weekday(r, element->letter);
    case 'D':
    case 'x':
        return take_inner(r, "%m/%d/%y");
    case 'F':
        return take_inner(r, "%Y-%m-%d");
    default:
        return false; /* %Q: a quarter names no month */
    }
}

static bool take_clock_element(struct reading *r, const struct evs_element *element)
{
    switch (element->letter) {
    case 'k':
        skip_space(r);
        /* fall through */
    case 'H':
        r->is_twelve_hour = false;
        return take_number(r, 2, 0, 23, &r->hour);
    case 'I':
    case 'l': {
        skip_space(r);
        const bool found = take_number(r, 2, 1, 12, &r->hour);
        r->hour %= 12;
        r->is_twelve_hour = true;
        return found;
    }
    case 'M':
        return take_number(r, 2, 0, 59, &r->minute);
    case 'S':
        return take_number(r, 2, 0, 60, &r->second) && (!element->extended || take_fraction(r, element->digits));
    case 'P':
    case 'p':
        return take_meridian(r);
    case 'R':
        return take_inner(r, "%H:%M");
    case 'r':
        return take_inner(r, "%I:%M:%S %p");
    default:
        EVS_ASSERT(element->letter == 'T' || element->letter == 'X');
        return take_inner(r, "%H:%M:%S");
    }
}

static bool take_element(struct reading *r, const struct evs_element *element, bool is_last)
{
    switch (element->tells) {
    case EVS_ELEMENT_DATE:
        return take_date_element(r, element, is_last);
    case EVS_ELEMENT_CLOCK:
        return take_clock_element(r, element);
    case EVS_ELEMENT_ZONE:
        return element->letter == 'Z' ? take_zone_name(r) : take_offset(r, element->extended);
    case EVS_ELEMENT_EITHER:
        if (element->letter == '%') {
            return take(r, '%');
        }
        skip_space(r);
        return true;
    default:
        return element->letter == 's' ? take_epoch(r) : take_inner(r, "%a %b %e %H:%M:%S %Y");
    }
}

/* Takes the text as far as the pattern goes. An element that stands for others (%F) counts as one place. */
static bool take_pattern(struct reading *r, struct evs_slice pattern, bool is_inner)
{
    for (size_t i = 0; i < pattern.count; i++) {
        struct evs_element element;
        if (evs_is_space(pattern.data[i])) {
            skip_space(r);
            continue;
        }
        if (pattern.data[i] != '%') {
            if (!take(r, pattern.data[i])) {
                return false;
            }
            continue;
        }
        if (!evs_element_of((struct evs_slice){pattern.data + i + 1, pattern.count - i - 1}, &element)) {
            return false;
        }
        i += element.length;
        r->place += is_inner ? 0 : 1;
        const bool is_last = i + 1 >= pattern.count || pattern.data[i + 1] != '%';
        if (!take_element(r, &element, is_last)) {
            return false;
        }
    }
    return true;
}

/* --- the date ----------------------------------------------------------------------------------------------------- */

static int64_t iso_weeks(int64_t iso_year)
{
    return (evs_iso_year_start(iso_year + 1) - evs_iso_year_start(iso_year)) / 7;
}

/* Of a week and a day of the year the later one counts; a week that has a weekday, also when it is the earlier one and the
 * weekday stands behind. */
static bool day_wins(struct told day, struct told week, struct told weekday)
{
    return day.place > 0 && (day.place > week.place || weekday.place == 0);
}

static bool iso_date(const struct reading *r, int64_t *days)
{
    const int64_t year = r->iso_year.value, start = evs_iso_year_start(year);
    if (day_wins(r->iso_day, r->iso_week, r->weekday)) {
        *days = start + r->iso_day.value - 1;
        return r->iso_day.value <= iso_weeks(year) * 7;
    }
    *days = start;
    if (r->iso_week.place > 0) {
        const int64_t weekday = r->weekday.place > 0 ? (r->weekday.value + 6) % 7 : 0;
        *days = start + (r->iso_week.value - 1) * 7 + weekday;
        return r->iso_week.value <= iso_weeks(year);
    }
    return true;
}

/* The date of the year's week or day; *place says which element told it, 0 when none did. */
static bool date_in_year(const struct reading *r, int64_t year, int64_t *days, int *place)
{
    const int64_t first = evs_days_from_civil(year, 1, 1), next = evs_days_from_civil(year + 1, 1, 1);
    *place = 0;
    if (day_wins(r->year_day, r->week, r->weekday)) {
        *days = first + r->year_day.value - 1;
        *place = r->year_day.place;
        return *days < next;
    }
    if (r->week.place == 0) {
        return true;
    }
    const int64_t start = first + evs_floor_mod((int64_t)r->week_start - evs_weekday(first), 7);
    const int64_t weekday = r->weekday.place > 0 ? evs_floor_mod(r->weekday.value - (int64_t)r->week_start, 7) : 0;
    *days = start + (r->week.value - 1) * 7 + weekday;
    *place = r->week.place;
    const bool has_week_0 = start > first;
    return (r->week.value > 0 || has_week_0) && start + (r->week.value - 1) * 7 < next;
}

static bool make_date(const struct reading *r, int64_t *days)
{
    int64_t year = r->uses_century ? r->century * 100 + r->year : r->year, found = 0;
    int64_t month = r->month, day = r->day;
    int place;
    if (!r->is_iso_ruled_out && r->iso_year.place > 0) {
        return iso_date(r, days);
    }
    if (!date_in_year(r, year, &found, &place)) {
        return false;
    }
    if (place > 0) {
        int64_t found_year;
        uint32_t found_month, found_day;
        evs_civil_from_days(found, &found_year, &found_month, &found_day);
        year = r->year_place < place ? found_year : year;
        month = r->month_place < place ? found_month : month;
        day = r->day_place < place ? found_day : day;
    }
    if (year < 0 || year > 10000 || day > evs_month_days(year, (uint32_t)month)) {
        return false;
    }
    *days = evs_days_from_civil(year, (uint32_t)month, (uint32_t)day);
    return true;
}

static bool make_moment(const struct reading *r, int64_t *us)
{
    if (r->epoch.place > 0) {
        *us = r->epoch.value * EVS_US_PER_SECOND;
        return true;
    }
    int64_t days;
    if (!make_date(r, &days)) {
        return false;
    }
    const bool is_leap_second = r->second == 60; /* the next second's begin */
    const int64_t hour = r->hour + (r->is_twelve_hour && r->is_afternoon ? 12 : 0);
    const int64_t local = days * EVS_US_PER_DAY + ((hour * 60 + r->minute) * 60 + r->second) * EVS_US_PER_SECOND +
                          (is_leap_second ? 0 : r->fraction_us);
    *us = r->has_offset ? local - r->offset_minutes * EVS_US_PER_MINUTE : evs_zone_utc(r->zone, local);
    return true;
}

bool evs_parse_time(struct evs_slice pattern, struct evs_slice text, struct evs_zone zone, int64_t *us)
{
    struct reading r = {
        .at = text.data, .end = text.data + text.count, .year = 1970, .month = 1, .day = 1, .zone = zone};
    skip_space(&r);
    if (!take_pattern(&r, pattern, false)) {
        return false;
    }
    skip_space(&r);
    return r.at == r.end && make_moment(&r, us) && *us >= EVS_TIMESTAMP_MIN && *us <= EVS_TIMESTAMP_MAX;
}
