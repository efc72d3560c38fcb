/* What a word means: hover, and the parameters of the call that is being written. */
#include <stdio.h>

#include "bind.h"
#include "evstream/json_value.h"
#include "server.h"

/* --- names --------------------------------------------------------------------------------------------------------------------------- */

static const char *symbol_word(enum evs_symbol symbol)
{
    static const char *const words[] = {
        [EVS_SYMBOL_SOURCE] = "source", [EVS_SYMBOL_TABLE] = "table",     [EVS_SYMBOL_STREAM] = "stream",
        [EVS_SYMBOL_SINK] = "sink",     [EVS_SYMBOL_PARAM] = "parameter", [EVS_SYMBOL_COLUMN] = "column",
        [EVS_SYMBOL_ROW] = "rows",
    };
    return words[symbol];
}

/* Where it comes from, as a line of code. */
static void put_origin(const struct evs_lsp_analysis *analysis, const struct evs_sighting *sighting,
                       struct evs_buffer *markdown)
{
    const struct evs_source_text *text = evs_sources_find(analysis->sources, sighting->declared.file);
    bool is_elsewhere = sighting->declared.offset != sighting->place.offset ||
                        !evs_lsp_same_file(sighting->declared.file, sighting->place.file);
    if (text == NULL || !is_elsewhere) {
        return;
    }
    struct evs_slice line = evs_source_line(text, sighting->declared.line);
    while (line.count > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
        line = (struct evs_slice){line.data + 1, line.count - 1};
    }
    const char *slash = strrchr(text->file, '/');
    evs_buffer_printf(markdown, "\n\nDeclared in %s, line %u:\n```evs\n%.*s\n```",
                      slash != NULL ? slash + 1 : text->file, sighting->declared.line, (int)line.count, line.data);
}

/* An alias has no type where it is given; where it is used it has. */
static const struct evs_sighting *with_type(const struct evs_lsp_analysis *analysis,
                                            const struct evs_sighting *sighting)
{
    for (uint32_t i = 0; sighting->type == NULL && sighting->declared.file != NULL && i < analysis->index.count; i++) {
        const struct evs_sighting *other = &analysis->index.sightings[i];
        if (other->type != NULL && other->declared.offset == sighting->declared.offset &&
            evs_lsp_same_file(other->declared.file, sighting->declared.file)) {
            return other;
        }
    }
    return sighting;
}

static void put_sighting(const struct evs_lsp_analysis *analysis, const struct evs_sighting *sighting,
                         struct evs_buffer *markdown)
{
    const struct evs_sighting *typed = with_type(analysis, sighting);
    evs_buffer_printf(markdown, "```evs\n%s%s", sighting->symbol == EVS_SYMBOL_PARAM ? "@" : "", sighting->name);
    if (typed->type != NULL) {
        evs_buffer_printf(markdown, " %s%s", typed->type,
                          sighting->symbol == EVS_SYMBOL_COLUMN && !typed->nullable ? " not null" : "");
    }
    evs_buffer_printf(markdown, "\n```\n%s", symbol_word(sighting->symbol));
    put_origin(analysis, sighting, markdown);
}

/* --- functions, types, words ------------------------------------------------------------------------------------------------------------ */

/* A function's whole name in lower case: the words around a token that dots join, without `safe.`. */
static bool callable_name(const struct evs_lsp_syntax *syntax, uint32_t token, char *name, size_t room)
{
    const struct evs_token *tokens = syntax->tokens;
    uint32_t first = token, last = token;
    while (first >= 2 && tokens[first - 1].kind == EVS_TOKEN_DOT && tokens[first - 2].kind == EVS_TOKEN_WORD) {
        first -= 2;
    }
    while (last + 2 < syntax->token_count && tokens[last + 1].kind == EVS_TOKEN_DOT &&
           tokens[last + 2].kind == EVS_TOKEN_WORD) {
        last += 2;
    }
    if (first < last && evs_slice_equal_nocase(tokens[first].text, "safe")) {
        first += 2;
    }
    size_t count = 0;
    for (uint32_t i = first; i <= last; i++) {
        for (size_t k = 0; k < tokens[i].count && count + 1 < room; k++) {
            char c = syntax->text->text.data[tokens[i].offset + k];
            name[count++] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
        }
    }
    name[count] = '\0';
    return tokens[last + 1].kind == EVS_TOKEN_LEFT_PAREN; /* END is behind the last one */
}

