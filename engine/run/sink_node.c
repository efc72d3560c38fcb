/* The sink op: encodes rows and has them delivered exactly once, with connectors that only send.
 *
 * Bytes sinks (files) append encoded lines; at a barrier everything is flushed and the offset becomes part of the commit, to which a restore
 * truncates.
 *
 * Messages sinks keep every row as a message with a number and a deterministic id until the receiver has acknowledged it:
 *
 *        cursor            sent                 sendable              last
 *   ───────┬─────────────────┬─────────────────────┬───────────────────┬──►  number
 *          │ under way       │ may be sent now     │ exact: its commit │
 *          │                 │                     │ is not yet told   │
 *
 * fast:  sendable == last. At a barrier, messages that are not acknowledged go into the checkpoint's outbox (exactness, 12).
 * exact: a barrier puts all messages since the one before into the outbox; they become sendable when that commit may be told (8), those of a restored commit, too.
 * Either way a message stands in the outbox of the last commit or was acknowledged before it, so a restore sends what is missing, under the
 * same ids (6). A receiver that can lose what it has acknowledged gets it again, under the same ids: messages of such connectors are kept for a while (sink_pending.h),
 * those of exact delivery in the outbox, so that a restart has them too; those of fast delivery in memory alone, for it would cost a fast row what an exact one costs (13). A message that the receiver refuses for good becomes a dead letter on this thread, between two barriers: the commit that has the
 * dead letter is the one that counts the message as done. A sink never stops a checkpoint: rows are always taken; above the limit of waiting bytes it is the sources that stop. */
#include "sink_node.h"

#define ACKS_MAX 512u
#define SENDS_MAX 512u /* a poll: other ops want to run, too */
#define FLUSH_IDLE_US 200000
#define INDEX_BITS 20 /* ids in a stream: checkpoint · 2^20 + index (exactness, 7) */

/* --- messages ---------------------------------------------------------------------------------------------------------------- */

/* exactness, 1: H(incarnation, sink, operator path, key, cause, ordinal). Neither owner nor checkpoint is in it. */
static struct evs_hash128 trigger_id(const struct sink_node *node, const struct evs_batch *batch, uint32_t row)
{
    uint64_t parts[11] = {node->id_salt[0],
                          node->id_salt[1],
                          node->id_salt[2],
                          node->id_salt[3],
                          batch->cause[row].major,
                          batch->cause[row].minor,
                          (uint64_t)batch->cause_kind,
                          batch->lineage,
                          batch->ordinal == NULL ? 0 : batch->ordinal[row],
                          batch->key == NULL ? 0 : batch->key[row].low,
                          batch->key == NULL ? 0 : batch->key[row].high};
    return evs_hash128(parts, sizeof parts);
}

static struct evs_slice slice_of(const struct evs_buffer *buffer)
{
    return (struct evs_slice){buffer->data, buffer->count};
}

/* Headers and payload: the format's, and what the connector makes itself. False: a column of its templates is NULL. */
static bool encode_row(struct sink_node *node, const struct evs_batch *batch, uint32_t row,
                       const struct evs_format_place *place, uint64_t *order)
{
    const struct evs_plan_sink *plan = node->plan;
    const struct evs_schema *schema = &node->op->node->schema;
    if (!plan->binding.makes_payload) {
        plan->format->encode(plan->format_config, schema, batch, row, place, &node->encoded);
    } else if (plan->connector->refused != NULL) { /* its dead letter shall show the row */
        evs_op_encode_row(node->op, schema, batch, row, &node->row);
    }
    if (plan->format->headers != NULL) {
        plan->format->headers(plan->format_config, schema, batch, row, place, &node->headers);
    }
    struct evs_sink_draft draft = {.address = &node->address,
                                   .headers = &node->headers,
                                   .payload = &node->encoded,
                                   .order = batch->key == NULL ? 0 : batch->key[row].low};
    bool is_whole =
        plan->connector->encode == NULL || plan->connector->encode(plan->binding.templates, batch, row, place, &draft);
    *order = draft.order;
    return is_whole;
}

static void remember_origin(struct evs_pending *pending, const struct evs_batch *batch, uint32_t row)
{
    pending->source_index = batch->source_index;
    pending->cause_kind = batch->cause_kind;
    pending->cause = batch->cause[row];
    pending->event_time_us = batch->event_time_us[row];
}

