/* Rows kept in state: for joins, sequences, match_recognize, over, hold, keep last.
 *
 * A kept row is one block of bytes without a pointer, so that a snapshot and a restore are a memcpy:
 *
 *   ┌──────────────────────────┬──────────────────────────┬───────────┬─────────┬───────┬──────────────┬─────────┐
 *   │ head, 40 bytes:          │ columns of 16 and 8 bytes│ ends of   │ columns │ NULL  │ text, array, │ padding │
 *   │ time cause lineage       │ in their order           │ texts, 4  │ of 1    │ bits  │ struct bytes │ to 8    │
 *   │ ordinal bytes            │                          │ bytes each│ byte    │       │              │         │
 *   └──────────────────────────┴──────────────────────────┴───────────┴─────────┴───────┴──────────────┴─────────┘
 *
 * Bytes a row: 40 + 16 a numeric or interval + 8 an int64, float64 or time + (4 + its bytes) a text, array or struct + 1 a bool + 1 bit a
 * column, rounded up to 16. A click with a time, a numeric price and three texts of 12 bytes takes 112; a list adds 8 a row.
 *
 * The block's layout is made once, at open, from the schema and the columns that are kept, and is part of an operator's stored state: an operator
 * that keeps rows has the columns' kinds in its state identity.
 *
 * Memory comes from a pool of blocks (below), for rows come and go one by one. One thread. */
#ifndef EVS_ROWS_H
#define EVS_ROWS_H

#include "evstream/table.h"

/* --- the order of a key ---------------------------------------------------------------------------------------------------- */

/* Where a row stands among the rows of its key (language, "Event time, exactly"). The lineage comes last: both branches of a union may bring
 * rows of one cause, and the order must be total. */
struct evs_row_order {
    int64_t event_time_us;
    struct evs_cause cause;
    uint64_t lineage;
    uint32_t ordinal;
};
int evs_row_order_compare(const struct evs_row_order *a, const struct evs_row_order *b); /* -1, 0, 1 */
struct evs_row_order evs_row_order_of(const struct evs_batch *batch, uint32_t row);

/* --- one row ------------------------------------------------------------------------------------------------------------------ */

struct evs_row {
    int64_t event_time_us;
    struct evs_cause cause;
    uint64_t lineage;
    uint32_t ordinal;
    uint32_t bytes_and_kind; /* of the block, a multiple of 8; bit 0: the cause is a window */
};
_Static_assert(sizeof(struct evs_row) == 40, "part of the state format");

static inline uint32_t evs_row_bytes(const struct evs_row *row)
{
    return row->bytes_and_kind & ~7u;
}
static inline enum evs_cause_kind evs_row_cause_kind(const struct evs_row *row)
{
    return (row->bytes_and_kind & 1u) ? EVS_CAUSE_WINDOW : EVS_CAUSE_RECORD;
}
static inline struct evs_row_order evs_row_order(const struct evs_row *row)
{
    return (struct evs_row_order){row->event_time_us, row->cause, row->lineage, row->ordinal};
}
int evs_row_compare(const struct evs_row *a, const struct evs_row *b); /* by the order of a key */

struct evs_row_layout {
    uint32_t column_count;
    struct evs_row_column {
        uint32_t source; /* column of the batches that rows come from */
        uint32_t offset; /* in the block; of a variable one: of its end */
        uint32_t width;  /* 0: variable */
        enum evs_kind kind;
    } * columns;
    uint32_t text_count;
    uint32_t ends_offset, nulls_offset, text_offset;
};

/* `columns` are those of the schema that are kept; NULL with count 0 means all. */
void evs_row_layout_init(struct evs_row_layout *layout, const struct evs_schema *schema, const uint32_t *columns,
                         uint32_t column_count);
void evs_row_layout_fini(struct evs_row_layout *layout);

struct evs_row_pool;

/* The row as a block of the pool, freed with evs_row_free. A row whose block would be beyond EVS_ROW_BYTES_MAX asserts: sources limit
 * records to far less. */
#define EVS_ROW_BYTES_MAX (1u << 30)
struct evs_row *evs_row_keep(struct evs_row_pool *pool, const struct evs_row_layout *layout,
                             const struct evs_batch *batch, uint32_t row);
void evs_row_free(struct evs_row_pool *pool, struct evs_row *row);
/* The row's bytes as they are stored; read again by evs_row_restore. */
static inline struct evs_slice evs_row_slice(const struct evs_row *row)
{
    return (struct evs_slice){(const char *)row, evs_row_bytes(row)};
}
/* A copy of stored bytes (at any alignment). NULL when they are no row of this layout: wrong length, ends out of order or beyond the block, a
 * bool that is neither 0 nor 1, a string that is not valid UTF-8. */
struct evs_row *evs_row_restore(struct evs_row_pool *pool, const struct evs_row_layout *layout, struct evs_slice bytes);

/* The same for a row of another version of the pipeline: `stored` is the layout that it was written with, `today` has for each of its columns the number that
 * it has in `layout`, or EVS_NO_PART. Columns that it did not have are NULL. */
struct evs_state_parts;
struct evs_row *evs_row_restore_moved(struct evs_row_pool *pool, const struct evs_row_layout *layout,
                                      const struct evs_row_layout *stored, const uint32_t *today,
                                      struct evs_slice bytes);
