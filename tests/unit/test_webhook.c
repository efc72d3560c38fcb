/* The webhook's parts: what is read from options, what answers mean, the circuit and the rate on a clock of the test's own, bodies, signatures, addresses.
 * What needs a real server is tests/webhook. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "http_guard.h"
#include "unit.h"
#include "webhook.h"

/* --- options ------------------------------------------------------------------------------------------------------------ */

START_TEST(rates_are_read)
{
    struct evs_webhook webhook = {0};
    struct evs_error error;
    ck_assert_int_eq(
        evs_webhook_read_rates(EVS_SLICE("350 per second, 3500 per minute,3000 per 3 seconds"), &webhook, &error),
        EVS_OK);
    ck_assert_uint_eq(webhook.rate_count, 3);
    ck_assert_uint_eq(webhook.rates[0].count, 350);
    ck_assert_int_eq(webhook.rates[0].period_us, 1000000);
    ck_assert_int_eq(webhook.rates[1].period_us, 60000000);
    ck_assert_uint_eq(webhook.rates[2].count, 3000);
    ck_assert_int_eq(webhook.rates[2].period_us, 3000000);
    static const char *const wrong[] = {"",
                                        "fast",
                                        "0 per second",
                                        "-1 per second",
                                        "100001 per second",
                                        "1 per",
                                        "1 per 0 seconds",
                                        "1 per fortnight",
                                        "1 per second,",
                                        "1 per second x",
                                        "1/s",
                                        "1 per second, 1 per second, 1 per second, 1 per second, 1 per second"};
    for (size_t i = 0; i < EVS_COUNT(wrong); i++) {
        bool is_refused = evs_webhook_read_rates(evs_slice_of(wrong[i]), &webhook, &error) == EVS_E_PIPELINE;
        bool ends_in_comma = strcmp(wrong[i], "1 per second,") == 0; /* a list may end in one */
        ck_assert_msg(is_refused || ends_in_comma, "`%s` was taken", wrong[i]);
    }
}
END_TEST

START_TEST(a_schedule_is_read)
{
    struct evs_webhook webhook = {0};
    struct evs_error error;
    ck_assert_int_eq(evs_webhook_read_schedule(EVS_SLICE("5s, 5 minutes, 2h"), &webhook, &error), EVS_OK);
    ck_assert_uint_eq(webhook.retry_count, 3);
    ck_assert_int_eq(webhook.retries_us[2], INT64_C(7200) * 1000000);
    ck_assert_int_eq(evs_webhook_read_schedule(EVS_SLICE("5s, soon"), &webhook, &error), EVS_E_PIPELINE);
    ck_assert_int_eq(evs_webhook_read_schedule(EVS_SLICE("0s"), &webhook, &error), EVS_E_PIPELINE);
    struct evs_buffer many = {0};
    for (uint32_t i = 0; i <= EVS_WEBHOOK_RETRIES_MAX; i++) {
        evs_buffer_puts(&many, i == 0 ? "1s" : ",1s");
    }
    ck_assert_int_eq(evs_webhook_read_schedule((struct evs_slice){many.data, many.count}, &webhook, &error),
                     EVS_E_PIPELINE);
    evs_buffer_fini(&many);
}
END_TEST

/* --- the receiver ------------------------------------------------------------------------------------------------------- */

struct world {
    struct evs_os os;
    struct evs_log *log;
    struct evs_webhook webhook;
    struct evs_webhook_figures figures;
    struct evs_webhook_endpoint endpoint;
    struct evs_webhook_request request;
    int64_t now_us;
    uint64_t drawn; /* what the next draws give */
};

static int64_t world_now(void *self)
{
    return ((struct world *)self)->now_us;
}

static uint64_t world_draw(void *self)
{
    return ((struct world *)self)->drawn;
}

static void drop_line(void *self, const char *line, size_t bytes)
{
    (void)self, (void)line, (void)bytes;
}

