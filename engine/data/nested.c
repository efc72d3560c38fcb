/* Arrays and structs as bytes: the builder and the reader. Validation of foreign bytes: nested_valid.c. */
#include "nested_layout.h"

/* --- writing ------------------------------------------------------------------------------------------------------- */

static void begin(struct evs_nested_builder *builder, enum evs_kind form)
{
    builder->form = form;
    builder->count = 0;
    builder->has_null = false;
    builder->nulls.count = builder->slots.count = builder->data.count = 0;
}

void evs_nested_begin_array(struct evs_nested_builder *builder, enum evs_kind element)
{
    EVS_ASSERT(element != EVS_ARRAY && (unsigned)element < EVS_KIND_COUNT);
    begin(builder, EVS_ARRAY);
    builder->element = element;
    builder->type = NULL;
}

void evs_nested_begin_struct(struct evs_nested_builder *builder, const struct evs_type *type)
{
    EVS_ASSERT(type->kind == EVS_STRUCT);
    begin(builder, EVS_STRUCT);
    builder->type = type;
}

static enum evs_kind next_kind(const struct evs_nested_builder *builder)
{
    if (builder->form == EVS_ARRAY) {
        return builder->element;
    }
    EVS_ASSERT(builder->count < builder->type->field_count);
    return builder->type->fields[builder->count].type->kind;
}

static void put_end(struct evs_nested_builder *builder)
{
    EVS_ASSERT(builder->data.count <= UINT32_MAX);
    uint32_t end = (uint32_t)builder->data.count;
    evs_buffer_put(&builder->slots, &end, sizeof end);
}

static void put_slot(struct evs_nested_builder *builder, const struct evs_value *value)
{
    if (evs_kind_is_var(value->kind)) {
        evs_buffer_put(&builder->data, evs_str_data(&value->str), value->str.count);
        put_end(builder);
        return;
    }
    switch (evs_nested_slot_bytes(value->kind)) {
    case 1: {
        uint8_t byte = value->boolean;
        evs_buffer_put(&builder->slots, &byte, 1);
        break;
    }
    case 8: {
        uint64_t word = value->kind == EVS_FLOAT64 ? evs_key_bits_float64(value->float64) : (uint64_t)value->int64;
        evs_buffer_put(&builder->slots, &word, sizeof word);
        break;
    }
    default:
        EVS_ASSERT(value->kind == EVS_NUMERIC || value->kind == EVS_INTERVAL);
        evs_buffer_put(&builder->slots, value->kind == EVS_NUMERIC ? (const void *)&value->numeric : &value->interval,
                       16);
    }
}

/* The bit of the next element. */
static void put_null_bit(struct evs_nested_builder *builder, bool is_null)
{
    if (builder->count % 8 == 0) {
        evs_buffer_put(&builder->nulls, "", 1);
    }
    builder->nulls.data[builder->count / 8] |= (char)(is_null << (builder->count % 8));
    builder->has_null = builder->has_null || is_null;
}

void evs_nested_add_null(struct evs_nested_builder *builder)
{
    static const uint8_t zeros[16];
    enum evs_kind kind = next_kind(builder);
    put_null_bit(builder, true);
    if (evs_kind_is_var(kind)) {
        put_end(builder);
    } else {
        evs_buffer_put(&builder->slots, zeros, evs_nested_slot_bytes(kind));
    }
    builder->count++;
}

void evs_nested_add(struct evs_nested_builder *builder, const struct evs_value *value)
{
    if (value->is_null) {
        evs_nested_add_null(builder);
        return;
    }
    EVS_ASSERT(value->kind == next_kind(builder));
    put_null_bit(builder, false);
    put_slot(builder, value);
    builder->count++;
}

static size_t kinds_bytes(const struct evs_nested_builder *builder)
{
    return builder->form == EVS_ARRAY ? 1 : builder->count;
}

size_t evs_nested_bytes(const struct evs_nested_builder *builder)
{
    return EVS_NESTED_HEAD_BYTES + kinds_bytes(builder) + (builder->has_null ? builder->nulls.count : 0) +
           builder->slots.count + builder->data.count;
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t count)
{
    if (count > 0) {
        memcpy(to, bytes, count);
    }
    return to + count;
}

static uint8_t *put_kinds(uint8_t *to, const struct evs_nested_builder *builder)
{
    if (builder->form == EVS_ARRAY) {
        *to = (uint8_t)builder->element;
        return to + 1;
    }
    for (uint32_t i = 0; i < builder->count; i++) {
        *to++ = (uint8_t)builder->type->fields[i].type->kind;
    }
    return to;
}