static bool fill_address(const struct evs_plan_sink *plan, const struct evs_batch *batch, uint32_t row,
                         struct evs_buffer *address)
{
    return plan->connector->plain_address ? evs_template_fill_plain(plan->address, batch, row, address)
                                          : evs_template_fill(plan->address, batch, row, address);
}

static void encode_message(struct sink_node *node, const struct evs_batch *batch, uint32_t row)
{
    const struct evs_plan_sink *plan = node->plan;
    const struct evs_clock *clock = &node->op->worker->run->options.os->clock;
    struct evs_format_place place = {.pipeline = node->op->worker->run->plan->pipeline,
                                     .sink = node->op->node->name,
                                     .id = trigger_id(node, batch, row),
                                     .has_id = true};
    node->encoded.count = node->headers.count = node->address.count = node->row.count = 0;
    bool has_address = plan->address == NULL || fill_address(plan, batch, row, &node->address);
    uint64_t order = 0;
    if (!has_address || !encode_row(node, batch, row, &place, &order)) {
        struct evs_row_error error = {.reason = has_address ? "null_template" : "null_address",
                                      .code = has_address ? "R0502" : "R0009"};
        evs_op_dead_letter(node->op, &node->op->node->schema, batch, row, &error);
        return;
    }
    struct evs_trace_span *span =
        evs_trace_send(node->op, batch, row, place.id, slice_of(&node->address), &node->headers);
    struct evs_pending_texts texts = {slice_of(&node->address), slice_of(&node->headers), slice_of(&node->encoded),
                                      slice_of(&node->row)};
    struct evs_pending *pending = evs_pendings_add(&node->pendings, &texts);
    pending->taken_us = node->op->worker->now_us;
    pending->id = place.id;
    pending->span = span;
    pending->order = order;
    pending->created_us = clock->wall_us(clock->self);
    remember_origin(pending, batch, row);
    node->op->counters[EVS_COUNT_ROWS_OUT]++;
}

static bool waits_for_commit(const struct sink_node *node)
{
    return node->plan->exact && node->op->worker->run->store != NULL;
}

static evs_status messages_batch(struct sink_node *node, const struct evs_batch *batch)
{
    EVS_FOR_ROWS(batch, position, row) {
        encode_message(node, batch, row);
    }
    if (!waits_for_commit(node)) {
        node->sendable = node->pendings.last;
    }
    evs_op_flush_dead(node->op);
    return EVS_OK;
}

static evs_status fail(struct sink_node *node, evs_status status, const struct evs_error *error)
{
    evs_run_fail(node->op->worker->run, status, error);
    return EVS_AGAIN;
}

/* The process may be stopped between any two messages: each one asks whether the group is still ours. */
static evs_status send_some(struct sink_node *node, bool *did)
{
    struct evs_error error = {0};
    for (uint32_t i = 0; i < SENDS_MAX && node->sent < node->sendable && evs_run_may_send(node->op->worker->run); i++) {
        const struct evs_pending *pending = evs_pendings_find(&node->pendings, node->sent + 1);
        if (pending == NULL || pending->is_done) { /* by an earlier run, or between two that the receiver has lost */
            node->sent++;
            *did = true;
            continue;
        }
        struct evs_sink_message message = evs_pending_message(pending);
        evs_status status = node->plan->connector->send(node->connector, &message, &error);
        if (status == EVS_AGAIN) {
            break;
        }
        if (status != EVS_OK) {
            return fail(node, status, &error);
        }
        node->sent++;
        *did = true;
    }
    return EVS_OK;
}

static struct evs_pending *under_way(struct sink_node *node, uint64_t number)
{
    EVS_ASSERT(number <= node->sent);
    struct evs_pending *pending = evs_pendings_find(&node->pendings, number);
    EVS_ASSERT(pending != NULL && !pending->is_done);
    return pending;
}

