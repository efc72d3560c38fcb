/* Windows as arithmetic (window_assign.h). */
#include "window_assign.h"

static int64_t slide_floor(const struct evs_window *window, int64_t time_us)
{
    return window->is_calendar ? evs_zone_floor(window->zone, &window->slide, time_us)
                               : evs_floor_to(time_us, window->offset_us, window->slide_us);
}

static int64_t slide_after(const struct evs_window *window, int64_t time_us)
{
    return window->is_calendar ? evs_zone_next(window->zone, &window->slide, time_us)
                               : evs_floor_to(time_us, window->offset_us, window->slide_us) + window->slide_us;
}

int64_t evs_window_pane(const struct evs_window *window, int64_t time_us)
{
    return window->is_calendar ? evs_zone_floor(window->zone, &window->pane, time_us)
                               : evs_floor_to(time_us, window->offset_us, window->pane_us);
}

int64_t evs_window_pane_after(const struct evs_window *window, int64_t time_us)
{
    return window->is_calendar ? evs_zone_next(window->zone, &window->pane, time_us)
                               : evs_floor_to(time_us, window->offset_us, window->pane_us) + window->pane_us;
}

#define DAY_US INT64_C(86400000000)

/* The end of a hop's window, on the grid of panes whatever the clocks did. A window is never empty, though its local end may fall into a gap. Starts closer
 * than a day go by elapsed time: by the local clock, those of an hour that comes twice would end in another order than they begin. */
static int64_t hop_end(const struct evs_window *window, int64_t start_us)
{
    if (!window->is_calendar) {
        return start_us + window->size_us;
    }
    int64_t local_us = window->size.us + (int64_t)window->size.days * INT64_C(86400000000);
    bool is_elapsed = window->slide.months == 0 && window->slide.us % DAY_US != 0;
    int64_t end = start_us + local_us;
    if (!is_elapsed) { /* months are counted from the boundary itself: with its offset it may lie in the month before */
        int64_t offset_us = window->slide.offset_us;
        int64_t boundary_us = evs_zone_add(window->zone, start_us, 0, -offset_us);
        end = evs_zone_add(window->zone, boundary_us, window->size.months, local_us + offset_us);
    }
    end = evs_zone_floor(window->zone, &window->pane, end);
    return end > start_us ? end : evs_window_pane_after(window, start_us);
}

static int64_t greatest_common(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Months begin with days, so days divide what has months on one side only. */
static struct evs_period calendar_pane(const struct evs_window *window)
{
    int64_t size_us = window->size.us + (int64_t)window->size.days * DAY_US;
    struct evs_period pane = {.offset_us = window->slide.offset_us};
    if (window->size.months != 0 && window->slide.months != 0) {
        pane.months = (int32_t)greatest_common(window->size.months, window->slide.months);
        return pane;
    }
    int64_t one = window->size.months != 0 ? DAY_US : size_us;
    int64_t other = window->slide.months != 0 ? DAY_US : window->slide.us;
    pane.us = greatest_common(one, other);
    return pane;
}

void evs_window_set_panes(struct evs_window *window)
{
    EVS_ASSERT(window->kind == EVS_WINDOW_HOP || window->kind == EVS_WINDOW_TUMBLE);
    bool is_hop = window->kind == EVS_WINDOW_HOP;
    if (window->is_calendar) {
        window->pane = is_hop ? calendar_pane(window) : window->slide;
    } else {
        window->pane_us = is_hop ? greatest_common(window->size_us, window->slide_us) : window->size_us;
    }
}

struct evs_span evs_window_tumble(const struct evs_window *window, int64_t time_us)
{
    EVS_ASSERT(window->kind == EVS_WINDOW_TUMBLE);
    int64_t start = slide_floor(window, time_us);
    return (struct evs_span){start, window->is_calendar ? slide_after(window, start) : start + window->size_us};
}

bool evs_window_last(const struct evs_window *window, int64_t time_us, struct evs_span *span)
{
    span->start_us = slide_floor(window, time_us);
    if (window->kind == EVS_WINDOW_HOP) {
        span->end_us = hop_end(window, span->start_us);
    } else { /* a tumble, and a cumulate at its largest, reach to the next start */
        span->end_us = slide_after(window, span->start_us);
    }
    return span->end_us > time_us;
}

bool evs_window_before(const struct evs_window *window, int64_t time_us, struct evs_span *span)
{
    switch (window->kind) {
    case EVS_WINDOW_HOP:
        span->start_us = slide_floor(window, span->start_us - 1);
        span->end_us = hop_end(window, span->start_us);
        return span->end_us > time_us;
    case EVS_WINDOW_CUMULATE:
        span->end_us = evs_window_pane(window, span->end_us - 1);
        return span->end_us > time_us;
    default:
        return false;
    }
}

struct evs_span evs_window_first(const struct evs_window *window, int64_t time_us)
{
    EVS_ASSERT(window->kind == EVS_WINDOW_HOP || window->kind == EVS_WINDOW_CUMULATE);
    struct evs_span span, first;
    if (!window->is_calendar &&
        window->kind == EVS_WINDOW_HOP) { /* ends lie on a grid: the next one after the moment */
        first.end_us = evs_floor_to(time_us, window->offset_us + window->size_us, window->slide_us) + window->slide_us;
        first.start_us = first.end_us - window->size_us;
        return first;
    }
    bool is_in = evs_window_last(window, time_us, &span);
    EVS_ASSERT(is_in);
    do {
        first = span;
    } while (evs_window_before(window, time_us, &span));
    return first;
}

struct evs_span evs_window_next(const struct evs_window *window, struct evs_span span)
{
    struct evs_span next;
    if (window->kind == EVS_WINDOW_HOP) {
        next.start_us = slide_after(window, span.start_us);
        next.end_us = hop_end(window, next.start_us);
        return next;
    }
    EVS_ASSERT(window->kind == EVS_WINDOW_CUMULATE);
    bool is_over = span.end_us >= slide_after(window, span.start_us);
    next.start_us = is_over ? span.end_us : span.start_us;
    next.end_us = evs_window_pane_after(window, span.end_us);
    int64_t limit = slide_after(window, next.start_us);
    next.end_us = next.end_us < limit ? next.end_us : limit;
    return next;
}

uint32_t evs_window_missed(const struct evs_window *window, int64_t time_us, int64_t watermark_us)
{
    uint32_t missed = 0;
    struct evs_span span;
    if (watermark_us <= time_us) {
        return 0;
    }
    if (!window->is_calendar && window->kind == EVS_WINDOW_HOP) { /* their ends lie on a grid */
        int64_t offset_us = window->offset_us + window->size_us, slide_us = window->slide_us;
        int64_t between_us =
            evs_floor_to(watermark_us, offset_us, slide_us) - evs_floor_to(time_us, offset_us, slide_us);
        return (uint32_t)(between_us / slide_us);
    }
    for (bool in = evs_window_last(window, time_us, &span); in; in = evs_window_before(window, time_us, &span)) {
        missed += span.end_us <= watermark_us;
    }
    return missed;
}
