/* Arrays, structs and the JSON functions that make, change and read them: tables of texts and results, the typing, and whole batches
 * against plain loops. The examples of the functions' own table: test_expr_table.c. */
#include <check.h>
#include <stdlib.h>

#include "evstream/nested.h"
#include "expr_case.h"
#include "unit.h"

static const struct example arrays[] = {
    {"[1, 2.5]", "[1, 2.5]"},
    {"[1, numeric '2.5']", "[1, 2.5]"},
    {"[]", "[]"},
    {"[null]", "[NULL]"},
    {"[null, 'a']", "[NULL, a]"},
    {"['2026-01-05', date '2026-01-06']", "[2026-01-05, 2026-01-06]"},
    {"[1, 'a']", "plan: the elements of an array need one type, and these have none in common; cast some of them"},
    {"[[1], [2]]", "plan: an array cannot hold arrays; put each into a struct: [struct([1, 2] as part)]"},
    {"['a', 'b'][2]", "error: R0111"},
    {"['a', 'b'][-1]", "error: R0111"},
    {"['a', 'b'][ordinal(0)]", "error: R0111"},
    {"['a', 'b'][ordinal(2)]", "b"},
    {"['a', 'b'][null]", "NULL"},
    {"['a', null][1]", "NULL"},
    {"['a', 'b'][safe_offset(-1)]", "NULL"},
    {"['a'][safe_ordinal(0)]", "NULL"},
    {"if(false, [1], null)[0]", "NULL"},
    {"array_length(if(false, [1], null))", "NULL"},
    {"array_length([])", "0"},
    {"array_concat([1], [2.5])", "[1, 2.5]"},
    {"array_concat([1], null)", "NULL"},
    {"array_concat(['a'], [1])", "plan: `array_concat` does not take (array<string>, array<int64>); it takes "
                                 "array_concat(array<T>, …) → array<T>"},
    {"array_first([])", "error: R0111"},
    {"array_last([null])", "NULL"},
    {"array_reverse([])", "[]"},
    {"array_slice([1, 2, 3], -2, 5)", "[2, 3]"},
    {"array_slice([1, 2, 3], 2, 1)", "[]"},
    {"array_slice([1, 2, 3], -9, 0)", "[1]"},
    {"array_slice([1, 2, 3], -9223372036854775808, 9223372036854775807)", "[1, 2, 3]"},
    {"array_slice([1, 2, 3], null, 1)", "NULL"},
    {"array_to_string(['a', null, ''], ',')", "a,"},
    {"array_to_string([null, null], ',')", ""},
    {"array_to_string([null], ',', 'none')", "none"},
    {"array_to_string([b'a', b'\\xff'], b'-') = b'a-\\xff'", "true"},
    {"array_includes([1, null], 2)", "false"},
    {"array_includes([1, null], null)", "NULL"},
    {"array_includes([1.5, 2.5], 2)", "false"},
    {"array_includes([cast('nan' as float64)], cast('nan' as float64))", "false"},
    {"array_includes([interval 1 month], interval 30 day)", "true"},
    {"array_includes([struct(1 as a, 'x' as b)], (1, 'x'))", "true"},
    {"array_includes_any([1, 2], [])", "false"},
    {"array_includes_all([1, 2], [])", "true"},
    {"array_includes_all([1, 2, null], [1, null])", "false"},
    {"2 in unnest([1, 2])", "true"},
    {"2 in unnest([1, null])", "NULL"},
    {"2 in unnest([])", "false"},
    {"null in unnest([1])", "NULL"},
    {"2 not in unnest([1])", "true"},
    {"2 in unnest(if(false, [1], null))", "false"},
    {"2.0 in unnest([1, 2])", "true"},
    {"array_is_distinct([1, null, null])", "false"},
    {"array_is_distinct([0.0, -0.0])", "false"},
    {"array_is_distinct([])", "true"},
    {"array_min([cast('nan' as float64), 1.0])", "nan"},
    {"array_max([null])", "NULL"},
    {"array_max([false, true])", "true"},
    {"array_max([interval 40 day, interval 1 month])", "0-0 40 0:0:0"},
    {"array_sum([9223372036854775807, 1])", "error: R0101"},
    {"array_sum([numeric '1.5', 2])", "3.5"},
    {"array_sum([1e308, 1e308])", "error: R0101"},
    {"array_avg([1, 2])", "1.5"},
    {"array_avg([null])", "NULL"},
    {"array_avg([numeric '1', numeric '2', numeric '2'])", "1.666666667"},
    {"generate_array(1, 0)", "[]"},
    {"generate_array(3, 1, -1)", "[3, 2, 1]"},
    {"generate_array(1, 2, 0)", "error: R0104"},
    {"generate_array(1, 10000000)", "error: R0107"},
    {"generate_array(9223372036854775806, 9223372036854775807)", "[9223372036854775806, 9223372036854775807]"},
    {"generate_array(0, 1, 0.25)", "[0, 0.25, 0.5, 0.75, 1]"},
    {"generate_array(numeric '0', numeric '0.3', numeric '0.1')", "[0, 0.1, 0.2, 0.3]"},
    {"generate_date_array('2026-01-05', '2026-01-03', interval -1 day)", "[2026-01-05, 2026-01-04, 2026-01-03]"},
    {"generate_date_array('9999-12-31', '9999-12-31')", "[9999-12-31]"},
    {"generate_date_array('2026-01-05', '2026-01-06', interval 1 hour)", "error: R0104"},
    {"generate_timestamp_array('2026-01-05T00:00:00Z', '2026-01-05T01:00:00Z', interval 1 month)", "error: R0104"},
    {"split('', ',')", "[]"},
    {"array_length(split(''))", "1"},
    {"split('aXXbXX', 'XX')", "[a, b, ]"},
    {"split('k\xc3\xa4se', '')", "[k, \xc3\xa4, s, e]"},
    {"split(null)", "NULL"},
};
EXAMPLES(arrays)

