/* test 'title' { with …  given …  advance to …  end of input  expect … } */
#include "parse.h"

/* The JSON objects that follow, byte for byte. */
static void parse_rows(struct evs_parser *parser, struct evs_ast_test_step *step)
{
    struct evs_str *rows = NULL;
    struct evs_place *places = NULL;
    uint32_t capacity = 0, place_count = 0, place_capacity = 0;
    while (evs_at(parser, EVS_TOKEN_JSON)) {
        struct evs_token token = evs_take_token(parser);
        EVS_APPEND(parser, rows, step->row_count, capacity, evs_parse_str(parser, token.text));
        EVS_APPEND(parser, places, place_count, place_capacity, evs_token_place(parser, &token));
    }
    step->rows = rows;
    step->row_places = places;
    if (step->row_count == 0) {
        evs_expected(parser, "a JSON object");
    }
}

static void parse_raw(struct evs_parser *parser, struct evs_ast_test_step *step)
{
    struct evs_str *row = EVS_ARENA_ARRAY(&parser->script->arena, struct evs_str, 1);
    struct evs_place *place = EVS_ARENA_ARRAY(&parser->script->arena, struct evs_place, 1);
    *place = evs_here(parser);
    bool is_bytes = evs_at(parser, EVS_TOKEN_BYTES);
    *row = is_bytes ? evs_parse_str(parser, evs_take_token(parser).text)
                    : evs_expect_string(parser, "the raw text in quotes");
    step->is_raw = true;
    step->rows = row;
    step->row_places = place;
    step->row_count = 1;
}

static void parse_with(struct evs_parser *parser, struct evs_ast_test_step *step)
{
    step->kind = EVS_TEST_WITH;
    step->name = evs_expect_ident(parser, "the name of a parameter");
    evs_expect(parser, EVS_TOKEN_EQUAL, "and the parameter's value");
    step->value = evs_parse_expression(parser);
}

static void parse_given(struct evs_parser *parser, struct evs_ast_test_step *step)
{
    step->kind = EVS_TEST_GIVEN;
    step->name = evs_expect_ident(parser, "the name of a source or table");
    if (evs_take_word(parser, EVS_WORD_RAW)) {
        parse_raw(parser, step);
    } else {
        parse_rows(parser, step);
    }
}

static void parse_advance(struct evs_parser *parser, struct evs_ast_test_step *step)
{
    step->kind = EVS_TEST_ADVANCE;
    evs_expect_word(parser, EVS_WORD_TO, "after `advance`");
    step->value = evs_parse_expression(parser);
}

static void parse_end(struct evs_parser *parser, struct evs_ast_test_step *step)
{
    step->kind = EVS_TEST_END;
    evs_expect_word(parser, EVS_WORD_OF, "after `end`");
    evs_expect_word(parser, EVS_WORD_INPUT, "after `end of`");
}

static void parse_expect(struct evs_parser *parser, struct evs_ast_test_step *step)
{
    step->kind = EVS_TEST_EXPECT;
    step->name = evs_expect_ident(parser, "the name of a sink");
    if (evs_take_word(parser, EVS_WORD_NOTHING)) {
        return;
    }
    if (evs_take_word(parser, EVS_WORD_IN)) {
        evs_expect_word(parser, EVS_WORD_ORDER, "after `in`");
        step->in_order = true;
    }
    parse_rows(parser, step);
}

static const struct {
    enum evs_word word;
    void (*parse)(struct evs_parser *parser, struct evs_ast_test_step *step);
} step_kinds[] = {
    {EVS_WORD_WITH, parse_with}, {EVS_WORD_GIVEN, parse_given},   {EVS_WORD_ADVANCE, parse_advance},
    {EVS_WORD_END, parse_end},   {EVS_WORD_EXPECT, parse_expect},
};

static struct evs_ast_test_step parse_step(struct evs_parser *parser)
{
    struct evs_ast_test_step step = {.place = evs_here(parser)};
    for (uint32_t i = 0; i < EVS_COUNT(step_kinds); i++) {
        if (evs_take_word(parser, step_kinds[i].word)) {
            step_kinds[i].parse(parser, &step);
            step.place = evs_place_from(parser, step.place);
            return step;
        }
    }
    evs_expected(parser, "`with`, `given`, `advance`, `end of input`, `expect` or `}`");
    return step;
}

static void parse_steps(struct evs_parser *parser, struct evs_ast_test *test)
{
    struct evs_ast_test_step *steps = NULL;
    uint32_t capacity = 0;
    if (evs_at(parser, EVS_TOKEN_JSON)) { /* { } looks like an empty object */
        evs_complain(parser, EVS_E0120, evs_here(parser), "this test says nothing");
        evs_take_token(parser);
        return;
    }
    evs_expect(parser, EVS_TOKEN_LEFT_BRACE, "before the steps of the test");
    while (!parser->panic && !evs_at(parser, EVS_TOKEN_RIGHT_BRACE)) {
        EVS_APPEND(parser, steps, test->step_count, capacity, parse_step(parser));
    }
    evs_expect(parser, EVS_TOKEN_RIGHT_BRACE, "after the steps of the test");
    test->steps = steps;
}

void evs_parse_test(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    evs_take_token(parser);
    statement->kind = EVS_STATEMENT_TEST;
    statement->test.title = evs_expect_string(parser, "the test's title in quotes");
    parse_steps(parser, &statement->test);
}
