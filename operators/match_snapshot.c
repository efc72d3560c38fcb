/* How the state of match_recognize is stored.
 *
 * Section 0, pending rows: keyed_rows.h.
 * Section 1, partitions. Fixed: struct stored_partition and the key (key_store.h). Variable: long text of the key, then each row's mask and the row, which
 * begins with its length. A DELETE has no rows. */
#include "key_store.h"
#include "match_state.h"

enum { SECTION_PARTITIONS = 1 };

struct stored_partition {
    int64_t matches;
    uint32_t row_count, nulls;
    uint32_t is_first, reserved;
};
_Static_assert(offsetof(struct stored_partition, nulls) == 12 && sizeof(struct stored_partition) == 24 &&
                   SECTION_PARTITIONS == 1,
               "EVS_MATCH_STORED_KEY");

struct stored_deletion {
    uint64_t hash, fixed_bytes, variable_bytes;
};

static void put_partition(const struct match *match, uint32_t entry, struct evs_buffer *fixed,
                          struct evs_buffer *variable)
{
    const struct partition *partition = evs_match_partition(match, entry);
    struct evs_entry *at = evs_keyed_entry(&match->rows, entry);
    struct stored_partition stored = {partition->matches, partition->matching.count, at->nulls,
                                      partition->matching.is_first, 0};
    fixed->count = variable->count = 0;
    evs_buffer_put(fixed, &stored, sizeof stored);
    evs_key_store(&match->rows.table_layout, at, fixed, variable);
    for (uint32_t i = 0; i < partition->matching.count; i++) {
        const struct evs_keyed_row *row = partition->rows[partition->first + i];
        struct evs_slice bytes = evs_row_slice(&row->row);
        evs_buffer_put(variable, &row->mask, sizeof row->mask);
        evs_buffer_put(variable, bytes.data, bytes.count);
    }
}

static struct evs_slice slice_of(const struct evs_buffer *buffer)
{
    return (struct evs_slice){buffer->data, buffer->count};
}

void evs_match_remember_deleted(struct match *match, uint32_t entry)
{
    struct evs_buffer fixed = {0}, variable = {0};
    if (!match->is_durable) {
        return;
    }
    put_partition(match, entry, &fixed, &variable);
    struct stored_deletion deletion = {evs_keyed_entry(&match->rows, entry)->hash, fixed.count, variable.count};
    evs_buffer_put(&match->deleted, &deletion, sizeof deletion);
    evs_buffer_put(&match->deleted, fixed.data, fixed.count);
    evs_buffer_put(&match->deleted, variable.data, variable.count);
    evs_buffer_fini(&fixed);
    evs_buffer_fini(&variable);
}

static void write_deleted(struct match *match, struct evs_snapshot_writer *writer)
{
    for (size_t at = 0; at < match->deleted.count;) {
        struct stored_deletion deletion;
        memcpy(&deletion, match->deleted.data + at, sizeof deletion);
        const char *fixed = match->deleted.data + at + sizeof deletion;
        evs_snapshot_put(writer, SECTION_PARTITIONS, EVS_RECORD_DELETE, deletion.hash,
                         (struct evs_slice){fixed, deletion.fixed_bytes},
                         (struct evs_slice){fixed + deletion.fixed_bytes, deletion.variable_bytes});
        at += sizeof deletion + deletion.fixed_bytes + deletion.variable_bytes;
    }
    match->deleted.count = 0;
}

struct writing {
    struct match *match;
    struct evs_snapshot_writer *writer;
    struct evs_buffer fixed, variable;
};

static void write_partition(void *argument, uint32_t index, struct evs_entry *entry)
{
    struct writing *to = argument;
    struct partition *partition = evs_match_partition(to->match, index);
    if (partition->is_held) {
        put_partition(to->match, index, &to->fixed, &to->variable);
        evs_snapshot_put(to->writer, SECTION_PARTITIONS, EVS_RECORD_PUT, entry->hash, slice_of(&to->fixed),
                         slice_of(&to->variable));
        partition->is_saved = true;
    }
    partition->is_dirty = false;
}

/* Where the copy has the partition, it is left to it. */
static void write_dirty(struct writing *to)
{
    struct match *match = to->match;
    for (uint32_t i = 0; i < match->dirty_count; i++) {
        evs_table_prefetch_ahead(&match->rows.table, match->dirty, match->dirty_count, i);
        uint32_t index = match->dirty[i];
        if (evs_table_is_live(&match->rows.table, index) && evs_match_partition(match, index)->is_dirty) {
            write_partition(to, index, evs_keyed_entry(&match->rows, index));
        }
    }
}

