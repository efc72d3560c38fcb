/* Restoring: the last commit's record, then its state blocks, then its outbox, into ops that no worker runs yet.
 *
 *   store ──► this thread ──► a block at a time ══ at most 16 ══► a thread for worker 0: decodes, takes its records ──► its ops
 *             (pages of a few MB)                ══ at most 16 ══► … worker 1 …
 *
 * Every worker's state is built by one thread, in the log's order. All decode every block: that is cheap beside the building.
 *
 * What belongs to what is decided by engine/state/match.h, before a byte is touched: the pipeline may have changed since the commit. Records of what is
 * dropped are passed over; those of an operator whose columns have changed are read with what is stored about them (evs_op_migration). */
#include "erase.h"
#include "runtime.h"

static bool is_stateful(const struct evs_plan_node *node)
{
    return node->kind == EVS_NODE_OPERATOR && node->operator_->snapshot != NULL;
}

static const struct evs_plan_node *end_of_name(const struct evs_run *run, struct evs_slice name)
{
    for (uint32_t i = 0; i < run->plan->node_count; i++) {
        const struct evs_plan_node *node = &run->plan->nodes[i];
        bool is_end = node->kind == EVS_NODE_SOURCE || node->kind == EVS_NODE_SINK;
        if (is_end && evs_slice_equal(name, evs_slice_of(node->name))) {
            return node;
        }
    }
    return NULL;
}

/* The node that the records of a stored name belong to now; NULL: they are dropped. */
static const struct evs_plan_node *node_of_stored(const struct evs_run *run, struct evs_slice name)
{
    const struct evs_match_operator *operator_ = evs_match_of_stored(&run->match, name);
    return operator_ != NULL ? operator_->node : end_of_name(run, name);
}

static evs_status refuse_losses(const struct evs_run *run, struct evs_error *error)
{
    struct evs_buffer text = {0};
    evs_match_losses(&run->match, &text);
    evs_buffer_put(&text, "", 1);
    evs_status status = evs_fail(
        error, EVS_E_STATE,
        "pipeline %s has changed, and a part of its stored state would be lost: %.500s. `evstream check "
        "--against-state` shows what becomes of everything, and how to keep it. To go on without that part, run it "
        "with --allow-drop; to keep the stored state beside it, give the pipeline another name (`pipeline NAME;`)",
        run->plan->pipeline, text.data);
    evs_buffer_fini(&text);
    return status;
}

static evs_status check_nodes(struct evs_run *run, struct evs_error *error)
{
    evs_status status = evs_match_make(run->plan, &run->restored, &run->arena, &run->match, error);
    if (status != EVS_OK) {
        return status;
    }
    return run->match.drops && !run->options.allow_drop ? refuse_losses(run, error) : EVS_OK;
}

evs_status evs_restore_check(struct evs_run *run, struct evs_error *error)
{
    const struct evs_record *record = &run->restored;
    if (record->finished) {
        return evs_fail(error, EVS_E_FINISHED,
                        "pipeline %s has finished: its input was complete and its windows are closed, so it cannot be "
                        "resumed; to run it "
                        "again, give it another name (`pipeline NAME;`); a run with --at-end stop leaves windows open "
                        "and can be resumed",
                        run->plan->pipeline);
    }
    if (record->split_version != EVS_SPLIT_VERSION || record->key_version != EVS_KEY_VERSION) {
        return evs_fail(
            error, EVS_E_STATE,
            "the stored state was written with other rules of splitting records or hashing keys (%u, %u; this "
            "evstream has %d, %d)",
            record->split_version, record->key_version, EVS_SPLIT_VERSION, EVS_KEY_VERSION);
    }
    return check_nodes(run, error);
}

/* --- records -------------------------------------------------------------------------------------------------------------------- */

/* One worker's part: a thread that decodes the blocks and restores what is the worker's. */
struct restoring {
    struct evs_run *run;
    struct worker *worker;
    struct evs_block_reader reader;
    bool outbox;
    uint64_t checkpoint;              /* of the block at hand */
    const struct evs_plan_node *node; /* of the last record: records come in runs */
    struct evs_buffer name;           /* under which they are stored */
    uint64_t erased;                  /* records left out */
    uint32_t node_index;
    bool is_gathered; /* the node's rows all go to worker 0, whatever the hash of their (empty) key */
};

