/* The NATS sink against a real nats-server, on both transports: every row is stored once, and every number is acknowledged once. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "option_values.h"
#include "server_nats.h"
#include "sink_nats.h"

#define MESSAGES_MAX 20000
#define DEADLINE_US 60000000

struct sending {
    void *instance;
    struct evs_sink_open open;
    struct evs_arena arena;
    struct evs_error error;
    uint8_t *acknowledged; /* [MESSAGES_MAX + 1]: how often a number was */
    uint32_t acknowledged_count;
    uint64_t sent;
};

static struct server_nats server;
static const char *const transports[] = {"transport=socket", "transport=library"};

static void start_server(void)
{
    server_nats_start(&server, NULL, NULL);
}

static void end_server(void)
{
    server_nats_end(&server);
}

static void sending_init(struct sending *sending, const char *const *said)
{
    *sending = (struct sending){.acknowledged = evs_alloc_zero(MESSAGES_MAX + 1)};
    struct evs_option_value values[OPTION_VALUES_MAX];
    option_values(evs_sink_nats.options, said, values);
    sending->open = (struct evs_sink_open){
        .os = evs_os_system(),
        .log = evs_log_new(evs_os_system(), getenv("EVS_TEST_LOG") != NULL ? EVS_LOG_DEBUG : EVS_LOG_ERROR, false),
        .pipeline = "cart",
        .name = "triggers",
        .nats_url = server.url,
    };
    evs_status status = evs_sink_nats.configure(values, &sending->arena, &sending->open.config, &sending->error);
    ck_assert_msg(status == EVS_OK, "%s", sending->error.text);
}

static evs_status sending_try_open(struct sending *sending)
{
    return evs_sink_nats.open(&sending->open, &sending->instance, &sending->error);
}

static void sending_open(struct sending *sending)
{
    evs_status status = sending_try_open(sending);
    ck_assert_msg(status == EVS_OK, "%s", sending->error.text);
}

static void sending_fini(struct sending *sending)
{
    if (sending->instance != NULL) {
        evs_sink_nats.close(sending->instance);
    }
    evs_log_free(sending->open.log);
    evs_arena_fini(&sending->arena);
    evs_free(sending->acknowledged);
}

/* Row `number`, with an id that depends on `id` alone. */
static evs_status send_row(struct sending *sending, uint64_t number, uint64_t id, const char *subject,
                           const char *payload)
{
    struct evs_sink_message message = {
        .number = number,
        .id = {.low = id, .high = 0xabcdef},
        .address = evs_slice_of(subject),
        .headers = EVS_SLICE("ce-id: 1\r\nTraceparent: 00-aa-bb-01\r\n"),
        .payload = evs_slice_of(payload),
    };
    return evs_sink_nats.send(sending->instance, &message, &sending->error);
}

static evs_status sending_poll(struct sending *sending)
{
    uint64_t numbers[64];
    uint32_t count = 0;
    evs_status status = evs_sink_nats.poll(sending->instance, numbers, 64, &count, &sending->error);
    for (uint32_t i = 0; status == EVS_OK && i < count; i++) {
        if (numbers[i] < 1 || numbers[i] > sending->sent || sending->acknowledged[numbers[i]]++ != 0) {
            ck_abort_msg("number %llu is acknowledged", (unsigned long long)numbers[i]);
        }
        sending->acknowledged_count++;
    }
    if (status == EVS_AGAIN) {
        struct evs_wait_fd fd;
        uint32_t fds = evs_sink_nats.wait_fds(sending->instance, &fd, 1);
        (void)sending->open.os->sockets.wait(sending->open.os->sockets.self, NULL, &fd, fds, 10000);
    }
    return status;
}