static struct world *world_new(const char *rates)
{
    struct world *world = evs_alloc_zero(sizeof *world);
    struct evs_error error;
    world->os = *evs_os_system();
    world->os.clock.monotonic_us = world_now;
    world->os.clock.self = world;
    world->os.random = (struct evs_random){world_draw, world};
    world->os.console = (struct evs_console){drop_line, NULL};
    world->now_us = 1000000000;
    world->log = evs_log_new(evs_os_system(), EVS_LOG_ERROR, false);
    if (rates != NULL) {
        ck_assert_int_eq(evs_webhook_read_rates(evs_slice_of(rates), &world->webhook, &error), EVS_OK);
    }
    ck_assert_int_eq(evs_webhook_read_schedule(EVS_SLICE("5s, 5m, 30m"), &world->webhook, &error), EVS_OK);
    world->endpoint = (struct evs_webhook_endpoint){
        .webhook = &world->webhook, .os = &world->os, .log = world->log, .name = "hook", .figures = &world->figures};
    evs_webhook_endpoint_init(&world->endpoint);
    return world;
}

static void world_free(struct world *world)
{
    evs_webhook_endpoint_fini(&world->endpoint);
    evs_log_free(world->log);
    evs_free(world);
}

/* One request and its answer, at once. True: what waits for the receiver is due. */
static bool asks(struct world *world, uint32_t status, int64_t retry_after_us)
{
    struct evs_http_answer answer = {.failure = status == 0 ? EVS_HTTP_UNREACHABLE : EVS_HTTP_ANSWERED,
                                     .status = status,
                                     .retry_after_us = retry_after_us,
                                     .text = "refused"};
    evs_webhook_sent(&world->endpoint, world->now_us, &world->request);
    enum evs_webhook_verdict verdict = evs_webhook_judge(&world->webhook, &answer);
    return evs_webhook_answered(&world->endpoint, verdict, &answer, world->request.is_probe);
}

static int64_t waits_us(const struct world *world)
{
    return evs_webhook_may_send(&world->endpoint, world->now_us) - world->now_us;
}

START_TEST(answers_are_judged)
{
    static const struct {
        uint32_t status;
        enum evs_webhook_verdict same_url, own_url;
    } cases[] = {
        {200, EVS_VERDICT_TAKEN, EVS_VERDICT_TAKEN},         {204, EVS_VERDICT_TAKEN, EVS_VERDICT_TAKEN},
        {301, EVS_VERDICT_BROKEN, EVS_VERDICT_BROKEN},       {304, EVS_VERDICT_BROKEN, EVS_VERDICT_BROKEN},
        {400, EVS_VERDICT_REFUSED, EVS_VERDICT_REFUSED},     {401, EVS_VERDICT_BROKEN, EVS_VERDICT_BROKEN},
        {403, EVS_VERDICT_BROKEN, EVS_VERDICT_BROKEN},       {404, EVS_VERDICT_BROKEN, EVS_VERDICT_REFUSED},
        {405, EVS_VERDICT_BROKEN, EVS_VERDICT_REFUSED},      {408, EVS_VERDICT_THROTTLED, EVS_VERDICT_THROTTLED},
        {409, EVS_VERDICT_FAILED, EVS_VERDICT_FAILED},       {410, EVS_VERDICT_GONE, EVS_VERDICT_REFUSED},
        {413, EVS_VERDICT_REFUSED, EVS_VERDICT_REFUSED},     {422, EVS_VERDICT_REFUSED, EVS_VERDICT_REFUSED},
        {429, EVS_VERDICT_THROTTLED, EVS_VERDICT_THROTTLED}, {500, EVS_VERDICT_FAILED, EVS_VERDICT_FAILED},
        {502, EVS_VERDICT_THROTTLED, EVS_VERDICT_THROTTLED}, {503, EVS_VERDICT_THROTTLED, EVS_VERDICT_THROTTLED},
        {504, EVS_VERDICT_THROTTLED, EVS_VERDICT_THROTTLED}, {507, EVS_VERDICT_FAILED, EVS_VERDICT_FAILED},
    };
    struct evs_webhook same = {0}, own = {.url_has_holes = true};
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        struct evs_http_answer answer = {.status = cases[i].status};
        ck_assert_msg(evs_webhook_judge(&same, &answer) == cases[i].same_url, "%u", cases[i].status);
        ck_assert_msg(evs_webhook_judge(&own, &answer) == cases[i].own_url, "%u", cases[i].status);
    }
    struct evs_http_answer busy = {.status = 500, .retry_after_us = 1},
                           silent = {.failure = EVS_HTTP_UNREACHABLE, .status = 200};
    ck_assert_int_eq(evs_webhook_judge(&same, &busy), EVS_VERDICT_THROTTLED);
    ck_assert_int_eq(evs_webhook_judge(&same, &silent), EVS_VERDICT_BROKEN); /* half an answer is none */
}
END_TEST

