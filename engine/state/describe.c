/* A commit record as text. */
#include "evstream/state.h"

#include <inttypes.h>
#include <string.h>

#include "match.h"
#include "record.h"

static void put_time(struct evs_buffer *text, int64_t us)
{
    char time[EVS_FORMAT_MAX];
    if (us == EVS_TIME_MIN) {
        evs_buffer_printf(text, "before the first row");
    } else if (us >= EVS_TIME_CUT) {
        evs_buffer_printf(text, "the end");
    } else {
        uint32_t count = evs_format_timestamp(time, us);
        evs_buffer_put(text, time, count);
    }
}

static void put_source(struct evs_buffer *text, const struct evs_record_source *source)
{
    evs_buffer_printf(text, "source %s%s\n", source->name, source->finished ? " (complete)" : "");
    for (uint32_t i = 0; i < source->partition_count; i++) {
        const struct evs_record_partition *partition = &source->partitions[i];
        evs_buffer_printf(text, "  partition %" PRIu32 ": message %" PRIu64 ", watermark ",
                          partition->position.partition, partition->position.sequence);
        put_time(text, partition->watermark_us);
        evs_buffer_printf(text, "\n");
    }
}

static void put_parts(struct evs_buffer *text, const char *what, const struct evs_state_parts *parts)
{
    for (uint32_t i = 0; i < parts->count; i++) {
        evs_buffer_printf(text, "%s%s", i == 0 ? what : ", ", parts->items[i].text);
    }
    evs_buffer_puts(text, parts->count > 0 ? "\n" : "");
}

static void put_holdings(struct evs_buffer *text, const struct evs_state_tally *tally, const char *name)
{
    for (uint32_t i = 0; tally != NULL && i < tally->count; i++) {
        const struct evs_state_count *count = &tally->counts[i];
        if (strcmp(count->name, name) == 0) {
            evs_buffer_printf(text,
                              "  at most %" PRIu64 " keys: a start reads %" PRIu64 " records of %" PRIu64 " bytes\n",
                              count->keys, count->records, count->bytes);
            return;
        }
    }
    evs_buffer_puts(text, tally != NULL ? "  nothing stored\n" : "");
}

static void put_node(struct evs_buffer *text, const struct evs_record_node *node, const struct evs_state_tally *tally)
{
    evs_buffer_printf(text, "operator %s\n", node->name);
    if (node->shape != NULL) {
        evs_buffer_printf(text, "  %s\n", node->shape->label);
        put_parts(text, "  keys     ", &node->shape->keys);
        put_parts(text, "  columns  ", &node->shape->columns);
    }
    put_holdings(text, tally, node->name);
    evs_buffer_printf(text, "  layout %" PRIu32 ", watermark ", node->version);
    put_time(text, node->watermark_us);
    evs_buffer_printf(text, "\n");
}

static void put_sink(struct evs_buffer *text, const struct evs_record_sink *sink)
{
    evs_buffer_printf(text, "sink %s\n", sink->name);
    for (uint32_t i = 0; i < sink->lane_count; i++) {
        const struct evs_record_lane *lane = &sink->lanes[i];
        if (lane->last == 0) { /* a sink of bytes */
            evs_buffer_printf(text, "  lane %" PRIu32 ": %" PRIu64 " bytes\n", lane->lane, lane->offset);
        } else {
            evs_buffer_printf(text, "  lane %" PRIu32 ": %" PRIu64 " messages, %" PRIu64 " delivered\n", lane->lane,
                              lane->last, lane->cursor);
        }
    }
}

static void put_counts(struct evs_buffer *text, const struct evs_record *record)
{
    evs_buffer_printf(text, "checkpoint  %" PRIu64 "%s\n", record->checkpoint,
                      record->finished ? ", the last one: the pipeline has finished" : "");
    evs_buffer_printf(
        text, "counted     %" PRIu64 " events, %" PRIu64 " rows out, %" PRIu64 " late, %" PRIu64 " dead letters\n",
        record->events, record->rows_out, record->late, record->dead);
    evs_buffer_printf(text, "copies      %" PRIu64 " bytes, the oldest of checkpoint %" PRIu64 "\n",
                      evs_sweep_state_bytes(&record->sweep), evs_sweep_begins(&record->sweep));
}

evs_status evs_state_describe(struct evs_slice bytes, struct evs_buffer *text, struct evs_error *error)
{
    return evs_state_describe_with(bytes, NULL, text, error);
}

evs_status evs_state_describe_with(struct evs_slice bytes, const struct evs_state_tally *tally, struct evs_buffer *text,
                                   struct evs_error *error)
{
    struct evs_arena arena = {0};
    struct evs_record record;
    evs_status status = evs_record_decode(bytes, &arena, &record, error);
    if (status == EVS_OK) {
        put_counts(text, &record);
        for (uint32_t i = 0; i < record.source_count; i++) {
            put_source(text, &record.sources[i]);
        }
        for (uint32_t i = 0; i < record.node_count; i++) {
            put_node(text, &record.nodes[i], tally);
        }
        for (uint32_t i = 0; i < record.sink_count; i++) {
            put_sink(text, &record.sinks[i]);
        }
    }
    evs_arena_fini(&arena);
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}

evs_status evs_state_compare(const struct evs_plan *plan, struct evs_slice bytes, struct evs_buffer *text, bool *loses,
                             struct evs_error *error)
{
    struct evs_arena arena = {0};
    struct evs_record record;
    struct evs_match match = {0};
    evs_status status = evs_record_decode(bytes, &arena, &record, error);
    if (status == EVS_OK && record.finished) {
        status =
            evs_fail(error, EVS_E_STATE,
                     "pipeline %s has finished: its input was complete and its windows are closed, so no version of it "
                     "can go on; to run it again, give it another name (`pipeline NAME;`)",
                     plan->pipeline);
    }
    if (status == EVS_OK) {
        status = evs_match_make(plan, &record, &arena, &match, error);
    }
    if (status == EVS_OK) {
        evs_match_describe(&match, text);
    }
    *loses = match.drops;
    evs_arena_fini(&arena);
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}

evs_status evs_state_facts(struct evs_slice bytes, struct evs_state_facts *facts, struct evs_error *error)
{
    struct evs_arena arena = {0};
    struct evs_record record;
    evs_status status = evs_record_decode(bytes, &arena, &record, error);
    if (status == EVS_OK) {
        *facts = (struct evs_state_facts){record.checkpoint, record.events, record.finished};
    }
    evs_arena_fini(&arena);
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}

evs_status evs_state_reborn(struct evs_slice bytes, const struct evs_os *os, struct evs_buffer *out,
                            uint64_t *checkpoint, uint64_t *state_from, struct evs_error *error)
{
    struct evs_arena arena = {0};
    struct evs_record record;
    evs_status status = evs_record_decode(bytes, &arena, &record, error);
    if (status == EVS_OK) {
        record.checkpoint++;
        record.incarnation = (struct evs_hash128){os->random.next(os->random.self), os->random.next(os->random.self)};
        *checkpoint = record.checkpoint;
        *state_from = evs_sweep_begins(&record.sweep);
        evs_record_encode(&record, out);
    }
    evs_arena_fini(&arena);
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}
