/* Rows as JSON: every type, every escape, every length of text, and that it is read back the same by another reader of JSON. */
#include <math.h>
#include <string.h>

#include "evstream/nested.h"
#include "format_json.h"
#include "json_oracle.h"
#include "row_case.h"
#include "value_text.h"

static struct evs_buffer encode(const struct row_case *made, uint32_t row)
{
    struct evs_arena arena = {0};
    struct evs_buffer out = {0};
    const void *config;
    const struct evs_format_place place = {.pipeline = "p", .sink = "s"};
    ck_assert_int_eq(evs_format_json.configure(NULL, &made->schema, &arena, &config, NULL), EVS_OK);
    evs_format_json.encode(config, &made->schema, made->batch, row, &place, &out);
    evs_arena_fini(&arena);
    return out;
}

static void check_row(const struct row_case *made, const char *expected)
{
    struct evs_buffer out = encode(made, 0);
    ck_assert_msg(out.count == strlen(expected) && memcmp(out.data, expected, out.count) == 0, "expected %s, got %.*s",
                  expected, (int)out.count, out.data);
    evs_buffer_fini(&out);
}

START_TEST(every_type)
{
    struct row_case made;
    row_case_init(&made, 1);
    ((uint8_t *)row_case_column(&made, "yes", EVS_BOOL)->data)[0] = 1;
    ((uint8_t *)row_case_column(&made, "no", EVS_BOOL)->data)[0] = 0;
    row_case_int(&made, "int", EVS_INT64, INT64_MIN);
    ((double *)row_case_column(&made, "float", EVS_FLOAT64)->data)[0] = 0.1;
    ((evs_numeric *)row_case_column(&made, "numeric", EVS_NUMERIC)->data)[0] = evs_numeric_max();
    row_case_text(&made, "string", EVS_STRING, EVS_SLICE("a\"b"));
    row_case_text(&made, "bytes", EVS_BYTES, EVS_SLICE("\0\xFF"));
    row_case_text(&made, "json", EVS_JSON, EVS_SLICE("{\"a\":\n[1,\n\n2.50]}"));
    row_case_int(&made, "timestamp", EVS_TIMESTAMP, 1767607200123000);
    row_case_int(&made, "date", EVS_DATE, 20458);
    row_case_int(&made, "datetime", EVS_DATETIME, 1767607200000000);
    row_case_int(&made, "time", EVS_TIME, 36000500000);
    ((struct evs_interval *)row_case_column(&made, "interval", EVS_INTERVAL)->data)[0] =
        (struct evs_interval){-14, 3, -3661500000};
    evs_column_set_null(row_case_column(&made, "null", EVS_STRING), 0);
    check_row(&made, "{\"yes\":true,\"no\":false,\"int\":-9223372036854775808,\"float\":0.1,"
                     "\"numeric\":99999999999999999999999999999.999999999,\"string\":\"a\\\"b\",\"bytes\":\"AP8=\","
                     "\"json\":{\"a\": [1,  2.50]},\"timestamp\":\"2026-01-05T10:00:00.123Z\",\"date\":\"2026-01-05\","
                     "\"datetime\":\"2026-01-05T10:00:00\",\"time\":\"10:00:00.500\",\"interval\":\"P-1Y-2M3D"
                     "T-1H-1M-1.5S\",\"null\":null}");
    row_case_fini(&made);
}
END_TEST

START_TEST(a_row_without_columns_is_an_empty_object)
{
    struct row_case made;
    row_case_init(&made, 1);
    check_row(&made, "{}");
    row_case_fini(&made);
}
END_TEST

START_TEST(what_is_no_number_is_a_string)
{
    static const struct {
        double value;
        const char *expected;
    } rows[] = {{NAN, "{\"x\":\"NaN\"}"},
                {INFINITY, "{\"x\":\"Infinity\"}"},
                {-INFINITY, "{\"x\":\"-Infinity\"}"},
                {-0.0, "{\"x\":-0}"},
                {1e21, "{\"x\":1e+21}"},
                {3, "{\"x\":3}"},
                {5e-324, "{\"x\":5e-324}"}};
    for (size_t i = 0; i < EVS_COUNT(rows); i++) {
        struct row_case made;
        row_case_init(&made, 1);
        ((double *)row_case_column(&made, "x", EVS_FLOAT64)->data)[0] = rows[i].value;
        check_row(&made, rows[i].expected);
        row_case_fini(&made);
    }
}
END_TEST

