/* Payloads to records: the splitting rule, isolation of neighbours, what is learned from one record and used for the next, limits,
 * details, views into the input, memory. */
#include "decode_json.h"
#include "decode_rows.h"
#include "evstream/source.h"

static const struct row file_rows[] = {
    {"a int64", IN(""), ""},
    {"a int64", IN("\n"), ""},
    {"a int64", IN("\n\n{\"a\":1}\n\n{\"a\":2}"), "#2 1\n#4 2\n"},
    {"a int64", IN("  \t\r\n{\"a\":1}\r\n \n{\"a\":2}\r\n"), "#1 1\n#3 2\n"},
    {"a int64", IN("{\"a\":1}\nbad\n{\"a\":2}\n"), "#0 1\n#1 !json\n#2 2\n"},
    {"a int64", IN("{\"a\":1}\n{\"a\":\"\n{\"a\":2}\n"), "#0 1\n#1 !json\n#2 2\n"},
    {"a int64", IN("{\"a\":1}\n{\"a\":\"x\n\"}\n{\"a\":2}\n"), "#0 1\n#1 !json\n#2 !json\n#3 2\n"},
    {"a int64", IN("{\"a\":1}\n{\"b\":\"\xC3\n\xA9\",\"a\":5}\n{\"a\":2}\n"), "#0 1\n#1 !utf8\n#2 !utf8\n#3 2\n"},
    {"a int64", IN("{\"a\":1}\n{\"a\":1}\\\n{\"a\":2}\n"), "#0 1\n#1 !json\n#2 2\n"},
    {"a int64", IN("{\"a\":\n1}\n"), "#0 !json\n#1 !json\n"},
    {"a int64", IN("{\"a\":{\"b\":1}\n}\n{\"a\":2}\n"), "#0 !type\n#1 !json\n#2 2\n"},
    {"b int64; a int64", IN("{\"a\":1,\"x\":{\"y\":1}\n,\"b\":2}\n{\"b\":2}\n"), "#0 !json\n#1 !json\n#2 2 NULL\n"},
    {"a int64", IN("[\n{\"a\":1}\n]\n"), "#0 !json\n#1 1\n#2 !json\n"},
    {"a int64", IN("{\"a\":1}\r{\"a\":2}\n"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1}\n{\"a\":2}"), "#0 1\n#1 2\n"},
};

/* --- messages -------------------------------------------------------------------------------------------------------------------- */

