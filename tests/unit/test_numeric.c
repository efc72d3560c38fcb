/* Numeric: text, arithmetic and conversions, held against a bignum of decimal digits that is too simple to be wrong. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "evstream/type.h"
#include "unit.h"

/* --- the reference: natural numbers as 200 decimal digits, least first --------------------------------------------- */

enum { DIGITS = 200 };

struct natural {
    uint8_t digit[DIGITS];
};

static struct natural natural_of(unsigned __int128 value)
{
    struct natural n = {0};
    for (int i = 0; value > 0; i++, value /= 10) {
        n.digit[i] = (uint8_t)(value % 10);
    }
    return n;
}

static struct natural add(struct natural a, struct natural b)
{
    int carry = 0;
    for (int i = 0; i < DIGITS; i++) {
        int sum = a.digit[i] + b.digit[i] + carry;
        a.digit[i] = (uint8_t)(sum % 10);
        carry = sum / 10;
    }
    ck_assert_int_eq(carry, 0);
    return a;
}

static struct natural multiply(struct natural a, struct natural b)
{
    struct natural product = {0};
    for (int i = 0; i < DIGITS; i++) {
        int carry = 0;
        for (int j = 0; b.digit[i] != 0 && j + i < DIGITS; j++) {
            int sum = product.digit[i + j] + a.digit[j] * b.digit[i] + carry;
            product.digit[i + j] = (uint8_t)(sum % 10);
            carry = sum / 10;
        }
    }
    return product;
}

static int compare(const struct natural *a, const struct natural *b)
{
    for (int i = DIGITS - 1; i >= 0; i--) {
        if (a->digit[i] != b->digit[i]) {
            return a->digit[i] < b->digit[i] ? -1 : 1;
        }
    }
    return 0;
}

/* Without its lowest `count` digits, rounded half up. */
static struct natural drop_digits(struct natural a, int count)
{
    bool up = count > 0 && a.digit[count - 1] >= 5;
    memmove(a.digit, a.digit + count, (size_t)(DIGITS - count));
    memset(a.digit + DIGITS - count, 0, (size_t)count);
    return up ? add(a, natural_of(1)) : a;
}

static struct natural magnitude(evs_numeric value)
{
    return natural_of(value < 0 ? -(unsigned __int128)value : (unsigned __int128)value);
}

static bool fits(const struct natural *n)
{
    for (int i = 38; i < DIGITS; i++) {
        if (n->digit[i] != 0) {
            return false;
        }
    }
    return true;
}

/* --- inputs ---------------------------------------------------------------------------------------------------------- */

static evs_numeric numeric_of(const char *text)
{
    evs_numeric value = 0;
    ck_assert_msg(evs_parse_numeric(evs_slice_of(text), &value), "%s", text);
    return value;
}

static const char *text_of(evs_numeric value)
{
    static char texts[4][EVS_FORMAT_MAX + 1];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    uint32_t count = evs_format_numeric(text, value);
    ck_assert_uint_le(count, EVS_FORMAT_MAX);
    text[count] = '\0';
    return text;
}

/* Of all sizes alike, often at an edge: a power of ten or two and its neighbours, or the limit. */
static evs_numeric random_numeric(uint64_t *seed)
{
    uint64_t r = unit_random(seed);
    unsigned __int128 value = ((unsigned __int128)unit_random(seed) << 64 | unit_random(seed)) >> (r % 128);
    unsigned __int128 limit = (unsigned __int128)evs_numeric_max();
    if ((r >> 8) % 8 == 0) {
        value = limit - (r >> 16) % 3;
    } else if ((r >> 8) % 8 == 1) {
        value = 1;
        for (unsigned i = 0; i < (r >> 16) % 38; i++) {
            value *= 10;
        }
        value += (r >> 32) % 3 - 1;
    }
    value %= limit + 1;
    return r >> 63 ? -(evs_numeric)value : (evs_numeric)value;
}

/* --- text ------------------------------------------------------------------------------------------------------------ */

