/* --at-end close: the input is cut where it is. Windows close and rows that wait for their order are taken, but nothing says that a row did not come, or that
 * its time has come, unless the watermark W at the cut had passed that moment (language, "Event time, exactly", 11). The same input as a complete one, as a
 * file is, says all of it.
 *
 * W is 60 s: what partition 1 has shown at the end; partition 0 is ahead of it. Each case runs in batches of 1, 7 and 1,024 rows, on 1, 2 and 4 workers, and through
 * deaths; what comes out is the same. */
#include "run_fakes.h"
#include "unit.h"

#define START_MS INT64_C(1767607200000) /* 2026-01-05T10:00:00Z */
#define CUT_S 60

struct case_row {
    int s;
    const char *k;
    int v;
};

struct cut_case {
    const char *name, *pipeline;
    struct case_row events[8], others[4]; /* partition 0 of each source; k NULL ends the list */
    const char *cut[8], *complete[8];     /* rows, in any order */
};

#define SOURCE_OF(name, kind)                                                                                          \
    "create source " name " (ms timestamp unit ms not null, k string, v int64, watermark for ms as ms)\n"              \
    "from " kind " (idle_timeout = 'never') dead letter into dead;\n"
static const char prologue[] = SOURCE_OF("events", "fake")
    SOURCE_OF("others", "fake_other") "create sink dead to fake (address = 'dead');\n"
                                      "create sink out to fake (address = 'out');\n"
                                      "create stream seen as from events |> where k != 'end';\n"
                                      "create stream other_rows as from others |> where k != 'end';\n";

