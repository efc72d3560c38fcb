/* The connectors of looked-up tables against real servers: what a fetch brings, what follows an update, what a lost server does to it, and what is
 * refused when a table is declared. */
#include <unistd.h>

#include "option_values.h"
#include "server_nats.h"
#include "server_redis.h"
#include "tables.h"
#include "unit.h"
#include "value_map.h"

static struct evs_arena arena;

/* --- a table -------------------------------------------------------------------------------------------------------------------------- */

static const char *paths[4][2] = {{"user_id"}, {"email"}, {"n"}, {"deep", "er"}};
static struct evs_decode_column columns[4] = {
    {.name = "user_id", .path = paths[0], .path_count = 1, .kind = EVS_STRING},
    {.name = "email", .path = paths[1], .path_count = 1, .kind = EVS_STRING},
    {.name = "n", .path = paths[2], .path_count = 1, .kind = EVS_INT64},
    {.name = "deep", .path = paths[3], .path_count = 2, .kind = EVS_INT64},
};
static const uint32_t keys[1] = {0};

static evs_status configure(const struct evs_lookup *connector, const char *const *said, uint32_t column_count,
                            const void **config, struct evs_error *error)
{
    struct evs_option_value values[OPTION_VALUES_MAX];
    struct evs_lookup_columns about = {columns, column_count, keys, 1};
    option_values(connector->options, said, values);
    return connector->configure(values, &about, &arena, config, error);
}

static void *open_table(const struct evs_lookup *connector, const char *const *said, uint32_t column_count,
                        const char *url)
{
    struct evs_error error = {0};
    const void *config = NULL;
    void *instance = NULL;
    ck_assert_msg(configure(connector, said, column_count, &config, &error) == EVS_OK, "%s", error.text);
    struct evs_lookup_open open = {.os = evs_os_system(),
                                   .pipeline = "test",
                                   .name = "table",
                                   .config = config,
                                   .redis_url = url,
                                   .nats_url = url};
    ck_assert_msg(connector->open(&open, &instance, &error) == EVS_OK, "%s", error.text);
    return instance;
}

/* Fetches keys separated by spaces; the values, one behind another, "-" for a key that is not there. NULL: the server is away. */
static const char *fetch(const struct evs_lookup *connector, void *instance, const char *wanted)
{
    static struct evs_buffer json, text;
    struct evs_slice keys_of[2000];
    struct evs_lookup_value values[2000] = {0};
    struct evs_error error = {0};
    uint32_t count = 0;
    char *copy = evs_strdup(wanted), *at = copy, *key;
    while ((key = strsep(&at, " ")) != NULL) {
        keys_of[count++] = evs_slice_of(key);
    }
    struct evs_lookup_fetch fetch = {keys_of, count, values, &json};
    json.count = text.count = 0;
    evs_status status = connector->fetch(instance, &fetch, &error);
    ck_assert_msg(status == EVS_OK || status == EVS_E_UNREACHABLE, "%s", error.text);
    for (uint32_t i = 0; status == EVS_OK && i < count; i++) {
        evs_buffer_printf(&text, "%s%.*s", i > 0 ? " " : "", values[i].is_there ? (int)values[i].bytes : 1,
                          values[i].is_there ? json.data + values[i].offset : "-");
    }
    evs_buffer_put(&text, "", 1);
    evs_free(copy);
    return status == EVS_OK ? text.data : NULL;
}

/* Asks until the answer is the expected one: for what another process does in its own time. */
static void await(const struct evs_lookup *connector, void *instance, const char *wanted, const char *expected)
{
    const struct evs_os *os = evs_os_system();
    int64_t deadline_us = evs_monotonic_us(os) + 30000000;
    const char *found = fetch(connector, instance, wanted);
    while ((found == NULL || strcmp(found, expected) != 0) && evs_monotonic_us(os) < deadline_us) {
        os->clock.sleep_us(os->clock.self, 5000);
        found = fetch(connector, instance, wanted);
    }
    ck_assert_msg(found != NULL && strcmp(found, expected) == 0, "found %s, expected %s", found, expected);
}

/* --- Redis ------------------------------------------------------------------------------------------------------------------------------ */

