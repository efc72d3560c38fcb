/* The conformance wrapper stands between the runtime and an operator, in builds that are no release, and asserts what the contract
 * (evstream/operator.h) promises to both:
 *
 *   - the order of calls; one input within inputs_max; batches that match the schema, with their times and causes
 *   - the watermark never goes back; what the watermark slot emits is not behind the watermark that was passed on before
 *   - at most emit_max batches a call
 *   - a copy of some ranges and one of the others are a copy of all
 *   - a snapshot is enough: at each barrier a second instance is restored from a full snapshot and must write the same records
 *
 * The wrapper is an operator itself, so the runtime has no `if` for it: its state is a small head before the inner operator's. */
#include "conformance.h"

#include <stdlib.h>

struct wrapped {
    struct evs_operator outer;
    const struct evs_operator *inner;
};

struct head {
    const struct evs_operator *inner;
    int64_t watermark_us;
    bool open, in_watermark, drained, is_checked;
    _Alignas(64) uint8_t state[];
};

static struct head *head_of(void *state)
{
    return state;
}

static const struct evs_operator *inner_of(const struct evs_op *op)
{
    const struct wrapped *wrapped = (const struct wrapped *)op->operator_;
    return wrapped->inner;
}

/* --- calls ------------------------------------------------------------------------------------------------------------------- */

static evs_status wrapped_open(struct evs_op *op, void *state, struct evs_error *error)
{
    struct head *head = head_of(state);
    EVS_ASSERT(!head->open);
    head->inner = inner_of(op);
    head->watermark_us = EVS_TIME_MIN;
    head->open = true;
    return head->inner->open == NULL ? EVS_OK : head->inner->open(op, head->state, error);
}

static void check_batch(const struct evs_schema *schema, const struct evs_batch *batch)
{
    EVS_ASSERT(batch->column_count == schema->count);
    EVS_ASSERT(batch->row_count <= EVS_BATCH_ROWS && batch->selected_count <= batch->row_count &&
               batch->selected_count > 0);
    EVS_ASSERT(batch->event_time_us != NULL && batch->cause != NULL);
    EVS_ASSERT(batch->selection != NULL || batch->selected_count == batch->row_count);
    for (uint32_t i = 0; i < schema->count; i++) {
        EVS_ASSERT(batch->columns[i].kind == schema->fields[i].type->kind && batch->columns[i].data != NULL);
    }
    for (uint32_t i = 1; batch->selection != NULL && i < batch->selected_count; i++) {
        EVS_ASSERT(batch->selection[i - 1] < batch->selection[i] && batch->selection[i] < batch->row_count);
    }
    EVS_FOR_ROWS(batch, position, row) {
        EVS_ASSERT(batch->event_time_us[row] >= batch->min_time_us && batch->event_time_us[row] <= batch->max_time_us);
    }
}

static evs_status wrapped_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct head *head = head_of(state);
    EVS_ASSERT(head->open && !head->drained && input < head->inner->inputs_max);
    check_batch(evs_op_input_schema(op, input), batch);
    evs_status status = head->inner->process(op, head->state, input, batch);
    EVS_ASSERT(op->emitted <= head->inner->emit_max);
    return status;
}

static evs_status wrapped_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct head *head = head_of(state);
    EVS_ASSERT(head->open && watermark_us >= head->watermark_us && watermark_us > evs_op_watermark(op));
    head->watermark_us = watermark_us;
    if (head->inner->watermark == NULL) {
        return EVS_OK;
    }
    head->in_watermark = true;
    evs_status status = head->inner->watermark(op, head->state, watermark_us);
    head->in_watermark = false;
    EVS_ASSERT(op->emitted <= head->inner->emit_max);
    return status;
}

void evs_conformance_emitted(const struct evs_op *op, uint32_t output, const struct evs_batch *batch)
{
    if (op->operator_ == NULL || op->operator_->open != wrapped_open || output >= op->output_count) {
        return;
    }
    const struct evs_schema *schema = evs_plan_schema(op->node, output);
    check_batch(schema, batch);
    const struct head *head = head_of(op->state);
    bool may_be_late = output > 0 || (head->inner->flags & EVS_OP_PASSES_LATE) != 0;
    EVS_FOR_ROWS(batch, position, row) {
        /* late rows, which leave by a side output, are behind by their nature */
        EVS_ASSERT(!head->in_watermark || may_be_late || batch->event_time_us[row] >= evs_op_passed_watermark(op));
    }
}

