/* The Redis store on a real server: what is committed comes back, whatever happens on the way. */
#include <check.h>
#include <stdlib.h>

#include "evstream/os.h"
#include "proxy_redis.h"
#include "server_redis.h"
#include "store_oracle.h"
#include "store_redis.h"

#define LOG "evs:{clicks:0}:log"
#define OB "evs:{clicks:0}:ob"
#define SECOND INT64_C(1000000)

static struct server_redis server;
static struct oracle oracle;
static struct evs_error error;

/* --- helpers ----------------------------------------------------------------------------------------------------------------- */

static void set_up(void)
{
    server_redis_start(&server, NULL);
    memset(&oracle, 0, sizeof oracle);
}

static void tear_down(void)
{
    server_redis_stop(&server);
}

static void *open_at(const char *url, int64_t retry_us)
{
    void *store = NULL;
    struct evs_store_open open = {
        .os = evs_os_system(), .url = url, .pipeline = "clicks", .group = "0", .retry_us = retry_us};
    evs_status status = evs_store_redis.open(&open, &store, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    return store;
}

static struct evs_store_terms acquire(void *store)
{
    struct evs_store_terms terms;
    evs_status status = evs_store_redis.acquire(store, &terms, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    return terms;
}

static void *open_and_acquire(const char *url)
{
    void *store = open_at(url, 20 * SECOND);
    oracle_accept(&oracle, &(struct evs_store_terms){0}); /* a first start */
    acquire(store);
    return store;
}

static void must_commit(void *store, struct oracle_commit shape)
{
    evs_status status = oracle_commit(&oracle, store, shape, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
}

/* A new owner must find everything. */
static void *check_restore(const char *url)
{
    void *store = open_at(url, 20 * SECOND);
    uint64_t last = oracle.last;
    struct evs_store_terms terms = acquire(store);
    oracle_accept(&oracle, &terms);
    ck_assert_uint_eq(oracle.last, last);
    evs_status status = oracle_restore(&oracle, store, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    return store;
}

static void check_text(const char *part)
{
    ck_assert_msg(strstr(error.text, part) != NULL, "\"%s\" does not say \"%s\"", error.text, part);
}

/* --- in peace ----------------------------------------------------------------------------------------------------------------- */

START_TEST(first_start_has_no_commit)
{
    void *store = open_at(server.url, SECOND);
    struct evs_store_terms terms = acquire(store);
    ck_assert(!terms.has_commit);
    ck_assert_uint_gt(terms.epoch, UINT64_C(1600000000000)); /* the server's time */
    ck_assert_uint_ne(terms.nonce, 0);
    ck_assert_int_eq(oracle_restore(&oracle, store, &error), EVS_OK);
    ck_assert_int_eq(evs_store_redis.confirm(store, &error), EVS_OK);
    evs_store_redis.close(store);
}
END_TEST

START_TEST(commits_come_back)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 100});
    must_commit(store, (struct oracle_commit){.seed = 2}); /* nothing changed */
    must_commit(store, (struct oracle_commit){.blocks = 40, .seed = 3, .block_bytes = EVS_BLOCK_BYTES});
    must_commit(store, (struct oracle_commit){.blocks = 1200, .outbox = 5, .seed = 4, .block_bytes = 500});
    must_commit(store, (struct oracle_commit){.outbox = 2, .seed = 5, .block_bytes = 4000});
    evs_store_redis.close(store);
    store = check_restore(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 2, .outbox = 1, .seed = 6, .block_bytes = 10});
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

START_TEST(tcp_database_and_password)
{
    server_redis_tell(&server, "ACL SETUSER evs on >p%%40ss ~* +@all");
    server_redis_tell(&server, "CONFIG SET requirepass secret");
    char url[128];
    snprintf(url, sizeof url, "redis://evs:p%%2540ss@127.0.0.1:%d/3", server.port);
    void *store = open_and_acquire(url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 100});
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(url));
    server_redis_tell(&server, "SELECT 3");
    ck_assert_int_gt(server_redis_length(&server, LOG), 4);
}
END_TEST

