/* Regular expressions in RE2's syntax. A constant pattern is compiled at plan time, where a mistake in it can be shown; one that
 * rows bring is compiled when it is new (regexp_cache.c), and a faulty one is an error of its row.
 *
 * Results are views into the argument. Occurrences do not overlap; behind an empty match the search goes on one character
 * further. A position cuts the text, so that ^ stands there, as GoogleSQL has it. */
#include "evstream/nested.h"
#include "kernel.h"
#include "regexp_cache.h"
#include "text_tools.h"

static bool of_bytes(const struct evs_call *call)
{
    return call->step->overload->arguments[0] == EVS_BYTES;
}
static struct evs_regexp_text regexp_text(struct evs_slice slice)
{
    return (struct evs_regexp_text){slice.data, slice.count};
}

/* --- patterns ----------------------------------------------------------------------------------------------------- */

static const char *clip(struct evs_arena *arena, struct evs_slice text)
{
    const size_t shown = 60;
    return text.count <= shown ? evs_arena_printf(arena, "%.*s", (int)text.count, text.data)
                               : evs_arena_printf(arena, "%.*s…", (int)shown, text.data);
}

static evs_status tell_mistake(struct evs_arena *arena, struct evs_slice pattern,
                               const struct evs_regexp_mistake *mistake, struct evs_error *error)
{
    if (mistake->count == 0) {
        return evs_fail(error, EVS_E_PIPELINE, "the pattern '%s' is no regular expression: %s", clip(arena, pattern),
                        mistake->text);
    }
    const struct evs_slice piece = {pattern.data + mistake->offset, mistake->count};
    const struct evs_slice before = {pattern.data, mistake->offset};
    return evs_fail(error, EVS_E_PIPELINE, "the pattern '%s' is no regular expression: %s: `%s`, at character %lld",
                    clip(arena, pattern), mistake->text, clip(arena, piece), (long long)evs_utf8_count(before) + 1);
}

static void release_regexp(void *regexp)
{
    evs_regexp_free(regexp);
}

/* NULL, and OK, when the pattern is not constant. */
static evs_status prepare_regexp(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                 struct evs_error *error)
{
    const struct evs_expr *pattern = expr->arguments[1];
    *prepared = NULL;
    if (pattern->kind != EVS_EXPR_CONSTANT || pattern->value.is_null) {
        return EVS_OK;
    }
    const struct evs_slice text = evs_str_slice(&pattern->value.str);
    struct evs_regexp_mistake mistake;
    struct evs_regexp *regexp = evs_regexp_new(regexp_text(text), pattern->type->kind == EVS_BYTES, &mistake);
    if (regexp == NULL) {
        return tell_mistake(arena, text, &mistake, error);
    }
    evs_arena_defer(arena, release_regexp, regexp);
    *prepared = regexp;
    return EVS_OK;
}

/* What extracts takes the group when there is one, so that there must not be two. */
static evs_status prepare_extract(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                  struct evs_error *error)
{
    const evs_status status = prepare_regexp(arena, expr, prepared, error);
    if (status == EVS_OK && *prepared != NULL && evs_regexp_group_count(*prepared) > 1) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "the pattern %s has %u groups, and only one can be extracted: write (?:…) for the others",
                        expr->arguments[1]->text, evs_regexp_group_count(*prepared));
    }
    return status;
}

/* NULL when the pattern of this row is none. */
static const struct evs_regexp *regexp_of(struct evs_call *call, const struct evs_str *pattern)
{
    if (call->step->prepared != NULL) {
        return call->step->prepared;
    }
    if (call->eval->regexps == NULL) {
        call->eval->regexps = evs_regexp_cache_new();
    }
    return evs_regexp_cache_get(call->eval->regexps, evs_str_slice(pattern), of_bytes(call));
}

/* --- contains ----------------------------------------------------------------------------------------------------- */

