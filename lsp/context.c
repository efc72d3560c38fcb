/* What stands before the cursor. Tokens alone tell it: a text that is being written has a tree only by luck, and a wrong guess of the parser must not
 * hide the names that the user wants to choose from.
 *
 * The rule for each place is read backwards from the cursor: the last one or two words decide most of them; what is left is decided by the bracket
 * that is open, and by the statement or pipe operator that it stands in. */
#include "server.h"

struct look {
    const struct evs_token *tokens; /* of the text */
    uint32_t count;                 /* tokens before the one that is being written */
    uint32_t first;                 /* of the statement */
};

static bool is_kind(const struct look *look, uint32_t back, enum evs_token_kind kind)
{
    return look->count >= look->first + back && look->tokens[look->count - back].kind == kind;
}

static enum evs_word word_at(const struct look *look, uint32_t index)
{
    return index >= look->first && index < look->count && look->tokens[index].kind == EVS_TOKEN_WORD
               ? look->tokens[index].word
               : EVS_WORD_NONE;
}

/* The word so many tokens before the cursor, from 1. */
static enum evs_word word_back(const struct look *look, uint32_t back)
{
    return look->count >= back ? word_at(look, look->count - back) : EVS_WORD_NONE;
}

static bool is_open(enum evs_token_kind kind)
{
    return kind == EVS_TOKEN_LEFT_PAREN || kind == EVS_TOKEN_LEFT_BRACKET || kind == EVS_TOKEN_LEFT_BRACE;
}

static bool is_close(enum evs_token_kind kind)
{
    return kind == EVS_TOKEN_RIGHT_PAREN || kind == EVS_TOKEN_RIGHT_BRACKET || kind == EVS_TOKEN_RIGHT_BRACE;
}

/* The innermost bracket that is open at the cursor; UINT32_MAX: none. */
static uint32_t open_bracket(const struct look *look)
{
    uint32_t depth = 0;
    for (uint32_t i = look->count; i > look->first; i--) {
        enum evs_token_kind kind = look->tokens[i - 1].kind;
        if (is_close(kind)) {
            depth++;
        } else if (is_open(kind) && depth-- == 0) {
            return i - 1;
        }
    }
    return UINT32_MAX;
}

/* A test's braces hold what looks like statements. */
static bool is_statement_end(const struct evs_token *token, uint32_t depth)
{
    return token->kind == EVS_TOKEN_SEMICOLON && depth == 0;
}

/* A forgotten semicolon ends the statement where the next line begins with a word that begins one. */
static bool begins_statement(const struct evs_token *token, bool in_query)
{
    if (token->kind != EVS_TOKEN_WORD || !token->first_on_line) {
        return false;
    }
    return token->word == EVS_WORD_CREATE || token->word == EVS_WORD_PARAM || token->word == EVS_WORD_IMPORT ||
           (token->word == EVS_WORD_FROM && token->column == 1 && !in_query);
}

static void find_statement(struct look *look)
{
    uint32_t depth = 0;
    bool in_query = false;
    for (uint32_t i = 0; i < look->count; i++) {
        const struct evs_token *token = &look->tokens[i];
        depth += token->kind == EVS_TOKEN_LEFT_BRACE;
        depth -= token->kind == EVS_TOKEN_RIGHT_BRACE && depth > 0;
        in_query = in_query || (look->first < i && token[-1].kind == EVS_TOKEN_RIGHT_PAREN) ||
                   (i > look->first && token[-1].word == EVS_WORD_AS);
        if (is_statement_end(token, depth)) {
            look->first = i + 1;
            in_query = false;
        } else if (i > look->first && begins_statement(token, in_query)) {
            look->first = i;
            in_query = false;
            depth = 0;
        }
    }
}

static enum evs_lsp_declares declares(const struct look *look)
{
    if (word_at(look, look->first) != EVS_WORD_CREATE) {
        return EVS_LSP_DECLARES_NOTHING;
    }
    switch (word_at(look, look->first + 1)) {
    case EVS_WORD_SOURCE:
        return EVS_LSP_DECLARES_SOURCE;
    case EVS_WORD_TABLE:
        return EVS_LSP_DECLARES_TABLE;
    case EVS_WORD_SINK:
        return EVS_LSP_DECLARES_SINK;
    case EVS_WORD_STREAM:
        return EVS_LSP_DECLARES_STREAM;
    default:
        return EVS_LSP_DECLARES_NOTHING;
    }
}

