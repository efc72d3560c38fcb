/* The source op: polling, barriers between messages, positions and fingerprints (source_node.h). */
#include <stdlib.h>

#include "expr.h"
#include "source_node.h"

/* --- fingerprints: a ring of what was consumed lately, so that the fork of a log that lost its tail can be found ------------- */

static struct fingerprint *fingerprint_at(const struct source_node *node, uint32_t index)
{
    return &node->fingerprints[(node->fingerprint_first + index) & (node->fingerprint_capacity - 1)];
}

static void fingerprints_grow(struct source_node *node)
{
    uint32_t capacity = node->fingerprint_capacity == 0 ? 1024 : node->fingerprint_capacity * 2;
    struct fingerprint *grown = evs_alloc(capacity * sizeof *grown);
    for (uint32_t i = 0; i < node->fingerprint_count; i++) {
        grown[i] = *fingerprint_at(node, i);
    }
    evs_free(node->fingerprints);
    node->fingerprints = grown;
    node->fingerprint_capacity = capacity;
    node->fingerprint_first = 0;
}

static void fingerprint_drop_first(struct source_node *node)
{
    node->fingerprint_first = (node->fingerprint_first + 1) & (node->fingerprint_capacity - 1);
    node->fingerprint_count--;
    node->fingerprint_written -= node->fingerprint_written > 0;
}

static void fingerprint_add(struct source_node *node, struct fingerprint fingerprint)
{
    int64_t now = fingerprint.kept_us;
    while (node->fingerprint_count > 0 && (now - fingerprint_at(node, 0)->kept_us > FINGERPRINT_KEEP_US ||
                                           node->fingerprint_count == FINGERPRINTS_MAX)) {
        fingerprint_drop_first(node);
    }
    if (node->fingerprint_count == node->fingerprint_capacity) {
        fingerprints_grow(node);
    }
    *fingerprint_at(node, node->fingerprint_count++) = fingerprint;
}

/* The stored form; part of the state format. */
struct stored_fingerprint {
    uint32_t partition, hash;
    uint64_t sequence;
    int64_t time_us;
};

#define FINGERPRINT_HASH UINT64_C(0) /* they have no key: all stand in one range */

static void fingerprints_write(struct source_node *node, struct evs_ranges ranges)
{
    bool is_copy = evs_ranges_hold(ranges, evs_range_of(FINGERPRINT_HASH));
    struct evs_snapshot_writer *writer = is_copy ? &node->op->copy : &node->op->writer;
    uint32_t first = is_copy ? 0 : node->fingerprint_written;
    evs_op_begin_copy(node->op, ranges);
    for (uint32_t i = first; i < node->fingerprint_count; i++) {
        const struct fingerprint *f = fingerprint_at(node, i);
        struct stored_fingerprint stored = {f->partition, f->hash, f->sequence, f->time_us};
        evs_snapshot_put(writer, 0, EVS_RECORD_PUT, FINGERPRINT_HASH,
                         (struct evs_slice){(const char *)&stored, sizeof stored}, (struct evs_slice){0});
    }
    node->fingerprint_written = node->fingerprint_count;
}

void evs_source_node_restore(struct evs_op *op, const struct evs_snapshot_record *record)
{
    struct source_node *node = op->impl;
    struct stored_fingerprint stored;
    if (record->fixed.count != sizeof stored) {
        return;
    }
    memcpy(&stored, record->fixed.data, sizeof stored);
    EVS_GROW(node->restored, node->restored_count, node->restored_capacity);
    node->restored[node->restored_count++] = (struct evs_position){.partition = stored.partition,
                                                                   .sequence = stored.sequence,
                                                                   .time_us = stored.time_us,
                                                                   .fingerprint = stored.hash};
}

/* --- opening ------------------------------------------------------------------------------------------------------------------ */

static int by_partition_and_sequence(const void *a, const void *b)
{
    const struct evs_position *left = a, *right = b;
    if (left->partition != right->partition) {
        return left->partition < right->partition ? -1 : 1;
    }
    return left->sequence < right->sequence ? -1 : left->sequence > right->sequence;
}

