/* The runtime killed again and again: shapes of pipelines that test_run.c has not, over the same fakes. An oracle in plain loops says what the
 * receiver must hold in the end. */
#include "run_fakes.h"
#include "unit.h"

#define KEYS 7
#define WINDOW_MS 10000
#define DELAY_MS 2000
#define START_MS INT64_C(1767607200000) /* 2026-01-05T10:00:00Z */
#define EVENTS 1200

struct event {
    int64_t ms;
    int key, value;
};

static struct event events[EVENTS];

#define SOURCE_OF(name, kind)                                                                                          \
    "create source " name                                                                                              \
    " (ms timestamp unit ms not null, k string, v int64, watermark for ms as ms - interval 2 second)\n"                \
    "from " kind " () dead letter into dead;\n"
#define SOURCE SOURCE_OF("events", "fake")
#define SINKS                                                                                                          \
    "create sink dead to fake (address = 'dead');\n"                                                                   \
    "create sink out to fake (address = 'out');\n"                                                                     \
    "create sink other to fake (address = 'other');\n"                                                                 \
    "create sink exact to fake_exact (address = 'exact');\n"

static void publish(uint32_t topic, uint32_t partition, const struct event *event)
{
    char text[128];
    snprintf(text, sizeof text, "{\"ms\":%lld,\"k\":\"key-%d\",\"v\":%d}\n", (long long)(START_MS + event->ms),
             event->key, event->value);
    (topic == 0 ? fake_publish : fake_publish_other)(fake_world, partition, text);
}

/* Times rise, but for a jitter below the delay: nothing is late. */
static void begin(uint32_t partitions)
{
    uint64_t seed = 7;
    fake_world_new(partitions);
    for (uint32_t i = 0; i < EVENTS; i++) {
        events[i].key = (int)(unit_random(&seed) % KEYS);
        events[i].ms = (int64_t)i * 100 + (int64_t)(unit_random(&seed) % 1000);
        events[i].value = (int)(unit_random(&seed) % 30);
        publish(0, (uint32_t)events[i].key % partitions, &events[i]);
    }
}

static void end(const struct evs_plan *plan)
{
    evs_plan_free(plan);
    fake_world_free(fake_world);
}

/* Runs until the end through deaths at polls and at commits, with other numbers of workers each time. */
static void run_through_deaths(const struct evs_plan *plan, uint64_t full_bytes_min)
{
    struct evs_run_summary summary;
    evs_status status = EVS_E_UNREACHABLE;
    uint32_t deaths = 0;
    for (; status == EVS_E_UNREACHABLE; deaths++) {
        struct fake_how how = FAKE_HOW(1 + deaths % 4, deaths % 2 == 0 ? 1024 : 5, 1 + deaths % 5);
        how.full_bytes_min = full_bytes_min;
        uint32_t after = 2 + deaths % 7;
        fake_world->fail_polls = deaths % 3 == 0 ? after * 10 : 0;
        fake_world->fail_commit_before = deaths % 3 == 1 ? after : 0;
        fake_world->fail_commit_after = deaths % 3 == 2 ? after : 0;
        ck_assert_uint_lt(deaths, 5000);
        status = fake_run(plan, how, &summary);
    }
    ck_assert_uint_gt(deaths, 3);
    ck_assert_uint_eq(fake_world->mismatches, 0);
}

/* --- the oracle: groups of a key and a window ----------------------------------------------------------------------------------------- */

struct group {
    int count, distinct;
    bool seen[30];
};
#define WINDOWS (EVENTS * 100 / WINDOW_MS + 2)
static struct group groups[WINDOWS][KEYS];

static uint32_t count_groups(void)
{
    uint32_t count = 0;
    memset(groups, 0, sizeof groups);
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct group *group = &groups[events[i].ms / WINDOW_MS][events[i].key];
        count += group->count++ == 0;
        group->distinct += !group->seen[events[i].value];
        group->seen[events[i].value] = true;
    }
    return count;
}

/* --- ids --------------------------------------------------------------------------------------------------------------------------------- */

