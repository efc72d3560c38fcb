/* The rows of one key in its order, and the pool that rows and lists live in (evstream/rows.h). */
#include "evstream/rows.h"

/* --- lists --------------------------------------------------------------------------------------------------------------------- */

#define LIST_CAPACITY_MIN 4u

static struct evs_row **slots(struct evs_row_list *list)
{
    return list->capacity == 0 ? &list->one : list->rows + list->first;
}

/* Room for one more behind the last: rows that went from the front give theirs, else the block doubles. */
static void make_room(struct evs_row_list *list, struct evs_row_pool *pool)
{
    if (list->count == 0 && list->capacity == 0) {
        return;
    }
    if (list->first + list->count < list->capacity) {
        return;
    }
    if (list->capacity > 0 && list->first > list->capacity / 2) {
        memmove(list->rows, list->rows + list->first, list->count * sizeof *list->rows);
        list->first = 0;
        return;
    }
    uint32_t capacity = list->capacity < LIST_CAPACITY_MIN ? LIST_CAPACITY_MIN : list->capacity * 2;
    struct evs_row **rows = evs_row_pool_take(pool, capacity * sizeof *rows);
    memcpy(rows, slots(list), list->count * sizeof *rows);
    if (list->capacity > 0) {
        evs_row_pool_give(pool, list->rows, list->capacity * sizeof *list->rows);
    }
    list->rows = rows;
    list->capacity = capacity;
    list->first = 0;
}

