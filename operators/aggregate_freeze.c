/* Checkpoints of evs_op_aggregate in steps: rows go on while a million groups are written.
 *
 * At a barrier nothing is copied. The lists of what has changed change places with empty ones, and the epoch goes on; groups are written between
 * batches, some at a time. A row that comes to a group that should have been written and has not been writes it first, as it was (evs_agg_mark). So
 * what is written is the state at the barrier, and the barrier costs the same however many groups there are.
 *
 *      epoch of an entry     < frozen         frozen                frozen + 1         frozen + 2
 *      what it says          not changed      changed before the    written since      changed since the barrier
 *                            for long         barrier, in a list    the barrier        (and written, if it had to be)
 *      is written            into the copy,   yes                   –                  –
 *                            in its ranges
 *
 * What is small is written at the barrier: deletions, and rows held back. A window that closes writes the rest before. */
#include "aggregate_state.h"

/* Epochs must not come round: an old entry would look young. Once in decades, all begin anew. */
static void begin_epochs_anew(struct aggregate *agg)
{
    for (uint32_t i = 0; i < agg->window_count; i++) {
        struct agg_window *window = agg->windows[i];
        for (uint32_t e = 0; e < window->table.used; e++) {
            if (evs_table_is_live(&window->table, e)) {
                struct evs_entry *entry = evs_table_at(&window->table, e);
                entry->epoch = entry->epoch == agg->base.epoch ? 1 : 0;
            }
        }
    }
    agg->base.epoch = 1;
}

static void freeze_window(struct agg_window *window, bool copies)
{
    EVS_ASSERT(window->frozen_at == window->frozen.count && !window->copies);
    evs_agg_dirty_freeze(&window->dirty, &window->frozen);
    window->frozen_at = 0;
    window->copies = copies;
    window->copied = (struct evs_snapshot_at){0};
}

/* Deletions come first: a group that went and came back in one interval is deleted, then put. */
evs_status evs_agg_freeze(struct evs_op *op, void *state, struct evs_snapshot_writer *changes,
                          struct evs_snapshot_writer *copy)
{
    struct aggregate *agg = state;
    (void)op;
    EVS_ASSERT(agg->work.moment == MOMENT_NONE && agg->released == NULL);
    evs_agg_deleted_put(&agg->deleted, changes != NULL ? changes : copy, EVS_AGG_SECTION_GROUPS);
    if (agg->holds && changes != NULL) {
        evs_agg_hold_snapshot(&agg->hold, changes, EVS_AGG_SECTION_HELD_ROWS, false);
    }
    if (agg->holds && copy != NULL) {
        evs_agg_hold_snapshot(&agg->hold, copy, EVS_AGG_SECTION_HELD_ROWS, true);
    }
    if (agg->base.epoch >= EVS_AGG_EPOCH_MAX) {
        begin_epochs_anew(agg);
    }
    for (uint32_t i = 0; i < agg->window_count; i++) {
        freeze_window(agg->windows[i], copy != NULL);
    }
    struct agg_record record = {
        .base = &agg->base, .layout = &agg->layout, .values_bytes = agg->layout.entry_bytes - agg->layout.value_offset};
    evs_agg_writing_begin(&agg->writing, agg->base.epoch, changes, copy, &record);
    agg->base.epoch += 2;
    return EVS_MORE;
}

static void write_group(struct agg_writing *writing, const struct agg_window *window, struct evs_entry *entry)
{
    struct evs_snapshot_writer *writer = evs_agg_writer_of(writing, entry->epoch, entry->hash);
    struct agg_record *record = &writing->record;
    if (writer == NULL) {
        return;
    }
    record->head = (struct agg_head){.start_us = window->span.start_us, .end_us = window->span.end_us};
    record->entry = entry;
    record->values = evs_entry_values(record->layout, entry);
    evs_agg_record_group(record);
    evs_agg_record_put(record, writer, EVS_AGG_SECTION_GROUPS, EVS_RECORD_PUT);
    evs_agg_record_parts(record, writer, EVS_AGG_SECTION_GROUP_PARTS, writer == writing->copy);
    entry->epoch = writing->frozen + 1;
}

void evs_agg_write_before(struct aggregate *agg, const struct agg_window *window, struct evs_entry *entry)
{
    if (agg->writing.is_on) {
        write_group(&agg->writing, window, entry);
    }
}

struct showing {
    struct agg_writing *writing;
    const struct agg_window *window;
};

static void show_group(void *argument, uint32_t index, struct evs_entry *entry)
{
    const struct showing *showing = argument;
    (void)index;
    write_group(showing->writing, showing->window, entry);
}

/* Groups that are gone, and new ones in their place, carry another epoch. */
static void write_frozen(struct agg_writing *writing, struct agg_window *window, uint32_t *records)
{
    const struct agg_dirty *list = &window->frozen;
    for (; window->frozen_at<list->count && * records> 0; window->frozen_at++, (*records)--) {
        uint32_t index = list->indices[window->frozen_at];
        evs_table_prefetch_ahead(&window->table, list->indices, list->count, window->frozen_at);
        struct evs_entry *entry = evs_table_at(&window->table, index);
        if (evs_table_is_live(&window->table, index) && entry->epoch == writing->frozen) {
            write_group(writing, window, entry);
        }
    }
}

evs_status evs_agg_write(struct evs_op *op, void *state, uint32_t records)
{
    struct aggregate *agg = state;
    struct agg_writing *writing = &agg->writing;
    (void)op;
    EVS_ASSERT(records > 0);
    for (uint32_t i = 0; writing->is_on && i < agg->window_count; i++) {
        struct agg_window *window = agg->windows[i];
        write_frozen(writing, window, &records);
        struct showing showing = {writing, window};
        if (records > 0 && window->copies) {
            window->copies =
                evs_snapshot_walk_some(writing->copy, &window->table, &window->copied, &records, show_group, &showing);
        }
        if (records == 0) {
            return EVS_MORE;
        }
    }
    if (writing->is_on) {
        evs_agg_writing_end(writing);
    }
    return EVS_OK;
}

void evs_agg_write_all(struct evs_op *op, struct aggregate *agg)
{
    while (agg->writing.is_on && evs_agg_write(op, agg, UINT32_MAX) == EVS_MORE) {
    }
}

evs_status evs_agg_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    (void)evs_agg_freeze(op, state, full ? NULL : writer, full ? writer : NULL);
    evs_agg_write_all(op, state);
    return EVS_OK;
}
