/* The runtime, end to end, in one process: pipelines over the fakes of run_fakes.h, with the engine dying at every place where it can.
 *
 * The oracle counts in plain loops over the published events. After any sequence of deaths and restarts, with any number of workers, batch
 * size and checkpoint distance, the receiver must hold exactly the oracle's rows: each once (ids that come again are dropped, as JetStream
 * does), none with another content. */
#include "run_fakes.h"
#include "unit.h"

#define KEYS 13
#define WINDOW_US INT64_C(10000000)
#define DELAY_US INT64_C(2000000)
#define START_US INT64_C(1767607200000000) /* 2026-01-05T10:00:00Z */

struct event {
    int64_t time_us;
    uint32_t partition;
    int key, value;
    bool bad;
};

static struct event *events;
static uint32_t event_count;
static uint64_t seed;

static void make_events(struct fake_world *world, uint32_t count, uint32_t per_message)
{
    event_count = count;
    events = evs_alloc_zero(count * sizeof *events);
    struct evs_buffer messages[FAKE_PARTITIONS_MAX] = {0};
    uint32_t held[FAKE_PARTITIONS_MAX] = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct event *event = &events[i];
        event->key = (int)(unit_random(&seed) % KEYS);
        event->partition = (uint32_t)event->key % world->topics[0].partition_count;
        event->time_us = START_US + (int64_t)i * 40000 - (int64_t)(unit_random(&seed) % 6000) * 1000;
        event->value = (int)(unit_random(&seed) % 1000);
        event->bad = unit_random(&seed) % 50 == 0;
        evs_buffer_printf(&messages[event->partition],
                          event->bad ? "{\"ms\":%lld,\"k\":\"key-number-%d\",\"v\":\"x\"}\n"
                                     : "{\"ms\":%lld,\"k\":\"key-number-%d\",\"v\":%d}\n",
                          (long long)(event->time_us / 1000), event->key, event->value);
        if (++held[event->partition] == per_message || i + 1 == count) {
            evs_buffer_put(&messages[event->partition], "", 1);
            fake_publish(world, event->partition, messages[event->partition].data);
            messages[event->partition].count = held[event->partition] = 0;
        }
    }
    for (uint32_t p = 0; p < world->topics[0].partition_count; p++) {
        if (held[p] > 0) {
            evs_buffer_put(&messages[p], "", 1);
            fake_publish(world, p, messages[p].data);
        }
        evs_buffer_fini(&messages[p]);
    }
}

/* --- the oracle: windows, lateness judged by the watermark of the partition before the row ----------------------------------------- */

struct window_count {
    int64_t start_us;
    int key, count, sum;
};

struct oracle {
    struct window_count *windows;
    uint32_t window_count, late, bad;
};

static struct window_count *oracle_window(struct oracle *oracle, int64_t start_us, int key)
{
    for (uint32_t i = 0; i < oracle->window_count; i++) {
        if (oracle->windows[i].start_us == start_us && oracle->windows[i].key == key) {
            return &oracle->windows[i];
        }
    }
    oracle->windows[oracle->window_count] = (struct window_count){.start_us = start_us, .key = key};
    return &oracle->windows[oracle->window_count++];
}

static void oracle_count(struct oracle *oracle, uint32_t partitions)
{
    int64_t watermark[FAKE_PARTITIONS_MAX];
    *oracle = (struct oracle){.windows = evs_alloc_zero((event_count + 1u) * sizeof *oracle->windows)};
    for (uint32_t p = 0; p < partitions; p++) {
        watermark[p] = INT64_MIN;
    }
    for (uint32_t i = 0; i < event_count; i++) {
        const struct event *event = &events[i];
        if (event->bad) {
            oracle->bad++;
            continue;
        }
        int64_t start = event->time_us - event->time_us % WINDOW_US;
        if (watermark[event->partition] >= start + WINDOW_US) {
            oracle->late++;
        } else {
            struct window_count *window = oracle_window(oracle, start, event->key);
            window->count++;
            window->sum += event->value;
        }
        if (event->time_us - DELAY_US > watermark[event->partition]) {
            watermark[event->partition] = event->time_us - DELAY_US;
        }
    }
}

static void check_windows(const struct oracle *oracle)
{
    ck_assert_uint_eq(fake_world->mismatches, 0);
    ck_assert_uint_eq(fake_rows_at("out."), oracle->window_count);
    ck_assert_uint_eq(fake_rows_at("late"), oracle->late);
    ck_assert_uint_eq(fake_rows_at("dead"), oracle->bad);
    for (uint32_t i = 0; i < oracle->window_count; i++) {
        const struct window_count *window = &oracle->windows[i];
        char time[EVS_FORMAT_MAX], wanted[256];
        uint32_t count = evs_format_timestamp(time, window->start_us);
        snprintf(wanted, sizeof wanted, "{\"k\":\"key-number-%d\",\"window_start\":\"%.*s\",\"n\":%d,\"total\":%d}",
                 window->key, (int)count, time, window->count, window->sum);
        uint32_t found = 0;
        for (uint32_t j = 0; j < fake_world->row_count; j++) {
            found += strcmp(fake_world->rows[j].payload, wanted) == 0;
        }
        ck_assert_msg(found == 1, "found %u times: %s", found, wanted);
    }
}

