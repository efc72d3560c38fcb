/* What could stand at the cursor. The place is known by its tokens (context.c); columns come from the binder, which is asked over a text in which a
 * name stands at the cursor: so the half-written operator is a whole one, and the binder comes by with exactly the names that are visible there. */
#include <stdio.h>

#include "bind.h"
#include "evstream/json_value.h"
#include "server.h"

static const char stand_in[] = "evs_here";

/* Kinds of items in the protocol. */
enum {
    KIND_FUNCTION = 3,
    KIND_FIELD = 5,
    KIND_VARIABLE = 6,
    KIND_MODULE = 9,
    KIND_PROPERTY = 10,
    KIND_UNIT = 11,
    KIND_VALUE = 12,
    KIND_KEYWORD = 14,
    KIND_SNIPPET = 15,
    KIND_STRUCT = 22,
    KIND_TYPE = 25
};

struct completion {
    struct evs_lsp_server *server;
    struct evs_lsp_document *document;
    const struct evs_lsp_syntax *syntax;
    struct evs_lsp_context context;
    struct evs_buffer *out;
    uint32_t count;
};

struct item {
    const char *label;
    int kind;
    char rank; /* of its group: a is shown first */
    const char *detail;
    struct evs_slice documentation; /* Markdown */
    const char *text;               /* what is written; NULL: the label */
    bool is_snippet;
};

static void put_item(struct completion *completion, const struct item *item)
{
    struct evs_buffer *out = completion->out;
    const struct evs_lsp_context *context = &completion->context;
    evs_buffer_puts(out, completion->count++ > 0 ? ",{\"label\":" : "{\"label\":");
    evs_json_put_text(out, evs_slice_of(item->label));
    evs_buffer_printf(out, ",\"kind\":%d,\"sortText\":", item->kind);
    char rank[2] = {item->rank, '\0'};
    struct evs_buffer sort = {0};
    evs_buffer_printf(&sort, "%s%s", rank, item->label);
    evs_json_put_text(out, (struct evs_slice){sort.data, sort.count});
    evs_buffer_fini(&sort);
    if (item->detail != NULL) {
        evs_buffer_puts(out, ",\"detail\":");
        evs_json_put_text(out, evs_slice_of(item->detail));
    }
    if (item->documentation.count > 0) {
        evs_buffer_puts(out, ",\"documentation\":{\"kind\":\"markdown\",\"value\":");
        evs_json_put_text(out, item->documentation);
        evs_buffer_puts(out, "}");
    }
    if (item->is_snippet) {
        evs_buffer_puts(out, ",\"insertTextFormat\":2");
    }
    evs_buffer_puts(out, ",\"textEdit\":{\"range\":");
    evs_lsp_put_range(out, &completion->document->lines, completion->server->utf8, context->start, context->end);
    evs_buffer_puts(out, ",\"newText\":");
    evs_json_put_text(out, evs_slice_of(item->text != NULL ? item->text : item->label));
    evs_buffer_puts(out, "}}");
}

/* A name of the user's, in backticks where it needs them. */
static void put_name(struct completion *completion, const char *name, int kind, char rank, const char *detail)
{
    struct evs_buffer text = {0};
    evs_ast_print_ident(&text, evs_slice_of(name));
    evs_buffer_put(&text, "", 1);
    put_item(completion,
             &(struct item){.label = name, .kind = kind, .rank = rank, .detail = detail, .text = text.data});
    evs_buffer_fini(&text);
}

/* --- words ---------------------------------------------------------------------------------------------------------------------------- */

static void put_word(struct completion *completion, const struct evs_lsp_word *word, char rank)
{
    struct evs_buffer markdown = {0}, text = {0};
    bool is_snippet = completion->server->takes_snippets && word->snippet != NULL;
    evs_buffer_puts(&markdown, word->meaning);
    evs_lsp_put_link(completion->server, &markdown, word->section);
    evs_buffer_printf(&text, "%s%s", word->text, is_snippet ? word->snippet : "");
    evs_buffer_put(&text, "", 1);
    put_item(completion, &(struct item){
                             .label = word->text,
                             .kind = is_snippet ? KIND_SNIPPET : KIND_KEYWORD,
                             .rank = rank,
                             .documentation = {markdown.data, markdown.count},
                             .text = text.data,
                             .is_snippet = is_snippet,
                         });
    evs_buffer_fini(&markdown);
    evs_buffer_fini(&text);
}

