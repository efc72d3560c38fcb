/* Queries: from, relations, the chain of operators; lists of columns and aliases that operators share. */
#include "foreign.h"
#include "parse.h"

/* --- names -------------------------------------------------------------------------------------------------------- */

/* Words that begin a clause when this word follows, and are else a name: we reserve nothing beyond GoogleSQL. */
static bool begins_clause(struct evs_parser *parser)
{
    static const struct {
        enum evs_word first, second;
    } clauses[] = {
        {EVS_WORD_EMIT, EVS_WORD_ON},   {EVS_WORD_EMIT, EVS_WORD_EVERY},      {EVS_WORD_ALLOW, EVS_WORD_LATENESS},
        {EVS_WORD_LATE, EVS_WORD_INTO}, {EVS_WORD_RETAIN, EVS_WORD_INTERVAL}, {EVS_WORD_SEMI, EVS_WORD_JOIN},
        {EVS_WORD_ANTI, EVS_WORD_JOIN}, {EVS_WORD_DROPPED, EVS_WORD_INTO},    {EVS_WORD_REST, EVS_WORD_INTO},
    };
    for (uint32_t i = 0; i < EVS_COUNT(clauses); i++) {
        if (evs_at_words(parser, clauses[i].first, clauses[i].second)) {
            return true;
        }
    }
    enum evs_token_kind next = evs_peek_at(parser, 1)->kind;
    return evs_at_word(parser, EVS_WORD_RETAIN) &&
           (next == EVS_TOKEN_AT || next == EVS_TOKEN_INT); /* a number: a mistake, told there */
}

struct evs_ident evs_parse_alias(struct evs_parser *parser)
{
    if (evs_take_word(parser, EVS_WORD_AS)) {
        return evs_expect_ident(parser, "a name after `as`");
    }
    if (evs_at_ident(parser) && !begins_clause(parser)) {
        return evs_expect_ident(parser, "a name");
    }
    return (struct evs_ident){0};
}

struct evs_ident evs_parse_into(struct evs_parser *parser)
{
    evs_expect_word(parser, EVS_WORD_INTO, "and a sink");
    return evs_expect_ident(parser, "the name of a sink");
}

struct evs_idents evs_parse_ident_list(struct evs_parser *parser, const char *what)
{
    struct evs_ident *items = NULL;
    uint32_t count = 0, capacity = 0;
    do {
        EVS_APPEND(parser, items, count, capacity, evs_expect_ident(parser, what));
    } while (evs_take(parser, EVS_TOKEN_COMMA));
    return (struct evs_idents){items, count};
}

/* --- lists of columns --------------------------------------------------------------------------------------------- */

/* replace (expr as name, …) */
static void parse_replace(struct evs_parser *parser, struct evs_ast_item *item)
{
    struct evs_ast_item *replaced = NULL;
    uint32_t capacity = 0;
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `replace`");
    do {
        struct evs_ast_item one = {.place = evs_here(parser), .expr = evs_parse_expression(parser)};
        evs_expect_word(parser, EVS_WORD_AS, "and the name of the column to replace");
        one.alias = evs_expect_ident(parser, "the name of a column");
        one.place = evs_place_from(parser, one.place);
        EVS_APPEND(parser, replaced, item->replace_count, capacity, one);
    } while (evs_take(parser, EVS_TOKEN_COMMA));
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the replaced columns");
    item->replace = replaced;
}

/* Behind the star. */
static void parse_star(struct evs_parser *parser, struct evs_ast_item *item)
{
    item->is_star = true;
    if (evs_take_word(parser, EVS_WORD_EXCEPT)) {
        evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `except`");
        item->except = evs_parse_ident_list(parser, "the name of a column");
        evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the names");
    }
    if (evs_at_word(parser, EVS_WORD_REPLACE) && evs_peek_at(parser, 1)->kind == EVS_TOKEN_LEFT_PAREN) {
        evs_take_token(parser);
        parse_replace(parser, item);
    }
}

