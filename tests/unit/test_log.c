/* The log: its two forms, the limit by cause on a clock of the test's own, and what text from outside can not do. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "evstream/os.h"
#include "unit.h"

#define TEN_SECONDS INT64_C(10000000)

static int64_t monotonic_us, wall_us;
static int captured; /* a file that stands in for standard error */
static struct evs_os os;

static int64_t read_monotonic(void *self)
{
    (void)self;
    return monotonic_us;
}

static int64_t read_wall(void *self)
{
    (void)self;
    return wall_us;
}

/* Each test runs in a process of its own (libcheck forks), so its standard error can be replaced for good. */
static void setup(void)
{
    os = *evs_os_system();
    os.clock.monotonic_us = read_monotonic;
    os.clock.wall_us = read_wall;
    monotonic_us = 1000;
    wall_us = INT64_C(1767607200123456);
    captured = memfd_create("log", 0);
    ck_assert_int_ge(captured, 0);
    ck_assert_int_ge(dup2(captured, STDERR_FILENO), 0);
}

static const char *output(void)
{
    static char text[1 << 20];
    ssize_t count = pread(captured, text, sizeof text - 1, 0);
    ck_assert_int_ge(count, 0);
    text[count] = '\0';
    return text;
}

static uint32_t count_of(const char *needle)
{
    uint32_t count = 0;
    for (const char *at = strstr(output(), needle); at != NULL; at = strstr(at + 1, needle)) {
        count++;
    }
    return count;
}

START_TEST(a_line_of_text)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, false);
    evs_log(log, EVS_LOG_WARN, "nats_reconnect", "The server %s is away for %d s.", "a", 3);
    ck_assert_str_eq(output(), "2026-01-05T10:00:00.123Z warn  nats_reconnect: The server a is away for 3 s.\n");
    evs_log_free(log);
}
END_TEST

#define JSON_HEAD "{\"@timestamp\":\"2026-01-05T10:00:00.123Z\",\"log.level\":"
#define JSON_SERVICE "\"ecs.version\":\"8.11.0\",\"service.name\":\"evstream\",\"event.dataset\":\"evstream.log\","

/* ECS loggers begin with these four fields in this order. */
START_TEST(a_line_of_json)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, true);
    evs_log(log, EVS_LOG_ERROR, "dead_letter", "said \"no\\yes\"\n\x01 é");
    ck_assert_str_eq(output(), JSON_HEAD "\"error\",\"message\":\"said \\\"no\\\\yes\\\"\\n\\u0001 é\"," JSON_SERVICE
                                         "\"event.code\":\"dead_letter\"}\n");
    evs_log_free(log);
}
END_TEST

START_TEST(json_says_where_and_about_what)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, true);
    struct evs_log *pipeline = evs_log_at(log, (struct evs_log_place){.pipeline = "ca\"rt"});
    struct evs_log *source = evs_log_at(pipeline, (struct evs_log_place){.kind = "source", .name = "clicks"});
    struct evs_error error = {.code = EVS_E_UNREACHABLE, .text = "redis://u:p@host is away"};
    evs_log(pipeline, EVS_LOG_INFO, "a", "x");
    evs_log_about(source, EVS_LOG_WARN, "b", (struct evs_log_about){.first = 7, .last = 9}, "y");
    evs_log_about(source, EVS_LOG_ERROR, "c", (struct evs_log_about){.error = &error}, "z");
    ck_assert_str_eq(output(),
                     JSON_HEAD "\"info\",\"message\":\"x\"," JSON_SERVICE
                               "\"event.code\":\"a\",\"labels\":{\"pipeline\":\"ca\\\"rt\"}}\n" JSON_HEAD
                               "\"warn\",\"message\":\"y\"," JSON_SERVICE
                               "\"event.code\":\"b\",\"labels\":{\"pipeline\":\"ca\\\"rt\",\"source\":\"clicks\"},"
                               "\"evstream.sequence.first\":7,\"evstream.sequence.last\":9}\n" JSON_HEAD
                               "\"error\",\"message\":\"z\"," JSON_SERVICE
                               "\"event.code\":\"c\",\"labels\":{\"pipeline\":\"ca\\\"rt\",\"source\":\"clicks\"},"
                               "\"error.code\":\"unreachable\",\"error.message\":\"redis://***@host is away\"}\n");
    ck_assert_uint_eq(evs_log_lines(source, EVS_LOG_INFO), 1); /* all are lines of one log */
    evs_log_free(source);
    evs_log_free(pipeline);
    evs_log_free(log);
    ck_assert_ptr_null(evs_log_at(NULL, (struct evs_log_place){.pipeline = "p"}));
}
END_TEST

