/* Is it the server that it was? Asked with every new connection by those who must know what a crash may have taken.
 *
 * Rows that a sink has written stand behind the commit that let them go. A server that loses its tail may lose such rows and no commit: the log then ends
 * where the engine left it, although rows are missing that it counts as delivered. Only a look at the server itself tells: its run id is new after a
 * restart, and a replica that was made a master names the master before it (replid2). */
#ifndef EVS_REDIS_IDENTITY_H
#define EVS_REDIS_IDENTITY_H

#include "evstream/text.h"

#define EVS_REDIS_ID_BYTES 48

struct evs_redis_identity {
    char run_id[EVS_REDIS_ID_BYTES];         /* empty: not known */
    char history_before[EVS_REDIS_ID_BYTES]; /* of the master that this one has followed; empty: none */
};

enum evs_redis_change {
    EVS_REDIS_SAME,      /* or not known */
    EVS_REDIS_RESTARTED, /* what it had synced is there */
    EVS_REDIS_REPLACED,  /* what had reached the replica is there */
};

/* The value of a line "name:value" of INFO; empty when there is none. */
struct evs_slice evs_redis_info_value(struct evs_slice info, const char *name);
void evs_redis_identity_read(struct evs_slice info, struct evs_redis_identity *identity);
enum evs_redis_change evs_redis_identity_compare(const struct evs_redis_identity *known,
                                                 const struct evs_redis_identity *now);
/* May it have lost what it had confirmed? `forgets`: not every reply means synced, so that a restart may, too. */
static inline bool evs_redis_may_forget(enum evs_redis_change change, bool forgets)
{
    return change == EVS_REDIS_REPLACED || (change == EVS_REDIS_RESTARTED && forgets);
}

#endif
