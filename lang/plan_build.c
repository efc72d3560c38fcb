/* From relations to the plan: nodes, edges, exchanges.
 *
 * Relations are laid out inputs first, so the nodes come in topological order. Only what pruning has marked is built:
 *
 *   scan       a source node that decodes the needed columns
 *   filter     an operator node; it carries its input's columns as they are
 *   project    an operator node if something is computed; else no node at all, but a map
 *   union      no node: the next one gets an edge from each input
 *   aggregate  [keep the needed columns] ─► exchange by key ─► operator node
 *   operator   the same, for each input, as its binder says (plan_operator.c)
 *   sink       [exactly its columns] ─► [gather] ─► sink node */
#include "plan_build.h"

#include "op_aggregate.h"
#include "op_filter.h"
#include "op_project.h"

#include <string.h>

/* --- nodes and edges ---------------------------------------------------------------------------------------------------------- */

/* Nodes without state are numbered by kind: their names are for metrics alone. */
const char *evs_build_numbered(struct evs_builder *builder, const char *kind)
{
    uint32_t last = evs_name_index_find(&builder->kind_counts, evs_slice_of(kind));
    for (uint32_t number = last != EVS_NO_NAME ? last + 1 : 1;; number++) {
        const char *name = evs_arena_printf(builder->arena, "%s_%u", kind, number);
        if (evs_name_index_find(&builder->node_names, evs_slice_of(name)) == EVS_NO_NAME) {
            evs_name_index_set(&builder->kind_counts, kind, number);
            return name;
        }
    }
}

uint32_t evs_build_node(struct evs_builder *builder, enum evs_node_kind kind, const char *name, struct evs_place place)
{
    struct evs_plan *plan = builder->plan;
    EVS_GROW(plan->nodes, plan->node_count, builder->node_capacity);
    evs_name_index_set(&builder->node_names, name, plan->node_count);
    struct evs_place shown = evs_bind_place(builder->binder, place);
    plan->nodes[plan->node_count] = (struct evs_plan_node){
        .kind = kind,
        .name = name,
        .place = {shown.file, shown.line, shown.column},
        .output_count = 1,
    };
    return plan->node_count++;
}

void evs_build_connect(struct evs_builder *builder, const struct evs_port *ports, uint32_t count, uint32_t to,
                       uint32_t input)
{
    struct evs_plan *plan = builder->plan;
    for (uint32_t i = 0; i < count; i++) {
        EVS_ASSERT(ports[i].node < to);
        EVS_GROW(plan->edges, plan->edge_count, builder->edge_capacity);
        plan->edges[plan->edge_count++] =
            (struct evs_plan_edge){.from = ports[i].node, .output = ports[i].output, .to = to, .input = input};
    }
}

static size_t slot_of_edge(const struct evs_plan_edge *edge)
{
    EVS_ASSERT(edge->input < EVS_OPERATOR_INPUTS_MAX);
    return (size_t)edge->to * EVS_OPERATOR_INPUTS_MAX + edge->input;
}

void evs_build_branches(struct evs_builder *builder)
{
    struct evs_plan *plan = builder->plan;
    size_t slots = (size_t)plan->node_count * EVS_OPERATOR_INPUTS_MAX;
    uint32_t *counts = evs_alloc_zero(sizeof *counts * (slots + 1)); /* edges into an input of a node */
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        plan->edges[i].branch = ++counts[slot_of_edge(&plan->edges[i])];
    }
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        if (counts[slot_of_edge(&plan->edges[i])] == 1) {
            plan->edges[i].branch = 0;
        }
    }
    evs_free(counts);
}

struct evs_laid evs_build_single(struct evs_builder *builder, uint32_t node, uint32_t output, struct evs_schema schema,
                                 uint32_t *map)
{
    struct evs_laid laid = {.schema = schema, .port_count = 1, .map = map};
    laid.ports = EVS_ARENA_NEW(builder->arena, struct evs_port);
    laid.ports[0] = (struct evs_port){node, output};
    return laid;
}

static void report(struct evs_builder *builder, struct evs_place place, const struct evs_error *error)
{
    evs_report_error(builder->binder, EVS_E0302, place, error);
    builder->is_broken = true;
}