/* Where several pipelines share a log, the text names them, and one that is noisy does not silence another. */
START_TEST(pipelines_are_told_apart)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, false);
    struct evs_log *a = evs_log_at(log, (struct evs_log_place){.pipeline = "a", .is_shown = true});
    struct evs_log *b = evs_log_at(log, (struct evs_log_place){.pipeline = "b", .is_shown = true});
    struct evs_log *sink = evs_log_at(a, (struct evs_log_place){.kind = "sink", .name = "out"});
    for (uint32_t i = 0; i < EVS_LOG_BURST + 3; i++) {
        evs_log(sink, EVS_LOG_INFO, "noisy", "line %u", i);
    }
    evs_log(b, EVS_LOG_INFO, "noisy", "line of b");
    ck_assert_uint_eq(count_of("noisy [a]: line"), EVS_LOG_BURST);
    ck_assert_uint_eq(count_of("noisy [b]: line of b"), 1);
    evs_log_free(sink);
    evs_log_free(a);
    evs_log_free(b);
    evs_log_free(log); /* what was left out is told with its place, though that is gone */
    ck_assert_uint_eq(count_of("warn  noisy [a]: 3 more lines"), 1);
}
END_TEST

START_TEST(levels_below_the_limit_are_silent)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_WARN, false);
    evs_log(log, EVS_LOG_DEBUG, "a", "x");
    evs_log(log, EVS_LOG_INFO, "a", "x");
    ck_assert_str_eq(output(), "");
    evs_log(log, EVS_LOG_ERROR, "a", "x");
    ck_assert_uint_eq(count_of("\n"), 1);
    evs_log_free(log);
    evs_log(NULL, EVS_LOG_ERROR, "a", "x"); /* a test without a log */
    evs_log_free(NULL);
    ck_assert_uint_eq(count_of("\n"), 1);
}
END_TEST

START_TEST(a_cause_is_limited_and_the_rest_is_told)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, false);
    for (uint32_t i = 0; i < EVS_LOG_BURST + 7; i++) {
        evs_log(log, EVS_LOG_INFO, "noisy", "line %u", i);
    }
    ck_assert_uint_eq(count_of("noisy: line"), EVS_LOG_BURST);
    evs_log(log, EVS_LOG_INFO, "quiet", "another cause is not held back");
    ck_assert_uint_eq(count_of("quiet: another"), 1);
    monotonic_us += TEN_SECONDS - 1;
    evs_log(log, EVS_LOG_INFO, "noisy", "line");
    ck_assert_uint_eq(count_of("noisy: line"), EVS_LOG_BURST);
    monotonic_us += 1;
    evs_log(log, EVS_LOG_INFO, "quiet", "any line tells what was left out");
    ck_assert_uint_eq(count_of("warn  noisy: 8 more lines"), 1);
    evs_log(log, EVS_LOG_INFO, "noisy", "line");
    ck_assert_uint_eq(count_of("noisy: line"), EVS_LOG_BURST + 1);
    evs_log_free(log);
    ck_assert_uint_eq(count_of("more lines"), 1);
}
END_TEST