static const struct example structs[] = {
    {"struct(1 as a, null as b).b", "NULL"},
    {"struct(1 as a, struct('x' as c) as b).b.c", "x"},
    {"struct(1 as a).A", "1"},
    {"struct(1 as a).b", "plan: no field `b` in struct<a int64>"},
    {"struct(1 as a, 2 as a).a", "plan: several fields `a` in struct<a int64, a int64>"},
    {"(1, 'x') = (1, 'x')", "true"},
    {"(1, 'x') = struct(1 as a, 'x' as b)", "true"},
    {"(1, 'x') != (1, 'y')", "true"},
    {"(1, null) = (1, 'y')", "NULL"},
    {"(1, null) = (2, 'y')", "false"},
    {"(1, 2.5) = (1.0, 2)", "plan: `=` cannot compare a struct<int64, float64> with a struct<float64, int64>; cast one "
                            "of them"},
    {"(1, 2) = (1.0, 2.0)", "true"},
    {"(1, 2) < (1, 3)", "plan: `<` cannot compare two values of type struct<int64, int64>"},
    {"(1, [2]) = (1, [2])", "plan: `struct(1, [2])` is struct<int64, array<int64>>, and only the order of bytes could "
                            "compare arrays and json; "
                            "compare to_json_string(…) of both, or take a value out first"},
    {"(1, 'a') in ((2, 'b'), (1, 'a'))", "true"},
    {"(1, 'a') in ((2, 'b'))", "false"},
    {"(1, null) is distinct from (1, null)", "false"},
    {"(1, null) is distinct from (1, 2)", "true"},
    {"[1, null] is not distinct from [1, null]", "true"},
    {"cast('nan' as float64) is distinct from cast('nan' as float64)", "false"},
    {"null is distinct from 1", "true"},
    {"interval 1 month is distinct from interval 30 day", "false"},
    {"nullif((1, 2), (1, 2))", "NULL"},
    {"coalesce(null, (1, 'a'))", "(1, a)"},
    {"case when false then [1] else [2.5] end", "[2.5]"},
    {"if(true, struct(1 as a), struct(2 as b)).a", "1"},
    {"to_json_string(struct(1 as a, 2 as b)) = to_json_string(struct(1 as x, 2 as b))", "false"},
};
EXAMPLES(structs)

