/* A cursor walks the text; a value that is not wanted is skipped by counting brackets outside of strings. */
#include "nats_json.h"

#include "evstream/type.h"

struct json_cursor {
    const char *at, *end;
};

static void json_skip_space(struct json_cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r')) {
        c->at++;
    }
}

static bool json_skip_string(struct json_cursor *c)
{
    EVS_ASSERT(c->at < c->end && *c->at == '"');
    for (c->at++; c->at < c->end; c->at++) {
        if (*c->at == '\\') {
            c->at++;
        } else if (*c->at == '"') {
            c->at++;
            return true;
        }
    }
    c->at = c->end; /* an escape may have stepped over it */
    return false;
}

static bool json_skip_nested(struct json_cursor *c)
{
    uint32_t depth = 0;
    while (c->at < c->end) {
        char byte = *c->at;
        if (byte == '"') {
            if (!json_skip_string(c)) {
                return false;
            }
            continue;
        }
        c->at++;
        if (byte == '{' || byte == '[') {
            depth++;
        } else if ((byte == '}' || byte == ']') && --depth == 0) {
            return true;
        }
    }
    return false;
}

static bool json_is_scalar_byte(char byte)
{
    return byte != ',' && byte != '}' && byte != ']' && byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r';
}

/* Takes one value; *value is its raw text. */
static bool json_take_value(struct json_cursor *c, struct evs_slice *value)
{
    json_skip_space(c);
    const char *start = c->at;
    if (c->at >= c->end) {
        return false;
    }
    bool complete = true;
    if (*c->at == '"') {
        complete = json_skip_string(c);
    } else if (*c->at == '{' || *c->at == '[') {
        complete = json_skip_nested(c);
    } else {
        while (c->at < c->end && json_is_scalar_byte(*c->at)) {
            c->at++;
        }
    }
    *value = (struct evs_slice){start, (size_t)(c->at - start)};
    return complete && value->count > 0;
}

static bool json_take(struct json_cursor *c, char byte)
{
    json_skip_space(c);
    if (c->at < c->end && *c->at == byte) {
        c->at++;
        return true;
    }
    return false;
}

/* One step of a path. Keys of the API have no escapes, so their raw bytes are compared. */
static bool json_member(struct evs_slice object, struct evs_slice key, struct evs_slice *value)
{
    struct json_cursor c = {object.data, object.data + object.count};
    if (!json_take(&c, '{')) {
        return false;
    }
    do {
        struct evs_slice name;
        json_skip_space(&c);
        if (c.at >= c.end || *c.at != '"' || !json_take_value(&c, &name) || !json_take(&c, ':') ||
            !json_take_value(&c, value)) {
            return false;
        }
        if (evs_slice_equal((struct evs_slice){name.data + 1, name.count - 2}, key)) {
            return true;
        }
    } while (json_take(&c, ','));
    return false;
}

bool evs_nats_json_find(struct evs_slice object, const char *path, struct evs_slice *value)
{
    EVS_ASSERT(path[0] != '\0');
    *value = object;
    while (*path != '\0') {
        size_t count = strcspn(path, ".");
        struct evs_slice inner;
        if (!json_member(*value, (struct evs_slice){path, count}, &inner)) {
            return false;
        }
        *value = inner;
        path += count + (path[count] == '.');
    }
    return true;
}

bool evs_nats_json_next(struct evs_slice *rest, struct evs_slice *value)
{
    struct json_cursor c = {rest->data, rest->data + rest->count};
    bool is_there = (json_take(&c, '[') || json_take(&c, ',')) && json_take_value(&c, value);
    *rest = (struct evs_slice){c.at, (size_t)(c.end - c.at)};
    return is_there;
}

