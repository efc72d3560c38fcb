/* The demo's generator and its recount: what the demo proves is worth as much as these two.
 *
 * The recount is held to results that were worked out by hand, on records of a few lines with windows of 10 s and a delay of 2 s. */
#include <string.h>
#include <unistd.h>

#include "evstream/text.h"
#include "recount.h"
#include "shop_text.h"
#include "unit.h"

#define START_US INT64_C(1767607200000000) /* 2026-01-05T10:00:00Z, the start of a window */
#define MANY 20000

/* --- the generator ---------------------------------------------------------------------------------------------------- */

static struct evs_buffer play(const struct evs_shop_settings *settings, uint32_t count)
{
    struct evs_shop_traffic *traffic = evs_shop_traffic_new(settings);
    struct evs_buffer text = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct evs_shop_event event;
        evs_shop_next(traffic, &event);
        evs_shop_put_json(&text, &event);
        evs_shop_put_record(&text, &event, evs_shop_partition(&event, 16), 1, i);
    }
    evs_shop_traffic_free(traffic);
    return text;
}

static bool same(const struct evs_buffer *a, const struct evs_buffer *b)
{
    return a->count == b->count && memcmp(a->data, b->data, a->count) == 0;
}

START_TEST(a_seed_is_a_traffic)
{
    struct evs_shop_settings settings = {.seed = 7, .start_us = START_US, .rate = 1000, .futures = true};
    struct evs_buffer first = play(&settings, 2000), again = play(&settings, 2000);
    settings.seed = 8;
    struct evs_buffer other = play(&settings, 2000);
    ck_assert(same(&first, &again));
    ck_assert(!same(&first, &other));
    evs_buffer_fini(&first);
    evs_buffer_fini(&again);
    evs_buffer_fini(&other);
}
END_TEST

START_TEST(traffic_looks_like_a_shop)
{
    struct evs_shop_settings settings = {.seed = 1, .start_us = START_US, .rate = 1000, .futures = true};
    struct evs_shop_traffic *traffic = evs_shop_traffic_new(&settings);
    uint32_t kinds[4] = {0}, flaws[7] = {0}, late = 0, anonymous = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        struct evs_shop_event event;
        ck_assert_int_eq(evs_shop_next_us(traffic), START_US + (int64_t)i * 1000);
        evs_shop_next(traffic, &event);
        kinds[event.kind]++;
        flaws[event.flaw]++;
        anonymous += event.user == EVS_SHOP_NOBODY;
        late += event.sent_us - event.occurred_us >= 2000000;
        ck_assert_int_eq(event.occurred_us % 1000, 0);
        ck_assert(event.flaw == EVS_SHOP_FUTURE || event.occurred_us <= event.sent_us);
        ck_assert(event.kind != EVS_SHOP_PURCHASE || (event.cents > 0 && event.quantity > 0));
    }
    evs_shop_traffic_free(traffic);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_uint_gt(kinds[i], MANY / 200);
    }
    for (uint32_t i = 1; i < 7; i++) {
        ck_assert_uint_gt(flaws[i], 0);
    }
    ck_assert(late > MANY / 50 && late < MANY / 20);
    ck_assert(anonymous > MANY / 4 && anonymous < MANY / 2);
}
END_TEST

START_TEST(clean_traffic_is_clean)
{
    struct evs_shop_settings settings = {.seed = 1, .start_us = START_US, .rate = 1000, .clean = true};
    struct evs_shop_traffic *traffic = evs_shop_traffic_new(&settings);
    int64_t last_us = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        struct evs_shop_event event;
        evs_shop_next(traffic, &event);
        ck_assert_int_eq(event.flaw, EVS_SHOP_WHOLE);
        ck_assert_int_ge(event.occurred_us, last_us);
        last_us = event.occurred_us;
    }
    evs_shop_traffic_free(traffic);
}
END_TEST

static const struct evs_shop_event cart = {
    .number = 42,
    .sent_us = START_US + 500000,
    .occurred_us = START_US + 250000,
    .kind = EVS_SHOP_ADD_TO_CART,
    .user = 17,
    .visitor = 17,
    .session = 3,
    .product = 5,
    .quantity = 2,
    .cents = 1905,
    .campaign = 1,
};

