/* JSON to columns: a table of inputs, hostile ones above all, with the exact result of each. How records are told apart:
 * test_decode_records.c; comparison with another parser: test_decode_oracle.c. */
#include "decode_rows.h"

/* --- types ------------------------------------------------------------------------------------------------------------------- */

static const struct row int_rows[] = {
    {"a int64", IN("{\"a\":1}"), "#0 1\n"},
    {"a int64", IN("{\"a\":-7}"), "#0 -7\n"},
    {"a int64", IN("{\"a\":0}"), "#0 0\n"},
    {"a int64", IN("{\"a\":-0}"), "#0 0\n"},
    {"a int64", IN("{\"a\":3.0}"), "#0 3\n"},
    {"a int64", IN("{\"a\":3.000000000000000000000000000000}"), "#0 3\n"},
    {"a int64", IN("{\"a\":1e3}"), "#0 1000\n"},
    {"a int64", IN("{\"a\":1.5e1}"), "#0 15\n"},
    {"a int64", IN("{\"a\":1200e-2}"), "#0 12\n"},
    {"a int64", IN("{\"a\":0.0}"), "#0 0\n"},
    {"a int64", IN("{\"a\":0e99999999999}"), "#0 0\n"},
    {"a int64", IN("{\"a\":3.5}"), "#0 !type\n"},
    {"a int64", IN("{\"a\":1e-1}"), "#0 !type\n"},
    {"a int64", IN("{\"a\":0.0000000000000000000000001}"), "#0 !type\n"},
    {"a int64", IN("{\"a\":999999999999999999}"), "#0 999999999999999999\n"},
    {"a int64", IN("{\"a\":1000000000000000000}"), "#0 1000000000000000000\n"},
    {"a int64", IN("{\"a\":9223372036854775807}"), "#0 9223372036854775807\n"},
    {"a int64", IN("{\"a\":-9223372036854775808}"), "#0 -9223372036854775808\n"},
    {"a int64", IN("{\"a\":9223372036854775807.0}"), "#0 9223372036854775807\n"},
    {"a int64", IN("{\"a\":9223372036854775808}"), "#0 !range\n"},
    {"a int64", IN("{\"a\":-9223372036854775809}"), "#0 !range\n"},
    {"a int64", IN("{\"a\":18446744073709551616}"), "#0 !range\n"},
    {"a int64", IN("{\"a\":1e19}"), "#0 !range\n"},
    {"a int64", IN("{\"a\":1e400}"), "#0 !range\n"},
    {"a int64", IN("{\"a\":9999999999999999999999999999999999999999}"), "#0 !range\n"},
    {"a int64", IN("{\"a\":1234567890123456789.5}"), "#0 !type\n"},
    {"a int64", IN("{\"a\":\"12\"}"), "#0 12\n"},
    {"a int64", IN("{\"a\":\"0x1F\"}"), "#0 31\n"},
    {"a int64", IN("{\"a\":\"\\u0031\"}"), "#0 1\n"},
    {"a int64", IN("{\"a\":\"12a\"}"), "#0 !type\n"},
    {"a int64", IN("{\"a\":\"\"}"), "#0 !type\n"},
    {"a int64", IN("{\"a\":\"1.5\"}"), "#0 !type\n"},
    {"a int64", IN("{\"a\":true}"), "#0 !type\n"},
    {"a int64", IN("{\"a\":[1]}"), "#0 !type\n"},
    {"a int64", IN("{\"a\":{\"b\":1}}"), "#0 !type\n"},
    {"a int64", IN("{\"a\":null}"), "#0 NULL\n"},
    {"a int64", IN("{}"), "#0 NULL\n"},
};