static const struct row message_rows[] = {
    {"a int64", IN(""), ""},
    {"a int64", IN("{\"a\":1}"), "#0 1\n"},
    {"a int64", IN("{\"a\":1}\n{\"a\":2}\n"), "#0 1\n#1 2\n"},
    {"a int64", IN("{\n  \"a\": 1\n}\n"), "#0 1\n"},
    {"a int64", IN("{\"x\":1,\n\"a\":1}"), "#0 1\n"},
    {"a int64", IN("{\n  \"a\": \"x\"\n}\n"), "#0 !type\n"},
    {"a int64", IN("{\n  \"a\": 1\n"), "#0 !json\n#1 !json\n"},
    {"a int64", IN("{\n\"a\": 1\n}\n{\"a\":2}\n"), "#0 !json\n#1 !json\n#2 !json\n#3 2\n"},
    {"a int64", IN("{\"a\":1}\n}\n"), "#0 1\n#1 !json\n"},
    {"a int64", IN("{\"a\":\"x\"}\n{\"a\":2}"), "#0 !type\n#1 2\n"},
    {"a int64", IN("[]"), ""},
    {"a int64", IN(" \n[ ] \n"), ""},
    {"a int64", IN("[{\"a\":1}]"), "#0 1\n"},
    {"a int64", IN(" [ {\"a\":1} ,\n{\"a\":2}\n, {\"a\":3} ] \n"), "#0 1\n#1 2\n#2 3\n"},
    {"a int64", IN("[{\"a\":1},{\"a\":\"x\"},{\"a\":3}]"), "#0 1\n#1 !type\n#2 3\n"},
    {"a int64", IN("[{\"a\":1},2,\"x\",null,[1,2],{\"a\":3}]"), "#0 1\n#1 !type\n#2 !type\n#3 !type\n#4 !type\n#5 3\n"},
    {"a int64", IN("[{\"a\":1},nope,{\"a\":3}]"), "#0 1\n#1 !json\n#2 3\n"},
    {"a int64", IN("[{\"a\":1},{\"a\" 2},{\"a\":3}]"), "#0 1\n#1 !json\n#2 3\n"},
    {"a int64", IN("[{\"a\":1},{\"b\":{\"a\":2},{\"a\":3}]"), "#0 1\n#1 !json\n"},
    {"a int64", IN("[{\"a\":1} {\"a\":2}]"), "#0 1\n#1 !json\n"},
    {"a int64", IN("[{\"a\":1},]"), "#0 1\n#1 !json\n"},
    {"a int64", IN("[,{\"a\":1}]"), "#0 !json\n"},
    {"a int64", IN("[{\"a\":1}"), "#0 !json\n"},
    {"a int64", IN("[{\"a\":1},{\"a\":2},[3]"), "#0 1\n#1 2\n#2 !json\n"},
    {"a int64", IN("[{\"a\":1},{\"a\":2},3"), "#0 1\n#1 2\n#2 !json\n"},
    {"a int64", IN("["), "#0 !json\n"},
    {"a int64", IN("[{\"a\":1}]x"), "#0 1\n#1 !json\n"},
    {"a int64", IN("[{\"a\":1}]\0"), "#0 1\n#1 !json\n"},
    {"a int64", IN("[{\"a\":1}\0"), "#0 1\n#1 !json\n"},
    {"a int64", IN("[{\"a\":1},{\"a\":2}\0,{\"a\":3}]"), "#0 1\n#1 2\n#2 !json\n"},
    {"a int64", IN("[{\"a\":1}]\n[{\"a\":2}]"), "#0 1\n#1 !json\n"},
    {"a int64", IN("[{\"a\":1}}]"), "#0 1\n#1 !json\n"},
    {"a int64", IN("[{\"a\":1},{\"b\":\"\xFF\"}]"), "#0 !utf8\n"},
    {"a int64", IN("[{\"a\":1},{\"b\":\"}]"), "#0 !json\n"},
    {"a int64", IN("\xEF\xBB\xBF[{\"a\":1},{\"a\":2}]"), "#0 1\n#1 2\n"},
    {"a int64", IN("\xEF\xBB\xBF{\"a\":1}"), "#0 1\n"},
    {"a int64", IN("\xEF\xBB\xBF"), ""},
    {"a int64; b.c int64", IN("[{\"b\":{\"c\":1}},{\"a\":2}]"), "#0 NULL 1\n#1 2 NULL\n"},
};

static const struct row nested_rows[] = {
    {"a int64[]", IN("{\"a\":[1,null, \"2\" ,3.0]}\n{\"a\":[ ]}\n{}\n{\"a\":null}"),
     "#0 [1,null,2,3]\n#1 []\n#2 NULL\n#3 NULL\n"},
    {"a int64[]",
     IN("{\"a\":1}\n{\"a\":\"[1]\"}\n{\"a\":{}}\n{\"a\":[[1]]}\n{\"a\":[1.5]}\n{\"a\":[true]}\n{\"a\":[1e30]}"),
     "#0 !type\n#1 !type\n#2 !type\n#3 !type\n#4 !type\n#5 !type\n#6 !range\n"},
    {"a int64[]", IN("{\"a\":[1,]}\n{\"a\":[1 2]}\n{\"a\":[nul]}\n{\"a\":[1}"),
     "#0 !json\n#1 !json\n#2 !json\n#3 !json\n"},
    {"a int64[] not null", IN("{\"a\":null}\n{\"a\":[null]}"), "#0 !null\n#1 [null]\n"},
    {"a string[]", IN("{\"a\":[\"x\",\"\\u00e4\\n\",7,false,\"]\\\"[\"]}"),
     "#0 [\"x\",\"ä\\n\",\"7\",\"false\",\"]\\\"[\"]\n"},
    {"a json[]", IN("{\"a\":[{\"b\":[1]}, \"x\" ,null]}"), "#0 [{\"b\":[1]},\"x\",null]\n"},
    {"a timestamp[]", IN("{\"a\":[\"2026-01-05T10:00:00+01:00\"]}\n{\"a\":[7]}"),
     "#0 [\"2026-01-05T09:00:00Z\"]\n#1 !type\n"},
    {"t interval",
     IN("{\"t\":\"PT90M\"}\n{\"t\":\"1-2 3 "
        "-4:5:6.5\"}\n{\"t\":\"PT\"}\n{\"t\":\"P1H\"}\n{\"t\":5}\n{\"t\":\"P99999Y\"}"),
     "#0 PT1H30M\n#1 P1Y2M3DT-4H-5M-6.5S\n#2 !type\n#3 !type\n#4 !type\n#5 !type\n"},
    {"a nested",
     IN("{\"a\":[{\"s\":\"x\",\"other\":{\"n\":9},\"n\":1,\"n\":2,\"x\":[1,2.5]},{},null,{\"\\u006e\":3}]}"),
     "#0 "
     "[{\"n\":1,\"s\":\"x\",\"x\":[1,2.5]},{\"n\":null,\"s\":null,\"x\":null},null,{\"n\":3,\"s\":null,\"x\":null}]\n"},
    {"a nested", IN("{\"a\":[{\"n\":\"x\"}]}\n{\"a\":[{\"x\":{}}]}\n{\"a\":[1]}\n{\"a\":{\"n\":1}}"),
     "#0 !type\n#1 !type\n#2 !type\n#3 !type\n"},
    {"a int64[]; a json; a.b int64", IN("{\"a\":[1, 2]}"), "#0 !type\n"},
    {"a int64[]; a json", IN("{\"a\":[1, 2]}"), "#0 [1,2] \"[1, 2]\"\n"},
};

