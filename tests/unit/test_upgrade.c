/* A pipeline is changed in the middle of its windows: what still fits goes on, to the last digit; what does not is told before anything is read, and lost only
 * with permission. Every case reads the same events: three before the change, three behind it, all in one hour. */
#include "run_fakes.h"
#include "unit.h"

#define START_MS INT64_C(1767607200000) /* 2026-01-05T10:00:00Z */
#define LONG_A "a text that is longer than twelve bytes: A"
#define LONG_B "a text that is longer than twelve bytes: B"

static const char prologue[] =
    "create source events (ms timestamp unit ms not null, k string, v int64, s string, watermark for ms as ms - "
    "interval "
    "2 second)\nfrom fake (idle_timeout = 'never') dead letter into dead;\n"
    "create sink dead to fake (address = 'dead');\ncreate sink out to fake (address = 'out');\n"
    "create sink more to fake (address = 'more');\n";

#define KEYS " group by k, tumble(interval 1 hour)"
#define OUT(columns) " |> select k, " columns " |> insert into out;\n"

static const struct {
    const char *name, *before, *after;
    const char *refused; /* a piece of the text; NULL: it goes on as it is */
    const char *rows[3]; /* with --allow-drop, or as it goes on */
} cases[] = {
    {"the same",
     "from events |> aggregate count(*) as n" KEYS OUT("n"),
     "from events |> aggregate count(*) as n" KEYS OUT("n"),
     NULL,
     {"{\"k\":\"a\",\"n\":4}", "{\"k\":\"b\",\"n\":2}"}},
    {"a column added, without a name",
     "from events |> aggregate count(*) as n" KEYS OUT("n"),
     "from events |> aggregate sum(v) as t, count(*) as n" KEYS OUT("n, t"),
     NULL,
     {"{\"k\":\"a\",\"n\":4,\"t\":50}", "{\"k\":\"b\",\"n\":2,\"t\":40}"}},
    {"a text removed in front of one that stays",
     "from events |> aggregate max(s) as gone, count(*) as n, min(s) as kept" KEYS OUT("gone, n, kept"),
     "from events |> aggregate min(s) as kept, count(*) as n" KEYS OUT("n, kept"),
     NULL,
     {"{\"k\":\"a\",\"n\":4,\"kept\":\"" LONG_A "\"}", "{\"k\":\"b\",\"n\":2,\"kept\":\"" LONG_A "\"}"}},
    {"a list removed, another one moved and a set stays",
     "from events |> aggregate array_agg(s) as gone, array_agg(v) as vs, count(distinct s) as d" KEYS OUT(
         "gone, vs, d"),
     "from events |> aggregate max(v) as m, count(distinct s) as d, array_agg(v) as vs" KEYS OUT("vs, d, m"),
     NULL,
     {"{\"k\":\"a\",\"vs\":[1,2,20,30],\"d\":2,\"m\":30}", "{\"k\":\"b\",\"vs\":[3,40],\"d\":1,\"m\":40}"}},
    {"a hop",
     "from events |> aggregate count(*) as n group by k, hop(interval 1 hour, interval 30 minute)" OUT("n"),
     "from events |> aggregate sum(v) as t, count(*) as n group by k, hop(interval 1 hour, interval 30 minute)" OUT(
         "n, t"),
     NULL,
     {"{\"k\":\"a\",\"n\":4,\"t\":50}", "{\"k\":\"b\",\"n\":2,\"t\":40}"}},
    {"a session",
     "from events |> aggregate max(s) as gone, count(*) as n group by k, session(interval 30 minute)" OUT("gone, n"),
     "from events |> aggregate sum(v) as t, count(*) as n group by k, session(interval 30 minute)" OUT("n, t"),
     NULL,
     {"{\"k\":\"a\",\"n\":4,\"t\":50}", "{\"k\":\"b\",\"n\":2,\"t\":40}"}},
    {"a filter changed, with a name",
     "from events |> where v > 1 |> aggregate as totals count(*) as n" KEYS OUT("n"),
     "from events |> where v > 20 |> aggregate as totals count(*) as n" KEYS OUT("n"),
     NULL,
     {"{\"k\":\"a\",\"n\":2}", "{\"k\":\"b\",\"n\":2}"}},
    {"a name given",
     "from events |> aggregate count(*) as n" KEYS OUT("n"),
     "from events |> aggregate as totals count(*) as n" KEYS OUT("n"),
     NULL,
     {"{\"k\":\"a\",\"n\":4}", "{\"k\":\"b\",\"n\":2}"}},
    {"a sink and an operator beside it",
     "from events |> aggregate count(*) as n" KEYS OUT("n"),
     "from events |> aggregate count(*) as n" KEYS OUT(
         "n") "from events |> aggregate sum(v) as t group by s, tumble(interval 1 hour) |> select t |> insert into "
              "more;\n",
     NULL,
     {"{\"k\":\"a\",\"n\":4}", "{\"k\":\"b\",\"n\":2}", "{\"t\":50}"}},
    {"held rows with one column more, one less, and one moved",
     "from events |> hold until ms + interval 1 hour as kept |> select v, s, k |> insert into out;\n",
     "from events |> hold until ms + interval 1 hour as kept |> select k, v, ms |> insert into out;\n",
     NULL,
     {"{\"k\":\"a\",\"v\":1,\"ms\":\"2026-01-05T10:01:00Z\"}",
      "{\"k\":\"b\",\"v\":40,\"ms\":\"2026-01-05T10:05:00Z\"}"}},
    {"whose an id is, remembered longer, with one column more",
     "from events |> resolve identity as people k to if(v < 10, concat('u', cast(v as string)), null) retain interval "
     "1 "
     "hour |> select person_id, v |> insert into out;\n",
     "from events |> resolve identity as people k to if(v < 10, concat('u', cast(v as string)), null) retain interval "
     "9 "
     "hour |> select person_id, v, k |> insert into out;\n",
     NULL,
     {"{\"person_id\":\"u2\",\"v\":20,\"k\":\"a\"}", "{\"person_id\":\"u3\",\"v\":40,\"k\":\"b\"}"}},
    {"how far an identification reaches back changed",
     "from events |> resolve identity as people k to if(v < 10, concat('u', cast(v as string)), null) retain interval "
     "1 "
     "hour |> select person_id, v |> insert into out;\n",
     "from events |> resolve identity as people k to if(v < 10, concat('u', cast(v as string)), null) within interval "
     "1 "
     "minute retain interval 1 hour |> select person_id, v |> insert into out;\n",
     "`people`",
     {"{\"person_id\":\"a\",\"v\":20}", "{\"person_id\":\"b\",\"v\":40}"}},
    {"a column that kept rows did not have is NULL in them",
     "from events |> deduplicate by k within interval 1 hour keep first as once |> hold until ms + interval 1 hour as "
     "kept |> "
     "select k |> insert into out;\n",
     "from events |> deduplicate by k within interval 1 hour keep first as once |> hold until ms + interval 1 hour as "
     "kept |> "
     "select k, s |> insert into out;\n",
     NULL,
     {"{\"k\":\"a\",\"s\":null}", "{\"k\":\"b\",\"s\":null}"}},
    {"the best of a window, with another column",
     "from events |> call tumble(interval 1 hour) |> top 1 by v desc partition by window_start, window_end, k as best "
     "|> select k, "
     "v |> insert into out;\n",
     "from events |> call tumble(interval 1 hour) |> top 1 by v desc partition by window_start, window_end, k as best "
     "|> select v, "
     "k, s |> insert into out;\n",
     NULL,
     {"{\"v\":30,\"k\":\"a\",\"s\":\"" LONG_B "\"}", "{\"v\":40,\"k\":\"b\",\"s\":\"" LONG_A "\"}"}},
    {"a running sum over rows, with another column",
     "from events |> extend sum(v) over (partition by k order by ms range between interval 1 hour preceding and "
     "current row) "
     "as t |> select k, t |> insert into out;\n",
     "from events |> extend sum(v) over (partition by k order by ms range between interval 1 hour preceding and "
     "current row) "
     "as t |> select k, t, s |> insert into out;\n",
     NULL,
     {"{\"k\":\"a\",\"t\":53,\"s\":\"" LONG_B "\"}", "{\"k\":\"b\",\"t\":43,\"s\":\"" LONG_A "\"}"}},
    {"a join asks for another column",
     "from events as a |> join events as b on a.k = b.k and b.ms between a.ms and a.ms + interval 1 hour |> select "
     "a.k, b.v |> "
     "insert into out;\n",
     "from events as a |> join events as b on a.k = b.k and b.ms between a.ms and a.ms + interval 1 hour |> select "
     "a.k, b.v, b.s "
     "|> insert into out;\n",
     "it keeps rows with other columns",
     {"{\"k\":\"a\",\"v\":30,\"s\":\"" LONG_B "\"}"}},
    {"a filter changed, without a name",
     "from events |> where v > 1 |> aggregate count(*) as n" KEYS OUT("n"),
     "from events |> where v > 20 |> aggregate count(*) as n" KEYS OUT("n"),
     "the pipeline has none that fits it",
     {"{\"k\":\"a\",\"n\":1}", "{\"k\":\"b\",\"n\":1}"}},
    {"keys changed",
     "from events |> aggregate as totals count(*) as n" KEYS OUT("n"),
     "from events |> aggregate as totals count(*) as n group by s, tumble(interval 1 hour) |> select s as k, n |> "
     "insert into out;\n",
     "`totals` (its keys have changed)",
     {"{\"k\":\"" LONG_A "\",\"n\":1}", "{\"k\":\"" LONG_B "\",\"n\":2}"}},
    {"window changed",
     "from events |> aggregate as totals count(*) as n" KEYS OUT("n"),
     "from events |> aggregate as totals count(*) as n group by k, tumble(interval 2 hour)" OUT("n"),
     "`totals` (its window or its emission has changed)",
     {"{\"k\":\"a\",\"n\":2}", "{\"k\":\"b\",\"n\":1}"}},
    {"another kind",
     "from events |> deduplicate by k within interval 1 hour as once" OUT("v"),
     "from events |> throttle 1 per interval 1 hour by k as once" OUT("v"),
     "`once` (it was another kind of operator)",
     {"{\"k\":\"a\",\"v\":20}", "{\"k\":\"b\",\"v\":40}"}},
    {"an operator removed",
     "from events |> aggregate as totals count(*) as n" KEYS OUT(
         "n") "from events |> aggregate as more_totals sum(v) as t" KEYS " |> select t |> insert into more;\n",
     "from events |> aggregate as totals count(*) as n" KEYS OUT("n"),
     "`more_totals` (the pipeline has none that fits it)",
     {"{\"k\":\"a\",\"n\":4}", "{\"k\":\"b\",\"n\":2}"}},
};

