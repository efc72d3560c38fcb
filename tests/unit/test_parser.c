/* The parser: trees of expressions by a table, what statements and operators hold, recovery, limits, imports. */
#include <check.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parser.h"
#include "words.h"

static struct evs_sources *sources;
static struct evs_diagnostics *diagnostics;
static struct evs_script script;

static void set_up(void)
{
    sources = evs_sources_new();
    diagnostics = evs_diagnostics_new(sources);
    evs_script_init(&script);
    script.accept_all = true;
}

static void tear_down(void)
{
    evs_script_fini(&script);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
}

static void start_again(void)
{
    tear_down();
    set_up();
}

/* The messages so far, for assertions. */
static const char *messages(void)
{
    struct evs_buffer out = {0};
    evs_diagnostics_render(diagnostics, false, &out);
    size_t shown = out.count < 3000 ? out.count : 3000; /* what check can take */
    char *text = evs_arena_strndup(&script.arena, out.count > 0 ? out.data : "", shown);
    evs_buffer_fini(&out);
    return text;
}

static const struct evs_ast_expr *parse_expr(const char *text)
{
    return evs_parse_expr(&script, evs_sources_add(sources, "expr", evs_slice_of(text)), diagnostics);
}

static void parse(const char *text)
{
    evs_parse(&script, evs_sources_add(sources, "text", evs_slice_of(text)), diagnostics);
}

/* Parses a text without mistakes that holds `count` statements. */
static void parse_well(const char *text, uint32_t count)
{
    parse(text);
    ck_assert_msg(evs_diagnostics_count(diagnostics) == 0, "%s", messages());
    ck_assert_uint_eq(script.count, count);
}

/* The operators of a query alone: "from a |> …". */
static const struct evs_ast_pipe *parse_pipes(const char *text, uint32_t count)
{
    start_again();
    parse_well(text, 1);
    ck_assert_int_eq(script.statements[0]->kind, EVS_STATEMENT_QUERY);
    ck_assert_uint_eq(script.statements[0]->query->pipeline.count, count);
    return script.statements[0]->query->pipeline.pipes;
}

static bool is_named(struct evs_ident ident, const char *name)
{
    return evs_slice_equal(ident.text, evs_slice_of(name)) && ident.text.data[ident.text.count] == '\0';
}

static const char *text_of(const struct evs_ast_expr *expr)
{
    return expr != NULL ? evs_ast_expr_text(&script.arena, expr) : "(none)";
}

/* --- expressions -------------------------------------------------------------------------------------------------------- */

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
        show_tree(&tree, parse_expr(rows[i].text));
        evs_buffer_put(&tree, "", 1);
        ck_assert_msg(evs_diagnostics_count(diagnostics) == 0, "%s", messages());
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
        const char *printed = text_of(parse_expr(rows[i].text)),
                   *expected = rows[i].printed != NULL ? rows[i].printed : rows[i].text;
        ck_assert_msg(evs_diagnostics_count(diagnostics) == 0, "%s", messages());
        ck_assert_str_eq(printed, expected);
        ck_assert_str_eq(text_of(parse_expr(printed)), expected); /* it means itself */
    }
}
END_TEST

START_TEST(literals)
{
    ck_assert_int_eq(parse_expr("0x10")->value.int64, 16);
    ck_assert_int_eq(parse_expr("-9223372036854775808")->value.int64, INT64_MIN);
    ck_assert_int_eq(parse_expr("1.5")->value.kind, EVS_FLOAT64);
    ck_assert(parse_expr("null")->value.is_null);
    ck_assert_int_eq(parse_expr("b'a'")->value.kind, EVS_BYTES);
    const struct evs_ast_expr *date = parse_expr("date '2026-01-05'");
    ck_assert_int_eq(date->kind, EVS_AST_TYPED_LITERAL);
    ck_assert_int_eq(date->value_kind, EVS_DATE);
    ck_assert(evs_slice_equal(evs_str_slice(&date->value.str), EVS_SLICE("2026-01-05")));
    const struct evs_ast_expr *interval = parse_expr("interval 3 quarter");
    ck_assert_int_eq(interval->part, EVS_PART_QUARTER);
    ck_assert_uint_eq(evs_diagnostics_count(diagnostics), 0);
}
END_TEST

