/* The lexer: white space, comments, words, numbers and signs. Quoted texts are in lex_text.c, JSON objects in
 * lex_json.c.
 *
 * Every byte of the file is looked at a bounded number of times, and every call moves forward or returns
 * EVS_TOKEN_END, so the parser ends on any input. */
#include "lexer.h"

#include "evstream/type.h"

static const struct {
    const char *sign; /* NULL: no sign */
    const char *name;
} kinds[EVS_TOKEN_KIND_COUNT] = {
    [EVS_TOKEN_END] = {NULL, "the end of the file"},
    [EVS_TOKEN_ERROR] = {NULL, "an error"},
    [EVS_TOKEN_WORD] = {NULL, "a word"},
    [EVS_TOKEN_QUOTED] = {NULL, "a name"},
    [EVS_TOKEN_INT] = {NULL, "a whole number"},
    [EVS_TOKEN_FLOAT] = {NULL, "a number"},
    [EVS_TOKEN_STRING] = {NULL, "a string"},
    [EVS_TOKEN_BYTES] = {NULL, "bytes"},
    [EVS_TOKEN_JSON] = {NULL, "a JSON object"},
    [EVS_TOKEN_LEFT_PAREN] = {"(", "`(`"},
    [EVS_TOKEN_RIGHT_PAREN] = {")", "`)`"},
    [EVS_TOKEN_LEFT_BRACKET] = {"[", "`[`"},
    [EVS_TOKEN_RIGHT_BRACKET] = {"]", "`]`"},
    [EVS_TOKEN_LEFT_BRACE] = {"{", "`{`"},
    [EVS_TOKEN_RIGHT_BRACE] = {"}", "`}`"},
    [EVS_TOKEN_COMMA] = {",", "`,`"},
    [EVS_TOKEN_SEMICOLON] = {";", "`;`"},
    [EVS_TOKEN_DOT] = {".", "`.`"},
    [EVS_TOKEN_AT] = {"@", "`@`"},
    [EVS_TOKEN_QUESTION] = {"?", "`?`"},
    [EVS_TOKEN_DOLLAR] = {"$", "`$`"},
    [EVS_TOKEN_PIPE] = {"|>", "`|>`"},
    [EVS_TOKEN_CONCAT] = {"||", "`||`"},
    [EVS_TOKEN_BIT_OR] = {"|", "`|`"},
    [EVS_TOKEN_BIT_AND] = {"&", "`&`"},
    [EVS_TOKEN_BIT_XOR] = {"^", "`^`"},
    [EVS_TOKEN_BIT_NOT] = {"~", "`~`"},
    [EVS_TOKEN_PLUS] = {"+", "`+`"},
    [EVS_TOKEN_MINUS] = {"-", "`-`"},
    [EVS_TOKEN_STAR] = {"*", "`*`"},
    [EVS_TOKEN_SLASH] = {"/", "`/`"},
    [EVS_TOKEN_EQUAL] = {"=", "`=`"},
    [EVS_TOKEN_NOT_EQUAL] = {"!=", "`!=`"},
    [EVS_TOKEN_LESS] = {"<", "`<`"},
    [EVS_TOKEN_LESS_EQUAL] = {"<=", "`<=`"},
    [EVS_TOKEN_GREATER] = {">", "`>`"},
    [EVS_TOKEN_GREATER_EQUAL] = {">=", "`>=`"},
    [EVS_TOKEN_SHIFT_LEFT] = {"<<", "`<<`"},
    [EVS_TOKEN_SHIFT_RIGHT] = {">>", "`>>`"},
    [EVS_TOKEN_NAMED] = {"=>", "`=>`"},
    [EVS_TOKEN_ARROW] = {"->", "`->`"},
};

const char *evs_token_kind_name(enum evs_token_kind kind)
{
    EVS_ASSERT((uint32_t)kind < EVS_TOKEN_KIND_COUNT);
    return kinds[kind].name;
}

