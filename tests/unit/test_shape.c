/* What is stored about an operator's state, and what is read with it: shapes, the keys of records, rows of another version, forms of accumulators. */
#include "aggregate_form.h"
#include "evstream/keys.h"
#include "evstream/rows.h"
#include "state/key_view.h"
#include "state/shape.h"
#include "unit.h"

#define TEXT(text) EVS_SLICE(text)

static struct evs_state_part keys[3] = {
    {"user_id", 1, TEXT("\5\0")}, {"day", 2, TEXT("\2\0")}, {"city", 3, TEXT("\5\0")}};
static struct evs_state_part columns[1] = {{"count(*)", UINT64_MAX, TEXT("\0\0\2\0")}};
static struct evs_state_part old_rows[4] = {
    {"a", 1, TEXT("\0\5")}, {"b", 2, TEXT("\0\2")}, {"c", 3, TEXT("\0\5")}, {"other", 9, TEXT("\1\2")}};
static const struct evs_state_shape sample = {.kind = "aggregate",
                                              .label = "by user_id, day, city",
                                              .is_named = true,
                                              .window = 5,
                                              .lineage = 6,
                                              .stored_key = {.sections = 2, .nulls_at = 4, .key_at = 8},
                                              .keys = {keys, 3},
                                              .columns = {columns, 1},
                                              .rows = {old_rows, 4}};

START_TEST(shapes_come_back)
{
    struct evs_buffer bytes = {0}, again = {0};
    struct evs_arena arena = {0};
    evs_shape_encode(&sample, &bytes);
    const struct evs_state_shape *read = evs_shape_decode((struct evs_slice){bytes.data, bytes.count}, &arena);
    ck_assert_ptr_nonnull(read);
    ck_assert(read->is_named && !read->is_elastic && read->stored_key.key_at == 8 && read->rows.count == 4);
    ck_assert_str_eq(read->keys.items[2].text, "city");
    evs_shape_encode(read, &again);
    ck_assert(
        evs_slice_equal((struct evs_slice){bytes.data, bytes.count}, (struct evs_slice){again.data, again.count}));
    for (size_t count = 0; count < bytes.count; count++) {
        UNIT_CHECK(evs_shape_decode((struct evs_slice){bytes.data, count}, &arena) == NULL, "%zu bytes are enough",
                   count);
    }
    for (size_t at = 0; at < bytes.count; at++) { /* anything may come of it, but no crash: the record has a checksum */
        bytes.data[at] ^= 0x55;
        (void)evs_shape_decode((struct evs_slice){bytes.data, bytes.count}, &arena);
        bytes.data[at] ^= 0x55;
    }
    evs_buffer_fini(&bytes);
    evs_buffer_fini(&again);
    evs_arena_fini(&arena);
}
END_TEST

/* Texts are cut between characters: they stand in every commit. */
START_TEST(long_texts_are_cut)
{
    char text[EVS_SHAPE_TEXT_MAX * 2 + 2];
    struct evs_buffer bytes = {0};
    struct evs_arena arena = {0};
    memset(text, 'x', sizeof text);
    memcpy(text + EVS_SHAPE_TEXT_MAX - 1, "ä", 2);
    text[sizeof text - 1] = '\0';
    const struct evs_state_shape shape = {.kind = "aggregate", .label = text};
    evs_shape_encode(&shape, &bytes);
    const struct evs_state_shape *read = evs_shape_decode((struct evs_slice){bytes.data, bytes.count}, &arena);
    ck_assert_uint_eq(strlen(read->label), EVS_SHAPE_TEXT_MAX - 1);
    evs_buffer_fini(&bytes);
    evs_arena_fini(&arena);
}
END_TEST

/* A record of section 1: 4 bytes, NULL bits, then text (16), int64 (8), text (16). */
static struct evs_slice stored_key(char fixed[48], const char *user, int64_t day, const char *city, uint32_t nulls)
{
    struct evs_str texts[2] = {evs_str_make(user, (uint32_t)strlen(user)), evs_str_make(city, (uint32_t)strlen(city))};
    for (int i = 0; i < 2; i++) {
        if (texts[i].count > EVS_STR_INLINE_MAX) {
            texts[i].pointer = NULL;
        }
    }
    memset(fixed, 0, 48);
    memcpy(fixed + 4, &nulls, 4);
    memcpy(fixed + 8, &texts[0], 16);
    memcpy(fixed + 24, &day, 8);
    memcpy(fixed + 32, &texts[1], 16);
    return (struct evs_slice){fixed, 48};
}