static const struct evs_program *compile(struct evs_builder *builder, const struct evs_expr **exprs, uint32_t count)
{
    const struct evs_program *program = NULL;
    struct evs_error error;
    if (evs_program_compile(builder->arena, exprs, count, &program, &error) != EVS_OK) {
        report(builder, exprs[0]->place, &error);
    }
    return program;
}

const struct evs_program *evs_build_program(struct evs_builder *builder, const struct evs_expr *const *exprs,
                                            uint32_t count, const uint32_t *map)
{
    const struct evs_expr **mapped = EVS_ARENA_ARRAY(builder->arena, const struct evs_expr *, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        mapped[i] = evs_expr_remap(builder->arena, exprs[i], map);
    }
    return compile(builder, mapped, count);
}

uint32_t *evs_build_map(struct evs_builder *builder, uint32_t count)
{
    uint32_t *map = EVS_ARENA_ARRAY(builder->arena, uint32_t, count + 1);
    memset(map, 0xff, sizeof *map * (count + 1));
    return map;
}

static struct evs_laid *input_of(struct evs_builder *builder, const struct evs_rel *rel)
{
    EVS_ASSERT(rel->inputs[0].output == 0);
    return &builder->laid[rel->inputs[0].rel->number];
}

/* --- projections that copy, exchanges ------------------------------------------------------------------------------------------- */

static uint32_t add_project(struct evs_builder *builder, const struct evs_laid *from,
                            const struct evs_project_config *config, struct evs_schema schema, const char *label,
                            struct evs_place place)
{
    uint32_t node = evs_build_node(builder, EVS_NODE_OPERATOR, evs_build_numbered(builder, "project"), place);
    struct evs_plan_node *at = evs_build_at(builder, node);
    at->operator_ = &evs_op_project;
    at->config = config;
    at->schema = schema;
    at->label = label;
    evs_build_connect(builder, from->ports, from->port_count, node, 0);
    return node;
}

static bool is_exactly(const struct evs_laid *from, const uint32_t *columns, const char *const *names, uint32_t count)
{
    if (from->schema.count != count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (columns[i] != i || (names != NULL && strcmp(names[i], from->schema.fields[i].name) != 0)) {
            return false;
        }
    }
    return true;
}

struct evs_laid evs_build_columns(struct evs_builder *builder, const struct evs_laid *from, const uint32_t *columns,
                                  const char *const *names, uint32_t count, struct evs_place place)
{
    if (is_exactly(from, columns, names, count)) {
        return *from;
    }
    struct evs_field *fields = EVS_ARENA_ARRAY(builder->arena, struct evs_field, count + 1);
    struct evs_project_item *items = EVS_ARENA_ARRAY(builder->arena, struct evs_project_item, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        EVS_ASSERT(columns[i] < from->schema.count);
        fields[i] = from->schema.fields[columns[i]];
        fields[i].name = names != NULL ? names[i] : fields[i].name;
        items[i] = (struct evs_project_item){.is_copy = true, .index = columns[i]};
    }
    struct evs_project_config *config = EVS_ARENA_NEW(builder->arena, struct evs_project_config);
    config->items = items;
    config->item_count = count;
    struct evs_schema schema = {count, fields};
    uint32_t node = add_project(builder, from, config, schema, "keep columns", place);
    return evs_build_single(builder, node, 0, schema, NULL);
}

static struct evs_laid add_exchange(struct evs_builder *builder, const struct evs_laid *from, const char *word,
                                    const struct evs_plan_exchange *exchange, struct evs_place place)
{
    uint32_t node = evs_build_node(builder, EVS_NODE_EXCHANGE, evs_build_numbered(builder, word), place);
    struct evs_plan_node *at = evs_build_at(builder, node);
    at->exchange = exchange;
    at->schema = from->schema;
    at->label = evs_label_exchange(builder->arena, &from->schema, exchange);
    evs_build_connect(builder, from->ports, from->port_count, node, 0);
    return evs_build_single(builder, node, 0, from->schema, from->map);
}

