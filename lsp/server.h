/* What the parts of the language server share.
 *
 *   wire.c       frames, JSON of requests            server.c     the loop, the queue, methods by name
 *   document.c   open texts, positions, edits        analysis.c   syntax of one text; names and mistakes of a pipeline
 *   publish.c    diagnostics, quick fixes            rename.c     definition, references, rename
 *   context.c    what stands before the cursor       complete.c   what could stand at it
 *   hover.c      what a word means                   help.c       words and functions, by name
 *   outline.c    symbols, folding                    layout.c     formatting, colours by meaning
 *
 * Memory: `arena` lives as long as one message; a document owns its text and what was found out about it until it changes. */
#ifndef EVS_LSP_SERVER_H
#define EVS_LSP_SERVER_H

#include "lexer.h"
#include "lsp.h"
#include "observe.h"
#include "parser.h"
#include "wire.h"

/* --- texts and positions ------------------------------------------------------------------------------------------------ */

/* A text and where its lines begin. The protocol ends a line with \n, \r\n or \r. */
struct evs_lsp_lines {
    struct evs_slice text;
    uint32_t *starts; /* on the heap */
    uint32_t count, capacity;
};
void evs_lsp_lines_make(struct evs_lsp_lines *lines, struct evs_slice text);
void evs_lsp_lines_fini(struct evs_lsp_lines *lines); /* not the text */

/* A byte for a position, which may lie beyond its line or the text: it is cut. `utf8`: characters are bytes, else UTF-16 units. */
uint32_t evs_lsp_offset(const struct evs_lsp_lines *lines, bool utf8, int64_t line, int64_t character);
void evs_lsp_put_range(struct evs_buffer *out, const struct evs_lsp_lines *lines, bool utf8, uint32_t start,
                       uint32_t end);

/* --- what is known of a text -------------------------------------------------------------------------------------------- */

/* One text alone, without what it imports. */
struct evs_lsp_syntax {
    struct evs_sources *sources;
    const struct evs_source_text *text;
    struct evs_diagnostics *diagnostics; /* of the parser; nobody sees them */
    struct evs_script script;
    struct evs_marks marks;
    struct evs_token *tokens; /* the last one is EVS_TOKEN_END; offsets are bytes of the text */
    uint32_t token_count, token_capacity;
    struct evs_arena arena;
};

/* A pipeline: a text with all that it imports. */
struct evs_lsp_analysis {
    struct evs_sources *sources;
    const char *file; /* the root's, as places name it */
    struct evs_diagnostics *diagnostics;
    struct evs_index index;
    struct evs_script script;
    bool is_right;           /* it compiles */
    struct evs_buffer sinks; /* the sinks' columns, to see whether a change of the text has changed them */
};

struct evs_lsp_document {
    char *uri;
    char *identity; /* the real path; the URI where the text is no file */
    struct evs_buffer text;
    struct evs_lsp_lines lines;
    int64_t version;
    bool is_stale; /* it has changed since its diagnostics were published, or something that it imports */
    struct evs_lsp_syntax *syntax;     /* NULL: not asked yet */
    struct evs_lsp_analysis *analysis; /* the same */
};

/* --- the server --------------------------------------------------------------------------------------------------------- */

/* Codes of JSON-RPC and of the protocol. */
enum evs_lsp_error {
    EVS_LSP_OK = 0,
    EVS_LSP_PARSE_ERROR = -32700,
    EVS_LSP_INVALID_REQUEST = -32600,
    EVS_LSP_UNKNOWN_METHOD = -32601,
    EVS_LSP_INVALID_PARAMS = -32602,
    EVS_LSP_NOT_INITIALIZED = -32002,
    EVS_LSP_CANCELLED = -32800,
    EVS_LSP_REQUEST_FAILED = -32803,
};

struct evs_lsp_message;

struct evs_lsp_server {
    const struct evs_lsp_io *io;
    const struct evs_registry *registry;
    char *reference; /* NULL: unknown */
    struct evs_lsp_document **documents;
    uint32_t document_count, document_capacity;
    struct evs_lsp_message *first, **last; /* read and not yet answered */
    uint32_t queued;
    struct evs_buffer input;
    size_t input_used;
    char **published; /* URIs that have diagnostics */
    uint32_t published_count, published_capacity;
    struct evs_arena arena; /* of the message at hand */
    const char *failure;    /* why the request at hand failed */
    bool utf8, takes_snippets, is_initialized, is_shut_down, has_exited, is_deaf;
};

/* Sends {"jsonrpc":"2.0", BODY}. */
void evs_lsp_send(struct evs_lsp_server *server, struct evs_slice members);
/* The request fails with this sentence. */
enum evs_lsp_error evs_lsp_fail(struct evs_lsp_server *server, const char *format, ...) EVS_PRINTF(2, 3);

