#include "identity_state.h"

#include "evstream/keys.h"
#include "key_store.h"

/* --- devices ------------------------------------------------------------------------------------------------------------------------- */

struct device *evs_identity_device(const struct identity *identity, uint32_t index)
{
    EVS_ASSERT(evs_table_is_live(&identity->devices, index));
    return (struct device *)evs_entry_values(&identity->layout, evs_table_at(&identity->devices, index));
}

uint32_t evs_identity_find_device(struct identity *identity, uint64_t hash, const struct evs_str *anonymous)
{
    bool is_new;
    struct evs_entry *entry = evs_table_put_stored(&identity->devices, hash, 0, (const uint8_t *)anonymous, &is_new);
    uint32_t index = evs_table_index_of(&identity->devices, entry);
    if (is_new) {
        evs_identity_device(identity, index)->forget_us = EVS_TIME_MIN;
        evs_op_count(identity->op, EVS_COUNT_STATE_KEYS, 1);
    }
    return index;
}

void evs_identity_untie(struct identity *identity, struct device *device)
{
    if (device->has_user && device->user.count > EVS_STR_INLINE_MAX) {
        evs_row_pool_give(&identity->keeper.pool, (void *)device->user.pointer, device->user.count);
    }
    device->user = (struct evs_str){0};
    device->has_user = false;
}

void evs_identity_set_user(struct identity *identity, struct device *device, const struct evs_str *user)
{
    evs_identity_untie(identity, device);
    device->user = *user;
    device->has_user = true;
    if (user->count > EVS_STR_INLINE_MAX) {
        char *block = evs_row_pool_take(&identity->keeper.pool, user->count);
        memcpy(block, user->pointer, user->count);
        device->user = evs_str_make(block, user->count);
    }
}

void evs_identity_drop_device(struct identity *identity, uint32_t index)
{
    const struct device *device = evs_identity_device(identity, index);
    if (device->holds == 0 && !device->has_user && !device->is_shared && !device->is_timed) {
        evs_table_remove(&identity->devices, index);
        evs_op_count(identity->op, EVS_COUNT_STATE_KEYS, -1);
    }
}

void evs_identity_mark_device(struct identity *identity, uint32_t index)
{
    struct evs_entry *entry = evs_table_at(&identity->devices, index);
    if (identity->durable && entry->epoch != identity->epoch) {
        entry->epoch = identity->epoch;
        EVS_GROW(identity->dirty_devices, identity->dirty_device_count, identity->dirty_device_capacity);
        identity->dirty_devices[identity->dirty_device_count++] = index;
    }
}

void evs_identity_time_device(struct identity *identity, uint32_t index)
{
    struct device *device = evs_identity_device(identity, index);
    if (!device->is_timed && device->forget_us != EVS_TIME_MAX) {
        device->is_timed = true;
        evs_timers_arm(&identity->forget, device->forget_us, index);
    }
}

/* --- slots ------------------------------------------------------------------------------------------------------------------------------- */

uint32_t evs_identity_add_slot(struct identity *identity, struct slot slot)
{
    uint32_t index = identity->slot_free;
    if (index > 0) {
        index--;
        identity->slot_free = identity->slots[index].next;
    } else {
        EVS_GROW(identity->slots, identity->slot_count, identity->slot_capacity);
        index = identity->slot_count++;
    }
    EVS_ASSERT(slot.kind != SLOT_FREE && slot.next == 0);
    identity->slots[index] = slot;
    if (slot.device > 0) {
        evs_identity_device(identity, slot.device - 1)->holds++;
    }
    if (!slot.saved && identity->durable) {
        EVS_GROW(identity->dirty_slots, identity->dirty_slot_count, identity->dirty_slot_capacity);
        identity->dirty_slots[identity->dirty_slot_count++] = index;
    }
    if (slot.kind != SLOT_WAITS) {
        evs_timers_arm(&identity->moments, slot.at_us, index);
    }
    return index;
}

void evs_identity_free_slot(struct identity *identity, uint32_t index)
{
    struct slot *slot = &identity->slots[index];
    EVS_ASSERT(slot->kind != SLOT_FREE);
    uint32_t device = slot->device;
    *slot = (struct slot){.kind = SLOT_FREE, .next = identity->slot_free};
    identity->slot_free = index + 1;
    if (device > 0) {
        EVS_ASSERT(evs_identity_device(identity, device - 1)->holds > 0);
        evs_identity_device(identity, device - 1)->holds--;
        evs_identity_drop_device(identity, device - 1);
    }
}

void evs_identity_wait(struct identity *identity, uint32_t index)
{
    struct slot *slot = &identity->slots[index];
    EVS_ASSERT(slot->device > 0 && (slot->kind == SLOT_ROW || slot->kind == SLOT_WAITS));
    struct device *device = evs_identity_device(identity, slot->device - 1);
    slot->kind = SLOT_WAITS;
    slot->next = device->waiting;
    slot->before = 0;
    if (slot->next != 0) {
        identity->slots[slot->next - 1].before = index + 1;
    }
    device->waiting = index + 1;
}

void evs_identity_stop_waiting(struct identity *identity, uint32_t index)
{
    struct slot *slot = &identity->slots[index];
    EVS_ASSERT(slot->kind == SLOT_WAITS);
    if (slot->next != 0) {
        identity->slots[slot->next - 1].before = slot->before;
    }
    if (slot->before != 0) {
        identity->slots[slot->before - 1].next = slot->next;
    } else {
        evs_identity_device(identity, slot->device - 1)->waiting = slot->next;
    }
    slot->next = slot->before = 0;
}

struct pair *evs_identity_pair(struct identity *identity, const struct evs_row_order *order,
                               const struct evs_str *first, const struct evs_str *second)
{
    struct pair *pair = evs_row_pool_take(&identity->keeper.pool, sizeof *pair + first->count + second->count);
    pair->order = *order;
    pair->first_bytes = first->count;
    pair->second_bytes = second->count;
    memcpy(pair->text, evs_str_data(first), first->count);
    memcpy(pair->text + first->count, evs_str_data(second), second->count);
    return pair;
}

void evs_identity_free_pair(struct identity *identity, struct pair *pair)
{
    evs_row_pool_give(&identity->keeper.pool, pair, sizeof *pair + pair->first_bytes + pair->second_bytes);
}
