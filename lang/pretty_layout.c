/* The formatter's layout.
 *
 * One rule: what fits on the line stands on it; what does not is broken at its weakest seams first, and each piece is laid out in the same
 * way. The seams of a statement are its clauses, those of a query its operators, of an operator its clauses, of a clause the commas, of a condition
 * `and` and `or`, and in the end the brackets.
 *
 *   create source clicks (              |> aggregate                       |> sequence by user_id
 *       user_id string not null,             count(*) as clicks,                 cart+ as type = 'add_to_cart'
 *       price   numeric                      sum(price) as value                 then no buy as type = 'purchase' within interval 30 minute
 *   ) from nats (stream = 'CLICKS')       group by user_id                     select user_id
 *     dead letter into broken;            late into late_clicks
 *
 * A line comment ends its line, whatever the layout wanted there; what holds one never fits on one line. */
#include "pretty.h"

#define INDENT 4      /* inside brackets */
#define CLAUSE 3      /* clauses of an operator, under its word */
#define CONTINUED 5   /* what belongs to a clause */
#define NEVER 100000u /* wider than any line */

struct writer {
    const struct evs_pretty_token *tokens;
    struct evs_buffer *out;
    uint32_t column;  /* of the next byte, from 0 */
    uint32_t indent;  /* of the line that begins */
    uint32_t planned; /* of the last line that the layout began; one that a comment has begun stands deeper */
    bool at_start;    /* the line is empty so far */
    bool keeps_blank; /* a blank line that stood before the token that comes first is kept */
    bool must_break;  /* a comment has ended the line */
    bool is_empty;    /* nothing is written yet */
    bool *is_opened;  /* of each token: the author has broken the line before it, at a seam that stays broken */
};

/* --- writing ----------------------------------------------------------------------------------------------------------- */

static void end_line(struct writer *writer, uint32_t indent)
{
    if (!writer->at_start) {
        evs_buffer_puts(writer->out, "\n");
    }
    writer->at_start = true;
    writer->must_break = false;
    writer->keeps_blank = false;
    writer->indent = writer->planned = indent;
    writer->column = indent;
}

/* A comment has ended the line in the middle of something. */
static void continue_line(struct writer *writer)
{
    uint32_t planned = writer->planned;
    end_line(writer, planned + CONTINUED);
    writer->planned = planned;
}

/* The same where the author may have set parts off by a blank line. */
static void end_part(struct writer *writer, uint32_t indent)
{
    end_line(writer, indent);
    writer->keeps_blank = true;
}

static void put_blanks(struct writer *writer, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_puts(writer->out, " ");
    }
}

static void put_comments(struct writer *writer, const struct evs_pretty_token *token)
{
    bool keeps_blank = writer->keeps_blank;
    for (uint32_t i = 0; i < token->comment_count; i++) {
        end_line(writer, writer->indent);
        evs_buffer_puts(writer->out, keeps_blank && token->comments[i].blank_before && !writer->is_empty ? "\n" : "");
        put_blanks(writer, writer->indent);
        evs_buffer_put(writer->out, token->comments[i].text.data, token->comments[i].text.count);
        evs_buffer_puts(writer->out, "\n");
        writer->is_empty = false;
    }
    evs_buffer_puts(writer->out, keeps_blank && token->blank_before && !writer->is_empty ? "\n" : "");
}

static void put(struct writer *writer, uint32_t number)
{
    const struct evs_pretty_token *token = &writer->tokens[number];
    if (writer->must_break || (token->comment_count > 0 && !writer->at_start)) {
        continue_line(writer);
    }
    if (writer->at_start) {
        put_comments(writer, token);
        put_blanks(writer, writer->indent);
        writer->column = writer->indent;
    } else if (token->space_before) {
        evs_buffer_puts(writer->out, " ");
        writer->column++;
    }
    evs_buffer_put(writer->out, token->text.data, token->text.count);
    writer->column += token->width;
    writer->at_start = writer->is_empty = writer->keeps_blank = false;
    if (token->trailing.count > 0) {
        evs_buffer_puts(writer->out, "  ");
        evs_buffer_put(writer->out, token->trailing.data, token->trailing.count);
        writer->must_break = true;
    }
}

