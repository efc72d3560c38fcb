#include "division.h"

#include <inttypes.h>
#include <stdio.h>

#include "lines.h"

struct evs_division evs_division_of_one(void)
{
    return (struct evs_division){.group_count = 1};
}

struct evs_division evs_division_next(const struct evs_plan *plan, const struct evs_division *before,
                                      uint32_t group_count, struct evs_hash128 incarnation, struct evs_arena *arena)
{
    EVS_ASSERT(group_count >= 1 && group_count <= EVS_GROUPS_MAX);
    struct evs_division next = {
        .generation = before->generation + 1, .group_count = group_count, .incarnation = incarnation};
    next.sources = EVS_ARENA_ARRAY(arena, struct evs_division_source, plan->node_count + 1u);
    for (uint32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].kind == EVS_NODE_SOURCE) {
            next.sources[next.source_count++] =
                (struct evs_division_source){plan->nodes[i].name, plan->nodes[i].source->partitions};
        }
    }
    return next;
}

void evs_division_name(const struct evs_division *division, uint32_t index, char name[EVS_GROUP_NAME_MAX])
{
    EVS_ASSERT(index < division->group_count);
    if (division->generation == 0) {
        snprintf(name, EVS_GROUP_NAME_MAX, "0");
    } else {
        snprintf(name, EVS_GROUP_NAME_MAX, "%" PRIu64 "-%u", division->generation, index);
    }
}

/* --- the text ------------------------------------------------------------------------------------------------------------------------ */

void evs_division_encode(const struct evs_division *division, struct evs_buffer *out)
{
    evs_buffer_printf(out, "version 1\ngeneration %" PRIu64 "\ngroups %u\nincarnation %016" PRIx64 "%016" PRIx64 "\n",
                      division->generation, division->group_count, division->incarnation.high,
                      division->incarnation.low);
    for (uint32_t i = 0; i < division->source_count; i++) {
        evs_buffer_printf(out, "source %u %s\n", division->sources[i].partitions, division->sources[i].name);
    }
}

static bool take_source(struct evs_slice value, struct evs_arena *arena, struct evs_division *division)
{
    struct evs_slice count, name;
    int64_t partitions;
    if (!evs_lines_next(&value, &count, &name) || name.count == 0 || !evs_lines_int64(count, &partitions) ||
        partitions < 1 || partitions > UINT32_MAX) {
        return false;
    }
    struct evs_division_source *grown = EVS_ARENA_ARRAY(arena, struct evs_division_source, division->source_count + 1u);
    if (division->source_count > 0) {
        memcpy(grown, division->sources, division->source_count * sizeof *grown);
    }
    grown[division->source_count++] =
        (struct evs_division_source){evs_arena_strndup(arena, name.data, name.count), (uint32_t)partitions};
    division->sources = grown;
    return true;
}

/* Later versions may add lines; they raise the version where an older reader would do harm. */
static bool take_line(struct evs_slice name, struct evs_slice value, struct evs_arena *arena,
                      struct evs_division *division)
{
    int64_t number = 0;
    if (evs_slice_equal(name, EVS_SLICE("source"))) {
        return take_source(value, arena, division);
    }
    if (evs_slice_equal(name, EVS_SLICE("incarnation"))) {
        struct evs_hash128 *to = &division->incarnation;
        return value.count == 32 && evs_lines_hex64((struct evs_slice){value.data, 16}, &to->high) &&
               evs_lines_hex64((struct evs_slice){value.data + 16, 16}, &to->low);
    }
    bool is_number = evs_lines_int64(value, &number);
    if (evs_slice_equal(name, EVS_SLICE("version"))) {
        return is_number && number == 1;
    }
    if (evs_slice_equal(name, EVS_SLICE("generation"))) {
        division->generation = (uint64_t)number;
        return is_number && number >= 0;
    }
    if (evs_slice_equal(name, EVS_SLICE("groups"))) {
        division->group_count = (uint32_t)number;
        return is_number && number >= 1 && number <= EVS_GROUPS_MAX;
    }
    return true;
}

