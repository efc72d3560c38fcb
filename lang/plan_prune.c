/* Pruning: which relations lead to a sink, and which of their columns are asked for.
 *
 * One pass from the sinks to the sources. A relation is visited after everything that reads it, because relations are numbered inputs
 * first; so all that is asked of it is known when it passes its own questions on. Nothing that nobody asks for is decoded, computed or
 * carried. */
#include "bind.h"

static void need(struct evs_rel *rel, uint32_t column)
{
    EVS_ASSERT(column < rel->column_count);
    rel->needed[column / 64] |= UINT64_C(1) << (column % 64);
}

static void need_all(struct evs_rel_input input)
{
    if (input.output == 0) {
        for (uint32_t i = 0; i < input.rel->column_count; i++) {
            need(input.rel, i);
        }
    }
}

static void ask_project(struct evs_rel *rel)
{
    struct evs_rel *input = rel->inputs[0].rel;
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (evs_rel_needs(rel, i)) {
            evs_expr_columns(rel->exprs[i], input->needed);
        }
    }
}

static void ask_filter(struct evs_rel *rel)
{
    struct evs_rel *input = rel->inputs[0].rel;
    evs_expr_columns(rel->predicate, input->needed);
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (evs_rel_needs(rel, i)) {
            need(input, i);
        }
    }
}

static void mark(uint64_t *columns, const struct evs_rel *input, uint32_t column)
{
    EVS_ASSERT(column < input->column_count);
    columns[column / 64] |= UINT64_C(1) << (column % 64);
}

/* Every call counts, asked for or not, where a change of any result makes a revision; a window's result is only what is asked for. */
static void aggregate_reads(const struct evs_rel *rel, uint64_t *columns)
{
    const struct evs_rel_aggregate *aggregate = rel->aggregate;
    const struct evs_rel *input = rel->inputs[0].rel;
    for (uint32_t i = 0; i < aggregate->key_count; i++) {
        mark(columns, input, aggregate->keys[i]);
    }
    if (aggregate->window.kind == EVS_WINDOW_COLUMNS) {
        mark(columns, input, aggregate->window.start_column);
        mark(columns, input, aggregate->window.end_column);
    }
    for (uint32_t i = 0; i < rel->column_count; i++) {
        bool is_call = aggregate->items[i].what == EVS_ITEM_CALL;
        if (!is_call || (!evs_rel_gives_updates(aggregate) && !evs_rel_needs(rel, i))) {
            continue;
        }
        const struct evs_aggregate_call *call = &aggregate->calls[aggregate->items[i].index];
        for (uint32_t k = 0; k < call->argument_count; k++) {
            mark(columns, input, call->arguments[k]);
        }
        if (call->condition >= 0) {
            mark(columns, input, (uint32_t)call->condition);
        }
    }
    for (uint32_t i = 0; aggregate->late_output && i < aggregate->late_columns; i++) {
        mark(columns, input, i);
    }
}

static void mark_origin(uint64_t *columns, const struct evs_rel *rel, uint32_t index, struct evs_rel_origin origin)
{
    if (origin.input == index) {
        mark(columns, rel->inputs[index].rel, origin.column);
    }
}

static void operator_reads(const struct evs_rel *rel, uint32_t index, uint64_t *columns)
{
    const struct evs_rel_operator *op = rel->op;
    const struct evs_rel_reading *reading = &op->readings[index];
    for (uint32_t k = 0; k < reading->key_count; k++) {
        mark(columns, rel->inputs[index].rel, reading->keys[k]);
    }
    for (uint32_t k = 0; k < reading->read_count; k++) {
        mark(columns, rel->inputs[index].rel, reading->reads[k]);
    }
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (evs_rel_needs(rel, i)) {
            mark_origin(columns, rel, index, op->origins[i]);
        }
    }
    for (uint32_t side = 0; side < op->side_count; side++) {
        for (uint32_t i = 0; i < op->sides[side].column_count; i++) {
            mark_origin(columns, rel, index, op->sides[side].origins[i]);
        }
    }
}

void evs_rel_reads(const struct evs_rel *rel, uint32_t index, uint64_t *columns)
{
    EVS_ASSERT(index < rel->input_count && (rel->kind == EVS_REL_AGGREGATE || rel->kind == EVS_REL_OPERATOR));
    if (rel->kind == EVS_REL_AGGREGATE) {
        aggregate_reads(rel, columns);
    } else {
        operator_reads(rel, index, columns);
    }
}

static void ask_reads(struct evs_rel *rel)
{
    for (uint32_t i = 0; i < rel->input_count; i++) {
        evs_rel_reads(rel, i, rel->inputs[i].rel->needed);
    }
}

static void ask_union(struct evs_rel *rel)
{
    for (uint32_t i = 0; i < rel->column_count; i++) {
        for (uint32_t k = 0; evs_rel_needs(rel, i) && k < rel->input_count; k++) {
            need(rel->inputs[k].rel, i);
        }
    }
}

/* The watermark counts every row, whatever the queries ask for. */
static void ask_scan(struct evs_rel *rel)
{
    if (rel->source->watermark != NULL) {
        evs_expr_columns(rel->source->watermark, rel->needed);
        need(rel, rel->source->watermark_column);
    }
    for (uint32_t i = 0; i < rel->source->partition_key_count; i++) { /* what decides on its partition is checked */
        need(rel, rel->source->partition_key[i]);
    }
}

static void ask(struct evs_rel *rel)
{
    switch (rel->kind) {
    case EVS_REL_SCAN:
        ask_scan(rel);
        break;
    case EVS_REL_FILTER:
        ask_filter(rel);
        break;
    case EVS_REL_PROJECT:
        ask_project(rel);
        break;
    case EVS_REL_AGGREGATE:
    case EVS_REL_OPERATOR:
        ask_reads(rel);
        break;
    case EVS_REL_UNION:
        ask_union(rel);
        break;
    case EVS_REL_SINK:
        for (uint32_t i = 0; i < rel->input_count; i++) {
            need_all(rel->inputs[i]);
        }
        break;
    }
}

void evs_rel_prune(struct evs_rels *rels)
{
    for (uint32_t i = rels->count; i-- > 0;) {
        struct evs_rel *rel = rels->items[i];
        EVS_ASSERT(rel->number == i);
        rel->is_live = rel->is_live || rel->kind == EVS_REL_SINK;
        if (!rel->is_live) {
            continue;
        }
        ask(rel);
        for (uint32_t k = 0; k < rel->input_count; k++) {
            rel->inputs[k].rel->is_live = true;
        }
    }
}
