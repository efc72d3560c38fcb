/* The keyed exchange alone: what a row costs that goes from one worker to another.
 *
 *   sender (engine/run/exchange.c) ══ rings ══► receiver: reads every column of every row, drops the batch
 *
 * A row has 32 bytes: a key of up to twelve bytes, a number, and what every row carries, event time and (not counted in the 32) cause. Batches are made once. The first way
 * does both halves in one thread, turn by turn: the work, and nothing else. The second has a thread each, so that every line of a ring goes from core to core; a thread
 * that has nothing to do yields. Processor time of both threads together, so that it does not matter how many cores there are, or who else works on them: where two
 * threads share one core, no line goes anywhere, and the figure is that of the first way. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "run/ring.h"

#define BATCHES 64u
#define ROWS_MIN UINT64_C(20000000)

static uint64_t cpu_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* As much of a run as a sender sees. */
struct world {
    struct evs_run run;
    struct worker *workers;
    uint32_t worker_count;
    struct evs_op sender;
    struct output output;
    struct edge *stays; /* rows of the sender's own worker */
    struct edge *stays_list[1];
    struct ring **rings;
    struct evs_batch_pool *pool;
    struct evs_batch *batches[BATCHES];
    uint64_t sum, received; /* the receiver's */
    _Atomic bool done;
};

static const uint32_t key_columns[] = {0};
static const struct evs_plan_exchange exchange = {.columns = key_columns, .column_count = 1};
static const struct evs_plan_node node = {.kind = EVS_NODE_EXCHANGE, .exchange = &exchange};

static struct evs_batch *make_batch(struct evs_batch_pool *pool, uint64_t *seed)
{
    struct evs_batch *batch = evs_batch_new(pool, 2);
    evs_column_init(&batch->columns[0], batch, EVS_STRING, EVS_BATCH_ROWS, false);
    evs_column_init(&batch->columns[1], batch, EVS_INT64, EVS_BATCH_ROWS, false);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    for (uint32_t row = 0; row < EVS_BATCH_ROWS; row++) {
        char text[16];
        *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        int count = snprintf(text, sizeof text, "u%u", (unsigned)(*seed >> 40));
        ((struct evs_str *)batch->columns[0].data)[row] = evs_str_make(text, (uint32_t)count);
        ((int64_t *)batch->columns[1].data)[row] = row;
        batch->event_time_us[row] = row;
        batch->cause[row] = (struct evs_cause){1, row};
    }
    batch->row_count = batch->selected_count = EVS_BATCH_ROWS;
    batch->min_time_us = 0;
    batch->max_time_us = EVS_BATCH_ROWS;
    return batch;
}

static void world_init(struct world *world, uint32_t worker_count)
{
    *world = (struct world){.worker_count = worker_count, .pool = evs_batch_pool_new()};
    world->run.options = (struct evs_run_options){.worker_count = worker_count, .os = evs_os_system()};
    world->workers = evs_alloc_aligned(64, worker_count * sizeof *world->workers);
    memset(world->workers, 0, worker_count * sizeof *world->workers);
    world->rings = evs_alloc_zero(worker_count * sizeof(struct ring *));
    for (uint32_t i = 0; i < worker_count; i++) {
        world->workers[i].run = &world->run;
        world->workers[i].number = i;
        world->rings[i] = i == 0 ? NULL : evs_ring_new(&world->workers[0], &world->workers[i], 2);
    }
    world->stays = evs_alloc_aligned(64, sizeof *world->stays);
    memset(world->stays, 0, sizeof *world->stays);
    world->stays_list[0] = world->stays;
    world->output = (struct output){.edges = world->stays_list, .edge_count = 1};
    world->sender =
        (struct evs_op){.node = &node, .worker = &world->workers[0], .outputs = &world->output, .output_total = 1};
    struct evs_error error;
    if (evs_sender_open(&world->sender, world->rings, &error) != EVS_OK) {
        abort();
    }
    uint64_t seed = 7;
    for (uint32_t i = 0; i < BATCHES; i++) {
        world->batches[i] = make_batch(world->pool, &seed);
    }
}

