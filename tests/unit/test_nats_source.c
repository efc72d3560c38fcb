/* The NATS source against a real nats-server, on both transports: exactly once through everything that breaks. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "nats_reader.h"
#include "nats_reading.h"

static bool is_caught_up(const struct evs_source_state *state)
{
    return state->caught_up;
}

static bool is_not_caught_up(const struct evs_source_state *state)
{
    return !state->caught_up;
}

/* --- draining ---------------------------------------------------------------------------------------------------------- */

START_TEST(drains_to_the_end)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 3000, 10);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    reading_open(&reading);
    ck_assert_str_eq(evs_nats_reader_transport(reading.instance), _i == 0 ? "socket" : "library");
    read_to_end(&reading);
    expect_exactly(&reading, 0, 30000);
    struct evs_source_state state = state_of(&reading);
    ck_assert(state.ended);
    ck_assert_uint_eq(state.lag_messages, 0);
    ck_assert_uint_eq(state.gap_messages + state.lost_messages + state.reconnects, 0);
    ck_assert_int_gt(state.log_created_us, 0);
    reading_fini(&reading);
}
END_TEST

/* A clock that is moved by hand, and a count of what the socket is asked. */
struct counting_os {
    struct evs_os os;
    int64_t now_us;
    uint32_t received;
};

static int64_t counting_now_us(void *self)
{
    return ((struct counting_os *)self)->now_us;
}

static ssize_t counting_receive(void *self, int fd, void *data, size_t bytes)
{
    const struct evs_sockets *real = &evs_os_system()->sockets;
    ((struct counting_os *)self)->received++;
    return real->receive(real->self, fd, data, bytes);
}

static struct counting_os counting_os(void)
{
    struct counting_os counting = {.os = *evs_os_system(), .now_us = evs_monotonic_us(evs_os_system())};
    counting.os.clock.monotonic_us = counting_now_us;
    counting.os.sockets.receive = counting_receive;
    return counting;
}

/* Polls without waiting in between, as a worker does that has other things to do or makes ready to sleep: how often the socket was asked. */
static uint32_t receives_of_polls(struct reading *reading, struct counting_os *counting, uint32_t polls)
{
    uint32_t before = counting->received;
    for (uint32_t i = 0; i < polls; i++) {
        struct evs_message message;
        uint32_t count;
        ck_assert_int_eq(evs_source_nats.poll(reading->instance, &message, 1, &count, &reading->error), EVS_AGAIN);
    }
    return counting->received - before;
}

START_TEST(an_empty_socket_is_asked_once)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    struct counting_os counting = counting_os();
    counting.os.clock.self = counting.os.sockets.self = &counting;
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "transport=socket", "heartbeat=10s", NULL});
    reading.open.os = &counting.os;
    reading.open.until_end = false;
    reading_open(&reading);
    struct evs_wait_fd fd;
    /* What the opening has left is read; from then on the server is silent, for its heartbeats are ten seconds apart. */
    (void)receives_of_polls(&reading, &counting, 1);
    ck_assert_uint_eq(receives_of_polls(&reading, &counting, 50), 0);
    ck_assert_uint_eq(evs_source_nats.wait_fds(reading.instance, &fd, 1), 1);
    ck_assert_uint_eq(receives_of_polls(&reading, &counting, 50), 1); /* whoever has waited looks */
    counting.now_us += 1000;
    ck_assert_uint_eq(receives_of_polls(&reading, &counting, 50), 1); /* and who has not, after a while */
    server_nats_feed(&server, "clicks.web", 1, 0, 1, 1);
    counting.now_us += 1000;
    ck_assert_int_eq(read_until(&reading, 1), EVS_OK);
    reading_fini(&reading);
}
END_TEST

START_TEST(ends_at_once_on_an_empty_stream)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    reading_open(&reading);
    read_to_end(&reading);
    ck_assert_uint_eq(reading.message_count, 0);
    reading_fini(&reading);
}
END_TEST

