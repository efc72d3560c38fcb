/* The parts of the NATS connectors that need no server: the protocol's parser, JSON answers, addresses, subjects, and the search for a fork
 * against a naive one. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "nats_api.h"
#include "nats_json.h"
#include "nats_protocol.h"
#include "nats_reader.h"

static bool is(struct evs_slice slice, const char *text)
{
    return evs_slice_equal(slice, evs_slice_of(text));
}

/* --- protocol ---------------------------------------------------------------------------------------------------------- */

START_TEST(parses_frames_cut_anywhere)
{
    static const char bytes[] = "INFO {\"max_payload\":1048576} \r\n"
                                "MSG clicks.7.web 12 $JS.ACK.C.d.1.5.4.170.0 6\r\nab\r\ncd\r\n"
                                "HMSG a.b 3 r 22 24\r\nNATS/1.0\r\nA: bcdef\r\n\r\nhi\r\n"
                                "HMSG inbox 4 16 16\r\nNATS/1.0 408\r\n\r\n\r\n"
                                "msg x 5 0\r\n\r\n"
                                "PING\r\n+OK\r\nPONG\r\n-ERR 'Stale Connection'\r\n";
    static const enum evs_nats_verb expected[] = {EVS_NATS_INFO,     EVS_NATS_MSG,  EVS_NATS_MSG,
                                                  EVS_NATS_MSG,      EVS_NATS_MSG,  EVS_NATS_PING,
                                                  EVS_NATS_ACCEPTED, EVS_NATS_PONG, EVS_NATS_REFUSED};
    size_t at = 0;
    for (size_t i = 0; i < EVS_COUNT(expected); i++) {
        struct evs_nats_frame frame;
        size_t whole = 0;
        /* Each prefix lives in memory of exactly its size, so that the sanitizer sees a byte too many. */
        for (size_t count = 0; whole == 0; count++) {
            ck_assert_uint_le(at + count, sizeof bytes - 1);
            char *prefix = malloc(count + 1);
            memcpy(prefix, bytes + at, count);
            enum evs_nats_verb verb = count == 0 ? EVS_NATS_INCOMPLETE : evs_nats_frame_parse(prefix, count, &frame);
            if (verb != EVS_NATS_INCOMPLETE) {
                ck_assert_int_eq(verb, expected[i]);
                ck_assert_uint_eq(frame.bytes, count);
                whole = count;
            } else if (count > 0 && frame.bytes != 0) {
                ck_assert_uint_gt(frame.bytes, count);
            }
            free(prefix);
        }
        ck_assert_int_eq(evs_nats_frame_parse(bytes + at, sizeof bytes - 1 - at, &frame), expected[i]);
        const struct evs_nats_message *m = &frame.message;
        switch (i) {
        case 0:
            ck_assert(is(frame.text, "{\"max_payload\":1048576}"));
            break;
        case 1:
            ck_assert(is(m->subject, "clicks.7.web") && is(m->reply, "$JS.ACK.C.d.1.5.4.170.0") &&
                      is(m->payload, "ab\r\ncd"));
            ck_assert(m->sid == 12 && m->headers.count == 0 && m->status == 0);
            break;
        case 2:
            ck_assert(is(m->subject, "a.b") && is(m->reply, "r") && is(m->payload, "hi") && m->status == 0);
            ck_assert(is(m->headers, "NATS/1.0\r\nA: bcdef\r\n\r\n"));
            break;
        case 3:
            ck_assert(is(m->subject, "inbox") && m->reply.count == 0 && m->payload.count == 0 && m->status == 408);
            break;
        case 4:
            ck_assert(is(m->subject, "x") && m->payload.count == 0 && m->sid == 5);
            break;
        case 8:
            ck_assert(is(frame.text, "Stale Connection"));
            break;
        default:
            break;
        }
        at += whole;
    }
    ck_assert_uint_eq(at, sizeof bytes - 1);
}
END_TEST

START_TEST(refuses_what_is_no_protocol)
{
    static const char *const broken[] = {
        "HTTP/1.1 400 Bad Request\r\n",
        "MSG a\r\n",
        "MSG a b 3\r\nabc\r\n",
        "MSG a 1 -3\r\n",
        "MSG a 1 r x 3\r\nabc\r\n",
        "MSG a 1 3\r\nabcde\r\n",
        "MSG a 1 99999999999999999999\r\n",
        "MSG a 1 999999999\r\n",
        "HMSG a 1 9 3\r\nabc\r\n",
        "HMSG a 1 3\r\nabc\r\n",
        "\r\n",
        "MSG a 99999999999999999999999 1\r\n",
        "HMSG a 1 5 0\r\n\r\n",
    };
    for (size_t i = 0; i < EVS_COUNT(broken); i++) {
        struct evs_nats_frame frame;
        ck_assert_msg(evs_nats_frame_parse(broken[i], strlen(broken[i]), &frame) == EVS_NATS_BROKEN, "%s", broken[i]);
    }
}
END_TEST

