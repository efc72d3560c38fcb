/* Snowplow, PostHog, Plausible, Umami, Matomo: what the recordings of tests/captures do not show. */
#include "protocol_case.h"

#define BROWSER "Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0.0.0 Safari/537.36"
#define PAYLOAD "{\"schema\":\"iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4\",\"data\":["

static void snowplow(struct protocol_case *one, const char *events)
{
    char *body = NULL;
    ck_assert_int_gt(asprintf(&body, PAYLOAD "%s]}", events), 0);
    case_send(one, "POST", "/com.snowplowanalytics.snowplow/tp2", body);
    free(body);
}

/* --- Snowplow -------------------------------------------------------------------------------------------------------- */

START_TEST(snowplow_takes_any_vendor_and_version)
{
    static const char *const paths[] = {"/com.snowplowanalytics.snowplow/tp2", "/com.acme/track", "/a/b"};
    struct protocol_case one;
    case_init(&one);
    for (size_t i = 0; i < EVS_COUNT(paths); i++) {
        case_send(&one, "POST", paths[i],
                  PAYLOAD "{\"e\":\"pv\",\"aid\":\"KEY\",\"url\":\"https://a.example/x?utm_source=s\"}]}");
        CASE_COUNTS(&one, 200, 1, 0);
        CASE_EVENT(&one, 0, "properties.path", "/x");
        CASE_EVENT(&one, 0, "context.campaign.source", "s");
        ck_assert(evs_slice_equal(one.out.answer.body, EVS_SLICE("ok")));
    }
    case_send(&one, "POST", "/v1/batch/x", "{}");
    CASE_COUNTS(&one, 404, 0, 0);
    case_send(&one, "POST", "/com.acme/track", "{\"data\":{}}");
    CASE_COUNTS(&one, 400, 0, 0); /* never 404 or 413: its browser tracker would keep what it cannot send */
    case_fini(&one);
}
END_TEST

START_TEST(snowplow_kinds_and_unwrapping)
{
    struct protocol_case one;
    case_init(&one);
    snowplow(&one,
             "{\"e\":\"se\",\"aid\":\"KEY\",\"se_ca\":\"c\",\"se_ac\":\"Product "
             "Added\",\"se_va\":\"12.50\",\"se_pr\":\"x\"},"
             "{\"e\":\"ue\",\"aid\":\"KEY\",\"ue_pr\":\"{\\\"schema\\\":\\\"iglu:com.snowplowanalytics.snowplow/"
             "unstruct_event/"
             "jsonschema/1-0-0\\\",\\\"data\\\":{\\\"schema\\\":\\\"iglu:com.acme/product_viewed/jsonschema/2-0-1\\\","
             "\\\"data\\\":{\\\"sku\\\":\\\"a\\\"}}}\"},"
             "{\"e\":\"tr\",\"aid\":\"KEY\",\"tr_id\":\"o1\",\"tr_tt\":\"59.90\"},{\"e\":\"ti\",\"aid\":\"KEY\",\"ti_"
             "sk\":\"a\",\"ti_qu\":\"2\"}");
    CASE_COUNTS(&one, 200, 4, 0);
    CASE_EVENT(&one, 0, "type", "add_to_cart");
    CASE_EVENT(&one, 0, "properties.value", "12.50");
    CASE_EVENT(&one, 1, "type", "product_view");
    CASE_EVENT(&one, 1, "properties", "{\"sku\":\"a\"}");
    CASE_EVENT(&one, 1, "schema", "product_view/2");
    CASE_EVENT(&one, 1, "context.origin.schema", "iglu:com.acme/product_viewed/jsonschema/2-0-1");
    CASE_EVENT(&one, 2, "type", "purchase");
    CASE_EVENT(&one, 2, "properties.total", "59.90");
    CASE_EVENT(&one, 3, "type", "purchase_item");
    CASE_EVENT(&one, 3, "properties.quantity", "2");
    case_fini(&one);
}
END_TEST

