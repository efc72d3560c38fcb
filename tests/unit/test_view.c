/* Busy times are sampled: right on the whole whatever the pace of the steps is, and without a look at the clock for each few of a million. */
#include "run/runtime.h"
#include "unit.h"

struct world {
    int64_t now_us, clock_reads;
    struct evs_os os;
    struct evs_run run;
    struct worker worker;
    struct evs_op op;
    int64_t step_us, worked_us;
    uint32_t idle_every; /* one step of so many does something */
    uint32_t steps;
};

static int64_t read_clock(void *self)
{
    struct world *world = self;
    world->clock_reads++;
    return world->now_us;
}

static struct world *world_of(struct evs_op *op)
{
    return (struct world *)((char *)op - offsetof(struct world, op));
}

static bool step(struct evs_op *op)
{
    struct world *world = world_of(op);
    if (world->steps++ % world->idle_every != 0) {
        return false;
    }
    world->now_us += world->step_us;
    world->worked_us += world->step_us;
    return true;
}

/* Steps for so long, with a look every 50 ms, as a worker has it. */
static void work_for(struct world *world, int64_t us)
{
    int64_t until_us = world->now_us + us, shown_us = world->now_us;
    while (world->now_us < until_us) {
        (void)evs_view_step(&world->op, step);
        world->worker.now_us = world->now_us;
        if (world->now_us - shown_us >= 50000) {
            evs_view_show(&world->worker);
            shown_us = world->now_us;
        }
    }
}

static struct world *world_new(int64_t step_us, uint32_t idle_every)
{
    struct world *world = evs_alloc_aligned(64, sizeof *world);
    memset(world, 0, sizeof *world);
    world->step_us = step_us;
    world->idle_every = idle_every;
    world->os = *evs_os_system();
    world->os.clock.monotonic_us = read_clock;
    world->os.clock.self = world;
    world->run.options.os = &world->os;
    world->worker.run = &world->run;
    world->op.worker = &world->worker;
    evs_view_begin(&world->worker);
    return world;
}

static const struct {
    int64_t step_us;
    uint32_t idle_every;
} paces[] = {{1, 1}, {3, 8}, {40, 4}, {2000, 1}};

START_TEST(test_pace)
{
    struct world *world = world_new(paces[_i].step_us, paces[_i].idle_every);
    work_for(world, INT64_C(2) * 1000 * 1000); /* until it has found the pace */
    int64_t busy_us = world->op.busy_us, worked_us = world->worked_us, reads = world->clock_reads;
    work_for(world, INT64_C(20) * 1000 * 1000);
    double share = (double)(world->op.busy_us - busy_us) / (double)(world->worked_us - worked_us);
    ck_assert_msg(share > 0.85 && share < 1.15, "%.3f of the time was told", share);
    ck_assert_int_lt(world->clock_reads - reads, 20 * 10000);
    evs_free(world);
}
END_TEST

/* Behind a rush, steps that are few are sampled as densely as at first. */
START_TEST(test_pace_falls)
{
    struct world *world = world_new(1, 1);
    work_for(world, INT64_C(2) * 1000 * 1000);
    ck_assert_uint_gt(world->worker.sample_mean, 100);
    world->step_us = 5000;
    work_for(world, INT64_C(10) * 1000 * 1000);
    ck_assert_uint_eq(world->worker.sample_mean, 16);
    evs_free(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *tests = tcase_create("view");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_pace, 0, (int)EVS_COUNT(paces));
    tcase_add_test(tests, test_pace_falls);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