static const struct row number_rows[] = {
    {"a float64", IN("{\"a\":1.5}"), "#0 1.5\n"},
    {"a float64", IN("{\"a\":0.1}"), "#0 0.1\n"},
    {"a float64", IN("{\"a\":0}"), "#0 0\n"},
    {"a float64", IN("{\"a\":-0.0}"), "#0 -0\n"},
    {"a float64", IN("{\"a\":9007199254740993}"), "#0 9007199254740992\n"},
    {"a float64", IN("{\"a\":123456789012345678}"), "#0 123456789012345680\n"},
    {"a float64", IN("{\"a\":2.2250738585072014e-308}"), "#0 2.2250738585072014e-308\n"},
    {"a float64", IN("{\"a\":5e-324}"), "#0 5e-324\n"},
    {"a float64", IN("{\"a\":1e-400}"), "#0 0\n"},
    {"a float64", IN("{\"a\":1.7976931348623157e308}"), "#0 1.7976931348623157e+308\n"},
    {"a float64", IN("{\"a\":1e400}"), "#0 !range\n"},
    {"a float64", IN("{\"a\":-1e309}"), "#0 !range\n"},
    {"a float64",
     IN("{\"a\":0."
        "10000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001}"),
     "#0 0.1\n"},
    {"a float64", IN("{\"a\":\"1.5\"}"), "#0 1.5\n"},
    {"a float64", IN("{\"a\":\"NaN\"}"), "#0 NaN\n"},
    {"a float64", IN("{\"a\":\"-inf\"}"), "#0 -Infinity\n"},
    {"a float64", IN("{\"a\":NaN}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":Infinity}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":-Infinity}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":false}"), "#0 !type\n"},
    {"a numeric", IN("{\"a\":12.34}"), "#0 12.34\n"},
    {"a numeric", IN("{\"a\":-12.34}"), "#0 -12.34\n"},
    {"a numeric", IN("{\"a\":0.0000000005}"), "#0 0.000000001\n"},
    {"a numeric", IN("{\"a\":-0.0000000005}"), "#0 -0.000000001\n"},
    {"a numeric", IN("{\"a\":0.00000000049999999999}"), "#0 0\n"},
    {"a numeric", IN("{\"a\":1.1e3}"), "#0 1100\n"},
    {"a numeric", IN("{\"a\":99999999999999999999999999999.999999999}"),
     "#0 99999999999999999999999999999.999999999\n"},
    {"a numeric", IN("{\"a\":99999999999999999999999999999.9999999995}"), "#0 !range\n"},
    {"a numeric", IN("{\"a\":1e29}"), "#0 !range\n"},
    {"a numeric", IN("{\"a\":1e400}"), "#0 !range\n"},
    {"a numeric", IN("{\"a\":0.1}"), "#0 0.1\n"},
    {"a numeric", IN("{\"a\":\"12.345678901234\"}"), "#0 12.345678901\n"},
    {"a numeric", IN("{\"a\":\"abc\"}"), "#0 !type\n"},
    {"a numeric", IN("{\"a\":true}"), "#0 !type\n"},
    {"a bool", IN("{\"a\":true}"), "#0 true\n"},
    {"a bool", IN("{\"a\":false}"), "#0 false\n"},
    {"a bool", IN("{\"a\":\"TRUE\"}"), "#0 true\n"},
    {"a bool", IN("{\"a\":\"yes\"}"), "#0 !type\n"},
    {"a bool", IN("{\"a\":1}"), "#0 !type\n"},
    {"a bool", IN("{\"a\":tru}"), "#0 !json\n"},
    {"a bool", IN("{\"a\":truee}"), "#0 !json\n"},
    {"a bool", IN("{\"a\":true\"x\"}"), "#0 !json\n"},
    {"a bool", IN("{\"a\":True}"), "#0 !json\n"},
    {"a bool", IN("{\"a\":nul}"), "#0 !json\n"},
};

