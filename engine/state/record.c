/* The commit record's encoding; one pair of functions a struct, in the same order. */
#include "record.h"

#include "shape.h"

#define RECORD_MAGIC 0x52535645u /* "EVSR" */
/* 1 had no copies of ranges: there is one snapshot, with which the log begins. 2 had no shapes of operators. 3 had no receipts of sinks, 4 no erasures. */
#define RECORD_FORMAT 5

/* --- writing --- */

static void put_u8(struct evs_buffer *out, uint8_t value)
{
    evs_buffer_put(out, &value, 1);
}
static void put_u32(struct evs_buffer *out, uint32_t value)
{
    evs_buffer_put(out, &value, 4);
}
static void put_u64(struct evs_buffer *out, uint64_t value)
{
    evs_buffer_put(out, &value, 8);
}
static void put_name(struct evs_buffer *out, const char *name)
{
    size_t count = strlen(name);
    EVS_ASSERT(count <= UINT16_MAX);
    uint16_t count16 = (uint16_t)count;
    evs_buffer_put(out, &count16, 2);
    evs_buffer_put(out, name, count);
}

static void put_partition(struct evs_buffer *out, const struct evs_record_partition *partition)
{
    const struct evs_position *position = &partition->position;
    put_u32(out, position->partition);
    put_u64(out, position->sequence);
    put_u64(out, position->byte_offset);
    put_u64(out, position->next_index);
    put_u64(out, (uint64_t)position->time_us);
    put_u32(out, position->fingerprint);
    put_u64(out, (uint64_t)position->log_created_us);
    put_u64(out, (uint64_t)partition->watermark_us);
    put_u64(out, (uint64_t)partition->max_time_us);
}

static void put_source(struct evs_buffer *out, const struct evs_record_source *source)
{
    put_name(out, source->name);
    put_u8(out, source->finished);
    put_u64(out, (uint64_t)source->frontier_us);
    put_u32(out, source->partition_count);
    for (uint32_t i = 0; i < source->partition_count; i++) {
        put_partition(out, &source->partitions[i]);
    }
}

/* Behind its size; none is of size 0. */
static void put_shape(struct evs_buffer *out, const struct evs_state_shape *shape)
{
    size_t at = out->count;
    put_u32(out, 0);
    if (shape != NULL) {
        evs_shape_encode(shape, out);
    }
    uint32_t bytes = (uint32_t)(out->count - at - sizeof bytes);
    memcpy(out->data + at, &bytes, sizeof bytes);
}

static void put_node(struct evs_buffer *out, const struct evs_record_node *node)
{
    put_name(out, node->name);
    put_u64(out, node->identity);
    put_u32(out, node->version);
    put_u64(out, (uint64_t)node->watermark_us);
    put_shape(out, node->shape);
}

static void put_receipt(struct evs_buffer *out, const struct evs_sink_receipt *receipt)
{
    put_u8(out, receipt->is_known);
    put_u64(out, receipt->floor);
    put_u64(out, receipt->sequence);
    put_u32(out, receipt->fingerprint);
    put_u64(out, (uint64_t)receipt->log_created_us);
}

static void put_sink(struct evs_buffer *out, const struct evs_record_sink *sink)
{
    put_name(out, sink->name);
    put_u32(out, sink->lane_count);
    for (uint32_t i = 0; i < sink->lane_count; i++) {
        put_u32(out, sink->lanes[i].lane);
        put_u64(out, sink->lanes[i].last);
        put_u64(out, sink->lanes[i].cursor);
        put_u64(out, sink->lanes[i].offset);
        put_receipt(out, &sink->lanes[i].receipt);
    }
}

static uint32_t sweep_run(const struct evs_sweep *sweep, uint32_t from)
{
    const struct evs_range_copy *first = &sweep->copies[(sweep->next + from) & (EVS_RANGES - 1)];
    uint32_t count = 1;
    while (from + count < EVS_RANGES) {
        const struct evs_range_copy *copy = &sweep->copies[(sweep->next + from + count) & (EVS_RANGES - 1)];
        if (copy->checkpoint != first->checkpoint || copy->bytes != first->bytes) {
            break;
        }
        count++;
    }
    return count;
}

