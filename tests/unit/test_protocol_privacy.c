/* What is left out of an event: addresses, wishes, robots, secrets in addresses of pages, ids without cookies. */
#include "privacy.h"
#include "protocol_case.h"

#define BROWSER "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"

static void send(struct protocol_case *one, const char *call, const char *members)
{
    char *body = NULL, target[64];
    snprintf(target, sizeof target, "/v1/%s", call);
    ck_assert_int_gt(asprintf(&body,
                              "{\"writeKey\":\"KEY\",\"event\":\"E\",\"messageId\":\"m\",\"userId\":\"ann\","
                              "\"anonymousId\":\"a1\"%s}",
                              members),
                     0);
    case_send(one, "POST", target, body);
    free(body);
}

START_TEST(addresses_are_cut)
{
    static const struct {
        const char *address;
        enum evs_ip_policy policy;
        const char *expected;
    } tries[] = {
        {"203.0.113.77", EVS_IP_TRUNCATE, "203.0.113.0"},
        {"203.0.113.77", EVS_IP_KEEP, "203.0.113.77"},
        {"203.0.113.77", EVS_IP_DROP, ""},
        {"2001:db8:1234:5678:9abc:def0:1:2", EVS_IP_TRUNCATE, "2001:db8:1234::"},
        {"2001:DB8::1", EVS_IP_KEEP, "2001:db8::1"},
        {"::ffff:203.0.113.77", EVS_IP_TRUNCATE, "203.0.113.0"},
        {"::ffff:203.0.113.77", EVS_IP_KEEP, "203.0.113.77"},
        {"203.0.113", EVS_IP_TRUNCATE, ""},
        {"203.0.113.77.", EVS_IP_KEEP, ""},
        {"drop table", EVS_IP_KEEP, ""},
        {"", EVS_IP_KEEP, ""},
    };
    struct evs_arena arena = {0};
    for (size_t i = 0; i < EVS_COUNT(tries); i++) {
        struct evs_slice out = evs_privacy_address(&arena, evs_slice_of(tries[i].address), tries[i].policy);
        ck_assert_msg(evs_slice_equal(out, evs_slice_of(tries[i].expected)), "%s: %.*s", tries[i].address,
                      (int)out.count, out.data);
    }
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(the_address_is_the_visitors_or_none)
{
    struct protocol_case one;
    case_init(&one);
    case_header(&one, "user-agent", BROWSER);
    send(&one, "track", "");
    CASE_EVENT(&one, 0, "context.ip", "203.0.113.0");
    CASE_EVENT(&one, 0, "context.userAgent", BROWSER);
    case_header(&one, "user-agent", "analytics-node/3");
    send(&one, "track", "");
    CASE_EVENT(&one, 0, "context.ip", ""); /* the address of the shop's own server */
    CASE_EVENT(&one, 0, "context.userAgent", "");
    send(&one, "track", ",\"context\":{\"ip\":\"198.51.100.9\",\"userAgent\":\"Mozilla/5.0 (visitor)\"}");
    CASE_EVENT(&one, 0, "context.ip", "198.51.100.0");
    CASE_EVENT(&one, 0, "context.userAgent", "Mozilla/5.0 (visitor)");
    send(&one, "track", ",\"context\":{\"device\":{\"type\":\"ios\"}}");
    CASE_EVENT(&one, 0, "context.ip", "203.0.113.0"); /* an app's own */
    one.config.ip = EVS_IP_DROP;
    case_open(&one);
    send(&one, "track", ",\"context\":{\"ip\":\"198.51.100.9\"}");
    CASE_EVENT(&one, 0, "context.ip", "");
    case_fini(&one);
}
END_TEST

START_TEST(a_wish_is_recorded_or_honoured)
{
    struct protocol_case one;
    case_init(&one);
    case_header(&one, "user-agent", BROWSER);
    case_header(&one, "sec-gpc", "1");
    case_header(&one, "dnt", "1");
    send(&one, "track", "");
    CASE_EVENT(&one, 0, "context.privacy", "{\"dnt\":true,\"gpc\":true}");
    CASE_EVENT(&one, 0, "user_id", "ann");
    one.config.global_privacy_control = EVS_WISH_ANONYMISE;
    case_open(&one);
    send(&one, "track",
         ",\"context\":{\"sessionId\":5,\"traits\":{\"email\":\"x@example.com\"},\"locale\":\"de\"},"
         "\"groupId\":\"g\",\"properties\":{\"sku\":\"lamp\"}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "user_id", "");
    CASE_EVENT(&one, 0, "anonymous_id", "");
    CASE_EVENT(&one, 0, "session_id", "");
    CASE_EVENT(&one, 0, "context.ip", "");
    CASE_EVENT(&one, 0, "context.userAgent", "");
    CASE_EVENT(&one, 0, "context.traits", "");
    CASE_EVENT(&one, 0, "context.sessionId", "");
    CASE_EVENT(&one, 0, "context.origin.group_id", "");
    CASE_EVENT(&one, 0, "context.locale", "de");
    CASE_EVENT(&one, 0, "properties.sku", "lamp");
    CASE_EVENT(&one, 0, "context.privacy.anonymous", "true");
    send(&one, "track", ",\"timestamp\":\"never\""); /* a bad row keeps the reasons, not the ids */
    CASE_COUNTS(&one, 200, 0, 1);
    ck_assert_str_eq(case_bad_row(&one, 0, "raw"), "");
    case_send(&one, "POST", "/v1/batch", "{\"writeKey\":\"KEY\",\"batch\":[\"ann\"]}");
    ck_assert_ptr_null(strstr(case_bad_row(&one, 0, ""), "ann"));
    send(&one, "identify", "");
    CASE_COUNTS(&one, 200, 0, 0);
    ck_assert_uint_eq(one.out.dropped[EVS_DROPPED_PRIVACY], 1);
    one.config.do_not_track = EVS_WISH_DROP; /* the stricter of two counts */
    case_open(&one);
    send(&one, "track", "");
    CASE_COUNTS(&one, 200, 0, 0);
    ck_assert_uint_eq(one.out.dropped[EVS_DROPPED_PRIVACY], 1);
    case_header(&one, "dnt", "0");
    case_header(&one, "sec-gpc", NULL);
    send(&one, "track", "");
    CASE_COUNTS(&one, 200, 1, 0);
    send(&one, "track", ",\"context\":{\"gpc\":true}"); /* said in the event, by our own tracker */
    CASE_EVENT(&one, 0, "user_id", "");
    case_fini(&one);
}
END_TEST

START_TEST(consent_is_read_in_each_form)
{
    static const struct {
        const char *members, *category;
        bool required, kept;
    } tries[] = {
        {"", NULL, false, true},
        {"", NULL, true, false},
        {",\"context\":{\"consent\":\"granted\"}", NULL, true, true},
        {",\"context\":{\"consent\":\"denied\"}", NULL, false, false},
        {",\"context\":{\"consent\":\"pending\"}", NULL, true, false},
        {",\"context\":{\"consent\":{\"categoryPreferences\":{\"a\":false,\"b\":true}}}", NULL, false, true},
        {",\"context\":{\"consent\":{\"categoryPreferences\":{\"a\":false,\"b\":false}}}", NULL, false, false},
        {",\"context\":{\"consent\":{\"categoryPreferences\":{\"a\":false,\"b\":true}}}", "a", false, false},
        {",\"context\":{\"consent\":{\"categoryPreferences\":{\"a\":false,\"b\":true}}}", "b", true, true},
        {",\"context\":{\"consent\":{\"categoryPreferences\":{\"a\":true}}}", "b", true, false},
        {",\"context\":{\"consentManagement\":{\"allowedConsentIds\":[\"a\"],\"deniedConsentIds\":[\"b\"]}}", "a", true,
         true},
        {",\"context\":{\"consentManagement\":{\"allowedConsentIds\":[\"a\"],\"deniedConsentIds\":[\"b\"]}}", "b",
         false, false},
        {",\"context\":{\"consentManagement\":{\"deniedConsentIds\":[\"b\"]}}", NULL, false, false},
        {",\"context\":{\"consent\":7,\"consentManagement\":\"x\"}", NULL, false, true},
    };
    for (size_t i = 0; i < EVS_COUNT(tries); i++) {
        struct protocol_case one;
        case_init(&one);
        one.config.consent_denied = EVS_WISH_DROP;
        one.config.consent_required = tries[i].required;
        one.config.consent_category = tries[i].category;
        case_open(&one);
        send(&one, "track", tries[i].members);
        ck_assert_msg(one.out.event_count == tries[i].kept, "try %zu", i);
        ck_assert_uint_eq(one.out.dropped[EVS_DROPPED_PRIVACY], !tries[i].kept);
        case_fini(&one);
    }
}
END_TEST

START_TEST(robots_are_marked_or_dropped)
{
    static const struct {
        const char *agent;
        bool is_bot;
    } agents[] = {
        {BROWSER, false},
        {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
         "Mobile/15E148 Safari/604.1",
         false},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0", false},
        {"Mozilla/5.0 (Linux; Android 14; CUBOT NOTE 20) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36", false},
        {"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", true},
        {"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; "
         "+http://www.bing.com/bingbot.htm)",
         true},
        {"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", true},
        {"Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)", true},
        {"Mozilla/5.0 (compatible; Baiduspider/2.0)", true},
        {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/126.0.0.0 Safari/537.36", true},
        {"Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", true},
        {"facebookexternalhit/1.1", true},
        {"curl/8.5.0", true},
        {"python-requests/2.32", true},
    };
    struct protocol_case one;
    case_init(&one);
    for (size_t i = 0; i < EVS_COUNT(agents); i++) {
        char *members = NULL;
        ck_assert_int_gt(asprintf(&members, ",\"context\":{\"userAgent\":\"%s\"}", agents[i].agent), 0);
        send(&one, "track", members);
        free(members);
        ck_assert_msg(strcmp(case_event(&one, 0, "context.bot"), agents[i].is_bot ? "true" : "") == 0, "%s",
                      agents[i].agent);
    }
    send(&one, "track", ",\"context\":{\"bot\":true}"); /* navigator.webdriver, as our tracker tells */
    CASE_EVENT(&one, 0, "context.bot", "true");
    one.config.bots = EVS_BOT_DROP;
    case_open(&one);
    send(&one, "track", ",\"context\":{\"userAgent\":\"Googlebot/2.1\"}");
    CASE_COUNTS(&one, 200, 0, 0);
    ck_assert_uint_eq(one.out.dropped[EVS_DROPPED_BOT], 1);
    send(&one, "track", "");
    CASE_COUNTS(&one, 200, 1, 0);
    one.config.bots = EVS_BOT_KEEP;
    case_open(&one);
    send(&one, "track", ",\"context\":{\"userAgent\":\"Googlebot/2.1\"}");
    CASE_EVENT(&one, 0, "context.bot", "");
    case_fini(&one);
}
END_TEST

START_TEST(secrets_in_addresses_are_taken_out)
{
    static const char *const names[] = {"token", "email"};
    struct protocol_case one;
    case_init(&one);
    one.config.strip_parameters = names;
    one.config.strip_parameter_count = 2;
    case_open(&one);
    send(&one, "page",
         ",\"properties\":{\"nested\":\"https://s.example/"
         "login?next=https%3A%2F%2Fs.example%2F%3Ftoken%3DSECRET%26b%3D1&c=2&token=SECRET%26SECRET\",\"url\":\"https://"
         "s.example/a?token=SECRET&b=1&Email=x%40y#token=SECRET\","
         "\"deep\":[{\"search\":\"?b=2&email=SECRET\"}],\"bare\":\"token=SECRET&c=3\",\"text\":\"a token=kept\","
         "\"mytoken\":\"https://s.example/?mytoken=kept\"},"
         "\"context\":{\"page\":{\"referrer\":\"https://s.example/?email=SECRET\"}}");
    CASE_EVENT(&one, 0, "properties.nested",
               "https://s.example/login?next=https%3A%2F%2Fs.example%2F%3Ftoken%3D%26b%3D1&c=2&token=");
    CASE_EVENT(&one, 0, "properties.url", "https://s.example/a?token=&b=1&Email=#token=");
    CASE_EVENT(&one, 0, "properties.deep", "[{\"search\":\"?b=2&email=\"}]");
    CASE_EVENT(&one, 0, "properties.bare", "token=&c=3");
    CASE_EVENT(&one, 0, "properties.text", "a token=kept");
    CASE_EVENT(&one, 0, "properties.mytoken", "https://s.example/?mytoken=kept");
    CASE_EVENT(&one, 0, "context.page.referrer", "https://s.example/?email=");
    ck_assert_ptr_null(strstr(case_event(&one, 0, ""), "SECRET"));
    send(&one, "page", ",\"timestamp\":\"never\",\"properties\":{\"url\":\"https://s.example/?token=SECRET&b=1\"}");
    CASE_COUNTS(&one, 200, 0, 1);
    ck_assert_ptr_null(strstr(case_bad_row(&one, 0, ""), "SECRET"));
    ck_assert_ptr_nonnull(strstr(case_bad_row(&one, 0, ""), "?token=&b=1"));
    case_fini(&one);
}
END_TEST

START_TEST(ids_without_cookies_change_with_the_day)
{
    struct protocol_case one;
    uint8_t salt[EVS_SALT_BYTES] = {1}, next[EVS_SALT_BYTES] = {2};
    int64_t day = CASE_RECEIVED_US / INT64_C(86400000000);
    char first[64], other[64];
    case_init(&one);
    one.config.cookieless = true;
    case_open(&one);
    case_header(&one, "user-agent", BROWSER);
    send(&one, "track", ",\"context\":{\"sessionId\":5}");
    CASE_EVENT(&one, 0, "anonymous_id", ""); /* no salt, no id: never the device's own */
    CASE_EVENT(&one, 0, "session_id", "");
    evs_protocol_set_salt(one.protocol, day, salt);
    evs_protocol_set_salt(one.protocol, day + 1, next);
    send(&one, "track", "");
    snprintf(first, sizeof first, "%s", case_event(&one, 0, "anonymous_id"));
    ck_assert_uint_eq(strlen(first), 32);
    CASE_EVENT(&one, 0, "user_id", "ann"); /* who logs in has a name */
    send(&one, "track", "");
    CASE_EVENT(&one, 0, "anonymous_id", first);
    one.request.remote_address = EVS_SLICE("203.0.113.78"); /* the whole address counts, not what is written */
    send(&one, "track", "");
    snprintf(other, sizeof other, "%s", case_event(&one, 0, "anonymous_id"));
    ck_assert_str_ne(other, first);
    one.request.remote_address = EVS_SLICE("203.0.113.77");
    one.request.received_us += INT64_C(86400000000);
    send(&one, "track", "");
    ck_assert_str_ne(case_event(&one, 0, "anonymous_id"), first);
    case_header(&one, "user-agent", "analytics-node/3"); /* a server's address and name would make all visitors one */
    send(&one, "track", "");
    CASE_EVENT(&one, 0, "anonymous_id", "");
    /* HMAC-SHA256(salt, "203.0.113.77|UA|web"), computed by another program. */
    ck_assert_str_eq(first, "00dd539c6fe58091b04a6562bd10bad8");
    case_fini(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol_privacy");
    TCase *tests = tcase_create("privacy");
    tcase_add_test(tests, addresses_are_cut);
    tcase_add_test(tests, the_address_is_the_visitors_or_none);
    tcase_add_test(tests, a_wish_is_recorded_or_honoured);
    tcase_add_test(tests, consent_is_read_in_each_form);
    tcase_add_test(tests, robots_are_marked_or_dropped);
    tcase_add_test(tests, secrets_in_addresses_are_taken_out);
    tcase_add_test(tests, ids_without_cookies_change_with_the_day);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
