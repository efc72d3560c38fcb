/* match_recognize ( [partition by …] order by … [measures …] [after match skip …] pattern ( … ) [within …] define A
 * as COND, … )
 *
 * A pattern is a tree: choices of sequences of quantified symbols and groups. */
#include "parse.h"

static const struct evs_ast_pattern *parse_choice(struct evs_parser *parser);

static struct evs_ast_pattern *new_pattern(struct evs_parser *parser, int kind)
{
    struct evs_ast_pattern *pattern = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_pattern);
    pattern->kind = kind;
    pattern->min = pattern->max = 1;
    pattern->place = evs_here(parser);
    return pattern;
}

/* A symbol, a group, ^ or $. */
static struct evs_ast_pattern *parse_atom(struct evs_parser *parser)
{
    if (evs_at(parser, EVS_TOKEN_LEFT_PAREN)) {
        struct evs_ast_pattern *group = new_pattern(parser, EVS_PATTERN_CONCAT);
        evs_take_token(parser);
        group->parts = EVS_ARENA_ARRAY(&parser->script->arena, const struct evs_ast_pattern *, 1);
        group->part_count = evs_enter(parser);
        group->parts[0] = group->part_count > 0 ? parse_choice(parser) : NULL;
        evs_leave(parser);
        evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the group");
        return group;
    }
    bool is_start = evs_at(parser, EVS_TOKEN_BIT_XOR), is_end = evs_at(parser, EVS_TOKEN_DOLLAR);
    struct evs_ast_pattern *atom = new_pattern(parser, is_start ? EVS_PATTERN_START
                                                       : is_end ? EVS_PATTERN_END
                                                                : EVS_PATTERN_SYMBOL);
    if (is_start || is_end) {
        evs_take_token(parser);
    } else {
        atom->symbol = evs_expect_ident(parser, "a symbol of the pattern");
    }
    return atom;
}

/* {n} {n,} {,m} {n,m}; the brace is taken. */
static void parse_bounds(struct evs_parser *parser, struct evs_ast_pattern *pattern)
{
    struct evs_place start = evs_here(parser);
    bool has_min = evs_at(parser, EVS_TOKEN_INT);
    pattern->min = has_min ? evs_expect_count(parser, "a number of rows") : 0;
    pattern->max = pattern->min;
    if (!has_min || evs_at(parser, EVS_TOKEN_COMMA)) {
        evs_expect(parser, EVS_TOKEN_COMMA, "between the numbers of rows");
        pattern->max = evs_at(parser, EVS_TOKEN_INT) ? evs_expect_count(parser, "a number of rows") : EVS_UNBOUNDED;
    }
    if (!parser->panic && pattern->max < pattern->min) {
        evs_complain(parser, EVS_E0123, evs_place_from(parser, start),
                     "the second number of rows is not below the first");
    }
    evs_expect(parser, EVS_TOKEN_RIGHT_BRACE, "after the number of rows");
}

static void parse_quantifier(struct evs_parser *parser, struct evs_ast_pattern *pattern)
{
    uint32_t offset = evs_here(parser).offset;
    if (evs_take(parser, EVS_TOKEN_STAR)) {
        pattern->min = 0;
        pattern->max = EVS_UNBOUNDED;
    } else if (evs_take(parser, EVS_TOKEN_PLUS)) {
        pattern->max = EVS_UNBOUNDED;
    } else if (evs_take(parser, EVS_TOKEN_QUESTION)) {
        pattern->min = 0;
    } else if (evs_take(parser, EVS_TOKEN_LEFT_BRACE)) {
        parse_bounds(parser, pattern);
    } else {
        return;
    }
    evs_mark(parser, offset, EVS_MARK_TIGHT);
    offset = evs_here(parser).offset;
    pattern->reluctant = evs_take(parser, EVS_TOKEN_QUESTION);
    if (pattern->reluctant) {
        evs_mark(parser, offset, EVS_MARK_TIGHT);
    }
}

static bool at_pattern_end(struct evs_parser *parser)
{
    enum evs_token_kind kind = evs_peek(parser)->kind;
    return parser->panic || kind == EVS_TOKEN_RIGHT_PAREN || kind == EVS_TOKEN_BIT_OR || kind == EVS_TOKEN_CONCAT ||
           kind == EVS_TOKEN_END;
}

