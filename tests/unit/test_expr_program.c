/* Building trees and running programs: canonical text, nullability, equality, columns, shared steps, failures inside
 * and outside of branches, what lives how long. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "expr_text.h"
#include "internal.h" /* the number of steps of a program */

static struct evs_arena arena;
static struct evs_batch_pool *pool;
static struct evs_batch *batch;
static struct evs_field fields[6];
static const struct evs_schema schema = {6, fields};

#define ROWS 200u

static void setup(void)
{
    static const char *const names[] = {"a", "b", "text", "flag", "doc", "amount"};
    static const enum evs_kind kinds[] = {EVS_INT64, EVS_INT64, EVS_STRING, EVS_BOOL, EVS_JSON, EVS_NUMERIC};
    for (uint32_t i = 0; i < schema.count; i++) {
        fields[i] = (struct evs_field){names[i], evs_type_of(kinds[i]), i > 0};
    }
    pool = evs_batch_pool_new();
    batch = evs_batch_new(pool, schema.count);
    batch->row_count = batch->selected_count = ROWS;
    evs_batch_init_rows(batch, ROWS);
    for (uint32_t c = 0; c < schema.count; c++) {
        evs_column_init(&batch->columns[c], batch, kinds[c], ROWS, true);
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        char text[32];
        const int count = snprintf(text, sizeof text, row % 2 ? "row %u" : "the row that has number %u", row);
        batch->event_time_us[row] = (int64_t)row * 1000000;
        ((int64_t *)batch->columns[0].data)[row] = row;
        ((int64_t *)batch->columns[1].data)[row] = row % 10;
        ((struct evs_str *)batch->columns[2].data)[row] =
            evs_str_make(evs_arena_strndup(batch->arena, text, (size_t)count), (uint32_t)count);
        ((uint8_t *)batch->columns[3].data)[row] = row % 2;
        ((struct evs_str *)batch->columns[4].data)[row] = evs_str_make("{\"n\": 5, \"s\": \"a\\u0041\"}", 24);
        ((evs_numeric *)batch->columns[5].data)[row] = (evs_numeric)row * EVS_NUMERIC_ONE / 2;
    }
    evs_column_set_null(&batch->columns[1], 7);
}

static void teardown(void)
{
    evs_batch_unref(batch);
    ck_assert_uint_eq(evs_batch_pool_live(pool), 0);
    evs_batch_pool_free(pool);
    evs_arena_fini(&arena);
}

static const struct evs_expr *expr(const char *text)
{
    struct evs_error error = {0};
    const struct evs_expr *result = expr_from_text(&arena, text, &schema, &error);
    ck_assert_msg(result != NULL, "%s: %s", text, error.text);
    return result;
}

static const struct evs_program *program_of(const struct evs_expr **exprs, uint32_t count)
{
    const struct evs_program *program;
    struct evs_error error;
    ck_assert_msg(evs_program_compile(&arena, exprs, count, &program, &error) == EVS_OK, "%s", error.text);
    return program;
}

static struct evs_eval *eval_of(const char *text)
{
    const struct evs_expr *one = expr(text);
    return evs_eval_new(program_of(&one, 1));
}