static void publish(uint32_t partition, int64_t minute, const char *key, int64_t value, const char *text)
{
    char line[256];
    snprintf(line, sizeof line, "{\"ms\":%lld,\"k\":\"%s\",\"v\":%lld,\"s\":\"%s\"}\n",
             (long long)(START_MS + minute * 60000), key, (long long)value, text);
    fake_publish(fake_world, partition, line);
}

static void publish_before(void)
{
    publish(0, 1, "a", 1, LONG_B);
    publish(0, 2, "a", 2, LONG_A);
    publish(1, 1, "b", 3, LONG_A);
}

static void publish_behind(void)
{
    publish(0, 5, "a", 20, LONG_B);
    publish(0, 6, "a", 30, LONG_B);
    publish(1, 5, "b", 40, LONG_A);
}

static evs_status run_once(const char *query, bool is_first, uint32_t workers, bool allow_drop, struct evs_error *error)
{
    char text[4096];
    struct evs_run *run = NULL;
    struct evs_run_summary summary;
    struct fake_how how = FAKE_HOW(workers, 16, 1);
    how.at_end_stop = is_first;
    how.allow_drop = allow_drop;
    snprintf(text, sizeof text, "pipeline upgraded;\n%s%s", prologue, query);
    const struct evs_plan *plan = fake_compile(text);
    evs_status status = fake_try_start(plan, how, &run, error);
    if (status == EVS_OK) {
        status = fake_end(run, &summary);
    }
    evs_plan_free(plan);
    return status;
}

