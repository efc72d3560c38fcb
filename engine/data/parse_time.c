/* Text to dates and timestamps: ISO 8601 in the form of RFC 3339. */
#include "evstream/type.h"

#define US_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)
#define DATE_BYTES 10 /* 2026-01-05 */
#define TIME_BYTES 8  /* 10:00:00 */

/* 0001-01-01T00:00:00Z and 10000-01-01T00:00:00Z */
#define SECONDS_MIN INT64_C(-62135596800)
#define SECONDS_END INT64_C(253402300800)

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Two digits as a number; something above 99 when they are not digits, so that one range check finds both mistakes. */
static uint32_t two_digits(const char *text)
{
    return is_digit(text[0]) && is_digit(text[1]) ? (uint32_t)((text[0] - '0') * 10 + (text[1] - '0')) : 1000;
}

static bool is_leap(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint32_t days_of_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    EVS_ASSERT(month >= 1 && month <= 12);
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* YYYY-MM-DD; there must be DATE_BYTES bytes. */
static bool read_date(const char *text, int64_t *days)
{
    uint32_t century = two_digits(text), rest = two_digits(text + 2);
    uint32_t month = two_digits(text + 5), day = two_digits(text + 8);
    uint32_t year = century * 100 + rest;
    if (year < 1 || century > 99 || rest > 99 || month < 1 || month > 12 || text[4] != '-' || text[7] != '-') {
        return false;
    }
    if (day < 1 || day > days_of_month(year, month)) {
        return false;
    }
    *days = evs_days_from_civil(year, month, day);
    return true;
}

/* hh:mm:ss; there must be TIME_BYTES bytes. Second 60 is the next minute's second 0 by arithmetic. */
static bool read_time(const char *text, int64_t *seconds)
{
    uint32_t hour = two_digits(text), minute = two_digits(text + 3), second = two_digits(text + 6);
    if (hour > 23 || minute > 59 || second > 60 || text[2] != ':' || text[5] != ':') {
        return false;
    }
    *seconds = hour * 3600 + minute * 60 + second;
    EVS_ASSERT(*seconds <= SECONDS_PER_DAY);
    return true;
}

/* Takes ".ffffff…" off the front, if it is there; digits after the sixth are cut. */
static bool take_fraction(struct evs_slice *text, int64_t *us)
{
    *us = 0;
    if (text->count == 0 || text->data[0] != '.') {
        return true;
    }
    size_t at = 1;
    int64_t unit = US_PER_SECOND / 10;
    for (; at < text->count && is_digit(text->data[at]); at++, unit /= 10) {
        *us += unit * (text->data[at] - '0');
    }
    EVS_ASSERT(*us >= 0 && *us < US_PER_SECOND);
    text->data += at;
    text->count -= at;
    return at > 1;
}

/* The rest of a timestamp: nothing, Z, or ±hh[:mm]. */
static bool read_offset(struct evs_slice text, bool allow_none, int64_t *seconds)
{
    *seconds = 0;
    if (text.count == 0) {
        return allow_none;
    }
    if (text.count == 1) {
        return text.data[0] == 'Z' || text.data[0] == 'z';
    }
    if ((text.data[0] != '+' && text.data[0] != '-') || (text.count != 3 && text.count != 6)) {
        return false;
    }
    uint32_t hour = two_digits(text.data + 1);
    uint32_t minute = text.count == 6 ? two_digits(text.data + 4) : 0;
    if (hour > 23 || minute > 59 || (text.count == 6 && text.data[3] != ':')) {
        return false;
    }
    int64_t size = hour * 3600 + minute * 60;
    EVS_ASSERT(size < SECONDS_PER_DAY);
    *seconds = text.data[0] == '-' ? -size : size;
    return true;
}

static bool is_separator(char c)
{
    return c == 'T' || c == ' ' || c == 't';
}

bool evs_parse_timestamp(struct evs_slice text, bool allow_no_offset, int64_t *us)
{
    int64_t days, seconds, fraction_us, offset_seconds;
    if (text.count < DATE_BYTES || !read_date(text.data, &days)) {
        return false;
    }
    if (text.count == DATE_BYTES) {
        *us = days * SECONDS_PER_DAY * US_PER_SECOND;
        return allow_no_offset;
    }
    if (text.count < DATE_BYTES + 1 + TIME_BYTES || !is_separator(text.data[DATE_BYTES]) ||
        !read_time(text.data + DATE_BYTES + 1, &seconds)) {
        return false;
    }
    struct evs_slice rest = {text.data + DATE_BYTES + 1 + TIME_BYTES, text.count - (DATE_BYTES + 1 + TIME_BYTES)};
    if (!take_fraction(&rest, &fraction_us) || !read_offset(rest, allow_no_offset, &offset_seconds)) {
        return false;
    }
    int64_t total = days * SECONDS_PER_DAY + seconds - offset_seconds;
    if (total < SECONDS_MIN || total >= SECONDS_END) {
        return false;
    }
    *us = total * US_PER_SECOND + fraction_us;
    return true;
}

bool evs_parse_date(struct evs_slice text, int64_t *days)
{
    return text.count == DATE_BYTES && read_date(text.data, days);
}
