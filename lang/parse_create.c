/* create source | table | sink | stream, with their columns, connectors, formats and clauses. */
#include "parse.h"

/* --- connectors and formats --------------------------------------------------------------------------------------- */

static void report_repeated_option(struct evs_parser *parser, const struct evs_ast_option *options, uint32_t count,
                                   const struct evs_ident *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (evs_ident_given(name) && evs_slice_equal_nocase(options[i].name.text, name->text.data)) {
            struct evs_diag *diag =
                evs_complain(parser, EVS_E0115, name->place, "the option `%s` is given twice", name->text.data);
            evs_diag_note(diag, options[i].name.place, "first given here");
            return;
        }
    }
}

static struct evs_ast_option parse_option(struct evs_parser *parser)
{
    struct evs_ast_option option = {.name = evs_expect_any_ident(parser, "the name of an option")};
    evs_expect(parser, EVS_TOKEN_EQUAL, "after the option's name");
    option.value = evs_parse_expression(parser);
    return option;
}

/* (name = value, …); a mistake in one option leaves the others. */
static void parse_options(struct evs_parser *parser, struct evs_ast_connector *connector, bool *is_broken)
{
    struct evs_ast_option *options = NULL;
    uint32_t capacity = 0;
    evs_take_token(parser);
    uint32_t open_brackets = parser->open_brackets;
    while (!parser->panic && !evs_at(parser, EVS_TOKEN_RIGHT_PAREN)) {
        struct evs_ast_option option = parse_option(parser);
        if (!parser->panic && !evs_at(parser, EVS_TOKEN_COMMA) && !evs_at(parser, EVS_TOKEN_RIGHT_PAREN)) {
            evs_expected(parser, "`,` or `)` after the option");
        }
        if (parser->panic) {
            *is_broken = true;
            evs_recover_list(parser, open_brackets);
        } else {
            report_repeated_option(parser, options, connector->option_count, &option.name);
            EVS_APPEND(parser, options, connector->option_count, capacity, option);
        }
        if (!evs_take(parser, EVS_TOKEN_COMMA)) {
            break;
        }
    }
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the options");
    connector->options = options;
}