/* Sends rows until `sent` have been taken; acknowledgements come meanwhile. */
static void send_until(struct sending *sending, uint64_t sent)
{
    int64_t deadline_us = evs_monotonic_us(sending->open.os) + DEADLINE_US;
    char payload[64];
    while (sending->sent < sent) {
        if (evs_monotonic_us(sending->open.os) > deadline_us) {
            ck_abort_msg("%llu of %llu rows were taken", (unsigned long long)sending->sent, (unsigned long long)sent);
        }
        uint64_t number = sending->sent + 1;
        snprintf(payload, sizeof payload, "{\"row\":%llu}", (unsigned long long)number);
        evs_status status = send_row(sending, number, number, "triggers.cart.u1", payload);
        if (status != EVS_OK && status != EVS_AGAIN) {
            ck_abort_msg("%s", sending->error.text);
        }
        sending->sent += status == EVS_OK;
        if (status == EVS_AGAIN || number % 100 == 0) {
            status = sending_poll(sending);
            ck_assert_msg(status == EVS_OK || status == EVS_AGAIN, "%s", sending->error.text);
        }
    }
}

static evs_status poll_until_acknowledged(struct sending *sending, uint32_t count)
{
    int64_t deadline_us = evs_monotonic_us(sending->open.os) + DEADLINE_US;
    while (sending->acknowledged_count < count) {
        ck_assert_msg(evs_monotonic_us(sending->open.os) < deadline_us, "%u of %u acknowledged",
                      sending->acknowledged_count, count);
        evs_status status = sending_poll(sending);
        if (status != EVS_OK && status != EVS_AGAIN) {
            return status;
        }
    }
    return EVS_OK;
}

static void expect_all_acknowledged(struct sending *sending)
{
    evs_status status = poll_until_acknowledged(sending, (uint32_t)sending->sent);
    ck_assert_msg(status == EVS_OK, "%s", sending->error.text);
    struct evs_sink_nats_counters counters;
    evs_sink_nats_counters(sending->instance, &counters);
    ck_assert_uint_eq(counters.outstanding + counters.outstanding_bytes, 0);
    ck_assert_uint_eq(counters.acknowledged, sending->sent);
}

static struct evs_sink_nats_counters counters_of(struct sending *sending)
{
    struct evs_sink_nats_counters counters;
    evs_sink_nats_counters(sending->instance, &counters);
    return counters;
}

/* Every row 1 to `count` is stored exactly once. */
static void expect_stored(uint64_t count)
{
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), count);
    uint8_t *seen = evs_alloc_zero(count + 1);
    natsSubscription *subscription = NULL;
    jsSubOptions options;
    jsSubOptions_Init(&options);
    options.Config.AckPolicy = js_AckNone;
    ck_assert_int_eq(js_SubscribeSync(&subscription, server.js, "triggers.>", NULL, &options, NULL), NATS_OK);
    for (uint64_t i = 0; i < count; i++) {
        natsMsg *message = NULL;
        unsigned long long row = 0;
        bool came = natsSubscription_NextMsg(&message, subscription, 10000) == NATS_OK &&
                    memcmp(natsMsg_GetData(message), "{\"row\":", 7) == 0;
        row = came ? strtoull(natsMsg_GetData(message) + 7, NULL, 10) : 0;
        if (row < 1 || row > count || seen[row]++ != 0) {
            ck_abort_msg("message %llu of the stream is missing, wrong or there twice", (unsigned long long)i + 1);
        }
        natsMsg_Destroy(message);
    }
    natsSubscription_Destroy(subscription);
    evs_free(seen);
}

/* --- delivery ---------------------------------------------------------------------------------------------------------- */

START_TEST(stores_rows_with_ids_and_headers)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    sending_open(&sending);
    send_until(&sending, 5000);
    expect_all_acknowledged(&sending);
    expect_stored(5000);
    natsMsg *message = NULL;
    const char *value = NULL;
    ck_assert_int_eq(js_GetMsg(&message, server.js, "TRIGGERS", 1, NULL, NULL), NATS_OK);
    ck_assert_str_eq(natsMsg_GetSubject(message), "triggers.cart.u1");
    ck_assert_int_eq(natsMsgHeader_Get(message, "Nats-Msg-Id", &value), NATS_OK);
    ck_assert_str_eq(value, "0000000000abcdef0000000000000001");
    ck_assert_int_eq(natsMsgHeader_Get(message, "ce-id", &value), NATS_OK);
    ck_assert_str_eq(value, "1");
    ck_assert_int_eq(natsMsgHeader_Get(message, "Traceparent", &value), NATS_OK);
    ck_assert_str_eq(value, "00-aa-bb-01");
    natsMsg_Destroy(message);
    ck_assert_uint_eq(counters_of(&sending).duplicates + counters_of(&sending).resent, 0);
    sending_fini(&sending);
}
END_TEST

