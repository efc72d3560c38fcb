/* From the plan to ops: one op a node on each worker; an exchange between several workers is two, with rings between all pairs.
 *
 * Beside the plan's edges, every source, operator and sink has one edge for each source that names a dead letter sink: a row that dies anywhere
 * leaves by an edge, so that barriers cover it like any other row. */
#include "ring.h"
#include "runtime.h"

static const struct evs_plan_node *node_of(const struct evs_run *run, uint32_t index)
{
    EVS_ASSERT(index < run->plan->node_count);
    return &run->plan->nodes[index];
}

/* --- ops ------------------------------------------------------------------------------------------------------------------- */

static const struct op_class *class_of(const struct evs_run *run, const struct evs_plan_node *node)
{
    switch (node->kind) {
    case EVS_NODE_SOURCE:
        return &evs_class_source;
    case EVS_NODE_OPERATOR:
        return &evs_class_operator;
    case EVS_NODE_EXCHANGE:
        return run->options.worker_count == 1 ? &evs_class_pass : &evs_class_sender;
    case EVS_NODE_SINK:
        return &evs_class_sink;
    }
    return NULL;
}

/* What lines of its log call it. */
static const char *kind_of(const struct evs_plan_node *node)
{
    return node->kind == EVS_NODE_SOURCE ? "source" : node->kind == EVS_NODE_SINK ? "sink" : "operator";
}

/* A `single` sink runs on worker 0 alone; the plan has a gather in front of it. */
static bool runs_here(const struct evs_plan_node *node, uint32_t worker)
{
    return worker == 0 || node->kind != EVS_NODE_SINK || !node->sink->connector->single;
}

static void op_init(struct worker *worker, struct evs_op *op, uint32_t node_index, const struct op_class *class)
{
    struct evs_run *run = worker->run;
    const struct evs_plan_node *node = node_of(run, node_index);
    *op = (struct evs_op){
        .node = node,
        .node_index = node_index,
        .worker = worker,
        .class = class,
        .operator_ = node->operator_,
        .output_count = node->output_count > 0 ? node->output_count : 1,
        .watermark_us = EVS_TIME_MIN,
        .watermark_target_us = EVS_TIME_MIN,
        .barrier = run->terms.checkpoint,
    };
    op->log = evs_log_at(run->options.log, (struct evs_log_place){.kind = kind_of(node), .name = node->name});
    op->output_total = op->output_count + run->source_count;
    op->outputs = evs_alloc_zero(op->output_total * sizeof *op->outputs);
}

static void worker_ops(struct worker *worker)
{
    struct evs_run *run = worker->run;
    worker->ops = evs_alloc_zero((size_t)run->plan->node_count * 2 * sizeof *worker->ops);
    for (uint32_t i = 0; i < run->plan->node_count; i++) {
        const struct evs_plan_node *node = node_of(run, i);
        if (!runs_here(node, worker->number)) {
            continue;
        }
        const struct op_class *class = class_of(run, node);
        op_init(worker, &worker->ops[worker->op_count++], i, class);
        if (class == &evs_class_sender) {
            op_init(worker, &worker->ops[worker->op_count++], i, &evs_class_receiver);
        }
    }
}

static struct evs_op *find_op(struct worker *worker, uint32_t node_index, bool receiver)
{
    for (uint32_t i = 0; i < worker->op_count; i++) {
        struct evs_op *op = &worker->ops[i];
        if (op->node_index == node_index && (op->class == &evs_class_receiver) == receiver) {
            return op;
        }
    }
    return NULL;
}

struct evs_op *evs_worker_op(struct worker *worker, uint32_t node_index)
{
    return find_op(worker, node_index, false);
}

/* The op whose outputs stand for the node's: of an exchange between workers, the receiver. */
static struct evs_op *emitting_op(struct worker *worker, uint32_t node_index)
{
    struct evs_op *receiver = find_op(worker, node_index, true);
    return receiver != NULL ? receiver : find_op(worker, node_index, false);
}

/* --- edges ------------------------------------------------------------------------------------------------------------------ */