const char *evs_token_sign(enum evs_token_kind kind)
{
    EVS_ASSERT((uint32_t)kind < EVS_TOKEN_KIND_COUNT);
    return kinds[kind].sign;
}

void evs_lexer_init(struct evs_lexer *lexer, const struct evs_source_text *source, struct evs_arena *arena,
                    struct evs_diagnostics *diagnostics)
{
    *lexer = (struct evs_lexer){
        .source = source, .diagnostics = diagnostics, .arena = arena, .offset = 0, .line = 1, .column = 1};
    if (source->text.count >= 3 && memcmp(source->text.data, "\xEF\xBB\xBF", 3) == 0) {
        lexer->offset = 3; /* a byte order mark, as some editors write it */
    }
}

/* --- the cursor --------------------------------------------------------------------------------------------------- */

void evs_lexer_advance(struct evs_lexer *lexer, uint32_t bytes)
{
    EVS_ASSERT(lexer->offset + (size_t)bytes <= lexer->source->text.count);
    const char *text = lexer->source->text.data;
    for (uint32_t end = lexer->offset + bytes; lexer->offset < end; lexer->offset++) {
        uint8_t byte = (uint8_t)text[lexer->offset];
        if (byte == '\n') {
            lexer->line++;
            lexer->column = 1;
            lexer->line_has_token = false;
        } else if ((byte & 0xC0) != 0x80) { /* not the continuation of a code point */
            lexer->column++;
        }
    }
}

/* The place of an offset at or behind the cursor. */
static struct evs_place place_at(const struct evs_lexer *lexer, uint32_t offset, uint32_t count)
{
    EVS_ASSERT(offset >= lexer->offset);
    struct evs_lexer probe = *lexer;
    evs_lexer_advance(&probe, offset - probe.offset);
    return (struct evs_place){lexer->source->file, probe.line, probe.column, offset, count};
}

struct evs_diag *evs_lexer_report(struct evs_lexer *lexer, enum evs_code code, uint32_t offset, uint32_t count,
                                  const char *format, ...)
{
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return evs_diag(lexer->diagnostics, code, place_at(lexer, offset, count), "%s", message);
}

static bool at_end(const struct evs_lexer *lexer)
{
    return lexer->offset >= lexer->source->text.count;
}

static struct evs_slice rest_of(const struct evs_lexer *lexer)
{
    return (struct evs_slice){lexer->source->text.data + lexer->offset, lexer->source->text.count - lexer->offset};
}

/* --- white space and comments ------------------------------------------------------------------------------------- */

static void skip_line(struct evs_lexer *lexer)
{
    struct evs_slice rest = rest_of(lexer);
    const char *end = memchr(rest.data, '\n', rest.count);
    evs_lexer_advance(lexer, (uint32_t)(end != NULL ? (size_t)(end - rest.data) : rest.count));
}

static void skip_block_comment(struct evs_lexer *lexer)
{
    struct evs_slice rest = rest_of(lexer);
    const char *end = memmem(rest.data + 2, rest.count - 2, "*/", 2);
    if (end == NULL) {
        evs_diag_hint(evs_lexer_report(lexer, EVS_E0104, lexer->offset, 2, "this comment has no end"),
                      "close it with `*/`");
        evs_lexer_advance(lexer, (uint32_t)rest.count);
        return;
    }
    evs_lexer_advance(lexer, (uint32_t)(end - rest.data) + 2);
}

/* GoogleSQL takes Unicode's spaces for white space too: they come in with text that was copied from a web page. */
static uint32_t white_space_bytes(const struct evs_lexer *lexer)
{
    uint8_t byte = evs_lexer_byte(lexer, 0);
    if (byte == ' ' || (byte >= '\t' && byte <= '\r')) {
        return 1;
    }
    if (byte < 0x80) {
        return 0;
    }
    uint32_t code_point = 0, bytes = evs_utf8_decode(rest_of(lexer), &code_point);
    bool is_space = code_point == 0x85 || code_point == 0xA0 || code_point == 0x1680 ||
                    (code_point >= 0x2000 && code_point <= 0x200A) || code_point == 0x2028 || code_point == 0x2029 ||
                    code_point == 0x202F || code_point == 0x205F || code_point == 0x3000;
    return is_space ? bytes : 0;
}

