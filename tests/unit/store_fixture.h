/* What the tests of the Redis store share: a server, an oracle, and short words for the usual steps, which fail the
 * test when they fail. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "evstream/os.h"
#include "server_redis.h"
#include "store_oracle.h"

#define LOG "evs:{clicks:0}:log"
#define OB "evs:{clicks:0}:ob"
#define SECOND INT64_C(1000000)

extern struct server_redis server;
extern struct oracle oracle;
extern struct evs_error error;

/* For a checked fixture: a fresh server, an empty oracle. */
void set_up(void);
/* The same with appendfsync no: what is confirmed is with the kernel, so a kill of the server loses nothing. (Under
 * everysec a write may wait in the server for a running fsync, although it is confirmed.) */
void set_up_strict(void);
void tear_down(void);

void *open_at(const char *url, int64_t retry_us);
struct evs_store_terms acquire(void *store);
void *open_and_acquire(const char *url); /* a first start */
void must_commit(void *store, struct oracle_commit shape);
/* A new owner, who must find everything that the oracle has. */
void *check_restore(const char *url);
/* The last error's text has this in it. */
void check_text(const char *part);

#endif