START_TEST(a_repeated_id_is_stored_once_and_counted)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    sending_open(&sending);
    sending.sent = 2;
    ck_assert_int_eq(send_row(&sending, 1, 77, "triggers.cart.u1", "{\"row\":1}"), EVS_OK);
    ck_assert_int_eq(send_row(&sending, 2, 77, "triggers.cart.u1", "{\"row\":2}"), EVS_OK);
    expect_all_acknowledged(&sending);
    expect_stored(1);
    ck_assert_uint_eq(counters_of(&sending).duplicates, 1);
    sending_fini(&sending);
}
END_TEST

/* What the log says, and a clock that can be set on. */
static struct evs_buffer told;
static int64_t slept_us;

static void take_line(void *self, const char *line, size_t bytes)
{
    (void)self;
    evs_buffer_put(&told, line, bytes);
}

static int64_t later_us(void *self)
{
    return evs_os_system()->clock.monotonic_us(self) + slept_us;
}

static uint32_t lines_with(const char *text)
{
    uint32_t count = 0;
    evs_buffer_put(&told, "", 1);
    for (const char *at = told.data; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    told.count--;
    return count;
}

/* A replay is nothing to worry about, and one line of the log; later, when nothing is replayed, the same answers say that ids collide. */
START_TEST(repeated_ids_are_told_in_one_line)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct evs_os os = *evs_os_system();
    os.console.write = take_line;
    os.clock.monotonic_us = later_us;
    slept_us = 0;
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    evs_log_free(sending.open.log);
    sending.open.os = &os;
    sending.open.log = evs_log_new(&os, EVS_LOG_INFO, false);
    sending_open(&sending);
    for (sending.sent = 0; sending.sent < 20;) {
        sending.sent++;
        ck_assert_int_eq(send_row(&sending, sending.sent, 77, "triggers.cart.u1", "{}"), EVS_OK);
    }
    expect_all_acknowledged(&sending);
    ck_assert_uint_eq(lines_with("nats_duplicate: "), 0);
    slept_us = 10000000;
    (void)sending_poll(&sending);
    ck_assert_uint_eq(lines_with("info  nats_duplicate: Sink triggers: the server had 19 of the rows already"), 1);
    slept_us = 100000000;
    (void)sending_poll(&sending); /* it looks at the clock, or the answer would be overdue */
    sending.sent++;
    ck_assert_int_eq(send_row(&sending, sending.sent, 77, "triggers.cart.u1", "{}"), EVS_OK);
    expect_all_acknowledged(&sending);
    sending_fini(&sending); /* a close tells what was not told */
    ck_assert_uint_eq(lines_with("warn  nats_duplicate: Sink triggers: the server had 1 of the rows already"), 1);
    evs_buffer_fini(&told);
}
END_TEST

START_TEST(a_full_window_holds_back)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    sending_open(&sending);
    server_nats_signal(&server, SIGSTOP);
    evs_status status = EVS_OK;
    while (status == EVS_OK) {
        ck_assert_uint_lt(sending.sent, 1100);
        status = send_row(&sending, sending.sent + 1, sending.sent + 1, "triggers.cart.u1", "{\"row\":0}");
        sending.sent += status == EVS_OK;
    }
    ck_assert_int_eq(status, EVS_AGAIN);
    ck_assert_uint_eq(sending.sent, 1024);
    server_nats_signal(&server, SIGCONT);
    expect_all_acknowledged(&sending);
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), 1024);
    sending_fini(&sending);
}
END_TEST

START_TEST(the_window_is_bounded_in_bytes)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    sending_open(&sending);
    server_nats_signal(&server, SIGSTOP);
    char *payload = malloc(900001);
    memset(payload, 'x', 900000);
    payload[900000] = '\0';
    while (send_row(&sending, sending.sent + 1, sending.sent + 1, "triggers.cart.u1", payload) == EVS_OK) {
        sending.sent++;
    }
    ck_assert_uint_eq(sending.sent, 9); /* of 8 MiB */
    server_nats_signal(&server, SIGCONT);
    expect_all_acknowledged(&sending);
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), 9);
    free(payload);
    sending_fini(&sending);
}
END_TEST