START_TEST(calls)
{
    const struct evs_ast_expr *call = parse_expr("SAFE.Net.Host(distinct a, zone => b)");
    ck_assert(evs_slice_equal(call->call->name, EVS_SLICE("net.host")));
    ck_assert(call->safe && call->call->distinct);
    ck_assert_uint_eq(call->argument_count, 2);
    ck_assert(!evs_ident_given(&call->argument_names[0]) && is_named(call->argument_names[1], "zone"));
    ck_assert_uint_eq(call->call->name_place.count, strlen("SAFE.Net.Host"));
    ck_assert_ptr_null(parse_expr("f(a)")->argument_names);
    const struct evs_ast_expr *aggregate = parse_expr("last(a ignore nulls where b order by c desc limit 2)");
    ck_assert_int_eq(aggregate->call->nulls, EVS_NULLS_IGNORE);
    ck_assert_str_eq(text_of(aggregate->call->where), "b");
    ck_assert(aggregate->call->order.items[0].descending);
    ck_assert_str_eq(text_of(aggregate->call->limit), "2");
    ck_assert_uint_eq(aggregate->argument_count, 1);
    ck_assert_uint_eq(evs_diagnostics_count(diagnostics), 0);
}
END_TEST

/* Spans are exact: the text under them, without parentheses round the whole. */
START_TEST(spans)
{
    const char *text = "  a + (b.c * f ( 1 )) and not x is not null";
    const struct evs_ast_expr *both = parse_expr(text);
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

/* --- statements --------------------------------------------------------------------------------------------------------- */

START_TEST(sources_and_their_clauses)
{
    parse_well("create source clicks (\n"
               "    id string not null,\n"
               "    ts timestamp unit MS path '$.time' default timestamp '2026-01-05',\n"
               "    tags array<string>,\n"
               "    watermark for ts as ts - interval 5 second,\n"
               ") from nats (stream = 'CLICKS', cache = interval 60 second, n = @n)\n"
               "  format json (strict = true) dead letter into dead on error fail;",
               1);
    const struct evs_ast_statement *statement = script.statements[0];
    ck_assert_int_eq(statement->kind, EVS_STATEMENT_SOURCE);
    ck_assert(is_named(statement->name, "clicks") && !statement->is_broken);
    const struct evs_ast_source *source = &statement->source;
    ck_assert_uint_eq(source->columns.count, 3);
    const struct evs_ast_column *at = &source->columns.items[1];
    ck_assert(!at->not_null && source->columns.items[0].not_null);
    ck_assert(is_named(at->unit, "MS") && at->has_path);
    ck_assert(evs_slice_equal(evs_str_slice(&at->path), EVS_SLICE("$.time")));
    ck_assert_str_eq(text_of(at->fallback), "timestamp '2026-01-05'");
    ck_assert(is_named(source->columns.items[2].type->element->name, "string"));
    ck_assert(is_named(source->watermark_column, "ts"));
    ck_assert_str_eq(text_of(source->watermark), "ts - interval 5 second");
    ck_assert(is_named(source->connector.name, "nats") && source->connector.option_count == 3);
    ck_assert_str_eq(text_of(source->connector.options[1].value), "interval 60 second");
    ck_assert(is_named(source->format.name, "json") && is_named(source->dead_letter, "dead"));
    ck_assert_int_eq(source->on_error, EVS_ON_ERROR_FAIL);
}
END_TEST

START_TEST(tables)
{
    parse_well(
        "create table a (k string, v int64, primary key (k)) from redis (key = 'a:{k}') on lookup error dead letter;\n"
        "create table b (k string, primary key (k)) as from s |> select k retain interval 30 day;",
        2);
    const struct evs_ast_table *looked_up = &script.statements[0]->table, *kept = &script.statements[1]->table;
    ck_assert_int_eq(looked_up->on_lookup_error, EVS_ON_LOOKUP_DEAD_LETTER);
    ck_assert(is_named(looked_up->primary_key.items[0], "k") && looked_up->query == NULL);
    ck_assert_uint_eq(kept->query->pipeline.count, 1);
    ck_assert(!evs_ident_given(&kept->query->pipeline.pipes[0].select.items.items[0].alias)); /* `retain` is no alias */
    ck_assert_str_eq(text_of(kept->retain), "interval 30 day");
}
END_TEST

START_TEST(params_settings_imports)
{
    parse_well("pipeline carts;; param n int64 default -5; param zone string; set delivery = 'fast'; import "
               "'lib/x.evs'; create sink s to file",
               6);
    ck_assert_int_eq(script.statements[0]->kind, EVS_STATEMENT_PIPELINE);
    ck_assert_str_eq(text_of(script.statements[1]->param.fallback), "-5");
    ck_assert_ptr_null(script.statements[2]->param.fallback);
    ck_assert(is_named(script.statements[3]->name, "delivery"));
    ck_assert(evs_slice_equal(evs_str_slice(&script.statements[4]->path), EVS_SLICE("lib/x.evs")));
    ck_assert_uint_eq(script.statements[5]->sink.connector.option_count, 0);
    ck_assert(!evs_ident_given(&script.statements[5]->sink.format.name));
}
END_TEST

START_TEST(tests_of_pipelines)
{
    parse_well("test 'a title' {\n"
               "    with n = 20\n"
               "    given clicks {\"a\":1}\n"
               "                 {\"a\": {\"b\": [2]}}\n"
               "    given clicks raw 'no JSON'\n"
               "    advance to '2026-01-05T11:00:00Z'\n"
               "    expect out in order {\"n\":1} {\"n\":2}\n"
               "    end of input\n"
               "    expect out nothing\n"
               "};",
               1);
    const struct evs_ast_test *test = &script.statements[0]->test;
    ck_assert(evs_slice_equal(evs_str_slice(&test->title), EVS_SLICE("a title")));
    ck_assert_uint_eq(test->step_count, 7);
    ck_assert_uint_eq(test->steps[1].row_count, 2);
    ck_assert(evs_slice_equal(evs_str_slice(&test->steps[1].rows[1]), EVS_SLICE("{\"a\": {\"b\": [2]}}")));
    ck_assert_uint_eq(test->steps[1].row_places[1].line, 4);
    ck_assert(test->steps[2].is_raw && test->steps[2].row_count == 1);
    ck_assert_int_eq(test->steps[3].kind, EVS_TEST_ADVANCE);
    ck_assert(test->steps[4].in_order && test->steps[4].row_count == 2);
    ck_assert_int_eq(test->steps[5].kind, EVS_TEST_END);
    ck_assert_uint_eq(test->steps[6].row_count, 0);
}
END_TEST

/* --- queries ------------------------------------------------------------------------------------------------------------ */

START_TEST(row_wise_operators)
{
    const struct evs_ast_pipe *pipes = parse_pipes("from clicks as c |> select *, c.* except (a, b) replace (x + 1 as "
                                                   "x), a b, f(x) as `y z`, |> extend x y |> set a = 1, b = c"
                                                   " |> drop a, b |> rename a as b, c d |> as t |> where x",
                                                   7);
    const struct evs_ast_items *items = &pipes[0].select.items;
    ck_assert_uint_eq(items->count, 4);
    ck_assert(items->items[0].is_star && items->items[0].expr == NULL);
    ck_assert(items->items[1].is_star && items->items[1].except.count == 2 && items->items[1].replace_count == 1);
    ck_assert_str_eq(text_of(items->items[1].expr), "c");
    ck_assert(is_named(items->items[1].replace[0].alias, "x"));
    ck_assert(is_named(items->items[2].alias, "b") && is_named(items->items[3].alias, "y z"));
    ck_assert(is_named(pipes[1].items.items[0].alias, "y"));
    ck_assert(pipes[2].items.count == 2 && is_named(pipes[2].items.items[1].alias, "b"));
    ck_assert(is_named(pipes[3].idents.items[1], "b"));
    ck_assert(is_named(pipes[4].renames.items[1].from, "c") && is_named(pipes[4].renames.items[1].to, "d"));
    ck_assert(is_named(pipes[5].ident, "t"));
    ck_assert_str_eq(text_of(pipes[6].expr), "x");
    ck_assert(is_named(script.statements[0]->query->from.alias, "c"));
}
END_TEST

START_TEST(aggregates)
{
    const struct evs_ast_pipe *pipes =
        parse_pipes("from c |> aggregate as counts count(*) as n, sum(x) group by a as b, Tumble(interval 1 minute) "
                    "emit on window close"
                    " allow lateness interval 5 second late into late_rows retain @keep |> aggregate group by x emit "
                    "every interval 1 second |> aggregate n emit"
                    " |> aggregate count(*) as n group by a emit on change retain interval 1 day as changes",
                    4);
    const struct evs_ast_aggregate *aggregate = pipes[0].aggregate;
    ck_assert(is_named(pipes[0].name, "counts"));
    ck_assert_uint_eq(aggregate->items.count, 2);
    ck_assert(is_named(aggregate->groups[0].alias, "b"));
    ck_assert_int_eq(aggregate->groups[0].window, EVS_AST_WINDOW_NONE);
    ck_assert_int_eq(aggregate->groups[1].window, EVS_AST_WINDOW_TUMBLE);
    ck_assert_int_eq(aggregate->emit, EVS_AST_EMIT_ON_CLOSE);
    ck_assert_str_eq(text_of(aggregate->lateness), "interval 5 second");
    ck_assert(is_named(aggregate->late_into, "late_rows"));
    ck_assert_str_eq(text_of(aggregate->retain), "@keep");
    ck_assert_int_eq(pipes[1].aggregate->emit, EVS_AST_EMIT_EVERY);
    ck_assert(is_named(pipes[2].aggregate->items.items[0].alias, "emit")); /* a name, where no clause follows */
    ck_assert_int_eq(pipes[3].aggregate->emit, EVS_AST_EMIT_ON_CHANGE);
    ck_assert(is_named(pipes[3].name, "changes"));
}
END_TEST

START_TEST(branches_and_sets)
{
    const struct evs_ast_pipe *pipes = parse_pipes(
        "from a |> tee (|> where x |> insert into s), (insert into t) |> union all by name (from b), "
        "((from c) as d |> where y) |> fork () |> limit 3 offset 1 |> order by x desc, y |> insert into u (a, b)",
        6);
    ck_assert_uint_eq(pipes[0].branches.count, 2);
    ck_assert_uint_eq(pipes[0].branches.items[0].count, 2);
    ck_assert(is_named(pipes[0].branches.items[1].pipes[0].insert.sink, "t"));
    ck_assert(pipes[1].set_operation.by_name && !pipes[1].set_operation.distinct && pipes[1].set_operation.count == 2);
    const struct evs_ast_query *inner = pipes[1].set_operation.queries[1];
    ck_assert_int_eq(inner->from.kind, EVS_RELATION_QUERY);
    ck_assert(is_named(inner->from.alias, "d") && inner->pipeline.count == 1);
    ck_assert_uint_eq(pipes[2].branches.items[0].count, 0);
    ck_assert_str_eq(text_of(pipes[3].limit.offset), "1");
    ck_assert(pipes[4].orders.items[0].descending && !pipes[4].orders.items[1].descending);
    ck_assert_uint_eq(pipes[5].insert.columns.count, 2);
}
END_TEST

START_TEST(joins)
{
    const struct evs_ast_pipe *pipes =
        parse_pipes("from a x join b on x.k = b.k left outer join (from c) as c using (k, l)"
                    " |> anti join d on true allow lateness interval 1 second late into s |> left semi join e using (k)"
                    " |> cross join unnest(x.tags) as tag with offset as i |> full join f semi using (k)",
                    6);
    static const int kinds[] = {EVS_JOIN_INNER, EVS_JOIN_LEFT,  EVS_JOIN_ANTI,
                                EVS_JOIN_SEMI,  EVS_JOIN_CROSS, EVS_JOIN_FULL};
    for (uint32_t i = 0; i < EVS_COUNT(kinds); i++) {
        ck_assert_int_eq(pipes[i].kind, EVS_PIPE_JOIN);
        ck_assert_int_eq(pipes[i].join->kind, kinds[i]);
    }
    ck_assert_uint_eq(pipes[1].join->using_columns.count, 2);
    ck_assert(is_named(pipes[2].join->late_into, "s"));
    ck_assert_int_eq(pipes[4].join->right.kind, EVS_RELATION_UNNEST);
    ck_assert(is_named(pipes[4].join->right.offset_alias, "i"));
    ck_assert(is_named(pipes[5].join->right.alias, "semi"));
}
END_TEST

START_TEST(stream_operators)
{
    const struct evs_ast_pipe *pipes = parse_pipes("from a |> deduplicate by x, y within interval 1 hour keep last as "
                                                   "once |> throttle 2 per interval 1 day by u dropped into s"
                                                   " |> throttle as cap 1 per week time_zone => 'Europe/Berlin' by u "
                                                   "|> sample 10 percent by u salt 'spring' rest into held"
                                                   " |> top 3 by n desc partition by a, b |> hold until t + interval 1 "
                                                   "hour at most interval 1 day |> call tumble(interval 1 minute) as w",
                                                   7);
    ck_assert(pipes[0].deduplicate->keys.count == 2 && pipes[0].deduplicate->keep_last &&
              is_named(pipes[0].name, "once"));
    ck_assert(pipes[1].throttle->interval != NULL && is_named(pipes[1].throttle->dropped_into, "s"));
    ck_assert_int_eq(pipes[2].throttle->calendar, EVS_PART_WEEK);
    ck_assert_str_eq(text_of(pipes[2].throttle->time_zone), "'Europe/Berlin'");
    ck_assert(is_named(pipes[2].name, "cap"));
    ck_assert(is_named(pipes[3].sample->rest_into, "held"));
    ck_assert(pipes[4].top->descending && pipes[4].top->partition.count == 2);
    ck_assert_str_eq(text_of(pipes[5].hold->at_most), "interval 1 day");
    ck_assert(is_named(pipes[6].call.alias, "w"));
}
END_TEST

START_TEST(sequences)
{
    const struct evs_ast_pipe *pipes =
        parse_pipes("from a |> sequence by u within interval 1 day after match skip to next row\n"
                    "  view{2,} as type = 'view' then next cart+ as type = 'cart' within interval 1 hour\n"
                    "  then pay? as true then b{3} as true then no buy as type = 'buy' within interval 30 minute\n"
                    "  on timeout into late select u, count(cart) as n",
                    1);
    const struct evs_ast_sequence *sequence = pipes[0].sequence;
    ck_assert_int_eq(sequence->skip, EVS_SKIP_TO_NEXT_ROW);
    ck_assert_uint_eq(sequence->step_count, 5);
    ck_assert(sequence->steps[0].min == 2 && sequence->steps[0].max == EVS_UNBOUNDED && sequence->steps[0].quantified);
    ck_assert(sequence->steps[1].is_next && sequence->steps[1].min == 1 && sequence->steps[1].within != NULL);
    ck_assert(sequence->steps[2].min == 0 && sequence->steps[2].max == 1);
    ck_assert(sequence->steps[3].min == 3 && sequence->steps[3].max == 3);
    ck_assert(sequence->steps[4].is_absence && !sequence->steps[4].quantified);
    ck_assert(is_named(sequence->timeout_into, "late") && sequence->select.count == 2);
}
END_TEST

START_TEST(steps_may_have_the_names_of_words)
{
    const struct evs_ast_pipe *pipes =
        parse_pipes("from a |> sequence by u after as x then next as y then next next as z select u", 1);
    const struct evs_ast_sequence *sequence = pipes[0].sequence;
    ck_assert_int_eq(sequence->skip, EVS_SKIP_DEFAULT);
    ck_assert(is_named(sequence->steps[0].name, "after"));
    ck_assert(is_named(sequence->steps[1].name, "next") && !sequence->steps[1].is_next);
    ck_assert(is_named(sequence->steps[2].name, "next") && sequence->steps[2].is_next);
}
END_TEST

START_TEST(patterns)
{
    const struct evs_ast_pipe *pipes = parse_pipes(
        "from a |> match_recognize (partition by u order by t measures last(b.x) as x after match skip past last row"
        " pattern (^ a (b|c d)+? e{2,3} || f{,4}? $) within interval 1 hour define a as x > 1, b as y)",
        1);
    const struct evs_ast_match_recognize *match = pipes[0].match_recognize;
    ck_assert_uint_eq(match->definition_count, 2);
    ck_assert_int_eq(match->pattern->kind, EVS_PATTERN_CHOICE);
    ck_assert_uint_eq(match->pattern->part_count, 3);
    ck_assert_int_eq(match->pattern->parts[1]->kind, EVS_PATTERN_EMPTY);
    const struct evs_ast_pattern *first = match->pattern->parts[0], *group = first->parts[2];
    ck_assert_uint_eq(first->part_count, 4);
    ck_assert_int_eq(first->parts[0]->kind, EVS_PATTERN_START);
    ck_assert(group->reluctant && group->min == 1 && group->max == EVS_UNBOUNDED);
    ck_assert_int_eq(group->parts[0]->kind, EVS_PATTERN_CHOICE);
    ck_assert(first->parts[3]->min == 2 && first->parts[3]->max == 3);
    const struct evs_ast_pattern *last = match->pattern->parts[2]->parts[0];
    ck_assert(last->min == 0 && last->max == 4 && last->reluctant);
}
END_TEST

/* Every word that GoogleSQL does not reserve is a name, of a column and of an alias, with `as` and without. */
START_TEST(words_are_not_reserved)
{
    for (uint32_t word = EVS_WORD_NONE + 1; word < EVS_WORD_COUNT; word++) {
        if (evs_word_is_reserved(word)) {
            continue;
        }
        const char *name = evs_word_text(word);
        char text[512];
        snprintf(
            text, sizeof text,
            "from %s |> where %s > 1 |> select %s, x %s, %s.y as %s |> extend %s + 1 %s |> drop %s |> insert into %s;",
            name, name, name, name, name, name, name, name, name, name);
        start_again();
        parse(text);
        ck_assert_msg(evs_diagnostics_count(diagnostics) == 0, "%s", messages());
    }
}
END_TEST

/* --- mistakes ----------------------------------------------------------------------------------------------------------- */

/* The codes of what was reported: "E0110 E0113". */
static void check_codes(const char *text, const char *expected)
{
    start_again();
    script.accept_all = false;
    parse(text);
    char codes[1024] = "";
    for (uint32_t i = 0; i < evs_diagnostics_count(diagnostics); i++) {
        strcat(codes, i > 0 ? " " : "");
        strcat(codes, evs_code_info(evs_diagnostics_at(diagnostics, i).code)->name);
    }
    ck_assert_msg(strcmp(codes, expected) == 0, "`%s`: %s, not %s\n%s", text, codes, expected, messages());
}

START_TEST(one_mistake_is_one_error)
{
    static const struct {
        const char *text, *codes;
    } rows[] = {
        {"from a |> where (x = |> select y |> wher z;", "E0110 E0113"},
        {"from a |> tee (where x = |> wher y), (sel) |> selec z;", "E0110 E0113 E0113 E0113"},
        {"from a |> union all (from b |> where), (from c |> where ) |> wher x;", "E0110 E0110 E0113"},
        {"from a |> where f(x, g(y, |> select z; from b |> select;", "E0110 E0110"},
        {"from a |> where x\n  |> select (y\n  |> select z)\n;", "E0110 E0110"},
        {"create source a (x int64, y, z, w string) from file;", "E0110 E0110"},
        {"create source a (x int64 from file;\nfrom a |> wher x;", "E0110 E0113"},
        {"create sink s to file (a = 1, b = , c d, e = 2); from a |> wher x;", "E0110 E0110 E0113"},
        {"from a |> where x\nfrom b |> wher y;", "E0110 E0113"},
        {"from a |> where (x\ncreate sink s to file;\nfrom b |> wher y;", "E0110 E0113"},
        {"from a |> deduplicate by |> throttle x y z |> wher y;", "E0114 E0114 E0113"},
        {"test 'x' { nonsense (; from a |> wher y;", "E0114 E0113"},
        {"from", "E0110"},
        {"create", "E0110"},
        {"|>", "E0119"},
        {")", "E0110"},
        {"'text'", "E0110"},
        {"; ; ;", ""},
        {"from a |> where x = 'y\n|> wher x;", "E0103 E0113"},
        {"from a |> where x \xff y |> wher x;", "E0102 E0113"},
    };
    for (uint32_t i = 0; i < EVS_COUNT(rows); i++) {
        check_codes(rows[i].text, rows[i].codes);
    }
}
END_TEST

START_TEST(what_is_around_a_mistake_is_kept)
{
    parse("create source a (x int64, y y y, z string) from file;\nfrom a |> where x |> wher y |> select z;\nparam p "
          "int64;");
    ck_assert_uint_eq(evs_diagnostics_errors(diagnostics), 2);
    ck_assert_uint_eq(script.count, 3);
    ck_assert(script.statements[0]->is_broken && is_named(script.statements[0]->name, "a"));
    ck_assert_uint_eq(script.statements[0]->source.columns.count, 3);
    const struct evs_ast_pipeline *pipeline = &script.statements[1]->query->pipeline;
    ck_assert(!script.statements[1]->is_broken);
    ck_assert_uint_eq(pipeline->count, 3);
    ck_assert(!pipeline->pipes[0].is_broken && pipeline->pipes[1].is_broken && !pipeline->pipes[2].is_broken);
    ck_assert(is_named(script.statements[2]->name, "p"));
}
END_TEST

START_TEST(a_refused_operator_is_broken)
{
    script.accept_all = false;
    parse("from a |> deduplicate by x within interval 1 hour |> where over(x) over () |> select distinct y;");
    ck_assert_uint_eq(evs_diagnostics_errors(diagnostics), 3);
    const struct evs_ast_pipe *pipes = script.statements[0]->query->pipeline.pipes;
    ck_assert(pipes[0].is_broken && pipes[0].kind == EVS_PIPE_DEDUPLICATE);
    ck_assert_int_eq(pipes[1].expr->kind, EVS_AST_ERROR);
    ck_assert(pipes[2].is_broken);
}
END_TEST

/* --- limits ------------------------------------------------------------------------------------------------------------- */

/* `count` times `part` between `before` and `after`. */
static void parse_repeated(const char *before, const char *part, uint32_t count, const char *after)
{
    struct evs_buffer text = {0};
    evs_buffer_puts(&text, before);
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_puts(&text, part);
    }
    evs_buffer_puts(&text, after);
    start_again();
    evs_parse(&script, evs_sources_add(sources, "text", (struct evs_slice){text.data, text.count}), diagnostics);
    evs_buffer_fini(&text);
}