static void skip_blank(struct evs_lexer *lexer)
{
    while (!at_end(lexer)) {
        uint8_t byte = evs_lexer_byte(lexer, 0), next = evs_lexer_byte(lexer, 1);
        uint32_t blank = white_space_bytes(lexer);
        if (blank > 0) {
            evs_lexer_advance(lexer, blank);
        } else if (byte == '#' || (byte == '-' && next == '-')) {
            skip_line(lexer);
        } else if (byte == '/' && next == '*') {
            skip_block_comment(lexer);
        } else {
            return;
        }
    }
}

/* --- words and numbers -------------------------------------------------------------------------------------------- */

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_word_start(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

static bool is_word_byte(uint8_t byte)
{
    return is_word_start(byte) || is_digit(byte);
}

static bool is_hex_digit(uint8_t byte)
{
    return is_digit(byte) || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

static uint32_t count_while(const struct evs_lexer *lexer, uint32_t from, bool (*belongs)(uint8_t))
{
    uint32_t end = from;
    while (belongs(evs_lexer_byte(lexer, end))) {
        end++;
    }
    return end - from;
}

static void lex_word(struct evs_lexer *lexer, struct evs_token *token)
{
    uint32_t count = count_while(lexer, 0, is_word_byte);
    token->kind = EVS_TOKEN_WORD;
    token->text = (struct evs_slice){rest_of(lexer).data, count};
    token->word = evs_word_find(token->text);
    evs_lexer_advance(lexer, count);
}

/* The value of digits in base 10 or 16; false beyond 2^63 (the magnitude of the smallest int64). */
static bool read_magnitude(struct evs_slice digits, uint32_t base, uint64_t *magnitude)
{
    *magnitude = 0;
    for (size_t i = 0; i < digits.count; i++) {
        uint8_t c = (uint8_t)digits.data[i];
        uint64_t digit = is_digit(c) ? (uint64_t)(c - '0') : (uint64_t)((c | 0x20) - 'a' + 10);
        if (__builtin_mul_overflow(*magnitude, (uint64_t)base, magnitude) ||
            __builtin_add_overflow(*magnitude, digit, magnitude) || *magnitude > (uint64_t)INT64_MAX + 1) {
            return false;
        }
    }
    return true;
}

static void finish_int(struct evs_lexer *lexer, struct evs_token *token, uint32_t base)
{
    struct evs_slice digits = token->text;
    if (base == 16) {
        digits = (struct evs_slice){digits.data + 2, digits.count - 2};
    }
    token->kind = EVS_TOKEN_INT;
    if (!read_magnitude(digits, base, &token->magnitude)) {
        struct evs_diag *diag = evs_lexer_report(lexer, EVS_E0107, token->offset, (uint32_t)token->text.count,
                                                 "this number does not fit into an int64");
        evs_diag_hint(diag, "the largest is 9223372036854775807; write numeric '…' for more");
        token->kind = EVS_TOKEN_ERROR;
    }
}

static void finish_float(struct evs_lexer *lexer, struct evs_token *token)
{
    token->kind = EVS_TOKEN_FLOAT;
    if (!evs_parse_float64(token->text, &token->float64) || __builtin_isinf(token->float64)) {
        evs_lexer_report(lexer, EVS_E0107, token->offset, (uint32_t)token->text.count,
                         "this number does not fit into a float64");
        token->kind = EVS_TOKEN_ERROR;
    }
}

/* Bytes of the exponent at `from` ("e10", "E-3"), 0 when there is none. */
static uint32_t exponent_bytes(const struct evs_lexer *lexer, uint32_t from)
{
    uint8_t sign = evs_lexer_byte(lexer, from + 1);
    uint32_t start = from + 1 + (sign == '+' || sign == '-');
    if ((evs_lexer_byte(lexer, from) | 0x20) != 'e' || !is_digit(evs_lexer_byte(lexer, start))) {
        return 0;
    }
    return start - from + count_while(lexer, start, is_digit);
}

/* Bytes of the number at the cursor and what it is; a hexadecimal one without digits has 2. */
static uint32_t measure_number(const struct evs_lexer *lexer, uint32_t *base, bool *is_float)
{
    *base = 10;
    *is_float = false;
    if (evs_lexer_byte(lexer, 0) == '0' && (evs_lexer_byte(lexer, 1) | 0x20) == 'x') {
        *base = 16;
        return 2 + count_while(lexer, 2, is_hex_digit);
    }
    uint32_t count = count_while(lexer, 0, is_digit);
    if (evs_lexer_byte(lexer, count) == '.') {
        *is_float = true;
        count += 1 + count_while(lexer, count + 1, is_digit);
    }
    uint32_t exponent = exponent_bytes(lexer, count);
    *is_float = *is_float || exponent > 0;
    return count + exponent;
}

static void lex_number(struct evs_lexer *lexer, struct evs_token *token)
{
    uint32_t base;
    bool is_float;
    uint32_t count = measure_number(lexer, &base, &is_float);
    uint32_t tail = count_while(lexer, count, is_word_byte);
    token->text = (struct evs_slice){rest_of(lexer).data, count};
    if (tail > 0 || (base == 16 && count == 2)) {
        struct evs_diag *diag =
            evs_lexer_report(lexer, EVS_E0107, token->offset, count + tail, "`%.*s` is not a number",
                             (int)(count + tail > 40 ? 40 : count + tail), token->text.data);
        if (tail > 0 && base == 10) {
            evs_diag_hint(diag, "a name does not begin with a digit; a unit stands apart, as in `interval 5 minute`");
        }
        token->kind = EVS_TOKEN_ERROR;
    } else if (is_float) {
        finish_float(lexer, token);
    } else {
        finish_int(lexer, token, base);
    }
    evs_lexer_advance(lexer, count + tail);
}

/* --- signs -------------------------------------------------------------------------------------------------------- */

/* What other languages write, and what to write here. */
static const struct {
    const char *sign, *instead;
} foreign_signs[] = {
    {"==", "="}, {"&&", "and"}, {"!", "not"}, {"%", "mod(a, b)"}, {":=", "="}, {"::", "cast(… as type)"},
};

static bool starts_with(const struct evs_lexer *lexer, const char *text)
{
    size_t count = strlen(text);
    struct evs_slice rest = rest_of(lexer);
    return rest.count >= count && memcmp(rest.data, text, count) == 0;
}

/* Bytes up to the next one that begins a code point: a run of rubbish is one error. */
static uint32_t invalid_bytes(const struct evs_lexer *lexer)
{
    struct evs_slice rest = rest_of(lexer);
    uint32_t count = 0, code_point;
    while (count < rest.count &&
           evs_utf8_decode((struct evs_slice){rest.data + count, rest.count - count}, &code_point) == 0) {
        count++;
    }
    return count;
}

static void lex_foreign(struct evs_lexer *lexer, struct evs_token *token)
{
    uint32_t code_point = 0, count = evs_utf8_decode(rest_of(lexer), &code_point);
    const char *instead = NULL;
    for (uint32_t i = 0; i < EVS_COUNT(foreign_signs) && instead == NULL; i++) {
        if (starts_with(lexer, foreign_signs[i].sign)) {
            instead = foreign_signs[i].instead;
            count = (uint32_t)strlen(foreign_signs[i].sign);
        }
    }
    if (count == 0) {
        count = invalid_bytes(lexer);
        evs_lexer_report(lexer, EVS_E0102, token->offset, count, "the byte 0x%02x is not valid UTF-8",
                         evs_lexer_byte(lexer, 0));
    } else if (instead != NULL) {
        struct evs_diag *diag = evs_lexer_report(lexer, EVS_E0101, token->offset, count,
                                                 "`%.*s` is not an operator here", (int)count, rest_of(lexer).data);
        evs_diag_hint(diag, "write `%s`", instead);
    } else if (code_point < 0x20 || code_point == 0x7F) {
        evs_lexer_report(lexer, EVS_E0101, token->offset, count, "a control character (0x%02x) cannot stand here",
                         code_point);
    } else {
        struct evs_diag *diag =
            evs_lexer_report(lexer, EVS_E0101, token->offset, count, "the character `%.*s` cannot stand here",
                             (int)count, rest_of(lexer).data);
        if (code_point >= 0x80) {
            evs_diag_hint(diag, "strings stand in ' or \", names with other letters in backticks");
        }
    }
    token->kind = EVS_TOKEN_ERROR;
    evs_lexer_advance(lexer, count);
}

/* Two-byte signs first; `<>` is another spelling of `!=`. */
static enum evs_token_kind find_sign(const struct evs_lexer *lexer, uint32_t *count)
{
    *count = 2;
    if (starts_with(lexer, "<>")) {
        return EVS_TOKEN_NOT_EQUAL;
    }
    for (; *count > 0; --*count) {
        for (uint32_t kind = EVS_TOKEN_LEFT_PAREN; kind < EVS_TOKEN_KIND_COUNT; kind++) {
            if (kinds[kind].sign[*count - 1] != '\0' && kinds[kind].sign[*count] == '\0' &&
                starts_with(lexer, kinds[kind].sign)) {
                return (enum evs_token_kind)kind;
            }
        }
    }
    return EVS_TOKEN_ERROR;
}

static bool is_foreign(const struct evs_lexer *lexer)
{
    return starts_with(lexer, "==") || starts_with(lexer, "&&");
}

/* A `{` is the start of a JSON object when a key or the closing brace follows it: nothing else of the language looks
 * like that. */
static bool json_starts(const struct evs_lexer *lexer)
{
    uint32_t ahead = 1;
    uint8_t byte = evs_lexer_byte(lexer, ahead);
    while (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
        byte = evs_lexer_byte(lexer, ++ahead);
    }
    return byte == '"' || byte == '}';
}

static void lex_sign(struct evs_lexer *lexer, struct evs_token *token)
{
    if (evs_lexer_byte(lexer, 0) == '{' && json_starts(lexer)) {
        evs_lex_json(lexer, token);
        return;
    }
    uint32_t count = 0;
    enum evs_token_kind kind = is_foreign(lexer) ? EVS_TOKEN_ERROR : find_sign(lexer, &count);
    if (kind == EVS_TOKEN_ERROR) {
        lex_foreign(lexer, token);
        return;
    }
    token->kind = kind;
    token->text = (struct evs_slice){rest_of(lexer).data, count};
    evs_lexer_advance(lexer, count);
}

struct evs_token evs_lexer_next(struct evs_lexer *lexer)
{
    skip_blank(lexer);
    EVS_ASSERT(lexer->offset <= lexer->source->text.count);
    struct evs_token token = {.kind = EVS_TOKEN_END,
                              .first_on_line = !lexer->line_has_token,
                              .line = lexer->line,
                              .column = lexer->column,
                              .offset = lexer->offset};
    if (at_end(lexer)) {
        return token;
    }
    struct evs_quote quote;
    uint8_t byte = evs_lexer_byte(lexer, 0);
    if (evs_lex_quote_starts(lexer, &quote)) {
        evs_lex_quoted(lexer, &quote, &token);
    } else if (is_word_start(byte)) {
        lex_word(lexer, &token);
    } else if (is_digit(byte) || (byte == '.' && is_digit(evs_lexer_byte(lexer, 1)))) {
        lex_number(lexer, &token);
    } else {
        lex_sign(lexer, &token);
    }
    token.count = lexer->offset - token.offset;
    lexer->line_has_token = true;
    EVS_ASSERT(token.count > 0);
    return token;
}
