/* Laying relations out as nodes: what plan_build.c, plan_sink.c and plan_label.c share. */
#ifndef EVS_PLAN_BUILD_H
#define EVS_PLAN_BUILD_H

#include "bind.h"

/* Where the rows of a relation come out. */
struct evs_port {
    uint32_t node, output;
};

/* A relation as it is laid out: ports that all give rows of one schema, and where the relation's columns stand in it. A relation need not
 * have a node of its own: a union has its inputs' ports, and a projection that only leaves out or renames is a map. */
struct evs_laid {
    struct evs_schema schema;
    struct evs_port *ports;
    uint32_t port_count;
    uint32_t *map; /* a column of the relation → a column of the schema; EVS_NO_COLUMN: not asked for */
};

struct evs_builder {
    struct evs_binder *binder;
    struct evs_arena *arena;
    struct evs_plan *plan;
    struct evs_name_index node_names, kind_counts;  /* the last number of a kind */
    uint32_t node_capacity, edge_capacity;          /* both arrays are on the heap until the plan is complete */
    struct evs_laid *laid;                          /* by the relation's number */
    struct evs_laid *sides[EVS_OPERATOR_SIDES_MAX]; /* by output - 1 and the relation's number: side outputs */
    uint32_t *node_of;                              /* of an aggregate or scan: its node */
    const char **names;                             /* of aggregates */
    bool is_broken;
};

uint32_t evs_build_node(struct evs_builder *builder, enum evs_node_kind kind, const char *name, struct evs_place place);
static inline struct evs_plan_node *evs_build_at(struct evs_builder *builder, uint32_t node)
{
    EVS_ASSERT(node < builder->plan->node_count);
    return &builder->plan->nodes[node];
}
/* Edges from all ports to an input of a node. */
void evs_build_connect(struct evs_builder *builder, const struct evs_port *ports, uint32_t count, uint32_t to,
                       uint32_t input);
/* Edges that have one input in common get their branch numbers. */
void evs_build_branches(struct evs_builder *builder);
struct evs_laid evs_build_single(struct evs_builder *builder, uint32_t node, uint32_t output, struct evs_schema schema,
                                 uint32_t *map);
/* The same rows with exactly these columns, in this order: as they are, or through a projection that copies. With `names`, the schema also
 * has these names. */
struct evs_laid evs_build_columns(struct evs_builder *builder, const struct evs_laid *from, const uint32_t *columns,
                                  const char *const *names, uint32_t count, struct evs_place place);
/* An exchange behind the ports: by key columns, or, with none, a gather. */
/* Every row to every worker. */
struct evs_laid evs_build_broadcast(struct evs_builder *builder, const struct evs_laid *from, struct evs_place place);
struct evs_laid evs_build_exchange(struct evs_builder *builder, const struct evs_laid *from, const uint32_t *keys,
                                   uint32_t key_count, struct evs_place place);

uint32_t *evs_build_map(struct evs_builder *builder, uint32_t count); /* all EVS_NO_COLUMN */
/* One input of an aggregate or operator, with the columns alone that it asks for: an exchange copies no others, its state keeps no others, and who else reads the same
 * rows makes no difference to it. In the relation's order where `is_in_order`. */
struct evs_laid evs_build_narrow(struct evs_builder *builder, const struct evs_rel *rel, uint32_t index,
                                 bool is_in_order);
uint64_t *evs_build_reads(struct evs_builder *builder, const struct evs_rel *rel, uint32_t index); /* evs_rel_reads */
static inline bool evs_build_has_bit(const uint64_t *bits, uint32_t number)
{
    return (bits[number / 64] >> (number % 64) & 1) != 0;
}
/* Expressions over a relation's columns as a program over its batches; NULL: reported. `map` as in evs_laid. */
const struct evs_program *evs_build_program(struct evs_builder *builder, const struct evs_expr *const *exprs,
                                            uint32_t count, const uint32_t *map);
/* A name for a node without state: its kind and a number. */
const char *evs_build_numbered(struct evs_builder *builder, const char *kind);

/* plan_shape.c: what stored state means (state_identity), and what it is made of. `input` is the aggregate's, as it is laid out. */
bool evs_build_keeps_call(const struct evs_rel *rel, uint32_t column);
uint64_t evs_aggregate_identity(const struct evs_rel *rel);
const struct evs_state_shape *evs_aggregate_shape(struct evs_arena *arena, const struct evs_rel *rel,
                                                  const struct evs_laid *input);
const struct evs_state_shape *evs_operator_shape(const struct evs_rel *rel, const struct evs_rel_layout *layout);

/* plan_operator.c */
void evs_build_operator(struct evs_builder *builder, const struct evs_rel *rel, const char *name);

/* plan_sink.c */
void evs_build_sink(struct evs_builder *builder, const struct evs_rel *rel);
void evs_build_dead_letters(struct evs_builder *builder);
uint64_t evs_key_identity(const struct evs_rel_column *column, uint32_t input); /* of a key's part of a shape */
/* Into how many groups the plan may be divided; more than that asked for is reported. */
void evs_build_groups(struct evs_builder *builder);

/* plan_label.c */
const char *evs_label_scan(struct evs_arena *arena, const struct evs_bound_source *source);
const char *evs_label_project(struct evs_arena *arena, const struct evs_rel *rel);
const char *evs_label_aggregate(struct evs_arena *arena, const struct evs_rel *rel);
const char *evs_label_groups(struct evs_arena *arena, const struct evs_rel *rel); /* keys, window and emission alone */
const char *evs_label_exchange(struct evs_arena *arena, const struct evs_schema *schema,
                               const struct evs_plan_exchange *exchange);
/* Names of the aggregates, unique and stable (exactness, 16); by the relation's number. Reports explicit names used twice. */
const char **evs_name_aggregates(struct evs_binder *binder);
/* "clicks.aggregate_user_id": the way of the rows, part of the trigger ids. */
const char *evs_path_of(struct evs_arena *arena, const char *const *names, const struct evs_rel *rel);

#endif
