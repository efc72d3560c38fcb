/* What resolve identity stores.
 *
 *   section            a record is                                           left out at a restore when
 *   rows               a row that has not left: its moment, the row          it has left (below)
 *   pairs              a link that has not come to its moment                the watermark has passed the moment
 *   devices            an anonymous id with its person                       it has been forgotten
 *   pending aliases    an alias that has not come to its moment              as a link's        } on every worker, put
 *   aliases            an id with the one that it is now known as            as a device's      } by the id's owner
 *
 * Each row and pair is written once and never deleted: whether a row has left follows from the rest. Before its moment no row has. After it, one is still there if
 * its bound is not over and its device is tied to nobody. For a row leaves at its moment if the device is tied then, and else with the next tie; and a tie
 * lasts longer than the bound of any row that left by it (retain is not shorter than within, and a row that leaves by a tie renews it), so that
 * there is no moment at which the tie is gone and such a row could seem to wait. */
#include "evstream/keys.h"
#include "identity_state.h"
#include "key_store.h"
#include "row_judge.h"

struct stored_row {
    int64_t at_us;
    uint64_t shape;
};

struct stored_pair {
    int64_t at_us, event_time_us;
    struct evs_cause cause;
    uint64_t lineage;
    uint32_t ordinal, first_bytes;
};

/* --- writing ------------------------------------------------------------------------------------------------------------------------------ */

static void write_row(const struct identity *identity, const struct slot *slot, struct evs_snapshot_writer *writer)
{
    struct stored_row head = {slot->at_us, identity->keeper.shape};
    evs_snapshot_put(writer, SECTION_ROWS, EVS_RECORD_PUT, slot->hash,
                     (struct evs_slice){(const char *)&head, sizeof head}, evs_row_slice(slot->row));
}

static void write_pair(const struct identity *identity, const struct slot *slot, struct evs_snapshot_writer *writer)
{
    const struct pair *pair = slot->pair;
    bool is_alias = slot->kind == SLOT_ALIAS;
    struct stored_pair head = {.at_us = slot->at_us,
                               .event_time_us = pair->order.event_time_us,
                               .cause = pair->order.cause,
                               .lineage = pair->order.lineage,
                               .ordinal = pair->order.ordinal,
                               .first_bytes = pair->first_bytes};
    if (!is_alias || evs_op_owns(identity->op, slot->hash)) {
        evs_snapshot_put(writer, is_alias ? SECTION_PENDING_ALIASES : SECTION_PAIRS, EVS_RECORD_PUT, slot->hash,
                         (struct evs_slice){(const char *)&head, sizeof head},
                         (struct evs_slice){pair->text, pair->first_bytes + pair->second_bytes});
    }
}

static void write_slots(struct identity *identity, struct evs_snapshot_writer *writer, bool full)
{
    uint32_t count = full ? identity->slot_count : identity->dirty_slot_count;
    for (uint32_t i = 0; i < count; i++) {
        struct slot *slot = &identity->slots[full ? i : identity->dirty_slots[i]];
        if (slot->kind == SLOT_FREE || (!full && slot->saved)) { /* a slot may be listed twice */
            continue;
        }
        slot->saved = true;
        if (slot->kind == SLOT_ROW || slot->kind == SLOT_WAITS) {
            write_row(identity, slot, writer);
        } else {
            write_pair(identity, slot, writer);
        }
    }
    identity->dirty_slot_count = 0;
}

struct writing {
    struct identity *identity;
    struct evs_snapshot_writer *writer;
    struct evs_buffer fixed, variable;
};

static void write_device(void *argument, uint32_t index, struct evs_entry *entry)
{
    struct writing *to = argument;
    const struct device *device = evs_identity_device(to->identity, index);
    struct stored_device head = {.forget_us = device->forget_us,
                                 .nulls = entry->nulls,
                                 .user_bytes = device->user.count,
                                 .users = device->users,
                                 .is_shared = device->is_shared};
    if (!device->has_user && !device->is_shared) { /* its rows say that it is there */
        return;
    }
    to->fixed.count = to->variable.count = 0;
    evs_buffer_put(&to->fixed, &head, STORED_DEVICE_HEAD);
    evs_key_store(&to->identity->layout, entry, &to->fixed, &to->variable);
    evs_buffer_put(&to->fixed, (const char *)&head + STORED_DEVICE_HEAD, sizeof head - STORED_DEVICE_HEAD);
    evs_buffer_put(&to->variable, evs_str_data(&device->user), device->user.count);
    evs_snapshot_put(to->writer, SECTION_DEVICES, EVS_RECORD_PUT, entry->hash,
                     (struct evs_slice){to->fixed.data, to->fixed.count},
                     (struct evs_slice){to->variable.data, to->variable.count});
}

