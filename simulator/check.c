/* What came out, against the recount: every row once, every late row once, every bad line once. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "simulation.h"

#define DIFFERENCES_MAX 8

struct lines {
    struct evs_slice *items;
    uint32_t count, capacity;
};

static void add_line(struct lines *lines, struct evs_slice text)
{
    EVS_GROW(lines->items, lines->count, lines->capacity);
    lines->items[lines->count++] = text;
}

static int compare_lines(const void *a, const void *b)
{
    const struct evs_slice *x = a, *y = b;
    size_t bytes = x->count < y->count ? x->count : y->count;
    int order = bytes == 0 ? 0 : memcmp(x->data, y->data, bytes);
    return order != 0 ? order : (x->count > y->count) - (x->count < y->count);
}

static void sort_lines(struct lines *lines)
{
    if (lines->count > 1) {
        qsort(lines->items, lines->count, sizeof *lines->items, compare_lines);
    }
}

/* --- what the sinks hold --------------------------------------------------------------------------------------------------- */

static void collect_redis(const struct evs_simulation *simulation, const char *key, struct lines *out)
{
    const struct evs_sim_stream *stream = evs_sim_redis_find(&simulation->redis.data, evs_slice_of(key));
    for (uint32_t i = stream == NULL ? 0 : stream->first; stream != NULL && i < stream->count; i++) {
        add_line(out, stream->entries[i]->fields[3]);
    }
}

static bool has_id(const struct evs_sim_log *log, struct evs_slice id)
{
    for (uint32_t i = log->first; i < log->count; i++) {
        if (evs_slice_equal(log->messages[i]->id, id)) {
            return true;
        }
    }
    return false;
}

/* Fast delivery keeps rows while the engine lives: one that was killed may leave out what the broker has lost. Once each: the row may have been lost twice. */
static void collect_cut(const struct evs_simulation *simulation, const char *name, struct lines *out)
{
    for (uint32_t i = 0; i < simulation->cut_count && simulation->choice.delivery == EVS_SIM_FAST; i++) {
        const struct evs_sim_message *message = simulation->cut[i];
        bool is_told = has_id(simulation->triggers, message->id);
        for (uint32_t j = 0; j < i; j++) {
            is_told = is_told || evs_slice_equal(simulation->cut[j]->id, message->id);
        }
        if (!is_told && evs_slice_equal(message->subject, evs_slice_of(name))) {
            add_line(out, message->payload);
        }
    }
}

/* The rows of one sink. */
static void collect(const struct evs_simulation *simulation, const char *sink, struct lines *out)
{
    char name[40];
    snprintf(name, sizeof name, "triggers.%s", sink);
    if (simulation->choice.delivery == EVS_SIM_TO_REDIS) {
        collect_redis(simulation, name, out);
        return;
    }
    const struct evs_sim_log *log = simulation->triggers;
    for (uint32_t i = log->first; i < log->count; i++) {
        if (evs_slice_equal(log->messages[i]->subject, evs_slice_of(name))) {
            add_line(out, log->messages[i]->payload);
        }
    }
    collect_cut(simulation, name, out);
}

/* The number behind `"name":"e` in a row. */
static bool find_event(struct evs_slice row, const char *name, uint32_t *number)
{
    char mark[40];
    int count = snprintf(mark, sizeof mark, "\"%s\":\"e", name);
    const char *at = memmem(row.data, row.count, mark, (size_t)count);
    if (at == NULL) {
        return false;
    }
    *number = (uint32_t)strtoul(at + count, NULL, 10);
    return true;
}

/* --- late rows -------------------------------------------------------------------------------------------------------------- */

static void take_late(struct evs_simulation *simulation)
{
    struct lines late = {0};
    collect(simulation, "late", &late);
    for (uint32_t i = 0; i < late.count; i++) {
        uint32_t number;
        if (!find_event(late.items[i], "event_id", &number) && !find_event(late.items[i], "buy_id", &number)) {
            evs_sim_violate(&simulation->world, "a late row without its event: %.*s", (int)late.items[i].count,
                            late.items[i].data);
        } else if (number >= simulation->event_count || simulation->events[number].sequence == 0) {
            evs_sim_violate(&simulation->world, "a late row of an event that never was: e%u", number);
        } else if (++simulation->events[number].late == 2) {
            evs_sim_violate(&simulation->world, "e%u was told twice to be late", number);
        }
    }
    evs_free(late.items);
}

