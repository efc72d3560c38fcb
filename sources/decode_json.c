/* The decoder contract for JSON: paths to a tree of nodes, payloads to records, and what to say about a bad one.
 *
 * Lines are indexed many at a time (a chunk), because one index over 64 KiB costs half of what an index for each line costs. A line
 * that breaks the index (bad UTF-8, a string that is not closed) would take its neighbours with it, so the lines of such a chunk
 * are indexed one by one. A chunk is cut at a newline and is no longer than the rows still asked for are likely to need.
 *
 * An index is never kept from one call to the next: the same memory may hold other bytes by then.
 *
 * A payload that is an array is indexed as a whole from the first element that has no row yet; if that fails, nothing in it can be
 * told apart, and the payload is one bad record. */
#include <stdlib.h>

#include "decode_json.h"

#include "decode_json_shape.h"

#define CHUNK_BYTES (64u << 10)
#define CHUNK_SLACK_BYTES 1024u /* more than asked for by the usual size of a record */
#define ROW_BYTES_FIRST 512u    /* the usual size of a record before one was seen */
#define JSON_DEPTH_OF_PATH_MAX 256u

/* --- wanted paths ---------------------------------------------------------------------------------------------------- */

static struct json_node *find_or_add(struct json_decoder *decoder, struct json_node *parent, const char *name)
{
    for (uint32_t i = 0; i < parent->child_count; i++) {
        if (evs_slice_equal(parent->children[i]->name, evs_slice_of(name))) {
            return parent->children[i];
        }
    }
    /* Few paths, built once: a new array for each child is simple and lives in an arena. */
    struct json_node **children = EVS_ARENA_ARRAY(&decoder->memory, struct json_node *, parent->child_count + 1);
    if (parent->child_count > 0) {
        memcpy(children, parent->children, parent->child_count * sizeof *children);
    }
    struct json_node *node = EVS_ARENA_NEW(&decoder->memory, struct json_node);
    node->name = evs_slice_of(evs_arena_strndup(&decoder->memory, name, strlen(name)));
    children[parent->child_count++] = node;
    parent->children = children;
    return node;
}

static int by_name(const void *a, const void *b)
{
    const struct json_node *left = *(struct json_node *const *)a, *right = *(struct json_node *const *)b;
    if (left->name.count != right->name.count) {
        return left->name.count < right->name.count ? -1 : 1;
    }
    return memcmp(left->name.data, right->name.data, left->name.count);
}

static void sort_children(struct json_node *node)
{
    if (node->child_count > 0) {
        qsort(node->children, node->child_count, sizeof(struct json_node *), by_name);
    }
    for (uint32_t i = 0; i < node->child_count; i++) {
        sort_children(node->children[i]);
    }
}

static bool can_decode(enum evs_kind kind)
{
    return kind > EVS_NULL_KIND && kind < EVS_KIND_COUNT;
}

static void add_column(struct json_decoder *decoder, uint32_t number, const struct evs_decode_column *wish)
{
    EVS_ASSERT(can_decode(wish->kind));
    EVS_ASSERT(wish->path_count > 0 || wish->kind == EVS_JSON);
    EVS_ASSERT(wish->path_count <= JSON_DEPTH_OF_PATH_MAX);
    struct json_node *node = decoder->root;
    for (uint32_t i = 0; i < wish->path_count; i++) {
        node = find_or_add(decoder, node, wish->path[i]);
    }
    struct json_column *column = &decoder->columns[number];
    *column = (struct json_column){.wish = wish, .next = node->columns, .minute_us = INT64_MIN};
    if (evs_kind_is_nested(wish->kind)) {
        column->nested = evs_json_nested_new(&decoder->memory, wish->name, wish->type);
    }
    node->columns = column;
}