START_TEST(does_not_read_behind_the_end_at_open)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 200, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    reading_open(&reading);
    server_nats_feed(&server, "clicks.web", 1, 200, 200, 1);
    read_to_end(&reading);
    expect_exactly(&reading, 0, 200);
    reading_fini(&reading);
}
END_TEST

START_TEST(filters_by_subject)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.app", 1, 0, 100, 1);
    server_nats_feed(&server, "clicks.web", 1, 100, 100, 1);
    server_nats_feed(&server, "clicks.app", 1, 200, 100, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "subject=clicks.web", transports[_i], NULL});
    reading_open(&reading);
    read_to_end(&reading);
    expect_exactly(&reading, 100, 200);
    reading_fini(&reading);
}
END_TEST

START_TEST(hands_on_headers_and_subject)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_publish(&server, "clicks.web", "{\"n\":0}\n", 8, "batch-1");
    struct reading reading;
    struct evs_message message;
    struct evs_slice id = {"", 0};
    uint32_t count = 0;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    reading_open(&reading);
    int64_t deadline_us = evs_monotonic_us(reading.open.os) + READING_DEADLINE_US;
    while (evs_source_nats.poll(reading.instance, &message, 1, &count, &reading.error) == EVS_AGAIN) {
        ck_assert_int_lt(evs_monotonic_us(reading.open.os), deadline_us);
    }
    ck_assert_uint_eq(count, 1);
    ck_assert(evs_slice_equal(message.subject, EVS_SLICE("clicks.web")));
    ck_assert(evs_slice_equal(message.payload, EVS_SLICE("{\"n\":0}\n")));
    ck_assert(evs_nats_header(message.headers, "nats-msg-id", &id));
    ck_assert(evs_slice_equal(id, EVS_SLICE("batch-1")));
    reading_fini(&reading);
}
END_TEST

/* A message of several megabytes is larger than what a request asks for at first. */
START_TEST(reads_messages_larger_than_a_request)
{
    server_nats_end(&server);
    server_nats_start(&server, "max_payload: 8MB", NULL);
    server_nats_create(&server, "CLICKS", "clicks.>");
    int bytes = 3500000;
    char *payload = malloc((size_t)bytes);
    memset(payload, 'x', (size_t)bytes);
    for (uint32_t i = 0; i < 3; i++) {
        memcpy(payload, "{\"n\":0,\"pad\":\"", 15);
        payload[5] = (char)('0' + i);
        memcpy(payload + bytes - 3, "\"}\n", 3);
        server_nats_publish(&server, "clicks.web", payload, bytes, NULL);
    }
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "in_flight=64KiB", transports[_i], NULL});
    reading_open(&reading);
    read_to_end(&reading);
    expect_exactly(&reading, 0, 3);
    free(payload);
    reading_fini(&reading);
}
END_TEST

static void read_with_workers(uint32_t workers, const char *transport)
{
    struct reading reading[3];
    uint32_t total = 0;
    for (uint32_t w = 0; w < workers; w++) {
        reading_init(&reading[w],
                     (const char *[]){"stream=CLICKS", "subject=clicks.>", "partitions=8", transport, NULL});
        reading[w].open.worker = w;
        reading[w].open.worker_count = workers;
        reading_open(&reading[w]);
        read_to_end(&reading[w]);
        ck_assert_uint_eq(state_of(&reading[w]).partition_count, 8);
        for (uint32_t p = 0; p < 8; p++) {
            ck_assert((reading[w].last[p] != 0) == (p % workers == w));
        }
        total += reading[w].event_count;
    }
    for (uint32_t i = 0; i < EVENTS_MAX; i++) {
        for (uint32_t w = 1; w < workers; w++) {
            reading[0].seen[i] = (uint8_t)(reading[0].seen[i] + reading[w].seen[i]);
        }
    }
    expect_exactly(&reading[0], 0, 8000);
    ck_assert_uint_eq(total, 8000);
    for (uint32_t w = 0; w < workers; w++) {
        reading_fini(&reading[w]);
    }
}

START_TEST(divides_partitions_among_workers)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.%u.web", 8, 0, 2000, 4);
    read_with_workers(1, transports[_i]);
    read_with_workers(3, transports[_i]);
}
END_TEST

