/* Address templates: binding, its errors, filling, and that no value can break out of its place. */
#include <string.h>

#include "evstream/sink.h"
#include "row_case.h"

static void make_row(struct row_case *made)
{
    row_case_init(made, 1);
    row_case_text(made, "user_id", EVS_STRING, EVS_SLICE("ann-1_Z"));
    row_case_text(made, "city", EVS_STRING, EVS_SLICE("K\xC3\xB6ln.> *\r\n%{}/"));
    row_case_text(made, "long", EVS_STRING, EVS_SLICE("more than twelve bytes"));
    row_case_int(made, "n", EVS_INT64, -5);
    row_case_int(made, "at", EVS_TIMESTAMP, 1767607200000000);
    row_case_int(made, "day", EVS_DATE, 20458);
    row_case_int(made, "clock", EVS_TIME, 36000000000);
    ((evs_numeric *)row_case_column(made, "price", EVS_NUMERIC)->data)[0] = EVS_NUMERIC_ONE * 5 / 2;
    ((uint8_t *)row_case_column(made, "flag", EVS_BOOL)->data)[0] = 1;
    row_case_text(made, "raw", EVS_BYTES, EVS_SLICE("\0\xFF"));
    row_case_text(made, "empty", EVS_STRING, EVS_SLICE(""));
    evs_column_set_null(row_case_column(made, "nothing", EVS_STRING), 0);
}

START_TEST(filling)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"triggers.cart", "triggers.cart"},
        {"triggers.{user_id}", "triggers.ann-1_Z"},
        {"{user_id}", "ann-1_Z"},
        {"{user_id}{n}{user_id}", "ann-1_Z-5ann-1_Z"},
        {"a.{ user_id }.b", "a.ann-1_Z.b"},
        {"c.{city}", "c.K%C3%B6ln%2E%3E%20%2A%0D%0A%25%7B%7D%2F"},
        {"{long}", "more%20than%20twelve%20bytes"},
        {"{at}|{day}|{clock}", "2026-01-05T10%3A00%3A00Z|2026-01-05|10%3A00%3A00"},
        {"{price}:{flag}", "2%2E5:true"},
        {"{raw}", "%00%FF"},
        {"profile:{user_id}%", "profile:ann-1_Z%"},
    };
    struct row_case made;
    struct evs_arena arena = {0};
    make_row(&made);
    for (size_t i = 0; i < EVS_COUNT(rows); i++) {
        const struct evs_template *template_;
        struct evs_buffer out = {0};
        evs_buffer_puts(&out, ">");
        ck_assert_int_eq(evs_template_bind(evs_slice_of(rows[i][0]), &made.schema, &arena, &template_, NULL), EVS_OK);
        ck_assert(evs_template_fill(template_, made.batch, 0, &out));
        evs_buffer_put(&out, "", 1);
        ck_assert_str_eq(out.data + 1, rows[i][1]);
        evs_buffer_fini(&out);
    }
    evs_arena_fini(&arena);
    row_case_fini(&made);
}
END_TEST

START_TEST(a_null_or_an_empty_text_fills_nothing)
{
    static const char *const templates[] = {"a.{user_id}.{nothing}", "a.{user_id}.{empty}"};
    struct row_case made;
    struct evs_arena arena = {0};
    struct evs_buffer out = {0};
    const struct evs_template *template_;
    make_row(&made);
    evs_buffer_puts(&out, "kept");
    ck_assert_int_eq(evs_template_bind(evs_slice_of(templates[_i]), &made.schema, &arena, &template_, NULL), EVS_OK);
    ck_assert(!evs_template_fill(template_, made.batch, 0, &out));
    ck_assert_uint_eq(out.count, 4);
    evs_buffer_fini(&out);
    evs_arena_fini(&arena);
    row_case_fini(&made);
}
END_TEST

START_TEST(errors_say_what_is_wrong)
{
    static const char *const rows[][2] = {
        {"a.{usr_id}", "`usr_id`"}, {"a.{}", "``"},    {"a.{user_id", "`{`"}, {"a.{", "`{`"},
        {"a.user_id}", "`}`"},      {"{a{b}}", "`{`"}, {"{user_id}}", "`}`"}, {"{User_id}", "`User_id`"},
    };
    struct row_case made;
    struct evs_arena arena = {0};
    make_row(&made);
    for (size_t i = 0; i < EVS_COUNT(rows); i++) {
        const struct evs_template *template_;
        struct evs_error error = {0};
        ck_assert_int_eq(evs_template_bind(evs_slice_of(rows[i][0]), &made.schema, &arena, &template_, &error),
                         EVS_E_PIPELINE);
        ck_assert_msg(strstr(error.text, rows[i][1]) != NULL && strstr(error.text, rows[i][0]) != NULL, "%s",
                      error.text);
    }
    evs_arena_fini(&arena);
    row_case_fini(&made);
}
END_TEST

START_TEST(a_column_without_text_is_refused)
{
    static const struct evs_type array = {.kind = EVS_ARRAY};
    struct evs_field field = {.name = "items", .type = &array};
    struct evs_schema schema = {1, &field};
    struct evs_arena arena = {0};
    struct evs_error error = {0};
    const struct evs_template *template_;
    ck_assert_int_eq(evs_template_bind(EVS_SLICE("{items}"), &schema, &arena, &template_, &error), EVS_E_PIPELINE);
    ck_assert_ptr_nonnull(strstr(error.text, "array"));
    evs_arena_fini(&arena);
}
END_TEST

/* The template's own text may go: it lives in the arena. */
START_TEST(the_text_is_kept)
{
    struct row_case made;
    struct evs_arena arena = {0};
    struct evs_buffer out = {0};
    const struct evs_template *template_;
    char text[] = "abc.{n}";
    make_row(&made);
    ck_assert_int_eq(evs_template_bind(evs_slice_of(text), &made.schema, &arena, &template_, NULL), EVS_OK);
    memset(text, '!', sizeof text - 1);
    ck_assert(evs_template_fill(template_, made.batch, 0, &out));
    ck_assert_uint_eq(out.count, 6);
    ck_assert_int_eq(memcmp(out.data, "abc.-5", 6), 0);
    evs_buffer_fini(&out);
    evs_arena_fini(&arena);
    row_case_fini(&made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("template");
    TCase *cases = tcase_create("template");
    tcase_add_test(cases, filling);
    tcase_add_loop_test(cases, a_null_or_an_empty_text_fills_nothing, 0, 2);
    tcase_add_test(cases, errors_say_what_is_wrong);
    tcase_add_test(cases, a_column_without_text_is_refused);
    tcase_add_test(cases, the_text_is_kept);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