static const struct example json[] = {
    {"to_json_string(null)", "null"},
    {"to_json_string(9007199254740993)", "\"9007199254740993\""},
    {"to_json_string([9007199254740993, 1])", "[\"9007199254740993\",1]"},
    {"to_json(9007199254740993)", "9007199254740993"},
    {"to_json_string(b'\\xff\\x00')", "\"/wA=\""},
    {"to_json_string(cast('inf' as float64))", "\"Infinity\""},
    {"to_json_string('\\x01\"\\\\')", "\"\\u0001\\\"\\\\\""},
    {"to_json_string(timestamp '2026-01-05 10:00:00.5+00')", "\"2026-01-05T10:00:00.500Z\""},
    {"to_json_string(datetime '2026-01-05 10:00:00')", "\"2026-01-05T10:00:00\""},
    {"to_json_string(time '10:00:00')", "\"10:00:00\""},
    {"to_json_string(interval 90 minute)", "\"PT1H30M\""},
    {"to_json_string(interval -14 month)", "\"P-1Y-2M\""},
    {"to_json_string(interval 0 day)", "\"P0D\""},
    {"to_json_string((1, 'a'))", "{\"_field_1\":1,\"_field_2\":\"a\"}"},
    {"to_json_string(struct([struct(1 as a)] as l))", "{\"l\":[{\"a\":1}]}"},
    {"to_json_string(json ' {\"a\" : [ 1 , {} ] }', true)", "{\n  \"a\": [\n    1,\n    {}\n  ]\n}"},
    {"to_json_string(struct(1 as a), true)", "{\n  \"a\": 1\n}"},
    {"json_array()", "[]"},
    {"json_object()", "{}"},
    {"json_object('a')", "plan: json_object takes pairs of a name and a value, as in json_object('sku', sku, 'n', 1)"},
    {"json_object(1, 2)", "plan: the name `1` of json_object is int64; a name is a string"},
    {"json_object('a', 1, 'a', 2)", "{\"a\":1}"},
    {"json_object(cast(null as string), 1)", "error: R0104"},
    {"json_set(json '{\"a\":{\"b\":1}}', '$.a.b', null)", "NULL"},
    {"json_set(json '{\"a\":1}', '$.a.b', 2)", "{\"a\":1}"},
    {"json_set(json '{\"a\":null}', '$.a.b', 2)", "{\"a\":{\"b\":2}}"},
    {"json_set(json '[1]', '$[3]', 'x')", "[1,null,null,\"x\"]"},
    {"json_set(json '[1]', '$.a', 1)", "[1]"},
    {"json_set(json '1', '$', [2])", "[2]"},
    {"json_set(json '{\"a\":1,\"a\":2}', '$.a', 3)", "{\"a\":3,\"a\":2}"},
    {"json_set(json '{\"a\\\\u0062\":1}', '$.ab', 3)", "{\"a\\u0062\":3}"},
    {"json_set(json '{}', '$.a', 1, '$.b')", "plan: json_set takes pairs of a path and a value"},
    {"json_set(json '{}', 'a', 1)", "plan: 'a' is no JSON path; one looks like '$.items[0].\"unit price\"'"},
    {"json_set(json '[]', '$[100001]', 1)", "plan: '$[100001]': elements up to number 100000 can be changed"},
    {"json_remove(json '{\"a\":[1,2,3]}', '$.a[1]', '$.a[1]')", "{\"a\":[1]}"},
    {"json_remove(json '{\"a\":1}', '$.b')", "{\"a\":1}"},
    {"json_remove(json '{}', '$')", "plan: the path '$' is the whole value, which json_remove cannot remove"},
    {"json_array_append(json '{\"a\":null}', '$.a', 1)", "{\"a\":[1]}"},
    {"json_array_append(json '{\"a\":1}', '$.a', 1)", "{\"a\":1}"},
    {"json_array_append(json '[]', '$', json '[1,2]')", "[[1,2]]"},
    {"json_array_insert(json '[1]', '$[3]', 2)", "[1,null,null,2]"},
    {"json_array_insert(json '[1]', '$[0]', [8, 9])", "[8,9,1]"},
    {"json_strip_nulls(json '[null, {\"a\": {\"b\": null}}]')", "[{\"a\":{}}]"},
    {"json_query_array(json '{\"a\":1}', '$.a')", "NULL"},
    {"json_query_array('[1, \"a\"]')", "[1, \"a\"]"},
    {"json_query_array('[1,')", "NULL"},
    {"json_query_array(json '[]')", "[]"},
    {"json_value_array(json '[1, [2]]')", "NULL"},
    {"json_value_array('[\"a\\\\u0062\", true, null]')", "[ab, true, NULL]"},
    {"int64_array(json '[1, 2.5]')", "error: R0105"},
    {"int64_array(json '[1, null]')", "error: R0105"},
    {"int64_array(json '{}')", "error: R0105"},
    {"lax_int64_array(json '{}')", "NULL"},
    {"lax_int64_array(json '[1.5, \"2.5\", 1e30]')", "[2, 3, NULL]"},
    {"lax_float64_array(json '[true]')", "[NULL]"},
    {"json_keys(json '[{\"a\": 1}]')", "[]"},
    {"json_keys(json '{\"a\":{\"b\":{\"c\":1}}}', 2)", "[a, a.b]"},
    {"json_keys(json '{\"a\":1}', 0)", "error: R0104"},
    {"parse_json('[1')", "error: R0105"},
    {"json '{\"a\": [7]}'[0]", "plan: `array[offset]` does not take (json, int64); it takes array[int64] → T; "
                               "array[offset(int64)] → T"},
};
EXAMPLES(json)