static void *json_open(const struct evs_decode_column *columns, uint32_t column_count, uint32_t row_bytes_max)
{
    EVS_ASSERT(row_bytes_max > 0 && row_bytes_max < EVS_JSON_READER_BYTES_MAX);
    struct json_decoder *decoder = evs_alloc_zero(sizeof *decoder);
    decoder->reader = evs_json_reader_new();
    EVS_ASSERT(decoder->reader != NULL);
    decoder->row_bytes_max = row_bytes_max;
    decoder->row_bytes_usual = ROW_BYTES_FIRST;
    decoder->columns = EVS_ARENA_ARRAY(&decoder->memory, struct json_column, column_count);
    decoder->column_count = column_count;
    decoder->root = EVS_ARENA_NEW(&decoder->memory, struct json_node);
    for (uint32_t i = 0; i < column_count; i++) {
        add_column(decoder, i, &columns[i]);
    }
    sort_children(decoder->root);
    evs_json_prepare(decoder, decoder->root);
    decoder->shapes = evs_json_can_scan() ? evs_json_shapes_new(&decoder->memory, decoder->root) : NULL;
    decoder->marks = decoder->shapes == NULL ? NULL : evs_json_marks_new(&decoder->memory);
    return decoder;
}

static void json_close(void *instance)
{
    struct json_decoder *decoder = instance;
    if (decoder == NULL) {
        return;
    }
    for (uint32_t i = 0; i < decoder->column_count; i++) {
        evs_json_nested_fini(decoder->columns[i].nested);
    }
    evs_json_reader_free(decoder->reader);
    evs_arena_fini(&decoder->memory);
    evs_arena_fini(&decoder->scratch);
    evs_free(decoder);
}

/* --- rows and bad records --------------------------------------------------------------------------------------------- */

static bool has_room(const struct evs_decode_out *out)
{
    return out->batch->row_count < out->row_max && out->bad_count < out->bad_max;
}

static void take_row(struct json_decoder *decoder, uint32_t index, struct evs_slice raw)
{
    struct evs_decode_out *out = decoder->out;
    EVS_ASSERT(decoder->row == out->batch->row_count);
    out->record_index[decoder->row] = index;
    out->raw[decoder->row] = raw;
    out->batch->row_count++;
    decoder->row_bytes_usual += ((int32_t)raw.count - (int32_t)decoder->row_bytes_usual) / 8;
}

/* A row that came to nothing may have left NULLs; the next one finds its bits set. */
static void clear_row(struct json_decoder *decoder)
{
    uint32_t row = decoder->out->batch->row_count;
    EVS_ASSERT(row < EVS_BATCH_ROWS);
    for (uint32_t i = 0; i < decoder->column_count; i++) {
        uint64_t *valid = decoder->columns[i].target->valid;
        if (valid != NULL) {
            valid[row / 64] |= UINT64_C(1) << (row % 64);
        }
    }
}

static void take_bad(struct json_decoder *decoder, uint32_t index, struct evs_slice raw)
{
    struct evs_decode_out *out = decoder->out;
    EVS_ASSERT(out->bad_count < out->bad_max && decoder->reason != NULL);
    struct evs_decode_bad *bad = &out->bad[out->bad_count++];
    *bad = (struct evs_decode_bad){.index = index, .raw = raw, .reason = decoder->reason};
    memcpy(bad->detail, decoder->detail, sizeof bad->detail);
    clear_row(decoder);
}

static void bad_size(struct json_decoder *decoder, size_t bytes)
{
    evs_json_bad(decoder, "oversize", "The record has %zu bytes or more; at most %u are read.", bytes,
                 decoder->row_bytes_max);
}

/* Why a record that could not be indexed could not be. The same words whatever kernel found it. */
static void bad_index(struct json_decoder *decoder, struct evs_slice raw)
{
    if (!evs_utf8_valid(raw.data, raw.count)) {
        evs_json_bad(decoder, "utf8", "The record is not valid UTF-8.");
    } else {
        evs_json_bad(decoder, "json", "A string is not closed, or has a control character that is not escaped.");
    }
}

