/* The texts of intervals: GoogleSQL's canonical form, its parts, and ISO 8601 durations.
 *
 * The canonical form is years-months days hours:minutes:seconds. A part of it goes from one field to another; which one is meant
 * follows from the separators in it (spaces, colons, dashes behind a digit), as GoogleSQL has it. Each of the three groups has
 * a sign of its own. */
#include <stdio.h>

#include "interval_text.h"

#define MONTHS_MAX 120000
#define DAYS_MAX 3660000
#define US_MAX (INT64_C(87840000) * EVS_US_PER_HOUR)
#define FRACTION_DIGITS 6

/* Fields of the canonical form, in order. */
enum field { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, FIELDS };
/* What stands before a field that is not the first. */
static const char separators[FIELDS] = {0, '-', ' ', ' ', ':', ':'};

struct cursor {
    const char *at, *end;
};
struct numbers {
    __int128 months, days, us;
};

bool evs_interval_store(__int128 months, __int128 days, __int128 us, struct evs_interval *interval)
{
    if (months > MONTHS_MAX || months < -MONTHS_MAX || days > DAYS_MAX || days < -DAYS_MAX || us > US_MAX ||
        us < -US_MAX) {
        return false;
    }
    *interval = (struct evs_interval){(int32_t)months, (int32_t)days, (int64_t)us};
    return true;
}

static bool at_digit(const struct cursor *cursor)
{
    return cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9';
}
static bool take(struct cursor *cursor, char wanted)
{
    const bool found = cursor->at < cursor->end && *cursor->at == wanted;
    cursor->at += found;
    return found;
}
static bool take_number(struct cursor *cursor, int64_t *value)
{
    const char *start = cursor->at;
    for (*value = 0; at_digit(cursor); cursor->at++) {
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, *cursor->at - '0', value)) {
            return false;
        }
    }
    return cursor->at > start;
}
static int take_sign(struct cursor *cursor)
{
    return take(cursor, '-') ? -1 : (take(cursor, '+'), 1);
}

/* Digits behind the point as microseconds; GoogleSQL takes six. */
static bool take_fraction(struct cursor *cursor, int64_t *us)
{
    uint32_t count = 0;
    for (*us = 0; at_digit(cursor); cursor->at++, count++) {
        *us = count < FRACTION_DIGITS ? *us * 10 + (*cursor->at - '0') : *us;
    }
    for (uint32_t i = count; i < FRACTION_DIGITS; i++) {
        *us *= 10;
    }
    return count > 0 && count <= FRACTION_DIGITS;
}

static const int64_t field_us[FIELDS] = {
    [HOUR] = EVS_US_PER_HOUR, [MINUTE] = EVS_US_PER_MINUTE, [SECOND] = EVS_US_PER_SECOND};

static void add_field(struct numbers *numbers, enum field field, int sign, int64_t value)
{
    const __int128 amount = (__int128)sign * value;
    numbers->months += field == YEAR ? amount * 12 : field == MONTH ? amount : 0;
    numbers->days += field == DAY ? amount : 0;
    numbers->us += amount * field_us[field];
}

static bool read_fields(struct evs_slice text, enum field from, enum field to, struct evs_interval *interval)
{
    struct cursor cursor = {text.data, text.data + text.count};
    struct numbers numbers = {0};
    int sign = 1;
    for (enum field field = from; field <= to; field++) {
        if (field > from && !take(&cursor, separators[field])) {
            return false;
        }
        if (field == from || field == DAY || field == HOUR) { /* where a group begins */
            sign = take_sign(&cursor);
        }
        int64_t value, fraction = 0;
        const bool has_number = take_number(&cursor, &value);
        const bool has_point = field == SECOND && take(&cursor, '.');
        /* Only of seconds alone the whole number may be missing: .5 */
        if ((!has_number && !(has_point && from == SECOND)) || (has_point && !take_fraction(&cursor, &fraction))) {
            return false;
        }
        add_field(&numbers, field, sign, has_number ? value : 0);
        numbers.us += sign * fraction;
    }
    return cursor.at == cursor.end && evs_interval_store(numbers.months, numbers.days, numbers.us, interval);
}

/* --- which fields ------------------------------------------------------------------------------------------------- */

static bool read_canonical(struct evs_slice text, struct evs_interval *interval)
{
    static const struct {
        uint8_t spaces, colons, dashes, from, to;
    } forms[] = {
        {2, 2, 1, YEAR, SECOND}, {2, 1, 1, YEAR, MINUTE}, {2, 0, 1, YEAR, HOUR},    {1, 0, 1, YEAR, DAY},
        {0, 0, 1, YEAR, MONTH},  {2, 0, 0, MONTH, HOUR},  {2, 1, 0, MONTH, MINUTE}, {2, 2, 0, MONTH, SECOND},
        {1, 1, 0, DAY, MINUTE},  {1, 2, 0, DAY, SECOND},  {0, 2, 0, HOUR, SECOND},
    };
    uint32_t spaces = 0, colons = 0, dashes = 0;
    for (size_t i = 0; i < text.count; i++) {
        const bool behind_digit = i > 0 && text.data[i - 1] >= '0' && text.data[i - 1] <= '9';
        spaces += text.data[i] == ' ';
        colons += text.data[i] == ':';
        dashes += text.data[i] == '-' && behind_digit; /* else a sign */
    }
    for (size_t i = 0; i < EVS_COUNT(forms); i++) {
        if (forms[i].spaces == spaces && forms[i].colons == colons && forms[i].dashes == dashes) {
            return read_fields(text, forms[i].from, forms[i].to, interval);
        }
    }
    return false;
}

