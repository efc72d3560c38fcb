/* Pipe operators: the table of all, and the bodies of those that are short. */
#include "foreign.h"
#include "parse.h"

/* --- bodies: the operator's words are taken ----------------------------------------------------------------------- */

static void parse_where(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->expr = evs_parse_expression(parser);
    if (evs_take_word(parser, EVS_WORD_OTHERWISE)) {
        pipe->otherwise_into = evs_parse_into(parser);
    }
}

static void parse_select(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->select.distinct = evs_take_word(parser, EVS_WORD_DISTINCT);
    pipe->select.items = evs_parse_items(parser, true);
}

static void parse_extend(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->items = evs_parse_items(parser, false);
}

static void parse_set(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_item *items = NULL;
    uint32_t count = 0, capacity = 0;
    do {
        struct evs_ast_item item = {.place = evs_here(parser)};
        item.alias = evs_expect_ident(parser, "the name of a column");
        evs_expect(parser, EVS_TOKEN_EQUAL, "and the column's new value");
        item.expr = evs_parse_expression(parser);
        item.place = evs_place_from(parser, item.place);
        EVS_APPEND(parser, items, count, capacity, item);
    } while (evs_take(parser, EVS_TOKEN_COMMA));
    pipe->items = (struct evs_ast_items){items, count};
}

static void parse_drop(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->idents = evs_parse_ident_list(parser, "the name of a column");
}

static void parse_rename(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_rename *items = NULL;
    uint32_t count = 0, capacity = 0;
    do {
        struct evs_ast_rename rename = {.from = evs_expect_ident(parser, "the name of a column")};
        evs_take_word(parser, EVS_WORD_AS);
        rename.to = evs_expect_ident(parser, "the column's new name");
        EVS_APPEND(parser, items, count, capacity, rename);
    } while (evs_take(parser, EVS_TOKEN_COMMA));
    pipe->renames.items = items;
    pipe->renames.count = count;
}

static void parse_as(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->ident = evs_expect_ident(parser, "a name after `as`");
}

static void parse_insert(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->insert.sink = evs_expect_ident(parser, "the name of a sink");
    pipe->insert.columns = (struct evs_idents){0};
    if (evs_take(parser, EVS_TOKEN_LEFT_PAREN)) {
        pipe->insert.columns = evs_parse_ident_list(parser, "the name of a column");
        evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the columns");
    }
}

static void parse_branches(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    struct evs_ast_pipeline *items = NULL;
    uint32_t count = 0, capacity = 0;
    do {
        evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "before the branch's operators");
        bool entered = evs_enter(parser);
        if (entered) {
            EVS_APPEND(parser, items, count, capacity, evs_parse_pipeline(parser, true));
        }
        evs_leave(parser);
        evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the branch's operators");
    } while (evs_take(parser, EVS_TOKEN_COMMA));
    pipe->branches.items = items;
    pipe->branches.count = count;
}

static void parse_log(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->branches.items = NULL;
    pipe->branches.count = 0;
    if (evs_at(parser, EVS_TOKEN_LEFT_PAREN)) {
        parse_branches(parser, pipe);
    }
}

static const struct evs_ast_query *parse_union_query(struct evs_parser *parser)
{
    bool has_paren = evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "before the query to unite with");
    const struct evs_ast_query *query = has_paren ? evs_parse_query(parser) : NULL;
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the query");
    return query;
}

/* It would have to know every row that ever came. */
static void refuse_union_distinct(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    if (parser->script->accept_all) {
        return;
    }
    struct evs_diag *diag =
        evs_complain(parser, EVS_E0124, pipe->word, "`union distinct` would remember every row of the stream for ever");
    evs_diag_hint(diag, "write union all (…), then |> deduplicate by … within interval 1 day");
    pipe->is_broken = true;
}

