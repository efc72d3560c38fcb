/* Windows as arithmetic: which windows a moment lies in, where they begin and end. Pure functions, no state; used by the aggregate's operators, by
 * `call` and by whoever needs the same windows.
 *
 *   tumble(4)           |0──4|4──8|8─12|              each moment lies in one
 *   hop(4, 2)           |0──4|  |4──8|                in size / slide of them
 *                          |2──6|  |6─10|
 *   cumulate(2, 6)      |0─2|   |6─8|                 in those of its size that are not over yet
 *                       |0───4| |6──10|
 *                       |0─────6|6────12|
 *
 * Starts lie on a grid of slides, moved by the offset; a tumble slides by its size, a cumulate too. Every start and end lies on the finer grid
 * of panes: what falls between two neighbours of it lies in the same windows. Arithmetic is a floor, so times before 1970 are like others. With a time
 * zone or sizes of months, grids are local and of the calendar (expr/zone.h): a day may have 23 or 25 hours.
 *
 * Windows of columns (window_start, window_end, assigned before) are given and need no arithmetic; sessions depend on their rows. */
#ifndef EVS_WINDOW_ASSIGN_H
#define EVS_WINDOW_ASSIGN_H

#include "evstream/batch.h"
#include "zone.h"

/* The numbers are part of the state's identity. */
enum evs_window_kind {
    EVS_WINDOW_NONE = 0,
    EVS_WINDOW_TUMBLE = 1,
    EVS_WINDOW_HOP = 2,
    EVS_WINDOW_CUMULATE = 3,
    EVS_WINDOW_SESSION = 4,
    EVS_WINDOW_COLUMNS = 5, /* the rows have their window in two columns */
};

struct evs_window {
    enum evs_window_kind kind;
    bool is_calendar;
    /* Neither calendar nor session: lengths in µs. */
    int64_t size_us, slide_us, pane_us, offset_us; /* 0 <= offset < slide */
    /* Calendar: local grids. */
    struct evs_zone zone;
    struct evs_period slide, pane;
    struct evs_interval size; /* of a hop: added to the start */
    /* Session. */
    int64_t gap_us, max_us; /* max_us 0: no limit */
    /* Columns of the input. */
    uint32_t start_column, end_column;
};

struct evs_span { /* [start, end) */
    int64_t start_us, end_us;
};

/* Fills pane_us or pane of a tumble or a hop, when the rest is set; of a cumulate they are its step. */
void evs_window_set_panes(struct evs_window *window);

/* The last window that holds the moment and begins, or of a cumulate ends, last; then the one before it, as long as it holds the moment.
 *     for (bool in = evs_window_last(w, t, &span); in; in = evs_window_before(w, t, &span)) */
bool evs_window_last(const struct evs_window *window, int64_t time_us, struct evs_span *span);
bool evs_window_before(const struct evs_window *window, int64_t time_us, struct evs_span *span);

/* In the order in which they end: the first window that holds the moment, and the one that ends next. Hop and cumulate. */
struct evs_span evs_window_first(const struct evs_window *window, int64_t time_us);
struct evs_span evs_window_next(const struct evs_window *window, struct evs_span span);

/* How many windows hold the moment and end at or before the watermark; the youngest must not. */
uint32_t evs_window_missed(const struct evs_window *window, int64_t time_us, int64_t watermark_us);

int64_t evs_window_pane(const struct evs_window *window, int64_t time_us);       /* start of the moment's pane */
int64_t evs_window_pane_after(const struct evs_window *window, int64_t time_us); /* start of the next pane */

static inline int64_t evs_floor_to(int64_t time_us, int64_t offset_us, int64_t size_us)
{
    int64_t rest = (time_us - offset_us) % size_us;
    return time_us - (rest < 0 ? rest + size_us : rest);
}
/* The window of a tumble. */
struct evs_span evs_window_tumble(const struct evs_window *window, int64_t time_us);

#endif
