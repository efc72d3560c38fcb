/* Tokens of a pipeline file: GoogleSQL's lexical structure, and one JSON object as one token.
 *
 * The lexer is a stream: it holds no token but the one it is asked for. What is wrong inside a token is reported
 * here, at the exact byte; the token is then EVS_TOKEN_ERROR, and the parser must not report it again.
 *
 * Keywords are words: a word token carries its number in words.def, whether GoogleSQL reserves it or not; the parser
 * decides by place. */
#ifndef EVS_LEXER_H
#define EVS_LEXER_H

#include "diag.h"
#include "source_text.h"
#include "words.h"

enum evs_token_kind {
    EVS_TOKEN_END,
    EVS_TOKEN_ERROR,  /* reported already */
    EVS_TOKEN_WORD,   /* a keyword or a name: `word`, text as written */
    EVS_TOKEN_QUOTED, /* a name in backticks: text decoded */
    EVS_TOKEN_INT,    /* magnitude, up to 2^63 */
    EVS_TOKEN_FLOAT,  /* float64 */
    EVS_TOKEN_STRING, /* text decoded */
    EVS_TOKEN_BYTES,  /* text decoded */
    EVS_TOKEN_JSON,   /* text as written: a { that is followed by " or } up to its end */
    EVS_TOKEN_LEFT_PAREN,
    EVS_TOKEN_RIGHT_PAREN,
    EVS_TOKEN_LEFT_BRACKET,
    EVS_TOKEN_RIGHT_BRACKET,
    EVS_TOKEN_LEFT_BRACE,
    EVS_TOKEN_RIGHT_BRACE,
    EVS_TOKEN_COMMA,
    EVS_TOKEN_SEMICOLON,
    EVS_TOKEN_DOT,
    EVS_TOKEN_AT,
    EVS_TOKEN_QUESTION,
    EVS_TOKEN_DOLLAR,
    EVS_TOKEN_PIPE,   /* |> */
    EVS_TOKEN_CONCAT, /* || */
    EVS_TOKEN_BIT_OR,
    EVS_TOKEN_BIT_AND,
    EVS_TOKEN_BIT_XOR,
    EVS_TOKEN_BIT_NOT,
    EVS_TOKEN_PLUS,
    EVS_TOKEN_MINUS,
    EVS_TOKEN_STAR,
    EVS_TOKEN_SLASH,
    EVS_TOKEN_EQUAL,
    EVS_TOKEN_NOT_EQUAL,
    EVS_TOKEN_LESS,
    EVS_TOKEN_LESS_EQUAL,
    EVS_TOKEN_GREATER,
    EVS_TOKEN_GREATER_EQUAL,
    EVS_TOKEN_SHIFT_LEFT,
    EVS_TOKEN_SHIFT_RIGHT,
    EVS_TOKEN_NAMED, /* => */
    EVS_TOKEN_ARROW, /* -> */
    EVS_TOKEN_KIND_COUNT
};
/* "`|>`", "a string": as messages name the kind. */
const char *evs_token_kind_name(enum evs_token_kind kind);
/* The sign itself ("|>"), or NULL when the kind is no sign: the grammar's test walks over them. */
const char *evs_token_sign(enum evs_token_kind kind);

struct evs_token {
    enum evs_token_kind kind;
    enum evs_word word;                   /* EVS_WORD_NONE unless it is a word of the language */
    bool first_on_line;                   /* only white space and comments before it on its line */
    uint32_t line, column, offset, count; /* as in struct evs_place */
    struct evs_slice text;                /* of the source, or decoded in the arena; NUL-terminated only when decoded */
    union {
        uint64_t magnitude;
        double float64;
    };
};

struct evs_lexer {
    const struct evs_source_text *source;
    struct evs_diagnostics *diagnostics;
    struct evs_arena *arena;       /* decoded texts */
    uint32_t offset, line, column; /* of the next byte */
    bool line_has_token;
};

void evs_lexer_init(struct evs_lexer *lexer, const struct evs_source_text *source, struct evs_arena *arena,
                    struct evs_diagnostics *diagnostics);
struct evs_token evs_lexer_next(struct evs_lexer *lexer);

/* Whether the text begins with one JSON object (RFC 8259); *bytes is its length. For those who read events without a lexer. */
bool evs_json_object(struct evs_slice text, size_t *bytes);

/* --- shared by lexer.c, lex_text.c and lex_json.c ----------------------------------------------------------------- */

/* Bytes of one code point at the start of `text`, and the code point; 0 when it is not valid UTF-8. */
uint32_t evs_utf8_decode(struct evs_slice text, uint32_t *code_point);
/* Bytes written to `out` (at most 4). */
uint32_t evs_utf8_encode(uint32_t code_point, char *out);

/* Reports at [offset, offset + count) of the source, which is not before the cursor. */
struct evs_diag *evs_lexer_report(struct evs_lexer *lexer, enum evs_code code, uint32_t offset, uint32_t count,
                                  const char *format, ...) EVS_PRINTF(5, 6);

/* Moves over bytes of the source, counting lines and columns. */
void evs_lexer_advance(struct evs_lexer *lexer, uint32_t bytes);
/* The byte `ahead` of the next one; 0 at the end. */
static inline uint8_t evs_lexer_byte(const struct evs_lexer *lexer, uint32_t ahead)
{
    size_t at = (size_t)lexer->offset + ahead;
    return at < lexer->source->text.count ? (uint8_t)lexer->source->text.data[at] : 0;
}

/* How a quoted text is written. */
struct evs_quote {
    uint32_t prefix; /* bytes of r, b, rb */
    bool raw, bytes;
    char mark;      /* ' " ` */
    uint32_t marks; /* 1 or 3 */
};
/* Whether a quoted text starts at the next byte. */
bool evs_lex_quote_starts(const struct evs_lexer *lexer, struct evs_quote *quote);
/* Reads it: token->kind and text are set. */
void evs_lex_quoted(struct evs_lexer *lexer, const struct evs_quote *quote, struct evs_token *token);
/* Reads a JSON object that starts at the next byte. */
void evs_lex_json(struct evs_lexer *lexer, struct evs_token *token);

#endif
