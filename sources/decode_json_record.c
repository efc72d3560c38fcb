/* One record: the walk over its tokens.
 *
 * Fields are taken in the order in which they stand; each name is compared with the one that followed the same predecessor last
 * time. Events of one producer nearly always have their fields in one order, so this is one comparison of two words a field; when it
 * fails, a hash table knows the name, and when that fails, it is looked up among the wanted ones and remembered.
 *
 *   {"event_id":"…","type":"add_to_cart","occurred_at":"…","user_id":"u1", …
 *    start ──► event_id ──► type ──► occurred_at ──► user_id      "follower", learned, one step a field
 *
 * Nothing is ever taken by its place alone: every name up to the last wanted field is compared in full, so that a repeated name, a
 * new field or another order cannot give a wrong value. When an object has given all its wanted fields the rest of it is skipped by
 * counting brackets, which also finds where it ends.
 *
 * Rejected: simdjson's find_field (silently misses a field that stands earlier), find_field_unordered (three times the time when the
 * order changes, and a repeated name can be taken in place of the first), and tokens' numbers learned for whole records (a field that
 * appears and another that goes leave the number of tokens the same). Records that look like others do not come here at all
 * (decode_json_scan.c). */
#include <stdarg.h>
#include <stdio.h>

#include "decode_json_internal.h"

/* --- names ----------------------------------------------------------------------------------------------------------- */

static uint64_t load_word(const char *text)
{
    uint64_t word;
    memcpy(&word, text, 8);
    return word;
}

/* Whether the name at `text`, its opening quote, is `key`. Reads JSON_KEY_BYTES_MAX bytes, all within the padding. */
static inline bool key_is(const struct json_key *key, const char *text)
{
    uint64_t difference =
        ((load_word(text) ^ key->text[0]) & key->mask[0]) | ((load_word(text + 8) ^ key->text[1]) & key->mask[1]);
    if (EVS_UNLIKELY(key->bytes > 16)) {
        difference |= ((load_word(text + 16) ^ key->text[2]) & key->mask[2]) |
                      ((load_word(text + 24) ^ key->text[3]) & key->mask[3]);
    }
    return difference == 0;
}

static void key_init(struct json_key *key, const char *text, uint32_t bytes, struct json_node *child)
{
    EVS_ASSERT(bytes > 0 && bytes <= JSON_KEY_BYTES_MAX);
    *key = (struct json_key){.child = child, .follower = key->follower, .bytes = bytes};
    memcpy(key->text, text, bytes);
    memset(key->mask, 0xFF, bytes);
}

/* An indexed text has no NUL inside a string, so this matches nothing. */
static void key_init_never(struct json_key *key)
{
    *key = (struct json_key){.text[0] = '"', .mask[0] = 0xFFFF}; /* little-endian: a quote, then a NUL */
}

void evs_json_prepare(struct json_decoder *decoder, struct json_node *node)
{
    if (node->child_count == 0) {
        return;
    }
    node->keys = EVS_ARENA_NEW(&decoder->memory, struct json_keys);
    key_init_never(&node->keys->keys[0]);
    key_init_never(&node->keys->keys[JSON_KEY_UNKNOWN]);
    for (uint32_t i = 0; i < JSON_KEYS_MAX; i++) {
        node->keys->keys[i].follower = &node->keys->keys[0];
    }
    node->keys->count = 1;
    for (uint32_t i = 0; i < node->child_count; i++) {
        evs_json_prepare(decoder, node->children[i]);
    }
}

static uint32_t hash_name(const char *text, uint32_t bytes)
{
    uint64_t first = bytes >= 8 ? load_word(text) : load_word(text) & ((UINT64_C(1) << (8 * bytes)) - 1);
    uint64_t last = bytes >= 8 ? load_word(text + bytes - 8) : 0;
    uint64_t mixed = (first ^ (last * UINT64_C(0x9E3779B97F4A7C15)) ^ bytes) * UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(mixed >> 56);
}
_Static_assert(JSON_KEY_SLOTS == 256, "a hash is a slot");
_Static_assert(JSON_KEYS_MAX <= JSON_KEY_SLOTS / 2, "probing always meets a free slot");

