/* The Redis store under faults at exact places: a proxy goes command by command, so that a fault can be put before,
 * at and behind each single request of a commit. */
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "proxy_redis.h"
#include "store_fixture.h"
#include "store_redis.h"

/* --- between staging and commit ----------------------------------------------------------------------------------- */

/* The first owner has staged everything, sleeps, and wakes when the second has taken over. */
static enum proxy_verdict take_over_before_commit(void *argument, unsigned number, const redisReply *request)
{
    (void)number;
    void **second = argument;
    if (*second == NULL && proxy_request_is(request, "evs1_commit")) {
        *second = open_at(server.url, SECOND);
        acquire(*second);
    }
    return PROXY_PASS;
}

START_TEST(take_over_between_staging_and_commit)
{
    struct proxy_redis proxy;
    void *second = NULL;
    proxy_redis_start(&proxy, server.socket, take_over_before_commit, &second);
    void *first = open_and_acquire(proxy.url);
    evs_status status = oracle_commit(
        &oracle, first, (struct oracle_commit){.blocks = 3, .outbox = 2, .seed = 1, .block_bytes = 100}, &error);
    ck_assert_int_eq(status, EVS_E_FENCED);
    ck_assert_ptr_nonnull(second);
    must_commit(second, (struct oracle_commit){.blocks = 2, .outbox = 1, .seed = 2, .block_bytes = 100});
    evs_store_redis.close(first);
    proxy_redis_stop(&proxy);
    evs_store_redis.close(second);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

/* The first owner has taken the log over and sleeps before it reads what it took; when it wakes, the second has written snapshots and trimmed. */
struct sleeper {
    const char *before; /* which request */
    void *second;
};

static enum proxy_verdict take_over_and_trim(void *argument, unsigned number, const redisReply *request)
{
    (void)number;
    struct sleeper *sleeper = argument;
    if (sleeper->second == NULL && proxy_request_is(request, sleeper->before)) {
        sleeper->second = open_at(server.url, SECOND);
        acquire(sleeper->second);
        for (uint64_t seed = 10; seed < 14; seed++) {
            must_commit(sleeper->second, (struct oracle_commit){
                                             .blocks = 2, .seed = seed, .block_bytes = 9000, .snapshot_starts = true});
        }
    }
    return PROXY_PASS;
}

static void check_sleeper(const char *before)
{
    struct sleeper sleeper = {.before = before};
    struct proxy_redis proxy;
    struct evs_store_terms terms;
    void *earlier = open_and_acquire(server.url);
    must_commit(earlier, (struct oracle_commit){.blocks = 2, .seed = 1, .block_bytes = 9000, .snapshot_starts = true});
    evs_store_redis.close(earlier);
    proxy_redis_start(&proxy, server.socket, take_over_and_trim, &sleeper);
    void *first = open_at(proxy.url, SECOND);
    ck_assert_int_eq(evs_store_redis.acquire(first, &terms, &error), EVS_E_FENCED);
    ck_assert_ptr_nonnull(sleeper.second);
    evs_store_redis.close(first);
    proxy_redis_stop(&proxy);
    evs_store_redis.close(sleeper.second);
    evs_store_redis.close(check_restore(server.url));
}

START_TEST(take_over_before_the_last_commit_is_found)
{
    check_sleeper("XREVRANGE");
}
END_TEST

START_TEST(take_over_before_the_last_commit_is_read)
{
    check_sleeper("XRANGE");
}
END_TEST

/* The staged blocks are not what the commit says any more, though the connection has held: a proxy or a failover in
 * between. */
static enum proxy_verdict spoil_before_commit(void *argument, unsigned number, const redisReply *request)
{
    (void)number;
    if (proxy_request_is(request, "evs1_commit")) {
        const char *key = argument;
        redisReply *newest = server_redis_ask(&server, "XREVRANGE %s + - COUNT 1", key);
        server_redis_tell(&server, "XDEL %s %s", key, newest->element[0]->element[0]->str);
        freeReplyObject(newest);
    }
    return PROXY_PASS;
}

static void check_spoiled(const char *key, struct oracle_commit shape)
{
    struct proxy_redis proxy;
    proxy_redis_start(&proxy, server.socket, spoil_before_commit, (void *)key);
    void *store = open_and_acquire(proxy.url);
    ck_assert_int_eq(oracle_commit(&oracle, store, shape, &error), EVS_E_GAP);
    check_text("lost its newest entries");
    evs_store_redis.close(store);
    proxy_redis_stop(&proxy);
    evs_store_redis.close(check_restore(server.url)); /* nothing was committed */
}

START_TEST(last_block_gone_before_the_commit)
{
    check_spoiled(LOG, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 100});
}
END_TEST

