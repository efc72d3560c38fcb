/* Where a name is declared, where it is used, and another name for it.
 *
 * The binder's index tells what every name means. Where a mistake has kept the binder away, the text of a word still finds what is declared under it.
 *
 * Renaming is safe: the changed texts are compiled before anything is handed out, and a name is refused when the pipeline would not compile any more,
 * or when rows would leave it with other columns. What a name also says to others is kept: a column of a source that is read from the field of its
 * name gets the path of that field; a column that is selected without an alias keeps its name under one. */
#include <stdio.h>
#include <stdlib.h>

#include "bind.h"
#include "evstream/json_value.h"
#include "server.h"

/* --- what stands at the cursor -------------------------------------------------------------------------------------------------------- */

struct target {
    const struct evs_lsp_analysis *analysis;
    struct evs_place declared; /* a file of NULL: in no text */
    enum evs_symbol symbol;
    const char *name;
    struct evs_place at; /* the name at the cursor */
};

static enum evs_symbol statement_symbol(enum evs_statement_kind kind, bool *is_declaration)
{
    *is_declaration = true;
    switch (kind) {
    case EVS_STATEMENT_SOURCE:
        return EVS_SYMBOL_SOURCE;
    case EVS_STATEMENT_TABLE:
        return EVS_SYMBOL_TABLE;
    case EVS_STATEMENT_STREAM:
        return EVS_SYMBOL_STREAM;
    case EVS_STATEMENT_SINK:
        return EVS_SYMBOL_SINK;
    case EVS_STATEMENT_PARAM:
        return EVS_SYMBOL_PARAM;
    default:
        *is_declaration = false;
        return EVS_SYMBOL_ROW;
    }
}

static const struct evs_ast_statement *find_declaration(const struct evs_script *script, struct evs_slice name,
                                                        bool is_param, enum evs_symbol *symbol)
{
    for (uint32_t i = 0; i < script->count; i++) {
        const struct evs_ast_statement *statement = script->statements[i];
        bool is_declaration;
        *symbol = statement_symbol(statement->kind, &is_declaration);
        if (is_declaration && (*symbol == EVS_SYMBOL_PARAM) == is_param && evs_ident_given(&statement->name) &&
            evs_slice_equal_nocase(name, statement->name.text.data)) {
            return statement;
        }
    }
    return NULL;
}

static bool is_in(const struct evs_lsp_analysis *analysis, struct evs_place place, const char *identity,
                  uint32_t offset)
{
    const struct evs_source_text *text = evs_sources_find(analysis->sources, place.file);
    return text != NULL && strcmp(text->identity, identity) == 0 && place.offset <= offset &&
           offset <= place.offset + place.count;
}

/* A name that the binder has resolved, or one that it has seen declared. */
static bool find_sighted(struct target *target, const char *identity, const struct evs_token *token)
{
    const struct evs_index *index = &target->analysis->index;
    const struct evs_sighting *sighting = evs_lsp_sighting(target->analysis, identity, token->offset);
    if (sighting != NULL && sighting->place.offset + sighting->place.count >= token->offset + token->count) {
        target->declared = sighting->declared;
        target->symbol = sighting->symbol;
        target->name = sighting->name;
        target->at = sighting->place;
        return true;
    }
    for (uint32_t i = 0; i < index->count; i++) { /* an alias, which is a name where it is used only */
        sighting = &index->sightings[i];
        if (sighting->declared.file != NULL && is_in(target->analysis, sighting->declared, identity, token->offset)) {
            target->declared = sighting->declared;
            target->symbol = sighting->symbol;
            target->name = sighting->name;
            target->at = sighting->declared;
            return true;
        }
    }
    return false;
}

