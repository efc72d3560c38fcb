/* Mistakes: one is one error, and what is around it is kept. Limits: whatever the text, the parser ends, soon and
 * with few errors. */
#include "parse_case.h"

/* --- mistakes ----------------------------------------------------------------------------------------------------- */

/* The codes of what was reported: "E0110 E0113". */
static void check_codes(const char *text, const char *expected)
{
    parse_case_again();
    parse_case.script.accept_all = false;
    parse_case_text(evs_slice_of(text));
    char codes[1024] = "";
    for (uint32_t i = 0; i < evs_diagnostics_count(parse_case.diagnostics); i++) {
        strcat(codes, i > 0 ? " " : "");
        strcat(codes, evs_code_info(evs_diagnostics_at(parse_case.diagnostics, i).code)->name);
    }
    ck_assert_msg(strcmp(codes, expected) == 0, "`%s`: %s, not %s\n%s", text, codes, expected, parse_case_messages());
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
        {"from a |> deduplicate by |> throttle x y z |> wher y;", "E0110 E0110 E0113"},
        {"test 'x' { nonsense (; from a |> wher y;", "E0110 E0113"},
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
    parse_case_text(EVS_SLICE(
        "create source a (x int64, y y y, z string) from file;\nfrom a |> where x |> wher y |> select z;\nparam p "
        "int64;"));
    ck_assert_uint_eq(evs_diagnostics_errors(parse_case.diagnostics), 2);
    ck_assert_uint_eq(parse_case.script.count, 3);
    ck_assert(parse_case.script.statements[0]->is_broken &&
              parse_case_is_named(parse_case.script.statements[0]->name, "a"));
    ck_assert_uint_eq(parse_case.script.statements[0]->source.columns.count, 3);
    const struct evs_ast_pipeline *pipeline = &parse_case.script.statements[1]->query->pipeline;
    ck_assert(!parse_case.script.statements[1]->is_broken);
    ck_assert_uint_eq(pipeline->count, 3);
    ck_assert(!pipeline->pipes[0].is_broken && pipeline->pipes[1].is_broken && !pipeline->pipes[2].is_broken);
    ck_assert(parse_case_is_named(parse_case.script.statements[2]->name, "p"));
}
END_TEST

START_TEST(a_refused_operator_is_broken)
{
    parse_case.script.accept_all = false;
    parse_case_text(EVS_SLICE("from a |> union distinct (from b) |> where x;"));
    ck_assert_uint_eq(evs_diagnostics_errors(parse_case.diagnostics), 1);
    const struct evs_ast_pipe *pipes = parse_case.script.statements[0]->query->pipeline.pipes;
    ck_assert(pipes[0].is_broken && pipes[0].kind == EVS_PIPE_UNION && pipes[0].set_operation.count == 1);
    ck_assert(!pipes[1].is_broken);
}
END_TEST

/* --- limits ------------------------------------------------------------------------------------------------------- */

/* `count` times `part` between `before` and `after`. */
static void parse_repeated(const char *before, const char *part, uint32_t count, const char *after)
{
    struct evs_buffer text = {0};
    evs_buffer_puts(&text, before);
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_puts(&text, part);
    }
    evs_buffer_puts(&text, after);
    parse_case_again();
    parse_case_text((struct evs_slice){text.data, text.count});
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
        ck_assert_msg(evs_diagnostics_errors(parse_case.diagnostics) == 1, "%s%s…: %s", rows[i].before, rows[i].part,
                      parse_case_messages());
        ck_assert_int_eq(evs_diagnostics_at(parse_case.diagnostics, 0).code, EVS_E0117);
    }
}
END_TEST

START_TEST(long_and_flat_is_no_problem)
{
    parse_repeated("from a |> where x = 1", " or x = 1 and y", 100000, ";");
    ck_assert_msg(evs_diagnostics_count(parse_case.diagnostics) == 0, "%s", parse_case_messages());
    ck_assert_uint_eq(parse_case.script.statements[0]->query->pipeline.pipes[0].expr->argument_count, 100001);
    parse_repeated("from a |> where x in (1", ", 1", 300000, ");");
    ck_assert_uint_eq(evs_diagnostics_count(parse_case.diagnostics), 0);
    parse_repeated("from a", " |> where x", 100000, ";");
    ck_assert_uint_eq(evs_diagnostics_count(parse_case.diagnostics), 0);
    parse_repeated("", "from a;", 200000, "");
    ck_assert_uint_eq(parse_case.script.count, 200000);
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
        ck_assert_uint_gt(evs_diagnostics_errors(parse_case.diagnostics), 0);
        ck_assert_uint_le(evs_diagnostics_count(parse_case.diagnostics), EVS_DIAGNOSTICS_MAX);
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
        parse_case_again();
        parse_case_text((struct evs_slice){text, count});
        ck_assert_uint_le(evs_diagnostics_errors(parse_case.diagnostics), 2);
    }
    ck_assert_msg(evs_diagnostics_count(parse_case.diagnostics) == 0, "%s", parse_case_messages());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parse_recovery");
    TCase *tests = tcase_create("parse_recovery");
    tcase_add_checked_fixture(tests, parse_case_begin, parse_case_end);
    tcase_add_test(tests, one_mistake_is_one_error);
    tcase_add_test(tests, what_is_around_a_mistake_is_kept);
    tcase_add_test(tests, a_refused_operator_is_broken);
    tcase_add_test(tests, nesting_is_bounded);
    tcase_add_test(tests, long_and_flat_is_no_problem);
    tcase_add_test(tests, rubbish_ends);
    tcase_add_test(tests, every_prefix_of_a_text_ends);
    suite_add_tcase(suite, tests);
    return parse_case_run(suite);
}