START_TEST(snowplow_bad_events_leave_the_rest)
{
    static const struct {
        const char *event, *reason;
    } tries[] = {
        {"{\"e\":\"xx\",\"aid\":\"KEY\"}", "Its kind (e) is 'xx'; it should be pv, pp, se, ue, tr or ti."},
        {"{\"e\":\"ue\",\"aid\":\"KEY\",\"ue_px\":\"%%%\"}", "Its field ue_px is no base64."},
        {"{\"e\":\"ue\",\"aid\":\"KEY\",\"ue_pr\":\"{\"}",
         "Its field ue_pr is no JSON: its commas, colons, brackets or values are not as JSON wants them."},
        {"{\"e\":\"ue\",\"aid\":\"KEY\",\"ue_pr\":\"{}\"}",
         "The self-describing event has no schema like iglu:vendor/name/jsonschema/1-0-0."},
        {"{\"e\":\"pv\",\"aid\":\"KEY\",\"co\":\"{\\\"data\\\":7}\"}", "Its contexts are no list."},
        {"{\"e\":\"pv\",\"aid\":\"what\"}", "The app id 'what' is not known here."},
        {"{\"e\":\"pv\",\"aid\":\"KEY\",\"dtm\":\"soon\"}",
         "The time 'soon' is none: it should look like 2026-01-05T10:00:00.000Z."},
        {"{\"e\":\"se\",\"aid\":\"KEY\"}", "The event has no name."},
        {"[]", "The event is no JSON object."},
    };
    struct protocol_case one;
    case_init(&one);
    for (size_t i = 0; i < EVS_COUNT(tries); i++) {
        char *events = NULL;
        ck_assert_int_gt(asprintf(&events, "%s,{\"e\":\"pv\",\"aid\":\"KEY\"}", tries[i].event), 0);
        snowplow(&one, events);
        free(events);
        CASE_COUNTS(&one, 200, 1, 1);
        ck_assert_str_eq(case_bad_row(&one, 0, "_reasons.0"), tries[i].reason);
    }
    snowplow(&one, "{\"e\":\"pv\",\"aid\":\"what\"}");
    CASE_COUNTS(&one, 401, 0, 0);
    case_fini(&one);
}
END_TEST

START_TEST(snowplow_time_is_corrected_or_true)
{
    struct protocol_case one;
    case_init(&one);
    /* an hour ahead, made 4 s before it was sent */
    snowplow(
        &one,
        "{\"e\":\"pv\",\"aid\":\"KEY\",\"dtm\":\"1795412226000\",\"stm\":\"1795412230000\"},"
        "{\"e\":\"pv\",\"aid\":\"KEY\",\"dtm\":\"1795412226000\",\"ttm\":\"1795400000000\",\"stm\":\"1795412230000\"}");
    CASE_EVENT(&one, 0, "occurred_at", "2026-11-23T04:37:06Z");
    CASE_EVENT(&one, 1, "occurred_at", "2026-11-23T02:13:20Z");
    case_fini(&one);
}
END_TEST

static const char *cookie_of(const struct protocol_case *one)
{
    for (uint32_t i = 0; i < one->out.answer.header_count; i++) {
        if (strcmp(one->out.answer.headers[i].name, "Set-Cookie") == 0) {
            return one->out.answer.headers[i].value;
        }
    }
    return "";
}