/* The id of the trigger is what tells its dead letter from others: a row may have died before with the same cause. */
static void bury(struct sink_node *node, const struct evs_pending *pending, const struct evs_sink_refusal *refusal)
{
    const struct evs_format *format = node->plan->format;
    struct evs_sink_message message = evs_pending_message(pending);
    struct evs_buffer answer = {0}, json = {0};
    evs_buffer_put(&answer, refusal->answer.data, refusal->answer.count);
    evs_buffer_put(&answer, "", 1);
    bool is_json = format->describe == NULL;
    bool is_readable = is_json || format->describe(message.payload, &json);
    struct evs_row_error error = {.reason = refusal->reason, .code = refusal->code, .expression = answer.data};
    struct dead_row dead = {
        .source_index = pending->source_index,
        .error = &error,
        .subject = message.address.count > 0 ? message.address : (struct evs_slice){0},
        .cause = pending->cause,
        .cause_kind = (enum evs_cause_kind)pending->cause_kind,
        .key = &pending->id,
        .event_time_us = pending->event_time_us,
        .ingested_at_us = EVS_TIME_MIN,
    };
    if (node->plan->binding.makes_payload) { /* what was sent, beside the row that it was made of */
        dead.json = (struct evs_slice){message.payload.data + message.payload.count, pending->row_bytes};
        dead.raw = message.payload;
    } else if (is_readable) {
        dead.json = is_json ? message.payload : (struct evs_slice){json.data, json.count};
    } else {
        dead.raw = message.payload;
    }
    evs_dead_put(node->op, &dead);
    evs_buffer_fini(&answer);
    evs_buffer_fini(&json);
}

static void take_refusals(struct sink_node *node, bool *did)
{
    const struct evs_sink *connector = node->plan->connector;
    struct evs_sink_refusal refusal;
    bool any = false;
    while (connector->refused != NULL && evs_op_has_credit(node->op) &&
           connector->refused(node->connector, &refusal) == EVS_OK) {
        struct evs_pending *pending = under_way(node, refusal.number);
        bury(node, pending, &refusal);
        evs_pendings_finish(&node->pendings, pending);
        node->refused++;
        any = true;
    }
    if (any) {
        evs_op_flush_dead(node->op);
        atomic_fetch_add(&node->op->worker->run->refusals, 1);
        *did = true;
    }
}

static evs_status take_acknowledgements(struct sink_node *node, bool *did)
{
    struct evs_error error = {0};
    uint64_t numbers[ACKS_MAX];
    uint32_t count = 0;
    evs_status status = node->plan->connector->poll(node->connector, numbers, ACKS_MAX, &count, &error);
    if (status != EVS_OK && status != EVS_AGAIN) {
        return fail(node, status, &error);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct evs_pending *pending = under_way(node, numbers[i]);
        evs_histogram_add(&node->op->delivery, node->op->worker->now_us - pending->taken_us);
        evs_trace_sent(node->op, pending->span);
        uint64_t place = evs_sink_keeps(node) ? node->plan->connector->placed(node->connector, i) : 0;
        evs_pendings_deliver(&node->pendings, pending, place, node->op->worker->now_us);
        node->acknowledged++;
        *did = true;
    }
    return EVS_OK;
}

/* --- bytes --------------------------------------------------------------------------------------------------------------------- */

static evs_status bytes_batch(struct sink_node *node, const struct evs_batch *batch)
{
    const struct evs_plan_sink *plan = node->plan;
    struct evs_error error = {0};
    struct evs_format_place place = {.pipeline = node->op->worker->run->plan->pipeline, .sink = node->op->node->name};
    node->encoded.count = 0;
    EVS_FOR_ROWS(batch, position, row) {
        plan->format->encode(plan->format_config, &node->op->node->schema, batch, row, &place, &node->encoded);
        evs_buffer_put(&node->encoded, "\n", 1);
    }
    node->op->counters[EVS_COUNT_ROWS_OUT] += batch->selected_count;
    node->appended_us = node->op->worker->now_us;
    evs_status status =
        plan->connector->append(node->connector, (struct evs_slice){node->encoded.data, node->encoded.count}, &error);
    if (status != EVS_OK) {
        evs_run_fail(node->op->worker->run, status, &error);
    }
    return EVS_OK;
}

static evs_status bytes_flush(struct sink_node *node, bool sync)
{
    struct evs_error error = {0};
    evs_status status = node->plan->connector->flush(node->connector, sync, &node->offset, &error);
    node->appended_us = 0;
    if (status != EVS_OK) {
        evs_run_fail(node->op->worker->run, status, &error);
    }
    return EVS_OK;
}

/* --- the class ------------------------------------------------------------------------------------------------------------------- */

static bool is_bytes(const struct sink_node *node)
{
    return node->plan->connector->shape == EVS_SINK_BYTES;
}

