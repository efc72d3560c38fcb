/* The one layout of a pipeline file: evstream fmt, and the formatting of editors.
 *
 * What is kept: every token, the case of names, texts in quotes and JSON objects byte for byte, comments, one blank line where there were some, and
 * a query, an operator, a sequence or a list of columns that was begun on several lines stays so.
 * What is made the same everywhere: blanks, line breaks, indentation, lower-case keywords, functions and types, `int64` for `bigint` and its kind,
 * `!=` for `<>`, `agg(x where c)` for `agg(x) filter (where c)`, a `;` behind each statement.
 *
 * Formatting twice changes nothing, and the formatted text means the same: both are tested. */
#ifndef EVS_PRETTY_H
#define EVS_PRETTY_H

#include "lexer.h"
#include "parser.h"

#define EVS_PRETTY_COLUMNS 110 /* a line is longer only where it cannot be broken */

/* Writes the formatted text behind `out`. False when the text does not parse: `diagnostics` says why, and nothing is written. */
bool evs_pretty(const struct evs_source_text *text, struct evs_diagnostics *diagnostics, struct evs_buffer *out);

/* --- shared by pretty.c, pretty_tokens.c and pretty_layout.c ------------------------------------------------------- */

struct evs_pretty_comment {
    struct evs_slice text;
    bool blank_before; /* a blank line stood before it */
};
struct evs_pretty_token {
    enum evs_token_kind kind;
    enum evs_word word; /* of a keyword; EVS_WORD_NONE for names */
    uint8_t mark;
    struct evs_slice text;                     /* as it is to be written */
    const struct evs_pretty_comment *comments; /* on lines of their own before it */
    uint32_t comment_count;
    struct evs_slice trailing; /* a comment behind it on its line; count 0: none */
    bool new_line;             /* it was the first on its line */
    bool blank_before;         /* a blank line stood before it (and behind its comments) */
    bool space_before;         /* a blank stands before it where it is not the first on a line */
    uint32_t partner;          /* of an opening bracket (or case): its closing one; else 0 */
    uint32_t width;            /* columns */
};
struct evs_pretty_tokens {
    struct evs_arena *arena;
    struct evs_pretty_token *items; /* the last one is EVS_TOKEN_END, with the comments at the end of the file */
    uint32_t count, capacity;
};

void evs_pretty_read(const struct evs_source_text *text, const struct evs_marks *marks, struct evs_arena *arena,
                     struct evs_pretty_tokens *tokens);
void evs_pretty_write(const struct evs_pretty_tokens *tokens, struct evs_buffer *out);

#endif
