/* What stored state means: the identity of an operator's state as one number, and its shape, by which a later version of the pipeline finds what still
 * fits (engine/state/match.h). */
#include "aggregate_form.h"
#include "plan_build.h"

#include <string.h>

/* --- aggregates: identity ---------------------------------------------------------------------------------------------------------- */

/* Is the column a call that is computed? See plan_prune.c. */
bool evs_build_keeps_call(const struct evs_rel *rel, uint32_t column)
{
    const struct evs_rel_aggregate *aggregate = rel->aggregate;
    return aggregate->items[column].what == EVS_ITEM_CALL &&
           (evs_rel_gives_updates(aggregate) || evs_rel_needs(rel, column));
}

static uint64_t type_identity(const struct evs_type *type)
{
    struct evs_buffer name = {0};
    evs_type_name(type, &name);
    uint64_t hash = evs_hash64(name.data, name.count);
    evs_buffer_fini(&name);
    return hash;
}

/* What decides how an accumulator lies in memory, and what it means. */
static uint64_t call_identity(const struct evs_rel *input, const struct evs_aggregate_call *call)
{
    const uint64_t parts[] = {call->kind,
                              call->is_distinct,
                              call->ignore_nulls,
                              (uint64_t)call->limit,
                              (uint64_t)call->number,
                              (uint64_t)call->within_us,
                              evs_hash64(call->delimiter.data, call->delimiter.count),
                              type_identity(call->result_type),
                              call->condition >= 0 ? input->columns[call->condition].lineage : 0};
    uint64_t hash = call->argument_count;
    for (size_t i = 0; i < EVS_COUNT(parts); i++) {
        hash = evs_lineage_mix(hash, parts[i]);
    }
    for (uint32_t i = 0; i < call->argument_count; i++) {
        hash = evs_lineage_mix(hash, input->columns[call->arguments[i]].lineage);
        hash = evs_lineage_mix(hash, type_identity(call->types[i]));
    }
    for (uint32_t i = 0; i < call->order_count; i++) {
        const struct evs_aggregate_order *order = &call->orders[i];
        hash = evs_lineage_mix(hash, (uint64_t)order->argument << 2 | (uint64_t)order->is_descending << 1 |
                                         order->nulls_last);
    }
    return hash;
}

static uint64_t mix_window(uint64_t hash, const struct evs_rel_aggregate *aggregate)
{
    const uint64_t window[] = {aggregate->window.kind, aggregate->window_identity, aggregate->emit,
                               (uint64_t)aggregate->every_us, (uint64_t)aggregate->lateness_us};
    for (size_t i = 0; i < EVS_COUNT(window); i++) {
        hash = evs_lineage_mix(hash, window[i]);
    }
    return hash;
}

/* What the stored state means and how it lies in memory: keys, window, and the calls that are kept, in their order. Without an explicit name it
 * also tells which rows were counted; with one, the user says that the state goes on though the rows before changed. */
uint64_t evs_aggregate_identity(const struct evs_rel *rel)
{
    const struct evs_rel_aggregate *aggregate = rel->aggregate;
    const struct evs_rel *input = rel->inputs[0].rel;
    uint64_t hash = evs_lineage_text(rel->name != NULL ? 0 : input->lineage, "aggregate");
    for (uint32_t i = 0; i < aggregate->key_count; i++) {
        hash = evs_lineage_mix(hash, input->columns[aggregate->keys[i]].lineage);
        hash = evs_lineage_mix(hash, input->columns[aggregate->keys[i]].type->kind);
    }
    hash = mix_window(hash, aggregate);
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (!evs_build_keeps_call(rel, i)) {
            continue;
        }
        const struct evs_aggregate_call *call = &aggregate->calls[aggregate->items[i].index];
        hash = evs_lineage_mix(hash, call_identity(input, call));
    }
    return hash;
}

/* --- shapes ---------------------------------------------------------------------------------------------------------------------------- */

static struct evs_state_parts parts_of(struct evs_arena *arena, uint32_t count)
{
    return (struct evs_state_parts){EVS_ARENA_ARRAY(arena, struct evs_state_part, count + 1u), 0};
}

static struct evs_slice keep_bytes(struct evs_arena *arena, const void *bytes, size_t count)
{
    return (struct evs_slice){evs_arena_strndup(arena, bytes, count), count};
}

uint64_t evs_key_identity(const struct evs_rel_column *column, uint32_t input)
{
    return evs_lineage_mix(evs_lineage_mix(column->lineage, column->type->kind), input);
}

static void add_key(struct evs_arena *arena, struct evs_state_parts *keys, const struct evs_rel_column *column,
                    uint32_t input)
{
    const uint8_t form[2] = {(uint8_t)column->type->kind, (uint8_t)input};
    keys->items[keys->count++] = (struct evs_state_part){
        .text = evs_arena_strndup(arena, column->name, strlen(column->name)),
        .identity = evs_key_identity(column, input),
        .form = keep_bytes(arena, form, sizeof form),
    };
}

