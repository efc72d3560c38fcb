/* The parts of the Redis store that need no server: addresses, ids, headers, the meaning of replies, what a server
 * must be. */
#include <check.h>
#include <stdlib.h>

#include "redis_address.h"
#include "redis_error.h"
#include "redis_header.h"
#include "redis_retry.h"
#include "redis_route.h"
#include "redis_server.h"

static struct evs_error error;

/* --- addresses ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *url, *host, *path, *user, *password, *text;
    unsigned port, database;
} good_urls[] = {
    {"redis://localhost", "localhost", NULL, NULL, NULL, "redis://localhost:6379", 6379, 0},
    {"REDIS://10.0.0.1:7000/5", "10.0.0.1", NULL, NULL, NULL, "redis://10.0.0.1:7000/5", 7000, 5},
    {"redis://u:p@h:1/", "h", NULL, "u", "p", "redis://h:1", 1, 0},
    {"redis://:p%40%3a@h", "h", NULL, NULL, "p@:", "redis://h:6379", 6379, 0},
    {"redis://word@h", "h", NULL, NULL, "word", "redis://h:6379", 6379, 0},
    {"redis://u:a@b@h", "h", NULL, "u", "a@b", "redis://h:6379", 6379, 0},
    {"redis://[::1]:7/2", "::1", NULL, NULL, NULL, "redis://[::1]:7/2", 7, 2},
    {"redis://[fe80::1]", "fe80::1", NULL, NULL, NULL, "redis://[fe80::1]:6379", 6379, 0},
    {"unix:///run/redis.sock", NULL, "/run/redis.sock", NULL, NULL, "unix:///run/redis.sock", 0, 0},
    {"unix://u:p@/run/r?db=3", NULL, "/run/r", "u", "p", "unix:///run/r?db=3", 0, 3},
};

static void check_text(const char *got, const char *expected)
{
    ck_assert_int_eq(got == NULL, expected == NULL);
    if (got != NULL) {
        ck_assert_str_eq(got, expected);
    }
}

START_TEST(urls_are_understood)
{
    struct evs_redis_address address;
    ck_assert_int_eq(evs_redis_address_parse(good_urls[_i].url, &address, &error), EVS_OK);
    ck_assert_uint_eq(address.endpoint_count, good_urls[_i].host == NULL ? 0 : 1);
    check_text(address.endpoint_count == 0 ? NULL : address.endpoints[0].name, good_urls[_i].host);
    check_text(address.path, good_urls[_i].path);
    check_text(address.user, good_urls[_i].user);
    check_text(address.password, good_urls[_i].password);
    check_text(address.text, good_urls[_i].text);
    ck_assert(address.endpoint_count == 0 || address.endpoints[0].port == good_urls[_i].port);
    ck_assert_uint_eq(address.database, good_urls[_i].database);
    evs_redis_address_fini(&address);
}
END_TEST

static const struct {
    const char *url, *service, *text, *hosts[3];
    unsigned ports[3], database;
} several_urls[] = {
    {"redis+sentinel://a,b:7,[::1]:9/main",
     "main",
     "redis+sentinel://a:26379,b:7,[::1]:9/main",
     {"a", "b", "::1"},
     {26379, 7, 9},
     0},
    {"redis+sentinel://u:p@a/my%20master/3", "my master", "redis+sentinel://a:26379/my master/3", {"a"}, {26379}, 3},
    {"redis+cluster://:p@a,b:7001", NULL, "redis+cluster://a:6379,b:7001", {"a", "b"}, {6379, 7001}, 0},
    {"redis+cluster://a/", NULL, "redis+cluster://a:6379", {"a"}, {6379}, 0},
};

START_TEST(urls_of_several_servers_are_understood)
{
    struct evs_redis_address address;
    ck_assert_int_eq(evs_redis_address_parse(several_urls[_i].url, &address, &error), EVS_OK);
    for (uint32_t i = 0; i < address.endpoint_count; i++) {
        check_text(address.endpoints[i].name, several_urls[_i].hosts[i]);
        ck_assert_uint_eq(address.endpoints[i].port, several_urls[_i].ports[i]);
    }
    ck_assert(address.endpoint_count == 3 || several_urls[_i].hosts[address.endpoint_count] == NULL);
    check_text(address.service, several_urls[_i].service);
    check_text(address.text, several_urls[_i].text);
    ck_assert_uint_eq(address.database, several_urls[_i].database);
    evs_redis_address_fini(&address);
}
END_TEST

static const char *const bad_urls[] = {
    "redis+sentinel://a",
    "redis+sentinel://a/",
    "redis+sentinel://a//3",
    "redis+sentinel://a/main/x",
    "redis+sentinel:///main",
    "redis+sentinel://a,,b/main",
    "redis+sentinel://a/%zz",
    "redis+cluster://a,b:x",
    "redis+cluster://a/1",
    "redis+cluster://a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
    "",
    "localhost",
    "http://h",
    "redis://",
    "redis://:80",
    "redis://h:",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:1x",
    "redis://h/-1",
    "redis://h/1x",
    "redis://h/70000",
    "redis://u:%4@h",
    "redis://u:%zz@h",
    "redis://%00:p@h",
    "redis://[]",
    "unix://",
    "unix://run/r",
    "unix:///r?db=x",
    "unix:///r?database=1",
    "redis://u:p@",
};

START_TEST(bad_urls_are_refused)
{
    struct evs_redis_address address;
    memset(&error, 0, sizeof error);
    ck_assert_msg(evs_redis_address_parse(bad_urls[_i], &address, &error) == EVS_E_USAGE, "%s", bad_urls[_i]);
    ck_assert_uint_gt(strlen(error.text), 20);
}
END_TEST

/* --- routes ------------------------------------------------------------------------------------------------------- */

