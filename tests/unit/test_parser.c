/* What statements and operators hold when they are read. */
#include "parse_case.h"
#include "words.h"

/* --- statements --------------------------------------------------------------------------------------------------- */

START_TEST(sources_and_their_clauses)
{
    parse_case_well("create source clicks (\n"
                    "    id string not null,\n"
                    "    ts timestamp unit MS path '$.time' default timestamp '2026-01-05',\n"
                    "    tags array<string>,\n"
                    "    watermark for ts as ts - interval 5 second,\n"
                    ") from nats (stream = 'CLICKS', cache = interval 60 second, n = @n)\n"
                    "  format json (strict = true) dead letter into dead on error fail;",
                    1);
    const struct evs_ast_statement *statement = parse_case.script.statements[0];
    ck_assert_int_eq(statement->kind, EVS_STATEMENT_SOURCE);
    ck_assert(parse_case_is_named(statement->name, "clicks") && !statement->is_broken);
    const struct evs_ast_source *source = &statement->source;
    ck_assert_uint_eq(source->columns.count, 3);
    const struct evs_ast_column *at = &source->columns.items[1];
    ck_assert(!at->not_null && source->columns.items[0].not_null);
    ck_assert(parse_case_is_named(at->unit, "MS") && at->has_path);
    ck_assert(evs_slice_equal(evs_str_slice(&at->path), EVS_SLICE("$.time")));
    ck_assert_str_eq(parse_case_expr_text(at->fallback), "timestamp '2026-01-05'");
    ck_assert(parse_case_is_named(source->columns.items[2].type->element->name, "string"));
    ck_assert(parse_case_is_named(source->watermark_column, "ts"));
    ck_assert_str_eq(parse_case_expr_text(source->watermark), "ts - interval 5 second");
    ck_assert(parse_case_is_named(source->connector.name, "nats") && source->connector.option_count == 3);
    ck_assert_str_eq(parse_case_expr_text(source->connector.options[1].value), "interval 60 second");
    ck_assert(parse_case_is_named(source->format.name, "json") && parse_case_is_named(source->dead_letter, "dead"));
    ck_assert_int_eq(source->on_error, EVS_ON_ERROR_FAIL);
}
END_TEST

START_TEST(tables)
{
    parse_case_well(
        "create table a (k string, v int64, primary key (k)) from redis (key = 'a:{k}') on lookup error dead letter;\n"
        "create table b (k string, primary key (k)) as from s |> select k retain interval 30 day;",
        2);
    const struct evs_ast_table *looked_up = &parse_case.script.statements[0]->table,
                               *kept = &parse_case.script.statements[1]->table;
    ck_assert_int_eq(looked_up->on_lookup_error, EVS_ON_LOOKUP_DEAD_LETTER);
    ck_assert(parse_case_is_named(looked_up->primary_key.items[0], "k") && looked_up->query == NULL);
    ck_assert_uint_eq(kept->query->pipeline.count, 1);
    ck_assert(!evs_ident_given(&kept->query->pipeline.pipes[0].select.items.items[0].alias)); /* `retain` is no alias */
    ck_assert_str_eq(parse_case_expr_text(kept->retain), "interval 30 day");
}
END_TEST

START_TEST(params_settings_imports)
{
    parse_case_well("pipeline carts;; param n int64 default -5; param zone string; set delivery = 'fast'; import "
                    "'lib/x.evs'; create sink s to file",
                    6);
    ck_assert_int_eq(parse_case.script.statements[0]->kind, EVS_STATEMENT_PIPELINE);
    ck_assert_str_eq(parse_case_expr_text(parse_case.script.statements[1]->param.fallback), "-5");
    ck_assert_ptr_null(parse_case.script.statements[2]->param.fallback);
    ck_assert(parse_case_is_named(parse_case.script.statements[3]->name, "delivery"));
    ck_assert(evs_slice_equal(evs_str_slice(&parse_case.script.statements[4]->path), EVS_SLICE("lib/x.evs")));
    ck_assert_uint_eq(parse_case.script.statements[5]->sink.connector.option_count, 0);
    ck_assert(!evs_ident_given(&parse_case.script.statements[5]->sink.format.name));
}
END_TEST

