/* What the binders of the keyed row operators share (bind_keyed.c, bind_top.c, bind_over.c). */
#ifndef EVS_BIND_KEYED_H
#define EVS_BIND_KEYED_H

#include "plan_build.h"

/* Keys as expressions over the scope; false: reported. `exprs` has room for EVS_KEYS_MAX. */
bool evs_bind_key_exprs(struct evs_binder *binder, struct evs_scope *scope, const struct evs_ast_exprs *asts,
                        const struct evs_expr **exprs);
/* An operator that reads columns of its one input and passes on all of them: the rest is the caller's. Numbers are the base's. */
struct evs_rel_operator *evs_bind_keyed_operator(struct evs_binder *binder, const struct evs_scope *scope,
                                                 const struct evs_operator *operator_, const uint32_t *keys,
                                                 uint32_t key_count);
/* Side output 1: the scope's columns as they stand, into a sink. The scope is settled. */
bool evs_bind_side(struct evs_binder *binder, const struct evs_scope *scope, struct evs_rel_operator *op,
                   const char *name);
/* Sends what leaves by output 1 into the sink of a name. */
void evs_bind_side_sink(struct evs_binder *binder, struct evs_rel *rel, const struct evs_ident *sink);
/* A whole number of rows, least … most; false: reported. */
bool evs_bind_row_count(struct evs_binder *binder, const struct evs_ast_expr *ast, const char *what, int64_t least,
                        int64_t most, int64_t *count);
/* A constant interval above zero; false: reported. */
bool evs_bind_length(struct evs_binder *binder, const struct evs_ast_expr *ast, const char *what, int64_t *us);
/* "user_id, sku" */
const char *evs_bind_key_text(struct evs_binder *binder, const struct evs_ast_exprs *keys);
/* "1 h": in the largest unit that is whole. */
const char *evs_bind_duration_text(struct evs_binder *binder, int64_t us);
/* The operator's name as the user gave it, or NULL. */
const char *evs_bind_operator_name(struct evs_binder *binder, const struct evs_ast_pipe *pipe);
/* Where the input's columns stand in the batches, for `configure`. */
uint32_t *evs_bind_map_columns(const struct evs_rel_layout *layout, const uint32_t *columns, uint32_t count);
/* Refuses rows that are revisions of results. */
bool evs_bind_refuse_update(struct evs_binder *binder, const struct evs_scope *scope, struct evs_place place,
                            const char *what);

#endif
