/* Rows that wait for the watermark (aggregate_hold.h). */
#include "aggregate_hold.h"

#include "evstream/shape.h"

#include "evstream/timer.h"

struct held_head { /* the fixed bytes of a record; the row is its variable part */
    int64_t due_us, watermark_us;
};

void evs_agg_hold_init(struct agg_hold *hold, struct evs_op *op, bool is_strict)
{
    hold->is_strict = is_strict;
    evs_row_layout_init(&hold->layout, evs_op_input_schema(op, 0), NULL, 0);
}

void evs_agg_hold_fini(struct agg_hold *hold)
{
    evs_row_layout_fini(&hold->layout);
    evs_row_layout_fini(&hold->stored);
    evs_row_pool_fini(&hold->pool);
    evs_free(hold->heap);
}

/* --- the heap: by the moment, then by the place in the input --------------------------------------------------------------- */

/* Of one moment as rows come from a partition, so that it does not show whether they waited. */
static bool is_before(const struct agg_held *a, const struct agg_held *b)
{
    if (a->due_us != b->due_us) {
        return a->due_us < b->due_us;
    }
    if (a->row->cause.major != b->row->cause.major) {
        return a->row->cause.major < b->row->cause.major;
    }
    if (a->row->cause.minor != b->row->cause.minor) {
        return a->row->cause.minor < b->row->cause.minor;
    }
    return evs_row_compare(a->row, b->row) < 0;
}

static void swap(struct agg_held *a, struct agg_held *b)
{
    struct agg_held kept = *a;
    *a = *b;
    *b = kept;
}

static void push(struct agg_hold *hold, struct agg_held held)
{
    EVS_GROW(hold->heap, hold->count, hold->capacity);
    uint32_t at = hold->count++;
    hold->heap[at] = held;
    for (uint32_t above; at > 0 && is_before(&hold->heap[at], &hold->heap[above = (at - 1) / 2]); at = above) {
        swap(&hold->heap[at], &hold->heap[above]);
    }
}

static struct agg_held pop(struct agg_hold *hold)
{
    EVS_ASSERT(hold->count > 0);
    struct agg_held *heap = hold->heap, top = heap[0];
    heap[0] = heap[--hold->count];
    for (uint32_t at = 0;;) {
        uint32_t least = at, left = at * 2 + 1, right = at * 2 + 2;
        least = left < hold->count && is_before(&heap[left], &heap[least]) ? left : least;
        least = right < hold->count && is_before(&heap[right], &heap[least]) ? right : least;
        if (least == at) {
            return top;
        }
        swap(&heap[at], &heap[least]);
        at = least;
    }
}

void evs_agg_hold_row(struct agg_hold *hold, const struct evs_batch *batch, uint32_t row, uint64_t hash, int64_t due_us,
                      int64_t watermark_us)
{
    EVS_ASSERT(due_us >= watermark_us);
    struct evs_row *kept = evs_row_keep(&hold->pool, &hold->layout, batch, row);
    push(hold, (struct agg_held){due_us, watermark_us, hash, kept, false});
}

int64_t evs_agg_hold_next(const struct agg_hold *hold)
{
    return hold->count == 0 ? EVS_TIME_MAX : hold->heap[0].due_us;
}

/* --- giving back ------------------------------------------------------------------------------------------------------------- */

static struct evs_batch *new_batch(struct evs_op *op, const struct agg_hold *hold)
{
    const struct evs_schema *input = evs_op_input_schema(op, 0);
    struct evs_batch *own = evs_op_new_batch(op);
    struct evs_batch *batch = evs_batch_derive(own, input->count);
    evs_batch_unref(own);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    batch->ordinal = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof *batch->ordinal, 64);
    batch->watermark_us = evs_arena_alloc(batch->arena, EVS_BATCH_ROWS * sizeof *batch->watermark_us, 64);
    for (uint32_t i = 0; i < input->count; i++) {
        EVS_ASSERT(hold->layout.column_count == input->count);
        batch->columns[i] = (struct evs_column){0};
        evs_column_init(&batch->columns[i], batch, input->fields[i].type->kind, EVS_BATCH_ROWS, true);
    }
    batch->row_count = 0;
    return batch;
}

