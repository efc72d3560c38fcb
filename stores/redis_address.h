/* Addresses of a Redis server, and entry ids of its streams: text to values and back.
 *
 *   redis://[[user]:password@]host[:port][/database]     port 6379, database 0
 *   rediss://…                                           TLS, where hiredis was built with it
 *   unix://[[user]:password@]/path[?db=number]
 *   redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/master[/database]     port 26379: who is the master is asked of these
 *   redis+cluster://[[user]:password@]host[:port][,host[:port]…]     any nodes of the cluster
 *
 * User and password may be percent-encoded; one word alone before the @ is the password, as in redis-cli. The text
 * of an address that is shown to people (evs_redis_address_text) has neither. */
#ifndef EVS_REDIS_ADDRESS_H
#define EVS_REDIS_ADDRESS_H

#include "evstream/memory.h"
#include "evstream/text.h"

struct evs_redis_host {
    char *name;
    uint16_t port;
};

#define EVS_REDIS_ENDPOINTS_MAX 16

struct evs_redis_address {
    struct evs_redis_host
        endpoints[EVS_REDIS_ENDPOINTS_MAX]; /* TCP: sentinels, nodes of a cluster, or the one server */
    uint32_t endpoint_count;                /* 0 for a unix socket */
    char *service;                          /* sentinels: the master's name there; else NULL */
    char *path;                             /* unix socket; NULL for TCP */
    char *user;                             /* NULL: the default user */
    char *password;                         /* NULL: none */
    char *text;                             /* for people, without user and password */
    uint32_t database;
    bool tls;
};

/* Fills *address; a bad URL is EVS_E_USAGE with what is wrong. On failure nothing is to be freed. */
EVS_MUST_CHECK evs_status evs_redis_address_parse(const char *url, struct evs_redis_address *address,
                                                  struct evs_error *error);
void evs_redis_address_fini(struct evs_redis_address *address); /* wipes the password */

/* "<ms>-<sequence>": the order of a stream. */
struct evs_redis_id {
    uint64_t ms, sequence;
};

#define EVS_REDIS_ID_TEXT_BYTES 42

static inline int evs_redis_id_compare(struct evs_redis_id a, struct evs_redis_id b)
{
    if (a.ms != b.ms) {
        return a.ms < b.ms ? -1 : 1;
    }
    return a.sequence == b.sequence ? 0 : a.sequence < b.sequence ? -1 : 1;
}
static inline bool evs_redis_id_is_zero(struct evs_redis_id id)
{
    return id.ms == 0 && id.sequence == 0;
}
/* Strict: two decimal numbers and a hyphen, nothing else. */
EVS_MUST_CHECK bool evs_redis_id_parse(struct evs_slice text, struct evs_redis_id *id);
/* Writes NUL-terminated text and returns a slice of it. */
struct evs_slice evs_redis_id_text(struct evs_redis_id id, char text[EVS_REDIS_ID_TEXT_BYTES]);
/* A decimal number without sign, space or leading plus; false when it does not fit. */
EVS_MUST_CHECK bool evs_redis_number_parse(struct evs_slice text, uint64_t *number);

#endif
