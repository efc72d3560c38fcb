/* Writers: what an operator says at a barrier, kept by column. */
#include "snapshot.h"

#include "evstream/table.h"

bool evs_snapshot_takes(const struct evs_snapshot_writer *writer, uint64_t hash)
{
    return !evs_ranges_hold(writer->leaves_out, evs_range_of(hash));
}

_Static_assert(EVS_RANGES == 1u << 8, "a range is the top 8 bits of a place");
#define RANGE_SHIFT 56

static uint64_t first_place(uint32_t range)
{
    return (uint64_t)range << RANGE_SHIFT;
}

static uint64_t last_place(uint32_t range)
{
    return first_place(range) | (first_place(1) - 1);
}

void evs_snapshot_walk(const struct evs_snapshot_writer *writer, const struct evs_table *table, evs_table_see see,
                       void *argument)
{
    struct evs_ranges taken = evs_ranges_others(writer->leaves_out);
    uint32_t end = taken.first + taken.count;
    if (taken.count > 0 && end <= EVS_RANGES) {
        evs_table_walk(table, first_place(taken.first), last_place(end - 1), see, argument);
    } else if (taken.count > 0) { /* around the end */
        evs_table_walk(table, first_place(taken.first), UINT64_MAX, see, argument);
        evs_table_walk(table, 0, last_place(end - EVS_RANGES - 1), see, argument);
    }
}

/* A table is at most half full, so two slots are an entry, roughly. */
static uint64_t places_of(const struct evs_table *table, uint32_t entries)
{
    bool is_all = ((uint64_t)entries * 2) >> (64u - table->shift) != 0;
    return is_all ? UINT64_MAX : ((uint64_t)entries * 2) << table->shift;
}

bool evs_snapshot_walk_some(const struct evs_snapshot_writer *writer, const struct evs_table *table,
                            struct evs_snapshot_at *at, uint32_t *entries, evs_table_see see, void *argument)
{
    struct evs_ranges taken = evs_ranges_others(writer->leaves_out);
    EVS_ASSERT(*entries > 0);
    while (*entries > 0 && at->ranges < taken.count) {
        uint32_t range = (taken.first + at->ranges) & (EVS_RANGES - 1);
        uint64_t first = first_place(range) + at->places, last = last_place(range);
        uint64_t step = places_of(table, *entries);
        if (step <= last - first) {
            last = first + step - 1;
            at->places += step;
        } else {
            *at = (struct evs_snapshot_at){.ranges = at->ranges + 1};
        }
        evs_table_walk(table, first, last, see, argument);
        uint64_t walked = ((last - first) >> table->shift) / 2 + 1;
        *entries -= walked < *entries ? (uint32_t)walked : *entries;
    }
    if (at->ranges < taken.count) {
        *entries = 0;
        return true;
    }
    return false;
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

#define KEPT_BYTES ((size_t)1 << 20) /* of a buffer, whatever was used of it */

/* A checkpoint of everything, the first of a large state, needs much that the next ones do not. */
static void clear(struct evs_buffer *buffer)
{
    if (buffer->capacity > KEPT_BYTES && buffer->count < buffer->capacity / 4) {
        evs_buffer_fini(buffer);
    }
    buffer->count = 0;
}

void evs_snapshot_writer_clear(struct evs_snapshot_writer *writer)
{
    for (uint32_t i = 0; i < EVS_SECTIONS_MAX; i++) {
        struct evs_section *s = &writer->sections[i];
        s->count = 0;
        clear(&s->kinds);
        clear(&s->hashes);
        clear(&s->fixed);
        clear(&s->variable_counts);
        clear(&s->variable);
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
