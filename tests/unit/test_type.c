/* Kinds, values from and to text, the calendar. Numeric arithmetic: test_numeric.c.
 *
 * Beside the hard cases that are written out, each function is held against a naive reference on many random inputs. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "evstream/type.h"
#include "unit.h"

static struct evs_slice slice(const char *text)
{
    return evs_slice_of(text);
}

/* --- kinds ----------------------------------------------------------------------------------------------------------- */

START_TEST(kinds_have_names_that_parse_back)
{
    for (enum evs_kind kind = EVS_BOOL; kind < EVS_ARRAY; kind++) {
        ck_assert_int_eq(evs_kind_parse(slice(evs_kind_name(kind))), kind);
        ck_assert_int_eq(evs_type_of(kind)->kind, kind);
        ck_assert_ptr_null(evs_type_of(kind)->element);
    }
    static const struct {
        const char *text;
        enum evs_kind kind;
    } spellings[] = {
        {"bigint", EVS_INT64},     {"integer", EVS_INT64},  {"INT", EVS_INT64},       {"double", EVS_FLOAT64},
        {"Float", EVS_FLOAT64},    {"text", EVS_STRING},    {"varchar", EVS_STRING},  {"decimal", EVS_NUMERIC},
        {"boolean", EVS_BOOL},     {"null", EVS_NULL_KIND}, {"array", EVS_NULL_KIND}, {"int6", EVS_NULL_KIND},
        {"int644", EVS_NULL_KIND}, {"", EVS_NULL_KIND},
    };
    for (size_t i = 0; i < EVS_COUNT(spellings); i++) {
        ck_assert_int_eq(evs_kind_parse(slice(spellings[i].text)), spellings[i].kind);
    }
}
END_TEST

/* The numbers are stored in snapshots. */
START_TEST(kind_numbers_and_widths_are_pinned)
{
    static const uint32_t widths[] = {1, 1, 8, 8, 16, 16, 16, 16, 8, 8, 8, 8, 16, 16, 16};
    ck_assert_uint_eq(EVS_COUNT(widths), EVS_KIND_COUNT);
    for (int kind = 0; kind < EVS_KIND_COUNT; kind++) {
        ck_assert_uint_eq(evs_kind_width((enum evs_kind)kind), widths[kind]);
    }
    ck_assert_int_eq(EVS_BOOL, 1);
    ck_assert_int_eq(EVS_NUMERIC, 4);
    ck_assert_int_eq(EVS_TIMESTAMP, 8);
    ck_assert_int_eq(EVS_STRUCT, 14);
    ck_assert(evs_kind_is_text(EVS_JSON) && evs_kind_is_text(EVS_BYTES) && !evs_kind_is_text(EVS_ARRAY));
    ck_assert(evs_kind_is_var(EVS_JSON) && evs_kind_is_var(EVS_STRUCT) && !evs_kind_is_var(EVS_INTERVAL));
    ck_assert(evs_kind_is_nested(EVS_ARRAY) && !evs_kind_is_nested(EVS_STRING));
}
END_TEST

/* --- int64 and bool -------------------------------------------------------------------------------------------------- */

START_TEST(int64_texts)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"+7", 7},
        {"0007", 7},
        {"00000000000000000000000000000000000000012", 12},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"0x10", 16},
        {"-0X1f", -31},
        {"0x7fffffffffffffff", INT64_MAX},
        {"-0x8000000000000000", INT64_MIN},
    };
    for (size_t i = 0; i < EVS_COUNT(good); i++) {
        int64_t value = 99;
        ck_assert_msg(evs_parse_int64(slice(good[i].text), &value), "%s", good[i].text);
        ck_assert_int_eq(value, good[i].value);
    }
    static const char *const bad[] = {
        "",
        "-",
        "+",
        "+-1",
        "--1",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x",
        "x1",
        "0x8000000000000000",
        "0xg",
        "1_000",
        "\xff",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999",
        "-0x8000000000000001",
        "0x10000000000000000",
    };
    for (size_t i = 0; i < EVS_COUNT(bad); i++) {
        int64_t value;
        ck_assert_msg(!evs_parse_int64(slice(bad[i]), &value), "%s", bad[i]);
    }
    int64_t value;
    ck_assert(!evs_parse_int64((struct evs_slice){"1\0", 2}, &value));
    ck_assert(evs_parse_int64((struct evs_slice){"123", 2}, &value) && value == 12); /* no terminator is needed */
}
END_TEST

