/* The table that a PostgreSQL sink writes to, as the server has it, and the statements that follow from it.
 *
 * Columns are matched by name. Every value is handed over as text and becomes its column's type by that type's own input function, so numerics keep their
 * digits; what types may meet is decided here, when the table is looked at, and not row by row.
 *
 * A batch is one statement, hence one transaction, and it moves the sink's cursor:
 *
 *   with moved as (update evstream_cursor set epoch = …, position = … where pipeline = … and sink = … and owner = OURS
 *                  and epoch = … and position = THE ONE BEFORE returning 1),
 *   stored as (insert into TABLE (…) select … from unnest($8::text[], …) where exists (select from moved) …)
 *   select count(*) from moved
 *
 * So rows are there if and only if the cursor says so; a repeated batch, one of an engine that was replaced, and one behind a batch that failed move
 * nothing. */
#ifndef EVS_PG_TABLE_H
#define EVS_PG_TABLE_H

#include <libpq-fe.h>

#include "evstream/batch.h"

struct evs_pg_column { /* of the table */
    const char *name, *quoted;
    const char *type, *element_type; /* names to cast to; element_type "": no array */
    bool is_loose;                   /* an enum, or a type that an extension has made: what it takes only it knows */
    bool not_null, has_default, is_generated;
};
struct evs_pg_table {
    const char *name;              /* as the user writes it */
    const char *schema, *relation; /* as the server quotes them */
    const struct evs_pg_column *columns;
    uint32_t column_count;
    bool may_insert, may_update, may_select;
    bool has_unique_key;          /* upsert: an index on exactly the key's columns */
    bool has_cursor, has_refused; /* evstream_cursor and evstream_refused are beside it */
};
struct evs_pg_target { /* what the user says */
    const char *table;
    bool upsert;
    const char *const *keys; /* column names */
    uint32_t key_count;
    const char *key_array; /* the same as an array literal of PostgreSQL */
};
struct evs_pg_source { /* a column of the rows */
    struct evs_slice name;
    enum evs_kind kind;
    const struct evs_type *type; /* NULL: known by its kind alone */
};

/* What to ask: $1 the table, $2 the key's columns as an array of text. */
extern const char evs_pg_table_query[];
/* Reads the answer into `arena`; no rows: there is no such table, and *table has column_count 0. */
void evs_pg_table_read(const PGresult *result, const struct evs_pg_target *target, struct evs_arena *arena,
                       struct evs_pg_table *table);
/* Whether rows of these columns go into it. EVS_E_REFUSED with a text that names the column and what to do. */
evs_status evs_pg_table_check(const struct evs_pg_table *table, const struct evs_pg_target *target,
                              const struct evs_pg_source *columns, uint32_t count, struct evs_error *error);

/* `create table` for rows of these columns. Appends, with a NUL. */
void evs_pg_put_create(const struct evs_pg_target *target, const struct evs_schema *schema, struct evs_buffer *sql);
/* The statement of a batch. Parameters: $1 pipeline, $2 sink, $3 owner, $4 epoch, $5 position, $6 epoch before, $7 position before, then an array a column.
 * The columns have been checked. */
#define EVS_PG_CURSOR_PARAMETERS 7u
void evs_pg_put_batch(const struct evs_pg_table *table, const struct evs_pg_target *target,
                      const struct evs_pg_source *columns, uint32_t count, struct evs_buffer *sql);
/* One row that is refused: the same, then $8 the trigger's id, $9 why. */
#define EVS_PG_REFUSAL_PARAMETERS 9u
void evs_pg_put_refusal(const struct evs_pg_table *table, struct evs_buffer *sql);
/* The sink's own tables. */
void evs_pg_put_bookkeeping(const struct evs_pg_table *table, struct evs_buffer *sql);
void evs_pg_put_claim(const struct evs_pg_table *table, struct evs_buffer *sql);    /* $1 pipeline, $2 sink, $3 owner */
void evs_pg_put_position(const struct evs_pg_table *table, struct evs_buffer *sql); /* $1 pipeline, $2 sink */
void evs_pg_put_refused(const struct evs_pg_table *table, struct evs_buffer *sql);  /* $1 pipeline, $2 sink */

#endif
