/* Records that look like others: read along what was learned, they must give what the walk gives. The walk is what a decoder does with its
 * first record, so every line is decoded among its neighbours and by a decoder of its own. */
#include <string.h>

#include "decode_case.h"
#include "decode_json.h"
#include "decode_json_shape.h"
#include "decode_json_store.h"
#include "unit.h"

static const struct decode_case_run all_at_once = {.is_file = true, .row_max = EVS_BATCH_ROWS, .bad_max = 64};

/* What the lines of `text` give, each by a decoder of its own. */
static void decode_alone(const char *columns, struct evs_slice text, struct evs_buffer *out)
{
    struct evs_buffer one = {0};
    uint32_t index = 0;
    for (size_t at = 0; at < text.count; index++) {
        const char *newline = memchr(text.data + at, '\n', text.count - at);
        size_t end = newline == NULL ? text.count : (size_t)(newline - text.data);
        struct decode_case made;
        decode_case_init(&made, columns, 0);
        one.count = 0;
        decode_case_run(&made, (struct evs_slice){text.data + at, end - at}, all_at_once, true, true, &one);
        decode_case_fini(&made);
        if (one.count > 0) {
            evs_buffer_printf(out, "#%u", index);
            evs_buffer_put(out, one.data + 2, one.count - 2);
        }
        at = end + 1;
    }
    evs_buffer_fini(&one);
}

/* Decodes `text` in one go, with the places of all quotes or without them, and checks it against what its lines gave alone. Tells how many records
 * went along. */
static uint64_t check_way(const char *columns, struct evs_slice text, bool with_marks, const char *alone)
{
    struct evs_buffer together = {0};
    struct decode_case made;
    decode_case_init(&made, columns, 0);
    struct json_decoder *decoder = made.decoder;
    decoder->marks = with_marks ? decoder->marks : NULL;
    decode_case_run(&made, text, all_at_once, true, true, &together);
    uint64_t followed = decoder->followed;
    evs_buffer_put(&together, "", 1);
    ck_assert_str_eq(together.data, alone);
    decode_case_fini(&made);
    evs_buffer_fini(&together);
    return followed;
}

static uint64_t check(const char *columns, struct evs_slice text)
{
    struct evs_buffer alone = {0};
    decode_alone(columns, text, &alone);
    evs_buffer_put(&alone, "", 1);
    uint64_t with = check_way(columns, text, true, alone.data), without = check_way(columns, text, false, alone.data);
    evs_buffer_fini(&alone);
    return with < without ? with : without;
}

static struct evs_slice slice_of(const struct evs_buffer *buffer)
{
    return (struct evs_slice){buffer->data, buffer->count};
}

static bool can_scan(void)
{
    return evs_json_can_scan();
}

/* --- by hand ----------------------------------------------------------------------------------------------------------- */

#define COLUMNS "a int64; b string; p.x float64; p.y string default none; t timestamp"

START_TEST(records_of_one_shape_go_along)
{
    struct evs_buffer text = {0};
    for (int i = 0; i < 500; i++) {
        evs_buffer_printf(&text,
                          "{\"id\":\"%08x\",\"a\":%d,\"b\":\"user-%d\",\"o\":{\"k\":[1,{\"z\":\"]\"}],\"e\":{}},"
                          "\"p\":{\"x\":%d.25,\"y\":\"%.*s\"},\"t\":\"2026-01-05T10:%02d:%02d.%03dZ\",\"n\":null}\n",
                          i, i, i * i, i, i % 70,
                          "0123456789012345678901234567890123456789012345678901234567890123456789", i / 60 % 60, i % 60,
                          i);
    }
    uint64_t followed = check(COLUMNS, slice_of(&text));
    ck_assert_uint_ge(followed, can_scan() ? 498 : 0);
    evs_buffer_fini(&text);
}
END_TEST

