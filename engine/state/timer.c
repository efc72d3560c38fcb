/* A heap of four children a node; the idea is in evstream/timer.h. */
#include "evstream/timer.h"

#define CHILDREN 4u

static bool is_before(struct evs_timer a, struct evs_timer b)
{
    return a.at_us != b.at_us ? a.at_us < b.at_us : a.payload < b.payload;
}

/* Moves a hole up from `at` until `timer` fits into it. */
static void sift_up(struct evs_timers *timers, uint32_t at, struct evs_timer timer)
{
    while (at > 0 && is_before(timer, timers->heap[(at - 1) / CHILDREN])) {
        timers->heap[at] = timers->heap[(at - 1) / CHILDREN];
        at = (at - 1) / CHILDREN;
    }
    timers->heap[at] = timer;
}

static uint32_t least_child(const struct evs_timers *timers, uint32_t first)
{
    uint32_t least = first, end = first + CHILDREN < timers->count ? first + CHILDREN : timers->count;
    for (uint32_t child = first + 1; child < end; child++) {
        least = is_before(timers->heap[child], timers->heap[least]) ? child : least;
    }
    return least;
}

static void sift_down(struct evs_timers *timers, uint32_t at, struct evs_timer timer)
{
    EVS_ASSERT(at < timers->count);
    for (uint64_t first; (first = (uint64_t)at * CHILDREN + 1) < timers->count;) {
        uint32_t child = least_child(timers, (uint32_t)first);
        if (!is_before(timers->heap[child], timer)) {
            break;
        }
        timers->heap[at] = timers->heap[child];
        at = child;
    }
    timers->heap[at] = timer;
}

void evs_timers_arm(struct evs_timers *timers, int64_t at_us, uint64_t payload)
{
    EVS_GROW(timers->heap, timers->count, timers->capacity);
    uint32_t at = timers->count++;
    sift_up(timers, at, (struct evs_timer){at_us, payload});
}

bool evs_timers_pop(struct evs_timers *timers, int64_t until_us, struct evs_timer *due)
{
    if (timers->count == 0 || timers->heap[0].at_us > until_us) {
        return false;
    }
    *due = timers->heap[0];
    struct evs_timer last = timers->heap[--timers->count];
    if (timers->count > 0) {
        sift_down(timers, 0, last);
    }
    return true;
}

int64_t evs_timers_next(const struct evs_timers *timers)
{
    return timers->count == 0 ? EVS_TIME_MAX : timers->heap[0].at_us;
}

void evs_timers_keep(struct evs_timers *timers, bool (*is_wanted)(const struct evs_timer *timer, void *argument),
                     void *argument)
{
    EVS_ASSERT(is_wanted != NULL);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < timers->count; i++) {
        if (is_wanted(&timers->heap[i], argument)) {
            timers->heap[kept++] = timers->heap[i];
        }
    }
    timers->count = kept;
    for (uint32_t parents = kept < 2 ? 0 : (kept - 2) / CHILDREN + 1; parents > 0; parents--) {
        sift_down(timers, parents - 1, timers->heap[parents - 1]);
    }
}

void evs_timers_clear(struct evs_timers *timers)
{
    timers->count = 0;
}

void evs_timers_fini(struct evs_timers *timers)
{
    evs_free(timers->heap);
    *timers = (struct evs_timers){0};
}
