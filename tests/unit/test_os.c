/* The real operating system behind its seams: clocks, files, threads, parks, waiting. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "evstream/memory.h"
#include "evstream/os.h"
#include "unit.h"

#define FOREVER INT64_C(-1) /* ends by the test's own limit, and so as a failure */

static const struct evs_os *os;
static char folder[64];

static void take_system(void)
{
    os = evs_os_system();
}

static void make_folder(void)
{
    take_system();
    snprintf(folder, sizeof folder, "/tmp/evs_test_os_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    unit_remove_folder(folder);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* --- clock and random ------------------------------------------------------------------------------------------------ */

START_TEST(clocks_go_forward)
{
    int64_t monotonic = evs_monotonic_us(os), boot = os->clock.boot_us(os->clock.self);
    for (int i = 0; i < 10000; i++) {
        int64_t monotonic_next = evs_monotonic_us(os), boot_next = os->clock.boot_us(os->clock.self);
        UNIT_CHECK(monotonic_next >= monotonic && boot_next >= boot, "a clock went back");
        monotonic = monotonic_next;
        boot = boot_next;
    }
    ck_assert_int_le(monotonic, boot); /* which counts suspended time too; read later */
}
END_TEST

START_TEST(the_wall_clock_is_in_microseconds_since_1970)
{
    int64_t before = (int64_t)time(NULL);
    int64_t seconds = os->clock.wall_us(os->clock.self) / 1000000;
    ck_assert_int_ge(seconds, before);
    ck_assert_int_le(seconds, (int64_t)time(NULL));
}
END_TEST

static void ignore_signal(int number)
{
    (void)number;
}

/* A signal must not shorten a sleep: the timer interrupts it several times. */
START_TEST(a_sleep_lasts_as_long_as_asked)
{
    struct sigaction action = {.sa_handler = ignore_signal};
    sigaction(SIGALRM, &action, NULL);
    ualarm(2000, 2000);
    int64_t start = evs_monotonic_us(os);
    os->clock.sleep_us(os->clock.self, 20000);
    ck_assert_int_ge(evs_monotonic_us(os) - start, 20000);
    ualarm(0, 0);
    os->clock.sleep_us(os->clock.self, 0);
    os->clock.sleep_us(os->clock.self, -5);
}
END_TEST

START_TEST(random_numbers_differ)
{
    uint64_t numbers[16];
    for (int i = 0; i < 16; i++) {
        numbers[i] = os->random.next(os->random.self);
        for (int j = 0; j < i; j++) {
            ck_assert_uint_ne(numbers[i], numbers[j]);
        }
    }
}
END_TEST

/* --- files ----------------------------------------------------------------------------------------------------------- */

static struct evs_file *open_file(const char *path, enum evs_file_mode mode)
{
    struct evs_file *file = NULL;
    struct evs_error error = {0};
    evs_status status = os->files.open(os->files.self, path, mode, &file, &error);
    ck_assert_msg(status == EVS_OK, "%s", error.text);
    return file;
}

static void write_text(struct evs_file *file, const char *text)
{
    ck_assert_int_eq(os->files.write(file, text, strlen(text), NULL), EVS_OK);
}

static void check_content(const char *path, const char *expected)
{
    char text[256];
    size_t got = 0;
    struct evs_file *file = open_file(path, EVS_FILE_READ);
    ck_assert_int_eq(os->files.read(file, text, sizeof text - 1, &got, NULL), EVS_OK);
    text[got] = '\0';
    ck_assert_str_eq(text, expected);
    ck_assert_int_eq(os->files.read(file, text, sizeof text, &got, NULL), EVS_OK);
    ck_assert_uint_eq(got, 0);
    os->files.close(file);
}

START_TEST(what_is_written_is_read)
{
    struct evs_file *file = open_file(path_of("a"), EVS_FILE_WRITE_TRUNCATE);
    write_text(file, "one\n");
    write_text(file, "");
    write_text(file, "two\n");
    ck_assert_int_eq(os->files.sync(file, NULL), EVS_OK);
    ck_assert_int_eq(os->files.sync(file, NULL), EVS_OK);
    os->files.close(file);
    check_content(path_of("a"), "one\ntwo\n");
    os->files.close(open_file(path_of("a"), EVS_FILE_WRITE_TRUNCATE));
    check_content(path_of("a"), "");
    os->files.close(NULL);
}
END_TEST

/* As a sink does after a crash: back to the committed offset, and on from there. */
START_TEST(a_file_is_resumed_at_an_offset)
{
    os->files.close(open_file(path_of("a"), EVS_FILE_WRITE_RESUME)); /* makes it */
    struct evs_file *file = open_file(path_of("a"), EVS_FILE_WRITE_RESUME);
    write_text(file, "committed, torn");
    os->files.close(file);
    file = open_file(path_of("a"), EVS_FILE_WRITE_RESUME);
    ck_assert_int_eq(os->files.truncate(file, 10, NULL), EVS_OK);
    ck_assert_int_eq(os->files.seek(file, 10, NULL), EVS_OK);
    write_text(file, "again");
    uint64_t bytes = 0;
    bool is_regular = false;
    ck_assert_int_eq(os->files.size(file, &bytes, &is_regular, NULL), EVS_OK);
    ck_assert(is_regular && bytes == 15);
    os->files.close(file);
    check_content(path_of("a"), "committed,again");
}
END_TEST

START_TEST(reading_from_an_offset)
{
    struct evs_file *file = open_file(path_of("a"), EVS_FILE_WRITE_TRUNCATE);
    write_text(file, "0123456789");
    os->files.close(file);
    file = open_file(path_of("a"), EVS_FILE_READ);
    char text[4] = {0};
    size_t got = 0;
    ck_assert_int_eq(os->files.seek(file, 6, NULL), EVS_OK);
    ck_assert_int_eq(os->files.read(file, text, 3, &got, NULL), EVS_OK);
    ck_assert_uint_eq(got, 3);
    ck_assert_str_eq(text, "678");
    os->files.close(file);
}
END_TEST

static void check_error(evs_status status, const struct evs_error *error, const char *part)
{
    ck_assert_int_eq(status, EVS_E_IO);
    ck_assert_int_eq(error->code, EVS_E_IO);
    ck_assert_msg(strstr(error->text, part) != NULL, "`%s` is missing in: %s", part, error->text);
}

START_TEST(errors_name_the_file_and_the_reason)
{
    struct evs_file *file = NULL;
    struct evs_error error = {0};
    check_error(os->files.open(os->files.self, path_of("none"), EVS_FILE_READ, &file, &error), &error,
                "none`: No such file");
    check_error(os->files.open(os->files.self, path_of("x/y"), EVS_FILE_WRITE_RESUME, &file, &error), &error,
                "x/y`: No such file");
    check_error(os->files.open(os->files.self, folder, EVS_FILE_WRITE_RESUME, &file, &error), &error, "Is a directory");
    ck_assert_ptr_null(file);
    os->files.close(open_file(path_of("a"), EVS_FILE_WRITE_TRUNCATE));
    file = open_file(path_of("a"), EVS_FILE_READ);
    check_error(os->files.write(file, "x", 1, &error), &error, "Cannot write to the file");
    check_error(os->files.truncate(file, 0, &error), &error, "Cannot truncate the file");
    check_error(os->files.seek(file, UINT64_MAX, &error), &error, "Cannot seek in the file");
    os->files.close(file);
    file = open_file(folder, EVS_FILE_READ);
    size_t got = 1;
    check_error(os->files.read(file, &error, 1, &got, &error), &error, "Cannot read the file");
    ck_assert_uint_eq(got, 0);
    os->files.close(file);
}
END_TEST

START_TEST(a_full_disk_is_an_error)
{
    struct evs_file *file = open_file("/dev/full", EVS_FILE_WRITE_RESUME);
    struct evs_error error = {0};
    check_error(os->files.write(file, "x", 1, &error), &error, "No space left");
    uint64_t bytes = 1;
    bool is_regular = true;
    ck_assert_int_eq(os->files.size(file, &bytes, &is_regular, NULL), EVS_OK);
    ck_assert(!is_regular && bytes == 0);
    os->files.close(file);
}
END_TEST

START_TEST(a_pipe_can_be_synced_and_has_no_size)
{
    ck_assert_int_eq(mkfifo(path_of("pipe"), 0600), 0);
    int reader = open(path_of("pipe"), O_RDONLY | O_NONBLOCK);
    ck_assert_int_ge(reader, 0);
    struct evs_file *file = open_file(path_of("pipe"), EVS_FILE_WRITE_RESUME);
    write_text(file, "x");
    ck_assert_int_eq(os->files.sync(file, NULL), EVS_OK);
    uint64_t bytes = 1;
    bool is_regular = true;
    ck_assert_int_eq(os->files.size(file, &bytes, &is_regular, NULL), EVS_OK);
    ck_assert(!is_regular && bytes == 0);
    os->files.close(file);
    close(reader);
}
END_TEST

static char mark_of(size_t offset)
{
    return (char)(offset * 31 >> 8 ^ offset);
}

/* Standard input and output, both pipes, both non-blocking as an inherited one may be: more than fits the pipe goes
 * through whole. */
START_TEST(standard_input_and_output_block_even_if_the_pipe_does_not)
{
    enum { BYTES = 1 << 20 };
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        struct evs_file *out = open_file("-", EVS_FILE_WRITE_TRUNCATE);
        char *block = evs_alloc(BYTES);
        for (size_t i = 0; i < BYTES; i++) {
            block[i] = mark_of(i);
        }
        evs_status status = os->files.write(out, block, BYTES, NULL);
        evs_free(block);
        os->files.close(out);
        _exit(status == EVS_OK && fcntl(STDOUT_FILENO, F_GETFD) >= 0 ? 0 : 1); /* close leaves it open */
    }
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    struct evs_file *in = open_file("-", EVS_FILE_READ);
    size_t total = 0, got = 0;
    do {
        char block[4096];
        ck_assert_int_eq(os->files.read(in, block, sizeof block, &got, NULL), EVS_OK);
        for (size_t i = 0; i < got; i++) {
            UNIT_CHECK(block[i] == mark_of(total + i), "byte %zu", total + i);
        }
        total += got;
    } while (got > 0);
    ck_assert_uint_eq(total, BYTES);
    os->files.close(in);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(ends[0]);
}
END_TEST

/* --- threads and parks ----------------------------------------------------------------------------------------------- */

struct look {
    char name[32];
    sigset_t blocked;
};

static void look_round(void *argument)
{
    struct look *look = argument;
    pthread_getname_np(pthread_self(), look->name, sizeof look->name);
    pthread_sigmask(SIG_SETMASK, NULL, &look->blocked);
}

START_TEST(a_thread_has_a_name_and_takes_no_signals)
{
    struct look look = {0};
    struct evs_thread *thread = NULL;
    sigset_t mine;
    ck_assert_int_eq(os->threads.spawn(os->threads.self, "worker-of-a-long-name", look_round, &look, &thread), EVS_OK);
    os->threads.join(thread);
    ck_assert_str_eq(look.name, "worker-of-a-lon");
    ck_assert(sigismember(&look.blocked, SIGINT) && sigismember(&look.blocked, SIGTERM));
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    ck_assert(!sigismember(&mine, SIGINT));
}
END_TEST

static struct evs_park *new_park(void)
{
    return os->threads.park_new(os->threads.self);
}

static int wait_on(struct evs_park *park, struct evs_wait_fd *fds, uint32_t count, int64_t timeout_us)
{
    return os->sockets.wait(os->sockets.self, park, fds, count, timeout_us);
}

START_TEST(a_wake_before_the_wait_counts)
{
    struct evs_park *park = new_park();
    os->threads.wake(park);
    os->threads.wake(park);
    ck_assert_int_eq(wait_on(park, NULL, 0, FOREVER), 0);
    int64_t start = evs_monotonic_us(os); /* the two wakes were one: now nothing is left */
    ck_assert_int_eq(wait_on(park, NULL, 0, 3000), 0);
    ck_assert_int_ge(evs_monotonic_us(os) - start, 3000);
    ck_assert_int_eq(wait_on(park, NULL, 0, 0), 0);
    os->threads.wake(park);
    ck_assert_int_eq(wait_on(park, NULL, 0, 0), 0); /* a poll takes it too */
    start = evs_monotonic_us(os);
    ck_assert_int_eq(wait_on(park, NULL, 0, 3000), 0);
    ck_assert_int_ge(evs_monotonic_us(os) - start, 3000);
    os->threads.park_free(park);
    os->threads.park_free(NULL);
}
END_TEST

struct table_tennis {
    struct evs_park *parks[2];
    _Atomic uint32_t ball; /* even: player 0 hits */
    uint32_t rounds;
};

static void play(struct table_tennis *game, uint32_t player)
{
    for (;;) {
        uint32_t ball = atomic_load(&game->ball);
        if (ball >= game->rounds) {
            return;
        }
        if (ball % 2 == player) {
            atomic_store(&game->ball, ball + 1);
            os->threads.wake(game->parks[1 - player]);
        } else {
            wait_on(game->parks[player], NULL, 0, FOREVER);
        }
    }
}

static void play_second(void *argument)
{
    play(argument, 1);
}

/* One lost wake and both would wait for ever. */
START_TEST(no_wake_is_lost_between_two_threads)
{
    struct table_tennis game = {.parks = {new_park(), new_park()}, .rounds = 20001};
    struct evs_thread *thread = NULL;
    ck_assert_int_eq(os->threads.spawn(os->threads.self, "second", play_second, &game, &thread), EVS_OK);
    play(&game, 0);
    os->threads.join(thread);
    ck_assert_uint_eq(atomic_load(&game.ball), 20001);
    os->threads.park_free(game.parks[0]);
    os->threads.park_free(game.parks[1]);
}
END_TEST

struct crowd {
    struct evs_park *park;
    _Atomic uint32_t produced;
    uint32_t each;
};

static void produce(void *argument)
{
    struct crowd *crowd = argument;
    for (uint32_t i = 0; i < crowd->each; i++) {
        atomic_fetch_add_explicit(&crowd->produced, 1, memory_order_relaxed);
        os->threads.wake(crowd->park);
    }
}

/* The waiter sees everything although most wakes are folded into one: the counter is relaxed, the park gives the order. */
START_TEST(many_wakers_and_one_waiter)
{
    struct crowd crowd = {.park = new_park(), .each = 20000};
    struct evs_thread *threads[3];
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(os->threads.spawn(os->threads.self, "waker", produce, &crowd, &threads[i]), EVS_OK);
    }
    while (atomic_load_explicit(&crowd.produced, memory_order_relaxed) < 3 * crowd.each) {
        wait_on(crowd.park, NULL, 0, FOREVER);
    }
    for (int i = 0; i < 3; i++) {
        os->threads.join(threads[i]);
    }
    os->threads.park_free(crowd.park);
}
END_TEST

