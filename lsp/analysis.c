/* What is known of a text: its tokens and its tree alone, and the whole pipeline that it belongs to. */
#include "server.h"

#include <stdio.h>

/* --- one text alone ---------------------------------------------------------------------------------------------------------- */

static void read_tokens(struct evs_lsp_syntax *syntax)
{
    struct evs_lexer lexer;
    evs_lexer_init(&lexer, syntax->text, &syntax->arena, syntax->diagnostics);
    do {
        EVS_GROW(syntax->tokens, syntax->token_count, syntax->token_capacity);
        syntax->tokens[syntax->token_count++] = evs_lexer_next(&lexer);
    } while (syntax->tokens[syntax->token_count - 1].kind != EVS_TOKEN_END);
}

struct evs_lsp_syntax *evs_lsp_syntax_new(struct evs_slice text)
{
    struct evs_lsp_syntax *syntax = evs_alloc_zero(sizeof *syntax);
    syntax->sources = evs_sources_new();
    syntax->text = evs_sources_add(syntax->sources, "text", text);
    syntax->diagnostics = evs_diagnostics_new(syntax->sources);
    syntax->marks.count = text.count + 1;
    syntax->marks.of = evs_alloc_zero(syntax->marks.count);
    evs_script_init(&syntax->script);
    syntax->script.accept_all = true;
    syntax->script.marks = &syntax->marks;
    evs_parse(&syntax->script, syntax->text, syntax->diagnostics);
    read_tokens(syntax);
    return syntax;
}

void evs_lsp_syntax_free(struct evs_lsp_syntax *syntax)
{
    if (syntax == NULL) {
        return;
    }
    evs_script_fini(&syntax->script);
    evs_diagnostics_free(syntax->diagnostics);
    evs_sources_free(syntax->sources);
    evs_arena_fini(&syntax->arena);
    evs_free(syntax->marks.of);
    evs_free(syntax->tokens);
    evs_free(syntax);
}

const struct evs_lsp_syntax *evs_lsp_syntax_of(struct evs_lsp_document *document)
{
    if (document->syntax == NULL) {
        document->syntax = evs_lsp_syntax_new(document->lines.text);
    }
    return document->syntax;
}

static bool is_word(const struct evs_token *token)
{
    return token->kind == EVS_TOKEN_WORD || token->kind == EVS_TOKEN_QUOTED;
}

uint32_t evs_lsp_token_at(const struct evs_lsp_syntax *syntax, uint32_t offset)
{
    uint32_t low = 0, high = syntax->token_count; /* the first token that begins behind the offset is `high` */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (syntax->tokens[middle].offset > offset) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if (high == 0) {
        return syntax->token_count;
    }
    const struct evs_token *token = &syntax->tokens[high - 1];
    if (offset < token->offset + token->count) {
        bool ends_word = token->offset == offset && !is_word(token) && high > 1 && is_word(token - 1) &&
                         token[-1].offset + token[-1].count == offset;
        return ends_word ? high - 2 : high - 1;
    }
    if (token->kind == EVS_TOKEN_END && high > 1) { /* a word at the end of the text */
        high--;
        token--;
    }
    bool ends_here = token->offset + token->count == offset && is_word(token);
    return ends_here ? high - 1 : syntax->token_count;
}

/* --- a pipeline ----------------------------------------------------------------------------------------------------------------- */

/* A value for a parameter that gets one at the start only, so that what uses it can be checked. */
static const char *sample_of(const struct evs_ast_type *type)
{
    static const char *const samples[] = {
        [EVS_BOOL] = "true",
        [EVS_INT64] = "1",
        [EVS_FLOAT64] = "1",
        [EVS_NUMERIC] = "1",
        [EVS_STRING] = "x",
        [EVS_BYTES] = "x",
        [EVS_JSON] = "null",
        [EVS_DATE] = "2026-01-01",
        [EVS_DATETIME] = "2026-01-01 00:00:00",
        [EVS_TIME] = "00:00:00",
        [EVS_TIMESTAMP] = "2026-01-01T00:00:00Z",
        [EVS_INTERVAL] = "0-0 0 0:1:0",
    };
    enum evs_kind kind = type != NULL ? evs_kind_parse(type->name.text) : EVS_NULL_KIND;
    if (type != NULL && evs_slice_equal_nocase(type->name.text, "array")) {
        return "[]";
    }
    return kind < EVS_COUNT(samples) && samples[kind] != NULL ? samples[kind] : "x";
}

static const char *environment_of_script(void *argument, const char *variable)
{
    static const char prefix[] = "EVSTREAM_PARAM_";
    const struct evs_script *script = argument;
    EVS_ASSERT(strncmp(variable, prefix, sizeof prefix - 1) == 0);
    for (uint32_t i = 0; i < script->count; i++) {
        const struct evs_ast_statement *statement = script->statements[i];
        if (statement->kind == EVS_STATEMENT_PARAM && !statement->is_broken && statement->param.fallback == NULL &&
            evs_slice_equal_nocase(statement->name.text, variable + sizeof prefix - 1)) {
            return sample_of(statement->param.type);
        }
    }
    return NULL;
}

static const struct evs_lsp_replaced *replacement(const struct evs_lsp_question *question, const char *identity)
{
    for (uint32_t i = 0; i < question->replaced_count; i++) {
        if (strcmp(question->replaced[i].identity, identity) == 0) {
            return &question->replaced[i];
        }
    }
    return NULL;
}

/* What editors hold counts, not what lies on the disk. */
static void add_texts(const struct evs_lsp_server *server, const struct evs_lsp_question *question,
                      struct evs_sources *sources)
{
    for (uint32_t i = 0; i < server->document_count; i++) {
        const struct evs_lsp_document *document = server->documents[i];
        if (replacement(question, document->identity) == NULL) {
            evs_sources_add(sources, document->identity, document->lines.text);
        }
    }
    for (uint32_t i = 0; i < question->replaced_count; i++) {
        evs_sources_add(sources, question->replaced[i].identity, question->replaced[i].text);
    }
}