START_TEST(snowplow_network_cookie)
{
    static const char id[] = "07070707-0707-4707-8707-070707070707";
    char expected[128];
    struct protocol_case one;
    case_init(&one);
    memset(one.request.random, 7, sizeof one.request.random);
    snprintf(expected, sizeof expected, "sp=%s; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", id);
    snowplow(&one, "{\"e\":\"pv\",\"aid\":\"KEY\"}");
    ck_assert_str_eq(cookie_of(&one), ""); /* a server keeps no cookie */
    case_header(&one, "user-agent", BROWSER);
    snowplow(&one, "{\"e\":\"pv\",\"aid\":\"KEY\"},{\"e\":\"pv\",\"aid\":\"KEY\",\"duid\":\"d1\"}");
    ck_assert_str_eq(cookie_of(&one), expected);
    CASE_EVENT(&one, 0, "anonymous_id", id);
    CASE_EVENT(&one, 1, "anonymous_id", "d1");
    CASE_EVENT(&one, 1, "context.origin.network_user_id", id);
    case_header(&one, "cookie", "a=b; sp=11111111-2222-4333-8444-555555555555; c=d");
    case_header(&one, "x-forwarded-proto", "https");
    snowplow(&one, "{\"e\":\"pv\",\"aid\":\"KEY\"}");
    CASE_EVENT(&one, 0, "anonymous_id", "11111111-2222-4333-8444-555555555555");
    ck_assert_ptr_nonnull(strstr(cookie_of(&one), "sp=11111111-2222-4333-8444-555555555555; "));
    ck_assert_ptr_nonnull(strstr(cookie_of(&one), "; Secure"));
    case_header(&one, "cookie", "sp=evil\r\nSet-Cookie: x");
    snowplow(&one, "{\"e\":\"pv\",\"aid\":\"KEY\"}");
    ck_assert_ptr_nonnull(strstr(cookie_of(&one), id)); /* what is no id is none of ours */
    case_header(&one, "cookie", "sp=11111111-2222-4333-8444-555555555555");
    case_header(&one, "sp-anonymous", "*");
    snowplow(&one, "{\"e\":\"pv\",\"aid\":\"KEY\",\"sid\":\"s\"}");
    ck_assert_ptr_nonnull(strstr(cookie_of(&one), "sp=; Path=/; Max-Age=0"));
    CASE_EVENT(&one, 0, "anonymous_id", "");
    CASE_EVENT(&one, 0, "context.ip", "");
    CASE_EVENT(&one, 0, "session_id", "s");
    case_header(&one, "sp-anonymous", NULL);
    one.config.cookieless = true;
    case_open(&one);
    snowplow(&one, "{\"e\":\"pv\",\"aid\":\"KEY\"}");
    ck_assert_str_eq(cookie_of(&one), "");
    CASE_EVENT(&one, 0, "anonymous_id", "");
    one.config.cookieless = false;
    one.config.global_privacy_control = EVS_WISH_ANONYMISE;
    case_open(&one);
    case_header(&one, "sec-gpc", "1");
    snowplow(&one, "{\"e\":\"pv\",\"aid\":\"KEY\"}");
    ck_assert_str_eq(cookie_of(&one), "");
    case_fini(&one);
}
END_TEST

START_TEST(snowplow_by_get_answers_with_a_pixel)
{
    static const char *const paths[] = {"/i", "/ice.png", "/com.snowplowanalytics.snowplow/tp2"};
    struct protocol_case one;
    char target[256];
    case_init(&one);
    for (size_t i = 0; i < EVS_COUNT(paths); i++) {
        snprintf(target, sizeof target,
                 "%s?e=pv&aid=KEY&page=%%C3%%9Cn%%ff&url=https%%3A%%2F%%2Fa.example%%2F%%3Fa%%3Db%%26c&uid=a+b",
                 paths[i]);
        case_send(&one, "GET", target, "");
        CASE_COUNTS(&one, 200, 1, 0);
        ck_assert_str_eq(one.out.answer.content_type, "image/gif");
        ck_assert_int_eq(memcmp(one.out.answer.body.data, "GIF89a", 6), 0);
        CASE_EVENT(&one, 0, "properties.title", "\xC3\x9Cn\xEF\xBF\xBD");
        CASE_EVENT(&one, 0, "properties.search", "?a=b&c");
        CASE_EVENT(&one, 0, "user_id", "a b");
    }
    case_send(&one, "GET", "/i?e=nothing&aid=KEY", "");
    CASE_COUNTS(&one, 200, 0, 1);
    ck_assert_str_eq(case_bad_row(&one, 0, "raw"), "e=nothing&aid=KEY");
    case_fini(&one);
}
END_TEST

