/* What collectors tell about themselves, as a source reads it: a real nats-server, beats written as a collector writes them. */
#include <signal.h>
#include <stdio.h>

#include "nats_bucket.h"
#include "nats_reading.h"
#include "unit.h"

static struct reading reading;
static void *bucket;
static struct evs_arena arena;
static uint64_t revision; /* of the last beat */

static void open_bucket(void)
{
    struct evs_option_value values[OPTION_VALUES_MAX];
    struct evs_error error = {0};
    const void *config = NULL;
    option_values(evs_source_nats.options, (const char *const[]){"stream=CLICKS", NULL}, values);
    ck_assert(evs_source_nats.configure(values, &arena, &config, &error) == EVS_OK);
    struct evs_bucket_open open = {.os = evs_os_system(),
                                   .log = reading.open.log,
                                   .name = "evstream",
                                   .source_config = config,
                                   .nats_url = server.url,
                                   .timeout_us = 10000000};
    ck_assert_msg(evs_nats_bucket.open(&open, &bucket, &error) == EVS_OK, "%s", error.text);
}

static void begin(int transport)
{
    server_nats_create(&server, "CLICKS", "clicks.>");
    reading_init(&reading, (const char *[]){"stream=CLICKS", "heartbeat=200ms", transports[transport], NULL});
    reading.open.until_end = false;
    reading.open.bucket = "evstream";
}

static void end(void)
{
    reading_fini(&reading);
    if (bucket != NULL) {
        evs_nats_bucket.close(bucket);
        bucket = NULL;
    }
    evs_arena_fini(&arena);
}

static int64_t now_of(void)
{
    return evs_monotonic_us(evs_os_system());
}

/* A beat of collector `id` that follows the last one of this test, as long as `previous` is its revision. */
static void beat(const char *id, uint64_t previous, int64_t behind_ms, int64_t round_ms, int absence_s)
{
    char key[80], value[300];
    struct evs_buffer there = {0};
    struct evs_error error = {0};
    uint64_t found = 0;
    snprintf(key, sizeof key, "collector.CLICKS.%s", id);
    snprintf(
        value, sizeof value,
        "{\"host\":\"h\",\"behind_ms\":%lld,\"spool_bytes\":0,\"previous\":%llu,\"round_ms\":%lld,\"absence_s\":%d,"
        "\"n\":%llu}",
        (long long)behind_ms, (unsigned long long)previous, (long long)round_ms, absence_s,
        (unsigned long long)revision);
    ck_assert(evs_nats_bucket.read(bucket, key, &there, &found, &error) == EVS_OK);
    ck_assert_msg(evs_nats_bucket.write(bucket, key, evs_slice_of(value), found, &revision, &error) == EVS_OK, "%s",
                  error.text);
    evs_buffer_fini(&there);
}

static bool is_caught_up(const struct evs_source_state *state)
{
    return state->caught_up;
}

static bool has_one(const struct evs_source_state *state)
{
    return state->senders == 1 && state->caught_up;
}

static bool has_none(const struct evs_source_state *state)
{
    return state->senders == 0 && state->caught_up;
}

static bool has_evidence(const struct evs_source_state *state)
{
    return state->complete_us > 1;
}

static bool is_behind(const struct evs_source_state *state)
{
    return state->senders_behind == 1;
}

static int64_t proven_at_least;
static bool is_proven(const struct evs_source_state *state)
{
    return state->complete_us >= proven_at_least;
}

/* Beats until what is proven reaches `us`, each following the one before. */
static void beat_until(const char *id, int64_t us, int64_t behind_ms, int64_t round_ms)
{
    proven_at_least = us;
    do {
        beat(id, revision, behind_ms, round_ms, 0);
        for (int i = 0; i < 20; i++) {
            (void)reading_poll(&reading);
        }
    } while (state_of(&reading).complete_us < us);
}

