/* Keys and the moments that are remembered of each: the state of deduplicate and throttle.
 *
 *   table (evstream/table.h)                              overflow, one array
 *   ┌───────┬─────┬──────────────────────────────────┐    ┌──────────────────────────────────┐
 *   │ head  │ key │ at │ forget │ row │ next │ count │ ─► │ at │ forget │ row │ next │ count │ ─► …
 *   └───────┴─────┴──────────────────────────────────┘    └──────────────────────────────────┘
 *
 * The key itself is kept and not a hash of it: two keys of one hash would lose an event, and event ids are written by clients, who could make such
 * keys on purpose. A million ids of 36 characters take about 110 bytes each; with a hash of 128 bits they would take about 60.
 *
 * Most keys have one stamp, inside the table's entry. A stamp is forgotten when the operator's watermark reaches `forget_us`; whether it still counts
 * for a row is judged by the watermark before that row, so that the moment at which it is swept never shows.
 *
 * Memory: 16 bytes + 8 or 16 a key column + 32 the first stamp + 8 to 16 of directory + 16 of a timer, and the key's text beyond 12 bytes; 32 + 16 each
 * further stamp.
 *
 * Stored: one record a stamp, identified by (key, at, forget); a later one replaces it. Nothing is ever deleted: a restore leaves out what the
 * watermark of the commit has passed, which is exactly what had been forgotten. */
#ifndef EVS_KEY_STAMPS_H
#define EVS_KEY_STAMPS_H

#include "evstream/operator.h"
#include "evstream/rows.h"
#include "evstream/table.h"
#include "evstream/timer.h"
#include "row_keep.h"

struct evs_stamp {
    int64_t at_us;
    int64_t forget_us;
    struct evs_row *row; /* keep last: the row that will be emitted */
    uint32_t next;       /* index + 1 in the overflow; 0: the last one */
    uint32_t count;      /* how many rows it stands for; 0: the entry is new and has no stamp yet */
};

struct evs_stamps {
    struct evs_table_layout layout;
    struct evs_table table;
    struct evs_timers timers; /* at forget_us; the payload is the entry's index */
    struct evs_stamp *more;
    uint32_t more_count, more_capacity, more_free; /* more_free: index + 1 of the first free one, linked by `next` */
    uint32_t *dirty; /* entries that changed since the last snapshot; their epoch says that they are listed */
    uint32_t dirty_count, dirty_capacity, epoch;
    struct evs_keeper *keeper; /* of the stamps' rows; NULL: they have none */
    bool durable, restored;
    int64_t told_bytes;
    uint64_t hashes[EVS_BATCH_ROWS]; /* of the batch that is being worked off */
};

/* `keeper` may be NULL. */
void evs_stamps_init(struct evs_stamps *stamps, struct evs_op *op, const uint32_t *keys, uint32_t key_count,
                     struct evs_keeper *keeper);
void evs_stamps_fini(struct evs_stamps *stamps);

/* Hashes the keys of a batch and fetches their entries into the cache. */
void evs_stamps_begin(struct evs_stamps *stamps, const struct evs_batch *batch, const uint32_t *keys,
                      uint32_t key_count);
/* The entry of a row's key, made if there is none: the caller then adds a stamp. */
struct evs_entry *evs_stamps_of(struct evs_stamps *stamps, struct evs_op *op, const struct evs_batch *batch,
                                uint32_t row, uint64_t hash, const uint32_t *keys, uint32_t *index);
/* The stamps of an entry, oldest first: from NULL to NULL. */
struct evs_stamp *evs_stamps_next(struct evs_stamps *stamps, struct evs_entry *entry, const struct evs_stamp *stamp);
/* Adds a stamp that stands for one row. Pointers to stamps are no longer valid. */
void evs_stamps_add(struct evs_stamps *stamps, struct evs_entry *entry, uint32_t index, struct evs_stamp stamp);
/* A stamp of the entry was changed. */
void evs_stamps_mark(struct evs_stamps *stamps, struct evs_entry *entry, uint32_t index);

/* Forgets what is due at the watermark. Rows go to `going` with the time forget_us; NULL where stamps have none. */
void evs_stamps_forget(struct evs_stamps *stamps, struct evs_op *op, int64_t watermark_us, struct evs_going *going);
void evs_stamps_tell_bytes(struct evs_stamps *stamps, struct evs_op *op);

/* Where a stored stamp names its key: for the operators' tables. */
#define EVS_STAMPS_STORED_KEY                                                                                          \
    {                                                                                                                  \
        .sections = 1, .nulls_at = 24, .key_at = 32                                                                    \
    }
void evs_stamps_snapshot(struct evs_stamps *stamps, struct evs_snapshot_writer *writer, bool full);
evs_status evs_stamps_restore(struct evs_stamps *stamps, struct evs_op *op, const struct evs_snapshot_record *record,
                              struct evs_error *error);

#endif