bool evs_sink_node_describe(struct evs_op *op, const struct evs_batch *batch, uint32_t row, struct evs_hash128 *id,
                            struct evs_buffer *address)
{
    const struct sink_node *node = op->impl;
    if (is_bytes(node)) {
        return false;
    }
    size_t before = address->count;
    if (node->plan->address != NULL && !fill_address(node->plan, batch, row, address)) {
        address->count = before;
    }
    *id = trigger_id(node, batch, row);
    return true;
}

static evs_status sink_batch(struct evs_op *op, struct edge *edge, struct evs_batch *batch)
{
    struct sink_node *node = op->impl;
    (void)edge;
    if (EVS_UNLIKELY(atomic_load_explicit(&op->taps, memory_order_relaxed) != 0)) {
        evs_tap_see(op, batch);
    }
    return is_bytes(node) ? bytes_batch(node, batch) : messages_batch(node, batch);
}

static evs_status sink_poll(struct evs_op *op)
{
    struct sink_node *node = op->impl;
    bool did = false;
    if (is_bytes(node)) {
        if (node->appended_us != 0 && op->worker->now_us - node->appended_us > FLUSH_IDLE_US) {
            return bytes_flush(node, false);
        }
        return EVS_AGAIN;
    }
    if (node->rests || !evs_sink_has_connector(node) || send_some(node, &did) != EVS_OK) {
        return EVS_AGAIN;
    }
    if (take_acknowledgements(node, &did) != EVS_OK) {
        return EVS_AGAIN;
    }
    take_refusals(node, &did);
    evs_sink_tend_kept(node);
    return did ? EVS_OK : EVS_AGAIN;
}

/* The place of a message in its commit. A checkpoint with more than 2^20 messages runs on into the numbers of the next one, which then
 * begins behind it: the numbers only ever rise within a term. */
static void number_message(struct sink_node *node, struct evs_pending *pending, uint64_t checkpoint)
{
    uint64_t least = checkpoint << INDEX_BITS;
    node->stream_sequence = node->stream_sequence + 1 > least ? node->stream_sequence + 1 : least;
    pending->epoch = node->op->worker->run->terms.epoch;
    pending->checkpoint = node->stream_sequence >> INDEX_BITS;
    pending->index = (uint32_t)(node->stream_sequence & ((UINT64_C(1) << INDEX_BITS) - 1));
}

struct at_barrier {
    struct sink_node *node;
    uint64_t checkpoint;
    bool rewrite;
};

static void pass_message(void *argument, struct evs_pending *pending)
{
    struct at_barrier *at = argument;
    const struct evs_op *op = at->node->op;
    if (pending->epoch == 0) { /* of this checkpoint */
        number_message(at->node, pending, at->checkpoint);
    }
    if (at->rewrite || !pending->in_outbox) {
        evs_pending_store(op->worker->run, &at->node->op->writer, op->worker->number, pending);
    }
}

static void store_again(void *argument, struct evs_pending *pending)
{
    struct evs_op *op = argument;
    evs_pending_store(op->worker->run, &op->writer, op->worker->number, pending);
}

static void tell_later(struct sink_node *node, uint64_t checkpoint, uint64_t last)
{
    EVS_GROW(node->told, node->told_count, node->told_capacity);
    node->told[node->told_count++] = (struct told){checkpoint, last};
}

static void messages_barrier(struct sink_node *node, uint64_t checkpoint)
{
    struct at_barrier at = {node, checkpoint, atomic_load(&node->op->worker->run->barrier_rewrite)};
    if (at.rewrite && node->pendings.stores_kept) {
        evs_pendings_each_kept(&node->pendings, store_again, node->op);
    }
    evs_pendings_each(&node->pendings, pass_message, &at);
    evs_pendings_store_done(&node->pendings, &node->op->writer, node->op->worker->number, at.rewrite);
    tell_later(node, checkpoint, node->pendings.last);
}

static void finish_bytes(struct sink_node *node)
{
    if (node->plan->connector->finish != NULL) {
        node->plan->connector->finish(node->connector);
    }
}

/* Without durable state a run that is stopped does not go on: its last barrier is the end. */
static void bytes_barrier(struct sink_node *node, uint64_t checkpoint)
{
    const struct evs_run *run = node->op->worker->run;
    if (run->store == NULL && atomic_load(&run->barrier_final)) {
        finish_bytes(node);
    }
    bytes_flush(node, run->store != NULL);
    const struct evs_sink *connector = node->plan->connector;
    if (run->store != NULL && connector->committed != NULL && connector->awaits_commit(node->connector)) {
        tell_later(node, checkpoint, node->offset);
    }
}