/* By the word alone. A parameter stands behind @. */
static bool find_by_word(struct target *target, const char *identity, const struct evs_lsp_syntax *syntax,
                         uint32_t token)
{
    const struct evs_token *at = &syntax->tokens[token];
    bool is_member = token > 0 && at[-1].kind == EVS_TOKEN_DOT;
    bool declares_param = token > 0 && at[-1].kind == EVS_TOKEN_WORD && at[-1].word == EVS_WORD_PARAM;
    bool is_param = declares_param || (token > 0 && at[-1].kind == EVS_TOKEN_AT);
    const struct evs_ast_statement *statement =
        is_member ? NULL : find_declaration(&target->analysis->script, at->text, is_param, &target->symbol);
    if (statement == NULL) {
        return false;
    }
    target->declared = statement->name.place;
    target->name = statement->name.text.data;
    target->at = (struct evs_place){.line = at->line, .column = at->column, .offset = at->offset, .count = at->count};
    for (uint32_t i = 0; i < target->analysis->script.count; i++) {
        const struct evs_source_text *text =
            evs_sources_find(target->analysis->sources, target->analysis->script.statements[i]->place.file);
        if (text != NULL && strcmp(text->identity, identity) == 0) {
            target->at.file = text->file;
        }
    }
    return target->at.file != NULL;
}

static bool find_target(struct evs_lsp_server *server, struct evs_lsp_document *document, uint32_t offset,
                        struct target *target)
{
    const struct evs_lsp_syntax *syntax = evs_lsp_syntax_of(document);
    uint32_t token = evs_lsp_token_at(syntax, offset);
    bool is_name = token < syntax->token_count &&
                   (syntax->tokens[token].kind == EVS_TOKEN_WORD || syntax->tokens[token].kind == EVS_TOKEN_QUOTED);
    *target = (struct target){.analysis = evs_lsp_view(server, document)};
    return is_name && (find_sighted(target, document->identity, &syntax->tokens[token]) ||
                       find_by_word(target, document->identity, syntax, token));
}

/* --- all places of a name ------------------------------------------------------------------------------------------------------------------ */

struct places {
    struct evs_place *items;
    uint32_t count, capacity;
};