static inline enum evs_row contains_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                        uint8_t *out)
{
    const struct evs_regexp *regexp = regexp_of(call, b);
    if (regexp == NULL) {
        return EVS_ROW_REGEXP;
    }
    *out = evs_regexp_match(regexp, regexp_text(evs_str_slice(a)), 0, NULL, 0);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(contains, contains_row, struct evs_str, struct evs_str, uint8_t)

/* --- one occurrence after the other ------------------------------------------------------------------------------- */

struct search {
    const struct evs_regexp *regexp;
    struct evs_slice text;
    bool by_bytes;
    size_t from;
    bool ended;
    struct evs_regexp_text
        found; /* the group, or the whole match when there is none; NULL data: the group took no part */
};

/* The byte behind the character at `at`. */
static size_t behind(const struct search *search, size_t at)
{
    return at + (search->by_bytes ? 1 : evs_utf8_bytes(search->text.data[at]));
}

static bool next_occurrence(struct search *search)
{
    const uint32_t groups = evs_regexp_group_count(search->regexp);
    struct evs_regexp_text found[2];
    EVS_ASSERT(groups <= 1 && search->from <= search->text.count);
    if (search->ended ||
        !evs_regexp_match(search->regexp, regexp_text(search->text), search->from, found, groups + 1)) {
        return false;
    }
    search->found = found[groups];
    search->from = (size_t)(found[0].data - search->text.data) + found[0].count;
    if (found[0].count == 0 && search->from < search->text.count) {
        search->from = behind(search, search->from);
    }
    search->ended = search->from >= search->text.count;
    return true;
}

/* Sets the search at a position, from 1; one behind the text finds nothing. */
static enum evs_row begin_search(struct evs_call *call, struct search *search, const struct evs_str *text,
                                 const struct evs_str *pattern, int64_t position)
{
    *search = (struct search){.text = evs_str_slice(text), .by_bytes = of_bytes(call)};
    if (position < 1) {
        return EVS_ROW_ARGUMENT;
    }
    search->regexp = regexp_of(call, pattern);
    if (search->regexp == NULL || evs_regexp_group_count(search->regexp) > 1) {
        return EVS_ROW_REGEXP;
    }
    const int64_t skipped = position - 1;
    const struct evs_slice whole = search->text;
    const size_t cut = !search->by_bytes                 ? evs_utf8_offset(whole, skipped)
                       : (uint64_t)skipped < whole.count ? (size_t)skipped
                                                         : whole.count;
    search->text = (struct evs_slice){whole.data + cut, whole.count - cut};
    search->ended = search->text.count == 0 && position > 1;
    return EVS_ROW_OK;
}

static bool find_occurrence(struct search *search, int64_t occurrence)
{
    while (occurrence > 0 && next_occurrence(search)) {
        occurrence--;
    }
    return occurrence == 0 && search->found.data != NULL;
}

static int64_t optional(const struct evs_call *call, uint32_t argument, uint32_t row, int64_t otherwise)
{
    return argument < call->argument_count ? *EVS_COLUMN_AT(call->arguments[argument], int64_t, row) : otherwise;
}

/* --- extract ------------------------------------------------------------------------------------------------------ */

static enum evs_row extract_row(struct evs_call *call, uint32_t row, struct evs_str *out)
{
    struct search search;
    const int64_t occurrence = optional(call, 3, row, 1);
    const enum evs_row begun =
        begin_search(call, &search, EVS_COLUMN_AT(call->arguments[0], struct evs_str, row),
                     EVS_COLUMN_AT(call->arguments[1], struct evs_str, row), optional(call, 2, row, 1));
    if (begun != EVS_ROW_OK) {
        return begun;
    }
    if (occurrence < 1) {
        return EVS_ROW_ARGUMENT;
    }
    if (!find_occurrence(&search, occurrence)) {
        return EVS_ROW_NULL;
    }
    *out = evs_str_make(search.found.data, (uint32_t)search.found.count);
    return EVS_ROW_OK;
}
static void extract(struct evs_call *call)
{
    struct evs_str *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        EVS_ROW_DONE(call, row, extract_row(call, row, &out[row]));
    }
}

static inline enum evs_row extract_all_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                           struct evs_str *out)
{
    struct search search;
    const enum evs_row begun = begin_search(call, &search, a, b, 1);
    if (begun != EVS_ROW_OK) {
        return begun;
    }
    const enum evs_kind kind = of_bytes(call) ? EVS_BYTES : EVS_STRING;
    struct evs_nested_builder *builder = &call->eval->nested;
    evs_nested_begin_array(builder, kind);
    while (next_occurrence(&search)) {
        const char *found = search.found.data ? search.found.data : ""; /* a group that took no part is empty here */
        const struct evs_value value = {.kind = kind, .str = evs_str_make(found, (uint32_t)search.found.count)};
        evs_nested_add(builder, &value);
        if (evs_nested_bytes(builder) > EVS_TEXT_BYTES_MAX) {
            return EVS_ROW_TOO_LONG;
        }
    }
    *out = evs_nested_finish(builder, call->eval->text);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_2(extract_all, extract_all_row, struct evs_str, struct evs_str, struct evs_str)

/* --- position ----------------------------------------------------------------------------------------------------- */

static enum evs_row instr_row(struct evs_call *call, uint32_t row, int64_t *out)
{
    struct search search;
    const struct evs_str *pattern = EVS_COLUMN_AT(call->arguments[1], struct evs_str, row);
    const int64_t occurrence = optional(call, 3, row, 1), end = optional(call, 4, row, 0);
    const enum evs_row begun = begin_search(call, &search, EVS_COLUMN_AT(call->arguments[0], struct evs_str, row),
                                            pattern, optional(call, 2, row, 1));
    if (begun != EVS_ROW_OK) {
        return begun;
    }
    if (occurrence < 1 || (end != 0 && end != 1)) {
        return EVS_ROW_ARGUMENT;
    }
    *out = 0;
    if (pattern->count == 0 || search.text.count == 0 || !find_occurrence(&search, occurrence)) {
        return EVS_ROW_OK;
    }
    const char *text = evs_str_data(EVS_COLUMN_AT(call->arguments[0], struct evs_str, row));
    const char *place = search.found.data + (end == 1 ? search.found.count : 0);
    const struct evs_slice before = {text, (size_t)(place - text)};
    *out = 1 + (search.by_bytes ? (int64_t)before.count : evs_utf8_count(before));
    return EVS_ROW_OK;
}
static void instr(struct evs_call *call)
{
    int64_t *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        EVS_ROW_DONE(call, row, instr_row(call, row, &out[row]));
    }
}

