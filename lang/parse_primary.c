/* Primary expressions: literals, names, parameters, parentheses, case, cast, arrays and structs, and what may follow
 * them (. and [ ]). */
#include "parse.h"

/* --- texts, counts, units ----------------------------------------------------------------------------------------- */

struct evs_str evs_expect_string(struct evs_parser *parser, const char *what)
{
    if (!evs_at(parser, EVS_TOKEN_STRING)) {
        evs_expected(parser, what);
        return evs_str_make("", 0);
    }
    return evs_parse_str(parser, evs_take_token(parser).text);
}

uint32_t evs_expect_count(struct evs_parser *parser, const char *what)
{
    if (!evs_at(parser, EVS_TOKEN_INT)) {
        evs_expected(parser, what);
        return 0;
    }
    struct evs_token token = evs_take_token(parser);
    if (token.magnitude > INT32_MAX) {
        evs_complain(parser, EVS_E0123, evs_token_place(parser, &token), "this number is too large here");
        return 0;
    }
    return (uint32_t)token.magnitude;
}

static const char *const part_names[] = {
    [EVS_PART_NONE] = "",
    [EVS_PART_NANOSECOND] = "nanosecond",
    [EVS_PART_MICROSECOND] = "microsecond",
    [EVS_PART_MILLISECOND] = "millisecond",
    [EVS_PART_SECOND] = "second",
    [EVS_PART_MINUTE] = "minute",
    [EVS_PART_HOUR] = "hour",
    [EVS_PART_DAY] = "day",
    [EVS_PART_WEEK] = "week",
    [EVS_PART_MONTH] = "month",
    [EVS_PART_QUARTER] = "quarter",
    [EVS_PART_YEAR] = "year",
    [EVS_PART_DAYOFWEEK] = "dayofweek",
    [EVS_PART_DAYOFYEAR] = "dayofyear",
    [EVS_PART_ISOWEEK] = "isoweek",
    [EVS_PART_ISOYEAR] = "isoyear",
    [EVS_PART_DATE] = "date",
    [EVS_PART_TIME] = "time",
    [EVS_PART_DATETIME] = "datetime",
};

const char *evs_ast_part_name(enum evs_ast_part part)
{
    EVS_ASSERT((uint32_t)part < EVS_COUNT(part_names));
    return part_names[part];
}

/* Short forms that people write for units. */
static const struct {
    const char *text;
    enum evs_ast_part part;
} short_parts[] = {
    {"us", EVS_PART_MICROSECOND}, {"ms", EVS_PART_MILLISECOND}, {"s", EVS_PART_SECOND},   {"sec", EVS_PART_SECOND},
    {"secs", EVS_PART_SECOND},    {"m", EVS_PART_MINUTE},       {"min", EVS_PART_MINUTE}, {"mins", EVS_PART_MINUTE},
    {"h", EVS_PART_HOUR},         {"hr", EVS_PART_HOUR},        {"hrs", EVS_PART_HOUR},   {"d", EVS_PART_DAY},
    {"w", EVS_PART_WEEK},         {"mon", EVS_PART_MONTH},      {"y", EVS_PART_YEAR},
};

static struct evs_nearest nearest_part(struct evs_slice text)
{
    struct evs_nearest nearest = evs_nearest_begin(text);
    for (uint32_t i = 0; i < EVS_COUNT(short_parts); i++) {
        if (evs_slice_equal_nocase(text, short_parts[i].text)) {
            nearest.best = evs_slice_of(part_names[short_parts[i].part]);
            return nearest;
        }
    }
    for (uint32_t part = EVS_PART_NANOSECOND; part < EVS_COUNT(part_names); part++) {
        evs_nearest_offer(&nearest, evs_slice_of(part_names[part]));
    }
    return nearest;
}

static enum evs_ast_part find_part(struct evs_slice text, bool of_interval)
{
    enum evs_ast_part last = of_interval ? EVS_PART_YEAR : EVS_PART_DATETIME;
    enum evs_ast_part first = of_interval ? EVS_PART_MICROSECOND : EVS_PART_NANOSECOND;
    for (enum evs_ast_part part = first; part <= last; part++) {
        if (evs_slice_equal_nocase(text, part_names[part])) {
            return part;
        }
    }
    return EVS_PART_NONE;
}