static void put_all(struct writer *writer, uint32_t begin, uint32_t end)
{
    for (uint32_t i = begin; i < end; i++) {
        put(writer, i);
    }
}

/* --- measuring --------------------------------------------------------------------------------------------------------- */

/* A list of columns that was written on several lines stays so. Brackets of calls are tight. */
static bool is_expanded_list(const struct evs_pretty_token *tokens, uint32_t open)
{
    bool may_be = tokens[open].kind == EVS_TOKEN_LEFT_PAREN && (tokens[open].mark & EVS_MARK_TIGHT) == 0 &&
                  tokens[open + 1].new_line && open > 0;
    return may_be && (tokens[open - 1].mark & EVS_MARK_NAME) != 0;
}

/* Columns of the tokens on one line; NEVER when they cannot stand on one, or the author has opened them up. */
static uint32_t flat_width(const struct writer *writer, uint32_t begin, uint32_t end)
{
    uint32_t width = 0;
    for (uint32_t i = begin; i < end; i++) {
        const struct evs_pretty_token *token = &writer->tokens[i];
        bool ends_line = (token->trailing.count > 0 && i + 1 < end) || (token->comment_count > 0 && i > begin);
        if (ends_line || is_expanded_list(writer->tokens, i) || (i > begin && writer->is_opened[i])) {
            return NEVER;
        }
        width += token->width + (token->space_before && i > begin);
    }
    return width;
}

static bool fits(const struct writer *writer, uint32_t begin, uint32_t end)
{
    uint32_t space = !writer->at_start && begin < end && writer->tokens[begin].space_before;
    return !writer->must_break && writer->column + space + flat_width(writer, begin, end) <= EVS_PRETTY_COLUMNS;
}

/* The token behind this one at its level: behind the bracket that it opens. */
static uint32_t skip(const struct writer *writer, uint32_t number)
{
    uint32_t partner = writer->tokens[number].partner;
    return partner > number ? partner + 1 : number + 1;
}

/* The first token of the kind at the level of `begin`; `end` when there is none. */
static uint32_t find_kind(const struct writer *writer, uint32_t begin, uint32_t end, enum evs_token_kind kind)
{
    while (begin < end && writer->tokens[begin].kind != kind) {
        begin = skip(writer, begin);
    }
    return begin < end ? begin : end;
}

static bool is_word(const struct writer *writer, uint32_t number, enum evs_word word)
{
    return writer->tokens[number].word == word;
}

/* --- conditions, brackets, case --------------------------------------------------------------------------------------- */

static void layout(struct writer *writer, uint32_t begin, uint32_t end, uint32_t indent, uint32_t bracket_indent);
static void layout_query(struct writer *writer, uint32_t begin, uint32_t end, uint32_t indent);
static void layout_clause(struct writer *writer, uint32_t begin, uint32_t end, uint32_t indent);

/* The next `and` or `or` at the level of `begin`; `end` when there is none. The `and` of between is none. */
static uint32_t find_logic(const struct writer *writer, uint32_t begin, uint32_t end)
{
    uint32_t between = 0;
    for (uint32_t i = begin; i < end; i = skip(writer, i)) {
        if (is_word(writer, i, EVS_WORD_BETWEEN)) {
            between++;
        } else if (is_word(writer, i, EVS_WORD_AND) && between > 0) {
            between--;
        } else if (i > begin && (is_word(writer, i, EVS_WORD_AND) || is_word(writer, i, EVS_WORD_OR))) {
            return i;
        }
    }
    return end;
}