static void write_devices(struct identity *identity, struct evs_snapshot_writer *writer, bool full)
{
    struct writing to = {.identity = identity, .writer = writer};
    for (uint32_t i = 0; !full && i < identity->dirty_device_count; i++) {
        uint32_t index = identity->dirty_devices[i];
        struct evs_entry *entry = evs_table_at(&identity->devices, index);
        if (evs_table_is_live(&identity->devices, index) && evs_snapshot_takes(writer, entry->hash)) {
            write_device(&to, index, entry);
        }
    }
    if (full) {
        evs_snapshot_walk(writer, &identity->devices, write_device, &to);
    }
    identity->dirty_device_count = 0;
    identity->epoch++;
    evs_buffer_fini(&to.fixed);
    evs_buffer_fini(&to.variable);
}

evs_status evs_identity_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct identity *identity = state;
    (void)op;
    EVS_ASSERT(identity->going.count == 0);
    evs_identity_settle(identity);
    write_slots(identity, writer, full);
    write_devices(identity, writer, full);
    if (identity->config->has_aliases) {
        evs_aliases_snapshot(&identity->aliases, SECTION_ALIASES, writer, full);
    }
    return EVS_OK;
}

/* --- restoring ----------------------------------------------------------------------------------------------------------------------------- */

static evs_status damaged(struct evs_error *error)
{
    return evs_fail(error, EVS_E_CORRUPT, "A stored id of `resolve identity` does not decode.");
}

/* What a row that was kept says of itself. */
struct row_ids {
    struct evs_str anonymous;
    bool has_anonymous, has_user;
};

static struct row_ids ids_of(const struct identity *identity, const struct evs_row *row)
{
    struct evs_value anonymous = evs_row_value(&identity->keeper.layout, row, identity->config->anonymous);
    struct evs_value user = evs_row_value(&identity->keeper.layout, row, identity->config->user);
    return (struct row_ids){.anonymous = anonymous.str,
                            .has_anonymous = !anonymous.is_null && anonymous.str.count > 0,
                            .has_user = !user.is_null && user.str.count > 0};
}

/* Its moment has not come, or it waits. */
static void add_row(struct identity *identity, struct evs_row *row, const struct row_ids *ids, int64_t at_us,
                    uint64_t hash, bool waits)
{
    struct slot slot = {.row = row, .at_us = at_us, .hash = hash, .saved = true};
    slot.device = ids->has_anonymous ? evs_identity_find_device(identity, hash, &ids->anonymous) + 1 : 0;
    slot.kind = waits ? SLOT_WAITS : SLOT_ROW;
    evs_identity_add_slot(identity, slot);
}

static evs_status restore_row(struct identity *identity, const struct evs_snapshot_record *record,
                              struct evs_error *error)
{
    struct stored_row head;
    if (record->fixed.count != sizeof head) {
        return damaged(error);
    }
    memcpy(&head, record->fixed.data, sizeof head);
    int64_t passed_us = evs_timers_passed(evs_op_watermark(identity->op));
    if (evs_time_plus(head.at_us, identity->config->within_us) <= passed_us) {
        return EVS_OK;
    }
    struct evs_row *row;
    evs_status status =
        evs_keeper_restore(&identity->keeper, head.shape, record->variable, "resolve identity", &row, error);
    if (status != EVS_OK) {
        return status;
    }
    struct row_ids ids = ids_of(identity, row);
    bool waits = head.at_us <= passed_us,
         is_wrong = ids.has_anonymous ? evs_key_hash_text(&ids.anonymous) != record->hash : !ids.has_user;
    if (is_wrong || (waits && (!ids.has_anonymous || ids.has_user))) { /* the second: it has left at its moment */
        evs_row_free(&identity->keeper.pool, row);
        return is_wrong ? damaged(error) : EVS_OK;
    }
    add_row(identity, row, &ids, head.at_us, record->hash, waits);
    return EVS_OK;
}

static evs_status restore_pair(struct identity *identity, const struct evs_snapshot_record *record,
                               struct evs_error *error)
{
    struct stored_pair head;
    if (record->fixed.count != sizeof head) {
        return damaged(error);
    }
    memcpy(&head, record->fixed.data, sizeof head);
    if (head.first_bytes == 0 || head.first_bytes >= record->variable.count) {
        return damaged(error);
    }
    if (head.at_us <= evs_timers_passed(evs_op_watermark(identity->op))) {
        return EVS_OK;
    }
    struct evs_row_order order = {head.event_time_us, head.cause, head.lineage, head.ordinal};
    struct evs_str first = evs_str_make(record->variable.data, head.first_bytes);
    struct evs_str second =
        evs_str_make(record->variable.data + head.first_bytes, (uint32_t)record->variable.count - head.first_bytes);
    if (evs_key_hash_text(&first) != record->hash) {
        return damaged(error);
    }
    struct slot slot = {.at_us = head.at_us, .hash = record->hash, .saved = true};
    slot.kind = record->section == SECTION_PAIRS ? SLOT_LINK : SLOT_ALIAS;
    slot.device = slot.kind == SLOT_LINK ? evs_identity_find_device(identity, record->hash, &first) + 1 : 0;
    slot.pair = evs_identity_pair(identity, &order, &first, &second);
    evs_identity_add_slot(identity, slot);
    return EVS_OK;
}