START_TEST(test_redis_hashes)
{
    struct server_redis server;
    server_redis_start(&server, NULL);
    server_redis_tell(&server, "HSET u:ann email %b n 5 other 1", "a\"\\\n", (size_t)4);
    server_redis_tell(&server, "HSET u:bob n 7");
    server_redis_tell(&server, "HSET u:cy other 1"); /* none of our fields: as if it were not there */
    server_redis_tell(&server, "SET u:dee text");
    void *table = open_table(&evs_table_redis, (const char *const[]){"key=u:{user_id}", NULL}, 3, server.tcp_url);
    ck_assert_str_eq(fetch(&evs_table_redis, table, "u:ann u:bob u:cy u:none"),
                     "{\"email\":\"a\\\"\\\\\\u000a\",\"n\":\"5\"} {\"n\":\"7\"} - -");
    ck_assert_str_eq(fetch(&evs_table_redis, table, "u:dee u:bob"), "\"a value of another type\" {\"n\":\"7\"}");
    evs_table_redis.close(table);
    server_redis_stop(&server);
}
END_TEST

START_TEST(test_redis_strings)
{
    struct server_redis server;
    server_redis_start(&server, NULL);
    server_redis_tell(&server, "SET a plain");
    server_redis_tell(&server, "SET b %s", "{\n\"n\": 1}");
    const char *const text[] = {"key={user_id}", "value=string", NULL}, *const json[] = {"key={user_id}", "value=json",
                                                                                         NULL};
    void *table = open_table(&evs_table_redis, text, 2, server.url);
    ck_assert_str_eq(fetch(&evs_table_redis, table, "a none"), "{\"email\":\"plain\"} -");
    evs_table_redis.close(table);
    table = open_table(&evs_table_redis, json, 4, server.url);
    ck_assert_str_eq(fetch(&evs_table_redis, table, "b none"), "{ \"n\": 1} -");
    evs_table_redis.close(table);
    server_redis_stop(&server);
}
END_TEST

/* Away, back, away while connected; the connector says so and goes on. */
START_TEST(test_redis_away)
{
    struct server_redis server;
    server_redis_start(&server, (const char *const[]){"--appendfsync", "always", NULL});
    server_redis_tell(&server, "HSET u n 1");
    server_redis_kill(&server);
    void *table = open_table(&evs_table_redis, (const char *const[]){"key={user_id}", NULL}, 3, server.tcp_url);
    ck_assert_ptr_null(fetch(&evs_table_redis, table, "u"));
    server_redis_restart(&server);
    await(&evs_table_redis, table, "u", "{\"n\":\"1\"}");
    server_redis_kill(&server);
    ck_assert_ptr_null(fetch(&evs_table_redis, table, "u"));
    server_redis_restart(&server);
    await(&evs_table_redis, table, "u", "{\"n\":\"1\"}");
    evs_table_redis.close(table);
    server_redis_stop(&server);
}
END_TEST

/* More than a window of commands, in one fetch. */
START_TEST(test_redis_many)
{
    struct server_redis server;
    struct evs_buffer wanted = {0}, expected = {0};
    static char key[3000];
    server_redis_start(&server, NULL);
    memset(key, 'k', sizeof key - 10);
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(key + 2900, 50, "%u", i);
        if (i % 2 == 0) {
            server_redis_tell(&server, "HSET %s n %u", key, i);
        }
        evs_buffer_printf(&wanted, "%s%s", i > 0 ? " " : "", key);
        evs_buffer_printf(&expected, i % 2 == 0 ? "%s{\"n\":\"%u\"}" : "%s-", i > 0 ? " " : "", i);
    }
    evs_buffer_put(&wanted, "", 1);
    evs_buffer_put(&expected, "", 1);
    void *table = open_table(&evs_table_redis, (const char *const[]){"key={user_id}", NULL}, 3, server.tcp_url);
    ck_assert_str_eq(fetch(&evs_table_redis, table, wanted.data), expected.data);
    evs_table_redis.close(table);
    evs_buffer_fini(&wanted);
    evs_buffer_fini(&expected);
    server_redis_stop(&server);
}
END_TEST