START_TEST(a_worker_without_partitions_ends)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 10, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    reading.open.worker = 1;
    reading.open.worker_count = 2;
    reading_open(&reading);
    read_to_end(&reading);
    ck_assert_uint_eq(reading.message_count, 0);
    reading_fini(&reading);
}
END_TEST

/* A restart with other workers: every partition goes on at its own position, at whichever worker. */
START_TEST(partitions_restart_at_their_positions)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.%u.web", 4, 0, 400, 1);
    const char *said[] = {"stream=CLICKS", "subject=clicks.>", "partitions=4", transports[_i], NULL};
    struct reading one, two;
    reading_init(&one, said);
    reading_init(&two, said);
    one.open.worker_count = two.open.worker_count = 2;
    two.open.worker = 1;
    one.poll_max = 7;
    reading_open(&one);
    (void)read_until(&one, 30); /* partitions 0 and 2, a little */
    reading_open(&two);
    (void)read_until(&two, 150); /* partitions 1 and 3, more */
    reading_commit_and_close(&one);
    reading_commit_and_close(&two);
    memcpy(one.positions + one.position_count, two.positions, two.position_count * sizeof *two.positions);
    one.open.position_count = one.position_count += two.position_count;
    for (uint32_t i = 0; i < EVENTS_MAX; i++) {
        one.seen[i] = (uint8_t)(one.seen[i] + two.seen[i]);
    }
    one.open.worker_count = 1;
    reading_open(&one);
    read_to_end(&one);
    expect_exactly(&one, 0, 400);
    ck_assert_uint_eq(state_of(&one).gap_messages, 0);
    reading_fini(&one);
    reading_fini(&two);
}
END_TEST

START_TEST(quiet_partitions_do_not_hold_a_restart_back)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.%u.web", 2, 0, 200, 1); /* partitions 2 to 7 never had a message */
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "subject=clicks.>", "partitions=8", transports[_i], NULL});
    reading_open(&reading);
    read_to_end(&reading);
    reading_commit_and_close(&reading);
    server_nats_feed(&server, "clicks.%u.web", 8, 200, 16, 1);
    reading.open.until_end = false;
    reading_open(&reading);
    ck_assert_uint_eq(state_of(&reading).lag_messages, 16);
    (void)read_until(&reading, 216);
    expect_exactly(&reading, 0, 216);
    reading_fini(&reading);
}
END_TEST

/* --- what breaks ------------------------------------------------------------------------------------------------------- */

START_TEST(loses_nothing_when_connections_break)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 20000, 5);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "in_flight=64KiB", transports[_i], NULL});
    reading.poll_max = 50;
    reading_open(&reading);
    for (uint32_t cut = 1; cut <= 6; cut++) {
        (void)read_until(&reading, cut * 2500);
        evs_nats_reader_reconnect(reading.instance);
    }
    read_to_end(&reading);
    expect_exactly(&reading, 0, 100000);
    ck_assert_uint_ge(state_of(&reading).reconnects, 3);
    reading_fini(&reading);
}
END_TEST

START_TEST(loses_nothing_when_the_server_is_killed)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 10000, 5);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "in_flight=64KiB", transports[_i], NULL});
    reading.poll_max = 50;
    reading_open(&reading);
    (void)read_until(&reading, 3000);
    server_nats_kill(&server);
    for (uint32_t i = 0; i < 20; i++) {
        ck_assert_int_ne(reading_poll(&reading), EVS_END);
    }
    server_nats_restart(&server);
    (void)read_until(&reading, 6000);
    server_nats_stop(&server);
    server_nats_restart(&server);
    read_to_end(&reading);
    expect_exactly(&reading, 0, 50000);
    ck_assert_uint_ge(state_of(&reading).reconnects, 2);
    reading_fini(&reading);
}
END_TEST

