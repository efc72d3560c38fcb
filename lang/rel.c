/* Relations: construction, and what follows for a relation from its inputs. */
#include "rel.h"

#include <string.h>

/* --- lineage ---------------------------------------------------------------------------------------------------------- */

uint64_t evs_lineage_mix(uint64_t seed, uint64_t value)
{
    uint64_t pair[2] = {seed, value};
    return evs_hash64(pair, sizeof pair);
}

uint64_t evs_lineage_text(uint64_t seed, const char *text)
{
    return evs_lineage_mix(seed, evs_hash64(text, strlen(text)));
}

/* The text names the columns; their own lineages are added in any order, so that column numbers do not matter. */
uint64_t evs_lineage_expr(const struct evs_rel *input, const struct evs_expr *expr)
{
    if (expr->kind == EVS_EXPR_COLUMN) {
        return input->columns[expr->column].lineage;
    }
    uint64_t words[EVS_VALID_WORDS(input->column_count) + 1];
    memset(words, 0, sizeof words);
    evs_expr_columns(expr, words);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < input->column_count; i++) {
        if ((words[i / 64] >> (i % 64)) & 1) {
            sum += evs_lineage_text(input->columns[i].lineage, input->columns[i].name);
        }
    }
    EVS_ASSERT(expr->text != NULL);
    return evs_lineage_mix(evs_lineage_text(1, expr->text), sum);
}

/* --- construction ----------------------------------------------------------------------------------------------------- */

static struct evs_rel *new_rel(struct evs_rels *rels, enum evs_rel_kind kind, struct evs_place place,
                               uint32_t column_count)
{
    struct evs_rel *rel = EVS_ARENA_NEW(rels->arena, struct evs_rel);
    EVS_GROW(rels->items, rels->count, rels->capacity);
    rel->kind = kind;
    rel->number = rels->count;
    rel->place = place;
    rel->column_count = column_count;
    rel->needed = EVS_ARENA_ARRAY(rels->arena, uint64_t, EVS_VALID_WORDS(column_count) + 1);
    rel->event_time_column = EVS_NO_COLUMN;
    rels->items[rels->count++] = rel;
    return rel;
}

static void set_input(struct evs_rels *rels, struct evs_rel *rel, struct evs_rel *input)
{
    EVS_ASSERT(input->number < rel->number);
    rel->inputs = EVS_ARENA_NEW(rels->arena, struct evs_rel_input);
    rel->inputs[0].rel = input;
    rel->input_count = 1;
    rel->is_bounded = input->is_bounded;
    rel->is_timed_by_reading = input->is_timed_by_reading;
    rel->is_update = input->is_update;
    rel->is_ordered = input->is_ordered;
    rel->unstable = input->unstable;
    rel->lineage = input->lineage;
}

struct evs_rel *evs_rel_scan(struct evs_rels *rels, struct evs_bound_source *source, struct evs_rel_column *columns,
                             uint32_t count, struct evs_place place)
{
    struct evs_rel *rel = new_rel(rels, EVS_REL_SCAN, place, count);
    rel->source = source;
    rel->columns = columns;
    return rel;
}

struct evs_rel *evs_rel_filter(struct evs_rels *rels, struct evs_rel *input, const struct evs_expr *predicate)
{
    EVS_ASSERT(predicate->type->kind == EVS_BOOL);
    struct evs_rel *rel = new_rel(rels, EVS_REL_FILTER, predicate->place, input->column_count);
    set_input(rels, rel, input);
    rel->columns = input->columns;
    rel->predicate = predicate;
    rel->event_time_column = input->event_time_column;
    rel->lineage = evs_lineage_mix(input->lineage, evs_lineage_expr(input, predicate));
    return rel;
}