static const struct row malformed_number_rows[] = {
    {"a float64", IN("{\"a\":01}"), "#0 !json\n"},      {"a float64", IN("{\"a\":-01}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":00}"), "#0 !json\n"},      {"a float64", IN("{\"a\":1.}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":.5}"), "#0 !json\n"},      {"a float64", IN("{\"a\":-}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":-.5}"), "#0 !json\n"},     {"a float64", IN("{\"a\":+1}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":1e}"), "#0 !json\n"},      {"a float64", IN("{\"a\":1e+}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":1.e5}"), "#0 !json\n"},    {"a float64", IN("{\"a\":1.2.3}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":1-2}"), "#0 !json\n"},     {"a float64", IN("{\"a\":--1}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":0x1F}"), "#0 !json\n"},    {"a float64", IN("{\"a\":1_000}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":1 2}"), "#0 !json\n"},     {"a float64", IN("{\"a\":1\"b\"}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":1\\}"), "#0 !json\n"},     {"a float64", IN("{\"a\":1\0}"), "#0 !json\n"},
    {"a float64", IN("{\"a\":1f}"), "#0 !json\n"},      {"a float64", IN("{\"a\":1\xC3\xA9}"), "#0 !json\n"},
    {"a string", IN("{\"a\":01}"), "#0 !json\n"},       {"a string", IN("{\"a\":1.50}"), "#0 \"1.50\"\n"},
    {"a string", IN("{\"a\":1E+2 }"), "#0 \"1E+2\"\n"},
};

static const struct row string_rows[] = {
    {"a string", IN("{\"a\":\"\"}"), "#0 \"\"\n"},
    {"a string", IN("{\"a\":\"x\"}"), "#0 \"x\"\n"},
    {"a string", IN("{\"a\":\"abcd\"}"), "#0 \"abcd\"\n"},
    {"a string", IN("{\"a\":\"abcdefghijkl\"}"), "#0 \"abcdefghijkl\"\n"},
    {"a string", IN("{\"a\":\"abcdefghijklm\"}"), "#0 \"abcdefghijklm\"\n"},
    {"a string", IN("{\"a\":\"a\\nb\\t\\\"\\\\\\/\\b\\f\\r\"}"), "#0 \"a\\x0ab\\x09\"\\/\\x08\\x0c\\x0d\"\n"},
    {"a string", IN("{\"a\":\"caf\\u00e9\"}"), "#0 \"caf\xC3\xA9\"\n"},
    {"a string", IN("{\"a\":\"\\u20AC\"}"), "#0 \"\xE2\x82\xAC\"\n"},
    {"a string", IN("{\"a\":\"\\ud83d\\ude00\"}"), "#0 \"\xF0\x9F\x98\x80\"\n"},
    {"a string", IN("{\"a\":\"\xF0\x9F\x98\x80\"}"), "#0 \"\xF0\x9F\x98\x80\"\n"},
    {"a string", IN("{\"a\":\"\\u0000\"}"), "#0 \"\\x00\"\n"},
    {"a string", IN("{\"a\":\"\\u007f\"}"), "#0 \"\x7F\"\n"},
    {"a string", IN("{\"a\":\"\\ud83d\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\ude00\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\ude00\\ud83d\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\ud83dx\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\ud83d\\udbff\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\ud83d\\ue000\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\ud83d\\u0041\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\ud83d\\n\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\u12\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\u12g4\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\x41\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\'\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"\\\\\"}"), "#0 \"\\\"\n"},
    {"a string", IN("{\"a\":\"\\\\\\\"\"}"), "#0 \"\\\"\"\n"},
    {"a string", IN("{\"a\":\"a\tb\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"a\0b\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"a\x1F\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"abc}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"x\"y}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"x\" \"y\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"x\"\"y\"}"), "#0 !json\n"},
    {"a string", IN("{\"a\":'x'}"), "#0 !json\n"},
    {"a string", IN("{\"a\":\"{}[],:\"}"), "#0 \"{}[],:\"\n"},
    {"a string", IN("{\"a\":true}"), "#0 \"true\"\n"},
    {"a string", IN("{\"a\":12}"), "#0 \"12\"\n"},
    {"a string", IN("{\"a\":{}}"), "#0 !type\n"},
    {"a string", IN("{\"a\":[]}"), "#0 !type\n"},
    {"a bytes", IN("{\"a\":\"x\\u0000\"}"), "#0 \"x\\x00\"\n"},
    {"a string", IN("{\"a\":\"\xFF\"}"), "#0 !utf8\n"},
    {"a string", IN("{\"a\":\"\xC3\"}"), "#0 !utf8\n"},
    {"a string", IN("{\"a\":\"\xC0\x80\"}"), "#0 !utf8\n"},
    {"a string", IN("{\"a\":\"\xED\xA0\x80\"}"), "#0 !utf8\n"},
    {"a string", IN("{\"a\":\"\xF4\x90\x80\x80\"}"), "#0 !utf8\n"},
    {"a string", IN("{\"a\":\"x\",\"b\":\"\xE2\x82\"}"), "#0 !utf8\n"},
    {"a string", IN("{\"a\":\"x\"}\xFE"), "#0 !utf8\n"},
};