START_TEST(nesting_is_bounded)
{
    static const struct {
        const char *before, *part, *after;
    } rows[] = {
        {"from a |> where ", "(", ";"},
        {"from a |> where ", "not ", "x;"},
        {"from a |> where ", "- ", "x;"},
        {"from a |> where ", "f(", ";"},
        {"from a |> where ", "[", ";"},
        {"from a |> where ", "case when ", ";"},
        {"from a |> where x", " + 1", ";"},
        {"from a |> where x", ".y[0]", ";"},
        {"from a |> where x", "[0", ";"},
        {"from a |> where ", "exists (from a |> where ", ";"},
        {"from ", "(from ", ";"},
        {"", "(", ";"},
        {"from a |> tee ", "(|> tee ", ";"},
        {"from a |> union all ", "(from b |> union all ", ";"},
        {"create source a (x ", "array<", ";"},
        {"create source a (x ", "struct<a ", ";"},
        {"from a |> match_recognize (order by t pattern (", "(", ";"},
        {"from a |> where interval ", "interval ", ";"},
        {"from a |> where x in ", "(x in ", ";"},
        {"from a |> where sum(x) over (order by ", "sum(x) over (order by ", ";"},
    };
    for (uint32_t i = 0; i < EVS_COUNT(rows); i++) {
        parse_repeated(rows[i].before, rows[i].part, 20000, rows[i].after);
        ck_assert_msg(evs_diagnostics_errors(diagnostics) == 1, "%s%s…: %s", rows[i].before, rows[i].part, messages());
        ck_assert_int_eq(evs_diagnostics_at(diagnostics, 0).code, EVS_E0117);
    }
}
END_TEST

