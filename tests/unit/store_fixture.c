#include "store_fixture.h"

#include <check.h>

#include "store_redis.h"

struct server_redis server;
struct oracle oracle;
struct evs_error error;

void set_up(void)
{
    server_redis_start(&server, NULL);
    memset(&oracle, 0, sizeof oracle);
}

void set_up_strict(void)
{
    server_redis_start(&server, (const char *[]){"--appendfsync", "no", NULL});
    memset(&oracle, 0, sizeof oracle);
}

void tear_down(void)
{
    server_redis_stop(&server);
}

void *open_at(const char *url, int64_t retry_us)
{
    void *store = NULL;
    struct evs_store_open open = {
        .os = evs_os_system(), .url = url, .pipeline = "clicks", .group = "0", .retry_us = retry_us};
    evs_status status = evs_store_redis.open(&open, &store, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    return store;
}

struct evs_store_terms acquire(void *store)
{
    struct evs_store_terms terms;
    evs_status status = evs_store_redis.acquire(store, &terms, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    return terms;
}

void *open_and_acquire(const char *url)
{
    void *store = open_at(url, 20 * SECOND);
    oracle_accept(&oracle, &(struct evs_store_terms){0}); /* a first start */
    acquire(store);
    return store;
}

void must_commit(void *store, struct oracle_commit shape)
{
    evs_status status = oracle_commit(&oracle, store, shape, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
}

void *check_restore(const char *url)
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

void check_text(const char *part)
{
    ck_assert_msg(strstr(error.text, part) != NULL, "\"%s\" does not say \"%s\"", error.text, part);
}