START_TEST(snapshot_replaces_and_trims)
{
    void *store = open_and_acquire(server.url);
    for (uint64_t i = 0; i < 20; i++) {
        must_commit(store, (struct oracle_commit){.blocks = 5, .outbox = 3, .seed = i, .block_bytes = 20000});
    }
    long long log_before = server_redis_length(&server, LOG), ob_before = server_redis_length(&server, OB);
    must_commit(store, (struct oracle_commit){
                           .blocks = 4, .outbox = 1, .seed = 50, .block_bytes = 20000, .snapshot_starts = true});
    ck_assert_int_ge(server_redis_length(&server, LOG), 20); /* the outbox still needs the old commits */
    must_commit(store, (struct oracle_commit){
                           .blocks = 4, .outbox = 2, .seed = 51, .block_bytes = 20000, .outbox_restart = true});
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 52, .block_bytes = 20000});
    ck_assert_int_lt(server_redis_length(&server, LOG), log_before / 3);
    ck_assert_int_lt(server_redis_length(&server, OB), ob_before / 3);
    evs_store_redis.close(store);
    store = check_restore(server.url);
    must_commit(store,
                (struct oracle_commit){.seed = 53, .snapshot_starts = true, .outbox_restart = true}); /* all gone */
    evs_store_redis.close(store);
    store = check_restore(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 2, .outbox = 2, .seed = 54, .block_bytes = 100});
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

START_TEST(log_of_empty_commits_stays_small)
{
    void *store = open_and_acquire(server.url);
    for (uint64_t i = 0; i < 1000; i++) {
        must_commit(store, (struct oracle_commit){.seed = i});
    }
    ck_assert_int_lt(server_redis_length(&server, LOG), 250); /* nodes of 100 entries */
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

/* The walk backwards crosses terms and is longer than one round trip. */
START_TEST(long_chain_over_many_terms)
{
    void *store = open_and_acquire(server.url);
    for (uint64_t i = 0; i < 200; i++) {
        must_commit(store, (struct oracle_commit){.blocks = i % 3, .outbox = i % 2, .seed = i, .block_bytes = 300});
        if (i % 37 == 36) {
            evs_store_redis.close(store);
            store = check_restore(server.url);
        }
    }
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

START_TEST(groups_and_pipelines_are_apart)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 100});
    void *other = NULL;
    struct evs_store_open open = {.os = evs_os_system(), .url = server.url, .pipeline = "clicks", .group = "1"};
    ck_assert_int_eq(evs_store_redis.open(&open, &other, &error), EVS_OK);
    ck_assert(!acquire(other).has_commit);
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 2, .block_bytes = 100});
    evs_store_redis.close(other);
    evs_store_redis.close(store);
}
END_TEST

START_TEST(durability_is_told)
{
    void *store = open_at(server.url, SECOND);
    struct evs_store_terms terms = acquire(store);
    ck_assert_int_eq(terms.confirm_delay_us, 3 * SECOND);
    ck_assert_ptr_nonnull(strstr(terms.durability, "everysec"));
    server_redis_tell(&server, "CONFIG SET appendfsync always");
    terms = acquire(store);
    ck_assert_int_eq(terms.confirm_delay_us, 0);
    ck_assert_str_eq(terms.durability, "appendonly yes, appendfsync always");
    server_redis_tell(&server, "ACL SETUSER default -config");
    terms = acquire(store);
    ck_assert_int_eq(terms.confirm_delay_us, 3 * SECOND);
    ck_assert_ptr_nonnull(strstr(terms.durability, "unknown"));
    evs_store_redis.close(store);
}
END_TEST

