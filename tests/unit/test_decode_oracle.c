/* The decoder against another JSON reader, on random records and on records that were damaged at random.
 *
 * With a whole-record column everything is checked, so a record is accepted exactly when the oracle takes it as an object. Without,
 * only what is wanted is checked: whatever the oracle takes must come out with the same values, and whatever comes out of a
 * record that the oracle takes must be what the oracle has. */
#include <math.h>
#include <string.h>

#include "decode_json.h"
#include "evstream/source.h"
#include "json_oracle.h"
#include "unit.h"

#define RECORDS 60000
#define RECORD_BYTES_MAX 4096

/* --- random JSON ---------------------------------------------------------------------------------------------------------------- */

struct maker {
    uint64_t random;
    struct evs_buffer text;
};

static uint32_t dice(struct maker *maker, uint32_t sides)
{
    return (uint32_t)(unit_random(&maker->random) % sides);
}

static void put(struct maker *maker, const char *text)
{
    evs_buffer_puts(&maker->text, text);
}

static void put_space(struct maker *maker)
{
    static const char *const spaces[] = {" ", "  ", "\t", "\r"};
    if (dice(maker, 6) == 0) {
        put(maker, spaces[dice(maker, 4)]);
    }
}

static void put_string(struct maker *maker)
{
    static const char *const pieces[] = {"a",
                                         "product_view",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\u00e9",
                                         "\xC3\xA9",
                                         "\\ud83d\\ude00",
                                         "\xF0\x9F\x98\x80",
                                         "{",
                                         "}",
                                         "[",
                                         ",",
                                         ":",
                                         " ",
                                         "12",
                                         "\\/",
                                         "\\u0000",
                                         "2026-01-05T10:00:00Z",
                                         "true"};
    put(maker, "\"");
    for (uint32_t count = dice(maker, 5); count > 0; count--) {
        put(maker, pieces[dice(maker, EVS_COUNT(pieces))]);
    }
    put(maker, "\"");
}

static void put_number(struct maker *maker)
{
    static const char *const odd[] = {"0",
                                      "-0",
                                      "0.0",
                                      "1e3",
                                      "-1.5E-7",
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "9223372036854775808",
                                      "1.7976931348623157e308",
                                      "5e-324",
                                      "123456789012345678",
                                      "0.1",
                                      "1e22",
                                      "1e23",
                                      "3.0",
                                      "18446744073709551615"};
    if (dice(maker, 3) == 0) {
        put(maker, odd[dice(maker, EVS_COUNT(odd))]);
    } else {
        evs_buffer_printf(&maker->text, dice(maker, 2) ? "%d" : "%d.%02u", (int)dice(maker, 100000) - 50000,
                          dice(maker, 100));
    }
}

static void put_name(struct maker *maker)
{
    static const char *const names[] = {
        "i", "f", "s", "b", "t", "o", "p", "u", "j", "\\u0073", "zz", "", "a_name_that_is_longer_than_thirty_two_bytes",
        "s1"};
    evs_buffer_printf(&maker->text, "\"%s\"", names[dice(maker, EVS_COUNT(names))]);
}

static void put_value(struct maker *maker, uint32_t depth);

static void put_container(struct maker *maker, uint32_t depth, bool object)
{
    put(maker, object ? "{" : "[");
    for (uint32_t left = dice(maker, depth == 0 ? 12 : 4); left > 0; left--) {
        put_space(maker);
        if (object) {
            put_name(maker);
            put_space(maker);
            put(maker, ":");
            put_space(maker);
        }
        put_value(maker, depth + 1);
        put_space(maker);
        put(maker, left > 1 ? "," : "");
    }
    put_space(maker);
    put(maker, object ? "}" : "]");
}

static void put_value(struct maker *maker, uint32_t depth)
{
    static const char *const literals[] = {"true", "false", "null"};
    switch (dice(maker, depth > 4 ? 6 : 8)) {
    case 0:
    case 1:
    case 2:
        put_string(maker);
        break;
    case 3:
    case 4:
        put_number(maker);
        break;
    case 5:
        put(maker, literals[dice(maker, 3)]);
        break;
    case 6:
        put_container(maker, depth, true);
        break;
    default:
        put_container(maker, depth, false);
    }
}

/* Bytes that mean something, put in, taken out, doubled, moved. A newline would make two records. */
static void damage(struct maker *maker)
{
    static const char bytes[] = "{}[],:\"\\ 0.e-tfn\x01\xC3\xA9\xFFua\x00/";
    for (uint32_t hits = 1 + dice(maker, 3); hits > 0 && maker->text.count > 0; hits--) {
        char *text = maker->text.data;
        size_t at = dice(maker, (uint32_t)maker->text.count), from = dice(maker, (uint32_t)maker->text.count);
        switch (dice(maker, 4)) {
        case 0:
            text[at] = bytes[dice(maker, sizeof bytes - 1)];
            break;
        case 1:
            memmove(text + at, text + at + 1, maker->text.count - at - 1);
            maker->text.count--;
            break;
        case 2:
            maker->text.count = at;
            break;
        default:
            text[at] = text[from];
        }
    }
}

