/* Expressions: their trees by a table, their canonical text, literals, calls, exact spans. */
#include "parse_case.h"

static const char *const signs[] = {
    [EVS_AST_OP_MINUS] = "-",
    [EVS_AST_OP_PLUS] = "+",
    [EVS_AST_OP_BIT_NOT] = "~",
    [EVS_AST_OP_NOT] = "not",
    [EVS_AST_OP_MULTIPLY] = "*",
    [EVS_AST_OP_DIVIDE] = "/",
    [EVS_AST_OP_CONCAT] = "||",
    [EVS_AST_OP_ADD] = "+",
    [EVS_AST_OP_SUBTRACT] = "-",
    [EVS_AST_OP_SHIFT_LEFT] = "<<",
    [EVS_AST_OP_SHIFT_RIGHT] = ">>",
    [EVS_AST_OP_BIT_AND] = "&",
    [EVS_AST_OP_BIT_XOR] = "^",
    [EVS_AST_OP_BIT_OR] = "|",
    [EVS_AST_OP_EQUAL] = "=",
    [EVS_AST_OP_NOT_EQUAL] = "!=",
    [EVS_AST_OP_LESS] = "<",
    [EVS_AST_OP_LESS_EQUAL] = "<=",
    [EVS_AST_OP_GREATER] = ">",
    [EVS_AST_OP_GREATER_EQUAL] = ">=",
    [EVS_AST_OP_AND] = "and",
    [EVS_AST_OP_OR] = "or",
    [EVS_AST_OP_IS_NULL] = "is_null",
    [EVS_AST_OP_IS_TRUE] = "is_true",
    [EVS_AST_OP_IS_DISTINCT] = "is_distinct",
    [EVS_AST_OP_IN_UNNEST] = "in_unnest",
    [EVS_AST_OP_LIKE_ANY] = "like_any",
};

/* NULL for a leaf of the tree, which is printed as it is. */
static const char *label_of(const struct evs_ast_expr *expr)
{
    switch (expr->kind) {
    case EVS_AST_UNARY:
    case EVS_AST_BINARY:
    case EVS_AST_LOGIC:
    case EVS_AST_IS:
        return signs[expr->op];
    case EVS_AST_BETWEEN:
        return "between";
    case EVS_AST_IN:
    case EVS_AST_LIKE:
        return expr->op != EVS_AST_OP_NONE ? signs[expr->op] : expr->kind == EVS_AST_IN ? "in" : "like";
    case EVS_AST_FIELD:
        return ".";
    case EVS_AST_INDEX:
        return "[]";
    case EVS_AST_INTERVAL:
        return "interval";
    default:
        return NULL;
    }
}

/* The tree with the operator in front: it shows what binds tighter without relying on the printer. */
static void show_tree(struct evs_buffer *out, const struct evs_ast_expr *expr)
{
    const char *label = label_of(expr);
    if (label == NULL) {
        evs_ast_print_expr(out, expr);
        return;
    }
    evs_buffer_printf(out, "(%s%s", expr->negated ? "not-" : "", label);
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        evs_buffer_puts(out, " ");
        show_tree(out, expr->arguments[i]);
    }
    if (expr->kind == EVS_AST_FIELD) {
        evs_buffer_printf(out, " %s", expr->names[0].text.data);
    }
    evs_buffer_puts(out, ")");
}