static uint64_t delivered_of(const struct evs_run *run, const char *name, uint32_t lane)
{
    for (uint32_t i = 0; i < run->restored.sink_count; i++) {
        const struct evs_record_sink *sink = &run->restored.sinks[i];
        for (uint32_t j = 0; strcmp(sink->name, name) == 0 && j < sink->lane_count; j++) {
            if (sink->lanes[j].lane == lane) {
                return sink->lanes[j].cursor;
            }
        }
    }
    return 0;
}

static bool is_fed_by_gather(const struct evs_plan *plan, uint32_t node_index)
{
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct evs_plan_node *from = &plan->nodes[plan->edges[i].from];
        if (plan->edges[i].to == node_index && from->kind == EVS_NODE_EXCHANGE && from->exchange->gather) {
            return true;
        }
    }
    return false;
}

static void set_node(struct restoring *restoring, struct evs_slice name)
{
    const struct evs_plan *plan = restoring->run->plan;
    restoring->node = node_of_stored(restoring->run, name);
    restoring->node_index = restoring->node == NULL ? 0 : (uint32_t)(restoring->node - plan->nodes);
    restoring->is_gathered = restoring->node != NULL && is_fed_by_gather(plan, restoring->node_index);
}

static void see_node(struct restoring *restoring, const struct evs_section_header *header)
{
    struct evs_slice name = header->operator_name;
    if (restoring->name.count != name.count || memcmp(restoring->name.data, name.data, name.count) != 0) {
        restoring->name.count = 0;
        evs_buffer_put(&restoring->name, name.data, name.count);
        set_node(restoring, name);
    }
}

static bool is_everywhere(const struct evs_plan_node *node, uint32_t section)
{
    return node != NULL && (node->kind == EVS_NODE_SOURCE ||
                            (node->kind == EVS_NODE_OPERATOR && ((node->operator_->everywhere >> section) & 1) != 0));
}

/* A source's records go to all workers; an unknown node's to one, which says so; those of a lane are looked at to know whose it is. */
static bool wants_record(void *argument, const struct evs_section_header *header, uint64_t hash)
{
    struct restoring *restoring = argument;
    const struct evs_run *run = restoring->run;
    if (restoring->outbox) {
        return true;
    }
    if (!evs_sweep_needs(&run->restored.sweep, restoring->checkpoint, header->full, hash)) {
        return false; /* a later copy of its range has the state */
    }
    see_node(restoring, header);
    uint32_t owner = restoring->is_gathered ? 0 : evs_shard_of(hash) % run->options.worker_count;
    if (owner != restoring->worker->number && !is_everywhere(restoring->node, header->section)) {
        return false;
    }
    if (evs_erasing_takes(run->erasing, header->operator_name, hash)) {
        restoring->erased += owner == restoring->worker->number; /* what all have is one record */
        return false;
    }
    return true;
}

static evs_status restore_message(struct restoring *restoring, const struct evs_snapshot_record *record,
                                  struct evs_error *error)
{
    struct evs_run *run = restoring->run;
    uint32_t lane = evs_sink_node_stored_lane(record);
    bool single = restoring->node->sink->connector->single;
    if ((single ? 0 : lane % run->options.worker_count) != restoring->worker->number) {
        return EVS_OK;
    }
    uint64_t delivered = delivered_of(run, restoring->node->name, lane);
    return evs_sink_node_restore(evs_worker_op(restoring->worker, restoring->node_index), record, delivered, error);
}

static evs_status restore_state(const struct restoring *restoring, const struct evs_section_header *header,
                                const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct evs_op *op = evs_worker_op(restoring->worker, restoring->node_index);
    if (restoring->node->kind == EVS_NODE_SOURCE) {
        evs_source_node_restore(op, record);
        return EVS_OK;
    }
    return op->operator_->restore(op, op->state, header->version, record, error);
}

