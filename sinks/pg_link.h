/* One connection to a PostgreSQL server: the only code that calls libpq.
 *
 * It never blocks, but for the resolver when the address has a host name. libpq owns the socket; the engine waits on it as on any other.
 *
 *        start          PQconnectPoll
 *   DOWN ─────► CONNECTING ─────────► UP, in pipeline mode
 *     ▲              │                 │
 *     └──────────────┴──── any failure, silence or drop
 *
 * A request is one statement and a Sync, so it is a transaction of its own and a failure is its own. Requests are answered in their order. What was
 * under way when a connection is dropped has an unknown outcome, which is the caller's to resolve.
 *
 * One thread uses a link. */
#ifndef EVS_PG_LINK_H
#define EVS_PG_LINK_H

#include <libpq-fe.h>

#include "evstream/memory.h"
#include "evstream/os.h"

#define EVS_PG_TEXT 25 /* OIDs of types that PostgreSQL never renumbers */
#define EVS_PG_INT8 20
#define EVS_PG_TEXT_ARRAY 1009

struct evs_pg_address {
    const char *url;           /* postgresql://…, or 'host=… dbname=…'; NULL: as libpq's environment says */
    const char *password_file; /* read at every connection; NULL: none … */
    const char *password_env;  /* … name of a variable; NULL: none: libpq looks into ~/.pgpass and PGPASSWORD */
};

/* Whether libpq understands it, and it holds no password. */
evs_status evs_pg_check_url(const char *url, struct evs_error *error) EVS_MUST_CHECK;

struct evs_pg_link;
/* Connects to nothing yet. `address` must outlive the link; `name` is what pg_stat_activity shows. */
struct evs_pg_link *evs_pg_link_new(const struct evs_os *os, const struct evs_pg_address *address, const char *name);
void evs_pg_link_free(struct evs_pg_link *link); /* NULL is allowed */

bool evs_pg_link_is_down(const struct evs_pg_link *link);
bool evs_pg_link_is_up(const struct evs_pg_link *link);
const char *evs_pg_link_server(const struct evs_pg_link *link); /* "db.example.com:5432/shop", for people */
uint32_t evs_pg_link_awaited(const struct evs_pg_link *link);   /* requests without an answer yet */
void evs_pg_link_drop(struct evs_pg_link *link);

/* Every failure below drops the link: EVS_E_UNREACHABLE when another try may help. */

/* Begins to connect; the link must be down. */
evs_status evs_pg_link_start(struct evs_pg_link *link, struct evs_error *error) EVS_MUST_CHECK;
/* Connects, sends and reads as far as the socket lets it; tells a server that has been silent for too long. */
evs_status evs_pg_link_pump(struct evs_pg_link *link, struct evs_error *error) EVS_MUST_CHECK;
struct evs_wait_fd evs_pg_link_wait_fd(const struct evs_pg_link *link); /* the link must not be down */

/* Parameters of a request. A text needs a NUL at its end; an array is EVS_PG_TEXT_ARRAY in PostgreSQL's binary form. */
#define EVS_PG_PARAMETERS_MAX 2048u
struct evs_pg_parameters {
    uint32_t count;
    const char *const *values;
    const int *bytes;   /* NULL: all are texts */
    const int *formats; /* 0 text, 1 binary; NULL: all are texts */
};
/* Queues a request; the link must be up. `statement` was prepared under this name on this connection. */
evs_status evs_pg_link_ask(struct evs_pg_link *link, const char *sql, const struct evs_pg_parameters *parameters,
                           struct evs_error *error) EVS_MUST_CHECK;
evs_status evs_pg_link_prepare(struct evs_pg_link *link, const char *statement, const char *sql, const Oid *types,
                               uint32_t count, struct evs_error *error) EVS_MUST_CHECK;
evs_status evs_pg_link_execute(struct evs_pg_link *link, const char *statement,
                               const struct evs_pg_parameters *parameters, struct evs_error *error) EVS_MUST_CHECK;
/* The answer to the oldest request, whose transaction has then ended; the caller clears it. EVS_AGAIN: none yet. */
evs_status evs_pg_link_take(struct evs_pg_link *link, PGresult **result, struct evs_error *error) EVS_MUST_CHECK;

#endif