struct evs_rel *evs_rel_project(struct evs_rels *rels, struct evs_rel *input, const struct evs_expr **exprs,
                                const char *const *names, uint32_t count, struct evs_place place)
{
    struct evs_rel *rel = new_rel(rels, EVS_REL_PROJECT, place, count);
    set_input(rels, rel, input);
    rel->columns = EVS_ARENA_ARRAY(rels->arena, struct evs_rel_column, count);
    rel->exprs = exprs;
    for (uint32_t i = 0; i < count; i++) {
        bool is_copy = exprs[i]->kind == EVS_EXPR_COLUMN;
        EVS_ASSERT(!is_copy || exprs[i]->column < input->column_count);
        rel->columns[i] = (struct evs_rel_column){
            .name = names[i],
            .type = exprs[i]->type,
            .nullable = exprs[i]->nullable,
            .edge = is_copy ? input->columns[exprs[i]->column].edge : EVS_EDGE_NONE,
            .window = is_copy ? input->columns[exprs[i]->column].window : 0,
            .lineage = evs_lineage_expr(input, exprs[i]),
        };
        if (is_copy && exprs[i]->column == input->event_time_column && rel->event_time_column == EVS_NO_COLUMN) {
            rel->event_time_column = i;
        }
    }
    return rel;
}

static uint64_t aggregate_lineage(const struct evs_rel *input, const struct evs_rel_aggregate *aggregate)
{
    uint64_t hash = evs_lineage_text(input->lineage, "aggregate");
    for (uint32_t i = 0; i < aggregate->key_count; i++) {
        hash = evs_lineage_mix(hash, input->columns[aggregate->keys[i]].lineage);
    }
    hash = evs_lineage_mix(hash, aggregate->window.kind);
    hash = evs_lineage_mix(hash, aggregate->window_identity);
    hash = evs_lineage_mix(hash, aggregate->emit);
    hash = evs_lineage_mix(hash, (uint64_t)aggregate->every_us);
    hash = evs_lineage_mix(hash, (uint64_t)aggregate->lateness_us);
    uint64_t calls = 0; /* in any order: state columns are matched by their text */
    for (uint32_t i = 0; i < aggregate->call_count; i++) {
        const struct evs_aggregate_call *call = &aggregate->calls[i];
        uint64_t one = evs_lineage_text(2, call->text);
        for (uint32_t k = 0; k < call->argument_count; k++) {
            one = evs_lineage_mix(one, input->columns[call->arguments[k]].lineage);
        }
        calls += evs_lineage_mix(one, call->condition >= 0 ? input->columns[call->condition].lineage : 0);
    }
    return evs_lineage_mix(hash, calls);
}

/* Windows of one definition are the same windows, whatever was counted in them. */
static void set_edge(struct evs_rel_column *column, const struct evs_rel_aggregate *aggregate, uint32_t index)
{
    bool is_start = aggregate->items[index].what == EVS_ITEM_WINDOW_START;
    if (is_start || aggregate->items[index].what == EVS_ITEM_WINDOW_END) {
        column->edge = is_start ? EVS_EDGE_START : EVS_EDGE_END;
        column->window = aggregate->window_identity;
    }
}

/* Which revisions there are depends on how partitions interleave. (Sessions take late rows in one order.) */
static bool shows_order(const struct evs_rel_aggregate *aggregate)
{
    bool is_session = aggregate->window.kind == EVS_WINDOW_SESSION;
    return aggregate->emit == EVS_EMIT_ON_CHANGE ||
           (aggregate->lateness_us > 0 && aggregate->emit == EVS_EMIT_ON_CLOSE && !is_session);
}