START_TEST(int64_agrees_with_libc)
{
    uint64_t seed = 11;
    for (int i = 0; i < 200000; i++) {
        int64_t value = (int64_t)unit_random(&seed) >> (unit_random(&seed) % 64), back;
        char text[EVS_FORMAT_MAX], reference[32];
        uint32_t count = evs_format_int64(text, value);
        int length = snprintf(reference, sizeof reference, "%lld", (long long)value);
        UNIT_CHECK(count == (uint32_t)length && memcmp(text, reference, count) == 0, "%s", reference);
        UNIT_CHECK(evs_parse_int64((struct evs_slice){text, count}, &back) && back == value, "%s", reference);
    }
    static const int64_t edges[] = {0, 1, -1, 9, 10, 99, 100, 9999, 10000, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < EVS_COUNT(edges); i++) {
        char text[EVS_FORMAT_MAX] = {0}, reference[32];
        evs_format_int64(text, edges[i]);
        snprintf(reference, sizeof reference, "%lld", (long long)edges[i]);
        ck_assert_str_eq(text, reference);
    }
}
END_TEST

/* Near the limit by one digit, where strtoll says whether it overflows. */
START_TEST(int64_overflow_agrees_with_libc)
{
    uint64_t seed = 12;
    for (int i = 0; i < 100000; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s922337203685477%04llu", unit_random(&seed) % 2 ? "-" : "",
                 (unsigned long long)(unit_random(&seed) % 10000));
        size_t end = strlen(text);
        if (unit_random(&seed) % 8 == 0) {
            text[end++] = (char)('0' + unit_random(&seed) % 10);
            text[end] = '\0';
        }
        errno = 0;
        long long reference = strtoll(text, NULL, 10);
        int64_t value = 0;
        bool good = evs_parse_int64(slice(text), &value);
        UNIT_CHECK(good == (errno == 0) && (!good || value == reference), "%s", text);
    }
}
END_TEST

START_TEST(bool_texts)
{
    bool value = false;
    ck_assert(evs_parse_bool(slice("TRUE"), &value) && value);
    ck_assert(evs_parse_bool(slice("False"), &value) && !value);
    ck_assert(!evs_parse_bool(slice("1"), &value));
    ck_assert(!evs_parse_bool(slice("tru"), &value));
    ck_assert(!evs_parse_bool(slice(""), &value));
}
END_TEST

/* --- float64 --------------------------------------------------------------------------------------------------------- */

static const char *float_text(double value)
{
    static char text[EVS_FORMAT_MAX + 1];
    uint32_t count = evs_format_float64(text, value);
    ck_assert_uint_le(count, EVS_FORMAT_MAX);
    text[count] = '\0';
    return text;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

START_TEST(float64_layout)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1.0, "1"},
        {-1.5, "-1.5"},
        {29.9, "29.9"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100000.0, "100000"},
        {123456789012345680.0, "123456789012345680"},
        {1e20, "100000000000000000000"},
        {123e18, "123000000000000000000"},
        {1e21, "1e+21"},
        {1.5e300, "1.5e+300"},
        {0.000001, "0.000001"},
        {0.00000123, "0.00000123"},
        {1e-7, "1e-7"},
        {1.25e-10, "1.25e-10"},
        {5e-324, "5e-324"},
        {-1.7976931348623157e308, "-1.7976931348623157e+308"},
        {9007199254740991.0, "9007199254740991"},
        {9007199254740993.0, "9007199254740992"},
        {4.35, "4.35"},
        {INFINITY, "Infinity"},
        {-INFINITY, "-Infinity"},
        {NAN, "NaN"},
    };
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        ck_assert_str_eq(float_text(cases[i].value), cases[i].text);
    }
}
END_TEST

