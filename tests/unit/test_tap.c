/* Taps: what somebody who looks sees of a running engine, that it changes nothing, and that it never holds rows up. */
#include "evstream/tap.h"

#include "predicate.h"
#include "run_fakes.h"
#include "unit.h"

#define START_MS INT64_C(1767607200000) /* 2026-01-05T10:00:00Z */
#define ROWS 200

static const char pipeline[] =
    "create source events (ms timestamp unit ms not null, k string, v int64, watermark for ms as ms)\n"
    "from fake (idle_timeout = 'never') dead letter into dead;\n"
    "create sink dead to fake (address = 'dead');\n"
    "create sink out to fake (address = 'out.{k}');\n"
    "create sink sums to fake (address = 'sums');\n"
    "from events |> where v >= 0 |> select k, v |> insert into out;\n"
    "from events |> aggregate sum(v) as total group by k, tumble(interval 1 second) |> insert into sums;\n";

static uint32_t node_of(const struct evs_plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        if (strcmp(plan->nodes[i].name, name) == 0) {
            return i;
        }
    }
    ck_abort_msg("the plan has no node %s", name);
    return 0;
}

static void publish(int from, int to)
{
    char text[128];
    for (int i = from; i < to; i++) {
        snprintf(text, sizeof text, "{\"ms\":%lld,\"k\":\"k%d\",\"v\":%d}\n", (long long)(START_MS + i), i % 10, i);
        fake_publish(fake_world, (uint32_t)i % 4, text);
    }
}

static struct evs_run *begin(const struct evs_plan **plan, uint32_t workers)
{
    fake_world_new(4);
    fake_world->topics[0].live = true;
    *plan = fake_compile(pipeline);
    return fake_start(*plan, (struct fake_how){.workers = workers, .batch_rows = 16, .follow = true});
}

static void end(struct evs_run *run, const struct evs_plan *plan)
{
    struct evs_run_summary summary;
    evs_run_stop(run);
    ck_assert_int_eq(fake_end(run, &summary), EVS_OK);
    evs_plan_free(plan);
    fake_world_free(fake_world);
}

static struct evs_tap *open_tap(struct evs_run *run, uint32_t node, uint32_t rows_max, const struct evs_program *where)
{
    struct evs_tap *tap = NULL;
    struct evs_error error = {0};
    struct evs_tap_options options = {.node = node, .rows_max = rows_max, .where = where};
    ck_assert_int_eq(evs_run_tap_open(run, &options, &tap, &error), EVS_OK);
    return tap;
}

/* A row is shown with its columns, its cause, where it goes, and under which id; the receiver holds that id. */
START_TEST(test_sink_rows)
{
    const struct evs_plan *plan;
    struct evs_run *run = begin(&plan, 1 + (uint32_t)_i);
    struct evs_tap *tap = open_tap(run, node_of(plan, "out"), ROWS, NULL);
    publish(0, 20);
    ck_assert(fake_wait_rows("out.", 20));
    const struct evs_tap_row *rows;
    uint32_t count = evs_tap_take(tap, &rows);
    ck_assert_uint_eq(count, 20);
    for (uint32_t i = 0; i < count; i++) {
        int v = (int)(evs_cause_sequence(rows[i].cause) - 1) * 4 + (int)evs_cause_partition(rows[i].cause);
        char json[64], address[16];
        snprintf(json, sizeof json, "{\"k\":\"k%d\",\"v\":%d}", v % 10, v);
        snprintf(address, sizeof address, "out.k%d", v % 10);
        ck_assert(evs_slice_equal(rows[i].json, evs_slice_of(json)));
        ck_assert(evs_slice_equal(rows[i].address, evs_slice_of(address)));
        ck_assert_int_eq(rows[i].event_time_us, (START_MS + v) * 1000);
        ck_assert_int_eq(rows[i].cause_kind, EVS_CAUSE_RECORD);
        ck_assert_str_eq(rows[i].source, "events");
        ck_assert(rows[i].has_id && !rows[i].has_key);
        bool is_held = false;
        for (uint32_t j = 0; j < fake_world->row_count; j++) {
            const struct fake_row *row = &fake_world->rows[j];
            is_held |=
                row->id.low == rows[i].id.low && row->id.high == rows[i].id.high && strcmp(row->payload, json) == 0;
        }
        ck_assert(is_held);
    }
    ck_assert_uint_eq(evs_tap_take(tap, &rows), 0);
    evs_tap_close(tap);
    end(run, plan);
}
END_TEST

