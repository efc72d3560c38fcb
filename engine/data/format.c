/* Values to text. On the data path of every sink: by arithmetic and tables, without stdio, without locale. */
#include "evstream/type.h"
#include "float_text.h"
#include "numeric.h"

#define ONE UINT64_C(1000000000) /* of numeric */
#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_SECOND)

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                  "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

static uint32_t count_digits(uint64_t value)
{
    uint32_t count = 1;
    for (; value >= 10000; value /= 10000) {
        count += 4;
    }
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

/* Exactly `count` digits, with zeros in front. */
static void put_digits(char *out, uint64_t value, uint32_t count)
{
    for (; count >= 2; count -= 2, value /= 100) {
        memcpy(out + count - 2, &digit_pairs[value % 100 * 2], 2);
    }
    if (count == 1) {
        out[0] = (char)('0' + value % 10);
        value /= 10;
    }
    EVS_ASSERT(value == 0); /* nothing is cut off */
}

static uint32_t put_unsigned(char *out, uint64_t value)
{
    uint32_t count = count_digits(value);
    put_digits(out, value, count);
    return count;
}

/* Writes the sign; the magnitude is right for INT64_MIN too. */
static uint32_t put_sign(char *out, bool negative)
{
    *out = '-';
    return negative ? 1 : 0;
}

static uint64_t magnitude_of(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

uint32_t evs_format_int64(char *out, int64_t value)
{
    uint32_t at = put_sign(out, value < 0);
    return at + put_unsigned(out + at, magnitude_of(value));
}

/* Behind the point, without zeros at the end; nothing when it is 0. */
static uint32_t put_fraction(char *out, uint64_t fraction, uint32_t digits)
{
    if (fraction == 0) {
        return 0;
    }
    for (; fraction % 10 == 0; fraction /= 10) {
        digits--;
    }
    *out = '.';
    put_digits(out + 1, fraction, digits);
    return digits + 1;
}

/* --- float64 --------------------------------------------------------------------------------------------------------- */

static uint32_t put_text(char *out, const char *text)
{
    size_t count = strlen(text);
    memcpy(out, text, count);
    return (uint32_t)count;
}

static uint32_t put_exponent(char *out, const char *digits, uint32_t count, int exponent)
{
    uint32_t at = 0;
    out[at++] = digits[0];
    if (count > 1) {
        out[at++] = '.';
        memcpy(out + at, digits + 1, count - 1);
        at += count - 1;
    }
    out[at++] = 'e';
    out[at++] = exponent < 0 ? '-' : '+';
    return at + put_unsigned(out + at, (uint64_t)(exponent < 0 ? -exponent : exponent));
}

/* The layout of ECMAScript's Number::toString (ECMA-262, 6.1.6.1.20), which every consumer of JSON knows: plain notation
 * from 1e-6 up to below 1e21, else an exponent. The number is 0.digits × 10^point. */
static uint32_t put_layout(char *out, const char *digits, uint32_t count, int point)
{
    EVS_ASSERT(digits[0] != '0');
    int digit_count = (int)count;
    if (point > 21 || point < -5) {
        return put_exponent(out, digits, count, point - 1);
    }
    if (point <= 0) {
        memcpy(out, "0.00000", 7);
        memcpy(out + 2 - point, digits, count);
        return (uint32_t)(2 - point) + count;
    }
    if (point >= digit_count) {
        memcpy(out, digits, count);
        memset(out + count, '0', (size_t)(point - digit_count));
        return (uint32_t)point;
    }
    memcpy(out, digits, (size_t)point);
    out[point] = '.';
    memcpy(out + point + 1, digits + point, (size_t)(digit_count - point));
    return count + 1;
}

/* Amounts and rates: a value below 10^9 that is a whole number of millionths has at most 15 digits so, and no two decimals
 * of 15 digits read as the same double: this one is the shortest. Returns 0 for any other value. */
static uint32_t put_millionths(char *out, double magnitude)
{
    if (magnitude >= 1e9) {
        return 0;
    }
    uint64_t millionths = (uint64_t)(magnitude * 1e6 + 0.5);
    if ((double)millionths / 1e6 != magnitude) {
        return 0;
    }
    EVS_ASSERT(millionths > 0);
    uint32_t at = put_unsigned(out, millionths / 1000000);
    return at + put_fraction(out + at, millionths % 1000000, 6);
}

uint32_t evs_format_float64(char *out, double value)
{
    if (__builtin_isnan(value)) {
        return put_text(out, "NaN");
    }
    uint32_t at = put_sign(out, __builtin_signbit(value) != 0);
    double magnitude = __builtin_fabs(value);
    if (__builtin_isinf(value)) {
        return at + put_text(out + at, "Infinity");
    }
    /* Counts and whole amounts: below 2^53 an integer's own digits are the shortest that read back. */
    if (magnitude < 9007199254740992.0 && (double)(uint64_t)magnitude == magnitude) {
        return at + put_unsigned(out + at, (uint64_t)magnitude);
    }
    uint32_t plain = put_millionths(out + at, magnitude);
    if (plain > 0) {
        return at + plain;
    }
    char digits[17];
    int point;
    uint32_t count = evs_float_digits(magnitude, digits, &point);
    EVS_ASSERT(count >= 1 && count <= sizeof digits);
    return at + put_layout(out + at, digits, count, point);
}

/* --- numeric --------------------------------------------------------------------------------------------------------- */

static uint32_t put_integer_part(char *out, unsigned __int128 whole)
{
    EVS_ASSERT(whole < (unsigned __int128)EVS_NUMERIC_MAX);
    const uint64_t split = UINT64_C(1000000000000000000);
    if (whole < split) {
        return put_unsigned(out, (uint64_t)whole);
    }
    uint32_t at = put_unsigned(out, (uint64_t)(whole / split)); /* at most 29 digits, so 11 in front */
    put_digits(out + at, (uint64_t)(whole % split), 18);
    return at + 18;
}

uint32_t evs_format_numeric(char *out, evs_numeric value)
{
    EVS_ASSERT(evs_numeric_in_range(value));
    unsigned __int128 magnitude = evs_numeric_magnitude(value);
    uint32_t at = put_sign(out, value < 0);
    if (magnitude >> 64 == 0) { /* a division of 64 bits by a constant is a multiplication; one of 128 bits is a call */
        at += put_unsigned(out + at, (uint64_t)magnitude / ONE);
        return at + put_fraction(out + at, (uint64_t)magnitude % ONE, EVS_NUMERIC_SCALE);
    }
    unsigned __int128 whole = magnitude / ONE;
    at += put_integer_part(out + at, whole);
    return at + put_fraction(out + at, (uint64_t)(magnitude - whole * ONE), EVS_NUMERIC_SCALE);
}

/* --- dates ----------------------------------------------------------------------------------------------------------- */

/* Years 0 to 9999 have four digits; a value that arithmetic has brought outside them has its sign and all its digits. */
uint32_t evs_format_date(char *out, int64_t days)
{
    int64_t year;
    uint32_t month, day;
    evs_civil_from_days(days, &year, &month, &day);
    uint32_t at = put_sign(out, year < 0);
    uint64_t magnitude = magnitude_of(year);
    uint32_t year_digits = magnitude < 10000 ? 4 : count_digits(magnitude);
    put_digits(out + at, magnitude, year_digits);
    at += year_digits;
    out[at] = '-';
    put_digits(out + at + 1, month, 2);
    out[at + 3] = '-';
    put_digits(out + at + 4, day, 2);
    return at + 6;
}

static uint32_t put_clock(char *out, uint64_t second_of_day)
{
    EVS_ASSERT(second_of_day < 86400);
    put_digits(out, second_of_day / 3600, 2);
    out[2] = ':';
    put_digits(out + 3, second_of_day / 60 % 60, 2);
    out[5] = ':';
    put_digits(out + 6, second_of_day % 60, 2);
    return 8;
}

uint32_t evs_format_timestamp(char *out, int64_t us)
{
    int64_t days = us / US_PER_DAY, rest = us % US_PER_DAY;
    if (rest < 0) { /* before 1970 the day begins below */
        days--;
        rest += US_PER_DAY;
    }
    EVS_ASSERT(rest >= 0 && rest < US_PER_DAY);
    uint64_t us_of_day = (uint64_t)rest;
    uint64_t fraction = us_of_day % (uint64_t)US_PER_SECOND;
    uint32_t at = evs_format_date(out, days);
    out[at++] = 'T';
    at += put_clock(out + at, us_of_day / (uint64_t)US_PER_SECOND);
    if (fraction != 0) {
        bool millis = fraction % 1000 == 0;
        out[at] = '.';
        put_digits(out + at + 1, millis ? fraction / 1000 : fraction, millis ? 3 : 6);
        at += millis ? 4 : 7;
    }
    out[at++] = 'Z';
    EVS_ASSERT(at <= EVS_FORMAT_MAX);
    return at;
}
