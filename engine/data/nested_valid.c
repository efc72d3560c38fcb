/* Whether foreign bytes are an encoded array or struct: a snapshot that was cut, or written by another program, must be refused and
 * never read. It accepts exactly what the builder writes, so that equal values stay equal bytes after a restore. */
#include "nested_layout.h"

struct reading {
    const uint8_t *at, *end;
};

static bool valid(const uint8_t *bytes, size_t count, const struct evs_type *type, uint32_t depth);

static const uint8_t *take(struct reading *reading, size_t count)
{
    if ((size_t)(reading->end - reading->at) < count) {
        return NULL;
    }
    const uint8_t *taken = reading->at;
    reading->at += count;
    return taken;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool fixed_valid(enum evs_kind kind, const uint8_t *slot)
{
    uint64_t word;
    double number;
    evs_numeric numeric;
    switch (kind) {
    case EVS_BOOL:
        return *slot <= 1;
    case EVS_FLOAT64:
        memcpy(&word, slot, 8);
        memcpy(&number, slot, 8);
        return evs_key_bits_float64(number) == word;
    case EVS_NUMERIC:
        memcpy(&numeric, slot, 16);
        return numeric <= evs_numeric_max() && numeric >= -evs_numeric_max();
    default:
        return true;
    }
}

static bool var_valid(enum evs_kind kind, const uint8_t *bytes, size_t count, const struct evs_type *type,
                      uint32_t depth)
{
    if (evs_kind_is_nested(kind)) {
        return valid(bytes, count, type, depth + 1);
    }
    return kind == EVS_BYTES || evs_utf8_valid((const char *)bytes, count);
}

/* The frame: head, kinds, nulls and slots, all inside of the bytes. */
struct frame {
    enum evs_kind form;
    uint32_t count;
    const uint8_t *kinds, *nulls, *slots;
};

static enum evs_kind kind_of(const struct frame *frame, uint32_t index)
{
    return (enum evs_kind)frame->kinds[frame->form == EVS_ARRAY ? 0 : index];
}

static bool read_nulls(struct reading *reading, struct frame *frame)
{
    size_t bytes = EVS_NESTED_NULL_BYTES(frame->count);
    frame->nulls = take(reading, bytes);
    if (frame->nulls == NULL || is_zero(frame->nulls, bytes)) {
        return false;
    }
    return frame->count % 8 == 0 || (frame->nulls[bytes - 1] >> (frame->count % 8)) == 0;
}

static bool read_slots(struct reading *reading, struct frame *frame)
{
    size_t bytes = 0;
    if (frame->form == EVS_ARRAY) {
        bytes = (size_t)evs_nested_slot_bytes(kind_of(frame, 0)) * frame->count;
    } else {
        for (uint32_t i = 0; i < frame->count; i++) {
            bytes += evs_nested_slot_bytes(kind_of(frame, i));
        }
    }
    frame->slots = take(reading, bytes);
    return frame->slots != NULL;
}

static bool read_frame(struct reading *reading, struct frame *frame)
{
    const uint8_t *head = take(reading, EVS_NESTED_HEAD_BYTES);
    if (head == NULL) {
        return false;
    }
    frame->form = (enum evs_kind)(head[0] & ~EVS_NESTED_HAS_NULL);
    memcpy(&frame->count, head + 1, sizeof frame->count);
    if (!evs_kind_is_nested(frame->form) || (frame->form == EVS_STRUCT && frame->count > EVS_STRUCT_FIELDS_MAX)) {
        return false;
    }
    uint32_t kinds = frame->form == EVS_ARRAY ? 1 : frame->count;
    frame->kinds = take(reading, kinds);
    for (uint32_t i = 0; frame->kinds != NULL && i < kinds; i++) {
        if (frame->kinds[i] >= EVS_KIND_COUNT || (frame->form == EVS_ARRAY && frame->kinds[i] == EVS_ARRAY)) {
            return false;
        }
    }
    if (frame->kinds == NULL || ((head[0] & EVS_NESTED_HAS_NULL) && !read_nulls(reading, frame))) {
        return false;
    }
    return read_slots(reading, frame);
}

static const struct evs_type *type_of(const struct evs_type *type, uint32_t index)
{
    return type == NULL ? NULL : type->kind == EVS_ARRAY ? type->element : type->fields[index].type;
}

static bool matches_type(const struct frame *frame, const struct evs_type *type)
{
    if (type == NULL) {
        return true;
    }
    if (type->kind != frame->form || (type->kind == EVS_STRUCT && type->field_count != frame->count)) {
        return false;
    }
    uint32_t kinds = frame->form == EVS_ARRAY ? 1 : frame->count;
    for (uint32_t i = 0; i < kinds; i++) {
        if (frame->kinds[i] != (uint8_t)type_of(type, i)->kind) {
            return false;
        }
    }
    return true;
}

/* One element: its slot at *slot, its bytes behind *start in the data. Both move on. */
static bool element_valid(const struct frame *frame, const struct reading *data, const struct evs_type *type,
                          uint32_t index, const uint8_t **slot, uint32_t *start, uint32_t depth)
{
    enum evs_kind kind = kind_of(frame, index);
    const uint8_t *here = *slot;
    *slot += evs_nested_slot_bytes(kind);
    bool is_null = frame->nulls != NULL && ((frame->nulls[index / 8] >> (index % 8)) & 1);
    if (!evs_kind_is_var(kind)) {
        return is_null ? is_zero(here, evs_nested_slot_bytes(kind)) : kind != EVS_NULL_KIND && fixed_valid(kind, here);
    }
    uint32_t end, before = *start;
    memcpy(&end, here, sizeof end);
    if (end < before || end > (size_t)(data->end - data->at)) {
        return false;
    }
    *start = end;
    return is_null ? end == before : var_valid(kind, data->at + before, end - before, type_of(type, index), depth);
}

static bool valid(const uint8_t *bytes, size_t count, const struct evs_type *type, uint32_t depth)
{
    struct reading reading = {bytes, bytes + count};
    struct frame frame = {0};
    if (depth >= EVS_TYPE_DEPTH_MAX || !read_frame(&reading, &frame) || !matches_type(&frame, type)) {
        return false;
    }
    const uint8_t *slot = frame.slots;
    uint32_t start = 0;
    for (uint32_t i = 0; i < frame.count; i++) {
        if (!element_valid(&frame, &reading, type, i, &slot, &start, depth)) {
            return false;
        }
    }
    return start == (size_t)(reading.end - reading.at);
}

bool evs_nested_valid(const void *bytes, size_t count, const struct evs_type *type)
{
    EVS_ASSERT(type == NULL || evs_kind_is_nested(type->kind));
    return count <= UINT32_MAX && valid(bytes, count, type, 0);
}
