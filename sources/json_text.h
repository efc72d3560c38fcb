/* JSON's grammar below the token: strings, numbers, literals, and the check of a whole value.
 *
 * Everything here works on a text that evs_json_reader_index has indexed, so it is valid UTF-8, its strings are closed, and there is
 * no control character inside a string. Nothing allocates. */
#ifndef EVS_JSON_TEXT_H
#define EVS_JSON_TEXT_H

#include "evstream/text.h"
#include "json_reader.h"

/* Containers within containers, the outermost one counted: one more is bad, reason "depth". */
#define EVS_JSON_DEPTH_MAX 1024u

/* An indexed text, and where the value in hand must have ended. */
struct evs_json_tokens {
    const char *text;
    const uint32_t *at; /* with sentinels behind the last one */
    uint32_t count;
    uint32_t limit; /* place behind the last byte of the record */
};

/* No token begins with it: white space is between tokens. (A NUL is junk, and a token.) */
#define EVS_JSON_NONE ' '

/* The byte that token `n` begins with; EVS_JSON_NONE from the record's end on. `n` is at most one of the sentinels. */
static inline char evs_json_token(const struct evs_json_tokens *tokens, uint32_t n)
{
    uint32_t place = tokens->at[n];
    return place < tokens->limit ? tokens->text[place] : EVS_JSON_NONE;
}

static inline bool evs_json_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The text of the scalar or string at token `n`: from its first byte to the last that is no white space before the next token. */
static inline struct evs_slice evs_json_scalar(const struct evs_json_tokens *tokens, uint32_t n)
{
    const char *start = tokens->text + tokens->at[n];
    uint32_t next = tokens->at[n + 1] < tokens->limit ? tokens->at[n + 1] : tokens->limit;
    const char *end = tokens->text + next;
    while (end > start + 1 && evs_json_is_space(end[-1])) {
        end--;
    }
    return (struct evs_slice){start, (size_t)(end - start)};
}

/* Checks that a whole value stands at token `*n`, all of it: brackets that match, commas and colons where they belong, numbers,
 * literals, escapes. `depth` containers are open round it. Moves `*n` behind it. On failure *reason is "json" or "depth", *n the token at fault, *expected a few words. */
bool evs_json_check(const struct evs_json_tokens *tokens, uint32_t *n, uint32_t depth, const char **reason,
                    const char **expected);

/* Whether all of `text` is a number as RFC 8259 writes it, or true, false or null. */
bool evs_json_is_number(struct evs_slice text);
bool evs_json_is_literal(struct evs_slice text);

/* `inside` is a string without its quotes. The result is never longer than `inside`: `out` must hold as many bytes. False when an
 * escape is none of JSON's, or \u names half of a surrogate pair. */
bool evs_json_unescape(struct evs_slice inside, char *out, uint32_t *count);
bool evs_json_escapes_valid(struct evs_slice inside);

/* Whether there is an escape in it. Up to EVS_JSON_READER_PADDING bytes behind it are read. */
bool evs_json_has_escape(struct evs_slice inside);

/* A number, exactly: negative ? -digits : digits, × 10^exponent; `more` when digits other than 0 behind the 19th were left out. */
struct evs_json_decimal {
    uint64_t digits;
    int64_t exponent;
    bool negative, more;
};
/* `text` is a number as evs_json_is_number takes it. */
struct evs_json_decimal evs_json_decimal(struct evs_slice text);

#endif