static const struct row time_rows[] = {
    {"a timestamp", IN("{\"a\":\"2026-01-05T10:00:00Z\"}"), "#0 2026-01-05T10:00:00Z\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05T10:00:00.5Z\"}"), "#0 2026-01-05T10:00:00.500Z\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05T10:00:00.123456Z\"}"), "#0 2026-01-05T10:00:00.123456Z\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05T10:00:00.1234567Z\"}"), "#0 2026-01-05T10:00:00.123456Z\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05T10:00:00+01:00\"}"), "#0 2026-01-05T09:00:00Z\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05 10:00:00\"}"), "#0 2026-01-05T10:00:00Z\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05\"}"), "#0 2026-01-05T00:00:00Z\n"},
    {"a timestamp", IN("{\"a\":\"2016-12-31T23:59:60Z\"}"), "#0 2017-01-01T00:00:00Z\n"},
    {"a timestamp", IN("{\"a\":\"1969-12-31T23:59:59.999Z\"}"), "#0 1969-12-31T23:59:59.999Z\n"},
    {"a timestamp", IN("{\"a\":\"2026-02-29T10:00:00Z\"}"), "#0 !type\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05T24:00:00Z\"}"), "#0 !type\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05T10:60:00Z\"}"), "#0 !type\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05T10:00:61Z\"}"), "#0 !type\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05T10:00:00.Z\"}"), "#0 !type\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05T10:00:0xZ\"}"), "#0 !type\n"},
    {"a timestamp", IN("{\"a\":\"2026-01-05T10:00:00.5xZ\"}"), "#0 !type\n"},
    {"a timestamp", IN("{\"a\":\"yesterday\"}"), "#0 !type\n"},
    {"a timestamp", IN("{\"a\":\"\"}"), "#0 !type\n"},
    {"a timestamp", IN("{\"a\":1767607200}"), "#0 !type\n"},
    {"a timestamp unit s", IN("{\"a\":1767607200}"), "#0 2026-01-05T10:00:00Z\n"},
    {"a timestamp unit s", IN("{\"a\":1767607200.25}"), "#0 2026-01-05T10:00:00.250Z\n"},
    {"a timestamp unit s", IN("{\"a\":1.7676072e9}"), "#0 2026-01-05T10:00:00Z\n"},
    {"a timestamp unit s", IN("{\"a\":-0.0000001}"), "#0 1969-12-31T23:59:59.999999Z\n"},
    {"a timestamp unit s", IN("{\"a\":0.0000009}"), "#0 1970-01-01T00:00:00Z\n"},
    {"a timestamp unit ms", IN("{\"a\":1767607200123}"), "#0 2026-01-05T10:00:00.123Z\n"},
    {"a timestamp unit ms", IN("{\"a\":1767607200123.4567}"), "#0 2026-01-05T10:00:00.123456Z\n"},
    {"a timestamp unit us", IN("{\"a\":1767607200123456}"), "#0 2026-01-05T10:00:00.123456Z\n"},
    {"a timestamp unit ns", IN("{\"a\":1767607200123456789}"), "#0 2026-01-05T10:00:00.123456Z\n"},
    {"a timestamp unit ns", IN("{\"a\":-1}"), "#0 1969-12-31T23:59:59.999999Z\n"},
    {"a timestamp unit ms", IN("{\"a\":\"2026-01-05T10:00:00Z\"}"), "#0 2026-01-05T10:00:00Z\n"},
    {"a timestamp unit s", IN("{\"a\":253402300799}"), "#0 9999-12-31T23:59:59Z\n"},
    {"a timestamp unit s", IN("{\"a\":253402300800}"), "#0 !range\n"},
    {"a timestamp unit s", IN("{\"a\":-62135596801}"), "#0 !range\n"},
    {"a timestamp unit s", IN("{\"a\":1e400}"), "#0 !range\n"},
    {"a timestamp unit s", IN("{\"a\":true}"), "#0 !type\n"},
    {"a date", IN("{\"a\":\"2026-01-05\"}"), "#0 2026-01-05\n"},
    {"a date", IN("{\"a\":\"2026-13-05\"}"), "#0 !type\n"},
    {"a date", IN("{\"a\":20260105}"), "#0 !type\n"},
    {"a datetime", IN("{\"a\":\"1970-01-01T00:00:01\"}"), "#0 1000000\n"},
    {"a datetime", IN("{\"a\":\"1970-01-01T00:00:01Z\"}"), "#0 !type\n"},
    {"a datetime", IN("{\"a\":\"1970-01-01T00:00:01+00:00\"}"), "#0 !type\n"},
    {"a time", IN("{\"a\":\"00:00:01.5\"}"), "#0 1500000\n"},
    {"a time", IN("{\"a\":\"25:00:00\"}"), "#0 !type\n"},
    {"a time", IN("{\"a\":\"00:00:01Z\"}"), "#0 !type\n"},
    {"a time", IN("{\"a\":\"000000000000000000000000000000000000000000000000000000000000000000\"}"), "#0 !type\n"},
};

