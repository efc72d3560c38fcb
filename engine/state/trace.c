/* Looking for a text in stored state: in every record that counts, as it is after decompression. */
#include <string.h>

#include "evstream/state.h"
#include "record.h"
#include "snapshot.h"

struct tracing {
    struct evs_state_trace *trace;
    uint64_t checkpoint;
    bool outbox;
};

static bool wants(void *argument, const struct evs_section_header *header, uint64_t hash)
{
    const struct tracing *tracing = argument;
    return tracing->outbox || evs_sweep_needs(tracing->trace->sweep, tracing->checkpoint, header->full, hash);
}

static bool holds(struct evs_slice bytes, struct evs_slice text)
{
    return bytes.count > 0 && memmem(bytes.data, bytes.count, text.data, text.count) != NULL;
}

static void found(struct evs_state_trace *trace, struct evs_slice name)
{
    for (uint32_t i = 0; i < trace->count; i++) {
        if (evs_slice_equal(name, evs_slice_of(trace->places[i].name))) {
            trace->places[i].records++;
            return;
        }
    }
    EVS_GROW(trace->places, trace->count, trace->capacity);
    trace->places[trace->count++] = (struct evs_state_place){evs_strndup(name.data, name.count), 1};
}

static evs_status take(void *argument, const struct evs_section_header *header,
                       const struct evs_snapshot_record *record, struct evs_error *error)
{
    const struct tracing *tracing = argument;
    (void)error;
    if (record->kind == EVS_RECORD_PUT &&
        (holds(record->fixed, tracing->trace->text) || holds(record->variable, tracing->trace->text))) {
        found(tracing->trace, header->operator_name);
    }
    return EVS_OK;
}

static void clear(struct evs_state_trace *trace)
{
    struct evs_error ignored;
    for (uint32_t i = 0; i < trace->count; i++) {
        evs_free(trace->places[i].name);
    }
    if (trace->reader != NULL) {
        (void)!evs_block_reader_end(trace->reader, &ignored);
    }
    evs_free(trace->places);
    evs_free(trace->reader);
    evs_free(trace->sweep);
    *trace = (struct evs_state_trace){.text = trace->text};
}

evs_status evs_state_trace_begin(struct evs_state_trace *trace, struct evs_slice record, struct evs_error *error)
{
    struct evs_arena arena = {0};
    struct evs_record decoded;
    clear(trace);
    evs_status status = evs_record_decode(record, &arena, &decoded, error);
    if (status == EVS_OK) {
        struct evs_block_reader *reader = evs_alloc_zero(sizeof *reader);
        reader->wants = wants;
        trace->reader = reader;
        trace->sweep = evs_alloc_zero(sizeof decoded.sweep);
        memcpy(trace->sweep, &decoded.sweep, sizeof decoded.sweep);
    }
    evs_arena_fini(&arena);
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}

evs_status evs_state_trace_block(struct evs_state_trace *trace, bool outbox, uint64_t checkpoint,
                                 struct evs_slice block, struct evs_error *error)
{
    struct tracing tracing = {trace, checkpoint, outbox};
    evs_status status = evs_block_read(trace->reader, block, take, &tracing, error);
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}

void evs_state_trace_fini(struct evs_state_trace *trace)
{
    clear(trace);
}

bool evs_state_erased(struct evs_slice record, uint64_t id, uint64_t *records)
{
    struct evs_arena arena = {0};
    struct evs_record decoded;
    struct evs_error ignored;
    bool is_done = false;
    if (evs_record_decode(record, &arena, &decoded, &ignored) == EVS_OK) {
        for (uint32_t i = 0; i < decoded.erased_count && !is_done; i++) {
            is_done = decoded.erased[i].id == id;
            *records = decoded.erased[i].records;
        }
    }
    evs_arena_fini(&arena);
    return is_done;
}
