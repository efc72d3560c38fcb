/* Nanoseconds a value of what output is made of: `bench_encode [FILTER]` prints a line for each case whose name holds FILTER. A figure is the median of RUNS
 * measurements, in processor time. Times and exact numbers have a fast way beside the general one: both are shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "evstream/type.h"
#include "format_json.h"
#include "value_text.h"

#define RUNS 15
#define ROUNDS 200
#define COLUMNS 5u

/* A minute of one user, as the yardstick prints it. */
static const struct {
    const char *name;
    enum evs_kind kind;
} columns_of_row[COLUMNS] = {{"user_id", EVS_STRING},
                             {"window_start", EVS_TIMESTAMP},
                             {"window_end", EVS_TIMESTAMP},
                             {"events", EVS_INT64},
                             {"value", EVS_FLOAT64}};

struct bench {
    struct evs_batch *batch;
    const struct evs_json_row *format;
    struct evs_buffer out;
    int64_t times[EVS_BATCH_ROWS];
    double floats[EVS_BATCH_ROWS];
    evs_numeric numerics[EVS_BATCH_ROWS];
    char texts[EVS_BATCH_ROWS][EVS_FORMAT_MAX];
    uint64_t sum; /* of what was made, so that it is made */
};

static void text_of_time(struct bench *bench, uint32_t row)
{
    char text[EVS_FORMAT_MAX];
    bench->sum += evs_text_of_timestamp(text, bench->times[row]);
}

static void format_time(struct bench *bench, uint32_t row)
{
    char text[EVS_FORMAT_MAX];
    bench->sum += evs_format_timestamp(text, bench->times[row]);
}

static void parse_time(struct bench *bench, uint32_t row)
{
    int64_t us = 0;
    bench->sum += evs_parse_timestamp(evs_slice_of(bench->texts[row]), false, &us) ? (uint64_t)us : 0;
}

static void text_of_numeric(struct bench *bench, uint32_t row)
{
    char text[EVS_FORMAT_MAX];
    bench->sum += evs_text_of_numeric(text, bench->numerics[row]);
}

static void format_numeric(struct bench *bench, uint32_t row)
{
    char text[EVS_FORMAT_MAX];
    bench->sum += evs_format_numeric(text, bench->numerics[row]);
}

static void format_float(struct bench *bench, uint32_t row)
{
    char text[EVS_FORMAT_MAX];
    bench->sum += evs_format_float64(text, bench->floats[row]);
}

static void print_float(struct bench *bench, uint32_t row)
{
    char text[64];
    bench->sum += (uint64_t)snprintf(text, sizeof text, "%.17g", bench->floats[row]);
}

static void format_int(struct bench *bench, uint32_t row)
{
    char text[EVS_FORMAT_MAX];
    bench->sum += evs_format_int64(text, bench->times[row]);
}

static void put_string(struct bench *bench, uint32_t row)
{
    evs_json_put_string(&bench->out, evs_slice_of(bench->texts[row]));
}

static void put_row(struct bench *bench, uint32_t row)
{
    evs_json_row_put(bench->format, bench->batch, row, &bench->out);
}

static const struct {
    const char *name;
    void (*run)(struct bench *bench, uint32_t row);
} cases[] = {
    {"timestamp to text", text_of_time},
    {"timestamp to text, the general way", format_time},
    {"timestamp from text, the general way", parse_time},
    {"numeric to text", text_of_numeric},
    {"numeric to text, the general way", format_numeric},
    {"float64 to text", format_float},
    {"float64 to text, by printf", print_float},
    {"int64 to text", format_int},
    {"a text of 24 bytes to JSON", put_string},
    {"a row of the yardstick to JSON", put_row},
};

static void fill(struct bench *bench)
{
    struct evs_column *columns = bench->batch->columns;
    for (uint32_t row = 0; row < EVS_BATCH_ROWS; row++) {
        char user[16];
        uint32_t bytes = (uint32_t)snprintf(user, sizeof user, "u%u", row * 104729u % 1000000);
        int64_t start = INT64_C(1767607200000000);
        bench->times[row] = start + (int64_t)row * 1001000;
        bench->floats[row] = (double)(row * 7919u % 100000) / 100 + 0.1;
        bench->numerics[row] = (evs_numeric)(row * 7919u % 100000) * (EVS_NUMERIC_ONE / 100);
        bench->texts[row][evs_format_timestamp(bench->texts[row], bench->times[row])] = '\0';
        ((struct evs_str *)columns[0].data)[row] = evs_str_make(user, bytes);
        ((int64_t *)columns[1].data)[row] = start;
        ((int64_t *)columns[2].data)[row] = start + 60000000;
        ((int64_t *)columns[3].data)[row] = row % 9 + 1;
        ((double *)columns[4].data)[row] = bench->floats[row];
    }
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double measure(struct bench *bench, void (*run)(struct bench *bench, uint32_t row))
{
    uint64_t begun = now_ns();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        bench->out.count = 0;
        for (uint32_t row = 0; row < EVS_BATCH_ROWS; row++) {
            run(bench, row);
        }
        bench->sum += bench->out.count;
    }
    return (double)(now_ns() - begun) / ROUNDS / EVS_BATCH_ROWS;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct evs_field fields[COLUMNS];
    struct evs_arena arena = {0};
    struct evs_batch_pool *pool = evs_batch_pool_new();
    bench.batch = evs_batch_new(pool, COLUMNS);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        enum evs_kind kind = columns_of_row[i].kind;
        fields[i] = (struct evs_field){columns_of_row[i].name, evs_type_of(kind), false};
        evs_column_init(&bench.batch->columns[i], bench.batch, kind, EVS_BATCH_ROWS, false);
    }
    const struct evs_schema schema = {COLUMNS, fields};
    if (evs_json_row_bind(&schema, &arena, &bench.format, NULL) != EVS_OK) {
        return EXIT_FAILURE;
    }
    bench.batch->row_count = bench.batch->selected_count = EVS_BATCH_ROWS;
    fill(&bench);
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        double ns[RUNS];
        if (strstr(cases[i].name, argc > 1 ? argv[1] : "") == NULL) {
            continue;
        }
        for (uint32_t run = 0; run < RUNS; run++) {
            ns[run] = measure(&bench, cases[i].run);
        }
        qsort(ns, RUNS, sizeof *ns, by_value);
        printf("%8.2f ns  %s\n", ns[RUNS / 2], cases[i].name);
    }
    evs_batch_unref(bench.batch);
    evs_batch_pool_free(pool);
    evs_buffer_fini(&bench.out);
    evs_arena_fini(&arena);
    return bench.sum != 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