/* Both sources have records at the same places, and both change the same groups. */
START_TEST(test_union_unwindowed)
{
    static const char text[] = SOURCE SOURCE_OF("others", "fake_other") SINKS
        "from events |> union all (from others) |> aggregate count(*) as n group by v retain interval 30 day |> select "
        "n |> insert into exact;\n";
    begin(1);
    for (uint32_t i = 0; i < EVENTS; i++) {
        publish(1, 0, &events[i]);
    }
    const struct evs_plan *plan = fake_compile(text);
    run_through_deaths(plan, 0);
    ck_assert_uint_eq(fake_rows_at("exact"), 2 * EVENTS);
    ck_assert_uint_eq(fake_rows_like("{\"n\":1}"), 30);
    end(plan);
}
END_TEST

/* Results of one window, of many groups, come to one group of the next aggregate: one cause, one key, and yet many rows. */
START_TEST(test_windows_into_unwindowed)
{
    static const char text[] = SOURCE SINKS
        "from events |> aggregate count(*) as n group by k, tumble(interval 10 second)\n"
        "|> aggregate sum(n) as total group by window_start retain interval 30 day |> insert into exact;\n";
    begin(3);
    const struct evs_plan *plan = fake_compile(text);
    uint32_t wanted = count_groups();
    run_through_deaths(plan, 0);
    ck_assert_uint_eq(fake_rows_at("exact"), wanted);
    end(plan);
}
END_TEST

/* Two queries share a stream; the rows of one die behind the exchange, all of a window looking alike. */
START_TEST(test_dead_behind_exchange)
{
    static const char text[] = SOURCE SINKS
        "create stream counted as from events |> aggregate count(*) as n group by k, tumble(interval 10 second);\n"
        "from counted |> select k, window_start, n |> insert into out;\n"
        "from counted |> select window_start, n - n as zero |> select window_start, div(1, zero) as x |> insert into "
        "other;\n"
        "from events |> where v = 3 |> select k, v |> insert into exact;\n";
    begin(4);
    const struct evs_plan *plan = fake_compile(text);
    uint32_t wanted = count_groups(), threes = 0;
    for (uint32_t i = 0; i < EVENTS; i++) {
        threes += events[i].value == 3;
    }
    run_through_deaths(plan, 0);
    ck_assert_uint_eq(fake_rows_at("out"), wanted);
    ck_assert_uint_eq(fake_rows_at("dead"), wanted);
    ck_assert_uint_eq(fake_rows_at("other"), 0);
    ck_assert_uint_eq(fake_rows_at("exact"), threes);
    end(plan);
}
END_TEST

/* --- state --------------------------------------------------------------------------------------------------------------------------------- */

/* Sets, text and counts through deltas and full snapshots, which come every few kilobytes here. */
/* What a receiver refuses is a dead letter: each once, whatever dies, also those that it refuses behind the last barrier. */
START_TEST(test_refused_rows)
{
    static const char text[] = SOURCE SINKS "from events |> select v, k, ms |> insert into exact;\n"
                                            "from events |> select v, ms, k |> insert into out;\n";
    begin(2);
    fake_world->refuse = "{\"v\":7,";
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < EVENTS; i++) {
        wanted += events[i].value == 7;
    }
    const struct evs_plan *plan = fake_compile(text);
    run_through_deaths(plan, 0);
    ck_assert_uint_gt(wanted, 10);
    ck_assert_uint_eq(fake_rows_at("exact"), EVENTS - wanted);
    ck_assert_uint_eq(fake_rows_at("out"), EVENTS - wanted);
    ck_assert_uint_eq(fake_rows_at("dead"), 2 * wanted);
    end(plan);
}
END_TEST

START_TEST(test_full_snapshots)
{
    static const char text[] = SOURCE SINKS "from events |> aggregate count(*) as n, count(distinct v) as d, max(k) as "
                                            "most group by k, tumble(interval 10 second)\n"
                                            "|> select k, window_start, n, d, most |> insert into out;\n";
    begin(4);
    const struct evs_plan *plan = fake_compile(text);
    uint32_t wanted = count_groups();
    run_through_deaths(plan, 1000);
    ck_assert_uint_gt(fake_world->state_moves, 0);
    ck_assert_uint_eq(fake_rows_at("out"), wanted);
    for (uint32_t window = 0; window < WINDOWS; window++) {
        for (int key = 0; key < KEYS; key++) {
            const struct group *group = &groups[window][key];
            char time[EVS_FORMAT_MAX], row[256];
            uint32_t count = evs_format_timestamp(time, (START_MS + (int64_t)window * WINDOW_MS) * 1000);
            snprintf(row, sizeof row,
                     "{\"k\":\"key-%d\",\"window_start\":\"%.*s\",\"n\":%d,\"d\":%d,\"most\":\"key-%d\"}", key,
                     (int)count, time, group->count, group->distinct, key);
            ck_assert_msg(fake_rows_like(row) == (group->count > 0), "%s", row);
        }
    }
    end(plan);
}
END_TEST

