/* deduplicate, throttle, sample, hold, top and order by against models that read the rows once, in order, on thousands of small inputs: random cuts into
 * batches, watermarks that come early or late, snapshots, other numbers of workers (keyed_world.h). */
#include <xxhash.h>

#include "evstream/rows.h"
#include "keyed_world.h"
#include "op_deduplicate.h"
#include "op_hold.h"
#include "op_sample.h"
#include "op_sort.h"
#include "op_throttle.h"
#include "op_top.h"

#define SEEDS unit_cases(4000)

static const uint32_t key_column[1] = {WORLD_KEY};

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

static void expect_row(struct op_lines *lines, const struct op_row *row, int64_t time_us)
{
    op_lines_row(lines, time_us, row->cause, 0, row->values, WORLD_COLUMNS);
}

/* --- deduplicate ------------------------------------------------------------------------------------------------------------------ */

struct kept { /* a row that was no duplicate */
    int key;
    int64_t at_us, forget_us;
    const struct op_row *best; /* keep last */
};

/* Reads the rule: is the row near to a kept one that is still remembered? */
static struct kept *find_kept(struct kept *kept, uint32_t count, const struct op_row *row, int64_t within_us)
{
    struct kept *found = NULL;
    for (uint32_t i = 0; i < count; i++) {
        bool is_duplicate = kept[i].key == world_key(row) && kept[i].forget_us > row->watermark_us &&
                            distance(kept[i].at_us, row->time_us) < within_us;
        bool goes_first = found == NULL || kept[i].forget_us < found->forget_us ||
                          (kept[i].forget_us == found->forget_us && kept[i].at_us < found->at_us);
        found = is_duplicate && goes_first ? &kept[i] : found;
    }
    return found;
}

static void expect_deduplicated(const struct world *world, int64_t within_us, bool keep_last, struct op_lines *lines)
{
    struct kept kept[WORLD_ROWS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->row_count; i++) {
        const struct op_row *row = &world->rows[i];
        struct kept *found = world_key(row) < 0 ? NULL : find_kept(kept, count, row, within_us);
        if (found != NULL) {
            found->best = world_compare(row, found->best) > 0 ? row : found->best;
            continue;
        }
        if (world_key(row) < 0 || !keep_last) {
            expect_row(lines, row, row->time_us);
        }
        if (world_key(row) >= 0) {
            int64_t from_us = row->time_us > row->watermark_us ? row->time_us : row->watermark_us;
            kept[count++] = (struct kept){world_key(row), row->time_us, from_us + within_us, row};
        }
    }
    for (uint32_t i = 0; keep_last && i < count; i++) {
        expect_row(lines, kept[i].best, kept[i].forget_us);
    }
}

static void check_deduplicate(uint64_t seed, bool keep_last)
{
    struct world world;
    struct op_lines expected = {0};
    world_make(&world, seed);
    struct evs_deduplicate_config config = {key_column, 1, 1 + (int64_t)(seed % 25), keep_last};
    world.made.operator_ = &evs_op_deduplicate;
    world.made.config = &config;
    world.made.keys = key_column;
    world.made.key_count = 1;
    world_run(&world);
    expect_deduplicated(&world, config.within_us, keep_last, &expected);
    world_check(&world, 0, &expected, false);
    ck_assert_int_eq(op_case_counter(&world.made, EVS_COUNT_STATE_KEYS), 0); /* all is forgotten at the end */
    op_case_end(&world.made);
}

START_TEST(test_deduplicate_first)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_deduplicate(seed, false);
    }
}
END_TEST

START_TEST(test_deduplicate_last)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_deduplicate(seed, true);
    }
}
END_TEST

/* --- throttle ----------------------------------------------------------------------------------------------------------------------- */

static int64_t floor_to(int64_t time_us, int64_t size_us)
{
    return time_us - ((time_us % size_us) + size_us) % size_us;
}

static bool is_near(const struct evs_throttle_config *config, int64_t a, int64_t b)
{
    return config->interval_us > 0 ? distance(a, b) < config->interval_us
                                   : floor_to(a, config->period.us) == floor_to(b, config->period.us);
}