/* --- document.c ----------------------------------------------------------------------------------------------------------- */

struct evs_lsp_document *evs_lsp_find(const struct evs_lsp_server *server, struct evs_slice uri);
struct evs_lsp_document *evs_lsp_find_identity(const struct evs_lsp_server *server, const char *identity);
/* Notifications. Documents that import a changed one become stale. */
enum evs_lsp_error evs_lsp_did_open(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result);
enum evs_lsp_error evs_lsp_did_change(struct evs_lsp_server *server, struct evs_slice params,
                                      struct evs_buffer *result);
enum evs_lsp_error evs_lsp_did_close(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result);
enum evs_lsp_error evs_lsp_did_save(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result);
enum evs_lsp_error evs_lsp_files_changed(struct evs_lsp_server *server, struct evs_slice params,
                                         struct evs_buffer *result);
void evs_lsp_documents_free(struct evs_lsp_server *server);
/* The URI of a file: the open document's own, or made of the path. In the message's arena. */
const char *evs_lsp_uri_of(struct evs_lsp_server *server, const char *identity);

/* params.textDocument, and params.position as a byte; false: no such document. */
bool evs_lsp_at(struct evs_lsp_server *server, struct evs_slice params, struct evs_lsp_document **document,
                uint32_t *offset);
bool evs_lsp_document_of(struct evs_lsp_server *server, struct evs_slice params, struct evs_lsp_document **document);

/* --- analysis.c ------------------------------------------------------------------------------------------------------------ */

/* A text that takes the place of a document's or a file's. */
struct evs_lsp_replaced {
    const char *identity;
    struct evs_slice text;
};
struct evs_lsp_question {
    const char *root; /* identity */
    const struct evs_lsp_replaced *replaced;
    uint32_t replaced_count;
    bool has_cursor; /* in the root */
    uint32_t cursor, floor;
};
struct evs_lsp_analysis *evs_lsp_analyse(const struct evs_lsp_server *server, const struct evs_lsp_question *question);
void evs_lsp_analysis_free(struct evs_lsp_analysis *analysis); /* NULL is allowed */
/* Whether a file is part of the pipeline. */
bool evs_lsp_has_file(const struct evs_lsp_analysis *analysis, const char *identity);
/* Some import could not be read. */
bool evs_lsp_misses_file(const struct evs_lsp_analysis *analysis);

/* Of the document itself, made when asked for. */
const struct evs_lsp_analysis *evs_lsp_own_analysis(const struct evs_lsp_server *server,
                                                    struct evs_lsp_document *document);
/* Of an open pipeline that imports the document, which knows more than the document alone; else its own. */
const struct evs_lsp_analysis *evs_lsp_view(const struct evs_lsp_server *server, struct evs_lsp_document *document);
const struct evs_lsp_syntax *evs_lsp_syntax_of(struct evs_lsp_document *document);
struct evs_lsp_syntax *evs_lsp_syntax_new(struct evs_slice text);
void evs_lsp_syntax_free(struct evs_lsp_syntax *syntax); /* NULL is allowed */
/* What is known of the document is no longer true. */
void evs_lsp_forget(struct evs_lsp_document *document);

/* What a name at a byte of the document means; NULL: nothing known. The view's. */
const struct evs_sighting *evs_lsp_sighting(const struct evs_lsp_analysis *analysis, const char *identity,
                                            uint32_t offset);
