/* Expressions by GoogleSQL's precedence, weakest first:
 *
 *   or    and    not    = != <> < <= > >= like in between is (no two in a row)
 *   |    ^    &    << >>    + -    * / ||    unary + - ~    . [ ]
 *
 * Chains of one level are loops, not recursion. The left-deep tree that they make is kept under EVS_AST_DEPTH_MAX levels
 * by evs_new_expr; `and` and `or` are flat. */
#include "parse.h"

/* --- nodes -------------------------------------------------------------------------------------------------------- */

const struct evs_ast_expr *evs_error_expr(struct evs_parser *parser)
{
    struct evs_ast_expr *expr = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_expr);
    expr->kind = EVS_AST_ERROR;
    expr->height = 1;
    expr->place = evs_behind(parser);
    return expr;
}

static uint32_t tallest_of(const struct evs_ast_expr *const *arguments, uint32_t count)
{
    uint32_t height = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (arguments[i] != NULL && arguments[i]->height > height) {
            height = arguments[i]->height;
        }
    }
    return height;
}

struct evs_ast_expr *evs_new_expr(struct evs_parser *parser, enum evs_ast_expr_kind kind, struct evs_place place,
                                  const struct evs_ast_expr *const *arguments, uint32_t argument_count)
{
    struct evs_arena *arena = &parser->script->arena;
    struct evs_ast_expr *expr = EVS_ARENA_NEW(arena, struct evs_ast_expr);
    expr->kind = kind;
    expr->place = place;
    expr->height = tallest_of(arguments, argument_count) + 1;
    EVS_ASSERT(expr->height <= EVS_AST_DEPTH_MAX + 1); /* the arguments were checked when they were made */
    if (expr->height > EVS_AST_DEPTH_MAX) {
        evs_syntax(parser, EVS_E0117, place, "this expression has more than %u operators inside each other",
                   EVS_AST_DEPTH_MAX);
    }
    if (parser->panic) { /* something under it is missing: nobody has to look at half a node */
        expr->kind = EVS_AST_ERROR;
        expr->height = 1;
        return expr;
    }
    if (argument_count > 0) {
        expr->arguments = EVS_ARENA_ARRAY(arena, const struct evs_ast_expr *, argument_count);
        memcpy(expr->arguments, arguments, sizeof(*arguments) * argument_count);
        expr->argument_count = argument_count;
    }
    if (expr->height > parser->tallest) {
        parser->tallest = expr->height;
    }
    return expr;
}

static struct evs_ast_expr *new_operation(struct evs_parser *parser, enum evs_ast_expr_kind kind, enum evs_ast_op op,
                                          struct evs_place op_place, struct evs_place start,
                                          const struct evs_ast_expr *const *arguments, uint32_t count)
{
    struct evs_ast_expr *expr = evs_new_expr(parser, kind, evs_place_from(parser, start), arguments, count);
    EVS_ASSERT(op != EVS_AST_OP_NONE || kind == EVS_AST_BETWEEN || kind == EVS_AST_IN || kind == EVS_AST_LIKE);
    expr->op = op;
    expr->op_place = op_place;
    return expr;
}

/* --- unary and arithmetic ----------------------------------------------------------------------------------------- */

/* A minus and a number, of which nothing is taken out by . or [ ]. */
static bool at_negative_number(struct evs_parser *parser)
{
    enum evs_token_kind number = evs_peek_at(parser, 1)->kind, next = evs_peek_at(parser, 2)->kind;
    return (number == EVS_TOKEN_INT || number == EVS_TOKEN_FLOAT) && next != EVS_TOKEN_DOT &&
           next != EVS_TOKEN_LEFT_BRACKET;
}

