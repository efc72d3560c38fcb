/* The collector's small parts: rates, compressed bodies, parcels and who waits for them, settings, origins, heads of requests, salts. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "config.h"
#include "cors.h"
#include "files.h"
#include "guard.h"
#include "inflate.h"
#include "parcel.h"
#include "rate.h"
#include "salt.h"
#include "suppressed.h"
#include "unit.h"

/* --- rate ------------------------------------------------------------------------------------------------------------------ */

START_TEST(a_rate_holds_on_average)
{
    struct evs_rate rate;
    int64_t now_us = 1000000, wait_us;
    evs_rate_init(&rate, 100, 50, now_us);
    uint64_t taken = 0, random = 1;
    for (; now_us < 101000000; now_us += 1000) {
        uint32_t events = 1 + (uint32_t)(unit_random(&random) % 5);
        taken += evs_rate_take(&rate, events, now_us, &wait_us) ? events : 0;
    }
    ck_assert_uint_ge(taken, 100 * 100);
    ck_assert_uint_le(taken, 100 * 100 + 50 + 5);
}
END_TEST

START_TEST(a_wait_is_as_long_as_told)
{
    struct evs_rate rate;
    int64_t wait_us;
    evs_rate_init(&rate, 10, 20, 0);
    ck_assert(evs_rate_take(&rate, 500, 0, &wait_us)); /* larger than the burst: once, and paid for */
    ck_assert(!evs_rate_take(&rate, 1, 0, &wait_us));
    ck_assert_int_ge(wait_us, 48000000);
    ck_assert(!evs_rate_take(&rate, 1, wait_us - 200000, &(int64_t){0}));
    ck_assert(evs_rate_take(&rate, 1, wait_us, &(int64_t){0}));
    evs_rate_init(&rate, 0, 0, 0);
    for (int i = 0; i < 1000; i++) {
        ck_assert(evs_rate_take(&rate, 1000000, 0, &wait_us));
    }
}
END_TEST

/* --- inflate ----------------------------------------------------------------------------------------------------------------- */

static void deflate_member(struct evs_slice text, struct evs_buffer *out)
{
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    evs_buffer_reserve(out, deflateBound(&stream, text.count) + 64);
    stream.next_in = (Bytef *)(uintptr_t)text.data;
    stream.avail_in = (uInt)text.count;
    stream.next_out = (Bytef *)out->data + out->count;
    stream.avail_out = (uInt)(out->capacity - out->count);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out->count += stream.total_out;
    deflateEnd(&stream);
}

START_TEST(a_body_inflates_up_to_its_limit)
{
    struct evs_buffer text = {0}, packed = {0}, out = {0};
    for (int i = 0; i < 50000; i++) {
        evs_buffer_printf(&text, "{\"event\":%d}", i);
    }
    deflate_member((struct evs_slice){text.data, text.count}, &packed);
    struct evs_slice body = {packed.data, packed.count};
    ck_assert(evs_inflate_is_gzip(body) && !evs_inflate_is_gzip(EVS_SLICE("{")));
    ck_assert_int_eq(evs_inflate(body, text.count, &out), EVS_OK);
    ck_assert(out.count == text.count && memcmp(out.data, text.data, text.count) == 0);
    out.count = 0;
    ck_assert_int_eq(evs_inflate(body, text.count - 1, &out), EVS_E_LIMIT);
    ck_assert_uint_le(out.count, text.count);
    for (size_t cut = 2; cut < packed.count; cut += 997) {
        out.count = 0;
        ck_assert_int_eq(evs_inflate((struct evs_slice){packed.data, cut}, 1 << 30, &out), EVS_E_CORRUPT);
    }
    packed.data[packed.count / 2] ^= 1;
    out.count = 0;
    ck_assert_int_eq(evs_inflate(body, 1 << 30, &out), EVS_E_CORRUPT);
    evs_buffer_fini(&text);
    evs_buffer_fini(&packed);
    evs_buffer_fini(&out);
}
END_TEST