/* --- building ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *written, *canonical;
} texts[] = {
    {"a+b*2", "a + (b * 2)"},
    {"(a) = 1 or not flag", "(a = 1) or (not flag)"},
    {"a between 1 and b", "a between 1 and b"},
    {"text LIKE 'x%'", "text like 'x%'"},
    {"SUBSTRING(text, 1, 2)", "substr(text, 1, 2)"},
    {"safe.div(a, b)", "safe.div(a, b)"},
    {"safe_divide(a, b)", "safe_divide(a, b)"},
    {"a <> 1", "a != 1"},
    {"amount * 1.50", "amount * numeric '1.5'"},
    {"cast(a as string)", "cast(a as string)"},
    {"safe_cast(text as int64)", "safe_cast(text as int64)"},
    {"if(flag, a, b)", "case when flag then a else b end"},
    {"ifnull(b, 0)", "coalesce(b, 0)"},
    {"b is not null", "not (b is null)"},
    {"a in (1, 2)", "a in (1, 2)"},
    {"greatest(a, b, 3)", "greatest(a, b, 3)"},
    {"concat(text, a)", "concat(text, a)"},
    {"-a", "-a"},
    {"a + -1", "a + -1"},
    {"extract(year from current_timestamp())", "extract(year from current_timestamp())"},
    {"current_timestamp() > '2026-01-05'", "current_timestamp() > timestamp '2026-01-05T00:00:00Z'"},
    {"timestamp_trunc(current_timestamp(), week(monday))", "timestamp_trunc(current_timestamp(), week(monday))"},
    {"interval 90 second", "interval(90, second)"},
    {"text = 'it\\'s\\n'", "text = 'it\\'s\\n'"},
    {"b'\\xff' = b'a'", "b'\\xff' = b'a'"},
    {"a = null", "a = null"},
};

START_TEST(test_canonical_text)
{
    ck_assert_str_eq(expr(texts[_i].written)->text, texts[_i].canonical);
}
END_TEST

static const struct {
    const char *text;
    enum evs_kind kind;
    bool nullable;
} types[] = {
    {"a", EVS_INT64, false},
    {"a + 1", EVS_INT64, false},
    {"a + b", EVS_INT64, true},
    {"a / 2", EVS_FLOAT64, false},
    {"a + amount", EVS_NUMERIC, true},
    {"safe.div(a, 2)", EVS_INT64, true},
    {"safe_cast(a as string)", EVS_STRING, false},
    {"safe_cast(text as int64)", EVS_INT64, true},
    {"b is null", EVS_BOOL, false},
    {"coalesce(b, 0)", EVS_INT64, false},
    {"coalesce(b, null)", EVS_INT64, true},
    {"if(flag, a, 1)", EVS_INT64, false},
    {"if(flag, a, b)", EVS_INT64, true},
    {"case when flag then a end", EVS_INT64, true},
    {"nullif(a, 1)", EVS_INT64, true},
    {"json_value(doc, '$.n')", EVS_STRING, true},
    {"flag and a = 1", EVS_BOOL, true},
    {"a = 1 and a = 2", EVS_BOOL, false},
    {"case when flag then a else 1.5 end", EVS_FLOAT64, false},
    {"case when flag then amount else 1.5 end", EVS_NUMERIC, true},
    {"current_timestamp()", EVS_TIMESTAMP, false},
    {"current_timestamp() - interval 1 day", EVS_TIMESTAMP, false},
    {"current_timestamp() - current_timestamp()", EVS_INTERVAL, false},
    {"round(a)", EVS_FLOAT64, false},
    {"round(amount)", EVS_NUMERIC, true},
};

START_TEST(test_type)
{
    const struct evs_expr *one = expr(types[_i].text);
    ck_assert_msg(one->type->kind == types[_i].kind, "%s is %s", types[_i].text, evs_kind_name(one->type->kind));
    ck_assert_msg(one->nullable == types[_i].nullable, "%s: nullable", types[_i].text);
}
END_TEST

static const struct {
    const char *text, *error;
} mistakes[] = {
    {"a = text", "`=` cannot compare an int64 with a string; cast one of them"},
    {"text + 1", "`+` does not work on a string and an int64; it takes int64 + int64 → int64"},
    {"not a", "`not` needs bool, and `a` is int64"},
    {"if(a, 1, 2)", "`case` needs bool, and `a` is int64"},
    {"coalesce(a, text)", "the arguments of coalesce need one type: `a` is int64 and `text` is string"},
    {"doc in (doc)", "json values cannot be compared"},
    {"nullif(doc, doc)", "`nullif` does not take (json, json)"},
    {"doc between doc and doc", "`between` does not take (json, json, json)"},
    {"safe_add(text, 1)", "`safe_add` does not take (string, int64)"},
    {"safe_add(a)", "safe_add takes two arguments, not 1"},
    {"coalesce()", "coalesce takes at least one argument, not 0"},
    {"current_timestamp(1)", "current_timestamp takes no argument, not 1"},
    {"json_value(doc, text)", "argument 2 of json_value must be a constant"},
    {"date_add(current_timestamp(), interval 1 day)", "`date_add` does not take (timestamp, interval)"},
    {"format_timestamp('%q', current_timestamp())",
     "'%q' has an element that format_timestamp does not know at byte 0"},
    {"cast(flag as numeric)", "bool cannot be cast to numeric"},
    {"a + date '2026-01-05' + 'x'", "`+` does not work on a date and a string"},
    {"interval a fortnight", "there is no date part fortnight"},
    {"timestamp('2026-01-05', 'Asia/Tokio')", "there is no time zone 'Asia/Tokio'; write a name of the tz database"},
    {"current_date('UTC', 1)", "current_date takes a time zone or nothing, not 2"},
    {"interval '1-2' month to year", "an interval goes from a longer part to a shorter one"},
};

START_TEST(test_mistake)
{
    struct evs_error error = {0};
    ck_assert_ptr_null(expr_from_text(&arena, mistakes[_i].text, &schema, &error));
    ck_assert_int_eq(error.code, EVS_E_PIPELINE);
    ck_assert_msg(strncmp(error.text, mistakes[_i].error, strlen(mistakes[_i].error)) == 0, "%s: %s", mistakes[_i].text,
                  error.text);
}
END_TEST

START_TEST(test_coerce)
{
    struct evs_error error;
    const struct evs_expr *result;
    ck_assert_int_eq(evs_expr_coerce(&arena, expr("a"), evs_type_of(EVS_NUMERIC), &result, &error), EVS_OK);
    ck_assert_str_eq(result->text, "a");
    ck_assert_int_eq(result->type->kind, EVS_NUMERIC);
    ck_assert_int_eq(evs_expr_coerce(&arena, expr("'{\"x\": 1}'"), evs_type_of(EVS_JSON), &result, &error), EVS_OK);
    ck_assert_str_eq(result->text, "json '{\"x\": 1}'");
    ck_assert_int_eq(evs_expr_coerce(&arena, expr("null"), evs_type_of(EVS_DATE), &result, &error), EVS_OK);
    ck_assert(result->value.is_null);
    ck_assert_int_eq(evs_expr_coerce(&arena, expr("text"), evs_type_of(EVS_TIMESTAMP), &result, &error),
                     EVS_E_PIPELINE);
    ck_assert_str_eq(error.text, "`text` is string where timestamp is needed; a cast would convert it");
    ck_assert_int_eq(evs_expr_coerce(&arena, expr("1.5"), evs_type_of(EVS_INT64), &result, &error), EVS_E_PIPELINE);
    ck_assert_int_eq(evs_expr_coerce(&arena, expr("'x'"), evs_type_of(EVS_DATE), &result, &error), EVS_E_PIPELINE);
    ck_assert_str_eq(error.text, "'x' cannot be read as a date, as in '2026-01-05'");
}
END_TEST

START_TEST(test_fold)
{
    struct evs_error error;
    struct evs_value value;
    ck_assert_int_eq(evs_expr_fold(&arena, expr("concat('a text that is ', 'longer than a view')"), &value, &error),
                     EVS_OK);
    ck_assert_uint_eq(value.str.count, 33);
    ck_assert_int_eq(memcmp(evs_str_data(&value.str), "a text that is longer than a view", 33), 0);
    ck_assert_int_eq(evs_expr_fold(&arena, expr("null"), &value, &error), EVS_OK);
    ck_assert(value.is_null);
    ck_assert_int_eq(evs_expr_fold(&arena, expr("1 / 0"), &value, &error), EVS_E_PIPELINE);
    ck_assert_str_eq(error.text, "`1 / 0` cannot be computed: The divisor is zero; safe_divide gives NULL instead.");
    ck_assert_int_eq(evs_expr_fold(&arena, expr("a + 1"), &value, &error), EVS_E_PIPELINE);
    ck_assert_str_eq(error.text, "`a + 1` is no constant: it depends on the row");
    ck_assert(evs_expr_is_constant(expr("1 + 2")));
    ck_assert(!evs_expr_is_constant(expr("1 + a")));
    ck_assert(!evs_expr_is_constant(expr("current_timestamp()")));
}
END_TEST

START_TEST(test_equal_columns_remap)
{
    ck_assert(evs_expr_equal(expr("a + b * 2"), expr("a + b*2")));
    ck_assert(!evs_expr_equal(expr("a + b"), expr("b + a")));
    ck_assert(!evs_expr_equal(expr("a = 1"), expr("a = 2")));
    ck_assert(!evs_expr_equal(expr("safe.div(a, b)"), expr("div(a, b)")));
    ck_assert(evs_expr_equal(expr("text = 'a long constant of text'"), expr("text = 'a long constant of text'")));
    uint64_t bitmap[1] = {0};
    evs_expr_columns(expr("a + b > 1 and doc is null"), bitmap);
    ck_assert_uint_eq(bitmap[0], 1 | 2 | 16);
    const uint32_t map[] = {1, 0, 2, 3, 4, 5};
    const struct evs_expr *before = expr("a - b"), *after = evs_expr_remap(&arena, before, map);
    ck_assert(evs_expr_equal(after->arguments[0], before->arguments[1]));
    ck_assert(evs_expr_equal(after->arguments[1], before->arguments[0]));
    ck_assert_uint_eq(before->arguments[0]->column, 0);
}
END_TEST

/* Fifty levels of x + x: 2^50 nodes for a walk that forgets what it has seen. */
START_TEST(test_shared_subtrees_cost_once)
{
    const struct evs_expr *sum = expr("a & 1");
    for (uint32_t i = 0; i < 50; i++) {
        const struct evs_expr *arguments[] = {sum, sum};
        struct evs_expr *next = evs_expr_new(&arena, EVS_EXPR_CALL, EVS_INT64, (struct evs_place){0});
        *next = *expr("a | b");
        evs_expr_set_arguments(&arena, next, arguments, 2);
        sum = next;
    }
    uint64_t bitmap[1] = {0};
    const uint32_t map[] = {1, 0, 2, 3, 4, 5};
    evs_expr_columns(sum, bitmap);
    ck_assert_uint_eq(bitmap[0], 1);
    ck_assert(!evs_expr_is_constant(sum));
    ck_assert_ptr_nonnull(evs_expr_remap(&arena, sum, map));
    const struct evs_program *program = program_of(&sum, 1);
    ck_assert_uint_eq(program->step_count, 53);
    struct evs_eval *eval = evs_eval_new(program);
    struct evs_column column;
    evs_program_run(eval, batch, &column);
    ck_assert_int_eq(*EVS_COLUMN_AT(&column, int64_t, 5), 1);
    evs_eval_free(eval);
}
END_TEST