START_TEST(goes_on_when_its_consumer_is_deleted)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 500, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "heartbeat=200ms", transports[_i], NULL});
    reading.open.until_end = false;
    reading_open(&reading);
    (void)read_until(&reading, 500);
    server_nats_delete_consumers(&server, "CLICKS");
    server_nats_feed(&server, "clicks.web", 1, 500, 500, 1);
    (void)read_until(&reading, 1000);
    expect_exactly(&reading, 0, 1000);
    ck_assert_uint_eq(state_of(&reading).reconnects, 0);
    reading_fini(&reading);
}
END_TEST

START_TEST(goes_on_after_a_server_that_stood_still)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 500, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "heartbeat=200ms", transports[_i], NULL});
    reading.open.until_end = false;
    reading_open(&reading);
    (void)read_until(&reading, 500);
    poll_until(&reading, is_caught_up);
    server_nats_signal(&server, SIGSTOP);
    poll_until(&reading, is_not_caught_up);
    server_nats_signal(&server, SIGCONT);
    server_nats_feed(&server, "clicks.web", 1, 500, 500, 1);
    (void)read_until(&reading, 1000);
    poll_until(&reading, is_caught_up);
    expect_exactly(&reading, 0, 1000);
    reading_fini(&reading);
}
END_TEST

START_TEST(idle_needs_evidence)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 5, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "heartbeat=200ms", transports[_i], NULL});
    reading.open.until_end = false;
    reading_open(&reading);
    ck_assert(!state_of(&reading).caught_up);
    ck_assert_uint_eq(state_of(&reading).lag_messages, 5);
    (void)read_until(&reading, 5);
    poll_until(&reading, is_caught_up);
    ck_assert_uint_eq(state_of(&reading).lag_messages, 0);
    server_nats_kill(&server);
    poll_until(&reading, is_not_caught_up);
    server_nats_restart(&server);
    poll_until(&reading, is_caught_up);
    reading_fini(&reading);
}
END_TEST

/* A stream in which something is stored all the time has no silence for a heartbeat, and its quiet partitions are quiet all the same. */
START_TEST(evidence_without_silence)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "heartbeat=10s", transports[_i], NULL});
    reading.open.until_end = false;
    reading_open(&reading);
    ck_assert(!state_of(&reading).caught_up);
    server_nats_feed(&server, "clicks.web", 1, 0, 5, 1);
    (void)read_until(&reading, 5);
    ck_assert(state_of(&reading).caught_up);
    reading_fini(&reading);
}
END_TEST

START_TEST(gives_up_after_the_retry_time)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    reading.open.until_end = false;
    reading.open.retry_us = 300000;
    reading_open(&reading);
    server_nats_kill(&server);
    ck_assert_int_eq(read_until(&reading, 1), EVS_E_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(reading.error.text, "away"));
    reading_fini(&reading);
}
END_TEST

/* --- where it begins --------------------------------------------------------------------------------------------------- */

START_TEST(starts_where_it_is_told)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 100, 1);
    const char *said[] = {"stream=CLICKS", transports[_i], NULL};
    struct reading reading;
    struct evs_position resolved[4];

    reading_init(&reading, said);
    reading.open.start = EVS_START_SEQUENCE;
    reading.open.start_value = 41;
    reading_open(&reading);
    ck_assert_uint_eq(evs_source_nats.resolved(reading.instance, resolved, 4), 1);
    ck_assert_uint_eq(resolved[0].sequence, 40);
    read_to_end(&reading);
    expect_exactly(&reading, 40, 100);
    int64_t time_us = reading.positions[20].time_us; /* of event 60 */
    reading_fini(&reading);

    reading_init(&reading, said);
    reading.open.start = EVS_START_TIME;
    reading.open.start_value = time_us;
    reading_open(&reading);
    read_to_end(&reading);
    ck_assert_uint_ge(reading.seen[60], 1); /* others may have been stored in the same microsecond */
    ck_assert_uint_ge(reading.event_count, 40);
    ck_assert_uint_lt(reading.event_count, 100);
    reading_fini(&reading);

    reading_init(&reading, said);
    reading.open.start = EVS_START_LATEST;
    reading.open.until_end = false;
    reading_open(&reading);
    ck_assert_uint_eq(evs_source_nats.resolved(reading.instance, resolved, 4), 1);
    ck_assert_uint_eq(resolved[0].sequence, 100);
    server_nats_feed(&server, "clicks.web", 1, 100, 10, 1);
    (void)read_until(&reading, 10);
    expect_exactly(&reading, 100, 110);
    reading_fini(&reading);
}
END_TEST

