/* Our own door, and what every protocol stands on: names of types, forms, base64, the tree of JSON. */
#include "form.h"
#include "protocol_case.h"
#include "type_name.h"

START_TEST(an_object_an_array_or_lines)
{
    static const struct {
        const char *type, *body;
        uint32_t status, events, bad;
    } tries[] = {
        {NULL, "{\"type\":\"view\"}", 200, 1, 0},
        {NULL, " [ {\"type\":\"view\"} , {\"type\":\"view\"} ] ", 200, 2, 0},
        {NULL, "{\"type\":\"view\"}\n{\"type\":\"view\"}\n", 200, 2, 0},
        {NULL, "{\"type\":\"view\"}\r\n\r\n{\"type\":\"view\"}", 200, 2, 0},
        {NULL, "{\n \"type\": \"view\"\n}", 200, 1, 0},
        {NULL, "{\"type\":\"view\"}\nnonsense\n{\"type\":\"view\"}\n\xff\n[]\n{\"a\":\"", 200, 2, 4},
        {"application/x-ndjson", "nonsense\n{\"type\":\"view\"}", 200, 1, 1},
        {"application/x-ndjson; charset=utf-8", "{\"type\":\"view\"}", 200, 1, 0},
        {NULL, "nonsense\n{\"type\":\"view\"}", 400, 0, 0},
        {NULL, "", 400, 0, 0},
        {NULL, "\n\n", 400, 0, 0},
        {NULL, "[]", 200, 0, 0},
        {NULL, "7", 200, 0, 1},
        {"text/plain", "[1,{\"type\":\"view\"},{}]", 200, 1, 2},
    };
    for (size_t i = 0; i < EVS_COUNT(tries); i++) {
        struct protocol_case one;
        case_init(&one);
        case_header(&one, "x-write-key", "KEY");
        case_header(&one, "content-type", tries[i].type);
        case_send(&one, "POST", "/v1/events", tries[i].body);
        ck_assert_msg(one.out.answer.status == tries[i].status && one.out.event_count == tries[i].events &&
                          one.out.bad_row_count == tries[i].bad,
                      "try %zu: %u, %u events, %u bad rows", i, one.out.answer.status, one.out.event_count,
                      one.out.bad_row_count);
        case_fini(&one);
    }
}
END_TEST

START_TEST(canonical_fields_are_taken_as_they_are)
{
    struct protocol_case one;
    case_init(&one);
    case_header(&one, "authorization", "Bearer KEY");
    case_send(
        &one, "POST", "/v1/events",
        "{\"event_id\":\"e1\",\"type\":\"add_to_cart\",\"occurred_at\":\"2026-11-23T04:37:01.5Z\",\"user_id\":\"ann\","
        "\"anonymous_id\":\"a\",\"session_id\":\"s\",\"properties\":{\"n\":1},\"context\":{\"locale\":\"de\"},"
        "\"source\":\"forged\",\"received_at\":\"1999-01-01T00:00:00Z\",\"more\":true,"
        "\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(
        &one, 0, "",
        "{\"event_id\":\"e1\",\"type\":\"add_to_cart\",\"occurred_at\":\"2026-11-23T04:37:01.500Z\","
        "\"received_at\":\"2026-11-23T04:37:10Z\",\"user_id\":\"ann\",\"anonymous_id\":\"a\",\"session_id\":\"s\","
        "\"properties\":{\"n\":1},\"context\":{\"locale\":\"de\",\"origin\":{\"protocol\":\"plain\","
        "\"name\":\"add_to_cart\",\"timestamp\":\"2026-11-23T04:37:01.5Z\",\"fields\":{\"more\":true}}},"
        "\"source\":\"web\",\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}");
    case_fini(&one);
}
END_TEST