enum evs_ast_part evs_parse_part(struct evs_parser *parser, bool of_interval, struct evs_ident *week_start)
{
    const char *what = of_interval ? "a unit such as `minute`" : "a part such as `hour`";
    if (!evs_at(parser, EVS_TOKEN_WORD) || evs_word_is_reserved(evs_peek(parser)->word)) {
        evs_expected(parser, what);
        return EVS_PART_NONE;
    }
    struct evs_ident ident = evs_expect_ident(parser, what);
    evs_mark(parser, ident.place.offset, EVS_MARK_TYPE); /* no name of the user's */
    enum evs_ast_part part = find_part(ident.text, of_interval);
    if (part == EVS_PART_NONE) { /* the text goes on as if it were right */
        struct evs_nearest nearest = nearest_part(ident.text);
        struct evs_diag *diag =
            evs_complain(parser, EVS_E0118, ident.place, "`%s` is not a unit of time", ident.text.data);
        if (nearest.best.count > 0) {
            evs_diag_did_you_mean(diag, &nearest);
        } else {
            evs_diag_hint(diag,
                          "one of microsecond, millisecond, second, minute, hour, day, week, month, quarter, year");
        }
        return EVS_PART_SECOND;
    }
    if (week_start != NULL && part == EVS_PART_WEEK && evs_at(parser, EVS_TOKEN_LEFT_PAREN)) {
        evs_mark(parser, evs_take_token(parser).offset, EVS_MARK_TIGHT);
        *week_start = evs_expect_ident(parser, "a day of the week");
        evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the day");
    }
    return part;
}

/* --- literals ----------------------------------------------------------------------------------------------------- */

static const struct evs_ast_expr *new_literal(struct evs_parser *parser, struct evs_place start, struct evs_value value)
{
    struct evs_ast_expr *expr = evs_new_expr(parser, EVS_AST_LITERAL, evs_place_from(parser, start), NULL, 0);
    expr->value = value;
    return expr;
}

static const struct evs_ast_expr *parse_int(struct evs_parser *parser, struct evs_place start)
{
    struct evs_token token = evs_take_token(parser);
    if (token.magnitude > INT64_MAX) {
        struct evs_diag *diag = evs_complain(parser, EVS_E0107, start, "this number does not fit into an int64");
        evs_diag_hint(diag, "the largest is 9223372036854775807; write numeric '…' for more");
        return evs_error_expr(parser);
    }
    return new_literal(parser, start, (struct evs_value){.kind = EVS_INT64, .int64 = (int64_t)token.magnitude});
}

static const struct evs_ast_expr *parse_text(struct evs_parser *parser, struct evs_place start)
{
    struct evs_token token = evs_take_token(parser);
    struct evs_value value = {.kind = token.kind == EVS_TOKEN_BYTES ? EVS_BYTES : EVS_STRING};
    value.str = evs_parse_str(parser, token.text);
    return new_literal(parser, start, value);
}

static const struct evs_ast_expr *parse_word_literal(struct evs_parser *parser, struct evs_place start)
{
    struct evs_token token = evs_take_token(parser);
    EVS_ASSERT(token.word == EVS_WORD_NULL || token.word == EVS_WORD_TRUE || token.word == EVS_WORD_FALSE);
    if (token.word == EVS_WORD_NULL) {
        return new_literal(parser, start, (struct evs_value){.kind = EVS_NULL_KIND, .is_null = true});
    }
    return new_literal(parser, start, (struct evs_value){.kind = EVS_BOOL, .boolean = token.word == EVS_WORD_TRUE});
}

static const struct {
    enum evs_word word;
    enum evs_kind kind;
} typed_literals[] = {
    {EVS_WORD_DATE, EVS_DATE},           {EVS_WORD_DATETIME, EVS_DATETIME}, {EVS_WORD_TIME, EVS_TIME},
    {EVS_WORD_TIMESTAMP, EVS_TIMESTAMP}, {EVS_WORD_NUMERIC, EVS_NUMERIC},   {EVS_WORD_DECIMAL, EVS_NUMERIC},
    {EVS_WORD_JSON, EVS_JSON},
};