/* The layout of rows of one input out of an operator's shape (evstream/shape.h); to be finished in any case. False: the parts are damaged. */
bool evs_row_layout_of_parts(struct evs_row_layout *layout, const struct evs_state_parts *rows, uint32_t input);

/* The same for an operator that puts rows into blocks of its own, behind what it notes of them: bytes of the block, the block written to `to`
 * (aligned to 8), and whether stored bytes at `row` (aligned to 8) are a row of the layout. */
uint32_t evs_row_size(const struct evs_row_layout *layout, const struct evs_batch *batch, uint32_t row);
void evs_row_write(const struct evs_row_layout *layout, const struct evs_batch *batch, uint32_t row, uint32_t bytes,
                   struct evs_row *to);
bool evs_row_is_valid(const struct evs_row_layout *layout, const struct evs_row *row, size_t bytes);

/* One value; `column` counts the kept columns. Text is borrowed from the row. */
struct evs_value evs_row_value(const struct evs_row_layout *layout, const struct evs_row *row, uint32_t column);
bool evs_row_is_null(const struct evs_row_layout *layout, const struct evs_row *row, uint32_t column);

/* Rows to columns: kept column i of rows[r] goes to out[i] at element `first + r`. NULL for a row gives NULLs (an unmatched side of a join). The
 * columns have been made with evs_column_init, nullable. Long text is copied into `arena`; NULL borrows it, for as long as the rows live. */
void evs_row_decode(const struct evs_row_layout *layout, const struct evs_row *const *rows, uint32_t count,
                    struct evs_arena *arena, struct evs_column *out, uint32_t first);
/* The same for one kept column. */
void evs_row_decode_column(const struct evs_row_layout *layout, uint32_t column, const struct evs_row *const *rows,
                           uint32_t count, struct evs_arena *arena, struct evs_column *out, uint32_t first);

/* The entry of a row's key, for restores: `key_columns` are kept columns, in the order of the table's keys. Finds or adds. */
struct evs_entry *evs_row_find_entry(const struct evs_row_layout *layout, const struct evs_row *row,
                                     const uint32_t *key_columns, struct evs_table *table, uint64_t hash, bool *is_new);

/* --- the rows of one key, in its order ---------------------------------------------------------------------------------------- */

/* Mostly appended to, since rows nearly come in order; a row that comes behind others is inserted. One row needs no memory but the list's own 24
 * bytes, so that a table of a million keys with a row each stays small. Zero-initialised is a valid empty list; it holds pointers, so its table's
 * entry must not be stored as it is. */
struct evs_row_list {
    union {
        struct evs_row *one;   /* capacity 0 */
        struct evs_row **rows; /* a block of the pool */
    };
    uint32_t first, count, capacity; /* rows[first … first + count) */
};

static inline struct evs_row *evs_row_list_at(const struct evs_row_list *list, uint32_t position)
{
    return list->capacity == 0 ? list->one : list->rows[list->first + position];
}
/* Takes the row; returns its position. Equal rows (there are none of one input) stay in the order of their arrival. */
uint32_t evs_row_list_insert(struct evs_row_list *list, struct evs_row_pool *pool, struct evs_row *row);
/* The first position whose row's time is >= time_us; list->count when there is none. */
uint32_t evs_row_list_lower(const struct evs_row_list *list, int64_t time_us);
/* Takes rows out. The caller then owns the row. */
struct evs_row *evs_row_list_pop(struct evs_row_list *list, struct evs_row_pool *pool);
struct evs_row *evs_row_list_remove(struct evs_row_list *list, struct evs_row_pool *pool, uint32_t position);
/* Frees the rows whose time is < time_us; returns how many. */
uint32_t evs_row_list_drop_before(struct evs_row_list *list, struct evs_row_pool *pool, int64_t time_us);
void evs_row_list_clear(struct evs_row_list *list, struct evs_row_pool *pool); /* frees all */

/* --- the pool -------------------------------------------------------------------------------------------------------------------- */

/* Blocks by size classes (multiples of 16 up to 256 bytes, then four to a doubling), cut from chunks of 256 KiB. A freed block serves the next one of
 * its class, so a steady state allocates nothing; blocks above 32 KiB are allocated apart. Chunks stay until the pool is empty or ends. */
#define EVS_ROW_POOL_CLASSES 44u
struct evs_row_pool {
    void *free[EVS_ROW_POOL_CLASSES];
    struct evs_row_pool_large *large; /* blocks of their own */
    uint8_t **chunks;
    uint32_t chunk_count, chunk_capacity, chunk_at;
    uint32_t chunk_used;  /* bytes of chunks[chunk_at] */
    uint64_t block_count; /* out */
    size_t used_bytes;    /* out, as classes: tell EVS_COUNT_STATE_BYTES */
};
/* Zero-initialised is a valid empty pool. All blocks of a finished pool are gone at once: no need to free each before. */
void evs_row_pool_fini(struct evs_row_pool *pool);
/* Blocks for an operator's own use, 16-byte aligned; freed with the size that was asked for. */
void *evs_row_pool_take(struct evs_row_pool *pool, size_t bytes) __attribute__((returns_nonnull));
void evs_row_pool_give(struct evs_row_pool *pool, void *block, size_t bytes);

#endif