/* Groups that expire and come again: which of them a row meets is decided by the watermark before the row, not by when a timer ran. */
START_TEST(test_retain_through_deaths)
{
    static const char text[] = SOURCE SINKS "from events |> aggregate count(*) as n group by k retain interval 700 "
                                            "millisecond |> select k, n |> insert into out;\n";
    begin(1);
    const struct evs_plan *plan = fake_compile(text);
    run_through_deaths(plan, 1000);
    static uint32_t wanted[KEYS][EVENTS];
    int64_t latest[KEYS], watermark = INT64_MIN;
    uint32_t n[KEYS] = {0}, again = 0;
    memset(wanted, 0, sizeof wanted);
    for (uint32_t i = 0; i < EVENTS; i++) {
        const struct event *event = &events[i];
        int key = event->key;
        if (n[key] > 0 && latest[key] + 700 <= watermark) {
            n[key] = 0;
            again++;
        }
        latest[key] = n[key] == 0 || event->ms > latest[key] ? event->ms : latest[key];
        wanted[key][n[key]++]++;
        watermark = event->ms - DELAY_MS > watermark ? event->ms - DELAY_MS : watermark;
    }
    ck_assert_uint_gt(again, 0);
    for (int key = 0; key < KEYS; key++) {
        for (uint32_t count = 0; count < 50; count++) {
            char row[64];
            snprintf(row, sizeof row, "{\"k\":\"key-%d\",\"n\":%u}", key, count + 1);
            ck_assert_uint_eq(fake_rows_like(row), wanted[key][count]);
        }
    }
    end(plan);
}
END_TEST

/* A restored group counts as one, and once. */
START_TEST(test_state_keys_after_restart)
{
    static const char text[] = SOURCE SINKS
        "from events |> aggregate count(distinct v) as n group by k, tumble(interval 10 minute) |> insert into out;\n";
    begin(4);
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    for (uint32_t workers = 1; workers <= 3; workers++) {
        struct fake_how how = FAKE_HOW(workers, 1024, 4);
        how.at_end_stop = true;
        ck_assert_int_eq(fake_run(plan, how, &summary), EVS_OK);
        ck_assert_uint_eq(summary.totals.state_keys, KEYS);
        ck_assert_uint_eq(fake_rows_at("out"), 0);
    }
    ck_assert_int_eq(fake_run(plan, (struct fake_how)FAKE_HOW(2, 1024, 4), &summary), EVS_OK);
    ck_assert_uint_eq(summary.totals.state_keys, 0);
    ck_assert_uint_eq(fake_rows_at("out"), KEYS);
    end(plan);
}
END_TEST

/* Killed when one worker's partitions were at their end and another's were not; then more came to the former. Nothing of it is late. */
START_TEST(test_end_moves_on)
{
    static const char text[] = SOURCE SINKS
        "from events |> aggregate count(*) as n group by k, tumble(interval 10 second) |> insert into out;\n";
    fake_world_new(2);
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    struct event event = {.ms = 0, .key = 0};
    publish(0, 0, &event);
    for (event.ms = 0; event.ms < 40000; event.ms += 100) {
        publish(0, 1, &event);
    }
    fake_world->fail_commit_after = 20;
    ck_assert_int_eq(fake_run(plan, (struct fake_how)FAKE_HOW(2, 2, 2), &summary), EVS_E_UNREACHABLE);
    event.ms = 60000;
    publish(0, 0, &event);
    ck_assert_int_eq(fake_run(plan, (struct fake_how)FAKE_HOW(2, 1024, 1), &summary), EVS_OK);
    ck_assert_uint_eq(summary.all.late, 0);
    ck_assert_uint_eq(fake_rows_at("out"), 5);
    end(plan);
}
END_TEST