static void check_json(const struct evs_shop_event *event, const char *there, const char *not_there)
{
    struct evs_buffer text = {0};
    evs_shop_put_json(&text, event);
    ck_assert(text.data[text.count - 1] == '\n');
    text.data[text.count - 1] = '\0';
    ck_assert_msg(strstr(text.data, there) != NULL, "no %s in %s", there, text.data);
    ck_assert_msg(not_there == NULL || strstr(text.data, not_there) == NULL, "%s in %s", not_there, text.data);
    evs_buffer_fini(&text);
}

START_TEST(an_event_says_what_happened)
{
    struct evs_shop_event event = cart;
    check_json(&event,
               "{\"event_id\":\"e0000000042\",\"type\":\"add_to_cart\",\"occurred_at\":\"2026-01-05T10:00:00.250Z\","
               "\"received_at\":"
               "\"2026-01-05T10:00:00.500Z\",\"user_id\":\"u00017\",\"anonymous_id\":\"a0000017\",\"session_id\":"
               "\"s00000003\",\"properties\":"
               "{\"sku\":\"sku-005\",\"price\":19.05,\"quantity\":2,\"currency\":\"EUR\"},",
               NULL);
    event.quoted = true;
    check_json(&event, "\"price\":\"19.05\"", NULL);
    event.user = EVS_SHOP_NOBODY;
    check_json(&event, "\"user_id\":null", NULL);
    event.flaw = EVS_SHOP_BAD_PRICE;
    check_json(&event, "\"price\":\"twelve\"", "19.05");
    event.flaw = EVS_SHOP_NO_TYPE;
    check_json(&event, "\"occurred_at\"", "\"type\"");
    event.flaw = EVS_SHOP_NO_TIME;
    check_json(&event, "\"type\"", "\"occurred_at\"");
    event.flaw = EVS_SHOP_BAD_TIME;
    check_json(&event, "\"occurred_at\":\"yesterday\"", NULL);
    event.flaw = EVS_SHOP_CUT;
    check_json(&event, "\"type\"", "traceparent");
}
END_TEST

START_TEST(a_partition_is_the_hash_of_the_person)
{
    struct evs_shop_event event = cart;
    ck_assert_uint_eq(evs_shop_partition(&event, 16), evs_fnv1a32("u00017", 6) % 16);
    event.user = EVS_SHOP_NOBODY;
    ck_assert_uint_eq(evs_shop_partition(&event, 16), evs_fnv1a32("a0000017", 8) % 16);
}
END_TEST

START_TEST(a_record_has_every_field)
{
    struct evs_buffer text = {0};
    struct evs_shop_event event = cart;
    evs_shop_put_record(&text, &event, 3, 99, 4);
    event.user = EVS_SHOP_NOBODY;
    event.campaign = 0;
    event.kind = EVS_SHOP_PAGE;
    evs_shop_put_record(&text, &event, 3, 99, 5);
    evs_buffer_put(&text, "", 1);
    ck_assert_str_eq(
        text.data,
        "3\t99\t4\t1767607200500000\t1767607200250000\tadd_to_cart\twhole\te0000000042\tu00017\ta0000017\tsku-005\t"
        "newsletter\t2\t1905\n"
        "3\t99\t5\t1767607200500000\t1767607200250000\tpage\twhole\te0000000042\t-\ta0000017\t-\t-\t2\t1905\n");
    evs_buffer_fini(&text);
}
END_TEST

/* --- the recount ------------------------------------------------------------------------------------------------------- */

static const struct rules rules = {
    .window_us = 10000000,
    .delay_us = 2000000,
    .future_us = 60000000,
    .remember_us = INT64_C(86400) * 1000000,
    .min_cents = 1000,
    .gold_cents = 5000,
    .min_visitors = 2,
};

