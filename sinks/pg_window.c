#include "pg_window.h"

void evs_pg_window_init(struct evs_pg_window *window)
{
    *window = (struct evs_pg_window){.rows = evs_alloc_zero(EVS_PG_WINDOW_ROWS * sizeof *window->rows)};
}

void evs_pg_window_fini(struct evs_pg_window *window)
{
    for (uint32_t i = 0; window->rows != NULL && i < EVS_PG_WINDOW_ROWS; i++) {
        evs_buffer_fini(&window->rows[i].payload);
        evs_free(window->rows[i].refusal);
    }
    evs_free(window->rows);
    *window = (struct evs_pg_window){0};
}

struct evs_pg_row *evs_pg_window_at(struct evs_pg_window *window, uint32_t index)
{
    EVS_ASSERT(index < EVS_PG_WINDOW_ROWS);
    return &window->rows[(window->first + index) & (EVS_PG_WINDOW_ROWS - 1)];
}

struct evs_pg_row *evs_pg_window_add(struct evs_pg_window *window, const struct evs_sink_message *message,
                                     struct evs_pg_place place)
{
    bool fits = window->count == 0 ||
                (window->count < EVS_PG_WINDOW_ROWS && window->bytes + message->payload.count <= EVS_PG_WINDOW_BYTES);
    if (!fits) {
        return NULL;
    }
    struct evs_pg_row *row = evs_pg_window_at(window, window->count++);
    EVS_ASSERT(row->refusal == NULL);
    row->number = message->number;
    row->place = place;
    row->id = message->id;
    row->payload.count = 0;
    evs_buffer_put(&row->payload, message->payload.data, message->payload.count);
    window->bytes += message->payload.count;
    return row;
}

void evs_pg_window_drop_first(struct evs_pg_window *window)
{
    EVS_ASSERT(window->done > 0 && window->done <= window->sent && window->sent <= window->count);
    struct evs_pg_row *row = evs_pg_window_at(window, 0);
    window->bytes -= row->payload.count;
    evs_free(row->refusal);
    row->refusal = NULL;
    window->first = (window->first + 1) & (EVS_PG_WINDOW_ROWS - 1);
    window->done--;
    window->sent--;
    window->count--;
}