static const struct evs_record_source *restored_source(const struct evs_run *run, const char *name)
{
    for (uint32_t i = 0; i < run->restored.source_count; i++) {
        if (strcmp(run->restored.sources[i].name, name) == 0) {
            return &run->restored.sources[i];
        }
    }
    return NULL;
}

/* The list for the connector: fingerprints older than a partition's position, then the position itself. */
static uint32_t gather_positions(struct source_node *node, const struct evs_record_source *record)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->restored_count; i++) {
        for (uint32_t j = 0; j < record->partition_count; j++) {
            const struct evs_position *position = &record->partitions[j].position;
            if (position->partition == node->restored[i].partition && node->restored[i].sequence < position->sequence) {
                node->restored[kept] = node->restored[i];
                node->restored[kept++].log_created_us = position->log_created_us;
                break;
            }
        }
    }
    node->restored_count = kept;
    for (uint32_t j = 0; j < record->partition_count; j++) {
        EVS_GROW(node->restored, node->restored_count, node->restored_capacity);
        node->restored[node->restored_count++] = record->partitions[j].position;
    }
    qsort(node->restored, node->restored_count, sizeof *node->restored, by_partition_and_sequence);
    return node->restored_count;
}

/* What the last term has kept is kept on, or a full snapshot soon after the start would forget it. It stands in the log already. */
static void fingerprints_keep_on(struct source_node *node, const struct evs_record_source *record)
{
    struct evs_share share = evs_worker_share(node->op->worker);
    for (uint32_t i = 0; record != NULL && i < node->restored_count; i++) {
        const struct evs_position *position = &node->restored[i];
        if (position->sequence > 0 && position->partition % share.count == share.index) {
            fingerprint_add(node, (struct fingerprint){position->partition, position->fingerprint, position->sequence,
                                                       position->time_us, node->op->worker->now_us});
        }
    }
    node->fingerprint_written = node->fingerprint_count;
}

/* `latest`, a time or a sequence became positions when the connector was opened: they stand in the first commit (exactness, 14). */
static void take_resolved(struct source_node *node)
{
    if (node->plan->connector->resolved == NULL) {
        return;
    }
    struct evs_position *positions = evs_alloc_zero(node->partition_count * sizeof *positions);
    uint32_t count = node->plan->connector->resolved(node->connector, positions, node->partition_count);
    for (uint32_t i = 0; i < count; i++) {
        struct partition *partition = &node->partitions[positions[i].partition];
        if (partition->position.sequence == 0) {
            partition->position = positions[i];
        }
    }
    evs_free(positions);
}

static void partitions_init(struct source_node *node, const struct evs_record_source *record)
{
    struct evs_source_state state = {0};
    node->plan->connector->state(node->connector, &state);
    EVS_ASSERT(state.partition_count > 0);
    node->partition_count = state.partition_count;
    node->partitions = evs_alloc_zero(state.partition_count * sizeof *node->partitions);
    node->at_barrier = evs_alloc_zero(state.partition_count * sizeof *node->at_barrier);
    struct evs_share share = evs_worker_share(node->op->worker);
    for (uint32_t i = 0; i < state.partition_count; i++) {
        node->partitions[i].owned = i % share.count == share.index;
    }
    evs_source_time_start(node, record);
    take_resolved(node);
}

/* Allocated before the restore, which may bring fingerprints. */
void evs_source_node_prepare(struct evs_op *op)
{
    struct source_node *node = evs_alloc_zero(sizeof *node);
    node->op = op;
    node->plan = op->node->source;
    node->newest_us = EVS_TIME_MIN;
    node->pool = evs_batch_pool_new();
    op->impl = node;
}

static struct evs_source_open how_to_open(struct source_node *node, const struct evs_record_source *record)
{
    const struct evs_op *op = node->op;
    const struct evs_run_options *options = &op->worker->run->options;
    struct evs_share share = evs_worker_share(op->worker);
    uint32_t position_count = record == NULL ? 0 : gather_positions(node, record);
    return (struct evs_source_open){
        .os = options->os,
        .log = op->log,
        .name = op->node->name,
        .config = node->plan->config,
        .worker = share.index,
        .worker_count = share.count,
        .park = op->worker->park,
        .until_end = options->until_end,
        .start = options->start,
        .start_value = options->start_value,
        .end_before_us = options->end_before_us,
        .end_sequence = options->end_sequence,
        .positions = node->restored,
        .position_count = position_count,
        .nats_url = options->nats_url,
        .nats_credentials = options->nats_credentials,
        .bucket = node->plan->idle_timeout_us >= 0 ? options->bucket : NULL,
        .create = options->create,
        .row_bytes_max = node->plan->row_bytes_max,
        .retry_us = options->retry_us,
    };
}