START_TEST(reads_delivery_subjects)
{
    static const struct {
        const char *reply;
        bool understood;
        uint64_t stream, consumer, pending;
        int64_t us;
    } rows[] = {
        {"$JS.ACK.CLICKS.c1.1.105.4.1700000000123456789.17", true, 105, 4, 17, 1700000000123456},
        {"$JS.ACK.hub.ACCHASH.CLICKS.c1.1.105.4.1700000000123456789.17", true, 105, 4, 17, 1700000000123456},
        {"$JS.ACK.hub.ACCHASH.CLICKS.c1.1.105.4.1700000000123456789.17.rnd", true, 105, 4, 17, 1700000000123456},
        {"$JS.ACK.CLICKS.c1.1.105.4.170", false, 0, 0, 0, 0},
        {"$JS.ACK.a.CLICKS.c1.1.105.4.170.3", false, 0, 0, 0, 0},
        {"$JS.ACK.CLICKS.c1.1.x.4.170.3", false, 0, 0, 0, 0},
        {"_INBOX.a.b.c.d.e.f.g.h", false, 0, 0, 0, 0},
        {"", false, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < EVS_COUNT(rows); i++) {
        struct evs_nats_delivery d;
        ck_assert_msg(evs_nats_delivery_parse(evs_slice_of(rows[i].reply), &d) == rows[i].understood, "%s",
                      rows[i].reply);
        if (rows[i].understood) {
            ck_assert(d.stream_sequence == rows[i].stream && d.consumer_sequence == rows[i].consumer);
            ck_assert(d.pending == rows[i].pending && d.time_us == rows[i].us);
        }
    }
}
END_TEST

START_TEST(reads_header_blocks)
{
    struct evs_slice block = EVS_SLICE(
                         "NATS/1.0 409 Message Size Exceeds MaxBytes\r\nNats-Pending-Messages: 12\r\nempty:\r\n\r\n"),
                     value;
    ck_assert_uint_eq(evs_nats_header_status(block, &value), 409);
    ck_assert(is(value, "Message Size Exceeds MaxBytes"));
    ck_assert(evs_nats_header(block, "nats-pending-messages", &value) && is(value, "12"));
    ck_assert(evs_nats_header(block, "Empty", &value) && value.count == 0);
    ck_assert(!evs_nats_header(block, "Nats-Pending", &value));
    ck_assert(!evs_nats_header(EVS_SLICE(""), "a", &value));
    ck_assert_uint_eq(evs_nats_header_status(EVS_SLICE("NATS/1.0\r\nA: b\r\n\r\n"), &value), 0);
    ck_assert_uint_eq(evs_nats_header_status(EVS_SLICE("NATS/1.0 40x\r\n\r\n"), &value), 0);
}
END_TEST

/* --- addresses and subjects --------------------------------------------------------------------------------------------- */

START_TEST(understands_addresses)
{
    struct evs_nats_server servers[EVS_NATS_SERVERS_MAX];
    struct evs_arena arena = {0};
    struct evs_error error;
    uint32_t count;
    const char *urls =
        "localhost, nats://n1:5222 ,tls://me:p%40ss%3aw@[::1]:4333/,nats://tok%65n@h,nats://a:b@c@host:1";
    ck_assert_int_eq(evs_nats_urls_parse(urls, &arena, servers, &count, &error), EVS_OK);
    ck_assert_uint_eq(count, 5);
    ck_assert_str_eq(servers[0].host, "localhost");
    ck_assert_str_eq(servers[0].port, "4222");
    ck_assert(servers[0].user == NULL && !servers[0].tls);
    ck_assert_str_eq(servers[1].host, "n1");
    ck_assert_str_eq(servers[1].port, "5222");
    ck_assert_str_eq(servers[2].host, "::1");
    ck_assert_str_eq(servers[2].port, "4333");
    ck_assert_str_eq(servers[2].user, "me");
    ck_assert_str_eq(servers[2].password, "p@ss:w");
    ck_assert(servers[2].tls);
    ck_assert_str_eq(servers[3].user, "token");
    ck_assert_ptr_null(servers[3].password);
    ck_assert_str_eq(servers[4].password, "b@c");
    ck_assert_str_eq(servers[4].host, "host");
    ck_assert_int_eq(evs_nats_urls_parse(NULL, &arena, servers, &count, &error), EVS_OK);
    ck_assert_str_eq(servers[0].port, "4222");
    static const char *const wrong[] = {"http://u:secret@host", "nats://",     "nats://u:secret@",
                                        "nats://host:p",        "nats://[::1", "host:"};
    for (size_t i = 0; i < EVS_COUNT(wrong); i++) {
        ck_assert_msg(evs_nats_urls_parse(wrong[i], &arena, servers, &count, &error) == EVS_E_USAGE, "%s", wrong[i]);
        ck_assert_ptr_null(strstr(error.text, "secret"));
    }
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(narrows_a_subject_to_a_partition)
{
    static const struct {
        const char *subject;
        uint32_t token;
        const char *filter; /* of partition 7; NULL: refused */
    } rows[] = {
        {"clicks.>", 2, "clicks.7.>"},
        {"clicks.*", 2, "clicks.7"},
        {"clicks.*.web", 2, "clicks.7.web"},
        {"", 2, "*.7.>"},
        {">", 1, "7.>"},
        {">", 3, "*.*.7.>"},
        {"a.*.*.b", 3, "a.*.7.b"},
        {"clicks", 2, NULL},
        {"clicks.web", 2, NULL},
        {"clicks.7.web", 2, "clicks.7.web"},
        {"clicks.77.web", 2, NULL},
    };
    for (size_t i = 0; i < EVS_COUNT(rows); i++) {
        char filter[64] = "";
        bool made = evs_nats_partition_filter(rows[i].subject, rows[i].token, 7, filter, sizeof filter);
        ck_assert_msg(made == (rows[i].filter != NULL), "%s", rows[i].subject);
        ck_assert_msg(!made || strcmp(filter, rows[i].filter) == 0, "%s gives %s", rows[i].subject, filter);
    }
    char small[8];
    ck_assert(!evs_nats_partition_filter("a.longer.subject.*", 4, 7, small, sizeof small));
}
END_TEST

START_TEST(knows_which_subjects_end_at_the_partition)
{
    static const struct {
        const char *subject;
        uint32_t token;
        const char *exact; /* NULL: none do */
    } rows[] = {
        {"clicks.>", 2, "clicks.*"}, {"", 2, "*.*"},          {">", 3, "*.*.*"},         {"a.*.>", 3, "a.*.*"},
        {"clicks.*", 2, NULL},       {"clicks.*.>", 2, NULL}, {"clicks.*.web", 2, NULL}, {"a.b.>", 2, NULL},
    };
    for (size_t i = 0; i < EVS_COUNT(rows); i++) {
        char exact[64] = "";
        bool ends = evs_nats_subject_ends_at(rows[i].subject, rows[i].token, exact, sizeof exact);
        ck_assert_msg(ends == (rows[i].exact != NULL), "%s", rows[i].subject);
        ck_assert_msg(!ends || strcmp(exact, rows[i].exact) == 0, "%s gives %s", rows[i].subject, exact);
    }
}
END_TEST

START_TEST(knows_which_subjects_a_pattern_covers)
{
    static const struct {
        const char *pattern, *subject;
        bool covers;
    } rows[] = {
        {"clicks.>", "clicks.>", true},
        {"clicks.>", "clicks.*.web", true},
        {"clicks.*", "clicks.>", false},
        {">", "a", true},
        {"a.b", "a.b", true},
        {"a.b", "a.*", false},
        {"a.*", "a.b", true},
        {"a.*", "a.b.c", false},
        {"a.>", "a", false},
        {"ab", "a", false},
    };
    for (size_t i = 0; i < EVS_COUNT(rows); i++) {
        ck_assert_msg(evs_nats_subject_covers(rows[i].pattern, rows[i].subject) == rows[i].covers, "%s %s",
                      rows[i].pattern, rows[i].subject);
    }
}
END_TEST

/* --- answers ------------------------------------------------------------------------------------------------------------ */

START_TEST(finds_members_of_json)
{
    struct evs_slice json = EVS_SLICE(
                         " {\"a\" : {\"b\":[1, {\"x\":\"}\\\"]\"},\"th\\u0069rd\\n\"], \"n\":18446744073709551615},"
                         "\"t\":\"2026-01-05T10:00:00.123456789Z\",\"yes\":true,\"neg\":-3,\"s\":\"aGVsbG8=\"}"),
                     value;
    char text[32];
    ck_assert(evs_nats_json_find(json, "a.b", &value));
    ck_assert(evs_nats_json_element(value, 1, &value) && is(value, "{\"x\":\"}\\\"]\"}"));
    ck_assert(evs_nats_json_string(value, "x", text, sizeof text));
    ck_assert_str_eq(text, "}\"]");
    ck_assert(evs_nats_json_find(json, "a.b", &value) && evs_nats_json_element(value, 2, &value));
    ck_assert(evs_nats_json_text(value, text, sizeof text));
    ck_assert_str_eq(text, "third\n");
    ck_assert(evs_nats_json_text(value, text, 3));
    ck_assert_str_eq(text, "th");
    ck_assert(evs_nats_json_find(json, "a.b", &value) && !evs_nats_json_element(value, 3, &value));
    ck_assert_uint_eq(evs_nats_json_uint(json, "a.n", 1), UINT64_MAX);
    ck_assert_uint_eq(evs_nats_json_uint(json, "neg", 5), 5);
    ck_assert_uint_eq(evs_nats_json_uint(json, "none", 6), 6);
    ck_assert_int_eq(evs_nats_json_time_us(json, "t"), 1767607200123456);
    ck_assert(evs_nats_json_true(json, "yes") && !evs_nats_json_true(json, "neg"));
    struct evs_buffer out = {0};
    ck_assert(evs_nats_json_find(json, "s", &value) && evs_nats_json_base64(value, &out));
    ck_assert(is((struct evs_slice){out.data, out.count}, "hello"));
    out.count = 0;
    evs_nats_json_quote(&out, EVS_SLICE("a\"\\\n"));
    ck_assert(is((struct evs_slice){out.data, out.count}, "\"a\\\"\\\\\\u000a\""));
    evs_buffer_fini(&out);
}
END_TEST

/* Every prefix and every single-byte change of an answer is read without leaving its bytes. */
START_TEST(survives_broken_json)
{
    static const char json[] = "{\"config\":{\"subjects\":[\"a\",\"b\\\"\"],\"max\":1},\"state\":{\"first_seq\":12}}";
    size_t count = sizeof json - 1;
    for (size_t cut = 0; cut <= count; cut++) {
        for (uint32_t byte = 0; byte < 8; byte++) {
            char *copy = malloc(count);
            memcpy(copy, json, count);
            copy[cut % count] = "\"\\{}[],:"[byte];
            struct evs_slice slice = {copy, byte == 0 ? cut : count}, value;
            if (evs_nats_json_find(slice, "config.subjects", &value)) {
                (void)evs_nats_json_element(value, 1, &value);
            }
            (void)evs_nats_json_uint(slice, "state.first_seq", 0);
            free(copy);
        }
    }
}
END_TEST

START_TEST(reads_stored_messages_and_errors)
{
    struct evs_buffer scratch = {0};
    struct evs_nats_mark mark;
    struct evs_nats_api_error failure;
    ck_assert(evs_nats_api_stored(
        EVS_SLICE("{\"message\":{\"subject\":\"a\",\"seq\":9,\"data\":\"aGk=\",\"time\":\"1970-01-01T00:00:01.5Z\"}}"),
        &scratch, &mark));
    ck_assert(mark.sequence == 9 && mark.time_us == 1500000 && mark.fingerprint == evs_fingerprint(EVS_SLICE("hi")));
    ck_assert(evs_nats_api_stored(EVS_SLICE("{\"message\":{\"seq\":9,\"time\":\"1970-01-01T00:00:01.5Z\"}}"), &scratch,
                                  &mark));
    ck_assert_uint_eq(mark.fingerprint, evs_fingerprint(EVS_SLICE("")));
    ck_assert(!evs_nats_api_stored(EVS_SLICE("{\"message\":{\"seq\":9,\"data\":\"a-\"}}"), &scratch, &mark));
    struct evs_nats_message answer = {
        .payload = EVS_SLICE("{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}")};
    ck_assert(evs_nats_api_failed(&answer, &failure) && failure.code == 404 &&
              failure.number == EVS_NATS_E_STREAM_NOT_FOUND);
    ck_assert_str_eq(failure.text, "stream not found");
    answer = (struct evs_nats_message){.status = 503};
    ck_assert(evs_nats_api_failed(&answer, &failure) && failure.code == 503);
    answer = (struct evs_nats_message){.payload = EVS_SLICE("{\"success\":true}")};
    ck_assert(!evs_nats_api_failed(&answer, &failure));
    evs_buffer_fini(&scratch);
}
END_TEST

/* nats-server ignores what it does not know: an echo that differs is found. */
START_TEST(compares_the_echoed_consumer)
{
    struct evs_nats_consumer consumer = {.stream = "S", .name = "c", .filter = "a.7.>", .start_sequence = 12};
    const char *difference;
    ck_assert(evs_nats_api_consumer_is(EVS_SLICE("{\"config\":{\"ack_policy\":\"none\",\"filter_subject\":\"a.7.>\","
                                                 "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":12}}"),
                                       &consumer, &difference));
    ck_assert(!evs_nats_api_consumer_is(
        EVS_SLICE("{\"config\":{\"ack_policy\":\"none\",\"deliver_policy\":\"by_start_sequence\","
                  "\"opt_start_seq\":12}}"),
        &consumer, &difference));
    ck_assert_str_eq(difference, "filter_subject");
    ck_assert(!evs_nats_api_consumer_is(EVS_SLICE("{\"config\":{\"ack_policy\":\"none\",\"filter_subject\":\"a.7.>\","
                                                  "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":1}}"),
                                        &consumer, &difference));
    ck_assert_str_eq(difference, "opt_start_seq");
}
END_TEST

