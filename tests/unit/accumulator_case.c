/* Accumulators under test (accumulator_case.h). */
#include "accumulator_case.h"

#include <math.h>

struct evs_batch *case_batch;
static struct evs_batch_pool *pool;

const struct evs_type *case_type(enum case_column column)
{
    static const enum evs_kind kinds[CASE_COLUMNS] = {
        [INTS] = EVS_INT64,      [FLOATS] = EVS_FLOAT64, [NUMERICS] = EVS_NUMERIC, [TEXTS] = EVS_STRING,
        [TIMES] = EVS_TIMESTAMP, [STEP_1] = EVS_BOOL,    [STEP_2] = EVS_BOOL,      [STEP_3] = EVS_BOOL,
        [WEIGHTS] = EVS_INT64,   [SPANS] = EVS_INTERVAL};
    return column == ARRAYS ? evs_type_array_of(EVS_INT64) : evs_type_of(kinds[column]);
}

/* --- rows ------------------------------------------------------------------------------------------------------------------------------ */

static struct evs_str random_text(uint64_t *seed, int64_t number)
{
    char *text = evs_arena_printf(case_batch->arena, number % 2 == 0 ? "%lld" : "a text longer than twelve bytes %lld",
                                  (long long)number);
    size_t count = strlen(text);
    if (unit_random(seed) % 7 == 0) {
        text[0] = '\0';
    }
    return evs_str_make(text, (uint32_t)count);
}

static struct evs_str random_array(uint64_t *seed)
{
    struct evs_nested_builder builder = {0};
    evs_nested_begin_array(&builder, EVS_INT64);
    for (uint64_t i = unit_random(seed) % 4; i > 0; i--) {
        struct evs_value value = {.kind = EVS_INT64, .int64 = (int64_t)(unit_random(seed) % 10)};
        value.is_null = unit_random(seed) % 8 == 0;
        evs_nested_add(&builder, &value);
    }
    struct evs_str array = evs_nested_finish(&builder, case_batch->arena);
    evs_nested_builder_fini(&builder);
    return array;
}

#define PUT(column, type, ...) ((type *)case_batch->columns[column].data)[row] = (type)(__VA_ARGS__)

static void put_row(uint32_t row, uint64_t *seed)
{
    int64_t number = (int64_t)(unit_random(seed) % 2001) - 1000;
    evs_numeric numeric = number * (EVS_NUMERIC_ONE / 100);
    PUT(INTS, int64_t, number);
    ((double *)case_batch->columns[FLOATS].data)[row] = (double)number / 8;
    memcpy((char *)case_batch->columns[NUMERICS].data + (size_t)row * 16, &numeric, 16);
    ((struct evs_str *)case_batch->columns[TEXTS].data)[row] = random_text(seed, number % 100);
    PUT(TIMES, int64_t, number * 1000000);
    PUT(STEP_1, uint8_t, unit_random(seed) % 20 == 0);
    PUT(STEP_2, uint8_t, unit_random(seed) % 20 == 0);
    PUT(STEP_3, uint8_t, unit_random(seed) % 20 == 0);
    ((struct evs_str *)case_batch->columns[ARRAYS].data)[row] = random_array(seed);
    PUT(WEIGHTS, int64_t, unit_random(seed) % 10);
    ((struct evs_interval *)case_batch->columns[SPANS].data)[row] =
        (struct evs_interval){(int32_t)(unit_random(seed) % 3), (int32_t)(unit_random(seed) % 90), number};
    for (uint32_t i = 0; i < CASE_COLUMNS; i++) {
        if (unit_random(seed) % 10 == 0) {
            evs_column_set_null(&case_batch->columns[i], row);
        }
    }
    case_batch->event_time_us[row] = (int64_t)(unit_random(seed) % 50); /* many ties: the cause decides */
    case_batch->cause[row] = evs_cause_record(0, 1, CASE_ROWS_MAX - row);
}

