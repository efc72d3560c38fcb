/* Nothing more comes, and every operator still says its last: all partitions are idle with evidence, so time goes on with the clock, windows close and absences
 * fire (language, "Event time, exactly", 3). One event a case, or two; the monotonic clock runs a hundred times faster than the test, and no case depends on how
 * long anything takes: it waits for its rows.
 *
 * Each case also dies in between: at the commit that carries the idle watermark, before and after it is stored, and goes on with other workers. */
#include "run_fakes.h"
#include "unit.h"

#define START_MS INT64_C(1767607200000) /* 2026-01-05T10:00:00Z */
#define CLOCK_FACTOR 100
#define DEATHS 4

#define SOURCE_OF(name, kind)                                                                                          \
    "create source " name                                                                                              \
    " (ms timestamp unit ms not null, k string, v int64, watermark for ms as ms - interval 2 second)\n"                \
    "from " kind " (idle_timeout = interval 1 millisecond) dead letter into dead;\n"
static const char prologue[] =
    SOURCE_OF("events", "fake") SOURCE_OF("others", "fake_other") "create sink dead to fake (address = 'dead');\n"
                                                                  "create sink out to fake (address = 'out');\n";

struct quiet_case {
    const char *name, *pipeline;
    const char *rows[5]; /* all that comes */
};

static const struct quiet_case cases[] = {
    {.name = "tumble",
     .pipeline =
         "from events |> aggregate count(*) as n group by k, tumble(interval 10 second) |> select k, n |> insert into "
         "out;\n",
     .rows = {"{\"k\":\"a\",\"n\":2}"}},
    {.name = "hop",
     .pipeline =
         "from events |> aggregate count(*) as n group by k, hop(interval 20 second, interval 10 second) |> select "
         "window_end, n |> insert into out;\n",
     .rows = {"{\"window_end\":\"2026-01-05T10:00:10Z\",\"n\":2}",
              "{\"window_end\":\"2026-01-05T10:00:20Z\",\"n\":2}"}},
    {.name = "cumulate",
     .pipeline =
         "from events |> aggregate count(*) as n group by k, cumulate(interval 10 second, interval 20 second) |> "
         "select window_end, n |> insert into out;\n",
     .rows = {"{\"window_end\":\"2026-01-05T10:00:10Z\",\"n\":2}",
              "{\"window_end\":\"2026-01-05T10:00:20Z\",\"n\":2}"}},
    {.name = "session",
     .pipeline = "from events |> aggregate count(*) as n group by k, session(interval 15 second) |> select window_end, "
                 "n |> insert into out;\n",
     .rows = {"{\"window_end\":\"2026-01-05T10:00:17Z\",\"n\":2}"}},
    {.name = "windows of windows",
     .pipeline = "from events |> aggregate count(*) as n group by k, tumble(interval 10 second) |> aggregate sum(n) as "
                 "n group by tumble(interval 20 second) |> select n |> insert into out;\n",
     .rows = {"{\"n\":2}"}},
    {.name = "emit every",
     .pipeline = "from events |> aggregate count(*) as n group by k emit every interval 10 second retain interval 1 "
                 "minute |> select n |> insert into out;\n",
     .rows = {"{\"n\":2}"}},
    {.name = "an absence",
     .pipeline = "from events |> sequence by k a as v = 1 then no b as v = 3 within interval 20 second select k |> "
                 "insert into out;\n",
     .rows = {"{\"k\":\"a\"}"}},
    {.name = "a time-out",
     .pipeline =
         "from events |> sequence by k a as v = 1 then b as v = 3 within interval 20 second on timeout into out "
         "select count(a) as n, count(b) as m |> insert into out;\n",
     .rows = {"{\"n\":1,\"m\":0}"}},
    {.name = "a last step that could have had more rows",
     .pipeline =
         "from events |> sequence by k a as v = 1 then b+ as v = 2 within interval 20 second select count(b) as n "
         "|> insert into out;\n",
     .rows = {"{\"n\":1}"}},
    {.name = "an anti join",
     .pipeline = "from events |> anti join others as o on events.k = o.k and o.ms between events.ms and events.ms + "
                 "interval 20 second |> select v |> insert into out;\n",
     .rows = {"{\"v\":1}", "{\"v\":2}"}},
    {.name = "an outer join",
     .pipeline = "from events |> left join others as o on events.k = o.k and o.ms between events.ms and events.ms + "
                 "interval 20 second |> select events.v, o.v as w |> insert into out;\n",
     .rows = {"{\"v\":1,\"w\":null}", "{\"v\":2,\"w\":null}"}},
    {.name = "an unknown visitor",
     .pipeline =
         "from events |> resolve identity k to nullif(k, 'a') within interval 20 second retain interval 1 minute "
         "|> where not is_known |> select v |> insert into out;\n",
     .rows = {"{\"v\":1}", "{\"v\":2}"}},
    {.name = "hold",
     .pipeline = "from events |> hold until ms + interval 20 second |> select v |> insert into out;\n",
     .rows = {"{\"v\":1}", "{\"v\":2}"}},
    {.name = "the last of duplicates",
     .pipeline =
         "from events |> deduplicate by k within interval 20 second keep last |> select v |> insert into out;\n",
     .rows = {"{\"v\":2}"}},
    {.name = "over",
     .pipeline = "from events |> extend sum(v) over (partition by k order by ms range between interval 1 minute "
                 "preceding and current row) as s |> select v, s |> insert into out;\n",
     .rows = {"{\"v\":1,\"s\":1}", "{\"v\":2,\"s\":3}"}},
    {.name = "match_recognize",
     .pipeline = "from events |> match_recognize (partition by k order by ms measures count(*) as n pattern (a b+) "
                 "within interval 20 second define a as v = 1, b as v = 2) |> select n |> insert into out;\n",
     .rows = {"{\"n\":2}"}},
    {.name = "the best of a window",
     .pipeline = "from events |> call tumble(interval 10 second) |> top 1 by v desc partition by window_start, "
                 "window_end |> select v |> insert into out;\n",
     .rows = {"{\"v\":2}"}},
};