/* The sinks of a plan: names of their columns and of where they come from. */
static void describe_sinks(const struct evs_plan *plan, struct evs_buffer *out)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const struct evs_plan_node *node = &plan->nodes[i];
        if (node->sink == NULL) {
            continue;
        }
        evs_buffer_printf(out, "%s (", node->sink->connector->kind);
        for (uint32_t k = 0; k < node->schema.count; k++) {
            evs_buffer_printf(out, "%s%s", k > 0 ? ", " : "", node->schema.fields[k].name);
        }
        evs_buffer_puts(out, ")\n");
    }
}

/* The tree with all imports, for values of parameters and for who asks what the pipeline consists of. What is wrong in it the compiler tells. */
static void read_script(struct evs_lsp_analysis *analysis)
{
    struct evs_diagnostics *unseen = evs_diagnostics_new(analysis->sources);
    struct evs_error error;
    evs_script_init(&analysis->script);
    (void)!evs_script_load(&analysis->script, analysis->sources, analysis->file, unseen, &error);
    evs_diagnostics_free(unseen);
}

struct evs_lsp_analysis *evs_lsp_analyse(const struct evs_lsp_server *server, const struct evs_lsp_question *question)
{
    struct evs_lsp_analysis *analysis = evs_alloc_zero(sizeof *analysis);
    analysis->sources = evs_sources_new();
    analysis->diagnostics = evs_diagnostics_new(analysis->sources);
    add_texts(server, question, analysis->sources);
    const struct evs_source_text *root = evs_sources_find(analysis->sources, question->root);
    EVS_ASSERT(root != NULL);
    analysis->file = root->file;
    read_script(analysis);
    if (question->has_cursor) {
        analysis->index.cursor_file = analysis->file;
        analysis->index.cursor_offset = question->cursor;
        analysis->index.floor = question->floor;
    }
    const struct evs_compile_options options = {
        .file = analysis->file,
        .texts = analysis->sources,
        .environment = environment_of_script,
        .environment_argument = &analysis->script,
        .registry = server->registry,
        .index = &analysis->index,
    };
    const struct evs_plan *plan = NULL;
    struct evs_error error = {0};
    analysis->is_right = evs_compile(&options, analysis->diagnostics, &plan, &error) == EVS_OK;
    if (analysis->is_right) {
        describe_sinks(plan, &analysis->sinks);
        evs_plan_free(plan);
    }
    return analysis;
}

void evs_lsp_analysis_free(struct evs_lsp_analysis *analysis)
{
    if (analysis == NULL) {
        return;
    }
    evs_index_fini(&analysis->index);
    evs_script_fini(&analysis->script);
    evs_diagnostics_free(analysis->diagnostics);
    evs_sources_free(analysis->sources);
    evs_buffer_fini(&analysis->sinks);
    evs_free(analysis);
}

bool evs_lsp_has_file(const struct evs_lsp_analysis *analysis, const char *identity)
{
    for (uint32_t i = 0; i < analysis->script.count; i++) {
        const struct evs_source_text *text =
            evs_sources_find(analysis->sources, analysis->script.statements[i]->place.file);
        if (text != NULL && strcmp(text->identity, identity) == 0) {
            return true;
        }
    }
    return false;
}

bool evs_lsp_misses_file(const struct evs_lsp_analysis *analysis)
{
    for (uint32_t i = 0; i < evs_diagnostics_count(analysis->diagnostics); i++) {
        if (evs_diagnostics_at(analysis->diagnostics, i).code == EVS_E0121) {
            return true;
        }
    }
    return false;
}

/* --- of a document ----------------------------------------------------------------------------------------------------------------- */

void evs_lsp_forget(struct evs_lsp_document *document)
{
    evs_lsp_syntax_free(document->syntax);
    evs_lsp_analysis_free(document->analysis);
    document->syntax = NULL;
    document->analysis = NULL;
}

const struct evs_lsp_analysis *evs_lsp_own_analysis(const struct evs_lsp_server *server,
                                                    struct evs_lsp_document *document)
{
    if (document->analysis == NULL) {
        struct evs_lsp_question question = {.root = document->identity};
        document->analysis = evs_lsp_analyse(server, &question);
    }
    return document->analysis;
}

const struct evs_lsp_analysis *evs_lsp_view(const struct evs_lsp_server *server, struct evs_lsp_document *document)
{
    for (uint32_t i = 0; i < server->document_count; i++) {
        struct evs_lsp_document *other = server->documents[i];
        if (other != document && evs_lsp_has_file(evs_lsp_own_analysis(server, other), document->identity)) {
            return other->analysis;
        }
    }
    return evs_lsp_own_analysis(server, document);
}

const struct evs_sighting *evs_lsp_sighting(const struct evs_lsp_analysis *analysis, const char *identity,
                                            uint32_t offset)
{
    const struct evs_sighting *best = NULL;
    for (uint32_t i = 0; i < analysis->index.count; i++) {
        const struct evs_sighting *sighting = &analysis->index.sightings[i];
        bool holds = sighting->place.offset <= offset && offset <= sighting->place.offset + sighting->place.count;
        if (!holds || sighting->place.file == NULL) {
            continue;
        }
        const struct evs_source_text *text = evs_sources_find(analysis->sources, sighting->place.file);
        if (text != NULL && strcmp(text->identity, identity) == 0 &&
            (best == NULL || sighting->place.offset >= best->place.offset)) {
            best = sighting;
        }
    }
    return best;
}
