/* Ops: their edges, their credit, and what operators ask of the runtime. */
#include "conformance.h"
#include "ring.h"
#include "runtime.h"

/* --- edges ------------------------------------------------------------------------------------------------------------ */

bool evs_edge_peek(struct edge *edge, struct item *item)
{
    if (edge->ring != NULL) {
        return evs_ring_peek(edge->ring, item);
    }
    if (edge->count == 0) {
        return false;
    }
    *item = edge->items[edge->first];
    return true;
}

void evs_edge_pop(struct edge *edge)
{
    if (edge->ring != NULL) {
        evs_ring_pop(edge->ring);
        return;
    }
    EVS_ASSERT(edge->count > 0);
    edge->first = (edge->first + 1) % EDGE_ROOM;
    edge->count--;
}

void evs_edge_push(struct edge *edge, struct item item)
{
    EVS_ASSERT(edge->ring == NULL && edge->count < EDGE_ROOM);
    edge->items[(edge->first + edge->count) % EDGE_ROOM] = item;
    edge->count++;
}

/* Room for one more call of the op: its batches, dead rows, a watermark and a barrier on every edge. */
bool evs_op_has_credit(const struct evs_op *op)
{
    uint32_t need = op->class->emit_max + 3u;
    for (uint32_t i = 0; i < op->output_total; i++) {
        const struct output *output = &op->outputs[i];
        for (uint32_t j = 0; j < output->edge_count; j++) {
            if (EDGE_ROOM - output->edges[j]->count < need) {
                return false;
            }
        }
    }
    return op->class->has_room == NULL || op->class->has_room((struct evs_op *)op);
}

static void send_to_all(struct evs_op *op, struct item item)
{
    for (uint32_t i = 0; i < op->output_total; i++) {
        for (uint32_t j = 0; j < op->outputs[i].edge_count; j++) {
            evs_edge_push(op->outputs[i].edges[j], item);
        }
    }
}

void evs_op_send_watermark(struct evs_op *op, int64_t watermark_us)
{
    send_to_all(op, (struct item){.kind = ITEM_WATERMARK, .watermark_us = watermark_us});
}

void evs_op_send_barrier(struct evs_op *op, uint64_t checkpoint)
{
    send_to_all(op, (struct item){.kind = ITEM_BARRIER, .checkpoint = checkpoint});
}

/* Both sides of a union may bring rows of one cause: their ids differ by the branch that they came through. */
static struct evs_batch *through_branch(struct evs_batch *batch, uint32_t branch)
{
    if (branch == 0) {
        return evs_batch_ref(batch);
    }
    struct evs_batch *derived = evs_batch_derive(batch, batch->column_count);
    uint64_t parts[2] = {batch->lineage, branch};
    derived->lineage = evs_hash64(parts, sizeof parts);
    return derived;
}

void evs_emit(struct evs_op *op, uint32_t output, struct evs_batch *batch)
{
    EVS_ASSERT(output < op->output_total);
    if (batch->selected_count > 0) {
#ifdef EVS_CONFORMANCE
        evs_conformance_emitted(op, output, batch);
#endif
        if (EVS_UNLIKELY(op->worker->run->options.tracer != NULL) && output == 0) {
            evs_trace_emit(op, batch);
        }
        if (EVS_UNLIKELY(atomic_load_explicit(&op->taps, memory_order_relaxed) != 0) && output == 0) {
            evs_tap_see(op, batch);
        }
        struct output *out = &op->outputs[output];
        out->rows += batch->selected_count;
        for (uint32_t i = 0; i < out->edge_count; i++) {
            struct evs_batch *sent = through_branch(batch, out->edges[i]->branch);
            evs_edge_push(out->edges[i], (struct item){.kind = ITEM_BATCH, .batch = sent});
        }
        if (output < op->output_count) {
            op->counters[EVS_COUNT_ROWS_OUT] += batch->selected_count;
        }
        op->emitted++;
    }
    evs_batch_unref(batch);
}

/* --- what operators ask ----------------------------------------------------------------------------------------------- */

const void *evs_op_config(const struct evs_op *op)
{
    return op->node->config;
}

const struct evs_schema *evs_op_schema(const struct evs_op *op)
{
    return &op->node->schema;
}