evs_status evs_source_node_probe(struct evs_op *op, struct evs_error *error)
{
    struct source_node *node = op->impl;
    const struct evs_source *type = node->plan->connector;
    if ((!type->durable && type->probe == NULL) || op->worker->number != 0) {
        return EVS_OK;
    }
    struct evs_source_open open = how_to_open(node, restored_source(op->worker->run, op->node->name));
    void *connector = NULL;
    struct evs_share group = evs_group_share(op->worker->run);
    open.worker = group.index; /* all partitions of the group */
    open.worker_count = group.count;
    open.is_probe = true;
    evs_status status = type->probe != NULL ? type->probe(&open, error) : type->open(&open, &connector, error);
    if (status == EVS_OK && connector != NULL) {
        type->close(connector);
    }
    node->restored_count = 0; /* the restore brings them again, and the fingerprints */
    return status;
}

evs_status evs_source_node_open(struct evs_op *op, struct evs_error *error)
{
    struct source_node *node = op->impl;
    struct evs_run *run = op->worker->run;
    const struct evs_record_source *record = run->terms.has_commit ? restored_source(run, op->node->name) : NULL;
    node->shared = &run->source_shared[run->source_groups[op->source_number]];
    node->lag_us = &run->source_lags[op->source_number];
    struct evs_source_open open = how_to_open(node, record);
    evs_status status = node->plan->connector->open(&open, &node->connector, error);
    if (status != EVS_OK) {
        return status;
    }
    node->decoder = node->plan->format->open(node->plan->columns, node->plan->column_count, node->plan->row_bytes_max);
    if (node->plan->watermark != NULL) {
        node->watermark_eval = evs_eval_new(node->plan->watermark);
    }
    partitions_init(node, record);
    if (node->plan->connector->durable) {
        fingerprints_keep_on(node, record);
    }
    node->ended = node->finished = record != NULL && record->finished;
    node->counted_active = !node->finished && evs_source_watermark(node) != EVS_TIME_MAX; /* it owns a partition */
    atomic_fetch_add(&node->shared->active_workers, node->counted_active);
    return EVS_OK;
}

static void source_close(struct evs_op *op)
{
    struct source_node *node = op->impl;
    if (node == NULL) {
        return;
    }
    if (node->connector != NULL) {
        node->plan->connector->close(node->connector);
    }
    if (node->decoder != NULL) {
        node->plan->format->close(node->decoder);
    }
    if (node->watermark_eval != NULL) {
        evs_eval_free(node->watermark_eval);
    }
    evs_batch_pool_free(node->pool);
    evs_free(node->partitions);
    evs_free(node->at_barrier);
    evs_free(node->fingerprints);
    evs_free(node->restored);
    for (uint32_t i = 0; i < node->erasure_count; i++) {
        evs_free((char *)node->erasures[i].value);
        evs_free((char *)node->erasures[i].column);
    }
    evs_free(node->erasures);
    evs_free(node);
    op->impl = NULL;
}

/* --- barriers ------------------------------------------------------------------------------------------------------------------- */

static evs_status source_barrier(struct evs_op *op, uint64_t checkpoint)
{
    struct source_node *node = op->impl;
    struct evs_run *run = op->worker->run;
    (void)checkpoint;
    struct evs_source_state state = {0};
    node->plan->connector->state(node->connector, &state);
    for (uint32_t i = 0; i < node->partition_count; i++) {
        const struct partition *partition = &node->partitions[i];
        node->at_barrier[i] =
            (struct evs_record_partition){partition->position, partition->watermark_us, partition->max_time_us};
        node->at_barrier[i].position.log_created_us = state.log_created_us;
    }
    node->frontier_at_barrier_us = evs_source_frontier(node);
    node->finished_at_barrier = node->finished;
    node->erasures_at_barrier = node->message_at == node->message_count ? node->erasure_count : 0;
    if (run->store != NULL && node->plan->connector->durable) {
        fingerprints_write(node, run->barrier_ranges);
    }
    return EVS_OK;
}