/* The rules that README.md lists are enough. */
START_TEST(documented_access_rules_suffice)
{
    server_redis_tell(
        &server, "ACL SETUSER evs on >pw resetkeys ~evs:* resetchannels -@all +xadd +xrange +xrevrange +xtrim +xsetid "
                 "+xinfo|stream +fcall +time +function|load +ping +info +client|setname +select");
    char url[128];
    snprintf(url, sizeof url, "redis://evs:pw@127.0.0.1:%d", server.port);
    void *store = open_and_acquire(url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .outbox = 1, .seed = 1, .block_bytes = 9000});
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 2, .block_bytes = 9000, .snapshot_starts = true});
    ck_assert_int_eq(evs_store_redis.confirm(store, &error), EVS_OK);
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(url));
}
END_TEST

/* --- owners -------------------------------------------------------------------------------------------------------------------- */

START_TEST(second_owner_fences_the_first)
{
    void *first = open_and_acquire(server.url);
    must_commit(first, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 100});
    void *second = check_restore(server.url);
    ck_assert_int_eq(evs_store_redis.confirm(first, &error), EVS_E_FENCED);
    check_text("Another engine");
    evs_status status = oracle_commit(
        &oracle, first, (struct oracle_commit){.blocks = 2, .outbox = 1, .seed = 2, .block_bytes = 100}, &error);
    ck_assert_int_eq(status, EVS_E_FENCED);
    status = oracle_commit(&oracle, first, (struct oracle_commit){.seed = 3},
                           &error); /* without blocks only the function can refuse */
    ck_assert_int_eq(status, EVS_E_FENCED);
    must_commit(second, (struct oracle_commit){.blocks = 2, .seed = 4, .block_bytes = 100});
    evs_store_redis.close(first);
    evs_store_redis.close(second);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

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

/* --- faults at exact places ---------------------------------------------------------------------------------------------------- */

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

/* Commits three times with the fault in the second, at its first request, then at its second, …, until no request is left for it. */
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

/* --- refusals that pass ---------------------------------------------------------------------------------------------------------- */

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

/* --- refusals that stay ---------------------------------------------------------------------------------------------------------- */

static evs_status acquire_status(const char *url, int64_t retry_us)
{
    void *store = open_at(url, retry_us);
    struct evs_store_terms terms;
    evs_status status = evs_store_redis.acquire(store, &terms, &error);
    evs_store_redis.close(store);
    return status;
}

START_TEST(wrong_password_is_final_and_not_told)
{
    server_redis_tell(&server, "CONFIG SET requirepass right-secret");
    char url[128];
    snprintf(url, sizeof url, "redis://:wrong-secret@127.0.0.1:%d", server.port);
    ck_assert_int_eq(acquire_status(url, 600 * SECOND), EVS_E_REFUSED);
    check_text("password");
    ck_assert_ptr_null(strstr(error.text, "secret"));
    ck_assert_int_eq(acquire_status(server.tcp_url, 600 * SECOND), EVS_E_REFUSED);
    check_text("wants a password");
}
END_TEST

START_TEST(eviction_is_refused)
{
    server_redis_tell(&server, "CONFIG SET maxmemory-policy allkeys-lru");
    ck_assert_int_eq(acquire_status(server.url, 600 * SECOND), EVS_E_REFUSED);
    check_text("noeviction");
}
END_TEST

START_TEST(replica_is_refused)
{
    server_redis_tell(&server, "REPLICAOF 127.0.0.1 1");
    ck_assert_int_eq(acquire_status(server.url, 600 * SECOND), EVS_E_REFUSED);
    check_text("master");
}
END_TEST

START_TEST(missing_permission_is_told)
{
    server_redis_tell(&server, "ACL SETUSER default -xadd");
    ck_assert_int_eq(acquire_status(server.url, 600 * SECOND), EVS_E_REFUSED);
    check_text("ACL");
}
END_TEST

START_TEST(other_key_in_the_way)
{
    server_redis_tell(&server, "SET " LOG " text");
    ck_assert_int_eq(acquire_status(server.url, 600 * SECOND), EVS_E_STATE);
    check_text("stream");
}
END_TEST