void case_setup(void)
{
    uint64_t seed = 5;
    pool = evs_batch_pool_new();
    case_batch = evs_batch_new(pool, CASE_COLUMNS);
    evs_batch_init_rows(case_batch, CASE_ROWS_MAX);
    case_batch->row_count = case_batch->selected_count = CASE_ROWS_MAX;
    for (uint32_t i = 0; i < CASE_COLUMNS; i++) {
        evs_column_init(&case_batch->columns[i], case_batch, case_type(i)->kind, CASE_ROWS_MAX, true);
    }
    for (uint32_t i = 0; i < CASE_ROWS_MAX; i++) {
        put_row(i, &seed);
    }
}

void case_teardown(void)
{
    evs_batch_unref(case_batch);
    evs_batch_pool_free(pool);
}

struct evs_value case_value(enum case_column column, uint32_t row)
{
    return evs_column_value(&case_batch->columns[column], row);
}

int case_compare_rows(uint32_t a, uint32_t b)
{
    int64_t times[2] = {case_batch->event_time_us[a], case_batch->event_time_us[b]};
    uint64_t minors[2] = {case_batch->cause[a].minor, case_batch->cause[b].minor};
    return times[0] != times[1] ? (times[0] > times[1]) - (times[0] < times[1])
                                : (minors[0] > minors[1]) - (minors[0] < minors[1]);
}

/* --- calls ----------------------------------------------------------------------------------------------------------------------------- */

struct evs_aggregate_call case_config(const struct case_call *call)
{
    uint32_t *columns = evs_arena_alloc(case_batch->arena, sizeof *columns * 4, 8);
    const struct evs_type **types = evs_arena_alloc(case_batch->arena, sizeof *types * 4, 8);
    struct evs_aggregate_order *order = EVS_ARENA_NEW(case_batch->arena, struct evs_aggregate_order);
    for (uint32_t i = 0; i < call->count; i++) {
        columns[i] = call->columns[i];
        types[i] = case_type(call->columns[i]);
    }
    *order = (struct evs_aggregate_order){call->count - 1, call->order == ORDER_DOWN, call->nulls_last};
    return (struct evs_aggregate_call){
        .kind = call->kind,
        .arguments = columns,
        .types = types,
        .argument_count = call->count,
        .condition = -1,
        .result_type = call->result,
        .is_distinct = call->is_distinct,
        .ignore_nulls = call->ignore_nulls,
        .orders = order,
        .order_count = call->order != ORDER_NONE,
        .limit = call->limit == 0 ? -1 : call->limit,
        .number = call->number,
        .within_us = call->within_us,
        .delimiter = evs_slice_of(call->delimiter == NULL ? "" : call->delimiter),
        .bytes_max = 64 << 20,
        .text = "call",
    };
}

struct case_group *case_group_new(void)
{
    static const enum evs_kind key[1] = {EVS_INT64};
    struct case_group *group = evs_alloc_zero(sizeof *group);
    evs_table_layout_init(&group->layout, key, 1, 8);
    evs_table_init(&group->table, &group->layout);
    return group;
}

void case_group_free(struct case_group *group)
{
    evs_table_fini(&group->table);
    evs_free(group);
}

void case_feed(const struct agg_call *call, struct case_group *group, const uint16_t *rows, uint32_t count,
               uint64_t *seed)
{
    static uint8_t *values[CASE_ROWS_MAX];
    static struct evs_table *tables[CASE_ROWS_MAX];
    ck_assert_uint_le(call->bytes, sizeof group->words);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = (uint8_t *)group->words;
        tables[i] = &group->table;
    }
    for (uint32_t first = 0; first < count;) {
        uint32_t piece = (uint32_t)(unit_random(seed) % 300) + 1;
        piece = piece < count - first ? piece : count - first;
        struct agg_rows some = {case_batch, rows + first, values, tables, piece};
        evs_agg_update(call, &some);
        first += piece;
    }
}

void case_merge(const struct agg_call *call, struct case_group *into, const struct case_group *from)
{
    evs_agg_merge(call, &into->table, (uint8_t *)into->words, (const uint8_t *)from->words);
}

struct loading {
    const struct agg_call *call;
    struct case_group *into;
};