static void wrapped_close(struct evs_op *op, void *state)
{
    struct head *head = head_of(state);
    if (head->inner != NULL && head->inner->close != NULL) {
        head->inner->close(op, head->state);
    }
}

/* --- snapshot, restore, snapshot ------------------------------------------------------------------------------------------------- */

/* One record as one comparable string of bytes. */
struct flat {
    struct evs_slice bytes;
};

struct flattening {
    struct evs_arena arena;
    struct flat *records;
    uint32_t count, capacity;
};

static evs_status flatten(void *argument, const struct evs_section_header *header,
                          const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct flattening *all = argument;
    (void)header, (void)error;
    size_t count = 16 + record->fixed.count + record->variable.count;
    char *bytes = evs_arena_alloc(&all->arena, count, 8);
    uint32_t numbers[2] = {record->section, (uint32_t)record->kind};
    memcpy(bytes, numbers, 8);
    memcpy(bytes + 8, &record->hash, 8);
    memcpy(bytes + 16, record->fixed.data, record->fixed.count);
    if (record->variable.count > 0) {
        memcpy(bytes + 16 + record->fixed.count, record->variable.data, record->variable.count);
    }
    EVS_GROW(all->records, all->count, all->capacity);
    all->records[all->count++].bytes = (struct evs_slice){bytes, count};
    return EVS_OK;
}

static int by_bytes(const void *a, const void *b)
{
    const struct evs_slice *left = &((const struct flat *)a)->bytes, *right = &((const struct flat *)b)->bytes;
    size_t common = left->count < right->count ? left->count : right->count;
    int order = memcmp(left->data, right->data, common);
    return order != 0 ? order : (left->count > right->count) - (left->count < right->count);
}

struct decoding {
    struct flattening *flat;
    struct evs_op *op;
    const struct evs_operator *inner;
    void *state;
};

static evs_status restore_record(void *argument, const struct evs_section_header *header,
                                 const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct decoding *decoding = argument;
    flatten(decoding->flat, header, record, error);
    return decoding->inner->restore(decoding->op, decoding->state, header->version, record, error);
}

/* A copy of ranges of `state`, through the real encoder and decoder; each record is handed to `take`. */
static void copy_ranges(struct evs_op *op, const struct evs_operator *inner, void *state, struct evs_ranges ranges,
                        evs_take_record take, void *argument)
{
    struct evs_snapshot_writer writer = {.full = true, .leaves_out = evs_ranges_others(ranges)};
    struct evs_block_list blocks = {0};
    struct evs_error error;
    evs_status status = inner->snapshot(op, state, &writer, true);
    EVS_ASSERT(status == EVS_OK);
    evs_blocks_add(&blocks, op->node->name, inner->snapshot_version, &writer);
    evs_blocks_finish(&blocks);
    struct evs_block_reader reader = {0};
    for (uint32_t i = 0; i < blocks.block_count; i++) {
        status = evs_block_read(&reader, blocks.blocks[i], take, argument, &error);
        EVS_ASSERT(status == EVS_OK);
    }
    status = evs_block_reader_end(&reader, &error);
    EVS_ASSERT(status == EVS_OK);
    evs_blocks_fini(&blocks);
    evs_snapshot_writer_fini(&writer);
}

static void check_same(struct flattening *first, struct flattening *second)
{
    EVS_ASSERT(first->count == second->count);
    if (first->count == 0) {
        return;
    }
    qsort(first->records, first->count, sizeof *first->records, by_bytes);
    qsort(second->records, second->count, sizeof *second->records, by_bytes);
    for (uint32_t i = 0; i < first->count; i++) {
        EVS_ASSERT(evs_slice_equal(first->records[i].bytes, second->records[i].bytes));
    }
}