#define SOURCE                                                                                                         \
    "create source events (ms timestamp unit ms not null, k string, v int64, watermark for ms as ms - interval 2 "     \
    "second)\n"                                                                                                        \
    "from fake () dead letter into dead;\n"                                                                            \
    "create sink dead to fake (address = 'dead');\n"                                                                   \
    "create sink late to fake (address = 'late');\n"

static const char windows_fast[] = SOURCE
    "create sink out to fake (address = 'out.{k}');\n"
    "from events |> aggregate count(*) as n, sum(v) as total group by k, tumble(interval 10 second) late into late\n"
    "|> select k, window_start, n, total |> insert into out;\n";
static const char windows_exact[] = SOURCE
    "create sink out to fake_exact (address = 'out.{k}');\n"
    "from events |> aggregate count(*) as n, sum(v) as total group by k, tumble(interval 10 second) late into late\n"
    "|> select k, window_start, n, total |> insert into out;\n";

static void begin(uint32_t partitions, uint32_t count, uint32_t per_message)
{
    seed = 42;
    fake_world_new(partitions);
    make_events(fake_world, count, per_message);
}

static void end(struct oracle *oracle, const struct evs_plan *plan)
{
    evs_free(oracle->windows);
    evs_free(events);
    evs_plan_free(plan);
    fake_world_free(fake_world);
}

static const struct fake_how hows[] = {FAKE_HOW(1, 1024, 5), FAKE_HOW(1, 7, 20), FAKE_HOW(4, 1024, 3),
                                       FAKE_HOW(3, 64, 7), FAKE_HOW(2, 1, 100)};

START_TEST(test_undisturbed)
{
    begin(4, 5000, 10);
    const struct evs_plan *plan = fake_compile(windows_fast);
    struct oracle oracle;
    struct evs_run_summary summary;
    oracle_count(&oracle, 4);
    ck_assert_int_eq(fake_run(plan, hows[_i], &summary), EVS_OK);
    check_windows(&oracle);
    ck_assert_uint_eq(summary.totals.events, event_count);
    ck_assert_uint_eq(summary.totals.late, oracle.late);
    ck_assert_uint_eq(summary.totals.dead, oracle.bad);
    ck_assert_uint_gt(oracle.late, 0);
    ck_assert_uint_gt(summary.checkpoints, 1);
    for (uint32_t i = 0; i < fake_world->row_count; i++) {
        ck_assert_uint_eq(fake_world->rows[i].received, 1);
    }
    end(&oracle, plan);
}
END_TEST

/* Dies again and again, each time a little later, in one of three ways, and comes back with other numbers of workers and rows. */
static void die_and_return(const char *pipeline, int way)
{
    begin(4, 3000, 5);
    const struct evs_plan *plan = fake_compile(pipeline);
    struct oracle oracle;
    struct evs_run_summary summary;
    oracle_count(&oracle, 4);
    uint32_t deaths = 0;
    evs_status status;
    fake_world->acknowledge_every = way == 0 ? 1 : 3;
    for (status = EVS_E_UNREACHABLE; status == EVS_E_UNREACHABLE; deaths++) {
        uint32_t after = 1 + deaths % 6;
        struct fake_how how = hows[deaths % EVS_COUNT(hows)];
        how.checkpoint_batches = 1 + deaths % 4;
        fake_world->fail_polls = way == 0 ? after * 5 : 0;
        fake_world->fail_commit_before = way == 1 ? after + 1 : 0;
        fake_world->fail_commit_after = way == 2 ? after + 1 : 0;
        ck_assert_uint_lt(deaths, 5000);
        status = fake_run(plan, how, &summary);
    }
    ck_assert_uint_gt(deaths, 5);
    check_windows(&oracle);
    if (status == EVS_OK) {
        ck_assert_uint_eq(summary.all.events, event_count);
        ck_assert_uint_eq(summary.all.late, oracle.late);
        ck_assert_uint_eq(summary.all.dead, oracle.bad);
    }
    end(&oracle, plan);
}

START_TEST(test_deaths_fast)
{
    die_and_return(windows_fast, _i);
}
END_TEST

START_TEST(test_deaths_exact)
{
    die_and_return(windows_exact, _i);
    (void)0;
}
END_TEST

