/* sequence by EXPR, … [within INTERVAL] [after match skip past last row | to next row]
 *     STEP { then [next] STEP | then no NAME as COND [within INTERVAL] }
 *     [on timeout into SINK]
 *     select ITEM, …
 * STEP = NAME [+ | ? | {n} | {n,} | {n,m}] as COND [within INTERVAL] */
#include "parse.h"

/* {n} {n,} {n,m}; the brace is taken. */
static void parse_braces(struct evs_parser *parser, struct evs_ast_step *step)
{
    struct evs_place start = evs_here(parser);
    step->min = evs_expect_count(parser, "a number of rows");
    step->max = step->min;
    if (evs_take(parser, EVS_TOKEN_COMMA)) {
        step->max = evs_at(parser, EVS_TOKEN_INT) ? evs_expect_count(parser, "a number of rows") : EVS_UNBOUNDED;
    }
    if (!parser->panic && (step->max == 0 || step->max < step->min)) {
        evs_complain(parser, EVS_E0123, evs_place_from(parser, start),
                     "a step takes at least one row, and no more than the second number");
    }
    evs_expect(parser, EVS_TOKEN_RIGHT_BRACE, "after the number of rows");
}

static void parse_quantifier(struct evs_parser *parser, struct evs_ast_step *step)
{
    uint32_t offset = evs_here(parser).offset;
    step->min = step->max = 1;
    step->quantified = true;
    if (evs_take(parser, EVS_TOKEN_PLUS)) {
        step->max = EVS_UNBOUNDED;
    } else if (evs_take(parser, EVS_TOKEN_QUESTION)) {
        step->min = 0;
    } else if (evs_take(parser, EVS_TOKEN_LEFT_BRACE)) {
        parse_braces(parser, step);
    } else {
        step->quantified = false;
        return;
    }
    evs_mark(parser, offset, EVS_MARK_TIGHT);
}

/* `then next buy as …`; but `then next as …` is a step of the name `next`. */
static bool at_next_step(struct evs_parser *parser)
{
    const struct evs_token *follower = evs_peek_at(parser, 1);
    bool is_name =
        follower->kind == EVS_TOKEN_QUOTED || (follower->kind == EVS_TOKEN_WORD && follower->word != EVS_WORD_AS);
    return evs_at_word(parser, EVS_WORD_NEXT) && is_name;
}

/* A step behind `then`, or the first one. */
static struct evs_ast_step parse_step(struct evs_parser *parser, bool is_first)
{
    struct evs_ast_step step = {.place = evs_here(parser), .min = 1, .max = 1};
    evs_mark(parser, is_first ? step.place.offset : parser->last.offset, EVS_MARK_STEP); /* `then` is taken */
    step.is_absence = !is_first && evs_take_word(parser, EVS_WORD_NO);
    step.is_next = !is_first && !step.is_absence && at_next_step(parser);
    if (step.is_next) {
        evs_take_token(parser);
    }
    step.name = evs_expect_ident(parser, "the name of a step");
    if (!step.is_absence) {
        parse_quantifier(parser, &step);
    }
    evs_expect_word(parser, EVS_WORD_AS, "and the step's condition");
    step.condition = evs_parse_expression(parser);
    if (evs_take_word(parser, EVS_WORD_WITHIN)) {
        step.within = evs_parse_interval(parser, "an interval after `within`");
    }
    step.place = evs_place_from(parser, step.place);
    return step;
}

static void parse_steps(struct evs_parser *parser, struct evs_ast_sequence *sequence)
{
    struct evs_ast_step *steps = NULL;
    uint32_t capacity = 0;
    bool is_first = true;
    do {
        EVS_APPEND(parser, steps, sequence->step_count, capacity, parse_step(parser, is_first));
        is_first = false;
    } while (evs_take_word(parser, EVS_WORD_THEN));
    sequence->steps = steps;
}

enum evs_ast_skip evs_parse_skip(struct evs_parser *parser)
{
    if (!evs_take_words(parser, EVS_WORD_AFTER, EVS_WORD_MATCH)) { /* `after` alone may be a step */
        return EVS_SKIP_DEFAULT;
    }
    evs_expect_word(parser, EVS_WORD_SKIP, "after `after match`");
    if (evs_take_word(parser, EVS_WORD_TO)) {
        evs_expect_word(parser, EVS_WORD_NEXT, "after `skip to`");
        evs_expect_word(parser, EVS_WORD_ROW, "after `skip to next`");
        return EVS_SKIP_TO_NEXT_ROW;
    }
    evs_expect_word(parser, EVS_WORD_PAST, "or `to next row` after `skip`");
    evs_expect_word(parser, EVS_WORD_LAST, "after `skip past`");
    evs_expect_word(parser, EVS_WORD_ROW, "after `skip past last`");
    return EVS_SKIP_PAST_LAST_ROW;
}

void evs_parse_sequence(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_sequence *sequence = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_sequence);
    pipe->sequence = sequence;
    evs_expect_word(parser, EVS_WORD_BY, "and the keys after `sequence`");
    sequence->keys = evs_parse_expressions(parser);
    if (evs_take_word(parser, EVS_WORD_WITHIN)) {
        sequence->within = evs_parse_interval(parser, "an interval after `within`");
    }
    sequence->skip = evs_parse_skip(parser);
    parse_steps(parser, sequence);
    if (evs_take_word(parser, EVS_WORD_ON)) {
        evs_expect_word(parser, EVS_WORD_TIMEOUT, "after `on`");
        sequence->timeout_into = evs_parse_into(parser);
    }
    if (evs_take_words(parser, EVS_WORD_LATE, EVS_WORD_INTO)) {
        sequence->late_into = evs_expect_ident(parser, "the sink of late rows");
    }
    evs_expect_word(parser, EVS_WORD_SELECT, "and what a match gives");
    sequence->select = evs_parse_items(parser, true);
}