START_TEST(restarts_at_a_resolved_start)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 100, 1);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    reading.open.start = EVS_START_LATEST;
    reading_open(&reading);
    reading.position_count = evs_source_nats.resolved(reading.instance, reading.positions, 4);
    reading_commit_and_close(&reading);
    reading.open.start = EVS_START_COMMITTED;
    server_nats_feed(&server, "clicks.web", 1, 100, 10, 1);
    reading_open(&reading);
    read_to_end(&reading);
    expect_exactly(&reading, 100, 110);
    reading_fini(&reading);
}
END_TEST

START_TEST(restarts_behind_the_commit)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 1000, 3);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    reading.poll_max = 9;
    reading_open(&reading);
    for (uint32_t n = 1; n < 10; n++) {
        (void)read_until(&reading, n * 100);
        reading_commit_and_close(&reading);
        reading_open(&reading);
    }
    read_to_end(&reading);
    expect_exactly(&reading, 0, 3000);
    reading_fini(&reading);
}
END_TEST

/* --- what is refused --------------------------------------------------------------------------------------------------- */

START_TEST(says_how_to_make_a_missing_stream)
{
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "subject=clicks.>", transports[_i], NULL});
    ck_assert_int_eq(reading_try_open(&reading), EVS_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(reading.error.text, "evstream run --create"));
    ck_assert_ptr_nonnull(strstr(reading.error.text, "nats stream add CLICKS --subjects 'clicks.>'"));
    reading.open.create = true;
    reading_open(&reading);
    read_to_end(&reading);
    jsStreamInfo *info = NULL;
    ck_assert_int_eq(js_GetStreamInfo(&info, server.js, "CLICKS", NULL, NULL), NATS_OK);
    ck_assert_int_eq(info->Config->SubjectsLen, 1);
    ck_assert_str_eq(info->Config->Subjects[0], "clicks.>");
    ck_assert_int_eq(info->Config->Storage, js_FileStorage);
    ck_assert_int_eq(info->Config->Retention, js_LimitsPolicy);
    ck_assert_int_eq(info->Config->Discard, js_DiscardOld);
    ck_assert_int_eq(info->Config->MaxAge, INT64_C(7) * 86400 * 1000000000);
    ck_assert_int_eq(info->Config->Duplicates, INT64_C(120) * 1000000000);
    jsStreamInfo_Destroy(info);
    reading_fini(&reading);
}
END_TEST

START_TEST(names_a_server_without_jetstream)
{
    server_nats_end(&server);
    server_nats_start_plain(&server);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    ck_assert_int_eq(reading_try_open(&reading), EVS_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(reading.error.text, "-js"));
    reading_fini(&reading);
}
END_TEST

START_TEST(refuses_a_wrong_password_without_showing_it)
{
    server_nats_end(&server);
    server_nats_start(&server, "authorization { user: engine, password: \"right\" }", "engine:right@");
    server_nats_create(&server, "CLICKS", "clicks.>");
    char url[128];
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    snprintf(url, sizeof url, "nats://engine:gwrong@127.0.0.1:%d", server.port);
    reading.open.nats_url = url;
    ck_assert_int_eq(reading_try_open(&reading), EVS_E_REFUSED);
    ck_assert_ptr_null(strstr(reading.error.text, "gwrong"));
    ck_assert_ptr_nonnull(strstr(reading.error.text, "password"));
    snprintf(url, sizeof url, "nats://engine:right@127.0.0.1:%d", server.port);
    reading_open(&reading);
    read_to_end(&reading);
    reading_fini(&reading);
}
END_TEST

START_TEST(takes_the_next_server_of_the_list)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 10, 1);
    char url[200];
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    snprintf(url, sizeof url, "nats://127.0.0.1:1,nats://localhost:%d", server.port);
    reading.open.nats_url = url;
    reading_open(&reading);
    read_to_end(&reading);
    expect_exactly(&reading, 0, 10);
    reading_fini(&reading);
}
END_TEST

