/* Batches and their pool.
 *
 * A root and its arena are one heap block that is made once and goes round: out of the pool's free list, through the
 * operators of one worker, back at the last unref. Derived headers and all columns lie in the root's arena, so one reset
 * ends them all. After a few batches the arena has as many chunks as a batch needs, and nothing is allocated any more. */
#include "evstream/batch.h"

/* A root that one batch of huge rows has blown up gives its memory back instead of keeping it for ever. */
#define ARENA_KEPT_BYTES_MAX ((size_t)16 << 20)

struct root {
    struct evs_batch batch; /* first: a root batch is its address */
    struct evs_arena arena;
};

struct evs_batch_pool {
    struct evs_batch *free; /* linked by next_free */
    uint32_t live;          /* roots that are out */
};

static bool is_root(const struct evs_batch *batch)
{
    return batch->root == batch;
}

struct evs_batch_pool *evs_batch_pool_new(void)
{
    return evs_alloc_zero(sizeof(struct evs_batch_pool));
}

void evs_batch_pool_free(struct evs_batch_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    EVS_ASSERT(pool->live == 0);
    while (pool->free != NULL) {
        struct root *root = (struct root *)pool->free;
        pool->free = root->batch.next_free;
        evs_arena_fini(&root->arena);
        evs_free(root);
    }
    evs_free(pool);
}

uint32_t evs_batch_pool_live(const struct evs_batch_pool *pool)
{
    return pool->live;
}

static struct root *take_root(struct evs_batch_pool *pool)
{
    struct root *root = (struct root *)pool->free;
    if (root == NULL) {
        return evs_alloc_zero(sizeof *root);
    }
    EVS_ASSERT(root->batch.references == 0);
    pool->free = root->batch.next_free;
    return root;
}

static struct evs_column *new_columns(struct evs_arena *arena, uint32_t count)
{
    return EVS_ARENA_ARRAY(arena, struct evs_column, count);
}

struct evs_batch *evs_batch_new(struct evs_batch_pool *pool, uint32_t column_count)
{
    EVS_ASSERT(pool != NULL);
    struct root *root = take_root(pool);
    EVS_ASSERT(root->arena.used_bytes == 0);
    pool->live++;
    root->batch = (struct evs_batch){
        .column_count = column_count,
        .columns = new_columns(&root->arena, column_count),
        .min_time_us = EVS_TIME_MAX, /* so that rows are added by min and max without a first case */
        .max_time_us = EVS_TIME_MIN,
        .root = &root->batch,
        .arena = &root->arena,
        .references = 1,
        .pool = pool,
    };
    return &root->batch;
}

struct evs_batch *evs_batch_derive(struct evs_batch *batch, uint32_t column_count)
{
    EVS_ASSERT(batch->root != NULL && batch->root->references > 0);
    EVS_ASSERT(batch->row_count <= EVS_BATCH_ROWS && batch->selected_count <= batch->row_count);
    struct evs_batch *derived = EVS_ARENA_NEW(batch->arena, struct evs_batch);
    *derived = *batch;
    derived->references = 0; /* these belong to the root alone */
    derived->pool = NULL;
    derived->release = NULL;
    derived->release_argument = NULL;
    derived->next_free = NULL;
    derived->column_count = column_count;
    derived->columns = new_columns(batch->arena, column_count);
    uint32_t shared = column_count < batch->column_count ? column_count : batch->column_count;
    if (shared > 0) {
        memcpy(derived->columns, batch->columns, shared * sizeof derived->columns[0]);
    }
    evs_batch_ref(derived);
    return derived;
}

struct evs_batch *evs_batch_ref(struct evs_batch *batch)
{
    EVS_ASSERT(is_root(batch->root));
    EVS_ASSERT(batch->root->references > 0 && batch->root->references < UINT32_MAX);
    batch->root->references++;
    return batch;
}

static void return_to_pool(struct evs_batch *batch)
{
    EVS_ASSERT(is_root(batch) && batch->references == 0);
    struct evs_batch_pool *pool = batch->pool;
    EVS_ASSERT(pool->live > 0);
    if (batch->arena->used_bytes > ARENA_KEPT_BYTES_MAX) {
        evs_arena_fini(batch->arena);
    } else {
        evs_arena_reset(batch->arena);
    }
    pool->live--;
    batch->next_free = pool->free;
    pool->free = batch;
}

void evs_batch_unref(struct evs_batch *batch)
{
    struct evs_batch *root = batch->root;
    EVS_ASSERT(is_root(root));
    EVS_ASSERT(root->references > 0);
    if (--root->references > 0) {
        return;
    }
    if (root->release != NULL) {
        root->release(root, root->release_argument);
    } else {
        EVS_ASSERT(root->pool != NULL);
        return_to_pool(root);
    }
}

void evs_batch_init_rows(struct evs_batch *batch, uint32_t rows)
{
    EVS_ASSERT(rows <= EVS_BATCH_ROWS);
    batch->event_time_us = EVS_ARENA_COLUMN(batch->arena, rows * sizeof *batch->event_time_us);
    batch->cause = EVS_ARENA_COLUMN(batch->arena, rows * sizeof *batch->cause);
}

struct evs_str evs_str_keep(struct evs_arena *arena, const struct evs_str *text)
{
    if (text->count <= EVS_STR_INLINE_MAX) {
        return *text;
    }
    return evs_str_make(evs_arena_copy(arena, text->pointer, text->count), text->count);
}

void evs_column_put(struct evs_column *column, struct evs_batch *batch, uint32_t row, const struct evs_value *value)
{
    uint32_t width = evs_kind_width(column->kind);
    uint8_t *to = (uint8_t *)column->data + (size_t)row * width;
    EVS_ASSERT((column->flags & EVS_COLUMN_CONSTANT) == 0);
    if (value->is_null) {
        memset(to, 0, width);
        evs_column_set_null(column, row);
        return;
    }
    if (column->valid != NULL) { /* a row that failed may have left a NULL in this place */
        column->valid[row / 64] |= UINT64_C(1) << (row % 64);
    }
    if (evs_kind_is_var(column->kind)) {
        struct evs_str kept = evs_str_keep(batch->arena, &value->str);
        memcpy(to, &kept, width);
    } else if (column->kind == EVS_BOOL) {
        *to = value->boolean;
    } else {
        memcpy(to, &value->str, width); /* every member of the union begins where it does */
    }
}
