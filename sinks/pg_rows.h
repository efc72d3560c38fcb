/* Rows on their way into a statement: payloads of `columns` (format_fields.h) turned into one array of text a column, in PostgreSQL's binary form.
 *
 * Rows of one shape (the same names and kinds) can share a batch. There is one shape but where the outbox holds rows of an earlier version of the
 * pipeline. */
#ifndef EVS_PG_ROWS_H
#define EVS_PG_ROWS_H

#include "format_fields.h"
#include "pg_table.h"

struct evs_pg_shape {
    struct evs_pg_source *columns; /* their names stand in `names` */
    uint32_t count;
    char *names;
    bool is_prepared; /* on this connection, for the table as it is */
    char statement[24];
};
struct evs_pg_shapes {
    struct evs_pg_shape *items;
    uint32_t count, capacity;
};

/* The number of a payload's shape, which is added when it is new; UINT32_MAX: the payload is damaged. */
uint32_t evs_pg_shape_of(struct evs_pg_shapes *shapes, struct evs_slice payload);
/* Types that a schema knows and a payload does not. */
void evs_pg_shapes_learn(struct evs_pg_shapes *shapes, const struct evs_schema *schema);
void evs_pg_shapes_unprepare(struct evs_pg_shapes *shapes);
void evs_pg_shapes_fini(struct evs_pg_shapes *shapes);

/* The arrays of a batch. Buffers stay from batch to batch. */
struct evs_pg_arrays {
    struct evs_buffer *columns;
    uint32_t count, capacity, rows;
};
void evs_pg_arrays_begin(struct evs_pg_arrays *arrays, uint32_t count);
void evs_pg_arrays_add(struct evs_pg_arrays *arrays, struct evs_slice payload);
/* Writes the numbers of rows; the buffers can be sent. */
void evs_pg_arrays_end(struct evs_pg_arrays *arrays);
void evs_pg_arrays_fini(struct evs_pg_arrays *arrays);

#endif