static void check_next(struct evs_redis_route *route, const char *host, unsigned port, bool asks)
{
    bool is_asked;
    struct evs_redis_endpoint next = evs_redis_route_next(route, &is_asked);
    ck_assert_str_eq(next.host, host);
    ck_assert_uint_eq(next.port, port);
    ck_assert_int_eq(is_asked, asks);
}

START_TEST(sentinels_are_asked_in_turn)
{
    struct evs_redis_address address;
    ck_assert_int_eq(evs_redis_address_parse("redis+sentinel://a,b/main", &address, &error), EVS_OK);
    struct evs_redis_route route = {.address = &address};
    check_next(&route, "a", 26379, true);
    evs_redis_route_failed(&route);
    check_next(&route, "b", 26379, true);
    ck_assert(evs_redis_route_learn(&route, EVS_SLICE("m"), EVS_SLICE("6400")));
    check_next(&route, "m", 6400, false);
    evs_redis_route_failed(&route);
    check_next(&route, "a", 26379, true);
    ck_assert(!evs_redis_route_learn(&route, EVS_SLICE(""), EVS_SLICE("6400")));
    ck_assert(!evs_redis_route_learn(&route, EVS_SLICE("m"), EVS_SLICE("70000")));
    check_next(&route, "a", 26379, true);
    evs_redis_address_fini(&address);
}
END_TEST

START_TEST(a_cluster_is_followed)
{
    struct evs_redis_address address;
    ck_assert_int_eq(evs_redis_address_parse("redis+cluster://a:1,b:2", &address, &error), EVS_OK);
    struct evs_redis_route route = {.address = &address};
    check_next(&route, "a", 1, false);
    ck_assert(evs_redis_route_moved(&route, "MOVED 3999 10.0.0.7:6381"));
    check_next(&route, "10.0.0.7", 6381, false);
    ck_assert(evs_redis_route_moved(&route, "MOVED 3999 :6382")); /* the host that has answered */
    check_next(&route, "10.0.0.7", 6382, false);
    ck_assert(evs_redis_route_moved(&route, "MOVED 3999 fe80::1:6383"));
    check_next(&route, "fe80::1", 6383, false);
    static const char *const others[] = {"ASK 3999 h:1", "MOVED", "MOVED 3999", "MOVED 3999 h", "MOVED 3999 h:x"};
    for (size_t i = 0; i < EVS_COUNT(others); i++) {
        ck_assert(!evs_redis_route_moved(&route, others[i]));
    }
    evs_redis_route_failed(&route);
    check_next(&route, "b", 2, false);
    evs_redis_address_fini(&address);
}
END_TEST

/* --- ids ---------------------------------------------------------------------------------------------------------- */