/* Digits of a number's text, without sign, point, exponent, and zeros at both ends. */
static int significant_digits(const char *text)
{
    int count = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9' && (count > 0 || *text != '0')) {
            zeros = *text == '0' ? zeros + 1 : 0;
            count++;
        }
    }
    return count - zeros;
}

/* The naive way to the fewest digits: try one more until libc reads the same back. */
static int fewest_digits(double value)
{
    for (int precision = 1;; precision++) {
        char text[64];
        snprintf(text, sizeof text, "%.*e", precision - 1, value);
        if (strtod(text, NULL) == value) {
            return significant_digits(text);
        }
    }
}

static void check_float_round_trip(double value)
{
    const char *text = float_text(value);
    double back = 0;
    UNIT_CHECK(evs_parse_float64(slice(text), &back), "%s", text);
    UNIT_CHECK(bits_of(back) == bits_of(value), "%s for %a", text, value);
    UNIT_CHECK(strtod(text, NULL) == value, "%s for %a", text, value);
    UNIT_CHECK(significant_digits(text) <= fewest_digits(value), "%s for %a is not the shortest", text, value);
}

START_TEST(float64_round_trips_over_all_bit_patterns)
{
    uint64_t seed = 13;
    for (int i = 0; i < 50000; i++) {
        double value = from_bits(unit_random(&seed));
        if (isfinite(value) && value != 0) {
            check_float_round_trip(value);
        }
    }
    for (int exponent = -1074; exponent <= 1023; exponent++) { /* the neighbours of powers of two are the hard ones */
        uint64_t bits = bits_of(ldexp(1.0, exponent));
        for (uint64_t step = bits == 1 ? 0 : 1; step < 3 && isfinite(from_bits(bits + step)); step++) {
            check_float_round_trip(from_bits(bits + step - (bits == 1 ? 0 : 1)));
        }
    }
}
END_TEST

START_TEST(float64_round_trips_over_amounts)
{
    uint64_t seed = 14;
    for (int i = 0; i < 30000; i++) {
        double cents = (double)(unit_random(&seed) % 10000000);
        check_float_round_trip(cents == 0 ? 1 : cents / 100);
        check_float_round_trip(cents == 0 ? 1 : cents * 1000);
        double any = (double)(unit_random(&seed) >> (14 + unit_random(&seed) % 49)) / 1e6; /* below 2^50 millionths */
        check_float_round_trip(any == 0 ? 1 : any);
        check_float_round_trip(any == 0 ? 1 : nextafter(any, 1e300)); /* its neighbours need 16 or 17 digits */
        check_float_round_trip(any == 0 ? 1 : nextafter(any, 0));
    }
}
END_TEST

