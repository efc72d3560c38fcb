#include "json_tree.h"

#include "evstream/json_value.h"
#include "json_text.h"

/* --- reading ------------------------------------------------------------------------------------------------------------ */

static bool hex4(const char *at, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit = c >= '0' && c <= '9'                     ? (uint32_t)(c - '0')
                         : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (uint32_t)((c | 0x20) - 'a' + 10)
                                                                  : 16;
        if (digit == 16) {
            return false;
        }
        *value = *value * 16 + digit;
    }
    return true;
}

static bool is_high(uint32_t unit)
{
    return unit >= 0xD800 && unit < 0xDC00;
}

static bool is_low(uint32_t unit)
{
    return unit >= 0xDC00 && unit < 0xE000;
}

/* Overwrites escapes of half a surrogate pair with \ufffd. Whether there was one. */
static bool repair_surrogates(char *text, size_t bytes)
{
    bool repaired = false;
    for (size_t i = 0; i + 1 < bytes; i++) {
        uint32_t unit, next;
        if (text[i] != '\\') {
            continue;
        }
        if (text[i + 1] != 'u' || i + 6 > bytes || !hex4(text + i + 2, &unit)) {
            i++;
            continue;
        }
        if (is_high(unit) && i + 12 <= bytes && text[i + 6] == '\\' && text[i + 7] == 'u' &&
            hex4(text + i + 8, &next) && is_low(next)) {
            i += 11;
            continue;
        }
        if (is_high(unit) || is_low(unit)) {
            memcpy(text + i, "\\ufffd", 6);
            repaired = true;
        }
        i += 5;
    }
    return repaired;
}

static bool check(const struct evs_json_tokens *tokens, const char **mistake)
{
    uint32_t n = 0;
    const char *reason = NULL, *expected = NULL;
    if (!evs_json_check(tokens, &n, 0, &reason, &expected)) {
        *mistake = strcmp(reason, "depth") == 0 ? "it has more than 1,024 objects and arrays within each other"
                                                : "its commas, colons, brackets or values are not as JSON wants them";
        return false;
    }
    if (n != tokens->count) {
        *mistake = "something stands behind the JSON value";
        return false;
    }
    return true;
}

struct builder {
    struct evs_arena *arena;
    struct evs_tree *open[EVS_JSON_DEPTH_MAX];
    uint32_t open_count, value_count;
    struct evs_tree *root;
    struct evs_slice key;
    bool has_key;
};

static struct evs_slice string_at(struct builder *builder, const struct evs_json_tokens *tokens, uint32_t n)
{
    struct evs_slice text = evs_json_scalar(tokens, n);
    EVS_ASSERT(text.count >= 2);
    text = (struct evs_slice){text.data + 1, text.count - 2};
    if (memchr(text.data, '\\', text.count) == NULL) {
        return text;
    }
    char *copy = evs_arena_alloc(builder->arena, text.count, 1);
    uint32_t count = 0;
    bool valid = evs_json_unescape(text, copy, &count);
    EVS_ASSERT(valid); /* evs_json_check has been over it */
    return (struct evs_slice){copy, count};
}

static void append(struct evs_tree *parent, struct evs_tree *child)
{
    *(parent->last == NULL ? &parent->first : &parent->last->next) = child;
    parent->last = child;
}

static struct evs_tree *add(struct builder *builder, enum evs_tree_kind kind)
{
    struct evs_tree *node = EVS_ARENA_NEW(builder->arena, struct evs_tree);
    node->kind = (uint8_t)kind;
    node->key = builder->key;
    builder->key = (struct evs_slice){NULL, 0};
    builder->has_key = false;
    builder->value_count++;
    if (builder->open_count == 0) {
        EVS_ASSERT(builder->root == NULL);
        builder->root = node;
    } else {
        append(builder->open[builder->open_count - 1], node);
    }
    return node;
}

static void open_container(struct builder *builder, enum evs_tree_kind kind, const char *at)
{
    struct evs_tree *node = add(builder, kind);
    node->depth = 1;
    node->text.data = at;
    EVS_ASSERT(builder->open_count < EVS_JSON_DEPTH_MAX);
    builder->open[builder->open_count++] = node;
}

static void close_container(struct builder *builder, const char *at)
{
    EVS_ASSERT(builder->open_count > 0);
    struct evs_tree *node = builder->open[--builder->open_count];
    node->text.count = (size_t)(at + 1 - node->text.data);
    if (builder->open_count > 0) {
        struct evs_tree *parent = builder->open[builder->open_count - 1];
        parent->depth = parent->depth > node->depth ? parent->depth : (uint16_t)(node->depth + 1);
    }
}