/* --- the fork ----------------------------------------------------------------------------------------------------------- */

/* A connection on which the answer to the request before comes first, late. */
struct late_wire {
    struct evs_nats_wire base;
    char inbox[160], before[160]; /* of this request, of the one before */
    uint32_t told;
};

static void late_nothing(struct evs_nats_wire *wire)
{
    (void)wire;
}

static void late_state(struct evs_nats_wire *wire, struct evs_nats_wire_state *state)
{
    (void)wire;
    *state = (struct evs_nats_wire_state){.connected = true, .connection = 1, .last_error = ""};
}

static evs_status late_subscribe(struct evs_nats_wire *base, const char *subject, uint64_t sid)
{
    struct late_wire *wire = (struct late_wire *)base;
    ck_assert_uint_eq(sid, EVS_NATS_ASKER_SID);
    memcpy(wire->before, wire->inbox, sizeof wire->before);
    snprintf(wire->inbox, sizeof wire->inbox, "%s", subject);
    wire->told = 0;
    return EVS_OK;
}

static void late_unsubscribe(struct evs_nats_wire *wire, uint64_t sid)
{
    (void)wire;
    (void)sid;
}

static evs_status late_publish(struct evs_nats_wire *base, struct evs_slice subject, struct evs_slice reply,
                               struct evs_slice headers, struct evs_slice payload)
{
    (void)subject;
    (void)headers;
    (void)payload;
    ck_assert(evs_slice_equal(reply, evs_slice_of(((struct late_wire *)base)->inbox)));
    return EVS_OK;
}