static struct edge *edge_new(struct evs_op *to, uint32_t input, struct ring *ring)
{
    struct edge *edge = evs_alloc_zero(sizeof *edge);
    edge->to = to;
    edge->input = input;
    edge->ring = ring;
    edge->watermark_us = EVS_TIME_MIN;
    EVS_GROW(to->in, to->in_count, to->in_capacity);
    to->in[to->in_count++] = edge;
    return edge;
}

static void connect(struct evs_op *from, uint32_t output, struct evs_op *to, uint32_t input, uint32_t branch)
{
    EVS_ASSERT(from != NULL && output < from->output_total);
    if (to == NULL) { /* a single sink that runs on worker 0; its gather sends nothing here */
        return;
    }
    struct output *out = &from->outputs[output];
    EVS_GROW(out->edges, out->edge_count, out->edge_capacity);
    struct edge *edge = edge_new(to, input, NULL);
    edge->branch = branch;
    out->edges[out->edge_count++] = edge;
}

/* Where the dead rows of source number s go: the node that the plan names, or the gather in front of it. */
static uint32_t dead_target(const struct evs_run *run, uint32_t source)
{
    uint32_t target = node_of(run, run->source_nodes[source])->dead_letter;
    if (target == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < run->plan->edge_count; i++) {
        const struct evs_plan_edge *edge = &run->plan->edges[i];
        if (edge->to == target - 1 && node_of(run, edge->from)->kind == EVS_NODE_EXCHANGE) {
            return edge->from + 1;
        }
    }
    return target;
}

/* Of a sink: rows without an address, and those that the receiver refuses. */
static bool may_send_dead(const struct evs_op *op)
{
    const struct evs_plan_node *node = op->node;
    return node->kind == EVS_NODE_SOURCE || node->kind == EVS_NODE_OPERATOR ||
           (node->kind == EVS_NODE_SINK && !node->sink->is_dead_letter &&
            (node->sink->address != NULL || node->sink->connector->refused != NULL));
}

static void connect_dead(struct worker *worker)
{
    struct evs_run *run = worker->run;
    for (uint32_t source = 0; source < run->source_count; source++) {
        uint32_t target = dead_target(run, source);
        for (uint32_t i = 0; target != 0 && i < worker->op_count; i++) {
            struct evs_op *op = &worker->ops[i];
            if (may_send_dead(op)) {
                connect(op, op->output_count + source, find_op(worker, target - 1, false), 0, 0);
            }
        }
    }
}

/* The plan's own edge from a source to its dead letter sink is one of those above. */
static bool is_dead_edge(const struct evs_run *run, const struct evs_plan_edge *edge)
{
    const struct evs_plan_node *from = node_of(run, edge->from);
    return from->kind == EVS_NODE_SOURCE && edge->output != 0;
}

static void worker_edges(struct worker *worker)
{
    const struct evs_plan *plan = worker->run->plan;
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct evs_plan_edge *edge = &plan->edges[i];
        if (!is_dead_edge(worker->run, edge)) {
            connect(emitting_op(worker, edge->from), edge->output, find_op(worker, edge->to, false), edge->input,
                    edge->branch);
        }
    }
    connect_dead(worker);
}

