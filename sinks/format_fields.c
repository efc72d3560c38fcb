#include "format_fields.h"

#include "evstream/json_value.h"
#include "value_text.h"

#define FIELD_NULL UINT32_MAX
#define HEAD_BYTES 7u

/* --- encoding ----------------------------------------------------------------------------------------------------------------- */

static void put_text(struct evs_buffer *out, const struct evs_column *column, const struct evs_type *type, uint32_t row)
{
    struct evs_slice text;
    struct evs_value value;
    switch (type->kind) {
    case EVS_STRING:
    case EVS_BYTES:
    case EVS_JSON:
        text = evs_str_slice(EVS_COLUMN_AT(column, struct evs_str, row));
        evs_buffer_put(out, text.data, text.count);
        return;
    case EVS_ARRAY:
    case EVS_STRUCT:
        value = evs_column_value(column, row);
        evs_json_put_value(out, &value, type, 0);
        return;
    case EVS_INTERVAL:
        evs_buffer_reserve(out, EVS_FORMAT_MAX);
        out->count += evs_format_duration(out->data + out->count, EVS_COLUMN_AT(column, struct evs_interval, row));
        return;
    default:
        evs_buffer_reserve(out, EVS_FORMAT_MAX);
        out->count += evs_text_of_value(out->data + out->count, column, type->kind, row);
    }
}

static void put_field(struct evs_buffer *out, const struct evs_field *field, const struct evs_column *column,
                      uint32_t row)
{
    uint8_t kind = (uint8_t)field->type->kind;
    uint16_t name_bytes = (uint16_t)strlen(field->name);
    uint32_t value_bytes = FIELD_NULL;
    evs_buffer_put(out, &kind, sizeof kind);
    evs_buffer_put(out, &name_bytes, sizeof name_bytes);
    size_t at = out->count;
    evs_buffer_put(out, &value_bytes, sizeof value_bytes);
    evs_buffer_put(out, field->name, name_bytes);
    if (evs_column_is_valid(column, row)) {
        size_t first = out->count;
        put_text(out, column, field->type, row);
        value_bytes = (uint32_t)(out->count - first);
        memcpy(out->data + at, &value_bytes, sizeof value_bytes);
    }
}

static void fields_encode(const void *config, const struct evs_schema *schema, const struct evs_batch *batch,
                          uint32_t row, const struct evs_format_place *place, struct evs_buffer *payload)
{
    (void)config, (void)place;
    for (uint32_t i = 0; i < schema->count; i++) {
        put_field(payload, &schema->fields[i], &batch->columns[i], row);
    }
}

/* --- decoding ----------------------------------------------------------------------------------------------------------------- */

bool evs_fields_next(struct evs_slice *payload, struct evs_field_text *field)
{
    uint16_t name_bytes;
    uint32_t value_bytes;
    if (payload->count < HEAD_BYTES) {
        return false;
    }
    uint8_t kind = (uint8_t)payload->data[0];
    memcpy(&name_bytes, payload->data + 1, sizeof name_bytes);
    memcpy(&value_bytes, payload->data + 3, sizeof value_bytes);
    bool is_null = value_bytes == FIELD_NULL;
    size_t bytes = HEAD_BYTES + (size_t)name_bytes + (is_null ? 0 : value_bytes);
    if (kind >= EVS_KIND_COUNT || payload->count < bytes) {
        return false;
    }
    const char *name = payload->data + HEAD_BYTES;
    *field = (struct evs_field_text){.kind = (enum evs_kind)kind,
                                     .is_null = is_null,
                                     .name = {name, name_bytes},
                                     .value = {name + name_bytes, is_null ? 0 : value_bytes}};
    *payload = (struct evs_slice){payload->data + bytes, payload->count - bytes};
    return true;
}

/* --- for people --------------------------------------------------------------------------------------------------------------- */

static bool is_bare(const struct evs_field_text *field)
{
    bool is_number = field->kind == EVS_INT64 || field->kind == EVS_NUMERIC || field->kind == EVS_BOOL;
    bool is_finite = field->kind == EVS_FLOAT64 && strchr("-0123456789", field->value.data[0]) != NULL &&
                     field->value.data[field->value.count - 1] != 'y'; /* Infinity */
    return is_number || is_finite || field->kind == EVS_JSON || evs_kind_is_nested(field->kind);
}

static void put_json_field(struct evs_buffer *json, const struct evs_field_text *field)
{
    evs_json_put_text(json, field->name);
    evs_buffer_puts(json, ":");
    if (field->is_null) {
        evs_buffer_puts(json, "null");
    } else if (field->kind == EVS_BYTES) {
        struct evs_value value = {.kind = EVS_BYTES,
                                  .str = evs_str_make(field->value.data, (uint32_t)field->value.count)};
        evs_json_put_value(json, &value, evs_type_of(EVS_BYTES), 0);
    } else if (is_bare(field)) {
        evs_buffer_put(json, field->value.data, field->value.count);
    } else {
        evs_json_put_text(json, field->value);
    }
}

static bool fields_describe(struct evs_slice payload, struct evs_buffer *json)
{
    struct evs_field_text field;
    bool is_first = true;
    evs_buffer_puts(json, "{");
    for (; evs_fields_next(&payload, &field); is_first = false) {
        evs_buffer_puts(json, is_first ? "" : ",");
        put_json_field(json, &field);
    }
    evs_buffer_puts(json, "}");
    return payload.count == 0;
}

static const struct evs_option no_options[] = {{.name = NULL}};

const struct evs_format evs_format_fields = {
    .kind = "columns",
    .options = no_options,
    .encode = fields_encode,
    .describe = fields_describe,
};
