#include "form.h"

struct evs_slice evs_form_cut(struct evs_slice *text, char separator)
{
    const char *at = text->count == 0 ? NULL : memchr(text->data, separator, text->count);
    struct evs_slice rest = {NULL, 0};
    if (at != NULL) {
        rest = (struct evs_slice){at + 1, text->count - (size_t)(at + 1 - text->data)};
        text->count = (size_t)(at - text->data);
    }
    return rest;
}

struct evs_slice evs_form_trim(struct evs_slice text)
{
    while (text.count > 0 && (unsigned char)text.data[0] <= ' ') {
        text = (struct evs_slice){text.data + 1, text.count - 1};
    }
    while (text.count > 0 && (unsigned char)text.data[text.count - 1] <= ' ') {
        text.count--;
    }
    return text;
}

/* How many bytes at `at` are one character, or 0. */
static size_t character(const char *at, size_t left)
{
    for (size_t count = 1; count <= 4 && count <= left; count++) {
        if (evs_utf8_valid(at, count)) {
            return count;
        }
    }
    return 0;
}

struct evs_slice evs_form_utf8(struct evs_arena *arena, struct evs_slice text)
{
    if (text.count == 0 || evs_utf8_valid(text.data, text.count)) {
        return text;
    }
    char *out = evs_arena_alloc(arena, 3 * text.count, 1);
    size_t count = 0;
    for (size_t i = 0; i < text.count;) {
        size_t good = character(text.data + i, text.count - i);
        memcpy(out + count, good > 0 ? text.data + i : "\xEF\xBF\xBD", good > 0 ? good : 3);
        count += good > 0 ? good : 3;
        i += good > 0 ? good : 1;
    }
    return (struct evs_slice){out, count};
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_plain(struct evs_slice text)
{
    for (size_t i = 0; i < text.count; i++) {
        if (text.data[i] == '%' || text.data[i] == '+' || (unsigned char)text.data[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

struct evs_slice evs_form_decode(struct evs_arena *arena, struct evs_slice text)
{
    if (text.count == 0 || is_plain(text)) {
        return text;
    }
    char *out = evs_arena_alloc(arena, text.count, 1);
    size_t count = 0;
    for (size_t i = 0; i < text.count; i++) {
        char c = text.data[i];
        if (c == '%' && i + 2 < text.count && hex(text.data[i + 1]) >= 0 && hex(text.data[i + 2]) >= 0) {
            c = (char)(hex(text.data[i + 1]) << 4 | hex(text.data[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        out[count++] = c;
    }
    return evs_form_utf8(arena, (struct evs_slice){out, count});
}

bool evs_form_next(struct evs_slice *query, struct evs_slice *name, struct evs_slice *value)
{
    while (query->count > 0) {
        struct evs_slice rest = evs_form_cut(query, '&');
        *name = *query;
        *query = rest;
        if (name->count > 0) {
            *value = evs_form_cut(name, '=');
            return true;
        }
    }
    return false;
}

struct evs_slice evs_form_value(struct evs_arena *arena, struct evs_slice query, const char *name)
{
    struct evs_slice key, value;
    while (evs_form_next(&query, &key, &value)) {
        if (evs_slice_equal(evs_form_decode(arena, key), evs_slice_of(name))) {
            return evs_form_decode(arena, value);
        }
    }
    return (struct evs_slice){NULL, 0};
}

static int digit64(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool evs_form_base64(struct evs_arena *arena, struct evs_slice text, struct evs_slice *bytes)
{
    while (text.count > 0 && text.data[text.count - 1] == '=') {
        text.count--;
    }
    uint8_t *out = evs_arena_alloc(arena, text.count / 4 * 3 + 3, 1);
    size_t count = 0;
    uint32_t group = 0, bits = 0;
    for (size_t i = 0; i < text.count; i++) {
        int digit = digit64(text.data[i]);
        if (digit < 0) {
            return false;
        }
        group = group << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[count++] = (uint8_t)(group >> bits);
        }
    }
    *bytes = (struct evs_slice){(const char *)out, count};
    return text.count % 4 != 1;
}