static void check_rows(int number)
{
    for (uint32_t i = 0; i < EVS_COUNT(cases[number].rows) && cases[number].rows[i] != NULL; i++) {
        uint32_t count = fake_rows_like(cases[number].rows[i]);
        for (uint32_t k = 0; count == 0 && k < fake_world->row_count; k++) {
            printf("%s: got %s\n", cases[number].name, fake_world->rows[k].payload);
        }
        ck_assert_msg(count > 0, "%s: no row %s", cases[number].name, cases[number].rows[i]);
    }
    ck_assert_uint_eq(fake_rows_at("dead"), 0);
}

START_TEST(upgrades)
{
    for (uint32_t workers = 1; workers <= 2; workers++) {
        struct evs_error error = {0};
        fake_world_new(2);
        publish_before();
        ck_assert_int_eq(run_once(cases[_i].before, true, 2, false, &error), EVS_OK);
        publish_behind();
        uint32_t commits = fake_world->commit_count;
        if (cases[_i].refused != NULL) {
            evs_status status = run_once(cases[_i].after, false, workers, false, &error);
            ck_assert_msg(status == EVS_E_STATE, "%s: %s", cases[_i].name, evs_status_name(status));
            ck_assert_msg(strstr(error.text, cases[_i].refused) != NULL && strstr(error.text, "--allow-drop") != NULL,
                          "%s: %s", cases[_i].name, error.text);
            ck_assert_uint_eq(fake_world->commit_count, commits);
        }
        evs_status status = run_once(cases[_i].after, false, workers, cases[_i].refused != NULL, &error);
        ck_assert_msg(status == EVS_OK, "%s: %s", cases[_i].name, error.text);
        check_rows(_i);
        fake_world_free(fake_world);
    }
}
END_TEST