static evs_status sink_watermark(struct evs_op *op, int64_t watermark_us)
{
    struct sink_node *node = op->impl;
    if (is_bytes(node) && watermark_us >= EVS_TIME_CUT) {
        finish_bytes(node);
    }
    return EVS_OK;
}

static evs_status sink_barrier(struct evs_op *op, uint64_t checkpoint)
{
    struct sink_node *node = op->impl;
    struct evs_run *run = op->worker->run;
    if (is_bytes(node)) {
        bytes_barrier(node, checkpoint);
    } else if (run->store != NULL) {
        messages_barrier(node, checkpoint);
    }
    node->at_barrier = (struct evs_record_lane){
        op->worker->number, node->pendings.last, evs_pendings_cursor(&node->pendings), node->offset, {0}};
    if (node->cut_us != 0) {
        node->at_barrier.receipt = node->last_receipt;
    } else if (node->plan->connector->receipt != NULL) {
        node->plan->connector->receipt(node->connector, &node->at_barrier.receipt);
    }
    return EVS_OK;
}

void evs_sink_node_record(const struct evs_op *op, struct evs_record_lane *lane)
{
    const struct sink_node *node = op->impl;
    *lane = node->at_barrier;
}

bool evs_sink_node_settle(struct evs_op *op)
{
    struct sink_node *node = op->impl;
    uint32_t left = is_bytes(node) ? 0 : evs_pendings_count(&node->pendings);
    EVS_ASSERT(left == 0 || node->rests);
    node->at_barrier.cursor = evs_pendings_cursor(&node->pendings);
    if (op->worker->run->store != NULL) {
        evs_pendings_store_done(&node->pendings, &op->writer, op->worker->number, false);
    }
    return left == 0;
}

/* Of what the told commits hold, the last is enough. */
static void take_confirmed(struct sink_node *node, uint64_t last)
{
    struct evs_error error = {0};
    if (!is_bytes(node)) {
        node->sendable = last > node->sendable ? last : node->sendable;
        return;
    }
    evs_status status = node->plan->connector->committed(node->connector, last, &error);
    if (status != EVS_OK) {
        evs_run_fail(node->op->worker->run, status, &error);
    }
}

static void sink_confirmed(struct evs_op *op, uint64_t checkpoint)
{
    struct sink_node *node = op->impl;
    uint32_t done = 0;
    while (done < node->told_count && node->told[done].checkpoint <= checkpoint) {
        done++;
    }
    if (done > 0) {
        take_confirmed(node, node->told[done - 1].last);
    }
    node->told_count -= done;
    if (done > 0) { /* a sink that was never told has no list at all */
        memmove(node->told, node->told + done, node->told_count * sizeof *node->told);
    }
}

/* A run that can go on later leaves to the next start what its receiver lets wait. A finished one cannot, and delivers everything. */
static bool may_rest(const struct sink_node *node)
{
    struct evs_run *run = node->op->worker->run;
    bool is_resumed = atomic_load(&run->stop) || run->options.at_end_stop;
    return node->plan->connector->rest != NULL && atomic_load(&run->barrier_final) && is_resumed;
}

/* Whoever stops the engine is not kept waiting, unless the messages were lost with it. */
static bool tries_first(const struct sink_node *node)
{
    const struct evs_run *run = node->op->worker->run;
    return run->store == NULL || !atomic_load(&run->stop);
}

static bool sink_is_idle(struct evs_op *op)
{
    struct sink_node *node = op->impl;
    if (is_bytes(node)) {
        return node->told_count == 0;
    }
    if (evs_pendings_count(&node->pendings) == 0) {
        return node->cut_us == 0;
    }
    node->rests = may_rest(node) && node->plan->connector->rest(node->connector, tries_first(node));
    return node->rests;
}

static uint32_t sink_wait_fds(struct evs_op *op, struct evs_wait_fd *fds, uint32_t max)
{
    const struct sink_node *node = op->impl;
    bool has_none = node->plan->connector->wait_fds == NULL || node->connector == NULL;
    return has_none ? 0 : node->plan->connector->wait_fds(node->connector, fds, max);
}