static void begin(void)
{
    fake_world_new(2);
    fake_world->topics[0].live = true;
    fake_world->topics[1].live = true;
    fake_world->clock_factor = CLOCK_FACTOR;
}

static void publish(int s, int v)
{
    char line[96];
    snprintf(line, sizeof line, "{\"ms\":%lld,\"k\":\"a\",\"v\":%d}\n", (long long)(START_MS + s * 1000), v);
    fake_publish(fake_world, 1, line);
}

static const struct evs_plan *compile(const char *pipeline)
{
    char text[2048];
    snprintf(text, sizeof text, "%s%s", prologue, pipeline);
    return fake_compile(text);
}

static uint32_t count_of(const struct quiet_case *made)
{
    uint32_t count = 0;
    while (count < EVS_COUNT(made->rows) && made->rows[count] != NULL) {
        count++;
    }
    return count;
}

static void check(const struct quiet_case *made)
{
    uint32_t count = count_of(made);
    bool is_same = fake_world->row_count == count && fake_world->mismatches == 0;
    for (uint32_t i = 0; i < count; i++) {
        is_same = is_same && fake_rows_like(made->rows[i]) == 1;
    }
    for (uint32_t i = 0; !is_same && i < fake_world->row_count; i++) {
        fprintf(stderr, "%s %s\n", fake_world->rows[i].address, fake_world->rows[i].payload);
    }
    ck_assert_msg(is_same, "%s: other rows, see above", made->name);
}

static void run_until_told(const struct quiet_case *made, struct fake_how how)
{
    struct evs_run_summary summary;
    const struct evs_plan *plan = compile(made->pipeline);
    struct evs_run *run = fake_start(plan, how);
    ck_assert_msg(fake_wait_rows("out", count_of(made)), "%s: its last rows do not come", made->name);
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    evs_plan_free(plan);
}

START_TEST(last_rows)
{
    const struct quiet_case *made = &cases[_i];
    for (uint32_t i = 0; i < 3; i++) {
        begin();
        publish(0, 1);
        publish(2, 2);
        run_until_told(made, (struct fake_how){
                                 .workers = 1 + i, .batch_rows = i == 1 ? 1 : 16, .follow = true, .in_memory = i == 2});
        check(made);
        fake_world_free(fake_world);
    }
}
END_TEST

/* Killed at its commits until the rows are there. */
START_TEST(last_rows_through_deaths)
{
    const struct quiet_case *made = &cases[_i];
    struct evs_run_summary summary;
    begin();
    publish(0, 1);
    publish(2, 2);
    for (uint32_t deaths = 0; deaths < DEATHS; deaths++) {
        const struct evs_plan *plan = compile(made->pipeline);
        fake_world->fail_commit_before = deaths % 2 == 0 ? 1 + deaths : 0;
        fake_world->fail_commit_after = deaths % 2 == 1 ? 1 + deaths : 0;
        struct fake_how how = {.workers = 1 + deaths % 3, .batch_rows = 1, .follow = true, .interval_us = 1};
        ck_assert_int_eq(fake_end(fake_start(plan, how), &summary), EVS_E_UNREACHABLE);
        evs_plan_free(plan);
    }
    fake_world->fail_commit_before = fake_world->fail_commit_after = 0;
    run_until_told(made, (struct fake_how){.workers = 2, .batch_rows = 16, .follow = true});
    check(made);
    fake_world_free(fake_world);
}
END_TEST

/* What is remembered of keys goes, too: when a window far behind them has closed, nothing is left of throttle, deduplicate and the groups that retain keeps. */
START_TEST(state_goes)
{
    static const char pipeline[] =
        "from events |> deduplicate by v within interval 10 second |> throttle 1 per interval 10 second by k |> "
        "aggregate count(*) as n group by k retain interval 10 second |> select 'counted' as what, n |> insert into "
        "out;\n"
        "from events |> aggregate count(*) as n group by tumble(interval 1 minute) |> select 'minute' as what, n |> "
        "insert into out;\n";
    struct evs_run_summary summary;
    begin();
    publish(0, 1);
    publish(2, 2);
    const struct evs_plan *plan = compile(pipeline);
    for (uint32_t workers = 1; workers <= 3; workers += 2) {
        struct evs_run *run = fake_start(plan, (struct fake_how){.workers = workers, .batch_rows = 16, .follow = true});
        ck_assert(fake_wait_rows("out", 2));
        evs_run_stop(run);
        ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
        ck_assert_uint_eq(summary.totals.state_keys, 0);
    }
    ck_assert_uint_eq(fake_rows_like("{\"what\":\"counted\",\"n\":1}"), 1);
    ck_assert_uint_eq(fake_rows_like("{\"what\":\"minute\",\"n\":2}"), 1);
    ck_assert_uint_eq(fake_world->row_count, 2);
    evs_plan_free(plan);
    fake_world_free(fake_world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("time_quiet");
    TCase *tests = tcase_create("time_quiet");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, last_rows, 0, EVS_COUNT(cases));
    tcase_add_loop_test(tests, last_rows_through_deaths, 0, EVS_COUNT(cases));
    tcase_add_test(tests, state_goes);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
