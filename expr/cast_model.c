/* Patterns of cast … format for dates and times (cast_model.h), with GoogleSQL's elements.
 *
 * Two things differ from GoogleSQL, because a result must not depend on when it is computed: where the pattern has no year or
 * month it is 1970 or January, not the current one; and a short year is completed to 1950 … 2049 (RR) or 2000 … (YYY, YY, Y). */
#include "cast_model.h"

#include <stdio.h>
#include <strings.h>

#include "text_tools.h"

#define PATTERN_BYTES_MAX 512
#define ITEM_BYTES_MAX 16

enum kind {
    LITERAL,
    SPACE,
    YEAR4,
    YEAR3,
    YEAR2,
    YEAR1,
    YEAR_ROUND,
    YEAR_COMMA,
    MONTH2,
    MONTH_SHORT,
    MONTH_LONG,
    DAY_OF_YEAR,
    DAY2,
    DAY_OF_WEEK,
    DAY_LONG,
    DAY_SHORT,
    HOUR12,
    HOUR24,
    MINUTE,
    SECOND,
    SECOND_OF_DAY,
    FRACTION,
    MERIDIAN,
    MERIDIAN_DOTS,
    ZONE_HOUR,
    ZONE_MINUTE
};
/* Of one group a pattern that is read has one element at most. */
enum group {
    NO_GROUP,
    YEAR_GROUP,
    MONTH_GROUP,
    DAY_GROUP,
    HOUR_GROUP,
    MINUTE_GROUP,
    SECOND_GROUP,
    FRACTION_GROUP,
    MERIDIAN_GROUP,
    ZONE_HOUR_GROUP,
    ZONE_MINUTE_GROUP,
    GROUPS
};
enum casing { UPPER, CAPITAL, LOWER };

static const struct name {
    const char *text;
    enum kind kind;
    enum group group; /* NO_GROUP: cannot be read */
    uint8_t tells, digits;
} names[] = {
    {"SSSSS", SECOND_OF_DAY, SECOND_GROUP, EVS_ELEMENT_CLOCK, 5},
    {"MONTH", MONTH_LONG, MONTH_GROUP, EVS_ELEMENT_DATE, 0},
    {"Y,YYY", YEAR_COMMA, YEAR_GROUP, EVS_ELEMENT_DATE, 0},
    {"YYYY", YEAR4, YEAR_GROUP, EVS_ELEMENT_DATE, 4},
    {"RRRR", YEAR4, YEAR_GROUP, EVS_ELEMENT_DATE, 4},
    {"HH12", HOUR12, HOUR_GROUP, EVS_ELEMENT_CLOCK, 2},
    {"HH24", HOUR24, HOUR_GROUP, EVS_ELEMENT_CLOCK, 2},
    {"A.M.", MERIDIAN_DOTS, MERIDIAN_GROUP, EVS_ELEMENT_CLOCK, 0},
    {"P.M.", MERIDIAN_DOTS, MERIDIAN_GROUP, EVS_ELEMENT_CLOCK, 0},
    {"YYY", YEAR3, YEAR_GROUP, EVS_ELEMENT_DATE, 3},
    {"MON", MONTH_SHORT, MONTH_GROUP, EVS_ELEMENT_DATE, 0},
    {"DDD", DAY_OF_YEAR, NO_GROUP, EVS_ELEMENT_DATE, 3},
    {"DAY", DAY_LONG, NO_GROUP, EVS_ELEMENT_DATE, 0},
    {"TZH", ZONE_HOUR, ZONE_HOUR_GROUP, EVS_ELEMENT_ZONE, 2},
    {"TZM", ZONE_MINUTE, ZONE_MINUTE_GROUP, EVS_ELEMENT_ZONE, 2},
    {"YY", YEAR2, YEAR_GROUP, EVS_ELEMENT_DATE, 2},
    {"RR", YEAR_ROUND, YEAR_GROUP, EVS_ELEMENT_DATE, 2},
    {"MM", MONTH2, MONTH_GROUP, EVS_ELEMENT_DATE, 2},
    {"DD", DAY2, DAY_GROUP, EVS_ELEMENT_DATE, 2},
    {"DY", DAY_SHORT, NO_GROUP, EVS_ELEMENT_DATE, 0},
    {"HH", HOUR12, HOUR_GROUP, EVS_ELEMENT_CLOCK, 2},
    {"MI", MINUTE, MINUTE_GROUP, EVS_ELEMENT_CLOCK, 2},
    {"SS", SECOND, SECOND_GROUP, EVS_ELEMENT_CLOCK, 2},
    {"AM", MERIDIAN, MERIDIAN_GROUP, EVS_ELEMENT_CLOCK, 0},
    {"PM", MERIDIAN, MERIDIAN_GROUP, EVS_ELEMENT_CLOCK, 0},
    {"FF", FRACTION, FRACTION_GROUP, EVS_ELEMENT_CLOCK, 0}, /* a digit follows */
    {"Y", YEAR1, YEAR_GROUP, EVS_ELEMENT_DATE, 1},
    {"D", DAY_OF_WEEK, NO_GROUP, EVS_ELEMENT_DATE, 1},
};

