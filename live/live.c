/* The pipelines of the process, and one look at all of them (board.h). */
#include <string.h>

#include "board.h"
#include "evstream/memory.h"
#include "server.h"
#include "tail.h"
#include "triggers.h"

const char *evs_live_state_name(enum pipeline_state state)
{
    static const char *const names[PIPELINE_STATES] = {"starting", "restoring", "standby", "running",
                                                       "draining", "ended",     "failed"};
    EVS_ASSERT(state < PIPELINE_STATES);
    return names[state];
}

struct evs_live *evs_live_new(const struct evs_live_options *options)
{
    const struct evs_os *os = options->os;
    struct evs_live *live = evs_alloc_zero(sizeof *live);
    live->options = *options;
    live->options.token = options->token == NULL ? NULL : evs_strdup(options->token);
    live->os = os;
    live->started_wall_us = os->clock.wall_us(os->clock.self);
    int result = pthread_mutex_init(&live->lock, NULL);
    EVS_ASSERT(result == 0);
    return live;
}

void evs_live_free(struct evs_live *live)
{
    if (live == NULL) {
        return;
    }
    if (live->server != NULL) {
        evs_live_server_stop(live->server);
    }
    for (uint32_t i = 0; i < live->pipeline_count; i++) {
        evs_free(live->pipelines[i].taps);
    }
    pthread_mutex_destroy(&live->lock);
    evs_free((char *)live->options.token);
    evs_free(live);
}

uint32_t evs_live_add(struct evs_live *live, const struct evs_plan *plan, const char *file)
{
    pthread_mutex_lock(&live->lock);
    EVS_ASSERT(live->pipeline_count < EVS_LIVE_PIPELINES_MAX);
    uint32_t number = live->pipeline_count++;
    live->pipelines[number] = (struct pipeline){.plan = plan, .file = file};
    pthread_mutex_unlock(&live->lock);
    return number;
}

void evs_live_started(struct evs_live *live, uint32_t number, uint32_t group, struct evs_run *run)
{
    pthread_mutex_lock(&live->lock);
    EVS_ASSERT(number < live->pipeline_count && group < EVS_GROUPS_MAX);
    struct pipeline *pipeline = &live->pipelines[number];
    EVS_ASSERT(pipeline->runs[group] == NULL);
    pipeline->runs[group] = run;
    pipeline->group_count = group < pipeline->group_count ? pipeline->group_count : group + 1;
    pipeline->starts++;
    pipeline->has_ended = pipeline->has_failed = false;
    pthread_mutex_unlock(&live->lock);
}

struct evs_run_notes *evs_live_notes(struct evs_live *live, uint32_t number, uint32_t group)
{
    EVS_ASSERT(number < live->pipeline_count && group < EVS_GROUPS_MAX);
    return &live->pipelines[number].notes[group];
}

void evs_live_ended(struct evs_live *live, uint32_t number, uint32_t group, evs_status status)
{
    pthread_mutex_lock(&live->lock);
    EVS_ASSERT(number < live->pipeline_count && group < EVS_GROUPS_MAX);
    struct pipeline *pipeline = &live->pipelines[number];
    evs_triggers_close(pipeline, group);
    if (live->server != NULL) {
        evs_tails_close(live->server->tails, number, group);
    }
    pipeline->runs[group] = NULL;
    pipeline->has_ended = true;
    pipeline->has_failed = pipeline->has_failed || status != EVS_OK;
    pipeline->fenced += status == EVS_E_FENCED;
    pthread_mutex_unlock(&live->lock);
}

evs_status evs_live_listen(struct evs_live *live, const char *address, struct evs_error *error)
{
    EVS_ASSERT(live->server == NULL);
    return evs_live_server_start(live, address, &live->server, error);
}

const char *evs_live_address(const struct evs_live *live)
{
    return live->server == NULL ? NULL : evs_live_server_address(live->server);
}

/* --- one look ---------------------------------------------------------------------------------------------------------- */

static enum pipeline_state state_of(const struct shot *shot)
{
    const struct pipeline *pipeline = shot->pipeline;
    if (shot->notes.is_restoring && (!shot->is_live || shot->run.is_standing_by)) {
        return PIPELINE_RESTORING;
    }
    if (shot->is_live) {
        return shot->run.has_failed       ? PIPELINE_FAILED
               : shot->run.is_standing_by ? PIPELINE_STANDBY
               : shot->run.is_stopping    ? PIPELINE_DRAINING
                                          : PIPELINE_RUNNING;
    }
    if (pipeline->has_ended) {
        return pipeline->has_failed ? PIPELINE_FAILED : PIPELINE_ENDED;
    }
    return PIPELINE_STARTING;
}