/* What is wrong with a record that does not begin with `{`. */
static void bad_outermost(struct json_decoder *decoder, uint32_t n)
{
    uint32_t first = n;
    const char *reason, *expected;
    bool whole = evs_json_check(&decoder->tokens, &n, 0, &reason, &expected);
    if (whole && evs_json_token(&decoder->tokens, n) == EVS_JSON_NONE) {
        evs_json_bad(decoder, "type", "The record is no object: it begins with `%c`.",
                     evs_json_token(&decoder->tokens, first));
    } else {
        evs_json_bad_token(decoder, first, "an object");
    }
}

/* --- one record ------------------------------------------------------------------------------------------------------- */

/* Decodes the record that begins at token `*n` and should take all of tokens.limit; moves `*n` behind it when it is good. */
static bool decode_whole(struct json_decoder *decoder, uint32_t *n)
{
    const struct evs_json_tokens *tokens = &decoder->tokens;
    decoder->start = tokens->text + tokens->at[*n];
    if (EVS_UNLIKELY(*decoder->start != '{')) {
        bad_outermost(decoder, *n);
        return false;
    }
    if (EVS_UNLIKELY(tokens->text[tokens->limit - 1] != '}')) {
        return evs_json_bad(decoder, "json", "The record does not end with the `}` of its object.");
    }
    if (EVS_UNLIKELY(!evs_json_record(decoder, n))) {
        return false;
    }
    if (EVS_UNLIKELY(tokens->at[*n - 1] + 1 != tokens->limit)) {
        return evs_json_bad_token(decoder, *n, "nothing more");
    }
    return true;
}

/* White space off both ends. */
static struct evs_slice trim(struct evs_slice text)
{
    while (text.count > 0 && evs_json_is_space(text.data[text.count - 1])) {
        text.count--;
    }
    while (text.count > 0 && evs_json_is_space(text.data[0])) {
        text.data++;
        text.count--;
    }
    return text;
}

/* --- lines ------------------------------------------------------------------------------------------------------------ */

/* A call in hand: where it stands in its payload. */
struct progress {
    struct evs_slice input;
    size_t at;
    uint32_t index; /* of the next record */
};

/* The line at `progress`, without its newline and a '\r' before that; *next is behind the newline. */
static inline struct evs_slice line_at(const struct progress *progress, size_t *next)
{
    const char *start = progress->input.data + progress->at;
    size_t left = progress->input.count - progress->at;
    const char *newline = memchr(start, '\n', left);
    size_t count = newline == NULL ? left : (size_t)(newline - start);
    *next = progress->at + count + (newline != NULL);
    count -= count > 0 && start[count - 1] == '\r';
    return (struct evs_slice){start, count};
}

/* Decodes `line`, whose tokens begin at `*n` of decoder->tokens. False when it is bad. */
static inline bool decode_line(struct json_decoder *decoder, struct evs_slice line, uint32_t *n)
{
    const char *end = line.data + line.count;
    while (evs_json_is_space(end[-1])) { /* it is not blank */
        end--;
    }
    decoder->tokens.limit = (uint32_t)(end - decoder->tokens.text);
    return decode_whole(decoder, n);
}

/* A line that is indexed alone. */
static void take_line_alone(struct json_decoder *decoder, struct progress *progress)
{
    size_t next;
    struct evs_slice line = line_at(progress, &next);
    struct evs_json_index index;
    uint32_t n = 0;
    decoder->row = decoder->out->batch->row_count;
    if (line.count > decoder->row_bytes_max) {
        bad_size(decoder, line.count);
        take_bad(decoder, progress->index, line);
    } else if (trim(line).count > 0) {
        decoder->start = line.data;
        bool indexed = evs_json_reader_index(decoder->reader, line.data, line.count, &index) == EVS_JSON_INDEXED;
        decoder->tokens = (struct evs_json_tokens){.text = line.data, .at = index.at, .count = index.count};
        if (!indexed) {
            bad_index(decoder, line);
        }
        if (indexed && decode_line(decoder, line, &n)) {
            take_row(decoder, progress->index, line);
            if (decoder->shapes != NULL) {
                evs_json_learn(decoder, line);
            }
        } else {
            take_bad(decoder, progress->index, line);
        }
    }
    progress->at = next;
    progress->index++;
}