/* --- waiting on sockets ---------------------------------------------------------------------------------------------- */

START_TEST(readiness_of_sockets)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct evs_park *park = new_park();
    struct evs_wait_fd fds[] = {
        {.fd = ends[0], .want_read = true},
        {.fd = ends[0], .want_read = true, .want_write = true},
        {.fd = ends[0]},
        {.fd = -1, .want_read = true},
    };
    ck_assert_int_eq(wait_on(park, fds, 1, 0), 0);
    ck_assert_int_eq(wait_on(park, fds, 4, FOREVER), 1);
    ck_assert(!fds[1].can_read && fds[1].can_write);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(wait_on(park, fds, 4, FOREVER), 2);
    ck_assert(fds[0].can_read && fds[1].can_read && fds[1].can_write);
    ck_assert(!fds[0].can_write && !fds[2].can_read && !fds[3].can_read);
    close(ends[0]);
    close(ends[1]);
    os->threads.park_free(park);
}
END_TEST

START_TEST(a_broken_connection_is_ready)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    close(ends[1]);
    struct evs_wait_fd fds[] = {{.fd = ends[0], .want_read = true}, {.fd = ends[0], .want_write = true}};
    ck_assert_int_eq(wait_on(NULL, fds, 2, FOREVER), 2); /* without a park */
    ck_assert(fds[0].can_read && fds[1].can_write);
    close(ends[0]);
    ck_assert_int_eq(wait_on(NULL, fds, 1, FOREVER), 1); /* closed: the read will say so */
    ck_assert(fds[0].can_read);
}
END_TEST

