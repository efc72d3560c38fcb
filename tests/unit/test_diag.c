/* How diagnostics look, in what order they come and how many; did-you-mean; the table of codes. */
#include <check.h>
#include <stdlib.h>

#include "diag.h"
#include "source_text.h"

static struct evs_sources *sources;
static struct evs_diagnostics *diagnostics;
static const struct evs_source_text *text;

static void set_up(void)
{
    sources = evs_sources_new();
    diagnostics = evs_diagnostics_new(sources);
}

static void tear_down(void)
{
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
}

/* The place of the first `found` in the text, up to the end of `last` when it is given. */
static struct evs_place place_of(const char *found, const char *last)
{
    const char *start = strstr(text->text.data, found);
    ck_assert_ptr_nonnull(start);
    const char *end = last != NULL ? strstr(start, last) + strlen(last) : start + strlen(found);
    struct evs_place place = {text->file, 1, 1, (uint32_t)(start - text->text.data), (uint32_t)(end - start)};
    for (const char *at = text->text.data; at < start; at++) {
        bool is_line_end = *at == '\n';
        place.line += is_line_end;
        place.column = is_line_end ? 1 : place.column + ((*at & 0xC0) != 0x80);
    }
    return place;
}

static void check_rendering(bool colour, const char *expected)
{
    struct evs_buffer out = {0};
    evs_diagnostics_render(diagnostics, colour, &out);
    evs_buffer_put(&out, "", 1);
    ck_assert_msg(strcmp(out.data, expected) == 0, "shown:\n%s\nexpected:\n%s", out.data, expected);
    evs_buffer_fini(&out);
}

static void load(const char *content)
{
    text = evs_sources_add(sources, "a.evs", evs_slice_of(content));
}

START_TEST(looks_as_in_the_reference)
{
    load("\n\n\n\n\n\n\n\n\n\n\n\n\n|> where ocurred_at > @since\n");
    struct evs_diag *diag =
        evs_diag(diagnostics, EVS_E0203, place_of("ocurred_at", NULL), "no column `ocurred_at` in %s", "clicks");
    evs_diag_hint(diag, "did you mean `%s`?", "occurred_at");
    check_rendering(false, "error[E0203]: no column `ocurred_at` in clicks\n"
                           "  --> a.evs:14:10\n"
                           "   |\n"
                           "14 | |> where ocurred_at > @since\n"
                           "   |          ^^^^^^^^^^ did you mean `occurred_at`?\n");
}
END_TEST

START_TEST(tabs_are_spread)
{
    load("\tab\tcd\te");
    evs_diag(diagnostics, EVS_E0101, place_of("cd", NULL), "message");
    check_rendering(false, "error[E0101]: message\n"
                           " --> a.evs:1:5\n"
                           "  |\n"
                           "1 |     ab  cd  e\n"
                           "  |         ^^\n");
}
END_TEST

START_TEST(wide_and_combining_characters)
{
    load("\xE6\x97\xA5\xE6\x9C\xAC e\xCC\x81 \xF0\x9F\x91\x9C x");
    evs_diag(diagnostics, EVS_E0101, place_of("\xF0\x9F\x91\x9C", NULL), "message");
    check_rendering(false, "error[E0101]: message\n"
                           " --> a.evs:1:7\n"
                           "  |\n"
                           "1 | \xE6\x97\xA5\xE6\x9C\xAC e\xCC\x81 \xF0\x9F\x91\x9C x\n"
                           "  |        ^^\n");
}
END_TEST

/* Nothing of a file may reach the terminal as a command, or turn the order of a line round. */
START_TEST(control_characters_are_replaced)
{
    load("a\x1b[31m\xE2\x80\xAE\xff b");
    evs_diag(diagnostics, EVS_E0101, place_of(" b", NULL), "message");
    check_rendering(false, "error[E0101]: message\n"
                           " --> a.evs:1:9\n"
                           "  |\n"
                           "1 | a\xEF\xBF\xBD[31m\xEF\xBF\xBD\xEF\xBF\xBD b\n"
                           "  |         ^^\n");
}
END_TEST

START_TEST(spans_of_two_lines)
{
    load("from a\n|> where (x\n  or y) ;\n");
    evs_diag_hint(evs_diag(diagnostics, EVS_E0101, place_of("(x", "y)"), "message"), "hint");
    check_rendering(false, "error[E0101]: message\n"
                           " --> a.evs:2:10\n"
                           "  |\n"
                           "2 | |> where (x\n"
                           "  |          ^^\n"
                           "3 |   or y) ;\n"
                           "  |   ^^^^^ hint\n");
}
END_TEST