struct json_node *evs_json_find_child(const struct json_node *node, struct evs_slice name)
{
    uint32_t low = 0, high = node->child_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        struct json_node *child = node->children[middle];
        int order = child->name.count != name.count ? (child->name.count < name.count ? -1 : 1)
                                                    : memcmp(child->name.data, name.data, name.count);
        if (order == 0) {
            return child;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

/* What a name that is written with escapes stands for. */
static bool find_escaped(struct json_decoder *decoder, const struct json_node *node, struct evs_slice raw,
                         struct json_node **child)
{
    evs_arena_reset(&decoder->scratch);
    char *name = evs_arena_alloc(&decoder->scratch, raw.count, 1);
    uint32_t count;
    if (!evs_json_unescape(raw, name, &count)) {
        return false;
    }
    *child = evs_json_find_child(node, (struct evs_slice){name, count});
    return true;
}

/* The key of a name (with its quotes) that was not the expected one: the table's, or a new one. NULL: it has a bad escape. */
static struct json_key *find_key(struct json_decoder *decoder, struct json_node *node, struct evs_slice quoted)
{
    struct json_keys *table = node->keys;
    struct evs_slice name = {quoted.data + 1, quoted.count - 2};
    bool fits = quoted.count <= JSON_KEY_BYTES_MAX;
    uint32_t slot = fits ? hash_name(name.data, (uint32_t)name.count) : 0;
    for (; fits && table->slots[slot] != 0; slot = (slot + 1) % JSON_KEY_SLOTS) {
        struct json_key *key = &table->keys[table->slots[slot]];
        if (key->bytes == quoted.count && key_is(key, quoted.data)) {
            return key;
        }
    }
    struct json_node *child = NULL;
    if (!evs_json_has_escape(name)) {
        child = evs_json_find_child(node, name);
    } else if (!find_escaped(decoder, node, name, &child)) {
        return NULL;
    }
    if (!fits || table->count == JSON_KEY_UNKNOWN) {
        table->keys[JSON_KEY_UNKNOWN].child = child;
        return &table->keys[JSON_KEY_UNKNOWN];
    }
    table->slots[slot] = (uint8_t)table->count;
    key_init(&table->keys[table->count], quoted.data, (uint32_t)quoted.count, child);
    return &table->keys[table->count++];
}

/* --- skipping -------------------------------------------------------------------------------------------------------- */

static const int8_t nesting[256] = {['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1};

/* What a value may begin with. */
static const bool begins_value[256] = {
    ['{'] = true, ['['] = true, ['"'] = true, ['-'] = true, ['t'] = true, ['f'] = true,
    ['n'] = true, ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true,
    ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true};

/* From token `n`, `depth` containers deep, to the token behind the bracket that brings the depth to 0; 0 when there is none. */
static inline uint32_t skip_to_depth_0(const struct evs_json_tokens *tokens, uint32_t n, int32_t depth)
{
    const uint32_t *at = tokens->at + n;
    const char *text = tokens->text;
    const uint32_t limit = tokens->limit;
    /* Whether it is still in the record is asked once for four tokens: of the sentinels, the first four can be read. */
    for (; at[EVS_JSON_SENTINELS - 1] < limit; at += EVS_JSON_SENTINELS) {
        for (uint32_t i = 0; i < EVS_JSON_SENTINELS; i++) {
            depth += nesting[(uint8_t)text[at[i]]];
            if (depth <= 0) {
                return (uint32_t)(at + i + 1 - tokens->at);
            }
        }
    }
    for (; *at < limit; at++) {
        depth += nesting[(uint8_t)text[*at]];
        if (depth <= 0) {
            return (uint32_t)(at + 1 - tokens->at);
        }
    }
    return 0;
}

uint32_t evs_json_skip(const struct evs_json_tokens *tokens, uint32_t n)
{
    EVS_ASSERT(nesting[(uint8_t)evs_json_token(tokens, n)] == 1);
    return skip_to_depth_0(tokens, n, 0);
}

/* Whether tokens [first, end), which begin `depth` containers deep, nest too deeply. */
static bool too_deep(const struct evs_json_tokens *tokens, uint32_t first, uint32_t end, int32_t depth)
{
    for (uint32_t n = first; n < end; n++) {
        depth += nesting[(uint8_t)tokens->text[tokens->at[n]]];
        if (depth > (int32_t)EVS_JSON_DEPTH_MAX) {
            return true;
        }
    }
    return false;
}

/* The walk's functions return the token behind what they took, and BAD when they have said what is wrong. */
#define BAD 0u

/* Skips from token `n` to the end of the container that `inner` more containers are open in; `depth` are open in all. */
static inline uint32_t skip_rest(struct json_decoder *decoder, uint32_t n, int32_t inner, int32_t depth)
{
    uint32_t end = skip_to_depth_0(&decoder->tokens, n, inner);
    if (EVS_UNLIKELY(end == 0)) {
        evs_json_bad(decoder, "json", "The record ends before an object or array in it is closed.");
        return BAD;
    }
    /* Only that many tokens could hold so many brackets. */
    if (EVS_UNLIKELY(end - n + (uint32_t)depth > EVS_JSON_DEPTH_MAX) && too_deep(&decoder->tokens, n, end, depth)) {
        evs_json_bad(decoder, "depth", "Objects and arrays are nested more than %u deep.", EVS_JSON_DEPTH_MAX);
        return BAD;
    }
    return end;
}

/* --- the walk -------------------------------------------------------------------------------------------------------- */

static uint32_t walk_object(struct json_decoder *decoder, struct json_node *node, uint32_t n, int32_t depth);

/* The container that begins at token `n`, which is checked in full for the json columns of `node`. */
static uint32_t take_container(struct json_decoder *decoder, struct json_node *node, uint32_t n, int32_t depth)
{
    uint32_t end = n;
    const char *reason, *expected;
    if (!evs_json_check(&decoder->tokens, &end, (uint32_t)depth, &reason, &expected)) {
        if (strcmp(reason, "depth") == 0) {
            evs_json_bad(decoder, reason, "Objects and arrays are nested more than %u deep.", EVS_JSON_DEPTH_MAX);
        } else {
            evs_json_bad_token(decoder, end, expected);
        }
        return BAD;
    }
    const char *first = decoder->tokens.text + decoder->tokens.at[n];
    const char *behind = decoder->tokens.text + decoder->tokens.at[end - 1] + 1;
    return evs_json_store_container(decoder, node, (struct evs_slice){first, (size_t)(behind - first)}) ? end : BAD;
}

/* A wanted field that is an object or array. */
static uint32_t take_nested(struct json_decoder *decoder, struct json_node *node, uint32_t n, int32_t depth)
{
    uint32_t end = BAD;
    if (node->columns != NULL && (end = take_container(decoder, node, n, depth)) == BAD) {
        return BAD;
    }
    if (node->child_count == 0) {
        return end;
    }
    if (evs_json_token(&decoder->tokens, n) == '[') {
        evs_json_bad_type(decoder, node->name.data, "an object", EVS_SLICE("an array"));
        return BAD;
    }
    return walk_object(decoder, node, n, depth + 1);
}

/* A path leads through this scalar: null is as good as a missing object, anything else is bad. */
static bool take_no_object(struct json_decoder *decoder, struct json_node *node, uint32_t n, struct evs_slice text)
{
    if (evs_slice_equal(text, EVS_SLICE("null"))) {
        return true;
    }
    return text.data[0] == '"' || evs_json_is_number(text) || evs_json_is_literal(text)
               ? evs_json_bad_type(decoder, node->name.data, "an object", text)
               : evs_json_bad_token(decoder, n, "a value");
}

/* The value of a wanted field. */
static inline uint32_t take_value(struct json_decoder *decoder, struct json_node *node, uint32_t n, int32_t depth)
{
    char c = decoder->tokens.text[decoder->tokens.at[n]];
    if (c == '{' || c == '[') {
        return take_nested(decoder, node, n, depth);
    }
    if (EVS_UNLIKELY(!begins_value[(uint8_t)c])) {
        evs_json_bad_token(decoder, n, "a value");
        return BAD;
    }
    struct evs_slice text = evs_json_scalar(&decoder->tokens, n);
    if (EVS_UNLIKELY(node->child_count > 0 && !take_no_object(decoder, node, n, text))) {
        return BAD;
    }
    return evs_json_store(decoder, node, text) ? n + 1 : BAD;
}

static inline uint32_t skip_value(struct json_decoder *decoder, uint32_t n, int32_t depth)
{
    char c = decoder->tokens.text[decoder->tokens.at[n]];
    if (c == '{' || c == '[') {
        return skip_rest(decoder, n, 0, depth);
    }
    if (EVS_UNLIKELY(!begins_value[(uint8_t)c])) {
        evs_json_bad_token(decoder, n, "a value");
        return BAD;
    }
    return n + 1;
}

/* The key at token `n`, when it is not the one that was expected; NULL when there is none, or one with a bad escape. */
static struct json_key *learn_key(struct json_decoder *decoder, struct json_node *node, uint32_t n,
                                  struct json_key *before)
{
    const struct evs_json_tokens *tokens = &decoder->tokens;
    bool is_string = tokens->text[tokens->at[n]] == '"';
    if (!is_string || tokens->text[tokens->at[n + 1]] != ':') {
        evs_json_bad_token(decoder, is_string ? n + 1 : n, is_string ? "`:`" : "a field's name");
        return NULL;
    }
    struct evs_slice quoted = evs_json_scalar(tokens, n);
    EVS_ASSERT(quoted.count >= 2 && quoted.data[quoted.count - 1] == '"');
    struct json_key *key = find_key(decoder, node, quoted);
    if (key == NULL) {
        evs_json_bad_token(decoder, n, "a name with valid escapes");
        return NULL;
    }
    before->follower = key;
    return key;
}

/* The key at token `n` and the colon behind it. */
static inline struct json_key *take_key(struct json_decoder *decoder, struct json_node *node, uint32_t n,
                                        struct json_key *before)
{
    const struct evs_json_tokens *tokens = &decoder->tokens;
    const char *quote = tokens->text + tokens->at[n];
    struct json_key *key = before->follower;
    bool expected = key_is(key, quote) && tokens->text[tokens->at[n + 1]] == ':';
    return EVS_LIKELY(expected) ? key : learn_key(decoder, node, n, before);
}

/* The rest of an object that has given all its wanted fields, from behind a comma. */
static inline uint32_t skip_fields(struct json_decoder *decoder, uint32_t n, int32_t depth)
{
    if (EVS_UNLIKELY(evs_json_token(&decoder->tokens, n) != '"')) {
        evs_json_bad_token(decoder, n, "a field's name");
        return BAD;
    }
    return skip_rest(decoder, n, 1, depth);
}

/* The object that begins at token `n`; `depth` containers are open then, this one included. */
static uint32_t walk_object(struct json_decoder *decoder, struct json_node *node, uint32_t n, int32_t depth)
{
    const struct evs_json_tokens *tokens = &decoder->tokens;
    struct json_key *key = &node->keys->keys[0];
    uint32_t wanted = node->child_count;
    if (evs_json_token(tokens, ++n) == '}') {
        return n + 1;
    }
    for (;;) {
        /* A name, a colon, a value and what is behind it: all of them in this record. */
        if (EVS_UNLIKELY(tokens->at[n + 3] >= tokens->limit)) {
            evs_json_bad(decoder, "json", "The record ends in the middle of an object.");
            return BAD;
        }
        key = take_key(decoder, node, n, key);
        if (EVS_UNLIKELY(key == NULL)) {
            return BAD;
        }
        struct json_node *child = key->child;
        if (child == NULL || EVS_UNLIKELY(child->record == decoder->record)) {
            n = skip_value(decoder, n + 2, depth);
        } else {
            child->record = decoder->record;
            wanted--;
            n = take_value(decoder, child, n + 2, depth);
        }
        if (EVS_UNLIKELY(n == BAD)) {
            return BAD;
        }
        char behind = evs_json_token(tokens, n);
        if (behind == '}') {
            return n + 1;
        }
        if (EVS_UNLIKELY(behind != ',')) {
            evs_json_bad_token(decoder, n, "`,` or `}`");
            return BAD;
        }
        n++;
        if (wanted == 0) {
            return skip_fields(decoder, n, depth);
        }
    }
}

bool evs_json_record(struct json_decoder *decoder, uint32_t *n)
{
    EVS_ASSERT(evs_json_token(&decoder->tokens, *n) == '{');
    struct json_node *root = decoder->root;
    decoder->record++;
    decoder->unset = decoder->column_count;
    if (root->columns != NULL && take_container(decoder, root, *n, 0) == BAD) {
        return false;
    }
    uint32_t end = root->child_count > 0 ? walk_object(decoder, root, *n, 1) : skip_rest(decoder, *n, 0, 0);
    if (EVS_UNLIKELY(end == BAD || (decoder->unset > 0 && !evs_json_store_missing(decoder)))) {
        return false;
    }
    *n = end;
    return true;
}

/* --- what is wrong --------------------------------------------------------------------------------------------------- */

/* Cut at `bytes`, but not in the middle of a character. */
static void cut_text(char *text, size_t bytes)
{
    size_t end = strnlen(text, bytes);
    while (end > 0 && ((uint8_t)text[end] & 0xC0) == 0x80) {
        end--;
    }
    text[end] = '\0';
}

#define SHOWN_BYTES_MAX 60u

int evs_json_shown(struct evs_slice text)
{
    size_t count = text.count < SHOWN_BYTES_MAX ? text.count : SHOWN_BYTES_MAX;
    while (count > 0 && count < text.count && ((uint8_t)text.data[count] & 0xC0) == 0x80) {
        count--;
    }
    return (int)count;
}

bool evs_json_bad(struct json_decoder *decoder, const char *reason, const char *format, ...)
{
    char text[4 * sizeof decoder->detail];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cut_text(text, sizeof decoder->detail - 1);
    memcpy(decoder->detail, text, strlen(text) + 1);
    decoder->reason = reason;
    return false;
}

bool evs_json_bad_type(struct json_decoder *decoder, const char *name, const char *expected, struct evs_slice got)
{
    int shown = evs_json_shown(got);
    return evs_json_bad(decoder, "type", "%s: expected %s, got %.*s%s", name, expected, shown, got.data,
                        (size_t)shown < got.count ? "…" : "");
}

bool evs_json_bad_token(struct json_decoder *decoder, uint32_t n, const char *expected)
{
    const struct evs_json_tokens *tokens = &decoder->tokens;
    char c = evs_json_token(tokens, n);
    if (c == EVS_JSON_NONE) {
        return evs_json_bad(decoder, "json", "The record ends where %s is expected.", expected);
    }
    uint32_t place = tokens->at[n] - (uint32_t)(decoder->start - tokens->text);
    if (c >= ' ' && c < 0x7F) {
        return evs_json_bad(decoder, "json", "Byte %u: expected %s, got `%c`.", place, expected, c);
    }
    return evs_json_bad(decoder, "json", "Byte %u: expected %s, got a byte 0x%02X.", place, expected, (uint8_t)c);
}
