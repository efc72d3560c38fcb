/* Which groups of a pipeline this process runs: the idea is in evstream/groups.h. */
#include "evstream/groups.h"

#include <inttypes.h>
#include <stdio.h>

#include "bucket.h"
#include "division.h"
#include "lines.h"
#include "roll.h"
#include "runtime.h"

#define ROLLS 6u /* looks at the roll, a lease */

struct group {
    char name[EVS_GROUP_NAME_MAX];
    struct evs_run_options options;
    _Atomic bool is_held;
    _Atomic bool gives_back; /* until its run has ended */
};

struct evs_groups {
    const struct evs_plan *plan;
    struct evs_run_options options;
    struct evs_arena arena;
    struct evs_division division;
    struct group groups[EVS_GROUPS_MAX];
    uint32_t count;

    const struct evs_bucket *bucket_kind;
    void *bucket;
    struct evs_roll *roll;
    struct evs_park *park;
    struct evs_thread *steward;
    _Atomic bool ends, leaves;
    /* has ended a group for good: it looks once at each of the others, and no share is left for it */
    _Atomic bool is_guest;
    _Atomic bool is_entered; /* one at a time tries to win, so that nobody takes more than its share */
    _Atomic uint32_t share;  /* how many this engine may hold */
    uint64_t told;           /* a bit for each group that was held when it was last told */
    uint32_t engines_told;
    uint64_t seen; /* as of the look before */
    uint32_t engines_seen;
};

/* --- shares --------------------------------------------------------------------------------------------------------------------------- */

static uint32_t held_count(const struct evs_groups *all)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        count += atomic_load(&all->groups[i].is_held);
    }
    return count;
}

static bool enter(void *argument, uint32_t index)
{
    struct evs_groups *all = argument;
    if (atomic_load(&all->leaves) || atomic_load(&all->groups[index].gives_back) ||
        atomic_exchange(&all->is_entered, true)) {
        return false;
    }
    if (held_count(all) < atomic_load(&all->share)) {
        return true;
    }
    atomic_store(&all->is_entered, false);
    return false;
}

static void leave(void *argument, uint32_t index, bool has_won)
{
    struct evs_groups *all = argument;
    if (has_won) {
        atomic_store(&all->groups[index].is_held, true);
        all->options.os->threads.wake(all->park); /* the others shall know */
    }
    atomic_store(&all->is_entered, false);
}

/* One at a time, and not while another one is to be had. */
static void give_back_one(struct evs_groups *all)
{
    struct group *last = NULL;
    for (uint32_t i = 0; i < all->count; i++) {
        struct group *group = &all->groups[i];
        if (atomic_load(&group->gives_back)) {
            return;
        }
        last = atomic_load(&group->is_held) ? group : last;
    }
    if (last != NULL) {
        atomic_store(&last->gives_back, true);
    }
}

static void balance(struct evs_groups *all)
{
    if (atomic_load(&all->is_guest)) {
        atomic_store(&all->share, all->count);
        return;
    }
    uint32_t engines = evs_roll_engines(all->roll), held = held_count(all);
    uint32_t most = (all->count + engines - 1) / engines, least = all->count / engines;
    uint32_t share = evs_roll_least(all->roll) < least ? least : most; /* what another one lacks is left to it */
    atomic_store(&all->share, share);
    if (held > share && held + evs_roll_held(all->roll) >= all->count) {
        give_back_one(all);
    }
}

/* --- the steward ---------------------------------------------------------------------------------------------------------------------- */