/* A number behind a minus is one literal: the smallest int64 has no positive counterpart. */
static const struct evs_ast_expr *parse_negative_number(struct evs_parser *parser, struct evs_place start)
{
    evs_mark(parser, evs_take_token(parser).offset, EVS_MARK_PREFIX);
    struct evs_token token = evs_take_token(parser);
    EVS_ASSERT(token.kind == EVS_TOKEN_INT || token.kind == EVS_TOKEN_FLOAT);
    struct evs_ast_expr *expr = evs_new_expr(parser, EVS_AST_LITERAL, evs_place_from(parser, start), NULL, 0);
    if (token.kind == EVS_TOKEN_INT) {
        expr->value = (struct evs_value){.kind = EVS_INT64, .int64 = (int64_t)(0 - token.magnitude)};
    } else {
        expr->value = (struct evs_value){.kind = EVS_FLOAT64, .float64 = -token.float64};
    }
    return expr;
}

static const struct evs_ast_expr *parse_unary(struct evs_parser *parser)
{
    enum evs_token_kind kind = evs_peek(parser)->kind;
    enum evs_ast_op op = kind == EVS_TOKEN_MINUS     ? EVS_AST_OP_MINUS
                         : kind == EVS_TOKEN_PLUS    ? EVS_AST_OP_PLUS
                         : kind == EVS_TOKEN_BIT_NOT ? EVS_AST_OP_BIT_NOT
                                                     : EVS_AST_OP_NONE;
    if (op == EVS_AST_OP_NONE) {
        return evs_parse_primary(parser);
    }
    struct evs_place start = evs_here(parser);
    if (op == EVS_AST_OP_MINUS && at_negative_number(parser)) {
        return parse_negative_number(parser, start);
    }
    evs_mark(parser, evs_take_token(parser).offset, EVS_MARK_PREFIX);
    const struct evs_ast_expr *operand = evs_enter(parser) ? parse_unary(parser) : evs_error_expr(parser);
    evs_leave(parser);
    return new_operation(parser, EVS_AST_UNARY, op, start, start, &operand, 1);
}

enum level { LEVEL_BIT_OR = 1, LEVEL_BIT_XOR, LEVEL_BIT_AND, LEVEL_SHIFT, LEVEL_SUM, LEVEL_PRODUCT, LEVEL_UNARY };

static const struct {
    enum level level;
    enum evs_ast_op op;
} binary_signs[EVS_TOKEN_KIND_COUNT] = {
    [EVS_TOKEN_BIT_OR] = {LEVEL_BIT_OR, EVS_AST_OP_BIT_OR},
    [EVS_TOKEN_BIT_XOR] = {LEVEL_BIT_XOR, EVS_AST_OP_BIT_XOR},
    [EVS_TOKEN_BIT_AND] = {LEVEL_BIT_AND, EVS_AST_OP_BIT_AND},
    [EVS_TOKEN_SHIFT_LEFT] = {LEVEL_SHIFT, EVS_AST_OP_SHIFT_LEFT},
    [EVS_TOKEN_SHIFT_RIGHT] = {LEVEL_SHIFT, EVS_AST_OP_SHIFT_RIGHT},
    [EVS_TOKEN_PLUS] = {LEVEL_SUM, EVS_AST_OP_ADD},
    [EVS_TOKEN_MINUS] = {LEVEL_SUM, EVS_AST_OP_SUBTRACT},
    [EVS_TOKEN_STAR] = {LEVEL_PRODUCT, EVS_AST_OP_MULTIPLY},
    [EVS_TOKEN_SLASH] = {LEVEL_PRODUCT, EVS_AST_OP_DIVIDE},
    [EVS_TOKEN_CONCAT] = {LEVEL_PRODUCT, EVS_AST_OP_CONCAT},
};

/* Operators of `level` and above. The recursion is bounded by the number of levels. */
static const struct evs_ast_expr *parse_binary(struct evs_parser *parser, enum level level)
{
    if (level == LEVEL_UNARY) {
        return parse_unary(parser);
    }
    struct evs_place start = evs_here(parser);
    const struct evs_ast_expr *left = parse_binary(parser, level + 1);
    while (binary_signs[evs_peek(parser)->kind].level == level) {
        enum evs_ast_op op = binary_signs[evs_peek(parser)->kind].op;
        struct evs_place op_place = evs_here(parser);
        evs_take_token(parser);
        const struct evs_ast_expr *operands[] = {left, parse_binary(parser, level + 1)};
        left = new_operation(parser, EVS_AST_BINARY, op, op_place, start, operands, 2);
    }
    return left;
}

