/* Taps (evstream/tap.h): a few of the rows that flow by, for people who look.
 *
 *   struct evs_tap ── one lane a worker ──► two sides: the worker fills one, the reader has the other
 *
 * A lane has a lock that both only ever try. The reader holds it to exchange the sides; a worker, while it looks at one batch. An op knows the taps at
 * its node by the bits of a word. When a tap is closed its bit goes first, then each lane is locked and closed; a worker that has read the word before finds
 * the lane closed, or at another node. So a tap's memory stays until the run is freed, and is used again. */
#include <sched.h>

#include "expr.h"
#include "runtime.h"

#define BYTES_MAX_DEFAULT (256u << 10)

/* A row with its texts as offsets, since the buffer moves when it grows. */
struct kept {
    struct evs_tap_row row;
    size_t address_at, json_at;
};

struct side {
    struct kept *rows;
    uint32_t count, capacity;
    struct evs_buffer text;
    uint64_t seen, matched;
};

struct lane {
    _Alignas(64) atomic_flag lock;
    bool is_open;         /* under the lock */
    _Atomic bool is_full; /* until the next take */
    _Atomic uint64_t unseen;
    uint32_t filled; /* the side of the worker; the other one is the reader's */
    struct side sides[2];
    struct evs_eval *eval; /* of the condition */
};

struct evs_tap {
    struct evs_run *run;
    uint32_t number;
    bool is_used;
    struct evs_tap_options options;
    const struct evs_schema *schema;
    struct evs_arena arena;
    const void *format_config;
    struct lane *lanes; /* one a worker */
    struct evs_tap_row *taken;
    uint32_t taken_count, taken_capacity;
    struct evs_tap_counts counts; /* but unseen, which is the lanes' */
};

static bool try_lock(struct lane *lane)
{
    return !atomic_flag_test_and_set_explicit(&lane->lock, memory_order_acquire);
}

static void unlock(struct lane *lane)
{
    atomic_flag_clear_explicit(&lane->lock, memory_order_release);
}

/* --- the worker's half --------------------------------------------------------------------------------------------------- */

/* One writer. */
static void count_unseen(struct lane *lane, uint32_t rows)
{
    uint64_t before = atomic_load_explicit(&lane->unseen, memory_order_relaxed);
    atomic_store_explicit(&lane->unseen, before + rows, memory_order_relaxed);
}

static void put_row(const struct evs_tap *tap, struct side *side, struct evs_op *op, const struct evs_batch *batch,
                    uint32_t row, int64_t wall_us)
{
    const struct evs_run *run = tap->run;
    const struct evs_plan_node *source = &run->plan->nodes[run->source_nodes[batch->source_index]];
    EVS_GROW(side->rows, side->count, side->capacity);
    struct kept *kept = &side->rows[side->count++];
    *kept = (struct kept){
        .row = {.wall_us = wall_us,
                .event_time_us = batch->event_time_us[row],
                .cause_kind = batch->cause_kind,
                .cause = batch->cause[row],
                .ordinal = batch->ordinal == NULL ? 0 : batch->ordinal[row],
                .source = source->name,
                .source_is_broker = source->source->connector->durable,
                .lineage = batch->lineage,
                .has_key = batch->key != NULL,
                .key = batch->key == NULL ? (struct evs_hash128){0} : batch->key[row]},
        .address_at = side->text.count,
    };
    if (op->class == &evs_class_sink) {
        kept->row.has_id = evs_sink_node_describe(op, batch, row, &kept->row.id, &side->text);
        kept->row.address.count = side->text.count - kept->address_at;
    }
    kept->json_at = side->text.count;
    const struct evs_format *format = run->options.row_format;
    if (format != NULL) {
        struct evs_format_place place = {.pipeline = run->plan->pipeline, .sink = op->node->name};
        format->encode(tap->format_config, tap->schema, batch, row, &place, &side->text);
        kept->row.json.count = side->text.count - kept->json_at;
    }
}

/* Whether one more row of this side is kept. */
static bool has_room(const struct evs_tap *tap, const struct side *side)
{
    return side->count < tap->options.rows_max && side->text.count < tap->options.bytes_max;
}