static void world_fini(struct world *world)
{
    evs_class_sender.close(&world->sender);
    for (uint32_t i = 0; i < BATCHES; i++) {
        evs_batch_unref(world->batches[i]);
    }
    evs_batch_pool_free(world->pool);
    evs_free(world->stays);
    evs_free(world->workers);
}

/* Rows that stay are not what is measured: they go away at once. */
static uint32_t drop_stays(struct world *world)
{
    struct item item;
    uint32_t rows = 0;
    while (evs_edge_peek(world->stays, &item)) {
        rows += item.batch->selected_count;
        evs_edge_pop(world->stays);
        evs_batch_unref(item.batch);
    }
    return rows;
}

static void read_rows(struct world *world, const struct evs_batch *batch)
{
    const struct evs_str *keys = batch->columns[0].data;
    const int64_t *numbers = batch->columns[1].data;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        world->sum +=
            keys[row].count + (uint64_t)numbers[row] + (uint64_t)batch->event_time_us[row] + batch->cause[row].minor;
    }
    world->received += batch->row_count;
}

static bool receive(struct world *world)
{
    bool any = false;
    for (uint32_t i = 1; i < world->worker_count; i++) {
        struct item item;
        while (evs_ring_peek(world->rings[i], &item)) {
            read_rows(world, item.batch);
            evs_ring_pop(world->rings[i]);
            evs_batch_unref(item.batch);
            any = true;
        }
    }
    return any;
}

static void *receiver_main(void *argument)
{
    struct world *world = argument;
    for (bool last = false; !last;) {
        last = atomic_load(&world->done); /* looked at before the last look into the rings */
        if (!receive(world) && !last) {
            sched_yield();
        }
    }
    return NULL;
}

/* A selection and a derived header of the rows that stay lie in the batch's arena, which a source gives back with the batch: a fresh one every so often. */
static void send(struct world *world, uint64_t turn)
{
    struct evs_batch *batch = world->batches[turn % BATCHES];
    size_t used = batch->arena->used_bytes;
    if (evs_class_sender.batch(&world->sender, NULL, batch) != EVS_OK) {
        abort();
    }
    drop_stays(world);
    if (used > (1u << 20)) {
        uint64_t seed = turn;
        evs_batch_unref(batch);
        world->batches[turn % BATCHES] = make_batch(world->pool, &seed);
    }
}

static void say(const struct world *world, const char *name, uint64_t ns)
{
    if (world->sum == 0) {
        abort();
    }
    printf("exchange: %-46s %6.1f ns a row that is sent (%.1f M rows)\n", name, (double)ns / (double)world->received,
           (double)world->received / 1e6);
}

static void turn_by_turn(const char *name, uint32_t worker_count)
{
    struct world world;
    world_init(&world, worker_count);
    uint64_t begun = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    for (uint64_t turn = 0; world.received < ROWS_MIN; turn++) {
        send(&world, turn);
        receive(&world);
    }
    say(&world, name, cpu_ns(CLOCK_THREAD_CPUTIME_ID) - begun);
    world_fini(&world);
}

static void two_threads(const char *name, uint32_t worker_count)
{
    struct world world;
    world_init(&world, worker_count);
    pthread_t receiver;
    uint64_t begun = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (pthread_create(&receiver, NULL, receiver_main, &world) != 0) {
        abort();
    }
    uint64_t turns = ROWS_MIN / EVS_BATCH_ROWS;
    for (uint64_t turn = 0; turn < turns; turn++) {
        while (!evs_class_sender.has_room(&world.sender)) {
            sched_yield();
        }
        send(&world, turn);
    }
    atomic_store(&world.done, true);
    pthread_join(receiver, NULL);
    say(&world, name, cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - begun);
    world_fini(&world);
}

int main(void)
{
    turn_by_turn("two workers, turn by turn", 2);
    turn_by_turn("eight workers, turn by turn", 8);
    two_threads("two workers, a thread each", 2);
    two_threads("eight workers, seven rings to one thread", 8);
    return 0;
}
