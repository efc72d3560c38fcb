/* Expectations of tests against rows: what matches, and what is told when it does not. Whole tests are golden (tests/golden/tests). */
#include "scenario.h"

#include <string.h>

#include "unit.h"

static const struct evs_type int64_type = {.kind = EVS_INT64}, numeric_type = {.kind = EVS_NUMERIC},
                             string_type = {.kind = EVS_STRING}, timestamp_type = {.kind = EVS_TIMESTAMP},
                             json_type = {.kind = EVS_JSON};
static struct evs_field fields[] = {{.name = "k", .type = &string_type, .nullable = true},
                                    {.name = "n", .type = &int64_type, .nullable = true},
                                    {.name = "price", .type = &numeric_type, .nullable = true},
                                    {.name = "at", .type = &timestamp_type, .nullable = true},
                                    {.name = "j", .type = &json_type, .nullable = true}};
static const struct evs_schema schema = {EVS_COUNT(fields), fields};

#define ROWS_MAX 8
struct rows {
    struct evs_slice items[ROWS_MAX];
    uint32_t count;
    struct evs_arena arena;
};

/* One row a line. */
static void read_rows(struct rows *rows, const char *text)
{
    *rows = (struct rows){0};
    while (*text != '\0') {
        size_t count = strcspn(text, "\n");
        char *copy = evs_arena_zero(&rows->arena, count + EVS_PADDING, 1);
        memcpy(copy, text, count);
        ck_assert_uint_lt(rows->count, ROWS_MAX);
        rows->items[rows->count++] = (struct evs_slice){copy, count};
        text += count + (text[count] == '\n');
    }
}

static void check_compare(const char *wanted, const char *came, bool in_order, const char *told)
{
    struct rows expected, found;
    read_rows(&expected, wanted);
    read_rows(&found, came);
    const struct evs_test_step step = {
        .kind = EVS_TEST_EXPECTATION, .rows = expected.items, .row_count = expected.count, .in_order = in_order};
    const struct evs_expectation expectation = {&schema, &step, found.items, found.count};
    struct evs_buffer out = {0};
    evs_scenario_compare(&expectation, &out);
    evs_buffer_put(&out, "", 1);
    ck_assert_msg(strcmp(out.data, told) == 0, "`%s` against `%s` tells\n%s\nand not\n%s", wanted, came, out.data,
                  told);
    evs_buffer_fini(&out);
    evs_arena_fini(&expected.arena);
    evs_arena_fini(&found.arena);
}

static const struct {
    const char *wanted, *came, *told;
} cases[] = {
    {"", "", ""},
    {"{\"k\":\"a\"}", "{\"k\":\"a\",\"n\":1}", ""},
    {"{\"k\":\"\\u0061\"}", "{\"k\":\"a\"}", ""},
    {"{\"price\":20}", "{\"price\":20.00}", ""},
    {"{\"price\":\"20.5\"}", "{\"price\":20.50}", ""},
    {"{\"at\":\"2026-01-05T11:00:00+01:00\"}", "{\"at\":\"2026-01-05T10:00:00Z\"}", ""},
    {"{\"n\":null}", "{\"n\":null}", ""},
    {"{\"n\":null}", "{\"n\":0}", "    missing    {\"n\":null}\n    unexpected {\"n\":0}\n"},
    {"{\"k\":\"a\"}\n{\"k\":\"a\"}", "{\"k\":\"a\"}", "    missing    {\"k\":\"a\"}\n"},
    {"{\"k\":\"a\"}", "{\"k\":\"a\"}\n{\"k\":\"a\"}", "    unexpected {\"k\":\"a\"}\n"},
    /* the vague row leaves the exact one its match, wherever it stands */
    {"{\"k\":\"a\"}\n{\"k\":\"a\",\"n\":1}", "{\"k\":\"a\",\"n\":1}\n{\"k\":\"a\",\"n\":2}", ""},
    {"{\"K\":\"a\"}", "{\"k\":\"a\"}",
     "    the rows have no column `K`; did you mean `k`?\n    missing    {\"K\":\"a\"}\n    unexpected "
     "{\"k\":\"a\"}\n"},
    {"{\"j\":{\"a\":[1,{\"b\":\"}\"}]},\"k\":\"x\"}", "{\"k\":\"x\",\"j\":{\"a\":[1,{\"b\":\"}\"}]}}", ""},
};

START_TEST(rows_are_compared_by_columns_and_types)
{
    for (uint32_t i = 0; i < EVS_COUNT(cases); i++) {
        check_compare(cases[i].wanted, cases[i].came, false, cases[i].told);
    }
}
END_TEST

START_TEST(order_counts_where_it_is_asked_for)
{
    const char *ab = "{\"k\":\"a\"}\n{\"k\":\"b\"}", *ba = "{\"k\":\"b\"}\n{\"k\":\"a\"}";
    check_compare(ab, ab, true, "");
    check_compare(ab, ba, false, "");
    check_compare(ab, ba, true,
                  "    missing    {\"k\":\"a\"}\n    missing    {\"k\":\"b\"}\n    unexpected {\"k\":\"b\"}\n"
                  "    unexpected {\"k\":\"a\"}\n    the rows are right, in another order\n");
    check_compare(ab, "{\"k\":\"a\"}", true, "    missing    {\"k\":\"b\"}\n");
    check_compare("{\"k\":\"a\"}", ab, true, "    unexpected {\"k\":\"b\"}\n");
}
END_TEST

START_TEST(a_sink_that_nothing_feeds)
{
    struct rows wanted;
    read_rows(&wanted, "{\"k\":\"a\"}");
    const struct evs_test_step step = {.kind = EVS_TEST_EXPECTATION, .rows = wanted.items, .row_count = 1};
    const struct evs_expectation expectation = {.schema = NULL, .step = &step};
    struct evs_buffer out = {0};
    evs_scenario_compare(&expectation, &out);
    ck_assert_msg(evs_slice_equal((struct evs_slice){out.data, out.count}, EVS_SLICE("    missing    {\"k\":\"a\"}\n")),
                  "%.*s", (int)out.count, out.data);
    evs_buffer_fini(&out);
    evs_arena_fini(&wanted.arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario");
    TCase *tests = tcase_create("compare");
    tcase_add_test(tests, rows_are_compared_by_columns_and_types);
    tcase_add_test(tests, order_counts_where_it_is_asked_for);
    tcase_add_test(tests, a_sink_that_nothing_feeds);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
