/* Parts of live/ that need no running program: the rings behind the plots, events of a stream, the token. What is answered over HTTP: tests/live, tests/page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "history.h"
#include "sse.h"
#include "unit.h"

static struct evs_buffer out;

static const char *text(void)
{
    evs_buffer_put(&out, "", 1);
    out.count--;
    return out.data;
}

/* --- history ------------------------------------------------------------------------------------------------------------------- */

static struct evs_history history;

static void put(uint64_t moments)
{
    history = (struct evs_history){0};
    for (uint64_t i = 0; i < moments; i++) {
        struct evs_live_moment moment = {.time_us = (int64_t)i};
        moment.values[EVS_SERIES_events] = (int64_t)(10 * i);
        evs_history_put(&history, &moment);
    }
    out.count = 0;
    evs_history_write(&history, &out);
}

/* The numbers of a member in one of the two rings. */
static uint32_t numbers(const char *ring, const char *member, long long *values)
{
    char name[40];
    const char *at = strstr(text(), ring);
    snprintf(name, sizeof name, "\"%s\":[", member);
    ck_assert_ptr_nonnull(at);
    at = strstr(at, name);
    ck_assert_ptr_nonnull(at);
    at += strlen(name);
    uint32_t count = 0;
    while (*at != ']') {
        char *end;
        values[count++] = strtoll(at, &end, 10);
        at = *end == ',' ? end + 1 : end;
    }
    return count;
}

START_TEST(history_begins_empty)
{
    long long values[EVS_HISTORY_FINE];
    put(0);
    ck_assert_uint_eq(numbers("\"fine\"", "time_us", values), 0);
    ck_assert_uint_eq(numbers("\"coarse\"", "events", values), 0);
}
END_TEST

START_TEST(history_keeps_the_last_moments_in_order)
{
    static const uint64_t counts[] = {1, 14, 15, 16, 299, 300, 301, 1000, 3599, 3600, 3616, 10000};
    long long times[EVS_HISTORY_FINE], events[EVS_HISTORY_FINE];
    for (size_t i = 0; i < EVS_COUNT(counts); i++) {
        put(counts[i]);
        uint32_t fine = numbers("\"fine\"", "time_us", times);
        ck_assert_uint_eq(numbers("\"fine\"", "events", events), fine);
        ck_assert_uint_eq(fine, counts[i] < EVS_HISTORY_FINE ? counts[i] : EVS_HISTORY_FINE);
        for (uint32_t j = 0; j < fine; j++) {
            ck_assert_int_eq(times[j], (long long)(counts[i] - fine + j));
            ck_assert_int_eq(events[j], 10 * times[j]);
        }
        uint32_t coarse = numbers("\"coarse\"", "time_us", times);
        uint64_t made = (counts[i] + EVS_HISTORY_STEP - 1) / EVS_HISTORY_STEP;
        ck_assert_uint_eq(coarse, made < EVS_HISTORY_COARSE ? made : EVS_HISTORY_COARSE);
        for (uint32_t j = 0; j < coarse; j++) {
            ck_assert_int_eq(times[j], (long long)(EVS_HISTORY_STEP * (made - coarse + j)));
        }
    }
}
END_TEST

/* --- events ----------------------------------------------------------------------------------------------------------------------- */

START_TEST(an_event_is_one_line_of_data)
{
    out.count = 0;
    evs_sse_put(&out, "row", EVS_SLICE("{\"a\":1,\n \"b\":2,\r\n\"c\":3}"));
    ck_assert_str_eq(text(), "event: row\ndata: {\"a\":1,  \"b\":2,  \"c\":3}\n\n");
}
END_TEST

/* --- the token ---------------------------------------------------------------------------------------------------------------------- */

static evs_status token_of(const char *contents, char **token)
{
    char path[] = "/tmp/evs-token-XXXXXX";
    struct evs_error error = {0};
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, contents, strlen(contents)), (ssize_t)strlen(contents));
    close(fd);
    evs_status status = evs_live_token(path, token, &error);
    unlink(path);
    return status;
}

START_TEST(a_token_is_the_first_line_of_its_file)
{
    char *token;
    ck_assert_int_eq(token_of("0123456789abcdef\r\nmore\n", &token), EVS_OK);
    ck_assert_str_eq(token, "0123456789abcdef");
    evs_free(token);
    static const char *const bad[] = {
        "", "\n", "0123456789abcde", "0123456789 abcdef0", "0123456789abcdef\x01", "0123456789abcd\xc3\xa4"};
    for (size_t i = 0; i < EVS_COUNT(bad); i++) {
        ck_assert_int_eq(token_of(bad[i], &token), EVS_E_USAGE);
        ck_assert_ptr_null(token);
    }
    char longest[258];
    memset(longest, 'x', 257);
    longest[257] = '\0';
    ck_assert_int_eq(token_of(longest, &token), EVS_E_USAGE);
    longest[256] = '\0';
    ck_assert_int_eq(token_of(longest, &token), EVS_OK);
    evs_free(token);
}
END_TEST

START_TEST(without_a_file_the_environment_has_it)
{
    char *token;
    unsetenv("EVSTREAM_TOKEN");
    ck_assert_int_eq(evs_live_token(NULL, &token, NULL), EVS_OK);
    ck_assert_ptr_null(token);
    setenv("EVSTREAM_TOKEN", "short", 1);
    ck_assert_int_eq(evs_live_token(NULL, &token, NULL), EVS_E_USAGE);
    setenv("EVSTREAM_TOKEN", "fedcba9876543210", 1);
    ck_assert_int_eq(evs_live_token(NULL, &token, NULL), EVS_OK);
    ck_assert_str_eq(token, "fedcba9876543210");
    evs_free(token);
    unsetenv("EVSTREAM_TOKEN");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live");
    TCase *tests = tcase_create("live");
    tcase_add_test(tests, history_begins_empty);
    tcase_add_test(tests, history_keeps_the_last_moments_in_order);
    tcase_add_test(tests, an_event_is_one_line_of_data);
    tcase_add_test(tests, a_token_is_the_first_line_of_its_file);
    tcase_add_test(tests, without_a_file_the_environment_has_it);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
