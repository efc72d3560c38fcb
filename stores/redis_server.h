/* What kind of server is this: may a state log live there, and what is a reply worth? */
#ifndef EVS_REDIS_SERVER_H
#define EVS_REDIS_SERVER_H

#include "redis_link.h"

#define EVS_REDIS_VERSION_MIN 7

enum evs_redis_fsync { EVS_REDIS_FSYNC_UNKNOWN, EVS_REDIS_FSYNC_ALWAYS, EVS_REDIS_FSYNC_EVERYSEC, EVS_REDIS_FSYNC_NO };

struct evs_redis_facts {
    uint64_t version; /* the major number; 0: not told */
    bool is_replica;
    bool is_clustered; /* a node of a cluster */
    bool evicts;       /* maxmemory-policy is not noeviction */
    bool append_only;
    enum evs_redis_fsync fsync;
    bool forgets;             /* a reply does not mean that a restart of the server leaves it */
    uint64_t replicas;        /* min-replicas-to-write: so many must have a commit before it counts as confirmed */
    char policy[32];          /* maxmemory-policy */
    char durability[192];     /* for people */
    int64_t confirm_delay_us; /* time after a reply until its write can be told to others (exactness, 8) */
};

/* Asks INFO, and CONFIG GET where that is permitted. Blocking. */
EVS_MUST_CHECK evs_status evs_redis_facts_ask(struct evs_redis_link *link, struct evs_redis_facts *facts,
                                              struct evs_error *error);

/* EVS_OK, or EVS_E_REFUSED with what has to be changed on the server. A replica is EVS_E_UNREACHABLE when
 * `may_fail_over`: after a failover the address may lead to the new master soon. */
EVS_MUST_CHECK evs_status evs_redis_facts_judge(const struct evs_redis_facts *facts, const char *server,
                                                bool may_fail_over, struct evs_error *error);

#endif
