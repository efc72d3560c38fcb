/* The formatter's tokens: with their comments, in the spelling that is written, and whether a blank stands between two of them. */
#include "pretty.h"

#include <string.h>

/* --- the list ------------------------------------------------------------------------------------------------------- */

static void add(struct evs_pretty_tokens *tokens, const struct evs_pretty_token *token)
{
    if (tokens->count == tokens->capacity) {
        tokens->capacity = tokens->capacity * 2 + 256;
        struct evs_pretty_token *items = EVS_ARENA_ARRAY(tokens->arena, struct evs_pretty_token, tokens->capacity);
        if (tokens->count > 0) {
            memcpy(items, tokens->items, sizeof *items * tokens->count);
        }
        tokens->items = items;
    }
    tokens->items[tokens->count++] = *token;
}

/* --- comments ------------------------------------------------------------------------------------------------------- */

/* What stands between two tokens. */
struct gap {
    struct evs_slice text;
    uint32_t at;
    uint32_t line_ends; /* since the last token or comment */
};

/* The next comment of the gap; false when there is none. Blanks before it are counted. */
static bool next_comment(struct gap *gap, struct evs_slice *comment)
{
    const char *text = gap->text.data;
    gap->line_ends = 0;
    while (gap->at < gap->text.count && strchr(" \t\r\n\f\v", text[gap->at]) != NULL) {
        gap->line_ends += text[gap->at++] == '\n';
    }
    if (gap->at >= gap->text.count) {
        return false;
    }
    const char *begin = text + gap->at, *stop = text + gap->text.count, *end;
    if (begin[0] == '/') {
        end = begin + 2;
        while (end + 1 < stop && !(end[0] == '*' && end[1] == '/')) {
            end++;
        }
        end += 2;
    } else {
        end = memchr(begin, '\n', (size_t)(stop - begin));
        end = end == NULL ? stop : end;
    }
    gap->at = (uint32_t)(end - text);
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) {
        end--;
    }
    *comment = (struct evs_slice){begin, (size_t)(end - begin)};
    return true;
}

/* Comments on the line of the token before belong to that one, the others to the token behind. */
static void take_comments(struct evs_pretty_tokens *tokens, struct evs_slice between, struct evs_pretty_token *token)
{
    struct evs_pretty_token *before = tokens->count > 0 ? &tokens->items[tokens->count - 1] : NULL;
    struct gap gap = {.text = between};
    struct evs_pretty_comment *comments = NULL;
    uint32_t capacity = 0;
    struct evs_slice text;
    while (next_comment(&gap, &text)) {
        bool trails = before != NULL && gap.line_ends == 0 && token->comment_count == 0 && before->trailing.count == 0;
        if (trails) {
            before->trailing = text;
            continue;
        }
        if (token->comment_count == capacity) {
            capacity = capacity * 2 + 4;
            struct evs_pretty_comment *more = EVS_ARENA_ARRAY(tokens->arena, struct evs_pretty_comment, capacity);
            if (token->comment_count > 0) {
                memcpy(more, comments, sizeof *more * token->comment_count);
            }
            comments = more;
        }
        comments[token->comment_count++] = (struct evs_pretty_comment){text, gap.line_ends > 1};
    }
    token->comments = comments;
    token->new_line = gap.line_ends > 0 || before == NULL;
    token->blank_before = gap.line_ends > 1;
}

/* --- spelling ------------------------------------------------------------------------------------------------------- */

static struct evs_slice lower(struct evs_arena *arena, struct evs_slice text)
{
    char *copy = evs_arena_strndup(arena, text.data, text.count);
    for (size_t i = 0; i < text.count; i++) {
        copy[i] = copy[i] >= 'A' && copy[i] <= 'Z' ? (char)(copy[i] + 32) : copy[i];
    }
    return (struct evs_slice){copy, text.count};
}

static struct evs_slice spelling(struct evs_arena *arena, const struct evs_token *token, struct evs_slice raw,
                                 uint8_t mark)
{
    if (token->kind == EVS_TOKEN_NOT_EQUAL) {
        return EVS_SLICE("!=");
    }
    if (token->kind != EVS_TOKEN_WORD) {
        return raw;
    }
    if ((mark & EVS_MARK_TYPE) != 0 && evs_kind_parse(raw) != EVS_NULL_KIND) {
        return evs_slice_of(evs_kind_name(evs_kind_parse(raw)));
    }
    bool is_kept = (mark & EVS_MARK_NAME) != 0 && (mark & (EVS_MARK_FUNCTION | EVS_MARK_TYPE)) == 0;
    return is_kept ? raw : lower(arena, raw);
}

static uint32_t width_of(struct evs_slice text)
{
    uint32_t width = 0;
    for (size_t i = 0; i < text.count; i++) {
        width += ((uint8_t)text.data[i] & 0xC0) != 0x80;
    }
    return width;
}

/* --- blanks --------------------------------------------------------------------------------------------------------- */