static evs_status late_next(struct evs_nats_wire *base, struct evs_nats_message *message)
{
    struct late_wire *wire = (struct late_wire *)base;
    bool is_late = wire->told++ == 0 && wire->before[0] != '\0';
    *message = (struct evs_nats_message){
        .sid = EVS_NATS_ASKER_SID,
        .subject = evs_slice_of(is_late ? wire->before : wire->inbox),
        .payload = is_late ? EVS_SLICE("late") : EVS_SLICE("mine"),
    };
    return EVS_OK;
}

START_TEST(an_answer_belongs_to_its_request)
{
    static const struct evs_nats_wire_type type = {
        .name = "late",
        .drive = late_nothing,
        .state = late_state,
        .subscribe = late_subscribe,
        .unsubscribe = late_unsubscribe,
        .publish = late_publish,
        .next = late_next,
        .release = late_nothing,
    };
    struct late_wire wire = {.base = {&type}};
    struct evs_nats_asker asker = {&wire.base, evs_os_system(), NULL, "_INBOX.me", 0, 5000000, 0};
    for (int i = 0; i < 3; i++) {
        struct evs_nats_message answer;
        ck_assert_int_eq(evs_nats_request(&asker, "$JS.API.INFO", EVS_SLICE(""), &answer, NULL), EVS_OK);
        ck_assert(evs_slice_equal(answer.payload, EVS_SLICE("mine")));
    }
}
END_TEST

