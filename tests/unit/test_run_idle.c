/* The runtime when nothing comes, when it is stopped, and when its owner changes: sources that never end, over the fakes of run_fakes.h.
 *
 * The monotonic clock runs a hundred times faster than the test, so that idle time-outs and windows of seconds pass in milliseconds. No test
 * depends on how long anything takes: they wait for rows and commits, and events that must not be late lie far ahead of any watermark. */
#include "run_fakes.h"
#include "state/record.h"
#include "unit.h"

#include <time.h>

#define START_MS INT64_C(1767607200000) /* 2026-01-05T10:00:00Z */
#define CLOCK_FACTOR 100

#define SOURCE_WITH(name, kind, watermark, idle)                                                                       \
    "create source " name " (ms timestamp unit ms not null, k string, v int64, watermark for ms as " watermark ")\n"   \
    "from " kind " (idle_timeout = " idle ") dead letter into dead;\n"
#define SOURCE_OF(name, kind, watermark) SOURCE_WITH(name, kind, watermark, "interval 1 millisecond")
#define SINKS                                                                                                          \
    "create sink dead to fake (address = 'dead');\n"                                                                   \
    "create sink late to fake (address = 'late');\n"                                                                   \
    "create sink seen to fake (address = 'seen');\n"
#define COUNTED "|> aggregate count(*) as n group by k, tumble(interval 10 second) late into late |> insert into out;\n"
#define FAST_OUT "create sink out to fake (address = 'out.{k}');\n"
#define EXACT_OUT "create sink out to fake_exact (address = 'out.{k}');\n"

static void begin(uint32_t partitions)
{
    fake_world_new(partitions);
    fake_world->topics[0].live = true;
    fake_world->topics[1].live = true;
    fake_world->clock_factor = CLOCK_FACTOR;
}

static void end(const struct evs_plan *plan)
{
    evs_plan_free(plan);
    fake_world_free(fake_world);
}

static const char *event_text(int64_t ms, int value)
{
    static char text[128];
    snprintf(text, sizeof text, "{\"ms\":%lld,\"k\":\"a\",\"v\":%d}\n", (long long)(START_MS + ms), value);
    return text;
}

static void event(uint32_t partition, int64_t ms)
{
    fake_publish(fake_world, partition, event_text(ms, 1));
}

static struct fake_how follow(uint32_t workers)
{
    return (struct fake_how){.workers = workers, .batch_rows = 16, .follow = true};
}

/* --- stopping a quiet pipeline ------------------------------------------------------------------------------------------------------- */

static const char idle_fast[] = SOURCE_OF("events", "fake", "ms - interval 2 second") SINKS FAST_OUT
    "from events |> insert into seen;\nfrom events " COUNTED;
static const char idle_exact[] = SOURCE_OF("events", "fake", "ms - interval 2 second") SINKS EXACT_OUT
    "from events |> insert into seen;\nfrom events " COUNTED;

/* All partitions are idle and the last checkpoint is long ago: the last barrier is the first that could carry an idle watermark. What it
 * would close stays open for the next start, or rows would come up after the last checkpoint. */
START_TEST(test_stop_while_idle)
{
    begin(4);
    const struct evs_plan *plan = fake_compile(_i % 2 == 0 ? idle_fast : idle_exact);
    struct evs_run_summary summary;
    uint32_t count = 0;
    for (uint32_t round = 0; round < 6; round++) {
        struct fake_how how = follow(1 + (round + (uint32_t)_i) % 3);
        how.interval_us = INT64_C(1000000000) * 1000;
        struct evs_run *run = fake_start(plan, how);
        event(round % 4, round * INT64_C(100000000));
        ck_assert(fake_wait_rows("seen", ++count));
        evs_run_stop(run);
        ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    }
    struct evs_run *run = fake_start(plan, follow(2));
    ck_assert(fake_wait_rows("out.", count)); /* the last window, too: time goes on while nothing comes */
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    ck_assert_uint_eq(fake_rows_at("late"), 0);
    ck_assert_uint_eq(fake_world->mismatches, 0);
    end(plan);
}
END_TEST

