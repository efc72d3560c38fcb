/* The outside world of a run, in memory: a broker with partitions to read from, a store of commits, a receiver of triggers that drops ids
 * that it has seen. All three survive when the engine "dies", and each can be told to fail at a chosen moment. */
#ifndef RUN_FAKES_H
#define RUN_FAKES_H

#include "compile.h"
#include "evstream/run.h"

#define FAKE_PARTITIONS_MAX 8

struct fake_log { /* one partition: message n has sequence n + 1 */
    char **messages;
    uint32_t count, capacity;
};

struct fake_row { /* what the receiver holds of one id */
    struct evs_hash128 id;
    char *address, *payload;
    uint32_t received; /* times */
};

struct fake_world {
    struct fake_log partitions[FAKE_PARTITIONS_MAX];
    uint32_t partition_count;

    struct fake_row *rows;
    uint32_t row_count, row_capacity;
    uint32_t mismatches;    /* an id came again with another payload */

    /* commits: the store */
    struct fake_commit *commits;
    uint32_t commit_count, commit_capacity;
    uint64_t epoch;

    /* faults; 0: none. Each is counted down and strikes when it reaches zero. */
    uint32_t fail_polls;          /* the source breaks at the n-th poll */
    uint32_t fail_commit_before;  /* the n-th commit is lost */
    uint32_t fail_commit_after;   /* the n-th commit is stored, and its answer lost */
    uint32_t acknowledge_every;   /* the receiver acknowledges at every n-th poll only; 0 or 1: at once */
    uint32_t deaf_polls;          /* the receiver stores but never acknowledges after so many polls */
};

extern struct fake_world *fake_world; /* of the running test */

struct fake_world *fake_world_new(uint32_t partition_count);
void fake_world_free(struct fake_world *world);
/* Appends a message (NDJSON, borrowed text is copied). */
void fake_publish(struct fake_world *world, uint32_t partition, const char *payload);

extern const struct evs_source fake_source; /* from fake () */
extern const struct evs_sink fake_sink;     /* to fake (address = '…') */
extern const struct evs_sink fake_exact_sink; /* to fake_exact (…): always exact */
extern const struct evs_store fake_store;
extern const struct evs_registry fake_registry;

#endif