START_TEST(precedence)
{
    static const struct {
        const char *text, *tree;
    } rows[] = {
        {"a or b and c", "(or a (and b c))"},
        {"a and b or c and d or e", "(or (and a b) (and c d) e)"},
        {"a or (b or c)", "(or a (or b c))"},
        {"not a and b", "(and (not a) b)"},
        {"not a = b", "(not (= a b))"},
        {"not not a", "(not (not a))"},
        {"a = b | c", "(= a (| b c))"},
        {"a | b ^ c & d << e + f * -g", "(| a (^ b (& c (<< d (+ e (* f (- g)))))))"},
        {"a * b + c << d & e ^ f | g", "(| (^ (& (<< (+ (* a b) c) d) e) f) g)"},
        {"a - b - c", "(- (- a b) c)"},
        {"a - (b - c)", "(- a (- b c))"},
        {"a / b * c || d", "(|| (* (/ a b) c) d)"},
        {"a || b + c", "(+ (|| a b) c)"}, /* || binds like * */
        {"-a * b", "(* (- a) b)"},
        {"- - a", "(- (- a))"},
        {"-a.b", "(- a.b)"},
        {"~a[0]", "(~ ([] a 0))"},
        {"-1", "-1"},
        {"- 9223372036854775808", "-9223372036854775808"},
        {"a - -1", "(- a -1)"},
        {"a -1", "(- a 1)"},
        {"- -1", "(- -1)"},
        {"+1", "(+ 1)"},
        {"-(1)", "(- 1)"},
        {"-1[0]", "(- ([] 1 0))"},
        {"a between b and c and d", "(and (between a b c) d)"},
        {"a not between b + 1 and c | d", "(not-between a (+ b 1) (| c d))"},
        {"a in (1, b or c)", "(in a 1 (or b c))"},
        {"a not in (1)", "(not-in a 1)"},
        {"a in unnest(b)", "(in_unnest a b)"},
        {"a like b || '%'", "(like a (|| b '%'))"},
        {"a not like any ('x', 'y')", "(not-like_any a 'x' 'y')"},
        {"a is null", "(is_null a)"},
        {"a + 1 is not null or b", "(or (not-is_null (+ a 1)) b)"},
        {"a is not distinct from b + 1", "(not-is_distinct a (+ b 1))"},
        {"not a is true", "(not (is_true a))"},
        {"a.b.c", "a.b.c"},
        {"(a).b", "(. a b)"},
        {"f(a).b.c[1].d", "(. ([] (. (. f(a) b) c) 1) d)"},
        {"a.b[offset(0)].c", "(. ([] a.b offset(0)) c)"},
        {"interval a + b day", "(interval (+ a b))"},
        {"a - interval 5 minute - b", "(- (- a (interval 5)) b)"},
        {"interval -5 day + a", "(+ (interval -5) a)"},
        {"interval @n minute", "(interval @n)"},
    };
    for (uint32_t i = 0; i < EVS_COUNT(rows); i++) {
        struct evs_buffer tree = {0};
        show_tree(&tree, parse_case_expr(rows[i].text));
        evs_buffer_put(&tree, "", 1);
        ck_assert_msg(evs_diagnostics_count(parse_case.diagnostics) == 0, "%s", parse_case_messages());
        ck_assert_msg(strcmp(tree.data, rows[i].tree) == 0, "%s: %s, not %s", rows[i].text, tree.data, rows[i].tree);
        evs_buffer_fini(&tree);
    }
}
END_TEST