START_TEST(float64_texts)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"1", 1},
        {"+1.5", 1.5},
        {".5", 0.5},
        {"5.", 5},
        {"-0", -0.0},
        {"1e3", 1000},
        {"1E+3", 1000},
        {"12.5e-1", 1.25},
        {"inf", INFINITY},
        {"-Infinity", -INFINITY},
        {"+INF", INFINITY},
        {"0e999999999999999999999", 0},
        {"1e-400", 0},
        {"-1e-999999999999999999999999", -0.0},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"1.797693134862315807e308", 1.7976931348623157e308},
        {"5e-324", 5e-324},
        {"2.4703282292062327e-324", 0}, /* below half of the smallest */
        {"2.4703282292062328e-324", 5e-324},
        {"9007199254740993", 9007199254740992.0},                                  /* a tie: to even */
        {"9007199254740993.00000000000000000000000000000001", 9007199254740994.0}, /* above it by far digits */
    };
    for (size_t i = 0; i < EVS_COUNT(good); i++) {
        double value = 99;
        ck_assert_msg(evs_parse_float64(slice(good[i].text), &value), "%s", good[i].text);
        ck_assert_msg(bits_of(value) == bits_of(good[i].value), "%s gave %a", good[i].text, value);
    }
    double value = 0;
    ck_assert(evs_parse_float64(slice("NaN"), &value) && isnan(value));
    ck_assert(evs_parse_float64(slice("-nan"), &value) && isnan(value));
    static const char *const bad[] = {
        "",
        "+",
        ".",
        "e5",
        "1e",
        "1e+",
        "--1",
        "+-1",
        " 1",
        "1 ",
        "1,5",
        "0x10",
        "nan(0)",
        "infin",
        "1.5f",
        "1.2.3",
        "1e400",
        "-1e400",
        "1e999999999999999999999",
        "1.8e308",
    };
    for (size_t i = 0; i < EVS_COUNT(bad); i++) {
        ck_assert_msg(!evs_parse_float64(slice(bad[i]), &value), "%s", bad[i]);
    }
}
END_TEST

/* Long ones at both ends of the range: whether such a text is too large or too small must not hang on its spelling. */
START_TEST(float64_range_does_not_hang_on_spelling)
{
    char text[2000];
    double value = 1;
    memset(text, '0', sizeof text);
    memcpy(text, "0.", 2);
    memcpy(text + 1000, "1", 2);
    ck_assert(evs_parse_float64(slice(text), &value) && value == 0);
    memcpy(text + 1000, "1e999", 6); /* the 1 is 999 behind the point */
    ck_assert(evs_parse_float64(slice(text), &value) && value == 1);
    memcpy(text + 1000, "1e1999", 7);
    ck_assert(!evs_parse_float64(slice(text), &value));
    memset(text, '0', sizeof text);
    text[0] = '1';
    text[1000] = '\0';
    ck_assert(!evs_parse_float64(slice(text), &value));
    memcpy(text + 1000, "e-999", 6);
    ck_assert(evs_parse_float64(slice(text), &value) && value == 1);
    memcpy(text + 1000, "e-9999", 7);
    ck_assert(evs_parse_float64(slice(text), &value) && value == 0);
}
END_TEST

START_TEST(float64_reads_like_libc)
{
    uint64_t seed = 15;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        uint64_t r = unit_random(&seed);
        int exponent = (int)(r % 700) - 350;
        int point = (int)((r >> 20) % 19);
        snprintf(text, sizeof text, "%llu.%0*llue%d", (unsigned long long)(unit_random(&seed) >> (r >> 40) % 64),
                 point + 1, (unsigned long long)(unit_random(&seed) % 1000000), exponent);
        double reference = strtod(text, NULL), value = 0;
        bool good = evs_parse_float64(slice(text), &value);
        UNIT_CHECK(good == (isinf(reference) == 0), "%s", text);
        UNIT_CHECK(!good || bits_of(value) == bits_of(reference), "%s gave %a, not %a", text, value, reference);
    }
}
END_TEST

static bool make_comma_locale(const char *path)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(STDERR_FILENO); /* where it complains of what it does not find */
        execlp("localedef", "localedef", "-i", "de_DE", "-f", "UTF-8", path, (char *)NULL);
        _exit(127);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Sets a locale with a decimal comma, which is made for the test if the system has none ready. */
static bool set_comma_locale(void)
{
    if (setlocale(LC_ALL, "de_DE.UTF-8") != NULL) {
        return true;
    }
    char folder[] = "/tmp/evs_locale_XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/de_DE.UTF-8", folder);
    bool made = make_comma_locale(path);
    setenv("LOCPATH", folder, 1);
    bool set = made && setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
    unit_remove_folder(folder);
    return set;
}

