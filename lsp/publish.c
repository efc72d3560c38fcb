/* Diagnostics as they change, and the repairs that their hints name.
 *
 * A text is checked as the root of a pipeline, and what its imports say wrong is published under their own URIs. A document that an open pipeline
 * imports is not checked alone: its parameters and sinks may be declared in the pipeline, and unused names are used there. */
#include "diag_private.h"
#include "evstream/json_value.h"
#include "server.h"

/* --- one diagnostic ----------------------------------------------------------------------------------------------------------- */

/* Of a text that is open or not; `made` must be freed. */
struct located {
    const char *identity;
    const struct evs_lsp_lines *lines;
    struct evs_lsp_lines made;
};

/* False when the place is in no text. */
static bool locate(const struct evs_lsp_server *server, const struct evs_lsp_analysis *analysis, struct evs_place place,
                   struct located *located)
{
    *located = (struct located){0};
    const struct evs_source_text *text = evs_sources_find(analysis->sources, place.file);
    if (text == NULL) {
        return false;
    }
    const struct evs_lsp_document *document = evs_lsp_find_identity(server, text->identity);
    located->identity = text->identity;
    if (document != NULL) {
        located->lines = &document->lines;
    } else {
        evs_lsp_lines_make(&located->made, text->text);
        located->lines = &located->made;
    }
    return true;
}

static void put_place(const struct evs_lsp_server *server, struct evs_buffer *out, const struct located *located,
                      struct evs_place place)
{
    uint32_t count = (uint32_t)located->lines->text.count;
    uint32_t start = place.offset < count ? place.offset : count;
    uint32_t end = place.count < count - start ? start + place.count : count;
    evs_lsp_put_range(out, located->lines, server->utf8, start, end);
}

/* A file without a query is no mistake while it is written: it may be there to be imported. */
static int severity_of(const struct evs_diag *diag)
{
    static const int severities[] = {[EVS_SEVERITY_ERROR] = 1, [EVS_SEVERITY_WARNING] = 2, [EVS_SEVERITY_INFO] = 3};
    return diag->code == EVS_E0410 ? 3 : severities[evs_code_severity(diag->code)];
}

static void put_message(struct evs_buffer *out, const struct evs_diag *diag)
{
    struct evs_buffer text = {0};
    evs_buffer_puts(&text, diag->message);
    if (diag->hint != NULL) {
        evs_buffer_printf(&text, "\n%s", diag->hint);
    }
    for (const struct evs_diag_remark *note = diag->notes; note != NULL; note = note->next) {
        if (note->place.file == NULL) {
            evs_buffer_printf(&text, "\nnote: %s", note->text);
        }
    }
    evs_json_put_text(out, (struct evs_slice){text.data, text.count});
    evs_buffer_fini(&text);
}

static void put_related(struct evs_lsp_server *server, struct evs_buffer *out, const struct evs_lsp_analysis *analysis,
                        const struct evs_diag *diag)
{
    const char *before = ",\"relatedInformation\":[";
    for (const struct evs_diag_remark *note = diag->notes; note != NULL; note = note->next) {
        struct located located;
        if (!locate(server, analysis, note->place, &located)) {
            continue;
        }
        evs_buffer_printf(out, "%s{\"location\":{\"uri\":", before);
        evs_json_put_text(out, evs_slice_of(evs_lsp_uri_of(server, located.identity)));
        evs_buffer_puts(out, ",\"range\":");
        put_place(server, out, &located, note->place);
        evs_buffer_puts(out, "},\"message\":");
        evs_json_put_text(out, evs_slice_of(note->text));
        evs_buffer_puts(out, "}");
        evs_lsp_lines_fini(&located.made);
        before = ",";
    }
    evs_buffer_puts(out, before[1] == '\0' ? "]" : "");
}

static void put_diagnostic(struct evs_lsp_server *server, struct evs_buffer *out,
                           const struct evs_lsp_analysis *analysis, const struct located *located,
                           const struct evs_diag *diag)
{
    const struct evs_code_info *info = evs_code_info(diag->code);
    evs_buffer_puts(out, "{\"range\":");
    put_place(server, out, located, diag->place);
    evs_buffer_printf(out, ",\"severity\":%d,\"code\":\"%s\",\"source\":\"evstream\"", severity_of(diag), info->name);
    if (server->reference != NULL) {
        evs_buffer_puts(out, ",\"codeDescription\":{\"href\":");
        struct evs_buffer link = {0};
        evs_buffer_printf(&link, "%s#diagnostics", server->reference);
        evs_json_put_text(out, (struct evs_slice){link.data, link.count});
        evs_buffer_fini(&link);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, ",\"message\":");
    put_message(out, diag);
    if (diag->code == EVS_W0003) {
        evs_buffer_puts(out, ",\"tags\":[1]"); /* unnecessary */
    }
    put_related(server, out, analysis, diag);
    evs_buffer_puts(out, "}");
}

