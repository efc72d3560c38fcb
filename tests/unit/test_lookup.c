/* The lookup join over a connector of the test's own: what is asked, what is kept and for how long, and what becomes of a row when there is no answer. */
#include "decode_json.h"
#include "op_case.h"
#include "op_lookup.h"

enum { KEY, NUMBER, COLUMNS };

/* What the connector knows, and what it was asked. Read by the test only while no request is under way. */
static struct server {
    bool is_away;
    uint32_t refusals; /* fetches that fail before one succeeds */
    bool is_bad;       /* values do not fit the columns */
    uint32_t fetches, keys;
    char last[4096]; /* the keys of the last fetch */
} server;

static evs_status fake_open(const struct evs_lookup_open *open, void **instance, struct evs_error *error)
{
    (void)open, (void)error;
    *instance = &server;
    return EVS_OK;
}

/* A key with a digit 7 is not there; the mark of the others is their length. */
static evs_status fake_fetch(void *instance, struct evs_lookup_fetch *fetch, struct evs_error *error)
{
    struct server *at = instance;
    at->fetches++;
    if (at->is_away || at->refusals > 0) {
        at->refusals -= at->refusals > 0;
        return evs_fail(error, EVS_E_UNREACHABLE, "The server of the test is away.");
    }
    at->keys += fetch->count;
    at->last[0] = '\0';
    for (uint32_t i = 0; i < fetch->count; i++) {
        struct evs_slice key = fetch->keys[i];
        size_t used = strlen(at->last);
        snprintf(at->last + used, sizeof at->last - used, "%.*s ", (int)key.count, key.data);
        fetch->values[i].is_there = memchr(key.data, '7', key.count) == NULL;
        fetch->values[i].offset = (uint32_t)fetch->json->count;
        evs_buffer_printf(fetch->json,
                          at->is_bad ? "{\"mark\":\"none\"}" : "{\"mark\":%zu,\"name\":\"the name of %.*s\"}",
                          key.count, (int)key.count, key.data);
        fetch->values[i].bytes = (uint32_t)fetch->json->count - fetch->values[i].offset;
        evs_buffer_puts(fetch->json, "\n");
    }
    return EVS_OK;
}

static void fake_close(void *instance)
{
    (void)instance;
}

static const struct evs_lookup fake = {
    .kind = "fake", .key_option = "key", .open = fake_open, .fetch = fake_fetch, .close = fake_close};

static const char *mark_path[1] = {"mark"}, *name_path[1] = {"name"};
static const struct evs_decode_column columns[2] = {
    {.name = "mark", .path = mark_path, .path_count = 1, .kind = EVS_INT64},
    {.name = "name", .path = name_path, .path_count = 1, .kind = EVS_STRING}};
static struct evs_field value_fields[2], input_fields[COLUMNS], output_fields[COLUMNS + 3];
static struct evs_lookup_table table;
static struct evs_lookup_config config;
static struct op_case made;
static const struct evs_lookup_item items[3] = {{true, KEY}, {false, 0}, {false, 1}};

static void begin(bool keeps_unmatched, enum evs_lookup_policy policy, int64_t retry_us)
{
    server = (struct server){0};
    value_fields[0] = (struct evs_field){"mark", evs_type_of(EVS_INT64), true};
    value_fields[1] = (struct evs_field){"name", evs_type_of(EVS_STRING), true};
    input_fields[KEY] = (struct evs_field){"key", evs_type_of(EVS_STRING), true};
    input_fields[NUMBER] = (struct evs_field){"number", evs_type_of(EVS_INT64), true};
    table = (struct evs_lookup_table){.name = "profiles",
                                      .connector = &fake,
                                      .format = &evs_decode_json,
                                      .columns = columns,
                                      .schema = {2, value_fields},
                                      .policy = policy,
                                      .cache_us = 1000,
                                      .cache_rows = 1024};
    config = (struct evs_lookup_config){
        .table = &table, .text = KEY, .keeps_unmatched = keeps_unmatched, .items = items, .item_count = 3};
    made = (struct op_case){.operator_ = &evs_op_lookup,
                            .config = &config,
                            .input = {COLUMNS, input_fields},
                            .output = {COLUMNS + 3, output_fields},
                            .retry_us = retry_us};
    op_case_begin(&made, 1);
}

/* A batch of rows with these keys, NULL for "-". */
static void feed(const char *keys)
{
    struct op_row rows[2000];
    char copy[20000], *at = copy, *key;
    uint32_t count = 0;
    snprintf(copy, sizeof copy, "%s", keys);
    while ((key = strsep(&at, " ")) != NULL) {
        struct evs_value text = {.kind = EVS_STRING, .str = evs_str_make(key, (uint32_t)strlen(key))};
        text.is_null = strcmp(key, "-") == 0;
        rows[count] = (struct op_row){.time_us = 5, .watermark_us = EVS_TIME_MIN, .cause = {1, count}};
        rows[count].values[KEY] = text;
        rows[count].values[NUMBER] = (struct evs_value){.kind = EVS_INT64, .int64 = count};
        count++;
    }
    op_case_feed(&made, rows, count);
}

