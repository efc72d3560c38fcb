/* The map: its text, what of it is refused, and who may decide about it, on a real Redis. */
#include "run/division.h"

#include <pthread.h>

#include "server_redis.h"
#include "store_redis.h"
#include "unit.h"

static struct evs_arena arena;

static struct evs_plan_source clicks_source = {.partitions = 8}, orders_source = {.partitions = 4};
static struct evs_plan_node nodes[] = {{.kind = EVS_NODE_SOURCE, .name = "clicks", .source = &clicks_source},
                                       {.kind = EVS_NODE_SINK, .name = "triggers"},
                                       {.kind = EVS_NODE_SOURCE, .name = "orders", .source = &orders_source}};
static struct evs_plan plan = {.pipeline = "cart", .nodes = nodes, .node_count = 3, .groups_max = 4};

static struct evs_division divided(uint32_t groups)
{
    struct evs_division one = evs_division_of_one();
    return evs_division_next(&plan, &one, groups, (struct evs_hash128){.low = 2, .high = 1}, &arena);
}

static evs_status decode(const char *text, struct evs_division *division)
{
    struct evs_error error = {0};
    return evs_division_decode(evs_slice_of(text), &arena, division, &error);
}

START_TEST(test_text)
{
    struct evs_division division = divided(3), read;
    struct evs_buffer text = {0};
    char name[EVS_GROUP_NAME_MAX];
    evs_division_encode(&division, &text);
    evs_buffer_put(&text, "", 1);
    ck_assert_str_eq(text.data, "version 1\ngeneration 1\ngroups 3\nincarnation 00000000000000010000000000000002\n"
                                "source 8 clicks\nsource 4 orders\n");
    ck_assert_int_eq(decode(text.data, &read), EVS_OK);
    ck_assert(read.generation == 1 && read.group_count == 3 && read.incarnation.high == 1 && read.source_count == 2);
    ck_assert_str_eq(read.sources[1].name, "orders");
    ck_assert_uint_eq(read.sources[1].partitions, 4);
    evs_division_name(&read, 2, name);
    ck_assert_str_eq(name, "1-2");
    division = evs_division_of_one();
    evs_division_name(&division, 0, name);
    ck_assert_str_eq(name, "0");
    evs_buffer_fini(&text);
    evs_arena_fini(&arena);
}
END_TEST