START_TEST(texts_in_and_out)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"0", "0"},
        {"-0", "0"},
        {"29.90", "29.9"},
        {"+.5", "0.5"},
        {"5.", "5"},
        {"-1.000000001", "-1.000000001"},
        {"1e3", "1000"},
        {"12.5E-1", "1.25"},
        {"0.0000000005", "0.000000001"}, /* half away from zero */
        {"-0.0000000005", "-0.000000001"},
        {"0.00000000049999999999999999999999999", "0"},
        {"-0.0000000004", "0"},
        {"5e-10", "0.000000001"},
        {"0.5e-9", "0.000000001"},
        {"4.9999e-10", "0"},
        {"1e-1000000000000000000000000", "0"},
        {"0e1000000000000000000000000", "0"},
        {"0.9999999995", "1"},
        {"99999999999999999999999999999.999999999", "99999999999999999999999999999.999999999"},
        {"-99999999999999999999999999999.999999999", "-99999999999999999999999999999.999999999"},
        {"99999999999999999999999999999.9999999994", "99999999999999999999999999999.999999999"},
        {"9.9999999999999999999999999999999999999e28", "99999999999999999999999999999.999999999"},
        {"0000000000000000000000000000000000000000000000001", "1"},
        {"100000000000000000000", "100000000000000000000"},
        {"123456789012345678.123456789", "123456789012345678.123456789"},
        {"1234567890123456789.5", "1234567890123456789.5"},
        {"0.00000000000000000000000000000000000000000001e44", "1"},
        {"1000000000000000000000000000000000000000000000e-45", "1"},
    };
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        ck_assert_str_eq(text_of(numeric_of(cases[i].in)), cases[i].out);
    }
}
END_TEST

START_TEST(texts_that_are_no_numerics)
{
    static const char *const bad[] = {
        "",
        "+",
        "-",
        ".",
        "e5",
        ".e5",
        "1e",
        "1e+",
        "1e5.0",
        "--1",
        "+-1",
        " 1",
        "1 ",
        "1,5",
        "1.2.3",
        "0x10",
        "nan",
        "inf",
        "1_0",
        "1f",
        "100000000000000000000000000000",
        "-100000000000000000000000000000",
        "1e29",
        "1e1000000000000000000000",
        "99999999999999999999999999999.9999999995", /* rounds to 39 digits */
        "0.1e31",
    };
    for (size_t i = 0; i < EVS_COUNT(bad); i++) {
        evs_numeric value;
        ck_assert_msg(!evs_parse_numeric(evs_slice_of(bad[i]), &value), "%s", bad[i]);
    }
    evs_numeric value;
    ck_assert(!evs_parse_numeric((struct evs_slice){NULL, 0}, &value));
    ck_assert(evs_parse_numeric((struct evs_slice){"125", 2}, &value) && value == 12 * EVS_NUMERIC_ONE);
}
END_TEST

START_TEST(every_text_reads_back)
{
    uint64_t seed = 21;
    for (int i = 0; i < 200000; i++) {
        evs_numeric value = random_numeric(&seed), back = 0;
        const char *text = text_of(value);
        UNIT_CHECK(evs_parse_numeric(evs_slice_of(text), &back) && back == value, "%s", text);
        size_t count = strlen(text);
        UNIT_CHECK(strchr(text, '.') == NULL || text[count - 1] != '0', "%s", text);
    }
}
END_TEST

/* Random digits, point and exponent. The reference writes the number out by shifting its digits and drops what is behind
 * the ninth. */