/* A server on which the stream is being made while it is asked for, so often. */
struct making_wire {
    struct evs_nats_wire base;
    char inbox[160];
    uint32_t looks, looks_until_made;
};

static evs_status making_subscribe(struct evs_nats_wire *base, const char *subject, uint64_t sid)
{
    struct making_wire *wire = (struct making_wire *)base;
    ck_assert_uint_eq(sid, EVS_NATS_ASKER_SID);
    snprintf(wire->inbox, sizeof wire->inbox, "%s", subject);
    return EVS_OK;
}

static evs_status making_publish(struct evs_nats_wire *base, struct evs_slice subject, struct evs_slice reply,
                                 struct evs_slice headers, struct evs_slice payload)
{
    (void)reply;
    (void)headers;
    (void)payload;
    ((struct making_wire *)base)->looks++;
    ck_assert(evs_slice_equal(subject, EVS_SLICE("$JS.API.STREAM.INFO.NEW")));
    return EVS_OK;
}

static evs_status making_next(struct evs_nats_wire *base, struct evs_nats_message *message)
{
    struct making_wire *wire = (struct making_wire *)base;
    bool is_made = wire->looks > wire->looks_until_made;
    *message = (struct evs_nats_message){
        .sid = EVS_NATS_ASKER_SID,
        .subject = evs_slice_of(wire->inbox),
        .payload = is_made ? EVS_SLICE("{\"created\":\"2026-01-05T10:00:00Z\",\"config\":{\"storage\":\"file\"}}")
                           : EVS_SLICE("{\"created\":\"0001-01-01T00:00:00Z\",\"config\":{\"storage\":\"file\"}}"),
    };
    return EVS_OK;
}

