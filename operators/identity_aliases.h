/* Which ids are the same person by alias: a forest over ids, kept whole on every worker.
 *
 *     alias a → b, c → b, b → d            d ◄── b ◄── a
 *                                                 ▲
 *     person(a) = person(c) = d                   └── c
 *
 * "PREVIOUS is now known as USER" hangs the root of PREVIOUS under the root of USER, so a person is called what its latest alias calls it. The order
 * of aliases decides, and it is the order of rows (event time, cause), so all workers and all runs build the same forest. Paths are not compressed: each
 * pointer is one alias with a moment of its own at which it is forgotten, and a person of more than `ids_max` ids is refused, which bounds a walk.
 *
 * Kept whole everywhere, because a row of any worker may carry any of a person's ids. Aliases are rare beside rows, and arrive by a broadcast (engine/run/
 * exchange.c), so at a watermark all workers have all aliases before it. One worker, the owner of the id's shard, stores and counts a pointer; a
 * restore gives it to all (`everywhere` in evstream/operator.h).
 *
 * Memory: 48 bytes an id + its text beyond 12 bytes, 8–16 of directory, 16 of a timer; on each worker. */
#ifndef EVS_IDENTITY_ALIASES_H
#define EVS_IDENTITY_ALIASES_H

#include "evstream/operator.h"
#include "evstream/table.h"
#include "evstream/timer.h"

struct evs_aliases {
    struct evs_op *op;
    struct evs_table_layout layout;
    struct evs_table table;
    struct evs_timers timers; /* at forget_us; the payload is the entry's index */
    uint32_t *dirty;          /* entries that changed since the last snapshot; their epoch says that they are listed */
    uint32_t dirty_count, dirty_capacity, epoch;
    int64_t retain_us;
    uint32_t ids_max;
    bool durable, restored;
};

void evs_aliases_init(struct evs_aliases *aliases, struct evs_op *op, int64_t retain_us, uint32_t ids_max);
void evs_aliases_fini(struct evs_aliases *aliases); /* also when it was never opened */

/* Who an id is: the root above it, or the id itself. The text is borrowed until the next change. */
struct evs_str evs_aliases_person(const struct evs_aliases *aliases, const struct evs_str *id);
/* `previous` is `user` from at_us on. False: refused, because the person would have more than ids_max ids. */
bool evs_aliases_add(struct evs_aliases *aliases, const struct evs_str *previous, const struct evs_str *user,
                     int64_t at_us);
/* Forgets the aliases that were last told `retain` before until_us. */
void evs_aliases_forget(struct evs_aliases *aliases, int64_t until_us);
size_t evs_aliases_bytes(const struct evs_aliases *aliases);

/* Where a stored alias names its id. */
enum { EVS_ALIASES_NULLS_AT = 8, EVS_ALIASES_KEY_AT = 16 };
void evs_aliases_snapshot(struct evs_aliases *aliases, uint32_t section, struct evs_snapshot_writer *writer, bool full);
/* `passed_us`: the last moment that the commit's watermark has passed. False: damaged. */
bool evs_aliases_restore(struct evs_aliases *aliases, const struct evs_snapshot_record *record, int64_t passed_us);
/* Behind the last record: what follows from all of them. */
void evs_aliases_settle(struct evs_aliases *aliases);

#endif