/* Without the idle clock it follows from the events who is late. */
static void check_late(struct evs_simulation *simulation)
{
    bool *late = evs_alloc_zero(simulation->event_count + 1);
    evs_sim_expect_late(simulation, late);
    for (uint32_t i = 0; i < simulation->event_count; i++) {
        const struct evs_sim_click *click = &simulation->events[i];
        if (late[i] != (click->late > 0)) {
            evs_sim_violate(&simulation->world, "e%u is %slate, and was %stold to be", i, late[i] ? "" : "not ",
                            click->late > 0 ? "" : "not ");
        }
    }
    evs_free(late);
}

/* --- bad lines -------------------------------------------------------------------------------------------------------------- */

static void check_broken(struct evs_simulation *simulation)
{
    struct lines broken = {0};
    uint32_t least = 0, most = 0;
    collect(simulation, "broken", &broken);
    for (uint32_t i = 0; i < simulation->event_count; i++) {
        const struct evs_sim_click *click = &simulation->events[i];
        if (click->type == EVS_SIM_BROKEN && click->sequence != 0) {
            least += !click->is_lost;
            most++;
        }
    }
    if (broken.count < least || broken.count > most) {
        evs_sim_violate(&simulation->world, "%u dead letters came out for %u broken lines", broken.count, least);
    }
    evs_free(broken.items);
}

/* --- each event by itself ----------------------------------------------------------------------------------------------------- */

static void check_trace(struct evs_simulation *simulation)
{
    struct lines rows = {0};
    collect(simulation, "result", &rows);
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t number = 0;
        bool is_known = find_event(rows.items[i], "event_id", &number) && number < simulation->event_count;
        if (!is_known || simulation->events[number].sequence == 0) {
            evs_sim_violate(&simulation->world, "a row of an event that never was: %.*s", (int)rows.items[i].count,
                            rows.items[i].data);
        } else if (++simulation->events[number].seen == 2) {
            evs_sim_violate(&simulation->world, "e%u came out twice", number);
        }
    }
    for (uint32_t i = 0; i < simulation->event_count; i++) {
        const struct evs_sim_click *click = &simulation->events[i];
        if (click->type < EVS_SIM_FLUSH && click->sequence != 0 && !click->is_lost && click->seen == 0) {
            evs_sim_violate(&simulation->world, "e%u of message %" PRIu64 " never came out", i, click->sequence);
        }
    }
    simulation->totals.rows += rows.count;
    evs_free(rows.items);
}

/* --- rows of a recount ---------------------------------------------------------------------------------------------------------- */

static void split_lines(const struct evs_buffer *text, struct lines *out)
{
    for (size_t at = 0; at < text->count;) {
        const char *end = memchr(text->data + at, '\n', text->count - at);
        add_line(out, (struct evs_slice){text->data + at, (size_t)(end - text->data) - at});
        at = (size_t)(end - text->data) + 1;
    }
}

static void check_rows(struct evs_simulation *simulation)
{
    struct evs_buffer text = {0};
    struct lines expected = {0}, rows = {0};
    evs_sim_expect(simulation, &text);
    split_lines(&text, &expected);
    collect(simulation, "result", &rows);
    sort_lines(&expected);
    sort_lines(&rows);
    uint32_t e = 0, r = 0;
    for (uint32_t found = 0; (e < expected.count || r < rows.count) && found < DIFFERENCES_MAX;) {
        int order = e == expected.count ? 1 : r == rows.count ? -1 : compare_lines(&expected.items[e], &rows.items[r]);
        if (order == 0) {
            e++;
            r++;
            continue;
        }
        const struct evs_slice *line = order < 0 ? &expected.items[e++] : &rows.items[r++];
        evs_sim_violate(&simulation->world, "%s row: %.*s", order < 0 ? "missing" : "wrong", (int)line->count,
                        line->data);
        found++;
    }
    simulation->totals.rows += rows.count;
    evs_free(expected.items);
    evs_free(rows.items);
    evs_buffer_fini(&text);
}

/* Every physical line was counted once, by the commit's own total. */
static void check_total(struct evs_simulation *simulation)
{
    uint64_t lines = 0;
    bool has_lost = false;
    for (uint32_t i = 0; i < simulation->event_count; i++) {
        const struct evs_sim_click *click = &simulation->events[i];
        lines += click->sequence == 0 ? 0 : 1 + click->is_repeated;
        has_lost = has_lost || click->is_lost;
    }
    if (!has_lost && simulation->totals.events != lines) {
        evs_sim_violate(&simulation->world, "%" PRIu64 " lines were counted, %" PRIu64 " were stored",
                        simulation->totals.events, lines);
    }
}

void evs_sim_check(struct evs_simulation *simulation)
{
    check_total(simulation);
    check_broken(simulation);
    if (simulation->choice.pipeline == EVS_SIM_TRACE) {
        check_trace(simulation);
    } else {
        take_late(simulation);
        if (!simulation->choice.has_idle) {
            check_late(simulation);
        }
        check_rows(simulation);
    }
}