START_TEST(names_a_server_that_is_not_there)
{
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    server_nats_kill(&server);
    ck_assert_int_eq(reading_try_open(&reading), EVS_E_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(reading.error.text, "EVSTREAM_NATS_URL"));
    reading_fini(&reading);
}
END_TEST

START_TEST(tells_a_missing_permission)
{
    server_nats_end(&server);
    server_nats_start(&server,
                      "authorization { users: [ { user: admin, password: a },\n"
                      "  { user: engine, password: e, permissions: { publish: [\"$JS.API.STREAM.INFO.CLICKS\"], "
                      "subscribe: \"_INBOX.>\" } } ] }",
                      "admin:a@");
    server_nats_create(&server, "CLICKS", "clicks.>");
    char url[128];
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", transports[_i], NULL});
    snprintf(url, sizeof url, "nats://engine:e@127.0.0.1:%d", server.port);
    reading.open.nats_url = url;
    ck_assert_int_eq(reading_try_open(&reading), EVS_E_REFUSED);
    ck_assert_msg(strcasestr(reading.error.text, "permissions violation") != NULL, "%s", reading.error.text);
    reading_fini(&reading);
}
END_TEST

/* The permissions that the documentation lists are enough. */
START_TEST(works_with_the_documented_permissions)
{
    server_nats_end(&server);
    server_nats_start(&server,
                      "authorization { users: [ { user: admin, password: a },\n"
                      "  { user: engine, password: e, permissions: { publish: [\"$JS.API.STREAM.INFO.CLICKS\",\n"
                      "    \"$JS.API.STREAM.MSG.GET.CLICKS\", \"$JS.API.CONSUMER.CREATE.CLICKS.>\", "
                      "\"$JS.API.CONSUMER.DELETE.CLICKS.*\",\n"
                      "    \"$JS.API.CONSUMER.MSG.NEXT.CLICKS.*\"], subscribe: \"_INBOX_evs.>\" } } ] }",
                      "admin:a@");
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 100, 1);
    char url[128];
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "inbox_prefix=_INBOX_evs", transports[_i], NULL});
    snprintf(url, sizeof url, "nats://engine:e@127.0.0.1:%d", server.port);
    reading.open.nats_url = url;
    reading.poll_max = 10;
    reading_open(&reading);
    (void)read_until(&reading, 50);
    reading_commit_and_close(&reading);
    reading_open(&reading);
    read_to_end(&reading);
    expect_exactly(&reading, 0, 100);
    reading_fini(&reading);
}
END_TEST

/* Only the library speaks TLS: `auto` finds that out from the server's greeting, or from the options. */
START_TEST(speaks_tls)
{
    char folder[] = "/tmp/evs_tls_XXXXXX", command[600], settings[300], ca[64], ca_option[80];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(
        command, sizeof command,
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost "
        "-keyout %s/key.pem -out %s/cert.pem 2>/dev/null",
        folder, folder);
    ck_assert_int_eq(system(command), 0);
    snprintf(settings, sizeof settings, "tls { cert_file: \"%s/cert.pem\", key_file: \"%s/key.pem\" }", folder, folder);
    snprintf(ca, sizeof ca, "%s/cert.pem", folder);
    snprintf(ca_option, sizeof ca_option, "tls_ca=%s", ca);
    server_nats_end(&server);
    server_nats_start_tls(&server, settings, ca);
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 3000, 10);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "in_flight=64KiB", ca_option, NULL});
    reading_open(&reading);
    ck_assert_str_eq(evs_nats_reader_transport(reading.instance), "library");
    (void)read_until(&reading, 500);
    evs_nats_reader_reconnect(reading.instance);
    read_to_end(&reading);
    expect_exactly(&reading, 0, 30000);
    reading_fini(&reading);
    /* Without the authority the certificate is not trusted, although the address said nothing of TLS. */
    reading_init(&reading, (const char *[]){"stream=CLICKS", NULL});
    ck_assert_int_eq(reading_try_open(&reading), EVS_E_REFUSED);
    ck_assert_msg(strstr(reading.error.text, "tls_ca") != NULL, "%s", reading.error.text);
    reading_fini(&reading);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(checks_its_options)
{
    static const char *const wrong[][4] = {
        {"stream=a.b", NULL},
        {"stream=CLICKS", "subject=clicks web", NULL},
        {"stream=CLICKS", "subject=clicks.7.web", "partitions=4", NULL},
        {"stream=CLICKS", "subject=clicks", "partitions=4", NULL},
    };
    for (size_t i = 0; i < EVS_COUNT(wrong); i++) {
        struct evs_option_value values[OPTION_VALUES_MAX];
        struct evs_arena arena = {0};
        struct evs_error error;
        const void *config;
        option_values(evs_source_nats.options, wrong[i], values);
        ck_assert_int_eq(evs_source_nats.configure(values, &arena, &config, &error), EVS_E_PIPELINE);
        ck_assert_ptr_nonnull(strstr(error.text, "Option "));
        evs_arena_fini(&arena);
    }
}
END_TEST