START_TEST(delivers_once_when_the_server_is_killed)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    sending_open(&sending);
    for (uint32_t round = 1; round <= 3; round++) {
        send_until(&sending, round * 2000);
        server_nats_kill(&server);
        for (uint32_t i = 0; i < 10; i++) {
            evs_status status = sending_poll(&sending);
            ck_assert(status == EVS_OK || status == EVS_AGAIN);
        }
        server_nats_restart(&server);
    }
    send_until(&sending, 8000);
    expect_all_acknowledged(&sending);
    expect_stored(8000);
    sending_fini(&sending);
}
END_TEST

/* Answers are lost with the connection: what is sent again is a duplicate, which is expected and counted as such. */
START_TEST(sends_again_what_a_cut_left_open)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct sending sending;
    sending_init(&sending,
                 (const char *[]){"subject=triggers.cart.{user_id}", "ack_timeout=300s", transports[_i], NULL});
    sending_open(&sending);
    for (uint32_t cut = 1; cut <= 10; cut++) {
        send_until(&sending, cut * 450); /* polled each 100: some are on the way */
        evs_sink_nats_reconnect(sending.instance);
    }
    expect_all_acknowledged(&sending);
    expect_stored(4500);
    ck_assert_uint_gt(counters_of(&sending).resent, 0);
    ck_assert_uint_eq(counters_of(&sending).duplicates, 0);
    sending_fini(&sending);
}
END_TEST

START_TEST(sends_again_when_the_answer_is_overdue)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct sending sending;
    sending_init(&sending,
                 (const char *[]){"subject=triggers.cart.{user_id}", "ack_timeout=200ms", transports[_i], NULL});
    sending_open(&sending);
    send_until(&sending, 100);
    expect_all_acknowledged(&sending);
    server_nats_signal(&server, SIGSTOP);
    send_until(&sending, 150);
    while (counters_of(&sending).resent < 50) {
        ck_assert_int_eq(sending_poll(&sending), EVS_AGAIN);
    }
    server_nats_signal(&server, SIGCONT);
    expect_all_acknowledged(&sending);
    expect_stored(150);
    sending_fini(&sending);
}
END_TEST

/* --- streams ----------------------------------------------------------------------------------------------------------- */

START_TEST(says_how_to_make_a_missing_stream)
{
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    ck_assert_int_eq(sending_try_open(&sending), EVS_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(sending.error.text, "evstream run --create"));
    ck_assert_ptr_nonnull(strstr(sending.error.text, "nats stream add TRIGGERS --subjects 'triggers.>'"));
    sending.open.create = true;
    sending_open(&sending);
    send_until(&sending, 10);
    expect_all_acknowledged(&sending);
    expect_stored(10);
    jsStreamInfo *info = NULL;
    ck_assert_int_eq(js_GetStreamInfo(&info, server.js, "TRIGGERS", NULL, NULL), NATS_OK);
    ck_assert_str_eq(info->Config->Subjects[0], "triggers.>");
    ck_assert_int_eq(info->Config->Storage, js_FileStorage);
    ck_assert_int_eq(info->Config->Duplicates, INT64_C(600) * 1000000000);
    jsStreamInfo_Destroy(info);
    sending_fini(&sending);
    /* Once it is there, nothing is created, and a stream of another name is asked for in vain. */
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", "stream=OTHER", transports[_i], NULL});
    ck_assert_int_eq(sending_try_open(&sending), EVS_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(sending.error.text, "no stream named OTHER"));
    sending_fini(&sending);
}
END_TEST

START_TEST(creates_a_stream_for_a_subject_of_one_word)
{
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=alerts", "stream=MINE", transports[_i], NULL});
    sending.open.create = true;
    sending_open(&sending);
    sending.sent = 1;
    ck_assert_int_eq(send_row(&sending, 1, 1, "alerts", "{\"row\":1}"), EVS_OK);
    expect_all_acknowledged(&sending);
    ck_assert_uint_eq(server_nats_message_count(&server, "MINE"), 1);
    sending_fini(&sending);
}
END_TEST

