/* A JSON array into an array, a JSON object into a struct.
 *
 * The text has been checked, so its values are found by counting brackets and skipping strings. Every part converts as a column of its
 * type does (the table in decode_json_value.c); one that does not convert makes the record bad, under the column's name. In a struct the
 * first of repeated keys counts, a field that is missing is NULL, and a field without a name can never be there: it is NULL. Keys that the
 * type does not name are skipped. */
#include "decode_json_internal.h"
#include "evstream/json_value.h"

struct json_nested {
    const struct evs_type *type;
    struct json_nested **parts; /* the element, or the fields; none of a scalar */
    uint32_t part_count;
    struct evs_slice *found; /* struct: where each field stands in the text in hand; count 0: missing */
    struct evs_nested_builder builder;
    /* a scalar is read as a column of one row */
    struct evs_decode_column wish;
    struct json_column leaf;
    struct evs_column target;
    char space[64] __attribute__((aligned(16)));
};

struct json_nested *evs_json_nested_new(struct evs_arena *memory, const char *name, const struct evs_type *type)
{
    struct json_nested *nested = EVS_ARENA_NEW(memory, struct json_nested);
    nested->type = type;
    nested->part_count = type->kind == EVS_ARRAY ? 1 : type->field_count;
    nested->parts = EVS_ARENA_ARRAY(memory, struct json_nested *, nested->part_count + 1);
    nested->found = EVS_ARENA_ARRAY(memory, struct evs_slice, nested->part_count + 1);
    for (uint32_t i = 0; i < nested->part_count; i++) {
        const struct evs_type *part = type->kind == EVS_ARRAY ? type->element : type->fields[i].type;
        nested->parts[i] = evs_json_nested_new(memory, name, part);
    }
    nested->wish = (struct evs_decode_column){.name = name, .kind = type->kind, .type = type};
    nested->target = (struct evs_column){.kind = type->kind, .data = nested->space};
    nested->leaf = (struct json_column){.wish = &nested->wish, .target = &nested->target, .minute_us = INT64_MIN};
    return nested;
}

void evs_json_nested_fini(struct json_nested *nested)
{
    if (nested == NULL) {
        return;
    }
    for (uint32_t i = 0; i < nested->part_count; i++) {
        evs_json_nested_fini(nested->parts[i]);
    }
    evs_nested_builder_fini(&nested->builder);
}

/* --- values ---------------------------------------------------------------------------------------------------------- */

static bool read_value(struct json_decoder *decoder, struct json_nested *nested, struct evs_slice text,
                       struct evs_value *value);

static bool bad_form(struct json_decoder *decoder, const struct json_nested *nested, struct evs_slice text)
{
    struct evs_slice got = text.data[0] == '{'   ? EVS_SLICE("an object")
                           : text.data[0] == '[' ? EVS_SLICE("an array")
                                                 : text;
    return evs_json_bad_type(decoder, nested->wish.name, evs_kind_name(nested->type->kind), got);
}

static bool read_array(struct json_decoder *decoder, struct json_nested *nested, struct evs_slice text)
{
    struct evs_nested_builder *builder = &nested->builder;
    evs_nested_begin_array(builder, nested->type->element->kind);
    struct evs_json_walk walk = evs_json_walk(text);
    struct evs_slice key, element;
    while (evs_json_walk_next(&walk, &key, &element)) {
        struct evs_value value;
        if (!read_value(decoder, nested->parts[0], element, &value)) {
            return false;
        }
        evs_nested_add(builder, &value);
    }
    return true;
}

/* Which field a key names; -1: none. */
static int32_t field_of(struct json_decoder *decoder, const struct json_nested *nested, struct evs_slice key)
{
    struct evs_slice name = {key.data + 1, key.count - 2};
    if (evs_json_has_escape(name)) {
        uint32_t count;
        char *plain = evs_arena_alloc(&decoder->scratch, name.count, 1);
        if (!evs_json_unescape(name, plain, &count)) {
            return -1;
        }
        name = (struct evs_slice){plain, count};
    }
    for (uint32_t i = 0; i < nested->part_count; i++) {
        const char *field = nested->type->fields[i].name;
        if (field[0] != '\0' && evs_slice_equal(name, evs_slice_of(field))) {
            return (int32_t)i;
        }
    }
    return -1;
}

static void find_fields(struct json_decoder *decoder, struct json_nested *nested, struct evs_slice text)
{
    memset(nested->found, 0, sizeof *nested->found * nested->part_count);
    struct evs_json_walk walk = evs_json_walk(text);
    struct evs_slice key, value;
    while (evs_json_walk_next(&walk, &key, &value)) {
        int32_t field = field_of(decoder, nested, key);
        if (field >= 0 && nested->found[field].count == 0) {
            nested->found[field] = value;
        }
    }
    evs_arena_reset(&decoder->scratch);
}

static bool read_struct(struct json_decoder *decoder, struct json_nested *nested, struct evs_slice text)
{
    find_fields(decoder, nested, text);
    evs_nested_begin_struct(&nested->builder, nested->type);
    for (uint32_t i = 0; i < nested->part_count; i++) {
        struct evs_value value = {.is_null = true};
        if (nested->found[i].count > 0 && !read_value(decoder, nested->parts[i], nested->found[i], &value)) {
            return false;
        }
        evs_nested_add(&nested->builder, &value);
    }
    return true;
}

bool evs_json_read_nested(struct json_decoder *decoder, struct json_nested *nested, struct evs_slice text,
                          struct evs_str *result)
{
    EVS_ASSERT(evs_kind_is_nested(nested->type->kind));
    bool is_array = nested->type->kind == EVS_ARRAY;
    if (text.data[0] != (is_array ? '[' : '{')) {
        return bad_form(decoder, nested, text);
    }
    if (!(is_array ? read_array(decoder, nested, text) : read_struct(decoder, nested, text))) {
        return false;
    }
    *result = evs_nested_finish(&nested->builder, decoder->arena);
    return true;
}

static bool read_value(struct json_decoder *decoder, struct json_nested *nested, struct evs_slice text,
                       struct evs_value *value)
{
    *value = (struct evs_value){.kind = nested->type->kind, .is_null = text.data[0] == 'n'};
    if (value->is_null) {
        return true;
    }
    if (evs_kind_is_nested(nested->type->kind)) {
        return evs_json_read_nested(decoder, nested, text, &value->str);
    }
    bool is_container = text.data[0] == '{' || text.data[0] == '[';
    if (is_container && nested->type->kind == EVS_JSON) {
        value->str = evs_str_make(text.data, (uint32_t)text.count);
        return true;
    }
    bool ignored;
    if (is_container || !evs_json_read_leaf(decoder, &nested->leaf, text, &ignored)) {
        return is_container ? bad_form(decoder, nested, text) : false;
    }
    *value = evs_column_value(&nested->target, 0);
    return true;
}
