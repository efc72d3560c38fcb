/* Private to the parser: the cursor over tokens, and the functions of the grammar that its files share.
 *
 * Panic: the first mistake of an operator or statement is reported and sets `panic`. From then on the cursor shows
 * EVS_TOKEN_ERROR, which no rule accepts, so every loop and every rule ends at once, without consuming and without
 * reporting. The rule that can recover (a pipe operator, a column, a statement) then skips to where it can go on. So
 * one mistake is one error, and no input can make the parser loop.
 *
 * A rule that fails returns what it has so far, never NULL where a node is expected (EVS_AST_ERROR stands in for an
 * expression). */
#ifndef EVS_PARSE_H
#define EVS_PARSE_H

#include "lexer.h"
#include "parser.h"

#define EVS_LOOKAHEAD 4

struct evs_parser {
    struct evs_script *script;
    struct evs_diagnostics *diagnostics;
    struct evs_lexer lexer;
    struct evs_token ring[EVS_LOOKAHEAD]; /* tokens read and not yet taken */
    uint32_t ring_first, ring_count;
    struct evs_token last;  /* taken last: spans end with it */
    uint32_t open_brackets; /* ( [ taken and not closed */
    uint32_t depth;         /* nested rules */
    uint32_t tallest;       /* height of the highest expression of the query that is being read */
    bool panic;
    bool gave_up;  /* nested too deeply: only the statement recovers */
    bool is_muted; /* inside something that is reported as a whole: mistakes panic, but are not reported */
};

/* --- the cursor: parse.c ------------------------------------------------------------------------------------------ */

/* The next token, or the one `ahead` of it; EVS_TOKEN_ERROR while panicking. */
const struct evs_token *evs_peek_at(struct evs_parser *parser, uint32_t ahead);
static inline const struct evs_token *evs_peek(struct evs_parser *parser)
{
    return evs_peek_at(parser, 0);
}
static inline bool evs_at(struct evs_parser *parser, enum evs_token_kind kind)
{
    return evs_peek(parser)->kind == kind;
}
static inline bool evs_at_word(struct evs_parser *parser, enum evs_word word)
{
    const struct evs_token *token = evs_peek(parser);
    return token->kind == EVS_TOKEN_WORD && token->word == word;
}
bool evs_at_words(struct evs_parser *parser, enum evs_word first, enum evs_word second);
/* A name can stand here: a word that is not reserved, or one in backticks. */
bool evs_at_ident(struct evs_parser *parser);
/* A word at the start of a line that begins a statement, whatever is still open: a `;` or a bracket was forgotten.
 * Also in a panic. */
bool evs_at_statement_start(struct evs_parser *parser);
/* The next token, taken. Not while panicking. */
struct evs_token evs_take_token(struct evs_parser *parser);
/* Takes it if it is next. */
bool evs_take(struct evs_parser *parser, enum evs_token_kind kind);
bool evs_take_word(struct evs_parser *parser, enum evs_word word);
bool evs_take_words(struct evs_parser *parser, enum evs_word first, enum evs_word second);
/* Takes it, or reports that it was expected; `where` reads on from there: "after the columns". */
bool evs_expect(struct evs_parser *parser, enum evs_token_kind kind, const char *where);
bool evs_expect_word(struct evs_parser *parser, enum evs_word word, const char *where);
/* A name; reports `what` ("a column name") when there is none. */
struct evs_ident evs_expect_ident(struct evs_parser *parser, const char *what);
/* A name behind a dot or @, where reserved words are names too. */
struct evs_ident evs_expect_any_ident(struct evs_parser *parser, const char *what);
/* The closing > of a type: the first half of >> counts. */
bool evs_expect_close_angle(struct evs_parser *parser);

/* Places: of a token, of all between a place's start and what was taken last, and just behind what was taken last. */
struct evs_place evs_token_place(const struct evs_parser *parser, const struct evs_token *token);
struct evs_place evs_place_from(const struct evs_parser *parser, struct evs_place start);
struct evs_place evs_here(struct evs_parser *parser);
struct evs_place evs_behind(const struct evs_parser *parser);

/* Reports, unless muted or panicking already, and panics. NULL when nothing was reported. */
struct evs_diag *evs_syntax(struct evs_parser *parser, enum evs_code code, struct evs_place place, const char *format,
                            ...) EVS_PRINTF(4, 5);
/* "expected WHAT, found …" at the next token. */
struct evs_diag *evs_expected(struct evs_parser *parser, const char *what);
/* Reports without panicking. */
struct evs_diag *evs_complain(struct evs_parser *parser, enum evs_code code, struct evs_place place, const char *format,
                              ...) EVS_PRINTF(4, 5);

/* Says what the token at an offset is (enum evs_mark), where the script asks for it. */
void evs_mark(const struct evs_parser *parser, uint32_t offset, uint8_t mark);

/* One level deeper; false (reported) when that is too deep. A pair with evs_leave in either case. */
bool evs_enter(struct evs_parser *parser);
void evs_leave(struct evs_parser *parser);

/* Recovery: ends the panic and skips to the next |> , the `)` that closes the query, or `;`, `open_brackets` being
 * those of the query; the panic stays when the next statement comes first … */
