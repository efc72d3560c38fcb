/* The bucket on a real nats-server: what is written is there after a kill, of two writers one wins, and what nats-server's own tools make is the same. */
#include "nats_bucket.h"
#include "option_values.h"
#include "server_nats.h"
#include "source_nats.h"
#include "unit.h"

static struct server_nats server;
static struct evs_arena arena;

static void start_server(void)
{
    server_nats_start(&server, NULL, NULL);
}

static struct evs_log *logged;

static void end_server(void)
{
    server_nats_end(&server);
    evs_arena_fini(&arena);
    evs_log_free(logged);
    logged = NULL;
}

static struct evs_bucket_open how(const char *name)
{
    struct evs_option_value values[OPTION_VALUES_MAX];
    struct evs_error error = {0};
    const void *config = NULL;
    option_values(evs_source_nats.options, (const char *const[]){"stream=CLICKS", NULL}, values);
    ck_assert_msg(evs_source_nats.configure(values, &arena, &config, &error) == EVS_OK, "%s", error.text);
    logged = logged != NULL ? logged : evs_log_new(evs_os_system(), EVS_LOG_ERROR, false);
    return (struct evs_bucket_open){.os = evs_os_system(),
                                    .log = logged,
                                    .name = name,
                                    .source_config = config,
                                    .nats_url = server.url,
                                    .timeout_us = 2000000};
}

static void *open_bucket(const char *name)
{
    struct evs_bucket_open open = how(name);
    struct evs_error error = {0};
    void *bucket = NULL;
    ck_assert_msg(evs_nats_bucket.open(&open, &bucket, &error) == EVS_OK, "%s", error.text);
    return bucket;
}

