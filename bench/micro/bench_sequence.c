/* Nanoseconds a row and bytes an attempt of sequences: a million users view something, then each buys, half of them something else. With every view
 * there is one more attempt open, and every purchase is held against its view. One worker, processor time, a watermark behind each batch of 1024.
 * `alone`: the conditions look at the row alone; `earlier`: the purchase's looks at the view, too. The program is the runtime, and drops what is emitted. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "micro_op.h"
#include "op_sequence.h"

#define USERS 1000000u
#define ROWS (2 * USERS)
#define HOUR_US INT64_C(3600000000)

enum { USER, TYPE, SKU, COLUMNS };
static struct evs_field fields[COLUMNS];

/* --- the sequence ---------------------------------------------------------------------------------------------------------------------- */

static const struct evs_expr *equal(struct evs_arena *arena, const struct evs_expr *a, const struct evs_expr *b)
{
    const struct evs_expr *arguments[2] = {a, b}, *result = NULL;
    struct evs_error error;
    if (evs_expr_call(arena, EVS_SLICE("="), false, arguments, 2, (struct evs_place){0}, &result, &error) != EVS_OK) {
        fprintf(stderr, "%s\n", error.text);
    }
    return result;
}

static const struct evs_expr *column(struct evs_arena *arena, uint32_t number)
{
    return evs_expr_column(arena, number, &fields[0], (struct evs_place){0});
}

static const struct evs_program *compile(struct evs_arena *arena, const struct evs_expr **exprs, uint32_t count)
{
    const struct evs_program *program = NULL;
    struct evs_error error;
    if (evs_program_compile(arena, exprs, count, &program, &error) != EVS_OK) {
        fprintf(stderr, "%s\n", error.text);
    }
    return program;
}

static struct evs_measure measure_of(enum evs_measure_kind kind, uint32_t part, uint32_t kept)
{
    return (struct evs_measure){.kind = kind, .part = part, .column = kept, .type = evs_type_of(EVS_INT64)};
}

/* view then buy [and buy.sku = view.sku] within 1 hour, select user, view.sku */
static struct evs_sequence_config *make_config(struct evs_arena *arena, bool looks_back)
{
    static const uint32_t kept[2] = {USER, SKU};
    static const struct evs_sequence_step steps[2] = {
        {.condition = 0, .min = 1, .max = 1, .within_us = EVS_SEQUENCE_NEVER},
        {.condition = 1, .min = 1, .max = 1, .within_us = HOUR_US},
    };
    const struct evs_expr *types[2];
    for (int64_t i = 0; i < 2; i++) {
        struct evs_value value = {.kind = EVS_INT64, .int64 = i};
        types[i] = equal(arena, column(arena, TYPE), evs_expr_constant(arena, value, (struct evs_place){0}));
    }
    struct evs_sequence_condition *conditions = EVS_ARENA_ARRAY(arena, struct evs_sequence_condition, 2);
    if (looks_back) {
        const struct evs_expr *same = equal(arena, column(arena, 0), column(arena, 1));
        struct evs_measure *inputs = EVS_ARENA_ARRAY(arena, struct evs_measure, 2);
        inputs[0] = measure_of(EVS_MEASURE_CURRENT, 0, 1);
        inputs[1] = measure_of(EVS_MEASURE_LAST, 0, 1);
        conditions[1] = (struct evs_sequence_condition){compile(arena, &same, 1), inputs, {2, fields}};
    }
    struct evs_measure *measures = EVS_ARENA_ARRAY(arena, struct evs_measure, 2);
    measures[0] = measure_of(EVS_MEASURE_KEY, 0, 0);
    measures[1] = measure_of(EVS_MEASURE_LAST, 0, 1);
    struct evs_sequence_config *config = EVS_ARENA_NEW(arena, struct evs_sequence_config);
    *config = (struct evs_sequence_config){
        .rows = {.columns = kept, .column_count = 2, .key_count = 1, .condition_count = 2},
        .conditions = conditions,
        .steps = steps,
        .step_count = 2,
        .within_us = EVS_SEQUENCE_NEVER,
        .attempts_max = 100,
        .rows_max = 1000,
        .measures = measures,
        .measure_count = 2,
    };
    config->rows.conditions = compile(arena, types, 2);
    return config;
}

static struct evs_batch *make_batch(struct evs_op *op, uint32_t first)
{
    uint32_t count = ROWS - first < EVS_BATCH_ROWS ? ROWS - first : EVS_BATCH_ROWS;
    struct evs_batch *batch = evs_batch_new(op->pool, COLUMNS);
    evs_batch_init_rows(batch, count);
    batch->row_count = batch->selected_count = count;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        evs_column_init(&batch->columns[i], batch, EVS_INT64, count, false);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = first + i, user = number % USERS;
        batch->event_time_us[i] = (int64_t)number * 1000;
        batch->cause[i] = evs_cause_record(0, number + 1, 0);
        ((int64_t *)batch->columns[USER].data)[i] = (int64_t)((user * UINT64_C(2654435761)) % UINT64_C(4294967291));
        ((int64_t *)batch->columns[TYPE].data)[i] = number >= USERS;
        ((int64_t *)batch->columns[SKU].data)[i] = user % 100 + (number >= USERS && user % 2 == 1);
    }
    batch->min_time_us = batch->event_time_us[0];
    batch->max_time_us = batch->event_time_us[count - 1];
    return batch;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double feed(struct evs_op *op, void *state, uint32_t from, uint32_t to)
{
    double spent = 0;
    for (uint32_t first = from; first < to; first += EVS_BATCH_ROWS) {
        struct evs_batch *batch = make_batch(op, first);
        int64_t watermark_us = batch->max_time_us;
        double start = now_ns();
        evs_status status = evs_op_sequence.process(op, state, 0, batch);
        for (status = EVS_MORE; status == EVS_MORE;) {
            status = evs_op_sequence.watermark(op, state, watermark_us);
        }
        spent += now_ns() - start;
        op->watermark_us = watermark_us;
        evs_batch_unref(batch);
    }
    return spent / (to - from);
}

static void run(const char *name, bool looks_back)
{
    struct evs_arena arena = {0};
    struct evs_op op = {.config = make_config(&arena, looks_back),
                        .wants_key = true,
                        .is_durable = true,
                        .input = {COLUMNS, fields},
                        .output = {2, fields},
                        .pool = evs_batch_pool_new(),
                        .watermark_us = EVS_TIME_MIN};
    void *state = evs_alloc_aligned(64, evs_op_sequence.state_bytes);
    memset(state, 0, evs_op_sequence.state_bytes);
    uint32_t half = USERS / EVS_BATCH_ROWS * EVS_BATCH_ROWS;
    if (evs_op_sequence.open(&op, state, NULL) == EVS_OK) {
        double views = feed(&op, state, 0, half);
        double bytes = (double)op.counters[EVS_COUNT_STATE_BYTES] / half;
        double buys = feed(&op, state, half, ROWS);
        printf("%-8s view %4.0f ns, purchase %4.0f ns, %4.0f bytes an open attempt, %llu matches\n", name, views, buys,
               bytes, (unsigned long long)op.emitted);
    }
    evs_op_sequence.close(&op, state);
    evs_free(state);
    evs_batch_pool_free(op.pool);
    evs_arena_fini(&arena);
}

int main(void)
{
    for (uint32_t i = 0; i < COLUMNS; i++) {
        fields[i] = (struct evs_field){.name = "column", .type = evs_type_of(EVS_INT64), .nullable = true};
    }
    run("alone", false);
    run("earlier", true);
    return 0;
}