/* What has been so for two looks: while groups move, every step of it is no news. */
static void tell(struct evs_groups *all)
{
    uint64_t held = 0;
    uint32_t engines = evs_roll_engines(all->roll);
    struct evs_buffer names = {0};
    for (uint32_t i = 0; i < all->count; i++) {
        if (atomic_load(&all->groups[i].is_held)) {
            held |= UINT64_C(1) << i;
            evs_buffer_printf(&names, "%s%s", names.count > 0 ? ", " : "", all->groups[i].name);
        }
    }
    bool is_settled = held == all->seen && engines == all->engines_seen;
    all->seen = held;
    all->engines_seen = engines;
    if (is_settled && (held != all->told || engines != all->engines_told)) {
        evs_log(all->options.log, EVS_LOG_INFO, "groups",
                "Pipeline %s: this engine runs %u of %u groups (%.*s); %u engine%s in all.", all->plan->pipeline,
                (uint32_t)__builtin_popcountll(held), all->count, names.count > 0 ? (int)names.count : 4,
                names.count > 0 ? names.data : "none", engines, engines == 1 ? "" : "s");
        all->told = held;
        all->engines_told = engines;
    }
    evs_buffer_fini(&names);
}

static void look(struct evs_groups *all)
{
    struct evs_error error = {0};
    evs_status status = atomic_load(&all->is_guest) ? evs_roll_leave(all->roll, &error)
                                                    : evs_roll_call(all->roll, held_count(all), &error);
    if (status == EVS_OK) {
        balance(all);
        tell(all);
    } else {
        evs_log(all->options.log, EVS_LOG_WARN, "roll_trouble",
                "Which engines share pipeline %s cannot be looked at: %s", all->plan->pipeline, error.text);
    }
}

static int64_t boot_us(const struct evs_groups *all)
{
    return all->options.os->clock.boot_us(all->options.os->clock.self);
}

/* Wakes of the park come from connections, too: the pause counts, unless a group was taken. */
static void steward_main(void *argument)
{
    struct evs_groups *all = argument;
    const struct evs_os *os = all->options.os;
    int64_t pause_us = all->options.lease_us / ROLLS, due_us = boot_us(all) + pause_us;
    while (!atomic_load(&all->ends)) {
        uint32_t held = held_count(all);
        int64_t left_us = due_us - boot_us(all);
        if (left_us > 0) {
            (void)os->sockets.wait(os->sockets.self, all->park, NULL, 0, left_us);
        }
        if (boot_us(all) >= due_us || held != held_count(all)) {
            look(all);
            due_us = boot_us(all) + pause_us;
        }
    }
}

/* --- which division ------------------------------------------------------------------------------------------------------------------- */

/* How many groups were asked for; 0: nobody said. */
static uint32_t wanted(const struct evs_groups *all)
{
    return all->options.groups != 0 ? all->options.groups : all->plan->groups;
}

/* A pipeline that has worked in one group is not divided by the way. */
static evs_status refuse_undivided(const struct evs_groups *all, struct evs_error *error)
{
    const struct evs_run_options *options = &all->options;
    struct evs_store_open open = {
        .os = options->os,
        .log = options->log,
        .url = options->redis_url,
        .pipeline = all->plan->pipeline,
        .group = EVS_GROUP_ONLY,
        .retry_us = options->retry_us,
    };
    struct evs_store_terms terms = {0};
    void *store = NULL;
    evs_status status = options->store->open(&open, &store, error);
    if (status != EVS_OK) {
        return status;
    }
    status = options->store->peek(store, &terms, error);
    if (status == EVS_OK && terms.has_commit) {
        status = evs_fail(error, EVS_E_STATE,
                          "the state of pipeline %s is in one group, and `groups` asks for %u. Leave `groups` out to "
                          "go on as it is; or stop all engines and divide it: evstream divide --groups %u FILE",
                          all->plan->pipeline, wanted(all), wanted(all));
    }
    options->store->close(store);
    return status;
}

static evs_status refuse_other(const struct evs_groups *all, struct evs_error *error)
{
    uint32_t count = all->division.group_count;
    return evs_fail(error, EVS_E_STATE,
                    "the state of pipeline %s is divided into %u group%s, and `groups` asks for %u. Ask for %u, or for "
                    "none, to go on as it is; or stop all engines and divide it anew: evstream divide --groups %u FILE",
                    all->plan->pipeline, count, count == 1 ? "" : "s", wanted(all), count, wanted(all));
}

