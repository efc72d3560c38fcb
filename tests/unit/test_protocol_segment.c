/* Segment's API and its relatives RudderStack and Jitsu: every route, keys, ids, times, what is bad. */
#include "protocol_case.h"

static void send_track(struct protocol_case *one, const char *members)
{
    char *body = evs_arena_printf(
        &one->arena, "{\"writeKey\":\"KEY\",\"messageId\":\"m1\",\"userId\":\"ann\",\"event\":\"Clicked\"%s}", members);
    char *copy = evs_strdup(body);
    case_send(one, "POST", "/v1/track", copy);
    evs_free(copy);
}

START_TEST(a_batch_becomes_events)
{
    struct protocol_case one;
    case_init(&one);
    case_send(&one, "POST", "/v1/batch",
              "{\"batch\":[{\"type\":\"track\",\"event\":\"Product Added\",\"messageId\":\"m1\",\"userId\":\"ann\","
              "\"anonymousId\":\"a1\",\"timestamp\":\"2026-11-23T04:37:02.146Z\",\"properties\":{\"price\":19.90,"
              "\"sku\":\"lamp\"},\"context\":{\"locale\":\"de\",\"sessionId\":1795406000,\"ip\":\"198.51.100.9\"}},"
              "{\"type\":\"page\",\"name\":\"Home\",\"category\":\"Shop\",\"userId\":null,\"anonymousId\":\"a1\","
              "\"messageId\":\"m2\",\"properties\":{\"url\":\"https://shop.example/\"}}],"
              "\"writeKey\":\"KEY\",\"sentAt\":\"2026-11-23T04:37:10.000Z\"}");
    CASE_COUNTS(&one, 200, 2, 0);
    ck_assert_str_eq(case_answer(&one, "success"), "true");
    ck_assert_str_eq(one.out.source, "web");
    ck_assert_str_eq(one.out.events[0].source, "web");
    CASE_EVENT(&one, 0, "event_id", "m1");
    CASE_EVENT(&one, 0, "type", "add_to_cart");
    CASE_EVENT(&one, 0, "occurred_at", "2026-11-23T04:37:02.146Z");
    CASE_EVENT(&one, 0, "received_at", "2026-11-23T04:37:10Z");
    CASE_EVENT(&one, 0, "user_id", "ann");
    CASE_EVENT(&one, 0, "anonymous_id", "a1");
    CASE_EVENT(&one, 0, "session_id", "1795406000");
    CASE_EVENT(&one, 0, "properties.price", "19.90"); /* not 19.9: a price is not rounded or rewritten */
    CASE_EVENT(&one, 0, "context.locale", "de");
    CASE_EVENT(&one, 0, "context.ip", "198.51.100.0");
    CASE_EVENT(&one, 0, "context.origin.protocol", "segment");
    CASE_EVENT(&one, 0, "context.origin.call", "track");
    CASE_EVENT(&one, 0, "context.origin.name", "Product Added");
    CASE_EVENT(&one, 0, "source", "web");
    CASE_EVENT(&one, 1, "type", "page");
    CASE_EVENT(&one, 1, "user_id", "");
    CASE_EVENT(&one, 1, "properties.name", "Home");
    CASE_EVENT(&one, 1, "properties.category", "Shop");
    CASE_EVENT(&one, 1, "occurred_at", "2026-11-23T04:37:10Z");
    case_fini(&one);
}
END_TEST

START_TEST(a_batch_may_have_a_context)
{
    struct protocol_case one;
    case_init(&one);
    case_send(&one, "POST", "/v1/batch",
              "{\"writeKey\":\"KEY\",\"context\":{\"locale\":\"de\",\"ip\":\"198.51.100.9\"},\"batch\":["
              "{\"type\":\"track\",\"event\":\"E\",\"context\":{\"locale\":\"fr\",\"x\":1}},{\"type\":\"track\","
              "\"event\":\"E\"},"
              "{\"type\":\"track\",\"event\":\"E\",\"context\":7}]}");
    CASE_COUNTS(&one, 200, 2, 1);
    CASE_EVENT(&one, 0, "context.locale", "fr");
    CASE_EVENT(&one, 0, "context.x", "1");
    CASE_EVENT(&one, 0, "context.ip", "198.51.100.0");
    CASE_EVENT(&one, 1, "context.locale", "de");
    case_fini(&one);
}
END_TEST

