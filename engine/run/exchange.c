/* The exchange: rows go to the worker that owns the shard of their key.
 *
 * A node of kind EXCHANGE is two ops on each worker. The sender hashes the key columns of a batch, deals its rows into one slot of the ring
 * of each other worker, column by column, and repeats watermarks and barriers on every ring. The receiver has one edge for each worker; it takes
 * the minimum of their watermarks and aligns their barriers like any op with several inputs, and emits the slot's batch as it is.
 *
 *   worker 0   … ─► sender ──── selection, no copy ────► receiver ─► …      Rows that stay with their worker go by an ordinary queue, as a selection of the
 *                     └────────────── ring ──┐   ┌──────────┘               batch that they came in; watermarks and barriers reach it like those of any op.
 *                     ┌────────────── ring ──┼───┘
 *   worker 1   … ─► sender ────────────────► └─► receiver ─► …
 *
 * Shards are dealt to workers round robin (shard % workers). A gather sends everything to worker 0, a broadcast everything to every worker. */
#include "evstream/keys.h"
#include "ring.h"

struct sender {
    struct ring **rings; /* one a worker; NULL: the own one */
    uint32_t worker_count, own;
    uint16_t worker_of[EVS_SHARDS];
    uint16_t *rows;   /* worker_count × EVS_BATCH_ROWS physical row numbers */
    uint32_t *counts; /* rows for each worker */
    uint64_t hashes[EVS_BATCH_ROWS];
};

evs_status evs_sender_open(struct evs_op *op, struct ring **rings, struct evs_error *error)
{
    (void)error;
    struct sender *sender = evs_alloc_zero(sizeof *sender);
    sender->rings = rings;
    sender->worker_count = op->worker->run->options.worker_count;
    sender->own = op->worker->number;
    for (uint32_t i = 0; i < EVS_SHARDS; i++) {
        sender->worker_of[i] = (uint16_t)(i % sender->worker_count);
    }
    sender->rows = evs_alloc(sizeof(uint16_t) * EVS_BATCH_ROWS * sender->worker_count);
    sender->counts = evs_alloc_zero(sizeof(uint32_t) * sender->worker_count);
    op->impl = sender;
    return EVS_OK;
}

static bool sender_has_room(struct evs_op *op)
{
    struct sender *sender = op->impl;
    for (uint32_t i = 0; i < sender->worker_count; i++) {
        if (i != sender->own && evs_ring_free_slots(sender->rings[i], 1) == 0) {
            return false;
        }
    }
    return true;
}

static void deal_to_all(struct sender *sender, const struct evs_batch *batch)
{
    for (uint32_t to = 0; to < sender->worker_count; to++) {
        EVS_FOR_ROWS(batch, position, row) {
            sender->rows[to * EVS_BATCH_ROWS + sender->counts[to]++] = (uint16_t)row;
        }
    }
}

/* Fills rows and counts: which physical rows go to which worker. */
static void deal(struct sender *sender, const struct evs_plan_exchange *exchange, const struct evs_batch *batch)
{
    memset(sender->counts, 0, sender->worker_count * sizeof *sender->counts);
    if (exchange->broadcast) {
        deal_to_all(sender, batch);
        return;
    }
    if (!exchange->gather) {
        evs_key_hash_rows(batch, exchange->columns, exchange->column_count, sender->hashes);
    }
    EVS_FOR_ROWS(batch, position, row) {
        uint32_t to = exchange->gather ? 0 : sender->worker_of[evs_shard_of(sender->hashes[position])];
        sender->rows[to * EVS_BATCH_ROWS + sender->counts[to]++] = (uint16_t)row;
    }
}

static void copy_valid(struct evs_column *to, const struct evs_column *from, const uint16_t *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!evs_column_is_valid(from, rows[i])) {
            evs_column_set_null(to, i);
        }
    }
}

#define GATHER(type)                                                                                                   \
    do {                                                                                                               \
        type *to_data = to->data;                                                                                      \
        const type *from_data = from->data;                                                                            \
        for (uint32_t i = 0; i < count; i++) {                                                                         \
            to_data[i] = from_data[rows[i]];                                                                           \
        }                                                                                                              \
    } while (0)

static void copy_text(struct evs_batch *batch, struct evs_column *to, const struct evs_column *from,
                      const uint16_t *rows, uint32_t count)
{
    struct evs_str *to_data = to->data;
    const struct evs_str *from_data = from->data;
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_str *text = &from_data[rows[i]];
        bool is_long = text->count > EVS_STR_INLINE_MAX && evs_column_is_valid(from, rows[i]);
        to_data[i] = is_long ? evs_str_make(evs_arena_copy(batch->arena, text->pointer, text->count), text->count)
                     : text->count > EVS_STR_INLINE_MAX ? (struct evs_str){0}
                                                        : *text;
    }
}

