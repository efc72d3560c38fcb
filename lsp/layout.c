/* How the text looks: the one layout (lang/pretty.h) as edits, and what each token is, for colours. */
#include "evstream/json_value.h"
#include "pretty.h"
#include "server.h"

/* --- formatting ----------------------------------------------------------------------------------------------------------------------- */

/* Lays a text out; false: it does not parse. */
static bool lay_out(struct evs_slice text, struct evs_buffer *out)
{
    struct evs_sources *sources = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(sources);
    bool is_right = evs_pretty(evs_sources_add(sources, "text", text), diagnostics, out);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(sources);
    return is_right;
}

static bool continues_character(char c)
{
    return ((uint8_t)c & 0xc0) == 0x80;
}

/* One edit for what differs between the two texts, cut at whole characters; the edit's range is start … end of the old one. */
static void put_difference(struct evs_lsp_server *server, const struct evs_lsp_document *document, uint32_t start,
                           uint32_t end, struct evs_slice text, struct evs_buffer *result)
{
    const char *old = document->lines.text.data;
    size_t same = 0, tail = 0, room = end - start < text.count ? end - start : text.count;
    while (same < room && old[start + same] == text.data[same]) {
        same++;
    }
    if (same == end - start && same == text.count) {
        return;
    }
    while (same > 0 && ((start + same < end && continues_character(old[start + same])) ||
                        (same < text.count && continues_character(text.data[same])) ||
                        (start + same < end && old[start + same] == '\n'))) {
        same--;
    }
    while (tail < room - same && old[end - 1 - tail] == text.data[text.count - 1 - tail]) {
        tail++;
    }
    while (tail > 0 && (continues_character(old[end - tail]) || old[end - tail] == '\n')) {
        tail--;
    }
    evs_buffer_puts(result, "{\"range\":");
    evs_lsp_put_range(result, &document->lines, server->utf8, start + (uint32_t)same, end - (uint32_t)tail);
    evs_buffer_puts(result, ",\"newText\":");
    evs_json_put_text(result, (struct evs_slice){text.data + same, text.count - same - tail});
    evs_buffer_puts(result, "}");
}

