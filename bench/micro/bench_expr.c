/* Nanoseconds a row of expressions over clickstream-like batches: `bench_expr [FILTER]` prints one line an
 * expression whose text holds FILTER. A figure is the median of RUNS measurements; batches have 1024 rows, all
 * selected. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "expr_text.h"

#define RUNS 15
#define BATCHES 200

static const char *const types[] = {"page_view", "product_view", "add_to_cart", "purchase", "subscription_started"};

enum { TYPE, USER, PRICE, AMOUNT, QUANTITY, TIME, PROPERTIES, COLUMNS };
static const struct {
    const char *name;
    enum evs_kind kind;
} columns[COLUMNS] = {{"type", EVS_STRING},    {"user_id", EVS_STRING}, {"price", EVS_NUMERIC},
                      {"amount", EVS_FLOAT64}, {"quantity", EVS_INT64}, {"ts", EVS_TIMESTAMP},
                      {"properties", EVS_JSON}};

/* Run as filters; the others are computed. */
static const char *const filters[] = {
    "type = 'purchase'",
    "type in ('product_view', 'add_to_cart', 'purchase')",
    "type in ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'purchase')",
    "quantity > 2",
    "amount between 10 and 50",
    "type = 'purchase' and quantity > 2 and amount < 100.0",
    "type like 'pro%'",
    "price >= 20",
};
static const char *const values[] = {
    "quantity + 1",
    "quantity * quantity",
    "amount * 1.19",
    "amount / quantity",
    "price * quantity",
    "upper(type)",
    "substr(user_id, 1, 4)",
    "concat(type, ':', user_id)",
    "case when quantity > 2 then 'many' else 'few' end",
    "cast(quantity as string)",
    "json_value(properties, '$.sku')",
    "timestamp_trunc(ts, hour)",
    "extract(hour from ts)",
    "timestamp_add(ts, interval 5 minute)",
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fill_row(struct evs_batch *batch, uint32_t row)
{
    static const char json[] = "{\"sku\": \"SKU-12345\", \"price\": 29.9, \"quantity\": 3, \"category\": \"shoes\"}";
    const char *type = types[(row * 7919u >> 3) % EVS_COUNT(types)];
    char user[16];
    snprintf(user, sizeof user, "u%07u", row * 104729u % 1000000);
    ((struct evs_str *)batch->columns[TYPE].data)[row] = evs_str_make(type, (uint32_t)strlen(type));
    ((struct evs_str *)batch->columns[USER].data)[row] = evs_str_make(user, 8);
    ((evs_numeric *)batch->columns[PRICE].data)[row] = (evs_numeric)(row % 100) * EVS_NUMERIC_ONE;
    ((double *)batch->columns[AMOUNT].data)[row] = (double)(row % 100) * 1.25;
    ((int64_t *)batch->columns[QUANTITY].data)[row] = row % 5 + 1;
    ((int64_t *)batch->columns[TIME].data)[row] = INT64_C(1767607200000000) + (int64_t)row * 1000;
    ((struct evs_str *)batch->columns[PROPERTIES].data)[row] = evs_str_make(json, sizeof json - 1);
}

static struct evs_batch *make_batch(struct evs_batch_pool *pool)
{
    struct evs_batch *batch = evs_batch_new(pool, COLUMNS);
    batch->row_count = batch->selected_count = EVS_BATCH_ROWS;
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    memset(batch->event_time_us, 0, sizeof(int64_t) * EVS_BATCH_ROWS);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        evs_column_init(&batch->columns[c], batch, columns[c].kind, EVS_BATCH_ROWS, false);
    }
    for (uint32_t row = 0; row < EVS_BATCH_ROWS; row++) {
        fill_row(batch, row);
    }
    return batch;
}

static int compare_double(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One measurement: BATCHES evaluations. Results go to an arena of their own, which is reset as a batch's is. */
static double measure(struct evs_eval *eval, struct evs_batch *batch, bool is_filter)
{
    struct evs_arena results = {0}, *kept = batch->arena;
    uint16_t selection[EVS_BATCH_ROWS];
    struct evs_column column;
    batch->arena = &results;
    const uint64_t start = now_ns();
    for (uint32_t i = 0; i < BATCHES; i++) {
        if (is_filter) {
            (void)evs_program_filter(eval, batch, selection);
        } else {
            evs_program_run(eval, batch, &column);
        }
        evs_arena_reset(&results);
    }
    const double ns = (double)(now_ns() - start) / BATCHES / EVS_BATCH_ROWS;
    batch->arena = kept;
    evs_arena_fini(&results);
    return ns;
}

static void bench(struct evs_batch *batch, const struct evs_schema *schema, const char *text, bool is_filter)
{
    struct evs_arena arena = {0};
    struct evs_error error = {0};
    const struct evs_program *program;
    const struct evs_expr *expr = expr_from_text(&arena, text, schema, &error);
    if (expr == NULL || evs_program_compile(&arena, &expr, 1, &program, &error) != EVS_OK) {
        fprintf(stderr, "%s: %s\n", text, error.text);
        exit(EXIT_FAILURE);
    }
    struct evs_eval *eval = evs_eval_new(program);
    double ns[RUNS];
    for (uint32_t i = 0; i < RUNS; i++) {
        ns[i] = measure(eval, batch, is_filter);
    }
    qsort(ns, RUNS, sizeof *ns, compare_double);
    printf("%8.2f ns/row  %s%s\n", ns[RUNS / 2], is_filter ? "where " : "", text);
    evs_eval_free(eval);
    evs_arena_fini(&arena);
}

int main(int argc, char **argv)
{
    struct evs_field fields[COLUMNS];
    for (uint32_t c = 0; c < COLUMNS; c++) {
        fields[c] = (struct evs_field){columns[c].name, evs_type_of(columns[c].kind), false};
    }
    const struct evs_schema schema = {COLUMNS, fields};
    const char *wanted = argc > 1 ? argv[1] : "";
    struct evs_batch_pool *pool = evs_batch_pool_new();
    struct evs_batch *batch = make_batch(pool);
    for (size_t i = 0; i < EVS_COUNT(filters); i++) {
        if (strstr(filters[i], wanted)) {
            bench(batch, &schema, filters[i], true);
        }
    }
    for (size_t i = 0; i < EVS_COUNT(values); i++) {
        if (strstr(values[i], wanted)) {
            bench(batch, &schema, values[i], false);
        }
    }
    evs_batch_unref(batch);
    evs_batch_pool_free(pool);
    return EXIT_SUCCESS;
}