bool evs_live_find_pipeline(const struct evs_live *live, const char *name, uint32_t *number, struct evs_buffer *error)
{
    *number = 0;
    if (name == NULL && live->pipeline_count == 1) {
        return true;
    }
    for (uint32_t i = 0; name != NULL && i < live->pipeline_count; i++) {
        if (strcmp(live->pipelines[i].plan->pipeline, name) == 0) {
            *number = i;
            return true;
        }
    }
    if (name != NULL) {
        evs_buffer_printf(error, "There is no pipeline `%s` here; there are: ", name);
    } else {
        evs_buffer_puts(error, "Say which pipeline; there are: ");
    }
    for (uint32_t i = 0; i < live->pipeline_count; i++) {
        evs_buffer_printf(error, "%s`%s`", i == 0 ? "" : ", ", live->pipelines[i].plan->pipeline);
    }
    evs_buffer_puts(error, ".");
    return false;
}

/* Groups that only stand by here have nothing to show beside groups that run. */
uint32_t evs_live_runs(const struct pipeline *pipeline, const struct evs_run *chosen[EVS_GROUPS_MAX])
{
    const struct evs_run *waiting = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < pipeline->group_count; i++) {
        struct evs_view_run view;
        if (pipeline->runs[i] == NULL) {
            continue;
        }
        evs_run_view(pipeline->runs[i], &view);
        if (view.is_standing_by) {
            waiting = pipeline->runs[i];
        } else {
            chosen[count++] = pipeline->runs[i];
        }
    }
    if (count == 0 && waiting != NULL) {
        chosen[count++] = waiting;
    }
    return count;
}

enum pipeline_state evs_live_state_of(struct evs_live *live, uint32_t number)
{
    const struct evs_run *runs[EVS_GROUPS_MAX];
    pthread_mutex_lock(&live->lock);
    uint32_t count = evs_live_runs(&live->pipelines[number], runs);
    struct shot shot = {.pipeline = &live->pipelines[number], .is_live = count > 0};
    evs_run_notes_view(shot.pipeline->notes, EVS_GROUPS_MAX, evs_monotonic_us(live->os), &shot.notes);
    if (shot.is_live) {
        evs_runs_view(runs, count, &shot.run);
    }
    enum pipeline_state state = state_of(&shot);
    pthread_mutex_unlock(&live->lock);
    return state;
}

enum pipeline_state evs_live_group_state(const struct pipeline *pipeline, uint32_t group, int64_t monotonic_us,
                                         struct evs_view_run *run)
{
    struct shot shot = {.pipeline = pipeline, .is_live = pipeline->runs[group] != NULL};
    evs_run_notes_view(&pipeline->notes[group], 1, monotonic_us, &shot.notes);
    if (shot.is_live) {
        evs_run_view(pipeline->runs[group], &shot.run);
        *run = shot.run;
    }
    return state_of(&shot);
}

static void look_at(const struct pipeline *pipeline, int64_t monotonic_us, struct shot *shot)
{
    const struct evs_run *runs[EVS_GROUPS_MAX];
    uint32_t count = evs_live_runs(pipeline, runs);
    *shot = (struct shot){.pipeline = pipeline, .is_live = count > 0, .held_count = count};
    evs_run_notes_view(pipeline->notes, EVS_GROUPS_MAX, monotonic_us, &shot->notes);
    if (shot->is_live) {
        evs_runs_view(runs, count, &shot->run);
        shot->nodes = evs_alloc(shot->run.node_count * sizeof *shot->nodes);
        for (uint32_t i = 0; i < shot->run.node_count; i++) {
            evs_runs_view_node(runs, count, i, &shot->nodes[i]);
        }
        shot->reasons = evs_alloc(EVS_VIEW_REASONS * sizeof *shot->reasons);
        shot->reason_count = evs_runs_view_reasons(runs, count, shot->reasons);
        shot->held_count = shot->run.is_standing_by ? 0 : count;
    }
    shot->state = state_of(shot);
}

void evs_live_look(struct evs_live *live, struct gallery *gallery)
{
    *gallery = (struct gallery){
        .count = live->pipeline_count,
        .wall_us = live->os->clock.wall_us(live->os->clock.self),
        .monotonic_us = evs_monotonic_us(live->os),
        .shots = evs_alloc((live->pipeline_count + 1u) * sizeof *gallery->shots),
    };
    for (uint32_t i = 0; i < gallery->count; i++) {
        look_at(&live->pipelines[i], gallery->monotonic_us, &gallery->shots[i]);
    }
}

void evs_live_drop(struct gallery *gallery)
{
    for (uint32_t i = 0; i < gallery->count; i++) {
        evs_free(gallery->shots[i].nodes);
        evs_free(gallery->shots[i].reasons);
    }
    evs_free(gallery->shots);
}
