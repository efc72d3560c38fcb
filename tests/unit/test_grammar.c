/* lang/grammar.ebnf is held to the lexer and the parser: it is read here as a grammar, its words and signs are
 * compared with the lexer's, and what it generates at random must parse. So the page that people read cannot drift
 * from the code. */
#include <stdlib.h>

#include "grammar_text.h"
#include "parser.h"
#include "unit.h"

/* --- rules, words, signs ------------------------------------------------------------------------------------------ */

static void reach(struct rule *rule);

static void reach_node(struct node *node)
{
    if (node->kind == NODE_RULE) {
        reach(&grammar.rules[node->rule]);
    }
}

static void reach(struct rule *rule)
{
    if (!rule->is_reached) {
        rule->is_reached = true;
        grammar_each_node(rule->body, reach_node);
    }
}

START_TEST(every_rule_is_reached)
{
    reach(grammar_find(EVS_SLICE("file")));
    for (uint32_t i = 0; i < grammar.count; i++) {
        struct evs_slice name = grammar.rules[i].name;
        ck_assert_msg(grammar.rules[i].is_reached, "nothing uses the rule `%.*s`", (int)name.count, name.data);
    }
}
END_TEST

static bool word_is_used[EVS_WORD_COUNT], sign_is_used[EVS_TOKEN_KIND_COUNT];

static void use_terminal(struct node *node)
{
    if (node->kind != NODE_WORD) {
        return;
    }
    enum evs_word word = evs_word_find(node->text);
    bool is_sign = false;
    for (uint32_t kind = 0; kind < EVS_TOKEN_KIND_COUNT; kind++) {
        const char *sign = evs_token_sign(kind);
        if (sign != NULL && evs_slice_equal(node->text, evs_slice_of(sign))) {
            sign_is_used[kind] = is_sign = true;
        }
    }
    ck_assert_msg(is_sign || word != EVS_WORD_NONE, "the lexer does not know `%.*s`", (int)node->text.count,
                  node->text.data);
    word_is_used[word] = true;
}

START_TEST(words_and_signs_are_those_of_the_lexer)
{
    grammar_each_rule(use_terminal);
    for (uint32_t word = EVS_WORD_NONE + 1; word < EVS_WORD_COUNT; word++) {
        ck_assert_msg(word_is_used[word], "the lexer's word `%s` is not in the grammar", evs_word_text(word));
    }
    for (uint32_t kind = 0; kind < EVS_TOKEN_KIND_COUNT; kind++) {
        bool is_foreign = kind == EVS_TOKEN_ARROW; /* known for the sake of its message */
        ck_assert_msg(evs_token_sign(kind) == NULL || is_foreign || sign_is_used[kind],
                      "the lexer's sign %s is not in the grammar", evs_token_sign(kind));
    }
}
END_TEST

static void mark_reserved(struct node *node)
{
    if (node->kind == NODE_WORD) {
        word_is_used[evs_word_find(node->text)] = true;
    }
}

START_TEST(reserved_words_are_those_of_the_lexer)
{
    memset(word_is_used, 0, sizeof word_is_used);
    grammar_each_node(grammar_find(EVS_SLICE("reserved"))->body, mark_reserved);
    for (uint32_t word = EVS_WORD_NONE + 1; word < EVS_WORD_COUNT; word++) {
        ck_assert_msg(word_is_used[word] == evs_word_is_reserved(word), "`%s` is reserved in one of grammar and lexer",
                      evs_word_text(word));
    }
}
END_TEST

/* " a, b, c " of first to last */
static void check_said(const char *rule, enum evs_ast_part first, enum evs_ast_part last)
{
    struct evs_buffer expected = {0};
    for (enum evs_ast_part part = first; part <= last; part++) {
        evs_buffer_printf(&expected, "%s %s", part == first ? "" : ",", evs_ast_part_name(part));
    }
    evs_buffer_puts(&expected, " ");
    struct node *said = grammar_find(evs_slice_of(rule))->body->parts[0]->parts[0];
    ck_assert_int_eq(said->kind, NODE_SAID);
    ck_assert_msg(evs_slice_equal(said->text, (struct evs_slice){expected.data, expected.count}),
                  "%s: `%.*s` is not `%.*s`", rule, (int)said->text.count, said->text.data, (int)expected.count,
                  expected.data);
    evs_buffer_fini(&expected);
}

START_TEST(units_are_those_of_the_parser)
{
    check_said("part", EVS_PART_MICROSECOND, EVS_PART_YEAR);
    check_said("date_part", EVS_PART_NANOSECOND, EVS_PART_DATETIME);
}
END_TEST

/* --- sentences ---------------------------------------------------------------------------------------------------- */