START_TEST(a_stream_that_is_being_made_is_waited_for)
{
    static const struct evs_nats_wire_type type = {
        .name = "making",
        .drive = late_nothing,
        .state = late_state,
        .subscribe = making_subscribe,
        .unsubscribe = late_unsubscribe,
        .publish = making_publish,
        .next = making_next,
        .release = late_nothing,
    };
    struct making_wire wire = {.base = {&type}, .looks_until_made = 3};
    struct evs_nats_asker asker = {&wire.base, evs_os_system(), NULL, "_INBOX.me", 0, 5000000, 0};
    struct evs_nats_stream_info info;
    ck_assert_int_eq(evs_nats_find_stream(&asker, "$JS.API", "NEW", &info, NULL), EVS_OK);
    ck_assert_int_eq(info.created_us, INT64_C(1767607200000000));
    ck_assert_uint_eq(wire.looks, 4);
}
END_TEST

START_TEST(history_forgets_by_age_and_rewinds)
{
    struct evs_nats_history history = {0};
    for (uint64_t i = 1; i <= 5000; i++) {
        evs_nats_history_push(&history, (struct evs_nats_mark){i, (int64_t)i * 100000, 1}); /* ten a second */
    }
    evs_nats_history_trim(&history);
    ck_assert_uint_eq(history.count, 1801); /* 180 s and the newest */
    ck_assert_uint_eq(evs_nats_history_at(&history, 0)->sequence, 3200);
    evs_nats_history_rewind(&history, 4000);
    ck_assert_uint_eq(evs_nats_history_at(&history, history.count - 1)->sequence, 4000);
    evs_nats_history_rewind(&history, 10);
    ck_assert_uint_eq(history.count, 0);
    evs_nats_history_push(&history, (struct evs_nats_mark){11, 1, 1});
    ck_assert_uint_eq(history.count, 1);
    evs_nats_history_fini(&history);
}
END_TEST

START_TEST(history_is_bounded)
{
    struct evs_nats_history history = {0};
    for (uint64_t i = 1; i <= EVS_NATS_MARKS_MAX + 10; i++) {
        evs_nats_history_push(&history, (struct evs_nats_mark){i, 1, 1});
    }
    ck_assert_uint_eq(history.count, EVS_NATS_MARKS_MAX);
    ck_assert_uint_eq(evs_nats_history_at(&history, 0)->sequence, 11);
    evs_nats_history_fini(&history);
}
END_TEST

#define LOG_MAX 400

/* A stream now: which message stands at a sequence (0: none). Version 1 is what we read. */
struct fake_log {
    uint32_t version[LOG_MAX + 1];
    uint64_t first, last;
    uint32_t asked;
};

static enum evs_nats_verdict judge(struct fake_log *log, const struct evs_nats_history *history, uint64_t *fork)
{
    struct evs_nats_check check;
    uint64_t sequence = 0;
    evs_status status = evs_nats_check_begin(&check, history, log->first, (int64_t)log->first, log->last, &sequence);
    log->asked = 0;
    while (status == EVS_MORE) {
        ck_assert(sequence >= 1 && sequence <= log->last);
        ck_assert_uint_lt(log->asked++, 500);
        struct evs_nats_mark stored = {sequence, (int64_t)sequence, log->version[sequence]};
        status = evs_nats_check_answer(&check, log->version[sequence] == 0 || sequence < log->first ? NULL : &stored,
                                       &sequence);
    }
    ck_assert_int_eq(status, EVS_OK);
    *fork = check.fork;
    return check.verdict;
}

