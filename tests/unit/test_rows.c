/* Kept rows: a batch's rows come back as they were, whatever their types, NULLs and lengths; damaged bytes are refused; lists against a sorted
 * array; the pool gives every byte back. */
#include "evstream/keys.h"
#include "evstream/rows.h"
#include "unit.h"

#define ROWS 200u
#define COLUMNS 8u
static const enum evs_kind kinds[COLUMNS] = {EVS_STRING, EVS_INT64, EVS_BOOL,    EVS_NUMERIC,
                                             EVS_JSON,   EVS_BYTES, EVS_FLOAT64, EVS_INTERVAL};
static struct evs_field fields[COLUMNS];
static const struct evs_schema schema = {COLUMNS, fields};

static struct evs_batch_pool *batches;
static struct evs_batch *batch;
static struct evs_row_pool pool;
static struct evs_row_layout layout;
static struct evs_row *kept[ROWS];

static struct evs_str random_text(uint64_t *seed)
{
    uint32_t count =
        unit_random(seed) % 4 == 0 ? (uint32_t)(unit_random(seed) % 300) : (uint32_t)(unit_random(seed) % 16);
    char *text = evs_arena_alloc(batch->arena, count + 1, 1);
    for (uint32_t i = 0; i < count; i++) {
        text[i] = (char)('a' + unit_random(seed) % 26);
    }
    return evs_str_make(text, count);
}

static void put_element(struct evs_column *column, uint32_t row, uint64_t *seed)
{
    uint64_t words[2] = {unit_random(seed), unit_random(seed)};
    uint32_t width = evs_kind_width(column->kind);
    struct evs_str text;
    if (column->kind == EVS_BOOL) {
        words[0] &= 1;
    } else if (column->kind == EVS_FLOAT64) {
        double value = (double)(int64_t)words[0] / 3; /* no NaN, which equals nothing */
        memcpy(words, &value, sizeof value);
    } else if (evs_kind_is_var(column->kind)) {
        text = random_text(seed);
        memcpy(words, &text, sizeof text);
    }
    memcpy((uint8_t *)column->data + row * width, words, width);
    if (unit_random(seed) % 5 == 0) {
        evs_column_set_null(column, row);
    }
}

static void setup(void)
{
    uint64_t seed = 7;
    batches = evs_batch_pool_new();
    batch = evs_batch_new(batches, COLUMNS);
    evs_batch_init_rows(batch, ROWS);
    batch->row_count = batch->selected_count = ROWS;
    batch->ordinal = EVS_ARENA_ARRAY(batch->arena, uint32_t, ROWS);
    batch->lineage = 77;
    for (uint32_t i = 0; i < COLUMNS; i++) {
        fields[i] = (struct evs_field){"c", evs_type_of(kinds[i]), true};
        evs_column_init(&batch->columns[i], batch, kinds[i], ROWS, true);
        for (uint32_t row = 0; row < ROWS; row++) {
            put_element(&batch->columns[i], row, &seed);
        }
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        batch->event_time_us[row] = (int64_t)(unit_random(&seed) % 20) - 10;
        batch->cause[row] = evs_cause_record((uint32_t)(unit_random(&seed) % 3), unit_random(&seed) % 3, row % 2);
        batch->ordinal[row] = row; /* so that no two rows stand at one place */
    }
    pool = (struct evs_row_pool){0};
    evs_row_layout_init(&layout, &schema, NULL, 0);
    for (uint32_t row = 0; row < ROWS; row++) {
        kept[row] = evs_row_keep(&pool, &layout, batch, row);
    }
}

static void teardown(void)
{
    evs_row_layout_fini(&layout);
    evs_row_pool_fini(&pool);
    evs_batch_unref(batch);
    evs_batch_pool_free(batches);
}

static void check_equal(struct evs_value a, struct evs_value b)
{
    UNIT_CHECK(a.kind == b.kind && a.is_null == b.is_null, "kind or NULL differs");
    if (a.is_null) {
        return;
    }
    if (evs_kind_is_var(a.kind)) {
        UNIT_CHECK(evs_str_equal(&a.str, &b.str), "text differs");
        return;
    }
    UNIT_CHECK(a.kind != EVS_NUMERIC || a.numeric == b.numeric, "numeric differs");
    UNIT_CHECK(a.kind != EVS_INT64 || a.int64 == b.int64, "int64 differs");
    UNIT_CHECK(a.kind != EVS_BOOL || a.boolean == b.boolean, "bool differs");
    UNIT_CHECK(a.kind != EVS_FLOAT64 || a.float64 == b.float64, "float64 differs");
    UNIT_CHECK(a.kind != EVS_INTERVAL || memcmp(&a.interval, &b.interval, sizeof a.interval) == 0, "interval differs");
}

