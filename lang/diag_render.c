/* Printing diagnostics.
 *
 *   error[E0110]: expected `)` after the columns     head
 *     --> pipelines/cart.evs:14:22                   where
 *      |
 *   14 | create source clicks (                      the line: tabs spread to columns of 4, control bytes replaced
 *      |                      ^                      first line of the span
 *   ...                                              lines between
 *   20 |  from nats                                  last line of the span, with the hint behind its carets
 *      |  ^^^^ close the list
 *      = note: …                                     remarks without a place; others follow as blocks of their own
 *
 * A line that is longer than a terminal is shown around its span only. What looks like a password in it is shown as asterisks. */
#include "diag_private.h"
#include "lexer.h"
#include "mask.h"

#include <stdlib.h>
#include <unistd.h>

#define TAB_COLUMNS 4
#define LINE_COLUMNS_MAX 160
#define COLUMNS_BEFORE 40 /* shown before a span on a line that is cut */

struct style {
    const char *severity, *frame, *strong, *end;
};

static struct style style_of(enum evs_severity severity, bool colour)
{
    static const char *const colours[EVS_SEVERITIES] = {"\033[1;31m", "\033[1;33m", "\033[1;36m"};
    if (!colour) {
        return (struct style){"", "", "", ""};
    }
    return (struct style){colours[severity], "\033[1;34m", "\033[1m", "\033[0m"};
}

static void repeat(struct evs_buffer *out, char c, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        evs_buffer_put(out, &c, 1);
    }
}

/* --- one line ----------------------------------------------------------------------------------------------------- */

/* One character of a line as it is shown. */
struct glyph {
    uint32_t bytes; /* in the line */
    uint32_t columns;
    struct evs_slice shown;
};

static struct glyph glyph_at(struct evs_slice rest, uint32_t column)
{
    uint32_t code_point = 0, bytes = evs_utf8_decode(rest, &code_point);
    if (bytes == 1 && code_point == '\t') {
        uint32_t columns = TAB_COLUMNS - column % TAB_COLUMNS;
        return (struct glyph){1, columns, {"    ", columns}};
    }
    bool is_control = bytes > 0 && (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0));
    bool turns_text = code_point >= 0x202A && code_point <= 0x202E; /* would show the line in another order */
    if (bytes == 0 || is_control || turns_text) {
        return (struct glyph){bytes > 0 ? bytes : 1, 1, EVS_SLICE("\uFFFD")};
    }
    return (struct glyph){bytes, evs_code_point_width(code_point), {rest.data, bytes}};
}

/* Columns that the first `bytes` of a line take; bytes beyond its end take one each. */
static uint32_t columns_of(struct evs_slice line, uint32_t bytes)
{
    uint32_t column = 0;
    for (size_t at = 0; at < bytes && at < line.count;) {
        struct glyph glyph = glyph_at((struct evs_slice){line.data + at, line.count - at}, column);
        column += glyph.columns;
        at += glyph.bytes;
    }
    return column;
}

/* The part of a line that is shown, in columns. */
struct window {
    uint32_t first, end;
};

static struct window window_for(uint32_t columns, uint32_t from)
{
    if (columns <= LINE_COLUMNS_MAX) {
        return (struct window){0, columns};
    }
    uint32_t first = from > COLUMNS_BEFORE ? from - COLUMNS_BEFORE : 0;
    return (struct window){first, first + LINE_COLUMNS_MAX};
}

static void put_line(struct evs_buffer *out, struct evs_slice line, struct window window)
{
    uint32_t column = 0;
    for (size_t at = 0; at < line.count && column < window.end;) {
        struct glyph glyph = glyph_at((struct evs_slice){line.data + at, line.count - at}, column);
        if (column >= window.first) {
            evs_buffer_put(out, glyph.shown.data, glyph.shown.count);
        } else if (column + glyph.columns > window.first) { /* a wide one that is cut in two */
            repeat(out, ' ', column + glyph.columns - window.first);
        }
        column += glyph.columns;
        at += glyph.bytes;
    }
}

/* --- a block: a place and its lines ------------------------------------------------------------------------------- */

