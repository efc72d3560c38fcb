/* The parser's cursor: lookahead, expectations, reports, recovery. */
#include "parse.h"

static const struct evs_token panic_token = {.kind = EVS_TOKEN_ERROR};

/* --- tokens ------------------------------------------------------------------------------------------------------- */

/* Without regard to panic. Beyond the limit of errors nothing more is read. */
static const struct evs_token *raw_peek(struct evs_parser *parser, uint32_t ahead)
{
    EVS_ASSERT(ahead < EVS_LOOKAHEAD);
    while (parser->ring_count <= ahead) {
        uint32_t slot = (parser->ring_first + parser->ring_count) % EVS_LOOKAHEAD;
        if (evs_diagnostics_errors(parser->diagnostics) >= EVS_DIAGNOSTICS_MAX) {
            parser->lexer.offset = (uint32_t)parser->lexer.source->text.count;
        }
        parser->ring[slot] = evs_lexer_next(&parser->lexer);
        parser->ring_count++;
    }
    return &parser->ring[(parser->ring_first + ahead) % EVS_LOOKAHEAD];
}

static struct evs_token raw_take(struct evs_parser *parser)
{
    struct evs_token token = *raw_peek(parser, 0);
    if (token.kind == EVS_TOKEN_END) {
        return token;
    }
    EVS_ASSERT(parser->ring_count > 0);
    EVS_ASSERT(token.offset >= parser->last.offset + parser->last.count); /* never back */
    if (token.kind == EVS_TOKEN_LEFT_PAREN || token.kind == EVS_TOKEN_LEFT_BRACKET) {
        parser->open_brackets++;
    } else if ((token.kind == EVS_TOKEN_RIGHT_PAREN || token.kind == EVS_TOKEN_RIGHT_BRACKET) &&
               parser->open_brackets > 0) {
        parser->open_brackets--;
    }
    parser->ring_first = (parser->ring_first + 1) % EVS_LOOKAHEAD;
    parser->ring_count--;
    parser->last = token;
    return token;
}

const struct evs_token *evs_peek_at(struct evs_parser *parser, uint32_t ahead)
{
    return parser->panic ? &panic_token : raw_peek(parser, ahead);
}

static bool is_word(const struct evs_token *token, enum evs_word word)
{
    return token->kind == EVS_TOKEN_WORD && token->word == word;
}

bool evs_at_words(struct evs_parser *parser, enum evs_word first, enum evs_word second)
{
    return evs_at_word(parser, first) && is_word(evs_peek_at(parser, 1), second);
}

static bool is_ident(const struct evs_token *token)
{
    return token->kind == EVS_TOKEN_QUOTED || (token->kind == EVS_TOKEN_WORD && !evs_word_is_reserved(token->word));
}

bool evs_at_ident(struct evs_parser *parser)
{
    return is_ident(evs_peek(parser));
}

struct evs_token evs_take_token(struct evs_parser *parser)
{
    EVS_ASSERT(!parser->panic);
    return raw_take(parser);
}

bool evs_take(struct evs_parser *parser, enum evs_token_kind kind)
{
    if (!evs_at(parser, kind)) {
        return false;
    }
    raw_take(parser);
    return true;
}

bool evs_take_word(struct evs_parser *parser, enum evs_word word)
{
    if (!evs_at_word(parser, word)) {
        return false;
    }
    raw_take(parser);
    return true;
}

bool evs_take_words(struct evs_parser *parser, enum evs_word first, enum evs_word second)
{
    if (!evs_at_words(parser, first, second)) {
        return false;
    }
    raw_take(parser);
    raw_take(parser);
    return true;
}

/* --- places ------------------------------------------------------------------------------------------------------- */

struct evs_place evs_token_place(const struct evs_parser *parser, const struct evs_token *token)
{
    return (struct evs_place){parser->lexer.source->file, token->line, token->column, token->offset, token->count};
}