START_TEST(reading_rounds_like_the_reference)
{
    uint64_t seed = 22;
    for (int i = 0; i < 100000; i++) {
        char text[128];
        struct natural expected = {0};
        uint64_t r = unit_random(&seed);
        int count = 1 + (int)(r % 50), fraction = (int)((r >> 8) % (unsigned)count);
        int exponent = (int)((r >> 16) % 80) - 40, at = 0;
        bool nines = (r >> 24) % 4 == 0;
        for (int digit = 0; digit < count; digit++) {
            text[at] = nines ? '9' : (char)('0' + unit_random(&seed) % 10);
            int place =
                count - 1 - digit - fraction + exponent + 9 + 100; /* 100 places behind the billionths are kept */
            expected.digit[place] = (uint8_t)(text[at++] - '0');
            if (digit == count - 1 - fraction) {
                text[at++] = '.';
            }
        }
        sprintf(text + at, "e%d", exponent);
        expected = drop_digits(expected, 100);
        evs_numeric value = 0;
        bool good = evs_parse_numeric(evs_slice_of(text), &value);
        UNIT_CHECK(good == fits(&expected), "%s", text);
        struct natural got = magnitude(value);
        UNIT_CHECK(!good || compare(&got, &expected) == 0, "%s gave %s", text, text_of(value));
    }
}
END_TEST

/* --- arithmetic ------------------------------------------------------------------------------------------------------ */

START_TEST(arithmetic_by_hand)
{
    evs_numeric result = 0;
    ck_assert(evs_numeric_add(numeric_of("0.1"), numeric_of("0.2"), &result));
    ck_assert_str_eq(text_of(result), "0.3");
    ck_assert(evs_numeric_subtract(numeric_of("1"), numeric_of("1.000000001"), &result));
    ck_assert_str_eq(text_of(result), "-0.000000001");
    ck_assert(evs_numeric_multiply(numeric_of("29.90"), numeric_of("-3"), &result));
    ck_assert_str_eq(text_of(result), "-89.7");
    ck_assert(evs_numeric_divide(numeric_of("1"), numeric_of("3"), &result));
    ck_assert_str_eq(text_of(result), "0.333333333");
    ck_assert(evs_numeric_divide(numeric_of("-2"), numeric_of("3"), &result));
    ck_assert_str_eq(text_of(result), "-0.666666667");
}
END_TEST

START_TEST(halves_go_away_from_zero)
{
    evs_numeric tiny = numeric_of("0.000000001"), half = numeric_of("0.5"), result = 0;
    ck_assert(evs_numeric_multiply(tiny, half, &result) && result == 1);
    ck_assert(evs_numeric_multiply(-tiny, half, &result) && result == -1);
    ck_assert(evs_numeric_multiply(3 * tiny, half, &result) && result == 2);
    ck_assert(evs_numeric_multiply(tiny, numeric_of("0.499999999"), &result) && result == 0);
    ck_assert(evs_numeric_divide(tiny, numeric_of("2"), &result) && result == 1);
    ck_assert(evs_numeric_divide(-tiny, numeric_of("2"), &result) && result == -1);
    ck_assert(evs_numeric_divide(tiny, numeric_of("2.000000001"), &result) && result == 0);
}
END_TEST

START_TEST(limits)
{
    evs_numeric max = evs_numeric_max(), result = 0;
    ck_assert_str_eq(text_of(max), "99999999999999999999999999999.999999999");
    ck_assert(!evs_numeric_add(max, 1, &result));
    ck_assert(!evs_numeric_add(-max, -1, &result));
    ck_assert(!evs_numeric_add(max, max, &result));
    ck_assert(!evs_numeric_subtract(-max, 1, &result));
    ck_assert(evs_numeric_add(max, -max, &result) && result == 0);
    ck_assert(evs_numeric_multiply(max, EVS_NUMERIC_ONE, &result) && result == max);
    ck_assert(evs_numeric_multiply(max, -EVS_NUMERIC_ONE, &result) && result == -max);
    ck_assert(!evs_numeric_multiply(max, EVS_NUMERIC_ONE + 1, &result));
    ck_assert(!evs_numeric_multiply(max, max, &result));
    ck_assert(evs_numeric_divide(max, max, &result) && result == EVS_NUMERIC_ONE);
    ck_assert(evs_numeric_divide(max, -EVS_NUMERIC_ONE, &result) && result == -max);
    ck_assert(!evs_numeric_divide(max, 1, &result));
    ck_assert(!evs_numeric_divide(max, EVS_NUMERIC_ONE - 1, &result));
    ck_assert(evs_numeric_divide(1, max, &result) && result == 0);
    ck_assert(!evs_numeric_divide(1, 0, &result));
    ck_assert(!evs_numeric_divide(0, 0, &result));
}
END_TEST