START_TEST(long_and_flat_is_no_problem)
{
    parse_repeated("from a |> where x = 1", " or x = 1 and y", 100000, ";");
    ck_assert_msg(evs_diagnostics_count(diagnostics) == 0, "%s", messages());
    ck_assert_uint_eq(script.statements[0]->query->pipeline.pipes[0].expr->argument_count, 100001);
    parse_repeated("from a |> where x in (1", ", 1", 300000, ");");
    ck_assert_uint_eq(evs_diagnostics_count(diagnostics), 0);
    parse_repeated("from a", " |> where x", 100000, ";");
    ck_assert_uint_eq(evs_diagnostics_count(diagnostics), 0);
    parse_repeated("", "from a;", 200000, "");
    ck_assert_uint_eq(script.count, 200000);
}
END_TEST

/* Rubbish of some size ends, with a bounded number of errors. */
START_TEST(rubbish_ends)
{
    static const char *const parts[] = {
        "\xff",  "'", "`", "((((", "|> ", "\\ ", "{\"", "1a ", "create ", "from ", "; |> ( ", "/*", "\xF0\x9F\x91\x9C",
        "'\\q' "};
    for (uint32_t i = 0; i < EVS_COUNT(parts); i++) {
        parse_repeated("", parts[i], 300000, "");
        ck_assert_uint_gt(evs_diagnostics_errors(diagnostics), 0);
        ck_assert_uint_le(evs_diagnostics_count(diagnostics), EVS_DIAGNOSTICS_MAX);
    }
}
END_TEST