static evs_status connect_rings(struct evs_run *run, uint32_t node_index, struct evs_error *error)
{
    uint32_t count = run->options.worker_count;
    uint32_t columns = node_of(run, node_index)->schema.count;
    for (uint32_t from = 0; from < count; from++) {
        struct ring **rings = evs_alloc_zero(count * sizeof *rings);
        for (uint32_t to = 0; to < count; to++) {
            struct evs_op *receiver = find_op(&run->workers[to], node_index, true);
            if (to == from) { /* rows that stay are not copied */
                connect(find_op(&run->workers[from], node_index, false), 0, receiver, 0, 0);
            } else {
                rings[to] = evs_ring_new(&run->workers[from], &run->workers[to], columns);
                edge_new(receiver, 0, rings[to]);
            }
        }
        evs_status status = evs_sender_open(find_op(&run->workers[from], node_index, false), rings, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    return EVS_OK;
}

/* --- what is known of a node from the graph ------------------------------------------------------------------------------------ */

static uint32_t leftmost_source(const struct evs_run *run, uint32_t node_index)
{
    for (;;) {
        for (uint32_t source = 0; source < run->source_count; source++) {
            if (run->source_nodes[source] == node_index) {
                return source;
            }
        }
        uint32_t best = UINT32_MAX, from = UINT32_MAX;
        for (uint32_t i = 0; i < run->plan->edge_count; i++) {
            const struct evs_plan_edge *edge = &run->plan->edges[i];
            if (edge->to == node_index && edge->input < best && !is_dead_edge(run, edge)) {
                best = edge->input;
                from = edge->from;
            }
        }
        if (from == UINT32_MAX) { /* fed by dead rows alone: each batch says its own */
            return 0;
        }
        node_index = from;
    }
}

/* Marks what the node's rows come to, sinks apart: those keep no time. Nodes are in topological order. */
static void mark_reached(const struct evs_run *run, uint32_t node_index, bool *reached)
{
    reached[node_index] = true;
    for (uint32_t i = node_index; i < run->plan->node_count; i++) {
        for (uint32_t j = 0; reached[i] && j < run->plan->edge_count; j++) {
            const struct evs_plan_edge *edge = &run->plan->edges[j];
            if (edge->from == i && node_of(run, edge->to)->kind != EVS_NODE_SINK) {
                reached[edge->to] = true;
            }
        }
    }
}

/* Sources whose rows meet have one frontier: a silent one counts with the event times of the others. */
static void group_sources(struct evs_run *run)
{
    uint32_t nodes = run->plan->node_count;
    bool *reached = evs_alloc_zero(((size_t)run->source_count + 1) * nodes * sizeof *reached);
    run->source_groups = evs_alloc_zero((run->source_count + 1u) * sizeof *run->source_groups);
    for (uint32_t source = 0; source < run->source_count; source++) {
        bool *own = reached + (size_t)source * nodes;
        mark_reached(run, run->source_nodes[source], own);
        run->source_groups[source] = source;
        for (uint32_t earlier = 0; earlier < source; earlier++) {
            uint32_t group = run->source_groups[earlier];
            bool meet = false;
            for (uint32_t i = 0; i < nodes; i++) {
                meet |= own[i] && reached[(size_t)earlier * nodes + i];
            }
            for (uint32_t i = 0; meet && i < source; i++) {
                run->source_groups[i] = run->source_groups[i] == group ? source : run->source_groups[i];
            }
        }
    }
    evs_free(reached);
}

static bool feeds_message_sink(const struct evs_run *run, uint32_t node_index)
{
    const struct evs_plan_node *node = node_of(run, node_index);
    if (node->kind == EVS_NODE_SINK) {
        return node->sink->connector->shape == EVS_SINK_MESSAGES;
    }
    for (uint32_t i = 0; i < run->plan->edge_count; i++) {
        if (run->plan->edges[i].from == node_index && feeds_message_sink(run, run->plan->edges[i].to)) {
            return true;
        }
    }
    return false;
}

static bool has_dead_letters(const struct evs_run *run)
{
    bool any = false;
    for (uint32_t i = 0; i < run->source_count; i++) {
        any |= node_of(run, run->source_nodes[i])->dead_letter != 0;
    }
    return any;
}

static evs_status prepare_dead_rows(struct evs_run *run, struct evs_error *error)
{
    for (uint32_t i = 0; i < run->plan->node_count; i++) {
        const struct evs_plan_node *node = node_of(run, i);
        evs_status status = evs_dead_prepare(run, &node->schema, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    return EVS_OK;
}

static void find_sources(struct evs_run *run)
{
    run->source_nodes = evs_alloc_zero((run->plan->node_count + 1u) * sizeof *run->source_nodes);
    for (uint32_t i = 0; i < run->plan->node_count; i++) {
        if (node_of(run, i)->kind == EVS_NODE_SOURCE) {
            run->source_nodes[run->source_count++] = i;
        }
    }
    run->source_shared = evs_alloc_aligned(64, (run->source_count + 1u) * sizeof *run->source_shared);
    memset(run->source_shared, 0, (run->source_count + 1u) * sizeof *run->source_shared);
    run->source_lags = evs_alloc_zero((run->source_count + 1u) * sizeof *run->source_lags);
    for (uint32_t i = 0; i < run->source_count; i++) {
        atomic_store(&run->source_shared[i].frontier_us, EVS_TIME_MIN);
    }
    group_sources(run);
}

evs_status evs_graph_build(struct evs_run *run, struct evs_error *error)
{
    const struct evs_os *os = run->options.os;
    find_sources(run);
    evs_status status = prepare_dead_rows(run, error);
    if (status != EVS_OK) {
        return status;
    }
    run->workers = evs_alloc_aligned(64, run->options.worker_count * sizeof *run->workers);
    memset(run->workers, 0, run->options.worker_count * sizeof *run->workers);
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        struct worker *worker = &run->workers[i];
        worker->run = run;
        worker->number = i;
        evs_view_begin(worker);
        worker->park = os->threads.park_new(os->threads.self);
        worker->pool = evs_batch_pool_new();
        worker->now_us = evs_monotonic_us(os);
        worker_ops(worker);
    }
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        worker_edges(&run->workers[i]);
        for (uint32_t j = 0; j < run->workers[i].op_count; j++) {
            struct evs_op *op = &run->workers[i].ops[j];
            op->source_number = leftmost_source(run, op->node_index);
            op->wants_key = has_dead_letters(run) || feeds_message_sink(run, op->node_index);
        }
    }
    for (uint32_t i = 0; status == EVS_OK && run->options.worker_count > 1 && i < run->plan->node_count; i++) {
        if (node_of(run, i)->kind == EVS_NODE_EXCHANGE) {
            status = connect_rings(run, i, error);
        }
    }
    return status;
}

static void drop_items(struct edge *edge)
{
    struct item item;
    while (edge->ring == NULL && evs_edge_peek(edge, &item)) {
        evs_edge_pop(edge);
        if (item.kind == ITEM_BATCH) {
            evs_batch_unref(item.batch);
        }
    }
}

static void op_free(struct evs_op *op)
{
    for (uint32_t i = 0; i < op->in_count; i++) {
        evs_free(op->in[i]);
    }
    for (uint32_t i = 0; i < op->output_total; i++) {
        evs_free(op->outputs[i].edges);
    }
    evs_free(op->outputs);
    evs_free(op->in);
    evs_snapshot_writer_fini(&op->writer);
    evs_snapshot_writer_fini(&op->copy);
    evs_log_free(op->log);
    evs_trace_free(op);
}

void evs_graph_free(struct evs_run *run)
{
    evs_run_close_shared(run);
    for (uint32_t i = 0; run->workers != NULL && i < run->options.worker_count; i++) {
        struct worker *worker = &run->workers[i];
        for (uint32_t j = 0; j < worker->op_count; j++) {
            for (uint32_t k = 0; k < worker->ops[j].in_count; k++) {
                drop_items(worker->ops[j].in[k]);
            }
            if (worker->ops[j].dead != NULL) {
                evs_batch_unref(worker->ops[j].dead);
            }
        }
    }
    for (uint32_t i = 0; run->workers != NULL && i < run->options.worker_count; i++) {
        struct worker *worker = &run->workers[i];
        for (uint32_t j = 0; j < worker->op_count; j++) {
            if (worker->ops[j].class->close != NULL) {
                worker->ops[j].class->close(&worker->ops[j]);
            }
        }
        for (uint32_t j = 0; j < worker->op_count; j++) {
            op_free(&worker->ops[j]);
        }
        evs_free(worker->ops);
        evs_batch_pool_free(worker->pool);
        run->options.os->threads.park_free(worker->park);
    }
    evs_free(run->workers);
    evs_free(run->source_nodes);
    evs_free(run->source_shared);
    evs_free(run->source_lags);
    evs_free(run->source_groups);
    evs_free(run->row_encoders);
    run->workers = NULL;
}
