/* Values as text. Two kinds have a fast way of their own, which must give the bytes of the general one; the rest calls that.
 * tests/unit/test_format_json.c compares the two over millions of values. */
#include "value_text.h"

/* --- fast ways ---------------------------------------------------------------------------------------------------------------- */

#define US_PER_SECOND UINT64_C(1000000)
#define US_PER_DAY (86400 * US_PER_SECOND)
#define US_OF_YEAR_9999 INT64_C(253402300800000000) /* its end */
#define DAYS_TO_1970 719468u                        /* from 0000-03-01, where the reckoning below begins */

static inline void put_pair(char *out, size_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    memcpy(out, &pairs[2 * value], 2);
}

/* YYYY-MM-DD. Years that begin in March put the leap day last; then month and day follow from a linear function of the day of the
 * year, and all divisions are by constants (Neri and Schneider, "Euclidean affine functions", 2022). */
static inline void put_day(char *out, uint32_t days)
{
    uint32_t n1 = 4 * (days + DAYS_TO_1970) + 3;
    uint32_t century = n1 / 146097;
    uint32_t n2 = (n1 % 146097) | 3;
    uint64_t p2 = UINT64_C(2939745) * n2;
    uint32_t year_of_century = (uint32_t)(p2 >> 32), day_of_year = (uint32_t)p2 / 2939745 / 4;
    uint32_t n3 = 2141 * day_of_year + 197913;
    uint32_t month = n3 >> 16, day = (n3 & 0xFFFF) / 2141;
    uint32_t next_year = day_of_year >= 306; /* January and February */
    uint32_t year = 100 * century + year_of_century + next_year;
    put_pair(out, year / 100);
    put_pair(out + 2, year % 100);
    out[4] = '-';
    put_pair(out + 5, month - 12 * next_year);
    out[7] = '-';
    put_pair(out + 8, day + 1);
}

uint32_t evs_text_of_timestamp(char *out, int64_t us)
{
    if (EVS_UNLIKELY(us < 0 || us >= US_OF_YEAR_9999)) {
        return evs_format_timestamp(out, us);
    }
    uint64_t us_of_day = (uint64_t)us % US_PER_DAY;
    uint32_t second = (uint32_t)(us_of_day / US_PER_SECOND), fraction = (uint32_t)(us_of_day % US_PER_SECOND);
    put_day(out, (uint32_t)((uint64_t)us / US_PER_DAY));
    out[10] = 'T';
    put_pair(out + 11, second / 3600);
    out[13] = ':';
    put_pair(out + 14, second / 60 % 60);
    out[16] = ':';
    put_pair(out + 17, second % 60);
    uint32_t at = 19;
    if (fraction != 0) {
        out[at] = '.';
        put_pair(out + at + 1, fraction / 10000);
        put_pair(out + at + 3, fraction / 100 % 100);
        put_pair(out + at + 5, fraction % 100);
        at += fraction % 1000 == 0 ? 4 : 7;
    }
    out[at++] = 'Z';
    return at;
}

uint32_t evs_text_of_numeric(char *out, evs_numeric value)
{
    const uint64_t one = 1000000000;
    if (EVS_UNLIKELY(value < 0 || value > INT64_MAX)) {
        return evs_format_numeric(out, value);
    }
    uint64_t magnitude = (uint64_t)value;
    uint32_t fraction = (uint32_t)(magnitude % one);
    uint32_t at = evs_format_int64(out, (int64_t)(magnitude / one));
    if (fraction == 0) {
        return at;
    }
    uint32_t digits = 9;
    if (fraction % 10000000 == 0) { /* cents */
        fraction /= 10000000;
        digits = 2;
    }
    for (; fraction % 10 == 0; fraction /= 10) {
        digits--;
    }
    out[at] = '.';
    for (uint32_t i = digits; i > 0; i--, fraction /= 10) {
        out[at + i] = (char)('0' + fraction % 10);
    }
    return at + 1 + digits;
}

/* --- every kind --------------------------------------------------------------------------------------------------------------- */

static uint32_t put_text(char *out, const char *text)
{
    size_t count = strlen(text);
    memcpy(out, text, count);
    return (uint32_t)count;
}

/* Without a zone: the Z of a timestamp is left out. */
static uint32_t put_datetime(char *out, int64_t us)
{
    return evs_text_of_timestamp(out, us) - 1;
}

static uint32_t put_time(char *out, int64_t us)
{
    const uint32_t date = sizeof "1970-01-01T" - 1;
    uint32_t count = put_datetime(out, us);
    memmove(out, out + date, count - date);
    return count - date;
}

/* GoogleSQL's canonical form, "Y-M D H:M:S[.F]", each of the three parts with its own sign. */
static uint32_t put_interval(char *out, struct evs_interval interval)
{
    const int64_t us_per_second = 1000000, us_per_minute = 60 * us_per_second, us_per_hour = 60 * us_per_minute;
    uint32_t at = 0;
    uint64_t months = interval.months < 0 ? 0 - (uint64_t)interval.months : (uint64_t)interval.months;
    uint64_t us = interval.us < 0 ? 0 - (uint64_t)interval.us : (uint64_t)interval.us;
    if (interval.months < 0) {
        out[at++] = '-';
    }
    at += evs_format_int64(out + at, (int64_t)(months / 12));
    out[at++] = '-';
    at += evs_format_int64(out + at, (int64_t)(months % 12));
    out[at++] = ' ';
    at += evs_format_int64(out + at, interval.days);
    out[at++] = ' ';
    if (interval.us < 0) {
        out[at++] = '-';
    }
    at += evs_format_int64(out + at, (int64_t)(us / (uint64_t)us_per_hour));
    out[at++] = ':';
    at += evs_format_int64(out + at, (int64_t)(us / (uint64_t)us_per_minute % 60));
    out[at++] = ':';
    /* Seconds and their fraction are a numeric: exact, and without zeros at the end. */
    evs_numeric seconds = (evs_numeric)(us % (uint64_t)us_per_minute) * (EVS_NUMERIC_ONE / us_per_second);
    return at + evs_format_numeric(out + at, seconds);
}

uint32_t evs_text_of_value(char *out, const struct evs_column *column, enum evs_kind kind, uint32_t row)
{
    EVS_ASSERT(column->kind == kind);
    switch (kind) {
    case EVS_BOOL:
        return put_text(out, *EVS_COLUMN_AT(column, uint8_t, row) ? "true" : "false");
    case EVS_INT64:
        return evs_format_int64(out, *EVS_COLUMN_AT(column, int64_t, row));
    case EVS_FLOAT64:
        return evs_format_float64(out, *EVS_COLUMN_AT(column, double, row));
    case EVS_NUMERIC:
        return evs_text_of_numeric(out, *EVS_COLUMN_AT(column, evs_numeric, row));
    case EVS_TIMESTAMP:
        return evs_text_of_timestamp(out, *EVS_COLUMN_AT(column, int64_t, row));
    case EVS_DATE:
        return evs_format_date(out, *EVS_COLUMN_AT(column, int64_t, row));
    case EVS_DATETIME:
        return put_datetime(out, *EVS_COLUMN_AT(column, int64_t, row));
    case EVS_TIME:
        return put_time(out, *EVS_COLUMN_AT(column, int64_t, row));
    case EVS_INTERVAL:
        return put_interval(out, *EVS_COLUMN_AT(column, struct evs_interval, row));
    default:
        EVS_ASSERT(!"a kind without text of its own");
        return 0;
    }
}
