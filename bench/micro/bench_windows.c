/* Nanoseconds a row and bytes a key of windows: `bench_windows [FILTER]` prints a line for each whose name holds FILTER. Batches of 1024 rows, a
 * watermark behind each; one worker, processor time. The program is the runtime: it defines what operators may ask, and drops what they emit. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "micro_op.h"
#include "op_aggregate.h"

#define ROWS 4000000u
#define SECOND_US INT64_C(1000000)

enum { USER, PRICE, COLUMNS };
enum { RESULTS = 5 }; /* key, start, end, count, sum */

static const struct evs_field *fields_of(void)
{
    static struct evs_field fields[RESULTS];
    for (uint32_t i = 0; i < RESULTS; i++) {
        bool is_time = i == 1 || i == 2;
        fields[i] = (struct evs_field){"column", evs_type_of(is_time ? EVS_TIMESTAMP : EVS_INT64), true};
    }
    return fields;
}

/* --- rows ---------------------------------------------------------------------------------------------------------------------------- */

static struct evs_batch *make_batch(struct evs_op *op, uint32_t first, uint32_t users, int64_t step_us)
{
    struct evs_batch *batch = evs_batch_new(op->pool, COLUMNS);
    uint32_t count = EVS_BATCH_ROWS;
    evs_batch_init_rows(batch, count);
    batch->row_count = batch->selected_count = count;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        evs_column_init(&batch->columns[i], batch, EVS_INT64, count, false);
    }
    int64_t *user = batch->columns[USER].data, *price = batch->columns[PRICE].data;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = first + i;
        batch->event_time_us[i] = (int64_t)number * step_us;
        batch->cause[i] = evs_cause_record(0, number + 1, 0);
        user[i] = (int64_t)((number * UINT64_C(2654435761)) % users);
        price[i] = number % 1000;
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

static void run(const char *name, const struct evs_aggregate_config *config, uint32_t users, int64_t step_us)
{
    const struct evs_operator *operator_ =
        evs_aggregate_operator(config->window.kind, config->emit, config->lateness_us);
    struct evs_op op = {
        .config = config, .is_durable = true, .watermark_us = EVS_TIME_MIN, .pool = evs_batch_pool_new()};
    op.input = (struct evs_schema){COLUMNS, fields_of() + 3};
    op.output = (struct evs_schema){RESULTS, fields_of()};
    size_t bytes = (operator_->state_bytes + 127u) & ~(size_t)63;
    void *state = evs_alloc_aligned(64, bytes);
    memset(state, 0, bytes);
    evs_status status = operator_->open(&op, state, NULL);
    double spent = 0;
    int64_t most_bytes = 0, most_keys = 1;
    for (uint32_t first = 0; status == EVS_OK && first < ROWS; first += EVS_BATCH_ROWS) {
        struct evs_batch *batch = make_batch(&op, first, users, step_us);
        double start = now_ns();
        status = operator_->process(&op, state, 0, batch);
        work(operator_, &op, state, batch->max_time_us);
        spent += now_ns() - start;
        evs_batch_unref(batch);
        most_bytes = op.counters[EVS_COUNT_STATE_BYTES] > most_bytes ? op.counters[EVS_COUNT_STATE_BYTES] : most_bytes;
        most_keys = op.counters[EVS_COUNT_STATE_KEYS] > most_keys ? op.counters[EVS_COUNT_STATE_KEYS] : most_keys;
    }
    printf("%-52s %6.0f ns a row %7.1f M rows/s %9lld keys %7lld bytes a key %9llu rows out\n", name, spent / ROWS,
           ROWS / spent * 1e3, (long long)most_keys, (long long)(most_bytes / most_keys),
           (unsigned long long)op.emitted);
    operator_->close(&op, state);
    evs_free(state);
    evs_batch_pool_free(op.pool);
}

/* --- windows ---------------------------------------------------------------------------------------------------------------------------- */

static struct evs_aggregate_config config_of(struct evs_window window)
{
    static const uint32_t user[1] = {USER}, price[1] = {PRICE};
    static const struct evs_type *types[1];
    static struct evs_aggregate_call calls[2];
    static const struct evs_aggregate_item items[RESULTS] = {{EVS_ITEM_KEY, 0},
                                                             {EVS_ITEM_WINDOW_START, 0},
                                                             {EVS_ITEM_WINDOW_END, 0},
                                                             {EVS_ITEM_CALL, 0},
                                                             {EVS_ITEM_CALL, 1}};
    types[0] = evs_type_of(EVS_INT64);
    for (uint32_t i = 0; i < 2; i++) {
        calls[i] = (struct evs_aggregate_call){.kind = i == 0 ? EVS_AGG_COUNT_ROWS : EVS_AGG_SUM,
                                               .arguments = price,
                                               .types = types,
                                               .argument_count = i,
                                               .condition = -1,
                                               .result_type = types[0],
                                               .limit = -1,
                                               .bytes_max = 1 << 20,
                                               .text = "call"};
    }
    return (struct evs_aggregate_config){.keys = user,
                                         .key_count = 1,
                                         .calls = calls,
                                         .call_count = 2,
                                         .items = items,
                                         .item_count = RESULTS,
                                         .group_items = items,
                                         .group_schema = {3, fields_of()},
                                         .window = window,
                                         .retain_us = -1,
                                         .file = "bench"};
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        struct evs_window window;
        uint32_t users;
        int64_t step_us;
    } cases[] = {
        {"tumble 1 h, 10 keys",
         {.kind = EVS_WINDOW_TUMBLE, .size_us = 3600 * SECOND_US, .slide_us = 3600 * SECOND_US},
         10,
         1000},
        {"hop 1 h every 1 s, 10 keys, 1000 rows a second",
         {.kind = EVS_WINDOW_HOP, .size_us = 3600 * SECOND_US, .slide_us = SECOND_US},
         10,
         1000},
        {"hop 1 h every 1 s, 10 keys, 100 rows a second",
         {.kind = EVS_WINDOW_HOP, .size_us = 3600 * SECOND_US, .slide_us = SECOND_US},
         10,
         10000},
        {"hop 1 h every 1 min, 100000 keys",
         {.kind = EVS_WINDOW_HOP, .size_us = 3600 * SECOND_US, .slide_us = 60 * SECOND_US},
         100000,
         100},
        {"cumulate 1 min to 1 h, 10 keys",
         {.kind = EVS_WINDOW_CUMULATE,
          .size_us = 3600 * SECOND_US,
          .slide_us = 3600 * SECOND_US,
          .pane_us = 60 * SECOND_US},
         10,
         1000},
        {"session 30 min, 1000000 keys, all open",
         {.kind = EVS_WINDOW_SESSION, .gap_us = 1800 * SECOND_US},
         1000000,
         100},
        {"session 30 s, 100000 keys, opening and closing",
         {.kind = EVS_WINDOW_SESSION, .gap_us = 30 * SECOND_US},
         100000,
         1000},
        {"session 30 s up to 60 s, 1000 keys",
         {.kind = EVS_WINDOW_SESSION, .gap_us = 30 * SECOND_US, .max_us = 60 * SECOND_US},
         1000,
         1000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct evs_window window = cases[i].window;
        if (window.kind == EVS_WINDOW_TUMBLE || window.kind == EVS_WINDOW_HOP) {
            evs_window_set_panes(&window);
        }
        struct evs_aggregate_config config = config_of(window);
        if (count < 2 || strstr(cases[i].name, arguments[1]) != NULL) {
            run(cases[i].name, &config, cases[i].users, cases[i].step_us);
        }
    }
    return 0;
}
