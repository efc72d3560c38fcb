/* Batches, their pool, columns and values taken from them. */
#include <string.h>

#include "evstream/batch.h"
#include "unit.h"

static struct evs_batch_pool *pool;

static void setup(void)
{
    pool = evs_batch_pool_new();
}

static void teardown(void)
{
    evs_batch_pool_free(pool);
}

/* --- pool and references --------------------------------------------------------------------------------------------- */

START_TEST(a_new_batch_is_empty)
{
    struct evs_batch *batch = evs_batch_new(pool, 3);
    ck_assert_uint_eq(evs_batch_pool_live(pool), 1);
    ck_assert_ptr_eq(batch->root, batch);
    ck_assert_uint_eq(batch->references, 1);
    ck_assert_uint_eq(batch->row_count + batch->selected_count, 0);
    ck_assert_ptr_null(batch->selection);
    ck_assert_int_gt(batch->min_time_us, batch->max_time_us);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_ptr_null(batch->columns[i].data);
        ck_assert_ptr_null(batch->columns[i].valid);
    }
    evs_batch_unref(batch);
    ck_assert_uint_eq(evs_batch_pool_live(pool), 0);
}
END_TEST

START_TEST(a_batch_without_columns_is_possible)
{
    struct evs_batch *batch = evs_batch_new(pool, 0), *derived = evs_batch_derive(batch, 0);
    ck_assert_uint_eq(derived->column_count, 0);
    evs_batch_unref(derived);
    evs_batch_unref(batch);
}
END_TEST

START_TEST(a_root_is_recycled_clean)
{
    struct evs_batch *first = evs_batch_new(pool, 2);
    evs_column_init(&first->columns[0], first, EVS_INT64, 10, true);
    evs_batch_init_rows(first, 10);
    first->row_count = first->selected_count = 10;
    first->cause_kind = EVS_CAUSE_WINDOW;
    first->source_index = 3;
    evs_batch_unref(first);
    struct evs_batch *second = evs_batch_new(pool, 2);
    ck_assert_ptr_eq(second, first);
    ck_assert_uint_eq(second->row_count + second->source_index, 0);
    ck_assert_int_eq(second->cause_kind, EVS_CAUSE_RECORD);
    ck_assert_ptr_null(second->event_time_us);
    ck_assert_ptr_null(second->columns[0].data);
    evs_batch_unref(second);
}
END_TEST

START_TEST(a_derived_batch_keeps_its_root_alive)
{
    struct evs_batch *root = evs_batch_new(pool, 1);
    evs_column_init(&root->columns[0], root, EVS_INT64, 1, false);
    ((int64_t *)root->columns[0].data)[0] = 42;
    struct evs_batch *derived = evs_batch_derive(root, 1), *again = evs_batch_derive(derived, 1);
    ck_assert_uint_eq(root->references, 3);
    evs_batch_unref(root);
    evs_batch_unref(derived);
    ck_assert_uint_eq(evs_batch_pool_live(pool), 1);
    ck_assert_int_eq(*EVS_COLUMN_AT(&again->columns[0], int64_t, 0), 42);
    ck_assert_ptr_eq(evs_batch_ref(again), again);
    evs_batch_unref(again);
    ck_assert_uint_eq(evs_batch_pool_live(pool), 1);
    evs_batch_unref(again);
    ck_assert_uint_eq(evs_batch_pool_live(pool), 0);
}
END_TEST