/* Results of windows: the group's key, the window's ends, no message. */
START_TEST(test_window_rows)
{
    const struct evs_plan *plan;
    struct evs_run *run = begin(&plan, 2);
    struct evs_tap *tap = open_tap(run, node_of(plan, "sums"), ROWS, NULL);
    publish(0, 40);
    publish(2000, 2040);
    ck_assert(fake_wait_rows("sums", 10));
    const struct evs_tap_row *rows;
    uint32_t count = evs_tap_take(tap, &rows);
    ck_assert_uint_eq(count, 10);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(rows[i].cause_kind, EVS_CAUSE_WINDOW);
        ck_assert_uint_eq(rows[i].cause.major, (uint64_t)START_MS * 1000);
        ck_assert_uint_eq(rows[i].cause.minor, (uint64_t)(START_MS + 1000) * 1000);
        ck_assert(rows[i].has_key && rows[i].has_id);
    }
    evs_tap_close(tap);
    end(run, plan);
}
END_TEST

/* No more than asked for between two takes; what was left out is counted, and nothing is missing at the receiver. */
START_TEST(test_bound)
{
    const struct evs_plan *plan;
    struct evs_run *run = begin(&plan, 1);
    struct evs_tap *tap = open_tap(run, node_of(plan, "events"), 5, NULL);
    publish(0, ROWS);
    ck_assert(fake_wait_rows("out.", ROWS));
    const struct evs_tap_row *rows;
    struct evs_tap_counts counts;
    ck_assert_uint_eq(evs_tap_take(tap, &rows), 5);
    evs_tap_count(tap, &counts);
    ck_assert_uint_eq(counts.kept, 5);
    ck_assert_uint_eq(counts.seen + counts.unseen, ROWS);
    ck_assert_uint_eq(counts.matched, counts.seen);
    publish(ROWS, 2 * ROWS);
    ck_assert(fake_wait_rows("out.", 2 * ROWS));
    ck_assert_uint_eq(evs_tap_take(tap, &rows), 5); /* there is room again */
    ck_assert_int_ge(rows[0].event_time_us, (START_MS + ROWS) * 1000);
    evs_tap_close(tap);
    end(run, plan);
}
END_TEST

static evs_status compile(const char *text, const struct evs_schema *schema, struct evs_arena *arena,
                          const struct evs_program **program, char *message, size_t room)
{
    struct evs_sources *texts = evs_sources_new();
    const struct evs_source_text *source = evs_sources_add(texts, "--where", evs_slice_of(text));
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(texts);
    evs_status status = evs_predicate_compile(source, "events", schema, arena, diagnostics, program);
    message[0] = '\0';
    for (uint32_t i = 0; i < evs_diagnostics_count(diagnostics); i++) {
        struct evs_diag_view diag = evs_diagnostics_at(diagnostics, i);
        size_t used = strlen(message);
        snprintf(message + used, room - used, "%s|%s;", diag.message, diag.hint == NULL ? "" : diag.hint);
    }
    evs_diagnostics_free(diagnostics);
    evs_sources_free(texts);
    return status;
}