/* Stopped before anything is read, or while the first barrier is under way; asked twice. */
START_TEST(test_stop_at_once)
{
    begin(4);
    const struct evs_plan *plan = fake_compile(idle_exact);
    struct evs_run_summary summary;
    for (uint32_t round = 0; round < 20; round++) {
        struct evs_run *run = fake_start(plan, follow(1 + round % 4));
        if (round % 2 == 1) {
            ck_assert(fake_wait_commits(1));
            event(0, round * INT64_C(1000000));
        }
        evs_run_stop(run);
        evs_run_stop(run);
        ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    }
    end(plan);
}
END_TEST

/* Whichever source or sink of whichever worker cannot be opened: the error is told and everything is given back. */
START_TEST(test_errors_at_start)
{
    begin(4);
    const struct evs_plan *plan = fake_compile(idle_exact);
    uint32_t failures = 0;
    for (evs_status status = EVS_E_REFUSED; status != EVS_OK; failures++) {
        struct evs_run *run = NULL;
        struct evs_run_summary summary;
        struct evs_error error = {0};
        fake_world->fail_open = failures + 1;
        status = fake_try_start(plan, follow(2), &run, &error);
        if (status == EVS_OK) {
            fake_world->fail_open = 0;
            evs_run_stop(run);
            ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
        } else {
            ck_assert_ptr_nonnull(strstr(error.text, "refuses"));
        }
    }
    ck_assert_uint_gt(failures, 8); /* a source and three sinks on two workers, and one that is single */
    end(plan);
}
END_TEST

/* --- idle partitions ------------------------------------------------------------------------------------------------------------------- */

/* An idle watermark holds from the checkpoint that carries it: killed and restarted again and again, the engine closes each window once,
 * with what was in it. */
START_TEST(test_idle_through_deaths)
{
    begin(4);
    const struct evs_plan *plan = fake_compile(_i == 0 ? idle_fast : idle_exact);
    struct evs_run_summary summary;
    uint32_t windows = 30, deaths = 0;
    for (uint32_t i = 0; i < windows; i++) {
        event(i % 2, i * INT64_C(10000));
    }
    for (bool done = false; !done; deaths++) {
        fake_world->fail_commit_before = 0;
        fake_world->fail_commit_after = 0;
        *(deaths % 2 == 0 ? &fake_world->fail_commit_before : &fake_world->fail_commit_after) = 2 + deaths % 7;
        struct evs_run *run = fake_start(plan, follow(1 + deaths % 3));
        ck_assert_int_eq(fake_end(run, &summary), EVS_E_UNREACHABLE);
        done = fake_rows_at("out.") == windows || deaths == 2000;
    }
    ck_assert_uint_eq(fake_rows_at("out."), windows);
    ck_assert_uint_eq(fake_rows_at("late"), 0);
    ck_assert_uint_eq(fake_world->mismatches, 0);
    end(plan);
}
END_TEST

/* A message that was fetched and not yet read is no silence: the barrier between it and its neighbour must not move its partition. */
START_TEST(test_fetched_is_not_idle)
{
    begin(2);
    const struct evs_plan *plan = fake_compile(idle_fast);
    struct evs_run_summary summary;
    struct fake_how how = {.workers = 1, .batch_rows = 1, .follow = true, .checkpoint_batches = 1};
    struct evs_run *run = fake_start(plan, how);
    for (uint32_t round = 1; round <= 25; round++) {
        event(1, round * INT64_C(100000000) - 50000000);
        event(0, round * INT64_C(100000000));
        ck_assert(fake_wait_rows("seen", round * 2));
    }
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    ck_assert_uint_eq(summary.totals.late, 0);
    end(plan);
}
END_TEST

static int64_t now_of(void)
{
    const struct evs_clock *clock = &fake_os(fake_world)->clock;
    return clock->monotonic_us(clock->self);
}

/* A collector that is cut off holds what happened in a quiet partition: time must not go by without it, whether the other partition goes on
 * (2), or all were idle when it was cut off (1, 3), for 60 s of the fast clock. What it held back is not late, and then time goes on. */