static void expect_lines(const char *const *lines, uint32_t count)
{
    struct op_lines expected = {0};
    for (uint32_t i = 0; i < count; i++) {
        op_lines_add(&expected, evs_strdup(lines[i]));
    }
    op_lines_check(&made.outputs[0], &expected, "rows");
    op_lines_clear(&expected);
    op_lines_clear(&made.outputs[0]);
}
#define EXPECT(...)                                                                                                    \
    expect_lines((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

START_TEST(test_values)
{
    begin(true, EVS_LOOKUP_FAILS, 0);
    feed("a bb - a x7 a-longer-key");
    EXPECT("5 1.0.0 | 'a' 0 'a' 1 'the name of a'", "5 1.1.0 | 'bb' 1 'bb' 2 'the name of bb'",
           "5 1.2.0 | null 2 null null null", "5 1.3.0 | 'a' 3 'a' 1 'the name of a'",
           "5 1.4.0 | 'x7' 4 null null null",
           "5 1.5.0 | 'a-longer-key' 5 'a-longer-key' 12 'the name of a-longer-key'");
    ck_assert_str_eq(server.last, "a bb x7 a-longer-key "); /* each key once, NULL not at all */
    op_case_end(&made);
    begin(false, EVS_LOOKUP_FAILS, 0);
    feed("a - x7");
    EXPECT("5 1.0.0 | 'a' 0 'a' 1 'the name of a'");
    op_case_end(&made);
}
END_TEST

START_TEST(test_cache)
{
    begin(true, EVS_LOOKUP_FAILS, 0);
    feed("a x7");
    made.now_us = 999;
    feed("x7 a b"); /* a missing key is an answer, too */
    ck_assert_uint_eq(server.fetches, 2);
    ck_assert_str_eq(server.last, "b ");
    feed("a b x7");
    ck_assert_uint_eq(server.fetches, 2);
    made.now_us = 1000; /* a and x7 are too old, b is not */
    feed("a b x7");
    ck_assert_str_eq(server.last, "a x7 ");
    op_lines_clear(&made.outputs[0]);
    op_case_end(&made);
}
END_TEST

/* Above the limit the oldest go: what is kept stays bounded however many keys there are. */
START_TEST(test_cache_limit)
{
    begin(true, EVS_LOOKUP_FAILS, 0);
    char keys[20000];
    for (uint32_t round = 0; round < 20; round++) {
        size_t used = 0;
        for (uint32_t i = 0; i < 1000; i++) {
            used += (size_t)snprintf(keys + used, sizeof keys - used, "%sk%u-%u", i == 0 ? "" : " ", round, i);
        }
        feed(keys);
    }
    ck_assert_uint_eq(server.keys, 20000);
    ck_assert_int_lt(op_case_counter(&made, EVS_COUNT_STATE_BYTES), 4 << 20);
    feed("k19-5 k0-5");
    ck_assert_str_eq(server.last, "k0-5 ");
    op_lines_clear(&made.outputs[0]);
    op_case_end(&made);
}
END_TEST

START_TEST(test_retry)
{
    begin(true, EVS_LOOKUP_FAILS, 60000000);
    server.refusals = 3;
    feed("a");
    ck_assert_uint_eq(server.fetches, 4);
    EXPECT("5 1.0.0 | 'a' 0 'a' 1 'the name of a'");
    op_case_end(&made);
}
END_TEST

/* The server away for longer than the policy allows. */
START_TEST(test_policies)
{
    begin(true, EVS_LOOKUP_FAILS, 1);
    server.is_away = true;
    made.failure.code = EVS_OK;
    feed("a");
    ck_assert_int_eq(made.failure.code, EVS_E_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(made.failure.text, "away"));
    op_case_end(&made);

    begin(true, EVS_LOOKUP_NULL, 1);
    server.is_away = true;
    feed("a - b");
    EXPECT("5 1.0.0 | 'a' 0 null null null", "5 1.1.0 | null 1 null null null", "5 1.2.0 | 'b' 2 null null null");
    uint32_t fetches = server.fetches;
    feed("a"); /* given up: not tried again at once */
    ck_assert_uint_eq(server.fetches, fetches);
    op_lines_clear(&made.outputs[0]);
    op_case_end(&made);

    begin(true, EVS_LOOKUP_DEAD_LETTER, 1);
    server.is_away = true;
    feed("a - b");
    EXPECT("5 1.1.0 | null 1 null null null");
    ck_assert_uint_eq(made.dead, 2);
    op_case_end(&made);
}
END_TEST

START_TEST(test_bad_value)
{
    begin(true, EVS_LOOKUP_DEAD_LETTER, 0);
    server.is_bad = true;
    feed("a x7");
    EXPECT("5 1.1.0 | 'x7' 1 null null null");
    ck_assert_uint_eq(made.dead, 1);
    server.is_bad = false;
    feed("a"); /* a failure is not kept */
    EXPECT("5 1.0.0 | 'a' 0 'a' 1 'the name of a'");
    op_case_end(&made);

    begin(true, EVS_LOOKUP_FAILS, 0);
    server.is_bad = true;
    feed("a");
    ck_assert_int_eq(made.failure.code, EVS_E_DATA);
    op_case_end(&made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lookup");
    TCase *tests = tcase_create("lookup");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_values);
    tcase_add_test(tests, test_cache);
    tcase_add_test(tests, test_cache_limit);
    tcase_add_test(tests, test_retry);
    tcase_add_test(tests, test_policies);
    tcase_add_test(tests, test_bad_value);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
