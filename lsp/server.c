/* The loop: reads what is there, answers one message, publishes when nothing waits. */
#include "server.h"

#include <stdarg.h>
#include <stdio.h>

#include "evstream/json_value.h"
#include "evstream_config.h"

#define QUEUE_MAX 256 /* messages read ahead, so that a request can be cancelled before its turn */
#define READ_BYTES (64u << 10)

struct evs_lsp_message {
    struct evs_buffer body;
    struct evs_slice id, method, params; /* of the body; raw JSON but the method; id count 0: a notification */
    bool is_cancelled;
    struct evs_lsp_message *next;
};

/* --- sending ----------------------------------------------------------------------------------------------------------------- */

void evs_lsp_send(struct evs_lsp_server *server, struct evs_slice members)
{
    struct evs_buffer body = {0}, frame = {0};
    evs_buffer_puts(&body, "{\"jsonrpc\":\"2.0\",");
    evs_buffer_put(&body, members.data, members.count);
    evs_buffer_puts(&body, "}");
    evs_lsp_frame_put(&frame, (struct evs_slice){body.data, body.count});
    if (!server->is_deaf && !server->io->write(server->io->self, frame.data, frame.count)) {
        server->is_deaf = true;
        server->has_exited = true;
    }
    evs_buffer_fini(&body);
    evs_buffer_fini(&frame);
}

static void send_error(struct evs_lsp_server *server, struct evs_slice id, enum evs_lsp_error code, const char *text)
{
    struct evs_buffer out = {0};
    evs_buffer_printf(&out, "\"id\":%.*s,\"error\":{\"code\":%d,\"message\":", id.count > 0 ? (int)id.count : 4,
                      id.count > 0 ? id.data : "null", (int)code);
    evs_json_put_text(&out, evs_slice_of(text));
    evs_buffer_puts(&out, "}");
    evs_lsp_send(server, (struct evs_slice){out.data, out.count});
    evs_buffer_fini(&out);
}

enum evs_lsp_error evs_lsp_fail(struct evs_lsp_server *server, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    server->failure = evs_arena_strndup(&server->arena, text, strlen(text));
    return EVS_LSP_REQUEST_FAILED;
}

static const char *error_text(const struct evs_lsp_server *server, enum evs_lsp_error error)
{
    switch (error) {
    case EVS_LSP_PARSE_ERROR:
        return "The message is no JSON text.";
    case EVS_LSP_INVALID_REQUEST:
        return server->is_shut_down ? "The server has been shut down." : "The message is no request of JSON-RPC 2.0.";
    case EVS_LSP_UNKNOWN_METHOD:
        return "The server does not know this method.";
    case EVS_LSP_INVALID_PARAMS:
        return "The parameters are wrong, or name a document that is not open.";
    case EVS_LSP_NOT_INITIALIZED:
        return "The first request is `initialize`.";
    case EVS_LSP_CANCELLED:
        return "The request was cancelled.";
    default:
        return server->failure != NULL ? server->failure : "The request failed.";
    }
}

/* --- methods ------------------------------------------------------------------------------------------------------------------- */

static bool offers_utf8(struct evs_slice params)
{
    struct evs_slice list, key, value;
    if (!evs_lsp_get(params, "capabilities.general.positionEncodings", &list)) {
        return false;
    }
    struct evs_json_walk walk = evs_json_walk(list);
    while (!walk.is_object && evs_json_walk_next(&walk, &key, &value)) {
        if (evs_slice_equal(value, EVS_SLICE("\"utf-8\""))) {
            return true;
        }
    }
    return false;
}