START_TEST(ids_are_strict)
{
    static const char *const bad[] = {
        "", "-", "1-", "-1", "1", "1-2-3", "1-2 ", " 1-2", "+1-2", "1-x", "18446744073709551616-0"};
    struct evs_redis_id id;
    char text[EVS_REDIS_ID_TEXT_BYTES];
    for (size_t i = 0; i < EVS_COUNT(bad); i++) {
        ck_assert_msg(!evs_redis_id_parse(evs_slice_of(bad[i]), &id), "%s", bad[i]);
    }
    ck_assert(evs_redis_id_parse(EVS_SLICE("18446744073709551615-18446744073709551615"), &id));
    ck_assert_str_eq(evs_redis_id_text(id, text).data, "18446744073709551615-18446744073709551615");
    ck_assert_int_lt(evs_redis_id_compare((struct evs_redis_id){1, 9}, (struct evs_redis_id){2, 0}), 0);
    ck_assert_int_gt(evs_redis_id_compare((struct evs_redis_id){2, 1}, (struct evs_redis_id){2, 0}), 0);
    ck_assert_int_eq(evs_redis_id_compare((struct evs_redis_id){2, 1}, (struct evs_redis_id){2, 1}), 0);
}
END_TEST

/* --- headers ------------------------------------------------------------------------------------------------------ */

static struct evs_redis_header sample_header(void)
{
    return (struct evs_redis_header){
        .checkpoint = 12345678901,
        .previous = {1700000000000, 99},
        .ranges = {{{1700000000001, 5}, {1700000000001, 7}, 3, 262144, 0xFFFFFFFF}, {.count = 0}},
        .chains = {{{1700000000000, 65535}, {1700000000000, 1}}, {{1600000000000, 3}, {1600000000000, 1}}},
        .record_crc = 0x12345678,
    };
}

START_TEST(header_comes_back)
{
    struct evs_redis_header header = sample_header(), again;
    struct evs_buffer text = {0};
    evs_redis_header_write(&header, &text);
    ck_assert_uint_lt(text.count, 400);
    ck_assert_int_eq(evs_redis_header_read((struct evs_slice){text.data, text.count}, &again, &error), EVS_OK);
    struct evs_buffer text_again = {0};
    evs_redis_header_write(&again, &text_again);
    ck_assert(evs_slice_equal((struct evs_slice){text.data, text.count},
                              (struct evs_slice){text_again.data, text_again.count}));
    ck_assert_uint_eq(again.ranges[EVS_BLOCK_STATE].bytes_max, header.ranges[EVS_BLOCK_STATE].bytes_max);
    ck_assert_uint_eq(again.chains[EVS_BLOCK_OUTBOX].first.ms, header.chains[EVS_BLOCK_OUTBOX].first.ms);
    evs_buffer_fini(&text_again);
    evs_buffer_fini(&text);
}
END_TEST

/* The stored form may not change by accident. */
START_TEST(header_has_its_documented_form)
{
    static const char expected[] =
        "1 12345678901 1700000000000-99 "
        "1700000000000-65535 1700000000000-1 1700000000001-5 1700000000001-7 3 262144 4294967295 "
        "1600000000000-3 1600000000000-1 0-0 0-0 0 0 0 "
        "305419896 ";
    struct evs_redis_header header = sample_header();
    struct evs_buffer text = {0};
    evs_redis_header_write(&header, &text);
    ck_assert_uint_eq(text.count, sizeof expected - 1 + 8);
    ck_assert_int_eq(memcmp(text.data, expected, sizeof expected - 1), 0);
    evs_buffer_fini(&text);
}
END_TEST

START_TEST(each_changed_or_missing_byte_of_a_header_is_found)
{
    struct evs_redis_header header = sample_header(), again;
    struct evs_buffer text = {0};
    evs_redis_header_write(&header, &text);
    for (size_t i = 0; i < text.count; i++) {
        text.data[i] ^= 1;
        ck_assert_int_eq(evs_redis_header_read((struct evs_slice){text.data, text.count}, &again, &error),
                         EVS_E_CORRUPT);
        text.data[i] ^= 1;
        ck_assert_int_eq(evs_redis_header_read((struct evs_slice){text.data, i}, &again, &error), EVS_E_CORRUPT);
    }
    evs_buffer_put(&text, " ", 1);
    ck_assert_int_eq(evs_redis_header_read((struct evs_slice){text.data, text.count}, &again, &error), EVS_E_CORRUPT);
    evs_buffer_fini(&text);
}
END_TEST