START_TEST(nothing_depends_on_the_locale)
{
    if (!set_comma_locale()) {
        fprintf(stderr,
                "not checked: this system has neither a locale with a decimal comma nor the means to make one\n");
        return;
    }
    char comma[8];
    snprintf(comma, sizeof comma, "%.1f", 1.5);
    ck_assert_str_eq(comma, "1,5");
    double value = 0;
    evs_numeric numeric = 0;
    ck_assert_str_eq(float_text(1.5), "1.5");
    ck_assert_str_eq(float_text(1.5e300), "1.5e+300");
    ck_assert(evs_parse_float64(slice("1.5"), &value) && value == 1.5);
    ck_assert(!evs_parse_float64(slice("1,5"), &value));
    ck_assert(evs_parse_numeric(slice("1.5"), &numeric) && numeric == 3 * EVS_NUMERIC_ONE / 2);
    ck_assert(evs_parse_numeric(slice("123456789012.5"), &numeric)); /* beyond 53 bits: takes the way through text */
    ck_assert(evs_numeric_to_float64(numeric) == 123456789012.5);
    setlocale(LC_ALL, "C");
}
END_TEST

/* --- calendar -------------------------------------------------------------------------------------------------------- */

static uint32_t naive_month_days(int64_t year, uint32_t month)
{
    if (month == 2) {
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
    }
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Day by day from 0001-01-01 to 9999-12-31, both ways. */
START_TEST(calendar_matches_counting_day_by_day)
{
    int64_t days = -719162;
    for (int64_t year = 1; year <= 9999; year++) {
        for (uint32_t month = 1; month <= 12; month++) {
            for (uint32_t day = 1; day <= naive_month_days(year, month); day++, days++) {
                int64_t y;
                uint32_t m, d;
                UNIT_CHECK(evs_days_from_civil(year, month, day) == days, "%lld-%u-%u", (long long)year, month, day);
                evs_civil_from_days(days, &y, &m, &d);
                UNIT_CHECK(y == year && m == month && d == day, "day %lld", (long long)days);
            }
        }
    }
    ck_assert_int_eq(days, 2932897);
    ck_assert_int_eq(evs_days_from_civil(1970, 1, 1), 0);
}
END_TEST

START_TEST(calendar_holds_at_the_ends_of_int64)
{
    static const int64_t far[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1, -719468, -719469, 146096, 146097};
    uint64_t seed = 16;
    for (size_t i = 0; i < 100000; i++) {
        int64_t year, days = i < EVS_COUNT(far) ? far[i] : (int64_t)unit_random(&seed) >> (unit_random(&seed) % 60);
        uint32_t month, day;
        evs_civil_from_days(days, &year, &month, &day);
        UNIT_CHECK(year > -INT64_C(30000000000000000) && year < INT64_C(30000000000000000), "%lld", (long long)year);
        if (year > -INT64_C(10000000000000000) && year < INT64_C(10000000000000000)) {
            UNIT_CHECK(evs_days_from_civil(year, month, day) == days, "day %lld", (long long)days);
        }
    }
}
END_TEST

START_TEST(there_is_no_month_13)
{
    evs_days_from_civil(2026, 13, 1);
}
END_TEST

/* --- timestamps and dates -------------------------------------------------------------------------------------------- */

#define S INT64_C(1000000)

START_TEST(timestamp_texts)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2026-01-05T10:00:00Z", 1767607200 * S},
        {"2026-01-05 10:00:00z", 1767607200 * S},
        {"2026-01-05t10:00:00.5Z", 1767607200 * S + 500000},
        {"2026-01-05T10:00:00.123Z", 1767607200 * S + 123000},
        {"2026-01-05T10:00:00.123456Z", 1767607200 * S + 123456},
        {"2026-01-05T10:00:00.123456789Z", 1767607200 * S + 123456},
        {"2026-01-05T10:00:00.99999999999999999999999Z", 1767607200 * S + 999999},
        {"1969-12-31T23:59:59.9999999Z", -1}, /* cut, not rounded */
        {"2026-01-05T10:00:00+02:00", 1767600000 * S},
        {"2026-01-05T10:00:00-02:30", 1767616200 * S},
        {"2026-01-05T10:00:00+02", 1767600000 * S},
        {"2026-01-05T10:00:00-00:00", 1767607200 * S},
        {"2026-01-05T10:00:00.25+05:45", 1767586500 * S + 250000},
        {"2016-12-31T23:59:60Z", 1483228800 * S},
        {"2016-12-31T23:59:60.5Z", 1483228800 * S + 500000},
        {"2015-06-30T16:59:60-07:00", 1435708800 * S},
        {"2000-02-29T12:00:00Z", 951825600 * S},
        {"2024-02-29T00:00:00Z", 1709164800 * S},
        {"0001-01-01T00:00:00Z", -62135596800 * S},
        {"9999-12-31T23:59:59.999999Z", 253402300800 * S - 1},
        {"0001-01-01T01:00:00+01:00", -62135596800 * S},
        {"1900-03-01T00:00:00Z", -2203891200 * S},
    };
    for (size_t i = 0; i < EVS_COUNT(good); i++) {
        int64_t us = 42;
        ck_assert_msg(evs_parse_timestamp(slice(good[i].text), false, &us), "%s", good[i].text);
        ck_assert_msg(us == good[i].us, "%s gave %lld", good[i].text, (long long)us);
    }
}
END_TEST