/* The condition is the language's: functions, casts, NULL, a row whose expression fails is none that meets it. */
START_TEST(test_where)
{
    const struct evs_plan *plan;
    struct evs_run *run = begin(&plan, 2);
    uint32_t node = node_of(plan, "events");
    struct evs_arena arena = {0};
    const struct evs_program *program;
    char message[512];
    ck_assert_int_eq(compile("k = 'k3' and 10 / (v - 13) <= 1 and starts_with(events.k, 'k')", &plan->nodes[node].schema,
                             &arena, &program, message, sizeof message),
                     EVS_OK);
    struct evs_tap *tap = open_tap(run, node, ROWS, program);
    publish(0, ROWS);
    ck_assert(fake_wait_rows("out.", ROWS));
    const struct evs_tap_row *rows;
    struct evs_tap_counts counts;
    uint32_t count = evs_tap_take(tap, &rows);
    evs_tap_count(tap, &counts);
    ck_assert_uint_eq(count, ROWS / 10 - 1); /* v = 13 divides by zero */
    ck_assert_uint_eq(counts.seen, ROWS);
    ck_assert_uint_eq(counts.matched, count);
    evs_tap_close(tap);
    ck_assert_uint_eq(fake_rows_at("dead"), 0); /* nor is it a dead letter */
    end(run, plan);
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(test_where_mistakes)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"kk = 'a'", "no column `kk` in events|;"},
        {"v", "a condition is a bool, and this is of type int64|;"},
        {"v > ", "expected an expression, found the end of the file|;"},
        {"v > 1 or", "expected an expression, found the end of the file|;"},
        {"v > 1 v", "expected the end of the expression, found `v`|;"},
        {"v > @limit", NULL},
        {"count(*) > 1", NULL},
        {"sum(v) over () > 1", NULL},
        {"k in (select k from events)", NULL},
    };
    fake_world_new(1);
    const struct evs_plan *plan = fake_compile(pipeline);
    const struct evs_schema *schema = &plan->nodes[node_of(plan, "events")].schema;
    struct evs_arena arena = {0};
    const struct evs_program *program;
    char message[512];
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        ck_assert_int_eq(compile(cases[i].text, schema, &arena, &program, message, sizeof message), EVS_E_PIPELINE);
        ck_assert_str_ne(message, "");
        if (cases[i].message != NULL) {
            ck_assert_str_eq(message, cases[i].message);
        }
    }
    evs_arena_fini(&arena);
    evs_plan_free(plan);
    fake_world_free(fake_world);
}
END_TEST

/* Taps come and go at all nodes while rows flow on several workers; every row still comes out once. */
START_TEST(test_come_and_go)
{
    const struct evs_plan *plan;
    struct evs_run *run = begin(&plan, 4);
    uint64_t seed = 42;
    struct evs_tap *taps[EVS_TAPS_MAX] = {0};
    const struct evs_tap_row *rows;
    for (int round = 0; round < 200; round++) {
        publish(round * 50, (round + 1) * 50);
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t at = (uint32_t)unit_random(&seed) % EVS_TAPS_MAX;
            if (taps[at] == NULL) {
                taps[at] = open_tap(run, (uint32_t)unit_random(&seed) % plan->node_count, 1 + at, NULL);
            } else if (unit_random(&seed) % 2 == 0) {
                evs_tap_close(taps[at]);
                taps[at] = NULL;
            } else {
                uint32_t count = evs_tap_take(taps[at], &rows);
                ck_assert_uint_le(count, 4 * (1 + at));
            }
        }
    }
    ck_assert(fake_wait_rows("out.", 200 * 50));
    for (uint32_t i = 0; i < EVS_TAPS_MAX; i++) {
        taps[i] = taps[i] == NULL ? open_tap(run, 0, 1, NULL) : taps[i];
    }
    struct evs_tap *one_more = NULL;
    struct evs_error error = {0};
    struct evs_tap_options options = {.node = 0, .rows_max = 1};
    ck_assert_int_eq(evs_run_tap_open(run, &options, &one_more, &error), EVS_E_LIMIT);
    for (uint32_t i = 0; i < EVS_TAPS_MAX; i++) {
        evs_tap_close(taps[i]);
    }
    ck_assert_uint_eq(fake_rows_at("out."), 200 * 50);
    end(run, plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tap");
    TCase *rows = tcase_create("rows");
    tcase_set_timeout(rows, 120);
    tcase_add_loop_test(rows, test_sink_rows, 0, 3);
    tcase_add_test(rows, test_window_rows);
    tcase_add_test(rows, test_bound);
    tcase_add_test(rows, test_where);
    tcase_add_test(rows, test_where_mistakes);
    tcase_add_test(rows, test_come_and_go);
    suite_add_tcase(suite, rows);
    return unit_run(suite);
}