uint32_t evs_source_node_erasures(const struct evs_op *op, const struct evs_record_erasure **erasures)
{
    const struct source_node *node = op->impl;
    *erasures = node->erasures;
    return node->erasures_at_barrier;
}

void evs_source_node_record(const struct evs_op *op, struct evs_record_source *source, struct evs_arena *arena)
{
    const struct source_node *node = op->impl;
    if (source->partitions == NULL) {
        source->partitions = EVS_ARENA_ARRAY(arena, struct evs_record_partition, node->partition_count);
        source->frontier_us = node->frontier_at_barrier_us;
        source->finished = true;
    }
    for (uint32_t i = 0; i < node->partition_count; i++) {
        if (node->partitions[i].owned) {
            source->partitions[source->partition_count++] = node->at_barrier[i];
        }
    }
    source->finished &= node->finished_at_barrier;
}

/* A watermark that idleness moves takes effect only after the commit that carries it, so that a replay sees it at the same place; nothing is
 * polled in between (exactness, 3). Messages at hand are no silence, and nothing may come behind the last barrier. */
static evs_status inject_barrier(struct source_node *node, uint64_t checkpoint)
{
    bool quiet =
        !node->ended && node->message_at == node->message_count && !atomic_load(&node->op->worker->run->barrier_final);
    if (quiet && evs_source_check_idle(node) && evs_source_apply_idle(node)) {
        node->idle_barrier = checkpoint;
    }
    return evs_op_pass_barrier(node->op, checkpoint);
}

static bool emit_watermark(struct source_node *node, int64_t watermark_us)
{
    if (watermark_us <= node->op->watermark_us) {
        return false;
    }
    node->op->watermark_us = node->op->watermark_target_us = watermark_us;
    evs_op_send_watermark(node->op, watermark_us);
    return true;
}

/* --- polling -------------------------------------------------------------------------------------------------------------------- */

static void source_ended(struct source_node *node)
{
    const struct evs_run_options *options = &node->op->worker->run->options;
    node->ended = true;
    evs_source_mark_inactive(node);
    if (!options->at_end_stop) {
        node->finished =
            true; /* the partitions keep their watermarks: until all workers have finished, a restart goes on with them */
        emit_watermark(node, evs_source_reached(node));
        emit_watermark(node, evs_source_watermark(node));
    }
}

static void count_messages(struct source_node *node)
{
    node->fetched_messages += node->message_count;
    for (uint32_t i = 0; i < node->message_count; i++) {
        const struct evs_message *message = &node->messages[i];
        node->fetched_bytes += message->payload.count;
        node->newest_us = message->ingested_at_us > node->newest_us ? message->ingested_at_us : node->newest_us;
    }
}

static void add_erasure(struct source_node *node, const struct evs_erase_request *request)
{
    EVS_GROW(node->erasures, node->erasure_count, node->erasure_capacity);
    node->erasures[node->erasure_count++] =
        (struct evs_record_erasure){.value = evs_strndup(request->value.data, request->value.count),
                                    .column = evs_strndup(request->column.data, request->column.count),
                                    .id = request->id};
}

/* A message that asks for an erasure has no rows. What comes behind it, or behind several, is given up: the run begins again from a commit there. Without a store
 * there is nothing to begin from. */
static void take_erasures(struct source_node *node)
{
    struct evs_run *run = node->op->worker->run;
    struct evs_erase_request request;
    for (uint32_t i = 0; i < node->message_count; i++) {
        struct evs_message *message = &node->messages[i];
        bool is_request = evs_erase_request_of(message, &request);
        if (!is_request && node->erasure_count > 0) {
            node->message_count = i;
        } else if (is_request) {
            message->payload.count = 0;
            if (run->store != NULL) {
                add_erasure(node, &request);
            }
        }
    }
    if (node->erasure_count > 0) {
        atomic_store(&run->erases, true);
        run->options.os->threads.wake(run->checkpointer_park);
    }
}