/* Base64: the vectors of RFC 4648, 10. */
START_TEST(bytes_are_base64)
{
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < EVS_COUNT(rows); i++) {
        struct row_case made;
        char expected[64];
        row_case_init(&made, 1);
        row_case_text(&made, "b", EVS_BYTES, evs_slice_of(rows[i][0]));
        snprintf(expected, sizeof expected, "{\"b\":\"%s\"}", rows[i][1]);
        check_row(&made, expected);
        row_case_fini(&made);
    }
}
END_TEST

/* A naive escaper, a byte at a time. */
static void put_naive(struct evs_buffer *out, const char *text, size_t count)
{
    evs_buffer_puts(out, "{\"k\":\"");
    for (size_t i = 0; i < count; i++) {
        static const char *const names[] = {
            ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t"};
        uint8_t c = (uint8_t)text[i];
        if (c == '"' || c == '\\') {
            evs_buffer_printf(out, "\\%c", c);
        } else if (c < EVS_COUNT(names) && names[c] != NULL) {
            evs_buffer_puts(out, names[c]);
        } else if (c < 0x20) {
            evs_buffer_printf(out, "\\u%04x", c);
        } else {
            evs_buffer_put(out, &text[i], 1);
        }
    }
    evs_buffer_puts(out, "\"}");
}

static void check_text(struct json_oracle *oracle, struct evs_slice text)
{
    struct row_case made;
    struct evs_buffer expected = {0};
    row_case_init(&made, 1);
    row_case_text(&made, "k", EVS_STRING, text);
    struct evs_buffer out = encode(&made, 0);
    put_naive(&expected, text.data, text.count);
    UNIT_CHECK(out.count == expected.count && memcmp(out.data, expected.data, out.count) == 0, "%.*s", (int)out.count,
               out.data);
    if (evs_utf8_valid(text.data, text.count)) {
        bool broken;
        const char *const path[] = {"k"};
        UNIT_CHECK(json_oracle_parse(oracle, out.data, out.count) == ORACLE_OBJECT, "%.*s", (int)out.count, out.data);
        struct oracle_value value = json_oracle_at(oracle, path, 1, &broken);
        UNIT_CHECK(value.bytes == text.count && memcmp(value.text, text.data, text.count) == 0, "%.*s", (int)out.count,
                   out.data);
    }
    evs_buffer_fini(&expected);
    evs_buffer_fini(&out);
    row_case_fini(&made);
}

/* Every byte at every place of texts of every length round the sizes that the code treats apart. */
START_TEST(every_byte_everywhere)
{
    struct json_oracle *oracle = json_oracle_new();
    char text[40];
    for (size_t count = 0; count <= 26; count++) {
        memset(text, 'x', sizeof text);
        check_text(oracle, (struct evs_slice){text, count});
        for (size_t at = 0; at < count; at++) {
            for (int c = 0; c < 256; c += c < 0x80 ? 1 : 17) {
                memset(text, 'x', sizeof text);
                text[at] = (char)c;
                check_text(oracle, (struct evs_slice){text, count});
            }
        }
    }
    json_oracle_free(oracle);
}
END_TEST

START_TEST(random_text)
{
    struct json_oracle *oracle = json_oracle_new();
    uint64_t random = 9;
    for (int round = 0; round < 3000; round++) {
        char text[600];
        size_t count = unit_random(&random) % sizeof text;
        uint64_t kind = unit_random(&random) % 3;
        for (size_t i = 0; i < count; i++) {
            uint64_t dice = unit_random(&random);
            text[i] = kind == 0   ? (char)(dice % 0x20)
                      : kind == 1 ? (char)(dice % 0x80)
                                  : (char)(dice % 40 == 0 ? '"' : 'a' + dice % 26);
        }
        check_text(oracle, (struct evs_slice){text, count});
    }
    json_oracle_free(oracle);
}
END_TEST

START_TEST(names_are_escaped_too)
{
    struct row_case made;
    row_case_init(&made, 1);
    row_case_int(&made, "a\"b", EVS_INT64, 1);
    row_case_int(&made, "a_name_that_is_longer_than_one_fragment_of_sixteen", EVS_INT64, 2);
    row_case_int(&made, "", EVS_INT64, 3);
    check_row(&made, "{\"a\\\"b\":1,\"a_name_that_is_longer_than_one_fragment_of_sixteen\":2,\"\":3}");
    row_case_fini(&made);
}
END_TEST

START_TEST(constant_columns_and_other_rows)
{
    struct row_case made;
    row_case_init(&made, 3);
    struct evs_column *constant = row_case_column(&made, "c", EVS_INT64),
                      *column = row_case_column(&made, "v", EVS_INT64);
    constant->flags = EVS_COLUMN_CONSTANT;
    ((int64_t *)constant->data)[0] = 5;
    for (int64_t i = 0; i < 3; i++) {
        ((int64_t *)column->data)[i] = i;
    }
    evs_column_set_null(column, 1);
    static const char *const expected[] = {"{\"c\":5,\"v\":0}", "{\"c\":5,\"v\":null}", "{\"c\":5,\"v\":2}"};
    for (uint32_t row = 0; row < 3; row++) {
        struct evs_buffer out = encode(&made, row);
        ck_assert_uint_eq(out.count, strlen(expected[row]));
        ck_assert_int_eq(memcmp(out.data, expected[row], out.count), 0);
        evs_buffer_fini(&out);
    }
    row_case_fini(&made);
}
END_TEST

/* More elements than any row has room reserved for: the buffer grows in the middle of a row. */
START_TEST(arrays_and_structs)
{
    struct evs_arena arena = {0};
    struct row_case made;
    row_case_init(&made, 2);
    struct evs_type_field parts[] = {{"n", evs_type_of(EVS_INT64)}, {"a \"b\"", evs_type_of(EVS_STRING)}};
    const struct evs_type *element = evs_type_struct(&arena, parts, 2);
    struct evs_column *column = row_case_column(&made, "items", EVS_ARRAY);
    struct evs_column *last = row_case_column(&made, "last", EVS_STRING);
    made.fields[0].type = evs_type_array(&arena, element);
    struct evs_nested_builder inner = {0}, outer = {0};
    struct evs_buffer expected = {0};
    evs_nested_begin_array(&outer, EVS_STRUCT);
    for (int64_t i = 0; i < 1000; i++) {
        struct evs_value number = {.kind = EVS_INT64, .int64 = i}, text = {.kind = EVS_STRING, .is_null = i % 2 == 0};
        text.str = evs_str_make("x\ty", 3);
        evs_nested_begin_struct(&inner, element);
        evs_nested_add(&inner, &number);
        evs_nested_add(&inner, &text);
        struct evs_value value = {.kind = EVS_STRUCT, .str = evs_nested_finish(&inner, &arena)};
        evs_nested_add(&outer, &value);
        evs_buffer_printf(&expected, "%s{\"n\":%d,\"a \\\"b\\\"\":%s}", i == 0 ? "{\"items\":[" : ",", (int)i,
                          i % 2 == 0 ? "null" : "\"x\\ty\"");
    }
    evs_buffer_puts(&expected, "],\"last\":\"end\"}");
    ((struct evs_str *)column->data)[0] = evs_nested_finish(&outer, &arena);
    evs_column_set_null(column, 1);
    ((struct evs_str *)last->data)[0] = ((struct evs_str *)last->data)[1] = evs_str_make("end", 3);
    struct evs_buffer out = encode(&made, 0);
    ck_assert_uint_eq(out.count, expected.count);
    ck_assert_int_eq(memcmp(out.data, expected.data, out.count), 0);
    evs_buffer_fini(&out);
    out = encode(&made, 1);
    ck_assert_uint_eq(out.count, strlen("{\"items\":null,\"last\":\"end\"}"));
    evs_buffer_fini(&out);
    evs_buffer_fini(&expected);
    evs_nested_builder_fini(&inner);
    evs_nested_builder_fini(&outer);
    row_case_fini(&made);
    evs_arena_fini(&arena);
}
END_TEST

static void check_timestamp(int64_t us)
{
    char fast[EVS_FORMAT_MAX], slow[EVS_FORMAT_MAX];
    uint32_t count = evs_text_of_timestamp(fast, us);
    UNIT_CHECK(count == evs_format_timestamp(slow, us) && memcmp(fast, slow, count) == 0, "%lld: %.*s", (long long)us,
               (int)count, fast);
}

static void check_numeric(evs_numeric value)
{
    char fast[EVS_FORMAT_MAX], slow[EVS_FORMAT_MAX];
    uint32_t count = evs_text_of_numeric(fast, value);
    UNIT_CHECK(count == evs_format_numeric(slow, value) && memcmp(fast, slow, count) == 0, "%.*s", (int)count, fast);
}

/* Every day of eight thousand years and more, and values of all sizes: the fast ways write what the plain ones write. */
START_TEST(fast_ways_write_the_same)
{
    const int64_t us_per_day = INT64_C(86400000000);
    uint64_t random = 4;
    for (int64_t day = -800000; day < 3000000; day++) {
        check_timestamp(day * us_per_day + (int64_t)(unit_random(&random) % (uint64_t)us_per_day));
    }
    for (int i = 0; i < 500000; i++) {
        int64_t us = (int64_t)(unit_random(&random) % UINT64_C(253402300800000000));
        check_timestamp(i % 3 == 0 ? us : i % 3 == 1 ? us / 1000 * 1000 : us / 1000000 * 1000000);
        evs_numeric value = (evs_numeric)(unit_random(&random) >> (unit_random(&random) % 64));
        check_numeric(i % 2 ? value : value * 10000000);
        check_numeric(-value);
    }
    check_timestamp(INT64_MIN);
    check_timestamp(INT64_MAX);
    check_numeric(evs_numeric_max());
    check_numeric(-evs_numeric_max());
}
END_TEST

START_TEST(a_steady_state_allocates_nothing)
{
    struct row_case made;
    struct evs_arena arena = {0};
    struct evs_buffer out = {0};
    const struct evs_json_row *format;
    row_case_init(&made, 1);
    row_case_text(&made, "s", EVS_STRING, EVS_SLICE("a text of more than twelve bytes"));
    row_case_int(&made, "t", EVS_TIMESTAMP, 1767607200123000);
    ck_assert_int_eq(evs_json_row_bind(&made.schema, &arena, &format, NULL), EVS_OK);
    evs_json_row_put(format, made.batch, 0, &out);
    uint64_t before = evs_alloc_count();
    for (int i = 0; i < 1000; i++) {
        out.count = 0;
        evs_json_row_put(format, made.batch, 0, &out);
    }
    ck_assert_uint_eq(evs_alloc_count(), before);
    evs_buffer_fini(&out);
    evs_arena_fini(&arena);
    row_case_fini(&made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("format_json");
    TCase *cases = tcase_create("format_json");
    tcase_add_test(cases, every_type);
    tcase_add_test(cases, a_row_without_columns_is_an_empty_object);
    tcase_add_test(cases, what_is_no_number_is_a_string);
    tcase_add_test(cases, bytes_are_base64);
    tcase_add_test(cases, every_byte_everywhere);
    tcase_add_test(cases, random_text);
    tcase_add_test(cases, names_are_escaped_too);
    tcase_add_test(cases, constant_columns_and_other_rows);
    tcase_add_test(cases, arrays_and_structs);
    tcase_add_test(cases, fast_ways_write_the_same);
    tcase_add_test(cases, a_steady_state_allocates_nothing);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