static bool put_callable(const struct evs_lsp_server *server, const char *name, struct evs_buffer *markdown)
{
    const char *section = NULL;
    for (uint32_t i = 0; i < evs_lsp_callable_count(); i++) {
        struct evs_lsp_callable callable = evs_lsp_callable_at(i);
        if (strcmp(callable.name, name) != 0) {
            continue;
        }
        evs_buffer_printf(markdown, "%s```evs\n%s\n```\n%s", section != NULL ? "\n\n" : "", callable.signature,
                          callable.meaning);
        if (callable.example != NULL && callable.result != NULL) {
            evs_buffer_printf(markdown, "\n\n`%s` gives `%s`", callable.example, callable.result);
        }
        section = callable.section;
    }
    evs_lsp_put_link(server, markdown, section);
    return section != NULL;
}

static bool put_type(const struct evs_lsp_server *server, struct evs_slice text, struct evs_buffer *markdown)
{
    const struct evs_lsp_type *const tables[] = {evs_lsp_types, evs_lsp_units};
    enum evs_kind kind = evs_kind_parse(text);
    for (size_t i = 0; i < EVS_COUNT(tables); i++) {
        for (const struct evs_lsp_type *type = tables[i]; type->name != NULL; type++) {
            bool is_it = evs_slice_equal_nocase(text, type->name) ||
                         (i == 0 && kind != EVS_NULL_KIND && strcmp(evs_kind_name(kind), type->name) == 0);
            if (is_it) {
                evs_buffer_printf(markdown, "```evs\n%s\n```\n%s", type->name, type->meaning);
                evs_lsp_put_link(server, markdown, "types");
                return true;
            }
        }
    }
    return false;
}

/* How many tokens from `token` on are the words of `text`; 0: they are others. */
static uint32_t words_match(const struct evs_lsp_syntax *syntax, uint32_t token, const char *text)
{
    uint32_t count = 0;
    while (*text != '\0') {
        size_t bytes = strcspn(text, " ");
        const struct evs_token *at = &syntax->tokens[token + count];
        if (at->kind != EVS_TOKEN_WORD || at->text.count != bytes || strncasecmp(at->text.data, text, bytes) != 0) {
            return 0;
        }
        count++;
        text += bytes + (text[bytes] == ' ');
    }
    return count;
}

/* The entry with the most words that covers the token; operators only behind |>. */
static const struct evs_lsp_word *find_word(const struct evs_lsp_syntax *syntax, uint32_t token)
{
    const struct evs_lsp_word *best = NULL;
    uint32_t best_score = 0;
    for (uint32_t i = 0; i < evs_lsp_word_count(); i++) {
        const struct evs_lsp_word *word = evs_lsp_word_at(i);
        for (uint32_t back = 0; back < 3 && back <= token; back++) {
            uint32_t first = token - back, count = words_match(syntax, first, word->text);
            bool behind_pipe = first > 0 && syntax->tokens[first - 1].kind == EVS_TOKEN_PIPE;
            uint32_t score = 2 * count + (behind_pipe == (word->kind == EVS_LSP_WORD_OPERATOR));
            if (count > back && score > best_score) {
                best = word;
                best_score = score;
            }
        }
    }
    return best;
}

static bool put_word(const struct evs_lsp_server *server, const struct evs_lsp_syntax *syntax, uint32_t token,
                     struct evs_buffer *markdown)
{
    const struct evs_lsp_word *word = find_word(syntax, token);
    if (word == NULL) {
        return false;
    }
    evs_buffer_printf(markdown, "**%s**\n\n%s", word->text, word->meaning);
    evs_lsp_put_link(server, markdown, word->section);
    return true;
}

/* --- options and settings ---------------------------------------------------------------------------------------------------------------- */