static struct evs_hash128 draw(const struct evs_os *os)
{
    return (struct evs_hash128){os->random.next(os->random.self) | 1, os->random.next(os->random.self)};
}

/* --- what NATS remembers of it -------------------------------------------------------------------------------------------------------- */

static void put_key(const struct evs_groups *all, struct evs_buffer *key)
{
    evs_buffer_puts(key, "division.");
    evs_lines_put_key(key, all->plan->pipeline);
    evs_buffer_put(key, "", 1);
}

static evs_status judge_map(const struct evs_groups *all, const struct evs_division *remembered, bool has_map,
                            struct evs_error *error)
{
    bool restarts = !has_map && all->options.state_lost == EVS_LOST_RESTART;
    if (remembered->generation <= all->division.generation || restarts) {
        return EVS_OK;
    }
    return evs_fail(error, EVS_E_STATE,
                    "NATS (bucket %s) remembers that pipeline %s is divided into %u groups, of which Redis knows "
                    "nothing. Is this the right Redis (--redis), and can a newer copy of it be restored? If not: with "
                    "--state-lost restart, once what is left of the state is removed (evstream state reset %s), the "
                    "pipeline begins as if it had never run, and publishes everything as new",
                    all->options.bucket, all->plan->pipeline, remembered->group_count, all->plan->pipeline);
}

/* What it remembers is written behind the map's commit: what it knows, a map that is read later knows. */
static evs_status ask_memory(struct evs_groups *all, struct evs_division *remembered, struct evs_error *error)
{
    struct evs_buffer key = {0}, text = {0};
    uint64_t revision = 0;
    *remembered = evs_division_of_one();
    put_key(all, &key);
    evs_status status = all->bucket_kind->read(all->bucket, key.data, &text, &revision, error);
    if (status == EVS_OK && text.count > 0) {
        status = evs_division_decode((struct evs_slice){text.data, text.count}, &all->arena, remembered, error);
    }
    evs_buffer_fini(&key);
    evs_buffer_fini(&text);
    return status;
}

static evs_status remember(struct evs_groups *all, struct evs_error *error)
{
    struct evs_buffer key = {0}, text = {0}, there = {0};
    uint64_t revision = 0;
    put_key(all, &key);
    evs_division_encode(&all->division, &text);
    evs_status status = all->bucket_kind->read(all->bucket, key.data, &there, &revision, error);
    bool is_known = there.count == text.count && memcmp(there.data, text.data, text.count) == 0;
    if (status == EVS_OK && !is_known) {
        status = all->bucket_kind->write(all->bucket, key.data, (struct evs_slice){text.data, text.count}, revision,
                                         &revision, error);
        status = status == EVS_AGAIN ? EVS_OK : status; /* another engine writes the same */
    }
    evs_buffer_fini(&key);
    evs_buffer_fini(&text);
    evs_buffer_fini(&there);
    return status;
}

/* Several engines begin a pipeline at the same time: one decides, the others find its decision. */
static evs_status decide_first(struct evs_groups *all, uint64_t generation, struct evs_map *map,
                               struct evs_error *error)
{
    evs_status status = refuse_undivided(all, error);
    if (status != EVS_OK) {
        return status;
    }
    struct evs_division before = {.generation = generation}; /* names of groups are never used again */
    struct evs_division first = evs_division_next(all->plan, &before, wanted(all), draw(all->options.os), &all->arena);
    return evs_map_first(map, &first, &all->arena, &all->division, error);
}

/* --- opening, closing ----------------------------------------------------------------------------------------------------------------- */