static struct event event_at(uint32_t partition, double seconds, enum kind kind, const char *key, int64_t cents)
{
    return (struct event){
        .partition = partition,
        .sequence = 1,
        .sent_us = START_US,
        .occurred_us = START_US + (int64_t)(seconds * 1000) * 1000,
        .kind = kind,
        .id = "e1",
        .user = key,
        .anonymous = "a1",
        .sku = kind == KIND_PURCHASE || kind == KIND_PAGE ? NULL : "sku-1",
        .quantity = 1,
        .cents = cents,
    };
}

static void check_lines(const struct lines *lines, const char *const *wanted, size_t count)
{
    for (size_t i = 0; i < lines->count && i < count; i++) {
        ck_assert_str_eq(lines->items[i], wanted[i]);
    }
    ck_assert_uint_eq(lines->count, count);
}

static void expected_free(struct expected *expected)
{
    evs_lines_free(&expected->triggers);
    evs_lines_free(&expected->late);
    evs_lines_free(&expected->dead);
}

#define CHECK_LINES(lines, ...)                                                                                        \
    check_lines(lines, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

START_TEST(carts_are_summed_by_window)
{
    struct event events[] = {
        event_at(0, 1, KIND_ADD_TO_CART, "ann", 450),  event_at(0, 9.999, KIND_ADD_TO_CART, "ann", 300),
        event_at(0, 10, KIND_ADD_TO_CART, "ann", 999), /* the next window; too little */
        event_at(0, 2, KIND_ADD_TO_CART, NULL, 5000),  /* nobody */
        event_at(0, 3, KIND_PAGE, "ann", 0),           event_at(1, 4, KIND_ADD_TO_CART, "bob", 1000),
    };
    events[0].quantity = 2;
    struct expected expected = {0};
    evs_recount(CART_VALUE, &rules, events, 6, &expected);
    CHECK_LINES(&expected.triggers,
                "{\"user_id\":\"ann\",\"window_start\":\"2026-01-05T10:00:00Z\",\"window_end\":\"2026-01-05T10:00:"
                "10Z\",\"items\":2,\"value\":12,"
                "\"dearest\":4.5}",
                "{\"user_id\":\"bob\",\"window_start\":\"2026-01-05T10:00:00Z\",\"window_end\":\"2026-01-05T10:00:"
                "10Z\",\"items\":1,\"value\":10,"
                "\"dearest\":10}");
    ck_assert_uint_eq(expected.late.count + expected.dead.count, 0);
    expected_free(&expected);
}
END_TEST

START_TEST(late_is_judged_by_the_watermark_before)
{
    struct event events[] = {
        event_at(0, 11.999, KIND_PAGE, "ann", 0),
        event_at(0, 5, KIND_ADD_TO_CART, "ann", 1000), /* W = 9.999: in time */
        event_at(0, 12, KIND_PAGE, "ann", 0),
        event_at(0, 5, KIND_ADD_TO_CART, "ann", 1500), /* W = 10: late */
        event_at(1, 5, KIND_ADD_TO_CART, "bob", 1250), /* another partition has another W */
    };
    struct expected expected = {0};
    evs_recount(CART_VALUE, &rules, events, 5, &expected);
    ck_assert_uint_eq(expected.triggers.count, 2);
    CHECK_LINES(&expected.late,
                "{\"event_id\":\"e1\",\"type\":\"add_to_cart\",\"occurred_at\":\"2026-01-05T10:00:05Z\",\"user_id\":"
                "\"ann\",\"sku\":"
                "\"sku-1\",\"price\":15,\"quantity\":1,\"window_start\":\"2026-01-05T10:00:00Z\",\"window_end\":"
                "\"2026-01-05T10:00:10Z\",\"_watermark\":\"2026-01-05T10:00:10Z\",\"_lateness\":5000000}");
    expected_free(&expected);
}
END_TEST

START_TEST(dead_events_move_no_watermark)
{
    struct event events[] = {
        event_at(0, 61, KIND_PAGE, "ann", 0), /* a minute and a second after it was sent */
        event_at(0, 40, KIND_PAGE, "ann", 0),           event_at(0, 40, KIND_PAGE, "ann", 0),
        event_at(0, 40, KIND_ADD_TO_CART, "ann", 1000), event_at(0, 1, KIND_ADD_TO_CART, "ann", 1000),
    };
    events[1].flaw = FLAW_CUT;
    events[2].flaw = FLAW_BAD_TIME;
    events[3].flaw = FLAW_BAD_PRICE;
    struct expected cart_value = {0}, hot_products = {0};
    evs_recount(CART_VALUE, &rules, events, 5, &cart_value);
    CHECK_LINES(&cart_value.dead, "future 1", "json 1", "type 1", "type 1");
    ck_assert_uint_eq(cart_value.triggers.count, 1);
    evs_recount(HOT_PRODUCTS, &rules, events, 5, &hot_products); /* reads no price */
    CHECK_LINES(&hot_products.dead, "future 1", "json 1", "type 1");
    expected_free(&cart_value);
    expected_free(&hot_products);
}
END_TEST

START_TEST(visitors_are_counted_once)
{
    struct event events[] = {
        event_at(0, 1, KIND_PRODUCT_VIEW, "ann", 100), event_at(1, 2, KIND_PRODUCT_VIEW, "bob", 100),
        event_at(0, 3, KIND_PRODUCT_VIEW, "ann", 100),
        event_at(0, 13, KIND_PRODUCT_VIEW, "ann", 100), /* alone in its window */
    };
    events[1].anonymous = "a2";
    struct expected expected = {0};
    evs_recount(HOT_PRODUCTS, &rules, events, 4, &expected);
    CHECK_LINES(&expected.triggers, "{\"sku\":\"sku-1\",\"window_start\":\"2026-01-05T10:00:00Z\",\"window_end\":"
                                    "\"2026-01-05T10:00:10Z\",\"views\":3,"
                                    "\"visitors\":2}");
    expected_free(&expected);
}
END_TEST

START_TEST(an_average_has_nine_digits)
{
    struct event events[] = {
        event_at(0, 1, KIND_PURCHASE, "ann", 1000),
        event_at(1, 2, KIND_PURCHASE, NULL, 1000),
        event_at(2, 3, KIND_PURCHASE, "bob", 1001),
        event_at(2, 4, KIND_PURCHASE, "bob", 700),
    };
    events[3].campaign = "search";
    struct expected expected = {0};
    evs_recount(SALES_BY_CAMPAIGN, &rules, events, 4, &expected);
    CHECK_LINES(&expected.triggers,
                "{\"campaign\":\"direct\",\"window_start\":\"2026-01-05T10:00:00Z\",\"window_end\":\"2026-01-05T10:00:"
                "10Z\",\"orders\":3,\"revenue\":30.01,"
                "\"average\":10.003333333,\"largest\":10.01}",
                "{\"campaign\":\"search\",\"window_start\":\"2026-01-05T10:00:00Z\",\"window_end\":\"2026-01-05T10:00:"
                "10Z\",\"orders\":1,\"revenue\":7,"
                "\"average\":7,\"largest\":7}");
    expected_free(&expected);
}
END_TEST

START_TEST(gold_is_told_with_each_order_and_forgotten)
{
    const double day = 86400;
    struct event events[] = {
        event_at(0, 1, KIND_PURCHASE, "ann", 4000),        event_at(0, 2, KIND_PURCHASE, "ann", 1000),
        event_at(0, 1.5, KIND_PURCHASE, "ann", 50),        event_at(0, day + 10, KIND_PAGE, NULL, 0),
        event_at(0, day + 11, KIND_PURCHASE, "ann", 6000),
    };
    events[3].sent_us = events[4].sent_us = events[4].occurred_us;
    struct expected expected = {0};
    evs_recount(GOLD_CUSTOMERS, &rules, events, 5, &expected);
    CHECK_LINES(&expected.triggers, "{\"user_id\":\"ann\",\"orders\":2,\"spent\":50,\"revision\":1}",
                "{\"user_id\":\"ann\",\"orders\":3,\"spent\":50.5,\"revision\":2}",
                "{\"user_id\":\"ann\",\"orders\":1,\"spent\":60,\"revision\":0}");
    expected_free(&expected);
}
END_TEST

/* --- the comparison ------------------------------------------------------------------------------------------------------ */

static struct agreement agree(const char *stream, bool has_ids, bool is_dead)
{
    char path[] = "/tmp/evs_test_demo.XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, stream, strlen(stream)), (ssize_t)strlen(stream));
    close(fd);
    struct lines expected = {0};
    evs_lines_add(&expected, is_dead ? "json 12" : "two");
    evs_lines_add(&expected, is_dead ? "type 7" : "one");
    struct agreement agreement;
    ck_assert(evs_recount_compare(path, has_ids, is_dead, &expected, &agreement));
    evs_lines_free(&expected);
    free(agreement.a_missing);
    free(agreement.an_extra);
    unlink(path);
    return agreement;
}

static void check_agreement(struct agreement agreement, size_t missing, size_t extra, size_t twice)
{
    ck_assert_uint_eq(agreement.expected, 2);
    ck_assert_uint_eq(agreement.missing, missing);
    ck_assert_uint_eq(agreement.extra, extra);
    ck_assert_uint_eq(agreement.twice, twice);
}

START_TEST(every_disagreement_is_seen)
{
    check_agreement(agree("a\tone\nb\ttwo\n", true, false), 0, 0, 0);
    check_agreement(agree("b\ttwo\na\tone", true, false), 0, 0, 0);
    check_agreement(agree("a\tone\n", true, false), 1, 0, 0);
    check_agreement(agree("a\tone\nb\ttwo\nc\ttwo\n", true, false), 0, 1, 0);
    check_agreement(agree("a\tone\na\ttwo\n", true, false), 0, 0, 1);
    check_agreement(agree("a\tone\n\ttwo\n", true, false), 0, 0, 1);
    check_agreement(agree("a\tone\nb\ttwo \n", true, false), 1, 1, 0);
    check_agreement(agree("one\ntwo\n", false, false), 0, 0, 0);
    check_agreement(agree("", true, false), 2, 0, 0);
}
END_TEST

START_TEST(dead_letters_are_compared_by_reason_and_message)
{
    check_agreement(agree("a\t{\"_reason\":\"type\",\"_sequence\":7}\nb\t{\"_reason\":\"json\",\"_code\":\"R1\",\"_"
                          "sequence\":12,\"raw\":\"\"}\n",
                          true, true),
                    0, 0, 0);
    check_agreement(
        agree("a\t{\"_reason\":\"type\",\"_sequence\":7}\nb\t{\"_reason\":\"json\",\"_sequence\":13}\n", true, true), 1,
        1, 0);
    check_agreement(agree("a\t{\"_reason\":\"type\",\"_sequence\":7}\nb\t{}\n", true, true), 1, 1, 0);
}
END_TEST

START_TEST(a_stream_that_cannot_be_read_is_told)
{
    struct lines expected = {0};
    struct agreement agreement;
    ck_assert(!evs_recount_compare("/tmp/evs_test_demo.none/at/all", true, false, &expected, &agreement));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("demo");
    TCase *shop = tcase_create("shop"), *recount = tcase_create("recount"), *comparison = tcase_create("comparison");
    tcase_add_test(shop, a_seed_is_a_traffic);
    tcase_add_test(shop, traffic_looks_like_a_shop);
    tcase_add_test(shop, clean_traffic_is_clean);
    tcase_add_test(shop, an_event_says_what_happened);
    tcase_add_test(shop, a_partition_is_the_hash_of_the_person);
    tcase_add_test(shop, a_record_has_every_field);
    tcase_add_test(recount, carts_are_summed_by_window);
    tcase_add_test(recount, late_is_judged_by_the_watermark_before);
    tcase_add_test(recount, dead_events_move_no_watermark);
    tcase_add_test(recount, visitors_are_counted_once);
    tcase_add_test(recount, an_average_has_nine_digits);
    tcase_add_test(recount, gold_is_told_with_each_order_and_forgotten);
    tcase_add_test(comparison, every_disagreement_is_seen);
    tcase_add_test(comparison, dead_letters_are_compared_by_reason_and_message);
    tcase_add_test(comparison, a_stream_that_cannot_be_read_is_told);
    suite_add_tcase(suite, shop);
    suite_add_tcase(suite, recount);
    suite_add_tcase(suite, comparison);
    return unit_run(suite);
}
