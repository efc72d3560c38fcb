#include "world.h"

#include <inttypes.h>
#include <stdio.h>

void evs_sim_world_init(struct evs_sim_world *world, uint64_t seed, bool keeps_history)
{
    *world = (struct evs_sim_world){.seed = seed, .random = seed, .keeps_history = keeps_history};
    for (int i = 0; i < 4; i++) {
        (void)evs_sim_draw(world); /* small seeds differ in few bits */
    }
}

void evs_sim_world_fini(struct evs_sim_world *world)
{
    evs_free(world->events);
    evs_buffer_fini(&world->history);
    evs_buffer_fini(&world->violations);
}

/* --- chance --------------------------------------------------------------------------------------------------------- */

/* SplitMix64. */
uint64_t evs_sim_draw(struct evs_sim_world *world)
{
    uint64_t z = (world->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t evs_sim_below(struct evs_sim_world *world, uint64_t limit)
{
    EVS_ASSERT(limit > 0);
    return evs_sim_draw(world) % limit; /* the bias is far below anything that is asked here */
}

int64_t evs_sim_between(struct evs_sim_world *world, int64_t low, int64_t high)
{
    EVS_ASSERT(low <= high);
    return low + (int64_t)evs_sim_below(world, (uint64_t)(high - low) + 1);
}

bool evs_sim_chance(struct evs_sim_world *world, uint32_t per_thousand)
{
    return evs_sim_below(world, 1000) < per_thousand;
}

/* --- time ----------------------------------------------------------------------------------------------------------- */

static bool is_before(const struct evs_sim_event *a, const struct evs_sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void evs_sim_at(struct evs_sim_world *world, int64_t delay_us, void (*run)(void *target, uint64_t number), void *target,
                uint64_t number)
{
    EVS_ASSERT(delay_us >= 0 && run != NULL);
    struct evs_sim_event event = {world->now_us + delay_us, ++world->order, run, target, number};
    EVS_GROW(world->events, world->event_count, world->event_capacity);
    uint32_t at = world->event_count++;
    while (at > 0 && is_before(&event, &world->events[(at - 1) / 2])) {
        world->events[at] = world->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->events[at] = event;
}

static struct evs_sim_event take_first(struct evs_sim_world *world)
{
    struct evs_sim_event first = world->events[0], last = world->events[--world->event_count];
    uint32_t at = 0, count = world->event_count;
    for (;;) {
        uint32_t child = 2 * at + 1;
        child += child + 1 < count && is_before(&world->events[child + 1], &world->events[child]);
        if (child >= count || !is_before(&world->events[child], &last)) {
            break;
        }
        world->events[at] = world->events[child];
        at = child;
    }
    world->events[at] = last;
    return first;
}

bool evs_sim_step(struct evs_sim_world *world)
{
    if (world->event_count == 0) {
        return false;
    }
    struct evs_sim_event event = take_first(world);
    /* What runs takes time too, so an event may be due in the past: it happens now. */
    world->now_us = event.at_us > world->now_us ? event.at_us : world->now_us;
    world->event_total++;
    event.run(event.target, event.number);
    return true;
}

/* --- history -------------------------------------------------------------------------------------------------------- */

#define LINE_BYTES 600

static void put_line(struct evs_sim_world *world, const char *who, const char *text)
{
    char line[LINE_BYTES + 64];
    int count = snprintf(line, sizeof line, "%4" PRId64 ".%06" PRId64 " %-9s %s\n", world->now_us / EVS_SIM_SECOND,
                         world->now_us % EVS_SIM_SECOND, who, text);
    size_t bytes = (size_t)count < sizeof line ? (size_t)count : sizeof line - 1;
    world->hash = (world->hash ^ evs_hash64(line, bytes)) * UINT64_C(0x100000001b3);
    world->line_count++;
    if (world->keeps_history) {
        evs_buffer_put(&world->history, line, bytes);
    }
}

void evs_sim_note(struct evs_sim_world *world, const char *who, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put_line(world, who, text);
}

void evs_sim_violate(struct evs_sim_world *world, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put_line(world, "VIOLATION", text);
    evs_buffer_puts(&world->violations, text);
    evs_buffer_puts(&world->violations, "\n");
}