struct evs_str evs_nested_finish(struct evs_nested_builder *builder, struct evs_arena *arena)
{
    EVS_ASSERT(evs_kind_is_nested(builder->form));
    EVS_ASSERT(builder->form == EVS_ARRAY || builder->count == builder->type->field_count);
    size_t bytes = evs_nested_bytes(builder);
    EVS_ASSERT(bytes <= UINT32_MAX);
    uint8_t *start = evs_arena_alloc(arena, bytes, 1), *to = start;
    *to++ = (uint8_t)(builder->form | (builder->has_null ? EVS_NESTED_HAS_NULL : 0));
    to = put(to, &builder->count, sizeof builder->count);
    to = put_kinds(to, builder);
    to = put(to, builder->nulls.data, builder->has_null ? builder->nulls.count : 0);
    to = put(to, builder->slots.data, builder->slots.count);
    to = put(to, builder->data.data, builder->data.count);
    EVS_ASSERT(to == start + bytes);
    return evs_str_make((const char *)start, (uint32_t)bytes);
}

void evs_nested_builder_fini(struct evs_nested_builder *builder)
{
    evs_buffer_fini(&builder->nulls);
    evs_buffer_fini(&builder->slots);
    evs_buffer_fini(&builder->data);
    *builder = (struct evs_nested_builder){0};
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

/* Bytes of the slots before field `index`. */
static uint32_t slots_before(const struct evs_nested *nested, uint32_t index)
{
    if (nested->form == EVS_ARRAY) {
        return nested->width * index;
    }
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < index; i++) {
        bytes += evs_nested_slot_bytes((enum evs_kind)nested->kinds[i]);
    }
    return bytes;
}

struct evs_nested evs_nested_open(const struct evs_str *encoded)
{
    EVS_ASSERT(encoded->count >= EVS_NESTED_HEAD_BYTES);
    const uint8_t *bytes = (const uint8_t *)evs_str_data(encoded);
    struct evs_nested nested = {.form = (enum evs_kind)(bytes[0] & ~EVS_NESTED_HAS_NULL)};
    EVS_ASSERT(evs_kind_is_nested(nested.form));
    memcpy(&nested.count, bytes + 1, sizeof nested.count);
    nested.kinds = bytes + EVS_NESTED_HEAD_BYTES;
    const uint8_t *at = nested.kinds + (nested.form == EVS_ARRAY ? 1 : nested.count);
    nested.width = nested.form == EVS_ARRAY ? evs_nested_slot_bytes((enum evs_kind)nested.kinds[0]) : 0;
    if (bytes[0] & EVS_NESTED_HAS_NULL) {
        nested.nulls = at;
        at += EVS_NESTED_NULL_BYTES(nested.count);
    }
    nested.slots = at;
    nested.data = at + slots_before(&nested, nested.count);
    EVS_ASSERT(nested.data <= bytes + encoded->count);
    return nested;
}

bool evs_nested_is_null(const struct evs_nested *nested, uint32_t index)
{
    EVS_ASSERT(index < nested->count);
    return nested->nulls != NULL && ((nested->nulls[index / 8] >> (index % 8)) & 1);
}

static struct evs_str text_at(const struct evs_nested *nested, const uint8_t *slot, uint32_t index)
{
    uint32_t start = 0, end;
    memcpy(&end, slot, sizeof end);
    /* The element before may have another width: its end is that of the last field with bytes of its own. */
    while (index > 0) {
        index--;
        enum evs_kind kind = (enum evs_kind)nested->kinds[nested->form == EVS_ARRAY ? 0 : index];
        slot -= evs_nested_slot_bytes(kind);
        if (evs_kind_is_var(kind)) {
            memcpy(&start, slot, sizeof start);
            break;
        }
    }
    return evs_str_make((const char *)nested->data + start, end - start);
}

struct evs_value evs_nested_at(const struct evs_nested *nested, uint32_t index)
{
    EVS_ASSERT(index < nested->count);
    struct evs_value value = {.kind = (enum evs_kind)nested->kinds[nested->form == EVS_ARRAY ? 0 : index]};
    if (evs_nested_is_null(nested, index)) {
        value.is_null = true;
        return value;
    }
    const uint8_t *slot = nested->slots + slots_before(nested, index);
    if (evs_kind_is_var(value.kind)) {
        value.str = text_at(nested, slot, index);
    } else if (value.kind == EVS_BOOL) {
        value.boolean = *slot != 0;
    } else if (value.kind == EVS_NUMERIC) {
        memcpy(&value.numeric, slot, 16);
    } else if (value.kind == EVS_INTERVAL) {
        memcpy(&value.interval, slot, 16);
    } else {
        EVS_ASSERT(value.kind != EVS_NULL_KIND);
        memcpy(&value.int64, slot, 8); /* float64 shares these bytes */
    }
    return value;
}