/* Runs of ranges that were copied together, the oldest first. */
static void put_sweep(struct evs_buffer *out, const struct evs_sweep *sweep)
{
    put_u64(out, sweep->credit_bytes);
    put_u32(out, sweep->next);
    for (uint32_t at = 0, count; at < EVS_RANGES; at += count) {
        const struct evs_range_copy *copy = &sweep->copies[(sweep->next + at) & (EVS_RANGES - 1)];
        count = sweep_run(sweep, at);
        put_u32(out, count);
        put_u64(out, copy->checkpoint);
        put_u64(out, copy->bytes);
    }
}

static void put_erasures(struct evs_buffer *out, const struct evs_record *record)
{
    put_u32(out, record->erasure_count);
    for (uint32_t i = 0; i < record->erasure_count; i++) {
        put_name(out, record->erasures[i].value);
        put_name(out, record->erasures[i].column);
        put_u64(out, record->erasures[i].id);
    }
    put_u32(out, record->erased_count);
    for (uint32_t i = 0; i < record->erased_count; i++) {
        put_u64(out, record->erased[i].id);
        put_u64(out, record->erased[i].checkpoint);
        put_u64(out, record->erased[i].records);
    }
}

void evs_record_encode(const struct evs_record *record, struct evs_buffer *out)
{
    size_t start = out->count;
    put_u32(out, RECORD_MAGIC);
    put_u32(out, RECORD_FORMAT);
    put_u64(out, record->checkpoint);
    put_u64(out, record->plan_hash);
    put_u64(out, record->incarnation.low);
    put_u64(out, record->incarnation.high);
    put_u8(out, record->finished);
    put_u32(out, record->split_version);
    put_u32(out, record->key_version);
    put_u64(out, record->events);
    put_u64(out, record->rows_out);
    put_u64(out, record->late);
    put_u64(out, record->dead);
    put_u32(out, record->source_count);
    for (uint32_t i = 0; i < record->source_count; i++) {
        put_source(out, &record->sources[i]);
    }
    put_u32(out, record->node_count);
    for (uint32_t i = 0; i < record->node_count; i++) {
        put_node(out, &record->nodes[i]);
    }
    put_u32(out, record->sink_count);
    for (uint32_t i = 0; i < record->sink_count; i++) {
        put_sink(out, &record->sinks[i]);
    }
    put_sweep(out, &record->sweep);
    put_erasures(out, record);
    put_u32(out, evs_crc32c(0, out->data + start, out->count - start));
}

/* --- reading: a reader that has run past its end gives zeros and remembers it --- */

struct reader {
    const char *at, *end;
    struct evs_arena *arena;
    uint32_t format;
    bool failed;
};

static void take(struct reader *reader, void *to, size_t count)
{
    if ((size_t)(reader->end - reader->at) < count) {
        reader->failed = true;
        memset(to, 0, count);
        return;
    }
    memcpy(to, reader->at, count);
    reader->at += count;
}
static uint8_t take_u8(struct reader *reader)
{
    uint8_t value;
    take(reader, &value, 1);
    return value;
}
static uint32_t take_u32(struct reader *reader)
{
    uint32_t value;
    take(reader, &value, 4);
    return value;
}
static uint64_t take_u64(struct reader *reader)
{
    uint64_t value;
    take(reader, &value, 8);
    return value;
}
static const char *take_name(struct reader *reader)
{
    uint16_t count;
    take(reader, &count, 2);
    if ((size_t)(reader->end - reader->at) < count) {
        reader->failed = true;
        return "";
    }
    const char *name = evs_arena_strndup(reader->arena, reader->at, count);
    reader->at += count;
    return name;
}
/* A list's count, refused when even one byte an element would not fit. */
static uint32_t take_count(struct reader *reader)
{
    uint32_t count = take_u32(reader);
    if (count > (size_t)(reader->end - reader->at)) {
        reader->failed = true;
        return 0;
    }
    return count;
}

