/* The NATS source and a stream that is not what it was: messages removed by limits, a stream made again, a log that lost its tail. */
#include <check.h>
#include <stdio.h>

#include "nats_reading.h"

/* --- retention, another log, a lost tail ------------------------------------------------------------------------------- */

START_TEST(counts_what_retention_removed)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 500, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    reading.poll_max = 10;
    reading_open(&reading);
    (void)read_until(&reading, 100); /* or a few more */
    uint64_t read = reading.last[0];
    reading_commit_and_close(&reading);
    server_nats_purge(&server, "CLICKS", 301); /* 1 to 300 */
    reading_open(&reading);
    read_to_end(&reading);
    ck_assert_uint_eq(state_of(&reading).gap_messages, 300 - read);
    ck_assert_uint_eq(state_of(&reading).lost_messages, 0);
    ck_assert_uint_eq(reading.event_count, read + 200);
    reading_fini(&reading);
}
END_TEST

START_TEST(counts_what_a_purge_of_all_removed)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 500, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    reading.poll_max = 10;
    reading_open(&reading);
    (void)read_until(&reading, 100);
    uint64_t read = reading.last[0];
    reading_commit_and_close(&reading);
    server_nats_purge(&server, "CLICKS", 0);
    reading.open.until_end = false;
    reading_open(&reading);
    server_nats_feed(&server, "clicks.web", 1, 500, 10, 1);
    (void)read_until(&reading, (uint32_t)read + 10);
    ck_assert_uint_eq(state_of(&reading).gap_messages, 500 - read);
    ck_assert_uint_eq(reading.last[0], 510);
    reading_fini(&reading);
}
END_TEST

/* A consumer that runs skips what a purge took from under it: its own numbers go on without a gap. */
START_TEST(counts_what_overtakes_a_running_consumer)
{
    enum { EVENTS = 100000, LEFT = 1000 };
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, EVENTS, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "in_flight=64KiB", transports[_i], NULL});
    reading.poll_max = 10;
    reading.open.until_end = false;
    reading_open(&reading);
    (void)read_until(&reading, 100);
    server_nats_purge(&server, "CLICKS", EVENTS - LEFT + 1);
    reading.poll_max = 50;
    for (int64_t deadline_us = evs_monotonic_us(reading.open.os) + READING_DEADLINE_US; reading.last[0] < EVENTS;) {
        evs_status status = reading_poll(&reading);
        ck_assert(status == EVS_OK || status == EVS_AGAIN);
        ck_assert_int_lt(evs_monotonic_us(reading.open.os), deadline_us);
    }
    struct evs_source_state state = state_of(&reading);
    ck_assert_uint_eq(state.reconnects, 0);
    ck_assert_uint_gt(state.gap_messages, 0);
    ck_assert_uint_eq(state.gap_messages + reading.event_count, EVENTS);
    reading_fini(&reading);
}
END_TEST

START_TEST(names_a_stream_that_was_made_again)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 50, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "heartbeat=200ms", transports[_i], NULL});
    reading.open.until_end = false;
    reading_open(&reading);
    (void)read_until(&reading, 50);
    server_nats_delete(&server, "CLICKS");
    server_nats_create(&server, "CLICKS", "clicks.>");
    ck_assert_int_eq(read_until(&reading, UINT32_MAX), EVS_E_STATE); /* seen while it runs */
    ck_assert_ptr_nonnull(strstr(reading.error.text, "created again"));
    reading_commit_and_close(&reading);
    for (uint32_t i = 0; i < reading.position_count; i++) {
        reading.positions[i].log_created_us = 1; /* as a commit of the old one would say */
    }
    ck_assert_int_eq(reading_try_open(&reading), EVS_E_STATE); /* and at a start */
    ck_assert_ptr_nonnull(strstr(reading.error.text, "another name (`pipeline NAME;`)"));
    reading.instance = NULL;
    reading_fini(&reading);
}
END_TEST

/* The store goes back to an earlier copy, as after a power cut without sync; then `others` other messages are stored. */
static void lose_tail(uint32_t others)
{
    server_nats_kill(&server);
    server_nats_load(&server);
    server_nats_restart(&server);
    server_nats_feed(&server, "clicks.web", 1, 1000, others, 1);
}

static void read_live_before_the_loss(struct reading *reading, const char *transport)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 300, 1);
    server_nats_stop(&server);
    server_nats_save(&server);
    server_nats_restart(&server);
    server_nats_feed(&server, "clicks.web", 1, 300, 200, 1);
    reading_init(reading, (const char *[]){"stream=CLICKS", "heartbeat=200ms", transport, NULL});
    reading->open.until_end = false;
    reading_open(reading);
    (void)read_until(reading, 500);
}

static bool has_lost(const struct evs_source_state *state)
{
    return state->lost_messages > 0;
}