/* A receiver that stores but does not answer: what it was sent is sent again after the restart, under the same ids. */
START_TEST(test_unacknowledged)
{
    begin(2, 2000, 5);
    const struct evs_plan *plan = fake_compile(windows_fast);
    struct oracle oracle;
    struct evs_run_summary summary;
    oracle_count(&oracle, 2);
    fake_world->deaf_polls = 50;
    fake_world->fail_commit_before = 8;
    ck_assert_int_eq(fake_run(plan, (struct fake_how)FAKE_HOW(2, 16, 10), &summary), EVS_E_UNREACHABLE);
    fake_world->deaf_polls = 0;
    ck_assert_int_eq(fake_run(plan, (struct fake_how)FAKE_HOW(1, 1024, 10), &summary), EVS_OK);
    check_windows(&oracle);
    end(&oracle, plan);
}
END_TEST

/* A crash of the store may take even the commit that names the incarnation, before it is confirmed: the life after has other trigger ids. So nothing is sent
 * until then, and what comes after the loss is told once. */
START_TEST(test_store_forgets_the_incarnation)
{
    begin(2, 2000, 5);
    const struct evs_plan *plan = fake_compile(windows_fast);
    struct oracle oracle;
    struct evs_run_summary summary;
    oracle_count(&oracle, 2);
    fake_world->confirm_delay_us = INT64_C(3600000000);
    fake_world->fail_commit_before = 8;
    ck_assert_int_eq(fake_run(plan, (struct fake_how)FAKE_HOW(2, 16, 10), &summary), EVS_E_UNREACHABLE);
    ck_assert_uint_gt(fake_world->commit_count, 5);
    ck_assert_uint_eq(fake_world->row_count, 0);
    fake_lose_commits(fake_world);
    fake_world->confirm_delay_us = 0;
    ck_assert_int_eq(fake_run(plan, (struct fake_how)FAKE_HOW(2, 16, 10), &summary), EVS_OK);
    check_windows(&oracle);
    end(&oracle, plan);
}
END_TEST

/* Unwindowed groups give one row for each event that changes them; their ids are those of the causing events, so deaths do not show either. */
START_TEST(test_unwindowed)
{
    static const char text[] =
        SOURCE "create sink out to fake (address = 'out.{k}');\n"
               "from events |> aggregate count(*) as n, max(v) as most group by k retain interval 1 hour\n"
               "|> insert into out;\n";
    begin(1, 1500, 3);
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    uint32_t good = 0, deaths = 0;
    evs_status status;
    for (uint32_t i = 0; i < event_count; i++) {
        good += !events[i].bad;
    }
    for (status = EVS_E_UNREACHABLE; status == EVS_E_UNREACHABLE; deaths++) {
        fake_world->fail_commit_before = 2 + deaths % 5;
        status = fake_run(plan, (struct fake_how)FAKE_HOW(1 + deaths % 3, deaths % 2 ? 1024 : 7, 4), &summary);
        ck_assert_uint_lt(deaths, 5000);
    }
    ck_assert_uint_gt(deaths, 3);
    ck_assert_uint_eq(fake_world->mismatches, 0);
    ck_assert_uint_eq(fake_rows_at("out."), good);
    evs_free(events);
    evs_plan_free(plan);
    fake_world_free(fake_world);
}
END_TEST

/* A drain closes no window: what is open goes on in the next run. */
START_TEST(test_finished_is_not_resumed)
{
    begin(1, 100, 3);
    const struct evs_plan *plan = fake_compile(windows_fast);
    struct evs_run_summary summary;
    ck_assert_int_eq(fake_run(plan, hows[0], &summary), EVS_OK);
    struct evs_error error = {0};
    struct evs_run *run = NULL;
    struct evs_run_options options = {.os = evs_os_system(),
                                      .worker_count = 1,
                                      .batch_rows = 1024,
                                      .checkpoint_interval_us = 50000,
                                      .store = &fake_store};
    options.log = evs_log_new(evs_os_system(), EVS_LOG_ERROR, false);
    ck_assert_int_eq(evs_run_start(plan, &options, &run, &error), EVS_E_FINISHED);
    ck_assert_ptr_nonnull(strstr(error.text, "has finished"));
    evs_log_free(options.log);
    evs_free(events);
    evs_plan_free(plan);
    fake_world_free(fake_world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run");
    TCase *tests = tcase_create("run");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_undisturbed, 0, (int)EVS_COUNT(hows));
    tcase_add_loop_test(tests, test_deaths_fast, 0, 3);
    tcase_add_loop_test(tests, test_deaths_exact, 0, 3);
    tcase_add_test(tests, test_unacknowledged);
    tcase_add_test(tests, test_store_forgets_the_incarnation);
    tcase_add_test(tests, test_unwindowed);
    tcase_add_test(tests, test_finished_is_not_resumed);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