START_TEST(texts_that_are_no_timestamps)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-01",
        "2026-01-05T",
        "2026-01-05T10",
        "2026-01-05T10:00Z",
        "2026-01-05T10:00:0Z",
        "2026-01-05T10:00:00.Z",
        "2026-01-05T10:00:00,5Z",
        "2026-01-05T10:00:00 Z",
        " 2026-01-05T10:00:00Z",
        "2026-01-05T10:00:00Z ",
        "2026-01-05T10:00:00ZZ",
        "2026-1-05T10:00:00Z",
        "26-01-05T10:00:00Z",
        "2026/01/05T10:00:00Z",
        "2026-01-05_10:00:00Z",
        "2026-01-05T10.00.00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2000-02-30T00:00:00Z",
        "2026-01-05T24:00:00Z",
        "2026-01-05T10:60:00Z",
        "2026-01-05T10:00:61Z",
        "2026-01-05T10:00:00+2:00",
        "2026-01-05T10:00:00+02:60",
        "2026-01-05T10:00:00+24:00",
        "2026-01-05T10:00:00+0200",
        "2026-01-05T10:00:00+02:",
        "2026-01-05T10:00:00+02:0",
        "2026-01-05T10:00:00+02:000",
        "2026-01-05T10:00:00+",
        "2026-01-05T10:00:00*02:00",
        "2026-01-05T10:00:00+02-00",
        "0000-01-01T00:00:00Z",
        "0000-12-31T23:59:60Z",
        "-001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "2O26-01-05T10:00:00Z",
        "20\x01x-01-05T10:00:00Z",
        "2026-01-05T1/:00:00Z",
        "2026-01-05T10:00:0:Z",
    };
    for (size_t i = 0; i < EVS_COUNT(bad); i++) {
        int64_t us;
        ck_assert_msg(!evs_parse_timestamp(slice(bad[i]), true, &us), "%s", bad[i]);
    }
}
END_TEST

START_TEST(an_offset_may_be_left_out_where_allowed)
{
    int64_t us = 0;
    ck_assert(evs_parse_timestamp(slice("2026-01-05T10:00:00"), true, &us) && us == 1767607200 * S);
    ck_assert(evs_parse_timestamp(slice("2026-01-05 10:00:00.25"), true, &us) && us == 1767607200 * S + 250000);
    ck_assert(evs_parse_timestamp(slice("2026-01-05"), true, &us) && us == 1767571200 * S);
    ck_assert(!evs_parse_timestamp(slice("2026-01-05T10:00:00"), false, &us));
    ck_assert(!evs_parse_timestamp(slice("2026-01-05"), false, &us));
}
END_TEST