static struct evs_ast_connector parse_connector(struct evs_parser *parser, const char *what, bool *is_broken)
{
    struct evs_ast_connector connector = {.place = evs_here(parser)};
    connector.name = evs_expect_ident(parser, what);
    if (evs_at(parser, EVS_TOKEN_LEFT_PAREN)) {
        parse_options(parser, &connector, is_broken);
    }
    connector.place = evs_place_from(parser, connector.place);
    return connector;
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

static void parse_unit(struct evs_parser *parser, struct evs_ast_column *column)
{
    static const char *const units[] = {"s", "ms", "us", "ns"};
    column->unit = evs_expect_ident(parser, "`s`, `ms`, `us` or `ns` after `unit`");
    for (uint32_t i = 0; i < EVS_COUNT(units); i++) {
        if (evs_slice_equal_nocase(column->unit.text, units[i])) {
            return;
        }
    }
    struct evs_diag *diag = evs_complain(parser, EVS_E0118, column->unit.place, "`%s` is not a unit of epoch times",
                                         column->unit.text.data);
    evs_diag_hint(diag, "one of s, ms, us, ns");
}

static void once(struct evs_parser *parser, bool is_given, struct evs_place place, const char *what)
{
    if (is_given) {
        evs_complain(parser, EVS_E0115, place, "`%s` is given twice", what);
    }
}

/* path STRING, unit U, not null, default LITERAL, in any order; false when none follows. */
static bool parse_column_clause(struct evs_parser *parser, struct evs_ast_column *column)
{
    struct evs_place place = evs_here(parser);
    if (evs_take_word(parser, EVS_WORD_PATH)) {
        once(parser, column->has_path, place, "path");
        column->path_place = evs_here(parser);
        column->path = evs_expect_string(parser, "a path such as '$.properties.price'");
        column->has_path = true;
    } else if (evs_take_word(parser, EVS_WORD_UNIT)) {
        once(parser, evs_ident_given(&column->unit), place, "unit");
        parse_unit(parser, column);
    } else if (evs_take_word(parser, EVS_WORD_NOT)) {
        once(parser, column->not_null, place, "not null");
        evs_expect_word(parser, EVS_WORD_NULL, "after `not`");
        column->not_null = true;
    } else if (evs_take_word(parser, EVS_WORD_DEFAULT)) {
        once(parser, column->fallback != NULL, place, "default");
        column->fallback = evs_parse_operand(parser);
    } else {
        return false;
    }
    return true;
}

/* What a column may go on with, when it is none of that: the words of other SQL, or a slip. */
static void report_column_clause(struct evs_parser *parser, const struct evs_ident *column)
{
    if (evs_at(parser, EVS_TOKEN_COMMA) || evs_at(parser, EVS_TOKEN_RIGHT_PAREN) || parser->panic) {
        return;
    }
    bool is_primary = evs_at_words(parser, EVS_WORD_PRIMARY, EVS_WORD_KEY);
    bool is_open = evs_at_word(parser, EVS_WORD_FROM);
    struct evs_slice found = evs_at(parser, EVS_TOKEN_WORD) ? evs_peek(parser)->text : EVS_SLICE("");
    struct evs_diag *diag = evs_expected(parser, "`,` or `)` after the column");
    if (evs_slice_equal_nocase(column->text, "watermark")) {
        evs_diag_hint(diag, "write `watermark for COLUMN as …`");
        return;
    }
    if (is_primary || is_open) {
        evs_diag_hint(diag,
                      is_primary ? "write `primary key (COLUMN)` behind the columns" : "close the columns with `)`");
        return;
    }
    struct evs_nearest nearest = evs_nearest_begin(found);
    static const char *const words[] = {"path", "unit", "not null", "default"};
    for (uint32_t i = 0; i < EVS_COUNT(words); i++) {
        evs_nearest_offer(&nearest, evs_slice_of(words[i]));
    }
    evs_diag_did_you_mean(diag, &nearest);
}

static struct evs_ast_column parse_column(struct evs_parser *parser)
{
    struct evs_ast_column column = {.place = evs_here(parser)};
    column.name = evs_expect_ident(parser, "the name of a column");
    column.type = evs_parse_type(parser);
    while (parse_column_clause(parser, &column)) {
    }
    column.place = evs_place_from(parser, column.place);
    report_column_clause(parser, &column.name);
    return column;
}

/* What the parentheses behind a source's or table's name hold. */
struct definition {
    struct evs_ast_column *columns;
    uint32_t count, capacity;
    struct evs_ident watermark_column;
    const struct evs_ast_expr *watermark;
    struct evs_idents primary_key;
};

static void parse_watermark(struct evs_parser *parser, struct definition *definition)
{
    once(parser, definition->watermark != NULL, evs_token_place(parser, &parser->last), "watermark");
    definition->watermark_column = evs_expect_ident(parser, "the name of the event-time column");
    evs_expect_word(parser, EVS_WORD_AS, "and the watermark's expression");
    definition->watermark = evs_parse_expression(parser);
}

static void parse_primary_key(struct evs_parser *parser, struct definition *definition)
{
    once(parser, definition->primary_key.count > 0, evs_token_place(parser, &parser->last), "primary key");
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "after `primary key`");
    definition->primary_key = evs_parse_ident_list(parser, "the name of a column");
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the key");
}

static void parse_element(struct evs_parser *parser, struct definition *definition)
{
    if (evs_take_words(parser, EVS_WORD_WATERMARK, EVS_WORD_FOR)) {
        parse_watermark(parser, definition);
    } else if (evs_take_words(parser, EVS_WORD_PRIMARY, EVS_WORD_KEY)) {
        parse_primary_key(parser, definition);
    } else {
        struct evs_ast_column column = parse_column(parser);
        if (evs_ident_given(&column.name)) { /* also a broken one: its name is known */
            EVS_APPEND(parser, definition->columns, definition->count, definition->capacity, column);
        }
        return;
    }
    if (!evs_at(parser, EVS_TOKEN_COMMA) && !evs_at(parser, EVS_TOKEN_RIGHT_PAREN)) {
        evs_expected(parser, "`,` or `)`");
    }
}