/* In a steady state the socket's path allocates nothing a message. */
START_TEST(steady_reading_allocates_nothing)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    server_nats_feed(&server, "clicks.web", 1, 0, 8000, 10);
    struct reading reading;
    reading_init(&reading, (const char *[]){"stream=CLICKS", "transport=socket", NULL});
    reading.poll_max = 64;
    reading_open(&reading);
    (void)read_until(&reading, 4500); /* the marks' ring has grown to 8192 */
    uint64_t before = evs_alloc_count();
    (void)read_until(&reading, 7900);
    ck_assert_uint_eq(evs_alloc_count() - before, 0);
    reading_fini(&reading);
}
END_TEST

static Suite *source_suite(void)
{
    Suite *suite = suite_create("nats_source");
    TCase *both = tcase_create("both transports");
    tcase_add_checked_fixture(both, start_server, end_server);
    tcase_set_timeout(both, 100);
    const TTest *const tests[] = {
        drains_to_the_end,
        ends_at_once_on_an_empty_stream,
        does_not_read_behind_the_end_at_open,
        filters_by_subject,
        hands_on_headers_and_subject,
        reads_messages_larger_than_a_request,
        divides_partitions_among_workers,
        a_worker_without_partitions_ends,
        partitions_restart_at_their_positions,
        quiet_partitions_do_not_hold_a_restart_back,
        loses_nothing_when_connections_break,
        loses_nothing_when_the_server_is_killed,
        goes_on_when_its_consumer_is_deleted,
        goes_on_after_a_server_that_stood_still,
        idle_needs_evidence,
        evidence_without_silence,
        gives_up_after_the_retry_time,
        starts_where_it_is_told,
        restarts_at_a_resolved_start,
        restarts_behind_the_commit,
        says_how_to_make_a_missing_stream,
        names_a_server_without_jetstream,
        refuses_a_wrong_password_without_showing_it,
        takes_the_next_server_of_the_list,
        names_a_server_that_is_not_there,
        tells_a_missing_permission,
        works_with_the_documented_permissions,
    };
    for (size_t i = 0; i < EVS_COUNT(tests); i++) {
        tcase_add_loop_test(both, tests[i], 0, 2);
    }
    suite_add_tcase(suite, both);
    TCase *alone = tcase_create("once");
    tcase_add_checked_fixture(alone, start_server, end_server);
    tcase_set_timeout(alone, 100);
    tcase_add_test(alone, checks_its_options);
    tcase_add_test(alone, an_empty_socket_is_asked_once);
    if (access("/usr/bin/openssl", X_OK) == 0) {
        tcase_add_test(alone, speaks_tls);
    }
    tcase_add_test(alone, steady_reading_allocates_nothing);
    suite_add_tcase(suite, alone);
    return suite;
}

int main(void)
{
    if (!server_nats_is_installed()) {
        fprintf(stderr, "skipped: nats-server is not installed\n");
        return 77;
    }
    SRunner *runner = srunner_create(source_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