/* What stands behind a line of a known shape; `%` is that shape's first half. */
static const char *const odd_lines[] = {
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":1,\"b\":\"x,\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",    /* a string that is not closed */
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}}", /* one bracket more */
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null",   /* one less */
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null} ", /* space behind it */
    " {\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}", /* and before it */
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}\r",
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}{",
    "{\"a\":5\",\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}", /* a quote behind a number */
    "{\"a\":5:,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":\"5\",\"b\":6,\"p\":{\"x\":\"1.5\",\"y\":7},\"t\":\"2026-01-05T10:00:00Z\"}", /* other types that convert */
    "{\"a\":\"five\",\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",              /* and one that does not */
    "{\"a\":true,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":nope,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":01,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":1,\"b\":\"\\u0041\\\"\\\\\",\"p\":{\"x\":1.5,\"y\":\"\\n\"},\"t\":null}", /* escapes */
    "{\"a\":1,\"b\":\"\\x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",               /* one that is none */
    "{\"a\":1,\"b\":\"\\",                                                            /* cut behind a backslash */
    "{\"a\":1,\"b\":\"x\x01y\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",            /* a control character */
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"\\\x01\"},\"t\":null}",
    "{\"a\":1,\"b\":\"\xC3\xA9\",\"p\":{\"x\":1.5,\"y\":\"\xF0\x9F\x98\x80\"},\"t\":null}", /* beyond ASCII */
    "{\"a\":1,\"b\":\"\xC3\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",                    /* half of a character */
    "{\"a\":1,\"b\":\"\\\xC3\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"\xFF\":null}",
    "\xFF\xFF\xFF",
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null,\"a\":2}", /* the first counts */
    "{\"a\":1,\"a\":2,\"b\":\"x\",\"p\":{\"x\":1.5,\"x\":2.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5},\"p\":{\"y\":\"z\"},\"t\":null}",
    "{\"a\":1,\"b\":\"x\",\"p\":null,\"t\":null}",
    "{\"a\":1,\"b\":\"x\",\"p\":7,\"t\":null}", /* a path through a number */
    "{\"a\":1,\"b\":\"x\",\"p\":\"s\",\"t\":null}",
    "{\"a\":1,\"b\":\"x\",\"p\":[1],\"t\":null}",
    "{\"a\":1,\"b\":\"x\",\"p\":{},\"t\":null}",
    "{\"a\":{},\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":1,\"b\":[\"x\"],\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"t\":null,\"p\":{\"y\":\"z\",\"x\":1.5},\"b\":\"x\",\"a\":1}", /* another order */
    "{\"a\" : 1 , \"b\" : \"x\" , \"p\" : { \"x\" : 1.5 , \"y\" : \"z\" } , \"t\" : null }",
    "{\"a\":1,\"b\":\"x\",\"q\":{\"x\":9,\"y\":\"q\",\"p\":{\"x\":8}},\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":1,\"b\":\",\\\"p\\\":{\\\"x\\\":7\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}", /* a gap inside a string */
    "{\"a\":1,\"b\":\"x\",\"skipped\":[1,\"\\\"]\",{\"p\":{\"x\":3}}],\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":1,\"b\":\"x\",\"skipped\":[1,2},\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":1,\"b\":\"x\",\"skipped\":[\x01],\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":1,\"b\":\"x\",\"skipped\":+,\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":1,\"\\u0062\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":null}",
    "{\"a\":123456789012345678901234567890123456789012345678901234567890,\"b\":\"x\",\"p\":{\"x\":1e400,\"y\":\"z\"},"
    "\"t\":null}",
    "{\"a\":1.0,\"b\":1e5,\"p\":{\"x\":-0,\"y\":-0.5},\"t\":\"2026-01-05T23:59:60.000Z\"}",
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":\"2026-01-05T10:00:00.12Z\"}",
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":\"2026-01-05T10:00:5:.123Z\"}",
    "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":\"2026-13-05T10:00:05.123Z\"}",
    "{}",
    "[]",
    "7",
    "",
};

/* Each odd line stands between lines of the usual shape, often enough to be learned itself. */
START_TEST(odd_lines_between_usual_ones)
{
    static const char usual[] =
        "{\"a\":1,\"b\":\"x\",\"p\":{\"x\":1.5,\"y\":\"z\"},\"t\":\"2026-01-05T10:00:00.123Z\"}\n";
    struct evs_buffer text = {0};
    for (uint32_t i = 0; i < EVS_COUNT(odd_lines); i++) {
        text.count = 0;
        for (int k = 0; k < 3; k++) {
            evs_buffer_puts(&text, usual);
            evs_buffer_puts(&text, usual);
            evs_buffer_puts(&text, odd_lines[i]);
            evs_buffer_puts(&text, "\n");
        }
        check(COLUMNS, slice_of(&text));
        text.count -= 1; /* and as the last one, which no newline ends */
        check(COLUMNS, slice_of(&text));
    }
    evs_buffer_fini(&text);
}
END_TEST

