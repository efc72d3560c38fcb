/* Captured sinks: rows as JSON, each with the step that was under way (scenario.h). */
#include "scenario.h"

struct captured_sink {
    struct evs_scenario *scenario;
    const char *name;
    uint64_t bytes;
};

static evs_status captured_configure(const struct evs_option_value *values, struct evs_arena *arena,
                                     const void **config, struct evs_error *error)
{
    (void)values, (void)arena, (void)error;
    *config = NULL;
    return EVS_OK;
}

static evs_status captured_open(const struct evs_sink_open *open, void **instance, struct evs_error *error)
{
    struct captured_sink *sink = evs_alloc_zero(sizeof *sink);
    (void)error;
    sink->scenario = evs_scenario_of(open->os);
    sink->name = open->name;
    *instance = sink;
    return EVS_OK;
}

static void capture(struct captured_sink *sink, struct evs_slice line)
{
    struct evs_scenario *scenario = sink->scenario;
    char *copy = evs_arena_zero(&scenario->arena, line.count + EVS_PADDING, 1);
    memcpy(copy, line.data, line.count);
    EVS_GROW(scenario->captured, scenario->captured_count, scenario->captured_capacity);
    scenario->captured[scenario->captured_count++] =
        (struct evs_captured){.sink = sink->name, .step = scenario->cursor, .row = {copy, line.count}};
}

static evs_status captured_append(void *instance, struct evs_slice bytes, struct evs_error *error)
{
    struct captured_sink *sink = instance;
    (void)error;
    sink->bytes += bytes.count;
    while (bytes.count > 0) { /* whole lines */
        const char *end = memchr(bytes.data, '\n', bytes.count);
        EVS_ASSERT(end != NULL);
        size_t count = (size_t)(end - bytes.data);
        capture(sink, (struct evs_slice){bytes.data, count});
        bytes = (struct evs_slice){end + 1, bytes.count - count - 1};
    }
    return EVS_OK;
}

static evs_status captured_flush(void *instance, bool sync, uint64_t *offset, struct evs_error *error)
{
    const struct captured_sink *sink = instance;
    (void)sync, (void)error;
    *offset = sink->bytes;
    return EVS_OK;
}

static void captured_close(void *instance)
{
    evs_free(instance);
}

static const struct evs_option no_options[] = {{.name = "test", .kind = EVS_OPTION_STRING}, {0}};

const struct evs_sink evs_sink_captured = {
    .kind = "captured",
    .shape = EVS_SINK_BYTES,
    .single = true,
    .options = no_options,
    .configure = captured_configure,
    .open = captured_open,
    .append = captured_append,
    .flush = captured_flush,
    .close = captured_close,
};