START_TEST(every_prefix_of_a_text_ends)
{
    static const char text[] =
        "create source a (x int64 path '$.x' not null, watermark for t as t - interval 5 second) from nats (s = 'A');\n"
        "from a as b |> where x in (1, f(y => 2)) and s like '%' |> aggregate count(distinct x where y) as n group by "
        "tumble(interval @n minute) emit on window close |> tee (|> insert into t) |> union all (from c);\n"
        "test 'x' { given a {\"b\": [1]} expect t nothing };";
    for (size_t count = 0; count < sizeof text; count++) {
        start_again();
        evs_parse(&script, evs_sources_add(sources, "text", (struct evs_slice){text, count}), diagnostics);
        ck_assert_uint_le(evs_diagnostics_errors(diagnostics), 2);
    }
    ck_assert_msg(evs_diagnostics_count(diagnostics) == 0, "%s", messages());
}
END_TEST

/* --- imports ------------------------------------------------------------------------------------------------------------ */

static char folder[] = "/tmp/evs-parser-XXXXXX";

static const char *path_of(const char *name)
{
    return evs_arena_printf(&script.arena, "%s/%s", folder, name);
}

static void write_file(const char *name, const char *content)
{
    FILE *file = fopen(path_of(name), "w");
    ck_assert_ptr_nonnull(file);
    fputs(content, file);
    fclose(file);
}

