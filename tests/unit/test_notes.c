/* What outlives a run: how far a restore has come, told while it goes on; and commits that failed, although they ended the run. */
#include "evstream/view.h"
#include "run_fakes.h"
#include "unit.h"

#include <unistd.h>

#define MESSAGES 200

static const char pipeline[] =
    "create source events (k string, v int64, ms timestamp path '$.ms', watermark for ms as ms) from fake ();\n"
    "create sink out to fake (address = 'out');\n"
    "from events |> aggregate sum(v) as total group by k, tumble(interval 1 day) |> insert into out;\n";

static struct evs_run_notes notes;
static uint64_t blocks_bytes, blocks_seen;

/* The notes have what was read so far, and say that it goes on. */
static void at_block(struct fake_world *world, uint64_t bytes)
{
    struct evs_view_notes view;
    blocks_bytes += bytes;
    blocks_seen++;
    evs_run_notes_view(&notes, 1, evs_monotonic_us(fake_os(world)), &view);
    ck_assert(view.has_restored && view.is_restoring);
    ck_assert_uint_eq(view.restore_bytes, blocks_bytes);
    ck_assert_uint_ge(view.restore_bytes_about, blocks_bytes);
    ck_assert_int_ge(view.restore_us, 0);
}

static const struct evs_plan *begin(void)
{
    notes = (struct evs_run_notes){0};
    blocks_bytes = blocks_seen = 0;
    struct fake_world *world = fake_world_new(2);
    world->at_block = at_block;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"k\":\"key-%u\",\"v\":1,\"ms\":\"2026-01-05T10:00:%02uZ\"}\n", i, i % 60);
        fake_publish(world, i % 2, text);
    }
    return fake_compile(pipeline);
}

static void end(const struct evs_plan *plan)
{
    evs_plan_free(plan);
    fake_world_free(fake_world);
}

static struct evs_view_notes seen(void)
{
    struct evs_view_notes view;
    evs_run_notes_view(&notes, 1, evs_monotonic_us(fake_os(fake_world)), &view);
    return view;
}

static struct fake_how how(uint32_t workers)
{
    return (struct fake_how){.workers = workers, .batch_rows = 8, .checkpoint_batches = 2, .notes = &notes};
}

START_TEST(test_restore_is_told)
{
    const struct evs_plan *plan = begin();
    struct evs_run_summary summary;
    fake_world->fail_commit_after = 6;
    ck_assert_int_eq(fake_run(plan, how(1), &summary), EVS_E_UNREACHABLE);
    ck_assert(!seen().has_restored && !seen().is_restoring);
    ck_assert_uint_eq(blocks_seen, 0);
    ck_assert_int_eq(fake_run(plan, how((uint32_t)_i), &summary), EVS_OK);
    ck_assert_uint_gt(blocks_seen, 1);
    ck_assert(seen().has_restored && !seen().is_restoring);
    ck_assert_uint_eq(seen().restore_bytes, blocks_bytes);
    ck_assert_uint_eq(seen().restore_bytes_about, blocks_bytes);
    end(plan);
}
END_TEST

/* A restore that fails goes on no more. */
START_TEST(test_restore_that_fails)
{
    const struct evs_plan *plan = begin();
    struct evs_run_summary summary;
    fake_world->fail_commit_after = 6;
    ck_assert_int_eq(fake_run(plan, how(1), &summary), EVS_E_UNREACHABLE);
    fake_spoil_state(fake_world);
    struct evs_run *run = NULL;
    struct evs_error error = {0};
    ck_assert_int_eq(fake_try_start(plan, how(2), &run, &error), EVS_E_STATE);
    ck_assert(seen().has_restored && !seen().is_restoring);
    end(plan);
}
END_TEST