/* Whether a list of words divided by blanks has this one; an empty list has the empty word alone. */
static bool has_word(const char *list, const char *word)
{
    size_t count = strlen(word);
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, " ");
        if (length == count && memcmp(at, word, count) == 0) {
            return true;
        }
        at += length;
        if (*at == '\0') {
            return false;
        }
    }
}

static void put_words(struct completion *completion, enum evs_lsp_word_kind kind, const char *owner, char rank)
{
    for (uint32_t i = 0; i < evs_lsp_word_count(); i++) {
        const struct evs_lsp_word *word = evs_lsp_word_at(i);
        if (word->kind == kind && (owner == NULL || has_word(word->owners, owner))) {
            put_word(completion, word, rank);
        }
    }
}

/* Words that begin one, and not those inside one. */
static void put_statements(struct completion *completion)
{
    static const char *const names[] = {"create source", "create sink", "create table", "create stream", "from",
                                        "param",         "import",      "set",          "pipeline",      "test"};
    for (uint32_t i = 0; i < evs_lsp_word_count(); i++) {
        const struct evs_lsp_word *word = evs_lsp_word_at(i);
        for (size_t k = 0; k < EVS_COUNT(names); k++) {
            if (word->kind == EVS_LSP_WORD_STATEMENT && strcmp(word->text, names[k]) == 0) {
                put_word(completion, word, 'a');
            }
        }
    }
}

static void put_plain_words(struct completion *completion, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_item(completion, &(struct item){.label = words[i], .kind = KIND_KEYWORD, .rank = 'a'});
    }
}

static void put_types(struct completion *completion, const struct evs_lsp_type *table, int kind)
{
    for (const struct evs_lsp_type *type = table; type->name != NULL; type++) {
        put_item(completion,
                 &(struct item){
                     .label = type->name, .kind = kind, .rank = 'a', .documentation = evs_slice_of(type->meaning)});
    }
}

/* --- what is declared ------------------------------------------------------------------------------------------------------------------- */

static enum evs_symbol symbol_of(enum evs_statement_kind kind)
{
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
        return EVS_SYMBOL_ROW;
    }
}

/* Names of these kinds (bit 1 << kind) in the pipeline and all that it imports. */
static void put_declared(struct completion *completion, uint32_t symbols, char rank)
{
    static const char *const details[] = {
        [EVS_SYMBOL_SOURCE] = "source", [EVS_SYMBOL_TABLE] = "table",     [EVS_SYMBOL_STREAM] = "stream",
        [EVS_SYMBOL_SINK] = "sink",     [EVS_SYMBOL_PARAM] = "parameter",
    };
    const struct evs_script *script = &evs_lsp_view(completion->server, completion->document)->script;
    for (uint32_t i = 0; i < script->count; i++) {
        const struct evs_ast_statement *statement = script->statements[i];
        enum evs_symbol symbol = symbol_of(statement->kind);
        if (symbol != EVS_SYMBOL_ROW && (symbols & (1u << symbol)) && evs_ident_given(&statement->name)) {
            put_name(completion, statement->name.text.data, KIND_VARIABLE, rank, details[symbol]);
        }
    }
}

/* --- connectors and options --------------------------------------------------------------------------------------------------------------- */

static void put_connectors(struct completion *completion)
{
    const struct evs_registry *registry = completion->server->registry;
    enum evs_lsp_declares declares = completion->context.declares;
    for (size_t i = 0; declares == EVS_LSP_DECLARES_SOURCE && registry->sources[i] != NULL; i++) {
        put_item(completion, &(struct item){.label = registry->sources[i]->kind, .kind = KIND_MODULE, .rank = 'a'});
    }
    for (size_t i = 0; declares == EVS_LSP_DECLARES_SINK && registry->sinks[i] != NULL; i++) {
        put_item(completion, &(struct item){.label = registry->sinks[i]->kind, .kind = KIND_MODULE, .rank = 'a'});
    }
    for (size_t i = 0; declares == EVS_LSP_DECLARES_TABLE && registry->tables != NULL && registry->tables[i] != NULL;
         i++) {
        put_item(completion, &(struct item){.label = registry->tables[i]->kind, .kind = KIND_MODULE, .rank = 'a'});
    }
}