static void check_row(const struct evs_row *row, uint32_t number)
{
    struct evs_row_order order = evs_row_order(row), expected = evs_row_order_of(batch, number);
    ck_assert_int_eq(evs_row_order_compare(&order, &expected), 0);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        check_equal(evs_row_value(&layout, row, i), evs_column_value(&batch->columns[i], number));
    }
}

START_TEST(test_rows_come_back)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        check_row(kept[row], row);
        ck_assert_int_eq(evs_row_cause_kind(kept[row]), EVS_CAUSE_RECORD);
    }
    batch->cause_kind = EVS_CAUSE_WINDOW;
    struct evs_row *window = evs_row_keep(&pool, &layout, batch, 3);
    check_row(window, 3);
    ck_assert_int_eq(evs_row_cause_kind(window), EVS_CAUSE_WINDOW);
}
END_TEST

START_TEST(test_decoded_to_columns)
{
    const struct evs_row *rows[3] = {kept[5], NULL, kept[9]};
    struct evs_batch *to = evs_batch_new(batches, COLUMNS);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        evs_column_init(&to->columns[i], to, kinds[i], 10, true);
    }
    evs_row_decode(&layout, rows, 3, to->arena, to->columns, 4);
    evs_row_pool_fini(&pool); /* long text was copied */
    for (uint32_t i = 0; i < COLUMNS; i++) {
        check_equal(evs_column_value(&to->columns[i], 4), evs_column_value(&batch->columns[i], 5));
        ck_assert(evs_column_value(&to->columns[i], 5).is_null);
        check_equal(evs_column_value(&to->columns[i], 6), evs_column_value(&batch->columns[i], 9));
    }
    evs_batch_unref(to);
}
END_TEST

START_TEST(test_some_columns)
{
    static const uint32_t some[3] = {4, 0, 2};
    struct evs_row_layout narrow;
    evs_row_layout_init(&narrow, &schema, some, 3);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct evs_row *one = evs_row_keep(&pool, &narrow, batch, row);
        for (uint32_t i = 0; i < 3; i++) {
            check_equal(evs_row_value(&narrow, one, i), evs_column_value(&batch->columns[some[i]], row));
        }
        evs_row_free(&pool, one);
    }
    evs_row_layout_fini(&narrow);
}
END_TEST

/* What a constant column holds stands for every row. */
START_TEST(test_constant_columns)
{
    for (uint32_t i = 0; i < COLUMNS; i++) {
        batch->columns[i].flags |= EVS_COLUMN_CONSTANT;
    }
    struct evs_row *row = evs_row_keep(&pool, &layout, batch, 150);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        check_equal(evs_row_value(&layout, row, i), evs_column_value(&batch->columns[i], 0));
    }
}
END_TEST

START_TEST(test_stored_bytes)
{
    char unaligned[1024];
    for (uint32_t row = 0; row < ROWS; row++) {
        struct evs_slice bytes = evs_row_slice(kept[row]);
        ck_assert_uint_lt(bytes.count, sizeof unaligned - 1);
        memcpy(unaligned + 1, bytes.data, bytes.count);
        struct evs_row *again = evs_row_restore(&pool, &layout, (struct evs_slice){unaligned + 1, bytes.count});
        ck_assert_ptr_nonnull(again);
        check_row(again, row);
        ck_assert(evs_slice_equal(evs_row_slice(again), bytes));
        ck_assert_ptr_null(evs_row_restore(&pool, &layout, (struct evs_slice){bytes.data, bytes.count - 8}));
        ck_assert_ptr_null(evs_row_restore(&pool, &layout, (struct evs_slice){bytes.data, 8}));
    }
}
END_TEST

