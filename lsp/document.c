/* Open texts: their lines, positions in them, and what clients do to them. */
#include <stdlib.h>

#include "evstream/json_value.h"
#include "server.h"

/* --- lines and positions -------------------------------------------------------------------------------------------------- */

static void add_line(struct evs_lsp_lines *lines, size_t start)
{
    EVS_GROW(lines->starts, lines->count, lines->capacity);
    lines->starts[lines->count++] = (uint32_t)start;
}

void evs_lsp_lines_make(struct evs_lsp_lines *lines, struct evs_slice text)
{
    EVS_ASSERT(text.count < UINT32_MAX);
    lines->text = text;
    lines->count = 0;
    add_line(lines, 0);
    for (size_t i = 0; i < text.count; i++) {
        bool is_pair = text.data[i] == '\r' && i + 1 < text.count && text.data[i + 1] == '\n';
        if (text.data[i] == '\n' || (text.data[i] == '\r' && !is_pair)) {
            add_line(lines, i + 1);
        }
    }
}

void evs_lsp_lines_fini(struct evs_lsp_lines *lines)
{
    evs_free(lines->starts);
    *lines = (struct evs_lsp_lines){0};
}

/* Where a line's own characters end: before its \n, \r\n or \r. */
static uint32_t line_end(const struct evs_lsp_lines *lines, uint32_t line)
{
    size_t end = line + 1 < lines->count ? lines->starts[line + 1] : lines->text.count;
    size_t start = lines->starts[line];
    while (end > start && (lines->text.data[end - 1] == '\n' || lines->text.data[end - 1] == '\r')) {
        end--;
    }
    return (uint32_t)end;
}