START_TEST(test_refused)
{
    struct evs_error error;
    const void *config;
    const char *const hash[] = {"key=k", NULL}, *const string[] = {"key=k", "value=string", NULL};
    const char *const url[] = {"key=k", "url=http://user:secret@host", NULL};
    ck_assert_int_ne(configure(&evs_table_redis, hash, 4, &config, &error), EVS_OK);
    ck_assert_ptr_nonnull(strstr(error.text, "deep"));
    ck_assert_int_ne(configure(&evs_table_redis, hash, 1, &config, &error), EVS_OK);
    ck_assert_int_ne(configure(&evs_table_redis, string, 3, &config, &error), EVS_OK);
    ck_assert_ptr_nonnull(strstr(error.text, "exactly one column"));
    ck_assert_int_ne(configure(&evs_table_redis, url, 3, &config, &error), EVS_OK);
    ck_assert_ptr_null(strstr(error.text, "secret"));
}
END_TEST

/* --- NATS -------------------------------------------------------------------------------------------------------------------------------- */

static void put(kvStore *store, const char *key, const char *value)
{
    ck_assert_int_eq(kvStore_PutString(NULL, store, key, value), NATS_OK);
}

static kvStore *make_bucket(struct server_nats *server)
{
    kvStore *store = NULL;
    kvConfig config;
    kvConfig_Init(&config);
    config.Bucket = "prices";
    config.History = 3;
    ck_assert_int_eq(js_CreateKeyValue(&store, server->js, &config), NATS_OK);
    return store;
}

START_TEST(test_kv)
{
    struct server_nats server;
    const char *const said[] = {"bucket=prices", "key={user_id}", NULL};
    server_nats_start(&server, NULL, NULL);
    kvStore *store = make_bucket(&server);
    put(store, "a", "{\"n\":1}");
    put(store, "a", "{\"n\":\n2}");
    put(store, "gone", "{}");
    ck_assert_int_eq(kvStore_Delete(store, "gone"), NATS_OK);
    void *table = open_table(&evs_table_nats_kv, said, 3, server.url);
    ck_assert_str_eq(fetch(&evs_table_nats_kv, table, "a gone none"), "{\"n\": 2} - -");
    put(store, "b", "{\"n\":3}");
    await(&evs_table_nats_kv, table, "a b", "{\"n\": 2} {\"n\":3}");
    put(store, "a", "{\"n\":4}");
    ck_assert_int_eq(kvStore_Delete(store, "b"), NATS_OK);
    await(&evs_table_nats_kv, table, "a b", "{\"n\":4} -");
    ck_assert_int_eq(kvStore_Purge(store, "a", NULL), NATS_OK);
    await(&evs_table_nats_kv, table, "a", "-");
    for (uint32_t i = 0; i < 5000; i++) { /* while nobody asks: they are taken all the same */
        char key[16];
        snprintf(key, sizeof key, "k%u", i);
        put(store, key, "{\"n\":9}");
        evs_table_nats_kv.tend(table);
    }
    await(&evs_table_nats_kv, table, "k0 k4999", "{\"n\":9} {\"n\":9}");
    evs_table_nats_kv.close(table);
    kvStore_Destroy(store);
    server_nats_end(&server);
}
END_TEST

/* What is deleted while the server is away from us is not there afterwards. */
START_TEST(test_kv_away)
{
    struct server_nats server;
    const char *const said[] = {"bucket=prices", "key={user_id}", NULL};
    server_nats_start(&server, NULL, NULL);
    kvStore *store = make_bucket(&server);
    put(store, "a", "{\"n\":1}");
    put(store, "b", "{\"n\":2}");
    void *table = open_table(&evs_table_nats_kv, said, 3, server.url);
    ck_assert_str_eq(fetch(&evs_table_nats_kv, table, "a b"), "{\"n\":1} {\"n\":2}");
    kvStore_Destroy(store);
    server_nats_stop(&server);
    const struct evs_os *os = evs_os_system();
    int64_t deadline_us = evs_monotonic_us(os) + 30000000;
    while (fetch(&evs_table_nats_kv, table, "a") != NULL && evs_monotonic_us(os) < deadline_us) {
    }
    ck_assert_ptr_null(fetch(&evs_table_nats_kv, table, "a"));
    server_nats_restart(&server);
    ck_assert_int_eq(js_KeyValue(&store, server.js, "prices"), NATS_OK);
    ck_assert_int_eq(kvStore_Delete(store, "b"), NATS_OK);
    await(&evs_table_nats_kv, table, "a b", "{\"n\":1} -");
    evs_table_nats_kv.close(table);
    kvStore_Destroy(store);
    server_nats_end(&server);
}
END_TEST