const struct evs_ast_expr *evs_parse_operand(struct evs_parser *parser)
{
    return parse_binary(parser, LEVEL_BIT_OR);
}

/* --- comparison --------------------------------------------------------------------------------------------------- */

/* What a comparison has read so far: its left side and its operator's words. */
struct comparison {
    struct evs_place start, op_place;
    const struct evs_ast_expr *left;
    bool negated;
};

static const struct evs_ast_expr *finish_comparison(struct evs_parser *parser, const struct comparison *comparison,
                                                    enum evs_ast_expr_kind kind, enum evs_ast_op op,
                                                    const struct evs_ast_expr *const *arguments, uint32_t count)
{
    struct evs_ast_expr *expr =
        new_operation(parser, kind, op, comparison->op_place, comparison->start, arguments, count);
    expr->negated = comparison->negated;
    return expr;
}

static const struct evs_ast_expr *parse_between(struct evs_parser *parser, const struct comparison *comparison)
{
    const struct evs_ast_expr *low = evs_parse_operand(parser);
    evs_expect_word(parser, EVS_WORD_AND, "between the two bounds");
    const struct evs_ast_expr *arguments[] = {comparison->left, low, evs_parse_operand(parser)};
    return finish_comparison(parser, comparison, EVS_AST_BETWEEN, EVS_AST_OP_NONE, arguments, 3);
}

/* The left side in front of a list of expressions. */
static const struct evs_ast_expr *finish_list(struct evs_parser *parser, const struct comparison *comparison,
                                              enum evs_ast_expr_kind kind, enum evs_ast_op op,
                                              struct evs_ast_exprs list)
{
    EVS_ASSERT(list.count > 0);
    const struct evs_ast_expr **all =
        EVS_ARENA_ARRAY(&parser->script->arena, const struct evs_ast_expr *, list.count + 1);
    all[0] = comparison->left;
    memcpy(all + 1, list.items, sizeof(*all) * list.count);
    return finish_comparison(parser, comparison, kind, op, all, list.count + 1);
}

static struct evs_ast_exprs parse_parenthesised_list(struct evs_parser *parser, const char *where)
{
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, where);
    struct evs_ast_exprs list = evs_parse_expressions(parser);
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the list");
    return list;
}

static const struct evs_ast_expr *parse_in(struct evs_parser *parser, const struct comparison *comparison)
{
    if (evs_take_word(parser, EVS_WORD_UNNEST)) {
        return finish_list(parser, comparison, EVS_AST_IN, EVS_AST_OP_IN_UNNEST,
                           parse_parenthesised_list(parser, "after `unnest`"));
    }
    const struct evs_token *next = evs_peek_at(parser, 1);
    bool is_query = next->kind == EVS_TOKEN_WORD && (next->word == EVS_WORD_FROM || next->word == EVS_WORD_SELECT);
    if (evs_at(parser, EVS_TOKEN_LEFT_PAREN) && is_query) {
        const struct evs_ast_expr *arguments[] = {comparison->left, evs_parse_primary(parser)};
        return finish_comparison(parser, comparison, EVS_AST_IN, EVS_AST_OP_NONE, arguments, 2);
    }
    return finish_list(parser, comparison, EVS_AST_IN, EVS_AST_OP_NONE, parse_parenthesised_list(parser, "after `in`"));
}

static const struct evs_ast_expr *parse_like(struct evs_parser *parser, const struct comparison *comparison)
{
    bool is_any = evs_take_word(parser, EVS_WORD_ANY) || evs_take_word(parser, EVS_WORD_SOME);
    if (is_any || evs_take_word(parser, EVS_WORD_ALL)) {
        enum evs_ast_op op = is_any ? EVS_AST_OP_LIKE_ANY : EVS_AST_OP_LIKE_ALL;
        return finish_list(parser, comparison, EVS_AST_LIKE, op, parse_parenthesised_list(parser, "with the patterns"));
    }
    const struct evs_ast_expr *arguments[] = {comparison->left, evs_parse_operand(parser)};
    return finish_comparison(parser, comparison, EVS_AST_LIKE, EVS_AST_OP_NONE, arguments, 2);
}