static struct evs_ast_item parse_item(struct evs_parser *parser, bool stars)
{
    struct evs_ast_item item = {.place = evs_here(parser)};
    if (stars && evs_take(parser, EVS_TOKEN_STAR)) {
        parse_star(parser, &item);
    } else {
        item.expr = evs_parse_expression(parser);
        if (stars && evs_at(parser, EVS_TOKEN_DOT) && evs_peek_at(parser, 1)->kind == EVS_TOKEN_STAR) {
            evs_take_token(parser);
            evs_take_token(parser);
            parse_star(parser, &item);
        } else {
            item.alias = evs_parse_alias(parser);
        }
    }
    item.place = evs_place_from(parser, item.place);
    return item;
}

static bool at_list_end(struct evs_parser *parser)
{
    enum evs_token_kind kind = evs_peek(parser)->kind;
    return kind == EVS_TOKEN_PIPE || kind == EVS_TOKEN_SEMICOLON || kind == EVS_TOKEN_RIGHT_PAREN ||
           kind == EVS_TOKEN_END || evs_at_words(parser, EVS_WORD_GROUP, EVS_WORD_BY) ||
           evs_at_word(parser, EVS_WORD_AS) || begins_clause(parser);
}

/* As in GoogleSQL a comma may stand behind the last item. */
struct evs_ast_items evs_parse_items(struct evs_parser *parser, bool stars)
{
    struct evs_ast_item *items = NULL;
    uint32_t count = 0, capacity = 0;
    do {
        EVS_APPEND(parser, items, count, capacity, parse_item(parser, stars));
    } while (evs_take(parser, EVS_TOKEN_COMMA) && !at_list_end(parser));
    return (struct evs_ast_items){items, count};
}

/* --- relations ---------------------------------------------------------------------------------------------------- */

static void parse_unnest(struct evs_parser *parser, struct evs_ast_relation *relation)
{
    relation->kind = EVS_RELATION_UNNEST;
    evs_take_token(parser);
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `unnest`");
    relation->unnest = evs_parse_expression(parser);
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the array");
    relation->alias = evs_parse_alias(parser);
    if (evs_take_words(parser, EVS_WORD_WITH, EVS_WORD_OFFSET)) {
        relation->with_offset = true;
        relation->offset_alias = evs_parse_alias(parser);
    }
}

static void parse_relation_name(struct evs_parser *parser, struct evs_ast_relation *relation)
{
    relation->name = evs_expect_ident(parser, "the name of a source, table or stream");
    if (evs_at(parser, EVS_TOKEN_LEFT_PAREN)) {
        struct evs_diag *diag =
            evs_syntax(parser, EVS_E0124, relation->name.place, "functions of tables do not stand behind `from`");
        evs_diag_hint(diag, "write `from NAME |> call %s(…)`", relation->name.text.data);
    } else if (evs_at(parser, EVS_TOKEN_DOT)) {
        struct evs_diag *diag = evs_syntax(parser, EVS_E0124, evs_here(parser), "names of sources have one part");
        evs_diag_hint(diag, "put a name with a dot in backticks");
    }
    relation->alias = evs_parse_alias(parser);
}

struct evs_ast_relation evs_parse_relation(struct evs_parser *parser)
{
    struct evs_ast_relation relation = {.place = evs_here(parser)};
    if (evs_at_word(parser, EVS_WORD_UNNEST)) {
        parse_unnest(parser, &relation);
    } else if (evs_take(parser, EVS_TOKEN_LEFT_PAREN)) {
        relation.kind = EVS_RELATION_QUERY;
        relation.query = evs_parse_query(parser);
        evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the query");
        relation.alias = evs_parse_alias(parser);
    } else {
        parse_relation_name(parser, &relation);
    }
    relation.place = evs_place_from(parser, relation.place);
    return relation;
}

/* --- the chain of operators --------------------------------------------------------------------------------------- */