/* Never more than so many in any stretch, and no fewer than may be. */
START_TEST(a_rate_holds_in_every_stretch)
{
    struct world *world = world_new("10 per second, 25 per 5 seconds");
    int64_t sent_us[400];
    uint32_t count = 0;
    for (; count < EVS_COUNT(sent_us); world->now_us += 1000) {
        while (count < EVS_COUNT(sent_us) && waits_us(world) <= 0) {
            evs_webhook_sent(&world->endpoint, world->now_us, &world->request);
            sent_us[count++] = world->now_us;
        }
        int64_t wait_us = waits_us(world);
        world->now_us += wait_us > 1000 ? wait_us - 1000
                                        : 0; /* what is promised is true: nothing may go before, something may then */
    }
    for (uint32_t i = 0; i < count; i++) {
        ck_assert(i < 10 || sent_us[i] - sent_us[i - 10] >= 1000000);
        ck_assert(i < 25 || sent_us[i] - sent_us[i - 25] >= 5000000);
    }
    ck_assert_int_le(sent_us[count - 1] - sent_us[0], 400 / 25 * INT64_C(5100000));
    world_free(world);
}
END_TEST

START_TEST(a_circuit_opens_and_closes)
{
    struct world *world = world_new(NULL);
    for (int i = 0; i < 4; i++) {
        ck_assert(!asks(world, 500, 0));
        ck_assert_int_eq(waits_us(world), 0);
    }
    ck_assert(!asks(world, 200, 0)); /* a success among them: not in a row */
    for (int i = 0; i < 5; i++) {
        ck_assert(!world->endpoint.is_open);
        asks(world, i % 2 == 0 ? 0 : 500, 0);
    }
    ck_assert(world->endpoint.is_open && atomic_load(&world->figures.is_open) == 1);
    int64_t pause_us = waits_us(world), last_us = 0;
    ck_assert(pause_us >= 500000 && pause_us <= 1000000);
    for (int i = 0; i < 10; i++) { /* probes fail: longer and longer, up to a minute */
        world->now_us += waits_us(world);
        evs_webhook_sent(&world->endpoint, world->now_us, &world->request);
        ck_assert(world->request.is_probe);
        ck_assert_int_eq(evs_webhook_may_send(&world->endpoint, world->now_us), INT64_MAX); /* one at a time */
        struct evs_http_answer answer = {.failure = EVS_HTTP_UNREACHABLE, .text = "away"};
        ck_assert(!evs_webhook_answered(&world->endpoint, EVS_VERDICT_BROKEN, &answer, true));
        ck_assert(waits_us(world) >= last_us && waits_us(world) <= 60000000);
        last_us = waits_us(world);
    }
    ck_assert_int_ge(last_us, 30000000);
    world->now_us += waits_us(world);
    ck_assert(asks(world, 400, 0)); /* a refusal is an answer: the receiver works */
    ck_assert(!world->endpoint.is_open && waits_us(world) == 0 && atomic_load(&world->figures.is_open) == 0);
    world_free(world);
}
END_TEST

START_TEST(retry_after_is_honoured_and_bounded)
{
    struct world *world = world_new(NULL);
    asks(world, 429, 7000000);
    ck_assert_int_eq(waits_us(world), 7000000);
    world->now_us += 7000000;
    ck_assert(asks(world, 200, 0));
    asks(world, 503, INT64_C(86400) * 1000000);
    ck_assert_int_eq(waits_us(world), INT64_C(3600) * 1000000); /* an hour at most */
    world->now_us += waits_us(world);
    asks(world, 429, 0); /* without it: as an open circuit does */
    ck_assert(waits_us(world) >= 500000 && waits_us(world) <= 60000000);
    world_free(world);
}
END_TEST