START_TEST(waits_while_the_stream_is_full)
{
    const char *subject = "triggers.>";
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = "TRIGGERS";
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.MaxMsgs = 100;
    config.Discard = js_DiscardNew;
    server_nats_create_with(&server, &config);
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    sending_open(&sending);
    send_until(&sending, 150);
    ck_assert_int_eq(poll_until_acknowledged(&sending, 100), EVS_OK);
    while (counters_of(&sending).refused == 0) {
        ck_assert_int_eq(sending_poll(&sending), EVS_AGAIN);
    }
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), 100);
    server_nats_purge(&server, "TRIGGERS", 0);
    expect_all_acknowledged(&sending);
    ck_assert_uint_eq(server_nats_message_count(&server, "TRIGGERS"), 50);
    sending_fini(&sending);
}
END_TEST

START_TEST(waits_for_a_stream_that_vanished)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    sending_open(&sending);
    server_nats_delete(&server, "TRIGGERS");
    send_until(&sending, 20);
    while (counters_of(&sending).nobody == 0) {
        ck_assert_int_eq(sending_poll(&sending), EVS_AGAIN);
    }
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    expect_all_acknowledged(&sending);
    expect_stored(20);
    sending_fini(&sending);
}
END_TEST

START_TEST(gives_up_when_no_stream_comes_back)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    sending.open.retry_us = 300000;
    sending_open(&sending);
    server_nats_delete(&server, "TRIGGERS");
    send_until(&sending, 3);
    ck_assert_int_eq(poll_until_acknowledged(&sending, 3), EVS_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(sending.error.text, "--create"));
    sending_fini(&sending);
}
END_TEST

/* --- refusals ---------------------------------------------------------------------------------------------------------- */

START_TEST(refuses_rows_that_are_too_large)
{
    const char *subject = "triggers.>";
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = "TRIGGERS";
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.MaxMsgSize = 1000;
    server_nats_create_with(&server, &config);
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    sending_open(&sending);
    char *payload = malloc(1100001);
    memset(payload, 'x', 1100000);
    payload[1100000] = '\0';
    ck_assert_int_eq(send_row(&sending, 1, 1, "triggers.cart.u1", payload), EVS_E_LIMIT); /* of the server */
    ck_assert_ptr_nonnull(strstr(sending.error.text, "max_payload"));
    payload[2000] = '\0';
    sending.sent = 1;
    ck_assert_int_eq(send_row(&sending, 1, 1, "triggers.cart.u1", payload), EVS_OK); /* of the stream: it answers */
    ck_assert_int_eq(poll_until_acknowledged(&sending, 1), EVS_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(sending.error.text, "triggers.cart.u1"));
    free(payload);
    sending_fini(&sending);
}
END_TEST

START_TEST(tells_a_missing_permission)
{
    server_nats_end(&server);
    server_nats_start(&server,
                      "authorization { users: [ { user: admin, password: a },\n"
                      "  { user: engine, password: e, permissions: { publish: [\"$JS.API.STREAM.NAMES\", "
                      "\"$JS.API.STREAM.INFO.*\"],\n"
                      "    subscribe: \"_INBOX.>\" } } ] }",
                      "admin:a@");
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    char url[128];
    struct sending sending;
    sending_init(&sending,
                 (const char *[]){"subject=triggers.cart.{user_id}", "ack_timeout=300ms", transports[_i], NULL});
    snprintf(url, sizeof url, "nats://engine:e@127.0.0.1:%d", server.port);
    sending.open.nats_url = url;
    sending_open(&sending);
    send_until(&sending, 1);
    ck_assert_int_eq(poll_until_acknowledged(&sending, 1), EVS_E_REFUSED);
    ck_assert_msg(strcasestr(sending.error.text, "permissions violation") != NULL, "%s", sending.error.text);
    sending_fini(&sending);
}
END_TEST

START_TEST(refuses_a_wrong_password_without_showing_it)
{
    server_nats_end(&server);
    server_nats_start(&server, "authorization { user: engine, password: \"right\" }", "engine:right@");
    char url[128];
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    snprintf(url, sizeof url, "nats://engine:gwrong@127.0.0.1:%d", server.port);
    sending.open.nats_url = url;
    ck_assert_int_eq(sending_try_open(&sending), EVS_E_REFUSED);
    ck_assert_ptr_null(strstr(sending.error.text, "gwrong"));
    sending_fini(&sending);
}
END_TEST