/* Sums that are right over contents that are not. */
START_TEST(contradictions_of_a_header_are_found)
{
    struct evs_redis_header headers[4] = {sample_header(), sample_header(), sample_header(), sample_header()}, again;
    headers[0].ranges[0].count = 2;
    headers[1].ranges[0].last.ms++;
    headers[2].ranges[1].first.ms = 1;
    headers[3].chains[0] = (struct evs_redis_chain){0};
    for (size_t i = 0; i < EVS_COUNT(headers); i++) {
        struct evs_buffer text = {0};
        evs_redis_header_write(&headers[i], &text);
        ck_assert_int_eq(evs_redis_header_read((struct evs_slice){text.data, text.count}, &again, &error),
                         EVS_E_CORRUPT);
        evs_buffer_fini(&text);
    }
}
END_TEST

START_TEST(newer_header_is_named)
{
    struct evs_redis_header again;
    ck_assert_int_eq(evs_redis_header_read(EVS_SLICE("2 what ever it says"), &again, &error), EVS_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(error.text, "version 2"));
}
END_TEST

/* --- replies ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *reply;
    enum evs_redis_cause cause;
    evs_status status;
} replies[] = {
    {"LOADING Redis is loading the dataset in memory", EVS_REDIS_LOADING, EVS_E_UNREACHABLE},
    {"BUSY Redis is busy running a script.", EVS_REDIS_BUSY, EVS_E_UNREACHABLE},
    {"READONLY You can't write against a read only replica.", EVS_REDIS_READONLY, EVS_E_UNREACHABLE},
    {"MASTERDOWN Link with MASTER is down", EVS_REDIS_MASTERDOWN, EVS_E_UNREACHABLE},
    {"NOREPLICAS Not enough good replicas to write.", EVS_REDIS_NOREPLICAS, EVS_E_UNREACHABLE},
    {"OOM command not allowed when used memory > 'maxmemory'.", EVS_REDIS_OOM, EVS_E_UNREACHABLE},
    {"MISCONF Errors writing to the AOF file: No space left on device", EVS_REDIS_MISCONF, EVS_E_UNREACHABLE},
    {"TRYAGAIN Multiple keys request during rehashing of slot", EVS_REDIS_TRYAGAIN, EVS_E_UNREACHABLE},
    {"CLUSTERDOWN The cluster is down", EVS_REDIS_CLUSTERDOWN, EVS_E_UNREACHABLE},
    {"ERR max number of clients reached", EVS_REDIS_CLIENTS_MAX, EVS_E_UNREACHABLE},
    {"ERR Function not found", EVS_REDIS_NO_FUNCTION, EVS_E_UNREACHABLE},
    {"ERR The ID specified in XADD is equal or smaller than the target stream top item", EVS_REDIS_ID_SMALL,
     EVS_E_UNREACHABLE},
    {"EVSFENCED the log ends at 2-0", EVS_REDIS_FENCED, EVS_E_FENCED},
    {"EVSGAP the log is empty", EVS_REDIS_GAP, EVS_E_GAP},
    {"EVSDIVERGED the entry 1-1 has other content", EVS_REDIS_DIVERGED, EVS_E_STATE},
    {"MOVED 3999 127.0.0.1:6381", EVS_REDIS_MOVED, EVS_E_REFUSED},
    {"ASK 3999 127.0.0.1:6381", EVS_REDIS_ASK, EVS_E_UNREACHABLE},
    {"CROSSSLOT Keys in request don't hash to the same slot", EVS_REDIS_CROSSSLOT, EVS_E_REFUSED},
    {"NOAUTH Authentication required.", EVS_REDIS_NOAUTH, EVS_E_REFUSED},
    {"WRONGPASS invalid username-password pair or user is disabled.", EVS_REDIS_WRONGPASS, EVS_E_REFUSED},
    {"NOPERM this user has no permissions to run the 'xadd' command", EVS_REDIS_NOPERM, EVS_E_REFUSED},
    {"ERR The user executing the script can't run this command", EVS_REDIS_NOPERM, EVS_E_REFUSED},
    {"DENIED Redis is running in protected mode", EVS_REDIS_DENIED, EVS_E_REFUSED},
    {"WRONGTYPE Operation against a key holding the wrong kind of value", EVS_REDIS_WRONGTYPE, EVS_E_STATE},
    {"ERR unknown command 'FCALL', with args beginning with:", EVS_REDIS_UNKNOWN_COMMAND, EVS_E_REFUSED},
    {"ERR DB index is out of range", EVS_REDIS_DATABASE, EVS_E_REFUSED},
    {"ERR something new", EVS_REDIS_OTHER, EVS_E_REFUSED},
    {"", EVS_REDIS_OTHER, EVS_E_REFUSED},
};

START_TEST(replies_are_classified)
{
    const struct evs_redis_refusal *refusal = evs_redis_classify(replies[_i].reply);
    ck_assert_int_eq(refusal->cause, replies[_i].cause);
    ck_assert_int_eq(refusal->status, replies[_i].status);
    ck_assert_int_eq(evs_redis_refused("redis://h:1", "do this", replies[_i].reply, &error), replies[_i].status);
    ck_assert_ptr_nonnull(strstr(error.text, "redis://h:1 refused to do this"));
    ck_assert_ptr_nonnull(strstr(error.text, refusal->advice));
    ck_assert_int_eq(error.code, replies[_i].status);
}
END_TEST

/* --- servers ------------------------------------------------------------------------------------------------------ */

