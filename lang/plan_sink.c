/* Sinks in the plan: columns, gather, address, format, delivery; and the dead letters. */
#include "plan_build.h"

#include <string.h>

/* The ports that bring a sink's rows, each with exactly the columns of the first. */
static void lay_inputs(struct evs_builder *builder, const struct evs_rel *rel, struct evs_laid *out)
{
    uint32_t count = evs_rel_width(rel->inputs[0]);
    struct evs_field *fields = EVS_ARENA_ARRAY(builder->arena, struct evs_field, count + 1);
    const char **names = EVS_ARENA_ARRAY(builder->arena, const char *, count + 1);
    evs_rel_fields(rel->inputs[0], fields);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = fields[i].name;
    }
    struct evs_laid *inputs = EVS_ARENA_ARRAY(builder->arena, struct evs_laid, rel->input_count);
    uint32_t port_count = 0;
    for (uint32_t i = 0; i < rel->input_count; i++) {
        struct evs_rel_input input = rel->inputs[i];
        const struct evs_laid *from = input.output == 0 ? &builder->laid[input.rel->number]
                                                        : &builder->sides[input.output - 1][input.rel->number];
        inputs[i] = evs_build_columns(builder, from, from->map, names, count, rel->place);
        port_count += inputs[i].port_count;
        for (uint32_t c = 0; c < count; c++) { /* a union is as nullable as its most nullable input */
            fields[c].nullable = fields[c].nullable || inputs[i].schema.fields[c].nullable;
        }
    }
    *out = (struct evs_laid){.schema = {count, fields}};
    out->ports = EVS_ARENA_ARRAY(builder->arena, struct evs_port, port_count);
    for (uint32_t i = 0; i < rel->input_count; i++) {
        memcpy(out->ports + out->port_count, inputs[i].ports, sizeof *out->ports * inputs[i].port_count);
        out->port_count += inputs[i].port_count;
    }
}

/* Who has replaced a connector from outside (--sink out=file:-) wants to see the rows, not what they travel in. */
static void check_headers(struct evs_builder *builder, const struct evs_bound_sink *sink,
                          const struct evs_plan_sink *out)
{
    const struct evs_format *format = sink->format;
    bool are_dropped = sink->connector->shape == EVS_SINK_BYTES || sink->connector->drops_headers;
    bool is_lost = are_dropped && !sink->is_replaced && format->needs_headers != NULL;
    const char *instead = is_lost ? format->needs_headers(out->format_config) : NULL;
    if (instead != NULL) {
        struct evs_diag *diag =
            evs_report(builder->binder, EVS_E0504, sink->format_place,
                       "the format %s writes a part of each row as headers, which %s does not carry: it would be lost",
                       format->kind, sink->connector->kind);
        evs_diag_hint(diag, "%s", instead);
        builder->is_broken = true;
    }
}

static void bind_format(struct evs_builder *builder, const struct evs_bound_sink *sink, const struct evs_schema *schema,
                        struct evs_plan_sink *out)
{
    struct evs_error error;
    if (sink->format->configure != NULL &&
        sink->format->configure(sink->format_values, schema, builder->arena, &out->format_config, &error) != EVS_OK) {
        evs_report_error(builder->binder, EVS_E0504, sink->format_place, &error);
        builder->is_broken = true;
        return;
    }
    check_headers(builder, sink, out);
}

static void check_columns(struct evs_builder *builder, const struct evs_bound_sink *sink,
                          const struct evs_schema *schema)
{
    struct evs_error error;
    if (sink->connector->check != NULL && sink->connector->check(sink->config, schema, &error) != EVS_OK) {
        evs_report_error(builder->binder, EVS_E0504, sink->place, &error);
        builder->is_broken = true;
    }
}

static void bind_templates(struct evs_builder *builder, const struct evs_bound_sink *sink,
                           const struct evs_schema *schema, struct evs_plan_sink *out)
{
    struct evs_error error;
    if (sink->connector->bind != NULL &&
        sink->connector->bind(sink->config, schema, builder->arena, &out->binding, &error) != EVS_OK) {
        evs_report_error(builder->binder, EVS_E0505, sink->place, &error);
        builder->is_broken = true;
    }
}

static void bind_address(struct evs_builder *builder, const struct evs_bound_sink *sink,
                         const struct evs_schema *schema, struct evs_plan_sink *out)
{
    struct evs_error error;
    if (sink->address.data != NULL &&
        evs_template_bind(sink->address, schema, builder->arena, &out->address, &error) != EVS_OK) {
        evs_report_error(builder->binder, EVS_E0505, sink->address_place, &error);
        builder->is_broken = true;
    }
}

/* Exact where the connector or the user says so, and by default where a replay may give other rows (exactness, 4). */
static void set_delivery(struct evs_builder *builder, const struct evs_bound_sink *sink, struct evs_plan_node *node,
                         struct evs_plan_sink *out)
{
    if (sink->connector->shape == EVS_SINK_BYTES) { /* the position is part of the commit: nothing is written twice */
        return;
    }
    bool by_default = !node->replay_stable;
    out->exact = sink->connector->always_exact || sink->connector->through_outbox ||
                 (sink->delivery_is_set ? sink->exact : by_default);
    if (!out->exact && !node->replay_stable) {
        struct evs_diag *diag = evs_report(
            builder->binder, EVS_W0005, sink->delivery_place,
            "`%s` is delivered fast, but a replay may give other rows: at least once is all that holds", sink->name);
        evs_diag_hint(diag, "because of the operator `%s`; delivery = 'exact' avoids it", node->unstable_because);
    }
}