START_TEST(test_kv_missing)
{
    struct server_nats server;
    const char *const said[] = {"bucket=nothing", "key={user_id}", NULL};
    server_nats_start(&server, NULL, NULL);
    void *table = open_table(&evs_table_nats_kv, said, 3, server.url);
    struct evs_slice key[1] = {EVS_SLICE("a")};
    struct evs_lookup_value value[1];
    struct evs_buffer json = {0};
    struct evs_lookup_fetch one = {key, 1, value, &json};
    struct evs_error error;
    ck_assert_int_eq(evs_table_nats_kv.fetch(table, &one, &error), EVS_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.text, "nothing"));
    evs_table_nats_kv.close(table);
    server_nats_end(&server);
}
END_TEST

/* --- a file -------------------------------------------------------------------------------------------------------------------------------- */

static evs_status open_file(const char *text, struct evs_error *error)
{
    char path[] = "/tmp/evs-table-XXXXXX", said[64];
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    snprintf(said, sizeof said, "path=%s", path);
    const void *config = NULL;
    void *instance = NULL;
    ck_assert_int_eq(configure(&evs_table_file, (const char *const[]){said, NULL}, 3, &config, error), EVS_OK);
    struct evs_lookup_open open = {.os = evs_os_system(), .pipeline = "test", .name = "table", .config = config};
    evs_status status = evs_table_file.open(&open, &instance, error);
    if (status == EVS_OK) {
        evs_table_file.close(instance);
    }
    unlink(path);
    return status;
}

START_TEST(test_bad_files)
{
    struct evs_error error;
    ck_assert_int_eq(open_file("{\"user_id\":\"a\"}\n\n{\"user_id\":\"b\"}", &error), EVS_OK);
    ck_assert_int_eq(open_file("{\"user_id\":\"a\"}\n{\"user_id\":null}\n", &error), EVS_E_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "line 2"));
    ck_assert_int_eq(open_file("{\"user_id\":\"a\"}\n\n{\"user_id\":\"b\",\"n\":\"x\"}\n", &error), EVS_E_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "line 3"));
    ck_assert_int_eq(open_file("", &error), EVS_OK);
}
END_TEST

/* --- the map ------------------------------------------------------------------------------------------------------------------------------- */

/* Against an array, with many collisions and removals. */
START_TEST(test_map)
{
    struct evs_value_map map = {0};
    int32_t stored[500];
    uint64_t seed = 3;
    memset(stored, 0xff, sizeof stored);
    for (uint32_t i = 0; i < 200000; i++) {
        uint32_t number = (uint32_t)(unit_random(&seed) % 500);
        char key[16], value[16];
        struct evs_slice key_slice = {key, (size_t)snprintf(key, sizeof key, "%u", number)}, found;
        if (unit_random(&seed) % 3 == 0) {
            evs_value_map_remove(&map, key_slice);
            stored[number] = -1;
        } else {
            struct evs_slice value_slice = {value, (size_t)snprintf(value, sizeof value, "v%u", i)};
            evs_value_map_put(&map, key_slice, value_slice);
            stored[number] = (int32_t)i;
        }
        uint32_t other = (uint32_t)(unit_random(&seed) % 500);
        key_slice.count = (size_t)snprintf(key, sizeof key, "%u", other);
        bool is_there = evs_value_map_find(&map, key_slice, &found);
        UNIT_CHECK(is_there == (stored[other] >= 0), "step %u", i);
        if (is_there) {
            snprintf(value, sizeof value, "v%d", stored[other]);
            UNIT_CHECK(evs_slice_equal(found, evs_slice_of(value)), "step %u", i);
        }
    }
    evs_value_map_fini(&map);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tables");
    TCase *tests = tcase_create("tables");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_map);
    tcase_add_test(tests, test_bad_files);
    tcase_add_test(tests, test_refused);
    if (server_redis_is_installed()) {
        tcase_add_test(tests, test_redis_hashes);
        tcase_add_test(tests, test_redis_strings);
        tcase_add_test(tests, test_redis_away);
        tcase_add_test(tests, test_redis_many);
    }
    if (server_nats_is_installed()) {
        tcase_add_test(tests, test_kv);
        tcase_add_test(tests, test_kv_away);
        tcase_add_test(tests, test_kv_missing);
    }
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
