/* May a pipeline be divided into groups that know nothing of each other (docs/internals/groups.md)?
 *
 * A group reads some of the partitions of every source, and no row ever leaves it. So all rows that an operator brings together must come from partitions
 * of one number. A source says what its partitions are made of (partition_key); from there this pass follows, column by column, which ones still hold that
 * key, unchanged:
 *
 *   scan ──► user_id: the key ──► where ──► select user_id as who: the key ──► aggregate … group by who: one group has all rows of a key
 *
 * The key of a row is the first column of partition_key that is not NULL, so a column may hold it always, or only where it is not NULL. The second is enough for
 * operators that leave rows without a key out. Nothing is guessed from data: what cannot be shown is refused. */
#include "plan_build.h"

#include <string.h>

/* What a column knows of the partition of its row. partitions == 0: nothing. */
struct trace {
    uint32_t partitions;
    uint32_t rank;   /* its place in partition_key; … */
    uint32_t ranks;  /* … of so many columns */
    bool is_certain; /* it is the key; else only where it is not NULL, and of rank 0 */
};

struct proof {
    struct evs_builder *builder;
    struct trace **traces;                   /* by relation and column */
    const struct evs_bound_source *unmarked; /* a source that does not say what its partitions are made of */
};

static bool is_key(const struct trace *trace)
{
    return trace->partitions > 0 && trace->rank == 0;
}

/* --- following the key -------------------------------------------------------------------------------------------------------- */

static void trace_scan(struct proof *proof, const struct evs_rel *rel, struct trace *out)
{
    const struct evs_bound_source *source = rel->source;
    for (uint32_t i = 0; i < source->partition_key_count; i++) {
        out[source->partition_key[i]] = (struct trace){source->partitions, i, source->partition_key_count, false};
    }
    if (source->partition_key_count == 0 && source->partitions > 1) {
        proof->unmarked = source;
    }
}

/* `x is not null`, alone or among others that must hold, too. */
static void trace_condition(const struct evs_expr *predicate, struct trace *out)
{
    for (uint32_t i = 0; predicate->kind == EVS_EXPR_AND && i < predicate->argument_count; i++) {
        trace_condition(predicate->arguments[i], out);
    }
    const struct evs_expr *inner = predicate->kind == EVS_EXPR_NOT ? predicate->arguments[0] : NULL;
    if (inner != NULL && inner->kind == EVS_EXPR_IS_NULL && inner->arguments[0]->kind == EVS_EXPR_COLUMN) {
        struct trace *column = &out[inner->arguments[0]->column];
        column->is_certain = is_key(column);
    }
}

/* coalesce of the key's columns, in their order, from the first one on. */
static struct trace trace_coalesce(const struct evs_expr *expr, const struct trace *input)
{
    struct trace first = {0};
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        const struct evs_expr *argument = expr->arguments[i];
        const struct trace *at = argument->kind == EVS_EXPR_COLUMN ? &input[argument->column] : NULL;
        if (at == NULL || at->partitions == 0 || at->rank != i || (i > 0 && at->partitions != first.partitions)) {
            return (struct trace){0};
        }
        first = i == 0 ? *at : first;
    }
    first.is_certain = first.is_certain || expr->argument_count == first.ranks;
    return first;
}

static struct trace trace_expr(const struct evs_expr *expr, const struct trace *input)
{
    if (expr->kind == EVS_EXPR_COLUMN) {
        return input[expr->column];
    }
    return expr->kind == EVS_EXPR_COALESCE ? trace_coalesce(expr, input) : (struct trace){0};
}

static void trace_union(const struct proof *proof, const struct evs_rel *rel, struct trace *out)
{
    for (uint32_t i = 0; i < rel->column_count; i++) {
        out[i] = proof->traces[rel->inputs[0].rel->number][i];
        for (uint32_t k = 1; k < rel->input_count; k++) {
            const struct trace *other = &proof->traces[rel->inputs[k].rel->number][i];
            bool is_alike =
                other->partitions == out[i].partitions && other->rank == out[i].rank && other->ranks == out[i].ranks;
            out[i] = is_alike ? (struct trace){other->partitions, other->rank, other->ranks,
                                               other->is_certain && out[i].is_certain}
                              : (struct trace){0};
        }
    }
}