/* The next line of an indexed chunk; its tokens begin at `*n`. */
static inline void take_line(struct json_decoder *decoder, struct progress *progress, uint32_t *n)
{
    struct evs_json_tokens *tokens = &decoder->tokens;
    size_t next;
    struct evs_slice line = line_at(progress, &next);
    uint32_t line_end = (uint32_t)(line.data + line.count - tokens->text);
    decoder->row = decoder->out->batch->row_count;
    if (EVS_LIKELY(tokens->at[*n] < line_end)) { /* not blank; at[count] is the chunk's end */
        if (EVS_LIKELY(line.count <= decoder->row_bytes_max && decode_line(decoder, line, n))) {
            take_row(decoder, progress->index, line);
        } else {
            if (line.count > decoder->row_bytes_max) {
                bad_size(decoder, line.count);
            }
            take_bad(decoder, progress->index, line);
            while (*n < tokens->count && tokens->at[*n] < line_end) {
                ++*n;
            }
        }
    }
    progress->at = next;
    progress->index++;
}

/* The lines that are worth indexing together, from `progress` on, of about `bytes_max`. The first line may be longer, even longer than any row is
 * allowed to be: then it is alone. */
static size_t chunk_end(const struct json_decoder *decoder, const struct progress *progress, size_t bytes_max)
{
    size_t rows = decoder->out->row_max - decoder->out->batch->row_count;
    size_t wanted = rows * decoder->row_bytes_usual + CHUNK_SLACK_BYTES;
    wanted = wanted < bytes_max ? wanted : bytes_max;
    size_t left = progress->input.count - progress->at;
    if (left <= wanted) {
        return progress->input.count;
    }
    const char *start = progress->input.data + progress->at;
    const char *newline = memrchr(start, '\n', wanted);
    if (newline == NULL) {
        newline = memchr(start + wanted, '\n', left - wanted);
    }
    return newline == NULL ? progress->input.count : (size_t)(newline + 1 - progress->input.data);
}

static void take_chunk(struct json_decoder *decoder, struct progress *progress)
{
    size_t end = chunk_end(decoder, progress, CHUNK_BYTES);
    const char *start = progress->input.data + progress->at;
    struct evs_json_index index;
    uint32_t n = 0;
    enum evs_json_indexed indexed = EVS_JSON_BROKEN;
    if (end - progress->at <= (size_t)decoder->row_bytes_max + CHUNK_BYTES) {
        indexed = evs_json_reader_index(decoder->reader, start, end - progress->at, &index);
        EVS_ASSERT(indexed != EVS_JSON_NO_MEMORY);
    }
    if (indexed == EVS_JSON_INDEXED) {
        decoder->tokens = (struct evs_json_tokens){.text = start, .at = index.at, .count = index.count};
    }
    uint32_t first = progress->index;
    while (progress->at < end && has_room(decoder->out)) {
        if (indexed == EVS_JSON_INDEXED) {
            take_line(decoder, progress, &n);
        } else {
            take_line_alone(decoder, progress);
        }
    }
    uint32_t taken = progress->index - first;
    decoder->indexed_left -= taken < decoder->indexed_left ? taken : decoder->indexed_left;
}

/* --- lines that look like others --------------------------------------------------------------------------------------- */

/* What a record costs that had to be read by the walk, in records that went along: where it is too much for long, records are indexed in chunks
 * again, and tried now and then. */
#define TROUBLE_OF_A_WALK 6u
#define TROUBLE_MAX 256u
#define INDEXED_RECORDS 4096u

static void count_trouble(struct json_decoder *decoder, uint32_t trouble)
{
    decoder->trouble += trouble;
    decoder->trouble -= decoder->trouble > 0;
    if (EVS_UNLIKELY(decoder->trouble > TROUBLE_MAX)) {
        decoder->trouble = TROUBLE_MAX / 2;
        decoder->indexed_left = INDEXED_RECORDS;
    }
}

