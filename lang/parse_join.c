/* join in all its forms: [inner | left | right | full [outer] | cross | [left] semi | [left] anti] join RELATION [on
 * … | using (…)] [allow lateness …] [late into …] */
#include "parse.h"

static void parse_kind(struct evs_parser *parser, struct evs_ast_join *join)
{
    static const struct {
        enum evs_word word;
        int kind;
        bool may_be_outer;
    } kinds[] = {
        {EVS_WORD_INNER, EVS_JOIN_INNER, false}, {EVS_WORD_RIGHT, EVS_JOIN_RIGHT, true},
        {EVS_WORD_FULL, EVS_JOIN_FULL, true},    {EVS_WORD_CROSS, EVS_JOIN_CROSS, false},
        {EVS_WORD_SEMI, EVS_JOIN_SEMI, false},   {EVS_WORD_ANTI, EVS_JOIN_ANTI, false},
        {EVS_WORD_LEFT, EVS_JOIN_LEFT, true},
    };
    if (evs_at_word(parser, EVS_WORD_NATURAL)) {
        struct evs_diag *diag = evs_syntax(parser, EVS_E0124, evs_here(parser), "a join names its columns");
        evs_diag_hint(diag, "write `join NAME using (COLUMN)`");
        return;
    }
    for (uint32_t i = 0; i < EVS_COUNT(kinds); i++) {
        if (evs_take_word(parser, kinds[i].word)) {
            join->kind = kinds[i].kind;
            if (kinds[i].may_be_outer) {
                evs_take_word(parser, EVS_WORD_OUTER);
            }
            break;
        }
    }
    if (join->kind == EVS_JOIN_LEFT && (evs_at_word(parser, EVS_WORD_SEMI) || evs_at_word(parser, EVS_WORD_ANTI))) {
        join->kind = evs_take_token(parser).word == EVS_WORD_SEMI ? EVS_JOIN_SEMI : EVS_JOIN_ANTI;
    }
}

static void parse_condition(struct evs_parser *parser, struct evs_ast_join *join)
{
    if (evs_take_word(parser, EVS_WORD_ON)) {
        join->on = evs_parse_expression(parser);
    } else if (evs_take_word(parser, EVS_WORD_USING)) {
        evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `using`");
        join->using_columns = evs_parse_ident_list(parser, "the name of a column");
        evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the columns");
    } else if (join->kind != EVS_JOIN_CROSS && join->right.kind != EVS_RELATION_UNNEST) {
        evs_expected(parser, "`on` or `using` after the joined name");
    }
}

void evs_parse_join(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_join *join = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_join);
    pipe->join = join;
    join->kind = EVS_JOIN_INNER;
    parse_kind(parser, join);
    evs_expect_word(parser, EVS_WORD_JOIN, "here");
    pipe->word = evs_place_from(parser, pipe->word);
    join->right = evs_parse_relation(parser);
    parse_condition(parser, join);
    if (evs_take_words(parser, EVS_WORD_ALLOW, EVS_WORD_LATENESS)) {
        join->lateness = evs_parse_interval(parser, "an interval after `allow lateness`");
    }
    if (evs_take_word(parser, EVS_WORD_LATE)) {
        join->late_into = evs_parse_into(parser);
    }
}
