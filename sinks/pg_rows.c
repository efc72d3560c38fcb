#include "pg_rows.h"

#include <endian.h>

/* --- shapes ------------------------------------------------------------------------------------------------------------------- */

static bool has_shape(const struct evs_pg_shape *shape, struct evs_slice payload)
{
    struct evs_field_text field;
    uint32_t at = 0;
    for (; evs_fields_next(&payload, &field); at++) {
        if (at == shape->count || shape->columns[at].kind != field.kind ||
            !evs_slice_equal(shape->columns[at].name, field.name)) {
            return false;
        }
    }
    return at == shape->count && payload.count == 0;
}

static bool measure(struct evs_slice payload, uint32_t *columns, size_t *name_bytes)
{
    struct evs_field_text field;
    *columns = 0;
    *name_bytes = 0;
    while (evs_fields_next(&payload, &field)) {
        (*columns)++;
        *name_bytes += field.name.count;
    }
    return payload.count == 0;
}

static void fill(struct evs_pg_shape *shape, struct evs_slice payload)
{
    struct evs_field_text field;
    char *name = shape->names;
    for (uint32_t i = 0; evs_fields_next(&payload, &field); i++) {
        memcpy(name, field.name.data, field.name.count);
        shape->columns[i] = (struct evs_pg_source){.name = {name, field.name.count}, .kind = field.kind};
        name += field.name.count;
    }
}

uint32_t evs_pg_shape_of(struct evs_pg_shapes *shapes, struct evs_slice payload)
{
    uint32_t count;
    size_t name_bytes;
    for (uint32_t i = shapes->count; i-- > 0;) { /* the newest has most rows */
        if (has_shape(&shapes->items[i], payload)) {
            return i;
        }
    }
    if (!measure(payload, &count, &name_bytes)) {
        return UINT32_MAX;
    }
    EVS_GROW(shapes->items, shapes->count, shapes->capacity);
    struct evs_pg_shape *shape = &shapes->items[shapes->count];
    *shape = (struct evs_pg_shape){.count = count,
                                   .columns = evs_alloc_zero((count + 1) * sizeof *shape->columns),
                                   .names = evs_alloc(name_bytes + 1)};
    fill(shape, payload);
    return shapes->count++;
}

void evs_pg_shapes_learn(struct evs_pg_shapes *shapes, const struct evs_schema *schema)
{
    for (uint32_t i = 0; i < shapes->count; i++) {
        struct evs_pg_shape *shape = &shapes->items[i];
        for (uint32_t k = 0; k < shape->count && shape->count == schema->count; k++) {
            const struct evs_field *field = &schema->fields[k];
            bool is_it = field->type->kind == shape->columns[k].kind &&
                         evs_slice_equal(evs_slice_of(field->name), shape->columns[k].name);
            shape->columns[k].type = is_it ? field->type : NULL;
        }
    }
}

void evs_pg_shapes_unprepare(struct evs_pg_shapes *shapes)
{
    for (uint32_t i = 0; i < shapes->count; i++) {
        shapes->items[i].is_prepared = false;
    }
}

void evs_pg_shapes_fini(struct evs_pg_shapes *shapes)
{
    for (uint32_t i = 0; i < shapes->count; i++) {
        evs_free(shapes->items[i].columns);
        evs_free(shapes->items[i].names);
    }
    evs_free(shapes->items);
    *shapes = (struct evs_pg_shapes){0};
}

/* --- arrays ------------------------------------------------------------------------------------------------------------------- */

/* An array in PostgreSQL's binary form: dimensions, whether there may be NULLs, type of the elements, then their number and the first one's, all of four bytes with
 * the highest first; and each element behind its length, which is -1 for a NULL. */
#define ARRAY_HEAD_WORDS 5u
#define ARRAY_COUNT_AT (3 * sizeof(uint32_t))
#define ELEMENT_NULL UINT32_MAX

static void put_word(struct evs_buffer *out, uint32_t word)
{
    uint32_t sent = htobe32(word);
    evs_buffer_put(out, &sent, sizeof sent);
}

void evs_pg_arrays_begin(struct evs_pg_arrays *arrays, uint32_t count)
{
    if (count > arrays->capacity) {
        arrays->columns = evs_realloc(arrays->columns, count * sizeof *arrays->columns);
        memset(arrays->columns + arrays->capacity, 0, (count - arrays->capacity) * sizeof *arrays->columns);
        arrays->capacity = count;
    }
    arrays->count = count;
    arrays->rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t head[ARRAY_HEAD_WORDS] = {1, 1, 25, 0, 1}; /* 25: text */
        arrays->columns[i].count = 0;
        for (uint32_t k = 0; k < ARRAY_HEAD_WORDS; k++) {
            put_word(&arrays->columns[i], head[k]);
        }
    }
}

/* As `bytea` reads it. */
static void put_hex(struct evs_buffer *out, struct evs_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    evs_buffer_puts(out, "\\x");
    evs_buffer_reserve(out, 2 * bytes.count);
    for (size_t i = 0; i < bytes.count; i++) {
        unsigned char byte = (unsigned char)bytes.data[i];
        out->data[out->count++] = digits[byte >> 4];
        out->data[out->count++] = digits[byte & 15];
    }
}

void evs_pg_arrays_add(struct evs_pg_arrays *arrays, struct evs_slice payload)
{
    struct evs_field_text field;
    for (uint32_t i = 0; i < arrays->count && evs_fields_next(&payload, &field); i++) {
        struct evs_buffer *out = &arrays->columns[i];
        if (field.is_null) {
            put_word(out, ELEMENT_NULL);
        } else if (field.kind == EVS_BYTES) {
            put_word(out, (uint32_t)(2 * field.value.count + 2));
            put_hex(out, field.value);
        } else {
            put_word(out, (uint32_t)field.value.count);
            evs_buffer_put(out, field.value.data, field.value.count);
        }
    }
    arrays->rows++;
}

void evs_pg_arrays_end(struct evs_pg_arrays *arrays)
{
    uint32_t rows = htobe32(arrays->rows);
    for (uint32_t i = 0; i < arrays->count; i++) {
        memcpy(arrays->columns[i].data + ARRAY_COUNT_AT, &rows, sizeof rows);
    }
}

void evs_pg_arrays_fini(struct evs_pg_arrays *arrays)
{
    for (uint32_t i = 0; i < arrays->capacity; i++) {
        evs_buffer_fini(&arrays->columns[i]);
    }
    evs_free(arrays->columns);
    *arrays = (struct evs_pg_arrays){0};
}
