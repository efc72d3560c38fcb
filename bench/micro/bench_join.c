/* Nanoseconds a row and bytes kept of the joins: `bench_join [text]`, those whose names have the text. A million rows on each side, a millisecond apart, in batches of 1024 that alternate, with a
 * watermark behind each pair of batches; one worker, processor time. The making of the batches is not counted. The program is the runtime: it defines what
 * operators may ask, and drops what they emit. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "micro_op.h"
#include "op_join.h"
#include "op_version_join.h"

#define ROWS 1000000u
#define MINUTE_US INT64_C(60000000)

static const char *filter;

enum { USER, ID, TEXT, COLUMNS };
static struct evs_field fields[2 * COLUMNS];

/* --- rows ---------------------------------------------------------------------------------------------------------------------------- */

static struct evs_batch *make_batch(struct evs_op *op, uint32_t side, uint32_t first, uint32_t users)
{
    static const char text[] = "a text of thirty-six bytes in each row";
    uint32_t count = ROWS - first < EVS_BATCH_ROWS ? ROWS - first : EVS_BATCH_ROWS;
    struct evs_batch *batch = evs_batch_new(op->pool, COLUMNS);
    evs_batch_init_rows(batch, count);
    batch->row_count = batch->selected_count = count;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        evs_column_init(&batch->columns[i], batch, op->input.fields[i].type->kind, count, false);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = first + i;
        batch->event_time_us[i] = (int64_t)number * 1000;
        batch->cause[i] = evs_cause_record(side, number + 1, 0);
        ((int64_t *)batch->columns[USER].data)[i] = (int64_t)((number * UINT64_C(2654435761) + side * 7) % users);
        ((int64_t *)batch->columns[ID].data)[i] = (int64_t)number;
        ((struct evs_str *)batch->columns[TEXT].data)[i] = evs_str_make(text, 36);
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

static void feed(const struct evs_operator *operator_, struct evs_op *op, void *state, uint32_t side,
                 struct evs_batch *batch)
{
    while (operator_->process(op, state, side, batch) == EVS_MORE) {
    }
    evs_batch_unref(batch);
}

static void run(const char *name, const struct evs_operator *operator_, const void *config, uint32_t users,
                uint32_t columns)
{
    if (filter != NULL && strstr(name, filter) == NULL) {
        return;
    }
    struct evs_op op = {
        .config = config, .wants_key = true, .watermark_us = EVS_TIME_MIN, .pool = evs_batch_pool_new()};
    op.input = (struct evs_schema){COLUMNS, fields};
    op.output = (struct evs_schema){columns, fields};
    size_t bytes = (operator_->state_bytes + 127u) & ~(size_t)63;
    void *state = evs_alloc_aligned(64, bytes);
    memset(state, 0, bytes);
    evs_status status = operator_->open(&op, state, NULL);
    EVS_ASSERT(status == EVS_OK);
    double spent_ns = 0;
    int64_t most = 0, most_keys = 0;
    for (uint32_t first = 0; first < ROWS; first += EVS_BATCH_ROWS) {
        struct evs_batch *left = make_batch(&op, 0, first, users), *right = make_batch(&op, 1, first, users);
        int64_t watermark_us = left->max_time_us;
        double began = now_ns();
        feed(operator_, &op, state, 0, left);
        feed(operator_, &op, state, 1, right);
        while (operator_->watermark(&op, state, watermark_us) == EVS_MORE) {
        }
        op.watermark_us = watermark_us;
        spent_ns += now_ns() - began;
        most = op.counters[EVS_COUNT_STATE_BYTES] > most ? op.counters[EVS_COUNT_STATE_BYTES] : most;
        most_keys = op.counters[EVS_COUNT_STATE_KEYS] > most_keys ? op.counters[EVS_COUNT_STATE_KEYS] : most_keys;
    }
    printf("%-32s %8.1f ns a row  %8.0f k rows/s  %9llu results  %6.1f MiB at most, %lld keys\n", name,
           spent_ns / (2.0 * ROWS), 2e6 * ROWS / spent_ns, (unsigned long long)op.emitted, (double)most / 1048576,
           (long long)most_keys);
    operator_->close(&op, state);
    evs_free(state);
    evs_batch_pool_free(op.pool);
}

int main(int count, char **arguments)
{
    filter = count > 1 ? arguments[1] : NULL;
    static const uint32_t kept[COLUMNS] = {USER, ID, TEXT}, items[4] = {0, 1, 4, 5}, values[1] = {ID};
    struct evs_join_config config = {.matches_max = UINT32_MAX, .upper_us = MINUTE_US, .items = items};
    for (uint32_t i = 0; i < 2 * COLUMNS; i++) {
        fields[i] = (struct evs_field){"column", evs_type_of(i % COLUMNS == TEXT ? EVS_STRING : EVS_INT64), true};
    }
    config.pair_schema = (struct evs_schema){2 * COLUMNS, fields};
    for (uint32_t i = 0; i < 2; i++) {
        config.sides[i] = (struct evs_join_side){.columns = kept, .column_count = COLUMNS, .key_count = 1};
    }
    run("inner, 100,000 keys, 1 minute", &evs_op_join, &config, 100000, 4);
    run("inner, 20,000 keys, 3 matches", &evs_op_join, &config, 20000, 4);
    config.lower_us = -60 * MINUTE_US;
    config.upper_us = 60 * MINUTE_US;
    run("inner, all rows of both sides kept", &evs_op_join, &config, ROWS, 4);
    config.lower_us = 0;
    config.upper_us = MINUTE_US;
    config.sides[0].pads = true;
    run("left, 100,000 keys, 1 minute", &evs_op_join, &config, 100000, 4);
    config.result = EVS_JOIN_GIVES_NONE;
    run("anti, 100,000 keys, 1 minute", &evs_op_join, &config, 100000, 2);
    config.sides[0].pads = false;
    config.result = EVS_JOIN_GIVES_FIRST;
    run("semi, 20,000 keys, 1 minute", &evs_op_join, &config, 20000, 2);
    config.sides[0].pads = true;
    struct evs_version_join_config versions = {config, values, 1};
    evs_version_bounds(&versions, 10 * MINUTE_US);
    run("table, 100,000 keys, 10 minutes", &evs_op_version_join, &versions, 100000, 4);
    return 0;
}
