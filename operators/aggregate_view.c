#include "aggregate_view.h"

#include "aggregate_form.h"
#include "aggregate_record.h"
#include "evstream/json_value.h"

#define SECTION_GROUPS 0

static void put_time(struct evs_buffer *out, const char *name, int64_t us)
{
    if (us != EVS_TIME_MIN && us != EVS_TIME_MAX) {
        char time[EVS_FORMAT_MAX];
        uint32_t count = evs_format_timestamp(time, us);
        evs_buffer_printf(out, ",\"%s\":\"%.*s\"", name, (int)count, time);
    }
}

/* Long texts lie behind each other in `rest`, in the order of the accumulators: loading one takes its own. */
static void put_value(struct agg_call *call, struct evs_table *table, const uint8_t *at, struct evs_slice *rest,
                      struct evs_buffer *out)
{
    uint8_t *values = evs_alloc_zero(call->bytes + 8u);
    struct evs_arena arena = {0};
    struct evs_value value;
    bool is_shown = evs_agg_load_at(call, table, values, at, rest) && !call->has_parts &&
                    evs_agg_result(call, values, &arena, &value) == EVS_AGG_FITS && value.kind != EVS_ARRAY &&
                    value.kind != EVS_STRUCT;
    if (is_shown) {
        evs_json_put_value(out, &value, call->config->result_type, 0);
    } else {
        evs_buffer_puts(out, "\"(not shown)\"");
    }
    evs_arena_fini(&arena);
    evs_free(values);
}

static void put_values(const struct evs_state_shape *shape, const uint8_t *at, struct evs_slice rest,
                       struct evs_buffer *out)
{
    enum evs_kind none = EVS_INT64;
    struct evs_table_layout layout;
    struct evs_table table;
    evs_table_layout_init(&layout, &none, 0, 8);
    evs_table_init(&table, &layout);
    evs_buffer_puts(out, ",\"values\":{");
    for (uint32_t i = 0; i < shape->columns.count; i++) {
        struct evs_agg_form form;
        if (!evs_agg_form_read(shape->columns.items[i].form, &form)) {
            break;
        }
        struct agg_call call = evs_agg_call(&form.call, 0);
        evs_buffer_puts(out, i > 0 ? "," : "");
        evs_json_put_text(out, evs_slice_of(shape->columns.items[i].text));
        evs_buffer_puts(out, ":");
        put_value(&call, &table, at, &rest, out);
        at += call.bytes;
        evs_agg_call_fini(&call);
    }
    evs_buffer_puts(out, "}");
    evs_table_fini(&table);
}

static bool values_bytes(const struct evs_state_shape *shape, size_t *bytes)
{
    *bytes = 0;
    for (uint32_t i = 0; i < shape->columns.count; i++) {
        struct evs_agg_form form;
        if (!evs_agg_form_read(shape->columns.items[i].form, &form)) {
            return false;
        }
        struct agg_call call = evs_agg_call(&form.call, 0);
        *bytes += call.bytes;
        evs_agg_call_fini(&call);
    }
    return true;
}

/* The accumulators are the last of the fixed bytes; between them and the key lies what the operator has of its own. */
bool evs_aggregate_view(const struct evs_state_shape *shape, const struct evs_snapshot_record *record,
                        uint32_t key_bytes, struct evs_slice rest, struct evs_buffer *out)
{
    struct agg_head head;
    size_t bytes;
    if (record->section != SECTION_GROUPS || !values_bytes(shape, &bytes) ||
        record->fixed.count < sizeof head + key_bytes + bytes) {
        return false;
    }
    memcpy(&head, record->fixed.data, sizeof head);
    put_time(out, "from", head.start_us);
    put_time(out, "to", head.end_us);
    if (record->kind == EVS_RECORD_PUT) {
        uint8_t *aligned = evs_alloc(bytes + 1);
        memcpy(aligned, record->fixed.data + record->fixed.count - bytes, bytes);
        put_values(shape, aligned, rest, out);
        evs_free(aligned);
    }
    return true;
}