/* Clauses inside brackets: of over, match_recognize, aggregate functions. */
static bool begins_inner_clause(const struct writer *writer, uint32_t number)
{
    switch (writer->tokens[number].word) {
    case EVS_WORD_PARTITION:
    case EVS_WORD_ORDER:
    case EVS_WORD_ROWS:
    case EVS_WORD_RANGE:
    case EVS_WORD_RETAIN:
    case EVS_WORD_MEASURES:
    case EVS_WORD_AFTER:
    case EVS_WORD_PATTERN:
    case EVS_WORD_WITHIN:
    case EVS_WORD_DEFINE:
    case EVS_WORD_WHERE:
        return true;
    default:
        return false;
    }
}

/* The first one from `begin` on; `end` when there is none. */
static uint32_t find_inner_clause(const struct writer *writer, uint32_t begin, uint32_t end)
{
    while (begin < end && !begins_inner_clause(writer, begin)) {
        begin = skip(writer, begin);
    }
    return begin < end ? begin : end;
}

/* Items between commas, each on a line of its own; the comma stays with its item. */
static void layout_items(struct writer *writer, uint32_t begin, uint32_t end, uint32_t indent)
{
    while (begin < end) {
        uint32_t comma = find_kind(writer, begin, end, EVS_TOKEN_COMMA);
        layout(writer, begin, comma, indent + INDENT, indent);
        if (comma < end) {
            put(writer, comma);
            end_line(writer, indent);
        }
        begin = comma < end ? comma + 1 : end;
    }
}

static void layout_inner_clauses(struct writer *writer, uint32_t begin, uint32_t end, uint32_t indent)
{
    while (begin < end) {
        uint32_t next = find_inner_clause(writer, skip(writer, begin), end);
        layout_clause(writer, begin, next, indent);
        if (next < end) {
            end_line(writer, indent);
        }
        begin = next;
    }
}

static bool holds_query(const struct writer *writer, uint32_t open)
{
    uint32_t end = writer->tokens[open].partner;
    return is_word(writer, open + 1, EVS_WORD_FROM) || find_kind(writer, open + 1, end, EVS_TOKEN_PIPE) < end;
}

static void layout_bracket(struct writer *writer, uint32_t open, uint32_t indent)
{
    uint32_t close = writer->tokens[open].partner, inside = indent + INDENT;
    EVS_ASSERT(close > open);
    put(writer, open);
    end_part(writer, inside);
    if (holds_query(writer, open)) {
        layout_query(writer, open + 1, close, inside);
    } else if (find_inner_clause(writer, open + 1, close) < close) {
        layout_inner_clauses(writer, open + 1, close, inside);
    } else {
        layout_items(writer, open + 1, close, inside);
    }
    end_line(writer, indent);
    put(writer, close);
}

static void layout_case(struct writer *writer, uint32_t begin, uint32_t indent)
{
    uint32_t end = writer->tokens[begin].partner, from = begin + 1;
    put(writer, begin);
    for (uint32_t i = begin + 1; i <= end; i = skip(writer, i)) {
        if (is_word(writer, i, EVS_WORD_WHEN) || is_word(writer, i, EVS_WORD_ELSE) || i == end) {
            layout(writer, from, i, indent + INDENT + INDENT, indent + INDENT);
            end_line(writer, i == end ? indent : indent + INDENT);
            from = i;
        }
    }
    put(writer, end);
}

/* Tokens up to the next bracket are put; a bracket that does not fit is opened up. */
static void layout_run(struct writer *writer, uint32_t begin, uint32_t end, uint32_t bracket_indent)
{
    for (uint32_t i = begin; i < end;) {
        uint32_t next = skip(writer, i);
        if (next == i + 1) {
            put(writer, i);
        } else if (fits(writer, i, next)) {
            put_all(writer, i, next);
        } else if (is_word(writer, i, EVS_WORD_CASE)) {
            layout_case(writer, i, bracket_indent);
        } else {
            layout_bracket(writer, i, bracket_indent);
        }
        i = next;
    }
}