/* A connector's table by its name. The three kinds of connectors are other structures with the same first members. */
#define FIND_OPTIONS(list, name)                                                                                       \
    for (size_t i = 0; (list) != NULL && (list)[i] != NULL; i++) {                                                     \
        if (evs_slice_equal_nocase((name), (list)[i]->kind)) {                                                         \
            return (list)[i]->options;                                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
    return NULL

static const struct evs_option *source_options(const struct evs_registry *registry, struct evs_slice name)
{
    FIND_OPTIONS(registry->sources, name);
}

static const struct evs_option *table_options(const struct evs_registry *registry, struct evs_slice name)
{
    FIND_OPTIONS(registry->tables, name);
}

static const struct evs_option *sink_options(const struct evs_registry *registry, struct evs_slice name)
{
    FIND_OPTIONS(registry->sinks, name);
}

static const struct evs_option *format_options(const struct evs_registry *registry, struct evs_slice name)
{
    FIND_OPTIONS(registry->formats, name);
}

void evs_lsp_option_tables(const struct evs_lsp_server *server, enum evs_lsp_declares declares, bool is_format,
                           struct evs_slice name, const struct evs_option *tables[2])
{
    tables[0] = NULL;
    tables[1] = NULL;
    if (is_format) {
        tables[0] = declares == EVS_LSP_DECLARES_SINK ? format_options(server->registry, name) : NULL;
    } else if (declares == EVS_LSP_DECLARES_SOURCE) {
        tables[0] = source_options(server->registry, name);
        tables[1] = evs_source_options;
    } else if (declares == EVS_LSP_DECLARES_TABLE) {
        tables[0] = table_options(server->registry, name);
        tables[1] = evs_table_options;
    } else if (declares == EVS_LSP_DECLARES_SINK) {
        tables[0] = sink_options(server->registry, name);
        tables[1] = evs_sink_options;
    }
}

static bool put_option_of(const struct evs_option *const *tables, size_t count, struct evs_slice name,
                          struct evs_buffer *markdown)
{
    for (size_t i = 0; i < count; i++) {
        for (const struct evs_option *option = tables[i]; option != NULL && option->name != NULL; option++) {
            if (evs_slice_equal_nocase(name, option->name)) {
                evs_lsp_put_option(markdown, option);
                return true;
            }
        }
    }
    return false;
}

/* `NAME =` in a list of options, or behind set. */
static bool put_option(const struct evs_lsp_server *server, const struct evs_lsp_syntax *syntax, uint32_t token,
                       struct evs_buffer *markdown)
{
    const struct evs_token *at = &syntax->tokens[token];
    if (at->kind != EVS_TOKEN_WORD || at[1].kind != EVS_TOKEN_EQUAL) {
        return false;
    }
    struct evs_lsp_context context = evs_lsp_context_at(syntax, at->offset + at->count);
    if (context.kind == EVS_LSP_PLACE_SETTING && put_option_of(&evs_setting_options, 1, at->text, markdown)) {
        evs_lsp_put_link(server, markdown, "table-of-settings");
        return true;
    }
    const struct evs_option *tables[2];
    evs_lsp_option_tables(server, context.declares, context.is_format, context.connector, tables);
    if (context.kind == EVS_LSP_PLACE_OPTION && put_option_of(tables, 2, at->text, markdown)) {
        evs_lsp_put_link(server, markdown, "options-of-connectors-and-formats");
        return true;
    }
    return false;
}

/* --- hover ---------------------------------------------------------------------------------------------------------------------------------- */

static bool put_meaning(const struct evs_lsp_server *server, struct evs_lsp_document *document,
                        const struct evs_lsp_syntax *syntax, uint32_t token, struct evs_buffer *markdown)
{
    const struct evs_token *at = &syntax->tokens[token];
    uint8_t mark = syntax->marks.of[at->offset];
    char name[128];
    if (at->kind != EVS_TOKEN_WORD && at->kind != EVS_TOKEN_QUOTED) {
        return false;
    }
    if (put_option(server, syntax, token, markdown)) {
        return true;
    }
    bool is_call = at->kind == EVS_TOKEN_WORD && callable_name(syntax, token, name, sizeof name);
    bool is_named = (mark & EVS_MARK_NAME) && !(mark & (EVS_MARK_FUNCTION | EVS_MARK_TYPE));
    if (is_call && !is_named && put_callable(server, name, markdown)) {
        return true;
    }
    if ((mark & EVS_MARK_TYPE) && put_type(server, at->text, markdown)) {
        return true;
    }
    const struct evs_lsp_analysis *analysis = evs_lsp_view(server, document);
    const struct evs_sighting *sighting = evs_lsp_sighting(analysis, document->identity, at->offset);
    if (sighting != NULL && sighting->place.offset + sighting->place.count >= at->offset + at->count) {
        put_sighting(analysis, sighting, markdown);
        return true;
    }
    return (is_call && put_callable(server, name, markdown)) ||
           (!is_named && put_word(server, syntax, token, markdown));
}

enum evs_lsp_error evs_lsp_hover(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    struct evs_lsp_document *document;
    uint32_t offset;
    if (!evs_lsp_at(server, params, &document, &offset)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    const struct evs_lsp_syntax *syntax = evs_lsp_syntax_of(document);
    uint32_t token = evs_lsp_token_at(syntax, offset);
    struct evs_buffer markdown = {0};
    if (token < syntax->token_count && put_meaning(server, document, syntax, token, &markdown)) {
        const struct evs_token *at = &syntax->tokens[token];
        evs_buffer_puts(result, "{\"contents\":{\"kind\":\"markdown\",\"value\":");
        evs_json_put_text(result, (struct evs_slice){markdown.data, markdown.count});
        evs_buffer_puts(result, "},\"range\":");
        evs_lsp_put_range(result, &document->lines, server->utf8, at->offset, at->offset + at->count);
        evs_buffer_puts(result, "}");
    } else {
        evs_buffer_puts(result, "null");
    }
    evs_buffer_fini(&markdown);
    return EVS_LSP_OK;
}

/* --- signature help --------------------------------------------------------------------------------------------------------------------------- */

/* The call whose parentheses the cursor is in: the token of its opening one, and the commas before the cursor. */
static bool find_call(const struct evs_lsp_syntax *syntax, uint32_t offset, uint32_t *open, uint32_t *commas)
{
    uint32_t count = 0, depth = 0;
    while (syntax->tokens[count].kind != EVS_TOKEN_END && syntax->tokens[count].offset < offset) {
        count++;
    }
    *commas = 0;
    for (uint32_t i = count; i-- > 0;) {
        enum evs_token_kind kind = syntax->tokens[i].kind;
        if (kind == EVS_TOKEN_SEMICOLON || kind == EVS_TOKEN_PIPE) {
            return false;
        }
        if (kind == EVS_TOKEN_RIGHT_PAREN || kind == EVS_TOKEN_RIGHT_BRACKET) {
            depth++;
        } else if (kind == EVS_TOKEN_LEFT_PAREN || kind == EVS_TOKEN_LEFT_BRACKET) {
            if (depth == 0) {
                *open = i;
                return kind == EVS_TOKEN_LEFT_PAREN && i > 0 && syntax->tokens[i - 1].kind == EVS_TOKEN_WORD;
            }
            depth--;
        }
        *commas += kind == EVS_TOKEN_COMMA && depth == 0;
    }
    return false;
}

/* The parameters as spans of the signature's text, in its characters as the client counts them. */
static uint32_t put_parameters(struct evs_buffer *out, const char *signature, bool utf8)
{
    const char *at = strchr(signature, '(');
    uint32_t column = 0, start, count = 0, depth = 0;
    if (at == NULL) {
        return 0;
    }
    for (const char *c = signature; c <= at; c++) {
        column += utf8 || ((uint8_t)*c & 0xc0) != 0x80;
    }
    start = column;
    for (at++; *at != '\0'; at++) {
        bool ends = depth == 0 && (*at == ')' || *at == ',');
        if (ends && column > start) {
            evs_buffer_printf(out, "%s{\"label\":[%u,%u]}", count > 0 ? "," : "", start, column);
            count++;
        }
        if (depth == 0 && *at == ')') {
            break;
        }
        depth += *at == '(' || *at == '<';
        depth -= (*at == ')' || *at == '>') && depth > 0;
        column += utf8 || ((uint8_t)*at & 0xc0) != 0x80;
        start = ends ? column : start;
    }
    return count;
}

static void put_signatures(struct evs_lsp_server *server, struct evs_buffer *result, const char *name, uint32_t commas)
{
    uint32_t found = 0, active = 0;
    for (uint32_t i = 0; i < evs_lsp_callable_count(); i++) {
        struct evs_lsp_callable callable = evs_lsp_callable_at(i);
        if (strcmp(callable.name, name) != 0) {
            continue;
        }
        evs_buffer_puts(result, found > 0 ? ",{\"label\":" : "{\"signatures\":[{\"label\":");
        evs_json_put_text(result, evs_slice_of(callable.signature));
        evs_buffer_puts(result, ",\"documentation\":");
        evs_json_put_text(result, evs_slice_of(callable.meaning));
        evs_buffer_puts(result, ",\"parameters\":[");
        uint32_t parameters = put_parameters(result, callable.signature, server->utf8);
        evs_buffer_puts(result, "]}");
        active = parameters <= commas && active == found ? found + 1 : active; /* the first that takes so many */
        found++;
    }
    if (found == 0) {
        evs_buffer_puts(result, "null");
    } else {
        evs_buffer_printf(result, "],\"activeSignature\":%u,\"activeParameter\":%u}", active < found ? active : 0,
                          commas);
    }
}

enum evs_lsp_error evs_lsp_signature_help(struct evs_lsp_server *server, struct evs_slice params,
                                          struct evs_buffer *result)
{
    struct evs_lsp_document *document;
    uint32_t offset, open, commas;
    char name[128];
    if (!evs_lsp_at(server, params, &document, &offset)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    const struct evs_lsp_syntax *syntax = evs_lsp_syntax_of(document);
    if (find_call(syntax, offset, &open, &commas) && callable_name(syntax, open - 1, name, sizeof name)) {
        put_signatures(server, result, name, commas);
    } else {
        evs_buffer_puts(result, "null");
    }
    return EVS_LSP_OK;
}