/* Keywords whose parenthesis is written as that of a function. */
static bool is_call_like(enum evs_word word)
{
    return word == EVS_WORD_CAST || word == EVS_WORD_SAFE_CAST || word == EVS_WORD_EXTRACT || word == EVS_WORD_EXISTS ||
           word == EVS_WORD_UNNEST || word == EVS_WORD_STRUCT || word == EVS_WORD_ARRAY;
}

static bool is_open(enum evs_token_kind kind)
{
    return kind == EVS_TOKEN_LEFT_PAREN || kind == EVS_TOKEN_LEFT_BRACKET;
}

static bool is_close(enum evs_token_kind kind)
{
    return kind == EVS_TOKEN_RIGHT_PAREN || kind == EVS_TOKEN_RIGHT_BRACKET;
}

static bool is_angle(const struct evs_pretty_token *token, enum evs_token_kind kind)
{
    return token->kind == kind && (token->mark & EVS_MARK_TIGHT) != 0;
}

/* Whether the braces of a quantifier hold the token: {2,} is written without blanks at its ends. */
static bool at_quantifier_brace(const struct evs_pretty_tokens *tokens, const struct evs_pretty_token *before,
                                const struct evs_pretty_token *token)
{
    if (before->kind == EVS_TOKEN_LEFT_BRACE && (before->mark & EVS_MARK_TIGHT) != 0) {
        return true;
    }
    return token->kind == EVS_TOKEN_RIGHT_BRACE && tokens->items[token->partner].mark & EVS_MARK_TIGHT;
}

static bool space_between(const struct evs_pretty_tokens *tokens, const struct evs_pretty_token *before,
                          const struct evs_pretty_token *token)
{
    bool is_number = before->kind == EVS_TOKEN_INT || before->kind == EVS_TOKEN_FLOAT;
    if (token->kind == EVS_TOKEN_DOT) {
        return is_number; /* 1.a would be a number that is none */
    }
    if (before->kind == EVS_TOKEN_DOT || before->kind == EVS_TOKEN_AT) {
        return false;
    }
    if (is_open(before->kind) || is_close(token->kind) || token->kind == EVS_TOKEN_COMMA ||
        token->kind == EVS_TOKEN_SEMICOLON) {
        return false;
    }
    if ((before->mark & EVS_MARK_PREFIX) != 0 && before->kind == EVS_TOKEN_MINUS && token->text.data[0] == '-') {
        return true; /* -- would begin a comment */
    }
    if ((before->mark & EVS_MARK_PREFIX) != 0 || (token->mark & EVS_MARK_TIGHT) != 0 ||
        at_quantifier_brace(tokens, before, token)) {
        return false;
    }
    bool is_type = is_angle(before, EVS_TOKEN_GREATER) || is_angle(before, EVS_TOKEN_SHIFT_RIGHT) ||
                   (before->mark & EVS_MARK_TYPE) != 0; /* array<int64>[1], struct(1, 2) */
    bool is_call = is_type || (is_call_like(before->word) && (before->mark & EVS_MARK_NAME) == 0);
    return !(is_open(token->kind) && is_call);
}

/* --- brackets ------------------------------------------------------------------------------------------------------- */

static bool opens(const struct evs_pretty_token *token)
{
    return is_open(token->kind) || token->kind == EVS_TOKEN_LEFT_BRACE || token->word == EVS_WORD_CASE ||
           is_angle(token, EVS_TOKEN_LESS);
}

/* How many brackets the token closes, if `opener` is the innermost: >> closes two. */
static uint32_t closes(const struct evs_pretty_token *token, const struct evs_pretty_token *opener)
{
    if (opener->word == EVS_WORD_CASE) {
        return token->word == EVS_WORD_END;
    }
    if (opener->kind == EVS_TOKEN_LESS) {
        return is_angle(token, EVS_TOKEN_GREATER) ? 1 : is_angle(token, EVS_TOKEN_SHIFT_RIGHT) ? 2 : 0;
    }
    return is_close(token->kind) || token->kind == EVS_TOKEN_RIGHT_BRACE;
}

/* The text has been parsed: brackets fit. */
static void find_partners(struct evs_pretty_tokens *tokens)
{
    uint32_t *open = evs_alloc((tokens->count + 1u) * sizeof *open);
    uint32_t depth = 0;
    for (uint32_t i = 0; i < tokens->count; i++) {
        struct evs_pretty_token *token = &tokens->items[i];
        if (opens(token)) {
            open[depth++] = i;
            continue;
        }
        uint32_t count = depth > 0 ? closes(token, &tokens->items[open[depth - 1]]) : 0;
        for (; count > 0; count--) {
            EVS_ASSERT(depth > 0);
            tokens->items[open[--depth]].partner = i;
            token->partner = open[depth];
        }
    }
    EVS_ASSERT(depth == 0);
    evs_free(open);
}

/* --- filter --------------------------------------------------------------------------------------------------------- */