START_TEST(spans_of_many_lines)
{
    load("1\n2\n3\n4\n5\n6\n7\n8 start\n9\n10\n    end\n");
    evs_diag_hint(evs_diag(diagnostics, EVS_E0101, place_of("start", "end"), "message"), "hint");
    check_rendering(false, "error[E0101]: message\n"
                           "  --> a.evs:8:3\n"
                           "   |\n"
                           " 8 | 8 start\n"
                           "   |   ^^^^^\n"
                           "...\n"
                           "11 |     end\n"
                           "   |     ^^^ hint\n");
}
END_TEST

START_TEST(the_end_of_a_file)
{
    load("from a\r\n|> ");
    struct evs_place place = place_of("|>", NULL);
    place.column = 4;
    place.offset = (uint32_t)text->text.count;
    place.count = 0;
    evs_diag(diagnostics, EVS_E0110, place, "message");
    check_rendering(false, "error[E0110]: message\n"
                           " --> a.evs:2:4\n"
                           "  |\n"
                           "2 | |> \n"
                           "  |    ^\n");
}
END_TEST

START_TEST(long_lines_are_cut)
{
    struct evs_buffer line = {0};
    for (uint32_t i = 0; i < 5000; i++) {
        evs_buffer_puts(&line, "word ");
    }
    memcpy(line.data + 2000, "HERE", 4);
    evs_buffer_put(&line, "", 1);
    load(line.data);
    evs_diag_hint(evs_diag(diagnostics, EVS_E0101, place_of("HERE", NULL), "message"), "hint");
    struct evs_buffer out = {0};
    evs_diagnostics_render(diagnostics, false, &out);
    ck_assert_uint_lt(out.count, 600);
    evs_buffer_put(&out, "", 1);
    const char *shown = strstr(out.data, "HERE"), *caret = strstr(out.data, "^^^^ hint\n");
    ck_assert(shown != NULL && caret != NULL);
    const char *shown_line = memrchr(out.data, '\n', (size_t)(shown - out.data)),
               *caret_line = memrchr(out.data, '\n', (size_t)(caret - out.data));
    size_t ellipsis = strlen("\u2026") - 1; /* bytes more than columns */
    ck_assert_uint_eq((size_t)(shown - shown_line) - ellipsis, (size_t)(caret - caret_line));
    evs_buffer_fini(&line);
    evs_buffer_fini(&out);
}
END_TEST

START_TEST(notes)
{
    load("a\nb\n");
    struct evs_diag *diag = evs_diag(diagnostics, EVS_E0205, place_of("b", NULL), "message");
    evs_diag_note(diag, (struct evs_place){0}, "a remark");
    evs_diag_note(diag, place_of("a", NULL), "first declared here");
    evs_diag(diagnostics, EVS_E0214, (struct evs_place){0}, "of no file");
    evs_diag_hint(evs_diag(diagnostics, EVS_W0003, (struct evs_place){"other.evs", 7, 3, 99, 1}, "of an unknown file"),
                  "do it");
    check_rendering(false, "error[E0205]: message\n"
                           " --> a.evs:2:1\n"
                           "  |\n"
                           "2 | b\n"
                           "  | ^\n"
                           "  = note: a remark\n"
                           "note: first declared here\n"
                           " --> a.evs:1:1\n"
                           "  |\n"
                           "1 | a\n"
                           "  | ^\n"
                           "\n"
                           "error[E0214]: of no file\n"
                           "\n"
                           "warning[W0003]: of an unknown file\n"
                           " --> other.evs:7:3\n"
                           "  = help: do it\n"
                           "\n"
                           "2 errors, 1 warning\n");
}
END_TEST

START_TEST(colours)
{
    load("a");
    evs_diag_hint(evs_diag(diagnostics, EVS_W0001, place_of("a", NULL), "message"), "hint");
    check_rendering(true, "\033[1;33mwarning[W0001]\033[0m\033[1m: message\033[0m\n"
                          "\033[1;34m -->\033[0m a.evs:1:1\n"
                          "\033[1;34m  |\033[0m\n"
                          "\033[1;34m1 |\033[0m a\n"
                          "\033[1;34m  |\033[0m \033[1;33m^ hint\033[0m\n");
}
END_TEST