static void put_formats(struct completion *completion)
{
    const struct evs_registry *registry = completion->server->registry;
    bool is_sink = completion->context.declares == EVS_LSP_DECLARES_SINK;
    for (size_t i = 0; is_sink && registry->formats[i] != NULL; i++) {
        put_item(completion, &(struct item){.label = registry->formats[i]->kind, .kind = KIND_MODULE, .rank = 'a'});
    }
    for (size_t i = 0; !is_sink && registry->decode_formats[i] != NULL; i++) {
        put_item(completion,
                 &(struct item){.label = registry->decode_formats[i]->kind, .kind = KIND_MODULE, .rank = 'a'});
    }
}

/* Behind the name ` = ` and what the kind of value looks like. */
static void put_option(struct completion *completion, const struct evs_option *option, bool assigns)
{
    static const char *const values[] = {
        [EVS_OPTION_STRING] = "'$1'",
        [EVS_OPTION_INT] = "$1",
        [EVS_OPTION_BOOL] = "${1|true,false|}",
        [EVS_OPTION_DURATION] = "interval ${1:5} ${2:second}",
        [EVS_OPTION_BYTES] = "'${1:1MiB}'",
        [EVS_OPTION_TEMPLATE] = "'$1'",
        [EVS_OPTION_ENUM] = "'$1'",
    };
    struct evs_buffer markdown = {0}, text = {0};
    bool is_snippet = assigns && completion->server->takes_snippets;
    evs_lsp_put_option(&markdown, option);
    evs_lsp_put_link(completion->server, &markdown, "options-of-connectors-and-formats");
    evs_buffer_printf(&text, "%s%s%s", option->name, assigns ? " = " : "", is_snippet ? values[option->kind] : "");
    evs_buffer_put(&text, "", 1);
    put_item(completion, &(struct item){
                             .label = option->name,
                             .kind = KIND_PROPERTY,
                             .rank = option->required ? 'a' : 'b',
                             .detail = option->required ? "required" : option->fallback,
                             .documentation = {markdown.data, markdown.count},
                             .text = text.data,
                             .is_snippet = is_snippet,
                         });
    evs_buffer_fini(&markdown);
    evs_buffer_fini(&text);
}

static void put_options(struct completion *completion)
{
    const struct evs_option *tables[2];
    const struct evs_lsp_context *context = &completion->context;
    evs_lsp_option_tables(completion->server, context->declares, context->is_format, context->connector, tables);
    for (size_t i = 0; i < 2; i++) {
        for (const struct evs_option *option = tables[i]; option != NULL && option->name != NULL; option++) {
            put_option(completion, option, true);
        }
    }
}

static void put_choices(struct completion *completion, const struct evs_option *option)
{
    const char *choices = option->kind == EVS_OPTION_BOOL ? "true|false" : option->choices;
    bool is_quoted = option->kind != EVS_OPTION_BOOL;
    while (choices != NULL && *choices != '\0') {
        size_t count = strcspn(choices, "|");
        char value[128];
        snprintf(value, sizeof value, "%s%.*s%s", is_quoted ? "'" : "", (int)count, choices, is_quoted ? "'" : "");
        put_item(completion, &(struct item){.label = value, .kind = KIND_VALUE, .rank = 'a'});
        choices += count + (choices[count] == '|');
    }
}

static void put_option_values(struct completion *completion)
{
    const struct evs_lsp_context *context = &completion->context;
    const struct evs_option *tables[3] = {NULL, NULL, NULL};
    if (context->declares == EVS_LSP_DECLARES_NOTHING) { /* set NAME = */
        tables[0] = evs_setting_options;
        if (evs_slice_equal_nocase(context->option, "dead_letter")) {
            put_declared(completion, 1u << EVS_SYMBOL_SINK, 'a');
        }
    } else {
        evs_lsp_option_tables(completion->server, context->declares, context->is_format, context->connector, tables);
    }
    for (size_t i = 0; i < 2; i++) {
        for (const struct evs_option *option = tables[i]; option != NULL && option->name != NULL; option++) {
            if (evs_slice_equal_nocase(context->option, option->name)) {
                put_choices(completion, option);
            }
        }
    }
}

static void put_settings(struct completion *completion)
{
    for (const struct evs_option *option = evs_setting_options; option->name != NULL; option++) {
        put_option(completion, option, true);
    }
    put_item(completion,
             &(struct item){.label = "dead_letter",
                            .kind = KIND_PROPERTY,
                            .rank = 'b',
                            .documentation = EVS_SLICE("The sink for events that cannot be read, of every source."),
                            .text = "dead_letter = "});
}