/* xorshift64: the same rounds in every run */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void expect_marks(const struct evs_nats_history *history, const uint64_t *sequences, uint32_t count)
{
    ck_assert_uint_eq(history->count, count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_eq(evs_nats_history_at(history, i)->sequence, sequences[i]);
    }
}

/* A commit of partitions of which not all had found the fork (at 22) yet, partition 0 had. */
START_TEST(marks_of_a_lost_log_are_left_out)
{
    const struct evs_position positions[] = {
        {.partition = 0, .sequence = 20, .time_us = 200, .fingerprint = 1},
        {.partition = 0, .sequence = 25, .time_us = 250, .fingerprint = 1}, /* lost: 24 is younger */
        {.partition = 0, .sequence = 24, .time_us = 400, .fingerprint = 1},
        {.partition = 0, .sequence = 27, .time_us = 440, .fingerprint = 1},
        {.partition = 1, .sequence = 21, .time_us = 210, .fingerprint = 1},
        {.partition = 1, .sequence = 26, .time_us = 260, .fingerprint = 1}, /* lost, but nobody knows yet */
        {.partition = 2, .sequence = 10, .time_us = 100, .fingerprint = 1},
        {.partition = 2, .sequence = 23, .time_us = 390, .fingerprint = 1},
        {.partition = 3, .sequence = 30, .time_us = 500, .fingerprint = 1},
        {.partition = 3, .sequence = 31, .time_us = 490, .fingerprint = 1}, /* the clock went back */
    };
    uint32_t count = sizeof positions / sizeof positions[0];
    struct evs_nats_history history = {0};
    ck_assert_uint_eq(evs_nats_history_of(&history, positions, count, 0), 3);
    expect_marks(&history, (const uint64_t[]){10, 20, 24, 27}, 4);
    evs_nats_history_fini(&history);
    ck_assert_uint_eq(evs_nats_history_of(&history, positions, count, 1), 2);
    expect_marks(&history, (const uint64_t[]){10, 20, 21, 26}, 4); /* 23 is of a later log than its 21 */
    evs_nats_history_fini(&history);
    ck_assert_uint_eq(evs_nats_history_of(&history, positions, count, 3), 2);
    expect_marks(&history, (const uint64_t[]){10, 20, 21, 23, 24, 27, 30, 31}, 8);
    evs_nats_history_fini(&history);
    ck_assert_uint_eq(evs_nats_history_of(&history, positions, count, 4), 0);
    ck_assert_uint_eq(history.count, 0);
}
END_TEST

START_TEST(marks_are_joined)
{
    struct evs_nats_history history = {0}, other = {0};
    for (uint64_t s = 1; s < 4000; s += 2) {
        evs_nats_history_push(&history, (struct evs_nats_mark){s, (int64_t)s, 1});
    }
    for (uint64_t s = 3; s < 5000; s += 3) {
        evs_nats_history_push(&other, (struct evs_nats_mark){s, (int64_t)s, 2});
    }
    evs_nats_history_merge(&history, &other);
    ck_assert_uint_eq(other.count, 0);
    uint32_t at = 0;
    for (uint64_t s = 1; s < 5000; s++) {
        bool first = s < 4000 && s % 2 == 1, second = s % 3 == 0;
        if (first || second) {
            const struct evs_nats_mark *mark = evs_nats_history_at(&history, at++);
            ck_assert_uint_eq(mark->sequence, s);
            ck_assert_uint_eq(mark->fingerprint, first ? 1 : 2);
        }
    }
    ck_assert_uint_eq(history.count, at);
    evs_nats_history_fini(&history);
}
END_TEST

/* Random forks: the search must find the newest message that is still the same, as a scan from the end does. */
START_TEST(finds_the_fork_like_a_scan)
{
    uint64_t random = 7;
    for (uint32_t round = 0; round < 20000; round++) {
        struct fake_log log = {.first = 1};
        struct evs_nats_history history = {0};
        uint64_t read = 1 + next_random(&random) % 200, fork = next_random(&random) % (read + 1),
                 step = 1 + next_random(&random) % 4;
        log.last = fork + next_random(&random) % 150;
        uint64_t oldest = 1 + next_random(&random) % read, expected = 0;
        log.first = next_random(&random) % 3 == 0 ? 1 + next_random(&random) % (log.last + 1) : 1;
        for (uint64_t s = 1; s <= log.last; s++) {
            log.version[s] = s <= fork ? 1 : 2;
        }
        for (uint64_t s = oldest; s <= read; s += step) {
            evs_nats_history_push(&history, (struct evs_nats_mark){s, (int64_t)s, 1});
            expected = s <= fork || s < log.first ? s : expected; /* what limits removed was not lost */
        }
        history.is_whole = next_random(&random) % 4 == 0;
        uint64_t newest = evs_nats_history_at(&history, history.count - 1)->sequence, found;
        enum evs_nats_verdict verdict = judge(&log, &history, &found);
        if (newest <= fork || newest < log.first) {
            ck_assert_int_eq(verdict, EVS_NATS_SAME);
            ck_assert_uint_le(log.asked, 1);
        } else if (expected == 0 && !history.is_whole && oldest > 1) {
            ck_assert_int_eq(verdict, EVS_NATS_UNKNOWN);
        } else {
            ck_assert_int_eq(verdict, EVS_NATS_FORK);
            ck_assert_uint_eq(found, expected);
            ck_assert_uint_le(log.asked, 12);
        }
        evs_nats_history_fini(&history);
    }
}
END_TEST