START_TEST(members_in_a_row_are_one_text)
{
    struct evs_buffer packed = {0}, out = {0};
    deflate_member(EVS_SLICE("[1,"), &packed);
    deflate_member(EVS_SLICE("2]"), &packed);
    ck_assert_int_eq(evs_inflate((struct evs_slice){packed.data, packed.count}, 100, &out), EVS_OK);
    ck_assert(evs_slice_equal((struct evs_slice){out.data, out.count}, EVS_SLICE("[1,2]")));
    out.count = 0;
    ck_assert_int_eq(evs_inflate((struct evs_slice){packed.data, packed.count}, 4, &out), EVS_E_LIMIT);
    evs_buffer_fini(&packed);
    evs_buffer_fini(&out);
}
END_TEST

/* --- parcels ------------------------------------------------------------------------------------------------------------------- */

struct waiting {
    struct evs_ticket ticket;
    uint32_t settled;
    bool failed;
};

static void on_settled(struct evs_ticket *ticket)
{
    struct waiting *waiting = (struct waiting *)ticket;
    waiting->settled++;
    waiting->failed = ticket->failed;
}

static struct waiting waiting_new(void)
{
    return (struct waiting){.ticket = {.open = 1, .settled = on_settled}};
}

START_TEST(a_request_is_settled_with_its_last_parcel)
{
    struct evs_parcels *parcels = evs_parcels_new(1000);
    struct waiting one = waiting_new(), two = waiting_new();
    ck_assert_ptr_null(evs_parcels_add(parcels, "clicks.0.a", EVS_SLICE("{1}"), EVS_SLICE("1"), &one.ticket));
    ck_assert_ptr_null(evs_parcels_add(parcels, "clicks.1.a", EVS_SLICE("{2}"), EVS_SLICE("2"), &one.ticket));
    ck_assert_ptr_null(evs_parcels_add(parcels, "clicks.0.a", EVS_SLICE("{3}"), EVS_SLICE("3"), &one.ticket));
    evs_ticket_close(&one.ticket, true);
    ck_assert_ptr_null(evs_parcels_add(parcels, "clicks.0.a", EVS_SLICE("{4}"), EVS_SLICE("4"), &two.ticket));
    evs_ticket_close(&two.ticket, true);
    struct evs_parcel *first = evs_parcels_close(parcels), *second = evs_parcels_close(parcels);
    ck_assert(evs_parcels_is_empty(parcels) && evs_parcels_close(parcels) == NULL);
    ck_assert(evs_slice_equal((struct evs_slice){first->lines.data, first->lines.count}, EVS_SLICE("{1}\n{3}\n{4}")));
    ck_assert_uint_eq(first->event_count, 3);
    evs_parcel_settle(first, false);
    ck_assert(two.settled == 1 && two.failed && one.settled == 0);
    evs_parcel_settle(second, true);
    ck_assert(one.settled == 1 && one.failed);
    struct waiting empty = waiting_new();
    evs_ticket_close(&empty.ticket, true);
    ck_assert(empty.settled == 1 && !empty.failed);
    evs_parcels_free(parcels);
}
END_TEST

START_TEST(parcels_close_when_full_and_carry_their_events_hash)
{
    struct evs_hash128 ids[3];
    for (int turn = 0; turn < 3; turn++) {
        struct evs_parcels *parcels = evs_parcels_new(10);
        struct waiting waiting = waiting_new();
        struct evs_slice id = turn == 2 ? EVS_SLICE("other") : EVS_SLICE("id");
        ck_assert_ptr_null(evs_parcels_add(parcels, "s", EVS_SLICE("12345"), id, &waiting.ticket));
        struct evs_parcel *full = evs_parcels_add(parcels, "s", EVS_SLICE("67890"), EVS_SLICE("x"), &waiting.ticket);
        ck_assert_ptr_nonnull(full);
        ids[turn] = full->id;
        ck_assert_ptr_null(evs_parcels_add(parcels, "t", EVS_SLICE("larger than the limit"), id, &waiting.ticket));
        evs_parcel_settle(full, true);
        for (struct evs_parcel *parcel; (parcel = evs_parcels_close(parcels)) != NULL;) {
            evs_parcel_settle(parcel, true);
        }
        evs_ticket_close(&waiting.ticket, true);
        ck_assert_uint_eq(waiting.settled, 1);
        evs_parcels_free(parcels);
    }
    ck_assert(ids[0].low == ids[1].low && ids[0].high == ids[1].high);
    ck_assert(ids[0].low != ids[2].low);
}
END_TEST