static bool is_late(const struct evs_throttle_config *config, const struct op_row *row)
{
    int64_t end_us =
        config->interval_us > 0 ? row->time_us + 1 : floor_to(row->time_us, config->period.us) + config->period.us;
    return end_us <= row->watermark_us;
}

static void check_throttle(uint64_t seed, bool by_calendar)
{
    struct world world;
    struct op_lines passing = {0}, dropped = {0};
    const struct op_row *passed[WORLD_ROWS_MAX];
    uint32_t count = 0;
    int64_t late = 0, nulls = 0;
    world_make(&world, seed);
    struct evs_throttle_config config = {
        .keys = key_column, .key_count = 1, .limit = 1 + (uint32_t)(seed % 3), .dropped_output = true};
    config.interval_us = by_calendar ? 0 : 1 + (int64_t)(seed % 20);
    config.period.us = by_calendar ? 1 + (int64_t)(seed % 20) : 0;
    world.made.operator_ = &evs_op_throttle;
    world.made.config = &config;
    world.made.keys = key_column;
    world.made.key_count = 1;
    world_run(&world);
    for (uint32_t i = 0; i < world.row_count; i++) {
        const struct op_row *row = &world.rows[i];
        uint32_t near = 0;
        if (world_key(row) < 0) {
            nulls++;
            continue;
        }
        for (uint32_t k = 0; k < count; k++) {
            near += world_key(passed[k]) == world_key(row) && is_near(&config, passed[k]->time_us, row->time_us);
        }
        bool passes = !is_late(&config, row) && near < config.limit;
        late += is_late(&config, row);
        expect_row(passes ? &passing : &dropped, row, row->time_us);
        passed[count] = row;
        count += passes;
    }
    world_check(&world, 0, &passing, false);
    world_check(&world, 1, &dropped, false);
    ck_assert_int_eq(op_case_counter(&world.made, EVS_COUNT_LATE), late);
    ck_assert_int_eq(op_case_counter(&world.made, EVS_COUNT_NULL_KEY), nulls);
    ck_assert_int_eq(op_case_counter(&world.made, EVS_COUNT_STATE_KEYS), 0);
    op_case_end(&world.made);
}

START_TEST(test_throttle_interval)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_throttle(seed, false);
    }
}
END_TEST

START_TEST(test_throttle_calendar)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_throttle(seed, true);
    }
}
END_TEST

/* --- hold ---------------------------------------------------------------------------------------------------------------------------- */

static void check_hold(uint64_t seed)
{
    static const uint32_t keys[1] = {WORLD_UNTIL};
    struct world world;
    struct op_lines expected = {0};
    world_make(&world, seed);
    struct evs_hold_config config = {
        .until = WORLD_UNTIL, .at_most_us = (int64_t)(seed % 20) - 1, .keys = keys, .key_count = 1};
    world.made.operator_ = &evs_op_hold;
    world.made.config = &config;
    world.made.keys = keys;
    world.made.key_count = 1;
    world_run(&world);
    for (uint32_t i = 0; i < world.row_count; i++) {
        const struct op_row *row = &world.rows[i];
        int64_t due_us = row->values[WORLD_UNTIL].int64;
        if (config.at_most_us >= 0 && due_us > row->time_us + config.at_most_us) {
            due_us = row->time_us + config.at_most_us;
        }
        bool is_held = !row->values[WORLD_UNTIL].is_null && due_us > row->watermark_us;
        expect_row(&expected, row, is_held && due_us > row->time_us ? due_us : row->time_us);
    }
    world_check(&world, 0, &expected, false);
    ck_assert_int_eq(op_case_counter(&world.made, EVS_COUNT_STATE_KEYS), 0);
    op_case_end(&world.made);
}

START_TEST(test_hold)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_hold(seed);
    }
}
END_TEST

/* --- order by -------------------------------------------------------------------------------------------------------------------------- */

static int order_sign; /* of the running test: 0 none, 1 ascending, -1 descending */
static bool nulls_last;

