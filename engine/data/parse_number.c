/* Text to numbers and booleans. All of these are on the data path: each reads its text once in the usual case. */
#include "evstream/type.h"
#include "float_text.h"
#include "numeric.h"

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Takes a sign off the front; true when it was a minus. */
static bool take_sign(struct evs_slice *text)
{
    if (text->count == 0 || (text->data[0] != '-' && text->data[0] != '+')) {
        return false;
    }
    bool negative = text->data[0] == '-';
    text->data++;
    text->count--;
    return negative;
}

/* --- int64 ----------------------------------------------------------------------------------------------------------- */

static bool parse_decimal(struct evs_slice digits, uint64_t *magnitude)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < digits.count; i++) {
        uint64_t digit = (uint64_t)(unsigned char)digits.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, digit, &sum)) {
            return false;
        }
    }
    *magnitude = sum;
    return digits.count > 0;
}

static int hex_digit(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool parse_hex(struct evs_slice digits, uint64_t *magnitude)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < digits.count; i++) {
        int digit = hex_digit(digits.data[i]);
        if (digit < 0 || sum >> 60 != 0) {
            return false;
        }
        sum = sum << 4 | (uint64_t)digit;
    }
    *magnitude = sum;
    return digits.count > 0;
}

bool evs_parse_int64(struct evs_slice text, int64_t *value)
{
    bool negative = take_sign(&text);
    uint64_t magnitude;
    bool is_hex = text.count > 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x';
    bool read = is_hex ? parse_hex((struct evs_slice){text.data + 2, text.count - 2}, &magnitude)
                       : parse_decimal(text, &magnitude);
    if (!read || magnitude > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    EVS_ASSERT(magnitude == 0 || (*value < 0) == negative);
    return true;
}

/* --- float64 --------------------------------------------------------------------------------------------------------- */

static bool parse_special(struct evs_slice text, double *magnitude)
{
    if (evs_slice_equal_nocase(text, "inf") || evs_slice_equal_nocase(text, "infinity")) {
        *magnitude = __builtin_inf();
        return true;
    }
    *magnitude = __builtin_nan("");
    return evs_slice_equal_nocase(text, "nan");
}

/* Whether a number that float64 cannot hold is so because it is too small: then it is 0. The number is well-formed, and
 * its power of ten is far from 0, so the place of its first digit and the sign of what that gives decide. */
static bool is_underflow(struct evs_slice text)
{
    int64_t place = 0; /* of the first digit that is not 0, relative to the point */
    size_t at = 0;
    bool point = false, found = false;
    for (; at < text.count && (text.data[at] | 0x20) != 'e'; at++) {
        char c = text.data[at];
        point = point || c == '.';
        found = found || (is_digit(c) && c != '0');
        place += c == '.' ? 0 : found && !point ? 1 : !found && point ? -1 : 0;
    }
    bool negative_exponent = false;
    int64_t exponent = 0;
    if (at < text.count) {
        struct evs_slice rest = {text.data + at + 1, text.count - at - 1};
        negative_exponent = take_sign(&rest);
        for (size_t i = 0; i < rest.count && exponent < INT64_C(1000000000000); i++) {
            exponent = exponent * 10 + (rest.data[i] - '0');
        }
    }
    return !found || place + (negative_exponent ? -exponent : exponent) < 0;
}

bool evs_parse_float64(struct evs_slice text, double *value)
{
    bool negative = take_sign(&text);
    double magnitude;
    /* std::from_chars would take a second sign, and names of its own such as nan(0). */
    bool is_number = text.count > 0 && (is_digit(text.data[0]) || text.data[0] == '.');
    if (!is_number) {
        if (!parse_special(text, &magnitude)) {
            return false;
        }
    } else {
        enum evs_float_read read = evs_float_read(text.data, text.count, &magnitude);
        if (read == EVS_FLOAT_READ_BAD || (read == EVS_FLOAT_READ_RANGE && !is_underflow(text))) {
            return false;
        }
        magnitude = read == EVS_FLOAT_READ_RANGE ? 0 : magnitude;
    }
    *value = negative ? -magnitude : magnitude;
    return true;
}

/* --- numeric --------------------------------------------------------------------------------------------------------- */

/* A number as it stands: digits (with at most one point among them) × 10^exponent. */
struct decimal {
    struct evs_slice digits; /* from the first that is not 0; may hold the point */
    int64_t count;           /* digits in it, without the point */
    int64_t fraction;        /* digits behind the point, in all */
    int64_t exponent;        /* what stands behind the e */
    uint64_t leading;        /* the number that the digits make, when there are at most 18 */
};

/* Clamped: beyond this no digit that fits in memory could bring the number back into range. */
#define EXPONENT_LIMIT INT64_C(1000000000000000)

static bool scan_exponent(struct evs_slice text, int64_t *exponent)
{
    bool negative = take_sign(&text);
    int64_t sum = 0;
    for (size_t i = 0; i < text.count; i++) {
        if (!is_digit(text.data[i])) {
            return false;
        }
        sum = sum < EXPONENT_LIMIT ? sum * 10 + (text.data[i] - '0') : sum;
    }
    *exponent = negative ? -sum : sum;
    return text.count > 0;
}

static bool scan_decimal(struct evs_slice text, struct decimal *out)
{
    *out = (struct decimal){.digits.data = text.data};
    bool point = false, any = false;
    size_t at = 0;
    for (; at < text.count; at++) {
        char c = text.data[at];
        if (c == '.' && !point) {
            point = true;
        } else if (is_digit(c)) {
            any = true;
            out->fraction += point;
            out->digits.data = out->count == 0 ? text.data + at : out->digits.data;
            out->count += out->count > 0 || c != '0';
            out->leading = out->leading * 10 + (uint64_t)(c - '0'); /* wraps when there are too many; not used then */
        } else {
            break;
        }
    }
    EVS_ASSERT(out->fraction <= (int64_t)at && out->count <= (int64_t)at);
    out->digits.count = out->count == 0 ? 0 : (size_t)(text.data + at - out->digits.data);
    if (at < text.count) {
        if ((text.data[at] | 0x20) != 'e') {
            return false;
        }
        struct evs_slice rest = {text.data + at + 1, text.count - at - 1};
        return any && scan_exponent(rest, &out->exponent);
    }
    return any;
}

static const uint64_t powers_of_ten[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
};

/* The first `kept` digits as an integer (zeros are appended when there are fewer), rounded by the digit behind them. */
static unsigned __int128 take_digits(const struct decimal *number, int64_t kept)
{
    EVS_ASSERT(kept >= 0 && kept <= EVS_NUMERIC_DIGITS);
    unsigned __int128 sum = 0;
    int64_t taken = 0;
    for (size_t i = 0; i < number->digits.count; i++) {
        char c = number->digits.data[i];
        if (c == '.') {
            continue;
        }
        if (taken == kept) {
            return sum + (c >= '5'); /* half away from zero: the digits behind this one do not matter */
        }
        sum = sum * 10 + (unsigned)(c - '0');
        taken++;
    }
    for (; taken < kept; taken++) {
        sum *= 10;
    }
    return sum;
}

bool evs_parse_numeric(struct evs_slice text, evs_numeric *value)
{
    bool negative = take_sign(&text);
    struct decimal number;
    if (!scan_decimal(text, &number)) {
        return false;
    }
    int64_t shift = EVS_NUMERIC_SCALE + number.exponent - number.fraction;
    if (number.count <= 18 && shift >= 0 && shift <= EVS_NUMERIC_SCALE) {
        unsigned __int128 magnitude = (unsigned __int128)number.leading * powers_of_ten[shift];
        return evs_numeric_from_magnitude(magnitude, negative, value);
    }
    int64_t kept = number.count + shift; /* digits of the result */
    if (number.count == 0 || kept < 0) {
        *value = 0;
        return true;
    }
    if (kept > EVS_NUMERIC_DIGITS) {
        return false;
    }
    return evs_numeric_from_magnitude(take_digits(&number, kept), negative, value);
}

bool evs_parse_bool(struct evs_slice text, bool *value)
{
    bool is_true = evs_slice_equal_nocase(text, "true");
    if (!is_true && !evs_slice_equal_nocase(text, "false")) {
        return false;
    }
    *value = is_true;
    return true;
}