START_TEST(canonical_text)
{
    static const struct {
        const char *text, *printed; /* NULL: as it is */
    } rows[] = {
        {"A  +(b)*2", "A + b * 2"},
        {"(a + b) * c", NULL},
        {"a + b * c", NULL},
        {"(a * b) + c", "a * b + c"},
        {"a - (b + c)", NULL},
        {"(a - b) + c", "a - b + c"},
        {"not (a and b)", NULL},
        {"(not a) and b", "not a and b"},
        {"(not a) = b", "(not a) = b"},
        {"(a or b) and c", NULL},
        {"a <> b", "a != b"},
        {"(a = b) = c", NULL},
        {"- (-5)", "-(-5)"},
        {"-(-a)", "-(-a)"},
        {"1 - -5", NULL},
        {"1.0", NULL},
        {"1e3", "1000.0"},
        {"1e300", "1e+300"},
        {"TRUE and FALSE or NULL", "true and false or null"},
        {"\"it's\"", "'it\\'s'"},
        {"'a\\nb\\t\\\\\\x01'", NULL},
        {"r'\\d+'", "'\\\\d+'"},
        {"b'\\xff\\n\\'a'", NULL},
        {"'\xC3\xA9'", NULL},
        {"`a b`.`from`.c", NULL},
        {"`abc`", "abc"},
        {"a.from", "a.`from`"},
        {"@select", "@`select`"},
        {"Timestamp '2026-01-05'", "timestamp '2026-01-05'"},
        {"DECIMAL '1.5'", "numeric '1.5'"},
        {"interval 5 MINUTE", "interval 5 minute"},
        {"interval '1-2' year to month", NULL},
        {"interval (a + b) day", NULL},
        {"Safe.Substr(a, 1)", "safe.substr(a, 1)"},
        {"NET.HOST(url)", "net.host(url)"},
        {"if(a, b, c)", NULL},
        {"f()", NULL},
        {"count( * )", "count(*)"},
        {"count(distinct a)", NULL},
        {"sum(a) filter (where b)", "sum(a where b)"},
        {"array_agg(a ignore nulls order by b desc nulls last, c limit 3)", NULL},
        {"first(a respect nulls where b > 1)", NULL},
        {"tumble(t, interval 1 minute, offset => interval 5 second)", NULL},
        {"case when a then b end", NULL},
        {"case a when 1 then 'x' when 2 then 'y' else 'z' end", NULL},
        {"cast(a as ARRAY<Int64>)", "cast(a as array<int64>)"},
        {"safe_cast(a as struct<x int64, string>)", NULL},
        {"cast(a as numeric(38, 9))", NULL},
        {"cast(a as string format 'YYYY' at time zone 'UTC')", NULL},
        {"extract(week(monday) from a at time zone 'Europe/Berlin')", NULL},
        {"extract(HOUR from a)", "extract(hour from a)"},
        {"a not in (1, 2)", NULL},
        {"a in unnest(b)", NULL},
        {"a is not distinct from b", NULL},
        {"a like all ('x', 'y')", NULL},
        {"a like some ('x')", "a like any ('x')"},
        {"[1, 2]", NULL},
        {"array[1]", "[1]"},
        {"array<int64>[]", NULL},
        {"(1, 'a')", "struct(1, 'a')"},
        {"struct(1 as a, b)", NULL},
        {"struct<a int64>(1)", NULL},
        {"(a).b", NULL},
        {"(1).b", NULL},
        {"a[offset(1)].b", NULL},
        {"(a + b)[0]", NULL},
        {"lag(a) over (partition by b order by c rows between 3 preceding and current row)", NULL},
        {"sum(a) over (order by c range interval 1 hour preceding)",
         "sum(a) over (order by c range between interval 1 hour preceding and current row)"},
        {"row_number() over ()", NULL},
    };
    for (uint32_t i = 0; i < EVS_COUNT(rows); i++) {
        const char *printed = parse_case_expr_text(parse_case_expr(rows[i].text)),
                   *expected = rows[i].printed != NULL ? rows[i].printed : rows[i].text;
        ck_assert_msg(evs_diagnostics_count(parse_case.diagnostics) == 0, "%s", parse_case_messages());
        ck_assert_str_eq(printed, expected);
        ck_assert_str_eq(parse_case_expr_text(parse_case_expr(printed)), expected); /* it means itself */
    }
}
END_TEST

START_TEST(literals)
{
    ck_assert_int_eq(parse_case_expr("0x10")->value.int64, 16);
    ck_assert_int_eq(parse_case_expr("-9223372036854775808")->value.int64, INT64_MIN);
    ck_assert_int_eq(parse_case_expr("1.5")->value.kind, EVS_FLOAT64);
    ck_assert(parse_case_expr("null")->value.is_null);
    ck_assert_int_eq(parse_case_expr("b'a'")->value.kind, EVS_BYTES);
    const struct evs_ast_expr *date = parse_case_expr("date '2026-01-05'");
    ck_assert_int_eq(date->kind, EVS_AST_TYPED_LITERAL);
    ck_assert_int_eq(date->value_kind, EVS_DATE);
    ck_assert(evs_slice_equal(evs_str_slice(&date->value.str), EVS_SLICE("2026-01-05")));
    const struct evs_ast_expr *interval = parse_case_expr("interval 3 quarter");
    ck_assert_int_eq(interval->part, EVS_PART_QUARTER);
    ck_assert_uint_eq(evs_diagnostics_count(parse_case.diagnostics), 0);
}
END_TEST