/* Of several partitions of which none has said anything the first one is asked for, so that each begins in turn. */
static void steer(struct source_node *node)
{
    uint32_t partition = node->partition_count > 1 && node->plan->connector->steer != NULL
                             ? evs_source_furthest_behind(node)
                             : UINT32_MAX;
    if (partition != UINT32_MAX) {
        node->plan->connector->steer(node->connector, partition);
    }
}

static evs_status fetch_messages(struct source_node *node)
{
    struct evs_error error = {0};
    node->message_at = node->message_count = 0;
    steer(node);
    evs_status status =
        node->plan->connector->poll(node->connector, node->messages, POLL_MESSAGES, &node->message_count, &error);
    if (status == EVS_OK && node->plan->connector->durable) {
        take_erasures(node);
    }
    count_messages(node);
    if (status == EVS_OK && node->plan->connector->durable) {
        for (uint32_t i = 0; i < node->message_count; i++) {
            const struct evs_message *message = &node->messages[i];
            fingerprint_add(node, (struct fingerprint){message->partition, message->fingerprint, message->sequence,
                                                       message->ingested_at_us, node->op->worker->now_us});
        }
    }
    if (status != EVS_OK && status != EVS_AGAIN && status != EVS_END) {
        evs_run_fail(node->op->worker->run, status, &error);
    }
    return status;
}

/* Nothing came. Without a store an idle watermark takes effect at once. */
static evs_status source_quiet(struct source_node *node)
{
    bool idle = evs_source_check_idle(node);
    if (node->op->worker->run->store != NULL || !idle || !evs_source_apply_idle(node)) {
        return EVS_AGAIN;
    }
    return emit_watermark(node, evs_source_watermark(node)) ? EVS_OK : EVS_AGAIN;
}

static evs_status read_rows(struct source_node *node)
{
    struct evs_op *op = node->op;
    struct evs_batch *batch = evs_source_read_batch(node);
    evs_op_flush_dead(op);
    if (batch != NULL) {
        op->batches_in++;
        evs_emit(op, 0, batch);
        struct evs_run *run = op->worker->run;
        if (EVS_UNLIKELY(run->options.checkpoint_batches > 0)) { /* all workers write to it: only for who asks */
            atomic_fetch_add_explicit(&run->source_batches, 1, memory_order_relaxed);
        }
    }
    emit_watermark(node, evs_source_watermark(node));
    return EVS_OK;
}

/* Everything that was begun is read: a barrier may fall here. */
static bool is_between_messages(const struct source_node *node)
{
    return !node->in_position && (node->message_at == node->message_count || node->consumed == 0);
}

static bool is_paused(const struct source_node *node)
{
    struct evs_run *run = node->op->worker->run;
    return atomic_load_explicit(&run->outbox_bytes, memory_order_relaxed) > run->options.outbox_bytes_max;
}

bool evs_source_node_waits(const struct evs_op *op)
{
    return is_paused(op->impl);
}

/* A test's barrier after every n-th batch must come before the next batch is read. */
static bool barrier_is_due(struct source_node *node)
{
    struct evs_run *run = node->op->worker->run;
    uint32_t every = run->options.checkpoint_batches;
    if (every == 0 || run->store == NULL ||
        atomic_load(&run->source_batches) < every * (node->op->barrier - run->terms.checkpoint + 1)) {
        return false;
    }
    run->options.os->threads.wake(run->checkpointer_park);
    return true;
}

/* The place where reading begins is committed before anything is read (exactness, 14). */
static bool waits_for_start(const struct evs_run *run)
{
    return run->store != NULL && !run->terms.has_commit && atomic_load(&run->committed) == 0;
}