/* --- state written while rows come ------------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What the receiver holds, in an order that no run decides. */
static char **rows_held(uint32_t *count)
{
    *count = fake_world->row_count;
    char **rows = evs_alloc((*count + 1) * sizeof *rows);
    for (uint32_t i = 0; i < *count; i++) {
        rows[i] = evs_strdup(fake_world->rows[i].payload);
    }
    qsort(rows, *count, sizeof *rows, by_text);
    return rows;
}

static void free_rows(char **rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_free(rows[i]);
    }
    evs_free(rows);
}

static const char *const in_steps[] = {
    SOURCE SINKS "from events |> aggregate count(*) as n, sum(v) as s, count(distinct v) as d, array_agg(v) as l\n"
                 "group by k, tumble(interval 10 second) |> insert into out;\n",
    SOURCE SINKS "from events |> aggregate count(*) as n, sum(v) as s, count(distinct v) as d\n"
                 "group by k, hop(interval 10 second, interval 2 second) |> insert into out;\n",
    SOURCE SINKS "from events |> aggregate count(*) as n, sum(v) as s, max(v) as m\n"
                 "group by k, session(interval 600 millisecond) |> insert into out;\n",
    SOURCE SINKS "from events |> aggregate count(*) as n, count(distinct v) as d\n"
                 "group by k, session(interval 600 millisecond) |> insert into out;\n",
    SOURCE SINKS "from events |> aggregate count(*) as n, sum(v) as s group by k, session(interval 600 millisecond)\n"
                 "emit every interval 1 second |> insert into out;\n",
    SOURCE SINKS "from events |> aggregate count(*) as n, sum(v) as s group by k, tumble(interval 10 second)\n"
                 "emit every interval 1 second |> insert into out;\n",
};

/* Every few batches a checkpoint, of which test builds write three records between two batches: rows come to what is frozen and not written, windows
 * and sessions end, join and move meanwhile. The rows are those of a run without checkpoints. */
START_TEST(test_written_in_steps)
{
    begin(4);
    const struct evs_plan *plan = fake_compile(in_steps[_i]);
    struct fake_how how = FAKE_HOW(1, 1024, 0);
    struct evs_run_summary summary;
    uint32_t wanted_count, count;
    how.in_memory = true;
    ck_assert_int_eq(fake_run(plan, how, &summary), EVS_OK);
    char **wanted = rows_held(&wanted_count);
    end(plan);
    begin(4);
    plan = fake_compile(in_steps[_i]);
    run_through_deaths(plan, 1000);
    char **rows = rows_held(&count);
    ck_assert_uint_eq(count, wanted_count);
    ck_assert_uint_gt(count, 50);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_str_eq(rows[i], wanted[i]);
    }
    free_rows(rows, count);
    free_rows(wanted, wanted_count);
    end(plan);
}
END_TEST

/* --- sizes ----------------------------------------------------------------------------------------------------------------------------------- */

#define BIG_BYTES 700000

/* Keys, results and dead letters much larger than a block of the store, which nothing compresses. */
START_TEST(test_big_rows)
{
    static const char text[] = SOURCE SINKS "from events |> aggregate sum(v) as n, max(k) as most group by k, "
                                            "tumble(interval 10 second) |> insert into out;\n";
    fake_world_new(1);
    const struct evs_plan *plan = fake_compile(text);
    uint64_t seed = 3;
    char *big = evs_alloc(BIG_BYTES + 1);
    for (uint32_t i = 0; i < 8; i++) {
        struct evs_buffer message = {0};
        for (uint32_t j = 0; j < BIG_BYTES; j++) {
            big[j] = (char)('0' + unit_random(&seed) % 64);
            big[j] = big[j] == '\\' ? 'z' : big[j];
        }
        big[BIG_BYTES] = '\0';
        evs_buffer_printf(&message, "{\"ms\":%lld,\"k\":\"%s\",\"v\":%s}\n", (long long)(START_MS + i * 4000), big,
                          i % 4 == 3 ? "true" : "1");
        evs_buffer_put(&message, "", 1);
        fake_publish(fake_world, 0, message.data);
        evs_buffer_fini(&message);
    }
    evs_free(big);
    struct evs_run_summary summary;
    evs_status status = EVS_E_UNREACHABLE;
    for (uint32_t deaths = 0; status == EVS_E_UNREACHABLE; deaths++) {
        fake_world->fail_commit_after = 2;
        status = fake_run(plan, (struct fake_how)FAKE_HOW(1 + deaths % 2, 1, 1), &summary);
    }
    ck_assert_uint_eq(fake_rows_at("out"), 6);
    ck_assert_uint_eq(fake_rows_at("dead"), 2);
    ck_assert_uint_eq(fake_world->mismatches, 0);
    end(plan);
}
END_TEST

