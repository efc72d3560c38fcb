/* Operators of the catalogue in the plan: what their binders said (struct evs_rel_operator), laid out.
 *
 *   input 0 ─► [keep the needed columns] ─► exchange ─┐
 *   input 1 ─► [keep the needed columns] ─► exchange ─┴─► operator ─► output 0, side outputs */
#include "plan_build.h"

#include <string.h>

/* Exactly the relation's columns, under their names. */
static struct evs_laid exact_input(struct evs_builder *builder, const struct evs_rel *rel, const struct evs_rel *input)
{
    EVS_ASSERT(rel->op->spread == EVS_SPREAD_NONE);
    const struct evs_laid *from = &builder->laid[input->number];
    const char **names = EVS_ARENA_ARRAY(builder->arena, const char *, input->column_count + 1);
    uint32_t *map = evs_build_map(builder, input->column_count);
    for (uint32_t i = 0; i < input->column_count; i++) {
        names[i] = input->columns[i].name;
        map[i] = i;
    }
    struct evs_laid exact = evs_build_columns(builder, from, from->map, names, input->column_count, rel->place);
    exact.map = map;
    return exact;
}

/* One input where the operator wants it: on the worker of its key, with the needed columns alone if it is copied anyway. */
static struct evs_laid lay_input(struct evs_builder *builder, const struct evs_rel *rel, uint32_t index)
{
    const struct evs_rel_operator *op = rel->op;
    const struct evs_rel *input = rel->inputs[index].rel;
    EVS_ASSERT(rel->inputs[index].output == 0);
    if (op->readings[index].is_exact) {
        return exact_input(builder, rel, input);
    }
    if (op->spread == EVS_SPREAD_NONE) {
        return builder->laid[input->number];
    }
    struct evs_laid narrowed = evs_build_narrow(builder, rel, index, false);
    const struct evs_rel_reading *reading = &op->readings[index];
    if (reading->is_broadcast) {
        return evs_build_broadcast(builder, &narrowed, rel->place);
    }
    uint32_t key_count = op->spread == EVS_SPREAD_GATHER ? 0 : reading->key_count;
    uint32_t *keys = EVS_ARENA_ARRAY(builder->arena, uint32_t, key_count + 1);
    for (uint32_t i = 0; i < key_count; i++) {
        keys[i] = narrowed.map[reading->keys[i]];
        EVS_ASSERT(keys[i] < narrowed.schema.count);
    }
    return evs_build_exchange(builder, &narrowed, keys, key_count, rel->place);
}

static struct evs_field field_of(const struct evs_rel_column *column)
{
    return (struct evs_field){.name = column->name, .type = column->type, .nullable = column->nullable};
}

/* The columns of an output that is not built: those of input 0 as they come, then the operator's own. `needed`: NULL for all. */
static struct evs_schema extend(struct evs_builder *builder, const struct evs_laid *input,
                                const struct evs_rel_column *columns, const struct evs_rel_origin *origins,
                                uint32_t count, const struct evs_rel *needed, uint32_t *map)
{
    struct evs_field *fields = EVS_ARENA_ARRAY(builder->arena, struct evs_field, input->schema.count + count + 1);
    uint32_t at = input->schema.count;
    if (at > 0) {
        memcpy(fields, input->schema.fields, sizeof *fields * at);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (origins[i].input != EVS_COMPUTED) {
            EVS_ASSERT(origins[i].input == 0);
            map[i] = input->map[origins[i].column];
        } else if (needed == NULL || evs_rel_needs(needed, i)) {
            fields[at] = field_of(&columns[i]);
            map[i] = at++;
        }
    }
    return (struct evs_schema){at, fields};
}

/* The columns of an output that is built: exactly those that are asked for. */
static struct evs_schema build(struct evs_builder *builder, const struct evs_rel_column *columns, uint32_t count,
                               const struct evs_rel *needed, uint32_t *map)
{
    struct evs_field *fields = EVS_ARENA_ARRAY(builder->arena, struct evs_field, count + 1);
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (needed == NULL || evs_rel_needs(needed, i)) {
            fields[at] = field_of(&columns[i]);
            map[i] = at++;
        }
    }
    return (struct evs_schema){at, fields};
}

