/* Dividing a pipeline's state anew (the contract is in evstream/groups.h).
 *
 *   0  every old group is run once more without reading anything: what waits for delivery is delivered, and its last checkpoint holds a copy of all state. Operators
 *      leave much to be forgotten by their watermark when they restore; new groups may stand at another one, so what is over has to be gone
 *   1  the map is taken over, and says what it said before: from here on an engine that starts takes it over, too (evs_groups_still)
 *   2  every old log is taken over: whoever still worked with it is fenced, and the last commit counts
 *   3  the old logs are read, twice; their records go to the new groups (engine/state/split.h)
 *   4  every new log gets one commit
 *   5  one commit of the map decides. It is refused when anybody has taken the map over since 1
 *   6  the caller removes the old logs
 *
 * A crash before 5 leaves the old division, and new logs that nobody names; a crash behind it the new one, and old logs that nobody names. Both are removed by doing it again.
 *
 * Why no engine works with an old log behind 5: an engine takes its log over, then the map, and then looks whether the division is still the one that it knows. If it took its log
 * over before 2, it was fenced there. If behind 2, it took the map over behind 1: before 5, then 5 was refused; behind 5, then it sees the new division. */
#include <inttypes.h>

#include "division.h"
#include "runtime.h"
#include "state/split.h"

struct dividing {
    const struct evs_plan *plan;
    const struct evs_run_options *options;
    struct evs_arena arena;
    struct evs_map *map;
    struct evs_division before, after;
    struct evs_split *split;
    void *old[EVS_GROUPS_MAX]; /* their stores, taken over */
    struct evs_store_terms terms[EVS_GROUPS_MAX];
};

static evs_status open_group(const struct dividing *all, const struct evs_division *division, uint32_t index,
                             void **store, struct evs_error *error)
{
    char name[EVS_GROUP_NAME_MAX];
    evs_division_name(division, index, name);
    struct evs_store_open open = {
        .os = all->options->os,
        .log = all->options->log,
        .url = all->options->redis_url,
        .pipeline = all->plan->pipeline,
        .group = name,
        .retry_us = all->options->retry_us,
    };
    return all->options->store->open(&open, store, error);
}

/* --- 0 --------------------------------------------------------------------------------------------------------------------------- */

static evs_status peek(const struct dividing *all, const char *name, uint32_t index, struct evs_error *error)
{
    struct evs_store_terms terms = {0};
    void *store = NULL;
    evs_status status = open_group(all, &all->before, index, &store, error);
    if (status == EVS_OK) {
        status = all->options->store->peek(store, &terms, error);
        all->options->store->close(store);
    }
    if (status == EVS_OK && !terms.has_commit) {
        return evs_fail(error, EVS_E_STATE,
                        all->before.generation == 0
                            ? "Redis has no state of pipeline %s: say `set groups`, and its first start divides it"
                            : "group %s has no state: start the pipeline once, and stop it",
                        all->before.generation == 0 ? all->plan->pipeline : name);
    }
    return status;
}

static evs_status settle(struct dividing *all, uint32_t index, struct evs_error *error)
{
    struct evs_run_options options = *all->options;
    struct evs_run_summary summary = {0};
    struct evs_run *run = NULL;
    char name[EVS_GROUP_NAME_MAX];
    evs_division_name(&all->before, index, name);
    options.group = all->before.generation == 0 ? NULL : name;
    options.group_index = index;
    options.group_count = all->before.group_count;
    options.copies_all = true;
    evs_status status = peek(all, name, index, error);
    if (status == EVS_OK) {
        status = evs_run_start(all->plan, &options, &run, error);
    }
    if (status != EVS_OK) {
        return status;
    }
    evs_run_stop(run);
    status = evs_run_wait(run, &summary, error);
    evs_run_free(run);
    return status != EVS_OK || summary.ran
               ? status
               : evs_fail(error, EVS_E_STATE, "an engine runs pipeline %s, or was cut off a moment ago: stop it first",
                          all->plan->pipeline);
}

/* --- 1, 2 ------------------------------------------------------------------------------------------------------------------------ */

static evs_status look(struct dividing *all, uint32_t group_count, struct evs_error *error)
{
    bool is_there = false;
    evs_status status = evs_map_open(all->options, all->plan->pipeline, &all->map, error);
    if (status == EVS_OK) {
        status = evs_map_read(all->map, &all->arena, &all->before, &is_there, error);
    }
    if (status == EVS_OK && all->before.group_count == group_count) {
        return evs_fail(error, EVS_E_CANCELLED, "pipeline %s has %u group%s already", all->plan->pipeline, group_count,
                        group_count == 1 ? "" : "s");
    }
    return status == EVS_OK ? evs_division_fits(&all->before, all->plan, error) : status;
}

static evs_status begin(struct dividing *all, struct evs_error *error)
{
    struct evs_division now;
    bool is_there = false;
    evs_status status = evs_map_begin(all->map, &all->arena, &now, &is_there, error);
    if (status == EVS_OK && now.generation != all->before.generation) {
        return evs_fail(error, EVS_E_STATE, "pipeline %s is being divided by somebody else", all->plan->pipeline);
    }
    return status == EVS_OK ? evs_map_decide(all->map, &all->before, error) : status;
}