START_TEST(redirects_lead_to_listed_domains_alone)
{
    static const char *const domains[] = {"shop.example"};
    static const struct {
        const char *url;
        uint32_t status;
    } tries[] = {
        {"https%3A%2F%2Fshop.example%2Fsale%3Fa%3D1", 302},
        {"https://www.SHOP.example/x", 302},
        {"http://shop.example", 302},
        {"https://shop.example:8443/x", 302},
        {"https://evil.example/", 400},
        {"https://evilshop.example/", 400},
        {"https://shop.example.evil.net/", 400},
        {"https://shop.example@evil.net/", 400},
        {"https://shop.example:x@evil.net/", 400},
        {"https://evil.net%5C.shop.example/", 400},
        {"https://evil.net%23.shop.example/", 400},
        {"//shop.example/", 400},
        {"javascript:alert(1)//shop.example", 400},
        {"https://shop.example/%0d%0aSet-Cookie:x", 400},
        {"https%3A%2F%2F", 400},
        {"", 400},
    };
    struct protocol_case one;
    case_init(&one);
    case_send(&one, "GET", "/r/tp2?aid=KEY&u=https://shop.example/", "");
    CASE_COUNTS(&one, 404, 0, 0); /* without a list nothing is open */
    one.config.redirect_domains = domains;
    one.config.redirect_domain_count = 1;
    case_open(&one);
    for (size_t i = 0; i < EVS_COUNT(tries); i++) {
        char target[256];
        snprintf(target, sizeof target, "/r/tp2?aid=KEY&u=%s", tries[i].url);
        case_send(&one, "GET", target, "");
        ck_assert_msg(one.out.answer.status == tries[i].status, "%s: %u", tries[i].url, one.out.answer.status);
    }
    case_send(&one, "GET", "/r/tp2?aid=KEY&uid=ann&u=https%3A%2F%2Fshop.example%2Fsale%3Fa%3D1", "");
    CASE_COUNTS(&one, 302, 1, 0);
    ck_assert_str_eq(one.out.answer.headers[one.out.answer.header_count - 1].name, "Location");
    ck_assert_str_eq(one.out.answer.headers[one.out.answer.header_count - 1].value, "https://shop.example/sale?a=1");
    CASE_EVENT(&one, 0, "type", "uri_redirect");
    CASE_EVENT(&one, 0, "properties.url", "https://shop.example/sale?a=1");
    CASE_EVENT(&one, 0, "user_id", "ann");
    case_fini(&one);
}
END_TEST

/* --- PostHog --------------------------------------------------------------------------------------------------------- */

