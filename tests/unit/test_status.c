/* Statuses: names, exit codes, error texts, and how a failed assertion ends the process. */
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evstream/text.h"
#include "unit.h"

START_TEST(every_status_has_its_own_name)
{
    for (int a = EVS_OK; a <= EVS_E_INTERNAL; a++) {
        ck_assert_str_ne(evs_status_name((evs_status)a), "unknown");
        for (int b = a + 1; b <= EVS_E_INTERNAL; b++) {
            ck_assert_str_ne(evs_status_name((evs_status)a), evs_status_name((evs_status)b));
        }
    }
    ck_assert_str_eq(evs_status_name((evs_status)(EVS_E_INTERNAL + 1)), "unknown");
    ck_assert_str_eq(evs_status_name((evs_status)-1), "unknown");
}
END_TEST

START_TEST(exit_codes_are_those_of_the_command_line)
{
    static const struct {
        evs_status status;
        int code;
    } cases[] = {
        {EVS_OK, 0},      {EVS_END, 0},           {EVS_E_CANCELLED, 0}, {EVS_E_PIPELINE, 1},
        {EVS_E_USAGE, 2}, {EVS_E_UNREACHABLE, 3}, {EVS_E_REFUSED, 3},   {EVS_E_IO, 3},
        {EVS_E_STATE, 4}, {EVS_E_FENCED, 6},      {EVS_E_DATA, 7},      {EVS_E_INTERNAL, 70},
    };
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        ck_assert_int_eq(evs_status_exit_code(cases[i].status), cases[i].code);
    }
    ck_assert_int_eq(evs_status_exit_code((evs_status)1000), 70);
}
END_TEST

START_TEST(fail_fills_the_error_and_returns_the_code)
{
    struct evs_error error = {0};
    ck_assert_int_eq(evs_fail(&error, EVS_E_IO, "Cannot read %s (%d).", "x", 7), EVS_E_IO);
    ck_assert_int_eq(error.code, EVS_E_IO);
    ck_assert_str_eq(error.text, "Cannot read x (7).");
    ck_assert_int_eq(evs_fail(NULL, EVS_E_LIMIT, "nobody reads this"), EVS_E_LIMIT);
}
END_TEST

START_TEST(an_error_can_wrap_its_own_text)
{
    struct evs_error error = {0};
    (void)evs_fail(&error, EVS_E_IO, "no such folder");
    ck_assert_int_eq(evs_fail(&error, EVS_E_STATE, "Cannot restore: %s.", error.text), EVS_E_STATE);
    ck_assert_str_eq(error.text, "Cannot restore: no such folder.");
    ck_assert_int_eq(error.code, EVS_E_STATE);
}
END_TEST

/* Whatever the offset at which the limit cuts, no character is torn. */
START_TEST(a_long_text_is_cut_at_a_whole_character)
{
    char text[2 * EVS_ERROR_TEXT_MAX];
    for (size_t shift = 0; shift < 4; shift++) {
        size_t count = 0;
        while (count < shift) {
            text[count++] = 'a';
        }
        while (count + 3 < sizeof text - 1) {
            memcpy(text + count, "€", 3);
            count += 3;
        }
        text[count] = '\0';
        struct evs_error error;
        (void)evs_fail(&error, EVS_E_DATA, "%s", text);
        size_t kept = strlen(error.text);
        ck_assert_uint_lt(kept, EVS_ERROR_TEXT_MAX);
        ck_assert_uint_gt(kept, EVS_ERROR_TEXT_MAX - 8);
        ck_assert(evs_utf8_valid(error.text, kept));
        ck_assert_str_eq(error.text + kept - 3, "…");
        ck_assert_mem_eq(error.text, text, kept - 3);
    }
}
END_TEST

START_TEST(a_text_that_just_fits_is_not_cut)
{
    char text[EVS_ERROR_TEXT_MAX + 1] = "";
    struct evs_error error;
    memset(text, 'x', EVS_ERROR_TEXT_MAX - 1);
    (void)evs_fail(&error, EVS_E_DATA, "%s", text);
    ck_assert_str_eq(error.text, text);
    memset(text, 'x', EVS_ERROR_TEXT_MAX); /* one more */
    (void)evs_fail(&error, EVS_E_DATA, "%s", text);
    ck_assert_str_eq(error.text + strlen(error.text) - 4, "x…");
}
END_TEST

/* Runs a failing assertion in a child and gives back what it wrote to standard error. */
static int assertion_output(char *text, size_t capacity)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        EVS_ASSERT(capacity == 0 && "the sum is right");
        _exit(0);
    }
    close(ends[1]);
    size_t count = 0;
    for (ssize_t got; count + 1 < capacity && (got = read(ends[0], text + count, capacity - 1 - count)) > 0;) {
        count += (size_t)got;
    }
    text[count] = '\0';
    close(ends[0]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(a_failed_assertion_reports_and_exits_70)
{
    char text[4096];
    ck_assert_int_eq(assertion_output(text, sizeof text), 70);
    static const char *const parts[] = {
        "capacity == 0 && \"the sum is right\"", "test_status.c:", "assertion_output", "version:", "please report",
    };
    for (size_t i = 0; i < EVS_COUNT(parts); i++) {
        ck_assert_msg(strstr(text, parts[i]) != NULL, "`%s` is missing in: %s", parts[i], text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *tests = tcase_create("status");
    tcase_add_test(tests, every_status_has_its_own_name);
    tcase_add_test(tests, exit_codes_are_those_of_the_command_line);
    tcase_add_test(tests, fail_fills_the_error_and_returns_the_code);
    tcase_add_test(tests, an_error_can_wrap_its_own_text);
    tcase_add_test(tests, a_long_text_is_cut_at_a_whole_character);
    tcase_add_test(tests, a_text_that_just_fits_is_not_cut);
    tcase_add_test(tests, a_failed_assertion_reports_and_exits_70);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