START_TEST(keys_are_read_without_the_operator)
{
    char fixed[48];
    struct evs_value values[EVS_KEYS_MAX];
    struct evs_slice rest;
    struct evs_snapshot_record record = {.section = 1, .fixed = stored_key(fixed, "ann-of-a-long-name", -7, "Köln", 0)};
    record.variable = TEXT("ann-of-a-long-nameand more");
    ck_assert(evs_key_view(&sample, &record, values, &rest));
    ck_assert(evs_slice_equal((struct evs_slice){evs_str_data(&values[0].str), values[0].str.count},
                              TEXT("ann-of-a-long-name")));
    ck_assert_int_eq(values[1].int64, -7);
    ck_assert(evs_slice_equal((struct evs_slice){evs_str_data(&values[2].str), values[2].str.count}, TEXT("Köln")));
    ck_assert(evs_slice_equal(rest, TEXT("and more")));
    record.variable = TEXT("ann-of-a-long"); /* shorter than it says */
    ck_assert(!evs_key_view(&sample, &record, values, &rest));
    record.variable = TEXT("");
    record.fixed = stored_key(fixed, "", 1, "x", 1);
    ck_assert(evs_key_view(&sample, &record, values, &rest) && values[0].is_null && !values[2].is_null);
    record.fixed.count--;
    ck_assert(!evs_key_view(&sample, &record, values, &rest));
    record.fixed.count++;
    record.section = 0; /* names no key */
    ck_assert(!evs_key_view(&sample, &record, values, &rest));
}
END_TEST

/* The hash of a text alone is the one under which its group is filed. */
START_TEST(hash_of_a_text)
{
    static const char *const texts[] = {"", "a", "exactly12bytes", "ann@example.org, a longer one"};
    for (size_t i = 0; i < EVS_COUNT(texts); i++) {
        struct evs_str value = evs_str_make(texts[i], (uint32_t)strlen(texts[i]));
        struct evs_column column = {.kind = EVS_STRING, .data = &value};
        struct evs_batch batch = {.row_count = 1, .selected_count = 1, .columns = &column, .column_count = 1};
        uint64_t hash;
        evs_key_hash_rows(&batch, (const uint32_t[]){0}, 1, &hash);
        ck_assert_uint_eq(evs_key_hash_of_text(evs_slice_of(texts[i])), hash);
    }
}
END_TEST

/* --- rows ------------------------------------------------------------------------------------------------------------------------- */

static struct evs_row *row_of(struct evs_row_pool *pool, const struct evs_row_layout *layout, const char *a, int64_t b,
                              const char *c)
{
    struct evs_str texts[2] = {evs_str_make(a, (uint32_t)strlen(a)), evs_str_make(c, (uint32_t)strlen(c))};
    struct evs_column cells[3] = {{.kind = EVS_STRING, .data = &texts[0]},
                                  {.kind = EVS_INT64, .data = &b},
                                  {.kind = EVS_STRING, .data = &texts[1]}};
    int64_t time_us = 77;
    struct evs_cause cause = {1, 2};
    struct evs_batch batch = {.row_count = 1,
                              .selected_count = 1,
                              .columns = cells,
                              .column_count = 3,
                              .event_time_us = &time_us,
                              .cause = &cause};
    return evs_row_keep(pool, layout, &batch, 0);
}