/* --- casts --------------------------------------------------------------------------------------------------------- */

static const struct evs_type *type_of(const char *element)
{
    return evs_type_array_of(evs_kind_parse(evs_slice_of(element)));
}

static const char *cast_result(const char *text, const struct evs_type *type, bool safe)
{
    struct evs_error error = {0};
    const struct evs_expr *expr = expr_from_text(&example_arena, text, NULL, &error);
    struct evs_value value;
    ck_assert_msg(expr != NULL, "%s: %s", text, error.text);
    if (evs_expr_cast(&example_arena, expr, type, safe, (struct evs_place){0}, &expr, &error) != EVS_OK ||
        evs_expr_fold(&example_arena, expr, &value, &error) != EVS_OK) {
        return evs_arena_strndup(&example_arena, error.text, strlen(error.text));
    }
    ck_assert(evs_type_equal(expr->type, type));
    return value_as_text(&example_arena, &value);
}

START_TEST(casts_of_arrays_cast_the_elements)
{
    ck_assert_str_eq(cast_result("if(true, [1, null], [2])", type_of("string"), false), "[1, NULL]");
    ck_assert_str_eq(cast_result("if(true, ['1', '2.5'], ['2'])", type_of("float64"), false), "[1, 2.5]");
    ck_assert_str_eq(cast_result("if(true, ['1', 'x'], ['2'])", type_of("int64"), true), "[1, NULL]");
    ck_assert_ptr_nonnull(
        strstr(cast_result("if(true, ['1', 'x'], ['2'])", type_of("int64"), false), "cannot be computed"));
    ck_assert_str_eq(cast_result("if(false, [1], null)", type_of("string"), false), "NULL");
    ck_assert_str_eq(cast_result("[json '1']", type_of("int64"), false), "array<json> cannot be cast to array<int64>");
    ck_assert_str_eq(cast_result("'a'", type_of("string"), false), "string cannot be cast to array<string>");
    ck_assert_str_eq(cast_result("[1]", evs_type_of(EVS_STRING), false),
                     "array<int64> cannot be cast to string; array_to_string(…) joins its elements, to_json_string(…) "
                     "gives it as JSON");
}
END_TEST

START_TEST(casts_of_structs_cast_the_fields)
{
    struct evs_type_field fields[] = {{"x", evs_type_of(EVS_STRING)}, {"y", evs_type_array_of(EVS_NUMERIC)}};
    const struct evs_type *type = evs_type_struct(&example_arena, fields, 2);
    ck_assert_str_eq(cast_result("if(true, (1, [2, 3]), null)", type, false), "(1, [2, 3])");
    ck_assert_str_eq(cast_result("if(false, (1, [2, 3]), null)", type, false), "NULL");
    ck_assert_str_eq(cast_result("(1, [2], 3)", type, false),
                     "struct<int64, array<int64>, int64> cannot be cast to struct<x string, y array<numeric>>: they "
                     "have not as many fields");
}
END_TEST

/* --- batches ------------------------------------------------------------------------------------------------------- */

#define ROWS 1000u

/* Row i: an array of i % 7 numbers, of which some are NULL; each ninth array is NULL itself. Column 1: i. */
static const struct evs_field fields[] = {{"a", NULL, true}, {"i", NULL, false}};

static struct evs_batch *make_batch(struct evs_batch_pool *pool)
{
    struct evs_batch *batch = evs_batch_new(pool, 2);
    struct evs_nested_builder builder = {0};
    batch->row_count = batch->selected_count = ROWS;
    evs_batch_init_rows(batch, ROWS);
    evs_column_init(&batch->columns[0], batch, EVS_ARRAY, ROWS, true);
    evs_column_init(&batch->columns[1], batch, EVS_INT64, ROWS, false);
    for (uint32_t row = 0; row < ROWS; row++) {
        batch->event_time_us[row] = row;
        ((int64_t *)batch->columns[1].data)[row] = row;
        evs_nested_begin_array(&builder, EVS_INT64);
        for (uint32_t k = 0; k < row % 7; k++) {
            struct evs_value value = {.kind = EVS_INT64, .is_null = k == 3, .int64 = row + k};
            evs_nested_add(&builder, &value);
        }
        ((struct evs_str *)batch->columns[0].data)[row] = evs_nested_finish(&builder, batch->arena);
        if (row % 9 == 0) {
            evs_column_set_null(&batch->columns[0], row);
            memset(&((struct evs_str *)batch->columns[0].data)[row], 0, sizeof(struct evs_str));
        }
    }
    evs_nested_builder_fini(&builder);
    return batch;
}