/* `indent`: of lines that go on with the expression; `bracket_indent`: of the brackets' ends. */
static void layout(struct writer *writer, uint32_t begin, uint32_t end, uint32_t indent, uint32_t bracket_indent)
{
    if (fits(writer, begin, end)) {
        put_all(writer, begin, end);
        return;
    }
    uint32_t logic = find_logic(writer, begin, end);
    if (logic == end) {
        layout_run(writer, begin, end, bracket_indent);
        return;
    }
    while (begin < end) {
        layout_run(writer, begin, logic, bracket_indent);
        if (logic < end) {
            end_line(writer, indent);
        }
        begin = logic;
        logic = begin < end ? find_logic(writer, begin, end) : end;
    }
}

/* --- operators --------------------------------------------------------------------------------------------------------- */

static bool begins_clause(const struct writer *writer, uint32_t first_word, uint32_t number)
{
    enum evs_word operator_ = writer->tokens[first_word].word;
    switch (writer->tokens[number].word) {
    case EVS_WORD_GROUP:
    case EVS_WORD_EMIT:
    case EVS_WORD_ALLOW:
    case EVS_WORD_LATE:
    case EVS_WORD_RETAIN:
    case EVS_WORD_USING:
    case EVS_WORD_KEEP:
    case EVS_WORD_DROPPED:
    case EVS_WORD_REST:
    case EVS_WORD_OTHERWISE:
    case EVS_WORD_EXPIRED:
    case EVS_WORD_SELECT:
        return true;
    case EVS_WORD_ON: /* of a join, or on timeout; not emit on */
        return !is_word(writer, number - 1, EVS_WORD_EMIT);
    case EVS_WORD_WITHIN:
        return operator_ == EVS_WORD_DEDUPLICATE || operator_ == EVS_WORD_RESOLVE;
    case EVS_WORD_ALIAS:
        return operator_ == EVS_WORD_RESOLVE;
    default:
        return (writer->tokens[number].mark & EVS_MARK_STEP) != 0;
    }
}

/* Words at the head of a clause, behind which its list begins. */
static uint32_t head_end(const struct writer *writer, uint32_t begin, uint32_t end)
{
    uint32_t at = begin;
    while (at < end && (writer->tokens[at].kind == EVS_TOKEN_PIPE || writer->tokens[at].word != EVS_WORD_NONE) &&
           !is_word(writer, at, EVS_WORD_CASE) && !is_word(writer, at, EVS_WORD_NOT)) {
        at++;
    }
    return at;
}

/* head item, item: the items on lines of their own where they do not fit. */
static void layout_clause(struct writer *writer, uint32_t begin, uint32_t end, uint32_t indent)
{
    if (fits(writer, begin, end)) {
        put_all(writer, begin, end);
        return;
    }
    uint32_t items = head_end(writer, begin, end);
    put_all(writer, begin, items);
    if (find_kind(writer, items, end, EVS_TOKEN_COMMA) < end) {
        end_line(writer, indent + CONTINUED);
        layout_items(writer, items, end, indent + CONTINUED);
    } else {
        layout(writer, items, end, indent + CONTINUED, indent);
    }
}

static bool has_branches(const struct writer *writer, uint32_t word)
{
    enum evs_word name = writer->tokens[word].word;
    return name == EVS_WORD_TEE || name == EVS_WORD_FORK || name == EVS_WORD_LOG || name == EVS_WORD_UNION;
}