evs_status evs_division_decode(struct evs_slice text, struct evs_arena *arena, struct evs_division *division,
                               struct evs_error *error)
{
    struct evs_slice name, value;
    bool is_right = true;
    *division = (struct evs_division){0};
    while (is_right && evs_lines_next(&text, &name, &value)) {
        is_right = take_line(name, value, arena, division);
    }
    bool has_incarnation = division->incarnation.low != 0 || division->incarnation.high != 0;
    bool is_whole = division->generation > 0 ? division->group_count > 0 && has_incarnation
                                             : division->group_count == 1; /* before it is divided for the first time */
    return is_right && is_whole
               ? EVS_OK
               : evs_fail(error, EVS_E_STATE,
                          "how the pipeline is divided into groups is written in a way that this program does not "
                          "understand; a newer one may");
}

evs_status evs_groups_named(const struct evs_store_terms *map, struct evs_group_names *names, struct evs_error *error)
{
    struct evs_arena arena = {0};
    struct evs_division division = evs_division_of_one();
    evs_status status = map->has_commit ? evs_division_decode(map->record, &arena, &division, error) : EVS_OK;
    *names = (struct evs_group_names){.is_divided = division.generation > 0};
    for (uint32_t i = 0; status == EVS_OK && i < division.group_count; i++) {
        evs_division_name(&division, i, names->names[names->count++]);
    }
    evs_arena_fini(&arena);
    return status;
}

/* --- does a plan fit? ---------------------------------------------------------------------------------------------------------------- */

static const struct evs_plan_node *source_of(const struct evs_plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].kind == EVS_NODE_SOURCE && strcmp(plan->nodes[i].name, name) == 0) {
            return &plan->nodes[i];
        }
    }
    return NULL;
}

evs_status evs_division_fits(const struct evs_division *division, const struct evs_plan *plan, struct evs_error *error)
{
    if (division->group_count > plan->groups_max) {
        return evs_fail(error, EVS_E_STATE,
                        "pipeline %s is divided into %u groups, and as it is now it can run in %u at most%s%s. Change "
                        "it back, or give it another name (`pipeline NAME;`)",
                        plan->pipeline, division->group_count, plan->groups_max,
                        plan->one_group_because != NULL ? ": " : "",
                        plan->one_group_because != NULL ? plan->one_group_because : "");
    }
    for (uint32_t i = 0; division->group_count > 1 && i < division->source_count; i++) {
        const struct evs_division_source *was = &division->sources[i];
        const struct evs_plan_node *node = source_of(plan, was->name);
        if (node != NULL && node->source->partitions != was->partitions) {
            return evs_fail(error, EVS_E_STATE,
                            "source %s has %u partitions now, and had %u when pipeline %s was divided into groups: the "
                            "state of a key would stay with a group that no longer reads its events. Give the "
                            "pipeline another name (`pipeline NAME;`) to begin anew",
                            was->name, node->source->partitions, was->partitions, plan->pipeline);
        }
    }
    return EVS_OK;
}

/* --- the map --------------------------------------------------------------------------------------------------------------------------- */

struct evs_map {
    struct evs_store_open open;
    const struct evs_store *type;
    void *store;
    bool has_term; /* of this instance: it can only go on, not look */
    struct evs_store_terms terms;
};

evs_status evs_map_open(const struct evs_run_options *options, const char *pipeline, struct evs_map **result,
                        struct evs_error *error)
{
    struct evs_map *map = evs_alloc_zero(sizeof *map);
    map->type = options->store;
    map->open = (struct evs_store_open){
        .os = options->os,
        .log = options->log,
        .url = options->redis_url,
        .pipeline = pipeline,
        .group = EVS_GROUP_MAP,
        .retry_us = options->retry_us,
    };
    evs_status status = map->type->open(&map->open, &map->store, error);
    if (status != EVS_OK) {
        evs_free(map);
        return status;
    }
    *result = map;
    return EVS_OK;
}

void evs_map_close(struct evs_map *map)
{
    if (map != NULL) {
        if (map->store != NULL) {
            map->type->close(map->store);
        }
        evs_free(map);
    }
}

/* An instance without a term. */
static evs_status fresh(struct evs_map *map, struct evs_error *error)
{
    if (map->store != NULL && !map->has_term) {
        return EVS_OK;
    }
    if (map->store != NULL) {
        map->type->close(map->store);
        map->store = NULL;
    }
    map->has_term = false;
    return map->type->open(&map->open, &map->store, error);
}