/* (COLUMN, …, [watermark …], [primary key …]); a mistake in one leaves the others. */
static struct definition parse_definition(struct evs_parser *parser, bool *is_broken)
{
    struct definition definition = {0};
    evs_expect(parser, EVS_TOKEN_LEFT_PAREN, "before the columns");
    uint32_t open_brackets = parser->open_brackets;
    while (!parser->panic) {
        parse_element(parser, &definition);
        if (parser->panic) {
            *is_broken = true;
            evs_recover_list(parser, open_brackets);
        }
        if (!evs_take(parser, EVS_TOKEN_COMMA) || evs_at(parser, EVS_TOKEN_RIGHT_PAREN)) {
            break;
        }
    }
    evs_expect(parser, EVS_TOKEN_RIGHT_PAREN, "after the columns");
    return definition;
}

/* --- the four statements: the word behind create is taken --------------------------------------------------------- */

static void parse_on_error(struct evs_parser *parser, struct evs_ast_source *source)
{
    evs_expect_word(parser, EVS_WORD_ERROR, "after `on`");
    if (evs_take_word(parser, EVS_WORD_FAIL)) {
        source->on_error = EVS_ON_ERROR_FAIL;
        return;
    }
    if (!evs_take_words(parser, EVS_WORD_DEAD, EVS_WORD_LETTER)) {
        evs_expected(parser, "`dead letter` or `fail` after `on error`");
    }
    source->on_error = EVS_ON_ERROR_DEAD_LETTER;
}

static void parse_source(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    struct evs_ast_source *source = &statement->source;
    statement->kind = EVS_STATEMENT_SOURCE;
    statement->name = evs_expect_ident(parser, "a name for the source");
    struct definition definition = parse_definition(parser, &statement->is_broken);
    source->columns = (struct evs_ast_columns){definition.columns, definition.count};
    source->watermark_column = definition.watermark_column;
    source->watermark = definition.watermark;
    if (definition.primary_key.count > 0) {
        struct evs_diag *diag = evs_complain(parser, EVS_E0124, definition.primary_key.items[0].place,
                                             "a source has no primary key: its rows are events");
        evs_diag_hint(diag, "a table has one; repeated events are dropped by `|> deduplicate`");
    }
    evs_expect_word(parser, EVS_WORD_FROM, "and a connector after the columns");
    source->connector = parse_connector(parser, "a connector such as `nats` or `file`", &statement->is_broken);
    if (evs_take_word(parser, EVS_WORD_FORMAT)) {
        source->format = parse_connector(parser, "a format such as `json`", &statement->is_broken);
    }
    if (evs_take_words(parser, EVS_WORD_DEAD, EVS_WORD_LETTER)) {
        source->dead_letter = evs_parse_into(parser);
    }
    if (evs_take_word(parser, EVS_WORD_ON)) {
        parse_on_error(parser, source);
    }
}

static void parse_lookup_error(struct evs_parser *parser, struct evs_ast_table *table)
{
    evs_expect_word(parser, EVS_WORD_LOOKUP, "after `on`");
    evs_expect_word(parser, EVS_WORD_ERROR, "after `on lookup`");
    if (evs_take_word(parser, EVS_WORD_FAIL)) {
        table->on_lookup_error = EVS_ON_LOOKUP_FAIL;
    } else if (evs_take_word(parser, EVS_WORD_NULL)) {
        table->on_lookup_error = EVS_ON_LOOKUP_NULL;
    } else {
        if (!evs_take_words(parser, EVS_WORD_DEAD, EVS_WORD_LETTER)) {
            evs_expected(parser, "`dead letter`, `null` or `fail` after `on lookup error`");
        }
        table->on_lookup_error = EVS_ON_LOOKUP_DEAD_LETTER;
    }
}

static void parse_kept_table(struct evs_parser *parser, struct evs_ast_table *table)
{
    table->query = evs_parse_query(parser);
    if (evs_take_word(parser, EVS_WORD_RETAIN)) {
        table->retain = evs_parse_interval(parser, "an interval after `retain`");
    }
}