/* `begin`: the |> or, of a branch and behind from, the word itself. */
static void layout_operator(struct writer *writer, uint32_t begin, uint32_t end, uint32_t indent)
{
    uint32_t word = begin + (writer->tokens[begin].kind == EVS_TOKEN_PIPE);
    if (fits(writer, begin, end)) {
        put_all(writer, begin, end);
        return;
    }
    if (has_branches(writer, word)) {
        layout_run(writer, begin, end, indent);
        return;
    }
    while (begin < end) {
        uint32_t next = skip(writer, begin > word ? begin : word);
        while (next < end && !begins_clause(writer, word, next)) {
            next = skip(writer, next);
        }
        next = next < end ? next : end;
        layout_clause(writer, begin, next, writer->tokens[begin].mark & EVS_MARK_STEP ? indent + CLAUSE : indent);
        if (next < end) {
            end_line(writer, indent + (writer->tokens[next].mark & EVS_MARK_STEP ? CONTINUED : CLAUSE));
        }
        begin = next;
    }
}

static bool ends_query(const struct evs_pretty_token *token)
{
    return token->kind == EVS_TOKEN_SEMICOLON || token->kind == EVS_TOKEN_RIGHT_PAREN || token->kind == EVS_TOKEN_END;
}

/* Which breaks of the author's stay: before clauses and steps, and behind the head of a list. Where the layout itself would put none, a break
 * means nothing, or formatting twice would not be as formatting once. */
static void open_seams(struct writer *writer, uint32_t begin, uint32_t end)
{
    uint32_t word = begin + 1, items = head_end(writer, begin, end);
    if (has_branches(writer, word)) {
        return;
    }
    for (uint32_t at = items, next; at < end; at = next) {
        next = skip(writer, at);
        while (next < end && !begins_clause(writer, word, next)) {
            next = skip(writer, next);
        }
        next = next < end ? next : end;
        bool is_list = find_kind(writer, at, next, EVS_TOKEN_COMMA) < next;
        uint32_t first = at == items ? items : head_end(writer, at, next);
        writer->is_opened[first] = writer->is_opened[first] || (is_list && writer->tokens[first].new_line);
        if (next < end) {
            writer->is_opened[next] = writer->tokens[next].new_line;
        }
    }
}

static void open_all_seams(struct writer *writer, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (writer->tokens[i].kind != EVS_TOKEN_PIPE) {
            continue;
        }
        uint32_t end = i + 1;
        while (end < count && writer->tokens[end].kind != EVS_TOKEN_PIPE && !ends_query(&writer->tokens[end])) {
            end = skip(writer, end);
        }
        writer->is_opened[i] = writer->tokens[i].new_line;
        open_seams(writer, i, end);
    }
}

static void layout_query(struct writer *writer, uint32_t begin, uint32_t end, uint32_t indent)
{
    if (fits(writer, begin, end)) {
        put_all(writer, begin, end);
        return;
    }
    while (begin < end) {
        uint32_t next = find_kind(writer, skip(writer, begin), end, EVS_TOKEN_PIPE);
        layout_operator(writer, begin, next, indent);
        if (next < end) {
            end_part(writer, indent);
        }
        begin = next;
    }
}

/* --- lists of columns -------------------------------------------------------------------------------------------------- */

/* The end of a type that begins at `begin`: numeric(38, 9), array<struct<…>>. */
static uint32_t type_end(const struct writer *writer, uint32_t begin, uint32_t end)
{
    uint32_t at = begin + 1;
    while (at < end && (writer->tokens[at].mark & EVS_MARK_TIGHT) != 0) {
        at = skip(writer, at);
    }
    return at;
}

static bool is_column(const struct writer *writer, uint32_t begin, uint32_t end)
{
    return begin + 1 < end && (writer->tokens[begin].mark & EVS_MARK_NAME) != 0 &&
           (writer->tokens[begin + 1].mark & EVS_MARK_TYPE) != 0;
}

struct widths {
    uint32_t name, type;
};

static struct widths column_widths(const struct writer *writer, uint32_t begin, uint32_t end)
{
    struct widths widths = {0};
    while (begin < end) {
        uint32_t comma = find_kind(writer, begin, end, EVS_TOKEN_COMMA);
        if (is_column(writer, begin, comma)) {
            uint32_t name = writer->tokens[begin].width;
            uint32_t behind = type_end(writer, begin + 1, comma);
            uint32_t type = behind < comma ? flat_width(writer, begin + 1, behind) : 0;
            widths.name = name > widths.name ? name : widths.name;
            widths.type = type > widths.type && type < EVS_PRETTY_COLUMNS / 3 ? type : widths.type;
        }
        begin = comma < end ? comma + 1 : end;
    }
    return widths;
}

