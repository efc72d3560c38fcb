#include "nats_window.h"

void evs_nats_window_init(struct evs_nats_window *window)
{
    *window = (struct evs_nats_window){.first = EVS_NATS_NO_SLOT, .last = EVS_NATS_NO_SLOT};
    window->slots = evs_alloc_zero(EVS_NATS_WINDOW_MESSAGES * sizeof *window->slots);
    for (uint32_t i = 0; i < EVS_NATS_WINDOW_MESSAGES; i++) {
        window->slots[i].next = i + 1 < EVS_NATS_WINDOW_MESSAGES ? i + 1 : EVS_NATS_NO_SLOT;
    }
}

void evs_nats_window_fini(struct evs_nats_window *window)
{
    for (uint32_t i = 0; i < EVS_NATS_WINDOW_MESSAGES && window->slots != NULL; i++) {
        evs_buffer_fini(&window->slots[i].bytes);
    }
    evs_free(window->slots);
    *window = (struct evs_nats_window){0};
}

uint32_t evs_nats_window_index(const struct evs_nats_window *window, const struct evs_nats_slot *slot)
{
    EVS_ASSERT(slot >= window->slots && slot < window->slots + EVS_NATS_WINDOW_MESSAGES);
    return (uint32_t)(slot - window->slots);
}

static void window_link_last(struct evs_nats_window *window, struct evs_nats_slot *slot)
{
    uint32_t index = evs_nats_window_index(window, slot);
    slot->previous = window->last;
    slot->next = EVS_NATS_NO_SLOT;
    if (window->last == EVS_NATS_NO_SLOT) {
        window->first = index;
    } else {
        window->slots[window->last].next = index;
    }
    window->last = index;
}

static void window_unlink(struct evs_nats_window *window, struct evs_nats_slot *slot)
{
    if (slot->previous == EVS_NATS_NO_SLOT) {
        window->first = slot->next;
    } else {
        window->slots[slot->previous].next = slot->next;
    }
    if (slot->next == EVS_NATS_NO_SLOT) {
        window->last = slot->previous;
    } else {
        window->slots[slot->next].previous = slot->previous;
    }
}

struct evs_nats_slot *evs_nats_window_add(struct evs_nats_window *window, const struct evs_sink_message *message,
                                          struct evs_slice id_line)
{
    size_t bytes = message->address.count + message->headers.count + id_line.count + message->payload.count;
    bool fits = window->used == 0 || window->bytes + bytes <= EVS_NATS_WINDOW_BYTES;
    if (window->free == EVS_NATS_NO_SLOT || !fits) {
        return NULL;
    }
    struct evs_nats_slot *slot = &window->slots[window->free];
    EVS_ASSERT(slot->state == EVS_NATS_SLOT_FREE);
    window->free = slot->next;
    slot->state = EVS_NATS_SLOT_WAITING;
    slot->attempts = 0;
    slot->number = message->number;
    slot->due_us = slot->nobody_since_us = 0;
    slot->subject_bytes = (uint32_t)message->address.count;
    slot->header_bytes = (uint32_t)(message->headers.count + id_line.count);
    slot->bytes.count = 0;
    evs_buffer_put(&slot->bytes, message->address.data, message->address.count);
    evs_buffer_put(&slot->bytes, id_line.data, id_line.count);
    evs_buffer_put(&slot->bytes, message->headers.data, message->headers.count);
    evs_buffer_put(&slot->bytes, message->payload.data, message->payload.count);
    window_link_last(window, slot);
    window->used++;
    window->waiting++;
    window->bytes += bytes;
    return slot;
}

void evs_nats_window_sent(struct evs_nats_window *window, struct evs_nats_slot *slot, int64_t due_us)
{
    EVS_ASSERT(slot->state == EVS_NATS_SLOT_WAITING && window->waiting > 0);
    slot->state = EVS_NATS_SLOT_SENT;
    slot->attempts++;
    slot->due_us = due_us;
    window->waiting--;
}

void evs_nats_window_again(struct evs_nats_window *window, struct evs_nats_slot *slot, int64_t due_us)
{
    EVS_ASSERT(slot->state == EVS_NATS_SLOT_SENT);
    slot->state = EVS_NATS_SLOT_WAITING;
    slot->due_us = due_us;
    window->waiting++;
}

void evs_nats_window_done(struct evs_nats_window *window, struct evs_nats_slot *slot)
{
    EVS_ASSERT(slot->state != EVS_NATS_SLOT_FREE && window->used > 0);
    window->waiting -= slot->state == EVS_NATS_SLOT_WAITING;
    window->used--;
    EVS_ASSERT(window->bytes >= slot->bytes.count);
    window->bytes -= slot->bytes.count;
    window_unlink(window, slot);
    slot->state = EVS_NATS_SLOT_FREE;
    slot->next = window->free;
    window->free = evs_nats_window_index(window, slot);
}
