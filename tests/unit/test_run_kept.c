/* What a restart does with the outbox: rows that were delivered and may be lost by their receiver, and rows of a commit that the store may still lose. */
#include "run_fakes.h"
#include "unit.h"

#define ROWS 60
#define PARTITIONS 3
#define SOURCE                                                                                                         \
    "create source events (ms timestamp unit ms not null, k string, v int64, watermark for ms as ms - interval 1 "     \
    "second)\nfrom fake () dead letter into dead;\ncreate sink dead to fake (address = 'dead');\n"
#define ALL_ROWS "from events |> insert into out;\n"

static const char into_log[] = SOURCE "create sink out to fake_log (address = 'out.{k}');\n" ALL_ROWS;
static const char into_fast[] = SOURCE "create sink out to fake (address = 'out.{k}');\n" ALL_ROWS;
static const char into_both[] = SOURCE "create sink out to fake_exact (address = 'out.{k}');\n"
                                       "create sink seen to fake (address = 'seen');\n"
                                       "from events |> insert into seen;\n" ALL_ROWS;
static const char into_exact[] = SOURCE "create sink out to fake_exact (address = 'out.{k}');\n" ALL_ROWS;

static void publish(uint32_t number)
{
    char text[128];
    snprintf(text, sizeof text, "{\"ms\":%u,\"k\":\"a\",\"v\":%u}\n", number, number);
    fake_publish(fake_world, number % PARTITIONS, text);
}

static void begin(void)
{
    fake_bucket_clear();
    fake_world_new(PARTITIONS);
    fake_world->topics[0].live = true;
    for (uint32_t i = 0; i < ROWS; i++) {
        publish(i);
    }
}

static void end(const struct evs_plan *plan)
{
    evs_plan_free(plan);
    fake_world_free(fake_world);
}

static struct fake_how follow(uint32_t workers)
{
    return (struct fake_how){.workers = workers, .batch_rows = 16, .follow = true, .interval_us = 10000};
}

/* How often the rows came, all together. */
static uint32_t received(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fake_world->row_count; i++) {
        count += fake_world->rows[i].received;
    }
    return count;
}

static void stop(struct evs_run *run)
{
    struct evs_run_summary summary;
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
}

/* Rows of each worker's lane are kept over a restart, with as many workers or others; the first lane that is opened is told of all of them, and what the log has lost comes again. */
START_TEST(what_each_lane_kept_is_told)
{
    begin();
    const struct evs_plan *plan = fake_compile(into_log);
    struct evs_run *run = fake_start(plan, follow(PARTITIONS));
    ck_assert(fake_wait_rows("out.", ROWS));
    stop(run);
    ck_assert_uint_eq(received(), ROWS);
    fake_world->is_cut = true;
    run = fake_start(plan, follow(1 + (uint32_t)_i));
    ck_assert_uint_eq(fake_world->kept_told, ROWS);
    stop(run);
    ck_assert_uint_eq(fake_world->row_count, ROWS);
    ck_assert_uint_eq(received(), 2 * ROWS);
    end(plan);
}
END_TEST

/* The log is cut before the last commit of a run, or while others still deliver for it: the run ends in order, and what it has not sent again the next one does. */
START_TEST(a_cut_at_the_end)
{
    begin();
    const struct evs_plan *plan = fake_compile(into_log);
    fake_world->lose_after = 5 * (uint32_t)_i;
    struct evs_run *run = fake_start(plan, follow(PARTITIONS));
    ck_assert(fake_wait_rows("out.", ROWS));
    atomic_store(&fake_world->holds_second, true);
    publish(ROWS + 1);
    ck_assert(fake_wait_rows("out.", ROWS + 1));
    atomic_store(&fake_world->is_ending, true);
    stop(run);
    atomic_store(&fake_world->is_ending, false);
    atomic_store(&fake_world->holds_second, false);
    fake_world->is_cut = true;
    run = fake_start(plan, follow(PARTITIONS));
    stop(run);
    for (uint32_t i = 0; i < ROWS; i++) {
        ck_assert_uint_ge(fake_world->rows[i].received, 2);
    }
    end(plan);
}
END_TEST