/* Every pair of odd lines, so that each is read along what the other has taught. */
START_TEST(odd_lines_among_one_another)
{
    struct evs_buffer text = {0};
    for (uint32_t i = 0; i < EVS_COUNT(odd_lines); i++) {
        for (uint32_t k = 0; k < EVS_COUNT(odd_lines); k++) {
            evs_buffer_printf(&text, "%s\n%s\n", odd_lines[i], odd_lines[k]);
        }
        check(COLUMNS, slice_of(&text));
        text.count = 0;
    }
    evs_buffer_fini(&text);
}
END_TEST

START_TEST(every_length_of_gap_and_value)
{
    struct evs_buffer text = {0};
    for (int key = 1; key < 140; key += 3) {
        text.count = 0;
        for (int value = 0; value < 100; value++) {
            evs_buffer_printf(&text, "{\"%0*d\":\"%0*d\",\"%0*d\":%0*d,\"b\":\"%0*d\",\"a\":%d}\n", key, 1, value, 0,
                              key, 2, value, value % 3 == 0 ? 1 : 0, value, 7, value);
        }
        check(COLUMNS, slice_of(&text));
    }
    evs_buffer_fini(&text);
}
END_TEST

/* What lies behind the input is readable, and goes on as the shape does. So many lines stand before that runs of them are known. */
#define LINES_BEFORE 12u
static const char *const cut_lines[] = {
    "{\"a\":1,\"b\":\"some text\",\"p\":{\"x\":1.5,\"y\":\"more text\"},\"t\":null}",
    "{\"a\":1,\"t\":null,\"p\":{\"x\":1.5,\"y\":\"more text\"},\"b\":\"some text\"}",
};

static void check_cut(struct evs_slice input, size_t cut)
{
    static uint32_t index[EVS_BATCH_ROWS];
    static struct evs_slice raw[EVS_BATCH_ROWS];
    struct evs_decode_bad bad[4];
    struct decode_case made;
    decode_case_init(&made, COLUMNS, 0);
    struct evs_batch *batch = evs_batch_new(made.pool, made.column_count);
    for (uint32_t i = 0; i < made.column_count; i++) {
        evs_column_init(&batch->columns[i], batch, made.columns[i].kind, EVS_BATCH_ROWS, false);
    }
    struct evs_decode_out out = {
        .batch = batch, .row_max = 64, .record_index = index, .raw = raw, .bad = bad, .bad_max = 4};
    size_t consumed = 0;
    uint32_t next = 0;
    evs_decode_json.decode(made.decoder, input, &consumed, &next, true, &out);
    ck_assert_uint_eq(batch->row_count, LINES_BEFORE);
    ck_assert_uint_eq(out.bad_count, 1);
    ck_assert_uint_eq(out.bad[0].raw.count, cut);
    evs_batch_unref(batch);
    decode_case_fini(&made);
}

START_TEST(what_lies_behind_the_input_is_not_believed)
{
    static char text[4096 + EVS_PADDING];
    const char *line = cut_lines[_i];
    const size_t bytes = strlen(line) + 1;
    ck_assert_uint_le((LINES_BEFORE + 1) * bytes, 4096);
    for (size_t i = 0; i <= LINES_BEFORE; i++) {
        memcpy(text + i * bytes, line, bytes);
        text[(i + 1) * bytes - 1] = '\n';
    }
    for (size_t cut = 1; cut < bytes - 1; cut++) {
        check_cut((struct evs_slice){text, LINES_BEFORE * bytes + cut}, cut);
    }
}
END_TEST