static evs_status decode(const struct evs_map *map, struct evs_arena *arena, struct evs_division *division,
                         bool *is_there, struct evs_error *error)
{
    *is_there = map->terms.has_commit;
    *division = evs_division_of_one();
    return *is_there ? evs_division_decode(map->terms.record, arena, division, error) : EVS_OK;
}

evs_status evs_map_read(struct evs_map *map, struct evs_arena *arena, struct evs_division *division, bool *is_there,
                        struct evs_error *error)
{
    evs_status status = fresh(map, error);
    if (status == EVS_OK) {
        status = map->type->peek(map->store, &map->terms, error);
    }
    return status == EVS_OK ? decode(map, arena, division, is_there, error) : status;
}

/* A take-over has steps, and another one may come between them: groups and engines that start look at the map all at once. Whoever is overtaken there has changed nothing, and
 * begins again, behind a pause that is drawn so that they do not meet again for ever. */
#define TAKE_OVERS_MAX 1000
#define TAKE_OVER_US 500 /* what a take-over lasts, at least */
#define GIVE_WAY_US_MAX 2000000

/* `took_us`: how long the attempt was under way. Another's needs as long, undisturbed. */
static void give_way(const struct evs_map *map, uint32_t times, int64_t took_us)
{
    const struct evs_os *os = map->open.os;
    int64_t most_us = (took_us > TAKE_OVER_US ? took_us : TAKE_OVER_US) << (times < 5 ? times : 5);
    most_us = most_us < GIVE_WAY_US_MAX ? most_us : GIVE_WAY_US_MAX;
    os->clock.sleep_us(os->clock.self, (int64_t)(os->random.next(os->random.self) % (uint64_t)most_us));
}

evs_status evs_map_begin(struct evs_map *map, struct evs_arena *arena, struct evs_division *division, bool *is_there,
                         struct evs_error *error)
{
    evs_status status = EVS_E_FENCED;
    int64_t took_us = 0;
    for (uint32_t i = 0; i < TAKE_OVERS_MAX && status == EVS_E_FENCED; i++) {
        if (i > 0) {
            give_way(map, i, took_us);
        }
        int64_t begun_us = evs_monotonic_us(map->open.os);
        status = fresh(map, error);
        if (status == EVS_OK) {
            map->has_term = true; /* or a part of one: never taken over twice by one instance */
            status = map->type->acquire(map->store, &map->terms, error);
        }
        took_us = evs_monotonic_us(map->open.os) - begun_us;
    }
    map->has_term = map->has_term && status == EVS_OK;
    return status == EVS_OK ? decode(map, arena, division, is_there, error) : status;
}

evs_status evs_map_decide(struct evs_map *map, const struct evs_division *division, struct evs_error *error)
{
    struct evs_buffer text = {0};
    EVS_ASSERT(map->has_term);
    evs_division_encode(division, &text);
    uint64_t checkpoint = map->terms.has_commit ? map->terms.checkpoint + 1 : 1;
    struct evs_store_commit commit = {
        .checkpoint = checkpoint,
        .state_from = checkpoint,
        .outbox_restart = true,
        .record = {text.data, text.count},
    };
    evs_status status = map->type->commit(map->store, &commit, error);
    evs_buffer_fini(&text);
    if (status == EVS_OK) {
        map->terms.has_commit = true;
        map->terms.checkpoint = checkpoint;
    }
    return status;
}

/* Who is overtaken before its decision may look before the other one has decided: it begins again. */
evs_status evs_map_first(struct evs_map *map, const struct evs_division *first, struct evs_arena *arena,
                         struct evs_division *division, struct evs_error *error)
{
    evs_status status = EVS_E_FENCED;
    int64_t took_us = 0;
    for (uint32_t i = 0; i < TAKE_OVERS_MAX && status == EVS_E_FENCED; i++) {
        if (i > 0) {
            give_way(map, i, took_us);
        }
        int64_t begun_us = evs_monotonic_us(map->open.os);
        bool is_there = false;
        status = evs_map_begin(map, arena, division, &is_there, error);
        if (status == EVS_OK && division->generation == 0) {
            *division = *first;
            status = evs_map_decide(map, first, error);
        }
        took_us = evs_monotonic_us(map->open.os) - begun_us;
    }
    return status;
}