/* Rows are kept as they come: every column that the input carries, where it stands. One that nobody of this operator reads has no meaning but its place. */
static void add_rows(struct evs_arena *arena, struct evs_state_parts *rows, const struct evs_rel *input,
                     const struct evs_schema *schema, const uint32_t *map, uint32_t number)
{
    uint32_t first = rows->count;
    for (uint32_t i = 0; i < schema->count; i++) {
        const uint8_t form[2] = {(uint8_t)number, (uint8_t)schema->fields[i].type->kind};
        rows->items[rows->count++] = (struct evs_state_part){
            .text = evs_arena_strndup(arena, schema->fields[i].name, strlen(schema->fields[i].name)),
            .identity = evs_lineage_mix(evs_lineage_text(number, schema->fields[i].name), form[1]),
            .form = keep_bytes(arena, form, sizeof form),
        };
    }
    for (uint32_t column = 0; column < input->column_count; column++) {
        if (map[column] != EVS_NO_COLUMN) {
            EVS_ASSERT(map[column] < schema->count);
            rows->items[first + map[column]].identity = evs_lineage_mix(
                evs_lineage_mix(input->columns[column].lineage, input->columns[column].type->kind), number);
        }
    }
}

static void add_call(struct evs_arena *arena, struct evs_state_parts *columns, const struct evs_rel *input,
                     const struct evs_aggregate_call *call)
{
    struct evs_buffer form = {0};
    evs_agg_form_write(call, &form);
    columns->items[columns->count++] = (struct evs_state_part){
        .text = call->text,
        .identity = call_identity(input, call),
        .form = keep_bytes(arena, form.data, form.count),
    };
    evs_buffer_fini(&form);
}

const struct evs_state_shape *evs_aggregate_shape(struct evs_arena *arena, const struct evs_rel *rel,
                                                  const struct evs_laid *input)
{
    const struct evs_rel_aggregate *aggregate = rel->aggregate;
    const struct evs_rel *below = rel->inputs[0].rel;
    struct evs_state_shape *shape = EVS_ARENA_NEW(arena, struct evs_state_shape);
    *shape = (struct evs_state_shape){
        .kind = "aggregate",
        .label = evs_label_groups(arena, rel),
        .is_named = rel->name != NULL,
        .is_elastic = true,
        .window = mix_window(0, aggregate),
        .lineage = below->lineage,
        .stored_key = evs_op_aggregate.stored_key,
        .keys = parts_of(arena, aggregate->key_count),
        .columns = parts_of(arena, rel->column_count),
        .rows = parts_of(arena, input->schema.count),
    };
    for (uint32_t i = 0; i < aggregate->key_count; i++) {
        add_key(arena, &shape->keys, &below->columns[aggregate->keys[i]], 0);
    }
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (evs_build_keeps_call(rel, i)) {
            add_call(arena, &shape->columns, below, &aggregate->calls[aggregate->items[i].index]);
        }
    }
    add_rows(arena, &shape->rows, below, &input->schema, input->map, 0);
    return shape;
}

const struct evs_state_shape *evs_operator_shape(const struct evs_rel *rel, const struct evs_rel_layout *layout)
{
    const struct evs_rel_operator *op = rel->op;
    struct evs_arena *arena = layout->arena;
    struct evs_state_shape *shape = EVS_ARENA_NEW(arena, struct evs_state_shape);
    uint32_t keys = 0, columns = 0;
    *shape = (struct evs_state_shape){.kind = op->operator_->kind,
                                      .label = op->label,
                                      .is_named = rel->name != NULL,
                                      .window = op->identity,
                                      .is_elastic = (op->operator_->flags & EVS_OP_ELASTIC) != 0,
                                      .stored_key = op->operator_->stored_key};
    for (uint32_t i = 0; i < rel->input_count; i++) {
        shape->lineage = evs_lineage_mix(shape->lineage, rel->inputs[i].rel->lineage);
        keys += op->readings[i].key_count;
        columns += op->keeps_rows ? layout->input_schema[i].count : 0;
    }
    shape->keys = parts_of(arena, keys);
    shape->columns = parts_of(arena, 0);
    shape->rows = parts_of(arena, columns);
    for (uint32_t i = 0; i < rel->input_count; i++) {
        const struct evs_rel *input = rel->inputs[i].rel;
        for (uint32_t k = 0; k < op->readings[i].key_count; k++) {
            add_key(arena, &shape->keys, &input->columns[op->readings[i].keys[k]], i);
        }
        if (op->keeps_rows) {
            add_rows(arena, &shape->rows, input, &layout->input_schema[i], layout->input_map[i], i);
        }
    }
    return shape;
}