START_TEST(sorted_by_file_and_place)
{
    const char *first = evs_sources_add(sources, "z.evs", EVS_SLICE("a"))->file;
    const char *second = evs_sources_add(sources, "b.evs", EVS_SLICE("a"))->file;
    evs_diag(diagnostics, EVS_E0101, (struct evs_place){0}, "6");
    evs_diag(diagnostics, EVS_E0101, (struct evs_place){second, 1, 1, 0, 0}, "5");
    evs_diag(diagnostics, EVS_E0101, (struct evs_place){first, 2, 1, 0, 0}, "4");
    evs_diag(diagnostics, EVS_E0101, (struct evs_place){first, 1, 9, 0, 0}, "2");
    evs_diag(diagnostics, EVS_E0102, (struct evs_place){first, 1, 9, 0, 0}, "3");
    evs_diag(diagnostics, EVS_E0101, (struct evs_place){first, 1, 2, 0, 0}, "1");
    char order[7] = "";
    for (uint32_t i = 0; i < evs_diagnostics_count(diagnostics); i++) {
        strcat(order, evs_diagnostics_at(diagnostics, i).message);
    }
    ck_assert_str_eq(order, "123456");
}
END_TEST

START_TEST(repetitions_are_kept_once)
{
    load("a b");
    ck_assert_ptr_nonnull(evs_diag(diagnostics, EVS_E0101, place_of("a", NULL), "message"));
    ck_assert_ptr_null(evs_diag(diagnostics, EVS_E0101, place_of("a", NULL), "message"));
    ck_assert_ptr_nonnull(evs_diag(diagnostics, EVS_E0102, place_of("a", NULL), "another code"));
    ck_assert_ptr_nonnull(evs_diag(diagnostics, EVS_E0101, place_of("b", NULL), "another place"));
    ck_assert_uint_eq(evs_diagnostics_errors(diagnostics), 3);
    evs_diag_hint(NULL, "ignored");
    evs_diag_note(NULL, (struct evs_place){0}, "ignored");
}
END_TEST

START_TEST(their_number_is_bounded)
{
    load("a");
    for (uint32_t i = 0; i < 150; i++) {
        struct evs_place place = place_of("a", NULL);
        place.line = i + 2;
        struct evs_diag *diag = evs_diag(diagnostics, EVS_E0101, place, "message");
        ck_assert(i < EVS_DIAGNOSTICS_MAX ? diag != NULL : diag == NULL);
        evs_diag(diagnostics, EVS_W0001, place, "message");
    }
    ck_assert_uint_eq(evs_diagnostics_errors(diagnostics), 150);
    ck_assert_uint_eq(evs_diagnostics_warnings(diagnostics), 150);
    ck_assert_uint_eq(evs_diagnostics_count(diagnostics), 2 * EVS_DIAGNOSTICS_MAX);
    struct evs_buffer out = {0};
    evs_diagnostics_render(diagnostics, false, &out);
    evs_buffer_put(&out, "", 1);
    const char *summary = "\n150 errors (the first 100 are shown), 150 warnings (the first 100 are shown)\n";
    ck_assert_str_eq(out.data + strlen(out.data) - strlen(summary), summary);
    evs_buffer_fini(&out);
}
END_TEST

START_TEST(nothing_is_rendered_for_nothing)
{
    check_rendering(true, "");
}
END_TEST

START_TEST(did_you_mean)
{
    static const struct {
        const char *wanted, *best;
    } rows[] = {
        {"ocurred_at", "occurred_at"},
        {"OCCURED_AT", "occurred_at"},
        {"usre_id", "user_id"},
        {"userid", "user_id"},
        {"prcie", "price"},
        {"pric", "price"},
        {"skus", "sku"},
        {"ksu", "sku"},
        {"xyz", NULL},
        {"revenue", NULL},
        {"s", NULL},
        {"", NULL},
        {"price", "price"},
        {"user_identifier", NULL},
    };
    static const char *const candidates[] = {"occurred_at", "user_id", "price", "sku", ""};
    for (uint32_t i = 0; i < EVS_COUNT(rows); i++) {
        struct evs_nearest nearest = evs_nearest_begin(evs_slice_of(rows[i].wanted));
        for (uint32_t j = 0; j < EVS_COUNT(candidates); j++) {
            evs_nearest_offer(&nearest, evs_slice_of(candidates[j]));
        }
        const char *best = nearest.best.count > 0 ? nearest.best.data : NULL;
        ck_assert_msg((best == NULL) == (rows[i].best == NULL) && (best == NULL || strcmp(best, rows[i].best) == 0),
                      "%s: %s", rows[i].wanted, best != NULL ? best : "none");
    }
}
END_TEST