/* --- settings -------------------------------------------------------------------------------------------------------------------- */

static evs_status parse(struct evs_config *config, const char *text, struct evs_error *error)
{
    return evs_config_parse(config, "f.conf", evs_slice_of(text), error);
}

START_TEST(a_file_fills_what_options_left)
{
    struct evs_config config;
    struct evs_error error;
    evs_config_init(&config);
    ck_assert(config.partitions == 16 && config.linger_us == 2000 && config.body_bytes == 4 << 20);
    ck_assert_int_eq(evs_config_set(&config, EVS_SETTING_ID_LINGER, "7ms", &error), EVS_OK);
    ck_assert_int_eq(evs_config_set(&config, EVS_SETTING_ID_LISTEN, ":1", &error), EVS_OK);
    evs_status status = parse(&config,
                              "# comment\r\n\n linger = 9ms \npartitions=32\nlisten = :2\ncreate = true\nip = drop\n"
                              "[source web]\nkey = a = b\nrate = 5\n[source app]\nkey = c\n[source web]\nkey = d\n"
                              "allow-origin = https://x.example",
                              &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    ck_assert_msg(evs_config_finish(&config, &error) == EVS_OK, "%s", error.text);
    ck_assert(config.linger_us == 7000 && config.partitions == 32 && config.create && config.ip == 1);
    ck_assert(config.listen.count == 2 && strcmp(config.listen.items[1], ":2") == 0);
    const struct evs_config_source *web = evs_config_source(&config, "web");
    ck_assert(web->keys.count == 2 && strcmp(web->keys.items[0], "a = b") == 0 && web->rate == 5);
    ck_assert(web->origins.count == 1 && evs_config_source(&config, "app")->keys.count == 1);
    ck_assert_ptr_null(evs_config_source(&config, "none"));
    evs_config_fini(&config);
}
END_TEST

START_TEST(a_wrong_line_is_named)
{
    static const char *const cases[][2] = {
        {"linger 5", "f.conf:1: a line is"},
        {"\n\nlingr = 5ms", "f.conf:3: there is no setting `lingr`"},
        {"linger = soon", "f.conf:1: linger takes a duration"},
        {"linger = 1h", "linger: `1h` is too large"},
        {"partitions = 0", "partitions: `0` is too small"},
        {"ip = some", "`some` is no value of ip"},
        {"create = maybe", "create is true or false"},
        {"[source a.b]", "`a.b` is no name of a source"},
        {"[sorce a]", "a section is `[source NAME]`"},
        {"[source a]\nnats = x", "f.conf:2: a source has no setting `nats`"},
    };
    for (uint32_t i = 0; i < EVS_COUNT(cases); i++) {
        struct evs_config config;
        struct evs_error error = {0};
        evs_config_init(&config);
        ck_assert_int_eq(parse(&config, cases[i][0], &error), EVS_E_USAGE);
        ck_assert_msg(strstr(error.text, cases[i][1]) != NULL, "%s: %s", cases[i][0], error.text);
        evs_config_fini(&config);
    }
}
END_TEST

/* --- origins ------------------------------------------------------------------------------------------------------------------------ */

START_TEST(origins_match_their_entries_only)
{
    static const struct {
        const char *entry, *origin;
        bool matches;
    } cases[] = {
        {"*", "https://any.example", true},
        {"https://shop.example", "https://shop.example", true},
        {"https://shop.example", "https://SHOP.example", true},
        {"https://shop.example", "http://shop.example", false},
        {"https://shop.example", "https://shop.example:8443", false},
        {"https://shop.example", "https://shop.example.evil.example", false},
        {"https://*.shop.example", "https://www.shop.example", true},
        {"https://*.shop.example", "https://a.b.Shop.example", true},
        {"https://*.shop.example", "https://shop.example", false},
        {"https://*.shop.example", "https://.shop.example", false},
        {"https://*.shop.example", "https://evilshop.example", false},
        {"https://*.shop.example", "http://www.shop.example", false},
        {"https://*.shop.example", "https://evil.example/.shop.example", false},
        {"https://*.shop.example", "https://www.shop.example.evil.example", false},
        {"https://shop.example", "null", false},
    };
    for (uint32_t i = 0; i < EVS_COUNT(cases); i++) {
        ck_assert_msg(evs_cors_matches(cases[i].entry, cases[i].origin) == cases[i].matches, "%s and %s",
                      cases[i].entry, cases[i].origin);
        ck_assert_msg(evs_cors_is_entry(cases[i].entry), "%s", cases[i].entry);
    }
    static const char *const never[] = {"",
                                        "shop.example",
                                        "://shop.example",
                                        "https://",
                                        "https://*.",
                                        "https://shop.example/",
                                        "https://*",
                                        "https://shop.example, *",
                                        "*.example",
                                        "https://a.*.example",
                                        "https://me@shop.example"};
    for (uint32_t i = 0; i < EVS_COUNT(never); i++) {
        ck_assert_msg(!evs_cors_is_entry(never[i]), "%s", never[i]);
    }
    ck_assert(evs_cors_is_entry("http://localhost:3000") && evs_cors_is_entry("capacitor://localhost") &&
              evs_cors_is_entry("null"));
    ck_assert(evs_cors_is_same("http://localhost:8080", "LOCALHOST:8080"));
    ck_assert(!evs_cors_is_same("http://localhost:8080", "localhost") && !evs_cors_is_same("null", "null"));
}
END_TEST

START_TEST(paths_stay_in_the_folder)
{
    ck_assert(evs_files_is_safe("/") && evs_files_is_safe("/a/b-1.min.js") && evs_files_is_safe("/@x/y.css"));
    ck_assert(!evs_files_is_safe("/../a") && !evs_files_is_safe("/a/../b") && !evs_files_is_safe("/.git/config"));
    ck_assert(!evs_files_is_safe("//etc") && !evs_files_is_safe("/%2e%2e/a") && !evs_files_is_safe("a") &&
              !evs_files_is_safe("/a\\b") && !evs_files_is_safe(""));
}
END_TEST

/* --- heads --------------------------------------------------------------------------------------------------------------------------- */

START_TEST(a_head_ends_at_its_blank_line_however_it_is_cut)
{
    static const char *const heads[] = {"GET / HTTP/1.1\r\nA: b\r\n\r\n", "GET / HTTP/1.1\nA: b\n\n",
                                        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nA: b\n\r\n"};
    for (uint32_t i = 0; i < EVS_COUNT(heads); i++) {
        char text[64];
        size_t end = strlen(heads[i]);
        snprintf(text, sizeof text, "%sbody\r\n\r\n", heads[i]);
        for (size_t first = 0; first < end; first++) {
            ck_assert_uint_eq(evs_guard_head_end(text, first, 0), 0);
            ck_assert_uint_eq(evs_guard_head_end(text, strlen(text), first), end);
        }
    }
}
END_TEST

START_TEST(heads_that_contradict_themselves_are_malformed)
{
    static const struct {
        const char *head;
        bool is_malformed, is_chunked;
        uint64_t bytes;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", false, false, 0},
        {"POST / HTTP/1.1\r\ncontent-length:  17 \r\n\r\n", false, false, 17},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n", false, true, 0},
        {"POST / HTTP/1.1\r\nX-Content-Length: 17\r\n\r\n", false, false, 0},
        {"POST / HTTP/1.1\r\nContent-Length: 17\r\nContent-Length: 17\r\n\r\n", true, false, 17},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", true, true, 1},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", true, true, 0},
        {"POST / HTTP/1.1\r\nContent-Length: 0x10\r\n\r\n", true, false, 0},
        {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", true, false, 0},
        {"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", true, false, 5},
        {"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", false, false, 0},
    };
    for (uint32_t i = 0; i < EVS_COUNT(cases); i++) {
        struct evs_guard_head head;
        evs_guard_parse(cases[i].head, strlen(cases[i].head), &head);
        ck_assert_msg(head.is_malformed == cases[i].is_malformed, "%s", cases[i].head);
        ck_assert_msg(head.is_malformed ||
                          (head.is_chunked == cases[i].is_chunked && head.body_bytes == cases[i].bytes),
                      "%s: %lu", cases[i].head, (unsigned long)head.body_bytes);
    }
    struct evs_slice head = EVS_SLICE("GET / HTTP/1.1\r\nOrigin: \t https://x \r\nHost:y\r\n\r\n");
    ck_assert(evs_slice_equal(evs_guard_header(head, "origin"), EVS_SLICE("https://x")));
    ck_assert(evs_slice_equal(evs_guard_header(head, "Host"), EVS_SLICE("y")));
    ck_assert_ptr_null(evs_guard_header(head, "Hos").data);
}
END_TEST

static void never_full(void *context, bool is_full)
{
    *(bool *)context = is_full;
}

static void refuse_nothing(void *context, struct evs_slice head, enum evs_guard_refusal refusal, struct evbuffer *out)
{
    (void)context;
    (void)head;
    (void)refusal;
    (void)out;
    ck_abort_msg("nothing is refused here");
}

/* Connections end without a word; their numbers come again at once. */
START_TEST(the_guard_knows_who_is_still_there)
{
    struct event_base *base = event_base_new();
    struct evs_guard guard;
    bool is_full = false;
    struct evs_guard_options options = {.os = evs_os_system(),
                                        .base = base,
                                        .limits = {.header_bytes = 1000,
                                                   .body_bytes = 1000,
                                                   .memory_bytes = 1000,
                                                   .header_timeout_us = 60000000,
                                                   .body_timeout_us = 60000000,
                                                   .idle_timeout_us = 60000000,
                                                   .connections_max = 50},
                                        .full = never_full,
                                        .refuse = refuse_nothing,
                                        .context = &is_full};
    evs_guard_init(&guard, &options);
    struct bufferevent *alive[3] = {0};
    int peers[3] = {-1, -1, -1};
    for (int turn = 0; turn < 60; turn++) {
        int pair[2], at = turn / 2 % 3; /* the newest one twice in a row */
        if (alive[at] != NULL) {
            bufferevent_free(alive[at]);
            close(peers[at]);
            ck_assert_int_ge(event_base_loop(base, EVLOOP_NONBLOCK), 0); /* libevent closes it there */
        }
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        alive[at] = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
        evs_guard_watch(&guard, alive[at]);
        ck_assert_int_eq(bufferevent_setfd(alive[at], pair[0]), 0);
        peers[at] = pair[1];
        ck_assert_int_ge(event_base_loop(base, EVLOOP_NONBLOCK), 0);
        if (turn % 9 != 8) {
            continue; /* those that have ended are found by their numbers alone */
        }
        evs_guard_reap(&guard);
        ck_assert_uint_eq(guard.connection_count, 3);
    }
    for (int i = 0; i < 3; i++) {
        bufferevent_free(alive[i]);
        close(peers[i]);
    }
    ck_assert_int_ge(event_base_loop(base, EVLOOP_NONBLOCK), 0);
    evs_guard_reap(&guard);
    ck_assert_uint_eq(guard.connection_count, 0);
    ck_assert(!is_full);
    evs_guard_fini(&guard);
    event_base_free(base);
}
END_TEST

/* --- salts ----------------------------------------------------------------------------------------------------------------------------- */

START_TEST(a_salt_lasts_its_day_and_is_removed)
{
    char folder[] = "/tmp/evs_salt_XXXXXX", path[64];
    uint8_t first[EVS_SALT_BYTES], again[EVS_SALT_BYTES], next[EVS_SALT_BYTES];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert(evs_salt_of_day(folder, 100, first) && evs_salt_of_day(folder, 100, again));
    ck_assert_int_eq(memcmp(first, again, sizeof first), 0);
    ck_assert(evs_salt_of_day(folder, 101, next));
    ck_assert_int_ne(memcmp(first, next, sizeof first), 0);
    struct stat about;
    snprintf(path, sizeof path, "%s/salt-100", folder);
    ck_assert(stat(path, &about) == 0 && (about.st_mode & 0777) == 0600);
    ck_assert(evs_salt_of_day(folder, 102, next));
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert(!evs_salt_of_day("/nowhere/at/all", 1, first));
    ck_assert(evs_salt_of_day(NULL, 1, first));
    unit_remove_folder(folder);
}
END_TEST

/* Hashes in any case, comments, blank lines; a line that is none is named; an empty id is nobody's. */
START_TEST(suppressed_persons)
{
    char path[] = "/tmp/evs-suppressed-XXXXXX";
    int fd = mkstemp(path);
    struct evs_suppressed *set = NULL;
    struct evs_error error = {0};
    FILE *file = fdopen(fd, "w");
    /* somebody, the empty text, root */
    fputs("# people\n\n9BA2B5A9E90DD3B3E9D1E2F2F5F8B0F8F0C5A0A6E8E6B9D2A3C4D5E6F7080910\r\n"
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
          "4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2\n",
          file);
    fclose(file);
    ck_assert_msg(evs_suppressed_read(path, &set, &error) == EVS_OK, "%s", error.text);
    ck_assert(evs_suppressed_has(set, EVS_SLICE("root")));
    ck_assert(!evs_suppressed_has(set, EVS_SLICE("roots")) && !evs_suppressed_has(set, EVS_SLICE("")));
    ck_assert(!evs_suppressed_has(NULL, EVS_SLICE("root")));
    evs_suppressed_free(set);
    file = fopen(path, "w");
    fputs("4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2\n4813\n", file);
    fclose(file);
    ck_assert_int_eq(evs_suppressed_read(path, &set, &error), EVS_E_USAGE);
    ck_assert_ptr_nonnull(strstr(error.text, ":2: "));
    unlink(path);
    ck_assert_int_eq(evs_suppressed_read(path, &set, &error), EVS_E_IO);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("collector_parts");
    TCase *cases = tcase_create("parts");
    tcase_add_test(cases, a_rate_holds_on_average);
    tcase_add_test(cases, a_wait_is_as_long_as_told);
    tcase_add_test(cases, a_body_inflates_up_to_its_limit);
    tcase_add_test(cases, members_in_a_row_are_one_text);
    tcase_add_test(cases, a_request_is_settled_with_its_last_parcel);
    tcase_add_test(cases, parcels_close_when_full_and_carry_their_events_hash);
    tcase_add_test(cases, a_file_fills_what_options_left);
    tcase_add_test(cases, a_wrong_line_is_named);
    tcase_add_test(cases, origins_match_their_entries_only);
    tcase_add_test(cases, paths_stay_in_the_folder);
    tcase_add_test(cases, a_head_ends_at_its_blank_line_however_it_is_cut);
    tcase_add_test(cases, heads_that_contradict_themselves_are_malformed);
    tcase_add_test(cases, the_guard_knows_who_is_still_there);
    tcase_add_test(cases, a_salt_lasts_its_day_and_is_removed);
    tcase_add_test(cases, suppressed_persons);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