/* The log is read by the next start, too: nothing that only the upgrade could read is left in what a restore needs. */
START_TEST(restored_again_behind_the_upgrade)
{
    struct evs_error error = {0};
    const char *after = "from events |> aggregate as totals sum(v) as t, count(*) as n" KEYS OUT("n, t");
    fake_world_new(2);
    publish_before();
    ck_assert_int_eq(
        run_once("from events |> aggregate max(s) as m, count(*) as n" KEYS OUT("n, m"), true, 2, false, &error),
        EVS_OK);
    ck_assert_int_eq(run_once(after, true, 2, false, &error), EVS_OK);
    publish_behind();
    ck_assert_int_eq(run_once(after, true, 1, false, &error), EVS_OK);
    ck_assert_int_eq(run_once(after, false, 2, false, &error), EVS_OK);
    ck_assert_uint_eq(fake_rows_like("{\"k\":\"a\",\"n\":4,\"t\":50}"), 1);
    ck_assert_uint_eq(fake_rows_like("{\"k\":\"b\",\"n\":2,\"t\":40}"), 1);
    ck_assert_uint_eq(fake_rows_at("out"), 2);
    fake_world_free(fake_world);
}
END_TEST

/* A stored name given explicitly takes the state over although a filter changed. */
START_TEST(named_as_it_was_stored)
{
    struct evs_error error = {0};
    char after[512], name[128];
    fake_world_new(2);
    publish_before();
    ck_assert_int_eq(
        run_once("from events |> where v > 1 |> aggregate count(*) as n" KEYS OUT("n"), true, 2, false, &error),
        EVS_OK);
    publish_behind();
    const char *query = "from events |> where v > 20 |> aggregate count(*) as n" KEYS OUT("n");
    ck_assert_int_eq(run_once(query, false, 2, false, &error), EVS_E_STATE);
    ck_assert_int_eq(sscanf(error.text, "%*[^`]`%120[a-z0-9_]`", name), 1);
    snprintf(after, sizeof after, "from events |> where v > 20 |> aggregate as %s count(*) as n" KEYS OUT("n"), name);
    evs_status status = run_once(after, false, 2, false, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    ck_assert_uint_eq(fake_rows_like("{\"k\":\"a\",\"n\":2}"), 1);
    ck_assert_uint_eq(fake_rows_like("{\"k\":\"b\",\"n\":2}"), 1);
    fake_world_free(fake_world);
}
END_TEST

/* Two operators with the same keys, window and rows: nobody guesses which is which. */
START_TEST(unclear)
{
    struct evs_error error = {0};
    const char *before =
        "from events |> aggregate count(*) as n" KEYS OUT("n") "from events |> aggregate sum(v) as t" KEYS
                                                               " |> select t |> insert into more;\n";
    const char *after = "from events |> aggregate count(*) as n, max(v) as m" KEYS OUT(
        "n, m") "from events |> aggregate sum(v) as t, min(v) as l" KEYS " |> select t, l |> insert into more;\n";
    const char *turned = "from events |> aggregate sum(v) as t" KEYS " |> select t |> insert into more;\n"
                         "from events |> aggregate count(*) as n" KEYS OUT("n");
    fake_world_new(2);
    publish_before();
    ck_assert_int_eq(run_once(before, true, 2, false, &error), EVS_OK);
    publish_behind();
    ck_assert_int_eq(run_once(after, false, 2, true, &error), EVS_E_STATE);
    ck_assert_msg(strstr(error.text, "not clear") != NULL && strstr(error.text, "as NAME") != NULL, "%s", error.text);
    evs_status status = run_once(turned, false, 2, false, &error); /* to the last column they are what they were */
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    ck_assert_uint_eq(fake_rows_like("{\"k\":\"a\",\"n\":4}"), 1);
    ck_assert_uint_eq(fake_rows_like("{\"t\":53}"), 1);
    fake_world_free(fake_world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("upgrade");
    TCase *tests = tcase_create("upgrade");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, upgrades, 0, EVS_COUNT(cases));
    tcase_add_test(tests, restored_again_behind_the_upgrade);
    tcase_add_test(tests, named_as_it_was_stored);
    tcase_add_test(tests, unclear);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