/* A column that was never NULL and may be now was padded (an outer join): where it is not NULL, it is what it was. */
static void trace_operator(const struct proof *proof, const struct evs_rel *rel, struct trace *out)
{
    for (uint32_t i = 0; i < rel->column_count; i++) {
        struct evs_rel_origin origin = rel->op->origins[i];
        if (origin.input == EVS_COMPUTED) {
            continue;
        }
        const struct evs_rel *input = rel->inputs[origin.input].rel;
        out[i] = proof->traces[input->number][origin.column];
        out[i].is_certain = out[i].is_certain && (!rel->columns[i].nullable || input->columns[origin.column].nullable);
    }
}

static void trace_aggregate(const struct evs_rel *rel, const struct trace *input, struct trace *out)
{
    for (uint32_t i = 0; i < rel->column_count; i++) {
        const struct evs_aggregate_item *item = &rel->aggregate->items[i];
        if (item->what == EVS_ITEM_KEY) {
            out[i] = input[rel->aggregate->keys[item->index]];
        }
    }
}

static void trace_rel(struct proof *proof, const struct evs_rel *rel)
{
    struct trace *out = EVS_ARENA_ARRAY(proof->builder->arena, struct trace, rel->column_count + 1u);
    const struct trace *input = rel->input_count > 0 ? proof->traces[rel->inputs[0].rel->number] : NULL;
    proof->traces[rel->number] = out;
    switch (rel->kind) {
    case EVS_REL_SCAN:
        trace_scan(proof, rel, out);
        break;
    case EVS_REL_FILTER:
        memcpy(out, input, sizeof *out * rel->column_count);
        trace_condition(rel->predicate, out);
        break;
    case EVS_REL_PROJECT:
        for (uint32_t i = 0; i < rel->column_count; i++) {
            out[i] = trace_expr(rel->exprs[i], input);
        }
        break;
    case EVS_REL_AGGREGATE:
        trace_aggregate(rel, input, out);
        break;
    case EVS_REL_OPERATOR:
        trace_operator(proof, rel, out);
        break;
    case EVS_REL_UNION:
        trace_union(proof, rel, out);
        break;
    case EVS_REL_SINK:
        break;
    }
    for (uint32_t i = 0; i < rel->column_count; i++) {
        out[i].is_certain = out[i].is_certain || (is_key(&out[i]) && !rel->columns[i].nullable);
    }
}

/* --- what is in the way ------------------------------------------------------------------------------------------------------- */

struct obstacle {
    struct evs_place place;
    const char *text, *hint;
};

static struct obstacle obstacle_of(const struct proof *proof, struct evs_place place, const char *label,
                                   const char *why, const char *hint)
{
    return (struct obstacle){place, evs_arena_printf(proof->builder->arena, "`%s` %s", label, why), hint};
}

static const char *hint_of_key(const struct proof *proof)
{
    const struct evs_bound_source *source = proof->unmarked;
    return source == NULL ? "group, join or count by the column that the source names as its partition_key"
                          : evs_arena_printf(proof->builder->arena,
                                             "where a column decides on the partition of each event of `%s`, say so: "
                                             "partition_key = 'user_id'",
                                             source->name);
}

enum fit { FIT_NOT, FIT_OTHER_COUNT, FIT_WHERE_NOT_NULL, FIT_ALWAYS };

/* Keys of one operator: all its inputs have the partition's key at the same place. */
static enum fit fit_of_keys(const struct proof *proof, const struct evs_rel *rel, uint32_t k,
                            const uint32_t *(*keys_of)(const struct evs_rel *rel, uint32_t input))
{
    enum fit fit = FIT_ALWAYS;
    uint32_t partitions = 0;
    for (uint32_t i = 0; i < rel->input_count; i++) {
        const struct trace *trace = &proof->traces[rel->inputs[i].rel->number][keys_of(rel, i)[k]];
        if (!is_key(trace)) {
            return FIT_NOT;
        }
        if (i > 0 && trace->partitions != partitions) {
            return FIT_OTHER_COUNT;
        }
        partitions = trace->partitions;
        fit = trace->is_certain ? fit : FIT_WHERE_NOT_NULL;
    }
    return fit;
}

static const uint32_t *aggregate_keys(const struct evs_rel *rel, uint32_t input)
{
    (void)input;
    return rel->aggregate->keys;
}

static const uint32_t *operator_keys(const struct evs_rel *rel, uint32_t input)
{
    return rel->op->readings[input].keys;
}