/* Bytes of the character that begins with `byte`; a document is valid UTF-8, for JSON is. */
static uint32_t character_bytes(uint8_t byte)
{
    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

uint32_t evs_lsp_offset(const struct evs_lsp_lines *lines, bool utf8, int64_t line, int64_t character)
{
    if (line < 0) {
        return 0;
    }
    if (line >= lines->count) {
        return (uint32_t)lines->text.count;
    }
    uint32_t at = lines->starts[line], end = line_end(lines, (uint32_t)line);
    while (at < end && character > 0) {
        uint32_t bytes = character_bytes((uint8_t)lines->text.data[at]);
        int64_t units = utf8 ? bytes : bytes == 4 ? 2 : 1;
        if (units > character) { /* inside a character: before it */
            break;
        }
        character -= units;
        at += bytes;
    }
    return at < end ? at : end;
}

static uint32_t line_of(const struct evs_lsp_lines *lines, uint32_t offset)
{
    uint32_t low = 0, high = lines->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (lines->starts[middle] <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static void put_position(struct evs_buffer *out, const struct evs_lsp_lines *lines, bool utf8, uint32_t offset)
{
    offset = offset < lines->text.count ? offset : (uint32_t)lines->text.count;
    uint32_t line = line_of(lines, offset), character = 0;
    for (uint32_t at = lines->starts[line]; at < offset;) {
        uint32_t bytes = character_bytes((uint8_t)lines->text.data[at]);
        character += utf8 ? bytes : bytes == 4 ? 2 : 1;
        at += bytes;
    }
    evs_buffer_printf(out, "{\"line\":%u,\"character\":%u}", line, character);
}

void evs_lsp_put_range(struct evs_buffer *out, const struct evs_lsp_lines *lines, bool utf8, uint32_t start,
                       uint32_t end)
{
    EVS_ASSERT(start <= end);
    evs_buffer_puts(out, "{\"start\":");
    put_position(out, lines, utf8, start);
    evs_buffer_puts(out, ",\"end\":");
    put_position(out, lines, utf8, end);
    evs_buffer_puts(out, "}");
}

/* --- URIs and paths --------------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The path of a file: URI, on the heap; NULL when it is no file of this machine. */
static char *path_of(struct evs_slice uri)
{
    static const char *const starts[] = {"file://localhost/", "file:///"};
    for (size_t i = 0; i < EVS_COUNT(starts); i++) {
        size_t count = strlen(starts[i]);
        if (uri.count < count || !evs_slice_equal_nocase((struct evs_slice){uri.data, count}, starts[i])) {
            continue;
        }
        struct evs_buffer path = {0};
        for (size_t at = count - 1; at < uri.count; at++) {
            bool is_escape = uri.data[at] == '%' && at + 2 < uri.count && hex_digit(uri.data[at + 1]) >= 0 &&
                             hex_digit(uri.data[at + 2]) >= 0;
            char byte =
                is_escape ? (char)(hex_digit(uri.data[at + 1]) * 16 + hex_digit(uri.data[at + 2])) : uri.data[at];
            at += is_escape ? 2 : 0;
            evs_buffer_put(&path, &byte, 1);
        }
        evs_buffer_put(&path, "", 1);
        return path.data;
    }
    return NULL;
}

/* What the same file is known by, however its URI is spelled. */
static char *identity_of(struct evs_slice uri)
{
    char *path = path_of(uri);
    if (path == NULL) {
        return evs_strndup(uri.data, uri.count);
    }
    char *real = realpath(path, NULL);
    char *identity = evs_strdup(real != NULL ? real : path);
    free(real); /* realpath allocates with libc's malloc */
    evs_free(path);
    return identity;
}

const char *evs_lsp_uri_of(struct evs_lsp_server *server, const char *identity)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    const struct evs_lsp_document *document = evs_lsp_find_identity(server, identity);
    if (document != NULL) {
        return document->uri;
    }
    struct evs_buffer uri = {0};
    evs_buffer_puts(&uri, identity[0] == '/' ? "file://" : "");
    for (const char *at = identity; *at != '\0'; at++) {
        if (identity[0] != '/' || strchr(plain, *at) != NULL) {
            evs_buffer_put(&uri, at, 1);
        } else {
            evs_buffer_printf(&uri, "%%%02X", (uint8_t)*at);
        }
    }
    const char *copy = evs_arena_strndup(&server->arena, uri.data, uri.count);
    evs_buffer_fini(&uri);
    return copy;
}

/* --- the list ----------------------------------------------------------------------------------------------------------------- */

struct evs_lsp_document *evs_lsp_find(const struct evs_lsp_server *server, struct evs_slice uri)
{
    for (uint32_t i = 0; i < server->document_count; i++) {
        if (evs_slice_equal(uri, evs_slice_of(server->documents[i]->uri))) {
            return server->documents[i];
        }
    }
    char *identity = identity_of(uri); /* the same file under another spelling */
    struct evs_lsp_document *document = evs_lsp_find_identity(server, identity);
    evs_free(identity);
    return document;
}

struct evs_lsp_document *evs_lsp_find_identity(const struct evs_lsp_server *server, const char *identity)
{
    for (uint32_t i = 0; i < server->document_count; i++) {
        if (strcmp(identity, server->documents[i]->identity) == 0) {
            return server->documents[i];
        }
    }
    return NULL;
}

static void free_document(struct evs_lsp_document *document)
{
    evs_lsp_forget(document);
    evs_lsp_lines_fini(&document->lines);
    evs_buffer_fini(&document->text);
    evs_free(document->uri);
    evs_free(document->identity);
    evs_free(document);
}

void evs_lsp_documents_free(struct evs_lsp_server *server)
{
    for (uint32_t i = 0; i < server->document_count; i++) {
        free_document(server->documents[i]);
    }
    evs_free(server->documents);
    server->documents = NULL;
    server->document_count = 0;
}

bool evs_lsp_document_of(struct evs_lsp_server *server, struct evs_slice params, struct evs_lsp_document **document)
{
    struct evs_slice uri;
    *document = NULL;
    if (evs_lsp_string(&server->arena, params, "textDocument.uri", &uri)) {
        *document = evs_lsp_find(server, uri);
    }
    return *document != NULL;
}

bool evs_lsp_at(struct evs_lsp_server *server, struct evs_slice params, struct evs_lsp_document **document,
                uint32_t *offset)
{
    if (!evs_lsp_document_of(server, params, document)) {
        return false;
    }
    *offset = evs_lsp_offset(&(*document)->lines, server->utf8, evs_lsp_number(params, "position.line", 0),
                             evs_lsp_number(params, "position.character", 0));
    return true;
}

/* --- changes -------------------------------------------------------------------------------------------------------------------- */

/* The document, and all pipelines that read it. */
static void make_stale(struct evs_lsp_server *server, const char *identity)
{
    for (uint32_t i = 0; i < server->document_count; i++) {
        struct evs_lsp_document *document = server->documents[i];
        bool reads = document->analysis != NULL &&
                     (evs_lsp_has_file(document->analysis, identity) || evs_lsp_misses_file(document->analysis));
        if (reads || strcmp(document->identity, identity) == 0) {
            evs_lsp_forget(document);
            document->is_stale = true;
        }
    }
}

static void text_changed(struct evs_lsp_server *server, struct evs_lsp_document *document)
{
    evs_lsp_lines_make(&document->lines, (struct evs_slice){document->text.data, document->text.count});
    make_stale(server, document->identity);
}

static bool replace(struct evs_lsp_document *document, uint32_t start, uint32_t end, struct evs_slice text)
{
    struct evs_buffer *old = &document->text;
    EVS_ASSERT(start <= end && end <= old->count);
    if (old->count - (end - start) + text.count > EVS_SOURCE_BYTES_MAX) {
        return false;
    }
    struct evs_buffer changed = {0};
    evs_buffer_reserve(&changed, start + text.count + (old->count - end) + 1);
    evs_buffer_put(&changed, old->data, start);
    evs_buffer_put(&changed, text.data, text.count);
    evs_buffer_put(&changed, old->data + end, old->count - end);
    evs_buffer_fini(old);
    *old = changed;
    return true;
}

enum evs_lsp_error evs_lsp_did_open(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    (void)result;
    struct evs_slice uri, text;
    if (!evs_lsp_string(&server->arena, params, "textDocument.uri", &uri) ||
        !evs_lsp_string(&server->arena, params, "textDocument.text", &text) || text.count > EVS_SOURCE_BYTES_MAX) {
        return EVS_LSP_INVALID_PARAMS;
    }
    struct evs_lsp_document *document = evs_lsp_find(server, uri);
    if (document == NULL) {
        document = evs_alloc_zero(sizeof *document);
        document->uri = evs_strndup(uri.data, uri.count);
        document->identity = identity_of(uri);
        EVS_GROW(server->documents, server->document_count, server->document_capacity);
        server->documents[server->document_count++] = document;
    }
    document->version = evs_lsp_number(params, "textDocument.version", 0);
    document->text.count = 0;
    evs_buffer_reserve(&document->text, 1); /* data is never NULL */
    evs_buffer_put(&document->text, text.data, text.count);
    text_changed(server, document);
    return EVS_LSP_OK;
}

static bool apply_change(struct evs_lsp_server *server, struct evs_lsp_document *document, struct evs_slice change)
{
    struct evs_slice range, text;
    if (!evs_lsp_string(&server->arena, change, "text", &text)) {
        return false;
    }
    uint32_t start = 0, end = (uint32_t)document->text.count;
    if (evs_lsp_get(change, "range", &range)) {
        start = evs_lsp_offset(&document->lines, server->utf8, evs_lsp_number(range, "start.line", 0),
                               evs_lsp_number(range, "start.character", 0));
        end = evs_lsp_offset(&document->lines, server->utf8, evs_lsp_number(range, "end.line", 0),
                             evs_lsp_number(range, "end.character", 0));
    }
    if (start > end || !replace(document, start, end, text)) {
        return false;
    }
    evs_lsp_lines_make(&document->lines, (struct evs_slice){document->text.data, document->text.count});
    return true;
}

enum evs_lsp_error evs_lsp_did_change(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    (void)result;
    struct evs_lsp_document *document;
    struct evs_slice changes, key, change;
    if (!evs_lsp_document_of(server, params, &document) || !evs_lsp_get(params, "contentChanges", &changes)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    bool is_right = true;
    struct evs_json_walk walk = evs_json_walk(changes);
    while (evs_json_walk_next(&walk, &key, &change)) {
        is_right = apply_change(server, document, change) && is_right;
    }
    document->version = evs_lsp_number(params, "textDocument.version", document->version + 1);
    text_changed(server, document);
    return is_right ? EVS_LSP_OK : EVS_LSP_INVALID_PARAMS;
}

enum evs_lsp_error evs_lsp_did_close(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    (void)result;
    struct evs_lsp_document *document;
    if (!evs_lsp_document_of(server, params, &document)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    for (uint32_t i = 0; i < server->document_count; i++) {
        if (server->documents[i] == document) {
            server->documents[i] = server->documents[--server->document_count];
            break;
        }
    }
    make_stale(server, document->identity); /* who imports it reads the file again */
    free_document(document);
    return EVS_LSP_OK;
}

/* What was saved is what was edited; but another tool may have written what is imported. */
enum evs_lsp_error evs_lsp_did_save(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    (void)params;
    (void)result;
    for (uint32_t i = 0; i < server->document_count; i++) {
        evs_lsp_forget(server->documents[i]);
        server->documents[i]->is_stale = true;
    }
    return EVS_LSP_OK;
}

enum evs_lsp_error evs_lsp_files_changed(struct evs_lsp_server *server, struct evs_slice params,
                                         struct evs_buffer *result)
{
    return evs_lsp_did_save(server, params, result);
}