static void take_partition(struct reader *reader, struct evs_record_partition *partition)
{
    struct evs_position *position = &partition->position;
    position->partition = take_u32(reader);
    position->sequence = take_u64(reader);
    position->byte_offset = take_u64(reader);
    position->next_index = take_u64(reader);
    position->time_us = (int64_t)take_u64(reader);
    position->fingerprint = take_u32(reader);
    position->log_created_us = (int64_t)take_u64(reader);
    partition->watermark_us = (int64_t)take_u64(reader);
    partition->max_time_us = (int64_t)take_u64(reader);
}

static void take_source(struct reader *reader, struct evs_record_source *source)
{
    source->name = take_name(reader);
    source->finished = take_u8(reader) != 0;
    source->frontier_us = (int64_t)take_u64(reader);
    source->partition_count = take_count(reader);
    source->partitions = EVS_ARENA_ARRAY(reader->arena, struct evs_record_partition, source->partition_count + 1);
    for (uint32_t i = 0; i < source->partition_count; i++) {
        take_partition(reader, &source->partitions[i]);
    }
}

static const struct evs_state_shape *take_shape(struct reader *reader)
{
    uint32_t bytes = reader->format > 2 ? take_count(reader) : 0;
    if (bytes == 0) {
        return NULL;
    }
    const struct evs_state_shape *shape = evs_shape_decode((struct evs_slice){reader->at, bytes}, reader->arena);
    reader->failed = reader->failed || shape == NULL;
    reader->at += bytes;
    return shape;
}

static void take_node(struct reader *reader, struct evs_record_node *node)
{
    node->name = take_name(reader);
    node->identity = take_u64(reader);
    node->version = take_u32(reader);
    node->watermark_us = (int64_t)take_u64(reader);
    node->shape = take_shape(reader);
}

static void take_receipt(struct reader *reader, struct evs_sink_receipt *receipt)
{
    *receipt = (struct evs_sink_receipt){0};
    if (reader->format > 3) {
        receipt->is_known = take_u8(reader) != 0;
        receipt->floor = take_u64(reader);
        receipt->sequence = take_u64(reader);
        receipt->fingerprint = take_u32(reader);
        receipt->log_created_us = (int64_t)take_u64(reader);
    }
}

static void take_sink(struct reader *reader, struct evs_record_sink *sink)
{
    sink->name = take_name(reader);
    sink->lane_count = take_count(reader);
    sink->lanes = EVS_ARENA_ARRAY(reader->arena, struct evs_record_lane, sink->lane_count + 1);
    for (uint32_t i = 0; i < sink->lane_count; i++) {
        sink->lanes[i].lane = take_u32(reader);
        sink->lanes[i].last = take_u64(reader);
        sink->lanes[i].cursor = take_u64(reader);
        sink->lanes[i].offset = take_u64(reader);
        take_receipt(reader, &sink->lanes[i].receipt);
    }
}

static void take_lists(struct reader *reader, struct evs_record *record)
{
    record->source_count = take_count(reader);
    record->sources = EVS_ARENA_ARRAY(reader->arena, struct evs_record_source, record->source_count + 1);
    for (uint32_t i = 0; i < record->source_count; i++) {
        take_source(reader, &record->sources[i]);
    }
    record->node_count = take_count(reader);
    record->nodes = EVS_ARENA_ARRAY(reader->arena, struct evs_record_node, record->node_count + 1);
    for (uint32_t i = 0; i < record->node_count; i++) {
        take_node(reader, &record->nodes[i]);
    }
    record->sink_count = take_count(reader);
    record->sinks = EVS_ARENA_ARRAY(reader->arena, struct evs_record_sink, record->sink_count + 1);
    for (uint32_t i = 0; i < record->sink_count; i++) {
        take_sink(reader, &record->sinks[i]);
    }
}

