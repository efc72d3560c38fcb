/* The write-ahead spool: whole messages on disk for the time that NATS is away.
 *
 *   DIR/lock                       held by the one collector that uses the folder
 *   DIR/position                   the last record that JetStream has acknowledged
 *   DIR/0000000000000001.spool     a segment, named by the number of its first record
 *
 * A segment is a row of records:
 *
 *   0      4        8        16      20       24        40
 *   ├magic─┼─crc32c─┼─number─┼─bytes─┼subject─┼───id────┼─ subject ─┼─ payload ─┤
 *                   └──────────────── covered by the CRC ─────────────────────────┘
 *
 * with little-endian numbers; `bytes` counts what stands behind the header, `subject` how much of that is the subject. The
 * numbers rise from record to record, over all segments and starts.
 *
 * Durability. `append` writes into the page cache; a thread of the spool syncs, over and over while something waits, so one
 * fsync covers all that came during the one before (group commit). A record is kept once `synced` has reached its number:
 * only then may a client be told 200. When a sync fails, what it should have kept is given up and told by `failed`: the
 * kernel may have dropped those pages, so syncing again would prove nothing. The next record goes to a new segment.
 *
 * Recovery. A start never appends to an old segment. What was cut off at the end of the newest one by a kill was never
 * promised and is dropped. Anything else that does not fit its CRC is damage: reading goes on at the next place where a
 * whole record stands, and the loss is counted and logged. What was acknowledged but not yet noted in `position` (a kill, at
 * most a second of work) is sent again under the same ids.
 *
 * Rejected: one file with a circular region (a full disk is found at the first write of a new segment instead of in the
 * middle), SQLite and LMDB (their recovery is theirs to tell; here damage costs exactly the damaged records). */
#ifndef EVS_SPOOL_H
#define EVS_SPOOL_H

#include "evstream/memory.h"
#include "evstream/os.h"

#define EVS_SPOOL_RECORD_MAX (8u << 20) /* bytes behind the header */
#define EVS_SPOOL_SEGMENT_BYTES (UINT64_C(16) << 20)

struct evs_spool_options {
    const struct evs_os *os;
    struct evs_log *log;
    const char *folder; /* made when it is missing; its parent must be there */
    uint64_t bytes_max; /* of all segments */
    uint64_t segment_bytes;
    /* Called by the syncing thread when `synced` or `failed` has risen. May only wake the owner. */
    void (*wake)(void *context);
    void *wake_context;
};

struct evs_spool_record {
    uint64_t number; /* out */
    struct evs_hash128 id;
    struct evs_slice subject, payload;
};

struct evs_spool_state {
    uint64_t next;          /* number of the next record that is appended */
    uint64_t synced;        /* records up to here are decided: they are on disk, or were told by `failed` */
    uint64_t delivered;     /* records up to here are acknowledged */
    uint64_t bytes;         /* of all segments */
    uint64_t damaged_bytes; /* skipped at this start */
    uint64_t recovered;     /* records found at the start that wait to be sent */
    uint64_t syncs, sync_failures;
};

struct evs_spool;

/* Opens the folder and finds what the last run has left. EVS_E_USAGE: another process uses it; EVS_E_IO. */
EVS_MUST_CHECK evs_status evs_spool_open(const struct evs_spool_options *options, struct evs_spool **spool,
                                         struct evs_error *error);
/* Waits for the sync that is under way, notes the position. */
void evs_spool_close(struct evs_spool *spool);

/* EVS_OK: written, not yet synced. EVS_E_LIMIT: full. EVS_E_IO: the disk refuses; nothing of the record stays. */
EVS_MUST_CHECK evs_status evs_spool_append(struct evs_spool *spool, struct evs_spool_record *record,
                                           struct evs_error *error);
/* Lets the thread sync what waits, if it is not at it already; takes over what it has done. Call after appends and when woken. */
void evs_spool_sync(struct evs_spool *spool);
/* The next range of records whose sync has failed: false when there is none. */
bool evs_spool_failed(struct evs_spool *spool, uint64_t *first, uint64_t *last);

/* The next synced record behind the one read before. EVS_END: none now. Its slices are valid until the next call. A segment that
 * cannot be read any more is skipped and counted as damaged. */
EVS_MUST_CHECK evs_status evs_spool_next(struct evs_spool *spool, struct evs_spool_record *record);
/* Reads on from the record behind the last delivered one. */
void evs_spool_rewind(struct evs_spool *spool);
/* All records up to `number` are acknowledged: their segments go as soon as they are done. */
void evs_spool_delivered(struct evs_spool *spool, uint64_t number);

/* Is there anything that is not delivered? */
bool evs_spool_is_empty(const struct evs_spool *spool);
void evs_spool_state(const struct evs_spool *spool, struct evs_spool_state *state);

#endif
