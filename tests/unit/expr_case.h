/* Tables of expressions and what they give, as tests: one a row. "error: R01xx" is a failed row, "plan: …" an expression that cannot be
 * built. A file defines tables with EXAMPLES, and a main() that gives each to add_examples.
 *
 * Texts are C literals: a backslash of the expression's string literal is written four times for one in the string. */
#ifndef EVS_TEST_EXPR_CASE_H
#define EVS_TEST_EXPR_CASE_H

#include <check.h>
#include <stdlib.h>

#include "expr_text.h"

struct example {
    const char *text, *result;
};

static struct evs_arena example_arena;

static void free_examples(void)
{
    evs_arena_fini(&example_arena);
}

static inline void check_example(const struct example *example)
{
    const char *result = result_of(&example_arena, example->text);
    ck_assert_msg(strcmp(result, example->result) == 0, "%s gave %s and not %s", example->text, result,
                  example->result);
}

/* Behind the table of this name. */
#define EXAMPLES(name)                                                                                                 \
    START_TEST(test_##name)                                                                                            \
    {                                                                                                                  \
        check_example(&name[_i]);                                                                                      \
    }                                                                                                                  \
    END_TEST

#define add_examples(tcase, name) tcase_add_loop_test((tcase), test_##name, 0, (int)EVS_COUNT(name))

static inline int run_examples(const char *name, TCase *tcase)
{
    Suite *suite = suite_create(name);
    tcase_add_checked_fixture(tcase, NULL, free_examples);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
