/* The source contract: a connector that brings messages of partitions, in order, with positions.
 *
 *   open ──► [seek]* ──► ( poll | position )* ──► close
 *
 * A source delivers whole messages. A message holds any number of physical records (lines); its sequence is that of the
 * partition's log (file: 1 for the whole file and index counts records; JetStream: the stream sequence). The runtime splits
 * messages into records, decodes them, judges lateness and makes batches; a connector knows bytes and positions only.
 * Of several partitions a connector may be asked for the one that is furthest behind in time (`steer`).
 *
 * One instance a worker; it owns the partitions p with p % worker_count == worker, where workers of other groups are counted, too (evstream/groups.h). */
#ifndef EVS_SOURCE_H
#define EVS_SOURCE_H

#include "evstream/option.h"
#include "evstream/os.h"

/* Where a partition stands: the last whole message consumed, with its fingerprint (exactness, 2). */
struct evs_position {
    uint32_t partition;
    uint64_t sequence; /* 0: nothing yet */
    uint64_t
        byte_offset; /* files: (uncompressed) bytes consumed; brokers: all partitions were consumed up to this sequence, 0: unknown */
    uint64_t next_index;    /* files: index of the next record */
    int64_t time_us;        /* broker's time of that message */
    uint32_t fingerprint;   /* evs_fingerprint of its payload; one file of several: of its path, also before anything is read */
    int64_t log_created_us; /* when the log itself was created; 0 unknown */
};

/* 32-bit hash of a message's stored bytes (exactness, 2). */
static inline uint32_t evs_fingerprint(struct evs_slice payload)
{
    return (uint32_t)evs_hash64(payload.data, payload.count);
}

struct evs_message {
    uint32_t partition;
    uint64_t sequence;
    uint32_t first_index;     /* index of its first record: 0, or EVS_INDEX_CONTINUES for the next piece of a file */
    int64_t ingested_at_us;   /* stored time; INT64_MIN when the connector has none */
    struct evs_slice payload; /* borrowed until the next poll; EVS_PADDING readable bytes behind it */
    struct evs_slice subject;
    struct evs_slice headers; /* raw header block, or empty */
    uint32_t fingerprint;     /* evs_fingerprint(payload), filled by durable connectors */
    bool last_of_position;    /* false: more pieces of the same position follow; no barrier may fall here */
    uint64_t byte_offset;     /* goes into the position: see there */
    bool has_watermark;       /* no rows: the partition's watermark rises to … (tests move time by themselves) */
    int64_t watermark_us;
    bool ends_partition; /* no rows: everything of the partition was delivered, while others of the source go on */
};
#define EVS_PADDING 64
#define EVS_INDEX_CONTINUES UINT32_MAX

enum evs_start { EVS_START_EARLIEST, EVS_START_LATEST, EVS_START_COMMITTED, EVS_START_TIME, EVS_START_SEQUENCE };

struct evs_source_open {
    const struct evs_os *os;
    struct evs_log *log;
    const char *name;   /* of the source in the pipeline */
    const void *config; /* made by the connector's configure */
    uint32_t worker, worker_count;
    struct evs_park *park; /* of the worker: wake it when a poll would find something */
    bool until_end;        /* fix the end at open: what is stored now */
    enum evs_start start;
    int64_t start_value; /* µs or sequence */
    /* until_end: what lies behind this is not read. Sources that cannot tell refuse it (EVS_E_USAGE). */
    int64_t end_before_us; /* stored at this time or later; 0: no such end */
    uint64_t end_sequence; /* the last one that is read; 0: no such end */
    /* Of the last commit, ascending by (partition, sequence); count 0: none. The last entry of a partition is its position; the ones
     * before it are fingerprints of older messages, so that the fork of a log that lost its tail can be found (exactness, 2). */
    const struct evs_position *positions;
    uint32_t position_count;
    /* A look before the restore, which brings the older fingerprints: a log that does not fit is not judged yet. */
    bool is_probe;
    const char *nats_url, *nats_credentials;
    const char *bucket;     /* where senders register; NULL: nobody asks for idleness */
    bool create;            /* --create */
    uint32_t row_bytes_max; /* of the plan: files keep no more of a longer line than shows that it is; 0: not said */
    int64_t retry_us;       /* how long the server may be away before poll returns EVS_E_UNREACHABLE; 0: for ever */
};