static void add_text(struct builder *builder, const struct evs_json_tokens *tokens, uint32_t n)
{
    struct evs_slice text = string_at(builder, tokens, n);
    bool in_object = builder->open_count > 0 && builder->open[builder->open_count - 1]->kind == EVS_TREE_OBJECT;
    if (in_object && !builder->has_key) {
        builder->key = text;
        builder->has_key = true;
    } else {
        add(builder, EVS_TREE_STRING)->text = text;
    }
}

static void add_scalar(struct builder *builder, const struct evs_json_tokens *tokens, uint32_t n)
{
    struct evs_slice text = evs_json_scalar(tokens, n);
    enum evs_tree_kind kind = text.data[0] == 'n'                          ? EVS_TREE_NULL
                              : text.data[0] == 't' || text.data[0] == 'f' ? EVS_TREE_BOOL
                                                                           : EVS_TREE_NUMBER;
    add(builder, kind)->text = text;
}

static struct evs_tree *build(struct evs_arena *arena, const struct evs_json_tokens *tokens, const char **mistake)
{
    struct builder builder = {.arena = arena};
    for (uint32_t n = 0; n < tokens->count && builder.value_count <= EVS_TREE_VALUES_MAX; n++) {
        const char *at = tokens->text + tokens->at[n];
        switch (*at) {
        case '{':
        case '[':
            open_container(&builder, *at == '{' ? EVS_TREE_OBJECT : EVS_TREE_ARRAY, at);
            break;
        case '}':
        case ']':
            close_container(&builder, at);
            break;
        case ',':
        case ':':
            break;
        case '"':
            add_text(&builder, tokens, n);
            break;
        default:
            add_scalar(&builder, tokens, n);
        }
    }
    if (builder.value_count > EVS_TREE_VALUES_MAX) {
        *mistake = "it has more than 250,000 values";
        return NULL;
    }
    EVS_ASSERT(builder.open_count == 0);
    return builder.root;
}

struct evs_tree *evs_tree_read(struct evs_json_reader *reader, struct evs_arena *arena, char *text, size_t bytes,
                               const char **mistake)
{
    struct evs_json_index index = {0};
    *mistake = "it is empty";
    if (bytes == 0 || bytes > EVS_JSON_READER_BYTES_MAX) {
        return NULL;
    }
    switch (evs_json_reader_index(reader, text, bytes, &index)) {
    case EVS_JSON_INDEXED:
        break;
    case EVS_JSON_BLANK:
        return NULL;
    case EVS_JSON_NO_MEMORY:
        *mistake = "there is no memory to read it";
        return NULL;
    case EVS_JSON_BROKEN:
    default:
        *mistake = "it is not UTF-8, or a string in it is not closed or holds a control character";
        return NULL;
    }
    const struct evs_json_tokens tokens = {text, index.at, index.count, (uint32_t)bytes};
    if (!check(&tokens, mistake) && !(repair_surrogates(text, bytes) && check(&tokens, mistake))) {
        return NULL;
    }
    return build(arena, &tokens, mistake);
}

/* --- looking ------------------------------------------------------------------------------------------------------------ */

struct evs_tree *evs_tree_member(const struct evs_tree *object, struct evs_slice name)
{
    if (object == NULL || object->kind != EVS_TREE_OBJECT) {
        return NULL;
    }
    for (struct evs_tree *member = object->first; member != NULL; member = member->next) {
        if (evs_slice_equal(member->key, name)) {
            return member;
        }
    }
    return NULL;
}

struct evs_tree *evs_tree_get(const struct evs_tree *object, const char *name)
{
    return evs_tree_member(object, evs_slice_of(name));
}

struct evs_tree *evs_tree_get2(const struct evs_tree *object, const char *outer, const char *inner)
{
    return evs_tree_get(evs_tree_get(object, outer), inner);
}

struct evs_slice evs_tree_string(const struct evs_tree *object, const char *name)
{
    const struct evs_tree *member = evs_tree_get(object, name);
    return evs_tree_is(member, EVS_TREE_STRING) ? member->text : (struct evs_slice){NULL, 0};
}

struct evs_slice evs_tree_scalar(const struct evs_tree *value)
{
    bool is_scalar = evs_tree_is(value, EVS_TREE_STRING) || evs_tree_is(value, EVS_TREE_NUMBER);
    return is_scalar ? value->text : (struct evs_slice){NULL, 0};
}

bool evs_tree_is(const struct evs_tree *value, enum evs_tree_kind kind)
{
    return value != NULL && value->kind == kind;
}

bool evs_tree_is_true(const struct evs_tree *value)
{
    return evs_tree_is(value, EVS_TREE_BOOL) && value->text.data[0] == 't';
}

/* --- building ----------------------------------------------------------------------------------------------------------- */

static struct evs_tree *new_node(struct evs_arena *arena, enum evs_tree_kind kind)
{
    struct evs_tree *node = EVS_ARENA_NEW(arena, struct evs_tree);
    node->kind = (uint8_t)kind;
    return node;
}