bool evs_nats_json_element(struct evs_slice array, uint32_t index, struct evs_slice *value)
{
    struct json_cursor c = {array.data, array.data + array.count};
    if (!json_take(&c, '[')) {
        return false;
    }
    do {
        json_skip_space(&c);
        if (c.at >= c.end || *c.at == ']' || !json_take_value(&c, value)) {
            return false;
        }
        if (index-- == 0) {
            return true;
        }
    } while (json_take(&c, ','));
    return false;
}

uint64_t evs_nats_json_uint(struct evs_slice object, const char *path, uint64_t fallback)
{
    struct evs_slice value;
    if (!evs_nats_json_find(object, path, &value)) {
        return fallback;
    }
    uint64_t number = 0;
    for (size_t i = 0; i < value.count; i++) {
        uint32_t digit = (uint32_t)(value.data[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, digit, &number)) {
            return fallback;
        }
    }
    return number;
}

bool evs_nats_json_true(struct evs_slice object, const char *path)
{
    struct evs_slice value;
    return evs_nats_json_find(object, path, &value) && evs_slice_equal(value, EVS_SLICE("true"));
}

/* \uXXXX below 128 gives its byte, any other '?': such texts are only shown. */
static char json_unescape(const char **at, const char *end)
{
    char byte = *(*at)++;
    switch (byte) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
    case 'b':
    case 'f':
        return ' ';
    case 'u':
        break;
    default:
        return byte;
    }
    uint32_t code = 0;
    for (uint32_t i = 0; i < 4 && *at < end; i++, (*at)++) {
        char c = **at;
        uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 32) - 'a') + 10;
        code = code * 16 + (digit & 15);
    }
    return code > 0 && code < 128 ? (char)code : '?';
}

bool evs_nats_json_text(struct evs_slice value, char *out, size_t bytes)
{
    EVS_ASSERT(bytes > 0);
    size_t count = 0;
    bool is_string = value.count >= 2 && value.data[0] == '"';
    if (is_string) {
        const char *at = value.data + 1, *end = value.data + value.count - 1;
        while (at < end && count + 1 < bytes) {
            char byte = *at++;
            out[count++] = byte == '\\' && at < end ? json_unescape(&at, end) : byte;
        }
    }
    out[count] = '\0';
    return is_string;
}

bool evs_nats_json_string(struct evs_slice object, const char *path, char *out, size_t bytes)
{
    struct evs_slice value;
    if (!evs_nats_json_find(object, path, &value)) {
        out[0] = '\0';
        return false;
    }
    return evs_nats_json_text(value, out, bytes);
}

int64_t evs_nats_json_time_us(struct evs_slice object, const char *path)
{
    struct evs_slice value;
    int64_t us = 0;
    if (!evs_nats_json_find(object, path, &value) || value.count < 2 || value.data[0] != '"' ||
        !evs_parse_timestamp((struct evs_slice){value.data + 1, value.count - 2}, false, &us)) {
        return 0;
    }
    return us;
}

static int32_t json_base64_digit(char c)
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
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool evs_nats_json_base64(struct evs_slice value, struct evs_buffer *out)
{
    if (value.count < 2 || value.data[0] != '"') {
        return false;
    }
    size_t count = value.count - 2;
    const char *text = value.data + 1;
    while (count > 0 && text[count - 1] == '=') {
        count--;
    }
    evs_buffer_reserve(out, count / 4 * 3 + 3);
    uint32_t bits = 0, bit_count = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t digit = json_base64_digit(text[i]);
        if (digit < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)digit;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            out->data[out->count++] = (char)(bits >> bit_count);
        }
    }
    return true;
}

void evs_nats_json_quote(struct evs_buffer *out, struct evs_slice text)
{
    evs_buffer_put(out, "\"", 1);
    for (size_t i = 0; i < text.count; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte == '"' || byte == '\\') {
            evs_buffer_printf(out, "\\%c", byte);
        } else if (byte < 0x20) {
            evs_buffer_printf(out, "\\u%04x", byte);
        } else {
            evs_buffer_put(out, &byte, 1);
        }
    }
    evs_buffer_put(out, "\"", 1);
}