struct evs_source_state {
    uint32_t
        partition_count; /* of the whole source, fixed after open; partition p belongs to worker p % worker_count */
    bool caught_up; /* evidence that nothing is waiting (exactness, 3): connected, heartbeat seen, nothing pending */
    bool ended;     /* bounded: everything was delivered */
    uint64_t lag_messages; /* pending at the broker, as far as known */
    uint64_t reconnects, gap_messages, lost_messages;
    int64_t log_created_us; /* of the log that is being read: goes into its positions; 0 unknown */
    /* Senders that keep events while the broker is away, and tell the broker how they stand (exactness, 3): monotonic time up to which all that they had
     * taken is in the log, 0: there are none; how many, and how many of them have not proven anything for some seconds. */
    int64_t complete_us;
    uint32_t senders, senders_behind;
};

struct evs_bucket; /* evstream/bucket.h */
struct evs_source {
    const char *kind;                 /* "file", "nats" */
    bool bounded;                     /* always ends: files */
    bool durable;                     /* has committed positions worth keeping (a broker) */
    const struct evs_option *options; /* table, ended by a NULL name */
    const char *file_option;          /* the option that names the file to read; NULL: none */
    /* Are there perhaps several partitions, although no option says how many? Asked at compile time, for rows of several come in no order that a replay would
     * repeat. NULL: no. */
    bool (*has_many)(const void *config);
    /* Of a source with several files: does it read a file of that name, if there is one? So no sink is begun in what is read. NULL: `file_option` says all. */
    bool (*reads)(const void *config, const char *path);
    /* Validates options at compile time (no I/O); `*config` lives in `arena`. Errors name the option. */
    evs_status (*configure)(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                            struct evs_error *error);
    evs_status (*open)(const struct evs_source_open *open, void **instance, struct evs_error *error);
    /* Would `open` succeed? Asked before an engine that works is fenced; leaves no trace. NULL: a durable source is opened and closed for it, any
     * other is not asked. */
    evs_status (*probe)(const struct evs_source_open *open, struct evs_error *error);
    /* Up to `max` whole messages or pieces. EVS_OK with *count > 0; EVS_AGAIN: nothing now; EVS_END: bounded input is over.
     * Never blocks. Payloads stay valid until the next poll or close. */
    evs_status (*poll)(void *instance, struct evs_message *messages, uint32_t max, uint32_t *count,
                       struct evs_error *error);
    void (*state)(void *instance, struct evs_source_state *state);
    /* Of the instance's partitions that have not ended this one is furthest behind in event time: the next poll brings messages of it, if it can. So what waits in
     * windows for the other partitions stays small, whether these are hours that follow each other or parts of one hour. NULL: the connector knows no choice. */
    void (*steer)(void *instance, uint32_t partition);
    /* Sockets to wait on besides the park; returns how many were written (at most max). */
    uint32_t (*wait_fds)(void *instance, struct evs_wait_fd *fds, uint32_t max);
    /* A commit that covers these positions is durable: fingerprints before them may be dropped, progress may be told. */
    void (*committed)(void *instance, const struct evs_position *positions, uint32_t count);
    void (*close)(void *instance);
    /* Where each owned partition begins, as `open` resolved `latest`, a time or a sequence: committed as checkpoint 0 before the
     * first poll, so that a restart begins there too (exactness, 14). Returns how many were written; NULL: nothing to tell. */
    uint32_t (*resolved)(void *instance, struct evs_position *positions, uint32_t max);
    /* Where engines of one pipeline agree who of them runs, kept by the source's broker; NULL: it has no such thing. */
    const struct evs_bucket *bucket;
};

#endif