START_TEST(servers_are_judged)
{
    struct evs_redis_facts facts = {.version = 7, .policy = "noeviction"};
    ck_assert_int_eq(evs_redis_facts_judge(&facts, "s", false, &error), EVS_OK);
    facts.version = 6;
    ck_assert_int_eq(evs_redis_facts_judge(&facts, "s", false, &error), EVS_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.text, "version 6"));
    facts = (struct evs_redis_facts){.version = 8, .is_replica = true};
    ck_assert_int_eq(evs_redis_facts_judge(&facts, "s", false, &error), EVS_E_REFUSED);
    ck_assert_int_eq(evs_redis_facts_judge(&facts, "s", true, &error), EVS_E_UNREACHABLE);
    facts = (struct evs_redis_facts){.version = 8, .evicts = true, .policy = "allkeys-lru"};
    ck_assert_int_eq(evs_redis_facts_judge(&facts, "s", false, &error), EVS_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.text, "allkeys-lru"));
}
END_TEST

/* --- retries ------------------------------------------------------------------------------------------------------ */

static int64_t now_us;
static uint64_t random_value;

static int64_t fake_now(void *self)
{
    (void)self;
    return now_us;
}

static uint64_t fake_random(void *self)
{
    (void)self;
    return random_value;
}

START_TEST(retries_back_off_and_end)
{
    struct evs_os os = {.clock = {.monotonic_us = fake_now}, .random = {.next = fake_random}};
    struct evs_redis_retry retry = {.os = &os, .retry_us = 10000000};
    int64_t previous = 0;
    random_value = 0;
    now_us = 5;
    for (int i = 0; i < 7; i++) {
        int64_t pause = evs_redis_retry_pause(&retry);
        ck_assert_int_gt(pause, previous);
        previous = pause;
    }
    random_value = UINT64_MAX;
    ck_assert_int_le(evs_redis_retry_pause(&retry), 3000000); /* two seconds and the jitter */
    now_us = 10000004;
    ck_assert_int_gt(evs_redis_retry_pause(&retry), 0);
    now_us = 10000005;
    ck_assert_int_lt(evs_redis_retry_pause(&retry), 0);
    evs_redis_retry_reset(&retry);
    ck_assert_int_gt(evs_redis_retry_pause(&retry), 0); /* a first failure again */
    retry.retry_us = 0;
    now_us = INT64_MAX;
    ck_assert_int_gt(evs_redis_retry_pause(&retry), 0); /* for ever */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_parts");
    TCase *cases = tcase_create("parts");
    tcase_add_loop_test(cases, urls_are_understood, 0, EVS_COUNT(good_urls));
    tcase_add_loop_test(cases, urls_of_several_servers_are_understood, 0, EVS_COUNT(several_urls));
    tcase_add_test(cases, sentinels_are_asked_in_turn);
    tcase_add_test(cases, a_cluster_is_followed);
    tcase_add_loop_test(cases, bad_urls_are_refused, 0, EVS_COUNT(bad_urls));
    tcase_add_test(cases, ids_are_strict);
    tcase_add_test(cases, header_comes_back);
    tcase_add_test(cases, header_has_its_documented_form);
    tcase_add_test(cases, each_changed_or_missing_byte_of_a_header_is_found);
    tcase_add_test(cases, contradictions_of_a_header_are_found);
    tcase_add_test(cases, newer_header_is_named);
    tcase_add_loop_test(cases, replies_are_classified, 0, EVS_COUNT(replies));
    tcase_add_test(cases, servers_are_judged);
    tcase_add_test(cases, retries_back_off_and_end);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