START_TEST(very_long_names_are_not_compared)
{
    char name[300];
    memset(name, 'a', sizeof name);
    struct evs_nearest nearest = evs_nearest_begin((struct evs_slice){name, sizeof name});
    evs_nearest_offer(&nearest, (struct evs_slice){name, sizeof name - 1});
    ck_assert_uint_eq(nearest.best.count, 0);
}
END_TEST

/* Codes are stable and explained, sorted, each with its letter and four digits. */
START_TEST(codes)
{
    for (uint32_t i = 0; i < EVS_CODE_COUNT; i++) {
        const struct evs_code_info *info = evs_code_info(i);
        ck_assert_msg(strlen(info->name) == 5 && strspn(info->name + 1, "0123456789") == 4, "%s", info->name);
        ck_assert_msg(strchr("EIW", info->name[0]) != NULL, "%s", info->name);
        ck_assert_msg(strlen(info->title) > 5 && info->explanation[strlen(info->explanation) - 1] == '.', "%s",
                      info->name);
        ck_assert_msg(i == 0 || strcmp(evs_code_info(i - 1)->name, info->name) < 0, "%s is out of order", info->name);
        enum evs_code found;
        ck_assert(evs_code_find(evs_slice_of(info->name), &found) && found == i);
    }
    enum evs_code found;
    ck_assert(evs_code_find(EVS_SLICE("e0101"), &found) && found == EVS_E0101);
    ck_assert(!evs_code_find(EVS_SLICE("E9999"), &found));
}
END_TEST

START_TEST(lines_of_a_text)
{
    load("a\r\nbc\n\nd");
    static const char *const lines[] = {"", "a", "bc", "", "d", ""};
    ck_assert_uint_eq(text->line_count, 4);
    for (uint32_t i = 0; i < EVS_COUNT(lines); i++) {
        ck_assert(evs_slice_equal(evs_source_line(text, i), evs_slice_of(lines[i])));
    }
}
END_TEST

START_TEST(paths_of_imports)
{
    static const struct {
        const char *importing, *path, *resolved;
    } rows[] = {
        {"cart.evs", "lib/clicks.evs", "lib/clicks.evs"},     {"shop/cart.evs", "clicks.evs", "shop/clicks.evs"},
        {"shop/cart.evs", "./clicks.evs", "shop/clicks.evs"}, {"shop/cart.evs", "../clicks.evs", "shop/../clicks.evs"},
        {"/shop/cart.evs", "clicks.evs", "/shop/clicks.evs"}, {"shop/cart.evs", "/clicks.evs", "/clicks.evs"},
    };
    struct evs_arena arena = {0};
    for (uint32_t i = 0; i < EVS_COUNT(rows); i++) {
        ck_assert_str_eq(evs_source_resolve(&arena, rows[i].importing, evs_slice_of(rows[i].path)), rows[i].resolved);
    }
    evs_arena_fini(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("diag");
    TCase *tests = tcase_create("diag");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, looks_as_in_the_reference);
    tcase_add_test(tests, tabs_are_spread);
    tcase_add_test(tests, wide_and_combining_characters);
    tcase_add_test(tests, control_characters_are_replaced);
    tcase_add_test(tests, spans_of_two_lines);
    tcase_add_test(tests, spans_of_many_lines);
    tcase_add_test(tests, the_end_of_a_file);
    tcase_add_test(tests, long_lines_are_cut);
    tcase_add_test(tests, notes);
    tcase_add_test(tests, colours);
    tcase_add_test(tests, sorted_by_file_and_place);
    tcase_add_test(tests, repetitions_are_kept_once);
    tcase_add_test(tests, their_number_is_bounded);
    tcase_add_test(tests, nothing_is_rendered_for_nothing);
    tcase_add_test(tests, did_you_mean);
    tcase_add_test(tests, very_long_names_are_not_compared);
    tcase_add_test(tests, codes);
    tcase_add_test(tests, lines_of_a_text);
    tcase_add_test(tests, paths_of_imports);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