START_TEST(test_held_back_by_a_sender)
{
    begin(2);
    const struct evs_plan *plan = fake_compile(idle_fast);
    struct evs_run_summary summary;
    struct fake_how how = follow(1 + (uint32_t)_i % 2);
    how.in_memory = _i == 3;
    how.interval_us = 10000;
    fake_senders(fake_world, 1); /* registered, and nothing proven yet */
    struct evs_run *run = fake_start(plan, how);
    event(0, 0);
    event(1, 0);
    ck_assert(fake_wait_rows("seen", 2));
    int64_t cut_us = now_of();
    fake_senders(fake_world, cut_us);
    for (int i = 1; i <= 60 || now_of() - cut_us < INT64_C(60000000); i++) {
        struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
        if (_i == 2 && i <= 30) {
            event(0, i * 2000); /* the other partition is far ahead */
        }
    }
    ck_assert_uint_eq(fake_rows_at("out."), 0);
    event(1, 5000); /* from the spool */
    ck_assert(fake_wait_rows("seen", _i == 2 ? 33 : 3));
    fake_senders(fake_world, 0);
    ck_assert(fake_wait_rows("out.", 1));
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    ck_assert_uint_eq(fake_rows_at("late"), 0);
    ck_assert_uint_eq(summary.totals.late, 0);
    end(plan);
}
END_TEST

/* A broker that does not answer is not a broker that has nothing. */
START_TEST(test_away_is_not_silent)
{
    static const char text[] = SOURCE_WITH("events", "fake", "ms - interval 2 second", "interval 10 second")
        SINKS FAST_OUT "from events |> insert into seen;\nfrom events " COUNTED;
    begin(2);
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    atomic_store(&fake_world->topics[0].is_away, true);
    struct evs_run *run = fake_start(plan, follow(1));
    event(0, 0);
    event(1, 0);
    event(0, 60000);
    ck_assert(fake_wait_rows("seen", 3));
    for (int64_t begun_us = now_of(); now_of() < begun_us + 50000000;) {
        struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
    }
    ck_assert_uint_eq(fake_rows_at("out."), 0);
    atomic_store(&fake_world->topics[0].is_away, false);
    ck_assert(fake_wait_rows("out.", 1));
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    end(plan);
}
END_TEST

/* Silence before the broker went away says nothing of the time behind: it counts anew. */
START_TEST(test_silence_begins_anew)
{
    static const char text[] = SOURCE_WITH("events", "fake", "ms - interval 2 second", "interval 1 hour") SINKS FAST_OUT
        "from events |> insert into seen;\nfrom events " COUNTED;
    const int64_t two_hours_us = INT64_C(7200000000);
    begin(2);
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    struct evs_run *run = fake_start(plan, follow(1));
    event(0, 0);
    event(1, 0);
    event(0, 60000);
    ck_assert(fake_wait_rows("seen", 3));
    ck_assert(fake_wait_commits(fake_world->commit_count + 2)); /* it was seen to be silent */
    atomic_store(&fake_world->topics[0].is_away, true);
    atomic_fetch_add(&fake_world->passed_us, two_hours_us);
    ck_assert(fake_wait_commits(fake_world->commit_count + 2));
    atomic_store(&fake_world->topics[0].is_away, false);
    ck_assert(fake_wait_commits(fake_world->commit_count + 5));
    ck_assert_uint_eq(fake_rows_at("out."), 0);
    atomic_fetch_add(&fake_world->passed_us, two_hours_us);
    ck_assert(fake_wait_rows("out.", 1));
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    end(plan);
}
END_TEST

/* That a partition is idle is told to windows when a commit says so: while it is being written, and when it is lost, no window closes for it. */
START_TEST(test_idle_waits_for_its_commit)
{
    begin(2);
    const struct evs_plan *plan = fake_compile(idle_fast);
    struct evs_run_summary summary;
    atomic_store(&fake_world->topics[0].is_away, true); /* nothing is idle until then */
    event(0, 0);
    event(1, 0);
    event(0, 60000);
    fake_world->linger_us = 200000;
    struct evs_run *run =
        fake_start(plan, (struct fake_how){.workers = 1, .batch_rows = 16, .follow = true, .interval_us = 30000000});
    ck_assert(fake_wait_rows("seen", 3));
    fake_world->fail_commit_before = 1;
    atomic_store(&fake_world->topics[0].is_away, false);
    ck_assert_int_eq(fake_end(run, &summary), EVS_E_UNREACHABLE);
    ck_assert_uint_eq(fake_rows_at("out."), 0);
    end(plan);
}
END_TEST