struct block {
    struct evs_buffer *out;
    struct style style;
    const struct evs_source_text *text; /* or NULL: no lines */
    struct evs_place place;
    const char *hint;
    uint32_t gutter; /* columns of the largest line number */
};

static uint32_t line_of(const struct evs_source_text *text, uint32_t line, uint32_t offset)
{
    while (line < text->line_count && text->line_starts[line] <= offset) {
        line++;
    }
    return line;
}

static void put_bar(struct block *block)
{
    evs_buffer_printf(block->out, "%s%*s |%s", block->style.frame, (int)block->gutter, "", block->style.end);
}

/* A line with carets under its bytes [from, to), and the hint when it is the last one. */
static void put_marks(struct block *block, struct evs_slice line, uint32_t number, uint32_t from, uint32_t to,
                      bool is_last)
{
    uint32_t first = columns_of(line, from), end = columns_of(line, to);
    uint32_t columns = columns_of(line, (uint32_t)line.count);
    struct window window = window_for(columns, first);
    EVS_ASSERT(first <= end && window.first <= first);
    bool is_cut = window.first > 0;
    evs_buffer_printf(block->out, "%s%*u |%s %s", block->style.frame, (int)block->gutter, number, block->style.end,
                      is_cut ? "…" : "");
    put_line(block->out, line, window);
    evs_buffer_puts(block->out, window.end < columns ? "…\n" : "\n");
    put_bar(block);
    repeat(block->out, ' ', 1 + is_cut + first - window.first);
    uint32_t carets = end > first ? end - first : 1;
    uint32_t room = LINE_COLUMNS_MAX - (first - window.first);
    evs_buffer_puts(block->out, block->style.severity);
    repeat(block->out, '^', carets < room ? carets : room);
    if (is_last && block->hint != NULL) {
        evs_buffer_printf(block->out, " %s", block->hint);
    }
    evs_buffer_printf(block->out, "%s\n", block->style.end);
}

static void put_marked_line(struct block *block, uint32_t number, uint32_t from, uint32_t to, bool is_last)
{
    struct evs_slice line = evs_source_line(block->text, number);
    struct evs_buffer shown = {0};
    evs_buffer_put(&shown, line.data, line.count);
    evs_mask_secrets(shown.data, shown.count);
    put_marks(block, (struct evs_slice){shown.data, shown.count}, number, from, to, is_last);
    evs_buffer_fini(&shown);
}

static uint32_t indentation(struct evs_slice line)
{
    uint32_t count = 0;
    while (count < line.count && (line.data[count] == ' ' || line.data[count] == '\t')) {
        count++;
    }
    return count;
}

static void put_lines(struct block *block, uint32_t last_line)
{
    uint32_t first_line = block->place.line;
    uint32_t from = block->place.offset - block->text->line_starts[first_line - 1];
    uint32_t to = block->place.offset + block->place.count - block->text->line_starts[last_line - 1];
    EVS_ASSERT(first_line <= last_line && last_line <= block->text->line_count);
    put_bar(block);
    evs_buffer_puts(block->out, "\n");
    if (first_line == last_line) {
        put_marked_line(block, first_line, from, to, true);
        return;
    }
    put_marked_line(block, first_line, from, (uint32_t)evs_source_line(block->text, first_line).count, false);
    if (last_line - first_line > 1) {
        evs_buffer_printf(block->out, "%s...%s\n", block->style.frame, block->style.end);
    }
    put_marked_line(block, last_line, indentation(evs_source_line(block->text, last_line)), to, true);
}

/* A place of a text that is not as the place says (it was made for another text) is shown without its line. */
static bool is_in_text(const struct evs_source_text *text, struct evs_place place)
{
    return text != NULL && place.line > 0 && place.line <= text->line_count &&
           text->line_starts[place.line - 1] <= place.offset && (size_t)place.offset + place.count <= text->text.count;
}

static uint32_t digits_of(uint32_t number)
{
    uint32_t digits = 1;
    while (number >= 10) {
        number /= 10;
        digits++;
    }
    return digits;
}

