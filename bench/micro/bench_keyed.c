/* Nanoseconds a row and bytes a key of the operators that decide row by row: `bench_keyed [FILTER]` prints a line for each whose name holds FILTER.
 * A million rows in batches of 1024, a millisecond apart, with a watermark behind each batch; of one worker, and processor time. The program is the
 * runtime: it defines what operators may ask, and drops what they emit. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "micro_op.h"
#include "op_deduplicate.h"
#include "op_hold.h"
#include "op_over.h"
#include "op_sample.h"
#include "op_throttle.h"
#include "op_top.h"

#define ROWS 1000000u
#define HOUR_US INT64_C(3600000000)

static const char *filter; /* only cases whose name has it */

enum { ID, USER, PRICE, UNTIL, START, END, COLUMNS };
static const struct evs_field *fields_of(void)
{
    static struct evs_field fields[COLUMNS + 1];
    static const enum evs_kind kinds[COLUMNS + 1] = {EVS_STRING,    EVS_INT64,     EVS_INT64, EVS_TIMESTAMP,
                                                     EVS_TIMESTAMP, EVS_TIMESTAMP, EVS_INT64};
    for (uint32_t i = 0; i <= COLUMNS; i++) {
        fields[i] = (struct evs_field){.name = "column", .type = evs_type_of(kinds[i]), .nullable = true};
    }
    return fields;
}

/* --- rows ---------------------------------------------------------------------------------------------------------------------------- */

/* Not inlined: the compiler would warn of the branch for short texts, which these never take. */
static __attribute__((noinline)) struct evs_str keep_text(struct evs_arena *arena, const char *text, uint32_t count)
{
    return evs_str_make(evs_arena_copy(arena, text, count), count);
}