START_TEST(posthog_bodies_come_in_many_forms)
{
    /* {"api_key":"KEY","event":"product viewed","distinct_id":"u"} */
    static const char base64[] = "eyJhcGlfa2V5IjoiS0VZIiwiZXZlbnQiOiJwcm9kdWN0IHZpZXdlZCIsImRpc3RpbmN0X2lkIjoidSJ9";
    static const char form[] =
        "data=eyJhcGlfa2V5IjoiS0VZIiwiZXZlbnQiOiJwcm9kdWN0IHZpZXdlZCIsImRpc3RpbmN0X2lkIjoidSJ9&compression=base64";
    static const char *const bodies[] = {
        "{\"api_key\":\"KEY\",\"batch\":[{\"event\":\"product viewed\",\"distinct_id\":\"u\"}]}",
        "{\"api_key\":\"KEY\",\"event\":\"product viewed\",\"distinct_id\":\"u\"}",
        "{\"token\":\"KEY\",\"event\":\"product viewed\",\"properties\":{\"distinct_id\":\"u\"}}",
        "[{\"event\":\"product viewed\",\"properties\":{\"distinct_id\":\"u\",\"token\":\"KEY\"}}]",
        "{\"event\":\"product viewed\",\"properties\":{\"token\":\"KEY\",\"distinct_id\":\"u\"}}",
        base64,
        form,
    };
    static const char *const paths[] = {"/batch/", "/e/", "/i/v0/e/", "/capture/", "/e"};
    struct protocol_case one;
    case_init(&one);
    for (size_t i = 0; i < EVS_COUNT(bodies) * EVS_COUNT(paths); i++) {
        case_send(&one, "POST", paths[i % EVS_COUNT(paths)], bodies[i / EVS_COUNT(paths)]);
        CASE_COUNTS(&one, 200, 1, 0);
        CASE_EVENT(&one, 0, "type", "product_view");
        CASE_EVENT(&one, 0, "user_id", "u");
        ck_assert_str_eq(case_answer(&one, "status"), "Ok");
        ck_assert_ptr_null(strstr(case_event(&one, 0, ""), "KEY"));
    }
    case_send(&one, "POST", "/e/", "data=%%%");
    CASE_COUNTS(&one, 400, 0, 0);
    case_send(&one, "POST", "/e/", "{\"api_key\":\"wrong\",\"event\":\"x\"}");
    CASE_COUNTS(&one, 401, 0, 0);
    case_send(
        &one, "POST", "/batch/",
        "{\"api_key\":\"KEY\",\"batch\":[{\"event\":\"\"},{\"event\":\"x\",\"properties\":3},{\"event\":\"x\"}]}");
    CASE_COUNTS(&one, 200, 1, 2);
    case_fini(&one);
}
END_TEST

START_TEST(posthog_knows_who_is_identified)
{
    static const struct {
        const char *properties, *user_id, *anonymous_id;
    } tries[] = {
        {"\"$is_identified\":false,\"$device_id\":\"u\"", "", "u"},
        {"\"$device_id\":\"u\"", "", "u"},
        {"\"$device_id\":\"d\"", "u", "d"},
        {"\"$is_identified\":true,\"$device_id\":\"d\"", "u", "d"},
        {"\"$is_identified\":true,\"$device_id\":\"d\",\"$anon_distinct_id\":\"before\"", "u", "before"},
        {"\"$user_id\":\"u\",\"$is_identified\":false", "u", ""},
        {"\"$lib\":\"posthog-node\"", "u", ""},
    };
    struct protocol_case one;
    case_init(&one);
    for (size_t i = 0; i < EVS_COUNT(tries); i++) {
        char body[512];
        snprintf(body, sizeof body, "{\"api_key\":\"KEY\",\"event\":\"x\",\"distinct_id\":\"u\",\"properties\":{%s}}",
                 tries[i].properties);
        case_send(&one, "POST", "/e/", body);
        CASE_EVENT(&one, 0, "user_id", tries[i].user_id);
        CASE_EVENT(&one, 0, "anonymous_id", tries[i].anonymous_id);
    }
    case_fini(&one);
}
END_TEST