static void parse_union(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->set_operation.distinct = evs_take_word(parser, EVS_WORD_DISTINCT);
    if (pipe->set_operation.distinct) {
        refuse_union_distinct(parser, pipe);
    } else {
        evs_expect_word(parser, EVS_WORD_ALL, "after `union`");
    }
    pipe->set_operation.by_name = evs_take_word(parser, EVS_WORD_BY);
    if (pipe->set_operation.by_name) {
        evs_expect_word(parser, EVS_WORD_NAME, "after `by`");
    }
    const struct evs_ast_query **queries = NULL;
    uint32_t count = 0, capacity = 0;
    do {
        EVS_APPEND(parser, queries, count, capacity, parse_union_query(parser));
    } while (evs_take(parser, EVS_TOKEN_COMMA) &&
             evs_at(parser, EVS_TOKEN_LEFT_PAREN)); /* a last comma is one too many, and right */
    pipe->set_operation.queries = queries;
    pipe->set_operation.count = count;
}

static void parse_limit(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->limit.count = evs_parse_expression(parser);
    pipe->limit.offset = NULL;
    if (evs_take_word(parser, EVS_WORD_OFFSET)) {
        pipe->limit.offset = evs_parse_expression(parser);
    }
}

static void parse_order(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->orders = evs_parse_orders(parser);
}

static void parse_call_operator(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->call.alias = (struct evs_ident){0};
    pipe->call.expr = evs_parse_primary(parser);
    if (pipe->call.expr->kind != EVS_AST_CALL && pipe->call.expr->kind != EVS_AST_ERROR) {
        evs_syntax(parser, EVS_E0110, pipe->call.expr->place, "expected a function with its arguments after `call`");
    }
    pipe->call.alias = evs_parse_alias(parser);
}

static void parse_assert(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    pipe->exprs = evs_parse_expressions(parser);
}

static void parse_nothing(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    (void)parser;
    (void)pipe;
}

