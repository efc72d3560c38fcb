/* What a store should hold, kept beside it: commits with made-up blocks go to both, and what is restored is
 * compared. */
#ifndef STORE_ORACLE_H
#define STORE_ORACLE_H

#include "evstream/memory.h"
#include "evstream/store.h"

#define ORACLE_COMMITS_MAX 4096

struct oracle_commit {
    uint32_t blocks, outbox; /* how many of each */
    bool snapshot_starts, outbox_restart;
    uint32_t state_keeps; /* rolling: only the state of so many commits before is still needed; 0: as before */
    uint64_t state_from;  /* filled by oracle_commit */
    uint64_t seed;        /* of the blocks' contents */
    uint32_t block_bytes; /* each block's size is up to this */
};

struct oracle {
    struct oracle_commit commits[ORACLE_COMMITS_MAX]; /* by checkpoint; 0 is not used */
    uint64_t last;                                    /* checkpoint of the last commit that must be there; 0: none */
};

/* Commits checkpoint `last + 1` with what `shape` says to the store; on EVS_OK the oracle has it too. */
evs_status oracle_commit(struct oracle *oracle, void *store, struct oracle_commit shape, struct evs_error *error);
/* Restores, and fails the test unless exactly the oracle's blocks come, in order, up to `oracle->last`. Anything but
 * EVS_OK is returned. */
evs_status oracle_restore(struct oracle *oracle, void *store, struct evs_error *error);
/* After an acquire: the commit that the store has found must be one of the oracle's, with its record; the oracle
 * forgets later ones. */
void oracle_accept(struct oracle *oracle, const struct evs_store_terms *terms);

#endif