struct evs_rel *evs_rel_aggregate(struct evs_rels *rels, struct evs_rel *input,
                                  const struct evs_rel_aggregate *aggregate, struct evs_rel_column *columns,
                                  uint32_t count, struct evs_place place, const char *name)
{
    struct evs_rel *rel = new_rel(rels, EVS_REL_AGGREGATE, place, count);
    set_input(rels, rel, input);
    rel->aggregate = aggregate;
    rel->columns = columns;
    rel->name = name;
    rel->lineage = aggregate_lineage(input, aggregate);
    rel->is_update = evs_rel_gives_updates(aggregate);
    if (shows_order(aggregate) && !input->is_ordered && rel->unstable == NULL) {
        rel->unstable = rel; /* which revisions there are depends on how partitions interleave (exactness, 4) */
    }
    rel->is_ordered = false; /* its rows leave several workers */
    for (uint32_t i = 0; i < count; i++) {
        rel->columns[i].lineage =
            evs_lineage_mix(evs_lineage_mix(rel->lineage, aggregate->items[i].what), aggregate->items[i].index);
        if (!rel->is_update) {
            set_edge(&rel->columns[i], aggregate, i);
        }
    }
    return rel;
}

/* --- operators of the catalogue --------------------------------------------------------------------------------------- */

static uint64_t operator_lineage(const struct evs_rel *rel)
{
    const struct evs_rel_operator *op = rel->op;
    uint64_t hash = evs_lineage_text(op->identity, op->operator_->kind);
    for (uint32_t i = 0; i < rel->input_count; i++) {
        const struct evs_rel *input = rel->inputs[i].rel;
        hash = evs_lineage_mix(hash, input->lineage);
        for (uint32_t k = 0; k < op->readings[i].key_count; k++) {
            hash = evs_lineage_mix(hash, input->columns[op->readings[i].keys[k]].lineage);
        }
    }
    return hash;
}

static void set_operator_inputs(struct evs_rels *rels, struct evs_rel *rel, struct evs_rel *const *inputs,
                                uint32_t count)
{
    EVS_ASSERT(count >= 1 && count <= EVS_OPERATOR_INPUTS_MAX);
    rel->inputs = EVS_ARENA_ARRAY(rels->arena, struct evs_rel_input, count);
    rel->input_count = count;
    rel->is_bounded = true;
    rel->is_ordered = count == 1 && inputs[0]->is_ordered && rel->op->spread == EVS_SPREAD_NONE;
    for (uint32_t i = 0; i < count; i++) {
        EVS_ASSERT(inputs[i]->number < rel->number);
        rel->inputs[i].rel = inputs[i];
        rel->is_bounded = rel->is_bounded && inputs[i]->is_bounded;
        rel->is_timed_by_reading = rel->is_timed_by_reading || inputs[i]->is_timed_by_reading;
        rel->is_update = rel->is_update || inputs[i]->is_update;
        rel->unstable = rel->unstable != NULL ? rel->unstable : inputs[i]->unstable;
    }
    rel->is_update = (rel->is_update || rel->op->is_update) && !rel->op->is_final;
    bool is_sensitive = (rel->op->operator_->flags & EVS_OP_ORDER_SENSITIVE) != 0;
    if (is_sensitive && rel->unstable == NULL && !(count == 1 && inputs[0]->is_ordered)) {
        rel->unstable = rel; /* what passes depends on how partitions interleave (exactness, 4) */
    }
}

struct evs_rel *evs_rel_operator(struct evs_rels *rels, struct evs_rel *const *inputs, uint32_t input_count,
                                 const struct evs_rel_operator *operator_, struct evs_rel_column *columns,
                                 uint32_t count, uint32_t event_time_column, struct evs_place place, const char *name)
{
    struct evs_rel *rel = new_rel(rels, EVS_REL_OPERATOR, place, count);
    rel->op = operator_;
    rel->columns = columns;
    rel->name = name;
    set_operator_inputs(rels, rel, inputs, input_count);
    rel->lineage = operator_lineage(rel);
    rel->event_time_column = operator_->is_built ? event_time_column : inputs[0]->event_time_column;
    EVS_ASSERT(operator_->is_built || count >= inputs[0]->column_count);
    for (uint32_t i = 0; i < count; i++) {
        struct evs_rel_origin origin = operator_->origins[i];
        EVS_ASSERT(operator_->is_built || i >= inputs[0]->column_count || (origin.input == 0 && origin.column == i));
        if (!operator_->is_built && i < inputs[0]->column_count) {
            columns[i].edge = operator_->moves_time ? EVS_EDGE_NONE : inputs[0]->columns[i].edge;
            columns[i].window = operator_->moves_time ? 0 : inputs[0]->columns[i].window;
        }
        columns[i].lineage = origin.input == EVS_COMPUTED ? evs_lineage_mix(rel->lineage, origin.column)
                                                          : inputs[origin.input]->columns[origin.column].lineage;
    }
    return rel;
}