static void pad(struct writer *writer, uint32_t written, uint32_t width)
{
    if (written < width && !writer->must_break) {
        put_blanks(writer, width - written);
        writer->column += width - written;
    }
}

/* name type rest, in three columns. */
static void layout_column(struct writer *writer, uint32_t begin, uint32_t end, struct widths widths)
{
    if (!is_column(writer, begin, end)) {
        layout(writer, begin, end, INDENT + INDENT, INDENT);
        return;
    }
    uint32_t behind = type_end(writer, begin + 1, end);
    put(writer, begin);
    pad(writer, writer->tokens[begin].width, widths.name);
    layout(writer, begin + 1, behind, INDENT + INDENT, INDENT);
    if (behind < end) {
        pad(writer, flat_width(writer, begin + 1, behind), widths.type);
        layout(writer, behind, end, INDENT + INDENT, INDENT);
    }
}

static void layout_columns(struct writer *writer, uint32_t open)
{
    uint32_t close = writer->tokens[open].partner;
    struct widths widths = column_widths(writer, open + 1, close);
    put(writer, open);
    end_part(writer, INDENT);
    for (uint32_t at = open + 1; at < close;) {
        uint32_t comma = find_kind(writer, at, close, EVS_TOKEN_COMMA);
        layout_column(writer, at, comma, widths);
        if (comma < close) {
            put(writer, comma);
            end_part(writer, INDENT);
        }
        at = comma < close ? comma + 1 : close;
    }
    end_line(writer, 0);
    put(writer, close);
}

/* --- statements -------------------------------------------------------------------------------------------------------- */

static bool begins_declared(const struct writer *writer, uint32_t number)
{
    switch (writer->tokens[number].word) {
    case EVS_WORD_FROM:
    case EVS_WORD_TO:
    case EVS_WORD_AS:
    case EVS_WORD_FORMAT:
    case EVS_WORD_ON:
    case EVS_WORD_RETAIN:
        return true;
    case EVS_WORD_DEAD: /* dead letter into SINK; not on error dead letter */
        return !is_word(writer, number - 1, EVS_WORD_ERROR);
    default:
        return false;
    }
}

/* from …, format …, dead letter into …, on error …: `indent` is that of clauses on lines of their own. `as QUERY` has lines of its own. */
static void layout_declared(struct writer *writer, uint32_t begin, uint32_t end, uint32_t indent)
{
    uint32_t bracket_indent = writer->at_start ? indent : 0; /* the first clause may stand behind a bracket */
    while (begin < end) {
        bool has_query = is_word(writer, begin, EVS_WORD_AS);
        uint32_t next = skip(writer, begin);
        while (next < end && !(has_query ? is_word(writer, next, EVS_WORD_RETAIN) : begins_declared(writer, next))) {
            next = skip(writer, next);
        }
        next = next < end ? next : end;
        if (has_query) {
            put(writer, begin);
            end_part(writer, INDENT);
            layout_query(writer, begin + 1, next, INDENT);
        } else {
            layout(writer, begin, next, indent + INDENT, bracket_indent);
        }
        if (next < end) {
            end_line(writer, indent);
        }
        bracket_indent = indent;
        begin = next;
    }
}