START_TEST(fields_in_any_order_go_along)
{
    static const char *const fields[] = {"\"a\":1",         "\"b\":\"x\"",    "\"c\":\"yy\"", "\"d\":3",
                                         "\"e\":[4]",       "\"f\":\"\"",     "\"g\":null",   "\"t\":null",
                                         "\"h\":{\"i\":1}", "\"p\":{\"x\":2}"};
    struct evs_buffer text = {0};
    uint64_t random = 7;
    for (int i = 0; i < 900; i++) {
        uint32_t order[EVS_COUNT(fields)];
        for (uint32_t k = 0; k < EVS_COUNT(fields); k++) {
            uint32_t at = (uint32_t)(unit_random(&random) % (k + 1));
            order[k] = order[at];
            order[at] = k;
        }
        for (uint32_t k = 0; k < EVS_COUNT(fields); k++) {
            evs_buffer_printf(&text, "%s%s", k == 0 ? "{" : ",", fields[order[k]]);
        }
        evs_buffer_puts(&text, "}\n");
    }
    ck_assert_uint_gt(check(COLUMNS, slice_of(&text)), can_scan() ? 800 : 0);
    evs_buffer_fini(&text);
}
END_TEST

/* --- at random --------------------------------------------------------------------------------------------------------- */

static const char *const names[] = {
    "a", "b", "p", "x", "y", "t", "event_id", "a_long_name_of_a_field_that_nobody_wants", "z", ""};
static const char *const scalars[] = {"1",    "-7",        "0",   "2.5",   "1e3",        "true",    "false",
                                      "null", "123456789", "12.", "0.125", "99999999.5", "1234567", "12345678"};
static const char *const texts[] = {"",
                                    "x",
                                    "user-17",
                                    "2026-01-05T10:00:00.123Z",
                                    "\\n",
                                    "\xC3\xA9",
                                    "a longer text, of more than 32 bytes in all",
                                    "\\u00e9",
                                    "]},{[\\\"",
                                    "2026-01-05T10:00:01.5Z"};

/* One record's form: which fields, in which order, objects among them. */
static void put_object(struct evs_buffer *text, uint64_t shape, uint64_t *values, uint32_t depth)
{
    uint64_t form = shape;
    uint32_t count = (uint32_t)(unit_random(&form) % 6);
    evs_buffer_puts(text, "{");
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_printf(text, "%s\"%s\":", i == 0 ? "" : ",", names[unit_random(&form) % EVS_COUNT(names)]);
        uint64_t kind = unit_random(&form) % 8;
        if (kind < 2 && depth < 3) {
            put_object(text, unit_random(&form), values, depth + 1);
        } else if (kind == 2) {
            evs_buffer_printf(text, "[%s,\"%s\"]", scalars[unit_random(values) % EVS_COUNT(scalars)],
                              texts[unit_random(values) % EVS_COUNT(texts)]);
        } else if (kind < 5 || unit_random(values) % 16 == 0) {
            evs_buffer_puts(text, scalars[unit_random(values) % EVS_COUNT(scalars)]);
        } else {
            evs_buffer_printf(text, "\"%s\"", texts[unit_random(values) % EVS_COUNT(texts)]);
        }
    }
    evs_buffer_puts(text, "}");
}

static void damage(struct evs_buffer *text, size_t from, uint64_t *random)
{
    static const char bytes[] = "\"\\{}[],: \x01\x80n1\xFF";
    if (text->count > from && unit_random(random) % 8 == 0) {
        text->data[from + unit_random(random) % (text->count - from)] = bytes[unit_random(random) % (sizeof bytes - 1)];
    }
}

START_TEST(random_producers)
{
    static const char *const columns[] = {COLUMNS, "b string; b json; x numeric; p.y.z string; y bool",
                                          "a numeric; p.p.p string; event_id string not null; z int64[]"};
    struct evs_buffer text = {0};
    uint64_t random = 11, followed = 0, lines = 0;
    for (int round = 0; round < 400; round++) {
        uint64_t shapes[4], values = unit_random(&random);
        for (uint32_t i = 0; i < EVS_COUNT(shapes); i++) {
            shapes[i] = unit_random(&random);
        }
        text.count = 0;
        for (int i = 0; i < 40; i++) {
            size_t from = text.count;
            put_object(&text, shapes[unit_random(&random) % EVS_COUNT(shapes)], &values, 0);
            damage(&text, from, &random);
            evs_buffer_puts(&text, "\n");
        }
        followed += check(columns[round % (int)EVS_COUNT(columns)], slice_of(&text));
        lines += 40;
    }
    ck_assert_uint_gt(followed, can_scan() ? lines / 8 : 0); /* else nothing was tested */
    evs_buffer_fini(&text);
}
END_TEST