/* --- programs ----------------------------------------------------------------------------------------------------- */

START_TEST(test_common_subexpressions_are_one_step)
{
    const struct evs_expr *exprs[] = {expr("a + b"), expr("(a + b) * 2"), expr("2 * (a + b) > a + b")};
    ck_assert_uint_eq(program_of(exprs, 3)->step_count, 7); /* a, b, +, 2, two products, > */
}
END_TEST

START_TEST(test_constants_fold_and_dead_branches_go)
{
    const struct {
        const char *text;
        uint32_t steps;
    } cases[] = {
        {"1 + 2 * 3", 1},
        {"a + (1 + 2)", 3},
        {"flag and 1 = 1", 1},
        {"flag and 1 = 2", 3}, /* flag may fail elsewhere; it is still asked */
        {"1 = 2 and flag", 1},
        {"flag or 1 = 1", 3},
        {"case when 1 = 1 then a else b end", 1},
        {"case when 1 = 2 then a when flag then b end", 4}, /* flag, b, null, case */
        {"coalesce(null, b, null)", 1},
        {"coalesce(1, b)", 1},
        {"a + null", 1},
        {"cast(7 as int64) + 1", 1},
        {"1 / 0", 3}, /* an error of each row, not of the plan */
    };
    for (size_t i = 0; i < EVS_COUNT(cases); i++) {
        const struct evs_expr *one = expr(cases[i].text);
        ck_assert_msg(program_of(&one, 1)->step_count == cases[i].steps, "%s: %u steps", cases[i].text,
                      program_of(&one, 1)->step_count);
    }
}
END_TEST