static bool read_device(const struct identity *identity, const struct evs_snapshot_record *record,
                        struct stored_device *head)
{
    uint32_t key_bytes = evs_key_store_bytes(&identity->layout);
    if (record->fixed.count != sizeof *head + key_bytes) {
        return false;
    }
    memcpy(head, record->fixed.data, STORED_DEVICE_HEAD);
    memcpy((char *)head + STORED_DEVICE_HEAD, record->fixed.data + STORED_DEVICE_HEAD + key_bytes,
           sizeof *head - STORED_DEVICE_HEAD);
    return head->nulls == 0 && head->is_shared <= 1 && (head->user_bytes > 0 || head->is_shared == 1);
}

static evs_status restore_device(struct identity *identity, const struct evs_snapshot_record *record,
                                 struct evs_error *error)
{
    struct stored_device head;
    struct evs_slice text = record->variable;
    bool is_new;
    if (!read_device(identity, record, &head)) {
        return damaged(error);
    }
    if (head.forget_us <= evs_timers_passed(evs_op_watermark(identity->op))) {
        return EVS_OK;
    }
    struct evs_entry *entry =
        evs_key_load(&identity->devices, record->hash, 0, record->fixed.data + STORED_DEVICE_HEAD, &text, &is_new);
    if (entry == NULL || text.count != head.user_bytes ||
        evs_key_hash_text(evs_entry_key(&identity->layout, entry, 0)) != record->hash) {
        return damaged(error);
    }
    evs_op_count(identity->op, EVS_COUNT_STATE_KEYS, is_new);
    struct device *device = evs_identity_device(identity, evs_table_index_of(&identity->devices, entry));
    evs_identity_untie(identity, device);
    if (head.user_bytes > 0) {
        struct evs_str user = evs_str_make(text.data, head.user_bytes);
        evs_identity_set_user(identity, device, &user);
    }
    device->forget_us = head.forget_us;
    device->users = head.users;
    device->is_shared = head.is_shared == 1;
    return EVS_OK;
}

evs_status evs_identity_restore(struct evs_op *op, void *state, uint32_t version,
                                const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct identity *identity = state;
    (void)op;
    if (version != IDENTITY_VERSION || record->kind != EVS_RECORD_PUT) {
        return evs_fail(error, EVS_E_STATE, "The stored state of `resolve identity` has an unknown version (%u).",
                        version);
    }
    bool is_of_aliases = record->section == SECTION_ALIASES || record->section == SECTION_PENDING_ALIASES;
    if (is_of_aliases && !identity->config->has_aliases) {
        return damaged(error);
    }
    identity->restored = true;
    switch (record->section) {
    case SECTION_ROWS:
        return restore_row(identity, record, error);
    case SECTION_PAIRS:
    case SECTION_PENDING_ALIASES:
        return restore_pair(identity, record, error);
    case SECTION_DEVICES:
        return restore_device(identity, record, error);
    case SECTION_ALIASES:
        return evs_aliases_restore(&identity->aliases, record, evs_timers_passed(evs_op_watermark(op)))
                   ? EVS_OK
                   : damaged(error);
    default:
        return damaged(error);
    }
}

/* Rows that had left are dropped, the others wait on. */
static void settle_rows(struct identity *identity)
{
    for (uint32_t i = 0; i < identity->slot_count; i++) {
        struct slot *slot = &identity->slots[i];
        if (slot->kind != SLOT_WAITS) {
            continue;
        }
        const struct device *device = evs_identity_device(identity, slot->device - 1);
        if (device->has_user || device->is_shared) {
            evs_row_free(&identity->keeper.pool, slot->row);
            evs_identity_free_slot(identity, i);
        } else {
            evs_identity_wait(identity, i);
            evs_timers_arm(&identity->moments, evs_time_plus(slot->at_us, identity->config->within_us),
                           i | MOMENT_BOUND);
        }
    }
}

void evs_identity_settle(struct identity *identity)
{
    if (!identity->restored) {
        return;
    }
    identity->restored = false;
    settle_rows(identity);
    for (uint32_t i = 0; i < identity->devices.used; i++) {
        if (evs_table_is_live(&identity->devices, i)) {
            evs_identity_time_device(identity, i);
            evs_identity_drop_device(identity, i);
        }
    }
    if (identity->config->has_aliases) {
        evs_aliases_settle(&identity->aliases);
    }
}