/* No bucket, an empty one, and one with other keys: nobody is waited for. */
START_TEST(nobody_is_registered)
{
    begin(_i);
    reading_open(&reading);
    poll_until(&reading, is_caught_up);
    ck_assert_uint_eq(state_of(&reading).senders, 0);
    ck_assert_int_eq(state_of(&reading).complete_us, 0);
    open_bucket();
    struct evs_error error = {0};
    ck_assert(evs_nats_bucket.write(bucket, "lease.cart.0", EVS_SLICE("x"), 0, &revision, &error) == EVS_OK);
    beat("other", 0, 0, 0, 0);
    poll_until(&reading, has_one);
    ck_assert_int_eq(state_of(&reading).complete_us, 1);
    end();
}
END_TEST

/* A beat that was there before we looked proves nothing, nor does the first one, nor one that does not follow; the one that follows proves what was before the
 * first. */
START_TEST(a_beat_proves_the_one_before)
{
    begin(_i);
    open_bucket();
    beat("c1", 0, 0, 0, 0);
    reading_open(&reading);
    poll_until(&reading, has_one);
    ck_assert_int_eq(state_of(&reading).complete_us, 1);
    beat("c1", revision, 0, 0, 0); /* follows one that had come before */
    beat("c1", revision + 7, 0, 0, 0);
    beat("c1", 0, 0, 0, 0);
    for (int i = 0; i < 100; i++) {
        (void)reading_poll(&reading);
    }
    ck_assert_int_eq(state_of(&reading).complete_us, 1);
    int64_t before_us = now_of();
    beat("c1", revision, 0, 0, 0);
    poll_until(&reading, has_evidence);
    ck_assert_int_le(state_of(&reading).complete_us, before_us + 100000);
    beat_until("c1", before_us, 0, 0);
    ck_assert_int_le(state_of(&reading).complete_us, now_of());
    end();
}
END_TEST

/* What the collector holds, and how long the word was on its way, is taken off. */
START_TEST(what_is_held_is_taken_off)
{
    begin(0);
    open_bucket();
    reading_open(&reading);
    beat("c1", 0, 0, 0, 0);
    poll_until(&reading, has_one);
    beat_until("c1", now_of(), 0, 0);
    int64_t clean_us = state_of(&reading).complete_us, begun_us = now_of();
    while (now_of() < begun_us + 300000) { /* it spools, or its beats are stuck: nothing more is proven */
        beat("c1", revision, 400, 0, 0);
        beat("c1", revision, 0, 400, 0);
        (void)reading_poll(&reading);
    }
    ck_assert_int_lt(state_of(&reading).complete_us, begun_us + 300000);
    ck_assert_int_ge(state_of(&reading).complete_us, clean_us); /* never back */
    beat_until("c1", begun_us + 300000, 0, 0);
    end();
}
END_TEST

/* The slowest counts; who deletes his key does not any more. */
START_TEST(the_slowest_counts)
{
    begin(_i);
    open_bucket();
    beat("dead", 0, 0, 0, 0);
    reading_open(&reading);
    poll_until(&reading, has_one);
    beat("c1", 0, 0, 0, 0);
    uint64_t last = revision;
    for (int i = 0; i < 20; i++) {
        beat("c1", revision, 0, 0, 0);
        (void)reading_poll(&reading);
    }
    ck_assert_uint_gt(revision, last);
    ck_assert_uint_eq(state_of(&reading).senders, 2);
    ck_assert_int_eq(state_of(&reading).complete_us, 1);
    struct evs_error error = {0};
    ck_assert(evs_nats_bucket_remove(bucket, "collector.CLICKS.dead", &error) == EVS_OK);
    poll_until(&reading, has_one);
    beat_until("c1", now_of(), 0, 0);
    ck_assert(evs_nats_bucket_remove(bucket, "collector.CLICKS.c1", &error) == EVS_OK);
    poll_until(&reading, has_none);
    end();
}
END_TEST