void evs_parse_operator_name(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    if (!evs_at_word(parser, EVS_WORD_AS)) {
        return;
    }
    if (evs_ident_given(&pipe->name)) {
        evs_complain(parser, EVS_E0115, evs_here(parser), "the operator has the name `%s` already",
                     pipe->name.text.data);
    }
    evs_take_token(parser);
    pipe->name = evs_expect_ident(parser, "the operator's name after `as`");
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

enum pipe_flag {
    PIPE_NAMED = 1, /* stateful: `as NAME` may stand behind its first word, or at its end */
    PIPE_WORDS = 2, /* its body takes the first words itself */
};

static const struct {
    enum evs_pipe_kind kind;
    enum evs_word word, second;
    uint32_t flags;
    evs_parse_pipe_body *parse;
} operators[] = {
    {EVS_PIPE_WHERE, EVS_WORD_WHERE, EVS_WORD_NONE, 0, parse_where},
    {EVS_PIPE_SELECT, EVS_WORD_SELECT, EVS_WORD_NONE, 0, parse_select},
    {EVS_PIPE_EXTEND, EVS_WORD_EXTEND, EVS_WORD_NONE, 0, parse_extend},
    {EVS_PIPE_SET, EVS_WORD_SET, EVS_WORD_NONE, 0, parse_set},
    {EVS_PIPE_DROP, EVS_WORD_DROP, EVS_WORD_NONE, 0, parse_drop},
    {EVS_PIPE_RENAME, EVS_WORD_RENAME, EVS_WORD_NONE, 0, parse_rename},
    {EVS_PIPE_AS, EVS_WORD_AS, EVS_WORD_NONE, 0, parse_as},
    {EVS_PIPE_AGGREGATE, EVS_WORD_AGGREGATE, EVS_WORD_NONE, PIPE_NAMED, evs_parse_aggregate},
    {EVS_PIPE_INSERT, EVS_WORD_INSERT, EVS_WORD_INTO, 0, parse_insert},
    {EVS_PIPE_TEE, EVS_WORD_TEE, EVS_WORD_NONE, 0, parse_branches},
    {EVS_PIPE_FORK, EVS_WORD_FORK, EVS_WORD_NONE, 0, parse_branches},
    {EVS_PIPE_UNION, EVS_WORD_UNION, EVS_WORD_NONE, 0, parse_union},
    {EVS_PIPE_LIMIT, EVS_WORD_LIMIT, EVS_WORD_NONE, 0, parse_limit},
    {EVS_PIPE_ORDER, EVS_WORD_ORDER, EVS_WORD_BY, 0, parse_order},
    {EVS_PIPE_JOIN, EVS_WORD_JOIN, EVS_WORD_NONE, PIPE_WORDS, evs_parse_join},
    {EVS_PIPE_JOIN, EVS_WORD_INNER, EVS_WORD_NONE, PIPE_WORDS, evs_parse_join},
    {EVS_PIPE_JOIN, EVS_WORD_LEFT, EVS_WORD_NONE, PIPE_WORDS, evs_parse_join},
    {EVS_PIPE_JOIN, EVS_WORD_RIGHT, EVS_WORD_NONE, PIPE_WORDS, evs_parse_join},
    {EVS_PIPE_JOIN, EVS_WORD_FULL, EVS_WORD_NONE, PIPE_WORDS, evs_parse_join},
    {EVS_PIPE_JOIN, EVS_WORD_CROSS, EVS_WORD_NONE, PIPE_WORDS, evs_parse_join},
    {EVS_PIPE_JOIN, EVS_WORD_SEMI, EVS_WORD_NONE, PIPE_WORDS, evs_parse_join},
    {EVS_PIPE_JOIN, EVS_WORD_ANTI, EVS_WORD_NONE, PIPE_WORDS, evs_parse_join},
    {EVS_PIPE_JOIN, EVS_WORD_NATURAL, EVS_WORD_NONE, PIPE_WORDS, evs_parse_join},
    {EVS_PIPE_CALL, EVS_WORD_CALL, EVS_WORD_NONE, 0, parse_call_operator},
    {EVS_PIPE_DISTINCT, EVS_WORD_DISTINCT, EVS_WORD_NONE, 0, parse_nothing},
    {EVS_PIPE_DEDUPLICATE, EVS_WORD_DEDUPLICATE, EVS_WORD_NONE, PIPE_NAMED, evs_parse_deduplicate},
    {EVS_PIPE_THROTTLE, EVS_WORD_THROTTLE, EVS_WORD_NONE, PIPE_NAMED, evs_parse_throttle},
    {EVS_PIPE_SAMPLE, EVS_WORD_SAMPLE, EVS_WORD_NONE, PIPE_NAMED, evs_parse_sample},
    {EVS_PIPE_SEQUENCE, EVS_WORD_SEQUENCE, EVS_WORD_NONE, PIPE_NAMED, evs_parse_sequence},
    {EVS_PIPE_TOP, EVS_WORD_TOP, EVS_WORD_NONE, PIPE_NAMED, evs_parse_top},
    {EVS_PIPE_HOLD, EVS_WORD_HOLD, EVS_WORD_NONE, PIPE_NAMED, evs_parse_hold},
    {EVS_PIPE_IDENTITY, EVS_WORD_RESOLVE, EVS_WORD_IDENTITY, PIPE_NAMED, evs_parse_identity},
    {EVS_PIPE_ASSERT, EVS_WORD_ASSERT, EVS_WORD_NONE, 0, parse_assert},
    {EVS_PIPE_LOG, EVS_WORD_LOG, EVS_WORD_NONE, 0, parse_log},
    {EVS_PIPE_DESCRIBE, EVS_WORD_DESCRIBE, EVS_WORD_NONE, 0, parse_nothing},
    {EVS_PIPE_MATCH_RECOGNIZE, EVS_WORD_MATCH_RECOGNIZE, EVS_WORD_NONE, PIPE_NAMED, evs_parse_match_recognize},
};

const char *evs_pipe_kind_name(enum evs_pipe_kind kind)
{
    switch (kind) {
    case EVS_PIPE_UNKNOWN:
        return "unknown";
    case EVS_PIPE_INSERT:
        return "insert into";
    case EVS_PIPE_ORDER:
        return "order by";
    case EVS_PIPE_IDENTITY:
        return "resolve identity";
    default:
        break;
    }
    for (uint32_t i = 0; i < EVS_COUNT(operators); i++) {
        if (operators[i].kind == kind) {
            return evs_word_text(operators[i].word);
        }
    }
    EVS_ASSERT(!"every kind has a row");
    return "";
}

void evs_offer_pipe_words(struct evs_nearest *nearest)
{
    for (uint32_t i = 0; i < EVS_COUNT(operators); i++) {
        evs_nearest_offer(nearest, evs_slice_of(evs_word_text(operators[i].word)));
    }
}

bool evs_word_starts_pipe(enum evs_word word)
{
    for (uint32_t i = 0; i < EVS_COUNT(operators); i++) {
        if (operators[i].word == word) {
            return true;
        }
    }
    return false;
}

/* --- one operator ------------------------------------------------------------------------------------------------- */

static void report_unknown(struct evs_parser *parser)
{
    if (!evs_at(parser, EVS_TOKEN_WORD)) {
        evs_expected(parser, "an operator after `|>`");
        return;
    }
    struct evs_token token = *evs_peek(parser);
    struct evs_diag *diag = evs_syntax(parser, EVS_E0113, evs_here(parser), "there is no pipe operator `%.*s`",
                                       (int)token.text.count, token.text.data);
    const char *foreign = token.kind == EVS_TOKEN_WORD ? evs_foreign_operator(token.text) : NULL;
    if (foreign != NULL) {
        evs_diag_hint(diag, "%s", foreign);
        return;
    }
    struct evs_nearest nearest = evs_nearest_begin(token.text);
    evs_offer_pipe_words(&nearest);
    evs_diag_did_you_mean(diag, &nearest);
}

static uint32_t find_operator(struct evs_parser *parser)
{
    for (uint32_t i = 0; i < EVS_COUNT(operators); i++) {
        if (evs_at_word(parser, operators[i].word)) {
            return i;
        }
    }
    return EVS_COUNT(operators);
}

static void take_words(struct evs_parser *parser, struct evs_ast_pipe *pipe, uint32_t row)
{
    pipe->word = evs_here(parser);
    if (operators[row].flags & PIPE_WORDS) {
        return;
    }
    evs_take_token(parser);
    if (operators[row].second != EVS_WORD_NONE) {
        char where[64];
        snprintf(where, sizeof where, "after `%s`", evs_word_text(operators[row].word));
        evs_expect_word(parser, operators[row].second, where);
    }
    pipe->word = evs_place_from(parser, pipe->word);
}

static void parse_body(struct evs_parser *parser, struct evs_ast_pipe *pipe, uint32_t row)
{
    bool is_named = operators[row].flags & PIPE_NAMED;
    if (is_named) {
        evs_parse_operator_name(parser, pipe);
    }
    operators[row].parse(parser, pipe);
    if (is_named) {
        evs_parse_operator_name(parser, pipe);
    }
}

void evs_parse_pipe(struct evs_parser *parser, struct evs_ast_pipe *pipe)
{
    uint32_t row = find_operator(parser);
    if (row == EVS_COUNT(operators)) {
        pipe->kind = EVS_PIPE_UNKNOWN;
        report_unknown(parser);
        return;
    }
    EVS_ASSERT(operators[row].parse != NULL && operators[row].kind != EVS_PIPE_UNKNOWN);
    pipe->kind = operators[row].kind;
    take_words(parser, pipe, row);
    parse_body(parser, pipe, row);
}