static const struct evs_ast_pattern *parse_concat(struct evs_parser *parser)
{
    struct evs_ast_pattern *concat = new_pattern(parser, EVS_PATTERN_EMPTY);
    uint32_t capacity = 0;
    while (!at_pattern_end(parser)) {
        struct evs_ast_pattern *part = parse_atom(parser);
        parse_quantifier(parser, part);
        part->place = evs_place_from(parser, part->place);
        EVS_APPEND(parser, concat->parts, concat->part_count, capacity, part);
        concat->kind = EVS_PATTERN_CONCAT;
    }
    concat->place = evs_place_from(parser, concat->place);
    return concat;
}

/* `a || b` is a choice with an empty branch in the middle, which the lexer sees as one sign. */
static const struct evs_ast_pattern *parse_choice(struct evs_parser *parser)
{
    struct evs_ast_pattern *choice = new_pattern(parser, EVS_PATTERN_CHOICE);
    uint32_t capacity = 0;
    EVS_APPEND(parser, choice->parts, choice->part_count, capacity, parse_concat(parser));
    while (evs_at(parser, EVS_TOKEN_BIT_OR) || evs_at(parser, EVS_TOKEN_CONCAT)) {
        if (evs_take_token(parser).kind == EVS_TOKEN_CONCAT) {
            EVS_APPEND(parser, choice->parts, choice->part_count, capacity, new_pattern(parser, EVS_PATTERN_EMPTY));
        }
        EVS_APPEND(parser, choice->parts, choice->part_count, capacity, parse_concat(parser));
    }
    choice->place = evs_place_from(parser, choice->place);
    return choice->part_count == 1 ? choice->parts[0] : choice;
}

static void parse_definitions(struct evs_parser *parser, struct evs_ast_match_recognize *match)
{
    struct evs_ast_item *items = NULL;
    uint32_t capacity = 0;
    do {
        struct evs_ast_item item = {.place = evs_here(parser)};
        item.alias = evs_expect_ident(parser, "a symbol of the pattern");
        evs_expect_word(parser, EVS_WORD_AS, "and the symbol's condition");
        item.expr = evs_parse_expression(parser);
        item.place = evs_place_from(parser, item.place);
        EVS_APPEND(parser, items, match->definition_count, capacity, item);
    } while (evs_take(parser, EVS_TOKEN_COMMA));
    match->definitions = items;
}

/* options ( use_longest_match = true ) */
static void parse_options(struct evs_parser *parser, struct evs_ast_match_recognize *match)
{
    if (!evs_take_word(parser, EVS_WORD_OPTIONS)) {
        return;
    }
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `options`");
    struct evs_ident name = evs_expect_ident(parser, "use_longest_match");
    if (!parser->panic && !evs_slice_equal_nocase(name.text, "use_longest_match")) {
        evs_complain(parser, EVS_E0123, name.place, "the only option of match_recognize is use_longest_match");
    }
    evs_expect(parser, EVS_TOKEN_EQUAL, "and true or false");
    match->longest = evs_parse_expression(parser);
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the option");
}

static void parse_inside(struct evs_parser *parser, struct evs_ast_match_recognize *match)
{
    if (evs_take_words(parser, EVS_WORD_PARTITION, EVS_WORD_BY)) {
        match->partition = evs_parse_expressions(parser);
    }
    evs_expect_word(parser, EVS_WORD_ORDER, "by the event time");
    evs_expect_word(parser, EVS_WORD_BY, "after `order`");
    match->order = evs_parse_orders(parser);
    if (evs_take_word(parser, EVS_WORD_MEASURES)) {
        match->measures = evs_parse_items(parser, false);
    }
    match->skip = evs_parse_skip(parser);
    evs_expect_word(parser, EVS_WORD_PATTERN, "after the measures");
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `pattern`");
    match->pattern = parse_choice(parser);
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the pattern");
    if (evs_take_word(parser, EVS_WORD_WITHIN)) {
        match->within = evs_parse_interval(parser, "an interval after `within`");
    }
    if (evs_take_words(parser, EVS_WORD_LATE, EVS_WORD_INTO)) {
        match->late_into = evs_expect_ident(parser, "the sink of late rows");
    }
    evs_expect_word(parser, EVS_WORD_DEFINE, "after the pattern");
    parse_definitions(parser, match);
    parse_options(parser, match);
}

void evs_parse_match_recognize(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_match_recognize *match = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_match_recognize);
    pipe->match_recognize = match;
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `match_recognize`");
    parse_inside(parser, match);
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "to close `match_recognize`");
}