static enum evs_lsp_error initialize(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    struct evs_slice value;
    if (server->is_initialized) {
        return EVS_LSP_INVALID_REQUEST;
    }
    server->is_initialized = true;
    server->utf8 = offers_utf8(params);
    server->takes_snippets =
        evs_lsp_get(params, "capabilities.textDocument.completion.completionItem.snippetSupport", &value) &&
        evs_slice_equal(value, EVS_SLICE("true"));
    if (evs_lsp_string(&server->arena, params, "initializationOptions.reference", &value)) {
        evs_free(server->reference);
        server->reference = value.count > 0 ? evs_strndup(value.data, value.count) : NULL;
    }
    evs_buffer_printf(
        result,
        "{\"capabilities\":{\"positionEncoding\":\"%s\","
        "\"textDocumentSync\":{\"openClose\":true,\"change\":2,\"save\":{\"includeText\":false}},"
        "\"completionProvider\":{\"triggerCharacters\":[\".\",\"@\",\">\",\"(\"]},"
        "\"signatureHelpProvider\":{\"triggerCharacters\":[\"(\",\",\"]},"
        "\"hoverProvider\":true,\"definitionProvider\":true,\"referencesProvider\":true,"
        "\"documentHighlightProvider\":true,\"renameProvider\":{\"prepareProvider\":true},"
        "\"documentSymbolProvider\":true,\"foldingRangeProvider\":true,"
        "\"documentFormattingProvider\":true,\"documentRangeFormattingProvider\":true,"
        "\"codeActionProvider\":{\"codeActionKinds\":[\"quickfix\"]},"
        "\"semanticTokensProvider\":{\"legend\":{\"tokenTypes\":%s,\"tokenModifiers\":[]},\"full\":true}},"
        "\"serverInfo\":{\"name\":\"evstream\",\"version\":\"%s\"}}",
        server->utf8 ? "utf-8" : "utf-16", evs_lsp_token_legend, EVS_VERSION);
    return EVS_LSP_OK;
}

static enum evs_lsp_error shutdown(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    (void)params;
    server->is_shut_down = true;
    evs_buffer_puts(result, "null");
    return EVS_LSP_OK;
}

static enum evs_lsp_error leave(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    (void)params;
    (void)result;
    server->has_exited = true;
    return EVS_LSP_OK;
}

static enum evs_lsp_error ignore(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    (void)server;
    (void)params;
    (void)result;
    return EVS_LSP_OK;
}

static const struct method {
    const char *name;
    evs_lsp_handler *handle;
    bool is_notification;
} methods[] = {
    {"initialize", initialize, false},
    {"shutdown", shutdown, false},
    {"exit", leave, true},
    {"initialized", ignore, true},
    {"$/setTrace", ignore, true},
    {"textDocument/didOpen", evs_lsp_did_open, true},
    {"textDocument/didChange", evs_lsp_did_change, true},
    {"textDocument/didSave", evs_lsp_did_save, true},
    {"textDocument/didClose", evs_lsp_did_close, true},
    {"workspace/didChangeWatchedFiles", evs_lsp_files_changed, true},
    {"workspace/didChangeConfiguration", ignore, true},
    {"textDocument/completion", evs_lsp_completion, false},
    {"textDocument/hover", evs_lsp_hover, false},
    {"textDocument/signatureHelp", evs_lsp_signature_help, false},
    {"textDocument/definition", evs_lsp_definition, false},
    {"textDocument/references", evs_lsp_references, false},
    {"textDocument/documentHighlight", evs_lsp_highlight, false},
    {"textDocument/prepareRename", evs_lsp_prepare_rename, false},
    {"textDocument/rename", evs_lsp_rename, false},
    {"textDocument/documentSymbol", evs_lsp_document_symbol, false},
    {"textDocument/foldingRange", evs_lsp_folding_range, false},
    {"textDocument/formatting", evs_lsp_formatting, false},
    {"textDocument/rangeFormatting", evs_lsp_range_formatting, false},
    {"textDocument/codeAction", evs_lsp_code_action, false},
    {"textDocument/semanticTokens/full", evs_lsp_semantic_tokens, false},
};