/* Records of one producer, of which one in `odd_each` has something unusual: it is written within a run of others, or ends one. */
static void put_usual(struct evs_buffer *text, uint64_t *random, int number, uint64_t odd_each)
{
    static const char *const odd_texts[] = {"\"u\\u0041\"", "null", "\"\xC3\xA9\"", "\"\xC3\"",
                                            "\"\x01\"",     "7",    "\"\\\"\"",     "\"\\\\\""};
    static const char *const odd_numbers[] = {"0",       "-1.5", "null", "1234567890.125", "1e3", "01",
                                              "\"3.5\"", "1.",   "0.0"};
    static const char *const odd_times[] = {"\"2026-01-05T11:00:00.000Z\"", "\"2026-01-05 10:00:00\"", "null", "\"x\"",
                                            "\"2026-01-05T10:00:0a.000Z\""};
    bool is_odd = unit_random(random) % odd_each == 0;
    uint64_t which = is_odd ? unit_random(random) % 5 : 5, r = unit_random(random);
    evs_buffer_printf(text, "{\"id\":\"%08llx\",", (unsigned long long)(r & 0xffffffff));
    if (which == 0) {
        evs_buffer_printf(text, "\"b\":%s,", odd_texts[r % EVS_COUNT(odd_texts)]);
    } else {
        evs_buffer_printf(text, "\"b\":\"user-%d\",", (int)(r % 100000000));
    }
    evs_buffer_printf(text, "\"a\":%d,\"s\":%s,\"o\":{\"p\":\"/x\\u00e9\",", number, r % 3 == 0 ? "true" : "false");
    evs_buffer_printf(text, "\"x\":%s}",
                      which == 1   ? odd_numbers[r % EVS_COUNT(odd_numbers)]
                      : r % 2 == 0 ? "12.25"
                                   : "199.5");
    evs_buffer_printf(text, ",\"t\":%s,\"u\":%s",
                      which == 2 ? odd_times[r % EVS_COUNT(odd_times)] : "\"2026-01-05T10:00:05.123Z\"",
                      which == 3   ? "nope"
                      : r % 4 == 0 ? "true"
                                   : "false");
    evs_buffer_puts(text, which == 4 ? ",\"more\":[\"x\",1]}\n" : "}\n");
}

START_TEST(runs_and_what_is_not_usual)
{
    static const char *const columns[] = {
        "b string; t timestamp; o.x float64", "b string not null; a int64; t timestamp; o.x numeric; u bool; s bool",
        "a string; id string; id json; t string; o.x string", "b string; t timestamp; o.missing string default none"};
    struct evs_buffer text = {0};
    uint64_t random = 23, followed = 0, lines = 0;
    for (int round = 0; round < 32; round++) {
        text.count = 0;
        for (int i = 0; i < 300; i++) {
            size_t from = text.count;
            put_usual(&text, &random, i, round < 16 ? 12 : 1 + (uint64_t)round % 3);
            if (unit_random(&random) % (round < 16 ? 8 : 24) == 0) {
                damage(&text, from, &random);
            }
        }
        text.count -= unit_random(&random) % 40; /* the last line may be cut, and has no newline */
        followed += check(columns[round % (int)EVS_COUNT(columns)], slice_of(&text));
        lines += 300;
    }
    ck_assert_uint_gt(followed, can_scan() ? lines / 3 : 0);
    evs_buffer_fini(&text);
}
END_TEST

/* A run compares its gaps at places that are counted from marks: no byte may be left between two of them. Usual lines and odd ones differ in what stands for
 * `%s`; the gaps there are in one piece or in several. */
#define SPACES "                               " /* 31, and a byte before them */
#define LETTERS                                                                                                        \
    "aaaaaaaaaabbbbbbbbbbccccccccc" /* 29: with `,"` before it, and the quote of a text, a piece of 32 bytes */