static void flattening_fini(struct flattening *flat)
{
    evs_free(flat->records);
    evs_arena_fini(&flat->arena);
}

static void check_round_trip(struct evs_op *op, const struct evs_operator *inner, void *state)
{
    struct flattening first = {0}, second = {0};
    size_t bytes = inner->state_bytes + 64u;
    void *copy = evs_alloc_aligned(64, bytes);
    memset(copy, 0, bytes);
    evs_status status = inner->open == NULL ? EVS_OK : inner->open(op, copy, NULL);
    EVS_ASSERT(status == EVS_OK);
    struct decoding decoding = {&first, op, inner, copy};
    copy_ranges(op, inner, state, (struct evs_ranges){0, EVS_RANGES}, restore_record, &decoding);
    copy_ranges(op, inner, copy, (struct evs_ranges){0, EVS_RANGES}, flatten, &second);
    check_same(&first, &second);
    flattening_fini(&second);
    second = (struct flattening){0};
    copy_ranges(op, inner, state, (struct evs_ranges){100, 101}, flatten, &second);
    copy_ranges(op, inner, state, (struct evs_ranges){201, EVS_RANGES - 101}, flatten, &second);
    check_same(&first, &second);
    if (inner->close != NULL) {
        inner->close(op, copy);
    }
    evs_free(copy);
    flattening_fini(&first);
    flattening_fini(&second);
}

static void check_state(struct evs_op *op, struct head *head)
{
    int64_t counters[EVS_COUNTERS];
    memcpy(counters, op->counters, sizeof counters);
    check_round_trip(op, head->inner, head->state);
    memcpy(op->counters, counters, sizeof counters);
}

static evs_status wrapped_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct head *head = head_of(state);
    EVS_ASSERT(head->open && !op->is_writing);
    evs_status status = head->inner->snapshot(op, head->state, writer, full);
    if (status == EVS_OK) {
        check_state(op, head);
    }
    return status;
}

static evs_status wrapped_write(struct evs_op *op, void *state, uint32_t records)
{
    struct head *head = head_of(state);
    EVS_ASSERT(head->open && op->is_writing && records > 0);
    return head->inner->write(op, head->state, records);
}

/* At every other barrier all is written at once and checked; at the others rows come in between, and the state cannot be looked at without a loss of
 * what they changed. */
static evs_status wrapped_freeze(struct evs_op *op, void *state, struct evs_snapshot_writer *changes,
                                 struct evs_snapshot_writer *copy)
{
    struct head *head = head_of(state);
    EVS_ASSERT(head->open && !op->is_writing);
    head->is_checked = !head->is_checked;
    evs_status status = head->inner->freeze(op, head->state, changes, copy);
    while (status == EVS_MORE && head->is_checked) {
        status = head->inner->write(op, head->state, 1);
    }
    if (status == EVS_OK && head->is_checked) {
        check_state(op, head);
    }
    return status;
}

static evs_status wrapped_restore(struct evs_op *op, void *state, uint32_t version,
                                  const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct head *head = head_of(state);
    EVS_ASSERT(head->open && head->watermark_us == EVS_TIME_MIN);
    return head->inner->restore(op, head->state, version, record, error);
}

const struct evs_operator *evs_conformance_wrap(struct evs_run *run, const struct evs_operator *inner)
{
    struct wrapped *wrapped = EVS_ARENA_NEW(&run->arena, struct wrapped);
    wrapped->inner = inner;
    wrapped->outer = *inner;
    wrapped->outer.state_bytes = inner->state_bytes + (uint32_t)sizeof(struct head) + 64u;
    wrapped->outer.open = wrapped_open;
    wrapped->outer.process = wrapped_process;
    wrapped->outer.watermark = wrapped_watermark;
    wrapped->outer.snapshot = inner->snapshot == NULL ? NULL : wrapped_snapshot;
    wrapped->outer.freeze = inner->freeze == NULL ? NULL : wrapped_freeze;
    wrapped->outer.write = inner->write == NULL ? NULL : wrapped_write;
    wrapped->outer.restore = inner->restore == NULL ? NULL : wrapped_restore;
    wrapped->outer.close = wrapped_close;
    return &wrapped->outer;
}