START_TEST(a_wake_ends_a_wait_on_sockets)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct crowd crowd = {.park = new_park(), .each = 1};
    struct evs_wait_fd fd = {.fd = ends[0], .want_read = true};
    struct evs_thread *thread = NULL;
    ck_assert_int_eq(os->threads.spawn(os->threads.self, "waker", produce, &crowd, &thread), EVS_OK);
    ck_assert_int_eq(wait_on(crowd.park, &fd, 1, FOREVER), 0);
    ck_assert_uint_eq(atomic_load(&crowd.produced), 1);
    os->threads.join(thread);
    os->threads.park_free(crowd.park);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_signal_ends_a_wait)
{
    struct sigaction action = {.sa_handler = ignore_signal};
    sigaction(SIGALRM, &action, NULL);
    struct evs_park *park = new_park();
    ualarm(2000, 2000); /* again and again, so that one before the wait does no harm */
    ck_assert_int_eq(wait_on(park, NULL, 0, FOREVER), 0);
    ualarm(0, 0);
    os->threads.park_free(park);
}
END_TEST

START_TEST(there_is_a_limit_of_descriptors)
{
    struct evs_wait_fd fds[EVS_WAIT_FDS_MAX + 1] = {0};
    wait_on(NULL, fds, EVS_WAIT_FDS_MAX + 1, 0);
}
END_TEST