static void look_at(struct evs_tap *tap, struct lane *lane, struct evs_op *op, const struct evs_batch *batch)
{
    struct side *side = &lane->sides[lane->filled];
    const uint16_t *selection = batch->selection;
    uint32_t count = batch->selected_count;
    if (lane->eval != NULL) {
        uint16_t *matching = evs_arena_alloc(batch->arena, batch->row_count * sizeof *matching + 64, 64);
        count = evs_program_filter(lane->eval, batch, matching);
        selection = matching;
    }
    side->seen += batch->selected_count;
    side->matched += count;
    if (count == 0) {
        return;
    }
    const struct evs_os *os = tap->run->options.os;
    int64_t wall_us = os->clock.wall_us(os->clock.self);
    for (uint32_t i = 0; i < count && has_room(tap, side); i++) {
        put_row(tap, side, op, batch, selection == NULL ? i : selection[i], wall_us);
    }
    if (!has_room(tap, side)) {
        atomic_store_explicit(&lane->is_full, true, memory_order_relaxed);
    }
}

static void see(struct evs_tap *tap, struct evs_op *op, const struct evs_batch *batch)
{
    struct lane *lane = &tap->lanes[op->worker->number];
    if (atomic_load_explicit(&lane->is_full, memory_order_relaxed) || !try_lock(lane)) {
        count_unseen(lane, batch->selected_count);
        return;
    }
    if (lane->is_open && tap->options.node == op->node_index) {
        look_at(tap, lane, op, batch);
    }
    unlock(lane);
}

void evs_tap_see(struct evs_op *op, const struct evs_batch *batch)
{
    uint32_t taps = atomic_load_explicit(&op->taps, memory_order_acquire);
    while (taps != 0) {
        uint32_t number = (uint32_t)__builtin_ctz(taps);
        taps &= taps - 1;
        see(op->worker->run->taps[number], op, batch);
    }
}

/* --- the reader's half ----------------------------------------------------------------------------------------------------- */

static void set_bit(struct evs_tap *tap, bool is_set)
{
    const struct evs_run *run = tap->run;
    uint32_t bit = UINT32_C(1) << tap->number;
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        for (uint32_t j = 0; j < run->workers[i].op_count; j++) {
            struct evs_op *op = &run->workers[i].ops[j];
            if (op->node_index == tap->options.node) {
                if (is_set) {
                    atomic_fetch_or(&op->taps, bit);
                } else {
                    atomic_fetch_and(&op->taps, ~bit);
                }
            }
        }
    }
}

static struct evs_tap *tap_new(struct evs_run *run, uint32_t number)
{
    struct evs_tap *tap = evs_alloc_zero(sizeof *tap);
    size_t bytes = run->options.worker_count * sizeof *tap->lanes;
    tap->run = run;
    tap->number = number;
    tap->lanes = evs_alloc_aligned(_Alignof(struct lane), bytes);
    memset(tap->lanes, 0, bytes);
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        atomic_flag_clear(&tap->lanes[i].lock);
    }
    run->taps[number] = tap;
    return tap;
}

static struct evs_tap *find_free(struct evs_run *run)
{
    for (uint32_t i = 0; i < EVS_TAPS_MAX; i++) {
        if (run->taps[i] == NULL) {
            return tap_new(run, i);
        }
        if (!run->taps[i]->is_used) {
            return run->taps[i];
        }
    }
    return NULL;
}

static void lock(struct lane *lane)
{
    while (!try_lock(lane)) {
        sched_yield(); /* a worker is at one batch */
    }
}

static void open_lane(struct lane *lane, const struct evs_program *where)
{
    lock(lane);
    lane->eval = where == NULL ? NULL : evs_eval_new(where);
    lane->is_open = true;
    atomic_store_explicit(&lane->is_full, false, memory_order_relaxed);
    atomic_store_explicit(&lane->unseen, 0, memory_order_relaxed);
    unlock(lane);
}