static const struct evs_ast_expr *parse_is(struct evs_parser *parser, struct comparison *comparison)
{
    static const struct {
        enum evs_word word;
        enum evs_ast_op op;
    } tests[] = {{EVS_WORD_NULL, EVS_AST_OP_IS_NULL},
                 {EVS_WORD_TRUE, EVS_AST_OP_IS_TRUE},
                 {EVS_WORD_FALSE, EVS_AST_OP_IS_FALSE},
                 {EVS_WORD_UNKNOWN, EVS_AST_OP_IS_UNKNOWN}};
    comparison->negated = evs_take_word(parser, EVS_WORD_NOT);
    for (uint32_t i = 0; i < EVS_COUNT(tests); i++) {
        if (evs_take_word(parser, tests[i].word)) {
            comparison->op_place = evs_place_from(parser, comparison->op_place);
            return finish_comparison(parser, comparison, EVS_AST_IS, tests[i].op, &comparison->left, 1);
        }
    }
    if (!evs_take_words(parser, EVS_WORD_DISTINCT, EVS_WORD_FROM)) {
        evs_expected(parser, "`null`, `true`, `false` or `distinct from` after `is`");
    }
    comparison->op_place = evs_place_from(parser, comparison->op_place);
    const struct evs_ast_expr *arguments[] = {comparison->left, evs_parse_operand(parser)};
    return finish_comparison(parser, comparison, EVS_AST_IS, EVS_AST_OP_IS_DISTINCT, arguments, 2);
}

static enum evs_ast_op comparison_sign(enum evs_token_kind kind)
{
    switch (kind) {
    case EVS_TOKEN_EQUAL:
        return EVS_AST_OP_EQUAL;
    case EVS_TOKEN_NOT_EQUAL:
        return EVS_AST_OP_NOT_EQUAL;
    case EVS_TOKEN_LESS:
        return EVS_AST_OP_LESS;
    case EVS_TOKEN_LESS_EQUAL:
        return EVS_AST_OP_LESS_EQUAL;
    case EVS_TOKEN_GREATER:
        return EVS_AST_OP_GREATER;
    case EVS_TOKEN_GREATER_EQUAL:
        return EVS_AST_OP_GREATER_EQUAL;
    default:
        return EVS_AST_OP_NONE;
    }
}

static bool word_compares(const struct evs_token *token)
{
    return token->kind == EVS_TOKEN_WORD &&
           (token->word == EVS_WORD_LIKE || token->word == EVS_WORD_IN || token->word == EVS_WORD_BETWEEN);
}

static bool at_comparison(struct evs_parser *parser)
{
    return comparison_sign(evs_peek(parser)->kind) != EVS_AST_OP_NONE || evs_at_word(parser, EVS_WORD_IS) ||
           word_compares(evs_peek(parser)) ||
           (evs_at_word(parser, EVS_WORD_NOT) && word_compares(evs_peek_at(parser, 1)));
}

/* The operator is next. */
static const struct evs_ast_expr *parse_comparison_tail(struct evs_parser *parser, struct evs_place start,
                                                        const struct evs_ast_expr *left)
{
    struct comparison comparison = {.start = start, .op_place = evs_here(parser), .left = left};
    comparison.negated = evs_take_word(parser, EVS_WORD_NOT);
    struct evs_token token = evs_take_token(parser);
    comparison.op_place = evs_place_from(parser, comparison.op_place);
    enum evs_ast_op op = comparison_sign(token.kind);
    if (op != EVS_AST_OP_NONE) {
        const struct evs_ast_expr *arguments[] = {left, evs_parse_operand(parser)};
        return finish_comparison(parser, &comparison, EVS_AST_BINARY, op, arguments, 2);
    }
    switch (token.word) {
    case EVS_WORD_BETWEEN:
        return parse_between(parser, &comparison);
    case EVS_WORD_IN:
        return parse_in(parser, &comparison);
    case EVS_WORD_LIKE:
        return parse_like(parser, &comparison);
    default:
        EVS_ASSERT(token.word == EVS_WORD_IS);
        return parse_is(parser, &comparison);
    }
}