struct evs_place evs_place_from(const struct evs_parser *parser, struct evs_place start)
{
    uint32_t end = parser->last.offset + parser->last.count;
    start.count = end > start.offset ? end - start.offset : 0;
    return start;
}

struct evs_place evs_here(struct evs_parser *parser)
{
    return evs_token_place(parser, raw_peek(parser, 0));
}

struct evs_place evs_behind(const struct evs_parser *parser)
{
    struct evs_lexer probe = parser->lexer;
    probe.offset = parser->last.offset;
    probe.line = parser->last.line;
    probe.column = parser->last.column;
    evs_lexer_advance(&probe, parser->last.count);
    return (struct evs_place){parser->lexer.source->file, probe.line, probe.column, probe.offset, 0};
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

static struct evs_diag *report(struct evs_parser *parser, enum evs_code code, struct evs_place place,
                               const char *format, va_list arguments)
{
    if (parser->is_muted || parser->panic) {
        return NULL;
    }
    char message[512];
    vsnprintf(message, sizeof message, format, arguments);
    return evs_diag(parser->diagnostics, code, place, "%s", message);
}

struct evs_diag *evs_syntax(struct evs_parser *parser, enum evs_code code, struct evs_place place, const char *format,
                            ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct evs_diag *diag = report(parser, code, place, format, arguments);
    va_end(arguments);
    parser->panic = true;
    return diag;
}

struct evs_diag *evs_complain(struct evs_parser *parser, enum evs_code code, struct evs_place place, const char *format,
                              ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct evs_diag *diag = report(parser, code, place, format, arguments);
    va_end(arguments);
    return diag;
}

/* What a token is called in a message: a word or sign in backticks as it is written, else its kind. */
static const char *describe(const struct evs_token *token, char *text, size_t room)
{
    bool is_short = token->text.count <= 40;
    if ((token->kind == EVS_TOKEN_WORD || token->kind == EVS_TOKEN_INT) && is_short) {
        snprintf(text, room, "`%.*s`", (int)token->text.count, token->text.data);
        return text;
    }
    return evs_token_kind_name(token->kind);
}

struct evs_diag *evs_expected(struct evs_parser *parser, const char *what)
{
    if (parser->panic) {
        return NULL;
    }
    const struct evs_token *token = raw_peek(parser, 0);
    if (token->kind == EVS_TOKEN_ERROR) { /* the lexer has said what is wrong */
        parser->panic = true;
        return NULL;
    }
    char text[64];
    const char *found = describe(token, text, sizeof text);
    return evs_syntax(parser, EVS_E0110, evs_here(parser), "expected %s, found %s", what, found);
}

/* --- expectations ------------------------------------------------------------------------------------------------- */

bool evs_expect(struct evs_parser *parser, enum evs_token_kind kind, const char *where)
{
    if (evs_take(parser, kind)) {
        return true;
    }
    char what[128];
    snprintf(what, sizeof what, "%s %s", evs_token_kind_name(kind), where);
    evs_expected(parser, what);
    return false;
}

/* Offers the expected word when what stands there looks like it. */
static void hint_word(struct evs_diag *diag, struct evs_slice found, const char *expected)
{
    struct evs_nearest nearest = evs_nearest_begin(found);
    evs_nearest_offer(&nearest, evs_slice_of(expected));
    evs_diag_did_you_mean(diag, &nearest);
}

bool evs_expect_word(struct evs_parser *parser, enum evs_word word, const char *where)
{
    if (evs_take_word(parser, word)) {
        return true;
    }
    char what[128];
    snprintf(what, sizeof what, "`%s` %s", evs_word_text(word), where);
    struct evs_slice found = evs_at(parser, EVS_TOKEN_WORD) ? evs_peek(parser)->text : EVS_SLICE("");
    hint_word(evs_expected(parser, what), found, evs_word_text(word));
    return false;
}

void evs_mark(const struct evs_parser *parser, uint32_t offset, uint8_t mark)
{
    struct evs_marks *marks = parser->script->marks;
    if (marks != NULL) {
        EVS_ASSERT(offset < marks->count);
        marks->of[offset] |= mark;
    }
}

static struct evs_ident take_ident(struct evs_parser *parser)
{
    struct evs_token token = raw_take(parser);
    evs_mark(parser, token.offset, EVS_MARK_NAME);
    const char *text = evs_arena_strndup(&parser->script->arena, token.text.data, token.text.count);
    return (struct evs_ident){{text, token.text.count}, evs_token_place(parser, &token)};
}

/* A reserved word at the end of a line is rather a missing name than a name: only one that a name's follower follows
 * is called one. */
static bool looks_like_name(struct evs_parser *parser)
{
    const struct evs_token *token = evs_peek(parser), *next = evs_peek_at(parser, 1);
    if (token->kind != EVS_TOKEN_WORD || !evs_word_is_reserved(token->word)) {
        return false;
    }
    return !(token->word == EVS_WORD_FROM || token->word == EVS_WORD_CREATE || token->word == EVS_WORD_SELECT) ||
           next->kind == EVS_TOKEN_COMMA || next->kind == EVS_TOKEN_RIGHT_PAREN;
}

struct evs_ident evs_expect_ident(struct evs_parser *parser, const char *what)
{
    if (evs_at_ident(parser)) {
        return take_ident(parser);
    }
    if (looks_like_name(parser)) {
        struct evs_slice text = evs_peek(parser)->text;
        struct evs_diag *diag =
            evs_syntax(parser, EVS_E0111, evs_here(parser), "expected %s, and `%.*s` is a reserved word", what,
                       (int)text.count, text.data);
        evs_diag_hint(diag, "write it in backticks: `%.*s`", (int)text.count, text.data);
    } else {
        evs_expected(parser, what);
    }
    return (struct evs_ident){{"", 0}, evs_behind(parser)};
}

struct evs_ident evs_expect_any_ident(struct evs_parser *parser, const char *what)
{
    if (evs_at(parser, EVS_TOKEN_WORD) || evs_at(parser, EVS_TOKEN_QUOTED)) {
        return take_ident(parser);
    }
    evs_expected(parser, what);
    return (struct evs_ident){{"", 0}, evs_behind(parser)};
}

bool evs_expect_close_angle(struct evs_parser *parser)
{
    if (evs_at(parser, EVS_TOKEN_SHIFT_RIGHT)) {
        EVS_ASSERT(parser->ring_count > 0);
        struct evs_token *token = &parser->ring[parser->ring_first];
        parser->last = *token;
        parser->last.count = 1;
        token->kind = EVS_TOKEN_GREATER;
        token->offset++;
        token->column++;
        token->count = 1;
        return true;
    }
    return evs_expect(parser, EVS_TOKEN_GREATER, "after the type");
}

/* --- depth -------------------------------------------------------------------------------------------------------- */

bool evs_enter(struct evs_parser *parser)
{
    if (++parser->depth <= EVS_AST_DEPTH_MAX) {
        return !parser->panic;
    }
    evs_syntax(parser, EVS_E0117, evs_here(parser), "this is nested more than %u levels deep", EVS_AST_DEPTH_MAX);
    parser->gave_up = true;
    return false;
}

void evs_leave(struct evs_parser *parser)
{
    EVS_ASSERT(parser->depth > 0);
    parser->depth--;
}

/* --- recovery ----------------------------------------------------------------------------------------------------- */

bool evs_at_statement_start(struct evs_parser *parser)
{
    const struct evs_token *token = raw_peek(parser, 0);
    if (token->kind != EVS_TOKEN_WORD || token->column != 1) {
        return false;
    }
    const struct evs_token *next = raw_peek(parser, 1);
    switch (token->word) {
    case EVS_WORD_CREATE:
        return next->kind == EVS_TOKEN_WORD;
    case EVS_WORD_IMPORT:
    case EVS_WORD_TEST:
        return next->kind == EVS_TOKEN_STRING;
    case EVS_WORD_SET:
    case EVS_WORD_PARAM:
    case EVS_WORD_PIPELINE:
        return is_ident(next);
    case EVS_WORD_FROM: /* `from nats (…)` belongs to a source */
        return is_ident(next) && raw_peek(parser, 2)->kind != EVS_TOKEN_LEFT_PAREN;
    default:
        return false;
    }
}

static bool at_statement_end(struct evs_parser *parser)
{
    enum evs_token_kind kind = raw_peek(parser, 0)->kind;
    return kind == EVS_TOKEN_END || kind == EVS_TOKEN_SEMICOLON || evs_at_statement_start(parser);
}

/* A query inside recovers for itself, so a `|>` that is no deeper than the mistake belongs to this one, whatever is
 * not closed before it. */
void evs_recover_pipe(struct evs_parser *parser, uint32_t open_brackets)
{
    uint32_t open_at_mistake = parser->open_brackets;
    if (parser->gave_up) {
        return;
    }
    parser->panic = false;
    while (!at_statement_end(parser)) {
        const struct evs_token *token = raw_peek(parser, 0);
        bool is_outside = parser->open_brackets <= open_brackets;
        if (token->kind == EVS_TOKEN_PIPE && (parser->open_brackets <= open_at_mistake || token->first_on_line)) {
            parser->open_brackets = open_brackets;
            return;
        }
        if (token->kind == EVS_TOKEN_RIGHT_PAREN && is_outside && open_brackets > 0) {
            return;
        }
        raw_take(parser);
    }
    parser->panic =
        raw_peek(parser, 0)->kind == EVS_TOKEN_WORD; /* the next statement: a missing `;` is no second mistake */
}

void evs_recover_list(struct evs_parser *parser, uint32_t open_brackets)
{
    EVS_ASSERT(parser->panic);
    if (parser->gave_up) {
        return;
    }
    parser->panic = false;
    while (!at_statement_end(parser)) {
        enum evs_token_kind kind = raw_peek(parser, 0)->kind;
        bool is_outside = parser->open_brackets <= open_brackets;
        if (is_outside && (kind == EVS_TOKEN_COMMA || kind == EVS_TOKEN_RIGHT_PAREN)) {
            return;
        }
        raw_take(parser);
    }
    parser->panic = true; /* the list has no end: that is no second mistake */
}

void evs_recover_statement(struct evs_parser *parser)
{
    parser->gave_up = false;
    parser->panic = false;
    while (!at_statement_end(parser)) {
        raw_take(parser);
    }
    if (raw_peek(parser, 0)->kind == EVS_TOKEN_SEMICOLON) {
        raw_take(parser);
    }
    parser->open_brackets = 0;
    EVS_ASSERT(!parser->panic && parser->depth == 0);
}

/* --- arena -------------------------------------------------------------------------------------------------------- */

void *evs_parse_grow(struct evs_parser *parser, void *items, uint32_t count, uint32_t *capacity, size_t item_bytes)
{
    if (count < *capacity) {
        return items;
    }
    EVS_ASSERT(count == *capacity && *capacity <= UINT32_MAX / 2);
    *capacity = *capacity > 0 ? *capacity * 2 : 4;
    void *grown = evs_arena_zero(&parser->script->arena, item_bytes * *capacity, _Alignof(max_align_t));
    if (count > 0) {
        memcpy(grown, items, item_bytes * count);
    }
    return grown;
}

struct evs_str evs_parse_str(struct evs_parser *parser, struct evs_slice text)
{
    const char *copy = evs_arena_strndup(&parser->script->arena, text.data, text.count);
    return evs_str_make(copy, (uint32_t)text.count);
}