START_TEST(a_derived_batch_shares_columns_and_may_add_or_drop)
{
    struct evs_batch *root = evs_batch_new(pool, 2);
    evs_batch_init_rows(root, 5);
    evs_column_init(&root->columns[0], root, EVS_INT64, 5, false);
    evs_column_init(&root->columns[1], root, EVS_BOOL, 5, true);
    root->row_count = root->selected_count = 5;
    root->min_time_us = 1;
    root->max_time_us = 9;
    struct evs_batch *wider = evs_batch_derive(root, 3), *narrower = evs_batch_derive(root, 1);
    ck_assert_ptr_eq(wider->columns[1].data, root->columns[1].data);
    ck_assert_ptr_null(wider->columns[2].data);
    ck_assert_uint_eq(wider->column_count, 3);
    ck_assert_uint_eq(narrower->column_count, 1);
    ck_assert_ptr_eq(narrower->columns[0].data, root->columns[0].data);
    ck_assert_ptr_eq(narrower->event_time_us, root->event_time_us);
    ck_assert_ptr_eq(narrower->cause, root->cause);
    ck_assert_uint_eq(narrower->row_count, 5);
    ck_assert_int_eq(narrower->max_time_us, 9);
    wider->columns[0].data = NULL; /* its own array: the root's is untouched */
    ck_assert_ptr_nonnull(root->columns[0].data);
    evs_batch_unref(wider);
    evs_batch_unref(narrower);
    evs_batch_unref(root);
}
END_TEST

struct release_note {
    struct evs_batch *released;
    int count;
};

static void note_release(struct evs_batch *root, void *argument)
{
    struct release_note *note = argument;
    note->released = root;
    note->count++;
}

/* A ring's slot is a root without a pool. */
START_TEST(a_root_of_its_own_is_given_to_release)
{
    struct release_note note = {0};
    struct evs_arena arena = {0};
    struct evs_batch slot = {.arena = &arena, .references = 1, .release = note_release, .release_argument = &note};
    slot.root = &slot;
    struct evs_batch *derived = evs_batch_derive(&slot, 1);
    evs_batch_unref(&slot);
    ck_assert_int_eq(note.count, 0);
    evs_batch_unref(derived);
    ck_assert_int_eq(note.count, 1);
    ck_assert_ptr_eq(note.released, &slot);
    evs_arena_fini(&arena);
}
END_TEST

static void one_round(void)
{
    struct evs_batch *root = evs_batch_new(pool, 8);
    evs_batch_init_rows(root, EVS_BATCH_ROWS);
    for (uint32_t i = 0; i < 8; i++) {
        evs_column_init(&root->columns[i], root, i % 2 ? EVS_STRING : EVS_NUMERIC, EVS_BATCH_ROWS, i % 3 == 0);
    }
    struct evs_batch *filtered = evs_batch_derive(root, 8), *projected = evs_batch_derive(filtered, 12);
    evs_column_init(&projected->columns[11], projected, EVS_INT64, EVS_BATCH_ROWS, true);
    evs_batch_unref(root);
    evs_batch_unref(filtered);
    evs_batch_unref(projected);
}

START_TEST(a_steady_state_allocates_nothing)
{
    one_round();
    uint64_t before = evs_alloc_count();
    for (int i = 0; i < 1000; i++) {
        one_round();
    }
    ck_assert_uint_eq(evs_alloc_count() - before, 0);
}
END_TEST

/* One batch of huge rows must not keep its memory for as long as the engine runs. */
START_TEST(a_blown_up_root_gives_its_memory_back)
{
    struct evs_batch *batch = evs_batch_new(pool, 1);
    (void)evs_arena_alloc(batch->arena, (size_t)64 << 20, 1);
    struct evs_arena *arena = batch->arena;
    evs_batch_unref(batch);
    ck_assert_ptr_null(arena->first);
}
END_TEST

START_TEST(a_pool_must_not_be_freed_while_a_batch_is_out)
{
    evs_batch_new(pool, 1);
    evs_batch_pool_free(pool);
}
END_TEST

START_TEST(one_unref_too_many_is_caught)
{
    struct evs_batch *batch = evs_batch_new(pool, 1);
    evs_batch_unref(batch);
    evs_batch_unref(batch);
}
END_TEST

/* --- columns --------------------------------------------------------------------------------------------------------- */