START_TEST(arrays_structs_and_intervals)
{
    CHECK_ROWS(nested_rows, as_file);
}
END_TEST

START_TEST(lines_of_files)
{
    CHECK_ROWS(file_rows, as_file);
}
END_TEST

START_TEST(messages)
{
    CHECK_ROWS(message_rows, as_message);
}
END_TEST

/* Lines of column `a int64` that are bad in every way. */
static const struct row bad_lines[] = {
    {"", IN("{\"a\":1}x"), "!json\n"},
    {"", IN("{\"a\":1}{\"a\":2}"), "!json\n"},
    {"", IN("{\"a\":1"), "!json\n"},
    {"", IN("{\"a\":1,}"), "!json\n"},
    {"", IN("{\"a\" 1}"), "!json\n"},
    {"", IN("{\"b\":{\"c\":1,\"a\":1}"), "!json\n"},
    {"", IN("{\"b\":[[[[{{{{"), "!json\n"},
    {"", IN("{\"b\":[[[[{{{{}"), "!json\n"},
    {"", IN("{"), "!json\n"},
    {"", IN("}"), "!json\n"},
    {"", IN("]"), "!json\n"},
    {"", IN(","), "!json\n"},
    {"", IN("\""), "!json\n"},
    {"", IN("\\"), "!json\n"},
    {"", IN("\\\""), "!json\n"},
    {"", IN("{\"a\":1}\\"), "!json\n"},
    {"", IN("{\"a\":\"}"), "!json\n"},
    {"", IN("{\"a\":\"\\"), "!json\n"},
    {"", IN("{\"a\":\"\\\"}"), "!json\n"},
    {"", IN("{\"a\":\"x\ty\"}"), "!json\n"},
    {"", IN("{\"a\":1\0}"), "!json\n"},
    {"", IN("\0"), "!json\n"},
    {"", IN("{\"a\":\"\xFF\"}"), "!utf8\n"},
    {"", IN("{\"a\":\"\xC3"), "!utf8\n"},
    {"", IN("\xF0\x9F\x98"), "!utf8\n"},
    {"", IN("{\"a\":\"x\"}"), "!type\n"},
    {"", IN("[1,2]"), "!type\n"},
    {"", IN("{\"a\":1e99}"), "!range\n"},
};

/* Every bad line between two good ones, many times over so that chunks are cut at many places: the good ones come through, and the
 * bad one says the same as alone. */
