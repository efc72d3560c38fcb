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

enum evs_rel_kind {
    EVS_REL_SCAN,
    EVS_REL_FILTER,
    EVS_REL_PROJECT,
    EVS_REL_AGGREGATE,
    EVS_REL_OPERATOR,
    EVS_REL_UNION,
    EVS_REL_SINK
};

#define EVS_NO_COLUMN UINT32_MAX

/* Is the column an end of the window that its row belongs to, unchanged? Of such a row the event time lies inside the window, so that who groups,
 * joins or ranks by both ends knows that they are complete when the watermark reaches window_end. */
enum evs_window_edge { EVS_EDGE_NONE, EVS_EDGE_START, EVS_EDGE_END };

struct evs_rel_column {
    const char *name;
    const struct evs_type *type;
    bool nullable;
    enum evs_window_edge edge;
    uint64_t window; /* of an edge: a hash of the windows' definition, so that windows made alike are known as such */
    uint64_t lineage;
};

/* A relation's output: 0 its rows; 1 and above the side outputs of an operator (of an aggregate: its late rows). */
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
    struct evs_window window;
    const char *window_text;  /* "tumble(interval 1 minute)"; NULL: none, or of columns */
    uint64_t window_identity; /* of windows of the same definition */
    enum evs_emit_kind emit;
    int64_t every_us, lateness_us, retain_us;
    bool late_output;
    uint32_t late_columns;   /* the input's first columns: what a late row shows */
    const char *state_bound; /* for people */
    bool is_distinct;        /* keys alone: a group has one result, which is never revised */
};

/* Its results are revisions. */
static inline bool evs_rel_gives_updates(const struct evs_rel_aggregate *aggregate)
{
    return !aggregate->is_distinct && (aggregate->emit != EVS_EMIT_ON_CLOSE || aggregate->lateness_us > 0);
}

/* --- operators of the catalogue --------------------------------------------------------------------------------------
 *
 * Everything that the planner needs to know of an operator is said here by its binder, so that a new one needs no case in pruning or layout
 * (docs/internals/planning.md, "A new operator"). */

#define EVS_OPERATOR_INPUTS_MAX 2
#define EVS_OPERATOR_SIDES_MAX 3

/* Where a column comes from: a column of an input, passed on unchanged; or the operator's own, by a number that it knows. */
#define EVS_COMPUTED UINT32_MAX
struct evs_rel_origin {
    uint32_t input; /* EVS_COMPUTED: the operator's own */
    uint32_t column;
};

/* What an operator does with one of its inputs. Numbers of columns are the input relation's. */
struct evs_rel_reading {
    const uint32_t *keys; /* rows are exchanged by them */
    uint32_t key_count;
    const uint32_t *reads; /* columns that it reads beside its keys, whoever asks for them */
    uint32_t read_count;
    bool is_exact;     /* its batches have exactly the input's columns, by number and name */
    bool is_broadcast; /* every worker gets all rows; it has no keys */
};

/* A side output: its rows go into a sink, so every column is asked for. */
struct evs_rel_side {
    const char *name;                     /* for people: "late rows" */
    const struct evs_rel_column *columns; /* names and types */
    const struct evs_rel_origin *origins; /* one a column; only input 0 may be passed */
    uint32_t column_count;
    bool is_built; /* see evs_rel_operator.is_built */
};

struct evs_rel_layout;

struct evs_rel_operator {
    const struct evs_operator *operator_;
    enum {
        EVS_SPREAD_NONE,  /* works on rows wherever they are */
        EVS_SPREAD_KEYS,  /* needs all rows of a key on one worker */
        EVS_SPREAD_GATHER /* needs all rows on one worker */
    } spread;
    const struct evs_rel_reading *readings; /* one an input */
    const struct evs_rel_origin *origins;   /* one a column of the relation */
    /* false: its batches have all columns of input 0 as they come (shared, and perhaps columns that only it reads), and its own columns that are
     *        asked for behind them; the relation's columns begin with those of input 0
     * true:  its batches have exactly the columns that are asked for, in the relation's order */
    bool is_built;
    const struct evs_rel_side *sides; /* outputs 1 … */
    uint32_t side_count;
    /* Makes the operator's configuration in layout->arena, once it is known where columns stand. NULL: reported. */
    const void *(*configure)(const struct evs_rel_layout *layout);
    const void *bound;       /* what the binder found out, for `configure` */
    uint64_t identity;       /* of everything beside keys and rows that decides what stored state means */
    const char *label;       /* for people: "deduplicate by event_id within 1 h" */
    const char *state_bound; /* for people: what bounds the state; NULL: it has none */
    bool
        keeps_rows; /* its state has rows of its inputs as they come: the columns that are carried belong to the state's meaning */
    bool needs_row_watermark; /* decides on a row by the watermark before that row, even where no row is late */
    bool is_update;           /* its rows are revisions, whatever its inputs' are */
    bool is_final;            /* its rows are final, whatever its inputs' are */
    bool moves_time;          /* the event time of a row may leave the window that the row's columns name */
};

struct evs_builder;

/* Where things stand in the plan: for `configure`. */
struct evs_rel_layout {
    struct evs_builder *builder; /* for evs_build_program */
    struct evs_arena *arena;     /* the plan's */
    const struct evs_rel *rel;
    const uint32_t *input_map
        [EVS_OPERATOR_INPUTS_MAX]; /* column of the input relation → of its batches; EVS_NO_COLUMN: not carried */
    struct evs_schema input_schema[EVS_OPERATOR_INPUTS_MAX];
    const uint32_t *map; /* column of the relation → of the operator's batches; EVS_NO_COLUMN: nobody asks for it */
    struct evs_schema schema;
    struct evs_schema side_schema[EVS_OPERATOR_SIDES_MAX];
    struct evs_place place; /* of the operator, for dead letters; its texts live as long as the plan */
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
        const struct evs_rel_operator *op;
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
/* `columns` (names, types; lineages are set here) and `operator_` are kept. `event_time_column`: the column that is the rows' event time; derived
 * when the operator is not built. The name is `as NAME`, or NULL. */
struct evs_rel *evs_rel_operator(struct evs_rels *rels, struct evs_rel *const *inputs, uint32_t input_count,
                                 const struct evs_rel_operator *operator_, struct evs_rel_column *columns,
                                 uint32_t count, uint32_t event_time_column, struct evs_place place, const char *name);
/* For operators that pass rows on with the columns that they have: the origins of all columns of `input`, and the relation. */
const struct evs_rel_origin *evs_rel_passed(struct evs_rels *rels, const struct evs_rel *input);
struct evs_rel *evs_rel_extended(struct evs_rels *rels, struct evs_rel *input, const struct evs_rel_operator *operator_,
                                 struct evs_place place, const char *name);
/* The inputs have the same number and types of columns. */
struct evs_rel *evs_rel_union(struct evs_rels *rels, struct evs_rel **inputs, uint32_t count, struct evs_place place);
struct evs_rel *evs_rel_sink(struct evs_rels *rels, struct evs_bound_sink *sink, struct evs_rel_input *inputs,
                             uint32_t count, struct evs_place place);

/* Behind pruning: the columns that an aggregate or an operator asks of one of its inputs, as bits, added to those that are there. Others may ask the same input
 * for more. */
void evs_rel_reads(const struct evs_rel *rel, uint32_t index, uint64_t *columns);
/* The column that is this end of the rows' windows; EVS_NO_COLUMN: none. */
uint32_t evs_rel_edge(const struct evs_rel *rel, enum evs_window_edge edge);
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