static void take_sweep(struct reader *reader, struct evs_sweep *sweep)
{
    sweep->credit_bytes = take_u64(reader);
    sweep->next = take_u32(reader) & (EVS_RANGES - 1);
    for (uint32_t at = 0; at < EVS_RANGES && !reader->failed;) {
        uint32_t count = take_u32(reader);
        struct evs_range_copy copy = {.checkpoint = take_u64(reader)};
        copy.bytes = take_u64(reader);
        reader->failed = reader->failed || count == 0 || count > EVS_RANGES - at;
        for (uint32_t end = at + count; at < end && !reader->failed; at++) {
            sweep->copies[(sweep->next + at) & (EVS_RANGES - 1)] = copy;
        }
    }
}

static void take_erasures(struct reader *reader, struct evs_record *record)
{
    record->erasure_count = take_count(reader);
    record->erasures = EVS_ARENA_ARRAY(reader->arena, struct evs_record_erasure, record->erasure_count + 1u);
    for (uint32_t i = 0; i < record->erasure_count; i++) {
        record->erasures[i].value = take_name(reader);
        record->erasures[i].column = take_name(reader);
        record->erasures[i].id = take_u64(reader);
    }
    record->erased_count = take_count(reader);
    record->erased = EVS_ARENA_ARRAY(reader->arena, struct evs_record_erased, record->erased_count + 1u);
    for (uint32_t i = 0; i < record->erased_count; i++) {
        record->erased[i].id = take_u64(reader);
        record->erased[i].checkpoint = take_u64(reader);
        record->erased[i].records = take_u64(reader);
    }
}

static evs_status check_frame(struct evs_slice bytes, uint32_t *format, struct evs_error *error)
{
    uint32_t magic, crc;
    if (bytes.count < 12) {
        return evs_fail(error, EVS_E_CORRUPT, "the commit record is too short");
    }
    memcpy(&magic, bytes.data, 4);
    memcpy(format, bytes.data + 4, 4);
    memcpy(&crc, bytes.data + bytes.count - 4, 4);
    if (magic != RECORD_MAGIC) {
        return evs_fail(error, EVS_E_CORRUPT, "the commit record does not begin with EVSR");
    }
    if (*format == 0 || *format > RECORD_FORMAT) {
        return evs_fail(
            error, EVS_E_STATE,
            "the stored state has format %u; this evstream reads formats up to %d: run the version that wrote "
            "it, or a later one",
            *format, RECORD_FORMAT);
    }
    if (crc != evs_crc32c(0, bytes.data, bytes.count - 4)) {
        return evs_fail(error, EVS_E_CORRUPT, "the commit record's checksum is wrong");
    }
    return EVS_OK;
}

evs_status evs_record_decode(struct evs_slice bytes, struct evs_arena *arena, struct evs_record *record,
                             struct evs_error *error)
{
    uint32_t format = 0;
    evs_status status = check_frame(bytes, &format, error);
    if (status != EVS_OK) {
        return status;
    }
    struct reader reader = {bytes.data + 8, bytes.data + bytes.count - 4, arena, format, false};
    *record = (struct evs_record){0};
    record->checkpoint = take_u64(&reader);
    record->plan_hash = take_u64(&reader);
    record->incarnation.low = take_u64(&reader);
    record->incarnation.high = take_u64(&reader);
    record->finished = take_u8(&reader) != 0;
    record->split_version = take_u32(&reader);
    record->key_version = take_u32(&reader);
    record->events = take_u64(&reader);
    record->rows_out = take_u64(&reader);
    record->late = take_u64(&reader);
    record->dead = take_u64(&reader);
    take_lists(&reader, record);
    if (format > 1) {
        take_sweep(&reader, &record->sweep);
    }
    if (format > 4) {
        take_erasures(&reader, record);
    }
    if (reader.failed || reader.at != reader.end) {
        return evs_fail(error, EVS_E_CORRUPT, "the commit record does not decode");
    }
    return EVS_OK;
}