/* What is dropped is named in the commit, and was allowed to be lost; a name that the commit does not know is damage. */
static evs_status pass_over(const struct restoring *restoring, const struct evs_section_header *header,
                            struct evs_error *error)
{
    const struct evs_record *record = &restoring->run->restored;
    bool is_known = false;
    for (uint32_t i = 0; i < record->node_count && !is_known; i++) {
        is_known = evs_slice_equal(header->operator_name, evs_slice_of(record->nodes[i].name));
    }
    for (uint32_t i = 0; i < record->source_count && !is_known; i++) {
        is_known = evs_slice_equal(header->operator_name, evs_slice_of(record->sources[i].name));
    }
    for (uint32_t i = 0; i < record->sink_count && !is_known; i++) {
        is_known = evs_slice_equal(header->operator_name, evs_slice_of(record->sinks[i].name));
    }
    return is_known ? EVS_OK
                    : evs_fail(error, EVS_E_CORRUPT, "state of `%.*s` is stored, which its commit does not know",
                               (int)header->operator_name.count, header->operator_name.data);
}

static evs_status take_record(void *argument, const struct evs_section_header *header,
                              const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct restoring *restoring = argument;
    see_node(restoring, header);
    const struct evs_plan_node *node = restoring->node;
    if (restoring->outbox) {
        if (node == NULL || node->kind != EVS_NODE_SINK) {
            return pass_over(restoring, header, error);
        }
        return restore_message(restoring, record, error);
    }
    if (node == NULL || (node->kind != EVS_NODE_SOURCE && !is_stateful(node))) {
        return pass_over(restoring, header, error);
    }
    return restore_state(restoring, header, record, error);
}

/* --- lanes: the store is read by one thread, and each worker's state is built by one of its own --------------------------------------- */

#define LANE_BLOCKS 16u /* at most so many on their way to a worker: 4 MiB */
#define PROGRESS_LINE_US (INT64_C(100) * 1000)
#define PROGRESS_LOG_US (INT64_C(2) * 1000 * 1000)

/* A block that all lanes read; the last one frees it. */
struct shared_block {
    _Atomic uint32_t readers;
    enum evs_block_kind kind;
    uint64_t checkpoint;
    size_t count;
    char bytes[];
};

struct lane {
    struct restoring restoring;
    struct evs_thread *thread;
    struct evs_park *park, *reader_park;
    struct shared_block *blocks[LANE_BLOCKS];
    _Atomic uint32_t put, taken;
    _Atomic bool is_over; /* no more blocks come */
    _Atomic bool has_ended;
    evs_status status;
    struct evs_error error;
};

struct restorer {
    struct evs_run *run;
    struct lane *lanes;
    struct evs_park *park;
    struct evs_run_notes *notes;
    int64_t told_us;
    bool has_line; /* a progress line stands on the terminal, and is to be ended */
};

static void block_unref(struct shared_block *block)
{
    if (atomic_fetch_sub(&block->readers, 1) == 1) {
        evs_free(block);
    }
}

static void sleep_on(const struct evs_run *run, struct evs_park *park)
{
    const struct evs_os *os = run->options.os;
    (void)os->sockets.wait(os->sockets.self, park, NULL, 0, -1);
}

static evs_status lane_read(struct lane *lane, const struct shared_block *block)
{
    lane->restoring.checkpoint = block->checkpoint;
    lane->restoring.outbox = block->kind == EVS_BLOCK_OUTBOX;
    return evs_block_read(&lane->restoring.reader, (struct evs_slice){block->bytes, block->count}, take_record,
                          &lane->restoring, &lane->error);
}

/* After a failure the lane goes on to take blocks, without reading them. */
static void lane_main(void *argument)
{
    struct lane *lane = argument;
    struct evs_run *run = lane->restoring.run;
    for (;;) {
        uint32_t taken = atomic_load(&lane->taken);
        if (taken == atomic_load(&lane->put)) {
            if (atomic_load(&lane->is_over) && taken == atomic_load(&lane->put)) {
                break;
            }
            sleep_on(run, lane->park);
            continue;
        }
        struct shared_block *block = lane->blocks[taken % LANE_BLOCKS];
        if (lane->status == EVS_OK) {
            lane->status = lane_read(lane, block);
            atomic_store(&lane->has_ended, lane->status != EVS_OK);
        }
        block_unref(block);
        atomic_store(&lane->taken, taken + 1);
        run->options.os->threads.wake(lane->reader_park);
    }
    evs_buffer_fini(&lane->restoring.name);
    evs_status end = evs_block_reader_end(&lane->restoring.reader, lane->status == EVS_OK ? &lane->error : NULL);
    lane->status = lane->status == EVS_OK ? end : lane->status;
}

