#include "shape.h"

#include <string.h>

#define SHAPE_FORMAT 1
enum { FLAG_NAMED = 1, FLAG_ELASTIC = 2 };

/* --- writing ------------------------------------------------------------------------------------------------------------------ */

static void put_u16(struct evs_buffer *out, size_t value)
{
    EVS_ASSERT(value <= UINT16_MAX);
    uint16_t narrow = (uint16_t)value;
    evs_buffer_put(out, &narrow, sizeof narrow);
}

static void put_bytes(struct evs_buffer *out, struct evs_slice bytes)
{
    put_u16(out, bytes.count);
    evs_buffer_put(out, bytes.data, bytes.count);
}

/* Cut between characters. */
static void put_text(struct evs_buffer *out, const char *text)
{
    struct evs_slice slice = evs_slice_of(text);
    if (slice.count > EVS_SHAPE_TEXT_MAX) {
        slice.count = EVS_SHAPE_TEXT_MAX;
        while (slice.count > 0 && ((unsigned char)slice.data[slice.count] & 0xC0) == 0x80) {
            slice.count--;
        }
    }
    put_bytes(out, slice);
}

static void put_parts(struct evs_buffer *out, const struct evs_state_parts *parts)
{
    put_u16(out, parts->count);
    for (uint32_t i = 0; i < parts->count; i++) {
        put_text(out, parts->items[i].text);
        evs_buffer_put(out, &parts->items[i].identity, sizeof parts->items[i].identity);
        put_bytes(out, parts->items[i].form);
    }
}

void evs_shape_encode(const struct evs_state_shape *shape, struct evs_buffer *out)
{
    const uint8_t head[2] = {SHAPE_FORMAT,
                             (uint8_t)((shape->is_named ? FLAG_NAMED : 0) | (shape->is_elastic ? FLAG_ELASTIC : 0))};
    evs_buffer_put(out, head, sizeof head);
    put_text(out, shape->kind);
    put_text(out, shape->label);
    evs_buffer_put(out, &shape->window, sizeof shape->window);
    evs_buffer_put(out, &shape->lineage, sizeof shape->lineage);
    evs_buffer_put(out, &shape->stored_key, sizeof shape->stored_key);
    put_parts(out, &shape->keys);
    put_parts(out, &shape->columns);
    put_parts(out, &shape->rows);
}

/* --- reading: past the end everything is zero, and it is remembered ---------------------------------------------------------- */

struct reader {
    struct evs_slice left;
    struct evs_arena *arena;
    bool failed;
};

static const char *take(struct reader *reader, size_t count)
{
    if (reader->left.count < count) {
        reader->failed = true;
        return NULL;
    }
    const char *at = reader->left.data;
    reader->left = (struct evs_slice){at + count, reader->left.count - count};
    return at;
}

static void take_into(struct reader *reader, void *to, size_t count)
{
    const char *at = take(reader, count);
    memset(to, 0, count);
    if (at != NULL) {
        memcpy(to, at, count);
    }
}

static struct evs_slice take_bytes(struct reader *reader)
{
    uint16_t count;
    take_into(reader, &count, sizeof count);
    const char *at = take(reader, count);
    return at == NULL ? (struct evs_slice){"", 0} : (struct evs_slice){at, count};
}

static const char *take_text(struct reader *reader)
{
    struct evs_slice bytes = take_bytes(reader);
    return evs_arena_strndup(reader->arena, bytes.data, bytes.count);
}

static struct evs_state_parts take_parts(struct reader *reader)
{
    uint16_t count;
    take_into(reader, &count, sizeof count);
    struct evs_state_parts parts = {EVS_ARENA_ARRAY(reader->arena, struct evs_state_part, count + 1u), 0};
    while (parts.count < count && !reader->failed) {
        struct evs_state_part *part = &parts.items[parts.count++];
        part->text = take_text(reader);
        take_into(reader, &part->identity, sizeof part->identity);
        struct evs_slice form = take_bytes(reader);
        part->form = (struct evs_slice){evs_arena_strndup(reader->arena, form.data, form.count), form.count};
    }
    return parts;
}

const struct evs_state_shape *evs_shape_decode(struct evs_slice bytes, struct evs_arena *arena)
{
    struct reader reader = {bytes, arena, false};
    struct evs_state_shape *shape = EVS_ARENA_NEW(arena, struct evs_state_shape);
    uint8_t head[2];
    take_into(&reader, head, sizeof head);
    shape->is_named = (head[1] & FLAG_NAMED) != 0;
    shape->is_elastic = (head[1] & FLAG_ELASTIC) != 0;
    shape->kind = take_text(&reader);
    shape->label = take_text(&reader);
    take_into(&reader, &shape->window, sizeof shape->window);
    take_into(&reader, &shape->lineage, sizeof shape->lineage);
    take_into(&reader, &shape->stored_key, sizeof shape->stored_key);
    shape->keys = take_parts(&reader);
    shape->columns = take_parts(&reader);
    shape->rows = take_parts(&reader);
    return reader.failed || head[0] != SHAPE_FORMAT || reader.left.count != 0 ? NULL : shape;
}
