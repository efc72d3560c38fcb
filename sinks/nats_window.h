/* The messages of a NATS sink that JetStream has not acknowledged yet: a bounded window, in the order of sending.
 *
 * Slots are reused with their memory, so a steady state allocates nothing. A slot is WAITING (to be sent, or sent again) or SENT; slots
 * form a list in the order of `add`, and sending goes along it, so that what is sent again after a reconnect keeps its order. */
#ifndef EVS_NATS_WINDOW_H
#define EVS_NATS_WINDOW_H

#include "evstream/sink.h"

#define EVS_NATS_WINDOW_MESSAGES 1024
#define EVS_NATS_WINDOW_BYTES (8u << 20)
#define EVS_NATS_NO_SLOT UINT32_MAX

enum evs_nats_slot_state { EVS_NATS_SLOT_FREE, EVS_NATS_SLOT_WAITING, EVS_NATS_SLOT_SENT };

struct evs_nats_slot {
    enum evs_nats_slot_state state;
    uint32_t next, previous; /* in the list of used slots, or of free ones (next) */
    uint32_t attempts;
    uint64_t number;
    uint64_t floor;           /* the stream's largest sequence that was known when it was added: it is stored above */
    int64_t due_us;           /* WAITING: not before; SENT: when the answer is overdue */
    int64_t nobody_since_us;  /* first answer "nobody stores it" in a row; 0: none */
    uint64_t refusals_before; /* of the connection, when it was sent */
    struct evs_buffer bytes;  /* subject, headers, payload */
    uint32_t subject_bytes, header_bytes;
};

struct evs_nats_window {
    struct evs_nats_slot *slots; /* EVS_NATS_WINDOW_MESSAGES */
    uint32_t first, last, free;  /* oldest and newest used; first free */
    uint32_t used, waiting;
    uint64_t bytes;
};

void evs_nats_window_init(struct evs_nats_window *window);
void evs_nats_window_fini(struct evs_nats_window *window);
/* NULL: full. The new slot is WAITING. `id_line` is one more header line. */
struct evs_nats_slot *evs_nats_window_add(struct evs_nats_window *window, const struct evs_sink_message *message,
                                          struct evs_slice id_line);
void evs_nats_window_sent(struct evs_nats_window *window, struct evs_nats_slot *slot, int64_t due_us);
void evs_nats_window_again(struct evs_nats_window *window, struct evs_nats_slot *slot, int64_t due_us);
void evs_nats_window_done(struct evs_nats_window *window, struct evs_nats_slot *slot);
uint32_t evs_nats_window_index(const struct evs_nats_window *window, const struct evs_nats_slot *slot);

static inline struct evs_slice evs_nats_slot_subject(const struct evs_nats_slot *slot)
{
    return (struct evs_slice){slot->bytes.data, slot->subject_bytes};
}
static inline struct evs_slice evs_nats_slot_headers(const struct evs_nats_slot *slot)
{
    return (struct evs_slice){slot->bytes.data + slot->subject_bytes, slot->header_bytes};
}
static inline struct evs_slice evs_nats_slot_payload(const struct evs_nats_slot *slot)
{
    uint32_t before = slot->subject_bytes + slot->header_bytes;
    return (struct evs_slice){slot->bytes.data + before, slot->bytes.count - before};
}

#endif