START_TEST(products_match_the_reference)
{
    uint64_t seed = 23;
    for (int i = 0; i < 30000; i++) {
        evs_numeric a = random_numeric(&seed), b = random_numeric(&seed), result = 0;
        struct natural expected = drop_digits(multiply(magnitude(a), magnitude(b)), 9);
        bool good = evs_numeric_multiply(a, b, &result);
        UNIT_CHECK(good == fits(&expected), "%s * %s", text_of(a), text_of(b));
        struct natural got = magnitude(result);
        UNIT_CHECK(!good || compare(&got, &expected) == 0, "%s * %s = %s", text_of(a), text_of(b), text_of(result));
        UNIT_CHECK(!good || result == 0 || (result < 0) == ((a < 0) != (b < 0)), "%s * %s", text_of(a), text_of(b));
    }
}
END_TEST

/* q is |a| × 10^9 / |b| rounded half up exactly when 2q|b| <= 2|a|10^9 + |b| < 2(q + 1)|b|. */
static bool is_quotient(struct natural q, struct natural a, struct natural b)
{
    struct natural two = natural_of(2);
    struct natural middle = add(multiply(multiply(a, two), natural_of(1000000000)), b);
    struct natural low = multiply(multiply(q, b), two);
    struct natural high = add(low, multiply(b, two));
    return compare(&low, &middle) <= 0 && compare(&middle, &high) < 0;
}

START_TEST(quotients_match_the_reference)
{
    uint64_t seed = 24;
    struct natural limit = magnitude(evs_numeric_max());
    for (int i = 0; i < 20000; i++) {
        evs_numeric a = random_numeric(&seed), b = random_numeric(&seed), result = 0;
        bool good = evs_numeric_divide(a, b, &result);
        if (good) {
            UNIT_CHECK(is_quotient(magnitude(result), magnitude(a), magnitude(b)), "%s / %s = %s", text_of(a),
                       text_of(b), text_of(result));
            UNIT_CHECK(result == 0 || (result < 0) == ((a < 0) != (b < 0)), "%s / %s", text_of(a), text_of(b));
        } else if (b != 0) { /* then even limit + 1/2 is not more than the quotient: (2 limit + 1)|b| <= 2|a|10^9 */
            struct natural least = multiply(add(multiply(limit, natural_of(2)), natural_of(1)), magnitude(b));
            struct natural most = multiply(magnitude(a), natural_of(2000000000));
            UNIT_CHECK(compare(&least, &most) <= 0, "%s / %s was refused", text_of(a), text_of(b));
        }
    }
}
END_TEST

START_TEST(sums_match_the_reference)
{
    uint64_t seed = 25;
    evs_numeric max = evs_numeric_max();
    for (int i = 0; i < 100000; i++) {
        evs_numeric a = random_numeric(&seed), b = random_numeric(&seed), sum = 0, difference = 0;
        bool sum_fits = b > 0 ? a <= max - b : a >= -max - b, difference_fits = b > 0 ? a >= -max + b : a <= max + b;
        UNIT_CHECK(evs_numeric_add(a, b, &sum) == sum_fits, "%s + %s", text_of(a), text_of(b));
        UNIT_CHECK(evs_numeric_subtract(a, b, &difference) == difference_fits, "%s - %s", text_of(a), text_of(b));
        UNIT_CHECK(!sum_fits || sum - b == a, "%s + %s", text_of(a), text_of(b));
        UNIT_CHECK(!difference_fits || difference + b == a, "%s - %s", text_of(a), text_of(b));
    }
}
END_TEST

/* --- conversions ----------------------------------------------------------------------------------------------------- */