/* Words of SQL behind a complete operator, and what to write. */
static void hint_next_operator(struct evs_diag *diag, enum evs_word word, struct evs_slice text)
{
    if (word == EVS_WORD_GROUP) {
        evs_diag_hint(diag, "groups are made by `|> aggregate … group by …`");
    } else if (word == EVS_WORD_HAVING) {
        evs_diag_hint(diag, "filter groups by `|> where …` behind `aggregate`");
    } else if (word != EVS_WORD_NONE && evs_word_starts_pipe(word)) {
        evs_diag_hint(diag, "every operator begins with `|>`: write `|> %s`", evs_word_text(word));
    } else if (word == EVS_WORD_CREATE || word == EVS_WORD_FROM) {
        evs_diag_hint(diag, "a statement ends with `;`");
    } else if (evs_foreign_infix(text) != NULL) {
        evs_diag_hint(diag, "%s", evs_foreign_infix(text));
    }
}

static bool at_pipeline_end(struct evs_parser *parser, uint32_t open_brackets)
{
    enum evs_token_kind kind = evs_peek(parser)->kind;
    return kind == EVS_TOKEN_SEMICOLON || kind == EVS_TOKEN_END ||
           (kind == EVS_TOKEN_RIGHT_PAREN && open_brackets > 0) ||
           (evs_at_word(parser, EVS_WORD_RETAIN) && begins_clause(parser)) || evs_at_statement_start(parser);
}

/* Behind an operator: what follows is the next one or the end, or it belongs to the operator and is wrong. */
static void check_operator_end(struct evs_parser *parser, uint32_t open_brackets)
{
    if (parser->panic || evs_at(parser, EVS_TOKEN_PIPE) || at_pipeline_end(parser, open_brackets)) {
        return;
    }
    bool is_word = evs_at(parser, EVS_TOKEN_WORD);
    enum evs_word word = is_word ? evs_peek(parser)->word : EVS_WORD_NONE;
    struct evs_slice text = is_word ? evs_peek(parser)->text : EVS_SLICE("");
    hint_next_operator(evs_expected(parser, open_brackets > 0 ? "`|>` or `)`" : "`|>` or `;`"), word, text);
}

static struct evs_ast_pipe parse_pipe(struct evs_parser *parser)
{
    struct evs_ast_pipe pipe;
    memset(&pipe, 0, sizeof pipe); /* all of the union, which an initialiser would not promise */
    pipe.place = evs_here(parser);
    evs_parse_pipe(parser, &pipe);
    pipe.place = evs_place_from(parser, pipe.place);
    return pipe;
}

/* One operator with its recovery: whatever happens, the cursor stands at the next `|>` or at the end. */
static struct evs_ast_pipe parse_checked_pipe(struct evs_parser *parser, uint32_t open_brackets)
{
    struct evs_ast_pipe pipe = parse_pipe(parser);
    if (!pipe.is_broken) {
        check_operator_end(parser, open_brackets);
    }
    if (parser->panic || pipe.is_broken) {
        pipe.is_broken = true;
        evs_recover_pipe(parser, open_brackets);
    }
    return pipe;
}

/* Behind `from`, or a branch's first operator, which `pipes` holds already. */
static void append_pipes(struct evs_parser *parser, struct evs_ast_pipeline *pipeline, struct evs_ast_pipe *pipes,
                         uint32_t capacity)
{
    uint32_t open_brackets = parser->open_brackets;
    EVS_ASSERT((pipes == NULL) == (pipeline->count == 0));
    while (evs_take(parser, EVS_TOKEN_PIPE)) {
        EVS_APPEND(parser, pipes, pipeline->count, capacity, parse_checked_pipe(parser, open_brackets));
    }
    pipeline->pipes = pipes;
    pipeline->place = evs_place_from(parser, pipeline->place);
}

