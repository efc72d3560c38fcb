/* Writers: what an operator says at a barrier, kept by column. */
#include "snapshot.h"

bool evs_snapshot_takes(const struct evs_snapshot_writer *writer, uint64_t hash)
{
    return !evs_ranges_hold(writer->leaves_out, evs_range_of(hash));
}

void evs_snapshot_put(struct evs_snapshot_writer *writer, uint32_t section, enum evs_record_kind kind, uint64_t hash,
                      struct evs_slice fixed, struct evs_slice variable)
{
    EVS_ASSERT(section < EVS_SECTIONS_MAX);
    if (!evs_snapshot_takes(writer, hash)) {
        return;
    }
    struct evs_section *s = &writer->sections[section];
    EVS_ASSERT(s->count == 0 || s->fixed_bytes == fixed.count);
    EVS_ASSERT(variable.count <= UINT32_MAX);
    s->fixed_bytes = (uint32_t)fixed.count;
    uint8_t kind_byte = (uint8_t)kind;
    uint32_t variable_count = (uint32_t)variable.count;
    evs_buffer_put(&s->kinds, &kind_byte, 1);
    evs_buffer_put(&s->hashes, &hash, 8);
    evs_buffer_put(&s->fixed, fixed.data, fixed.count);
    evs_buffer_put(&s->variable_counts, &variable_count, 4);
    evs_buffer_put(&s->variable, variable.data, variable.count);
    s->count++;
}

void evs_snapshot_writer_clear(struct evs_snapshot_writer *writer)
{
    for (uint32_t i = 0; i < EVS_SECTIONS_MAX; i++) {
        struct evs_section *s = &writer->sections[i];
        s->count = 0;
        s->kinds.count = s->hashes.count = s->fixed.count = s->variable_counts.count = s->variable.count = 0;
    }
}

void evs_snapshot_writer_fini(struct evs_snapshot_writer *writer)
{
    for (uint32_t i = 0; i < EVS_SECTIONS_MAX; i++) {
        struct evs_section *s = &writer->sections[i];
        evs_buffer_fini(&s->kinds);
        evs_buffer_fini(&s->hashes);
        evs_buffer_fini(&s->fixed);
        evs_buffer_fini(&s->variable_counts);
        evs_buffer_fini(&s->variable);
    }
    *writer = (struct evs_snapshot_writer){0};
}

uint64_t evs_snapshot_writer_bytes(const struct evs_snapshot_writer *writer)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < EVS_SECTIONS_MAX; i++) {
        const struct evs_section *s = &writer->sections[i];
        bytes += (uint64_t)s->count * (13 + s->fixed_bytes) + s->variable.count;
    }
    return bytes;
}