/* Events that are equal and have no id get one each, however many others come between them. */
START_TEST(equal_events_stay_apart)
{
    struct protocol_case one;
    struct evs_buffer body = {0};
    case_init(&one);
    case_open(&one);
    for (int i = 0; i < 600; i++) {
        evs_buffer_printf(&body, "{\"type\":\"e%d\"}\n", i % 3 == 0 ? 0 : i);
    }
    case_send_bytes(&one, "POST", "/v1/events?write_key=KEY", body.data, body.count);
    CASE_COUNTS(&one, 200, 600, 0);
    for (uint32_t i = 0; i < 600; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (evs_slice_equal(one.out.events[i].event_id, one.out.events[j].event_id)) {
                ck_abort_msg("events %u and %u have one id", j, i);
            }
        }
    }
    CASE_EVENT(&one, 0, "type", "e0");
    ck_assert_ptr_nonnull(strstr(case_event(&one, 597, "event_id"), "-200"));
    evs_buffer_fini(&body);
    case_fini(&one);
}
END_TEST

START_TEST(a_flat_event_has_properties)
{
    struct protocol_case one;
    case_init(&one);
    case_send(&one, "POST", "/v1/events?write_key=KEY",
              "{\"type\":\"view\",\"sku\":\"lamp\",\"price\":59.90,\"userId\":\"ann\",\"timestamp\":1795408621}");
    CASE_COUNTS(&one, 200, 1, 0);
    CASE_EVENT(&one, 0, "properties", "{\"sku\":\"lamp\",\"price\":59.90}");
    CASE_EVENT(&one, 0, "user_id", "ann");
    CASE_EVENT(&one, 0, "occurred_at", "2026-11-23T04:37:01Z");
    case_fini(&one);
}
END_TEST

START_TEST(mistakes_are_named_all_at_once)
{
    struct protocol_case one;
    case_init(&one);
    case_header(&one, "x-write-key", "KEY");
    case_send(&one, "POST", "/v1/events",
              "{\"user_id\":[1],\"session_id\":true,\"occurred_at\":\"never\",\"properties\":\"x\",\"context\":[]}");
    CASE_COUNTS(&one, 200, 0, 1);
    ck_assert_uint_eq(one.out.bad_rows[0].reason_count, 6);
    char id[700];
    memset(id, 'i', sizeof id - 1);
    id[sizeof id - 1] = 0;
    char *body = NULL;
    ck_assert_int_gt(asprintf(&body, "{\"type\":\"v\",\"user_id\":\"%s\",\"event_id\":\"%s\"}", id, id), 0);
    case_send(&one, "POST", "/v1/events", body);
    CASE_COUNTS(&one, 200, 0, 1);
    ck_assert_str_eq(case_bad_row(&one, 0, "_reasons.0"), "user_id has 699 bytes; at most 512 are kept.");
    free(body);
    ck_assert_int_gt(asprintf(&body, "{\"type\":\"v\",\"event_id\":\"%.101s\"}", id), 0);
    case_send(&one, "POST", "/v1/events", body);
    CASE_COUNTS(&one, 200, 1, 0); /* an id that is too long is hashed, so that its repetition is still known */
    ck_assert_uint_eq(one.out.events[0].event_id.count, 32);
    free(body);
    case_send(&one, "POST", "/v1/events", "{\"write_key\":\"no\",\"type\":\"v\"}");
    CASE_COUNTS(&one, 200, 1, 0); /* the header's key is known */
    ck_assert_ptr_null(strstr(case_event(&one, 0, ""), "write_key"));
    case_header(&one, "x-write-key", NULL);
    case_send(&one, "POST", "/v1/events", "{\"write_key\":\"no\",\"type\":\"v\"}");
    CASE_COUNTS(&one, 401, 0, 0);
    case_fini(&one);
}
END_TEST

