/* The recount: each pipeline's rows from a list of all events, in the plainest way; nothing of the engine is used but the text
 * of a time. Events that the engine has told to be late do not count: they were given out as late, once. Where the idle clock
 * is off, which ones are late follows from the events alone, and is recounted, too (evs_sim_expect_late). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "evstream/type.h"
#include "simulation.h"

#define WINDOW_US (10 * EVS_SIM_SECOND)
#define SESSION_US (4 * EVS_SIM_SECOND)
#define WITHIN_US (6 * EVS_SIM_SECOND)

struct list { /* events that count, by time */
    const struct evs_simulation *simulation;
    uint32_t *numbers;
    uint32_t count;
};

static const struct evs_sim_click *click_of(const struct list *list, uint32_t at)
{
    return &list->simulation->events[list->numbers[at]];
}

static int compare_times(const void *a, const void *b, void *argument)
{
    const struct evs_simulation *simulation = argument;
    int64_t x = simulation->events[*(const uint32_t *)a].time_us, y = simulation->events[*(const uint32_t *)b].time_us;
    return (x > y) - (x < y);
}

static struct list list_of(const struct evs_simulation *simulation)
{
    struct list list = {.simulation = simulation,
                        .numbers = evs_alloc((simulation->event_count + 1) * sizeof(uint32_t))};
    for (uint32_t i = 0; i < simulation->event_count; i++) {
        const struct evs_sim_click *click = &simulation->events[i];
        if (click->type < EVS_SIM_FLUSH && click->sequence != 0 && click->late == 0) {
            list.numbers[list.count++] = i;
        }
    }
    qsort_r(list.numbers, list.count, sizeof *list.numbers, compare_times, (void *)(uintptr_t)simulation);
    return list;
}

static void put_time(struct evs_buffer *out, const char *name, int64_t us)
{
    char text[EVS_FORMAT_MAX];
    uint32_t count = evs_format_timestamp(text, us);
    evs_buffer_printf(out, ",\"%s\":\"%.*s\"", name, (int)count, text);
}

/* --- windows ----------------------------------------------------------------------------------------------------------- */

static bool is_of_key(const struct evs_sim_click *click, bool by_user, uint32_t key)
{
    return by_user ? click->user == key : (uint32_t)click->type == key;
}

static void put_group(struct evs_buffer *out, bool by_user, uint32_t key, int64_t start_us, int64_t end_us,
                      int64_t items, int64_t total)
{
    if (by_user) {
        evs_buffer_printf(out, "{\"user_id\":\"u%u\"", key);
    } else {
        evs_buffer_printf(out, "{\"type\":\"%s\"", evs_sim_type_name((enum evs_sim_type)key));
    }
    put_time(out, "window_start", start_us);
    put_time(out, "window_end", end_us);
    evs_buffer_printf(out, ",\"items\":%" PRId64 ",\"total\":%" PRId64 "}\n", items, total);
}

static void put_windows(const struct list *list, bool by_user, uint32_t key, struct evs_buffer *out)
{
    int64_t start_us = 0, items = 0, total = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct evs_sim_click *click = click_of(list, i);
        if (!is_of_key(click, by_user, key)) {
            continue;
        }
        int64_t window_us = click->time_us - click->time_us % WINDOW_US;
        if (items > 0 && window_us != start_us) {
            put_group(out, by_user, key, start_us, start_us + WINDOW_US, items, total);
            items = total = 0;
        }
        start_us = window_us;
        items++;
        total += click->amount;
    }
    if (items > 0) {
        put_group(out, by_user, key, start_us, start_us + WINDOW_US, items, total);
    }
}

static void put_sessions(const struct list *list, uint32_t user, struct evs_buffer *out)
{
    int64_t start_us = 0, last_us = 0, items = 0, total = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct evs_sim_click *click = click_of(list, i);
        if (click->user != user) {
            continue;
        }
        if (items > 0 && click->time_us - last_us >= SESSION_US) {
            put_group(out, true, user, start_us, last_us + SESSION_US, items, total);
            items = total = 0;
        }
        start_us = items == 0 ? click->time_us : start_us;
        last_us = click->time_us;
        items++;
        total += click->amount;
    }
    if (items > 0) {
        put_group(out, true, user, start_us, last_us + SESSION_US, items, total);
    }
}

/* --- sequences --------------------------------------------------------------------------------------------------------------- */

/* Carts of a user, each no later than WITHIN behind the one before and no buy between: if no buy comes for as long behind the
 * last one, they are a match. */