/* What is proven must be as long as the time-out: a partition that has been silent for half of it is waited for, however late it is by now. */
START_TEST(test_silence_must_be_proven)
{
    static const char text[] = SOURCE_WITH("events", "fake", "ms - interval 2 second", "interval 50 second")
        SINKS FAST_OUT "from events |> insert into seen;\nfrom events " COUNTED;
    begin(2);
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    fake_senders(fake_world, 1); /* registered, and nothing proven yet */
    struct evs_run *run = fake_start(plan, follow(1));
    event(0, 0);
    event(1, 0);
    event(0, 60000);
    ck_assert(fake_wait_rows("seen", 3));
    int64_t proven_us = now_of() + 25000000;
    fake_senders(fake_world, proven_us);
    while (now_of() < proven_us + 50000000) {
        struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
    }
    ck_assert_uint_eq(fake_rows_at("out."), 0);
    fake_senders(fake_world, proven_us + 50000000);
    ck_assert(fake_wait_rows("out.", 1));
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    end(plan);
}
END_TEST

/* Of two sources that meet, one never says anything: it counts with the other's event times. */
START_TEST(test_silent_source)
{
    static const char text[] = SOURCE_OF("events", "fake", "ms - interval 2 second")
        SOURCE_OF("others", "fake_other", "ms - interval 1 second") SINKS FAST_OUT
        "from events |> union all (from others) " COUNTED;
    begin(1);
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    struct fake_how how = follow(1 + (uint32_t)_i);
    how.in_memory = _i == 1;
    struct evs_run *run = fake_start(plan, how);
    event(0, 0);
    event(0, 15000);
    ck_assert(fake_wait_rows("out.", 2));
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    end(plan);
}
END_TEST

/* A source that is complete holds nobody back, also after a restart; the other goes on. */
START_TEST(test_finished_beside_running)
{
    static const char text[] = SOURCE_WITH("events", "fake", "ms - interval 2 second", "'never'")
        SOURCE_WITH("others", "fake_other", "ms - interval 1 second", "'never'") SINKS FAST_OUT
        "from events |> union all (from others) " COUNTED;
    begin(2);
    fake_world->topics[0].live = false;
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    event(0, 0);
    event(1, 30000);
    for (uint32_t round = 0; round < 4; round++) {
        struct evs_run *run = fake_start(plan, follow(1 + round));
        fake_publish_other(fake_world, 0, event_text(12000 * (round + 1), 1));
        ck_assert(fake_wait_rows("out.", round + 1));
        evs_run_stop(run);
        ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    }
    ck_assert_uint_eq(
        fake_rows_like(
            "{\"k\":\"a\",\"window_start\":\"2026-01-05T10:00:30Z\",\"window_end\":\"2026-01-05T10:00:40Z\",\"n\":2}"),
        1);
    ck_assert_uint_eq(fake_rows_at("late"), 0);
    end(plan);
}
END_TEST

/* A watermark that is no plain delay keeps its distance to the event times while a partition is idle: it does not run away. */
START_TEST(test_idle_expression)
{
    static const char text[] =
        SOURCE_OF("events", "fake", "case when v > 5 then ms - interval 2 second else ms - interval 3 second end")
            SINKS FAST_OUT "from events |> insert into seen;\nfrom events " COUNTED;
    begin(2);
    const struct evs_plan *plan = fake_compile(text);
    const struct evs_clock *clock = &fake_os(fake_world)->clock;
    struct evs_run_summary summary;
    struct fake_how how = follow(1);
    how.interval_us = 1;
    int64_t begun_us = clock->monotonic_us(clock->self);
    struct evs_run *run = fake_start(plan, how);
    event(0, 0);
    ck_assert(fake_wait_commits(400));
    int64_t passed_us = clock->monotonic_us(clock->self) - begun_us;
    event(0, passed_us / 1000 * 3 + 1000000);
    ck_assert(fake_wait_rows("seen", 2));
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    ck_assert_uint_eq(summary.totals.late, 0);
    end(plan);
}
END_TEST

/* A partition of which nothing has been seen goes on as far behind as the others are: its first row may be as late as theirs. */
START_TEST(test_idle_expression_of_an_unseen_partition)
{
    static const char text[] =
        SOURCE_OF("events", "fake", "case when v > 5 then ms - interval 2 second else ms - interval 3 second end")
            SINKS FAST_OUT "from events |> insert into seen;\nfrom events " COUNTED;
    begin(2);
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    struct fake_how how = follow(1 + (uint32_t)_i); /* of one worker, or of another one */
    how.interval_us = 1;
    struct evs_run *run = fake_start(plan, how);
    event(0, 0);
    ck_assert(fake_wait_commits(400));
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    struct evs_arena arena = {0};
    struct evs_record record;
    struct evs_error error = {0};
    ck_assert_int_eq(evs_record_decode(fake_last_record(), &arena, &record, &error), EVS_OK);
    ck_assert_uint_eq(record.source_count, 1);
    uint32_t moved = 0;
    for (uint32_t i = 0; i < record.sources[0].partition_count; i++) {
        const struct evs_record_partition *partition = &record.sources[0].partitions[i];
        ck_assert_int_eq(partition->max_time_us - partition->watermark_us, 3000000);
        moved += partition->position.sequence == 0;
    }
    ck_assert_uint_eq(moved, 1);
    evs_arena_fini(&arena);
    end(plan);
}
END_TEST

