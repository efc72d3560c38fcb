/* CloudEvents: both modes, attributes and their encoding, ids, options. */
#include <string.h>

#include "format_cloudevents.h"
#include "json_oracle.h"
#include "row_case.h"

enum { TYPE, SOURCE, SUBJECT, MODE, CAUSATION, OPTIONS };

struct event {
    struct row_case row;
    struct evs_arena arena;
    const void *config;
    struct evs_format_place place;
    struct evs_buffer payload, headers;
    bool causation;
};

static void event_init(struct event *event)
{
    *event = (struct event){
        .place = {
            .pipeline = "carts", .sink = "reminders", .id = {0x0123456789abcdef, 0xfedcba9876543210}, .has_id = true}};
    row_case_init(&event->row, 1);
    row_case_text(&event->row, "user_id", EVS_STRING, EVS_SLICE("ann"));
    row_case_int(&event->row, "n", EVS_INT64, 2);
    event->row.batch->event_time_us[0] = 1767607200500000;
}

static void event_fini(struct event *event)
{
    evs_buffer_fini(&event->payload);
    evs_buffer_fini(&event->headers);
    evs_arena_fini(&event->arena);
    row_case_fini(&event->row);
}

/* NULL: not set. */
static evs_status configure(struct event *event, const char *type, const char *source, const char *subject,
                            bool structured, struct evs_error *error)
{
    const char *const texts[OPTIONS] = {type, source, subject, structured ? "structured" : "binary", NULL};
    struct evs_option_value values[OPTIONS];
    for (int i = 0; i < OPTIONS; i++) {
        values[i] = (struct evs_option_value){.option = &evs_format_cloudevents.options[i], .is_set = texts[i] != NULL};
        values[i].text = texts[i] == NULL ? (struct evs_slice){0} : evs_slice_of(texts[i]);
    }
    values[MODE].integer = structured;
    values[CAUSATION].integer = event->causation;
    return evs_format_cloudevents.configure(values, &event->row.schema, &event->arena, &event->config, error);
}

static void encode(struct event *event)
{
    event->payload.count = event->headers.count = 0;
    evs_format_cloudevents.encode(event->config, &event->row.schema, event->row.batch, 0, &event->place,
                                  &event->payload);
    evs_format_cloudevents.headers(event->config, &event->row.schema, event->row.batch, 0, &event->place,
                                   &event->headers);
    evs_buffer_put(&event->payload, "", 1);
    evs_buffer_put(&event->headers, "", 1);
}

START_TEST(binary_mode)
{
    struct event event;
    event_init(&event);
    ck_assert_int_eq(configure(&event, "shop.cart.abandoned", NULL, NULL, false, NULL), EVS_OK);
    encode(&event);
    ck_assert_str_eq(event.payload.data, "{\"user_id\":\"ann\",\"n\":2}");
    ck_assert_str_eq(event.headers.data, "ce-specversion: 1.0\r\n"
                                         "ce-id: fedcba98765432100123456789abcdef\r\n"
                                         "ce-source: /evstream/carts/reminders\r\n"
                                         "ce-type: shop.cart.abandoned\r\n"
                                         "ce-time: 2026-01-05T10:00:00.500Z\r\n"
                                         "ce-datacontenttype: application/json\r\n"
                                         "content-type: application/json\r\n");
    event_fini(&event);
}
END_TEST

/* Of an event its place; of a window its ends, and what all results of one key have in common. */
START_TEST(causation)
{
    struct event event;
    struct evs_hash128 key = {0x11, 0x22};
    event_init(&event);
    event.causation = true;
    struct evs_batch *batch = event.row.batch;
    batch->cause[0] = evs_cause_message(3, 48113, 0xdeadbeef, 7);
    ck_assert_int_eq(configure(&event, "t", NULL, NULL, false, NULL), EVS_OK);
    encode(&event);
    ck_assert_ptr_nonnull(strstr(event.headers.data, "\r\nce-causationid: 3/48113/7\r\n"));
    ck_assert_ptr_null(strstr(event.headers.data, "correlationid"));
    batch->cause_kind = EVS_CAUSE_WINDOW;
    batch->cause[0] = (struct evs_cause){UINT64_C(1767607200000000), UINT64_C(1767607260000000)};
    batch->key = &key;
    encode(&event);
    ck_assert_ptr_nonnull(
        strstr(event.headers.data, "\r\nce-causationid: 2026-01-05T10:00:00Z/2026-01-05T10:01:00Z/0\r\n"));
    ck_assert_ptr_nonnull(strstr(event.headers.data, "\r\nce-correlationid: 00000000000000220000000000000011\r\n"));
    batch->key = NULL;
    event_fini(&event);
}
END_TEST

START_TEST(structured_mode)
{
    struct event event;
    event_init(&event);
    ck_assert_int_eq(configure(&event, "shop.cart.abandoned", "urn:x", "user {user_id}", true, NULL), EVS_OK);
    encode(&event);
    ck_assert_str_eq(event.headers.data, "content-type: application/cloudevents+json\r\n");
    ck_assert_str_eq(
        event.payload.data,
        "{\"specversion\":\"1.0\",\"id\":\"fedcba98765432100123456789abcdef\",\"source\":\"urn:x\",\"type\":\"shop."
        "cart.abandoned\","
        "\"subject\":\"user ann\",\"time\":\"2026-01-05T10:00:00.500Z\",\"datacontenttype\":\"application/json\","
        "\"data\":{\"user_id\":\"ann\",\"n\":2}}");
    event_fini(&event);
}
END_TEST