uint32_t evs_row_list_insert(struct evs_row_list *list, struct evs_row_pool *pool, struct evs_row *row)
{
    make_room(list, pool);
    struct evs_row **rows = slots(list);
    uint32_t low = 0, high = list->count;
    if (high > 0 && evs_row_compare(rows[high - 1], row) <= 0) {
        low = high; /* in order, as nearly all are */
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (evs_row_compare(rows[middle], row) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    memmove(&rows[low + 1], &rows[low], (list->count - low) * sizeof *rows);
    rows[low] = row;
    list->count++;
    return low;
}

uint32_t evs_row_list_lower(const struct evs_row_list *list, int64_t time_us)
{
    uint32_t low = 0, high = list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (evs_row_list_at(list, middle)->event_time_us < time_us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* An empty list has no block: most keys rest most of the time. */
static void give_back_if_empty(struct evs_row_list *list, struct evs_row_pool *pool)
{
    if (list->count > 0) {
        return;
    }
    if (list->capacity > 0) {
        evs_row_pool_give(pool, list->rows, list->capacity * sizeof *list->rows);
    }
    *list = (struct evs_row_list){0};
}

struct evs_row *evs_row_list_pop(struct evs_row_list *list, struct evs_row_pool *pool)
{
    EVS_ASSERT(list->count > 0);
    struct evs_row *row = slots(list)[0];
    list->first += list->capacity > 0;
    list->count--;
    give_back_if_empty(list, pool);
    return row;
}

struct evs_row *evs_row_list_remove(struct evs_row_list *list, struct evs_row_pool *pool, uint32_t position)
{
    EVS_ASSERT(position < list->count);
    if (position == 0) {
        return evs_row_list_pop(list, pool);
    }
    struct evs_row **rows = slots(list), *row = rows[position];
    memmove(&rows[position], &rows[position + 1], (list->count - position - 1) * sizeof *rows);
    list->count--;
    return row;
}

uint32_t evs_row_list_drop_before(struct evs_row_list *list, struct evs_row_pool *pool, int64_t time_us)
{
    uint32_t dropped = 0;
    while (list->count > 0 && evs_row_list_at(list, 0)->event_time_us < time_us) {
        evs_row_free(pool, evs_row_list_pop(list, pool));
        dropped++;
    }
    return dropped;
}

void evs_row_list_clear(struct evs_row_list *list, struct evs_row_pool *pool)
{
    while (list->count > 0) {
        evs_row_free(pool, evs_row_list_pop(list, pool));
    }
}

/* --- the pool --------------------------------------------------------------------------------------------------------------------- */

#define CHUNK_BYTES (256u << 10)
#define FINE_BYTES 256u             /* up to here by 16 */
#define BLOCK_BYTES_MAX (32u << 10) /* larger ones are allocated apart */

/* Blocks of one's own are linked, so that a pool can end with some of them out. */
struct evs_row_pool_large {
    struct evs_row_pool_large *next, *previous;
    uint8_t block[];
};

static uint32_t class_of(size_t bytes, size_t *class_bytes)
{
    if (bytes <= FINE_BYTES) {
        uint32_t steps = bytes == 0 ? 1 : (uint32_t)((bytes + 15) / 16);
        *class_bytes = steps * 16u;
        return steps - 1;
    }
    uint32_t log = 63u - (uint32_t)__builtin_clzll(bytes - 1); /* 2^log < bytes <= 2^(log + 1) */
    size_t step = (size_t)1 << (log - 2), base = (size_t)1 << log;
    uint32_t steps = (uint32_t)((bytes - base + step - 1) / step);
    EVS_ASSERT(steps >= 1 && steps <= 4);
    *class_bytes = base + steps * step;
    return 16 + (log - 8) * 4 + steps - 1;
}

static void *cut(struct evs_row_pool *pool, size_t bytes)
{
    if (pool->chunk_count == 0 || pool->chunk_used + bytes > CHUNK_BYTES) {
        pool->chunk_at += pool->chunk_count > 0;
        if (pool->chunk_at == pool->chunk_count) {
            EVS_GROW(pool->chunks, pool->chunk_count, pool->chunk_capacity);
            pool->chunks[pool->chunk_count++] = evs_alloc_aligned(64, CHUNK_BYTES);
        }
        pool->chunk_used = 0;
    }
    void *block = pool->chunks[pool->chunk_at] + pool->chunk_used;
    pool->chunk_used += (uint32_t)bytes;
    return block;
}

static void *take_large(struct evs_row_pool *pool, size_t bytes)
{
    struct evs_row_pool_large *large = evs_alloc_aligned(16, sizeof *large + bytes);
    *large = (struct evs_row_pool_large){.next = pool->large};
    if (large->next != NULL) {
        large->next->previous = large;
    }
    pool->large = large;
    pool->used_bytes += bytes;
    return large->block;
}

static void give_large(struct evs_row_pool *pool, void *block, size_t bytes)
{
    struct evs_row_pool_large *large = (struct evs_row_pool_large *)((uint8_t *)block - sizeof *large);
    if (large->previous != NULL) {
        large->previous->next = large->next;
    } else {
        EVS_ASSERT(pool->large == large);
        pool->large = large->next;
    }
    if (large->next != NULL) {
        large->next->previous = large->previous;
    }
    pool->used_bytes -= bytes;
    evs_free(large);
}

void *evs_row_pool_take(struct evs_row_pool *pool, size_t bytes)
{
    pool->block_count++;
    if (bytes > BLOCK_BYTES_MAX) {
        return take_large(pool, bytes);
    }
    size_t class_bytes;
    uint32_t class = class_of(bytes, &class_bytes);
    EVS_ASSERT(class < EVS_ROW_POOL_CLASSES);
    pool->used_bytes += class_bytes;
    void *block = pool->free[class];
    if (block == NULL) {
        return cut(pool, class_bytes);
    }
    memcpy(&pool->free[class], block, sizeof(void *));
    return block;
}

/* All free: the chunks are cut anew, perhaps into other classes. */
static void begin_anew(struct evs_row_pool *pool)
{
    EVS_ASSERT(pool->used_bytes == 0);
    memset(pool->free, 0, sizeof pool->free);
    pool->chunk_at = pool->chunk_used = 0;
}

void evs_row_pool_give(struct evs_row_pool *pool, void *block, size_t bytes)
{
    EVS_ASSERT(pool->block_count > 0);
    pool->block_count--;
    if (bytes > BLOCK_BYTES_MAX) {
        give_large(pool, block, bytes);
    } else {
        size_t class_bytes;
        uint32_t class = class_of(bytes, &class_bytes);
        EVS_ASSERT(pool->used_bytes >= class_bytes);
        pool->used_bytes -= class_bytes;
        memcpy(block, &pool->free[class], sizeof(void *));
        pool->free[class] = block;
    }
    if (pool->block_count == 0) {
        begin_anew(pool);
    }
}

void evs_row_pool_fini(struct evs_row_pool *pool)
{
    for (struct evs_row_pool_large *large = pool->large, *next; large != NULL; large = next) {
        next = large->next;
        evs_free(large);
    }
    for (uint32_t i = 0; i < pool->chunk_count; i++) {
        evs_free(pool->chunks[i]);
    }
    evs_free(pool->chunks);
    *pool = (struct evs_row_pool){0};
}
