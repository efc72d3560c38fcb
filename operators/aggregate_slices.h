/* Groups in slices: for each key a list of pieces of time with accumulators of their own. The panes of a hop, the sessions of a key.
 *
 *      table of keys                       slices, 32-bit numbers, in chunks that never move
 *      ┌─────┬─────────────┐               ┌───────┬──────┬─────┬──────────────┐
 *      │ key │ first, last │ ────────────► │ start │ last │ next│ accumulators │ ──► next of the key, by start
 *      └─────┴─────────────┘               └───────┴──────┴─────┴──────────────┘
 *
 * Rows nearly come in order, so the slice that a row wants is nearly always its key's last. What accumulators hold beside their bytes lies in the arena
 * of the table. A key without slices is removed. Private to the aggregate's operators. */
#ifndef EVS_AGGREGATE_SLICES_H
#define EVS_AGGREGATE_SLICES_H

#include "aggregate_record.h"

struct agg_slice {
    int64_t start_us, last_us; /* a pane's ends; a session's first and latest row */
    uint32_t key;              /* index of its entry; UINT32_MAX: free */
    uint32_t next;             /* number of the next one + 1; 0: the key's last, or the last free one */
    uint32_t epoch;            /* of the interval between two snapshots in which it changed last */
    uint32_t generation;       /* how often this number has been used: for timers */
    /* then lead_bytes of the owner's own, then accumulators, then room of the owner's own */
};

struct agg_key {          /* how the values of a key's entry begin */
    uint32_t first, last; /* numbers + 1 */
};

struct agg_slices {
    const struct agg_base *base;
    struct evs_table_layout layout;
    struct evs_table table;
    uint32_t lead_bytes, slice_bytes;
    uint8_t **chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t used, free_first, count;
    struct agg_dirty dirty; /* numbers that changed since the last checkpoint */
    struct agg_deleted deleted;

    /* the checkpoint that is being written, as aggregate_freeze.c does it */
    struct agg_writing writing;
    struct agg_dirty frozen; /* up to frozen_at */
    uint32_t frozen_at;
    bool copies;                   /* its copy is not complete */
    struct evs_snapshot_at copied; /* so far */
};

#define EVS_AGG_SLICES_CHUNK 1024u

/* The calls of `base` begin at lead_bytes of a slice's values. `key_bytes`: of the owner's own behind struct agg_key; `tail_bytes`: behind the accumulators. */
void evs_agg_slices_init(struct agg_slices *slices, struct evs_op *op, const struct agg_base *base, uint32_t key_bytes,
                         uint32_t lead_bytes, uint32_t tail_bytes);
void evs_agg_slices_fini(struct agg_slices *slices);
size_t evs_agg_slices_bytes(const struct agg_slices *slices);

static inline struct agg_slice *evs_agg_slice(const struct agg_slices *slices, uint32_t number)
{
    return (struct agg_slice *)(slices->chunks[number / EVS_AGG_SLICES_CHUNK] +
                                (size_t)(number % EVS_AGG_SLICES_CHUNK) * slices->slice_bytes);
}
static inline uint8_t *evs_agg_slice_values(struct agg_slice *slice)
{
    return (uint8_t *)(slice + 1);
}
static inline uint8_t *evs_agg_slice_tail(const struct agg_slices *slices, struct agg_slice *slice)
{
    return (uint8_t *)(slice + 1) + slices->lead_bytes + slices->base->values_bytes;
}
static inline struct agg_key *evs_agg_key(const struct agg_slices *slices, uint32_t index)
{
    return (struct agg_key *)evs_entry_values(&slices->layout, evs_table_at(&slices->table, index));
}

/* A new slice of the key, behind the slice `before` (number + 1; 0: the first). Its values are zeroes. Returns its number. */
uint32_t evs_agg_slice_add(struct agg_slices *slices, uint32_t key, uint32_t before, int64_t start_us);
/* Takes the slice behind `before` out of its key's list and frees it; the key stays. */
void evs_agg_slice_remove(struct agg_slices *slices, uint32_t key, uint32_t before);
/* The key goes when it has no slice. True: it has gone. */
bool evs_agg_slices_drop_key(struct agg_slices *slices, uint32_t key);
/* The slice is about to change, or is new. */
void evs_agg_slice_mark(struct agg_slices *slices, uint32_t number);
/* The slice is about to change, and is marked later: a checkpoint that is being written has it as it was. */
void evs_agg_slice_write_before(struct agg_slices *slices, uint32_t number);
/* The number + 1 of the key's last slice that begins at or before a moment; 0: none. */
uint32_t evs_agg_slice_before(const struct agg_slices *slices, const struct agg_key *key, int64_t time_us);

/* Gives back the room of what is gone, when it has become more than half. Accumulators in keys and tails must hold nothing in the arena: the owner
 * gives them up before when `evs_agg_slices_is_full` says that it is time. */
bool evs_agg_slices_is_full(const struct agg_slices *slices);
void evs_agg_slices_compact(struct agg_slices *slices);

/* --- snapshots --------------------------------------------------------------------------------------------------------------- */

enum { EVS_AGG_SECTION_SLICES = 0, EVS_AGG_SECTION_PARTS = 1, EVS_AGG_SECTION_HELD = 2 };
/* Slices as of now, to be written by evs_agg_slices_write; the owner's epoch goes on. Either writer may be NULL. */
void evs_agg_slices_freeze(struct agg_slices *slices, struct agg_base *base, struct evs_snapshot_writer *changes,
                           struct evs_snapshot_writer *copy);
/* True: there is more. */
bool evs_agg_slices_write(struct agg_slices *slices, uint32_t records);
/* The slice's record is to be deleted; before its start changes or it is removed, when a restore would take it for one that lives. */
void evs_agg_slices_remember_deleted(struct agg_slices *slices, uint32_t number);
/* The slice of a record, found or added, with its values, or the part added to it; EVS_AGG_NO_SLICE: it was deleted. False: damaged. */
#define EVS_AGG_NO_SLICE UINT32_MAX
bool evs_agg_slices_restore(struct agg_slices *slices, struct agg_reading *reading,
                            const struct evs_snapshot_record *record, uint32_t *number);

#endif