static void load_part(void *argument, struct evs_slice part)
{
    struct loading *loading = argument;
    char *copy = evs_arena_copy(case_batch->arena, part.data, part.count); /* at any address */
    bool is_good = evs_agg_load_part(loading->call, &loading->into->table, (uint8_t *)loading->into->words,
                                     (struct evs_slice){copy, part.count});
    ck_assert(is_good);
}

void case_store(const struct agg_call *call, struct case_group *from, struct case_group *into, bool full)
{
    uint64_t stored[16];
    struct evs_buffer variable = {0};
    struct loading loading = {call, into};
    memcpy(stored, from->words, sizeof stored);
    evs_agg_save(call, (uint8_t *)stored, &variable);
    struct evs_slice text = {variable.data, variable.count};
    ck_assert(evs_agg_load(call, &into->table, (uint8_t *)into->words, (const uint8_t *)stored, &text));
    ck_assert_uint_eq(text.count, 0);
    if (call->has_parts) {
        evs_agg_save_parts(call, (uint8_t *)from->words, full, load_part, &loading);
    }
    evs_buffer_fini(&variable);
}

void case_move(const struct agg_call *call, struct case_group *group)
{
    struct evs_arena moved = {0};
    evs_agg_move(call, &moved, (uint8_t *)group->words);
    evs_arena_fini(&group->table.arena);
    group->table.arena = moved;
    group->table.garbage_bytes = 0;
    ck_assert_uint_ge(moved.used_bytes, evs_agg_held(call, (const uint8_t *)group->words));
}

/* --- results as text ------------------------------------------------------------------------------------------------------------------- */

static void print_nested(struct evs_buffer *out, const struct evs_value *value)
{
    struct evs_nested nested = evs_nested_open(&value->str);
    evs_buffer_puts(out, value->kind == EVS_ARRAY ? "[" : "(");
    for (uint32_t i = 0; i < nested.count; i++) {
        struct evs_value element = evs_nested_at(&nested, i);
        evs_buffer_puts(out, i > 0 ? ", " : "");
        case_print(out, &element);
    }
    evs_buffer_puts(out, value->kind == EVS_ARRAY ? "]" : ")");
}

void case_print(struct evs_buffer *out, const struct evs_value *value)
{
    char text[EVS_FORMAT_MAX];
    if (value->is_null) {
        evs_buffer_puts(out, "NULL");
    } else if (evs_kind_is_nested(value->kind)) {
        print_nested(out, value);
    } else if (evs_kind_is_text(value->kind)) {
        evs_buffer_put(out, "\"", 1);
        evs_buffer_put(out, evs_str_data(&value->str), value->str.count);
        evs_buffer_put(out, "\"", 1);
    } else if (value->kind == EVS_BOOL) {
        evs_buffer_puts(out, value->boolean ? "true" : "false");
    } else if (value->kind == EVS_FLOAT64) {
        evs_buffer_printf(out, "%.12g", value->float64 == 0 ? 0.0 : value->float64);
    } else if (value->kind == EVS_NUMERIC) {
        evs_buffer_put(out, text, evs_format_numeric(text, value->numeric));
    } else if (value->kind == EVS_INTERVAL) {
        evs_buffer_printf(out, "%d-%d-%lld", value->interval.months, value->interval.days,
                          (long long)value->interval.us);
    } else {
        evs_buffer_printf(out, "%lld", (long long)value->int64);
    }
}

const char *case_result(const struct agg_call *call, const struct case_group *group)
{
    struct evs_value value;
    struct evs_buffer text = {0};
    enum evs_agg_outcome outcome = evs_agg_result(call, (const uint8_t *)group->words, case_batch->arena, &value);
    if (outcome == EVS_AGG_FITS) {
        case_print(&text, &value);
    } else {
        evs_buffer_puts(&text, evs_agg_failure(outcome)->reason);
    }
    for (size_t i = 0; i < text.count; i++) {
        text.data[i] = text.data[i] == '\0' ? '~' : text.data[i]; /* for messages */
    }
    char *kept = evs_arena_strndup(case_batch->arena, text.data, text.count);
    evs_buffer_fini(&text);
    return kept;
}