static const struct evs_schema *schema(void)
{
    struct evs_field *own = EVS_ARENA_ARRAY(&example_arena, struct evs_field, 2);
    memcpy(own, fields, sizeof fields);
    own[0].type = evs_type_array_of(EVS_INT64);
    own[1].type = evs_type_of(EVS_INT64);
    struct evs_schema *made = EVS_ARENA_NEW(&example_arena, struct evs_schema);
    *made = (struct evs_schema){2, own};
    return made;
}

struct running {
    struct evs_batch_pool *pool;
    struct evs_batch *batch;
    struct evs_eval *eval;
    struct evs_column column;
    uint32_t failure_count;
    const struct evs_expr_failure *failures;
};

static struct running run(const struct evs_expr *expr)
{
    struct running running = {.pool = evs_batch_pool_new()};
    const struct evs_program *program;
    struct evs_error error;
    ck_assert_int_eq(evs_program_compile(&example_arena, &expr, 1, &program, &error), EVS_OK);
    running.batch = make_batch(running.pool);
    running.eval = evs_eval_new(program);
    evs_program_run(running.eval, running.batch, &running.column);
    running.failure_count = evs_eval_failures(running.eval, &running.failures);
    return running;
}

static void stop(struct running *running)
{
    evs_eval_free(running->eval);
    evs_batch_unref(running->batch);
    evs_batch_pool_free(running->pool);
}

static const struct evs_expr *parse(const char *text)
{
    struct evs_error error = {0};
    const struct evs_expr *expr = expr_from_text(&example_arena, text, schema(), &error);
    ck_assert_msg(expr != NULL, "%s: %s", text, error.text);
    return expr;
}

START_TEST(sums_over_a_column)
{
    struct running running = run(parse("array_sum(array_concat(a, [i, null]))"));
    ck_assert_uint_eq(running.failure_count, 0);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct evs_value value = evs_column_value(&running.column, row);
        int64_t sum = row;
        for (uint32_t k = 0; k < row % 7; k++) {
            sum += k == 3 ? 0 : row + k;
        }
        UNIT_CHECK(value.is_null == (row % 9 == 0), "row %u", row);
        UNIT_CHECK(value.is_null || value.int64 == sum, "row %u: %lld and not %lld", row, (long long)value.int64,
                   (long long)sum);
    }
    stop(&running);
}
END_TEST

/* Only the rows that have no such element fail, and only where the element is needed. */
START_TEST(a_missing_element_fails_its_row_alone)
{
    struct running running = run(parse("if(i < 500, a[2], 0)"));
    uint32_t expected = 0;
    for (uint32_t row = 0; row < 500; row++) {
        if (row % 9 != 0 && row % 7 <= 2) {
            ck_assert_uint_lt(expected, running.failure_count);
            ck_assert_uint_eq(running.failures[expected].row, row);
            ck_assert_str_eq(running.failures[expected].code, "R0111");
            expected++;
        }
    }
    ck_assert_uint_eq(running.failure_count, expected);
    stop(&running);
}
END_TEST

/* array(select element * 10 + i from unnest(a) where element != i + 1): more elements than an inner batch holds, in order, with what the
 * row's other columns say. */
static const struct evs_expr *query(const char *value, const char *where)
{
    static const struct evs_field inner[] = {{"e", NULL, true}, {"o", NULL, false}, {"i", NULL, false}};
    struct evs_field *own = EVS_ARENA_ARRAY(&example_arena, struct evs_field, 3);
    struct evs_schema inner_schema = {3, own};
    memcpy(own, inner, sizeof inner);
    for (uint32_t i = 0; i < 3; i++) {
        own[i].type = evs_type_of(EVS_INT64);
    }
    struct evs_error error = {0};
    struct evs_expr_body body = {.value = expr_from_text(&example_arena, value, &inner_schema, &error)};
    body.where = where != NULL ? expr_from_text(&example_arena, where, &inner_schema, &error) : NULL;
    ck_assert_msg(body.value != NULL, "%s", error.text);
    const struct evs_expr *captured[] = {parse("i")}, *result;
    ck_assert_int_eq(
        evs_expr_unnest(&example_arena, parse("a"), &body, captured, 1, (struct evs_place){0}, &result, &error),
        EVS_OK);
    return result;
}