/* All that one partition had is gone; what another had before it still tells where the log forks. */
START_TEST(another_partition_vouches_for_the_log)
{
    struct reading reading;
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.0.web", 1, 0, 300, 1);
    server_nats_stop(&server);
    server_nats_save(&server);
    server_nats_restart(&server);
    server_nats_feed(&server, "clicks.1.web", 1, 300, 200, 1);
    reading_init(&reading, (const char *[]){"stream=CLICKS", "subject=clicks.>", "partitions=2", transports[_i], NULL});
    reading_open(&reading);
    read_to_end(&reading);
    reading_commit_and_close(&reading);
    server_nats_kill(&server);
    server_nats_load(&server);
    server_nats_restart(&server);
    server_nats_feed(&server, "clicks.1.web", 1, 1000, 400, 1);
    memset(reading.last, 0, sizeof reading.last);
    reading.open.worker = 1;
    reading.open.worker_count = 2;
    reading_open(&reading);
    read_to_end(&reading);
    ck_assert_uint_eq(state_of(&reading).lost_messages, 200);
    for (uint32_t i = 1000; i < 1400; i++) {
        ck_assert_uint_eq(reading.seen[i], 1);
    }
    reading_fini(&reading);
}
END_TEST

/* A log of two partitions, of which the second has `quiet` messages (ids from 900), is read to message 500 + `quiet` by one lane of both, and loses its last 200,
 * all of partition 0. Then 100 others (ids from 1000) of partition 1 take the numbers, and a lane of that partition alone goes on: none of them may be
 * left out. */
static void lose_the_tail_beside(struct reading *reading, const char *transport, uint32_t quiet)
{
    uint64_t together = 500 + quiet;
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.0.web", 1, 0, 300, 1);
    server_nats_feed(&server, "clicks.1.web", 1, 900, quiet, 1);
    server_nats_stop(&server);
    server_nats_save(&server);
    server_nats_restart(&server);
    server_nats_feed(&server, "clicks.0.web", 1, 300, 200, 1);
    reading_init(reading, (const char *[]){"stream=CLICKS", "subject=clicks.>", "partitions=2", transport, NULL});
    reading_open(reading);
    read_to_end(reading);
    if (quiet == 0) { /* what a commit says of a partition that had nothing */
        reading->positions[reading->position_count++] = (struct evs_position){.partition = 1};
    }
    for (uint32_t i = 0; i < reading->position_count; i++) {
        struct evs_position *position = &reading->positions[i];
        position->byte_offset = position->partition == 1 ? together : position->byte_offset;
    }
    reading_commit_and_close(reading);
    server_nats_kill(&server);
    server_nats_load(&server);
    server_nats_restart(&server);
    server_nats_feed(&server, "clicks.1.web", 1, 1000, 100, 1);
    memset(reading->last, 0, sizeof reading->last);
    reading->open.worker = 1;
    reading->open.worker_count = 2;
    reading_open(reading);
    read_to_end(reading);
}

static void expect_the_others(struct reading *reading)
{
    ck_assert_uint_eq(state_of(reading).lost_messages, 0); /* partition 0's lane tells of them */
    for (uint32_t i = 1000; i < 1100; i++) {
        ck_assert_uint_eq(reading->seen[i], 1);
    }
}

/* A partition without any message so far begins where the others were. Its first message may have a number that was another's before. */
START_TEST(a_quiet_partition_notices_the_fork)
{
    struct reading reading;
    lose_the_tail_beside(&reading, transports[_i], 0);
    expect_the_others(&reading);
    reading_fini(&reading);
}
END_TEST

/* A partition whose last message is older than the fork begins behind it, where all of them were read together. */
START_TEST(a_partition_begins_behind_its_last_message)
{
    struct reading reading;
    lose_the_tail_beside(&reading, transports[_i], 1);
    expect_the_others(&reading);
    ck_assert_uint_eq(reading.seen[900], 1);
    reading_fini(&reading);
}
END_TEST

/* Of two readers one found that the log had lost its tail, and read other messages under the numbers; the other had not been connected yet when both committed. One
 * reader of both finds the newest message of all as it was, and may not leave out what the log gave the second partition. */
START_TEST(a_partition_that_noticed_the_fork_does_not_speak_for_another)
{
    struct reading reading;
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.0.web", 1, 0, 100, 1);
    server_nats_feed(&server, "clicks.1.web", 1, 300, 100, 1);
    server_nats_stop(&server);
    server_nats_save(&server);
    server_nats_restart(&server);
    server_nats_feed(&server, "clicks.0.web", 1, 100, 50, 1);
    reading_init(&reading, (const char *[]){"stream=CLICKS", "subject=clicks.>", "partitions=2", transports[_i], NULL});
    reading_open(&reading);
    read_to_end(&reading);
    reading_commit_and_close(&reading);
    server_nats_kill(&server);
    server_nats_load(&server);
    server_nats_restart(&server);
    server_nats_feed(&server, "clicks.0.web", 1, 1000, 20, 1);
    server_nats_feed(&server, "clicks.1.web", 1, 1100, 60, 1);
    reading.open.worker = 1;
    reading.open.worker_count = 2;
    memset(reading.last, 0, sizeof reading.last);
    reading_open(&reading);
    read_to_end(&reading);
    ck_assert_uint_eq(state_of(&reading).lost_messages, 0); /* nothing of its own */
    reading_commit_and_close(&reading);
    reading.open.worker = 0;
    reading.open.worker_count = 1;
    memset(reading.last, 0, sizeof reading.last);
    reading_open(&reading);
    read_to_end(&reading);
    ck_assert_uint_eq(state_of(&reading).lost_messages, 50);
    for (uint32_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(reading.seen[i], 1);
        ck_assert_uint_eq(reading.seen[300 + i], 1);
    }
    for (uint32_t i = 0; i < 60; i++) {
        ck_assert_uint_eq(reading.seen[1000 + i], i < 20);
        ck_assert_uint_eq(reading.seen[1100 + i], 1);
    }
    reading_fini(&reading);
}
END_TEST