/* The pipe operator that the cursor is in: behind the last |> that no closed bracket holds. */
static uint32_t find_pipe(const struct look *look)
{
    uint32_t depth = 0;
    for (uint32_t i = look->count; i > look->first; i--) {
        enum evs_token_kind kind = look->tokens[i - 1].kind;
        depth += is_close(kind);
        depth -= is_open(kind) && depth > 0;
        if (kind == EVS_TOKEN_PIPE && depth == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

static enum evs_word operator_word(const struct look *look, uint32_t pipe)
{
    enum evs_word word = word_at(look, pipe);
    bool is_join = word == EVS_WORD_LEFT || word == EVS_WORD_RIGHT || word == EVS_WORD_FULL || word == EVS_WORD_INNER ||
                   word == EVS_WORD_CROSS || word == EVS_WORD_SEMI || word == EVS_WORD_ANTI;
    return is_join ? EVS_WORD_JOIN : word;
}

static bool ends_operand(const struct look *look)
{
    if (look->count <= look->first) {
        return false;
    }
    const struct evs_token *token = &look->tokens[look->count - 1];
    if (token->kind == EVS_TOKEN_WORD) {
        return !evs_word_is_reserved(token->word) || token->word == EVS_WORD_NULL || token->word == EVS_WORD_TRUE ||
               token->word == EVS_WORD_FALSE || token->word == EVS_WORD_END;
    }
    return is_close(token->kind) || (token->kind >= EVS_TOKEN_QUOTED && token->kind <= EVS_TOKEN_JSON) ||
           token->kind == EVS_TOKEN_STAR || token->kind == EVS_TOKEN_PLUS;
}

/* --- places inside brackets -------------------------------------------------------------------------------------------------------- */

/* The name of the connector or format whose list of options begins at `bracket`; false: the list is another one. */
static bool connector_of(const struct look *look, uint32_t bracket, struct evs_lsp_context *context)
{
    if (context->declares == EVS_LSP_DECLARES_NOTHING || bracket < look->first + 2) {
        return false;
    }
    enum evs_word before = word_at(look, bracket - 2);
    context->is_format = before == EVS_WORD_FORMAT;
    context->connector = look->tokens[bracket - 1].text;
    return look->tokens[bracket - 1].kind == EVS_TOKEN_WORD &&
           (before == EVS_WORD_FROM || before == EVS_WORD_TO || context->is_format);
}

static enum evs_lsp_place_kind in_options(const struct look *look, struct evs_lsp_context *context)
{
    if (is_kind(look, 1, EVS_TOKEN_EQUAL) && is_kind(look, 2, EVS_TOKEN_WORD)) {
        context->option = look->tokens[look->count - 2].text;
        return EVS_LSP_PLACE_OPTION_VALUE;
    }
    bool begins = is_kind(look, 1, EVS_TOKEN_LEFT_PAREN) || is_kind(look, 1, EVS_TOKEN_COMMA);
    return begins ? EVS_LSP_PLACE_OPTION : EVS_LSP_PLACE_NOWHERE;
}

/* Between the parentheses of create source NAME (…). */
static enum evs_lsp_place_kind in_columns(const struct look *look, uint32_t bracket)
{
    uint32_t first = look->count, depth = 0; /* of the column that is being written */
    while (first > bracket + 1 && (depth > 0 || look->tokens[first - 1].kind != EVS_TOKEN_COMMA)) {
        depth += is_close(look->tokens[first - 1].kind);
        depth -= is_open(look->tokens[first - 1].kind) && depth > 0;
        first--;
    }
    if (word_at(look, first) == EVS_WORD_WATERMARK) {
        return EVS_LSP_PLACE_EXPRESSION;
    }
    switch (look->count - first) {
    case 0:
        return EVS_LSP_PLACE_NOWHERE; /* a new column's name */
    case 1:
        return EVS_LSP_PLACE_TYPE;
    default:
        return ends_operand(look) ? EVS_LSP_PLACE_COLUMN_CLAUSE : EVS_LSP_PLACE_NOWHERE;
    }
}

static enum evs_lsp_place_kind in_test(const struct look *look)
{
    enum evs_word last = word_back(look, 1);
    return last == EVS_WORD_GIVEN    ? EVS_LSP_PLACE_GIVEN
           : last == EVS_WORD_EXPECT ? EVS_LSP_PLACE_EXPECT
                                     : EVS_LSP_PLACE_TEST;
}

/* A bracket that decides; false: what stands in it is an expression or a query like any other. */
static bool in_bracket(const struct look *look, struct evs_lsp_context *context)
{
    uint32_t bracket = open_bracket(look);
    if (bracket == UINT32_MAX) {
        return false;
    }
    if (look->tokens[bracket].kind == EVS_TOKEN_LEFT_BRACE && word_at(look, look->first) == EVS_WORD_TEST) {
        context->kind = in_test(look);
        return true;
    }
    bool is_columns = bracket == look->first + 3 &&
                      (context->declares == EVS_LSP_DECLARES_SOURCE || context->declares == EVS_LSP_DECLARES_TABLE);
    if (is_columns) {
        context->kind = in_columns(look, bracket);
        return true;
    }
    if (connector_of(look, bracket, context)) {
        context->kind = in_options(look, context);
        return true;
    }
    enum evs_word call = bracket > look->first ? word_at(look, bracket - 1) : EVS_WORD_NONE;
    if (word_back(look, 1) == EVS_WORD_AS && (call == EVS_WORD_CAST || call == EVS_WORD_SAFE_CAST)) {
        context->kind = EVS_LSP_PLACE_TYPE;
        return true;
    }
    return false;
}

/* --- places by the last words ------------------------------------------------------------------------------------------------------ */

static bool by_sign(const struct look *look, struct evs_lsp_context *context)
{
    if (is_kind(look, 1, EVS_TOKEN_PIPE)) {
        context->kind = EVS_LSP_PLACE_OPERATOR;
    } else if (is_kind(look, 1, EVS_TOKEN_AT)) {
        context->kind = EVS_LSP_PLACE_PARAMETER;
    } else if (is_kind(look, 1, EVS_TOKEN_DOT)) {
        context->kind = EVS_LSP_PLACE_MEMBER;
        bool has_name = is_kind(look, 2, EVS_TOKEN_WORD) || is_kind(look, 2, EVS_TOKEN_QUOTED);
        context->row = has_name ? look->tokens[look->count - 2].text : (struct evs_slice){"", 0};
    } else {
        return false;
    }
    return true;
}

static bool is_declaration(enum evs_lsp_declares what)
{
    return what == EVS_LSP_DECLARES_SOURCE || what == EVS_LSP_DECLARES_TABLE || what == EVS_LSP_DECLARES_SINK;
}

/* Behind a word that says what comes. */
static bool by_word(const struct look *look, struct evs_lsp_context *context)
{
    bool has_pipe = context->operator_ != EVS_WORD_NONE;
    switch (word_back(look, 1)) {
    case EVS_WORD_CREATE:
        context->kind = EVS_LSP_PLACE_CREATE;
        return true;
    case EVS_WORD_FROM:
        context->kind = is_declaration(context->declares) && !has_pipe && word_back(look, 2) != EVS_WORD_AS
                            ? EVS_LSP_PLACE_CONNECTOR
                            : EVS_LSP_PLACE_ROWS;
        return true;
    case EVS_WORD_TO:
        context->kind = context->declares == EVS_LSP_DECLARES_SINK ? EVS_LSP_PLACE_CONNECTOR : EVS_LSP_PLACE_EXPRESSION;
        return true;
    case EVS_WORD_JOIN:
        context->kind = EVS_LSP_PLACE_ROWS;
        return true;
    case EVS_WORD_INTO:
        context->kind = EVS_LSP_PLACE_SINK;
        return true;
    case EVS_WORD_FORMAT:
        context->kind = is_declaration(context->declares) ? EVS_LSP_PLACE_FORMAT : EVS_LSP_PLACE_EXPRESSION;
        return true;
    case EVS_WORD_AS:
        context->kind =
            context->declares == EVS_LSP_DECLARES_STREAM && !has_pipe ? EVS_LSP_PLACE_STATEMENT : EVS_LSP_PLACE_NOWHERE;
        return context->operator_ != EVS_WORD_SEQUENCE && context->operator_ != EVS_WORD_MATCH_RECOGNIZE;
    default:
        return false;
    }
}

static bool by_unit(const struct look *look, struct evs_lsp_context *context)
{
    bool is_number = is_kind(look, 1, EVS_TOKEN_INT) || is_kind(look, 1, EVS_TOKEN_FLOAT);
    bool is_param = is_kind(look, 1, EVS_TOKEN_WORD) && is_kind(look, 2, EVS_TOKEN_AT);
    if ((is_number && word_back(look, 2) == EVS_WORD_INTERVAL) ||
        (is_param && word_back(look, 3) == EVS_WORD_INTERVAL)) {
        context->kind = EVS_LSP_PLACE_UNIT;
        return true;
    }
    return false;
}

static enum evs_lsp_place_kind in_statement(const struct look *look, struct evs_lsp_context *context)
{
    uint32_t count = look->count - look->first;
    switch (word_at(look, look->first)) {
    case EVS_WORD_SET:
        if (count == 3) {
            context->option = look->tokens[look->first + 1].text;
        }
        return count == 1 ? EVS_LSP_PLACE_SETTING : count == 3 ? EVS_LSP_PLACE_OPTION_VALUE : EVS_LSP_PLACE_NOWHERE;
    case EVS_WORD_PARAM:
        return count == 2 ? EVS_LSP_PLACE_TYPE : count > 2 ? EVS_LSP_PLACE_COLUMN_CLAUSE : EVS_LSP_PLACE_NOWHERE;
    case EVS_WORD_CREATE:
        return context->operator_ != EVS_WORD_NONE              ? EVS_LSP_PLACE_EXPRESSION
               : count > 3 && is_declaration(context->declares) ? EVS_LSP_PLACE_CREATE_CLAUSE
                                                                : EVS_LSP_PLACE_NOWHERE;
    case EVS_WORD_IMPORT:
    case EVS_WORD_PIPELINE:
    case EVS_WORD_TEST:
        return EVS_LSP_PLACE_NOWHERE;
    default:
        return EVS_LSP_PLACE_EXPRESSION;
    }
}

static void classify(const struct look *look, struct evs_lsp_context *context)
{
    if (look->count == look->first) {
        context->kind = EVS_LSP_PLACE_STATEMENT;
    } else if (!by_sign(look, context) && !in_bracket(look, context) && !by_word(look, context) &&
               !by_unit(look, context)) {
        context->kind = in_statement(look, context);
    }
}

/* --- the cursor --------------------------------------------------------------------------------------------------------------------- */

/* In a comment, a text or a number nothing is offered. */
static bool is_in_comment(const struct evs_lsp_syntax *syntax, uint32_t from, uint32_t offset)
{
    const char *text = syntax->text->text.data;
    for (uint32_t at = from; at < offset; at++) {
        bool is_block = text[at] == '/' && text[at + 1] == '*';
        bool is_line = text[at] == '#' || (text[at] == '-' && text[at + 1] == '-');
        if (is_block) {
            const char *end = memmem(text + at + 2, syntax->text->text.count - at - 2, "*/", 2);
            if (end == NULL || (uint32_t)(end - text) + 2 > offset) {
                return true;
            }
            at = (uint32_t)(end - text) + 1;
        } else if (is_line) {
            const char *end = memchr(text + at, '\n', syntax->text->text.count - at);
            if (end == NULL || (uint32_t)(end - text) >= offset) {
                return true;
            }
            at = (uint32_t)(end - text);
        }
    }
    return false;
}

/* test '…' { } without anything in it is an empty JSON object to the lexer. */
static bool is_empty_test(const struct look *look)
{
    if (look->count < 3 || look->tokens[look->count - 1].kind != EVS_TOKEN_JSON ||
        look->tokens[look->count - 3].word != EVS_WORD_TEST) {
        return false;
    }
    struct evs_slice text = look->tokens[look->count - 1].text;
    for (size_t i = 1; i + 1 < text.count; i++) {
        if (strchr(" \t\r\n", text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

struct evs_lsp_context evs_lsp_context_at(const struct evs_lsp_syntax *syntax, uint32_t offset)
{
    struct evs_lsp_context context = {.start = offset, .end = offset};
    struct look look = {.tokens = syntax->tokens};
    while (look.count < syntax->token_count && syntax->tokens[look.count].kind != EVS_TOKEN_END &&
           syntax->tokens[look.count].offset < offset) {
        look.count++;
    }
    if (look.count > 0) {
        const struct evs_token *last = &syntax->tokens[look.count - 1];
        bool reaches = last->offset + last->count >= offset;
        bool is_name = last->kind == EVS_TOKEN_WORD || (last->kind == EVS_TOKEN_QUOTED && last->offset < offset);
        if (last->offset + last->count > offset && is_empty_test(&look)) {
            context.kind = EVS_LSP_PLACE_TEST;
            return context;
        }
        if (reaches && is_name) {
            context.start = last->offset;
            context.end = last->offset + last->count;
            look.count--;
        } else if (last->offset + last->count > offset ||
                   (reaches && last->kind >= EVS_TOKEN_INT && last->kind <= EVS_TOKEN_JSON) ||
                   (reaches && last->kind == EVS_TOKEN_ERROR)) {
            return context;
        }
    }
    const struct evs_token *before = look.count > 0 ? &syntax->tokens[look.count - 1] : NULL;
    uint32_t from = before != NULL ? before->offset + before->count : 0;
    if (is_in_comment(syntax, from, context.start)) {
        return context;
    }
    find_statement(&look);
    context.statement = look.first < syntax->token_count ? syntax->tokens[look.first].offset : 0;
    context.statement = context.statement < context.start ? context.statement : context.start;
    context.declares = declares(&look);
    uint32_t pipe = find_pipe(&look);
    context.operator_ = pipe != UINT32_MAX ? operator_word(&look, pipe) : EVS_WORD_NONE;
    context.ends_operand = ends_operand(&look);
    classify(&look, &context);
    return context;
}
