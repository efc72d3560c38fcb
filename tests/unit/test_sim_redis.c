/* The simulated Redis against the real one: random calls of the engine's functions and random stream commands, a few keys and ids that meet
 * often, and the same answers to each. The functions stand twice, in Lua (stores/redis_function.c) and in C (simulator/redis_call.c); this is
 * what holds them to each other. */
#include "redis_data.h"
#include "redis_function.h"
#include "server_redis.h"
#include "unit.h"

/* Above the server's clock, so that a take-over's epoch follows from the streams alone. */
#define BASE_MS UINT64_C(9000000000000)
#define ROUNDS 4000
#define TEXTS 16
#define TEXT_BYTES 80

struct world {
    struct server_redis server;
    struct evs_sim_redis_data data;
    struct evs_sim_command command;
    char texts[TEXTS][TEXT_BYTES];
    uint32_t text_count;
    uint64_t random;
};

static uint64_t below(struct world *world, uint64_t limit)
{
    return unit_random(&world->random) % limit;
}

static void put(struct world *world, const char *format, ...) EVS_PRINTF(2, 3);
static void put(struct world *world, const char *format, ...)
{
    ck_assert_uint_lt(world->text_count, TEXTS);
    char *text = world->texts[world->text_count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, TEXT_BYTES, format, arguments);
    va_end(arguments);
    world->command.words[world->command.count++] = evs_slice_of(text);
}

static void put_id(struct world *world, const char *before)
{
    put(world, "%s%llu-%llu", before, (unsigned long long)(BASE_MS + below(world, 6)),
        (unsigned long long)below(world, 5));
}

static void put_key(struct world *world)
{
    put(world, "key%llu", (unsigned long long)below(world, 2));
}

static void put_nonce(struct world *world)
{
    put(world, "%016llx", (unsigned long long)below(world, 2));
}

/* --- commands ---------------------------------------------------------------------------------------------------------- */

static void draw_append(struct world *world)
{
    put(world, "FCALL");
    put(world, "evs1_append");
    put(world, "1");
    put(world, "out%llu", (unsigned long long)below(world, 2));
    put_id(world, "");
    if (below(world, 2) == 0) {
        put(world, "%s", "");
    } else {
        put_id(world, "");
    }
    put(world, "%s", below(world, 2) == 0 ? "" : "1000");
    put(world, "trigger%llu", (unsigned long long)below(world, 2));
    put(world, "data%llu", (unsigned long long)below(world, 2));
    put_nonce(world);
    char *n = world->texts[world->text_count - 1];
    strcat(n, "-0000abcd");
    world->command.words[world->command.count - 1] = evs_slice_of(n);
}

static void draw_commit(struct world *world)
{
    put(world, "FCALL");
    put(world, "evs1_commit");
    put(world, "2");
    put(world, "key0");
    put(world, "key1");
    put_nonce(world);
    put_id(world, "");
    put_id(world, "");
    if (below(world, 2) == 0) {
        put(world, "%s", "");
    } else {
        put_id(world, "");
    }
    put(world, "header");
    put(world, "record");
}

static void draw_function(struct world *world)
{
    switch (below(world, 8)) {
    case 0:
        put(world, "FCALL");
        put(world, "evs1_acquire");
        put(world, "2");
        put(world, "key0");
        put(world, "key1");
        put_nonce(world);
        break;
    case 1:
        put(world, "FCALL");
        put(world, "evs1_raise");
        put(world, "1");
        put_key(world);
        put(world, "%llu", (unsigned long long)(BASE_MS + below(world, 6)));
        break;
    case 2:
        put(world, "FCALL_RO");
        put(world, "evs1_newest");
        put(world, "1");
        put_key(world);
        break;
    case 3:
    case 4:
        draw_append(world);
        break;
    default:
        draw_commit(world);
    }
}

static void draw_range(struct world *world)
{
    bool backwards = below(world, 2) == 0;
    put(world, "%s", backwards ? "XREVRANGE" : "XRANGE");
    put_key(world);
    const char *open = below(world, 3) == 0 ? "(" : "";
    if (below(world, 4) == 0) {
        put(world, "%s", backwards ? "+" : "-");
        put_id(world, open);
    } else {
        put_id(world, open);
        put(world, "%s", backwards ? "-" : "+");
    }
    if (below(world, 2) == 0) {
        put(world, "COUNT");
        put(world, "%llu", 1 + (unsigned long long)below(world, 3));
    }
}

/* Entries as the engine writes them: the functions look at the second and the fourth field. */
static void draw_xadd(struct world *world)
{
    put(world, "XADD");
    put_key(world);
    put_id(world, "");
    put(world, "t");
    put(world, "B");
    put(world, "o");
    put_nonce(world);
}