/* --- expressions ------------------------------------------------------------------------------------------------------------------------------ */

/* The text with a name at the cursor. */
static struct evs_lsp_analysis *ask_binder(struct completion *completion)
{
    const struct evs_lsp_context *context = &completion->context;
    struct evs_slice text = completion->document->lines.text;
    struct evs_buffer changed = {0};
    evs_buffer_put(&changed, text.data, context->start);
    evs_buffer_puts(&changed, stand_in);
    evs_buffer_put(&changed, text.data + context->end, text.count - context->end);
    struct evs_lsp_replaced replaced = {completion->document->identity, {changed.data, changed.count}};
    struct evs_lsp_question question = {
        .root = completion->document->identity,
        .replaced = &replaced,
        .replaced_count = 1,
        .has_cursor = true,
        .cursor = context->start,
        .floor = context->statement,
    };
    struct evs_lsp_analysis *analysis = evs_lsp_analyse(completion->server, &question);
    evs_buffer_fini(&changed);
    return analysis;
}

static void put_column(struct completion *completion, const struct evs_seen_column *column)
{
    char detail[256];
    snprintf(detail, sizeof detail, "%s%s", column->type != NULL ? column->type : "",
             column->nullable ? "" : " not null");
    put_name(completion, column->name, KIND_FIELD, column->is_system ? 'd' : 'a', detail);
}

static bool is_row_known(const struct evs_index *index, uint32_t before)
{
    for (uint32_t i = 0; i < before; i++) {
        if (index->columns[i].row != NULL && strcasecmp(index->columns[i].row, index->columns[before].row) == 0) {
            return true;
        }
    }
    return false;
}

static void put_columns(struct completion *completion, const struct evs_index *index)
{
    for (uint32_t i = 0; i < index->column_count; i++) {
        const struct evs_seen_column *column = &index->columns[i];
        if (column->row == NULL) {
            put_column(completion, column);
        } else if (!is_row_known(index, i)) {
            put_name(completion, column->row, KIND_STRUCT, 'b', "rows");
        }
    }
}

static void put_callable(struct completion *completion, struct evs_lsp_callable callable, const char *name)
{
    struct evs_buffer markdown = {0}, text = {0};
    bool is_snippet = completion->server->takes_snippets;
    evs_buffer_printf(&markdown, "```evs\n%s\n```\n%s", callable.signature, callable.meaning);
    if (callable.example != NULL && callable.result != NULL) {
        evs_buffer_printf(&markdown, "\n\n`%s` gives `%s`", callable.example, callable.result);
    }
    evs_lsp_put_link(completion->server, &markdown, callable.section);
    evs_buffer_printf(&text, "%s%s", name, is_snippet ? "($0)" : "");
    evs_buffer_put(&text, "", 1);
    put_item(completion, &(struct item){
                             .label = name,
                             .kind = KIND_FUNCTION,
                             .rank = callable.is_aggregate || callable.is_window ? 'b' : 'c',
                             .detail = callable.signature,
                             .documentation = {markdown.data, markdown.count},
                             .text = text.data,
                             .is_snippet = is_snippet,
                         });
    evs_buffer_fini(&markdown);
    evs_buffer_fini(&text);
}

/* Names of steps and symbols before the cursor, `NAME as CONDITION`: a sequence without its end is not bound, so the binder does not tell them. */
static void put_steps(struct completion *completion)
{
    const struct evs_token *tokens = completion->syntax->tokens;
    uint32_t first = 0, end = 0;
    for (; tokens[end].kind != EVS_TOKEN_END && tokens[end].offset < completion->context.start; end++) {
        first = tokens[end].kind == EVS_TOKEN_PIPE ? end + 1 : first;
    }
    for (uint32_t i = first; i + 1 < end; i++) {
        const struct evs_token *next = &tokens[i + 1];
        next += next->kind == EVS_TOKEN_PLUS || next->kind == EVS_TOKEN_QUESTION || next->kind == EVS_TOKEN_STAR;
        bool is_step = tokens[i].kind == EVS_TOKEN_WORD && !evs_word_is_reserved(tokens[i].word) &&
                       next->kind == EVS_TOKEN_WORD && next->word == EVS_WORD_AS;
        if (is_step) {
            char *name = evs_arena_strndup(&completion->server->arena, tokens[i].text.data, tokens[i].text.count);
            put_name(completion, name, KIND_STRUCT, 'b', "rows of a step");
        }
    }
}