static evs_status source_poll(struct evs_op *op)
{
    struct source_node *node = op->impl;
    struct evs_run *run = op->worker->run;
    if (evs_batch_pool_live(node->pool) > 0 || !evs_op_has_credit(op)) {
        return EVS_AGAIN;
    }
    if (!node->started) { /* restored watermarks; +infinity for a worker without partitions */
        node->started = true;
        emit_watermark(node, evs_source_reached(node)); /* also of one that is over: a cut keeps it */
        emit_watermark(node, evs_source_watermark(node));
        return EVS_OK;
    }
    uint64_t asked = atomic_load(&run->barrier);
    bool between_messages = is_between_messages(node);
    if (asked > op->barrier && between_messages) {
        return inject_barrier(node, op->barrier + 1);
    }
    if (node->ended || atomic_load(&run->barrier_final) || waits_for_start(run)) {
        return EVS_AGAIN;
    }
    if (node->idle_barrier != 0) {
        if (atomic_load(&run->committed) < node->idle_barrier) {
            return EVS_AGAIN;
        }
        node->idle_barrier = 0;
        emit_watermark(node, evs_source_watermark(node));
        return EVS_OK;
    }
    bool stopping = atomic_load(&run->stop) && between_messages;
    if (is_paused(node)) {
        node->quiet_since_us = 0; /* what waits is not seen */
        return EVS_AGAIN;
    }
    if (stopping || (between_messages && barrier_is_due(node))) {
        return EVS_AGAIN;
    }
    if (node->message_at == node->message_count) {
        if (node->erasure_count > 0) {
            return EVS_AGAIN; /* the run begins again */
        }
        evs_status status = fetch_messages(node);
        if (status == EVS_END) {
            source_ended(node);
            return EVS_OK;
        }
        if (status != EVS_OK) {
            return status == EVS_AGAIN ? source_quiet(node) : EVS_AGAIN;
        }
    }
    return read_rows(node);
}

bool evs_source_node_ended(const struct evs_op *op)
{
    const struct source_node *node = op->impl;
    return node->ended || (atomic_load(&op->worker->run->stop) && is_between_messages(node));
}

static uint32_t source_wait_fds(struct evs_op *op, struct evs_wait_fd *fds, uint32_t max)
{
    struct source_node *node = op->impl;
    if (node->plan->connector->wait_fds == NULL || node->ended || is_paused(node)) {
        return 0;
    }
    return node->plan->connector->wait_fds(node->connector, fds, max);
}

static void source_confirmed(struct evs_op *op, uint64_t checkpoint)
{
    struct source_node *node = op->impl;
    bool is_restored = checkpoint == op->worker->run->terms.checkpoint;
    if (node->plan->connector->committed == NULL || is_restored) {
        return;
    }
    for (uint32_t i = 0; i < node->partition_count; i++) {
        if (node->partitions[i].owned) {
            node->plan->connector->committed(node->connector, &node->at_barrier[i].position, 1);
        }
    }
}

static void source_show(const struct evs_op *op, int64_t *figures)
{
    const struct source_node *node = op->impl;
    struct evs_source_state state = {0};
    node->plan->connector->state(node->connector, &state);
    int64_t event_us = EVS_TIME_MIN, idle = 0, owned = 0;
    for (uint32_t i = 0; i < node->partition_count; i++) {
        const struct partition *partition = &node->partitions[i];
        owned += partition->owned;
        idle += partition->owned && partition->idle;
        event_us = partition->owned && partition->max_time_us > event_us ? partition->max_time_us : event_us;
    }
    figures[EVS_FIGURE_MESSAGES] = (int64_t)node->fetched_messages;
    figures[EVS_FIGURE_BYTES] = (int64_t)node->fetched_bytes;
    figures[EVS_FIGURE_LAG_MESSAGES] = (int64_t)state.lag_messages;
    figures[EVS_FIGURE_GAP_MESSAGES] = (int64_t)state.gap_messages;
    figures[EVS_FIGURE_LOST_MESSAGES] = (int64_t)state.lost_messages;
    figures[EVS_FIGURE_RECONNECTS] = (int64_t)state.reconnects;
    figures[EVS_FIGURE_CAUGHT_UP] = state.caught_up || state.ended;
    figures[EVS_FIGURE_PARTITIONS] = owned;
    figures[EVS_FIGURE_IDLE_PARTITIONS] = idle;
    figures[EVS_FIGURE_SENDERS] = state.senders;
    figures[EVS_FIGURE_SENDERS_BEHIND] = state.senders_behind;
    figures[EVS_FIGURE_EVENT_US] = event_us;
    figures[EVS_FIGURE_INGESTED_US] = node->newest_us;
}

const struct op_class evs_class_source = {
    .barrier = source_barrier,
    .poll = source_poll,
    .wait_fds = source_wait_fds,
    .confirmed = source_confirmed,
    .close = source_close,
    .show = source_show,
    .emit_max = 2,
};
