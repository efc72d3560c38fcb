/* The shape of a file: its statements with what they hold, and what can be folded. */
#include <stdio.h>

#include "evstream/json_value.h"
#include "server.h"

/* Kinds of symbols in the protocol. */
enum {
    KIND_FILE = 1,
    KIND_MODULE = 2,
    KIND_CLASS = 5,
    KIND_METHOD = 6,
    KIND_FIELD = 8,
    KIND_INTERFACE = 11,
    KIND_FUNCTION = 12,
    KIND_CONSTANT = 14,
    KIND_EVENT = 24,
    KIND_OPERATOR = 25
};

struct outline {
    const struct evs_lsp_server *server;
    const struct evs_lsp_document *document;
    struct evs_buffer *out;
};

/* Opens a symbol; its children stand between this and end_symbol. `name` is the part that is selected. */
static void begin_symbol(struct outline *outline, const char *name, const char *detail, int kind,
                         struct evs_place whole, struct evs_place selected)
{
    struct evs_buffer *out = outline->out;
    bool is_first = out->count > 0 && out->data[out->count - 1] == '[';
    bool lies_inside =
        selected.offset >= whole.offset && selected.offset + selected.count <= whole.offset + whole.count;
    selected = lies_inside ? selected : (struct evs_place){.offset = whole.offset, .count = 0};
    evs_buffer_puts(out, is_first ? "{\"name\":" : ",{\"name\":");
    evs_json_put_text(out, evs_slice_of(name[0] != '\0' ? name : "?"));
    if (detail != NULL) {
        evs_buffer_puts(out, ",\"detail\":");
        evs_json_put_text(out, evs_slice_of(detail));
    }
    evs_buffer_printf(out, ",\"kind\":%d,\"range\":", kind);
    evs_lsp_put_range(out, &outline->document->lines, outline->server->utf8, whole.offset, whole.offset + whole.count);
    evs_buffer_puts(out, ",\"selectionRange\":");
    evs_lsp_put_range(out, &outline->document->lines, outline->server->utf8, selected.offset,
                      selected.offset + selected.count);
    evs_buffer_puts(out, ",\"children\":[");
}

static void end_symbol(struct outline *outline)
{
    evs_buffer_puts(outline->out, "]}");
}

static void put_columns(struct outline *outline, const struct evs_ast_columns *columns)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct evs_ast_column *column = &columns->items[i];
        struct evs_buffer type = {0};
        if (column->type != NULL) {
            evs_ast_print_type(&type, column->type);
        }
        evs_buffer_put(&type, "", 1);
        begin_symbol(outline, column->name.text.data, type.data, KIND_FIELD, column->place, column->name.place);
        end_symbol(outline);
        evs_buffer_fini(&type);
    }
}

static void put_pipes(struct outline *outline, const struct evs_ast_query *query)
{
    for (uint32_t i = 0; query != NULL && i < query->pipeline.count; i++) {
        const struct evs_ast_pipe *pipe = &query->pipeline.pipes[i];
        if (pipe->kind == EVS_PIPE_UNKNOWN) {
            continue;
        }
        const char *detail = pipe->kind == EVS_PIPE_INSERT  ? pipe->insert.sink.text.data
                             : evs_ident_given(&pipe->name) ? pipe->name.text.data
                                                            : NULL;
        begin_symbol(outline, evs_pipe_kind_name(pipe->kind), detail, KIND_OPERATOR, pipe->place, pipe->word);
        end_symbol(outline);
    }
}

/* "from clicks → carts". */
static const char *query_name(struct evs_arena *arena, const struct evs_ast_query *query)
{
    const char *from = query->from.kind == EVS_RELATION_NAME && !query->is_broken ? query->from.name.text.data : "…";
    const char *sink = NULL;
    for (uint32_t i = 0; i < query->pipeline.count; i++) {
        const struct evs_ast_pipe *pipe = &query->pipeline.pipes[i];
        sink = pipe->kind == EVS_PIPE_INSERT && !pipe->is_broken ? pipe->insert.sink.text.data : sink;
    }
    return sink == NULL ? evs_arena_printf(arena, "from %s", from)
                        : evs_arena_printf(arena, "from %s → %s", from, sink);
}

static int statement_kind(enum evs_statement_kind kind)
{
    switch (kind) {
    case EVS_STATEMENT_SOURCE:
        return KIND_INTERFACE;
    case EVS_STATEMENT_TABLE:
        return KIND_CLASS;
    case EVS_STATEMENT_SINK:
        return KIND_EVENT;
    case EVS_STATEMENT_STREAM:
    case EVS_STATEMENT_QUERY:
        return KIND_FUNCTION;
    case EVS_STATEMENT_PARAM:
    case EVS_STATEMENT_SET:
        return KIND_CONSTANT;
    case EVS_STATEMENT_TEST:
        return KIND_METHOD;
    default:
        return KIND_MODULE;
    }
}

static const char *statement_name(struct evs_arena *arena, const struct evs_ast_statement *statement)
{
    const struct evs_str *text = statement->kind == EVS_STATEMENT_TEST     ? &statement->test.title
                                 : statement->kind == EVS_STATEMENT_IMPORT ? &statement->path
                                                                           : NULL;
    if (statement->kind == EVS_STATEMENT_QUERY) {
        return statement->query != NULL ? query_name(arena, statement->query) : "from …";
    }
    if (text != NULL) {
        return evs_arena_strndup(arena, evs_str_data(text), text->count);
    }
    return evs_ident_given(&statement->name) ? statement->name.text.data : "?";
}