struct evs_laid evs_build_exchange(struct evs_builder *builder, const struct evs_laid *from, const uint32_t *keys,
                                   uint32_t key_count, struct evs_place place)
{
    struct evs_plan_exchange *exchange = EVS_ARENA_NEW(builder->arena, struct evs_plan_exchange);
    *exchange = (struct evs_plan_exchange){.gather = key_count == 0, .columns = keys, .column_count = key_count};
    return add_exchange(builder, from, exchange->gather ? "gather" : "exchange", exchange, place);
}

struct evs_laid evs_build_broadcast(struct evs_builder *builder, const struct evs_laid *from, struct evs_place place)
{
    struct evs_plan_exchange *exchange = EVS_ARENA_NEW(builder->arena, struct evs_plan_exchange);
    exchange->broadcast = true;
    return add_exchange(builder, from, "broadcast", exchange, place);
}

/* --- sources ------------------------------------------------------------------------------------------------------------------ */

/* The columns to decode, then the system columns; `map` is filled. */
static struct evs_schema source_schema(struct evs_builder *builder, const struct evs_rel *rel, uint32_t *map)
{
    struct evs_field *fields = EVS_ARENA_ARRAY(builder->arena, struct evs_field, rel->column_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (evs_rel_needs(rel, i)) {
            map[i] = count;
            fields[count++] = evs_rel_field(rel, i);
        }
    }
    return (struct evs_schema){count, fields};
}

static void set_columns(struct evs_builder *builder, const struct evs_bound_source *source, const uint32_t *map,
                        struct evs_plan_source *out)
{
    struct evs_decode_column *columns =
        EVS_ARENA_ARRAY(builder->arena, struct evs_decode_column, source->column_count + 1);
    for (uint32_t i = 0; i < source->column_count; i++) {
        if (map[i] != EVS_NO_COLUMN) {
            columns[out->column_count++] = source->columns[i];
        }
    }
    out->columns = columns;
    const uint32_t *system = map + source->column_count;
    out->subject_column = system[EVS_SYSTEM_SUBJECT] + 1; /* EVS_NO_COLUMN + 1 is 0: not used */
    out->sequence_column = system[EVS_SYSTEM_SEQUENCE] + 1;
    out->ingested_at_column = system[EVS_SYSTEM_INGESTED_AT] + 1;
    out->headers_column = system[EVS_SYSTEM_HEADERS] + 1;
    out->partition_column = system[EVS_SYSTEM_PARTITION] + 1;
}

static void set_partitions(struct evs_builder *builder, const struct evs_bound_source *source, const uint32_t *map,
                           struct evs_plan_source *out)
{
    uint32_t *columns = EVS_ARENA_ARRAY(builder->arena, uint32_t, source->partition_key_count + 1u);
    for (uint32_t i = 0; i < source->partition_key_count; i++) {
        columns[i] = map[source->partition_key[i]];
    }
    out->partitions = source->partitions;
    out->partition_key = columns;
    out->partition_key_count = source->partition_key_count;
}

static void set_watermark(struct evs_builder *builder, const struct evs_bound_source *source, const uint32_t *map,
                          struct evs_plan_source *out)
{
    out->watermark_delay_us = -1;
    if (source->watermark != NULL) {
        const struct evs_expr *expr = evs_expr_remap(builder->arena, source->watermark, map);
        out->watermark = compile(builder, &expr, 1);
        out->watermark_delay_us = source->watermark_delay_us;
        out->event_time_column = map[source->watermark_column];
    }
}

/* Do rows of the scan come to this relation as they are? */
static bool reaches_expiry(const struct evs_rel *rel, const struct evs_rel *scan)
{
    for (uint32_t i = 0; i < rel->input_count; i++) {
        const struct evs_rel *input = rel->inputs[i].rel;
        bool has_other_rows =
            input->kind == EVS_REL_AGGREGATE ||
            (input->kind == EVS_REL_OPERATOR && input->op->is_built && input->op->spread != EVS_SPREAD_NONE);
        if (input == scan || (!has_other_rows && reaches_expiry(input, scan))) {
            return true;
        }
    }
    return false;
}