/* timestamp '2026-01-05 10:00:00+01': a word and a text. The text is judged by the binder, which knows the types. */
static const struct evs_ast_expr *parse_typed_literal(struct evs_parser *parser, struct evs_place start)
{
    struct evs_token word = evs_take_token(parser);
    struct evs_nearest nearest = evs_nearest_begin(word.text);
    for (uint32_t i = 0; i < EVS_COUNT(typed_literals); i++) {
        if (word.word != typed_literals[i].word) {
            evs_nearest_offer(&nearest, evs_slice_of(evs_word_text(typed_literals[i].word)));
            continue;
        }
        struct evs_str text = evs_expect_string(parser, "a text");
        struct evs_ast_expr *expr = evs_new_expr(parser, EVS_AST_TYPED_LITERAL, evs_place_from(parser, start), NULL, 0);
        expr->value_kind = typed_literals[i].kind;
        expr->value = (struct evs_value){.kind = EVS_STRING, .str = text};
        return expr;
    }
    struct evs_diag *diag = evs_syntax(parser, EVS_E0123, start, "there are no literals of a type `%.*s`",
                                       (int)word.text.count, word.text.data);
    evs_diag_did_you_mean(diag, &nearest);
    return evs_error_expr(parser);
}

static const struct evs_ast_expr *parse_interval(struct evs_parser *parser, struct evs_place start)
{
    evs_take_token(parser);
    const struct evs_ast_expr *amount = evs_parse_expression(parser);
    enum evs_ast_part part = evs_parse_part(parser, true, NULL), part_to = EVS_PART_NONE;
    if (evs_take_word(parser, EVS_WORD_TO)) {
        part_to = evs_parse_part(parser, true, NULL);
    }
    struct evs_ast_expr *expr = evs_new_expr(parser, EVS_AST_INTERVAL, evs_place_from(parser, start), &amount, 1);
    expr->part = part;
    expr->part_to = part_to;
    return expr;
}

const struct evs_ast_expr *evs_parse_interval(struct evs_parser *parser, const char *what)
{
    struct evs_place start = evs_here(parser);
    if (evs_at_word(parser, EVS_WORD_INTERVAL)) {
        return parse_interval(parser, start);
    }
    if (evs_at(parser, EVS_TOKEN_AT)) { /* a parameter of type interval */
        return evs_parse_primary(parser);
    }
    bool is_number = evs_at(parser, EVS_TOKEN_INT);
    struct evs_diag *diag = evs_expected(parser, what);
    if (is_number) {
        evs_diag_hint(diag, "write `interval` before the number");
    }
    return evs_error_expr(parser);
}

/* --- names and parameters ----------------------------------------------------------------------------------------- */

/* a.b.c as far as dots and names go; `.*` is left for the list of columns. */
static const struct evs_ident *parse_path(struct evs_parser *parser, uint32_t *count)
{
    struct evs_ident *names = NULL;
    uint32_t capacity = 0;
    *count = 0;
    EVS_APPEND(parser, names, *count, capacity, evs_expect_any_ident(parser, "a name"));
    while (evs_at(parser, EVS_TOKEN_DOT) && evs_peek_at(parser, 1)->kind != EVS_TOKEN_STAR) {
        evs_take_token(parser);
        EVS_APPEND(parser, names, *count, capacity, evs_expect_any_ident(parser, "a name after the dot"));
    }
    return names;
}