/* --- presence, paths, names ---------------------------------------------------------------------------------------------------- */

static const struct row presence_rows[] = {
    {"a int64 not null", IN("{\"a\":null}"), "#0 !null\n"},
    {"a int64 not null", IN("{\"b\":1}"), "#0 !null\n"},
    {"a int64 not null default 5", IN("{\"b\":1}"), "#0 5\n"},
    {"a int64 not null default 5", IN("{\"a\":null}"), "#0 !null\n"},
    {"a int64 default 5", IN("{\"a\":null}"), "#0 NULL\n"},
    {"a int64 default 5", IN("{}"), "#0 5\n"},
    {"a string default unknown", IN("{}"), "#0 \"unknown\"\n"},
    {"a string default a-default-that-is-long", IN("{}"), "#0 \"a-default-that-is-long\"\n"},
    {"a bool default true; b numeric default 3; c float64 default 2", IN("{}"), "#0 true 3 2\n"},
    {"a int64; b int64", IN("{\"a\":1}\n{\"b\":2}\n{}"), "#0 1 NULL\n#1 NULL 2\n#2 NULL NULL\n"},
    {"a int64; b int64 not null", IN("{\"b\":null,\"a\":null}\n{\"a\":1,\"b\":2}"), "#0 !null\n#1 1 2\n"},
    {"", IN("{}\n{\"a\":1}"), "#0\n#1\n"},
    {"a.b int64", IN("{\"a\":{\"b\":1}}"), "#0 1\n"},
    {"a.b int64", IN("{\"a\":{\"c\":1}}"), "#0 NULL\n"},
    {"a.b int64 default 7", IN("{\"a\":null}"), "#0 7\n"},
    {"a.b int64 default 7", IN("{\"a\":{}}"), "#0 7\n"},
    {"a.b int64", IN("{\"a\":5}"), "#0 !type\n"},
    {"a.b int64", IN("{\"a\":\"x\"}"), "#0 !type\n"},
    {"a.b int64", IN("{\"a\":[]}"), "#0 !type\n"},
    {"a.b int64", IN("{\"a\":[{\"b\":1}]}"), "#0 !type\n"},
    {"a.b int64", IN("{\"a\":nope}"), "#0 !json\n"},
    {"a.b int64", IN("{\"x\":{\"a\":{\"b\":9}},\"a\":{\"b\":1}}"), "#0 1\n"},
    {"a.b int64; a.c int64; d int64", IN("{\"d\":3,\"a\":{\"c\":2,\"x\":{\"b\":8},\"b\":1}}"), "#0 1 2 3\n"},
    {"a.b.c.d int64", IN("{\"a\":{\"b\":{\"c\":{\"d\":4}}}}"), "#0 4\n"},
    {"a json; a.b int64", IN("{\"a\": {\"b\" : 1} }"), "#0 \"{\"b\" : 1}\" 1\n"},
    {"a.b int64; a json", IN("{\"a\":null}"), "#0 NULL NULL\n"},
    {"a int64; a string", IN("{\"a\":12}"), "#0 12 \"12\"\n"},
    {"a int64; a string", IN("{\"a\":\"x\"}"), "#0 !type\n"},
    {"a int64", IN("{\"a\":1,\"a\":2}"), "#0 1\n"},
    {"a int64", IN("{\"b\":1,\"a\":1,\"b\":2,\"a\":\"x\"}"), "#0 1\n"},
    {"a int64; b int64", IN("{\"a\":1,\"a\":2,\"b\":3}"), "#0 1 3\n"},
    {"a int64; b int64", IN("{\"b\":3,\"a\":1,\"b\":2}"), "#0 1 3\n"},
    {"a.x int64; a.y int64", IN("{\"a\":{\"x\":1},\"a\":{\"y\":2}}"), "#0 1 NULL\n"},
    {"a int64", IN("{\"a\":null,\"a\":2}"), "#0 NULL\n"},
    {"a int64", IN("{\"\\u0061\":1}"), "#0 1\n"},
    {"a int64", IN("{\"\\u0061\":1,\"a\":2}"), "#0 1\n"},
    {"a int64", IN("{\"A\":1}"), "#0 NULL\n"},
    {"a int64", IN("{\"aa\":1,\"\":2,\"a\":3}"), "#0 3\n"},
    {"caf\xC3\xA9 int64", IN("{\"caf\\u00e9\":1}"), "#0 1\n"},
    {"a\"b int64", IN("{\"a\\\"b\":1}"), "#0 1\n"},
    {"a\\b int64", IN("{\"a\\b\":1}"), "#0 NULL\n"},
    {"a\\b int64", IN("{\"a\\\\b\":1}"), "#0 1\n"},
    {"a int64", IN("{\"\\q\":1,\"a\":2}"), "#0 !json\n"},
    {"a_name_of_thirty_one_characters int64", IN("{\"a_name_of_thirty_one_characters\":1}"), "#0 1\n"},
    {"a_name_of_thirty_two_characters_ int64", IN("{\"a_name_of_thirty_two_characters_\":1}"), "#0 1\n"},
    {"a_name_that_is_longer_than_the_slots_for_names int64",
     IN("{\"a_name_that_is_longer_than_the_slots_for_names\":1}"), "#0 1\n"},
    {"a_name_that_is_longer_than_the_slots_for_names int64",
     IN("{\"a_name_that_is_longer_than_the_slots_for_namez\":1}"), "#0 NULL\n"},
};

