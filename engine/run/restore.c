/* Restoring: the last commit's record, then its state blocks, then its outbox, into ops that no worker runs yet.
 *
 * What is kept is matched by name: a stateful operator of the plan must have the identity (kind, keys, window, lineage, state columns) that the
 * record names. Anything else is refused before a byte is touched, with what to do. */
#include "runtime.h"

static const struct evs_record_node *record_node(const struct evs_run *run, const char *name)
{
    for (uint32_t i = 0; i < run->restored.node_count; i++) {
        if (strcmp(run->restored.nodes[i].name, name) == 0) {
            return &run->restored.nodes[i];
        }
    }
    return NULL;
}

static bool is_stateful(const struct evs_plan_node *node)
{
    return node->kind == EVS_NODE_OPERATOR && node->operator_->snapshot != NULL;
}

static const struct evs_plan_node *plan_node(const struct evs_run *run, struct evs_slice name)
{
    for (uint32_t i = 0; i < run->plan->node_count; i++) {
        if (evs_slice_equal(name, evs_slice_of(run->plan->nodes[i].name))) {
            return &run->plan->nodes[i];
        }
    }
    return NULL;
}

#define WHAT_TO_DO "; run the pipeline as it was, or give it another name (`pipeline NAME;`) to start with empty state"

static evs_status check_nodes(const struct evs_run *run, struct evs_error *error)
{
    for (uint32_t i = 0; i < run->plan->node_count; i++) {
        const struct evs_plan_node *node = &run->plan->nodes[i];
        const struct evs_record_node *stored = is_stateful(node) ? record_node(run, node->name) : NULL;
        if (is_stateful(node) && stored == NULL) {
            return evs_fail(error, EVS_E_STATE,
                            "the stored state of pipeline %s has nothing of the operator `%s`" WHAT_TO_DO,
                            run->plan->pipeline, node->name);
        }
        if (stored != NULL && stored->identity != node->state_identity) {
            return evs_fail(error, EVS_E_STATE,
                            "the operator `%s` of pipeline %s has changed (keys, window, aggregates or what feeds it), "
                            "and its stored state does "
                            "not fit it" WHAT_TO_DO,
                            node->name, run->plan->pipeline);
        }
    }
    for (uint32_t i = 0; i < run->restored.node_count; i++) {
        if (plan_node(run, evs_slice_of(run->restored.nodes[i].name)) == NULL) {
            return evs_fail(error, EVS_E_STATE,
                            "the stored state of pipeline %s belongs to an operator `%s`, which the pipeline no longer "
                            "has" WHAT_TO_DO,
                            run->plan->pipeline, run->restored.nodes[i].name);
        }
    }
    return EVS_OK;
}

evs_status evs_restore_check(const struct evs_run *run, struct evs_error *error)
{
    const struct evs_record *record = &run->restored;
    if (record->finished) {
        return evs_fail(error, EVS_E_STATE,
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

struct restoring {
    struct evs_run *run;
    struct evs_block_reader reader;
    bool outbox;
    uint64_t checkpoint;              /* of the block at hand */
    const struct evs_plan_node *node; /* of the last record: records come in runs */
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
    restoring->node = plan_node(restoring->run, name);
    restoring->node_index = restoring->node == NULL ? 0 : (uint32_t)(restoring->node - plan->nodes);
    restoring->is_gathered = restoring->node != NULL && is_fed_by_gather(plan, restoring->node_index);
}

static evs_status restore_message(struct restoring *restoring, const struct evs_snapshot_record *record,
                                  struct evs_error *error)
{
    struct evs_run *run = restoring->run;
    uint32_t lane = evs_sink_node_stored_lane(record);
    uint64_t delivered = delivered_of(run, restoring->node->name, lane);
    bool single = restoring->node->sink->connector->single;
    struct worker *worker = &run->workers[single ? 0 : lane % run->options.worker_count];
    return evs_sink_node_restore(evs_worker_op(worker, restoring->node_index), record, delivered, error);
}

static evs_status restore_state(struct restoring *restoring, const struct evs_section_header *header,
                                const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct evs_run *run = restoring->run;
    if (restoring->node->kind == EVS_NODE_SOURCE) {
        for (uint32_t i = 0; i < run->options.worker_count; i++) {
            evs_source_node_restore(evs_worker_op(&run->workers[i], restoring->node_index), record);
        }
        return EVS_OK;
    }
    uint32_t owner = restoring->is_gathered ? 0 : evs_shard_of(record->hash) % run->options.worker_count;
    struct worker *worker = &run->workers[owner];
    struct evs_op *op = evs_worker_op(worker, restoring->node_index);
    return op->operator_->restore(op, op->state, header->version, record, error);
}

static evs_status take_record(void *argument, const struct evs_section_header *header,
                              const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct restoring *restoring = argument;
    if (!restoring->outbox &&
        !evs_sweep_needs(&restoring->run->restored.sweep, restoring->checkpoint, header->full, record->hash)) {
        return EVS_OK; /* a later copy of its range has the state */
    }
    if (restoring->node == NULL || !evs_slice_equal(header->operator_name, evs_slice_of(restoring->node->name))) {
        set_node(restoring, header->operator_name);
    }
    const struct evs_plan_node *node = restoring->node;
    if (restoring->outbox) {
        if (node == NULL || node->kind != EVS_NODE_SINK) {
            return evs_fail(
                error, EVS_E_STATE,
                "undelivered rows of the sink `%.*s` are stored, and the pipeline no longer has it" WHAT_TO_DO,
                (int)header->operator_name.count, header->operator_name.data);
        }
        return restore_message(restoring, record, error);
    }
    if (node == NULL || (node->kind != EVS_NODE_SOURCE && !is_stateful(node))) {
        return evs_fail(error, EVS_E_STATE,
                        "state of `%.*s` is stored, and the pipeline has no such operator" WHAT_TO_DO,
                        (int)header->operator_name.count, header->operator_name.data);
    }
    return restore_state(restoring, header, record, error);
}

static evs_status take_block(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                             struct evs_error *error)
{
    struct restoring *restoring = argument;
    restoring->checkpoint = checkpoint;
    restoring->outbox = kind == EVS_BLOCK_OUTBOX;
    return evs_block_read(&restoring->reader, block, take_record, restoring, error);
}

/* Operators see the watermark of the commit while they restore: a window that it had closed stays closed. */
static void restore_watermarks(struct evs_run *run)
{
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        for (uint32_t j = 0; j < run->workers[i].op_count; j++) {
            struct evs_op *op = &run->workers[i].ops[j];
            if (is_stateful(op->node)) {
                op->watermark_us = op->watermark_target_us = record_node(run, op->node->name)->watermark_us;
            }
        }
    }
}

evs_status evs_restore(struct evs_run *run, struct evs_error *error)
{
    restore_watermarks(run);
    struct restoring restoring = {.run = run};
    evs_status status = run->options.store->restore(run->store, take_block, &restoring, error);
    evs_status end = evs_block_reader_end(&restoring.reader, status == EVS_OK ? error : NULL);
    status = status == EVS_OK ? end : status;
    return status == EVS_E_CORRUPT ? EVS_E_STATE : status;
}