/* Each byte of a good text replaced by each of 256: accepted only if libc's own reading of the fields agrees. */
START_TEST(one_wrong_byte_is_found)
{
    static const char good[] = "2026-01-05T10:00:00.123+02:00";
    for (size_t at = 0; at < sizeof good - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof good];
            memcpy(text, good, sizeof good);
            text[at] = (char)byte;
            bool was_digit = good[at] >= '0' && good[at] <= '9', is_digit = byte >= '0' && byte <= '9';
            int64_t us;
            bool accepted = evs_parse_timestamp((struct evs_slice){text, sizeof text - 1}, false, &us);
            bool another_sign =
                at == 10 ? byte == 'T' || byte == 't' || byte == ' ' : at == 23 && (byte == '-' || is_digit);
            if (at == 23 && is_digit) { /* the fraction swallows it, and "02:00" is no offset */
                UNIT_CHECK(!accepted, "%s", text);
            } else if (accepted) {
                UNIT_CHECK((was_digit && is_digit) || byte == (unsigned char)good[at] || another_sign, "%s", text);
            }
        }
    }
}
END_TEST

static const char *timestamp_text(int64_t us)
{
    static char text[EVS_FORMAT_MAX + 1];
    uint32_t count = evs_format_timestamp(text, us);
    ck_assert_uint_le(count, EVS_FORMAT_MAX);
    text[count] = '\0';
    return text;
}

START_TEST(timestamps_print_the_digits_they_need)
{
    ck_assert_str_eq(timestamp_text(0), "1970-01-01T00:00:00Z");
    ck_assert_str_eq(timestamp_text(-1), "1969-12-31T23:59:59.999999Z");
    ck_assert_str_eq(timestamp_text(-1000), "1969-12-31T23:59:59.999Z");
    ck_assert_str_eq(timestamp_text(1), "1970-01-01T00:00:00.000001Z");
    ck_assert_str_eq(timestamp_text(1767607200 * S + 120000), "2026-01-05T10:00:00.120Z");
    ck_assert_str_eq(timestamp_text(1767607200 * S + 123400), "2026-01-05T10:00:00.123400Z");
    ck_assert_str_eq(timestamp_text(-62135596800 * S), "0001-01-01T00:00:00Z");
    ck_assert_str_eq(timestamp_text(253402300800 * S), "10000-01-01T00:00:00Z");
    ck_assert_str_eq(timestamp_text(INT64_MAX), "294247-01-10T04:00:54.775807Z");
    ck_assert_str_eq(timestamp_text(INT64_MIN), "-290308-12-21T19:59:05.224192Z");
}
END_TEST

