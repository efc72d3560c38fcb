/* Stored groups: the bytes of a record, written and read. Private to the aggregate's operators.
 *
 * Fixed: a head that names the window or slice, the key, then for a group its values as they lie in memory with their pointers cleared, for a part the number
 * of the call. Variable: the long text of the key's columns, then of the accumulators in their order, or the part (aggregate_call.h). */
#ifndef EVS_AGGREGATE_RECORD_H
#define EVS_AGGREGATE_RECORD_H

#include "aggregate_out.h"

struct agg_head {
    int64_t start_us, end_us; /* of the window; of a session its first and its latest row */
    int64_t number;           /* the owner's own */
    uint32_t nulls;           /* of the key */
    uint32_t flags;           /* the owner's own */
};

/* Groups and slices, and parts of their accumulators. */
#define EVS_AGG_STORED_KEY                                                                                             \
    {                                                                                                                  \
        .sections = 3, .nulls_at = offsetof(struct agg_head, nulls), .key_at = sizeof(struct agg_head)                 \
    }

/* What is being stored: `values` begin with `lead_bytes` of the owner's own, which hold no pointer. */
struct agg_record {
    const struct agg_base *base;
    const struct evs_table_layout *layout;
    struct evs_entry *entry;
    struct agg_head head;
    uint8_t *values;
    uint32_t values_bytes;
    struct evs_buffer fixed, variable; /* used again for the next record */
};
void evs_agg_record_fini(struct agg_record *record);
/* Fills fixed and variable with the group. */
void evs_agg_record_group(struct agg_record *record);
void evs_agg_record_put(struct agg_record *record, struct evs_snapshot_writer *writer, uint32_t section,
                        enum evs_record_kind kind);
/* Writes what is new of the accumulators that keep many values. */
void evs_agg_record_parts(struct agg_record *record, struct evs_snapshot_writer *writer, uint32_t section, bool full);

/* --- written between batches (aggregate_freeze.c) --- */

struct agg_dirty { /* what changed since the last checkpoint; its epoch tells that it is listed */
    uint32_t *indices;
    uint32_t count, capacity;
};
void evs_agg_dirty_add(struct agg_dirty *dirty, uint32_t index);
/* The list changes places with an empty one. */
void evs_agg_dirty_freeze(struct agg_dirty *dirty, struct agg_dirty *frozen);

/* A checkpoint that is being written. */
struct agg_writing {
    bool is_on;
    uint32_t frozen;                            /* epoch of what had changed at the barrier */
    struct evs_snapshot_writer *changes, *copy; /* NULL: nobody asks for it */
    struct agg_record record;
};
/* What the owner's epochs are from now on: two more than `epoch`. */
void evs_agg_writing_begin(struct agg_writing *writing, uint32_t epoch, struct evs_snapshot_writer *changes,
                           struct evs_snapshot_writer *copy, const struct agg_record *record);
void evs_agg_writing_end(struct agg_writing *writing);
/* The one of the two writers that wants what has this epoch and hash; NULL: it is not written, or has been. */
struct evs_snapshot_writer *evs_agg_writer_of(const struct agg_writing *writing, uint32_t epoch, uint64_t hash);
/* Epochs must not come round: at this one the owner begins anew. Tests come by. */
#ifdef EVS_CONFORMANCE
#define EVS_AGG_EPOCH_MAX 41u
#else
#define EVS_AGG_EPOCH_MAX (UINT32_MAX / 2)
#endif

/* Deletions wait for the next snapshot. */
struct agg_deleted {
    struct evs_buffer fixed, variable;
    struct agg_deletion {
        uint64_t hash;
        uint32_t variable_bytes;
    } * items;
    uint32_t count, capacity;
};
void evs_agg_deleted_add(struct agg_deleted *deleted, struct agg_record *record);
void evs_agg_deleted_put(struct agg_deleted *deleted, struct evs_snapshot_writer *writer, uint32_t section);
void evs_agg_deleted_fini(struct agg_deleted *deleted);

/* A record being read. */
struct agg_reading {
    struct agg_head head;
    uint8_t *key;          /* as evs_table_put_stored takes it */
    uint8_t *behind;       /* the values, or the call's number */
    struct evs_slice text; /* what is left of the variable part */
    uint64_t *words;       /* where the fixed part lies, aligned */
};
uint32_t evs_agg_group_bytes(const struct evs_table_layout *layout, uint32_t values_bytes); /* of the fixed part */
uint32_t evs_agg_part_bytes(const struct evs_table_layout *layout);
/* False: damaged. After it, evs_agg_reading_fini. */
bool evs_agg_reading_begin(struct agg_reading *reading, const struct evs_table_layout *layout,
                           const struct evs_snapshot_record *record);
void evs_agg_reading_fini(struct agg_reading *reading);
bool evs_agg_reading_values(struct agg_reading *reading, const struct agg_base *base, struct evs_table *table,
                            uint8_t *values, uint32_t lead_bytes);
bool evs_agg_reading_part(struct agg_reading *reading, const struct agg_base *base, struct evs_table *table,
                          uint8_t *values);

#endif