static const struct evs_ast_expr *parse_name(struct evs_parser *parser, struct evs_place start)
{
    if (evs_at(parser, EVS_TOKEN_WORD) && evs_peek_at(parser, 1)->kind == EVS_TOKEN_STRING) {
        return parse_typed_literal(parser, start);
    }
    if (evs_at(parser, EVS_TOKEN_WORD) && evs_peek_at(parser, 1)->kind == EVS_TOKEN_ARROW) {
        struct evs_diag *diag = evs_syntax(parser, EVS_E0124, evs_place_from(parser, start),
                                           "functions written as `x -> …` are not part of the language");
        evs_diag_hint(diag, "a query goes over the elements: array(select x from unnest(ARRAY) as x where …)");
        return evs_error_expr(parser);
    }
    uint32_t count;
    const struct evs_ident *names = parse_path(parser, &count);
    if (evs_at(parser, EVS_TOKEN_LEFT_PAREN)) {
        return evs_parse_call(parser, start, names, count);
    }
    struct evs_ast_expr *expr = evs_new_expr(parser, EVS_AST_PATH, evs_place_from(parser, start), NULL, 0);
    expr->names = names;
    expr->name_count = count;
    return expr;
}

static struct evs_ast_expr *new_named(struct evs_parser *parser, enum evs_ast_expr_kind kind, struct evs_place start,
                                      const struct evs_ast_expr *const *arguments, uint32_t count,
                                      struct evs_ident name)
{
    EVS_ASSERT(kind == EVS_AST_FIELD || kind == EVS_AST_PARAMETER);
    struct evs_ident *names = EVS_ARENA_ARRAY(&parser->script->arena, struct evs_ident, 1);
    names[0] = name;
    struct evs_ast_expr *expr = evs_new_expr(parser, kind, evs_place_from(parser, start), arguments, count);
    expr->names = names;
    expr->name_count = 1;
    return expr;
}

static const struct evs_ast_expr *parse_parameter(struct evs_parser *parser, struct evs_place start)
{
    evs_take_token(parser);
    if (evs_at(parser, EVS_TOKEN_AT)) {
        struct evs_diag *diag = evs_syntax(parser, EVS_E0124, start, "there are no system variables");
        evs_diag_hint(diag, "a parameter is written with one `@`");
        return evs_error_expr(parser);
    }
    struct evs_ident name = evs_expect_any_ident(parser, "a parameter's name after `@`");
    return new_named(parser, EVS_AST_PARAMETER, start, NULL, 0, name);
}

/* --- parentheses, arrays, structs --------------------------------------------------------------------------------- */

static const struct evs_ast_expr *parse_subquery(struct evs_parser *parser, struct evs_place start, enum evs_ast_op op)
{
    uint32_t outer_tallest = parser->tallest;
    parser->tallest = 0;
    const struct evs_ast_query *query = evs_parse_subquery(parser);
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the query");
    /* The heights inside count too: a visitor goes through them. */
    const struct evs_ast_expr inside = {.kind = EVS_AST_ERROR, .height = parser->tallest};
    const struct evs_ast_expr *inner[] = {&inside};
    struct evs_ast_expr *expr = evs_new_expr(parser, EVS_AST_SUBQUERY, evs_place_from(parser, start), inner, 1);
    expr->arguments = NULL;
    expr->argument_count = 0;
    expr->op = op;
    expr->query = query;
    parser->tallest = parser->tallest > outer_tallest ? parser->tallest : outer_tallest;
    return expr;
}

static const struct evs_ast_expr *parse_parentheses(struct evs_parser *parser, struct evs_place start)
{
    evs_take_token(parser);
    if (evs_at_query(parser)) {
        return parse_subquery(parser, start, EVS_AST_OP_NONE);
    }
    struct evs_ast_exprs list = evs_parse_expressions(parser);
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the expression");
    if (list.count > 1) { /* (a, b) is a struct */
        return evs_new_expr(parser, EVS_AST_STRUCT, evs_place_from(parser, start), list.items, list.count);
    }
    struct evs_ast_expr *copy = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_expr);
    *copy = *list.items[0];
    copy->parenthesised = true;
    return copy;
}

/* [a, b], array[a, b], array<int64>[a, b]; the bracket is next. */
static const struct evs_ast_expr *parse_array_items(struct evs_parser *parser, struct evs_place start,
                                                    const struct evs_ast_type *type)
{
    struct evs_ast_exprs items = {0};
    evs_expect(parser, EVS_TOKEN_LEFT_BRACKET, "before the elements");
    if (!evs_at(parser, EVS_TOKEN_RIGHT_BRACKET)) {
        items = evs_parse_expressions(parser);
    }
    evs_expect(parser, EVS_TOKEN_RIGHT_BRACKET, "after the elements");
    struct evs_ast_expr *expr =
        evs_new_expr(parser, EVS_AST_ARRAY, evs_place_from(parser, start), items.items, items.count);
    expr->type = type;
    return expr;
}