/* --- all of a text ---------------------------------------------------------------------------------------------------------------- */

/* Adds what an analysis says about a file, unless another pipeline has said the same. */
static void put_of_file(struct evs_lsp_server *server, struct evs_buffer *out, const struct evs_lsp_analysis *analysis,
                        const char *identity)
{
    struct evs_diag **sorted = evs_diagnostics_sorted(analysis->diagnostics);
    struct evs_buffer one = {0};
    for (uint32_t i = 0; i < evs_diagnostics_count(analysis->diagnostics); i++) {
        struct located located;
        if (!locate(server, analysis, sorted[i]->place, &located)) {
            continue;
        }
        one.count = 0;
        if (strcmp(located.identity, identity) == 0) {
            put_diagnostic(server, &one, analysis, &located, sorted[i]);
        }
        bool is_told = one.count == 0 || memmem(out->data, out->count, one.data, one.count) != NULL;
        if (!is_told) {
            evs_buffer_puts(out, out->data[out->count - 1] == '[' ? "" : ",");
            evs_buffer_put(out, one.data, one.count);
        }
        evs_lsp_lines_fini(&located.made);
    }
    evs_buffer_fini(&one);
    evs_free(sorted);
}

static bool is_imported(const struct evs_lsp_server *server, const struct evs_lsp_document *document)
{
    for (uint32_t i = 0; i < server->document_count; i++) {
        struct evs_lsp_document *other = server->documents[i];
        if (other != document && evs_lsp_has_file(evs_lsp_own_analysis(server, other), document->identity)) {
            return true;
        }
    }
    return false;
}

/* Two files that import each other are each a root. */
static bool is_root(const struct evs_lsp_server *server, struct evs_lsp_document *document)
{
    if (!is_imported(server, document)) {
        return true;
    }
    const struct evs_lsp_analysis *own = evs_lsp_own_analysis(server, document);
    for (uint32_t i = 0; i < server->document_count; i++) {
        struct evs_lsp_document *other = server->documents[i];
        bool is_circle = other != document && evs_lsp_has_file(own, other->identity) &&
                         evs_lsp_has_file(evs_lsp_own_analysis(server, other), document->identity);
        if (is_circle) {
            return true;
        }
    }
    return false;
}

static void put_diagnostics(struct evs_lsp_server *server, struct evs_buffer *out, const char *identity)
{
    evs_buffer_puts(out, "[");
    for (uint32_t i = 0; i < server->document_count; i++) {
        struct evs_lsp_document *document = server->documents[i];
        if (is_root(server, document)) {
            put_of_file(server, out, evs_lsp_own_analysis(server, document), identity);
        }
    }
    evs_buffer_puts(out, "]");
}

/* --- publishing ------------------------------------------------------------------------------------------------------------------- */

static bool take_published(struct evs_lsp_server *server, const char *identity)
{
    for (uint32_t i = 0; i < server->published_count; i++) {
        if (strcmp(server->published[i], identity) == 0) {
            evs_free(server->published[i]);
            server->published[i] = server->published[--server->published_count];
            return true;
        }
    }
    return false;
}

/* An open document always gets an answer to its change; a file beside it when there is something to say, or no longer. */
static void publish_file(struct evs_lsp_server *server, const char *identity)
{
    struct evs_buffer list = {0}, out = {0};
    const struct evs_lsp_document *document = evs_lsp_find_identity(server, identity);
    put_diagnostics(server, &list, identity);
    bool is_empty = list.count == 2, was_published = take_published(server, identity);
    if (document != NULL || !is_empty || was_published) {
        evs_buffer_puts(&out, "\"method\":\"textDocument/publishDiagnostics\",\"params\":{\"uri\":");
        evs_json_put_text(&out, evs_slice_of(evs_lsp_uri_of(server, identity)));
        if (document != NULL) {
            evs_buffer_printf(&out, ",\"version\":%lld", (long long)document->version);
        }
        evs_buffer_puts(&out, ",\"diagnostics\":");
        evs_buffer_put(&out, list.data, list.count);
        evs_buffer_puts(&out, "}");
        evs_lsp_send(server, (struct evs_slice){out.data, out.count});
    }
    if (!is_empty) {
        EVS_GROW(server->published, server->published_count, server->published_capacity);
        server->published[server->published_count++] = evs_strdup(identity);
    }
    evs_buffer_fini(&list);
    evs_buffer_fini(&out);
}

struct identities {
    const char **items;
    uint32_t count, capacity;
};

static void add_identity(struct evs_lsp_server *server, struct identities *list, const char *identity)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], identity) == 0) {
            return;
        }
    }
    EVS_GROW(list->items, list->count, list->capacity);
    list->items[list->count++] = evs_arena_strndup(&server->arena, identity, strlen(identity));
}