/* --- failures ----------------------------------------------------------------------------------------------------- */

/* Rows fail only where the value was needed. The count of rows that fail, and one of them. */
static const struct {
    const char *text, *code;
    uint32_t failures, first;
} failing[] = {
    {"100 / b", "R0103", 20, 0},
    {"div(a, b)", "R0103", 20, 0},
    {"if(b = 0, 0, div(a, b))", NULL, 0, 0},
    {"if(b > 0, 0, div(a, b))", "R0103", 20, 0},
    {"b != 0 and a / b > 1.0", NULL, 0, 0},
    {"b = 0 or a / b > 1.0", NULL, 0, 0},
    {"b = 0 and a / b > 1.0", "R0103", 20, 0},
    {"coalesce(b, div(1, b - b))", "R0103", 0, 0}, /* NULL - NULL is NULL: nothing to divide by */
    {"coalesce(b, div(1, a - 7))", "R0103", 1, 7},
    {"case when b = 1 then 1 when div(10, b) > 5 then 2 else 3 end", "R0103", 20, 0},
    {"case when b between 1 and 8 then div(10, b) else div(a, 9 - b) end", "R0103", 20, 9},
    {"a in (1, div(1, b))", "R0103", 20, 0},
    {"cast(text as int64)", "R0102", 200, 0},
    {"safe_cast(text as int64)", NULL, 0, 0},
    {"safe.div(a, b)", NULL, 0, 0},
    {"safe.div(a, div(1, b))", "R0103", 20, 0}, /* safe covers its own call alone */
    {"1 / 0", "R0103", 200, 0},
    {"if(a < 3, 1 / 0, 1.0)", "R0103", 3, 0},
    {"a + 9223372036854775800", "R0101", 192, 8},
};