/* --- comparison ----------------------------------------------------------------------------------------------------------------- */

enum { I, F, S, B, OI, OS, COLUMNS };
static const char *const paths[COLUMNS][2] = {{"i"}, {"f"}, {"s"}, {"b"}, {"o", "i"}, {"o", "s"}};
static const enum evs_kind kinds[COLUMNS] = {EVS_INT64, EVS_FLOAT64, EVS_STRING, EVS_BOOL, EVS_INT64, EVS_STRING};

struct bench {
    struct evs_decode_column columns[COLUMNS + 1]; /* the last one: the whole record */
    struct evs_batch_pool *pool;
    void *some, *whole;
    struct json_oracle *oracle;
    uint32_t rows, accepted_damaged;
};

static void bench_init(struct bench *bench)
{
    *bench = (struct bench){.pool = evs_batch_pool_new(), .oracle = json_oracle_new()};
    for (uint32_t i = 0; i < COLUMNS; i++) {
        bench->columns[i] = (struct evs_decode_column){.name = paths[i][0],
                                                       .path = (const char **)paths[i],
                                                       .path_count = paths[i][1] == NULL ? 1 : 2,
                                                       .kind = kinds[i]};
    }
    bench->columns[COLUMNS] = (struct evs_decode_column){.name = "record", .kind = EVS_JSON};
    bench->some = evs_decode_json.open(bench->columns, COLUMNS, 1 << 20);
    bench->whole = evs_decode_json.open(&bench->columns[COLUMNS], 1, 1 << 20);
}

static void bench_fini(struct bench *bench)
{
    evs_decode_json.close(bench->some);
    evs_decode_json.close(bench->whole);
    json_oracle_free(bench->oracle);
    evs_batch_pool_free(bench->pool);
}

/* One record; the batch must be released. NULL: bad, *reason says why. */
static struct evs_batch *decode(struct bench *bench, void *decoder, const struct evs_decode_column *columns,
                                uint32_t count, struct evs_slice text, const char **reason)
{
    struct evs_batch *batch = evs_batch_new(bench->pool, count);
    for (uint32_t i = 0; i < count; i++) {
        evs_column_init(&batch->columns[i], batch, columns[i].kind, EVS_BATCH_ROWS, false);
    }
    uint32_t index[4], next_index = 0;
    struct evs_slice raw[4];
    struct evs_decode_bad bad[4];
    struct evs_decode_out out = {
        .batch = batch, .row_max = 4, .record_index = index, .raw = raw, .bad = bad, .bad_max = 4};
    size_t consumed = 0;
    bool done = evs_decode_json.decode(decoder, text, &consumed, &next_index, true, &out);
    UNIT_CHECK(done && next_index == 1 && batch->row_count + out.bad_count == 1, "one record, one result: %.*s",
               (int)text.count, text.data);
    if (batch->row_count == 0) {
        *reason = bad[0].reason;
        evs_batch_unref(batch);
        return NULL;
    }
    return batch;
}

/* What the decoder should make of the oracle's value; false: the record is bad. */
static bool expect(enum evs_kind kind, const struct oracle_value *value, struct evs_value *expected)
{
    *expected =
        (struct evs_value){.kind = kind, .is_null = value->kind == ORACLE_NULL || value->kind == ORACLE_MISSING};
    struct evs_slice text = {value->text, value->bytes};
    if (expected->is_null) {
        return true;
    }
    switch (kind) {
    case EVS_INT64:
        expected->int64 =
            value->kind == ORACLE_FLOAT64 ? (int64_t)(fabs(value->float64) < 9e15 ? value->float64 : 0) : value->int64;
        return value->kind == ORACLE_INT64 ||
               (value->kind == ORACLE_FLOAT64 && (double)expected->int64 == value->float64) ||
               (value->kind == ORACLE_STRING && evs_parse_int64(text, &expected->int64));
    case EVS_FLOAT64:
        expected->float64 = value->kind == ORACLE_INT64    ? (double)value->int64
                            : value->kind == ORACLE_UINT64 ? (double)value->uint64
                                                           : value->float64;
        return value->kind == ORACLE_INT64 || value->kind == ORACLE_UINT64 || value->kind == ORACLE_FLOAT64 ||
               (value->kind == ORACLE_STRING && evs_parse_float64(text, &expected->float64));
    case EVS_BOOL:
        expected->boolean = value->boolean;
        return value->kind == ORACLE_BOOL || (value->kind == ORACLE_STRING && evs_parse_bool(text, &expected->boolean));
    default:
        expected->str =
            value->kind == ORACLE_STRING ? evs_str_make(text.data, (uint32_t)text.count) : (struct evs_str){0};
        return value->kind != ORACLE_CONTAINER;
    }
}

