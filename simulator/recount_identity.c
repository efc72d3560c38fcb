/* The recount of resolve identity: events by the moments at which they count, devices and persons as numbers, aliases as a list that is walked. A late event
 * counts at the watermark of its partition before it; without the idle clock that follows from the events. */
#include <stdlib.h>

#include "simulation.h"

#define DEVICES 7
#define IDS 16 /* devices, then users */
#define NOBODY (-1)
#define WITHIN_US (5 * EVS_SIM_SECOND)
#define RETAIN_US (8 * EVS_SIM_SECOND)

struct moment {
    int64_t at_us;
    const struct evs_sim_click *click;
    uint32_t number;
    int person;
    bool is_known, is_out;
};

struct people {
    struct moment *moments;
    uint32_t count;
    struct {
        int user;
        int64_t forget_us;
    } devices[DEVICES];
    struct {
        int into; /* NOBODY: a person of its own */
        int64_t forget_us;
    } aliases[IDS];
};

static int device_of(const struct evs_sim_click *click)
{
    return (int)(click->amount % 7);
}

static int user_of(const struct evs_sim_click *click)
{
    return click->type == EVS_SIM_BUY ? DEVICES + (int)click->user : NOBODY;
}

static int previous_of(const struct evs_sim_click *click)
{
    int number = (int)(click->amount % 5);
    return click->amount % 3 != 0 ? NOBODY : click->amount % 2 == 0 ? DEVICES + number : number;
}

static int by_moment(const void *a, const void *b)
{
    const struct moment *left = a, *right = b;
    const int64_t ours[] = {left->at_us, left->click->time_us, left->click->partition, (int64_t)left->click->sequence,
                            left->click->index};
    const int64_t theirs[] = {right->at_us, right->click->time_us, right->click->partition,
                              (int64_t)right->click->sequence, right->click->index};
    for (size_t i = 0; i < EVS_COUNT(ours); i++) {
        if (ours[i] != theirs[i]) {
            return ours[i] < theirs[i] ? -1 : 1;
        }
    }
    return 0;
}

static void list_moments(const struct evs_simulation *simulation, struct people *people)
{
    int64_t watermarks_us[EVS_SIM_PARTITIONS_MAX] = {0};
    people->moments = evs_alloc((simulation->event_count + 1) * sizeof *people->moments);
    for (uint32_t i = 0; i < simulation->event_count; i++) {
        const struct evs_sim_click *click = &simulation->events[i];
        int64_t *watermark_us = &watermarks_us[click->partition];
        if (click->type < EVS_SIM_FLUSH && click->sequence != 0) {
            int64_t at_us = click->time_us > *watermark_us ? click->time_us : *watermark_us;
            people->moments[people->count++] = (struct moment){.at_us = at_us, .click = click, .number = i};
        }
        int64_t moved_us = click->time_us - EVS_SIM_DELAY_US;
        if (click->type != EVS_SIM_BROKEN && moved_us > *watermark_us) {
            *watermark_us = moved_us;
        }
    }
    qsort(people->moments, people->count, sizeof *people->moments, by_moment);
}

static int person_of(const struct people *people, int id)
{
    while (people->aliases[id].into != NOBODY) {
        id = people->aliases[id].into;
    }
    return id;
}

static void renew(struct people *people, int id, int64_t at_us)
{
    for (; people->aliases[id].into != NOBODY; id = people->aliases[id].into) {
        people->aliases[id].forget_us = at_us + RETAIN_US;
    }
}

static void forget(struct people *people, int64_t at_us)
{
    for (int i = 0; i < IDS; i++) {
        if (people->aliases[i].forget_us <= at_us) {
            people->aliases[i].into = NOBODY;
        }
    }
    for (int i = 0; i < DEVICES; i++) {
        if (people->devices[i].forget_us <= at_us) {
            people->devices[i].user = NOBODY;
        }
    }
}