START_TEST(columns_are_aligned_and_all_valid)
{
    struct evs_batch *batch = evs_batch_new(pool, EVS_KIND_COUNT);
    for (int kind = 0; kind < EVS_KIND_COUNT; kind++) {
        for (uint32_t rows = 0; rows <= 130; rows += 13) {
            struct evs_column *column = &batch->columns[kind];
            evs_column_init(column, batch, (enum evs_kind)kind, rows, true);
            ck_assert_uint_eq((uintptr_t)column->data % 64, 0);
            memset(column->data, 0xA5, (size_t)rows * evs_kind_width((enum evs_kind)kind) + 64);
            for (uint32_t row = 0; row < rows; row++) {
                UNIT_CHECK(evs_column_is_valid(column, row), "row %u", row);
            }
        }
    }
    evs_batch_unref(batch);
}
END_TEST

START_TEST(a_null_is_one_row_only)
{
    struct evs_batch *batch = evs_batch_new(pool, 1);
    struct evs_column *column = &batch->columns[0];
    for (uint32_t null = 0; null < 200; null++) {
        evs_column_init(column, batch, EVS_INT64, 200, true);
        evs_column_set_null(column, null);
        for (uint32_t row = 0; row < 200; row++) {
            UNIT_CHECK(evs_column_is_valid(column, row) == (row != null), "row %u, null %u", row, null);
        }
    }
    evs_column_init(column, batch, EVS_INT64, 200, false);
    ck_assert_ptr_null(column->valid);
    ck_assert(evs_column_is_valid(column, 199));
    evs_batch_unref(batch);
}
END_TEST

START_TEST(a_column_holds_at_most_a_batch)
{
    struct evs_batch *batch = evs_batch_new(pool, 1);
    evs_column_init(&batch->columns[0], batch, EVS_BOOL, EVS_BATCH_ROWS + 1, false);
}
END_TEST

/* Fills row 1 of a column of the kind with the element's bytes and takes it out as a value. */
static struct evs_value through_column(enum evs_kind kind, const void *element)
{
    struct evs_batch *batch = evs_batch_new(pool, 1);
    struct evs_column *column = &batch->columns[0];
    uint32_t width = evs_kind_width(kind);
    evs_column_init(column, batch, kind, 2, true);
    memset(column->data, 0, width);
    memcpy((char *)column->data + width, element, width);
    evs_column_set_null(column, 0);
    struct evs_value null = evs_column_value(column, 0), value = evs_column_value(column, 1);
    ck_assert(null.is_null && null.kind == kind);
    ck_assert(!value.is_null && value.kind == kind);
    evs_batch_unref(batch);
    return value;
}

START_TEST(values_of_every_kind)
{
    static const enum evs_kind counted[] = {EVS_INT64, EVS_TIMESTAMP, EVS_DATE, EVS_DATETIME, EVS_TIME};
    static const enum evs_kind textual[] = {EVS_STRING, EVS_BYTES, EVS_JSON};
    for (size_t i = 0; i < EVS_COUNT(counted); i++) {
        ck_assert_int_eq(through_column(counted[i], &(int64_t){-7}).int64, -7);
    }
    for (size_t i = 0; i < EVS_COUNT(textual); i++) {
        struct evs_str text = evs_str_make("a text of more than twelve bytes", 32);
        struct evs_value value = through_column(textual[i], &text);
        ck_assert(evs_str_equal(&value.str, &text));
    }
    ck_assert(through_column(EVS_BOOL, &(uint8_t){1}).boolean);
    ck_assert(!through_column(EVS_BOOL, &(uint8_t){0}).boolean);
    ck_assert_double_eq(through_column(EVS_FLOAT64, &(double){2.5}).float64, 2.5);
    ck_assert(through_column(EVS_NUMERIC, &(evs_numeric){-evs_numeric_max()}).numeric == -evs_numeric_max());
    struct evs_interval interval = through_column(EVS_INTERVAL, &(struct evs_interval){1, -2, 3}).interval;
    ck_assert_int_eq(interval.months, 1);
    ck_assert_int_eq(interval.days, -2);
    ck_assert_int_eq(interval.us, 3);
}
END_TEST