START_TEST(tells_retention_from_loss)
{
    struct evs_nats_history history = {0};
    uint64_t fork;
    for (uint64_t s = 1; s <= 100; s++) {
        evs_nats_history_push(&history, (struct evs_nats_mark){s, (int64_t)s, 1});
    }
    struct fake_log log = {.first = 150, .last = 300}; /* everything that we read went by age */
    for (uint64_t s = 150; s <= 300; s++) {
        log.version[s] = 1;
    }
    ck_assert_int_eq(judge(&log, &history, &fork), EVS_NATS_SAME);
    log = (struct fake_log){.first = 101, .last = 100}; /* purged: empty, and goes on counting */
    ck_assert_int_eq(judge(&log, &history, &fork), EVS_NATS_SAME);
    log = (struct fake_log){.first = 1, .last = 120}; /* our last three were erased one by one */
    for (uint64_t s = 1; s <= 120; s++) {
        log.version[s] = s >= 98 && s <= 100 ? 0 : 1;
    }
    ck_assert_int_eq(judge(&log, &history, &fork), EVS_NATS_SAME);
    log = (struct fake_log){.first = 0, .last = 0}; /* nothing is left, and it does not even count on */
    ck_assert_int_eq(judge(&log, &history, &fork),
                     EVS_NATS_FORK); /* we know it from its first message on: all of it was lost */
    ck_assert_uint_eq(fork, 0);
    evs_nats_history_fini(&history);
    evs_nats_history_push(&history, (struct evs_nats_mark){100, 100, 1});
    ck_assert_int_eq(judge(&log, &history, &fork), EVS_NATS_UNKNOWN);
    evs_nats_history_fini(&history);
}
END_TEST

START_TEST(a_start_that_was_not_read_vouches_for_nothing)
{
    struct evs_nats_history history = {0};
    uint64_t fork;
    evs_nats_history_push(&history, (struct evs_nats_mark){.sequence = 100});
    struct fake_log log = {.first = 1, .last = 100};
    ck_assert_int_eq(judge(&log, &history, &fork), EVS_NATS_SAME);
    log.last = 90;
    ck_assert_int_eq(judge(&log, &history, &fork), EVS_NATS_FORK);
    ck_assert_uint_eq(fork, 90);
    evs_nats_history_fini(&history);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nats_parts");
    TCase *parts = tcase_create("parts");
    tcase_add_test(parts, parses_frames_cut_anywhere);
    tcase_add_test(parts, refuses_what_is_no_protocol);
    tcase_add_test(parts, reads_delivery_subjects);
    tcase_add_test(parts, reads_header_blocks);
    tcase_add_test(parts, understands_addresses);
    tcase_add_test(parts, narrows_a_subject_to_a_partition);
    tcase_add_test(parts, knows_which_subjects_end_at_the_partition);
    tcase_add_test(parts, knows_which_subjects_a_pattern_covers);
    tcase_add_test(parts, finds_members_of_json);
    tcase_add_test(parts, survives_broken_json);
    tcase_add_test(parts, reads_stored_messages_and_errors);
    tcase_add_test(parts, compares_the_echoed_consumer);
    tcase_add_test(parts, an_answer_belongs_to_its_request);
    tcase_add_test(parts, a_stream_that_is_being_made_is_waited_for);
    tcase_add_test(parts, history_forgets_by_age_and_rewinds);
    tcase_add_test(parts, history_is_bounded);
    tcase_add_test(parts, finds_the_fork_like_a_scan);
    tcase_add_test(parts, marks_of_a_lost_log_are_left_out);
    tcase_add_test(parts, marks_are_joined);
    tcase_add_test(parts, tells_retention_from_loss);
    tcase_add_test(parts, a_start_that_was_not_read_vouches_for_nothing);
    tcase_set_timeout(parts, 100);
    suite_add_tcase(suite, parts);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