/* create KIND NAME (…) clauses. */
static void layout_create(struct writer *writer, uint32_t begin, uint32_t end)
{
    uint32_t open = begin + 3;
    bool has_columns = open < end && writer->tokens[open].kind == EVS_TOKEN_LEFT_PAREN;
    if (has_columns && fits(writer, begin, writer->tokens[open].partner + 1)) { /* few columns: on the first line */
        uint32_t clauses = writer->tokens[open].partner + 1;
        put_all(writer, begin, clauses);
        end_line(writer, INDENT);
        layout_declared(writer, clauses, end, INDENT);
        return;
    }
    put_all(writer, begin, open < end ? open : end);
    if (has_columns) {
        uint32_t clauses = writer->tokens[open].partner + 1;
        layout_columns(writer, open);
        if (fits(writer, clauses, end + 1)) {
            put_all(writer, clauses, end);
        } else {
            layout_declared(writer, clauses, end, 2);
        }
    } else if (is_word(writer, begin + 1, EVS_WORD_SINK)) {
        end_line(writer, INDENT);
        layout_declared(writer, open, end, INDENT);
    } else {
        layout_declared(writer, open, end, 2);
    }
}

static bool begins_step(const struct writer *writer, uint32_t number)
{
    switch (writer->tokens[number].word) {
    case EVS_WORD_WITH:
    case EVS_WORD_GIVEN:
    case EVS_WORD_ADVANCE:
    case EVS_WORD_END:
    case EVS_WORD_EXPECT:
        return true;
    default:
        return false;
    }
}

/* test 'title' { steps }: rows on lines of their own, as they are written. */
static void layout_test(struct writer *writer, uint32_t begin, uint32_t end)
{
    uint32_t open = begin + 2, close = open < end ? writer->tokens[open].partner : end;
    put_all(writer, begin, open + 1 < end ? open + 1 : end);
    for (uint32_t i = open + 1; i < close; i++) {
        if (begins_step(writer, i)) {
            end_part(writer, INDENT);
        } else if (writer->tokens[i].kind == EVS_TOKEN_JSON) {
            end_line(writer, INDENT + INDENT);
        }
        put(writer, i);
    }
    end_line(writer, 0);
    put_all(writer, close, end);
}

/* create KIND NAME, and the author goes on on the next line; create stream NAME as, the same. */
static bool is_opened_create(const struct writer *writer, uint32_t begin)
{
    uint32_t seam = begin + 3 + (is_word(writer, begin + 1, EVS_WORD_STREAM) ? 1 : 0);
    return is_word(writer, begin, EVS_WORD_CREATE) && writer->tokens[seam].new_line;
}

static void layout_statement(struct writer *writer, uint32_t begin, uint32_t end)
{
    enum evs_word word = writer->tokens[begin].word;
    if (word == EVS_WORD_TEST) {
        layout_test(writer, begin, end);
    } else if (fits(writer, begin, end + 1) && !is_opened_create(writer, begin)) {
        put_all(writer, begin, end);
    } else if (word == EVS_WORD_CREATE) {
        layout_create(writer, begin, end);
    } else if (word == EVS_WORD_FROM || writer->tokens[begin].kind == EVS_TOKEN_LEFT_PAREN) {
        layout_query(writer, begin, end, 0);
    } else {
        layout(writer, begin, end, INDENT, 0);
    }
    put(writer, end); /* the semicolon */
}

void evs_pretty_write(const struct evs_pretty_tokens *tokens, struct evs_buffer *out)
{
    struct writer writer = {.tokens = tokens->items, .out = out, .at_start = true, .is_empty = true};
    writer.keeps_blank = true;
    writer.is_opened = EVS_ARENA_ARRAY(tokens->arena, bool, tokens->count);
    open_all_seams(&writer, tokens->count);
    for (uint32_t at = 0; at + 1 < tokens->count;) {
        uint32_t end = find_kind(&writer, at, tokens->count, EVS_TOKEN_SEMICOLON);
        EVS_ASSERT(end < tokens->count); /* the last statement has one */
        layout_statement(&writer, at, end);
        end_part(&writer, 0);
        at = end + 1;
    }
    struct evs_pretty_token end = tokens->items[tokens->count - 1];
    end.blank_before = false; /* the file does not end with a blank line */
    put_comments(&writer, &end);
}