START_TEST(what_is_under_way_does_not_close_a_circuit)
{
    struct world *world = world_new(NULL);
    struct evs_http_answer taken = {.status = 200}, busy = {.status = 429, .retry_after_us = 5000000};
    evs_webhook_answered(&world->endpoint, EVS_VERDICT_THROTTLED, &busy, false);
    ck_assert(!evs_webhook_answered(&world->endpoint, EVS_VERDICT_TAKEN, &taken, false));
    ck_assert_int_eq(waits_us(world), 5000000);
    world_free(world);
}
END_TEST

START_TEST(retries_are_drawn_from_the_schedule)
{
    struct world *world = world_new(NULL);
    static const struct {
        uint32_t attempts;
        int64_t age_s, most_s;
    } cases[] = {
        {1, 0, 5},    {2, 3, 300},    {3, 200, 1800},  {9, 3000, 1800},
        {1, 60, 300}, {1, 400, 1800}, {1, 90000, 1800}}; /* young attempts of old messages: the engine was started again */
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        int64_t most_us = cases[i].most_s * 1000000;
        world->drawn = (uint64_t)most_us - 1;
        ck_assert_int_eq(evs_webhook_retry_us(&world->webhook, &world->os, cases[i].attempts, cases[i].age_s * 1000000),
                         most_us);
        world->drawn = 0;
        ck_assert_int_eq(evs_webhook_retry_us(&world->webhook, &world->os, cases[i].attempts, cases[i].age_s * 1000000),
                         1);
    }
    world_free(world);
}
END_TEST

/* --- bodies ------------------------------------------------------------------------------------------------------------- */

static const struct evs_type type_string = {.kind = EVS_STRING}, type_int64 = {.kind = EVS_INT64},
                             type_json = {.kind = EVS_JSON};
static const struct evs_field fields[] = {
    {"name", &type_string, true}, {"n", &type_int64, true}, {"raw", &type_json, true}};
static const struct evs_schema schema = {3, fields};

/* The body of one row, or what is wrong with the template; NULL: a column is. */
static const char *body_of(const char *template_text, enum evs_body_kind kind, const char *name, int64_t n)
{
    static char out[EVS_ERROR_TEXT_MAX];
    struct evs_arena arena = {0};
    struct evs_error error = {0};
    const struct evs_body_template *body;
    if (evs_body_bind(evs_slice_of(template_text), kind, &schema, &arena, &body, &error) != EVS_OK) {
        snprintf(out, sizeof out, "%s", error.text);
        evs_arena_fini(&arena);
        return out;
    }
    struct evs_batch_pool *pool = evs_batch_pool_new();
    struct evs_batch *batch = evs_batch_new(pool, schema.count);
    evs_batch_init_rows(batch, 1);
    batch->row_count = batch->selected_count = 1;
    for (uint32_t i = 0; i < schema.count; i++) {
        evs_column_init(&batch->columns[i], batch, fields[i].type->kind, 1, true);
    }
    struct evs_str json = evs_str_make("{\"a\":[1]}", 9);
    ((struct evs_str *)batch->columns[2].data)[0] = json;
    ((int64_t *)batch->columns[1].data)[0] = n;
    if (name == NULL) {
        evs_column_set_null(&batch->columns[0], 0);
    } else {
        ((struct evs_str *)batch->columns[0].data)[0] = evs_str_make(name, (uint32_t)strlen(name));
    }
    batch->event_time_us[0] = -1500000;
    struct evs_format_place place = {.id = {.low = 2, .high = 1}, .has_id = true};
    struct evs_buffer filled = {0};
    bool is_whole = evs_body_fill(body, batch, 0, &place, &filled);
    snprintf(out, sizeof out, "%.*s", (int)filled.count, filled.data == NULL ? "" : filled.data);
    evs_buffer_fini(&filled);
    evs_batch_unref(batch);
    evs_batch_pool_free(pool);
    evs_arena_fini(&arena);
    return is_whole ? out : NULL;
}