START_TEST(unreachable_ends_with_the_retry_time)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 100});
    server_redis_kill(&server);
    evs_store_redis.close(store);
    ck_assert_int_eq(acquire_status(server.url, SECOND / 5), EVS_E_UNREACHABLE);
    check_text("cannot be reached");
    ck_assert_int_eq(acquire_status(server.tcp_url, SECOND / 5), EVS_E_UNREACHABLE);
    check_text("retries is over");
}
END_TEST

START_TEST(wrong_urls_are_usage)
{
    static const char *const urls[] = {
        "http://x",        "redis://",      "redis://h:0",   "redis://h:70000", "redis://h/x",
        "unix://relative", "unix:///s?x=1", "redis://%zz@h", "rediss://h",      ""};
    for (size_t i = 0; i < EVS_COUNT(urls); i++) {
        void *store = NULL;
        struct evs_store_open open = {.os = evs_os_system(), .url = urls[i], .pipeline = "p", .group = "0"};
        ck_assert_int_eq(evs_store_redis.open(&open, &store, &error), EVS_E_USAGE);
        ck_assert_ptr_null(store);
    }
}
END_TEST

/* --- lost and damaged ------------------------------------------------------------------------------------------------------------- */

START_TEST(lost_tail_is_a_gap)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .outbox = 1, .seed = 1, .block_bytes = 500});
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 2, .block_bytes = 500});
    server_redis_kill(&server);
    long before = server_redis_file_bytes(&server);
    server_redis_restart(&server);
    must_commit(store, (struct oracle_commit){.blocks = 3, .outbox = 1, .seed = 3, .block_bytes = 500});
    server_redis_kill(&server);
    server_redis_cut(&server, server_redis_file_bytes(&server) - before); /* checkpoint 3 never was */
    server_redis_restart(&server);
    evs_status status =
        oracle_commit(&oracle, store, (struct oracle_commit){.blocks = 1, .seed = 4, .block_bytes = 500}, &error);
    ck_assert_int_eq(status, EVS_E_GAP);
    struct evs_store_terms terms = acquire(store);
    ck_assert_uint_eq(terms.checkpoint, 2);
    oracle_accept(&oracle, &terms);
    ck_assert_int_eq(oracle_restore(&oracle, store, &error), EVS_OK);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 5, .block_bytes = 500});
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

START_TEST(deleted_log_is_no_first_start)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 500});
    server_redis_tell(&server, "FLUSHALL");
    ck_assert_int_eq(evs_store_redis.confirm(store, &error), EVS_E_GAP);
    evs_status status =
        oracle_commit(&oracle, store, (struct oracle_commit){.blocks = 1, .seed = 4, .block_bytes = 500}, &error);
    ck_assert_int_eq(status, EVS_E_GAP);
    struct evs_store_terms terms;
    ck_assert_int_eq(evs_store_redis.acquire(store, &terms, &error), EVS_E_STATE);
    check_text("deleted");
    evs_store_redis.close(store);
}
END_TEST

/* Writes the stream again entry by entry, changed by `change`. */
static void rewrite(const char *key, bool (*change)(redisReply *entry, unsigned number))
{
    redisReply *all = server_redis_ask(&server, "XRANGE %s - +", key);
    server_redis_tell(&server, "DEL %s", key);
    for (size_t i = 0; i < all->elements; i++) {
        redisReply *fields = all->element[i]->element[1];
        if (!change(all->element[i], (unsigned)i)) {
            continue;
        }
        const char *arguments[20] = {"XADD", key, all->element[i]->element[0]->str};
        size_t counts[20] = {4, strlen(key), strlen(arguments[2])};
        ck_assert_uint_le(fields->elements + 3, 20);
        for (size_t f = 0; f < fields->elements; f++) {
            arguments[f + 3] = fields->element[f]->str;
            counts[f + 3] = (size_t)fields->element[f]->len;
        }
        redisReply *reply = redisCommandArgv(server.context, (int)fields->elements + 3, arguments, counts);
        ck_assert(reply != NULL && reply->type != REDIS_REPLY_ERROR);
        freeReplyObject(reply);
    }
    freeReplyObject(all);
}

