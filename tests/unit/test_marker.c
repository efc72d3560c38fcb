/* What a start makes of the marker and of the store's newest commit; how far the floor is behind; texts of other versions. */
#include "run/marker.h"

#include "run/runtime.h"
#include "unit.h"

#define TEXT                                                                                                           \
    "version 1\nincarnation 00000000000000010000000000000002\ncheckpoint 120\nfloor 110\nwritten "                     \
    "2026-01-05T10:00:00Z\nposition 0 99 clicks\n"

static struct evs_plan plan = {.pipeline = "cart"};

/* A run that has looked at its store: a commit (0: none), of this life or another one. */
static void run_of(struct evs_run *run, uint64_t checkpoint, uint64_t incarnation, enum evs_state_lost state_lost)
{
    memset(run, 0, sizeof *run);
    run->plan = &plan;
    run->options = (struct evs_run_options){.os = evs_os_system(), .state_lost = state_lost, .bucket = "evstream"};
    run->options.log = evs_log_new(evs_os_system(), EVS_LOG_ERROR, false);
    run->terms = (struct evs_store_terms){.has_commit = checkpoint > 0, .checkpoint = checkpoint};
    run->restored.incarnation = run->incarnation = (struct evs_hash128){.low = incarnation, .high = 1};
    ck_assert(evs_marker_decode(EVS_SLICE(TEXT), &run->marker));
}

static evs_status judge(uint64_t checkpoint, uint64_t incarnation, enum evs_state_lost state_lost,
                        struct evs_hash128 *goes_on_as)
{
    static struct evs_run run;
    struct evs_error error = {0};
    run_of(&run, checkpoint, incarnation, state_lost);
    evs_status status = evs_marker_judge(&run, &error);
    if (status != EVS_OK) {
        ck_assert_ptr_nonnull(strstr(error.text, "--state-lost accept"));
        ck_assert_ptr_nonnull(strstr(error.text, "2026-01-05T10:00:00Z"));
    }
    *goes_on_as = run.keeps_incarnation ? run.marker.incarnation : (struct evs_hash128){0};
    evs_log_free(run.options.log);
    return status;
}

START_TEST(test_judge)
{
    struct evs_hash128 as;
    ck_assert_int_eq(judge(120, 2, EVS_LOST_REFUSE, &as), EVS_OK);
    ck_assert_int_eq(judge(5000, 2, EVS_LOST_REFUSE, &as), EVS_OK);
    /* Behind by what a crash may take. */
    ck_assert_int_eq(judge(110, 2, EVS_LOST_REFUSE, &as), EVS_OK);
    /* Behind by more: a person decides. */
    ck_assert_int_eq(judge(109, 2, EVS_LOST_REFUSE, &as), EVS_E_STATE);
    ck_assert_int_eq(judge(109, 2, EVS_LOST_RESTART, &as), EVS_E_STATE); /* there is state: it is removed first */
    ck_assert_int_eq(judge(109, 2, EVS_LOST_ACCEPT, &as), EVS_OK);
    /* Nothing at all. */
    ck_assert_int_eq(judge(0, 7, EVS_LOST_REFUSE, &as), EVS_E_STATE);
    ck_assert_int_eq(judge(0, 7, EVS_LOST_RESTART, &as), EVS_OK);
    ck_assert_uint_eq(as.low, 0); /* a new life */
    ck_assert_int_eq(judge(0, 7, EVS_LOST_ACCEPT, &as), EVS_OK);
    ck_assert_uint_eq(as.low, 2); /* the old one: its triggers are known by their ids */
    ck_assert_uint_eq(as.high, 1);
    /* Of a life that began later, whatever its numbers. */
    ck_assert_int_eq(judge(3, 7, EVS_LOST_REFUSE, &as), EVS_OK);
}
END_TEST

START_TEST(test_decode)
{
    struct evs_marker marker;
    ck_assert(evs_marker_decode(EVS_SLICE(TEXT "colour blue\n"), &marker));
    ck_assert_uint_eq(marker.checkpoint, 120);
    ck_assert_uint_eq(marker.floor, 110);
    ck_assert(!evs_marker_decode(EVS_SLICE(""), &marker) && !marker.is_there);
    ck_assert(!evs_marker_decode(EVS_SLICE("checkpoint 7\n"), &marker));
    ck_assert(!evs_marker_decode(EVS_SLICE("incarnation 00000000000000010000000000000002\ncheckpoint -7\n"), &marker));
    ck_assert(!evs_marker_decode(EVS_SLICE("incarnation 0000000000000001000000000000000g\ncheckpoint 7\n"), &marker));
    ck_assert(!evs_marker_decode(EVS_SLICE("incarnation 00000000000000010000000000000002\ncheckpoint 7\nfloor 8\n"),
                                 &marker));
}
END_TEST

static int64_t clock_us;
static int64_t fake_monotonic_us(void *self)
{
    (void)self;
    return clock_us;
}

/* A checkpoint a second, each confirmed three seconds after it was made: what the marker says is confirmed, and its floor is ten seconds behind. */
START_TEST(test_maker)
{
    static struct evs_run run;
    struct evs_os os = *evs_os_system();
    os.clock.monotonic_us = fake_monotonic_us;
    run_of(&run, 40, 2, EVS_LOST_REFUSE);
    run.options.os = &os;
    run.lease = (struct evs_lease *)&run; /* there is one */
    run.keeper_park = os.threads.park_new(os.threads.self);
    struct evs_record_partition partition = {.position = {.partition = 3, .sequence = 77}};
    struct evs_record_source source = {.name = "clicks", .partitions = &partition, .partition_count = 1};
    struct evs_marker_maker maker = {0};
    struct evs_marker marker = {0};
    uint32_t texts = 0;
    for (uint64_t checkpoint = 41; checkpoint < 100; checkpoint++) {
        clock_us = (int64_t)checkpoint * 1000000;
        struct evs_record record = {.checkpoint = checkpoint, .sources = &source, .source_count = 1};
        evs_marker_note(&maker, &run, &record);
        uint64_t confirmed = checkpoint < 44 ? 40 : checkpoint - 3;
        evs_marker_confirmed(&maker, &run, confirmed);
        struct evs_buffer *text = atomic_exchange(&run.marker_text, NULL);
        if (text == NULL) {
            continue;
        }
        texts++;
        evs_buffer_put(text, "", 1);
        ck_assert_ptr_nonnull(strstr(text->data, "\nposition 3 77 clicks\n"));
        ck_assert(evs_marker_decode((struct evs_slice){text->data, text->count - 1}, &marker));
        ck_assert_uint_le(marker.checkpoint, confirmed);
        ck_assert_uint_ge(marker.checkpoint + 4, confirmed);
        ck_assert_uint_ge(marker.floor, 40);
        ck_assert(marker.floor == 40 || marker.floor + 10 <= checkpoint);
        ck_assert(checkpoint < 70 || marker.floor + 20 >= checkpoint);
        evs_buffer_fini(text);
        evs_free(text);
    }
    ck_assert_uint_ge(texts, 10);
    evs_marker_maker_fini(&maker);
    os.threads.park_free(run.keeper_park);
    evs_log_free(run.options.log);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("marker");
    TCase *tests = tcase_create("marker");
    tcase_add_test(tests, test_judge);
    tcase_add_test(tests, test_decode);
    tcase_add_test(tests, test_maker);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