const struct evs_rel_origin *evs_rel_passed(struct evs_rels *rels, const struct evs_rel *input)
{
    struct evs_rel_origin *origins = EVS_ARENA_ARRAY(rels->arena, struct evs_rel_origin, input->column_count + 1);
    for (uint32_t i = 0; i < input->column_count; i++) {
        origins[i].column = i;
    }
    return origins;
}

struct evs_rel *evs_rel_extended(struct evs_rels *rels, struct evs_rel *input, const struct evs_rel_operator *operator_,
                                 struct evs_place place, const char *name)
{
    EVS_ASSERT(!operator_->is_built);
    struct evs_rel_column *columns = EVS_ARENA_ARRAY(rels->arena, struct evs_rel_column, input->column_count + 1);
    if (input->column_count > 0) {
        memcpy(columns, input->columns, sizeof *columns * input->column_count);
    }
    return evs_rel_operator(rels, &input, 1, operator_, columns, input->column_count, EVS_NO_COLUMN, place, name);
}

/* A column of a union is the event time if it is that in every input. */
static uint32_t union_event_time(struct evs_rel **inputs, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (inputs[i]->event_time_column != inputs[0]->event_time_column) {
            return EVS_NO_COLUMN;
        }
    }
    return inputs[0]->event_time_column;
}

struct evs_rel *evs_rel_union(struct evs_rels *rels, struct evs_rel **inputs, uint32_t count, struct evs_place place)
{
    EVS_ASSERT(count >= 2);
    struct evs_rel *rel = new_rel(rels, EVS_REL_UNION, place, inputs[0]->column_count);
    rel->columns = EVS_ARENA_ARRAY(rels->arena, struct evs_rel_column, rel->column_count);
    memcpy(rel->columns, inputs[0]->columns, sizeof *rel->columns * rel->column_count);
    rel->inputs = EVS_ARENA_ARRAY(rels->arena, struct evs_rel_input, count);
    rel->input_count = count;
    rel->is_bounded = true;
    rel->event_time_column = union_event_time(inputs, count);
    for (uint32_t i = 0; i < count; i++) {
        EVS_ASSERT(inputs[i]->column_count == rel->column_count);
        rel->inputs[i].rel = inputs[i];
        rel->is_bounded = rel->is_bounded && inputs[i]->is_bounded;
        rel->is_timed_by_reading = rel->is_timed_by_reading || inputs[i]->is_timed_by_reading;
        rel->is_update = rel->is_update || inputs[i]->is_update;
        rel->unstable = rel->unstable != NULL ? rel->unstable : inputs[i]->unstable;
        rel->lineage += evs_lineage_mix(3, inputs[i]->lineage);
        for (uint32_t c = 0; c < rel->column_count; c++) {
            EVS_ASSERT(evs_type_equal(rel->columns[c].type, inputs[i]->columns[c].type));
            rel->columns[c].nullable = rel->columns[c].nullable || inputs[i]->columns[c].nullable;
            if (rel->columns[c].edge != inputs[i]->columns[c].edge) {
                rel->columns[c].edge = EVS_EDGE_NONE;
            }
            if (rel->columns[c].window != inputs[i]->columns[c].window) {
                rel->columns[c].window = 0; /* windows of several kinds: complete at their ends, but not alike */
            }
            rel->columns[c].lineage += i > 0 ? inputs[i]->columns[c].lineage : 0;
        }
    }
    return rel;
}

