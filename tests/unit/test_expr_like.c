/* like against a matcher that tries everything: random patterns and texts over a small alphabet, so that they often fit. */
#include <check.h>
#include <stdlib.h>

#include "expr_text.h"

static struct evs_arena arena;
static uint64_t state;

static uint32_t below(uint32_t bound)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(state >> 33) % bound;
}

/* a, b, ü and the signs of patterns, which stand in texts as well. */
static void random_text(char *out, bool is_pattern)
{
    static const char *const plain[] = {"a", "b", "\xc3\xbc", "%", "_", "\\"};
    static const char *const signs[] = {"a", "b", "\xc3\xbc", "%", "_", "%", "\\%", "\\_", "\\\\"};
    out[0] = '\0';
    for (uint32_t count = below(9); count > 0; count--) {
        strcat(out, is_pattern ? signs[below(EVS_COUNT(signs))] : plain[below(EVS_COUNT(plain))]);
    }
}

static size_t width(const char *text)
{
    return (unsigned char)*text >= 0xc0 ? 2 : 1;
}

static bool fits(const char *text, const char *pattern)
{
    if (*pattern == '\0') {
        return *text == '\0';
    }
    if (*pattern == '%') {
        return fits(text, pattern + 1) || (*text != '\0' && fits(text + width(text), pattern));
    }
    if (*text == '\0') {
        return false;
    }
    if (*pattern == '_') {
        return fits(text + width(text), pattern + 1);
    }
    pattern += *pattern == '\\';
    return *text == *pattern && fits(text + 1, pattern + 1);
}

static struct evs_value string_of(const char *text)
{
    return (struct evs_value){.kind = EVS_STRING, .str = evs_str_make(text, (uint32_t)strlen(text))};
}

/* The pattern as a constant, compiled at plan time, and as a column, compiled for its row. */
static void check_both(const char *text, const char *pattern)
{
    const struct evs_field fields[] = {{"x", evs_type_of(EVS_STRING), false}, {"p", evs_type_of(EVS_STRING), false}};
    const struct evs_expr *column = evs_expr_column(&arena, 0, &fields[0], (struct evs_place){0});
    const struct evs_expr *patterns[] = {evs_expr_constant(&arena, string_of(pattern), (struct evs_place){0}),
                                         evs_expr_column(&arena, 1, &fields[1], (struct evs_place){0})};
    struct evs_str values[] = {string_of(text).str, string_of(pattern).str};
    struct evs_column columns[] = {{.kind = EVS_STRING, .data = &values[0]}, {.kind = EVS_STRING, .data = &values[1]}};
    int64_t time = 0;
    struct evs_arena results = {0};
    const struct evs_batch batch = {.row_count = 1,
                                    .selected_count = 1,
                                    .column_count = 2,
                                    .columns = columns,
                                    .event_time_us = &time,
                                    .arena = &results};
    for (size_t i = 0; i < EVS_COUNT(patterns); i++) {
        const struct evs_expr *like, *arguments[] = {column, patterns[i]};
        const struct evs_program *program;
        uint16_t selection[1];
        ck_assert(evs_expr_call(&arena, EVS_SLICE("like"), false, arguments, 2, (struct evs_place){0}, &like, NULL) ==
                  EVS_OK);
        ck_assert(evs_program_compile(&arena, &like, 1, &program, NULL) == EVS_OK);
        struct evs_eval *eval = evs_eval_new(program);
        ck_assert_msg(evs_program_filter(eval, &batch, selection) == fits(text, pattern), "'%s' like '%s'", text,
                      pattern);
        evs_eval_free(eval);
    }
    evs_arena_fini(&results);
}

START_TEST(test_random_patterns)
{
    state = (uint64_t)_i + 1;
    uint32_t fitting = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        char text[64], pattern[64];
        random_text(text, false);
        random_text(pattern, true);
        check_both(text, pattern);
        fitting += fits(text, pattern);
        evs_arena_reset(&arena);
    }
    ck_assert_uint_gt(fitting, 200); /* else the test would say little */
    evs_arena_fini(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expr_like");
    TCase *tcase = tcase_create("like");
    tcase_add_loop_test(tcase, test_random_patterns, 0, 3);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