static const struct evs_ast_expr *parse_array(struct evs_parser *parser, struct evs_place start)
{
    if (evs_peek_at(parser, 1)->kind == EVS_TOKEN_LEFT_PAREN) {
        evs_take_token(parser);
        evs_take_token(parser);
        return parse_subquery(parser, start, EVS_AST_OP_ARRAY);
    }
    bool is_typed = evs_peek_at(parser, 1)->kind == EVS_TOKEN_LESS;
    const struct evs_ast_type *type = is_typed ? evs_parse_type(parser) : NULL;
    if (!is_typed) {
        evs_take_token(parser);
    }
    return parse_array_items(parser, start, type);
}

/* struct(a as x, b), struct<x int64>(a). */
static const struct evs_ast_expr *parse_struct(struct evs_parser *parser, struct evs_place start)
{
    const struct evs_ast_type *type = evs_parse_type(parser);
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `struct`");
    const struct evs_ast_expr **items = NULL;
    struct evs_ident *names = NULL;
    uint32_t count = 0, capacity = 0, name_count = 0, name_capacity = 0;
    while (!parser->panic && !evs_at(parser, EVS_TOKEN_RIGHT_PAREN)) {
        EVS_APPEND(parser, items, count, capacity, evs_parse_expression(parser));
        struct evs_ident name = {0};
        if (evs_take_word(parser, EVS_WORD_AS)) {
            name = evs_expect_ident(parser, "a field's name");
        }
        EVS_APPEND(parser, names, name_count, name_capacity, name);
        if (!evs_take(parser, EVS_TOKEN_COMMA)) {
            break;
        }
    }
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the fields");
    struct evs_ast_expr *expr = evs_new_expr(parser, EVS_AST_STRUCT, evs_place_from(parser, start), items, count);
    expr->argument_names = names;
    expr->type = type->field_count > 0 ? type : NULL;
    return expr;
}

/* --- case, cast, extract ------------------------------------------------------------------------------------------ */

static const struct evs_ast_expr *parse_case(struct evs_parser *parser, struct evs_place start)
{
    evs_take_token(parser);
    struct evs_ast_exprs parts = {0};
    uint32_t capacity = 0;
    bool has_operand = !evs_at_word(parser, EVS_WORD_WHEN), has_else = false;
    if (has_operand) {
        EVS_APPEND(parser, parts.items, parts.count, capacity, evs_parse_expression(parser));
    }
    if (!evs_at_word(parser, EVS_WORD_WHEN)) {
        evs_expected(parser, "`when` in `case`");
    }
    while (evs_take_word(parser, EVS_WORD_WHEN)) {
        EVS_APPEND(parser, parts.items, parts.count, capacity, evs_parse_expression(parser));
        evs_expect_word(parser, EVS_WORD_THEN, "after the condition");
        EVS_APPEND(parser, parts.items, parts.count, capacity, evs_parse_expression(parser));
    }
    if (evs_take_word(parser, EVS_WORD_ELSE)) {
        has_else = true;
        EVS_APPEND(parser, parts.items, parts.count, capacity, evs_parse_expression(parser));
    }
    evs_expect_word(parser, EVS_WORD_END, "to close `case`");
    struct evs_ast_expr *expr =
        evs_new_expr(parser, EVS_AST_CASE, evs_place_from(parser, start), parts.items, parts.count);
    expr->has_operand = has_operand;
    expr->has_else = has_else;
    return expr;
}

/* [at time zone EXPR], or NULL. */
static const struct evs_ast_expr *parse_time_zone(struct evs_parser *parser)
{
    if (!evs_take_word(parser, EVS_WORD_AT)) {
        return NULL;
    }
    evs_expect_word(parser, EVS_WORD_TIME, "after `at`");
    evs_expect_word(parser, EVS_WORD_ZONE, "after `at time`");
    return evs_parse_operand(parser);
}