static void lay_sides(struct evs_builder *builder, const struct evs_rel *rel, const struct evs_laid *input,
                      uint32_t node, struct evs_rel_layout *layout)
{
    const struct evs_rel_operator *op = rel->op;
    struct evs_plan_side *sides = EVS_ARENA_ARRAY(builder->arena, struct evs_plan_side, op->side_count + 1);
    EVS_ASSERT(op->side_count <= EVS_OPERATOR_SIDES_MAX);
    for (uint32_t i = 0; i < op->side_count; i++) {
        const struct evs_rel_side *side = &op->sides[i];
        uint32_t *map = evs_build_map(builder, side->column_count);
        sides[i].name = side->name;
        sides[i].schema = side->is_built
                              ? build(builder, side->columns, side->column_count, NULL, map)
                              : extend(builder, input, side->columns, side->origins, side->column_count, NULL, map);
        layout->side_schema[i] = sides[i].schema;
        builder->sides[i][rel->number] = evs_build_single(builder, node, i + 1, sides[i].schema, map);
    }
    struct evs_plan_node *at = evs_build_at(builder, node);
    at->sides = sides;
    at->output_count = 1 + op->side_count;
}

/* Kept rows are nothing but bytes: which column stands where, and what it is made of. A new consumer of a column changes it. */
static uint64_t carried_columns(const struct evs_rel *rel, const struct evs_rel_layout *layout, uint64_t hash)
{
    for (uint32_t i = 0; i < rel->input_count; i++) {
        const struct evs_rel *input = rel->inputs[i].rel;
        const uint64_t *reads = evs_build_reads(layout->builder, rel, i);
        for (uint32_t column = 0; column < input->column_count; column++) {
            uint32_t at = layout->input_map[i][column];
            if (evs_build_has_bit(reads, column)) {
                EVS_ASSERT(at < layout->input_schema[i].count);
                hash = evs_lineage_mix(evs_lineage_mix(hash, at), input->columns[column].lineage);
                hash = evs_lineage_mix(hash, input->columns[column].type->kind);
            }
        }
    }
    return hash;
}

/* What the stored state means. Without an explicit name it also tells which rows came; with one, the user says that the state goes on though
 * the rows before changed. */
static uint64_t state_identity(const struct evs_rel *rel, const struct evs_rel_layout *layout)
{
    const struct evs_rel_operator *op = rel->op;
    uint64_t hash = evs_lineage_text(op->identity, op->operator_->kind);
    for (uint32_t i = 0; i < rel->input_count; i++) {
        const struct evs_rel *input = rel->inputs[i].rel;
        hash = evs_lineage_mix(hash, rel->name != NULL ? 0 : input->lineage);
        for (uint32_t k = 0; k < op->readings[i].key_count; k++) {
            const struct evs_rel_column *key = &input->columns[op->readings[i].keys[k]];
            hash = evs_lineage_mix(evs_lineage_mix(hash, key->lineage), key->type->kind);
        }
    }
    return op->keeps_rows ? carried_columns(rel, layout, hash) : hash;
}

void evs_build_operator(struct evs_builder *builder, const struct evs_rel *rel, const char *name)
{
    const struct evs_rel_operator *op = rel->op;
    struct evs_rel_layout layout = {.builder = builder, .arena = builder->arena, .rel = rel};
    struct evs_laid inputs[EVS_OPERATOR_INPUTS_MAX];
    for (uint32_t i = 0; i < rel->input_count; i++) {
        inputs[i] = lay_input(builder, rel, i);
        layout.input_map[i] = inputs[i].map;
        layout.input_schema[i] = inputs[i].schema;
    }
    uint32_t *map = evs_build_map(builder, rel->column_count);
    layout.schema = op->is_built ? build(builder, rel->columns, rel->column_count, rel, map)
                                 : extend(builder, &inputs[0], rel->columns, op->origins, rel->column_count, rel, map);
    layout.map = map;
    layout.place = evs_bind_place(builder->binder, rel->place);
    bool has_state = (op->operator_->flags & EVS_OP_STATEFUL) != 0;
    uint32_t node = evs_build_node(builder, EVS_NODE_OPERATOR,
                                   has_state ? name : evs_build_numbered(builder, op->operator_->kind), rel->place);
    lay_sides(builder, rel, &inputs[0], node, &layout);
    const void *config = op->configure != NULL ? op->configure(&layout) : NULL;
    builder->is_broken = builder->is_broken || (op->configure != NULL && config == NULL);
    struct evs_plan_node *at = evs_build_at(builder, node);
    at->is_named = has_state && rel->name != NULL;
    at->operator_ = op->operator_;
    at->config = config;
    at->schema = layout.schema;
    at->label = op->label;
    at->state_identity = has_state ? state_identity(rel, &layout) : 0;
    at->shape = has_state ? evs_operator_shape(rel, &layout) : NULL;
    at->state_bound = op->state_bound;
    for (uint32_t i = 0; i < rel->input_count; i++) {
        evs_build_connect(builder, inputs[i].ports, inputs[i].port_count, node, i);
    }
    builder->node_of[rel->number] = node;
    builder->laid[rel->number] = evs_build_single(builder, node, 0, layout.schema, map);
}