/* Who is not heard of is told, and waited for as long as it has asked for. */
START_TEST(absence_ends)
{
    begin(0);
    open_bucket();
    beat("c1", 0, 0, 0, 7);
    reading_open(&reading);
    int64_t begun_us = now_of();
    poll_until(&reading, has_one);
    ck_assert_int_eq(state_of(&reading).complete_us, 1);
    poll_until(&reading, is_behind);
    ck_assert_int_eq(state_of(&reading).complete_us, 1);
    proven_at_least = 0;
    while (state_of(&reading).complete_us != 0) {
        poll_until(&reading, is_proven);
    }
    ck_assert_int_ge(now_of() - begun_us, 7000000);
    ck_assert_uint_eq(state_of(&reading).senders_behind, 0);
    beat("c1", 0, 0, 0, 7); /* there again */
    while (state_of(&reading).complete_us != 1) {
        poll_until(&reading, is_proven);
    }
    end();
}
END_TEST

/* NATS goes and comes back: who was registered is waited for all the time. */
START_TEST(a_restart_forgets_nobody)
{
    begin(_i);
    open_bucket();
    reading_open(&reading);
    beat("c1", 0, 0, 0, 0);
    poll_until(&reading, has_one);
    beat_until("c1", now_of(), 0, 0);
    server_nats_kill(&server);
    int64_t proven_us = state_of(&reading).complete_us, killed_us = now_of();
    server_nats_restart(&server);
    poll_until(&reading, has_one);
    ck_assert_int_le(state_of(&reading).complete_us, killed_us);
    ck_assert_int_ge(state_of(&reading).complete_us, proven_us);
    struct evs_buffer value = {0};
    struct evs_error error = {0};
    while (evs_nats_bucket.read(bucket, "collector.CLICKS.c1", &value, &revision, &error) == EVS_E_UNREACHABLE) {
    }
    evs_buffer_fini(&value);
    beat_until("c1", now_of(), 0, 0);
    end();
}
END_TEST

/* A bucket that somebody deletes: after the time in which a server recovers, nobody is registered. */
START_TEST(without_the_bucket_nobody_is_left)
{
    begin(0);
    open_bucket();
    beat("c1", 0, 0, 0, 0);
    reading_open(&reading);
    poll_until(&reading, has_one);
    server_nats_delete(&server, "KV_evstream");
    poll_until(&reading, has_none);
    end();
}
END_TEST

/* A user who may not read the bucket reads the stream all the same, and is judged by the stream alone. */
START_TEST(who_may_not_look_goes_on)
{
    server_nats_end(&server);
    server_nats_start(
        &server,
        "authorization { users: [ { user: a, password: b }, { user: c, password: d, permissions: { publish: "
        "{ deny: \"$JS.API.CONSUMER.CREATE.KV_evstream.>\" } } } ] }",
        "a:b@");
    begin(0);
    char url[128];
    snprintf(url, sizeof url, "nats://c:d@127.0.0.1:%d", server.port);
    reading.open.nats_url = url;
    reading_open(&reading);
    poll_until(&reading, is_caught_up);
    ck_assert_int_eq(state_of(&reading).complete_us, 0);
    end();
}
END_TEST

int main(void)
{
    if (!server_nats_is_installed()) {
        return 77;
    }
    Suite *suite = suite_create("nats_senders");
    TCase *tests = tcase_create("nats_senders");
    tcase_add_checked_fixture(tests, start_server, end_server);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, nobody_is_registered, 0, 2);
    tcase_add_loop_test(tests, a_beat_proves_the_one_before, 0, 2);
    tcase_add_test(tests, what_is_held_is_taken_off);
    tcase_add_loop_test(tests, the_slowest_counts, 0, 2);
    tcase_add_test(tests, absence_ends);
    tcase_add_loop_test(tests, a_restart_forgets_nobody, 0, 1);
    tcase_add_test(tests, without_the_bucket_nobody_is_left);
    tcase_add_test(tests, who_may_not_look_goes_on);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
