/* What tools do with the streams of a group beside the store's contract: read them without taking them from an engine, copy them, let a copy take their
 * place. All calls take instances of evs_store_redis that were opened with a suffix and have no term, and may block.
 *
 *   evs:{P:G}:log, :ob                      of the engine
 *   evs:{P:G}:log:sp:NAME, :ob:sp:NAME      a savepoint: the entries of the last commit's chain, under their own ids
 *   evs:{P:G}:savepoints                    one entry for each savepoint that is complete: this entry makes it valid
 *   evs:{P:G}:log:restoring, …              a savepoint on its way back; it takes the streams' place by RENAME when it is complete
 *
 * Nothing is atomic over several keys, and nothing needs to be: a copy counts only when its entry in :savepoints is there, which is written last and removed
 * first. At the way back the outbox is renamed before the log, which names it: between the two the old log finds another outbox, and says so. */
#ifndef EVS_REDIS_TOOLS_H
#define EVS_REDIS_TOOLS_H

#include "evstream/store.h"

/* Looks at the last commit and hands over its blocks, first those of the state, then those of the outbox. `begin` is called before the first block of each
 * try: an engine that goes on may trim what is being read. EVS_E_STATE without a commit. */
struct evs_redis_reading {
    evs_status (*begin)(void *argument, const struct evs_store_terms *terms, struct evs_error *error);
    evs_status (*take)(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                       struct evs_error *error);
    void *argument;
};
EVS_MUST_CHECK evs_status evs_redis_tool_read(void *store, const struct evs_redis_reading *reading,
                                              struct evs_error *error);

/* The last commit of `from` and all that it needs, as the whole contents of `to`; read once again and checked. */
struct evs_redis_copied {
    uint64_t checkpoint, blocks, bytes;
};
EVS_MUST_CHECK evs_status evs_redis_tool_copy(void *from, void *to, struct evs_redis_copied *copied,
                                              struct evs_error *error);
/* `from` takes the place of `to`. */
EVS_MUST_CHECK evs_status evs_redis_tool_replace(void *from, void *to, struct evs_error *error);
EVS_MUST_CHECK evs_status evs_redis_tool_delete(void *store, struct evs_error *error);

/* *active: an engine is connected with this group, or has written within `watch_us`. */
EVS_MUST_CHECK evs_status evs_redis_tool_watch(void *store, const char *pipeline, const char *group, int64_t watch_us,
                                               bool *active, struct evs_error *error);
/* Entries that nothing needs any more are gone to the last one: XTRIM leaves some for a while. */
EVS_MUST_CHECK evs_status evs_redis_tool_trim(void *store, struct evs_error *error);

/* --- savepoints: the list of those that are complete ----------------------------------------------------------------- */

struct evs_redis_savepoint {
    struct evs_slice name, record; /* borrowed during the call */
    uint64_t checkpoint, bytes;
    int64_t made_us; /* by the server's clock */
};
EVS_MUST_CHECK evs_status evs_redis_savepoint_list(void *store,
                                                   evs_status (*take)(void *argument,
                                                                      const struct evs_redis_savepoint *savepoint,
                                                                      struct evs_error *error),
                                                   void *argument, struct evs_error *error);
/* The newest entry of a name counts; the older ones are removed with it. */
EVS_MUST_CHECK evs_status evs_redis_savepoint_add(void *store, const struct evs_redis_savepoint *savepoint,
                                                  struct evs_error *error);
EVS_MUST_CHECK evs_status evs_redis_savepoint_remove(void *store, const char *name, struct evs_error *error);

#endif