struct evs_rel *evs_rel_sink(struct evs_rels *rels, struct evs_bound_sink *sink, struct evs_rel_input *inputs,
                             uint32_t count, struct evs_place place)
{
    struct evs_rel *rel = new_rel(rels, EVS_REL_SINK, place, 0);
    rel->sink = sink;
    rel->inputs = inputs;
    rel->input_count = count;
    for (uint32_t i = 0; i < count; i++) {
        EVS_ASSERT(inputs[i].rel->number < rel->number);
        rel->is_update = rel->is_update || inputs[i].rel->is_update;
        rel->unstable = rel->unstable != NULL ? rel->unstable : inputs[i].rel->unstable;
        rel->lineage = i == 0 ? evs_lineage_mix(inputs[i].rel->lineage, inputs[i].output) : rel->lineage;
    }
    return rel;
}

/* --- fields ----------------------------------------------------------------------------------------------------------- */

uint32_t evs_rel_edge(const struct evs_rel *rel, enum evs_window_edge edge)
{
    EVS_ASSERT(edge != EVS_EDGE_NONE);
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (rel->columns[i].edge == edge) {
            return i;
        }
    }
    return EVS_NO_COLUMN;
}

struct evs_field evs_rel_field(const struct evs_rel *rel, uint32_t column)
{
    EVS_ASSERT(column < rel->column_count);
    const struct evs_rel_column *from = &rel->columns[column];
    return (struct evs_field){.name = from->name, .type = from->type, .nullable = from->nullable};
}

/* What a late row has behind the columns of the operator's input (language, "Event time, exactly", 7). */
static const struct {
    const char *name;
    enum evs_kind kind;
} late_fields[] = {
    {"window_start", EVS_TIMESTAMP},
    {"window_end", EVS_TIMESTAMP},
    {"_watermark", EVS_TIMESTAMP},
    {"_lateness", EVS_INT64},
};

/* Rows that had their window before have it among their columns. */
static uint32_t late_first(const struct evs_rel *rel)
{
    return rel->aggregate->window.kind == EVS_WINDOW_COLUMNS ? 2 : 0;
}

uint32_t evs_rel_width(struct evs_rel_input input)
{
    if (input.output == 0) {
        return input.rel->column_count;
    }
    if (input.rel->kind == EVS_REL_OPERATOR) {
        EVS_ASSERT(input.output <= input.rel->op->side_count);
        return input.rel->op->sides[input.output - 1].column_count;
    }
    EVS_ASSERT(input.rel->kind == EVS_REL_AGGREGATE && input.rel->aggregate->late_output);
    return input.rel->aggregate->late_columns + (uint32_t)EVS_COUNT(late_fields) - late_first(input.rel);
}

void evs_rel_fields(struct evs_rel_input input, struct evs_field *fields)
{
    if (input.output == 0) {
        for (uint32_t i = 0; i < input.rel->column_count; i++) {
            fields[i] = evs_rel_field(input.rel, i);
        }
        return;
    }
    if (input.rel->kind == EVS_REL_OPERATOR) {
        const struct evs_rel_side *side = &input.rel->op->sides[input.output - 1];
        for (uint32_t i = 0; i < side->column_count; i++) {
            const struct evs_rel_column *column = &side->columns[i];
            fields[i] = (struct evs_field){.name = column->name, .type = column->type, .nullable = column->nullable};
        }
        return;
    }
    uint32_t count = input.rel->aggregate->late_columns;
    for (uint32_t i = 0; i < count; i++) {
        fields[i] = evs_rel_field(input.rel->inputs[0].rel, i);
    }
    for (uint32_t i = late_first(input.rel); i < EVS_COUNT(late_fields); i++) {
        fields[count++] = (struct evs_field){.name = late_fields[i].name, .type = evs_type_of(late_fields[i].kind)};
    }
}