static evs_status read_map(struct evs_groups *all, struct evs_error *error)
{
    struct evs_division remembered;
    struct evs_map *map = NULL;
    bool has_map = false;
    evs_status status = evs_map_open(&all->options, all->plan->pipeline, &map, error);
    if (status == EVS_OK) {
        status = evs_map_read(map, &all->arena, &all->division, &has_map, error);
    }
    if (status == EVS_OK) {
        status = evs_plan_open_bucket(all->plan, &all->options, all->park, &all->bucket_kind, &all->bucket, error);
    }
    if (status == EVS_OK) {
        status = ask_memory(all, &remembered, error);
    }
    if (status == EVS_OK && remembered.generation > all->division.generation) { /* decided since by another engine? */
        status = evs_map_read(map, &all->arena, &all->division, &has_map, error);
    }
    if (status == EVS_OK) { /* a Redis without a map may have had one */
        status = judge_map(all, &remembered, has_map, error);
    }
    if (status == EVS_OK && all->division.generation == 0 && wanted(all) > 1) {
        status = decide_first(all, remembered.generation, map, error);
    }
    evs_map_close(map);
    if (status == EVS_OK && wanted(all) != 0 && wanted(all) != all->division.group_count) {
        status = refuse_other(all, error);
    }
    return status == EVS_OK ? evs_division_fits(&all->division, all->plan, error) : status;
}

/* Behind the take-over of a group's log. Who divides the pipeline anew in this moment is fenced, or has decided: engine/run/divide.c has the whole argument. */
static evs_status still(void *argument, struct evs_error *error)
{
    const struct evs_groups *all = argument;
    struct evs_arena arena = {0};
    struct evs_division now;
    struct evs_map *map = NULL;
    bool has_map = false;
    evs_status status = evs_map_open(&all->options, all->plan->pipeline, &map, error);
    if (status == EVS_OK) {
        status = evs_map_read(map, &arena, &now, &has_map, error);
    }
    if (status == EVS_OK && has_map) {
        status = evs_map_begin(map, &arena, &now, &has_map, error);
    }
    if (status == EVS_OK && now.generation != all->division.generation) {
        status = evs_fail(error, EVS_E_FENCED,
                          "Pipeline %s was divided into %u group%s while this engine was starting or stood by: start "
                          "it again.",
                          all->plan->pipeline, now.group_count, now.group_count == 1 ? "" : "s");
    }
    evs_map_close(map);
    evs_arena_fini(&arena);
    return status;
}

static void set_groups(struct evs_groups *all)
{
    bool is_divided = all->division.generation > 0;
    all->count = all->division.group_count;
    for (uint32_t i = 0; i < all->count; i++) {
        struct group *group = &all->groups[i];
        evs_division_name(&all->division, i, group->name);
        group->options = all->options;
        group->options.still = all->options.store != NULL ? still : NULL;
        group->options.still_argument = all;
        if (is_divided) {
            group->options.group = group->name;
            group->options.group_index = i;
            group->options.group_count = all->count;
            group->options.incarnation = all->division.incarnation;
            group->options.gate = (struct evs_run_gate){enter, leave, all};
        }
    }
}

static void close_bucket(struct evs_groups *all)
{
    if (all->bucket != NULL) {
        all->bucket_kind->close(all->bucket);
        all->bucket = NULL;
    }
}

static evs_status begin_sharing(struct evs_groups *all, struct evs_error *error)
{
    const struct evs_threads *threads = &all->options.os->threads;
    all->roll = evs_roll_new(&(struct evs_roll_open){.os = all->options.os,
                                                     .bucket = all->bucket_kind,
                                                     .instance = all->bucket,
                                                     .pipeline = all->plan->pipeline,
                                                     .lease_us = all->options.lease_us});
    evs_status status = remember(all, error);
    if (status == EVS_OK) { /* who is there already is known before the first group is taken */
        status = evs_roll_call(all->roll, 0, error);
    }
    if (status != EVS_OK) {
        return status;
    }
    balance(all);
    status = threads->spawn(threads->self, "evs-groups", steward_main, all, &all->steward);
    return status == EVS_OK ? EVS_OK : evs_fail(error, status, "the thread evs-groups cannot be started");
}

