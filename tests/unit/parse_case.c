/* Fixture and helpers of the parser's tests. */
#include "parse_case.h"

#include <stdlib.h>

struct parse_case parse_case;

void parse_case_begin(void)
{
    parse_case.sources = evs_sources_new();
    parse_case.diagnostics = evs_diagnostics_new(parse_case.sources);
    evs_script_init(&parse_case.script);
    parse_case.script.accept_all = true;
}

void parse_case_end(void)
{
    evs_script_fini(&parse_case.script);
    evs_diagnostics_free(parse_case.diagnostics);
    evs_sources_free(parse_case.sources);
}

void parse_case_again(void)
{
    parse_case_end();
    parse_case_begin();
}

void parse_case_text(struct evs_slice text)
{
    evs_parse(&parse_case.script, evs_sources_add(parse_case.sources, "text", text), parse_case.diagnostics);
}

const struct evs_ast_expr *parse_case_expr(const char *text)
{
    const struct evs_source_text *source = evs_sources_add(parse_case.sources, "expr", evs_slice_of(text));
    return evs_parse_expr(&parse_case.script, source, parse_case.diagnostics);
}

void parse_case_well(const char *text, uint32_t count)
{
    parse_case_text(evs_slice_of(text));
    ck_assert_msg(evs_diagnostics_count(parse_case.diagnostics) == 0, "%s", parse_case_messages());
    ck_assert_uint_eq(parse_case.script.count, count);
}

const struct evs_ast_pipe *parse_case_pipes(const char *text, uint32_t count)
{
    parse_case_again();
    parse_case_well(text, 1);
    ck_assert_int_eq(parse_case.script.statements[0]->kind, EVS_STATEMENT_QUERY);
    ck_assert_uint_eq(parse_case.script.statements[0]->query->pipeline.count, count);
    return parse_case.script.statements[0]->query->pipeline.pipes;
}

const char *parse_case_messages(void)
{
    struct evs_buffer out = {0};
    evs_diagnostics_render(parse_case.diagnostics, false, &out);
    size_t shown = out.count < 3000 ? out.count : 3000;
    char *text = evs_arena_strndup(&parse_case.script.arena, out.count > 0 ? out.data : "", shown);
    evs_buffer_fini(&out);
    return text;
}

const char *parse_case_expr_text(const struct evs_ast_expr *expr)
{
    return expr != NULL ? evs_ast_expr_text(&parse_case.script.arena, expr) : "(none)";
}

bool parse_case_is_named(struct evs_ident ident, const char *name)
{
    return evs_slice_equal(ident.text, evs_slice_of(name)) && ident.text.data[ident.text.count] == '\0';
}

int parse_case_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