START_TEST(what_was_left_out_is_told_at_the_end)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, false);
    for (uint32_t i = 0; i < EVS_LOG_BURST + 1; i++) {
        evs_log(log, EVS_LOG_INFO, "noisy", "line");
    }
    ck_assert_uint_eq(count_of("more lines"), 0);
    evs_log_free(log);
    ck_assert_uint_eq(count_of("noisy: 1 more lines"), 1);
}
END_TEST

/* More causes than the table holds: each still gets its lines, and nothing that was left out is lost. */
START_TEST(many_causes_do_not_break_the_limit)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, false);
    for (int cause = 0; cause < 200; cause++) {
        char name[32];
        snprintf(name, sizeof name, "cause_%03d", cause);
        for (uint32_t i = 0; i < EVS_LOG_BURST + 2; i++) {
            evs_log(log, EVS_LOG_INFO, name, "line");
        }
    }
    evs_log_free(log);
    ck_assert_uint_eq(count_of(": line\n"), UINT64_C(200) * EVS_LOG_BURST);
    ck_assert_uint_eq(count_of(": 2 more lines"), 200);
}
END_TEST

START_TEST(text_from_outside_cannot_forge_a_line)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, false);
    evs_log(log, EVS_LOG_INFO, "a\nb", "x\n2026-01-05T10:00:00.000Z error engine: forged\r\x1b[2J\x7f\tz");
    ck_assert_uint_eq(count_of("\n"), 1);
    ck_assert_uint_eq(count_of("a\\nb: x\\n2026"), 1);
    ck_assert_uint_eq(count_of("forged\\x0d\\x1b[2J\\x7f\\tz\n"), 1);
    evs_log_free(log);
}
END_TEST

START_TEST(bytes_that_are_not_utf8_are_replaced)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, true);
    evs_log(log, EVS_LOG_INFO, "a", "<\xff\xc3(\xed\xa0\x80>");
    ck_assert_uint_eq(count_of("<\uFFFD\uFFFD(\uFFFD\uFFFD\uFFFD>"), 1);
    ck_assert(evs_utf8_valid(output(), strlen(output())));
    evs_log_free(log);
}
END_TEST

/* The worst that a message can be: as long as can be, every byte the one that grows most. */
START_TEST(a_huge_message_is_cut)
{
    char huge[20000], cause[500];
    memset(huge, '\x01', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    memset(cause, '\x02', sizeof cause - 1);
    cause[sizeof cause - 1] = '\0';
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, true);
    evs_log(log, EVS_LOG_INFO, cause, "%s", huge);
    ck_assert_uint_eq(count_of("\n"), 1);
    ck_assert_uint_eq(count_of("\"ecs.version\""), 1);
    ck_assert_uint_gt(count_of("\\u0001"), 4000);
    evs_log_free(log);
}
END_TEST

START_TEST(credentials_are_starred_out)
{
    static const struct {
        const char *message, *shown;
    } cases[] = {
        {"to nats://user:secret@host:4222 now", "to nats://***@host:4222 now"},
        {"redis://:p@ss@host/0", "redis://***@host/0"},
        {"nats://t@a,nats://u:p@b", "nats://*@a,nats://***@b"},
        {"nats://host:4222/?a@b", "nats://host:4222/?a@b"},
        {"nats://host and me@example.org", "nats://host and me@example.org"},
        {"://", "://"},
        {"x://@h", "x://@h"},
        {"me@example.org", "me@example.org"},
    };
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, false);
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        monotonic_us += TEN_SECONDS;
        evs_log(log, EVS_LOG_INFO, "url", "%s", cases[i].message);
        char line[256];
        snprintf(line, sizeof line, "url: %s\n", cases[i].shown);
        ck_assert_msg(count_of(line) >= 1, "%s is missing in %s", line, output());
    }
    ck_assert_uint_eq(count_of("secret"), 0);
    evs_log_free(log);
}
END_TEST

static struct evs_log *shared;

static void *log_from_a_thread(void *argument)
{
    for (int i = 0; i < 1000; i++) {
        char cause[32];
        snprintf(cause, sizeof cause, "%s_%d", (const char *)argument, i);
        evs_log(shared, EVS_LOG_INFO, cause, "begin %0100d end", i);
    }
    return NULL;
}

