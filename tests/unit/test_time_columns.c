/* A pipeline that asks for other columns behind an operator that keeps rows. Operators that keep whole rows take their columns over (what the rows did not
 * have is NULL in them); a join does not, and that is told before anything is read, by the operator's name. What does not touch the kept rows goes on. */
#include "run_fakes.h"
#include "unit.h"

#define START_MS INT64_C(1767607200000) /* 2026-01-05T10:00:00Z */

#define SOURCE_OF(name, kind)                                                                                          \
    "create source " name                                                                                              \
    " (ms timestamp unit ms not null, k string, v int64, w int64, watermark for ms as ms - interval 2 second)\n"       \
    "from " kind " (idle_timeout = 'never') dead letter into dead;\n"
static const char prologue[] =
    SOURCE_OF("events", "fake") SOURCE_OF("others", "fake_other") "create sink dead to fake (address = 'dead');\n"
                                                                  "create sink out to fake (address = 'out');\n"
                                                                  "create sink more to fake (address = 'more');\n";

/* Behind the operator stands the query's end. */
static const struct {
    const char *name, *operator_;
    bool takes_over;
} cases[] = {
    {"resolve identity",
     "from events |> resolve identity k to nullif(k, 'a') within interval 1 hour retain interval 1 day as kept", true},
    {"hold", "from events |> hold until ms + interval 1 hour as kept", true},
    {"deduplicate keep last", "from events |> deduplicate by k within interval 1 hour keep last as kept", true},
    {"top",
     "from events |> call tumble(interval 1 hour) |> top 1 by v desc partition by window_start, window_end as kept",
     true},
    {"over",
     "from events |> extend sum(v) over (partition by k order by ms range between interval 1 hour preceding "
     "and current "
     "row) as s",
     true},
    {"join",
     "from events |> join others as o on events.k = o.k and o.ms between events.ms and events.ms + interval 1 "
     "hour |> select events.v, events.w, o.k",
     false},
    {"anti join",
     "from events |> anti join others as o on events.k = o.k and o.ms between events.ms and events.ms + "
     "interval 1 hour",
     false},
};

static const char narrow[] = " |> select v as a |> insert into out;\n";
static const char other[] = " |> select w as a |> insert into out;\n"; /* as many columns, of the same types */
static const char wide[] = " |> select v + w as a |> insert into out;\n";
static const char beside[] = " |> select v as a |> insert into out;\nfrom events |> where v > 1 |> select w |> insert "
                             "into more;\n";

static evs_status run_once(const char *operator_, const char *end, struct evs_error *error)
{
    char text[2048];
    struct evs_run *run = NULL;
    struct evs_run_summary summary;
    struct fake_how how = FAKE_HOW(2, 16, 1000);
    how.at_end_stop = true;
    snprintf(text, sizeof text, "%s%s%s", prologue, operator_, end);
    const struct evs_plan *plan = fake_compile(text);
    evs_status status = fake_try_start(plan, how, &run, error);
    if (status == EVS_OK) {
        status = fake_end(run, &summary);
    }
    evs_plan_free(plan);
    return status;
}

static void check(const char *operator_, const char *first, const char *second, bool fits, const char *what)
{
    struct evs_error error = {0};
    char line[128];
    fake_world_new(2);
    snprintf(line, sizeof line, "{\"ms\":%lld,\"k\":\"a\",\"v\":1,\"w\":2}\n", (long long)START_MS);
    fake_publish(fake_world, 0, line);
    ck_assert_int_eq(run_once(operator_, first, &error), EVS_OK);
    evs_status status = run_once(operator_, second, &error);
    ck_assert_msg(status == (fits ? EVS_OK : EVS_E_STATE), "%s: %s: %s", what, evs_status_name(status), error.text);
    if (!fits) {
        bool is_named = strstr(operator_, "as kept") != NULL; /* else it is called by kind and keys */
        bool is_told = (!is_named || strstr(error.text, "`kept`") != NULL) &&
                       strstr(error.text, "rows with other columns") != NULL &&
                       strstr(error.text, "pipeline NAME;") != NULL;
        ck_assert_msg(is_told, "%s: %s", what, error.text);
    }
    fake_world_free(fake_world);
}

START_TEST(other_columns)
{
    const char *operator_ = cases[_i].operator_;
    check(operator_, narrow, narrow, true, "the same");
    check(operator_, narrow, beside, true, "another query beside it");
    check(operator_, narrow, other, cases[_i].takes_over, "another column of the same type");
    check(operator_, narrow, wide, cases[_i].takes_over, "one column more");
    check(operator_, wide, narrow, cases[_i].takes_over, "one column less");
}
END_TEST

/* What keeps no rows does not care who asks for more behind it. */
START_TEST(without_rows)
{
    static const char *const operators[] = {"from events |> deduplicate by k within interval 1 hour as kept",
                                            "from events |> throttle 3 per interval 1 hour by k as kept"};
    check(operators[_i], narrow, wide, true, "no rows");
    check(operators[_i], wide, other, true, "no rows");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("time_columns");
    TCase *tests = tcase_create("time_columns");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, other_columns, 0, EVS_COUNT(cases));
    tcase_add_loop_test(tests, without_rows, 0, 2);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