static const struct cut_case cases[] = {
    {.name = "an absence",
     .pipeline = "from seen |> sequence by k a as v = 1 then no b as v = 2 within interval 30 second select k |> "
                 "insert into out;\n",
     .events = {{20, "fires", 1}, {29, "fires too", 1}, {30, "not passed", 1}, {40, "beyond", 1}, {80, "ahead", 1}},
     .cut = {"{\"k\":\"fires\"}", "{\"k\":\"fires too\"}"},
     .complete = {"{\"k\":\"fires\"}", "{\"k\":\"fires too\"}", "{\"k\":\"not passed\"}", "{\"k\":\"beyond\"}",
                  "{\"k\":\"ahead\"}"}},
    {.name = "a time-out",
     .pipeline = "from seen |> sequence by k a as v = 1 then b as v = 2 within interval 30 second on timeout into out "
                 "select k |> insert into out;\n",
     .events = {{20, "lost", 1}, {40, "open", 1}, {75, "match", 1}, {80, "match", 2}},
     .cut = {"{\"k\":\"lost\"}", "{\"k\":\"match\"}"},
     .complete = {"{\"k\":\"lost\"}", "{\"k\":\"open\"}", "{\"k\":\"match\"}"}},
    {.name = "absences between rows that are ahead of W, and a last step that could have had more rows",
     .pipeline = "from seen |> sequence by k a as v = 1 then no x as v = 9 within interval 5 second then b as v = 2 "
                 "within interval 30 second select 'timed' as what, k |> insert into out;\n"
                 "from seen |> sequence by k within interval 1 hour a as v = 1 then no x as v = 9 then b as v = 2 "
                 "select 'untimed' as what, k |> insert into out;\n"
                 "from seen |> sequence by k a as v = 1 then b+ as v = 2 within interval 30 second select 'more' as "
                 "what, k, count(b) as n |> select what, k, n |> set what = concat(what, cast(n as string)) |> drop n "
                 "|> insert into out;\n",
     .events = {{50, "k", 1}, {58, "k", 2}, {70, "l", 1}, {80, "l", 2}},
     .cut = {"{\"what\":\"timed\",\"k\":\"k\"}", "{\"what\":\"untimed\",\"k\":\"k\"}",
             "{\"what\":\"more1\",\"k\":\"k\"}", "{\"what\":\"more1\",\"k\":\"l\"}"},
     .complete = {"{\"what\":\"timed\",\"k\":\"k\"}", "{\"what\":\"untimed\",\"k\":\"k\"}",
                  "{\"what\":\"more1\",\"k\":\"k\"}", "{\"what\":\"more1\",\"k\":\"l\"}",
                  "{\"what\":\"timed\",\"k\":\"l\"}", "{\"what\":\"untimed\",\"k\":\"l\"}"}},
    {.name = "outer joins",
     .pipeline = "from seen |> full join other_rows as o on seen.k = o.k and o.ms between seen.ms and seen.ms + "
                 "interval 30 second |> select seen.v, o.v as w |> insert into out;\n",
     .events = {{20, "alone", 1}, {40, "open", 2}, {75, "pair", 3}},
     .others = {{59, "lonely", 4}, {61, "other", 5}, {80, "pair", 6}},
     .cut = {"{\"v\":1,\"w\":null}", "{\"v\":null,\"w\":4}", "{\"v\":3,\"w\":6}"},
     .complete = {"{\"v\":1,\"w\":null}", "{\"v\":null,\"w\":4}", "{\"v\":3,\"w\":6}", "{\"v\":2,\"w\":null}",
                  "{\"v\":null,\"w\":5}"}},
    {.name = "semi and anti joins",
     .pipeline = "from seen |> anti join other_rows as o on seen.k = o.k and o.ms between seen.ms and seen.ms + "
                 "interval 30 second |> select 'anti' as what, v |> insert into out;\n"
                 "from seen |> semi join other_rows as o on seen.k = o.k and o.ms between seen.ms and seen.ms + "
                 "interval 30 second |> select 'semi' as what, v |> insert into out;\n",
     .events = {{20, "alone", 1}, {40, "open", 2}, {75, "pair", 3}},
     .others = {{80, "pair", 6}},
     .cut = {"{\"what\":\"anti\",\"v\":1}", "{\"what\":\"semi\",\"v\":3}"},
     .complete = {"{\"what\":\"anti\",\"v\":1}", "{\"what\":\"semi\",\"v\":3}", "{\"what\":\"anti\",\"v\":2}"}},
    {.name = "rows that are held",
     .pipeline = "from seen |> hold until ms + interval 30 second |> select v |> insert into out;\n",
     .events = {{20, "a", 1}, {30, "a", 2}, {40, "a", 3}, {80, "a", 4}},
     .cut = {"{\"v\":1}", "{\"v\":2}"},
     .complete = {"{\"v\":1}", "{\"v\":2}", "{\"v\":3}", "{\"v\":4}"}},
    {.name = "windows, sessions, the rows of windows",
     .pipeline =
         "from seen |> aggregate count(*) as n group by tumble(interval 1 minute) |> select 'tumble' as what, n "
         "|> insert into out;\n"
         "from seen |> aggregate count(*) as n group by session(interval 5 minute) |> select 'session' as what, "
         "n |> insert into out;\n"
         "from seen |> call tumble(interval 1 minute) |> top 1 by v desc partition by window_start, window_end "
         "|> select 'top' as what, v as n |> insert into out;\n",
     .events = {{20, "a", 1}, {40, "a", 2}, {80, "a", 3}},
     .cut = {"{\"what\":\"tumble\",\"n\":2}", "{\"what\":\"tumble\",\"n\":1}", "{\"what\":\"session\",\"n\":3}",
             "{\"what\":\"top\",\"n\":2}", "{\"what\":\"top\",\"n\":3}"},
     .complete = {"{\"what\":\"tumble\",\"n\":2}", "{\"what\":\"tumble\",\"n\":1}", "{\"what\":\"session\",\"n\":3}",
                  "{\"what\":\"top\",\"n\":2}", "{\"what\":\"top\",\"n\":3}"}},
    {.name = "what waits for its order, its last duplicate, its tick",
     .pipeline =
         "from seen |> extend sum(v) over (partition by k order by ms range between interval 1 hour preceding "
         "and current row) as before |> select 'over' as what, v, before |> insert into out;\n"
         "from seen |> deduplicate by k within interval 1 hour keep last |> select 'last' as what, v, 0 as "
         "before |> insert into out;\n"
         "from seen |> aggregate sum(v) as v group by k emit every interval 1 minute retain interval 1 hour |> "
         "select 'every' as what, v, 1 as before |> insert into out;\n"
         "from seen |> match_recognize (partition by k order by ms measures count(*) as v pattern (a b+) within "
         "interval 1 hour define a as v = 1, b as v > 1) |> select 'match' as what, v, 2 as before |> insert "
         "into out;\n",
     .events = {{20, "a", 1}, {70, "a", 2}, {80, "a", 3}},
     .cut = {"{\"what\":\"over\",\"v\":1,\"before\":1}", "{\"what\":\"over\",\"v\":2,\"before\":3}",
             "{\"what\":\"over\",\"v\":3,\"before\":6}", "{\"what\":\"last\",\"v\":3,\"before\":0}",
             "{\"what\":\"every\",\"v\":1,\"before\":1}", "{\"what\":\"every\",\"v\":6,\"before\":1}",
             "{\"what\":\"match\",\"v\":3,\"before\":2}"},
     .complete = {"{\"what\":\"over\",\"v\":1,\"before\":1}", "{\"what\":\"over\",\"v\":2,\"before\":3}",
                  "{\"what\":\"over\",\"v\":3,\"before\":6}", "{\"what\":\"last\",\"v\":3,\"before\":0}",
                  "{\"what\":\"every\",\"v\":1,\"before\":1}", "{\"what\":\"every\",\"v\":6,\"before\":1}",
                  "{\"what\":\"match\",\"v\":3,\"before\":2}"}},
    {.name = "an absence among the windows that the cut closes",
     .pipeline = "from seen |> aggregate count(*) as n group by k, tumble(interval 10 second) |> sequence by k "
                 "a as n >= 1 then no b as n >= 1 within interval 30 second select k |> insert into out;\n",
     .events = {{5, "fires", 1}, {35, "open", 1}, {75, "ahead", 1}},
     .cut = {"{\"k\":\"fires\"}"},
     .complete = {"{\"k\":\"fires\"}", "{\"k\":\"open\"}", "{\"k\":\"ahead\"}"}},
};