static int by_number(const struct evs_value *a, const struct evs_value *b)
{
    if (a->is_null || b->is_null) {
        int first = (int)b->is_null - (int)a->is_null;
        return nulls_last ? -first : first;
    }
    return order_sign * ((a->int64 > b->int64) - (a->int64 < b->int64));
}

static int by_order(const void *a, const void *b)
{
    const struct op_row *left = a, *right = b;
    int order = order_sign == 0 ? 0 : by_number(&left->values[WORLD_NUMBER], &right->values[WORLD_NUMBER]);
    return order != 0 ? order : world_compare(left, right);
}

static void check_sort(uint64_t seed)
{
    struct world world;
    struct op_lines expected = {0};
    world_make(&world, seed);
    order_sign = (int)(seed % 3) - 1;
    nulls_last = seed % 2 == 0;
    struct evs_order_term term = {WORLD_NUMBER, order_sign < 0, nulls_last};
    struct evs_sort_config config = {.terms = &term, .term_count = order_sign != 0, .limit = seed % 7 * 4};
    config.offset = seed % 5 < 3 ? 0 : seed % 11;
    config.limit = seed % 7 == 6 ? UINT64_MAX : config.limit;
    world.made.operator_ = &evs_op_sort;
    world.made.config = &config;
    world_run(&world);
    qsort(world.rows, world.row_count, sizeof *world.rows, by_order);
    uint64_t kept = config.limit == UINT64_MAX ? config.limit : config.offset + config.limit;
    int64_t end_us = world.last_watermark_us;
    for (uint32_t i = 0; i < world.row_count && i < kept; i++) {
        end_us = world.rows[i].time_us > end_us ? world.rows[i].time_us : end_us;
    }
    for (uint64_t i = config.offset; i < world.row_count && i < kept; i++) {
        expect_row(&expected, &world.rows[i], end_us);
    }
    world_check(&world, 0, &expected, true);
    op_case_end(&world.made);
}

START_TEST(test_sort)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_sort(seed);
    }
}
END_TEST

/* --- top --------------------------------------------------------------------------------------------------------------------------------- */

static bool is_one_group(const struct op_row *a, const struct op_row *b, bool by_key)
{
    return a->values[WORLD_START].int64 == b->values[WORLD_START].int64 && (!by_key || world_key(a) == world_key(b));
}

static struct evs_value count_value(int64_t count)
{
    return (struct evs_value){.kind = EVS_INT64, .int64 = count};
}

/* Each row's place among the rows of its window that were in time, by counting those that are before it. */
static void expect_top(const struct world *world, const struct op_row *rows, uint32_t count,
                       const struct evs_top_config *config, struct op_lines *lines)
{
    (void)world;
    for (uint32_t i = 0; i < count; i++) {
        struct evs_value values[OP_CASE_COLUMNS_MAX];
        int64_t before = 0, better = 0, levels = 0;
        for (uint32_t k = 0; k < count; k++) {
            bool counts = is_one_group(&rows[i], &rows[k], config->key_count > 2);
            int order = by_number(&rows[k].values[WORLD_NUMBER], &rows[i].values[WORLD_NUMBER]);
            before += counts && by_order(&rows[k], &rows[i]) < 0;
            better += counts && order < 0;
            bool is_first_of_level = counts && order < 0;
            for (uint32_t m = 0; m < k && is_first_of_level; m++) {
                is_first_of_level = !is_one_group(&rows[i], &rows[m], config->key_count > 2) ||
                                    by_number(&rows[m].values[WORLD_NUMBER], &rows[k].values[WORLD_NUMBER]) != 0;
            }
            levels += is_first_of_level;
        }
        memcpy(values, rows[i].values, WORLD_COLUMNS * sizeof *values);
        values[WORLD_COLUMNS] = count_value(before + 1);
        values[WORLD_COLUMNS + 1] = count_value(better + 1);
        values[WORLD_COLUMNS + 2] = count_value(levels + 1);
        struct evs_cause cause = {(uint64_t)values[WORLD_START].int64, (uint64_t)values[WORLD_END].int64};
        if ((uint64_t)(config->keeps_ties ? better : before) < config->limit) {
            op_lines_row(lines, values[WORLD_END].int64 - 1, cause, (uint32_t)before, values,
                         WORLD_COLUMNS + config->number_count);
        }
    }
}

