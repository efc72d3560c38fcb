/* A proxy between a client and a redis-server that goes command by command: each request is passed on only when the
 * reply to the one before has been handed back. So a fault can be put at an exact place, even into a pipeline: a
 * hook sees every request first, may change the server behind its back, and says what becomes of it. One client at a
 * time. */
#ifndef PROXY_REDIS_H
#define PROXY_REDIS_H

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum proxy_verdict {
    PROXY_PASS,
    PROXY_CUT,        /* close the connection; the server never sees the request */
    PROXY_LOSE_REPLY, /* the server carries it out; the connection is closed instead of handing back its reply */
};

struct proxy_redis {
    char url[160]; /* for the client */
    char socket[108], upstream[108];
    /* `request` is an array of strings; `number` counts all requests from 0. Runs in the proxy's thread. */
    enum proxy_verdict (*hook)(void *argument, unsigned number, const redisReply *request);
    void *argument;
    unsigned requests;
    int listener;
    _Atomic int client;
    _Atomic bool stopping;
    pthread_t thread;
};

void proxy_redis_start(struct proxy_redis *proxy, const char *upstream_socket,
                       enum proxy_verdict (*hook)(void *argument, unsigned number, const redisReply *request),
                       void *argument);
void proxy_redis_stop(struct proxy_redis *proxy);

/* Is this a request for `command`; of an FCALL, for the function? */
bool proxy_request_is(const redisReply *request, const char *name);

#endif