/* agg(x) filter (where c) becomes agg(x where c), unless the call is empty, or a comment stands in between. */
static bool moves_filter(const struct evs_pretty_tokens *tokens, uint32_t filter, uint32_t kept)
{
    if ((tokens->items[filter].mark & EVS_MARK_FILTER) == 0 || filter + 2 >= tokens->count || kept < 2) {
        return false;
    }
    const struct evs_pretty_token *close = &tokens->items[kept - 1], *open = &tokens->items[filter + 1];
    EVS_ASSERT(close->kind == EVS_TOKEN_RIGHT_PAREN && open->kind == EVS_TOKEN_LEFT_PAREN);
    bool has_comment = close->comment_count + tokens->items[filter].comment_count + open->comment_count > 0 ||
                       close->trailing.count + tokens->items[filter].trailing.count + open->trailing.count > 0;
    return tokens->items[kept - 2].kind != EVS_TOKEN_LEFT_PAREN && !has_comment;
}

/* The parenthesis before `filter` goes; the filter's own closes the call. */
static void move_filters(struct evs_pretty_tokens *tokens)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < tokens->count; i++) {
        if (moves_filter(tokens, i, count)) {
            count--;
            i++;
            continue;
        }
        tokens->items[count++] = tokens->items[i];
    }
    tokens->count = count;
}

/* --- separators ----------------------------------------------------------------------------------------------------- */

/* Statements that say nothing: a semicolon behind a semicolon. */
static void drop_empty(struct evs_pretty_tokens *tokens)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < tokens->count; i++) {
        const struct evs_pretty_token *token = &tokens->items[i];
        bool is_empty = token->kind == EVS_TOKEN_SEMICOLON && token->comment_count == 0 && token->trailing.count == 0 &&
                        (count == 0 || tokens->items[count - 1].kind == EVS_TOKEN_SEMICOLON);
        if (!is_empty) {
            tokens->items[count++] = *token;
        }
    }
    tokens->count = count;
}

static bool separates(const struct evs_pretty_token *token)
{
    return (token->kind == EVS_TOKEN_COMMA || token->kind == EVS_TOKEN_SEMICOLON) && token->comment_count == 0;
}

/* A comment in front of a comma or semicolon on the next line goes behind it. From the end, for a comma may stand before the semicolon, each with a
 * comment of its own. True: one has moved. */
static bool move_comments(struct evs_pretty_tokens *tokens)
{
    bool has_moved = false;
    for (uint32_t i = tokens->count - 1; i > 0; i--) {
        struct evs_pretty_token *before = &tokens->items[i - 1], *token = &tokens->items[i];
        if (separates(token) && before->trailing.count > 0 && token->trailing.count == 0) {
            token->trailing = before->trailing;
            before->trailing = (struct evs_slice){0};
            has_moved = true;
        }
    }
    return has_moved;
}

/* Comments behind commas and semicolons, also behind both; the last statement gets its semicolon. */
static void settle_separators(struct evs_pretty_tokens *tokens)
{
    EVS_ASSERT(tokens->count > 0);
    struct evs_pretty_token end = tokens->items[tokens->count - 1];
    if (tokens->count > 1 && tokens->items[tokens->count - 2].kind != EVS_TOKEN_SEMICOLON) {
        struct evs_pretty_token semicolon = {.kind = EVS_TOKEN_SEMICOLON, .text = EVS_SLICE(";"), .width = 1};
        tokens->items[tokens->count - 1] = semicolon;
        add(tokens, &end);
    }
    while (move_comments(tokens)) {
    }
}

/* --- reading -------------------------------------------------------------------------------------------------------- */

void evs_pretty_read(const struct evs_source_text *text, const struct evs_marks *marks, struct evs_arena *arena,
                     struct evs_pretty_tokens *tokens)
{
    struct evs_diagnostics *silent = evs_diagnostics_new(NULL);
    struct evs_lexer lexer;
    evs_lexer_init(&lexer, text, arena, silent);
    uint32_t end = lexer.offset; /* of the token before */
    for (bool is_end = false; !is_end;) {
        struct evs_token read = evs_lexer_next(&lexer);
        is_end = read.kind == EVS_TOKEN_END;
        EVS_ASSERT(read.kind != EVS_TOKEN_ERROR); /* the text parses */
        uint32_t begin = is_end ? (uint32_t)text->text.count : read.offset;
        uint8_t mark = is_end ? 0 : marks->of[read.offset];
        struct evs_slice raw = {text->text.data + begin, is_end ? 0 : read.count};
        struct evs_pretty_token token = {.kind = read.kind, .mark = mark};
        token.word = (mark & EVS_MARK_NAME) != 0 ? EVS_WORD_NONE : read.word;
        token.text = spelling(arena, &read, raw, mark);
        token.width = width_of(token.text);
        take_comments(tokens, (struct evs_slice){text->text.data + end, begin - end}, &token);
        add(tokens, &token);
        end = begin + (uint32_t)raw.count;
    }
    evs_diagnostics_free(silent);
    move_filters(tokens);
    drop_empty(tokens);
    settle_separators(tokens);
    find_partners(tokens);
    for (uint32_t i = 1; i < tokens->count; i++) {
        tokens->items[i].space_before = space_between(tokens, &tokens->items[i - 1], &tokens->items[i]);
    }
}