static void copy_column(struct evs_batch *batch, struct evs_column *to, const struct evs_column *from,
                        const uint16_t *rows, uint32_t count)
{
    static const uint16_t first_row[1] = {0};
    bool constant = from->flags & EVS_COLUMN_CONSTANT;
    rows = constant ? first_row : rows;
    count = constant ? 1 : count;
    evs_column_init(to, batch, from->kind, count, from->valid != NULL);
    to->flags = from->flags;
    if (from->valid != NULL) {
        copy_valid(to, from, rows, count);
    }
    switch (evs_kind_width(from->kind)) {
    case 1:
        GATHER(uint8_t);
        break;
    case 8:
        GATHER(uint64_t);
        break;
    default:
        if (evs_kind_is_var(from->kind)) {
            copy_text(batch, to, from, rows, count);
        } else {
            GATHER(struct evs_hash128);
        }
    }
}

#define GATHER_META(field)                                                                                             \
    do {                                                                                                               \
        if (from->field != NULL) {                                                                                     \
            to->field = evs_arena_alloc(to->arena, count * sizeof *to->field, 64);                                     \
            for (uint32_t i = 0; i < count; i++) {                                                                     \
                to->field[i] = from->field[rows[i]];                                                                   \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

static void copy_rows(struct evs_batch *to, const struct evs_batch *from, const uint16_t *rows, uint32_t count)
{
    EVS_ASSERT(to->column_count == from->column_count);
    to->row_count = to->selected_count = count;
    to->cause_kind = from->cause_kind;
    to->source_index = from->source_index;
    to->lineage = from->lineage;
    evs_trace_copy(to, from, rows, count);
    for (uint32_t i = 0; i < from->column_count; i++) {
        copy_column(to, &to->columns[i], &from->columns[i], rows, count);
    }
    GATHER_META(event_time_us);
    GATHER_META(cause);
    GATHER_META(ordinal);
    GATHER_META(watermark_us);
    GATHER_META(key);
    to->min_time_us = INT64_MAX;
    to->max_time_us = INT64_MIN;
    for (uint32_t i = 0; i < count; i++) {
        int64_t time_us = to->event_time_us[i];
        to->min_time_us = time_us < to->min_time_us ? time_us : to->min_time_us;
        to->max_time_us = time_us > to->max_time_us ? time_us : to->max_time_us;
    }
}

/* Not counted, traced or tapped here: the receiver emits it. */
static void keep_rows(struct evs_op *op, struct evs_batch *batch, const uint16_t *rows, uint32_t count)
{
    EVS_ASSERT(op->outputs[0].edge_count == 1);
    struct evs_batch *kept = batch;
    if (count == batch->selected_count) {
        evs_batch_ref(kept);
    } else {
        uint16_t *selection = evs_arena_alloc(batch->arena, count * sizeof *selection + 64, 64);
        memcpy(selection, rows, count * sizeof *selection);
        kept = evs_batch_derive(batch, batch->column_count);
        kept->selection = selection;
        kept->selected_count = count;
    }
    evs_edge_push(op->outputs[0].edges[0], (struct item){.kind = ITEM_BATCH, .batch = kept});
}

static evs_status sender_batch(struct evs_op *op, struct edge *edge, struct evs_batch *batch)
{
    (void)edge;
    struct sender *sender = op->impl;
    deal(sender, op->node->exchange, batch);
    if (sender->counts[sender->own] > 0) {
        keep_rows(op, batch, sender->rows + (size_t)sender->own * EVS_BATCH_ROWS, sender->counts[sender->own]);
    }
    for (uint32_t i = 0; i < sender->worker_count; i++) {
        if (i != sender->own && sender->counts[i] > 0) {
            struct evs_batch *slot = evs_ring_open(sender->rings[i]);
            copy_rows(slot, batch, sender->rows + (size_t)i * EVS_BATCH_ROWS, sender->counts[i]);
            evs_ring_push_batch(sender->rings[i]);
        }
    }
    return EVS_OK;
}

static evs_status sender_watermark(struct evs_op *op, int64_t watermark_us)
{
    struct sender *sender = op->impl;
    for (uint32_t i = 0; i < sender->worker_count; i++) {
        if (i != sender->own) {
            evs_ring_push_watermark(sender->rings[i], watermark_us);
        }
    }
    return EVS_OK;
}

static evs_status sender_barrier(struct evs_op *op, uint64_t checkpoint)
{
    struct sender *sender = op->impl;
    for (uint32_t i = 0; i < sender->worker_count; i++) {
        if (i != sender->own) {
            evs_ring_push_barrier(sender->rings[i], checkpoint);
        }
    }
    return EVS_OK;
}

static void sender_close(struct evs_op *op)
{
    struct sender *sender = op->impl;
    if (sender != NULL) {
        for (uint32_t i = 0; i < sender->worker_count; i++) {
            evs_ring_free(sender->rings[i]);
        }
        evs_free(sender->rings);
        evs_free(sender->rows);
        evs_free(sender->counts);
        evs_free(sender);
        op->impl = NULL;
    }
}

const struct op_class evs_class_sender = {
    .has_room = sender_has_room,
    .batch = sender_batch,
    .watermark = sender_watermark,
    .barrier = sender_barrier,
    .close = sender_close,
    .emit_max = 1,
};

static evs_status receiver_batch(struct evs_op *op, struct edge *edge, struct evs_batch *batch)
{
    (void)edge;
    evs_emit(op, 0, evs_batch_ref(batch));
    return EVS_OK;
}

const struct op_class evs_class_receiver = {.batch = receiver_batch, .emit_max = 1};