static bool same(const struct evs_value *a, const struct evs_value *b, const struct oracle_value *oracle)
{
    if (a->is_null || b->is_null) {
        return a->is_null == b->is_null;
    }
    switch (a->kind) {
    case EVS_INT64:
        return a->int64 == b->int64;
    case EVS_FLOAT64:
        return a->float64 == b->float64 || (isnan(a->float64) && isnan(b->float64));
    case EVS_BOOL:
        return a->boolean == b->boolean;
    default: /* the oracle has no text of a number */
        return oracle->kind != ORACLE_STRING || evs_str_equal(&a->str, &b->str);
    }
}

/* The oracle takes the record: so must the decoder, with the same values, unless a value is of a wrong type. */
static void compare_values(struct bench *bench, struct evs_slice text, const struct evs_batch *batch,
                           const char *reason)
{
    bool good = true;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        struct evs_value expected, got;
        bool broken;
        struct oracle_value value =
            json_oracle_at(bench->oracle, bench->columns[i].path, bench->columns[i].path_count, &broken);
        /* Which numbers are integers cannot be told from doubles that were rounded: left out. */
        if (kinds[i] == EVS_INT64 && value.kind == ORACLE_FLOAT64 &&
            (fabs(value.float64) >= 9e15 || value.float64 == 0)) {
            return;
        }
        good = good && !broken && expect(kinds[i], &value, &expected);
        if (!good || batch == NULL) {
            continue;
        }
        got = evs_column_value(&batch->columns[i], 0);
        UNIT_CHECK(same(&got, &expected, &value), "column %u of %.*s", i, (int)text.count, text.data);
    }
    UNIT_CHECK(good == (batch != NULL), "%s, but %s: %.*s", good ? "good" : "bad", reason == NULL ? "taken" : reason,
               (int)text.count, text.data);
}

static void compare(struct bench *bench, struct evs_slice text, bool damaged)
{
    const char *reason = NULL, *whole_reason = NULL;
    enum oracle_verdict verdict = json_oracle_parse(bench->oracle, text.data, text.count);
    struct evs_batch *some = decode(bench, bench->some, bench->columns, COLUMNS, text, &reason);
    struct evs_batch *whole = decode(bench, bench->whole, &bench->columns[COLUMNS], 1, text, &whole_reason);
    if (verdict != ORACLE_BIG) {
        UNIT_CHECK((whole != NULL) == (verdict == ORACLE_OBJECT), "verdict %d, but %s: %.*s", verdict,
                   whole_reason == NULL ? "taken" : whole_reason, (int)text.count, text.data);
    }
    if (verdict == ORACLE_OBJECT) {
        compare_values(bench, text, some, reason);
    }
    bench->rows += some != NULL;
    bench->accepted_damaged += damaged && verdict == ORACLE_OBJECT;
    if (some != NULL) {
        evs_batch_unref(some);
    }
    if (whole != NULL) {
        evs_batch_unref(whole);
    }
}

/* Blank records give nothing to compare. */
static bool is_blank(struct evs_slice text)
{
    for (size_t i = 0; i < text.count; i++) {
        if (strchr(" \t\r", text.data[i]) == NULL || text.data[i] == '\0') {
            return false;
        }
    }
    return true;
}

static void run(bool damaged, uint64_t seed)
{
    struct bench bench;
    struct maker maker = {.random = seed};
    bench_init(&bench);
    for (uint32_t i = 0; i < RECORDS; i++) {
        maker.text.count = 0;
        put_container(&maker, 0, true);
        if (damaged) {
            damage(&maker);
        }
        struct evs_slice text = {maker.text.data, maker.text.count};
        if (is_blank(text) || memchr(text.data, '\n', text.count) != NULL) {
            continue;
        }
        evs_buffer_reserve(&maker.text, EVS_PADDING);
        text.data = maker.text.data;
        memset(maker.text.data + maker.text.count, '"', EVS_PADDING);
        compare(&bench, text, damaged);
    }
    ck_assert_uint_gt(bench.rows, RECORDS / 20); /* the comparison saw both sides */
    ck_assert(!damaged || bench.accepted_damaged > RECORDS / 20);
    bench_fini(&bench);
    evs_buffer_fini(&maker.text);
}

START_TEST(random_records)
{
    run(false, 1);
}
END_TEST

START_TEST(damaged_records)
{
    run(true, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode_oracle");
    TCase *cases = tcase_create("decode_oracle");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, random_records);
    tcase_add_test(cases, damaged_records);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