START_TEST(tests_of_pipelines)
{
    parse_case_well("test 'a title' {\n"
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
    const struct evs_ast_test *test = &parse_case.script.statements[0]->test;
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

/* --- queries ------------------------------------------------------------------------------------------------------ */

START_TEST(row_wise_operators)
{
    const struct evs_ast_pipe *pipes =
        parse_case_pipes("from clicks as c |> select *, c.* except (a, b) replace (x + 1 as "
                         "x), a b, f(x) as `y z`, |> extend x y |> set a = 1, b = c"
                         " |> drop a, b |> rename a as b, c d |> as t |> where x",
                         7);
    const struct evs_ast_items *items = &pipes[0].select.items;
    ck_assert_uint_eq(items->count, 4);
    ck_assert(items->items[0].is_star && items->items[0].expr == NULL);
    ck_assert(items->items[1].is_star && items->items[1].except.count == 2 && items->items[1].replace_count == 1);
    ck_assert_str_eq(parse_case_expr_text(items->items[1].expr), "c");
    ck_assert(parse_case_is_named(items->items[1].replace[0].alias, "x"));
    ck_assert(parse_case_is_named(items->items[2].alias, "b") && parse_case_is_named(items->items[3].alias, "y z"));
    ck_assert(parse_case_is_named(pipes[1].items.items[0].alias, "y"));
    ck_assert(pipes[2].items.count == 2 && parse_case_is_named(pipes[2].items.items[1].alias, "b"));
    ck_assert(parse_case_is_named(pipes[3].idents.items[1], "b"));
    ck_assert(parse_case_is_named(pipes[4].renames.items[1].from, "c") &&
              parse_case_is_named(pipes[4].renames.items[1].to, "d"));
    ck_assert(parse_case_is_named(pipes[5].ident, "t"));
    ck_assert_str_eq(parse_case_expr_text(pipes[6].expr), "x");
    ck_assert(parse_case_is_named(parse_case.script.statements[0]->query->from.alias, "c"));
}
END_TEST

START_TEST(aggregates)
{
    const struct evs_ast_pipe *pipes = parse_case_pipes(
        "from c |> aggregate as counts count(*) as n, sum(x) group by a as b, Tumble(interval 1 minute) "
        "emit on window close"
        " allow lateness interval 5 second late into late_rows retain @keep |> aggregate group by x emit "
        "every interval 1 second |> aggregate n emit"
        " |> aggregate count(*) as n group by a emit on change retain interval 1 day as changes",
        4);
    const struct evs_ast_aggregate *aggregate = pipes[0].aggregate;
    ck_assert(parse_case_is_named(pipes[0].name, "counts"));
    ck_assert_uint_eq(aggregate->items.count, 2);
    ck_assert(parse_case_is_named(aggregate->groups[0].alias, "b"));
    ck_assert_int_eq(aggregate->groups[0].window, EVS_AST_WINDOW_NONE);
    ck_assert_int_eq(aggregate->groups[1].window, EVS_AST_WINDOW_TUMBLE);
    ck_assert_int_eq(aggregate->emit, EVS_AST_EMIT_ON_CLOSE);
    ck_assert_str_eq(parse_case_expr_text(aggregate->lateness), "interval 5 second");
    ck_assert(parse_case_is_named(aggregate->late_into, "late_rows"));
    ck_assert_str_eq(parse_case_expr_text(aggregate->retain), "@keep");
    ck_assert_int_eq(pipes[1].aggregate->emit, EVS_AST_EMIT_EVERY);
    ck_assert(
        parse_case_is_named(pipes[2].aggregate->items.items[0].alias, "emit")); /* a name, where no clause follows */
    ck_assert_int_eq(pipes[3].aggregate->emit, EVS_AST_EMIT_ON_CHANGE);
    ck_assert(parse_case_is_named(pipes[3].name, "changes"));
}
END_TEST

START_TEST(branches_and_sets)
{
    const struct evs_ast_pipe *pipes = parse_case_pipes(
        "from a |> tee (|> where x |> insert into s), (insert into t) |> union all by name (from b), "
        "((from c) as d |> where y) |> fork () |> limit 3 offset 1 |> order by x desc, y |> insert into u (a, b)",
        6);
    ck_assert_uint_eq(pipes[0].branches.count, 2);
    ck_assert_uint_eq(pipes[0].branches.items[0].count, 2);
    ck_assert(parse_case_is_named(pipes[0].branches.items[1].pipes[0].insert.sink, "t"));
    ck_assert(pipes[1].set_operation.by_name && !pipes[1].set_operation.distinct && pipes[1].set_operation.count == 2);
    const struct evs_ast_query *inner = pipes[1].set_operation.queries[1];
    ck_assert_int_eq(inner->from.kind, EVS_RELATION_QUERY);
    ck_assert(parse_case_is_named(inner->from.alias, "d") && inner->pipeline.count == 1);
    ck_assert_uint_eq(pipes[2].branches.items[0].count, 0);
    ck_assert_str_eq(parse_case_expr_text(pipes[3].limit.offset), "1");
    ck_assert(pipes[4].orders.items[0].descending && !pipes[4].orders.items[1].descending);
    ck_assert_uint_eq(pipes[5].insert.columns.count, 2);
}
END_TEST

START_TEST(joins)
{
    const struct evs_ast_pipe *pipes = parse_case_pipes(
        "from a x join b on x.k = b.k left outer join (from c) as c using (k, l)"
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
    ck_assert(parse_case_is_named(pipes[2].join->late_into, "s"));
    ck_assert_int_eq(pipes[4].join->right.kind, EVS_RELATION_UNNEST);
    ck_assert(parse_case_is_named(pipes[4].join->right.offset_alias, "i"));
    ck_assert(parse_case_is_named(pipes[5].join->right.alias, "semi"));
}
END_TEST

START_TEST(stream_operators)
{
    const struct evs_ast_pipe *pipes = parse_case_pipes(
        "from a |> deduplicate by x, y within interval 1 hour keep last as "
        "once |> throttle 2 per interval 1 day by u dropped into s"
        " |> throttle as cap 1 per week time_zone => 'Europe/Berlin' by u "
        "|> sample 10 percent by u salt 'spring' rest into held"
        " |> top 3 by n desc partition by a, b |> hold until t + interval 1 "
        "hour at most interval 1 day expired into old |> call tumble(interval 1 minute) as w"
        " |> resolve identity as people a to coalesce(u, v) alias (p) within interval 30 minute retain interval 90 day"
        " |> resolve identity alias to identity",
        9);
    ck_assert(pipes[0].deduplicate->keys.count == 2 && pipes[0].deduplicate->keep_last &&
              parse_case_is_named(pipes[0].name, "once"));
    ck_assert(pipes[1].throttle->interval != NULL && parse_case_is_named(pipes[1].throttle->dropped_into, "s"));
    ck_assert_int_eq(pipes[2].throttle->calendar, EVS_PART_WEEK);
    ck_assert_str_eq(parse_case_expr_text(pipes[2].throttle->time_zone), "'Europe/Berlin'");
    ck_assert(parse_case_is_named(pipes[2].name, "cap"));
    ck_assert(parse_case_is_named(pipes[3].sample->rest_into, "held"));
    ck_assert(pipes[4].top->descending && pipes[4].top->partition.count == 2);
    ck_assert_str_eq(parse_case_expr_text(pipes[5].hold->at_most), "interval 1 day");
    ck_assert(parse_case_is_named(pipes[5].hold->expired_into, "old"));
    ck_assert(parse_case_is_named(pipes[6].call.alias, "w"));
    ck_assert(parse_case_is_named(pipes[7].name, "people"));
    ck_assert_str_eq(parse_case_expr_text(pipes[7].identity->user), "coalesce(u, v)");
    ck_assert_str_eq(parse_case_expr_text(pipes[7].identity->previous), "p");
    ck_assert_str_eq(parse_case_expr_text(pipes[7].identity->within), "interval 30 minute");
    ck_assert_str_eq(parse_case_expr_text(pipes[7].identity->retain), "interval 90 day");
    ck_assert_str_eq(parse_case_expr_text(pipes[8].identity->anonymous), "alias");
    ck_assert(pipes[8].identity->previous == NULL && pipes[8].identity->within == NULL);
}
END_TEST

START_TEST(sequences)
{
    const struct evs_ast_pipe *pipes =
        parse_case_pipes("from a |> sequence by u within interval 1 day after match skip to next row\n"
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
    ck_assert(parse_case_is_named(sequence->timeout_into, "late") && sequence->select.count == 2);
}
END_TEST

START_TEST(steps_may_have_the_names_of_words)
{
    const struct evs_ast_pipe *pipes =
        parse_case_pipes("from a |> sequence by u after as x then next as y then next next as z select u", 1);
    const struct evs_ast_sequence *sequence = pipes[0].sequence;
    ck_assert_int_eq(sequence->skip, EVS_SKIP_DEFAULT);
    ck_assert(parse_case_is_named(sequence->steps[0].name, "after"));
    ck_assert(parse_case_is_named(sequence->steps[1].name, "next") && !sequence->steps[1].is_next);
    ck_assert(parse_case_is_named(sequence->steps[2].name, "next") && sequence->steps[2].is_next);
}
END_TEST

START_TEST(patterns)
{
    const struct evs_ast_pipe *pipes = parse_case_pipes(
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
        parse_case_again();
        parse_case_text(evs_slice_of(text));
        ck_assert_msg(evs_diagnostics_count(parse_case.diagnostics) == 0, "%s", parse_case_messages());
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parser");
    TCase *tests = tcase_create("parser");
    tcase_add_checked_fixture(tests, parse_case_begin, parse_case_end);
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
    suite_add_tcase(suite, tests);
    return parse_case_run(suite);
}