static void put_statement(struct outline *outline, struct evs_arena *arena, const struct evs_ast_statement *statement)
{
    static const char *const details[] = {
        [EVS_STATEMENT_PIPELINE] = "pipeline", [EVS_STATEMENT_SOURCE] = "source", [EVS_STATEMENT_TABLE] = "table",
        [EVS_STATEMENT_SINK] = "sink",         [EVS_STATEMENT_STREAM] = "stream", [EVS_STATEMENT_QUERY] = "query",
        [EVS_STATEMENT_PARAM] = "parameter",   [EVS_STATEMENT_IMPORT] = "import", [EVS_STATEMENT_SET] = "setting",
        [EVS_STATEMENT_TEST] = "test",
    };
    struct evs_place selected = evs_ident_given(&statement->name) ? statement->name.place : statement->place;
    begin_symbol(outline, statement_name(arena, statement), details[statement->kind], statement_kind(statement->kind),
                 statement->place, selected);
    if (statement->kind == EVS_STATEMENT_SOURCE) {
        put_columns(outline, &statement->source.columns);
    } else if (statement->kind == EVS_STATEMENT_TABLE) {
        put_columns(outline, &statement->table.columns);
    } else if (statement->kind == EVS_STATEMENT_STREAM || statement->kind == EVS_STATEMENT_QUERY) {
        put_pipes(outline, statement->query);
    }
    end_symbol(outline);
}

enum evs_lsp_error evs_lsp_document_symbol(struct evs_lsp_server *server, struct evs_slice params,
                                           struct evs_buffer *result)
{
    struct evs_lsp_document *document;
    if (!evs_lsp_document_of(server, params, &document)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    const struct evs_script *script = &evs_lsp_syntax_of(document)->script;
    struct outline outline = {server, document, result};
    evs_buffer_puts(result, "[");
    for (uint32_t i = 0; i < script->count; i++) {
        if (script->statements[i]->kind != EVS_STATEMENT_UNKNOWN) {
            put_statement(&outline, &server->arena, script->statements[i]);
        }
    }
    evs_buffer_puts(result, "]");
    return EVS_LSP_OK;
}

/* --- folding ------------------------------------------------------------------------------------------------------------------------- */

static uint32_t line_at(const struct evs_lsp_lines *lines, uint32_t offset)
{
    uint32_t low = 0, high = lines->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        *(lines->starts[middle] <= offset ? &low : &high) = middle;
    }
    return low;
}

static void put_fold(struct evs_buffer *out, uint32_t first, uint32_t last, const char *kind)
{
    if (last > first) {
        evs_buffer_printf(out, "%s{\"startLine\":%u,\"endLine\":%u%s}", out->data[out->count - 1] == '[' ? "" : ",",
                          first, last, kind);
    }
}

#define OPEN_MAX 256 /* brackets inside brackets that can be folded */

/* Brackets over several lines; the line of the closing one stays. */
static void put_brackets(const struct evs_lsp_lines *lines, const struct evs_lsp_syntax *syntax, struct evs_buffer *out)
{
    uint32_t open[OPEN_MAX], depth = 0;
    for (uint32_t i = 0; i < syntax->token_count; i++) {
        const struct evs_token *token = &syntax->tokens[i];
        switch (token->kind) {
        case EVS_TOKEN_LEFT_PAREN:
        case EVS_TOKEN_LEFT_BRACE:
        case EVS_TOKEN_LEFT_BRACKET:
            if (depth < OPEN_MAX) {
                open[depth] = line_at(lines, token->offset);
            }
            depth++;
            break;
        case EVS_TOKEN_RIGHT_PAREN:
        case EVS_TOKEN_RIGHT_BRACE:
        case EVS_TOKEN_RIGHT_BRACKET:
            if (depth > 0 && --depth < OPEN_MAX) {
                uint32_t last = line_at(lines, token->offset);
                put_fold(out, open[depth], last > 0 ? last - 1 : 0, "");
            }
            break;
        case EVS_TOKEN_SEMICOLON:
            depth = 0; /* an unclosed bracket reaches no further; in a test it costs a fold */
            break;
        default:
            break;
        }
    }
}

static bool is_comment_line(const struct evs_lsp_lines *lines, uint32_t line)
{
    uint32_t at = lines->starts[line];
    size_t end = lines->text.count;
    while (at < end && (lines->text.data[at] == ' ' || lines->text.data[at] == '\t')) {
        at++;
    }
    return at < end && (lines->text.data[at] == '#' ||
                        (at + 1 < end && lines->text.data[at] == '-' && lines->text.data[at + 1] == '-'));
}

static void put_comments(const struct evs_lsp_lines *lines, struct evs_buffer *out)
{
    for (uint32_t line = 0; line < lines->count; line++) {
        uint32_t first = line;
        while (line < lines->count && is_comment_line(lines, line)) {
            line++;
        }
        put_fold(out, first, line > first ? line - 1 : first, ",\"kind\":\"comment\"");
    }
}

enum evs_lsp_error evs_lsp_folding_range(struct evs_lsp_server *server, struct evs_slice params,
                                         struct evs_buffer *result)
{
    struct evs_lsp_document *document;
    if (!evs_lsp_document_of(server, params, &document)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    const struct evs_lsp_syntax *syntax = evs_lsp_syntax_of(document);
    evs_buffer_puts(result, "[");
    for (uint32_t i = 0; i < syntax->script.count; i++) {
        struct evs_place place = syntax->script.statements[i]->place;
        put_fold(result, line_at(&document->lines, place.offset),
                 line_at(&document->lines, place.offset + (place.count > 0 ? place.count - 1 : 0)), "");
    }
    put_brackets(&document->lines, syntax, result);
    put_comments(&document->lines, result);
    evs_buffer_puts(result, "]");
    return EVS_LSP_OK;
}