/* What tells tools where a record belongs (engine/state/split.h). */
static void mark_node(const struct proof *proof, const struct evs_rel *rel, uint32_t k,
                      const uint32_t *(*keys_of)(const struct evs_rel *rel, uint32_t input))
{
    struct evs_plan_node *node = evs_build_at(proof->builder, proof->builder->node_of[rel->number]);
    for (uint32_t i = 0; i < rel->input_count; i++) {
        const struct evs_rel *input = rel->inputs[i].rel;
        uint32_t column = keys_of(rel, i)[k];
        node->partition_identity[i] = evs_key_identity(&input->columns[column], i);
        node->partition_count = proof->traces[input->number][column].partitions;
    }
}

/* True: nothing is in the way. */
static bool check_keys(const struct proof *proof, const struct evs_rel *rel, const char *label, uint32_t count,
                       bool skips_nulls, const uint32_t *(*keys_of)(const struct evs_rel *rel, uint32_t input),
                       struct obstacle *out)
{
    enum fit best = FIT_NOT;
    for (uint32_t k = 0; k < count; k++) {
        enum fit fit = fit_of_keys(proof, rel, k, keys_of);
        if (fit > best) {
            best = fit;
            mark_node(proof, rel, k, keys_of);
        }
    }
    if (best == FIT_ALWAYS || (best == FIT_WHERE_NOT_NULL && skips_nulls)) {
        return true;
    }
    *out = best == FIT_NOT ? obstacle_of(proof, rel->place, label,
                                         "brings rows of several partitions together: what their partitions are "
                                         "made of is not among its keys",
                                         hint_of_key(proof))
           : best == FIT_OTHER_COUNT
               ? obstacle_of(proof, rel->place, label,
                             "joins rows of streams that do not have the same number of partitions", NULL)
               : obstacle_of(proof, rel->place, label,
                             "brings all rows without a key together, and these lie in several partitions",
                             "leave them out before (`where user_id is not null`), or declare the column not null");
    return false;
}

static bool check_operator(const struct proof *proof, const struct evs_rel *rel, struct obstacle *out)
{
    const struct evs_rel_operator *op = rel->op;
    if (op->operator_->everywhere != 0) {
        *out = obstacle_of(proof, rel->place, op->label, "ties keys to each other, whose events lie in any partition",
                           NULL);
        return false;
    }
    if (op->spread == EVS_SPREAD_KEYS && op->readings[0].key_count > 0) {
        return check_keys(proof, rel, op->label, op->readings[0].key_count,
                          (op->operator_->flags & EVS_OP_SKIPS_NULL_KEYS) != 0, operator_keys, out);
    }
    bool is_rowwise = op->spread == EVS_SPREAD_NONE && (op->operator_->flags & EVS_OP_STATEFUL) == 0;
    if (!is_rowwise) {
        *out = obstacle_of(proof, rel->place, op->label, "needs all rows in one place", NULL);
    }
    return is_rowwise;
}

static bool check_sink(const struct proof *proof, const struct evs_bound_sink *sink, struct obstacle *out)
{
    bool is_shared = !sink->connector->single && !sink->connector->always_exact;
    if (!is_shared) {
        *out = obstacle_of(proof, sink->place, sink->name,
                           sink->connector->shape == EVS_SINK_BYTES
                               ? "writes one file, and several engines cannot write it together"
                               : "has one writer, which goes by the numbers of one log of commits",
                           "write to nats, and copy from there with a pipeline of its own");
    }
    return is_shared;
}

static bool check_source(const struct proof *proof, const struct evs_bound_source *source, struct obstacle *out)
{
    bool is_divided = source->partitions > 1 && source->connector->bucket != NULL;
    if (!is_divided) {
        *out =
            obstacle_of(proof, source->place, source->name, "has one partition, and a partition is read by one group",
                        "a stream with several has the option partitions");
    }
    return is_divided;
}