START_TEST(a_constant_stands_for_every_row)
{
    struct evs_batch *batch = evs_batch_new(pool, 1);
    struct evs_column *column = &batch->columns[0];
    evs_column_init(column, batch, EVS_INT64, 1, true);
    column->flags |= EVS_COLUMN_CONSTANT;
    *(int64_t *)column->data = 5;
    ck_assert_int_eq(evs_column_value(column, 1023).int64, 5);
    evs_column_set_null(column, 0);
    ck_assert(evs_column_value(column, 1023).is_null);
    evs_batch_unref(batch);
}
END_TEST

START_TEST(the_kind_of_nothing_is_always_null)
{
    struct evs_batch *batch = evs_batch_new(pool, 1);
    evs_column_init(&batch->columns[0], batch, EVS_NULL_KIND, 3, false);
    ck_assert(evs_column_value(&batch->columns[0], 2).is_null);
    evs_batch_unref(batch);
}
END_TEST

/* --- rows ------------------------------------------------------------------------------------------------------------ */

START_TEST(rows_are_visited_in_order_of_the_selection)
{
    struct evs_batch *batch = evs_batch_new(pool, 0);
    static const uint16_t selection[] = {0, 3, 4, 1023};
    uint32_t visits = 0;
    EVS_FOR_ROWS(batch, position, row) {
        visits += 1 + row;
    }
    ck_assert_uint_eq(visits, 0);
    batch->row_count = batch->selected_count = 5;
    EVS_FOR_ROWS(batch, position, row) {
        ck_assert_uint_eq(position, row);
        visits++;
    }
    ck_assert_uint_eq(visits, 5);
    batch->selection = selection;
    batch->selected_count = 4;
    EVS_FOR_ROWS(batch, position, row) {
        ck_assert_uint_eq(row, selection[position]);
        visits++;
    }
    ck_assert_uint_eq(visits, 9);
    evs_batch_unref(batch);
}
END_TEST

START_TEST(causes_keep_partition_and_sequence)
{
    static const uint64_t sequences[] = {0, 1, (UINT64_C(1) << 48) - 1};
    for (uint32_t partition = 0; partition <= 65535; partition += 4369) {
        for (size_t i = 0; i < EVS_COUNT(sequences); i++) {
            struct evs_cause cause = evs_cause_record(partition, sequences[i], 17);
            ck_assert_uint_eq(evs_cause_partition(cause), partition);
            ck_assert_uint_eq(evs_cause_sequence(cause), sequences[i]);
            ck_assert_uint_eq(cause.minor, 17);
        }
    }
}
END_TEST

static TCase *pool_tests(void)
{
    TCase *tests = tcase_create("pool");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_new_batch_is_empty);
    tcase_add_test(tests, a_batch_without_columns_is_possible);
    tcase_add_test(tests, a_root_is_recycled_clean);
    tcase_add_test(tests, a_derived_batch_keeps_its_root_alive);
    tcase_add_test(tests, a_derived_batch_shares_columns_and_may_add_or_drop);
    tcase_add_test(tests, a_root_of_its_own_is_given_to_release);
    tcase_add_test(tests, a_steady_state_allocates_nothing);
    tcase_add_test(tests, a_blown_up_root_gives_its_memory_back);
    tcase_add_exit_test(tests, a_pool_must_not_be_freed_while_a_batch_is_out, 70);
    tcase_add_exit_test(tests, one_unref_too_many_is_caught, 70);
    return tests;
}

static TCase *column_tests(void)
{
    TCase *tests = tcase_create("columns");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, columns_are_aligned_and_all_valid);
    tcase_add_test(tests, a_null_is_one_row_only);
    tcase_add_exit_test(tests, a_column_holds_at_most_a_batch, 70);
    tcase_add_test(tests, values_of_every_kind);
    tcase_add_test(tests, a_constant_stands_for_every_row);
    tcase_add_test(tests, the_kind_of_nothing_is_always_null);
    tcase_add_test(tests, rows_are_visited_in_order_of_the_selection);
    tcase_add_test(tests, causes_keep_partition_and_sequence);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("batch");
    suite_add_tcase(suite, pool_tests());
    suite_add_tcase(suite, column_tests());
    return unit_run(suite);
}