/* Lines of a later version are passed over; one that says of itself that it is of another kind, or lacks something, is refused. */
START_TEST(test_refused)
{
    static const char good[] = "version 1\ngeneration 2\ngroups 2\nincarnation 00000000000000010000000000000002\n";
    static const char *const bad[] = {
        "",
        "version 2\ngeneration 2\ngroups 2\nincarnation 00000000000000010000000000000002\n",
        "version 1\ngeneration 0\ngroups 2\nincarnation 00000000000000010000000000000002\n",
        "version 1\ngeneration 2\ngroups 65\nincarnation 00000000000000010000000000000002\n",
        "version 1\ngeneration 2\ngroups 0\nincarnation 00000000000000010000000000000002\n",
        "version 1\ngeneration 2\ngroups 2\nincarnation 1\n",
        "version 1\ngeneration 2\ngroups 2\n",
        "version 1\ngeneration 2\ngroups 2\nincarnation 00000000000000010000000000000002\nsource 0 x\n",
        "version 1\ngeneration 2\ngroups 2\nincarnation 00000000000000010000000000000002\nsource 4\n",
    };
    struct evs_division division;
    struct evs_buffer text = {0};
    evs_buffer_puts(&text, good);
    evs_buffer_puts(&text, "something later\n");
    evs_buffer_put(&text, "", 1);
    ck_assert_int_eq(decode(text.data, &division), EVS_OK);
    evs_buffer_fini(&text);
    for (size_t i = 0; i < EVS_COUNT(bad); i++) {
        ck_assert_msg(decode(bad[i], &division) == EVS_E_STATE, "%s", bad[i]);
    }
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(test_fits)
{
    struct evs_error error = {0};
    struct evs_division division = divided(4);
    ck_assert_int_eq(evs_division_fits(&division, &plan, &error), EVS_OK);
    plan.groups_max = 1;
    plan.one_group_because = "`aggregate by country` is in the way";
    ck_assert_int_eq(evs_division_fits(&division, &plan, &error), EVS_E_STATE);
    ck_assert_ptr_nonnull(strstr(error.text, "`aggregate by country` is in the way"));
    plan.groups_max = 4;
    plan.one_group_because = NULL;
    orders_source.partitions = 16;
    ck_assert_int_eq(evs_division_fits(&division, &plan, &error), EVS_E_STATE);
    ck_assert_ptr_nonnull(strstr(error.text, "orders has 16 partitions now, and had 4"));
    orders_source.partitions = 4;
    division = evs_division_of_one();
    plan.groups_max = 1;
    ck_assert_int_eq(evs_division_fits(&division, &plan, &error), EVS_OK);
    plan.groups_max = 4;
    evs_arena_fini(&arena);
}
END_TEST

/* --- the map ------------------------------------------------------------------------------------------------------------------ */

static struct evs_map *map_of(const struct evs_run_options *options)
{
    struct evs_map *map = NULL;
    struct evs_error error = {0};
    ck_assert_msg(evs_map_open(options, "cart", &map, &error) == EVS_OK, "%s", error.text);
    return map;
}

static uint64_t read_generation(struct evs_map *map)
{
    struct evs_division division;
    struct evs_error error = {0};
    bool is_there = false;
    ck_assert_msg(evs_map_read(map, &arena, &division, &is_there, &error) == EVS_OK, "%s", error.text);
    ck_assert(is_there == (division.generation > 0));
    return division.generation;
}

/* Two that begin: the one that began last decides, the other one is refused and finds what was decided. */
START_TEST(test_map)
{
    struct server_redis server;
    struct evs_error error = {0};
    server_redis_start(&server, NULL);
    struct evs_log *log = evs_log_new(evs_os_system(), EVS_LOG_ERROR, false);
    struct evs_run_options options = {
        .os = evs_os_system(), .log = log, .store = &evs_store_redis, .redis_url = server.url, .retry_us = 5000000};
    struct evs_map *a = map_of(&options), *b = map_of(&options);
    struct evs_division division, first = divided(3), second = divided(2);
    bool is_there = true;
    ck_assert_uint_eq(read_generation(a), 0);
    ck_assert_int_eq(evs_map_begin(a, &arena, &division, &is_there, &error), EVS_OK);
    ck_assert(!is_there && division.generation == 0);
    ck_assert_int_eq(evs_map_begin(b, &arena, &division, &is_there, &error), EVS_OK);
    ck_assert_int_eq(evs_map_decide(a, &first, &error), EVS_E_FENCED);
    ck_assert_uint_eq(read_generation(a), 0);
    ck_assert_int_eq(evs_map_decide(b, &second, &error), EVS_OK);
    ck_assert_uint_eq(read_generation(a), 1);
    ck_assert_int_eq(evs_map_begin(a, &arena, &division, &is_there, &error), EVS_OK);
    ck_assert(is_there && division.group_count == 2);
    second = evs_division_next(&plan, &division, 4, division.incarnation, &arena);
    ck_assert_int_eq(evs_map_decide(a, &second, &error), EVS_OK);
    ck_assert_uint_eq(read_generation(b), 2);
    evs_map_close(a);
    evs_map_close(b);
    evs_log_free(log);
    evs_arena_fini(&arena);
    server_redis_stop(&server);
}
END_TEST

#define BEGINNERS 4
#define BEGINS 100

static void *begin_often(void *argument)
{
    struct evs_map *map = map_of(argument);
    uintptr_t refused = 0;
    for (int i = 0; i < BEGINS; i++) {
        struct evs_arena own = {0};
        struct evs_division division;
        struct evs_error error = {0};
        bool is_there;
        refused += evs_map_begin(map, &own, &division, &is_there, &error) != EVS_OK;
        evs_arena_fini(&own);
    }
    evs_map_close(map);
    return (void *)refused;
}

/* Groups that start at the same time take the map over between one another's steps: that is no reason for any of them to end. */
START_TEST(test_map_at_the_same_time)
{
    struct server_redis server;
    server_redis_start(&server, NULL);
    struct evs_log *log = evs_log_new(evs_os_system(), EVS_LOG_ERROR, false);
    struct evs_run_options options = {
        .os = evs_os_system(), .log = log, .store = &evs_store_redis, .redis_url = server.url, .retry_us = 5000000};
    pthread_t threads[BEGINNERS];
    for (int i = 0; i < BEGINNERS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, begin_often, &options), 0);
    }
    for (int i = 0; i < BEGINNERS; i++) {
        void *refused = NULL;
        ck_assert_int_eq(pthread_join(threads[i], &refused), 0);
        ck_assert_uint_eq((uintptr_t)refused, 0);
    }
    evs_log_free(log);
    server_redis_stop(&server);
}
END_TEST

