#include "lines.h"

#include <inttypes.h>

#include "evstream/type.h"

bool evs_lines_next(struct evs_slice *text, struct evs_slice *name, struct evs_slice *value)
{
    if (text->count == 0) {
        return false;
    }
    const char *end = memchr(text->data, '\n', text->count);
    size_t count = end == NULL ? text->count : (size_t)(end - text->data);
    const char *space = memchr(text->data, ' ', count);
    size_t name_count = space == NULL ? count : (size_t)(space - text->data);
    *name = (struct evs_slice){text->data, name_count};
    size_t skip = space == NULL ? count : name_count + 1;
    *value = (struct evs_slice){text->data + skip, count - skip};
    size_t taken = end == NULL ? count : count + 1;
    *text = (struct evs_slice){text->data + taken, text->count - taken};
    return true;
}

bool evs_lines_int64(struct evs_slice value, int64_t *number)
{
    return value.count > 0 && evs_parse_int64(value, number);
}

bool evs_lines_hex64(struct evs_slice value, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < value.count && value.count == 16; i++) {
        char c = value.data[i];
        bool is_digit = c >= '0' && c <= '9', is_letter = c >= 'a' && c <= 'f';
        if (!is_digit && !is_letter) {
            return false;
        }
        *number = *number << 4 | (uint64_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    return value.count == 16;
}

void evs_lines_put_key(struct evs_buffer *out, const char *part)
{
    for (const char *c = part; *c != '\0'; c++) {
        bool plain =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_';
        if (plain) {
            evs_buffer_put(out, c, 1);
        } else {
            evs_buffer_printf(out, "=%02X", (unsigned)(unsigned char)*c);
        }
    }
}