static void check_top(uint64_t seed)
{
    static const uint32_t keys[3] = {WORLD_START, WORLD_END, WORLD_KEY};
    static const enum evs_top_number numbers[3] = {EVS_TOP_ROW_NUMBER, EVS_TOP_RANK, EVS_TOP_DENSE_RANK};
    struct world world;
    struct op_lines expected = {0};
    struct op_row in_time[WORLD_ROWS_MAX];
    uint32_t count = 0;
    world_make(&world, seed);
    order_sign = seed % 2 == 0 ? 1 : -1;
    nulls_last = seed % 4 < 2;
    struct evs_order_term term = {WORLD_NUMBER, order_sign < 0, nulls_last};
    struct evs_top_config config = {.keys = keys,
                                    .key_count = 2 + (uint32_t)(seed % 3 == 0),
                                    .terms = &term,
                                    .term_count = 1,
                                    .limit = seed % 5 == 4 ? UINT64_MAX : 1 + seed % 4,
                                    .keeps_ties = seed % 7 < 3 && seed % 5 != 4,
                                    .numbers = numbers};
    config.number_count = config.limit == UINT64_MAX || config.keeps_ties ? 3 : 1;
    for (uint32_t i = 0; i < config.number_count; i++) {
        world_add_output(&world);
    }
    world.made.operator_ = &evs_op_top;
    world.made.config = &config;
    world.made.keys = keys;
    world.made.key_count = config.key_count;
    world_run(&world);
    for (uint32_t i = 0; i < world.row_count; i++) {
        in_time[count] = world.rows[i];
        count += world.rows[i].values[WORLD_END].int64 > world.rows[i].watermark_us;
    }
    expect_top(&world, in_time, count, &config, &expected);
    world_check(&world, 0, &expected, false);
    ck_assert_int_eq(op_case_counter(&world.made, EVS_COUNT_LATE), (int64_t)world.row_count - count);
    ck_assert_int_eq(op_case_counter(&world.made, EVS_COUNT_STATE_KEYS), 0);
    op_case_end(&world.made);
}

START_TEST(test_top)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_top(seed);
    }
}
END_TEST

/* --- sample -------------------------------------------------------------------------------------------------------------------------------- */

/* The documented formula, by the library itself. */
START_TEST(test_sample_hash)
{
    struct evs_buffer scratch = {0};
    static const char *const keys[] = {"", "ann", "42",
                                       "a key that is longer than any short path of a hash function takes in one go"};
    static const char *const salts[] = {"", "spring", "a salt"};
    for (size_t i = 0; i < EVS_COUNT(keys) * EVS_COUNT(salts); i++) {
        const char *key = keys[i % EVS_COUNT(keys)], *salt = salts[i / EVS_COUNT(keys)];
        char bytes[256];
        size_t count = (size_t)snprintf(bytes, sizeof bytes, "%s%c%s", salt, 0, key);
        uint64_t expected = XXH3_64bits_withSeed(bytes, count, UINT64_C(0x657673747265616d));
        ck_assert_uint_eq(evs_sample_hash(evs_slice_of(salt), evs_slice_of(key), &scratch), expected);
    }
    evs_buffer_fini(&scratch);
}
END_TEST

START_TEST(test_sample_threshold)
{
    uint64_t threshold;
    bool all;
    ck_assert(evs_sample_threshold(0, &threshold, &all) && threshold == 0 && !all);
    ck_assert(evs_sample_threshold(100 * EVS_NUMERIC_ONE, &threshold, &all) && all);
    ck_assert(evs_sample_threshold(50 * EVS_NUMERIC_ONE, &threshold, &all) && threshold == UINT64_C(1) << 63 && !all);
    ck_assert(evs_sample_threshold(EVS_NUMERIC_ONE / 4, &threshold, &all) && threshold == UINT64_C(46116860184273879));
    ck_assert(!evs_sample_threshold(-1, &threshold, &all));
    ck_assert(!evs_sample_threshold(100 * EVS_NUMERIC_ONE + 1, &threshold, &all));
}
END_TEST

