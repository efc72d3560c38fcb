#include "roll.h"

#include <inttypes.h>
#include <stdio.h>

#include "lines.h"

#define ENGINES_MAX 256u /* further ones are not counted */
#define TRIES 4u         /* of one call, when others write at the same time */

struct engine {
    char process[EVS_PROCESS_NAME_MAX];
    uint32_t held;
    int64_t beat, moved_us;
    bool is_listed; /* in the value at hand */
};

struct evs_roll {
    struct evs_roll_open open;
    struct evs_buffer key, value;
    char process[EVS_PROCESS_NAME_MAX];
    int64_t beat;
    struct engine engines[ENGINES_MAX]; /* the others */
    uint32_t count;
};

static int64_t boot_us(const struct evs_roll *roll)
{
    const struct evs_clock *clock = &roll->open.os->clock;
    return clock->boot_us(clock->self);
}

/* --- reading -------------------------------------------------------------------------------------------------------------------- */

static struct engine *engine_of(struct evs_roll *roll, struct evs_slice process)
{
    for (uint32_t i = 0; i < roll->count; i++) {
        if (evs_slice_equal(process, evs_slice_of(roll->engines[i].process))) {
            return &roll->engines[i];
        }
    }
    if (roll->count == ENGINES_MAX || process.count >= EVS_PROCESS_NAME_MAX) {
        return NULL;
    }
    struct engine *engine = &roll->engines[roll->count++];
    *engine = (struct engine){.beat = -1};
    memcpy(engine->process, process.data, process.count);
    return engine;
}

static void see(struct evs_roll *roll, int64_t held, int64_t beat, struct evs_slice process, int64_t now_us)
{
    bool is_ours = evs_slice_equal(process, evs_slice_of(roll->process));
    struct engine *engine = is_ours || process.count == 0 ? NULL : engine_of(roll, process);
    if (engine == NULL) {
        return;
    }
    engine->moved_us = engine->beat == beat ? engine->moved_us : now_us;
    engine->beat = beat;
    engine->held = held < 0 ? 0 : (uint32_t)held;
    engine->is_listed = true;
}

/* Lines that are missing or strange are nobody's. */
static void read_value(struct evs_roll *roll, struct evs_slice text, int64_t now_us)
{
    struct evs_slice name, value, held, rest, beat, process;
    int64_t holds, beats;
    while (evs_lines_next(&text, &name, &value)) {
        if (evs_slice_equal(name, EVS_SLICE("engine")) && evs_lines_next(&value, &held, &rest) &&
            evs_lines_next(&rest, &beat, &process) && evs_lines_int64(held, &holds) && evs_lines_int64(beat, &beats)) {
            see(roll, holds, beats, process, now_us);
        }
    }
}

static bool is_there(const struct evs_roll *roll, const struct engine *engine, int64_t now_us)
{
    const struct evs_processes *processes = &roll->open.os->processes;
    bool has_ended = processes->has_ended != NULL && processes->has_ended(processes->self, engine->process);
    return engine->is_listed && !has_ended && now_us - engine->moved_us < roll->open.lease_us;
}

static void drop_absent(struct evs_roll *roll, int64_t now_us)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < roll->count; i++) {
        if (is_there(roll, &roll->engines[i], now_us)) {
            roll->engines[kept++] = roll->engines[i];
        }
    }
    roll->count = kept;
}

/* A look that took long was an outage: the others could not write either. */
static void forgive(struct evs_roll *roll, int64_t now_us)
{
    for (uint32_t i = 0; i < roll->count; i++) {
        roll->engines[i].moved_us = now_us;
    }
}

/* --- writing -------------------------------------------------------------------------------------------------------------------- */

static struct evs_slice value_of(struct evs_roll *roll, uint32_t held, bool leaves)
{
    struct evs_buffer *out = &roll->value;
    out->count = 0;
    evs_buffer_puts(out, "version 1\n");
    if (!leaves) {
        evs_buffer_printf(out, "engine %u %" PRId64 " %s\n", held, roll->beat, roll->process);
    }
    for (uint32_t i = 0; i < roll->count; i++) {
        const struct engine *engine = &roll->engines[i];
        evs_buffer_printf(out, "engine %u %" PRId64 " %s\n", engine->held, engine->beat, engine->process);
    }
    return (struct evs_slice){out->data, out->count};
}

/* EVS_AGAIN: another engine has written in between. */
static evs_status call_once(struct evs_roll *roll, uint32_t held, bool leaves, struct evs_error *error)
{
    const struct evs_bucket *bucket = roll->open.bucket;
    struct evs_buffer text = {0};
    uint64_t revision = 0;
    int64_t asked_us = boot_us(roll);
    evs_status status = bucket->read(roll->open.instance, roll->key.data, &text, &revision, error);
    if (status == EVS_OK) {
        int64_t now_us = boot_us(roll);
        for (uint32_t i = 0; i < roll->count; i++) {
            roll->engines[i].is_listed = false;
        }
        read_value(roll, (struct evs_slice){text.data, text.count}, now_us);
        if (now_us - asked_us > roll->open.lease_us / 4) {
            forgive(roll, now_us);
        }
        drop_absent(roll, now_us);
        status = bucket->write(roll->open.instance, roll->key.data, value_of(roll, held, leaves), revision, &revision,
                               error);
    } else {
        forgive(roll, boot_us(roll));
    }
    evs_buffer_fini(&text);
    return status;
}

static evs_status call(struct evs_roll *roll, uint32_t held, bool leaves, struct evs_error *error)
{
    evs_status status = EVS_AGAIN;
    roll->beat++;
    for (uint32_t i = 0; i < TRIES && status == EVS_AGAIN; i++) {
        status = call_once(roll, held, leaves, error);
    }
    return status == EVS_AGAIN ? EVS_OK : status; /* the others are known; our line comes with the next call */
}

evs_status evs_roll_call(struct evs_roll *roll, uint32_t held, struct evs_error *error)
{
    return call(roll, held, false, error);
}

evs_status evs_roll_leave(struct evs_roll *roll, struct evs_error *error)
{
    return call(roll, 0, true, error);
}

/* --- making --------------------------------------------------------------------------------------------------------------------- */

struct evs_roll *evs_roll_new(const struct evs_roll_open *open)
{
    EVS_ASSERT(open->lease_us > 0);
    struct evs_roll *roll = evs_alloc_zero(sizeof *roll);
    roll->open = *open;
    if (open->os->processes.name != NULL) {
        open->os->processes.name(open->os->processes.self, roll->process);
    }
    evs_buffer_puts(&roll->key, "roll.");
    evs_lines_put_key(&roll->key, open->pipeline);
    evs_buffer_put(&roll->key, "", 1);
    return roll;
}

void evs_roll_free(struct evs_roll *roll)
{
    if (roll != NULL) {
        evs_buffer_fini(&roll->key);
        evs_buffer_fini(&roll->value);
        evs_free(roll);
    }
}

uint32_t evs_roll_engines(const struct evs_roll *roll)
{
    return roll->count + 1;
}

uint32_t evs_roll_least(const struct evs_roll *roll)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < roll->count; i++) {
        least = roll->engines[i].held < least ? roll->engines[i].held : least;
    }
    return least;
}

uint32_t evs_roll_held(const struct evs_roll *roll)
{
    uint32_t held = 0;
    for (uint32_t i = 0; i < roll->count; i++) {
        held += roll->engines[i].held;
    }
    return held;
}