static const struct evs_ast_expr *parse_cast(struct evs_parser *parser, struct evs_place start)
{
    bool safe = evs_take_token(parser).word == EVS_WORD_SAFE_CAST;
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `cast`");
    const struct evs_ast_expr *arguments[3] = {evs_parse_expression(parser)};
    evs_expect_word(parser, EVS_WORD_AS, "and a type");
    const struct evs_ast_type *type = evs_parse_type(parser);
    uint32_t count = 1;
    if (evs_take_word(parser, EVS_WORD_FORMAT)) {
        arguments[1] = evs_parse_operand(parser);
        arguments[2] = parse_time_zone(parser);
        count = arguments[2] != NULL ? 3 : 2;
    }
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the type");
    struct evs_ast_expr *expr = evs_new_expr(parser, EVS_AST_CAST, evs_place_from(parser, start), arguments, count);
    expr->type = type;
    expr->safe = safe;
    return expr;
}

static const struct evs_ast_expr *parse_extract(struct evs_parser *parser, struct evs_place start)
{
    evs_take_token(parser);
    struct evs_ident week_start = {0};
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `extract`");
    enum evs_ast_part part = evs_parse_part(parser, false, &week_start);
    evs_expect_word(parser, EVS_WORD_FROM, "after the part");
    const struct evs_ast_expr *operand = evs_parse_expression(parser);
    const struct evs_ast_expr *arguments[] = {operand, parse_time_zone(parser)};
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the expression");
    struct evs_ast_expr *expr =
        evs_new_expr(parser, EVS_AST_EXTRACT, evs_place_from(parser, start), arguments, arguments[1] != NULL ? 2 : 1);
    expr->part = part;
    expr->week_start = week_start;
    return expr;
}

static const struct evs_ast_expr *parse_exists(struct evs_parser *parser, struct evs_place start)
{
    evs_take_token(parser);
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `exists`");
    return parse_subquery(parser, start, EVS_AST_OP_EXISTS);
}

/* --- the choice --------------------------------------------------------------------------------------------------- */

/* A reserved word where an expression should be: was it meant as a name? What follows it says so. */
static bool was_meant_as_name(struct evs_parser *parser)
{
    static const enum evs_word never[] = {EVS_WORD_AND,  EVS_WORD_OR,   EVS_WORD_NOT,  EVS_WORD_IN,
                                          EVS_WORD_IS,   EVS_WORD_LIKE, EVS_WORD_AS,   EVS_WORD_BY,
                                          EVS_WORD_WHEN, EVS_WORD_THEN, EVS_WORD_ELSE, EVS_WORD_BETWEEN};
    const struct evs_token *token = evs_peek(parser);
    if (token->kind != EVS_TOKEN_WORD || !evs_word_is_reserved(token->word)) {
        return false;
    }
    for (uint32_t i = 0; i < EVS_COUNT(never); i++) {
        if (token->word == never[i]) {
            return false;
        }
    }
    enum evs_token_kind next = evs_peek_at(parser, 1)->kind;
    bool closes = next == EVS_TOKEN_RIGHT_PAREN || next == EVS_TOKEN_RIGHT_BRACKET || next == EVS_TOKEN_LEFT_BRACKET;
    bool goes_on =
        next >= EVS_TOKEN_COMMA && next != EVS_TOKEN_NAMED && next != EVS_TOKEN_ARROW && next != EVS_TOKEN_AT;
    return closes || goes_on;
}

static const struct evs_ast_expr *report_no_expression(struct evs_parser *parser)
{
    const struct evs_token *token = evs_peek(parser);
    if (was_meant_as_name(parser)) {
        struct evs_slice text = token->text;
        struct evs_diag *diag =
            evs_syntax(parser, EVS_E0111, evs_here(parser), "expected an expression, and `%.*s` is a reserved word",
                       (int)text.count, text.data);
        evs_diag_hint(diag, "as a name, write it in backticks: `%.*s`", (int)text.count, text.data);
        return evs_error_expr(parser);
    }
    enum evs_token_kind found = token->kind;
    struct evs_diag *diag = evs_expected(parser, "an expression");
    if (found == EVS_TOKEN_STAR) {
        evs_diag_hint(diag, "`*` stands in `select *` and `count(*)`");
    } else if (found == EVS_TOKEN_DOLLAR) {
        evs_diag_hint(diag, "a parameter is written @NAME");
    }
    return evs_error_expr(parser);
}

