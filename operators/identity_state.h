/* What resolve identity remembers: devices (anonymous ids) with their person, rows and links that wait. Shared by op_identity.c (when things happen)
 * and identity_snapshot.c (what is stored). The essay is in op_identity.c. */
#ifndef EVS_IDENTITY_STATE_H
#define EVS_IDENTITY_STATE_H

#include "evstream/timer.h"
#include "identity_aliases.h"
#include "identity_stored.h"
#include "op_identity.h"
#include "row_keep.h"

/* The values of an entry of the table of devices. */
struct device {
    struct evs_str user; /* long text is a block of the pool; meaningful with has_user */
    int64_t forget_us;   /* of the tie to the user */
    uint32_t waiting;    /* index + 1 of the first slot that waits for an identification, linked by `next` */
    uint32_t holds;      /* slots of the device: it stays while there are any */
    uint32_t users;      /* that it was tied to, one after another */
    bool has_user;       /* tied to a person */
    bool is_shared;      /* too many users: it says nothing about anybody any more */
    bool is_timed;       /* a timer of `forget` is pending */
};

enum slot_kind {
    SLOT_FREE,
    SLOT_ROW,   /* its moment has not come */
    SLOT_WAITS, /* a row of an anonymous visitor, from its moment until it is identified or its bound is over */
    SLOT_LINK,  /* device `first` belongs to user `second`, from its moment on */
    SLOT_ALIAS, /* id `first` is now `second` */
};

/* Two ids of a row; a block of the pool. */
struct pair {
    struct evs_row_order order;
    uint32_t first_bytes, second_bytes;
    char text[];
};

struct slot {
    union {
        struct evs_row *row;
        struct pair *pair;
    };
    int64_t at_us; /* its moment: the event time, or the watermark that the row came behind */
    uint64_t hash;
    uint32_t device;       /* index + 1; 0: none */
    uint32_t next, before; /* index + 1: in the device's list, or of the free ones */
    uint8_t kind;          /* enum slot_kind */
    bool saved;            /* it stands in a checkpoint */
};

/* A row on its way out. */
struct leaving {
    struct evs_str person; /* in the arena of texts */
    int64_t moment_us;     /* at which it leaves */
    bool is_known;
};

struct identity {
    const struct evs_identity_config *config;
    struct evs_op *op;
    struct evs_keeper keeper; /* rows of input 0; its pool has pairs and texts, too */
    struct evs_table_layout layout;
    struct evs_table devices;
    struct evs_aliases aliases;
    struct slot *slots;
    uint32_t slot_count, slot_capacity, slot_free;
    struct evs_timers moments; /* of slots: the payload is the index, and MOMENT_BOUND where a wait is over */
    struct evs_timers forget;  /* of devices */
    uint32_t *dirty_slots, *dirty_devices;
    uint32_t dirty_slot_count, dirty_slot_capacity, dirty_device_count, dirty_device_capacity, epoch;
    int64_t moment_us;     /* that is worked off */
    struct evs_timer *due; /* of it */
    uint32_t due_count, due_capacity;
    struct evs_going going;
    struct leaving *leaving; /* by the mark of a going row */
    uint32_t leaving_count, leaving_capacity;
    struct evs_arena texts;
    bool durable, restored;
    int64_t told_bytes;
    uint64_t hashes[EVS_BATCH_ROWS];
    uint16_t passing[EVS_BATCH_ROWS];
};
#define MOMENT_BOUND (UINT64_C(1) << 32)

struct device *evs_identity_device(const struct identity *identity, uint32_t index);
/* The entry of a device, made if there is none. */
uint32_t evs_identity_find_device(struct identity *identity, uint64_t hash, const struct evs_str *anonymous);
/* Ends the tie to a user, if there is one; what was long of it is given back. */
void evs_identity_untie(struct identity *identity, struct device *device);
void evs_identity_set_user(struct identity *identity, struct device *device, const struct evs_str *user);
/* Nothing holds the device and it is tied to nobody: it goes. */
void evs_identity_drop_device(struct identity *identity, uint32_t index);
void evs_identity_mark_device(struct identity *identity, uint32_t index);
/* The device's tie is to be forgotten at its forget_us. */
void evs_identity_time_device(struct identity *identity, uint32_t index);

uint32_t evs_identity_add_slot(struct identity *identity, struct slot slot);
/* Its row or pair is the caller's from here on. */
void evs_identity_free_slot(struct identity *identity, uint32_t index);
/* From now on a row of a device waits for an identification; or no longer. */
void evs_identity_wait(struct identity *identity, uint32_t index);
void evs_identity_stop_waiting(struct identity *identity, uint32_t index);
struct pair *evs_identity_pair(struct identity *identity, const struct evs_row_order *order,
                               const struct evs_str *first, const struct evs_str *second);
void evs_identity_free_pair(struct identity *identity, struct pair *pair);
static inline struct evs_str evs_identity_first(const struct pair *pair)
{
    return evs_str_make(pair->text, pair->first_bytes);
}
static inline struct evs_str evs_identity_second(const struct pair *pair)
{
    return evs_str_make(pair->text + pair->first_bytes, pair->second_bytes);
}

evs_status evs_identity_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full);
evs_status evs_identity_restore(struct evs_op *op, void *state, uint32_t version,
                                const struct evs_snapshot_record *record, struct evs_error *error);
/* Behind the last record, in front of anything else. */
void evs_identity_settle(struct identity *identity);

#endif