/* The value of a key, and its revision. */
static const char *get(void *bucket, const char *key, uint64_t *revision)
{
    static struct evs_buffer value;
    struct evs_error error = {0};
    *revision = 99;
    evs_status status = evs_nats_bucket.read(bucket, key, &value, revision, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    evs_buffer_put(&value, "", 1);
    return value.data;
}

static evs_status put(void *bucket, const char *key, const char *value, uint64_t expected, uint64_t *revision)
{
    struct evs_error error = {0};
    return evs_nats_bucket.write(bucket, key, evs_slice_of(value), expected, revision, &error);
}

START_TEST(test_values)
{
    void *a = open_bucket("evstream"), *b = open_bucket("evstream");
    uint64_t revision = 0, other = 0, found = 0;
    ck_assert_str_eq(get(a, "lease.cart.0", &found), "");
    ck_assert_uint_eq(found, 0);
    ck_assert_int_eq(put(a, "lease.cart.0", "one\n", 0, &revision), EVS_OK);
    ck_assert_uint_gt(revision, 0);
    other = 77;
    ck_assert_int_eq(put(b, "lease.cart.0", "two\n", 0, &other), EVS_AGAIN);
    ck_assert_uint_eq(other, 77);
    ck_assert_int_eq(put(b, "lease.cart.0", "two\n", revision, &other), EVS_OK);
    ck_assert_uint_gt(other, revision);
    ck_assert_int_eq(put(a, "lease.cart.0", "three\n", revision, &revision), EVS_AGAIN);
    ck_assert_str_eq(get(a, "lease.cart.0", &found), "two\n");
    ck_assert_uint_eq(found, other);
    /* Another key is another matter. */
    ck_assert_int_eq(put(a, "marker.cart=20x.0", "here", 0, &revision), EVS_OK);
    ck_assert_str_eq(get(b, "marker.cart=20x.0", &found), "here");
    evs_nats_bucket.close(a);
    evs_nats_bucket.close(b);
}
END_TEST

/* The answer to a write was lost, and the write is tried again: it has succeeded. */
START_TEST(test_own_value_is_there)
{
    void *bucket = open_bucket("evstream");
    uint64_t first = 0, again = 0;
    ck_assert_int_eq(put(bucket, "k", "mine 1", 0, &first), EVS_OK);
    ck_assert_int_eq(put(bucket, "k", "mine 1", 0, &again), EVS_OK);
    ck_assert_uint_eq(first, again);
    evs_nats_bucket.close(bucket);
}
END_TEST

START_TEST(test_survives_a_kill)
{
    void *bucket = open_bucket("evstream");
    uint64_t revision = 0, found = 0;
    ck_assert_int_eq(put(bucket, "k", "kept", 0, &revision), EVS_OK);
    server_nats_kill(&server);
    struct evs_error error = {0};
    struct evs_buffer value = {0};
    ck_assert_int_eq(evs_nats_bucket.read(bucket, "k", &value, &found, &error), EVS_E_UNREACHABLE);
    server_nats_restart(&server);
    while (evs_nats_bucket.read(bucket, "k", &value, &found, &error) == EVS_E_UNREACHABLE) {
    }
    ck_assert_str_eq(get(bucket, "k", &found), "kept");
    ck_assert_uint_eq(found, revision);
    ck_assert_int_eq(put(bucket, "k", "newer", found, &revision), EVS_OK);
    ck_assert_uint_gt(revision, found);
    evs_buffer_fini(&value);
    evs_nats_bucket.close(bucket);
}
END_TEST

START_TEST(test_deleted_under_us)
{
    void *bucket = open_bucket("evstream");
    uint64_t revision = 0, found = 0;
    ck_assert_int_eq(put(bucket, "k", "first", 0, &revision), EVS_OK);
    server_nats_delete(&server, "KV_evstream");
    ck_assert_str_eq(get(bucket, "k", &found), "");
    ck_assert_uint_eq(found, 0);
    server_nats_delete(&server, "KV_evstream");
    ck_assert_int_eq(put(bucket, "k", "second", 0, &revision), EVS_OK);
    ck_assert_str_eq(get(bucket, "k", &found), "second");
    evs_nats_bucket.close(bucket);
}
END_TEST

/* One that the client library has made is used, and the library reads ours. */
START_TEST(test_is_a_key_value_bucket)
{
    void *bucket = open_bucket("evstream");
    uint64_t revision = 0, found = 0;
    kvStore *store = NULL;
    kvEntry *entry = NULL;
    ck_assert_int_eq(put(bucket, "lease.cart.0", "by us", 0, &revision), EVS_OK);
    ck_assert_int_eq(js_KeyValue(&store, server.js, "evstream"), NATS_OK);
    ck_assert_int_eq(kvStore_Get(&entry, store, "lease.cart.0"), NATS_OK);
    ck_assert_str_eq(kvEntry_ValueString(entry), "by us");
    ck_assert_uint_eq(kvEntry_Revision(entry), revision);
    kvEntry_Destroy(entry);
    ck_assert_int_eq(kvStore_PutString(NULL, store, "lease.cart.0", "by hand"), NATS_OK);
    ck_assert_str_eq(get(bucket, "lease.cart.0", &found), "by hand");
    ck_assert_int_eq(kvStore_Delete(store, "lease.cart.0"), NATS_OK);
    ck_assert_str_eq(get(bucket, "lease.cart.0", &found), "");
    ck_assert_uint_gt(found, revision);
    kvStore_Destroy(store);
    evs_nats_bucket.close(bucket);
}
END_TEST

START_TEST(test_refused)
{
    kvConfig config;
    kvStore *store = NULL;
    kvConfig_Init(&config);
    config.Bucket = "fast";
    config.StorageType = js_MemoryStorage;
    ck_assert_int_eq(js_CreateKeyValue(&store, server.js, &config), NATS_OK);
    kvStore_Destroy(store);
    struct evs_bucket_open open = how("fast");
    struct evs_error error = {0};
    void *bucket = NULL;
    ck_assert_int_eq(evs_nats_bucket.open(&open, &bucket, &error), EVS_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.text, "kept in memory"));
    open = how("no such.name");
    ck_assert_int_eq(evs_nats_bucket.open(&open, &bucket, &error), EVS_E_USAGE);
}
END_TEST

int main(void)
{
    if (!server_nats_is_installed()) {
        printf("skipped: nats-server is not installed\n");
        return 77;
    }
    Suite *suite = suite_create("nats_bucket");
    TCase *tests = tcase_create("bucket");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, start_server, end_server);
    tcase_add_test(tests, test_values);
    tcase_add_test(tests, test_own_value_is_there);
    tcase_add_test(tests, test_survives_a_kill);
    tcase_add_test(tests, test_deleted_under_us);
    tcase_add_test(tests, test_is_a_key_value_bucket);
    tcase_add_test(tests, test_refused);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