static struct evs_batch *make_batch(struct evs_op *op, uint32_t first, uint32_t users)
{
    struct evs_batch *batch = evs_batch_new(op->pool, COLUMNS);
    uint32_t count = ROWS - first < EVS_BATCH_ROWS ? ROWS - first : EVS_BATCH_ROWS;
    evs_batch_init_rows(batch, count);
    batch->row_count = batch->selected_count = count;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        evs_column_init(&batch->columns[i], batch, op->input.fields[i].type->kind, count, false);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = first + i;
        int64_t time_us = (int64_t)number * 1000;
        char text[64];
        uint32_t length = (uint32_t)snprintf(text, sizeof text, "0190c5a2-7b1d-7c3e-9f10-%012u", number);
        batch->event_time_us[i] = time_us;
        batch->cause[i] = evs_cause_record(0, number + 1, 0);
        ((struct evs_str *)batch->columns[ID].data)[i] = keep_text(batch->arena, text, length);
        int64_t *user = batch->columns[USER].data, *price = batch->columns[PRICE].data;
        int64_t *until = batch->columns[UNTIL].data, *start = batch->columns[START].data;
        int64_t *end = batch->columns[END].data;
        user[i] = (int64_t)((number * UINT64_C(2654435761)) % users);
        price[i] = (int64_t)((number * UINT64_C(40503)) % 1000);
        until[i] = time_us + HOUR_US;
        start[i] = time_us / 60000000 * 60000000;
        end[i] = start[i] + 60000000;
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

static void work(const struct evs_operator *operator_, struct evs_op *op, void *state, int64_t watermark_us)
{
    evs_status status = operator_->watermark == NULL ? EVS_OK : EVS_MORE;
    while (status == EVS_MORE) {
        status = operator_->watermark(op, state, watermark_us);
    }
    op->watermark_us = watermark_us;
}

static void run(const char *name, const struct evs_operator *operator_, const void *config, uint32_t users,
                uint32_t own_columns)
{
    if (strstr(name, filter) == NULL) {
        return;
    }
    struct evs_op op = {
        .config = config, .is_durable = true, .watermark_us = EVS_TIME_MIN, .pool = evs_batch_pool_new()};
    op.input = (struct evs_schema){COLUMNS, fields_of()};
    op.output = (struct evs_schema){COLUMNS + own_columns, fields_of()};
    size_t bytes = (operator_->state_bytes + 127u) & ~(size_t)63;
    void *state = evs_alloc_aligned(64, bytes);
    memset(state, 0, bytes);
    evs_status status = operator_->open != NULL ? operator_->open(&op, state, NULL) : EVS_OK;
    double spent = 0;
    int64_t most_bytes = 0, most_keys = 1;
    for (uint32_t first = 0; status == EVS_OK && first < ROWS; first += EVS_BATCH_ROWS) {
        struct evs_batch *batch = make_batch(&op, first, users);
        double start = now_ns();
        status = operator_->process(&op, state, 0, batch);
        work(operator_, &op, state, batch->max_time_us);
        spent += now_ns() - start;
        evs_batch_unref(batch);
        most_bytes = op.counters[EVS_COUNT_STATE_BYTES] > most_bytes ? op.counters[EVS_COUNT_STATE_BYTES] : most_bytes;
        most_keys = op.counters[EVS_COUNT_STATE_KEYS] > most_keys ? op.counters[EVS_COUNT_STATE_KEYS] : most_keys;
    }
    double start = now_ns();
    work(operator_, &op, state, EVS_TIME_MAX);
    spent += now_ns() - start;
    printf("%-44s %7.0f ns a row %9.1f M rows/s %9lld keys %7lld bytes a key %9llu rows out\n", name, spent / ROWS,
           ROWS / spent * 1e3, (long long)most_keys, (long long)(most_bytes / most_keys),
           (unsigned long long)op.emitted);
    if (operator_->close != NULL) {
        operator_->close(&op, state);
    }
    evs_free(state);
    evs_batch_pool_free(op.pool);
}

/* --- operators -------------------------------------------------------------------------------------------------------------------------- */

static const uint32_t by_id[1] = {ID}, by_user[1] = {USER}, by_until[1] = {UNTIL}, by_window[2] = {START, END};

static void run_over(const char *name, enum evs_over_frame frame, int64_t preceding, uint32_t users)
{
    static const uint32_t price[1] = {PRICE};
    const struct evs_type *types[1] = {evs_type_of(EVS_INT64)};
    struct evs_over_call call = {.kind = EVS_OVER_AGGREGATE,
                                 .frame = frame,
                                 .preceding = preceding,
                                 .aggregate = {.kind = EVS_AGG_SUM,
                                               .arguments = price,
                                               .types = types,
                                               .argument_count = 1,
                                               .condition = -1,
                                               .result_type = types[0],
                                               .limit = -1,
                                               .bytes_max = 1 << 20,
                                               .text = "sum"},
                                 .result_kind = EVS_INT64};
    struct evs_over_config config = {
        .keys = by_user, .key_count = 1, .calls = &call, .call_count = 1, .retain_us = HOUR_US};
    run(name, &evs_op_over, &config, users, 1);
}

static void run_lag(const char *name, uint32_t users)
{
    struct evs_over_call call = {
        .kind = EVS_OVER_LAG, .argument = PRICE, .fallback = -1, .number = 1, .result_kind = EVS_INT64};
    struct evs_over_config config = {
        .keys = by_user, .key_count = 1, .calls = &call, .call_count = 1, .retain_us = HOUR_US};
    run(name, &evs_op_over, &config, users, 1);
}

int main(int argc, char **argv)
{
    filter = argc > 1 ? argv[1] : "";
    struct evs_deduplicate_config first = {by_id, 1, HOUR_US, false}, last = {by_id, 1, HOUR_US, true};
    struct evs_throttle_config throttle = {.keys = by_user, .key_count = 1, .limit = 1, .interval_us = HOUR_US};
    struct evs_sample_config sample = {.key = ID, .salt = evs_slice_of("salt"), .threshold = UINT64_MAX / 10};
    struct evs_hold_config hold = {.until = UNTIL, .at_most_us = -1, .keys = by_until, .key_count = 1};
    struct evs_order_term term = {PRICE, true, true};
    struct evs_top_config top = {.keys = by_window, .key_count = 2, .terms = &term, .term_count = 1, .limit = 10};
    struct evs_top_config best = top;
    best.limit = 1;
    best.keeps_ties = true;
    const struct {
        const char *name;
        const struct evs_operator *operator_;
        const void *config;
        uint32_t users;
    } cases[] = {
        {"deduplicate by id, 1 M ids", &evs_op_deduplicate, &first, 1},
        {"deduplicate by id keep last, 1 M ids", &evs_op_deduplicate, &last, 1},
        {"throttle 1 per hour by user, 1 M users", &evs_op_throttle, &throttle, ROWS},
        {"throttle 1 per hour by user, 1000 users", &evs_op_throttle, &throttle, 1000},
        {"sample 10 percent by id", &evs_op_sample, &sample, 1},
        {"hold for an hour, 1 M rows", &evs_op_hold, &hold, 1},
        {"top 10 of 60000 rows a window", &evs_op_top, &top, 1},
        {"rank 1 of 60000 rows a window", &evs_op_top, &best, 1},
    };
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        run(cases[i].name, cases[i].operator_, cases[i].config, cases[i].users, 0);
    }
    run_over("over: running sum by user, 100,000 users", EVS_OVER_ALL, 0, 100000);
    run_over("over: sum of 10 rows by user, 100,000 users", EVS_OVER_ROWS, 9, 100000);
    run_over("over: sum of 100 s by user, 1000 rows each", EVS_OVER_RANGE, INT64_C(100000000), 100);
    run_lag("over: lag by user, 100,000 users", 100000);
    return 0;
}
