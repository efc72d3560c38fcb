/* Running one test (scenario.h). */
#include "scenario.h"

#include "format_json.h"

#define OUTBOX_BYTES_MAX (UINT64_C(1) << 30)
#define CHECKPOINT_INTERVAL_US (INT64_C(3600) * 1000000)

static int64_t standing_clock(void *self)
{
    const struct evs_scenario *scenario = self;
    return scenario->clock_us;
}

static void init(struct evs_scenario *scenario, const struct evs_test *test)
{
    *scenario = (struct evs_scenario){.os = *evs_os_system(), .test = test};
    /* The other clocks are only asked for how long something takes; `self` of the system's is not used. */
    scenario->os.clock.wall_us = standing_clock;
    scenario->os.clock.self = scenario;
}

static void fini(struct evs_scenario *scenario)
{
    evs_free(scenario->captured);
    evs_buffer_fini(&scenario->complaints);
    evs_arena_fini(&scenario->arena);
}

/* --- what came out --------------------------------------------------------------------------------------------------------- */

static const struct evs_schema *schema_of(const struct evs_plan *plan, const char *sink)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].kind == EVS_NODE_SINK && strcmp(plan->nodes[i].name, sink) == 0) {
            return &plan->nodes[i].schema;
        }
    }
    return NULL;
}

/* The step behind the last expectation of the same sink before this one. */
static uint32_t begin_of(const struct evs_test *test, uint32_t expectation)
{
    for (uint32_t i = expectation; i-- > 0;) {
        bool is_same = test->steps[i].kind == EVS_TEST_EXPECTATION &&
                       strcmp(test->steps[i].name, test->steps[expectation].name) == 0;
        if (is_same) {
            return i;
        }
    }
    return 0;
}

static void check_expectation(struct evs_scenario *scenario, const struct evs_plan *plan, uint32_t number,
                              struct evs_buffer *out)
{
    const struct evs_test_step *step = &scenario->test->steps[number];
    uint32_t begin = begin_of(scenario->test, number), count = 0;
    struct evs_slice *rows = EVS_ARENA_ARRAY(&scenario->arena, struct evs_slice, scenario->captured_count + 1);
    for (uint32_t i = 0; i < scenario->captured_count; i++) {
        const struct evs_captured *captured = &scenario->captured[i];
        if (captured->step >= begin && captured->step < number && strcmp(captured->sink, step->name) == 0) {
            rows[count++] = captured->row;
        }
    }
    struct evs_expectation expectation = {schema_of(plan, step->name), step, rows, count};
    struct evs_buffer differences = {0};
    evs_scenario_compare(&expectation, &differences);
    if (differences.count > 0) {
        evs_buffer_printf(out, "  %s:%u: expect %s\n", step->place.file, step->place.line, step->name);
        evs_buffer_put(out, differences.data, differences.count);
    }
    evs_buffer_fini(&differences);
}

static evs_status run(struct evs_scenario *scenario, const struct evs_plan *plan, struct evs_log *log,
                      struct evs_run_summary *summary, struct evs_error *error)
{
    const struct evs_run_options options = {
        .os = &scenario->os,
        .log = log,
        .worker_count = 1,
        .batch_rows = EVS_BATCH_ROWS,
        .checkpoint_interval_us = CHECKPOINT_INTERVAL_US,
        .at_end_stop = !scenario->test->has_end,
        .row_format = &evs_format_json,
        .outbox_bytes_max = OUTBOX_BYTES_MAX,
    };
    struct evs_run *running = NULL;
    evs_status status = evs_run_start(plan, &options, &running, error);
    if (status != EVS_OK) {
        return status;
    }
    status = evs_run_wait(running, summary, error);
    evs_run_free(running);
    return status;
}

evs_status evs_scenario_run(const struct evs_plan *plan, const struct evs_test *test, struct evs_log *log,
                            struct evs_scenario_report *report, struct evs_error *error)
{
    struct evs_scenario scenario;
    struct evs_run_summary summary;
    init(&scenario, test);
    evs_status status = run(&scenario, plan, log, &summary, error);
    if (status == EVS_OK) {
        evs_buffer_put(&report->text, scenario.complaints.count > 0 ? scenario.complaints.data : "",
                       scenario.complaints.count);
        for (uint32_t i = 0; i < test->step_count; i++) {
            if (test->steps[i].kind == EVS_TEST_EXPECTATION) {
                check_expectation(&scenario, plan, i, &report->text);
            }
        }
        report->dead_rows = summary.totals.dead;
    }
    fini(&scenario);
    return status;
}