/* What a header could not hold is percent-encoded; nothing in a value can begin another header. */
START_TEST(header_values_are_encoded)
{
    struct event event;
    event_init(&event);
    row_case_text(&event.row, "traceparent", EVS_STRING, EVS_SLICE("00-ab\r\nx-evil: 1"));
    ck_assert_int_eq(configure(&event, "caf\xC3\xA9 \"x\" 100%", "a\r\nb", "s {user_id}", false, NULL), EVS_OK);
    encode(&event);
    ck_assert_ptr_nonnull(strstr(event.headers.data, "\r\nce-type: caf%C3%A9%20%22x%22%20100%25\r\n"));
    ck_assert_ptr_nonnull(strstr(event.headers.data, "\r\nce-source: a%0D%0Ab\r\n"));
    ck_assert_ptr_nonnull(strstr(event.headers.data, "\r\nce-subject: s%20ann\r\n"));
    ck_assert_ptr_nonnull(strstr(event.headers.data, "\r\nce-traceparent: 00-ab%0D%0Ax-evil:%201\r\n"));
    event_fini(&event);
}
END_TEST

/* The structured form is JSON whatever the values are. */
START_TEST(structured_values_are_escaped)
{
    struct event event;
    struct json_oracle *oracle = json_oracle_new();
    bool broken;
    const char *const type[] = {"type"}, *const trace[] = {"traceparent"}, *const user[] = {"data", "user_id"};
    event_init(&event);
    row_case_text(&event.row, "traceparent", EVS_STRING, EVS_SLICE("\"\n"));
    ck_assert_int_eq(configure(&event, "a\"b\\c\n", NULL, NULL, true, NULL), EVS_OK);
    encode(&event);
    ck_assert_int_eq(json_oracle_parse(oracle, event.payload.data, event.payload.count - 1), ORACLE_OBJECT);
    struct oracle_value value = json_oracle_at(oracle, type, 1, &broken);
    ck_assert(value.bytes == 6 && memcmp(value.text, "a\"b\\c\n", 6) == 0);
    value = json_oracle_at(oracle, trace, 1, &broken);
    ck_assert(value.bytes == 2 && memcmp(value.text, "\"\n", 2) == 0);
    value = json_oracle_at(oracle, user, 2, &broken);
    ck_assert(value.bytes == 3 && memcmp(value.text, "ann", 3) == 0);
    json_oracle_free(oracle);
    event_fini(&event);
}
END_TEST

START_TEST(attributes_that_have_no_value_are_left_out)
{
    struct event event;
    event_init(&event);
    evs_column_set_null(row_case_column(&event.row, "traceparent", EVS_STRING), 0);
    evs_column_set_null(row_case_column(&event.row, "gone", EVS_STRING), 0);
    event.row.batch->event_time_us[0] = EVS_TIME_MIN;
    ck_assert_int_eq(configure(&event, "t", NULL, "{gone}", false, NULL), EVS_OK);
    encode(&event);
    ck_assert_ptr_null(strstr(event.headers.data, "ce-subject"));
    ck_assert_ptr_null(strstr(event.headers.data, "ce-traceparent"));
    ck_assert_ptr_null(strstr(event.headers.data, "ce-time"));
    event_fini(&event);
}
END_TEST

static void id_of(struct event *event, char *id)
{
    encode(event);
    const char *at = strstr(event->headers.data, "ce-id: ");
    ck_assert_ptr_nonnull(at);
    memcpy(id, at + 7, 32);
    id[32] = '\0';
    ck_assert_uint_eq(strspn(id, "0123456789abcdef"), 32);
}

/* Where the sink has no trigger ids, an id is made: the same for the same row, another for another. */
START_TEST(an_id_is_made_where_there_is_none)
{
    struct event event;
    char first[33], again[33], other[33];
    event_init(&event);
    event.place.has_id = false;
    ck_assert_int_eq(configure(&event, "t", NULL, NULL, false, NULL), EVS_OK);
    id_of(&event, first);
    id_of(&event, again);
    ck_assert_str_eq(first, again);
    event.row.batch->cause[0].minor++;
    id_of(&event, other);
    ck_assert_str_ne(first, other);
    event.row.batch->cause[0].minor--;
    event.place.sink = "others";
    id_of(&event, other);
    ck_assert_str_ne(first, other);
    event.place.sink = "reminders";
    id_of(&event, other);
    ck_assert_str_eq(first, other);
    event_fini(&event);
}
END_TEST

START_TEST(options_are_checked)
{
    struct event event;
    struct evs_error error;
    event_init(&event);
    ck_assert_int_eq(configure(&event, "", NULL, NULL, false, &error), EVS_E_PIPELINE);
    ck_assert_ptr_nonnull(strstr(error.text, "`type`"));
    ck_assert_int_eq(configure(&event, "t", NULL, "{nobody}", false, &error), EVS_E_PIPELINE);
    ck_assert_ptr_nonnull(strstr(error.text, "`nobody`"));
    event_fini(&event);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("format_cloudevents");
    TCase *cases = tcase_create("format_cloudevents");
    tcase_add_test(cases, binary_mode);
    tcase_add_test(cases, structured_mode);
    tcase_add_test(cases, causation);
    tcase_add_test(cases, header_values_are_encoded);
    tcase_add_test(cases, structured_values_are_escaped);
    tcase_add_test(cases, attributes_that_have_no_value_are_left_out);
    tcase_add_test(cases, an_id_is_made_where_there_is_none);
    tcase_add_test(cases, options_are_checked);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