static const struct row json_rows[] = {
    {"a json", IN("{\"a\": {\"x\": [1, 2.50, \"\\u00e9\"]} }"), "#0 \"{\"x\": [1, 2.50, \"\\u00e9\"]}\"\n"},
    {"a json", IN("{\"a\":\"x\"}"), "#0 \"\"x\"\"\n"},
    {"a json", IN("{\"a\": 1.0 ,\"b\":2}"), "#0 \"1.0\"\n"},
    {"a json", IN("{\"a\":true}"), "#0 \"true\"\n"},
    {"a json", IN("{\"a\":null}"), "#0 NULL\n"},
    {"a json", IN("{\"a\":[]}"), "#0 \"[]\"\n"},
    {"a json", IN("{\"a\":[[],{}]}"), "#0 \"[[],{}]\"\n"},
    {"a json", IN("{\"a\":[1,]}"), "#0 !json\n"},
    {"a json", IN("{\"a\":[,1]}"), "#0 !json\n"},
    {"a json", IN("{\"a\":[1 2]}"), "#0 !json\n"},
    {"a json", IN("{\"a\":[1}}"), "#0 !json\n"},
    {"a json", IN("{\"a\":{\"x\":1]}"), "#0 !json\n"},
    {"a json", IN("{\"a\":{\"x\"}}"), "#0 !json\n"},
    {"a json", IN("{\"a\":{\"x\":}}"), "#0 !json\n"},
    {"a json", IN("{\"a\":{\"x\":1,}}"), "#0 !json\n"},
    {"a json", IN("{\"a\":{,}}"), "#0 !json\n"},
    {"a json", IN("{\"a\":{1:2}}"), "#0 !json\n"},
    {"a json", IN("{\"a\":{x:2}}"), "#0 !json\n"},
    {"a json", IN("{\"a\":{\"x\":01}}"), "#0 !json\n"},
    {"a json", IN("{\"a\":{\"x\":nul}}"), "#0 !json\n"},
    {"a json", IN("{\"a\":{\"x\":\"\\q\"}}"), "#0 !json\n"},
    {"a json", IN("{\"a\":{\"\\q\":1}}"), "#0 !json\n"},
    {"a json", IN("{\"a\":\"\\ud800\"}"), "#0 !json\n"},
    {"a json", IN("{\"a\":1e999}"), "#0 \"1e999\"\n"},
    {"$ json", IN(" {\"a\": 1 } \r\n"), "#0 \"{\"a\": 1 }\"\n"},
    {"$ json; a int64", IN("{\"a\":1}"), "#0 \"{\"a\":1}\" 1\n"},
    {"$ json; a int64", IN("{\"a\":1,\"b\":nope}"), "#0 !json\n"},
    {"$ json", IN("{\"a\":1]"), "#0 !json\n"},
};