START_TEST(bodies_are_filled)
{
    ck_assert_str_eq(body_of("{\"a\": {name}, \"b\": {n}, \"c\": {raw}}", EVS_BODY_JSON, "x\"y", 7),
                     "{\"a\": \"x\\\"y\", \"b\": 7, \"c\": {\"a\":[1]}}");
    ck_assert_str_eq(body_of(" \"Hi {name}: {n}, {raw}\\u007b\" ", EVS_BODY_JSON, "\n\\", -1),
                     " \"Hi \\n\\\\: -1, {\\\"a\\\":[1]}\\u007b\" ");
    ck_assert_str_eq(body_of("{\"{name}\": {}, \"o\": {\"p\": [{n}, {n}]}}", EVS_BODY_JSON, "k", 1),
                     "{\"k\": {}, \"o\": {\"p\": [1, 1]}}");
    ck_assert_str_eq(body_of("[{_id}, \"{_id}\", {_time}, {_unix}]", EVS_BODY_JSON, "", 0),
                     "[\"00000000000000010000000000000002\", \"00000000000000010000000000000002\", "
                     "\"1969-12-31T23:59:58.500Z\", -2]");
    ck_assert_str_eq(body_of("{*}", EVS_BODY_JSON, "x", 1), "{\"name\":\"x\",\"n\":1,\"raw\":{\"a\":[1]}}");
    ck_assert_str_eq(body_of("{name}", EVS_BODY_JSON, NULL, 1), "null");
    ck_assert_ptr_null(body_of("\"{name}\"", EVS_BODY_JSON, NULL, 1));
    ck_assert_str_eq(body_of("a={name}&b={n}", EVS_BODY_FORM, "x&y z", 1), "a=x%26y%20z&b=1");
    ck_assert_str_eq(body_of("{name} {other", EVS_BODY_TEXT, "<\"", 1), "<\" {other");
}
END_TEST

START_TEST(bodies_that_are_no_json)
{
    static const char *const wrong[] = {"",
                                        "{",
                                        "{\"a\"}",
                                        "{\"a\": 1,}",
                                        "[1,]",
                                        "[1 2]",
                                        "{a: 1}",
                                        "{\"a\": {name}",
                                        "\"open",
                                        "01",
                                        "1.",
                                        "-",
                                        "1e",
                                        "tru",
                                        "{\"a\": 1} x",
                                        "\"\\x\"",
                                        "\"\\u12\"",
                                        "\"a\nb\"",
                                        "{unknown}",
                                        "\"{unknown}\"",
                                        "\"{*}\"",
                                        "{name} {name}",
                                        "[{name}{n}]"};
    for (size_t i = 0; i < EVS_COUNT(wrong); i++) {
        const char *said = body_of(wrong[i], EVS_BODY_JSON, "x", 1);
        bool is_refused = said != NULL && strncmp(said, "The body ", 9) == 0;
        ck_assert_msg(is_refused, "`%s` gave %s", wrong[i], said == NULL ? "NULL" : said);
    }
    char deep[200];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    ck_assert(strstr(body_of(deep, EVS_BODY_JSON, "x", 1), "fewer brackets") != NULL);
}
END_TEST

/* --- signatures --------------------------------------------------------------------------------------------------------- */

