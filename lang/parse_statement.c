/* Statements, and a file as a list of them. */
#include "parse.h"

static void parse_param(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    evs_take_token(parser);
    statement->kind = EVS_STATEMENT_PARAM;
    statement->name = evs_expect_ident(parser, "the name of the parameter");
    statement->param.type = evs_parse_type(parser);
    if (evs_take_word(parser, EVS_WORD_DEFAULT)) {
        statement->param.fallback = evs_parse_expression(parser);
    }
}

static void parse_import(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    evs_take_token(parser);
    statement->kind = EVS_STATEMENT_IMPORT;
    statement->path = evs_expect_string(parser, "the path of a file in quotes after `import`");
}

static void parse_setting(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    evs_take_token(parser);
    statement->kind = EVS_STATEMENT_SET;
    statement->name = evs_expect_any_ident(parser, "the name of a setting");
    evs_expect(parser, EVS_TOKEN_EQUAL, "after the setting's name");
    statement->setting = evs_parse_expression(parser);
}

static void parse_pipeline_name(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    evs_take_token(parser);
    statement->kind = EVS_STATEMENT_PIPELINE;
    statement->name = evs_expect_ident(parser, "the name of the pipeline");
}

static void parse_query_statement(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    statement->kind = EVS_STATEMENT_QUERY;
    statement->query = evs_parse_query(parser);
}

static const struct {
    enum evs_word word;
    void (*parse)(struct evs_parser *parser, struct evs_ast_statement *statement);
} statements[] = {
    {EVS_WORD_CREATE, evs_parse_create},      {EVS_WORD_PARAM, parse_param},
    {EVS_WORD_IMPORT, parse_import},          {EVS_WORD_SET, parse_setting},
    {EVS_WORD_PIPELINE, parse_pipeline_name}, {EVS_WORD_TEST, evs_parse_test},
    {EVS_WORD_FROM, parse_query_statement},   {EVS_WORD_SELECT, parse_query_statement},
    {EVS_WORD_WITH, parse_query_statement},
};

static void report_statement(struct evs_parser *parser)
{
    struct evs_token token = *evs_peek(parser);
    if (token.kind == EVS_TOKEN_PIPE) {
        struct evs_diag *diag = evs_syntax(parser, EVS_E0119, evs_here(parser), "this `|>` belongs to no query");
        evs_diag_hint(diag, "a query begins with `from`; a `;` before this one may be too many");
        return;
    }
    if (token.kind != EVS_TOKEN_WORD) {
        evs_expected(parser, "a statement");
        return;
    }
    struct evs_diag *diag = evs_syntax(parser, EVS_E0112, evs_here(parser), "no statement begins with `%.*s`",
                                       (int)token.text.count, token.text.data);
    if (token.word == EVS_WORD_INSERT) {
        evs_diag_hint(diag, "a query ends with `|> insert into SINK`");
        return;
    }
    struct evs_nearest nearest = evs_nearest_begin(token.text);
    for (uint32_t i = 0; i < EVS_COUNT(statements); i++) {
        bool is_foreign = statements[i].word == EVS_WORD_SELECT || statements[i].word == EVS_WORD_WITH;
        evs_nearest_offer(&nearest, is_foreign ? EVS_SLICE("") : evs_slice_of(evs_word_text(statements[i].word)));
    }
    evs_diag_did_you_mean(diag, &nearest);
}

static void parse_one(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    if (evs_at(parser, EVS_TOKEN_LEFT_PAREN)) {
        parse_query_statement(parser, statement);
        return;
    }
    for (uint32_t i = 0; i < EVS_COUNT(statements); i++) {
        if (evs_at_word(parser, statements[i].word)) {
            statements[i].parse(parser, statement);
            return;
        }
    }
    report_statement(parser);
}

/* A statement ends with `;`, the last one also with the file. */
static void expect_end(struct evs_parser *parser)
{
    if (parser->panic || evs_at(parser, EVS_TOKEN_END) || evs_take(parser, EVS_TOKEN_SEMICOLON)) {
        return;
    }
    if (evs_at(parser, EVS_TOKEN_ERROR)) {
        parser->panic = true;
        return;
    }
    bool starts_line = evs_peek(parser)->first_on_line;
    if (!starts_line) {
        evs_expected(parser, "`;` after the statement");
        return;
    }
    struct evs_diag *diag = evs_syntax(parser, EVS_E0110, evs_behind(parser), "expected `;` after the statement");
    evs_diag_hint(diag, "add `;`");
}

static void append_statement(struct evs_script *script, const struct evs_ast_statement *statement)
{
    EVS_GROW(script->statements, script->count, script->capacity);
    script->statements[script->count++] = statement;
}

static void parse_statement(struct evs_parser *parser)
{
    struct evs_ast_statement *statement = EVS_ARENA_NEW(&parser->script->arena, struct evs_ast_statement);
    uint32_t start = evs_here(parser).offset;
    statement->place = evs_here(parser);
    parser->open_brackets = 0;
    parse_one(parser, statement);
    bool is_refused = statement->is_broken && statement->kind == EVS_STATEMENT_TEST;
    statement->place = evs_place_from(parser, statement->place);
    if (!is_refused) {
        expect_end(parser);
    }
    if (parser->panic || is_refused) {
        statement->is_broken = true;
        parser->panic = false;
        if (evs_here(parser).offset == start && !evs_at(parser, EVS_TOKEN_END)) {
            evs_take_token(parser); /* what cannot begin a statement */
        }
        evs_recover_statement(parser);
    }
    EVS_ASSERT(evs_here(parser).offset > start || evs_at(parser, EVS_TOKEN_END)); /* so a file ends */
    append_statement(parser->script, statement);
}

static struct evs_parser begin(struct evs_script *script, const struct evs_source_text *text,
                               struct evs_diagnostics *diagnostics)
{
    struct evs_parser parser = {.script = script, .diagnostics = diagnostics};
    evs_lexer_init(&parser.lexer, text, &script->arena, diagnostics);
    parser.last = (struct evs_token){.line = 1, .column = 1};
    return parser;
}

void evs_parse(struct evs_script *script, const struct evs_source_text *text, struct evs_diagnostics *diagnostics)
{
    struct evs_parser parser = begin(script, text, diagnostics);
    for (;;) {
        while (evs_take(&parser, EVS_TOKEN_SEMICOLON)) { /* an empty statement */
        }
        if (evs_at(&parser, EVS_TOKEN_END)) {
            return;
        }
        parse_statement(&parser);
        EVS_ASSERT(!parser.panic);
        EVS_ASSERT(parser.depth == 0);
    }
}

const struct evs_ast_expr *evs_parse_expr(struct evs_script *script, const struct evs_source_text *text,
                                          struct evs_diagnostics *diagnostics)
{
    struct evs_parser parser = begin(script, text, diagnostics);
    const struct evs_ast_expr *expr = evs_parse_expression(&parser);
    if (!parser.panic && !evs_at(&parser, EVS_TOKEN_END)) {
        evs_expected(&parser, "the end of the expression");
    }
    return parser.panic ? evs_error_expr(&parser) : expr;
}
