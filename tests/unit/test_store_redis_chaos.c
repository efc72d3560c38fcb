/* The Redis store under random faults: an engine commits without a pause while its server is killed, robbed of the
 * end of its file, of its functions and its connections, and while the engine itself is replaced. After every
 * restore, exactly the oracle's blocks must come.
 *
 * The faults are a fixed number from one seed (EVS_CHAOS_SEED; printed), not a fixed time. What meets what is up to
 * the machine. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "evstream/os.h"
#include "server_redis.h"
#include "store_oracle.h"
#include "store_redis.h"

#define FAULTS 40
#define SECOND INT64_C(1000000)

static struct server_redis server;
static struct oracle oracle;
static struct evs_error error;

struct chaos {
    uint64_t state; /* of the random numbers of the fault thread */
    bool cuts;      /* the end of the file is lost, too */
    _Atomic uint64_t commits;
    _Atomic unsigned robbed; /* how often something confirmed may have been lost */
    _Atomic bool over;
    unsigned gaps, owners; /* what the engine has met */
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* --- the faults --------------------------------------------------------------------------------------------------- */

/* The engine must have committed something between two faults, or they would all hit the same commit. */
static void wait_for_commits(struct chaos *chaos, uint64_t more)
{
    struct timespec pause = {.tv_nsec = 500000};
    uint64_t goal = chaos->commits + more;
    while (chaos->commits < goal) {
        nanosleep(&pause, NULL);
    }
}

static void crash_server(struct chaos *chaos)
{
    server_redis_kill(&server);
    bool cut = chaos->cuts && next_random(&chaos->state) % 2 == 0 && server_redis_file_bytes(&server) > 400000;
    if (cut) {
        chaos->robbed++;
        server_redis_cut(&server, 1 + (long)(next_random(&chaos->state) % 60000));
    }
    server_redis_restart(&server);
}

static void make_fault(struct chaos *chaos)
{
    redisReply *reply = NULL;
    switch (next_random(&chaos->state) % 8) {
    case 0:
        reply = server_redis_try(&server, "FUNCTION FLUSH");
        break;
    case 1:
        reply = server_redis_try(&server, "CLIENT KILL TYPE normal SKIPME yes");
        break;
    case 2: /* memory is short until the next fault */
        reply = server_redis_try(&server, "CONFIG SET maxmemory 1");
        ck_assert_ptr_nonnull(reply);
        freeReplyObject(reply);
        struct timespec pause = {.tv_nsec = (long)(next_random(&chaos->state) % 30000000)};
        nanosleep(&pause, NULL);
        reply = server_redis_try(&server, "CONFIG SET maxmemory 0");
        break;
    default:
        crash_server(chaos);
        return;
    }
    ck_assert_ptr_nonnull(reply);
    freeReplyObject(reply);
}

static void *make_faults(void *argument)
{
    struct chaos *chaos = argument;
    for (unsigned i = 0; i < FAULTS; i++) {
        wait_for_commits(chaos, next_random(&chaos->state) % 12);
        make_fault(chaos);
    }
    wait_for_commits(chaos, 3);
    chaos->over = true;
    return NULL;
}

/* --- the engine --------------------------------------------------------------------------------------------------- */

static void *open_store(void)
{
    void *store = NULL;
    struct evs_store_open open = {
        .os = evs_os_system(), .url = server.url, .pipeline = "chaos", .group = "0", .retry_us = 60 * SECOND};
    ck_assert_int_eq(evs_store_redis.open(&open, &store, &error), EVS_OK);
    return store;
}

/* Acquires and restores. The server may be robbed meanwhile, then once more. */
static void come_back(void *store, struct chaos *chaos, unsigned robbed_before)
{
    evs_status status;
    do {
        struct evs_store_terms terms;
        uint64_t last = oracle.last;
        unsigned robbed = chaos->robbed;
        status = evs_store_redis.acquire(store, &terms, &error);
        ck_assert_msg(status == EVS_OK, "%s", error.text);
        oracle_accept(&oracle, &terms);
        ck_assert_msg(oracle.last == last || chaos->robbed != robbed_before,
                      "checkpoints %llu to %llu are lost without a reason", (unsigned long long)oracle.last + 1,
                      (unsigned long long)last);
        status = oracle_restore(&oracle, store, &error);
        ck_assert_msg(status == EVS_OK || (status == EVS_E_GAP && chaos->robbed != robbed), "%s", error.text);
    } while (status != EVS_OK);
}