static void make_folder(void)
{
    set_up();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(mkdir(path_of("lib"), 0700), 0);
}

static void remove_folder(void)
{
    static const char *const names[] = {"main.evs", "lib/a.evs", "lib/b.evs", "lib/c.evs"};
    for (uint32_t i = 0; i < EVS_COUNT(names); i++) {
        unlink(path_of(names[i]));
    }
    rmdir(path_of("lib"));
    rmdir(folder);
    tear_down();
}

/* The names that are declared, in order. */
static const char *declared(void)
{
    struct evs_buffer names = {0};
    for (uint32_t i = 0; i < script.count; i++) {
        if (script.statements[i]->kind == EVS_STATEMENT_PARAM) {
            evs_buffer_puts(&names, script.statements[i]->name.text.data);
        }
    }
    const char *text = evs_arena_strndup(&script.arena, names.data != NULL ? names.data : "", names.count);
    evs_buffer_fini(&names);
    return text;
}

START_TEST(imports_come_first_and_once)
{
    struct evs_error error;
    write_file("main.evs", "import 'lib/a.evs'; param m int64; import 'lib/../lib/b.evs'; param n int64;");
    write_file("lib/a.evs", "param a int64; import 'c.evs';");
    write_file("lib/b.evs", "import 'c.evs'; import './a.evs'; param b int64;");
    write_file("lib/c.evs", "param c int64;");
    ck_assert_int_eq(evs_script_load(&script, sources, path_of("main.evs"), diagnostics, &error), EVS_OK);
    ck_assert_str_eq(declared(), "cabmn");
    ck_assert_int_eq(evs_script_load(&script, sources, path_of("lib/b.evs"), diagnostics, &error), EVS_OK);
    ck_assert_str_eq(declared(), "cabmn");
    ck_assert_uint_eq(evs_diagnostics_count(diagnostics), 0);
}
END_TEST