void evs_recover_pipe(struct evs_parser *parser, uint32_t open_brackets);
/* … to the next comma or the end of a list; the panic stays when the statement ends before it … */
void evs_recover_list(struct evs_parser *parser, uint32_t open_brackets);
/* … behind the next `;`, or before a word at the start of a line that begins a statement. */
void evs_recover_statement(struct evs_parser *parser);

/* Grows an array in the arena: `items` has room for one more behind `count`. */
void *evs_parse_grow(struct evs_parser *parser, void *items, uint32_t count, uint32_t *capacity, size_t item_bytes);
#define EVS_APPEND(parser, items, count, capacity, ...)                                                                \
    ((items) = evs_parse_grow((parser), (items), (count), &(capacity), sizeof *(items)),                               \
     (items)[(count)++] = __VA_ARGS__)
struct evs_str evs_parse_str(struct evs_parser *parser, struct evs_slice text); /* copied to the arena */

/* --- expressions: parse_expr.c, parse_primary.c, parse_call.c ----------------------------------------------------- */

const struct evs_ast_expr *evs_parse_expression(struct evs_parser *parser);
/* As an operand of between, in, like: nothing weaker than `|`. */
const struct evs_ast_expr *evs_parse_operand(struct evs_parser *parser);
const struct evs_ast_expr *evs_parse_primary(struct evs_parser *parser);
/* Arguments and clauses of a call whose name is taken; `name` covers `safe.` and dots. */
const struct evs_ast_expr *evs_parse_call(struct evs_parser *parser, struct evs_place start,
                                          const struct evs_ident *names, uint32_t name_count);
struct evs_ast_exprs evs_parse_expressions(struct evs_parser *parser);
struct evs_ast_orders evs_parse_orders(struct evs_parser *parser);
/* `interval …`, as within, retain and their kind take; reports `what` when something else stands there. */
const struct evs_ast_expr *evs_parse_interval(struct evs_parser *parser, const char *what);
/* A unit or part: day, week(monday). */
enum evs_ast_part evs_parse_part(struct evs_parser *parser, bool of_interval, struct evs_ident *week_start);
/* A text in quotes; count 0 and a report when there is none. */
struct evs_str evs_expect_string(struct evs_parser *parser, const char *what);
uint32_t evs_expect_count(struct evs_parser *parser, const char *what); /* a whole number below 2^31 */

/* A new node: op, arguments and height are set, the rest is for the caller, who must not change it once it is used.
 * Reports and gives EVS_AST_ERROR when the tree gets too high. */
struct evs_ast_expr *evs_new_expr(struct evs_parser *parser, enum evs_ast_expr_kind kind, struct evs_place place,
                                  const struct evs_ast_expr *const *arguments, uint32_t argument_count);
const struct evs_ast_expr *evs_error_expr(struct evs_parser *parser);

/* --- types, queries, operators, statements ------------------------------------------------------------------------ */

const struct evs_ast_type *evs_parse_type(struct evs_parser *parser);

bool evs_at_query(struct evs_parser *parser); /* from, or words of SQL that a query cannot begin with here */
const struct evs_ast_query *evs_parse_query(struct evs_parser *parser);
const struct evs_ast_query *
evs_parse_subquery(struct evs_parser *parser); /* inside an expression: select … from … too */
struct evs_ast_relation evs_parse_relation(struct evs_parser *parser);
/* [as] NAME, unless the word begins a clause; absent when there is none. */
struct evs_ident evs_parse_alias(struct evs_parser *parser);
struct evs_ident evs_parse_into(struct evs_parser *parser); /* into NAME */
/* The name of a stateful operator: `as NAME`. */
void evs_parse_operator_name(struct evs_parser *parser, struct evs_ast_pipe *pipe);
struct evs_ast_items evs_parse_items(struct evs_parser *parser, bool stars);
struct evs_idents evs_parse_ident_list(struct evs_parser *parser, const char *what);
void evs_parse_pipe(struct evs_parser *parser, struct evs_ast_pipe *pipe);
/* Operators up to the end of the query; the first one may stand without |> when `is_branch`. */
struct evs_ast_pipeline evs_parse_pipeline(struct evs_parser *parser, bool is_branch);
/* The words of all pipe operators, for did-you-mean. */
void evs_offer_pipe_words(struct evs_nearest *nearest);
bool evs_word_starts_pipe(enum evs_word word);

typedef void evs_parse_pipe_body(struct evs_parser *parser, struct evs_ast_pipe *pipe);
evs_parse_pipe_body evs_parse_aggregate, evs_parse_join, evs_parse_deduplicate, evs_parse_throttle, evs_parse_sample,
    evs_parse_top, evs_parse_hold, evs_parse_identity, evs_parse_sequence, evs_parse_match_recognize;

enum evs_ast_skip evs_parse_skip(struct evs_parser *parser); /* [after match skip …] */

void evs_parse_create(struct evs_parser *parser, struct evs_ast_statement *statement);
void evs_parse_test(struct evs_parser *parser, struct evs_ast_statement *statement);

#endif