struct evs_tree *evs_tree_object(struct evs_arena *arena)
{
    return new_node(arena, EVS_TREE_OBJECT);
}

struct evs_tree *evs_tree_array(struct evs_arena *arena)
{
    return new_node(arena, EVS_TREE_ARRAY);
}

struct evs_tree *evs_tree_put(struct evs_arena *arena, struct evs_tree *object, struct evs_slice name,
                              const struct evs_tree *value)
{
    EVS_ASSERT(object->kind == EVS_TREE_OBJECT || object->kind == EVS_TREE_ARRAY);
    if (value == NULL) {
        return NULL;
    }
    struct evs_tree *node = EVS_ARENA_NEW(arena, struct evs_tree);
    *node = *value;
    node->key = name;
    node->next = NULL;
    append(object, node);
    return node;
}

void evs_tree_put_text(struct evs_arena *arena, struct evs_tree *object, const char *name, struct evs_slice text)
{
    if (text.count > 0) {
        struct evs_tree node = {.kind = EVS_TREE_STRING, .text = text};
        evs_tree_put(arena, object, evs_slice_of(name), &node);
    }
}

void evs_tree_put_bool(struct evs_arena *arena, struct evs_tree *object, const char *name, bool value)
{
    struct evs_tree node = {.kind = EVS_TREE_BOOL, .text = value ? EVS_SLICE("true") : EVS_SLICE("false")};
    evs_tree_put(arena, object, evs_slice_of(name), &node);
}

void evs_tree_put_number(struct evs_arena *arena, struct evs_tree *object, const char *name, struct evs_slice text)
{
    if (text.count > 0) {
        struct evs_tree node = {.kind = evs_json_is_number(text) ? EVS_TREE_NUMBER : EVS_TREE_STRING, .text = text};
        evs_tree_put(arena, object, evs_slice_of(name), &node);
    }
}

struct evs_tree *evs_tree_copy(struct evs_arena *arena, const struct evs_tree *object)
{
    struct evs_tree *copy = evs_tree_object(arena);
    if (evs_tree_is(object, EVS_TREE_OBJECT)) {
        for (const struct evs_tree *member = object->first; member != NULL; member = member->next) {
            evs_tree_put(arena, copy, member->key, member);
        }
    }
    return copy;
}

void evs_tree_remove(struct evs_tree *object, const char *name)
{
    struct evs_slice gone = evs_slice_of(name);
    struct evs_tree *first = object->first;
    object->first = object->last = NULL;
    for (struct evs_tree *member = first, *next; member != NULL; member = next) {
        next = member->next;
        if (!evs_slice_equal(member->key, gone)) {
            member->next = NULL;
            append(object, member);
        }
    }
}

/* --- writing ------------------------------------------------------------------------------------------------------------ */

static void put_text(struct evs_buffer *out, struct evs_slice text)
{
    evs_json_put_text(out, text.count == 0 ? EVS_SLICE("") : text); /* an absent text has no address */
}

void evs_tree_write_text(struct evs_buffer *out, struct evs_slice text, const struct evs_strip *strip)
{
    bool may_hold_query =
        text.count > 0 && (memchr(text.data, '=', text.count) != NULL || memchr(text.data, '%', text.count) != NULL);
    if (strip->count == 0 || !may_hold_query) {
        put_text(out, text);
        return;
    }
    char *copy = evs_alloc(text.count);
    put_text(out, evs_strip_text(strip, text, copy));
    evs_free(copy);
}

static void write_container(struct evs_buffer *out, const struct evs_tree *value, const struct evs_strip *strip)
{
    bool is_object = value->kind == EVS_TREE_OBJECT;
    evs_buffer_put(out, is_object ? "{" : "[", 1);
    for (const struct evs_tree *child = value->first; child != NULL; child = child->next) {
        if (child != value->first) {
            evs_buffer_put(out, ",", 1);
        }
        if (is_object) {
            put_text(out, child->key);
            evs_buffer_put(out, ":", 1);
        }
        evs_tree_write(out, child, strip);
    }
    evs_buffer_put(out, is_object ? "}" : "]", 1);
}

void evs_tree_write(struct evs_buffer *out, const struct evs_tree *value, const struct evs_strip *strip)
{
    switch (value->kind) {
    case EVS_TREE_OBJECT:
    case EVS_TREE_ARRAY:
        write_container(out, value, strip);
        break;
    case EVS_TREE_STRING:
        evs_tree_write_text(out, value->text, strip);
        break;
    case EVS_TREE_NULL:
        evs_buffer_put(out, "null", 4);
        break;
    default:
        evs_buffer_put(out, value->text.data, value->text.count);
    }
}