/* --- replace ------------------------------------------------------------------------------------------------------ */

/* \0 to \9 are groups that the pattern has, \\ is a backslash, and nothing else is escaped. */
static bool replacement_fits(const struct evs_regexp *regexp, struct evs_slice replacement)
{
    for (size_t i = 0; i < replacement.count; i++) {
        if (replacement.data[i] != '\\') {
            continue;
        }
        const char c = ++i < replacement.count ? replacement.data[i] : '\0';
        const bool is_group = c >= '0' && c <= '9' && (uint32_t)(c - '0') <= evs_regexp_group_count(regexp);
        if (!is_group && c != '\\') {
            return false;
        }
    }
    return true;
}

static evs_status prepare_replace(struct evs_arena *arena, const struct evs_expr *expr, const void **prepared,
                                  struct evs_error *error)
{
    const struct evs_expr *replacement = expr->arguments[2];
    const evs_status status = prepare_regexp(arena, expr, prepared, error);
    const bool is_known = *prepared != NULL && replacement->kind == EVS_EXPR_CONSTANT && !replacement->value.is_null;
    if (status == EVS_OK && is_known && !replacement_fits(*prepared, evs_str_slice(&replacement->value.str))) {
        return evs_fail(error, EVS_E_PIPELINE,
                        "the replacement %s can name the whole match, \\0, and the pattern's groups, of which there "
                        "are %u; a backslash is \\\\",
                        replacement->text, evs_regexp_group_count(*prepared));
    }
    return status;
}

static void put_replacement(struct evs_buffer *out, struct evs_slice replacement, const struct evs_regexp_text *groups)
{
    for (size_t i = 0; i < replacement.count; i++) {
        const char c = replacement.data[i];
        if (c != '\\') {
            evs_buffer_put(out, &c, 1);
            continue;
        }
        const char escaped = replacement.data[++i];
        if (escaped == '\\') {
            evs_buffer_put(out, &escaped, 1);
        } else if (groups[escaped - '0'].count > 0) {
            evs_buffer_put(out, groups[escaped - '0'].data, groups[escaped - '0'].count);
        }
    }
}

/* Every occurrence; an empty one that touches the occurrence before it is none. */
static enum evs_row replace_all(const struct search *search, struct evs_slice replacement, struct evs_buffer *out)
{
    struct evs_regexp_text groups[EVS_REGEXP_GROUPS_MAX];
    const struct evs_slice text = search->text;
    size_t at = 0, last_end = SIZE_MAX;
    out->count = 0;
    while (at <= text.count && evs_regexp_match(search->regexp, regexp_text(text), at, groups, EVS_REGEXP_GROUPS_MAX)) {
        const size_t start = (size_t)(groups[0].data - text.data);
        evs_buffer_put(out, text.data + at, start - at);
        if (groups[0].count > 0 || start != last_end) {
            put_replacement(out, replacement, groups);
        }
        at = last_end = start + groups[0].count;
        if (groups[0].count == 0 && at == text.count) {
            return out->count > EVS_TEXT_BYTES_MAX ? EVS_ROW_TOO_LONG : EVS_ROW_OK;
        }
        if (groups[0].count == 0) {
            evs_buffer_put(out, text.data + at, behind(search, at) - at);
            at = behind(search, at);
        }
        if (out->count > EVS_TEXT_BYTES_MAX) {
            return EVS_ROW_TOO_LONG;
        }
    }
    evs_buffer_put(out, text.data + at, text.count - at);
    return out->count > EVS_TEXT_BYTES_MAX ? EVS_ROW_TOO_LONG : EVS_ROW_OK;
}