static unsigned long long looks_at(struct server_redis *server)
{
    redisReply *reply = server_redis_ask(server, "INFO commandstats");
    const char *at = strstr(reply->str, "cmdstat_xrevrange:calls=");
    unsigned long long calls = at == NULL ? 0 : strtoull(at + strlen("cmdstat_xrevrange:calls="), NULL, 10);
    freeReplyObject(reply);
    return calls;
}

/* Each beginning that decides nothing leaves an entry behind. The next one passes them by the hundred: when each of them was asked for alone, those who began
 * together overtook one another the more, the longer they had done so, and none came to an end. */
START_TEST(test_map_of_many_beginnings)
{
    struct server_redis server;
    server_redis_start(&server, NULL);
    struct evs_log *log = evs_log_new(evs_os_system(), EVS_LOG_ERROR, false);
    struct evs_run_options options = {
        .os = evs_os_system(), .log = log, .store = &evs_store_redis, .redis_url = server.url, .retry_us = 5000000};
    struct evs_map *map = map_of(&options);
    struct evs_division division, first = divided(3);
    struct evs_error error = {0};
    bool is_there = true;
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(evs_map_begin(map, &arena, &division, &is_there, &error), EVS_OK);
        ck_assert(!is_there);
    }
    unsigned long long before = looks_at(&server);
    ck_assert_int_eq(evs_map_begin(map, &arena, &division, &is_there, &error), EVS_OK);
    unsigned long long looks = looks_at(&server) - before;
    ck_assert_msg(looks > 0 && looks < 20, "%llu looks", looks);
    ck_assert_int_eq(evs_map_decide(map, &first, &error), EVS_OK);
    ck_assert_uint_eq(read_generation(map), 1);
    evs_map_close(map);
    evs_log_free(log);
    evs_arena_fini(&arena);
    server_redis_stop(&server);
}
END_TEST

struct beginner {
    const struct evs_run_options *options;
    const char *pipeline;
    pthread_barrier_t *barrier;
    struct evs_division first;
    struct evs_arena arena;
    struct evs_division found;
    evs_status status;
};

static void *decide_first(void *argument)
{
    struct beginner *own = argument;
    struct evs_map *map = NULL;
    struct evs_error error = {0};
    own->status = evs_map_open(own->options, own->pipeline, &map, &error);
    pthread_barrier_wait(own->barrier);
    if (own->status == EVS_OK) {
        own->status = evs_map_first(map, &own->first, &own->arena, &own->found, &error);
    }
    evs_map_close(map);
    return NULL;
}

/* Engines that begin a pipeline at the same time all go by the one decision. */
static void begin_at_once(const struct evs_run_options *options, const char *pipeline)
{
    pthread_barrier_t barrier;
    pthread_t threads[BEGINNERS];
    struct beginner beginners[BEGINNERS] = {0};
    pthread_barrier_init(&barrier, NULL, BEGINNERS);
    for (uint32_t i = 0; i < BEGINNERS; i++) {
        beginners[i] = (struct beginner){options, pipeline, &barrier, .first = divided(2 + i)};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, decide_first, &beginners[i]), 0);
    }
    for (uint32_t i = 0; i < BEGINNERS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    for (uint32_t i = 0; i < BEGINNERS; i++) {
        ck_assert_int_eq(beginners[i].status, EVS_OK);
        ck_assert_uint_ge(beginners[i].found.group_count, 2);
        ck_assert_uint_eq(beginners[i].found.group_count, beginners[0].found.group_count);
    }
    for (uint32_t i = 0; i < BEGINNERS; i++) {
        evs_arena_fini(&beginners[i].arena);
    }
    pthread_barrier_destroy(&barrier);
}

START_TEST(test_first_at_the_same_time)
{
    struct server_redis server;
    server_redis_start(&server, NULL);
    struct evs_log *log = evs_log_new(evs_os_system(), EVS_LOG_ERROR, false);
    struct evs_run_options options = {
        .os = evs_os_system(), .log = log, .store = &evs_store_redis, .redis_url = server.url, .retry_us = 5000000};
    for (int i = 0; i < 50; i++) {
        char pipeline[16];
        snprintf(pipeline, sizeof pipeline, "p%d", i);
        begin_at_once(&options, pipeline);
    }
    evs_log_free(log);
    server_redis_stop(&server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("division");
    TCase *tests = tcase_create("division");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_text);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_fits);
    tcase_add_test(tests, test_map);
    tcase_add_test(tests, test_map_at_the_same_time);
    tcase_add_test(tests, test_map_of_many_beginnings);
    tcase_add_test(tests, test_first_at_the_same_time);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