static evs_status take_old(struct dividing *all, uint32_t index, struct evs_error *error)
{
    evs_status status = open_group(all, &all->before, index, &all->old[index], error);
    if (status == EVS_OK) {
        status = all->options->store->acquire(all->old[index], &all->terms[index], error);
    }
    return status;
}

/* --- 3 --------------------------------------------------------------------------------------------------------------------------- */

static evs_status learn(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                        struct evs_error *error)
{
    return kind == EVS_BLOCK_STATE ? evs_split_learn(argument, checkpoint, block, error) : EVS_OK;
}

static evs_status route(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                        struct evs_error *error)
{
    return kind == EVS_BLOCK_STATE ? evs_split_route(argument, checkpoint, block, error) : EVS_OK;
}

static evs_status read_old(struct dividing *all, uint32_t index, struct evs_error *error)
{
    const struct evs_store *store = all->options->store;
    evs_status status = evs_split_begin(all->split, all->terms[index].record, error);
    if (status == EVS_OK) {
        status = store->restore(all->old[index], learn, all->split, error);
    }
    if (status == EVS_OK) {
        status = evs_split_learned(all->split, error);
    }
    if (status == EVS_OK) {
        status = store->restore(all->old[index], route, all->split, error);
    }
    return status == EVS_OK ? evs_split_routed(all->split, error) : status;
}

static evs_status for_old(struct dividing *all,
                          evs_status (*what)(struct dividing *all, uint32_t index, struct evs_error *error),
                          struct evs_error *error)
{
    evs_status status = EVS_OK;
    for (uint32_t i = 0; i < all->before.group_count && status == EVS_OK; i++) {
        status = what(all, i, error);
    }
    return status;
}

/* --- 4 --------------------------------------------------------------------------------------------------------------------------- */

/* What an attempt that was cut off has left under the name is replaced: the commit's chain begins with itself. */
static evs_status write_new(struct dividing *all, uint32_t index, struct evs_error *error)
{
    const struct evs_store *type = all->options->store;
    const struct evs_block_list *blocks = evs_split_blocks(all->split, index);
    struct evs_store_terms terms = {0};
    struct evs_buffer record = {0};
    void *store = NULL;
    evs_status status = open_group(all, &all->after, index, &store, error);
    if (status == EVS_OK) {
        status = type->acquire(store, &terms, error);
    }
    if (status == EVS_OK) {
        uint64_t checkpoint = terms.has_commit ? terms.checkpoint + 1 : 1;
        evs_split_record(all->split, index, checkpoint, &record);
        struct evs_store_commit commit = {
            .checkpoint = checkpoint,
            .state_from = checkpoint,
            .blocks = blocks->blocks,
            .block_count = blocks->block_count,
            .outbox_restart = true,
            .record = {record.data, record.count},
        };
        status = type->commit(store, &commit, error);
    }
    if (store != NULL) {
        type->close(store);
    }
    evs_buffer_fini(&record);
    return status;
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------- */

static evs_status decide(struct dividing *all, struct evs_error *error)
{
    evs_status status = evs_map_decide(all->map, &all->after, error);
    return status != EVS_E_FENCED
               ? status
               : evs_fail(error, EVS_E_STATE,
                          "an engine of pipeline %s has started meanwhile, and nothing was changed: stop it, and "
                          "try again",
                          all->plan->pipeline);
}

static evs_status divide(struct dividing *all, uint32_t group_count, struct evs_error *error)
{
    evs_status status = look(all, group_count, error);
    if (status == EVS_OK) {
        status = for_old(all, settle, error);
    }
    if (status == EVS_OK) {
        status = begin(all, error);
    }
    if (status == EVS_OK) {
        status = for_old(all, take_old, error);
    }
    if (status != EVS_OK) {
        return status;
    }
    all->split = evs_split_new(all->plan, group_count);
    status = for_old(all, read_old, error);
    all->after =
        evs_division_next(all->plan, &all->before, group_count,
                          status == EVS_OK ? evs_split_incarnation(all->split) : all->before.incarnation, &all->arena);
    for (uint32_t i = 0; i < group_count && status == EVS_OK; i++) {
        status = write_new(all, i, error);
    }
    return status == EVS_OK ? decide(all, error) : status;
}

static void close_all(struct dividing *all)
{
    for (uint32_t i = 0; i < EVS_GROUPS_MAX; i++) {
        if (all->old[i] != NULL) {
            all->options->store->close(all->old[i]);
        }
    }
    evs_split_free(all->split);
    evs_map_close(all->map);
    evs_arena_fini(&all->arena);
    evs_free(all);
}

evs_status evs_divide(const struct evs_plan *plan, const struct evs_run_options *options, uint32_t group_count,
                      struct evs_error *error)
{
    EVS_ASSERT(group_count >= 1 && group_count <= plan->groups_max);
    struct dividing *all = evs_alloc_zero(sizeof *all);
    all->plan = plan;
    all->options = options;
    evs_status status = divide(all, group_count, error);
    close_all(all);
    return status;
}