/* libc's calendar as the reference, from year 1 to 9999. */
START_TEST(timestamps_agree_with_libc)
{
    uint64_t seed = 17;
    for (int i = 0; i < 100000; i++) {
        int64_t seconds = (int64_t)(unit_random(&seed) % UINT64_C(315537897600)) - INT64_C(62135596800);
        int64_t fraction = i % 3 == 0 ? 0 : i % 3 == 1 ? (int64_t)(unit_random(&seed) % 1000) * 1000 : 987654;
        time_t time = (time_t)seconds;
        struct tm utc;
        gmtime_r(&time, &utc);
        char reference[64];
        int count = snprintf(reference, sizeof reference, "%04d-%02d-%02dT%02d:%02d:%02d", utc.tm_year + 1900,
                             utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
        if (fraction % 1000 != 0) {
            snprintf(reference + count, sizeof reference - (size_t)count, ".%06lldZ", (long long)fraction);
        } else if (fraction != 0) {
            snprintf(reference + count, sizeof reference - (size_t)count, ".%03lldZ", (long long)(fraction / 1000));
        } else {
            memcpy(reference + count, "Z", 2);
        }
        int64_t us = seconds * S + fraction, back = 0;
        UNIT_CHECK(strcmp(timestamp_text(us), reference) == 0, "%s, not %s", timestamp_text(us), reference);
        UNIT_CHECK(evs_parse_timestamp(slice(reference), false, &back) && back == us, "%s", reference);
    }
}
END_TEST

START_TEST(offsets_shift_by_their_minutes)
{
    for (int minutes = -1439; minutes <= 1439; minutes++) {
        char text[64];
        int size = abs(minutes);
        snprintf(text, sizeof text, "2026-01-05T10:00:00%c%02d:%02d", minutes < 0 ? '-' : '+', size / 60, size % 60);
        int64_t us = 0;
        UNIT_CHECK(evs_parse_timestamp(slice(text), false, &us) && us == (1767607200 - 60 * minutes) * S, "%s", text);
    }
}
END_TEST

START_TEST(dates)
{
    int64_t days = 0;
    char text[EVS_FORMAT_MAX + 1];
    ck_assert(evs_parse_date(slice("2024-02-29"), &days) && days == 19782);
    ck_assert(evs_parse_date(slice("1969-12-31"), &days) && days == -1);
    text[evs_format_date(text, 19782)] = '\0';
    ck_assert_str_eq(text, "2024-02-29");
    text[evs_format_date(text, -719529)] = '\0'; /* outside of what can be read, yet no nonsense */
    ck_assert_str_eq(text, "-0001-12-31");
    ck_assert_uint_le(evs_format_date(text, INT64_MIN), EVS_FORMAT_MAX);
    ck_assert_uint_le(evs_format_date(text, INT64_MAX), EVS_FORMAT_MAX);
    static const char *const bad[] = {"", "2024-02-30", "2024-2-29", "2024-02-29 ", "2024-02-29T00:00:00", "20240229"};
    for (size_t i = 0; i < EVS_COUNT(bad); i++) {
        ck_assert_msg(!evs_parse_date(slice(bad[i]), &days), "%s", bad[i]);
    }
}
END_TEST

static TCase *kind_tests(void)
{
    TCase *tests = tcase_create("kinds");
    tcase_add_test(tests, kinds_have_names_that_parse_back);
    tcase_add_test(tests, kind_numbers_and_widths_are_pinned);
    tcase_add_test(tests, int64_texts);
    tcase_add_test(tests, int64_agrees_with_libc);
    tcase_add_test(tests, int64_overflow_agrees_with_libc);
    tcase_add_test(tests, bool_texts);
    return tests;
}

static TCase *float_tests(void)
{
    TCase *tests = tcase_create("float64");
    tcase_add_test(tests, float64_layout);
    tcase_add_test(tests, float64_round_trips_over_all_bit_patterns);
    tcase_add_test(tests, float64_round_trips_over_amounts);
    tcase_add_test(tests, float64_texts);
    tcase_add_test(tests, float64_range_does_not_hang_on_spelling);
    tcase_add_test(tests, float64_reads_like_libc);
    tcase_add_test(tests, nothing_depends_on_the_locale);
    return tests;
}

static TCase *time_tests(void)
{
    TCase *tests = tcase_create("time");
    tcase_add_test(tests, calendar_matches_counting_day_by_day);
    tcase_add_test(tests, calendar_holds_at_the_ends_of_int64);
    tcase_add_exit_test(tests, there_is_no_month_13, 70);
    tcase_add_test(tests, timestamp_texts);
    tcase_add_test(tests, texts_that_are_no_timestamps);
    tcase_add_test(tests, an_offset_may_be_left_out_where_allowed);
    tcase_add_test(tests, one_wrong_byte_is_found);
    tcase_add_test(tests, timestamps_print_the_digits_they_need);
    tcase_add_test(tests, timestamps_agree_with_libc);
    tcase_add_test(tests, offsets_shift_by_their_minutes);
    tcase_add_test(tests, dates);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("type");
    suite_add_tcase(suite, kind_tests());
    suite_add_tcase(suite, float_tests());
    suite_add_tcase(suite, time_tests());
    return unit_run(suite);
}