START_TEST(lines_of_threads_stay_whole)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    shared = evs_log_new(&os, EVS_LOG_INFO, false);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_from_a_thread, (void *)(uintptr_t)names[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    evs_log_free(shared);
    static char text[1 << 20];
    snprintf(text, sizeof text, "%s", output());
    uint32_t lines = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest), lines++) {
        UNIT_CHECK(strncmp(line, "2026-01-05T10:00:00.123Z info  ", 31) == 0, "%s", line);
        UNIT_CHECK(strlen(line) >= 4 && strcmp(line + strlen(line) - 4, " end") == 0, "%s", line);
    }
    ck_assert_uint_eq(lines, 4000);
}
END_TEST

START_TEST(lines_are_counted_by_level)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_WARN, false);
    for (uint32_t i = 0; i < EVS_LOG_BURST + 3; i++) {
        evs_log(log, EVS_LOG_WARN, "again", "once more");
    }
    evs_log(log, EVS_LOG_ERROR, "end", "over");
    evs_log(log, EVS_LOG_INFO, "quiet", "not shown");
    ck_assert_uint_eq(evs_log_lines(log, EVS_LOG_WARN), EVS_LOG_BURST + 3); /* with those that were left out */
    ck_assert_uint_eq(evs_log_lines(log, EVS_LOG_ERROR), 1);
    ck_assert_uint_eq(evs_log_lines(log, EVS_LOG_INFO), 0);
    ck_assert_str_eq(evs_log_level_name(EVS_LOG_ERROR), "error");
    evs_log_free(log);
}
END_TEST

/* What holds for the whole program is told once, whichever worker, group or start comes upon it. */
START_TEST(the_first_time_is_one)
{
    struct evs_log *log = evs_log_new(&os, EVS_LOG_INFO, false), *other = evs_log_new(&os, EVS_LOG_INFO, false);
    struct evs_log *first = evs_log_at(log, (struct evs_log_place){.pipeline = "carts"});
    struct evs_log *second = evs_log_at(log, (struct evs_log_place){.pipeline = "carts"});
    char text[32];
    ck_assert(evs_log_first(first, "window of TRIGGERS"));
    ck_assert(!evs_log_first(second, "window of TRIGGERS") && !evs_log_first(log, "window of TRIGGERS"));
    ck_assert(evs_log_first(second, "window of OTHERS"));
    ck_assert(evs_log_first(other, "window of TRIGGERS"));
    ck_assert(!evs_log_first(NULL, "window of TRIGGERS"));
    for (uint32_t i = 0; i < 1000; i++) { /* rather told twice than not at all */
        snprintf(text, sizeof text, "text %u", i);
        ck_assert(evs_log_first(log, text));
    }
    ck_assert(!evs_log_first(log, "window of OTHERS"));
    evs_log_free(first);
    evs_log_free(second);
    evs_log_free(log);
    evs_log_free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, a_line_of_text);
    tcase_add_test(tests, a_line_of_json);
    tcase_add_test(tests, json_says_where_and_about_what);
    tcase_add_test(tests, pipelines_are_told_apart);
    tcase_add_test(tests, levels_below_the_limit_are_silent);
    tcase_add_test(tests, a_cause_is_limited_and_the_rest_is_told);
    tcase_add_test(tests, what_was_left_out_is_told_at_the_end);
    tcase_add_test(tests, many_causes_do_not_break_the_limit);
    tcase_add_test(tests, text_from_outside_cannot_forge_a_line);
    tcase_add_test(tests, bytes_that_are_not_utf8_are_replaced);
    tcase_add_test(tests, a_huge_message_is_cut);
    tcase_add_test(tests, credentials_are_starred_out);
    tcase_add_test(tests, lines_of_threads_stay_whole);
    tcase_add_test(tests, lines_are_counted_by_level);
    tcase_add_test(tests, the_first_time_is_one);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