START_TEST(test_failures)
{
    struct evs_eval *eval = eval_of(failing[_i].text);
    struct evs_column column;
    const struct evs_expr_failure *failures;
    evs_program_run(eval, batch, &column);
    const uint32_t count = evs_eval_failures(eval, &failures);
    ck_assert_msg(count == failing[_i].failures, "%s: %u", failing[_i].text, count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_str_eq(failures[i].code, failing[_i].code);
        ck_assert(i == 0 || failures[i].row > failures[i - 1].row);
        ck_assert_ptr_nonnull(failures[i].reason);
        ck_assert_ptr_nonnull(failures[i].expr->text);
        ck_assert_int_eq(failures[i].expr->place.line, 1);
    }
    ck_assert(count == 0 || failures[0].row == failing[_i].first);
    evs_eval_free(eval);
}
END_TEST

/* A later output's failure of an earlier row is sorted in; the failing call is named. */
START_TEST(test_failures_of_several_outputs_are_sorted)
{
    const struct evs_expr *exprs[] = {expr("div(1, a - 150)"), expr("if(a = 3, div(1, a - 3), a)"),
                                      expr("div(2, a - 150)")};
    struct evs_eval *eval = evs_eval_new(program_of(exprs, 3));
    struct evs_column columns[3];
    const struct evs_expr_failure *failures;
    evs_program_run(eval, batch, columns);
    ck_assert_uint_eq(evs_eval_failures(eval, &failures), 2);
    ck_assert_uint_eq(failures[0].row, 3);
    ck_assert_str_eq(failures[0].expr->text, "div(1, a - 3)");
    ck_assert_uint_eq(failures[1].row, 150);
    ck_assert_str_eq(failures[1].expr->text, "div(1, a - 150)");
    ck_assert_str_eq(failures[1].reason, "division_by_zero");
    /* the next run starts without them */
    batch->selected_count = 1;
    static const uint16_t only[] = {5};
    batch->selection = only;
    evs_program_run(eval, batch, columns);
    ck_assert_uint_eq(evs_eval_failures(eval, &failures), 0);
    evs_eval_free(eval);
}
END_TEST

/* --- runs --------------------------------------------------------------------------------------------------------- */

START_TEST(test_outputs_live_in_the_batch)
{
    const struct evs_expr *exprs[] = {expr("upper(text)"),
                                      expr("'a constant that is longer than a view'"),
                                      expr("a"),
                                      expr("b + 1"),
                                      expr("upper(text)"),
                                      expr("current_timestamp()"),
                                      expr("substr(concat(text, ' and much more text'), 3)")};
    struct evs_eval *eval = evs_eval_new(program_of(exprs, 7));
    struct evs_column columns[7];
    evs_program_run(eval, batch, columns);
    ck_assert_ptr_eq(columns[2].data, batch->columns[0].data);
    ck_assert_ptr_eq(columns[0].data, columns[4].data);
    ck_assert_ptr_eq(columns[5].data, batch->event_time_us);
    ck_assert_uint_eq(columns[1].flags, EVS_COLUMN_CONSTANT);
    ck_assert(!evs_column_is_valid(&columns[3], 7));
    evs_eval_free(eval); /* results do not need it any more */
    struct evs_value value = evs_column_value(&columns[0], 2);
    ck_assert_str_eq(value_as_text(&arena, &value), "THE ROW THAT HAS NUMBER 2");
    value = evs_column_value(&columns[1], 100);
    ck_assert_str_eq(value_as_text(&arena, &value), "a constant that is longer than a view");
    value = evs_column_value(&columns[3], 8);
    ck_assert_int_eq(value.int64, 9);
    value = evs_column_value(&columns[6], 1);
    ck_assert_str_eq(value_as_text(&arena, &value), "w 1 and much more text");
}
END_TEST