/* Whether a row still meets its group, or is a duplicate, depends on the watermark before that very row. */
static bool needs_row_watermark(const struct evs_builder *builder, const struct evs_rel *scan)
{
    const struct evs_rels *rels = &builder->binder->rels;
    for (uint32_t i = 0; i < rels->count; i++) {
        const struct evs_rel *rel = rels->items[i];
        bool judges = (rel->kind == EVS_REL_AGGREGATE && rel->aggregate->retain_us >= 0) ||
                      (rel->kind == EVS_REL_OPERATOR && rel->op->needs_row_watermark);
        if (rel->is_live && judges && reaches_expiry(rel, scan)) {
            return true;
        }
    }
    return false;
}

static void lay_scan(struct evs_builder *builder, const struct evs_rel *rel)
{
    struct evs_plan_side *dead_side = EVS_ARENA_NEW(builder->arena, struct evs_plan_side);
    *dead_side = (struct evs_plan_side){"dead rows", evs_dead_schema};
    const struct evs_bound_source *source = rel->source;
    uint32_t *map = evs_build_map(builder, rel->column_count);
    struct evs_schema schema = source_schema(builder, rel, map);
    struct evs_plan_source *out = EVS_ARENA_NEW(builder->arena, struct evs_plan_source);
    out->connector = source->connector;
    out->config = source->config;
    out->format = source->format;
    out->idle_timeout_us = source->idle_timeout_us;
    out->future_skew_us = source->future_skew_us;
    out->future_keep = source->future_keep;
    out->fail_on_error = source->fail_on_error;
    out->needs_row_watermark = needs_row_watermark(builder, rel);
    out->row_bytes_max = (uint32_t)source->row_bytes_max;
    set_columns(builder, source, map, out);
    set_partitions(builder, source, map, out);
    set_watermark(builder, source, map, out);
    uint32_t node = evs_build_node(builder, EVS_NODE_SOURCE, source->name, source->place);
    struct evs_plan_node *at = evs_build_at(builder, node);
    at->source = out;
    at->schema = schema;
    at->output_count = 2;
    at->sides = dead_side;
    at->label = evs_label_scan(builder->arena, source);
    builder->node_of[rel->number] = node;
    builder->laid[rel->number] = evs_build_single(builder, node, 0, schema, map);
}

/* --- row-wise operators ---------------------------------------------------------------------------------------------------------- */

static void lay_filter(struct evs_builder *builder, const struct evs_rel *rel)
{
    const struct evs_laid *input = input_of(builder, rel);
    struct evs_filter_config *config = EVS_ARENA_NEW(builder->arena, struct evs_filter_config);
    const struct evs_expr *predicate = evs_expr_remap(builder->arena, rel->predicate, input->map);
    config->predicate = compile(builder, &predicate, 1);
    uint32_t node = evs_build_node(builder, EVS_NODE_OPERATOR, evs_build_numbered(builder, "filter"), rel->place);
    struct evs_plan_node *at = evs_build_at(builder, node);
    at->operator_ = &evs_op_filter;
    at->config = config;
    at->schema = input->schema;
    at->label = evs_arena_printf(builder->arena, "where %s", rel->predicate->text);
    evs_build_connect(builder, input->ports, input->port_count, node, 0);
    builder->laid[rel->number] = evs_build_single(builder, node, 0, input->schema, input->map);
}

static bool computes(const struct evs_rel *rel)
{
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (evs_rel_needs(rel, i) && rel->exprs[i]->kind != EVS_EXPR_COLUMN) {
            return true;
        }
    }
    return false;
}

/* A projection that only leaves out, repeats or renames: the columns stay where they are. */
static void map_project(struct evs_builder *builder, const struct evs_rel *rel)
{
    const struct evs_laid *input = input_of(builder, rel);
    struct evs_laid *laid = &builder->laid[rel->number];
    *laid = *input;
    laid->map = evs_build_map(builder, rel->column_count);
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (evs_rel_needs(rel, i)) {
            laid->map[i] = input->map[rel->exprs[i]->column];
        }
    }
}

