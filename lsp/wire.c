#include "wire.h"

#include <stdlib.h>

#include "evstream/json_value.h"
#include "evstream/type.h"
#include "json_access.h"

/* --- frames --------------------------------------------------------------------------------------------------------------- */

static const char length_name[] = "Content-Length:";

/* The end of the header, behind its empty line; NULL when it is not there yet. */
static const char *header_end(struct evs_slice input)
{
    size_t count = input.count < EVS_LSP_HEADER_BYTES_MAX ? input.count : EVS_LSP_HEADER_BYTES_MAX;
    const char *end = count > 0 ? memmem(input.data, count, "\r\n\r\n", 4) : NULL;
    return end != NULL ? end + 4 : NULL;
}

static bool parse_length(struct evs_slice line, size_t *length)
{
    size_t at = sizeof length_name - 1;
    while (at < line.count && line.data[at] == ' ') {
        at++;
    }
    int64_t value;
    bool is_number = evs_parse_int64((struct evs_slice){line.data + at, line.count - at}, &value);
    if (!is_number || value < 0 || value > EVS_LSP_BODY_BYTES_MAX) {
        return false;
    }
    *length = (size_t)value;
    return true;
}

/* The body's length out of the header's lines; false when they are no header. */
static bool parse_header(struct evs_slice header, size_t *length)
{
    bool has_length = false;
    const char *at = header.data, *end = header.data + header.count - 2; /* without the empty line */
    while (at < end) {
        const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (stop == NULL || memchr(at, ':', (size_t)(stop - at)) == NULL) {
            return false;
        }
        struct evs_slice line = {at, (size_t)(stop - at)};
        bool is_length = line.count >= sizeof length_name - 1 &&
                         evs_slice_equal_nocase((struct evs_slice){at, sizeof length_name - 1}, length_name);
        if (is_length && !parse_length(line, length)) {
            return false;
        }
        has_length = has_length || is_length;
        at = stop + 2;
    }
    return has_length;
}

/* To the next header, or, where none can be seen, to where one could still begin. */
static enum evs_lsp_frame_state drop(struct evs_slice input, struct evs_lsp_frame *frame)
{
    size_t name = sizeof length_name - 1;
    const char *next = memmem(input.data + 1, input.count - 1, length_name, name);
    size_t tail = input.count - 1 < name ? input.count - 1 : name;
    frame->bytes = next != NULL ? (size_t)(next - input.data) : input.count - tail;
    EVS_ASSERT(frame->bytes > 0 && frame->bytes <= input.count);
    return EVS_LSP_FRAME_BAD;
}

enum evs_lsp_frame_state evs_lsp_frame_parse(struct evs_slice input, struct evs_lsp_frame *frame)
{
    const char *body = header_end(input);
    size_t length = 0;
    if (body == NULL) {
        return input.count < EVS_LSP_HEADER_BYTES_MAX ? EVS_LSP_FRAME_PART : drop(input, frame);
    }
    size_t header = (size_t)(body - input.data);
    if (!parse_header((struct evs_slice){input.data, header}, &length)) {
        return drop(input, frame);
    }
    if (input.count - header < length) {
        return EVS_LSP_FRAME_PART;
    }
    *frame = (struct evs_lsp_frame){{body, length}, header + length};
    return EVS_LSP_FRAME_WHOLE;
}

void evs_lsp_frame_put(struct evs_buffer *out, struct evs_slice body)
{
    evs_buffer_printf(out, "%s %zu\r\n\r\n", length_name, body.count);
    evs_buffer_put(out, body.data, body.count);
}

/* --- messages ------------------------------------------------------------------------------------------------------------- */

static bool get_member(struct evs_slice object, struct evs_slice name, struct evs_slice *value)
{
    struct evs_json_walk walk = evs_json_walk(object);
    struct evs_slice key, found;
    while (walk.is_object && evs_json_walk_next(&walk, &key, &found)) {
        if (evs_slice_equal((struct evs_slice){key.data + 1, key.count - 2}, name)) {
            *value = found;
            return true;
        }
    }
    return false;
}

bool evs_lsp_get(struct evs_slice object, const char *path, struct evs_slice *value)
{
    *value = object;
    while (*path != '\0') {
        size_t count = strcspn(path, ".");
        if (!get_member(*value, (struct evs_slice){path, count}, value)) {
            return false;
        }
        path += count + (path[count] == '.');
    }
    return true;
}

int64_t evs_lsp_number(struct evs_slice object, const char *path, int64_t fallback)
{
    struct evs_slice raw;
    int64_t whole;
    double number;
    if (!evs_lsp_get(object, path, &raw)) {
        return fallback;
    }
    if (evs_parse_int64(raw, &whole)) {
        return whole;
    }
    bool is_number = evs_parse_float64(raw, &number) && number == number;
    return !is_number ? fallback : number >= 9e18 ? INT64_MAX : number <= -9e18 ? INT64_MIN : (int64_t)number;
}

bool evs_lsp_unescape(struct evs_arena *arena, struct evs_slice raw, struct evs_slice *text)
{
    if (raw.count < 2 || raw.data[0] != '"') {
        return false;
    }
    char *out = evs_arena_alloc(arena, raw.count + 1, 1);
    size_t count = raw.count - 2;
    if (memchr(raw.data, '\\', raw.count) == NULL) { /* nearly every text but documents */
        memcpy(out, raw.data + 1, count);
    } else {
        struct evs_json_access *access = evs_json_access_new();
        bool is_right = evs_json_access_unescape(access, (struct evs_json_text){raw.data, raw.count}, out, &count);
        evs_json_access_free(access);
        if (!is_right) {
            return false;
        }
    }
    out[count] = '\0';
    *text = (struct evs_slice){out, count};
    return true;
}

bool evs_lsp_string(struct evs_arena *arena, struct evs_slice object, const char *path, struct evs_slice *text)
{
    struct evs_slice raw;
    return evs_lsp_get(object, path, &raw) && evs_lsp_unescape(arena, raw, text);
}

bool evs_lsp_json_valid(struct evs_slice text)
{
    struct evs_json_access *access = evs_json_access_new();
    bool is_valid = evs_json_valid(access, (struct evs_json_text){text.data, text.count});
    evs_json_access_free(access);
    return is_valid;
}