static bool check_rel(const struct proof *proof, const struct evs_rel *rel, struct obstacle *out)
{
    switch (rel->kind) {
    case EVS_REL_SCAN:
        return check_source(proof, rel->source, out);
    case EVS_REL_AGGREGATE:
        return check_keys(proof, rel, evs_label_groups(proof->builder->arena, rel), rel->aggregate->key_count, false,
                          aggregate_keys, out);
    case EVS_REL_OPERATOR:
        return check_operator(proof, rel, out);
    case EVS_REL_SINK:
        return check_sink(proof, rel->sink, out);
    default:
        return true;
    }
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------ */

#define OBSTACLES_MAX 16u /* that are told */

struct obstacles {
    struct obstacle items[OBSTACLES_MAX];
    uint32_t count;
};

static void add(struct obstacles *all, const struct obstacle *obstacle)
{
    if (all->count < OBSTACLES_MAX) {
        all->items[all->count++] = *obstacle;
    }
}

static void check_rels(struct proof *proof, struct obstacles *all)
{
    const struct evs_rels *rels = &proof->builder->binder->rels;
    struct obstacle obstacle;
    proof->traces = EVS_ARENA_ARRAY(proof->builder->arena, struct trace *, rels->count + 1u);
    for (uint32_t i = 0; i < rels->count; i++) {
        if (rels->items[i]->is_live) {
            trace_rel(proof, rels->items[i]);
        }
    }
    for (uint32_t i = 0; i < rels->count; i++) {
        if (rels->items[i]->is_live && !check_rel(proof, rels->items[i], &obstacle)) {
            add(all, &obstacle);
        }
    }
}

/* Dead letters have no relation. */
static void check_dead_letters(const struct proof *proof, struct obstacles *all)
{
    struct evs_binder *binder = proof->builder->binder;
    struct obstacle obstacle;
    for (uint32_t i = 0; i < binder->entity_count; i++) {
        const struct evs_entity *entity = binder->entities[i];
        bool takes_dead_rows = entity->kind == EVS_ENTITY_SINK && entity->state == EVS_ENTITY_BOUND &&
                               entity->sink->dead_place.file != NULL;
        if (takes_dead_rows && !check_sink(proof, entity->sink, &obstacle)) {
            add(all, &obstacle);
        }
    }
}

static void check_state(const struct proof *proof, struct obstacles *all)
{
    if (proof->builder->plan->state == EVS_STATE_MEMORY) {
        struct obstacle obstacle = {evs_setting_place(proof->builder->binder, "state"),
                                    "with state in memory no engine can take a group over from another", NULL};
        add(all, &obstacle);
    }
}

static const struct evs_bound_source *smallest_source(const struct evs_rels *rels)
{
    const struct evs_bound_source *smallest = NULL;
    for (uint32_t i = 0; i < rels->count; i++) {
        const struct evs_rel *rel = rels->items[i];
        if (rel->is_live && rel->kind == EVS_REL_SCAN &&
            (smallest == NULL || rel->source->partitions < smallest->partitions)) {
            smallest = rel->source;
        }
    }
    return smallest;
}

static void check_count(const struct proof *proof, struct obstacles *all)
{
    struct evs_plan *plan = proof->builder->plan;
    const struct evs_bound_source *smallest = smallest_source(&proof->builder->binder->rels);
    plan->groups_max = smallest == NULL ? 1 : smallest->partitions;
    if (plan->groups > plan->groups_max && smallest->partitions > 1) {
        struct obstacle obstacle = {smallest->place,
                                    evs_arena_printf(proof->builder->arena,
                                                     "`%s` has %u partitions, too few for %u groups", smallest->name,
                                                     smallest->partitions, plan->groups),
                                    "every group reads at least one partition of every source"};
        add(all, &obstacle);
    }
}

static void refuse(struct evs_builder *builder, const struct obstacle *obstacle)
{
    struct evs_diag *diag = evs_report(builder->binder, EVS_E0421, obstacle->place, "%s", obstacle->text);
    evs_report_note(builder->binder, diag, evs_setting_place(builder->binder, "groups"),
                    "several groups were asked for here");
    if (obstacle->hint != NULL) {
        evs_diag_hint(diag, "%s", obstacle->hint);
    }
    builder->is_broken = true;
}

void evs_build_groups(struct evs_builder *builder)
{
    struct evs_plan *plan = builder->plan;
    struct proof proof = {.builder = builder};
    struct obstacles all = {.count = 0};
    plan->groups = (uint32_t)evs_setting(builder->binder, "groups")->integer;
    check_count(&proof, &all);
    uint32_t of_count = all.count;
    check_rels(&proof, &all);
    check_dead_letters(&proof, &all);
    check_state(&proof, &all);
    if (all.count > of_count) {
        plan->groups_max = 1;
        plan->one_group_because = all.items[of_count].text;
    }
    for (uint32_t i = 0; i < all.count && plan->groups > 1; i++) {
        refuse(builder, &all.items[i]);
    }
}