/* The engine before has died behind a commit that a crash of the store may still take: its rows wait as those of a commit of one's own do. */
START_TEST(a_restored_commit_is_confirmed_first)
{
    begin();
    const struct evs_plan *plan = fake_compile(into_exact);
    struct evs_run_summary summary;
    struct fake_how how = follow(1);
    how.lease_us = INT64_C(10000000);
    fake_world->deaf_polls = 1;
    struct evs_run *run = fake_start(plan, how);
    ck_assert(fake_wait_rows("out.", ROWS));
    while (!fake_bucket_has(
        "marker.")) { /* trigger ids outlive the store: rows do not wait for the first commit of the next term */
        evs_os_system()->clock.sleep_us(evs_os_system()->clock.self, 1000);
    }
    fake_world->fail_commit_before = 1;
    ck_assert_int_eq(fake_end(run, &summary), EVS_E_UNREACHABLE);
    ck_assert_uint_eq(received(), ROWS);
    fake_world->deaf_polls = 0;
    fake_world->confirm_delay_us = INT64_C(3600000000);
    fake_world->fail_commit_before = 10;
    ck_assert_int_eq(fake_run(plan, how, &summary), EVS_E_UNREACHABLE);
    ck_assert_uint_eq(received(), ROWS);
    fake_world->confirm_delay_us = 0;
    run = fake_start(plan, how);
    stop(run);
    ck_assert_uint_eq(received(), 2 * ROWS);
    ck_assert_uint_eq(fake_world->row_count, ROWS);
    end(plan);
}
END_TEST

/* A drain waits for a receiver for so long that the lease is let go. Nobody takes it: what is left is delivered, and the run ends. */
START_TEST(a_drain_outlives_its_lease)
{
    begin();
    for (uint32_t i = ROWS; i < 8 * ROWS; i++) { /* more than the held lane takes without an acknowledgement */
        publish(i);
    }
    const struct evs_plan *plan = fake_compile(into_log);
    struct fake_how how = follow(2);
    how.lease_us = INT64_C(10000000);
    how.interval_us = 200000; /* rows come behind a commit: the next one is the last one */
    atomic_store(&fake_world->holds_second, true);
    struct evs_run *run = fake_start(plan, how);
    ck_assert(fake_wait_rows("out.", 5 * ROWS));
    uint32_t commits = fake_world->commit_count;
    evs_run_stop(run);
    ck_assert(fake_wait_commits(commits + 1));
    atomic_store(&fake_world->asleep_us, 10 * how.lease_us);
    atomic_store(&fake_world->holds_second, false);
    struct evs_run_summary summary;
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    ck_assert_uint_eq(fake_world->row_count, 8 * ROWS);
    ck_assert_uint_eq(received(), 8 * ROWS);
    end(plan);
}
END_TEST

/* Rows of an exact sink wait for the commit that holds them, while those of a fast one, read later, have long arrived. */
START_TEST(exact_rows_wait_for_their_commit)
{
    begin();
    const struct evs_plan *plan = fake_compile(into_both);
    struct fake_how how = follow(1);
    how.interval_us = INT64_C(3600000000); /* none but the first, before anything is read, and the last */
    struct evs_run *run = fake_start(plan, how);
    ck_assert(fake_wait_rows("seen", ROWS));
    for (uint32_t i = ROWS; i < 2 * ROWS; i++) {
        publish(i);
    }
    ck_assert(fake_wait_rows("seen", 2 * ROWS));
    ck_assert_uint_eq(fake_rows_at("out."), 0);
    stop(run);
    ck_assert_uint_eq(fake_rows_at("out."), 2 * ROWS);
    end(plan);
}
END_TEST

/* The receiver has stored rows and told nobody when the engine dies: the commit holds them, and the next life sends each of them again. */
START_TEST(rows_without_an_answer_come_again)
{
    begin();
    const struct evs_plan *plan = fake_compile(into_fast);
    struct evs_run_summary summary;
    fake_world->deaf_polls = 1;
    struct evs_run *run = fake_start(plan, follow(1));
    ck_assert(fake_wait_rows("out.", ROWS));
    ck_assert(fake_wait_commits(fake_world->commit_count + 2)); /* the second was begun behind them */
    fake_world->fail_commit_before = 1;
    ck_assert_int_eq(fake_end(run, &summary), EVS_E_UNREACHABLE);
    ck_assert_uint_eq(received(), ROWS);
    fake_world->deaf_polls = 0;
    run = fake_start(plan, follow(1));
    stop(run);
    ck_assert_uint_eq(fake_world->row_count, ROWS);
    ck_assert_uint_eq(received(), 2 * ROWS);
    end(plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run_kept");
    TCase *tests = tcase_create("run_kept");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, what_each_lane_kept_is_told, 0, 4);
    tcase_add_loop_test(tests, a_cut_at_the_end, 0, 6);
    tcase_add_test(tests, a_restored_commit_is_confirmed_first);
    tcase_add_test(tests, a_drain_outlives_its_lease);
    tcase_add_test(tests, exact_rows_wait_for_their_commit);
    tcase_add_test(tests, rows_without_an_answer_come_again);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