static void put_sequences(const struct list *list, uint32_t user, struct evs_buffer *out)
{
    int64_t items = 0, total = 0, last_us = 0;
    uint32_t latest = 0;
    for (uint32_t i = 0; i <= list->count; i++) {
        const struct evs_sim_click *click = i < list->count ? click_of(list, i) : NULL;
        bool concerns = click == NULL || (click->user == user && click->type != EVS_SIM_VIEW);
        if (!concerns) {
            continue;
        }
        if (items > 0 && (click == NULL || click->time_us - last_us > WITHIN_US)) {
            evs_buffer_printf(out,
                              "{\"user_id\":\"u%u\",\"items\":%" PRId64 ",\"total\":%" PRId64 ",\"latest\":\"e%u\"}\n",
                              user, items, total, latest);
            items = total = 0;
        }
        if (click != NULL && click->type == EVS_SIM_BUY) {
            items = total = 0;
        } else if (click != NULL) {
            items++;
            total += click->amount;
            last_us = click->time_us;
            latest = list->numbers[i];
        }
    }
}

/* --- joins -------------------------------------------------------------------------------------------------------------------- */

static void put_pairs(const struct list *list, struct evs_buffer *out)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct evs_sim_click *view = click_of(list, i);
        uint32_t matches = 0;
        for (uint32_t j = i + 1; view->type == EVS_SIM_VIEW && j < list->count; j++) {
            const struct evs_sim_click *buy = click_of(list, j);
            if (buy->time_us > view->time_us + WITHIN_US) {
                break;
            }
            if (buy->type == EVS_SIM_BUY && buy->user == view->user) {
                evs_buffer_printf(out, "{\"event_id\":\"e%u\",\"buy_id\":\"e%u\"}\n", list->numbers[i],
                                  list->numbers[j]);
                matches++;
            }
        }
        if (view->type == EVS_SIM_VIEW && matches == 0) {
            evs_buffer_printf(out, "{\"event_id\":\"e%u\",\"buy_id\":null}\n", list->numbers[i]);
        }
    }
}

/* --- all ---------------------------------------------------------------------------------------------------------------------- */

void evs_sim_expect(const struct evs_simulation *simulation, struct evs_buffer *rows)
{
    struct list list = list_of(simulation);
    for (uint32_t user = 0; user < simulation->choice.users; user++) {
        switch (simulation->choice.pipeline) {
        case EVS_SIM_WINDOWS:
            put_windows(&list, true, user, rows);
            break;
        case EVS_SIM_SESSIONS:
            put_sessions(&list, user, rows);
            break;
        case EVS_SIM_SEQUENCES:
            put_sequences(&list, user, rows);
            break;
        default:
            break;
        }
    }
    for (uint32_t type = EVS_SIM_VIEW; simulation->choice.pipeline == EVS_SIM_TOTALS && type < EVS_SIM_FLUSH; type++) {
        put_windows(&list, false, type, rows);
    }
    if (simulation->choice.pipeline == EVS_SIM_JOINS) {
        put_pairs(&list, rows);
    }
    if (simulation->choice.pipeline == EVS_SIM_IDENTITY) {
        evs_sim_expect_persons(simulation, rows);
    }
    evs_free(list.numbers);
}

/* --- who is late -------------------------------------------------------------------------------------------------------- */

/* By the watermark of the partition before the row: a window by its end, everything else by the row's time. */
static bool is_late(const struct evs_simulation *simulation, const struct evs_sim_click *click, int64_t watermark_us)
{
    switch (simulation->choice.pipeline) {
    case EVS_SIM_WINDOWS:
    case EVS_SIM_TOTALS:
        return click->time_us - click->time_us % WINDOW_US + WINDOW_US <= watermark_us;
    case EVS_SIM_SEQUENCES:
        return click->type != EVS_SIM_VIEW && click->time_us < watermark_us;
    case EVS_SIM_JOINS:
        return click->type != EVS_SIM_CART && click->time_us < watermark_us;
    default:
        return false;
    }
}

/* Events of a partition stand in the order of its messages. */
void evs_sim_expect_late(const struct evs_simulation *simulation, bool *late)
{
    int64_t watermarks_us[EVS_SIM_PARTITIONS_MAX] = {0};
    for (uint32_t i = 0; i < simulation->event_count; i++) {
        const struct evs_sim_click *click = &simulation->events[i];
        int64_t *watermark_us = &watermarks_us[click->partition];
        late[i] = click->type < EVS_SIM_FLUSH && is_late(simulation, click, *watermark_us);
        int64_t moved_us = click->time_us - EVS_SIM_DELAY_US;
        if (click->type != EVS_SIM_BROKEN && moved_us > *watermark_us) {
            *watermark_us = moved_us;
        }
    }
}
