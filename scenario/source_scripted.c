/* Scripted sources: what a test gives, step by step (scenario.h). */
#include "scenario.h"

struct evs_scripted {
    struct evs_scenario *scenario;
    const char *name;
    struct evs_park *park;
    uint32_t step;     /* the last one that it has begun + 1 */
    uint32_t next_row; /* of that step */
    uint32_t through;  /* the last step what it gave of is through + 1 */
    uint64_t sequence; /* of the last message */
};

static evs_status scripted_configure(const struct evs_option_value *values, struct evs_arena *arena,
                                     const void **config, struct evs_error *error)
{
    (void)values, (void)arena, (void)error;
    *config = NULL;
    return EVS_OK;
}

static evs_status scripted_open(const struct evs_source_open *open, void **instance, struct evs_error *error)
{
    struct evs_scenario *scenario = evs_scenario_of(open->os);
    EVS_ASSERT(open->worker_count == 1);
    if (scenario->source_count == EVS_SCENARIO_SOURCES_MAX) {
        return evs_fail(error, EVS_E_LIMIT, "A test runs pipelines with at most %u sources.", EVS_SCENARIO_SOURCES_MAX);
    }
    struct evs_scripted *source = evs_alloc_zero(sizeof *source);
    source->scenario = scenario;
    source->name = open->name;
    source->park = open->park;
    scenario->sources[scenario->source_count++] = source;
    *instance = source;
    return EVS_OK;
}

/* --- the cursor ---------------------------------------------------------------------------------------------------------- */

static bool is_open(const struct evs_scenario *scenario, const char *name)
{
    for (uint32_t i = 0; i < scenario->source_count; i++) {
        if (strcmp(scenario->sources[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Every source has given its watermark, and has been polled since. */
static bool all_are_through(const struct evs_scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->source_count; i++) {
        if (scenario->sources[i]->through <= scenario->cursor) {
            return false;
        }
    }
    return true;
}

/* Whether the step under way is over: this source is being polled, so everything that it gave is through. */
static bool is_over(const struct evs_scripted *source, const struct evs_test_step *step)
{
    const struct evs_scenario *scenario = source->scenario;
    bool has_begun = source->step > scenario->cursor;
    switch (step->kind) {
    case EVS_TEST_ROWS:
        if (step->is_table || !is_open(scenario, step->name)) {
            return true; /* no query reads it, or move_on has given it */
        }
        return strcmp(step->name, source->name) == 0 && has_begun && source->next_row == step->row_count;
    case EVS_TEST_TIME:
        return all_are_through(scenario);
    case EVS_TEST_INPUT_END:
        return false;
    case EVS_TEST_EXPECTATION:
        return true;
    }
    return true;
}

void evs_scenario_wake_sources(const struct evs_scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->source_count; i++) {
        scenario->os.threads.wake(scenario->sources[i]->park);
    }
}

/* Moves the cursor on and wakes everybody: the next step may be another source's. */
static void move_on(struct evs_scenario *scenario)
{
    const struct evs_test_step *over = &scenario->test->steps[scenario->cursor];
    if (over->kind == EVS_TEST_ROWS && over->is_table) {
        evs_scenario_put_rows(scenario, over);
    }
    scenario->cursor++;
    evs_scenario_wake_sources(scenario);
}

/* The step under way; NULL behind the last one. */
static const struct evs_test_step *current_step(struct evs_scripted *source)
{
    struct evs_scenario *scenario = source->scenario;
    const struct evs_test *test = scenario->test;
    while (scenario->cursor < test->step_count && is_over(source, &test->steps[scenario->cursor])) {
        move_on(scenario);
    }
    return scenario->cursor < test->step_count ? &test->steps[scenario->cursor] : NULL;
}

/* --- polling ------------------------------------------------------------------------------------------------------------- */

static void begin(struct evs_scripted *source)
{
    if (source->step <= source->scenario->cursor) {
        source->step = source->scenario->cursor + 1;
        source->next_row = 0;
    }
}

static struct evs_message new_message(struct evs_scripted *source)
{
    return (struct evs_message){.sequence = ++source->sequence, .ingested_at_us = INT64_MIN, .last_of_position = true};
}

static uint32_t give_rows(struct evs_scripted *source, const struct evs_test_step *step, struct evs_message *messages,
                          uint32_t max)
{
    uint32_t count = 0;
    begin(source);
    for (; source->next_row < step->row_count && count < max; count++) {
        messages[count] = new_message(source);
        messages[count].payload = step->rows[source->next_row++];
    }
    return count;
}

static uint32_t give_time(struct evs_scripted *source, const struct evs_test_step *step, struct evs_message *messages)
{
    if (source->step > source->scenario->cursor) {
        return 0;
    }
    begin(source);
    source->scenario->clock_us = step->time_us;
    messages[0] = new_message(source);
    messages[0].has_watermark = true;
    messages[0].watermark_us = step->time_us;
    return 1;
}

static evs_status scripted_poll(void *instance, struct evs_message *messages, uint32_t max, uint32_t *count,
                                struct evs_error *error)
{
    struct evs_scripted *source = instance;
    (void)error;
    *count = 0;
    if (!evs_scenario_is_at_rest(source->scenario)) {
        return EVS_AGAIN;
    }
    source->through = source->step; /* polled again: all is through */
    const struct evs_test_step *step = current_step(source);
    if (step == NULL || step->kind == EVS_TEST_INPUT_END) {
        return EVS_END;
    }
    if (step->kind == EVS_TEST_TIME) {
        *count = give_time(source, step, messages);
    } else if (strcmp(step->name, source->name) == 0) {
        *count = give_rows(source, step, messages, max);
    }
    if (*count == 0) {
        return EVS_AGAIN;
    }
    evs_scenario_disturb(source->scenario);
    return EVS_OK;
}

static void scripted_state(void *instance, struct evs_source_state *state)
{
    (void)instance;
    *state = (struct evs_source_state){.partition_count = 1}; /* never caught up: only the test moves time */
}

static void scripted_close(void *instance)
{
    evs_free(instance);
}

static const struct evs_option no_options[] = {{.name = "test", .kind = EVS_OPTION_STRING}, {0}};

#define SCRIPTED(is_bounded)                                                                                           \
    {                                                                                                                  \
        .kind = (is_bounded) ? "scripted_bounded" : "scripted", .bounded = (is_bounded), .options = no_options,        \
        .configure = scripted_configure, .open = scripted_open, .poll = scripted_poll, .state = scripted_state,        \
        .close = scripted_close,                                                                                       \
    }

const struct evs_source evs_source_scripted = SCRIPTED(false);
const struct evs_source evs_source_scripted_bounded = SCRIPTED(true);
