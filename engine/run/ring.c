/* The ring of an exchange; the idea is in ring.h. */
#include "ring.h"

enum { SLOT_FREE = 0, SLOT_FULL = 1 };
/* A slot that one batch of huge rows has blown up gives its memory back. There are many slots: less is kept than in a pool. */
#define ARENA_KEPT_BYTES_MAX ((size_t)1 << 20)
#define TAKEN UINT64_MAX /* in item.checkpoint: the consumer has this slot's batch in use */

struct slot {
    _Alignas(64) _Atomic uint32_t state;
    struct item item;
    struct evs_batch batch;
    struct evs_arena arena;
    struct evs_column *columns;
    struct ring *ring;
};

struct ring {
    struct worker *from, *to;
    uint32_t column_count;
    _Alignas(64) uint32_t head; /* producer: next slot to fill */
    _Alignas(64) uint32_t tail; /* consumer: next slot to take */
    struct slot slots[RING_SLOTS];
};
_Static_assert(offsetof(struct ring, head) % 64 == 0 &&
                   offsetof(struct ring, tail) - offsetof(struct ring, head) == 64 &&
                   offsetof(struct ring, slots) - offsetof(struct ring, tail) == 64,
               "the producer's place, the consumer's and the slots are on cache lines of their own");
_Static_assert(sizeof(struct slot) % 64 == 0, "a slot shares no cache line with the next one");

struct ring *evs_ring_new(struct worker *from, struct worker *to, uint32_t column_count)
{
    struct ring *ring = evs_alloc_aligned(64, sizeof *ring);
    memset(ring, 0, sizeof *ring);
    ring->from = from;
    ring->to = to;
    ring->column_count = column_count;
    for (uint32_t i = 0; i < RING_SLOTS; i++) {
        ring->slots[i].ring = ring;
        ring->slots[i].columns = evs_alloc_zero((column_count + 1u) * sizeof(struct evs_column));
    }
    return ring;
}

void evs_ring_free(struct ring *ring)
{
    if (ring == NULL) {
        return;
    }
    for (uint32_t i = 0; i < RING_SLOTS; i++) {
        evs_arena_fini(&ring->slots[i].arena);
        evs_free(ring->slots[i].columns);
    }
    evs_free(ring);
}

uint32_t evs_ring_free_slots(const struct ring *ring, uint32_t enough)
{
    uint32_t free_count = 0;
    while (free_count < enough && free_count < RING_SLOTS &&
           atomic_load_explicit(&ring->slots[(ring->head + free_count) % RING_SLOTS].state, memory_order_acquire) ==
               SLOT_FREE) {
        free_count++;
    }
    return free_count;
}

uint32_t evs_ring_fill(const struct ring *ring)
{
    uint32_t count = 0;
    while (count < RING_SLOTS && atomic_load_explicit(&ring->slots[(ring->tail + count) % RING_SLOTS].state,
                                                      memory_order_acquire) == SLOT_FULL) {
        count++;
    }
    return count;
}

static void slot_release(struct evs_batch *root, void *argument)
{
    struct slot *slot = argument;
    EVS_ASSERT(root == &slot->batch);
    if (slot->arena.used_bytes > ARENA_KEPT_BYTES_MAX) {
        evs_arena_fini(&slot->arena);
    }
    atomic_store_explicit(&slot->state, SLOT_FREE, memory_order_release);
    evs_worker_wake(slot->ring->from);
}

struct evs_batch *evs_ring_open(struct ring *ring)
{
    struct slot *slot = &ring->slots[ring->head];
    EVS_ASSERT(atomic_load_explicit(&slot->state, memory_order_acquire) == SLOT_FREE);
    evs_arena_reset(&slot->arena);
    memset(slot->columns, 0, ring->column_count * sizeof *slot->columns);
    slot->batch = (struct evs_batch){
        .column_count = ring->column_count,
        .columns = slot->columns,
        .root = &slot->batch,
        .arena = &slot->arena,
        .references = 1,
        .release = slot_release,
        .release_argument = slot,
    };
    return &slot->batch;
}

static void publish(struct ring *ring, struct item item)
{
    struct slot *slot = &ring->slots[ring->head];
    EVS_ASSERT(atomic_load_explicit(&slot->state, memory_order_relaxed) == SLOT_FREE);
    slot->item = item;
    atomic_store_explicit(&slot->state, SLOT_FULL, memory_order_release);
    ring->head = (ring->head + 1) % RING_SLOTS;
    evs_worker_wake(ring->to);
}

void evs_ring_push_batch(struct ring *ring)
{
    publish(ring, (struct item){.kind = ITEM_BATCH, .batch = &ring->slots[ring->head].batch});
}

void evs_ring_push_watermark(struct ring *ring, int64_t watermark_us)
{
    publish(ring, (struct item){.kind = ITEM_WATERMARK, .watermark_us = watermark_us});
}

void evs_ring_push_barrier(struct ring *ring, uint64_t checkpoint)
{
    publish(ring, (struct item){.kind = ITEM_BARRIER, .checkpoint = checkpoint});
}

/* `tail` may meet a slot a round later whose batch is still in use: FULL, but taken. */
bool evs_ring_peek(struct ring *ring, struct item *item)
{
    struct slot *slot = &ring->slots[ring->tail];
    if (atomic_load_explicit(&slot->state, memory_order_acquire) != SLOT_FULL || slot->item.checkpoint == TAKEN) {
        return false;
    }
    *item = slot->item;
    return true;
}

void evs_ring_pop(struct ring *ring)
{
    struct slot *slot = &ring->slots[ring->tail];
    bool is_batch = slot->item.kind == ITEM_BATCH;
    slot->item.checkpoint = TAKEN;
    ring->tail = (ring->tail + 1) % RING_SLOTS;
    if (!is_batch) {
        atomic_store_explicit(&slot->state, SLOT_FREE, memory_order_release);
        evs_worker_wake(ring->from);
    }
}