/* The next line, which could be followed up to `end` or not at all: then it is read by the walk, and learned from. */
static inline void take_followed(struct json_decoder *decoder, struct progress *progress, bool is_followed,
                                 const char *end)
{
    const char *start = progress->input.data + progress->at, *limit = progress->input.data + progress->input.count;
    if (EVS_LIKELY(is_followed && (end == limit || *end == '\n') && (size_t)(end - start) <= decoder->row_bytes_max)) {
        take_row(decoder, progress->index++, (struct evs_slice){start, (size_t)(end - start)});
        progress->at += (size_t)(end - start) + (end < limit);
        decoder->followed++;
        count_trouble(decoder, 0);
    } else {
        clear_row(decoder);
        take_line_alone(decoder, progress);
        count_trouble(decoder, TROUBLE_OF_A_WALK);
    }
}

static void take_line_unmarked(struct json_decoder *decoder, struct progress *progress)
{
    const char *limit = progress->input.data + progress->input.count, *end = NULL;
    decoder->row = decoder->out->batch->row_count;
    bool is_followed = evs_json_scan(decoder, progress->input.data + progress->at, limit, &end);
    take_followed(decoder, progress, is_followed, end);
}

/* The next lines at once, as far as they look alike; false: not even the first one does. */
static bool take_run(struct json_decoder *decoder, struct progress *progress)
{
    struct evs_decode_out *out = decoder->out;
    uint32_t row = out->batch->row_count;
    struct evs_slice *raw = out->raw + row;
    uint32_t count = evs_json_take_run(decoder, progress->input.data + progress->at, out->row_max - row, raw);
    if (count == 0) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        out->record_index[row + i] = progress->index++;
    }
    out->batch->row_count += count;
    size_t end = (size_t)(raw[count - 1].data + raw[count - 1].count - progress->input.data);
    size_t bytes = end - progress->at;
    progress->at = end + (end < progress->input.count);
    decoder->row_bytes_usual += ((int32_t)(bytes / count) - (int32_t)decoder->row_bytes_usual) / 8;
    decoder->followed += count;
    decoder->trouble -= decoder->trouble < count ? decoder->trouble : count;
    return true;
}

/* The next lines along the steps of others. */
static void take_lines_like_others(struct json_decoder *decoder, struct progress *progress)
{
    size_t start = progress->at, stop = start;
    if (decoder->marks != NULL) {
        stop = chunk_end(decoder, progress, JSON_MARKED_BYTES_MAX);
    }
    if (stop == start || stop - start > JSON_MARKED_BYTES_MAX) {
        take_line_unmarked(decoder, progress);
        return;
    }
    evs_json_mark_text(decoder->marks, (struct evs_slice){progress->input.data + start, stop - start});
    while (progress->at < stop && has_room(decoder->out) && decoder->indexed_left == 0) {
        const char *end = NULL;
        decoder->row = decoder->out->batch->row_count;
        if (take_run(decoder, progress)) {
            continue;
        }
        bool is_followed = evs_json_scan_marked(decoder, progress->input.data + progress->at, &end);
        take_followed(decoder, progress, is_followed, end);
    }
}

/* --- messages: arrays, and one object over several lines ---------------------------------------------------------------- */

/* All that is left of the payload is one bad record. */
static struct evs_slice rest_of(const struct progress *progress)
{
    return trim((struct evs_slice){progress->input.data + progress->at, progress->input.count - progress->at});
}

static void give_up(struct json_decoder *decoder, struct progress *progress)
{
    take_bad(decoder, progress->index++, rest_of(progress));
    progress->at = progress->input.count;
}

/* The same because of token `n`. */
static void give_up_at(struct json_decoder *decoder, struct progress *progress, uint32_t n, const char *expected)
{
    decoder->start = rest_of(progress).data;
    evs_json_bad_token(decoder, n, expected);
    give_up(decoder, progress);
}