static void lay_project(struct evs_builder *builder, const struct evs_rel *rel)
{
    if (!computes(rel)) {
        map_project(builder, rel);
        return;
    }
    const struct evs_laid *input = input_of(builder, rel);
    struct evs_field *fields = EVS_ARENA_ARRAY(builder->arena, struct evs_field, rel->column_count);
    struct evs_project_item *items = EVS_ARENA_ARRAY(builder->arena, struct evs_project_item, rel->column_count);
    const struct evs_expr **exprs = EVS_ARENA_ARRAY(builder->arena, const struct evs_expr *, rel->column_count);
    struct evs_project_config *config = EVS_ARENA_NEW(builder->arena, struct evs_project_config);
    uint32_t *map = evs_build_map(builder, rel->column_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (!evs_rel_needs(rel, i)) {
            continue;
        }
        bool is_copy = rel->exprs[i]->kind == EVS_EXPR_COLUMN;
        if (!is_copy) {
            exprs[config->program_outputs] = evs_expr_remap(builder->arena, rel->exprs[i], input->map);
        }
        items[count].is_copy = is_copy;
        items[count].index = is_copy ? input->map[rel->exprs[i]->column] : config->program_outputs++;
        fields[count] = evs_rel_field(rel, i);
        map[i] = count++;
    }
    config->program = compile(builder, exprs, config->program_outputs);
    config->items = items;
    config->item_count = count;
    struct evs_schema schema = {count, fields};
    uint32_t node = add_project(builder, input, config, schema, evs_label_project(builder->arena, rel), rel->place);
    builder->laid[rel->number] = evs_build_single(builder, node, 0, schema, map);
}

/* --- union ------------------------------------------------------------------------------------------------------------------------ */

/* Where the needed columns of one of the inputs stand. */
static struct evs_laid lay_union_input(struct evs_builder *builder, const struct evs_rel *rel, uint32_t index,
                                       const char *const *names)
{
    const struct evs_laid *input = &builder->laid[rel->inputs[index].rel->number];
    uint32_t *columns = EVS_ARENA_ARRAY(builder->arena, uint32_t, rel->column_count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (evs_rel_needs(rel, i)) {
            columns[count++] = input->map[i];
        }
    }
    return evs_build_columns(builder, input, columns, names, count, rel->place);
}

static void lay_union(struct evs_builder *builder, const struct evs_rel *rel)
{
    struct evs_laid laid = {.map = evs_build_map(builder, rel->column_count)};
    struct evs_field *fields = EVS_ARENA_ARRAY(builder->arena, struct evs_field, rel->column_count + 1);
    const char **names = EVS_ARENA_ARRAY(builder->arena, const char *, rel->column_count + 1);
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (evs_rel_needs(rel, i)) {
            laid.map[i] = laid.schema.count;
            names[laid.schema.count] = rel->columns[i].name;
            fields[laid.schema.count++] = evs_rel_field(rel, i);
        }
    }
    laid.schema.fields = fields;
    struct evs_laid *inputs = EVS_ARENA_ARRAY(builder->arena, struct evs_laid, rel->input_count);
    uint32_t port_count = 0;
    for (uint32_t i = 0; i < rel->input_count; i++) {
        inputs[i] = lay_union_input(builder, rel, i, names);
        port_count += inputs[i].port_count;
    }
    laid.ports = EVS_ARENA_ARRAY(builder->arena, struct evs_port, port_count);
    for (uint32_t i = 0; i < rel->input_count; i++) {
        memcpy(laid.ports + laid.port_count, inputs[i].ports, sizeof *laid.ports * inputs[i].port_count);
        laid.port_count += inputs[i].port_count;
    }
    builder->laid[rel->number] = laid;
}

/* --- aggregates --------------------------------------------------------------------------------------------------------------------- */

/* Is every column that the rows carry asked for? */
static bool carries_only(struct evs_builder *builder, const struct evs_rel *input, const uint64_t *reads)
{
    const struct evs_laid *from = &builder->laid[input->number];
    bool *used = EVS_ARENA_ARRAY(builder->arena, bool, from->schema.count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < input->column_count; i++) {
        if (evs_build_has_bit(reads, i)) {
            EVS_ASSERT(from->map[i] < from->schema.count);
            count += !used[from->map[i]];
            used[from->map[i]] = true;
        }
    }
    return count == from->schema.count;
}