START_TEST(every_route_has_its_call)
{
    static const char *const routes[][2] = {
        {"/v1/track", "clicked"},    {"/v1/t", "clicked"},    {"/v1/identify", "identify"},
        {"/v1/i", "identify"},       {"/v1/page", "page"},    {"/v1/p", "page"},
        {"/v1/screen", "screen"},    {"/v1/s", "screen"},     {"/v1/group", "group"},
        {"/v1/g", "group"},          {"/v1/alias", "alias"},  {"/v1/a", "alias"},
        {"/api/s/track", "clicked"}, {"/api/s/page", "page"}, {"/api/s/s2s/identify", "identify"},
        {"/v1/track/", "clicked"},
    };
    struct protocol_case one;
    case_init(&one);
    for (size_t i = 0; i < EVS_COUNT(routes); i++) {
        ck_assert(evs_protocol_knows(EVS_SLICE("POST"), evs_slice_of(routes[i][0])));
        case_send(&one, "POST", routes[i][0],
                  "{\"writeKey\":\"KEY\",\"userId\":\"ann\",\"event\":\"Clicked\",\"traits\":{\"plan\":\"pro\"}}");
        CASE_COUNTS(&one, 200, 1, 0);
        CASE_EVENT(&one, 0, "type", routes[i][1]);
    }
    ck_assert(!evs_protocol_knows(EVS_SLICE("GET"), EVS_SLICE("/v1/track")));
    ck_assert(!evs_protocol_knows(EVS_SLICE("POST"), EVS_SLICE("/")));
    case_send(&one, "POST", "/v1/batch/more/of/it", "{}");
    CASE_COUNTS(&one, 404, 0, 0);
    case_fini(&one);
}
END_TEST