static void publish(void (*to)(struct fake_world *, uint32_t, const char *), const struct case_row *rows)
{
    char line[128];
    for (uint32_t i = 0; rows[i].k != NULL; i++) {
        snprintf(line, sizeof line, "{\"ms\":%lld,\"k\":\"%s\",\"v\":%d}\n", (long long)(START_MS + rows[i].s * 1000),
                 rows[i].k, rows[i].v);
        to(fake_world, 0, line);
    }
    for (uint32_t partition = 0; partition < 2; partition++) { /* partition 0 is 30 s ahead */
        snprintf(line, sizeof line, "{\"ms\":%lld,\"k\":\"end\",\"v\":0}\n",
                 (long long)(START_MS + (CUT_S + (partition == 0 ? 30 : 0)) * 1000));
        to(fake_world, partition, line);
    }
}

static uint32_t count_of(const char *const *rows)
{
    uint32_t count = 0;
    while (count < 8 && rows[count] != NULL) {
        count++;
    }
    return count;
}

static void compare(const struct cut_case *made, const char *const *expected, const char *how)
{
    uint32_t count = count_of(expected);
    bool is_same = fake_world->row_count == count && fake_world->mismatches == 0;
    for (uint32_t i = 0; i < count; i++) {
        is_same = is_same && fake_rows_like(expected[i]) == 1;
    }
    for (uint32_t i = 0; !is_same && i < fake_world->row_count; i++) {
        fprintf(stderr, "%s %s\n", fake_world->rows[i].address, fake_world->rows[i].payload);
    }
    ck_assert_msg(is_same, "%s, %s: other rows, see above", made->name, how);
}

static void run_case(const struct cut_case *made, struct fake_how how, bool dies)
{
    char text[4096], shown[96];
    struct evs_run_summary summary;
    snprintf(text, sizeof text, "%s%s", prologue, made->pipeline);
    snprintf(shown, sizeof shown, "%s, %u workers, batches of %u%s", how.at_end_cut ? "cut" : "complete", how.workers,
             how.batch_rows, dies ? ", through deaths" : "");
    fake_world_new(2);
    fake_world->topics[1].partition_count = 2;
    publish(fake_publish, made->events);
    publish(fake_publish_other, made->others);
    const struct evs_plan *plan = fake_compile(text);
    evs_status status = EVS_E_UNREACHABLE;
    for (uint32_t deaths = 0; status == EVS_E_UNREACHABLE; deaths++) {
        ck_assert_uint_lt(deaths, 1000);
        fake_world->fail_polls = dies && deaths < 6 ? 2 + deaths : 0;
        fake_world->fail_commit_before = dies && deaths >= 6 && deaths < 9 ? 2 + deaths % 3 : 0;
        fake_world->fail_commit_after = dies && deaths >= 9 && deaths < 14 ? 1 + deaths % 3 : 0;
        how.workers = dies ? 1 + deaths % 3 : how.workers;
        status = fake_run(plan, how, &summary);
    }
    compare(made, how.at_end_cut ? made->cut : made->complete, shown);
    evs_plan_free(plan);
    fake_world_free(fake_world);
}

START_TEST(cut_or_complete)
{
    static const struct fake_how hows[] = {FAKE_HOW(1, 1, 1000), FAKE_HOW(1, 1024, 1000), FAKE_HOW(2, 7, 1000),
                                           FAKE_HOW(4, 1024, 1000), FAKE_HOW(4, 1, 3)};
    for (uint32_t i = 0; i < 2 * EVS_COUNT(hows); i++) {
        struct fake_how how = hows[i / 2];
        how.at_end_cut = i % 2 == 0;
        run_case(&cases[_i], how, false);
    }
}
END_TEST

START_TEST(through_deaths)
{
    for (uint32_t i = 0; i < 4; i++) {
        struct fake_how how = FAKE_HOW(1, i < 2 ? 1 : 3, 1 + i / 2);
        how.at_end_cut = i % 2 == 0;
        run_case(&cases[_i], how, true);
    }
}
END_TEST

/* What was cut is finished, as what is complete: it cannot be resumed. */
START_TEST(finished)
{
    char text[4096];
    struct evs_run_summary summary;
    struct fake_how how = FAKE_HOW(2, 7, 1000);
    how.at_end_cut = true;
    snprintf(text, sizeof text, "%s%s", prologue, cases[0].pipeline);
    fake_world_new(2);
    fake_world->topics[1].partition_count = 2;
    publish(fake_publish, cases[0].events);
    const struct evs_plan *plan = fake_compile(text);
    ck_assert_int_eq(fake_run(plan, how, &summary), EVS_OK);
    ck_assert(summary.finished);
    ck_assert_int_eq(fake_run(plan, how, &summary), EVS_E_FINISHED);
    evs_plan_free(plan);
    fake_world_free(fake_world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("time_cut");
    TCase *tests = tcase_create("time_cut");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, cut_or_complete, 0, EVS_COUNT(cases));
    tcase_add_loop_test(tests, through_deaths, 0, EVS_COUNT(cases));
    tcase_add_test(tests, finished);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