/* --- structure ------------------------------------------------------------------------------------------------------------------ */

static const struct row structure_rows[] = {
    {"a int64", IN("{\"a\":1}x"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1}}"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1}{\"a\":2}"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1},{\"a\":2}"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1} {}"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1}\0"), "#0 !json\n"},
    {"a int64", IN("{\0:1,\"a\":2}"), "#0 !json\n"},
    {"a int64", IN("{\0\":1,\"a\":2}"), "#0 !json\n"},
    {"a int64", IN("12 \0"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1,\"b\":2}{\"c\":3}"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1,\"b\":{}}}"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1,"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1,}"), "#0 !json\n"},
    {"a int64", IN("{\"b\":1,}"), "#0 !json\n"},
    {"a int64", IN("{,\"a\":1}"), "#0 !json\n"},
    {"a int64", IN("{\"a\"}"), "#0 !json\n"},
    {"a int64", IN("{\"a\":}"), "#0 !json\n"},
    {"a int64", IN("{\"a\" 1}"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1 \"b\":2}"), "#0 !json\n"},
    {"a int64", IN("{\"b\":2 \"a\":1}"), "#0 !json\n"},
    {"a int64", IN("{\"b\":2;\"a\":1}"), "#0 !json\n"},
    {"a int64", IN("{\"a\"::1}"), "#0 !json\n"},
    {"a int64", IN("{a:1}"), "#0 !json\n"},
    {"a int64", IN("{'a':1}"), "#0 !json\n"},
    {"a int64", IN("{1:1}"), "#0 !json\n"},
    {"a int64", IN("{[]:1}"), "#0 !json\n"},
    {"a int64", IN("{x\"a\":1}"), "#0 !json\n"},
    {"a int64", IN("{\"a\"x:1}"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1/*c*/}"), "#0 !json\n"},
    {"a int64", IN("{\"b\":,\"a\":1}"), "#0 !json\n"},
    {"a int64", IN("{\"b\":},\"a\":1}"), "#0 !json\n"},
    {"a int64", IN("{\"b\":{\"c\":1,\"a\":1}"), "#0 !json\n"},
    {"a int64", IN("{\"b\":[1,2,\"a\":1}"), "#0 !json\n"},
    {"a int64", IN("{\"b\":?,\"a\":1}"), "#0 !json\n"},
    {"a int64", IN("{"), "#0 !json\n"},
    {"a int64", IN("}"), "#0 !json\n"},
    {"a int64", IN("{}{"), "#0 !json\n"},
    {"a int64", IN("x"), "#0 !json\n"},
    {"a int64", IN("\0"), "#0 !json\n"},
    {"a int64", IN("\x0C{\"a\":1}"), "#0 !json\n"},
    {"a int64", IN("{\"a\":1\x0C}"), "#0 !json\n"},
    {"a int64",
     IN("{\"a\"\x1A"
        "1}"),
     "#0 !json\n"},
    {"a int64", IN("{\"b\":1\x0C\"a\":1}"), "#0 !json\n"},
    {"a int64", IN("123"), "#0 !type\n"},
    {"a int64", IN("\"a\""), "#0 !type\n"},
    {"a int64", IN("null"), "#0 !type\n"},
    {"a int64", IN("[1,2]"), "#0 !type\n"},
    {"a int64", IN("[{\"a\":1}]"), "#0 !type\n"},
    {"a int64", IN("[1,2"), "#0 !json\n"},
    {"a int64", IN("12 34"), "#0 !json\n"},
    {"a int64", IN(" \t{ \"a\" :\t1 , \"b\" : [ ] } \t"), "#0 1\n"},
    {"a int64", IN("{\"b\":[{\"a\":2},[3]],\"a\":1}"), "#0 1\n"},
    {"a int64", IN("\xEF\xBB\xBF{\"a\":1}\n{\"a\":2}"), "#0 1\n#1 2\n"},
    {"a int64", IN("{\"a\":1}\n\xEF\xBB\xBF{\"a\":2}"), "#0 1\n#1 !json\n"},
    {"a int64", IN("{\"a\xEF\xBB\xBF\":1}"), "#0 NULL\n"},
    /* What no column wants is skipped by its brackets: docs/internals/decoding.md. */
    {"a int64", IN("{\"a\":1,\"b\":nope}"), "#0 1\n"},
    {"a int64", IN("{\"b\":01,\"a\":1}"), "#0 1\n"},
    {"a int64", IN("{\"b\":[1},\"a\":1}"), "#0 1\n"},
    {"a int64", IN("{\"a\":1,\"b\":2,,}"), "#0 1\n"},
    {"a int64", IN("{\"a\":1,,}"), "#0 !json\n"},
    {"a int64", IN("{\"b\":\"\\q\",\"a\":1}"), "#0 1\n"},
};

START_TEST(integers)
{
    CHECK_ROWS(int_rows, as_file);
}
END_TEST

START_TEST(numbers_and_booleans)
{
    CHECK_ROWS(number_rows, as_file);
    CHECK_ROWS(malformed_number_rows, as_file);
}
END_TEST

START_TEST(quoted_text)
{
    CHECK_ROWS(string_rows, as_file);
}
END_TEST

START_TEST(dates_and_times)
{
    CHECK_ROWS(time_rows, as_file);
}
END_TEST

START_TEST(presence_paths_and_names)
{
    CHECK_ROWS(presence_rows, as_file);
}
END_TEST

START_TEST(json_columns)
{
    CHECK_ROWS(json_rows, as_file);
}
END_TEST

START_TEST(structure)
{
    CHECK_ROWS(structure_rows, as_file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode_json");
    TCase *cases = tcase_create("decode_json");
    tcase_add_test(cases, integers);
    tcase_add_test(cases, numbers_and_booleans);
    tcase_add_test(cases, quoted_text);
    tcase_add_test(cases, dates_and_times);
    tcase_add_test(cases, presence_paths_and_names);
    tcase_add_test(cases, json_columns);
    tcase_add_test(cases, structure);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