START_TEST(gives_up_after_the_retry_time)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.{user_id}", transports[_i], NULL});
    sending.open.retry_us = 300000;
    sending_open(&sending);
    server_nats_kill(&server);
    send_until(&sending, 3);
    ck_assert_int_eq(poll_until_acknowledged(&sending, 3), EVS_E_UNREACHABLE);
    sending_fini(&sending);
}
END_TEST

START_TEST(checks_its_options)
{
    static const char *const wrong[][4] = {
        {"subject=triggers.cart.*", NULL},
        {"subject=triggers cart", NULL},
        {"subject=triggers.cart", "stream=a b", NULL},
    };
    for (size_t i = 0; i < EVS_COUNT(wrong); i++) {
        struct evs_option_value values[OPTION_VALUES_MAX];
        struct evs_arena arena = {0};
        struct evs_error error;
        const void *config;
        option_values(evs_sink_nats.options, wrong[i], values);
        ck_assert_int_eq(evs_sink_nats.configure(values, &arena, &config, &error), EVS_E_PIPELINE);
        ck_assert_ptr_nonnull(strstr(error.text, "Option "));
        evs_arena_fini(&arena);
    }
}
END_TEST

/* In a steady state the socket's path allocates nothing a message: slots, buffers and acknowledgements are used again. */
START_TEST(steady_sending_allocates_nothing)
{
    server_nats_create(&server, "TRIGGERS", "triggers.>");
    struct sending sending;
    sending_init(&sending, (const char *[]){"subject=triggers.cart.u1", "transport=socket", NULL});
    sending_open(&sending);
    for (uint32_t i = 0; i < 2; i++) { /* two full windows: each slot and the output have their size */
        while (send_row(&sending, sending.sent + 1, sending.sent + 1, "triggers.cart.u1", "{\"row\":100000}") ==
               EVS_OK) {
            sending.sent++;
        }
        ck_assert_int_eq(poll_until_acknowledged(&sending, (uint32_t)sending.sent), EVS_OK);
    }
    uint64_t before = evs_alloc_count();
    send_until(&sending, sending.sent + 5000);
    expect_all_acknowledged(&sending);
    ck_assert_uint_eq(evs_alloc_count() - before, 0);
    sending_fini(&sending);
}
END_TEST

static Suite *sink_suite(void)
{
    Suite *suite = suite_create("nats_sink");
    TCase *both = tcase_create("both transports"), *alone = tcase_create("alone");
    tcase_add_checked_fixture(both, start_server, end_server);
    tcase_set_timeout(both, 100);
    const TTest *const tests[] = {
        stores_rows_with_ids_and_headers,   a_repeated_id_is_stored_once_and_counted,
        repeated_ids_are_told_in_one_line,  a_full_window_holds_back,
        the_window_is_bounded_in_bytes,     delivers_once_when_the_server_is_killed,
        sends_again_what_a_cut_left_open,   sends_again_when_the_answer_is_overdue,
        says_how_to_make_a_missing_stream,  creates_a_stream_for_a_subject_of_one_word,
        waits_while_the_stream_is_full,     waits_for_a_stream_that_vanished,
        gives_up_when_no_stream_comes_back, refuses_rows_that_are_too_large,
        tells_a_missing_permission,         refuses_a_wrong_password_without_showing_it,
        gives_up_after_the_retry_time,
    };
    for (size_t i = 0; i < EVS_COUNT(tests); i++) {
        tcase_add_loop_test(both, tests[i], 0, 2);
    }
    tcase_add_test(alone, checks_its_options);
    TCase *steady = tcase_create("steady");
    tcase_add_checked_fixture(steady, start_server, end_server);
    tcase_set_timeout(steady, 100);
    tcase_add_test(steady, steady_sending_allocates_nothing);
    suite_add_tcase(suite, steady);
    suite_add_tcase(suite, both);
    suite_add_tcase(suite, alone);
    return suite;
}

int main(void)
{
    if (!server_nats_is_installed()) {
        fprintf(stderr, "skipped: nats-server is not installed\n");
        return 77;
    }
    SRunner *runner = srunner_create(sink_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
