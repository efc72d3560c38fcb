/* What the two files of the window functions' binding share. */
#ifndef EVS_BIND_OVER_H
#define EVS_BIND_OVER_H

#include "bind_aggregate.h"
#include "bind_keyed.h"
#include "evstream/table.h"
#include "op_over.h"

#define OVERS_MAX 64u
#define ROWS_BACK_MAX 100000

struct over_call {
    const struct evs_ast_expr *ast;
    uint32_t group;
    struct evs_over_call call;     /* columns are filled when they are known */
    struct pending_call aggregate; /* of EVS_OVER_AGGREGATE: expressions over the scope */
    const struct evs_expr *argument, *fallback;
    const struct evs_type *type;
    uint32_t argument_number, fallback_number, condition_number, *aggregate_numbers; /* columns of the input relation */
};

struct over_group { /* calls of one partition, order and retention */
    const struct evs_ast_over *ast;
    const char *text;
    const struct evs_expr *keys[EVS_KEYS_MAX + 2];
    uint32_t key_count;
    const struct evs_expr **orders; /* of a ranking inside a window: as many as its `order by` has */
    bool is_top;
    int64_t retain_us;
};

struct overs {
    struct evs_binder *binder;
    struct evs_scope *scope;
    const struct evs_ast_pipe *pipe;
    struct over_call calls[OVERS_MAX];
    uint32_t call_count;
    struct over_group groups[OVERS_MAX];
    uint32_t group_count;
    struct evs_over_column done[OVERS_MAX]; /* calls that are columns already */
    uint32_t done_count;
};

/* --- bind_over_call.c --- */

/* row_number, rank, dense_rank */
bool evs_over_is_numbering(const struct evs_ast_expr *ast, enum evs_over_kind *kind);
/* An expression over the scope as it stands; NULL: reported. */
const struct evs_expr *evs_over_argument(struct overs *overs, const struct evs_ast_expr *ast);
/* Reports E0420 with a hint (may be NULL). Always false. */
bool evs_over_wrong(struct overs *overs, struct evs_place place, const char *message, const char *hint);
/* The function, its arguments and its frame; false: reported. */
bool evs_over_bind_call(struct overs *overs, struct over_call *call);

#endif