/* The broker lost its newest message after its row was sent, and before it was committed; another one has its sequence now. Two messages,
 * two rows: with one id the receiver would have dropped the second. */
START_TEST(test_sequence_used_again)
{
    static const char text[] = SOURCE SINKS "from events |> select v |> insert into out;\n";
    const struct event lost = {.ms = 0, .key = 1, .value = 7};
    fake_world_new(1);
    publish(0, 0, &lost);
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    fake_world->fail_commit_before = 2;
    ck_assert_int_eq(fake_run(plan, (struct fake_how)FAKE_HOW(1, 1024, 1), &summary), EVS_E_UNREACHABLE);
    ck_assert_uint_eq(fake_rows_at("out"), 1);
    char payload[128];
    snprintf(payload, sizeof payload, "{\"ms\":%lld,\"k\":\"key-1\",\"v\":8}\n", (long long)START_MS);
    fake_replace_last(fake_world, 0, payload);
    ck_assert_int_eq(fake_run(plan, (struct fake_how)FAKE_HOW(1, 1024, 1), &summary), EVS_OK);
    ck_assert_uint_eq(fake_world->mismatches, 0);
    ck_assert_uint_eq(fake_rows_at("out"), 2);
    end(plan);
}
END_TEST

START_TEST(test_many_workers)
{
    static const char text[] = SOURCE SINKS
        "from events |> aggregate count(*) as n group by k, tumble(interval 10 second) |> insert into out;\n";
    begin(4);
    const struct evs_plan *plan = fake_compile(text);
    struct evs_run_summary summary;
    ck_assert_int_eq(fake_run(plan, (struct fake_how)FAKE_HOW(64, 64, 100), &summary), EVS_OK);
    ck_assert_uint_eq(fake_rows_at("out"), count_groups());
    end(plan);
}
END_TEST

#define MANY_KEYS 31

START_TEST(test_many_keys)
{
    struct evs_buffer text = {0};
    evs_buffer_printf(&text, "%s", SOURCE SINKS "from events |> extend v as a1");
    for (int i = 2; i <= MANY_KEYS; i++) {
        evs_buffer_printf(&text, ", if(v = %d, cast(null as int64), v) as a%d", i % 30, i);
    }
    evs_buffer_printf(&text, "\n|> aggregate count(*) as n group by a1");
    for (int i = 2; i <= MANY_KEYS; i++) {
        evs_buffer_printf(&text, ", a%d", i);
    }
    evs_buffer_printf(&text, ", tumble(interval 1 hour) |> insert into out;\n");
    evs_buffer_put(&text, "", 1);
    begin(2);
    const struct evs_plan *plan = fake_compile(text.data);
    run_through_deaths(plan, 1000);
    ck_assert_uint_eq(fake_rows_at("out"), 30);
    evs_buffer_fini(&text);
    end(plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run_kills");
    TCase *tests = tcase_create("run_kills");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_union_unwindowed);
    tcase_add_test(tests, test_windows_into_unwindowed);
    tcase_add_test(tests, test_dead_behind_exchange);
    tcase_add_test(tests, test_refused_rows);
    tcase_add_test(tests, test_full_snapshots);
    tcase_add_test(tests, test_retain_through_deaths);
    tcase_add_test(tests, test_state_keys_after_restart);
    tcase_add_test(tests, test_end_moves_on);
    tcase_add_loop_test(tests, test_written_in_steps, 0, (int)EVS_COUNT(in_steps));
    tcase_add_test(tests, test_big_rows);
    tcase_add_test(tests, test_sequence_used_again);
    tcase_add_test(tests, test_many_workers);
    tcase_add_test(tests, test_many_keys);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