static int compare_places(const void *left, const void *right)
{
    const struct evs_place *a = left, *b = right;
    int order = strcmp(a->file, b->file);
    return order != 0 ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

static void add_place(struct places *places, struct evs_place place)
{
    EVS_GROW(places->items, places->count, places->capacity);
    places->items[places->count++] = place;
}

static bool same_place(struct evs_place a, struct evs_place b)
{
    return a.offset == b.offset && evs_lsp_same_file(a.file, b.file);
}

/* Names in tests, which no binder sees. */
static void add_test_places(const struct target *target, struct places *places)
{
    const struct evs_script *script = &target->analysis->script;
    for (uint32_t i = 0; i < script->count; i++) {
        const struct evs_ast_statement *statement = script->statements[i];
        for (uint32_t k = 0; statement->kind == EVS_STATEMENT_TEST && k < statement->test.step_count; k++) {
            const struct evs_ast_test_step *step = &statement->test.steps[k];
            bool is_param = step->kind == EVS_TEST_WITH;
            bool has_name = is_param || step->kind == EVS_TEST_GIVEN || step->kind == EVS_TEST_EXPECT;
            bool is_it = has_name && (target->symbol == EVS_SYMBOL_PARAM) == is_param &&
                         target->symbol != EVS_SYMBOL_COLUMN && target->symbol != EVS_SYMBOL_ROW &&
                         evs_slice_equal_nocase(step->name.text, target->name);
            if (is_it) {
                add_place(places, step->name.place);
            }
        }
    }
}

static void sort_places(struct places *places)
{
    uint32_t kept = 0;
    if (places->count == 0) {
        return;
    }
    qsort(places->items, places->count, sizeof *places->items, compare_places);
    for (uint32_t i = 1; i < places->count; i++) {
        if (!same_place(places->items[i], places->items[kept])) {
            places->items[++kept] = places->items[i];
        }
    }
    places->count = kept + 1;
}

/* Every name in the pipeline that means the target, each once, by file and place; with the declaration itself. */
static struct places find_places(const struct target *target)
{
    struct places places = {0};
    const struct evs_index *index = &target->analysis->index;
    for (uint32_t i = 0; target->declared.file != NULL && i < index->count; i++) {
        if (same_place(index->sightings[i].declared, target->declared)) {
            add_place(&places, index->sightings[i].place);
        }
    }
    if (target->declared.file != NULL) {
        add_place(&places, target->declared);
    }
    add_test_places(target, &places);
    sort_places(&places);
    return places;
}

/* --- answers --------------------------------------------------------------------------------------------------------------------------------- */

/* The lines of a file: of the open document, or made for the moment. */
static const struct evs_lsp_lines *lines_of(const struct evs_lsp_server *server, const struct evs_source_text *text,
                                            struct evs_lsp_lines *made)
{
    const struct evs_lsp_document *document = evs_lsp_find_identity(server, text->identity);
    if (document != NULL) {
        return &document->lines;
    }
    evs_lsp_lines_make(made, text->text);
    return made;
}

static void put_location(struct evs_lsp_server *server, struct evs_buffer *out, const struct evs_lsp_analysis *analysis,
                         struct evs_place place)
{
    const struct evs_source_text *text = evs_sources_find(analysis->sources, place.file);
    struct evs_lsp_lines made = {0};
    const struct evs_lsp_lines *lines = lines_of(server, text, &made);
    evs_buffer_puts(out, "{\"uri\":");
    evs_json_put_text(out, evs_slice_of(evs_lsp_uri_of(server, text->identity)));
    evs_buffer_puts(out, ",\"range\":");
    evs_lsp_put_range(out, lines, server->utf8, place.offset, place.offset + place.count);
    evs_buffer_puts(out, "}");
    evs_lsp_lines_fini(&made);
}

/* The file that an import names: its beginning. */
static bool put_import(struct evs_lsp_server *server, struct evs_lsp_document *document, uint32_t offset,
                       struct evs_buffer *result)
{
    const struct evs_lsp_analysis *analysis = evs_lsp_view(server, document);
    for (uint32_t i = 0; i < analysis->script.count; i++) {
        const struct evs_ast_statement *statement = analysis->script.statements[i];
        if (statement->kind != EVS_STATEMENT_IMPORT || statement->is_broken ||
            !is_in(analysis, statement->place, document->identity, offset)) {
            continue;
        }
        struct evs_arena *arena = &server->arena;
        const char *path = evs_source_resolve(arena, statement->place.file, evs_str_slice(&statement->path));
        const struct evs_source_text *text = NULL;
        struct evs_error error;
        if (evs_sources_load(analysis->sources, path, &text, &error) == EVS_OK) {
            evs_buffer_puts(result, "{\"uri\":");
            evs_json_put_text(result, evs_slice_of(evs_lsp_uri_of(server, text->identity)));
            evs_buffer_puts(
                result, ",\"range\":{\"start\":{\"line\":0,\"character\":0},\"end\":{\"line\":0,\"character\":0}}}");
            return true;
        }
    }
    return false;
}

enum evs_lsp_error evs_lsp_definition(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    struct evs_lsp_document *document;
    struct target target;
    uint32_t offset;
    if (!evs_lsp_at(server, params, &document, &offset)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    if (find_target(server, document, offset, &target) && target.declared.file != NULL) {
        put_location(server, result, target.analysis, target.declared);
    } else if (!put_import(server, document, offset, result)) {
        evs_buffer_puts(result, "null");
    }
    return EVS_LSP_OK;
}

enum evs_lsp_error evs_lsp_references(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    struct evs_lsp_document *document;
    struct target target;
    struct evs_slice value;
    uint32_t offset;
    if (!evs_lsp_at(server, params, &document, &offset)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    bool with_declaration =
        !evs_lsp_get(params, "context.includeDeclaration", &value) || evs_slice_equal(value, EVS_SLICE("true"));
    struct places places = {0};
    if (find_target(server, document, offset, &target)) {
        places = find_places(&target);
    }
    evs_buffer_puts(result, "[");
    for (uint32_t i = 0; i < places.count; i++) {
        if (with_declaration || !same_place(places.items[i], target.declared)) {
            evs_buffer_puts(result, result->data[result->count - 1] == '[' ? "" : ",");
            put_location(server, result, target.analysis, places.items[i]);
        }
    }
    evs_buffer_puts(result, "]");
    evs_free(places.items);
    return EVS_LSP_OK;
}

enum evs_lsp_error evs_lsp_highlight(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    struct evs_lsp_document *document;
    struct target target;
    uint32_t offset;
    if (!evs_lsp_at(server, params, &document, &offset)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    struct places places = {0};
    if (find_target(server, document, offset, &target)) {
        places = find_places(&target);
    }
    evs_buffer_puts(result, "[");
    for (uint32_t i = 0; i < places.count; i++) {
        struct evs_place place = places.items[i];
        if (!is_in(target.analysis, place, document->identity, place.offset)) {
            continue;
        }
        evs_buffer_printf(result, "%s{\"kind\":%d,\"range\":", result->data[result->count - 1] == '[' ? "" : ",",
                          same_place(place, target.declared) ? 3 : 2);
        evs_lsp_put_range(result, &document->lines, server->utf8, place.offset, place.offset + place.count);
        evs_buffer_puts(result, "}");
    }
    evs_buffer_puts(result, "]");
    evs_free(places.items);
    return EVS_LSP_OK;
}

/* --- renaming --------------------------------------------------------------------------------------------------------------------------------- */

struct edit {
    struct evs_place place;
    const char *text; /* in the message's arena */
};

struct renaming {
    struct evs_lsp_server *server;
    struct target target;
    struct places places;
    struct edit *edits;  /* one a place, by file and place */
    const char *written; /* the new name, in backticks where it needs them */
};

/* A column that has its function's name. */
static bool is_function(const struct target *target)
{
    struct evs_lsp_syntax *syntax =
        evs_lsp_syntax_new(evs_sources_find(target->analysis->sources, target->declared.file)->text);
    bool is_it = syntax->marks.of[target->declared.offset] & EVS_MARK_FUNCTION;
    evs_lsp_syntax_free(syntax);
    return is_it;
}

static bool check_target(struct evs_lsp_server *server, struct evs_lsp_document *document, uint32_t offset,
                         struct target *target)
{
    if (!find_target(server, document, offset, target)) {
        evs_lsp_fail(server, "There is no name here that could be changed.");
        return false;
    }
    if (target->declared.file == NULL) {
        evs_lsp_fail(server, "`%s` is made by the language, and keeps its name.", target->name);
        return false;
    }
    if (evs_diagnostics_errors(target->analysis->diagnostics) > 0 && !target->analysis->is_right) {
        evs_lsp_fail(server, "The pipeline has mistakes, so that not every use of `%s` is known. Mend them first.",
                     target->name);
        return false;
    }
    if (is_function(target)) {
        evs_lsp_fail(server, "`%s` is called as its function is. Give it an alias first: … as NAME.", target->name);
        return false;
    }
    return true;
}

enum evs_lsp_error evs_lsp_prepare_rename(struct evs_lsp_server *server, struct evs_slice params,
                                          struct evs_buffer *result)
{
    struct evs_lsp_document *document;
    struct target target;
    uint32_t offset;
    if (!evs_lsp_at(server, params, &document, &offset)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    if (!check_target(server, document, offset, &target)) {
        return EVS_LSP_REQUEST_FAILED;
    }
    evs_buffer_puts(result, "{\"range\":");
    evs_lsp_put_range(result, &document->lines, server->utf8, target.at.offset, target.at.offset + target.at.count);
    evs_buffer_puts(result, ",\"placeholder\":");
    evs_json_put_text(result, evs_slice_of(target.name));
    evs_buffer_puts(result, "}");
    return EVS_LSP_OK;
}

/* The column of a source or table that is declared here; NULL: it is another thing. */
static const struct evs_ast_column *declared_column(const struct renaming *renaming)
{
    const struct evs_script *script = &renaming->target.analysis->script;
    for (uint32_t i = 0; i < script->count; i++) {
        const struct evs_ast_statement *statement = script->statements[i];
        const struct evs_ast_columns *columns = statement->kind == EVS_STATEMENT_SOURCE  ? &statement->source.columns
                                                : statement->kind == EVS_STATEMENT_TABLE ? &statement->table.columns
                                                                                         : NULL;
        for (uint32_t k = 0; columns != NULL && k < columns->count; k++) {
            if (same_place(columns->items[k].name.place, renaming->target.declared)) {
                return statement->kind == EVS_STATEMENT_SOURCE ? &columns->items[k] : NULL;
            }
        }
    }
    return NULL;
}

static bool ends_item(enum evs_token_kind kind)
{
    return kind == EVS_TOKEN_COMMA || kind == EVS_TOKEN_PIPE || kind == EVS_TOKEN_SEMICOLON || kind == EVS_TOKEN_END ||
           kind == EVS_TOKEN_RIGHT_PAREN;
}

static bool begins_item(const struct evs_token *token)
{
    return token->kind == EVS_TOKEN_COMMA ||
           (token->kind == EVS_TOKEN_WORD && (token->word == EVS_WORD_SELECT || token->word == EVS_WORD_BY ||
                                              token->word == EVS_WORD_EXTEND || token->word == EVS_WORD_DISTINCT ||
                                              token->word == EVS_WORD_AGGREGATE || token->word == EVS_WORD_MEASURES));
}

/* Whether the name at a place names a column of the result as well: an item of a list, alone, without an alias. */
static bool names_result(const struct evs_lsp_syntax *syntax, uint32_t offset)
{
    uint32_t token = evs_lsp_token_at(syntax, offset), first = token, depth = 0;
    EVS_ASSERT(token < syntax->token_count);
    while (first >= 2 && syntax->tokens[first - 1].kind == EVS_TOKEN_DOT) {
        first -= 2;
    }
    bool is_alone = first > 0 && begins_item(&syntax->tokens[first - 1]) &&
                    (ends_item(syntax->tokens[token + 1].kind) ||
                     (syntax->tokens[token + 1].kind == EVS_TOKEN_WORD && syntax->tokens[token + 1].first_on_line));
    uint32_t at = first;
    while (is_alone && at-- > 0) { /* the operator that the list belongs to */
        const struct evs_token *before = &syntax->tokens[at];
        depth += before->kind == EVS_TOKEN_RIGHT_PAREN;
        if (before->kind == EVS_TOKEN_LEFT_PAREN && depth-- == 0) {
            return false; /* arguments of a call, a list of columns */
        }
        bool is_list = depth == 0 && before->kind == EVS_TOKEN_WORD &&
                       (before->word == EVS_WORD_SELECT || before->word == EVS_WORD_EXTEND ||
                        before->word == EVS_WORD_AGGREGATE || before->word == EVS_WORD_MEASURES);
        if (is_list) {
            return true;
        }
        if (before->kind == EVS_TOKEN_PIPE || before->kind == EVS_TOKEN_SEMICOLON) {
            return false;
        }
    }
    return false;
}

/* A column that is declared by being selected, without an alias: its name is that of another column, or of a field, which keeps it. */
static bool is_implied(const struct renaming *renaming, const struct evs_lsp_syntax *syntax, struct evs_place place)
{
    const struct evs_index *index = &renaming->target.analysis->index;
    for (uint32_t i = 0; i < index->count; i++) {
        if (same_place(index->sightings[i].place, place) && !same_place(index->sightings[i].declared, place)) {
            return true;
        }
    }
    uint32_t token = evs_lsp_token_at(syntax, place.offset);
    return token > 0 && token < syntax->token_count && syntax->tokens[token - 1].kind == EVS_TOKEN_DOT;
}

static const char *aliased(const struct renaming *renaming, const char *name, const char *alias)
{
    return evs_arena_printf(&renaming->server->arena, "%s as %s", name, alias);
}

/* What is written in place of the old name. */
static const char *text_at(const struct renaming *renaming, const struct evs_lsp_syntax *syntax, struct evs_place place,
                           const struct evs_ast_column *column)
{
    const char *name = renaming->written;
    if (renaming->target.symbol != EVS_SYMBOL_COLUMN || !names_result(syntax, place.offset)) {
        return name;
    }
    struct evs_buffer written = {0};
    evs_ast_print_ident(&written, evs_slice_of(renaming->target.name));
    const char *old = evs_arena_strndup(&renaming->server->arena, written.data, written.count);
    evs_buffer_fini(&written);
    bool is_declaration = same_place(place, renaming->target.declared) && column == NULL;
    return is_declaration && is_implied(renaming, syntax, place) ? aliased(renaming, old, name)
           : is_declaration                                      ? name
                                                                 : aliased(renaming, name, old);
}

/* A declaration `user_id string` that reads the field `user_id` becomes `uid string path '$.user_id'`. */
static void keep_path(struct renaming *renaming, const struct evs_ast_column *column, struct edit *edit)
{
    if (column == NULL || column->has_path) {
        return;
    }
    const struct evs_source_text *text = evs_sources_find(renaming->target.analysis->sources, edit->place.file);
    uint32_t type_end = column->type->place.offset + column->type->place.count;
    uint32_t between = edit->place.offset + edit->place.count;
    edit->text = evs_arena_printf(&renaming->server->arena, "%s%.*s path '$.\"%s\"'", edit->text,
                                  (int)(type_end - between), text->text.data + between, renaming->target.name);
    edit->place.count = type_end - edit->place.offset;
}

static void make_edits(struct renaming *renaming)
{
    const struct evs_ast_column *column = declared_column(renaming);
    struct evs_lsp_syntax *syntax = NULL;
    const char *file = NULL;
    renaming->edits = EVS_ARENA_ARRAY(&renaming->server->arena, struct edit, renaming->places.count);
    for (uint32_t i = 0; i < renaming->places.count; i++) {
        struct evs_place place = renaming->places.items[i];
        if (!evs_lsp_same_file(place.file, file)) {
            evs_lsp_syntax_free(syntax);
            syntax = evs_lsp_syntax_new(evs_sources_find(renaming->target.analysis->sources, place.file)->text);
            file = place.file;
        }
        renaming->edits[i] = (struct edit){place, text_at(renaming, syntax, place, column)};
        if (column != NULL && same_place(place, renaming->target.declared)) {
            renaming->edits[i].text = renaming->written;
            keep_path(renaming, column, &renaming->edits[i]);
        }
    }
    evs_lsp_syntax_free(syntax);
}

/* The text of a file with its edits. */
static struct evs_slice changed_text(const struct renaming *renaming, const struct evs_source_text *text)
{
    struct evs_buffer out = {0};
    uint32_t from = 0;
    for (uint32_t i = 0; i < renaming->places.count; i++) {
        const struct edit *edit = &renaming->edits[i];
        if (evs_lsp_same_file(edit->place.file, text->file)) {
            evs_buffer_put(&out, text->text.data + from, edit->place.offset - from);
            evs_buffer_puts(&out, edit->text);
            from = edit->place.offset + edit->place.count;
        }
    }
    evs_buffer_put(&out, text->text.data + from, text->text.count - from);
    const char *copy = evs_arena_strndup(&renaming->server->arena, out.data, out.count);
    struct evs_slice slice = {copy, out.count};
    evs_buffer_fini(&out);
    return slice;
}

static bool is_first_of_file(const struct renaming *renaming, uint32_t index)
{
    return index == 0 || !evs_lsp_same_file(renaming->edits[index].place.file, renaming->edits[index - 1].place.file);
}

/* Compiles one pipeline with the change; false: told. */
static bool check_pipeline(struct renaming *renaming, const char *root, const struct evs_lsp_analysis *before,
                           const struct evs_lsp_replaced *replaced, uint32_t count)
{
    struct evs_lsp_question question = {.root = root, .replaced = replaced, .replaced_count = count};
    struct evs_lsp_analysis *after = evs_lsp_analyse(renaming->server, &question);
    bool is_same = after->sinks.count == before->sinks.count &&
                   (after->sinks.count == 0 || memcmp(after->sinks.data, before->sinks.data, after->sinks.count) == 0);
    bool is_right = after->is_right == before->is_right && is_same &&
                    evs_diagnostics_errors(after->diagnostics) == evs_diagnostics_errors(before->diagnostics);
    if (!is_right && evs_diagnostics_errors(after->diagnostics) > evs_diagnostics_errors(before->diagnostics)) {
        struct evs_diag_view first = evs_diagnostics_at(after->diagnostics, 0);
        evs_lsp_fail(renaming->server, "`%s` cannot be the name: %s.", renaming->written, first.message);
    } else if (!is_right) {
        evs_lsp_fail(
            renaming->server,
            "With another name for `%s` rows would leave the pipeline with other columns. Give the column an alias "
            "before the sink: |> select …, %s as %s.",
            renaming->target.name, renaming->target.name, renaming->target.name);
    }
    evs_lsp_analysis_free(after);
    return is_right;
}

/* Every open pipeline that reads one of the changed files, and the one in which the name was found. */
static bool check_all(struct renaming *renaming)
{
    struct evs_lsp_server *server = renaming->server;
    struct evs_lsp_replaced *replaced =
        EVS_ARENA_ARRAY(&server->arena, struct evs_lsp_replaced, renaming->places.count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < renaming->places.count; i++) {
        if (is_first_of_file(renaming, i)) {
            const struct evs_source_text *text =
                evs_sources_find(renaming->target.analysis->sources, renaming->edits[i].place.file);
            replaced[count++] = (struct evs_lsp_replaced){text->identity, changed_text(renaming, text)};
        }
    }
    for (uint32_t i = 0; i < server->document_count; i++) {
        struct evs_lsp_document *document = server->documents[i];
        const struct evs_lsp_analysis *own = evs_lsp_own_analysis(server, document);
        bool reads = false;
        for (uint32_t k = 0; k < count; k++) {
            reads = reads || evs_lsp_has_file(own, replaced[k].identity);
        }
        if (reads && !check_pipeline(renaming, document->identity, own, replaced, count)) {
            return false;
        }
    }
    return true;
}

static void put_edits(struct renaming *renaming, struct evs_buffer *result)
{
    struct evs_lsp_server *server = renaming->server;
    struct evs_lsp_lines made = {0};
    const struct evs_lsp_lines *lines = NULL;
    evs_buffer_puts(result, "{\"changes\":{");
    for (uint32_t i = 0; i < renaming->places.count; i++) {
        const struct edit *edit = &renaming->edits[i];
        if (is_first_of_file(renaming, i)) {
            const struct evs_source_text *text = evs_sources_find(renaming->target.analysis->sources, edit->place.file);
            evs_buffer_puts(result, i > 0 ? "]," : "");
            evs_json_put_text(result, evs_slice_of(evs_lsp_uri_of(server, text->identity)));
            evs_buffer_puts(result, ":[");
            evs_lsp_lines_fini(&made);
            lines = lines_of(server, text, &made);
        } else {
            evs_buffer_puts(result, ",");
        }
        evs_buffer_puts(result, "{\"range\":");
        evs_lsp_put_range(result, lines, server->utf8, edit->place.offset, edit->place.offset + edit->place.count);
        evs_buffer_puts(result, ",\"newText\":");
        evs_json_put_text(result, evs_slice_of(edit->text));
        evs_buffer_puts(result, "}");
    }
    evs_buffer_puts(result, renaming->places.count > 0 ? "]}}" : "}}");
    evs_lsp_lines_fini(&made);
}

static const char *written_name(struct evs_lsp_server *server, struct evs_slice name)
{
    bool has_backticks = name.count > 2 && name.data[0] == '`' && name.data[name.count - 1] == '`';
    struct evs_slice bare = has_backticks ? (struct evs_slice){name.data + 1, name.count - 2} : name;
    struct evs_buffer text = {0};
    evs_ast_print_ident(&text, bare);
    const char *written = evs_arena_strndup(&server->arena, text.data, text.count);
    evs_buffer_fini(&text);
    return written;
}

enum evs_lsp_error evs_lsp_rename(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    struct renaming renaming = {.server = server};
    struct evs_lsp_document *document;
    struct evs_slice name;
    uint32_t offset;
    if (!evs_lsp_at(server, params, &document, &offset) || !evs_lsp_string(&server->arena, params, "newName", &name)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    if (name.count == 0 || memchr(name.data, '\n', name.count) != NULL || strlen(name.data) != name.count) {
        return evs_lsp_fail(server, "A name is not empty and stands on one line.");
    }
    if (!check_target(server, document, offset, &renaming.target)) {
        return EVS_LSP_REQUEST_FAILED;
    }
    renaming.written = written_name(server, name);
    renaming.places = find_places(&renaming.target);
    make_edits(&renaming);
    bool is_right = check_all(&renaming);
    if (is_right) {
        put_edits(&renaming, result);
    }
    evs_free(renaming.places.items);
    return is_right ? EVS_LSP_OK : EVS_LSP_REQUEST_FAILED;
}