/* What has gone by while all were idle has gone by for the next start, too: it takes up the time where it was. */
START_TEST(test_time_goes_on_after_restart)
{
    begin(1);
    const struct evs_plan *plan = fake_compile(idle_fast);
    struct evs_run_summary summary;
    struct evs_run *run = fake_start(plan, follow(1));
    event(0, 0);
    ck_assert(fake_wait_rows("out.", 1)); /* 12 s of the fast clock have gone by */
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    fake_world->clock_factor = 0; /* from here on hardly any time passes */
    run = fake_start(plan, follow(1));
    fake_publish(fake_world, 0, event_text(9999, 1));
    ck_assert(fake_wait_rows("late", 1));
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    end(plan);
}
END_TEST

/* --- commits, confirmation, ownership --------------------------------------------------------------------------------------------------- */

/* Checkpoints that are always due leave time to tell the sinks what is confirmed, with a store that confirms late, too. */
START_TEST(test_always_due)
{
    begin(2);
    fake_world->confirm_delay_us = _i == 0 ? 0 : INT64_C(1000000);
    const struct evs_plan *plan = fake_compile(idle_exact);
    struct evs_run_summary summary;
    struct fake_how how = follow(2);
    how.interval_us = 1;
    struct evs_run *run = fake_start(plan, how);
    event(0, 0);
    event(1, 0);
    ck_assert(fake_wait_rows("out.", 1));
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    end(plan);
}
END_TEST

/* The process is stopped while it waits for a commit's answer, another engine takes over, and it comes back an hour later: the answer is
 * old news. It asks before it sends, and finds itself fenced. */
START_TEST(test_stopped_process_sends_nothing)
{
    static const char text[] =
        SOURCE_OF("events", "fake", "ms - interval 2 second") "create sink dead to fake (address = 'dead');\n" EXACT_OUT
                                                              "from events |> insert into out;\n";
    begin(1);
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    for (uint32_t i = 0; i < 50; i++) {
        event(0, i);
    }
    fake_world->fence_commit = 2; /* the first commit with rows in it */
    fake_world->linger_us = 200000;
    struct evs_run *run =
        fake_start(plan, (struct fake_how){.workers = 1, .batch_rows = 1024, .checkpoint_batches = 1, .follow = true});
    ck_assert_int_eq(fake_end(run, &summary), EVS_E_FENCED);
    ck_assert_uint_ge(fake_world->epoch, 1);
    ck_assert_uint_eq(fake_rows_at("out."), 0);
    end(plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run_idle");
    TCase *tests = tcase_create("run_idle");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_stop_while_idle, 0, 4);
    tcase_add_test(tests, test_stop_at_once);
    tcase_add_test(tests, test_errors_at_start);
    tcase_add_loop_test(tests, test_idle_through_deaths, 0, 2);
    tcase_add_test(tests, test_fetched_is_not_idle);
    tcase_add_loop_test(tests, test_held_back_by_a_sender, 0, 4);
    tcase_add_test(tests, test_silence_must_be_proven);
    tcase_add_test(tests, test_away_is_not_silent);
    tcase_add_test(tests, test_silence_begins_anew);
    tcase_add_test(tests, test_idle_waits_for_its_commit);
    tcase_add_loop_test(tests, test_silent_source, 0, 3);
    tcase_add_test(tests, test_finished_beside_running);
    tcase_add_test(tests, test_idle_expression);
    tcase_add_loop_test(tests, test_idle_expression_of_an_unseen_partition, 0, 2);
    tcase_add_test(tests, test_time_goes_on_after_restart);
    tcase_add_loop_test(tests, test_always_due, 0, 2);
    tcase_add_test(tests, test_stopped_process_sends_nothing);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
