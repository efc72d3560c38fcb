/* Which server a link goes to: the one of the URL, the master that sentinels name, or the node of a cluster that owns a key.
 *
 *   redis://host           host. If it turns out to be a node of a cluster, the node that it points to (MOVED)
 *   redis+cluster://a,b,c  the same, and any of them to begin with
 *   redis+sentinel://a,b,c/main
 *                          before every connection one of them is asked who the master is: after a failover the next
 *                          connection leads to the new one
 *
 * All keys of a link's user lie in one slot (a group's keys have one hash tag, a sink writes one stream), so one target is enough.
 * ASK is not followed: while a slot is being handed over, a key that does not exist yet would be made on both nodes. It is waited for, as
 * TRYAGAIN is; handing over a slot takes moments, and ends with MOVED. */
#ifndef EVS_REDIS_ROUTE_H
#define EVS_REDIS_ROUTE_H

#include "redis_address.h"

#define EVS_REDIS_HOST_BYTES 256

struct evs_redis_route {
    const struct evs_redis_address *address;
    uint32_t turn;                        /* which of the address's endpoints is next */
    char host[EVS_REDIS_HOST_BYTES];      /* what was learnt; empty: nothing */
    uint16_t port;                        /* of it */
    char text[EVS_REDIS_HOST_BYTES + 16]; /* "host:port" of the last answer of evs_redis_route_next */
};

struct evs_redis_endpoint {
    const char *host;
    uint16_t port;
};

/* Where to connect now. *asks: it is a sentinel, and only to be asked for the master. */
struct evs_redis_endpoint evs_redis_route_next(struct evs_redis_route *route, bool *asks);
/* The connection could not be made, was lost, or led to a server that is no master: what was learnt is forgotten, and another endpoint is next. */
void evs_redis_route_failed(struct evs_redis_route *route);
/* "MOVED <slot> <host>:<port>": false when it is anything else. An empty host is the one that has answered. */
EVS_MUST_CHECK bool evs_redis_route_moved(struct evs_redis_route *route, const char *reply);
/* A sentinel's answer; false when it does not fit. */
EVS_MUST_CHECK bool evs_redis_route_learn(struct evs_redis_route *route, struct evs_slice host, struct evs_slice port);

#endif