uint64_t *evs_build_reads(struct evs_builder *builder, const struct evs_rel *rel, uint32_t index)
{
    uint64_t *reads = EVS_ARENA_ARRAY(builder->arena, uint64_t, rel->inputs[index].rel->column_count / 64 + 1);
    evs_rel_reads(rel, index, reads);
    return reads;
}

/* Where late rows of an aggregate leave, the columns are in the relation's order, and those that a late row shows are the first. */
struct evs_laid evs_build_narrow(struct evs_builder *builder, const struct evs_rel *rel, uint32_t index,
                                 bool is_in_order)
{
    const struct evs_rel *input = rel->inputs[index].rel;
    const struct evs_laid *from = &builder->laid[input->number];
    const uint64_t *reads = evs_build_reads(builder, rel, index);
    if (!is_in_order && carries_only(builder, input, reads)) {
        return *from;
    }
    uint32_t *columns = EVS_ARENA_ARRAY(builder->arena, uint32_t, input->column_count + 1);
    uint32_t *map = evs_build_map(builder, input->column_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < input->column_count; i++) {
        if (evs_build_has_bit(reads, i)) {
            map[i] = count;
            columns[count++] = from->map[i];
        }
    }
    if (count == 0) { /* count(*) of everything: nothing is read, whatever is carried */
        return *from;
    }
    struct evs_laid narrowed = evs_build_columns(builder, from, columns, NULL, count, rel->place);
    narrowed.map = map;
    return narrowed;
}

/* The calls that are computed, and the items of the needed columns. */
static void set_items(struct evs_builder *builder, const struct evs_rel *rel, const uint32_t *input_map,
                      struct evs_aggregate_config *config, struct evs_laid *laid)
{
    const struct evs_rel_aggregate *aggregate = rel->aggregate;
    struct evs_aggregate_item *items =
        EVS_ARENA_ARRAY(builder->arena, struct evs_aggregate_item, rel->column_count + 1);
    struct evs_aggregate_call *calls =
        EVS_ARENA_ARRAY(builder->arena, struct evs_aggregate_call, aggregate->call_count + 1);
    struct evs_field *fields = EVS_ARENA_ARRAY(builder->arena, struct evs_field, rel->column_count + 1);
    for (uint32_t i = 0; i < rel->column_count; i++) {
        struct evs_aggregate_item item = aggregate->items[i];
        bool is_needed = evs_rel_needs(rel, i);
        if (evs_build_keeps_call(rel, i)) {
            struct evs_aggregate_call call = aggregate->calls[item.index];
            uint32_t *arguments = EVS_ARENA_ARRAY(builder->arena, uint32_t, call.argument_count + 1);
            for (uint32_t k = 0; k < call.argument_count; k++) {
                arguments[k] = input_map[call.arguments[k]];
            }
            call.arguments = arguments;
            call.condition = call.condition >= 0 ? (int32_t)input_map[call.condition] : -1;
            item.index = config->call_count;
            calls[config->call_count++] = call;
        }
        if (is_needed) {
            laid->map[i] = config->item_count;
            fields[config->item_count] = evs_rel_field(rel, i);
            items[config->item_count++] = item;
        }
    }
    config->items = items;
    config->calls = calls;
    laid->schema = (struct evs_schema){config->item_count, fields};
}

/* What names a group, whether or not anybody asks for it: keys and window. */
static void set_group(struct evs_builder *builder, const struct evs_rel *rel, struct evs_aggregate_config *config)
{
    struct evs_aggregate_item *items =
        EVS_ARENA_ARRAY(builder->arena, struct evs_aggregate_item, rel->column_count + 1);
    struct evs_field *fields = EVS_ARENA_ARRAY(builder->arena, struct evs_field, rel->column_count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < rel->column_count; i++) {
        struct evs_aggregate_item item = rel->aggregate->items[i];
        if (item.what == EVS_ITEM_KEY || item.what == EVS_ITEM_WINDOW_START || item.what == EVS_ITEM_WINDOW_END) {
            fields[count] = evs_rel_field(rel, i);
            const struct evs_rel *input = rel->inputs[0].rel;
            if (fields[count].name[0] == '\0' &&
                input->kind == EVS_REL_PROJECT) { /* a key without a name: its text is one */
                fields[count].name = input->exprs[rel->aggregate->keys[item.index]]->text;
            }
            items[count++] = item;
        }
    }
    config->group_items = items;
    config->group_schema = (struct evs_schema){count, fields};
}