static void sink_close(struct evs_op *op)
{
    struct sink_node *node = op->impl;
    if (node == NULL) {
        return;
    }
    if (node->connector != NULL) {
        node->plan->connector->close(node->connector);
    }
    evs_pendings_fini(&node->pendings);
    evs_free(node->told);
    evs_buffer_fini(&node->encoded);
    evs_buffer_fini(&node->headers);
    evs_buffer_fini(&node->address);
    evs_buffer_fini(&node->row);
    evs_buffer_fini(&node->header);
    evs_free(node);
    op->impl = NULL;
}

static void sink_show(const struct evs_op *op, int64_t *figures)
{
    const struct sink_node *node = op->impl;
    struct evs_sink_state state = evs_sink_figures(node);
    figures[EVS_FIGURE_WAITING] = evs_pendings_count(&node->pendings);
    figures[EVS_FIGURE_WAITING_BYTES] = (int64_t)node->pendings.waiting_bytes;
    figures[EVS_FIGURE_KEPT_BYTES] = (int64_t)node->pendings.kept_bytes;
    figures[EVS_FIGURE_SENT_AGAIN] = (int64_t)node->sent_again;
    figures[EVS_FIGURE_ACKNOWLEDGED] = (int64_t)node->acknowledged;
    figures[EVS_FIGURE_RECONNECTS] = (int64_t)state.reconnects;
    figures[EVS_FIGURE_RETRIES] = (int64_t)state.retries;
    figures[EVS_FIGURE_DUPLICATES] = (int64_t)state.duplicates;
    figures[EVS_FIGURE_ORPHANS] = (int64_t)state.orphans;
    figures[EVS_FIGURE_REFUSED] = (int64_t)node->refused;
    figures[EVS_FIGURE_ATTEMPTS] = (int64_t)state.attempts;
    figures[EVS_FIGURE_UNANSWERED] = (int64_t)state.unanswered;
    for (uint32_t i = 2; i < EVS_COUNT(state.answers); i++) {
        figures[EVS_FIGURE_ANSWERS_2XX + i - 2] = (int64_t)state.answers[i];
    }
    figures[EVS_FIGURE_UNDER_WAY] = state.under_way;
    figures[EVS_FIGURE_CIRCUIT_OPEN] = state.is_open;
}

const struct op_class evs_class_sink = {
    .batch = sink_batch,
    .watermark = sink_watermark,
    .barrier = sink_barrier,
    .poll = sink_poll,
    .wait_fds = sink_wait_fds,
    .confirmed = sink_confirmed,
    .is_idle = sink_is_idle,
    .close = sink_close,
    .show = sink_show,
    .emit_max = 1,
};

/* --- opening, restoring ------------------------------------------------------------------------------------------------------------ */

/* Not what another division of the groups would have to hand on. */
static void set_keeping(struct sink_node *node)
{
    const struct evs_run *run = node->op->worker->run;
    const struct evs_sink *connector = node->plan->connector;
    uint64_t bytes = 0;
    if (connector->keeps == NULL || run->options.copies_all) {
        return;
    }
    connector->keeps(node->plan->config, &node->pendings.keep_us, &bytes);
    node->pendings.keep_bytes_max = (size_t)(bytes / run->options.worker_count);
    node->pendings.stores_kept = waits_for_commit(node);
}

void evs_sink_node_prepare(struct evs_op *op)
{
    struct sink_node *node = evs_alloc_zero(sizeof *node);
    node->op = op;
    node->plan = op->node->sink;
    node->pendings.run = op->worker->run;
    op->impl = node;
    set_keeping(node);
}

static uint64_t restored_offset(const struct evs_run *run, const char *name, bool *known)
{
    for (uint32_t i = 0; i < run->restored.sink_count; i++) {
        const struct evs_record_sink *sink = &run->restored.sinks[i];
        if (strcmp(sink->name, name) == 0 && sink->lane_count > 0) {
            *known = true;
            return sink->lanes[0].offset;
        }
    }
    *known = false;
    return 0;
}

evs_status evs_sink_node_probe(struct evs_op *op, struct evs_error *error)
{
    const struct sink_node *node = op->impl;
    if (node->plan->connector->shape != EVS_SINK_MESSAGES || op->worker->number != 0) {
        return EVS_OK;
    }
    struct evs_sink_open open = evs_sink_how_to_open(node);
    void *connector = NULL;
    evs_status status = node->plan->connector->open(&open, &connector, error);
    if (status == EVS_OK) {
        node->plan->connector->close(connector);
    }
    return status;
}