static void parse_table(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    struct evs_ast_table *table = &statement->table;
    statement->kind = EVS_STATEMENT_TABLE;
    statement->name = evs_expect_ident(parser, "a name for the table");
    struct definition definition = parse_definition(parser, &statement->is_broken);
    table->columns = (struct evs_ast_columns){definition.columns, definition.count};
    table->primary_key = definition.primary_key;
    if (definition.watermark != NULL) {
        evs_complain(parser, EVS_E0124, definition.watermark_column.place, "a table has no watermark");
    }
    if (definition.primary_key.count == 0 && !parser->panic && !statement->is_broken) {
        struct evs_diag *diag = evs_complain(parser, EVS_E0120, statement->name.place,
                                             "the table `%s` has no primary key", statement->name.text.data);
        evs_diag_hint(diag, "add `primary key (COLUMN)` behind its columns");
        statement->is_broken = true;
    }
    if (evs_take_word(parser, EVS_WORD_AS)) {
        parse_kept_table(parser, table);
        return;
    }
    evs_expect_word(parser, EVS_WORD_FROM, "and a connector, or `as` and a query");
    table->connector = parse_connector(parser, "a connector such as `redis` or `file`", &statement->is_broken);
    if (evs_take_word(parser, EVS_WORD_ON)) {
        parse_lookup_error(parser, table);
    }
}

static void parse_sink(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    statement->kind = EVS_STATEMENT_SINK;
    statement->name = evs_expect_ident(parser, "a name for the sink");
    if (evs_at(parser, EVS_TOKEN_LEFT_PAREN)) {
        struct evs_diag *diag = evs_syntax(parser, EVS_E0124, evs_here(parser),
                                           "a sink has no list of columns: it takes the columns of its rows");
        evs_diag_hint(diag, "go on with `to CONNECTOR (…)`");
        return;
    }
    evs_expect_word(parser, EVS_WORD_TO, "and a connector after the sink's name");
    statement->sink.connector = parse_connector(parser, "a connector such as `nats` or `file`", &statement->is_broken);
    if (evs_take_word(parser, EVS_WORD_FORMAT)) {
        statement->sink.format = parse_connector(parser, "a format such as `json`", &statement->is_broken);
    }
}

static void parse_stream(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    statement->kind = EVS_STATEMENT_STREAM;
    statement->name = evs_expect_ident(parser, "a name for the stream");
    evs_expect_word(parser, EVS_WORD_AS, "and a query");
    statement->query = evs_parse_query(parser);
}

/* --- create ------------------------------------------------------------------------------------------------------- */

static const struct {
    enum evs_word word;
    void (*parse)(struct evs_parser *parser, struct evs_ast_statement *statement);
} kinds[] = {
    {EVS_WORD_SOURCE, parse_source},
    {EVS_WORD_TABLE, parse_table},
    {EVS_WORD_SINK, parse_sink},
    {EVS_WORD_STREAM, parse_stream},
};

static void report_kind(struct evs_parser *parser)
{
    struct evs_place place = evs_here(parser);
    if (evs_at_words(parser, EVS_WORD_OR, EVS_WORD_REPLACE)) {
        struct evs_diag *diag = evs_syntax(parser, EVS_E0124, place, "a file declares each thing once");
        evs_diag_hint(diag, "leave `or replace` out");
        return;
    }
    if (!evs_at(parser, EVS_TOKEN_WORD)) {
        evs_expected(parser, "`source`, `table`, `sink` or `stream` after `create`");
        return;
    }
    struct evs_slice found = evs_peek(parser)->text;
    struct evs_nearest nearest = evs_nearest_begin(found);
    for (uint32_t i = 0; i < EVS_COUNT(kinds); i++) {
        evs_nearest_offer(&nearest, evs_slice_of(evs_word_text(kinds[i].word)));
    }
    struct evs_diag *diag =
        evs_syntax(parser, EVS_E0112, place, "nothing of the kind `%.*s` can be created", (int)found.count, found.data);
    if (nearest.best.count > 0) {
        evs_diag_did_you_mean(diag, &nearest);
    } else {
        evs_diag_hint(diag, "one of source, table, sink, stream");
    }
}

void evs_parse_create(struct evs_parser *parser, struct evs_ast_statement *statement)
{
    evs_take_token(parser);
    for (uint32_t i = 0; i < EVS_COUNT(kinds); i++) {
        if (evs_take_word(parser, kinds[i].word)) {
            kinds[i].parse(parser, statement);
            return;
        }
    }
    report_kind(parser);
}