START_TEST(a_pixel_is_an_event)
{
    struct protocol_case one;
    case_init(&one);
    case_send(&one, "GET", "/p.gif?k=KEY&type=Mail+Opened&user_id=ann&campaign=bf&empty=", "");
    CASE_COUNTS(&one, 200, 1, 0);
    ck_assert_str_eq(one.out.answer.content_type, "image/gif");
    ck_assert_str_eq(one.out.answer.headers[0].value, "no-cache, no-store, must-revalidate");
    CASE_EVENT(&one, 0, "type", "mail_opened");
    CASE_EVENT(&one, 0, "user_id", "ann");
    CASE_EVENT(&one, 0, "properties", "{\"campaign\":\"bf\"}");
    case_header(&one, "user-agent", "Googlebot-Image/1.0"); /* whoever loads an image is the visitor */
    case_send(&one, "GET", "/p.gif?k=KEY&type=open", "");
    CASE_EVENT(&one, 0, "context.bot", "true");
    CASE_EVENT(&one, 0, "context.ip", "203.0.113.0");
    case_send(&one, "GET", "/pixel/v1/track?writeKey=KEY&event=Opened&userId=ann&x=1", "");
    CASE_EVENT(&one, 0, "type", "opened");
    CASE_EVENT(&one, 0, "properties", "{\"x\":\"1\"}");
    case_send(&one, "GET", "/pixel/v1/page?writeKey=KEY&anonymousId=a", "");
    CASE_EVENT(&one, 0, "type", "page");
    case_send(&one, "GET", "/p.gif?k=KEY", "");
    CASE_COUNTS(&one, 200, 0, 1); /* the image comes all the same */
    case_send(&one, "GET", "/p.gif?type=x", "");
    CASE_COUNTS(&one, 401, 0, 0);
    case_fini(&one);
}
END_TEST

START_TEST(names_become_types)
{
    static const char *const names[][3] = {
        {"Product Added", "product_added", "add_to_cart"},
        {"product added", "product_added", "add_to_cart"},
        {"ProductAdded", "product_added", "add_to_cart"},
        {"PRODUCT_ADDED", "product_added", "add_to_cart"},
        {"Order Completed", "order_completed", "purchase"},
        {"view_item", "view_item", "product_view"},
        {"Products Searched", "products_searched", "search"},
        {"Wishlist Product Added to Cart", "wishlist_product_added_to_cart", "add_to_cart"},
        {"add_payment_info", "add_payment_info", "payment_info"},
        {"addToCart", "add_to_cart", "add_to_cart"},
        {"HTTPRequest2xx", "http_request2xx", "http_request2xx"},
        {"  $autocapture! ", "autocapture", "autocapture"},
        {"a.b-c/d", "a_b_c_d", "a_b_c_d"},
        {"K\xC3\xA4ufe Heute", "k\xC3\xA4ufe_heute", "k\xC3\xA4ufe_heute"},
        {"!!!", "", ""},
        {"", "", ""},
    };
    struct evs_arena arena = {0};
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        struct evs_slice snake = evs_snake_name(&arena, evs_slice_of(names[i][0])), shop = evs_shop_name(snake);
        ck_assert_msg(evs_slice_equal(snake, evs_slice_of(names[i][1])), "%s: %.*s", names[i][0], (int)snake.count,
                      snake.data);
        ck_assert_msg(evs_slice_equal(shop, evs_slice_of(names[i][2])), "%s: %.*s", names[i][0], (int)shop.count,
                      shop.data);
    }
    const char *from, *to, *before = "";
    uint32_t i = 0;
    for (; evs_shop_name_at(i, &from, &to); i++) { /* the search needs them in order */
        ck_assert_int_lt(strcmp(before, from), 0);
        before = from;
        ck_assert(evs_slice_equal(evs_shop_name(evs_slice_of(from)), evs_slice_of(to)));
        ck_assert(evs_slice_equal(evs_shop_name(evs_slice_of(to)), evs_slice_of(to))); /* once is enough */
    }
    ck_assert_uint_gt(i, 30);
    evs_arena_fini(&arena);
}
END_TEST

/* The page of events lists the mapping, line for line. */
START_TEST(the_mapping_is_documented)
{
    static char page[64 << 10], row[128], name[128];
    const char *from, *to;
    FILE *file = fopen("docs/events.md", "r");
    ck_assert_ptr_nonnull(file);
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    for (uint32_t i = 0; evs_shop_name_at(i, &from, &to); i++) {
        snprintf(row, sizeof row, "\n| `%s` | ", to);
        snprintf(name, sizeof name, "`%s`", from);
        const char *line = strstr(page, row);
        ck_assert_msg(line != NULL, "docs/events.md has no row for %s", to);
        const char *found = strstr(line, name);
        ck_assert_msg(found != NULL && found < strchr(line + 1, '\n'), "docs/events.md does not lead %s to %s", from,
                      to);
    }
}
END_TEST