static bool field_of(enum evs_time_part part, enum field *field)
{
    static const enum evs_time_part parts[FIELDS] = {EVS_TIME_YEAR, EVS_TIME_MONTH,  EVS_TIME_DAY,
                                                     EVS_TIME_HOUR, EVS_TIME_MINUTE, EVS_TIME_SECOND};
    for (*field = YEAR; *field < FIELDS; (*field)++) {
        if (parts[*field] == part) {
            return true;
        }
    }
    return false;
}

bool evs_read_interval_range(struct evs_slice text, enum evs_time_part from, enum evs_time_part to,
                             struct evs_interval *interval)
{
    enum field first, last;
    return field_of(from, &first) && field_of(to, &last) && first < last && read_fields(text, first, last, interval);
}

bool evs_interval_of(int64_t count, enum evs_time_part part, struct evs_interval *interval)
{
    switch (part) {
    case EVS_TIME_YEAR:
        return evs_interval_store((__int128)count * 12, 0, 0, interval);
    case EVS_TIME_QUARTER:
        return evs_interval_store((__int128)count * 3, 0, 0, interval);
    case EVS_TIME_MONTH:
        return evs_interval_store(count, 0, 0, interval);
    case EVS_TIME_WEEK:
        return evs_interval_store(0, (__int128)count * 7, 0, interval);
    case EVS_TIME_DAY:
        return evs_interval_store(0, count, 0, interval);
    default:
        EVS_ASSERT(evs_part_us(part) > 0);
        return evs_interval_store(0, 0, (__int128)count * evs_part_us(part), interval);
    }
}

bool evs_read_interval_part(struct evs_slice text, enum evs_time_part part, struct evs_interval *interval)
{
    if (part == EVS_TIME_SECOND) {
        return read_fields(text, SECOND, SECOND, interval);
    }
    struct cursor cursor = {text.data, text.data + text.count};
    const int sign = take_sign(&cursor);
    int64_t count;
    return take_number(&cursor, &count) && cursor.at == cursor.end && evs_interval_of(sign * count, part, interval);
}

/* --- ISO 8601 ----------------------------------------------------------------------------------------------------- */

/* A number and its letter. Parts may come in any order and more than once, each with a sign; only seconds have fractions. */
static bool take_iso_part(struct cursor *cursor, bool in_clock, struct numbers *numbers)
{
    const int sign = take(cursor, '-') ? -1 : 1;
    int64_t value, fraction = 0;
    if (!take_number(cursor, &value)) {
        return false;
    }
    const bool has_point = take(cursor, '.') || take(cursor, ',');
    if (has_point && !take_fraction(cursor, &fraction)) {
        return false;
    }
    static const struct {
        char letter;
        bool in_clock;
        enum field field;
        int factor;
    } letters[] = {{'Y', false, YEAR, 1}, {'M', false, MONTH, 1}, {'W', false, DAY, 7},  {'D', false, DAY, 1},
                   {'H', true, HOUR, 1},  {'M', true, MINUTE, 1}, {'S', true, SECOND, 1}};
    for (size_t i = 0; i < EVS_COUNT(letters); i++) {
        if (letters[i].in_clock == in_clock && take(cursor, letters[i].letter)) {
            add_field(numbers, letters[i].field, sign * letters[i].factor, value);
            numbers->us += sign * fraction;
            return !has_point || letters[i].field == SECOND;
        }
    }
    return false;
}

static bool read_iso(struct evs_slice text, struct evs_interval *interval)
{
    struct cursor cursor = {text.data + 1, text.data + text.count};
    struct numbers numbers = {0};
    bool in_clock = false;
    if (cursor.at == cursor.end) {
        return false;
    }
    while (cursor.at < cursor.end) {
        if (!in_clock && take(&cursor, 'T')) {
            in_clock = true;
        } else if (!take_iso_part(&cursor, in_clock, &numbers)) {
            return false;
        }
    }
    return evs_interval_store(numbers.months, numbers.days, numbers.us, interval);
}

bool evs_read_interval(struct evs_slice text, struct evs_interval *interval)
{
    return text.count > 0 && text.data[0] == 'P' ? read_iso(text, interval) : read_canonical(text, interval);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

uint32_t evs_interval_text(char *out, const struct evs_interval *interval)
{
    const int64_t months = interval->months < 0 ? -(int64_t)interval->months : interval->months;
    const uint64_t us = interval->us < 0 ? 0 - (uint64_t)interval->us : (uint64_t)interval->us;
    const uint64_t seconds = us / (uint64_t)EVS_US_PER_SECOND, fraction = us % (uint64_t)EVS_US_PER_SECOND;
    char text[128];
    int count = snprintf(text, sizeof text, "%s%lld-%lld %d %s%llu:%llu:%llu", interval->months < 0 ? "-" : "",
                         (long long)(months / 12), (long long)(months % 12), interval->days,
                         interval->us < 0 ? "-" : "", (unsigned long long)(seconds / 3600),
                         (unsigned long long)(seconds / 60 % 60), (unsigned long long)(seconds % 60));
    if (fraction != 0) {
        const bool millis = fraction % 1000 == 0;
        count += snprintf(text + count, sizeof text - (size_t)count, millis ? ".%03llu" : ".%06llu",
                          (unsigned long long)(millis ? fraction / 1000 : fraction));
    }
    EVS_ASSERT(count > 0 && count <= EVS_FORMAT_MAX);
    memcpy(out, text, (size_t)count);
    return (uint32_t)count;
}