const struct evs_state_migration *evs_op_migration(const struct evs_op *op)
{
    return op->migration;
}

const struct evs_schema *evs_op_input_schema(const struct evs_op *op, uint32_t input)
{
    const struct evs_plan *plan = op->worker->run->plan;
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct evs_plan_edge *edge = &plan->edges[i];
        if (edge->to == op->node_index && edge->input == input) {
            const struct evs_plan_node *from = &plan->nodes[edge->from];
            return evs_plan_schema(from, edge->output);
        }
    }
    EVS_ASSERT(!"an op has an input that no edge feeds");
}

int64_t evs_op_now(const struct evs_op *op)
{
    return op->worker->now_us;
}

int64_t evs_op_watermark(const struct evs_op *op)
{
    return op->watermark_us;
}

bool evs_op_is_cut(const struct evs_op *op)
{
    return op->watermark_target_us == EVS_TIME_CUT;
}

void evs_op_delay_watermark(struct evs_op *op, int64_t delay_us)
{
    EVS_ASSERT(delay_us >= 0);
    op->watermark_delay_us = delay_us;
}

int64_t evs_op_passed_watermark(const struct evs_op *op)
{
    bool is_exact = op->watermark_us >= EVS_TIME_CUT || op->watermark_us == EVS_TIME_MIN || op->watermark_delay_us == 0;
    int64_t passed_us;
    if (is_exact) {
        return op->watermark_us;
    }
    return __builtin_sub_overflow(op->watermark_us, op->watermark_delay_us, &passed_us) ||
                   op->watermark_delay_us == EVS_TIME_MAX
               ? EVS_TIME_MIN
               : passed_us;
}

struct evs_waker *evs_op_waker(struct evs_op *op)
{
    return (struct evs_waker *)op->worker;
}

void evs_waker_wake(struct evs_waker *waker)
{
    evs_worker_wake((struct worker *)waker);
}

evs_status evs_op_fail(struct evs_op *op, const struct evs_error *error)
{
    EVS_ASSERT(error->code != EVS_OK);
    evs_run_fail(op->worker->run, error->code, error);
    return error->code;
}

/* --- what instances share ---------------------------------------------------------------------------------------------- */

evs_status evs_op_share(struct evs_op *op, const void *key,
                        evs_status (*open)(const void *key, const struct evs_shared_open *open, void **object,
                                           struct evs_error *error),
                        void (*close)(void *object), void **object, struct evs_error *error)
{
    struct evs_run *run = op->worker->run;
    const struct evs_run_options *options = &run->options;
    for (uint32_t i = 0; i < run->shared_count; i++) {
        if (run->shared[i].key == key) {
            *object = run->shared[i].object;
            return EVS_OK;
        }
    }
    struct evs_shared_open how = {
        .os = options->os,
        .log = options->log,
        .pipeline = run->plan->pipeline,
        .nats_url = options->nats_url,
        .nats_credentials = options->nats_credentials,
        .redis_url = options->redis_url,
        .retry_us = options->retry_us,
    };
    evs_status status = open(key, &how, object, error);
    if (status == EVS_OK) {
        EVS_GROW(run->shared, run->shared_count, run->shared_capacity);
        run->shared[run->shared_count++] = (struct shared){key, *object, close};
    }
    return status;
}

void evs_run_close_shared(struct evs_run *run)
{
    while (run->shared_count > 0) {
        struct shared *last = &run->shared[--run->shared_count];
        last->close(last->object);
    }
    evs_free(run->shared);
    run->shared = NULL;
}

struct evs_batch *evs_op_new_batch(struct evs_op *op)
{
    struct evs_batch *batch = evs_batch_new(op->worker->pool, op->node->schema.count);
    batch->source_index = op->source_number;
    return batch;
}

bool evs_op_wants_key(const struct evs_op *op)
{
    return op->wants_key;
}

bool evs_op_is_durable(const struct evs_op *op)
{
    return op->worker->run->store != NULL;
}

bool evs_op_owns(const struct evs_op *op, uint64_t hash)
{
    return evs_shard_of(hash) % op->worker->run->options.worker_count == op->worker->number;
}