/* One byte of the block is another one: refused, or a row whose every value can be read (ASan sees the rest). */
START_TEST(test_damaged_bytes)
{
    uint64_t seed = 3;
    uint32_t refused = 0;
    for (uint32_t round = 0; round < 20000; round++) {
        struct evs_slice bytes = evs_row_slice(kept[unit_random(&seed) % ROWS]);
        char *damaged = malloc(bytes.count); /* of its own, so that a read beyond it is seen */
        memcpy(damaged, bytes.data, bytes.count);
        damaged[unit_random(&seed) % bytes.count] ^= (char)(1u << unit_random(&seed) % 8);
        struct evs_row *row = evs_row_restore(&pool, &layout, (struct evs_slice){damaged, bytes.count});
        free(damaged);
        refused += row == NULL;
        for (uint32_t i = 0; row != NULL && i < COLUMNS; i++) {
            struct evs_value value = evs_row_value(&layout, row, i);
            bool is_string = value.kind == EVS_STRING && !value.is_null;
            UNIT_CHECK(!is_string || evs_utf8_valid(evs_str_data(&value.str), value.str.count), "bad UTF-8");
        }
        if (row != NULL) {
            evs_row_free(&pool, row);
        }
    }
    ck_assert_uint_gt(refused, 1000);
}
END_TEST

START_TEST(test_order)
{
    struct evs_row_order a = {5, {1, 2}, 3, 4}, b = a;
    ck_assert_int_eq(evs_row_order_compare(&a, &b), 0);
    b.lineage = 4;
    ck_assert_int_eq(evs_row_order_compare(&a, &b), -1);
    a.ordinal = 5; /* each outranks the one before */
    ck_assert_int_eq(evs_row_order_compare(&a, &b), 1);
    b.cause.minor = UINT64_MAX;
    ck_assert_int_eq(evs_row_order_compare(&a, &b), -1);
    a.cause.major = UINT64_MAX;
    ck_assert_int_eq(evs_row_order_compare(&a, &b), 1);
    b.event_time_us = 6;
    ck_assert_int_eq(evs_row_order_compare(&a, &b), -1);
}
END_TEST

/* --- lists ----------------------------------------------------------------------------------------------------------------------- */

static struct evs_row *model[ROWS];
static uint32_t model_count;

static void model_insert(struct evs_row *row)
{
    uint32_t at = model_count;
    for (; at > 0 && evs_row_compare(model[at - 1], row) > 0; at--) {
        model[at] = model[at - 1];
    }
    model[at] = row;
    model_count++;
}

static void model_remove(uint32_t at)
{
    memmove(&model[at], &model[at + 1], (model_count - at - 1) * sizeof model[0]);
    model_count--;
}

static void check_list(const struct evs_row_list *list)
{
    UNIT_CHECK(list->count == model_count, "%u rows, not %u", list->count, model_count);
    for (uint32_t i = 0; i < model_count; i++) {
        UNIT_CHECK(evs_row_list_at(list, i) == model[i], "row %u is another one", i);
    }
    for (int64_t time_us = -12; time_us < 12; time_us++) {
        uint32_t lower = 0;
        while (lower < model_count && model[lower]->event_time_us < time_us) {
            lower++;
        }
        UNIT_CHECK(evs_row_list_lower(list, time_us) == lower, "lower bound of %d", (int)time_us);
    }
}

START_TEST(test_list_against_a_sorted_array)
{
    uint64_t seed = 11;
    model_count = 0;
    struct evs_row_list list = {0};
    for (uint32_t step = 0; step < 3000; step++) {
        uint64_t what = unit_random(&seed) % 10;
        if (what < 6 && model_count < 40) {
            struct evs_row *row = evs_row_keep(&pool, &layout, batch, (uint32_t)(unit_random(&seed) % ROWS));
            row->ordinal = step;
            uint32_t at = evs_row_list_insert(&list, &pool, row);
            model_insert(row);
            ck_assert_ptr_eq(model[at], row);
        } else if (what < 8 && model_count > 0) {
            evs_row_free(&pool, evs_row_list_pop(&list, &pool));
            model_remove(0);
        } else if (what == 8 && model_count > 0) {
            uint32_t at = (uint32_t)(unit_random(&seed) % model_count);
            struct evs_row *row = evs_row_list_remove(&list, &pool, at);
            ck_assert_ptr_eq(row, model[at]);
            evs_row_free(&pool, row);
            model_remove(at);
        } else if (unit_random(&seed) % 20 == 0) {
            uint32_t expected = evs_row_list_lower(&list, 0);
            ck_assert_uint_eq(evs_row_list_drop_before(&list, &pool, 0), expected);
            for (uint32_t i = 0; i < expected; i++) {
                model_remove(0);
            }
        }
        check_list(&list);
    }
    evs_row_list_clear(&list, &pool);
    ck_assert_uint_eq(pool.block_count, ROWS);
}
END_TEST