struct item {
    enum kind kind;
    enum casing casing;
    int digits;
    bool before_digits; /* a number follows at once: it has all its digits then */
    struct evs_slice literal;
};
struct evs_model {
    struct item *items;
    uint32_t count;
    size_t literal_bytes;
};

/* --- reading the pattern ------------------------------------------------------------------------------------------ */

struct reader {
    struct evs_arena *arena;
    const char *at, *end, *begin;
    struct evs_model *model;
    uint8_t has;
    bool parses;
    const struct name *seen[GROUPS];
    struct evs_error *error;
};

static evs_status refuse(const struct reader *reader, const char *problem)
{
    return evs_fail(
        reader->error, EVS_E_PIPELINE,
        "the format of the cast %s, at byte %zu; there are YYYY YYY YY Y RRRR RR Y,YYY MM MON MONTH DD DDD D "
        "DAY DY HH HH12 HH24 MI SS SSSSS FF1 … FF9 AM PM A.M. P.M. TZH TZM, - . / , ' ; : and spaces, and "
        "\"text\"",
        problem, (size_t)(reader->at - reader->begin));
}

static const struct name *name_at(const struct reader *reader)
{
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        const size_t count = strlen(names[i].text);
        if ((size_t)(reader->end - reader->at) >= count && strncasecmp(reader->at, names[i].text, count) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

static enum casing casing_of(const char *text)
{
    const char second = text[1] == '.' ? text[2] : text[1];
    return text[0] >= 'a' ? LOWER : second >= 'a' && second <= 'z' ? CAPITAL : UPPER;
}

static struct item *add(struct reader *reader, enum kind kind)
{
    EVS_ASSERT(reader->model->count < PATTERN_BYTES_MAX);
    struct item *item = &reader->model->items[reader->model->count++];
    *item = (struct item){.kind = kind};
    return item;
}

/* "…" with \" and \\ in it. */
static evs_status read_quoted(struct reader *reader)
{
    char *text = evs_arena_alloc(reader->arena, (size_t)(reader->end - reader->at), 1);
    size_t count = 0;
    for (reader->at++; reader->at < reader->end && *reader->at != '"'; reader->at++) {
        if (*reader->at == '\\' && ++reader->at == reader->end) {
            break;
        }
        text[count++] = *reader->at;
    }
    if (reader->at == reader->end) {
        return refuse(reader, "has a text whose quote does not end");
    }
    reader->at++;
    add(reader, LITERAL)->literal = (struct evs_slice){text, count};
    reader->model->literal_bytes += count;
    return EVS_OK;
}

static evs_status read_element(struct reader *reader)
{
    const struct name *name = name_at(reader);
    if (name == NULL) {
        return refuse(reader, "has an element that does not exist");
    }
    if ((name->tells & ~reader->has) != 0) {
        return refuse(reader, "has an element that the type lacks");
    }
    if (reader->parses && (name->group == NO_GROUP || reader->seen[name->group] != NULL)) {
        return refuse(reader, name->group == NO_GROUP ? "has an element that cannot be read"
                                                      : "has two elements that tell the same");
    }
    reader->seen[name->group] = name;
    struct item *item = add(reader, name->kind);
    item->casing = casing_of(reader->at);
    item->digits = name->digits;
    reader->at += strlen(name->text);
    if (name->kind == FRACTION) {
        if (reader->at == reader->end || *reader->at < '1' || *reader->at > '9') {
            return refuse(reader, "has FF without its number of digits, 1 to 9");
        }
        item->digits = *reader->at++ - '0';
    }
    return EVS_OK;
}

static evs_status read_item(struct reader *reader)
{
    const char c = *reader->at;
    if (c == '"') {
        return read_quoted(reader);
    }
    if (evs_is_space(c) || strchr("-./,';:", c) != NULL) {
        add(reader, evs_is_space(c) ? SPACE : LITERAL)->literal = (struct evs_slice){reader->at, 1};
        reader->model->literal_bytes++;
        reader->at++;
        return EVS_OK;
    }
    return read_element(reader);
}

/* Which elements need each other, and which exclude each other, when a text is read. */
static evs_status check_reading(const struct reader *reader)
{
    const struct name *hour = reader->seen[HOUR_GROUP], *second = reader->seen[SECOND_GROUP];
    const bool is_twelve = hour != NULL && hour->kind == HOUR12, has_meridian = reader->seen[MERIDIAN_GROUP] != NULL;
    if (is_twelve != has_meridian) {
        return refuse(reader, "needs HH or HH12 together with A.M. or P.M., or HH24 without");
    }
    if (second != NULL && second->kind == SECOND_OF_DAY && (hour != NULL || reader->seen[MINUTE_GROUP] != NULL)) {
        return refuse(reader, "has SSSSS, the seconds of the whole day, beside hours or minutes");
    }
    if (reader->seen[ZONE_MINUTE_GROUP] != NULL && reader->seen[ZONE_HOUR_GROUP] == NULL) {
        return refuse(reader, "has TZM without TZH");
    }
    return EVS_OK;
}

static bool begins_with_digit(const struct item *item)
{
    return item->kind == LITERAL
               ? item->literal.count > 0 && item->literal.data[0] >= '0' && item->literal.data[0] <= '9'
               : (item->digits > 0 && item->kind != ZONE_HOUR) || item->kind == YEAR_COMMA;
}

evs_status evs_model_new(struct evs_arena *arena, struct evs_slice pattern, uint8_t has, bool parses,
                         const struct evs_model **model, struct evs_error *error)
{
    if (pattern.count > PATTERN_BYTES_MAX) {
        return evs_fail(error, EVS_E_PIPELINE, "the format of the cast is longer than %d bytes", PATTERN_BYTES_MAX);
    }
    struct evs_model *made = EVS_ARENA_NEW(arena, struct evs_model);
    *made = (struct evs_model){.items = EVS_ARENA_ARRAY(arena, struct item, pattern.count + 1)};
    const char *text = evs_arena_strndup(arena, pattern.data, pattern.count);
    struct reader reader = {arena, text, text + pattern.count, text, made, has, parses, {NULL}, error};
    while (reader.at < reader.end) {
        const evs_status status = read_item(&reader);
        if (status != EVS_OK) {
            return status;
        }
    }
    for (uint32_t i = 0; i + 1 < made->count; i++) {
        made->items[i].before_digits = begins_with_digit(&made->items[i + 1]);
    }
    *model = made;
    return parses ? check_reading(&reader) : EVS_OK;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

size_t evs_model_bytes(const struct evs_model *model)
{
    return model->literal_bytes + (size_t)model->count * ITEM_BYTES_MAX;
}

static int put_name(char *out, const char *name, int width, enum casing casing)
{
    const int count = snprintf(out, ITEM_BYTES_MAX, "%.*s", width, name);
    for (int i = 0; i < count; i++) {
        const bool lower = casing == LOWER || (casing == CAPITAL && i > 0);
        const bool is_letter = (out[i] | 0x20) >= 'a' && (out[i] | 0x20) <= 'z';
        out[i] = (char)(!is_letter ? out[i] : lower ? out[i] | 0x20 : out[i] & ~0x20);
    }
    return count;
}

static int put_date(char *out, const struct evs_moment *m, const struct item *item)
{
    const size_t room = ITEM_BYTES_MAX;
    const char *day = evs_day_names[evs_weekday(m->days)], *month = evs_month_names[m->month - 1];
    switch (item->kind) {
    case YEAR4:
        return snprintf(out, room, "%04d", (int)m->year);
    case YEAR3:
        return snprintf(out, room, "%03d", (int)(m->year % 1000));
    case YEAR2:
    case YEAR_ROUND:
        return snprintf(out, room, "%02d", (int)(m->year % 100));
    case YEAR1:
        return snprintf(out, room, "%d", (int)(m->year % 10));
    case YEAR_COMMA:
        return snprintf(out, room, "%d,%03d", (int)(m->year / 1000), (int)(m->year % 1000));
    case MONTH2:
        return snprintf(out, room, "%02u", m->month);
    case MONTH_SHORT:
        return put_name(out, month, 3, item->casing);
    case MONTH_LONG:
        return put_name(out, month, 9, item->casing);
    case DAY_OF_YEAR:
        return snprintf(out, room, "%03d", (int)(m->days - evs_days_from_civil(m->year, 1, 1)) + 1);
    case DAY2:
        return snprintf(out, room, "%02u", m->day);
    case DAY_OF_WEEK:
        return snprintf(out, room, "%u", evs_weekday(m->days) + 1);
    case DAY_SHORT:
        return put_name(out, day, 3, item->casing);
    default:
        EVS_ASSERT(item->kind == DAY_LONG); /* always 9 wide */
        return put_name(out, evs_day_names[evs_weekday(m->days)], 9, item->casing) +
               snprintf(out + strlen(day), room - strlen(day), "%*s", 9 - (int)strlen(day), "");
    }
}

static int put_clock(char *out, const struct evs_moment *m, const struct item *item)
{
    const size_t room = ITEM_BYTES_MAX;
    char fraction[ITEM_BYTES_MAX];
    switch (item->kind) {
    case HOUR12:
        return snprintf(out, room, "%02d", m->hour % 12 == 0 ? 12 : m->hour % 12);
    case HOUR24:
        return snprintf(out, room, "%02d", m->hour);
    case MINUTE:
        return snprintf(out, room, "%02d", m->minute);
    case SECOND:
        return snprintf(out, room, "%02d", m->second);
    case SECOND_OF_DAY:
        return snprintf(out, room, "%05d", (m->hour * 60 + m->minute) * 60 + m->second);
    case FRACTION:
        snprintf(fraction, sizeof fraction, "%06u000", m->fraction_us);
        return snprintf(out, room, "%.*s", item->digits, fraction);
    case MERIDIAN:
        return put_name(out, m->hour < 12 ? "AM" : "PM", 2, item->casing);
    default:
        EVS_ASSERT(item->kind == MERIDIAN_DOTS);
        return put_name(out, m->hour < 12 ? "A.M." : "P.M.", 4, item->casing);
    }
}

size_t evs_model_format(const struct evs_model *model, const struct evs_formatted *time, char *out)
{
    size_t at = 0;
    const int minutes = time->offset_minutes < 0 ? -time->offset_minutes : time->offset_minutes;
    for (uint32_t i = 0; i < model->count; i++) {
        const struct item *item = &model->items[i];
        char text[ITEM_BYTES_MAX];
        int count;
        if (item->kind <= SPACE) {
            memcpy(out + at, item->literal.data, item->literal.count);
            at += item->literal.count;
            continue;
        }
        if (item->kind == ZONE_HOUR) {
            count = snprintf(text, sizeof text, "%c%02d", time->offset_minutes < 0 ? '-' : '+', minutes / 60 % 100);
        } else if (item->kind == ZONE_MINUTE) {
            count = snprintf(text, sizeof text, "%02d", minutes % 60);
        } else {
            count = item->kind < HOUR12 ? put_date(text, &time->local, item) : put_clock(text, &time->local, item);
        }
        EVS_ASSERT(count >= 0 && count < ITEM_BYTES_MAX);
        memcpy(out + at, text, (size_t)count);
        at += (size_t)count;
    }
    return at;
}

/* --- reading a text ----------------------------------------------------------------------------------------------- */

struct reading {
    const char *at, *end;
    int64_t year, month, day, hour, minute, second, fraction_us, offset_hours, offset_minutes;
    bool is_twelve_hour, is_afternoon, has_offset, is_west;
};

static bool take_number(struct reading *r, int min, int max_digits, int64_t max, int64_t *value)
{
    const char *start = r->at;
    for (*value = 0; r->at < r->end && r->at - start < max_digits && *r->at >= '0' && *r->at <= '9'; r->at++) {
        *value = *value * 10 + (*r->at - '0');
    }
    return r->at - start >= min && *value <= max;
}

static bool take_text(struct reading *r, struct evs_slice text)
{
    const bool found = (size_t)(r->end - r->at) >= text.count && strncasecmp(r->at, text.data, text.count) == 0;
    r->at += found ? text.count : 0;
    return found;
}

static bool take_literal(struct reading *r, struct evs_slice text)
{
    const bool found = (size_t)(r->end - r->at) >= text.count && memcmp(r->at, text.data, text.count) == 0;
    r->at += found ? text.count : 0;
    return found;
}

static bool take_month(struct reading *r, bool is_short)
{
    for (r->month = 1; r->month <= 12; r->month++) {
        const char *name = evs_month_names[r->month - 1];
        if (take_text(r, (struct evs_slice){name, is_short ? 3 : strlen(name)})) {
            return true;
        }
    }
    return false;
}

static bool take_year(struct reading *r, const struct item *item, int min)
{
    int64_t thousands = 0;
    switch (item->kind) {
    case YEAR4:
        return take_number(r, min, item->before_digits ? 4 : 5, 10000, &r->year);
    case YEAR_COMMA:
        if (!take_number(r, 1, 2, 10, &thousands) || !take_text(r, EVS_SLICE(",")) ||
            !take_number(r, 3, 3, 999, &r->year)) {
            return false;
        }
        r->year += thousands * 1000;
        return true;
    default:
        if (!take_number(r, min, item->digits, 999, &r->year)) {
            return false;
        }
        r->year += item->kind == YEAR_ROUND && r->year >= 50 ? 1900 : 2000;
        return true;
    }
}

static bool take_meridian(struct reading *r, bool dots)
{
    r->is_afternoon = take_text(r, dots ? EVS_SLICE("P.M.") : EVS_SLICE("PM"));
    return r->is_afternoon || take_text(r, dots ? EVS_SLICE("A.M.") : EVS_SLICE("AM"));
}

static bool take_second_of_day(struct reading *r, int min)
{
    int64_t second;
    const bool found = take_number(r, min, 5, 86399, &second);
    r->hour = second / 3600;
    r->minute = second / 60 % 60;
    r->second = second % 60;
    return found;
}

static bool take_fraction(struct reading *r, int min, int digits)
{
    const char *start = r->at;
    if (!take_number(r, min, digits, INT64_C(999999999), &r->fraction_us)) {
        return false;
    }
    for (int64_t i = r->at - start; i < 9; i++) {
        r->fraction_us *= 10;
    }
    r->fraction_us /= 1000;
    return true;
}

static bool take_zone_hour(struct reading *r, int min)
{
    r->has_offset = true;
    r->is_west = take_text(r, EVS_SLICE("-"));
    return (r->is_west || take_text(r, EVS_SLICE("+")) || take_text(r, EVS_SLICE(" "))) &&
           take_number(r, min, 2, 14, &r->offset_hours);
}

static bool take_item(struct reading *r, const struct item *item)
{
    const int min = item->before_digits ? item->digits : 1;
    const char *start = r->at;
    switch (item->kind) {
    case LITERAL:
        return take_literal(r, item->literal);
    case SPACE:
        while (r->at < r->end && evs_is_space(*r->at)) {
            r->at++;
        }
        return r->at > start;
    case MONTH2:
        return take_number(r, min, 2, 12, &r->month) && r->month > 0;
    case MONTH_SHORT:
    case MONTH_LONG:
        return take_month(r, item->kind == MONTH_SHORT);
    case DAY2:
        return take_number(r, min, 2, 31, &r->day) && r->day > 0;
    case HOUR12:
        r->is_twelve_hour = true;
        return take_number(r, min, 2, 12, &r->hour) && r->hour > 0;
    case HOUR24:
        return take_number(r, min, 2, 23, &r->hour);
    case MINUTE:
        return take_number(r, min, 2, 59, &r->minute);
    case SECOND:
        return take_number(r, min, 2, 59, &r->second);
    case SECOND_OF_DAY:
        return take_second_of_day(r, min);
    case FRACTION:
        return take_fraction(r, min, item->digits);
    case MERIDIAN:
    case MERIDIAN_DOTS:
        return take_meridian(r, item->kind == MERIDIAN_DOTS);
    case ZONE_HOUR:
        return take_zone_hour(r, min);
    case ZONE_MINUTE:
        return take_number(r, min, 2, 59, &r->offset_minutes);
    default:
        return take_year(r, item, min);
    }
}

static void skip_space(struct reading *r)
{
    while (r->at < r->end && evs_is_space(*r->at)) {
        r->at++;
    }
}

static bool make_moment(const struct reading *r, struct evs_zone zone, int64_t *us)
{
    if (r->year > 10000 || r->day > evs_month_days(r->year, (uint32_t)r->month)) {
        return false;
    }
    const int64_t hour = r->is_twelve_hour ? r->hour % 12 + (r->is_afternoon ? 12 : 0) : r->hour;
    const int64_t days = evs_days_from_civil(r->year, (uint32_t)r->month, (uint32_t)r->day);
    const int64_t local =
        days * EVS_US_PER_DAY + ((hour * 60 + r->minute) * 60 + r->second) * EVS_US_PER_SECOND + r->fraction_us;
    const int64_t offset = (r->offset_hours * 60 + r->offset_minutes) * (r->is_west ? -1 : 1);
    *us = r->has_offset ? local - offset * EVS_US_PER_MINUTE : evs_zone_utc(zone, local);
    return offset >= -14 * 60 && offset <= 14 * 60 && *us >= EVS_TIMESTAMP_MIN && *us <= EVS_TIMESTAMP_MAX;
}

bool evs_model_parse(const struct evs_model *model, struct evs_slice text, struct evs_zone zone, int64_t *us)
{
    struct reading r = {.at = text.data, .end = text.data + text.count, .year = 1970, .month = 1, .day = 1};
    skip_space(&r);
    for (uint32_t i = 0; i < model->count; i++) {
        if (!take_item(&r, &model->items[i])) {
            return false;
        }
    }
    skip_space(&r);
    return r.at == r.end && make_moment(&r, zone, us);
}
