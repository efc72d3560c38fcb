/* Inside of the Redis store: what its files share. The idea and the format are told in README.md of this folder. */
#ifndef EVS_REDIS_STORE_H
#define EVS_REDIS_STORE_H

#include "evstream/store.h"
#include "redis_function.h"
#include "redis_header.h"
#include "redis_retry.h"
#include "redis_server.h"

#define EVS_REDIS_NONCE_DIGITS 16

struct evs_redis_store {
    const struct evs_os *os;
    struct evs_log *log;
    struct evs_redis_address address;
    struct evs_redis_link *link;
    int64_t retry_us;
    _Atomic uint64_t *retries; /* of the commit at hand (evs_store_commit); NULL: nobody counts them */
    bool has_followers;
    char *keys[EVS_BLOCK_KINDS]; /* :log, :ob */
    struct evs_redis_facts facts;

    /* the term */
    bool has_term;
    uint64_t epoch, nonce;
    char nonce_text[EVS_REDIS_NONCE_DIGITS + 1];
    uint64_t
        sequences[EVS_BLOCK_KINDS]; /* the highest ever sent in this term: none is used twice, whatever became of it */
    struct evs_redis_id floor;      /* our newest entry that must be in the log: the take-over, then the last commit */
    struct evs_redis_id tail;       /* the log's newest entry, ours; valid while located */
    bool located;                   /* the log's end was seen on this connection */

    /* the last commit */
    bool has_commit;
    struct evs_redis_id commit_id;
    struct evs_redis_header commit;
    struct evs_buffer record;
    bool trims[EVS_BLOCK_KINDS]; /* entries before the chain may be left */

    /* Commits with state blocks that a restore needs, the oldest first: beginnings[beginning_first … beginning_count). Known from the walk of a
     * restore; without one the chain of the last commit goes on until it begins anew. */
    struct evs_redis_beginning *beginnings;
    uint32_t beginning_first, beginning_count, beginning_capacity;
    bool knows_beginnings;
};

typedef evs_status evs_store_take_block(void *argument, enum evs_block_kind kind, uint64_t checkpoint,
                                        struct evs_slice block, struct evs_error *error);

struct evs_redis_beginning {
    uint64_t checkpoint;
    struct evs_redis_chain chain; /* of a restore that begins with it */
};
/* Adds the newest one. */
void evs_redis_store_begin(struct evs_redis_store *store, uint64_t checkpoint, struct evs_redis_chain chain);

/* An entry of a stream, a view into a reply. */
struct evs_redis_entry {
    struct evs_redis_id id;
    char kind; /* F, B, C */
    struct evs_slice owner;
    const redisReply *fields;
};
/* False when the reply is no entry of ours. */
EVS_MUST_CHECK bool evs_redis_entry_read(const redisReply *reply, struct evs_redis_entry *entry);
/* The value of a field; empty with NULL data when there is none. */
struct evs_slice evs_redis_entry_field(const struct evs_redis_entry *entry, const char *name);

/* Runs a step until it does not fail with EVS_E_UNREACHABLE, connecting before each try and dropping the connection
 * after each failure, as long as the retry policy allows. */
typedef evs_status evs_redis_step(struct evs_redis_store *store, void *argument, struct evs_error *error);
EVS_MUST_CHECK evs_status evs_redis_store_try(struct evs_redis_store *store, evs_redis_step *step, void *argument,
                                              struct evs_error *error);

/* Looks at the log's end: sets tail and located when it is ours; EVS_E_FENCED or EVS_E_GAP when not. */
EVS_MUST_CHECK evs_status evs_redis_store_locate(struct evs_redis_store *store, struct evs_error *error);
/* The same of the log alone, also for who has only just taken it over: rows that were written behind it are not asked for. */
EVS_MUST_CHECK evs_status evs_redis_store_judge_end(struct evs_redis_store *store, struct evs_error *error);

/* Looks at the last commit as peek does, and remembers which it is, so that its blocks can be read without a term (tools). */
EVS_MUST_CHECK evs_status evs_redis_store_look(struct evs_redis_store *store, struct evs_store_terms *terms,
                                               struct evs_error *error);
/* The blocks of that commit, as a restore gives them. EVS_E_GAP: an engine has gone on meanwhile and trimmed some; look again. */
EVS_MUST_CHECK evs_status evs_redis_store_read(struct evs_redis_store *store, evs_store_take_block *take,
                                               void *argument, struct evs_error *error);

/* Sends a command and takes its reply; an error reply fails with its classification. */
EVS_MUST_CHECK evs_status evs_redis_store_ask(struct evs_redis_store *store, const struct evs_slice *arguments,
                                              uint32_t count, const char *doing, redisReply **reply,
                                              struct evs_error *error);

/* Reads the commit entry under `id`; `record` may be NULL, else it is filled and its checksum tested. */
EVS_MUST_CHECK evs_status evs_redis_store_read_commit(struct evs_redis_store *store, struct evs_redis_id id,
                                                      struct evs_redis_header *header, struct evs_buffer *record,
                                                      struct evs_error *error);
/* The same from a reply of XRANGE; `owner` (may be NULL) gets the nonce's text. */
EVS_MUST_CHECK evs_status evs_redis_store_parse_commit(struct evs_redis_store *store, const redisReply *reply,
                                                       struct evs_redis_id id, struct evs_redis_header *header,
                                                       struct evs_redis_entry *entry, struct evs_error *error);

/* EVS_E_STATE: the log cannot be restored, why, and what can be done. */
evs_status evs_redis_store_damaged(const struct evs_redis_store *store, struct evs_error *error, const char *format,
                                   ...) EVS_PRINTF(3, 4);

evs_status evs_redis_store_list(void *instance,
                                void (*take)(void *argument, struct evs_slice pipeline, struct evs_slice group),
                                void *argument, struct evs_error *error);
evs_status evs_redis_store_commit(void *instance, const struct evs_store_commit *commit, struct evs_error *error);
evs_status evs_redis_store_restore(void *instance,
                                   evs_status (*take)(void *argument, enum evs_block_kind kind, uint64_t checkpoint,
                                                      struct evs_slice block, struct evs_error *error),
                                   void *argument, struct evs_error *error);

#endif