static void set_late(struct evs_builder *builder, const struct evs_rel *rel, uint32_t node)
{
    struct evs_rel_input late = {(struct evs_rel *)rel, 1};
    uint32_t count = evs_rel_width(late);
    struct evs_field *fields = EVS_ARENA_ARRAY(builder->arena, struct evs_field, count);
    evs_rel_fields(late, fields);
    uint32_t *map = evs_build_map(builder, count);
    for (uint32_t i = 0; i < count; i++) {
        map[i] = i;
    }
    struct evs_plan_node *at = evs_build_at(builder, node);
    struct evs_plan_side *side = EVS_ARENA_NEW(builder->arena, struct evs_plan_side);
    *side = (struct evs_plan_side){"late rows", {count, fields}};
    at->output_count = 2;
    at->sides = side;
    builder->sides[0][rel->number] = evs_build_single(builder, node, 1, side->schema, map);
}

static struct evs_aggregate_config *aggregate_config(struct evs_builder *builder, const struct evs_rel *rel,
                                                     const uint32_t *input_map, struct evs_laid *laid)
{
    const struct evs_rel_aggregate *aggregate = rel->aggregate;
    struct evs_aggregate_config *config = EVS_ARENA_NEW(builder->arena, struct evs_aggregate_config);
    uint32_t *keys = EVS_ARENA_ARRAY(builder->arena, uint32_t, aggregate->key_count + 1);
    for (uint32_t i = 0; i < aggregate->key_count; i++) {
        keys[i] = input_map[aggregate->keys[i]];
    }
    struct evs_place place = evs_bind_place(builder->binder, rel->place);
    config->keys = keys;
    config->key_count = aggregate->key_count;
    config->window = aggregate->window;
    if (config->window.kind == EVS_WINDOW_COLUMNS) {
        config->window.start_column = input_map[aggregate->window.start_column];
        config->window.end_column = input_map[aggregate->window.end_column];
    }
    config->emit = aggregate->emit;
    config->every_us = aggregate->every_us;
    config->lateness_us = aggregate->lateness_us;
    config->retain_us = aggregate->retain_us;
    config->late_output = aggregate->late_output;
    config->late_columns = aggregate->late_columns;
    config->file = place.file;
    config->line = place.line;
    set_items(builder, rel, input_map, config, laid);
    set_group(builder, rel, config);
    return config;
}

static void lay_aggregate(struct evs_builder *builder, const struct evs_rel *rel, const char *name)
{
    struct evs_laid input = evs_build_narrow(builder, rel, 0, rel->aggregate->late_output);
    struct evs_laid laid = {.map = evs_build_map(builder, rel->column_count)};
    struct evs_aggregate_config *config = aggregate_config(builder, rel, input.map, &laid);
    struct evs_laid exchanged = evs_build_exchange(builder, &input, config->keys, config->key_count, rel->place);
    uint32_t node = evs_build_node(builder, EVS_NODE_OPERATOR, name, rel->place);
    struct evs_plan_node *at = evs_build_at(builder, node);
    at->is_named = rel->name != NULL;
    at->operator_ = evs_aggregate_operator(config->window.kind, config->emit, config->lateness_us);
    at->config = config;
    at->schema = laid.schema;
    at->label = evs_label_aggregate(builder->arena, rel);
    at->state_identity = evs_aggregate_identity(rel);
    at->shape = evs_aggregate_shape(builder->arena, rel, &input);
    at->state_bound = rel->aggregate->state_bound;
    evs_build_connect(builder, exchanged.ports, exchanged.port_count, node, 0);
    builder->node_of[rel->number] = node;
    builder->laid[rel->number] = evs_build_single(builder, node, 0, laid.schema, laid.map);
    if (rel->aggregate->late_output) {
        set_late(builder, rel, node);
    }
}

/* --- the whole -------------------------------------------------------------------------------------------------------------------------- */