static const struct method *find_method(struct evs_slice name)
{
    for (size_t i = 0; i < EVS_COUNT(methods); i++) {
        if (evs_slice_equal(name, evs_slice_of(methods[i].name))) {
            return &methods[i];
        }
    }
    return NULL;
}

/* --- one message ----------------------------------------------------------------------------------------------------------------- */

static enum evs_lsp_error check(const struct evs_lsp_server *server, const struct evs_lsp_message *message,
                                const struct method *method)
{
    if (message->is_cancelled) {
        return EVS_LSP_CANCELLED;
    }
    bool is_first = method != NULL && method->handle == initialize;
    if (!server->is_initialized && !is_first) {
        return EVS_LSP_NOT_INITIALIZED;
    }
    if (server->is_shut_down) {
        return EVS_LSP_INVALID_REQUEST;
    }
    return method == NULL ? EVS_LSP_UNKNOWN_METHOD : EVS_LSP_OK;
}

static void answer(struct evs_lsp_server *server, const struct evs_lsp_message *message)
{
    const struct method *method = find_method(message->method);
    bool is_request = message->id.count > 0;
    bool is_exit = method != NULL && method->handle == leave;
    enum evs_lsp_error error = is_exit ? EVS_LSP_OK : check(server, message, method);
    if (error == EVS_LSP_OK && method->is_notification == is_request) {
        error = EVS_LSP_INVALID_REQUEST;
    }
    struct evs_buffer result = {0}, out = {0};
    server->failure = NULL;
    if (error == EVS_LSP_OK) {
        error = method->handle(server, message->params, &result);
    }
    if (is_request && error != EVS_LSP_OK) {
        send_error(server, message->id, error, error_text(server, error));
    } else if (is_request) {
        EVS_ASSERT(result.count > 0);
        evs_buffer_printf(&out, "\"id\":%.*s,\"result\":", (int)message->id.count, message->id.data);
        evs_buffer_put(&out, result.data, result.count);
        evs_lsp_send(server, (struct evs_slice){out.data, out.count});
    }
    evs_buffer_fini(&out);
    evs_buffer_fini(&result);
    evs_arena_reset(&server->arena);
}

/* --- the queue ------------------------------------------------------------------------------------------------------------------- */

static void free_message(struct evs_lsp_message *message)
{
    evs_buffer_fini(&message->body);
    evs_free(message);
}

static void cancel(struct evs_lsp_server *server, struct evs_slice params)
{
    struct evs_slice id;
    if (!evs_lsp_get(params, "id", &id)) {
        return;
    }
    for (struct evs_lsp_message *message = server->first; message != NULL; message = message->next) {
        message->is_cancelled = message->is_cancelled || (message->id.count > 0 && evs_slice_equal(message->id, id));
    }
}

static bool is_id(struct evs_slice id)
{
    bool is_number = id.data[0] == '-' || (id.data[0] >= '0' && id.data[0] <= '9');
    return is_number || id.data[0] == '"';
}

/* Splits a valid JSON text into its parts; false: no request, and no notification either. An answer of the client's has no method: it is dropped. */
static bool read_message(struct evs_lsp_server *server, struct evs_lsp_message *message, bool *is_answer)
{
    struct evs_slice text = {message->body.data, message->body.count}, raw;
    struct evs_json_walk walk = evs_json_walk(text);
    *is_answer = false;
    if (!walk.is_object) {
        return false;
    }
    if (evs_lsp_get(text, "id", &raw) && is_id(raw)) {
        message->id = raw;
    }
    if (!evs_lsp_get(text, "method", &raw)) {
        *is_answer = message->id.count > 0;
        return *is_answer;
    }
    if (!evs_lsp_unescape(&server->arena, raw, &message->method)) {
        return false;
    }
    message->method = (struct evs_slice){raw.data + 1, raw.count - 2}; /* methods have no escapes */
    if (!evs_lsp_get(text, "params", &message->params)) {
        message->params = EVS_SLICE("{}");
    }
    return true;
}

