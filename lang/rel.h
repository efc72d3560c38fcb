/* Relations: what a pipeline computes, before it is laid out in nodes.
 *
 *   scan ──► filter ──► project ──► aggregate ──► project ──► sink
 *
 * A relation has columns, numbered from 0, and is immutable once it is made, but for the marks of pruning. Relations are made inputs
 * first, so their numbers are a topological order. The binder makes them wide (every column that somebody could still ask for);
 * plan_prune.c marks what is asked for, and plan_build.c lays out only that.
 *
 * Lineage: a hash of what a column or the set of rows is made of, down to the sources. It names no column numbers and no passing name, so
 * it stays the same when unrelated parts of the file change. The identity of an operator's state is made of it (exactness, 16). */
#ifndef EVS_REL_H
#define EVS_REL_H

#include "evstream/plan.h"
#include "expr.h"
#include "op_aggregate.h"

enum evs_rel_kind { EVS_REL_SCAN, EVS_REL_FILTER, EVS_REL_PROJECT, EVS_REL_AGGREGATE, EVS_REL_UNION, EVS_REL_SINK };

#define EVS_NO_COLUMN UINT32_MAX

struct evs_rel_column {
    const char *name;
    const struct evs_type *type;
    bool nullable;
    uint64_t lineage;
};

/* A relation's output: 0 its rows, 1 the late rows of an aggregate. */
struct evs_rel_input {
    struct evs_rel *rel;
    uint32_t output;
};

/* aggregate: its input is a projection whose columns are numbered here. */
struct evs_rel_aggregate {
    const uint32_t *keys;
    uint32_t key_count;
    const struct evs_aggregate_call *calls;
    uint32_t call_count;
    const struct evs_aggregate_item *items; /* one a column of the relation */
    enum evs_window_kind window;
    int64_t size_us, offset_us;
    const char *window_text; /* "tumble(interval 1 minute)"; NULL: none */
    enum evs_emit_kind emit;
    int64_t retain_us;
    bool late_output;
    uint32_t late_columns;   /* the input's first columns: what a late row shows */
    const char *state_bound; /* for people */
};

struct evs_bound_source;
struct evs_bound_sink;

struct evs_rel {
    enum evs_rel_kind kind;
    uint32_t number;
    struct evs_place place;
    const char *name; /* `as NAME` of the operator; NULL: none */
    struct evs_rel_input *inputs;
    uint32_t input_count;
    struct evs_rel_column *columns;
    uint32_t column_count;

    /* what holds for its rows */
    uint32_t event_time_column; /* the column that is the rows' event time, unchanged; EVS_NO_COLUMN: none */
    bool is_bounded;            /* every source below is */
    bool is_timed_by_reading;   /* a source below is a file without a watermark */
    bool is_update;             /* rows are revisions of results */
    bool is_ordered;            /* rows come in one order that a replay repeats: one partition, no union */
    const struct evs_rel
        *unstable;    /* the operator below (or this one) whose rows a replay may not repeat; NULL: none */
    uint64_t lineage; /* of the set of rows */

    union {
        struct evs_bound_source *source;  /* scan */
        const struct evs_expr *predicate; /* filter */
        const struct evs_expr **exprs;    /* project: one a column */
        const struct evs_rel_aggregate *aggregate;
        struct evs_bound_sink *sink;
    };

    uint64_t *needed; /* pruning: a bit for each column that somebody asks for */
    bool is_live;     /* leads to a sink */
};

/* All relations of a pipeline, in topological order. */
struct evs_rels {
    struct evs_arena *arena;
    struct evs_rel **items;
    uint32_t count, capacity;
};

/* Constructors. Arrays are taken as they are (in the arena). Everything that follows from the inputs is derived. */
struct evs_rel *evs_rel_scan(struct evs_rels *rels, struct evs_bound_source *source, struct evs_rel_column *columns,
                             uint32_t count, struct evs_place place);
struct evs_rel *evs_rel_filter(struct evs_rels *rels, struct evs_rel *input, const struct evs_expr *predicate);
struct evs_rel *evs_rel_project(struct evs_rels *rels, struct evs_rel *input, const struct evs_expr **exprs,
                                const char *const *names, uint32_t count, struct evs_place place);
struct evs_rel *evs_rel_aggregate(struct evs_rels *rels, struct evs_rel *input,
                                  const struct evs_rel_aggregate *aggregate, struct evs_rel_column *columns,
                                  uint32_t count, struct evs_place place, const char *name);
/* The inputs have the same number and types of columns. */
struct evs_rel *evs_rel_union(struct evs_rels *rels, struct evs_rel **inputs, uint32_t count, struct evs_place place);
struct evs_rel *evs_rel_sink(struct evs_rels *rels, struct evs_bound_sink *sink, struct evs_rel_input *inputs,
                             uint32_t count, struct evs_place place);

struct evs_field evs_rel_field(const struct evs_rel *rel, uint32_t column);
/* Fields of the rows of an output: the columns, or those of a late row. `fields` has room for evs_rel_width. */
uint32_t evs_rel_width(struct evs_rel_input input);
void evs_rel_fields(struct evs_rel_input input, struct evs_field *fields);

/* A hash that does not depend on the machine or the run. */
uint64_t evs_lineage_text(uint64_t seed, const char *text);
uint64_t evs_lineage_mix(uint64_t seed, uint64_t value);
/* What an expression over a relation's columns is made of. */
uint64_t evs_lineage_expr(const struct evs_rel *input, const struct evs_expr *expr);

/* Marks live relations and the columns that are asked for (plan_prune.c). */
void evs_rel_prune(struct evs_rels *rels);
static inline bool evs_rel_needs(const struct evs_rel *rel, uint32_t column)
{
    return (rel->needed[column / 64] >> (column % 64)) & 1;
}

#endif