START_TEST(without_the_mapping_names_stay)
{
    struct protocol_case one;
    case_init(&one);
    one.config.ecommerce_names = false;
    case_open(&one);
    case_send(&one, "POST", "/v1/track", "{\"writeKey\":\"KEY\",\"event\":\"Product Added\"}");
    CASE_EVENT(&one, 0, "type", "product_added");
    case_fini(&one);
}
END_TEST

START_TEST(forms_are_decoded)
{
    static const char *const texts[][2] = {
        {"a%20b+c", "a b c"},
        {"%41%6a", "Aj"},
        {"100%", "100%"},
        {"%4", "%4"},
        {"%zz", "%zz"},
        {"%C3%A4", "\xC3\xA4"},
        {"%ff%C3", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xff", "\xEF\xBF\xBD"},
        {"%E2%82", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    struct evs_arena arena = {0};
    for (size_t i = 0; i < EVS_COUNT(texts); i++) {
        struct evs_slice out = evs_form_decode(&arena, evs_slice_of(texts[i][0]));
        ck_assert_msg(evs_slice_equal(out, evs_slice_of(texts[i][1])), "%s: %.*s", texts[i][0], (int)out.count,
                      out.data);
    }
    struct evs_slice query = EVS_SLICE("&a=1&&b&c=%3D&a=2&=x");
    ck_assert(evs_slice_equal(evs_form_value(&arena, query, "a"), EVS_SLICE("1")));
    ck_assert(evs_slice_equal(evs_form_value(&arena, query, "c"), EVS_SLICE("=")));
    ck_assert_uint_eq(evs_form_value(&arena, query, "b").count, 0);
    ck_assert_uint_eq(evs_form_value(&arena, query, "none").count, 0);
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(base64_in_both_alphabets)
{
    static const struct {
        const char *text, *bytes;
        bool valid;
    } tries[] = {
        {"", "", true},
        {"YQ==", "a", true},
        {"YQ", "a", true},
        {"YWI=", "ab", true},
        {"YWJj", "abc", true},
        {"8J+YgA==", "\xF0\x9F\x98\x80", true},
        {"8J-YgA", "\xF0\x9F\x98\x80", true},
        {"Pz8_", "???", true},
        {"Pz8/", "???", true},
        {"Y", "", false},
        {"Y!==", "", false},
        {"YWJj YWJj", "", false},
    };
    struct evs_arena arena = {0};
    for (size_t i = 0; i < EVS_COUNT(tries); i++) {
        struct evs_slice out;
        bool valid = evs_form_base64(&arena, evs_slice_of(tries[i].text), &out);
        ck_assert_msg(valid == tries[i].valid, "%s", tries[i].text);
        ck_assert_msg(!valid || evs_slice_equal(out, evs_slice_of(tries[i].bytes)), "%s", tries[i].text);
    }
    evs_arena_fini(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocol_plain");
    TCase *tests = tcase_create("plain");
    tcase_add_test(tests, an_object_an_array_or_lines);
    tcase_add_test(tests, canonical_fields_are_taken_as_they_are);
    tcase_add_test(tests, equal_events_stay_apart);
    tcase_add_test(tests, a_flat_event_has_properties);
    tcase_add_test(tests, mistakes_are_named_all_at_once);
    tcase_add_test(tests, a_pixel_is_an_event);
    tcase_add_test(tests, names_become_types);
    tcase_add_test(tests, the_mapping_is_documented);
    tcase_add_test(tests, without_the_mapping_names_stay);
    tcase_add_test(tests, forms_are_decoded);
    tcase_add_test(tests, base64_in_both_alphabets);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