void evs_op_count(struct evs_op *op, enum evs_counter counter, int64_t delta)
{
    op->counters[counter] += delta;
}

/* --- the class of plain operators -------------------------------------------------------------------------------------- */

static evs_status operator_batch(struct evs_op *op, struct edge *edge, struct evs_batch *batch)
{
    op->emitted = 0;
    evs_status status = op->operator_->process(op, op->state, edge->input, batch);
    EVS_ASSERT(op->emitted <= op->operator_->emit_max);
    evs_op_flush_dead(op);
    return status;
}

static evs_status operator_watermark(struct evs_op *op, int64_t watermark_us)
{
    if (op->operator_->watermark == NULL) {
        return EVS_OK;
    }
    op->emitted = 0;
    int64_t told_us = watermark_us == EVS_TIME_CUT ? EVS_TIME_MAX : watermark_us;
    evs_status status = op->operator_->watermark(op, op->state, told_us);
    EVS_ASSERT(op->emitted <= op->operator_->emit_max);
    evs_op_flush_dead(op);
    return status;
}

void evs_op_begin_copy(struct evs_op *op, struct evs_ranges ranges)
{
    op->writer.leaves_out = ranges; /* the copy has their changes, too */
    op->copy.full = true;
    op->copy.leaves_out = evs_ranges_others(ranges);
}

/* Enough to be soon done, and no more than a part of what a batch takes. Test builds want rows between any two records. */
#ifdef EVS_CONFORMANCE
#define WRITE_RECORDS 3u
#else
#define WRITE_RECORDS 512u
#endif

static evs_status steps_taken(struct evs_op *op, evs_status status)
{
    op->is_writing = status == EVS_MORE;
    return status == EVS_MORE ? EVS_OK : status;
}

evs_status evs_operator_write(struct evs_op *op)
{
    EVS_ASSERT(op->is_writing);
    return steps_taken(op, op->operator_->write(op, op->state, WRITE_RECORDS));
}

static evs_status operator_barrier(struct evs_op *op, uint64_t checkpoint)
{
    (void)checkpoint;
    struct evs_run *run = op->worker->run;
    if (op->operator_->snapshot == NULL || run->store == NULL) {
        return EVS_OK;
    }
    EVS_ASSERT(!op->is_writing);
    evs_op_begin_copy(op, run->barrier_ranges);
    evs_status status = EVS_OK;
    if (op->operator_->freeze != NULL) {
        return steps_taken(op, op->operator_->freeze(op, op->state, &op->writer, &op->copy));
    }
    if (run->barrier_ranges.count < EVS_RANGES) {
        status = op->operator_->snapshot(op, op->state, &op->writer, false);
    }
    if (status == EVS_OK && run->barrier_ranges.count > 0) {
        status = op->operator_->snapshot(op, op->state, &op->copy, true);
    }
    return status;
}

static void operator_close(struct evs_op *op)
{
    if (op->state != NULL && op->operator_->close != NULL) {
        op->operator_->close(op, op->state);
    }
    evs_free(op->state);
    op->state = NULL;
}

evs_status evs_operator_node_open(struct evs_op *op, struct evs_error *error)
{
    EVS_ASSERT(op->operator_->emit_max <= EMIT_MAX);
#ifdef EVS_CONFORMANCE
    op->operator_ = evs_conformance_wrap(op->worker->run, op->operator_);
#endif
    size_t bytes = op->operator_->state_bytes + 64u;
    op->state = evs_alloc_aligned(64, bytes);
    memset(op->state, 0, bytes);
    if (op->operator_->open == NULL) {
        return EVS_OK;
    }
    return op->operator_->open(op, op->state, error);
}

const struct op_class evs_class_operator = {
    .batch = operator_batch,
    .watermark = operator_watermark,
    .barrier = operator_barrier,
    .close = operator_close,
    .emit_max = EMIT_MAX,
};

/* An exchange with one worker: everything passes. */
static evs_status pass_batch(struct evs_op *op, struct edge *edge, struct evs_batch *batch)
{
    (void)edge;
    evs_emit(op, 0, evs_batch_ref(batch));
    return EVS_OK;
}

const struct op_class evs_class_pass = {.batch = pass_batch, .emit_max = 1};