START_TEST(calls)
{
    const struct evs_ast_expr *call = parse_case_expr("SAFE.Net.Host(distinct a, zone => b)");
    ck_assert(evs_slice_equal(call->call->name, EVS_SLICE("net.host")));
    ck_assert(call->safe && call->call->distinct);
    ck_assert_uint_eq(call->argument_count, 2);
    ck_assert(!evs_ident_given(&call->argument_names[0]) && parse_case_is_named(call->argument_names[1], "zone"));
    ck_assert_uint_eq(call->call->name_place.count, strlen("SAFE.Net.Host"));
    ck_assert_ptr_null(parse_case_expr("f(a)")->argument_names);
    const struct evs_ast_expr *aggregate = parse_case_expr("last(a ignore nulls where b order by c desc limit 2)");
    ck_assert_int_eq(aggregate->call->nulls, EVS_NULLS_IGNORE);
    ck_assert_str_eq(parse_case_expr_text(aggregate->call->where), "b");
    ck_assert(aggregate->call->order.items[0].descending);
    ck_assert_str_eq(parse_case_expr_text(aggregate->call->limit), "2");
    ck_assert_uint_eq(aggregate->argument_count, 1);
    const struct evs_ast_expr *having = parse_case_expr("any_value(a having min b + 1 limit 2)");
    ck_assert(!having->call->having_max);
    ck_assert_str_eq(parse_case_expr_text(having->call->having), "b + 1");
    ck_assert(parse_case_expr("any_value(max having max min)")->call->having_max); /* both are names elsewhere */
    ck_assert_uint_eq(evs_diagnostics_count(parse_case.diagnostics), 0);
}
END_TEST

/* Spans are exact: the text under them, without parentheses round the whole. */
START_TEST(spans)
{
    const char *text = "  a + (b.c * f ( 1 )) and not x is not null";
    const struct evs_ast_expr *both = parse_case_expr(text);
    struct {
        struct evs_place place;
        const char *under;
    } rows[] = {
        {both->place, "a + (b.c * f ( 1 )) and not x is not null"},
        {both->op_place, "and"},
        {both->arguments[0]->place, "a + (b.c * f ( 1 ))"},
        {both->arguments[0]->op_place, "+"},
        {both->arguments[0]->arguments[1]->place, "b.c * f ( 1 )"},
        {both->arguments[0]->arguments[1]->arguments[0]->place, "b.c"},
        {both->arguments[0]->arguments[1]->arguments[0]->names[1].place, "c"},
        {both->arguments[0]->arguments[1]->arguments[1]->place, "f ( 1 )"},
        {both->arguments[1]->place, "not x is not null"},
        {both->arguments[1]->arguments[0]->op_place, "is not null"},
    };
    for (uint32_t i = 0; i < EVS_COUNT(rows); i++) {
        struct evs_slice under = {text + rows[i].place.offset, rows[i].place.count};
        ck_assert_msg(evs_slice_equal(under, evs_slice_of(rows[i].under)), "`%.*s`, not `%s`", (int)under.count,
                      under.data, rows[i].under);
        ck_assert_uint_eq(rows[i].place.column, rows[i].place.offset + 1);
    }
    ck_assert(both->arguments[0]->arguments[1]->parenthesised);
    ck_assert(!both->arguments[0]->parenthesised);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parse_expr");
    TCase *tests = tcase_create("parse_expr");
    tcase_add_checked_fixture(tests, parse_case_begin, parse_case_end);
    tcase_add_test(tests, precedence);
    tcase_add_test(tests, canonical_text);
    tcase_add_test(tests, literals);
    tcase_add_test(tests, calls);
    tcase_add_test(tests, spans);
    suite_add_tcase(suite, tests);
    return parse_case_run(suite);
}