static void lay(struct evs_builder *builder, const struct evs_rel *rel, const char *name)
{
    switch (rel->kind) {
    case EVS_REL_SCAN:
        lay_scan(builder, rel);
        break;
    case EVS_REL_FILTER:
        lay_filter(builder, rel);
        break;
    case EVS_REL_PROJECT:
        lay_project(builder, rel);
        break;
    case EVS_REL_AGGREGATE:
        lay_aggregate(builder, rel, name);
        break;
    case EVS_REL_OPERATOR:
        evs_build_operator(builder, rel, name);
        break;
    case EVS_REL_UNION:
        lay_union(builder, rel);
        break;
    case EVS_REL_SINK:
        evs_build_sink(builder, rel);
        break;
    }
}

static void set_plan(struct evs_builder *builder)
{
    struct evs_binder *binder = builder->binder;
    struct evs_plan *plan = builder->plan;
    plan->pipeline = binder->pipeline;
    plan->checkpoint_interval_us = evs_setting(binder, "checkpoint_interval")->integer;
    plan->parallelism = (uint32_t)evs_setting(binder, "parallelism")->integer;
    const struct evs_option_value *state = evs_setting(binder, "state");
    if (state->is_set) {
        plan->state = state->integer == 0 ? EVS_STATE_REDIS : EVS_STATE_MEMORY;
    }
    plan->only_files = true;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const struct evs_plan_node *node = &plan->nodes[i];
        plan->only_files = plan->only_files && (node->source == NULL || !node->source->connector->durable) &&
                           (node->sink == NULL || node->sink->connector->shape == EVS_SINK_BYTES);
        if (node->state_identity != 0) { /* in any order: a moved query changes no state */
            plan->hash += evs_lineage_text(node->state_identity, node->name);
        } else if (node->source != NULL) {
            plan->hash += evs_lineage_text(evs_lineage_text(6, node->name), node->source->connector->kind);
        }
    }
}

/* What the runtime reads must not hang on this builder's heap. */
static void move_to_arena(struct evs_builder *builder)
{
    struct evs_plan *plan = builder->plan;
    struct evs_plan_node *nodes = EVS_ARENA_ARRAY(builder->arena, struct evs_plan_node, plan->node_count + 1);
    struct evs_plan_edge *edges = EVS_ARENA_ARRAY(builder->arena, struct evs_plan_edge, plan->edge_count + 1);
    if (plan->node_count > 0) {
        memcpy(nodes, plan->nodes, sizeof *nodes * plan->node_count);
    }
    if (plan->edge_count > 0) {
        memcpy(edges, plan->edges, sizeof *edges * plan->edge_count);
    }
    evs_free(plan->nodes);
    evs_free(plan->edges);
    plan->nodes = nodes;
    plan->edges = edges;
}

bool evs_plan_build(struct evs_binder *binder, struct evs_plan *plan)
{
    evs_rel_prune(&binder->rels);
    uint32_t count = binder->rels.count;
    struct evs_builder builder = {.binder = binder, .arena = binder->arena, .plan = plan};
    builder.node_names.is_exact = builder.kind_counts.is_exact = true;
    builder.laid = EVS_ARENA_ARRAY(binder->arena, struct evs_laid, count + 1);
    for (uint32_t i = 0; i < EVS_OPERATOR_SIDES_MAX; i++) {
        builder.sides[i] = EVS_ARENA_ARRAY(binder->arena, struct evs_laid, count + 1);
    }
    builder.node_of = evs_build_map(&builder, count);
    builder.names = evs_name_aggregates(binder);
    for (uint32_t i = 0; i < count; i++) {
        if (binder->rels.items[i]->is_live) {
            lay(&builder, binder->rels.items[i], builder.names[i]);
        }
    }
    evs_build_dead_letters(&builder);
    evs_build_branches(&builder);
    set_plan(&builder);
    evs_build_groups(&builder);
    move_to_arena(&builder);
    evs_name_index_fini(&builder.node_names);
    evs_name_index_fini(&builder.kind_counts);
    return !builder.is_broken && evs_diagnostics_errors(binder->diagnostics) == 0;
}