static bool has_steps(enum evs_word operator_)
{
    return operator_ == EVS_WORD_SEQUENCE || operator_ == EVS_WORD_MATCH_RECOGNIZE;
}

static bool takes_windows(enum evs_word operator_)
{
    return operator_ == EVS_WORD_AGGREGATE || operator_ == EVS_WORD_CALL;
}

static bool takes_aggregates(enum evs_word operator_)
{
    return operator_ == EVS_WORD_AGGREGATE || operator_ == EVS_WORD_SEQUENCE || operator_ == EVS_WORD_MATCH_RECOGNIZE ||
           operator_ == EVS_WORD_SELECT || operator_ == EVS_WORD_EXTEND || operator_ == EVS_WORD_SET;
}

/* Overloads have one item; functions behind a dot are offered by put_members. */
static void put_callables(struct completion *completion)
{
    const char *last = "";
    for (uint32_t i = 0; i < evs_lsp_callable_count(); i++) {
        struct evs_lsp_callable callable = evs_lsp_callable_at(i);
        enum evs_word operator_ = completion->context.operator_;
        bool fits = callable.name[0] != '\0' && strcmp(callable.name, last) != 0 &&
                    (!callable.is_window || takes_windows(operator_)) &&
                    (!callable.is_aggregate || takes_aggregates(operator_));
        if (fits) {
            put_callable(completion, callable, callable.name);
        }
        last = callable.name;
    }
}

static void put_expression(struct completion *completion)
{
    enum evs_word operator_ = completion->context.operator_;
    struct evs_lsp_analysis *analysis = ask_binder(completion);
    put_columns(completion, &analysis->index);
    if (has_steps(operator_) && !analysis->index.is_exact) {
        put_steps(completion);
    }
    evs_lsp_analysis_free(analysis);
    if (operator_ != EVS_WORD_NONE) {
        put_words(completion, EVS_LSP_WORD_CLAUSE, evs_word_text(operator_),
                  completion->context.ends_operand ? '1' : 'e');
    }
    if (completion->context.ends_operand) {
        put_words(completion, EVS_LSP_WORD_CLAUSE, "*", '2');
    }
    put_callables(completion);
    put_words(completion, EVS_LSP_WORD_CLAUSE, "", 'f');
}

/* --- behind a dot -------------------------------------------------------------------------------------------------------------------------------- */

static void put_fields(struct completion *completion, const struct evs_index *index)
{
    const char *prefix = "struct<";
    for (uint32_t i = 0; i < index->column_count; i++) {
        const struct evs_seen_column *column = &index->columns[i];
        bool is_it = column->row == NULL && evs_slice_equal_nocase(completion->context.row, column->name) &&
                     column->type != NULL && strncmp(column->type, prefix, strlen(prefix)) == 0;
        const char *at = is_it ? column->type + strlen(prefix) : "";
        while (*at != '\0' && *at != '>') { /* "a int64, b array<string>>" */
            char name[128];
            size_t count = strcspn(at, " ,>"), depth = 0;
            snprintf(name, sizeof name, "%.*s", (int)count, at);
            const char *type = at + count + (at[count] == ' ');
            for (at = type; *at != '\0' && (depth > 0 || (*at != ',' && *at != '>')); at++) {
                depth += *at == '<';
                depth -= *at == '>';
            }
            char detail[128];
            snprintf(detail, sizeof detail, "%.*s", (int)(at - type), type);
            put_name(completion, name, KIND_FIELD, 'a', detail);
            at += *at == ',' ? strspn(at, ", ") : 0;
        }
    }
}

static void put_members(struct completion *completion)
{
    struct evs_slice row = completion->context.row;
    struct evs_lsp_analysis *analysis = ask_binder(completion);
    for (uint32_t i = 0; i < analysis->index.column_count; i++) {
        const struct evs_seen_column *column = &analysis->index.columns[i];
        bool is_step = has_steps(completion->context.operator_) && !analysis->index.is_exact && column->row == NULL;
        if (is_step || (column->row != NULL && evs_slice_equal_nocase(row, column->row))) {
            put_column(completion, column);
        }
    }
    put_fields(completion, &analysis->index);
    evs_lsp_analysis_free(analysis);
    bool is_safe = evs_slice_equal_nocase(row, "safe");
    for (uint32_t i = 0; i < evs_lsp_callable_count(); i++) {
        struct evs_lsp_callable callable = evs_lsp_callable_at(i);
        const char *dot = strchr(callable.name, '.');
        bool is_family = dot != NULL && (size_t)(dot - callable.name) == row.count &&
                         strncasecmp(callable.name, row.data, row.count) == 0;
        if (is_family) {
            put_callable(completion, callable, dot + 1);
        } else if (is_safe && callable.name[0] != '\0' && !callable.is_aggregate && !callable.is_window) {
            put_callable(completion, callable, callable.name);
        }
    }
}