/* From (a text, b int64, c text) to (c text, new bool, a text, new numeric, b int64) and to (b). */
START_TEST(rows_take_another_layout)
{
    static const struct evs_type types[] = {
        {.kind = EVS_STRING}, {.kind = EVS_BOOL}, {.kind = EVS_NUMERIC}, {.kind = EVS_INT64}};
    const struct evs_field wide[] = {
        {.type = &types[0]}, {.type = &types[1]}, {.type = &types[0]}, {.type = &types[2]}, {.type = &types[3]}};
    const struct evs_field narrow[] = {{.type = &types[3]}};
    const struct evs_schema schemas[2] = {{5, wide}, {1, narrow}};
    const uint32_t today[2][3] = {{2, 4, 0}, {EVS_NO_PART, 0, EVS_NO_PART}};
    struct evs_row_layout stored, layouts[2];
    struct evs_row_pool pool = {0};
    ck_assert(evs_row_layout_of_parts(&stored, &sample.rows, 0));
    ck_assert_uint_eq(stored.column_count, 3);
    struct evs_row *row = row_of(&pool, &stored, "a text that is long enough", 42, "");
    for (int i = 0; i < 2; i++) {
        evs_row_layout_init(&layouts[i], &schemas[i], NULL, 0);
        struct evs_row *moved = evs_row_restore_moved(&pool, &layouts[i], &stored, today[i], evs_row_slice(row));
        ck_assert_ptr_nonnull(moved);
        ck_assert(evs_row_is_valid(&layouts[i], moved, evs_row_bytes(moved)) && moved->event_time_us == 77);
        ck_assert_int_eq(evs_row_value(&layouts[i], moved, i == 0 ? 4 : 0).int64, 42);
        if (i == 0) {
            struct evs_value a = evs_row_value(&layouts[0], moved, 2);
            ck_assert(evs_slice_equal((struct evs_slice){evs_str_data(&a.str), a.str.count},
                                      TEXT("a text that is long enough")));
            ck_assert(evs_row_is_null(&layouts[0], moved, 1) && evs_row_is_null(&layouts[0], moved, 3));
            ck_assert(!evs_row_is_null(&layouts[0], moved, 0) && evs_row_value(&layouts[0], moved, 0).str.count == 0);
        }
        evs_row_free(&pool, moved);
        ck_assert_ptr_null(
            evs_row_restore_moved(&pool, &layouts[i], &stored, today[i], (struct evs_slice){(const char *)row, 48}));
        evs_row_layout_fini(&layouts[i]);
    }
    evs_row_free(&pool, row);
    ck_assert_uint_eq(pool.block_count, 0);
    evs_row_layout_fini(&stored);
    evs_row_pool_fini(&pool);
}
END_TEST

/* --- forms ------------------------------------------------------------------------------------------------------------------------- */

START_TEST(forms_come_back)
{
    static const struct evs_type text = {.kind = EVS_STRING}, list = {.kind = EVS_ARRAY};
    const struct evs_type *types[] = {&text, &list};
    const uint32_t arguments[2] = {0};
    const struct evs_aggregate_call call = {.kind = EVS_AGG_MAX_BY,
                                            .arguments = arguments,
                                            .types = types,
                                            .argument_count = 2,
                                            .result_type = &text,
                                            .ignore_nulls = true};
    struct evs_buffer bytes = {0};
    struct evs_agg_form form;
    evs_agg_form_write(&call, &bytes);
    ck_assert(evs_agg_form_read((struct evs_slice){bytes.data, bytes.count}, &form));
    ck_assert(form.call.kind == EVS_AGG_MAX_BY && form.call.ignore_nulls && !form.call.is_distinct);
    ck_assert(form.call.argument_count == 2 && form.call.types[1]->kind == EVS_ARRAY &&
              form.call.result_type->kind == EVS_STRING);
    for (size_t count = 0; count < bytes.count; count++) {
        ck_assert(!evs_agg_form_read((struct evs_slice){bytes.data, count}, &form));
    }
    bytes.data[0] = (char)EVS_AGG_KINDS;
    ck_assert(!evs_agg_form_read((struct evs_slice){bytes.data, bytes.count}, &form));
    bytes.data[0] = 0;
    bytes.data[bytes.count - 1] = (char)EVS_KIND_COUNT;
    ck_assert(!evs_agg_form_read((struct evs_slice){bytes.data, bytes.count}, &form));
    evs_buffer_fini(&bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shape");
    TCase *tests = tcase_create("shape");
    tcase_add_test(tests, shapes_come_back);
    tcase_add_test(tests, long_texts_are_cut);
    tcase_add_test(tests, keys_are_read_without_the_operator);
    tcase_add_test(tests, hash_of_a_text);
    tcase_add_test(tests, rows_take_another_layout);
    tcase_add_test(tests, forms_come_back);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