enum evs_lsp_error evs_lsp_formatting(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    struct evs_lsp_document *document;
    struct evs_buffer out = {0};
    if (!evs_lsp_document_of(server, params, &document)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    if (!lay_out(document->lines.text, &out)) {
        evs_buffer_fini(&out);
        return evs_lsp_fail(server, "A text that does not parse is left as it is.");
    }
    evs_buffer_puts(result, "[");
    put_difference(server, document, 0, (uint32_t)document->lines.text.count, (struct evs_slice){out.data, out.count},
                   result);
    evs_buffer_puts(result, "]");
    evs_buffer_fini(&out);
    return EVS_LSP_OK;
}

/* Behind the semicolon that ends a statement, if there is one. */
static uint32_t statement_end(const struct evs_lsp_syntax *syntax, struct evs_place place)
{
    uint32_t end = place.offset + place.count;
    for (uint32_t i = 0; i < syntax->token_count; i++) {
        const struct evs_token *token = &syntax->tokens[i];
        if (token->offset >= end) {
            return token->kind == EVS_TOKEN_SEMICOLON ? token->offset + token->count : end;
        }
    }
    return end;
}

/* Whole statements, from the first that the range touches to the last one. */
static bool whole_statements(const struct evs_lsp_syntax *syntax, uint32_t *start, uint32_t *end)
{
    uint32_t first = UINT32_MAX, last = 0;
    for (uint32_t i = 0; i < syntax->script.count; i++) {
        struct evs_place place = syntax->script.statements[i]->place;
        uint32_t behind = statement_end(syntax, place);
        if (place.offset <= *end && *start <= behind) {
            first = place.offset < first ? place.offset : first;
            last = behind > last ? behind : last;
        }
    }
    *start = first;
    *end = last;
    return first < last;
}

enum evs_lsp_error evs_lsp_range_formatting(struct evs_lsp_server *server, struct evs_slice params,
                                            struct evs_buffer *result)
{
    struct evs_lsp_document *document;
    struct evs_slice range;
    if (!evs_lsp_document_of(server, params, &document) || !evs_lsp_get(params, "range", &range)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    uint32_t start = evs_lsp_offset(&document->lines, server->utf8, evs_lsp_number(range, "start.line", 0),
                                    evs_lsp_number(range, "start.character", 0));
    uint32_t end = evs_lsp_offset(&document->lines, server->utf8, evs_lsp_number(range, "end.line", 0),
                                  evs_lsp_number(range, "end.character", 0));
    struct evs_buffer out = {0};
    evs_buffer_puts(result, "[");
    if (whole_statements(evs_lsp_syntax_of(document), &start, &end)) {
        if (!lay_out((struct evs_slice){document->lines.text.data + start, end - start}, &out)) {
            evs_buffer_fini(&out);
            return evs_lsp_fail(server, "A statement that does not parse is left as it is.");
        }
        while (out.count > 0 && out.data[out.count - 1] == '\n') { /* what follows is not ours */
            out.count--;
        }
        put_difference(server, document, start, end, (struct evs_slice){out.data, out.count}, result);
    }
    evs_buffer_puts(result, "]");
    evs_buffer_fini(&out);
    return EVS_LSP_OK;
}

/* --- what tokens are -------------------------------------------------------------------------------------------------------------------- */

enum token_type {
    TYPE_KEYWORD,
    TYPE_FUNCTION,
    TYPE_TYPE,
    TYPE_VARIABLE,
    TYPE_PROPERTY,
    TYPE_PARAMETER,
    TYPE_CLASS,
    TYPE_STRING,
    TYPE_NUMBER,
    TYPE_COMMENT,
    TYPE_OPERATOR,
    TYPE_NONE,
};
const char evs_lsp_token_legend[] =
    "[\"keyword\",\"function\",\"type\",\"variable\",\"property\",\"parameter\",\"class\","
    "\"string\",\"number\",\"comment\",\"operator\"]";

/* The list of numbers in the making: each token relative to the one before. */
struct painter {
    const struct evs_lsp_server *server;
    const struct evs_lsp_lines *lines;
    struct evs_buffer *out;
    uint32_t line, line_start;          /* of the line at hand */
    uint32_t last_line, last_character; /* of the token before */
};

static uint32_t units(const struct painter *painter, uint32_t start, uint32_t end)
{
    uint32_t count = 0;
    for (uint32_t at = start; at < end; at++) {
        uint8_t byte = (uint8_t)painter->lines->text.data[at];
        bool is_lead = !continues_character((char)byte);
        count += painter->server->utf8 ? 1 : !is_lead ? 0 : byte >= 0xf0 ? 2 : 1;
    }
    return count;
}

static void put_token(struct painter *painter, uint32_t start, uint32_t end, enum token_type type)
{
    uint32_t character = units(painter, painter->line_start, start), count = units(painter, start, end);
    if (count == 0) {
        return;
    }
    bool is_same = painter->line == painter->last_line;
    evs_buffer_printf(painter->out, "%s%u,%u,%u,%d,0", painter->out->data[painter->out->count - 1] == '[' ? "" : ",",
                      painter->line - painter->last_line, is_same ? character - painter->last_character : character,
                      count, (int)type);
    painter->last_line = painter->line;
    painter->last_character = character;
}

/* A token of several lines is painted line by line, for clients that cannot take it whole. */
static void paint(struct painter *painter, uint32_t start, uint32_t end, enum token_type type)
{
    const struct evs_lsp_lines *lines = painter->lines;
    while (painter->line + 1 < lines->count && lines->starts[painter->line + 1] <= start) {
        painter->line_start = lines->starts[++painter->line];
    }
    while (start < end) {
        uint32_t next =
            painter->line + 1 < lines->count ? lines->starts[painter->line + 1] : (uint32_t)lines->text.count;
        uint32_t stop = end < next ? end : next, shown = stop;
        while (shown > start && (lines->text.data[shown - 1] == '\n' || lines->text.data[shown - 1] == '\r')) {
            shown--;
        }
        put_token(painter, start, shown, type);
        start = stop;
        if (start < end) {
            painter->line_start = lines->starts[++painter->line];
        }
    }
}

/* Comments between two tokens. */
static void paint_gap(struct painter *painter, uint32_t start, uint32_t end)
{
    const char *text = painter->lines->text.data;
    for (uint32_t at = start; at < end;) {
        bool is_block = at + 1 < end && text[at] == '/' && text[at + 1] == '*';
        bool is_line = text[at] == '#' || (at + 1 < end && text[at] == '-' && text[at + 1] == '-');
        if (!is_block && !is_line) {
            at++;
            continue;
        }
        const char *stop = is_block ? (end - at > 3 ? memmem(text + at + 2, end - at - 2, "*/", 2) : NULL)
                                    : memchr(text + at, '\n', end - at);
        uint32_t behind = stop == NULL ? end : (uint32_t)(stop - text) + (is_block ? 2 : 0);
        paint(painter, at, behind, TYPE_COMMENT);
        at = behind;
    }
}

static enum token_type type_of_symbol(enum evs_symbol symbol)
{
    switch (symbol) {
    case EVS_SYMBOL_COLUMN:
        return TYPE_PROPERTY;
    case EVS_SYMBOL_PARAM:
        return TYPE_PARAMETER;
    case EVS_SYMBOL_ROW:
        return TYPE_VARIABLE;
    default:
        return TYPE_CLASS;
    }
}

static enum token_type type_of_word(const struct evs_lsp_syntax *syntax, const struct evs_token *token)
{
    uint8_t mark = syntax->marks.of[token->offset];
    if (mark & EVS_MARK_FUNCTION) {
        return TYPE_FUNCTION;
    }
    if (mark & EVS_MARK_TYPE) {
        return TYPE_TYPE;
    }
    if (mark & EVS_MARK_NAME) {
        return token > syntax->tokens && token[-1].kind == EVS_TOKEN_AT ? TYPE_PARAMETER : TYPE_VARIABLE;
    }
    return token->word != EVS_WORD_NONE ? TYPE_KEYWORD : TYPE_VARIABLE;
}

static enum token_type type_of(const struct evs_lsp_syntax *syntax, const struct evs_token *token)
{
    switch (token->kind) {
    case EVS_TOKEN_WORD:
        return type_of_word(syntax, token);
    case EVS_TOKEN_QUOTED:
        return TYPE_VARIABLE;
    case EVS_TOKEN_INT:
    case EVS_TOKEN_FLOAT:
        return TYPE_NUMBER;
    case EVS_TOKEN_STRING:
    case EVS_TOKEN_BYTES:
        return TYPE_STRING;
    case EVS_TOKEN_JSON: /* it has its own colours */
    case EVS_TOKEN_END:
    case EVS_TOKEN_ERROR:
    case EVS_TOKEN_COMMA:
    case EVS_TOKEN_SEMICOLON:
    case EVS_TOKEN_DOT:
        return TYPE_NONE;
    default:
        return token->kind >= EVS_TOKEN_PIPE ? TYPE_OPERATOR : TYPE_NONE;
    }
}

/* For each byte at which the binder has seen a name of this file: its symbol + 1. */
static uint8_t *seen_names(struct evs_lsp_server *server, struct evs_lsp_document *document)
{
    const struct evs_lsp_analysis *analysis = evs_lsp_view(server, document);
    uint8_t *seen = evs_alloc_zero(document->lines.text.count + 1);
    for (uint32_t i = 0; i < analysis->index.count; i++) {
        const struct evs_sighting *sighting = &analysis->index.sightings[i];
        const struct evs_source_text *text = evs_sources_find(analysis->sources, sighting->place.file);
        if (text != NULL && strcmp(text->identity, document->identity) == 0) {
            EVS_ASSERT(sighting->place.offset <= document->lines.text.count);
            seen[sighting->place.offset] = (uint8_t)(sighting->symbol + 1);
        }
    }
    return seen;
}

enum evs_lsp_error evs_lsp_semantic_tokens(struct evs_lsp_server *server, struct evs_slice params,
                                           struct evs_buffer *result)
{
    struct evs_lsp_document *document;
    if (!evs_lsp_document_of(server, params, &document)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    const struct evs_lsp_syntax *syntax = evs_lsp_syntax_of(document);
    uint8_t *seen = seen_names(server, document);
    struct painter painter = {.server = server, .lines = &document->lines, .out = result};
    uint32_t at = 0;
    evs_buffer_puts(result, "{\"data\":[");
    for (uint32_t i = 0; i < syntax->token_count; i++) {
        const struct evs_token *token = &syntax->tokens[i];
        enum token_type type = type_of(syntax, token);
        bool is_name = type == TYPE_VARIABLE && seen[token->offset] > 0;
        type = is_name ? type_of_symbol((enum evs_symbol)(seen[token->offset] - 1)) : type;
        paint_gap(&painter, at, token->offset);
        if (type != TYPE_NONE) {
            paint(&painter, token->offset, token->offset + token->count, type);
        }
        at = token->offset + token->count;
    }
    evs_buffer_puts(result, "]}");
    evs_free(seen);
    return EVS_LSP_OK;
}