static void lane_put(struct restorer *all, struct lane *lane, struct shared_block *block)
{
    while (atomic_load(&lane->put) - atomic_load(&lane->taken) == LANE_BLOCKS) {
        sleep_on(all->run, all->park);
    }
    lane->blocks[atomic_load(&lane->put) % LANE_BLOCKS] = block;
    atomic_fetch_add(&lane->put, 1);
    all->run->options.os->threads.wake(lane->park);
}

/* How much there is, is known only roughly: a copy of the state, and changes since. */
static void begin_progress(struct restorer *all)
{
    struct evs_run_notes *notes = all->notes;
    int64_t now_us = evs_monotonic_us(all->run->options.os);
    all->told_us = now_us;
    atomic_store(&notes->restore_bytes, 0);
    atomic_store(&notes->restore_bytes_about, 2 * evs_sweep_state_bytes(&all->run->restored.sweep));
    atomic_store(&notes->restore_ended_us, 0);
    atomic_store(&notes->restore_begun_us, now_us);
}

static void tell_progress(struct restorer *all)
{
    const struct evs_run *run = all->run;
    bool as_line = run->options.restore_progress && run->options.group == NULL; /* groups restore beside each other */
    int64_t now_us = evs_monotonic_us(run->options.os);
    if (now_us - all->told_us < (as_line ? PROGRESS_LINE_US : PROGRESS_LOG_US)) {
        return;
    }
    all->told_us = now_us;
    struct evs_view_notes view;
    evs_run_notes_view(all->notes, 1, now_us, &view);
    if (as_line) {
        evs_progress_restoring(run, &view, false);
        all->has_line = true;
        return;
    }
    evs_log(run->options.log, EVS_LOG_INFO, "restoring",
            "restoring checkpoint %llu: %.0f MB read, of at most about %.0f MB",
            (unsigned long long)run->terms.checkpoint, (double)view.restore_bytes / 1e6,
            (double)view.restore_bytes_about / 1e6);
}

static void end_progress(struct restorer *all)
{
    struct evs_run_notes *notes = all->notes;
    int64_t now_us = evs_monotonic_us(all->run->options.os);
    struct evs_view_notes view;
    atomic_store(&notes->restore_bytes_about, atomic_load(&notes->restore_bytes));
    atomic_store(&notes->restore_ended_us, now_us);
    if (all->has_line) {
        evs_run_notes_view(notes, 1, now_us, &view);
        evs_progress_restoring(all->run, &view, true);
    }
}

static evs_status take_block(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                             struct evs_error *error)
{
    struct restorer *all = argument;
    uint32_t count = all->run->options.worker_count;
    for (uint32_t i = 0; i < count; i++) {
        if (atomic_load(&all->lanes[i].has_ended)) {
            return evs_fail(error, EVS_E_CANCELLED, "a block could not be restored"); /* the lane knows better */
        }
    }
    struct shared_block *shared = evs_alloc(sizeof *shared + block.count);
    *shared = (struct shared_block){.readers = count, .kind = kind, .checkpoint = checkpoint, .count = block.count};
    memcpy(shared->bytes, block.data, block.count);
    for (uint32_t i = 0; i < count; i++) {
        lane_put(all, &all->lanes[i], shared);
    }
    atomic_fetch_add(&all->notes->restore_bytes, block.count);
    tell_progress(all);
    return EVS_OK;
}

