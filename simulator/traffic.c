/* Producers: clicks at random times of random users, a message a partition and moment, some late, some broken, some sent twice.
 * What the broker cannot take waits with its producer, in order; its events are old when they come. */
#include <stdio.h>

#include "evstream/text.h"
#include "evstream/type.h"
#include "simulation.h"

#define EVENTS_MAX 5 /* a message */
#define PERSONS 8    /* in all partitions */
#define LATE_US_MAX (20 * EVS_SIM_SECOND)

const char *evs_sim_type_name(enum evs_sim_type type)
{
    static const char *const names[] = {"view", "cart", "buy", "flush", "broken"};
    EVS_ASSERT((size_t)type < EVS_COUNT(names));
    return names[type];
}

/* Times of different events never differ by whole milliseconds, so no boundary is met exactly by accident. */
static int64_t draw_time(struct evs_simulation *simulation)
{
    struct evs_sim_world *world = &simulation->world;
    bool is_late = evs_sim_chance(world, simulation->choice.late_per_thousand);
    int64_t age_us = evs_sim_between(world, 0, is_late ? LATE_US_MAX : EVS_SIM_DELAY_US - 200000);
    int64_t time_us = evs_sim_wall_us(world) - age_us;
    return time_us - time_us % 1000 + simulation->event_count % 1000;
}

/* The n-th person of a partition. Where groups share the partitions, names say who lies where. */
static uint32_t person_of(const struct evs_sim_choice *choice, uint32_t partition, uint32_t n)
{
    if (choice->groups == 0) {
        return n * choice->partitions + partition;
    }
    for (uint32_t user = 0;; user++) {
        char name[16];
        int count = snprintf(name, sizeof name, "u%u", user);
        EVS_ASSERT(user < EVS_SIM_NAMES);
        if (evs_fnv1a32(name, (size_t)count) % choice->partitions == partition && n-- == 0) {
            return user;
        }
    }
}

static void add_event(struct evs_simulation *simulation, enum evs_sim_type type, uint32_t partition)
{
    const struct evs_sim_choice *choice = &simulation->choice;
    struct evs_sim_world *world = &simulation->world;
    struct evs_sim_click click = {
        .type = type,
        .partition = partition,
        .user = person_of(choice, partition, (uint32_t)evs_sim_below(world, PERSONS / choice->partitions)),
        .time_us = draw_time(simulation),
        .amount = evs_sim_between(world, 1, 100),
        .is_repeated = choice->pipeline == EVS_SIM_TRACE && type < EVS_SIM_FLUSH && evs_sim_chance(world, 50),
    };
    EVS_GROW(simulation->events, simulation->event_count, simulation->event_capacity);
    simulation->events[simulation->event_count++] = click;
}

static void put_event(const struct evs_simulation *simulation, uint32_t number, struct evs_buffer *out)
{
    const struct evs_sim_click *click = &simulation->events[number];
    char time[EVS_FORMAT_MAX];
    uint32_t count = evs_format_timestamp(time, click->time_us);
    if (click->type == EVS_SIM_BROKEN) {
        evs_buffer_printf(out, "{\"event_id\":\"e%u\",\"type\":\n", number);
        return;
    }
    evs_buffer_printf(
        out, "{\"event_id\":\"e%u\",\"type\":\"%s\",\"occurred_at\":\"%.*s\",\"user_id\":\"u%u\",\"n\":%lld}\n", number,
        evs_sim_type_name(click->type), (int)count, time, click->user, (long long)click->amount);
}

/* The message of `count` events from `first` on; stored now, all of it in one partition. */
static bool store(struct evs_simulation *simulation, uint32_t first, uint32_t count)
{
    struct evs_sim_nats *nats = &simulation->nats;
    int64_t now_us = simulation->world.now_us;
    if (!nats->server.is_up || now_us < nats->recovers_until_us || now_us < nats->server.away_until_us) {
        return false;
    }
    struct evs_buffer payload = {0};
    char subject[40], id[40];
    uint32_t index = 0;
    for (uint32_t i = first; i < first + count; i++) {
        simulation->events[i].index = index++;
        put_event(simulation, i, &payload);
        if (simulation->events[i].is_repeated) {
            put_event(simulation, i, &payload);
            index++;
        }
    }
    snprintf(subject, sizeof subject, "clicks.%u.web", simulation->events[first].partition);
    snprintf(id, sizeof id, "batch-%u", first);
    bool duplicate;
    uint64_t sequence =
        evs_sim_nats_store(nats, simulation->clicks, evs_slice_of(subject), EVS_SLICE(""),
                           (struct evs_slice){payload.data, payload.count}, evs_slice_of(id), &duplicate);
    evs_buffer_fini(&payload);
    EVS_ASSERT(!duplicate);
    for (uint32_t i = first; i < first + count; i++) {
        simulation->events[i].sequence = sequence;
    }
    evs_sim_note(&simulation->world, "producer", "%s %llu: e%u to e%u", subject, (unsigned long long)sequence, first,
                 first + count - 1);
    evs_sim_nats_pump(nats);
    return true;
}

/* A message takes neighbours of one partition, as many as wait. */
static uint32_t message_end(const struct evs_simulation *simulation, uint32_t first)
{
    uint32_t end = first + 1;
    while (end < simulation->event_count && simulation->events[end].partition == simulation->events[first].partition &&
           end - first < EVENTS_MAX) {
        end++;
    }
    return end;
}

bool evs_sim_store_waiting(struct evs_simulation *simulation)
{
    uint32_t first = 0;
    while (first < simulation->event_count) {
        if (simulation->events[first].sequence != 0) {
            first++;
            continue;
        }
        uint32_t end = message_end(simulation, first);
        if (!store(simulation, first, end - first)) {
            return false;
        }
        first = end;
    }
    return true;
}

static enum evs_sim_type draw_type(struct evs_simulation *simulation)
{
    uint64_t draw = evs_sim_below(&simulation->world, 100);
    return draw < 2 ? EVS_SIM_BROKEN : draw < 35 ? EVS_SIM_VIEW : draw < 70 ? EVS_SIM_CART : EVS_SIM_BUY;
}

static void produce(void *target, uint64_t left)
{
    struct evs_simulation *simulation = target;
    struct evs_sim_world *world = &simulation->world;
    if (simulation->is_ending) {
        return;
    }
    (void)evs_sim_store_waiting(simulation);
    uint32_t count = 1 + (uint32_t)evs_sim_below(world, EVENTS_MAX);
    uint32_t partition = (uint32_t)evs_sim_below(world, simulation->choice.partitions);
    for (uint32_t i = 0; i < count; i++) {
        add_event(simulation, draw_type(simulation), partition);
    }
    (void)evs_sim_store_waiting(simulation);
    if (left > 1) {
        int64_t mean_us = simulation->choice.traffic_us / simulation->choice.messages;
        evs_sim_at(world, evs_sim_between(world, 0, 2 * mean_us), produce, simulation, left - 1);
    }
}

void evs_sim_begin_traffic(struct evs_simulation *simulation)
{
    evs_sim_at(&simulation->world, EVS_SIM_SECOND / 10, produce, simulation, simulation->choice.messages);
}

void evs_sim_flush_traffic(struct evs_simulation *simulation)
{
    for (uint32_t p = 0; p < simulation->choice.partitions; p++) {
        add_event(simulation, EVS_SIM_FLUSH, p);
        simulation->events[simulation->event_count - 1].time_us =
            evs_sim_wall_us(&simulation->world) + 3600 * EVS_SIM_SECOND;
    }
}