START_TEST(last_outbox_block_gone_before_the_commit)
{
    check_spoiled(OB, (struct oracle_commit){.blocks = 3, .outbox = 2, .seed = 1, .block_bytes = 100});
}
END_TEST

/* --- faults at exact places --------------------------------------------------------------------------------------- */

struct fault {
    unsigned at; /* which request since the start of the commit */
    enum proxy_verdict verdict;
    void (*act)(void); /* behind the engine's back, before the request is passed on; may be NULL */
    unsigned seen;
    bool armed, hit;
};

static enum proxy_verdict fault_hook(void *argument, unsigned number, const redisReply *request)
{
    (void)number;
    (void)request;
    struct fault *fault = argument;
    if (!fault->armed || fault->seen++ != fault->at) {
        return PROXY_PASS;
    }
    fault->hit = true;
    if (fault->act != NULL) {
        fault->act();
    }
    return fault->verdict;
}

/* Commits three times with the fault in the second, at its first request, then at its second, …, until no request is
 * left for it. */
static unsigned sweep(enum proxy_verdict verdict, void (*act)(void))
{
    unsigned hits = 0;
    for (bool hit = true; hit; hits += hit) {
        struct fault fault = {.at = hits, .verdict = verdict, .act = act};
        struct proxy_redis proxy;
        server_redis_tell(&server, "DEL " LOG " " OB);
        memset(&oracle, 0, sizeof oracle);
        proxy_redis_start(&proxy, server.socket, fault_hook, &fault);
        void *store = open_and_acquire(proxy.url);
        must_commit(store, (struct oracle_commit){.blocks = 2, .outbox = 1, .seed = 1, .block_bytes = 6000});
        fault.armed = true;
        must_commit(store,
                    (struct oracle_commit){
                        .blocks = 3, .outbox = 2, .seed = 2, .block_bytes = 6000, .snapshot_starts = hits % 2 == 1});
        fault.armed = false;
        must_commit(store, (struct oracle_commit){.blocks = 1, .outbox = 1, .seed = 3, .block_bytes = 6000});
        hit = fault.hit;
        evs_store_redis.close(store);
        proxy_redis_stop(&proxy);
        evs_store_redis.close(check_restore(server.url));
    }
    return hits;
}

START_TEST(connection_cut_at_each_request)
{
    /* two outbox blocks, three state blocks, the commit, and trims */
    ck_assert_uint_ge(sweep(PROXY_CUT, NULL), 6);
}
END_TEST

START_TEST(each_reply_lost)
{
    ck_assert_uint_ge(sweep(PROXY_LOSE_REPLY, NULL), 6);
}
END_TEST

static void kill_and_restart(void)
{
    server_redis_kill(&server);
    server_redis_restart(&server);
}

START_TEST(server_killed_at_each_request)
{
    ck_assert_uint_ge(sweep(PROXY_PASS, kill_and_restart), 6);
}
END_TEST

static void lose_function(void)
{
    server_redis_tell(&server, "FUNCTION FLUSH");
}

START_TEST(function_lost_at_each_request)
{
    ck_assert_uint_ge(sweep(PROXY_PASS, lose_function), 6);
}
END_TEST

/* A commit without blocks whose reply is lost must be recognised by its id alone. */
START_TEST(reply_of_an_empty_commit_lost)
{
    struct fault fault = {.at = 0, .verdict = PROXY_LOSE_REPLY};
    struct proxy_redis proxy;
    proxy_redis_start(&proxy, server.socket, fault_hook, &fault);
    void *store = open_and_acquire(proxy.url);
    fault.armed = true;
    must_commit(store, (struct oracle_commit){.seed = 1});
    ck_assert(fault.hit);
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 2, .block_bytes = 10});
    evs_store_redis.close(store);
    proxy_redis_stop(&proxy);
    evs_store_redis.close(check_restore(server.url));
    ck_assert_int_eq(server_redis_length(&server, LOG), 5); /* take-over, commit, block, commit, take-over */
}
END_TEST

/* The commit of a dropped connection arrives late: after the look at the log's end, just before the commit of the
 * next attempt. */
struct late {
    char *arguments[16];
    size_t counts[16];
    int count;
    bool arrived;
};

static enum proxy_verdict late_hook(void *argument, unsigned number, const redisReply *request)
{
    (void)number;
    struct late *late = argument;
    if (!proxy_request_is(request, "evs1_commit") || late->arrived) {
        return PROXY_PASS;
    }
    if (late->count == 0) {
        for (; late->count < (int)request->elements; late->count++) {
            late->counts[late->count] = (size_t)request->element[late->count]->len;
            late->arguments[late->count] = evs_strndup(request->element[late->count]->str, late->counts[late->count]);
        }
        return PROXY_CUT;
    }
    server_redis_tell(&server, "PING"); /* connects */
    redisReply *reply = redisCommandArgv(server.context, late->count, (const char **)late->arguments, late->counts);
    late->arrived = true;
    ck_assert_ptr_nonnull(reply);
    freeReplyObject(reply);
    return PROXY_PASS;
}