static redisReply *field(redisReply *entry, const char *name)
{
    redisReply *fields = entry->element[1];
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        if (strcmp(fields->element[i]->str, name) == 0) {
            return fields->element[i + 1];
        }
    }
    return NULL;
}

static bool flip_block(redisReply *entry, unsigned number)
{
    redisReply *block = field(entry, "b");
    if (number == 2) {
        ck_assert(block != NULL && block->len > 0);
        block->str[block->len / 2] ^= 1;
    }
    return true;
}

static bool flip_block_and_checksum(redisReply *entry, unsigned number)
{
    if (number == 2) {
        flip_block(entry, number);
        redisReply *block = field(entry, "b"), *crc = field(entry, "c");
        snprintf(crc->str, (size_t)crc->len + 1, "%08x", evs_crc32c(0, block->str, (size_t)block->len));
    }
    return true;
}

static bool drop_block(redisReply *entry, unsigned number)
{
    (void)entry;
    return number != 2;
}

static bool drop_last_block(redisReply *entry, unsigned number)
{
    (void)entry;
    return number != 4;
}

static bool change_owner(redisReply *entry, unsigned number)
{
    if (number == 2) {
        redisReply *owner = field(entry, "o");
        owner->str[0] = owner->str[0] == '0' ? '1' : '0';
    }
    return true;
}

static bool drop_first_commit(redisReply *entry, unsigned number)
{
    return !(field(entry, "t")->str[0] == 'C' && number < 6);
}

static bool flip_header(redisReply *entry, unsigned number)
{
    redisReply *header = field(entry, "h");
    if (header != NULL && number < 6) {
        header->str[10] ^= 1;
    }
    return true;
}

static bool flip_record(redisReply *entry, unsigned number)
{
    (void)number;
    redisReply *record = field(entry, "r");
    if (record != NULL) {
        record->str[0] ^= 1;
    }
    return true;
}

static const struct {
    const char *key;
    bool (*change)(redisReply *entry, unsigned number);
    const char *text;
    bool at_acquire;
} damages[] = {
    {LOG, flip_block, "is not the block that checkpoint 1 wrote", false},
    {LOG, flip_block_and_checksum, "do not have its checksum", false},
    {LOG, drop_block, "lacks the block", false},
    {LOG, drop_last_block, "lacks the block", false},
    {LOG, change_owner, "is not the block", false},
    {LOG, drop_first_commit, "is missing", false},
    {LOG, flip_header, "does not decode", false},
    {LOG, flip_record, "the record of checkpoint 2", true},
    {OB, flip_block, "is not the block that checkpoint 1 wrote", false},
    {OB, drop_block, "lacks the block", false},
};

static evs_status take_anything(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                                struct evs_error *e)
{
    (void)argument;
    (void)kind;
    (void)checkpoint;
    (void)block;
    (void)e;
    return EVS_OK;
}

/* log: F B B B B C B B C; ob: B B B B B B */
START_TEST(damage_is_refused)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 4, .outbox = 4, .seed = 7, .block_bytes = 500});
    must_commit(store, (struct oracle_commit){.blocks = 2, .outbox = 2, .seed = 8, .block_bytes = 500});
    evs_store_redis.close(store);
    rewrite(damages[_i].key, damages[_i].change);
    store = open_at(server.url, SECOND);
    struct evs_store_terms terms;
    evs_status status = evs_store_redis.acquire(store, &terms, &error);
    ck_assert_int_eq(status, damages[_i].at_acquire ? EVS_E_STATE : EVS_OK);
    if (status == EVS_OK) {
        status = evs_store_redis.restore(store, take_anything, NULL, &error);
    }
    ck_assert_int_eq(status, EVS_E_STATE);
    check_text(damages[_i].text);
    check_text("backup");
    evs_store_redis.close(store);
}
END_TEST