static void add_files(struct evs_lsp_server *server, struct identities *list, const struct evs_lsp_analysis *analysis)
{
    const char *last = NULL;
    for (uint32_t i = 0; i < analysis->script.count; i++) {
        const char *file = analysis->script.statements[i]->place.file;
        const struct evs_source_text *text = file != last ? evs_sources_find(analysis->sources, file) : NULL;
        if (text != NULL) {
            add_identity(server, list, text->identity);
        }
        last = file;
    }
}

void evs_lsp_publish(struct evs_lsp_server *server)
{
    struct identities files = {0};
    bool any = false;
    for (uint32_t i = 0; i < server->document_count; i++) {
        struct evs_lsp_document *document = server->documents[i];
        any = any || document->is_stale;
        if (document->is_stale) {
            add_identity(server, &files, document->identity);
            add_files(server, &files, evs_lsp_own_analysis(server, document));
            document->is_stale = false;
        }
    }
    for (uint32_t i = 0; i < server->published_count; i++) { /* what nobody imports any more, or is closed */
        add_identity(server, &files, server->published[i]);
    }
    for (uint32_t i = 0; (any || server->published_count > 0) && i < files.count; i++) {
        bool is_open = evs_lsp_find_identity(server, files.items[i]) != NULL;
        if (any || !is_open) {
            publish_file(server, files.items[i]);
        }
    }
    evs_free(files.items);
}

void evs_lsp_publish_fini(struct evs_lsp_server *server)
{
    for (uint32_t i = 0; i < server->published_count; i++) {
        evs_free(server->published[i]);
    }
    evs_free(server->published);
}

/* --- quick fixes ------------------------------------------------------------------------------------------------------------------ */

/* The word to write instead, out of a hint; false: the hint names none. */
static bool repair_of(const struct evs_diag *diag, struct evs_slice *word)
{
    static const char *const beginnings[] = {"did you mean `", "write it in backticks: "};
    for (size_t i = 0; diag->hint != NULL && i < EVS_COUNT(beginnings); i++) {
        size_t count = strlen(beginnings[i]);
        if (strncmp(diag->hint, beginnings[i], count) == 0) {
            const char *start = diag->hint + count;
            const char *end = i == 0 ? strrchr(start, '`') : start + strlen(start);
            *word = (struct evs_slice){start, end != NULL ? (size_t)(end - start) : 0};
            return word->count > 0 && diag->place.count > 0;
        }
    }
    return false;
}

static bool is_name_code(enum evs_code code)
{
    return code == EVS_E0201 || code == EVS_E0202 || code == EVS_E0203;
}

static void put_action(struct evs_lsp_server *server, struct evs_buffer *out, const struct evs_lsp_analysis *analysis,
                       const struct located *located, const struct evs_diag *diag, struct evs_slice word)
{
    struct evs_buffer text = {0}, title = {0};
    if (is_name_code(diag->code)) {
        evs_ast_print_ident(&text, word);
    } else {
        evs_buffer_put(&text, word.data, word.count);
    }
    evs_buffer_printf(&title, "Write %.*s", (int)text.count, text.data);
    evs_buffer_puts(out, "{\"title\":");
    evs_json_put_text(out, (struct evs_slice){title.data, title.count});
    evs_buffer_puts(out, ",\"kind\":\"quickfix\",\"isPreferred\":true,\"diagnostics\":[");
    put_diagnostic(server, out, analysis, located, diag);
    evs_buffer_puts(out, "],\"edit\":{\"changes\":{");
    evs_json_put_text(out, evs_slice_of(evs_lsp_uri_of(server, located->identity)));
    evs_buffer_puts(out, ":[{\"range\":");
    put_place(server, out, located, diag->place);
    evs_buffer_puts(out, ",\"newText\":");
    evs_json_put_text(out, (struct evs_slice){text.data, text.count});
    evs_buffer_puts(out, "}]}}}");
    evs_buffer_fini(&text);
    evs_buffer_fini(&title);
}

static bool touches(struct evs_place place, uint32_t start, uint32_t end)
{
    return place.offset <= end && start <= place.offset + place.count;
}

enum evs_lsp_error evs_lsp_code_action(struct evs_lsp_server *server, struct evs_slice params,
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
    const struct evs_lsp_analysis *analysis = evs_lsp_view(server, document);
    struct evs_diag **sorted = evs_diagnostics_sorted(analysis->diagnostics);
    evs_buffer_puts(result, "[");
    for (uint32_t i = 0; i < evs_diagnostics_count(analysis->diagnostics); i++) {
        struct located located;
        struct evs_slice word;
        if (!repair_of(sorted[i], &word) || !locate(server, analysis, sorted[i]->place, &located)) {
            continue;
        }
        if (strcmp(located.identity, document->identity) == 0 && touches(sorted[i]->place, start, end)) {
            evs_buffer_puts(result, result->count > 1 ? "," : "");
            put_action(server, result, analysis, &located, sorted[i], word);
        }
        evs_lsp_lines_fini(&located.made);
    }
    evs_buffer_puts(result, "]");
    evs_free(sorted);
    return EVS_LSP_OK;
}