static void take_row(struct agg_hold *hold, struct evs_batch *batch)
{
    struct agg_held held = pop(hold);
    const struct evs_row *row = held.row;
    uint32_t at = batch->row_count++;
    evs_row_decode(&hold->layout, &row, 1, batch->arena, batch->columns, at);
    batch->event_time_us[at] = row->event_time_us;
    batch->cause[at] = row->cause;
    batch->ordinal[at] = row->ordinal;
    batch->watermark_us[at] = held.watermark_us;
    batch->min_time_us = row->event_time_us < batch->min_time_us ? row->event_time_us : batch->min_time_us;
    batch->max_time_us = row->event_time_us > batch->max_time_us ? row->event_time_us : batch->max_time_us;
    evs_row_free(&hold->pool, held.row);
}

static bool is_due(const struct agg_hold *hold, int64_t until_us, int64_t below_us)
{
    return hold->count > 0 && hold->heap[0].due_us <= until_us && hold->heap[0].due_us < below_us;
}

struct evs_batch *evs_agg_hold_release(struct evs_op *op, struct agg_hold *hold, int64_t until_us, int64_t below_us)
{
    until_us = hold->is_strict ? evs_timers_passed(until_us) : until_us;
    if (!is_due(hold, until_us, below_us)) {
        return NULL;
    }
    struct evs_batch *batch = new_batch(op, hold);
    batch->lineage = hold->heap[0].row->lineage;
    batch->cause_kind = evs_row_cause_kind(hold->heap[0].row);
    while (batch->row_count < EVS_BATCH_ROWS && is_due(hold, until_us, below_us) &&
           hold->heap[0].row->lineage == batch->lineage && evs_row_cause_kind(hold->heap[0].row) == batch->cause_kind) {
        take_row(hold, batch);
    }
    batch->selected_count = batch->row_count;
    return batch;
}

/* --- storing ----------------------------------------------------------------------------------------------------------------- */

void evs_agg_hold_snapshot(struct agg_hold *hold, struct evs_snapshot_writer *writer, uint32_t section, bool full)
{
    for (uint32_t i = 0; i < hold->count; i++) {
        struct agg_held *held = &hold->heap[i];
        if (full || !held->is_stored) {
            struct held_head head = {held->due_us, held->watermark_us};
            evs_snapshot_put(writer, section, EVS_RECORD_PUT, held->hash,
                             (struct evs_slice){(char *)&head, sizeof head}, evs_row_slice(held->row));
            held->is_stored = true;
        }
    }
}

static struct evs_row *restore_row(struct evs_op *op, struct agg_hold *hold, struct evs_slice bytes)
{
    const struct evs_state_migration *migration = evs_op_migration(op);
    if (migration == NULL) {
        return evs_row_restore(&hold->pool, &hold->layout, bytes);
    }
    if (!hold->has_stored) {
        hold->has_stored = true;
        if (!evs_row_layout_of_parts(&hold->stored, &migration->stored->rows, 0)) {
            return NULL;
        }
    }
    return evs_row_restore_moved(&hold->pool, &hold->layout, &hold->stored, migration->rows, bytes);
}

bool evs_agg_hold_restore(struct evs_op *op, struct agg_hold *hold, const struct evs_snapshot_record *record)
{
    struct held_head head;
    if (record->fixed.count != sizeof head) {
        return false;
    }
    memcpy(&head, record->fixed.data, sizeof head);
    int64_t watermark_us = evs_op_watermark(op);
    if (head.due_us <= (hold->is_strict ? evs_timers_passed(watermark_us) : watermark_us)) {
        return true; /* given back before the commit */
    }
    struct evs_row *row = restore_row(op, hold, record->variable);
    if (row == NULL) {
        return false;
    }
    push(hold, (struct agg_held){head.due_us, head.watermark_us, record->hash, row, true});
    return true;
}