START_TEST(a_bad_line_harms_no_neighbour)
{
    struct evs_buffer input = {0}, expected = {0}, out = {0};
    uint32_t index = 0;
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < EVS_COUNT(bad_lines); i++) {
            const struct row *row = &bad_lines[i];
            evs_buffer_printf(&input, "{\"a\":%u}\n%*s", index, round * 7, "");
            evs_buffer_put(&input, row->input.data, row->input.count);
            evs_buffer_put(&input, "\n", 1);
            evs_buffer_printf(&expected, "#%u %u\n#%u %s", index, index, index + 1, row->expected);
            index += 2;
        }
    }
    struct decode_case made;
    decode_case_init(&made, "a int64", 0);
    decode_case_run(&made, (struct evs_slice){input.data, input.count}, as_file, false, false, &out);
    ck_assert_uint_eq(out.count, expected.count);
    ck_assert_int_eq(memcmp(out.data, expected.data, out.count), 0);
    decode_case_fini(&made);
    evs_buffer_fini(&input);
    evs_buffer_fini(&expected);
    evs_buffer_fini(&out);
}
END_TEST

/* Fields in another order, or missing, in every record: what was learned from one must not leak into the next. */
START_TEST(any_order_of_fields)
{
    static const char *const names[] = {"a", "bb", "x", "c", "y", "dddddddd"};
    struct evs_buffer input = {0}, expected = {0}, out = {0};
    uint64_t random = 1;
    for (uint32_t record = 0; record < 5000; record++) {
        uint32_t order[6] = {0, 1, 2, 3, 4, 5};
        bool present[6] = {false};
        for (uint32_t i = 5; i > 0; i--) {
            uint32_t j = (uint32_t)(unit_random(&random) % (i + 1)), swapped = order[i];
            order[i] = order[j];
            order[j] = swapped;
        }
        const char *separator = "{";
        for (uint32_t i = 0; i < 6; i++) {
            present[order[i]] = unit_random(&random) % 4 != 0;
            if (present[order[i]]) {
                evs_buffer_printf(&input, "%s\"%s\":%u", separator, names[order[i]], record * 10 + order[i]);
                separator = ",";
            }
        }
        evs_buffer_printf(&input, "%s}\n", *separator == '{' ? "{" : "");
        evs_buffer_printf(&expected, "#%u", record);
        for (uint32_t i = 0; i < 6; i++) {
            if (i != 2 && i != 4) {
                evs_buffer_printf(&expected, present[i] ? " %u" : " NULL", record * 10 + i);
            }
        }
        evs_buffer_puts(&expected, "\n");
    }
    struct decode_case made;
    decode_case_init(&made, "a int64; bb int64; c int64; dddddddd int64", 0);
    decode_case_run(&made, (struct evs_slice){input.data, input.count}, as_file, false, false, &out);
    ck_assert_uint_eq(out.count, expected.count);
    ck_assert_int_eq(memcmp(out.data, expected.data, out.count), 0);
    decode_case_fini(&made);
    evs_buffer_fini(&input);
    evs_buffer_fini(&expected);
    evs_buffer_fini(&out);
}
END_TEST