/* The example of the Standard Webhooks libraries. */
START_TEST(signatures_are_standard)
{
    struct evs_buffer out = {0};
    evs_webhook_sign(EVS_SLICE("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), EVS_SLICE("msg_p5jXN8AQM9LWM0D4loKWxJek"),
                     1614265330, EVS_SLICE("{\"test\": 2432232314}"), &out);
    ck_assert_int_eq(out.count, strlen("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    ck_assert(memcmp(out.data, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", out.count) == 0);
    evs_buffer_fini(&out);
}
END_TEST

START_TEST(secrets_are_checked)
{
    static const struct {
        const char *value;
        bool is_right;
    } cases[] = {{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true},
                 {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", true},
                 {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false},
                 {"whsec_c2hvcnQ=", false},
                 {"whsec_", false},
                 {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw hunter2", false},
                 {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa?w", false}};
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        struct evs_secret secret = {.option = "secret", .env = "X"};
        struct evs_error error = {0};
        evs_buffer_puts(&secret.value, cases[i].value);
        bool is_right = evs_webhook_check_signing(&secret, &error) == EVS_OK;
        ck_assert_msg(is_right == cases[i].is_right, "%s", cases[i].value);
        ck_assert(strstr(error.text, "hunter2") == NULL);
        evs_secret_fini(&secret);
    }
}
END_TEST

/* --- addresses ---------------------------------------------------------------------------------------------------------- */

static bool is_private(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        return evs_address_is_private((const struct sockaddr *)&in);
    }
    ck_assert_msg(inet_pton(AF_INET6, text, &in6.sin6_addr) == 1, "%s", text);
    return evs_address_is_private((const struct sockaddr *)&in6);
}

START_TEST(private_addresses_are_known)
{
    static const char *const private[] = {"0.0.0.0",
                                          "10.0.0.1",
                                          "10.255.255.255",
                                          "100.64.0.1",
                                          "100.100.100.200",
                                          "127.0.0.1",
                                          "127.255.255.254",
                                          "169.254.169.254",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.0.0.192",
                                          "192.168.1.1",
                                          "198.19.0.1",
                                          "224.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "::ffff:127.0.0.1",
                                          "::ffff:169.254.169.254",
                                          "64:ff9b::7f00:1",
                                          "fe80::1",
                                          "fc00::1",
                                          "fd00:ec2::254",
                                          "ff02::1",
                                          "2002:7f00:1::",
                                          "2001:db8::1",
                                          "2001::1",
                                          "fec0::1",
                                          "::127.0.0.1"};
    static const char *const public[] = {
        "8.8.8.8",        "100.63.255.255",   "100.128.0.0",     "172.15.0.1",      "172.32.0.1",
        "192.167.0.1",    "198.20.0.1",       "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::200e",
        "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"};
    for (size_t i = 0; i < EVS_COUNT(private); i++) {
        ck_assert_msg(is_private(private[i]), "%s", private[i]);
    }
    for (size_t i = 0; i < EVS_COUNT(public); i++) {
        ck_assert_msg(!is_private(public[i]), "%s", public[i]);
    }
}
END_TEST

START_TEST(hosts_in_digits_are_known)
{
    static const char *const private[] = {"localhost",  "LocalHost", "localhost.", "db.localhost",
                                          "127.0.0.1",  "127.1",     "2130706433", "0x7f000001",
                                          "0177.0.0.1", "[::1]",     "[fe80::1]",  "10.1"};
    static const char *const others[] = {"shop.example",      "localhost.example", "notlocalhost", "8.8.8.8",
                                         "[2606:4700::1111]", "10.example",        "[nonsense]"};
    for (size_t i = 0; i < EVS_COUNT(private); i++) {
        ck_assert_msg(evs_host_is_private(private[i]), "%s", private[i]);
    }
    for (size_t i = 0; i < EVS_COUNT(others); i++) {
        ck_assert_msg(!evs_host_is_private(others[i]), "%s", others[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("webhook");
    TCase *cases = tcase_create("webhook");
    tcase_add_test(cases, rates_are_read);
    tcase_add_test(cases, a_schedule_is_read);
    tcase_add_test(cases, answers_are_judged);
    tcase_add_test(cases, a_rate_holds_in_every_stretch);
    tcase_add_test(cases, a_circuit_opens_and_closes);
    tcase_add_test(cases, retry_after_is_honoured_and_bounded);
    tcase_add_test(cases, what_is_under_way_does_not_close_a_circuit);
    tcase_add_test(cases, retries_are_drawn_from_the_schedule);
    tcase_add_test(cases, bodies_are_filled);
    tcase_add_test(cases, bodies_that_are_no_json);
    tcase_add_test(cases, signatures_are_standard);
    tcase_add_test(cases, secrets_are_checked);
    tcase_add_test(cases, private_addresses_are_known);
    tcase_add_test(cases, hosts_in_digits_are_known);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