/* Sequences 301 to 500 were read and are gone. With 50 others the log is shorter than what was read, with 400 it is longer. */
static void expect_fork(struct reading *reading, uint32_t others)
{
    poll_until(reading, has_lost);
    ck_assert_uint_eq(state_of(reading).lost_messages, 200);
    memset(reading->last, 0, sizeof reading->last);
    (void)read_until(reading, 500 + others);
    for (uint32_t i = 0; i < 500; i++) {
        ck_assert_uint_eq(reading->seen[i], 1);
    }
    for (uint32_t i = 1000; i < 1000 + others; i++) {
        ck_assert_uint_eq(reading->seen[i], 1);
    }
    ck_assert_uint_eq(reading->last[0], 300 + others);
}

START_TEST(finds_the_fork_of_a_shorter_log)
{
    struct reading reading;
    read_live_before_the_loss(&reading, transports[_i]);
    lose_tail(50);
    memset(reading.last, 0, sizeof reading.last);
    expect_fork(&reading, 50);
    reading_fini(&reading);
}
END_TEST

START_TEST(finds_the_fork_of_a_longer_log)
{
    struct reading reading;
    read_live_before_the_loss(&reading, transports[_i]);
    lose_tail(400);
    memset(reading.last, 0, sizeof reading.last);
    expect_fork(&reading, 400);
    reading_fini(&reading);
}
END_TEST

START_TEST(finds_the_fork_at_a_restart)
{
    struct reading reading;
    read_live_before_the_loss(&reading, transports[_i]);
    reading_commit_and_close(&reading);
    lose_tail(400);
    memset(reading.last, 0, sizeof reading.last);
    reading_open(&reading);
    expect_fork(&reading, 400);
    reading_fini(&reading);
}
END_TEST

START_TEST(names_a_position_that_nothing_vouches_for)
{
    struct reading reading;
    read_live_before_the_loss(&reading, transports[_i]);
    reading_commit_and_close(&reading);
    lose_tail(400);
    reading.open.positions = reading.positions + reading.position_count - 20; /* all of them behind the fork */
    reading.open.position_count = 20;
    reading.open.is_probe = true; /* before the restore has brought the older marks */
    reading_open(&reading);
    evs_source_nats.close(reading.instance);
    reading.open.is_probe = false;
    ck_assert_int_eq(reading_try_open(&reading), EVS_E_STATE);
    ck_assert_ptr_nonnull(strstr(reading.error.text, "does not belong"));
    reading.instance = NULL;
    reading_fini(&reading);
}
END_TEST

/* A message that was erased on purpose is no fork: an older one vouches for the log. */
START_TEST(an_erased_message_is_no_fork)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 100, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    reading_open(&reading);
    read_to_end(&reading);
    reading_commit_and_close(&reading);
    ck_assert_int_eq(js_EraseMsg(server.js, "CLICKS", 100, NULL, NULL), NATS_OK);
    server_nats_feed(&server, "clicks.web", 1, 100, 20, 1);
    reading_open(&reading);
    read_to_end(&reading);
    expect_exactly(&reading, 0, 120);
    ck_assert_uint_eq(state_of(&reading).lost_messages + state_of(&reading).gap_messages, 0);
    reading_fini(&reading);
}
END_TEST

static Suite *log_suite(void)
{
    Suite *suite = suite_create("nats_log");
    TCase *both = tcase_create("both transports");
    tcase_add_checked_fixture(both, start_server, end_server);
    tcase_set_timeout(both, 100);
    const TTest *const tests[] = {
        counts_what_retention_removed,
        counts_what_a_purge_of_all_removed,
        counts_what_overtakes_a_running_consumer,
        names_a_stream_that_was_made_again,
        finds_the_fork_of_a_shorter_log,
        finds_the_fork_of_a_longer_log,
        finds_the_fork_at_a_restart,
        another_partition_vouches_for_the_log,
        a_quiet_partition_notices_the_fork,
        a_partition_begins_behind_its_last_message,
        a_partition_that_noticed_the_fork_does_not_speak_for_another,
        names_a_position_that_nothing_vouches_for,
        an_erased_message_is_no_fork,
    };
    for (size_t i = 0; i < EVS_COUNT(tests); i++) {
        tcase_add_loop_test(both, tests[i], 0, 2);
    }
    suite_add_tcase(suite, both);
    return suite;
}

int main(void)
{
    if (!server_nats_is_installed()) {
        fprintf(stderr, "skipped: nats-server is not installed\n");
        return 77;
    }
    SRunner *runner = srunner_create(log_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