START_TEST(circles_and_missing_files)
{
    struct evs_error error;
    write_file("main.evs", "import 'lib/a.evs'; import 'lib/nothing.evs'; param m int64;");
    write_file("lib/a.evs", "import 'b.evs'; param a int64;");
    write_file("lib/b.evs", "import '../main.evs'; import 'b.evs'; param b int64 x;");
    ck_assert_int_eq(evs_script_load(&script, sources, path_of("main.evs"), diagnostics, &error), EVS_E_PIPELINE);
    ck_assert_str_eq(declared(), "bam");
    ck_assert_uint_eq(evs_diagnostics_errors(diagnostics), 4);
    static const enum evs_code codes[] = {EVS_E0121, EVS_E0122, EVS_E0122, EVS_E0110};
    for (uint32_t i = 0; i < EVS_COUNT(codes); i++) {
        ck_assert_int_eq(evs_diagnostics_at(diagnostics, i).code, codes[i]);
    }
}
END_TEST

START_TEST(the_file_itself_is_missing)
{
    struct evs_error error = {0};
    ck_assert_int_eq(evs_script_load(&script, sources, path_of("main.evs"), diagnostics, &error), EVS_E_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "main.evs"));
    ck_assert_int_ne(evs_script_load(&script, sources, folder, diagnostics, &error), EVS_OK); /* a folder */
    ck_assert_uint_eq(evs_diagnostics_count(diagnostics), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parser");
    TCase *tests = tcase_create("parser"), *imports = tcase_create("imports");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_checked_fixture(imports, make_folder, remove_folder);
    tcase_add_test(tests, precedence);
    tcase_add_test(tests, canonical_text);
    tcase_add_test(tests, literals);
    tcase_add_test(tests, calls);
    tcase_add_test(tests, spans);
    tcase_add_test(tests, sources_and_their_clauses);
    tcase_add_test(tests, tables);
    tcase_add_test(tests, params_settings_imports);
    tcase_add_test(tests, tests_of_pipelines);
    tcase_add_test(tests, row_wise_operators);
    tcase_add_test(tests, aggregates);
    tcase_add_test(tests, branches_and_sets);
    tcase_add_test(tests, joins);
    tcase_add_test(tests, stream_operators);
    tcase_add_test(tests, sequences);
    tcase_add_test(tests, steps_may_have_the_names_of_words);
    tcase_add_test(tests, patterns);
    tcase_add_test(tests, words_are_not_reserved);
    tcase_add_test(tests, one_mistake_is_one_error);
    tcase_add_test(tests, what_is_around_a_mistake_is_kept);
    tcase_add_test(tests, a_refused_operator_is_broken);
    tcase_add_test(tests, nesting_is_bounded);
    tcase_add_test(tests, long_and_flat_is_no_problem);
    tcase_add_test(tests, rubbish_ends);
    tcase_add_test(tests, every_prefix_of_a_text_ends);
    tcase_add_test(imports, imports_come_first_and_once);
    tcase_add_test(imports, circles_and_missing_files);
    tcase_add_test(imports, the_file_itself_is_missing);
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, imports);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