static const struct evs_ast_expr *parse_reserved(struct evs_parser *parser, struct evs_place start)
{
    const struct evs_token *token = evs_peek(parser);
    switch (token->word) {
    case EVS_WORD_NULL:
    case EVS_WORD_TRUE:
    case EVS_WORD_FALSE:
        return parse_word_literal(parser, start);
    case EVS_WORD_CASE:
        return parse_case(parser, start);
    case EVS_WORD_CAST:
        return parse_cast(parser, start);
    case EVS_WORD_EXTRACT:
        return parse_extract(parser, start);
    case EVS_WORD_INTERVAL:
        return parse_interval(parser, start);
    case EVS_WORD_EXISTS:
        return parse_exists(parser, start);
    case EVS_WORD_ARRAY:
        return parse_array(parser, start);
    case EVS_WORD_STRUCT:
        return parse_struct(parser, start);
    default:
        if (evs_word_is_function(token->word) && evs_peek_at(parser, 1)->kind == EVS_TOKEN_LEFT_PAREN) {
            return parse_name(parser, start);
        }
        return report_no_expression(parser);
    }
}

static const struct evs_ast_expr *parse_atom(struct evs_parser *parser)
{
    struct evs_place start = evs_here(parser);
    const struct evs_token *token = evs_peek(parser);
    switch (token->kind) {
    case EVS_TOKEN_INT:
        return parse_int(parser, start);
    case EVS_TOKEN_FLOAT:
        return new_literal(parser, start,
                           (struct evs_value){.kind = EVS_FLOAT64, .float64 = evs_take_token(parser).float64});
    case EVS_TOKEN_STRING:
    case EVS_TOKEN_BYTES:
        return parse_text(parser, start);
    case EVS_TOKEN_AT:
        return parse_parameter(parser, start);
    case EVS_TOKEN_LEFT_PAREN:
        return parse_parentheses(parser, start);
    case EVS_TOKEN_LEFT_BRACKET:
        return parse_array_items(parser, start, NULL);
    case EVS_TOKEN_QUOTED:
        return parse_name(parser, start);
    case EVS_TOKEN_WORD:
        if (token->word == EVS_WORD_SAFE_CAST && evs_peek_at(parser, 1)->kind == EVS_TOKEN_LEFT_PAREN) {
            return parse_cast(parser, start);
        }
        return evs_word_is_reserved(token->word) ? parse_reserved(parser, start) : parse_name(parser, start);
    default:
        return report_no_expression(parser);
    }
}

const struct evs_ast_expr *evs_parse_primary(struct evs_parser *parser)
{
    struct evs_place start = evs_here(parser);
    const struct evs_ast_expr *expr = parse_atom(parser);
    for (;;) {
        if (evs_at(parser, EVS_TOKEN_DOT) && evs_peek_at(parser, 1)->kind != EVS_TOKEN_STAR) {
            evs_take_token(parser);
            struct evs_ident name = evs_expect_any_ident(parser, "a name after the dot");
            expr = new_named(parser, EVS_AST_FIELD, start, &expr, 1, name);
        } else if (evs_at(parser, EVS_TOKEN_LEFT_BRACKET)) {
            evs_mark(parser, evs_take_token(parser).offset, EVS_MARK_TIGHT);
            const struct evs_ast_expr *arguments[] = {expr, evs_parse_expression(parser)};
            evs_expect(parser, EVS_TOKEN_RIGHT_BRACKET, "after the index");
            expr = evs_new_expr(parser, EVS_AST_INDEX, evs_place_from(parser, start), arguments, 2);
        } else {
            return expr;
        }
    }
}