START_TEST(test_steady_state_allocates_nothing)
{
    struct evs_eval *eval =
        eval_of("upper(text) like 'ROW%' and json_value(doc, '$.s') = 'aA' and div(a, 3) in (1, 5, 60)");
    uint16_t selection[EVS_BATCH_ROWS];
    const uint32_t first = evs_program_filter(eval, batch, selection);
    const uint64_t before = evs_alloc_count();
    for (uint32_t i = 0; i < 20; i++) {
        ck_assert_uint_eq(evs_program_filter(eval, batch, selection), first);
    }
    ck_assert_uint_eq(evs_alloc_count(), before);
    ck_assert_uint_eq(first, 5); /* of 3-5, 15-17 and 180-182 the odd rows */
    evs_eval_free(eval);
}
END_TEST

START_TEST(test_empty_batch_and_empty_selection)
{
    struct evs_eval *eval = eval_of("a > 1 and upper(text) = 'X' or b in (1, 2)");
    uint16_t selection[EVS_BATCH_ROWS];
    struct evs_column column;
    batch->selected_count = 0;
    batch->selection = selection;
    ck_assert_uint_eq(evs_program_filter(eval, batch, selection), 0);
    evs_program_run(eval, batch, &column);
    batch->row_count = 0;
    ck_assert_uint_eq(evs_program_filter(eval, batch, selection), 0);
    evs_program_run(eval, batch, &column);
    evs_eval_free(eval);
}
END_TEST

/* A json column's text is read where it lies: parts of it are views, escapes are built anew. */
START_TEST(test_json_parts_are_views)
{
    const struct evs_expr *exprs[] = {expr("json_query(doc, '$')"), expr("json_value(doc, '$.s')")};
    struct evs_eval *eval = evs_eval_new(program_of(exprs, 2));
    struct evs_column columns[2];
    evs_program_run(eval, batch, columns);
    ck_assert_ptr_eq(evs_str_data(EVS_COLUMN_AT(&columns[0], struct evs_str, 9)),
                     evs_str_data(EVS_COLUMN_AT(&batch->columns[4], struct evs_str, 9)));
    const struct evs_value value = evs_column_value(&columns[1], 9);
    ck_assert_str_eq(value_as_text(&arena, &value), "aA");
    evs_eval_free(eval);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expr_program");
    TCase *tcase = tcase_create("program");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_canonical_text, 0, (int)EVS_COUNT(texts));
    tcase_add_loop_test(tcase, test_type, 0, (int)EVS_COUNT(types));
    tcase_add_loop_test(tcase, test_mistake, 0, (int)EVS_COUNT(mistakes));
    tcase_add_test(tcase, test_coerce);
    tcase_add_test(tcase, test_fold);
    tcase_add_test(tcase, test_equal_columns_remap);
    tcase_add_test(tcase, test_shared_subtrees_cost_once);
    tcase_add_test(tcase, test_common_subexpressions_are_one_step);
    tcase_add_test(tcase, test_constants_fold_and_dead_branches_go);
    tcase_add_loop_test(tcase, test_failures, 0, (int)EVS_COUNT(failing));
    tcase_add_test(tcase, test_failures_of_several_outputs_are_sorted);
    tcase_add_test(tcase, test_outputs_live_in_the_batch);
    tcase_add_test(tcase, test_steady_state_allocates_nothing);
    tcase_add_test(tcase, test_empty_batch_and_empty_selection);
    tcase_add_test(tcase, test_json_parts_are_views);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
