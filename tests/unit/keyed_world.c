#include "keyed_world.h"

static const char *const texts[] = {"ann", "bob", "a key longer than twelve bytes", ""};

static int64_t below(struct world *world, int64_t limit)
{
    return (int64_t)(unit_random(&world->seed) % (uint64_t)limit);
}

static struct evs_value integer(enum evs_kind kind, int64_t value)
{
    return (struct evs_value){.kind = kind, .int64 = value};
}

static void make_row(struct world *world, uint32_t number, int64_t *watermarks, int64_t span_us)
{
    struct op_row *row = &world->rows[number];
    uint32_t partition = (uint32_t)below(world, world->partition_count);
    uint64_t key = (uint64_t)below(world, 12);
    int64_t time_us = (int64_t)number * span_us / world->row_count - 20 + below(world, 16); /* before 1970, too */
    *row = (struct op_row){.time_us = time_us, .watermark_us = watermarks[partition]};
    row->cause = evs_cause_record(partition, number / 3 + 1, number % 3);
    row->identity = (struct evs_hash128){number % 3 * 7 + 1, 5};
    const char *text = texts[key % EVS_COUNT(texts)];
    row->values[WORLD_KEY] =
        (struct evs_value){.kind = EVS_STRING, .is_null = key == 11, .str = evs_str_make(text, (uint32_t)strlen(text))};
    row->values[WORLD_NUMBER] = integer(EVS_INT64, below(world, 5));
    row->values[WORLD_NUMBER].is_null = below(world, 8) == 0;
    row->values[WORLD_UNTIL] = integer(EVS_TIMESTAMP, time_us - 5 + below(world, 30));
    row->values[WORLD_UNTIL].is_null = below(world, 10) == 0;
    int64_t rest = ((time_us % WORLD_WINDOW) + WORLD_WINDOW) % WORLD_WINDOW;
    row->values[WORLD_START] = integer(EVS_TIMESTAMP, time_us - rest);
    row->values[WORLD_END] = integer(EVS_TIMESTAMP, time_us - rest + WORLD_WINDOW);
    int64_t moved_us = time_us - (int64_t)partition * 3; /* each partition lags by its own delay */
    watermarks[partition] = moved_us > watermarks[partition] ? moved_us : watermarks[partition];
}

void world_make(struct world *world, uint64_t seed)
{
    static const struct {
        const char *name;
        enum evs_kind kind;
    } columns[WORLD_COLUMNS] = {{"k", EVS_STRING},
                                {"n", EVS_INT64},
                                {"until", EVS_TIMESTAMP},
                                {"window_start", EVS_TIMESTAMP},
                                {"window_end", EVS_TIMESTAMP}};
    int64_t watermarks[WORLD_PARTITIONS_MAX] = {EVS_TIME_MIN, EVS_TIME_MIN, EVS_TIME_MIN};
    *world = (struct world){.seed = seed};
    world->row_count = 1 + (uint32_t)below(world, WORLD_ROWS_MAX);
    world->partition_count = 1 + (uint32_t)below(world, WORLD_PARTITIONS_MAX);
    int64_t span_us = 10 + below(world, 100);
    for (uint32_t i = 0; i < world->row_count; i++) {
        make_row(world, i, watermarks, span_us);
        memcpy(world->partition_watermark_us[i], watermarks, sizeof watermarks);
    }
    for (uint32_t i = 0; i < OP_CASE_COLUMNS_MAX; i++) {
        bool is_input = i < WORLD_COLUMNS;
        world->fields[i] = (struct evs_field){.name = is_input ? columns[i].name : "number",
                                              .type = evs_type_of(is_input ? columns[i].kind : EVS_INT64),
                                              .nullable = true};
    }
    world->made.input = world->made.output = (struct evs_schema){WORLD_COLUMNS, world->fields};
    world->made.seed = &world->seed;
    world->made.wants_key = below(world, 2) == 0;
    world->made.has_identity = world->made.wants_key && below(world, 2) == 0;
}

void world_add_output(struct world *world)
{
    EVS_ASSERT(world->made.output.count < OP_CASE_COLUMNS_MAX);
    world->made.output.count++;
}

static int64_t least_watermark(const struct world *world, uint32_t row)
{
    int64_t least_us = EVS_TIME_MAX;
    for (uint32_t i = 0; i < world->partition_count; i++) {
        int64_t own_us = world->partition_watermark_us[row][i];
        least_us = own_us < least_us ? own_us : least_us;
    }
    return least_us;
}

void world_run(struct world *world)
{
    op_case_begin(&world->made, 1 + (uint32_t)below(world, OP_CASE_WORKERS_MAX));
    for (uint32_t first = 0, count = 0; first < world->row_count; first += count) {
        uint32_t left = world->row_count - first;
        count = 1 + (uint32_t)below(world, 9);
        count = count < left ? count : left;
        op_case_feed(&world->made, &world->rows[first], count);
        if (below(world, 3) > 0) {
            op_case_watermark(&world->made, least_watermark(world, first + count - 1));
        }
        if (world->made.operator_->snapshot != NULL && below(world, 4) == 0) {
            op_case_cut(&world->made, 1 + (uint32_t)below(world, OP_CASE_WORKERS_MAX), below(world, 3) == 0);
        }
    }
    world->last_watermark_us = world->made.watermark_us;
    op_case_watermark(&world->made, EVS_TIME_MAX);
}

void world_check(struct world *world, uint32_t output, struct op_lines *expected, bool in_order)
{
    char what[64];
    snprintf(what, sizeof what, "output %u", output);
    if (!in_order) {
        op_lines_sort(&world->made.outputs[output]);
        op_lines_sort(expected);
    }
    op_lines_check(&world->made.outputs[output], expected, what);
    op_lines_clear(expected);
}

int world_key(const struct op_row *row)
{
    for (int i = 0; !row->values[WORLD_KEY].is_null && i < (int)EVS_COUNT(texts); i++) {
        struct evs_slice text = evs_str_slice(&row->values[WORLD_KEY].str);
        if (evs_slice_equal(text, evs_slice_of(texts[i]))) {
            return i;
        }
    }
    return -1;
}

int world_compare(const struct op_row *a, const struct op_row *b)
{
    if (a->time_us != b->time_us) {
        return a->time_us < b->time_us ? -1 : 1;
    }
    if (a->cause.major != b->cause.major) {
        return a->cause.major < b->cause.major ? -1 : 1;
    }
    return (a->cause.minor > b->cause.minor) - (a->cause.minor < b->cause.minor);
}