START_TEST(test_failures_outlive_the_run)
{
    const struct evs_plan *plan = begin();
    struct evs_run_summary summary;
    fake_world->at_block = NULL; /* several restores */
    for (uint32_t i = 1; i <= 3; i++) {
        fake_world->fail_commit_before = 2;
        ck_assert_int_eq(fake_run(plan, how(1), &summary), EVS_E_UNREACHABLE);
        ck_assert_uint_eq(seen().commit_failures, i);
    }
    ck_assert_int_eq(fake_run(plan, how(1), &summary), EVS_OK);
    ck_assert_uint_eq(seen().commit_failures, 3);
    end(plan);
}
END_TEST

/* On a terminal a line is written over itself; its end stays. The clock runs fast, so each block is told. */
START_TEST(test_progress_line)
{
    const struct evs_plan *plan = begin();
    struct evs_run_summary summary;
    fake_world->fail_commit_after = 6;
    ck_assert_int_eq(fake_run(plan, how(1), &summary), EVS_E_UNREACHABLE);
    FILE *taken = tmpfile();
    ck_assert_ptr_nonnull(taken);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(fileno(taken), STDERR_FILENO), 0);
    struct fake_how shown = how(1);
    shown.restore_progress = true;
    fake_world->clock_factor = 1000000;
    evs_status status = fake_run(plan, shown, &summary);
    fflush(stderr);
    ck_assert_int_ge(dup2(kept, STDERR_FILENO), 0);
    close(kept);
    ck_assert_int_eq(status, EVS_OK);
    char text[65536] = "", wanted[128];
    rewind(taken);
    text[fread(text, 1, sizeof text - 1, taken)] = '\0';
    fclose(taken);
    snprintf(wanted, sizeof wanted, "\rrestoring checkpoint 6: %.1f of at most about ", (double)blocks_bytes / 1e6);
    const char *last = strstr(text, wanted);
    ck_assert_msg(last != NULL && strchr(last, '\n') != NULL && strchr(text, '\n') == strchr(last, '\n'), "%s", text);
    end(plan);
}
END_TEST

/* Of several groups: sums, and the slowest; one that restores is enough. */
START_TEST(test_groups_together)
{
    struct evs_run_notes groups[3] = {
        {.restore_begun_us = 100, .restore_ended_us = 400, .restore_bytes = 10, .restore_bytes_about = 10},
        {.restore_begun_us = 200, .restore_bytes = 5, .restore_bytes_about = 20, .commit_failures = 2},
        {.commit_failures = 1}};
    struct evs_view_notes view;
    evs_run_notes_view(groups, 3, 1000, &view);
    ck_assert(view.has_restored && view.is_restoring);
    ck_assert_uint_eq(view.restore_bytes, 15);
    ck_assert_uint_eq(view.restore_bytes_about, 30);
    ck_assert_int_eq(view.restore_us, 800);
    ck_assert_uint_eq(view.commit_failures, 3);
}
END_TEST

/* The last checkpoints of two runs, by time; each says which group it is of. */
START_TEST(test_checkpoints_of_all)
{
    const struct evs_plan *plan = begin();
    struct fake_how follow = how(1);
    follow.follow = true;
    struct evs_run *run = fake_start(plan, follow);
    ck_assert(fake_wait_commits(5));
    struct evs_view_checkpoint all[EVS_VIEW_CHECKPOINTS];
    const struct evs_run *both[] = {run, run};
    uint32_t count = evs_runs_view_checkpoints(both, 2, all);
    ck_assert_uint_ge(count, 8);
    ck_assert_uint_le(count, EVS_VIEW_CHECKPOINTS);
    for (uint32_t i = 1; i < count; i++) {
        ck_assert_int_le(all[i - 1].finished_us, all[i].finished_us);
        ck_assert_str_eq(all[i].group, "");
    }
    evs_run_stop(run);
    struct evs_run_summary summary;
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    end(plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notes");
    TCase *tests = tcase_create("notes");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_restore_is_told, 1, 4);
    tcase_add_test(tests, test_restore_that_fails);
    tcase_add_test(tests, test_failures_outlive_the_run);
    tcase_add_test(tests, test_progress_line);
    tcase_add_test(tests, test_groups_together);
    tcase_add_test(tests, test_checkpoints_of_all);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