/* The token behind the element that begins at token `n`; 0 when it does not end, or nothing is behind it: of an array that was cut off
 * the last element may be cut, too. */
static uint32_t element_end(const struct evs_json_tokens *tokens, uint32_t n)
{
    char c = evs_json_token(tokens, n);
    uint32_t end = n + 1;
    if (c == '{' || c == '[') {
        end = evs_json_skip(tokens, n);
        if (end == 0 || evs_json_token(tokens, end - 1) != (c == '{' ? '}' : ']')) {
            return 0;
        }
    } else if (c == EVS_JSON_NONE || strchr("}],:", c) != NULL) {
        return 0;
    }
    return evs_json_token(tokens, end) == EVS_JSON_NONE ? 0 : end;
}

/* Decodes the element of tokens [n, end), bad or good. */
static void take_element(struct json_decoder *decoder, struct progress *progress, uint32_t n, uint32_t end)
{
    struct evs_json_tokens *tokens = &decoder->tokens;
    struct evs_slice raw = evs_json_scalar(tokens, n);
    if (raw.data[0] == '{' || raw.data[0] == '[') {
        raw.count = (size_t)(tokens->text + tokens->at[end - 1] + 1 - raw.data);
    }
    uint32_t whole = tokens->limit;
    tokens->limit = (uint32_t)(raw.data + raw.count - tokens->text);
    decoder->row = decoder->out->batch->row_count;
    if (raw.count > decoder->row_bytes_max) {
        bad_size(decoder, raw.count);
        take_bad(decoder, progress->index, raw);
    } else if (decode_whole(decoder, &n)) {
        take_row(decoder, progress->index, raw);
    } else {
        take_bad(decoder, progress->index, raw);
    }
    tokens->limit = whole;
    progress->index++;
    progress->at = (size_t)(raw.data + raw.count - progress->input.data);
}

/* Behind the `]`, which is token `n`. */
static void end_array(struct json_decoder *decoder, struct progress *progress, uint32_t n)
{
    const struct evs_json_tokens *tokens = &decoder->tokens;
    progress->at = (size_t)(tokens->text + tokens->at[n] + 1 - progress->input.data);
    if (evs_json_token(tokens, n + 1) == EVS_JSON_NONE) {
        progress->at = progress->input.count;
    } else {
        give_up_at(decoder, progress, n + 1, "nothing more");
    }
}

/* The elements of an array from progress->at on: at its `[`, or behind an element. */
static void take_elements(struct json_decoder *decoder, struct progress *progress)
{
    const struct evs_json_tokens *tokens = &decoder->tokens;
    bool first = progress->index == 0;
    uint32_t n = first ? 1 : 0;
    EVS_ASSERT(!first || evs_json_token(tokens, 0) == '[');
    for (; progress->at < progress->input.count && has_room(decoder->out); first = false) {
        char c = evs_json_token(tokens, n);
        if (c == ']') {
            end_array(decoder, progress, n);
            return;
        }
        if (!first && c != ',') {
            give_up_at(decoder, progress, n, "`,` or `]`");
            return;
        }
        n += !first;
        uint32_t end = element_end(tokens, n);
        if (end == 0) {
            give_up_at(decoder, progress, n, "an object and the rest of the array");
            return;
        }
        take_element(decoder, progress, n, end);
        n = end;
    }
}

static void take_array(struct json_decoder *decoder, struct progress *progress)
{
    const char *start = progress->input.data + progress->at;
    size_t count = progress->input.count - progress->at;
    struct evs_json_index index;
    decoder->row = decoder->out->batch->row_count;
    decoder->start = start;
    if (count > EVS_JSON_READER_BYTES_MAX) {
        bad_size(decoder, count);
        give_up(decoder, progress);
    } else if (evs_json_reader_index(decoder->reader, start, count, &index) != EVS_JSON_INDEXED) {
        bad_index(decoder, (struct evs_slice){start, count});
        give_up(decoder, progress);
    } else {
        decoder->tokens =
            (struct evs_json_tokens){.text = start, .at = index.at, .count = index.count, .limit = (uint32_t)count};
        take_elements(decoder, progress);
    }
}