START_TEST(test_entries_of_restored_rows)
{
    static const uint32_t key_columns[2] = {0, 6};
    static const enum evs_kind key_kinds[2] = {EVS_STRING, EVS_FLOAT64};
    struct evs_table_layout table_layout;
    struct evs_table table;
    evs_table_layout_init(&table_layout, key_kinds, 2, 8);
    evs_table_init(&table, &table_layout);
    ((double *)batch->columns[6].data)[0] = -0.0; /* counts as 0.0 */
    evs_row_free(&pool, kept[0]);
    kept[0] = evs_row_keep(&pool, &layout, batch, 0);
    uint64_t hashes[ROWS];
    evs_key_hash_rows(batch, key_columns, 2, hashes);
    for (uint32_t row = 0; row < ROWS; row++) {
        bool by_row, by_batch;
        struct evs_entry *entry = evs_row_find_entry(&layout, kept[row], key_columns, &table, hashes[row], &by_row);
        struct evs_entry *same = evs_table_find_or_add(&table, hashes[row], batch, row, key_columns, NULL, &by_batch);
        ck_assert(entry == same && !by_batch);
    }
    evs_table_fini(&table);
}
END_TEST

/* --- the pool ---------------------------------------------------------------------------------------------------------------------- */

struct block {
    uint8_t *bytes;
    size_t count;
    uint8_t fill;
};

static void check_and_give(struct evs_row_pool *blocks, struct block *block)
{
    for (size_t i = 0; i < block->count; i++) {
        UNIT_CHECK(block->bytes[i] == block->fill, "somebody wrote into a block");
    }
    evs_row_pool_give(blocks, block->bytes, block->count);
    block->bytes = NULL;
}

START_TEST(test_pool_blocks_do_not_overlap)
{
    static struct block blocks[500];
    struct evs_row_pool own = {0};
    uint64_t seed = 13;
    for (uint32_t step = 0; step < 20000; step++) {
        struct block *block = &blocks[unit_random(&seed) % 500];
        if (block->bytes != NULL) {
            check_and_give(&own, block);
            continue;
        }
        block->count = (size_t)1 << unit_random(&seed) % 17;
        block->count += unit_random(&seed) % block->count;
        block->bytes = evs_row_pool_take(&own, block->count);
        block->fill = (uint8_t)step;
        UNIT_CHECK((uintptr_t)block->bytes % 16 == 0, "alignment");
        memset(block->bytes, block->fill, block->count);
    }
    for (uint32_t i = 0; i < 500; i++) {
        if (blocks[i].bytes != NULL && i % 2 == 0) { /* the others end with the pool */
            check_and_give(&own, &blocks[i]);
        }
    }
    evs_row_pool_fini(&own);
}
END_TEST

START_TEST(test_steady_state_allocates_nothing)
{
    struct evs_row_list list = {0};
    uint64_t before = 0;
    for (uint32_t step = 0; step < 5000; step++) {
        struct evs_row *row = evs_row_keep(&pool, &layout, batch, step % ROWS);
        row->event_time_us = step;
        evs_row_list_insert(&list, &pool, row);
        if (step >= 300) {
            evs_row_free(&pool, evs_row_list_pop(&list, &pool));
        }
        before = step == 2000 ? evs_alloc_count() : before;
    }
    ck_assert_uint_eq(evs_alloc_count(), before);
    for (uint32_t row = 0; row < ROWS; row++) {
        evs_row_free(&pool, kept[row]);
    }
    evs_row_list_clear(&list, &pool);
    ck_assert_uint_eq(pool.used_bytes, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rows");
    TCase *tests = tcase_create("rows");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_rows_come_back);
    tcase_add_test(tests, test_decoded_to_columns);
    tcase_add_test(tests, test_some_columns);
    tcase_add_test(tests, test_constant_columns);
    tcase_add_test(tests, test_stored_bytes);
    tcase_add_test(tests, test_damaged_bytes);
    tcase_add_test(tests, test_order);
    tcase_add_test(tests, test_list_against_a_sorted_array);
    tcase_add_test(tests, test_entries_of_restored_rows);
    tcase_add_test(tests, test_pool_blocks_do_not_overlap);
    tcase_add_test(tests, test_steady_state_allocates_nothing);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
