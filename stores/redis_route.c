#include "redis_route.h"

#include <stdio.h>

static struct evs_redis_endpoint seed(const struct evs_redis_route *route)
{
    const struct evs_redis_address *address = route->address;
    EVS_ASSERT(address->endpoint_count > 0);
    const struct evs_redis_host *host = &address->endpoints[route->turn % address->endpoint_count];
    return (struct evs_redis_endpoint){host->name, host->port};
}

struct evs_redis_endpoint evs_redis_route_next(struct evs_redis_route *route, bool *asks)
{
    bool learnt = route->host[0] != '\0';
    *asks = !learnt && route->address->service != NULL;
    struct evs_redis_endpoint next = learnt ? (struct evs_redis_endpoint){route->host, route->port} : seed(route);
    snprintf(route->text, sizeof route->text, "%s:%u", next.host, (unsigned)next.port);
    return next;
}

void evs_redis_route_failed(struct evs_redis_route *route)
{
    route->host[0] = '\0';
    route->turn = (route->turn + 1) % route->address->endpoint_count;
}

bool evs_redis_route_learn(struct evs_redis_route *route, struct evs_slice host, struct evs_slice port)
{
    uint64_t number = 0;
    if (host.count == 0 || host.count >= sizeof route->host || !evs_redis_number_parse(port, &number) || number == 0 ||
        number > UINT16_MAX) {
        return false;
    }
    memcpy(route->host, host.data, host.count);
    route->host[host.count] = '\0';
    route->port = (uint16_t)number;
    return true;
}

bool evs_redis_route_moved(struct evs_redis_route *route, const char *reply)
{
    const char *target = strncmp(reply, "MOVED ", 6) == 0 ? strchr(reply + 6, ' ') : NULL;
    const char *colon = target == NULL ? NULL : strrchr(target, ':');
    if (colon == NULL) {
        return false;
    }
    struct evs_slice host = {target + 1, (size_t)(colon - target - 1)};
    char same[EVS_REDIS_HOST_BYTES];
    if (host.count == 0) { /* a cluster that does not know its own address */
        struct evs_slice now = evs_slice_of(route->host[0] != '\0' ? route->host : seed(route).host);
        EVS_ASSERT(now.count < sizeof same);
        memcpy(same, now.data, now.count);
        host = (struct evs_slice){same, now.count};
    }
    return evs_redis_route_learn(route, host, evs_slice_of(colon + 1));
}