/* Whether `text` is one object from its first byte to its last. */
static bool is_object(struct json_decoder *decoder, struct evs_slice text)
{
    struct evs_json_index index;
    if (text.count > decoder->row_bytes_max ||
        evs_json_reader_index(decoder->reader, text.data, text.count, &index) != EVS_JSON_INDEXED) {
        return false;
    }
    uint32_t n = 0;
    const char *reason, *expected;
    decoder->tokens = (struct evs_json_tokens){
        .text = text.data, .at = index.at, .count = index.count, .limit = (uint32_t)text.count};
    return text.data[0] == '{' && evs_json_check(&decoder->tokens, &n, 0, &reason, &expected) && n == index.count;
}

/* A message of several lines may be one object that somebody has laid out: its first line alone is none then. */
static bool take_laid_out(struct json_decoder *decoder, struct progress *progress)
{
    size_t next;
    struct evs_slice line = trim(line_at(progress, &next));
    struct evs_slice all =
        trim((struct evs_slice){progress->input.data + progress->at, progress->input.count - progress->at});
    if (all.count == 0 || all.data[0] != '{' || memchr(all.data, '\n', all.count) == NULL || is_object(decoder, line) ||
        !is_object(decoder, all)) {
        return false;
    }
    uint32_t n = 0;
    decoder->row = decoder->out->batch->row_count;
    if (decode_whole(decoder, &n)) {
        take_row(decoder, progress->index, all);
    } else {
        take_bad(decoder, progress->index, all);
    }
    progress->index++;
    progress->at = progress->input.count;
    return true;
}

/* --- the contract ----------------------------------------------------------------------------------------------------- */

/* Bytes of a UTF-8 byte order mark at the very start; some tools write one. */
static size_t mark_bytes(struct evs_slice input)
{
    return input.count >= 3 && memcmp(input.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

static bool is_array(struct evs_slice input)
{
    size_t skip = mark_bytes(input);
    while (skip < input.count && evs_json_is_space(input.data[skip])) {
        skip++;
    }
    return skip < input.count && input.data[skip] == '[';
}

static void begin(struct json_decoder *decoder, struct evs_decode_out *out)
{
    EVS_ASSERT(out->batch->column_count >= decoder->column_count);
    EVS_ASSERT(out->row_max <= EVS_BATCH_ROWS);
    decoder->out = out;
    decoder->arena = out->batch->arena;
    for (uint32_t i = 0; i < decoder->column_count; i++) {
        struct json_column *column = &decoder->columns[i];
        column->target = &out->batch->columns[i];
        EVS_ASSERT(column->target->kind == column->wish->kind && column->target->data != NULL);
    }
}

static bool json_decode(void *instance, struct evs_slice input, size_t *consumed, uint32_t *next_index, bool is_file,
                        struct evs_decode_out *out)
{
    struct json_decoder *decoder = instance;
    struct progress progress = {.input = input, .at = *consumed, .index = *next_index};
    EVS_ASSERT(*consumed <= input.count);
    begin(decoder, out);
    bool array = !is_file && is_array(input);
    bool at_start = progress.at == 0 && progress.index == 0;
    progress.at += at_start ? mark_bytes(input) : 0;
    if (at_start && !is_file && !array && has_room(out)) {
        take_laid_out(decoder, &progress);
    }
    while (progress.at < input.count && has_room(out)) {
        if (array) {
            take_array(decoder, &progress);
        } else if (decoder->shapes != NULL && decoder->indexed_left == 0) {
            take_lines_like_others(decoder, &progress);
        } else {
            take_chunk(decoder, &progress);
        }
    }
    out->batch->selected_count = out->batch->row_count;
    *consumed = progress.at;
    *next_index = progress.index;
    return progress.at == input.count;
}

const struct evs_decode_format evs_decode_json = {
    .kind = "json",
    .open = json_open,
    .decode = json_decode,
    .close = json_close,
};