/* --- the request ------------------------------------------------------------------------------------------------------------------------------------ */

static void put_items(struct completion *completion)
{
    static const char *const create[] = {"source", "sink", "table", "stream"};
    enum evs_lsp_declares declares = completion->context.declares;
    switch (completion->context.kind) {
    case EVS_LSP_PLACE_NOWHERE:
        break;
    case EVS_LSP_PLACE_STATEMENT:
        put_statements(completion);
        break;
    case EVS_LSP_PLACE_CREATE:
        put_plain_words(completion, create, EVS_COUNT(create));
        break;
    case EVS_LSP_PLACE_SETTING:
        put_settings(completion);
        break;
    case EVS_LSP_PLACE_OPERATOR:
        put_words(completion, EVS_LSP_WORD_OPERATOR, NULL, 'a');
        break;
    case EVS_LSP_PLACE_ROWS:
    case EVS_LSP_PLACE_GIVEN:
        put_declared(completion, 1u << EVS_SYMBOL_SOURCE | 1u << EVS_SYMBOL_STREAM | 1u << EVS_SYMBOL_TABLE, 'a');
        break;
    case EVS_LSP_PLACE_SINK:
    case EVS_LSP_PLACE_EXPECT:
        put_declared(completion, 1u << EVS_SYMBOL_SINK, 'a');
        break;
    case EVS_LSP_PLACE_CONNECTOR:
        put_connectors(completion);
        break;
    case EVS_LSP_PLACE_FORMAT:
        put_formats(completion);
        break;
    case EVS_LSP_PLACE_OPTION:
        put_options(completion);
        break;
    case EVS_LSP_PLACE_OPTION_VALUE:
        put_option_values(completion);
        break;
    case EVS_LSP_PLACE_TYPE:
        put_types(completion, evs_lsp_types, KIND_TYPE);
        break;
    case EVS_LSP_PLACE_COLUMN_CLAUSE:
        put_words(completion, EVS_LSP_WORD_STATEMENT, "column", 'a');
        break;
    case EVS_LSP_PLACE_CREATE_CLAUSE:
        put_words(completion, EVS_LSP_WORD_STATEMENT,
                  declares == EVS_LSP_DECLARES_SOURCE ? "source"
                  : declares == EVS_LSP_DECLARES_SINK ? "sink"
                                                      : "table",
                  'a');
        break;
    case EVS_LSP_PLACE_PARAMETER:
        put_declared(completion, 1u << EVS_SYMBOL_PARAM, 'a');
        break;
    case EVS_LSP_PLACE_UNIT:
        put_types(completion, evs_lsp_units, KIND_UNIT);
        break;
    case EVS_LSP_PLACE_MEMBER:
        put_members(completion);
        break;
    case EVS_LSP_PLACE_EXPRESSION:
        put_expression(completion);
        break;
    case EVS_LSP_PLACE_TEST: {
        static const char *const words[] = {"with", "given", "advance to", "end of input", "expect"};
        put_plain_words(completion, words, EVS_COUNT(words));
        break;
    }
    }
}

enum evs_lsp_error evs_lsp_completion(struct evs_lsp_server *server, struct evs_slice params, struct evs_buffer *result)
{
    struct completion completion = {.server = server, .out = result};
    uint32_t offset;
    if (!evs_lsp_at(server, params, &completion.document, &offset)) {
        return EVS_LSP_INVALID_PARAMS;
    }
    completion.syntax = evs_lsp_syntax_of(completion.document);
    completion.context = evs_lsp_context_at(completion.syntax, offset);
    evs_buffer_puts(result, "{\"isIncomplete\":false,\"items\":[");
    put_items(&completion);
    evs_buffer_puts(result, "]}");
    return EVS_LSP_OK;
}
