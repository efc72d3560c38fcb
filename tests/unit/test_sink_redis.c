/* The Redis sink on a real server: each message is one entry, once and in order, whatever is cut, killed or refused. */
#include <check.h>
#include <stdlib.h>

#include "proxy_redis.h"
#include "server_redis.h"
#include "sink_redis.h"

#define SECOND INT64_C(1000000)
#define KEY "triggers"

static struct server_redis server;
static struct evs_error error;
static struct evs_arena arena;

/* With appendfsync no: what is confirmed is with the kernel, so a kill of the server loses nothing. */
static void set_up(void)
{
    server_redis_start(&server, (const char *[]){"--appendfsync", "no", NULL});
}

static void tear_down(void)
{
    evs_arena_fini(&arena);
    server_redis_stop(&server);
}

/* --- helpers ------------------------------------------------------------------------------------------------------ */

struct settings {
    const char *url;
    uint64_t epoch;
    int64_t maxlen; /* 0: none */
    int64_t retry_us;
    bool forgets;   /* the store's server may lose what it has confirmed */
    bool elsewhere; /* the sink has a server of its own */
};

static void *open_sink(struct settings settings)
{
    struct evs_option_value values[8] = {0};
    for (size_t i = 0; evs_sink_redis.options[i].name != NULL; i++) {
        values[i].option = &evs_sink_redis.options[i];
        if (strcmp(values[i].option->name, "maxlen") == 0 && settings.maxlen > 0) {
            values[i].is_set = true;
            values[i].integer = settings.maxlen;
        }
        if (strcmp(values[i].option->name, "url") == 0 && settings.elsewhere) {
            values[i].is_set = true;
            values[i].text = evs_slice_of(server.url);
        }
    }
    const void *config = NULL;
    ck_assert_int_eq(evs_sink_redis.configure(values, &arena, &config, &error), EVS_OK);
    struct evs_sink_open open = {.os = evs_os_system(),
                                 .pipeline = "clicks",
                                 .name = "out",
                                 .config = config,
                                 .redis_url = settings.url == NULL ? server.url : settings.url,
                                 .epoch = settings.epoch,
                                 .nonce = 7,
                                 .store_forgets = settings.forgets,
                                 .retry_us = settings.retry_us == 0 ? 20 * SECOND : settings.retry_us};
    void *sink = NULL;
    evs_status status = evs_sink_redis.open(&open, &sink, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    return sink;
}

/* Message i of a term: what it says follows from i, so that a second engine sends the same. */
struct feed {
    uint64_t epoch;
    uint64_t from, to;   /* messages from … to - 1; ten to a checkpoint */
    const char *keys[4]; /* message i goes to keys[i % key_count] */
    uint64_t key_count;
    uint64_t number;   /* of the last message taken by the sink */
    size_t data_bytes; /* padding */
};

/* From malloc, so that evs_alloc_count sees the sink alone. */
static char *data_of(const struct feed *feed, uint64_t i)
{
    size_t room = feed->data_bytes + 64;
    char *text = malloc(room);
    ck_assert_ptr_nonnull(text);
    int count = snprintf(text, room, "{\"i\":%llu,\"pad\":\"", (unsigned long long)i);
    memset(text + count, 'x', feed->data_bytes);
    strcpy(text + count + feed->data_bytes, "\"}");
    return text;
}

static evs_status send_one(void *sink, struct feed *feed, uint64_t i)
{
    const char *key = feed->key_count == 0 ? KEY : feed->keys[i % feed->key_count];
    char *data = data_of(feed, i);
    struct evs_sink_message message = {.number = feed->number + 1,
                                       .id = {i, feed->epoch},
                                       .address = evs_slice_of(key),
                                       .payload = evs_slice_of(data),
                                       .epoch = feed->epoch,
                                       .checkpoint = feed->epoch == 0 ? 0 : i / 10,
                                       .index = feed->epoch == 0 ? 0 : (uint32_t)(i % 10)};
    evs_status status = evs_sink_redis.send(sink, &message, &error);
    feed->number += status == EVS_OK;
    free(data);
    return status;
}

static void wait_for(void *sink)
{
    const struct evs_os *os = evs_os_system();
    struct evs_wait_fd fds[2];
    uint32_t count = evs_sink_redis.wait_fds(sink, fds, 2);
    os->sockets.wait(os->sockets.self, NULL, fds, count, 10000);
}

/* Sends everything and waits until all of it is acknowledged, in order. Returns the first failure. */
static evs_status deliver(void *sink, struct feed *feed)
{
    uint64_t next = feed->from, acknowledged = feed->number, last = feed->number + (feed->to - feed->from);
    int64_t deadline_us = evs_monotonic_us(evs_os_system()) + 60 * SECOND;
    while (acknowledged < last) {
        ck_assert_msg(evs_monotonic_us(evs_os_system()) < deadline_us, "message %llu is not acknowledged",
                      (unsigned long long)acknowledged + 1);
        while (next < feed->to && send_one(sink, feed, next) == EVS_OK) {
            next++;
        }
        uint64_t numbers[100];
        uint32_t count = 0;
        evs_status status = evs_sink_redis.poll(sink, numbers, 100, &count, &error);
        for (uint32_t i = 0; i < count; i++) {
            ck_assert_uint_eq(numbers[i], ++acknowledged);
        }
        if (status != EVS_OK) {
            return status;
        }
        if (count == 0) {
            wait_for(sink);
        }
    }
    return EVS_OK;
}

static void must_deliver(void *sink, struct feed *feed)
{
    evs_status status = deliver(sink, feed);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
}

static void check_entry(const redisReply *entry, const struct feed *feed, uint64_t i)
{
    char id[64], trigger[64];
    snprintf(id, sizeof id, "%llu-%llu", (unsigned long long)feed->epoch,
             ((unsigned long long)(i / 10) << 20) + i % 10);
    ck_assert_str_eq(entry->element[0]->str, id);
    const redisReply *fields = entry->element[1];
    ck_assert_uint_eq(fields->elements, 6);
    ck_assert_str_eq(fields->element[0]->str, "id");
    snprintf(trigger, sizeof trigger, "%016llx%016llx", (unsigned long long)feed->epoch, (unsigned long long)i);
    ck_assert_str_eq(fields->element[1]->str, trigger);
    ck_assert_str_eq(fields->element[2]->str, "data");
    char *data = data_of(feed, i);
    ck_assert_str_eq(fields->element[3]->str, data);
    ck_assert_str_eq(fields->element[4]->str, "n");
    uint32_t crc = evs_crc32c(evs_crc32c(0, trigger, 32), data, strlen(data));
    ck_assert_uint_eq(strtoul(strchr(fields->element[5]->str, '-') + 1, NULL, 16), crc);
    free(data);
}

/* The stream holds messages from … to - 1 of each feed, one after the other, and nothing else. */
static void check_stream(const struct feed *feeds, size_t feed_count)
{
    redisReply *all = server_redis_ask(&server, "XRANGE %s - +", KEY);
    size_t at = 0;
    for (size_t f = 0; f < feed_count; f++) {
        for (uint64_t i = feeds[f].from; i < feeds[f].to; i++) {
            ck_assert_uint_lt(at, all->elements);
            check_entry(all->element[at++], &feeds[f], i);
        }
    }
    ck_assert_uint_eq(at, all->elements);
    freeReplyObject(all);
}

static void check_text(const char *part)
{
    ck_assert_msg(strstr(error.text, part) != NULL, "\"%s\" does not say \"%s\"", error.text, part);
}

/* --- in peace ----------------------------------------------------------------------------------------------------- */

START_TEST(each_message_is_one_entry)
{
    void *sink = open_sink((struct settings){.epoch = 1000});
    struct feed feed = {.epoch = 1000, .from = 10, .to = 5010, .data_bytes = 50};
    must_deliver(sink, &feed);
    check_stream(&feed, 1);
    evs_sink_redis.close(sink);
}
END_TEST

START_TEST(window_is_bounded)
{
    void *sink = open_sink((struct settings){.epoch = 1000});
    struct feed feed = {.epoch = 1000, .data_bytes = 100000};
    uint64_t taken = 0;
    while (send_one(sink, &feed, taken) == EVS_OK) {
        taken++;
        ck_assert_uint_lt(taken, 100);
    }
    ck_assert_uint_ge(taken, 5);
    feed = (struct feed){.epoch = 1000, .data_bytes = 3 << 20, .to = 1};
    evs_sink_redis.close(sink);
    sink = open_sink((struct settings){.epoch = 2000});
    feed.epoch = 2000;
    must_deliver(sink, &feed); /* a single one may be larger than the window */
    check_stream(&feed, 1);
    evs_sink_redis.close(sink);
}
END_TEST

START_TEST(steady_state_allocates_nothing)
{
    void *sink = open_sink((struct settings){.epoch = 1000});
    struct feed feed = {.epoch = 1000, .from = 0, .to = 3000, .data_bytes = 20};
    must_deliver(sink, &feed);
    feed.from = 3000;
    feed.to = 5000;
    uint64_t before = evs_alloc_count();
    must_deliver(sink, &feed);
    ck_assert_uint_eq(evs_alloc_count(), before);
    evs_sink_redis.close(sink);
}
END_TEST

START_TEST(keys_from_a_template)
{
    void *sink = open_sink((struct settings){.epoch = 1000});
    struct feed feed = {.epoch = 1000, .from = 0, .to = 3000, .keys = {"a", "b", KEY}, .key_count = 3};
    must_deliver(sink, &feed);
    ck_assert_int_eq(server_redis_length(&server, "a"), 1000);
    ck_assert_int_eq(server_redis_length(&server, "b"), 1000);
    ck_assert_int_eq(server_redis_length(&server, KEY), 1000);
    evs_sink_redis.close(sink);
}
END_TEST

START_TEST(maxlen_bounds_the_stream)
{
    void *sink = open_sink((struct settings){.epoch = 1000, .maxlen = 100});
    struct feed feed = {.epoch = 1000, .from = 0, .to = 3000};
    must_deliver(sink, &feed);
    ck_assert_int_lt(server_redis_length(&server, KEY), 300);
    ck_assert_int_ge(server_redis_length(&server, KEY), 100);
    /* a restarted engine sends again what has long been trimmed */
    evs_sink_redis.close(sink);
    sink = open_sink((struct settings){.epoch = 2000, .maxlen = 100});
    long long before = server_redis_length(&server, KEY);
    struct feed again = {.epoch = 1000, .from = 500, .to = 3000};
    must_deliver(sink, &again);
    ck_assert_int_eq(server_redis_length(&server, KEY), before);
    evs_sink_redis.close(sink);
}
END_TEST

START_TEST(memory_state_has_ids_of_its_own)
{
    void *sink = open_sink((struct settings){0});
    struct feed feed = {.from = 0, .to = 100};
    must_deliver(sink, &feed);
    ck_assert_int_eq(server_redis_length(&server, KEY), 100);
    evs_sink_redis.close(sink);
}
END_TEST

/* --- owners ------------------------------------------------------------------------------------------------------- */

START_TEST(next_owner_sends_the_rest)
{
    void *sink = open_sink((struct settings){.epoch = 1000});
    struct feed first = {.epoch = 1000, .from = 0, .to = 500};
    must_deliver(sink, &first);
    void *next = open_sink((struct settings){.epoch = 2000});
    struct feed rest = {.epoch = 1000, .from = 300, .to = 700}; /* 200 of them are there already */
    must_deliver(next, &rest);
    struct feed own = {.epoch = 2000, .from = 700, .to = 900, .number = rest.number};
    must_deliver(next, &own);
    struct feed late = {.epoch = 1000, .from = 700, .to = 710, .number = first.number}; /* the old owner wakes up */
    (void)deliver(sink, &late);
    evs_sink_redis.close(sink);
    evs_sink_redis.close(next);
    struct feed all[] = {{.epoch = 1000, .from = 0, .to = 700}, {.epoch = 2000, .from = 700, .to = 900}};
    check_stream(all, 2);
}
END_TEST

/* Both terms at once in the window. The first owner had delivered ten messages more than the second one knows of, of
 * a commit that Redis has lost: the chain of ids begins anew with the term, so they are no divergence. */
START_TEST(terms_follow_each_other)
{
    void *before = open_sink((struct settings){.epoch = 1000});
    struct feed delivered = {.epoch = 1000, .from = 0, .to = 60};
    must_deliver(before, &delivered);
    evs_sink_redis.close(before);
    void *sink = open_sink((struct settings){.epoch = 2000});
    struct feed feeds[] = {{.epoch = 1000, .from = 0, .to = 50}, {.epoch = 2000, .from = 50, .to = 100, .number = 50}};
    for (uint64_t i = 0; i < 50; i++) {
        ck_assert_int_eq(send_one(sink, &feeds[0], i), EVS_OK);
    }
    feeds[1].from = 50;
    uint64_t number = 0;
    int64_t deadline_us = evs_monotonic_us(evs_os_system()) + 60 * SECOND;
    for (uint64_t i = 50; i < 100; i++) {
        ck_assert_int_eq(send_one(sink, &feeds[1], i), EVS_OK);
    }
    while (number < 100) {
        uint64_t numbers[16];
        uint32_t count;
        ck_assert_int_eq(evs_sink_redis.poll(sink, numbers, 16, &count, &error), EVS_OK);
        number += count;
        ck_assert_int_lt(evs_monotonic_us(evs_os_system()), deadline_us);
        wait_for(sink);
    }
    feeds[0].to = 60;
    check_stream(feeds, 2);
    evs_sink_redis.close(sink);
}
END_TEST

/* --- faults ------------------------------------------------------------------------------------------------------- */

struct fault {
    unsigned at;
    enum proxy_verdict verdict;
    void (*act)(void);
    bool hit;
};

static enum proxy_verdict fault_hook(void *argument, unsigned number, const redisReply *request)
{
    (void)request;
    struct fault *fault = argument;
    if (number != fault->at) {
        return PROXY_PASS;
    }
    fault->hit = true;
    if (fault->act != NULL) {
        fault->act();
    }
    return fault->verdict;
}

/* Eight messages with the fault at the first request, then at the second, …, until no request is left for it. */
static unsigned sweep(enum proxy_verdict verdict, void (*act)(void))
{
    unsigned hits = 0;
    for (bool hit = true; hit; hits += hit) {
        struct fault fault = {.at = hits, .verdict = verdict, .act = act};
        struct proxy_redis proxy;
        server_redis_tell(&server, "DEL %s", KEY);
        proxy_redis_start(&proxy, server.socket, fault_hook, &fault);
        void *sink = open_sink((struct settings){.url = proxy.url, .epoch = 1000});
        struct feed feed = {.epoch = 1000, .from = 0, .to = 8};
        must_deliver(sink, &feed);
        hit = fault.hit;
        evs_sink_redis.close(sink);
        proxy_redis_stop(&proxy);
        check_stream(&feed, 1);
    }
    return hits;
}

START_TEST(connection_cut_at_each_request)
{
    ck_assert_uint_ge(sweep(PROXY_CUT, NULL), 10); /* two of the greeting, eight messages */
}
END_TEST

START_TEST(each_reply_lost)
{
    ck_assert_uint_ge(sweep(PROXY_LOSE_REPLY, NULL), 10);
}
END_TEST

static void kill_and_restart(void)
{
    server_redis_kill(&server);
    server_redis_restart(&server);
}

START_TEST(server_killed_at_each_request)
{
    ck_assert_uint_ge(sweep(PROXY_PASS, kill_and_restart), 10);
}
END_TEST

static void lose_function(void)
{
    server_redis_tell(&server, "FUNCTION FLUSH");
}

START_TEST(function_lost_at_each_request)
{
    ck_assert_uint_ge(sweep(PROXY_PASS, lose_function), 10);
}
END_TEST

/* Memory is short for exactly one message in the middle of a pipeline: later ones must not overtake it. */
static enum proxy_verdict short_memory_hook(void *argument, unsigned number, const redisReply *request)
{
    (void)number;
    unsigned *messages = argument;
    if (proxy_request_is(request, "evs1_append")) {
        ++*messages;
        server_redis_tell(&server, "CONFIG SET maxmemory %s", *messages == 4 ? "1" : "0");
    }
    return PROXY_PASS;
}

START_TEST(one_message_refused_between_accepted_ones)
{
    struct proxy_redis proxy;
    unsigned messages = 0;
    server_redis_tell(&server, "FUNCTION FLUSH");
    proxy_redis_start(&proxy, server.socket, short_memory_hook, &messages);
    void *sink = open_sink((struct settings){.url = proxy.url, .epoch = 1000});
    struct feed feed = {.epoch = 1000, .from = 0, .to = 20};
    must_deliver(sink, &feed);
    ck_assert_uint_gt(messages, 20);
    evs_sink_redis.close(sink);
    proxy_redis_stop(&proxy);
    check_stream(&feed, 1);
}
END_TEST

START_TEST(consumer_deletes_what_is_sent_again)
{
    struct fault fault = {.at = 9, .verdict = PROXY_LOSE_REPLY};
    struct proxy_redis proxy;
    proxy_redis_start(&proxy, server.socket, fault_hook, &fault);
    void *sink = open_sink((struct settings){.url = proxy.url, .epoch = 1000});
    struct feed feed = {.epoch = 1000, .from = 0, .to = 10};
    must_deliver(sink, &feed);
    evs_sink_redis.close(sink);
    proxy_redis_stop(&proxy);
    ck_assert(fault.hit);
    for (unsigned i = 0; i < 10; i++) {
        server_redis_tell(&server, "XDEL %s 1000-%u", KEY, i);
    }
    void *next = open_sink((struct settings){.epoch = 2000});
    struct feed again = {.epoch = 1000, .from = 0, .to = 10};
    must_deliver(next, &again);
    ck_assert_int_eq(server_redis_length(&server, KEY), 0);
    evs_sink_redis.close(next);
}
END_TEST

/* The newest rows are gone with a crash. 0 to `*left` are still there. */
static void lose_tail(long long *left)
{
    server_redis_kill(&server);
    server_redis_cut(&server, 1500);
    server_redis_restart(&server);
    *left = server_redis_length(&server, KEY);
    ck_assert_int_gt(*left, 50);
    ck_assert_int_lt(*left, 100);
}

/* Beside the state: the commit before knows which rows were delivered for certain, so the engine goes back to it, and writes the rest again. The sink says so
 * as soon as it is connected again, without a further row to write. */
START_TEST(lost_tail_goes_back_to_the_last_commit)
{
    void *sink = open_sink((struct settings){.epoch = 1000, .forgets = true});
    struct feed feed = {.epoch = 1000, .from = 0, .to = 100};
    must_deliver(sink, &feed);
    long long left;
    lose_tail(&left);
    uint64_t number;
    uint32_t count;
    evs_status status = EVS_OK;
    for (int64_t deadline_us = evs_monotonic_us(evs_os_system()) + 20 * SECOND; status == EVS_OK;) {
        ck_assert_int_lt(evs_monotonic_us(evs_os_system()), deadline_us);
        status = evs_sink_redis.poll(sink, &number, 1, &count, &error);
        ck_assert_uint_eq(count, 0);
    }
    ck_assert_int_eq(status, EVS_E_GAP);
    check_text("started again");
    evs_sink_redis.close(sink);
    sink = open_sink((struct settings){.epoch = 2000, .forgets = true});
    feed = (struct feed){.epoch = 1000, .from = 20, .to = 100}; /* the commit's outbox: some are there, some are not */
    must_deliver(sink, &feed);
    feed = (struct feed){.epoch = 1000, .from = 0, .to = 100};
    check_stream(&feed, 1);
    evs_sink_redis.close(sink);
}
END_TEST

/* Where every reply was synced, a restart has lost nothing; should it have all the same, the next row finds it. */
START_TEST(a_restart_that_forgets_nothing_is_no_reason_to_go_back)
{
    void *sink = open_sink((struct settings){.epoch = 1000});
    struct feed feed = {.epoch = 1000, .from = 0, .to = 100};
    must_deliver(sink, &feed);
    server_redis_kill(&server);
    server_redis_restart(&server);
    feed.from = 100;
    feed.to = 120;
    must_deliver(sink, &feed);
    long long left;
    server_redis_kill(&server);
    server_redis_cut(&server, 1500);
    server_redis_restart(&server);
    left = server_redis_length(&server, KEY);
    ck_assert_int_lt(left, 120);
    feed.from = 120;
    feed.to = 150;
    ck_assert_int_eq(deliver(sink, &feed), EVS_E_GAP);
    ck_assert_int_eq(server_redis_length(&server, KEY), left); /* nothing is written behind a hole */
    evs_sink_redis.close(sink);
}
END_TEST

/* A server that does not keep the state: what it has lost is lost, and said. */
START_TEST(lost_tail_of_another_server_is_survived)
{
    void *sink = open_sink((struct settings){.epoch = 1000, .forgets = true, .elsewhere = true});
    struct feed feed = {.epoch = 1000, .from = 0, .to = 100};
    must_deliver(sink, &feed);
    long long left;
    lose_tail(&left);
    struct feed more = {.epoch = 1000, .from = 100, .to = 150, .number = feed.number};
    must_deliver(sink, &more);
    struct feed all[] = {{.epoch = 1000, .from = 0, .to = (uint64_t)left}, {.epoch = 1000, .from = 100, .to = 150}};
    check_stream(all, 2);
    evs_sink_redis.close(sink);
}
END_TEST

START_TEST(unreachable_ends_with_the_retry_time)
{
    void *sink = open_sink((struct settings){.epoch = 1000, .retry_us = SECOND / 5});
    struct feed feed = {.epoch = 1000, .from = 0, .to = 10};
    must_deliver(sink, &feed);
    server_redis_kill(&server);
    feed.from = 10;
    feed.to = 20;
    ck_assert_int_eq(deliver(sink, &feed), EVS_E_UNREACHABLE);
    check_text("cannot be reached");
    evs_sink_redis.close(sink);
}
END_TEST

/* --- divergence --------------------------------------------------------------------------------------------------- */

static evs_status deliver_ten(void)
{
    void *sink = open_sink((struct settings){.epoch = 1000});
    struct feed feed = {.epoch = 1000, .from = 0, .to = 10};
    evs_status status = deliver(sink, &feed);
    evs_sink_redis.close(sink);
    return status;
}

START_TEST(other_content_under_the_id)
{
    server_redis_tell(&server, "XADD %s 1000-3 id x data y n z", KEY);
    ck_assert_int_eq(deliver_ten(), EVS_E_STATE);
    check_text("another writer");
    server_redis_tell(&server, "DEL %s", KEY);
    ck_assert_int_eq(deliver_ten(), EVS_OK);
    redisReply *last = server_redis_ask(&server, "XREVRANGE %s + - COUNT 1", KEY);
    const redisReply *fields = last->element[0]->element[1];
    server_redis_tell(&server, "DEL %s", KEY);
    server_redis_tell(&server, "XADD %s 1000-0 id %s data changed n %s", KEY, fields->element[1]->str,
                      fields->element[5]->str);
    freeReplyObject(last);
    ck_assert_int_eq(deliver_ten(), EVS_E_STATE);
    check_text("other content");
}
END_TEST

START_TEST(other_writer_in_the_stream)
{
    server_redis_tell(&server, "XADD %s * some thing", KEY); /* its id is the time, far above */
    ck_assert_int_eq(deliver_ten(), EVS_E_STATE);
    check_text("another writer");
    server_redis_tell(&server, "DEL %s", KEY);
    void *sink = open_sink((struct settings){.epoch = 1000});
    struct feed feed = {.epoch = 1000, .from = 0, .to = 10};
    must_deliver(sink, &feed);
    server_redis_tell(&server, "XADD %s 1000-10 some thing", KEY);
    feed.from = 10;
    feed.to = 20;
    ck_assert_int_eq(deliver(sink, &feed), EVS_E_STATE);
    check_text("one writer");
    evs_sink_redis.close(sink);
}
END_TEST

START_TEST(no_stream_in_the_way)
{
    server_redis_tell(&server, "SET %s text", KEY);
    ck_assert_int_eq(deliver_ten(), EVS_E_STATE);
    check_text("must be a stream");
}
END_TEST

START_TEST(wrong_url_is_found_early)
{
    struct evs_option_value values[8] = {0};
    for (size_t i = 0; evs_sink_redis.options[i].name != NULL; i++) {
        values[i].option = &evs_sink_redis.options[i];
        if (strcmp(values[i].option->name, "url") == 0) {
            values[i].is_set = true;
            values[i].text = EVS_SLICE("http://host");
        }
    }
    const void *config = NULL;
    ck_assert_int_eq(evs_sink_redis.configure(values, &arena, &config, &error), EVS_E_USAGE);
}
END_TEST

int main(void)
{
    if (!server_redis_is_installed()) {
        puts("SKIP sink_redis: redis-server is not installed");
        return 77;
    }
    Suite *suite = suite_create("sink_redis");
    TCase *cases = tcase_create("sink_redis");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, each_message_is_one_entry);
    tcase_add_test(cases, window_is_bounded);
    tcase_add_test(cases, steady_state_allocates_nothing);
    tcase_add_test(cases, keys_from_a_template);
    tcase_add_test(cases, maxlen_bounds_the_stream);
    tcase_add_test(cases, memory_state_has_ids_of_its_own);
    tcase_add_test(cases, next_owner_sends_the_rest);
    tcase_add_test(cases, terms_follow_each_other);
    tcase_add_test(cases, connection_cut_at_each_request);
    tcase_add_test(cases, each_reply_lost);
    tcase_add_test(cases, server_killed_at_each_request);
    tcase_add_test(cases, function_lost_at_each_request);
    tcase_add_test(cases, one_message_refused_between_accepted_ones);
    tcase_add_test(cases, consumer_deletes_what_is_sent_again);
    tcase_add_test(cases, lost_tail_goes_back_to_the_last_commit);
    tcase_add_test(cases, a_restart_that_forgets_nothing_is_no_reason_to_go_back);
    tcase_add_test(cases, lost_tail_of_another_server_is_survived);
    tcase_add_test(cases, unreachable_ends_with_the_retry_time);
    tcase_add_test(cases, other_content_under_the_id);
    tcase_add_test(cases, other_writer_in_the_stream);
    tcase_add_test(cases, no_stream_in_the_way);
    tcase_add_test(cases, wrong_url_is_found_early);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