static evs_status take_nothing(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                               struct evs_error *e)
{
    (void)argument;
    (void)kind;
    (void)checkpoint;
    (void)block;
    return evs_fail(e, EVS_E_CORRUPT, "no taste");
}

START_TEST(refusal_of_the_taker_ends_the_restore)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 4, .seed = 7, .block_bytes = 500});
    ck_assert_int_eq(evs_store_redis.restore(store, take_nothing, NULL, &error), EVS_E_CORRUPT);
    check_text("no taste");
    evs_store_redis.close(store);
}
END_TEST

/* --- all ---------------------------------------------------------------------------------------------------------------------------- */

static void add_peace(Suite *suite)
{
    TCase *peace = tcase_create("peace");
    tcase_add_checked_fixture(peace, set_up, tear_down);
    tcase_add_test(peace, first_start_has_no_commit);
    tcase_add_test(peace, commits_come_back);
    tcase_add_test(peace, tcp_database_and_password);
    tcase_add_test(peace, snapshot_replaces_and_trims);
    tcase_add_test(peace, log_of_empty_commits_stays_small);
    tcase_add_test(peace, long_chain_over_many_terms);
    tcase_add_test(peace, groups_and_pipelines_are_apart);
    tcase_add_test(peace, durability_is_told);
    tcase_add_test(peace, documented_access_rules_suffice);
    tcase_add_test(peace, second_owner_fences_the_first);
    tcase_add_test(peace, wrong_urls_are_usage);
    suite_add_tcase(suite, peace);
}

static void add_faults(Suite *suite)
{
    TCase *faults = tcase_create("faults");
    tcase_add_checked_fixture(faults, set_up, tear_down);
    tcase_set_timeout(faults, 60);
    tcase_add_test(faults, take_over_between_staging_and_commit);
    tcase_add_test(faults, connection_cut_at_each_request);
    tcase_add_test(faults, each_reply_lost);
    tcase_add_test(faults, server_killed_at_each_request);
    tcase_add_test(faults, function_lost_at_each_request);
    tcase_add_test(faults, reply_of_an_empty_commit_lost);
    tcase_add_test(faults, one_block_refused_between_two_accepted_ones);
    tcase_add_test(faults, memory_short_then_raised);
    tcase_add_test(faults, too_few_replicas_then_enough);
    tcase_add_test(faults, replica_then_promoted);
    tcase_add_test(faults, loading_is_waited_for);
    suite_add_tcase(suite, faults);
}

static void add_refusals(Suite *suite)
{
    TCase *refusals = tcase_create("refusals");
    tcase_add_checked_fixture(refusals, set_up, tear_down);
    tcase_add_test(refusals, wrong_password_is_final_and_not_told);
    tcase_add_test(refusals, eviction_is_refused);
    tcase_add_test(refusals, replica_is_refused);
    tcase_add_test(refusals, missing_permission_is_told);
    tcase_add_test(refusals, other_key_in_the_way);
    tcase_add_test(refusals, unreachable_ends_with_the_retry_time);
    tcase_add_test(refusals, lost_tail_is_a_gap);
    tcase_add_test(refusals, deleted_log_is_no_first_start);
    tcase_add_loop_test(refusals, damage_is_refused, 0, EVS_COUNT(damages));
    tcase_add_test(refusals, refusal_of_the_taker_ends_the_restore);
    suite_add_tcase(suite, refusals);
}

int main(void)
{
    if (!server_redis_is_installed()) {
        puts("SKIP store_redis: redis-server is not installed");
        return 77;
    }
    Suite *suite = suite_create("store_redis");
    add_peace(suite);
    add_faults(suite);
    add_refusals(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