/* Deletions first: a partition that went may have come again. */
evs_status evs_match_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct match *match = state;
    struct writing to = {.match = match, .writer = writer};
    EVS_ASSERT(!match->has_current);
    evs_keyed_snapshot(&match->rows, op, writer, full);
    match->deleted.count = full ? 0 : match->deleted.count;
    write_deleted(match, writer);
    if (full) {
        evs_snapshot_walk(writer, &match->rows.table, write_partition, &to);
    } else {
        write_dirty(&to);
    }
    match->dirty_count = 0;
    evs_buffer_fini(&to.fixed);
    evs_buffer_fini(&to.variable);
    return EVS_OK;
}

/* --- reading ------------------------------------------------------------------------------------------------------------------------- */

static void clear_partition(struct match *match, struct evs_op *op, uint32_t entry)
{
    struct partition *partition = evs_match_partition(match, entry);
    for (uint32_t i = 0; i < partition->matching.count; i++) {
        evs_keyed_row_release(&match->rows, partition->rows[partition->first + i]);
    }
    evs_match_free(&partition->matching, match->scratch, &match->rows.pool);
    if (partition->capacity > 0) {
        evs_row_pool_give(&match->rows.pool, partition->rows, partition->capacity * sizeof *partition->rows);
    }
    bool was_held = partition->is_held;
    *partition = (struct partition){0};
    if (was_held) {
        evs_keyed_drop(&match->rows, op, entry);
    }
}

static bool read_row(struct match *match, struct evs_op *op, uint64_t hash, uint32_t entry, struct evs_slice *rest)
{
    uint64_t mask;
    struct evs_row head;
    if (rest->count < sizeof mask + sizeof head) {
        return false;
    }
    memcpy(&mask, rest->data, sizeof mask);
    memcpy(&head, rest->data + sizeof mask, sizeof head);
    size_t bytes = evs_row_bytes(&head);
    if (bytes < sizeof head || bytes > rest->count - sizeof mask) {
        return false;
    }
    struct evs_slice slice = {rest->data + sizeof mask, bytes};
    struct evs_keyed_row *row = evs_keyed_restore_row(&match->rows, op, hash, mask, slice);
    *rest = (struct evs_slice){slice.data + bytes, rest->count - sizeof mask - bytes};
    if (row == NULL || row->entry != entry) {
        return false;
    }
    evs_match_append(match, op, row);
    return true;
}

static bool put_rows(struct match *match, struct evs_op *op, uint64_t hash, uint32_t entry,
                     const struct stored_partition *stored, struct evs_slice rest)
{
    struct partition *partition = evs_match_partition(match, entry);
    partition->is_known = true;
    partition->armed_us = EVS_TIME_MAX;
    partition->is_held = true;
    evs_keyed_hold(&match->rows, op, entry);
    partition->matching.is_first = stored->is_first != 0;
    for (uint32_t i = 0; i < stored->row_count; i++) {
        if (!read_row(match, op, hash, entry, &rest)) {
            return false;
        }
    }
    partition->matches = stored->matches;
    partition->is_saved = true;
    partition->is_dirty = false;
    evs_match_arm(match, entry);
    return rest.count == 0;
}

static bool read_partition(struct match *match, struct evs_op *op, const struct evs_snapshot_record *record)
{
    struct stored_partition stored;
    struct evs_slice rest = record->variable;
    bool is_new;
    if (record->fixed.count != sizeof stored + evs_key_store_bytes(&match->rows.table_layout)) {
        return false;
    }
    memcpy(&stored, record->fixed.data, sizeof stored);
    struct evs_entry *at = evs_key_load(&match->rows.table, record->hash, stored.nulls,
                                        record->fixed.data + sizeof stored, &rest, &is_new);
    if (at == NULL) {
        return false;
    }
    uint32_t entry = evs_entry_index(&match->rows.table, at);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
    evs_keyed_hold(&match->rows, op, entry);
    clear_partition(match, op, entry);
    bool is_good = record->kind == EVS_RECORD_DELETE || put_rows(match, op, record->hash, entry, &stored, rest);
    evs_keyed_drop(&match->rows, op, entry);
    return is_good;
}

evs_status evs_match_restore(struct evs_op *op, void *state, uint32_t version, const struct evs_snapshot_record *record,
                             struct evs_error *error)
{
    struct match *match = state;
    if (version != EVS_MATCH_SNAPSHOT_VERSION || record->section > SECTION_PARTITIONS) {
        return evs_fail(error, EVS_E_STATE, "The stored state of `match_recognize` has an unknown layout (version %u).",
                        version);
    }
    bool is_good = record->section == EVS_KEYED_SECTION ? evs_keyed_restore(&match->rows, op, record)
                                                        : read_partition(match, op, record);
    return is_good ? EVS_OK : evs_fail(error, EVS_E_CORRUPT, "A stored record of `match_recognize` does not decode.");
}