static void put_block(struct block *block)
{
    bool has_lines = is_in_text(block->text, block->place);
    uint32_t end = block->place.offset + (block->place.count > 0 ? block->place.count - 1 : 0);
    uint32_t last_line = has_lines ? line_of(block->text, block->place.line, end) : block->place.line;
    block->gutter = digits_of(last_line);
    if (block->place.file != NULL) {
        evs_buffer_printf(block->out, "%s%*s-->%s %s:%u:%u\n", block->style.frame, (int)block->gutter, "",
                          block->style.end, block->place.file, block->place.line, block->place.column);
    }
    if (has_lines) {
        put_lines(block, last_line);
    } else if (block->hint != NULL) {
        evs_buffer_printf(block->out, "%*s = help: %s\n", (int)block->gutter, "", block->hint);
    }
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static void put_remarks(const struct evs_diag *diag, struct block block)
{
    uint32_t gutter = block.gutter;
    block.hint = NULL;
    for (const struct evs_diag_remark *note = diag->notes; note != NULL; note = note->next) {
        if (note->place.file == NULL) {
            evs_buffer_printf(block.out, "%s%*s =%s note: %s\n", block.style.frame, (int)gutter, "", block.style.end,
                              note->text);
            continue;
        }
        evs_buffer_printf(block.out, "%snote%s: %s\n", block.style.strong, block.style.end, note->text);
        block.place = note->place;
        block.text = diag->owner->sources != NULL ? evs_sources_find(diag->owner->sources, note->place.file) : NULL;
        put_block(&block);
    }
}

static void put_diag(struct evs_buffer *out, const struct evs_diag *diag, bool colour)
{
    static const char *const words[EVS_SEVERITIES] = {"error", "warning", "info"};
    enum evs_severity severity = evs_code_severity(diag->code);
    struct block block = {.out = out, .style = style_of(severity, colour), .place = diag->place, .hint = diag->hint};
    if (diag->owner->sources != NULL) {
        block.text = evs_sources_find(diag->owner->sources, diag->place.file);
    }
    evs_buffer_printf(out, "%s%s[%s]%s%s: %s%s\n", block.style.severity, words[severity],
                      evs_code_info(diag->code)->name, block.style.end, block.style.strong, diag->message,
                      block.style.end);
    put_block(&block);
    put_remarks(diag, block);
}

/* "3 errors (the first 100 are shown)"; nothing for none. */
static void put_count(struct evs_buffer *out, uint32_t count, const char *what, bool is_first)
{
    if (count == 0) {
        return;
    }
    evs_buffer_printf(out, "%s%u %s%s", is_first ? "" : ", ", count, what, count == 1 ? "" : "s");
    if (count > EVS_DIAGNOSTICS_MAX) {
        evs_buffer_printf(out, " (the first %u are shown)", EVS_DIAGNOSTICS_MAX);
    }
}

void evs_diagnostics_render(const struct evs_diagnostics *diagnostics, bool colour, struct evs_buffer *out)
{
    struct evs_diag **sorted = evs_diagnostics_sorted(diagnostics);
    for (uint32_t i = 0; i < diagnostics->count; i++) {
        evs_buffer_puts(out, i > 0 ? "\n" : "");
        put_diag(out, sorted[i], colour);
    }
    evs_free(sorted);
    uint32_t errors = diagnostics->counts[EVS_SEVERITY_ERROR], warnings = diagnostics->counts[EVS_SEVERITY_WARNING];
    if (diagnostics->count > 1 && errors + warnings > 0) {
        evs_buffer_puts(out, "\n");
        put_count(out, errors, "error", true);
        put_count(out, warnings, "warning", errors == 0);
        evs_buffer_puts(out, "\n");
    }
}

void evs_diagnostics_print(const struct evs_diagnostics *diagnostics, FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");
    bool colour = isatty(fileno(stream)) && (no_color == NULL || no_color[0] == '\0');
    struct evs_buffer out = {0};
    evs_diagnostics_render(diagnostics, colour, &out);
    if (out.count > 0) {
        fwrite(out.data, 1, out.count, stream);
    }
    evs_buffer_fini(&out);
}