static void leave(struct people *people, struct moment *moment, int id, bool is_known)
{
    moment->person = is_known ? person_of(people, id) : id;
    moment->is_known = is_known;
    moment->is_out = true;
}

/* Rows of a device that wait, those of `before_us` and later ones apart; how many there are. */
static uint32_t waiting(struct people *people, int device, int64_t at_us, int user)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < people->count && people->moments[i].at_us < at_us; i++) {
        struct moment *moment = &people->moments[i];
        if (moment->is_out || device_of(moment->click) != device || user_of(moment->click) != NOBODY ||
            moment->at_us + WITHIN_US < at_us) {
            continue;
        }
        found++;
        if (user != NOBODY) {
            leave(people, moment, user, true);
        }
    }
    return found;
}

static void tie(struct people *people, int device, int user, int64_t at_us)
{
    people->devices[device].user = user;
    people->devices[device].forget_us = at_us + RETAIN_US;
    waiting(people, device, at_us, user);
}

static void merge(struct people *people, const struct moment *moment)
{
    int previous = previous_of(moment->click), user = user_of(moment->click);
    if (previous == NOBODY || user == NOBODY) {
        return;
    }
    int from = person_of(people, previous), to = person_of(people, user);
    if (previous != user) {
        renew(people, previous, moment->at_us);
        renew(people, user, moment->at_us);
    }
    if (from != to) {
        people->aliases[from].into = to;
        people->aliases[from].forget_us = moment->at_us + RETAIN_US;
    }
    if (previous < DEVICES && waiting(people, previous, moment->at_us, NOBODY) > 0) {
        tie(people, previous, user, moment->at_us);
    }
}

static void decide(struct people *people, struct moment *moment)
{
    int device = device_of(moment->click), user = user_of(moment->click);
    int person = person_of(people, device);
    if (user != NOBODY) {
        leave(people, moment, user, true);
        return;
    }
    if (people->devices[device].user == NOBODY && person != device) {
        tie(people, device, person, moment->at_us);
    }
    if (people->devices[device].user != NOBODY) {
        people->devices[device].forget_us = moment->at_us + RETAIN_US;
        leave(people, moment, people->devices[device].user, true);
    }
}

/* All events of one moment; where the next one begins. */
static uint32_t work_moment(struct people *people, uint32_t first)
{
    uint32_t end = first;
    int64_t at_us = people->moments[first].at_us;
    forget(people, at_us);
    for (; end < people->count && people->moments[end].at_us == at_us; end++) {
        merge(people, &people->moments[end]);
    }
    for (uint32_t i = first; i < end; i++) {
        const struct evs_sim_click *click = people->moments[i].click;
        if (user_of(click) != NOBODY) {
            tie(people, device_of(click), user_of(click), at_us);
        }
    }
    for (uint32_t i = first; i < end; i++) {
        decide(people, &people->moments[i]);
    }
    return end;
}

static void put_rows(const struct people *people, struct evs_buffer *out)
{
    for (uint32_t i = 0; i < people->count; i++) {
        const struct moment *moment = &people->moments[i];
        int person = moment->is_out ? moment->person : device_of(moment->click);
        evs_buffer_printf(out, "{\"event_id\":\"e%u\",\"person_id\":\"%c%d\",\"is_known\":%s}\n", moment->number,
                          person < DEVICES ? 'd' : 'u', person < DEVICES ? person : person - DEVICES,
                          moment->is_known ? "true" : "false");
    }
}

void evs_sim_expect_persons(const struct evs_simulation *simulation, struct evs_buffer *rows)
{
    struct people people = {0};
    EVS_ASSERT(DEVICES + simulation->choice.users <= IDS);
    for (int i = 0; i < DEVICES; i++) {
        people.devices[i].user = NOBODY;
    }
    for (int i = 0; i < IDS; i++) {
        people.aliases[i].into = NOBODY;
    }
    list_moments(simulation, &people);
    for (uint32_t i = 0; i < people.count;) {
        i = work_moment(&people, i);
    }
    put_rows(&people, rows);
    evs_free(people.moments);
}