static TCase *clock_tests(void)
{
    TCase *tests = tcase_create("clock");
    tcase_add_checked_fixture(tests, take_system, NULL);
    tcase_add_test(tests, clocks_go_forward);
    tcase_add_test(tests, the_wall_clock_is_in_microseconds_since_1970);
    tcase_add_test(tests, a_sleep_lasts_as_long_as_asked);
    tcase_add_test(tests, random_numbers_differ);
    return tests;
}

static TCase *file_tests(void)
{
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, what_is_written_is_read);
    tcase_add_test(tests, a_file_is_resumed_at_an_offset);
    tcase_add_test(tests, reading_from_an_offset);
    tcase_add_test(tests, errors_name_the_file_and_the_reason);
    tcase_add_test(tests, a_full_disk_is_an_error);
    tcase_add_test(tests, a_pipe_can_be_synced_and_has_no_size);
    tcase_add_test(tests, standard_input_and_output_block_even_if_the_pipe_does_not);
    return tests;
}

static TCase *thread_tests(void)
{
    TCase *tests = tcase_create("threads");
    tcase_add_checked_fixture(tests, take_system, NULL);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, a_thread_has_a_name_and_takes_no_signals);
    tcase_add_test(tests, a_wake_before_the_wait_counts);
    tcase_add_test(tests, no_wake_is_lost_between_two_threads);
    tcase_add_test(tests, many_wakers_and_one_waiter);
    tcase_add_test(tests, readiness_of_sockets);
    tcase_add_test(tests, a_broken_connection_is_ready);
    tcase_add_test(tests, a_wake_ends_a_wait_on_sockets);
    tcase_add_test(tests, a_signal_ends_a_wait);
    tcase_add_exit_test(tests, there_is_a_limit_of_descriptors, 70);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("os");
    suite_add_tcase(suite, clock_tests());
    suite_add_tcase(suite, file_tests());
    suite_add_tcase(suite, thread_tests());
    return unit_run(suite);
}
