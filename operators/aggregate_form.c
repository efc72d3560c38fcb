#include "aggregate_form.h"

#include "evstream/type.h"

enum { FLAG_DISTINCT = 1, FLAG_IGNORE_NULLS = 2 };

struct head {
    uint8_t kind, flags, result, argument_count;
};

void evs_agg_form_write(const struct evs_aggregate_call *call, struct evs_buffer *out)
{
    uint32_t count =
        call->argument_count < EVS_AGG_FORM_ARGUMENTS_MAX ? call->argument_count : EVS_AGG_FORM_ARGUMENTS_MAX;
    const struct head head = {
        .kind = (uint8_t)call->kind,
        .flags = (uint8_t)((call->is_distinct ? FLAG_DISTINCT : 0) | (call->ignore_nulls ? FLAG_IGNORE_NULLS : 0)),
        .result = (uint8_t)call->result_type->kind,
        .argument_count = (uint8_t)count,
    };
    evs_buffer_put(out, &head, sizeof head);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t kind = (uint8_t)call->types[i]->kind;
        evs_buffer_put(out, &kind, 1);
    }
}

/* Of arrays and structs the kind says how they lie; what is in them is not needed. */
static const struct evs_type *type_of(uint8_t kind)
{
    static const struct evs_type array = {.kind = EVS_ARRAY}, structure = {.kind = EVS_STRUCT};
    return kind == EVS_ARRAY ? &array : kind == EVS_STRUCT ? &structure : evs_type_of((enum evs_kind)kind);
}

static bool is_kind(uint8_t kind)
{
    return kind > EVS_NULL_KIND && kind < EVS_KIND_COUNT;
}

bool evs_agg_form_read(struct evs_slice bytes, struct evs_agg_form *form)
{
    struct head head;
    if (bytes.count < sizeof head) {
        return false;
    }
    memcpy(&head, bytes.data, sizeof head);
    if (head.kind >= EVS_AGG_KINDS || !is_kind(head.result) || head.argument_count > EVS_AGG_FORM_ARGUMENTS_MAX ||
        bytes.count != sizeof head + head.argument_count) {
        return false;
    }
    *form = (struct evs_agg_form){0};
    for (uint32_t i = 0; i < head.argument_count; i++) {
        uint8_t kind = (uint8_t)bytes.data[sizeof head + i];
        if (!is_kind(kind)) {
            return false;
        }
        form->types[i] = type_of(kind);
    }
    form->call = (struct evs_aggregate_call){
        .kind = (enum evs_aggregate_kind)head.kind,
        .arguments = form->arguments,
        .types = form->types,
        .argument_count = head.argument_count,
        .condition = -1,
        .result_type = type_of(head.result),
        .is_distinct = (head.flags & FLAG_DISTINCT) != 0,
        .ignore_nulls = (head.flags & FLAG_IGNORE_NULLS) != 0,
        .limit = -1,
        .bytes_max = UINT64_MAX,
    };
    return true;
}