static inline enum evs_row replace_row(struct evs_call *call, const struct evs_str *a, const struct evs_str *b,
                                       const struct evs_str *c, struct evs_str *out)
{
    const struct search search = {.regexp = regexp_of(call, b), .text = evs_str_slice(a), .by_bytes = of_bytes(call)};
    const struct evs_slice replacement = evs_str_slice(c);
    if (search.regexp == NULL || !replacement_fits(search.regexp, replacement)) {
        return EVS_ROW_REGEXP;
    }
    struct evs_buffer *built = &call->eval->buffer;
    const enum evs_row outcome = replace_all(&search, replacement, built);
    if (outcome == EVS_ROW_OK) {
        *out = evs_call_str(call, built->data ? built->data : "", built->count);
    }
    return outcome;
}
EVS_ROW_KERNEL_3(replace, replace_row, struct evs_str, struct evs_str, struct evs_str, struct evs_str)

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define MAY_FAIL EVS_CALL_FALLIBLE
#define OVERLOAD(name_, kernel_, prepare_, to, required_, flags_, ...)                                                 \
    {                                                                                                                  \
        .name = (name_), .kernel = (kernel_), .prepare = (prepare_), .result = (to), .arguments = {__VA_ARGS__},       \
        .required = (required_), .flags = (flags_)                                                                     \
    }
#define S EVS_STRING
#define B EVS_BYTES
#define I EVS_INT64

static const struct evs_overload overloads[] = {
    OVERLOAD("regexp_contains", contains, prepare_regexp, EVS_BOOL, 2, MAY_FAIL | EVS_CALL_PREPARED_SURE, S, S),
    OVERLOAD("regexp_contains", contains, prepare_regexp, EVS_BOOL, 2, MAY_FAIL | EVS_CALL_PREPARED_SURE, B, B),
    OVERLOAD("regexp_extract", extract, prepare_extract, S, 2, MAY_FAIL | EVS_CALL_NULLABLE, S, S, I, I),
    OVERLOAD("regexp_extract", extract, prepare_extract, B, 2, MAY_FAIL | EVS_CALL_NULLABLE, B, B, I, I),
    OVERLOAD("regexp_extract_all", extract_all, prepare_extract, EVS_ARG_ARRAY_OF(S), 2, MAY_FAIL, S, S),
    OVERLOAD("regexp_extract_all", extract_all, prepare_extract, EVS_ARG_ARRAY_OF(B), 2, MAY_FAIL, B, B),
    OVERLOAD("regexp_instr", instr, prepare_extract, I, 2, MAY_FAIL, S, S, I, I, I),
    OVERLOAD("regexp_instr", instr, prepare_extract, I, 2, MAY_FAIL, B, B, I, I, I),
    OVERLOAD("regexp_replace", replace, prepare_replace, S, 3, MAY_FAIL, S, S, S),
    OVERLOAD("regexp_replace", replace, prepare_replace, B, 3, MAY_FAIL, B, B, B),
};

#define REGEXP(name_, signature_, meaning_, example_, result_)                                                         \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_REGEXP, .signature = (signature_), .meaning = (meaning_),                \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    REGEXP("regexp_contains", "regexp_contains(string, pattern string) → bool; the same for bytes",
           "Whether the pattern matches somewhere; ^ and $ tie it to the ends.",
           "regexp_contains('/product/42', '^/product/[0-9]+$')", "true"),
    REGEXP(
        "regexp_extract",
        "regexp_extract(string, pattern string [, position int64 [, occurrence int64]]) → string; the same for bytes",
        "What the pattern's group matches, or the whole pattern when it has no group; NULL when nothing does.",
        "regexp_extract('utm_source=mail&x=1', 'utm_source=([^&]+)')", "mail"),
    REGEXP("regexp_substr",
           "regexp_substr(string, pattern string [, position int64 [, occurrence int64]]) → string; the same for bytes",
           "The same as regexp_extract.", "regexp_substr('ab12cd34', '[0-9]+', 1, 2)", "34"),
    REGEXP(
        "regexp_instr",
        "regexp_instr(string, pattern string [, position int64 [, occurrence int64 [, end int64]]]) → int64; the same "
        "for bytes",
        "Where the match begins (from 1), or, when the last argument is 1, the position behind it; 0 when there is "
        "none.",
        "regexp_instr('order 4711', '[0-9]+')", "7"),
    REGEXP("regexp_extract_all", "regexp_extract_all(string, pattern string) → array<string>; the same for bytes",
           "What regexp_extract finds at every place, in order.",
           "array_to_string(regexp_extract_all('#sale on #shoes', '#([a-z]+)'), ' ')", "sale shoes"),
    REGEXP("regexp_replace", "regexp_replace(string, pattern string, replacement string) → string; the same for bytes",
           "Every match replaced; \\1 to \\9 in the replacement are the groups, \\0 is the whole match.",
           "regexp_replace('/user/42/cart', '[0-9]+', 'ID')", "/user/ID/cart"),
};

const struct evs_family evs_family_regexp = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