START_TEST(posthog_sorts_what_the_library_says)
{
    struct protocol_case one;
    case_init(&one);
    case_send(
        &one, "POST", "/e/",
        "{\"api_key\":\"KEY\",\"event\":\"$autocapture\",\"uuid\":\"u1\",\"distinct_id\":\"u\",\"properties\":{"
        "\"$el_text\":\"Buy\",\"$event_type\":\"click\",\"colour\":\"red\",\"utm_source\":null,\"$x\":1,"
        "\"$current_url\":\"https://a.example/p?utm_source=mail\",\"$referrer\":\"$direct\",\"$session_id\":\"s\"}}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "event_id", "u1");
    CASE_EVENT(&one, 0, "type", "autocapture");
    CASE_EVENT(&one, 0, "properties", "{\"el_text\":\"Buy\",\"event_type\":\"click\",\"colour\":\"red\"}");
    CASE_EVENT(&one, 0, "context.page.path", "/p");
    CASE_EVENT(&one, 0, "context.page.referrer", "");
    CASE_EVENT(&one, 0, "context.campaign.source", "mail");
    CASE_EVENT(&one, 0, "context.origin.fields", "{\"$x\":1}");
    CASE_EVENT(&one, 0, "session_id", "s");
    case_send(&one, "POST", "/flags/?v=2", "{\"token\":\"KEY\"}");
    CASE_COUNTS(&one, 200, 0, 0);
    case_send(&one, "GET", "/array/KEY/config", "");
    ck_assert_str_eq(case_answer(&one, "analytics.endpoint"), "/i/v0/e/");
    ck_assert_str_eq(case_answer(&one, "sessionRecording"), "false");
    case_send(&one, "GET", "/static/array.js", "");
    ck_assert_str_eq(one.out.answer.file, "array.js");
    case_send(&one, "GET", "/array/nobody/config", "");
    CASE_COUNTS(&one, 401, 0, 0);
    one.config.default_source = "open";
    case_open(&one);
    case_send(&one, "GET", "/array/%22%5D%3Balert(1)/config.js", ""); /* a key cannot become code */
    ck_assert_ptr_nonnull(memmem(one.out.answer.body.data, one.out.answer.body.count, "[\"\\\"];alert(1)\"]", 16));
    case_fini(&one);
}
END_TEST

/* --- the small ones -------------------------------------------------------------------------------------------------- */

START_TEST(plausible_events)
{
    struct protocol_case one;
    case_init(&one);
    case_header(&one, "user-agent", BROWSER);
    case_send(&one, "POST", "/api/event",
              "{\"n\":\"pageview\",\"u\":\"https://a.example/x\",\"d\":\"KEY,other\",\"r\":null}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "type", "page");
    CASE_EVENT(&one, 0, "properties.path", "/x");
    CASE_EVENT(&one, 0, "context.origin.name", "pageview");
    case_send(&one, "POST", "/api/event",
              "{\"name\":\"Purchase\",\"url\":\"https://a.example/"
              "x\",\"domain\":\"KEY\",\"props\":\"{\\\"plan\\\":\\\"pro\\\"}\","
              "\"$\":{\"amount\":19.90}}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "type", "purchase");
    CASE_EVENT(&one, 0, "properties.plan", "pro");
    CASE_EVENT(&one, 0, "properties.revenue", "{\"amount\":19.90}");
    case_send(&one, "POST", "/api/event", "{\"n\":\"x\",\"d\":\"KEY\",\"p\":\"{\"}");
    CASE_COUNTS(&one, 200, 0, 1);
    case_send(&one, "POST", "/api/event", "{\"n\":\"x\",\"d\":\"KEY\",\"p\":[1]}");
    CASE_COUNTS(&one, 200, 0, 1);
    case_send(&one, "POST", "/api/event", "{\"n\":\"x\",\"d\":\"unknown.example\"}");
    CASE_COUNTS(&one, 401, 0, 0);
    case_fini(&one);
}
END_TEST

START_TEST(a_visitor_reloads_a_page_and_two_visitors_see_it)
{
    static const char view[] = "{\"n\":\"pageview\",\"u\":\"https://a.example/x\",\"d\":\"KEY\"}";
    char first[64];
    struct protocol_case one;
    case_init(&one);
    case_header(&one, "user-agent", BROWSER);
    case_send(&one, "POST", "/api/event", view);
    snprintf(first, sizeof first, "%s", case_event(&one, 0, "event_id"));
    one.request.received_us += 300000; /* a browser's own repetition after a lost connection */
    case_send(&one, "POST", "/api/event", view);
    CASE_EVENT(&one, 0, "event_id", first);
    one.request.remote_address = EVS_SLICE("203.0.113.78");
    case_send(&one, "POST", "/api/event", view);
    ck_assert_str_ne(case_event(&one, 0, "event_id"), first);
    one.request.remote_address = EVS_SLICE("203.0.113.77");
    one.request.received_us += 3000000;
    case_send(&one, "POST", "/api/event", view);
    ck_assert_str_ne(case_event(&one, 0, "event_id"), first);
    case_fini(&one);
}
END_TEST

START_TEST(large_events_are_bad_rows_at_every_door)
{
    static const struct {
        const char *method, *target, *before, *after;
    } doors[] = {
        {"POST", "/v1/batch", "{\"writeKey\":\"KEY\",\"batch\":[{\"type\":\"track\",\"event\":\"E\",\"x\":\"", "\"}]}"},
        {"POST", "/v1/events", "{\"write_key\":\"KEY\",\"type\":\"e\",\"x\":\"", "\"}"},
        {"POST", "/a/b", "{\"data\":[{\"e\":\"pv\",\"aid\":\"KEY\",\"x\":\"", "\"}]}"},
        {"POST", "/batch/", "{\"api_key\":\"KEY\",\"batch\":[{\"event\":\"e\",\"x\":\"", "\"}]}"},
        {"POST", "/api/event", "{\"d\":\"KEY\",\"n\":\"e\",\"x\":\"", "\"}"},
        {"POST", "/api/send", "{\"type\":\"event\",\"payload\":{\"website\":\"KEY\",\"name\":\"", "\"}}"},
        {"POST", "/matomo.php", "{\"requests\":[\"?idsite=KEY&x=", "\"]}"},
    };
    static char body[80 << 10];
    struct protocol_case one;
    case_init(&one);
    for (size_t i = 0; i < EVS_COUNT(doors); i++) {
        memset(body, 'x', 40 << 10);
        memcpy(body, doors[i].before, strlen(doors[i].before));
        strcpy(body + (40 << 10), doors[i].after);
        case_send(&one, doors[i].method, doors[i].target, body);
        ck_assert_msg(one.out.answer.status == 200 && one.out.bad_row_count == 1, "%s: %u", doors[i].target,
                      one.out.answer.status);
        ck_assert_ptr_nonnull(strstr(case_bad_row(&one, 0, "_reasons.0"), " bytes; at most 32768 are allowed."));
    }
    case_fini(&one);
}
END_TEST

START_TEST(umami_events)
{
    struct protocol_case one;
    case_init(&one);
    case_send(&one, "POST", "/api/send",
              "{\"type\":\"event\",\"payload\":{\"website\":\"KEY\",\"url\":\"/x?utm_medium=m\",\"title\":\"X\"}}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "type", "page");
    CASE_EVENT(&one, 0, "properties.path", "/x");
    CASE_EVENT(&one, 0, "properties.title", "X");
    CASE_EVENT(&one, 0, "context.campaign.medium", "m");
    ck_assert_str_eq(case_answer(&one, "cache"), "");
    case_send(&one, "POST", "/api/send",
              "{\"type\":\"event\",\"payload\":{\"website\":\"KEY\",\"name\":\"buy\",\"data\":{\"sku\":\"a\"}}}");
    CASE_EVENT(&one, 0, "type", "buy");
    CASE_EVENT(&one, 0, "properties", "{\"sku\":\"a\"}");
    case_send(&one, "POST", "/api/send",
              "{\"type\":\"identify\",\"payload\":{\"website\":\"KEY\",\"id\":\"u\",\"data\":{\"plan\":\"p\"}}}");
    CASE_EVENT(&one, 0, "type", "identify");
    CASE_EVENT(&one, 0, "user_id", "u");
    case_send(&one, "POST", "/api/send", "{\"type\":\"what\",\"payload\":{\"website\":\"KEY\",\"name\":\"x\"}}");
    CASE_COUNTS(&one, 200, 0, 1);
    case_send(&one, "POST", "/api/send", "{\"type\":\"event\"}");
    CASE_COUNTS(&one, 401, 0, 0);
    case_fini(&one);
}
END_TEST

START_TEST(matomo_requests)
{
    static const char *const kinds[][3] = {
        {"action_name=A&url=https://a.example/x", "page",
         "{\"url\":\"https://a.example/x\",\"path\":\"/x\",\"title\":\"A\"}"},
        {"e_c=c&e_a=Play&e_v=2.50", "play", "{\"category\":\"c\",\"action\":\"Play\",\"value\":2.50}"},
        {"idgoal=0&ec_id=o1&revenue=59.90", "purchase", "{\"order_id\":\"o1\",\"total\":59.90}"},
        {"search=lamp&search_count=3", "search", "{\"query\":\"lamp\",\"results\":3}"},
        {"idgoal=7", "goal", "{\"goal\":\"7\"}"},
        {"link=https://b.example", "outlink", "{\"url\":\"https://b.example\"}"},
        {"download=https://b.example/x.pdf&dimension1=blue", "download",
         "{\"url\":\"https://b.example/x.pdf\",\"dimension1\":\"blue\"}"},
        {"ping=1", "ping", "{}"},
    };
    struct protocol_case one;
    case_init(&one);
    for (size_t i = 0; i < EVS_COUNT(kinds); i++) {
        char target[256];
        snprintf(target, sizeof target, "/matomo.php?idsite=KEY&rec=1&uid=u&%s", kinds[i][0]);
        case_send(&one, "GET", target, "");
        CASE_COUNTS(&one, 200, 1, 0);
        CASE_EVENT(&one, 0, "type", kinds[i][1]);
        CASE_EVENT(&one, 0, "properties", kinds[i][2]);
        CASE_EVENT(&one, 0, "user_id", "u");
        case_send(&one, "POST", "/piwik.php", strchr(target, '?') + 1); /* as a form */
        CASE_EVENT(&one, 0, "type", kinds[i][1]);
    }
    case_send(&one, "POST", "/matomo.php", "{\"requests\":[\"?idsite=KEY&rec=1&url=x\",\"?idsite=no\",7]}");
    CASE_COUNTS(&one, 200, 1, 2);
    ck_assert_str_eq(case_answer(&one, "tracked"), "1");
    ck_assert_str_eq(case_answer(&one, "invalid"), "2");
    case_send(&one, "GET", "/matomo.php?idsite=9", "");
    CASE_COUNTS(&one, 401, 0, 0);
    case_send(&one, "POST", "/matomo.php", "{\"requests\":7}");
    CASE_COUNTS(&one, 400, 0, 0);
    case_fini(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol_trackers");
    TCase *tests = tcase_create("trackers");
    tcase_add_test(tests, snowplow_takes_any_vendor_and_version);
    tcase_add_test(tests, snowplow_kinds_and_unwrapping);
    tcase_add_test(tests, snowplow_bad_events_leave_the_rest);
    tcase_add_test(tests, snowplow_time_is_corrected_or_true);
    tcase_add_test(tests, snowplow_network_cookie);
    tcase_add_test(tests, snowplow_by_get_answers_with_a_pixel);
    tcase_add_test(tests, redirects_lead_to_listed_domains_alone);
    tcase_add_test(tests, posthog_bodies_come_in_many_forms);
    tcase_add_test(tests, posthog_knows_who_is_identified);
    tcase_add_test(tests, posthog_sorts_what_the_library_says);
    tcase_add_test(tests, plausible_events);
    tcase_add_test(tests, a_visitor_reloads_a_page_and_two_visitors_see_it);
    tcase_add_test(tests, large_events_are_bad_rows_at_every_door);
    tcase_add_test(tests, umami_events);
    tcase_add_test(tests, matomo_requests);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