/* Every row is in one of the outputs, by its key alone; NULL is in none; a smaller group is part of a larger one. */
START_TEST(test_sample_groups)
{
    for (uint64_t seed = 0; seed < SEEDS / 4; seed++) {
        struct world world;
        struct op_lines passing = {0}, rest = {0};
        struct evs_buffer scratch = {0};
        struct evs_sample_config config = {.key = WORLD_KEY, .salt = evs_slice_of("salt"), .rest_output = true};
        world_make(&world, seed);
        ck_assert(evs_sample_threshold((evs_numeric)(seed % 101) * EVS_NUMERIC_ONE, &config.threshold, &config.all));
        world.made.operator_ = &evs_op_sample;
        world.made.config = &config;
        world_run(&world);
        for (uint32_t i = 0; i < world.row_count; i++) {
            const struct op_row *row = &world.rows[i];
            uint64_t hash = evs_sample_hash(config.salt, evs_str_slice(&row->values[WORLD_KEY].str), &scratch);
            bool passes = (unsigned __int128)hash * 100 < ((unsigned __int128)(seed % 101) << 64);
            if (world_key(row) >= 0) {
                expect_row(passes ? &passing : &rest, row, row->time_us);
            }
        }
        world_check(&world, 0, &passing, false);
        world_check(&world, 1, &rest, false);
        op_case_end(&world.made);
        evs_buffer_fini(&scratch);
    }
}
END_TEST

/* What is stored is read back, or refused with the reason: rows of other columns, damaged bytes, another layout. */
START_TEST(test_refused_records)
{
    static const uint32_t keys[1] = {WORLD_UNTIL};
    struct world world;
    struct evs_error error;
    world_make(&world, 3);
    struct evs_hold_config config = {.until = WORLD_UNTIL, .at_most_us = -1, .keys = keys, .key_count = 1};
    world.made.operator_ = &evs_op_hold;
    world.made.config = &config;
    op_case_begin(&world.made, 1);
    uint64_t head[2] = {1000, 12345}; /* when it is due, and a shape that no rows have */
    struct evs_snapshot_record record = {.fixed = {(const char *)head, sizeof head},
                                         .variable = EVS_SLICE("no row at all, but bytes")};
    ck_assert_int_eq(op_case_restore(&world.made, &record, &error), EVS_E_STATE);
    ck_assert_ptr_nonnull(strstr(error.text, "other columns"));
    record.fixed.count--;
    ck_assert_int_eq(op_case_restore(&world.made, &record, &error), EVS_E_STATE);
    struct evs_row_layout layout;
    evs_row_layout_init(&layout, &world.made.input, NULL, 0);
    head[1] = layout.column_count; /* the shape, as row_keep.c makes it */
    for (uint32_t i = 0; i < layout.column_count + world.made.wants_key; i++) {
        uint64_t parts[2] = {i == 0 ? layout.column_count + world.made.wants_key : head[1],
                             i < layout.column_count ? layout.columns[i].kind : EVS_NUMERIC};
        head[1] = evs_hash64(parts, sizeof parts);
    }
    evs_row_layout_fini(&layout);
    record.fixed.count++;
    ck_assert_int_eq(op_case_restore(&world.made, &record, &error), EVS_E_CORRUPT);
    op_case_end(&world.made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keyed");
    TCase *tests = tcase_create("keyed");
    tcase_add_test(tests, test_deduplicate_first);
    tcase_add_test(tests, test_deduplicate_last);
    tcase_add_test(tests, test_throttle_interval);
    tcase_add_test(tests, test_throttle_calendar);
    tcase_add_test(tests, test_hold);
    tcase_add_test(tests, test_sort);
    tcase_add_test(tests, test_top);
    tcase_add_test(tests, test_sample_hash);
    tcase_add_test(tests, test_sample_threshold);
    tcase_add_test(tests, test_sample_groups);
    tcase_add_test(tests, test_refused_records);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