/* More names than the table of names has room for. */
START_TEST(any_number_of_names)
{
    struct evs_buffer input = {0}, out = {0};
    for (uint32_t record = 0; record < 40; record++) {
        evs_buffer_puts(&input, "{");
        for (uint32_t i = 0; i < 50; i++) {
            evs_buffer_printf(&input, "\"name_%u\":{\"a\":0},", record * 50 + i);
        }
        evs_buffer_printf(&input, "\"a\":%u,\"a_longer_name_than_thirty_two_bytes\":%u}\n", record, record + 1);
    }
    struct decode_case made;
    decode_case_init(&made, "a int64; a_longer_name_than_thirty_two_bytes int64; name_1999.a int64", 0);
    decode_case_run(&made, (struct evs_slice){input.data, input.count}, as_file, false, false, &out);
    evs_buffer_put(&out, "", 1);
    ck_assert_ptr_nonnull(strstr(out.data, "#0 0 1 NULL\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "#38 38 39 NULL\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "#39 39 40 0\n"));
    decode_case_fini(&made);
    evs_buffer_fini(&input);
    evs_buffer_fini(&out);
}
END_TEST

static void put_times(struct evs_buffer *out, const char *text, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        evs_buffer_puts(out, text);
    }
}

/* {"a":[[[…]]],"b":1} with `depth` containers in all. */
static void check_depth(const char *columns, uint32_t depth, const char *expected)
{
    struct evs_buffer input = {0};
    evs_buffer_puts(&input, "{\"b\":1,\"a\":");
    put_times(&input, "[", depth - 1);
    put_times(&input, "]", depth - 1);
    evs_buffer_puts(&input, ",\"c\":2}");
    check_case(&(struct row){columns, {input.data, input.count}, expected}, as_file);
    evs_buffer_fini(&input);
}

START_TEST(nesting_has_a_limit)
{
    check_depth("b int64", 1024, "#0 1\n"); /* skipped behind the last wanted field */
    check_depth("b int64", 1025, "#0 !depth\n");
    check_depth("c int64", 1024, "#0 2\n"); /* skipped before it */
    check_depth("c int64", 1025, "#0 !depth\n");
    check_depth("c int64", 200000, "#0 !depth\n");
    check_depth("a json; c int64", 1025, "#0 !depth\n"); /* taken */
    check_depth("$ json", 1025, "#0 !depth\n");
    check_depth("", 1024, "#0\n");
    check_depth("", 1025, "#0 !depth\n");
    check_depth("a.b int64; c int64", 1024, "#0 !type\n");
}
END_TEST

START_TEST(a_long_row_is_oversize)
{
    struct decode_case made;
    struct evs_buffer out = {0};
    decode_case_init(&made, "a string", 20);
    struct evs_slice input = EVS_SLICE(
        "{\"a\":\"123456789012\"}\n{\"a\":\"1234567890123\"}\r\n{\"a\":\"1\"}                  \n{\"a\":\"2\"}");
    decode_case_run(&made, input, as_file, false, false, &out);
    struct evs_slice array = EVS_SLICE("[{\"a\":\"123456789012\"},{\"a\":\"1234567890123\"},{\"a\":\"3\"}]");
    decode_case_run(&made, array, as_message, false, false, &out);
    evs_buffer_put(&out, "", 1);
    ck_assert_str_eq(out.data, "#0 \"123456789012\"\n#1 !oversize\n#2 !oversize\n#3 \"2\"\n"
                               "#0 \"123456789012\"\n#1 !oversize\n#2 \"3\"\n");
    evs_buffer_fini(&out);
    decode_case_fini(&made);
}
END_TEST

START_TEST(a_string_of_two_megabytes)
{
    struct decode_case made;
    struct evs_buffer input = {0}, out = {0};
    const uint32_t bytes = 2 << 20;
    decode_case_init(&made, "a string; b int64", 4 << 20);
    for (int escaped = 0; escaped < 2; escaped++) {
        evs_buffer_puts(&input, "{\"a\":\"");
        put_times(&input, "x", bytes - 2);
        evs_buffer_puts(&input, escaped ? "\\\\y" : "yy");
        evs_buffer_puts(&input, "\",\"b\":5}\n");
    }
    decode_case_run(&made, (struct evs_slice){input.data, input.count}, as_file, false, false, &out);
    evs_buffer_put(&out, "", 1);
    ck_assert_uint_eq(out.count - 1, 2 * (strlen("#0 \"\" 5\n") + bytes));
    ck_assert_ptr_nonnull(strstr(out.data, "xyy\" 5\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "x\\y\" 5\n"));
    decode_case_fini(&made);
    evs_buffer_fini(&input);
    evs_buffer_fini(&out);
}
END_TEST

START_TEST(details_name_the_column_and_the_place)
{
    static const struct {
        const char *columns;
        struct evs_slice input;
        const char *expected;
    } rows[] = {
        {"price numeric", IN("{\"price\":\"abc\"}"), "#0 !type price: expected numeric, got \"abc\""},
        {"price numeric", IN("{\"price\":[1]}"), "#0 !type price: expected numeric, got an array"},
        {"a.b int64", IN("{\"a\":true}"), "#0 !type a: expected an object, got true"},
        {"n int64", IN("{\"n\":1e30}"), "#0 !range n: 1e30 is beyond what int64 can hold."},
        {"t timestamp", IN("{\"t\":5}"),
         "#0 !type t: expected timestamp (a number needs a `unit` in the declaration), got 5"},
        {"u string not null", IN("{}"), "#0 !null u: missing, and the column is `not null`."},
        {"u string not null", IN("{\"u\":null}"), "#0 !null u: null, and the column is `not null`."},
        {"u string", IN("  {\"u\":\"x\" \"y\"}"), "#0 !json Byte 9: expected `,` or `}`, got `\"`."},
        {"u string", IN("{\"u\":\"x\"} y}"), "#0 !json Byte 10: expected nothing more, got `y`."},
        {"u string", IN("{\"u\":\"x\""), "#0 !json The record does not end with the `}` of its object."},
        {"u string", IN("[1]"), "#0 !type The record is no object: it begins with `[`."},
        {"u string", IN("{\"u\":nul}"), "#0 !json Byte 5: `nul` is no value."},
        {"u string", IN("{\"u\":\"\xFF\"}"), "#0 !utf8 The record is not valid UTF-8."},
        {"u int64",
         IN("{\"u\":"
            "\"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
            "\xC3\xA9\xC3\xA9"
            "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
            "\xC3\xA9\xC3\xA9\"}"),
         "#0 !type u: expected int64, got "
         "\"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
         "\xC3\xA9\xC3\xA9"
         "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3"
         "\xA9\xE2\x80\xA6"},
    };
    for (size_t i = 0; i < EVS_COUNT(rows); i++) {
        struct decode_case made;
        struct evs_buffer out = {0};
        decode_case_init(&made, rows[i].columns, 0);
        decode_case_run(&made, rows[i].input, as_file, true, false, &out);
        out.count--; /* the newline */
        evs_buffer_put(&out, "", 1);
        ck_assert_str_eq(out.data, rows[i].expected);
        evs_buffer_fini(&out);
        decode_case_fini(&made);
    }
}
END_TEST

START_TEST(raw_bytes_of_records)
{
    struct decode_case made;
    struct evs_buffer out = {0};
    decode_case_init(&made, "a int64", 0);
    decode_case_run(&made, EVS_SLICE(" {\"a\":1} \r\nno\r\n\n{\"a\":2}"), as_file, false, true, &out);
    decode_case_run(&made, EVS_SLICE("[ {\"a\":1} , no , {\"a\":2} ] x "), as_message, false, true, &out);
    decode_case_run(&made, EVS_SLICE("\n{\n\"a\":1 }\n"), as_message, false, true, &out);
    evs_buffer_put(&out, "", 1);
    ck_assert_str_eq(out.data, "#0 1 [ {\"a\":1} ]\n#1 !json [no]\n#3 2 [{\"a\":2}]\n"
                               "#0 1 [{\"a\":1}]\n#1 !json [no]\n#2 2 [{\"a\":2}]\n#3 !json [x]\n"
                               "#0 1 [{\n\"a\":1 }]\n");
    evs_buffer_fini(&out);
    decode_case_fini(&made);
}
END_TEST

/* One call into memory of the caller: where strings point, NULLs, what a batch's bits say. */
START_TEST(strings_are_views_and_bitmaps_come_with_the_first_null)
{
    static const char lines[] =
        "{\"a\":\"a string without escapes\"}\n{\"a\":\"a string with an escape\\n\"}\n{\"b\":1}\n";
    char input[sizeof lines + EVS_PADDING] = {0};
    memcpy(input, lines, sizeof lines - 1);
    struct decode_case made;
    decode_case_init(&made, "a string; b int64", 0);
    struct evs_batch *batch = evs_batch_new(made.pool, 2);
    evs_column_init(&batch->columns[0], batch, EVS_STRING, EVS_BATCH_ROWS, false);
    evs_column_init(&batch->columns[1], batch, EVS_INT64, EVS_BATCH_ROWS, false);
    uint32_t index[EVS_BATCH_ROWS], next_index = 0;
    struct evs_slice raw[EVS_BATCH_ROWS];
    struct evs_decode_bad bad[4];
    struct evs_decode_out out = {
        .batch = batch, .row_max = 2, .record_index = index, .raw = raw, .bad = bad, .bad_max = 4};
    size_t consumed = 0;
    ck_assert(!evs_decode_json.decode(made.decoder, (struct evs_slice){input, sizeof lines - 1}, &consumed, &next_index,
                                      true, &out));
    ck_assert_uint_eq(batch->row_count, 2);
    ck_assert_uint_eq(batch->selected_count, 2);
    ck_assert_ptr_null(batch->columns[0].valid);
    ck_assert_ptr_nonnull(batch->columns[1].valid);
    const struct evs_str *strings = batch->columns[0].data;
    ck_assert_ptr_eq(strings[0].pointer, input + 6);
    ck_assert(strings[1].pointer < input || strings[1].pointer >= input + sizeof input);
    out.row_max = 3;
    ck_assert(evs_decode_json.decode(made.decoder, (struct evs_slice){input, sizeof lines - 1}, &consumed, &next_index,
                                     true, &out));
    ck_assert_uint_eq(batch->row_count, 3);
    ck_assert_uint_eq(next_index, 3);
    ck_assert(evs_column_is_valid(&batch->columns[0], 1) && !evs_column_is_valid(&batch->columns[0], 2));
    ck_assert(!evs_column_is_valid(&batch->columns[1], 1) && evs_column_is_valid(&batch->columns[1], 2));
    evs_batch_unref(batch);
    decode_case_fini(&made);
}
END_TEST

/* A record that fails behind a NULL leaves no NULL in the row that takes its place. */
START_TEST(a_bad_record_leaves_no_trace)
{
    static const struct row rows[] = {
        {"a int64; b int64", IN("{\"a\":null,\"b\":\"x\"}\n{\"a\":1,\"b\":2}"), "#0 !type\n#1 1 2\n"},
        {"b int64; a int64", IN("{\"a\":null,\"b\":\"x\"}\n{\"a\":1,\"b\":2}"), "#0 !type\n#1 2 1\n"},
    };
    CHECK_ROWS(rows, as_file);
    static const struct row arrays[] = {
        {"a int64; b int64", IN("[{\"a\":1},x"), "#0 1 NULL\n#1 !json\n"},
        {"a int64; b int64", IN("[{\"a\":1},{\"b\":2},{\"a\""), "#0 1 NULL\n#1 NULL 2\n#2 !json\n"},
    };
    CHECK_ROWS(arrays, as_message);
}
END_TEST

START_TEST(a_steady_state_allocates_nothing)
{
    struct evs_buffer input = {0}, out = {0};
    for (uint32_t i = 0; i < 3000; i++) {
        evs_buffer_printf(
            &input,
            "{\"a\":\"user %u\",\"t\":\"2026-01-05T10:%02u:00Z\",\"p\":{\"x\":%u.5,\"y\":\"caf\\u00e9 number %u\"}}\n",
            i, i % 60, i, i);
    }
    struct decode_case made;
    decode_case_init(&made, "a string; t timestamp; p.x numeric; p.y string", 0);
    decode_case_run(&made, (struct evs_slice){input.data, input.count}, as_file, false, false,
                    &out); /* grows what grows */
    out.count = 0;
    decode_case_run(&made, (struct evs_slice){input.data, input.count}, as_file, false, false, &out);
    uint64_t before = evs_alloc_count();
    out.count = 0;
    decode_case_run(&made, (struct evs_slice){input.data, input.count}, as_file, false, false, &out);
    ck_assert_uint_eq(evs_alloc_count() - before,
                      2); /* the case's own: the copy of the input and the array for bad records */
    decode_case_fini(&made);
    evs_buffer_fini(&input);
    evs_buffer_fini(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode_records");
    TCase *cases = tcase_create("decode_records");
    tcase_add_test(cases, lines_of_files);
    tcase_add_test(cases, arrays_structs_and_intervals);
    tcase_add_test(cases, messages);
    tcase_add_test(cases, a_bad_line_harms_no_neighbour);
    tcase_add_test(cases, any_order_of_fields);
    tcase_add_test(cases, any_number_of_names);
    tcase_add_test(cases, nesting_has_a_limit);
    tcase_add_test(cases, a_long_row_is_oversize);
    tcase_add_test(cases, a_string_of_two_megabytes);
    tcase_add_test(cases, details_name_the_column_and_the_place);
    tcase_add_test(cases, raw_bytes_of_records);
    tcase_add_test(cases, strings_are_views_and_bitmaps_come_with_the_first_null);
    tcase_add_test(cases, a_bad_record_leaves_no_trace);
    tcase_add_test(cases, a_steady_state_allocates_nothing);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