/* What the lanes of the last commit knew of their receiver's log; a lane of today may get the rows of any of them. */
static void tell_receipts(const struct sink_node *node, struct evs_sink_open *open)
{
    struct evs_run *run = node->op->worker->run;
    if (run->store == NULL || run->options.republish || (!run->terms.has_commit && !run->keeps_incarnation)) {
        return;
    }
    open->replay = run->terms.has_commit ? EVS_REPLAY_SINCE_RECEIPTS : EVS_REPLAY_ALL;
    for (uint32_t i = 0; run->terms.has_commit && i < run->restored.sink_count; i++) {
        const struct evs_record_sink *sink = &run->restored.sinks[i];
        if (strcmp(sink->name, node->op->node->name) != 0) {
            continue;
        }
        struct evs_sink_receipt *receipts = EVS_ARENA_ARRAY(&run->arena, struct evs_sink_receipt, sink->lane_count + 1);
        for (uint32_t j = 0; j < sink->lane_count; j++) {
            receipts[j] = sink->lanes[j].receipt;
        }
        open->receipts = receipts;
        open->receipt_count = sink->lane_count;
    }
}

/* What was delivered and names a person who is to be forgotten is kept no longer; nobody looks into messages, so nothing is. */
evs_status evs_sink_node_restored(struct evs_op *op, struct evs_error *error)
{
    struct sink_node *node = op->impl;
    const struct evs_run *run = op->worker->run;
    (void)error;
    int64_t keep_us = node->pendings.keep_us;
    if (run->restored.erasure_count > 0) {
        node->pendings.keep_us = 0;
    }
    evs_pendings_restored(&node->pendings, evs_monotonic_us(run->options.os));
    node->pendings.keep_us = keep_us;
    return EVS_OK;
}

evs_status evs_sink_node_open(struct evs_op *op, struct evs_error *error)
{
    struct sink_node *node = op->impl;
    struct evs_run *run = op->worker->run;
    struct evs_hash128 path = evs_hash128(node->plan->operator_path, strlen(node->plan->operator_path));
    node->id_salt[0] = run->incarnation.low;
    node->id_salt[1] = run->incarnation.high;
    node->id_salt[2] = evs_hash64(op->node->name, strlen(op->node->name));
    node->id_salt[3] = path.low;
    if (waits_for_commit(node) && run->terms.has_commit) {
        tell_later(node, run->terms.checkpoint, node->pendings.last);
    } else {
        node->sendable = node->pendings.last;
    }
    node->sent = evs_pendings_cursor(&node->pendings);
    struct evs_sink_open open = evs_sink_how_to_open(node);
    uint64_t holds = UINT64_MAX;
    tell_receipts(node, &open);
    open.holds = &holds;
    open.shared = &run->sink_shared[op->node_index];
    if (is_bytes(node) && node->plan->format->header != NULL) {
        node->plan->format->header(node->plan->format_config, &op->node->schema, &node->header);
        open.header = slice_of(&node->header);
    }
    if (run->terms.has_commit) {
        open.resume_offset = restored_offset(run, op->node->name, &open.resume);
        node->offset = open.resume_offset;
    }
    struct evs_sink_kept *kept =
        evs_sink_keeps(node) && open.replay != EVS_REPLAY_NOTHING ? evs_sink_tell_kept(node, &open) : NULL;
    evs_status status = node->plan->connector->open(&open, &node->connector, error);
    evs_free(kept);
    if (status == EVS_OK && holds != UINT64_MAX) {
        evs_sink_send_lost_again(node, holds);
    }
    return status;
}

uint32_t evs_sink_node_stored_lane(const struct evs_snapshot_record *record)
{
    return evs_pending_stored_lane(record);
}

/* An undelivered message of the last commit, from whichever lane: it is this lane's now, under a new number and its old id. */
evs_status evs_sink_node_restore(struct evs_op *op, const struct evs_snapshot_record *record, uint64_t delivered,
                                 struct evs_error *error)
{
    struct sink_node *node = op->impl;
    struct evs_error cause = {0};
    evs_status status = evs_pendings_restore(&node->pendings, record, delivered, &cause);
    return status == EVS_OK ? EVS_OK : evs_fail(error, status, "the outbox of %s: %s", op->node->name, cause.text);
}