static const struct {
    const char *line, *usual, *odd, *columns;
} whole_lines[] = {
    {"{\"a\":1,\"b\":\"x\"}%s", "", "X", "a int64; b string"},
    {"{\"a\":1,\"b\":\"x\"}%s", "", "{}", "a int64; b string"},
    {"{\"a\":1,\"p\":{\"y\":\"x\"}}%s", "", "}", "a int64; p.y string"},
    {"{\"a\":1,\"b\":\"x\"%s}", SPACES "  ", SPACES "x  ", "a int64; b string"},
    {"{\"a\":1,\"b\":\"x\"%s}", SPACES, SPACES "   ", "a int64; b string"},
    {"{\"b\":\"x\",\"a\":1%s}", SPACES, "  x" SPACES, "a int64; b string"},
    {"{%s\"a\":1,\"b\":\"x\"}", SPACES, "   " SPACES, "a int64; b string"},
    {"{%s\"a\":1,\"b\":\"x\"}", SPACES "  ", SPACES ",  ", "a int64; b string"},
    {"{\"a\":1,%s\"b\":\"x\"}", SPACES SPACES "  ", SPACES ",  " SPACES, "a int64; b string"},
    {"{\"a\":1,\"b\":\"x\",\"" LETTERS "%seeee\":\"y\"}", "", "123", "b string; " LETTERS "eeee string"},
    {"{\"a\":1,\"b\":\"x\",\"" LETTERS "%seeee\":\"y\"}", LETTERS, LETTERS "1",
     "a int64; " LETTERS LETTERS "eeee string"},
};

START_TEST(no_byte_of_a_run_is_left_out)
{
    struct evs_buffer text = {0};
    for (int line = 0; line < 40; line++) {
        evs_buffer_printf(&text, whole_lines[_i].line, line % 8 == 7 ? whole_lines[_i].odd : whole_lines[_i].usual);
        evs_buffer_puts(&text, "\n");
    }
    check(whole_lines[_i].columns, slice_of(&text));
    text.count--; /* the last line is the text's end, too */
    check(whole_lines[_i].columns, slice_of(&text));
    evs_buffer_fini(&text);
}
END_TEST

START_TEST(short_numbers_all_at_once)
{
    static const char bytes[] = "0123456789.-e12345";
    uint64_t random = 3;
    for (int i = 0; i < 300000; i++) {
        char text[16] = "########";
        uint32_t count = 1 + (uint32_t)(unit_random(&random) % 8);
        uint32_t kinds = i % 3 == 0 ? sizeof bytes - 1 : 11;
        for (uint32_t k = 0; k < count; k++) {
            text[k] = bytes[unit_random(&random) % kinds];
        }
        struct evs_slice slice = {text, count};
        struct json_short fast = evs_json_shortest(slice), slow = evs_json_short(slice);
        ck_assert_msg(fast.is_valid == slow.is_valid, "%.*s", (int)count, text);
        if (slow.is_valid) {
            ck_assert_msg(fast.digits == slow.digits && fast.places == slow.places, "%.*s", (int)count, text);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode_shapes");
    TCase *by_hand = tcase_create("by_hand"), *at_random = tcase_create("at_random");
    tcase_add_test(by_hand, records_of_one_shape_go_along);
    tcase_add_test(by_hand, odd_lines_between_usual_ones);
    tcase_add_test(by_hand, odd_lines_among_one_another);
    tcase_add_test(by_hand, every_length_of_gap_and_value);
    tcase_add_loop_test(by_hand, what_lies_behind_the_input_is_not_believed, 0, (int)EVS_COUNT(cut_lines));
    tcase_add_test(by_hand, fields_in_any_order_go_along);
    tcase_add_loop_test(by_hand, no_byte_of_a_run_is_left_out, 0, (int)EVS_COUNT(whole_lines));
    tcase_add_test(at_random, random_producers);
    tcase_add_test(at_random, runs_and_what_is_not_usual);
    tcase_add_test(at_random, short_numbers_all_at_once);
    suite_add_tcase(suite, by_hand);
    suite_add_tcase(suite, at_random);
    return unit_run(suite);
}