static struct evs_plan_node *add_sink(struct evs_builder *builder, const struct evs_bound_sink *sink,
                                      const struct evs_laid *rows, struct evs_plan_sink *out)
{
    struct evs_laid input = sink->connector->single ? evs_build_exchange(builder, rows, NULL, 0, sink->place) : *rows;
    uint32_t number = evs_build_node(builder, EVS_NODE_SINK, sink->name, sink->place);
    struct evs_plan_node *node = evs_build_at(builder, number);
    node->schema = rows->schema;
    node->sink = out;
    node->output_count = 0;
    node->label =
        evs_arena_printf(builder->arena, "sink %s to %s, format %s", sink->name, sink->label, sink->format->kind);
    evs_build_connect(builder, input.ports, input.port_count, number, 0);
    out->connector = sink->connector;
    out->config = sink->config;
    out->format = sink->format;
    bind_format(builder, sink, &node->schema, out);
    bind_address(builder, sink, &node->schema, out);
    bind_templates(builder, sink, &node->schema, out);
    check_columns(builder, sink, &node->schema);
    return evs_build_at(builder, number);
}

void evs_build_sink(struct evs_builder *builder, const struct evs_rel *rel)
{
    struct evs_laid rows;
    lay_inputs(builder, rel, &rows);
    struct evs_plan_sink *out = EVS_ARENA_NEW(builder->arena, struct evs_plan_sink);
    out->operator_path = evs_path_of(builder->arena, builder->names, rel->inputs[0].rel);
    struct evs_plan_node *node = add_sink(builder, rel->sink, &rows, out);
    node->replay_stable = rel->unstable == NULL;
    if (rel->unstable != NULL) {
        node->unstable_because = evs_build_at(builder, builder->node_of[rel->unstable->number])->name;
    }
    set_delivery(builder, rel->sink, node, out);
}

/* --- dead letters ------------------------------------------------------------------------------------------------------------- */

/* The sources in the plan that send their dead rows to a sink. */
static struct evs_laid dead_rows(struct evs_builder *builder, const struct evs_entity *sink)
{
    struct evs_laid laid = {.schema = evs_dead_schema};
    struct evs_rels *rels = &builder->binder->rels;
    uint32_t capacity = 0;
    struct evs_port *ports = NULL;
    for (uint32_t i = 0; i < rels->count; i++) {
        const struct evs_rel *rel = rels->items[i];
        if (rel->kind == EVS_REL_SCAN && rel->is_live && rel->source->dead_letter == sink) {
            EVS_GROW(ports, laid.port_count, capacity);
            ports[laid.port_count++] = (struct evs_port){builder->node_of[i], 1};
        }
    }
    laid.ports = EVS_ARENA_ARRAY(builder->arena, struct evs_port, laid.port_count + 1);
    if (laid.port_count > 0) {
        memcpy(laid.ports, ports, sizeof *ports * laid.port_count);
    }
    evs_free(ports);
    return laid;
}

/* Whether a receiver refuses a row is not known before it is asked, and another time it may not: its dead letters wait for the commit. NULL: no sink of the plan has such
 * ones. */
static const char *refusing_sink(const struct evs_builder *builder)
{
    for (uint32_t i = 0; i < builder->plan->node_count; i++) {
        const struct evs_plan_node *node = &builder->plan->nodes[i];
        if (node->kind == EVS_NODE_SINK && node->sink->connector->refused != NULL) {
            return node->name;
        }
    }
    return NULL;
}

/* Behind all other nodes: rows die in every one of them. */
void evs_build_dead_letters(struct evs_builder *builder)
{
    struct evs_binder *binder = builder->binder;
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        struct evs_entity *entity = binder->entities[i];
        if (entity->kind != EVS_ENTITY_SINK || entity->state != EVS_ENTITY_BOUND ||
            entity->sink->dead_place.file == NULL) {
            continue;
        }
        struct evs_laid rows = dead_rows(builder, entity);
        if (rows.port_count == 0) {
            continue;
        }
        struct evs_plan_sink *out = EVS_ARENA_NEW(builder->arena, struct evs_plan_sink);
        out->is_dead_letter = true;
        out->operator_path = "dead";
        const char *refusing = refusing_sink(builder);
        struct evs_plan_node *node = add_sink(builder, entity->sink, &rows, out);
        node->replay_stable = refusing == NULL;
        node->unstable_because = refusing;
        set_delivery(builder, entity->sink, node, out);
        uint32_t number = (uint32_t)(node - builder->plan->nodes);
        for (uint32_t k = 0; k < rows.port_count; k++) {
            evs_build_at(builder, rows.ports[k].node)->dead_letter = number + 1;
        }
    }
}