static struct oracle_commit make_shape(uint64_t *random)
{
    uint64_t x = next_random(random);
    return (struct oracle_commit){.blocks = x % 5 == 0 ? 0 : (uint32_t)(x >> 8) % 30,
                                  .outbox = (x >> 16) % 3 == 0 ? (uint32_t)(x >> 20) % 4 : 0,
                                  .snapshot_starts = (x >> 24) % 17 == 0,
                                  .state_keeps = (x >> 40) % 3 == 0 ? 1 + (uint32_t)(x >> 44) % 9 : 0,
                                  .outbox_restart = (x >> 32) % 13 == 0,
                                  .seed = x,
                                  .block_bytes = (x >> 40) % 9 == 0 ? EVS_BLOCK_BYTES : 3000};
}

/* Another engine takes over; the old one wakes up afterwards and must achieve nothing. */
static void *replace_engine(void *store, struct chaos *chaos, unsigned robbed)
{
    void *next = open_store();
    struct oracle nothing = oracle; /* what the old one believes */
    come_back(next, chaos, robbed);
    struct oracle_commit shape = {.blocks = 3, .outbox = 1, .seed = 1, .block_bytes = 100};
    evs_status status = oracle_commit(&nothing, store, shape, &error);
    ck_assert_msg(status == EVS_E_FENCED || (status == EVS_E_GAP && chaos->robbed > 0), "%d %s", status, error.text);
    evs_store_redis.close(store);
    return next;
}

static void run_engine(struct chaos *chaos, uint64_t *random)
{
    void *store = open_store();
    unsigned robbed = 0; /* as of the last time when nothing was missing */
    come_back(store, chaos, robbed);
    while (!chaos->over && oracle.last + 1 < ORACLE_COMMITS_MAX) {
        unsigned before = chaos->robbed;
        evs_status status = oracle_commit(&oracle, store, make_shape(random), &error);
        ck_assert_msg(status == EVS_OK || status == EVS_E_GAP, "%d %s", status, error.text);
        if (status == EVS_E_GAP) {
            come_back(store, chaos, robbed);
            chaos->gaps++;
        } else if (next_random(random) % 40 == 0) {
            store = replace_engine(store, chaos, robbed);
            chaos->owners++;
        }
        robbed = status == EVS_OK ? robbed : before;
        chaos->commits++;
    }
    ck_assert_msg(chaos->over, "the faults take longer than %d commits", ORACLE_COMMITS_MAX);
    void *last = open_store();
    come_back(last, chaos, robbed);
    evs_store_redis.close(store);
    evs_store_redis.close(last);
}

static uint64_t choose_seed(void)
{
    const char *text = getenv("EVS_CHAOS_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("EVS_CHAOS_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed * 2 + 1;
}

static void run_chaos(bool cuts)
{
    /* With `no` every confirmed write is with the kernel: a kill alone loses nothing, and the test may be strict.
     * Rewrites are off: a server refuses to start when the file is torn that a rewrite had just closed. */
    server_redis_start(&server, (const char *[]){"--appendfsync", "no", "--auto-aof-rewrite-percentage", "0", NULL});
    uint64_t seed = choose_seed();
    struct chaos chaos = {.state = seed, .cuts = cuts};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, make_faults, &chaos), 0);
    uint64_t random = seed ^ 0x9E3779B97F4A7C15u;
    run_engine(&chaos, &random);
    pthread_join(thread, NULL);
    printf("%llu commits, %u gaps, %u new owners, %u tails cut\n", (unsigned long long)chaos.commits, chaos.gaps,
           chaos.owners, chaos.robbed);
    fflush(stdout);
    ck_assert_uint_gt(oracle.last, 0);
    ck_assert(cuts ? chaos.robbed > 0 : chaos.gaps == 0);
    server_redis_stop(&server);
}

START_TEST(kills_lose_nothing)
{
    run_chaos(false);
}
END_TEST

START_TEST(lost_tails_lose_whole_checkpoints)
{
    run_chaos(true);
}
END_TEST

int main(void)
{
    if (!server_redis_is_installed()) {
        puts("SKIP store_redis_chaos: redis-server is not installed");
        return 77;
    }
    Suite *suite = suite_create("store_redis_chaos");
    TCase *cases = tcase_create("chaos");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, kills_lose_nothing);
    tcase_add_test(cases, lost_tails_lose_whole_checkpoints);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