static evs_status start_lanes(struct restorer *all, struct evs_error *error)
{
    struct evs_run *run = all->run;
    const struct evs_threads *threads = &run->options.os->threads;
    all->park = threads->park_new(threads->self);
    all->lanes = evs_alloc_zero(run->options.worker_count * sizeof *all->lanes);
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        struct lane *lane = &all->lanes[i];
        lane->restoring = (struct restoring){.run = run, .worker = &run->workers[i], .reader = {.wants = wants_record}};
        lane->reader_park = all->park;
        lane->park = threads->park_new(threads->self);
    }
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        struct lane *lane = &all->lanes[i];
        if (threads->spawn(threads->self, "evs-restore", lane_main, lane, &lane->thread) != EVS_OK) {
            return evs_fail(error, EVS_E_INTERNAL, "a thread that restores cannot be started");
        }
    }
    return EVS_OK;
}

/* The lanes read what they have, and end. The first failure is the one that is told. */
static evs_status end_lanes(struct restorer *all, evs_status status, struct evs_error *error)
{
    const struct evs_threads *threads = &all->run->options.os->threads;
    for (uint32_t i = 0; i < all->run->options.worker_count; i++) {
        struct lane *lane = &all->lanes[i];
        atomic_store(&lane->is_over, true);
        threads->wake(lane->park);
        if (lane->thread != NULL) {
            threads->join(lane->thread);
        }
        if (lane->status != EVS_OK && (status == EVS_OK || status == EVS_E_CANCELLED)) {
            status = evs_fail(error, lane->status, "%s", lane->error.text);
        }
        all->run->erased_records += lane->restoring.erased;
        threads->park_free(lane->park);
    }
    threads->park_free(all->park);
    evs_free(all->lanes);
    return status;
}

/* Operators see the watermark of the commit while they restore: a window that it had closed stays closed. One that begins anew has none. */
static void prepare_op(const struct evs_run *run, struct evs_op *op)
{
    const struct evs_match_operator *operator_ = evs_match_of_node(&run->match, op->node);
    bool goes_on = operator_ != NULL && (operator_->fate == EVS_MATCH_KEPT || operator_->fate == EVS_MATCH_MIGRATED);
    if (goes_on && operator_->migration != NULL && op->worker->number == 0) {
        evs_log(
            run->options.log, EVS_LOG_INFO, "migrated",
            "the columns of operator %s have changed: its state goes on with those that it still has, new ones begin "
            "empty",
            op->node->name);
    }
    if (goes_on) {
        op->watermark_us = op->watermark_target_us = operator_->stored->watermark_us;
        op->migration = operator_->migration;
    }
}

static void for_ops(struct evs_run *run, void (*what)(const struct evs_run *run, struct evs_op *op))
{
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        for (uint32_t j = 0; j < run->workers[i].op_count; j++) {
            what(run, &run->workers[i].ops[j]);
        }
    }
}

static void end_migration(const struct evs_run *run, struct evs_op *op)
{
    (void)run;
    op->migration = NULL;
}

evs_status evs_restore(struct evs_run *run, struct evs_error *error)
{
    for_ops(run, prepare_op);
    run->erased_records = 0;
    evs_status collected = evs_erasing_collect(run, &run->erasing, error);
    if (collected != EVS_OK) {
        evs_erasing_free(run->erasing);
        run->erasing = NULL;
        return collected;
    }
    struct restorer all = {.run = run, .notes = evs_run_notes_of(run)};
    begin_progress(&all);
    evs_status status = start_lanes(&all, error);
    if (status == EVS_OK) {
        status = run->options.store->restore(run->store, take_block, &all, error);
    }
    status = end_lanes(&all, status, error);
    end_progress(&all);
    evs_erasing_free(run->erasing);
    run->erasing = NULL;
    for_ops(run, end_migration);
    if (status != EVS_E_CORRUPT) {
        return status;
    }
    struct evs_error why = *error;
    return evs_fail(
        error, EVS_E_STATE,
        "the stored state of pipeline %s cannot be restored: %s. Restore its keys in Redis, evs:{%s:%s}:log and "
        "evs:{%s:%s}:ob, from a backup; or rename them, and the pipeline begins anew with empty state",
        run->plan->pipeline, why.text, run->plan->pipeline, evs_run_group(run), run->plan->pipeline,
        evs_run_group(run));
}
