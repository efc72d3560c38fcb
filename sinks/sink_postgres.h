/* Sink into a table of PostgreSQL: every row is there once, in order, or is a dead letter.
 *
 *   create sink orders to postgres (url = 'postgresql://shop@db.example.com/shop', table = 'sales.orders')
 *
 * Rows reach it from commits only. Beside the table stands evstream_cursor, with a row for this sink: who may write (the owner: the term of the engine),
 * and the place of the last row that was taken, (epoch, position), which is that of its commit and only ever rises. A batch changes the cursor in
 * the transaction that stores its rows (pg_table.h). */
#ifndef EVS_SINK_POSTGRES_H
#define EVS_SINK_POSTGRES_H

#include "evstream/sink.h"

extern const struct evs_sink evs_sink_postgres;

#endif