evs_status evs_run_tap_open(struct evs_run *run, const struct evs_tap_options *options, struct evs_tap **result,
                            struct evs_error *error)
{
    EVS_ASSERT(options->node < run->plan->node_count && options->rows_max > 0);
    struct evs_tap *tap = find_free(run);
    if (tap == NULL) {
        return evs_fail(error, EVS_E_LIMIT,
                        "pipeline %s is being looked at in %u places already, and more would slow it down; close one",
                        run->plan->pipeline, EVS_TAPS_MAX);
    }
    const struct evs_format *format = run->options.row_format;
    tap->schema = &run->plan->nodes[options->node].schema;
    evs_status status = format == NULL || format->configure == NULL
                            ? EVS_OK
                            : format->configure(NULL, tap->schema, &tap->arena, &tap->format_config, error);
    if (status != EVS_OK) {
        evs_arena_reset(&tap->arena);
        return status;
    }
    tap->options = *options;
    tap->options.bytes_max = options->bytes_max == 0 ? BYTES_MAX_DEFAULT : options->bytes_max;
    tap->counts = (struct evs_tap_counts){0};
    tap->is_used = true;
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        open_lane(&tap->lanes[i], options->where);
    }
    set_bit(tap, true);
    *result = tap;
    return EVS_OK;
}

static void side_empty(struct side *side)
{
    side->count = 0;
    side->text.count = 0;
    side->seen = side->matched = 0;
}

/* The side that the worker has filled, in exchange for the other one; NULL: the worker is at it now. */
static struct side *exchange(struct lane *lane)
{
    struct side *mine = &lane->sides[1 - lane->filled]; /* only we change `filled` */
    side_empty(mine);
    if (!try_lock(lane)) {
        return NULL;
    }
    struct side *full = &lane->sides[lane->filled];
    lane->filled = 1 - lane->filled;
    atomic_store_explicit(&lane->is_full, false, memory_order_relaxed);
    unlock(lane);
    return full;
}

static void take_side(struct evs_tap *tap, const struct side *side)
{
    for (uint32_t i = 0; i < side->count; i++) {
        EVS_GROW(tap->taken, tap->taken_count, tap->taken_capacity);
        struct evs_tap_row *row = &tap->taken[tap->taken_count++];
        *row = side->rows[i].row;
        row->address.data = side->text.data + side->rows[i].address_at;
        row->json.data = side->text.data + side->rows[i].json_at;
    }
    tap->counts.seen += side->seen;
    tap->counts.matched += side->matched;
    tap->counts.kept += side->count;
}

uint32_t evs_tap_take(struct evs_tap *tap, const struct evs_tap_row **rows)
{
    EVS_ASSERT(tap->is_used);
    tap->taken_count = 0;
    for (uint32_t i = 0; i < tap->run->options.worker_count; i++) {
        struct side *side = exchange(&tap->lanes[i]);
        if (side != NULL) {
            take_side(tap, side);
        }
    }
    *rows = tap->taken;
    return tap->taken_count;
}

void evs_tap_count(const struct evs_tap *tap, struct evs_tap_counts *counts)
{
    *counts = tap->counts;
    for (uint32_t i = 0; i < tap->run->options.worker_count; i++) {
        counts->unseen += atomic_load_explicit(&tap->lanes[i].unseen, memory_order_relaxed);
    }
}

static void close_lane(struct lane *lane)
{
    lock(lane);
    lane->is_open = false;
    if (lane->eval != NULL) {
        evs_eval_free(lane->eval);
        lane->eval = NULL;
    }
    for (uint32_t i = 0; i < EVS_COUNT(lane->sides); i++) {
        side_empty(&lane->sides[i]);
    }
    unlock(lane);
}

void evs_tap_close(struct evs_tap *tap)
{
    EVS_ASSERT(tap->is_used);
    set_bit(tap, false);
    for (uint32_t i = 0; i < tap->run->options.worker_count; i++) {
        close_lane(&tap->lanes[i]);
    }
    evs_arena_reset(&tap->arena);
    tap->is_used = false;
}

static void tap_free(struct evs_tap *tap)
{
    for (uint32_t i = 0; i < tap->run->options.worker_count; i++) {
        for (uint32_t j = 0; j < EVS_COUNT(tap->lanes[i].sides); j++) {
            evs_free(tap->lanes[i].sides[j].rows);
            evs_buffer_fini(&tap->lanes[i].sides[j].text);
        }
    }
    evs_free(tap->lanes);
    evs_free(tap->taken);
    evs_arena_fini(&tap->arena);
    evs_free(tap);
}

void evs_run_free_taps(struct evs_run *run)
{
    for (uint32_t i = 0; i < EVS_TAPS_MAX; i++) {
        if (run->taps[i] != NULL) {
            EVS_ASSERT(!run->taps[i]->is_used);
            tap_free(run->taps[i]);
            run->taps[i] = NULL;
        }
    }
}
