/* The function table: every example gives what the table says, every entry is complete, every overload is
 * documented. */
#include <check.h>
#include <stdlib.h>

#include "expr_text.h"

static struct evs_arena arena;

static void teardown(void)
{
    evs_arena_fini(&arena);
}

START_TEST(test_example)
{
    const struct evs_function *function = evs_function_at((uint32_t)_i);
    ck_assert_msg(function->example != NULL && function->result != NULL, "%s has no example", function->name);
    ck_assert_msg(strstr(function->signature, "→") != NULL, "%s: signature", function->name);
    ck_assert_msg(function->meaning[strlen(function->meaning) - 1] == '.', "%s: meaning", function->name);
    const char *result = result_of(&arena, function->example);
    ck_assert_msg(strcmp(result, function->result) == 0, "%s: %s gave %s and not %s", function->name, function->example,
                  result, function->result);
}
END_TEST

START_TEST(test_names_are_unique_and_known)
{
    for (uint32_t i = 0; i < evs_function_count(); i++) {
        const char *name = evs_function_at(i)->name;
        ck_assert(evs_function_known(evs_slice_of(name)));
        for (uint32_t j = 0; j < i; j++) {
            ck_assert_msg(strcmp(name, evs_function_at(j)->name) != 0, "%s stands in the table twice", name);
        }
    }
    ck_assert(evs_function_known(EVS_SLICE("SubStr")));
    ck_assert(!evs_function_known(EVS_SLICE("substrx")));
    ck_assert(!evs_function_known(EVS_SLICE("")));
    ck_assert(!evs_function_known(
        EVS_SLICE("a_name_that_is_longer_than_any_function_and_longer_than_the_buffer_of_the_search")));
}
END_TEST

START_TEST(test_nearest)
{
    ck_assert_str_eq(evs_function_nearest(EVS_SLICE("substrr")), "substr");
    ck_assert_str_eq(evs_function_nearest(EVS_SLICE("uper")), "upper");
    ck_assert_str_eq(evs_function_nearest(EVS_SLICE("TIMESTAMP_DIF")), "timestamp_diff");
    ck_assert_ptr_null(evs_function_nearest(EVS_SLICE("completely_else")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expr_table");
    TCase *tcase = tcase_create("table");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_loop_test(tcase, test_example, 0, (int)evs_function_count());
    tcase_add_test(tcase, test_names_are_unique_and_known);
    tcase_add_test(tcase, test_nearest);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
