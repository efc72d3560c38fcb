/* Parts of `evstream dev`: children, watched folders, probes. The whole is tested by tests/browser/develop.py. */
#include <event2/event.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "probe.h"
#include "unit.h"
#include "watch.h"

#define DEADLINE_S 20

/* --- children -------------------------------------------------------------------------------------------------------------- */

struct world {
    struct event_base *loop;
    struct evs_dev_child child;
    int code;
    bool has_ended;
};

static void on_child(evutil_socket_t number, short what, void *argument)
{
    struct world *world = argument;
    (void)number;
    (void)what;
    if (evs_dev_child_has_ended(&world->child, &world->code)) {
        world->has_ended = true;
        event_base_loopbreak(world->loop);
    }
}

/* Runs `script` by a shell to its end, or for as long as the deadline. `stop` asks it to end at once. */
static void run_script(struct world *world, const char *script, bool stop)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const struct timeval deadline = {.tv_sec = DEADLINE_S};
    struct evs_error error = {0};
    world->loop = event_base_new();
    struct event *ended = evsignal_new(world->loop, SIGCHLD, on_child, world);
    event_add(ended, NULL);
    ck_assert_int_eq(evs_dev_child_start(&world->child, world->loop, argv, &error), EVS_OK);
    if (stop) {
        evs_dev_child_stop(&world->child);
        evs_dev_child_stop(&world->child); /* once is enough */
    }
    event_base_loopexit(world->loop, &deadline);
    event_base_dispatch(world->loop);
    ck_assert(world->has_ended);
    event_free(ended);
}

static void end_world(struct world *world)
{
    evs_dev_child_fini(&world->child);
    event_base_free(world->loop);
}

START_TEST(child_gives_its_code_and_its_last_words)
{
    struct world world = {.child = {.name = "quiet", .is_quiet = true}};
    run_script(&world, "echo one; echo two >&2; printf three; exit 7", false);
    ck_assert_int_eq(world.code, 7);
    ck_assert_int_eq(world.child.pid, 0);
    ck_assert_uint_eq(world.child.last.count, strlen("one\ntwo\nthree\n"));
    ck_assert_mem_eq(world.child.last.data, "one\ntwo\nthree\n", world.child.last.count);
    end_world(&world);
}
END_TEST

START_TEST(child_that_says_much_is_remembered_by_its_end)
{
    struct world world = {.child = {.name = "quiet", .is_quiet = true}};
    run_script(&world, "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i + 1)); done", false);
    ck_assert_uint_le(world.child.last.count, 4096);
    const char *end = "line 2998\nline 2999\n";
    ck_assert_mem_eq(world.child.last.data + world.child.last.count - strlen(end), end, strlen(end));
    end_world(&world);
}
END_TEST

START_TEST(child_that_is_asked_ends_by_the_signal)
{
    struct world world = {.child = {.name = "quiet", .is_quiet = true}};
    run_script(&world, "sleep 60 & wait", true);
    ck_assert_int_eq(world.code, 128 + SIGTERM);
    end_world(&world);
}
END_TEST

START_TEST(program_that_cannot_be_started_is_127)
{
    struct world world = {.child = {.name = "none", .is_quiet = true}};
    run_script(&world, "exec /nowhere/at-all 2>/dev/null", false);
    ck_assert_int_eq(world.code, 127);
    end_world(&world);
}
END_TEST

START_TEST(programs_are_found_in_the_path_and_where_servers_are)
{
    char path[4096];
    ck_assert(evs_dev_find_program("sh", path, sizeof path));
    ck_assert_int_eq(access(path, X_OK), 0);
    ck_assert(!evs_dev_find_program("no-such-program-at-all", path, sizeof path));
    ck_assert(!evs_dev_find_program("sh", path, 4)); /* a name that does not fit is none */
}
END_TEST

/* --- watched folders ------------------------------------------------------------------------------------------------------- */

struct changes {
    struct event_base *loop;
    char seen[4][128];
    uint32_t count, expected;
};

static void on_changed(void *context, const char *path)
{
    struct changes *changes = context;
    ck_assert_uint_lt(changes->count, EVS_COUNT(changes->seen));
    snprintf(changes->seen[changes->count++], sizeof changes->seen[0], "%s", strrchr(path, '/') + 1);
    if (changes->count == changes->expected) {
        event_base_loopbreak(changes->loop);
    }
}

static void write_file(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs("text", file);
    ck_assert_int_eq(fclose(file), 0);
}

static void rename_file(const char *folder, const char *from, const char *to)
{
    char old[256], new[256];
    snprintf(old, sizeof old, "%s/%s", folder, from);
    snprintf(new, sizeof new, "%s/%s", folder, to);
    ck_assert_int_eq(rename(old, new), 0);
}

START_TEST(a_save_is_told_once_however_it_is_made)
{
    char folder[] = "/tmp/evs-watch-XXXXXX";
    const struct timeval deadline = {.tv_sec = DEADLINE_S};
    struct changes changes = {.loop = event_base_new(), .expected = 2};
    struct evs_dev_watch *watch;
    struct evs_error error = {0};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(evs_dev_watch_new(changes.loop, on_changed, &changes, &watch, &error), EVS_OK);
    ck_assert_int_eq(evs_dev_watch_folder(watch, folder, &error), EVS_OK);
    ck_assert_int_eq(evs_dev_watch_folder(watch, folder, &error), EVS_OK); /* again is no second watch */
    write_file(folder, "notes.txt");
    write_file(folder, ".hidden.evs");
    write_file(folder, "written.evs");
    write_file(folder, "written.evs");
    write_file(folder, "renamed.tmp");
    rename_file(folder, "renamed.tmp", "renamed.evs");
    event_base_loopexit(changes.loop, &deadline);
    event_base_dispatch(changes.loop);
    ck_assert_uint_eq(changes.count, 2);
    ck_assert_str_eq(changes.seen[0], "written.evs");
    ck_assert_str_eq(changes.seen[1], "renamed.evs");
    ck_assert_int_eq(evs_dev_watch_folder(watch, "/nowhere/at-all", &error), EVS_E_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "/nowhere/at-all"));
    evs_dev_watch_free(watch);
    event_base_free(changes.loop);
    ck_assert_int_eq(nftw(folder, unit_remove_entry, 4, FTW_DEPTH | FTW_PHYS), 0);
}
END_TEST

/* --- probes ---------------------------------------------------------------------------------------------------------------- */

START_TEST(a_free_port_is_free_and_nobody_answers_there)
{
    uint16_t port = evs_dev_free_port(0);
    ck_assert_uint_ne(port, 0);
    ck_assert_uint_eq(evs_dev_free_port(port), port);
    ck_assert(!evs_dev_answers(port, EVS_SLICE("PING\r\n"), "PONG", PROBE_QUICK_MS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("devserver");
    TCase *parts = tcase_create("parts");
    tcase_set_timeout(parts, 3 * DEADLINE_S);
    tcase_add_test(parts, child_gives_its_code_and_its_last_words);
    tcase_add_test(parts, child_that_says_much_is_remembered_by_its_end);
    tcase_add_test(parts, child_that_is_asked_ends_by_the_signal);
    tcase_add_test(parts, program_that_cannot_be_started_is_127);
    tcase_add_test(parts, programs_are_found_in_the_path_and_where_servers_are);
    tcase_add_test(parts, a_save_is_told_once_however_it_is_made);
    tcase_add_test(parts, a_free_port_is_free_and_nobody_answers_there);
    suite_add_tcase(suite, parts);
    return unit_run(suite);
}