START_TEST(from_float64_by_hand)
{
    static const struct {
        double value;
        const char *text;
    } good[] = {
        {0.0, "0"},
        {-0.0, "0"},
        {29.9, "29.9"},
        {-0.1, "-0.1"},
        {1e-9, "0.000000001"},
        {4.9e-10, "0"},
        {-5.1e-10, "-0.000000001"},
        {5e-324, "0"},
        {0.001953125, "0.001953125"},
        {0.0009765625, "0.000976563"}, /* 2^-10: an exact half at the tenth digit */
        {-0.0009765625, "-0.000976563"},
        {1e28, "9999999999999999583119736832"},
        {9.9e28, "98999999999999991694741209088"},
        {1e29, "99999999999999991433150857216"}, /* the nearest double is below 10^29, and fits */
    };
    evs_numeric value = 0;
    for (size_t i = 0; i < EVS_COUNT(good); i++) {
        ck_assert(evs_numeric_from_float64(good[i].value, &value));
        ck_assert_str_eq(text_of(value), good[i].text);
    }
    static const double bad[] = {1.000001e29, -1.000001e29, 1e300, -1.7976931348623157e308, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < EVS_COUNT(bad); i++) {
        ck_assert(!evs_numeric_from_float64(bad[i], &value));
    }
}
END_TEST

/* libc prints a double exactly when enough digits are asked for, so its text is the reference. */
START_TEST(from_float64_rounds_the_exact_value)
{
    uint64_t seed = 26;
    for (int i = 0; i < 100000; i++) {
        double value = ldexp((double)(int64_t)unit_random(&seed), (int)(unit_random(&seed) % 160) - 125);
        char text[512];
        snprintf(text, sizeof text, "%.200f", value);
        evs_numeric expected = 0, got = 0;
        bool fits_numeric = evs_parse_numeric(evs_slice_of(text), &expected);
        UNIT_CHECK(evs_numeric_from_float64(value, &got) == fits_numeric, "%a", value);
        UNIT_CHECK(!fits_numeric || got == expected, "%a gave %s", value, text_of(got));
    }
}
END_TEST

START_TEST(to_float64_is_the_nearest)
{
    uint64_t seed = 27;
    for (int i = 0; i < 200000; i++) {
        evs_numeric value = random_numeric(&seed);
        double got = evs_numeric_to_float64(value), nearest = strtod(text_of(value), NULL);
        UNIT_CHECK(got == nearest, "%s gave %a, not %a", text_of(value), got, nearest);
    }
    ck_assert(!signbit(evs_numeric_to_float64(0)));
}
END_TEST

START_TEST(to_int64_rounds_and_has_limits)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0.5", 1},
        {"-0.5", -1},
        {"0.499999999", 0},
        {"-1.5", -2},
        {"9223372036854775807.499999999", INT64_MAX},
        {"-9223372036854775808.499999999", INT64_MIN},
    };
    int64_t value = 0;
    for (size_t i = 0; i < EVS_COUNT(good); i++) {
        ck_assert(evs_numeric_to_int64(numeric_of(good[i].text), &value));
        ck_assert_int_eq(value, good[i].value);
    }
    ck_assert(!evs_numeric_to_int64(numeric_of("9223372036854775807.5"), &value));
    ck_assert(!evs_numeric_to_int64(numeric_of("-9223372036854775808.5"), &value));
    ck_assert(!evs_numeric_to_int64(evs_numeric_max(), &value));
    ck_assert(!evs_numeric_to_int64(-evs_numeric_max(), &value));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("numeric");
    TCase *tests = tcase_create("numeric");
    tcase_add_test(tests, texts_in_and_out);
    tcase_add_test(tests, texts_that_are_no_numerics);
    tcase_add_test(tests, every_text_reads_back);
    tcase_add_test(tests, reading_rounds_like_the_reference);
    tcase_add_test(tests, arithmetic_by_hand);
    tcase_add_test(tests, halves_go_away_from_zero);
    tcase_add_test(tests, limits);
    tcase_add_test(tests, products_match_the_reference);
    tcase_add_test(tests, quotients_match_the_reference);
    tcase_add_test(tests, sums_match_the_reference);
    tcase_add_test(tests, from_float64_by_hand);
    tcase_add_test(tests, from_float64_rounds_the_exact_value);
    tcase_add_test(tests, to_float64_is_the_nearest);
    tcase_add_test(tests, to_int64_rounds_and_has_limits);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
