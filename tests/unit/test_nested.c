/* Types inside of types, and arrays and structs as bytes: what is written is read back; equal values are equal bytes; foreign bytes are refused unless they are
 * exactly what the builder would have written. */
#include <math.h>

#include "evstream/nested.h"
#include "unit.h"

/* --- types --------------------------------------------------------------------------------------------------------- */

static const char *name_of(struct evs_arena *arena, const struct evs_type *type)
{
    return evs_type_name_in(arena, type);
}

START_TEST(types_are_equal_by_structure)
{
    struct evs_arena arena = {0};
    const struct evs_type ints = {.kind = EVS_ARRAY, .element = evs_type_of(EVS_INT64)};
    const struct evs_type *texts = evs_type_array(&arena, evs_type_of(EVS_STRING));
    ck_assert(evs_type_equal(evs_type_of(EVS_INT64), evs_type_of(EVS_INT64)));
    ck_assert(!evs_type_equal(evs_type_of(EVS_INT64), evs_type_of(EVS_TIMESTAMP)));
    ck_assert(evs_type_equal(&ints, evs_type_array_of(EVS_INT64)));
    ck_assert(!evs_type_equal(&ints, texts));
    ck_assert(!evs_type_equal(&ints, evs_type_of(EVS_INT64)));
    struct evs_type_field fields[] = {{"a", evs_type_of(EVS_INT64)}, {"b", texts}};
    const struct evs_type *pair = evs_type_struct(&arena, fields, 2);
    fields[0].name = "A";
    ck_assert(evs_type_equal(pair, evs_type_struct(&arena, fields, 2)));
    ck_assert(!evs_type_equal(pair, evs_type_struct(&arena, fields, 1)));
    fields[0].name = "other";
    ck_assert(!evs_type_equal(pair, evs_type_struct(&arena, fields, 2)));
    ck_assert(evs_type_equal_unnamed(pair, evs_type_struct(&arena, fields, 2)));
    fields[1].type = &ints;
    ck_assert(!evs_type_equal_unnamed(pair, evs_type_struct(&arena, fields, 2)));
    ck_assert(!evs_type_equal(evs_type_array(&arena, pair), &ints));
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(types_have_the_names_that_a_user_writes)
{
    struct evs_arena arena = {0};
    struct evs_type_field fields[] = {
        {"a", evs_type_of(EVS_INT64)}, {NULL, evs_type_of(EVS_STRING)}, {"A", evs_type_array_of(EVS_JSON)}};
    const struct evs_type *type = evs_type_struct(&arena, fields, 3);
    ck_assert_str_eq(name_of(&arena, evs_type_of(EVS_NUMERIC)), "numeric");
    ck_assert_str_eq(name_of(&arena, evs_type_array_of(EVS_DATE)), "array<date>");
    ck_assert_str_eq(name_of(&arena, evs_type_array(&arena, type)), "array<struct<a int64, string, A array<json>>>");
    ck_assert_int_eq(evs_type_field_index(type, evs_slice_of("b")), -1);
    ck_assert_int_eq(evs_type_field_index(type, evs_slice_of("a")), -2);
    ck_assert_int_eq(evs_type_field_index(type, evs_slice_of("")), -1);
    fields[2].name = "c";
    ck_assert_int_eq(evs_type_field_index(evs_type_struct(&arena, fields, 3), evs_slice_of("C")), 2);
    evs_arena_fini(&arena);
}
END_TEST

/* --- values -------------------------------------------------------------------------------------------------------- */

static struct evs_value text_value(enum evs_kind kind, const char *text)
{
    return (struct evs_value){.kind = kind, .str = evs_str_make(text, (uint32_t)strlen(text))};
}

static struct evs_value int_value(int64_t value)
{
    return (struct evs_value){.kind = EVS_INT64, .int64 = value};
}

static struct evs_str array_of(struct evs_arena *arena, enum evs_kind kind, const struct evs_value *values,
                               uint32_t count)
{
    struct evs_nested_builder builder = {0};
    evs_nested_begin_array(&builder, kind);
    for (uint32_t i = 0; i < count; i++) {
        evs_nested_add(&builder, &values[i]);
    }
    size_t bytes = evs_nested_bytes(&builder);
    struct evs_str result = evs_nested_finish(&builder, arena);
    ck_assert_uint_eq(result.count, bytes);
    evs_nested_builder_fini(&builder);
    return result;
}

static bool accepted(const struct evs_str *encoded, const struct evs_type *type)
{
    return evs_nested_valid(evs_str_data(encoded), encoded->count, type);
}

START_TEST(arrays_of_numbers)
{
    struct evs_arena arena = {0};
    struct evs_value values[3] = {int_value(-5), {.kind = EVS_INT64, .is_null = true}, int_value(INT64_MAX)};
    struct evs_str encoded = array_of(&arena, EVS_INT64, values, 3);
    struct evs_nested array = evs_nested_open(&encoded);
    ck_assert_uint_eq(array.count, 3);
    ck_assert_int_eq(evs_nested_at(&array, 0).int64, -5);
    ck_assert(evs_nested_is_null(&array, 1) && evs_nested_at(&array, 1).is_null);
    ck_assert_int_eq(evs_nested_at(&array, 1).kind, EVS_INT64);
    ck_assert_int_eq(evs_nested_at(&array, 2).int64, INT64_MAX);
    ck_assert(accepted(&encoded, evs_type_array_of(EVS_INT64)));
    ck_assert(accepted(&encoded, NULL));
    ck_assert(!accepted(&encoded, evs_type_array_of(EVS_TIMESTAMP)));
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(arrays_of_texts_long_and_short)
{
    struct evs_arena arena = {0};
    struct evs_value values[] = {
        text_value(EVS_STRING, ""),
        text_value(EVS_STRING, "a text that is longer than twelve bytes"),
        {.kind = EVS_STRING, .is_null = true},
        text_value(EVS_STRING, "käse"),
        text_value(EVS_STRING, ""),
    };
    struct evs_str encoded = array_of(&arena, EVS_STRING, values, EVS_COUNT(values));
    struct evs_nested array = evs_nested_open(&encoded);
    for (uint32_t i = 0; i < EVS_COUNT(values); i++) {
        struct evs_value value = evs_nested_at(&array, i);
        ck_assert_int_eq(value.is_null, values[i].is_null);
        ck_assert(value.is_null || evs_str_equal(&value.str, &values[i].str));
    }
    ck_assert(accepted(&encoded, evs_type_array_of(EVS_STRING)));
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(an_empty_array_is_short_and_has_a_kind)
{
    struct evs_arena arena = {0};
    struct evs_str encoded = array_of(&arena, EVS_STRING, NULL, 0);
    ck_assert_uint_le(encoded.count, EVS_STR_INLINE_MAX);
    ck_assert_uint_eq(evs_nested_open(&encoded).count, 0);
    ck_assert(accepted(&encoded, evs_type_array_of(EVS_STRING)));
    ck_assert(!accepted(&encoded, evs_type_array_of(EVS_INT64)));
    evs_arena_fini(&arena);
}
END_TEST

/* A value of each fixed kind, and texts between them, whose ends must be found over the fields in between. */
START_TEST(structs_of_all_kinds)
{
    struct evs_arena arena = {0};
    struct evs_value inner[] = {text_value(EVS_STRING, "inner"), text_value(EVS_STRING, "another one, a bit longer")};
    struct evs_value values[] = {
        text_value(EVS_STRING, "first"),
        {.kind = EVS_BOOL, .boolean = true},
        int_value(7),
        {.kind = EVS_FLOAT64, .float64 = 2.5},
        {.kind = EVS_NUMERIC, .numeric = EVS_NUMERIC_ONE * -3},
        text_value(EVS_BYTES, "\xff\xfe"),
        text_value(EVS_JSON, "{\"a\":[1,2,3]}"),
        {.kind = EVS_TIMESTAMP, .int64 = -1},
        {.kind = EVS_DATE, .int64 = 19782},
        {.kind = EVS_DATETIME, .int64 = 5},
        {.kind = EVS_TIME, .int64 = 6},
        {.kind = EVS_INTERVAL, .interval = {.months = -1, .days = 2, .us = 3}},
        {.kind = EVS_ARRAY, .str = array_of(&arena, EVS_STRING, inner, 2)},
        {.kind = EVS_STRING, .is_null = true},
    };
    struct evs_type_field fields[EVS_COUNT(values)];
    for (uint32_t i = 0; i < EVS_COUNT(values); i++) {
        const struct evs_type *type =
            values[i].kind == EVS_ARRAY ? evs_type_array_of(EVS_STRING) : evs_type_of(values[i].kind);
        fields[i] = (struct evs_type_field){"f", type};
    }
    const struct evs_type *type = evs_type_struct(&arena, fields, EVS_COUNT(values));
    struct evs_nested_builder builder = {0};
    evs_nested_begin_struct(&builder, type);
    for (uint32_t i = 0; i < EVS_COUNT(values); i++) {
        evs_nested_add(&builder, &values[i]);
    }
    struct evs_str encoded = evs_nested_finish(&builder, &arena);
    evs_nested_builder_fini(&builder);
    ck_assert(accepted(&encoded, type));
    struct evs_nested view = evs_nested_open(&encoded);
    ck_assert_uint_eq(view.count, EVS_COUNT(values));
    ck_assert(evs_nested_at(&view, 1).boolean);
    ck_assert_double_eq(evs_nested_at(&view, 3).float64, 2.5);
    ck_assert(evs_nested_at(&view, 4).numeric == EVS_NUMERIC_ONE * -3);
    ck_assert_int_eq(evs_nested_at(&view, 11).interval.months, -1);
    ck_assert_int_eq(evs_nested_at(&view, 11).interval.us, 3);
    for (uint32_t i = 0; i < EVS_COUNT(values); i++) {
        struct evs_value value = evs_nested_at(&view, i);
        ck_assert_int_eq(value.kind, values[i].kind);
        ck_assert_int_eq(value.is_null, values[i].is_null);
        ck_assert(value.is_null || !evs_kind_is_var(value.kind) || evs_str_equal(&value.str, &values[i].str));
        ck_assert(evs_kind_width(value.kind) != 8 || value.int64 == values[i].int64);
    }
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(equal_values_are_equal_bytes)
{
    struct evs_arena arena = {0};
    struct evs_value a[] = {{.kind = EVS_FLOAT64, .float64 = -0.0}, {.kind = EVS_FLOAT64, .float64 = (double)NAN}};
    struct evs_value b[] = {{.kind = EVS_FLOAT64, .float64 = 0.0}, {.kind = EVS_FLOAT64, .float64 = -(double)NAN}};
    struct evs_str x = array_of(&arena, EVS_FLOAT64, a, 2), y = array_of(&arena, EVS_FLOAT64, b, 2);
    ck_assert(evs_str_equal(&x, &y));
    /* A builder that was used before leaves nothing of the value before. */
    struct evs_nested_builder builder = {0};
    struct evs_value null = {.kind = EVS_STRING, .is_null = true}, text = text_value(EVS_STRING, "abc");
    evs_nested_begin_array(&builder, EVS_STRING);
    evs_nested_add(&builder, &null);
    evs_nested_finish(&builder, &arena);
    evs_nested_begin_array(&builder, EVS_STRING);
    evs_nested_add(&builder, &text);
    x = evs_nested_finish(&builder, &arena);
    y = array_of(&arena, EVS_STRING, &text, 1);
    ck_assert(evs_str_equal(&x, &y));
    evs_nested_builder_fini(&builder);
    evs_arena_fini(&arena);
}
END_TEST

/* --- random values ------------------------------------------------------------------------------------------------- */

static const struct evs_type *random_type(struct evs_arena *arena, uint64_t *seed, enum evs_kind form, uint32_t depth)
{
    struct evs_type_field fields[4];
    uint32_t count = form == EVS_ARRAY ? 1 : (uint32_t)(unit_random(seed) % 5);
    for (uint32_t i = 0; i < count; i++) {
        enum evs_kind kind = (enum evs_kind)(1 + unit_random(seed) % EVS_STRUCT);
        bool is_leaf = depth >= 3 || !evs_kind_is_nested(kind);
        kind = form == EVS_ARRAY && kind == EVS_ARRAY ? EVS_STRUCT : kind;
        kind = depth >= 3 && evs_kind_is_nested(kind) ? EVS_STRING : kind;
        fields[i].name = "f";
        fields[i].type = is_leaf ? evs_type_of(kind) : random_type(arena, seed, kind, depth + 1);
    }
    return form == EVS_ARRAY ? evs_type_array(arena, fields[0].type) : evs_type_struct(arena, fields, count);
}

static struct evs_str random_nested(struct evs_arena *arena, uint64_t *seed, const struct evs_type *type);

static struct evs_value random_value(struct evs_arena *arena, uint64_t *seed, const struct evs_type *type)
{
    struct evs_value value = {.kind = type->kind, .is_null = unit_random(seed) % 4 == 0};
    if (value.is_null) {
        return value;
    }
    if (evs_kind_is_nested(type->kind)) {
        value.str = random_nested(arena, seed, type);
    } else if (evs_kind_is_var(type->kind)) {
        value.str = evs_str_make("a text with \xc3\xa4 in it, of any length", (uint32_t)(unit_random(seed) % 12));
    } else if (type->kind == EVS_BOOL) {
        value.boolean = unit_random(seed) & 1;
    } else if (type->kind == EVS_FLOAT64) {
        value.float64 = (double)(int64_t)unit_random(seed);
    } else if (type->kind == EVS_NUMERIC) {
        value.numeric = (int64_t)unit_random(seed);
    } else if (type->kind == EVS_INTERVAL) {
        value.interval = (struct evs_interval){1, (int32_t)unit_random(seed), (int64_t)unit_random(seed)};
    } else {
        value.int64 = (int64_t)unit_random(seed);
    }
    return value;
}

static struct evs_str random_nested(struct evs_arena *arena, uint64_t *seed, const struct evs_type *type)
{
    struct evs_nested_builder builder = {0};
    uint32_t count = type->field_count;
    if (type->kind == EVS_ARRAY) {
        evs_nested_begin_array(&builder, type->element->kind);
        count = (uint32_t)(unit_random(seed) % 12);
    } else {
        evs_nested_begin_struct(&builder, type);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct evs_value value =
            random_value(arena, seed, type->kind == EVS_ARRAY ? type->element : type->fields[i].type);
        evs_nested_add(&builder, &value);
    }
    struct evs_str result = evs_nested_finish(&builder, arena);
    evs_nested_builder_fini(&builder);
    return result;
}

/* Reads a value to its last leaf and writes it again. */
static struct evs_str rewrite(struct evs_arena *arena, const struct evs_str *encoded, const struct evs_type *type)
{
    struct evs_nested view = evs_nested_open(encoded);
    struct evs_nested_builder builder = {0};
    if (type->kind == EVS_ARRAY) {
        evs_nested_begin_array(&builder, type->element->kind);
    } else {
        evs_nested_begin_struct(&builder, type);
    }
    for (uint32_t i = 0; i < view.count; i++) {
        struct evs_value value = evs_nested_at(&view, i);
        if (!value.is_null && evs_kind_is_nested(value.kind)) {
            value.str = rewrite(arena, &value.str, type->kind == EVS_ARRAY ? type->element : type->fields[i].type);
        }
        evs_nested_add(&builder, &value);
    }
    struct evs_str result = evs_nested_finish(&builder, arena);
    evs_nested_builder_fini(&builder);
    return result;
}

START_TEST(any_value_comes_back)
{
    uint64_t seed = 1;
    struct evs_arena arena = {0};
    for (int i = 0; i < 3000; i++) {
        const struct evs_type *type = random_type(&arena, &seed, i % 2 ? EVS_ARRAY : EVS_STRUCT, 0);
        struct evs_str encoded = random_nested(&arena, &seed, type);
        struct evs_str again = rewrite(&arena, &encoded, type);
        UNIT_CHECK(accepted(&encoded, type), "value %d is refused", i);
        UNIT_CHECK(evs_str_equal(&encoded, &again), "value %d is another after it was read", i);
        for (uint32_t cut = 0; cut < encoded.count; cut++) {
            UNIT_CHECK(!evs_nested_valid(evs_str_data(&encoded), cut, type), "value %d cut at %u", i, cut);
        }
        evs_arena_reset(&arena);
    }
    evs_arena_fini(&arena);
}
END_TEST

/* Bytes changed at random, in memory of exactly their size: refused, or safe to read and just as the builder writes them. */
START_TEST(damaged_bytes_are_refused_or_harmless)
{
    uint64_t seed = 2;
    uint32_t refused = 0, changed = 0;
    struct evs_arena arena = {0};
    for (int i = 0; i < 20000; i++) {
        const struct evs_type *type = random_type(&arena, &seed, i % 2 ? EVS_ARRAY : EVS_STRUCT, 0);
        struct evs_str encoded = random_nested(&arena, &seed, type);
        char *bytes = malloc(encoded.count);
        memcpy(bytes, evs_str_data(&encoded), encoded.count);
        for (uint64_t hits = 1 + unit_random(&seed) % 3; hits > 0; hits--) {
            bytes[unit_random(&seed) % encoded.count] = (char)(unit_random(&seed) % (hits == 1 ? 256 : 16));
        }
        if (memcmp(bytes, evs_str_data(&encoded), encoded.count) != 0) {
            changed++;
            struct evs_str damaged = evs_str_make(bytes, encoded.count), again;
            if (!accepted(&damaged, type)) {
                refused++;
            } else {
                again = rewrite(&arena, &damaged, type);
                UNIT_CHECK(evs_str_equal(&damaged, &again), "damage %d was accepted and is no value", i);
            }
        }
        free(bytes);
        evs_arena_reset(&arena);
    }
    ck_assert_uint_gt(refused, changed / 3);
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(bytes_that_are_no_value)
{
    static const struct {
        const char *what, *bytes;
        size_t count;
    } bad[] = {
        {"nothing", "", 0},
        {"no form", "\x01\0\0\0\0\x02", 6},
        {"an array of arrays", "\x0d\0\0\0\0\x0d", 6},
        {"a kind that is none", "\x0d\0\0\0\0\x0f", 6},
        {"more elements than bytes", "\x0d\xff\xff\xff\xff\x02", 6},
        {"more fields than bytes", "\x0e\xff\0\0\0\x02", 6},
        {"a byte behind the end", "\x0d\0\0\0\0\x02\0", 7},
        {"NULLs announced, none there", "\x8d\x01\0\0\0\x01\0\x01", 8},
        {"a NULL behind the last element", "\x8d\x01\0\0\0\x01\x02\0", 8},
        {"a NULL with a value", "\x8d\x01\0\0\0\x01\x01\x01", 8},
        {"a bool of 2", "\x0d\x01\0\0\0\x01\x02", 7},
        {"a negative zero", "\x0d\x01\0\0\0\x03\0\0\0\0\0\0\0\x80", 14},
        {"a numeric of 39 digits", "\x0d\x01\0\0\0\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
         22},
        {"a string that is no UTF-8", "\x0d\x01\0\0\0\x05\x01\0\0\0\xff", 11},
        {"ends that go back", "\x0d\x02\0\0\0\x05\x02\0\0\0\x01\0\0\0ab", 16},
        {"an end behind the data", "\x0d\x01\0\0\0\x05\x05\0\0\0ab", 12},
        {"an empty inner struct", "\x0d\x01\0\0\0\x0e\0\0\0\0", 10},
    };
    for (size_t i = 0; i < EVS_COUNT(bad); i++) {
        ck_assert_msg(!evs_nested_valid(bad[i].bytes, bad[i].count, NULL), "%s", bad[i].what);
    }
    ck_assert(evs_nested_valid("\x8d\x01\0\0\0\x01\x01\0", 8, NULL));
    ck_assert(evs_nested_valid("\x0d\0\0\0\0\x02", 6, evs_type_array_of(EVS_INT64)));
}
END_TEST

/* A struct in a struct in a struct …: the depth is limited, so the recursion is. */
START_TEST(depth_is_limited)
{
    struct evs_arena arena = {0};
    const struct evs_type *type = evs_type_struct(&arena, NULL, 0);
    struct evs_value value = {.kind = EVS_STRUCT, .str = random_nested(&arena, &(uint64_t){0}, type)};
    for (int depth = 1; depth <= EVS_TYPE_DEPTH_MAX; depth++) {
        ck_assert(accepted(&value.str, NULL));
        type = evs_type_struct(&arena, &(struct evs_type_field){"f", type}, 1);
        struct evs_nested_builder builder = {0};
        evs_nested_begin_struct(&builder, type);
        evs_nested_add(&builder, &value);
        value.str = evs_nested_finish(&builder, &arena);
        evs_nested_builder_fini(&builder);
    }
    ck_assert(!accepted(&value.str, NULL));
    evs_arena_fini(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nested");
    TCase *tests = tcase_create("values");
    tcase_add_test(tests, types_are_equal_by_structure);
    tcase_add_test(tests, types_have_the_names_that_a_user_writes);
    tcase_add_test(tests, arrays_of_numbers);
    tcase_add_test(tests, arrays_of_texts_long_and_short);
    tcase_add_test(tests, an_empty_array_is_short_and_has_a_kind);
    tcase_add_test(tests, structs_of_all_kinds);
    tcase_add_test(tests, equal_values_are_equal_bytes);
    tcase_add_test(tests, any_value_comes_back);
    suite_add_tcase(suite, tests);
    TCase *foreign = tcase_create("foreign bytes");
    tcase_add_test(foreign, bytes_that_are_no_value);
    tcase_add_test(foreign, damaged_bytes_are_refused_or_harmless);
    tcase_add_test(foreign, depth_is_limited);
    suite_add_tcase(suite, foreign);
    return unit_run(suite);
}
