/* The store contract: where a group's state becomes durable.
 *
 * A store keeps, for one group, a log of commits. A commit is a set of state blocks, a set of outbox blocks and one small record,
 * and becomes valid as a whole by one write (exactness, 5; architecture, "State in Redis Streams"). The store knows bytes; what they
 * mean is engine/state's. It is driven by one background thread (the checkpointer) and may block.
 *
 * Ownership: `acquire` fences every other owner. From then on, a call that finds another owner returns EVS_E_FENCED and the process
 * stops with exit code 6; a call that finds the log elsewhere than it left it returns EVS_E_GAP: drop memory, acquire, restore. */
#ifndef EVS_STORE_H
#define EVS_STORE_H

#include "evstream/os.h"
#include "evstream/text.h"

struct evs_store_open {
    const struct evs_os *os;
    struct evs_log *log;
    const char *url;      /* redis://[user:password@]host:port[/db], unix:///path */
    const char *pipeline; /* key: evs:{pipeline:group}:log, :ob */
    const char *group;
    const char
        *suffix; /* tools: of both keys, "" or that of a copy of the group's streams (savepoints); NULL: an engine */
    bool
        has_followers; /* rows of sinks are written behind the commits, to the same server: what it forgets may be theirs alone */
    int64_t retry_us; /* how long to retry an unreachable server before EVS_E_UNREACHABLE */
};

struct evs_store_terms {
    uint64_t epoch;          /* the fencing token: ms part of the ids */
    uint64_t nonce;          /* of this owner */
    bool has_commit;         /* false: first start */
    uint64_t checkpoint;     /* of the last commit */
    struct evs_slice record; /* of the last commit; owned by the store until the next call */
    int64_t
        confirm_delay_us; /* time after a commit's reply until it may be told to others: 0 with appendfsync always (exactness, 8) */
    const char *durability; /* printed at start: "appendfsync everysec", … */
    bool forgets;           /* a crash of its server may take what it had confirmed */
};

struct evs_store_commit {
    uint64_t checkpoint; /* consecutive */
    uint64_t state_from; /* state blocks of earlier checkpoints than this one are not needed any more; it never falls */
    const struct evs_slice *blocks; /* state, each at most EVS_BLOCK_BYTES */
    uint32_t block_count;
    const struct evs_slice *outbox; /* outbox blocks */
    uint32_t outbox_count;
    bool outbox_restart;       /* nothing before this commit's outbox blocks is needed any more */
    struct evs_slice record;   /* positions, watermarks, cursors, hashes: engine/state/record.h */
    _Atomic uint64_t *retries; /* grows by one for each try that failed and is made again; NULL: nobody counts */
};

#define EVS_BLOCK_BYTES (256u << 10)

enum evs_block_kind { EVS_BLOCK_STATE, EVS_BLOCK_OUTBOX };

struct evs_store {
    const char *kind; /* "redis" */
    evs_status (*open)(const struct evs_store_open *open, void **instance, struct evs_error *error);
    /* What an acquire would find: has_commit, checkpoint and record, the rest zero. Takes nothing from whoever owns the group. */
    evs_status (*peek)(void *instance, struct evs_store_terms *terms, struct evs_error *error);
    evs_status (*acquire)(void *instance, struct evs_store_terms *terms, struct evs_error *error);
    /* Streams the blocks of the last commit's chain in order: first all state blocks since `state_from`, then all outbox
     * blocks since the last restart. Only blocks that a commit covers, with matching epoch, nonce, id range, count and CRC. */
    evs_status (*restore)(void *instance,
                          evs_status (*take)(void *argument, enum evs_block_kind kind, uint64_t checkpoint,
                                             struct evs_slice block, struct evs_error *error),
                          void *argument, struct evs_error *error);
    /* Stages and commits. Blocking. On EVS_OK the commit is in the log exactly once, whatever happened on the way (reconnects, unknown
     * outcomes and partial stagings are resolved inside). */
    evs_status (*commit)(void *instance, const struct evs_store_commit *commit, struct evs_error *error);
    /* Still the owner? Asks the server. */
    evs_status (*confirm)(void *instance, struct evs_error *error);
    /* Every group of every pipeline on the server, perhaps twice, in no order. The instance's own names do not matter. */
    evs_status (*list)(void *instance, void (*take)(void *argument, struct evs_slice pipeline, struct evs_slice group),
                       void *argument, struct evs_error *error);
    void (*close)(void *instance);
};

#endif