static void enqueue(struct evs_lsp_server *server, struct evs_slice body)
{
    struct evs_lsp_message *message = evs_alloc_zero(sizeof *message);
    bool is_answer = false;
    evs_buffer_put(&message->body, body.data, body.count);
    if (!evs_lsp_json_valid((struct evs_slice){message->body.data, message->body.count})) {
        send_error(server, (struct evs_slice){0}, EVS_LSP_PARSE_ERROR, error_text(server, EVS_LSP_PARSE_ERROR));
    } else if (!read_message(server, message, &is_answer)) {
        send_error(server, message->id, EVS_LSP_INVALID_REQUEST, "The message is no request of JSON-RPC 2.0.");
    } else if (evs_slice_equal(message->method, EVS_SLICE("$/cancelRequest"))) {
        cancel(server, message->params);
    } else if (!is_answer) {
        *server->last = message;
        server->last = &message->next;
        server->queued++;
        return;
    }
    free_message(message);
}

static struct evs_lsp_message *dequeue(struct evs_lsp_server *server)
{
    struct evs_lsp_message *message = server->first;
    server->first = message->next;
    server->last = server->first == NULL ? &server->first : server->last;
    server->queued--;
    return message;
}

/* Takes all whole frames out of the input. */
static void take_frames(struct evs_lsp_server *server)
{
    while (server->queued < QUEUE_MAX) {
        struct evs_slice input = {server->input.data + server->input_used, server->input.count - server->input_used};
        struct evs_lsp_frame frame;
        enum evs_lsp_frame_state state = evs_lsp_frame_parse(input, &frame);
        if (state == EVS_LSP_FRAME_PART) {
            break;
        }
        if (state == EVS_LSP_FRAME_WHOLE) {
            enqueue(server, frame.body);
        } else {
            send_error(server, (struct evs_slice){0}, EVS_LSP_PARSE_ERROR, "A message begins with Content-Length.");
        }
        server->input_used += frame.bytes;
    }
    if (server->input_used > 0) {
        server->input.count -= server->input_used;
        memmove(server->input.data, server->input.data + server->input_used, server->input.count);
        server->input_used = 0;
    }
}

/* --- the loop -------------------------------------------------------------------------------------------------------------------- */

/* False at the end of the input. */
static bool read_more(struct evs_lsp_server *server)
{
    evs_buffer_reserve(&server->input, READ_BYTES);
    size_t got = server->io->read(server->io->self, server->input.data + server->input.count, READ_BYTES);
    server->input.count += got;
    take_frames(server);
    return got > 0;
}

/* Whatever is there already, so that a change and the one behind it are checked together, and a cancelled request is known. */
static void read_ahead(struct evs_lsp_server *server)
{
    while (server->queued < QUEUE_MAX && server->io->is_ready(server->io->self) && read_more(server)) {
    }
}

static void loop(struct evs_lsp_server *server)
{
    bool is_open = true;
    while (!server->has_exited && (is_open || server->first != NULL)) {
        if (server->first == NULL) {
            evs_lsp_publish(server);
            evs_arena_reset(&server->arena);
            is_open = read_more(server);
            continue;
        }
        read_ahead(server);
        struct evs_lsp_message *message = dequeue(server);
        answer(server, message);
        free_message(message);
        take_frames(server); /* what the queue had no room for */
    }
}

int evs_lsp_serve(const struct evs_lsp_io *io, const struct evs_registry *registry, const char *reference)
{
    struct evs_lsp_server server = {.io = io, .registry = registry};
    server.last = &server.first;
    server.reference = reference != NULL ? evs_strdup(reference) : NULL;
    loop(&server);
    while (server.first != NULL) {
        free_message(dequeue(&server));
    }
    evs_lsp_documents_free(&server);
    evs_lsp_publish_fini(&server);
    evs_arena_fini(&server.arena);
    evs_buffer_fini(&server.input);
    evs_free(server.reference);
    return server.is_shut_down ? 0 : 1;
}