START_TEST(queries_run_over_the_elements_of_many_rows)
{
    struct running running = run(query("e * 10 + o + i", "e != i + 1"));
    ck_assert_uint_eq(running.failure_count, 0);
    for (uint32_t row = 0; row < ROWS; row++) {
        struct evs_value value = evs_column_value(&running.column, row);
        UNIT_CHECK(!value.is_null, "row %u", row);
        struct evs_nested array = evs_nested_open(&value.str);
        uint32_t at = 0;
        for (uint32_t k = 0; row % 9 != 0 && k < row % 7; k++) {
            if (k == 3 || k == 1) { /* NULL != i is not true */
                continue;
            }
            UNIT_CHECK(at < array.count, "row %u has only %u", row, array.count);
            UNIT_CHECK(evs_nested_at(&array, at).int64 == (int64_t)(row + k) * 10 + k + row, "row %u, %u", row, at);
            at++;
        }
        UNIT_CHECK(at == array.count, "row %u has %u and not %u", row, array.count, at);
    }
    stop(&running);
}
END_TEST

/* Division by zero for one element of one row; where the condition is not true the value is not asked for. */
START_TEST(an_element_fails_its_row)
{
    struct running running = run(query("div(1, e - 502)", NULL));
    ck_assert_uint_eq(running.failure_count, 3); /* rows 502, 501 and 500 hold the number */
    for (uint32_t i = 0; i < running.failure_count; i++) {
        ck_assert_str_eq(running.failures[i].code, "R0103");
    }
    stop(&running);
    running = run(query("div(1, e - 502)", "e != 502"));
    ck_assert_uint_eq(running.failure_count, 0);
    stop(&running);
}
END_TEST

START_TEST(a_steady_state_allocates_nothing)
{
    const struct evs_expr *exprs[] = {query("e * 10", "e > 5"), parse("array_concat(a, [i])"),
                                      parse("to_json_string(struct(a as x, i))"), parse("split('a,b,c')[0]"),
                                      parse("json_set(to_json(a), '$[0]', i)")};
    const struct evs_program *program;
    struct evs_error error;
    ck_assert_int_eq(evs_program_compile(&example_arena, exprs, EVS_COUNT(exprs), &program, &error), EVS_OK);
    struct evs_batch_pool *pool = evs_batch_pool_new();
    struct evs_eval *eval = evs_eval_new(program);
    struct evs_column columns[EVS_COUNT(exprs)];
    uint64_t before = 0;
    for (int round = 0; round < 6; round++) {
        struct evs_batch *batch = make_batch(pool);
        before = evs_alloc_count();
        evs_program_run(eval, batch, columns);
        uint64_t after = evs_alloc_count();
        evs_batch_unref(batch);
        ck_assert_msg(round < 3 || after == before, "%llu allocations in round %d",
                      (unsigned long long)(after - before), round);
    }
    evs_eval_free(eval);
    evs_batch_pool_free(pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expr_nested");
    TCase *tables = tcase_create("tables");
    tcase_add_checked_fixture(tables, NULL, free_examples);
    tcase_add_loop_test(tables, test_arrays, 0, (int)EVS_COUNT(arrays));
    tcase_add_loop_test(tables, test_structs, 0, (int)EVS_COUNT(structs));
    tcase_add_loop_test(tables, test_json, 0, (int)EVS_COUNT(json));
    tcase_add_test(tables, casts_of_arrays_cast_the_elements);
    tcase_add_test(tables, casts_of_structs_cast_the_fields);
    suite_add_tcase(suite, tables);
    TCase *batches = tcase_create("batches");
    tcase_add_checked_fixture(batches, NULL, free_examples);
    tcase_add_test(batches, sums_over_a_column);
    tcase_add_test(batches, a_missing_element_fails_its_row_alone);
    tcase_add_test(batches, queries_run_over_the_elements_of_many_rows);
    tcase_add_test(batches, an_element_fails_its_row);
    tcase_add_test(batches, a_steady_state_allocates_nothing);
    suite_add_tcase(suite, batches);
    return unit_run(suite);
}