START_TEST(traits_are_properties_and_ids_stay_with_the_origin)
{
    struct protocol_case one;
    case_init(&one);
    case_send(&one, "POST", "/v1/group",
              "{\"writeKey\":\"KEY\",\"userId\":7,\"groupId\":\"acme\",\"traits\":{\"plan\":\"pro\"},"
              "\"integrations\":{\"All\":false},\"channel\":\"server\",\"_metadata\":{\"retryCount\":1}}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "user_id", "7");
    CASE_EVENT(&one, 0, "properties", "{\"plan\":\"pro\"}");
    CASE_EVENT(&one, 0, "context.origin.group_id", "acme");
    CASE_EVENT(&one, 0, "context.origin.fields", "{\"integrations\":{\"All\":false},\"channel\":\"server\"}");
    case_send(&one, "POST", "/v1/alias", "{\"writeKey\":\"KEY\",\"userId\":\"ann\",\"previousId\":\"a1\"}");
    CASE_EVENT(&one, 0, "context.origin.previous_id", "a1");
    ck_assert_ptr_null(strstr(case_event(&one, 0, ""), "KEY")); /* a write key is not passed on */
    case_fini(&one);
}
END_TEST

START_TEST(keys_are_found_wherever_a_client_says_them)
{
    static const struct {
        const char *target, *header, *value, *body;
        uint32_t status;
    } tries[] = {
        {"/v1/track", "authorization", "Basic S0VZOg==", "{\"event\":\"E\"}", 200},
        {"/v1/track", "authorization", "basic S0VZ", "{\"event\":\"E\"}", 200},
        {"/v1/track", "authorization", "Basic d3Jvbmc6", "{\"event\":\"E\",\"writeKey\":\"KEY\"}", 200},
        {"/v1/track", "authorization", "Basic d3Jvbmc6", "{\"event\":\"E\"}", 401},
        {"/v1/track", "authorization", "Bearer abc", "{\"event\":\"E\",\"writeKey\":\"KEY\"}", 200},
        {"/v1/track?writeKey=KEY", "x-none", "", "{\"event\":\"E\"}", 200},
        {"/v1/track?a=b&writeKey=%4BEY", "x-none", "", "{\"event\":\"E\"}", 200},
        {"/api/s/track", "x-write-key", "KEY:secret", "{\"event\":\"E\"}", 200},
        {"/v1/track", "x-write-key", "KEY", "{\"event\":\"E\"}", 200},
        {"/v1/track", "x-write-key", "KE", "{\"event\":\"E\"}", 401},
        {"/v1/track", "x-none", "", "{\"event\":\"E\"}", 401},
        {"/v1/track", "x-none", "", "{\"event\":\"E\",\"writeKey\":\"KEY2\"}", 401},
    };
    for (size_t i = 0; i < EVS_COUNT(tries); i++) {
        struct protocol_case one;
        case_init(&one);
        case_header(&one, tries[i].header, tries[i].value);
        case_send(&one, "POST", tries[i].target, tries[i].body);
        ck_assert_msg(one.out.answer.status == tries[i].status, "try %zu: %u", i, one.out.answer.status);
        ck_assert_uint_eq(one.out.event_count, tries[i].status == 200);
        case_fini(&one);
    }
}
END_TEST

START_TEST(an_unknown_key_may_have_a_source)
{
    struct protocol_case one;
    case_init(&one);
    one.config.default_source = "open";
    case_open(&one);
    case_send(&one, "POST", "/v1/track", "{\"event\":\"E\",\"writeKey\":\"what\"}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "source", "open");
    send_track(&one, "");
    CASE_EVENT(&one, 0, "source", "web");
    case_fini(&one);
}
END_TEST

START_TEST(the_senders_clock_is_corrected)
{
    static const struct {
        const char *members, *occurred_at;
    } tries[] = {
        /* an hour ahead: 5 s old when it was sent, 5 s old when it came */
        {",\"timestamp\":\"2026-11-23T05:37:05Z\",\"sentAt\":\"2026-11-23T05:37:10Z\"", "2026-11-23T04:37:05Z"},
        /* a day behind */
        {",\"timestamp\":\"2026-11-22T04:37:00Z\",\"sentAt\":\"2026-11-22T04:37:09Z\"", "2026-11-23T04:37:01Z"},
        /* less than a second apart: left as it is */
        {",\"timestamp\":\"2026-11-23T04:37:05Z\",\"sentAt\":\"2026-11-23T04:37:09.001Z\"", "2026-11-23T04:37:05Z"},
        {",\"timestamp\":\"2026-11-23T04:37:05Z\",\"sentAt\":\"2026-11-23T04:37:09Z\"", "2026-11-23T04:37:06Z"},
        /* no sentAt: believed, but not the far future */
        {",\"timestamp\":\"2026-11-01T00:00:00Z\"", "2026-11-01T00:00:00Z"},
        {",\"timestamp\":\"2027-01-01T00:00:00Z\"", "2026-11-23T04:37:15Z"},
        /* sent before it happened */
        {",\"timestamp\":\"2026-11-23T04:40:00Z\",\"sentAt\":\"2026-11-23T04:37:10Z\"", "2026-11-23T04:37:15Z"},
        /* originalTimestamp is the one that the device saw */
        {",\"timestamp\":\"2026-11-23T04:00:00Z\",\"originalTimestamp\":\"2026-11-23T04:37:01Z\"",
         "2026-11-23T04:37:01Z"},
        {",\"timestamp\":\"2026-11-23T05:37:05+01:00\"", "2026-11-23T04:37:05Z"},
        {",\"timestamp\":1795408625000", "2026-11-23T04:37:05Z"},
        {",\"timestamp\":\"2026-11-23T05:37:05Z\",\"sentAt\":\"nonsense\"", "2026-11-23T04:37:15Z"},
        {"", "2026-11-23T04:37:10Z"},
    };
    struct protocol_case one;
    case_init(&one);
    for (size_t i = 0; i < EVS_COUNT(tries); i++) {
        send_track(&one, tries[i].members);
        CASE_COUNTS(&one, 200, 1, 0);
        CASE_EVENT(&one, 0, "occurred_at", tries[i].occurred_at);
    }
    case_fini(&one);
}
END_TEST

START_TEST(one_bad_event_never_fails_its_batch)
{
    struct protocol_case one;
    case_init(&one);
    case_send(&one, "POST", "/v1/batch",
              "{\"writeKey\":\"KEY\",\"batch\":[{\"type\":\"track\",\"event\":\"Good\",\"messageId\":\"g1\"},"
              "{\"type\":\"track\",\"userId\":{\"a\":1},\"timestamp\":\"yesterday\",\"properties\":[1]},"
              "{\"type\":\"trak\",\"event\":\"E\"},17,{\"type\":\"track\",\"event\":\"!?\"},"
              "{\"type\":\"page\",\"messageId\":\"g2\"}]}");
    CASE_COUNTS(&one, 200, 2, 4);
    CASE_EVENT(&one, 0, "event_id", "g1");
    CASE_EVENT(&one, 1, "event_id", "g2");
    ck_assert_uint_eq(one.out.bad_rows[0].reason_count, 4); /* all of them, not the first */
    ck_assert_uint_eq(one.out.bad_rows[0].index, 1);
    ck_assert_str_eq(case_answer(&one, "success"), "true");
    ck_assert_str_eq(case_answer(&one, "rejected_count"), "4");
    ck_assert_str_eq(case_answer(&one, "rejected.0.index"), "1");
    ck_assert_str_eq(case_answer(&one, "rejected.0.reasons.0"), "Its userId is neither a text nor a number.");
    ck_assert_str_eq(case_answer(&one, "rejected.1.reasons.0"),
                     "Its type is 'trak'; it should be track, page, screen, identify, group or alias.");
    ck_assert_str_eq(case_answer(&one, "rejected.2.reasons.0"), "The event is no JSON object.");
    ck_assert_str_eq(case_answer(&one, "rejected.3.reasons.0"), "The event has no name.");
    ck_assert_str_eq(case_bad_row(&one, 1, "raw"), "{\"type\":\"trak\",\"event\":\"E\"}");
    ck_assert_str_eq(case_bad_row(&one, 1, "_source"), "web");
    ck_assert_str_eq(case_bad_row(&one, 1, "_protocol"), "segment");
    ck_assert_str_eq(case_bad_row(&one, 1, "_index"), "2");
    ck_assert_str_eq(case_bad_row(&one, 1, "_ingested_at"), "2026-11-23T04:37:10Z");
    case_fini(&one);
}
END_TEST

START_TEST(what_is_no_batch_is_refused_whole)
{
    static const char *const bodies[] = {
        "",
        "{",
        "null",
        "[]",
        "{\"batch\":{}}",
        "{\"batch\":[{\"type\":\"track\",\"event\":\"E\"}",
        "{\"batch\":[]}}",
        "\xff\xfe{}",
    };
    struct protocol_case one;
    case_init(&one);
    case_header(&one, "authorization", "Basic S0VZOg==");
    for (size_t i = 0; i < EVS_COUNT(bodies); i++) {
        case_send(&one, "POST", "/v1/batch", bodies[i]);
        CASE_COUNTS(&one, 400, 0, 0);
        ck_assert_str_eq(case_answer(&one, "success"), "false");
        ck_assert_str_ne(case_answer(&one, "message"), "");
    }
    case_send(&one, "POST", "/v1/batch", "{\"batch\":[]}");
    CASE_COUNTS(&one, 200, 0, 0);
    case_fini(&one);
}
END_TEST

START_TEST(limits_are_of_an_event_not_of_its_batch)
{
    struct protocol_case one;
    case_init(&one);
    one.config.event_bytes_max = 400;
    one.config.event_depth_max = 4;
    one.config.events_max = 3;
    case_open(&one);
    char big[500];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    char *body = NULL;
    ck_assert_int_gt(asprintf(&body,
                              "{\"writeKey\":\"KEY\",\"batch\":[{\"type\":\"track\",\"event\":\"E\",\"properties\":"
                              "{\"a\":\"%s\"}},{\"type\":\"track\",\"event\":\"E\",\"properties\":{\"a\":[[{}]]}},"
                              "{\"type\":\"track\",\"event\":\"E\",\"properties\":{\"a\":[[]]}}]}",
                              big),
                     0);
    case_send(&one, "POST", "/v1/batch", body);
    free(body);
    CASE_COUNTS(&one, 200, 1, 2);
    ck_assert_str_eq(case_bad_row(&one, 1, "_reasons.0"),
                     "It has 5 objects and arrays within each other; at most 4 are allowed.");
    case_send(&one, "POST", "/v1/batch", "{\"writeKey\":\"KEY\",\"batch\":[1,2,3,4]}");
    CASE_COUNTS(&one, 400, 0, 0);
    case_fini(&one);
}
END_TEST

START_TEST(deep_json_is_refused_without_recursion)
{
    struct protocol_case one;
    case_init(&one);
    size_t count = 2u << 20;
    char *deep = malloc(count);
    ck_assert_ptr_nonnull(deep);
    memset(deep, '[', count);
    case_send_bytes(&one, "POST", "/v1/batch", deep, count);
    CASE_COUNTS(&one, 400, 0, 0);
    for (size_t i = 0; i < count / 2; i++) {
        deep[i] = '[';
        deep[count - 1 - i] = ']';
    }
    case_send_bytes(&one, "POST", "/v1/batch", deep, count);
    CASE_COUNTS(&one, 400, 0, 0);
    for (size_t i = 0; i < count; i++) { /* [1,1,1,…: more values than fit in a sensible memory */
        deep[i] = i == 0 ? '[' : i == count - 1 ? ']' : i % 2 == 1 ? '1' : ',';
    }
    case_send_bytes(&one, "POST", "/v1/events", deep, count);
    CASE_COUNTS(&one, 400, 0, 0);
    free(deep);
    case_fini(&one);
}
END_TEST

START_TEST(a_retry_without_an_id_is_the_same_event)
{
    struct protocol_case one;
    char first[64], second[64];
    case_init(&one);
    case_send(&one, "POST", "/v1/batch",
              "{\"writeKey\":\"KEY\",\"sentAt\":\"2026-11-23T04:37:05Z\",\"batch\":["
              "{\"type\":\"track\",\"event\":\"E\",\"timestamp\":\"2026-11-23T04:37:01Z\",\"sentAt\":\"x\"},"
              "{\"type\":\"track\",\"event\":\"E\",\"timestamp\":\"2026-11-23T04:37:01Z\"},"
              "{\"type\":\"track\",\"event\":\"F\",\"timestamp\":\"2026-11-23T04:37:01Z\"}]}");
    CASE_COUNTS(&one, 200, 3, 0);
    snprintf(first, sizeof first, "%s", case_event(&one, 0, "event_id"));
    snprintf(second, sizeof second, "%s", case_event(&one, 1, "event_id"));
    ck_assert_uint_eq(strlen(first), 32);
    ck_assert_str_ne(first, second); /* two of the same are two */
    ck_assert_int_eq(strncmp(first, second, 32), 0);
    ck_assert_int_ne(strncmp(first, case_event(&one, 2, "event_id"), 32), 0);
    one.request.received_us += 7000000;
    case_send(
        &one, "POST", "/v1/batch",
        "{\"writeKey\":\"KEY\",\"sentAt\":\"2026-11-23T04:37:12Z\",\"batch\":["
        "{\"type\":\"track\",\"event\":\"E\",\"timestamp\":\"2026-11-23T04:37:01Z\",\"_metadata\":{\"retryCount\":1}},"
        "{ \"type\" : \"track\",\"event\":\"E\",\"timestamp\":\"2026-11-23T04:37:01Z\"}]}");
    CASE_EVENT(&one, 0, "event_id", first);
    CASE_EVENT(&one, 1, "event_id", second);
    case_send(&one, "POST", "/v1/track", "{\"writeKey\":\"KEY\",\"event\":\"E\"}");
    snprintf(first, sizeof first, "%s", case_event(&one, 0, "event_id"));
    one.request.received_us++;
    case_send(&one, "POST", "/v1/track", "{\"writeKey\":\"KEY\",\"event\":\"E\"}");
    ck_assert_str_ne(case_event(&one, 0, "event_id"), first); /* no id, no time: nothing says that it is a retry */
    case_fini(&one);
}
END_TEST

START_TEST(many_derived_ids_are_told_apart)
{
    struct protocol_case one;
    struct evs_buffer body = {0};
    case_init(&one);
    evs_buffer_puts(&body, "{\"writeKey\":\"KEY\",\"batch\":[");
    for (int i = 0; i < 500; i++) {
        evs_buffer_printf(&body, "%s{\"type\":\"track\",\"event\":\"E%d\",\"timestamp\":\"2026-11-23T04:37:01Z\"}",
                          i > 0 ? "," : "", i % 250);
    }
    evs_buffer_puts(&body, "]}");
    for (int round = 0; round < 2; round++) {
        case_send_bytes(&one, "POST", "/v1/batch", body.data, body.count);
        CASE_COUNTS(&one, 200, 500, 0);
        for (uint32_t i = 0; i < 500; i++) {
            ck_assert_uint_eq(one.out.events[i].event_id.count, i < 250 ? 32 : 34);
            ck_assert_int_eq(memcmp(one.out.events[i].event_id.data, one.out.events[i % 250].event_id.data, 32), 0);
        }
    }
    evs_buffer_fini(&body);
    case_fini(&one);
}
END_TEST

START_TEST(the_partition_follows_the_user)
{
    struct protocol_case one;
    case_init(&one);
    send_track(&one, ",\"anonymousId\":\"a1\"");
    ck_assert_uint_eq(one.out.events[0].partition, evs_fnv1a32("ann", 3) % 16);
    case_send(&one, "POST", "/v1/track", "{\"writeKey\":\"KEY\",\"event\":\"E\",\"anonymousId\":\"a1\"}");
    ck_assert_uint_eq(one.out.events[0].partition, evs_fnv1a32("a1", 2) % 16);
    case_send(&one, "POST", "/v1/track",
              "{\"writeKey\":\"KEY\",\"event\":\"E\",\"messageId\":\"m9\",\"context\":{\"sessionId\":17}}");
    ck_assert_uint_eq(one.out.events[0].partition, evs_fnv1a32("17", 2) % 16);
    case_send(&one, "POST", "/v1/track", "{\"writeKey\":\"KEY\",\"event\":\"E\",\"messageId\":\"m9\"}");
    ck_assert_uint_eq(one.out.events[0].partition, evs_fnv1a32("m9", 2) % 16);
    case_fini(&one);
}
END_TEST

START_TEST(rudderstack_says_more_in_headers)
{
    struct protocol_case one;
    case_init(&one);
    case_header(&one, "authorization", "Basic S0VZOg==");
    case_header(&one, "anonymousid", "YS0x");
    case_header(&one, "sentat", "2026-11-23T05:37:10Z");
    case_send(&one, "POST", "/v1/track",
              "{\"event\":\"Order Completed\",\"originalTimestamp\":\"2026-11-23T05:37:08Z\","
              "\"channel\":\"web\"}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "type", "purchase");
    CASE_EVENT(&one, 0, "anonymous_id", "a-1");
    CASE_EVENT(&one, 0, "occurred_at", "2026-11-23T04:37:08Z");
    CASE_EVENT(&one, 0, "context.origin.protocol", "rudderstack");
    case_send(&one, "POST", "/beacon/v1/batch?writeKey=KEY",
              "{\"batch\":[{\"type\":\"page\",\"anonymousId\":\"a-2\"}]}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "anonymous_id", "a-2");
    CASE_EVENT(&one, 0, "context.origin.protocol", "rudderstack");
    case_send(&one, "GET", "/sourceConfig/?writeKey=KEY&v=3", "");
    CASE_COUNTS(&one, 200, 0, 0);
    ck_assert_str_eq(case_answer(&one, "source.enabled"), "true");
    ck_assert_str_eq(case_answer(&one, "source.writeKey"), "KEY");
    ck_assert_str_eq(case_answer(&one, "source.config.statsCollection.errors.enabled"), "false");
    case_header(&one, "authorization", NULL);
    case_send(&one, "GET", "/sourceConfig/", "");
    CASE_COUNTS(&one, 401, 0, 0);
    case_fini(&one);
}
END_TEST

START_TEST(the_browser_library_learns_where_to_send)
{
    struct protocol_case one;
    case_init(&one);
    case_header(&one, "host", "c.example:8443");
    case_header(&one, "x-forwarded-proto", "https");
    case_send(&one, "GET", "/v1/projects/KEY/settings", "");
    CASE_COUNTS(&one, 200, 0, 0);
    ck_assert_str_eq(case_look(&one, one.out.answer.body, "metrics.sampleRate"), "0");
    ck_assert_ptr_nonnull(strstr(case_answer(&one, "integrations"), "\"apiHost\":\"c.example:8443/v1\""));
    ck_assert_ptr_nonnull(strstr(case_answer(&one, "integrations"), "\"protocol\":\"https\""));
    case_send(&one, "GET", "/v1/projects/nobody/settings", "");
    CASE_COUNTS(&one, 401, 0, 0);
    case_send(&one, "GET", "/analytics.js/v1/KEY/analytics.min.js", "");
    ck_assert_str_eq(one.out.answer.file, "analytics.min.js");
    case_send(&one, "POST", "/v1/m", "{\"series\":[]}");
    CASE_COUNTS(&one, 200, 0, 0);
    case_fini(&one);
}
END_TEST

START_TEST(half_an_emoji_is_no_reason_to_lose_a_batch)
{
    struct protocol_case one;
    case_init(&one);
    send_track(
        &one, ",\"properties\":{\"a\":\"cut \\ud83d\",\"b\":\"\\ude00\",\"c\":\"\\ud83d\\ude00\",\"d\":\"\\\\ud83d\"}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "properties.a", "cut \xEF\xBF\xBD");
    CASE_EVENT(&one, 0, "properties.b", "\xEF\xBF\xBD");
    CASE_EVENT(&one, 0, "properties.c", "\xF0\x9F\x98\x80");
    CASE_EVENT(&one, 0, "properties.d", "\\ud83d");
    case_fini(&one);
}
END_TEST

START_TEST(an_event_is_one_line_however_it_was_laid_out)
{
    struct protocol_case one;
    case_init(&one);
    send_track(&one, ",\n  \"properties\": {\n    \"a b\" : [ 1,\n 2.50 ],\"n\\nl\":\"x\\ny\"\n  }\n");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "properties", "{\"a b\":[1,2.50],\"n\\nl\":\"x\\ny\"}");
    case_fini(&one);
}
END_TEST

START_TEST(a_trace_goes_on)
{
    struct protocol_case one;
    case_init(&one);
    case_header(&one, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    send_track(&one, "");
    CASE_EVENT(&one, 0, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    case_header(&one, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-zz");
    send_track(&one, "");
    CASE_EVENT(&one, 0, "traceparent", "");
    case_fini(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol_segment");
    TCase *tests = tcase_create("segment");
    tcase_add_test(tests, a_batch_becomes_events);
    tcase_add_test(tests, a_batch_may_have_a_context);
    tcase_add_test(tests, every_route_has_its_call);
    tcase_add_test(tests, traits_are_properties_and_ids_stay_with_the_origin);
    tcase_add_test(tests, keys_are_found_wherever_a_client_says_them);
    tcase_add_test(tests, an_unknown_key_may_have_a_source);
    tcase_add_test(tests, the_senders_clock_is_corrected);
    tcase_add_test(tests, one_bad_event_never_fails_its_batch);
    tcase_add_test(tests, what_is_no_batch_is_refused_whole);
    tcase_add_test(tests, limits_are_of_an_event_not_of_its_batch);
    tcase_add_test(tests, deep_json_is_refused_without_recursion);
    tcase_add_test(tests, a_retry_without_an_id_is_the_same_event);
    tcase_add_test(tests, many_derived_ids_are_told_apart);
    tcase_add_test(tests, the_partition_follows_the_user);
    tcase_add_test(tests, rudderstack_says_more_in_headers);
    tcase_add_test(tests, the_browser_library_learns_where_to_send);
    tcase_add_test(tests, half_an_emoji_is_no_reason_to_lose_a_batch);
    tcase_add_test(tests, an_event_is_one_line_however_it_was_laid_out);
    tcase_add_test(tests, a_trace_goes_on);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