static void check_late_commit(struct oracle_commit shape)
{
    struct proxy_redis proxy;
    struct late late = {0};
    proxy_redis_start(&proxy, server.socket, late_hook, &late);
    void *store = open_and_acquire(proxy.url);
    must_commit(store, shape);
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 2, .block_bytes = 10});
    ck_assert(late.arrived);
    evs_store_redis.close(store);
    proxy_redis_stop(&proxy);
    for (int i = 0; i < late.count; i++) {
        evs_free(late.arguments[i]);
    }
    evs_store_redis.close(check_restore(server.url));
}

START_TEST(late_commit_without_blocks_is_the_same_commit)
{
    check_late_commit((struct oracle_commit){.seed = 1});
}
END_TEST

START_TEST(late_commit_of_an_abandoned_attempt_is_refused)
{
    check_late_commit((struct oracle_commit){.blocks = 3, .outbox = 1, .seed = 1, .block_bytes = 100});
}
END_TEST

/* --- refusals that pass ------------------------------------------------------------------------------------------- */

/* Refuses exactly the second block: memory is short for one moment. */
static enum proxy_verdict short_memory_hook(void *argument, unsigned number, const redisReply *request)
{
    (void)number;
    unsigned *blocks = argument;
    if (proxy_request_is(request, "XADD")) {
        server_redis_tell(&server, "CONFIG SET maxmemory %s", ++*blocks == 2 ? "1" : "0");
    }
    return PROXY_PASS;
}

START_TEST(one_block_refused_between_two_accepted_ones)
{
    struct proxy_redis proxy;
    unsigned blocks = 0;
    proxy_redis_start(&proxy, server.socket, short_memory_hook, &blocks);
    void *store = open_and_acquire(proxy.url);
    must_commit(store, (struct oracle_commit){.blocks = 4, .seed = 1, .block_bytes = 100});
    ck_assert_uint_ge(blocks, 6); /* two of the first attempt at least, four of the second */
    ck_assert_int_ge(server_redis_length(&server, LOG), 1 + 1 + 4 + 1);
    evs_store_redis.close(store);
    proxy_redis_stop(&proxy);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

/* The server refuses every write for a while; the hook sees the retries and ends it. */
struct refusal {
    const char *begin, *end; /* commands */
    unsigned refused;        /* requests until the end */
};

static enum proxy_verdict refusal_hook(void *argument, unsigned number, const redisReply *request)
{
    (void)number;
    struct refusal *refusal = argument;
    if (proxy_request_is(request, "XADD") || proxy_request_is(request, "evs1_commit")) {
        server_redis_tell(&server, refusal->refused++ < 3 ? refusal->begin : refusal->end);
    }
    return PROXY_PASS;
}

static void check_refusal_passes(const char *begin, const char *end)
{
    struct refusal refusal = {.begin = begin, .end = end};
    struct proxy_redis proxy;
    proxy_redis_start(&proxy, server.socket, refusal_hook, &refusal);
    void *store = open_and_acquire(proxy.url);
    must_commit(store, (struct oracle_commit){.blocks = 2, .outbox = 1, .seed = 1, .block_bytes = 100});
    ck_assert_uint_gt(refusal.refused, 3);
    evs_store_redis.close(store);
    proxy_redis_stop(&proxy);
    evs_store_redis.close(check_restore(server.url));
}

START_TEST(memory_short_then_raised)
{
    check_refusal_passes("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0");
}
END_TEST

START_TEST(too_few_replicas_then_enough)
{
    check_refusal_passes("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0");
}
END_TEST

START_TEST(replica_then_promoted)
{
    check_refusal_passes("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE");
}
END_TEST

START_TEST(loading_is_waited_for)
{
    void *store = open_and_acquire(server.url);
    for (uint64_t i = 0; i < 40; i++) {
        must_commit(store, (struct oracle_commit){.blocks = 100, .seed = i, .block_bytes = 2000});
    }
    server_redis_kill(&server);
    server.options[server.option_count++] = "--key-load-delay"; /* µs for each command of the file */
    server.options[server.option_count++] = "200";
    server.options[server.option_count++] = "--loading-process-events-interval-bytes";
    server.options[server.option_count++] = "1024";
    server_redis_restart_at_once(&server);
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 99, .block_bytes = 100});
    redisReply *errors = server_redis_ask(&server, "INFO errorstats");
    ck_assert_msg(strstr(errors->str, "errorstat_LOADING") != NULL, "the server was never seen loading");
    freeReplyObject(errors);
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