/* Without a broker that keeps leases, or without durable state, there is one group, and whoever starts last runs it. */
static evs_status open_alone(struct evs_groups *all, struct evs_error *error)
{
    if (wanted(all) > 1) {
        return evs_fail(error, EVS_E_USAGE,
                        "several groups need leases (--lease) and durable state (--state redis): that is how engines "
                        "agree who runs which");
    }
    struct evs_map *map = NULL;
    bool has_map = false;
    evs_status status =
        all->options.store == NULL ? EVS_OK : evs_map_open(&all->options, all->plan->pipeline, &map, error);
    if (status == EVS_OK && map != NULL) {
        status = evs_map_read(map, &all->arena, &all->division, &has_map, error);
    }
    evs_map_close(map);
    if (status == EVS_OK && all->division.generation > 0) {
        return evs_fail(error, EVS_E_STATE,
                        "pipeline %s is divided into %u groups, whose engines agree by leases: run it without "
                        "--lease off",
                        all->plan->pipeline, all->division.group_count);
    }
    return status;
}

static evs_status open_shared(struct evs_groups *all, struct evs_error *error)
{
    evs_status status = read_map(all, error);
    if (status != EVS_OK) {
        return status;
    }
    set_groups(all);
    if (all->division.generation > 0) {
        return begin_sharing(all, error);
    }
    close_bucket(all);
    return EVS_OK;
}

evs_status evs_groups_open(const struct evs_plan *plan, const struct evs_run_options *options,
                           struct evs_groups **result, struct evs_error *error)
{
    struct evs_groups *all = evs_alloc_zero(sizeof *all);
    all->plan = plan;
    all->options = *options;
    all->division = evs_division_of_one();
    all->park = options->os->threads.park_new(options->os->threads.self);
    bool is_shared = options->store != NULL && options->lease_us > 0 && evs_plan_has_bucket(plan);
    evs_status status = is_shared ? open_shared(all, error) : open_alone(all, error);
    if (status != EVS_OK) {
        evs_groups_close(all);
        return status;
    }
    if (!is_shared) {
        set_groups(all);
    }
    *result = all;
    return EVS_OK;
}

void evs_groups_close(struct evs_groups *all)
{
    if (all == NULL) {
        return;
    }
    const struct evs_threads *threads = &all->options.os->threads;
    if (all->steward != NULL) {
        atomic_store(&all->ends, true);
        threads->wake(all->park);
        threads->join(all->steward);
        struct evs_error ignored;
        (void)evs_roll_leave(all->roll, &ignored);
    }
    evs_roll_free(all->roll);
    close_bucket(all);
    threads->park_free(all->park);
    evs_arena_fini(&all->arena);
    evs_free(all);
}

/* --- for the owner -------------------------------------------------------------------------------------------------------------------- */

uint32_t evs_groups_count(const struct evs_groups *all)
{
    return all->count;
}

const char *evs_groups_name(const struct evs_groups *all, uint32_t index)
{
    EVS_ASSERT(index < all->count);
    return all->groups[index].options.group;
}

const struct evs_run_options *evs_groups_options(const struct evs_groups *all, uint32_t index)
{
    EVS_ASSERT(index < all->count);
    return &all->groups[index].options;
}

bool evs_groups_gives_back(const struct evs_groups *all, uint32_t index)
{
    EVS_ASSERT(index < all->count);
    return atomic_load(&all->groups[index].gives_back);
}

void evs_groups_ended(struct evs_groups *all, uint32_t index, bool is_done)
{
    EVS_ASSERT(index < all->count);
    struct group *group = &all->groups[index];
    if (is_done) {
        atomic_store(&all->is_guest, true);
    }
    atomic_store(&group->is_held, false);
    atomic_store(&group->gives_back, false);
    all->options.os->threads.wake(all->park);
}

void evs_groups_leave(struct evs_groups *all)
{
    atomic_store(&all->leaves, true);
}