static void draw_command(struct world *world)
{
    world->command.count = world->text_count = 0;
    switch (below(world, 10)) {
    case 0:
        draw_range(world);
        break;
    case 1:
    case 2:
        draw_xadd(world);
        break;
    case 3:
        put(world, "XSETID");
        put_key(world);
        put_id(world, "");
        break;
    case 4:
        put(world, "XTRIM");
        put_key(world);
        put(world, "MINID");
        put_id(world, "");
        break;
    case 5:
        put(world, "XLEN");
        put_key(world);
        break;
    default:
        draw_function(world);
    }
}

/* --- answers ------------------------------------------------------------------------------------------------------------- */

static void put_reply(struct evs_buffer *out, const redisReply *reply)
{
    struct evs_slice text = {reply->str, reply->str == NULL ? 0 : reply->len};
    switch (reply->type) {
    case REDIS_REPLY_ERROR:
        *strchrnul(reply->str, '\n') = '\0';
        if (strstr(reply->str, " script: ") != NULL) {
            *strstr(reply->str, " script: ") = '\0'; /* where in the library a command failed */
        }
        evs_sim_put_error(out, reply->str);
        break;
    case REDIS_REPLY_STATUS:
        evs_sim_put_status(out, reply->str);
        break;
    case REDIS_REPLY_INTEGER:
        evs_sim_put_integer(out, reply->integer);
        break;
    case REDIS_REPLY_STRING:
        evs_sim_put_bulk(out, text);
        break;
    default:
        ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
        evs_sim_put_array(out, (uint32_t)reply->elements);
        for (size_t i = 0; i < reply->elements; i++) {
            put_reply(out, reply->element[i]);
        }
    }
}

static void ask_server(struct world *world, struct evs_buffer *out)
{
    const char *words[TEXTS];
    size_t counts[TEXTS];
    for (uint32_t i = 0; i < world->command.count; i++) {
        words[i] = world->command.words[i].data;
        counts[i] = world->command.words[i].count;
    }
    redisReply *reply = redisCommandArgv(world->server.context, (int)world->command.count, words, counts);
    ck_assert_ptr_nonnull(reply);
    put_reply(out, reply);
    freeReplyObject(reply);
}

static void ask_simulation(struct world *world, struct evs_buffer *out)
{
    if (evs_slice_equal_nocase(world->command.words[0], "FCALL") ||
        evs_slice_equal_nocase(world->command.words[0], "FCALL_RO")) {
        evs_sim_redis_call(&world->data, &world->command, 0, UINT32_MAX, out);
    } else {
        ck_assert(evs_sim_redis_stream_command(&world->data, &world->command, 0, out));
    }
}

static void expect_same(struct world *world, uint32_t round)
{
    struct evs_buffer real = {0}, simulated = {0};
    ask_server(world, &real);
    ask_simulation(world, &simulated);
    if (!evs_slice_equal((struct evs_slice){real.data, real.count},
                         (struct evs_slice){simulated.data, simulated.count})) {
        ck_abort_msg("round %u, %s %s: Redis answers\n%.*s\nthe simulation\n%.*s", round, world->texts[0],
                     world->texts[1], (int)real.count, real.data, (int)simulated.count, simulated.data);
    }
    evs_buffer_fini(&real);
    evs_buffer_fini(&simulated);
}

/* Streams begin anew now and then, or their last ids would soon be above all that is drawn. */
static void begin_anew(struct world *world)
{
    struct evs_slice library = evs_redis_function_text();
    server_redis_tell(&world->server, "FLUSHALL");
    server_redis_tell(&world->server, "FUNCTION LOAD REPLACE %b", library.data, library.count);
    evs_sim_redis_data_fini(&world->data);
    world->data.has_library = true;
}

START_TEST(answers_as_redis_does)
{
    struct world world = {.random = 11};
    server_redis_start(&world.server, NULL);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (round % 25 == 0) {
            begin_anew(&world);
            /* the first entries are above the clock of any server */
            world.command.count = world.text_count = 0;
            put(&world, "XADD");
            put(&world, "key%u", round / 25 % 2);
            put(&world, "%llu-0", (unsigned long long)BASE_MS);
            put(&world, "t");
            put(&world, "F");
            put(&world, "o");
            put_nonce(&world);
            expect_same(&world, round);
        }
        draw_command(&world);
        expect_same(&world, round);
    }
    evs_sim_redis_data_fini(&world.data);
    server_redis_stop(&world.server);
}
END_TEST

START_TEST(knows_no_function_before_it_is_loaded)
{
    struct world world = {0};
    server_redis_start(&world.server, NULL);
    server_redis_tell(&world.server, "PING");
    put(&world, "FCALL_RO");
    put(&world, "evs1_newest");
    put(&world, "1");
    put(&world, "key0");
    expect_same(&world, 0);
    server_redis_stop(&world.server);
}
END_TEST

int main(void)
{
    if (!server_redis_is_installed()) {
        fprintf(stderr, "skipped: redis-server is not installed\n");
        return 77;
    }
    Suite *suite = suite_create("sim_redis");
    TCase *tests = tcase_create("sim_redis");
    tcase_add_test(tests, answers_as_redis_does);
    tcase_add_test(tests, knows_no_function_before_it_is_loaded);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