struct evs_ast_pipeline evs_parse_pipeline(struct evs_parser *parser, bool is_branch)
{
    struct evs_ast_pipeline pipeline = {.place = evs_here(parser)};
    struct evs_ast_pipe *pipes = NULL;
    uint32_t capacity = 0;
    if (is_branch && !evs_at(parser, EVS_TOKEN_PIPE) && !evs_at(parser, EVS_TOKEN_RIGHT_PAREN)) {
        EVS_APPEND(parser, pipes, pipeline.count, capacity, parse_checked_pipe(parser, parser->open_brackets));
    }
    append_pipes(parser, &pipeline, pipes, capacity);
    return pipeline;
}

/* --- queries ------------------------------------------------------------------------------------------------------ */

bool evs_at_query(struct evs_parser *parser)
{
    return evs_at_word(parser, EVS_WORD_FROM) || evs_at_word(parser, EVS_WORD_SELECT) ||
           evs_at_word(parser, EVS_WORD_WITH);
}

static bool at_join(struct evs_parser *parser)
{
    static const enum evs_word words[] = {EVS_WORD_JOIN, EVS_WORD_INNER, EVS_WORD_LEFT,   EVS_WORD_RIGHT,
                                          EVS_WORD_FULL, EVS_WORD_CROSS, EVS_WORD_NATURAL};
    for (uint32_t i = 0; i < EVS_COUNT(words); i++) {
        if (evs_at_word(parser, words[i])) {
            return true;
        }
    }
    return evs_at_words(parser, EVS_WORD_SEMI, EVS_WORD_JOIN) || evs_at_words(parser, EVS_WORD_ANTI, EVS_WORD_JOIN);
}

static void report_no_from(struct evs_parser *parser)
{
    struct evs_place place = evs_here(parser);
    if (evs_at_word(parser, EVS_WORD_SELECT)) {
        struct evs_diag *diag = evs_syntax(parser, EVS_E0119, place, "a query begins with `from`, not with `select`");
        evs_diag_hint(diag, "write `from NAME |> select …`");
    } else if (evs_at_word(parser, EVS_WORD_WITH)) {
        struct evs_diag *diag = evs_syntax(parser, EVS_E0119, place, "a query begins with `from`, not with `with`");
        evs_diag_hint(diag, "name a part of a query by `create stream NAME as from …;`");
    } else {
        evs_expected(parser, "a query, which begins with `from`");
    }
}

/* from RELATION {join}; or a query in parentheses. The joins are operators like those behind |>. */
static void parse_from(struct evs_parser *parser, struct evs_ast_query *query)
{
    struct evs_ast_pipe *pipes = NULL;
    uint32_t capacity = 0, open_brackets = parser->open_brackets;
    if (evs_take_word(parser, EVS_WORD_FROM) || evs_at(parser, EVS_TOKEN_LEFT_PAREN)) {
        query->from = evs_parse_relation(parser);
    } else {
        report_no_from(parser);
    }
    query->pipeline.place = evs_behind(parser);
    if (evs_at(parser, EVS_TOKEN_COMMA)) {
        struct evs_diag *diag = evs_syntax(parser, EVS_E0124, evs_here(parser), "a comma does not join");
        evs_diag_hint(diag, "write `|> join NAME on …`");
    }
    bool joins = at_join(parser);
    while (at_join(parser)) {
        EVS_APPEND(parser, pipes, query->pipeline.count, capacity, parse_pipe(parser));
    }
    check_operator_end(parser, open_brackets);
    if (parser->panic) {
        query->is_broken = !joins;
        for (uint32_t i = 0; pipes != NULL && i < query->pipeline.count; i++) {
            pipes[i].is_broken = true;
        }
        evs_recover_pipe(parser, open_brackets);
    }
    append_pipes(parser, &query->pipeline, pipes, capacity);
}

const struct evs_ast_query *evs_parse_query(struct evs_parser *parser)
{
    struct evs_ast_query *query = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_query);
    query->place = evs_here(parser);
    if (evs_enter(parser)) {
        parse_from(parser, query);
    } else {
        query->is_broken = true;
    }
    evs_leave(parser);
    query->place = evs_place_from(parser, query->place);
    return query;
}