/* --- replicas ----------------------------------------------------------------------------------------------------- */

static struct server_redis replica;

static bool replica_is_online(void)
{
    redisReply *info = server_redis_ask(&server, "INFO replication");
    bool online = strstr(info->str, "state=online") != NULL;
    freeReplyObject(info);
    return online;
}

static void start_replica(void)
{
    static char port[16];
    snprintf(port, sizeof port, "%d", server.port);
    server_redis_start(&replica, (const char *[]){"--replicaof", "127.0.0.1", port, NULL});
    time_t deadline = time(NULL) + 60;
    while (!replica_is_online()) {
        ck_assert_int_lt(time(NULL), deadline);
        poll(NULL, 0, 10);
    }
    server_redis_tell(&server, "CONFIG SET min-replicas-to-write 1");
}

/* The reply to the commit is lost, so that another connection has to ask for the replicas. */
static enum proxy_verdict lose_commit_reply(void *argument, unsigned number, const redisReply *request)
{
    (void)number;
    unsigned *lost = argument;
    if (!proxy_request_is(request, "evs1_commit") || *lost > 0) {
        return PROXY_PASS;
    }
    ++*lost;
    return PROXY_LOSE_REPLY;
}

START_TEST(replicas_have_what_is_committed)
{
    start_replica();
    struct proxy_redis proxy;
    unsigned lost = 0;
    proxy_redis_start(&proxy, server.socket, lose_commit_reply, &lost);
    void *store = open_at(proxy.url, 20 * SECOND);
    struct evs_store_terms terms = acquire(store);
    ck_assert_ptr_nonnull(strstr(terms.durability, "1 replica"));
    long long length = 1;
    for (uint64_t i = 0; i < 20; i++) {
        must_commit(store, (struct oracle_commit){.blocks = 3, .seed = i, .block_bytes = 3000});
        length += 4;
        ck_assert_int_eq(server_redis_length(&replica, LOG), length);
    }
    ck_assert_uint_eq(lost, 1);
    evs_store_redis.close(store);
    proxy_redis_stop(&proxy);
    server_redis_stop(&replica);
}
END_TEST

START_TEST(sleeping_replica_holds_the_commit)
{
    start_replica();
    void *store = open_at(server.url, SECOND / 2);
    acquire(store);
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 1, .block_bytes = 3000});
    kill(replica.pid, SIGSTOP);
    evs_status status =
        oracle_commit(&oracle, store, (struct oracle_commit){.blocks = 1, .seed = 2, .block_bytes = 100}, &error);
    ck_assert_int_eq(status, EVS_E_UNREACHABLE);
    check_text("only 0 of the 1 replicas");
    kill(replica.pid, SIGCONT);
    evs_store_redis.close(store);
    server_redis_stop(&replica);
}
END_TEST

/* --- all ---------------------------------------------------------------------------------------------------------- */

static void add_faults(Suite *suite)
{
    TCase *faults = tcase_create("faults");
    tcase_add_checked_fixture(faults, set_up_strict, tear_down);
    tcase_set_timeout(faults, 60);
    tcase_add_test(faults, take_over_between_staging_and_commit);
    tcase_add_test(faults, take_over_before_the_last_commit_is_found);
    tcase_add_test(faults, take_over_before_the_last_commit_is_read);
    tcase_add_test(faults, last_block_gone_before_the_commit);
    tcase_add_test(faults, last_outbox_block_gone_before_the_commit);
    tcase_add_test(faults, connection_cut_at_each_request);
    tcase_add_test(faults, each_reply_lost);
    tcase_add_test(faults, server_killed_at_each_request);
    tcase_add_test(faults, function_lost_at_each_request);
    tcase_add_test(faults, reply_of_an_empty_commit_lost);
    tcase_add_test(faults, late_commit_without_blocks_is_the_same_commit);
    tcase_add_test(faults, late_commit_of_an_abandoned_attempt_is_refused);
    tcase_add_test(faults, one_block_refused_between_two_accepted_ones);
    tcase_add_test(faults, memory_short_then_raised);
    tcase_add_test(faults, too_few_replicas_then_enough);
    tcase_add_test(faults, replica_then_promoted);
    tcase_add_test(faults, loading_is_waited_for);
    tcase_add_test(faults, replicas_have_what_is_committed);
    tcase_add_test(faults, sleeping_replica_holds_the_commit);
    suite_add_tcase(suite, faults);
}

int main(void)
{
    if (!server_redis_is_installed()) {
        puts("SKIP store_redis_faults: redis-server is not installed");
        return 77;
    }
    Suite *suite = suite_create("store_redis_faults");
    add_faults(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
