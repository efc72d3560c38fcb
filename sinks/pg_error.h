/* What an error of PostgreSQL means to a sink, by its SQLSTATE (PostgreSQL, Appendix A). */
#ifndef EVS_PG_ERROR_H
#define EVS_PG_ERROR_H

#include <libpq-fe.h>

#include "evstream/memory.h"

enum evs_pg_cause {
    EVS_PG_ROW,       /* a row of the statement is refused, and would be for ever */
    EVS_PG_AGAIN,     /* the server is not able to now: memory, disk, a lock, a restart */
    EVS_PG_READ_ONLY, /* it is a standby, or was made one */
    EVS_PG_SCHEMA,    /* the table is not what it was when it was looked at, or permission is missing */
};

enum evs_pg_cause evs_pg_cause_of(const PGresult *result);
/* "23505: duplicate key value violates unique constraint "orders_pkey" (Key (id)=(7) already exists.)" Appends. */
void evs_pg_put_error(const PGresult *result, struct evs_buffer *out);

#endif
