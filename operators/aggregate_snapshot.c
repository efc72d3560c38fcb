/* How the state of evs_op_aggregate is stored and read (aggregate_freeze.c writes it): groups and parts of their accumulators (aggregate_record.h), and held rows (aggregate_hold.h).
 *
 * A window that is gone needs no record: a restore leaves out windows whose time has come at the watermark of the commit. A group that expires or begins
 * anew is deleted by a record. */
#include "aggregate_record.h"
#include "aggregate_state.h"

static struct agg_record record_of(struct aggregate *agg)
{
    uint32_t bytes = agg->layout.entry_bytes - agg->layout.value_offset;
    return (struct agg_record){.base = &agg->base, .layout = &agg->layout, .values_bytes = bytes};
}

static void set_group(struct agg_record *record, const struct agg_window *window, struct evs_entry *entry)
{
    record->head = (struct agg_head){.start_us = window->span.start_us, .end_us = window->span.end_us};
    record->entry = entry;
    record->values = evs_entry_values(record->layout, entry);
}

void evs_agg_remember_deleted(struct aggregate *agg, struct evs_entry *entry)
{
    if (agg->base.durable) {
        struct agg_record record = record_of(agg);
        evs_agg_write_before(agg, agg->windows[0], entry);
        set_group(&record, agg->windows[0], entry);
        evs_agg_deleted_add(&agg->deleted, &record);
        evs_agg_record_fini(&record);
    }
}

/* --- reading -------------------------------------------------------------------------------------------------------------- */

static bool restore_group(struct evs_op *op, struct aggregate *agg, struct agg_reading *reading,
                          const struct evs_snapshot_record *record)
{
    struct agg_window *window = evs_agg_window(agg, (struct evs_span){reading->head.start_us, reading->head.end_us});
    bool is_new;
    struct evs_entry *entry =
        evs_table_put_stored(&window->table, record->hash, reading->head.nulls, reading->key, &is_new);
    uint8_t *values = evs_entry_values(&agg->layout, entry);
    evs_op_count(op, EVS_COUNT_STATE_KEYS, is_new);
    if (record->section == EVS_AGG_SECTION_GROUP_PARTS) {
        return evs_agg_reading_part(reading, &agg->base, &window->table, values);
    }
    uint32_t index = evs_table_index_of(&window->table, entry);
    if (record->kind == EVS_RECORD_DELETE) {
        evs_agg_forget(agg, window, index);
        evs_op_count(op, EVS_COUNT_STATE_KEYS, -1);
        return true;
    }
    bool was_changed = agg->has_times && evs_group_times(agg, entry)->is_changed != 0;
    if (!evs_agg_reading_values(reading, &agg->base, &window->table, values,
                                agg->has_times ? (uint32_t)sizeof(struct group_times) : 0) ||
        reading->text.count != 0) {
        return false;
    }
    if (agg->has_times && evs_group_times(agg, entry)->is_changed != 0 && !was_changed) {
        evs_group_times(agg, entry)->is_changed = 0;
        evs_agg_change(agg, window, entry, index);
    }
    return true;
}

evs_status evs_agg_restore(struct evs_op *op, void *state, uint32_t version, const struct evs_snapshot_record *record,
                           struct evs_error *error)
{
    struct aggregate *agg = state;
    if (!evs_agg_base_see(&agg->base, evs_op_migration(op))) {
        return evs_fail(error, EVS_E_CORRUPT, "the stored columns of an aggregate do not decode");
    }
    uint32_t lead_bytes = agg->has_times ? (uint32_t)sizeof(struct group_times) : 0;
    uint32_t expected[] = {[EVS_AGG_SECTION_GROUPS] =
                               evs_agg_group_bytes(&agg->layout, lead_bytes + evs_agg_stored_bytes(&agg->base)),
                           [EVS_AGG_SECTION_GROUP_PARTS] = evs_agg_part_bytes(&agg->layout)};
    bool is_held = agg->holds && record->section == EVS_AGG_SECTION_HELD_ROWS;
    bool is_group = record->section <= EVS_AGG_SECTION_GROUP_PARTS && record->fixed.count == expected[record->section];
    if (version != EVS_AGG_SNAPSHOT_VERSION || (!is_held && !is_group)) {
        return evs_fail(error, EVS_E_STATE, "the stored state of an aggregate has an unknown layout (version %u)",
                        version);
    }
    agg->restored = agg->base.config->retain_us >= 0;
    bool good;
    if (is_held) {
        good = evs_agg_hold_restore(op, &agg->hold, record);
    } else {
        struct agg_reading reading;
        good = evs_agg_reading_begin(&reading, &agg->layout, record);
        struct evs_span span = {reading.head.start_us, reading.head.end_us};
        bool is_gone = evs_agg_is_windowed(agg) && evs_agg_gone_us(agg, &span) <= evs_op_watermark(op);
        good = good && (is_gone || restore_group(op, agg, &reading, record));
        evs_agg_reading_fini(&reading);
    }
    return good ? EVS_OK : evs_fail(error, EVS_E_CORRUPT, "a stored group of an aggregate does not decode");
}