static const struct evs_ast_expr *parse_comparison(struct evs_parser *parser)
{
    struct evs_place start = evs_here(parser);
    const struct evs_ast_expr *left = evs_parse_operand(parser);
    if (!at_comparison(parser)) {
        return left;
    }
    left = parse_comparison_tail(parser, start, left);
    if (at_comparison(parser)) {
        struct evs_diag *diag = evs_syntax(parser, EVS_E0110, evs_here(parser), "comparisons do not follow each other");
        evs_diag_hint(diag, "join two comparisons by `and`, or put one in parentheses");
    }
    return left;
}

/* --- not, and, or ------------------------------------------------------------------------------------------------- */

static const struct evs_ast_expr *parse_not(struct evs_parser *parser)
{
    if (!evs_at_word(parser, EVS_WORD_NOT)) {
        return parse_comparison(parser);
    }
    struct evs_place start = evs_here(parser);
    evs_take_token(parser);
    const struct evs_ast_expr *operand = evs_enter(parser) ? parse_not(parser) : evs_error_expr(parser);
    evs_leave(parser);
    return new_operation(parser, EVS_AST_UNARY, EVS_AST_OP_NOT, start, start, &operand, 1);
}

/* x {word x} as one node. */
static const struct evs_ast_expr *parse_chain(struct evs_parser *parser, enum evs_word word, enum evs_ast_op op,
                                              const struct evs_ast_expr *(*parse_part)(struct evs_parser *))
{
    struct evs_place start = evs_here(parser);
    const struct evs_ast_expr *first = parse_part(parser);
    if (!evs_at_word(parser, word)) {
        return first;
    }
    struct evs_place op_place = evs_here(parser);
    const struct evs_ast_expr **parts = NULL;
    uint32_t count = 0, capacity = 0;
    EVS_APPEND(parser, parts, count, capacity, first);
    while (evs_take_word(parser, word)) {
        EVS_APPEND(parser, parts, count, capacity, parse_part(parser));
    }
    return new_operation(parser, EVS_AST_LOGIC, op, op_place, start, parts, count);
}

static const struct evs_ast_expr *parse_and(struct evs_parser *parser)
{
    return parse_chain(parser, EVS_WORD_AND, EVS_AST_OP_AND, parse_not);
}

const struct evs_ast_expr *evs_parse_expression(struct evs_parser *parser)
{
    const struct evs_ast_expr *expr =
        evs_enter(parser) ? parse_chain(parser, EVS_WORD_OR, EVS_AST_OP_OR, parse_and) : evs_error_expr(parser);
    evs_leave(parser);
    return expr;
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

struct evs_ast_exprs evs_parse_expressions(struct evs_parser *parser)
{
    struct evs_ast_exprs list = {0};
    uint32_t capacity = 0;
    do {
        EVS_APPEND(parser, list.items, list.count, capacity, evs_parse_expression(parser));
    } while (evs_take(parser, EVS_TOKEN_COMMA));
    return list;
}

static struct evs_ast_order parse_order(struct evs_parser *parser)
{
    struct evs_ast_order order = {.expr = evs_parse_expression(parser)};
    order.descending = evs_take_word(parser, EVS_WORD_DESC);
    if (!order.descending) {
        evs_take_word(parser, EVS_WORD_ASC);
    }
    if (evs_take_word(parser, EVS_WORD_NULLS)) {
        order.nulls = evs_take_word(parser, EVS_WORD_FIRST) ? EVS_NULLS_FIRST : EVS_NULLS_LAST;
        if (order.nulls == EVS_NULLS_LAST) {
            evs_expect_word(parser, EVS_WORD_LAST, "or `first` after `nulls`");
        }
    }
    return order;
}

struct evs_ast_orders evs_parse_orders(struct evs_parser *parser)
{
    struct evs_ast_order *items = NULL;
    uint32_t count = 0, capacity = 0;
    do {
        EVS_APPEND(parser, items, count, capacity, parse_order(parser));
    } while (evs_take(parser, EVS_TOKEN_COMMA));
    return (struct evs_ast_orders){items, count};
}