/* The number of the token at a byte: the one that holds it, or a word or quoted name that ends there; token_count: none. */
uint32_t evs_lsp_token_at(const struct evs_lsp_syntax *syntax, uint32_t offset);
static inline bool evs_lsp_same_file(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* --- help.c ---------------------------------------------------------------------------------------------------------------- */

enum evs_lsp_word_kind {
    EVS_LSP_WORD_STATEMENT, /* begins a statement, or stands in one */
    EVS_LSP_WORD_OPERATOR,  /* a pipe operator */
    EVS_LSP_WORD_CLAUSE,    /* follows in an operator or an expression */
};
struct evs_lsp_word {
    const char *text; /* "group by": one or more words */
    enum evs_lsp_word_kind kind;
    const char *owners;  /* of a clause: the operators that take it, divided by blanks; "*": any expression */
    const char *snippet; /* behind the text, with $1 … where something is to be filled in; NULL: nothing */
    const char *section; /* anchor in the reference */
    const char *meaning;
};
uint32_t evs_lsp_word_count(void);
const struct evs_lsp_word *evs_lsp_word_at(uint32_t index);

/* What can be called: functions, aggregate functions, windows, window functions. */
struct evs_lsp_callable {
    const char *name, *signature, *meaning, *example, *result; /* example, result: NULL where there is none */
    const char *section;
    bool is_aggregate, is_window;
};
uint32_t evs_lsp_callable_count(void);
struct evs_lsp_callable evs_lsp_callable_at(uint32_t index);

struct evs_lsp_type {
    const char *name, *meaning;
};
extern const struct evs_lsp_type evs_lsp_types[], evs_lsp_units[]; /* name NULL ends them */

/* Appends "[reference](…)" when it is known where that is. */
void evs_lsp_put_link(const struct evs_lsp_server *server, struct evs_buffer *markdown, const char *section);
/* A table's row as Markdown. */
void evs_lsp_put_option(struct evs_buffer *markdown, const struct evs_option *option);

/* --- context.c --------------------------------------------------------------------------------------------------------------- */

enum evs_lsp_place_kind {
    EVS_LSP_PLACE_NOWHERE,   /* in a comment, a text, a number; where a new name is given */
    EVS_LSP_PLACE_STATEMENT, /* a statement begins */
    EVS_LSP_PLACE_CREATE,
    EVS_LSP_PLACE_SETTING,
    EVS_LSP_PLACE_OPERATOR,  /* behind |> */
    EVS_LSP_PLACE_ROWS,      /* behind from, join: sources, streams, tables */
    EVS_LSP_PLACE_SINK,      /* behind into */
    EVS_LSP_PLACE_CONNECTOR, /* behind from, to in create */
    EVS_LSP_PLACE_FORMAT,
    EVS_LSP_PLACE_OPTION,
    EVS_LSP_PLACE_OPTION_VALUE,
    EVS_LSP_PLACE_TYPE,
    EVS_LSP_PLACE_COLUMN_CLAUSE, /* behind a column's type */
    EVS_LSP_PLACE_CREATE_CLAUSE, /* behind a connector's options */
    EVS_LSP_PLACE_PARAMETER,     /* behind @ */
    EVS_LSP_PLACE_UNIT,
    EVS_LSP_PLACE_MEMBER, /* behind a dot */
    EVS_LSP_PLACE_EXPRESSION,
    EVS_LSP_PLACE_TEST,
    EVS_LSP_PLACE_GIVEN,
    EVS_LSP_PLACE_EXPECT,
};
enum evs_lsp_declares {
    EVS_LSP_DECLARES_NOTHING,
    EVS_LSP_DECLARES_SOURCE,
    EVS_LSP_DECLARES_TABLE,
    EVS_LSP_DECLARES_SINK,
    EVS_LSP_DECLARES_STREAM
};

/* What stands before the cursor, by tokens alone: the text is half-written, and no tree can be trusted. */
struct evs_lsp_context {
    enum evs_lsp_place_kind kind;
    enum evs_lsp_declares declares; /* the statement */
    uint32_t start, end;            /* bytes of the name that is being written; equal: nothing yet */
    uint32_t statement;             /* byte at which the statement begins */
    enum evs_word operator_;        /* first word of the pipe operator; EVS_WORD_NONE: none */
    bool ends_operand;              /* an expression could end before the cursor: clauses may follow */
    struct evs_slice connector;     /* option, option value: the connector's or format's name */
    bool is_format;
    struct evs_slice option; /* option value, setting */
    struct evs_slice row;    /* member: what stands before the dot */
};
struct evs_lsp_context evs_lsp_context_at(const struct evs_lsp_syntax *syntax, uint32_t offset);
/* Option tables of a connector or format by name: its own, and the common ones; NULL: none. */
void evs_lsp_option_tables(const struct evs_lsp_server *server, enum evs_lsp_declares declares, bool is_format,
                           struct evs_slice name, const struct evs_option *tables[2]);

/* --- requests ------------------------------------------------------------------------------------------------------------------ */

typedef enum evs_lsp_error evs_lsp_handler(struct evs_lsp_server *server, struct evs_slice params,
                                           struct evs_buffer *result);
evs_lsp_handler evs_lsp_completion, evs_lsp_hover, evs_lsp_signature_help, evs_lsp_definition, evs_lsp_references,
    evs_lsp_prepare_rename, evs_lsp_rename, evs_lsp_highlight, evs_lsp_document_symbol, evs_lsp_folding_range,
    evs_lsp_formatting, evs_lsp_range_formatting, evs_lsp_code_action, evs_lsp_semantic_tokens;
extern const char evs_lsp_token_legend[]; /* a JSON array */

/* Publishes what has changed. */
void evs_lsp_publish(struct evs_lsp_server *server);
void evs_lsp_publish_fini(struct evs_lsp_server *server);

#endif