/* Codes that say more than "this is not the grammar": units, repetitions, values. */
static bool is_beyond_grammar(enum evs_code code)
{
    return code == EVS_E0115 || code == EVS_E0116 || code == EVS_E0118 || code == EVS_E0120 || code == EVS_E0123;
}

static void check_sentence(struct evs_slice sentence)
{
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(sources);
    struct evs_script script;
    evs_script_init(&script);
    script.accept_all = true;
    evs_parse(&script, evs_sources_add(sources, "sentence", sentence), diagnostics);
    for (uint32_t i = 0; i < evs_diagnostics_count(diagnostics); i++) {
        struct evs_diag_view view = evs_diagnostics_at(diagnostics, i);
        uint32_t from = view.place.offset > 300 ? view.place.offset - 300 : 0, to = view.place.offset;
        ck_assert_msg(is_beyond_grammar(view.code), "%s, behind `…%.*s`, before `%.60s`", view.message,
                      (int)(to - from), sentence.data + from, sentence.data + to);
    }
    evs_script_fini(&script);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
}

static void check_sentences(const char *rule, uint32_t count, uint32_t room)
{
    for (uint32_t i = 0; i < count; i++) {
        struct evs_buffer sentence = {0};
        grammar_sentence(rule, i, room, &sentence);
        check_sentence(evs_slice_of(sentence.data));
        evs_buffer_fini(&sentence);
    }
}

START_TEST(generated_statements_parse)
{
    check_sentences("statement", unit_cases(3000), 28);
}
END_TEST

START_TEST(generated_queries_parse)
{
    check_sentences("from_query", unit_cases(3000), 30);
}
END_TEST

START_TEST(deep_sentences_parse)
{
    check_sentences("file", 100, 45);
}
END_TEST

/* --- expressions: their text and their places --------------------------------------------------------------------- */

/* Every node lies inside the node above it. */
static void check_places(const struct evs_ast_expr *expr, const char *sentence)
{
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        struct evs_place outer = expr->place;
        if (expr->arguments[i] == NULL) {
            continue;
        }
        struct evs_place inner = expr->arguments[i]->place;
        ck_assert_msg(inner.count > 0 && inner.offset >= outer.offset &&
                          inner.offset + inner.count <= outer.offset + outer.count,
                      "`%.*s` is not inside `%.*s`", (int)inner.count, sentence + inner.offset, (int)outer.count,
                      sentence + outer.offset);
        check_places(expr->arguments[i], sentence);
    }
}

static char *print_again(struct evs_script *script, struct evs_sources *sources, struct evs_diagnostics *diagnostics,
                         const char *sentence)
{
    const struct evs_ast_expr *expr =
        evs_parse_expr(script, evs_sources_add(sources, "sentence", evs_slice_of(sentence)), diagnostics);
    check_places(expr, sentence);
    return evs_ast_expr_text(&script->arena, expr);
}

/* What is printed is read as the same, and what is read is printed as the same. */
static void check_expression(const char *sentence)
{
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(sources);
    struct evs_script script;
    evs_script_init(&script);
    script.accept_all = true;
    char *printed = print_again(&script, sources, diagnostics, sentence);
    bool is_complete =
        strstr(printed, "\u2026") == NULL && evs_diagnostics_count(diagnostics) == 0; /* queries are not printed */
    if (is_complete) {
        char *again = print_again(&script, sources, diagnostics, printed);
        ck_assert_msg(strcmp(printed, again) == 0 && evs_diagnostics_count(diagnostics) == 0,
                      "`%.500s` becomes `%.500s`", printed, again);
    }
    evs_script_fini(&script);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
}

START_TEST(generated_expressions_are_printed_and_read_again)
{
    for (uint32_t i = 0; i < unit_cases(6000); i++) {
        struct evs_buffer sentence = {0};
        grammar_sentence("expression", i, 18 + i % 12, &sentence);
        check_expression(sentence.data);
        evs_buffer_fini(&sentence);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grammar");
    TCase *tests = tcase_create("grammar");
    tcase_add_checked_fixture(tests, grammar_read, grammar_free);
    tcase_add_test(tests, every_rule_is_reached);
    tcase_add_test(tests, words_and_signs_are_those_of_the_lexer);
    tcase_add_test(tests, reserved_words_are_those_of_the_lexer);
    tcase_add_test(tests, units_are_those_of_the_parser);
    tcase_add_test(tests, generated_statements_parse);
    tcase_add_test(tests, generated_queries_parse);
    tcase_add_test(tests, deep_sentences_parse);
    tcase_add_test(tests, generated_expressions_are_printed_and_read_again);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
