/* The rows that a PostgreSQL sink has been given and has not told as delivered: a ring, oldest first.
 *
 *   first            done              sent               count
 *     │ taken or refused, │ in a request   │ waiting           │
 *     │ not told yet      │ under way      │                   │
 *
 * A row's place is (epoch, position) of its commit, which rises along the ring: so the server's cursor says of each whether it is there. */
#ifndef EVS_PG_WINDOW_H
#define EVS_PG_WINDOW_H

#include "evstream/sink.h"

#define EVS_PG_WINDOW_ROWS 8192u /* a power of two */
#define EVS_PG_WINDOW_BYTES (8u << 20)

struct evs_pg_place {
    uint64_t epoch, position;
};
static inline bool evs_pg_place_is_after(struct evs_pg_place a, struct evs_pg_place b)
{
    return a.epoch > b.epoch || (a.epoch == b.epoch && a.position > b.position);
}

struct evs_pg_row {
    uint64_t number;
    struct evs_pg_place place;
    struct evs_hash128 id;
    uint32_t shape;
    char *refusal; /* why the server refuses it; NULL: it has not */
    struct evs_buffer payload;
};

struct evs_pg_window {
    struct evs_pg_row *rows;           /* EVS_PG_WINDOW_ROWS; their buffers stay */
    uint32_t first, done, sent, count; /* the last three from first */
    size_t bytes;
};

void evs_pg_window_init(struct evs_pg_window *window);
void evs_pg_window_fini(struct evs_pg_window *window);
struct evs_pg_row *evs_pg_window_at(struct evs_pg_window *window, uint32_t index);
/* The row is copied. NULL: no room. */
struct evs_pg_row *evs_pg_window_add(struct evs_pg_window *window, const struct evs_sink_message *message,
                                     struct evs_pg_place place);
/* Takes the oldest off, which is done. */
void evs_pg_window_drop_first(struct evs_pg_window *window);

#endif
