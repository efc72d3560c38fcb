/* Timers against a sorted array, with random arming, popping and throwing out. */
#include "evstream/timer.h"
#include "unit.h"

#define TIMERS_MAX 4000

static struct evs_timer model[TIMERS_MAX];
static uint32_t model_count;

static int by_time(const void *a, const void *b)
{
    const struct evs_timer *left = a, *right = b;
    if (left->at_us != right->at_us) {
        return left->at_us < right->at_us ? -1 : 1;
    }
    return (left->payload > right->payload) - (left->payload < right->payload);
}

static void model_sort(void)
{
    qsort(model, model_count, sizeof model[0], by_time);
}

/* Pops everything due until `until_us` from both, and compares. */
static void pop_and_compare(struct evs_timers *timers, int64_t until_us)
{
    uint32_t taken = 0;
    struct evs_timer due;
    model_sort();
    while (evs_timers_pop(timers, until_us, &due)) {
        UNIT_CHECK(taken < model_count, "a timer that was never armed");
        UNIT_CHECK(by_time(&due, &model[taken]) == 0, "timer %u is another one", taken);
        taken++;
    }
    UNIT_CHECK(taken == model_count || model[taken].at_us > until_us, "a due timer stayed");
    memmove(model, model + taken, (model_count - taken) * sizeof model[0]);
    model_count -= taken;
}

static bool payload_is_odd(const struct evs_timer *timer, void *argument)
{
    ++*(uint32_t *)argument;
    return timer->payload % 2 == 1;
}

static void keep_odd(struct evs_timers *timers)
{
    uint32_t asked = 0, kept = 0;
    evs_timers_keep(timers, payload_is_odd, &asked);
    ck_assert_uint_eq(asked, model_count);
    for (uint32_t i = 0; i < model_count; i++) {
        if (model[i].payload % 2 == 1) {
            model[kept++] = model[i];
        }
    }
    model_count = kept;
}

START_TEST(test_against_a_sorted_array)
{
    struct evs_timers timers = {0};
    uint64_t seed = (uint64_t)_i + 1;
    model_count = 0;
    for (uint32_t round = 0; round < 200; round++) {
        for (uint32_t i = unit_random(&seed) % 20; i > 0; i--) {
            struct evs_timer timer = {(int64_t)(unit_random(&seed) % 1000) - 500, unit_random(&seed) % 50};
            evs_timers_arm(&timers, timer.at_us, timer.payload);
            model[model_count++] = timer;
        }
        if (unit_random(&seed) % 10 == 0) {
            keep_odd(&timers);
        }
        pop_and_compare(&timers, (int64_t)(unit_random(&seed) % 1200) - 600);
        ck_assert_int_eq(evs_timers_next(&timers), model_count == 0 ? EVS_TIME_MAX : model[0].at_us);
    }
    pop_and_compare(&timers, EVS_TIME_MAX);
    ck_assert_uint_eq(timers.count, 0);
    evs_timers_fini(&timers);
}
END_TEST

START_TEST(test_passed)
{
    ck_assert_int_eq(evs_timers_passed(10), 9);
    ck_assert_int_eq(evs_timers_passed(EVS_TIME_MIN), EVS_TIME_MIN);
    ck_assert_int_eq(evs_timers_passed(EVS_TIME_MAX), EVS_TIME_MAX);
}
END_TEST

START_TEST(test_no_allocation_in_a_steady_state)
{
    struct evs_timers timers = {0};
    struct evs_timer due;
    for (int64_t i = 0; i < 100; i++) {
        evs_timers_arm(&timers, i, 0);
    }
    uint64_t before = evs_alloc_count();
    for (int64_t i = 100; i < 10000; i++) {
        UNIT_CHECK(evs_timers_pop(&timers, i, &due) && due.at_us == i - 100, "timers come in their order");
        evs_timers_arm(&timers, i, 0);
    }
    ck_assert_uint_eq(evs_alloc_count(), before);
    evs_timers_clear(&timers);
    ck_assert(!evs_timers_pop(&timers, EVS_TIME_MAX, &due));
    evs_timers_fini(&timers);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timer");
    TCase *tests = tcase_create("timer");
    tcase_add_loop_test(tests, test_against_a_sorted_array, 0, 5);
    tcase_add_test(tests, test_passed);
    tcase_add_test(tests, test_no_allocation_in_a_steady_state);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
