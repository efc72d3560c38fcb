/* What the two files of the aggregate's binding share. */
#ifndef EVS_BIND_AGGREGATE_H
#define EVS_BIND_AGGREGATE_H

#include "aggregate_table.h"
#include "bind_window.h"

/* A call, still over the expressions of the scope. */
struct pending_call {
    enum evs_aggregate_kind kind;
    const struct evs_expr **arguments; /* the function's, then those of orders */
    uint32_t argument_count, argument_capacity;
    const struct evs_expr *condition; /* or NULL */
    const struct evs_type *result_type;
    bool is_distinct, ignore_nulls, is_nullable;
    const struct evs_aggregate_order *orders;
    uint32_t order_count;
    int64_t limit; /* -1: none */
    int64_t number, within_us;
    struct evs_slice delimiter;
    const char *text;
};

/* A column in the output: a key, or one end of the window. */
struct group_column {
    const char *name;
    const struct evs_expr *key; /* NULL: of the window */
    enum { GROUP_KEY, GROUP_WINDOW_START, GROUP_WINDOW_END } what;
};

struct evs_aggregation {
    struct evs_binder *binder;
    struct evs_scope *scope; /* the input */
    const struct evs_ast_aggregate *ast;
    struct group_column *groups;
    uint32_t group_count;
    struct pending_call *calls;
    uint32_t call_count, call_capacity;
    struct evs_bound_window window; /* of kind NONE: none */
    enum evs_emit_kind emit;
    int64_t every_us, lateness_us, retain_us;
    const char *state_bound;
    bool is_distinct; /* |> distinct, select distinct */
};

/* Makes the relation of an aggregation, and what is visible behind it: keys, then items (over groups and calls). */
struct evs_rel *evs_aggregation_end(struct evs_aggregation *aggregation, struct evs_scope *scope,
                                    const struct evs_columns *items, struct evs_place place, const char *name);
/* Whether rows can be told apart by a value. False: reported. */
bool evs_check_key(struct evs_binder *binder, const struct evs_expr *key, struct evs_place place);

/* bind_call.c: a call of an aggregate function, by itself; false: reported. */
bool evs_bind_call(struct evs_binder *binder, struct evs_context *context, const struct evs_ast_expr *ast,
                   struct pending_call *call);
bool evs_same_call(const struct pending_call *a, const struct pending_call *b);

/* bind_window.c: each reports and returns false when something is wrong. */
bool evs_bind_window(struct evs_aggregation *aggregation, const struct evs_ast_group *group);
/* When both ends of the rows' windows are keys, they are the window. After all keys are bound. */
bool evs_bind_window_columns(struct evs_aggregation *aggregation);
/* When results come: emit, allow lateness, late into. */
bool evs_bind_emit(struct evs_aggregation *aggregation);
/* What bounds the state: a window, retain, or the end of the input. `place`: the operator, for the error. */
bool evs_bind_bound(struct evs_aggregation *aggregation, struct evs_place place);

#endif
